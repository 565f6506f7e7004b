#ifndef DIANA_BENCH_PROTO_DIANA_H
#define DIANA_BENCH_PROTO_DIANA_H

#include "load.h"

extern const struct driver diana_driver;

/* OP_LOAD asks for this many users in one call. A first amount may bring a level and badges with
 * it, up to five events in all, and a commit holds 4096. */
#define DIANA_LOAD_BATCH 800

/* One call on a connection of its own. -1: said on stderr. */
/* -2: nobody answers yet, or the daemon says that it is starting: ask again. */
int diana_ready(const char *socket);
int diana_head_seq(const char *socket, uint64_t *ret_seq);
/* Thousandths. */
int diana_balance(const char *socket, uint32_t user, int64_t *ret_balance);
/* What all credits added up to, in thousandths. */
int diana_credited(const char *socket, int64_t *ret_sum);
/* Returns when every projection has been rebuilt, or after timeout_s. */
int diana_rebuild(const char *socket, unsigned timeout_s);
/* Of the whole log, which must be sound. */
int diana_verify(const char *socket, unsigned timeout_s, uint64_t *ret_checked);
/* Of the list that the op's request is answered with. */
int diana_count_items(const char *socket, struct workload *w, enum op op, uint32_t *ret_n);

#endif
