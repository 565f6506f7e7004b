#ifndef PROJECTIONS_CHANNEL_H
#define PROJECTIONS_CHANNEL_H

#include <stdint.h>

#include "core/rules.h"

/* What the folds and the queries of the projection `channel` share. */

/* Stands for all channels where there are counters of each; no chat has it. */
enum { ALL_CHANNELS = 0 };

/* Weeks run from Monday to Sunday, UTC; day 0 was a Thursday. */
static inline int64_t week_of(int64_t at)
{
	return (utc_day(at) + 3) / 7;
}
static inline int64_t week_start(int64_t week)
{
	return (week * 7 - 3) * DAY_MS;
}

#endif
