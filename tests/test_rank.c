#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rank.h"
#include "tests/lib/faults.h"

/* The model: how often each of a few thousand scores occurs. */
enum { SCORES = 4000 };

struct model {
	unsigned times[SCORES];
	uint64_t total;
};

static uint64_t seed = 42;

static unsigned below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

/* Spread over all of uint64, both ends included. */
static uint64_t score_at(unsigned i)
{
	return i == SCORES - 1 ? UINT64_MAX : i * (UINT64_MAX / SCORES);
}

static void assert_same_answers(const struct model *m, struct rank *r)
{
	uint64_t less = 0, score;

	assert_int_equal(rank_total(r), m->total);
	for (unsigned i = 0; i < SCORES; i++) {
		assert_int_equal(rank_count_less(r, score_at(i)), less);
		if (m->times[i] > 0) {
			assert_true(rank_nth(r, less, &score));
			assert_true(score == score_at(i));
			assert_true(rank_nth(r, less + m->times[i] - 1, &score));
			assert_true(score == score_at(i));
		}
		less += m->times[i];
	}
	assert_false(rank_nth(r, m->total, &score));
}

static void insert(struct model *m, struct rank *r, unsigned i, bool gather)
{
	assert_true(gather ? rank_change(r, score_at(i), 1) : rank_insert(r, score_at(i)));
	m->times[i]++;
	m->total++;
}

static void erase(struct model *m, struct rank *r, unsigned i, bool gather)
{
	bool there = m->times[i] > 0;

	if (gather) {
		if (there)
			assert_true(rank_change(r, score_at(i), -1));
	} else {
		assert_int_equal(rank_erase(r, score_at(i)), there);
	}
	m->times[i] -= there;
	m->total -= there;
}

static void random_changes(struct model *m, struct rank *r, unsigned n, unsigned erases_in_8, bool gather)
{
	for (unsigned i = 0; i < n; i++)
		if (below(8) < erases_in_8)
			erase(m, r, below(SCORES), gather);
		else
			insert(m, r, below(SCORES), gather);
	assert_true(rank_settle(r));
}

static void random_changes_agree_with_counting(void **state)
{
	static const unsigned erases_in_8[] = { 1, 4, 7, 8, 3 };
	struct model m = { .total = 0 };
	struct rank *r = rank_new();

	(void)state;
	assert_same_answers(&m, r);
	for (unsigned i = 0; i < 10; i++) {
		random_changes(&m, r, 20000, erases_in_8[i / 2], i % 2);
		assert_same_answers(&m, r);
	}
	rank_free(r);
}

static void a_rank_built_in_order_can_be_changed(void **state)
{
	struct model m = { .total = 0 };
	struct rank *r = rank_new();

	(void)state;
	for (unsigned i = 0; i < SCORES; i++)
		for (unsigned times = below(3); times > 0; times--) {
			assert_true(rank_append(r, score_at(i)));
			m.times[i]++;
			m.total++;
		}
	assert_same_answers(&m, r);
	random_changes(&m, r, 20000, 4, false);
	assert_same_answers(&m, r);
	rank_free(r);
}

static void an_emptied_rank_can_be_filled_again(void **state)
{
	struct model m = { .total = 0 };
	struct rank *r = rank_new();

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < SCORES; i++)
			insert(&m, r, i, false);
		for (unsigned i = 0; i < SCORES; i++)
			erase(&m, r, SCORES - 1 - i, false);
		assert_int_equal(rank_total(r), 0);
		assert_false(rank_erase(r, 0));
	}
	assert_same_answers(&m, r);
	rank_free(r);
}

static void the_score_of_a_row_is_the_start_of_its_key(void **state)
{
	(void)state;
	assert_true(rank_score(SLICE_LIT("\1\2\3\4\5\6\7\10rest")) == 0x0102030405060708);
}

static void a_failed_insert_changes_nothing(void **state)
{
	unsigned seen = 0;
	bool fired;

	(void)state;
	do {
		struct model m = { .total = 0 };
		struct rank *r = rank_new();

		fail_alloc_after(seen);
		for (unsigned i = 0; i < SCORES && !faults_fired; i++)
			if (rank_insert(r, score_at(i))) {
				m.times[i]++;
				m.total++;
			}
		fired = fault_fired();
		assert_same_answers(&m, r);
		rank_free(r);
		seen += fired;
	} while (fired);
	assert_in_range(seen, 10, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_agree_with_counting),
		cmocka_unit_test(a_rank_built_in_order_can_be_changed),
		cmocka_unit_test(an_emptied_rank_can_be_filled_again),
		cmocka_unit_test(the_score_of_a_row_is_the_start_of_its_key),
		cmocka_unit_test(a_failed_insert_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
