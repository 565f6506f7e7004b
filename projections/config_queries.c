#include "core/rules.h"
#include "projections/query.h"

/* Queries of the projection `config`. */

int query_config_get(struct query *q, const struct config_get *p)
{
	struct config_item item;

	if (!config_show(q->state, p->id, &item))
		return err_missing_text(q->err, "entry", p->id);
	record_put_wire(q->out, record_config_item(), &item);
	q->returned = 1;
	return 0;
}
