/* Loading of the configuration (contract in config.h). Effect (reads files). */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "conf/decode.h"
#include "conf/featuregates.h"
#include "conf/load.h"
#include "conf/value.h"
#include "options.h"
#include "validate.h"

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

/* ---- values ---- */

static void fill_defaults(struct json_object *values, bool have_file)
{
	conf_fill_defaults(&config_options, values);
	for (size_t i = 0; !have_file && i < ARRAY_SIZE(flag_only_defaults); i++)
		conf_set(values, options_find(&config_options, flag_only_defaults[i][0]),
			 flag_only_defaults[i][1]);
}

/* Defaults that depend on other options; before fill_defaults. */
static void derive_defaults(struct json_object *values)
{
	struct json_object *update = conf_get(values, "nodeStatusUpdateFrequency");
	struct json_object *pids = conf_get(values, "podPidsLimit");

	if (value_duration_nsec(update) &&
	    !value_duration_nsec(conf_get(values, "nodeStatusReportFrequency")))
		json_object_object_add(values, "nodeStatusReportFrequency",
				       json_object_get(update));
	if (!conf_get(values, "serializeImagePulls") &&
	    value_i64(conf_get(values, "maxParallelImagePulls")) > 1)
		json_object_object_add(values, "serializeImagePulls",
				       json_object_new_boolean(false));
	if (pids && value_i64(pids) < 0)
		json_object_object_add(values, "podPidsLimit", json_object_new_int64(-1));
}

static void derive_eviction(struct json_object *values)
{
	struct json_object *map = conf_get(values, "evictionHard");
	bool merge = json_object_get_boolean(conf_get(values, "mergeDefaultEvictionSettings"));

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

/* ---- files ---- */

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
		problem = conf_read(path, &change, warnings, e);
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

	if (!str_empty(file) && conf_read(file, &document, warnings, e) < 0)
		return -1;
	if (!document) {
		document = json_object_new_object();
		json_object_object_add(document, "apiVersion",
				       json_object_new_string(config_options.api_version));
		json_object_object_add(document, "kind",
				       json_object_new_string(config_options.kind));
	}
	if (!str_empty(dir) && merge_dir(dir, document, warnings, e) < 0)
		return -1;
	return conf_decode(&config_options, str_empty(file) ? str_or(dir, "") : file, document,
			   values, warnings, e);
}

/* ---- results ---- */

static char *print_configz(struct json_object *values)
{
	AUTO_JSON struct json_object *root = json_object_new_object();

	json_object_object_add(root, "kubeletconfig", conf_document(&config_options, values));
	return json_text(root);
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
	conf_overlay(values, flags);
	return validate_values(values, e);
}

int config_load(int argc, char *const *argv, struct config **ret_config, struct err *e)
{
	AUTO_JSON struct json_object *flags = json_object_new_object();
	AUTO_JSON struct json_object *values = json_object_new_object();
	CLEANUP(conf_notes_fini) struct conf_notes notes = { 0 };
	struct config *c;
	int outcome = flags_parse(&config_options, argc, argv, flags, e);

	if (outcome < 0 || outcome == CONFIG_VERSION || outcome == CONFIG_HELP)
		return outcome;
	if (load(flags, values, &notes.warnings, e) < 0)
		return -1;
	if (notes.warnings && json_object_get_boolean(conf_get(values, "--strict")))
		return err_set(e, ERR_INVALID, "%s", notes.warnings[0]);
	c = NEW(struct config);
	conf_store(&config_options, values, c);
	c->configz = print_configz(values);
	conf_note_not_built(&config_options, values, &notes);
	c->notes = notes;
	notes = (struct conf_notes){ 0 };
	*ret_config = c;
	return outcome;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	conf_fini(&config_options, c);
	conf_notes_fini(&c->notes);
	free(c->configz);
	free(c);
}

bool config_gate(const struct config *c, const char *name)
{
	return featuregates_on(&c->feature_gates, name);
}

char **config_files(int argc, char *const *argv)
{
	static const char *const names[] = { "--config", "--config-dir", NULL };

	return flags_texts(&config_options, argc, argv, names);
}

char *config_help(void)
{
	return flags_help(&config_options);
}
