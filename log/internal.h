#ifndef LOG_INTERNAL_H
#define LOG_INTERNAL_H

#include <lmdb.h>

#include "log/block.h"
#include "log/format.h"
#include "log/log.h"
#include "log/unpacked.h"

/* What the files of log/ share; nobody else includes this. */

struct log {
	char *dir;
	int lock_fd;
	MDB_env *env;
	MDB_dbi blocks; /* last seq (big-endian) -> block */
	MDB_dbi tail;   /* one row, see tail_put() */
	MDB_dbi nodes;  /* see log/nodes.h */
	bool has_nodes; /* a log of before that table, opened for reading, has none */
	size_t block_max;
	size_t reserve;

	/* loop thread */
	struct block memory[2];
	struct block *open;
	struct block *flight; /* NULL: none */
	struct merkle durable;
	uint8_t durable_root[MERKLE_HASH];
	int64_t last_at;
	bool failed;
	int64_t space_at;    /* when space was looked up, -1: never, or a block was written since */
	uint64_t space_left; /* then, by disk and map */
};

struct log_reader {
	struct log *log;
	bool durable_only;
	MDB_txn *txn;
	MDB_cursor *cursor;
	bool live;      /* the transaction is running */
	uint64_t seen;  /* last seq in it */
	size_t taken;   /* bytes of the blocks that were looked at in it */
	bool has_block; /* block is valid */
	struct block_view block;
	const struct block_group *group; /* of block; NULL: none was looked at */
	struct block_group raw;          /* lent from the map */
	struct unpacked *unpacked;       /* NULL: nothing sealed was read yet */
};

/* Makes the durable block that holds seq (1..seen) the reader's block. E_INTERNAL: damaged or missing. */
int reader_load(struct log_reader *r, uint64_t seq, struct err *err);
/* The tail row as the reader's transaction sees it. */
int reader_tail(struct log_reader *r, struct merkle *ret, struct err *err);
/* Begins a transaction when there is none. */
int reader_wake(struct log_reader *r, struct err *err);

int tail_get(MDB_txn *txn, MDB_dbi tail, struct merkle *ret, struct err *err);
/* All zero when nothing is sealed. */
int sealed_get(MDB_txn *txn, MDB_dbi tail, struct log_sealed *ret, struct err *err);
/* As reader_load, with the cursor alone. */
int block_find(MDB_cursor *cursor, uint64_t seq, struct block_view *ret, struct err *err);

/* Puts the sealed block in the place of those it was made from. MDB codes; what it failed at is to be aborted. */
int seal_put(struct log *log, MDB_txn *txn, const struct seal *s);
void seal_set_stored(struct seal *s);

/* rc of a commit, and ENOSPC for what LMDB calls EIO, a write cut short by a full disk. */
int tell_full(const struct log *log, int rc);

#endif
