#ifndef PROJECTIONS_MISSION_QUERIES_H
#define PROJECTIONS_MISSION_QUERIES_H

#include "projections/query.h"

/* Missions that a user has started and not completed, of those that are open. */
int64_t missions_in_work(struct query *q, int64_t user_id);

#endif
