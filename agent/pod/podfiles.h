/* Files and directories that a container needs before it is made. Effect: one job per container.
 *
 * Log directory, termination log, hosts file, and the host path of each volume mount; a subPath is
 * opened beneath its volume (no link or ".." leads out) and bound to a path of our own, so that
 * the container cannot swap it afterwards.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/job.h"
#include "podobs.h"

struct files_mount {
	char *volume_path; /* absolute */
	char *sub_path;    /* relative, or NULL */
	char *bind_path;   /* where a subPath is bound: <pod>/volume-subpaths/<vol>/<ctr>/<n> */
	bool foreign;      /* not a directory of our own: looking into it may hang */
	char *path;        /* result: what the container mounts */
};

struct files {
	char *container_dir; /* <pod>/containers/<name> */
	char *log_dir;
	bool termination;
	char *termination_path;        /* result */
	char *hosts_path, *hosts_text; /* NULL: none */
	struct files_mount *mounts;
	size_t n_mounts;
	struct err error; /* result: code ERR_NONE when all is there */
};

struct files_call;

/* files is taken over and handed to done, which frees it. */
struct files_call *podfiles_make(struct job_pool *jobs, struct files *files,
				 void (*done)(void *ctx, struct files *files), void *ctx);
void files_call_cancel(struct files_call *call);
void files_free(struct files *files);
DEFINE_FREEP(files_free, struct files)

/* /var/log/containers/<pod>_<ns>_<container>-<id>.log → the container's log. */
void containerlog_link(const char *ns, const char *pod, const char *container, const char *id,
		       const char *log_path);
/* Removes that link and the instance's log files. */
void containerlog_remove(const struct podobs *obs, const struct obs_container *c);
/* Number of the next log file in a container's log directory: restarts that the runtime forgot. */
unsigned containerlog_restarts(const char *log_dir);
