/* Sealed blocks: everything a reader may ask of the log is answered by them as it was by the raw ones that they
 * replaced. Whatever fails in between, the log has either. */
#include <errno.h>
#include <pthread.h>

#include "log/merkle.h"
#include "log/pack.h"
#include "log/proof.h"
#include "tests/lib/faults.h"
#include "tests/lib/faults_lmdb.h"
#include "tests/lib/log_world.h"

#define GOLDEN "tests/golden/log_sealed.hex"
#define GOLDEN_RAW "tests/golden/log_block.hex"

/* ---- fixture ---- */

enum { BLOCKS = 12, PER_BLOCK = 2000, SEALED = 9 * PER_BLOCK, DURABLE = BLOCKS * PER_BLOCK };

/* Twelve raw blocks, of which nine are enough for one sealed one. Each is a second later than the one before; TAG_C is
 * only in the second and the eleventh. */
static void given_blocks(struct world *w)
{
	for (int i = 0; i < BLOCKS; i++) {
		for (int k = 0; k < 10; k++)
			append(w, (PER_BLOCK - 10) / 10, noon + 1000 * i + k);
		append_type(w, 10, noon + 1000 * i + 10, i == 1 || i == 10 ? TAG_C : TAG_A);
		flush(w);
	}
	assert_int_equal(log_durable(w->log), DURABLE);
}

static int prepare(struct world *w, uint64_t to, struct seal **ret)
{
	struct log_reader *r = durable_reader(w, w->log);
	int rc = log_seal_prepare(r, to, NULL, ret, &w->err);

	log_reader_close(r);
	return rc;
}

static struct seal *prepared(struct world *w)
{
	struct seal *seal = NULL;

	if (prepare(w, UINT64_MAX, &seal) != 0)
		fail_msg("%s", w->err.text);
	return seal;
}

static void seal_once(struct world *w)
{
	struct seal *seal = prepared(w);

	if (log_seal_write(w->log, seal, &w->err) != 0)
		fail_msg("%s", w->err.text);
	assert_true(log_seal_stored(seal));
	log_seal_free(seal);
}

static void given_sealed_blocks(struct world *w)
{
	given_blocks(w);
	seal_once(w);
}

static struct log_info info(struct world *w)
{
	struct log_info i;

	assert_int_equal(log_info(w->log, &i, &w->err), 0);
	return i;
}

/* A copy of a stored block, to be given to put_in_place(). */
static struct slice copy_of_block(struct world *w, uint64_t last)
{
	struct raw raw = raw_open(w);
	struct slice block = raw_get(&raw, last);

	raw_close(&raw);
	open_log(w);
	return block;
}

static void put_in_place(struct world *w, uint64_t last, struct slice block)
{
	struct raw raw = raw_open(w);

	raw_put(&raw, last, block);
	free((void *)block.base);
	raw_close(&raw);
	open_log(w);
}

/* ---- what readers see ---- */

/* All that a reader answers, in one hash. */
static uint64_t all_answers(struct world *w, struct log *log, int flags)
{
	struct log_types c = { { 0 } };
	struct log_reader *r;
	struct log_entry e;
	struct buf b;
	uint64_t head, seq, last;

	buf_init(&b, 64 << 20);
	assert_int_equal(log_reader_open(log, flags, &r, &w->err), 0);
	assert_int_equal(log_reader_refresh(r, &w->err), 0);
	head = log_reader_head(r);
	for (seq = 1; seq <= head; seq++) {
		assert_int_equal(log_reader_next(r, seq, false, NULL, &e, NULL, &w->err), 0);
		assert_int_equal(e.seq, seq);
		buf_byte(&b, e.tag);
		buf_append(&b, e.bytes.base, e.bytes.len);
	}
	for (seq = head; seq > 0; seq--) {
		assert_int_equal(log_reader_next(r, seq, true, NULL, &e, NULL, &w->err), 0);
		assert_int_equal(e.seq, seq);
		buf_append(&b, e.bytes.base, e.bytes.len);
	}
	log_types_add(&c, TAG_C);
	for (seq = 1; log_reader_next(r, seq, false, &c, &e, NULL, &w->err) == 0; seq = e.seq + 1)
		mp_put_uint64(&b, e.seq);
	for (seq = head; log_reader_next(r, seq, true, &c, &e, NULL, &w->err) == 0; seq = e.seq - 1)
		mp_put_uint64(&b, e.seq);
	for (int64_t at = noon - 1; at < noon + 1000 * BLOCKS + 2; at += at % 1000 < 12 ? 1 : 97) {
		assert_int_equal(log_reader_seek_time(r, at, &seq, &w->err), 0);
		mp_put_uint64(&b, seq);
	}
	for (seq = 1; seq <= head; seq += 61) {
		assert_int_equal(log_reader_commit_end(r, seq, &last, &w->err), 0);
		mp_put_uint64(&b, last);
		assert_int_equal(log_reader_get(r, (seq * 7919) % head + 1, &e, &w->err), 0);
		buf_append(&b, e.bytes.base, e.bytes.len);
	}
	assert_false(b.failed);
	seq = log_checksum(buf_slice(&b));
	buf_free(&b);
	log_reader_close(r);
	return seq;
}

