#include "projections/log_index.h"

#include "core/postings.h"
#include "core/rules.h"
#include "projections/fold.h"

/*
 * The projection `log`: ways into the log that are not by seq. A user's and a stream's events are runs
 * of seqs (core/postings.h): the latest run in one row of its own, full runs behind it by their last seq.
 */

enum { PERIOD_DAYS = 30, SWEEP_MAX = 2 };

/* Appends seq to a run as it is stored. True: it is full now, and *run holds it. */
static bool extend_run(struct slice bytes, uint64_t seq, struct buf *to, struct postings_run *run)
{
	struct postings_tail tail;

	if (bytes.base == NULL || !postings_tail(bytes, &tail))
		tail = (struct postings_tail){ 0 };
	else
		buf_append(to, bytes.base, bytes.len);
	postings_append(to, &tail, seq);
	if (tail.n + 1 < POSTINGS_RUN)
		return false;
	return postings_read(buf_slice(to), run);
}

/* The bytes of a run inside its row: [bin]. */
static struct slice row_run(const struct postings *row)
{
	struct mp m = mp_of(row->seqs);
	struct slice bytes;

	return row->seqs.base != NULL && mp_bin(&m, &bytes) ? bytes : SLICE_NULL;
}

static struct postings run_row(struct buf *packed, struct slice bytes)
{
	mp_put_bin(packed, bytes.len);
	buf_append(packed, bytes.base, bytes.len);
	return (struct postings){ buf_slice(packed) };
}

/* One way into the log: the tables of its runs, and whose runs. */
struct way {
	enum table_id recent, older;
	struct key key;
};

static void way_of_user(struct way *w, uint64_t user_id)
{
	w->recent = T_log_user_recent;
	w->older = T_log_user_older;
	key_log_user_recent(&w->key, user_id);
}

static void way_of_stream(struct way *w, struct slice stream)
{
	w->recent = T_log_stream_recent;
	w->older = T_log_stream_older;
	key_log_stream_recent(&w->key, stream);
}

static struct key older_key(const struct way *w, uint64_t last_seq)
{
	struct key k = w->key;

	key_put_U64(&k, last_seq);
	return k;
}

static void index_event(struct state *s, const struct way *w, uint64_t seq)
{
	uint8_t a[POSTINGS_BYTES_MAX + 10], b[POSTINGS_BYTES_MAX + 16];
	struct buf run_bytes = { .base = a, .cap = sizeof(a), .max = sizeof(a) };
	struct buf packed = { .base = b, .cap = sizeof(b), .max = sizeof(b) };
	struct postings row = { SLICE_NULL };
	struct postings_run run;

	row_get(s, w->recent, &w->key, &row);
	if (extend_run(row_run(&row), seq, &run_bytes, &run)) {
		struct key k = older_key(w, seq);

		row = run_row(&packed, buf_slice(&run_bytes));
		row_put(s, w->older, &k, &row);
		state_del(s, w->recent, key_slice(&w->key));
		return;
	}
	row = run_row(&packed, buf_slice(&run_bytes));
	row_put(s, w->recent, &w->key, &row);
}

/* Digits from `at` on, up to the end or a colon. */
static bool take_uid(struct slice stream, size_t at, int64_t *ret, size_t *ret_end)
{
	const char *p = stream.base;
	size_t i = at;
	int64_t v = 0;

	for (; i < stream.len && p[i] != ':'; i++)
		if (p[i] < '0' || p[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, p[i] - '0', &v))
			return false;
	*ret = v;
	*ret_end = i;
	return i > at;
}

bool stream_user(struct slice stream, int64_t *ret)
{
	for (int i = 0; i < N_STREAMS; i++) {
		const struct stream_def *def = &stream_defs[i];
		struct slice prefix = slice_str(def->prefix);
		size_t end;

		if (def->key != STREAM_KEY_UID || !slice_starts(stream, prefix) || stream.len <= prefix.len ||
		    ((const char *)stream.base)[prefix.len] != ':' || !take_uid(stream, prefix.len + 1, ret, &end))
			continue;
		return def->key2 == STREAM_KEY_NONE ? end == stream.len : end + 1 < stream.len;
	}
	return false;
}

/* ---- idempotency keys ---- */

static uint64_t period_of(int64_t at)
{
	return (uint64_t)(utc_day(at) / PERIOD_DAYS);
}

