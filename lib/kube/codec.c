/* Messages to and from JSON (contract in kube/codec.h). Pure.
 *
 * Rows of the side table stand in the order of field numbers, as a descriptor's fields do, so both
 * are walked together.
 */
#include "kube/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"

#include "fields.h"
#include "special.h"

enum { FIRST_FIELD = 1, DEPTH_MAX = 64 };

/* ---- the side table ---- */

static int by_name(const void *name, const void *row)
{
	return strcmp(name, ((const struct field_message *)row)->name);
}

static const struct field_message *rows_of(const ProtobufCMessageDescriptor *type)
{
	static const struct field_message none;
	const struct field_message *m = bsearch(type->name, field_tables.messages,
						field_tables.n_messages, sizeof(*m), by_name);

	return m ? m : &none;
}

/* Flags of a field; *at moves along the rows of its message. */
static unsigned flags_of(const struct field_message *m, size_t *at,
			 const ProtobufCFieldDescriptor *f)
{
	const struct field_flags *rows = field_tables.flags + m->first;

	while (*at < m->count && rows[*at].number < f->id)
		(*at)++;
	return *at < m->count && rows[*at].number == f->id ? rows[*at].flags : 0;
}

static const char *json_name(const ProtobufCMessageDescriptor *type,
			     const ProtobufCFieldDescriptor *f, unsigned flags)
{
	if (flags & FIELD_RENAMED) {
		for (size_t i = 0; i < field_tables.n_renames; i++) {
			if (!strcmp(field_tables.renames[i].message, type->name) &&
			    !strcmp(field_tables.renames[i].field, f->name))
				return field_tables.renames[i].json;
		}
	}
	return f->name;
}

static bool is_map(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;

	return f->label == PROTOBUF_C_LABEL_REPEATED && f->type == PROTOBUF_C_TYPE_MESSAGE &&
	       d->n_fields == 2 && str_ends(d->name, "Entry") &&
	       !strcmp(d->fields[0].name, "key") && !strcmp(d->fields[1].name, "value");
}

/* ---- to JSON ---- */

static void fields_to_object(const ProtobufCMessage *m, struct json_object *out);

static struct json_object *message_to_json(const ProtobufCMessage *m)
{
	const struct special *special = special_find(m->descriptor);
	struct json_object *out;

	if (special)
		return special->to_json(m);
	out = json_object_new_object();
	fields_to_object(m, out);
	if (rows_of(m->descriptor)->list) {
		struct json_object *items =
		    json_object_get(json_object_object_get(out, m->descriptor->fields[0].name));

		json_object_put(out);
		return items;
	}
	return out;
}

/* What Go writes for a struct value nobody set. */
static struct json_object *zero_to_json(const ProtobufCMessageDescriptor *type)
{
	AUTO_PROTO ProtobufCMessage *m = proto_new(type);

	return message_to_json(m);
}

static struct json_object *enum_to_json(const ProtobufCFieldDescriptor *f, int value)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(f->descriptor, value);

	return v ? json_object_new_string(v->name) : json_object_new_int(value);
}

static struct json_object *bytes_to_json(const ProtobufCBinaryData *b)
{
	AUTO_FREE char *text = base64_encode(b->data, b->len);

	return json_object_new_string(text);
}

static struct json_object *text_to_json(const char *s)
{
	AUTO_STR out = { 0 };
	const char *nul = strstr(s, CODEC_NUL);

	if (!nul)
		return json_object_new_string(s);
	for (; nul; nul = strstr(s, CODEC_NUL)) {
		str_append_n(&out, s, (size_t)(nul - s));
		str_append_c(&out, '\0');
		s = nul + strlen(CODEC_NUL);
	}
	str_append(&out, s);
	return json_object_new_string_len(out.p, (int)out.len);
}

/* at points to the value itself, or to the element of a list */
static struct json_object *value_to_json(const ProtobufCFieldDescriptor *f, const void *at)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return json_object_new_int(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return json_object_new_int64(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return json_object_new_int64(*(const int64_t *)at);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return json_object_new_uint64(*(const uint64_t *)at);
	case PROTOBUF_C_TYPE_FLOAT:
		return json_object_new_double((double)*(const float *)at);
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_object_new_double(*(const double *)at);
	case PROTOBUF_C_TYPE_BOOL:
		return json_object_new_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_ENUM:
		return enum_to_json(f, *(const int *)at);
	case PROTOBUF_C_TYPE_STRING: {
		const char *s = *(char *const *)at;

		return text_to_json(s ? s : "");
	}
	case PROTOBUF_C_TYPE_BYTES:
		return bytes_to_json(at);
	case PROTOBUF_C_TYPE_MESSAGE: {
		const ProtobufCMessage *m = *(ProtobufCMessage *const *)at;

		return m ? message_to_json(m) : zero_to_json(f->descriptor);
	}
	}
	return NULL;
}

