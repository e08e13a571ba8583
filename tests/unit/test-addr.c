/* proxy/addr: addresses, prefixes, Ethernet addresses. */
#include "test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "base/mem.h"

static const struct {
	const char *text, *want; /* NULL: refused */
} prefixes[] = {
	{ "10.1.2.3/8", "10.0.0.0/8" },
	{ "10.1.2.3/32", "10.1.2.3/32" },
	{ "10.1.255.3/17", "10.1.128.0/17" },
	{ "0.0.0.0/0", "0.0.0.0/0" },
	{ "fd00:1:2::5/64", "fd00:1:2::/64" },
	{ "fd00::ffff/127", "fd00::fffe/127" },
	{ "::/0", "::/0" },
	{ "10.0.0.0", NULL },
	{ "10.0.0.0/33", NULL },
	{ "10.0.0.0/-1", NULL },
	{ "10.0.0.0/+8", NULL },
	{ "10.0.0.0/08", NULL },
	{ "10.0.0.0/", NULL },
	{ "010.0.0.0/8", NULL },
	{ "fd00::/129", NULL },
	{ "fe80::1%eth0/64", NULL },
	{ "", NULL },
	{ NULL, NULL },
};

static void prefixes_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		char text[PREFIX_TEXT];
		struct prefix p;
		struct err e;

		if (prefixes[i].want) {
			assert_int_equal(prefix_parse(prefixes[i].text, &p, &e), 0);
			assert_string_equal(prefix_text(&p, text), prefixes[i].want);
		} else {
			assert_int_equal(prefix_parse(prefixes[i].text, &p, &e), -1);
			assert_int_equal(e.code, ERR_INVALID);
		}
	}
}

static const struct {
	const char *prefix, *addr;
	bool has;
} members[] = {
	{ "10.0.0.0/8", "10.255.0.1", true }, { "10.0.0.0/8", "11.0.0.0", false },
	{ "0.0.0.0/0", "1.2.3.4", true },     { "0.0.0.0/0", "::1", false },
	{ "fd00::/65", "fd00::1", true },     { "fd00::/65", "fd00::8000:0:0:1", false },
	{ "10.0.0.4/30", "10.0.0.7", true },  { "10.0.0.4/30", "10.0.0.8", false },
};

static void prefixes_hold_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		struct prefix p;
		struct addr a;

		assert_int_equal(prefix_parse(members[i].prefix, &p, NULL), 0);
		assert_int_equal(addr_parse(members[i].addr, &a, NULL), 0);
		assert_int_equal(prefix_has(&p, &a), members[i].has);
	}
}

static const struct {
	const char *addr;
	bool loopback, link_local;
} everywhere[] = {
	{ "127.0.0.1", true, false },
	{ "127.255.255.255", true, false },
	{ "128.0.0.1", false, false },
	{ "169.254.0.1", false, true },
	{ "169.253.0.1", false, false },
	{ "254.128.0.1", false, false },
	{ "::1", true, false },
	{ "::2", false, false },
	{ "::ffff:127.0.0.1", false, false },
	{ "fe80::1", false, true },
	{ "febf::1", false, true },
	{ "fec0::1", false, false },
	{ "a9fe::1", false, false },
	{ "7f00::1", false, false },
};

static void addresses_of_every_machine(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(everywhere); i++) {
		struct addr a;

		assert_int_equal(addr_parse(everywhere[i].addr, &a, NULL), 0);
		assert_int_equal(addr_is_loopback(&a), everywhere[i].loopback);
		assert_int_equal(addr_is_link_local(&a), everywhere[i].link_local);
	}
}

static void ethernet_addresses_are_read(void **state)
{
	static const char *const bad[] = { "",
					   "02:00:00:00:00",
					   "02:00:00:00:00:1",
					   "02:00:00:00:00:01:",
					   "02-00-00-00-00-01",
					   "02:00:00:00:00:0g",
					   "2:0:0:0:0:1" };
	uint8_t mac[MAC_BYTES];
	char text[MAC_TEXT];

	(void)state;
	assert_int_equal(mac_parse("02:Ee:00:00:00:fF", mac, NULL), 0);
	assert_string_equal(mac_text(mac, text), "02:ee:00:00:00:ff");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(mac_parse(bad[i], mac, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_are_read),
		cmocka_unit_test(prefixes_hold_addresses),
		cmocka_unit_test(addresses_of_every_machine),
		cmocka_unit_test(ethernet_addresses_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
