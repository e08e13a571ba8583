/* Certificates of pods (projected podCertificate sources): key made, request created, chain
 * awaited, renewed when the signer says so. Effect.
 */
#pragma once

#include "base/err.h"
#include "pod/podspec.h"

struct pod_environment;
struct podcerts;

struct podcerts_ops {
	/* a certificate of this pod came or was renewed */
	void (*changed)(void *ctx, const char *uid);
};

struct podcerts *podcerts_new(struct pod_environment *env, const struct podcerts_ops *ops,
			      void *ctx);
void podcerts_free(struct podcerts *p);
/* 0: *ret_key and *ret_chain are PEM, borrowed. 1: under way, changed follows. -1: denied or
 * failed. */
int podcerts_get(struct podcerts *p, const struct podspec *spec, const char *volume, size_t source,
		 const Core__PodCertificateProjection *projection, const char **ret_key,
		 const char **ret_chain, struct err *e);
void podcerts_forget(struct podcerts *p, const char *uid);
