/* systemd's slices, over D-Bus on the loop. Effect.
 *
 *   ensure  StartTransientUnit ─job→ done
 *           └ it exists: SetUnitProperties → StartUnit ─job→ done
 *   stop    StopUnit ─job→ ResetFailedUnit, done; a unit that is not there is success
 *
 * A job is over when systemd says so (JobRemoved), or fails after 30 s. The connection is made when
 * it is needed, and again after systemd ended it (as it does when it starts itself anew); what was
 * under way then fails with ERR_UNAVAILABLE.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"
#include "cgroupvalues.h"

struct slices;

typedef void slices_done(void *ctx, const struct err *e);

/* address: of the manager's own socket; NULL: systemd's, else the system bus. */
struct slices *slices_new(sd_event *loop, const char *address);
/* Calls under way end without a word. */
void slices_free(struct slices *s);

/* done comes later, once; e is NULL on success. */
void slices_ensure(struct slices *s, const char *unit, const struct cgroup_limits *limits,
		   slices_done *done, void *ctx);
void slices_stop(struct slices *s, const char *unit, slices_done *done, void *ctx);
