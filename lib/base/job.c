/* Thread pool for blocking file work (contract in base/job.h). Effect. */
#include "base/job.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

enum { STACK_BYTES = 256 * 1024 };

struct job {
	struct job *next;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void (*drop)(void *arg);
	void *arg;
	struct job_pool *pool; /* of a foreign job, which keeps it alive */
};

struct queue {
	struct job *head, **tail;
};

struct job_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct queue waiting, finished;
	unsigned max_threads, threads, idle;
	unsigned pending; /* submitted, done not yet called; loop thread only */
	unsigned refs;    /* the owner and every foreign thread */
	bool stop;
	pthread_t *ids;
	int event_fd;
	sd_event_source *source;
};

static void queue_init(struct queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static void queue_push(struct queue *q, struct job *j)
{
	j->next = NULL;
	*q->tail = j;
	q->tail = &j->next;
}

static struct job *queue_pop(struct queue *q)
{
	struct job *j = q->head;

	if (!j)
		return NULL;
	q->head = j->next;
	if (!q->head)
		q->tail = &q->head;
	return j;
}

/* Called with the lock held. */
static void finish(struct job_pool *pool, struct job *j)
{
	static const uint64_t one = 1;

	queue_push(&pool->finished, j);
	/* the counter cannot overflow: at most one write per job */
	if (write(pool->event_fd, &one, sizeof(one)) < 0)
		return;
}

static void *worker(void *arg)
{
	struct job_pool *pool = arg;
	struct job *j;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!(j = queue_pop(&pool->waiting)) && !pool->stop) {
			pool->idle++;
			pthread_cond_wait(&pool->wake, &pool->lock);
			pool->idle--;
		}
		if (!j)
			break;
		pthread_mutex_unlock(&pool->lock);
		j->work(j->arg);
		pthread_mutex_lock(&pool->lock);
		finish(pool, j);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static int on_finished(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct job_pool *pool = userdata;
	uint64_t n;

	(void)s;
	(void)revents;
	if (read(fd, &n, sizeof(n)) < 0)
		return 0;
	for (;;) {
		struct job *j;

		pthread_mutex_lock(&pool->lock);
		j = queue_pop(&pool->finished);
		pthread_mutex_unlock(&pool->lock);
		if (!j)
			return 0;
		pool->pending--;
		j->done(j->arg);
		free(j);
	}
}

int job_pool_new(sd_event *loop, unsigned max_threads, struct job_pool **ret_pool, struct err *e)
{
	struct job_pool *pool = NEW(struct job_pool);
	int r;

	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	queue_init(&pool->waiting);
	queue_init(&pool->finished);
	pool->max_threads = max_threads;
	pool->refs = 1;
	pool->ids = mem_calloc(max_threads, sizeof(*pool->ids));
	pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = pool->event_fd < 0
		? -errno
		: sd_event_add_io(loop, &pool->source, pool->event_fd, EPOLLIN, on_finished, pool);
	if (r < 0) {
		job_pool_free(pool);
		return err_os(e, -r, "job pool");
	}
	*ret_pool = pool;
	return 0;
}

static void drop_job(struct job *j)
{
	if (j->drop)
		j->drop(j->arg);
	free(j);
}

static void drop_all(struct queue *q)
{
	struct job *j;

	while ((j = queue_pop(q)))
		drop_job(j);
}

/* Called with the lock held, which is gone after it. */
static void unref(struct job_pool *pool)
{
	unsigned refs = --pool->refs;

	pthread_mutex_unlock(&pool->lock);
	if (refs)
		return;
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void job_pool_free(struct job_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	drop_all(&pool->waiting);
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->threads; i++)
		pthread_join(pool->ids[i], NULL);
	drop_all(&pool->finished);
	sd_event_source_disable_unref(pool->source);
	if (pool->event_fd >= 0)
		close(pool->event_fd);
	free(pool->ids);
	pthread_mutex_lock(&pool->lock);
	unref(pool);
}

static bool start_thread(pthread_t *ret_id, void *(*main)(void *arg), void *arg)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(ret_id, &attr, main, arg);
	pthread_attr_destroy(&attr);
	return r == 0;
}

void job_submit(struct job_pool *pool, void (*work)(void *arg), void (*done)(void *arg),
		void (*drop)(void *arg), void *arg)
{
	struct job *j = NEW(struct job);

	*j = (struct job){ .work = work, .done = done, .drop = drop, .arg = arg };
	pool->pending++;
	pthread_mutex_lock(&pool->lock);
	queue_push(&pool->waiting, j);
	/* threads start when work waits and none is idle: an idle daemon has none */
	if (!pool->idle && pool->threads < pool->max_threads &&
	    start_thread(&pool->ids[pool->threads], worker, pool))
		pool->threads++;
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}

static void *foreign_worker(void *arg)
{
	struct job *j = arg;
	struct job_pool *pool = j->pool;

	pthread_detach(pthread_self());
	j->work(j->arg);
	pthread_mutex_lock(&pool->lock);
	if (pool->stop)
		drop_job(j);
	else
		finish(pool, j);
	unref(pool);
	return NULL;
}

void job_submit_foreign(struct job_pool *pool, void (*work)(void *arg), void (*done)(void *arg),
			void (*drop)(void *arg), void *arg)
{
	struct job *j = NEW(struct job);
	pthread_t id;

	*j = (struct job){ .work = work, .done = done, .drop = drop, .arg = arg, .pool = pool };
	pthread_mutex_lock(&pool->lock);
	pool->refs++;
	pthread_mutex_unlock(&pool->lock);
	if (start_thread(&id, foreign_worker, j)) {
		pool->pending++;
		return;
	}
	/* no thread to be had: the pool's own are better than none */
	pthread_mutex_lock(&pool->lock);
	unref(pool);
	free(j);
	job_submit(pool, work, done, drop, arg);
}

unsigned job_pool_pending(const struct job_pool *pool)
{
	return pool->pending;
}
