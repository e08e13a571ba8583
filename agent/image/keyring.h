/* Registry credentials from pull secrets. Pure. */
#pragma once

#include "base/err.h"
#include "cri/runtime.pb-c.h"

struct keyring {
	struct keyring_entry *entries;
	size_t n;
};

void keyring_fini(struct keyring *k);
/* Adds the entries of a .dockerconfigjson ({"auths":{…}}) or .dockercfg document. */
int keyring_add(struct keyring *k, const char *json, size_t len, struct err *e);
/* Credentials that fit the image, most specific first. The caller frees each with proto_free and
 * the array. */
void keyring_lookup(const struct keyring *k, const char *image, size_t *ret_n,
		    Cri__AuthConfig ***ret_auths);
