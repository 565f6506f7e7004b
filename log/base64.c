#include "log/base64.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>

enum { CHUNK = 48 }; /* bytes: a whole number of groups of three */

void base64_put(struct slice bytes, char *ret)
{
	assert(bytes.len <= INT_MAX / 2);
	ret[0] = '\0';
	EVP_EncodeBlock((unsigned char *)ret, bytes.base, (int)bytes.len);
}

bool base64_length(struct slice text, size_t *ret)
{
	const char *p = text.base;

	if (text.len % 4 != 0)
		return false;
	*ret = text.len / 4 * 3;
	for (size_t i = 1; i <= 2 && i <= text.len && p[text.len - i] == '='; i++)
		--*ret;
	return true;
}

/* libcrypto skips white space and takes bits that do not count, so what it read is written again and compared. */
bool base64_get(struct slice text, uint8_t *ret, size_t n)
{
	const char *p = text.base;
	size_t len;

	if (!base64_length(text, &len) || len != n)
		return false;
	for (size_t at = 0; at < n; at += CHUNK, p += CHUNK / 3 * 4) {
		size_t part = n - at < CHUNK ? n - at : CHUNK, chars = base64_size(part);
		unsigned char bytes[CHUNK + 3];
		char again[CHUNK / 3 * 4 + 1];

		if (EVP_DecodeBlock(bytes, (const unsigned char *)p, (int)chars) < 0)
			return false;
		base64_put(slice_of(bytes, part), again);
		if (memcmp(again, p, chars) != 0)
			return false;
		memcpy(ret + at, bytes, part);
	}
	return true;
}
