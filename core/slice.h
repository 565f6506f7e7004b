#ifndef CORE_SLICE_H
#define CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * Borrowed bytes. Whoever hands out a slice says how long it lives; nobody frees one.
 * A slice with base NULL is "absent", which is not the same as empty.
 */
struct slice {
	const void *base;
	size_t len;
};

#define SLICE_LIT(s) ((struct slice){ (s), sizeof(s) - 1 })
#define SLICE_NULL ((struct slice){ NULL, 0 })
/* For printf("%.*s"). */
#define SLICE_FMT(s) (int)(s).len, (const char *)(s).base

static inline struct slice slice_of(const void *base, size_t len)
{
	return (struct slice){ base, len };
}

static inline struct slice slice_str(const char *s)
{
	return (struct slice){ s, s ? strlen(s) : 0 };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || (a.base != NULL && b.base != NULL && memcmp(a.base, b.base, a.len) == 0));
}

static inline bool slice_is(struct slice a, const char *s)
{
	return slice_eq(a, slice_str(s));
}

static inline bool slice_starts(struct slice a, struct slice prefix)
{
	return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.base, prefix.base, prefix.len) == 0);
}

/* Byte order, shorter first among equal prefixes: the order of LMDB keys. */
static inline int slice_cmp(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 && a.base != NULL && b.base != NULL ? memcmp(a.base, b.base, n) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

#endif
