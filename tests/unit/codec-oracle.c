/* Upstream's own samples of every kind we speak: protobuf, JSON and YAML of the same object.
 *
 * usage: codec-oracle DIRECTORY   DIRECTORY: testdata/HEAD of k8s.io/api
 */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "base/yaml.h"
#include "kube/codec.h"
#include "kube/kind.h"
#include "kube/wire.h"

enum { FILE_MAX_BYTES = 1 << 20 };

static char *sorted(struct json_object *tree)
{
	struct str s = { 0 };

	json_print(tree, true, &s);
	return str_take(&s);
}

static bool differs(const char *name, const char *what, const char *got, const char *want)
{
	size_t i = 0;

	if (!strcmp(got, want))
		return false;
	while (got[i] == want[i])
		i++;
	i = i > 60 ? i - 60 : 0;
	printf("%s: %s\n  got  ...%.160s\n  want ...%.160s\n", name, what, got + i, want + i);
	return true;
}

static int check(const char *dir, const struct kube_kind_info *info)
{
	AUTO_FREE char *group = mem_strdup(info->api_version);
	char *slash = strchr(group, '/');
	AUTO_FREE char *base = slash ? str_fmt("%s/%.*s.%s.%s", dir, (int)(slash - group), group,
					       slash + 1, info->kind)
				     : str_fmt("%s/core.%s.%s", dir, group, info->kind);
	AUTO_FREE char *pb_path = str_fmt("%s.pb", base), *json_path = str_fmt("%s.json", base),
		       *yaml_path = str_fmt("%s.yaml", base);
	AUTO_FREE char *pb = NULL, *json = NULL, *yaml = NULL, *want = NULL, *got = NULL,
		       *from_yaml = NULL, *again = NULL;
	AUTO_JSON struct json_object *theirs = NULL, *ours = NULL, *yaml_tree = NULL, *twice = NULL;
	AUTO_PROTO void *msg = NULL;
	AUTO_PROTO void *parsed = NULL;
	struct codec_notes notes = { 0 };
	struct wire_object envelope;
	size_t pb_len, json_len, yaml_len;
	enum kube_kind kind = kube_kind_find(info->api_version, info->kind);
	struct err e;
	int bad = 0;

	if (fs_read(pb_path, FILE_MAX_BYTES, &pb, &pb_len, &e) ||
	    fs_read(json_path, FILE_MAX_BYTES, &json, &json_len, &e) ||
	    fs_read(yaml_path, FILE_MAX_BYTES, &yaml, &yaml_len, &e) ||
	    json_parse(json, json_len, &theirs, &e) ||
	    yaml_parse(yaml, yaml_len, &yaml_tree, &notes.duplicates, &e) ||
	    wire_open((struct wire_slice){ (uint8_t *)pb, pb_len }, &envelope, &e)) {
		printf("%s: %s\n", info->kind, e.text);
		return 1;
	}
	msg = proto_unpack(info->type, envelope.raw.p, envelope.raw.len, &e);
	if (!msg || codec_from_json(info->type, theirs, &notes, &parsed, &e)) {
		printf("%s: %s\n", info->kind, e.text);
		return 1;
	}
	ours = codec_object_to_json(kind, msg);
	twice = codec_object_to_json(kind, parsed);
	want = sorted(theirs);
	got = sorted(ours);
	again = sorted(twice);
	from_yaml = sorted(yaml_tree);
	bad |= differs(info->kind, "protobuf to JSON", got, want);
	bad |= differs(info->kind, "JSON to JSON", again, want);
	bad |= differs(info->kind, "YAML to JSON", from_yaml, want);
	for (size_t i = 0; notes.unknown && notes.unknown[i]; i++)
		printf("%s: unknown field %s\n", info->kind, notes.unknown[i]);
	bad |= notes.unknown || notes.duplicates;
	codec_notes_fini(&notes);
	return bad;
}

int main(int argc, char **argv)
{
	int bad = 0, checked = 0;

	if (argc != 2)
		return 2;
	for (int i = 0; i < KUBE_KIND_COUNT; i++) {
		/* upstream keeps no sample of it here */
		if (i == KUBE_STATUS)
			continue;
		bad += check(argv[1], kube_kind_info((enum kube_kind)i));
		checked++;
	}
	printf("%d kinds, %d differ\n", checked, bad);
	return bad ? 1 : 0;
}
