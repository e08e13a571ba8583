/* Times and durations (contract in kube/time.h). Pure. */
#include "kube/time.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/proto.h"

enum { NSEC_PER_USEC = 1000, USEC_PER_S = 1000000, NSEC_PER_SEC = 1000000000 };

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar: years start in March, so
 * that the leap day is the last of the year. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
	    day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t m = (5 * day_of_year + 2) / 153;

	*day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

static bool digits(const char **text, int n, int *ret_value)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if ((*text)[i] < '0' || (*text)[i] > '9')
			return false;
		v = 10 * v + ((*text)[i] - '0');
	}
	*text += n;
	*ret_value = v;
	return true;
}

static bool expect(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static int32_t fraction(const char **text)
{
	int32_t nsec = 0, unit = NSEC_PER_SEC / 10;

	for (; **text >= '0' && **text <= '9'; (*text)++) {
		nsec += (**text - '0') * unit;
		unit /= 10;
	}
	return nsec;
}

static bool zone(const char **text, int *ret_offset_sec)
{
	int hour, minute, sign = **text == '-' ? -1 : 1;

	*ret_offset_sec = 0;
	if (expect(text, 'Z'))
		return true;
	if (!expect(text, '+') && !expect(text, '-'))
		return false;
	if (!digits(text, 2, &hour) || !expect(text, ':') || !digits(text, 2, &minute) ||
	    hour > 23 || minute > 59)
		return false;
	*ret_offset_sec = sign * (hour * 3600 + minute * 60);
	return true;
}

static int month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

int kube_time_parse(const char *text, int64_t *ret_sec, int32_t *ret_nsec, struct err *e)
{
	const char *at = text;
	int year, month, day, hour, minute, second, offset;
	int32_t nsec = 0;
	bool ok = digits(&at, 4, &year) && expect(&at, '-') && digits(&at, 2, &month) &&
		  expect(&at, '-') && digits(&at, 2, &day) && expect(&at, 'T') &&
		  digits(&at, 2, &hour) && expect(&at, ':') && digits(&at, 2, &minute) &&
		  expect(&at, ':') && digits(&at, 2, &second);

	if (ok && expect(&at, '.')) {
		ok = *at >= '0' && *at <= '9';
		nsec = fraction(&at);
	}
	ok = ok && zone(&at, &offset) && !*at;
	if (!ok || year < 1 || month < 1 || month > 12 || day < 1 ||
	    day > month_days(year, month) || hour > 23 || minute > 59 || second > 59)
		return err_set(e, ERR_INVALID, "\"%.64s\" is not a time like 2006-01-02T15:04:05Z",
			       text);
	*ret_sec =
	    days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	if (ret_nsec)
		*ret_nsec = nsec;
	return 0;
}

static int print_seconds(int64_t sec, char *out)
{
	int64_t days = sec / 86400, rest = sec % 86400, year;
	int month, day;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	date_from_days(days, &year, &month, &day);
	return snprintf(out, KUBE_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day,
			(int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

void kube_time_format(int64_t sec, char *out)
{
	int n = print_seconds(sec, out);

	snprintf(out + n, (size_t)(KUBE_TIME_TEXT - n), "Z");
}

void kube_time_format_micro(int64_t sec, int32_t nsec, char *out)
{
	int n = print_seconds(sec, out);

	snprintf(out + n, (size_t)(KUBE_TIME_TEXT - n), ".%06dZ",
		 (unsigned)nsec / NSEC_PER_USEC % USEC_PER_S);
}

static const struct unit {
	const char *name;
	int64_t nsec;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\302\265s", 1000 }, /* micro sign */
	{ "\316\274s", 1000 }, /* Greek mu */
	{ "ms", 1000000 },
	{ "s", NSEC_PER_SEC },
	{ "m", 60LL * NSEC_PER_SEC },
	{ "h", 3600LL * NSEC_PER_SEC },
};

static const struct unit *find_unit(const char *at, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strlen(units[i].name) == len && !strncmp(units[i].name, at, len))
			return &units[i];
	}
	return NULL;
}

/* One "12.5ms" off the text; false when it is none or too large. */
static bool take_span(const char **text, __int128 *total)
{
	__int128 whole = 0, part = 0, scale = 1;
	const char *at = *text;
	bool any = false;
	const struct unit *u;
	size_t len;

	for (; *at >= '0' && *at <= '9'; at++, any = true) {
		whole = whole * 10 + (*at - '0');
		if (whole > INT64_MAX)
			return false;
	}
	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9'; at++, any = true) {
			if (scale < (__int128)1000000000000000)
				part = part * 10 + (*at - '0'), scale *= 10;
		}
	}
	len = strcspn(at, "0123456789.");
	u = find_unit(at, len);
	if (!any || !u)
		return false;
	*total += whole * u->nsec + part * u->nsec / scale;
	*text = at + len;
	return *total <= (__int128)INT64_MAX + 1;
}

