/* HTTP/1.x heads (contract in http/head.h). Pure. */
#include "http/head.h"

#include <stdio.h>
#include <strings.h>

#include "base/mem.h"

void http_head_fini(struct http_head *h)
{
	free(h->text);
	free(h->path);
	*h = (struct http_head){ 0 };
}

long http_head_length(const char *data, size_t len)
{
	size_t look = len < HTTP_HEAD_MAX_BYTES ? len : HTTP_HEAD_MAX_BYTES;
	const char *end = memmem(data, look, "\r\n\r\n", 4);

	if (end)
		return (long)(end - data) + 4;
	return len >= HTTP_HEAD_MAX_BYTES ? -1 : 0;
}

static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!is_token_char(*s))
			return false;
	return true;
}

bool http_decode(const char *text, size_t len, bool plus, struct str *out)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%') {
			int hi = i + 2 < len ? str_hex_digit(text[i + 1]) : -1;
			int lo = hi >= 0 ? str_hex_digit(text[i + 2]) : -1;

			/* a NUL would end the string for every later reader */
			if (lo < 0 || hi + lo == 0)
				return false;
			str_append_c(out, (char)(hi << 4 | lo));
			i += 2;
		} else {
			str_append_c(out, plus && text[i] == '+' ? ' ' : text[i]);
		}
	}
	return true;
}

/* Cuts text into lines in place; every line ends with CRLF and no other control byte is in it. */
static int next_line(char **at, char **ret_line, struct err *e)
{
	char *line = *at, *p = line;

	for (; *p != '\r'; p++)
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
			return err_set(e, ERR_INVALID, "control byte in the head");
	if (p[1] != '\n')
		return err_set(e, ERR_INVALID, "bare CR in the head");
	*p = '\0';
	*at = p + 2;
	*ret_line = line;
	return 0;
}

static int parse_header(char *line, struct http_header *ret, struct err *e)
{
	char *colon = strchr(line, ':'), *end;

	if (!colon)
		return err_set(e, ERR_INVALID, "header without a colon");
	*colon = '\0';
	if (!is_token(line))
		return err_set(e, ERR_INVALID, "bad header name");
	ret->name = line;
	ret->value = colon + 1 + strspn(colon + 1, " \t");
	end = ret->value + strlen(ret->value);
	while (end > ret->value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return 0;
}

static int parse_headers(struct http_head *h, char *at, struct err *e)
{
	for (;;) {
		char *line = NULL;

		if (next_line(&at, &line, e) < 0)
			return -1;
		if (!*line)
			return 0;
		if (h->n_headers == HTTP_HEADERS_MAX)
			return err_set(e, ERR_INVALID, "more than %d headers", HTTP_HEADERS_MAX);
		if (parse_header(line, &h->headers[h->n_headers], e) < 0)
			return -1;
		h->n_headers++;
	}
}

static size_t count_headers(const struct http_head *h, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_headers; i++)
		n += !strcasecmp(h->headers[i].name, name);
	return n;
}

const char *http_header(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_headers; i++)
		if (!strcasecmp(h->headers[i].name, name))
			return h->headers[i].value;
	return NULL;
}

