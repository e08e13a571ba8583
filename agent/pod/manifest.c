/* Manifests as pods (contract in manifest.h). Pure. */
#include "manifest.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "base/uuid.h"
#include "base/yaml.h"
#include "kube/codec.h"
#include "podspec.h"

/* --- identity --- */

/* A UUID of version 8, told apart from those of an API server (4) and of a kubelet (no dashes).
 * Over the specification as it is written, so that a new version of this agent, which may know more
 * defaults, gives the same. */
static char *make_uid(const Core__Pod *pod, const struct manifest_origin *o)
{
	AUTO_JSON struct json_object *tree = codec_to_json(pod);
	uint8_t digest[EVP_MAX_MD_SIZE] = { 0 };
	char buf[UUID_TEXT];
	AUTO_STR text = { 0 };
	size_t n;

	json_print(tree, true, &text);
	str_printf(&text, "\nhost:%s\n%s:%s", o->node_name, o->source, o->place);
	EVP_Q_digest(NULL, "SHA256", NULL, text.p, text.len, digest, &n);
	digest[6] = (digest[6] & 0x0f) | 0x80;
	digest[8] = (digest[8] & 0x3f) | 0x80;
	return mem_strdup(uuid_text(digest, buf));
}

bool manifest_uid_of_kubelet(const char *uid)
{
	return strlen(uid) == 2 * UUID_BYTES && strspn(uid, "0123456789abcdef") == 2 * UUID_BYTES;
}

void manifest_annotate(Meta__ObjectMeta *m, const char *key, const char *value)
{
	for (size_t i = 0; i < m->n_annotations; i++) {
		if (str_eq(m->annotations[i]->key, key)) {
			proto_set_str(&m->annotations[i]->value, value);
			return;
		}
	}
	proto_push_pair(&m->n_annotations, &m->annotations,
			&meta__object_meta__annotations_entry__descriptor, key, value);
}

void manifest_stamp(Core__Pod *pod, const char *source, const char *uid, const char *seen)
{
	if (uid)
		proto_set_str(&pod->metadata->uid, uid);
	manifest_annotate(pod->metadata, MANIFEST_HASH, pod->metadata->uid);
	manifest_annotate(pod->metadata, PODSPEC_SEEN, seen);
	manifest_annotate(pod->metadata, PODSPEC_SOURCE, source);
}

