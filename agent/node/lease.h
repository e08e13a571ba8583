/* The node's heartbeat: a Lease in kube-node-lease, renewed at a quarter of its duration. Effect.
 *
 * Has priority on the loop and the heartbeat lane of the client. Created when it is missing, with
 * the Node as its owner; a failed call is tried again after 100 ms … 7 s.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/mem.h"
#include "kube/client.h"

struct lease;

/* client: any lane. The lease starts with the first lease_set_owner. */
struct lease *lease_new(sd_event *loop, struct kube_client *client, const char *node_name,
			int32_t duration_sec);
void lease_free(struct lease *l);
DEFINE_FREEP(lease_free, struct lease)
/* The Node's UID is known: heartbeats begin. */
void lease_set_owner(struct lease *l, const char *node_uid);
/* Monotonic time of the last renewal that the server took; 0: none. */
int64_t lease_renewed_usec(const struct lease *l);
