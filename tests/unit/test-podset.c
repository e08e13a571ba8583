/* Pods as they come into the set and leave it, and mirrors as the API's word comes. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "pod/mirrors.h"
#include "pod/podobserve.h"
#include "pod/podset.h"
#include "podjson.h"
#include "volume/volumes.h"

static struct pod_environment env;

#define HASH "'kubernetes.io/config.hash': 'own'"
#define MIRROR "'kubernetes.io/config.mirror': 'own'"

static struct kube_object *object(const char *meta, const char *spec)
{
	Core__Pod *pod = proto_new(&core__pod__descriptor);

	pod->metadata = podjson(&meta__object_meta__descriptor, meta);
	pod->spec = podjson(&core__pod_spec__descriptor, spec);
	return kube_object_new(KUBE_POD, pod);
}

static struct pod *put(const char *meta, const char *spec)
{
	struct kube_object *o = object(meta, spec);

	podset_put_static(env.set, o);
	kube_object_unref(o);
	return podset_get(env.set, "own");
}

#define META "{'name': 'web', 'namespace': 'ns', 'uid': 'own', 'annotations': {" HASH "}}"
#define SPEC \
	"{'containers': [{'name': 'a', 'image': 'x', 'resources': {'limits': {'cpu': '1', " \
	"'memory': '1Gi'}}}], 'volumes': [{'name': 'v'}]}"

/* A UID that a manifest gives itself: what cannot change in a living pod begins as another one. */
static void another_pod_under_the_same_uid(void **state)
{
	static const struct {
		const char *meta, *spec;
		bool ends;
	} rows[] = {
		{ META, SPEC, false },
		/* the same, written in another order */
		{ META,
		  "{'volumes': [{'name': 'v'}], 'containers': [{'image': 'x', 'name': 'a', "
		  "'resources': {'limits': {'memory': '1Gi', 'cpu': '1'}}}]}",
		  false },
		{ "{'name': 'web', 'namespace': 'ns', 'uid': 'own', 'labels': {'a': 'b'}}", SPEC,
		  false },
		{ "{'name': 'web2', 'namespace': 'ns', 'uid': 'own'}", SPEC, true },
		{ "{'name': 'web', 'namespace': 'ns2', 'uid': 'own'}", SPEC, true },
		{ META, "{'containers': [{'name': 'a', 'image': 'x'}]}", true },
		{ META,
		  "{'containers': [{'name': 'a', 'image': 'x', 'resources': {'limits': {'cpu': "
		  "'1', 'memory': '1Gi'}}}], 'volumes': []}",
		  true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pod *p = put(META, SPEC);

		assert_true(p->is_static && !p->gone);
		put(rows[i].meta, rows[i].spec);
		if (p->gone != rows[i].ends)
			fail_msg("row %zu", i);
		if (!p->gone)
			continue;
		/* what it was stays until it has ended */
		assert_string_equal(p->spec->name, "web");
		assert_int_equal(p->spec->pod->spec->n_volumes, 1);
		podset_free(env.set);
		env.set = podset_new(&env);
	}
}

/* The answer to a creation may come after the watch has told of the mirror, and of its end. */
static void a_mirror_that_is_gone_stays_gone(void **state)
{
	struct kube_object *mirror =
	    object("{'name': 'web', 'namespace': 'ns', 'uid': 'm1', 'resourceVersion': '5', "
		   "'annotations': {" MIRROR "}}",
		   SPEC);
	struct kube_object *next =
	    object("{'name': 'web', 'namespace': 'ns', 'uid': 'm2', 'resourceVersion': '7', "
		   "'annotations': {" MIRROR "}}",
		   SPEC);
	struct pod *p = put(META, SPEC);

	(void)state;
	assert_true(mirrors_is_mirror(mirror));
	assert_null(mirrors_uid(env.mirrors, p));
	mirrors_put(env.mirrors, mirror);
	assert_string_equal(mirrors_uid(env.mirrors, p), "m1");
	mirrors_remove(env.mirrors, mirror);
	assert_null(mirrors_uid(env.mirrors, p));
	mirrors_put(env.mirrors, mirror);
	assert_null(mirrors_uid(env.mirrors, p));
	mirrors_put(env.mirrors, next);
	assert_string_equal(mirrors_uid(env.mirrors, p), "m2");
	kube_object_unref(mirror);
	kube_object_unref(next);
}

static void any_grace_can_be_reckoned_with(void **state)
{
	struct pod *p = put(META, "{'terminationGracePeriodSeconds': 9223372036854775807, "
				  "'containers': [{'name': 'a', 'image': 'x'}]}");

	(void)state;
	assert_int_equal(podspec_grace_sec(p->spec), INT32_MAX);
	pod_enter(p, POD_TERMINATING);
	assert_true(p->terminate_by_usec > clock_mono_usec());
}

/* --- leaving --- */

struct place {
	char root[32], *logs;
	struct podconfig_node node;
	sd_event *never; /* runs the observer, which so shows nothing */
};

static char *make_dir(char *path)
{
	assert_int_equal(fs_mkdir_all(path, 0700, NULL), 0);
	return path;
}

static void run_until_dropped(void)
{
	while (job_pool_pending(env.jobs))
		assert_true(sd_event_run(env.loop, 5 * USEC_PER_SEC) >= 0);
}

/* from: puts the pod that has the UID "own" */
static void leaves(const struct place *place, void (*from)(struct podset *, struct kube_object *),
		   bool comes_back)
{
	AUTO_FREE char *logs = make_dir(str_fmt("%s/logs/ns_web_own/a", place->root));
	AUTO_FREE char *dir = make_dir(str_fmt("%s/pods/own/volumes", place->root));
	struct kube_object *o = object(META, SPEC);
	struct pod *p;

	from(env.set, o);
	p = podset_get(env.set, "own");
	if (p->is_static)
		podset_keep_static(env.set, &(struct map){ 0 });
	else
		podset_remove(env.set, o);
	assert_true(p->gone);
	podset_drop(p);
	assert_ptr_equal(podset_get(env.set, "own"), p);
	if (comes_back)
		from(env.set, o);
	run_until_dropped();
	*strrchr(logs, '/') = *strrchr(dir, '/') = 0;
	assert_int_not_equal(access(logs, F_OK), 0);
	assert_int_not_equal(access(dir, F_OK), 0);
	kube_object_unref(o);
}

static void a_pod_leaves_when_its_directories_are_gone(void **state)
{
	const struct place *place = *state;
	struct pod *p;

	leaves(place, podset_put_static, false);
	assert_null(podset_get(env.set, "own"));
	leaves(place, podset_put, false);
	assert_null(podset_get(env.set, "own"));
	/* a file is asked again; what the API said is remembered */
	leaves(place, podset_put_static, true);
	assert_null(podset_get(env.set, "own"));
	leaves(place, podset_put, true);
	p = podset_get(env.set, "own");
	assert_true(p && !p->gone && !p->dropping && p->phase == POD_SYNC);
}

/* Logs that cannot be removed keep nothing else. */
static void each_of_the_remains_is_tried(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *dir = make_dir(str_fmt("%s/pods/own", place->root));
	struct pod *p = put(META, SPEC);

	place->node.pod_logs_dir = "/dev/null";
	podset_keep_static(env.set, &(struct map){ 0 });
	podset_drop(p);
	run_until_dropped();
	assert_int_not_equal(access(dir, F_OK), 0);
}

static int setup(void **state)
{
	(void)state;
	env = (struct pod_environment){ 0 };
	if (sd_event_new(&env.loop) < 0)
		return -1;
	env.volumes = volumes_new(&env);
	env.set = podset_new(&env);
	env.mirrors = mirrors_new(&env);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	podset_free(env.set);
	mirrors_free(env.mirrors);
	volumes_free(env.volumes);
	sd_event_unref(env.loop);
	return 0;
}

static int setup_place(void **state)
{
	struct place *place = NEW(struct place);

	strcpy(place->root, "/tmp/test-podset.XXXXXX");
	if (setup(state) < 0 || !mkdtemp(place->root) || sd_event_new(&place->never) < 0 ||
	    job_pool_new(env.loop, 1, &env.jobs, NULL) < 0)
		return -1;
	place->logs = str_fmt("%s/logs", place->root);
	place->node =
	    (struct podconfig_node){ .root_dir = place->root, .pod_logs_dir = place->logs };
	env.node = &place->node;
	env.observe = podobserve_new(place->never, NULL, &(struct podobserve_ops){ 0 }, NULL);
	*state = place;
	return 0;
}

static int teardown_place(void **state)
{
	struct place *place = *state;

	job_pool_free(env.jobs);
	teardown(state);
	podobserve_free(env.observe);
	sd_event_unref(place->never);
	fs_remove_all(place->root, NULL);
	free(place->logs);
	free(place);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(another_pod_under_the_same_uid, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mirror_that_is_gone_stays_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(any_grace_can_be_reckoned_with, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pod_leaves_when_its_directories_are_gone,
						setup_place, teardown_place),
		cmocka_unit_test_setup_teardown(each_of_the_remains_is_tried, setup_place,
						teardown_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
