/* nf_tables in memory (contract in fake-nft.h). Pure. */
#include "fake-nft.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

typedef VEC(uint8_t *) messages;

struct nftio {
	enum dataplane_family family;
	messages frame;   /* table, sets, chains, rules, fixed maps: as they were sent */
	struct map elems; /* key text → struct nftelem */
	uint32_t seq;
	unsigned fail, commits, requests;
	size_t n_messages;
};

struct nftio *fake_nft_new(enum dataplane_family f)
{
	struct nftio *io = NEW(struct nftio);

	io->family = f;
	return io;
}

static void clear(struct nftio *io)
{
	void *value;

	for (size_t i = 0; i < io->frame.n; i++)
		free(io->frame.v[i]);
	vec_fini(&io->frame);
	for (size_t at = 0; map_next(&io->elems, &at, NULL, &value);)
		free(value);
	map_fini(&io->elems);
}

void fake_nft_free(struct nftio *io)
{
	clear(io);
	free(io);
}

void fake_nft_fail(struct nftio *io, unsigned commits)
{
	io->fail = commits;
}

void fake_nft_drop_table(struct nftio *io)
{
	clear(io);
}

unsigned fake_nft_commits(const struct nftio *io)
{
	return io->commits;
}

size_t fake_nft_messages(const struct nftio *io)
{
	return io->n_messages;
}

void fake_nft_list(const struct nftio *io, struct nftlist *ret)
{
	nftelems v = { 0 };
	void *value;

	for (size_t at = 0; map_next(&io->elems, &at, NULL, &value);)
		vec_push(&v, *(const struct nftelem *)value);
	nftlist_pack(&v, io->family, ret);
	vec_fini(&v);
}

void fake_nft_drop_element(struct nftio *io, size_t i)
{
	const char *key;
	void *value;

	i = io->elems.count ? i % io->elems.count : 0;
	for (size_t at = 0; map_next(&io->elems, &at, &key, &value);) {
		if (i--)
			continue;
		map_remove(&io->elems, key);
		free(value);
		return;
	}
}

static bool expires(const struct nftelem *e)
{
	return nftset_info(e->set)->fades;
}

void fake_nft_expire(struct nftio *io)
{
	const char *key;
	void *value;

	for (size_t at = 0; map_next(&io->elems, &at, &key, &value);) {
		if (!expires(value))
			continue;
		map_remove(&io->elems, key);
		free(value);
		at = 0;
	}
}

void fake_nft_drop_frame(struct nftio *io, size_t i)
{
	if (io->frame.n < 2)
		return;
	i = 1 + i % (io->frame.n - 1); /* the first is the table */
	free(io->frame.v[i]);
	vec_remove(&io->frame, i);
}

static void elem_text(const struct nftio *io, const struct nftelem *e, struct str *out)
{
	struct nftref r = { .set = e->set,
			    .key = e->key,
			    .data = e->data,
			    .key_len = nftset_key_len(e->set, io->family) };

	if (nftset_info(e->set)->ranges)
		r.data_len = nftset_data_len(e->set, io->family);
	nftref_print(&r, io->family, out);
}

static void keep(struct nftio *io, const struct nlmsghdr *h)
{
	vec_push(&io->frame, mem_dup(h, h->nlmsg_len));
}

static const char *string_attr(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == type)
			return mnl_attr_get_str(attr);
	}
	return "";
}

static bool has_frame(const struct nftio *io, unsigned kind, const char *name)
{
	for (size_t i = 0; i < io->frame.n; i++) {
		const struct nlmsghdr *h = (const void *)io->frame.v[i];

		if ((h->nlmsg_type & 0xff) == kind &&
		    (!name ||
		     !strcmp(string_attr(h, kind == NFT_MSG_NEWCHAIN ? NFTA_CHAIN_NAME : 2), name)))
			return true;
	}
	return false;
}

static void drop_rules(struct nftio *io, const char *chain)
{
	size_t kept = 0;

	for (size_t i = 0; i < io->frame.n; i++) {
		const struct nlmsghdr *h = (const void *)io->frame.v[i];

		if ((h->nlmsg_type & 0xff) == NFT_MSG_NEWRULE &&
		    !strcmp(string_attr(h, NFTA_RULE_CHAIN), chain))
			free(io->frame.v[i]);
		else
			io->frame.v[kept++] = io->frame.v[i];
	}
	io->frame.n = kept;
}

void fake_nft_flush_chain(struct nftio *io, const char *chain)
{
	drop_rules(io, chain);
}

unsigned fake_nft_requests(const struct nftio *io)
{
	return io->requests;
}

