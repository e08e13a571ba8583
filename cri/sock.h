/* Addresses and sockets of gRPC peers: unix:///PATH, /PATH, tcp://NUMERIC:PORT. Effect. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

int sock_check(const char *address, struct err *e);
/* Non-blocking. Returns the fd; *ret_connecting: the outcome comes with EPOLLOUT. */
int sock_connect(const char *address, bool *ret_connecting, struct err *e);
/* Unix sockets only; replaces a socket that is in the way. Returns the fd. */
int sock_listen(const char *path, mode_t mode, struct err *e);