static size_t element_size(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(int64_t);
	default:
		return sizeof(int32_t);
	}
}

static struct json_object *map_to_json(const ProtobufCFieldDescriptor *f,
				       ProtobufCMessage *const *entries, size_t n)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	struct json_object *out = json_object_new_object();

	for (size_t i = 0; i < n; i++) {
		const char *entry = (const char *)entries[i];
		const char *key = *(char *const *)(entry + d->fields[0].offset);

		json_object_object_add(out, key ? key : "",
				       value_to_json(&d->fields[1], entry + d->fields[1].offset));
	}
	return out;
}

static struct json_object *repeated_to_json(const ProtobufCFieldDescriptor *f, const void *list,
					    size_t n)
{
	struct json_object *out;

	if (is_map(f))
		return map_to_json(f, list, n);
	out = json_object_new_array();
	for (size_t i = 0; i < n; i++)
		json_object_array_add(out,
				      value_to_json(f, (const char *)list + i * element_size(f)));
	return out;
}

/* Was the field there? For pointers this is all that counts. */
static bool is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const char *at = (const char *)m + f->offset;

	if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(void *const *)at != NULL;
	return f->label != PROTOBUF_C_LABEL_OPTIONAL ||
	       *(const protobuf_c_boolean *)((const char *)m + f->quantifier_offset);
}

static bool is_zero(const ProtobufCFieldDescriptor *f, const void *at)
{
	static const uint64_t zero;

	if (f->type == PROTOBUF_C_TYPE_STRING)
		return str_empty(*(char *const *)at);
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return !((const ProtobufCBinaryData *)at)->len;
	return !memcmp(at, &zero, element_size(f));
}

/* Puts one field into out, or leaves it out, as Go would. */
static void field_to_object(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
			    unsigned flags, struct json_object *out)
{
	const void *at = (const char *)m + f->offset;
	const char *name = json_name(m->descriptor, f, flags);
	bool keep = flags & FIELD_KEEP, message = f->type == PROTOBUF_C_TYPE_MESSAGE;
	struct json_object *value = NULL;

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);

		if (n)
			value = repeated_to_json(f, *(void *const *)at, n);
		if (n || keep)
			json_object_object_add(out, name, value);
		return;
	}
	if ((flags & FIELD_POINTER) || (message && f->label == PROTOBUF_C_LABEL_NONE)) {
		if (is_set(m, f))
			json_object_object_add(out, name, value_to_json(f, at));
		else if (keep)
			json_object_object_add(out, name, NULL);
		return;
	}
	if (message) {
		value = value_to_json(f, at);
		if (value || !(flags & FIELD_OMIT_ZERO))
			json_object_object_add(out, name, value);
		return;
	}
	if (!is_set(m, f) || is_zero(f, at)) {
		if (!keep)
			return;
		if (f->type == PROTOBUF_C_TYPE_BYTES && !is_set(m, f)) {
			json_object_object_add(out, name, NULL);
			return;
		}
	}
	json_object_object_add(out, name, value_to_json(f, at));
}

static void inline_to_object(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
			     struct json_object *out)
{
	AUTO_PROTO ProtobufCMessage *zero = NULL;
	const ProtobufCMessage *inner;

	memcpy(&inner, (const char *)m + f->offset, sizeof(inner));
	if (!inner)
		inner = zero = proto_new(f->descriptor);
	fields_to_object(inner, out);
}

static void fields_to_object(const ProtobufCMessage *m, struct json_object *out)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	const struct field_message *rows = rows_of(d);
	size_t row = 0;

	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		unsigned flags = flags_of(rows, &row, f);

		if (flags & FIELD_INLINE)
			inline_to_object(m, f, out);
		else
			field_to_object(m, f, flags, out);
	}
}

struct json_object *codec_to_json(const void *msg)
{
	return msg ? message_to_json(msg) : NULL;
}

/* ---- from JSON ---- */

struct reader {
	struct str path;
	struct codec_notes *notes;
	struct err *e;
	unsigned depth;
};

