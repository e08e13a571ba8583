/* Names and resolvers of a pod (contract in poddns.h). Pure. */
#include "poddns.h"

#include <ctype.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

enum {
	SERVERS_MAX = 3,
	SEARCHES_MAX = 32,
	SEARCH_CHARS_MAX = 2048,
	SEARCH_MAX = 253,
	HOSTNAME_MAX = 63,
	KERNEL_HOSTNAME_MAX = 64,
};

void dns_config_fini(struct dns_config *c)
{
	strv_free(c->servers);
	strv_free(c->searches);
	strv_free(c->options);
	*c = (struct dns_config){ 0 };
}

static void push_new(char ***v, const char *s)
{
	if (!strv_has(*v, s))
		strv_push(v, s);
}

static void push_all(char ***v, const char *const *items)
{
	for (size_t i = 0; items && items[i]; i++)
		push_new(v, items[i]);
}

/* Cuts the next word out of *p; NULL at the end of the line. */
static char *next_word(const char **p, const char *end)
{
	const char *start;

	while (*p < end && isspace((unsigned char)**p))
		(*p)++;
	start = *p;
	while (*p < end && !isspace((unsigned char)**p))
		(*p)++;
	return *p > start ? mem_strndup(start, (size_t)(*p - start)) : NULL;
}

static void parse_search(const char *p, const char *end, char ***ret_searches)
{
	char *word;

	strv_free(*ret_searches);
	*ret_searches = NULL;
	while ((word = next_word(&p, end))) {
		size_t n = strlen(word);

		if (n > 1 && word[n - 1] == '.')
			word[n - 1] = '\0';
		if (strcmp(word, "."))
			strv_push(ret_searches, word);
		free(word);
	}
}

static void parse_line(const char *p, const char *end, struct dns_config *c)
{
	AUTO_FREE char *key = next_word(&p, end);
	char *word;

	if (str_eq(key, "nameserver")) {
		word = next_word(&p, end);
		if (word)
			strv_push(&c->servers, word);
		free(word);
	} else if (str_eq(key, "search")) {
		parse_search(p, end, &c->searches);
	} else if (str_eq(key, "options")) {
		while ((word = next_word(&p, end))) {
			push_new(&c->options, word);
			free(word);
		}
	}
}

void poddns_parse_resolv_conf(const char *text, struct dns_config *ret_config)
{
	struct dns_config c = { 0 };

	while (*text) {
		const char *end = strchrnul(text, '\n');

		parse_line(text, end, &c);
		text = *end ? end + 1 : end;
	}
	*ret_config = c;
}

static bool wants_cluster_dns(const struct podspec *spec)
{
	const char *policy = str_or(spec->pod->spec->dnspolicy, "ClusterFirst");

	if (str_eq(policy, "ClusterFirstWithHostNet"))
		return true;
	return str_eq(policy, "ClusterFirst") && !podspec_host_network(spec);
}

static void cluster_config(const struct podspec *spec, const struct dns_node *node,
			   struct dns_config *c)
{
	push_all(&c->servers, node->cluster_dns);
	if (!str_empty(node->cluster_domain)) {
		AUTO_FREE char *ns = str_fmt("%s.svc.%s", spec->ns, node->cluster_domain);
		AUTO_FREE char *svc = str_fmt("svc.%s", node->cluster_domain);

		push_new(&c->searches, ns);
		push_new(&c->searches, svc);
		push_new(&c->searches, node->cluster_domain);
	}
	push_all(&c->searches, (const char *const *)node->host.searches);
	strv_push(&c->options, "ndots:5");
}

/* An option replaces the one of the same name before the colon. */
static void merge_option(char ***options, const Core__PodDNSConfigOption *o)
{
	AUTO_FREE char *text =
	    str_empty(o->value) ? mem_strdup(o->name) : str_fmt("%s:%s", o->name, o->value);
	size_t n = strlen(o->name);

	for (size_t i = 0; *options && (*options)[i]; i++) {
		char *old = (*options)[i];

		if (strncmp(old, o->name, n) || (old[n] && old[n] != ':'))
			continue;
		free(old);
		(*options)[i] = TAKE(text);
		return;
	}
	strv_push(options, text);
}

