/* The content of written volumes, and the writer that switches versions. */
#include "podjson.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "volume/atomicwriter.h"
#include "volume/payload.h"

/* --- content --- */

struct objects {
	Core__ConfigMap *map;
	Core__Secret *secret;
};

/* ConfigMap "m" and Secret "s" exist, "later" is not known yet, "denied" cannot be read. */
static int object(void *ctx, enum env_source source, const char *name, const void **ret,
		  struct err *e)
{
	struct objects *o = ctx;

	if (str_eq(name, "later"))
		return 1;
	if (str_eq(name, "denied"))
		return err_set(e, ERR_FORBIDDEN, "denied");
	*ret = source == ENV_CONFIG_MAP && str_eq(name, "m") ? (const void *)o->map
	       : source == ENV_SECRET && str_eq(name, "s")   ? (const void *)o->secret
							     : NULL;
	return 0;
}

static int token(void *ctx, const Core__ServiceAccountTokenProjection *p, const char **ret,
		 struct err *e)
{
	(void)ctx;
	(void)e;
	*ret = str_eq(p->audience, "later") ? NULL : "token";
	return str_eq(p->audience, "later");
}

static int bundle(void *ctx, const Core__ClusterTrustBundleProjection *p, char **ret, struct err *e)
{
	(void)ctx;
	(void)p;
	(void)e;
	*ret = mem_strdup("certs");
	return 0;
}

static int certificate(void *ctx, size_t nth, const Core__PodCertificateProjection *p,
		       const char **ret_key, const char **ret_chain, struct err *e)
{
	(void)ctx;
	(void)nth;
	(void)p;
	(void)e;
	*ret_key = "key\n";
	*ret_chain = "chain\n";
	return 0;
}

/* "PATH:MODE=CONTENT[@UID];" or "later" or "error: …". Heap. */
static char *content(const char *pod, const char *source)
{
	static const char *const ips[] = { "10.0.0.2", NULL };
	struct podspec *spec = podjson_spec(pod);
	struct objects objects = {
		podjson(&core__config_map__descriptor,
			"{'data': {'a': '1', 'b': '2'}, 'binaryData': {'bin': 'AAE='}}"),
		podjson(&core__secret__descriptor, "{'data': {'k': 'c2VjcmV0'}}"),
	};
	struct env_input env = { .spec = spec,
				 .container = spec->containers[0].spec,
				 .pod_ips = ips };
	struct payload_input in = { spec, &env, object, token, bundle, certificate, &objects };
	AUTO_PROTO Core__VolumeSource *s = podjson(&core__volume_source__descriptor, source);
	CLEANUP(payload_fini) struct payload p = { 0 };
	struct str out = { 0 };
	struct err e;
	int r = payload_make(&in, s, &p, &e);

	if (r)
		str_printf(&out, "%s%s", r > 0 ? "later" : "error: ", r > 0 ? "" : e.text);
	for (size_t i = 0; i < p.n; i++) {
		const struct payload_file *f = &p.files[i];

		str_printf(&out, "%s:%o=%.*s", f->path, f->mode, (int)f->len,
			   f->len && f->data[0] ? (const char *)f->data : "");
		if (f->uid >= 0)
			str_printf(&out, "@%d", (int)f->uid);
		str_append(&out, ";");
	}
	proto_free(objects.map);
	proto_free(objects.secret);
	podspec_free(spec);
	return str_take(&out);
}

#define PLAIN "{'containers': [{'name': 'c'}]}"
#define AS_USER "{'securityContext': {'runAsUser': 1000}, 'containers': [{'name': 'c'}]}"
#define GROUP "{'securityContext': {'fsGroup': 5}, 'containers': [{'name': 'c'}]}"
#define MAP(more) "{'configMap': {'name': 'm'" more "}}"
#define PROJECTED(sources) "{'projected': {'sources': [" sources "]}}"
#define CERTIFICATE(paths) "{'podCertificate': {'signerName': 'a/b', " paths "}}"
#define TOKEN "{'serviceAccountToken': {'path': 'token'}}"

