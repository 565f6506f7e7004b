#include "daemon/worker.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE_LONG = 10 };

struct queue {
	struct job *head, **tail;
};

struct worker {
	pthread_t thread;
	enum worker_rank rank;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct queue todo, finished;
	bool stopping;
	int fd;
	struct event *on_finished;
};

static void queue_init(struct queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static void queue_put(struct queue *q, struct job *job)
{
	job->next = NULL;
	*q->tail = job;
	q->tail = &job->next;
}

static struct job *queue_take(struct queue *q)
{
	struct job *job = q->head;

	if (job != NULL) {
		q->head = job->next;
		if (q->head == NULL)
			q->tail = &q->head;
	}
	return job;
}

/* On Linux a nice value is a thread's own. Where it is not granted the work is done all the same. */
static void give_way(void)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), NICE_LONG);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t one = 1;

	if (w->rank == WORKER_LONG)
		give_way();
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *job = queue_take(&w->todo);

		if (job == NULL && w->stopping)
			break;
		if (job == NULL) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		job->run(job);
		pthread_mutex_lock(&w->lock);
		queue_put(&w->finished, job);
		pthread_mutex_unlock(&w->lock);
		if (write(w->fd, &one, sizeof(one)) != sizeof(one))
			abort(); /* an eventfd takes 2^64 - 2 of them */
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void run_finished(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct job *job;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) != sizeof(n))
		return;
	for (;;) {
		pthread_mutex_lock(&w->lock);
		job = queue_take(&w->finished);
		pthread_mutex_unlock(&w->lock);
		if (job == NULL)
			return;
		job->done(job);
	}
}

/* Signals are the loop's. */
static int start_thread(struct worker *w, const char *name)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		pthread_setname_np(w->thread, name);
	return rc;
}

int worker_start(struct event_base *base, const char *name, enum worker_rank rank, struct worker **ret, struct err *err)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	w->rank = rank;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	queue_init(&w->todo);
	queue_init(&w->finished);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->on_finished = w->fd < 0 ? NULL : event_new(base, w->fd, EV_READ | EV_PERSIST, run_finished, w);
	if (w->on_finished == NULL || event_add(w->on_finished, NULL) != 0 || start_thread(w, name) != 0) {
		if (w->on_finished != NULL)
			event_free(w->on_finished);
		if (w->fd >= 0)
			close(w->fd);
		free(w);
		return err_set(err, E_INTERNAL, "cannot start the thread %s", name);
	}
	*ret = w;
	return 0;
}

void worker_stop(struct worker *w)
{
	struct job *job;

	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	while ((job = queue_take(&w->finished)) != NULL)
		job->done(job);
	event_free(w->on_finished);
	close(w->fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	free(w);
}

void worker_submit(struct worker *w, struct job *job)
{
	pthread_mutex_lock(&w->lock);
	assert(!w->stopping);
	queue_put(&w->todo, job);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}
