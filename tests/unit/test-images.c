/* Image references and registry credentials. */
#include "test.h"

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "image/imagename.h"
#include "image/keyring.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void references(void **state)
{
	static const struct {
		const char *image, *tagged, *registry, *repository; /* tagged NULL: invalid */
	} rows[] = {
		{ "busybox", "busybox:latest", "docker.io", "docker.io/library/busybox" },
		{ "busybox:1", "busybox:1", "docker.io", "docker.io/library/busybox" },
		{ "me/app", "me/app:latest", "docker.io", "docker.io/me/app" },
		{ "localhost/app", "localhost/app:latest", "localhost", "localhost/app" },
		{ "host:5000/app", "host:5000/app:latest", "host:5000", "host:5000/app" },
		{ "host:5000/a/b:v1", "host:5000/a/b:v1", "host:5000", "host:5000/a/b" },
		{ "r.example/a@sha256:" HEX64, "r.example/a@sha256:" HEX64, "r.example",
		  "r.example/a" },
		{ "r.example/a:t@sha256:" HEX64, "r.example/a:t@sha256:" HEX64, "r.example",
		  "r.example/a" },
		{ "a_b/c__d/e-f.g", "a_b/c__d/e-f.g:latest", "docker.io",
		  "docker.io/a_b/c__d/e-f.g" },
		{ "", NULL, NULL, NULL },
		{ "Upper", NULL, NULL, NULL },
		{ "a/Upper", NULL, NULL, NULL },
		{ "a:", NULL, NULL, NULL },
		{ "a:-t", NULL, NULL, NULL },
		{ "a@sha256:12", NULL, NULL, NULL },
		{ "a@" HEX64, NULL, NULL, NULL },
		{ "a//b", NULL, NULL, NULL },
		{ "a/", NULL, NULL, NULL },
		{ "/a", NULL, NULL, NULL },
		{ "-a", NULL, NULL, NULL },
		{ "a-", NULL, NULL, NULL },
		{ "a..b", NULL, NULL, NULL },
		{ "a___b", NULL, NULL, NULL },
		{ "a b", NULL, NULL, NULL },
		{ "r.example/", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e;
		AUTO_FREE char *tagged = imagename_with_tag(rows[i].image, &e);
		AUTO_FREE char *registry = imagename_registry(rows[i].image);
		AUTO_FREE char *repository = imagename_repository(rows[i].image);

		if (!str_eq(tagged, rows[i].tagged))
			fail_msg("%s: %s", rows[i].image, str_or(tagged, e.text));
		if (!tagged)
			continue;
		assert_string_equal(registry, rows[i].registry);
		assert_string_equal(repository, rows[i].repository);
	}
}

static void refusals_say_why(void **state)
{
	static const struct {
		const char *image, *why; /* after: couldn't parse image name "…" */
	} rows[] = {
		{ "", "invalid reference format" },
		{ "a b", "invalid reference format" },
		{ "a:-t", "invalid reference format" },
		{ "a@sha256:12", "invalid reference format" },
		{ "No Such@Name", "invalid reference format: repository name (library/No "
				  "Such@Name) must be lowercase" },
		{ "Upper:Tag", "invalid reference format: repository name (library/Upper) must be "
			       "lowercase" },
		{ "docker.io/Upper", "invalid reference format: repository name (library/Upper) "
				     "must be lowercase" },
		{ "r.example/a/Upper", "invalid reference format: repository name (a/Upper) must "
				       "be lowercase" },
		{ HEX64, "invalid repository name (" HEX64 "), cannot specify 64-byte hexadecimal "
			 "strings" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *want =
		    str_fmt("couldn't parse image name \"%s\": %s", rows[i].image, rows[i].why);
		struct err e;

		assert_null(imagename_with_tag(rows[i].image, &e));
		assert_string_equal(e.text, want);
	}
}

/* dTpwOng= is u:p:x */
#define CONFIG \
	"{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"dTpwOng=\"}, " \
	"\"r.example\": {\"username\": \"r\", \"password\": \"1\"}, " \
	"\"r.example/team\": {\"username\": \"team\", \"password\": \"2\"}, " \
	"\"*.cloud.example\": {\"username\": \"glob\", \"identitytoken\": \"t\"}, " \
	"\"host:5000\": {\"username\": \"port\"}, \"broken\": 3}}"

static void credentials(void **state)
{
	static const struct {
		const char *image, *users;
	} rows[] = {
		{ "busybox", "u " },
		{ "docker.io/me/app:1", "u " },
		{ "r.example/app", "r " },
		/* the longest match comes first */
		{ "r.example/team/app:1", "team r " },
		{ "eu.cloud.example/app", "glob " },
		{ "a.eu.cloud.example/app", "" },
		{ "cloud.example/app", "" },
		{ "host:5000/app", "port " },
		{ "host.example/app", "" },
		{ "xr.example/app", "" },
	};
	CLEANUP(keyring_fini) struct keyring k = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(keyring_add(&k, CONFIG, strlen(CONFIG), &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Cri__AuthConfig **auths;
		AUTO_STR users = { 0 };
		size_t n;

		keyring_lookup(&k, rows[i].image, &n, &auths);
		for (size_t j = 0; j < n; j++) {
			str_printf(&users, "%s ", auths[j]->username);
			if (str_eq(auths[j]->username, "u"))
				assert_string_equal(auths[j]->password, "p:x");
			if (str_eq(auths[j]->username, "glob"))
				assert_string_equal(auths[j]->identity_token, "t");
			proto_free(auths[j]);
		}
		free(auths);
		if (strcmp(str_text(&users), rows[i].users))
			fail_msg("%s: %s", rows[i].image, str_text(&users));
	}
}

static void documents(void **state)
{
	static const struct {
		const char *text;
		int r;
		size_t n;
	} rows[] = {
		{ "{}", 0, 0 },
		{ "{\"auths\": {}}", 0, 0 },
		{ "{\"auths\": 1}", 0, 0 },
		/* .dockercfg: without the outer object */
		{ "{\"r.example\": {\"username\": \"u\"}}", 0, 1 },
		{ "{\"auths\": {\"r\": {\"auth\": \"!!\"}}}", 0, 1 },
		{ "{\"auths\": {\"r\": {\"auth\": \"bm9jb2xvbg==\"}}}", 0, 1 },
		{ "", -1, 0 },
		{ "[]", -1, 0 },
		{ "{\"auths\"", -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(keyring_fini) struct keyring k = { 0 };
		struct err e;

		assert_int_equal(keyring_add(&k, rows[i].text, strlen(rows[i].text), &e),
				 rows[i].r);
		assert_int_equal(k.n, rows[i].n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(credentials),
		cmocka_unit_test(documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
