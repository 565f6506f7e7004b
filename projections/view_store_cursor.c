#include "projections/view_store_impl.h"

#include <assert.h>
#include <stdlib.h>

/*
 * A cursor merges three layers: active overlay, frozen overlay, checkpoint on disk. Each layer stands on its
 * next candidate in the direction of travel; the nearest is taken, and where several layers have the same
 * key the upper one speaks. On a change of direction all layers seek again from the key stood on; so does
 * the active overlay when keys have appeared in it since.
 */
enum where { AT_OR_AFTER, AFTER, BEFORE, LAST };
enum layer { ACTIVE, FROZEN, DISK, LAYERS };

struct view_cursor {
	struct view_cursor *next; /* among idle ones */
	struct view_store *store;
	MDB_cursor *disk;
	uint64_t epoch; /* of the snapshot `disk` reads */
	bool back;
	bool has[LAYERS]; /* stands on a candidate */
	bool at[LAYERS];  /* which is the key the cursor stands on */
	struct omap_cursor overlay[DISK];
	MDB_val disk_key, disk_value;
};

static int disk_open(struct view_cursor *vc, unsigned table)
{
	struct view_store *vs = vc->store;
	int rc = 0;

	if (!vc->disk)
		rc = mdb_cursor_open(vs->txn, vs->t[table].dbi, &vc->disk);
	else if (vc->epoch != vs->epoch)
		rc = mdb_cursor_renew(vs->txn, vc->disk);
	if (rc == 0)
		vc->epoch = vs->epoch;
	return rc;
}

static struct view_cursor *take_idle(struct view_table *t)
{
	struct view_cursor *vc = t->idle;

	if (vc)
		t->idle = vc->next;
	return vc ? vc : calloc(1, sizeof(*vc));
}

static void give_idle(struct view_table *t, struct view_cursor *vc)
{
	vc->next = t->idle;
	t->idle = vc;
}

void view_cursor_open(struct state_cursor *c)
{
	struct view_store *vs = view_store_of(c->state);
	struct view_cursor *vc;
	int rc;

	assert(c->table < vs->n_tables);
	vc = take_idle(&vs->t[c->table]);
	if (!vc) {
		view_store_no_memory(vs);
		return;
	}
	vc->store = vs;
	rc = disk_open(vc, c->table);
	if (rc != 0) {
		state_fail(c->state, E_INTERNAL, "views: cursor: %s", mdb_strerror(rc));
		give_idle(&vs->t[c->table], vc);
		return;
	}
	omap_cursor_init(&vc->overlay[ACTIVE], vs->active, c->table);
	if (vs->frozen)
		omap_cursor_init(&vc->overlay[FROZEN], vs->frozen, c->table);
	vs->open_cursors++;
	c->impl = vc;
}

void view_cursor_close(struct state_cursor *c)
{
	struct view_cursor *vc = c->impl;

	vc->store->open_cursors--;
	give_idle(&vc->store->t[c->table], vc);
}

void view_cursors_free(struct view_table *t)
{
	struct view_cursor *vc;

	while ((vc = t->idle)) {
		t->idle = vc->next;
		if (vc->disk)
			mdb_cursor_close(vc->disk);
		free(vc);
	}
}

/* Moving one layer. */

static bool disk_get(struct view_cursor *vc, MDB_cursor_op op)
{
	int rc = mdb_cursor_get(vc->disk, &vc->disk_key, &vc->disk_value, op);

	if (rc != 0 && rc != MDB_NOTFOUND)
		state_fail(&vc->store->state, E_INTERNAL, "views: reading: %s", mdb_strerror(rc));
	return rc == 0;
}

static bool disk_move(struct view_cursor *vc, enum where where, struct slice key)
{
	bool found;

	if (where == LAST)
		return disk_get(vc, MDB_LAST);
	if (key.len == 0)
		return disk_get(vc, MDB_FIRST);
	vc->disk_key = view_val(key);
	found = disk_get(vc, MDB_SET_RANGE);
	if (where == BEFORE)
		return disk_get(vc, found ? MDB_PREV : MDB_LAST);
	if (found && where == AFTER && slice_eq(slice_of(vc->disk_key.mv_data, vc->disk_key.mv_size), key))
		return disk_get(vc, MDB_NEXT);
	return found;
}

