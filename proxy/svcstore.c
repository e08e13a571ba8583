/* Services, endpoint slices and the own node as compact values (contract in svcstore.h). Pure. */
#include "svcstore.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/time.h"

/* A packed endpoint: the address, then this. */
struct tail {
	uint16_t hint;
	uint8_t flags, pad;
};

static size_t stride(enum dataplane_family f)
{
	return nft_addr_len(f) + sizeof(struct tail);
}

static const struct {
	const char *name;
	uint8_t proto;
} protocols[] = { { "TCP", IPPROTO_TCP }, { "UDP", IPPROTO_UDP }, { "SCTP", IPPROTO_SCTP } };

const char *svcstore_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (protocols[i].proto == proto)
			return protocols[i].name;
	}
	return NULL;
}

uint8_t svcstore_proto(const char *name)
{
	if (str_empty(name))
		return IPPROTO_TCP;
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (str_eq(protocols[i].name, name))
			return protocols[i].proto;
	}
	return 0;
}

void svcstore_init(struct svcstore *s, const char *node_name)
{
	*s = (struct svcstore){ .node_name = mem_strdup(node_name),
				.services.borrows_keys = true,
				.slices.borrows_keys = true,
				.names.borrows_keys = true };
	vec_push(&s->hints, (struct svchint){ .text = mem_strdup("|") });
}

/* Thousands of ports have the same few names. */
struct portname {
	struct map *pool;
	size_t uses;
	char text[];
};

static const char *take_name(struct svcstore *s, const char *text)
{
	struct portname *n;
	size_t len;

	if (str_empty(text))
		return NULL;
	n = map_get(&s->names, text);
	if (!n) {
		len = strlen(text) + 1;
		n = mem_calloc(1, sizeof(*n) + len);
		n->pool = &s->names;
		memcpy(n->text, text, len);
		map_put(&s->names, n->text, n);
	}
	n->uses++;
	return n->text;
}

static void drop_name(const char *text)
{
	struct portname *n;

	if (!text)
		return;
	n = (struct portname *)((char *)text - offsetof(struct portname, text));
	if (--n->uses)
		return;
	map_remove(n->pool, n->text);
	free(n);
}

static void free_ports(struct svcport *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		drop_name(v[i].name);
}

static void free_addresses(struct svcaddresses *a)
{
	if (!a)
		return;
	vec_fini(&a->external_ips);
	vec_fini(&a->vips);
	vec_fini(&a->source_ranges);
	free(a);
}

const struct svcaddresses *svc_addresses(const struct svc *svc)
{
	static const struct svcaddresses none;

	return svc->more ? svc->more : &none;
}

static struct svcaddresses *need_addresses(struct svc *svc)
{
	if (!svc->more)
		svc->more = NEW(struct svcaddresses);
	return svc->more;
}

static void clear_service(struct svc *svc)
{
	free_ports(svc->ports.v, svc->ports.n);
	vec_fini(&svc->ports);
	free_addresses(TAKE(svc->more));
	memset(svc->cluster_ip, 0, sizeof(svc->cluster_ip));
	memset(svc->any_source, 0, sizeof(svc->any_source));
	svc->known = svc->affinity = svc->external_local = svc->internal_local = false;
	svc->health_port = 0;
	svc->affinity_sec = 0;
}

void svcstore_clear_gone(struct svc *svc)
{
	free_ports(svc->gone.v, svc->gone.n);
	vec_fini(&svc->gone);
}

static void free_service(struct svc *svc)
{
	clear_service(svc);
	svcstore_clear_gone(svc);
	for (size_t f = 0; f < DATAPLANE_FAMILIES; f++)
		nftlist_fini(&svc->family[f].list);
	free(svc);
}

static void free_slice(struct svcslice *slice)
{
	for (size_t i = 0; i < slice->n_ports; i++)
		drop_name(slice->ports[i].name);
	free(slice->ports);
	free(slice->endpoints);
	free(slice);
}

