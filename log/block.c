#include "log/block.h"

#include <stdlib.h>

enum { LENGTH_MAX = 4, ENTRIES_FIRST = 1024 };

void block_init(struct block *b, size_t payload_max)
{
	*b = (struct block){ .first = 1 };
	buf_init(&b->payload, payload_max);
}

void block_free(struct block *b)
{
	buf_free(&b->payload);
	free(b->entries);
	free(b->nodes);
	b->entries = NULL;
	b->nodes = NULL;
	b->cap = 0;
}

void block_restart(struct block *b, uint64_t first, size_t keep)
{
	if (b->payload.cap > keep)
		buf_free(&b->payload);
	buf_reset(&b->payload);
	b->seal = NULL;
	b->first = first;
	b->count = 0;
	b->first_at = b->last_at = 0;
	b->types = (struct log_types){ { 0 } };
}

uint64_t block_last_seq(const struct block *b)
{
	return b->first + b->count - 1;
}

void log_seal_with(struct block *b, struct seal *seal)
{
	b->seal = seal;
}

size_t block_append_need(size_t bytes, size_t n)
{
	return bytes + n * LENGTH_MAX;
}

/* Most nodes that n events can end: of the lowest level one in 2^MERKLE_STEP, of all others together fewer, and one
 * more of each for where the block begins. */
static size_t nodes_most(size_t n)
{
	return 2 * (n >> MERKLE_STEP) + MERKLE_STEPS;
}

static bool entries_room(struct block *b, size_t n)
{
	size_t cap = b->cap ? b->cap : ENTRIES_FIRST;
	struct block_node *nodes;
	struct block_entry *p;

	if (b->cap - b->count >= n)
		return true;
	while (cap - b->count < n)
		cap *= 2;
	p = realloc(b->entries, cap * sizeof(*p));
	if (p == NULL)
		return false;
	b->entries = p;
	nodes = realloc(b->nodes, nodes_most(cap) * sizeof(*nodes));
	if (nodes == NULL)
		return false;
	b->nodes = nodes;
	b->cap = cap;
	return true;
}

bool block_append(struct block *b, struct slice events, const uint32_t *ends, const uint8_t *tags, size_t n, int64_t at)
{
	const uint8_t *from = events.base;
	uint32_t begin = 0;
	uint8_t *p;

	assert(n > 0 && ends[n - 1] == events.len && (b->count == 0 || at >= b->last_at));
	if (!entries_room(b, n) || !buf_room(&b->payload, block_append_need(events.len, n))) {
		b->payload.failed = false;
		return false;
	}
	p = b->payload.base + b->payload.len;
	for (size_t i = 0; i < n; i++) {
		uint32_t len = ends[i] - begin;

		assert(ends[i] > begin && tags[i] != 0);
		p += stored_length_put(p, len);
		memcpy(p, from + begin, len);
		b->entries[b->count++] = (struct block_entry){ (uint32_t)(p - b->payload.base), len, tags[i] };
		log_types_add(&b->types, tags[i]);
		p += len;
		begin = ends[i];
	}
	b->payload.len = (size_t)(p - b->payload.base);
	if (b->count == n)
		b->first_at = at;
	b->last_at = at;
	return true;
}

static uint32_t n_groups(const struct block *b)
{
	return block_n_groups(b->count, BLOCK_GROUP);
}

size_t block_encoded_size(const struct block *b)
{
	return block_head_size(n_groups(b)) + b->payload.len;
}

static void hash_event(struct block *b, uint32_t i)
{
	uint8_t full[MERKLE_STEPS][MERKLE_HASH];
	unsigned n = merkle_add_full(&b->tree, slice_of(b->payload.base + b->entries[i].off, b->entries[i].len), full);

	for (unsigned k = 0; k < n; k++) {
		unsigned level = (k + 1) * MERKLE_STEP;
		struct block_node *node = &b->nodes[b->n_nodes++];

		node->level = (uint8_t)level;
		node->index = (b->tree.size >> level) - 1;
		memcpy(node->hash, full[k], MERKLE_HASH);
	}
}

/* Hashes the events of group g while they are near; returns where the group ends in the payload. */
static uint32_t hash_group(struct block *b, uint32_t g)
{
	uint32_t i = g * BLOCK_GROUP, stop = b->count - i < BLOCK_GROUP ? b->count : i + BLOCK_GROUP;

	for (; i < stop; i++)
		hash_event(b, i);
	return b->entries[stop - 1].off + b->entries[stop - 1].len;
}

void block_encode(struct block *b, uint8_t *out)
{
	uint8_t *groups = out + block_head_size(n_groups(b));
	struct block_head head = {
		.codec = BLOCK_RAW,
		.group = BLOCK_GROUP,
		.count = b->count,
		.first = b->first,
		.first_at = b->first_at,
		.last_at = b->last_at,
		.types = b->types,
		.stored = (uint32_t)b->payload.len,
		.unpacked = (uint32_t)b->payload.len,
	};

	assert(b->count > 0 && b->tree.size == b->first - 1);
	b->n_nodes = 0;
	for (uint32_t g = 0, begin = 0; g < n_groups(b); g++) {
		uint32_t end = hash_group(b, g);

		memcpy(groups + begin, b->payload.base + begin, end - begin);
		block_put_index(out, g, end, end - begin, log_checksum(slice_of(groups + begin, end - begin)));
		begin = end;
	}
	merkle_root(&b->tree, b->root);
	memcpy(head.root, b->root, MERKLE_HASH);
	block_put_head(out, &head);
}
