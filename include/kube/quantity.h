/* Quantities ("100m", "1.5Gi", "12e6"): exact decimal numbers with the API's canonical text. Pure.
 *
 * Resolution is a billionth, as upstream's; finer input is rounded away from zero. Magnitudes end
 * at 2^63-1. A quantity remembers the family of suffix it was written with.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "k8s/resource.pb-c.h"

enum quantity_format { QUANTITY_DECIMAL, QUANTITY_BINARY, QUANTITY_EXPONENT };

struct quantity {
	__int128 nano;
	enum quantity_format format;
};

enum { QUANTITY_TEXT = 48 };

int quantity_parse(const char *text, struct quantity *ret_quantity, struct err *e);
/* Canonical; out has QUANTITY_TEXT bytes. */
void quantity_text(const struct quantity *q, char *out);

struct quantity quantity_of(int64_t value, enum quantity_format format);
struct quantity quantity_of_milli(int64_t milli, enum quantity_format format);
/* A message as we get it: NULL, empty or broken text is 0. */
struct quantity quantity_read(const Resource__Quantity *message);
Resource__Quantity *quantity_message(const struct quantity *q);

/* A zero takes the other's format, as upstream. */
void quantity_add(struct quantity *q, const struct quantity *other);
void quantity_sub(struct quantity *q, const struct quantity *other);
int quantity_cmp(const struct quantity *a, const struct quantity *b); /* <0, 0, >0 */
bool quantity_is_zero(const struct quantity *q);
/* Rounded away from zero; saturating. */
int64_t quantity_value(const struct quantity *q);
int64_t quantity_milli(const struct quantity *q);
/* The same from text; NULL or broken text is 0. */
int64_t quantity_text_value(const char *text);
int64_t quantity_text_milli(const char *text);

/* What a resourceFieldRef gives: value / divisor rounded up, in whole units or, for cpu, computed
 * on thousandths. A zero divisor counts as 1. */
int64_t quantity_divide(const struct quantity *q, const struct quantity *divisor, bool cpu);