void svcstore_fini(struct svcstore *s)
{
	void *value;

	for (size_t at = 0; map_next(&s->slices, &at, NULL, &value);)
		free_slice(value);
	for (size_t at = 0; map_next(&s->services, &at, NULL, &value);)
		free_service(value);
	map_fini(&s->slices);
	map_fini(&s->services);
	map_fini(&s->names);
	map_fini(&s->hint_by_text);
	for (size_t i = 0; i < s->hints.n; i++)
		free(s->hints.v[i].text);
	vec_fini(&s->hints);
	vec_fini(&s->free_hints);
	free(s->node_name);
	free(s->zone);
}

static char *make_key(const char *ns, const char *name)
{
	return str_fmt("%s/%s", str_or(ns, ""), str_or(name, ""));
}

static struct svc *get_service(struct svcstore *s, const char *ns, const char *name, bool make)
{
	AUTO_FREE char *key = make_key(ns, name);
	struct svc *svc = map_get(&s->services, key);

	if (!svc && make) {
		size_t len = strlen(key) + 1, ns_len = strlen(str_or(ns, "")) + 1;

		/* the name stands in the key, the namespace behind it once more */
		svc = mem_calloc(1, sizeof(*svc) + len + ns_len);
		memcpy(svc->key, key, len);
		memcpy(svc->key + len, str_or(ns, ""), ns_len);
		svc->name = svc->key + ns_len;
		svc->ns = svc->key + len;
		map_put(&s->services, svc->key, svc);
	}
	return svc;
}

void svcstore_forget(struct svcstore *s, struct svc *svc)
{
	if (svc->known || svc->slices)
		return;
	map_remove(&s->services, svc->key);
	free_service(svc);
}

/* Services */

static enum dataplane_family family_of(const struct addr *a)
{
	return a->len == 4 ? DATAPLANE_IPV4 : DATAPLANE_IPV6;
}

static bool routed(const Core__Service *o)
{
	return o->spec && !str_empty(o->spec->clusterip) && !str_eq(o->spec->clusterip, "None") &&
	       !str_eq(o->spec->type, "ExternalName");
}

static bool read_addr(const struct svc *svc, const char *field, const char *text, struct addr *ret)
{
	struct err e;

	if (addr_parse(text, ret, &e) == 0)
		return true;
	log_err_warning(&e, "service %s: %s is left out", svc->key, field);
	return false;
}

static void read_cluster_ips(struct svc *svc, const Core__ServiceSpec *spec)
{
	struct addr a;

	for (size_t i = 0; i < spec->n_clusterips; i++) {
		if (read_addr(svc, "clusterIPs", spec->clusterips[i], &a))
			svc->cluster_ip[family_of(&a)] = a;
	}
	if (!spec->n_clusterips && read_addr(svc, "clusterIP", spec->clusterip, &a))
		svc->cluster_ip[family_of(&a)] = a;
}

static void read_source_ranges(struct svc *svc, const Core__ServiceSpec *spec)
{
	for (size_t i = 0; i < spec->n_loadbalancersourceranges; i++) {
		/* validation lets white space around them pass */
		AUTO_FREE char *text = mem_strdup(spec->loadbalancersourceranges[i]);
		char *start = text + strspn(text, " \t\n\r");
		struct prefix p;
		struct err e;

		start[strcspn(start, " \t\n\r")] = 0;
		if (prefix_parse(start, &p, &e) < 0) {
			log_err_warning(&e, "service %s: loadBalancerSourceRanges is left out",
					svc->key);
			continue;
		}
		if (!p.bits)
			svc->any_source[family_of(&p.addr)] = true;
		vec_push(&need_addresses(svc)->source_ranges, p);
	}
}

