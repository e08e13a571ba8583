/* Host names, resolver settings and the managed hosts file of a pod. Pure. */
#pragma once

#include "base/err.h"
#include "podspec.h"

struct dns_config {
	char **servers, **searches, **options; /* NULL-terminated, may be NULL */
};

/* What the node's configuration and its resolv.conf say. */
struct dns_node {
	const char *const *cluster_dns; /* NULL-terminated, may be NULL */
	const char *cluster_domain;
	struct dns_config host;
};

/* Something that a pod's owner should hear about (reasons DNSConfigForming, MissingClusterDNS). */
struct dns_warning {
	const char *reason; /* NULL: none */
	char message[600];
};

void dns_config_fini(struct dns_config *c);
/* nameserver, search and options lines; the last search line wins. */
void poddns_parse_resolv_conf(const char *text, struct dns_config *ret_config);
void poddns_make(const struct podspec *spec, const struct dns_node *node,
		 struct dns_config *ret_config, struct dns_warning *ret_warning);

/* Host name and, with a subdomain, the domain behind it ("" without). Heap strings. */
void poddns_hostname(const struct podspec *spec, const char *cluster_domain, char **ret_hostname,
		     char **ret_domain);
/* What the kernel is told: the FQDN when setHostnameAsFQDN asks for it and it fits 64 bytes. */
int poddns_kernel_hostname(const struct podspec *spec, const char *cluster_domain,
			   char **ret_hostname, struct err *e);
/* Content of /etc/hosts; node_hosts is the node's own file for host-network pods, else NULL. */
char *poddns_hosts_file(const struct podspec *spec, const char *const *pod_ips,
			const char *cluster_domain, const char *node_hosts);
