/* Proofs against RFC 9162: the published vectors, every tree of up to 70 leaves, and every way to bend a proof. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/proof.h"

enum { LEAVES = 70 };

static uint8_t leaves[LEAVES][MERKLE_HASH];

/* The definition, from the leaves. */
static int from_leaves(void *arg, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH], struct err *err)
{
	uint64_t n = UINT64_C(1) << level;
	struct merkle m = { 0 };

	assert_true((index + 1) * n <= *(uint64_t *)arg);
	for (uint64_t i = 0; i < n; i++)
		merkle_add_hash(&m, leaves[index * n + i]);
	memcpy(ret, m.peaks[0], MERKLE_HASH);
	return 0;
}

static uint64_t size_of_tree;
static const struct subtrees tree = { from_leaves, &size_of_tree };

static int given_leaves(void **state)
{
	for (int i = 0; i < LEAVES; i++) {
		uint8_t leaf = (uint8_t)i;

		merkle_leaf(slice_of(&leaf, 1), leaves[i]);
	}
	return 0;
}

static void root(uint64_t size, uint8_t ret[MERKLE_HASH])
{
	struct err err;

	size_of_tree = size;
	assert_int_equal(proof_root(&tree, size, ret, &err), 0);
}

static struct proof of_leaf(uint64_t index, uint64_t size)
{
	struct proof p;
	struct err err;

	size_of_tree = size;
	assert_int_equal(proof_of_leaf(&tree, index, size, &p, &err), 0);
	return p;
}

static struct proof of_growth(uint64_t from, uint64_t to)
{
	struct proof p;
	struct err err;

	size_of_tree = to;
	assert_int_equal(proof_of_growth(&tree, from, to, &p, &err), 0);
	return p;
}

static void assert_hashes(struct proof p, const char *const *hex, unsigned n)
{
	char text[2 * MERKLE_HASH + 1];

	assert_int_equal(p.n, n);
	for (unsigned k = 0; k < n; k++) {
		for (int i = 0; i < MERKLE_HASH; i++)
			snprintf(text + 2 * i, 3, "%02x", p.hash[k][i]);
		assert_string_equal(text, hex[k]);
	}
}