static void append_pod_config(const Core__PodDNSConfig *d, struct dns_config *c)
{
	for (size_t i = 0; i < d->n_nameservers; i++)
		push_new(&c->servers, d->nameservers[i]);
	for (size_t i = 0; i < d->n_searches; i++)
		push_new(&c->searches, d->searches[i]);
	for (size_t i = 0; i < d->n_options; i++)
		merge_option(&c->options, d->options[i]);
}

static void cut(char **v, size_t keep)
{
	for (size_t i = keep; v[i]; i++)
		free(v[i]);
	v[keep] = NULL;
}

static char *join(char *const *v)
{
	struct str out = { 0 };

	for (size_t i = 0; v && v[i]; i++)
		str_printf(&out, "%s%s", i ? " " : "", v[i]);
	return str_take(&out);
}

static bool fit_searches(char **v)
{
	size_t keep = 0, chars = 0;
	bool exceeded = strv_len(v) > SEARCHES_MAX;

	for (size_t i = 0; v && v[i] && i < SEARCHES_MAX; i++) {
		size_t n = strlen(v[i]);

		if (n > SEARCH_MAX || chars + n + (keep > 0) > SEARCH_CHARS_MAX) {
			exceeded = true;
			if (n <= SEARCH_MAX)
				break;
			continue;
		}
		chars += n + (keep > 0);
		if (keep != i) {
			char *tmp = v[keep];

			v[keep] = v[i];
			v[i] = tmp;
		}
		keep++;
	}
	if (v)
		cut(v, keep);
	return exceeded;
}

static void fit_limits(struct dns_config *c, struct dns_warning *w)
{
	AUTO_FREE char *line = NULL;

	if (strv_len(c->servers) > SERVERS_MAX) {
		cut(c->servers, SERVERS_MAX);
		line = join(c->servers);
		w->reason = "DNSConfigForming";
		snprintf(w->message, sizeof(w->message),
			 "Nameserver limits were exceeded, some nameservers have been omitted, the "
			 "applied nameserver line is: %s",
			 line);
	}
	if (fit_searches(c->searches)) {
		free(TAKE(line));
		line = join(c->searches);
		w->reason = "DNSConfigForming";
		snprintf(w->message, sizeof(w->message),
			 "Search Line limits were exceeded, some search paths have been omitted, "
			 "the applied search line is: %s",
			 line);
	}
}

void poddns_make(const struct podspec *spec, const struct dns_node *node,
		 struct dns_config *ret_config, struct dns_warning *ret_warning)
{
	const Core__PodSpec *s = spec->pod->spec;
	struct dns_config c = { 0 };
	struct dns_warning w = { 0 };

	if (wants_cluster_dns(spec) && node->cluster_dns && node->cluster_dns[0]) {
		cluster_config(spec, node, &c);
	} else if (!str_eq(s->dnspolicy, "None")) {
		push_all(&c.servers, (const char *const *)node->host.servers);
		push_all(&c.searches, (const char *const *)node->host.searches);
		push_all(&c.options, (const char *const *)node->host.options);
		if (wants_cluster_dns(spec)) {
			w.reason = "MissingClusterDNS";
			snprintf(w.message, sizeof(w.message),
				 "pod: \"%s_%s(%s)\". kubelet does not have ClusterDNS IP "
				 "configured and cannot create Pod using \"ClusterFirst\" policy. "
				 "Falling back to \"Default\" policy.",
				 spec->name, spec->ns, spec->uid);
		}
	}
	if (s->dnsconfig)
		append_pod_config(s->dnsconfig, &c);
	fit_limits(&c, &w);
	*ret_config = c;
	*ret_warning = w;
}

