/* Loading of the configuration (contract in config.h). Effect (reads files). */
#include "config.h"

#include <string.h>

#include "addr.h"
#include "base/json.h"
#include "base/yaml.h"
#include "kube/hostname.h"
#include "options.h"
#include "validate.h"

enum { HEALTHZ_PORT = 10256, METRICS_PORT = 10249 };

/* ---- defaults that depend on other options ---- */

static const char *text_at(struct json_object *values, const char *key)
{
	return str_or(json_string(values, key), "");
}

static void set_text(struct json_object *values, const char *key, const char *text)
{
	json_object_object_add(values, key, json_object_new_string(text));
}

/* An address alone gets the port; anything else is left for the checks. */
static char *with_port(const char *address, int64_t port)
{
	struct addr bytes;

	if (addr_parse(address, &bytes, NULL) < 0)
		return mem_strdup(address);
	return str_fmt(bytes.len == 16 ? "[%s]:%lld" : "%s:%lld", address, (long long)port);
}

static void derive_address(struct json_object *values, const char *key, const char *fallback,
			   int64_t port)
{
	const char *have = text_at(values, key);
	AUTO_FREE char *address = with_port(*have ? have : fallback, port);

	set_text(values, key, address);
}

/* After what the file says, before the flags. */
static void derive_addresses(struct json_object *values)
{
	bool v6 = strchr(text_at(values, "bindAddress"), ':') != NULL;

	derive_address(values, "healthzBindAddress", v6 ? "::" : "0.0.0.0", HEALTHZ_PORT);
	derive_address(values, "metricsBindAddress", v6 ? "::1" : "127.0.0.1", METRICS_PORT);
}

/* ---- the command line ---- */

/* --healthz-port and --metrics-port: 0 turns the server off. */
static void apply_port(struct json_object *values, const char *flag, const char *key)
{
	int64_t port = value_i64(conf_get(values, flag));
	AUTO_FREE char *address = port ? with_port(text_at(values, key), port) : mem_strdup("");

	set_text(values, key, address);
}

static const char *mode_block(struct json_object *values)
{
	const char *mode = text_at(values, "mode");

	return str_eq(mode, "ipvs") || str_eq(mode, "nftables") ? mode : "iptables";
}

static void apply_to_block(struct json_object *values, const char *flag, const char *block,
			   const char *field)
{
	AUTO_FREE char *path = str_fmt("%s.%s", block, field);
	struct json_object *value = conf_get(values, flag);

	if (value)
		json_object_object_add(values, path, json_object_get(value));
}

/* Flags that upstream binds to the settings of whichever mode it is. */
static void apply_shared_flags(struct json_object *values)
{
	const char *block = mode_block(values);
	bool ipvs = str_eq(block, "ipvs");

	/* without a file the defaults are those of the default mode, whatever the mode is */
	if (ipvs)
		set_text(values, "ipvs.minSyncPeriod", "1s");
	apply_to_block(values, "--masquerade-all", ipvs ? "iptables" : block, "masqueradeAll");
	apply_to_block(values, ipvs ? "--ipvs-sync-period" : "--iptables-sync-period", block,
		       "syncPeriod");
	apply_to_block(values, ipvs ? "--ipvs-min-sync-period" : "--iptables-min-sync-period",
		       block, "minSyncPeriod");
	apply_port(values, "--healthz-port", "healthzBindAddress");
	apply_port(values, "--metrics-port", "metricsBindAddress");
}

/* Beside a file most flags count for nothing, as upstream has it. */
static struct json_object *counting(struct json_object *flags, char ***warnings)
{
	struct json_object *rest = json_object_new_object();
	char buf[100];

	for (size_t i = 0; i < config_options.n; i++) {
		const struct option *o = &config_options.rows[i];
		const char *key = options_key(o, buf, sizeof(buf));
		struct json_object *value = conf_get(flags, key);
		AUTO_FREE char *line = NULL;

		if (!value)
			continue;
		if (o->traits & OPTION_FLAG_WINS) {
			json_object_object_add(rest, key, json_object_get(value));
			continue;
		}
		line = str_fmt("flag --%s counts for nothing beside --config", o->flag);
		strv_push(warnings, line);
	}
	return rest;
}

/* A file's text is shown as it is; a flag's is not. */
static int check_host_name(struct json_object *values, bool from_flag, struct err *e)
{
	const char *text = text_at(values, "hostnameOverride");
	AUTO_FREE char *name = NULL;

	if (!*text)
		return 0;
	if (kube_hostname(text, &name, e) < 0)
		return err_wrap(e, "hostnameOverride (--hostname-override)");
	if (from_flag)
		set_text(values, "hostnameOverride", name);
	return 0;
}