#define HASHES(p, ...)                                                                                                 \
	assert_hashes(p, (const char *const[]){ __VA_ARGS__ },                                                         \
		      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* The leaves that Certificate Transparency implementations share; see test_log_merkle.c. */
static void proofs_agree_with_the_published_vectors(void **state)
{
	static const struct slice data[] = {
		SLICE_LIT(""),
		SLICE_LIT("\x00"),
		SLICE_LIT("\x10"),
		SLICE_LIT("\x20\x21"),
		SLICE_LIT("\x30\x31"),
		SLICE_LIT("\x40\x41\x42\x43"),
		SLICE_LIT("\x50\x51\x52\x53\x54\x55\x56\x57"),
		SLICE_LIT("\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"),
	};

	for (size_t i = 0; i < 8; i++)
		merkle_leaf(data[i], leaves[i]);
	HASHES(of_leaf(0, 8), "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
	       "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	       "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4");
	HASHES(of_leaf(5, 8), "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
	       "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
	       "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
	HASHES(of_leaf(2, 3), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
	HASHES(of_growth(6, 8), "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
	       "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
	       "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
	HASHES(of_growth(2, 5), "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	       "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
}

static void every_leaf_of_every_tree_is_shown(void **state)
{
	uint8_t r[MERKLE_HASH];

	for (uint64_t size = 1; size <= LEAVES; size++) {
		root(size, r);
		for (uint64_t i = 0; i < size; i++) {
			struct proof p = of_leaf(i, size);

			assert_true(proof_shows_leaf(&p, leaves[i], i, size, r));
		}
	}
}

static void every_growth_is_shown(void **state)
{
	uint8_t older[MERKLE_HASH], newer[MERKLE_HASH];

	for (uint64_t to = 0; to <= LEAVES; to++) {
		root(to, newer);
		for (uint64_t from = 0; from <= to; from++) {
			struct proof p = of_growth(from, to);

			root(from, older);
			assert_true(proof_shows_growth(&p, from, older, to, newer));
		}
	}
}

/* Calls fn with every proof that is one step away from p. */
static void each_bent(const struct proof *p, void (*fn)(const struct proof *bent, void *arg), void *arg)
{
	struct proof bent = *p;

	for (unsigned i = 0; i < p->n; i++) {
		bent.hash[i][i % MERKLE_HASH] ^= 1;
		fn(&bent, arg);
		bent = *p;
	}
	if (p->n > 0) {
		bent.n--;
		fn(&bent, arg);
	}
	bent = *p;
	memset(bent.hash[bent.n++], 7, MERKLE_HASH);
	fn(&bent, arg);
}

struct claim {
	uint64_t a, b;
	uint8_t first[MERKLE_HASH], second[MERKLE_HASH];
};

static void shows_no_leaf(const struct proof *p, void *arg)
{
	const struct claim *c = arg;

	assert_false(proof_shows_leaf(p, c->first, c->a, c->b, c->second));
}

static void a_bent_proof_shows_no_leaf(void **state)
{
	struct claim c, other;

	for (c.b = 1; c.b <= 20; c.b++) {
		root(c.b, c.second);
		for (c.a = 0; c.a < c.b; c.a++) {
			struct proof p = of_leaf(c.a, c.b);

			memcpy(c.first, leaves[c.a], MERKLE_HASH);
			each_bent(&p, shows_no_leaf, &c);
			other = c;
			other.first[31] ^= 1;
			shows_no_leaf(&p, &other);
			other = c;
			other.second[0] ^= 0x80;
			shows_no_leaf(&p, &other);
			for (other = c, other.a = 0; other.a <= c.b + 2; other.a++)
				if (other.a != c.a)
					shows_no_leaf(&p, &other);
		}
	}
}

static void shows_no_growth(const struct proof *p, void *arg)
{
	const struct claim *c = arg;

	assert_false(proof_shows_growth(p, c->a, c->first, c->b, c->second));
}

static void a_bent_proof_shows_no_growth(void **state)
{
	struct claim c, other;

	for (c.b = 1; c.b <= 20; c.b++) {
		root(c.b, c.second);
		for (c.a = 0; c.a <= c.b; c.a++) {
			struct proof p = of_growth(c.a, c.b);

			root(c.a, c.first);
			each_bent(&p, shows_no_growth, &c);
			other = c;
			other.first[31] ^= 1;
			shows_no_growth(&p, &other);
			other = c;
			other.b = c.a - 1; /* shrunk; or beyond all numbers */
			if (c.a > 0)
				shows_no_growth(&p, &other);
			other = c;
			other.second[0] ^= 0x80;
			/* What nothing grows into is not shown, and any tree begins with nothing. */
			if (c.a > 0)
				shows_no_growth(&p, &other);
		}
	}
}

static void numbers_beyond_reason_are_refused(void **state)
{
	struct proof p = { .n = PROOF_MAX };

	assert_false(proof_shows_leaf(&p, leaves[0], UINT64_MAX, 0, leaves[1]));
	assert_false(proof_shows_leaf(&p, leaves[0], UINT64_MAX - 1, UINT64_MAX, leaves[1]));
	assert_false(proof_shows_growth(&p, UINT64_MAX, leaves[0], UINT64_MAX, leaves[1]));
	assert_false(proof_shows_growth(&p, UINT64_MAX - 1, leaves[0], UINT64_MAX, leaves[1]));
	assert_false(proof_shows_growth(&p, 1, leaves[0], 0, leaves[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(proofs_agree_with_the_published_vectors, given_leaves),
		cmocka_unit_test_setup(every_leaf_of_every_tree_is_shown, given_leaves),
		cmocka_unit_test_setup(every_growth_is_shown, given_leaves),
		cmocka_unit_test_setup(a_bent_proof_shows_no_leaf, given_leaves),
		cmocka_unit_test_setup(a_bent_proof_shows_no_growth, given_leaves),
		cmocka_unit_test_setup(numbers_beyond_reason_are_refused, given_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
