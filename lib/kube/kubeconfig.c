/* kubeconfig files and service accounts (contract in kube/kubeconfig.h). Effect: reads files. */
#include "kube/kubeconfig.h"

#include <libgen.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/yaml.h"

enum { CONFIG_BYTES_MAX = 1 << 20, PEM_BYTES_MAX = 1 << 20, TOKEN_BYTES_MAX = 1 << 16 };

static const char service_account_dir[] = "/var/run/secrets/kubernetes.io/serviceaccount";

static void exec_free(struct kube_exec *x)
{
	if (!x)
		return;
	free(x->command);
	free(x->api_version);
	free(x->install_hint);
	strv_free(x->args);
	strv_free(x->env);
	free(x);
}

void kube_credentials_free(struct kube_credentials *c)
{
	if (!c)
		return;
	free(c->server);
	free(c->tls_server_name);
	free(c->proxy_url);
	free(c->ca_pem);
	free(c->cert_pem);
	if (c->key_pem)
		explicit_bzero(c->key_pem, strlen(c->key_pem));
	free(c->key_pem);
	free(c->token);
	free(c->token_file);
	free(c->username);
	free(c->password);
	free(c->ns);
	exec_free(c->exec);
	free(c->ca_file);
	free(c->cert_file);
	free(c->key_file);
	free(c);
}

/* The named entry of a list like clusters: [{name, cluster: {...}}]. */
static struct json_object *entry(struct json_object *config, const char *list, const char *name,
				 const char *body)
{
	struct json_object *items = json_member(config, list, json_type_array);
	size_t n = items ? json_object_array_length(items) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);

		if (str_eq(json_string(item, "name"), name))
			return json_member(item, body, json_type_object);
	}
	return NULL;
}

static char *path_in(const char *dir, const char *path)
{
	return *path == '/' ? mem_strdup(path) : str_fmt("%s/%s", dir, path);
}

static int decode_base64(const char *text, const char *field, char **ret_bytes, struct err *e)
{
	size_t len = strlen(text), padding = 0;
	AUTO_FREE char *out = NULL;
	int n;

	if (len > PEM_BYTES_MAX)
		return err_set(e, ERR_TOO_LARGE, "%s is larger than %d bytes", field,
			       PEM_BYTES_MAX);
	out = mem_calloc(len + 1, 1);
	n = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len);
	if (n < 0)
		return err_set(e, ERR_INVALID, "%s is not base64", field);
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	out[(size_t)n - padding] = '\0';
	*ret_bytes = TAKE(out);
	return 0;
}

/* PEM from NAME-data, which wins, or from the file in NAME. */
static int read_pem(struct json_object *from, const char *field, const char *dir, char **pem,
		    char **file, struct err *e)
{
	AUTO_FREE char *data_field = str_fmt("%s-data", field);
	const char *data = json_string(from, data_field), *path = json_string(from, field);

	if (!str_empty(data))
		return decode_base64(data, data_field, pem, e);
	if (str_empty(path))
		return 0;
	*file = path_in(dir, path);
	if (fs_read(*file, PEM_BYTES_MAX, pem, NULL, e))
		return err_wrap(e, "%s", field);
	return 0;
}

static bool is_true(struct json_object *from, const char *field)
{
	return json_object_get_boolean(json_member(from, field, json_type_boolean));
}

static int read_cluster(struct json_object *cluster, const char *dir, struct kube_credentials *c,
			struct err *e)
{
	const char *server = json_string(cluster, "server");
	size_t len = server ? strlen(server) : 0;

	if (!len)
		return err_set(e, ERR_INVALID, "server is not given");
	while (len && server[len - 1] == '/')
		len--;
	c->server = strstr(server, "://") ? mem_strndup(server, len)
					  : str_fmt("http://%.*s", (int)len, server);
	c->insecure = is_true(cluster, "insecure-skip-tls-verify");
	c->tls_server_name = mem_strdup(json_string(cluster, "tls-server-name"));
	c->proxy_url = mem_strdup(json_string(cluster, "proxy-url"));
	if (read_pem(cluster, "certificate-authority", dir, &c->ca_pem, &c->ca_file, e))
		return -1;
	if (c->insecure && c->ca_pem)
		return err_set(
		    e, ERR_INVALID,
		    "certificate-authority and insecure-skip-tls-verify exclude each other");
	return 0;
}

static int read_exec(struct json_object *from, const char *dir, struct kube_credentials *c,
		     struct err *e)
{
	struct kube_exec *x = NEW(struct kube_exec);
	struct json_object *args = json_member(from, "args", json_type_array);
	struct json_object *env = json_member(from, "env", json_type_array);
	const char *command = json_string(from, "command");

	c->exec = x;
	x->api_version = mem_strdup(json_string(from, "apiVersion"));
	x->install_hint = mem_strdup(json_string(from, "installHint"));
	x->provide_cluster_info = is_true(from, "provideClusterInfo");
	if (str_empty(command) || str_empty(x->api_version))
		return err_set(e, ERR_INVALID, "exec: command and apiVersion must be given");
	/* a bare name is looked up in PATH, a path is relative to the file */
	x->command = strchr(command, '/') ? path_in(dir, command) : mem_strdup(command);
	for (size_t i = 0; args && i < json_object_array_length(args); i++)
		strv_push(&x->args, json_object_get_string(json_object_array_get_idx(args, i)));
	for (size_t i = 0; env && i < json_object_array_length(env); i++) {
		struct json_object *item = json_object_array_get_idx(env, i);
		AUTO_FREE char *pair = str_fmt("%s=%s", str_or(json_string(item, "name"), ""),
					       str_or(json_string(item, "value"), ""));

		strv_push(&x->env, pair);
	}
	return 0;
}

