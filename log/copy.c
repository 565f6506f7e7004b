#include "log/copy.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "log/env.h"
#include "log/nodes.h"

enum { PIECE = 4 << 20, LITTLE_LEFT = 64 << 20 };

struct copying {
	struct log_reader *from;
	const char *dir;
	MDB_env *env;
	MDB_dbi blocks, tail, nodes;
	MDB_txn *txn;  /* NULL between pieces */
	uint64_t last; /* seq of the last event that was copied */
	bool at_end;   /* of what the transaction of this piece sees */
	struct err *err;
};

/* What LMDB could not write on a full disk it calls EIO. */
static int failed(const struct copying *c, int rc)
{
	struct err ignored;
	uint64_t left;

	if (rc == EIO && env_free_bytes(c->dir, &left, &ignored) == 0 && left < LITTLE_LEFT)
		rc = ENOSPC;
	return err_mdb(c->err, rc, "copy to %s", c->dir);
}

/* ---- a piece ---- */

static uint64_t seq_of(const MDB_val *key)
{
	uint64_t seq = 0;

	/* the log's own reader has seen the last one; what is wrong in between is found when the copy is verified */
	block_key_parse(slice_of(key->mv_data, key->mv_size), &seq);
	return seq;
}

/* MDB codes. */
static int from_seq(MDB_cursor *cursor, uint64_t seq, MDB_val *key, MDB_val *val)
{
	uint8_t bytes[BLOCK_KEY];

	block_key(seq, bytes);
	*key = (MDB_val){ sizeof(bytes), bytes };
	return mdb_cursor_get(cursor, key, val, MDB_SET_RANGE);
}

