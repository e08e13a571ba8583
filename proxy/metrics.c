/* The families of /metrics (contract in metrics.h). Pure. */
#include "metrics.h"

#include <stddef.h>

#include "base/mem.h"
#include "kube/version.h"

#define USEC 1e-6

static const char *const family_labels[] = {
	[DATAPLANE_IPV4] = "IPv4",
	[DATAPLANE_IPV6] = "IPv6",
};

/* ---- buckets ---- */

static const double sync_bounds[] = { 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
				      0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384 };

/* 0.25, 0.5, then every second to 59, every 5 to 115, every 30 to 300 */
static double programming_bound(size_t i)
{
	if (i < 2)
		return 0.25 * (double)(i + 1);
	if (i < 61)
		return (double)(i - 1);
	if (i < 73)
		return 60 + 5 * (double)(i - 61);
	return 120 + 30 * (double)(i - 73);
}

static size_t bounds_n(enum metrics_histogram h)
{
	return h == METRICS_PROGRAMMING ? METRICS_BUCKETS_MAX : ARRAY_SIZE(sync_bounds);
}

static double bound(enum metrics_histogram h, size_t i)
{
	return h == METRICS_PROGRAMMING ? programming_bound(i) : sync_bounds[i];
}

static void observe(struct metrics *m, enum metrics_histogram h, enum dataplane_family family,
		    double seconds)
{
	struct metrics_buckets *b = &m->histograms[h][family];
	size_t i = 0;

	while (i < bounds_n(h) && seconds > bound(h, i))
		i++;
	b->counts[i]++;
	b->n++;
	b->sum += seconds;
}

void metrics_synced(struct metrics *m, enum dataplane_family family, bool full, int64_t took_usec,
		    int64_t trigger_usec, int64_t now_usec)
{
	double seconds = (double)took_usec * USEC;

	observe(m, METRICS_SYNC, family, seconds);
	observe(m, full ? METRICS_SYNC_FULL : METRICS_SYNC_PARTIAL, family, seconds);
	if (trigger_usec)
		observe(m, METRICS_PROGRAMMING, family, (double)(now_usec - trigger_usec) * USEC);
}

/* ---- the table ---- */

enum value_type { U64, U64_PAIR, TIMESTAMP };

#define OF_FAMILY(member) \
	(offsetof(struct dataplane_status, family[0].member) - \
	 offsetof(struct dataplane_status, family[0]))

/* Read from the data plane's status. */
static const struct {
	const char *name, *help;
	bool counter, per_family;
	enum value_type type;
	size_t offset; /* in the status, or in its family */
} values[] = {
	{ "sync_proxy_rules_endpoint_changes_pending", "Endpoint changes not programmed yet", false,
	  false, U64, offsetof(struct dataplane_status, endpoint_changes_pending) },
	{ "sync_proxy_rules_endpoint_changes_total", "Endpoint changes seen", true, false, U64,
	  offsetof(struct dataplane_status, endpoint_changes) },
	{ "sync_proxy_rules_last_queued_timestamp_seconds", "When a sync was last asked for", false,
	  true, TIMESTAMP, OF_FAMILY(last_queued_usec) },
	{ "sync_proxy_rules_last_timestamp_seconds", "When a sync last succeeded", false, true,
	  TIMESTAMP, OF_FAMILY(last_sync_usec) },
	{ "sync_proxy_rules_nftables_cleanup_failures_total", "Removals that the kernel refused",
	  true, true, U64, OF_FAMILY(cleanup_failures) },
	{ "sync_proxy_rules_nftables_sync_failures_total", "Syncs that the kernel refused", true,
	  true, U64, OF_FAMILY(sync_failures) },
	{ "sync_proxy_rules_no_local_endpoints_total",
	  "Services with traffic policy Local and no endpoint on this node", false, true, U64_PAIR,
	  OF_FAMILY(no_local_endpoints) },
	{ "sync_proxy_rules_service_changes_pending", "Service changes not programmed yet", false,
	  false, U64, offsetof(struct dataplane_status, service_changes_pending) },
	{ "sync_proxy_rules_service_changes_total", "Service changes seen", true, false, U64,
	  offsetof(struct dataplane_status, service_changes) },
	{ "conntrack_reconciler_deleted_entries_total", "Stale tracked flows deleted", true, true,
	  U64, OF_FAMILY(conntrack_deleted) },
};

static const struct {
	const char *name, *help;
} histograms[] = {
	[METRICS_SYNC] = { "sync_proxy_rules_duration_seconds", "Duration of syncs" },
	[METRICS_SYNC_FULL] = { "sync_full_proxy_rules_duration_seconds",
				"Duration of syncs of everything" },
	[METRICS_SYNC_PARTIAL] = { "sync_partial_proxy_rules_duration_seconds",
				   "Duration of syncs of what changed" },
	[METRICS_PROGRAMMING] = { "network_programming_duration_seconds",
				  "From the change of an endpoint to its rules" },
};

/* ---- text ---- */

static void print_head(struct str *out, const char *name, const char *help, const char *type)
{
	str_printf(out, "# HELP kubeproxy_%s [ALPHA] %s\n# TYPE kubeproxy_%s %s\n", name, help,
		   name, type);
}

