/* The log on a real directory. Faults: mdb_txn_commit is wrapped; damage is done with LMDB itself while the log is
 * closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log/proof.h"
#include "tests/lib/log_world.h"

#define GOLDEN "tests/golden/log_block.hex"

/* ---- faults ---- */

static enum { WORKS, FAILS_BEFORE, FAILS_AFTER } commits;
static void (*before_commit)(void *arg); /* what happens meanwhile; taken back when it is called */
static void *before_commit_arg;

int __wrap_mdb_txn_commit(MDB_txn *txn);
int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
	void (*meanwhile)(void *) = before_commit;

	before_commit = NULL;
	if (meanwhile != NULL)
		meanwhile(before_commit_arg);
	if (commits == FAILS_BEFORE) {
		mdb_txn_abort(txn);
		return ENOSPC;
	}
	if (commits == FAILS_AFTER)
		return __real_mdb_txn_commit(txn) == 0 ? EIO : -1;
	return __real_mdb_txn_commit(txn);
}

/* ---- tests: life of an event ---- */

static void a_new_log_is_empty(void **state)
{
	struct world *w = *state;
	struct log_entry e;
	uint8_t root[32];
	uint64_t size, seq;

	assert_int_equal(log_head(w->log), 0);
	assert_int_equal(log_durable(w->log), 0);
	assert_int_equal(log_last_at(w->log), 0);
	assert_null(log_begin_flush(w->log));
	assert_missing(w, w->r, 1);
	assert_int_equal(log_reader_next(w->r, 1, false, NULL, &e, NULL, &w->err), E_NOT_FOUND);
	assert_int_equal(log_reader_next(w->r, UINT64_MAX, true, NULL, &e, NULL, &w->err), E_NOT_FOUND);
	assert_int_equal(log_reader_seek_time(w->r, noon, &seq, &w->err), 0);
	assert_int_equal(seq, 1);
	log_root(w->log, &size, root);
	assert_int_equal(size, 0);
	assert_int_equal(root[0], 0xe3);
	assert_sound(w, 0);
	reopen(w);
	assert_int_equal(log_head(w->log), 0);
}

static void what_was_flushed_is_there_after_reopening(void **state)
{
	struct world *w = *state;
	uint8_t root[32], again[32];
	uint64_t size;

	block_of(w, 10, 3, noon);
	block_of(w, 100, 2, noon + 5);
	assert_int_equal(log_durable(w->log), 230);
	log_root(w->log, &size, root);
	assert_int_equal(size, 230);

	reopen(w);

	assert_int_equal(log_head(w->log), 230);
	assert_int_equal(log_durable(w->log), 230);
	assert_int_equal(log_last_at(w->log), noon + 5);
	log_root(w->log, &size, again);
	assert_int_equal(size, 230);
	assert_memory_equal(root, again, 32);
	for (uint64_t seq = 1; seq <= 230; seq++)
		assert_event(w, w->r, seq);
	append(w, 1, noon + 6);
	flush(w);
	assert_sound(w, 231);
}

static void what_was_not_flushed_is_gone_after_reopening(void **state)
{
	struct world *w = *state;

	block_of(w, 1, 2, noon);
	append(w, 3, noon + 1);
	assert_int_equal(log_head(w->log), 5);
	reopen(w);
	assert_int_equal(log_head(w->log), 2);
	assert_int_equal(log_last_at(w->log), noon);
}

static void open_and_flying_blocks_can_be_read(void **state)
{
	struct world *w = *state;
	struct log_reader *durable;
	struct block *b;

	assert_int_equal(log_reader_open(w->log, LOG_DURABLE_ONLY, &durable, &w->err), 0);
	block_of(w, 2, 40, noon);
	append(w, 100, noon);
	b = log_begin_flush(w->log);
	append(w, 7, noon);
	assert_int_equal(log_head(w->log), 187);
	assert_int_equal(block_last_seq(b), 180);
	assert_null(log_begin_flush(w->log));

	for (uint64_t seq = 187; seq > 0; seq--)
		assert_event(w, w->r, seq);
	assert_missing(w, w->r, 188);
	assert_event(w, durable, 80);
	assert_missing(w, durable, 81);

	assert_int_equal(log_flush(w->log, b, &w->err), 0);
	assert_missing(w, durable, 81); /* its transaction is older */
	assert_event(w, w->r, 81);
	log_end_flush(w->log, b, true);
	assert_int_equal(log_durable(w->log), 180);
	for (uint64_t seq = 1; seq <= 187; seq++)
		assert_event(w, w->r, seq); /* without asking for a refresh */
	assert_int_equal(log_reader_refresh(durable, &w->err), 0);
	assert_event(w, durable, 180);
	assert_missing(w, durable, 181);
	log_reader_idle(durable);
	assert_event(w, durable, 3);
	log_reader_close(durable);
}

static void a_commit_is_never_split(void **state)
{
	struct world *w = *state;
	uint64_t last;

	append(w, 1, noon);
	append(w, 4096, noon);
	append(w, 2, noon);
	flush(w);
	append(w, 3, noon);
	assert_int_equal(log_reader_commit_end(w->r, 1, &last, &w->err), 0);
	assert_int_equal(last, 1);
	for (uint64_t seq = 2; seq <= 4097; seq += 819) {
		assert_int_equal(log_reader_commit_end(w->r, seq, &last, &w->err), 0);
		assert_int_equal(last, 4097);
	}
	assert_int_equal(log_reader_commit_end(w->r, 4098, &last, &w->err), 0);
	assert_int_equal(last, 4099);
	assert_int_equal(log_reader_commit_end(w->r, 4101, &last, &w->err), 0);
	assert_int_equal(last, 4102);
	assert_int_equal(log_reader_commit_end(w->r, 4103, &last, &w->err), E_NOT_FOUND);
}

static void a_commit_too_large_changes_nothing(void **state)
{
	struct world *w = *state;
	size_t n = (17 << 20) / 50;

	append(w, 1, noon);
	assert_int_equal(try_append(w, n, noon, (const uint8_t[]){ TAG_A }, 1), E_LIMIT_EXCEEDED);
	assert_int_equal(log_head(w->log), 1);
	append(w, 1, noon);
	flush(w);
	assert_sound(w, 2);
}

static void a_full_block_asks_to_be_flushed_and_has_an_end(void **state)
{
	struct world *w = *state;
	int rc = 0;

	append(w, 1, noon);
	assert_false(log_wants_flush(w->log));
	while (!log_wants_flush(w->log))
		append(w, 1000, noon);
	assert_true(log_open_bytes(w->log) >= 1 << 20);
	while (rc == 0)
		rc = try_append(w, 50000, noon, (const uint8_t[]){ TAG_A }, 1);
	assert_int_equal(rc, E_UNAVAILABLE);
	assert_true(log_open_bytes(w->log) < 64 << 20);
	flush(w);
	assert_int_equal(log_open_bytes(w->log), 0);
	append(w, 1, noon);
	assert_event(w, w->r, log_head(w->log));
}

/* ---- tests: walking ---- */

/* Four places: two durable blocks, one in flight, one open; TAG_C in the second and the last. */
static struct block *given_four_places(struct world *w)
{
	struct block *b;

