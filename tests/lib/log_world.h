#ifndef TESTS_LIB_LOG_WORLD_H
#define TESTS_LIB_LOG_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <endian.h>
#include <inttypes.h>
#include <lmdb.h>
#include <unistd.h>

#include "core/event.h"
#include "log/format.h"
#include "log/log.h"

/*
 * A log on a real directory, with events to fill it; and ways to damage it, with LMDB itself, while it is closed.
 */
enum { STREAMS = 5, TAG_A = 1, TAG_B = 130, TAG_C = 255 };
static const int64_t noon = 1700000000000;

/* A small map, which every sanitizer grants. */
static const struct log_options options = { .map_max = (size_t)1 << 30, .reserve = 1 << 20 };

struct world {
	char dir[64];
	struct log *log;
	struct log_reader *r;
	uint64_t versions[STREAMS];
	struct err err;
};

/* ---- fixture ---- */

static inline void open_log(struct world *w)
{
	if (log_open(w->dir, &options, &w->log, &w->err) != 0)
		fail_msg("%s", w->err.text);
	assert_int_equal(log_reader_open(w->log, 0, &w->r, &w->err), 0);
}

static inline void close_log(struct world *w)
{
	log_reader_close(w->r);
	log_close(w->log);
	w->r = NULL;
	w->log = NULL;
}

static inline void reopen(struct world *w)
{
	close_log(w);
	open_log(w);
}

