/* Service account tokens bound to pods: requested, cached, renewed. Effect. */
#pragma once

#include "kube/client.h"
#include "pod/podspec.h"

struct tokens;

struct tokens_ops {
	/* a token of this pod came or was renewed */
	void (*changed)(void *ctx, const char *uid);
};

struct tokens *tokens_new(sd_event *loop, struct kube_client *client, const struct tokens_ops *ops,
			  void *ctx);
void tokens_free(struct tokens *t);
/* 0: *ret_token, borrowed. 1: requested, changed follows. -1: the last request failed (it is
 * repeated; changed follows). */
int tokens_get(struct tokens *t, const struct podspec *spec,
	       const Core__ServiceAccountTokenProjection *p, const char **ret_token, struct err *e);
void tokens_forget(struct tokens *t, const char *uid);
