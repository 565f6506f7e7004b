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
 * Proofs need hashes of full subtrees: merkle_peak() gives those of a prefix, merkle_leaf() and
 * merkle_node() rebuild any other.
 */
enum { MERKLE_HASH = 32, MERKLE_PEAKS = 64 };

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
void merkle_root(const struct merkle *m, uint8_t ret[MERKLE_HASH]);

#endif
