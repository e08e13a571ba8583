/* The one way out (contract in exits.h). Pure. */
#include "exits.h"

#include <linux/rtnetlink.h>

/* What every network namespace has. */
static bool is_from_the_start(const struct netstate_rule *r)
{
	static const uint32_t rules[][2] = { { 0, RT_TABLE_LOCAL },
					     { 32766, RT_TABLE_MAIN },
					     { 32767, RT_TABLE_DEFAULT } };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (r->priority == rules[i][0] && r->table == rules[i][1])
			return !r->choosy && !r->mask;
	}
	return false;
}

static const struct netstate_rule *others_rule(const struct exits *x, bool ipv6)
{
	for (size_t i = 0; i < x->rules->n; i++) {
		const struct netstate_rule *r = &x->rules->v[i];

		if (r->ipv6 == ipv6 && !r->ours && !is_from_the_start(r))
			return r;
	}
	return NULL;
}

/* A pod's device, as some pod networks have one a pod. */
static bool leads_to_pod(const struct exits *x, const struct netstate_route *r)
{
	const struct netstate_link *link = netstate_link_at(x->links, r->dev);

	if (r->dst.bits == 8 * r->dst.addr.len && link && str_eq(link->kind, "veth"))
		return true;
	for (size_t i = 0; i < x->pods->n; i++) {
		const struct prefix *pods = &x->pods->v[i];

		if (r->dst.bits >= pods->bits && prefix_has(pods, &r->dst.addr))
			return true;
	}
	return false;
}

static bool tell(const struct exits *x, const struct netstate_route *r, struct str *why_not)
{
	const struct netstate_link *link = netstate_link_at(x->links, r->dev);
	char text[PREFIX_TEXT];

	str_printf(why_not, "a route to %s leads %s%s", prefix_text(&r->dst, text),
		   link ? "over " : "elsewhere", link ? link->name : "");
	return false;
}

bool exits_are_one(const struct exits *x, bool ipv6, int dev, struct str *why_not)
{
	const struct netstate_rule *rule = others_rule(x, ipv6);
	bool has_default = false;

	if (rule) {
		str_printf(why_not, "there is a rule of preference %u", rule->priority);
		return false;
	}
	for (size_t i = 0; i < x->routes->n; i++) {
		const struct netstate_route *r = &x->routes->v[i];

		if ((r->dst.addr.len == 16) != ipv6 ||
		    (r->table != RT_TABLE_MAIN && r->table != RT_TABLE_DEFAULT))
			continue;
		if (r->dev == dev)
			has_default |= r->dst.bits == 0;
		else if (!(r->dst.bits && addr_is_link_local(&r->dst.addr)) && !leads_to_pod(x, r))
			return tell(x, r, why_not);
	}
	if (!has_default)
		str_append(why_not, "there is no default route");
	return has_default;
}
