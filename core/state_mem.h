#ifndef CORE_STATE_MEM_H
#define CORE_STATE_MEM_H

#include "core/state.h"

/* State in memory, for unit tests and models. tables is borrowed for its life. NULL: no memory. */
struct state *state_mem_new(const struct state_table *tables, unsigned n_tables);
void state_mem_free(struct state *s);

#endif
