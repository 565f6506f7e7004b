#ifndef CORE_REACTIONS_H
#define CORE_REACTIONS_H

#include "core/decide.h"

/*
 * The reaction table: what an event brings about in other aggregates, in the same commit. Rules run by
 * number. A reaction that cannot apply is skipped, never an error; only a ceiling makes the decision fail.
 */
void react(struct decision *d, const struct event *ev);

/* Reactions of the aggregates, by the file they are in. */

#endif
