/* proxy/exits: whether all packets leave by one device. */
#include <linux/rtnetlink.h>

#include "addresses.h"
#include "exits.h"
#include "test.h"

/* A sentence says why not, and only then. */
static bool are_one(const struct exits *x, bool ipv6, int dev)
{
	AUTO_STR why_not = { 0 };
	bool one = exits_look(x, ipv6, dev, &why_not) == EXITS_ONE;

	assert_int_equal(one, !str_text(&why_not)[0]);
	return one;
}

static void a_rule_where_there_are_several_exits(void **state)
{
	enum { LAN = 2, OTHER, POD, MAIN = RT_TABLE_MAIN };
	static const struct {
		const char *dst;
		int dev;
		uint32_t table;
		bool one;
	} routes[] = {
		{ "192.0.2.0/24", LAN, MAIN, true },
		{ "10.1.2.0/24", LAN, MAIN, true },
		/* pods of this node */
		{ "10.1.1.0/24", OTHER, MAIN, true },
		{ "10.1.1.7/32", OTHER, MAIN, true },
		/* a pod of no range of this node: who passes something on for it wants the answer
		 */
		{ "10.9.0.7/32", POD, MAIN, false },
		{ "10.9.0.0/26", POD, MAIN, false },
		{ "10.9.0.7/32", OTHER, MAIN, false },
		{ "10.1.0.0/16", OTHER, MAIN, false },
		/* the local table is asked first */
		{ "203.0.113.7/32", OTHER, MAIN, true },
		{ "203.0.113.0/24", OTHER, MAIN, false },
		/* another node's */
		{ "10.1.2.0/24", OTHER, MAIN, false },
		{ "198.51.100.0/24", OTHER, MAIN, false },
		{ "0.0.0.0/0", OTHER, MAIN, false },
		{ "0.0.0.0/0", OTHER, RT_TABLE_DEFAULT, false },
		/* blackholes, several next hops */
		{ "198.51.100.0/24", 0, MAIN, false },
		{ "169.254.0.0/16", OTHER, MAIN, true },
		{ "198.51.100.0/24", OTHER, 99, true },
		{ "fd00::/64", OTHER, MAIN, true },
	};
	static const struct {
		struct netstate_rule rule;
		bool one;
	} rules[] = {
		{ { .priority = 0, .table = RT_TABLE_LOCAL }, true },
		{ { .priority = 32766, .table = MAIN }, true },
		{ { .priority = 32767, .table = RT_TABLE_DEFAULT }, true },
		{ { .priority = 75, .mark = 1, .mask = 1, .table = 7501, .ours = true }, true },
		{ { .priority = 75, .mark = 1, .mask = 1, .table = 7501 }, false },
		{ { .priority = 32766, .table = MAIN, .choosy = true }, false },
		{ { .priority = 32766, .table = 7 }, false },
		{ { .priority = 100, .table = MAIN }, false },
		{ { .priority = 0 }, false },
		{ { .ipv6 = true, .priority = 100, .table = 7 }, true },
	};
	netstate_links links = { 0 };
	netstate_addresses addresses = { 0 };
	prefix_list pods = { 0 };

	(void)state;
	vec_push(&links, (struct netstate_link){ .index = OTHER, .kind = "bridge" });
	vec_push(&links, (struct netstate_link){ .index = POD, .kind = "veth" });
	vec_push(&addresses,
		 (struct netstate_address){ .dev = OTHER, .addr = prefix("203.0.113.7/32").addr });
	vec_push(&pods, prefix("10.1.1.0/24"));
	for (size_t i = 0; i < ARRAY_SIZE(routes) + ARRAY_SIZE(rules); i++) {
		const bool is_rule = i >= ARRAY_SIZE(routes);
		struct netstate_route any = { .table = MAIN,
					      .dst = prefix("0.0.0.0/0"),
					      .dev = LAN },
				      route = any;
		netstate_routes some = { 0 };
		netstate_rules looked = { 0 };
		const struct exits x = { &looked, &some, &links, &addresses, &pods };

		if (is_rule) {
			vec_push(&looked, rules[i - ARRAY_SIZE(routes)].rule);
		} else {
			route.table = routes[i].table;
			route.dst = prefix(routes[i].dst);
			route.dev = routes[i].dev;
			vec_push(&some, route);
			/* nobody says where the rest goes */
			assert_false(are_one(&x, false, LAN));
		}
		vec_push(&some, any);
		assert_int_equal(are_one(&x, false, LAN),
				 is_rule ? rules[i - ARRAY_SIZE(routes)].one : routes[i].one);
		assert_false(are_one(&x, false, OTHER));
		assert_false(are_one(&x, true, LAN));
		vec_fini(&some);
		vec_fini(&looked);
	}
	vec_fini(&links);
	vec_fini(&addresses);
	vec_fini(&pods);
}