static int add_elements(struct nftio *io, const struct nlmsghdr *h, struct err *e)
{
	struct nftdump d = { .family = io->family };
	int r = nftparse_message(&d, h, h->nlmsg_len, e);

	if (r == 0 && d.vmaps.n)
		keep(io, h);
	for (size_t i = 0; r == 0 && i < d.elems.n; i++) {
		AUTO_STR key = { 0 };

		elem_text(io, &d.elems.v[i], &key);
		if (map_has(&io->elems, str_text(&key)) && expires(&d.elems.v[i]))
			continue; /* as the kernel does, unless told to refuse */
		if (map_has(&io->elems, str_text(&key)))
			r = err_set(e, ERR_EXISTS, "element exists: %s", str_text(&key));
		else
			map_put(&io->elems, str_text(&key),
				mem_dup(&d.elems.v[i], sizeof(d.elems.v[i])));
	}
	nftdump_fini(&d);
	return r;
}

static int delete_elements(struct nftio *io, const struct nlmsghdr *h, struct err *e)
{
	const struct nlattr *attr, *elem;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, attr)
		{
			AUTO_STR key = { 0 };
			void *old;

			if (!nftparse_print(h, elem, &key))
				return err_set(e, ERR_INVALID, "element cannot be read");
			old = map_remove(&io->elems, str_text(&key));
			if (!old)
				return err_set(e, ERR_NOT_FOUND, "no element %s", str_text(&key));
			free(old);
		}
	}
	return 0;
}

static int apply(struct nftio *io, const struct nlmsghdr *h, struct err *e)
{
	unsigned kind = h->nlmsg_type & 0xff;

	if (h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return 0;
	if (kind != NFT_MSG_NEWTABLE && !has_frame(io, NFT_MSG_NEWTABLE, NULL))
		return err_set(e, ERR_NOT_FOUND, "no table");
	switch (kind) {
	case NFT_MSG_NEWTABLE:
		if (!has_frame(io, NFT_MSG_NEWTABLE, NULL))
			keep(io, h);
		return 0;
	case NFT_MSG_DELTABLE:
		clear(io);
		return 0;
	case NFT_MSG_NEWRULE:
		if (!has_frame(io, NFT_MSG_NEWCHAIN, string_attr(h, NFTA_RULE_CHAIN)))
			return err_set(e, ERR_NOT_FOUND, "no chain");
		keep(io, h);
		return 0;
	case NFT_MSG_NEWSET:
	case NFT_MSG_NEWCHAIN:
		keep(io, h);
		return 0;
	case NFT_MSG_DELRULE:
		drop_rules(io, string_attr(h, NFTA_RULE_CHAIN));
		return 0;
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM:
		if (!has_frame(io, NFT_MSG_NEWSET, string_attr(h, NFTA_SET_ELEM_LIST_SET)))
			return err_set(e, ERR_NOT_FOUND, "no set");
		return kind == NFT_MSG_NEWSETELEM ? add_elements(io, h, e)
						  : delete_elements(io, h, e);
	default:
		return err_set(e, ERR_INVALID, "message %u", kind);
	}
}

static struct nftio *copy(const struct nftio *io)
{
	struct nftio *c = fake_nft_new(io->family);
	const char *key;
	void *value;

	for (size_t i = 0; i < io->frame.n; i++)
		keep(c, (const void *)io->frame.v[i]);
	for (size_t at = 0; map_next(&io->elems, &at, &key, &value);)
		map_put(&c->elems, key, mem_dup(value, sizeof(struct nftelem)));
	return c;
}

uint32_t nftio_seq(const struct nftio *io)
{
	return io->seq;
}

int nftio_commit(struct nftio *io, const struct nftbatch *b, struct err *e)
{
	struct nftio *before = copy(io);
	int r = 0;

	io->seq = b->seq;
	io->n_messages = 0;
	if (io->fail) {
		io->fail--;
		r = err_set(e, ERR_IO, "planned failure");
	}
	for (size_t at = 0; r == 0 && at < b->len;) {
		const struct nlmsghdr *h = (const void *)(b->p + at);

		r = apply(io, h, e);
		at += NLMSG_ALIGN(h->nlmsg_len);
		io->n_messages++;
	}
	io->commits += r == 0;
	if (r < 0) {
		clear(io);
		io->frame = before->frame;
		io->elems = before->elems;
		free(before);
	} else {
		fake_nft_free(before);
	}
	return r;
}

/* Nobody else's business is known here. */
int nftio_request(struct nftio *io, struct nlmsghdr *request, nftio_fn *fn, void *ctx,
		  struct err *e)
{
	io->requests++;
	(void)request;
	(void)fn;
	(void)ctx;
	(void)e;
	return 0;
}

int nftio_dump(struct nftio *io, bool elements, struct nftdump *ret, struct err *e)
{
	void *value;

	for (size_t i = 0; i < io->frame.n; i++) {
		const struct nlmsghdr *h = (const void *)io->frame.v[i];

		if (nftparse_message(ret, h, h->nlmsg_len, e) < 0)
			return -1;
	}
	for (size_t at = 0; elements && map_next(&io->elems, &at, NULL, &value);)
		vec_push(&ret->elems, *(const struct nftelem *)value);
	return 0;
}
