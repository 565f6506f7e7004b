#ifndef TESTS_LIB_RANDOM_H
#define TESTS_LIB_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers that look random and come again with the same seed (xorshift64); 0 is no seed. */
struct random {
	uint64_t x;
};

static inline uint64_t draw(struct random *r)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 7;
	r->x ^= r->x << 17;
	return r->x;
}

/* 0 .. n - 1 */
static inline int64_t below(struct random *r, int64_t n)
{
	return (int64_t)(draw(r) % (uint64_t)n);
}

static inline bool one_in(struct random *r, int64_t n)
{
	return below(r, n) == 0;
}

#endif
