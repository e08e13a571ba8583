/* GET /containerLogs: reads the log file in jobs and streams it, following it by inotify. Effect.
 *
 * One job of a stream runs at a time and owns its reader meanwhile; `busy` says so. The stream
 * outlives its connection until that job is back.
 */
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "logpick.h"
#include "logs/logread.h"
#include "serve.h"

enum {
	CHECK_USEC = USEC_PER_SEC, /* a missed event, or the end of the container */
	QUEUE_HIGH_BYTES = 256 * 1024,
};

enum closing { FOLLOWING, LAST_LOOK, LAST_LINE };

struct log_stream {
	const struct server_setup *server;
	struct conn *conn; /* NULL: the client left */
	char *path, *container_id;
	struct crilog_options options;
	bool follow;
	enum closing closing;
	bool busy, again, waiting;
	sd_event_source *watch, *timer;

	/* the job's */
	struct logread *reader;
	struct str out;
	int state;
	struct err err;
	bool follow_now;
};

static void submit(struct log_stream *s);

static void stream_free(struct log_stream *s)
{
	sd_event_source_disable_unref(s->watch);
	sd_event_source_disable_unref(s->timer);
	logread_free(s->reader);
	str_fini(&s->out);
	free(s->path);
	free(s->container_id);
	free(s);
}

static void stream_end(struct log_stream *s)
{
	conn_end(s->conn);
	stream_free(s);
}

static void on_gone(void *ctx)
{
	struct log_stream *s = ctx;

	s->conn = NULL;
	s->watch = sd_event_source_disable_unref(s->watch);
	s->timer = sd_event_source_disable_unref(s->timer);
	if (!s->busy)
		stream_free(s);
}

static void on_drained(void *ctx)
{
	struct log_stream *s = ctx;

	if (!s->busy && !s->waiting)
		submit(s);
}

static void wake(struct log_stream *s)
{
	s->again = true;
	if (s->waiting && !s->busy)
		submit(s);
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	(void)source;
	(void)event;
	wake(userdata);
	return 0;
}

static int on_check(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	wake(userdata);
	return 0;
}

/* Returns false when the loop refuses; the log is then only as good as up to now. */
static bool start_watching(struct log_stream *s)
{
	sd_event *loop = s->server->loop;
	const char *path = logread_path(s->reader);
	AUTO_FREE char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));

	/* without inotify (its watches can run out) the timer is enough */
	if (sd_event_add_inotify(loop, &s->watch, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO,
				 on_change, s) < 0)
		log_warning("no inotify for a followed log, looking every second path=%s", path);
	return sd_event_add_time_relative(loop, &s->timer, CLOCK_MONOTONIC, CHECK_USEC,
					  CHECK_USEC / 4, on_check, s) >= 0;
}

