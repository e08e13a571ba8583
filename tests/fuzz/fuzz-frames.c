/* Netlink messages about the netdev table of replies.
 *
 * Property: the messages that change what was read into what is wanted, read again, leave nothing
 * to change.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MASK = 0x3f7f };

static struct peermarks wanted(void)
{
	struct peermarks m = { .slot = { { 2, "eth0" } } };

	for (uint8_t i = 1; i < 4; i++)
		vec_push(&m.marks, (struct peermark){ 0x1000u + i, { 2, 0, 0, 0, 0, i } });
	return m;
}

static void read_messages(const uint8_t *p, size_t size, struct frames *f)
{
	struct err e;

	for (size_t at = 0; size - at >= sizeof(struct nlmsghdr);) {
		const struct nlmsghdr *h = (const void *)(p + at);

		if (frames_message(f, h, size - at, &e) < 0 || h->nlmsg_len < sizeof(*h) ||
		    NLMSG_ALIGN(h->nlmsg_len) > size - at)
			break;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	peermarks_sort(&f->marks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = mem_dup(data, size ? size : 1); /* aligned, and its end is watched */
	struct peermarks want = wanted();
	struct frames have = { 0 }, nothing = { 0 }, again = { 0 };
	struct nftbatch b;

	read_messages(copy, size, &have);
	nftbatch_begin(&b, 1);
	frames_change(&have, MASK, &want, &b);
	nftbatch_fini(&b);

	nftbatch_begin(&b, 1);
	assert(frames_change(&nothing, MASK, &want, &b));
	read_messages(b.p, b.len, &again);
	nftbatch_fini(&b);
	nftbatch_begin(&b, 1);
	assert(!frames_change(&again, MASK, &want, &b));
	nftbatch_fini(&b);

	frames_fini(&have);
	frames_fini(&again);
	peermarks_fini(&want);
	free(copy);
	return 0;
}
