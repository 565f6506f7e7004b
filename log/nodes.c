#include "log/nodes.h"

#include <endian.h>
#include <stdlib.h>

#include "log/env.h"

uint64_t nodes_expected(uint64_t size)
{
	uint64_t n = 0;

	while ((size >>= MERKLE_STEP) > 0)
		n += size;
	return n;
}

static void node_key(unsigned level, uint64_t index, uint8_t ret[NODE_KEY])
{
	uint64_t be = htobe64(index);

	ret[0] = (uint8_t)level;
	memcpy(ret + 1, &be, sizeof(be));
}

int nodes_put(MDB_txn *txn, MDB_dbi dbi, const struct block_node *node)
{
	uint8_t bytes[NODE_KEY];
	MDB_val key = { sizeof(bytes), bytes }, val = { MERKLE_HASH, (void *)node->hash };

	node_key(node->level, node->index, bytes);
	return mdb_put(txn, dbi, &key, &val, 0);
}

int nodes_get(MDB_txn *txn, MDB_dbi dbi, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH])
{
	uint8_t bytes[NODE_KEY];
	MDB_val key = { sizeof(bytes), bytes }, val;
	int rc;

	node_key(level, index, bytes);
	rc = mdb_get(txn, dbi, &key, &val);
	if (rc != 0)
		return rc;
	if (val.mv_size != MERKLE_HASH)
		return MDB_CORRUPTED;
	memcpy(ret, val.mv_data, MERKLE_HASH);
	return 0;
}

/* ---- catching up ---- */

enum { TELL_EVERY = 100000 };

static int put_event(struct log *log, MDB_txn *txn, struct merkle *tree, struct slice bytes, struct err *err)
{
	uint8_t full[MERKLE_STEPS][MERKLE_HASH];
	unsigned n = merkle_add_full(tree, bytes, full);

	for (unsigned k = 0; k < n; k++) {
		struct block_node node = { .level = (uint8_t)((k + 1) * MERKLE_STEP) };
		int rc;

		node.index = (tree->size >> node.level) - 1;
		memcpy(node.hash, full[k], MERKLE_HASH);
		rc = nodes_put(txn, log->nodes, &node);
		if (rc != 0)
			return err_mdb(err, rc, "hashes of the log");
	}
	return 0;
}

/* The memory for reading all blocks, group by group. */
struct scratch {
	struct block_group group;
	struct packer packer;
};

static int put_block(struct log *log, MDB_txn *txn, const struct block_view *b, struct scratch *s, struct merkle *tree,
		     struct err *err)
{
	int rc = 0;

	for (uint32_t k = 0; rc == 0 && k < b->n_groups; k++) {
		rc = block_group_load(b, k, &s->packer, &s->group, err);
		for (uint32_t i = 0; rc == 0 && i < s->group.n; i++)
			rc = put_event(log, txn, tree, block_group_event(&s->group, i), err);
	}
	return rc;
}

static int tell(const struct log_options *o, uint64_t done, uint64_t of, struct err *err)
{
	if (o->hashing == NULL || o->hashing(o->arg, done, of))
		return 0;
	return err_set(err, E_UNAVAILABLE, "stopped while the hashes of the log were made");
}

static int put_all(struct log *log, MDB_txn *txn, const struct log_options *o, struct scratch *s, struct err *err)
{
	struct merkle tree = { 0 };
	uint64_t told = 0;
	struct block_view b;
	MDB_cursor *cursor;
	int rc = mdb_drop(txn, log->nodes, 0);

	if (rc == 0)
		rc = mdb_cursor_open(txn, log->blocks, &cursor);
	if (rc != 0)
		return err_mdb(err, rc, "hashes of the log");
	rc = tell(o, 0, log->durable.size, err);
	while (rc == 0 && tree.size < log->durable.size) {
		rc = block_find(cursor, tree.size + 1, &b, err);
		if (rc == 0 && b.head.first != tree.size + 1)
			rc = err_set(err, E_INTERNAL, "blocks overlap");
		if (rc == 0)
			rc = put_block(log, txn, &b, s, &tree, err);
		if (rc == 0 && tree.size - told >= TELL_EVERY)
			rc = tell(o, told = tree.size, log->durable.size, err);
	}
	mdb_cursor_close(cursor);
	return rc;
}

static int fill(struct log *log, MDB_txn *txn, const struct log_options *o, struct err *err)
{
	struct scratch *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return err_set(err, E_UNAVAILABLE, "out of memory");
	rc = put_all(log, txn, o, s, err);
	block_group_free(&s->group);
	packer_free(&s->packer);
	free(s);
	return rc;
}

int nodes_catch_up(struct log *log, const struct log_options *o, struct err *err)
{
	MDB_txn *txn;
	MDB_stat st;
	int rc = mdb_txn_begin(log->env, NULL, 0, &txn);

	if (rc != 0 || (rc = mdb_stat(txn, log->nodes, &st)) != 0)
		return err_mdb(err, rc, "hashes of the log");
	if (st.ms_entries == nodes_expected(log->durable.size)) {
		mdb_txn_abort(txn);
		return 0;
	}
	rc = fill(log, txn, o, err);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc == E_INTERNAL ? 0 : rc;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : err_mdb(err, rc, "hashes of the log");
}
