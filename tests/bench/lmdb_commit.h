#ifndef DIANA_BENCH_LMDB_COMMIT_H
#define DIANA_BENCH_LMDB_COMMIT_H

#include "load.h"

/*
 * The floor of what one durable commit costs here: a value appended to a table of LMDB with its
 * default flags, nothing else. An environment of its own, in the same directory as the servers'.
 */
struct lmdb_commit;

/* dir must exist. The table starts with some thousand rows, so that it has the depth of a log. */
int lmdb_commit_open(const char *dir, size_t value_size, struct lmdb_commit **ret_floor);
/* Commits one row after the other for so long; adds to result. */
int lmdb_commit_run(struct lmdb_commit *floor, double warmup_s, double seconds, struct load_result *result);
void lmdb_commit_close(struct lmdb_commit *floor);

#endif
