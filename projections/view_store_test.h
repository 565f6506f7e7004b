#ifndef PROJECTIONS_VIEW_STORE_TEST_H
#define PROJECTIONS_VIEW_STORE_TEST_H

#include "projections/view_store.h"

/* For tests only: the next view_store_apply() fails, after all rows are put, as if a system call had
 * answered `error` (ENOSPC, EIO). */
void views_fail_next_apply(struct views *v, int error);
/* Is the map written to directly (space permitting), and how far is the file allocated? */
bool views_is_writemap(const struct views *v);
uint64_t views_reserved(const struct views *v);

#endif
