#include "projections/engine.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
	CHECKPOINT_FORMAT = 1,
	CHECKPOINT_MAX = 4096,
	ARENA_MAX = 64 << 20,
	FREEZE_BYTES = 40 << 20,   /* of one overlay: two of them and LMDB's own must fit the budget */
	OVERFULL_BYTES = 52 << 20, /* the next one may grow so far while the last is written */
	PROGRESS_EVERY = 10000,
};
static const char checkpoint_name[] = "checkpoint";

/* How far each projection has come, and in which tables. */
struct position {
	uint64_t seq;
	uint32_t generation;
};

struct engine {
	struct views *views;
	struct view_store *store;
	struct state *state;
	struct arena arena;
	struct position at[N_PROJECTIONS];
	/* of the checkpoint on disk */
	uint64_t disk_seq;
	uint8_t disk_root[ENGINE_ROOT];
	uint32_t last_generation; /* ever used, adopted or not */
	/* of the frozen overlay */
	uint64_t frozen_seq;
	uint32_t frozen_last_generation;
	struct position frozen[N_PROJECTIONS];
	char dir[4096];
};

/* ---- the checkpoint record ---- */

static void write_checkpoint(struct buf *b, uint64_t seq, const uint8_t root[ENGINE_ROOT],
			     const struct position at[N_PROJECTIONS], uint32_t last_generation)
{
	mp_put_array(b, 5);
	mp_put_uint32(b, CHECKPOINT_FORMAT);
	mp_put_uint64(b, seq);
	mp_put_bin(b, ENGINE_ROOT);
	buf_append(b, root, ENGINE_ROOT);
	mp_put_uint32(b, last_generation);
	mp_put_array(b, N_PROJECTIONS);
	for (int p = 0; p < N_PROJECTIONS; p++) {
		mp_put_array(b, 4);
		mp_put_text(b, slice_str(projection_defs[p].name));
		mp_put_uint32(b, projection_defs[p].version);
		mp_put_uint32(b, at[p].generation);
		mp_put_uint64(b, at[p].seq);
	}
}

/* One projection's line: kept when the version is ours, else it begins anew. */
static bool read_position(struct mp *m, struct engine *e)
{
	uint64_t version, generation, seq;
	struct slice name;
	uint32_t n;

	if (!mp_array(m, &n) || n != 4 || !mp_str(m, &name) || !mp_uint(m, &version) || !mp_uint(m, &generation) ||
	    !mp_uint(m, &seq))
		return false;
	for (int p = 0; p < N_PROJECTIONS; p++)
		if (slice_is(name, projection_defs[p].name) && version == projection_defs[p].version)
			e->at[p] = (struct position){ seq, (uint32_t)generation };
	return true;
}

static bool read_checkpoint(struct engine *e, struct slice bytes)
{
	struct mp m = mp_of(bytes);
	uint64_t format, generation;
	struct slice root;
	uint32_t n;

	if (!mp_array(&m, &n) || n != 5 || !mp_uint(&m, &format) || format != CHECKPOINT_FORMAT ||
	    !mp_uint(&m, &e->disk_seq) || !mp_bin(&m, &root) || root.len != ENGINE_ROOT || !mp_uint(&m, &generation) ||
	    !mp_array(&m, &n))
		return false;
	memcpy(e->disk_root, root.base, ENGINE_ROOT);
	e->last_generation = (uint32_t)generation;
	while (n-- > 0)
		if (!read_position(&m, e))
			return false;
	return true;
}

/* ---- opening ---- */

static void table_generations(const struct position at[N_PROJECTIONS], uint32_t ret[N_TABLES])
{
	for (int t = 0; t < N_TABLES; t++)
		ret[t] = at[table_defs[t].projection].generation;
}

