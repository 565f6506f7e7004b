#ifndef CORE_OMAP_POOL_H
#define CORE_OMAP_POOL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Memory of the maps of one overlay. Two kinds: pieces that live until the reset (nodes, keys), and blobs
 * (values), which come back one by one to lists by size class.
 */
enum {
	POOL_CLASSES = 96,
	POOL_BLOB_MAX = 256 * 1024, /* larger ones are taken from malloc one by one */
};

struct pool_chunk;
struct pool_big;
struct pool {
	struct pool_chunk *chunks; /* in order of use */
	struct pool_chunk *now;
	size_t used;    /* of the chunk in use */
	uint64_t bytes; /* handed out, since the reset */
	struct pool_big *big;
	void *blobs[POOL_CLASSES];
};

void pool_init(struct pool *p);
void pool_free(struct pool *p);
/* Everything handed out is gone; chunks are kept. */
void pool_reset(struct pool *p);
/* At most POOL_BLOB_MAX bytes, aligned to `align`, a power of two up to 64. NULL: no memory. */
void *pool_take(struct pool *p, size_t n, size_t align);
/* A blob of n > 0 bytes; give it back with the same n. NULL: no memory. */
void *pool_blob(struct pool *p, size_t n);
void pool_blob_free(struct pool *p, void *blob, size_t n);

#endif
