#include "log/format.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <xxhash.h>

#include "core/event.h"

/* Offsets of the fixed part. */
enum {
	AT_MAGIC = 0,
	AT_FORMAT = 4,
	AT_CODEC = 5,
	AT_GROUP = 6,
	AT_FIRST = 8,
	AT_FIRST_AT = 16,
	AT_LAST_AT = 24,
	AT_TYPES = 32,
	AT_TREE_SIZE = 64,
	AT_ROOT = 72,
	AT_COUNT = 104,
	AT_STORED = 108,
	AT_UNPACKED = 112,
	AT_RESERVED = 116,
};

static const char block_magic[4] = { 'D', 'L', 'B', 'K' };
static const char tail_magic[4] = { 'D', 'L', 'T', 'L' };
static const char sealed_magic[4] = { 'D', 'L', 'S', 'L' };

static void put16(uint8_t *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

/* Bit tag % 8 of byte tag / 8. */
static void put_types(uint8_t *p, const struct log_types *t)
{
	for (int i = 0; i < 4; i++) {
		uint64_t v = htole64(t->bits[i]);

		memcpy(p + 8 * i, &v, sizeof(v));
	}
}

static void get_types(const uint8_t *p, struct log_types *t)
{
	for (int i = 0; i < 4; i++) {
		uint64_t v;

		memcpy(&v, p + 8 * i, sizeof(v));
		t->bits[i] = le64toh(v);
	}
}

void block_key(uint64_t last, uint8_t ret[BLOCK_KEY])
{
	put64(ret, last);
}

bool block_key_parse(struct slice key, uint64_t *ret_last)
{
	if (key.len != BLOCK_KEY)
		return false;
	*ret_last = get64(key.base);
	return true;
}

uint64_t log_checksum(struct slice bytes)
{
	return XXH3_64bits(bytes.base, bytes.len);
}

/* ---- writing ---- */

void block_put_index(uint8_t *block, uint32_t g, uint32_t end, uint32_t unpacked, uint64_t sum)
{
	uint8_t *p = block + BLOCK_FIXED + (size_t)g * BLOCK_INDEX_ENTRY;

	put32(p, end);
	put32(p + 4, unpacked);
	put64(p + 8, sum);
}

void block_put_head(uint8_t *block, const struct block_head *head)
{
	size_t covered = block_head_size(block_n_groups(head->count, head->group)) - BLOCK_CHECKSUM;

	memcpy(block + AT_MAGIC, block_magic, sizeof(block_magic));
	block[AT_FORMAT] = BLOCK_FORMAT;
	block[AT_CODEC] = head->codec;
	put16(block + AT_GROUP, head->group);
	put64(block + AT_FIRST, head->first);
	put64(block + AT_FIRST_AT, (uint64_t)head->first_at);
	put64(block + AT_LAST_AT, (uint64_t)head->last_at);
	put_types(block + AT_TYPES, &head->types);
	put64(block + AT_TREE_SIZE, block_head_last(head));
	memcpy(block + AT_ROOT, head->root, MERKLE_HASH);
	put32(block + AT_COUNT, head->count);
	put32(block + AT_STORED, head->stored);
	put32(block + AT_UNPACKED, head->unpacked);
	put32(block + AT_RESERVED, 0);
	put64(block + covered, log_checksum(slice_of(block, covered)));
}

size_t stored_length_put(uint8_t *p, uint32_t len)
{
	size_t n = 0;

	assert(len > 0 && len <= EVENT_BYTES_MAX);
	for (; len >= 0x80; len >>= 7)
		p[n++] = (uint8_t)(len | 0x80);
	p[n++] = (uint8_t)len;
	return n;
}

/* ---- reading ---- */

static int bad_block(struct err *err, uint64_t last, const char *what)
{
	return err_set(err, E_INTERNAL, "block that ends at %" PRIu64 ": %s", last, what);
}

static void get_head(const uint8_t *p, struct block_head *h)
{
	h->codec = p[AT_CODEC];
	h->group = get16(p + AT_GROUP);
	h->count = get32(p + AT_COUNT);
	h->first = get64(p + AT_FIRST);
	h->first_at = (int64_t)get64(p + AT_FIRST_AT);
	h->last_at = (int64_t)get64(p + AT_LAST_AT);
	get_types(p + AT_TYPES, &h->types);
	memcpy(h->root, p + AT_ROOT, MERKLE_HASH);
	h->stored = get32(p + AT_STORED);
	h->unpacked = get32(p + AT_UNPACKED);
}

int block_parse(struct slice key, struct slice value, struct block_view *b, struct err *err)
{
	const uint8_t *p = value.base;
	struct block_head *h = &b->head;
	size_t size;

	if (!block_key_parse(key, &b->last))
		return err_set(err, E_INTERNAL, "a block has a key of %zu bytes", key.len);
	if (value.len < BLOCK_FIXED || memcmp(p, block_magic, sizeof(block_magic)) != 0)
		return bad_block(err, b->last, "not a block");
	if (p[AT_FORMAT] != BLOCK_FORMAT || p[AT_CODEC] > BLOCK_ZSTD)
		return err_set(err, E_INTERNAL,
			       "block that ends at %" PRIu64 ": format %d with codec %d is unknown to this version",
			       b->last, p[AT_FORMAT], p[AT_CODEC]);
	get_head(p, h);
	if (h->count == 0 || h->group == 0 || h->group > BLOCK_GROUP_MAX)
		return bad_block(err, b->last, "header malformed");
	b->n_groups = block_n_groups(h->count, h->group);
	size = block_head_size(b->n_groups);
	if (value.len < size || value.len - size != h->stored)
		return bad_block(err, b->last, "length differs");
	if (log_checksum(slice_of(p, size - BLOCK_CHECKSUM)) != get64(p + size - BLOCK_CHECKSUM))
		return bad_block(err, b->last, "header checksum differs");
	if (h->first == 0 || h->first > b->last || block_head_last(h) != b->last || get64(p + AT_TREE_SIZE) != b->last)
		return err_set(err, E_INTERNAL, "block that ends at %" PRIu64 ": header says %" PRIu64 "..%" PRIu64,
			       b->last, h->first, block_head_last(h));
	b->index = p + BLOCK_FIXED;
	b->groups = p + size;
	return 0;
}

static int bad_group(struct err *err, const struct block_view *b, const struct block_group *g, const char *what)
{
	return err_set(err, E_INTERNAL, "block %" PRIu64 "..%" PRIu64 ", events %" PRIu64 "..%" PRIu64 ": %s",
		       b->head.first, b->last, g->first, g->first + g->n - 1, what);
}

static bool split_group(struct block_group *g, uint32_t size)
{
	const uint8_t *p = g->base, *end = p + size;

	for (uint32_t i = 0; i < g->n; i++) {
		if (!stored_length_get(&p, end, &g->len[i]) || g->len[i] > (size_t)(end - p))
			return false;
		g->off[i] = (uint32_t)(p - g->base);
		p += g->len[i];
	}
	return p == end;
}

/* The events of a group, as they are or unpacked. */
static int open_group(const struct block_view *b, struct slice stored, uint32_t unpacked, struct packer *p,
		      struct block_group *g, struct err *err)
{
	int rc;

	if (b->head.codec == BLOCK_RAW) {
		g->base = stored.base;
		return unpacked == stored.len ? 0 : bad_group(err, b, g, "index malformed");
	}
	rc = group_unpack(p, stored, g->first, g->n, unpacked, &g->unpacked, err);
	g->base = g->unpacked.base;
	return rc == E_INTERNAL ? bad_group(err, b, g, "malformed when unpacked") : rc;
}

void block_group_at(const struct block_view *b, uint32_t n, uint64_t *ret_first, uint32_t *ret_n)
{
	*ret_first = b->head.first + (uint64_t)n * b->head.group;
	*ret_n = n + 1 < b->n_groups ? b->head.group : b->head.count - n * b->head.group;
}

int block_group_load(const struct block_view *b, uint32_t n, struct packer *p, struct block_group *g, struct err *err)
{
	const uint8_t *entry = b->index + (size_t)n * BLOCK_INDEX_ENTRY;
	uint32_t begin, end, unpacked;
	struct slice stored;
	int rc;

	assert(n < b->n_groups);
	begin = n == 0 ? 0 : get32(entry - BLOCK_INDEX_ENTRY);
	end = get32(entry);
	unpacked = get32(entry + 4);
	block_group_at(b, n, &g->first, &g->n);
	g->size = unpacked;
	if (begin >= end || end > b->head.stored || (n + 1 == b->n_groups && end != b->head.stored))
		return bad_group(err, b, g, "index malformed");
	stored = slice_of(b->groups + begin, end - begin);
	if (log_checksum(stored) != get64(entry + 8))
		return bad_group(err, b, g, "checksum differs");
	rc = open_group(b, stored, unpacked, p, g, err);
	if (rc == 0 && !split_group(g, unpacked))
		rc = bad_group(err, b, g, "event lengths malformed");
	return rc;
}

void block_group_free(struct block_group *g)
{
	buf_free(&g->unpacked);
}

bool stored_head(struct slice bytes, struct stored_head *e)
{
	struct mp m = mp_of(bytes);
	uint64_t tag;
	uint32_t n;

	if (!mp_array(&m, &n) || n < EVENT_ELEMENTS || !mp_uint(&m, &tag) || tag == 0 || tag > EVENT_TAG_MAX)
		return false;
	e->tag = (uint8_t)tag;
	return mp_uint(&m, &e->seq) && mp_uint(&m, &e->back) && e->back < e->seq && mp_uint(&m, &e->version) &&
	       mp_int(&m, &e->at);
}

bool stored_tag(struct slice bytes, uint8_t *ret)
{
	const uint8_t *p = bytes.base;
	uint64_t seq;

	if (bytes.len > 2 && p[0] == (0x90 | EVENT_ELEMENTS)) {
		if (p[1] > 0 && p[1] < 0x80) {
			*ret = p[1];
			return true;
		}
		if (p[1] == 0xcc && p[2] > 0) {
			*ret = p[2];
			return true;
		}
	}
	return envelope_peek(bytes, ret, &seq);
}

/* ---- the tail row ---- */

size_t tail_put(uint8_t ret[TAIL_MAX], const struct merkle *tree)
{
	size_t peaks = (size_t)merkle_n_peaks(tree->size) * MERKLE_HASH;
	size_t covered = TAIL_FIXED + peaks;

	memset(ret, 0, TAIL_FIXED);
	memcpy(ret, tail_magic, sizeof(tail_magic));
	ret[4] = BLOCK_FORMAT;
	put64(ret + 8, tree->size);
	memcpy(ret + TAIL_FIXED, tree->peaks, peaks);
	put64(ret + covered, log_checksum(slice_of(ret, covered)));
	return covered + BLOCK_CHECKSUM;
}

int tail_parse(struct slice row, struct merkle *ret, struct err *err)
{
	const uint8_t *p = row.base;
	uint64_t size;
	size_t covered;

	if (row.len < TAIL_FIXED || memcmp(p, tail_magic, sizeof(tail_magic)) != 0)
		return err_set(err, E_INTERNAL, "tail row: not one");
	if (p[4] != BLOCK_FORMAT)
		return err_set(err, E_INTERNAL, "tail row: format %d is unknown to this version", p[4]);
	size = get64(p + 8);
	covered = TAIL_FIXED + (size_t)merkle_n_peaks(size) * MERKLE_HASH;
	if (row.len != covered + BLOCK_CHECKSUM)
		return err_set(err, E_INTERNAL, "tail row: length differs");
	if (log_checksum(slice_of(p, covered)) != get64(p + covered))
		return err_set(err, E_INTERNAL, "tail row: checksum differs");
	memset(ret, 0, sizeof(*ret));
	ret->size = size;
	memcpy(ret->peaks, p + TAIL_FIXED, covered - TAIL_FIXED);
	return 0;
}

/* ---- the row that tells how far the log is sealed ---- */

void sealed_row_put(uint8_t ret[SEALED_ROW], const struct log_sealed *s)
{
	memset(ret, 0, SEALED_ROW);
	memcpy(ret, sealed_magic, sizeof(sealed_magic));
	ret[4] = BLOCK_FORMAT;
	put64(ret + 8, s->last);
	put64(ret + 16, s->blocks);
	put64(ret + 24, s->bytes);
	put64(ret + 32, s->raw_bytes);
	put64(ret + 40, log_checksum(slice_of(ret, 40)));
}

int sealed_row_parse(struct slice row, struct log_sealed *ret, struct err *err)
{
	const uint8_t *p = row.base;

	if (row.len != SEALED_ROW || memcmp(p, sealed_magic, sizeof(sealed_magic)) != 0 || p[4] != BLOCK_FORMAT)
		return err_set(err, E_INTERNAL, "row of what is sealed: not one");
	if (log_checksum(slice_of(p, 40)) != get64(p + 40))
		return err_set(err, E_INTERNAL, "row of what is sealed: checksum differs");
	*ret = (struct log_sealed){ get64(p + 8), get64(p + 16), get64(p + 24), get64(p + 32) };
	return 0;
}
