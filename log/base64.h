#ifndef LOG_BASE64_H
#define LOG_BASE64_H

#include <stdint.h>

#include "core/slice.h"

/* Base 64 of RFC 4648, section 4: the form in which hashes, keys and signatures are shown. */

/* Characters for n bytes, without a terminator. */
static inline size_t base64_size(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* Writes base64_size(bytes.len) characters and a terminator. */
void base64_put(struct slice bytes, char *ret);
/* text must be the one text for exactly n bytes. On failure ret is undefined. */
bool base64_get(struct slice text, uint8_t *ret, size_t n);
/* The number of bytes that such a text holds. False: it cannot be one. */
bool base64_length(struct slice text, size_t *ret);

#endif