int kube_duration_parse(const char *text, int64_t *ret_nsec, struct err *e)
{
	const char *at = text;
	bool negative = *at == '-', ok;
	__int128 total = 0;

	at += *at == '-' || *at == '+';
	ok = *at != '\0';
	if (!strcmp(at, "0"))
		at++;
	while (ok && *at)
		ok = take_span(&at, &total);
	if (negative)
		total = -total;
	if (!ok || total > INT64_MAX)
		return err_set(e, ERR_INVALID, "\"%.64s\" is not a duration like 1m30s", text);
	*ret_nsec = (int64_t)total;
	return 0;
}

/* value/unit with its fraction, without zeros at the end */
static int print_fraction(char *out, size_t size, uint64_t value, uint64_t unit)
{
	uint64_t rest = value % unit;
	int n = snprintf(out, size, "%llu", (unsigned long long)(value / unit));

	if (!rest)
		return n;
	out[n++] = '.';
	for (uint64_t place = unit / 10; rest; place /= 10) {
		out[n++] = (char)('0' + rest / place);
		rest %= place;
	}
	out[n] = '\0';
	return n;
}

void kube_duration_format(int64_t nsec, char *out)
{
	uint64_t v = nsec < 0 ? 0 - (uint64_t)nsec : (uint64_t)nsec;
	const uint64_t second = NSEC_PER_SEC;
	char *at = out, *end = out + KUBE_DURATION_TEXT;

	if (!v) {
		strcpy(out, "0s");
		return;
	}
	if (nsec < 0)
		*at++ = '-';
	if (v < second) {
		const char *unit = v < 1000 ? "ns" : v < 1000000 ? "\302\265s" : "ms";

		at += print_fraction(at, (size_t)(end - at), v,
				     v < 1000      ? 1
				     : v < 1000000 ? 1000
						   : 1000000);
		strcpy(at, unit);
		return;
	}
	if (v >= 3600 * second)
		at += sprintf(at, "%lluh", (unsigned long long)(v / (3600 * second)));
	if (v >= 60 * second)
		at += sprintf(at, "%llum", (unsigned long long)(v / (60 * second) % 60));
	at += print_fraction(at, (size_t)(end - at), v % (60 * second), second);
	strcpy(at, "s");
}

Meta__Time *kube_time_new(int64_t usec)
{
	Meta__Time *t = proto_new(&meta__time__descriptor);

	t->has_seconds = t->has_nanos = true;
	t->seconds = usec / USEC_PER_S - (usec % USEC_PER_S < 0);
	return t;
}

Meta__MicroTime *kube_micro_time_new(int64_t usec)
{
	Meta__MicroTime *t = proto_new(&meta__micro_time__descriptor);
	int64_t rest = usec % USEC_PER_S;

	t->has_seconds = t->has_nanos = true;
	t->seconds = usec / USEC_PER_S - (rest < 0);
	t->nanos = (int32_t)(rest < 0 ? rest + USEC_PER_S : rest) * NSEC_PER_USEC;
	return t;
}

bool kube_time_is_zero(const Meta__Time *t)
{
	return !t || (!t->has_seconds && !t->has_nanos);
}

int64_t kube_time_usec(const Meta__Time *t)
{
	return kube_time_is_zero(t) ? 0 : t->seconds * USEC_PER_S;
}

int64_t kube_micro_time_usec(const Meta__MicroTime *t)
{
	return t && t->has_seconds ? t->seconds * USEC_PER_S + t->nanos / NSEC_PER_USEC : 0;
}
