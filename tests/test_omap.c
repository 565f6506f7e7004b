#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/omap.h"

/*
 * The model: a universe of keys in order, and for each what the map should say. Random changes are made to
 * both, and both are asked the same.
 */
enum { KEYS = 6000, KEY_MAX = 60, VALUE_MAX = 80 };

struct row {
	uint8_t key[KEY_MAX];
	size_t key_len;
	enum omap_found found;
	uint8_t value[VALUE_MAX];
	size_t value_len;
};

struct model {
	struct row now[KEYS];
	struct row committed[KEYS];
	unsigned n;
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

/* Shapes of keys that make heads tie, or not. */
enum shape { NUMBERS, DAY_AND_USER, SHORT_WITH_ZEROS, LONG_COMMON_PREFIX, SHAPES };

static size_t make_key(enum shape shape, uint8_t *key)
{
	size_t len = 1 + below(4);

	switch (shape) {
	case NUMBERS:
		for (int i = 0; i < 8; i++)
			key[i] = i < 5 ? 0 : (uint8_t)below(256);
		return 8;
	case DAY_AND_USER:
		memset(key, 0, 12);
		key[3] = (uint8_t)below(3);
		key[10] = (uint8_t)below(8);
		key[11] = (uint8_t)below(256);
		return 12;
	case SHORT_WITH_ZEROS:
		for (size_t i = 0; i < len; i++)
			key[i] = (uint8_t)(below(6) * below(2));
		return len;
	default:
		memset(key, 'p', 50);
		key[below(51)] = (uint8_t)below(256);
		key[50] = (uint8_t)below(256);
		return 49 + below(3);
	}
}

static int cmp_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return slice_cmp(slice_of(x->key, x->key_len), slice_of(y->key, y->key_len));
}

static void model_init(struct model *m, enum shape shape)
{
	unsigned n = 0;

	memset(m, 0, sizeof(*m));
	for (unsigned i = 0; i < KEYS; i++)
		m->now[i].key_len = make_key(shape, m->now[i].key);
	qsort(m->now, KEYS, sizeof(m->now[0]), cmp_rows);
	for (unsigned i = 0; i < KEYS; i++)
		if (n == 0 || cmp_rows(&m->now[n - 1], &m->now[i]) != 0)
			m->now[n++] = m->now[i];
	m->n = n;
	memcpy(m->committed, m->now, sizeof(m->now));
}

static struct slice row_key(const struct row *r)
{
	return slice_of(r->key, r->key_len);
}

static void random_change(struct model *m, struct omaps *o)
{
	struct row *r = &m->now[below(m->n)];

	if (below(3) == 0) {
		r->found = OMAP_DELETED;
		assert_true(omap_del(o, 0, row_key(r)));
		return;
	}
	r->found = OMAP_VALUE;
	r->value_len = below(VALUE_MAX);
	for (size_t i = 0; i < r->value_len; i++)
		r->value[i] = (uint8_t)random_u64();
	assert_true(omap_put(o, 0, row_key(r), slice_of(r->value, r->value_len)));
}

static void assert_row(const struct row *r, enum omap_found found, struct slice value)
{
	assert_int_equal(found, r->found);
	if (found == OMAP_VALUE)
		assert_true(slice_eq(value, slice_of(r->value, r->value_len)));
}

static void assert_same_answers(const struct model *m, const struct omaps *o)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct slice value = SLICE_NULL;
		enum omap_found found = omap_get(o, 0, row_key(&m->now[i]), &value);

		assert_row(&m->now[i], found, value);
	}
}

/* Index of the row in the direction of travel that is something; n or -1 when there is none. */
static int skip_nothing(const struct model *m, int i, int step)
{
	while (i >= 0 && i < (int)m->n && m->now[i].found == OMAP_NOTHING)
		i += step;
	return i;
}

static void assert_stands(const struct model *m, const struct omap_cursor *c, bool found, int i)
{
	struct slice value = SLICE_NULL;

	assert_int_equal(found, i >= 0 && i < (int)m->n);
	if (!found)
		return;
	assert_true(slice_eq(omap_cursor_key(c), row_key(&m->now[i])));
	assert_row(&m->now[i], omap_cursor_value(c, &value), value);
}

