#include "core/omap_pool.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

/* The first chunk is small, for maps that hold little. The others are huge pages where the system has
 * them: random access over tens of megabytes is otherwise mostly TLB misses. */
enum {
	FIRST_CHUNK = 64 * 1024,
	CHUNK = 2 * 1024 * 1024,
	CHUNK_HEAD = 64,
	FETCH_AHEAD = 1024,
	SMALL = 512, /* classes of 16 bytes up to here, four per doubling beyond */
};

struct pool_chunk {
	struct pool_chunk *next;
	size_t size;
};

struct pool_big {
	struct pool_big *next;
	struct pool_big **at;
	max_align_t blob[];
};

void pool_init(struct pool *p)
{
	*p = (struct pool){ .chunks = NULL };
}

static void free_big(struct pool *p)
{
	struct pool_big *next;

	for (struct pool_big *b = p->big; b; b = next) {
		next = b->next;
		free(b);
	}
	p->big = NULL;
}

void pool_free(struct pool *p)
{
	struct pool_chunk *next;

	free_big(p);
	for (struct pool_chunk *c = p->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	pool_init(p);
}

void pool_reset(struct pool *p)
{
	struct pool_chunk *chunks = p->chunks;

	free_big(p);
	pool_init(p);
	p->chunks = chunks;
}

static struct pool_chunk *chunk_new(bool first)
{
	size_t size = first ? FIRST_CHUNK : CHUNK;
	struct pool_chunk *c = aligned_alloc(first ? CHUNK_HEAD : CHUNK, size);

	if (!c)
		return NULL;
#ifdef MADV_HUGEPAGE
	if (!first)
		madvise(c, size, MADV_HUGEPAGE);
#endif
	c->next = NULL;
	c->size = size;
	return c;
}

/* Moves on to the next chunk, an older one or a new one. */
static bool next_chunk(struct pool *p)
{
	struct pool_chunk **at = p->now ? &p->now->next : &p->chunks;

	if (!*at)
		*at = chunk_new(at == &p->chunks);
	if (!*at)
		return false;
	p->now = *at;
	p->used = CHUNK_HEAD;
	return true;
}

void *pool_take(struct pool *p, size_t n, size_t align)
{
	size_t at = (p->used + align - 1) & ~(align - 1);

	assert(n <= POOL_BLOB_MAX && align <= CHUNK_HEAD);
	while (!p->now || at + n > p->now->size) {
		if (!next_chunk(p))
			return NULL;
		at = p->used;
	}
	p->bytes += at + n - p->used;
	p->used = at + n;
	/* New memory is written in order; without this each line is waited for. */
	for (size_t ahead = 0; ahead < n; ahead += CHUNK_HEAD)
		__builtin_prefetch((char *)p->now + at + FETCH_AHEAD + ahead, 1);
	return (char *)p->now + at;
}

static void *big_blob(struct pool *p, size_t n)
{
	struct pool_big *b = malloc(sizeof(*b) + n);

	if (!b)
		return NULL;
	b->next = p->big;
	b->at = &p->big;
	if (b->next)
		b->next->at = &b->next;
	p->big = b;
	p->bytes += n;
	return b->blob;
}

static void big_blob_free(struct pool *p, void *blob, size_t n)
{
	struct pool_big *b = (struct pool_big *)((char *)blob - offsetof(struct pool_big, blob));

	*b->at = b->next;
	if (b->next)
		b->next->at = b->at;
	p->bytes -= n;
	free(b);
}

/* The class of blobs of n bytes, and how large they are. */
static unsigned class_of(size_t n, size_t *ret_size)
{
	size_t step = 16, base = 0;
	unsigned class = 0;

	if (n > SMALL) {
		unsigned doubling = 63 - (unsigned)__builtin_clzll((n - 1) / SMALL);

		base = (size_t)SMALL << doubling;
		step = base / 4;
		class = SMALL / 16 + 4 * doubling;
	}
	class += (unsigned)((n - 1 - base) / step);
	*ret_size = base + ((n - 1 - base) / step + 1) * step;
	assert(class < POOL_CLASSES);
	return class;
}

void *pool_blob(struct pool *p, size_t n)
{
	size_t size;
	unsigned class;
	void *blob;

	assert(n > 0);
	if (n > POOL_BLOB_MAX)
		return big_blob(p, n);
	class = class_of(n, &size);
	blob = p->blobs[class];
	if (!blob)
		return pool_take(p, size, 16);
	p->blobs[class] = *(void **)blob;
	return blob;
}

void pool_blob_free(struct pool *p, void *blob, size_t n)
{
	size_t size;
	unsigned class;

	if (n > POOL_BLOB_MAX) {
		big_blob_free(p, blob, n);
		return;
	}
	class = class_of(n, &size);
	*(void **)blob = p->blobs[class];
	p->blobs[class] = blob;
}
