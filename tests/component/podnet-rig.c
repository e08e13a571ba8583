/* The pod network of one node, fed with Node objects from a file: what podnet.py drives.
 *
 * usage: podnet-rig none|routes|vxlan NODE NODES.json CNI_PATH     the file holds a JSON array of
 * Nodes and is read again on SIGHUP; ends on SIGTERM
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "kube/codec.h"
#include "podnetwork.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

struct rig {
	sd_event *loop;
	struct podnetwork *network;
	const char *file;
	char **names; /* of the last read */
};

static void die(const struct err *e)
{
	fprintf(stderr, "podnet-rig: %s\n", e->text);
	exit(1);
}

static void read_nodes(struct rig *r)
{
	AUTO_JSON struct json_object *list = NULL;
	AUTO_FREE char *text = NULL;
	char **names = NULL;
	size_t len;
	struct err e;

	if (fs_read(r->file, FILE_MAX_BYTES, &text, &len, &e) < 0 ||
	    json_parse(text, len, &list, &e) < 0)
		die(&e);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		AUTO_OBJECT struct kube_object *o = NULL;

		if (codec_object_from_json(json_object_array_get_idx(list, i), &o, &e) < 0)
			die(&e);
		strv_push(&names, o->meta->name);
		podnetwork_put_node(r->network, (const Core__Node *)o->msg);
	}
	for (size_t i = 0; r->names && r->names[i]; i++) {
		if (!strv_has(names, r->names[i]))
			podnetwork_remove_node(r->network, r->names[i]);
	}
	strv_free(r->names);
	r->names = names;
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *info, void *userdata)
{
	struct rig *r = userdata;

	(void)s;
	if (info->ssi_signo == SIGHUP)
		read_nodes(r);
	else
		sd_event_exit(r->loop, 0);
	return 0;
}

static enum podnet_mode mode_of(const char *text)
{
	return str_eq(text, "vxlan")    ? PODNET_VXLAN
	       : str_eq(text, "routes") ? PODNET_ROUTES
					: PODNET_NONE;
}

int main(int argc, char **argv)
{
	struct podnetwork_settings settings;
	struct rig r = { 0 };
	sigset_t set;
	struct err e;

	if (argc != 5) {
		fprintf(stderr, "usage: podnet-rig none|routes|vxlan NODE NODES.json CNI_PATH\n");
		return 2;
	}
	log_init("podnet-rig", 4);
	settings = (struct podnetwork_settings){ .mode = mode_of(argv[1]),
						 .node_name = argv[2],
						 .cni_path = argv[4] };
	r.file = argv[3];
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (sd_event_new(&r.loop) < 0 ||
	    sd_event_add_signal(r.loop, NULL, SIGHUP, on_signal, &r) < 0 ||
	    sd_event_add_signal(r.loop, NULL, SIGTERM, on_signal, &r) < 0)
		return 1;
	if (settings.mode == PODNET_NONE) {
		if (podnetwork_cleanup(&e) < 0)
			die(&e);
	} else {
		if (podnetwork_new(r.loop, &settings, &r.network, &e) < 0)
			die(&e);
		read_nodes(&r);
		podnetwork_start(r.network);
	}
	sd_event_loop(r.loop);
	podnetwork_free(r.network);
	strv_free(r.names);
	sd_event_unref(r.loop);
	return 0;
}
