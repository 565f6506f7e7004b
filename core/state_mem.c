#include "core/state_mem.h"

#include <assert.h>
#include <stdlib.h>

#include "core/omap.h"
#include "core/rank.h"

/* One overlay with nothing beneath: "deleted" and "nothing" are both absent. */
struct state_mem {
	struct state state;
	struct omaps *rows;
	unsigned n_tables;
	struct rank *ranks[]; /* by table; NULL unless counted */
};

static struct state_mem *mem_of(struct state *s)
{
	return (struct state_mem *)s;
}

static void no_memory(struct state *s)
{
	state_fail(s, E_INTERNAL, "no memory for state");
}

static bool mem_get(struct state *s, unsigned table, struct slice key, struct slice *ret)
{
	return omap_get(mem_of(s)->rows, table, key, ret) == OMAP_VALUE;
}

static void mem_put(struct state *s, unsigned table, struct slice key, struct slice value)
{
	if (!omap_put(mem_of(s)->rows, table, key, value))
		no_memory(s);
}

static void mem_del(struct state *s, unsigned table, struct slice key)
{
	if (!omap_del(mem_of(s)->rows, table, key))
		no_memory(s);
}

static void mem_cursor_open(struct state_cursor *c)
{
	struct omap_cursor *at = malloc(sizeof(*at));

	if (!at) {
		no_memory(c->state);
		return;
	}
	omap_cursor_init(at, mem_of(c->state)->rows, c->table);
	c->impl = at;
}

static void mem_cursor_close(struct state_cursor *c)
{
	free(c->impl);
}

/* Goes on from a deleted key in the same direction; then shows where the cursor stands. */
static bool show(struct state_cursor *c, bool found, bool back)
{
	struct omap_cursor *at = c->impl;

	while (found && omap_cursor_value(at, &c->value) != OMAP_VALUE)
		found = back ? omap_cursor_prev(at) : omap_cursor_next(at);
	if (at->failed)
		no_memory(c->state);
	if (found)
		c->key = omap_cursor_key(at);
	return found;
}

static bool mem_seek(struct state_cursor *c, struct slice key, bool before)
{
	struct omap_cursor *at = c->impl;

	if (!before)
		return show(c, omap_cursor_ge(at, key), false);
	return show(c, key.len > 0 ? omap_cursor_lt(at, key) : omap_cursor_last(at), true);
}

static bool mem_step(struct state_cursor *c, bool back)
{
	return show(c, back ? omap_cursor_prev(c->impl) : omap_cursor_next(c->impl), back);
}

static struct rank *rank_of(struct state *s, unsigned table)
{
	assert(table < mem_of(s)->n_tables && mem_of(s)->ranks[table]);
	return mem_of(s)->ranks[table];
}

static uint64_t mem_count_below(struct state *s, unsigned table, uint64_t score)
{
	return rank_count_less(rank_of(s, table), score);
}

static bool mem_nth(struct state *s, unsigned table, uint64_t n, uint64_t *ret_score)
{
	return rank_nth(rank_of(s, table), n, ret_score);
}

static uint64_t mem_count(struct state *s, unsigned table)
{
	return rank_total(rank_of(s, table));
}

static void count_change(void *arg, unsigned table, struct slice key, int rows)
{
	struct state *s = arg;

	if (!rank_change(rank_of(s, table), rank_score(key), rows))
		no_memory(s);
}

static void mem_commit(struct state *s)
{
	omaps_each_change(mem_of(s)->rows, count_change, s);
	omaps_commit(mem_of(s)->rows);
}

static void mem_rollback(struct state *s)
{
	omaps_rollback(mem_of(s)->rows);
}

static const struct state_ops mem_ops = {
	.get = mem_get,
	.put = mem_put,
	.del = mem_del,
	.cursor_open = mem_cursor_open,
	.cursor_close = mem_cursor_close,
	.seek = mem_seek,
	.step = mem_step,
	.count_below = mem_count_below,
	.nth = mem_nth,
	.count = mem_count,
	.commit = mem_commit,
	.rollback = mem_rollback,
};

static bool mem_init(struct state_mem *m, const struct state_table *tables)
{
	m->rows = omaps_new(m->n_tables);
	if (!m->rows)
		return false;
	for (unsigned i = 0; i < m->n_tables; i++) {
		if (!tables[i].counted)
			continue;
		omap_make_strict(m->rows, i);
		m->ranks[i] = rank_new();
		if (!m->ranks[i])
			return false;
	}
	return true;
}

struct state *state_mem_new(const struct state_table *tables, unsigned n_tables)
{
	struct state_mem *m = calloc(1, sizeof(*m) + n_tables * sizeof(m->ranks[0]));

	if (!m)
		return NULL;
	state_begin(&m->state, &mem_ops, tables);
	m->n_tables = n_tables;
	if (!mem_init(m, tables)) {
		state_mem_free(&m->state);
		return NULL;
	}
	return &m->state;
}

void state_mem_free(struct state *s)
{
	struct state_mem *m = mem_of(s);

	if (!m)
		return;
	state_end(s);
	omaps_free(m->rows);
	for (unsigned i = 0; i < m->n_tables; i++)
		rank_free(m->ranks[i]);
	free(m);
}
