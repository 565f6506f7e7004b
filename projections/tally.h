#ifndef PROJECTIONS_TALLY_H
#define PROJECTIONS_TALLY_H

#include "projections/query.h"

/*
 * Tallies: how many of each, in tables TABLE(name, projection, KEYn(...), tally, "doc"). A row that comes to 0 goes, so
 * the ends of a tally ordered by value are the smallest and largest value that some subject has.
 */

void tally_add(struct state *s, enum table_id t, const struct key *k, int64_t by);
int64_t tally_get(struct state *s, enum table_id t, const struct key *k);
/* A subject's value changes: one less at `before`, one more at `after`, as last part behind prefix. -1: none. */
void tally_move(struct state *s, enum table_id t, const struct key *prefix, int64_t before, int64_t after);
/* The smallest or largest value, the last part behind prefix; 0: there is none. */
int64_t tally_end(struct state *s, enum table_id t, const struct key *prefix, bool largest);

/*
 * Tallies by free text, the last part behind prefix: the first TALLY_TEXTS_MAX texts to appear have a row each, later
 * ones share the row `other`.
 */
enum { TALLY_TEXTS_MAX = 200 };
void tally_add_text(struct state *s, enum table_id t, const struct key *prefix, struct slice text, int64_t by);
/* The text that adding this one now would count under; whoever counts back later remembers it. */
struct slice tally_text(struct state *s, enum table_id t, const struct key *prefix, struct slice text);
/* How many texts there are behind prefix, the row `other` being one more. */
unsigned tally_texts(struct state *s, enum table_id t, const struct key *prefix);
/* name: {text: n}, for a tally whose last part behind prefix is a text. */
void map_tally(struct query *q, struct map_writer *w, const char *name, enum table_id t, const struct key *prefix);

#endif
