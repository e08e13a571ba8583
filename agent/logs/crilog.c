/* CRI log lines (contract in crilog.h). Pure. */
#include "crilog.h"

#include <string.h>

#include "base/mem.h"

enum { NSEC_DIGITS = 9 };

static const int64_t NSEC_PER_SEC = 1000000000;

/* Reads exactly n digits. */
static bool digits(const char **at, const char *end, int n, int *ret)
{
	int v = 0;

	for (; n > 0; n--, (*at)++) {
		if (*at == end || **at < '0' || **at > '9')
			return false;
		v = v * 10 + (**at - '0');
	}
	*ret = v;
	return true;
}

static bool literal(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	(*at)++;
	return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

/* A fraction of any length; what is below a nanosecond is dropped. */
static bool fraction(const char **at, const char *end, int64_t *ret_nsec)
{
	int64_t v = 0;
	int n = 0;

	*ret_nsec = 0;
	if (!literal(at, end, '.'))
		return true;
	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, n++)
		if (n < NSEC_DIGITS)
			v = v * 10 + (**at - '0');
	for (int i = n; i < NSEC_DIGITS; i++)
		v *= 10;
	*ret_nsec = v;
	return n > 0;
}

static bool zone(const char **at, const char *end, int *ret_sec)
{
	int hours, minutes, sign;

	*ret_sec = 0;
	if (literal(at, end, 'Z'))
		return true;
	sign = literal(at, end, '+') ? 1 : literal(at, end, '-') ? -1 : 0;
	if (!sign || !digits(at, end, 2, &hours) || !literal(at, end, ':') ||
	    !digits(at, end, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_sec = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool crilog_time(const char *text, size_t len, int64_t *ret_nsec)
{
	const char *at = text, *end = text + len;
	int year, month, day, hour, minute, second, offset;
	int64_t nsec, sec;

	if (!digits(&at, end, 4, &year) || !literal(&at, end, '-') ||
	    !digits(&at, end, 2, &month) || !literal(&at, end, '-') || !digits(&at, end, 2, &day) ||
	    !literal(&at, end, 'T') || !digits(&at, end, 2, &hour) || !literal(&at, end, ':') ||
	    !digits(&at, end, 2, &minute) || !literal(&at, end, ':') ||
	    !digits(&at, end, 2, &second) || !fraction(&at, end, &nsec) ||
	    !zone(&at, end, &offset) || at != end)
		return false;
	if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
	    second > 59)
		return false;
	sec =
	    days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	/* years that nanoseconds in 64 bits cannot tell apart from each other */
	if (sec > INT64_MAX / NSEC_PER_SEC - 1)
		*ret_nsec = INT64_MAX;
	else if (sec < INT64_MIN / NSEC_PER_SEC + 1)
		*ret_nsec = INT64_MIN + 1;
	else
		*ret_nsec = sec * NSEC_PER_SEC + nsec;
	return true;
}

/* The text up to the next space; NULL when there is none. */
static const char *word(const char *at, const char *end, size_t *ret_len)
{
	const char *space = memchr(at, ' ', (size_t)(end - at));

	if (space)
		*ret_len = (size_t)(space - at);
	return space ? at : NULL;
}

bool crilog_parse(const char *line, size_t len, struct crilog *ret)
{
	const char *end = line + len, *stream, *tags;
	size_t stream_len, tags_len;

	ret->stamp = word(line, end, &ret->stamp_len);
	if (!ret->stamp || !crilog_time(ret->stamp, ret->stamp_len, &ret->time_nsec))
		return false;
	stream = word(line + ret->stamp_len + 1, end, &stream_len);
	if (!stream || stream_len != 6)
		return false;
	if (!memcmp(stream, "stdout", 6))
		ret->stream = CRILOG_STDOUT;
	else if (!memcmp(stream, "stderr", 6))
		ret->stream = CRILOG_STDERR;
	else
		return false;
	tags = word(stream + stream_len + 1, end, &tags_len);
	if (!tags)
		return false;
	ret->content = tags + tags_len + 1;
	ret->content_len = (size_t)(end - ret->content);
	/* tags are separated by ':'; only the first one is defined */
	if (tags[0] == 'P' && (tags_len == 1 || tags[1] == ':') && ret->content_len &&
	    ret->content[ret->content_len - 1] == '\n')
		ret->content_len--;
	return true;
}

/* The time stamp with exactly nine digits of fraction, and Z for UTC. */
static void append_stamp(struct str *out, const struct crilog *l)
{
	enum { SECONDS_LEN = 19 }; /* 2006-01-02T15:04:05 */
	const char *at = l->stamp + SECONDS_LEN, *end = l->stamp + l->stamp_len;
	int n = 0;

	str_append_n(out, l->stamp, SECONDS_LEN);
	str_append_c(out, '.');
	if (*at == '.') {
		for (at++; at < end && *at >= '0' && *at <= '9'; at++, n++)
			if (n < NSEC_DIGITS)
				str_append_c(out, *at);
	}
	for (; n < NSEC_DIGITS; n++)
		str_append_c(out, '0');
	if (end - at == 6 && !memcmp(at + 1, "00:00", 5))
		str_append_c(out, 'Z');
	else
		str_append_n(out, at, (size_t)(end - at));
}

bool crilog_write(struct crilog_writer *w, const struct crilog *l, struct str *out)
{
	size_t before = out->len, n;
	bool was_inside = w->inside_line;
	int64_t left;

	w->inside_line = l->content_len && l->content[l->content_len - 1] != '\n';
	if (l->time_nsec < w->options.since_nsec || !(w->options.streams & (unsigned)l->stream))
		return true;
	if (w->options.timestamps && !was_inside) {
		append_stamp(out, l);
		str_append_c(out, ' ');
	}
	str_append_n(out, l->content, l->content_len);
	n = out->len - before;
	if (w->options.limit_bytes >= 0) {
		left = w->options.limit_bytes - w->written_bytes;
		if ((int64_t)n >= left) {
			out->len = before + (size_t)left;
			out->p[out->len] = '\0';
			w->written_bytes += left;
			return false;
		}
	}
	w->written_bytes += (int64_t)n;
	return true;
}