/* Seeks somewhere and takes some steps to and fro, with changes between them. */
static void assert_same_walk(struct model *m, struct omaps *o)
{
	int i = (int)below(m->n);
	struct omap_cursor c;
	bool found;

	omap_cursor_init(&c, o, 0);
	if (below(2)) {
		found = omap_cursor_ge(&c, row_key(&m->now[i]));
		i = skip_nothing(m, i, 1);
	} else {
		found = omap_cursor_lt(&c, row_key(&m->now[i]));
		i = skip_nothing(m, i - 1, -1);
	}
	assert_stands(m, &c, found, i);
	for (int steps = 0; found && steps < 20; steps++) {
		int step = below(3) ? 1 : -1;

		for (unsigned changes = below(3); changes > 0; changes--)
			random_change(m, o);
		found = step > 0 ? omap_cursor_next(&c) : omap_cursor_prev(&c);
		i = skip_nothing(m, i + step, step);
		assert_stands(m, &c, found, i);
	}
}

static void end_command(struct model *m, struct omaps *o)
{
	if (below(3) == 0) {
		omaps_rollback(o);
		memcpy(m->now, m->committed, sizeof(m->now));
	} else {
		omaps_commit(o);
		memcpy(m->committed, m->now, sizeof(m->now));
	}
}

static void random_changes_agree_with_a_sorted_array(void **state)
{
	struct model *m = malloc(sizeof(*m));
	struct omaps *o = omaps_new(1);

	(void)state;
	assert_non_null(m);
	for (int round = 0; round < 2 * SHAPES; round++) {
		seed = 1000 + (uint64_t)round;
		model_init(m, (enum shape)(round % SHAPES));
		for (int command = 0; command < 400; command++) {
			for (unsigned i = below(20); i > 0; i--)
				random_change(m, o);
			assert_same_walk(m, o);
			end_command(m, o);
			if (command % 50 == 0)
				assert_same_answers(m, o);
		}
		assert_same_answers(m, o);
		omaps_reset(o);
	}
	omaps_free(o);
	free(m);
}

static struct slice number_key(uint8_t *b, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> (56 - 8 * i));
	return slice_of(b, 8);
}

static void keys_that_only_grow_are_all_found(void **state)
{
	struct omaps *o = omaps_new(1);
	struct omap_cursor c;
	uint8_t b[8];
	uint64_t n = 0;

	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		assert_true(omap_put(o, 0, number_key(b, i), SLICE_LIT("v")));
		omaps_commit(o);
	}
	assert_int_equal(omap_rows(o, 0), 100000);
	omap_cursor_init(&c, o, 0);
	for (bool more = omap_cursor_ge(&c, SLICE_LIT("")); more; more = omap_cursor_next(&c))
		assert_true(slice_eq(omap_cursor_key(&c), number_key(b, n++)));
	assert_int_equal(n, 100000);
	for (bool more = omap_cursor_last(&c); more; more = omap_cursor_prev(&c))
		assert_true(slice_eq(omap_cursor_key(&c), number_key(b, --n)));
	assert_int_equal(n, 0);
	omaps_free(o);
}

/* A permutation of all numbers of 19 bits, so that inner nodes split in many places. */
static void many_keys_in_random_order_are_all_found(void **state)
{
	const uint64_t n = 1 << 19;
	struct omaps *o = omaps_new(1);
	struct omap_cursor c;
	struct slice v;
	uint8_t b[8];
	uint64_t i = 0;

	(void)state;
	for (uint64_t k = 0; k < n; k++) {
		uint64_t mixed = (k * 314159 + 7) % n;

		mixed = ((mixed ^ mixed >> 9) * 271829) % n;
		assert_true(omap_put(o, 0, number_key(b, mixed), SLICE_NULL));
		omaps_commit(o);
	}
	assert_int_equal(omap_rows(o, 0), n);
	omap_cursor_init(&c, o, 0);
	for (bool more = omap_cursor_ge(&c, SLICE_LIT("")); more; more = omap_cursor_next(&c))
		assert_true(slice_eq(omap_cursor_key(&c), number_key(b, i++)));
	assert_int_equal(i, n);
	for (i = 0; i < n; i++)
		assert_int_equal(omap_get(o, 0, number_key(b, i), &v), OMAP_VALUE);
	omaps_free(o);
}

