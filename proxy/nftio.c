/* The netlink socket to nf_tables (contract in nftio.h). Effect. */
#include "nftio.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "nftsets.h"

enum {
	BUFFER_SIZE = 65536,
	LARGE_BATCH = 262144,
	RECEIVE_SIZE = 4 << 20,
	DUMP_TRIES = 5,
	ANSWER_MSEC = 5000
};

struct nftio {
	struct mnl_socket *nl, *watch;
	sd_event_source *source;
	void (*foreign)(void *ctx);
	void *ctx;
	uint32_t seq;
	bool lenient; /* others' tables may change while one is read */
	uint8_t *buffer;
};

static int open_socket(struct mnl_socket **ret, unsigned groups, struct err *e)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int on = 1, size = RECEIVE_SIZE;

	if (!nl)
		return err_os(e, errno, "netlink socket to netfilter");
	if (mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) < 0) {
		err_os(e, errno, "bind the netlink socket to netfilter");
		mnl_socket_close(nl);
		return -1;
	}
	/* niceties: what the kernel refuses of them only costs detail of errors */
	mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	*ret = nl;
	return 0;
}

/* Only messages about our table that are not of our own making come through. The table's name is
 * the first attribute of each of them. */
static int attach_filter(const struct nftio *io, struct err *e)
{
	uint32_t name[2];
	enum { PID = offsetof(struct nlmsghdr, nlmsg_pid), NAME = 16 + 4 + 4 };

	memcpy(name, NFT_TABLE, sizeof(name));
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PID),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(mnl_socket_get_portid(io->nl)), 5, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NAME),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(name[0]), 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NAME + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(name[1]), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(code), .filter = code };

	_Static_assert(sizeof(NFT_TABLE) == 8, "the filter compares two words");
	if (setsockopt(mnl_socket_get_fd(io->watch), SOL_SOCKET, SO_ATTACH_FILTER, &prog,
		       sizeof(prog)) < 0)
		return err_os(e, errno, "filter on the netlink socket");
	return 0;
}

static int watch_readable(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct nftio *io = ctx;
	bool some = false;

	(void)s;
	(void)revents;
	for (;;) {
		ssize_t n = recv(fd, io->buffer, BUFFER_SIZE, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		some = true;
		if (n < 0 && errno != ENOBUFS)
			break;
	}
	if (some)
		io->foreign(io->ctx);
	return 0;
}

void nftio_free(struct nftio *io)
{
	if (!io)
		return;
	sd_event_source_unref(io->source);
	if (io->watch)
		mnl_socket_close(io->watch);
	if (io->nl)
		mnl_socket_close(io->nl);
	free(io->buffer);
	free(io);
}
DEFINE_FREEP(nftio_free, struct nftio)

int nftio_new(sd_event *loop, void (*foreign)(void *ctx), void *ctx, struct nftio **ret,
	      struct err *e)
{
	CLEANUP(nftio_freep) struct nftio *io = NEW(struct nftio);
	int r;

	io->foreign = foreign;
	io->ctx = ctx;
	io->buffer = mem_calloc(BUFFER_SIZE, 1);
	if (open_socket(&io->nl, 0, e) < 0)
		return -1;
	if (loop) {
		if (open_socket(&io->watch, 0, e) < 0 || attach_filter(io, e) < 0)
			return -1;
		r = NFNLGRP_NFTABLES;
		if (mnl_socket_setsockopt(io->watch, NETLINK_ADD_MEMBERSHIP, &r, sizeof(r)) < 0)
			return err_os(e, errno, "join the group of nftables changes");
		r = sd_event_add_io(loop, &io->source, mnl_socket_get_fd(io->watch), EPOLLIN,
				    watch_readable, io);
		if (r < 0)
			return err_os(e, -r, "watch the netlink socket");
	}
	*ret = TAKE(io);
	return 0;
}

uint32_t nftio_seq(const struct nftio *io)
{
	return io->seq;
}

/* Receiving */

/* > 0: bytes in the buffer, 0: nothing there */
static ssize_t receive(struct nftio *io, struct err *e)
{
	ssize_t n;

	do {
		n = recv(mnl_socket_get_fd(io->nl), io->buffer, BUFFER_SIZE, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return err_os(e, errno, "answer of netfilter");
	return n;
}

struct refusal {
	int error; /* errno, 0: none */
	uint32_t seq;
	size_t offset;
	char text[200];
};

/* What an error message says, the kernel's sentence and place included. */
static void read_error(const struct nlmsghdr *h, struct refusal *ret)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	size_t skip = sizeof(*err);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*err)) || !err->error || ret->error)
		return;
	*ret = (struct refusal){ .error = -err->error, .seq = err->msg.nlmsg_seq };
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && err->msg.nlmsg_len > sizeof(err->msg))
		skip += err->msg.nlmsg_len - sizeof(err->msg);
	mnl_attr_for_each(attr, h, skip)
	{
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS &&
		    mnl_attr_get_payload_len(attr) == 4)
			ret->offset = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			snprintf(ret->text, sizeof(ret->text), ": %.*s",
				 (int)mnl_attr_get_payload_len(attr), mnl_attr_get_str(attr));
	}
}

