/* proxy/exits: whether all packets leave by one device. */
#include <linux/rtnetlink.h>

#include "addresses.h"
#include "exits.h"
#include "test.h"

/* A sentence says why not, and only then. */
static bool are_one(const struct exits *x, bool ipv6, int dev)
{
	AUTO_STR why_not = { 0 };
	bool one = exits_are_one(x, ipv6, dev, &why_not);

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
		{ "10.9.0.7/32", POD, MAIN, true },
		{ "10.9.0.0/26", POD, MAIN, false },
		{ "10.9.0.7/32", OTHER, MAIN, false },
		{ "10.1.0.0/16", OTHER, MAIN, false },
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
	prefix_list pods = { 0 };

	(void)state;
	vec_push(&links, (struct netstate_link){ .index = OTHER, .kind = "bridge" });
	vec_push(&links, (struct netstate_link){ .index = POD, .kind = "veth" });
	vec_push(&pods, prefix("10.1.1.0/24"));
	for (size_t i = 0; i < ARRAY_SIZE(routes) + ARRAY_SIZE(rules); i++) {
		const bool is_rule = i >= ARRAY_SIZE(routes);
		struct netstate_route any = { .table = MAIN,
					      .dst = prefix("0.0.0.0/0"),
					      .dev = LAN },
				      route = any;
		netstate_routes some = { 0 };
		netstate_rules looked = { 0 };
		const struct exits x = { &looked, &some, &links, &pods };

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
	vec_fini(&pods);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_where_there_are_several_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
