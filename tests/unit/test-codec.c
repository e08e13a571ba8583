/* The codec: random messages there and back, presence rules, errors that name their path. */
#include "test.h"

#include <stdbool.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "k8s/authentication.pb-c.h"
#include "k8s/coordination.pb-c.h"
#include "k8s/core.pb-c.h"
#include "kube/codec.h"

static struct json_object *parse(const char *text)
{
	struct json_object *tree = NULL;
	struct err e;

	if (json_parse(text, strlen(text), &tree, &e))
		fail_msg("%s: %s", text, e.text);
	return tree;
}

static char *sorted(struct json_object *tree)
{
	struct str s = { 0 };

	json_print(tree, true, &s);
	return str_take(&s);
}

/* ---- random messages ---- */

static unsigned seed = 1;

static unsigned below(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static void fill(ProtobufCMessage *m, unsigned depth);

static char *random_text(void)
{
	static const char *const texts[] = { "",          "a", "x/y", "<&>", "caf\303\251",
					     "a\"b\\c\n", "1", "true" };

	return mem_strdup(texts[below(ARRAY_SIZE(texts))]);
}

static void fill_special(ProtobufCMessage *m)
{
	if (m->descriptor == &resource__quantity__descriptor) {
		static const char *const texts[] = { "0", "100m", "1Gi", "1500", "3e3", "2k" };
		Resource__Quantity *q = (Resource__Quantity *)m;

		proto_set_str(&q->string, texts[below(ARRAY_SIZE(texts))]);
	} else if (m->descriptor == &meta__time__descriptor) {
		Meta__Time *t = (Meta__Time *)m;

		t->has_seconds = t->has_nanos = true;
		t->seconds = below(2000000000);
	} else if (m->descriptor == &meta__micro_time__descriptor) {
		Meta__MicroTime *t = (Meta__MicroTime *)m;

		t->has_seconds = t->has_nanos = true;
		t->seconds = below(2000000000);
		t->nanos = (int32_t)below(1000000) * 1000;
	} else if (m->descriptor == &intstr__int_or_string__descriptor) {
		Intstr__IntOrString *v = (Intstr__IntOrString *)m;

		v->has_type = v->has_intval = true;
		v->type = below(2);
		v->intval = v->type ? 0 : (int32_t)below(70000);
		v->strval = mem_strdup(v->type ? "web" : "");
	}
}

static bool is_special(const ProtobufCMessageDescriptor *d)
{
	return d == &resource__quantity__descriptor || d == &meta__time__descriptor ||
	       d == &meta__micro_time__descriptor || d == &intstr__int_or_string__descriptor;
}

static void *fresh(const ProtobufCMessageDescriptor *d, unsigned depth)
{
	ProtobufCMessage *m = proto_new(d);

	if (is_special(d))
		fill_special(m);
	else
		fill(m, depth + 1);
	return m;
}

static void fill_value(const ProtobufCFieldDescriptor *f, void *at, unsigned depth)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		*(char **)at = random_text();
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(void **)at = fresh(f->descriptor, depth);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		((ProtobufCBinaryData *)at)->len = below(5);
		((ProtobufCBinaryData *)at)->data = mem_calloc(5, 1);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = below(2);
		break;
	case PROTOBUF_C_TYPE_INT64:
		*(int64_t *)at = (int64_t)below(1000) * 1000000007 - 500;
		break;
	default:
		*(int32_t *)at = (int32_t)below(100);
		break;
	}
}

static bool is_map_entry(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_MESSAGE &&
	       str_ends(((const ProtobufCMessageDescriptor *)f->descriptor)->name, "Entry");
}

static void fill_list(const ProtobufCFieldDescriptor *f, ProtobufCMessage *m, unsigned depth)
{
	size_t *n = (size_t *)((char *)m + f->quantifier_offset);
	void **list;

	if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
		return;
	*n = below(3);
	list = *n ? mem_calloc(*n, sizeof(*list)) : NULL;
	for (size_t i = 0; i < *n; i++) {
		fill_value(f, &list[i], depth);
		if (is_map_entry(f)) {
			const ProtobufCMessageDescriptor *d = f->descriptor;
			char **key = (char **)((char *)list[i] + d->fields[0].offset);

			free(*key);
			*key = str_fmt("key-%zu", i);
		}
	}
	memcpy((char *)m + f->offset, &list, sizeof(list));
}