static void nothing_that_is_read_changes(void **state)
{
	struct world *w = *state;
	uint64_t durable, all;
	struct block *b;
	struct log *log;

	/* given raw blocks, one in flight and an open one */
	given_blocks(w);
	append(w, 77, noon + 1000 * BLOCKS);
	b = log_begin_flush(w->log);
	append(w, 33, noon + 1000 * BLOCKS + 1);
	durable = all_answers(w, w->log, LOG_DURABLE_ONLY);
	all = all_answers(w, w->log, 0);

	/* when some are sealed */
	seal_once(w);

	/* then all is as before, from both kinds of readers, */
	assert_int_equal(info(w).sealed.last, SEALED);
	assert_int_equal(info(w).blocks, BLOCKS - 9 + 1);
	assert_int_equal(all_answers(w, w->log, LOG_DURABLE_ONLY), durable);
	assert_int_equal(all_answers(w, w->log, 0), all);

	/* from one that is older than the sealing, when it looks again, */
	assert_event(w, w->r, 5);
	assert_event(w, w->r, DURABLE + 110);

	/* and after reopening, and opening for reading alone */
	log_end_flush(w->log, b, false);
	reopen(w);
	assert_int_equal(all_answers(w, w->log, LOG_DURABLE_ONLY), durable);
	assert_sound(w, DURABLE);
	close_log(w);
	assert_int_equal(log_open_readonly(w->dir, &log, &w->err), 0);
	assert_int_equal(all_answers(w, log, LOG_DURABLE_ONLY), durable);
	log_close(log);
}

static void a_reader_goes_on_where_it_is(void **state)
{
	struct world *w = *state;
	struct log_reader *r;

	given_blocks(w);
	r = durable_reader(w, w->log);
	assert_event(w, r, 1);
	seal_once(w);
	append(w, 1, noon + 1000 * BLOCKS);
	flush(w);
	for (uint64_t seq = 1; seq <= DURABLE; seq += 100)
		assert_event(w, r, seq);
	assert_int_equal(log_reader_refresh(r, &w->err), 0);
	for (uint64_t seq = 1; seq <= DURABLE + 1; seq += 100)
		assert_event(w, r, seq);
	log_reader_close(r);
}

static void roots_inside_a_sealed_block_are_computed(void **state)
{
	struct world *w = *state;
	uint8_t before[BLOCKS][MERKLE_HASH], root[MERKLE_HASH], leaf[MERKLE_HASH];
	struct log_reader *r;
	struct proof p;

	given_blocks(w);
	for (int i = 0; i < BLOCKS; i++)
		assert_int_equal(log_reader_root_at(w->r, (uint64_t)(i + 1) * PER_BLOCK, before[i], &w->err), 0);
	seal_once(w);
	assert_int_equal(log_reader_refresh(w->r, &w->err), 0);
	r = durable_reader(w, w->log);
	for (int i = 0; i < BLOCKS; i++) {
		uint64_t size = (uint64_t)(i + 1) * PER_BLOCK;

		assert_int_equal(log_reader_root_at(w->r, size, root, &w->err), 0);
		assert_memory_equal(root, before[i], MERKLE_HASH);
		assert_int_equal(log_prove_event(r, size - 700, size, &p, leaf, &w->err), 0);
		assert_true(proof_shows_leaf(&p, leaf, size - 701, size, root));
		assert_int_equal(log_prove_growth(r, 1234, size, &p, &w->err), 0);
	}
	assert_int_equal(log_reader_root_at(w->r, DURABLE + 1, root, &w->err), E_NOT_FOUND);
	log_reader_close(r);
}

static void a_log_may_be_sealed_to_its_end(void **state)
{
	struct world *w = *state;
	struct seal *seal;

	for (int i = 0; i < 2; i++) {
		block_of(w, 1000, 17, noon + i);
		seal_once(w);
		reopen(w);
		assert_int_equal(log_last_at(w->log), noon + i);
		assert_sound(w, 17000 * (uint64_t)(i + 1));
		assert_int_equal(prepare(w, UINT64_MAX, &seal), E_NOT_FOUND);
	}
	assert_int_equal(info(w).blocks, 2);
	append(w, 1, noon + 2);
	flush(w);
	assert_sound(w, 34001);
}

static bool seal_meanwhile(void *arg, uint64_t done, uint64_t of)
{
	(void)done, (void)of;
	for (int i = 0; i < 7; i++)
		seal_once(arg);
	return true;
}

/* The verifier has read some blocks of those that become one. */
static void what_is_sealed_while_it_is_verified_is_sound(void **state)
{
	struct world *w = *state;
	struct log_verdict v;
	struct log_reader *r;

	for (int i = 0; i < 64; i++)
		block_of(w, 400, 5, noon + i);
	r = durable_reader(w, w->log);
	assert_int_equal(log_verify(r, 1, 0, seal_meanwhile, w, &v, &w->err), 0);
	if (!v.ok)
		fail_msg("%s", v.reason);
	assert_int_equal(v.checked, 128000);
	assert_int_equal(info(w).sealed.last, 7 * SEALED);
	log_reader_close(r);
}

/* Where nobody wrote in between, it is damage. */
static void a_sealed_block_that_overlaps_is_found(void **state)
{
	struct world *w = *state;
	struct slice before;

	given_blocks(w);
	before = copy_of_block(w, PER_BLOCK);
	seal_once(w);
	put_in_place(w, PER_BLOCK, before);
	assert_damage(w, 1, 2001, "block 1..18000: overlaps the one before");
}

/* ---- what is sealed ---- */

