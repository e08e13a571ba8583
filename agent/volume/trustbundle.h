/* ClusterTrustBundles for projected volumes, watched from the first use on. Effect. */
#pragma once

#include "base/err.h"
#include "k8s/core.pb-c.h"
#include "kube/client.h"

struct trustbundle;

struct trustbundle_ops {
	/* a bundle changed that this pod uses */
	void (*changed)(void *ctx, const char *uid);
};

struct trustbundle *trustbundle_new(struct kube_client *client, const struct trustbundle_ops *ops,
				    void *ctx);
void trustbundle_free(struct trustbundle *t);
/* PEM text (heap) of the bundle by name, or of all that a signer and labels select, without
 * duplicates. 0, 1 while the bundles are not read yet, -1 with e set. */
int trustbundle_get(struct trustbundle *t, const char *uid,
		    const Core__ClusterTrustBundleProjection *p, char **ret_pem, struct err *e);
void trustbundle_forget(struct trustbundle *t, const char *uid);