static void read_addresses(struct svc *svc, const Core__Service *o)
{
	const Core__LoadBalancerStatus *lb = o->status ? o->status->loadbalancer : NULL;
	struct addr a;

	for (size_t i = 0; i < o->spec->n_externalips; i++) {
		if (read_addr(svc, "externalIPs", o->spec->externalips[i], &a))
			vec_push(&need_addresses(svc)->external_ips, a);
	}
	for (size_t i = 0; lb && i < lb->n_ingress; i++) {
		const Core__LoadBalancerIngress *in = lb->ingress[i];

		/* behind mode Proxy the balancer wants to see its own traffic */
		if (str_empty(in->ip) || str_eq(in->ipmode, "Proxy"))
			continue;
		if (read_addr(svc, "status.loadBalancer.ingress", in->ip, &a))
			vec_push(&need_addresses(svc)->vips, a);
	}
}

static void read_ports(struct svcstore *s, struct svc *svc, const Core__ServiceSpec *spec)
{
	for (size_t i = 0; i < spec->n_ports; i++) {
		const Core__ServicePort *p = spec->ports[i];
		struct svcport port = { .port = (uint16_t)p->port,
					.node_port = (uint16_t)p->nodeport,
					.proto = svcstore_proto(p->protocol) };

		if (!port.proto || p->port < 1 || p->port > 65535 || p->nodeport < 0 ||
		    p->nodeport > 65535) {
			log_warning("service %s: ports[%zu] is left out: %s port %d", svc->key, i,
				    str_or(p->protocol, ""), p->port);
			continue;
		}
		port.name = take_name(s, p->name);
		vec_push(&svc->ports, port);
	}
	svc->ports.cap = svc->ports.n;
	if (svc->ports.n)
		svc->ports.v = mem_realloc(svc->ports.v, svc->ports.cap, sizeof(*svc->ports.v));
}

/* Ids of ports that stay go over; the rest waits in gone. */
static void keep_ids(struct svc *svc, struct svcport *old, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct svcport *heir = NULL;

		for (size_t j = 0; j < svc->ports.n && !heir; j++) {
			if (svc->ports.v[j].proto == old[i].proto &&
			    str_eq(svc->ports.v[j].name, old[i].name))
				heir = &svc->ports.v[j];
		}
		if (heir) {
			memcpy(heir->id, old[i].id, sizeof(heir->id));
			drop_name(old[i].name);
		} else {
			vec_push(&svc->gone, old[i]);
		}
	}
	free(old);
}

struct svc *svcstore_put_service(struct svcstore *s, const Core__Service *o)
{
	const char *ns = o->metadata ? o->metadata->namespace_ : NULL;
	const char *name = o->metadata ? o->metadata->name : NULL;
	const Core__ServiceSpec *spec = o->spec;
	struct svcport *old;
	size_t n_old;
	struct svc *svc;
	bool outside;

	if (!routed(o))
		return svcstore_remove_service(s, ns, name);
	svc = get_service(s, ns, name, true);
	old = svc->ports.v;
	n_old = svc->ports.n;
	memset(&svc->ports, 0, sizeof(svc->ports));
	clear_service(svc);
	svc->known = true;
	svc->created_sec =
	    o->metadata->creationtimestamp ? o->metadata->creationtimestamp->seconds : 0;
	outside = str_eq(spec->type, "LoadBalancer") || str_eq(spec->type, "NodePort") ||
		  spec->n_externalips;
	svc->external_local = outside && str_eq(spec->externaltrafficpolicy, "Local");
	svc->internal_local = str_eq(spec->internaltrafficpolicy, "Local");
	if (svc->external_local && str_eq(spec->type, "LoadBalancer"))
		svc->health_port = (uint16_t)spec->healthchecknodeport;
	svc->affinity = str_eq(spec->sessionaffinity, "ClientIP");
	if (svc->affinity)
		svc->affinity_sec =
		    spec->sessionaffinityconfig && spec->sessionaffinityconfig->clientip &&
			    spec->sessionaffinityconfig->clientip->timeoutseconds > 0
			? (uint32_t)spec->sessionaffinityconfig->clientip->timeoutseconds
			: 10800;
	read_cluster_ips(svc, spec);
	read_addresses(svc, o);
	read_source_ranges(svc, spec);
	read_ports(s, svc, spec);
	keep_ids(svc, old, n_old);
	return svc;
}

