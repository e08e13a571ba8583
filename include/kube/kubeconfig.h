/* Where the API server is and how to prove who we are. Effect (reads files). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

/* An exec credential plugin. */
struct kube_exec {
	char *command, *api_version, *install_hint;
	char **args, **env; /* env entries are "NAME=value" */
	bool provide_cluster_info;
};

/* All PEM is in memory: files are read when loaded, except token_file, which is read again at most
 * a minute after it changed. */
struct kube_credentials {
	char *server; /* "https://host:port" without a slash at the end */
	char *tls_server_name, *proxy_url;
	char *ca_pem, *cert_pem, *key_pem;
	char *token, *token_file;
	char *username, *password;
	char *ns; /* of the context, or NULL */
	bool insecure;
	struct kube_exec *exec;
	/* the files that PEM came from, to load it again after a rotation; NULL for inline data */
	char *ca_file, *cert_file, *key_file;
};

/* The current context of a kubeconfig file. Paths in it are relative to it; unknown fields are
 * ignored. */
int kubeconfig_load(const char *path, struct kube_credentials **ret_credentials, struct err *e);
int kubeconfig_parse(const char *text, size_t len, const char *dir,
		     struct kube_credentials **ret_credentials, struct err *e);
/* A pod's service account: KUBERNETES_SERVICE_HOST and _PORT, token and CA under root (NULL:
 * /var/run/secrets/kubernetes.io/serviceaccount). */
int kubeconfig_in_cluster(const char *root, struct kube_credentials **ret_credentials,
			  struct err *e);
/* Reads the certificate and key files again: 1 when something changed, and only that is replaced (a
 * connection may be looking at the rest). */
int kube_credentials_reload(struct kube_credentials *c, struct err *e);
void kube_credentials_free(struct kube_credentials *c);
DEFINE_FREEP(kube_credentials_free, struct kube_credentials)