/* Each step: what is seen at that second. */
static void a_first_rule_waits(void **state)
{
	enum { LAN = 2, OTHER, NEVER = -1 };
	static const struct {
		int second;
		enum exits_answer answer;
		bool down, rule, fresh, waits;
		int left;
	} steps[][5] = {
		{ { 100, EXITS_ONE, .waits = false },
		  { 101, EXITS_NOWHERE, .waits = true, .left = 5 },
		  { 104, EXITS_NOWHERE, .waits = true, .left = 2 },
		  { 105, EXITS_ONE, .waits = false },
		  { 110, EXITS_NOWHERE, .waits = true, .left = 5 } },
		{ { 100, EXITS_NOWHERE, .waits = true, .left = 5 },
		  { 105, EXITS_NOWHERE, .waits = false },
		  /* it is paid for: no reply is lost any more */
		  { 106, EXITS_ONE, .waits = false },
		  { 107, EXITS_NOWHERE, .waits = false },
		  { NEVER } },
		/* a device that is down leads nowhere by a rule either */
		{ { 100, EXITS_NOWHERE, .down = true, .waits = true },
		  { 200, EXITS_NOWHERE, .down = true, .waits = true },
		  { 201, EXITS_NOWHERE, .waits = true, .left = 5 },
		  { 206, EXITS_NOWHERE, .waits = false },
		  { NEVER } },
		/* what leads elsewhere is at once another matter */
		{ { 100, EXITS_SEVERAL, .waits = false },
		  { 101, EXITS_NOWHERE, .waits = false },
		  { NEVER } },
		/* unless nobody counts on it yet */
		{ { 100, EXITS_SEVERAL, .fresh = true, .waits = true, .left = 5 },
		  { 102, EXITS_ONE, .fresh = true, .waits = false },
		  { 103, EXITS_SEVERAL, .fresh = true, .waits = true, .left = 5 },
		  { 107, EXITS_NOWHERE, .fresh = true, .waits = true, .left = 1 },
		  { 108, EXITS_SEVERAL, .waits = false } },
		{ { 100, EXITS_NOWHERE, .rule = true, .waits = false },
		  { 101, EXITS_NOWHERE, .waits = false },
		  { NEVER } },
	};
	const struct netstate_rule ours = { .priority = 75, .table = 7501, .ours = true },
				   other_family = { .ipv6 = true, .priority = 75, .ours = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct exits_patience patience = { 0 };

		for (size_t k = 0; k < ARRAY_SIZE(steps[i]) && steps[i][k].second > 0; k++) {
			netstate_links links = { 0 };
			netstate_rules rules = { 0 };
			const struct exits x = { .rules = &rules,
						 .links = &links,
						 .promised = !steps[i][k].fresh };
			int64_t left;

			vec_push(&links,
				 (struct netstate_link){ .index = OTHER, .flags = IFF_RUNNING });
			vec_push(&links,
				 (struct netstate_link){
				     .index = LAN, .flags = steps[i][k].down ? 0 : IFF_RUNNING });
			vec_push(&rules, other_family);
			if (steps[i][k].rule)
				vec_push(&rules, ours);
			assert_int_equal(exits_wait(&patience, &x, false, LAN, steps[i][k].answer,
						    steps[i][k].second * INT64_C(1000000), &left),
					 steps[i][k].waits);
			if (steps[i][k].waits)
				assert_int_equal(left, steps[i][k].left * INT64_C(1000000));
			vec_fini(&links);
			vec_fini(&rules);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_where_there_are_several_exits),
		cmocka_unit_test(a_first_rule_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
