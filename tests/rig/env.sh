# Shared settings of the rig, sourced by every script of it. Every value can be overridden from the environment.
RIG=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$RIG/../.." && pwd)
CACHE=${KEELSON_CACHE:-/var/cache/keelson}   # upstream programs and images: outside the checkout, reused by every checkout
K8SBIN=$CACHE/bin
IMAGES=$CACHE/images
KUBE_VERSION=v1.37.2
