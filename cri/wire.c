/* gRPC framing, status and time-outs (contract in wire.h). Pure. */
#include "wire.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

enum { KEEP_BYTES = 64 * 1024 }; /* buffers above this are given back after each message */

enum { CUT_KEY, CUT_LENGTH, CUT_VARINT, CUT_BYTES, CUT_BROKEN };
enum { TYPE_VARINT = 0, TYPE_FIXED64 = 1, TYPE_BYTES = 2, TYPE_FIXED32 = 5, TYPE_MASK = 7 };

void wire_reader_fini(struct wire_reader *r)
{
	str_fini(&r->text);
}

static void put_varint(struct str *out, uint64_t v)
{
	while (v > 0x7f) {
		str_append_c(out, (char)(uint8_t)(v | 0x80));
		v >>= 7;
	}
	str_append_c(out, (char)(uint8_t)v);
}

/* A key is complete: pass it on and see what follows. Groups and unknown types are left to the
 * decoder, which refuses them. */
static void cut_key(struct wire_cut *c, struct str *out)
{
	put_varint(out, c->value);
	switch (c->value & TYPE_MASK) {
	case TYPE_VARINT:
		c->state = CUT_VARINT;
		break;
	case TYPE_BYTES:
		c->state = CUT_LENGTH;
		break;
	case TYPE_FIXED64:
		c->state = CUT_BYTES;
		c->copy = 8;
		break;
	case TYPE_FIXED32:
		c->state = CUT_BYTES;
		c->copy = 4;
		break;
	default:
		c->state = CUT_BROKEN;
	}
}

static void cut_length(struct wire_cut *c, struct str *out, size_t max)
{
	c->copy = c->value < max ? c->value : max;
	c->skip = c->value - c->copy;
	put_varint(out, c->copy);
	c->state = c->value ? CUT_BYTES : CUT_KEY;
}

/* One byte of a key, a length or a varint field. */
static void cut_varint_byte(struct wire_cut *c, struct str *out, uint8_t b, size_t max)
{
	if (c->shift > 63) {
		c->state = CUT_BROKEN;
		str_append_c(out, (char)b);
		return;
	}
	c->value |= (uint64_t)(b & 0x7f) << c->shift;
	c->shift += 7;
	if (b & 0x80)
		return;
	if (c->state == CUT_KEY) {
		cut_key(c, out);
	} else if (c->state == CUT_LENGTH) {
		cut_length(c, out, max);
	} else {
		put_varint(out, c->value);
		c->state = CUT_KEY;
	}
	c->value = c->shift = 0;
}

static size_t at_most(uint64_t want, size_t have)
{
	return want < have ? (size_t)want : have;
}

/* Passes a piece of a message on, without the tails of long fields: the output of a command costs
 * what we keep of it, not what it wrote. */
static void cut_feed(struct wire_cut *c, struct str *out, const uint8_t *data, size_t len,
		     size_t max)
{
	while (len) {
		size_t n = 1;

		if (c->state == CUT_BROKEN) {
			str_append_n(out, data, len);
			return;
		}
		if (c->state != CUT_BYTES) {
			cut_varint_byte(c, out, *data, max);
		} else if (c->copy) {
			n = at_most(c->copy, len);
			str_append_n(out, data, n);
			c->copy -= n;
		} else {
			n = at_most(c->skip, len);
			c->skip -= n;
		}
		if (c->state == CUT_BYTES && !c->copy && !c->skip)
			c->state = CUT_KEY;
		data += n;
		len -= n;
	}
}

static int prefix_complete(struct wire_reader *r, struct err *e)
{
	const uint8_t *p = r->prefix;

	r->left = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
	r->cut = (struct wire_cut){ 0 };
	if (p[0])
		return err_set(e, ERR_INVALID,
			       "message is compressed (flag %u), which was not offered", p[0]);
	if (r->left > r->max_bytes)
		return err_set(e, ERR_TOO_LARGE, "message of %zu bytes, limit is %zu", r->left,
			       r->max_bytes);
	return 0;
}

static int message_complete(struct wire_reader *r, wire_message_fn fn, void *ctx, struct err *e)
{
	int rc = fn(ctx, (const uint8_t *)str_text(&r->text), r->text.len, e);

	r->have = 0;
	if (r->text.cap > KEEP_BYTES)
		str_fini(&r->text);
	else
		str_reset(&r->text);
	return rc;
}

