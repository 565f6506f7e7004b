#ifndef DAEMON_PLANS_H
#define DAEMON_PLANS_H

#include "core/decide.h"
#include "projections/query.h"

/*
 * Methods and the plans by which their params are decoded, built once for all. Needs neither server nor ledger, so
 * that a query can be run on other state than theirs.
 */

int plans_init(struct err *err);
void plans_free(void);
const struct plan *plans_of(enum method_id m);
/* The record of the params that methods of its class share; NULL: none. */
const struct record *plans_common(enum method_id m);

/* The method of that name, and of the params' `kind` where there are several. E_UNKNOWN_METHOD, E_INVALID_ARGUMENT. */
int plans_find(struct slice method, struct slice params, enum method_id *ret, struct err *err);

/*
 * Decodes the params of a query of the schema into arena, and runs it: 0 and one packed value in q->out, or the
 * error in q->err.
 */
int plans_query(enum method_id m, struct slice params, struct arena *arena, struct query *q);

#endif
