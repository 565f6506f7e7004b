#include "projections/view_store_impl.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void view_store_no_memory(struct view_store *vs)
{
	state_fail(&vs->state, E_INTERNAL, "views: no memory");
}

int view_disk_name(char *ret, const struct state_table *table, uint32_t generation)
{
	return snprintf(ret, VIEW_NAME_MAX, "%s.%" PRIu32, table->name, generation);
}

/* Reading and writing. */

static bool store_get(struct state *s, unsigned table, struct slice key, struct slice *ret)
{
	struct view_store *vs = view_store_of(s);
	enum omap_found found = omap_get(vs->active, table, key, ret);

	if (found == OMAP_NOTHING && vs->frozen)
		found = omap_get(vs->frozen, table, key, ret);
	if (found == OMAP_NOTHING)
		return view_disk_get(vs, table, key, ret);
	return found == OMAP_VALUE;
}

static void store_put(struct state *s, unsigned table, struct slice key, struct slice value)
{
	if (!omap_put(view_store_of(s)->active, table, key, value))
		view_store_no_memory(view_store_of(s));
}

static void store_del(struct state *s, unsigned table, struct slice key)
{
	if (!omap_del(view_store_of(s)->active, table, key))
		view_store_no_memory(view_store_of(s));
}

static void count_change(void *arg, unsigned table, struct slice key, int rows)
{
	struct view_store *vs = arg;

	if (!vs->rank_failed)
		vs->rank_failed = !rank_change(vs->t[table].rank, rank_score(key), rows);
}

static void store_commit(struct state *s)
{
	struct view_store *vs = view_store_of(s);

	omaps_each_change(vs->active, count_change, vs);
	omaps_commit(vs->active);
}

static void store_rollback(struct state *s)
{
	omaps_rollback(view_store_of(s)->active);
}

/* NULL, and the state failed: counts are lost until the store is reset. */
static struct rank *rank_of(struct state *s, unsigned table)
{
	struct view_store *vs = view_store_of(s);

	assert(table < vs->n_tables && vs->tables[table].counted);
	if (!vs->rank_failed)
		vs->rank_failed = !rank_settle(vs->t[table].rank);
	if (vs->rank_failed)
		view_store_no_memory(vs);
	return vs->rank_failed ? NULL : vs->t[table].rank;
}

static uint64_t store_count_below(struct state *s, unsigned table, uint64_t score)
{
	struct rank *r = rank_of(s, table);

	return r ? rank_count_less(r, score) : 0;
}

static bool store_nth(struct state *s, unsigned table, uint64_t n, uint64_t *ret_score)
{
	struct rank *r = rank_of(s, table);

	return r && rank_nth(r, n, ret_score);
}

static uint64_t store_count(struct state *s, unsigned table)
{
	struct rank *r = rank_of(s, table);

	return r ? rank_total(r) : 0;
}

static const struct state_ops store_ops = {
	.get = store_get,
	.put = store_put,
	.del = store_del,
	.prefetch = view_prefetch,
	.cursor_open = view_cursor_open,
	.cursor_close = view_cursor_close,
	.seek = view_cursor_seek,
	.step = view_cursor_step,
	.count_below = store_count_below,
	.nth = store_nth,
	.count = store_count,
	.commit = store_commit,
	.rollback = store_rollback,
};

/* Snapshots. */

static int snapshot_take(struct view_store *vs, struct err *err)
{
	int rc;

	assert(vs->open_cursors == 0);
	if (!vs->txn) {
		rc = mdb_txn_begin(vs->views->env, NULL, MDB_RDONLY, &vs->txn);
	} else {
		mdb_txn_reset(vs->txn);
		rc = mdb_txn_renew(vs->txn);
	}
	if (rc != 0)
		return views_fail(err, rc, "reading the checkpoint");
	vs->epoch++;
	state_changed(&vs->state);
	pthread_mutex_lock(&vs->views->lock);
	vs->snapshot = mdb_txn_id(vs->txn);
	pthread_mutex_unlock(&vs->views->lock);
	view_find_roots(vs);
	return 0;
}

