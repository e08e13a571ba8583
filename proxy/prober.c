/* Probes of links (contract in prober.h). Effect. */
#include "prober.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

enum {
	/* where proxies serve their health: whether it is open makes no difference */
	PORT = 10256,
	WAIT_USEC = USEC_PER_SEC,
	FIRST_RETRY_USEC = USEC_PER_SEC,
	AGAIN_USEC = 60 * USEC_PER_SEC, /* also the longest pause between tries that fail */
	FAILURES = 3,                   /* in a row: it is proven no more */
	AT_ONCE = 64
};

struct probe {
	struct prober *prober;
	struct addr to;
	int fd; /* -1: none under way */
	sd_event_source *io;
	int64_t due_usec; /* of the next try, or of this one's end */
	unsigned failures;
	bool tried, proven;
};

struct prober {
	sd_event *loop;
	sd_event_source *timer;
	struct addr source[2]; /* IPv4, IPv6 */
	void (*changed)(void *ctx);
	void *ctx;
	VEC(struct probe *) probes; /* sorted by address */
	size_t under_way;
};

static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3;
	return h ^ h >> 32;
}

/* 169.254.64.0/18 is clear of what clouds and DNS caches use. */
struct prefix prober_range(bool v6)
{
	static const struct prefix four = { .addr = { .len = 4, .b = { 169, 254, 64 } },
					    .bits = 18 };
	static const struct prefix six = {
		.addr = { .len = 16, .b = { 0xfd, 0x4b, 0x6b, 0x65, 0x65, 0x6c, 0x73, 0x6f } },
		.bits = 64
	};

	return v6 ? six : four;
}

struct addr prober_source(const char *node_name, bool v6)
{
	struct addr a = prober_range(v6).addr;
	uint64_t h = hash(node_name);

	if (v6) {
		memcpy(a.b + 8, &h, sizeof(h));
	} else {
		a.b[2] |= (uint8_t)(h >> 8 & 0x3f);
		a.b[3] = (uint8_t)h;
	}
	return a;
}

/* --- one try --- */

static socklen_t to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (void *)ret;
	struct sockaddr_in6 *six = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = (sa_family_t)addr_af(a);
	if (a->len == 4) {
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, a->b, 4);
		return sizeof(*four);
	}
	six->sin6_port = htons(port);
	memcpy(&six->sin6_addr, a->b, 16);
	return sizeof(*six);
}

static void arm(struct prober *p);

static void stop(struct probe *b)
{
	const struct linger reset = { .l_onoff = 1 };

	if (b->fd < 0)
		return;
	b->io = sd_event_source_disable_unref(b->io);
	setsockopt(b->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(b->fd);
	b->fd = -1;
	b->prober->under_way--;
}

/* Retries come fast at first; one lost packet proves nothing. */
static void end(struct probe *b, bool answered)
{
	bool was_tried = b->tried, was_proven = b->proven;
	int64_t pause = FIRST_RETRY_USEC;

	stop(b);
	b->failures = answered ? 0 : b->failures + 1;
	b->tried = true;
	if (answered)
		b->proven = true;
	else if (b->failures >= FAILURES)
		b->proven = false;
	for (unsigned i = 1; i < b->failures && pause < AGAIN_USEC; i++)
		pause *= 2;
	b->due_usec = clock_mono_usec() + (answered || pause > AGAIN_USEC ? AGAIN_USEC : pause);
	if (!was_tried || was_proven != b->proven || b->failures == FAILURES)
		b->prober->changed(b->prober->ctx);
}

/* A refusal is an answer as well. */
static bool is_answer(int error)
{
	return error == 0 || error == ECONNREFUSED;
}

static int on_connected(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct probe *b = userdata;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)s;
	(void)revents;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	end(b, is_answer(error));
	arm(b->prober);
	return 0;
}

/* errno */
static int connect_from(int fd, const struct addr *source, const struct addr *to)
{
	struct sockaddr_storage from, at;
	socklen_t from_len = to_sockaddr(source, 0, &from), at_len = to_sockaddr(to, PORT, &at);
	int on = 1;

	/* an IPv6 socket asks devices for the address, not routes */
	if (source->len == 16 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) < 0)
		return errno;
	if (bind(fd, (struct sockaddr *)&from, from_len) < 0 ||
	    connect(fd, (struct sockaddr *)&at, at_len) < 0)
		return errno;
	return 0;
}

