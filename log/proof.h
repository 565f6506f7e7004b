#ifndef LOG_PROOF_H
#define LOG_PROOF_H

#include "core/err.h"
#include "log/merkle.h"

/*
 * Proofs of RFC 9162, sections 2.1.3 and 2.1.4: that an event is in a tree (inclusion), and that one tree is the
 * beginning of another (consistency). Pure: where hashes come from is up to a `struct subtrees`.
 */
enum { PROOF_MAX = MERKLE_PEAKS + 1 };
struct proof {
	unsigned n;
	uint8_t hash[PROOF_MAX][MERKLE_HASH];
};

/* hash() gives the hash of a full subtree (level 0: a leaf) that lies within the tree asked about. */
struct subtrees {
	int (*hash)(void *arg, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH], struct err *err);
	void *arg;
};

int proof_root(const struct subtrees *s, uint64_t size, uint8_t ret[MERKLE_HASH], struct err *err);
/* index, from 0, is below size. */
int proof_of_leaf(const struct subtrees *s, uint64_t index, uint64_t size, struct proof *ret, struct err *err);
/* from is at most `to`; 0 or equal: an empty proof. */
int proof_of_growth(const struct subtrees *s, uint64_t from, uint64_t to, struct proof *ret, struct err *err);

/* Whether the proof shows it. Safe with any numbers and any n up to PROOF_MAX. */
bool proof_shows_leaf(const struct proof *p, const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size,
		      const uint8_t root[MERKLE_HASH]);
bool proof_shows_growth(const struct proof *p, uint64_t from, const uint8_t from_root[MERKLE_HASH], uint64_t to,
			const uint8_t to_root[MERKLE_HASH]);

#endif