static const struct {
	const char *pod, *source, *want;
} rows[] = {
	{ PLAIN, MAP(""), "a:644=1;b:644=2;bin:644=;" },
	{ PLAIN, MAP(", 'defaultMode': 256"), "a:400=1;b:400=2;bin:400=;" },
	{ PLAIN, MAP(", 'items': [{'key': 'b', 'path': 'x/y', 'mode': 511}]"), "x/y:777=2;" },
	{ PLAIN, MAP(", 'items': [{'key': 'zz', 'path': 'x'}]"),
	  "error: configmap references non-existent config key: zz" },
	{ PLAIN, MAP(", 'optional': true, 'items': [{'key': 'zz', 'path': 'x'}]"), "" },
	{ PLAIN, MAP(", 'items': [{'key': 'a', 'path': '../x'}]"),
	  "error: invalid path \"../x\" in volume" },
	{ PLAIN, MAP(", 'items': [{'key': 'a', 'path': 'x/../../y'}]"),
	  "error: invalid path \"x/../../y\" in volume" },
	{ PLAIN, MAP(", 'items': [{'key': 'a', 'path': '/x'}]"),
	  "error: invalid path \"/x\" in volume" },
	{ PLAIN, "{'configMap': {'name': 'gone'}}", "error: configmap \"gone\" not found" },
	{ PLAIN, "{'configMap': {'name': 'gone', 'optional': true}}", "" },
	{ PLAIN, "{'configMap': {'name': 'later'}}", "later" },
	{ PLAIN, "{'secret': {'secretName': 's'}}", "k:644=secret;" },
	{ PLAIN, "{'secret': {'secretName': 'gone'}}", "error: secret \"gone\" not found" },
	{ PLAIN, "{'secret': {'secretName': 'denied'}}", "error: denied" },
	{ PLAIN,
	  "{'downwardAPI': {'items': [{'path': 'n', 'fieldRef': {'fieldPath': 'metadata.name'}}, "
	  "{'path': 'l', 'mode': 256, 'fieldRef': {'fieldPath': 'metadata.labels'}}]}}",
	  "n:644=pod;l:400=a=\"1\"\nb=\"2\";" },
	{ PLAIN,
	  PROJECTED(TOKEN ", {'configMap': {'name': 'm', 'items': [{'key': 'a', 'path': "
			  "'ca'}]}}, {'clusterTrustBundle': {'path': 'tb'}}"),
	  "token:644=token;ca:644=1;tb:644=certs;" },
	/* a later source wins */
	{ PLAIN,
	  PROJECTED("{'secret': {'name': 's', 'items': [{'key': 'k', 'path': 'x'}]}}, "
		    "{'configMap': {'name': 'm', 'items': [{'key': 'a', 'path': 'x'}]}}"),
	  "x:644=1;" },
	{ PLAIN, PROJECTED("{'serviceAccountToken': {'path': 't', 'audience': 'later'}}"),
	  "later" },
	/* a token is its user's alone */
	{ AS_USER, PROJECTED(TOKEN), "token:600=token@1000;" },
	{ GROUP, PROJECTED(TOKEN), "token:600=token;" },
	{ PLAIN, PROJECTED(CERTIFICATE("'credentialBundlePath': 'b'")), "b:644=key\nchain\n;" },
	{ AS_USER, PROJECTED(CERTIFICATE("'keyPath': 'k', 'certificateChainPath': 'c'")),
	  "k:600=key\n@1000;c:600=chain\n@1000;" },
};

static void contents(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *have = content(rows[i].pod, rows[i].source);

		if (strcmp(have, rows[i].want))
			fail_msg("%s: %s, not %s", rows[i].source, have, rows[i].want);
	}
}

/* --- the writer --- */

static void put(struct payload *p, const char *path, const char *text)
{
	p->files = mem_realloc(p->files, p->n + 1, sizeof(*p->files));
	p->files[p->n++] = (struct payload_file){ .path = mem_strdup(path),
						  .data = mem_dup(text, strlen(text)),
						  .len = strlen(text),
						  .mode = 0640,
						  .uid = -1 };
}

