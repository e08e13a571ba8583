/* HTTP/1.x heads and targets, as text. Pure.
 *
 * Strict where leniency lets two readers disagree about where a message ends: CRLF only, no folded
 * lines, one Content-Length, never beside Transfer-Encoding, origin-form targets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { HTTP_HEAD_MAX_BYTES = 64 * 1024, HTTP_HEADERS_MAX = 100 };

struct http_header {
	char *name, *value;
};

/* A parsed head. Strings point into `text`. */
struct http_head {
	char *text;
	char *method, *target; /* requests */
	char *path;            /* decoded */
	char *query;           /* raw, "" without one */
	int status;            /* responses */
	int minor;             /* HTTP/1.minor */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t n_headers;
	bool keep_alive, chunked, upgrade;
	int64_t content_length; /* -1: none given */
};

void http_head_fini(struct http_head *h);
/* Length of the head (with its empty line) at the start of data; 0: not complete; < 0: longer than
 * HTTP_HEAD_MAX_BYTES. */
long http_head_length(const char *data, size_t len);
/* data is exactly one head. */
int http_parse_request(const char *data, size_t len, struct http_head *ret, struct err *e);
int http_parse_response(const char *data, size_t len, struct http_head *ret, struct err *e);

/* First header of that name, case-insensitive; NULL when there is none. */
const char *http_header(const struct http_head *h, const char *name);
/* A comma-separated header has the token, case-insensitive. */
bool http_header_has(const struct http_head *h, const char *name, const char *token);

/* Decoded values of a query parameter, in order; NULL-terminated (strv_free), NULL: none or a bad
 * escape in them. */
char **http_query_all(const struct http_head *h, const char *name);
char *http_query(const struct http_head *h, const char *name); /* the first; heap or NULL */
/* false: a bad escape; plus: '+' is a space. */
bool http_decode(const char *text, size_t len, bool plus, struct str *out);

/* Finds the end of a chunked body that nobody wants. Zero-initialise. */
struct http_chunks {
	int state;
	uint64_t left;
	unsigned digits, line;
};
/* Returns bytes taken; *ret_done when the body ended; < 0: not a chunked body. */
long http_chunks_skip(struct http_chunks *c, const char *data, size_t len, bool *ret_done);

const char *http_reason(int status);
