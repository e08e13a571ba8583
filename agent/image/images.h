/* Images: present or pulled, as the pull policy says. Effect.
 *
 * One pull per image at a time, whoever asks; failed pulls back off per pod and image, 10 s to 5
 * minutes. Events go to the asker.
 */
#pragma once

#include "cri/cri.h"
#include <stdbool.h>

#include "cri/runtime.pb-c.h"

struct images;
struct image_call;

struct image_result {
	const char *ref; /* NULL: failed for reason */
	bool has_uid;    /* the image's user is numeric */
	int64_t uid;
	const char *username;
	const char
	    *reason; /* ErrImagePull, ImagePullBackOff, ErrImageNeverPull, InvalidImageName, … */
	const char *message;
	int64_t retry_usec; /* monotonic: no new attempt before */
};

struct image_request {
	const char *owner_uid, *image, *policy;
	Cri__AuthConfig *const *auths; /* tried in order; none: anonymous */
	size_t n_auths;
	const Cri__PodSandboxConfig *sandbox;
	const char *runtime_handler;
	void (*event)(void *ctx, const char *type, const char *reason, const char *message);
	/* once; borrowed */
	void (*done)(void *ctx, const struct image_result *result);
	void *ctx;
};

struct images *images_new(sd_event *loop, struct cri *cri);
void images_free(struct images *m);
/* The request's strings and messages are copied as far as they are needed later. */
struct image_call *images_ensure(struct images *m, const struct image_request *request);
void image_call_cancel(struct image_call *call);
/* Forgets the back-offs of a pod. */
void images_forget_pod(struct images *m, const char *uid);