struct svc *svcstore_remove_service(struct svcstore *s, const char *ns, const char *name)
{
	struct svc *svc = get_service(s, ns, name, false);

	if (!svc || !svc->known)
		return NULL;
	for (size_t i = 0; i < svc->ports.n; i++)
		vec_push(&svc->gone, svc->ports.v[i]);
	vec_fini(&svc->ports);
	clear_service(svc);
	return svc;
}

/* Slices */

static uint8_t hint_flags(const struct svcstore *s, const Discovery__EndpointHints *h)
{
	uint8_t flags = 0;

	if (h->n_forzones)
		flags |= ENDPOINT_ZONE_HINTS;
	for (size_t i = 0; i < h->n_forzones; i++) {
		if (s->zone && str_eq(h->forzones[i]->name, s->zone))
			flags |= ENDPOINT_FOR_ZONE;
	}
	if (h->n_fornodes)
		flags |= ENDPOINT_NODE_HINTS;
	for (size_t i = 0; i < h->n_fornodes; i++) {
		if (str_eq(h->fornodes[i]->name, s->node_name))
			flags |= ENDPOINT_FOR_NODE;
	}
	return flags;
}

static struct tail tail_of(const struct svcslice *slice, size_t i)
{
	struct tail tail;

	memcpy(&tail, slice->endpoints + i * stride(slice->family) + nft_addr_len(slice->family),
	       sizeof(tail));
	return tail;
}

/* Its place, 0: there is none. */
static size_t new_hint(struct svcstore *s, const char *text, uint8_t flags)
{
	struct svchint hint = { .text = NULL, .flags = flags };
	size_t place = s->hints.n;

	if (s->free_hints.n)
		place = s->free_hints.v[--s->free_hints.n];
	else if (place > UINT16_MAX)
		return 0;
	else
		vec_push(&s->hints, hint);
	hint.text = mem_strdup(text);
	s->hints.v[place] = hint;
	map_put(&s->hint_by_text, text, (void *)place);
	return place;
}

static uint16_t intern_hints(struct svcstore *s, const Discovery__EndpointHints *h)
{
	AUTO_STR text = { 0 };
	size_t known;

	if (!h || (!h->n_forzones && !h->n_fornodes))
		return 0;
	str_append_c(&text, ',');
	for (size_t i = 0; i < h->n_forzones; i++)
		str_printf(&text, "%s,", h->forzones[i]->name);
	str_append_c(&text, '|');
	for (size_t i = 0; i < h->n_fornodes; i++)
		str_printf(&text, "%s,", h->fornodes[i]->name);
	known = (size_t)map_get(&s->hint_by_text, str_text(&text));
	if (!known)
		known = new_hint(s, str_text(&text), hint_flags(s, h));
	if (known)
		s->hints.v[known].uses++;
	return (uint16_t)known;
}

/* Nodes come and go, and each has hints of its own. */
static void release_hints(struct svcstore *s, const struct svcslice *slice)
{
	for (size_t i = 0; i < slice->n; i++) {
		struct tail tail = tail_of(slice, i);
		struct svchint *h = &s->hints.v[tail.hint];

		if (!tail.hint || --h->uses)
			continue;
		map_remove(&s->hint_by_text, h->text);
		free(TAKE(h->text));
		vec_push(&s->free_hints, tail.hint);
	}
}

bool svcstore_set_zone(struct svcstore *s, const char *zone)
{
	AUTO_FREE char *needle = str_fmt(",%s,", str_or(zone, ""));

	if (str_eq(s->zone, zone))
		return false;
	free(s->zone);
	s->zone = mem_strdup(zone);
	for (size_t i = 1; i < s->hints.n; i++) {
		struct svchint *h = &s->hints.v[i];
		const char *bar, *hit;

		if (!h->text)
			continue;
		bar = strchr(h->text, '|');
		hit = strstr(h->text, needle);
		h->flags &= (uint8_t)~ENDPOINT_FOR_ZONE;
		if (zone && hit && hit < bar)
			h->flags |= ENDPOINT_FOR_ZONE;
	}
	return true;
}

