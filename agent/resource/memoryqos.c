/* Memory protection and throttling (contract in memoryqos.h). Pure. */
#include "memoryqos.h"

#include "base/str.h"
#include "resources.h"

enum { PAGE_BYTES = 4096, UNSAID = -1 };

/* 0 where nothing is to be throttled. */
static int64_t high_of(const struct memory_qos *q, int64_t request, int64_t limit)
{
	double mark = (double)request + ((double)limit - (double)request) * q->factor;
	int64_t pages = (int64_t)(mark / PAGE_BYTES);

	return pages * PAGE_BYTES > request ? pages * PAGE_BYTES : 0;
}

static bool pod_has_resources(const Core__PodSpec *spec)
{
	return spec->resources && (spec->resources->n_limits || spec->resources->n_requests);
}

/* The pod's own mark reaches the container: the kernel looks at all above it. */
static bool left_to_pod(const Core__PodSpec *spec, int64_t limit)
{
	return !limit && pod_has_resources(spec) &&
	       resources_value(resources_limit(spec->resources, "memory")) > 0;
}

struct memory_marks memoryqos_of_container(const struct memory_qos *q, const Core__PodSpec *spec,
					   const Core__Container *c)
{
	struct memory_marks m = { 0, 0, UNSAID };
	int64_t request = resources_value(resources_request(c->resources, "memory"));
	int64_t limit = resources_value(resources_limit(c->resources, "memory"));
	bool guaranteed = str_eq(resources_qos(spec), "Guaranteed");

	if (q->tiered && request) {
		m.min_bytes = guaranteed ? request : UNSAID;
		m.low_bytes = guaranteed ? UNSAID : request;
	}
	if (q->factor > 0 && !left_to_pod(spec, limit) && (request != limit || !request)) {
		int64_t high = high_of(q, request, limit ? limit : q->allocatable_bytes);

		m.high_bytes = high ? high : UNSAID;
	}
	return m;
}

void memoryqos_of_pod(const struct memory_qos *q, const Core__PodSpec *spec,
		      struct cgroup_limits *limits)
{
	struct amounts a;

	if (!q->on)
		return;
	resources_of_pod(spec, true, &a);
	if (q->tiered && str_eq(resources_qos(spec), "Guaranteed"))
		limits->memory_min_bytes = a.memory_request_bytes;
	else if (q->tiered)
		limits->memory_low_bytes = a.memory_request_bytes;
	if (q->factor > 0 && pod_has_resources(spec) && a.has_memory_limit &&
	    a.memory_request_bytes != a.memory_limit_bytes)
		limits->memory_high_bytes =
		    high_of(q, a.memory_request_bytes, a.memory_limit_bytes);
}
