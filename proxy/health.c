/* Health of programming (contract in health.h). Pure. */
#include "health.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define USEC_PER_SEC INT64_C(1000000)

static const char *const family_names[] = {
	[DATAPLANE_IPV4] = "IPv4",
	[DATAPLANE_IPV6] = "IPv6",
};

static bool family_ok(const struct dataplane_status *s, size_t f, const struct health_times *t)
{
	int64_t since = s->family[f].pending_since_usec;

	return !s->family[f].last_sync_usec || !since || t->mono_usec - since < t->timeout_usec;
}

bool health_ok(const struct dataplane_status *s, const struct health_times *t)
{
	bool ok = true;

	for (size_t f = 0; f < DATAPLANE_FAMILIES; f++)
		ok &= family_ok(s, f, t);
	return ok;
}

/* RFC 3339 with the fraction cut as upstream cuts it; 0 is the year 1. */
static void append_time(struct str *out, int64_t usec)
{
	time_t sec = (time_t)(usec / USEC_PER_SEC);
	long fraction = (long)(usec % USEC_PER_SEC);
	char text[40], digits[24];
	size_t len;
	struct tm tm;

	if (!usec) {
		str_append(out, "\"0001-01-01T00:00:00Z\"");
		return;
	}
	gmtime_r(&sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	str_printf(out, "\"%s", text);
	snprintf(digits, sizeof(digits), ".%06ld", fraction);
	for (len = strlen(digits); fraction && len > 1 && digits[len - 1] == '0'; len--)
		digits[len - 1] = 0;
	str_printf(out, "%sZ\"", fraction ? digits : "");
}

static void append_families(struct str *out, const struct dataplane_status *s,
			    const struct health_times *t)
{
	bool any = false;

	for (size_t f = 0; f < DATAPLANE_FAMILIES; f++) {
		if (!s->family[f].last_sync_usec)
			continue;
		str_printf(out, "%s\"%s\":{\"lastUpdated\":", any ? "," : ",\"status\":{",
			   family_names[f]);
		append_time(out, s->family[f].last_sync_usec);
		str_printf(out, ",\"healthy\":%s}", family_ok(s, f, t) ? "true" : "false");
		any = true;
	}
	str_append(out, any ? "}" : "");
}

char *health_json(const struct dataplane_status *s, const struct health_times *t,
		  const bool *node_eligible, bool *ret_ok)
{
	bool healthy = health_ok(s, t), ok = healthy && (!node_eligible || *node_eligible);
	AUTO_STR out = { 0 };
	int64_t last = 0;

	for (size_t f = 0; f < DATAPLANE_FAMILIES; f++) {
		if (s->family[f].last_sync_usec > last)
			last = s->family[f].last_sync_usec;
	}
	str_append(&out, "{\"lastUpdated\":");
	/* all well is "just updated", though nothing had to be */
	append_time(&out, ok ? t->wall_usec : last);
	str_append(&out, ",\"currentTime\":");
	append_time(&out, t->wall_usec);
	if (node_eligible)
		str_printf(&out, ",\"nodeEligible\":%s", *node_eligible ? "true" : "false");
	str_printf(&out, ",\"healthy\":%s", healthy ? "true" : "false");
	append_families(&out, s, t);
	str_append_c(&out, '}');
	*ret_ok = ok;
	return str_take(&out);
}

char *health_service_json(const char *ns, const char *name, uint32_t local_endpoints, bool ok)
{
	/* names of the API need no escapes */
	return str_fmt("{\n\t\"service\": {\n\t\t\"namespace\": \"%s\",\n\t\t\"name\": \"%s\"\n\t},"
		       "\n\t\"localEndpoints\": %u,\n\t\"serviceProxyHealthy\": %s\n}",
		       ns, name, local_endpoints, ok ? "true" : "false");
}