static int expect_next(void *arg, struct slice key, enum omap_found found, struct slice value)
{
	uint64_t *n = arg;
	uint8_t b[8];

	assert_true(slice_eq(key, number_key(b, *n)));
	assert_int_equal(found, *n % 3 == 0 ? OMAP_DELETED : OMAP_VALUE);
	assert_true(found == OMAP_DELETED || slice_is(value, "v"));
	return ++*n == 900 ? 7 : 0;
}

/* The first part of the keys is in the tree when each is asked for, the rest is not. */
static void each_key_is_told_in_order_until_enough(void **state)
{
	struct omaps *o = omaps_new(1);
	struct omap_cursor c;
	uint64_t n = 0;
	uint8_t b[8];

	(void)state;
	omap_cursor_init(&c, o, 0);
	for (uint64_t i = 0; i < 1000; i++) {
		struct slice key = number_key(b, i * 7 % 1000);

		if (i * 7 % 1000 % 3 == 0)
			assert_true(omap_del(o, 0, key));
		else
			assert_true(omap_put(o, 0, key, SLICE_LIT("v")));
		omaps_commit(o);
		if (i == 500)
			assert_true(omap_cursor_last(&c));
	}
	assert_true(omap_put(o, 0, SLICE_LIT("undone"), SLICE_LIT("v")));
	omaps_rollback(o);
	assert_int_equal(omap_each(o, 0, expect_next, &n), 7);
	assert_int_equal(n, 900);
	omaps_free(o);
}

/* Keys of all lengths, many with the same first bytes, and of zeros, which only their length tells apart. */
static size_t odd_key(uint8_t *key, unsigned i)
{
	size_t len = 1 + i % 40;

	memset(key, i % 3 == 0 ? 0 : 'a' + (int)(i % 5), len);
	if (len > 6)
		key[len - 3] = (uint8_t)(i * 37);
	if (len > 20)
		key[17] = (uint8_t)(i * 11);
	return len;
}

struct last_key {
	uint8_t bytes[64];
	size_t len;
	uint64_t n;
};

static int expect_ascending(void *arg, struct slice key, enum omap_found found, struct slice value)
{
	struct last_key *last = arg;

	(void)found;
	(void)value;
	assert_true(last->n++ == 0 || slice_cmp(slice_of(last->bytes, last->len), key) < 0);
	memcpy(last->bytes, key.base, key.len);
	last->len = key.len;
	return 0;
}

static void each_goes_in_order_whatever_keys_look_like(void **state)
{
	struct omaps *o = omaps_new(1);
	struct last_key last = { .n = 0 };
	uint8_t key[64];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		size_t len = odd_key(key, i);

		assert_true(omap_put(o, 0, slice_of(key, len), SLICE_LIT("v")));
	}
	omaps_commit(o);
	assert_int_equal(omap_each(o, 0, expect_ascending, &last), 0);
	assert_int_equal(last.n, omaps_rows(o));
	assert_true(last.n > 1000);
	omaps_free(o);
}

static void a_rolled_back_put_leaves_no_trace(void **state)
{
	struct omaps *o = omaps_new(1);
	struct slice v;
	struct omap_cursor c;

	(void)state;
	/* given a key with a value */
	assert_true(omap_put(o, 0, SLICE_LIT("old"), SLICE_LIT("1")));
	omaps_commit(o);
	/* when it is changed twice, another is put, and all is rolled back */
	assert_true(omap_put(o, 0, SLICE_LIT("old"), SLICE_LIT("2")));
	assert_true(omap_del(o, 0, SLICE_LIT("old")));
	assert_true(omap_put(o, 0, SLICE_LIT("new"), SLICE_LIT("3")));
	omaps_rollback(o);
	/* then only the first value is there */
	assert_int_equal(omap_get(o, 0, SLICE_LIT("new"), &v), OMAP_NOTHING);
	assert_int_equal(omap_get(o, 0, SLICE_LIT("old"), &v), OMAP_VALUE);
	assert_true(slice_is(v, "1"));
	omap_cursor_init(&c, o, 0);
	assert_true(omap_cursor_ge(&c, SLICE_LIT("")));
	assert_true(slice_is(omap_cursor_key(&c), "old"));
	assert_false(omap_cursor_next(&c));
	omaps_free(o);
}

