/* What the proxy does with other nodes: the pod network and the way back of replies. Effect. */
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "nodeannotation.h"
#include "parts.h"
#include "podnetwork.h"
#include "returnpath.h"

enum { BOOT_ID_BYTES = 128 };

static void on_node(void *ctx, struct kube_object *o)
{
	struct proxy *p = ctx;

	if (p->pod_network)
		podnetwork_put_node(p->pod_network, (const Core__Node *)o->msg);
	if (p->return_path)
		returnpath_put_node(p->return_path, (const Core__Node *)o->msg);
}

static void on_node_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	on_node(ctx, now);
}

static void on_node_deleted(void *ctx, struct kube_object *last)
{
	struct proxy *p = ctx;

	if (p->pod_network)
		podnetwork_remove_node(p->pod_network, last->meta->name);
	if (p->return_path)
		returnpath_remove_node(p->return_path, last->meta->name);
}

static void on_nodes_synced(void *ctx)
{
	struct proxy *p = ctx;

	if (p->pod_network)
		podnetwork_start(p->pod_network);
	if (p->return_path)
		returnpath_start(p->return_path);
}

static const struct informer_ops node_ops = { on_node, on_node_updated, on_node_deleted,
					      on_nodes_synced };

/* Without one, what an earlier life made goes. */
static int make_pod_network(struct proxy *p, struct err *e)
{
	const char *mode = p->config->pod_network, *cni = p->config->cni_config;
	struct podnetwork_settings settings = {
		.mode = str_eq(mode, "vxlan") ? PODNET_VXLAN : PODNET_ROUTES,
		.node_name = p->node_name,
		.cni_path = str_empty(cni) ? NULL : cni,
	};

	if (!str_eq(mode, "none"))
		return podnetwork_new(p->loop, &settings, &p->pod_network, e);
	if (podnetwork_cleanup(e) < 0)
		log_err_warning(e, "routes of an earlier life");
	return 0;
}

static void on_publish(void *ctx, const char *record)
{
	struct proxy *p = ctx;

	nodeannotation_set(p->annotation, record);
}

static void on_turned(void *ctx)
{
	proxy_try_start(ctx);
}

/* The bit that says "masquerade" is no node's. */
static uint32_t return_mask(const struct config *c)
{
	return c->return_path_mark & ~((uint32_t)1 << config_block(c).masquerade_bit);
}

static int make_return_path(struct proxy *p, struct err *e)
{
	AUTO_FREE char *boot_id = NULL;
	struct returnpath_settings settings = {
		.node_name = p->node_name,
		.mask = return_mask(p->config),
		.masquerade_all = config_block(p->config).masquerade_all,
		.publish = on_publish,
		.turned = on_turned,
		.ctx = p,
	};

	if (fs_read("/proc/sys/kernel/random/boot_id", BOOT_ID_BYTES, &boot_id, NULL, e) < 0)
		return err_wrap(e, "return path");
	boot_id[strcspn(boot_id, "\n")] = 0;
	settings.boot_id = boot_id;
	p->annotation = nodeannotation_new(p->loop, p->client, p->node_name, PEERS_ANNOTATION);
	return returnpath_new(p->loop, &settings, p->dataplane, &p->return_path, e);
}

/* One that was turned off takes back what an earlier life published. */
int proxypeers_start(struct proxy *p, struct err *e)
{
	if (make_pod_network(p, e) < 0 || make_return_path(p, e) < 0)
		return -1;
	p->peers = informer_new_thin(p->client, KUBE_NODE, NULL, NULL, NULL, &node_ops, p);
	return 0;
}

void proxypeers_configure(struct proxy *p)
{
	returnpath_configure(p->return_path, return_mask(p->config),
			     config_block(p->config).masquerade_all);
}

bool proxypeers_ready(const struct proxy *p)
{
	return returnpath_ready(p->return_path);
}

size_t proxypeers_masqueraded(const struct proxy *p)
{
	return returnpath_incapable(p->return_path);
}

void proxypeers_stop(struct proxy *p)
{
	informer_free(p->peers);
	nodeannotation_free(p->annotation);
}

/* After the data plane's last turn. */
void proxypeers_free(struct proxy *p)
{
	podnetwork_free(p->pod_network);
	returnpath_free(p->return_path);
}
