/* Bytes from clients of the agent's server and from the runtime's streaming server: heads, targets,
 * chunked bodies.
 *
 * Property: a head that is accepted reads the same when it is written again from what was
 * understood, and where a chunked body ends does not depend on how it was split.
 */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "server/access.h"
#include "http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rewrite(const struct http_head *h)
{
	AUTO_STR text = { 0 };
	struct http_head again;
	struct err e;

	str_printf(&text, "%s %s HTTP/1.%d\r\n", h->method, h->target, h->minor);
	for (size_t i = 0; i < h->n_headers; i++)
		str_printf(&text, "%s: %s\r\n", h->headers[i].name, h->headers[i].value);
	str_append(&text, "\r\n");
	assert(http_parse_request(text.p, text.len, &again, &e) == 0);
	assert(again.n_headers == h->n_headers && str_eq(again.path, h->path));
	assert(again.content_length == h->content_length && again.chunked == h->chunked);
	assert(again.keep_alive == h->keep_alive && again.upgrade == h->upgrade);
	http_head_fini(&again);
}

static void use(const struct http_head *h)
{
	const char *subresources[ACCESS_SUBRESOURCES_MAX];
	char **values = http_query_all(h, "command");

	assert(h->path[0] == '/');
	assert(!(h->chunked && h->content_length >= 0));
	assert(access_subresources(h->path, subresources) >= 1);
	strv_free(values);
}

static void heads(const char *text, size_t size)
{
	long len = http_head_length(text, size);
	struct http_head h;
	struct err e;

	if (len <= 0)
		return;
	if (http_parse_request(text, (size_t)len, &h, &e) == 0) {
		use(&h);
		rewrite(&h);
		http_head_fini(&h);
	}
	if (http_parse_response(text, (size_t)len, &h, &e) == 0) {
		assert(h.status >= 0 && h.status <= 999);
		http_head_fini(&h);
	}
}

static void chunks(const char *text, size_t size)
{
	struct http_chunks whole = { 0 }, bytes = { 0 };
	bool done, done_bytes = false;
	long taken = http_chunks_skip(&whole, text, size, &done), rc = 0;
	size_t at = 0;

	while (at < size && !done_bytes && rc >= 0)
		rc = http_chunks_skip(&bytes, text + at++, 1, &done_bytes);
	assert((taken < 0) == (rc < 0));
	assert(taken < 0 || (done == done_bytes && (size_t)taken == at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	heads((const char *)data, size);
	chunks((const char *)data, size);
	return 0;
}
