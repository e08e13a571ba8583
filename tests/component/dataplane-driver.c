/* The data plane without a cluster: objects come as JSON lines on stdin, results go to stdout.
 *
 * {"settings": {…}} first; {"service": {…}} {"slice": {…}} {"node": {…}} {"cidrs": […]}
 * {"remove-service": "ns/name"} {"remove-slice": "ns/name"} {"start": true} {"resync": true}
 * {"wait": true}: answers with one line when nothing is pending any more
 * {"status": true} {"explain": "ADDRESS PORT PROTOCOL"} {"flood": "SERVICES ENDPOINTS"}
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proto.h"
#include "dataplane.h"
#include "kube/codec.h"

struct driver {
	sd_event *loop;
	struct dataplane *d;
	struct str input;
	bool waiting;
	int syncs, failures;
	int64_t took_usec;
	char *warning, *error;
};

static void say(struct json_object *o)
{
	AUTO_FREE char *text = json_text(o);

	printf("%s\n", text);
	fflush(stdout);
	json_object_put(o);
}

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "dataplane-driver: %s: %s\n", what, e->text);
	exit(1);
}

/* Answers a wait once nothing is under way. */
static void check_wait(struct driver *r)
{
	struct dataplane_status s;
	struct json_object *o;

	dataplane_status(r->d, &s);
	if (!r->waiting || (s.family[0].enabled && s.family[0].pending_since_usec) ||
	    (s.family[1].enabled && s.family[1].pending_since_usec))
		return;
	r->waiting = false;
	o = json_object_new_object();
	json_object_object_add(o, "syncs", json_object_new_int(r->syncs));
	json_object_object_add(o, "failures", json_object_new_int(r->failures));
	json_object_object_add(o, "took_usec", json_object_new_int64(r->took_usec));
	json_object_object_add(o, "warning", json_object_new_string(str_or(r->warning, "")));
	json_object_object_add(o, "error", json_object_new_string(str_or(r->error, "")));
	r->syncs = r->failures = 0;
	r->took_usec = 0;
	free(TAKE(r->warning));
	free(TAKE(r->error));
	say(o);
}

static void synced(void *ctx, enum dataplane_family f, bool full, int64_t took_usec,
		   int64_t trigger_usec, const struct err *e)
{
	struct driver *r = ctx;

	(void)f;
	(void)full;
	(void)trigger_usec;
	r->syncs++;
	r->failures += e != NULL;
	r->took_usec += took_usec;
	if (e) {
		free(r->error);
		r->error = mem_strdup(e->text);
	}
}

static void warn(void *ctx, const char *ns, const char *service, const char *reason,
		 const char *message)
{
	struct driver *r = ctx;

	free(r->warning);
	r->warning = str_fmt("%s/%s %s: %s", ns, service, reason, message);
}

static char **strings(struct json_object *array)
{
	char **v = NULL;

	for (size_t i = 0; array && i < json_object_array_length(array); i++)
		strv_push(&v, json_object_get_string(json_object_array_get_idx(array, i)));
	return v;
}

static void settings(struct driver *r, struct json_object *o)
{
	static const char *const modes[] = { "cluster", "node", "bridge", "prefix", "none" };
	static const struct dataplane_ops ops = { .synced = synced, .warn = warn };
	struct json_object *v;
	struct err e;
	char **clusters = strings(json_member(o, "clusterCIDRs", json_type_array));
	char **ports = strings(json_member(o, "nodePortAddresses", json_type_array));
	struct dataplane_settings s = { .node_name = str_or(json_string(o, "node"), "n1"),
					.local_interface = json_string(o, "interface"),
					.cluster_cidrs = clusters,
					.node_port_addresses = ports,
					.masquerade_bit = 14,
					.min_sync_usec = 20 * USEC_PER_MSEC,
					.sync_usec = USEC_PER_SEC };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (str_eq(json_string(o, "local"), modes[i]))
			s.local = i;
	}
	s.masquerade_all = json_object_object_get_ex(o, "masqueradeAll", &v);
	if (json_object_object_get_ex(o, "minSyncUsec", &v))
		s.min_sync_usec = json_object_get_int64(v);
	if (r->d ? dataplane_configure(r->d, &s, &e) < 0
		 : dataplane_new(r->loop, &s, &ops, r, &r->d, &e) < 0)
		die("settings", &e);
	strv_free(clusters);
	strv_free(ports);
}