static inline int given_an_empty_log(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const char *tmp = getenv("TMPDIR");

	snprintf(w->dir, sizeof(w->dir), "%.40s/test_log_XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	open_log(w);
	*state = w;
	return 0;
}

static inline void remove_file(const struct world *w, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	unlink(path);
}

static inline int clean_up(void **state)
{
	struct world *w = *state;

	close_log(w);
	remove_file(w, "data.mdb");
	remove_file(w, "lock.mdb");
	remove_file(w, "LOCK");
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

/* ---- events ---- */

static inline void put_event(struct buf *b, uint8_t tag, uint64_t seq, uint64_t commit, uint64_t version, int64_t at)
{
	struct envelope e = {
		.tag = tag,
		.seq = seq,
		.commit = commit,
		.version = version,
		.at = at,
		.method = SLICE_LIT("point.award"),
		.has_peer = true,
		.peer = 1000,
		.actor = SLICE_LIT("user:7"),
		.data = SLICE_LIT("\x92\x07\xcd\x30\x39"),
	};
	char stream[24];

	snprintf(stream, sizeof(stream), "points:%d", (int)(seq % STREAMS));
	e.stream = slice_str(stream);
	envelope_encode(b, &e);
}

/* One commit of n events; event i has tags[i % strlen]. */
static inline int try_append(struct world *w, size_t n, int64_t at, const uint8_t *tags, size_t n_tags)
{
	uint64_t first = log_head(w->log) + 1;
	uint32_t *ends = calloc(n, sizeof(*ends));
	uint8_t *all = calloc(n, 1);
	struct buf b;
	int rc;

	buf_init(&b, 32 << 20);
	for (size_t i = 0; i < n; i++) {
		all[i] = tags[i % n_tags];
		put_event(&b, all[i], first + i, first, w->versions[(first + i) % STREAMS] + i / STREAMS + 1, at);
		ends[i] = (uint32_t)b.len;
	}
	assert_false(b.failed);
	rc = log_append(w->log, buf_slice(&b), ends, all, n, at, &w->err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		w->versions[(first + i) % STREAMS]++;
	buf_free(&b);
	free(all);
	free(ends);
	return rc;
}

static inline void append(struct world *w, size_t n, int64_t at)
{
	assert_int_equal(try_append(w, n, at, (const uint8_t[]){ TAG_A, TAG_B }, 2), 0);
}

static inline void append_type(struct world *w, size_t n, int64_t at, uint8_t tag)
{
	assert_int_equal(try_append(w, n, at, &tag, 1), 0);
}

static inline void flush(struct world *w)
{
	struct block *b = log_begin_flush(w->log);

	assert_non_null(b);
	if (log_flush(w->log, b, &w->err) != 0)
		fail_msg("%s", w->err.text);
	log_end_flush(w->log, b, true);
}

/* n commits of `size` events in one durable block. */
static inline void block_of(struct world *w, size_t n, size_t size, int64_t at)
{
	for (size_t i = 0; i < n; i++)
		append(w, size, at);
	flush(w);
}

static inline void assert_event(struct world *w, struct log_reader *r, uint64_t seq)
{
	struct log_entry entry;
	struct envelope e;

	if (log_reader_get(r, seq, &entry, &w->err) != 0)
		fail_msg("%s", w->err.text);
	assert_true(envelope_decode(entry.bytes, &e));
	assert_int_equal(e.seq, seq);
	assert_int_equal(entry.seq, seq);
	assert_int_equal(entry.tag, e.tag);
}

static inline void assert_missing(struct world *w, struct log_reader *r, uint64_t seq)
{
	struct log_entry entry;

	assert_int_equal(log_reader_get(r, seq, &entry, &w->err), E_NOT_FOUND);
}

/* "seq seq ..." of the walk from seq on. */
static inline void assert_walk(struct world *w, uint64_t seq, bool backward, const struct log_types *types,
			       const char *seqs)
{
	char got[400] = "";
	struct log_entry e;
	int rc;

	while ((rc = log_reader_next(w->r, seq, backward, types, &e, NULL, &w->err)) == 0) {
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%" PRIu64 " ", e.seq);
		seq = backward ? e.seq - 1 : e.seq + 1;
	}
	assert_int_equal(rc, E_NOT_FOUND);
	assert_string_equal(got, seqs);
}

/* n events in blocks of 1000 commits, as a busy daemon writes them. */
static inline void given_events(struct world *w, size_t n)
{
	for (; n > 0; n -= n < 2000 ? n : 2000)
		block_of(w, n < 2000 ? 1 : 1000, n < 2000 ? n : 2, noon);
}

static inline struct log_reader *durable_reader(struct world *w, struct log *log)
{
	struct log_reader *r;

	assert_int_equal(log_reader_open(log, LOG_DURABLE_ONLY, &r, &w->err), 0);
	return r;
}

/* The root of the first `size` events, by hashing them one after the other. */
static inline void hashed_root(struct world *w, uint64_t size, uint8_t ret[MERKLE_HASH])
{
	struct merkle m = { 0 };
	struct log_entry e;

	while (m.size < size) {
		assert_int_equal(log_reader_get(w->r, m.size + 1, &e, &w->err), 0);
		merkle_add(&m, e.bytes);
	}
	merkle_root(&m, ret);
}

/* ---- verdicts ---- */

static inline struct log_verdict verify(struct world *w, uint64_t from, uint64_t to)
{
	struct log_verdict v;

	if (log_verify(w->r, from, to, NULL, NULL, &v, &w->err) != 0)
		fail_msg("%s", w->err.text);
	return v;
}

static inline void assert_sound(struct world *w, uint64_t events)
{
	struct log_verdict v = verify(w, 1, 0);

	if (!v.ok)
		fail_msg("%s", v.reason);
	assert_int_equal(v.checked, events);
	assert_int_equal(v.first_bad_seq, 0);
}

static inline void assert_damage(struct world *w, uint64_t from, uint64_t first_bad_seq, const char *reason)
{
	struct log_verdict v = verify(w, from, 0);

	assert_false(v.ok);
	assert_string_equal(v.reason, reason);
	assert_int_equal(v.first_bad_seq, first_bad_seq);
}

/* ---- damage: LMDB without the log ---- */

struct raw {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi blocks, tail;
};

static inline struct raw raw_open(struct world *w)
{
	struct raw raw;

	close_log(w);
	assert_int_equal(mdb_env_create(&raw.env), 0);
	mdb_env_set_maxdbs(raw.env, 4);
	mdb_env_set_mapsize(raw.env, options.map_max);
	assert_int_equal(mdb_env_open(raw.env, w->dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(raw.env, NULL, 0, &raw.txn), 0);
	assert_int_equal(mdb_dbi_open(raw.txn, "blocks", 0, &raw.blocks), 0);
	assert_int_equal(mdb_dbi_open(raw.txn, "tail", 0, &raw.tail), 0);
	return raw;
}

static inline void raw_close(struct raw *raw)
{
	assert_int_equal(mdb_txn_commit(raw->txn), 0);
	mdb_env_close(raw->env);
}

/* A copy of the block that ends at `last`; to be freed. */
static inline struct slice raw_get(struct raw *raw, uint64_t last)
{
	uint8_t key_bytes[BLOCK_KEY];
	MDB_val key = { sizeof(key_bytes), key_bytes }, val;
	void *copy;

	block_key(last, key_bytes);
	assert_int_equal(mdb_get(raw->txn, raw->blocks, &key, &val), 0);
	copy = malloc(val.mv_size);
	memcpy(copy, val.mv_data, val.mv_size);
	return slice_of(copy, val.mv_size);
}

static inline void raw_put(struct raw *raw, uint64_t last, struct slice value)
{
	uint8_t key_bytes[BLOCK_KEY];
	MDB_val key = { sizeof(key_bytes), key_bytes }, val = { value.len, (void *)value.base };

	block_key(last, key_bytes);
	assert_int_equal(mdb_put(raw->txn, raw->blocks, &key, &val, 0), 0);
}

static inline void raw_del(struct raw *raw, uint64_t last)
{
	uint8_t key_bytes[BLOCK_KEY];
	MDB_val key = { sizeof(key_bytes), key_bytes };

	block_key(last, key_bytes);
	assert_int_equal(mdb_del(raw->txn, raw->blocks, &key, NULL), 0);
}

static inline void print_hex(FILE *f, struct slice bytes)
{
	const uint8_t *p = bytes.base;

	for (size_t i = 0; i < bytes.len; i++)
		fprintf(f, "%02x%s", p[i], i % 32 == 31 || i + 1 == bytes.len ? "\n" : "");
}

/* Flips a bit at `offset` (negative: from the end) of the stored block that ends at `last`. */
static inline void flip(struct world *w, uint64_t last, long offset)
{
	struct raw raw = raw_open(w);
	struct slice block = raw_get(&raw, last);

	((uint8_t *)block.base)[offset < 0 ? (long)block.len + offset : offset] ^= 0x10;
	raw_put(&raw, last, block);
	free((void *)block.base);
	raw_close(&raw);
	open_log(w);
}

/* A number of the stored form. */
static inline uint32_t be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

/* Makes the checksums of a changed block right again. */
static inline void forge(struct slice block, uint32_t n_groups)
{
	uint8_t *p = (uint8_t *)block.base, *index = p + BLOCK_FIXED, *groups = p + block_head_size(n_groups);
	size_t covered = block_head_size(n_groups) - BLOCK_CHECKSUM;

	for (uint32_t g = 0, begin = 0; g < n_groups; g++) {
		uint8_t *at = index + (size_t)g * BLOCK_INDEX_ENTRY;
		uint32_t end = be32(at);
		uint32_t unpacked = p[5] == BLOCK_RAW ? end - begin : be32(at + 4);

		block_put_index(p, g, end, unpacked, log_checksum(slice_of(groups + begin, end - begin)));
		begin = end;
	}
	for (int i = 0; i < 8; i++)
		p[covered + i] = (uint8_t)(log_checksum(slice_of(p, covered)) >> (56 - 8 * i));
}

/* As flip(), by somebody who knows the format. The first occurrence of `text` gets `with`. */
static inline void rewrite(struct world *w, uint64_t last, uint32_t n_groups, struct slice text, struct slice with)
{
	struct raw raw = raw_open(w);
	struct slice block = raw_get(&raw, last);
	uint8_t *found = memmem(block.base, block.len, text.base, text.len);

	assert_non_null(found);
	assert_int_equal(text.len, with.len);
	memcpy(found, with.base, with.len);
	forge(block, n_groups);
	raw_put(&raw, last, block);
	free((void *)block.base);
	raw_close(&raw);
	open_log(w);
}

#endif
