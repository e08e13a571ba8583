/* Health ports of services (contract in servicehealth.h). Effect. */
#include "servicehealth.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include "addr.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "health.h"
#include "http/listen.h"

enum { PORT_CONNECTIONS_MAX = 64 };

struct port {
	struct servicehealth *owner;
	char *ns, *name;
	uint16_t number;
	uint32_t local_endpoints;
	bool seen; /* by the sync that is under way */
	VEC(struct listener *) listeners;
};

struct servicehealth {
	struct servicehealth_setup setup;
	struct map ports; /* "ns/name" -> struct port */
	char **addresses; /* to listen on */
};

/* ---- where ---- */

static bool address_of(const struct sockaddr *sa, struct addr *ret)
{
	*ret = (struct addr){ 0 };
	if (sa && sa->sa_family == AF_INET) {
		ret->len = 4;
		memcpy(ret->b, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa && sa->sa_family == AF_INET6) {
		ret->len = 16;
		memcpy(ret->b, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	}
	return ret->len != 0;
}

static void push_address(char ***list, const struct addr *a)
{
	char text[ADDR_TEXT];

	if (!strv_has(*list, addr_text(a, text)))
		strv_push(list, text);
}

/* The host's addresses within the range. */
static void push_local(char ***list, const struct prefix *range)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct addr a;

		if (address_of(i->ifa_addr, &a) && prefix_has(range, &a))
			push_address(list, &a);
	}
	freeifaddrs(all);
}

/* Addresses of one family; a family that nothing was said about listens on all. */
static void push_family(char ***list, uint8_t len, char *const *wanted, const struct nodeinfo *node)
{
	char **some = NULL;
	bool all = false;

	for (; wanted && *wanted; wanted++) {
		const struct addr *own = nodeinfo_address(node, len);
		struct prefix range;

		if (str_eq(*wanted, "primary")) {
			if (own)
				push_address(&some, own);
		} else if (prefix_parse(*wanted, &range, NULL) == 0 && range.addr.len == len) {
			all |= range.bits == 0;
			push_local(&some, &range);
		}
	}
	if (all || !some)
		strv_push(list, len == 4 ? "0.0.0.0" : "::");
	for (size_t i = 0; !all && some && some[i]; i++)
		strv_push(list, some[i]);
	strv_free(some);
}

/* ---- ports ---- */

static void on_request(void *ctx, struct conn *c)
{
	struct port *p = ctx;
	bool healthy = p->owner->setup.healthy(p->owner->setup.ctx);
	AUTO_FREE char *body = health_service_json(p->ns, p->name, p->local_endpoints, healthy);
	char weight[16];

	snprintf(weight, sizeof(weight), "%u", p->local_endpoints);
	conn_add_header(c, "X-Content-Type-Options", "nosniff");
	conn_add_header(c, "X-Load-Balancing-Endpoint-Weight", weight);
	conn_reply(c, p->local_endpoints && healthy ? 200 : 503, "application/json", body,
		   strlen(body));
}

static void port_close(struct port *p)
{
	for (size_t i = 0; i < p->listeners.n; i++)
		listener_free(p->listeners.v[i]);
	vec_fini(&p->listeners);
}

static void port_free(struct port *p)
{
	port_close(p);
	free(p->ns);
	free(p->name);
	free(p);
}

static int port_open(struct port *p, struct err *e)
{
	struct servicehealth *h = p->owner;

	for (size_t i = 0; h->addresses && h->addresses[i]; i++) {
		const struct listener_setup setup = {
			.loop = h->setup.loop,
			.address = h->addresses[i],
			.port = p->number,
			.v6_only = true,
			.request = on_request,
			.ctx = p,
			.connections_max = PORT_CONNECTIONS_MAX,
		};
		struct listener *l;

		if (listener_new(&setup, &l, e) < 0)
			return -1;
		vec_push(&p->listeners, l);
	}
	return 0;
}

/* Opens what is closed; all addresses or none. */
static void port_try(struct port *p)
{
	struct servicehealth *h = p->owner;
	struct err e;

	if (p->listeners.n)
		return;
	if (port_open(p, &e) == 0) {
		log_v(2, "health port opened service=%s/%s port=%u", p->ns, p->name, p->number);
		return;
	}
	port_close(p);
	h->setup.failed(h->setup.ctx, p->ns, p->name, p->number, &e);
}

static void port_put(struct servicehealth *h, const struct dataplane_health *wanted)
{
	AUTO_FREE char *key = str_fmt("%s/%s", wanted->ns, wanted->name);
	struct port *p = map_get(&h->ports, key);

	if (!p) {
		p = NEW(struct port);
		p->owner = h;
		p->ns = mem_strdup(wanted->ns);
		p->name = mem_strdup(wanted->name);
		map_put(&h->ports, key, p);
	}
	if (p->number != wanted->port)
		port_close(p);
	p->number = wanted->port;
	p->local_endpoints = wanted->local_endpoints;
	p->seen = true;
}

void servicehealth_sync(struct servicehealth *h, const struct dataplane *d)
{
	struct dataplane_health wanted;
	size_t cursor = 0;
	const char *key;
	void *value;

	while (map_next(&h->ports, &cursor, NULL, &value))
		((struct port *)value)->seen = false;
	for (cursor = 0; dataplane_health_next(d, &cursor, &wanted);)
		port_put(h, &wanted);
	/* first those that go: a port may have moved to another service */
	for (cursor = 0; map_next(&h->ports, &cursor, &key, &value);) {
		struct port *p = value;

		if (p->seen)
			continue;
		log_v(2, "health port closed service=%s/%s port=%u", p->ns, p->name, p->number);
		map_remove(&h->ports, key);
		port_free(p);
	}
	for (cursor = 0; map_next(&h->ports, &cursor, NULL, &value);)
		port_try(value);
}

void servicehealth_set_addresses(struct servicehealth *h, char *const *node_port_addresses,
				 const struct nodeinfo *node, bool v6)
{
	char **addresses = NULL;
	size_t cursor = 0;
	void *value;

	push_family(&addresses, 4, node_port_addresses, node);
	if (v6)
		push_family(&addresses, 16, node_port_addresses, node);
	if (strv_equal(addresses, h->addresses)) {
		strv_free(addresses);
		return;
	}
	strv_free(h->addresses);
	h->addresses = addresses;
	while (map_next(&h->ports, &cursor, NULL, &value)) {
		port_close(value);
		port_try(value);
	}
}

struct servicehealth *servicehealth_new(const struct servicehealth_setup *setup)
{
	struct servicehealth *h = NEW(struct servicehealth);

	h->setup = *setup;
	return h;
}

void servicehealth_free(struct servicehealth *h)
{
	size_t cursor = 0;
	void *value;

	if (!h)
		return;
	while (map_next(&h->ports, &cursor, NULL, &value))
		port_free(value);
	map_fini(&h->ports);
	strv_free(h->addresses);
	free(h);
}