static char *slurp(const char *dir, const char *name)
{
	AUTO_FREE char *path = str_fmt("%s/%s", dir, name);
	char *text = NULL;

	return fs_read(path, 4096, &text, NULL, NULL) < 0 ? NULL : text;
}

static char *target(const char *dir, const char *name)
{
	AUTO_FREE char *path = str_fmt("%s/%s", dir, name);
	char text[256];
	ssize_t n = readlink(path, text, sizeof(text) - 1);

	return n < 0 ? NULL : mem_strndup(text, (size_t)n);
}

static size_t versions(const char *dir)
{
	DIR *list = opendir(dir);
	struct dirent *d;
	size_t n = 0;

	while ((d = readdir(list)))
		n += str_starts(d->d_name, "..2");
	closedir(list);
	return n;
}

static void require(const char *dir, const char *name, const char *want)
{
	AUTO_FREE char *have = slurp(dir, name);

	assert_true(str_eq(have, want));
}

static void writes_switch_at_once(void **state)
{
	char dir[] = "/tmp/keelson-payload-XXXXXX";
	CLEANUP(payload_fini) struct payload first = { 0 };
	CLEANUP(payload_fini) struct payload second = { 0 };
	AUTO_FREE char *before = NULL;
	AUTO_FREE char *same = NULL;
	AUTO_FREE char *after = NULL;
	AUTO_FREE char *link = NULL;
	AUTO_FD old = -1;
	struct stat st;
	struct err e;
	char byte;

	(void)state;
	assert_non_null(mkdtemp(dir));
	put(&first, "a", "one");
	put(&first, "sub/deep/b", "two");
	put(&first, "gone", "x");
	put(&second, "a", "ONE");
	put(&second, "sub/c", "three");
	assert_int_equal(atomicwriter_write(dir, &first, -1, &e), 0);
	require(dir, "a", "one");
	require(dir, "sub/deep/b", "two");
	link = target(dir, "sub");
	assert_string_equal(link, "..data/sub");
	AUTO_FREE char *a = str_fmt("%s/a", dir);
	assert_int_equal(stat(a, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);

	/* equal content: the version stays */
	before = target(dir, "..data");
	assert_int_equal(atomicwriter_write(dir, &first, -1, &e), 0);
	same = target(dir, "..data");
	assert_string_equal(before, same);

	/* a reader of the old version keeps it */
	old = open(a, O_RDONLY | O_CLOEXEC);
	assert_int_equal(atomicwriter_write(dir, &second, -1, &e), 0);
	after = target(dir, "..data");
	assert_string_not_equal(before, after);
	assert_int_equal(read(old, &byte, 1), 1);
	assert_int_equal(byte, 'o');
	require(dir, "a", "ONE");
	require(dir, "sub/c", "three");
	require(dir, "sub/deep/b", NULL);
	AUTO_FREE char *gone = target(dir, "gone");
	assert_null(gone);
	assert_int_equal(versions(dir), 1);
	assert_int_equal(fs_remove_all(dir, &e), 0);
}

static void leftovers_of_a_crash_do_not_hinder(void **state)
{
	char dir[] = "/tmp/keelson-payload-XXXXXX";
	CLEANUP(payload_fini) struct payload p = { 0 };
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	AUTO_FREE char *half = str_fmt("%s/..data_tmp", dir);
	AUTO_FREE char *data = str_fmt("%s/..data", dir);
	put(&p, "a", "one");
	/* died between the two steps of a switch, and somebody pointed the link outside */
	assert_int_equal(symlink("..nowhere", half), 0);
	assert_int_equal(symlink("/etc", data), 0);
	assert_int_equal(atomicwriter_write(dir, &p, -1, &e), 0);
	require(dir, "a", "one");
	assert_int_equal(access("/etc", F_OK), 0);
	assert_int_equal(fs_remove_all(dir, &e), 0);
}

static void missing_directory(void **state)
{
	struct payload p = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(atomicwriter_write("/nonexistent/volume", &p, -1, &e), -1);
	assert_non_null(strstr(e.text, "/nonexistent/volume"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents),
		cmocka_unit_test(writes_switch_at_once),
		cmocka_unit_test(leftovers_of_a_crash_do_not_hinder),
		cmocka_unit_test(missing_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
