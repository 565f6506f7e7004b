#ifndef LOG_CHAIN_H
#define LOG_CHAIN_H

#include "core/event.h"
#include "log/log.h"
#include "log/merkle.h"
#include "log/versions.h"

/*
 * What holds from event to event, wherever they are stored: seqs and stream versions without gaps, commits that are not
 * mixed, times that do not fall, and roots that somebody kept. Steps answer 0, CHAIN_BAD (the verdict is in ret) or an
 * error.
 */
enum { CHAIN_BAD = -1 };
struct chain {
	uint64_t from; /* seq of the first event; 1: versions begin at 1 */
	struct log_verdict ret;
	struct versions versions;
	struct merkle tree; /* the caller adds to it */
	const struct log_mark *marks;
	size_t n_marks;
	uint64_t held;   /* size of the last mark that held */
	uint64_t commit; /* of the event before, 0: not known */
	int64_t at;
};

/* marks ascend by size, and are lent. */
void chain_init(struct chain *c, uint64_t from, const struct log_mark *marks, size_t n_marks);
void chain_free(struct chain *c);

int chain_bad(struct chain *c, uint64_t seq, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Reads the envelope of the event at seq. */
int chain_read(struct chain *c, uint64_t seq, struct slice bytes, struct envelope *ret);
/* Whether the event may follow the one before. */
int chain_follow(struct chain *c, const struct envelope *e, struct err *err);
/* The tree as it is now, against the marks of that size. */
int chain_mark(struct chain *c);
/* No event comes any more: no mark is left. */
int chain_end(struct chain *c);

#endif
