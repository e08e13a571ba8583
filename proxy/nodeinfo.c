/* Facts of the own Node (contract in nodeinfo.h). Pure. */
#include "nodeinfo.h"

#include "base/mem.h"
#include "base/str.h"
#include "kube/time.h"

/* Set by the cluster autoscaler before it removes the node. */
static const char to_be_deleted[] = "ToBeDeletedByClusterAutoscaler";

static void take_addresses(const Core__NodeStatus *status, const char *type, struct nodeinfo *n)
{
	for (size_t i = 0; status && i < status->n_addresses; i++) {
		const Core__NodeAddress *a = status->addresses[i];
		struct addr address;

		if (!str_eq(a->type, type) ||
		    addr_parse(str_or(a->address, ""), &address, NULL) < 0)
			continue;
		if (!n->primary.len)
			n->primary = address;
		else if (!n->other.len && address.len != n->primary.len)
			n->other = address;
	}
}

void nodeinfo_read(const Core__Node *node, struct nodeinfo *ret)
{
	*ret = (struct nodeinfo){ .known = node != NULL };
	if (!node)
		return;
	take_addresses(node->status, "InternalIP", ret);
	take_addresses(node->status, "ExternalIP", ret);
	ret->leaving = node->metadata && !kube_time_is_zero(node->metadata->deletiontimestamp);
	for (size_t i = 0; node->spec && i < node->spec->n_taints; i++)
		ret->leaving |= str_eq(node->spec->taints[i]->key, to_be_deleted);
	for (size_t i = 0; node->spec && i < node->spec->n_podcidrs; i++)
		strv_push(&ret->pod_cidrs, node->spec->podcidrs[i]);
}

static void complain(char ***ret_bad, const struct err *e)
{
	if (ret_bad)
		strv_push(ret_bad, e->text);
}

void nodeinfo_read_addresses(const Core__Node *node, const char *type, addr_list *out,
			     char ***ret_bad)
{
	const Core__NodeStatus *status = node->status;
	struct addr addr;
	struct err e;

	for (size_t i = 0; status && i < status->n_addresses; i++) {
		const Core__NodeAddress *a = status->addresses[i];

		if (type ? !str_eq(a->type, type) : str_eq(a->type, "Hostname"))
			continue;
		if (addr_parse(a->address, &addr, &e) == 0)
			vec_push(out, addr);
		else
			complain(ret_bad, &e);
	}
}

static void read_cidr(const char *text, prefix_list *out, char ***ret_bad)
{
	struct prefix p;
	struct err e;

	if (prefix_parse(text, &p, &e) == 0)
		vec_push(out, p);
	else
		complain(ret_bad, &e);
}

void nodeinfo_read_pod_cidrs(const Core__Node *node, prefix_list *out, char ***ret_bad)
{
	const Core__NodeSpec *spec = node->spec;

	for (size_t i = 0; spec && i < spec->n_podcidrs; i++)
		read_cidr(spec->podcidrs[i], out, ret_bad);
	if (spec && !spec->n_podcidrs && !str_empty(spec->podcidr))
		read_cidr(spec->podcidr, out, ret_bad);
}

void nodeinfo_fini(struct nodeinfo *n)
{
	strv_free(n->pod_cidrs);
}

const struct addr *nodeinfo_address(const struct nodeinfo *n, uint8_t len)
{
	if (n->primary.len == len)
		return &n->primary;
	return n->other.len == len ? &n->other : NULL;
}