/* Transactions */

static int send_batch(struct nftio *io, const struct nftbatch *b, struct err *e)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec iov = { .iov_base = b->p, .iov_len = b->len };
	struct msghdr m = {
		.msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = &iov, .msg_iovlen = 1
	};
	int fd = mnl_socket_get_fd(io->nl), size = (int)(b->len + b->len / 4 + BUFFER_SIZE);
	ssize_t n;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	do {
		n = sendmsg(fd, &m, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? err_os(e, errno, "nftables transaction of %zu bytes", b->len) : 0;
}

static int commit_batch(struct nftio *io, const struct nftbatch *b, struct err *e)
{
	struct refusal refusal = { 0 };
	AUTO_STR what = { 0 };
	ssize_t n;

	io->seq = b->seq;
	if (send_batch(io, b, e) < 0)
		return -1;
	while ((n = receive(io, e)) > 0) {
		const struct nlmsghdr *h = (const void *)io->buffer;

		for (int left = (int)n; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_type == NLMSG_ERROR)
				read_error(h, &refusal);
		}
	}
	if (n < 0)
		return -1;
	if (!refusal.error)
		return 0;
	nftbatch_explain(b, refusal.seq, refusal.offset, &what);
	return err_os(e, refusal.error, "nftables refuses %s%s", str_text(&what), refusal.text);
}

/* Requests */

static int await(struct nftio *io, struct err *e)
{
	struct pollfd p = { .fd = mnl_socket_get_fd(io->nl), .events = POLLIN };
	int r = poll(&p, 1, ANSWER_MSEC);

	if (r < 0 && errno != EINTR)
		return err_os(e, errno, "wait for netfilter");
	return r == 0 ? err_set(e, ERR_TIMEOUT, "netfilter does not answer") : 0;
}

struct answer {
	uint32_t seq;
	bool lenient;
	nftio_fn *fn;
	void *ctx;
	bool failed; /* told in err; the rest is drained, or the next request would be refused */
	bool done;
	struct err err;
};

static void answer_fail(struct answer *a, const struct err *e)
{
	if (!a->failed)
		a->err = *e;
	a->failed = true;
}

/* The last message of an answer: an error, or the end of a dump, that carries one too. */
static void answer_end(struct answer *a, const struct nlmsghdr *h)
{
	struct refusal refusal = { 0 };
	int error = 0;
	struct err e;

	a->done = true;
	if (h->nlmsg_type == NLMSG_ERROR)
		read_error(h, &refusal);
	else if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
		memcpy(&error, mnl_nlmsg_get_payload(h), sizeof(error));
	if (error < 0)
		refusal.error = -error;
	if (!refusal.error)
		return;
	err_os(&e, refusal.error, "netfilter refuses%s", refusal.text);
	answer_fail(a, &e);
}

static void take(struct answer *a, const struct nlmsghdr *h)
{
	struct err e;

	if (h->nlmsg_seq != a->seq)
		return;
	if ((h->nlmsg_flags & NLM_F_DUMP_INTR) && !a->lenient) {
		err_set(&e, ERR_CONFLICT, "changed while it was read");
		answer_fail(a, &e);
	}
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
		answer_end(a, h);
	else if (!a->failed && a->fn && a->fn(a->ctx, h, NLMSG_ALIGN((size_t)h->nlmsg_len), &e) < 0)
		answer_fail(a, &e);
}

int nftio_request(struct nftio *io, struct nlmsghdr *request, nftio_fn *fn, void *ctx,
		  struct err *e)
{
	struct answer a = { .seq = ++io->seq, .lenient = io->lenient, .fn = fn, .ctx = ctx };

