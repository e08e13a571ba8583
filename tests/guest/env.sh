# Shared by the scripts of the guest. Everything built is kept outside the checkout and reused by every checkout.
GUEST=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$GUEST/../rig/env.sh"
VM=${KEELSON_VM:-$CACHE/vm}
say() { echo "vm: $*" >&2; }
