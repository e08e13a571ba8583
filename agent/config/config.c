/* Loading of the configuration (contract in config.h). Effect (reads files). */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/yaml.h"
#include "decode.h"
#include "featuregates.h"
#include "flags.h"
#include "options.h"
#include "validate.h"
#include "value.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

static const char *const default_eviction[][2] = {
	{ "imagefs.available", "15%" },  { "imagefs.inodesFree", "5%" },
	{ "memory.available", "100Mi" }, { "nodefs.available", "10%" },
	{ "nodefs.inodesFree", "5%" },
};

/* Without a file upstream keeps what its command line meant before there were files. */
static const char *const flag_only_defaults[][2] = {
	{ "authentication.anonymous.enabled", "true" },
	{ "authentication.webhook.enabled", "false" },
	{ "authorization.mode", "AlwaysAllow" },
	{ "readOnlyPort", "10255" },
};

static void strv_freep(char ***v)
{
	strv_free(*v);
}

/* ---- values ---- */

static struct json_object *value_at(struct json_object *values, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(values, key, &value);
	return value;
}

static void set_text(struct json_object *values, const struct option *o, const char *text)
{
	char buf[100];
	struct json_object *value = NULL;

	if (text && value_from_text(o->type, text, NULL, &value, NULL) == 0)
		json_object_object_add(values, options_key(o, buf, sizeof(buf)), value);
}

static bool is_item(const struct option *o)
{
	return strstr(o->path, "[]") != NULL;
}

/* What no file and no flag set, or set to the zero that means "default". */
static void fill_defaults(struct json_object *values, bool have_file)
{
	const struct option *o;
	char buf[100];

	for (size_t i = 0; (o = options_at(i)); i++) {
		struct json_object *have = value_at(values, options_key(o, buf, sizeof(buf)));

		if (is_item(o) ||
		    (have && ((o->traits & OPTION_PTR) || !value_is_zero(o->type, have))))
			continue;
		if (have && o->type == OPTION_STRINGS) /* an empty list is a value */
			continue;
		set_text(values, o, o->fallback);
	}
	for (size_t i = 0; !have_file && i < ARRAY_SIZE(flag_only_defaults); i++)
		set_text(values, options_find(flag_only_defaults[i][0]), flag_only_defaults[i][1]);
}

/* Defaults that depend on other options; before fill_defaults. */
static void derive_defaults(struct json_object *values)
{
	struct json_object *update = value_at(values, "nodeStatusUpdateFrequency");
	struct json_object *pids = value_at(values, "podPidsLimit");

	if (value_duration_nsec(update) &&
	    !value_duration_nsec(value_at(values, "nodeStatusReportFrequency")))
		json_object_object_add(values, "nodeStatusReportFrequency",
				       json_object_get(update));
	if (!value_at(values, "serializeImagePulls") &&
	    value_i64(value_at(values, "maxParallelImagePulls")) > 1)
		json_object_object_add(values, "serializeImagePulls",
				       json_object_new_boolean(false));
	if (pids && value_i64(pids) < 0)
		json_object_object_add(values, "podPidsLimit", json_object_new_int64(-1));
}

static void derive_eviction(struct json_object *values)
{
	struct json_object *map = value_at(values, "evictionHard");
	bool merge = json_object_get_boolean(value_at(values, "mergeDefaultEvictionSettings"));

	if (map && !merge)
		return;
	if (!map) {
		map = json_object_new_object();
		json_object_object_add(values, "evictionHard", map);
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_eviction); i++) {
		const char *const *pair = default_eviction[i];

		if (!json_object_object_get_ex(map, pair[0], NULL))
			json_object_object_add(map, pair[0], json_object_new_string(pair[1]));
	}
}

/* Flags win; feature gates of both count. */
static void overlay(struct json_object *values, struct json_object *flags)
{
	json_object_object_foreach(flags, key, value)
	{
		struct json_object *have = value_at(values, key);

		if (str_eq(key, "featureGates") && have)
			decode_merge(have, value);
		else
			json_object_object_add(values, key, json_object_get(value));
	}
}

/* ---- files ---- */

static int read_document(const char *path, struct json_object **ret_document, char ***warnings,
			 struct err *e)
{
	AUTO_FREE char *text = NULL;
	CLEANUP(strv_freep) char **duplicates = NULL;
	size_t len;

