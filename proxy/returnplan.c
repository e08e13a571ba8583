/* Routing of replies (contract in returnplan.h). Pure. */
#include "returnplan.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "base/str.h"
#include "prober.h"

/* Link-local: no route of anybody's leads to them. */
static const struct addr next_hop4 = { .len = 4, .b = { 169, 254, 75, 75 } };
static const struct addr next_hop6 = { .len = 16, .b = { 0xfe, 0x80, [14] = 0x4b, [15] = 0x4b } };
static const uint8_t nobody[MAC_BYTES] = { 0x02, 0xff, 0xff, 0xff, 0xff, 0xff };

bool returnplan_is_table(uint32_t table)
{
	return table > RETURNPLAN_TABLE && table <= RETURNPLAN_TABLE + PEERS_SLOTS;
}

bool returnplan_is_next_hop(const struct addr *a)
{
	return !addr_cmp(a, &next_hop4) || !addr_cmp(a, &next_hop6);
}

/* An IPv6 source is a local route instead. */
bool returnplan_is_source(const struct netstate_address *a)
{
	const struct prefix range = prober_range(false);

	return a->host && a->bits == 8 * a->addr.len && prefix_has(&range, &a->addr);
}

int returnplan_only_device(const struct peers *p)
{
	int dev = 0;

	for (unsigned i = 0; i < PEERS_SLOTS; i++) {
		if (dev && p->slot[i].dev)
			return 0;
		if (p->slot[i].dev)
			dev = p->slot[i].dev;
	}
	return dev;
}

static void add_slot(const struct peers *p, unsigned slot, const struct addr *via, bool one_exit,
		     struct returnplan *ret)
{
	const struct addr any = { .len = via->len };
	struct netstate_rule rule = { .ipv6 = via->len == 16,
				      .priority = RETURNPLAN_PRIORITY,
				      .mark = peermarks_slot_bits(p->mask, slot),
				      .mask = peermarks_slot_bits(p->mask, 0),
				      .table = RETURNPLAN_TABLE + slot,
				      .ours = true };
	struct netstate_route route = { .table = rule.table,
					.dst = prefix_of(&any, 0),
					.via = *via,
					.dev = p->slot[slot - 1].dev,
					.onlink = true };
	struct netstate_neighbour neighbour = { .dev = route.dev, .addr = *via };

	memcpy(neighbour.mac, nobody, MAC_BYTES);
	if (!one_exit)
		vec_push(&ret->rules, rule);
	vec_push(&ret->routes, route);
	vec_push(&ret->neighbours, neighbour);
}

bool returnplan_is_ours(const struct netstate_route *route)
{
	const struct prefix four = prober_range(false), six = prober_range(true);

	return returnplan_is_table(route->table) || route->local ||
	       !prefix_cmp(&route->dst, &four) || !prefix_cmp(&route->dst, &six);
}

/* The own source is of a scope that nobody chooses as the source of anything else. IPv4 has an
 * address for it: a local route that the kernel has not made itself has the sources of all packets
 * looked up (fib_validate_source), also without a reverse path check.
 */
static void add_own_source(const struct returnplan_node *node, bool v6, struct returnplan *ret)
{
	const struct addr *source = &node->source[v6];
	uint8_t bits = (uint8_t)(8 * source->len);

	if (v6)
		vec_push(&ret->routes, (struct netstate_route){ .table = RT_TABLE_LOCAL,
								.dst = prefix_of(source, bits),
								.dev = node->loopback,
								.local = true });
	else
		vec_push(&ret->addresses,
			 (struct netstate_address){
			     .dev = node->loopback, .addr = *source, .bits = bits, .host = true });
}

/* Others' must lead somewhere, or sockets would not answer: where to, the mark says in the end.
 * Without a mark they lead to nobody: a neighbour that answers for its source would prove nothing.
 */
static void add_probes(const struct peers *p, const struct returnplan_node *node, bool v6,
		       struct returnplan *ret)
{
	struct netstate_route others = { .table = RT_TABLE_MAIN,
					 .dst = node->range[v6],
					 .via = v6 ? next_hop6 : next_hop4,
					 .onlink = true };

	for (unsigned i = PEERS_SLOTS; i-- > 0;) {
		if (p->slot[i].dev)
			others.dev = p->slot[i].dev;
	}
	add_own_source(node, v6, ret);
	vec_push(&ret->routes, others);
}

void returnplan_make(const struct peers *p, const struct returnplan_node *node,
		     struct returnplan *ret)
{
	struct returnplan plan = { 0 };

	for (unsigned slot = 1; p->mask && slot <= PEERS_SLOTS; slot++) {
		if (!p->slot[slot - 1].dev)
			continue;
		add_slot(p, slot, &next_hop4, node->one_exit[0], &plan);
		if (node->v6)
			add_slot(p, slot, &next_hop6, node->one_exit[1], &plan);
	}
	if (p->mask)
		add_probes(p, node, false, &plan);
	if (p->mask && node->v6)
		add_probes(p, node, true, &plan);
	vec_sort(&plan.rules, netstate_rule_cmp);
	vec_sort(&plan.routes, netstate_route_cmp);
	vec_sort(&plan.neighbours, netstate_neighbour_cmp);
	*ret = plan;
}

void returnplan_fini(struct returnplan *p)
{
	vec_fini(&p->rules);
	vec_fini(&p->routes);
	vec_fini(&p->neighbours);
	vec_fini(&p->addresses);
}

int returnplan_check(const netstate_rules *rules, uint32_t mask, struct err *e)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct netstate_rule *r = &rules->v[i];

		if (!r->ours && (r->mask & mask))
			return err_set(e, ERR_CONFLICT,
				       "an IP rule of preference %u looks at mark 0x%x/0x%x, and "
				       "--return-path-mark is 0x%x: choose bits that nobody uses",
				       r->priority, r->mark, r->mask, mask);
	}
	return 0;
}