static void *object(const ProtobufCMessageDescriptor *type, struct json_object *o)
{
	void *msg = NULL;
	struct err e;

	if (codec_from_json(type, o, NULL, &msg, &e) < 0)
		die("object", &e);
	return msg;
}

static void remove_object(struct driver *r, const char *key, bool slice)
{
	AUTO_FREE char *ns = mem_strndup(key, strcspn(key, "/"));
	const char *name = key + strcspn(key, "/") + 1;

	if (slice)
		dataplane_remove_slice(r->d, ns, name);
	else
		dataplane_remove_service(r->d, ns, name);
}

static void say_status(struct driver *r)
{
	struct json_object *o = json_object_new_object();
	struct dataplane_status s;
	struct rusage usage;

	dataplane_status(r->d, &s);
	getrusage(RUSAGE_SELF, &usage);
	json_object_object_add(o, "services", json_object_new_int64((int64_t)s.services));
	json_object_object_add(o, "endpoints", json_object_new_int64((int64_t)s.endpoints));
	for (int f = 0; f < DATAPLANE_FAMILIES; f++) {
		struct json_object *x = json_object_new_array();

		json_object_array_add(
		    x, json_object_new_int64((int64_t)s.family[f].no_local_endpoints[0]));
		json_object_array_add(
		    x, json_object_new_int64((int64_t)s.family[f].no_local_endpoints[1]));
		json_object_array_add(
		    x, json_object_new_int64((int64_t)s.family[f].conntrack_deleted));
		json_object_object_add(o, f ? "v6" : "v4", x);
	}
	json_object_object_add(o, "maxrss_kb", json_object_new_int64(usage.ru_maxrss));
	say(o);
}

static void say_explain(struct driver *r, const char *text)
{
	char address[64] = "", protocol[16] = "";
	struct json_object *o = json_object_new_object();
	AUTO_STR out = { 0 };
	unsigned port = 0;
	struct err e;

	sscanf(text, "%63s %u %15s", address, &port, protocol);
	if (dataplane_explain(r->d, address, (uint16_t)port, protocol, &out, &e) < 0)
		json_object_object_add(o, "error", json_object_new_string(e.text));
	else
		json_object_object_add(o, "text", json_object_new_string(str_text(&out)));
	say(o);
}

/* Services 10.96.0.0 + i with so many endpoints each, made here: JSON would cost more than the
 * thing that is measured. */
static void flood(struct driver *r, const char *text)
{
	unsigned services = 0, endpoints = 0;

	sscanf(text, "%u %u", &services, &endpoints);
	for (unsigned i = 0; i < services; i++) {
		AUTO_FREE char *svc =
		    str_fmt("{\"metadata\":{\"namespace\":\"flood\",\"name\":\"s%u\"},\"spec\":{"
			    "\"clusterIP\":\"10.%u.%u.%u\",\"type\":\"ClusterIP\",\"ports\":[{"
			    "\"port\":80,\"protocol\":\"TCP\"}]}}",
			    i, 96 + (i >> 16), i >> 8 & 255, i & 255);
		AUTO_STR slice = { 0 };
		struct json_object *tree;
		AUTO_PROTO void *s = NULL;
		AUTO_PROTO void *l = NULL;

		str_printf(&slice,
			   "{\"metadata\":{\"namespace\":\"flood\",\"name\":\"s%u-x\",\"labels\":{"
			   "\"kubernetes.io/service-name\":\"s%u\"}},\"addressType\":\"IPv4\","
			   "\"ports\":[{\"name\":\"\",\"port\":8080,\"protocol\":\"TCP\"}],"
			   "\"endpoints\":[",
			   i, i);
		for (unsigned j = 0; j < endpoints; j++) {
			unsigned a = i * endpoints + j;

			str_printf(&slice, "%s{\"addresses\":[\"10.%u.%u.%u\"]}", j ? "," : "",
				   128 + (a >> 16), a >> 8 & 255, a & 255);
		}
		str_append(&slice, "]}");
		tree = json_tokener_parse(svc);
		s = object(&core__service__descriptor, tree);
		json_object_put(tree);
		tree = json_tokener_parse(str_text(&slice));
		l = object(&discovery__endpoint_slice__descriptor, tree);
		json_object_put(tree);
		dataplane_put_service(r->d, s);
		dataplane_put_slice(r->d, l);
	}
}

