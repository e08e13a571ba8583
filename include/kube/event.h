/* Events about objects: counted, combined and held back as upstream's recorder does.
 *
 * Recording never blocks and never fails for the caller; a full queue drops and says so once. The
 * server gets one event at a time, in order. An event that is repeated becomes a count on the
 * first; ten that differ in their text alone within ten minutes are combined; one source and object
 * may send 25 in a row and then one in five minutes.
 */
#pragma once

#include <systemd/sd-event.h>

#include "k8s/core.pb-c.h"
#include "kube/client.h"
#include "kube/object.h"

#define EVENT_NORMAL "Normal"
#define EVENT_WARNING "Warning"

struct event_recorder;

/* qps <= 0: no limit. component and host are the event's source. */
struct event_recorder *event_recorder_new(struct kube_client *client, sd_event *loop,
					  const char *component, const char *host, float qps,
					  int burst);
/* What still waits is lost. */
void event_recorder_free(struct event_recorder *r);
DEFINE_FREEP(event_recorder_free, struct event_recorder)
/* about is copied. A NULL recorder is fine: the event is only logged. */
void event_record(struct event_recorder *r, const Core__ObjectReference *about, const char *type,
		  const char *reason, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
unsigned event_recorder_pending(const struct event_recorder *r);

/* New references, to be freed with proto_free. field_path ("spec.containers{app}") may be NULL. */
Core__ObjectReference *event_reference(const struct kube_object *object, const char *field_path);
/* The same from parts: msg is of a known kind. */
Core__ObjectReference *event_reference_of(enum kube_kind kind, const Meta__ObjectMeta *meta,
					  const char *field_path);
/* As upstream's node agent makes it: the UID is the name. */
Core__ObjectReference *event_reference_node(const char *node_name);
