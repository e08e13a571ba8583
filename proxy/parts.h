/* The parts of the proxy, for the files that join them. */
#pragma once

#include <systemd/sd-event.h>

#include "config.h"
#include "dataplane.h"
#include "filewatch.h"
#include "kube/client.h"
#include "kube/event.h"
#include "kube/informer.h"
#include "metrics.h"
#include "nodeinfo.h"
#include "served.h"
#include "servicehealth.h"
#include "settings.h"

struct proxy {
	int argc;
	char *const *argv;
	struct config *config;
	char *node_name;
	bool v6;                 /* the host has IPv6 */
	struct spawner *spawner; /* NULL: the kubeconfig had no credential plugin at the start */

	sd_event *loop;
	struct kube_client *client;
	char *credentials; /* what the client has, as text to compare */
	struct event_recorder *events;
	struct dataplane *dataplane;
	struct podnetwork *pod_network; /* NULL: not ours to make */
	struct returnpath *return_path;
	struct nodeannotation *annotation;
	struct settings settings;
	struct nodeinfo node;

	struct informer *services, *slices, *service_cidrs;
	struct informer *nodes;    /* the own one */
	struct informer *peers;    /* all */
	sd_event_source *patience; /* how long what may be missing is waited for */
	bool patience_over, started, useless;
	char **warned; /* the sentences that were told already */

	struct metrics metrics;
	struct served *healthz, *monitor;
	struct servicehealth *service_health;
	struct filewatch *config_watch, *kubeconfig_watch;
	int64_t start_usec; /* CLOCK_REALTIME */
	bool failed;        /* about to end because an address cannot be had */
};

/* Starts the data plane once all that it needs is known. */
void proxy_try_start(struct proxy *p);

/* ---- proxypeers.c ---- */

/* The pod network and the way back of replies; needs client and data plane. */
int proxypeers_start(struct proxy *p, struct err *e);
void proxypeers_configure(struct proxy *p);           /* the configuration changed */
bool proxypeers_ready(const struct proxy *p);         /* programming may start */
size_t proxypeers_masqueraded(const struct proxy *p); /* prefixes of other nodes */
void proxypeers_stop(struct proxy *p);                /* before the client goes */
void proxypeers_free(struct proxy *p);

/* ---- proxyserver.c ---- */

void proxyserver_start(struct proxy *p);
/* The addresses of the configuration, which may have changed. */
void proxyserver_set(struct proxy *p);
/* Health ports of services, after the settings or the services changed. */
void proxyserver_sync_services(struct proxy *p);
void proxyserver_stop(struct proxy *p);

/* An event about the own Node. */
void proxy_node_event(struct proxy *p, const char *type, const char *reason, const char *message);