static int scan_scores(struct view_store *vs, unsigned table, struct rank *r)
{
	MDB_val key, value;
	MDB_cursor *c;
	uint64_t score = 0;
	int rc = mdb_cursor_open(vs->txn, vs->t[table].dbi, &c);

	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) == 0) {
		uint64_t before = score;

		if (key.mv_size < sizeof(score))
			rc = MDB_CORRUPTED;
		else if ((score = rank_score(slice_of(key.mv_data, key.mv_size))) < before)
			rc = MDB_CORRUPTED; /* LMDB keeps keys in order, a damaged page does not */
		else if (!rank_append(r, score))
			rc = ENOMEM;
		if (rc != 0)
			break;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Order statistics of a counted table, from the checkpoint. */
static int rank_build(struct view_store *vs, unsigned table, struct err *err)
{
	struct rank *r = rank_new();
	int rc = r ? scan_scores(vs, table, r) : ENOMEM;

	if (rc != 0) {
		rank_free(r);
		return views_fail(err, rc, "counting %s", vs->tables[table].name);
	}
	rank_free(vs->t[table].rank);
	vs->t[table].rank = r;
	return 0;
}

static int ranks_build(struct view_store *vs, struct err *err)
{
	for (unsigned i = 0; i < vs->n_tables; i++)
		if (vs->tables[i].counted) {
			int rc = rank_build(vs, i, err);

			if (rc != 0)
				return rc;
		}
	vs->rank_failed = false;
	return 0;
}

/* Opening. */

static int disk_name(char *ret, const struct state_table *table, uint32_t generation, struct err *err)
{
	int n = view_disk_name(ret, table, generation);

	return n < VIEW_NAME_MAX ? 0 : err_set(err, E_INTERNAL, "views: name of table %s too long", table->name);
}

static int tables_open(struct view_store *vs, const uint32_t *generations, struct err *err)
{
	char(*names)[VIEW_NAME_MAX] = calloc(vs->n_tables, sizeof(*names));
	MDB_dbi *dbis = calloc(vs->n_tables, sizeof(*dbis));
	int rc = names && dbis ? 0 : views_fail(err, ENOMEM, "opening tables");

	for (unsigned i = 0; i < vs->n_tables && rc == 0; i++)
		rc = disk_name(names[i], &vs->tables[i], generations[i], err);
	if (rc == 0)
		rc = views_tables_open(vs->views, names, vs->n_tables, dbis, err);
	for (unsigned i = 0; i < vs->n_tables && rc == 0 && dbis; i++) {
		vs->t[i].dbi = dbis[i];
		vs->t[i].generation = generations[i];
	}
	free(names);
	free(dbis);
	return rc;
}

static struct omaps *overlay_new(const struct view_store *vs)
{
	struct omaps *o = omaps_new(vs->n_tables);

	for (unsigned i = 0; o && i < vs->n_tables; i++)
		if (vs->tables[i].counted)
			omap_make_strict(o, i);
	return o;
}

static int store_init(struct view_store *vs, const uint32_t *generations, struct err *err)
{
	int rc;

	vs->active = overlay_new(vs);
	vs->spare = overlay_new(vs);
	if (!vs->active || !vs->spare)
		return views_fail(err, ENOMEM, "opening a store");
	rc = tables_open(vs, generations, err);
	if (rc == 0)
		rc = snapshot_take(vs, err);
	if (rc == 0)
		rc = ranks_build(vs, err);
	return rc;
}

static void store_link(struct view_store *vs)
{
	struct views *v = vs->views;

	pthread_mutex_lock(&v->lock);
	vs->next = v->stores;
	v->stores = vs;
	pthread_mutex_unlock(&v->lock);
}

static void store_unlink(struct view_store *vs)
{
	struct view_store **at = &vs->views->stores;

	pthread_mutex_lock(&vs->views->lock);
	while (*at != vs)
		at = &(*at)->next;
	*at = vs->next;
	pthread_mutex_unlock(&vs->views->lock);
}

int view_store_open(struct views *v, const struct state_table *tables, unsigned n_tables, const uint32_t *generations,
		    struct view_store **ret, struct err *err)
{
	struct view_store *vs = calloc(1, sizeof(*vs) + n_tables * sizeof(vs->t[0]));
	int rc;

	if (!vs)
		return views_fail(err, ENOMEM, "opening a store");
	state_begin(&vs->state, &store_ops, tables);
	vs->views = v;
	vs->tables = tables;
	vs->n_tables = n_tables;
	store_link(vs);
	rc = store_init(vs, generations, err);
	if (rc != 0) {
		view_store_close(vs);
		return rc;
	}
	*ret = vs;
	return 0;
}

void view_store_close(struct view_store *vs)
{
	if (!vs)
		return;
	assert(vs->open_cursors == 0);
	state_end(&vs->state);
	for (unsigned i = 0; i < vs->n_tables; i++) {
		view_cursors_free(&vs->t[i]);
		rank_free(vs->t[i].rank);
	}
	if (vs->txn)
		mdb_txn_abort(vs->txn);
	store_unlink(vs);
	omaps_free(vs->active);
	omaps_free(vs->frozen);
	omaps_free(vs->spare);
	free(vs->drops.names);
	free(vs->later.names);
	free(vs);
}

struct state *view_store_state(struct view_store *vs)
{
	return &vs->state;
}

/* Checkpoints. */

void view_store_pending(const struct view_store *vs, uint64_t *ret_rows, uint64_t *ret_bytes)
{
	*ret_rows = omaps_rows(vs->active);
	*ret_bytes = omaps_bytes(vs->active);
}

bool view_store_is_frozen(const struct view_store *vs)
{
	return vs->frozen != NULL;
}

void view_store_freeze(struct view_store *vs)
{
	assert(!vs->frozen && !omaps_in_work(vs->active) && vs->open_cursors == 0);
	vs->frozen = vs->active;
	vs->frozen_bytes = omaps_bytes(vs->frozen);
	vs->active = vs->spare;
	vs->spare = NULL;
	if (vs->drops.n == 0) {
		struct view_drops applied = vs->drops;

		vs->drops = vs->later;
		vs->later = applied;
	}
}

static void thaw(struct view_store *vs)
{
	if (!vs->frozen)
		return;
	omaps_reset(vs->frozen);
	vs->spare = vs->frozen;
	vs->frozen = NULL;
}

int view_store_applied(struct view_store *vs, struct err *err)
{
	int rc = snapshot_take(vs, err);

	assert(vs->frozen && !omaps_in_work(vs->active));
	if (rc != 0)
		return rc;
	thaw(vs);
	vs->drops.n = 0;
	return 0;
}

int view_store_reset(struct view_store *vs, struct err *err)
{
	int rc;

	thaw(vs);
	omaps_reset(vs->active);
	rc = snapshot_take(vs, err);
	return rc == 0 ? ranks_build(vs, err) : rc;
}

/* Generations. */

static int remember_drop(struct view_store *vs, const char *name, struct err *err)
{
	struct view_drops *d = &vs->later;
	unsigned cap = d->cap ? d->cap * 2 : 8;

	if (d->n == d->cap) {
		void *grown = realloc(d->names, cap * sizeof(d->names[0]));

		if (!grown)
			return views_fail(err, ENOMEM, "dropping %s", name);
		d->names = grown;
		d->cap = cap;
	}
	snprintf(d->names[d->n++], VIEW_NAME_MAX, "%s", name);
	return 0;
}

int view_store_give_up(struct view_store *vs, unsigned table, uint32_t generation, struct err *err)
{
	char name[VIEW_NAME_MAX];
	int rc;

	assert(table < vs->n_tables && generation != vs->t[table].generation);
	rc = disk_name(name, &vs->tables[table], generation, err);
	return rc == 0 ? remember_drop(vs, name, err) : rc;
}

int view_store_adopt(struct view_store *vs, unsigned table, uint32_t generation, struct err *err)
{
	struct view_table *t = &vs->t[table];
	char name[VIEW_NAME_MAX], old[VIEW_NAME_MAX];
	MDB_dbi dbi;
	int rc;

	assert(table < vs->n_tables && !vs->frozen && !omaps_in_work(vs->active) && generation != t->generation);
	rc = disk_name(name, &vs->tables[table], generation, err);
	if (rc == 0)
		rc = disk_name(old, &vs->tables[table], t->generation, err);
	if (rc != 0)
		return rc;
	if (!views_table_find(vs->views, name, &dbi))
		return err_set(err, E_NOT_FOUND, "views: no table %s", name);
	rc = remember_drop(vs, old, err);
	if (rc != 0)
		return rc;
	rc = snapshot_take(vs, err);
	if (rc != 0)
		return rc;
	view_cursors_free(t);
	omap_clear(vs->active, table);
	t->dbi = dbi;
	t->generation = generation;
	view_find_roots(vs);
	return vs->tables[table].counted ? rank_build(vs, table, err) : 0;
}

uint32_t view_store_generation(const struct view_store *vs, unsigned table)
{
	assert(table < vs->n_tables);
	return vs->t[table].generation;
}

int view_store_table_info(struct view_store *vs, unsigned table, uint64_t *ret_rows, uint64_t *ret_bytes,
			  struct err *err)
{
	MDB_stat st;
	int rc;

	assert(table < vs->n_tables);
	rc = mdb_stat(vs->txn, vs->t[table].dbi, &st);
	if (rc != 0)
		return views_fail(err, rc, "table %s", vs->tables[table].name);
	*ret_rows = st.ms_entries;
	*ret_bytes = (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) * (uint64_t)st.ms_psize;
	return 0;
}
