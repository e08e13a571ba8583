/* Volumes of pods: made, kept current, taken down. Effect.
 *
 * Volumes whose content we write (configMap, secret, downwardAPI, projected) follow their sources:
 * a change is written by an atomic switch of ..data. Mounts that are not ours to finish quickly
 * never block the loop.
 */
#pragma once

#include "base/err.h"
#include "pod/podspec.h"

struct pod_environment;
struct volumes;
struct volumes_call;
struct files_call;

struct volumes *volumes_new(struct pod_environment *env);
void volumes_free(struct volumes *v);

/* Makes every volume of the pod that some container mounts; done once, e NULL when all are there.
 * Idempotent. */
struct volumes_call *volumes_prepare(struct volumes *v, const struct podspec *spec,
				     void (*done)(void *ctx, const struct err *e), void *ctx);
void volumes_call_cancel(struct volumes_call *call);
/* Takes all volumes of the pod down; done once. Its directory stays. */
void volumes_release(struct volumes *v, const char *uid,
		     void (*done)(void *ctx, const struct err *e), void *ctx);
/* The pod's labels or annotations may have changed: downward API files follow. */
void volumes_update(struct volumes *v, const struct podspec *spec);
/* A ConfigMap or Secret that the pod holds came, changed or went. */
void volumes_object_changed(struct volumes *v, const char *uid);
/* Whether some container mounts it. Upstream leaves the others alone, also those that could not be
 * made. */
bool volumes_used(const struct podspec *spec, const char *volume);
/* Directory of a volume on the host (hostPath: the path itself; image: ""). Heap; NULL: no such
 * volume. */
char *volumes_path(const char *root_dir, const Core__Pod *pod, const char *volume);
