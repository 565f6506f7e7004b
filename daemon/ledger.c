#include "daemon/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "core/rules.h"
#include "daemon/clock.h"
#include "daemon/diag.h"
#include "daemon/sealer.h"
#include "daemon/worker.h"
#include "projections/log_index.h"

enum {
	OPEN_BYTES_MAX = 8 << 20, /* of the open block while another is being flushed: then sockets wait */
	COMMIT_BYTES_MAX = 16 << 20,
	RESULT_BYTES_MAX = 1 << 20,
	TIMERS_PER_TURN = 100,
	CHECKPOINT_EVERY_MS = 30000,
	RETRY_MS = 1000,
	READERS_EVERY_MS = 60000,
	DIGEST = 32,
};

/* One command of the commit in work. */
struct done {
	struct origin origin;
	size_t first, end; /* its events */
	struct slice digest;
	struct slice result; /* packed, for the repeat of its key */
};

struct flush_job {
	struct job job;
	struct ledger *ledger;
	struct block *block; /* NULL: only the seal */
	struct seal *seal;   /* NULL: only the block */
	int rc;
	struct err err;
	int64_t started_ns;
};

struct checkpoint_job {
	struct job job;
	struct ledger *ledger;
	int rc;
	struct err err;
	int64_t started_ns;
};

struct ledger {
	struct ledger_ops ops;
	struct log *log;
	struct engine *engine;
	struct log_reader *reader;
	struct event_source source;
	struct worker *writer, *checkpointer;
	/* the commit in work */
	struct decision d;
	struct origin origin;
	struct err d_err;
	bool in_commit;
	struct done *done;
	size_t n_done, cap_done;
	struct buf bytes, scratch;
	uint32_t ends[COMMIT_EVENTS_MAX];
	uint8_t tags[COMMIT_EVENTS_MAX];
	/* the block in flight */
	struct flush_job flush;
	bool flushing;
	/* checkpoints */
	struct checkpoint_job checkpoint;
	uint64_t checkpoint_seq; /* of the last one on disk */
	bool frozen;             /* waits for its block to be durable, or is being written */
	bool applying;
	uint64_t frozen_seq;
	bool rooted; /* the block is durable, and frozen_root known */
	uint8_t frozen_root[ENGINE_ROOT];
	bool wanted; /* somebody awaits one */
	int paused;  /* snapshots being taken, rebuilds being adopted */
	struct checkpoint_wait *waiting;
	void (*pause_then)(void *);
	void *pause_arg;
	int64_t last_checkpoint_ms;
	int64_t retry_at_ms; /* when a failed one is tried again, 0: it did not fail */
	enum err_code retry_why;
	int64_t readers_at; /* when dead readers were last looked for */
	/* sealing */
	struct sealer *sealer; /* NULL: it is off */
	uint64_t seal_behind;
	/* timers */
	bool timers_stale;
	bool has_due;
	struct due due;
	int64_t refire_at_ms; /* what is due could not be committed: not before this */
	struct ledger_stats stats;
};

/* ---- decisions' needs ---- */

static void fold(void *arg, const struct event *ev)
{
	struct ledger *l = arg;

	engine_fold(l->engine, ev);
}

static void secure_random(void *arg, void *p, size_t n)
{
	(void)arg;
	if (getrandom(p, n, 0) != (ssize_t)n)
		abort(); /* never short for so few bytes once the system is up */
}

static const struct decide_ops decide_ops = { fold, secure_random };

/* ---- commits ---- */

int64_t ledger_now(const struct ledger *l)
{
	int64_t now = clock_ms(), last = log_last_at(l->log);

	return now > last ? now : last;
}

int ledger_begin(struct ledger *l, struct err *err)
{
	int rc = ledger_refuses(l, err);

	assert(!l->in_commit);
	if (rc != 0)
		return rc;
	decision_init(&l->d, engine_state(l->engine), &l->origin, &decide_ops, l, ledger_now(l), log_head(l->log) + 1,
		      &l->d_err);
	l->n_done = 0;
	l->in_commit = true;
	return 0;
}

static void give_up(struct ledger *l)
{
	state_rollback(engine_state(l->engine));
	l->in_commit = false;
}

void ledger_abandon(struct ledger *l)
{
	if (l->in_commit)
		give_up(l);
}

/* The stored bytes of event i. */
static void encode_event(struct ledger *l, size_t i, const struct done *c)
{
	const struct event *ev = &l->d.events[i];
	const struct event_def *def = &event_defs[ev->type];
	struct envelope env = { .tag = def->tag,
				.seq = ev->seq,
				.commit = ev->commit,
				.version = ev->version,
				.at = ev->at,
				.stream = ev->stream,
				.method = c->origin.method,
				.has_peer = c->origin.has_peer,
				.peer = c->origin.peer,
				.cause = ev->cause,
				.actor = c->origin.actor,
				.note = c->origin.note };

	buf_reset(&l->scratch);
	record_put(&l->scratch, def->record(), ev->data);
	env.data = buf_slice(&l->scratch);
	if (i == c->first && c->origin.key.base != NULL) {
		env.key = c->origin.key;
		env.digest = c->digest;
		env.result = c->result;
	}
	envelope_encode(&l->bytes, &env);
	l->ends[i] = (uint32_t)l->bytes.len;
	l->tags[i] = def->tag;
}

