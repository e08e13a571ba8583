/* Latency of connections and of requests on one connection, one at a time.
 *
 * usage: latency serve PORT                  answers each byte with a byte, both families
 *        latency connect ADDRESS PORT COUNT  COUNT times: connect, one byte there and back, close
 *        latency request ADDRESS PORT COUNT  one connection, COUNT bytes there and back
 * The clients print one line: "p50 p99 max failures", times in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, TIMEOUT_SEC = 5 };

static void fail(const char *what)
{
	fprintf(stderr, "latency: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* --- server --- */

static int listener(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), zero = 0, one = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1024) < 0)
		fail("listen");
	return fd;
}

static void add(int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		fail("epoll");
}

static void echo(int fd)
{
	char buf[512];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n <= 0 || write(fd, buf, (size_t)n) != n)
		close(fd);
}

static void serve(uint16_t port)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), door = listener(port);

	add(epoll, door);
	for (;;) {
		struct epoll_event ev[EVENTS];
		int n = epoll_wait(epoll, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (fd != door) {
				echo(fd);
				continue;
			}
			while ((fd = accept4(door, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
				no_delay(fd);
				add(epoll, fd);
			}
		}
	}
}

/* --- clients --- */

static double now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct target {
	struct sockaddr_storage addr;
	socklen_t len;
};

static struct target target_of(const char *address, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct target t = { 0 };

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
		t.len = sizeof(v4);
		memcpy(&t.addr, &v4, sizeof(v4));
	} else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
		t.len = sizeof(v6);
		memcpy(&t.addr, &v6, sizeof(v6));
	} else {
		fprintf(stderr, "latency: \"%s\" is no address\n", address);
		exit(2);
	}
	return t;
}

static int dial(const struct target *t)
{
	int fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = TIMEOUT_SEC };

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	no_delay(fd);
	if (connect(fd, (const struct sockaddr *)&t->addr, t->len) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool ping(int fd)
{
	char c = 'x';

	return write(fd, &c, 1) == 1 && read(fd, &c, 1) == 1;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(double *took, size_t n, size_t failures)
{
	if (n)
		qsort(took, n, sizeof(*took), by_size);
	printf("%.1f %.1f %.1f %zu\n", n ? took[n / 2] : 0,
	       n ? took[(size_t)((double)n * 0.99)] : 0, n ? took[n - 1] : 0, failures);
}

static int measure(const struct target *t, size_t count, bool connections)
{
	double *took = calloc(count, sizeof(*took));
	size_t n = 0, failures = 0;
	int fd = connections ? -1 : dial(t);

	if (!took || (!connections && fd < 0))
		fail("connect");
	for (size_t i = 0; i < count; i++) {
		double start = now_usec();

		if (connections)
			fd = dial(t);
		if (fd >= 0 && ping(fd))
			took[n++] = now_usec() - start;
		else
			failures++;
		if (connections && fd >= 0)
			close(fd);
	}
	if (!connections)
		close(fd);
	report(took, n, failures);
	free(took);
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct target t;

	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve((uint16_t)atoi(argv[2]));
	if (argc != 5 || (strcmp(argv[1], "connect") && strcmp(argv[1], "request"))) {
		fprintf(stderr,
			"usage: latency serve PORT | latency connect|request ADDRESS PORT COUNT\n");
		return 2;
	}
	t = target_of(argv[2], (uint16_t)atoi(argv[3]));
	return measure(&t, (size_t)atol(argv[4]), argv[1][0] == 'c');
}
