/* Exact quantities (contract in kube/quantity.h). Pure. */
#include "kube/quantity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"

enum { NANO_DIGITS = 9, EXPONENT_MAX = 100, FRACTION_DIGITS_MAX = 18 };

#define NANO ((__int128)1000000000)
#define NANO_MAX ((__int128)INT64_MAX * NANO)

static const struct suffix {
	const char *text;
	enum quantity_format format;
	int exponent; /* of 10, or of 2 for the binary family */
} suffixes[] = {
	{ "n", QUANTITY_DECIMAL, -9 }, { "u", QUANTITY_DECIMAL, -6 }, { "m", QUANTITY_DECIMAL, -3 },
	{ "", QUANTITY_DECIMAL, 0 },   { "k", QUANTITY_DECIMAL, 3 },  { "M", QUANTITY_DECIMAL, 6 },
	{ "G", QUANTITY_DECIMAL, 9 },  { "T", QUANTITY_DECIMAL, 12 }, { "P", QUANTITY_DECIMAL, 15 },
	{ "E", QUANTITY_DECIMAL, 18 }, { "Ki", QUANTITY_BINARY, 10 }, { "Mi", QUANTITY_BINARY, 20 },
	{ "Gi", QUANTITY_BINARY, 30 }, { "Ti", QUANTITY_BINARY, 40 }, { "Pi", QUANTITY_BINARY, 50 },
	{ "Ei", QUANTITY_BINARY, 60 },
};

/* The parts of the text: sign, whole and fractional digits, suffix. */
struct parts {
	bool negative;
	const char *whole, *fraction;
	size_t n_whole, n_fraction;
	struct suffix suffix;
};

static bool read_suffix(const char *text, struct suffix *ret)
{
	int64_t exponent;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (!strcmp(suffixes[i].text, text)) {
			*ret = suffixes[i];
			return true;
		}
	}
	if ((*text != 'e' && *text != 'E') || !str_to_i64(text + 1, &exponent))
		return false;
	/* beyond these everything saturates or rounds to one step */
	if (exponent > EXPONENT_MAX)
		exponent = EXPONENT_MAX;
	if (exponent < -EXPONENT_MAX)
		exponent = -EXPONENT_MAX;
	*ret = (struct suffix){ text, QUANTITY_EXPONENT, (int)exponent };
	return true;
}

static bool split(const char *text, struct parts *ret)
{
	static const char decimal[] = "0123456789";
	size_t zeros;

	ret->negative = *text == '-';
	text += *text == '-' || *text == '+';
	zeros = strspn(text, "0");
	ret->whole = text + zeros;
	ret->n_whole = strspn(ret->whole, decimal);
	text = ret->whole + ret->n_whole;
	ret->fraction = text;
	ret->n_fraction = 0;
	if (*text == '.') {
		ret->fraction = text + 1;
		ret->n_fraction = strspn(ret->fraction, decimal);
		text = ret->fraction + ret->n_fraction;
	}
	/* no digits at all count as 0, as upstream has it */
	return read_suffix(text, &ret->suffix);
}

static char digit_at(const struct parts *p, size_t i)
{
	return i < p->n_whole ? p->whole[i] : p->fraction[i - p->n_whole];
}

static __int128 decimal_nano(const struct parts *p)
{
	size_t n = p->n_whole + p->n_fraction, kept;
	int64_t shift = p->suffix.exponent - (int64_t)p->n_fraction + NANO_DIGITS;
	__int128 v = 0;

	/* digits finer than a billionth round up */
	kept = shift >= 0 ? n : (uint64_t)-shift < n ? n - (size_t)-shift : 0;
	for (size_t i = 0; i < kept; i++) {
		v = v * 10 + (digit_at(p, i) - '0');
		if (v > NANO_MAX)
			return NANO_MAX;
	}
	for (; shift > 0 && v; shift--) {
		v *= 10;
		if (v > NANO_MAX)
			return NANO_MAX;
	}
	for (size_t i = kept; i < n; i++) {
		if (digit_at(p, i) != '0')
			return v < NANO_MAX ? v + 1 : v;
	}
	return v;
}

static __int128 binary_nano(const struct parts *p)
{
	int bits = p->suffix.exponent;
	__int128 whole = 0, fraction = 0, divisor = 1;
	bool more = false;

	for (size_t i = 0; i < p->n_whole; i++) {
		whole = whole * 10 + (p->whole[i] - '0');
		if (whole > (__int128)INT64_MAX >> bits)
			return NANO_MAX;
	}
	for (size_t i = 0; i < FRACTION_DIGITS_MAX; i++)
		fraction = fraction * 10 + (i < p->n_fraction ? p->fraction[i] - '0' : 0);
	for (size_t i = FRACTION_DIGITS_MAX; i < p->n_fraction; i++)
		more |= p->fraction[i] != '0';
	for (int i = NANO_DIGITS; i < FRACTION_DIGITS_MAX; i++)
		divisor *= 10;
	fraction <<= bits;
	more |= fraction % divisor != 0;
	fraction = fraction / divisor + more;
	whole = (whole << bits) * NANO + fraction;
	return whole > NANO_MAX ? NANO_MAX : whole;
}

