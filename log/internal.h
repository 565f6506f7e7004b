#ifndef LOG_INTERNAL_H
#define LOG_INTERNAL_H

#include <lmdb.h>

#include "log/block.h"
#include "log/format.h"
#include "log/log.h"

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
	bool has_group; /* group is of block */
	struct block_view block;
	struct block_group group;
};

/* Makes the durable block that holds seq (1..seen) the reader's block. E_INTERNAL: damaged or missing. */
int reader_load(struct log_reader *r, uint64_t seq, struct err *err);
/* The tail row as the reader's transaction sees it. */
int reader_tail(struct log_reader *r, struct merkle *ret, struct err *err);
/* Begins a transaction when there is none. */
int reader_wake(struct log_reader *r, struct err *err);

int tail_get(MDB_txn *txn, MDB_dbi tail, struct merkle *ret, struct err *err);
/* As reader_load, with the cursor alone. */
int block_find(MDB_cursor *cursor, uint64_t seq, struct block_view *ret, struct err *err);

#endif