static int message_from_json(struct reader *r, const ProtobufCMessageDescriptor *type,
			     struct json_object *tree, void **ret_msg);

static int mismatch(struct reader *r, const char *want, struct json_object *got)
{
	return err_set(r->e, ERR_INVALID, "want %s, got %s", want,
		       json_type_to_name(json_object_get_type(got)));
}

/* Whole numbers; a double counts when it is one (YAML's 1.0). */
static int number_from_json(struct reader *r, struct json_object *tree, int64_t min, int64_t max,
			    int64_t *ret_value)
{
	int64_t v;

	if (json_object_is_type(tree, json_type_double)) {
		double d = json_object_get_double(tree);

		v = d >= -9e18 && d <= 9e18 ? (int64_t)d : 0;
		if ((double)v != d)
			return mismatch(r, "a whole number", tree);
	} else if (json_object_is_type(tree, json_type_int)) {
		v = json_object_get_int64(tree);
		if (v == INT64_MAX && json_object_get_uint64(tree) > INT64_MAX)
			return err_set(r->e, ERR_INVALID, "the number is too large");
	} else {
		return mismatch(r, "a whole number", tree);
	}
	if (v < min || v > max)
		return err_set(r->e, ERR_INVALID, "%lld is outside of %lld..%lld", (long long)v,
			       (long long)min, (long long)max);
	*ret_value = v;
	return 0;
}

static int string_from_json(struct reader *r, struct json_object *tree, char **field)
{
	const char *text;

	if (!json_object_is_type(tree, json_type_string))
		return mismatch(r, "a text", tree);
	text = json_object_get_string(tree);
	if (strlen(text) != (size_t)json_object_get_string_len(tree))
		return err_set(r->e, ERR_INVALID, "a text with a NUL byte");
	proto_set_str(field, text);
	return 0;
}

static int bytes_from_json(struct reader *r, struct json_object *tree, ProtobufCBinaryData *field)
{
	uint8_t *data;
	size_t len;

	if (!json_object_is_type(tree, json_type_string))
		return mismatch(r, "base64 text", tree);
	if (base64_decode(json_object_get_string(tree), (size_t)json_object_get_string_len(tree),
			  &data, &len))
		return err_set(r->e, ERR_INVALID, "not base64");
	free(field->data);
	*field = (ProtobufCBinaryData){ .data = data, .len = len };
	return 0;
}

static int enum_from_json(struct reader *r, const ProtobufCFieldDescriptor *f,
			  struct json_object *tree, int *field)
{
	const ProtobufCEnumValue *v = NULL;
	int64_t n;

	if (json_object_is_type(tree, json_type_string))
		v = protobuf_c_enum_descriptor_get_value_by_name(f->descriptor,
								 json_object_get_string(tree));
	else if (!number_from_json(r, tree, INT32_MIN, INT32_MAX, &n))
		v = protobuf_c_enum_descriptor_get_value(f->descriptor, (int)n);
	if (!v)
		return err_set(r->e, ERR_INVALID, "not a value of %s",
			       ((const ProtobufCEnumDescriptor *)f->descriptor)->name);
	*field = v->value;
	return 0;
}

static int wide_from_json(struct reader *r, struct json_object *tree, bool is_signed, void *at)
{
	int64_t v = 0;

	if (!is_signed && json_object_is_type(tree, json_type_int) &&
	    json_object_get_int64(tree) >= 0) {
		*(uint64_t *)at = json_object_get_uint64(tree);
		return 0;
	}
	if (number_from_json(r, tree, is_signed ? INT64_MIN : 0, INT64_MAX, &v))
		return -1;
	*(int64_t *)at = v;
	return 0;
}

static int float_from_json(struct reader *r, struct json_object *tree, double *ret_value)
{
	if (!json_object_is_type(tree, json_type_double) &&
	    !json_object_is_type(tree, json_type_int))
		return mismatch(r, "a number", tree);
	*ret_value = json_object_get_double(tree);
	return 0;
}

