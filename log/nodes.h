#ifndef LOG_NODES_H
#define LOG_NODES_H

#include "log/internal.h"

/*
 * The table `nodes`: hashes of the full subtrees of each MERKLE_STEP-th level, derived from the events and written
 * with the block in which a subtree ends. One event in 256 costs a row of 41 bytes; in return a proof hashes at most
 * 256 events and 256 nodes per step and side, however long the log is.
 *
 *   level (1 byte) | index (8, big-endian)  ->  hash (32)
 */
enum { NODE_KEY = 9 };

/* Rows that a log of `size` events has. */
uint64_t nodes_expected(uint64_t size);

/* MDB codes. nodes_get: MDB_NOTFOUND when there is no such row, MDB_CORRUPTED when it is malformed. */
int nodes_put(MDB_txn *txn, MDB_dbi dbi, const struct block_node *node);
int nodes_get(MDB_txn *txn, MDB_dbi dbi, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH]);

/*
 * Fills the table of a log that was written without it, by hashing all events. A log that is damaged further back
 * keeps the table that it has: proofs then hash the events themselves and name the damage. Tells o->hashing.
 */
int nodes_catch_up(struct log *log, const struct log_options *o, struct err *err);

#endif
