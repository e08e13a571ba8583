/* Who asks: the identity that authentication found. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct user_extra {
	char *key;
	char **values; /* NULL-terminated */
};

struct server_user {
	char *name, *uid;
	char **groups; /* NULL-terminated */
	struct user_extra *extra;
	size_t n_extra;
};

void server_user_fini(struct server_user *u);
void server_user_copy(struct server_user *to, const struct server_user *from);
void server_user_add_extra(struct server_user *u, const char *key, char *const *values);
/* One text per distinct user: a cache key. Heap. */
char *server_user_key(const struct server_user *u);
