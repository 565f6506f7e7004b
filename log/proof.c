#include "log/proof.h"

#include <assert.h>

/* Largest power of two below n; n > 1. */
static uint64_t split(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* Root of the leaves begin to end - 1, where begin is a multiple of a power of two that is not below their number:
 * what every part is that the definitions of the RFC fall into. So its peaks are full subtrees of the whole tree. */
static int root_of(const struct subtrees *s, uint64_t begin, uint64_t end, uint8_t ret[MERKLE_HASH], struct err *err)
{
	struct merkle m = { .size = end - begin };
	unsigned n = 0;

	for (unsigned level = MERKLE_PEAKS; level-- > 0;) {
		int rc;

		if (((m.size >> level) & 1) == 0)
			continue;
		rc = s->hash(s->arg, level, begin >> level, m.peaks[n++], err);
		if (rc != 0)
			return rc;
		begin += UINT64_C(1) << level;
	}
	merkle_root(&m, ret);
	return 0;
}

int proof_root(const struct subtrees *s, uint64_t size, uint8_t ret[MERKLE_HASH], struct err *err)
{
	return root_of(s, 0, size, ret, err);
}

static int push(const struct subtrees *s, uint64_t begin, uint64_t end, struct proof *p, struct err *err)
{
	assert(p->n < PROOF_MAX);
	return root_of(s, begin, end, p->hash[p->n++], err);
}

/* PATH of section 2.1.3.1, over the leaves begin to end - 1: the nearest sibling comes first. */
static int path(const struct subtrees *s, uint64_t index, uint64_t begin, uint64_t end, struct proof *p,
		struct err *err)
{
	uint64_t middle;
	int rc;

	if (end - begin == 1)
		return 0;
	middle = begin + split(end - begin);
	if (index < middle) {
		rc = path(s, index, begin, middle, p, err);
		return rc == 0 ? push(s, middle, end, p, err) : rc;
	}
	rc = path(s, index, middle, end, p, err);
	return rc == 0 ? push(s, begin, middle, p, err) : rc;
}

int proof_of_leaf(const struct subtrees *s, uint64_t index, uint64_t size, struct proof *ret, struct err *err)
{
	assert(index < size);
	ret->n = 0;
	return path(s, index, 0, size, ret, err);
}

/* SUBPROOF of section 2.1.4.1. whole: the part is all of the older tree, whose root the verifier has. */
static int subproof(const struct subtrees *s, uint64_t from, uint64_t begin, uint64_t end, bool whole, struct proof *p,
		    struct err *err)
{
	uint64_t middle;
	int rc;

	if (from == end)
		return whole ? 0 : push(s, begin, end, p, err);
	middle = begin + split(end - begin);
	if (from <= middle) {
		rc = subproof(s, from, begin, middle, whole, p, err);
		return rc == 0 ? push(s, middle, end, p, err) : rc;
	}
	rc = subproof(s, from, middle, end, false, p, err);
	return rc == 0 ? push(s, begin, middle, p, err) : rc;
}

int proof_of_growth(const struct subtrees *s, uint64_t from, uint64_t to, struct proof *ret, struct err *err)
{
	assert(from <= to);
	ret->n = 0;
	return from == 0 ? 0 : subproof(s, from, 0, to, true, ret, err);
}

/* ---- verifying ---- */

static bool same(const uint8_t a[MERKLE_HASH], const uint8_t b[MERKLE_HASH])
{
	return memcmp(a, b, MERKLE_HASH) == 0;
}

/* Section 2.1.3.2, with its names. */
bool proof_shows_leaf(const struct proof *p, const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size,
		      const uint8_t root[MERKLE_HASH])
{
	uint64_t fn = index, sn = size - 1;
	uint8_t r[MERKLE_HASH];

	if (index >= size)
		return false;
	memcpy(r, leaf, MERKLE_HASH);
	for (unsigned i = 0; i < p->n; i++) {
		if (sn == 0)
			return false;
		if ((fn & 1) != 0 || fn == sn) {
			merkle_node(p->hash[i], r, r);
			for (; (fn & 1) == 0 && fn != 0; sn >>= 1)
				fn >>= 1;
		} else {
			merkle_node(r, p->hash[i], r);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(r, root);
}

static bool shows_same(const struct proof *p, uint64_t from, const uint8_t from_root[MERKLE_HASH], uint64_t to,
		       const uint8_t to_root[MERKLE_HASH])
{
	static const struct merkle nothing;
	uint8_t empty[MERKLE_HASH];

	if (p->n != 0)
		return false;
	if (from == to)
		return same(from_root, to_root);
	merkle_root(&nothing, empty);
	return same(from_root, empty);
}

/* Section 2.1.4.2, with its names. */
bool proof_shows_growth(const struct proof *p, uint64_t from, const uint8_t from_root[MERKLE_HASH], uint64_t to,
			const uint8_t to_root[MERKLE_HASH])
{
	uint64_t fn = from - 1, sn = to - 1;
	uint8_t fr[MERKLE_HASH], sr[MERKLE_HASH];
	unsigned i = 0;

	if (from > to)
		return false;
	if (from == 0 || from == to)
		return shows_same(p, from, from_root, to, to_root);
	for (; (fn & 1) != 0; sn >>= 1)
		fn >>= 1;
	/* A power of two: its root stands for the first hash, which then is left out. */
	if (fn != 0 && p->n == 0)
		return false;
	memcpy(fr, fn == 0 ? from_root : p->hash[i++], MERKLE_HASH);
	memcpy(sr, fr, MERKLE_HASH);
	for (; i < p->n; i++) {
		if (sn == 0)
			return false;
		if ((fn & 1) != 0 || fn == sn) {
			merkle_node(p->hash[i], fr, fr);
			merkle_node(p->hash[i], sr, sr);
			for (; (fn & 1) == 0 && fn != 0; sn >>= 1)
				fn >>= 1;
		} else {
			merkle_node(sr, p->hash[i], sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(fr, from_root) && same(sr, to_root);
}
