#ifndef CORE_POSTINGS_H
#define CORE_POSTINGS_H

#include "core/buf.h"

/*
 * Ascending sequence numbers in few bytes: LEB128 varints, the first as it is, each further one as the
 * difference to the one before. The index of the log by user and by stream keeps one short run per
 * user; when it holds POSTINGS_RUN of them it moves to its place among the older runs. So a
 * user's busy row lies among other busy rows, instead of one new row a event all over the index.
 */
enum { POSTINGS_RUN = 32, POSTINGS_BYTES_MAX = POSTINGS_RUN * 10 };

struct postings_run {
	uint64_t seqs[POSTINGS_RUN];
	unsigned n;
};

/* False: malformed. Absent: an empty run. */
bool postings_read(struct slice bytes, struct postings_run *ret);
void postings_write(struct buf *b, const struct postings_run *run);

/* Appends seq (greater than all in it) to written bytes without decoding them all: *n_last is what
 * postings_tail() told. */
struct postings_tail {
	unsigned n;
	uint64_t last;
};
bool postings_tail(struct slice bytes, struct postings_tail *ret);
void postings_append(struct buf *b, const struct postings_tail *tail, uint64_t seq);

#endif
