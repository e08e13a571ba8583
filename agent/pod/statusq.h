/* Sends pod statuses to the API, the newest version of each only. Effect.
 *
 * One PATCH (strategic merge, UID as precondition) per pod at a time; what changed meanwhile goes
 * next. A finished pod that is being deleted is deleted for good (grace 0, UID precondition) once
 * the API itself shows its terminal phase.
 */
#pragma once

#include <stdbool.h>

#include "k8s/core.pb-c.h"
#include "kube/client.h"

struct statusq;

struct statusq *statusq_new(sd_event *loop, struct kube_client *client);
void statusq_free(struct statusq *q);
/* pod as the API has it (for a static pod: its mirror). status is copied. finished: nothing of the
 * pod runs and its volumes are gone. */
void statusq_put(struct statusq *q, const Core__Pod *pod, const Core__PodStatus *status,
		 bool finished);
/* The pod left the API. */
void statusq_forget(struct statusq *q, const char *uid);
