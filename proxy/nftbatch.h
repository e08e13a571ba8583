/* Netlink messages of one nftables transaction. Pure. */
#pragma once

#include "nftdiff.h"
#include "older.h"
#include "skeleton.h"

struct nftbatch {
	uint8_t *p;
	size_t len, cap;
	uint32_t seq; /* of the last message */
};

void nftbatch_begin(struct nftbatch *b, uint32_t seq);
void nftbatch_end(struct nftbatch *b);
void nftbatch_fini(struct nftbatch *b);

/* For tables of other kinds: a message to nf_tables of that family (NFPROTO_…), filled in by the
 * caller before nftbatch_done. */
struct nlmsghdr *nftbatch_message(struct nftbatch *b, uint8_t type, uint16_t flags, uint8_t family);
void nftbatch_done(struct nftbatch *b, const struct nlmsghdr *h);

/* Our table in that family. Deleting one that is not there is no error: it is created before. */
void nftbatch_add_table(struct nftbatch *b, enum dataplane_family f);
void nftbatch_delete_table(struct nftbatch *b, enum dataplane_family f);
/* Sets, chains, rules and fixed maps. */
void nftbatch_add_skeleton(struct nftbatch *b, const struct skeleton *s);
/* The rules of the marked chains anew; sets and chains are there. With maps full of elements a rule
 * costs the kernel a walk over them: what did not change is left alone. */
void nftbatch_replace_rules(struct nftbatch *b, const struct skeleton *s, const bool *chains);
/* Messages of at most 64 kB. */
void nftbatch_elements(struct nftbatch *b, enum dataplane_family f, enum nft_op op,
		       const struct nftlist *list);

/* Connections that stay without a zone, in place of all that are there. */
void nftbatch_older(struct nftbatch *b, const struct older *o);

/* What the message with that number was about, for errors: "services 10.96.0.1 . tcp . 443".
 * offset: of the attribute that the kernel blames within the message, 0: not told. */
void nftbatch_explain(const struct nftbatch *b, uint32_t seq, size_t offset, struct str *out);
