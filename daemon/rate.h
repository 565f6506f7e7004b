#ifndef DAEMON_RATE_H
#define DAEMON_RATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How often each user was reported active within the last 60 s: in memory only, forgotten at the end of the
 * process. Counts in windows of one second, so a user costs a fixed 256 bytes while active.
 */
struct rate;

struct rate *rate_new(void);
void rate_free(struct rate *r);
/* Counts one report. False: `limit` were counted in the last 60 s already, this one is not; *ret_retry_at
 * then tells when one is again possible. */
bool rate_allow(struct rate *r, int64_t user_id, int64_t now_ms, int64_t limit, int64_t *ret_retry_at);

#endif
