#include "core/buf.h"

#include <stdlib.h>

enum { BUF_FIRST = 256 };

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_free(struct buf *b)
{
	free(b->base);
	*b = (struct buf){ .max = b->max };
}

bool buf_grow(struct buf *b, size_t n)
{
	size_t want = b->len + n;
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	uint8_t *p;

	if (b->failed || n > b->max || want > b->max) {
		b->failed = true;
		return false;
	}
	while (cap < want)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	p = realloc(b->base, cap);
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	b->base = p;
	b->cap = cap;
	return true;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	memmove(b->base, b->base + n, b->len - n);
	b->len -= n;
}