int quantity_parse(const char *text, struct quantity *ret_quantity, struct err *e)
{
	struct parts p;
	struct quantity q;

	if (!*text || !split(text, &p))
		return err_set(e, ERR_INVALID, "\"%.64s\" is not a quantity like 500m or 1.5Gi",
			       text);
	q.format = p.suffix.format;
	q.nano = q.format == QUANTITY_BINARY ? binary_nano(&p) : decimal_nano(&p);
	/* a fraction of a byte has no binary form */
	if (q.format == QUANTITY_BINARY && q.nano > 0 && q.nano < NANO)
		q.format = QUANTITY_DECIMAL;
	if (p.negative)
		q.nano = -q.nano;
	*ret_quantity = q;
	return 0;
}

/* |v| fits an int64 scaled by some power: print in two halves. */
static void print_number(bool negative, unsigned __int128 v, const char *suffix, char *out)
{
	const uint64_t half = 1000000000000000000ull;

	if (v >= half)
		snprintf(out, QUANTITY_TEXT, "%s%llu%018llu%s", negative ? "-" : "",
			 (unsigned long long)(v / half), (unsigned long long)(v % half), suffix);
	else
		snprintf(out, QUANTITY_TEXT, "%s%llu%s", negative ? "-" : "", (unsigned long long)v,
			 suffix);
}

static const char *suffix_for(enum quantity_format format, int exponent)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (suffixes[i].format == format && suffixes[i].exponent == exponent)
			return suffixes[i].text;
	}
	return "";
}

static void print_binary(bool negative, unsigned __int128 v, char *out)
{
	int bits = 0;

	v /= (unsigned __int128)NANO;
	while (v >= 1024 && v % 1024 == 0 && bits < 60) {
		v /= 1024;
		bits += 10;
	}
	print_number(negative, v, bits ? suffix_for(QUANTITY_BINARY, bits) : "", out);
}

void quantity_text(const struct quantity *q, char *out)
{
	bool negative = q->nano < 0;
	unsigned __int128 v = negative ? -(unsigned __int128)q->nano : (unsigned __int128)q->nano;
	int exponent = -NANO_DIGITS;
	char exponent_text[16] = "";

	if (!v) {
		strcpy(out, "0");
		return;
	}
	if (q->format == QUANTITY_BINARY && v >= 1024 * (unsigned __int128)NANO &&
	    v % (unsigned __int128)NANO == 0) {
		print_binary(negative, v, out);
		return;
	}
	while (v % 1000 == 0 && exponent < 18) {
		v /= 1000;
		exponent += 3;
	}
	if (q->format != QUANTITY_EXPONENT) {
		print_number(negative, v, suffix_for(QUANTITY_DECIMAL, exponent), out);
		return;
	}
	if (exponent)
		snprintf(exponent_text, sizeof(exponent_text), "e%d", exponent);
	print_number(negative, v, exponent_text, out);
}

struct quantity quantity_of(int64_t value, enum quantity_format format)
{
	return (struct quantity){ .nano = value * NANO, .format = format };
}

struct quantity quantity_of_milli(int64_t milli, enum quantity_format format)
{
	return (struct quantity){ .nano = milli * (NANO / 1000), .format = format };
}

struct quantity quantity_read(const Resource__Quantity *message)
{
	struct quantity q = { 0 };

	if (message && message->string)
		(void)quantity_parse(message->string, &q, NULL);
	return q;
}

Resource__Quantity *quantity_message(const struct quantity *q)
{
	Resource__Quantity *m = proto_new(&resource__quantity__descriptor);
	char text[QUANTITY_TEXT];

	quantity_text(q, text);
	proto_set_str(&m->string, text);
	return m;
}

void quantity_add(struct quantity *q, const struct quantity *other)
{
	if (!q->nano)
		q->format = other->format;
	q->nano += other->nano;
}

void quantity_sub(struct quantity *q, const struct quantity *other)
{
	if (!q->nano)
		q->format = other->format;
	q->nano -= other->nano;
}

int quantity_cmp(const struct quantity *a, const struct quantity *b)
{
	return (a->nano > b->nano) - (a->nano < b->nano);
}

bool quantity_is_zero(const struct quantity *q)
{
	return !q->nano;
}

static int64_t scaled(__int128 nano, __int128 unit)
{
	__int128 v = nano / unit;

	if (nano % unit)
		v += nano < 0 ? -1 : 1;
	if (v > INT64_MAX)
		return INT64_MAX;
	return v < INT64_MIN ? INT64_MIN : (int64_t)v;
}

int64_t quantity_value(const struct quantity *q)
{
	return scaled(q->nano, NANO);
}

int64_t quantity_milli(const struct quantity *q)
{
	return scaled(q->nano, NANO / 1000);
}

int64_t quantity_text_value(const char *text)
{
	struct quantity q = { 0 };

	if (text)
		(void)quantity_parse(text, &q, NULL);
	return quantity_value(&q);
}

int64_t quantity_text_milli(const char *text)
{
	struct quantity q = { 0 };

	if (text)
		(void)quantity_parse(text, &q, NULL);
	return quantity_milli(&q);
}

int64_t quantity_divide(const struct quantity *q, const struct quantity *divisor, bool cpu)
{
	const struct quantity one = { .nano = NANO };
	const struct quantity *d = divisor && divisor->nano ? divisor : &one;
	double a = (double)(cpu ? quantity_milli(q) : quantity_value(q));
	double b = (double)(cpu ? quantity_milli(d) : quantity_value(d));

	/* doubles, as upstream: the same text for the same input, at any size */
	return (int64_t)ceil(a / b);
}