/* Names longer than a DNS label are cut, and never end in '-' or '.'. */
static char *truncate_hostname(const char *name)
{
	char *s = mem_strndup(name, HOSTNAME_MAX);

	for (size_t n = strlen(s); n && (s[n - 1] == '-' || s[n - 1] == '.'); n--)
		s[n - 1] = '\0';
	return s;
}

void poddns_hostname(const struct podspec *spec, const char *cluster_domain, char **ret_hostname,
		     char **ret_domain)
{
	const Core__PodSpec *s = spec->pod->spec;

	if (s->hostnameoverride) {
		*ret_hostname = truncate_hostname(s->hostnameoverride);
		*ret_domain = mem_strdup("");
		return;
	}
	*ret_hostname = truncate_hostname(str_or(s->hostname, spec->name));
	*ret_domain = str_empty(s->subdomain)
			  ? mem_strdup("")
			  : str_fmt("%s.%s.svc.%s", s->subdomain, spec->ns, cluster_domain);
}

int poddns_kernel_hostname(const struct podspec *spec, const char *cluster_domain,
			   char **ret_hostname, struct err *e)
{
	const Core__PodSpec *s = spec->pod->spec;
	AUTO_FREE char *hostname = NULL;
	AUTO_FREE char *domain = NULL;
	AUTO_FREE char *fqdn = NULL;

	poddns_hostname(spec, cluster_domain, &hostname, &domain);
	if (!s->sethostnameasfqdn || str_empty(domain)) {
		*ret_hostname = TAKE(hostname);
		return 0;
	}
	fqdn = str_fmt("%s.%s", hostname, domain);
	if (strlen(fqdn) > KERNEL_HOSTNAME_MAX)
		return err_set(e, ERR_INVALID,
			       "failed to construct FQDN from pod hostname and cluster domain, "
			       "FQDN %s is too long (%d characters is the max, %zu characters "
			       "requested)",
			       fqdn, KERNEL_HOSTNAME_MAX, strlen(fqdn));
	*ret_hostname = TAKE(fqdn);
	return 0;
}

static void append_aliases(struct str *out, const Core__PodSpec *s)
{
	if (!s->n_hostaliases)
		return;
	str_append(out, "\n# Entries added by HostAliases.\n");
	for (size_t i = 0; i < s->n_hostaliases; i++) {
		str_append(out, str_or(s->hostaliases[i]->ip, ""));
		for (size_t k = 0; k < s->hostaliases[i]->n_hostnames; k++)
			str_printf(out, "\t%s", s->hostaliases[i]->hostnames[k]);
		str_append(out, "\n");
	}
}

static const char managed_head[] = "# Kubernetes-managed hosts file.\n"
				   "127.0.0.1\tlocalhost\n"
				   "::1\tlocalhost ip6-localhost ip6-loopback\n"
				   "fe00::0\tip6-localnet\n"
				   "fe00::0\tip6-mcastprefix\n"
				   "fe00::1\tip6-allnodes\n"
				   "fe00::2\tip6-allrouters\n";

char *poddns_hosts_file(const struct podspec *spec, const char *const *pod_ips,
			const char *cluster_domain, const char *node_hosts)
{
	AUTO_FREE char *hostname = NULL;
	AUTO_FREE char *domain = NULL;
	struct str out = { 0 };

	if (node_hosts) {
		str_append(&out, "# Kubernetes-managed hosts file (host network).\n");
		str_append(&out, node_hosts);
		append_aliases(&out, spec->pod->spec);
		return str_take(&out);
	}
	poddns_hostname(spec, cluster_domain, &hostname, &domain);
	str_append(&out, managed_head);
	for (size_t i = 0; pod_ips && pod_ips[i]; i++) {
		if (*domain)
			str_printf(&out, "%s\t%s.%s\t%s\n", pod_ips[i], hostname, domain, hostname);
		else
			str_printf(&out, "%s\t%s\n", pod_ips[i], hostname);
	}
	append_aliases(&out, spec->pod->spec);
	return str_take(&out);
}
