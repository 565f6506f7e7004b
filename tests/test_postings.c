/* Runs of sequence numbers in few bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/postings.h"

/* Appends the numbers one by one and compares with the run written at once. */
static void assert_run(const uint64_t *seqs, unsigned n)
{
	struct postings_run run = { .n = n }, back;
	struct postings_tail tail = { 0 };
	struct buf grown, whole;

	buf_init(&grown, POSTINGS_BYTES_MAX);
	buf_init(&whole, POSTINGS_BYTES_MAX);
	for (unsigned i = 0; i < n; i++) {
		run.seqs[i] = seqs[i];
		postings_append(&grown, &tail, seqs[i]);
		assert_true(postings_tail(buf_slice(&grown), &tail));
		assert_int_equal(tail.n, i + 1);
		assert_true(tail.last == seqs[i]);
	}
	postings_write(&whole, &run);
	assert_false(grown.failed || whole.failed);
	assert_true(slice_eq(buf_slice(&grown), buf_slice(&whole)));
	assert_true(postings_read(buf_slice(&whole), &back));
	assert_int_equal(back.n, n);
	for (unsigned i = 0; i < n; i++)
		assert_true(back.seqs[i] == seqs[i]);
	buf_free(&grown);
	buf_free(&whole);
}

static void runs_come_back_as_written(void **state)
{
	static const uint64_t steps[] = { 1, 127, 128, 16383, 16384, 1u << 21, UINT64_C(1) << 35, UINT64_C(1) << 55 };
	uint64_t seqs[POSTINGS_RUN];

	(void)state;
	assert_run(NULL, 0);
	for (unsigned n = 1; n <= POSTINGS_RUN; n++) {
		for (unsigned first = 0; first < 8; first++) {
			uint64_t seq = 0;

			for (unsigned i = 0; i < n; i++)
				seqs[i] = seq += steps[(first + i * 3) % 8];
			assert_run(seqs, n);
		}
	}
	assert_run((const uint64_t[]){ UINT64_MAX }, 1);
	assert_run((const uint64_t[]){ 1, UINT64_MAX }, 2);
}

static void dense_runs_take_a_byte_each(void **state)
{
	struct postings_run run = { .n = POSTINGS_RUN };
	struct buf b;

	(void)state;
	for (unsigned i = 0; i < run.n; i++)
		run.seqs[i] = 1000000 + 3 * i;
	buf_init(&b, POSTINGS_BYTES_MAX);
	postings_write(&b, &run);
	assert_int_equal(b.len, 3 + POSTINGS_RUN - 1);
	buf_free(&b);
}

static void malformed_bytes_are_refused(void **state)
{
	uint8_t many[POSTINGS_RUN + 1];
	struct postings_run run;
	struct postings_tail tail;

	(void)state;
	assert_false(postings_read(SLICE_LIT("\x80"), &run));
	assert_false(postings_tail(SLICE_LIT("\x05\xff"), &tail));
	assert_false(postings_read(SLICE_LIT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), &run));
	memset(many, 1, sizeof(many));
	assert_false(postings_read(slice_of(many, sizeof(many)), &run));
	assert_false(postings_tail(slice_of(many, sizeof(many)), &tail));
	assert_true(postings_read(slice_of(many, POSTINGS_RUN), &run));
	assert_true(postings_read(SLICE_NULL, &run));
	assert_int_equal(run.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_come_back_as_written),
		cmocka_unit_test(dense_runs_take_a_byte_each),
		cmocka_unit_test(malformed_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
