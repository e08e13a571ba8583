/* Sends pod statuses to the API, the newest version of each only. Effect.
 *
 * One PATCH (strategic merge, UID as precondition) per pod at a time; what changed meanwhile goes
 * next. A finished pod that is being deleted is deleted for good (grace 0, UID precondition) once
 * the API itself shows its terminal phase.
 */
#pragma once

#include <stdbool.h>

#include "kube/client.h"
#include "podspec.h"

struct statusq;

struct statusq *statusq_new(sd_event *loop, struct kube_client *client);
void statusq_free(struct statusq *q);
/* status is copied. finished: nothing of the pod runs and its volumes are gone. */
void statusq_put(struct statusq *q, const struct podspec *spec, const Core__PodStatus *status,
		 bool finished);
/* The pod left the API. */
void statusq_forget(struct statusq *q, const char *uid);
