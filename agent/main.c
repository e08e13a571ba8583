/* keelson-agent: the node agent. Only the command line and the exit status are decided here. */
#include <stdio.h>

#include "agent.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum { EXIT_CONFIG = 78 };

static int check(const struct config *c)
{
	AUTO_FREE char *report = config_report(c);

	fputs(report, stdout);
	return c->strict && (strv_len(c->warnings) || strv_len(c->not_built)) ? EXIT_CONFIG : 0;
}

static int run(const struct config *c)
{
	log_set_verbosity(c->verbosity);
	for (size_t i = 0; c->warnings && c->warnings[i]; i++)
		log_warning("%s", c->warnings[i]);
	for (size_t i = 0; c->not_built && c->not_built[i]; i++)
		log_warning("configuration %s has no effect: not implemented", c->not_built[i]);
	return agent_run(c);
}

int main(int argc, char **argv)
{
	CLEANUP(config_freep) struct config *config = NULL;
	AUTO_FREE char *help = NULL;
	struct err e;

	log_init("keelson-agent", 0);
	switch (config_load(argc, argv, &config, &e)) {
	case CONFIG_RUN:
		return run(config);
	case CONFIG_VERSION:
		puts("Kubernetes " KUBELET_VERSION);
		return 0;
	case CONFIG_HELP:
		help = config_help();
		fputs(help, stdout);
		return 0;
	case CONFIG_CHECK:
		return check(config);
	default:
		fprintf(stderr, "keelson-agent: %s\n", e.text);
		return EXIT_CONFIG;
	}
}
