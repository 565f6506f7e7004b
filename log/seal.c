#include <inttypes.h>
#include <stdlib.h>

#include "log/env.h"
#include "log/internal.h"

/* Sealing: cold raw blocks become one of the same events, packed. */

enum {
	/* One sealed block: so many events, or blocks, or bytes unpacked. The first bounds what a commit writes, the
	 * second what it deletes, where each block holds an event or two. */
	SEAL_EVENTS = 16384,
	SEAL_BLOCKS = 2048,
	SEAL_BYTES = 8 << 20,
	VALUE_MAX = 256 << 20,
	GROUP_BYTES = 1 << 20, /* events so large that a group takes more go into smaller groups */
};

static const MDB_val sealed_key = { 4, (void *)"seal" };

struct seal {
	uint64_t first;
	uint32_t n_blocks;
	uint64_t raw_bytes; /* of the blocks, as stored */
	struct block_head head;
	struct buf value; /* the sealed block */
	bool stored;
};

void log_seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	buf_free(&s->value);
	free(s);
}

uint64_t log_seal_last(const struct seal *s)
{
	return block_head_last(&s->head);
}

/* ---- how far ---- */

int sealed_get(MDB_txn *txn, MDB_dbi tail, struct log_sealed *ret, struct err *err)
{
	MDB_val key = sealed_key, val;
	int rc = mdb_get(txn, tail, &key, &val);

	*ret = (struct log_sealed){ 0 };
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return err_mdb(err, rc, "row of what is sealed");
	return sealed_row_parse(slice_of(val.mv_data, val.mv_size), ret, err);
}

static int sealed_put(MDB_txn *txn, MDB_dbi tail, const struct log_sealed *sealed)
{
	uint8_t row[SEALED_ROW];
	MDB_val key = sealed_key, val = { sizeof(row), row };

	sealed_row_put(row, sealed);
	return mdb_put(txn, tail, &key, &val, 0);
}

/* ---- what to pack ---- */

static bool is_enough(const struct seal *s)
{
	return s->head.count >= SEAL_EVENTS || s->n_blocks >= SEAL_BLOCKS || s->head.unpacked >= SEAL_BYTES;
}

static void take_block(struct seal *s, const struct block_view *b)
{
	struct block_head *h = &s->head;

	if (s->n_blocks == 0) {
		*h = b->head;
		h->count = h->unpacked = 0;
		h->types = (struct log_types){ { 0 } };
		h->codec = BLOCK_ZSTD;
		h->group = BLOCK_GROUP_SEALED;
	}
	h->count += b->head.count;
	h->unpacked += b->head.unpacked;
	h->last_at = b->head.last_at;
	for (int i = 0; i < 4; i++)
		h->types.bits[i] |= b->head.types.bits[i];
	memcpy(h->root, b->head.root, MERKLE_HASH);
	s->n_blocks++;
	s->raw_bytes += block_head_size(b->n_groups) + b->head.stored;
}

/* E_NOT_FOUND: up to `to` there is too little. */
static int choose(struct log_reader *r, uint64_t to, struct seal *s, struct err *err)
{
	if (to > r->seen)
		to = r->seen;
	for (uint64_t seq = s->first; !is_enough(s); seq = r->block.last + 1) {
		int rc = seq <= to ? reader_load(r, seq, err) : E_NOT_FOUND;

		if (rc == E_NOT_FOUND || (rc == 0 && r->block.last > to))
			return err_set(err, E_NOT_FOUND, "little that is cold since %" PRIu64, s->first);
		if (rc != 0)
			return rc;
		if (r->block.head.codec != BLOCK_RAW || r->block.head.first != seq)
			return err_set(err, E_INTERNAL, "block %" PRIu64 "..%" PRIu64 ": sealed out of order",
				       r->block.head.first, r->block.last);
		take_block(s, &r->block);
	}
	return 0;
}

/* ---- packing ---- */

struct press {
	struct log_reader *r;
	struct packer packer;
	struct buf group, back; /* of one group: its events, and what unpacking makes of it */
};

static int gather(struct press *p, uint64_t first, uint32_t n, struct err *err)
{
	uint8_t length[4];

	buf_reset(&p->group);
	for (uint64_t seq = first; seq < first + n; seq++) {
		struct log_entry e;
		int rc = log_reader_get(p->r, seq, &e, err);

		if (rc != 0)
			return rc;
		buf_append(&p->group, length, stored_length_put(length, (uint32_t)e.bytes.len));
		buf_append(&p->group, e.bytes.base, e.bytes.len);
	}
	return p->group.failed ? err_set(err, E_UNAVAILABLE, "out of memory") : 0;
}

/* Events are deleted for it, so what was packed is unpacked and compared first. */
static int check_back(struct press *p, struct slice frame, uint64_t first, uint32_t n, struct err *err)
{
	int rc = group_unpack(&p->packer, frame, first, n, (uint32_t)p->group.len, &p->back, err);

	if (rc == 0 && !slice_eq(buf_slice(&p->back), buf_slice(&p->group)))
		rc = err_set(err, E_INTERNAL, "does not unpack to what it was");
	return rc;
}

