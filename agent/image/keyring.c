/* Registry credentials (contract in keyring.h). Pure. */
#include "keyring.h"

#include <fnmatch.h>
#include <json-c/json.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "imagename.h"

enum { CONFIG_MAX_BYTES = 1 << 20, DEPTH_MAX = 16 };

struct keyring_entry {
	char *pattern; /* host[:port][/path], globs in the host */
	Cri__AuthConfig *auth;
};

void keyring_fini(struct keyring *k)
{
	for (size_t i = 0; i < k->n; i++) {
		free(k->entries[i].pattern);
		proto_free(k->entries[i].auth);
	}
	free(k->entries);
	*k = (struct keyring){ 0 };
}

static const char *field(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, name, &v) ? str_or(json_object_get_string(v), "") : "";
}

/* "user:password" in base64. */
static void decode_auth(const char *encoded, Cri__AuthConfig *a)
{
	size_t len = strlen(encoded);
	AUTO_FREE unsigned char *text = mem_calloc(len + 4, 1);
	int n = EVP_DecodeBlock(text, (const unsigned char *)encoded, (int)len);
	char *colon;

	if (n < 0)
		return;
	colon = strchr((char *)text, ':');
	if (!colon)
		return;
	*colon = '\0';
	proto_set_str(&a->username, (char *)text);
	proto_set_str(&a->password, colon + 1);
}

/* https://host/v1/ and host/v2 mean host. */
static char *normalize(const char *pattern)
{
	const char *p = str_starts(pattern, "https://")  ? pattern + 8
			: str_starts(pattern, "http://") ? pattern + 7
							 : pattern;
	char *s = mem_strdup(p);
	char *v = strstr(s, "/v1");

	if (!v)
		v = strstr(s, "/v2");
	if (v && (!v[3] || !strcmp(v + 3, "/")))
		*v = '\0';
	if (*s && s[strlen(s) - 1] == '/')
		s[strlen(s) - 1] = '\0';
	if (str_eq(s, "index.docker.io")) {
		free(s);
		s = mem_strdup("docker.io");
	}
	return s;
}

static void add_entry(struct keyring *k, const char *host, struct json_object *value)
{
	Cri__AuthConfig *a = proto_new(&cri__auth_config__descriptor);

	proto_set_str(&a->username, field(value, "username"));
	proto_set_str(&a->password, field(value, "password"));
	proto_set_str(&a->identity_token, field(value, "identitytoken"));
	if (*field(value, "auth"))
		decode_auth(field(value, "auth"), a);
	k->entries = mem_realloc(k->entries, k->n + 1, sizeof(*k->entries));
	k->entries[k->n++] = (struct keyring_entry){ .pattern = normalize(host), .auth = a };
}

int keyring_add(struct keyring *k, const char *json, size_t len, struct err *e)
{
	struct json_tokener *t;
	struct json_object *root, *auths;

	if (len > CONFIG_MAX_BYTES)
		return err_set(e, ERR_TOO_LARGE, "registry credentials are larger than %d bytes",
			       CONFIG_MAX_BYTES);
	t = json_tokener_new_ex(DEPTH_MAX);
	root = json_tokener_parse_ex(t, json, (int)len);
	json_tokener_free(t);
	if (!json_object_is_type(root, json_type_object)) {
		json_object_put(root);
		return err_set(e, ERR_INVALID, "registry credentials are not a JSON object");
	}
	if (!json_object_object_get_ex(root, "auths", &auths))
		auths = root;
	if (json_object_is_type(auths, json_type_object)) {
		json_object_object_foreach(auths, host, value)
		{
			if (json_object_is_type(value, json_type_object))
				add_entry(k, host, value);
		}
	}
	json_object_put(root);
	return 0;
}

/* Hosts match as globs, component by component; a path matches as a prefix. */
static bool matches(const char *pattern, const char *repository)
{
	size_t host = strcspn(pattern, "/"), image_host = strcspn(repository, "/");
	AUTO_FREE char *want = mem_strndup(pattern, host);
	AUTO_FREE char *have = mem_strndup(repository, image_host);
	const char *path = pattern + host;

	for (char *p = want; *p; p++)
		*p = *p == '.' ? '/' : *p;
	for (char *p = have; *p; p++)
		*p = *p == '.' ? '/' : *p;
	return !fnmatch(want, have, FNM_PATHNAME) && str_starts(repository + image_host, path);
}

static int by_length(const void *a, const void *b)
{
	size_t x = strlen((*(const struct keyring_entry *const *)a)->pattern);
	size_t y = strlen((*(const struct keyring_entry *const *)b)->pattern);

	return x < y ? 1 : x > y ? -1 : 0;
}

void keyring_lookup(const struct keyring *k, const char *image, size_t *ret_n,
		    Cri__AuthConfig ***ret_auths)
{
	AUTO_FREE char *repository = imagename_repository(image);
	AUTO_FREE const struct keyring_entry **fit = mem_calloc(k->n, sizeof(*fit));
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++) {
		if (matches(k->entries[i].pattern, repository))
			fit[n++] = &k->entries[i];
	}
	if (n > 1)
		qsort(fit, n, sizeof(*fit), by_length);
	*ret_n = 0;
	*ret_auths = NULL;
	for (size_t i = 0; i < n; i++)
		proto_push(ret_n, ret_auths, proto_dup(fit[i]->auth));
}