int ledger_end(struct ledger *l, struct err *err)
{
	struct state *s = engine_state(l->engine);
	int rc = 0;

	assert(l->in_commit);
	if (l->d.n_events == 0) {
		state_commit(s);
		l->in_commit = false;
		return 0;
	}
	buf_reset(&l->bytes);
	for (size_t k = 0; k < l->n_done; k++)
		for (size_t i = l->done[k].first; i < l->done[k].end; i++)
			encode_event(l, i, &l->done[k]);
	if (l->bytes.failed || l->scratch.failed) {
		rc = err_set(err, E_LIMIT_EXCEEDED, "the commit is larger than %d bytes", COMMIT_BYTES_MAX);
		err_detail_int(err, "limit", COMMIT_BYTES_MAX);
	} else {
		rc = log_append(l->log, buf_slice(&l->bytes), l->ends, l->tags, l->d.n_events, l->d.now, err);
	}
	if (rc != 0) {
		give_up(l);
		return rc;
	}
	/* periods of missions count from the first event of all */
	l->timers_stale |= l->d.n_events > 0 && l->d.first_seq == 1;
	for (size_t i = 0; i < l->d.n_events; i++)
		l->timers_stale |= event_moves_timers(l->d.events[i].type);
	state_commit(s);
	engine_folded(l->engine, log_head(l->log));
	l->stats.commits++;
	l->stats.events += l->d.n_events;
	l->in_commit = false;
	return 0;
}

/* ---- idempotency ---- */

/* SHA-256 over the method and its params as decoded: key order, in maps among them too, and spelled-out defaults do
 * not matter. No base when there is no memory: half of the params would be the digest of other ones. */
static struct slice params_digest(struct ledger *l, const struct command *c)
{
	const struct method_def *def = &method_defs[c->method];
	uint8_t *digest = arena_take(l->d.arena, DIGEST);
	struct slice params;
	struct mp m;