/* E_LIMIT_EXCEEDED: the group is too large to be one. */
static int pack_group(struct press *p, struct seal *s, uint32_t g, struct err *err)
{
	size_t head = block_head_size(block_n_groups(s->head.count, s->head.group)), begin = s->value.len;
	uint64_t first = s->first + (uint64_t)g * s->head.group, left = block_head_last(&s->head) - first + 1;
	uint32_t n = left < s->head.group ? (uint32_t)left : s->head.group;
	struct slice frame;
	int rc = gather(p, first, n, err);

	if (rc != 0)
		return rc;
	if (p->group.len > GROUP_BYTES && s->head.group > 1)
		return err_set(err, E_LIMIT_EXCEEDED, "large events");
	rc = group_pack(&p->packer, buf_slice(&p->group), first, n, &s->value, err);
	frame = slice_of(s->value.base + begin, s->value.len - begin);
	if (rc == 0)
		rc = check_back(p, frame, first, n, err);
	if (rc != 0)
		return err_wrap(err, "events %" PRIu64 "..%" PRIu64, first, first + n - 1);
	block_put_index(s->value.base, g, (uint32_t)(s->value.len - head), (uint32_t)p->group.len, log_checksum(frame));
	return 0;
}

static int stopped(const atomic_bool *stop, struct err *err)
{
	return stop != NULL && atomic_load(stop) ? err_set(err, E_UNAVAILABLE, "sealing was stopped") : 0;
}

static int pack_groups(struct press *p, struct seal *s, const atomic_bool *stop, struct err *err)
{
	uint32_t n = block_n_groups(s->head.count, s->head.group);
	size_t head = block_head_size(n);
	int rc = 0;

	buf_reset(&s->value);
	if (!buf_room(&s->value, head))
		return err_set(err, E_UNAVAILABLE, "out of memory");
	memset(s->value.base, 0, head);
	s->value.len = head;
	for (uint32_t g = 0; rc == 0 && g < n; g++) {
		rc = stopped(stop, err);
		if (rc == 0)
			rc = pack_group(p, s, g, err);
	}
	if (rc == 0) {
		s->head.stored = (uint32_t)(s->value.len - head);
		block_put_head(s->value.base, &s->head);
	}
	return rc;
}

static int pack(struct log_reader *r, struct seal *s, const atomic_bool *stop, struct err *err)
{
	struct press p = { .r = r };
	int rc;

	buf_init(&p.group, VALUE_MAX);
	do {
		rc = pack_groups(&p, s, stop, err);
	} while (rc == E_LIMIT_EXCEEDED && (s->head.group /= 2) > 0);
	packer_free(&p.packer);
	buf_free(&p.group);
	buf_free(&p.back);
	return rc;
}

int log_seal_prepare(struct log_reader *r, uint64_t to, const atomic_bool *stop, struct seal **ret, struct err *err)
{
	struct log_sealed sealed;
	struct seal *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return err_set(err, E_UNAVAILABLE, "out of memory");
	buf_init(&s->value, VALUE_MAX);
	rc = log_reader_refresh(r, err);
	if (rc == 0)
		rc = sealed_get(r->txn, r->log->tail, &sealed, err);
	if (rc == 0) {
		s->first = sealed.last + 1;
		rc = choose(r, to, s, err);
	}
	if (rc == 0)
		rc = pack(r, s, stop, err);
	log_reader_idle(r);
	if (rc != 0) {
		log_seal_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

/* ---- storing ---- */

/* Deletes the blocks that it replaces, but for the last, whose key becomes its own. They must be the ones packed. */
static int delete_blocks(MDB_cursor *cursor, const struct seal *s)
{
	uint8_t from[BLOCK_KEY];
	MDB_val key = { sizeof(from), from }, val;
	uint64_t last = 0;
	uint32_t n = 1;
	int rc;

	block_key(s->first, from);
	rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);
	for (; rc == 0; n++, rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		if (!block_key_parse(slice_of(key.mv_data, key.mv_size), &last) || last >= log_seal_last(s))
			break;
		rc = mdb_cursor_del(cursor, 0);
		if (rc != 0)
			return rc;
	}
	return rc == 0 && last == log_seal_last(s) && n == s->n_blocks ? 0 : MDB_CORRUPTED;
}

static int replace_blocks(MDB_txn *txn, MDB_dbi blocks, const struct seal *s)
{
	uint8_t last[BLOCK_KEY];
	MDB_val key = { sizeof(last), last }, val = { s->value.len, s->value.base };
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, blocks, &cursor);

	if (rc != 0)
		return rc;
	rc = delete_blocks(cursor, s);
	mdb_cursor_close(cursor);
	block_key(log_seal_last(s), last);
	return rc == 0 ? mdb_put(txn, blocks, &key, &val, 0) : rc;
}

int seal_put(struct log *log, MDB_txn *txn, const struct seal *s)
{
	struct log_sealed sealed;
	struct err ignored;
	int rc;

	if (sealed_get(txn, log->tail, &sealed, &ignored) != 0 || sealed.last + 1 != s->first)
		return MDB_CORRUPTED;
	rc = replace_blocks(txn, log->blocks, s);
	if (rc != 0)
		return rc;
	sealed.last = log_seal_last(s);
	sealed.blocks++;
	sealed.bytes += s->value.len;
	sealed.raw_bytes += s->raw_bytes;
	return sealed_put(txn, log->tail, &sealed);
}

int log_seal_write(struct log *log, struct seal *s, struct err *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(log->env, NULL, 0, &txn);

	if (rc != 0)
		return err_mdb(err, rc, "begin sealing");
	rc = seal_put(log, txn, s);
	if (rc != 0)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	if (rc != 0)
		return err_mdb(err, tell_full(log, rc), "seal events %" PRIu64 "..%" PRIu64, s->first,
			       log_seal_last(s));
	s->stored = true;
	return 0;
}

void seal_set_stored(struct seal *s)
{
	s->stored = true;
}

bool log_seal_stored(const struct seal *s)
{
	return s->stored;
}