	if (fs_read(path, FILE_MAX_BYTES, &text, &len, e) < 0)
		return err_wrap(e, "configuration");
	if (yaml_parse(text, len, ret_document, &duplicates, e) < 0)
		return err_wrap(e, "configuration %s", path);
	for (size_t i = 0; duplicates && duplicates[i]; i++) {
		AUTO_FREE char *line =
		    str_fmt("configuration %s: field %s stands there twice", path, duplicates[i]);

		strv_push(warnings, line);
	}
	return 0;
}

static int only_conf(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* *.conf of a directory and those below it, in lexical order. */
static int merge_dir(const char *dir, struct json_object *document, char ***warnings, struct err *e)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, only_conf, alphasort), problem = 0;

	if (n < 0)
		return err_os(e, errno, "configuration directory %s", dir);
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *path = str_fmt("%s/%s", dir, names[i]->d_name);
		AUTO_JSON struct json_object *change = NULL;
		bool is_dir = names[i]->d_type == DT_DIR, is_conf = str_ends(path, ".conf");

		free(names[i]);
		if (problem || (!is_dir && !is_conf))
			continue;
		if (is_dir) {
			problem = merge_dir(path, document, warnings, e);
			continue;
		}
		problem = read_document(path, &change, warnings, e);
		if (!problem && json_object_is_type(change, json_type_object))
			decode_merge(document, change);
		else if (!problem)
			problem = err_set(e, ERR_INVALID, "configuration %s: no object", path);
	}
	free(names);
	return problem;
}

static int read_files(struct json_object *flags, struct json_object *values, char ***warnings,
		      struct err *e)
{
	const char *file = json_string(flags, "--config"),
		   *dir = json_string(flags, "--config-dir");
	AUTO_JSON struct json_object *document = NULL;
	CLEANUP(strv_freep) char **unknown = NULL;

	if (!str_empty(file) && read_document(file, &document, warnings, e) < 0)
		return -1;
	if (!document) {
		document = json_object_new_object();
		json_object_object_add(document, "apiVersion",
				       json_object_new_string("kubelet.config.k8s.io/v1beta1"));
		json_object_object_add(document, "kind",
				       json_object_new_string("KubeletConfiguration"));
	}
	if (!str_empty(dir) && merge_dir(dir, document, warnings, e) < 0)
		return -1;
	if (decode_document(document, values, &unknown, e) < 0)
		return err_wrap(e, "configuration %s", str_empty(file) ? dir : file);
	for (size_t i = 0; unknown && unknown[i]; i++) {
		AUTO_FREE char *line =
		    str_fmt("configuration %s: there is no field %s", file, unknown[i]);

		strv_push(warnings, line);
	}
	return 0;
}

/* ---- results ---- */

/* Objects on the way to the path's last name, which is returned. */
static const char *make_parents(struct json_object *root, const char *path,
				struct json_object **ret_parent)
{
	const char *dot;

	for (; (dot = strchr(path, '.')); path = dot + 1) {
		AUTO_FREE char *key = mem_strndup(path, (size_t)(dot - path));
		struct json_object *child = json_member(root, key, json_type_object);

		if (!child) {
			child = json_object_new_object();
			json_object_object_add(root, key, child);
		}
		root = child;
	}
	*ret_parent = root;
	return path;
}

static char *print_configz(struct json_object *values)
{
	AUTO_JSON struct json_object *root = json_object_new_object();
	struct json_object *top = json_object_new_object();
	const struct option *o;

	json_object_object_add(root, "kubeletconfig", top);
	json_object_object_add(top, "kind", json_object_new_string("KubeletConfiguration"));
	json_object_object_add(top, "apiVersion",
			       json_object_new_string("kubelet.config.k8s.io/v1beta1"));
	for (size_t i = 0; (o = options_at(i)); i++) {
		struct json_object *value, *parent;
		const char *key;

		if (!*o->path || is_item(o))
			continue;
		value = value_at(values, o->path);
		if (!value && (o->traits & OPTION_LAZY))
			continue;
		key = make_parents(top, o->path, &parent);
		if (value &&
		    ((o->traits & OPTION_KEEP) || ((o->traits & OPTION_PTR) && !o->fallback) ||
		     !value_is_zero(o->type, value)))
			json_object_object_add(parent, key, json_object_get(value));
	}
	return json_text(root);
}

