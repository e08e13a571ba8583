/* What becomes of a mirror pod: every combination of what there may be. */
#include "base/mem.h"
#include "pod/mirrors.h"
#include "test.h"

static const struct {
	struct mirror_facts facts;
	enum mirror_action want;
} rows[] = {
	{ { .known = true, .node = true }, MIRROR_NOTHING },
	{ { .known = true, .wanted = "1", .node = true }, MIRROR_CREATE },
	/* nobody would own it yet */
	{ { .known = true, .wanted = "1" }, MIRROR_NOTHING },
	{ { .known = true, .wanted = "1", .node = true, .there = true, .have = "1" },
	  MIRROR_NOTHING },
	{ { .known = true, .wanted = "1", .node = true, .there = true, .have = "0" },
	  MIRROR_DELETE },
	{ { .known = true,
	    .wanted = "1",
	    .node = true,
	    .there = true,
	    .have = "1",
	    .deleting = true },
	  MIRROR_DELETE },
	/* the file went */
	{ { .known = true, .node = true, .there = true, .have = "1" }, MIRROR_DELETE },
	{ { .known = true, .there = true, .have = "1" }, MIRROR_DELETE },
	/* nobody knows yet what is wanted */
	{ { .node = true, .there = true, .have = "1" }, MIRROR_NOTHING },
	{ { .wanted = "1", .node = true }, MIRROR_CREATE },
	{ { .wanted = "1", .node = true, .there = true, .have = "0" }, MIRROR_DELETE },
	/* the predecessor still ends: its mirror shows it */
	{ { .known = true,
	    .wanted = "1",
	    .node = true,
	    .there = true,
	    .have = "0",
	    .ending = true },
	  MIRROR_NOTHING },
	{ { .known = true, .node = true, .there = true, .have = "0", .ending = true },
	  MIRROR_NOTHING },
	{ { .known = true, .wanted = "1", .node = true, .ending = true }, MIRROR_NOTHING },
	{ { .known = true,
	    .node = true,
	    .there = true,
	    .have = "0",
	    .ending = true,
	    .deleting = true },
	  MIRROR_DELETE },
};

static void decides(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (mirror_next(&rows[i].facts) != rows[i].want)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(decides) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
