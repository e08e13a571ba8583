/* The certificate that this node shows to the API server: read again when its file changes, and
 * told in one sentence when it has expired. Effect.
 *
 * The API server says no more than "Unauthorized" then.
 */
#pragma once

#include <systemd/sd-event.h>

#include "kube/client.h"

struct apicert;

struct apicert *apicert_new(sd_event *loop, struct kube_client *client);
/* Before the client goes. */
void apicert_free(struct apicert *a);
