#include "daemon/rebuild.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/diag.h"
#include "daemon/ledger.h"
#include "daemon/server.h"
#include "daemon/worker.h"

enum { CLOSE_ENOUGH = 2000, ROUNDS_MAX = 20 };

struct rebuilding {
	struct job job;
	struct checkpoint_wait wait;
	struct ticket ticket;
	struct server *server;
	struct ledger *ledger;
	unsigned projections;
	bool verify;
	struct rebuild *rebuild;
	struct snapshot *snapshot; /* verify: what it is compared with */
	struct log_reader *log;
	struct event_source source;
	int rounds;
	int64_t started_ns;
	struct buf out;
	int rc;
	struct err err;
};

/* Told by the worker, read by the loop. */
static pthread_mutex_t progress_lock = PTHREAD_MUTEX_INITIALIZER;
static struct rebuild_progress progress;

void rebuild_get_progress(struct rebuild_progress *ret)
{
	pthread_mutex_lock(&progress_lock);
	*ret = progress;
	pthread_mutex_unlock(&progress_lock);
}

static bool tell_progress(void *arg, uint64_t seq, uint64_t to)
{
	struct rebuilding *r = arg;

	pthread_mutex_lock(&progress_lock);
	progress.done_seq = seq;
	progress.head_seq = to;
	pthread_mutex_unlock(&progress_lock);
	return !server_stopping(r->server);
}

static void begin_progress(const struct rebuilding *r)
{
	pthread_mutex_lock(&progress_lock);
	progress = (struct rebuild_progress){ .running = true,
					      .verify = r->verify,
					      .projections = r->projections,
					      .started_at = clock_ms(),
					      .head_seq = ledger_head(r->ledger) };
	pthread_mutex_unlock(&progress_lock);
}

static void end_progress(const struct rebuilding *r)
{
	pthread_mutex_lock(&progress_lock);
	progress.running = false;
	if (r->rc != 0)
		memcpy(progress.last_error, r->err.text, sizeof(progress.last_error));
	pthread_mutex_unlock(&progress_lock);
}

static void finish(struct rebuilding *r)
{
	end_progress(r);
	if (r->rc != 0)
		diag_error("rebuild: %s", r->err.text);
	call_answer(&r->ticket, r->rc, buf_slice(&r->out), &r->err);
	rebuild_close(r->rebuild);
	snapshot_close(r->snapshot);
	log_reader_close(r->log);
	/* what it leaves takes disk, and handles of which there are only so many */
	ledger_want_checkpoint(r->ledger);
	buf_free(&r->out);
	free(r);
}

static void put_names(struct buf *out, unsigned mask)
{
	size_t head = array_open(out);
	uint32_t n = 0;

	for (int p = 0; p < N_PROJECTIONS; p++)
		if (mask >> p & 1) {
			mp_put_text(out, slice_str(projection_defs[p].name));
			n++;
		}
	array_close(out, head, n);
}

/* ---- rebuild ---- */

static void run_fold(struct job *job)
{
	struct rebuilding *r = (struct rebuilding *)job;

	r->rc = log_reader_refresh(r->log, &r->err);
	if (r->rc == 0)
		r->rc = rebuild_fold(r->rebuild, &r->source, log_reader_head(r->log), tell_progress, r, &r->err);
	log_reader_idle(r->log);
}

/* Checkpoints stand still: the live store takes the tables over and folds what came since. */
static void adopt(void *arg)
{
	struct rebuilding *r = arg;
	struct ledger *l = r->ledger;
	struct event_source live = event_source_of(ledger_reader(l));
	struct map_writer w;
	double seconds;

	r->rc = rebuild_adopt(r->rebuild, &live, ledger_head(l), &r->err);
	ledger_release(l);
	ledger_resume_checkpoints(l);
	if (r->rc == 0) {
		seconds = (double)(monotonic_ns() - r->started_ns) / 1e9;
		diag_info("rebuilt up to event %" PRIu64 " in %.1f s", ledger_head(l), seconds);
		map_open(&w, &r->out);
		put_names(map_key(&w, "rebuilt"), r->projections);
		map_uint(&w, "seq", ledger_head(l));
		map_uint(&w, "events", ledger_head(l));
		map_int(&w, "time_ms", (int64_t)(seconds * 1000));
		map_close(&w);
	}
	finish(r);
}

static void done_fold(struct job *job)
{
	struct rebuilding *r = (struct rebuilding *)job;

	if (r->rc != 0) {
		finish(r);
		return;
	}
	if (ledger_durable(r->ledger) - rebuild_seq(r->rebuild) > CLOSE_ENOUGH && ++r->rounds < ROUNDS_MAX) {
		worker_submit(server_rebuilder(r->server), &r->job);
		return;
	}
	ledger_pause_checkpoints(r->ledger, adopt, r);
}

