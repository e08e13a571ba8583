/* keelson-agent: the node agent. Only the command line and the exit status are decided here. */
#include <stdio.h>

#include "agent.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "conf/start.h"
#include "kube/version.h"

static int run(const struct config *c)
{
	log_set_verbosity(c->verbosity);
	conf_log_notes(&c->notes);
	return agent_run(c);
}

static int fail(const struct err *e)
{
	if (e->code == ERR_CANCELLED)
		return 0;
	fprintf(stderr, "keelson-agent: %s\n", e->text);
	return CONFIG_EXIT_STATUS;
}

int main(int argc, char **argv)
{
	static const struct conf_start start = { config_load, config_files, AGENT_WHAT_STAYS };
	CLEANUP(config_freep) struct config *config = NULL;
	AUTO_FREE char *help = NULL;
	struct err e;

	process_hold_standard_files();
	log_init("keelson-agent", 0);
	switch (conf_start(&start, argc, argv, &config, &e)) {
	case CONFIG_RUN:
		return run(config);
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
		return fail(&e);
	}
}