static void a_slice_outlives_later_puts_of_the_command(void **state)
{
	struct omaps *o = omaps_new(1);
	struct slice first, second;

	(void)state;
	assert_true(omap_put(o, 0, SLICE_LIT("k"), SLICE_LIT("first")));
	omaps_commit(o);
	assert_int_equal(omap_get(o, 0, SLICE_LIT("k"), &first), OMAP_VALUE);
	assert_true(omap_put(o, 0, SLICE_LIT("k"), SLICE_LIT("other")));
	assert_int_equal(omap_get(o, 0, SLICE_LIT("k"), &second), OMAP_VALUE);
	assert_true(omap_put(o, 0, SLICE_LIT("k"), SLICE_LIT("third")));
	assert_true(omap_del(o, 0, SLICE_LIT("k")));
	assert_true(omap_put(o, 0, SLICE_LIT("l"), SLICE_LIT("fives")));
	assert_true(slice_is(first, "first"));
	assert_true(slice_is(second, "other"));
	omaps_commit(o);
	omaps_free(o);
}

static void a_value_of_any_size_comes_back(void **state)
{
	static uint8_t big[2 << 20];
	struct omaps *o = omaps_new(1);
	struct slice v;

	(void)state;
	for (size_t n = 0; n <= sizeof(big); n = n * 3 / 2 + 1) {
		memset(big, (int)n & 0xff, n);
		assert_true(omap_put(o, 0, SLICE_LIT("k"), slice_of(big, n)));
		if (n % 2)
			omaps_commit(o);
		assert_int_equal(omap_get(o, 0, SLICE_LIT("k"), &v), OMAP_VALUE);
		assert_true(slice_eq(v, slice_of(big, n)));
		assert_non_null(v.base);
	}
	omaps_rollback(o);
	omaps_free(o);
}

static void a_strict_map_forgets_a_key_that_came_and_went(void **state)
{
	struct omaps *o = omaps_new(2);
	struct slice v;

	(void)state;
	omap_make_strict(o, 1);
	/* given a key put and, by a later command, deleted */
	assert_true(omap_put(o, 1, SLICE_LIT("12345678"), SLICE_LIT("")));
	omaps_commit(o);
	assert_true(omap_del(o, 1, SLICE_LIT("12345678")));
	assert_int_equal(omap_get(o, 1, SLICE_LIT("12345678"), &v), OMAP_NOTHING);
	/* when that is rolled back, it is there; when it is done again, it is gone */
	omaps_rollback(o);
	assert_int_equal(omap_get(o, 1, SLICE_LIT("12345678"), &v), OMAP_VALUE);
	assert_true(omap_del(o, 1, SLICE_LIT("12345678")));
	omaps_commit(o);
	assert_int_equal(omap_get(o, 1, SLICE_LIT("12345678"), &v), OMAP_NOTHING);
	/* but a key of the layer below stays hidden, whatever comes between */
	assert_true(omap_del(o, 1, SLICE_LIT("abcdefgh")));
	assert_true(omap_put(o, 1, SLICE_LIT("abcdefgh"), SLICE_LIT("")));
	assert_true(omap_del(o, 1, SLICE_LIT("abcdefgh")));
	assert_int_equal(omap_get(o, 1, SLICE_LIT("abcdefgh"), &v), OMAP_DELETED);
	omaps_free(o);
}

static void add_up(void *arg, unsigned map, struct slice key, int rows)
{
	assert_int_equal(map, 1);
	assert_int_equal(key.len, 8);
	*(int *)arg += rows;
}

static void changes_of_strict_maps_can_be_counted(void **state)
{
	struct omaps *o = omaps_new(2);
	int sum = 0;

	(void)state;
	omap_make_strict(o, 1);
	assert_true(omap_put(o, 0, SLICE_LIT("x"), SLICE_LIT("")));
	assert_true(omap_put(o, 1, SLICE_LIT("11111111"), SLICE_LIT("")));
	assert_true(omap_put(o, 1, SLICE_LIT("22222222"), SLICE_LIT("")));
	assert_true(omap_del(o, 1, SLICE_LIT("11111111")));
	omaps_each_change(o, add_up, &sum);
	assert_int_equal(sum, 1);
	omaps_commit(o);
	omaps_each_change(o, add_up, &sum);
	assert_int_equal(sum, 1);
	omaps_free(o);
}

