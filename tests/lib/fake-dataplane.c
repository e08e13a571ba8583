/* The data plane's contract without a kernel: records what it is told, refuses what the contract
 * forbids by ending the process. Effect.
 *
 * Lines go to the file in FAKE_DATAPLANE. A Service with the annotation test/lag is never
 * programmed, one with test/warn is warned about.
 */
#include "dataplane.h"
#include "frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/vec.h"

struct dataplane {
	const struct dataplane_ops *ops;
	void *ctx;
	char *node_name;
	sd_event_source *later;
	struct map services, slices, nodes; /* "ns/name" -> message copy */
	struct dataplane_status status;
	bool in_callback;
};

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *fmt, ...)
{
	const char *path = getenv("FAKE_DATAPLANE");
	FILE *f = path ? fopen(path, "a") : NULL;
	va_list ap;

	if (!f)
		return;
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fputc('\n', f);
	fclose(f);
}

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	note("ILLEGAL %s", what);
	fprintf(stderr, "fake data plane: illegal use: %s\n", what);
	abort();
}

static const char *annotation(const Meta__ObjectMeta *meta, const char *key)
{
	for (size_t i = 0; i < meta->n_annotations; i++) {
		if (str_eq(meta->annotations[i]->key, key))
			return meta->annotations[i]->value;
	}
	return NULL;
}

/* ---- programming ---- */

static bool lags(const struct dataplane *d)
{
	size_t cursor = 0;
	void *value;

	while (map_next(&d->services, &cursor, NULL, &value)) {
		if (annotation(((Core__Service *)value)->metadata, "test/lag"))
			return true;
	}
	return false;
}

static void tell_warnings(struct dataplane *d)
{
	size_t cursor = 0;
	void *value;

	while (map_next(&d->services, &cursor, NULL, &value)) {
		const Meta__ObjectMeta *meta = ((Core__Service *)value)->metadata;

		if (annotation(meta, "test/warn"))
			d->ops->warn(d->ctx, meta->namespace_, meta->name, "TestWarning",
				     annotation(meta, "test/warn"));
	}
}

static int program(sd_event_source *s, void *userdata)
{
	struct dataplane *d = userdata;
	bool late = lags(d);

	(void)s;
	d->in_callback = true;
	for (int f = 0; f < DATAPLANE_FAMILIES; f++) {
		if (late)
			continue;
		d->status.family[f].last_sync_usec = clock_wall_usec();
		d->status.family[f].pending_since_usec = 0;
		d->ops->synced(d->ctx, (enum dataplane_family)f, true, 1500, 0, NULL);
	}
	if (!late)
		d->status.service_changes_pending = d->status.endpoint_changes_pending = 0;
	d->ops->health_changed(d->ctx);
	tell_warnings(d);
	d->in_callback = false;
	note("programmed services=%zu slices=%zu", d->services.count, d->slices.count);
	return 0;
}

static void changed(struct dataplane *d)
{
	for (int f = 0; f < DATAPLANE_FAMILIES; f++) {
		d->status.family[f].last_queued_usec = clock_wall_usec();
		if (!d->status.family[f].pending_since_usec)
			d->status.family[f].pending_since_usec = clock_mono_usec();
	}
	d->status.services = d->services.count;
	if (d->status.started)
		sd_event_source_set_enabled(d->later, SD_EVENT_ONESHOT);
}

static void put(struct map *m, const Meta__ObjectMeta *meta, const void *message)
{
	AUTO_FREE char *key = NULL;

	require(meta && !str_empty(meta->name), "an object without a name");
	key = str_fmt("%s/%s", str_or(meta->namespace_, ""), meta->name);
	proto_free(map_put(m, key, proto_dup(message)));
}

static void take_away(struct map *m, const char *ns, const char *name)
{
	AUTO_FREE char *key = str_fmt("%s/%s", str_or(ns, ""), name);

	require(map_has(m, key), "removal of what was never put");
	proto_free(map_remove(m, key));
}

/* ---- the contract ---- */

static void note_settings(const char *verb, const struct dataplane_settings *s)
{
	AUTO_STR text = { 0 };

	str_printf(&text,
		   "%s node=%s local=%d interface=%s masquerade=%d/%d sync=%lld/%lld cidrs=", verb,
		   s->node_name, (int)s->local, str_or(s->local_interface, "-"), s->masquerade_all,
		   s->masquerade_bit, (long long)s->sync_usec, (long long)s->min_sync_usec);
	for (char *const *c = s->cluster_cidrs; c && *c; c++)
		str_printf(&text, "%s,", *c);
	str_append(&text, " nodeports=");
	for (char *const *c = s->node_port_addresses; c && *c; c++)
		str_printf(&text, "%s,", *c);
	note("%s", str_text(&text));
}

int dataplane_new(sd_event *loop, const struct dataplane_settings *settings,
		  const struct dataplane_ops *ops, void *ctx, struct dataplane **ret, struct err *e)
{
	struct dataplane *d = NEW(struct dataplane);

	d->ops = ops;
	d->ctx = ctx;
	d->node_name = mem_strdup(settings->node_name);
	for (int f = 0; f < DATAPLANE_FAMILIES; f++)
		d->status.family[f].enabled = true;
	if (sd_event_add_defer(loop, &d->later, program, d) < 0)
		return err_set(e, ERR_INTERNAL, "no event source");
	sd_event_source_set_enabled(d->later, SD_EVENT_OFF);
	note_settings("new", settings);
	*ret = d;
	return 0;
}

static void free_all(struct map *m)
{
	size_t cursor = 0;
	void *value;

	while (map_next(m, &cursor, NULL, &value))
		proto_free(value);
	map_fini(m);
}

