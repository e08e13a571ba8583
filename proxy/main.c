/* keelson-proxy: the service proxy. Only the command line and the exit status are decided here. */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "conf/start.h"
#include "dataplane.h"
#include "kube/version.h"
#include "leftovers.h"
#include "podnetwork.h"
#include "proxy.h"
#include "returnpath.h"

static int fail(const struct err *e, int status)
{
	fprintf(stderr, "keelson-proxy: %s\n", e->text);
	return status;
}

static int write_config(const struct config *c)
{
	struct err e;

	if (fs_write_named(c->write_config_to, c->yaml, strlen(c->yaml), 0644, &e) < 0)
		return fail(&e, 1);
	return 0;
}

static int cleanup(const struct config *c)
{
	int (*const steps[])(struct err * e) = { dataplane_cleanup, returnpath_cleanup,
						 podnetwork_cleanup, leftovers_remove };
	struct err e;
	int status = 0;

	proxy_withdraw(c);
	/* one that fails does not keep the others from it */
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i](&e) < 0)
			status = fail(&e, 1);
	}
	return status;
}

static int run(struct config **config, int argc, char *const *argv)
{
	struct config *c = *config;

	if (!str_empty(c->write_config_to))
		return write_config(c);
	if (!str_empty(c->explain))
		return proxy_explain(c);
	log_set_verbosity(c->verbosity);
	conf_log_notes(&c->notes);
	if (c->cleanup)
		return cleanup(c);
	if (c->init_only)
		return proxy_init(c);
	*config = NULL;
	return proxy_run(c, argc, argv);
}

int main(int argc, char **argv)
{
	static const struct conf_start start = { config_load, config_files, PROXY_WHAT_STAYS };
	CLEANUP(config_freep) struct config *config = NULL;
	AUTO_FREE char *help = NULL;
	struct err e;

	process_hold_standard_files();
	log_init("keelson-proxy", 0);
	switch (conf_start(&start, argc, argv, &config, &e)) {
	case CONFIG_RUN:
		return run(&config, argc, argv);
	case CONFIG_VERSION:
		puts("Kubernetes " KUBE_VERSION);
		return 0;
	case CONFIG_HELP:
		help = config_help();
		fputs(help, stdout);
		return 0;
	case CONFIG_CHECK:
		return conf_check(&config->notes, config->yaml, config->strict)
			   ? 0
			   : CONFIG_EXIT_STATUS;
	default:
		return e.code == ERR_CANCELLED ? 0 : fail(&e, CONFIG_EXIT_STATUS);
	}
}
