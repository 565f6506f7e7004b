#include <inttypes.h>
#include <stdlib.h>

#include "log/env.h"
#include "log/internal.h"

/*
 * What a reader takes in one transaction; then it goes on in a new one. As long as a transaction lasts no page freed
 * since is used again, and the list of free pages that is left is searched through, and written, with every commit to
 * come: measured after half a minute of one transaction beside awards, commits took seven times as long, for good.
 */
enum { TAKEN_MAX = 256 << 10 };

/* A block that holds some seq, wherever it is. memory NULL: the reader's durable block. */
struct span {
	uint64_t first, last;
	int64_t last_at;
	const struct log_types *types;
	const struct block *memory;
};

/* ---- the transaction ---- */

int log_reader_open(struct log *log, int flags, struct log_reader **ret, struct err *err)
{
	struct log_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return err_set(err, E_UNAVAILABLE, "out of memory");
	r->log = log;
	r->durable_only = flags & LOG_DURABLE_ONLY;
	rc = mdb_txn_begin(log->env, NULL, MDB_RDONLY, &r->txn);
	if (rc == 0)
		rc = mdb_cursor_open(r->txn, log->blocks, &r->cursor);
	if (rc != 0) {
		log_reader_close(r);
		return err_mdb(err, rc, "open a reader");
	}
	mdb_txn_reset(r->txn);
	*ret = r;
	return 0;
}

void log_reader_close(struct log_reader *r)
{
	if (r == NULL)
		return;
	if (r->cursor != NULL)
		mdb_cursor_close(r->cursor);
	if (r->txn != NULL)
		mdb_txn_abort(r->txn);
	unpacked_free(r->unpacked);
	free(r);
}

void log_reader_idle(struct log_reader *r)
{
	if (r->live)
		mdb_txn_reset(r->txn);
	r->live = r->has_block = false;
	r->group = NULL;
}

static int find_seen(struct log_reader *r, struct err *err)
{
	MDB_val key, val;
	int rc = mdb_cursor_get(r->cursor, &key, &val, MDB_LAST);

	r->seen = 0;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return err_mdb(err, rc, "last block");
	if (!block_key_parse(slice_of(key.mv_data, key.mv_size), &r->seen))
		return err_set(err, E_INTERNAL, "last block: a key of %zu bytes", key.mv_size);
	return 0;
}

int log_reader_refresh(struct log_reader *r, struct err *err)
{
	int rc;

	log_reader_idle(r);
	rc = mdb_txn_renew(r->txn);
	if (rc != 0)
		return err_mdb(err, rc, "begin reading");
	r->live = true;
	r->taken = 0;
	rc = mdb_cursor_renew(r->txn, r->cursor);
	rc = rc != 0 ? err_mdb(err, rc, "begin reading") : find_seen(r, err);
	if (rc != 0)
		log_reader_idle(r);
	return rc;
}

int reader_wake(struct log_reader *r, struct err *err)
{
	return r->live ? 0 : log_reader_refresh(r, err);
}

int reader_tail(struct log_reader *r, struct merkle *ret, struct err *err)
{
	return tail_get(r->txn, r->log->tail, ret, err);
}

/* ---- finding ---- */

int reader_load(struct log_reader *r, uint64_t seq, struct err *err)
{
	int rc;

	if (r->has_block && seq >= r->block.head.first && seq <= r->block.last)
		return 0;
	r->has_block = false;
	r->group = NULL;
	rc = r->durable_only && r->taken >= TAKEN_MAX ? log_reader_refresh(r, err) : 0;
	if (rc == 0)
		rc = block_find(r->cursor, seq, &r->block, err);
	r->has_block = rc == 0;
	r->taken += rc == 0 ? r->block.head.stored : 0;
	return rc;
}

/* The block in memory that holds seq, NULL when none does. */
static const struct block *in_memory(const struct log *log, uint64_t seq)
{
	if (seq >= log->open->first)
		return seq <= block_last_seq(log->open) ? log->open : NULL;
	return log->flight != NULL && seq >= log->flight->first ? log->flight : NULL;
}

/* Last seq the reader sees. */
static uint64_t reach(const struct log_reader *r)
{
	return r->durable_only ? r->seen : log_head(r->log);
}

uint64_t log_reader_head(const struct log_reader *r)
{
	return reach(r);
}

static struct span span_of_memory(const struct block *b)
{
	return (struct span){ b->first, block_last_seq(b), b->last_at, &b->types, b };
}