	append_type(w, 2, noon + 10, TAG_A);
	flush(w);
	append_type(w, 1, noon + 20, TAG_A);
	append_type(w, 1, noon + 21, TAG_C);
	flush(w);
	append_type(w, 2, noon + 30, TAG_B);
	b = log_begin_flush(w->log);
	append_type(w, 1, noon + 40, TAG_C);
	append_type(w, 1, noon + 41, TAG_A);
	return b;
}

static void walks_go_both_ways_through_all_places(void **state)
{
	struct world *w = *state;
	struct block *b = given_four_places(w);

	assert_walk(w, 1, false, NULL, "1 2 3 4 5 6 7 8 ");
	assert_walk(w, 0, false, NULL, "1 2 3 4 5 6 7 8 ");
	assert_walk(w, 6, false, NULL, "6 7 8 ");
	assert_walk(w, 9, false, NULL, "");
	assert_walk(w, 8, true, NULL, "8 7 6 5 4 3 2 1 ");
	assert_walk(w, UINT64_MAX, true, NULL, "8 7 6 5 4 3 2 1 ");
	assert_walk(w, 3, true, NULL, "3 2 1 ");
	assert_walk(w, 0, true, NULL, "");
	assert_int_equal(log_flush(w->log, b, &w->err), 0);
	log_end_flush(w->log, b, true);
	assert_walk(w, 1, false, NULL, "1 2 3 4 5 6 7 8 ");
}

static void blocks_without_a_wanted_type_are_skipped(void **state)
{
	struct world *w = *state;
	struct log_types none = { { 0 } }, c = { { 0 } }, b_or_c = { { 0 } };
	struct block *b = given_four_places(w);
	uint64_t examined = 0;
	struct log_entry e;

	log_types_add(&c, TAG_C);
	log_types_add(&b_or_c, TAG_B);
	log_types_add(&b_or_c, TAG_C);
	assert_walk(w, 1, false, &none, "1 2 3 4 5 6 7 8 ");
	assert_walk(w, 1, false, &c, "4 7 ");
	assert_walk(w, 8, true, &c, "7 4 ");
	assert_walk(w, 1, false, &b_or_c, "4 5 6 7 ");

	assert_int_equal(log_reader_next(w->r, 1, false, &c, &e, &examined, &w->err), 0);
	assert_int_equal(examined, 3); /* a block, then events 3 and 4 */
	assert_int_equal(log_reader_next(w->r, 5, false, &c, &e, &examined, &w->err), 0);
	assert_int_equal(examined, 5); /* the block in flight, then event 7 */
	assert_int_equal(log_flush(w->log, b, &w->err), 0);
	log_end_flush(w->log, b, true);
	assert_walk(w, 8, true, &c, "7 4 ");
}

static void a_time_is_found_in_every_place(void **state)
{
	static const struct {
		int64_t at;
		uint64_t seq;
	} cases[] = {
		{ 0, 1 },  { 10, 1 }, { 11, 3 }, { 20, 3 }, { 21, 4 }, { 22, 5 },
		{ 30, 5 }, { 31, 7 }, { 40, 7 }, { 41, 8 }, { 42, 9 },
	};
	struct world *w = *state;
	struct block *b = given_four_places(w);
	uint64_t seq;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(log_reader_seek_time(w->r, noon + cases[i].at, &seq, &w->err), 0);
		assert_int_equal(seq, cases[i].seq);
	}
	assert_int_equal(log_flush(w->log, b, &w->err), 0);
	log_end_flush(w->log, b, false);
}

static void a_time_is_found_among_many_blocks(void **state)
{
	struct world *w = *state;
	uint64_t seq;

	for (int i = 0; i < 30; i++) {
		for (int j = 0; j < i * 7 % 11 + 1; j++)
			append(w, (size_t)(i * 5 % 17 + 1), noon + 100 * i + j);
		flush(w);
	}
	for (int64_t at = noon - 1; at < noon + 3000; at += 1) {
		struct log_entry entry;
		struct envelope e;

		assert_int_equal(log_reader_seek_time(w->r, at, &seq, &w->err), 0);
		if (seq <= log_head(w->log)) {
			assert_int_equal(log_reader_get(w->r, seq, &entry, &w->err), 0);
			assert_true(envelope_decode(entry.bytes, &e));
			assert_true(e.at >= at);
		}
		if (seq > 1) {
			assert_int_equal(log_reader_get(w->r, seq - 1, &entry, &w->err), 0);
			assert_true(envelope_decode(entry.bytes, &e));
			assert_true(e.at < at);
		}
	}
}

static void roots_are_kept_per_block(void **state)
{
	struct world *w = *state;
	uint8_t root[32], at[32];
	uint64_t size;

	block_of(w, 3, 30, noon);
	log_root(w->log, &size, root);
	block_of(w, 1, 1, noon);
	assert_int_equal(log_reader_root_at(w->r, 90, at, &w->err), 0);
	assert_memory_equal(root, at, 32);
	assert_int_equal(log_reader_root_at(w->r, 92, at, &w->err), E_NOT_FOUND);
	assert_int_equal(log_reader_root_at(w->r, 0, at, &w->err), E_NOT_FOUND);
	log_root(w->log, &size, root);
	assert_int_equal(log_reader_root_at(w->r, 91, at, &w->err), 0);
	assert_memory_equal(root, at, 32);

	/* where no block ends it is computed */
	hashed_root(w, 89, root);
	assert_int_equal(log_reader_root_at(w->r, 89, at, &w->err), 0);
	assert_memory_equal(root, at, 32);
}

/* ---- tests: faults ---- */

static void a_failed_flush_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct block *b;

	block_of(w, 1, 2, noon);
	append(w, 3, noon + 1);
	b = log_begin_flush(w->log);
	append(w, 1, noon + 2);
	commits = FAILS_BEFORE;
	assert_int_equal(log_flush(w->log, b, &w->err), E_STORAGE_FULL);
	commits = WORKS;
	log_end_flush(w->log, b, false);

	assert_true(log_failed(w->log));
	assert_int_equal(log_head(w->log), 2);
	assert_int_equal(try_append(w, 1, noon + 2, (const uint8_t[]){ TAG_A }, 1), E_UNAVAILABLE);
	assert_null(log_begin_flush(w->log));
	assert_event(w, w->r, 2);
	assert_missing(w, w->r, 3);

	reopen(w);
	assert_false(log_failed(w->log));
	assert_int_equal(log_head(w->log), 2);
	memset(w->versions, 0, sizeof(w->versions));
	w->versions[1] = w->versions[2] = 1;
	block_of(w, 1, 3, noon + 3);
	assert_sound(w, 5);
}

static void a_flush_of_unknown_outcome_is_whole_after_reopening(void **state)
{
	struct world *w = *state;
	struct block *b;

	block_of(w, 1, 2, noon);
	append(w, 3, noon + 1);
	b = log_begin_flush(w->log);
	append(w, 1, noon + 2);
	commits = FAILS_AFTER;
	assert_int_equal(log_flush(w->log, b, &w->err), E_UNAVAILABLE);
	commits = WORKS;
	log_end_flush(w->log, b, false);
	assert_int_equal(log_head(w->log), 2);
	assert_missing(w, w->r, 3);

	reopen(w);
	assert_int_equal(log_head(w->log), 5);
	assert_int_equal(log_last_at(w->log), noon + 1);
	assert_sound(w, 5);
}

