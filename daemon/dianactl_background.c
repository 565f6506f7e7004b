#include "daemon/dianactl_background.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

enum { WATCH_NS = 100 * 1000 * 1000, NS = 1000 * 1000 * 1000 };

struct background {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool has_ended;
	int (*job)(void *arg);
	void *arg;
	int rc;
};

static void *run(void *arg)
{
	struct background *b = arg;
	int rc = b->job(b->arg);

	pthread_mutex_lock(&b->lock);
	b->rc = rc;
	b->has_ended = true;
	pthread_cond_signal(&b->ended);
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* False: the job has returned. */
static bool wait_a_little(struct background *b)
{
	struct timespec until;
	bool goes_on;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += WATCH_NS;
	until.tv_sec += until.tv_nsec / NS;
	until.tv_nsec %= NS;
	pthread_mutex_lock(&b->lock);
	while (!b->has_ended && pthread_cond_timedwait(&b->ended, &b->lock, &until) != ETIMEDOUT)
		;
	goes_on = !b->has_ended;
	pthread_mutex_unlock(&b->lock);
	return goes_on;
}

int dianactl_background(int (*job)(void *arg), void (*watch)(void *arg), void *arg)
{
	struct background b = { .job = job, .arg = arg };
	pthread_t thread;

	pthread_mutex_init(&b.lock, NULL);
	pthread_cond_init(&b.ended, NULL);
	if (pthread_create(&thread, NULL, run, &b) != 0)
		return job(arg);
	while (wait_a_little(&b))
		watch(arg);
	pthread_join(thread, NULL);
	pthread_cond_destroy(&b.ended);
	pthread_mutex_destroy(&b.lock);
	return b.rc;
}
