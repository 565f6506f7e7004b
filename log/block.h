#ifndef LOG_BLOCK_H
#define LOG_BLOCK_H

#include "log/format.h"

/*
 * A block in memory: the open one, or the one in flight. The payload is kept as it will be stored, with
 * an entry per event beside it. The loop appends and reads; while it is in flight the loop only
 * reads and the writer fills in `tree` and `root`.
 */
struct block_entry {
	uint32_t off; /* of the event, behind its length */
	uint32_t len;
	uint8_t tag;
};

/* A full subtree that ends in the block. */
struct block_node {
	uint8_t level;
	uint64_t index;
	uint8_t hash[MERKLE_HASH];
};

struct block {
	struct seal *seal; /* goes into the log with it; NULL: none */
	uint64_t first;    /* seq of entry 0 */
	uint32_t count;
	int64_t first_at;
	int64_t last_at;
	struct log_types types;
	struct buf payload;
	struct block_entry *entries;
	size_t cap;

	struct merkle tree; /* before the block; block_encode() moves it behind */
	uint8_t root[MERKLE_HASH];
	/* of each MERKLE_STEP-th level, in the order they end; filled in with the tree. Memory comes with that of the
	 * entries, so that encoding needs none. */
	struct block_node *nodes;
	size_t n_nodes;
};

void block_init(struct block *b, size_t payload_max);
void block_free(struct block *b);
/* Empties it for events from seq first on. Keeps memory of up to `keep` payload bytes. */
void block_restart(struct block *b, uint64_t first, size_t keep);

/* As log_append(). False: no memory, nothing was changed. */
bool block_append(struct block *b, struct slice events, const uint32_t *ends, const uint8_t *tags, size_t n,
		  int64_t at);
/* Bytes block_append() may need for n events of `bytes` bytes together. */
size_t block_append_need(size_t bytes, size_t n);

static inline struct slice block_event(const struct block *b, uint64_t seq)
{
	const struct block_entry *e = &b->entries[seq - b->first];

	return slice_of(b->payload.base + e->off, e->len);
}
static inline uint8_t block_event_tag(const struct block *b, uint64_t seq)
{
	return b->entries[seq - b->first].tag;
}

/* Size of its stored form. */
size_t block_encoded_size(const struct block *b);
/* Writes the stored form and brings tree, root and nodes up to its last event. */
void block_encode(struct block *b, uint8_t *out);

#endif
