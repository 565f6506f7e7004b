#ifndef DAEMON_REBUILD_H
#define DAEMON_REBUILD_H

#include "daemon/call.h"

/*
 * Rebuilding projections beside the live tables, one at a time:
 *
 *   rebuild_start()   loop        fresh tables; E_IN_USE while another runs
 *                     rebuilder   folds the durable log, again and again until little is left
 *                     loop        pauses checkpoints, adopts the tables, folds the rest, checkpoint
 *   rebuild_verify()  the same up to the end of a checkpoint made for it, compared instead of adopted
 *
 * Both answer CALL_LATER.
 */
struct ledger;

int rebuild_start(struct call *c, unsigned projections);
int rebuild_verify(struct call *c, unsigned projections);

struct rebuild_progress {
	bool running, verify;
	unsigned projections; /* of the last one */
	uint64_t done_seq, head_seq;
	int64_t started_at;
	char last_error[240];
};
void rebuild_get_progress(struct rebuild_progress *ret);

/* The fold found a balance that was not the sum of its events. */
bool projection_is_corrupt(struct ledger *l, enum projection_id p);

#endif