/* seq is in 1..log_durable(), or 1..seen when durable_only. */
static int find_durable(struct log_reader *r, uint64_t seq, struct err *err)
{
	/* It became durable after the transaction began, and has left the memory. */
	int rc = seq > r->seen ? log_reader_refresh(r, err) : 0;

	if (rc == 0 && seq > r->seen)
		rc = err_set(err, E_INTERNAL, "the block that holds %" PRIu64 " is missing", seq);
	return rc == 0 ? reader_load(r, seq, err) : rc;
}

/* seq is in 1..reach(). */
static int find(struct log_reader *r, uint64_t seq, struct span *ret, struct err *err)
{
	const struct block *b;
	int rc;

	if (!r->durable_only && seq > log_durable(r->log)) {
		b = in_memory(r->log, seq);
		assert(b != NULL);
		*ret = span_of_memory(b);
		return 0;
	}
	rc = find_durable(r, seq, err);
	if (rc != 0)
		return rc;
	*ret = (struct span){ r->block.head.first, r->block.last, r->block.head.last_at, &r->block.head.types, NULL };
	return 0;
}

/* Group n of the reader's block. */
static int load_group(struct log_reader *r, uint32_t n, const struct block_group **ret, struct err *err)
{
	int rc;

	if (r->block.head.codec == BLOCK_RAW) {
		rc = block_group_load(&r->block, n, NULL, &r->raw, err);
		*ret = &r->raw;
		return rc;
	}
	if (r->unpacked == NULL)
		r->unpacked = unpacked_new();
	if (r->unpacked == NULL) {
		err_set(err, E_UNAVAILABLE, "out of memory");
		return E_UNAVAILABLE;
	}
	return unpacked_get(r->unpacked, &r->block, n, ret, err);
}

/* Fills ret with event seq of the span. */
static int entry(struct log_reader *r, const struct span *s, uint64_t seq, struct log_entry *ret, struct err *err)
{
	const struct block_group *g = r->group;
	int rc;

	if (s->memory != NULL) {
		*ret = (struct log_entry){ seq, block_event_tag(s->memory, seq), block_event(s->memory, seq) };
		return 0;
	}
	if (g == NULL || seq - g->first >= g->n) {
		r->group = NULL;
		rc = load_group(r, (uint32_t)(seq - s->first) / r->block.head.group, &g, err);
		if (rc != 0)
			return rc;
		r->group = g;
	}
	ret->seq = seq;
	ret->bytes = block_group_event(g, (uint32_t)(seq - g->first));
	if (!stored_tag(ret->bytes, &ret->tag))
		return err_set(err, E_INTERNAL, "event %" PRIu64 ": envelope malformed", seq);
	return 0;
}

static int not_there(uint64_t seq, struct err *err)
{
	return err_set(err, E_NOT_FOUND, "no event %" PRIu64, seq);
}

int log_reader_get(struct log_reader *r, uint64_t seq, struct log_entry *ret, struct err *err)
{
	struct log_entry e;
	struct span s;
	int rc = reader_wake(r, err);

	if (rc != 0)
		return rc;
	if (seq == 0 || seq > reach(r))
		return not_there(seq, err);
	if ((rc = find(r, seq, &s, err)) != 0 || (rc = entry(r, &s, seq, &e, err)) != 0)
		return rc;
	*ret = e;
	return 0;
}

/* ---- walking ---- */

static bool wants_all(const struct log_types *t)
{
	return t == NULL || (t->bits[0] | t->bits[1] | t->bits[2] | t->bits[3]) == 0;
}

static bool types_meet(const struct log_types *a, const struct log_types *b)
{
	return ((a->bits[0] & b->bits[0]) | (a->bits[1] & b->bits[1]) | (a->bits[2] & b->bits[2]) |
		(a->bits[3] & b->bits[3])) != 0;
}

/* Walks inside one span. E_NOT_FOUND: *seq has left it. */
static int next_in_span(struct log_reader *r, const struct span *s, uint64_t *seq, bool backward,
			const struct log_types *types, struct log_entry *ret, uint64_t *examined, struct err *err)
{
	for (; *seq >= s->first && *seq <= s->last; *seq += backward ? UINT64_MAX : 1) {
		struct log_entry e;
		int rc = entry(r, s, *seq, &e, err);

		if (rc != 0)
			return rc;
		++*examined;
		if (types == NULL || log_types_has(types, e.tag)) {
			*ret = e;
			return 0;
		}
	}
	return E_NOT_FOUND;
}

