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

#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"

enum { CONNECTIONS_MAX = 1024, ACCEPTS_PER_DISPATCH = 16 };

struct listener {
	struct listener_setup setup; /* address is not kept */
	int fd;
	sd_event_source *io;
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

/* Connections that prove nothing must not keep others out: the oldest of them makes room. */
static bool make_room(struct listener *l)
{
	for (size_t i = 0; i < l->conns.n; i++)
		if (conn_shaking_hands(l->conns.v[i])) {
			conn_free(l->conns.v[i]);
			return true;
		}
	return false;
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

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct listener *l = userdata;

	(void)source;
	(void)revents;
	for (int i = 0; i < ACCEPTS_PER_DISPATCH; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client >= 0)
			accept_one(l, client);
		else if (errno != EINTR && errno != ECONNABORTED)
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