static int open_store(struct engine *e, struct err *err)
{
	uint32_t generations[N_TABLES];
	int rc;

	/* what no checkpoint names was left by a rebuild that did not come to its end */
	table_generations(e->at, generations);
	rc = views_prune(e->views, state_tables, N_TABLES, generations, err);
	if (rc != 0)
		return rc;
	/* a projection without a position begins in tables nobody has used */
	for (int p = 0; p < N_PROJECTIONS; p++)
		if (e->at[p].generation == 0)
			e->at[p].generation = e->last_generation + 1;
	e->last_generation++;
	table_generations(e->at, generations);
	rc = view_store_open(e->views, state_tables, N_TABLES, generations, &e->store, err);
	if (rc != 0)
		return rc;
	e->state = view_store_state(e->store);
	e->state->arena = &e->arena;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

static int make_dir(const char *dir, struct err *err)
{
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_set(err, E_UNAVAILABLE, "cannot make %s: %s", dir, strerror(errno));
	return 0;
}

static int open_views(struct engine *e, struct err *err)
{
	uint8_t bytes[CHECKPOINT_MAX];
	size_t len;
	int rc = make_dir(e->dir, err);

	memset(e->at, 0, sizeof(e->at));
	e->disk_seq = 0;
	e->last_generation = 0;
	if (rc == 0)
		rc = views_open(e->dir, &e->views, err);
	if (rc != 0)
		return rc;
	rc = views_meta_get(e->views, checkpoint_name, bytes, sizeof(bytes), &len, err);
	if (rc == E_NOT_FOUND)
		return open_store(e, err);
	if (rc == 0 && !read_checkpoint(e, slice_of(bytes, len)))
		rc = err_set(err, E_INTERNAL, "%s: its checkpoint does not read", e->dir);
	return rc == 0 ? open_store(e, err) : rc;
}

static void close_views(struct engine *e)
{
	view_store_close(e->store);
	views_close(e->views);
	e->store = NULL;
	e->views = NULL;
}

int engine_open(const char *dir, struct engine **ret, struct err *err)
{
	struct engine *e = calloc(1, sizeof(*e));
	int rc;

	if (e == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	arena_init(&e->arena, ARENA_MAX);
	snprintf(e->dir, sizeof(e->dir), "%s", dir);
	rc = open_views(e, err);
	if (rc == E_INTERNAL) {
		/* damaged: a cache can be thrown away */
		close_views(e);
		rc = nftw(e->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT
			     ? open_views(e, err)
			     : err_set(err, E_INTERNAL, "%s is damaged and cannot be removed", e->dir);
	}
	if (rc != 0) {
		engine_close(e);
		return rc;
	}
	*ret = e;
	return 0;
}

void engine_close(struct engine *e)
{
	if (e == NULL)
		return;
	close_views(e);
	arena_free(&e->arena);
	free(e);
}

struct state *engine_state(struct engine *e)
{
	return e->state;
}

void engine_checkpoint(const struct engine *e, uint64_t *ret_seq, uint8_t ret_root[ENGINE_ROOT])
{
	*ret_seq = e->disk_seq;
	memcpy(ret_root, e->disk_root, ENGINE_ROOT);
}

int engine_discard(struct engine *e, struct err *err)
{
	view_store_close(e->store);
	e->store = NULL;
	memset(e->at, 0, sizeof(e->at));
	e->disk_seq = 0;
	return open_store(e, err);
}

/* ---- folding ---- */

uint64_t engine_next(const struct engine *e)
{
	uint64_t lowest = e->at[0].seq;

	for (int p = 1; p < N_PROJECTIONS; p++)
		if (e->at[p].seq < lowest)
			lowest = e->at[p].seq;
	return lowest + 1;
}

static unsigned lacking(const struct engine *e, uint64_t seq)
{
	unsigned mask = 0;

	for (int p = 0; p < N_PROJECTIONS; p++)
		if (e->at[p].seq < seq)
			mask |= 1u << p;
	return mask;
}

void engine_fold(struct engine *e, const struct event *ev)
{
	fold_event(e->state, ev, lacking(e, ev->seq));
}

void engine_folded(struct engine *e, uint64_t seq)
{
	for (int p = 0; p < N_PROJECTIONS; p++)
		if (e->at[p].seq < seq)
			e->at[p].seq = seq;
}

/* ---- folding the log ---- */

/* Where a walk over the log folds to. */
struct target {
	struct state *state;
	struct view_store *store;
	uint64_t full;                                               /* bytes */
	int (*checkpoint)(void *arg, uint64_t seq, struct err *err); /* the overlay is full */
	unsigned (*mask)(void *arg, uint64_t seq);
	void (*folded)(void *arg, uint64_t seq);
	void *arg;
};

static int fold_one(const struct target *t, const struct event *ev, struct err *err)
{
	fold_event(t->state, ev, t->mask(t->arg, ev->seq));
	if (t->state->failed) {
		*err = t->state->err;
		state_rollback(t->state);
		return err_wrap(err, "folding event %" PRIu64, ev->seq);
	}
	if (t->state->arena->failed) {
		state_rollback(t->state);
		return err_set(err, E_INTERNAL, "folding event %" PRIu64 " takes too much memory", ev->seq);
	}
	state_commit(t->state);
	t->folded(t->arg, ev->seq);
	return 0;
}

/* Reads the next events, at most FOLD_AHEAD, into the arena. */
static int read_ahead(const struct target *t, const struct event_source *log, uint64_t seq, uint64_t to,
		      struct event events[FOLD_AHEAD], size_t *ret_n, struct err *err)
{
	uint64_t examined = 0;
	size_t n = 0;
	int rc = 0;

	arena_reset(t->state->arena);
	while (n < FOLD_AHEAD && seq + n <= to && rc == 0) {
		rc = log->next(log->arg, seq + n, false, NULL, t->state->arena, &events[n], &examined, err);
		n += rc == 0;
	}
	*ret_n = n;
	return rc;
}

/* Writing takes long, and the log goes on. */
static int checkpoint_of(const struct target *t, const struct event_source *log, uint64_t seq, struct err *err)
{
	if (log->rest != NULL)
		log->rest(log->arg);
	return t->checkpoint(t->arg, seq, err);
}

static int fold_range(const struct target *t, const struct event_source *log, uint64_t from, uint64_t to,
		      bool (*progress)(void *, uint64_t, uint64_t), void *arg, struct err *err)
{
	struct event events[FOLD_AHEAD];
	uint64_t rows, bytes;
	size_t n;
	int rc = 0;

	for (uint64_t seq = from; seq <= to && rc == 0; seq += n) {
		rc = read_ahead(t, log, seq, to, events, &n, err);
		if (rc == 0)
			fold_ahead(t->state, events, n, t->mask(t->arg, seq));
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = fold_one(t, &events[i], err);
		view_store_pending(t->store, &rows, &bytes);
		if (rc == 0 && bytes >= FREEZE_BYTES)
			rc = checkpoint_of(t, log, seq + n - 1, err);
		if (rc == 0 && progress != NULL && seq % PROGRESS_EVERY < FOLD_AHEAD && !progress(arg, seq, to))
			rc = err_set(err, E_UNAVAILABLE, "stopped");
	}
	arena_reset(t->state->arena);
	return rc;
}

static unsigned engine_mask(void *arg, uint64_t seq)
{
	return lacking(arg, seq);
}

static void engine_moved(void *arg, uint64_t seq)
{
	engine_folded(arg, seq);
}

/* A checkpoint in the middle of a block has no root: it names none, and the seq that all have. */
static int checkpoint_now(void *arg, uint64_t seq, struct err *err)
{
	static const uint8_t none[ENGINE_ROOT];
	struct engine *e = arg;
	int rc;

	(void)seq;
	engine_freeze(e, engine_next(e) - 1);
	rc = engine_apply(e, none, err);
	return rc == 0 ? engine_applied(e, err) : rc;
}

int engine_catch_up(struct engine *e, const struct event_source *log, uint64_t to,
		    bool (*progress)(void *, uint64_t, uint64_t), void *arg, struct err *err)
{
	struct target t = { .state = e->state,
			    .store = e->store,
			    .checkpoint = checkpoint_now,
			    .mask = engine_mask,
			    .folded = engine_moved,
			    .arg = e };

	return fold_range(&t, log, engine_next(e), to, progress, arg, err);
}

/* ---- checkpoints ---- */

void engine_pending(const struct engine *e, uint64_t *ret_rows, uint64_t *ret_bytes)
{
	view_store_pending(e->store, ret_rows, ret_bytes);
}

bool engine_wants_freeze(const struct engine *e)
{
	uint64_t rows, bytes;

	view_store_pending(e->store, &rows, &bytes);
	return bytes >= FREEZE_BYTES;
}

bool engine_overfull(const struct engine *e)
{
	uint64_t rows, bytes;

	view_store_pending(e->store, &rows, &bytes);
	return bytes >= OVERFULL_BYTES;
}

bool engine_is_frozen(const struct engine *e)
{
	return view_store_is_frozen(e->store);
}

void engine_freeze(struct engine *e, uint64_t seq)
{
	view_store_freeze(e->store);
	e->frozen_seq = seq;
	e->frozen_last_generation = e->last_generation;
	memcpy(e->frozen, e->at, sizeof(e->frozen));
}

int engine_apply(struct engine *e, const uint8_t root[ENGINE_ROOT], struct err *err)
{
	struct view_meta meta = { checkpoint_name, SLICE_NULL };
	uint8_t bytes[CHECKPOINT_MAX];
	struct buf b = { .base = bytes, .cap = sizeof(bytes), .max = sizeof(bytes) };
	int rc;

	write_checkpoint(&b, e->frozen_seq, root, e->frozen, e->frozen_last_generation);
	assert(!b.failed);
	meta.value = buf_slice(&b);
	rc = view_store_apply(e->store, &meta, 1, err);
	if (rc == 0) {
		e->disk_seq = e->frozen_seq;
		memcpy(e->disk_root, root, ENGINE_ROOT);
	}
	return rc;
}

int engine_applied(struct engine *e, struct err *err)
{
	return view_store_applied(e->store, err);
}

int engine_reset(struct engine *e, struct err *err)
{
	int rc = view_store_reset(e->store, err);

	memset(e->at, 0, sizeof(e->at));
	close_views(e);
	return rc == 0 ? open_views(e, err) : rc;
}

/* ---- looking at it ---- */

int engine_info(struct engine *e, enum projection_id p, struct projection_info *ret, struct err *err)
{
	*ret = (struct projection_info){ .seq = e->at[p].seq, .generation = e->at[p].generation };
	for (int t = 0; t < N_TABLES; t++) {
		uint64_t rows, bytes;
		int rc;

		if (table_defs[t].projection != (enum projection_id)p)
			continue;
		rc = view_store_table_info(e->store, (unsigned)t, &rows, &bytes, err);
		if (rc != 0)
			return rc;
		ret->entries += rows;
		ret->bytes += bytes;
	}
	return 0;
}

int engine_storage(struct engine *e, struct views_info *ret, struct err *err)
{
	return views_info(e->views, ret, err);
}

struct snapshot {
	struct view_store *store;
	struct arena arena;
	uint64_t seq;
};

/* The tables without their order statistics: a snapshot is walked, not ranked. */
static const struct state_table *plain_tables(void)
{
	static struct state_table tables[N_TABLES];

	for (int t = 0; t < N_TABLES; t++)
		tables[t].name = state_tables[t].name;
	return tables;
}

int snapshot_open(struct engine *e, struct snapshot **ret, struct err *err)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	uint32_t generations[N_TABLES];
	int rc;

	if (s == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	table_generations(e->at, generations);
	arena_init(&s->arena, ARENA_MAX);
	rc = view_store_open(e->views, plain_tables(), N_TABLES, generations, &s->store, err);
	if (rc != 0) {
		snapshot_close(s);
		return rc;
	}
	s->seq = e->disk_seq;
	view_store_state(s->store)->arena = &s->arena;
	*ret = s;
	return 0;
}

void snapshot_close(struct snapshot *s)
{
	if (s == NULL)
		return;
	if (s->store != NULL)
		view_store_close(s->store);
	arena_free(&s->arena);
	free(s);
}

struct state *snapshot_state(struct snapshot *s)
{
	return view_store_state(s->store);
}

uint64_t snapshot_seq(const struct snapshot *s)
{
	return s->seq;
}

static void hash_part(XXH3_state_t *h, struct slice s)
{
	uint32_t len = htole32((uint32_t)s.len);

	XXH3_128bits_update(h, &len, sizeof(len));
	XXH3_128bits_update(h, s.base, s.len);
}

int projection_fingerprint(struct state *s, enum projection_id p, char ret_hex[33], struct err *err)
{
	XXH3_state_t *h = XXH3_createState();
	XXH128_canonical_t sum;

	if (h == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	XXH3_128bits_reset(h);
	for (unsigned t = 0; t < N_TABLES; t++) {
		struct state_cursor c;
		bool more;

		if (table_defs[t].projection != p)
			continue;
		hash_part(h, slice_str(table_defs[t].name));
		state_cursor_open(&c, s, t);
		for (more = state_cursor_seek(&c, SLICE_LIT("")); more; more = state_cursor_next(&c)) {
			hash_part(h, c.key);
			hash_part(h, c.value);
		}
		state_cursor_close(&c);
	}
	XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(h));
	XXH3_freeState(h);
	for (int i = 0; i < 16; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", sum.digest[i]);
	if (s->failed) {
		*err = s->err;
		return (int)err->code;
	}
	return 0;
}

static void describe_row(unsigned t, struct slice key, char *text, size_t size)
{
	size_t n = (size_t)snprintf(text, size, "table %s, key ", table_defs[t].name);

	for (size_t i = 0; i < key.len && n + 3 < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%02x", ((const uint8_t *)key.base)[i]);
}

bool projection_difference(struct state *a, struct state *b, enum projection_id p, char *text, size_t size)
{
	bool differ = false;

	for (unsigned t = 0; t < N_TABLES && !differ; t++) {
		struct state_cursor x, y;
		bool more_x, more_y;

		if (table_defs[t].projection != p)
			continue;
		state_cursor_open(&x, a, t);
		state_cursor_open(&y, b, t);
		more_x = state_cursor_seek(&x, SLICE_LIT(""));
		more_y = state_cursor_seek(&y, SLICE_LIT(""));
		while (more_x && more_y && slice_eq(x.key, y.key) && slice_eq(x.value, y.value)) {
			more_x = state_cursor_next(&x);
			more_y = state_cursor_next(&y);
		}
		if (more_x || more_y) {
			bool first_x = more_x && (!more_y || slice_cmp(x.key, y.key) <= 0);

			differ = true;
			describe_row(t, first_x ? x.key : y.key, text, size);
		}
		state_cursor_close(&x);
		state_cursor_close(&y);
	}
	return differ;
}

/* ---- rebuilding ---- */

struct rebuild {
	struct engine *engine;
	struct view_store *store;
	struct arena arena;
	unsigned projections;
	uint32_t generation;
	uint64_t seq;
};

int rebuild_open(struct engine *e, unsigned projections, struct rebuild **ret, struct err *err)
{
	struct rebuild *r = calloc(1, sizeof(*r));
	uint32_t generations[N_TABLES];
	int rc;

	if (r == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	*r = (struct rebuild){ .engine = e, .projections = projections, .generation = ++e->last_generation };
	arena_init(&r->arena, ARENA_MAX);
	for (int t = 0; t < N_TABLES; t++)
		generations[t] = r->generation;
	rc = view_store_open(e->views, plain_tables(), N_TABLES, generations, &r->store, err);
	if (rc != 0) {
		rebuild_close(r);
		return rc;
	}
	view_store_state(r->store)->arena = &r->arena;
	*ret = r;
	return 0;
}

static unsigned rebuild_mask(void *arg, uint64_t seq)
{
	(void)seq;
	return ((struct rebuild *)arg)->projections;
}

static void rebuild_moved(void *arg, uint64_t seq)
{
	((struct rebuild *)arg)->seq = seq;
}

static int rebuild_checkpoint(void *arg, uint64_t seq, struct err *err)
{
	struct rebuild *r = arg;
	int rc;

	(void)seq;
	view_store_freeze(r->store);
	rc = view_store_apply(r->store, NULL, 0, err);
	return rc == 0 ? view_store_applied(r->store, err) : rc;
}

int rebuild_fold(struct rebuild *r, const struct event_source *log, uint64_t to,
		 bool (*progress)(void *, uint64_t, uint64_t), void *arg, struct err *err)
{
	struct target t = { .state = view_store_state(r->store),
			    .store = r->store,
			    .checkpoint = rebuild_checkpoint,
			    .mask = rebuild_mask,
			    .folded = rebuild_moved,
			    .arg = r };
	int rc = fold_range(&t, log, r->seq + 1, to, progress, arg, err);

	return rc == 0 ? checkpoint_of(&t, log, to, err) : rc;
}

struct state *rebuild_state(struct rebuild *r)
{
	return view_store_state(r->store);
}

uint64_t rebuild_seq(const struct rebuild *r)
{
	return r->seq;
}

int rebuild_adopt(struct rebuild *r, const struct event_source *log, uint64_t to, struct err *err)
{
	struct engine *e = r->engine;
	struct target t = { .state = e->state,
			    .store = e->store,
			    .checkpoint = checkpoint_now,
			    .mask = engine_mask,
			    .folded = engine_moved,
			    .arg = e };
	int rc = 0;

	assert(!view_store_is_frozen(e->store));
	for (unsigned i = 0; i < N_TABLES && rc == 0; i++)
		if (r->projections >> table_defs[i].projection & 1)
			rc = view_store_adopt(e->store, i, r->generation, err);
	if (rc != 0)
		return rc;
	for (int p = 0; p < N_PROJECTIONS; p++)
		if (r->projections >> p & 1)
			e->at[p] = (struct position){ r->seq, r->generation };
	return fold_range(&t, log, r->seq + 1, to, NULL, NULL, err);
}

/* Without memory for it, the next start drops them. */
static void give_up_tables(struct rebuild *r)
{
	struct err err;

	for (unsigned i = 0; i < N_TABLES; i++)
		if (view_store_generation(r->engine->store, i) != r->generation)
			view_store_give_up(r->engine->store, i, r->generation, &err);
}

void rebuild_close(struct rebuild *r)
{
	if (r == NULL)
		return;
	if (r->store != NULL) {
		view_store_close(r->store);
		give_up_tables(r);
	}
	arena_free(&r->arena);
	free(r);
}
