/* What an emptyDir is made of (contract in emptydir.h). Pure. */
#include "emptydir.h"

#include <string.h>

#include "base/str.h"
#include "resource/resources.h"

#define HUGEPAGES "HugePages"
#define RESOURCE "hugepages-"

static int64_t memory_bound(const Core__PodSpec *pod, const Core__EmptyDirVolumeSource *s,
			    int64_t node_memory_bytes)
{
	int64_t limit = s->sizelimit ? resources_value(str_or(s->sizelimit->string, "0")) : 0;
	struct amounts a;

	resources_of_pod(pod, true, &a);
	if (a.has_memory_limit && (!limit || a.memory_limit_bytes < limit))
		limit = a.memory_limit_bytes;
	return limit ? limit : node_memory_bytes;
}

struct search {
	const char *medium;
	int64_t wanted; /* page size that the medium names, or 0 */
	int64_t found;
};

static int search_requests(const Core__ResourceRequirements *r, struct search *s, struct err *e)
{
	for (size_t i = 0; r && i < r->n_requests; i++) {
		const char *name = r->requests[i]->key;
		int64_t size =
		    str_starts(name, RESOURCE) ? resources_value(name + strlen(RESOURCE)) : 0;

		if (!size || (s->wanted && size != s->wanted))
			continue;
		if (s->found && s->found != size)
			return err_set(e, ERR_INVALID,
				       "medium: %s can't be used if container requests multiple "
				       "huge page sizes",
				       s->medium);
		s->found = size;
	}
	return 0;
}

static int find_page_size(const Core__PodSpec *pod, const char *medium, int64_t *ret_bytes,
			  struct err *e)
{
	bool sized = medium[strlen(HUGEPAGES)] == '-';
	struct search s = { .medium = medium };
	int r;

	if (sized)
		s.wanted = resources_value(medium + strlen(HUGEPAGES) + 1);
	if (sized && s.wanted <= 0)
		return err_set(e, ERR_INVALID, "medium %s: no size of huge pages", medium);
	r = search_requests(pod->resources, &s, e);
	for (size_t i = 0; i < pod->n_containers && r == 0; i++)
		r = search_requests(pod->containers[i]->resources, &s, e);
	for (size_t i = 0; i < pod->n_initcontainers && r == 0; i++)
		r = search_requests(pod->initcontainers[i]->resources, &s, e);
	if (r < 0)
		return -1;
	*ret_bytes = s.found;
	return s.found ? 0
		       : err_set(e, ERR_INVALID,
				 "medium %s: hugePages storage requested, but there is no resource "
				 "request for huge pages",
				 medium);
}

int emptydir_decide(const Core__PodSpec *pod, const Core__EmptyDirVolumeSource *s,
		    int64_t node_memory_bytes, struct emptydir *ret_dir, struct err *e)
{
	const char *medium = str_or(s->medium, "");
	struct emptydir d = { .medium = EMPTYDIR_DISK };

	if (str_eq(medium, "Memory")) {
		d.medium = EMPTYDIR_MEMORY;
		d.size_bytes = memory_bound(pod, s, node_memory_bytes);
	} else if (str_starts(medium, HUGEPAGES)) {
		d.medium = EMPTYDIR_HUGEPAGES;
		if (find_page_size(pod, medium, &d.page_bytes, e) < 0)
			return -1;
	} else if (*medium) {
		return err_set(e, ERR_INVALID, "unknown storage medium \"%s\"", medium);
	}
	*ret_dir = d;
	return 0;
}
