/* Image references. Pure (grammar: distribution reference). */
#pragma once

#include "base/err.h"

/* The name with ":latest" when it has neither tag nor digest. Heap; NULL with e set when it is not
 * a valid reference. */
char *imagename_with_tag(const char *image, struct err *e);
/* Host that serves the image: "docker.io" without one. Heap. */
char *imagename_registry(const char *image);
/* Host and path without tag or digest, as credentials are matched. Heap. */
char *imagename_repository(const char *image);
