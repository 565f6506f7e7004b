#include "core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_MIN = 16 * 1024, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *older;
	size_t size;
	_Alignas(ALIGN) uint8_t bytes[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

static void drop_chunks(struct arena_chunk *c)
{
	while (c != NULL) {
		struct arena_chunk *older = c->older;

		free(c);
		c = older;
	}
}

void arena_free(struct arena *a)
{
	drop_chunks(a->chunk);
	*a = (struct arena){ .max = a->max };
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *first = a->chunk;

	a->used = 0;
	a->failed = false;
	if (first == NULL || first->older == NULL)
		return;
	while (first->older != NULL) {
		struct arena_chunk *older = first->older;

		free(first);
		first = older;
	}
	a->chunk = first;
	a->total = first->size;
}

static bool add_chunk(struct arena *a, size_t n)
{
	size_t size = n > CHUNK_MIN ? n : CHUNK_MIN;
	struct arena_chunk *c;

	if (n > a->max || a->total > a->max - n)
		return false;
	c = malloc(sizeof(*c) + size);
	if (c == NULL)
		return false;
	c->older = a->chunk;
	c->size = size;
	a->chunk = c;
	a->used = 0;
	a->total += size;
	return true;
}

void *arena_take(struct arena *a, size_t n)
{
	void *p;

	if (n > a->max) {
		a->failed = true;
		return NULL;
	}
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (a->chunk == NULL || a->chunk->size - a->used < n) {
		if (!add_chunk(a, n)) {
			a->failed = true;
			return NULL;
		}
	}
	p = a->chunk->bytes + a->used;
	a->used += n;
	return p;
}

void *arena_zero(struct arena *a, size_t n)
{
	void *p = arena_take(a, n);

	if (p != NULL)
		memset(p, 0, n);
	return p;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
	void *p;

	if (s.base == NULL)
		return s;
	p = arena_take(a, s.len);
	if (p == NULL)
		return SLICE_NULL;
	if (s.len > 0)
		memcpy(p, s.base, s.len);
	return slice_of(p, s.len);
}

struct slice arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	int n;
	char *p;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return SLICE_NULL;
	p = arena_take(a, (size_t)n + 1);
	if (p == NULL)
		return SLICE_NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return slice_of(p, (size_t)n);
}
