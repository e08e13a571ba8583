/* The observation of one pod as a value (contract in podobs.h). Pure. */
#include "podobs.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

struct podobs *podobs_new(const char *uid, const char *ns, const char *name)
{
	struct podobs *obs = NEW(struct podobs);

	obs->uid = mem_strdup(uid);
	obs->ns = mem_strdup(ns);
	obs->name = mem_strdup(name);
	return obs;
}

void obs_container_free(struct obs_container *c)
{
	if (!c)
		return;
	free(c->id);
	free(c->name);
	free(c->sandbox_id);
	free(c->reason);
	free(c->message);
	free(c->image);
	free(c->image_ref);
	free(c->image_id);
	free(c->log_path);
	free(c->termination_log_path);
	free(c->termination_policy);
	free(c->groups);
	free(c);
}

void obs_sandbox_free(struct obs_sandbox *s)
{
	if (!s)
		return;
	free(s->id);
	strv_free(s->ips);
	free(s);
}

void podobs_free(struct podobs *obs)
{
	if (!obs)
		return;
	for (size_t i = 0; i < obs->n_containers; i++)
		obs_container_free(obs->containers[i]);
	for (size_t i = 0; i < obs->n_sandboxes; i++)
		obs_sandbox_free(obs->sandboxes[i]);
	free(obs->containers);
	free(obs->sandboxes);
	free(obs->uid);
	free(obs->ns);
	free(obs->name);
	free(obs);
}

void podobs_drop_container(struct podobs *obs, const char *id)
{
	for (size_t i = 0; i < obs->n_containers; i++) {
		if (strcmp(obs->containers[i]->id, id))
			continue;
		obs_container_free(obs->containers[i]);
		obs->n_containers--;
		memmove(&obs->containers[i], &obs->containers[i + 1],
			(obs->n_containers - i) * sizeof(obs->containers[0]));
		return;
	}
}

void podobs_drop_sandbox(struct podobs *obs, const char *id)
{
	for (size_t i = 0; i < obs->n_sandboxes; i++) {
		if (strcmp(obs->sandboxes[i]->id, id))
			continue;
		obs_sandbox_free(obs->sandboxes[i]);
		obs->n_sandboxes--;
		memmove(&obs->sandboxes[i], &obs->sandboxes[i + 1],
			(obs->n_sandboxes - i) * sizeof(obs->sandboxes[0]));
		return;
	}
}

/* A clock step may give a later attempt an earlier time: the attempt decides first. */
static bool newer_container(const struct obs_container *a, const struct obs_container *b)
{
	if (!strcmp(a->name, b->name) && a->restart_count != b->restart_count)
		return a->restart_count > b->restart_count;
	return a->created_ns > b->created_ns;
}

void podobs_put_container(struct podobs *obs, struct obs_container *c)
{
	size_t i = 0;

	podobs_drop_container(obs, c->id);
	while (i < obs->n_containers && !newer_container(c, obs->containers[i]))
		i++;
	obs->containers =
	    mem_realloc(obs->containers, obs->n_containers + 1, sizeof(obs->containers[0]));
	memmove(&obs->containers[i + 1], &obs->containers[i],
		(obs->n_containers - i) * sizeof(obs->containers[0]));
	obs->containers[i] = c;
	obs->n_containers++;
}

void podobs_put_sandbox(struct podobs *obs, struct obs_sandbox *s)
{
	size_t i = 0;

	podobs_drop_sandbox(obs, s->id);
	while (i < obs->n_sandboxes && (s->attempt < obs->sandboxes[i]->attempt ||
					(s->attempt == obs->sandboxes[i]->attempt &&
					 s->created_ns <= obs->sandboxes[i]->created_ns)))
		i++;
	obs->sandboxes =
	    mem_realloc(obs->sandboxes, obs->n_sandboxes + 1, sizeof(obs->sandboxes[0]));
	memmove(&obs->sandboxes[i + 1], &obs->sandboxes[i],
		(obs->n_sandboxes - i) * sizeof(obs->sandboxes[0]));
	obs->sandboxes[i] = s;
	obs->n_sandboxes++;
}

/* Not simply the first of that name: after a clock step the order by time may be wrong. */
static const struct obs_container *newest_but(const struct podobs *obs, const char *container_name,
					      const struct obs_container *except)
{
	const struct obs_container *best = NULL;

	for (size_t i = 0; i < obs->n_containers; i++) {
		const struct obs_container *c = obs->containers[i];

		if (c != except && !strcmp(c->name, container_name) &&
		    (!best || newer_container(c, best)))
			best = c;
	}
	return best;
}

const struct obs_container *podobs_latest(const struct podobs *obs, const char *container_name)
{
	return newest_but(obs, container_name, NULL);
}

const struct obs_container *podobs_previous(const struct podobs *obs, const char *container_name)
{
	const struct obs_container *latest = podobs_latest(obs, container_name);

	return latest ? newest_but(obs, container_name, latest) : NULL;
}

const struct obs_container *podobs_active(const struct podobs *obs, const char *container_name)
{
	const struct obs_container *c = podobs_latest(obs, container_name);

	return c && obs->n_sandboxes && str_eq(c->sandbox_id, obs->sandboxes[0]->id) ? c : NULL;
}

const struct obs_container *podobs_by_id(const struct podobs *obs, const char *id)
{
	for (size_t i = 0; i < obs->n_containers; i++) {
		if (!strcmp(obs->containers[i]->id, id))
			return obs->containers[i];
	}
	return NULL;
}

const struct obs_sandbox *podobs_sandbox(const struct podobs *obs)
{
	return obs->n_sandboxes ? obs->sandboxes[0] : NULL;
}

int64_t podobs_ended_ns(const struct obs_container *c)
{
	return c->finished_ns > 0 ? c->finished_ns : c->created_ns;
}

bool podobs_reason_may_change(const struct podobs *obs, int64_t now_ns)
{
	enum { SIGKILL_STATUS = 128 + 9 };

	for (size_t i = 0; obs && i < obs->n_containers; i++) {
		const struct obs_container *c = obs->containers[i];

		/* what ended in the future ended before the clock was set back */
		if (c->state == OBS_EXITED && c->exit_code == SIGKILL_STATUS &&
		    str_eq(c->reason, "Error") &&
		    llabs(now_ns - c->finished_ns) < (int64_t)PODOBS_REASON_NS)
			return true;
	}
	return false;
}

bool podobs_any_running(const struct podobs *obs)
{
	for (size_t i = 0; i < obs->n_containers; i++) {
		enum obs_container_state s = obs->containers[i]->state;

		if (s == OBS_RUNNING || s == OBS_UNKNOWN)
			return true;
	}
	return false;
}

enum obs_source podobs_source(const struct podobs *obs)
{
	for (size_t i = 0; i < obs->n_sandboxes; i++) {
		if (obs->sandboxes[i]->source != OBS_FROM_API)
			return obs->sandboxes[i]->source;
	}
	return OBS_FROM_API;
}
