/* Elements that are out of use and wait for their removal. Pure: time is told to it.
 *
 * A packet looks up a front end, then what it points at. Between the two a transaction may take
 * effect, so what was pointed at stays a while longer than what pointed.
 */
#pragma once

#include "base/map.h"
#include "nftdiff.h"

struct graves {
	struct map elems;
	int64_t due_usec; /* of the first, 0: there is none */
};

void graves_fini(struct graves *g);
void graves_bury(struct graves *g, const struct nftref *e, int64_t due_usec);

enum graves_found { GRAVES_NONE, GRAVES_SAME, GRAVES_OTHER };
/* The key is wanted again: it is a grave no more. OTHER: the kernel has it with other data, fn is
 * told to delete that. */
enum graves_found graves_exhume(struct graves *g, const struct nftref *e, enum dataplane_family f,
				nftdiff_fn *fn, void *ctx);
/* Tells fn to delete what is due. It stays here until graves_forget_due, after the transaction. */
void graves_due(const struct graves *g, int64_t now_usec, enum dataplane_family f, nftdiff_fn *fn,
		void *ctx);
void graves_forget_due(struct graves *g, int64_t now_usec);
