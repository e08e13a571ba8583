/* Credential plugins as they may be: what they are told, and what becomes of them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/spawner.h"
#include "base/str.h"
#include "exec.h"
#include "test.h"

#define API "client.authentication.k8s.io/v1"
#define ANSWER(status) \
	"echo '{\"apiVersion\":\"" API "\",\"kind\":\"ExecCredential\",\"status\":{" status "}}'" \
											    "\n"

static struct {
	sd_event *loop;
	struct spawner *spawner;
	char dir[32];
	struct kube_exec plugin;
	struct kube_credentials credentials;
	bool over;
} t = { .dir = "/tmp/test-exec-XXXXXX" };

static void on_over(void *ctx)
{
	(void)ctx;
	t.over = true;
}

static struct exec_credential *plugin(const char *script)
{
	AUTO_FREE char *text = str_fmt("#!/bin/sh\ncd %s\n%s", t.dir, script);
	struct err e;

	if (fs_write_atomic(t.plugin.command, text, strlen(text), 0700, &e) < 0)
		fail_msg("%s", e.text);
	t.over = false;
	return exec_credential_new(t.loop, t.spawner, &t.credentials, on_over, NULL);
}

static struct exec_credential *run(const char *script)
{
	struct exec_credential *x = plugin(script);
	int64_t patience = clock_mono_usec() + 10 * USEC_PER_SEC;

	assert_false(exec_credential_ready(x));
	while (!t.over && clock_mono_usec() < patience)
		sd_event_run(t.loop, 100000);
	assert_true(t.over);
	return x;
}

/* The spawner's server is one. */
static int count_children(void)
{
	AUTO_FREE char *path = str_fmt("/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "r");
	int n = 0, pid;

	assert_non_null(f);
	while (fscanf(f, "%d", &pid) == 1)
		n++;
	fclose(f);
	return n;
}

static void is_told_of_the_cluster(void **state)
{
	static const char *const parts[] = {
		"\"server\":\"https://h:1\"",
		"\"tls-server-name\":\"n\"",
		"\"certificate-authority-data\":\"UEVNCg==\"",
		"\"proxy-url\":\"http://p\"",
		"\"interactive\":false",
	};
	AUTO_FREE char *path = str_fmt("%s/info", t.dir);
	AUTO_FREE char *info = NULL;
	struct exec_credential *x =
	    run("printf %s \"$KUBERNETES_EXEC_INFO\" > info\n" ANSWER("\"token\":\"abc\""));

	(void)state;
	assert_string_equal(exec_credential_token(x), "abc");
	assert_int_equal(fs_read(path, 1 << 16, &info, NULL, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!strstr(info, parts[i]))
			fail_msg("%s is not in %s", parts[i], info);
	}
	assert_null(strstr(info, "insecure"));
	exec_credential_free(x);
}

/* Nothing of an answer counts when a part of it is wrong. */
static void half_a_credential_is_none(void **state)
{
	static const char *const scripts[] = {
		ANSWER("\"clientCertificateData\":\"c\""),
		ANSWER("\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\","
		       "\"expirationTimestamp\":\"soon\""),
		ANSWER("\"token\":\"abc\"") "exit 1\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct exec_credential *x = run(scripts[i]);

		assert_true(exec_credential_ready(x)); /* it was tried just now */
		assert_null(exec_credential_token(x));
		assert_false(exec_credential_certificate(x, &t.credentials));
		exec_credential_free(x);
	}
}

static void children_of_the_plugin_keep_nobody(void **state)
{
	struct exec_credential *x = run("sleep 5 &\n" ANSWER("\"token\":\"abc\""));

	(void)state;
	assert_string_equal(exec_credential_token(x), "abc");
	assert_int_equal(count_children(), 1);
	exec_credential_free(x);
}

static void one_that_never_ends_is_ended(void **state)
{
	struct exec_credential *x = plugin("trap '' TERM\nsleep 100\nsleep 100\n");

	(void)state;
	assert_false(exec_credential_ready(x));
	assert_int_equal(count_children(), 2);
	exec_credential_free(x);
	assert_int_equal(count_children(), 1);
}

/* No descriptor is left for the one that tells of its end. */
static void one_that_cannot_be_watched_is_ended(void **state)
{
	struct exec_credential *x = plugin("sleep 100\n");
	struct rlimit before, few;
	int next = dup(STDIN_FILENO);
	bool ready;

	(void)state;
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)next + 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	ready = exec_credential_ready(x);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(ready);
	assert_int_equal(count_children(), 1);
	exec_credential_free(x);
}

static int setup(void **state)
{
	struct err e;

	(void)state;
	if (!mkdtemp(t.dir) || sd_event_new(&t.loop) < 0 || spawner_new(&t.spawner, &e) < 0)
		return -1;
	t.plugin = (struct kube_exec){
		.command = str_fmt("%s/plugin", t.dir),
		.api_version = API,
		.provide_cluster_info = true,
	};
	t.credentials = (struct kube_credentials){
		.server = "https://h:1",
		.tls_server_name = "n",
		.ca_pem = "PEM\n",
		.proxy_url = "http://p",
		.exec = &t.plugin,
	};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	spawner_free(t.spawner);
	sd_event_unref(t.loop);
	free(t.plugin.command);
	return fs_remove_all(t.dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_told_of_the_cluster),
		cmocka_unit_test(half_a_credential_is_none),
		cmocka_unit_test(children_of_the_plugin_keep_nobody),
		cmocka_unit_test(one_that_never_ends_is_ended),
		cmocka_unit_test(one_that_cannot_be_watched_is_ended),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
