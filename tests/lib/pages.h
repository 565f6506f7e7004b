#ifndef TESTS_LIB_PAGES_H
#define TESTS_LIB_PAGES_H

#include "tests/lib/world.h"

/* Lists as short texts: one field of each item, "a b c". All are lent until the next call of the same function. */

/* The `next` of the last answer; NULL: it was the last page. */
const char *cursor(struct world *w);
/* The last page. */
const char *fields(struct world *w, const char *field);
/* A list that fits one page. */
const char *listed(struct world *w, const char *method, const char *params, const char *field);
/* The whole list, in pages of at most limit items. */
const char *paged(struct world *w, const char *method, const char *params, const char *field, int limit);

#endif