/* Fills the value or list element at `at`; tree is not null. */
static int value_from_json(struct reader *r, const ProtobufCFieldDescriptor *f,
			   struct json_object *tree, void *at)
{
	int64_t n = 0;
	double d = 0;

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		if (number_from_json(r, tree, INT32_MIN, INT32_MAX, &n))
			return -1;
		*(int32_t *)at = (int32_t)n;
		return 0;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		if (number_from_json(r, tree, 0, UINT32_MAX, &n))
			return -1;
		*(uint32_t *)at = (uint32_t)n;
		return 0;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return wide_from_json(r, tree, true, at);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return wide_from_json(r, tree, false, at);
	case PROTOBUF_C_TYPE_FLOAT:
		if (float_from_json(r, tree, &d))
			return -1;
		*(float *)at = (float)d;
		return 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		return float_from_json(r, tree, at);
	case PROTOBUF_C_TYPE_BOOL:
		if (!json_object_is_type(tree, json_type_boolean))
			return mismatch(r, "true or false", tree);
		*(protobuf_c_boolean *)at = json_object_get_boolean(tree);
		return 0;
	case PROTOBUF_C_TYPE_ENUM:
		return enum_from_json(r, f, tree, at);
	case PROTOBUF_C_TYPE_STRING:
		return string_from_json(r, tree, at);
	case PROTOBUF_C_TYPE_BYTES:
		return bytes_from_json(r, tree, at);
	case PROTOBUF_C_TYPE_MESSAGE:
		proto_free(*(void **)at);
		*(void **)at = NULL;
		return message_from_json(r, f->descriptor, tree, at);
	}
	return 0;
}

static int list_from_json(struct reader *r, const ProtobufCFieldDescriptor *f,
			  struct json_object *tree, size_t *ret_n, void **ret_list)
{
	size_t n, size = element_size(f), base = r->path.len;

	if (!json_object_is_type(tree, json_type_array))
		return mismatch(r, "a list", tree);
	n = json_object_array_length(tree);
	*ret_list = n ? mem_calloc(n, size) : NULL;
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(tree, i);
		void *at = (char *)*ret_list + i * size;

		str_printf(&r->path, "[%zu]", i);
		/* counted first: a failed list is freed element by element */
		(*ret_n)++;
		if (f->type == PROTOBUF_C_TYPE_STRING)
			*(char **)at = mem_strdup("");
		else if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			*(void **)at = proto_new(f->descriptor);
		if (item && value_from_json(r, f, item, at)) {
			if (f->type == PROTOBUF_C_TYPE_MESSAGE && !*(void **)at)
				*(void **)at = proto_new(f->descriptor);
			return -1;
		}
		r->path.len = base;
	}
	return 0;
}

static int map_from_json(struct reader *r, const ProtobufCFieldDescriptor *f,
			 struct json_object *tree, size_t *ret_n, void **ret_list)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	size_t base = r->path.len;
	ProtobufCMessage **entries;

	if (!json_object_is_type(tree, json_type_object))
		return mismatch(r, "a map", tree);
	entries = mem_calloc((size_t)json_object_object_length(tree), sizeof(*entries));
	*ret_list = entries;
	json_object_object_foreach(tree, key, value)
	{
		ProtobufCMessage *entry = proto_new(d);
		char *at = (char *)entry + d->fields[1].offset;

		entries[(*ret_n)++] = entry;
		proto_set_str((char **)((char *)entry + d->fields[0].offset), key);
		if (d->fields[1].type == PROTOBUF_C_TYPE_STRING)
			proto_set_str((char **)at, "");
		else if (d->fields[1].type == PROTOBUF_C_TYPE_BYTES)
			*(protobuf_c_boolean *)((char *)entry + d->fields[1].quantifier_offset) = 1;
		str_printf(&r->path, "[%s]", key);
		if (value && value_from_json(r, &d->fields[1], value, at))
			return -1;
		r->path.len = base;
	}
	return 0;
}

static int field_from_json(struct reader *r, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
			   struct json_object *tree)
{
	void *at = (char *)m + f->offset;
	size_t *n = (size_t *)((char *)m + f->quantifier_offset);

	if (!tree)
		return 0;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return is_map(f) ? map_from_json(r, f, tree, n, at)
				 : list_from_json(r, f, tree, n, at);
	if (value_from_json(r, f, tree, at))
		return -1;
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->type != PROTOBUF_C_TYPE_STRING &&
	    f->type != PROTOBUF_C_TYPE_MESSAGE)
		*(protobuf_c_boolean *)n = 1;
	return 0;
}

