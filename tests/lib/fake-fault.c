/* The fault plan of the strict runtime model (contract in fake-runtime.h). Pure. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "fake-inside.h"

const struct plan *fake_find_plan(struct fake_runtime *rt, enum cri_rpc rpc)
{
	const struct plan *hit = NULL;

	for (size_t i = 0; i < rt->plans.n; i++) {
		struct plan *p = &rt->plans.v[i];

		if (p->fault.rpc != rpc && p->fault.rpc != CRI_RPC_COUNT)
			continue;
		p->seen++;
		if (!hit && p->seen > p->fault.skip &&
		    (!p->fault.count || p->seen <= p->fault.skip + p->fault.count))
			hit = p;
	}
	return hit;
}

bool fake_reply_arrives(enum fake_fault_kind kind)
{
	return kind == FAKE_SLOW;
}

void fake_spoil(struct fake_runtime *rt, const struct plan *p, struct fake_outcome *o)
{
	enum fake_fault_kind kind = p->fault.kind;

	o->delay_usec += (int64_t)p->fault.delay_msec * USEC_IN_MSEC;
	o->silent = kind == FAKE_NO_REPLY;
	o->garbage = kind == FAKE_GARBAGE;
	if (kind == FAKE_HALF && o->reply)
		rt->sandboxes.v[rt->sandboxes.n - 1]->ready = false;
	if (kind == FAKE_FAIL || kind == FAKE_LOST_REPLY || kind == FAKE_HALF) {
		int status = p->fault.status ? p->fault.status : 14;

		proto_free(o->reply);
		o->reply = NULL;
		fake_fail(&o->err, status, "%s", str_or(p->text, "planned fault"));
		if (status == 14)
			o->err.code = ERR_UNAVAILABLE;
	}
}

void fake_runtime_plan(struct fake_runtime *rt, const struct fake_fault *fault)
{
	struct plan p = { .fault = *fault, .text = mem_strdup(fault->text) };

	vec_push(&rt->plans, p);
}

void fake_runtime_clear_plan(struct fake_runtime *rt)
{
	for (size_t i = 0; i < rt->plans.n; i++)
		free(rt->plans.v[i].text);
	rt->plans.n = 0;
}

void fake_runtime_lose_events(struct fake_runtime *rt, unsigned count)
{
	rt->lose_events = count;
}