static void only_what_is_cold_is_sealed_and_only_in_large_pieces(void **state)
{
	struct world *w = *state;
	struct seal *seal;

	given_blocks(w);
	assert_int_equal(prepare(w, 0, &seal), E_NOT_FOUND);
	assert_int_equal(prepare(w, SEALED - 1, &seal), E_NOT_FOUND);
	assert_int_equal(prepare(w, SEALED, &seal), 0);
	assert_int_equal(log_seal_last(seal), SEALED);
	assert_false(log_seal_stored(seal));
	log_seal_free(seal);
	assert_int_equal(info(w).blocks, BLOCKS); /* nothing was touched */
	assert_int_equal(info(w).sealed.last, 0);
	seal_once(w);
	assert_int_equal(prepare(w, UINT64_MAX, &seal), E_NOT_FOUND);
}

static void what_is_sealed_is_counted(void **state)
{
	struct world *w = *state;
	uint64_t raw_bytes = 0;
	struct log_sealed s;

	given_blocks(w);
	for (uint64_t last = PER_BLOCK; last <= SEALED; last += PER_BLOCK) {
		struct slice block = copy_of_block(w, last);

		raw_bytes += block.len;
		free((void *)block.base);
	}
	seal_once(w);
	s = info(w).sealed;
	assert_int_equal(s.blocks, 1);
	assert_int_equal(s.raw_bytes, raw_bytes);
	assert_in_range(s.bytes, 1000, raw_bytes / 4);
	block_of(w, 1, 16000, noon + 100000);
	seal_once(w);
	s = info(w).sealed;
	assert_int_equal(s.last, DURABLE + 16000);
	assert_int_equal(s.blocks, 2);
}

static void freed_pages_are_used_again(void **state)
{
	struct world *w = *state;
	uint64_t half = 0, used;

	for (int i = 0; i < 40; i++) {
		block_of(w, 2000, 9, noon + i);
		seal_once(w);
		if (i == 19)
			half = info(w).used_bytes;
	}
	used = info(w).used_bytes;
	/* twenty raw blocks of 18000 events take 20 MB */
	assert_in_range(used - half, 0, 4 << 20);
	assert_sound(w, 720000);
}

static void events_too_large_for_a_group_of_256_are_sealed(void **state)
{
	struct world *w = *state;
	static uint8_t note[100000];
	uint64_t before;

	for (size_t i = 0; i < sizeof(note); i++)
		note[i] = (uint8_t)('a' + i * i % 23);
	for (uint64_t seq = 1; seq <= 100; seq++) {
		struct envelope e = { .tag = TAG_A,
				      .seq = seq,
				      .commit = seq,
				      .version = seq,
				      .at = noon,
				      .stream = SLICE_LIT("points:1"),
				      .method = SLICE_LIT("point.award"),
				      .note = slice_of(note, sizeof(note) - seq),
				      .data = SLICE_LIT("\x90") };
		struct buf b;
		uint32_t end;

		buf_init(&b, 1 << 20);
		envelope_encode(&b, &e);
		end = (uint32_t)b.len;
		assert_int_equal(log_append(w->log, buf_slice(&b), &end, &e.tag, 1, noon, &w->err), 0);
		buf_free(&b);
		if (seq % 10 == 0)
			flush(w);
	}
	before = all_answers(w, w->log, 0);
	seal_once(w);
	assert_int_equal(all_answers(w, w->log, 0), before);
	assert_int_equal(info(w).sealed.last, 90);
	assert_sound(w, 100);
}

/* As a quiet daemon writes them. */
static void many_small_blocks_become_one(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2048; i++)
		block_of(w, 1, 1, noon);
	seal_once(w);
	assert_int_equal(info(w).blocks, 1);
	assert_int_equal(info(w).sealed.last, 2048);
	assert_sound(w, 2048);
}

static void packing_can_be_stopped(void **state)
{
	struct world *w = *state;
	struct log_reader *r;
	atomic_bool stop = true;
	struct seal *seal;

	given_blocks(w);
	r = durable_reader(w, w->log);
	assert_int_equal(log_seal_prepare(r, UINT64_MAX, &stop, &seal, &w->err), E_UNAVAILABLE);
	stop = false;
	assert_int_equal(log_seal_prepare(r, UINT64_MAX, &stop, &seal, &w->err), 0);
	log_seal_free(seal);
	log_reader_close(r);
}

/* ---- how it is stored ---- */

static void a_flush_takes_it_along(void **state)
{
	struct world *w = *state;
	struct seal *seal;
	struct block *b;

	given_blocks(w);
	seal = prepared(w);
	append(w, 5, noon + 1000 * BLOCKS);
	b = log_begin_flush(w->log);
	log_seal_with(b, seal);

	lmdb_commits = 0;
	assert_int_equal(log_flush(w->log, b, &w->err), 0);
	assert_int_equal(lmdb_commits, 1);

	log_end_flush(w->log, b, true);
	assert_true(log_seal_stored(seal));
	log_seal_free(seal);
	assert_int_equal(info(w).sealed.last, SEALED);
	assert_sound(w, DURABLE + 5);
	append(w, 1, noon + 1000 * BLOCKS);
	flush(w); /* without a seal */
	assert_int_equal(info(w).sealed.blocks, 1);
}

static void a_seal_of_what_is_no_longer_there_harms_no_block(void **state)
{
	struct world *w = *state;
	struct seal *seal;
	struct block *b;

	given_blocks(w);
	seal = prepared(w);
	seal_once(w);
	append(w, 5, noon + 1000 * BLOCKS);
	b = log_begin_flush(w->log);
	log_seal_with(b, seal);
	assert_int_equal(log_flush(w->log, b, &w->err), 0);
	log_end_flush(w->log, b, true);
	assert_false(log_seal_stored(seal));
	assert_int_equal(log_seal_write(w->log, seal, &w->err), E_INTERNAL);
	log_seal_free(seal);
	assert_int_equal(info(w).sealed.last, SEALED);
	assert_sound(w, DURABLE + 5);
}

