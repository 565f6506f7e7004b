#ifndef LOG_MERKLE_H
#define LOG_MERKLE_H

#include <stdint.h>

#include "core/slice.h"

/*
 * Merkle tree hashing of RFC 9162, section 2.1, over SHA-256:
 *
 *   leaf       SHA-256(0x00 || bytes)
 *   node       SHA-256(0x01 || left || right)
 *   root of 0  SHA-256("")
 *
 * A full subtree of 2^level leaves is named by its level and its index, counted from the left: its leaves are
 * index * 2^level and those that follow. The log keeps the hashes of each MERKLE_STEP-th level (log/nodes.h).
 */
enum { MERKLE_HASH = 32, MERKLE_PEAKS = 64, MERKLE_STEP = 8, MERKLE_STEPS = (MERKLE_PEAKS - 1) / MERKLE_STEP };

void merkle_leaf(struct slice bytes, uint8_t ret[MERKLE_HASH]);
void merkle_node(const uint8_t left[MERKLE_HASH], const uint8_t right[MERKLE_HASH], uint8_t ret[MERKLE_HASH]);

/*
 * A tree that only grows, kept as its peaks: the roots of the full subtrees it falls into from the
 * left, one per bit of its size, largest first. Copy it by assignment; all zero is the empty tree.
 */
struct merkle {
	uint64_t size; /* leaves */
	uint8_t peaks[MERKLE_PEAKS][MERKLE_HASH];
};

static inline unsigned merkle_n_peaks(uint64_t size)
{
	return (unsigned)__builtin_popcountll(size);
}

void merkle_add(struct merkle *m, struct slice bytes);
/*
 * The same, and tells the hashes of the full subtrees of level MERKLE_STEP, 2 * MERKLE_STEP and so on that the leaf
 * completes, lowest first. Returns their number.
 */
unsigned merkle_add_full(struct merkle *m, struct slice bytes, uint8_t ret_full[MERKLE_STEPS][MERKLE_HASH]);
/* Adds the hash of a leaf; or of a full subtree, all of one level, where these are taken as the leaves. */
void merkle_add_hash(struct merkle *m, const uint8_t hash[MERKLE_HASH]);
void merkle_root(const struct merkle *m, uint8_t ret[MERKLE_HASH]);

#endif
