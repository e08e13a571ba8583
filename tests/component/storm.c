/* Many short TCP connections: servers that say their name, clients that count who answered. For
 * storm.py.
 *
 *   storm serve NAME PORT                         answers each connection with NAME, for ever
 *   storm clients SECONDS RATE TO PORT FROM N     N clients with source addresses FROM, FROM+1, …;
 * together RATE connections a second
 *
 * Each client makes one connection at a time. A line for each failure and for each change of who
 * answers a client: MILLISECONDS CLIENT fail WHAT        MILLISECONDS CLIENT NAME and at the end
 * "total CONNECTIONS failures FAILURES". Milliseconds: CLOCK_MONOTONIC.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 1000,
	NAME_MAX_BYTES = 16,
	TIMEOUT_MSEC = 5000,
	BEHIND_MSEC = 1000,
	BACKLOG = 4096
};

struct client {
	struct sockaddr_in from;
	int fd; /* -1: waits */
	int64_t due_msec, start_msec;
	char name[NAME_MAX_BYTES];
};

static int64_t now_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int serve(const char *name, int port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, BACKLOG) < 0)
		return fail("serve");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			continue;
		if (write(c, name, strlen(name)) < 0)
			perror("write");
		/* the client closes first: its ports are not held by the server */
		shutdown(c, SHUT_WR);
		close(c);
	}
}

static uint64_t total, failures;

static void report(const struct client *c, const struct client *all, const char *what)
{
	printf("%lld %d %s\n", (long long)now_msec(), (int)(c - all), what);
}

static void end(struct client *c, const struct client *all, const char *wrong, int64_t gap_msec)
{
	const struct linger reset = { .l_onoff = 1 };

	if (wrong) {
		char text[64];

		failures++;
		snprintf(text, sizeof(text), "fail %s", wrong);
		report(c, all, text);
	}
	total++;
	/* no TIME_WAIT: a client would run out of ports */
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(c->fd);
	c->fd = -1;
	/* by the plan, not by when it was done: the rate is kept on a busy machine */
	c->due_msec += gap_msec;
	if (c->due_msec < now_msec() - BEHIND_MSEC)
		c->due_msec = now_msec();
}

static void start(struct client *c, const struct client *all, int poll_fd,
		  const struct sockaddr_in *to, int64_t gap_msec)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = c };
	int on = 1;

	c->start_msec = now_msec();
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&c->from, sizeof(c->from)) < 0 ||
	    (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
	     errno != EINPROGRESS) ||
	    epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		end(c, all, strerror(errno), gap_msec);
}

static void take(struct client *c, const struct client *all, int64_t gap_msec)
{
	char name[NAME_MAX_BYTES] = "";
	ssize_t n = recv(c->fd, name, sizeof(name) - 1, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end(c, all, n ? strerror(errno) : "closed", gap_msec);
		return;
	}
	if (strcmp(name, c->name)) {
		memcpy(c->name, name, sizeof(name));
		report(c, all, name);
	}
	end(c, all, NULL, gap_msec);
}

static int clients(char **argv)
{
	static struct client all[CLIENTS_MAX];
	int64_t stop = now_msec() + 1000 * atoll(argv[0]), gap;
	int n = atoi(argv[5]), rate = atoi(argv[1]), poll_fd = epoll_create1(0);
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(argv[3])) };
	struct in_addr from;

	if (n < 1 || n > CLIENTS_MAX || rate < 1 || !inet_aton(argv[2], &to.sin_addr) ||
	    !inet_aton(argv[4], &from))
		return 2;
	gap = 1000LL * n / rate;
	for (int i = 0; i < n; i++)
		all[i] = (struct client){ .from = { .sin_family = AF_INET,
						    .sin_addr.s_addr =
							htonl(ntohl(from.s_addr) + (uint32_t)i) },
					  .fd = -1,
					  .due_msec = now_msec() + gap * i / n };
	while (now_msec() < stop) {
		struct epoll_event ev[64];
		int ready = epoll_wait(poll_fd, ev, 64, 1);
		int64_t now = now_msec();

		for (int i = 0; i < ready; i++)
			take(ev[i].data.ptr, all, gap);
		for (int i = 0; i < n; i++) {
			if (all[i].fd >= 0 && now - all[i].start_msec > TIMEOUT_MSEC)
				end(&all[i], all, "timeout", gap);
			else if (all[i].fd < 0 && now >= all[i].due_msec)
				start(&all[i], all, poll_fd, &to, gap);
		}
	}
	printf("total %llu failures %llu\n", (unsigned long long)total,
	       (unsigned long long)failures);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], atoi(argv[3]));
	if (argc == 8 && !strcmp(argv[1], "clients"))
		return clients(argv + 2);
	fprintf(stderr, "usage: storm serve NAME PORT | clients SECONDS RATE TO PORT FROM N\n");
	return 2;
}