/* Whichever call of LMDB fails, the log is one or the other, and goes on. */
static void alone_it_is_stored_or_not_whichever_call_fails(void **state)
{
	struct world *w = *state;
	unsigned seen = 0;

	given_blocks(w);
	for (bool fired = true; fired; seen += fired) {
		struct seal *seal = prepared(w);
		int rc;

		fail_lmdb_after(seen, ENOSPC);
		rc = log_seal_write(w->log, seal, &w->err);
		fired = lmdb_fault_fired();
		assert_int_equal(rc, fired ? E_STORAGE_FULL : 0);
		assert_int_equal(log_seal_stored(seal), !fired);
		log_seal_free(seal);
		assert_int_equal(info(w).sealed.last, fired ? 0 : SEALED);
		assert_false(log_failed(w->log));
	}
	assert_in_range(seen, 5, 30); /* begin, cursor, deletions, block, row, commit */
	append(w, 5, noon + 1000 * BLOCKS);
	flush(w);
	reopen(w);
	assert_sound(w, DURABLE + 5);
}

/* What fails while the seal is put into the transaction costs the seal, what fails behind it the flush, as ever. */
static void a_block_outlives_what_fails_of_its_seal(void **state)
{
	struct world *w = *state;
	unsigned seen = 0, stored_without = 0;

	given_blocks(w);
	for (bool fired = true; fired; seen += fired) {
		uint64_t head = log_durable(w->log);
		struct seal *seal = prepared(w);
		struct block *b;
		int rc;

		append(w, 5, noon + 1000 * BLOCKS);
		b = log_begin_flush(w->log);
		log_seal_with(b, seal);
		fail_lmdb_after(seen, ENOSPC);
		rc = log_flush(w->log, b, &w->err);
		fired = lmdb_fault_fired();
		log_end_flush(w->log, b, rc == 0);
		assert_int_equal(log_durable(w->log), head + (rc == 0 ? 5 : 0));
		assert_int_equal(info(w).sealed.last, rc == 0 && !fired ? SEALED : 0);
		assert_int_equal(log_seal_stored(seal), rc == 0 && !fired);
		stored_without += rc == 0 && fired;
		log_seal_free(seal);
		if (rc != 0)
			for (int i = 0; i < STREAMS; i++)
				w->versions[i]--;
		reopen(w);
	}
	assert_in_range(stored_without, 5, 30);
	assert_in_range(seen, stored_without + 3, 40);
	assert_true(verify(w, 1, 0).ok);
}

static void packing_without_memory_changes_nothing(void **state)
{
	struct world *w = *state;
	unsigned seen = 0;

	given_blocks(w);
	for (bool fired = true; fired; seen += fired) {
		struct log_reader *r = durable_reader(w, w->log);
		struct seal *seal = NULL;
		int rc;

		fail_alloc_after(seen);
		rc = log_seal_prepare(r, UINT64_MAX, NULL, &seal, &w->err);
		fired = fault_fired();
		assert_int_equal(rc, fired ? E_UNAVAILABLE : 0);
		log_seal_free(seal);
		log_reader_close(r);
	}
	assert_in_range(seen, 5, 60);
	seal_once(w);

	/* nor does reading it need more than it gets */
	seen = 0;
	for (bool fired = true; fired; seen += fired) {
		struct log_reader *r = durable_reader(w, w->log);
		struct log_entry e;
		int rc;

		fail_alloc_after(seen);
		rc = log_reader_get(r, 1000, &e, &w->err);
		fired = fault_fired();
		assert_int_equal(rc, fired ? E_UNAVAILABLE : 0);
		assert_int_equal(log_reader_get(r, 1000, &e, &w->err), 0);
		log_reader_close(r);
	}
	assert_in_range(seen, 2, 10);
}

/* ---- damage ---- */

static uint32_t be32_at(struct slice block, size_t at)
{
	return be32((const uint8_t *)block.base + at);
}

static void put_be32(struct slice block, size_t at, uint32_t v)
{
	v = htobe32(v);
	memcpy((uint8_t *)block.base + at, &v, sizeof(v));
}

enum { GROUPS = (SEALED + BLOCK_GROUP_SEALED - 1) / BLOCK_GROUP_SEALED };

/* Changes the sealed block and makes every checksum right again. */
static void rewrite_sealed(struct world *w, void (*change)(struct slice block))
{
	struct slice block = copy_of_block(w, SEALED);

	change(block);
	forge(block, GROUPS);
	put_in_place(w, SEALED, block);
}

static void a_flipped_bit_is_found(void **state)
{
	/* first seq, mask, root, count, bytes unpacked, index: end, bytes unpacked, checksum */
	static const long offsets[] = { 15, 33, 80, 118, 114, BLOCK_FIXED + 3, BLOCK_FIXED + 6, BLOCK_FIXED + 12 };
	struct world *w = *state;
	struct log_entry e;

	given_sealed_blocks(w);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		flip(w, SEALED, offsets[i]);
		assert_damage(w, 1, 1, "block that ends at 18000: header checksum differs");
		flip(w, SEALED, offsets[i]);
	}
	flip(w, SEALED, 5);
	assert_damage(w, 1, 1, "block that ends at 18000: format 1 with codec 17 is unknown to this version");
	flip(w, SEALED, 5);
	flip(w, SEALED, -20);
	assert_damage(w, 1, 17921, "block 1..18000, events 17921..18000: checksum differs");
	assert_int_equal(log_reader_get(w->r, 17921, &e, &w->err), E_INTERNAL);
	assert_event(w, w->r, 17920);
	assert_event(w, w->r, SEALED + 1);
	flip(w, SEALED, -20);
	assert_sound(w, DURABLE);
}