static void fill(struct omaps *o, uint64_t n)
{
	uint8_t b[8];

	for (uint64_t i = 0; i < n; i++)
		assert_true(omap_put(o, 0, number_key(b, i * 7919 % n), SLICE_LIT("0123456789")));
	omaps_commit(o);
}

static unsigned long allocations;
static long fail_after = -1; /* allocations that still succeed; -1: all do */
static bool fired;

static bool refuses(void)
{
	allocations++;
	if (fail_after < 0)
		return false;
	if (fail_after-- > 0)
		return false;
	fail_after = -1;
	fired = true;
	return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);

void *__wrap_malloc(size_t n)
{
	return refuses() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refuses() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return refuses() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return refuses() ? NULL : __real_aligned_alloc(align, n);
}

static void memory_is_kept_over_a_reset(void **state)
{
	struct omaps *o = omaps_new(1);
	unsigned long before;
	struct slice v;
	uint8_t b[8];

	(void)state;
	fill(o, 50000);
	assert_in_range(omaps_bytes(o), 50000 * 40, 50000 * 100);
	omaps_reset(o);
	assert_int_equal(omaps_bytes(o), 0);
	assert_int_equal(omaps_rows(o), 0);
	assert_int_equal(omap_get(o, 0, number_key(b, 1), &v), OMAP_NOTHING);
	before = allocations;
	fill(o, 50000);
	assert_int_equal(allocations, before);
	for (uint64_t i = 0; i < 50000; i++)
		assert_int_equal(omap_get(o, 0, number_key(b, i), &v), OMAP_VALUE);
	omaps_free(o);
}

/* One put of a big and some small values, and a look at their order; false when an allocation failed. */
static bool put_some(struct omaps *o)
{
	static const char big[300000];
	struct omap_cursor c;
	uint8_t b[8];
	bool found;

	if (!omap_put(o, 0, SLICE_LIT("big"), slice_of(big, sizeof(big))))
		return false;
	for (uint64_t i = 0; i < 5000; i++)
		if (!omap_put(o, 0, number_key(b, i * 7919 % 5000), SLICE_LIT("0123456789")))
			return false;
	omap_cursor_init(&c, o, 0);
	found = omap_cursor_last(&c);
	assert_int_equal(found, !c.failed);
	return found;
}

static void each_failed_allocation_is_reported_and_can_be_rolled_back(void **state)
{
	unsigned seen = 0;

	(void)state;
	do {
		struct omaps *o;
		struct slice v;
		bool done;

		fired = false;
		fail_after = (long)seen;
		o = omaps_new(1);
		done = o && put_some(o);
		fail_after = -1;
		assert_int_equal(done, !fired);
		if (o) {
			omaps_rollback(o);
			assert_int_equal(omap_get(o, 0, SLICE_LIT("big"), &v), OMAP_NOTHING);
			assert_true(put_some(o));
			omaps_free(o);
		}
		seen += fired;
	} while (fired);
	assert_in_range(seen, 4, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_agree_with_a_sorted_array),
		cmocka_unit_test(keys_that_only_grow_are_all_found),
		cmocka_unit_test(many_keys_in_random_order_are_all_found),
		cmocka_unit_test(each_key_is_told_in_order_until_enough),
		cmocka_unit_test(each_goes_in_order_whatever_keys_look_like),
		cmocka_unit_test(a_rolled_back_put_leaves_no_trace),
		cmocka_unit_test(a_slice_outlives_later_puts_of_the_command),
		cmocka_unit_test(a_value_of_any_size_comes_back),
		cmocka_unit_test(a_strict_map_forgets_a_key_that_came_and_went),
		cmocka_unit_test(changes_of_strict_maps_can_be_counted),
		cmocka_unit_test(memory_is_kept_over_a_reset),
		cmocka_unit_test(each_failed_allocation_is_reported_and_can_be_rolled_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
