#ifndef LOG_UNPACKED_H
#define LOG_UNPACKED_H

#include "log/format.h"

/*
 * The groups of sealed blocks that a reader unpacked last. What an event is never changes, so they stay good when the
 * reader begins a new transaction. At most UNPACKED_GROUPS, and none larger than UNPACKED_KEEP outlives the next.
 */
enum { UNPACKED_GROUPS = 8, UNPACKED_KEEP = 1 << 20 };

struct unpacked;

struct unpacked *unpacked_new(void);
/* NULL is fine. */
void unpacked_free(struct unpacked *u);
/* Group n of a sealed block. Lent until UNPACKED_GROUPS - 1 others were asked for. Fails as block_group_load(). */
int unpacked_get(struct unpacked *u, const struct block_view *b, uint32_t n, const struct block_group **ret,
		 struct err *err);

#endif