static void spoil_magic(struct slice block)
{
	((uint8_t *)block.base)[block_head_size(GROUPS)] ^= 1;
}

static void claim_less(struct slice block)
{
	put_be32(block, BLOCK_FIXED + 4, be32_at(block, BLOCK_FIXED + 4) - 1);
}

static void claim_more(struct slice block)
{
	put_be32(block, BLOCK_FIXED + 4, be32_at(block, BLOCK_FIXED + 4) + 1);
}

static void claim_all_memory(struct slice block)
{
	put_be32(block, BLOCK_FIXED + 4, UINT32_MAX);
}

static void claim_nothing(struct slice block)
{
	put_be32(block, BLOCK_FIXED + 4, 0);
}

/* The first two frames change places, with their sizes. */
static void swap_groups(struct slice block)
{
	uint8_t *groups = (uint8_t *)block.base + block_head_size(GROUPS), *copy;
	uint32_t end = be32_at(block, BLOCK_FIXED), both = be32_at(block, BLOCK_FIXED + BLOCK_INDEX_ENTRY);
	uint32_t unpacked = be32_at(block, BLOCK_FIXED + 4);

	copy = malloc(both);
	memcpy(copy, groups + end, both - end);
	memcpy(copy + both - end, groups, end);
	memcpy(groups, copy, both);
	free(copy);
	put_be32(block, BLOCK_FIXED, both - end);
	put_be32(block, BLOCK_FIXED + 4, be32_at(block, BLOCK_FIXED + BLOCK_INDEX_ENTRY + 4));
	put_be32(block, BLOCK_FIXED + BLOCK_INDEX_ENTRY + 4, unpacked);
}

static void change_root(struct slice block)
{
	((uint8_t *)block.base)[80] ^= 1;
}

static void change_total(struct slice block)
{
	put_be32(block, 112, be32_at(block, 112) + 1);
}

/* By somebody who makes every checksum right. */
static void a_sealed_block_that_lies_is_found(void **state)
{
	static const struct {
		void (*change)(struct slice block);
		uint64_t first_bad_seq;
		const char *reason;
	} cases[] = {
		{ spoil_magic, 1, "block 1..18000, events 1..256: malformed when unpacked" },
		{ claim_less, 1, "block 1..18000, events 1..256: malformed when unpacked" },
		{ claim_more, 1, "block 1..18000, events 1..256: malformed when unpacked" },
		{ claim_all_memory, 1, "block 1..18000, events 1..256: malformed when unpacked" },
		{ claim_nothing, 1, "block 1..18000, events 1..256: malformed when unpacked" },
		{ change_root, 17921, "block 1..18000: Merkle root differs" },
		{ change_total, 1, "block 1..18000: its groups have other sizes than it says" },
	};
	struct world *w = *state;

	given_sealed_blocks(w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct slice before = copy_of_block(w, SEALED);

		rewrite_sealed(w, cases[i].change);
		assert_damage(w, 1, cases[i].first_bad_seq, cases[i].reason);
		put_in_place(w, SEALED, before);
	}
	assert_sound(w, DURABLE);
	rewrite_sealed(w, swap_groups);
	assert_false(verify(w, 1, 0).ok);
}

/* Packs the events of the sealed block anew, with one of them changed: nothing but the tree speaks against it. */
static void a_rewritten_event_in_a_sealed_block_is_found(void **state)
{
	struct world *w = *state;
	struct packer p = { 0 };
	uint8_t key[BLOCK_KEY], *found;
	struct block_group group = { 0 };
	struct block_view v;
	struct slice block, frame;
	struct buf out;

	given_sealed_blocks(w);
	block = copy_of_block(w, SEALED);
	block_key(SEALED, key);
	assert_int_equal(block_parse(slice_of(key, BLOCK_KEY), block, &v, &w->err), 0);
	assert_int_equal(block_group_load(&v, GROUPS - 1, &p, &group, &w->err), 0);
	found = memmem(group.base, group.unpacked.len, "user:7", 6);
	assert_non_null(found);
	found[5] = '8';
	buf_init(&out, 1 << 20);
	assert_int_equal(group_pack(&p, buf_slice(&group.unpacked), group.first, group.n, &out, &w->err), 0);

	/* in the place of the last frame */
	frame = slice_of(v.groups + be32_at(block, BLOCK_FIXED + (GROUPS - 2) * BLOCK_INDEX_ENTRY), 0);
	block.len = (size_t)((const uint8_t *)frame.base - (const uint8_t *)block.base) + out.len;
	block.base = realloc((void *)block.base, block.len + out.len);
	memcpy((uint8_t *)block.base + block.len - out.len, out.base, out.len);
	put_be32(block, 108, (uint32_t)(block.len - block_head_size(GROUPS)));
	put_be32(block, BLOCK_FIXED + (GROUPS - 1) * BLOCK_INDEX_ENTRY, be32_at(block, 108));
	forge(block, GROUPS);
	put_in_place(w, SEALED, block);
	assert_true(verify(w, 2, 0).ok);
	assert_damage(w, 1, 17921, "block 1..18000: Merkle root differs");
	block_group_free(&group);
	packer_free(&p);
	buf_free(&out);
}

