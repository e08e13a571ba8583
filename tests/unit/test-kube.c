/* Inside lib/kube: envelopes, kubeconfig, the event correlator. */
#include "test.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "certificate.h"
#include "correlate.h"
#include "k8s/core.pb-c.h"
#include "kube/event.h"
#include "kube/kubeconfig.h"
#include "kube/object.h"
#include "kube/wire.h"

/* ---- envelopes ---- */

static void envelopes_open_as_sealed(void **state)
{
	const uint8_t raw[] = { 1, 2, 3 };
	struct wire_object o;
	AUTO_FREE uint8_t *bytes = NULL;
	size_t len;

	(void)state;
	bytes = wire_seal("v1", "Pod", (struct wire_slice){ raw, sizeof(raw) }, &len);
	assert_int_equal(wire_open((struct wire_slice){ bytes, len }, &o, NULL), 0);
	assert_string_equal(o.kind, "Pod");
	assert_string_equal(o.api_version, "v1");
	assert_int_equal(o.raw.len, sizeof(raw));
	assert_memory_equal(o.raw.p, raw, sizeof(raw));
	/* an end inside of a field is told; an end between two leaves an empty object */
	for (size_t cut = 0; cut < 4; cut++)
		assert_int_equal(wire_open((struct wire_slice){ bytes, cut }, &o, NULL), -1);
	assert_int_equal(wire_open((struct wire_slice){ bytes, len - 1 }, &o, NULL), -1);
}

static void stripping_keeps_all_but_managed_fields(void **state)
{
	AUTO_PROTO Core__Pod *pod = proto_new(&core__pod__descriptor);
	AUTO_PROTO Core__Pod *lean = NULL;
	Meta__ManagedFieldsEntry *m = proto_new(&meta__managed_fields_entry__descriptor);
	AUTO_FREE uint8_t *bytes = NULL, *stripped = NULL;
	size_t len, stripped_len;

	(void)state;
	pod->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&pod->metadata->name, "p");
	proto_set_str(&pod->metadata->uid, "u");
	proto_set_str(&m->manager, "kubectl");
	proto_push(&pod->metadata->n_managedfields, &pod->metadata->managedfields, m);
	pod->spec = proto_new(&core__pod_spec__descriptor);
	proto_set_str(&pod->spec->nodename, "n");
	bytes = proto_pack(pod, &len);
	stripped = wire_strip((struct wire_slice){ bytes, len }, &stripped_len);
	assert_true(stripped_len < len);
	lean = proto_unpack(&core__pod__descriptor, stripped, stripped_len, NULL);
	assert_int_equal(lean->metadata->n_managedfields, 0);
	assert_string_equal(lean->metadata->uid, "u");
	assert_string_equal(lean->spec->nodename, "n");
}

static void objects_without_metadata_have_an_empty_one(void **state)
{
	AUTO_OBJECT struct kube_object *pod =
	    kube_object_new(KUBE_POD, proto_new(&core__pod__descriptor));
	AUTO_OBJECT struct kube_object *status =
	    kube_object_new(KUBE_STATUS, proto_new(&meta__status__descriptor));

	(void)state;
	assert_non_null(pod->meta);
	assert_null(status->meta->name);
	kube_object_unref(kube_object_ref(pod));
}

/* ---- kubeconfig ---- */

#define CONFIG(cluster, user) \
	"current-context: a\ncontexts: [{name: b, context: {}}, {name: a, context: {cluster: c, " \
	"user: " \
	"u, namespace: ns}}]\nclusters: [{name: c, cluster: {" cluster \
	"}}]\nusers: [{name: u, user: {" user "}}]\n"

