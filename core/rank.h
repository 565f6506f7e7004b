#ifndef CORE_RANK_H
#define CORE_RANK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/slice.h"

/*
 * Order statistics: a multiset of scores that knows how many lie below a score and which is the n-th.
 * All calls take O(log n); a distinct score costs about 16 bytes.
 */
struct rank;

/* NULL: no memory. */
struct rank *rank_new(void);
void rank_free(struct rank *r);

/* False: no memory, nothing changed. */
bool rank_insert(struct rank *r, uint64_t score);
/* Takes out one of that score. False: there is none. */
bool rank_erase(struct rank *r, uint64_t score);
/* As rank_insert, for scores that come in order, none below the largest held: the quick way to build. */
bool rank_append(struct rank *r, uint64_t score);

/*
 * One more (+1) or one less (-1, there is one). Changes are gathered and made together, when some have come
 * or a question is asked, because fetching memory for many at once costs little more than for one.
 * False: no memory; some changes are lost.
 */
bool rank_change(struct rank *r, uint64_t score, int rows);
/* Makes the changes gathered. The questions below do this themselves, but cannot say so when it fails. */
bool rank_settle(struct rank *r);
/* The score of a row of a counted table: the first 8 bytes of its key, big-endian. */
uint64_t rank_score(struct slice key);

uint64_t rank_total(struct rank *r);
uint64_t rank_count_less(struct rank *r, uint64_t score);
/* The score that n others (equal ones among them) come before. False: n is not below the total. */
bool rank_nth(struct rank *r, uint64_t n, uint64_t *ret_score);

#endif