void dataplane_free(struct dataplane *d)
{
	if (!d)
		return;
	require(!d->in_callback, "freed from its own callback");
	note("free");
	sd_event_source_disable_unref(d->later);
	free_all(&d->services);
	free_all(&d->slices);
	free_all(&d->nodes);
	free(d->node_name);
	free(d);
}

int dataplane_configure(struct dataplane *d, const struct dataplane_settings *settings,
			struct err *e)
{
	(void)e;
	require(str_eq(d->node_name, settings->node_name), "another node's name");
	note_settings("configure", settings);
	changed(d);
	return 0;
}

void dataplane_put_service(struct dataplane *d, const Core__Service *service)
{
	put(&d->services, service->metadata, service);
	d->status.service_changes++;
	d->status.service_changes_pending++;
	note("service %s/%s", service->metadata->namespace_, service->metadata->name);
	changed(d);
}

void dataplane_remove_service(struct dataplane *d, const char *ns, const char *name)
{
	take_away(&d->services, ns, name);
	note("no service %s/%s", ns, name);
	changed(d);
}

void dataplane_put_slice(struct dataplane *d, const Discovery__EndpointSlice *slice)
{
	put(&d->slices, slice->metadata, slice);
	d->status.endpoint_changes++;
	d->status.endpoint_changes_pending++;
	note("slice %s/%s endpoints=%zu", slice->metadata->namespace_, slice->metadata->name,
	     slice->n_endpoints);
	changed(d);
}

void dataplane_remove_slice(struct dataplane *d, const char *ns, const char *name)
{
	take_away(&d->slices, ns, name);
	note("no slice %s/%s", ns, name);
	changed(d);
}

void dataplane_put_node(struct dataplane *d, const Core__Node *node)
{
	put(&d->nodes, node->metadata, node);
	note("node %s addresses=%zu podcidrs=%zu", node->metadata->name,
	     node->status ? node->status->n_addresses : 0, node->spec ? node->spec->n_podcidrs : 0);
	changed(d);
}

void dataplane_remove_node(struct dataplane *d, const char *name)
{
	take_away(&d->nodes, NULL, name);
	note("no node %s", name);
	changed(d);
}

void dataplane_set_service_cidrs(struct dataplane *d, char *const *cidrs)
{
	AUTO_STR text = { 0 };

	for (; cidrs && *cidrs; cidrs++)
		str_printf(&text, " %s", *cidrs);
	note("service cidrs%s", str_text(&text));
	changed(d);
}

void dataplane_start(struct dataplane *d)
{
	require(!d->status.started, "started twice");
	d->status.started = true;
	note("start");
	changed(d);
}

void dataplane_resync(struct dataplane *d)
{
	require(d->status.started, "resync before the start");
	changed(d);
}

void dataplane_status(const struct dataplane *d, struct dataplane_status *ret)
{
	*ret = d->status;
}

/* Ready endpoints of a service on this node. */
static uint32_t local_endpoints(const struct dataplane *d, const Meta__ObjectMeta *service)
{
	uint32_t count = 0;
	size_t cursor = 0;
	void *value;

	while (map_next(&d->slices, &cursor, NULL, &value)) {
		const Discovery__EndpointSlice *s = value;
		bool ours = str_eq(s->metadata->namespace_, service->namespace_);
		bool named = false;

		for (size_t i = 0; i < s->metadata->n_labels; i++)
			named |=
			    str_eq(s->metadata->labels[i]->key, "kubernetes.io/service-name") &&
			    str_eq(s->metadata->labels[i]->value, service->name);
		for (size_t i = 0; ours && named && i < s->n_endpoints; i++)
			count += str_eq(s->endpoints[i]->nodename, d->node_name);
	}
	return count;
}

bool dataplane_health_next(const struct dataplane *d, size_t *cursor, struct dataplane_health *ret)
{
	void *value;

	while (map_next(&d->services, cursor, NULL, &value)) {
		const Core__Service *s = value;

		if (!s->spec || !s->spec->healthchecknodeport)
			continue;
		*ret = (struct dataplane_health){
			.ns = s->metadata->namespace_,
			.name = s->metadata->name,
			.port = (uint16_t)s->spec->healthchecknodeport,
			.local_endpoints = local_endpoints(d, s->metadata),
		};
		return true;
	}
	return false;
}

int dataplane_explain(const struct dataplane *d, const char *address, uint16_t port,
		      const char *protocol, struct str *out, struct err *e)
{
	size_t cursor = 0;
	void *value;

	while (map_next(&d->services, &cursor, NULL, &value)) {
		const Core__Service *s = value;

		if (!str_eq(s->spec->clusterip, address))
			continue;
		str_printf(out, "service %s/%s %s %u\n", s->metadata->namespace_, s->metadata->name,
			   protocol, port);
		return 0;
	}
	return err_set(e, ERR_NOT_FOUND, "%s port %u: no service", address, port);
}

int dataplane_get_frames(struct dataplane *d, const netstate_links *links, struct frames *ret,
			 struct err *e)
{
	(void)d;
	(void)links;
	(void)e;
	*ret = (struct frames){ 0 };
	return 0;
}

int dataplane_set_peers(struct dataplane *d, const struct frames *have, struct peers *peers,
			struct err *e)
{
	(void)have;
	require(!d->in_callback, "dataplane_set_peers inside a callback");
	(void)e;
	note("peers senders=%zu symmetric=%zu", peers->senders.n, peers->symmetric.n);
	peers_fini(peers);
	return 0;
}

int dataplane_cleanup(struct err *e)
{
	(void)e;
	note("cleanup");
	return 0;
}
