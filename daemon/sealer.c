#include "daemon/sealer.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/diag.h"
#include "daemon/worker.h"

enum {
	SEAL_PAUSE_MS = 100,
	RETRY_MS = 60000,    /* after there was no space or no memory */
	ENOUGH_EVENTS = 256, /* that have become cold since too few were: before that many it is not looked at again */
};

struct sealer {
	struct job job;
	struct worker *worker;
	struct event *on_pause_over; /* only wakes the loop: the turn does the rest */
	struct log_reader *reader;
	atomic_bool stop;
	/* the job's, while it runs */
	uint64_t cold;
	struct seal *prepared;
	int rc;
	struct err err;
	/* the loop's */
	bool busy;          /* being prepared, or under way */
	struct seal *ready; /* prepared, not taken */
	uint64_t look_from; /* cold must be as much */
	int64_t not_before_ms;
	char problem[sizeof(((struct err *)0)->text)];
};

static void run(struct job *job)
{
	struct sealer *s = (struct sealer *)job;

	s->rc = log_seal_prepare(s->reader, s->cold, &s->stop, &s->prepared, &s->err);
}

static void pause_for(struct sealer *s, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	s->busy = false;
	s->not_before_ms = monotonic_ms() + ms;
	evtimer_add(s->on_pause_over, &tv);
}

static void try_again(struct sealer *s, const struct err *err)
{
	diag_warn("sealing: %s; it is tried again", err->text);
	pause_for(s, RETRY_MS);
}

static void give_up(struct sealer *s, const struct err *err)
{
	snprintf(s->problem, sizeof(s->problem), "%s", err->text);
	diag_error("nothing more is sealed: %s", err->text);
}

static void done(struct job *job)
{
	struct sealer *s = (struct sealer *)job;

	if (s->rc == 0) {
		s->ready = s->prepared;
	} else if (s->rc == E_NOT_FOUND) {
		s->look_from = s->cold + ENOUGH_EVENTS;
		s->busy = false;
	} else if (s->rc == E_UNAVAILABLE) {
		if (!atomic_load(&s->stop))
			try_again(s, &s->err);
	} else {
		give_up(s, &s->err);
	}
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

void sealer_turn(struct sealer *s, uint64_t cold)
{
	if (s == NULL || s->busy || s->problem[0] != '\0' || cold == 0 || cold < s->look_from ||
	    monotonic_ms() < s->not_before_ms)
		return;
	s->busy = true;
	s->cold = cold;
	worker_submit(s->worker, &s->job);
}

struct seal *sealer_take(struct sealer *s)
{
	struct seal *seal;

	if (s == NULL)
		return NULL;
	seal = s->ready;
	s->ready = NULL;
	return seal;
}

void sealer_stored(struct sealer *s, struct seal *seal, int rc, const struct err *err)
{
	if (rc == E_STORAGE_FULL) {
		try_again(s, err);
	} else if (rc != 0) {
		give_up(s, err);
	} else if (log_seal_stored(seal)) {
		diag_debug("sealed up to %" PRIu64, log_seal_last(seal));
		pause_for(s, SEAL_PAUSE_MS);
	} else {
		/* the block it went with was stored without it */
		diag_warn("sealing: the block up to %" PRIu64 " could not be put in its place; it is tried again",
			  log_seal_last(seal));
		pause_for(s, RETRY_MS);
	}
	log_seal_free(seal);
}

const char *sealer_problem(const struct sealer *s)
{
	return s != NULL && s->problem[0] != '\0' ? s->problem : NULL;
}

int sealer_open(struct event_base *base, struct log *log, struct sealer **ret, struct err *err)
{
	struct sealer *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	s->job = (struct job){ run, done, NULL };
	s->on_pause_over = evtimer_new(base, on_pause_over, s);
	rc = s->on_pause_over == NULL ? err_set(err, E_INTERNAL, "no memory") : 0;
	if (rc == 0)
		rc = log_reader_open(log, LOG_DURABLE_ONLY, &s->reader, err);
	if (rc == 0)
		rc = worker_start(base, "sealer", WORKER_LONG, &s->worker, err);
	if (rc != 0) {
		sealer_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void sealer_close(struct sealer *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->stop, true);
	worker_stop(s->worker);
	log_seal_free(s->ready);
	log_reader_close(s->reader);
	if (s->on_pause_over != NULL)
		event_free(s->on_pause_over);
	free(s);
}