static void print_value(const char *name, enum value_type type, const void *member,
			const char *family, struct str *out)
{
	static const char *const policies[] = { "internal", "external" };
	const uint64_t *number = member;
	const int64_t *usec = member;

	if (type == TIMESTAMP) {
		if (*usec)
			str_printf(out, "kubeproxy_%s{ip_family=\"%s\"} %.6f\n", name, family,
				   (double)*usec * USEC);
		return;
	}
	for (size_t i = 0; type == U64_PAIR && i < ARRAY_SIZE(policies); i++)
		str_printf(out, "kubeproxy_%s{ip_family=\"%s\",traffic_policy=\"%s\"} %llu\n", name,
			   family, policies[i], (unsigned long long)number[i]);
	if (type == U64 && family)
		str_printf(out, "kubeproxy_%s{ip_family=\"%s\"} %llu\n", name, family,
			   (unsigned long long)*number);
	else if (type == U64)
		str_printf(out, "kubeproxy_%s %llu\n", name, (unsigned long long)*number);
}

static void print_values(const struct dataplane_status *s, struct str *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const char *base = (const char *)s;

		print_head(out, values[i].name, values[i].help,
			   values[i].counter ? "counter" : "gauge");
		if (!values[i].per_family)
			print_value(values[i].name, values[i].type, base + values[i].offset, NULL,
				    out);
		for (size_t f = 0; values[i].per_family && f < DATAPLANE_FAMILIES; f++) {
			base = (const char *)&s->family[f];
			if (s->family[f].enabled)
				print_value(values[i].name, values[i].type, base + values[i].offset,
					    family_labels[f], out);
		}
	}
}

static void print_buckets(enum metrics_histogram h, const struct metrics_buckets *b,
			  const char *family, struct str *out)
{
	const char *name = histograms[h].name;
	uint64_t sum = 0;

	for (size_t i = 0; i < bounds_n(h); i++) {
		sum += b->counts[i];
		str_printf(out, "kubeproxy_%s_bucket{ip_family=\"%s\",le=\"%g\"} %llu\n", name,
			   family, bound(h, i), (unsigned long long)sum);
	}
	str_printf(out, "kubeproxy_%s_bucket{ip_family=\"%s\",le=\"+Inf\"} %llu\n", name, family,
		   (unsigned long long)b->n);
	str_printf(out, "kubeproxy_%s_sum{ip_family=\"%s\"} %.9g\n", name, family, b->sum);
	str_printf(out, "kubeproxy_%s_count{ip_family=\"%s\"} %llu\n", name, family,
		   (unsigned long long)b->n);
}

static void print_histograms(const struct metrics *m, struct str *out)
{
	for (size_t h = 0; h < METRICS_HISTOGRAMS; h++) {
		print_head(out, histograms[h].name, histograms[h].help, "histogram");
		for (size_t f = 0; f < DATAPLANE_FAMILIES; f++) {
			if (m->histograms[h][f].n)
				print_buckets((enum metrics_histogram)h, &m->histograms[h][f],
					      family_labels[f], out);
		}
	}
}

static void print_answers(const char *name, const char *help, const uint64_t counts[2],
			  struct str *out)
{
	static const char *const codes[] = { "200", "503" };

	print_head(out, name, help, "counter");
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (counts[i])
			str_printf(out, "kubeproxy_%s{code=\"%s\"} %llu\n", name, codes[i],
				   (unsigned long long)counts[i]);
	}
}

static void print_process(const struct metrics_process *p, struct str *out)
{
	const struct {
		const char *name, *help, *type;
		double value;
	} rows[] = {
		{ "cpu_seconds_total", "CPU time spent", "counter", p->cpu_sec },
		{ "max_fds", "Descriptors that may be open", "gauge", (double)p->max_fds },
		{ "open_fds", "Descriptors that are open", "gauge", (double)p->open_fds },
		{ "resident_memory_bytes", "Memory in use", "gauge", (double)p->resident_bytes },
		{ "start_time_seconds", "Start, in seconds since 1970", "gauge", p->start_sec },
		{ "virtual_memory_bytes", "Address space in use", "gauge",
		  (double)p->virtual_bytes },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		str_printf(out, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s %.15g\n",
			   rows[i].name, rows[i].help, rows[i].name, rows[i].type, rows[i].name,
			   rows[i].value);
	str_printf(out,
		   "# HELP kubernetes_build_info [ALPHA] Release whose behaviour this follows\n"
		   "# TYPE kubernetes_build_info gauge\n"
		   "kubernetes_build_info{git_version=\"%s\",major=\"1\",minor=\"37\"} 1\n",
		   KUBE_VERSION);
}

void metrics_print(const struct metrics *m, const struct dataplane_status *s,
		   const struct metrics_process *process, struct str *out)
{
	print_values(s, out);
	print_histograms(m, out);
	print_answers("proxy_healthz_total", "Answers of /healthz", m->healthz, out);
	print_answers("proxy_livez_total", "Answers of /livez", m->livez, out);
	str_printf(out,
		   "# HELP keelson_masqueraded_ranges Ranges of other nodes toward which is "
		   "masqueraded\n# TYPE keelson_masqueraded_ranges gauge\n"
		   "keelson_masqueraded_ranges %llu\n",
		   (unsigned long long)m->masqueraded);
	print_process(process, out);
}
