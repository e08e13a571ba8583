/* What an emptyDir is made of. Pure. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "k8s/core.pb-c.h"

enum emptydir_medium { EMPTYDIR_DISK, EMPTYDIR_MEMORY, EMPTYDIR_HUGEPAGES };

struct emptydir {
	enum emptydir_medium medium;
	int64_t size_bytes; /* bound of a memory medium; 0: the kernel's default */
	int64_t page_bytes; /* of huge pages */
};

/* A memory medium is bounded by the volume's limit, the pod's, else node_memory_bytes. Huge pages
 * must be asked for by the pod or a container; ERR_INVALID when their size does not follow. */
int emptydir_decide(const Core__PodSpec *pod, const Core__EmptyDirVolumeSource *s,
		    int64_t node_memory_bytes, struct emptydir *ret_dir, struct err *e);