/* The field behind a JSON name, also below inlined messages, which are made on the way. */
static const ProtobufCFieldDescriptor *find_field(ProtobufCMessage *m, const char *name,
						  ProtobufCMessage **ret_owner)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	const struct field_message *rows = rows_of(d);
	size_t row = 0;

	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i], *inner_field;
		unsigned flags = flags_of(rows, &row, f);
		ProtobufCMessage **inner;

		if (!(flags & FIELD_INLINE)) {
			if (!strcmp(json_name(d, f, flags), name)) {
				*ret_owner = m;
				return f;
			}
			continue;
		}
		inner = (ProtobufCMessage **)((char *)m + f->offset);
		if (!*inner)
			*inner = proto_new(f->descriptor);
		inner_field = find_field(*inner, name, ret_owner);
		if (inner_field)
			return inner_field;
	}
	return NULL;
}

/* kind and apiVersion travel beside the message */
static bool is_type_meta(const ProtobufCMessageDescriptor *d, const char *name)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(d, FIRST_FIELD);

	return f && !strcmp(f->name, "metadata") &&
	       (!strcmp(name, "kind") || !strcmp(name, "apiVersion"));
}

static int object_from_json(struct reader *r, ProtobufCMessage *m, struct json_object *tree)
{
	size_t base = r->path.len;

	json_object_object_foreach(tree, key, value)
	{
		ProtobufCMessage *owner = NULL;
		const ProtobufCFieldDescriptor *f = find_field(m, key, &owner);

		str_printf(&r->path, "%s%s", base ? "." : "", key);
		if (!f && r->notes && !is_type_meta(m->descriptor, key))
			strv_push(&r->notes->unknown, str_text(&r->path));
		if (f && field_from_json(r, owner, f, value))
			return -1;
		r->path.len = base;
	}
	return 0;
}

static int message_from_json(struct reader *r, const ProtobufCMessageDescriptor *type,
			     struct json_object *tree, void **ret_msg)
{
	const struct special *special = special_find(type);
	AUTO_PROTO ProtobufCMessage *m = proto_new(type);
	int result;

	if (++r->depth > DEPTH_MAX)
		return err_set(r->e, ERR_INVALID, "nested too deeply");
	if (special)
		result = special->from_json(tree, m, r->e);
	else if (rows_of(type)->list)
		result = field_from_json(r, m, &type->fields[0], tree);
	else if (json_object_is_type(tree, json_type_object))
		result = object_from_json(r, m, tree);
	else
		result = mismatch(r, "an object", tree);
	r->depth--;
	if (!result)
		*ret_msg = TAKE(m);
	return result;
}

int codec_from_json(const ProtobufCMessageDescriptor *type, struct json_object *tree,
		    struct codec_notes *notes, void **ret_msg, struct err *e)
{
	struct reader r = { .notes = notes, .e = e };
	int result;

	if (!tree)
		return err_set(e, ERR_INVALID, "want an object, got null");
	result = message_from_json(&r, type, tree, ret_msg);
	if (result && r.path.len)
		err_wrap(e, "%s", str_text(&r.path));
	str_fini(&r.path);
	return result;
}

void codec_notes_fini(struct codec_notes *n)
{
	strv_free(n->unknown);
	strv_free(n->duplicates);
	*n = (struct codec_notes){ 0 };
}

/* ---- objects with their kind ---- */

struct json_object *codec_object_to_json(enum kube_kind kind, const void *msg)
{
	const struct kube_kind_info *info = kube_kind_info(kind);
	struct json_object *out = json_object_new_object();

	json_object_object_add(out, "kind", json_object_new_string(info->kind));
	json_object_object_add(out, "apiVersion", json_object_new_string(info->api_version));
	fields_to_object(msg, out);
	return out;
}

char *codec_object_text(enum kube_kind kind, const void *msg)
{
	AUTO_JSON struct json_object *tree = codec_object_to_json(kind, msg);

	return json_text(tree);
}

int codec_object_from_json(struct json_object *tree, struct kube_object **ret_object, struct err *e)
{
	const char *kind_name = json_string(tree, "kind");
	const char *api_version = json_string(tree, "apiVersion");
	enum kube_kind kind;
	void *msg = NULL;

	if (!kind_name || !api_version)
		return err_set(e, ERR_INVALID, "an object without kind and apiVersion");
	kind = kube_kind_find(api_version, kind_name);
	if (kind == KUBE_KIND_COUNT)
		return 0;
	if (codec_from_json(kube_kind_info(kind)->type, tree, NULL, &msg, e))
		return err_wrap(e, "%s", kind_name);
	*ret_object = kube_object_new(kind, msg);
	return 0;
}
