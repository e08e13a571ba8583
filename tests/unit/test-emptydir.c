/* Medium and size of an emptyDir as a table. */
#include "podjson.h"

#include "base/str.h"
#include "volume/emptydir.h"

#define ASKS(requests) "'resources': {'requests': {" requests "}}"
#define POD(asks) "{'containers': [{'name': 'a'}, {'name': 'b', " asks "}]}"
#define NO_REQUEST ": hugePages storage requested, but there is no resource request for huge pages"

static const struct {
	const char *pod, *source, *want; /* "medium size page" or the error */
} rows[] = {
	{ POD(ASKS("")), "{}", "0 0 0" },
	{ POD(ASKS("")), "{'sizeLimit': '8Mi'}", "0 0 0" },
	{ POD(ASKS("")), "{'medium': 'Memory'}", "1 1000 0" },
	{ POD(ASKS("")), "{'medium': 'Memory', 'sizeLimit': '2k'}", "1 2000 0" },
	{ "{'containers': [{'name': 'a', 'resources': {'limits': {'memory': '500'}}}]}",
	  "{'medium': 'Memory', 'sizeLimit': '2k'}", "1 500 0" },
	{ POD(ASKS("'hugepages-2Mi': '4Mi'")), "{'medium': 'HugePages'}", "2 0 2097152" },
	{ "{" ASKS("'hugepages-1Gi': '1Gi'") ", 'containers': [{'name': 'a'}]}",
	  "{'medium': 'HugePages'}", "2 0 1073741824" },
	{ POD(ASKS("'hugepages-2Mi': '4Mi', 'hugepages-1Gi': '1Gi'")),
	  "{'medium': 'HugePages-1Gi'}", "2 0 1073741824" },
	{ POD(ASKS("'hugepages-2Mi': '4Mi', 'hugepages-1Gi': '1Gi'")), "{'medium': 'HugePages'}",
	  "medium: HugePages can't be used if container requests multiple huge page sizes" },
	{ POD(ASKS("'memory': '1Mi'")), "{'medium': 'HugePages'}", "medium HugePages" NO_REQUEST },
	{ POD(ASKS("'hugepages-2Mi': '4Mi'")), "{'medium': 'HugePages-1Gi'}",
	  "medium HugePages-1Gi" NO_REQUEST },
	{ POD(ASKS("'hugepages-2Mi': '4Mi'")), "{'medium': 'HugePages-x'}",
	  "medium HugePages-x: no size of huge pages" },
	{ POD(ASKS("")), "{'medium': 'Tape'}", "unknown storage medium \"Tape\"" },
};

static void media(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Core__PodSpec *pod = podjson(&core__pod_spec__descriptor, rows[i].pod);
		Core__EmptyDirVolumeSource *s =
		    podjson(&core__empty_dir_volume_source__descriptor, rows[i].source);
		AUTO_FREE char *have = NULL;
		struct emptydir d;
		struct err e;

		if (emptydir_decide(pod, s, 1000, &d, &e) < 0)
			have = mem_strdup(e.text);
		else
			have = str_fmt("%d %lld %lld", d.medium, (long long)d.size_bytes,
				       (long long)d.page_bytes);
		assert_string_equal(have, rows[i].want);
		proto_free(pod);
		proto_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(media) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