static uint8_t endpoint_flags(const struct svcstore *s, const Discovery__Endpoint *e)
{
	const Discovery__EndpointConditions *c = e->conditions;
	uint8_t flags = 0;

	if (!c || !c->has_ready || c->ready)
		flags |= ENDPOINT_READY;
	if (!c || !c->has_serving || c->serving)
		flags |= ENDPOINT_SERVING;
	if (c && c->has_terminating && c->terminating)
		flags |= ENDPOINT_TERMINATING;
	if (!str_empty(e->nodename) && str_eq(e->nodename, s->node_name))
		flags |= ENDPOINT_LOCAL;
	return flags;
}

static void read_endpoints(struct svcstore *s, struct svcslice *slice,
			   const Discovery__EndpointSlice *o)
{
	size_t len = nft_addr_len(slice->family);
	uint8_t *at;

	slice->endpoints = mem_calloc(o->n_endpoints ? o->n_endpoints : 1, stride(slice->family));
	at = slice->endpoints;
	for (size_t i = 0; i < o->n_endpoints; i++) {
		const Discovery__Endpoint *e = o->endpoints[i];
		struct tail tail = { 0 };
		struct addr a;
		struct err err;

		if (addr_parse(e->n_addresses ? e->addresses[0] : NULL, &a, &err) < 0) {
			log_err_warning(&err, "slice %s: endpoints[%zu] is left out", slice->key,
					i);
			continue;
		}
		if (a.len != len)
			continue;
		tail.flags = endpoint_flags(s, e);
		tail.hint = intern_hints(s, e->hints);
		memcpy(at, a.b, len);
		memcpy(at + len, &tail, sizeof(tail));
		at += stride(slice->family);
		slice->n++;
	}
}

static void read_slice_ports(struct svcstore *s, struct svcslice *slice,
			     const Discovery__EndpointSlice *o)
{
	slice->ports = mem_calloc(o->n_ports ? o->n_ports : 1, sizeof(*slice->ports));
	for (size_t i = 0; i < o->n_ports; i++) {
		const Discovery__EndpointPort *p = o->ports[i];
		uint8_t proto = svcstore_proto(p->protocol);

		if (!proto || !p->has_port || p->port < 1 || p->port > 65535)
			continue;
		slice->ports[slice->n_ports++] = (struct svcsliceport){
			.name = take_name(s, p->name), .port = (uint16_t)p->port, .proto = proto
		};
	}
}

static const char *lookup(Meta__ObjectMeta__LabelsEntry *const *v, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(v[i]->key, key))
			return v[i]->value;
	}
	return NULL;
}

static const char *annotation(const Meta__ObjectMeta *m, const char *key)
{
	for (size_t i = 0; i < m->n_annotations; i++) {
		if (str_eq(m->annotations[i]->key, key))
			return m->annotations[i]->value;
	}
	return NULL;
}

static int64_t trigger_time(const Meta__ObjectMeta *m)
{
	const char *text = annotation(m, "endpoints.kubernetes.io/last-change-trigger-time");
	int64_t sec;
	int32_t nsec;

	if (!text || kube_time_parse(text, &sec, &nsec, NULL) < 0)
		return 0;
	return sec * 1000000 + nsec / 1000;
}

/* Takes the slice out of its service and frees it. */
static struct svc *drop_slice(struct svcstore *s, struct svcslice *slice)
{
	struct svc *svc = slice->svc;

	for (struct svcslice **p = &svc->slices; *p; p = &(*p)->next) {
		if (*p == slice) {
			*p = slice->next;
			break;
		}
	}
	s->endpoints -= slice->n;
	release_hints(s, slice);
	map_remove(&s->slices, slice->key);
	free_slice(slice);
	return svc;
}