static void a_missing_sealed_block_is_found(void **state)
{
	struct world *w = *state;
	struct raw raw;

	given_sealed_blocks(w);
	raw = raw_open(w);
	raw_del(&raw, SEALED);
	raw_close(&raw);
	open_log(w);
	assert_damage(w, 1, 1, "events 1..18000 are missing");
}

/* Damage in what is cold is told when it is to be sealed, and stays where it is. */
static void damaged_blocks_are_not_sealed(void **state)
{
	struct world *w = *state;
	struct seal *seal;

	given_blocks(w);
	flip(w, 2 * PER_BLOCK, -20);
	assert_int_equal(prepare(w, UINT64_MAX, &seal), E_INTERNAL);
	assert_non_null(strstr(w->err.text, "block 2001..4000, events 3985..4000: checksum differs"));
	flip(w, 2 * PER_BLOCK, -20);
	seal_once(w);
}

static void without_its_row_nothing_more_is_sealed(void **state)
{
	struct world *w = *state;
	MDB_val key = { 4, (void *)"seal" }, val;
	struct seal *seal;
	struct raw raw;

	given_sealed_blocks(w);
	raw = raw_open(w);
	assert_int_equal(mdb_get(raw.txn, raw.tail, &key, &val), 0);
	assert_int_equal(val.mv_size, SEALED_ROW);
	assert_int_equal(mdb_del(raw.txn, raw.tail, &key, NULL), 0);
	raw_close(&raw);
	open_log(w);
	assert_int_equal(prepare(w, UINT64_MAX, &seal), E_INTERNAL);
	assert_string_equal(w->err.text, "block 1..18000: sealed out of order");

	raw = raw_open(w);
	val = (MDB_val){ 5, (void *)"other" };
	assert_int_equal(mdb_put(raw.txn, raw.tail, &key, &val, 0), 0);
	raw_close(&raw);
	open_log(w);
	assert_int_equal(prepare(w, UINT64_MAX, &seal), E_INTERNAL);
	assert_string_equal(w->err.text, "row of what is sealed: not one");
	assert_sound(w, DURABLE); /* readers do without */
}

/* ---- groups ---- */

static void put_group(struct buf *b, uint64_t first, uint32_t n)
{
	for (uint64_t seq = first; seq < first + n; seq++) {
		struct buf event;
		uint8_t length[4];

		buf_init(&event, 1 << 16);
		put_event(&event, seq % 3 ? TAG_A : TAG_B, seq, seq, seq, noon);
		buf_append(b, length, stored_length_put(length, (uint32_t)event.len));
		buf_append(b, event.base, event.len);
		buf_free(&event);
	}
}

static void a_group_is_packed_and_back_at_any_seq(void **state)
{
	static const uint64_t firsts[] = { 1, 120, 250, 65500, UINT32_MAX - 20, UINT64_MAX - 300 };
	struct packer p = { 0 };
	struct buf group, frame, back = { 0 };
	struct err err;

	(void)state;
	buf_init(&group, 1 << 20);
	buf_init(&frame, 1 << 20);
	for (size_t i = 0; i < sizeof(firsts) / sizeof(*firsts); i++) {
		for (uint32_t n = 1; n <= 256; n += 51) {
			buf_reset(&group);
			buf_reset(&frame);
			put_group(&group, firsts[i], n);
			assert_int_equal(group_pack(&p, buf_slice(&group), firsts[i], n, &frame, &err), 0);
			assert_int_equal(
				group_unpack(&p, buf_slice(&frame), firsts[i], n, (uint32_t)group.len, &back, &err), 0);
			assert_true(slice_eq(buf_slice(&group), buf_slice(&back)));
			assert_int_equal(group_unpack(&p, buf_slice(&frame), firsts[i] + 200, n, (uint32_t)group.len,
						      &back, &err) == 0 &&
						 slice_eq(buf_slice(&group), buf_slice(&back)),
					 0);
		}
	}
	buf_free(&group);
	buf_free(&frame);
	buf_free(&back);
	packer_free(&p);
}

static void what_cannot_be_put_back_is_not_packed(void **state)
{
	const struct slice events[] = {
		SLICE_LIT("\x01\x07"),                 /* no array */
		SLICE_LIT("\x03\x9d\x01\x09"),         /* another seq than its place says */
		SLICE_LIT("\x05\x9d\x01\xcc\x07\x00"), /* not the shortest form */
		SLICE_LIT("\x04\x9d\xcd\x00\x01"),     /* no tag */
		SLICE_LIT("\x02\x9d\x01"),             /* no seq */
		SLICE_LIT("\x09\x9d\x01\x07"),         /* a length beyond the end */
		SLICE_LIT("\x03\x9d\x01\x07\x00"),     /* bytes behind it */
	};
	struct packer p = { 0 };
	struct buf frame;
	struct err err;

	(void)state;
	buf_init(&frame, 1 << 20);
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		assert_int_equal(group_pack(&p, events[i], 7, 1, &frame, &err), E_INTERNAL);
	assert_int_equal(group_pack(&p, SLICE_LIT("\x03\x9d\x01\x07"), 7, 1, &frame, &err), 0);
	buf_free(&frame);
	packer_free(&p);
}