	buf_reset(&l->scratch);
	record_put(&l->scratch, def->params(), c->params);
	params = arena_copy(l->d.arena, buf_slice(&l->scratch));
	if (digest == NULL || params.base == NULL || l->scratch.failed)
		return SLICE_NULL;
	buf_reset(&l->scratch);
	mp_put_text(&l->scratch, slice_str(def->name));
	mp_put_text_or_nil(&l->scratch, slice_str(def->kind));
	m = mp_of(params);
	if (!mp_put_normal(&l->scratch, &m, MP_SCAN_DEPTH, l->d.arena) || l->scratch.failed ||
	    EVP_Digest(l->scratch.base, l->scratch.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return SLICE_NULL;
	return slice_of(digest, DIGEST);
}

/* Writes a result as the wire shows it. */
static void put_result(struct buf *out, enum method_id m, uint64_t seq, uint64_t version, bool has_version,
		       bool changed, bool replayed, const void *result)
{
	struct map_writer w;

	map_open(&w, out);
	map_uint(&w, "seq", seq);
	if (has_version)
		map_uint(&w, "version", version);
	else
		map_nil(&w, "version");
	map_bool(&w, "changed", changed);
	if (replayed)
		map_bool(&w, "replayed", true);
	map_fields(&w, method_defs[m].result(), result);
	map_close(&w);
}

/* [seq, version or nil, result]: what a repeat is answered from. */
static struct slice pack_result(struct ledger *l, enum method_id m, uint64_t seq, uint64_t version, bool has_version,
				const void *result)
{
	buf_reset(&l->scratch);
	mp_put_array(&l->scratch, 3);
	mp_put_uint64(&l->scratch, seq);
	if (has_version)
		mp_put_uint64(&l->scratch, version);
	else
		mp_put_nil(&l->scratch);
	record_put(&l->scratch, method_defs[m].result(), result);
	return l->scratch.failed ? SLICE_NULL : arena_copy(l->d.arena, buf_slice(&l->scratch));
}

static int replay(struct ledger *l, const struct command *c, struct slice packed, struct buf *out, struct err *err)
{
	const struct record *r = method_defs[c->method].result();
	void *result = arena_take(l->d.arena, r->size);
	struct mp m = mp_of(packed);
	uint64_t seq, version = 0;
	bool has_version;
	uint32_t n;

	if (result == NULL || !mp_array(&m, &n) || n != 3 || !mp_uint(&m, &seq))
		return err_set(err, E_INTERNAL, "the result remembered for this key does not read");
	has_version = !mp_nil(&m);
	if ((has_version && !mp_uint(&m, &version)) || !record_get(&m, r, result, l->d.arena))
		return err_set(err, E_INTERNAL, "the result remembered for this key does not read");
	put_result(out, c->method, seq, version, has_version, true, true, result);
	return 0;
}

static int key_conflict(uint64_t first_seq, struct err *err)
{
	err_set(err, E_IDEMPOTENCY_CONFLICT, "the idempotency key was used for another command");
	err_detail_int(err, "first_seq", (int64_t)first_seq);
	return E_IDEMPOTENCY_CONFLICT;
}

/* 1: answered from memory or log; 0: a new key; else -code. */
static int look_up_key(struct ledger *l, const struct command *c, struct slice digest, struct buf *out, struct err *err)
{
	struct slice key = c->common->idempotency_key;
	struct envelope env;
	struct log_entry e;
	uint64_t seq;
	int rc;

	for (size_t k = 0; k < l->n_done; k++) {
		const struct done *d = &l->done[k];

		if (d->origin.key.base == NULL || d->first == d->end || !slice_eq(d->origin.key, key))
			continue;
		if (!slice_eq(d->digest, digest))
			return -key_conflict(l->d.first_seq + d->first, err);
		rc = replay(l, c, d->result, out, err);
		return rc == 0 ? 1 : -rc;
	}
	seq = log_key_seq(l->d.state, key, l->d.now);
	if (seq == 0)
		return 0;
	rc = log_reader_refresh(l->reader, err);
	if (rc == 0)
		rc = log_reader_get(l->reader, seq, &e, err);
	if (rc != 0)
		return -rc;
	if (!envelope_decode(arena_copy(l->d.arena, e.bytes), &env) || env.key.base == NULL)
		return -err_set(err, E_INTERNAL, "event %" PRIu64 " does not hold the key it is found by", seq);
	if (!slice_eq(env.digest, digest))
		return -key_conflict(seq, err);
	rc = replay(l, c, env.result, out, err);
	return rc == 0 ? 1 : -rc;
}

/* ---- one command ---- */

static bool exempt_from_maintenance(const char *method)
{
	return strncmp(method, "config.", 7) == 0 || strncmp(method, "server.", 7) == 0;
}

static int in_maintenance(struct ledger *l, const struct command *c, struct err *err)
{
	struct slice text;

	if (!setting_int(l->d.state, SETTING_maintenance_enabled) ||
	    exempt_from_maintenance(method_defs[c->method].name))
		return 0;
	text = setting_text(l->d.state, SETTING_maintenance_message);
	err_set(err, E_MAINTENANCE, "maintenance: %.*s", SLICE_FMT(text.base ? text : SLICE_LIT("try again later")));
	if (text.base != NULL)
		err_detail_text(err, "message", text);
	return E_MAINTENANCE;
}

/* 0 for what is not there or was deleted. */
static uint64_t present_version(struct state *s, enum stream_id stream, const struct key *row)
{
	enum table_id t = stream_defs[stream].table;
	const struct record *r = table_defs[t].record();
	int deleted = record_field(r, SLICE_LIT("deleted")), stored = record_field(r, SLICE_LIT("stored"));
	uint8_t *obj = arena_take(s->arena, r->size);

	if (obj == NULL || !row_get(s, t, row, obj))
		return 0;
	if ((deleted >= 0 && *(bool *)(obj + r->fields[deleted].offset)) ||
	    (stored >= 0 && !*(bool *)(obj + r->fields[stored].offset)))
		return 0;
	return row_version(s, t, row);
}

static int check_version(struct ledger *l, const struct command *c, struct err *err)
{
	const struct method_def *def = &method_defs[c->method];
	uint64_t actual;

	if (!c->common->has_expected_version)
		return 0;
	if (def->address == ADDRESS_MANY || l->d.addresses_several)
		return err_field(err, "expected_version", "not taken: the command addresses several streams");
	actual = l->d.addressed ? present_version(l->d.state, l->d.stream, &l->d.stream_row) : 0;
	if (actual == c->common->expected_version)
		return 0;
	err_set(err, E_VERSION_CONFLICT, "version is %" PRIu64 ", not %" PRIu64, actual, c->common->expected_version);
	err_detail_int(err, "expected", (int64_t)c->common->expected_version);
	err_detail_int(err, "actual", (int64_t)actual);
	return E_VERSION_CONFLICT;
}

static struct done *next_done(struct ledger *l)
{
	if (l->n_done == l->cap_done) {
		size_t cap = l->cap_done ? 2 * l->cap_done : 8;
		struct done *more = realloc(l->done, cap * sizeof(*more));

		if (more == NULL)
			return NULL;
		l->done = more;
		l->cap_done = cap;
	}
	return &l->done[l->n_done];
}

static int too_much_memory(struct err *err)
{
	return err_set(err, E_LIMIT_EXCEEDED, "the command takes too much memory");
}

/* Fails the command for what is sticky: the state, the decision, scratch memory. */
static int sticky_failure(struct ledger *l, struct err *err)
{
	struct state *s = l->d.state;

	if (s->failed) {
		*err = s->err;
		diag_error("views: %s", err->text);
		return (int)err->code;
	}
	if (l->d.failed) {
		*err = l->d_err;
		return (int)err->code;
	}
	if (s->arena->failed)
		return too_much_memory(err);
	return 0;
}

static int run_decision(struct ledger *l, const struct command *c, struct done *done, struct buf *out, struct err *err)
{
	const struct method_def *def = &method_defs[c->method];
	const struct record *r = def->result();
	void *result = arena_zero(l->d.arena, r->size);
	uint64_t version = 0, seq;
	bool changed;
	int rc;

	if (result == NULL)
		return too_much_memory(err);
	l->d.err = err;
	rc = decide(c->method, &l->d, c->params, result);
	if (rc == 0)
		l->d_err = *err;
	if (rc == 0)
		rc = sticky_failure(l, err);
	if (rc != 0)
		return rc;
	done->end = l->d.n_events;
	changed = done->end > done->first;
	seq = changed ? l->d.first_seq + done->end - 1 : 0;
	if (l->d.addressed)
		version = row_version(l->d.state, stream_defs[l->d.stream].table, &l->d.stream_row);
	if (done->origin.key.base != NULL) {
		done->result = pack_result(l, c->method, seq, version, l->d.addressed, result);
		if (done->result.base == NULL)
			return too_much_memory(err); /* a repeat could not be answered */
	}
	put_result(out, c->method, seq, version, l->d.addressed, changed, false, result);
	return 0;
}

static int one_command(struct ledger *l, const struct command *c, struct buf *out, struct err *err)
{
	const struct method_def *def = &method_defs[c->method];
	struct done *done = next_done(l);
	int rc;

	if (done == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	*done = (struct done){ .first = l->d.n_events, .end = l->d.n_events };
	done->origin = (struct origin){ .method = slice_str(def->name),
					.actor = c->common->actor,
					.note = c->common->note,
					.key = c->common->idempotency_key,
					.has_peer = c->has_peer,
					.peer = c->peer };
	l->origin = done->origin;
	l->d.origin = &l->origin;
	l->d.command_first = l->d.n_events;
	l->d.addressed = l->d.addresses_several = false;
	decision_address_params(&l->d, c->method, c->params);
	if (done->origin.key.base != NULL) {
		done->digest = params_digest(l, c);
		if (done->digest.base == NULL)
			return too_much_memory(err);
		rc = look_up_key(l, c, done->digest, out, err);
		if (rc != 0)
			return rc > 0 ? 0 : -rc;
	}
	rc = in_maintenance(l, c, err);
	if (rc == 0)
		rc = check_version(l, c, err);
	if (rc == 0 && l->ops.admit != NULL)
		rc = l->ops.admit(l->ops.arg, c, err);
	if (rc == 0)
		rc = run_decision(l, c, done, out, err);
	if (rc == 0)
		l->n_done++;
	return rc;
}

int ledger_command(struct ledger *l, const struct command *c, struct buf *out, struct err *err)
{
	bool alone = !l->in_commit;
	size_t start = out->len;
	int rc = alone ? ledger_begin(l, err) : 0;

	if (rc != 0)
		return rc;
	rc = one_command(l, c, out, err);
	if (rc != 0)
		give_up(l);
	else if (alone)
		rc = ledger_end(l, err);
	if (rc != 0)
		buf_truncate(out, start);
	if (alone)
		arena_reset(l->d.arena);
	return rc;
}

/* ---- timers ---- */

static void find_due(struct ledger *l, int64_t now, int64_t from[N_TIMERS])
{
	struct state *s = engine_state(l->engine);

	l->has_due = timers_next(s, now, from, &l->due);
	l->timers_stale = false;
	state_rollback(s);
	arena_reset(s->arena);
}

static bool fire(struct ledger *l)
{
	struct err err;
	struct done *done;
	int rc = ledger_begin(l, &err);

	if (rc != 0)
		return false;
	done = next_done(l);
	if (done == NULL) {
		give_up(l);
		return false;
	}
	*done = (struct done){ .origin = { .method = slice_str(timer_names[l->due.timer]),
					   .actor = SLICE_LIT("server") } };
	l->origin = done->origin;
	l->d.origin = &l->origin;
	l->d.err = &err;
	l->d.command_first = 0;
	rc = decide_timer(&l->d, &l->due);
	if (rc == 0)
		rc = sticky_failure(l, &err);
	done->end = l->d.n_events;
	l->n_done = 1;
	if (rc != 0)
		give_up(l);
	else
		rc = ledger_end(l, &err);
	arena_reset(l->d.arena);
	if (rc != 0)
		diag_error("%s: %s", timer_names[l->due.timer], err.text);
	l->stats.timers_fired += rc == 0;
	return rc == 0;
}

static void fire_timers(struct ledger *l)
{
	int64_t now = ledger_now(l), from[N_TIMERS] = { 0 };
	int n;

	if (l->timers_stale)
		find_due(l, now, NULL);
	if (monotonic_ms() < l->refire_at_ms)
		return;
	for (n = 0; n < TIMERS_PER_TURN && l->has_due && l->due.at <= now; n++) {
		struct due before = l->due;

		if (!fire(l)) {
			l->refire_at_ms = monotonic_ms() + RETRY_MS;
			l->timers_stale = true;
			return;
		}
		find_due(l, now, from);
		if (l->has_due && l->due.timer == before.timer && l->due.at == before.at && l->due.id == before.id) {
			diag_error("%s stays due after it fired", timer_names[before.timer]);
			l->has_due = false;
			return;
		}
	}
	/* what the timers brought about may lie before `from`: in the future, or it would have been due before */
	if (n > 0)
		find_due(l, now, NULL);
}

int64_t ledger_next_due(struct ledger *l)
{
	int64_t left, held;

	if (!l->has_due)
		return -1;
	left = l->due.at - clock_ms();
	held = l->refire_at_ms - monotonic_ms();
	if (left < held)
		left = held;
	return left > 0 ? left : 0;
}

/* ---- the log writer ---- */

static void trouble(struct ledger *l, const char *what, const struct err *err)
{
	l->stats.failing = true;
	snprintf(l->stats.problem, sizeof(l->stats.problem), "%s: %s", what, err->text);
	diag_error("%s", l->stats.problem);
}

static void run_flush(struct job *job)
{
	struct flush_job *f = (struct flush_job *)job;

	if (f->block != NULL)
		f->rc = log_flush(f->ledger->log, f->block, &f->err);
	else
		f->rc = log_seal_write(f->ledger->log, f->seal, &f->err);
}

static void apply_frozen(struct ledger *l);

/* What waited is answered by the owner; the views held events that are not in the log. */
static void flush_failed(struct ledger *l)
{
	struct err err;

	trouble(l, "the log could not be written; commands are refused until the daemon is restarted", &l->flush.err);
	if (l->applying)
		return; /* engine_reset() waits for the checkpointer: done_checkpoint() comes here again */
	l->frozen = false;
	if (engine_reset(l->engine, &err) != 0 ||
	    engine_catch_up(l->engine, &l->source, log_durable(l->log), NULL, NULL, &err) != 0)
		trouble(l, "the views could not be brought back to the log", &err);
	l->timers_stale = true;
	l->ops.failed(l->ops.arg, log_durable(l->log), &l->flush.err);
}

static void done_flush(struct job *job)
{
	struct flush_job *f = (struct flush_job *)job;
	struct ledger *l = f->ledger;
	int64_t took = monotonic_ns() - f->started_ns;

	l->flushing = false;
	if (f->block != NULL)
		log_end_flush(l->log, f->block, f->rc == 0);
	if (f->seal != NULL)
		sealer_stored(l->sealer, f->seal, f->rc, &f->err);
	if (f->block == NULL)
		return;
	if (f->rc != 0) {
		flush_failed(l);
		return;
	}
	l->stats.blocks++;
	l->stats.flush_ns_sum += took;
	if (took > l->stats.flush_ns_max)
		l->stats.flush_ns_max = took;
	if (l->frozen && !l->rooted && log_durable(l->log) >= l->frozen_seq)
		apply_frozen(l);
	l->ops.durable(l->ops.arg, log_durable(l->log));
}

static void start_flush(struct ledger *l, bool here)
{
	struct block *block;
	struct seal *seal;

	if (l->flushing)
		return;
	block = log_begin_flush(l->log);
	seal = log_failed(l->log) ? NULL : sealer_take(l->sealer);
	if (block == NULL && seal == NULL)
		return;
	if (block != NULL && seal != NULL)
		log_seal_with(block, seal);
	l->flushing = true;
	l->flush.block = block;
	l->flush.seal = seal;
	l->flush.started_ns = monotonic_ns();
	if (here && seal == NULL) {
		run_flush(&l->flush.job);
		done_flush(&l->flush.job);
	} else {
		worker_submit(l->writer, &l->flush.job);
	}
}

/* ---- sealing ---- */

static void seal_what_is_cold(struct ledger *l)
{
	uint64_t durable = log_durable(l->log), cold = durable > l->seal_behind ? durable - l->seal_behind : 0;
	struct err ignored;

	if (l->sealer == NULL || log_failed(l->log) || log_space(l->log, monotonic_ms(), &ignored) != 0)
		return;
	/* not beyond the checkpoint: at the next start its root is looked up at the end of a block */
	sealer_turn(l->sealer, cold < l->checkpoint_seq ? cold : l->checkpoint_seq);
}

/* ---- the checkpointer ---- */

static void run_checkpoint(struct job *job)
{
	struct checkpoint_job *c = (struct checkpoint_job *)job;

	c->rc = engine_apply(c->ledger->engine, c->ledger->frozen_root, &c->err);
}

static void start_apply(struct ledger *l)
{
	l->applying = true;
	l->checkpoint.started_ns = monotonic_ns();
	worker_submit(l->checkpointer, &l->checkpoint.job);
}

/* The frozen overlay's block has just become durable: the log's root is that of the overlay. */
static void apply_frozen(struct ledger *l)
{
	uint64_t size;

	log_root(l->log, &size, l->frozen_root);
	assert(size == l->frozen_seq);
	l->rooted = true;
	start_apply(l);
}

static void tell_waiting(struct ledger *l, int rc, const struct err *err)
{
	struct checkpoint_wait *w = l->waiting;

	l->waiting = NULL;
	l->wanted = false;
	while (w != NULL) {
		struct checkpoint_wait *next = w->next;

		if (rc == 0)
			l->paused++;
		w->seq = l->frozen_seq;
		w->ready(w, rc, err);
		w = next;
	}
}

static void run_pause(struct ledger *l)
{
	void (*then)(void *) = l->pause_then;

	if (then == NULL || l->frozen)
		return;
	l->pause_then = NULL;
	l->paused++;
	then(l->pause_arg);
}

static void done_checkpoint(struct job *job)
{
	struct checkpoint_job *c = (struct checkpoint_job *)job;
	struct ledger *l = c->ledger;
	int64_t took = monotonic_ns() - c->started_ns;

	l->applying = false;
	if (log_failed(l->log)) {
		flush_failed(l);
		return;
	}
	if (c->rc == 0)
		c->rc = engine_applied(l->engine, &c->err);
	if (c->rc != 0) {
		trouble(l, "the views could not be written; trying again", &c->err);
		l->retry_at_ms = monotonic_ms() + RETRY_MS;
		l->retry_why = (enum err_code)c->rc;
		tell_waiting(l, c->rc, &c->err);
		return;
	}
	if (l->stats.failing) {
		diag_info("the views are written again");
		l->stats.failing = false;
		l->stats.problem[0] = '\0';
	}
	l->frozen = false;
	l->checkpoint_seq = l->frozen_seq;
	l->retry_at_ms = 0;
	l->last_checkpoint_ms = monotonic_ms();
	l->stats.checkpoints++;
	l->stats.checkpoint_ns_sum += took;
	l->stats.checkpoint_ns_last = took;
	if (took > l->stats.checkpoint_ns_max)
		l->stats.checkpoint_ns_max = took;
	tell_waiting(l, 0, NULL);
	run_pause(l);
}

/* Whether the overlay should be written: it is full, somebody waits, or it is old. */
static bool due_for_checkpoint(struct ledger *l)
{
	uint64_t rows, bytes;

	if (l->frozen || l->paused > 0 || l->pause_then != NULL || log_failed(l->log))
		return false;
	if (l->wanted || engine_wants_freeze(l->engine))
		return true;
	engine_pending(l->engine, &rows, &bytes);
	return rows > 0 && monotonic_ms() - l->last_checkpoint_ms >= CHECKPOINT_EVERY_MS;
}

/* Called when the open block is just about to be flushed or empty: the head is the end of a block. */
static void freeze(struct ledger *l)
{
	engine_freeze(l->engine, log_head(l->log));
	l->frozen = true;
	l->rooted = false;
	l->frozen_seq = log_head(l->log);
	if (l->frozen_seq == log_durable(l->log))
		apply_frozen(l);
}

void ledger_await_checkpoint(struct ledger *l, struct checkpoint_wait *w)
{
	w->next = l->waiting;
	l->waiting = w;
	l->wanted = true;
	/* one that is under way covers less than what is decided now: the next one is ours */
}

void ledger_want_checkpoint(struct ledger *l)
{
	l->wanted = true;
}

void ledger_snapshot_taken(struct ledger *l)
{
	assert(l->paused > 0);
	l->paused--;
}

void ledger_pause_checkpoints(struct ledger *l, void (*then)(void *), void *arg)
{
	assert(l->pause_then == NULL);
	l->pause_then = then;
	l->pause_arg = arg;
	run_pause(l);
}

void ledger_resume_checkpoints(struct ledger *l)
{
	ledger_snapshot_taken(l);
}

/* ---- the turn ---- */

/* By the clock on the wall: set back, it is looked at once more, which does no harm. */
static void drop_dead_readers(struct ledger *l)
{
	int64_t now = clock_ms();
	unsigned n;

	if (now >= l->readers_at && now - l->readers_at < READERS_EVERY_MS)
		return;
	l->readers_at = now;
	n = log_drop_dead_readers(l->log);
	if (n > 0)
		diag_info("%u of the log's readers had been killed; their places are free again", n);
}

void ledger_turn(struct ledger *l, bool alone)
{
	/* a transaction that is not needed any more keeps freed pages of the log from use */
	log_reader_idle(l->reader);
	drop_dead_readers(l);
	if (!log_failed(l->log))
		fire_timers(l);
	if (l->frozen && l->rooted && !l->applying && monotonic_ms() >= l->retry_at_ms)
		start_apply(l);
	/* a freeze needs a block border, which only the start of a flush gives */
	if (!l->flushing && due_for_checkpoint(l))
		freeze(l);
	seal_what_is_cold(l);
	start_flush(l, alone && !l->frozen);
}

/* The overlays are full and cannot be written: to wait does not help. */
static bool views_stuck(const struct ledger *l)
{
	return l->retry_at_ms != 0 && l->frozen && engine_overfull(l->engine);
}

bool ledger_accepts(const struct ledger *l)
{
	if (l->flushing && log_open_bytes(l->log) > OPEN_BYTES_MAX)
		return false;
	return !(l->frozen && engine_overfull(l->engine)) || views_stuck(l);
}

int ledger_refuses(struct ledger *l, struct err *err)
{
	if (log_failed(l->log))
		return err_set(err, E_UNAVAILABLE, "the log could not be written: see server.health");
	if (views_stuck(l))
		return err_set(err, l->retry_why == E_STORAGE_FULL ? E_STORAGE_FULL : E_UNAVAILABLE, "%s",
			       l->stats.problem);
	return log_space(l->log, monotonic_ms(), err);
}

/* ---- reading ---- */

struct log_reader *ledger_reader(struct ledger *l)
{
	struct err err;

	if (log_reader_refresh(l->reader, &err) != 0)
		diag_error("log: %s", err.text);
	return l->reader;
}

/* Refreshes the reader when a query first asks the log for something. */
static int lazy_get(void *arg, uint64_t seq, struct arena *arena, struct event *ret, struct err *err)
{
	struct ledger *l = arg;

	return l->source.get(l->source.arg, seq, arena, ret, err);
}

static int lazy_next(void *arg, uint64_t seq, bool backward, const uint64_t tags[4], struct arena *arena,
		     struct event *ret, uint64_t *examined, struct err *err)
{
	struct ledger *l = arg;

	return l->source.next(l->source.arg, seq, backward, tags, arena, ret, examined, err);
}

static int lazy_seek_time(void *arg, int64_t at, uint64_t *ret_seq, struct err *err)
{
	struct ledger *l = arg;

	return l->source.seek_time(l->source.arg, at, ret_seq, err);
}

static uint64_t lazy_head(void *arg)
{
	return log_head(((struct ledger *)arg)->log);
}

void ledger_query(struct ledger *l, struct query *q, struct buf *out, struct err *err)
{
	static struct event_source source = { lazy_get, lazy_next, lazy_seek_time, lazy_head, NULL, NULL };

	source.arg = l;
	log_reader_idle(l->reader); /* the next look into the log begins a new transaction */
	*q = (struct query){ .state = engine_state(l->engine),
			     .arena = engine_state(l->engine)->arena,
			     .log = &source,
			     .now = ledger_now(l),
			     .out = out,
			     .err = err };
}

void ledger_release(struct ledger *l)
{
	struct state *s = engine_state(l->engine);

	assert(!l->in_commit);
	state_rollback(s);
	arena_reset(s->arena);
}

struct state *ledger_state(struct ledger *l)
{
	return engine_state(l->engine);
}

struct engine *ledger_engine(struct ledger *l)
{
	return l->engine;
}

struct log *ledger_log(struct ledger *l)
{
	return l->log;
}

uint64_t ledger_head(const struct ledger *l)
{
	return log_head(l->log);
}

uint64_t ledger_durable(const struct ledger *l)
{
	return log_durable(l->log);
}

void ledger_get_stats(struct ledger *l, struct ledger_stats *ret)
{
	*ret = l->stats;
	ret->unsealed = sealer_problem(l->sealer);
	ret->next_due_at = l->has_due ? l->due.at : 0;
	ret->overdue = l->has_due && l->due.at <= clock_ms();
}

void ledger_reset_stats(struct ledger *l)
{
	struct ledger_stats old = l->stats;

	l->stats = (struct ledger_stats){ .failing = old.failing };
	memcpy(l->stats.problem, old.problem, sizeof(old.problem));
}

/* ---- opening and closing ---- */

static int make_dir(const char *dir, struct err *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s", dir);
	for (char *p = path + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			break;
		*p = '/';
	}
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_set(err, E_UNAVAILABLE, "cannot make %s: %s", dir, strerror(errno));
	return 0;
}

/* Who is told how far the opening is. */
struct opening {
	bool (*progress)(void *arg, uint64_t seq, uint64_t to);
	void *arg;
};

static bool on_hashing(void *arg, uint64_t done, uint64_t of)
{
	const struct opening *o = arg;

	if (done == 0)
		diag_info("the log is of an older version: making the hashes that proofs need from its %" PRIu64
			  " events, once",
			  of);
	return o->progress == NULL || o->progress(o->arg, done, of);
}

static int open_log(struct ledger *l, const struct ledger_options *o, struct opening *opening, struct err *err)
{
	struct log_options lo = { .reserve = o->log_reserve, .hashing = on_hashing, .arg = opening };
	char path[4096];
	int rc;

	snprintf(path, sizeof(path), "%s/log", o->data);
	rc = make_dir(path, err);
	if (rc == 0)
		rc = log_open(path, &lo, &l->log, err);
	if (rc == 0)
		rc = log_reader_open(l->log, 0, &l->reader, err);
	if (rc == 0)
		l->source = event_source_of(l->reader);
	return rc;
}

/* Views that are ahead of the log, or stand for another one, are no views of it. */
static bool views_fit(struct ledger *l)
{
	static const uint8_t none[ENGINE_ROOT];
	uint8_t seen[ENGINE_ROOT], root[ENGINE_ROOT];
	struct err err;
	uint64_t seq;

	engine_checkpoint(l->engine, &seq, seen);
	if (seq == 0)
		return true;
	if (engine_next(l->engine) > log_head(l->log) + 1 || seq > log_head(l->log))
		return false;
	if (memcmp(seen, none, ENGINE_ROOT) == 0)
		return true;
	return log_reader_refresh(l->reader, &err) == 0 && log_reader_root_at(l->reader, seq, root, &err) == 0 &&
	       memcmp(root, seen, ENGINE_ROOT) == 0;
}

static int open_views(struct ledger *l, const struct ledger_options *o, bool (*progress)(void *, uint64_t, uint64_t),
		      void *arg, struct err *err)
{
	uint8_t seen[ENGINE_ROOT];
	char path[4096];
	int rc;

	snprintf(path, sizeof(path), "%s/views", o->data);
	rc = engine_open(path, &l->engine, err);
	if (rc == 0 && !views_fit(l)) {
		diag_warn("the views are not of this log: building them anew");
		rc = engine_discard(l->engine, err);
	}
	if (rc != 0)
		return rc;
	engine_checkpoint(l->engine, &l->checkpoint_seq, seen);
	if (engine_next(l->engine) <= log_head(l->log))
		diag_info("folding events %" PRIu64 "..%" PRIu64, engine_next(l->engine), log_head(l->log));
	rc = log_reader_refresh(l->reader, err);
	return rc == 0 ? engine_catch_up(l->engine, &l->source, log_head(l->log), progress, arg, err) : rc;
}

static int install_defaults(struct ledger *l, struct err *err)
{
	static const struct command_params common = { .actor = { "server", 6 } };
	struct server_install_defaults p = { 0 };
	struct command c = { .method = METHOD_server_install_defaults, .params = &p, .common = &common };
	struct buf out;
	int rc;

	buf_init(&out, 1 << 16);
	rc = ledger_command(l, &c, &out, err);
	buf_free(&out);
	return rc;
}

int ledger_open(const struct ledger_options *o, struct event_base *base, const struct ledger_ops *ops,
		bool (*progress)(void *, uint64_t, uint64_t), void *arg, struct ledger **ret, struct err *err)
{
	struct opening opening = { progress, arg };
	struct ledger *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	l->ops = *ops;
	l->seal_behind = o->seal_behind;
	l->timers_stale = true;
	l->last_checkpoint_ms = monotonic_ms();
	buf_init(&l->bytes, COMMIT_BYTES_MAX);
	buf_init(&l->scratch, RESULT_BYTES_MAX);
	l->flush = (struct flush_job){ .job = { run_flush, done_flush, NULL }, .ledger = l };
	l->checkpoint = (struct checkpoint_job){ .job = { run_checkpoint, done_checkpoint, NULL }, .ledger = l };
	rc = make_dir(o->data, err);
	if (rc == 0)
		rc = open_log(l, o, &opening, err);
	if (rc == 0)
		rc = open_views(l, o, progress, arg, err);
	if (rc == 0)
		rc = worker_start(base, "log-writer", WORKER_PROMPT, &l->writer, err);
	if (rc == 0)
		rc = worker_start(base, "checkpointer", WORKER_PROMPT, &l->checkpointer, err);
	if (rc == 0 && o->seal)
		rc = sealer_open(base, l->log, &l->sealer, err);
	if (rc == 0 && o->install_defaults && log_head(l->log) == 0)
		rc = install_defaults(l, err);
	if (rc != 0) {
		ledger_close(l);
		return rc;
	}
	*ret = l;
	return 0;
}

/* What is decided but not durable yet is flushed here, on the loop thread: the writer has stopped. */
static void flush_rest(struct ledger *l)
{
	struct block *block = log_begin_flush(l->log);
	struct err err;
	int rc;

	if (block == NULL)
		return;
	rc = log_flush(l->log, block, &err);
	log_end_flush(l->log, block, rc == 0);
	if (rc != 0)
		diag_error("the last block could not be written: %s", err.text);
	else
		l->ops.durable(l->ops.arg, log_durable(l->log));
}

static void last_checkpoint(struct ledger *l)
{
	uint64_t rows, bytes, size;
	struct err err;
	int rc = 0;

	engine_pending(l->engine, &rows, &bytes);
	if (log_failed(l->log) || l->frozen || rows == 0)
		return;
	log_root(l->log, &size, l->frozen_root);
	engine_freeze(l->engine, log_head(l->log));
	rc = engine_apply(l->engine, l->frozen_root, &err);
	if (rc == 0)
		rc = engine_applied(l->engine, &err);
	if (rc != 0)
		diag_warn("no checkpoint at the end, the next start folds instead: %s", err.text);
}

void ledger_close(struct ledger *l)
{
	if (l == NULL)
		return;
	worker_stop(l->writer);
	l->writer = NULL;
	sealer_close(l->sealer);
	l->sealer = NULL;
	if (l->log != NULL && l->checkpointer != NULL && !log_failed(l->log)) {
		flush_rest(l);
		if (l->frozen && !l->rooted)
			apply_frozen(l);
	}
	worker_stop(l->checkpointer);
	if (l->engine != NULL && l->checkpointer != NULL)
		last_checkpoint(l);
	engine_close(l->engine);
	log_reader_close(l->reader);
	log_close(l->log);
	buf_free(&l->bytes);
	buf_free(&l->scratch);
	free(l->done);
	free(l);
}
