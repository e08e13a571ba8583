/* The runtime as the node sees it: alive, its version, its conditions, its images. Effect.
 *
 * Asks for the status every 5 s (every 100 ms while hurried); after the first answer, and after
 * each outage, for version and cgroup driver again. An absent runtime is told in one line when it
 * goes and one when it comes back.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/mem.h"
#include "cri/cri.h"

enum { RUNTIMEWATCH_DOWN_SEC = 30 };

struct runtimewatch;

/* changed: something in the answers is new, or time made the runtime count as down. */
struct runtimewatch *runtimewatch_new(sd_event *loop, struct cri *cri, const char *endpoint,
				      void (*changed)(void *ctx), void *ctx);
void runtimewatch_free(struct runtimewatch *w);
DEFINE_FREEP(runtimewatch_free, struct runtimewatch)
void runtimewatch_start(struct runtimewatch *w);
void runtimewatch_hurry(struct runtimewatch *w, bool on);
/* Asks for the images now. */
void runtimewatch_list_images(struct runtimewatch *w);

/* Status, version and cgroup driver have been answered once. */
bool runtimewatch_complete(const struct runtimewatch *w);
/* No good status for RUNTIMEWATCH_DOWN_SEC. */
bool runtimewatch_down(const struct runtimewatch *w);
/* Borrowed until the next callback; NULL: no answer yet. */
const Cri__StatusResponse *runtimewatch_status(const struct runtimewatch *w);
const Cri__VersionResponse *runtimewatch_version(const struct runtimewatch *w);
const Cri__ListImagesResponse *runtimewatch_images(const struct runtimewatch *w);
/* "systemd" or "cgroupfs"; NULL: the runtime cannot tell. */
const char *runtimewatch_cgroup_driver(const struct runtimewatch *w);
