/* Loading of the configuration (contract in config.h). Effect (reads files). */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/yaml.h"
#include "conf/check.h"
#include "conf/decode.h"
#include "conf/featuregates.h"
#include "conf/load.h"
#include "conf/value.h"
#include "options.h"
#include "validate.h"

enum { OPEN_FILES_MIN = 256 }; /* less is taken, as upstream does, but cannot be lived with */

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

/* Defaults that there are only while a gate is on. */
static const struct {
	const char *path, *gate;
} gated_defaults[] = {
	{ "crashLoopBackOff.maxContainerRestartPeriod", "KubeletCrashLoopBackOffMax" },
	{ "imagePullCredentialsVerificationPolicy", "KubeletEnsureSecretPulledImages" },
};

/* A relative path in the file is meant from the file's directory. */
static const char *const path_fields[] = {
	"staticPodPath", "authentication.x509.clientCAFile",
	"tlsCertFile",   "tlsPrivateKeyFile",
	"resolvConf",    "volumePluginDir",
	"podLogsDir",
};

/* ---- values ---- */

/* Defaults that depend on other options; before the others. */
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

/* gates: what else says so, beside the values; the values win. */
static void fill_defaults(struct json_object *values, struct json_object *gates)
{
	AUTO_JSON struct json_object *both = json_object_new_object();
	AUTO_JSON struct json_object *all = json_object_new_object();
	struct json_object *own = conf_get(values, "featureGates");
	struct check c = { .table = &config_options, .values = all };
	bool drop[ARRAY_SIZE(gated_defaults)];

	if (gates)
		decode_merge(both, gates);
	if (own)
		decode_merge(both, own);
	json_object_object_add(all, "featureGates", json_object_get(both));
	for (size_t i = 0; i < ARRAY_SIZE(gated_defaults); i++)
		drop[i] = !check_gate(&c, gated_defaults[i].gate) &&
			  !conf_get(values, gated_defaults[i].path);
	derive_defaults(values);
	conf_fill_defaults(&config_options, values);
	for (size_t i = 0; i < ARRAY_SIZE(gated_defaults); i++) {
		if (drop[i])
			json_object_object_del(values, gated_defaults[i].path);
	}
}

static void fill_flag_only_defaults(struct json_object *values)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_only_defaults); i++)
		conf_set(values, options_find(&config_options, flag_only_defaults[i][0]),
			 flag_only_defaults[i][1]);
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

/* ---- paths ---- */

/* An absolute path without ".", ".." and doubled slashes, by its text alone. */
static char *shortest_path(const char *path)
{
	char **names = strv_split(path, '/');
	size_t n = strv_len(names), depth = 0;
	const char **kept = mem_calloc(n + 1, sizeof(*kept));
	AUTO_STR out = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (str_eq(names[i], ".."))
			depth -= depth > 0;
		else if (!str_eq(names[i], "."))
			kept[depth++] = names[i];
	}
	for (size_t i = 0; i < depth; i++)
		str_printf(&out, "/%s", kept[i]);
	if (!depth)
		str_append(&out, "/");
	free(kept);
	strv_free(names);
	return str_take(&out);
}

static int resolve_paths(const char *file, struct json_object *values, struct err *e)
{
	AUTO_FREE char *cwd = NULL, *whole = NULL;
	char *slash;

	if (*file != '/' && !(cwd = getcwd(NULL, 0)))
		return err_os(e, errno, "working directory");
	whole = str_fmt("%s/%s", str_or(cwd, ""), file);
	slash = strrchr(whole, '/');
	*slash = 0;
	for (size_t i = 0; i < ARRAY_SIZE(path_fields); i++) {
		const char *text = json_object_get_string(conf_get(values, path_fields[i]));
		AUTO_FREE char *joined = NULL, *path = NULL;

		if (str_empty(text) || *text == '/')
			continue;
		joined = str_fmt("%s/%s", whole, text);
		path = shortest_path(joined);
		json_object_object_add(values, path_fields[i], json_object_new_string(path));
	}
	return 0;
}

/* ---- files ---- */

static int not_itself(const struct dirent *entry)
{
	return !str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..");
}

