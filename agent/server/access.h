/* What a request asks for in terms of the cluster's authorization. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "user.h"

enum { ACCESS_SUBRESOURCES_MAX = 2 };

/* The attributes of one SubjectAccessReview: resource is nodes, name is the node's. */
struct server_access {
	const struct server_user *user;
	const char *verb, *subresource, *node;
};

const char *access_verb(const char *method); /* "" for a method without one */
/* Any one of them suffices. Returns how many there are. */
size_t access_subresources(const char *path, const char *ret[ACCESS_SUBRESOURCES_MAX]);
/* The body of the 403. */
void access_forbidden(struct str *out, const char *user, const char *verb,
		      const char *const *subresources, size_t n);