/* Value fields are on the wire always, as the server's encoder has them; pointers sometimes. */
static void fill(ProtobufCMessage *m, unsigned depth)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;

	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		void *at = (char *)m + f->offset;

		if (depth > 5 ||
		    (f->type == PROTOBUF_C_TYPE_MESSAGE && below(3) &&
		     f->label != PROTOBUF_C_LABEL_REPEATED && !str_ends(d->name, "Entry")))
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			fill_list(f, m, depth);
			continue;
		}
		fill_value(f, at, depth);
		if (!strcmp(f->name, "raw") || !strcmp(f->name, "Raw")) {
			ProtobufCBinaryData *raw = at;

			raw->len = 2;
			memcpy(raw->data, "{}", 2);
		}
		if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
			*(protobuf_c_boolean *)((char *)m + f->quantifier_offset) = 1;
	}
}

static void random_messages_come_back(void **state)
{
	(void)state;
	for (int round = 0; round < 400; round++) {
		const struct kube_kind_info *info =
		    kube_kind_info((enum kube_kind)(round % KUBE_KIND_COUNT));
		AUTO_PROTO ProtobufCMessage *m = fresh(info->type, 0);
		AUTO_PROTO void *again = NULL;
		AUTO_JSON struct json_object *one = codec_to_json(m), *two = NULL;
		AUTO_FREE char *one_text = sorted(one), *two_text = NULL;
		struct codec_notes notes = { 0 };
		struct err e;

		if (codec_from_json(info->type, one, &notes, &again, &e))
			fail_msg("%s: %s", info->kind, e.text);
		assert_null(notes.unknown);
		two = codec_to_json(again);
		two_text = sorted(two);
		for (size_t i = 0; one_text[i] || two_text[i]; i++) {
			if (one_text[i] != two_text[i])
				fail_msg("%s: ...%.100s", info->kind,
					 one_text + (i > 50 ? i - 50 : 0));
		}
	}
}

/* ---- presence ---- */

static void presence_follows_go(void **state)
{
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *in, *want;
	} rows[] = {
		/* omitempty, always written, pointer */
		{ &core__container_port__descriptor, "{\"hostPort\":0,\"containerPort\":0}",
		  "{\"containerPort\":0}" },
		{ &core__pod_security_context__descriptor, "{\"runAsUser\":0}",
		  "{\"runAsUser\":0}" },
		{ &core__pod_security_context__descriptor, "{}", "{}" },
		/* inlined structs and struct values */
		{ &core__volume__descriptor, "{\"name\":\"v\",\"emptyDir\":{}}",
		  "{\"emptyDir\":{},\"name\":\"v\"}" },
		{ &core__container__descriptor, "{\"name\":\"c\"}",
		  "{\"name\":\"c\",\"resources\":{}}" },
		{ &core__probe__descriptor, "{\"tcpSocket\":{\"port\":80}}",
		  "{\"tcpSocket\":{\"port\":80}}" },
		/* zero times: null by value, gone with omitzero */
		{ &core__node_condition__descriptor, "{\"type\":\"Ready\",\"status\":\"True\"}",
		  "{\"lastHeartbeatTime\":null,\"lastTransitionTime\":null,\"status\":\"True\","
		  "\"type\":"
		  "\"Ready\"}" },
		{ &meta__object_meta__descriptor, "{\"creationTimestamp\":null}", "{}" },
		/* bytes, maps, quantities given as numbers */
		{ &core__secret__descriptor, "{\"data\":{\"b\":\"AAE=\",\"a\":\"\"}}",
		  "{\"data\":{\"a\":\"\",\"b\":\"AAE=\"},\"metadata\":{}}" },
		{ &core__resource_requirements__descriptor,
		  "{\"limits\":{\"cpu\":1.5,\"memory\":\"1024Mi\",\"x/y\":2}}",
		  "{\"limits\":{\"cpu\":\"1500m\",\"memory\":\"1Gi\",\"x/y\":\"2\"}}" },
		/* renamed field, bare lists */
		{ &authentication__bound_object_reference__descriptor, "{\"uid\":\"u\"}",
		  "{\"uid\":\"u\"}" },
		{ &authentication__user_info__descriptor, "{\"extra\":{\"k\":[\"a\",\"b\"]}}",
		  "{\"extra\":{\"k\":[\"a\",\"b\"]}}" },
		{ &coordination__lease_spec__descriptor,
		  "{\"renewTime\":\"2026-11-23T06:30:00.123456Z\"}",
		  "{\"renewTime\":\"2026-11-23T06:30:00.123456Z\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_JSON struct json_object *in = parse(rows[i].in), *out = NULL;
		AUTO_PROTO void *m = NULL;
		AUTO_FREE char *text = NULL;
		struct err e;

		if (codec_from_json(rows[i].type, in, NULL, &m, &e))
			fail_msg("%s: %s", rows[i].in, e.text);
		out = codec_to_json(m);
		text = sorted(out);
		assert_string_equal(text, rows[i].want);
	}
}

