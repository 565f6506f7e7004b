#include "daemon/plans.h"

/* Each call decodes into memory of its own. */
static const struct plan *plans[N_METHODS];

const struct record *plans_common(enum method_id m)
{
	const struct method_def *def = &method_defs[m];

	switch (def->class) {
	case METHOD_COMMAND:
		if (def->kind == NULL)
			return record_command_params();
		return method_needs_kind(m) ? record_command_params_of_kind() : record_command_params_kind();
	case METHOD_QUERY:
		if (def->kind == NULL)
			return record_query_params();
		return method_needs_kind(m) ? record_query_params_of_kind() : record_query_params_kind();
	case METHOD_SERVICE:
		break;
	}
	return def->flags & SERVICE_QUERY ? record_query_params() : NULL;
}

int plans_init(struct err *err)
{
	for (unsigned m = 0; m < N_METHODS; m++) {
		plans[m] = plan_new(method_defs[m].params(), plans_common((enum method_id)m));
		if (plans[m] == NULL)
			return err_set(err, E_INTERNAL, "no memory");
	}
	return 0;
}

void plans_free(void)
{
	for (unsigned m = 0; m < N_METHODS; m++) {
		plan_free(plans[m]);
		plans[m] = NULL;
	}
}

const struct plan *plans_of(enum method_id m)
{
	return plans[m];
}

static struct slice kind_param(struct slice params)
{
	struct mp m = mp_of(params);
	struct slice name, kind;
	uint32_t n;

	if (mp_peek(&m) != MP_MAP || !mp_map(&m, &n))
		return SLICE_NULL;
	while (n-- > 0 && mp_str(&m, &name)) {
		if (slice_is(name, "kind"))
			return mp_peek(&m) == MP_STR && mp_str(&m, &kind) ? kind : SLICE_NULL;
		if (!mp_skip(&m, MP_SCAN_DEPTH))
			return SLICE_NULL;
	}
	return SLICE_NULL;
}

int plans_find(struct slice method, struct slice params, enum method_id *ret, struct err *err)
{
	return method_find(method, kind_param(params), ret, err);
}

int plans_query(enum method_id m, struct slice params, struct arena *arena, struct query *q)
{
	void *own = arena_take(arena, method_defs[m].params()->size);
	void *common = arena_take(arena, plans_common(m)->size);
	void *parts[PLAN_PARTS] = { own, common };
	int rc;

	if (own == NULL || common == NULL)
		return err_set(q->err, E_LIMIT_EXCEEDED, "the call takes too much memory");
	rc = params_decode(plans[m], params, parts, arena, q->err);
	if (rc == 0)
		rc = run_query(m, q, own);
	if (rc == 0 && q->state->failed) {
		*q->err = q->state->err;
		rc = (int)q->err->code;
	}
	if (rc == 0 && q->out->failed)
		rc = err_set(q->err, E_LIMIT_EXCEEDED, "the answer is larger than %d bytes", ANSWER_MAX);
	return rc;
}