static bool overlay_find(struct omap_cursor *c, enum where where, struct slice key)
{
	switch (where) {
	case AT_OR_AFTER:
		return omap_cursor_ge(c, key);
	case AFTER:
		return omap_cursor_gt(c, key);
	case BEFORE:
		return omap_cursor_lt(c, key);
	case LAST:
		return omap_cursor_last(c);
	}
	return false;
}

static bool overlay_move(struct view_cursor *vc, enum layer layer, enum where where, struct slice key)
{
	bool found = overlay_find(&vc->overlay[layer], where, key);

	if (vc->overlay[layer].failed)
		view_store_no_memory(vc->store);
	return found;
}

static void move_all(struct view_cursor *vc, enum where where, struct slice key)
{
	vc->has[ACTIVE] = overlay_move(vc, ACTIVE, where, key);
	vc->has[FROZEN] = vc->store->frozen && overlay_move(vc, FROZEN, where, key);
	vc->has[DISK] = disk_move(vc, where, key);
	vc->back = where == BEFORE || where == LAST;
}

static bool layer_step(struct view_cursor *vc, enum layer layer)
{
	if (layer == DISK)
		return disk_get(vc, vc->back ? MDB_PREV : MDB_NEXT);
	return vc->back ? omap_cursor_prev(&vc->overlay[layer]) : omap_cursor_next(&vc->overlay[layer]);
}

/* Moves the layers that stand on the key just taken. */
static void step_taken(struct view_cursor *vc)
{
	for (enum layer i = ACTIVE; i < LAYERS; i++)
		if (vc->at[i])
			vc->has[i] = layer_step(vc, i);
}

/* Merging. */

static struct slice layer_key(const struct view_cursor *vc, enum layer layer)
{
	if (layer == DISK)
		return slice_of(vc->disk_key.mv_data, vc->disk_key.mv_size);
	return omap_cursor_key(&vc->overlay[layer]);
}

static enum omap_found layer_value(const struct view_cursor *vc, enum layer layer, struct slice *ret)
{
	if (layer != DISK)
		return omap_cursor_value(&vc->overlay[layer], ret);
	*ret = slice_of(vc->disk_value.mv_data, vc->disk_value.mv_size);
	return OMAP_VALUE;
}

/* Marks the layers whose candidate is nearest. */
static bool pick(struct view_cursor *vc, struct slice *ret_key)
{
	bool any = false;

	for (enum layer i = ACTIVE; i < LAYERS; i++) {
		int c = 0;

		vc->at[i] = vc->has[i];
		if (!vc->has[i])
			continue;
		if (any) {
			c = slice_cmp(layer_key(vc, i), *ret_key);
			c = vc->back ? -c : c;
		}
		vc->at[i] = c <= 0;
		for (enum layer above = ACTIVE; c < 0 && above < i; above++)
			vc->at[above] = false;
		if (!any || c < 0)
			*ret_key = layer_key(vc, i);
		any = true;
	}
	return any;
}

/* What the uppermost layer that knows the key says. */
static enum omap_found picked_value(const struct view_cursor *vc, struct slice *ret)
{
	enum omap_found found = OMAP_NOTHING;

	for (enum layer i = ACTIVE; i < LAYERS && found == OMAP_NOTHING; i++)
		if (vc->at[i])
			found = layer_value(vc, i, ret);
	return found;
}

static bool settle(struct state_cursor *c)
{
	struct view_cursor *vc = c->impl;
	struct slice key, value;

	while (pick(vc, &key) && !c->state->failed) {
		if (picked_value(vc, &value) == OMAP_VALUE) {
			c->key = key;
			c->value = value;
			return true;
		}
		step_taken(vc);
	}
	return false;
}

bool view_cursor_seek(struct state_cursor *c, struct slice key, bool before)
{
	move_all(c->impl, !before ? AT_OR_AFTER : key.len > 0 ? BEFORE : LAST, key);
	return settle(c);
}

bool view_cursor_step(struct state_cursor *c, bool back)
{
	struct view_cursor *vc = c->impl;
	enum where where = back ? BEFORE : AFTER;

	if (back != vc->back) {
		move_all(vc, where, c->key);
	} else {
		bool stale = omap_cursor_is_stale(&vc->overlay[ACTIVE]);

		if (stale)
			vc->at[ACTIVE] = false;
		step_taken(vc);
		if (stale)
			vc->has[ACTIVE] = overlay_move(vc, ACTIVE, where, c->key);
	}
	return settle(c);
}
