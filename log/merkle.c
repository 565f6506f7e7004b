/* The one file that calls SHA256_* directly. OpenSSL 3 discourages it in favour of EVP, which takes a quarter longer
 * for inputs as short as ours, allocates, and can fail. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "log/merkle.h"

#include <assert.h>
#include <openssl/sha.h>

static void hash(uint8_t prefix, struct slice a, struct slice b, uint8_t ret[MERKLE_HASH])
{
	SHA256_CTX c;

	SHA256_Init(&c);
	SHA256_Update(&c, &prefix, 1);
	SHA256_Update(&c, a.base, a.len);
	SHA256_Update(&c, b.base, b.len);
	SHA256_Final(ret, &c);
}

void merkle_leaf(struct slice bytes, uint8_t ret[MERKLE_HASH])
{
	hash(0x00, bytes, SLICE_NULL, ret);
}

void merkle_node(const uint8_t left[MERKLE_HASH], const uint8_t right[MERKLE_HASH], uint8_t ret[MERKLE_HASH])
{
	hash(0x01, slice_of(left, MERKLE_HASH), slice_of(right, MERKLE_HASH), ret);
}

/* A new leaf is a peak of size 1; equal peaks merge, as binary addition carries. full may be NULL. */
static unsigned add(struct merkle *m, const uint8_t leaf[MERKLE_HASH], uint8_t (*full)[MERKLE_HASH])
{
	unsigned n = merkle_n_peaks(m->size), level = 0, n_full = 0;
	uint8_t top[MERKLE_HASH];

	assert(m->size < UINT64_MAX);
	memcpy(top, leaf, MERKLE_HASH);
	for (uint64_t carry = m->size; carry & 1; carry >>= 1) {
		merkle_node(m->peaks[--n], top, top);
		if (++level % MERKLE_STEP == 0 && full != NULL)
			memcpy(full[n_full++], top, MERKLE_HASH);
	}
	memcpy(m->peaks[n], top, MERKLE_HASH);
	m->size++;
	return n_full;
}

unsigned merkle_add_full(struct merkle *m, struct slice bytes, uint8_t ret_full[MERKLE_STEPS][MERKLE_HASH])
{
	uint8_t leaf[MERKLE_HASH];

	merkle_leaf(bytes, leaf);
	return add(m, leaf, ret_full);
}

void merkle_add(struct merkle *m, struct slice bytes)
{
	merkle_add_full(m, bytes, NULL);
}

void merkle_add_hash(struct merkle *m, const uint8_t hash[MERKLE_HASH])
{
	add(m, hash, NULL);
}

void merkle_root(const struct merkle *m, uint8_t ret[MERKLE_HASH])
{
	unsigned n = merkle_n_peaks(m->size);

	if (n == 0) {
		SHA256(NULL, 0, ret);
		return;
	}
	memcpy(ret, m->peaks[--n], MERKLE_HASH);
	while (n-- > 0)
		merkle_node(m->peaks[n], ret, ret);
}
