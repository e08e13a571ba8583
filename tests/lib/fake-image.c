/* Images of the strict runtime model (contract in fake-runtime.h). Pure. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "fake-inside.h"

char *fake_image_id(const char *name)
{
	unsigned long long h = 14695981039346656037ull;

	if (str_starts(name, "sha256:"))
		return mem_strdup(name);
	for (const char *p = name; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211ull;
	return str_fmt("sha256:%016llx%016llx%016llx%016llx", h, ~h, h * 3, h * 5);
}

const char *fake_find_image(const struct fake_runtime *rt, const char *name)
{
	AUTO_FREE char *id = fake_image_id(name);

	for (size_t i = 0; rt->images && rt->images[i]; i++) {
		AUTO_FREE char *other = fake_image_id(rt->images[i]);

		if (str_eq(rt->images[i], name) || str_eq(other, id))
			return rt->images[i];
	}
	return NULL;
}

void fake_runtime_add_image(struct fake_runtime *rt, const char *name)
{
	if (!fake_find_image(rt, name))
		strv_push(&rt->images, name);
}

static Cri__Image *image_message(const char *name)
{
	Cri__Image *m = proto_new(&cri__image__descriptor);
	AUTO_FREE char *id = fake_image_id(name);

	proto_set_str(&m->id, id);
	proto_push_str(&m->n_repo_tags, &m->repo_tags, name);
	m->size = 1024 * 1024;
	m->spec = proto_new(&cri__image_spec__descriptor);
	proto_set_str(&m->spec->image, id);
	return m;
}

void *fake_image_status(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ImageStatusRequest *q = request;
	Cri__ImageStatusResponse *r = fake_reply(CRI_IMAGE_STATUS);
	const char *name = q->image ? fake_find_image(rt, q->image->image) : NULL;

	(void)e;
	if (name)
		r->image = image_message(name);
	return r;
}

void *fake_pull_image(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__PullImageRequest *q = request;
	Cri__PullImageResponse *r;
	AUTO_FREE char *id = NULL;

	if (!q->image || str_empty(q->image->image)) {
		fake_breach(rt, "PullImage without a name");
		return fake_fail(e, INVALID, "invalid image");
	}
	if (strstr(q->image->image, "missing"))
		return fake_fail(
		    e, NOT_FOUND,
		    "failed to pull and unpack image \"%s\": failed to resolve image: not found",
		    q->image->image);
	fake_runtime_add_image(rt, q->image->image);
	id = fake_image_id(q->image->image);
	r = fake_reply(CRI_PULL_IMAGE);
	proto_set_str(&r->image_ref, id);
	return r;
}

void *fake_remove_image(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__RemoveImageRequest *q = request;
	const char *name = q->image ? fake_find_image(rt, q->image->image) : NULL;
	AUTO_FREE char *id = name ? fake_image_id(name) : NULL;

	(void)e;
	if (!name)
		return fake_reply(CRI_REMOVE_IMAGE);
	for (size_t i = 0; i < rt->containers.n; i++)
		if (fake_running(rt->containers.v[i]) && str_eq(rt->containers.v[i]->image_id, id))
			fake_breach(rt, "RemoveImage of %s, which container %s runs from", name,
				    rt->containers.v[i]->config->metadata->name);
	for (char **p = rt->images; *p; p++)
		if (*p == name) {
			free(*p);
			for (; *p; p++)
				p[0] = p[1];
			break;
		}
	return fake_reply(CRI_REMOVE_IMAGE);
}

void *fake_list_images(struct fake_runtime *rt, const void *request, struct err *e)
{
	Cri__ListImagesResponse *r = fake_reply(CRI_LIST_IMAGES);

	(void)request;
	(void)e;
	for (size_t i = 0; rt->images && rt->images[i]; i++)
		proto_push(&r->n_images, &r->images, image_message(rt->images[i]));
	return r;
}

void *fake_image_fs_info(struct fake_runtime *rt, const void *request, struct err *e)
{
	Cri__ImageFsInfoResponse *r = fake_reply(CRI_IMAGE_FS_INFO);
	Cri__FilesystemUsage *u = proto_new(&cri__filesystem_usage__descriptor);

	(void)request;
	(void)e;
	u->timestamp = rt->now_usec * NSEC_PER_USEC_INT;
	u->fs_id = proto_new(&cri__filesystem_identifier__descriptor);
	proto_set_str(&u->fs_id->mountpoint, "/");
	u->used_bytes = proto_new(&cri__uint64_value__descriptor);
	u->inodes_used = proto_new(&cri__uint64_value__descriptor);
	proto_push(&r->n_image_filesystems, &r->image_filesystems, u);
	proto_push(&r->n_container_filesystems, &r->container_filesystems, proto_dup(u));
	return r;
}
