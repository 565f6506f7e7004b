#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include "core/err.h"

struct event_base;

/* Who goes first when the processors are short. */
enum worker_rank {
	WORKER_PROMPT, /* as the loop: commands wait for it, or its jobs are short */
	WORKER_LONG,   /* whatever takes long and nobody waits for */
};

/*
 * A thread that works off jobs in the order given, and tells the loop when each is done:
 *
 *   worker_submit()   loop     queues a job
 *   job->run()        worker   may block
 *   job->done()       loop     may submit again, and free the job
 *
 * The log writer, the checkpointer and the long readers are workers; they differ in their jobs only.
 */
struct worker;

struct job {
	void (*run)(struct job *job);
	void (*done)(struct job *job);
	struct job *next; /* the worker's */
};

int worker_start(struct event_base *base, const char *name, enum worker_rank rank, struct worker **ret,
		 struct err *err);
/* Waits for the jobs that were submitted, runs their done(), and ends the thread. NULL is fine. */
void worker_stop(struct worker *w);
void worker_submit(struct worker *w, struct job *job);

#endif
