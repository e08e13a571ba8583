/* The container runtime: every RPC of CRI runtime.v1, typed, asynchronous, on the loop. Effect.
 *
 * cri_call packs the request before it returns and calls fn exactly once, later, unless cancelled.
 * Errors carry what the runtime said (cri/grpc.h: grpc_err_text prints them as upstream does).
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "cri/runtime.pb-c.h"

/* X(enum, Service, Method, request, reply, time-out, operation)
 * time-out: how many request time-outs (2 minutes) a call may take; 0: no deadline.
 * operation: the label of upstream's metrics. */
#define CRI_RPCS(X) \
	X(VERSION, Runtime, Version, version_request, version_response, 1, "version") \
	X(STATUS, Runtime, Status, status_request, status_response, 1, "status") \
	X(RUNTIME_CONFIG, Runtime, RuntimeConfig, runtime_config_request, runtime_config_response, \
	  1, "runtime_config") \
	X(UPDATE_RUNTIME_CONFIG, Runtime, UpdateRuntimeConfig, update_runtime_config_request, \
	  update_runtime_config_response, 1, "update_runtime_config") \
	X(RUN_POD_SANDBOX, Runtime, RunPodSandbox, run_pod_sandbox_request, \
	  run_pod_sandbox_response, 2, "run_podsandbox") \
	X(STOP_POD_SANDBOX, Runtime, StopPodSandbox, stop_pod_sandbox_request, \
	  stop_pod_sandbox_response, 1, "stop_podsandbox") \
	X(REMOVE_POD_SANDBOX, Runtime, RemovePodSandbox, remove_pod_sandbox_request, \
	  remove_pod_sandbox_response, 1, "remove_podsandbox") \
	X(POD_SANDBOX_STATUS, Runtime, PodSandboxStatus, pod_sandbox_status_request, \
	  pod_sandbox_status_response, 1, "podsandbox_status") \
	X(LIST_POD_SANDBOX, Runtime, ListPodSandbox, list_pod_sandbox_request, \
	  list_pod_sandbox_response, 1, "list_podsandbox") \
	X(STREAM_POD_SANDBOXES, Runtime, StreamPodSandboxes, stream_pod_sandboxes_request, \
	  stream_pod_sandboxes_response, 1, "stream_podsandboxes") \
	X(CREATE_CONTAINER, Runtime, CreateContainer, create_container_request, \
	  create_container_response, 1, "create_container") \
	X(START_CONTAINER, Runtime, StartContainer, start_container_request, \
	  start_container_response, 1, "start_container") \
	X(STOP_CONTAINER, Runtime, StopContainer, stop_container_request, stop_container_response, \
	  1, "stop_container") \
	X(REMOVE_CONTAINER, Runtime, RemoveContainer, remove_container_request, \
	  remove_container_response, 1, "remove_container") \
	X(LIST_CONTAINERS, Runtime, ListContainers, list_containers_request, \
	  list_containers_response, 1, "list_containers") \
	X(STREAM_CONTAINERS, Runtime, StreamContainers, stream_containers_request, \
	  stream_containers_response, 1, "stream_containers") \
	X(CONTAINER_STATUS, Runtime, ContainerStatus, container_status_request, \
	  container_status_response, 1, "container_status") \
	X(UPDATE_CONTAINER_RESOURCES, Runtime, UpdateContainerResources, \
	  update_container_resources_request, update_container_resources_response, 1, \
	  "update_container") \
	X(REOPEN_CONTAINER_LOG, Runtime, ReopenContainerLog, reopen_container_log_request, \
	  reopen_container_log_response, 1, "reopen_container_log") \
	X(EXEC_SYNC, Runtime, ExecSync, exec_sync_request, exec_sync_response, 1, "exec_sync") \
	X(EXEC, Runtime, Exec, exec_request, exec_response, 1, "exec") \
	X(ATTACH, Runtime, Attach, attach_request, attach_response, 1, "attach") \
	X(PORT_FORWARD, Runtime, PortForward, port_forward_request, port_forward_response, 1, \
	  "port_forward") \
	X(CONTAINER_STATS, Runtime, ContainerStats, container_stats_request, \
	  container_stats_response, 1, "container_stats") \
	X(LIST_CONTAINER_STATS, Runtime, ListContainerStats, list_container_stats_request, \
	  list_container_stats_response, 1, "list_container_stats") \
	X(STREAM_CONTAINER_STATS, Runtime, StreamContainerStats, stream_container_stats_request, \
	  stream_container_stats_response, 1, "stream_container_stats") \
	X(POD_SANDBOX_STATS, Runtime, PodSandboxStats, pod_sandbox_stats_request, \
	  pod_sandbox_stats_response, 1, "podsandbox_stats") \
	X(LIST_POD_SANDBOX_STATS, Runtime, ListPodSandboxStats, list_pod_sandbox_stats_request, \
	  list_pod_sandbox_stats_response, 1, "list_podsandbox_stats") \
	X(STREAM_POD_SANDBOX_STATS, Runtime, StreamPodSandboxStats, \
	  stream_pod_sandbox_stats_request, stream_pod_sandbox_stats_response, 1, \
	  "stream_podsandbox_stats") \
	X(CHECKPOINT_CONTAINER, Runtime, CheckpointContainer, checkpoint_container_request, \
	  checkpoint_container_response, 1, "checkpoint_container") \
	X(CHECKPOINT_POD, Runtime, CheckpointPod, checkpoint_pod_request, checkpoint_pod_response, \
	  1, "checkpoint_pod") \
	X(RESTORE_POD, Runtime, RestorePod, restore_pod_request, restore_pod_response, 1, \
	  "restore_pod") \
	X(GET_CONTAINER_EVENTS, Runtime, GetContainerEvents, get_events_request, \
	  container_event_response, 0, "get_container_events") \
	X(LIST_METRIC_DESCRIPTORS, Runtime, ListMetricDescriptors, \
	  list_metric_descriptors_request, list_metric_descriptors_response, 1, \
	  "list_metric_descriptors") \
	X(LIST_POD_SANDBOX_METRICS, Runtime, ListPodSandboxMetrics, \
	  list_pod_sandbox_metrics_request, list_pod_sandbox_metrics_response, 1, \
	  "list_podsandbox_metrics") \
	X(STREAM_POD_SANDBOX_METRICS, Runtime, StreamPodSandboxMetrics, \
	  stream_pod_sandbox_metrics_request, stream_pod_sandbox_metrics_response, 1, \
	  "stream_podsandbox_metrics") \
	X(UPDATE_POD_SANDBOX_RESOURCES, Runtime, UpdatePodSandboxResources, \
	  update_pod_sandbox_resources_request, update_pod_sandbox_resources_response, 1, \
	  "update_podsandbox_resources") \
	X(LIST_IMAGES, Image, ListImages, list_images_request, list_images_response, 1, \
	  "list_images") \
	X(STREAM_IMAGES, Image, StreamImages, stream_images_request, stream_images_response, 1, \
	  "stream_images") \
	X(IMAGE_STATUS, Image, ImageStatus, image_status_request, image_status_response, 1, \
	  "image_status") \
	X(PULL_IMAGE, Image, PullImage, pull_image_request, pull_image_response, 0, "pull_image") \
	X(REMOVE_IMAGE, Image, RemoveImage, remove_image_request, remove_image_response, 1, \
	  "remove_image") \
	X(IMAGE_FS_INFO, Image, ImageFsInfo, image_fs_info_request, image_fs_info_response, 1, \
	  "image_fs_info")

