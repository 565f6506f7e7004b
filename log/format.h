#ifndef LOG_FORMAT_H
#define LOG_FORMAT_H

#include <stdint.h>

#include "core/err.h"
#include "log/log.h"
#include "log/merkle.h"
#include "log/pack.h"

/*
 * The stored bytes of the log: docs/log-format.md, version 1. Nothing here knows LMDB; reading is safe
 * on any bytes.
 *
 *   block = fixed part (120) | index (16 per group) | checksum of all before (8) | groups
 *   group = per event: LEB128 length, stored bytes;  BLOCK_GROUP events, the last one fewer
 *
 * In a sealed block (codec BLOCK_ZSTD) each group is packed: log/pack.h.
 * The index holds where each group ends and its checksum. So a header can be trusted without touching
 * the events, and one event without touching the rest of its block.
 */
enum {
	BLOCK_FORMAT = 1,
	BLOCK_GROUP = 64,         /* events per group, as written */
	BLOCK_GROUP_SEALED = 256, /* the same of a sealed block; fewer where events are large */
	BLOCK_GROUP_MAX = 1024,   /* as read */
	BLOCK_FIXED = 120,
	BLOCK_INDEX_ENTRY = 16,
	BLOCK_CHECKSUM = 8,
	BLOCK_KEY = 8,
	EVENT_BYTES_MAX = (1 << 28) - 1, /* LEB128 of at most 4 bytes */
};

enum block_codec { BLOCK_RAW = 0, BLOCK_ZSTD = 1 };

struct block_head {
	uint8_t codec;
	uint16_t group; /* events per group */
	uint32_t count;
	uint64_t first; /* seq */
	int64_t first_at;
	int64_t last_at;
	struct log_types types;
	uint8_t root[MERKLE_HASH]; /* over the events 1 to last */
	uint32_t stored;           /* bytes of all groups, as stored */
	uint32_t unpacked;
};

static inline uint64_t block_head_last(const struct block_head *h)
{
	return h->first + h->count - 1;
}
static inline uint32_t block_n_groups(uint32_t count, uint16_t group)
{
	return count / group + (count % group != 0);
}
/* Offset of the first group. */
static inline size_t block_head_size(uint32_t n_groups)
{
	return BLOCK_FIXED + (size_t)n_groups * BLOCK_INDEX_ENTRY + BLOCK_CHECKSUM;
}

void block_key(uint64_t last, uint8_t ret[BLOCK_KEY]);
bool block_key_parse(struct slice key, uint64_t *ret_last);
uint64_t log_checksum(struct slice bytes);

/* ---- writing ---- */

/* Index entry g of the block that begins at `block`; end counts from the first group. */
void block_put_index(uint8_t *block, uint32_t g, uint32_t end, uint32_t unpacked, uint64_t sum);
/* The fixed part, then the checksum over it and the index. */
void block_put_head(uint8_t *block, const struct block_head *head);
/* LEB128; returns its length, at most 4. */
size_t stored_length_put(uint8_t *p, uint32_t len);

/* ---- reading ---- */

struct block_view {
	struct block_head head;
	uint64_t last;
	uint32_t n_groups;
	const uint8_t *index;  /* lent from the value */
	const uint8_t *groups; /* head.stored bytes */
};

/* E_INTERNAL, the text names the block: cut, unknown format, checksum, or not what its key says. */
int block_parse(struct slice key, struct slice value, struct block_view *ret, struct err *err);

/* One length, in its shortest form, stepped over. What it speaks of may pass end. */
static inline bool stored_length_get(const uint8_t **p, const uint8_t *end, uint32_t *ret)
{
	uint32_t len = 0;

	for (unsigned shift = 0; shift < 28 && *p < end; shift += 7) {
		uint8_t c = *(*p)++;

		len |= (uint32_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*ret = len;
			return c != 0;
		}
	}
	return false;
}

/* One group, checked and taken apart. All zero is one that was not loaded yet. */
struct block_group {
	uint64_t first;
	uint32_t n;
	const uint8_t *base; /* of a raw block lent from the value, else `unpacked` */
	uint32_t size;
	uint32_t off[BLOCK_GROUP_MAX];
	uint32_t len[BLOCK_GROUP_MAX];
	struct buf unpacked;
};
static inline struct slice block_group_event(const struct block_group *g, uint32_t i)
{
	return slice_of(g->base + g->off[i], g->len[i]);
}
/* Which events group n holds. */
void block_group_at(const struct block_view *b, uint32_t n, uint64_t *ret_first, uint32_t *ret_n);
/* E_INTERNAL, the text names the block and the events; E_UNAVAILABLE: no memory to unpack it. On failure
 * only g->first is to be relied on, and g is still to be freed. */
int block_group_load(const struct block_view *b, uint32_t n, struct packer *p, struct block_group *g, struct err *err);
void block_group_free(struct block_group *g);

/* The first elements of an event's envelope. False: malformed. */
struct stored_head {
	uint8_t tag;
	uint64_t seq;
	uint64_t back; /* seq - commit */
	uint64_t version;
	int64_t at;
};
bool stored_head(struct slice bytes, struct stored_head *ret);
/* Only the tag. */
bool stored_tag(struct slice bytes, uint8_t *ret);

/* ---- the tail row ---- */

enum { TAIL_FIXED = 16, TAIL_MAX = TAIL_FIXED + MERKLE_PEAKS * MERKLE_HASH + BLOCK_CHECKSUM };
size_t tail_put(uint8_t ret[TAIL_MAX], const struct merkle *tree);
/* E_INTERNAL: cut, unknown format, checksum. */
int tail_parse(struct slice row, struct merkle *ret, struct err *err);

/* ---- the row that tells how far the log is sealed ---- */

enum { SEALED_ROW = 48 };
void sealed_row_put(uint8_t ret[SEALED_ROW], const struct log_sealed *s);
/* E_INTERNAL: cut, unknown format, checksum. */
int sealed_row_parse(struct slice row, struct log_sealed *ret, struct err *err);

#endif
