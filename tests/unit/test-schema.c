/* proto/: the generated messages build, pack and unpack through base/proto.h. */
#include "test.h"

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "cri/runtime.pb-c.h"
#include "k8s/authentication.pb-c.h"
#include "k8s/authorization.pb-c.h"
#include "k8s/certificates.pb-c.h"
#include "k8s/coordination.pb-c.h"
#include "k8s/core.pb-c.h"
#include "k8s/discovery.pb-c.h"
#include "k8s/events.pb-c.h"
#include "k8s/node.pb-c.h"
#include "k8s/runtime.pb-c.h"
#include "k8s/storage.pb-c.h"

static void pod_survives_a_round_trip(void **state)
{
	AUTO_PROTO Core__Pod *pod = proto_new(&core__pod__descriptor);
	AUTO_PROTO Core__Pod *again = NULL;
	Core__Container *c = proto_new(&core__container__descriptor);

	(void)state;
	pod->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&pod->metadata->name, "web");
	pod->spec = proto_new(&core__pod_spec__descriptor);
	pod->spec->has_hostnetwork = true;
	pod->spec->hostnetwork = false;
	proto_set_str(&c->name, "app");
	proto_push_str(&c->n_args, &c->args, "-v");
	proto_push(&pod->spec->n_containers, &pod->spec->containers, c);
	again = proto_dup(pod);
	assert_string_equal(again->metadata->name, "web");
	assert_null(again->metadata->namespace_);
	assert_true(again->spec->has_hostnetwork);
	assert_string_equal(again->spec->containers[0]->args[0], "-v");
}

/* proto3 has no absent strings: the runtime's side must never see NULL. */
static void proto3_strings_are_empty(void **state)
{
	AUTO_PROTO Cri__PodSandboxConfig *config = proto_new(&cri__pod_sandbox_config__descriptor);
	AUTO_PROTO Cri__PodSandboxConfig *again = NULL;

	(void)state;
	assert_string_equal(config->hostname, "");
	config->linux = proto_new(&cri__linux_pod_sandbox_config__descriptor);
	proto_set_str(&config->linux->cgroup_parent, "/kubepods");
	again = proto_dup(config);
	assert_string_equal(again->hostname, "");
	assert_string_equal(again->linux->cgroup_parent, "/kubepods");
	proto_set_str(&again->hostname, "n1");
	assert_string_equal(again->hostname, "n1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pod_survives_a_round_trip),
		cmocka_unit_test(proto3_strings_are_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
