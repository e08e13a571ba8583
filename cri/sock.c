/* Addresses and sockets of gRPC peers (contract in sock.h). Effect. */
#include "sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

union address {
	struct sockaddr sa;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static int parse_tcp(const char *text, union address *a, socklen_t *ret_len, struct err *e)
{
	const char *colon = strrchr(text, ':');
	AUTO_FREE char *host = colon ? mem_strndup(text, (size_t)(colon - text)) : NULL;
	int64_t port = 0;
	size_t n = host ? strlen(host) : 0;

	if (!colon || !str_to_i64(colon + 1, &port) || port < 1 || port > 65535)
		return err_set(e, ERR_INVALID, "%s: no port", text);
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		a->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						.sin6_port = htons((uint16_t)port) };
		*ret_len = sizeof(a->in6);
		if (inet_pton(AF_INET6, host + 1, &a->in6.sin6_addr) == 1)
			return 0;
	} else {
		a->in = (struct sockaddr_in){ .sin_family = AF_INET,
					      .sin_port = htons((uint16_t)port) };
		*ret_len = sizeof(a->in);
		if (inet_pton(AF_INET, host, &a->in.sin_addr) == 1)
			return 0;
	}
	return err_set(e, ERR_INVALID, "%s: not a numeric address", text);
}

static int parse_address(const char *text, union address *a, socklen_t *ret_len, struct err *e)
{
	const char *path = str_starts(text, "unix://") ? text + 7
			   : str_starts(text, "unix:") ? text + 5
						       : text;

	if (str_starts(text, "tcp://"))
		return parse_tcp(text + 6, a, ret_len, e);
	if (path[0] != '/')
		return err_set(e, ERR_INVALID, "endpoint \"%s\" is not unix:///PATH", text);
	if (strlen(path) >= sizeof(a->un.sun_path))
		return err_set(e, ERR_INVALID, "socket path \"%s\" is longer than %zu bytes", path,
			       sizeof(a->un.sun_path) - 1);
	a->un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(a->un.sun_path, path, strlen(path) + 1);
	*ret_len = sizeof(a->un);
	return 0;
}

int sock_connect(const char *address, bool *ret_connecting, struct err *e)
{
	union address a;
	socklen_t len;
	int fd;

	if (parse_address(address, &a, &len, e) < 0)
		return -1;
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_os(e, errno, "socket");
	*ret_connecting = false;
	if (connect(fd, &a.sa, len) < 0) {
		if (errno != EINPROGRESS) {
			err_os(e, errno, "connect %s", address);
			close(fd);
			return -1;
		}
		*ret_connecting = true;
	}
	return fd;
}

int sock_check(const char *address, struct err *e)
{
	union address a;
	socklen_t len;

	return parse_address(address, &a, &len, e);
}

static int remove_stale(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_os(e, errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_EXISTS, "%s exists and is not a socket", path);
	return unlink(path) < 0 ? err_os(e, errno, "unlink %s", path) : 0;
}

int sock_listen(const char *path, mode_t mode, struct err *e)
{
	union address a;
	socklen_t len;
	int fd;

	if (parse_address(path, &a, &len, e) < 0)
		return -1;
	if (a.sa.sa_family != AF_UNIX)
		return err_set(e, ERR_INVALID, "%s: only unix sockets are served", path);
	if (remove_stale(a.un.sun_path, e) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_os(e, errno, "socket");
	if (bind(fd, &a.sa, len) < 0 || chmod(a.un.sun_path, mode) < 0 ||
	    listen(fd, SOMAXCONN) < 0) {
		err_os(e, errno, "listen on %s", a.un.sun_path);
		close(fd);
		return -1;
	}
	return fd;
}
