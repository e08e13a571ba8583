/* The messages with a JSON form of their own (contract in special.h). Pure. */
#include "special.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "k8s/intstr.pb-c.h"
#include "k8s/meta.pb-c.h"
#include "k8s/resource.pb-c.h"
#include "k8s/runtime.pb-c.h"
#include "kube/quantity.h"
#include "kube/time.h"

/* A text for the decoders below; texts with a NUL inside are none. */
static const char *text_of(struct json_object *tree, const char *want, struct err *e)
{
	const char *text;

	if (!json_object_is_type(tree, json_type_string)) {
		err_set(e, ERR_INVALID, "want %s, got %s", want,
			json_type_to_name(json_object_get_type(tree)));
		return NULL;
	}
	text = json_object_get_string(tree);
	if (strlen(text) != (size_t)json_object_get_string_len(tree)) {
		err_set(e, ERR_INVALID, "a text with a NUL byte");
		return NULL;
	}
	return text;
}

static struct json_object *time_to_json(const void *msg)
{
	const Meta__Time *t = msg;
	char text[KUBE_TIME_TEXT];

	if (kube_time_is_zero(t))
		return NULL;
	kube_time_format(t->seconds, text);
	return json_object_new_string(text);
}

/* Fractions are dropped: upstream's own storage has whole seconds. */
static int time_from_json(struct json_object *tree, void *msg, struct err *e)
{
	const char *text = text_of(tree, "a time", e);
	Meta__Time *t = msg;

	if (!text || kube_time_parse(text, &t->seconds, NULL, e))
		return -1;
	t->has_seconds = t->has_nanos = true;
	return 0;
}

static struct json_object *micro_time_to_json(const void *msg)
{
	const Meta__MicroTime *t = msg;
	char text[KUBE_TIME_TEXT];

	if (!t->has_seconds && !t->has_nanos)
		return NULL;
	kube_time_format_micro(t->seconds, t->nanos, text);
	return json_object_new_string(text);
}

static int micro_time_from_json(struct json_object *tree, void *msg, struct err *e)
{
	const char *text = text_of(tree, "a time", e);
	Meta__MicroTime *t = msg;

	if (!text || kube_time_parse(text, &t->seconds, &t->nanos, e))
		return -1;
	t->nanos -= t->nanos % 1000;
	t->has_seconds = t->has_nanos = true;
	return 0;
}

static struct json_object *duration_to_json(const void *msg)
{
	const Meta__Duration *d = msg;
	char text[KUBE_DURATION_TEXT];

	kube_duration_format(d->duration, text);
	return json_object_new_string(text);
}

static int duration_from_json(struct json_object *tree, void *msg, struct err *e)
{
	const char *text = text_of(tree, "a duration", e);
	Meta__Duration *d = msg;

	if (!text || kube_duration_parse(text, &d->duration, e))
		return -1;
	d->has_duration = true;
	return 0;
}

static struct json_object *quantity_to_json(const void *msg)
{
	const Resource__Quantity *m = msg;
	struct quantity q;
	char text[QUANTITY_TEXT];

	/* what cannot be read is passed on as it came */
	if (!str_empty(m->string) && quantity_parse(m->string, &q, NULL))
		return json_object_new_string(m->string);
	q = quantity_read(m);
	quantity_text(&q, text);
	return json_object_new_string(text);
}

/* A number counts by its text: 1.5 is "1.5". */
static int quantity_from_json(struct json_object *tree, void *msg, struct err *e)
{
	bool number =
	    json_object_is_type(tree, json_type_int) || json_object_is_type(tree, json_type_double);
	const char *text = number ? json_object_get_string(tree) : text_of(tree, "a quantity", e);
	Resource__Quantity *m = msg;
	AUTO_FREE char *trimmed = NULL;
	struct quantity q;
	char canonical[QUANTITY_TEXT];
	size_t len;

	if (!text)
		return -1;
	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	trimmed = mem_strndup(text, len);
	if (quantity_parse(trimmed, &q, e))
		return -1;
	quantity_text(&q, canonical);
	proto_set_str(&m->string, canonical);
	return 0;
}

enum { INTSTR_INT, INTSTR_STRING };

static struct json_object *intstr_to_json(const void *msg)
{
	const Intstr__IntOrString *v = msg;

	return v->type == INTSTR_STRING ? json_object_new_string(v->strval ? v->strval : "")
					: json_object_new_int(v->intval);
}

static int intstr_from_json(struct json_object *tree, void *msg, struct err *e)
{
	Intstr__IntOrString *v = msg;
	const char *text;
	int64_t n;

	v->has_type = v->has_intval = true;
	if (json_object_is_type(tree, json_type_int)) {
		n = json_object_get_int64(tree);
		if (n < INT32_MIN || n > INT32_MAX)
			return err_set(e, ERR_INVALID, "a number outside of 32 bits");
		v->type = INTSTR_INT;
		v->intval = (int32_t)n;
		proto_set_str(&v->strval, "");
		return 0;
	}
	text = text_of(tree, "a number or a text", e);
	if (!text)
		return -1;
	v->type = INTSTR_STRING;
	proto_set_str(&v->strval, text);
	return 0;
}

static struct json_object *raw_to_json(const ProtobufCBinaryData *raw)
{
	struct json_object *tree = NULL;

	if (raw->len)
		(void)json_parse((const char *)raw->data, raw->len, &tree, NULL);
	return tree;
}

static void raw_from_json(struct json_object *tree, ProtobufCBinaryData *raw)
{
	raw->data = (uint8_t *)json_text(tree);
	raw->len = strlen((char *)raw->data);
}

static struct json_object *extension_to_json(const void *msg)
{
	return raw_to_json(&((const Runtime__RawExtension *)msg)->raw);
}

static int extension_from_json(struct json_object *tree, void *msg, struct err *e)
{
	Runtime__RawExtension *m = msg;

	(void)e;
	m->has_raw = true;
	raw_from_json(tree, &m->raw);
	return 0;
}

static struct json_object *fields_to_json(const void *msg)
{
	return raw_to_json(&((const Meta__FieldsV1 *)msg)->raw);
}

static int fields_from_json(struct json_object *tree, void *msg, struct err *e)
{
	Meta__FieldsV1 *m = msg;

	(void)e;
	m->has_raw = true;
	raw_from_json(tree, &m->raw);
	return 0;
}

static const struct special specials[] = {
	{ &meta__time__descriptor, time_to_json, time_from_json },
	{ &meta__micro_time__descriptor, micro_time_to_json, micro_time_from_json },
	{ &meta__duration__descriptor, duration_to_json, duration_from_json },
	{ &resource__quantity__descriptor, quantity_to_json, quantity_from_json },
	{ &intstr__int_or_string__descriptor, intstr_to_json, intstr_from_json },
	{ &runtime__raw_extension__descriptor, extension_to_json, extension_from_json },
	{ &meta__fields_v1__descriptor, fields_to_json, fields_from_json },
};

const struct special *special_find(const ProtobufCMessageDescriptor *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
		if (specials[i].type == type)
			return &specials[i];
	}
	return NULL;
}
