/* Environment files (contract in envfile.h). Pure. */
#include "envfile.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { LINE_MAX_BYTES = 65536 };

struct reader {
	const char *next, *end; /* what was not read yet */
	const char *line;       /* the current line, without its end */
	size_t len;
	unsigned number;
};

/* Returns 1 with the next line, 0 at the end. */
static int next_line(struct reader *r, struct err *e)
{
	const char *eol;

	if (r->next == r->end)
		return 0;
	eol = memchr(r->next, '\n', (size_t)(r->end - r->next));
	r->line = r->next;
	r->len = (size_t)((eol ? eol : r->end) - r->next);
	r->next = eol ? eol + 1 : r->end;
	r->number++;
	if (r->len >= LINE_MAX_BYTES)
		return err_set(e, ERR_TOO_LARGE, "line %u is longer than %d bytes", r->number,
			       LINE_MAX_BYTES);
	if (r->len && r->line[r->len - 1] == '\r')
		r->len--;
	return 1;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip(struct reader *r, size_t n)
{
	r->line += n;
	r->len -= n;
}

static void skip_blanks(struct reader *r)
{
	while (r->len && blank(*r->line))
		skip(r, 1);
}

/* Up to and with the closing quote, over as many lines as it takes. */
static int read_quoted(struct reader *r, struct str *value, struct err *e)
{
	unsigned start = r->number;
	const char *quote;

	while (!(quote = memchr(r->line, '\'', r->len))) {
		int more;

		str_append_n(value, r->line, r->len);
		str_append_c(value, '\n');
		more = next_line(r, e);
		if (more < 0)
			return -1;
		if (!more)
			return err_set(e, ERR_INVALID, "line %u: single quote is not closed",
				       start);
	}
	str_append_n(value, r->line, (size_t)(quote - r->line));
	skip(r, (size_t)(quote - r->line) + 1);
	skip_blanks(r);
	return r->len && *r->line != '#'
		   ? err_set(e, ERR_INVALID, "line %u: text behind the closing quote", r->number)
		   : 0;
}

/* Takes "NAME=" off the line; 1: it is the wanted one. */
static int read_name(struct reader *r, const char *key, struct err *e)
{
	const char *equals = memchr(r->line, '=', r->len);
	size_t n = equals ? (size_t)(equals - r->line) : 0;
	bool wanted = n && n == strlen(key) && !memcmp(r->line, key, n);

	if (!equals)
		return err_set(e, ERR_INVALID, "line %u: '=' is missing", r->number);
	if (!n)
		return err_set(e, ERR_INVALID, "line %u: the name is missing", r->number);
	if (blank(r->line[n - 1]))
		return err_set(e, ERR_INVALID, "line %u: blank in front of '='", r->number);
	skip(r, n + 1);
	return wanted;
}

/* One line that sets something; 1: it was the wanted one, and value holds it. */
static int read_assignment(struct reader *r, const char *key, struct str *value, struct err *e)
{
	int wanted = read_name(r, key, e);

	str_reset(value);
	if (wanted < 0 || (r->len && blank(*r->line)))
		return wanted;
	if (!r->len || *r->line != '\'')
		return err_set(e, ERR_INVALID, "line %u: the value is not in single quotes",
			       r->number);
	skip(r, 1);
	return read_quoted(r, value, e) < 0 ? -1 : wanted;
}

int envfile_get(const char *text, size_t len, const char *key, char **ret_value, struct err *e)
{
	struct reader r = { .next = text, .end = text + len };
	AUTO_STR value = { 0 };
	int more, wanted = 0;

	if (len && memchr(text, '\0', len))
		return err_set(e, ERR_INVALID, "the file holds a NUL byte");
	while (!wanted && (more = next_line(&r, e)) != 0) {
		if (more < 0)
			return -1;
		skip_blanks(&r);
		if (r.len && *r.line != '#')
			wanted = read_assignment(&r, key, &value, e);
		if (wanted < 0)
			return -1;
	}
	if (!wanted)
		str_reset(&value);
	*ret_value = str_take(&value);
	return 0;
}