/* Each key written takes up to two of older periods away, so nothing piles up and no fold is long. */
static void sweep_keys(struct state *s, uint64_t period)
{
	struct state_cursor c;
	bool more;
	int n = 0;

	if (period < 2)
		return;
	state_cursor_open(&c, s, T_log_key);
	for (more = state_cursor_seek(&c, SLICE_LIT("")); more && n < SWEEP_MAX; more = state_cursor_next(&c)) {
		struct slice row = c.key;
		uint64_t at;

		if (!key_take_U64(&row, &at) || at + 2 > period)
			break;
		state_del(s, T_log_key, c.key);
		n++;
	}
	state_cursor_close(&c);
}

static void index_key(struct state *s, const struct event *ev)
{
	struct log_key_row row = { ev->seq };
	uint64_t period = period_of(ev->at);

	sweep_keys(s, period);
	put_log_key(s, period, ev->key, &row);
}

uint64_t log_key_seq(struct state *s, struct slice key, int64_t now)
{
	uint64_t period = period_of(now);
	struct log_key_row row;

	if (get_log_key(s, period, key, &row) || (period > 0 && get_log_key(s, period - 1, key, &row)))
		return row.seq;
	return 0;
}

/* ---- every event ---- */

static void on_every(struct state *s, const struct event *ev)
{
	int64_t users[EVENT_USERS_MAX];
	size_t n = event_users(ev->type, ev->data, users, EVENT_USERS_MAX);
	struct way w;

	for (size_t i = 0; i < n; i++) {
		way_of_user(&w, (uint64_t)users[i]);
		index_event(s, &w, ev->seq);
	}
	if (stream_defs[event_defs[ev->type].stream].key != STREAM_KEY_UID) {
		way_of_stream(&w, ev->stream);
		index_event(s, &w, ev->seq);
	}
	if (ev->key.base != NULL)
		index_key(s, ev);
}

const struct fold_table log_folds = { NULL, 0, on_every };

/* ---- walking ---- */

static bool read_run(struct slice value, struct postings_run *ret)
{
	struct mp m = mp_of(value);
	struct postings row;

	return record_get(&m, record_postings(), &row, NULL) && postings_read(row_run(&row), ret) && ret->n > 0;
}

static bool recent_run(struct state *s, const struct way *w, struct postings_run *ret)
{
	struct slice value;

	return state_get(s, w->recent, key_slice(&w->key), &value) && read_run(value, ret);
}

/* First older run that ends at or after seq. */
static bool older_run(struct state_cursor *c, const struct way *w, uint64_t seq, struct postings_run *ret)
{
	struct key k = older_key(w, seq);

	return state_cursor_seek(c, key_slice(&k)) && slice_starts(c->key, key_slice(&w->key)) &&
	       read_run(c->value, ret);
}

/* Last older run that ends before seq. */
static bool run_before(struct state_cursor *c, const struct way *w, uint64_t seq, struct postings_run *ret)
{
	struct key k = older_key(w, seq);

	return state_cursor_seek_before(c, key_slice(&k)) && slice_starts(c->key, key_slice(&w->key)) &&
	       read_run(c->value, ret);
}

/*
 * Loads the run that holds the first seq at or after (backward: at or before) `seq`. Older runs end before
 * the recent one begins.
 */
static bool load_run(struct postings_walk *walk, uint64_t seq)
{
	struct state_cursor c;
	struct way w;
	bool found;

	if (walk->stream.base != NULL)
		way_of_stream(&w, walk->stream);
	else
		way_of_user(&w, walk->user_id);
	state_cursor_open(&c, walk->state, w.older);
	found = older_run(&c, &w, seq, &walk->run) || recent_run(walk->state, &w, &walk->run);
	if (walk->backward && (!found || walk->run.seqs[0] > seq))
		found = run_before(&c, &w, seq, &walk->run);
	state_cursor_close(&c);
	return found;
}

static uint64_t in_run(const struct postings_walk *w, uint64_t seq)
{
	const struct postings_run *r = &w->run;

	if (w->backward) {
		for (unsigned i = r->n; i-- > 0;)
			if (r->seqs[i] <= seq)
				return r->seqs[i];
	} else {
		for (unsigned i = 0; i < r->n; i++)
			if (r->seqs[i] >= seq)
				return r->seqs[i];
	}
	return 0;
}

static bool run_covers(const struct postings_walk *w, uint64_t seq)
{
	const struct postings_run *r = &w->run;

	return r->n > 0 && seq >= r->seqs[0] && seq <= r->seqs[r->n - 1];
}

uint64_t postings_next(struct postings_walk *w, uint64_t seq)
{
	if (!run_covers(w, seq) && !load_run(w, seq))
		return 0;
	return in_run(w, seq);
}