static void begin(struct probe *b)
{
	int error;

	b->fd = socket(addr_af(&b->to), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (b->fd < 0) {
		b->due_usec = clock_mono_usec() + FIRST_RETRY_USEC;
		return;
	}
	b->prober->under_way++;
	error = connect_from(b->fd, &b->prober->source[b->to.len == 16], &b->to);
	b->due_usec = clock_mono_usec() + WAIT_USEC;
	if (error != EINPROGRESS ||
	    sd_event_add_io(b->prober->loop, &b->io, b->fd, EPOLLOUT, on_connected, b) < 0)
		end(b, error == 0);
}

/* --- all of them --- */

static void end_overdue(struct prober *p, int64_t now)
{
	for (size_t i = 0; i < p->probes.n; i++) {
		if (p->probes.v[i]->fd >= 0 && p->probes.v[i]->due_usec <= now)
			end(p->probes.v[i], false);
	}
}

static void begin_due(struct prober *p, bool tried, int64_t now)
{
	for (size_t i = 0; i < p->probes.n && p->under_way < AT_ONCE; i++) {
		struct probe *b = p->probes.v[i];

		if (b->fd < 0 && b->tried == tried && b->due_usec <= now)
			begin(b);
	}
}

/* Whoever was never asked comes before those that do not answer. */
static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct prober *p = userdata;
	int64_t now = clock_mono_usec();

	(void)s;
	(void)usec;
	end_overdue(p, now);
	begin_due(p, false, now);
	begin_due(p, true, now);
	arm(p);
	return 0;
}

/* Who waits for a place is due, too: whoever ends arms again. */
static void arm(struct prober *p)
{
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < p->probes.n; i++) {
		const struct probe *b = p->probes.v[i];

		if (b->due_usec < at && (b->fd >= 0 || p->under_way < AT_ONCE))
			at = b->due_usec;
	}
	if (at == INT64_MAX) {
		sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(p->timer, (uint64_t)at);
	sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

int prober_new(sd_event *loop, const char *node_name, void (*changed)(void *ctx), void *ctx,
	       struct prober **ret, struct err *e)
{
	CLEANUP(prober_freep) struct prober *p = NEW(struct prober);
	int r;

	p->loop = loop;
	p->changed = changed;
	p->ctx = ctx;
	p->source[0] = prober_source(node_name, false);
	p->source[1] = prober_source(node_name, true);
	r = sd_event_add_time_relative(loop, &p->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC,
				       on_timer, p);
	if (r < 0)
		return err_os(e, -r, "probes");
	sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
	*ret = TAKE(p);
	return 0;
}

static void free_probe(struct probe *b)
{
	stop(b);
	free(b);
}

void prober_free(struct prober *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->probes.n; i++)
		free_probe(p->probes.v[i]);
	vec_fini(&p->probes);
	sd_event_source_disable_unref(p->timer);
	free(p);
}

static struct probe *find(const struct prober *p, const struct addr *a)
{
	size_t low = 0, high = p->probes.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = addr_cmp(&p->probes.v[middle]->to, a);

		if (!order)
			return p->probes.v[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static struct probe *new_probe(struct prober *p, const struct addr *a)
{
	struct probe *b = NEW(struct probe);

	b->prober = p;
	b->to = *a;
	b->fd = -1;
	return b;
}

void prober_want(struct prober *p, const struct addr *addrs, size_t n)
{
	VEC(struct probe *) kept = { 0 };
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		struct probe *b = find(p, &addrs[i]);

		if (!b)
			b = new_probe(p, &addrs[i]);
		vec_push(&kept, b);
	}
	/* both sorted: what stands in the old list only goes */
	for (size_t i = 0; i < p->probes.n; i++) {
		while (k < kept.n && addr_cmp(&kept.v[k]->to, &p->probes.v[i]->to) < 0)
			k++;
		if (k == kept.n || kept.v[k] != p->probes.v[i])
			free_probe(p->probes.v[i]);
	}
	p->probes.n = 0;
	for (size_t i = 0; i < kept.n; i++)
		vec_push(&p->probes, kept.v[i]);
	vec_fini(&kept);
	arm(p);
}

enum peers_proof prober_proof(const struct prober *p, const struct addr *a)
{
	const struct probe *b = find(p, a);

	if (!b || (!b->proven && b->failures < FAILURES))
		return PEERS_UNPROVEN;
	return b->proven ? PEERS_PROVEN : PEERS_REFUTED;
}

bool prober_busy(const struct prober *p)
{
	for (size_t i = 0; i < p->probes.n; i++) {
		if (!p->probes.v[i]->tried)
			return true;
	}
	return false;
}