static void a_second_opener_is_refused(void **state)
{
	struct world *w = *state;
	struct log *second = NULL;
	char expected[240];
	int status;

	assert_int_equal(log_open(w->dir, &options, &second, &w->err), E_UNAVAILABLE);
	snprintf(expected, sizeof(expected), "%s is in use by another daemon (process %d); stop it first", w->dir,
		 (int)getpid());
	assert_string_equal(w->err.text, expected);
	if (fork() == 0)
		_exit(log_open(w->dir, &options, &second, &w->err) == E_UNAVAILABLE ? 0 : 1);
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
	block_of(w, 1, 1, noon); /* the first one goes on */
	assert_sound(w, 1);
}

static void a_small_disk_is_full_before_it_is(void **state)
{
	struct world *w = *state;
	const struct log_options greedy = { .map_max = options.map_max, .reserve = SIZE_MAX / 2 };

	assert_int_equal(log_space(w->log, 5, &w->err), 0);
	close_log(w);
	assert_int_equal(log_open(w->dir, &greedy, &w->log, &w->err), 0);
	assert_int_equal(log_space(w->log, 5, &w->err), E_STORAGE_FULL);
	assert_int_equal(log_space(w->log, 6, &w->err), E_STORAGE_FULL);
}

static void a_small_map_is_full_before_it_is(void **state)
{
	struct world *w = *state;
	const struct log_options small = { .map_max = 4 << 20, .reserve = 1 << 20 };
	int64_t now = 0;
	int blocks = 0;

	close_log(w);
	assert_int_equal(log_open(w->dir, &small, &w->log, &w->err), 0);
	for (; log_space(w->log, now, &w->err) == 0; now += 1000, blocks++)
		block_of(w, 1, 2000, noon);
	assert_int_equal(w->err.code, E_STORAGE_FULL);
	assert_true(blocks > 10);
	block_of(w, 1, 2000, noon); /* there is room still */
	assert_false(log_failed(w->log));
}

static void what_is_written_within_a_second_is_counted(void **state)
{
	struct world *w = *state;
	const struct log_options small = { .map_max = 4 << 20, .reserve = 1 << 20 };
	const struct log_options larger = { .map_max = 32 << 20, .reserve = 1 << 20 };
	int blocks = 0, appended = 0;

	/* blocks, without the clock moving on */
	close_log(w);
	assert_int_equal(log_open(w->dir, &small, &w->log, &w->err), 0);
	for (; log_space(w->log, 0, &w->err) == 0 && blocks < 1000; blocks++)
		block_of(w, 1, 2000, noon);
	assert_in_range(blocks, 10, 999);
	assert_int_equal(w->err.code, E_STORAGE_FULL);
	assert_false(log_failed(w->log));

	/* what waits in the open block has its place already */
	close_log(w);
	assert_int_equal(log_open(w->dir, &larger, &w->log, &w->err), 0);
	for (; log_space(w->log, 0, &w->err) == 0 && appended < 1000; appended++)
		append(w, 2000, noon + 1);
	assert_in_range(appended, 10, 999);
}

static void a_map_the_system_refuses_becomes_smaller(void **state)
{
	struct world *w = *state;
	const struct log_options huge = { .map_max = (size_t)1 << 55 };
	struct log_info info;

#if defined(__SANITIZE_THREAD__)
	skip(); /* it prints about the refusal and ends */
#endif
	close_log(w);
	assert_int_equal(log_open(w->dir, &huge, &w->log, &w->err), 0);
	assert_int_equal(log_info(w->log, &info, &w->err), 0);
	assert_true(info.map_bytes >= (size_t)1 << 30 && info.map_bytes < huge.map_max);
	block_of(w, 1, 5, noon);
	assert_int_equal(log_info(w->log, &info, &w->err), 0);
	assert_int_equal(info.blocks, 1);
	assert_true(info.used_bytes >= 3 * 4096 && info.free_bytes > 0);
}

/* ---- tests: verifying ---- */

/* Blocks 1..200 (4 groups), 201..300 (2 groups), 301..303. */
static void given_three_blocks(struct world *w)
{
	block_of(w, 100, 2, noon);
	block_of(w, 50, 2, noon + 1);
	block_of(w, 1, 3, noon + 2);
	assert_sound(w, 303);
}

static void a_flipped_bit_in_an_event_is_found(void **state)
{
	struct world *w = *state;
	struct log_entry e;

	given_three_blocks(w);
	flip(w, 300, -20);
	assert_damage(w, 1, 265, "block 201..300, events 265..300: checksum differs");
	assert_damage(w, 250, 265, "block 201..300, events 265..300: checksum differs");
	assert_true(verify(w, 301, 0).ok);
	assert_true(verify(w, 1, 200).ok);

	assert_event(w, w->r, 264);
	assert_int_equal(log_reader_get(w->r, 265, &e, &w->err), E_INTERNAL);
	assert_string_equal(w->err.text, "block 201..300, events 265..300: checksum differs");
	assert_event(w, w->r, 301);
}

static void a_flipped_bit_in_a_header_is_found(void **state)
{
	/* first seq, mask, root, count, reserved, index, checksum */
	static const long offsets[] = { 15, 33, 80, 118, BLOCK_FIXED + 12, BLOCK_FIXED + 2 * BLOCK_INDEX_ENTRY + 3 };
	struct world *w = *state;

	given_three_blocks(w);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		flip(w, 300, offsets[i]);
		assert_damage(w, 1, 201, "block that ends at 300: header checksum differs");
		flip(w, 300, offsets[i]);
	}
	flip(w, 300, 106);
	assert_damage(w, 1, 201, "block that ends at 300: length differs");
	flip(w, 300, 106);
	flip(w, 300, 4);
	assert_damage(w, 1, 201, "block that ends at 300: format 17 with codec 0 is unknown to this version");
	flip(w, 300, 4);
	flip(w, 300, 0);
	assert_damage(w, 1, 201, "block that ends at 300: not a block");
	flip(w, 300, 0);
	assert_sound(w, 303);
}

static void a_missing_block_is_found(void **state)
{
	struct world *w = *state;
	struct log_entry e;
	struct raw raw;

	given_three_blocks(w);
	raw = raw_open(w);
	raw_del(&raw, 300);
	raw_close(&raw);
	open_log(w);
	assert_damage(w, 1, 201, "events 201..300 are missing");
	assert_damage(w, 250, 250, "events 250..300 are missing");
	assert_int_equal(log_reader_get(w->r, 222, &e, &w->err), E_INTERNAL);
	assert_event(w, w->r, 301);
}

static void swapped_blocks_are_found(void **state)
{
	struct world *w = *state;
	struct slice a, b;
	struct raw raw;

	given_three_blocks(w);
	raw = raw_open(w);
	a = raw_get(&raw, 200);
	b = raw_get(&raw, 300);
	raw_put(&raw, 300, a);
	raw_put(&raw, 200, b);
	free((void *)a.base);
	free((void *)b.base);
	raw_close(&raw);
	open_log(w);
	assert_damage(w, 1, 1, "block that ends at 200: header says 201..300");
}