/* ---- results ---- */

/* The document as upstream shows it: the settings of the other modes are not kept. */
static struct json_object *shown_document(struct json_object *values)
{
	static const char *const blocks[] = { "iptables", "ipvs", "nftables" };
	AUTO_JSON struct json_object *shown = NULL;
	const char *own = mode_block(values);

	if (json_object_deep_copy(values, &shown, NULL))
		return json_object_new_object();
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		AUTO_FREE char *sync = str_fmt("%s.syncPeriod", blocks[i]);
		AUTO_FREE char *least = str_fmt("%s.minSyncPeriod", blocks[i]);

		if (str_eq(blocks[i], own))
			continue;
		set_text(shown, sync, "0s");
		set_text(shown, least, "0s");
	}
	set_text(shown, "portRange", "");
	json_object_object_add(
	    shown, str_eq(own, "nftables") ? "iptables.masqueradeAll" : "nftables.masqueradeAll",
	    json_object_new_boolean(0));
	return conf_document(&config_options, shown);
}

static void print_documents(struct config *c, struct json_object *values)
{
	AUTO_JSON struct json_object *root = json_object_new_object();
	struct json_object *document = shown_document(values);
	AUTO_STR yaml = { 0 };

	json_object_object_add(root, "kubeproxy.config.k8s.io", document);
	c->configz = json_text(root);
	yaml_print(document, &yaml);
	c->yaml = str_take(&yaml);
}

static void note_mode(struct config *c)
{
	AUTO_FREE char *line = NULL;

	if (str_eq(c->mode, "nftables"))
		return;
	line = str_fmt("mode: %s is programmed with nftables; its settings keep their meaning "
		       "where nftables has one",
		       c->mode);
	strv_push(&c->notes.warnings, line);
}

static int read_file(const char *file, struct json_object *values, char ***warnings, struct err *e)
{
	AUTO_JSON struct json_object *document = NULL;

	if (str_empty(file))
		return 0;
	if (conf_read(file, &document, warnings, e) < 0)
		return -1;
	return conf_decode(&config_options, file, document, values, warnings, e);
}

static int load(struct json_object *flags, struct json_object *values, char ***warnings,
		struct err *e)
{
	const char *file = text_at(flags, "--config");
	AUTO_JSON struct json_object *counted =
	    *file ? counting(flags, warnings) : json_object_get(flags);

	if (read_file(file, values, warnings, e) < 0)
		return -1;
	derive_addresses(values);
	conf_fill_defaults(&config_options, values);
	conf_overlay(values, counted);
	if (!*text_at(values, "mode"))
		set_text(values, "mode", "iptables");
	if (!*file)
		apply_shared_flags(values);
	if (str_eq(text_at(values, "mode"), "nftables") &&
	    value_is_zero(OPTION_STRINGS, conf_get(values, "nodePortAddresses")))
		conf_set(values, options_find(&config_options, "nodePortAddresses"), "primary");
	if (check_host_name(values, conf_get(flags, "hostnameOverride"), e) < 0)
		return -1;
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
	if (validate_mark(c->return_path_mark_text, &c->return_path_mark, e) < 0) {
		config_free(c);
		return -1;
	}
	print_documents(c, values);
	conf_note_not_built(&config_options, values, &notes);
	c->notes = notes;
	notes = (struct conf_notes){ 0 };
	note_mode(c);
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

struct config_block config_block(const struct config *c)
{
	struct config_block block = c->iptables;

	if (str_eq(c->mode, "nftables"))
		return c->nftables;
	if (str_eq(c->mode, "ipvs")) {
		block.sync_usec = c->ipvs.sync_usec;
		block.min_sync_usec = c->ipvs.min_sync_usec;
	}
	return block;
}

char **config_files(int argc, char *const *argv)
{
	static const char *const names[] = { "--config", NULL };
	static const char *const others[] = { "--cleanup", "--init-only" };
	static const char *const other_texts[] = { "--write-config-to", "--explain", NULL };
	AUTO_JSON struct json_object *flags = json_object_new_object();
	char **texts = flags_texts(&config_options, argc, argv, other_texts);
	bool daemon = !texts[0] && flags_parse(&config_options, argc, argv, flags, NULL) == 0;

	strv_free(texts);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		daemon = daemon && !json_object_get_boolean(conf_get(flags, others[i]));
	return daemon ? flags_texts(&config_options, argc, argv, names)
		      : mem_calloc(1, sizeof(char *));
}

char *config_help(void)
{
	return flags_help(&config_options);
}