int log_reader_next(struct log_reader *r, uint64_t seq, bool backward, const struct log_types *types,
		    struct log_entry *ret, uint64_t *ret_examined, struct err *err)
{
	uint64_t examined = 0, from = seq;
	int rc = reader_wake(r, err);

	if (rc != 0)
		return rc;
	if (wants_all(types))
		types = NULL;
	if (backward && seq > reach(r))
		seq = reach(r);
	else if (!backward && seq == 0)
		seq = 1;
	rc = E_NOT_FOUND;
	while (rc == E_NOT_FOUND && seq >= 1 && seq <= reach(r)) {
		struct span s;

		rc = find(r, seq, &s, err);
		if (rc != 0)
			break;
		if (types != NULL && !types_meet(types, s.types)) {
			examined++;
			seq = backward ? s.first - 1 : s.last + 1;
			rc = E_NOT_FOUND;
			continue;
		}
		rc = next_in_span(r, &s, &seq, backward, types, ret, &examined, err);
	}
	if (ret_examined != NULL)
		*ret_examined += examined;
	if (rc == E_NOT_FOUND)
		err_set(err, E_NOT_FOUND, "no such event %s %" PRIu64, backward ? "up to" : "from", from);
	return rc;
}

/* ---- by time, by commit ---- */

static int head_of(struct log_reader *r, const struct span *s, uint64_t seq, struct stored_head *ret, struct err *err)
{
	struct log_entry e;
	int rc = entry(r, s, seq, &e, err);

	if (rc == 0 && !stored_head(e.bytes, ret))
		rc = err_set(err, E_INTERNAL, "event %" PRIu64 ": envelope malformed", seq);
	return rc;
}

/* Times do not fall from block to block, so the first block that ends late enough can be searched for; low
 * is the first seq of a block or reach() + 1. */
static int find_block_by_time(struct log_reader *r, int64_t at, uint64_t *low, struct err *err)
{
	uint64_t high = reach(r) + 1;

	for (*low = 1; *low < high;) {
		struct span s;
		int rc = find(r, *low + (high - *low) / 2, &s, err);

		if (rc != 0)
			return rc;
		if (s.last_at < at)
			*low = s.last + 1;
		else
			high = s.first;
	}
	return 0;
}

/* First event of the span at or after `at`; its last event is. */
static int find_event_by_time(struct log_reader *r, const struct span *s, int64_t at, uint64_t *ret_seq,
			      struct err *err)
{
	uint64_t low = s->first, high = s->last;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		struct stored_head e;
		int rc = head_of(r, s, mid, &e, err);

		if (rc != 0)
			return rc;
		if (e.at < at)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_seq = low;
	return 0;
}

int log_reader_seek_time(struct log_reader *r, int64_t at, uint64_t *ret_seq, struct err *err)
{
	uint64_t first;
	struct span s;
	int rc = reader_wake(r, err);

	if (rc != 0 || (rc = find_block_by_time(r, at, &first, err)) != 0)
		return rc;
	if (first > reach(r)) {
		*ret_seq = first;
		return 0;
	}
	rc = find(r, first, &s, err);
	return rc != 0 ? rc : find_event_by_time(r, &s, at, ret_seq, err);
}

int log_reader_commit_end(struct log_reader *r, uint64_t seq, uint64_t *ret_last, struct err *err)
{
	struct stored_head e;
	struct span s;
	uint64_t last;
	int rc = reader_wake(r, err);

	if (rc != 0)
		return rc;
	if (seq == 0 || seq > reach(r))
		return not_there(seq, err);
	rc = find(r, seq, &s, err);
	if (rc != 0)
		return rc;
	/* A commit is never split over two blocks. */
	for (last = seq; last < s.last; last++) {
		rc = head_of(r, &s, last + 1, &e, err);
		if (rc != 0)
			return rc;
		if (e.back == 0)
			break;
	}
	*ret_last = last;
	return 0;
}

/* ---- proof ---- */

int log_reader_root_at(struct log_reader *r, uint64_t size, uint8_t ret_root[32], struct err *err)
{
	int rc = reader_wake(r, err);

	if (rc != 0)
		return rc;
	if (size == 0 || size > (r->durable_only ? r->seen : log_durable(r->log)))
		return err_set(err, E_NOT_FOUND, "no tree of size %" PRIu64, size);
	rc = find_durable(r, size, err);
	if (rc != 0)
		return rc;
	if (r->block.last != size)
		return log_prove_root(r, size, ret_root, err);
	memcpy(ret_root, r->block.head.root, MERKLE_HASH);
	return 0;
}