static void note_not_built(struct config *c, struct json_object *values)
{
	const struct option *o;
	char buf[100];

	for (size_t i = 0; (o = options_at(i)); i++) {
		const char *key = options_key(o, buf, sizeof(buf));
		struct json_object *value = value_at(values, key);
		AUTO_JSON struct json_object *fallback = NULL;
		AUTO_FREE char *text = NULL, *line = NULL;

		if (!(o->traits & OPTION_NOT_BUILT) || !value)
			continue;
		if (o->fallback && value_from_text(o->type, o->fallback, NULL, &fallback, NULL) < 0)
			continue;
		if (value_equal(value, fallback) || (!fallback && value_is_zero(o->type, value)))
			continue;
		text = json_text(value);
		line = str_fmt("%s=%s", key, text);
		strv_push(&c->not_built, line);
	}
}

static void store(struct config *c, struct json_object *values)
{
	const struct option *o;
	char buf[100];

	for (size_t i = 0; (o = options_at(i)); i++) {
		if (o->offset != OPTION_NOWHERE)
			value_store(o->type, value_at(values, options_key(o, buf, sizeof(buf))),
				    (char *)c + o->offset);
	}
}

static int load(struct json_object *flags, struct json_object *values, char ***warnings,
		struct err *e)
{
	bool have_file = !str_empty(json_string(flags, "--config"));

	if (read_files(flags, values, warnings, e) < 0)
		return -1;
	derive_defaults(values);
	fill_defaults(values, have_file);
	if (have_file)
		derive_eviction(values);
	overlay(values, flags);
	return validate_values(values, e);
}

int config_load(int argc, char *const *argv, struct config **ret_config, struct err *e)
{
	AUTO_JSON struct json_object *flags = json_object_new_object();
	AUTO_JSON struct json_object *values = json_object_new_object();
	CLEANUP(strv_freep) char **warnings = NULL;
	struct config *c;
	int outcome = flags_parse(argc, argv, flags, e);

	if (outcome < 0 || outcome == CONFIG_VERSION || outcome == CONFIG_HELP)
		return outcome;
	if (load(flags, values, &warnings, e) < 0)
		return -1;
	if (warnings && json_object_get_boolean(value_at(values, "--strict")))
		return err_set(e, ERR_INVALID, "%s", warnings[0]);
	c = NEW(struct config);
	store(c, values);
	c->warnings = TAKE(warnings);
	c->configz = print_configz(values);
	note_not_built(c, values);
	*ret_config = c;
	return outcome;
}

void config_free(struct config *c)
{
	const struct option *o;

	if (!c)
		return;
	for (size_t i = 0; (o = options_at(i)); i++) {
		if (o->offset != OPTION_NOWHERE)
			value_fini(o->type, (char *)c + o->offset);
	}
	strv_free(c->warnings);
	strv_free(c->not_built);
	free(c->configz);
	free(c);
}

const char *config_pair_get(const struct config_pairs *pairs, const char *key)
{
	for (size_t i = 0; i < pairs->n; i++) {
		if (str_eq(pairs->v[i].key, key))
			return pairs->v[i].value;
	}
	return NULL;
}

bool config_gate(const struct config *c, const char *name)
{
	const struct feature_gate *gate = featuregates_find(name);
	const char *set;

	if (!gate)
		return false;
	set = config_pair_get(&c->feature_gates, name);
	if (!set && gate->stage == GATE_ALPHA)
		set = config_pair_get(&c->feature_gates, "AllAlpha");
	if (!set && gate->stage == GATE_BETA)
		set = config_pair_get(&c->feature_gates, "AllBeta");
	return set ? str_eq(set, "true") : gate->fallback;
}

char *config_report(const struct config *c)
{
	AUTO_STR text = { 0 };

	for (size_t i = 0; c->warnings && c->warnings[i]; i++)
		str_printf(&text, "warning: %s\n", c->warnings[i]);
	for (size_t i = 0; c->not_built && c->not_built[i]; i++)
		str_printf(&text, "not implemented: %s\n", c->not_built[i]);
	return str_take(&text);
}

char *config_help(void)
{
	return flags_help();
}
