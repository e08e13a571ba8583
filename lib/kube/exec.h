/* Exec credential plugins: run as a child with a deadline, kept until they expire. Effect. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "kube/kubeconfig.h"

struct exec_credential;
struct spawner;

/* spawner (NULL: no plugin can run) and credentials are borrowed; done runs from the loop when a
 * run has ended, well or not */
struct exec_credential *exec_credential_new(sd_event *loop, struct spawner *spawner,
					    const struct kube_credentials *credentials,
					    void (*done)(void *ctx), void *ctx);
void exec_credential_free(struct exec_credential *x);
/* True when a call may go: nothing to wait for, or the last run failed just now. Else starts the
 * plugin and returns false. NULL is ready. */
bool exec_credential_ready(struct exec_credential *x);
const char *exec_credential_token(const struct exec_credential *x); /* may be NULL */
/* Moves a certificate that the last run brought into credentials; true when there was one. */
bool exec_credential_certificate(struct exec_credential *x, struct kube_credentials *credentials);
/* The server did not accept it: run again at the next call. NULL is fine. */
void exec_credential_forget(struct exec_credential *x);
