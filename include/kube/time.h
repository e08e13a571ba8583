/* Times and durations of the API, as text and as numbers. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "k8s/meta.pb-c.h"

enum { KUBE_TIME_TEXT = 40, KUBE_DURATION_TEXT = 40 };

/* RFC 3339 with any fraction and zone; years 1 to 9999. */
int kube_time_parse(const char *text, int64_t *ret_sec, int32_t *ret_nsec, struct err *e);
/* "2026-11-23T06:30:00Z"; out has KUBE_TIME_TEXT bytes */
void kube_time_format(int64_t sec, char *out);
/* "2026-11-23T06:30:00.000000Z" */
void kube_time_format_micro(int64_t sec, int32_t nsec, char *out);

/* Go's forms: "1m30s", "1.5h", "300ms", "-2us", "0". */
int kube_duration_parse(const char *text, int64_t *ret_nsec, struct err *e);
void kube_duration_format(int64_t nsec, char *out); /* KUBE_DURATION_TEXT bytes */

/* Messages. A NULL or empty Time is the zero time: usec 0. */
Meta__Time *kube_time_new(int64_t usec);
Meta__MicroTime *kube_micro_time_new(int64_t usec);
int64_t kube_time_usec(const Meta__Time *t);
int64_t kube_micro_time_usec(const Meta__MicroTime *t);
bool kube_time_is_zero(const Meta__Time *t);