static void kubeconfigs_are_read(void **state)
{
	static const char text[] = CONFIG(
	    "server: \"https://h:1/\", certificate-authority-data: Q0E=, tls-server-name: t, "
	    "proxy-url: \"http://p:2\"",
	    "client-certificate-data: QUI=, client-key-data: Q0Q=, tokenFile: tok, exec: {command: "
	    "./x, apiVersion: v, args: [1, b], env: [{name: NAME, value: V}], installHint: hint}");
	CLEANUP(kube_credentials_freep) struct kube_credentials *c = NULL;
	struct err e;

	(void)state;
	if (kubeconfig_parse(text, strlen(text), "/dir", &c, &e))
		fail_msg("%s", e.text);
	assert_string_equal(c->server, "https://h:1");
	assert_string_equal(c->ca_pem, "CA");
	assert_string_equal(c->cert_pem, "AB");
	assert_string_equal(c->key_pem, "CD");
	assert_string_equal(c->tls_server_name, "t");
	assert_string_equal(c->proxy_url, "http://p:2");
	assert_string_equal(c->token_file, "/dir/tok");
	assert_string_equal(c->ns, "ns");
	assert_string_equal(c->exec->command, "/dir/./x");
	assert_string_equal(c->exec->args[1], "b");
	assert_string_equal(c->exec->env[0], "NAME=V");
}

static void bad_kubeconfigs_are_explained(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "a kubeconfig is a map" },
		{ "a: [", "YAML line 2: " },
		{ "kind: Config", "current-context is not given" },
		{ "current-context: x", "there is no context \"x\"" },
		{ "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]",
		  "context \"x\": there is no cluster \"c\"" },
		{ CONFIG("", ""), "cluster \"c\": server is not given" },
		{ CONFIG("server: s, certificate-authority: missing.crt", ""),
		  "cluster \"c\": certificate-authority: open /dir/missing.crt: No such file" },
		{ CONFIG("server: s, certificate-authority-data: \"!\"", ""),
		  "cluster \"c\": certificate-authority-data is not base64" },
		{ CONFIG(
		      "server: s, certificate-authority-data: Q0E=, insecure-skip-tls-verify: true",
		      ""),
		  "exclude each other" },
		{ CONFIG("server: s", "client-certificate-data: QUI="), "come together" },
		{ CONFIG("server: s", "exec: {command: x}"), "command and apiVersion" },
	};
	struct kube_credentials *c = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(
		    kubeconfig_parse(rows[i].text, strlen(rows[i].text), "/dir", &c, &e), -1);
		assert_null(c);
		if (!strstr(e.text, rows[i].want))
			fail_msg("got \"%s\", want \"%s\"", e.text, rows[i].want);
	}
}

/* ---- events ---- */

static Core__Event *event_of(const char *pod, const char *reason, const char *message)
{
	Core__Event *e = proto_new(&core__event__descriptor);

	e->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&e->metadata->name, message);
	e->source = proto_new(&core__event_source__descriptor);
	e->involvedobject = proto_new(&core__object_reference__descriptor);
	proto_set_str(&e->involvedobject->name, pod);
	proto_set_str(&e->type, "Normal");
	proto_set_str(&e->reason, reason);
	proto_set_str(&e->message, message);
	return e;
}

struct seen {
	enum correlate_outcome outcome;
	int count;
	char name[64], message[128];
};

static struct seen send(struct correlator *c, const char *pod, const char *reason,
			const char *message, int64_t sec)
{
	AUTO_PROTO Core__Event *e = event_of(pod, reason, message);
	struct seen s = { .outcome = correlate(c, e, sec * 1000000) };

	s.count = e->count;
	snprintf(s.name, sizeof(s.name), "%s", e->metadata->name);
	snprintf(s.message, sizeof(s.message), "%s", e->message);
	return s;
}

static void repeats_are_counted(void **state)
{
	struct correlator *c = correlator_new();
	struct seen s;

	(void)state;
	assert_int_equal(send(c, "p", "R", "m", 1).outcome, CORRELATE_CREATE);
	s = send(c, "p", "R", "m", 2);
	assert_int_equal(s.outcome, CORRELATE_PATCH);
	assert_int_equal(s.count, 2);
	assert_string_equal(s.name, "m");
	assert_int_equal(send(c, "q", "R", "m", 3).outcome, CORRELATE_CREATE);
	correlator_free(c);
}

