/* Identities (contract in user.h). Pure. */
#include "user.h"

#include "base/mem.h"
#include "base/str.h"

void server_user_fini(struct server_user *u)
{
	free(u->name);
	free(u->uid);
	strv_free(u->groups);
	for (size_t i = 0; i < u->n_extra; i++) {
		free(u->extra[i].key);
		strv_free(u->extra[i].values);
	}
	free(u->extra);
	*u = (struct server_user){ 0 };
}

static char **strv_copy(char *const *v)
{
	char **out = NULL;

	for (size_t i = 0; v && v[i]; i++)
		strv_push(&out, v[i]);
	return out;
}

void server_user_add_extra(struct server_user *u, const char *key, char *const *values)
{
	u->extra = mem_realloc(u->extra, u->n_extra + 1, sizeof(*u->extra));
	u->extra[u->n_extra++] =
	    (struct user_extra){ .key = mem_strdup(key), .values = strv_copy(values) };
}

void server_user_copy(struct server_user *to, const struct server_user *from)
{
	*to = (struct server_user){ .name = mem_strdup(from->name),
				    .uid = mem_strdup(from->uid),
				    .groups = strv_copy(from->groups) };
	for (size_t i = 0; i < from->n_extra; i++)
		server_user_add_extra(to, from->extra[i].key, from->extra[i].values);
}

/* Every text with its length in front: no two users share a key. */
static void add(struct str *s, const char *text)
{
	text = str_or(text, "");
	str_printf(s, "%zu:%s", strlen(text), text);
}

static void add_all(struct str *s, char *const *v)
{
	str_printf(s, "[%zu", strv_len(v));
	for (size_t i = 0; v && v[i]; i++)
		add(s, v[i]);
}

char *server_user_key(const struct server_user *u)
{
	struct str s = { 0 };

	add(&s, u->name);
	add(&s, u->uid);
	add_all(&s, u->groups);
	for (size_t i = 0; i < u->n_extra; i++) {
		add(&s, u->extra[i].key);
		add_all(&s, u->extra[i].values);
	}
	return str_take(&s);
}
