/* The files of a volume whose content we write. Pure.
 *
 *   volume source + objects + tokens → path → bytes and mode
 */
#pragma once

#include <sys/types.h>

#include "pod/podenv.h"

struct payload_file {
	char *path;
	uint8_t *data;
	size_t len;
	mode_t mode;
	int64_t uid; /* -1: root */
};

struct payload {
	struct payload_file *files;
	size_t n;
};

/* Where content comes from. Each finder returns 0 with the object, 1 while it is not known yet, or
 * -1 with e set; *ret is NULL when it does not exist. */
struct payload_input {
	const struct podspec *spec;
	const struct env_input *env; /* for the downward API */
	int (*object)(void *ctx, enum env_source source, const char *name, const void **ret,
		      struct err *e);
	int (*token)(void *ctx, const Core__ServiceAccountTokenProjection *p, const char **ret,
		     struct err *e);
	int (*bundle)(void *ctx, const Core__ClusterTrustBundleProjection *p, char **ret,
		      struct err *e);
	/* key and certificate chain of a podCertificate source, PEM */
	int (*certificate)(void *ctx, size_t source, const Core__PodCertificateProjection *p,
			   const char **ret_key, const char **ret_chain, struct err *e);
	void *ctx;
};

void payload_fini(struct payload *p);
bool payload_supported(const Core__VolumeSource *s);
/* 0: *ret_payload is complete. 1: something is not known yet. -1: e says what is wrong. */
int payload_make(const struct payload_input *in, const Core__VolumeSource *s,
		 struct payload *ret_payload, struct err *e);
uint64_t payload_hash(const struct payload *p);
/* The one user that all containers run as, or -1 (upstream FsUserFrom). */
int64_t payload_fs_user(const Core__PodSpec *spec);