static int merge_file(const char *path, struct json_object *document, char ***warnings,
		      struct err *e)
{
	AUTO_JSON struct json_object *change = NULL, *alone = json_object_new_object();
	AUTO_JSON struct json_object *values = json_object_new_object();
	size_t doubled = strv_len(*warnings);

	if (conf_read(path, &change, warnings, e) < 0)
		return -1;
	if (strv_len(*warnings) > doubled) /* upstream warns of it in the file, refuses it here */
		return err_set(e, ERR_INVALID, "%s", (*warnings)[doubled]);
	if (!json_object_is_type(change, json_type_object))
		return err_set(e, ERR_INVALID, "configuration %s: holds no object", path);
	/* what this file says wrong is said with its name */
	decode_merge(alone, change);
	if (conf_decode(&config_options, path, alone, values, warnings, e) < 0)
		return -1;
	decode_merge(document, change);
	return 0;
}

/* *.conf of a directory and those below it, in lexical order. A symbolic link is a file. */
static int merge_dir(const char *dir, struct json_object *document, char ***warnings, struct err *e)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, not_itself, alphasort), problem = 0;

	if (n < 0)
		return err_os(e, errno, "configuration directory %s", dir);
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *path = str_fmt("%s/%s", dir, names[i]->d_name);
		struct stat st;

		free(names[i]);
		if (problem)
			continue;
		if (lstat(path, &st) < 0)
			problem = err_os(e, errno, "configuration %s", path);
		else if (S_ISDIR(st.st_mode))
			problem = merge_dir(path, document, warnings, e);
		else if (str_ends(path, ".conf"))
			problem = merge_file(path, document, warnings, e);
	}
	free(names);
	return problem;
}

static int read_file(const char *file, struct json_object *flags, struct json_object *values,
		     char ***warnings, struct err *e)
{
	AUTO_JSON struct json_object *document = NULL;

	if (conf_read(file, &document, warnings, e) < 0 ||
	    conf_decode(&config_options, file, document, values, warnings, e) < 0)
		return -1;
	fill_defaults(values, conf_get(flags, "featureGates"));
	derive_eviction(values);
	return resolve_paths(file, values, e);
}

/* The directory's files change a configuration that already has its defaults, as upstream's do:
 * what another default was derived from may change without it. */
static int read_dir(const char *dir, struct json_object *flags, struct json_object **values,
		    char ***warnings, struct err *e)
{
	AUTO_JSON struct json_object *shared = conf_document(&config_options, *values);
	AUTO_JSON struct json_object *document = NULL;
	AUTO_JSON struct json_object *merged = json_object_new_object();
	struct json_object *swap;
	char **told = NULL;
	int r;

	/* its parts belong to the values and the flags, too */
	if (json_object_deep_copy(shared, &document, NULL))
		return err_set(e, ERR_INTERNAL, "configuration cannot be copied");
	if (merge_dir(dir, document, warnings, e) < 0)
		return -1;
	r = conf_decode(&config_options, dir, document, merged, &told, e);
	strv_free(told); /* each file's unknown fields are told */
	if (r < 0)
		return -1;
	fill_defaults(merged, conf_get(flags, "featureGates"));
	swap = *values;
	*values = merged;
	merged = swap;
	return 0;
}

/* ---- results ---- */

/* Flags win, but for verbosities of source files, which they add to. */
static void overlay(struct json_object *values, struct json_object *flags)
{
	static const char path[] = "logging.vmodule";
	AUTO_JSON struct json_object *before = json_object_get(conf_get(values, path));
	struct json_object *more = conf_get(flags, path), *both = json_object_new_array();

	conf_overlay(values, flags);
	for (size_t i = 0; before && more && i < json_object_array_length(before); i++)
		json_object_array_add(both, json_object_get(json_object_array_get_idx(before, i)));
	for (size_t i = 0; more && i < json_object_array_length(more); i++)
		json_object_array_add(both, json_object_get(json_object_array_get_idx(more, i)));
	if (more)
		json_object_object_add(values, path, both);
	else
		json_object_put(both);
}

