#ifndef DAEMON_WORKER_QUERY_H
#define DAEMON_WORKER_QUERY_H

#include "daemon/call.h"

struct snapshot;
struct log_reader;

/* Runs a query of the schema in a worker, as of a checkpoint made for it. Answers CALL_LATER. */
int worker_query(struct call *c, const void *params);

/*
 * The same for services: run() in the reader thread, with the views as of the checkpoint (NULL when
 * not wanted) and a reader over the durable log; it writes one packed value to out and answers 0 or a code.
 * data is copied (size bytes) and freed.
 */
struct worker_task {
	struct snapshot *snapshot;
	struct log_reader *log;
	struct arena *arena;
	struct buf *out;
	struct err *err;
	void *data;
};
int worker_task(struct call *c, bool wants_snapshot, int (*run)(struct worker_task *t), const void *data, size_t size);
/* The same without a snapshot, for what takes milliseconds: it does not wait behind long reads. */
int worker_short_task(struct call *c, int (*run)(struct worker_task *t), const void *data, size_t size);

#endif