static bool list_has(const char *list, const char *token)
{
	size_t want = strlen(token);

	while (*list) {
		size_t n = strcspn(list, ","), skip = strspn(list, " \t");
		size_t end = n;

		while (end > skip && (list[end - 1] == ' ' || list[end - 1] == '\t'))
			end--;
		if (end >= skip && end - skip == want && !strncasecmp(list + skip, token, want))
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

bool http_header_has(const struct http_head *h, const char *name, const char *token)
{
	for (size_t i = 0; i < h->n_headers; i++)
		if (!strcasecmp(h->headers[i].name, name) && list_has(h->headers[i].value, token))
			return true;
	return false;
}

static int parse_content_length(struct http_head *h, struct err *e)
{
	const char *text = http_header(h, "content-length");

	h->content_length = -1;
	if (!text)
		return 0;
	if (count_headers(h, "content-length") > 1 || !*text ||
	    strspn(text, "0123456789") != strlen(text) || !str_to_i64(text, &h->content_length))
		return err_set(e, ERR_INVALID, "bad Content-Length");
	return 0;
}

/* What the headers say about where the message ends and what comes after it. */
static int parse_framing(struct http_head *h, struct err *e)
{
	const char *coding = http_header(h, "transfer-encoding");

	if (parse_content_length(h, e) < 0)
		return -1;
	if (coding) {
		if (h->content_length >= 0 || strcasecmp(coding, "chunked") ||
		    count_headers(h, "transfer-encoding") > 1 || h->minor == 0)
			return err_set(e, ERR_INVALID, "bad Transfer-Encoding");
		h->chunked = true;
	}
	h->keep_alive = h->minor == 1 ? !http_header_has(h, "connection", "close")
				      : http_header_has(h, "connection", "keep-alive");
	h->upgrade = h->minor == 1 && http_header(h, "upgrade") &&
		     http_header_has(h, "connection", "upgrade");
	return 0;
}

static int parse_version(const char *text, int *ret_minor, struct err *e)
{
	if (strncmp(text, "HTTP/1.", 7) || (text[7] != '0' && text[7] != '1') || text[8])
		return err_set(e, ERR_INVALID, "not HTTP/1.0 or HTTP/1.1");
	*ret_minor = text[7] - '0';
	return 0;
}

static int split_target(struct http_head *h, struct err *e)
{
	size_t n = strcspn(h->target, "?");
	struct str path = { 0 };

	for (const char *p = h->target; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == '#')
			return err_set(e, ERR_INVALID, "bad byte in the target");
	if (h->target[0] != '/')
		return err_set(e, ERR_INVALID, "target is not a path");
	if (!http_decode(h->target, n, false, &path)) {
		str_fini(&path);
		return err_set(e, ERR_INVALID, "bad escape in the target");
	}
	h->path = str_take(&path);
	h->query = h->target + n + (h->target[n] == '?');
	return 0;
}

static int parse_request_line(struct http_head *h, char *line, struct err *e)
{
	char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version)
		return err_set(e, ERR_INVALID, "not a request line");
	*target++ = *version++ = '\0';
	h->method = line;
	h->target = target;
	if (!is_token(h->method))
		return err_set(e, ERR_INVALID, "bad method");
	if (parse_version(version, &h->minor, e) < 0)
		return -1;
	return split_target(h, e);
}

static int parse_status_line(struct http_head *h, char *line, struct err *e)
{
	char *status = strchr(line, ' ');
	size_t digits = status ? strspn(status + 1, "0123456789") : 0;

	if (digits != 3 || (status[4] && status[4] != ' '))
		return err_set(e, ERR_INVALID, "not a status line");
	*status++ = '\0';
	h->status = (status[0] - '0') * 100 + (status[1] - '0') * 10 + status[2] - '0';
	return parse_version(line, &h->minor, e);
}

static int parse(const char *data, size_t len, struct http_head *h,
		 int (*first_line)(struct http_head *, char *, struct err *), struct err *e)
{
	char *at, *line = NULL;

	*h = (struct http_head){ 0 };
	if (len < 4 || memchr(data, '\0', len) || memcmp(data + len - 4, "\r\n\r\n", 4))
		return err_set(e, ERR_INVALID, "not a head");
	h->text = at = mem_strndup(data, len);
	if (next_line(&at, &line, e) < 0 || first_line(h, line, e) < 0 ||
	    parse_headers(h, at, e) < 0 || parse_framing(h, e) < 0) {
		http_head_fini(h);
		return -1;
	}
	return 0;
}

int http_parse_request(const char *data, size_t len, struct http_head *ret, struct err *e)
{
	if (parse(data, len, ret, parse_request_line, e) < 0)
		return -1;
	if (ret->minor == 1 && count_headers(ret, "host") != 1) {
		http_head_fini(ret);
		return err_set(e, ERR_INVALID, "not exactly one Host header");
	}
	return 0;
}

int http_parse_response(const char *data, size_t len, struct http_head *ret, struct err *e)
{
	return parse(data, len, ret, parse_status_line, e);
}

/* The next name=value of a raw query; false at the end. */
static bool next_pair(const char **at, const char **name, size_t *name_len, const char **value,
		      size_t *value_len)
{
	size_t n, eq;

	while (**at == '&')
		(*at)++;
	if (!**at)
		return false;
	n = strcspn(*at, "&");
	*name = *at;
	for (eq = 0; eq < n && (*at)[eq] != '='; eq++)
		continue;
	*name_len = eq;
	*value = *at + eq + (eq < n);
	*value_len = n - eq - (eq < n);
	*at += n;
	return true;
}

char **http_query_all(const struct http_head *h, const char *name)
{
	const char *at = h->query, *raw, *value;
	size_t raw_len, value_len;
	char **out = NULL;

	while (next_pair(&at, &raw, &raw_len, &value, &value_len)) {
		AUTO_STR got = { 0 };
		AUTO_STR text = { 0 };

		if (!http_decode(raw, raw_len, true, &got) || !str_eq(str_text(&got), name))
			continue;
		if (!http_decode(value, value_len, true, &text)) {
			strv_free(out);
			return NULL;
		}
		strv_push(&out, str_text(&text));
	}
	return out;
}

char *http_query(const struct http_head *h, const char *name)
{
	char **all = http_query_all(h, name);
	char *first = all ? mem_strdup(all[0]) : NULL;

	strv_free(all);
	return first;
}

enum {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_CR,
	CHUNK_LF,
	CHUNK_TRAILER,
	CHUNK_TRAILER_LF
};

enum { CHUNK_DIGITS_MAX = 8, CHUNK_LINE_MAX = 4096 };

static int chunk_size_byte(struct http_chunks *c, char b)
{
	int v = str_hex_digit(b);

	if (v >= 0) {
		if (++c->digits > CHUNK_DIGITS_MAX)
			return -1;
		c->left = c->left << 4 | (unsigned)v;
		return CHUNK_SIZE;
	}
	if (!c->digits)
		return -1;
	return b == '\r' ? CHUNK_SIZE_LF : b == ';' ? CHUNK_EXTENSION : -1;
}

/* The state after one byte that is not chunk data; < 0: refused. */
static int chunk_byte(struct http_chunks *c, char b, bool *ret_done)
{
	switch (c->state) {
	case CHUNK_SIZE:
		return chunk_size_byte(c, b);
	case CHUNK_EXTENSION:
		if (++c->line > CHUNK_LINE_MAX)
			return -1;
		return b == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
	case CHUNK_SIZE_LF:
		c->digits = c->line = 0;
		return b != '\n' ? -1 : c->left ? CHUNK_DATA : CHUNK_TRAILER;
	case CHUNK_CR:
		return b == '\r' ? CHUNK_LF : -1;
	case CHUNK_LF:
		return b == '\n' ? CHUNK_SIZE : -1;
	case CHUNK_TRAILER:
		if (b == '\r')
			return CHUNK_TRAILER_LF;
		return ++c->line > CHUNK_LINE_MAX ? -1 : CHUNK_TRAILER;
	default: /* CHUNK_TRAILER_LF: an empty line ends the body, others are trailers */
		if (b != '\n')
			return -1;
		*ret_done = c->line == 0;
		c->line = 0;
		return CHUNK_TRAILER;
	}
}

long http_chunks_skip(struct http_chunks *c, const char *data, size_t len, bool *ret_done)
{
	size_t at = 0;

	*ret_done = false;
	while (at < len && !*ret_done) {
		if (c->state == CHUNK_DATA) {
			size_t n = c->left < len - at ? (size_t)c->left : len - at;

			at += n;
			c->left -= n;
			if (!c->left)
				c->state = CHUNK_CR;
			continue;
		}
		c->state = chunk_byte(c, data[at++], ret_done);
		if (c->state < 0)
			return -1;
	}
	return (long)at;
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} rows[] = {
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 301, "Moved Permanently" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 413, "Request Entity Too Large" },
		{ 422, "Unprocessable Entity" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].status == status)
			return rows[i].reason;
	return "Status";
}
