/* Labels (contract in labels.h). Pure. */
#include "labels.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { NAME_MAX_LEN = 63, PREFIX_MAX_LEN = 253 };

/* Letters, digits, '-', '_', '.', with letters or digits at both ends. */
static bool is_name(const char *text, size_t len)
{
	if (!len || len > NAME_MAX_LEN || !isalnum((unsigned char)text[0]) ||
	    !isalnum((unsigned char)text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return false;
	}
	return true;
}

/* A DNS subdomain: labels of lower-case letters, digits and '-'. */
static bool is_subdomain(const char *text, size_t len)
{
	if (!len || len > PREFIX_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool edge = i == 0 || i == len - 1 || text[i - 1] == '.' || text[i + 1] == '.';
		bool alnum = islower((unsigned char)text[i]) || isdigit((unsigned char)text[i]);

		if (!alnum && !(text[i] == '-' && !edge) &&
		    !(text[i] == '.' && i && i < len - 1 && text[i - 1] != '.'))
			return false;
	}
	return true;
}

bool labels_is_subdomain(const char *text)
{
	return is_subdomain(text, strlen(text));
}

bool labels_is_dns_label(const char *text)
{
	return strlen(text) <= NAME_MAX_LEN && !strchr(text, '.') && labels_is_subdomain(text);
}

int labels_check_key(const char *key, struct err *e)
{
	const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;

	if (slash && !is_subdomain(key, (size_t)(slash - key)))
		return err_set(e, ERR_INVALID, "\"%s\": the part before / is not a DNS name", key);
	if (!is_name(name, strlen(name)))
		return err_set(
		    e, ERR_INVALID,
		    "\"%s\" is not a label key: up to 63 letters, digits, '-', '_' or '.', "
		    "beginning and ending with a letter or digit",
		    key);
	return 0;
}

int labels_check_value(const char *value, struct err *e)
{
	if (*value && !is_name(value, strlen(value)))
		return err_set(e, ERR_INVALID,
			       "\"%s\" is not a label value: up to 63 letters, digits, '-', '_' or "
			       "'.', beginning and ending with a letter or digit",
			       value);
	return 0;
}

static bool in_domain(const char *prefix, const char *domain)
{
	AUTO_FREE char *below = str_fmt(".%s", domain);

	return str_eq(prefix, domain) || str_ends(prefix, below);
}

const char *const labels_well_known[] = {
	"kubernetes.io/hostname",
	"topology.kubernetes.io/zone",
	"topology.kubernetes.io/region",
	"failure-domain.beta.kubernetes.io/zone",
	"failure-domain.beta.kubernetes.io/region",
	"node.kubernetes.io/instance-type",
	"beta.kubernetes.io/instance-type",
	"kubernetes.io/os",
	"kubernetes.io/arch",
	"beta.kubernetes.io/os",
	"beta.kubernetes.io/arch",
	NULL,
};

bool labels_node_may_set(const char *key)
{
	static const char *const domains[] = { "kubelet.kubernetes.io", "node.kubernetes.io" };
	const char *slash = strchr(key, '/');
	AUTO_FREE char *prefix = slash ? mem_strndup(key, (size_t)(slash - key)) : NULL;

	if (!prefix || (!in_domain(prefix, "kubernetes.io") && !in_domain(prefix, "k8s.io")))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		if (in_domain(prefix, domains[i]))
			return true;
	}
	for (size_t i = 0; labels_well_known[i]; i++) {
		if (str_eq(labels_well_known[i], key))
			return true;
	}
	return false;
}
