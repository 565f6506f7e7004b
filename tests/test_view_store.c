#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state_mem.h"
#include "projections/view_store.h"
#include "projections/view_store_test.h"

/*
 * The model: for each table a universe of keys in order, and for each key whether it is there, with what
 * value. Random commands are given to a state and to the model, and both are asked the same. The same runs
 * over both implementations of state; for the view store checkpoints, faults and restarts come between.
 */
enum { PLAIN, BOARD, SMALL, TABLES, KEYS = 900, KEY_MAX = 20, VALUE_MAX = 100 };

static const struct state_table tables[TABLES] = {
	[PLAIN] = { .name = "plain" },
	[BOARD] = { .name = "board", .counted = true },
	[SMALL] = { .name = "small", .few = true },
};

struct row {
	uint8_t key[KEY_MAX];
	size_t key_len;
	bool there;
	uint8_t value[VALUE_MAX];
	size_t value_len;
};

struct model {
	struct row row[TABLES][KEYS];
	unsigned n[TABLES];
};

struct world {
	struct state *state;
	struct model now, committed, frozen, checkpoint;
	uint64_t applied; /* the number in the meta record */
	/* the view store; NULL when the state is in memory */
	char dir[64];
	struct views *views;
	struct view_store *store;
	bool written; /* the frozen overlay is on disk */
	uint32_t generations[TABLES];
};

static uint64_t seed;

static uint64_t random_u64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static unsigned below(unsigned n)
{
	return (unsigned)(random_u64() % n);
}

/* Worlds. */

static size_t make_key(unsigned table, uint8_t *key)
{
	memset(key, 0, KEY_MAX);
	switch (table) {
	case PLAIN:
		key[3] = (uint8_t)below(3);
		key[10] = (uint8_t)below(2);
		key[11] = (uint8_t)below(256);
		return 12;
	case BOARD:
		key[0] = (uint8_t)(below(2) * 255);
		key[7] = (uint8_t)below(100);
		key[15] = (uint8_t)below(10);
		return 16;
	default:
		for (int i = 0; i < 3; i++)
			key[i] = (uint8_t)below(4);
		return 1 + below(3);
	}
}

static int cmp_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return slice_cmp(slice_of(x->key, x->key_len), slice_of(y->key, y->key_len));
}

static void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	for (unsigned t = 0; t < TABLES; t++) {
		unsigned n = 0;

		for (unsigned i = 0; i < KEYS; i++)
			m->row[t][i].key_len = make_key(t, m->row[t][i].key);
		qsort(m->row[t], KEYS, sizeof(m->row[t][0]), cmp_rows);
		for (unsigned i = 0; i < KEYS; i++)
			if (n == 0 || cmp_rows(&m->row[t][n - 1], &m->row[t][i]) != 0)
				m->row[t][n++] = m->row[t][i];
		m->n[t] = n;
	}
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	model_init(&w->now);
	w->committed = w->frozen = w->checkpoint = w->now;
	return w;
}

static void open_store(struct world *w)
{
	struct err err;

	assert_int_equal(view_store_open(w->views, tables, TABLES, w->generations, &w->store, &err), 0);
	w->state = view_store_state(w->store);
}

static struct world *world_on_disk(void)
{
	struct world *w = world_new();
	struct err err;

