/* Static pods in the set of pods, and their mirrors as the API's word comes. */
#include "base/clock.h"
#include "base/mem.h"
#include "pod/mirrors.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(another_pod_under_the_same_uid, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mirror_that_is_gone_stays_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(any_grace_can_be_reckoned_with, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