static void similar_ones_are_combined(void **state)
{
	struct correlator *c = correlator_new();
	struct seen s = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++) {
		char text[8];

		snprintf(text, sizeof(text), "%d", i);
		s = send(c, "p", "R", text, i);
		assert_int_equal(s.outcome, CORRELATE_CREATE);
	}
	assert_string_equal(s.message, "(combined from similar events): 9");
	s = send(c, "p", "R", "another", 11);
	assert_int_equal(s.outcome, CORRELATE_PATCH);
	assert_int_equal(s.count, 2);
	/* another reason is another group, and after ten quiet minutes a new one begins */
	assert_string_equal(send(c, "p", "S", "x", 12).message, "x");
	assert_string_equal(send(c, "p", "R", "late", 700).message, "late");
	correlator_free(c);
}

static void spam_is_held_back(void **state)
{
	struct correlator *c = correlator_new();
	int passed = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		passed += send(c, "p", "R", "m", 1).outcome != CORRELATE_SKIP;
	assert_int_equal(passed, 25);
	assert_int_equal(send(c, "p", "R", "m", 300).outcome, CORRELATE_SKIP);
	assert_int_equal(send(c, "p", "R", "m", 302).outcome, CORRELATE_PATCH);
	assert_int_equal(send(c, "other", "R", "m", 302).outcome, CORRELATE_CREATE);
	correlator_free(c);
}

static void caches_are_bounded(void **state)
{
	struct correlator *c = correlator_new();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		char pod[16];

		snprintf(pod, sizeof(pod), "p%d", i);
		assert_int_equal(send(c, pod, "R", "m", i).outcome, CORRELATE_CREATE);
	}
	/* forgotten, so new again */
	assert_int_equal(send(c, "p0", "R", "m", 10000).outcome, CORRELATE_CREATE);
	assert_int_equal(send(c, "p9999", "R", "m", 10000).outcome, CORRELATE_PATCH);
	correlator_free(c);
}

static void names_of_events_are_valid(void **state)
{
	AUTO_FREE char *plain = correlate_name("web-0", 1), *odd = correlate_name("_Node A", 1);

	(void)state;
	assert_string_equal(plain, "web-0.3e8");
	assert_string_equal(odd, "xnode-a.3e8");
}

static char *make_certificate(time_t from, time_t to)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *c = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;
	long n;

	ASN1_TIME_set(X509_getm_notBefore(c), from);
	ASN1_TIME_set(X509_getm_notAfter(c), to);
	X509_set_pubkey(c, key);
	X509_sign(c, key, EVP_sha256());
	PEM_write_bio_X509(bio, c);
	n = BIO_get_mem_data(bio, &text);
	copy = mem_strndup(text, (size_t)n);
	BIO_free(bio);
	X509_free(c);
	EVP_PKEY_free(key);
	return copy;
}

static void certificates_tell_why_they_are_refused(void **state)
{
	const int64_t noon = 1800000000; /* 2027-01-15T08:00:00Z */
	AUTO_FREE char *pem = make_certificate(noon - 100, noon + 100);
	struct err e;

	(void)state;
	assert_int_equal(certificate_check(pem, "/pki/a.pem", noon, &e), 0);
	assert_int_equal(certificate_check(pem, "/pki/a.pem", noon + 101, &e), -1);
	assert_int_equal(e.code, ERR_UNAUTHORIZED);
	assert_string_equal(e.text, "client certificate /pki/a.pem expired at "
				    "2027-01-15T08:01:40Z: renew it (kubeadm certs renew, or join "
				    "again); it is read again when the API server refuses it");
	assert_int_equal(certificate_check(pem, NULL, noon - 101, &e), -1);
	assert_string_equal(e.text, "the client certificate in the kubeconfig is valid only from "
				    "2027-01-15T07:58:20Z on: set this host's clock");
	assert_int_equal(certificate_check("what", NULL, noon, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelopes_open_as_sealed),
		cmocka_unit_test(stripping_keeps_all_but_managed_fields),
		cmocka_unit_test(objects_without_metadata_have_an_empty_one),
		cmocka_unit_test(kubeconfigs_are_read),
		cmocka_unit_test(bad_kubeconfigs_are_explained),
		cmocka_unit_test(repeats_are_counted),
		cmocka_unit_test(similar_ones_are_combined),
		cmocka_unit_test(spam_is_held_back),
		cmocka_unit_test(caches_are_bounded),
		cmocka_unit_test(names_of_events_are_valid),
		cmocka_unit_test(certificates_tell_why_they_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
