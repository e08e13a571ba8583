/* The container whose log is meant (contract in logpick.h). Pure. */
#include "logpick.h"

static int waiting(const char *reason, const char *pod, const char *container, struct err *e)
{
	if (str_eq(reason, "ErrImagePull"))
		reason = "image can't be pulled";
	else if (str_eq(reason, "ImagePullBackOff"))
		reason = "trying and failing to pull image";
	return err_set(e, ERR_INVALID, "container \"%s\" in pod \"%s\" is waiting to start: %s",
		       container, pod, str_or(reason, ""));
}

int logpick(const struct server_container *v, const char *pod, const char *container, bool previous,
	    const char **ret_id, struct err *e)
{
	const char *id = NULL;

	if (!v->has_status)
		return err_set(e, ERR_INVALID, "container \"%s\" in pod \"%s\" is not available",
			       container, pod);
	if (previous) {
		if (!v->was_terminated || str_empty(v->last_id))
			return err_set(e, ERR_INVALID,
				       "previous terminated container \"%s\" in pod \"%s\" not "
				       "found",
				       container, pod);
		*ret_id = v->last_id;
		return 0;
	}
	if (v->state == SERVER_RUNNING)
		id = v->id;
	else if (v->state == SERVER_TERMINATED && !str_empty(v->terminated_id))
		id = v->terminated_id;
	else if (v->state == SERVER_TERMINATED || v->was_terminated)
		id = v->was_terminated ? v->last_id : NULL;
	else if (v->state == SERVER_WAITING)
		return waiting(v->waiting_reason, pod, container, e);
	else
		return err_set(e, ERR_INVALID,
			       "container \"%s\" in pod \"%s\" is waiting to start - no logs yet",
			       container, pod);
	if (str_empty(id))
		return err_set(e, ERR_INVALID, "container \"%s\" in pod \"%s\" is terminated",
			       container, pod);
	*ret_id = id;
	return 0;
}
