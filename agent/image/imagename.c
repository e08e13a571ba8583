/* Image references (contract in imagename.h). Pure. */
#include "imagename.h"

#include <ctype.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

enum { NAME_MAX_BYTES = 255, TAG_MAX_BYTES = 128, ID_HEX_DIGITS = 64 };

/* A first component with '.', ':' or equal to localhost is a host. */
static size_t host_length(const char *image)
{
	const char *slash = strchr(image, '/');
	size_t n = slash ? (size_t)(slash - image) : 0;

	if (!n)
		return 0;
	if (memchr(image, '.', n) || memchr(image, ':', n) ||
	    (n == 9 && !strncmp(image, "localhost", 9)))
		return n;
	for (size_t i = 0; i < n; i++) {
		if (isupper((unsigned char)image[i]))
			return n;
	}
	return 0;
}

static bool alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* alpha-numeric runs joined by '.', '_', "__" or dashes */
static bool valid_component(const char *p, size_t n)
{
	if (!n || !alphanumeric(p[0]) || !alphanumeric(p[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (alphanumeric(p[i]) || p[i] == '-')
			continue;
		if (p[i] != '.' && p[i] != '_')
			return false;
		if (!alphanumeric(p[i + 1]) &&
		    !(p[i] == '_' && p[i + 1] == '_' && alphanumeric(p[i + 2])))
			return false;
		i += p[i + 1] == '_';
	}
	return true;
}

static bool valid_path(const char *p, size_t n)
{
	while (n) {
		const char *slash = memchr(p, '/', n);
		size_t len = slash ? (size_t)(slash - p) : n;

		if (!valid_component(p, len))
			return false;
		if (slash && len + 1 == n)
			return false;
		p += len + (slash != NULL);
		n -= len + (slash != NULL);
	}
	return true;
}

static bool valid_tag(const char *p, size_t n)
{
	if (!n || n > TAG_MAX_BYTES || !(isalnum((unsigned char)*p) || *p == '_'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)p[i]) && !strchr("_.-", p[i]))
			return false;
	}
	return true;
}

static bool valid_digest(const char *p)
{
	const char *colon = strchr(p, ':');
	size_t hex = colon ? strspn(colon + 1, "0123456789abcdef") : 0;

	return colon && colon > p && hex >= 32 && !colon[1 + hex];
}

struct parts {
	size_t host, name_end;
	const char *tag, *digest;
	size_t tag_len;
};

static struct parts split(const char *image)
{
	struct parts s = { .host = host_length(image) };
	const char *path = image + s.host, *at = strchr(path, '@'), *end, *colon;

	end = at ? at : path + strlen(path);
	colon = memchr(path, ':', (size_t)(end - path));
	s.digest = at ? at + 1 : NULL;
	s.tag = colon ? colon + 1 : NULL;
	s.tag_len = colon ? (size_t)(end - colon - 1) : 0;
	s.name_end = (size_t)((colon ? colon : end) - image);
	return s;
}

static bool on_docker_hub(const char *image, size_t host)
{
	return !host || (host == 9 && !strncmp(image, "docker.io", 9)) ||
	       (host == 15 && !strncmp(image, "index.docker.io", 15));
}

/* A capital letter in the path is told with the path as Docker Hub completes it. */
static char *capital_path(const char *image, const struct parts *s)
{
	const char *rest = image + s->host + (s->host > 0);
	size_t n = strcspn(rest, ":");
	bool official = on_docker_hub(image, s->host) && !strchr(rest, '/');

	for (size_t i = 0; i < n; i++) {
		if (isupper((unsigned char)rest[i]))
			return str_fmt("%s%.*s", official ? "library/" : "", (int)n, rest);
	}
	return NULL;
}

/* Heap sentence as the reference grammar's users know it, or NULL for a valid name. */
static char *why_invalid(const char *image, const struct parts *s)
{
	size_t path = s->host ? s->host + 1 : 0;
	AUTO_FREE char *capital = capital_path(image, s);

	if (strspn(image, "0123456789abcdef") == ID_HEX_DIGITS && !image[ID_HEX_DIGITS])
		return str_fmt("invalid repository name (%s), cannot specify 64-byte hexadecimal "
			       "strings",
			       image);
	if (capital)
		return str_fmt("invalid reference format: repository name (%s) must be lowercase",
			       capital);
	if (s->name_end <= path || !valid_path(image + path, s->name_end - path) ||
	    (s->tag && !valid_tag(s->tag, s->tag_len)) || (s->digest && !valid_digest(s->digest)))
		return mem_strdup("invalid reference format");
	if (s->name_end - path > NAME_MAX_BYTES)
		return str_fmt("repository name must not be more than %d characters",
			       NAME_MAX_BYTES);
	return NULL;
}

char *imagename_with_tag(const char *image, struct err *e)
{
	struct parts s = split(image);
	AUTO_FREE char *why = why_invalid(image, &s);

	if (why) {
		err_set(e, ERR_INVALID, "couldn't parse image name \"%s\": %s", image, why);
		return NULL;
	}
	return s.tag || s.digest ? mem_strdup(image) : str_fmt("%s:latest", image);
}

char *imagename_registry(const char *image)
{
	size_t n = host_length(image);

	return n ? mem_strndup(image, n) : mem_strdup("docker.io");
}

char *imagename_repository(const char *image)
{
	struct parts s = split(image);
	AUTO_FREE char *name = mem_strndup(image, s.name_end);

	if (s.host)
		return TAKE(name);
	return str_fmt(strchr(name, '/') ? "docker.io/%s" : "docker.io/library/%s", name);
}