static int read_user(struct json_object *user, const char *dir, struct kube_credentials *c,
		     struct err *e)
{
	const char *token_file = json_string(user, "tokenFile");
	struct json_object *exec = json_member(user, "exec", json_type_object);

	if (read_pem(user, "client-certificate", dir, &c->cert_pem, &c->cert_file, e) ||
	    read_pem(user, "client-key", dir, &c->key_pem, &c->key_file, e))
		return -1;
	/* one PEM file may hold both, as the kubelet's rotated certificate does */
	if (!c->cert_pem != !c->key_pem)
		return err_set(e, ERR_INVALID, "client-certificate and client-key come together");
	if (!str_empty(token_file))
		c->token_file = path_in(dir, token_file);
	c->token = mem_strdup(json_string(user, "token"));
	c->username = mem_strdup(json_string(user, "username"));
	c->password = mem_strdup(json_string(user, "password"));
	return exec ? read_exec(exec, dir, c, e) : 0;
}

static int read_context(struct json_object *config, const char *dir, struct kube_credentials *c,
			struct err *e)
{
	const char *current = json_string(config, "current-context");
	struct json_object *context, *cluster, *user;
	const char *cluster_name, *user_name;

	if (str_empty(current))
		return err_set(e, ERR_INVALID, "current-context is not given");
	context = entry(config, "contexts", current, "context");
	if (!context)
		return err_set(e, ERR_INVALID, "there is no context \"%s\"", current);
	cluster_name = str_or(json_string(context, "cluster"), "");
	cluster = entry(config, "clusters", cluster_name, "cluster");
	if (!cluster)
		return err_set(e, ERR_INVALID, "context \"%s\": there is no cluster \"%s\"",
			       current, cluster_name);
	c->ns = mem_strdup(json_string(context, "namespace"));
	if (read_cluster(cluster, dir, c, e))
		return err_wrap(e, "cluster \"%s\"", cluster_name);
	user_name = json_string(context, "user");
	if (str_empty(user_name))
		return 0;
	user = entry(config, "users", user_name, "user");
	if (!user)
		return err_set(e, ERR_INVALID, "context \"%s\": there is no user \"%s\"", current,
			       user_name);
	if (read_user(user, dir, c, e))
		return err_wrap(e, "user \"%s\"", user_name);
	return 0;
}

int kubeconfig_parse(const char *text, size_t len, const char *dir,
		     struct kube_credentials **ret_credentials, struct err *e)
{
	CLEANUP(kube_credentials_freep) struct kube_credentials *c = NEW(struct kube_credentials);
	AUTO_JSON struct json_object *config = NULL;
	char **duplicates = NULL;
	int r = yaml_parse(text, len, &config, &duplicates, e);

	for (size_t i = 0; duplicates && duplicates[i]; i++)
		log_warning("kubeconfig names %s twice; the last one counts", duplicates[i]);
	strv_free(duplicates);
	if (r)
		return -1;
	if (!json_object_is_type(config, json_type_object))
		return err_set(e, ERR_INVALID, "a kubeconfig is a map");
	if (read_context(config, dir, c, e))
		return -1;
	*ret_credentials = TAKE(c);
	return 0;
}

int kubeconfig_load(const char *path, struct kube_credentials **ret_credentials, struct err *e)
{
	AUTO_FREE char *text = NULL, *copy = mem_strdup(path);
	size_t len;

	if (fs_read(path, CONFIG_BYTES_MAX, &text, &len, e))
		return -1;
	if (kubeconfig_parse(text, len, dirname(copy), ret_credentials, e))
		return err_wrap(e, "%s", path);
	return 0;
}

int kubeconfig_in_cluster(const char *root, struct kube_credentials **ret_credentials,
			  struct err *e)
{
	CLEANUP(kube_credentials_freep) struct kube_credentials *c = NEW(struct kube_credentials);
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	AUTO_FREE char *ns_file = NULL;

	if (str_empty(host) || str_empty(port))
		return err_set(e, ERR_INVALID,
			       "not in a pod: KUBERNETES_SERVICE_HOST and _PORT are not set");
	if (!root)
		root = service_account_dir;
	c->server = strchr(host, ':') ? str_fmt("https://[%s]:%s", host, port)
				      : str_fmt("https://%s:%s", host, port);
	c->token_file = str_fmt("%s/token", root);
	c->ca_file = str_fmt("%s/ca.crt", root);
	if (fs_read(c->ca_file, PEM_BYTES_MAX, &c->ca_pem, NULL, e))
		return -1;
	ns_file = str_fmt("%s/namespace", root);
	(void)fs_read(ns_file, TOKEN_BYTES_MAX, &c->ns, NULL, NULL);
	*ret_credentials = TAKE(c);
	return 0;
}

int kube_credentials_reload(struct kube_credentials *c, struct err *e)
{
	const struct {
		const char *file;
		char **pem;
	} parts[] = { { c->ca_file, &c->ca_pem },
		      { c->cert_file, &c->cert_pem },
		      { c->key_file, &c->key_pem } };
	char *fresh[ARRAY_SIZE(parts)] = { NULL };
	int failed = 0, changed = 0;

	for (size_t i = 0; !failed && i < ARRAY_SIZE(parts); i++) {
		if (parts[i].file)
			failed = fs_read(parts[i].file, PEM_BYTES_MAX, &fresh[i], NULL, e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!failed && fresh[i] && !str_eq(fresh[i], *parts[i].pem)) {
			free(*parts[i].pem);
			*parts[i].pem = TAKE(fresh[i]);
			changed = 1;
		}
		free(fresh[i]);
	}
	return failed ? -1 : changed;
}