static char *lower(const char *text)
{
	char *s = mem_strdup(text);

	for (char *c = s; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return s;
}

static void name_for_node(Core__Pod *pod, const char *node_name)
{
	AUTO_FREE char *node = lower(node_name);
	AUTO_FREE char *name = str_fmt("%s-%s", pod->metadata->name, node);

	proto_set_str(&pod->metadata->name, name);
	if (str_empty(pod->metadata->namespace_))
		proto_set_str(&pod->metadata->namespace_, "default");
	proto_set_str(&pod->spec->nodename, node_name);
}

/* What only an API server gives, and what a file cannot know. */
static void drop_history(Core__Pod *pod)
{
	Meta__ObjectMeta *m = pod->metadata;

	proto_free(pod->status);
	pod->status = proto_new(&core__pod_status__descriptor);
	proto_set_str(&m->resourceversion, NULL);
	proto_set_str(&m->selflink, NULL);
	proto_set_str(&m->generatename, NULL);
	m->has_generation = m->has_deletiongraceperiodseconds = false;
	proto_free(m->creationtimestamp);
	proto_free(m->deletiontimestamp);
	m->creationtimestamp = m->deletiontimestamp = NULL;
	for (size_t i = 0; i < m->n_managedfields; i++)
		proto_free(m->managedfields[i]);
	m->n_managedfields = 0;
	free(m->managedfields);
	m->managedfields = NULL;
}

/* --- decoding --- */

static int check_kind(struct json_object *tree, const char *kind, struct err *e)
{
	const char *have = json_string(tree, "kind"), *version = json_string(tree, "apiVersion");

	if (!str_eq(have, kind))
		return err_set(e, ERR_INVALID, "kind: must be %s, is \"%s\"", kind,
			       str_or(have, ""));
	if (!str_eq(version, "v1"))
		return err_set(e, ERR_INVALID, "apiVersion: must be v1, is \"%s\"",
			       str_or(version, ""));
	return 0;
}

static int decode(struct json_object *tree, Core__Pod **ret_pod, struct err *e)
{
	void *msg;
	Core__Pod *pod;

	if (codec_from_json(&core__pod__descriptor, tree, NULL, &msg, e) < 0)
		return -1;
	pod = msg;
	if (!pod->metadata)
		pod->metadata = proto_new(&meta__object_meta__descriptor);
	if (!pod->spec)
		pod->spec = proto_new(&core__pod_spec__descriptor);
	*ret_pod = pod;
	if (str_empty(pod->metadata->name))
		return err_set(e, ERR_INVALID, "metadata.name: a static pod needs a name");
	return 0;
}

static int finish(struct json_object *tree, const struct manifest_origin *o, Core__Pod **ret_pod,
		  struct err *e)
{
	AUTO_PROTO Core__Pod *pod = NULL;

	if (decode(tree, &pod, e) < 0)
		return -1;
	drop_history(pod);
	if (str_empty(pod->metadata->uid)) {
		AUTO_FREE char *uid = make_uid(pod, o);

		proto_set_str(&pod->metadata->uid, uid);
	}
	name_for_node(pod, o->node_name);
	manifest_default(pod);
	if (str_eq(o->source, "file"))
		manifest_tolerate(pod->spec);
	if (manifest_check(pod, e) < 0)
		return -1;
	*ret_pod = TAKE(pod);
	return 0;
}

static int parse(const char *text, size_t len, struct json_object **ret_tree, struct err *e)
{
	if (yaml_parse(text, len, ret_tree, NULL, e) < 0)
		return -1;
	if (!json_object_is_type(*ret_tree, json_type_object))
		return err_set(e, ERR_INVALID, "not a Pod: there are no fields in it");
	return 0;
}

int manifest_read(const char *text, size_t len, const struct manifest_origin *o,
		  Core__Pod **ret_pod, struct err *e)
{
	AUTO_JSON struct json_object *tree = NULL;

	if (parse(text, len, &tree, e) < 0 || check_kind(tree, "Pod", e) < 0)
		return -1;
	return finish(tree, o, ret_pod, e);
}

void manifest_list_free(Core__Pod **pods)
{
	for (size_t i = 0; pods && pods[i]; i++)
		proto_free(pods[i]);
	free(pods);
}

static int finish_list(struct json_object *tree, const struct manifest_origin *o, Core__Pod **pods,
		       struct err *e)
{
	struct json_object *items = json_member(tree, "items", json_type_array);

	for (size_t i = 0; items && i < json_object_array_length(items); i++) {
		if (finish(json_object_array_get_idx(items, i), o, &pods[i], e) < 0)
			return err_wrap(e, "items[%zu]", i);
	}
	return 0;
}

int manifest_read_list(const char *text, size_t len, const struct manifest_origin *o,
		       Core__Pod ***ret_pods, struct err *e)
{
	AUTO_JSON struct json_object *tree = NULL;
	struct json_object *items;
	Core__Pod **pods;
	bool single;
	int r;

	if (parse(text, len, &tree, e) < 0)
		return -1;
	single = !str_eq(json_string(tree, "kind"), "PodList");
	if (check_kind(tree, single ? "Pod" : "PodList", e) < 0)
		return -1;
	items = json_member(tree, "items", json_type_array);
	pods = mem_calloc((items ? json_object_array_length(items) : 0) + 2, sizeof(*pods));
	r = single ? finish(tree, o, pods, e) : finish_list(tree, o, pods, e);
	if (r < 0)
		manifest_list_free(pods);
	else
		*ret_pods = pods;
	return r;
}
