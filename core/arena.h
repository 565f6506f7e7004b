#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "core/slice.h"

/*
 * Scratch memory of one command or query: taken piece by piece, given back all at once. It has a
 * ceiling; when that is reached arena_take() answers NULL and `failed` stays set until the reset.
 * The first chunk is kept over a reset, so a steady load allocates nothing.
 */
struct arena_chunk;
struct arena {
	struct arena_chunk *chunk;
	size_t used;
	size_t total;
	size_t max;
	bool failed;
};

void arena_init(struct arena *a, size_t max);
void arena_free(struct arena *a);
void arena_reset(struct arena *a);
/* Aligned for any type, not cleared; n = 0 gives a valid pointer. NULL: ceiling or no memory. */
void *arena_take(struct arena *a, size_t n);
/* As arena_take, cleared. */
void *arena_zero(struct arena *a, size_t n);
/* A copy that lives until the reset; base NULL when there is no room or s is absent. */
struct slice arena_copy(struct arena *a, struct slice s);
/* Formatted text, without its final zero in len. */
struct slice arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
