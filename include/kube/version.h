/* The release whose observable behaviour is our specification, as programs print it. */
#pragma once

#define KUBE_VERSION "v1.37.2"