int wire_feed(struct wire_reader *r, const uint8_t *data, size_t len, wire_message_fn fn, void *ctx,
	      struct err *e)
{
	while (len) {
		size_t n;

		if (r->have < WIRE_PREFIX_BYTES) {
			n = at_most(WIRE_PREFIX_BYTES - r->have, len);
			memcpy(r->prefix + r->have, data, n);
			r->have += (unsigned)n;
			if (r->have == WIRE_PREFIX_BYTES && prefix_complete(r, e) < 0)
				return -1;
		} else {
			n = at_most(r->left, len);
			if (r->cut_bytes)
				cut_feed(&r->cut, &r->text, data, n, r->cut_bytes);
			else
				str_append_n(&r->text, data, n);
			r->left -= n;
		}
		data += n;
		len -= n;
		if (r->have == WIRE_PREFIX_BYTES && !r->left && message_complete(r, fn, ctx, e) < 0)
			return -1;
	}
	return 0;
}

int wire_finish(const struct wire_reader *r, struct err *e)
{
	if (!r->have)
		return 0;
	return err_set(e, ERR_INVALID, "stream ended inside a message, %zu bytes missing",
		       r->have < WIRE_PREFIX_BYTES ? WIRE_PREFIX_BYTES - r->have : r->left);
}

void wire_prefix(uint8_t out[WIRE_PREFIX_BYTES], size_t len)
{
	out[0] = 0;
	for (int i = 0; i < 4; i++)
		out[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

static const struct {
	const char *name;
	enum err_code code;
} statuses[] = {
	[WIRE_OK] = { "OK", ERR_NONE },
	[WIRE_CANCELLED] = { "Canceled", ERR_CANCELLED },
	[WIRE_UNKNOWN] = { "Unknown", ERR_REMOTE },
	[WIRE_INVALID_ARGUMENT] = { "InvalidArgument", ERR_INVALID },
	[WIRE_DEADLINE_EXCEEDED] = { "DeadlineExceeded", ERR_TIMEOUT },
	[WIRE_NOT_FOUND] = { "NotFound", ERR_NOT_FOUND },
	[WIRE_ALREADY_EXISTS] = { "AlreadyExists", ERR_EXISTS },
	[WIRE_PERMISSION_DENIED] = { "PermissionDenied", ERR_FORBIDDEN },
	[WIRE_RESOURCE_EXHAUSTED] = { "ResourceExhausted", ERR_BUSY },
	[WIRE_FAILED_PRECONDITION] = { "FailedPrecondition", ERR_REMOTE },
	[WIRE_ABORTED] = { "Aborted", ERR_REMOTE },
	[WIRE_OUT_OF_RANGE] = { "OutOfRange", ERR_REMOTE },
	[WIRE_UNIMPLEMENTED] = { "Unimplemented", ERR_UNIMPLEMENTED },
	[WIRE_INTERNAL] = { "Internal", ERR_REMOTE },
	[WIRE_UNAVAILABLE] = { "Unavailable", ERR_UNAVAILABLE },
	[WIRE_DATA_LOSS] = { "DataLoss", ERR_REMOTE },
	[WIRE_UNAUTHENTICATED] = { "Unauthenticated", ERR_UNAUTHORIZED },
};

static bool status_known(int status)
{
	return status >= 0 && status < (int)ARRAY_SIZE(statuses);
}

enum err_code wire_status_code(int status)
{
	return status_known(status) ? statuses[status].code : ERR_REMOTE;
}

const char *wire_status_name(int status)
{
	return status_known(status) ? statuses[status].name : "Unknown";
}

int wire_status_of(const struct err *e)
{
	if (!e || e->code == ERR_NONE)
		return WIRE_OK;
	for (int i = 0; i < (int)ARRAY_SIZE(statuses); i++)
		if (statuses[i].code == e->code)
			return i;
	return e->code == ERR_TOO_LARGE ? WIRE_RESOURCE_EXHAUSTED : WIRE_UNKNOWN;
}

int wire_status_err(struct err *e, int status, const char *message, size_t len)
{
	AUTO_STR text = { 0 };
	enum err_code code = wire_status_code(status);

	if (status == WIRE_OK)
		return 0;
	wire_message_decode(&text, message, len);
	/* one code stands for "slow down" and for "does not fit": only the text tells */
	if (code == ERR_BUSY && strstr(str_text(&text), "larger than max"))
		code = ERR_TOO_LARGE;
	err_set(e, code, "%s", text.len ? str_text(&text) : wire_status_name(status));
	if (e)
		e->os = -status;
	return -1;
}

int wire_status_of_http(int http_status)
{
	switch (http_status) {
	case 400:
		return WIRE_INTERNAL;
	case 401:
		return WIRE_UNAUTHENTICATED;
	case 403:
		return WIRE_PERMISSION_DENIED;
	case 404:
		return WIRE_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return WIRE_UNAVAILABLE;
	default:
		return WIRE_UNKNOWN;
	}
}

int wire_status_of_h2(uint32_t error_code)
{
	enum { REFUSED_STREAM = 7, CANCEL = 8, ENHANCE_YOUR_CALM = 11, INADEQUATE_SECURITY = 12 };

	switch (error_code) {
	case REFUSED_STREAM:
		return WIRE_UNAVAILABLE;
	case CANCEL:
		return WIRE_CANCELLED;
	case ENHANCE_YOUR_CALM:
		return WIRE_RESOURCE_EXHAUSTED;
	case INADEQUATE_SECURITY:
		return WIRE_PERMISSION_DENIED;
	default:
		return WIRE_INTERNAL;
	}
}

/* Length of the well-formed UTF-8 sequence at p, or 0. */
static size_t utf8_len(const uint8_t *p, size_t len)
{
	static const struct {
		uint8_t mask, lead, low, high; /* low, high: bounds of the second byte */
		size_t n;
	} rows[] = {
		{ 0xff, 0xe0, 0xa0, 0xbf, 3 }, { 0xff, 0xed, 0x80, 0x9f, 3 },
		{ 0xff, 0xf0, 0x90, 0xbf, 4 }, { 0xff, 0xf4, 0x80, 0x8f, 4 },
		{ 0xe0, 0xc0, 0x80, 0xbf, 2 }, { 0xf0, 0xe0, 0x80, 0xbf, 3 },
		{ 0xf8, 0xf0, 0x80, 0xbf, 4 },
	};

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if ((p[0] & rows[i].mask) != rows[i].lead)
			continue;
		if (len < rows[i].n || p[1] < rows[i].low || p[1] > rows[i].high)
			return 0;
		for (size_t k = 2; k < rows[i].n; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].n;
	}
	return 0;
}

static void append_clean(struct str *out, const uint8_t *p, size_t len)
{
	while (len) {
		size_t n = utf8_len(p, len);

		if (!n)
			str_append(out, "\xef\xbf\xbd");
		else if (n == 1 && (*p < 0x20 || *p == 0x7f) && *p != '\n' && *p != '\t')
			str_append_c(out, ' ');
		else
			str_append_n(out, p, n);
		p += n ? n : 1;
		len -= n ? n : 1;
	}
}

void wire_message_decode(struct str *out, const char *raw, size_t len)
{
	AUTO_STR bytes = { 0 };

	for (size_t i = 0; i < len; i++) {
		int hi = raw[i] == '%' && i + 2 < len ? str_hex_digit(raw[i + 1]) : -1;
		int lo = hi >= 0 ? str_hex_digit(raw[i + 2]) : -1;

		if (lo >= 0) {
			str_append_c(&bytes, (char)(hi << 4 | lo));
			i += 2;
		} else {
			str_append_c(&bytes, raw[i]);
		}
	}
	append_clean(out, (const uint8_t *)str_text(&bytes), bytes.len);
}

void wire_message_encode(struct str *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p >= 0x20 && *p <= 0x7e && *p != '%')
			str_append_c(out, *p);
		else
			str_printf(out, "%%%02X", (unsigned)(uint8_t)*p);
	}
}

