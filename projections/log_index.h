#ifndef PROJECTIONS_LOG_INDEX_H
#define PROJECTIONS_LOG_INDEX_H

#include "core/postings.h"
#include "core/state.h"

/* Ways into the log by user, by stream and by idempotency key: the projection `log`. */

/* The seq of the first event of the command that used this key in this period of 30 days of log time or
 * the one before; 0: not used. */
uint64_t log_key_seq(struct state *s, struct slice key, int64_t now);

/* Streams named after a user ("user:42", "progress:42:daily") have no index of their own. False: another stream. */
bool stream_user(struct slice stream, int64_t *ret_user_id);

/* A walk over the seqs of one user, or (stream not absent) of one stream. Set the first four, zero the rest. */
struct postings_walk {
	struct state *state;
	uint64_t user_id;
	struct slice stream;
	bool backward;
	struct postings_run run;
};
/* First seq at or after `seq` (backward: at or before); 0: none. */
uint64_t postings_next(struct postings_walk *w, uint64_t seq);

#endif
