/* What the kernel says our table holds. Pure.
 *
 * Bytes come from the kernel, yet every length is checked: what does not fit our sets is an error,
 * and the table is made anew.
 */
#pragma once

#include <linux/netlink.h>

#include "base/err.h"
#include "nftmodel.h"
#include "skeleton.h"

struct nftdumpset {
	char name[32];
	uint32_t flags, key_type, key_len, data_type, data_len;
};

struct nftdumprule {
	char chain[24];
	struct nlattr *expressions; /* heap */
};

struct nftdump {
	enum dataplane_family family;
	bool table;   /* there is one */
	bool foreign; /* it holds what we never made */
	nftelems elems;
	VEC(struct skelchain) chains;
	VEC(struct nftdumpset) sets;
	VEC(struct nftdumprule) rules;
	VEC(struct skelvmap) vmaps; /* name points to static text */
	uint32_t timeout_sec[FRONT_TIMEOUT_COUNT];
};

void nftdump_fini(struct nftdump *d);
/* One message of a dump; others than of our table are passed over. len: bytes at h. */
int nftparse_message(struct nftdump *d, const struct nlmsghdr *h, size_t len, struct err *e);

/* Whether table, sets, chains and fixed maps are as wanted: if not, the table is made anew. */
bool nftparse_same_frame(const struct nftdump *d, const struct skeleton *want);
/* Marks the chains of want (in its order) whose rules differ: settings changed, or somebody else
 * was at work. true: there are some. */
bool nftparse_differing_chains(const struct nftdump *d, const struct skeleton *want, bool *differs);

/* Whether the rules of one chain are as wanted. */
bool nftparse_same_chain(const struct nftdump *d, const struct skeleton *want, const char *chain);

/* Text of an element attribute in a message about elements: "services 10.96.0.1 . tcp . 443".
 * false: not one of ours. */
bool nftparse_print(const struct nlmsghdr *h, const struct nlattr *elem, struct str *out);
