#include "projections/fold.h"

static const struct fold_table *const tables[N_PROJECTIONS] = {
	[PROJECTION_user] = &user_folds,
	[PROJECTION_point] = &point_folds,
	[PROJECTION_config] = &config_folds,
	[PROJECTION_log] = &log_folds,
};

/* One function per projection and type of event, so that folding looks nothing up. */
static void (*by_type[N_PROJECTIONS][N_EVENTS])(struct state *, const struct event *);

__attribute__((constructor)) static void index_folds(void)
{
	for (int p = 0; p < N_PROJECTIONS; p++)
		for (size_t i = 0; i < tables[p]->n; i++) {
			assert(by_type[p][tables[p]->folds[i].type] == NULL);
			by_type[p][tables[p]->folds[i].type] = tables[p]->folds[i].fn;
		}
}

void fold_event(struct state *s, const struct event *ev, unsigned projections)
{
	for (int p = 0; p < N_PROJECTIONS; p++) {
		if ((projections >> p & 1) == 0)
			continue;
		if (tables[p]->every != NULL)
			tables[p]->every(s, ev);
		if (by_type[p][ev->type] != NULL)
			by_type[p][ev->type](s, ev);
	}
}
