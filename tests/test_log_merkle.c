/* The Merkle tree of the log against RFC 9162: known vectors, and the definition itself, computed naively. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "log/merkle.h"

enum { LEAVES = 200 };

static void assert_hex(const uint8_t hash[MERKLE_HASH], const char *hex)
{
	char text[2 * MERKLE_HASH + 1];

	for (int i = 0; i < MERKLE_HASH; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	assert_string_equal(text, hex);
}

/* Leaf i of the naive tree: i bytes of value i. */
static struct slice leaf(size_t i, uint8_t bytes[LEAVES])
{
	memset(bytes, (int)i, i);
	return slice_of(bytes, i);
}

static void sha256(const void *p, size_t n, uint8_t ret[MERKLE_HASH])
{
	assert_int_equal(EVP_Digest(p, n, ret, NULL, EVP_sha256(), NULL), 1);
}

/* MTH(D[from:to]) as section 2.1.1 writes it. */
static void naive_root(size_t from, size_t to, uint8_t ret[MERKLE_HASH])
{
	uint8_t in[1 + LEAVES + 2 * MERKLE_HASH];
	size_t k = 1;

	if (from == to) {
		sha256("", 0, ret);
		return;
	}
	if (to - from == 1) {
		in[0] = 0;
		leaf(from, in + 1);
		sha256(in, 1 + from, ret);
		return;
	}
	while (k * 2 < to - from)
		k *= 2;
	in[0] = 1;
	naive_root(from, from + k, in + 1);
	naive_root(from + k, to, in + 1 + MERKLE_HASH);
	sha256(in, 1 + 2 * MERKLE_HASH, ret);
}

static void the_empty_tree_has_the_hash_of_nothing(void **state)
{
	struct merkle m = { 0 };
	uint8_t root[MERKLE_HASH];

	merkle_root(&m, root);
	assert_hex(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* The vectors that Certificate Transparency implementations share. */
static void roots_agree_with_the_published_vectors(void **state)
{
	static const struct {
		struct slice leaf;
		const char *root; /* with this leaf and those above */
	} vectors[] = {
		{ SLICE_LIT(""), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
		{ SLICE_LIT("\x00"), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125" },
		{ SLICE_LIT("\x10"), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77" },
		{ SLICE_LIT("\x20\x21"), "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7" },
		{ SLICE_LIT("\x30\x31"), "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4" },
		{ SLICE_LIT("\x40\x41\x42\x43"), "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef" },
		{ SLICE_LIT("\x50\x51\x52\x53\x54\x55\x56\x57"),
		  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c" },
		{ SLICE_LIT("\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"),
		  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" },
	};
	struct merkle m = { 0 };
	uint8_t root[MERKLE_HASH];

	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		merkle_add(&m, vectors[i].leaf);
		merkle_root(&m, root);
		assert_hex(root, vectors[i].root);
	}
}

static void roots_agree_with_the_definition_for_every_size(void **state)
{
	struct merkle m = { 0 };
	uint8_t root[MERKLE_HASH], naive[MERKLE_HASH], bytes[LEAVES];

	for (size_t n = 0; n <= LEAVES; n++) {
		merkle_root(&m, root);
		naive_root(0, n, naive);
		assert_memory_equal(root, naive, MERKLE_HASH);
		assert_int_equal(m.size, n);
		merkle_add(&m, leaf(n % LEAVES, bytes));
	}
}

static void a_peak_is_the_root_of_its_full_subtree(void **state)
{
	struct merkle m = { 0 };
	uint8_t naive[MERKLE_HASH], bytes[LEAVES];

	for (size_t i = 0; i < 13; i++)
		merkle_add(&m, leaf(i, bytes));
	naive_root(0, 8, naive);
	assert_memory_equal(m.peaks[0], naive, MERKLE_HASH);
	naive_root(8, 12, naive);
	assert_memory_equal(m.peaks[1], naive, MERKLE_HASH);
	naive_root(12, 13, naive);
	assert_memory_equal(m.peaks[2], naive, MERKLE_HASH);
}

static void a_long_leaf_hashes_like_a_short_one(void **state)
{
	static uint8_t in[5000];
	uint8_t hash[MERKLE_HASH], expected[MERKLE_HASH];

	for (size_t n = 1000; n < sizeof(in); n += 13) {
		memset(in + 1, (int)n & 0xff, n);
		sha256(in, 1 + n, expected);
		merkle_leaf(slice_of(in + 1, n), hash);
		assert_memory_equal(hash, expected, MERKLE_HASH);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_empty_tree_has_the_hash_of_nothing),
		cmocka_unit_test(roots_agree_with_the_published_vectors),
		cmocka_unit_test(roots_agree_with_the_definition_for_every_size),
		cmocka_unit_test(a_peak_is_the_root_of_its_full_subtree),
		cmocka_unit_test(a_long_leaf_hashes_like_a_short_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