enum cri_rpc {
#define CRI_ENUM(name, service, method, request, reply, timeouts, operation) CRI_##name,
	CRI_RPCS(CRI_ENUM)
#undef CRI_ENUM
	    CRI_RPC_COUNT
};

struct cri;
struct cri_call;
struct cri_stream;

/* reply is the callee's: proto_free; NULL on failure. e is NULL on success. */
typedef void (*cri_done_fn)(void *ctx, void *reply, const struct err *e);

/* image_endpoint NULL: the runtime's. Connects when the first call is made. */
int cri_new(sd_event *loop, const char *runtime_endpoint, const char *image_endpoint,
	    struct cri **ret, struct err *e);
void cri_free(struct cri *cri);                              /* open calls end without fn */
void cri_set_request_timeout(struct cri *cri, int64_t msec); /* 2 minutes at first */

/* timeout_msec: 0 takes the table's (StopContainer and ExecSync add what their request asks for), <
 * 0 is none. */
struct cri_call *cri_call(struct cri *cri, enum cri_rpc rpc, const void *request,
			  int64_t timeout_msec, cri_done_fn fn, void *ctx);
/* ExecSync whose stdout and stderr are cut to max_bytes each while they come in. */
struct cri_call *cri_exec_sync(struct cri *cri, const Cri__ExecSyncRequest *request,
			       size_t max_bytes, cri_done_fn fn, void *ctx);
void cri_call_cancel(struct cri_call *call); /* fn is not called any more */

/* A server stream: message for each (borrowed), then ended once (e NULL: the peer ended it well).
 */
struct cri_stream *cri_stream(struct cri *cri, enum cri_rpc rpc, const void *request,
			      void (*message)(void *ctx, const void *message),
			      void (*ended)(void *ctx, const struct err *e), void *ctx);
/* The container events of the runtime; ended with ERR_UNIMPLEMENTED when it has none. */
struct cri_stream *cri_events(struct cri *cri,
			      void (*event)(void *ctx, const Cri__ContainerEventResponse *event),
			      void (*ended)(void *ctx, const struct err *e), void *ctx);
void cri_stream_cancel(struct cri_stream *stream);

/* What was asked so far: upstream's kubelet_runtime_operations_* in numbers. */
enum { CRI_LATENCY_BUCKETS = 14 };
struct cri_stats {
	uint64_t calls, errors;
	uint64_t usec_sum;
	uint64_t buckets[CRI_LATENCY_BUCKETS + 1]; /* not cumulative; the last one is +Inf */
};
const struct cri_stats *cri_stats(const struct cri *cri, enum cri_rpc rpc);
double cri_latency_bound_sec(int bucket);           /* upper bound of a bucket */
const char *cri_operation(enum cri_rpc rpc);        /* "run_podsandbox" */
const char *cri_method(enum cri_rpc rpc);           /* "/runtime.v1.RuntimeService/Version" */
enum cri_rpc cri_rpc_of_method(const char *method); /* CRI_RPC_COUNT when unknown */
const ProtobufCMessageDescriptor *cri_request_type(enum cri_rpc rpc);
const ProtobufCMessageDescriptor *cri_reply_type(enum cri_rpc rpc);
