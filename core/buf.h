#ifndef CORE_BUF_H
#define CORE_BUF_H

#include <assert.h>
#include <stdint.h>

#include "core/slice.h"

/*
 * A growing byte buffer with a ceiling at birth. Writing is sticky: after the first write that
 * passes the ceiling or finds no memory, `failed` stays set, later writes do nothing, and one test
 * at the end is enough. Not thread-safe.
 */
struct buf {
	uint8_t *base;
	size_t len;
	size_t cap;
	size_t max;
	bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
/* Makes room for n more bytes; false (and failed) when there is none. */
bool buf_grow(struct buf *b, size_t n);

static inline void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

static inline bool buf_room(struct buf *b, size_t n)
{
	return b->cap - b->len >= n || buf_grow(b, n);
}

static inline void buf_append(struct buf *b, const void *p, size_t n)
{
	if (n > 0 && buf_room(b, n)) {
		memcpy(b->base + b->len, p, n);
		b->len += n;
	}
}

static inline void buf_byte(struct buf *b, uint8_t v)
{
	buf_append(b, &v, 1);
}

/* Forgets what was written after len. */
static inline void buf_truncate(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
}

/* Removes n bytes from the front. */
void buf_consume(struct buf *b, size_t n);

/* Lent until the next write. */
static inline struct slice buf_slice(const struct buf *b)
{
	return slice_of(b->base, b->len);
}

#endif
