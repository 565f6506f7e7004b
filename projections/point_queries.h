#ifndef PROJECTIONS_POINT_QUERIES_H
#define PROJECTIONS_POINT_QUERIES_H

#include "core/records.h"

/* What other aggregates' queries show of the ledger. */

/* 1 + users with a larger balance. */
int64_t balance_rank(struct state *s, int64_t balance);
/* Fills in the derived fields. Texts are lent from the state. */
void balance_derive(struct state *s, struct balance *b);

#endif
