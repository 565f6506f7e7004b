#include <stdlib.h>

#include "core/decide.h"

/*
 * Params of any method, from any bytes. The first byte chooses the method, the rest is the packed map. What is
 * accepted is encoded and decoded again: the stored form must survive the round trip.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct plan *plans[N_METHODS];

static void round_trip(const struct record *r, const void *obj, struct arena *arena)
{
	struct buf a, b;
	struct mp m;
	void *again = arena_take(arena, r->size);

	if (again == NULL)
		return;
	buf_init(&a, 1 << 22);
	buf_init(&b, 1 << 22);
	record_put(&a, r, obj);
	m = mp_of(buf_slice(&a));
	if (!a.failed && record_get(&m, r, again, arena)) {
		record_put(&b, r, again);
		if (!slice_eq(buf_slice(&a), buf_slice(&b)))
			abort();
	}
	buf_free(&a);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	enum method_id m;
	void *parts[PLAN_PARTS];
	struct err err;

	if (size < 2)
		return 0;
	m = (enum method_id)(data[0] % N_METHODS);
	if (plans[m] == NULL)
		plans[m] = plan_new(method_defs[m].params(), record_command_params_kind());
	arena_init(&arena, 8 << 20);
	parts[0] = arena_take(&arena, method_defs[m].params()->size);
	parts[1] = arena_take(&arena, record_command_params_kind()->size);
	if (parts[0] != NULL && parts[1] != NULL &&
	    params_decode(plans[m], slice_of(data + 1, size - 1), parts, &arena, &err) == 0)
		round_trip(method_defs[m].params(), parts[0], &arena);
	arena_free(&arena);
	return 0;
}