static void put_object(struct driver *r, const char *key, struct json_object *v)
{
	AUTO_PROTO void *msg = NULL;

	if (str_eq(key, "service")) {
		msg = object(&core__service__descriptor, v);
		dataplane_put_service(r->d, msg);
	} else if (str_eq(key, "slice")) {
		msg = object(&discovery__endpoint_slice__descriptor, v);
		dataplane_put_slice(r->d, msg);
	} else {
		msg = object(&core__node__descriptor, v);
		dataplane_put_node(r->d, msg);
	}
}

static void command(struct driver *r, const char *key, struct json_object *v)
{
	if (str_eq(key, "settings")) {
		settings(r, v);
	} else if (str_eq(key, "service") || str_eq(key, "slice") || str_eq(key, "node")) {
		put_object(r, key, v);
	} else if (str_eq(key, "cidrs")) {
		char **list = strings(v);

		dataplane_set_service_cidrs(r->d, list);
		strv_free(list);
	} else if (str_eq(key, "remove-service") || str_eq(key, "remove-slice")) {
		remove_object(r, json_object_get_string(v), str_eq(key, "remove-slice"));
	} else if (str_eq(key, "start")) {
		dataplane_start(r->d);
	} else if (str_eq(key, "resync")) {
		dataplane_resync(r->d);
	} else if (str_eq(key, "wait")) {
		r->waiting = true;
	} else if (str_eq(key, "status")) {
		say_status(r);
	} else if (str_eq(key, "explain")) {
		say_explain(r, json_object_get_string(v));
	} else if (str_eq(key, "flood")) {
		flood(r, json_object_get_string(v));
	} else {
		fprintf(stderr, "dataplane-driver: unknown command %s\n", key);
		exit(1);
	}
}

static void line(struct driver *r, const char *text)
{
	struct json_object *o;
	struct err e;

	if (json_parse(text, strlen(text), &o, &e) < 0)
		die(text, &e);
	json_object_object_foreach(o, key, v) command(r, key, v);
	json_object_put(o);
}

static int on_input(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct driver *r = ctx;
	char buf[65536];
	ssize_t n = read(fd, buf, sizeof(buf));
	char *end;

	(void)s;
	(void)revents;
	if (n <= 0)
		return sd_event_exit(r->loop, 0);
	str_append_n(&r->input, buf, (size_t)n);
	while (r->input.len && (end = memchr(r->input.p, '\n', r->input.len))) {
		size_t len = (size_t)(end - r->input.p) + 1;

		*end = 0;
		line(r, r->input.p);
		memmove(r->input.p, r->input.p + len, r->input.len - len + 1);
		r->input.len -= len;
	}
	return 0;
}

static int before_sleep(sd_event_source *s, void *ctx)
{
	(void)s;
	check_wait(ctx);
	return 0;
}

int main(int argc, char **argv)
{
	struct driver r = { 0 };
	struct err e;

	if (argc > 1 && str_eq(argv[1], "--cleanup")) {
		if (dataplane_cleanup(&e) < 0)
			die("cleanup", &e);
		return 0;
	}
	log_init("dataplane-driver", argc > 1 ? 2 : 0);
	if (sd_event_new(&r.loop) < 0 ||
	    sd_event_add_io(r.loop, NULL, STDIN_FILENO, EPOLLIN, on_input, &r) < 0 ||
	    sd_event_add_post(r.loop, NULL, before_sleep, &r) < 0)
		return 1;
	sd_event_loop(r.loop);
	dataplane_free(r.d);
	str_fini(&r.input);
	free(r.warning);
	free(r.error);
	sd_event_unref(r.loop);
	return 0;
}
