#include "daemon/worker_query.h"

#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/diag.h"
#include "daemon/event_log.h"
#include "daemon/ledger.h"
#include "daemon/plans.h"
#include "daemon/server.h"
#include "daemon/worker.h"

enum { TASK_ARENA_MAX = 256 << 20 };

/*
 *   worker_task()       loop     asks for a checkpoint (or goes on at once without)
 *   on_checkpoint()     loop     opens the snapshot, submits
 *   run_task()          reader   the work
 *   done_task()         loop     answers
 */
struct pending {
	struct job job;
	struct checkpoint_wait wait;
	struct ticket ticket;
	struct server *server;
	struct worker *worker;
	int (*run)(struct worker_task *);
	struct worker_task task;
	struct arena arena;
	struct buf out;
	struct err err;
	int rc;
};

static void finish(struct pending *p)
{
	call_answer(&p->ticket, p->rc, buf_slice(&p->out), &p->err);
	snapshot_close(p->task.snapshot);
	log_reader_close(p->task.log);
	arena_free(&p->arena);
	buf_free(&p->out);
	free(p->task.data);
	free(p);
}

static void run_task(struct job *job)
{
	struct pending *p = (struct pending *)job;

	p->rc = log_reader_refresh(p->task.log, &p->err);
	/* it knows the head now, and wakes when it reads: not every task does */
	log_reader_idle(p->task.log);
	if (p->rc == 0)
		p->rc = p->run(&p->task);
	log_reader_idle(p->task.log);
	if (p->rc == 0 && p->out.failed)
		p->rc = err_set(&p->err, E_LIMIT_EXCEEDED, "the answer is larger than %d bytes", ANSWER_MAX);
}

static void done_task(struct job *job)
{
	finish((struct pending *)job);
}

static void submit(struct pending *p)
{
	struct log *log = ledger_log(server_ledger(p->server));

	p->rc = log_reader_open(log, LOG_DURABLE_ONLY, &p->task.log, &p->err);
	if (p->rc != 0) {
		finish(p);
		return;
	}
	worker_submit(p->worker, &p->job);
}

static void on_checkpoint(struct checkpoint_wait *w, int rc, const struct err *err)
{
	struct pending *p = (struct pending *)((char *)w - offsetof(struct pending, wait));
	struct ledger *l = server_ledger(p->server);

	p->rc = rc;
	if (rc != 0) {
		p->err = *err;
		finish(p);
		return;
	}
	p->rc = snapshot_open(ledger_engine(l), &p->task.snapshot, &p->err);
	ledger_snapshot_taken(l);
	if (p->rc != 0)
		finish(p);
	else
		submit(p);
}

static int begin_task(struct call *c, struct worker *worker, bool wants_snapshot, int (*run)(struct worker_task *t),
		      const void *data, size_t size)
{
	struct pending *p;

	if (c->in_batch)
		return err_field(c->err, "method", "%s does not go into a batch", method_defs[c->id].name);
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return err_set(c->err, E_INTERNAL, "no memory");
	p->job = (struct job){ run_task, done_task, NULL };
	p->wait.ready = on_checkpoint;
	p->ticket = call_ticket(c);
	p->server = c->server;
	p->worker = worker;
	p->run = run;
	arena_init(&p->arena, TASK_ARENA_MAX);
	buf_init(&p->out, ANSWER_MAX);
	p->task = (struct worker_task){ .arena = &p->arena, .out = &p->out, .err = &p->err, .data = malloc(size + 1) };
	if (p->task.data == NULL) {
		free(p);
		return err_set(c->err, E_INTERNAL, "no memory");
	}
	memcpy(p->task.data, data, size);
	if (wants_snapshot)
		ledger_await_checkpoint(server_ledger(c->server), &p->wait);
	else
		submit(p);
	return CALL_LATER;
}

int worker_task(struct call *c, bool wants_snapshot, int (*run)(struct worker_task *t), const void *data, size_t size)
{
	return begin_task(c, server_reader(c->server), wants_snapshot, run, data, size);
}

int worker_short_task(struct call *c, int (*run)(struct worker_task *t), const void *data, size_t size)
{
	return begin_task(c, server_prover(c->server), false, run, data, size);
}

/* ---- queries of the schema ---- */

/* The params as they were sent: texts in them belong to the connection's buffer. */
struct query_task {
	enum method_id id;
	int64_t now;
	uint64_t seq;
	size_t params_len;
	uint8_t params[];
};

static int run_query_task(struct worker_task *t)
{
	const struct query_task *q = t->data;
	struct event_source durable = event_source_of(t->log);
	struct bounded_log bound = { &durable, snapshot_seq(t->snapshot) };
	struct event_source source = event_source_bounded(&bound);
	struct state *s = snapshot_state(t->snapshot);
	struct query query = {
		.state = s, .arena = s->arena, .log = &source, .now = q->now, .out = t->out, .err = t->err
	};

	/* decoded anew, here: the texts then live in this task's copy */
	return plans_query(q->id, slice_of(q->params, q->params_len), t->arena, &query);
}

int worker_query(struct call *c, const void *params)
{
	size_t size = sizeof(struct query_task) + c->params.len;
	struct query_task *q = arena_take(ledger_state(server_ledger(c->server))->arena, size);

	(void)params;
	if (q == NULL)
		return err_set(c->err, E_LIMIT_EXCEEDED, "the call takes too much memory");
	*q = (struct query_task){ .id = c->id,
				  .now = ledger_now(server_ledger(c->server)),
				  .params_len = c->params.len };
	memcpy(q->params, c->params.base, c->params.len);
	return worker_task(c, true, run_query_task, q, size);
}
