#ifndef CORE_LEVELS_H
#define CORE_LEVELS_H

#include "core/state.h"

/*
 * The levels that exist, by number, which is by points as well: min_points grows with the number. Every credit
 * and every balance shown asks for them, so they are kept in memory as long as no row of a level changes.
 */
struct level_step {
	int64_t id;
	int64_t min_points;
	struct slice name;
};

struct levels {
	uint64_t as_of;
	size_t n;
	struct level_step at[];
};

/* Lent until a row of a level is written, or the state's commit, rollback or end. No memory: the state fails,
 * and there are none. */
const struct levels *levels_of(struct state *s);

/* Of that number / the lowest above it / the highest whose points are reached. NULL: none. */
const struct level_step *level_numbered(const struct levels *l, int64_t id);
const struct level_step *level_above(const struct levels *l, int64_t id);
const struct level_step *level_for(const struct levels *l, int64_t points);

#endif
