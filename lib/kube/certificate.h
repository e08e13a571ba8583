/* What a client certificate itself says about being refused. Pure. */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* -1 with a sentence that names the remedy when the first certificate of the PEM is not valid at
 * that time, or is none. file is where it came from; NULL: it stands in the kubeconfig. */
int certificate_check(const char *pem, const char *file, int64_t now_sec, struct err *e);
