/* Netlink messages about our nftables table.
 *
 * Property: what is accepted as elements of ours survives being encoded and read again.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "nftbatch.h"
#include "nftparse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode_again(struct nftdump *d)
{
	enum dataplane_family f = d->family;
	struct nftdump again = { .family = f };
	struct nftlist list, back;
	struct nftbatch b;
	struct err e;

	nftlist_pack(&d->elems, f, &list);
	nftbatch_begin(&b, 1);
	nftbatch_elements(&b, f, NFT_ADD, &list);
	nftbatch_end(&b);
	for (size_t at = 0; at < b.len;) {
		const struct nlmsghdr *h = (const void *)(b.p + at);

		assert(nftparse_message(&again, h, b.len - at, &e) == 0);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	nftlist_pack(&again.elems, f, &back);
	assert(nftlist_equal(&list, &back));
	nftlist_fini(&list);
	nftlist_fini(&back);
	nftbatch_fini(&b);
	nftdump_fini(&again);
}

static void compare(const struct nftdump *d)
{
	struct skeleton_settings in = { .family = d->family, .masquerade_mark = 1 };
	struct skeleton s;
	bool *chains;

	skeleton_make(&in, &s);
	chains = mem_calloc(s.chains.n, sizeof(*chains));
	nftparse_same_frame(d, &s);
	nftparse_differing_chains(d, &s, chains);
	free(chains);
	skeleton_fini(&s);
}

/* The input is a sequence of messages; the first byte's lowest bit is the family. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nftdump d = { 0 };
	uint8_t *copy;
	struct err e;

	if (size < 4)
		return 0;
	d.family = data[0] & 1;
	copy = mem_dup(data + 4, size - 4); /* aligned, and its end is watched */
	size -= 4;
	for (size_t at = 0; size - at >= sizeof(struct nlmsghdr);) {
		const struct nlmsghdr *h = (const void *)(copy + at);

		if (nftparse_message(&d, h, size - at, &e) < 0 || h->nlmsg_len < sizeof(*h) ||
		    NLMSG_ALIGN(h->nlmsg_len) > size - at)
			break;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	if (d.table) /* slow: it makes all rules */
		compare(&d);
	encode_again(&d);
	nftdump_fini(&d);
	free(copy);
	return 0;
}
