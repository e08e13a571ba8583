/* What the runtime holds, kept current: the only place that asks it.
 *
 * Effect. Container events trigger a look at their pod; a full relist every 10 s (1 s without an
 * event stream) finds what events did not tell. A refresh that is asked for after an effect is
 * answered only by a look that began after the request, so nobody plans on what was true before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cri/cri.h"
#include "podobs.h"

struct podobserve;

struct podobserve_ops {
	/* the observation of this pod changed, or was refreshed on request */
	void (*changed)(void *ctx, const char *uid);
	/* the first complete answer of the runtime is in: what is not there does not exist */
	void (*ready)(void *ctx);
};

struct podobserve *podobserve_new(sd_event *loop, struct cri *cri, const struct podobserve_ops *ops,
				  void *ctx);
void podobserve_free(struct podobserve *o);

bool podobserve_is_ready(const struct podobserve *o);
/* Wall-clock of the last complete relist, monotonic microseconds; 0 before the first. */
int64_t podobserve_last_relist_usec(const struct podobserve *o);
/* NULL when the runtime holds nothing of that pod. Valid until the loop runs again. */
const struct podobs *podobserve_get(const struct podobserve *o, const char *uid);
bool podobserve_next(const struct podobserve *o, size_t *cursor, const struct podobs **ret_obs);
/* Looks at one pod; ops->changed follows in any case when the look succeeded. While it is pending
 * podobserve_pending is true. */
void podobserve_refresh(struct podobserve *o, const char *uid);
bool podobserve_pending(const struct podobserve *o, const char *uid);
