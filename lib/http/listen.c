/* Listening sockets (contract in http/listen.h). Effect. */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"

enum { CONNECTIONS_MAX = 1024, ACCEPTS_PER_DISPATCH = 16, PAUSE_MSEC = 1000 };

struct listener {
	struct listener_setup setup; /* address is not kept */
	int fd;
	sd_event_source *io, *pause;
	VEC(struct conn *) conns;
};

static void on_request(void *ctx, struct conn *c)
{
	struct listener *l = ctx;

	l->setup.request(l->setup.ctx, c);
}

static void on_closed(void *ctx, struct conn *c)
{
	struct listener *l = ctx;

	for (size_t i = 0; i < l->conns.n; i++)
		if (l->conns.v[i] == c) {
			vec_remove(&l->conns, i);
			return;
		}
}

/* Connections that prove nothing or just sit there must not keep others out. */
static bool make_room(struct listener *l)
{
	struct conn *spare = NULL;

	for (size_t i = l->conns.n; i-- > 0;) {
		struct conn *c = l->conns.v[i];

		if (conn_shaking_hands(c) ||
		    (!conn_handling(c) && !(spare && conn_shaking_hands(spare))))
			spare = c;
	}
	conn_free(spare);
	return spare;
}

static void accept_one(struct listener *l, int fd)
{
	struct conn_setup setup = { .loop = l->setup.loop,
				    .fd = fd,
				    .request = on_request,
				    .closed = on_closed,
				    .ctx = l };
	struct conn *c;
	struct err e;

	if (l->conns.n >= l->setup.connections_max && !make_room(l)) {
		log_warning("more than %zu connections, one is turned away",
			    l->setup.connections_max);
		close(fd);
		return;
	}
	if (l->setup.accept_tls) {
		setup.ssl = l->setup.accept_tls(l->setup.ctx, &e);
		if (!setup.ssl) {
			log_err(&e, "connection");
			close(fd);
			return;
		}
	}
	if (conn_new(&setup, &c, &e) < 0)
		log_err(&e, "connection");
	else
		vec_push(&l->conns, c);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct listener *l = userdata;

	(void)source;
	(void)usec;
	return sd_event_source_set_enabled(l->io, SD_EVENT_ON);
}

/* The newcomer stays in the queue: a loop that kept trying would do nothing else. */
static void pause_accepting(struct listener *l)
{
	sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
	sd_event_source_set_time_relative(l->pause, PAUSE_MSEC * (uint64_t)USEC_PER_MSEC);
	sd_event_source_set_enabled(l->pause, SD_EVENT_ONESHOT);
}

/* true: another try may go better */
static bool survive(struct listener *l, int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
		return true;
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
		if (make_room(l))
			return true;
		break;
	default:
		break;
	}
	log_warning("connections wait: %s", strerror(error));
	pause_accepting(l);
	return false;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct listener *l = userdata;

	(void)source;
	(void)revents;
	for (int i = 0; i < ACCEPTS_PER_DISPATCH; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client >= 0)
			accept_one(l, client);
		else if (!survive(l, errno))
			break;
	}
	return 0;
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static int parse_address(const char *text, uint16_t port, union address *a, socklen_t *len,
			 struct err *e)
{
	a->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	*len = sizeof(a->in);
	if (inet_pton(AF_INET, text, &a->in.sin_addr) == 1)
		return 0;
	a->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	*len = sizeof(a->in6);
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1)
		return 0;
	return err_set(e, ERR_INVALID, "listen address \"%s\" is not an IP address", text);
}

static int start(struct listener *l, struct err *e)
{
	union address a;
	socklen_t len;
	int one = 1, rc;

	if (parse_address(l->setup.address, l->setup.port, &a, &len, e) < 0)
		return -1;
	l->fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return err_os(e, errno, "socket");
	/* a restart must not wait for old connections to fade */
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (l->setup.v6_only && a.sa.sa_family == AF_INET6)
		setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(l->fd, &a.sa, len) < 0 || listen(l->fd, SOMAXCONN) < 0)
		return err_os(e, errno, "listen on %s port %u", l->setup.address, l->setup.port);
	rc = sd_event_add_time(l->setup.loop, &l->pause, CLOCK_MONOTONIC, 0, USEC_PER_MSEC,
			       on_pause_over, l);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(l->pause, SD_EVENT_OFF);
	if (rc >= 0)
		rc = sd_event_add_io(l->setup.loop, &l->io, l->fd, EPOLLIN, on_accept, l);
	return rc < 0 ? err_os(e, -rc, "event loop") : 0;
}

int listener_new(const struct listener_setup *setup, struct listener **ret, struct err *e)
{
	struct listener *l = NEW(struct listener);

	l->setup = *setup;
	l->fd = -1;
	if (!l->setup.connections_max)
		l->setup.connections_max = CONNECTIONS_MAX;
	if (start(l, e) < 0) {
		listener_free(l);
		return -1;
	}
	l->setup.address = NULL;
	*ret = l;
	return 0;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	while (l->conns.n)
		conn_free(l->conns.v[0]);
	vec_fini(&l->conns);
	sd_event_source_disable_unref(l->io);
	sd_event_source_disable_unref(l->pause);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

uint16_t listener_port(const struct listener *l)
{
	union address a = { 0 };
	socklen_t len = sizeof(a);

	if (!l || getsockname(l->fd, &a.sa, &len) < 0)
		return 0;
	return ntohs(a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}
