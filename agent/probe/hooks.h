/* Lifecycle handlers: exec, httpGet, sleep (and tcpSocket, which never succeeds upstream). Effect.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"
#include "pod/podspec.h"

struct hooks;
struct hook_call;

struct checks;
struct hooks *hooks_new(sd_event *loop, struct checks *checks);
void hooks_free(struct hooks *h);

/* Runs the handler in or against the container; done is called once, e NULL on success.
 * timeout_usec
 * <= 0: no limit. */
struct hook_call *hooks_run(struct hooks *h, const struct podspec *spec,
			    const struct container_spec *container, const char *container_id,
			    const char *pod_ip, const Core__LifecycleHandler *handler,
			    int64_t timeout_usec, void (*done)(void *ctx, const struct err *e),
			    void *ctx);
void hook_call_cancel(struct hook_call *call);