/* Each bit, and each cut: it is refused, or is some other group of the size asked for. */
static void any_garbage_in_a_frame_is_survived(void **state)
{
	struct packer p = { 0 };
	struct buf group, frame, back = { 0 };
	struct err err;

	(void)state;
	buf_init(&group, 1 << 20);
	buf_init(&frame, 1 << 20);
	put_group(&group, 1, 100);
	assert_int_equal(group_pack(&p, buf_slice(&group), 1, 100, &frame, &err), 0);
	for (size_t len = 0; len <= frame.len; len++) {
		void *cut = malloc(len ? len : 1); /* so that a sanitizer sees its end */
		int rc;

		memcpy(cut, frame.base, len);
		rc = group_unpack(&p, slice_of(cut, len), 1, 100, (uint32_t)group.len, &back, &err);
		assert_int_equal(rc, len < frame.len ? E_INTERNAL : 0);
		free(cut);
	}
	for (size_t i = 0; i < frame.len * 8; i++) {
		frame.base[i / 8] ^= (uint8_t)(1 << i % 8);
		if (group_unpack(&p, buf_slice(&frame), 1, 100, (uint32_t)group.len, &back, &err) == 0)
			assert_int_equal(back.len, group.len);
		frame.base[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	buf_append(&frame, "x", 1);
	assert_int_equal(group_unpack(&p, buf_slice(&frame), 1, 100, (uint32_t)group.len, &back, &err), E_INTERNAL);
	assert_true(back.cap <= 2 * group.len);
	buf_free(&group);
	buf_free(&frame);
	buf_free(&back);
	packer_free(&p);
}

/* ---- stored bytes ---- */

/* Reads the hex of a file. */
static struct buf read_hex(const char *path)
{
	FILE *f = fopen(path, "r");
	struct buf b;
	unsigned byte;

	assert_non_null(f);
	buf_init(&b, 1 << 16);
	while (fscanf(f, "%2x", &byte) == 1)
		buf_byte(&b, (uint8_t)byte);
	fclose(f);
	return b;
}

/* The events 1 to 6 of the two raw golden blocks, in groups of 4, as a sealed block. */
static struct buf sealed_of(const struct buf *raw)
{
	struct block_head head = { .codec = BLOCK_ZSTD, .group = 4, .count = 6, .first = 1 };
	struct buf out, groups[2];
	struct packer p = { 0 };
	uint8_t key[BLOCK_KEY];
	struct err err;
	size_t at = 0;

	buf_init(&out, 1 << 16);
	for (uint32_t i = 0; i < 2; i++) {
		struct block_view v;
		size_t len = block_head_size(1) + be32(raw->base + at + 108);

		block_key(i == 0 ? 4 : 6, key);
		assert_int_equal(block_parse(slice_of(key, 8), slice_of(raw->base + at, len), &v, &err), 0);
		if (i == 0)
			head.first_at = v.head.first_at;
		head.last_at = v.head.last_at;
		head.unpacked += v.head.unpacked;
		for (int k = 0; k < 4; k++)
			head.types.bits[k] |= v.head.types.bits[k];
		memcpy(head.root, v.head.root, MERKLE_HASH);
		buf_init(&groups[i], 1 << 16);
		buf_append(&groups[i], v.groups, v.head.stored);
		at += len;
	}
	buf_room(&out, block_head_size(2));
	memset(out.base, 0, block_head_size(2));
	out.len = block_head_size(2);
	for (uint32_t i = 0; i < 2; i++) {
		size_t begin = out.len;

		assert_int_equal(group_pack(&p, buf_slice(&groups[i]), i == 0 ? 1 : 5, i == 0 ? 4 : 2, &out, &err), 0);
		block_put_index(out.base, i, (uint32_t)(out.len - block_head_size(2)), (uint32_t)groups[i].len,
				log_checksum(slice_of(out.base + begin, out.len - begin)));
		buf_free(&groups[i]);
	}
	head.stored = (uint32_t)(out.len - block_head_size(2));
	block_put_head(out.base, &head);
	packer_free(&p);
	return out;
}

static void assert_same_events(const struct buf *raw, const struct buf *sealed)
{
	struct block_group a = { 0 }, b = { 0 };
	struct packer p = { 0 };
	struct block_view r, s;
	uint8_t key[BLOCK_KEY];
	struct err err;
	size_t at = 0;

	block_key(6, key);
	assert_int_equal(block_parse(slice_of(key, 8), buf_slice(sealed), &s, &err), 0);
	for (uint32_t i = 0; i < 2; i++) {
		size_t len = block_head_size(1) + be32(raw->base + at + 108);

		block_key(i == 0 ? 4 : 6, key);
		assert_int_equal(block_parse(slice_of(key, 8), slice_of(raw->base + at, len), &r, &err), 0);
		assert_int_equal(block_group_load(&r, 0, NULL, &a, &err), 0);
		if (block_group_load(&s, i, &p, &b, &err) != 0)
			fail_msg("%s", err.text);
		assert_int_equal(a.n, b.n);
		for (uint32_t k = 0; k < a.n; k++)
			assert_true(slice_eq(block_group_event(&a, k), block_group_event(&b, k)));
		at += len;
	}
	assert_memory_equal(r.head.root, s.head.root, MERKLE_HASH);
	block_group_free(&b);
	packer_free(&p);
}

/* What was sealed once can be read for ever; how zstd compresses it may change. GOLDEN_UPDATE=1 writes the file anew.
 */
static void sealed_bytes_are_read_for_ever(void **state)
{
	struct buf raw = read_hex(GOLDEN_RAW), sealed, fresh = sealed_of(&raw);

	(void)state;
	assert_same_events(&raw, &fresh);
	if (getenv("GOLDEN_UPDATE") != NULL) {
		FILE *f = fopen(GOLDEN, "w");

		assert_non_null(f);
		print_hex(f, buf_slice(&fresh));
		fclose(f);
	}
	sealed = read_hex(GOLDEN);
	assert_same_events(&raw, &sealed);
	assert_memory_equal(sealed.base, fresh.base, 108); /* the fixed part, up to the size that zstd decides */
	buf_free(&raw);
	buf_free(&fresh);
	buf_free(&sealed);
}

/* ---- threads ---- */

/* The loop appends and flushes, one thread packs, one reads all of it. */
struct crew {
	struct world *w;
	_Atomic(struct seal *) ready; /* packed, and not taken */
	atomic_bool wanted, stop;
	atomic_int failed;
};

static void *pack_cold(void *arg)
{
	struct crew *c = arg;
	struct log_reader *r;
	struct err err;

	if (log_reader_open(c->w->log, LOG_DURABLE_ONLY, &r, &err) != 0) {
		c->failed++;
		return NULL;
	}
	while (!c->stop) {
		struct seal *seal;
		int rc;

		if (!atomic_exchange(&c->wanted, false)) {
			sched_yield();
			continue;
		}
		rc = log_seal_prepare(r, UINT64_MAX, &c->stop, &seal, &err);
		if (rc == 0)
			c->ready = seal;
		else if (rc == E_NOT_FOUND)
			c->wanted = true;
		else if (!c->stop)
			c->failed++;
	}
	log_reader_close(r);
	return NULL;
}

static void *read_all(void *arg)
{
	struct crew *c = arg;
	struct log_reader *r;
	struct log_entry e;
	struct err err;

	if (log_reader_open(c->w->log, LOG_DURABLE_ONLY, &r, &err) != 0) {
		c->failed++;
		return NULL;
	}
	for (uint64_t n = 0; !c->stop; n++) {
		struct envelope env;
		uint64_t head, seq;

		if (log_reader_refresh(r, &err) != 0)
			c->failed++;
		head = log_reader_head(r);
		if (head == 0)
			continue;
		for (int i = 0; i < 20; i++) {
			seq = 1 + (n * 7919 + (uint64_t)i * 104729) % head;
			if (log_reader_get(r, seq, &e, &err) != 0 || !envelope_decode(e.bytes, &env) || env.seq != seq)
				c->failed++;
		}
	}
	log_reader_close(r);
	return NULL;
}

static void threads_seal_and_read_at_once(void **state)
{
	struct world *w = *state;
	struct crew c = { .w = w, .wanted = true };
	pthread_t packer, reader;
	uint64_t sealed = 0;

	assert_int_equal(pthread_create(&packer, NULL, pack_cold, &c), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_all, &c), 0);
	for (int i = 0; sealed < 4; i++) {
		struct seal *seal = atomic_exchange(&c.ready, NULL);
		struct block *b;

		assert_in_range(i, 0, 10000);
		append(w, 1000, noon + i);
		b = log_begin_flush(w->log);
		if (seal != NULL)
			log_seal_with(b, seal);
		assert_int_equal(log_flush(w->log, b, &w->err), 0);
		log_end_flush(w->log, b, true);
		if (seal != NULL) {
			assert_true(log_seal_stored(seal));
			log_seal_free(seal);
			sealed++;
			c.wanted = true;
		}
		assert_event(w, w->r, 1 + (uint64_t)i * 331 % log_head(w->log));
	}
	c.stop = true;
	pthread_join(packer, NULL);
	pthread_join(reader, NULL);
	log_seal_free(c.ready);
	assert_int_equal(c.failed, 0);
	assert_true(verify(w, 1, 0).ok);
	assert_int_equal(info(w).sealed.blocks, 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, given_an_empty_log, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_that_is_read_changes),
		TEST(a_reader_goes_on_where_it_is),
		TEST(roots_inside_a_sealed_block_are_computed),
		TEST(a_log_may_be_sealed_to_its_end),
		TEST(what_is_sealed_while_it_is_verified_is_sound),
		TEST(a_sealed_block_that_overlaps_is_found),
		TEST(only_what_is_cold_is_sealed_and_only_in_large_pieces),
		TEST(what_is_sealed_is_counted),
		TEST(freed_pages_are_used_again),
		TEST(events_too_large_for_a_group_of_256_are_sealed),
		TEST(many_small_blocks_become_one),
		TEST(packing_can_be_stopped),
		TEST(a_flush_takes_it_along),
		TEST(a_seal_of_what_is_no_longer_there_harms_no_block),
		TEST(alone_it_is_stored_or_not_whichever_call_fails),
		TEST(a_block_outlives_what_fails_of_its_seal),
		TEST(packing_without_memory_changes_nothing),
		TEST(a_flipped_bit_is_found),
		TEST(a_sealed_block_that_lies_is_found),
		TEST(a_rewritten_event_in_a_sealed_block_is_found),
		TEST(a_missing_sealed_block_is_found),
		TEST(damaged_blocks_are_not_sealed),
		TEST(without_its_row_nothing_more_is_sealed),
		cmocka_unit_test(a_group_is_packed_and_back_at_any_seq),
		cmocka_unit_test(what_cannot_be_put_back_is_not_packed),
		cmocka_unit_test(any_garbage_in_a_frame_is_survived),
		cmocka_unit_test(sealed_bytes_are_read_for_ever),
		TEST(threads_seal_and_read_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
