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

/* The first one that was made since; ours: or by us. */
static const struct netstate_rule *made_rule(const struct exits *x, bool ipv6, bool ours)
{
	for (size_t i = 0; i < x->rules->n; i++) {
		const struct netstate_rule *r = &x->rules->v[i];

		if (r->ipv6 == ipv6 && (ours || !r->ours) && !is_from_the_start(r))
			return r;
	}
	return NULL;
}

/* What the node passed on for its own pods comes back from nobody (set same-node); its own
 * addresses are in the local table, ahead of all. A host route by a pod's device is another thing
 * when that pod is in no range of this node: what others passed on for it must go back to them. */
static bool stays_here(const struct exits *x, const struct netstate_route *r)
{
	if (r->dst.bits == 8 * r->dst.addr.len && netstate_own_address(x->addresses, &r->dst.addr))
		return true;
	for (size_t i = 0; i < x->pods->n; i++) {
		const struct prefix *pods = &x->pods->v[i];

		if (r->dst.bits >= pods->bits && prefix_has(pods, &r->dst.addr))
			return true;
	}
	return false;
}

static enum exits_answer tell(const struct exits *x, const struct netstate_route *r,
			      struct str *why_not)
{
	const struct netstate_link *link = netstate_link_at(x->links, r->dev);
	char text[PREFIX_TEXT];

	str_printf(why_not, "a route to %s leads %s%s", prefix_text(&r->dst, text),
		   link ? "over " : "elsewhere", link ? link->name : "");
	return EXITS_SEVERAL;
}

enum exits_answer exits_look(const struct exits *x, bool ipv6, int dev, struct str *why_not)
{
	const struct netstate_rule *rule = made_rule(x, ipv6, false);
	bool has_default = false;

	if (rule) {
		str_printf(why_not, "there is a rule of preference %u", rule->priority);
		return EXITS_SEVERAL;
	}
	for (size_t i = 0; i < x->routes->n; i++) {
		const struct netstate_route *r = &x->routes->v[i];

		if ((r->dst.addr.len == 16) != ipv6 ||
		    (r->table != RT_TABLE_MAIN && r->table != RT_TABLE_DEFAULT))
			continue;
		if (r->dev == dev)
			has_default |= r->dst.bits == 0;
		else if (!(r->dst.bits && addr_is_link_local(&r->dst.addr)) && !stays_here(x, r))
			return tell(x, r, why_not);
	}
	if (!has_default)
		str_append(why_not, "there is no default route");
	return has_default ? EXITS_ONE : EXITS_NOWHERE;
}

bool exits_wait(struct exits_patience *p, const struct exits *x, bool ipv6, int dev,
		enum exits_answer answer, int64_t now_usec, int64_t *ret_left_usec)
{
	const struct netstate_link *link = netstate_link_at(x->links, dev);
	int64_t left = EXITS_PATIENCE_SEC * INT64_C(1000000);

	*ret_left_usec = 0;
	p->paid |= made_rule(x, ipv6, true) || (answer == EXITS_SEVERAL && x->promised);
	if (p->paid || answer == EXITS_ONE) {
		p->since_usec = 0;
		return false;
	}
	/* a rule would lead nowhere either */
	if (!link || !(link->flags & IFF_RUNNING)) {
		p->since_usec = 0;
		return true;
	}
	if (!p->since_usec)
		p->since_usec = now_usec;
	left -= now_usec - p->since_usec;
	p->paid = left <= 0;
	*ret_left_usec = left > 0 ? left : 0;
	return !p->paid;
}
