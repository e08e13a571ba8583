/* One annotation of the own Node, kept at a value. Effect. */
#pragma once

#include <systemd/sd-event.h>

#include "base/mem.h"
#include "kube/client.h"

struct nodeannotation;

/* Strings are copied; nothing is written before the first set. */
struct nodeannotation *nodeannotation_new(sd_event *loop, struct kube_client *client,
					  const char *node, const char *key);
void nodeannotation_free(struct nodeannotation *a);
/* NULL: it shall not be there. Writes, and tries again when the API server refuses: told once. */
void nodeannotation_set(struct nodeannotation *a, const char *value);