/* Somebody who recomputes all checksums still has the Merkle root against him. */
static void a_rewritten_event_is_found_by_its_stored_hash(void **state)
{
	struct world *w = *state;

	given_three_blocks(w);
	rewrite(w, 300, 2, SLICE_LIT("user:7"), SLICE_LIT("user:8"));
	assert_damage(w, 1, 201, "events 201..256: their stored hash differs");
	assert_true(verify(w, 2, 0).ok); /* without the beginning there is no tree to compare */
}

static void a_rewritten_event_of_no_full_subtree_is_found_by_the_root(void **state)
{
	struct world *w = *state;

	given_three_blocks(w);
	rewrite(w, 303, 1, SLICE_LIT("user:7"), SLICE_LIT("user:8"));
	assert_damage(w, 1, 301, "block 301..303: Merkle root differs");
}

static void a_version_that_repeats_is_found(void **state)
{
	struct world *w = *state;

	given_three_blocks(w);
	/* Event 201, version 41 of points:1, says it is of points:4, of which 199 is version 40 and 204 is 41. */
	rewrite(w, 300, 2, SLICE_LIT("points:1"), SLICE_LIT("points:4"));
	assert_damage(w, 1, 204, "event 204: version 41 of points:4 follows 41");
	assert_damage(w, 201, 204, "event 204: version 41 of points:4 follows 41");
	assert_true(verify(w, 202, 0).ok); /* relative to the first version seen */
}

static void a_version_left_out_is_found(void **state)
{
	struct world *w = *state;

	given_three_blocks(w);
	rewrite(w, 300, 2, SLICE_LIT("points:1"), SLICE_LIT("points:9"));
	assert_damage(w, 1, 201, "event 201: version 41 of points:9 follows 0");
	assert_damage(w, 101, 206, "event 206: version 42 of points:1 follows 40");
}

static void a_wrong_seq_is_found(void **state)
{
	struct world *w = *state;

	given_three_blocks(w);
	rewrite(w, 300, 2, SLICE_LIT("\xcc\xca\x01"), SLICE_LIT("\xcc\xcb\x01"));
	assert_damage(w, 1, 202, "event 202: says it is 203");
}

static void a_wrong_commit_border_is_found(void **state)
{
	struct world *w = *state;

	given_three_blocks(w);
	rewrite(w, 300, 2, SLICE_LIT("\xcc\xca\x01"), SLICE_LIT("\xcc\xca\x02"));
	assert_damage(w, 1, 202, "event 202: its commit 200 begins in another block");
	rewrite(w, 300, 2, SLICE_LIT("\xcc\xca\x02"), SLICE_LIT("\xcc\xca\x01"));
	rewrite(w, 300, 2, SLICE_LIT("\xcc\xcc\x01"), SLICE_LIT("\xcc\xcc\x02"));
	assert_damage(w, 1, 204, "event 204: is of commit 202 inside commit 203");
}

static void a_time_that_falls_is_found(void **state)
{
	struct world *w = *state;
	uint8_t is[9] = { 0xcf }, was[9] = { 0xcf };

	given_three_blocks(w);
	for (int i = 0; i < 8; i++) {
		is[1 + i] = (uint8_t)((uint64_t)(noon + 1) >> (56 - 8 * i));
		was[1 + i] = (uint8_t)((uint64_t)(noon - 1) >> (56 - 8 * i));
	}
	rewrite(w, 300, 2, slice_of(is, 9), slice_of(was, 9));
	assert_damage(w, 1, 201, "event 201: time falls");
}

static void a_damaged_tail_is_refused_on_opening(void **state)
{
	struct world *w = *state;
	struct slice block;
	struct raw raw;

	given_three_blocks(w);
	raw = raw_open(w);
	block = raw_get(&raw, 303);
	((uint8_t *)block.base)[block.len - 1] ^= 1;
	raw_put(&raw, 303, block);
	raw_close(&raw);
	assert_int_equal(log_open(w->dir, &options, &w->log, &w->err), E_INTERNAL);
	assert_non_null(strstr(w->err.text, "restore it from a backup"));
	assert_non_null(strstr(w->err.text, "block 301..303, events 301..303: checksum differs"));

	raw = raw_open(w);
	((uint8_t *)block.base)[block.len - 1] ^= 1;
	raw_put(&raw, 303, block);
	raw_close(&raw);
	open_log(w);
	assert_sound(w, 303);

	raw = raw_open(w);
	raw_del(&raw, 303);
	raw_close(&raw);
	assert_int_equal(log_open(w->dir, &options, &w->log, &w->err), E_INTERNAL);
	assert_non_null(strstr(w->err.text, "last block ends at 300"));
	free((void *)block.base);
}

static void another_database_is_no_log(void **state)
{
	struct world *w = *state;
	struct raw raw = raw_open(w);

	assert_int_equal(mdb_drop(raw.txn, raw.tail, 1), 0);
	raw_close(&raw);
	assert_int_equal(log_open(w->dir, &options, &w->log, &w->err), E_INTERNAL);
	assert_non_null(strstr(w->err.text, "data.mdb is not a log"));
}

static void a_file_that_was_cut_is_refused_not_fatal(void **state)
{
	struct world *w = *state;
	char path[128];

	given_three_blocks(w);
	close_log(w);
	snprintf(path, sizeof(path), "%s/data.mdb", w->dir);
	assert_int_equal(truncate(path, 4 * 4096), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(log_open(w->dir, &options, &w->log, &w->err), E_INTERNAL);
		assert_non_null(strstr(w->err.text, "was cut"));
	}
	assert_int_equal(truncate(path, 1000), 0);
	assert_int_equal(log_open(w->dir, &options, &w->log, &w->err), E_INTERNAL);
}

static bool stop_at_once(void *arg, uint64_t done, uint64_t of)
{
	uint64_t *told = arg;

	assert_true(done >= 100000 && done < of);
	*told = done;
	return false;
}

static bool go_on(void *arg, uint64_t done, uint64_t of)
{
	uint64_t *told = arg;

	(void)done, (void)of;
	++*told;
	return true;
}

static void verifying_tells_progress_and_can_be_stopped(void **state)
{
	struct world *w = *state;
	struct log_verdict v;
	uint64_t told = 0;

	for (int i = 0; i < 60; i++)
		block_of(w, 2, 2000, noon);
	assert_int_equal(log_verify(w->r, 1, 0, stop_at_once, &told, &v, &w->err), E_UNAVAILABLE);
	assert_true(told >= 100000);
	told = 0;
	assert_int_equal(log_verify(w->r, 1, 0, go_on, &told, &v, &w->err), 0);
	assert_int_equal(told, 2);
	assert_true(v.ok);
	assert_int_equal(v.checked, 240000);
	assert_int_equal(verify(w, 100001, 100500).checked, 500);
}

/* ---- tests: bytes ---- */

