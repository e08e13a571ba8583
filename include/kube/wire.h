/* Protobuf bytes as the API server sends them: envelopes, watch frames, lists. Pure; every slice
 * points into the input. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct wire_slice {
	const uint8_t *p;
	size_t len;
};

/* One field of a message; varints and fixed numbers are skipped with an empty data. */
struct wire_field {
	uint32_t number;
	bool bytes; /* length-delimited */
	struct wire_slice data;
	struct wire_slice whole; /* with its tag */
};

/* Takes the next field off *rest. Returns 0, 1 at the end, -1 on broken bytes. */
int wire_next(struct wire_slice *rest, struct wire_field *ret_field);
/* The last length-delimited occurrence of a field, or an empty slice. -1 on broken bytes. */
int wire_find(struct wire_slice message, uint32_t number, struct wire_slice *ret_data);

/* An object's envelope: "k8s\0" and a runtime.Unknown. */
struct wire_object {
	char api_version[64], kind[64];
	struct wire_slice raw;
};
int wire_open(struct wire_slice body, struct wire_object *ret_object, struct err *e);
/* The same the other way: heap buffer. */
uint8_t *wire_seal(const char *api_version, const char *kind, struct wire_slice raw,
		   size_t *ret_len);

/* A copy of an object without metadata.managedFields, which no daemon reads and which is half of
 * its size. Heap. */
uint8_t *wire_strip(struct wire_slice object, size_t *ret_len);

/* A watch frame (behind its length): type and the enclosed envelope. */
struct wire_event {
	char type[16];
	struct wire_slice object;
};
int wire_event_open(struct wire_slice frame, struct wire_event *ret_event, struct err *e);