	request->nlmsg_seq = a.seq;
	if (mnl_socket_sendto(io->nl, request, request->nlmsg_len) < 0)
		return err_os(e, errno, "request to netfilter");
	while (!a.done) {
		const struct nlmsghdr *h = (const void *)io->buffer;
		ssize_t n = receive(io, e);

		if (n < 0 || (n == 0 && await(io, e) < 0))
			return -1;
		for (int left = (int)n; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			take(&a, h);
	}
	if (a.failed && e)
		*e = a.err;
	return a.failed ? -1 : 0;
}

/* Dumps */

static int take_dumped(void *ctx, const struct nlmsghdr *h, size_t len, struct err *e)
{
	return nftparse_message(ctx, h, len, e);
}

static int dump_kind(struct nftio *io, struct nftdump *d, enum nf_tables_msg_types type,
		     const char *set, struct err *e)
{
	uint8_t space[256] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(space);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	g->nfgen_family = d->family == DATAPLANE_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	/* the table is attribute 1 of them all; of tables and chains the kernel dumps all anyway */
	if (type != NFT_MSG_GETTABLE && type != NFT_MSG_GETCHAIN)
		mnl_attr_put_strz(h, NFTA_RULE_TABLE, NFT_TABLE);
	if (set)
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	return nftio_request(io, h, take_dumped, d, e);
}

static int dump_once(struct nftio *io, bool elements, struct nftdump *d, struct err *e)
{
	if (dump_kind(io, d, NFT_MSG_GETTABLE, NULL, e) < 0)
		return err_wrap(e, "read tables");
	if (!d->table)
		return 0;
	if (dump_kind(io, d, NFT_MSG_GETCHAIN, NULL, e) < 0)
		return err_wrap(e, "read chains");
	if (dump_kind(io, d, NFT_MSG_GETSET, NULL, e) < 0)
		return err_wrap(e, "read sets");
	if (dump_kind(io, d, NFT_MSG_GETRULE, NULL, e) < 0)
		return err_wrap(e, "read rules");
	for (size_t i = 0; elements && i < d->sets.n; i++) {
		if (nftsets_is_memory(d->sets.v[i].name))
			continue;
		if (dump_kind(io, d, NFT_MSG_GETSETELEM, d->sets.v[i].name, e) < 0)
			return err_wrap(e, "read set %s", d->sets.v[i].name);
	}
	return 0;
}

static int take_generation(void *ctx, const struct nlmsghdr *h, size_t len, struct err *e)
{
	const struct nlattr *attr;
	uint32_t *generation = ctx;

	(void)len;
	(void)e;
	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_get_payload_len(attr) == 4)
			*generation = ntohl(mnl_attr_get_u32(attr));
	}
	return 0;
}

static int generation(struct nftio *io, uint32_t *ret, struct err *e)
{
	uint8_t space[64] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(space);

	mnl_nlmsg_put_extra_header(h, sizeof(struct nfgenmsg));
	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	return nftio_request(io, h, take_generation, ret, e);
}

/* Whether somebody else's change of our table waits to be heard. Who does not watch cannot know. */
static bool ours_changed(const struct nftio *io)
{
	struct pollfd p = { .events = POLLIN };

	if (!io->watch)
		return true;
	p.fd = mnl_socket_get_fd(io->watch);
	return poll(&p, 1, 0) != 0;
}

/* The kernel counts transactions on all tables alike: on a busy machine one of them always falls
 * into a long dump. From the second try on it is enough that none of them was on our table. */
int nftio_dump(struct nftio *io, bool elements, struct nftdump *ret, struct err *e)
{
	for (int i = 0; i < DUMP_TRIES; i++) {
		struct nftdump d = { .family = ret->family };
		uint32_t before = 0, after = 0;
		bool lenient = i && !ours_changed(io);
		int r;

		io->lenient = lenient;
		r = generation(io, &before, e);
		if (r == 0)
			r = dump_once(io, elements, &d, e);
		if (r == 0)
			r = generation(io, &after, e);
		io->lenient = false;
		if (r == 0 && (before == after || (lenient && !ours_changed(io)))) {
			*ret = d;
			return 0;
		}
		if (r == 0)
			err_set(e, ERR_CONFLICT, "rules changed while they were read");
		nftdump_fini(&d);
		if (e->code != ERR_CONFLICT && e->code != ERR_NOT_FOUND)
			return -1;
	}
	return -1;
}

/* Large transactions */

static void membership(const struct nftio *io, int option)
{
	int group = NFNLGRP_NFTABLES;

	mnl_socket_setsockopt(io->watch, option, &group, sizeof(group));
}

/* While anybody listens the kernel writes a message for every element: that doubles its work. So we
 * do not listen meanwhile, and count generations to see whether somebody else was at work. */
static int commit_unheard(struct nftio *io, const struct nftbatch *b, struct err *e)
{
	uint32_t before = 0, after = 0;
	int r;

	membership(io, NETLINK_DROP_MEMBERSHIP);
	r = generation(io, &before, e);
	if (r == 0)
		r = commit_batch(io, b, e);
	membership(io, NETLINK_ADD_MEMBERSHIP);
	if (generation(io, &after, NULL) < 0 || after != before + (r == 0))
		io->foreign(io->ctx);
	return r;
}

int nftio_commit(struct nftio *io, const struct nftbatch *b, struct err *e)
{
	if (io->watch && b->len > LARGE_BATCH)
		return commit_unheard(io, b, e);
	return commit_batch(io, b, e);
}