static void wait_for_more(struct log_stream *s)
{
	/* what happened since the last read counts */
	if (!s->timer) {
		if (start_watching(s))
			submit(s);
		else
			stream_end(s);
		return;
	}
	if (s->again) {
		submit(s);
		return;
	}
	s->waiting = true;
	sd_event_source_set_time_relative(s->timer, CHECK_USEC);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

/* All that is in the file was sent. A stopped container gets one more look, for what it wrote
 * before it stopped, then its unfinished last line. */
static void at_end(struct log_stream *s)
{
	if (!s->follow || s->closing == LAST_LINE) {
		stream_end(s);
		return;
	}
	if (s->closing == LAST_LOOK)
		s->closing = LAST_LINE;
	else if (!s->server->ops->container_running(s->server->ops_ctx, s->container_id))
		s->closing = LAST_LOOK;
	if (s->closing == FOLLOWING)
		wait_for_more(s);
	else
		submit(s);
}

static void work(void *arg)
{
	struct log_stream *s = arg;

	s->state = -1;
	if (!s->reader && logread_open(s->path, &s->options, &s->reader, &s->err) < 0)
		return;
	s->state = logread_next(s->reader, s->follow_now, &s->out, &s->err);
}

static void done(void *arg)
{
	struct log_stream *s = arg;

	s->busy = false;
	if (!s->conn) {
		stream_free(s);
		return;
	}
	conn_write(s->conn, str_text(&s->out), s->out.len);
	str_fini(&s->out);
	if (s->state < 0) {
		/* the status is long out: upstream, too, can only say it in the body */
		conn_write(s->conn, s->err.text, strlen(s->err.text));
		stream_end(s);
	} else if (s->state == LOGREAD_DONE) {
		stream_end(s);
	} else if (s->state == LOGREAD_END) {
		at_end(s);
	} else if (conn_queued(s->conn) <= QUEUE_HIGH_BYTES) {
		submit(s);
	}
}

static void drop(void *arg)
{
	struct log_stream *s = arg;

	s->busy = false;
	if (!s->conn)
		stream_free(s);
}

static void submit(struct log_stream *s)
{
	s->busy = true;
	s->waiting = s->again = false;
	s->follow_now = s->follow && s->closing != LAST_LINE;
	job_submit(s->server->jobs, work, done, drop, s);
}

/* ---- query ---- */

struct query {
	bool follow, previous;
	struct crilog_options options;
	bool since_both, bad_value; /* 422 */
};

static bool query_flag(const struct http_head *h, const char *name)
{
	AUTO_FREE char *v = http_query(h, name);

	return v && strcasecmp(v, "false") && strcmp(v, "0");
}

/* Returns 1 when given, 0 when not, < 0 when it is no number. */
static int query_number(const struct http_head *h, const char *name, int64_t *ret)
{
	AUTO_FREE char *v = http_query(h, name);

	if (!v)
		return 0;
	return str_to_i64(v[0] == '+' ? v + 1 : v, ret) ? 1 : -1;
}

static int query_tail(const struct http_head *h, int64_t *ret)
{
	AUTO_FREE char *tail = http_query(h, "tail");

	if (str_eq(tail, "all"))
		return 0;
	return query_number(h, str_empty(tail) ? "tailLines" : "tail", ret);
}

static int query_since(const struct http_head *h, struct query *q)
{
	AUTO_FREE char *text = http_query(h, "sinceTime");
	int64_t seconds = 0, now_nsec = clock_wall_usec() * NSEC_PER_USEC;
	int given = query_number(h, "sinceSeconds", &seconds);

	q->options.since_nsec = INT64_MIN;
	if (given < 0)
		return -1;
	if (!str_empty(text) && !crilog_time(text, strlen(text), &q->options.since_nsec))
		return -1;
	q->bad_value |= given && (text || seconds < 1);
	if (given && seconds > 0 && seconds < now_nsec / 1000000000)
		q->options.since_nsec = now_nsec - seconds * 1000000000;
	return 0;
}

static unsigned query_streams(const struct server_setup *s, const struct http_head *h,
			      struct query *q, bool tail)
{
	AUTO_FREE char *stream = http_query(h, "stream");
	unsigned all = CRILOG_STDOUT | CRILOG_STDERR, want = all;

	if (!stream)
		return all;
	if (str_eq(stream, "Stdout"))
		want = CRILOG_STDOUT;
	else if (str_eq(stream, "Stderr"))
		want = CRILOG_STDERR;
	else
		q->bad_value |= !str_eq(stream, "All");
	q->bad_value |= !s->split_log_streams || (want != all && tail);
	return want;
}

/* Returns < 0 when a value cannot be read at all. */
static int parse_query(const struct server_setup *s, const struct http_head *h, struct query *q)
{
	int tail, limit;

	*q = (struct query){ .follow = query_flag(h, "follow"),
			     .previous = query_flag(h, "previous") };
	q->options = (struct crilog_options){ .timestamps = query_flag(h, "timestamps"),
					      .tail_lines = -1,
					      .limit_bytes = -1 };
	tail = query_tail(h, &q->options.tail_lines);
	limit = query_number(h, "limitBytes", &q->options.limit_bytes);
	if (tail < 0 || limit < 0 || query_since(h, q) < 0)
		return -1;
	q->bad_value |=
	    (tail && q->options.tail_lines < 0) || (limit && q->options.limit_bytes < 1);
	q->options.streams = query_streams(s, h, q, tail);
	return 0;
}

/* ---- entry ---- */

static void stream_start(const struct server_setup *s, struct conn *c, const struct query *q,
			 const char *id, char *path)
{
	static const struct conn_owner owner = { on_gone, on_drained };
	struct log_stream *stream = NEW(struct log_stream);

	*stream = (struct log_stream){ .server = s,
				       .conn = c,
				       .path = path,
				       .container_id = mem_strdup(id),
				       .options = q->options,
				       .follow = q->follow };
	conn_own(c, &owner, stream);
	submit(stream);
}

static void open_log(const struct server_setup *s, struct conn *c, const struct query *q,
		     const char *id)
{
	char *path = NULL;
	struct err e;

	conn_begin(c, 200, "text/plain; charset=utf-8");
	if (s->ops->log_path(s->ops_ctx, id, &path, &e) < 0) {
		conn_write(c, e.text, strlen(e.text));
		conn_end(c);
		return;
	}
	stream_start(s, c, q, id, path);
}

void serve_logs(const struct server_setup *s, struct conn *c, const struct serve_target *t)
{
	struct server_container view = { 0 };
	AUTO_FREE char *text = NULL;
	struct query q;
	const char *id;
	struct err e;

	if (parse_query(s, conn_head(c), &q) < 0) {
		conn_reply_text(c, 400, "{\"message\": \"Unable to decode query.\"}");
		return;
	}
	if (q.bad_value) {
		conn_reply_text(c, 422, "{\"message\": \"Invalid request.\"}");
		return;
	}
	if (s->ops->find_container(s->ops_ctx, t->ns, t->pod, NULL, t->container, &view, &e) < 0) {
		text = str_fmt("pod \"%s\" does not exist", t->pod);
		conn_reply_text(c, 404, text);
		return;
	}
	if (!view.in_spec) {
		text = str_fmt("container \"%s\" not found in pod \"%s\"", t->container, t->pod);
		conn_reply_text(c, 404, text);
		return;
	}
	if (logpick(&view, t->pod, t->container, q.previous, &id, &e) < 0)
		conn_reply_text(c, 400, e.text);
	else
		open_log(s, c, &q, id);
}
