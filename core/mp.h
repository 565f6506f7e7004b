#ifndef CORE_MP_H
#define CORE_MP_H

#include <endian.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/slice.h"

/*
 * MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md).
 *
 * Writing is msgpack-c's own packer (msgpack/pack_template.h) bound to struct buf: integers take
 * their shortest form, so equal values have equal bytes.
 *
 * Reading is a cursor over borrowed bytes. msgpack-c reads into trees of allocated objects; here
 * untrusted frames are bounded before anything is allocated, and rows and events are decoded
 * straight into structs, so nothing is allocated at all.
 */

/* ---- writing ---- */

#include "core/mp_pack.h"

static inline void mp_put_text(struct buf *b, struct slice s)
{
	mp_put_str(b, s.len);
	buf_append(b, s.base, s.len);
}

/* nil when absent. */
static inline void mp_put_text_or_nil(struct buf *b, struct slice s)
{
	if (s.base == NULL)
		mp_put_nil(b);
	else
		mp_put_text(b, s);
}

static inline void mp_put_bool(struct buf *b, bool v)
{
	buf_byte(b, v ? 0xc3 : 0xc2);
}

/* Thousandths as the wire's number: an int when whole, else the nearest float64. */
void mp_put_points(struct buf *b, int64_t thousandths);

/* ---- reading ---- */

/* A cursor with a sticky failure: after the first value that is cut, malformed or of another kind
 * `bad` stays set and every later read answers false. */
struct mp {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

enum mp_kind { MP_NONE, MP_NIL, MP_BOOL, MP_INT, MP_FLOAT, MP_STR, MP_BIN, MP_ARRAY, MP_MAP, MP_EXT };

static inline struct mp mp_of(struct slice s)
{
	const uint8_t *p = s.base != NULL ? s.base : (const void *)"";

	return (struct mp){ p, p + s.len, false };
}

/* Kind of the next value; MP_NONE at the end or on the byte that is never used (0xc1). */
enum mp_kind mp_peek(const struct mp *m);
bool mp_bool(struct mp *m, bool *ret);
bool mp_float(struct mp *m, double *ret); /* float32, float64 */
bool mp_bin(struct mp *m, struct slice *ret);
bool mp_map(struct mp *m, uint32_t *ret_n);
/* Steps over one value, at most depth levels of nesting. */
bool mp_skip(struct mp *m, unsigned depth);
/* The bytes of the next value, stepped over. */
bool mp_raw(struct mp *m, unsigned depth, struct slice *ret);
/* The packed value of a name in a packed map whose keys are texts, at most depth levels of nesting below it. False: it
 * is not there, or that is no such map. */
bool mp_find(struct slice map, struct slice name, unsigned depth, struct slice *ret);
/*
 * Writes the next value as all do that hold the same: each part in its shortest form, maps in the order of their keys,
 * which are texts. Scratch comes from the arena; without room for it the buffer fails.
 */
bool mp_put_normal(struct buf *b, struct mp *m, unsigned depth, struct arena *arena);

/*
 * Finds the end of one value that arrives in pieces, looking at each byte once. Limits: nesting of
 * max_depth, and total size `max`; a length or count that could not fit in it is refused at
 * once, before the bytes arrive.
 */
enum { MP_SCAN_DEPTH = 16 };
struct mp_scan {
	size_t pos;
	unsigned depth;
	unsigned max_depth;
	uint64_t left[MP_SCAN_DEPTH + 1]; /* values still to come, per level */
};
enum mp_scan_result { MP_SCAN_MORE, MP_SCAN_DONE, MP_SCAN_BAD, MP_SCAN_DEEP, MP_SCAN_BIG };

/* max_depth: at most MP_SCAN_DEPTH; a scalar has depth 0. */
void mp_scan_start(struct mp_scan *s, unsigned max_depth);
/* bytes: all that has arrived of the value, from its first byte. On DONE s->pos is its length. */
enum mp_scan_result mp_scan(struct mp_scan *s, struct slice bytes, size_t max);

/*
 * The commonest values fit in one byte, and rows are full of them: these answer for those at once. The rest,
 * and what is malformed, is for their mp_any_ twins.
 */
bool mp_any_int(struct mp *m, int64_t *ret);
bool mp_any_uint(struct mp *m, uint64_t *ret);
bool mp_any_str(struct mp *m, struct slice *ret);
bool mp_any_array(struct mp *m, uint32_t *ret_n);

static inline size_t mp_left(const struct mp *m)
{
	return m->bad ? 0 : (size_t)(m->end - m->p);
}

/* Consumes a nil if it is next; never fails. */
static inline bool mp_nil(struct mp *m)
{
	bool nil = mp_left(m) > 0 && *m->p == 0xc0;

	m->p += nil;
	return nil;
}

/* Any integer that fits; a uint64 above INT64_MAX is of another kind for mp_int. */
static inline bool mp_int(struct mp *m, int64_t *ret)
{
	if (mp_left(m) == 0 || *m->p >= 0x80)
		return mp_any_int(m, ret);
	*ret = *m->p++;
	return true;
}

static inline bool mp_uint(struct mp *m, uint64_t *ret)
{
	if (mp_left(m) == 0 || *m->p >= 0x80)
		return mp_any_uint(m, ret);
	*ret = *m->p++;
	return true;
}

/* Lent from the source. */
static inline bool mp_str(struct mp *m, struct slice *ret)
{
	size_t len = mp_left(m) > 0 ? *m->p & 0x1f : 0;

	if (mp_left(m) <= len || (*m->p & 0xe0) != 0xa0)
		return mp_any_str(m, ret);
	*ret = slice_of(m->p + 1, len);
	m->p += 1 + len;
	return true;
}

static inline bool mp_array(struct mp *m, uint32_t *ret_n)
{
	uint32_t n = mp_left(m) > 0 ? *m->p & 0x0f : 0;

	if (mp_left(m) <= n || (*m->p & 0xf0) != 0x90)
		return mp_any_array(m, ret_n);
	*ret_n = n;
	m->p++;
	return true;
}

/* Valid UTF-8 without surrogates or overlong forms (RFC 3629). */
bool utf8_valid(struct slice s);

#endif