	snprintf(w->dir, sizeof(w->dir), "%s", "/tmp/diana-views-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(views_open(w->dir, &w->views, &err), 0);
	open_store(w);
	return w;
}

static void remove_dir(const char *dir)
{
	static const char *const files[] = { "LOCK", "data.mdb", "lock.mdb" };
	char path[200];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void world_free(struct world *w)
{
	if (w->store) {
		view_store_close(w->store);
		views_close(w->views);
		remove_dir(w->dir);
	}
	free(w);
}

/* Commands. */

static struct slice row_key(const struct row *r)
{
	return slice_of(r->key, r->key_len);
}

static void put_row(struct world *w, unsigned table, struct row *r)
{
	r->there = true;
	r->value_len = table == BOARD ? 0 : below(VALUE_MAX);
	for (size_t i = 0; i < r->value_len; i++)
		r->value[i] = (uint8_t)random_u64();
	state_put(w->state, table, row_key(r), slice_of(r->value, r->value_len));
}

/* A counted table is told to put only what is absent and to delete only what is there. */
static void random_change(struct world *w, unsigned table)
{
	struct row *r = &w->now.row[table][below(w->now.n[table])];
	bool put = tables[table].counted ? !r->there : below(3) > 0;

	if (put) {
		put_row(w, table, r);
	} else {
		r->there = false;
		state_del(w->state, table, row_key(r));
	}
}

static void end_command(struct world *w)
{
	if (below(3) == 0) {
		state_rollback(w->state);
		w->now = w->committed;
	} else {
		state_commit(w->state);
		w->committed = w->now;
	}
}

/* Questions. */

static void assert_row(const struct row *r, struct slice value)
{
	assert_true(slice_eq(value, slice_of(r->value, r->value_len)));
	assert_non_null(value.base);
}

static void assert_same_rows(struct world *w, const struct model *m)
{
	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned i = 0; i < m->n[t]; i++) {
			const struct row *r = &m->row[t][i];
			struct slice value;

			assert_int_equal(state_get(w->state, t, row_key(r), &value), r->there);
			if (r->there)
				assert_row(r, value);
		}
}

static int skip_absent(const struct model *m, unsigned t, int i, int step)
{
	while (i >= 0 && i < (int)m->n[t] && !m->row[t][i].there)
		i += step;
	return i;
}

static void assert_stands(const struct model *m, unsigned t, const struct state_cursor *c, bool found, int i)
{
	assert_int_equal(found, i >= 0 && i < (int)m->n[t]);
	if (!found)
		return;
	assert_true(slice_eq(c->key, row_key(&m->row[t][i])));
	assert_row(&m->row[t][i], c->value);
}

static bool random_seek(struct world *w, unsigned t, struct state_cursor *c, int *ret_i)
{
	const struct model *m = &w->now;
	bool before = below(2);
	int i = (int)below(m->n[t]);
	struct slice key = row_key(&m->row[t][i]);

	if (below(10) == 0) {
		key = SLICE_LIT("");
		i = before ? (int)m->n[t] : 0;
	}
	*ret_i = before ? skip_absent(m, t, i - 1, -1) : skip_absent(m, t, i, 1);
	return before ? state_cursor_seek_before(c, key) : state_cursor_seek(c, key);
}

/* Seeks somewhere and takes some steps to and fro, with changes between them. */
static void assert_same_walk(struct world *w, unsigned t)
{
	const struct model *m = &w->now;
	struct state_cursor c;
	bool found;
	int i;

	state_cursor_open(&c, w->state, t);
	found = random_seek(w, t, &c, &i);
	assert_stands(m, t, &c, found, i);
	for (int steps = 0; found && steps < 25; steps++) {
		int step = below(4) ? 1 : -1;

		for (unsigned changes = below(3); changes > 0; changes--)
			random_change(w, t);
		found = step > 0 ? state_cursor_next(&c) : state_cursor_prev(&c);
		i = skip_absent(m, t, i + step, step);
		assert_stands(m, t, &c, found, i);
	}
	state_cursor_close(&c);
}

static uint64_t score_of(const struct row *r)
{
	uint64_t score = 0;

	for (int i = 0; i < 8; i++)
		score = score << 8 | r->key[i];
	return score;
}

static void assert_same_counts(struct world *w, const struct model *m)
{
	uint64_t n = 0, below_score = 0, last = 0, score;

	for (unsigned i = 0; i < m->n[BOARD]; i++) {
		const struct row *r = &m->row[BOARD][i];

		if (!r->there)
			continue;
		if (n == 0 || score_of(r) != last) {
			last = score_of(r);
			below_score = n;
		}
		assert_int_equal(state_count_below(w->state, BOARD, last), below_score);
		assert_true(state_nth(w->state, BOARD, n, &score));
		assert_true(score == last);
		n++;
	}
	assert_int_equal(state_count(w->state, BOARD), n);
	assert_false(state_nth(w->state, BOARD, n, &score));
}

static void random_prefetch(struct world *w)
{
	struct state_key keys[50];
	unsigned n = below(50);

	for (unsigned i = 0; i < n; i++) {
		unsigned t = below(TABLES);

		keys[i] = (struct state_key){ t, row_key(&w->now.row[t][below(w->now.n[t])]), below(4) == 0 };
	}
	state_prefetch(w->state, keys, n);
}

static void random_command(struct world *w)
{
	random_prefetch(w);
	for (unsigned i = below(30); i > 0; i--)
		random_change(w, below(TABLES));
	assert_same_walk(w, below(TABLES));
	assert_false(w->state->failed);
	end_command(w);
	if (below(20) == 0) {
		assert_same_rows(w, &w->now);
		assert_same_counts(w, &w->now);
	}
}

static void random_commands_in_memory_agree_with_a_sorted_array(void **state)
{
	struct world *w;

	(void)state;
	seed = 11;
	w = world_new();
	w->state = state_mem_new(tables, TABLES);
	assert_non_null(w->state);
	for (int i = 0; i < 2000; i++)
		random_command(w);
	state_mem_free(w->state);
	world_free(w);
}

/* Checkpoints. */

static int apply(struct world *w, uint64_t number, struct err *err)
{
	struct view_meta meta = { "number", slice_of(&number, sizeof(number)) };

	return view_store_apply(w->store, &meta, 1, err);
}

static void assert_checkpoint_is(struct world *w, uint64_t number)
{
	uint64_t found = 0;
	struct err err;
	size_t len = 0;
	int rc = views_meta_get(w->views, "number", &found, sizeof(found), &len, &err);

	if (number == 0) {
		assert_int_equal(rc, E_NOT_FOUND);
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(len, sizeof(found));
	assert_int_equal(found, number);
}

static void freeze(struct world *w)
{
	view_store_freeze(w->store);
	w->frozen = w->committed;
	w->written = false;
}

static void write_frozen(struct world *w)
{
	struct err err;

	if (below(4) == 0) {
		views_fail_next_apply(w->views, ENOSPC);
		assert_int_equal(apply(w, w->applied + 1, &err), E_STORAGE_FULL);
		assert_checkpoint_is(w, w->applied);
		return;
	}
	assert_int_equal(apply(w, w->applied + 1, &err), 0);
	assert_checkpoint_is(w, ++w->applied);
	w->written = true;
	w->checkpoint = w->frozen;
}

static void take_checkpoint(struct world *w)
{
	struct err err;

	assert_int_equal(view_store_applied(w->store, &err), 0);
	assert_false(view_store_is_frozen(w->store));
}

static void checkpoint(struct world *w)
{
	freeze(w);
	while (!w->written)
		write_frozen(w);
	take_checkpoint(w);
}

static void reset_store(struct world *w)
{
	struct err err;

	assert_int_equal(view_store_reset(w->store, &err), 0);
	w->now = w->committed = w->checkpoint;
}

static void restart(struct world *w)
{
	struct err err;

	view_store_close(w->store);
	views_close(w->views);
	assert_int_equal(views_open(w->dir, &w->views, &err), 0);
	open_store(w);
	w->now = w->committed = w->checkpoint;
}

static void random_event(struct world *w)
{
	unsigned dice = below(100);

	if (!view_store_is_frozen(w->store)) {
		if (dice < 10)
			freeze(w);
	} else if (!w->written) {
		if (dice < 15)
			write_frozen(w);
	} else if (dice < 20) {
		take_checkpoint(w);
	}
	if (dice == 99)
		restart(w);
	else if (dice == 98)
		reset_store(w);
}

static void random_commands_on_disk_agree_with_a_sorted_array(void **state)
{
	struct views_info info;
	struct world *w;
	struct err err;

	(void)state;
	for (uint64_t round = 0; round < 3; round++) {
		seed = 21 + round;
		w = world_on_disk();
		for (int i = 0; i < 1500; i++) {
			random_command(w);
			random_event(w);
		}
		assert_same_rows(w, &w->now);
		assert_same_counts(w, &w->now);
		assert_true(w->applied > 20);
		assert_int_equal(views_info(w->views, &info, &err), 0);
		if (views_is_writemap(w->views))
			assert_true(info.used_bytes <= views_reserved(w->views));
		world_free(w);
	}
}

/* One thing at a time. */

static void put_text(struct world *w, const char *key, const char *value)
{
	state_put(w->state, SMALL, slice_str(key), slice_str(value));
}

static const char *get_text(struct world *w, const char *key)
{
	static char text[100];
	struct slice v;

	if (!state_get(w->state, SMALL, slice_str(key), &v))
		return "absent";
	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(v));
	return text;
}

static void a_rolled_back_put_leaves_no_trace(void **state)
{
	struct world *w = world_on_disk();

	(void)state;
	/* given a row on disk, one frozen, one changed since */
	put_text(w, "disk", "1");
	state_commit(w->state);
	checkpoint(w);
	put_text(w, "frozen", "2");
	state_commit(w->state);
	freeze(w);
	put_text(w, "active", "3");
	state_commit(w->state);
	/* when all are changed and rolled back */
	put_text(w, "disk", "x");
	state_del(w->state, SMALL, SLICE_LIT("frozen"));
	put_text(w, "active", "y");
	put_text(w, "new", "z");
	state_rollback(w->state);
	/* then all are as they were */
	assert_string_equal(get_text(w, "disk"), "1");
	assert_string_equal(get_text(w, "frozen"), "2");
	assert_string_equal(get_text(w, "active"), "3");
	assert_string_equal(get_text(w, "new"), "absent");
	world_free(w);
}

static void changes_of_a_table_of_few_rows_are_told(void **state)
{
	struct world *w = world_on_disk();
	uint64_t before = w->state->few_changes;
	struct err err;

	(void)state;
	/* when a row of another table changes, nothing is told */
	state_put(w->state, PLAIN, SLICE_LIT("k"), SLICE_LIT("v"));
	state_commit(w->state);
	state_put(w->state, PLAIN, SLICE_LIT("k"), SLICE_LIT("w"));
	state_rollback(w->state);
	assert_int_equal(w->state->few_changes, before);
	/* a row put, deleted, or put and taken back is; so is a state that began anew */
	state_put(w->state, SMALL, SLICE_LIT("k"), SLICE_LIT("v"));
	assert_true(w->state->few_changes > before);
	state_commit(w->state);
	before = w->state->few_changes;
	state_del(w->state, SMALL, SLICE_LIT("k"));
	assert_true(w->state->few_changes > before);
	before = w->state->few_changes;
	state_rollback(w->state);
	assert_true(w->state->few_changes > before);
	before = w->state->few_changes;
	assert_int_equal(view_store_reset(w->store, &err), 0);
	assert_true(w->state->few_changes > before);
	world_free(w);
}

static void slices_outlive_later_writes_of_the_command(void **state)
{
	struct world *w = world_on_disk();
	struct slice disk, active;

	(void)state;
	put_text(w, "disk", "one");
	state_commit(w->state);
	checkpoint(w);
	put_text(w, "active", "two");
	state_commit(w->state);
	assert_true(state_get(w->state, SMALL, SLICE_LIT("disk"), &disk));
	assert_true(state_get(w->state, SMALL, SLICE_LIT("active"), &active));
	put_text(w, "disk", "xxx");
	put_text(w, "active", "yyy");
	put_text(w, "active", "zzz");
	assert_true(slice_is(disk, "one"));
	assert_true(slice_is(active, "two"));
	world_free(w);
}

static void a_failed_apply_changes_nothing_and_can_be_repeated(void **state)
{
	struct world *w = world_on_disk();
	struct err err;

	(void)state;
	put_text(w, "k", "1");
	state_commit(w->state);
	freeze(w);
	/* when the disk is full, and when it fails */
	views_fail_next_apply(w->views, ENOSPC);
	assert_int_equal(apply(w, 1, &err), E_STORAGE_FULL);
	views_fail_next_apply(w->views, EIO);
	assert_int_equal(apply(w, 1, &err), E_INTERNAL);
	/* then no checkpoint is there, the row is still read, and a third try succeeds */
	assert_checkpoint_is(w, 0);
	assert_string_equal(get_text(w, "k"), "1");
	assert_int_equal(apply(w, 1, &err), 0);
	take_checkpoint(w);
	assert_checkpoint_is(w, 1);
	assert_string_equal(get_text(w, "k"), "1");
	world_free(w);
}

static void a_failed_command_reads_nothing_until_it_is_rolled_back(void **state)
{
	struct world *w = world_on_disk();

	(void)state;
	put_text(w, "k", "1");
	state_commit(w->state);
	put_text(w, "k", "2");
	state_fail(w->state, E_INTERNAL, "broken %s", "here");
	assert_string_equal(get_text(w, "k"), "absent");
	put_text(w, "k", "3");
	assert_true(w->state->failed);
	assert_string_equal(w->state->err.text, "broken here");
	state_rollback(w->state);
	assert_false(w->state->failed);
	assert_string_equal(get_text(w, "k"), "1");
	world_free(w);
}

static void pending_tells_when_to_freeze(void **state)
{
	struct world *w = world_on_disk();
	uint64_t rows, bytes;

	(void)state;
	view_store_pending(w->store, &rows, &bytes);
	assert_int_equal(rows, 0);
	put_text(w, "a", "1");
	put_text(w, "b", "1");
	put_text(w, "a", "2");
	state_commit(w->state);
	view_store_pending(w->store, &rows, &bytes);
	assert_int_equal(rows, 2);
	assert_true(bytes > 0);
	freeze(w);
	view_store_pending(w->store, &rows, &bytes);
	assert_int_equal(rows, 0);
	world_free(w);
}

static void a_second_opening_of_a_directory_is_refused(void **state)
{
	struct world *w = world_on_disk();
	struct views *second = NULL;
	struct err err;

	(void)state;
	assert_int_equal(views_open(w->dir, &second, &err), E_UNAVAILABLE);
	assert_null(second);
	world_free(w);
}

static void a_damaged_file_is_reported(void **state)
{
	struct world *w = world_on_disk();
	struct views *v = NULL;
	char path[100];
	struct err err;
	FILE *f;

	(void)state;
	view_store_close(w->store);
	views_close(w->views);
	snprintf(path, sizeof(path), "%s/data.mdb", w->dir);
	f = fopen(path, "r+");
	assert_non_null(f);
	for (int i = 0; i < 8192; i++)
		fputc('x', f);
	fclose(f);
	assert_int_equal(views_open(w->dir, &v, &err), E_INTERNAL);
	assert_null(v);
	remove_dir(w->dir);
	free(w);
}

/* Rebuilding. */

static void rebuild(struct world *w, uint32_t generation, const char *value)
{
	uint32_t generations[TABLES];
	struct view_store *other;
	struct err err;

	for (unsigned i = 0; i < TABLES; i++)
		generations[i] = i == SMALL || i == BOARD ? generation : w->generations[i];
	assert_int_equal(view_store_open(w->views, tables, TABLES, generations, &other, &err), 0);
	state_put(view_store_state(other), SMALL, SLICE_LIT("k"), slice_str(value));
	state_put(view_store_state(other), BOARD, SLICE_LIT("\0\0\0\0\0\0\0\007user"), SLICE_LIT(""));
	state_commit(view_store_state(other));
	view_store_freeze(other);
	assert_int_equal(view_store_apply(other, NULL, 0, &err), 0);
	assert_int_equal(view_store_applied(other, &err), 0);
	view_store_close(other);
}

static void a_rebuilt_table_takes_the_place_of_the_old(void **state)
{
	struct world *w = world_on_disk();
	struct view_store *old;
	uint64_t rows, bytes, score;
	struct err err;

	(void)state;
	/* given a table, and another generation of it, rebuilt beside */
	put_text(w, "k", "old");
	put_text(w, "gone", "old");
	state_put(w->state, PLAIN, SLICE_LIT("other"), SLICE_LIT("stays"));
	state_commit(w->state);
	checkpoint(w);
	rebuild(w, 1, "new");
	assert_string_equal(get_text(w, "k"), "old");
	put_text(w, "late", "discarded");
	state_commit(w->state);
	/* when the store takes it over */
	assert_int_equal(view_store_adopt(w->store, SMALL, 1, &err), 0);
	assert_int_equal(view_store_adopt(w->store, BOARD, 1, &err), 0);
	/* then its rows and counts are read, those of the overlay are gone, other tables are as before */
	assert_int_equal(view_store_generation(w->store, SMALL), 1);
	assert_string_equal(get_text(w, "k"), "new");
	assert_string_equal(get_text(w, "gone"), "absent");
	assert_string_equal(get_text(w, "late"), "absent");
	assert_int_equal(state_count(w->state, BOARD), 1);
	assert_true(state_nth(w->state, BOARD, 0, &score));
	assert_true(score == 7);
	/* and after the next checkpoint the old generation is empty on disk */
	put_text(w, "more", "rows");
	state_commit(w->state);
	checkpoint(w);
	assert_string_equal(get_text(w, "more"), "rows");
	w->generations[PLAIN] = 0;
	assert_int_equal(view_store_open(w->views, tables, TABLES, w->generations, &old, &err), 0);
	assert_int_equal(view_store_table_info(old, SMALL, &rows, &bytes, &err), 0);
	assert_int_equal(rows, 0);
	assert_int_equal(view_store_table_info(old, PLAIN, &rows, &bytes, &err), 0);
	assert_int_equal(rows, 1);
	view_store_close(old);
	world_free(w);
}

/* Rows of table SMALL in a generation that no store has open. */
static uint64_t rows_of_generation(struct world *w, uint32_t generation)
{
	uint32_t generations[TABLES];
	struct view_store *other;
	uint64_t rows, bytes;
	struct err err;

	for (unsigned i = 0; i < TABLES; i++)
		generations[i] = i == SMALL ? generation : w->generations[i];
	assert_int_equal(view_store_open(w->views, tables, TABLES, generations, &other, &err), 0);
	assert_int_equal(view_store_table_info(other, SMALL, &rows, &bytes, &err), 0);
	view_store_close(other);
	return rows;
}

static void a_generation_that_was_given_up_is_dropped(void **state)
{
	struct world *w = world_on_disk();
	struct err err;

	(void)state;
	/* given tables built beside, once before a freeze and once behind it */
	put_text(w, "k", "old");
	state_commit(w->state);
	rebuild(w, 1, "new");
	rebuild(w, 2, "new");
	assert_int_equal(view_store_give_up(w->store, SMALL, 1, &err), 0);
	freeze(w);
	assert_int_equal(view_store_give_up(w->store, SMALL, 2, &err), 0);
	/* when the freeze is applied, then the first goes, and the second with the next one */
	assert_int_equal(apply(w, ++w->applied, &err), 0);
	take_checkpoint(w);
	assert_int_equal(rows_of_generation(w, 1), 0);
	assert_int_equal(rows_of_generation(w, 2), 1);
	checkpoint(w);
	assert_int_equal(rows_of_generation(w, 2), 0);
	/* and what the store itself has is as before */
	assert_string_equal(get_text(w, "k"), "old");
	world_free(w);
}

static void an_old_generation_is_dropped_even_if_the_apply_fails_first(void **state)
{
	struct world *w = world_on_disk();
	struct err err;

	(void)state;
	put_text(w, "k", "old");
	state_commit(w->state);
	checkpoint(w);
	for (uint32_t generation = 1; generation < 5; generation++) {
		rebuild(w, generation, "new");
		assert_int_equal(view_store_adopt(w->store, SMALL, generation, &err), 0);
		assert_int_equal(view_store_adopt(w->store, BOARD, generation, &err), 0);
		freeze(w);
		views_fail_next_apply(w->views, ENOSPC);
		assert_int_equal(apply(w, generation + 1, &err), E_STORAGE_FULL);
		assert_string_equal(get_text(w, "k"), "new");
		assert_int_equal(apply(w, generation + 1, &err), 0);
		take_checkpoint(w);
		assert_string_equal(get_text(w, "k"), "new");
	}
	w->generations[SMALL] = w->generations[BOARD] = 4;
	restart(w);
	assert_string_equal(get_text(w, "k"), "new");
	world_free(w);
}

static void adopting_what_nobody_opened_is_refused(void **state)
{
	struct world *w = world_on_disk();
	struct err err;

	(void)state;
	put_text(w, "k", "kept");
	state_commit(w->state);
	assert_int_equal(view_store_adopt(w->store, SMALL, 9, &err), E_NOT_FOUND);
	assert_string_equal(get_text(w, "k"), "kept");
	world_free(w);
}

static void space_is_allocated_before_it_is_written(void **state)
{
	struct world *w = world_on_disk();
	struct views_info info;
	struct stat st;
	char path[100];
	struct err err;

	(void)state;
	snprintf(path, sizeof(path), "%s/data.mdb", w->dir);
	for (int round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 5000; i++) {
			char key[20], value[200] = "";

			snprintf(key, sizeof(key), "%u", below(20000));
			state_put(w->state, PLAIN, slice_str(key), slice_of(value, sizeof(value)));
			state_commit(w->state);
		}
		checkpoint(w);
		assert_int_equal(views_info(w->views, &info, &err), 0);
		if (views_is_writemap(w->views)) {
			assert_int_equal(stat(path, &st), 0);
			assert_true(info.used_bytes <= views_reserved(w->views));
			assert_true(views_reserved(w->views) <= (uint64_t)st.st_blocks * 512);
			assert_true(info.used_bytes <= info.map_bytes);
		}
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_commands_in_memory_agree_with_a_sorted_array),
		cmocka_unit_test(random_commands_on_disk_agree_with_a_sorted_array),
		cmocka_unit_test(a_rolled_back_put_leaves_no_trace),
		cmocka_unit_test(changes_of_a_table_of_few_rows_are_told),
		cmocka_unit_test(slices_outlive_later_writes_of_the_command),
		cmocka_unit_test(a_failed_apply_changes_nothing_and_can_be_repeated),
		cmocka_unit_test(a_failed_command_reads_nothing_until_it_is_rolled_back),
		cmocka_unit_test(pending_tells_when_to_freeze),
		cmocka_unit_test(a_second_opening_of_a_directory_is_refused),
		cmocka_unit_test(a_damaged_file_is_reported),
		cmocka_unit_test(a_rebuilt_table_takes_the_place_of_the_old),
		cmocka_unit_test(a_generation_that_was_given_up_is_dropped),
		cmocka_unit_test(an_old_generation_is_dropped_even_if_the_apply_fails_first),
		cmocka_unit_test(adopting_what_nobody_opened_is_refused),
		cmocka_unit_test(space_is_allocated_before_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
