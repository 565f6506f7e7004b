#ifndef DAEMON_LOOKAHEAD_H
#define DAEMON_LOOKAHEAD_H

#include "core/state.h"

/*
 * Looking ahead over requests that have arrived together: the rows that the next ones are going to read are
 * fetched all at once, so that a row that is not in the processor's cache costs the wait of one, not of each.
 * No effect but speed; what it does not understand it leaves alone.
 */
enum { LOOKAHEAD_MAX = 16 };
struct request_head {
	struct slice method;
	struct slice params; /* packed */
};
void lookahead(struct state *s, int64_t now, const struct request_head *requests, size_t n);

#endif