static void any_cut_or_garbage_in_a_block_is_refused(void **state)
{
	struct world *w = *state;
	struct block_group *group = calloc(1, sizeof(*group));
	uint8_t key[BLOCK_KEY];
	struct block_view v;
	struct slice block;
	struct raw raw;

	block_of(w, 50, 3, noon);
	raw = raw_open(w);
	block = raw_get(&raw, 150);
	raw_close(&raw);
	block_key(150, key);
	assert_int_equal(block_parse(slice_of(key, 8), block, &v, &w->err), 0);
	assert_int_equal(v.n_groups, 3);

	for (size_t len = 0; len < block.len; len++) {
		void *cut = malloc(len ? len : 1); /* so that a sanitizer sees its end */

		memcpy(cut, block.base, len);
		assert_int_equal(block_parse(slice_of(key, 8), slice_of(cut, len), &v, &w->err), E_INTERNAL);
		free(cut);
	}
	for (size_t i = 0; i < block.len * 8; i++) {
		bool found;

		((uint8_t *)block.base)[i / 8] ^= (uint8_t)(1 << i % 8);
		found = block_parse(slice_of(key, 8), block, &v, &w->err) != 0;
		for (uint32_t g = 0; !found && g < v.n_groups; g++)
			found = block_group_load(&v, g, NULL, group, &w->err) != 0;
		assert_true(found);
		((uint8_t *)block.base)[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(block_parse(slice_of(key, 7), block, &v, &w->err), E_INTERNAL);
	free((void *)block.base);
	free(group);
	open_log(w);
}

static void lengths_take_their_shortest_form(void **state)
{
	static const uint32_t lengths[] = { 1, 127, 128, 16383, 16384, 2097151, 2097152, EVENT_BYTES_MAX };
	static const size_t sizes[] = { 1, 1, 2, 2, 3, 3, 4, 4 };
	uint8_t bytes[4];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		assert_int_equal(stored_length_put(bytes, lengths[i]), sizes[i]);
}

/* Stored bytes are forever. GOLDEN_UPDATE=1 writes the file anew: only for a new format. */
static void the_stored_bytes_never_change(void **state)
{
	struct world *w = *state;
	char *hex = NULL, golden[4096] = "";
	size_t hex_len;
	struct slice block;
	struct raw raw;
	FILE *f;

	append_type(w, 1, noon, TAG_A);
	append(w, 3, noon + 1);
	flush(w);
	append_type(w, 2, noon + 2, TAG_C);
	flush(w);
	raw = raw_open(w);
	f = open_memstream(&hex, &hex_len);
	for (uint64_t last = 4; last <= 6; last += 2) {
		block = raw_get(&raw, last);
		print_hex(f, block);
		free((void *)block.base);
	}
	fclose(f);
	raw_close(&raw);
	open_log(w);

	if (getenv("GOLDEN_UPDATE") != NULL) {
		f = fopen(GOLDEN, "w");
		assert_non_null(f);
		fputs(hex, f);
	} else {
		f = fopen(GOLDEN, "r");
		assert_non_null(f);
		golden[fread(golden, 1, sizeof(golden) - 1, f)] = '\0';
		assert_string_equal(hex, golden);
	}
	fclose(f);
	free(hex);
}

/* ---- tests: threads ---- */

/* The loop hands blocks to a writer and reads, another thread walks what is durable. */
struct crew {
	struct world *w;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct block *to_flush, *flushed;
	bool stop;
	atomic_bool failed;
};

static void *write_blocks(void *arg)
{
	struct crew *c = arg;
	struct err err;

	pthread_mutex_lock(&c->mutex);
	for (;;) {
		struct block *b;

		while (c->to_flush == NULL && !c->stop)
			pthread_cond_wait(&c->changed, &c->mutex);
		b = c->to_flush;
		if (b == NULL)
			break;
		c->to_flush = NULL;
		pthread_mutex_unlock(&c->mutex);
		if (log_flush(c->w->log, b, &err) != 0)
			c->failed = true;
		pthread_mutex_lock(&c->mutex);
		c->flushed = b;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

static void *walk_durable(void *arg)
{
	struct crew *c = arg;
	struct log_reader *r;
	uint64_t next = 1;
	struct err err;

	if (log_reader_open(c->w->log, LOG_DURABLE_ONLY, &r, &err) != 0) {
		c->failed = true;
		return NULL;
	}
	for (bool stop = false; !stop;) {
		struct log_entry e;

		pthread_mutex_lock(&c->mutex);
		stop = c->stop && c->to_flush == NULL;
		pthread_mutex_unlock(&c->mutex);
		if (log_reader_refresh(r, &err) != 0)
			c->failed = true;
		while (log_reader_next(r, next, false, NULL, &e, NULL, &err) == 0)
			c->failed = c->failed || e.seq != next++;
	}
	log_reader_close(r);
	return NULL;
}

/* Takes back a flushed block, hands over the open one. */
static void turn(struct crew *c, bool wait)
{
	struct block *b;

	pthread_mutex_lock(&c->mutex);
	while (wait && c->flushed == NULL)
		pthread_cond_wait(&c->changed, &c->mutex);
	if (c->flushed != NULL)
		log_end_flush(c->w->log, c->flushed, true);
	c->flushed = NULL;
	b = log_begin_flush(c->w->log);
	if (b != NULL)
		c->to_flush = b;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

static void threads_write_and_read_at_once(void **state)
{
	struct world *w = *state;
	struct crew c = { .w = w, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	pthread_t writer, walker;

	assert_int_equal(pthread_create(&writer, NULL, write_blocks, &c), 0);
	assert_int_equal(pthread_create(&walker, NULL, walk_durable, &c), 0);
	for (int i = 0; i < 3000; i++) {
		append(w, 3, noon + i);
		assert_event(w, w->r, log_head(w->log) - (uint64_t)i % 50 * 20 % log_head(w->log));
		turn(&c, false);
	}
	while (log_durable(w->log) < log_head(w->log))
		turn(&c, true);
	pthread_mutex_lock(&c.mutex);
	c.stop = true;
	pthread_cond_broadcast(&c.changed);
	pthread_mutex_unlock(&c.mutex);
	pthread_join(writer, NULL);
	pthread_join(walker, NULL);
	assert_false(c.failed);
	assert_sound(w, 9000);
}

/* ---- tests: proofs ---- */

static unsigned leaves_hashed, rows_got;

void __wrap_merkle_leaf(struct slice bytes, uint8_t ret[MERKLE_HASH]);
void __real_merkle_leaf(struct slice bytes, uint8_t ret[MERKLE_HASH]);
void __wrap_merkle_leaf(struct slice bytes, uint8_t ret[MERKLE_HASH])
{
	leaves_hashed++;
	__real_merkle_leaf(bytes, ret);
}

int __wrap_mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data);
int __real_mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data);
int __wrap_mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
	rows_got++;
	return __real_mdb_get(txn, dbi, key, data);
}

/* A transaction that lasts would keep freed pages from use, beside whoever writes. */
static void a_walk_does_not_stay_in_one_transaction(void **state)
{
	struct world *w = *state;
	struct log_reader *r = durable_reader(w, w->log);

	/* given more than a reader takes at once, and an event that came after it had looked */
	for (int i = 0; i < 100; i++)
		block_of(w, 100, 1, noon);
	assert_int_equal(log_reader_refresh(r, &w->err), 0);
	block_of(w, 1, 1, noon);
	assert_int_equal(log_reader_head(r), 10000);

	/* when it walks */
	for (uint64_t seq = 1; seq <= 10000; seq++)
		assert_event(w, r, seq);

	/* then it has looked again */
	assert_int_equal(log_reader_head(r), 10001);
	log_reader_close(r);
}

static void assert_event_is_proved(struct world *w, struct log_reader *r, uint64_t seq, uint64_t size)
{
	uint8_t leaf[MERKLE_HASH], hashed[MERKLE_HASH], root[MERKLE_HASH];
	struct log_entry e;
	struct proof p;

	if (log_prove_event(r, seq, size, &p, leaf, &w->err) != 0)
		fail_msg("%s", w->err.text);
	assert_int_equal(log_prove_root(r, size, root, &w->err), 0);
	assert_int_equal(log_reader_get(r, seq, &e, &w->err), 0);
	merkle_leaf(e.bytes, hashed);
	assert_memory_equal(leaf, hashed, MERKLE_HASH);
	assert_true(proof_shows_leaf(&p, leaf, seq - 1, size, root));
}

static void assert_growth_is_proved(struct world *w, struct log_reader *r, uint64_t from, uint64_t to)
{
	uint8_t older[MERKLE_HASH], newer[MERKLE_HASH];
	struct proof p;

	if (log_prove_growth(r, from, to, &p, &w->err) != 0)
		fail_msg("%s", w->err.text);
	assert_int_equal(log_prove_root(r, from, older, &w->err), 0);
	assert_int_equal(log_prove_root(r, to, newer, &w->err), 0);
	assert_true(proof_shows_growth(&p, from, older, to, newer));
}

static const uint64_t sizes[] = { 1, 2, 255, 256, 257, 511, 512, 513, 600, 767, 768, 1023, 1024, 1025, 1100 };
#define N_SIZES (sizeof(sizes) / sizeof(*sizes))

static void assert_all_is_proved(struct world *w, struct log *log)
{
	struct log_reader *r = durable_reader(w, log);
	uint8_t root[MERKLE_HASH], hashed[MERKLE_HASH];

	for (size_t i = 0; i < N_SIZES; i++) {
		assert_int_equal(log_prove_root(r, sizes[i], root, &w->err), 0);
		hashed_root(w, sizes[i], hashed);
		assert_memory_equal(root, hashed, MERKLE_HASH);
		for (size_t k = 0; k <= i; k++) {
			assert_event_is_proved(w, r, sizes[k], sizes[i]);
			assert_growth_is_proved(w, r, sizes[k], sizes[i]);
		}
		assert_growth_is_proved(w, r, 0, sizes[i]);
	}
	log_reader_close(r);
}

static void every_event_and_growth_is_proved(void **state)
{
	struct world *w = *state;

	given_events(w, 1100);
	assert_all_is_proved(w, w->log);
}

static void a_proof_passes_no_head(void **state)
{
	struct world *w = *state;
	uint8_t hash[MERKLE_HASH];
	struct log_reader *r;
	struct proof p;

	block_of(w, 1, 5, noon);
	append(w, 1, noon); /* not durable: not vouched for */
	r = durable_reader(w, w->log);
	assert_int_equal(log_prove_root(r, 6, hash, &w->err), E_INVALID_ARGUMENT);
	assert_string_equal(w->err.text, "tree_size: must not pass the head, 5");
	assert_int_equal(log_prove_event(r, 6, 6, &p, hash, &w->err), E_INVALID_ARGUMENT);
	assert_int_equal(log_prove_event(r, 5, 4, &p, hash, &w->err), E_INVALID_ARGUMENT);
	assert_string_equal(w->err.text, "seq: must be within the tree, 1 to 4");
	assert_int_equal(log_prove_event(r, 0, 4, &p, hash, &w->err), E_INVALID_ARGUMENT);
	assert_int_equal(log_prove_growth(r, 3, 6, &p, &w->err), E_INVALID_ARGUMENT);
	assert_string_equal(w->err.text, "to_size: must not pass the head, 5");
	assert_int_equal(log_prove_growth(r, 4, 3, &p, &w->err), E_INVALID_ARGUMENT);
	assert_string_equal(w->err.text, "from_size: must not pass to_size, 3");
	log_reader_close(r);
}

/* What a proof costs does not grow with the log. The worst place: far from every stored hash, at both ends. */
static void a_proof_of_a_long_log_looks_at_little(void **state)
{
	enum { EVENTS = 2 * 65536 - 1, STEP = 1 << MERKLE_STEP };
	struct world *w = *state;
	uint8_t leaf[MERKLE_HASH];
	struct log_reader *r;
	struct proof p;

	given_events(w, EVENTS);
	r = durable_reader(w, w->log);

	/* when: proved, and then tested against the head */
	leaves_hashed = rows_got = 0;
	assert_int_equal(log_prove_event(r, 65536, EVENTS, &p, leaf, &w->err), 0);
	assert_in_range(leaves_hashed, 1, 3 * STEP);
	assert_in_range(rows_got, 1, 3 * STEP);

	leaves_hashed = rows_got = 0;
	assert_int_equal(log_prove_growth(r, 65535, EVENTS, &p, &w->err), 0);
	assert_in_range(leaves_hashed, 1, 8 * STEP);
	assert_in_range(rows_got, 1, 8 * STEP);
	log_reader_close(r);
}

static uint64_t count_nodes(struct world *w, bool drop)
{
	struct raw raw = raw_open(w);
	MDB_dbi nodes;
	MDB_stat st;

	assert_int_equal(mdb_dbi_open(raw.txn, "nodes", 0, &nodes), 0);
	assert_int_equal(mdb_stat(raw.txn, nodes, &st), 0);
	if (drop)
		assert_int_equal(mdb_drop(raw.txn, nodes, 1), 0);
	raw_close(&raw);
	return st.ms_entries;
}

static void stored_hashes_cost_a_row_in_256_events(void **state)
{
	struct world *w = *state;

	given_events(w, 70000);
	assert_int_equal(count_nodes(w, false), 70000 / 256 + 70000 / 65536);
	open_log(w);
}

/* As a log of before that table is. */
/* ---- copies ---- */

struct meanwhile {
	struct world *w;
	struct log_reader *from;
	int times;
};

/* Ten more events, and a sealed block, as often as a piece of the copy is about to be durable. */
static void write_meanwhile(void *arg)
{
	struct meanwhile *m = arg;
	struct seal *seal;

	m->times++;
	block_of(m->w, 10, 1, noon);
	if (log_seal_prepare(m->from, UINT64_MAX, NULL, &seal, &m->w->err) == 0) {
		assert_int_equal(log_seal_write(m->w->log, seal, &m->w->err), 0);
		log_seal_free(seal);
	}
	before_commit = write_meanwhile;
}

/* Blocks are sealed up to where the row says, and no further. */
static void assert_sealed_as_told(struct world *w)
{
	struct log_info info;
	struct raw raw;
	MDB_cursor *c;
	MDB_val key, val;
	uint64_t last;

	assert_int_equal(log_info(w->log, &info, &w->err), 0);
	assert_true(info.sealed.last > 0);
	raw = raw_open(w);
	assert_int_equal(mdb_cursor_open(raw.txn, raw.blocks, &c), 0);
	while (mdb_cursor_get(c, &key, &val, MDB_NEXT) == 0) {
		assert_true(block_key_parse(slice_of(key.mv_data, key.mv_size), &last));
		assert_int_equal(((const uint8_t *)val.mv_data)[5], last <= info.sealed.last ? BLOCK_ZSTD : BLOCK_RAW);
	}
	mdb_cursor_close(c);
	raw_close(&raw);
	open_log(w);
}

static void a_copy_is_made_in_pieces_while_the_log_goes_on(void **state)
{
	struct world *w = *state, copy = { 0 };
	struct meanwhile m = { w, durable_reader(w, w->log), 0 };
	struct log_backup done;
	struct log_reader *r;

	/* given some pieces of events */
	for (int i = 0; i < 25; i++)
		block_of(w, 2, 4000, noon);
	r = durable_reader(w, w->log);
	snprintf(copy.dir, sizeof(copy.dir), "%.50s.copy", w->dir);
	assert_int_equal(mkdir(copy.dir, 0700), 0);

	/* when they are copied, and after each piece more come and some are sealed */
	before_commit = write_meanwhile;
	before_commit_arg = &m;
	assert_int_equal(log_backup(r, copy.dir, true, NULL, &done, &w->err), 0);
	before_commit = NULL;

	/* then the copy holds what was there at its last piece, stored hashes too, and can be written on */
	assert_in_range(m.times, 3, 40);
	assert_in_range(done.seq, 200000 + 10, 200000 + 10 * (uint64_t)m.times);
	open_log(&copy);
	assert_int_equal(log_head(copy.log), done.seq);
	assert_sound(&copy, done.seq);
	assert_sealed_as_told(&copy);
	assert_int_equal(count_nodes(&copy, false), done.seq / 256 + done.seq / 65536);
	open_log(&copy);
	block_of(&copy, 1, 1, noon);
	close_log(&copy);
	log_backup_remove(copy.dir);
	log_reader_close(m.from);
	log_reader_close(r);
}

static void a_log_without_stored_hashes_gets_them(void **state)
{
	struct world *w = *state;

	given_events(w, 1100);
	assert_int_equal(count_nodes(w, true), 4);
	open_log(w);
	assert_all_is_proved(w, w->log);
	assert_int_equal(count_nodes(w, false), 4);
	open_log(w);
	assert_sound(w, 1100);
}

struct told {
	unsigned times;
	uint64_t done, of; /* at first */
	bool goes_on;
};

static bool on_hashing(void *arg, uint64_t done, uint64_t of)
{
	struct told *told = arg;

	if (told->times++ == 0) {
		told->done = done;
		told->of = of;
	}
	return told->goes_on;
}

static void whoever_opens_a_log_without_stored_hashes_is_told_and_may_stop(void **state)
{
	struct world *w = *state;
	struct told told = { 0 };
	struct log_options watched = options;
	struct log *log;

	watched.hashing = on_hashing;
	watched.arg = &told;
	given_events(w, 1100);
	count_nodes(w, true);

	assert_int_equal(log_open(w->dir, &watched, &log, &w->err), E_UNAVAILABLE);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.done, 0);
	assert_int_equal(told.of, 1100);

	told.goes_on = true;
	assert_int_equal(log_open(w->dir, &watched, &log, &w->err), 0);
	assert_int_equal(told.times, 2);
	log_close(log);
	assert_int_equal(log_open(w->dir, &watched, &log, &w->err), 0);
	assert_int_equal(told.times, 2);
	log_close(log);
	assert_int_equal(count_nodes(w, false), 4);
	open_log(w);
}

/* In a process of its own, as an auditor is; ended like one who is killed. */
static void die_while_reading(const struct world *w)
{
	struct log_reader *r;
	struct log *log;
	struct err err;

	if (log_open_readonly(w->dir, &log, &err) != 0 || log_reader_open(log, LOG_DURABLE_ONLY, &r, &err) != 0 ||
	    log_reader_refresh(r, &err) != 0)
		_exit(1);
	_exit(0);
}

static void readers_that_died_give_back_their_places(void **state)
{
	struct world *w = *state;
	int status;
	pid_t pid;

	given_events(w, 10);
	assert_int_equal(log_drop_dead_readers(w->log), 0);
	pid = fork();
	if (pid == 0)
		die_while_reading(w);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	assert_int_equal(log_drop_dead_readers(w->log), 1);
	assert_int_equal(log_drop_dead_readers(w->log), 0);
	assert_sound(w, 10);
}

static void a_log_without_stored_hashes_is_proved_from_its_events(void **state)
{
	struct world *w = *state;
	struct log_verdict v;
	struct log_reader *r;
	struct proof p;
	struct log *log;
	uint8_t leaf[MERKLE_HASH];

	given_events(w, 1100);
	count_nodes(w, true);
	assert_int_equal(log_open_readonly(w->dir, &log, &w->err), 0);
	r = durable_reader(w, log);
	leaves_hashed = 0;
	assert_int_equal(log_prove_event(r, 700, 1000, &p, leaf, &w->err), 0);
	assert_true(leaves_hashed >= 1000);
	assert_int_equal(log_verify(r, 1, 0, NULL, NULL, &v, &w->err), 0);
	assert_true(v.ok);
	log_reader_close(r);
	log_close(log);
	open_log(w);
}

static void a_stored_hash_that_is_wrong_proves_nothing(void **state)
{
	struct world *w = *state;
	uint8_t key_bytes[] = { MERKLE_STEP, 0, 0, 0, 0, 0, 0, 0, 2 }, hash[MERKLE_HASH] = { 1 }, ret[MERKLE_HASH];
	MDB_val key = { sizeof(key_bytes), key_bytes }, val = { sizeof(hash), hash };
	struct log_reader *r;
	struct proof p;
	struct raw raw;
	MDB_dbi nodes;

	given_events(w, 1100);
	raw = raw_open(w);
	assert_int_equal(mdb_dbi_open(raw.txn, "nodes", 0, &nodes), 0);
	assert_int_equal(mdb_put(raw.txn, nodes, &key, &val, 0), 0);
	raw_close(&raw);
	open_log(w);

	r = durable_reader(w, w->log);
	assert_int_equal(log_prove_root(r, 1000, ret, &w->err), E_INTERNAL);
	assert_int_equal(log_prove_event(r, 1, 1100, &p, ret, &w->err), E_INTERNAL);
	assert_int_equal(log_prove_growth(r, 1, 1100, &p, &w->err), E_INTERNAL);
	assert_string_equal(w->err.text, "events and stored hashes do not agree; see log.verify");
	log_reader_close(r);
	assert_damage(w, 1, 513, "events 513..768: their stored hash differs");
}

static void a_log_opened_for_reading_is_left_as_it_is(void **state)
{
	struct world *w = *state;
	struct log_reader *r;
	struct log *log;
	char path[128];

	/* beside the writer: it sees what becomes durable, and holds up nobody */
	block_of(w, 1, 5, noon);
	assert_int_equal(log_open_readonly(w->dir, &log, &w->err), 0);
	r = durable_reader(w, log);
	assert_int_equal(log_reader_refresh(r, &w->err), 0);
	assert_int_equal(log_reader_head(r), 5);
	block_of(w, 1, 5, noon);
	assert_int_equal(log_reader_refresh(r, &w->err), 0);
	assert_int_equal(log_reader_head(r), 10);
	assert_event_is_proved(w, r, 7, 10);
	log_reader_close(r);
	log_close(log);

	/* a copy, which is data.mdb alone, stays that */
	close_log(w);
	remove_file(w, "lock.mdb");
	remove_file(w, "LOCK");
	assert_int_equal(log_open_readonly(w->dir, &log, &w->err), 0);
	r = durable_reader(w, log);
	assert_event_is_proved(w, r, 7, 10);
	log_reader_close(r);
	log_close(log);
	snprintf(path, sizeof(path), "%s/lock.mdb", w->dir);
	assert_int_not_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/LOCK", w->dir);
	assert_int_not_equal(access(path, F_OK), 0);

	/* a cut one is refused, not mended */
	snprintf(path, sizeof(path), "%s/data.mdb", w->dir);
	assert_int_equal(truncate(path, 3 * 4096), 0);
	assert_int_equal(log_open_readonly(w->dir, &log, &w->err), E_INTERNAL);
	assert_non_null(strstr(w->err.text, "was cut: it has 12288 bytes of"));
	assert_int_not_equal(log_open_readonly("/nowhere", &log, &w->err), 0);
}

/* ---- tests: marks ---- */

static struct log_mark mark(struct world *w, uint64_t size)
{
	struct log_mark m = { .size = size };

	hashed_root(w, size, m.root);
	return m;
}

static struct log_verdict verify_marks(struct world *w, const struct log_mark *marks, size_t n)
{
	struct log_verdict v;

	if (log_verify_marks(w->r, marks, n, NULL, NULL, &v, &w->err) != 0)
		fail_msg("%s", w->err.text);
	return v;
}

static void marks_that_were_kept_hold(void **state)
{
	struct world *w = *state;
	struct log_mark marks[6];

	given_three_blocks(w);
	/* within a block, at its end, of nothing and of all, and one twice */
	marks[0] = mark(w, 0);
	marks[1] = mark(w, 77);
	marks[2] = marks[1];
	marks[3] = mark(w, 200);
	marks[4] = mark(w, 256);
	marks[5] = mark(w, 303);
	assert_true(verify_marks(w, marks, 6).ok);
}

/* The same log up to event 100, then another history whose every checksum and root is right. */
static void a_history_written_anew_is_found_by_a_mark_alone(void **state)
{
	struct world *w = *state;
	struct log_mark marks[3];
	struct log_verdict v;

	block_of(w, 1, 100, noon);
	marks[0] = mark(w, 100);
	close_log(w);
	remove_file(w, "data.mdb");
	memset(w->versions, 0, sizeof(w->versions));
	open_log(w);
	block_of(w, 1, 100, noon);
	block_of(w, 1, 100, noon + 5);
	marks[1] = mark(w, 150);
	marks[2] = mark(w, 200);
	assert_true(verify_marks(w, marks, 3).ok);

	close_log(w);
	remove_file(w, "data.mdb");
	memset(w->versions, 0, sizeof(w->versions));
	open_log(w);
	block_of(w, 1, 100, noon);
	block_of(w, 1, 100, noon + 6);
	assert_sound(w, 200);
	v = verify_marks(w, marks, 3);
	assert_false(v.ok);
	assert_int_equal(v.first_bad_seq, 101);
	assert_string_equal(v.reason, "events 101..150: not those of the checkpoint of size 150");
	v = verify_marks(w, &marks[2], 1);
	assert_int_equal(v.first_bad_seq, 1);
}

static void a_log_that_lost_its_end_is_found_by_a_mark(void **state)
{
	struct world *w = *state;
	struct log_mark marks[2];
	struct log_verdict v;

	given_three_blocks(w);
	marks[0] = mark(w, 200);
	marks[1] = (struct log_mark){ .size = 400 };
	v = verify_marks(w, marks, 2);
	assert_false(v.ok);
	assert_int_equal(v.first_bad_seq, 304);
	assert_string_equal(v.reason, "the log ends at 303, a checkpoint has seen 400");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, given_an_empty_log, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_log_is_empty),
		TEST(what_was_flushed_is_there_after_reopening),
		TEST(what_was_not_flushed_is_gone_after_reopening),
		TEST(open_and_flying_blocks_can_be_read),
		TEST(a_commit_is_never_split),
		TEST(a_commit_too_large_changes_nothing),
		TEST(a_full_block_asks_to_be_flushed_and_has_an_end),
		TEST(walks_go_both_ways_through_all_places),
		TEST(blocks_without_a_wanted_type_are_skipped),
		TEST(a_time_is_found_in_every_place),
		TEST(a_time_is_found_among_many_blocks),
		TEST(roots_are_kept_per_block),
		TEST(a_failed_flush_leaves_nothing),
		TEST(a_flush_of_unknown_outcome_is_whole_after_reopening),
		TEST(a_second_opener_is_refused),
		TEST(a_small_disk_is_full_before_it_is),
		TEST(a_small_map_is_full_before_it_is),
		TEST(what_is_written_within_a_second_is_counted),
		TEST(a_map_the_system_refuses_becomes_smaller),
		TEST(a_flipped_bit_in_an_event_is_found),
		TEST(a_flipped_bit_in_a_header_is_found),
		TEST(a_missing_block_is_found),
		TEST(swapped_blocks_are_found),
		TEST(a_rewritten_event_is_found_by_its_stored_hash),
		TEST(a_rewritten_event_of_no_full_subtree_is_found_by_the_root),
		TEST(a_version_that_repeats_is_found),
		TEST(a_version_left_out_is_found),
		TEST(a_wrong_seq_is_found),
		TEST(a_wrong_commit_border_is_found),
		TEST(a_time_that_falls_is_found),
		TEST(a_damaged_tail_is_refused_on_opening),
		TEST(another_database_is_no_log),
		TEST(a_file_that_was_cut_is_refused_not_fatal),
		TEST(verifying_tells_progress_and_can_be_stopped),
		TEST(any_cut_or_garbage_in_a_block_is_refused),
		TEST(lengths_take_their_shortest_form),
		TEST(the_stored_bytes_never_change),
		TEST(threads_write_and_read_at_once),
		TEST(a_walk_does_not_stay_in_one_transaction),
		TEST(every_event_and_growth_is_proved),
		TEST(a_proof_passes_no_head),
		TEST(a_proof_of_a_long_log_looks_at_little),
		TEST(stored_hashes_cost_a_row_in_256_events),
		TEST(a_copy_is_made_in_pieces_while_the_log_goes_on),
		TEST(a_log_without_stored_hashes_gets_them),
		TEST(whoever_opens_a_log_without_stored_hashes_is_told_and_may_stop),
		TEST(readers_that_died_give_back_their_places),
		TEST(a_log_without_stored_hashes_is_proved_from_its_events),
		TEST(a_stored_hash_that_is_wrong_proves_nothing),
		TEST(a_log_opened_for_reading_is_left_as_it_is),
		TEST(marks_that_were_kept_hold),
		TEST(a_history_written_anew_is_found_by_a_mark_alone),
		TEST(a_log_that_lost_its_end_is_found_by_a_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
