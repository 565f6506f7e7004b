#ifndef DAEMON_LEDGER_H
#define DAEMON_LEDGER_H

#include "core/decide.h"
#include "daemon/event_log.h"
#include "log/log.h"
#include "projections/engine.h"

/*
 * The ledger: log, views and the one thread that decides. It owns the log writer and the checkpointer.
 *
 *   ledger_command()     decides, appends to the open block, folds; the reply waits for ledger_head()
 *   ledger_turn()        end of a turn of the loop: timers that are due, the open block to the writer,
 *                        a full overlay to the checkpointer
 *   ops.durable()        a block became durable: replies and notifications up to it go out
 *   ops.failed()         a block could not be made durable: what waited for it is answered
 *
 * All of it belongs to the loop thread.
 */
struct ledger;
struct event_base;

struct ledger_options {
	const char *data;      /* directory; made if it is not there */
	bool install_defaults; /* on an empty log */
	uint64_t log_reserve;  /* bytes of disk that stay free */
	bool seal;             /* pack what is cold */
	uint64_t seal_behind;  /* so many events at the head are not; nor what the last checkpoint does not cover */
};

struct command;
struct ledger_ops {
	/* May refuse a command for what is not in the state, before it is decided: NULL, or 0 or a code. */
	int (*admit)(void *arg, const struct command *c, struct err *err);
	void (*durable)(void *arg, uint64_t seq);
	void (*failed)(void *arg, uint64_t durable_seq, const struct err *err);
	void *arg;
};

/*
 * Opens log and views, folds what the views lack, starts the threads.
 * progress may be NULL; told now and then while folding, and before that while hashing a log that lacks subtree hashes;
 * false stops (E_UNAVAILABLE).
 */
int ledger_open(const struct ledger_options *o, struct event_base *base, const struct ledger_ops *ops,
		bool (*progress)(void *arg, uint64_t seq, uint64_t to), void *arg, struct ledger **ret,
		struct err *err);
/* Flushes the open block, makes a checkpoint, stops the threads. NULL is fine. */
void ledger_close(struct ledger *l);

struct state *ledger_state(struct ledger *l);
struct engine *ledger_engine(struct ledger *l);
struct log *ledger_log(struct ledger *l);
uint64_t ledger_head(const struct ledger *l);    /* last seq decided */
uint64_t ledger_durable(const struct ledger *l); /* last seq on disk */
/* Time of a commit begun now: the clock, never less than the last commit's. */
int64_t ledger_now(const struct ledger *l);

/* ---- commands ---- */

struct command {
	enum method_id method;
	const void *params; /* decoded; struct of the method */
	const struct command_params *common;
	bool has_peer;
	int64_t peer;
};

/*
 * Decides one command and appends its commit. Its result, a map as the wire shows it, is written to out;
 * on error nothing is written and nothing has changed. Everything but idempotency_key, maintenance,
 * expected_version and the decision itself was tested before.
 */
int ledger_command(struct ledger *l, const struct command *c, struct buf *out, struct err *err);

/*
 * Several commands, one commit: begin, then command after command with ledger_command(), then end or (after
 * the first error, which has undone all) nothing more.
 */
int ledger_begin(struct ledger *l, struct err *err);
int ledger_end(struct ledger *l, struct err *err);
/* After ledger_begin(), when something else than a command failed: undoes all. */
void ledger_abandon(struct ledger *l);

/* Whether commands may be taken: false while the disk or the checkpointer lag behind; then stop
 * reading from sockets until the next turn. */
bool ledger_accepts(const struct ledger *l);
/* Why commands are refused altogether; 0: they are not. */
int ledger_refuses(struct ledger *l, struct err *err);

/*
 * alone: one client talks and nobody else did lately. Then the open block is flushed here and now: handing it
 * to the writer and back costs a third of a flush, and there is nobody who would use that time.
 */
void ledger_turn(struct ledger *l, bool alone);
/* Milliseconds until the next timer is due; -1: none. */
int64_t ledger_next_due(struct ledger *l);

/* ---- reading ---- */

/* Queries of the loop: state and log as of now. Fill in arena-free parts only: out and err. */
void ledger_query(struct ledger *l, struct query *q, struct buf *out, struct err *err);
/* A reader over everything appended, refreshed. The loop's. */
struct log_reader *ledger_reader(struct ledger *l);
/* Ends a query or command that read: gives scratch back. */
void ledger_release(struct ledger *l);

/*
 * Asks for a checkpoint that covers all that is decided now; ready() runs on the loop when it is on disk, and
 * no other is made until ledger_snapshot_taken(). E_STORAGE_FULL and the like are told to ready().
 */
struct checkpoint_wait {
	void (*ready)(struct checkpoint_wait *w, int rc, const struct err *err);
	uint64_t seq;
	struct checkpoint_wait *next;
};
void ledger_await_checkpoint(struct ledger *l, struct checkpoint_wait *w);
void ledger_snapshot_taken(struct ledger *l);
/* One is made soon, though nobody awaits it. */
void ledger_want_checkpoint(struct ledger *l);

/* No checkpoint is being written or made until ledger_resume_checkpoints(); then() runs when that is so. */
void ledger_pause_checkpoints(struct ledger *l, void (*then)(void *arg), void *arg);
void ledger_resume_checkpoints(struct ledger *l);

/* ---- looking at it ---- */

struct ledger_stats {
	uint64_t commits, events, blocks, checkpoints, checkpoint_rows;
	int64_t flush_ns_sum, flush_ns_max;
	int64_t checkpoint_ns_sum, checkpoint_ns_max, checkpoint_ns_last;
	uint64_t timers_fired;
	bool failing;         /* a flush or checkpoint failed */
	char problem[400];    /* what; empty when all is well */
	const char *unsealed; /* why nothing more is sealed; NULL: it goes on, or is off */
	uint64_t overdue;     /* timers due and not yet fired */
	int64_t next_due_at;  /* 0: none */
};
void ledger_get_stats(struct ledger *l, struct ledger_stats *ret);
void ledger_reset_stats(struct ledger *l);

#endif