void wire_timeout_format(char out[WIRE_TIMEOUT_BYTES], int64_t timeout_msec)
{
	enum { DIGITS_LIMIT = 100000000, MSEC_PER_SEC = 1000, SEC_PER_HOUR = 3600 };

	if (timeout_msec < DIGITS_LIMIT)
		snprintf(out, WIRE_TIMEOUT_BYTES, "%dm", timeout_msec < 0 ? 0 : (int)timeout_msec);
	else if (timeout_msec / MSEC_PER_SEC < DIGITS_LIMIT)
		snprintf(out, WIRE_TIMEOUT_BYTES, "%dS", (int)(timeout_msec / MSEC_PER_SEC));
	else
		snprintf(out, WIRE_TIMEOUT_BYTES, "%dH",
			 (int)(timeout_msec / MSEC_PER_SEC / SEC_PER_HOUR % DIGITS_LIMIT));
}

bool wire_timeout_parse(const char *text, size_t len, int64_t *ret_msec)
{
	static const struct {
		char unit;
		int64_t mul, div;
	} units[] = {
		{ 'H', 3600000, 1 }, { 'M', 60000, 1 }, { 'S', 1000, 1 },
		{ 'm', 1, 1 },       { 'u', 1, 1000 },  { 'n', 1, 1000000 },
	};
	int64_t n = 0;

	if (len < 2 || len > 9)
		return false;
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (text[i] - '0');
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (units[i].unit != text[len - 1])
			continue;
		*ret_msec = (n * units[i].mul + units[i].div - 1) / units[i].div;
		return true;
	}
	return false;
}
