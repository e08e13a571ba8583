/* The parts of the running agent, for the files that join them (agent.c, agentserver.c). */
#pragma once

#include "config/config.h"
#include "pod/podenvironment.h"

struct node;
struct checks;
struct server;
struct podorphans;

struct agent {
	const struct config *config;
	sd_event *loop;
	struct pod_environment env;
	struct podconfig_node facts;
	char *cgroup_root;
	struct node *node;
	bool registered, runtime_known; /* and its cgroups are made */
	sd_event_source *cgroups_timer;
	struct spawner *spawner; /* starts programs for credentials; NULL: there are none */
	char *trouble;           /* why no pod can run, or NULL */
	struct checks *checks;
	struct informer *pods; /* of this node; NULL until services are known */
	struct podorphans *orphans;
	struct server *server;
};
