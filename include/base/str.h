/* Growing text buffer and small string helpers. Pure.
 *
 * A struct str is always NUL-terminated once anything was appended; zero-initialised is a valid
 * empty buffer.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	char *p;
	size_t len, cap;
};

void str_fini(struct str *s);
void str_reset(struct str *s); /* empties, keeps the memory */
void str_append(struct str *s, const char *text);
void str_append_n(struct str *s, const void *bytes, size_t n);
void str_append_c(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vprintf(struct str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
const char *str_text(const struct str *s); /* never NULL */
char *str_take(struct str *s);             /* heap string, never NULL; the buffer is empty again */

#define AUTO_STR CLEANUP(str_fini) struct str

char *str_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* heap string */
bool str_eq(const char *a, const char *b); /* NULL equals NULL only */
bool str_empty(const char *s);             /* NULL or "" */
const char *str_or(const char *s, const char *fallback);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Whole-string decimal parse; false when anything else is in it or it overflows. */
bool str_to_i64(const char *s, int64_t *ret_value);

/* NULL-terminated arrays of heap strings. */
void strv_free(char **v);
size_t strv_len(char *const *v);
void strv_push(char ***v, const char *s);
bool strv_has(char *const *v, const char *s);
bool strv_equal(char *const *a, char *const *b); /* the same texts in the same order */
char **strv_split(const char *s, char sep); /* empty pieces are dropped */
/* The value of a hexadecimal digit, or -1. */
int str_hex_digit(char c);