static void text_may_hold_a_nul(void **state)
{
	AUTO_PROTO Core__ContainerStateTerminated *t =
	    proto_new(&core__container_state_terminated__descriptor);
	struct json_object *tree;

	(void)state;
	proto_set_str(&t->message, CODEC_NUL "a" CODEC_NUL CODEC_NUL "b" CODEC_NUL);
	tree = codec_to_json(t);
	assert_string_equal(json_object_to_json_string_ext(
				json_object_object_get(tree, "message"), JSON_C_TO_STRING_PLAIN),
			    "\"\\u0000a\\u0000\\u0000b\\u0000\"");
	json_object_put(tree);
}

static void errors_name_the_path(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "{\"spec\":{\"containers\":[{},{\"image\":3}]}}",
		  "spec.containers[1].image: want a text, got int" },
		{ "{\"spec\":{\"containers\":{}}}", "spec.containers: want a list, got object" },
		{ "{\"spec\":{\"hostNetwork\":\"yes\"}}",
		  "spec.hostNetwork: want true or false, got string" },
		{ "{\"spec\":{\"priority\":3000000000}}",
		  "spec.priority: 3000000000 is outside of -2147483648..2147483647" },
		{ "{\"spec\":{\"priority\":1.5}}",
		  "spec.priority: want a whole number, got double" },
		{ "{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"x\"}}}]}}",
		  "spec.containers[0].resources.limits[cpu]: \"x\" is not a quantity like 500m or "
		  "1.5Gi" },
		{ "{\"spec\":{\"volumes\":[{\"emptyDir\":[]}]}}",
		  "spec.volumes[0].emptyDir: want an object, got array" },
		{ "{\"metadata\":{\"creationTimestamp\":\"now\"}}",
		  "metadata.creationTimestamp: \"now\" is not a time like 2006-01-02T15:04:05Z" },
		{ "{\"metadata\":{\"name\":\"a\\u0000b\"}}",
		  "metadata.name: a text with a NUL byte" },
		{ "[]", "want an object, got array" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_JSON struct json_object *in = parse(rows[i].in);
		void *m = NULL;
		struct err e;

		assert_int_equal(codec_from_json(&core__pod__descriptor, in, NULL, &m, &e), -1);
		assert_null(m);
		assert_string_equal(e.text, rows[i].want);
	}
}

static void unknown_fields_are_noted(void **state)
{
	AUTO_JSON struct json_object *in =
	    parse("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"nmae\":1,\"spec\":{\"kind\":\"x\","
		  "\"containers\":[{\"nmae\":\"c\"}],\"volumes\":[{\"emptyDir\":{\"z\":1}}]}}");
	struct codec_notes notes = { 0 };
	AUTO_PROTO void *m = NULL;

	(void)state;
	assert_int_equal(codec_from_json(&core__pod__descriptor, in, &notes, &m, NULL), 0);
	assert_int_equal(strv_len(notes.unknown), 4);
	assert_string_equal(notes.unknown[0], "nmae");
	assert_string_equal(notes.unknown[1], "spec.kind");
	assert_string_equal(notes.unknown[2], "spec.containers[0].nmae");
	assert_string_equal(notes.unknown[3], "spec.volumes[0].emptyDir.z");
	codec_notes_fini(&notes);
}

static void objects_carry_their_kind(void **state)
{
	AUTO_JSON struct json_object *in =
	    parse("{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n\"}}");
	AUTO_JSON struct json_object *other = parse("{\"kind\":\"Odd\",\"apiVersion\":\"v9\"}");
	AUTO_OBJECT struct kube_object *o = NULL, *none = NULL;
	AUTO_FREE char *text = NULL;

	(void)state;
	assert_int_equal(codec_object_from_json(in, &o, NULL), 0);
	assert_int_equal(o->kind, KUBE_NODE);
	assert_string_equal(o->meta->name, "n");
	text = codec_object_text(KUBE_NODE, o->msg);
	assert_non_null(strstr(text, "{\"kind\":\"Node\",\"apiVersion\":\"v1\","));
	assert_int_equal(codec_object_from_json(other, &none, NULL), 0);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_messages_come_back),
		cmocka_unit_test(presence_follows_go),
		cmocka_unit_test(text_may_hold_a_nul),
		cmocka_unit_test(errors_name_the_path),
		cmocka_unit_test(unknown_fields_are_noted),
		cmocka_unit_test(objects_carry_their_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
