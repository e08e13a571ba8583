/* Netlink messages about connections.
 *
 * Property: what is read has an address and a tuple that fits where it is copied; an entry is stale
 * for a front end without endpoints exactly when it is UDP.
 */
#include <assert.h>
#include <netinet/in.h>
#include <stdint.h>

#include "base/mem.h"
#include "ctplan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = mem_dup(data, size);
	struct ctplan plan = { 0 };
	struct ctentry e;

	if (ctentry_parse((const void *)copy, size, &e)) {
		assert(e.tuple_len <= sizeof(e.tuple));
		assert(e.to.len == 4 || e.to.len == 16);
		assert(e.from.len == 4 || e.from.len == 16);
		ctplan_front(&plan, &e.to, e.to_port);
		assert(ctplan_stale(&plan, &e, NULL, 0) == (e.proto == IPPROTO_UDP));
		ctplan_fini(&plan);
	}
	free(copy);
	return 0;
}