struct svc *svcstore_remove_slice(struct svcstore *s, const char *ns, const char *name)
{
	AUTO_FREE char *key = make_key(ns, name);
	struct svcslice *slice = map_get(&s->slices, key);

	return slice ? drop_slice(s, slice) : NULL;
}

struct svc *svcstore_put_slice(struct svcstore *s, const Discovery__EndpointSlice *o,
			       struct svc **ret_other)
{
	const Meta__ObjectMeta *m = o->metadata;
	const char *service =
	    m ? lookup(m->labels, m->n_labels, "kubernetes.io/service-name") : NULL;
	struct svc *old = m ? svcstore_remove_slice(s, m->namespace_, m->name) : NULL;
	AUTO_FREE char *key = make_key(m ? m->namespace_ : NULL, m ? m->name : NULL);
	struct svcslice *slice;

	*ret_other = NULL;
	if (!m || str_empty(service) ||
	    (!str_eq(o->addresstype, "IPv4") && !str_eq(o->addresstype, "IPv6")))
		return old;
	slice = mem_calloc(1, sizeof(*slice) + strlen(key) + 1);
	memcpy(slice->key, key, strlen(key) + 1);
	slice->family = str_eq(o->addresstype, "IPv4") ? DATAPLANE_IPV4 : DATAPLANE_IPV6;
	slice->trigger_usec = trigger_time(m);
	slice->svc = get_service(s, m->namespace_, service, true);
	slice->next = slice->svc->slices;
	slice->svc->slices = slice;
	read_slice_ports(s, slice, o);
	read_endpoints(s, slice, o);
	s->endpoints += slice->n;
	map_put(&s->slices, slice->key, slice);
	if (old && old != slice->svc)
		*ret_other = old;
	return slice->svc;
}

/* Endpoints of a port */

static int endpoint_compare(const void *a, const void *b)
{
	const struct endpoint *x = a, *y = b;
	int r = memcmp(x->addr, y->addr, sizeof(x->addr));

	if (!r && x->port != y->port)
		r = x->port < y->port ? -1 : 1;
	/* of two with one address the one that stays comes first */
	if (!r)
		r = (x->flags & ENDPOINT_TERMINATING) - (y->flags & ENDPOINT_TERMINATING);
	return r ? r : (int)y->flags - (int)x->flags;
}

static void gather(const struct svcstore *s, const struct svcslice *slice, uint16_t port,
		   svcendpoints *ret)
{
	size_t len = nft_addr_len(slice->family);

	for (size_t i = 0; i < slice->n; i++) {
		const uint8_t *at = slice->endpoints + i * stride(slice->family);
		struct endpoint e = { .port = port };
		struct tail tail = tail_of(slice, i);

		memcpy(e.addr, at, len);
		e.flags = tail.flags | s->hints.v[tail.hint].flags;
		vec_push(ret, e);
	}
}

uint32_t svcstore_local_ready(const struct svcslice *slice)
{
	uint32_t n = 0;

	for (size_t i = 0; i < slice->n; i++) {
		const unsigned want = ENDPOINT_LOCAL | ENDPOINT_READY;

		n += (tail_of(slice, i).flags & want) == want;
	}
	return n;
}

static bool same_place(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

void svcstore_endpoints(const struct svcstore *s, const struct svc *svc, const struct svcport *port,
			enum dataplane_family f, svcendpoints *ret)
{
	ret->n = 0;
	for (const struct svcslice *slice = svc->slices; slice; slice = slice->next) {
		for (size_t i = 0; slice->family == f && i < slice->n_ports; i++) {
			const struct svcsliceport *p = &slice->ports[i];

			if (p->proto == port->proto && str_eq(p->name, port->name))
				gather(s, slice, p->port, ret);
		}
	}
	vec_sort(ret, endpoint_compare);
	vec_keep_after(ret, last, each, !last || !same_place(last, each));
}
