#include <stdlib.h>

#include "core/decide.h"
#include "core/state_mem.h"
#include "projections/fold.h"

/*
 * Commands of all aggregates on a ledger of their own, from any bytes: each is packed as [method, kind, how many
 * milliseconds after the one before, params]. A decision asserts what it assumes; each event it appends must survive
 * being stored, and timers that are due must get done.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS_MAX = 80, TIMERS_MAX = 1000 };
#define STEP_MAX (INT64_C(30) * 86400000)

static const struct plan *plans[N_METHODS];

struct ledger {
	struct state *state;
	struct arena arena;
	uint64_t head;
	int64_t now;
};

static void fold_stored(void *arg, const struct event *ev)
{
	struct ledger *l = arg;
	const struct event_def *def = &event_defs[ev->type];
	struct buf b, again;
	const void *data;

	buf_init(&b, 1 << 22);
	buf_init(&again, 1 << 22);
	record_put(&b, def->record(), ev->data);
	data = event_data(ev->type, buf_slice(&b), &l->arena);
	if (!b.failed && !l->arena.failed) {
		if (data == NULL)
			abort();
		record_put(&again, def->record(), data);
		if (!slice_eq(buf_slice(&b), buf_slice(&again)))
			abort();
	}
	buf_free(&b);
	buf_free(&again);
	fold_event(l->state, ev, ALL_PROJECTIONS);
}

/* The same bytes each time, so that a crash comes again. */
static void no_dice(void *arg, void *p, size_t n)
{
	struct ledger *l = arg;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)(l->head + i);
}

static const struct decide_ops ops = { fold_stored, no_dice };

static void end(struct ledger *l, const struct decision *d, int rc)
{
	if (rc == 0 && !l->state->failed && !l->arena.failed) {
		l->head += d->n_events;
		state_commit(l->state);
	} else {
		state_rollback(l->state);
	}
	arena_reset(&l->arena);
}

static void run_timers(struct ledger *l)
{
	struct origin origin = { .method = SLICE_LIT("timer"), .actor = SLICE_LIT("server") };
	struct due due;

	for (int n = 0; timers_next(l->state, l->now, NULL, &due) && due.at <= l->now; n++) {
		struct decision d;
		struct err err;
		uint64_t head = l->head;

		decision_init(&d, l->state, &origin, &ops, l, l->now, l->head + 1, &err);
		end(l, &d, decide_timer(&d, &due));
		if (l->head == head || n == TIMERS_MAX)
			abort(); /* it would be due for ever */
	}
	arena_reset(&l->arena);
}

static void run(struct ledger *l, enum method_id m, struct slice packed)
{
	struct origin origin = { .method = slice_str(method_defs[m].name) };
	const struct method_def *def = &method_defs[m];
	void *parts[PLAN_PARTS], *result;
	struct decision d;
	struct err err;

	if (plans[m] == NULL)
		plans[m] = plan_new(def->params(), record_command_params_kind());
	parts[0] = arena_zero(&l->arena, def->params()->size);
	parts[1] = arena_zero(&l->arena, record_command_params_kind()->size);
	result = arena_zero(&l->arena, def->result()->size);
	decision_init(&d, l->state, &origin, &ops, l, l->now, l->head + 1, &err);
	end(l, &d,
	    parts[0] && parts[1] && result && params_decode(plans[m], packed, parts, &l->arena, &err) == 0
		    ? decide(m, &d, parts[0], result)
		    : -1);
}

static bool find_command(struct slice name, struct slice kind, enum method_id *ret)
{
	for (unsigned n = methods_by_name(name, ret); n-- > 0; ++*ret)
		if (method_defs[*ret].class == METHOD_COMMAND &&
		    (method_defs[*ret].kind == NULL || slice_is(kind, method_defs[*ret].kind)))
			return true;
	return false;
}

/* False: no more commands. */
static bool next(struct ledger *l, struct mp *m)
{
	struct slice name, kind, params;
	enum method_id method;
	int64_t step;
	uint32_t n;

	if (!mp_array(m, &n) || n != 4 || !mp_str(m, &name) || !mp_str(m, &kind) || !mp_int(m, &step) ||
	    !mp_raw(m, MP_SCAN_DEPTH, &params))
		return false;
	l->now += step > 0 && step < STEP_MAX ? step : 0;
	run_timers(l);
	if (find_command(name, kind, &method))
		run(l, method, params);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger l = { .state = state_mem_new(state_tables, N_TABLES), .now = INT64_C(1772452800000) };
	struct mp m = mp_of(slice_of(data, size));

	if (l.state == NULL)
		return 0;
	arena_init(&l.arena, DECIDE_ARENA_MAX);
	l.state->arena = &l.arena;
	for (int n = 0; n < COMMANDS_MAX && next(&l, &m); n++)
		;
	state_mem_free(l.state);
	arena_free(&l.arena);
	return 0;
}