static int open_rebuilding(struct call *c, unsigned projections, bool verify, struct rebuilding **ret)
{
	struct ledger *l = server_ledger(c->server);
	struct rebuild_progress now;
	struct rebuilding *r;
	int rc;

	rebuild_get_progress(&now);
	if (now.running) {
		err_set(c->err, E_IN_USE, "a rebuild is running, at event %" PRIu64 " of %" PRIu64, now.done_seq,
			now.head_seq);
		err_detail_text(c->err, "reason", SLICE_LIT("rebuild_running"));
		return E_IN_USE;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return err_set(c->err, E_INTERNAL, "no memory");
	*r = (struct rebuilding){ .ticket = call_ticket(c),
				  .server = c->server,
				  .ledger = l,
				  .projections = projections,
				  .verify = verify,
				  .started_ns = monotonic_ns() };
	buf_init(&r->out, 1 << 16);
	rc = log_reader_open(ledger_log(l), LOG_DURABLE_ONLY, &r->log, c->err);
	if (rc == 0)
		rc = rebuild_open(ledger_engine(l), projections, &r->rebuild, c->err);
	if (rc != 0) {
		log_reader_close(r->log);
		free(r);
		return rc;
	}
	r->source = event_source_of(r->log);
	begin_progress(r);
	*ret = r;
	return 0;
}

int rebuild_start(struct call *c, unsigned projections)
{
	struct rebuilding *r = NULL;
	int rc = open_rebuilding(c, projections, false, &r);

	if (rc != 0 || r == NULL)
		return rc;
	r->job = (struct job){ run_fold, done_fold, NULL };
	worker_submit(server_rebuilder(c->server), &r->job);
	return CALL_LATER;
}

/* ---- verify ---- */

static void compare(struct rebuilding *r)
{
	struct state *live = snapshot_state(r->snapshot), *rebuilt = rebuild_state(r->rebuild);
	char text[600] = "", hex[33];
	struct map_writer w, prints[2];
	bool equal = true;

	for (int p = 0; p < N_PROJECTIONS && equal; p++)
		if (r->projections >> p & 1)
			equal = !projection_difference(live, rebuilt, (enum projection_id)p, text, sizeof(text));
	map_open(&w, &r->out);
	map_bool(&w, "equal", equal);
	for (int side = 0; side < 2 && r->rc == 0; side++) {
		map_open(&prints[side], map_key(&w, side == 0 ? "live" : "rebuilt"));
		for (int p = 0; p < N_PROJECTIONS && r->rc == 0; p++) {
			if ((r->projections >> p & 1) == 0)
				continue;
			r->rc = projection_fingerprint(side == 0 ? live : rebuilt, (enum projection_id)p, hex, &r->err);
			if (r->rc == 0)
				map_str(&prints[side], projection_defs[p].name, hex);
		}
		map_close(&prints[side]);
	}
	map_uint(&w, "seq", snapshot_seq(r->snapshot));
	map_str(&w, "first_difference", equal ? NULL : text);
	map_close(&w);
}

static void run_verify(struct job *job)
{
	struct rebuilding *r = (struct rebuilding *)job;

	r->rc = log_reader_refresh(r->log, &r->err);
	if (r->rc == 0)
		r->rc = rebuild_fold(r->rebuild, &r->source, snapshot_seq(r->snapshot), tell_progress, r, &r->err);
	if (r->rc == 0)
		compare(r);
	log_reader_idle(r->log);
}

static void done_verify(struct job *job)
{
	finish((struct rebuilding *)job);
}

static void on_checkpoint(struct checkpoint_wait *w, int rc, const struct err *err)
{
	struct rebuilding *r = (struct rebuilding *)((char *)w - offsetof(struct rebuilding, wait));

	r->rc = rc;
	if (rc != 0) {
		r->err = *err;
		finish(r);
		return;
	}
	r->rc = snapshot_open(ledger_engine(r->ledger), &r->snapshot, &r->err);
	ledger_snapshot_taken(r->ledger);
	if (r->rc != 0) {
		finish(r);
		return;
	}
	r->job = (struct job){ run_verify, done_verify, NULL };
	worker_submit(server_rebuilder(r->server), &r->job);
}

int rebuild_verify(struct call *c, unsigned projections)
{
	struct rebuilding *r = NULL;
	int rc = open_rebuilding(c, projections, true, &r);

	if (rc != 0 || r == NULL)
		return rc;
	r->wait.ready = on_checkpoint;
	ledger_await_checkpoint(r->ledger, &r->wait);
	return CALL_LATER;
}