static int copy_blocks(struct copying *c)
{
	MDB_val key, val;
	size_t taken = 0;
	int rc = from_seq(c->from->cursor, c->last + 1, &key, &val);

	for (; rc == 0 && taken < PIECE; rc = mdb_cursor_get(c->from->cursor, &key, &val, MDB_NEXT)) {
		rc = mdb_put(c->txn, c->blocks, &key, &val, MDB_APPEND);
		if (rc != 0)
			return rc;
		c->last = seq_of(&key);
		taken += val.mv_size;
	}
	c->at_end = rc == MDB_NOTFOUND;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Of the subtrees that end in the events after `before`. */
static int copy_nodes(struct copying *c, uint64_t before)
{
	int rc = 0;

	for (unsigned level = MERKLE_STEP; rc == 0 && c->last >> level > 0; level += MERKLE_STEP)
		for (uint64_t i = before >> level; rc == 0 && i < c->last >> level; i++) {
			struct block_node node = { .level = (uint8_t)level, .index = i };

			rc = nodes_get(c->from->txn, c->from->log->nodes, level, i, node.hash);
			if (rc == 0)
				rc = nodes_put(c->txn, c->nodes, &node);
			else if (rc == MDB_NOTFOUND)
				rc = 0; /* whoever opens the copy computes it */
		}
	return rc;
}

/* The row of how far the log goes moves with every block; another one says that blocks were replaced. */
static int copy_row(struct copying *c, MDB_val *key, MDB_val *val, bool *changed)
{
	bool is_tail = key->mv_size == 4 && memcmp(key->mv_data, "tail", 4) == 0;
	MDB_val old;
	int rc = mdb_get(c->txn, c->tail, key, &old);

	if (!is_tail &&
	    (rc == MDB_NOTFOUND || old.mv_size != val->mv_size || memcmp(old.mv_data, val->mv_data, val->mv_size) != 0))
		*changed = true;
	return rc == 0 || rc == MDB_NOTFOUND ? mdb_put(c->txn, c->tail, key, val, 0) : rc;
}

/* The few rows beside the blocks; whether blocks were replaced since they were copied last. */
static int copy_rows(struct copying *c, bool *ret_changed)
{
	MDB_cursor *rows = NULL;
	MDB_val key, val;
	int rc = mdb_cursor_open(c->from->txn, c->from->log->tail, &rows);

	*ret_changed = false;
	while (rc == 0 && (rc = mdb_cursor_get(rows, &key, &val, MDB_NEXT)) == 0)
		rc = copy_row(c, &key, &val, ret_changed);
	mdb_cursor_close(rows);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- what changed behind ---- */

/* Enough of a header to tell its format and codec. */
static bool is_same(const MDB_val *a, const MDB_val *b)
{
	return a->mv_size == b->mv_size && a->mv_size >= 8 && memcmp(a->mv_data, b->mv_data, 8) == 0;
}

/* Blocks of the copy after `before`, up to the one that the log has next, which takes their place. */
static int mend_block(struct copying *c, MDB_cursor *to, uint64_t before, MDB_val *key, MDB_val *val)
{
	uint64_t last = seq_of(key);
	MDB_val there, old;
	int rc;

	while ((rc = from_seq(to, before + 1, &there, &old)) == 0 && seq_of(&there) <= last) {
		if (seq_of(&there) == last && is_same(val, &old))
			return 0;
		if ((rc = mdb_cursor_del(to, 0)) != 0)
			return rc;
	}
	return rc == 0 || rc == MDB_NOTFOUND ? mdb_put(c->txn, c->blocks, key, val, 0) : rc;
}

/* Sealing replaces blocks that were copied already. */
static int mend(struct copying *c)
{
	uint64_t before = 0;
	MDB_val key, val;
	MDB_cursor *to;
	int rc = mdb_cursor_open(c->txn, c->blocks, &to);

	if (rc != 0)
		return rc;
	for (rc = mdb_cursor_get(c->from->cursor, &key, &val, MDB_FIRST); rc == 0;
	     rc = mdb_cursor_get(c->from->cursor, &key, &val, MDB_NEXT)) {
		rc = mend_block(c, to, before, &key, &val);
		if (rc != 0)
			break;
		before = seq_of(&key);
	}
	mdb_cursor_close(to);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- all of it ---- */

static int make_tables(struct copying *c)
{
	bool changed;
	int rc = mdb_dbi_open(c->txn, "blocks", MDB_CREATE, &c->blocks);

	if (rc == 0)
		rc = mdb_dbi_open(c->txn, "tail", MDB_CREATE, &c->tail);
	if (rc == 0)
		rc = mdb_dbi_open(c->txn, "nodes", MDB_CREATE, &c->nodes);
	return rc == 0 ? copy_rows(c, &changed) : rc;
}

static int take_piece(struct copying *c, bool is_first)
{
	uint64_t before = c->last;
	bool changed = false;
	int rc = is_first ? make_tables(c) : 0;

	if (rc == 0)
		rc = copy_blocks(c);
	if (rc == 0 && c->from->log->has_nodes)
		rc = copy_nodes(c, before);
	if (rc == 0 && c->at_end)
		rc = copy_rows(c, &changed);
	return rc == 0 && changed ? mend(c) : rc;
}

static int copy_piece(struct copying *c, bool is_first)
{
	int rc = log_reader_refresh(c->from, c->err);

	if (rc != 0)
		return rc;
	rc = mdb_txn_begin(c->env, NULL, 0, &c->txn);
	if (rc == 0) {
		rc = take_piece(c, is_first);
		/* before the disk is waited for */
		log_reader_idle(c->from);
		if (rc == 0)
			rc = mdb_txn_commit(c->txn);
		else
			mdb_txn_abort(c->txn);
	}
	return rc == 0 ? 0 : failed(c, rc);
}

int copy_log(struct log_reader *r, const char *dir, struct err *err)
{
	struct copying c = { .from = r, .dir = dir, .err = err };
	uint64_t used, map;
	int rc;

	env_sizes(r->log->env, &used, &map);
	rc = env_open(dir, map, &c.env, err);
	if (rc != 0)
		return rc;
	for (bool first = true; rc == 0 && !c.at_end; first = false)
		rc = copy_piece(&c, first);
	mdb_env_close(c.env);
	return rc;
}
