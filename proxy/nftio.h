/* The netlink socket to nf_tables: transactions, dumps, and word of what others change. Effect.
 *
 * The kernel does a transaction's work within sendmsg and a dump's within recvmsg: neither waits
 * for anybody, so they are called from the loop.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"
#include "nftbatch.h"
#include "nftparse.h"

struct nftio;

/* foreign: somebody else changed our table, or word of it may have been lost. */
int nftio_new(sd_event *loop, void (*foreign)(void *ctx), void *ctx, struct nftio **ret,
	      struct err *e);
void nftio_free(struct nftio *io);

/* One for all transactions: b must have been begun with nftio_seq. */
uint32_t nftio_seq(const struct nftio *io);
int nftio_commit(struct nftio *io, const struct nftbatch *b, struct err *e);
/* A consistent picture of our table, with or without the elements of its sets. ret must be zeroed
 * but for its family. */
int nftio_dump(struct nftio *io, bool elements, struct nftdump *ret, struct err *e);

/* Sends a request and hands every message of the answer to fn, which returns < 0 to give up. type
 * and flags go into the header; for dumps and acknowledged requests of any netfilter subsystem. */
typedef int nftio_fn(void *ctx, const struct nlmsghdr *h, size_t len, struct err *e);
int nftio_request(struct nftio *io, struct nlmsghdr *request, nftio_fn *fn, void *ctx,
		  struct err *e);
