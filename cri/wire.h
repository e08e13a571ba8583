/* gRPC on the wire: message framing, status and time-out texts. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { WIRE_PREFIX_BYTES = 5, WIRE_TIMEOUT_BYTES = 16 };

/* Status codes of gRPC that we name; the others only pass through. */
enum wire_status {
	WIRE_OK = 0,
	WIRE_CANCELLED = 1,
	WIRE_UNKNOWN = 2,
	WIRE_INVALID_ARGUMENT = 3,
	WIRE_DEADLINE_EXCEEDED = 4,
	WIRE_NOT_FOUND = 5,
	WIRE_ALREADY_EXISTS = 6,
	WIRE_PERMISSION_DENIED = 7,
	WIRE_RESOURCE_EXHAUSTED = 8,
	WIRE_FAILED_PRECONDITION = 9,
	WIRE_ABORTED = 10,
	WIRE_OUT_OF_RANGE = 11,
	WIRE_UNIMPLEMENTED = 12,
	WIRE_INTERNAL = 13,
	WIRE_UNAVAILABLE = 14,
	WIRE_DATA_LOSS = 15,
	WIRE_UNAUTHENTICATED = 16,
};

/* Where the cutter stands in a protobuf message. */
struct wire_cut {
	int state;
	uint64_t value;
	unsigned shift;
	uint64_t copy, skip; /* bytes of the current field to pass on, then to drop */
};

/* Splits a byte stream into messages. Zero-initialise, set the limits. Memory grows with the bytes
 * that arrive, never with the length that a prefix claims. */
struct wire_reader {
	size_t max_bytes; /* a longer message is refused at its prefix */
	size_t cut_bytes; /* top-level length-delimited fields are cut to this; 0: never */
	uint8_t prefix[WIRE_PREFIX_BYTES];
	unsigned have;   /* bytes of the prefix */
	size_t left;     /* bytes of the message still to come */
	struct str text; /* the message so far */
	struct wire_cut cut;
};

/* A negative return ends the feed with that error. The bytes are valid during the call. */
typedef int (*wire_message_fn)(void *ctx, const uint8_t *data, size_t len, struct err *e);

void wire_reader_fini(struct wire_reader *r);
int wire_feed(struct wire_reader *r, const uint8_t *data, size_t len, wire_message_fn fn, void *ctx,
	      struct err *e);
/* Fails when the stream ended inside a message. */
int wire_finish(const struct wire_reader *r, struct err *e);
void wire_prefix(uint8_t out[WIRE_PREFIX_BYTES], size_t len);

/* Returns 0 for WIRE_OK, else -1 with code and text in e and e->os = -status. message is
 * percent-encoded, as the trailer carries it. */
int wire_status_err(struct err *e, int status, const char *message, size_t len);
enum err_code wire_status_code(int status);
int wire_status_of(const struct err *e);    /* for a server: the nearest status; NULL is WIRE_OK */
const char *wire_status_name(int status);   /* as Go prints it: NotFound */
int wire_status_of_http(int http_status);   /* what an HTTP answer without grpc-status means */
int wire_status_of_h2(uint32_t error_code); /* what RST_STREAM without grpc-status means */

/* Percent-decoding; what is not UTF-8 becomes U+FFFD, control bytes become spaces. */
void wire_message_decode(struct str *out, const char *raw, size_t len);
void wire_message_encode(struct str *out, const char *text);

/* The value of grpc-timeout: at most 8 digits and a unit. */
void wire_timeout_format(char out[WIRE_TIMEOUT_BYTES], int64_t timeout_msec);
bool wire_timeout_parse(const char *text, size_t len, int64_t *ret_msec);