/* Without one of their own, the server's certificate and key are the pair in --cert-dir. */
static void show_own_certificate(struct json_object *values)
{
	const char *dir = str_or(json_string(values, "--cert-dir"), "");
	AUTO_FREE char *cert = str_fmt("%s/kubelet.crt", dir),
		       *key = str_fmt("%s/kubelet.key", dir);

	if (json_object_get_boolean(conf_get(values, "serverTLSBootstrap")) ||
	    !str_empty(json_string(values, "tlsCertFile")) ||
	    !str_empty(json_string(values, "tlsPrivateKeyFile")))
		return;
	json_object_object_add(values, "tlsCertFile", json_object_new_string(cert));
	json_object_object_add(values, "tlsPrivateKeyFile", json_object_new_string(key));
}

static void print_documents(struct config *c, struct json_object *values)
{
	AUTO_JSON struct json_object *root = json_object_new_object();
	struct json_object *document;
	AUTO_STR yaml = { 0 };

	show_own_certificate(values);
	document = conf_document(&config_options, values);
	json_object_object_add(root, "kubeletconfig", document);
	c->configz = json_text(root);
	yaml_print(document, &yaml);
	c->yaml = str_take(&yaml);
}

/* Gates stand for upstream's features as they are by default; only these change something here. */
static void note_gates(struct json_object *values, struct conf_notes *notes)
{
	static const char *const meant[] = { "CustomCPUCFSQuotaPeriod",
					     "KubeletCrashLoopBackOffMax", "LoggingBetaOptions" };
	struct json_object *gates = conf_get(values, "featureGates");

	if (!gates)
		return;
	json_object_object_foreach(gates, name, value)
	{
		const struct feature_gate *gate = featuregates_find(name);
		bool on = json_object_get_boolean(value), known = false;
		AUTO_FREE char *line = str_fmt("featureGates.%s=%s", name, on ? "true" : "false");

		for (size_t i = 0; i < ARRAY_SIZE(meant); i++)
			known |= str_eq(meant[i], name);
		if (!known && (!gate || gate->fallback != on))
			strv_push(&notes->not_built, line);
	}
}

static int load(struct json_object *flags, struct json_object **values, char ***warnings,
		struct err *e)
{
	const char *file = str_or(json_string(flags, "--config"), "");
	const char *dir = str_or(json_string(flags, "--config-dir"), "");

	if (*file) {
		if (read_file(file, flags, *values, warnings, e) < 0)
			return -1;
	} else {
		fill_defaults(*values, NULL);
		fill_flag_only_defaults(*values);
	}
	if (*dir) {
		if (!*file)
			overlay(*values, flags);
		if (read_dir(dir, flags, values, warnings, e) < 0)
			return -1;
	}
	overlay(*values, flags);
	return validate_values(*values, e);
}

int config_load(int argc, char *const *argv, struct config **ret_config, struct err *e)
{
	AUTO_JSON struct json_object *flags = json_object_new_object();
	AUTO_JSON struct json_object *values = json_object_new_object();
	CLEANUP(conf_notes_fini) struct conf_notes notes = { 0 };
	struct json_object *single;
	struct config *c;
	int outcome = flags_parse(&config_options, argc, argv, flags, e);

	if (outcome < 0 || outcome == CONFIG_VERSION || outcome == CONFIG_HELP)
		return outcome;
	if (load(flags, &values, &notes.warnings, e) < 0)
		return -1;
	if (notes.warnings && json_object_get_boolean(conf_get(values, "--strict")))
		return err_set(e, ERR_INVALID, "%s", notes.warnings[0]);
	c = NEW(struct config);
	conf_store(&config_options, values, c);
	c->seccomp_default |= c->seccomp_default_flag;
	if (c->max_open_files < OPEN_FILES_MIN)
		c->max_open_files = OPEN_FILES_MIN;
	single = conf_get(values, "singleProcessOOMKill");
	c->oom_kills_whole_container = single && !json_object_get_boolean(single);
	conf_note_not_built(&config_options, values, &notes);
	note_gates(values, &notes);
	print_documents(c, values);
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
	free(c->yaml);
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
