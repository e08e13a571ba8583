/* What another node says of itself in its annotation, and what follows from it.
 *
 * Property: senders and ranges are sorted, each once, and only of devices that there are.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/proto.h"
#include "peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LAN = 2 };

/* The input's lines are the annotation, then addresses and podCIDRs in turn. */
static Core__Node *make_node(char *text)
{
	Core__Node *n = proto_new(&core__node__descriptor);
	Meta__ObjectMeta *meta = n->metadata = proto_new(&meta__object_meta__descriptor);
	Core__NodeStatus *status = n->status = proto_new(&core__node_status__descriptor);
	Core__NodeSpec *spec = n->spec = proto_new(&core__node_spec__descriptor);
	char *rest = text, *line;

	meta->name = mem_strdup("n2");
	status->nodeinfo = proto_new(&core__node_system_info__descriptor);
	status->nodeinfo->bootid = mem_strdup("b");
	line = strsep(&rest, "\n");
	meta->annotations = mem_calloc(1, sizeof(*meta->annotations));
	meta->annotations[0] = proto_new(&meta__object_meta__annotations_entry__descriptor);
	meta->annotations[0]->key = mem_strdup(PEERS_ANNOTATION);
	meta->annotations[0]->value = mem_strdup(line ? line : "");
	meta->n_annotations = 1;
	status->addresses = mem_calloc(8, sizeof(*status->addresses));
	spec->podcidrs = mem_calloc(8, sizeof(*spec->podcidrs));
	while ((line = strsep(&rest, "\n")) && status->n_addresses < 8) {
		Core__NodeAddress *a = proto_new(&core__node_address__descriptor);

		a->type = mem_strdup("InternalIP");
		a->address = mem_strdup(line);
		status->addresses[status->n_addresses++] = a;
		line = strsep(&rest, "\n");
		if (line)
			spec->podcidrs[spec->n_podcidrs++] = mem_strdup(line);
	}
	return n;
}

static void check_order(const struct peers *p)
{
	for (size_t i = 0; i < p->senders.n; i++) {
		assert(p->senders.v[i].dev == LAN);
		assert(!i || memcmp(p->senders.v[i - 1].mac, p->senders.v[i].mac, MAC_BYTES) < 0);
	}
	for (size_t i = 1; i < p->symmetric.n; i++) {
		const struct prefix *a = &p->symmetric.v[i - 1].to, *b = &p->symmetric.v[i].to;

		assert(prefix_cmp(a, b) < 0 && !prefix_has(a, &b->addr));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	Core__Node *node = make_node(text);
	struct peers_node *n = peers_node_read(node);
	const struct peers_node *nodes[] = { n };
	netstate_links links = { 0 };
	netstate_addresses addresses = { 0 };
	netstate_neighbours tunnels = { 0 };
	VEC(struct peers_route) routes = { 0 };
	addr_list targets = { 0 };
	struct peers_input in = { .self = "n1",
				  .nodes = nodes,
				  .n_nodes = 1,
				  .links = &links,
				  .addresses = &addresses,
				  .tunnels = &tunnels };
	struct peers p;

	vec_push(&links, (struct netstate_link){ .index = LAN, .name = "eth0", .mac = { 2 } });
	peers_targets(&in, &targets);
	for (size_t i = 0; i < targets.n; i++)
		vec_push(&routes, (struct peers_route){
				      .to = targets.v[i], .dev = LAN, .proof = PEERS_PROVEN });
	in.routes = routes.v;
	in.n_routes = routes.n;
	peers_make(&in, &p);
	check_order(&p);
	peers_fini(&p);
	vec_fini(&links);
	vec_fini(&routes);
	vec_fini(&targets);
	peers_node_free(n);
	proto_free(node);
	free(text);
	return 0;
}
