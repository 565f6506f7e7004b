#include "core/mp.h"

#include <stdlib.h>

#include "core/points.h"

void mp_put_points(struct buf *b, int64_t thousandths)
{
	if (points_whole(thousandths))
		mp_put_int64(b, thousandths / POINTS_SCALE);
	else
		mp_put_double(b, points_to_double(thousandths));
}

/* What a first byte announces: kind, the bytes of the number or length behind it, and either the
 * fixed body length (n_size 0) or nothing. */
struct lead {
	uint8_t kind;   /* enum mp_kind */
	uint8_t n_size; /* bytes of length or count that follow */
	uint8_t body;   /* bytes of the body when it is fixed */
	uint8_t fix;    /* length or count inside the byte itself */
};

static struct lead lead_of(uint8_t c)
{
	static const struct lead table[0xe0 - 0xc0] = {
		[0x00] = { MP_NIL, 0, 0, 0 },   [0x02] = { MP_BOOL, 0, 0, 0 },  [0x03] = { MP_BOOL, 0, 0, 0 },
		[0x04] = { MP_BIN, 1, 0, 0 },   [0x05] = { MP_BIN, 2, 0, 0 },   [0x06] = { MP_BIN, 4, 0, 0 },
		[0x07] = { MP_EXT, 1, 1, 0 },   [0x08] = { MP_EXT, 2, 1, 0 },   [0x09] = { MP_EXT, 4, 1, 0 },
		[0x0a] = { MP_FLOAT, 0, 4, 0 }, [0x0b] = { MP_FLOAT, 0, 8, 0 }, [0x0c] = { MP_INT, 0, 1, 0 },
		[0x0d] = { MP_INT, 0, 2, 0 },   [0x0e] = { MP_INT, 0, 4, 0 },   [0x0f] = { MP_INT, 0, 8, 0 },
		[0x10] = { MP_INT, 0, 1, 0 },   [0x11] = { MP_INT, 0, 2, 0 },   [0x12] = { MP_INT, 0, 4, 0 },
		[0x13] = { MP_INT, 0, 8, 0 },   [0x14] = { MP_EXT, 0, 2, 0 },   [0x15] = { MP_EXT, 0, 3, 0 },
		[0x16] = { MP_EXT, 0, 5, 0 },   [0x17] = { MP_EXT, 0, 9, 0 },   [0x18] = { MP_EXT, 0, 17, 0 },
		[0x19] = { MP_STR, 1, 0, 0 },   [0x1a] = { MP_STR, 2, 0, 0 },   [0x1b] = { MP_STR, 4, 0, 0 },
		[0x1c] = { MP_ARRAY, 2, 0, 0 }, [0x1d] = { MP_ARRAY, 4, 0, 0 }, [0x1e] = { MP_MAP, 2, 0, 0 },
		[0x1f] = { MP_MAP, 4, 0, 0 },
	};

	if (c < 0x80 || c >= 0xe0)
		return (struct lead){ MP_INT, 0, 0, 0 };
	if (c < 0x90)
		return (struct lead){ MP_MAP, 0, 0, c & 0x0f };
	if (c < 0xa0)
		return (struct lead){ MP_ARRAY, 0, 0, c & 0x0f };
	if (c < 0xc0)
		return (struct lead){ MP_STR, 0, 0, c & 0x1f };
	return table[c - 0xc0];
}

/* n: 1, 2, 4 or 8. */
static uint64_t be(const uint8_t *p, unsigned n)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (n) {
	case 1:
		return *p;
	case 2:
		memcpy(&v16, p, 2);
		return be16toh(v16);
	case 4:
		memcpy(&v32, p, 4);
		return be32toh(v32);
	default:
		memcpy(&v64, p, 8);
		return be64toh(v64);
	}
}

enum mp_kind mp_peek(const struct mp *m)
{
	return m->bad || m->p >= m->end ? MP_NONE : (enum mp_kind)lead_of(*m->p).kind;
}

static bool fail(struct mp *m)
{
	m->bad = true;
	return false;
}

static inline size_t left(const struct mp *m)
{
	return (size_t)(m->end - m->p);
}

bool mp_bool(struct mp *m, bool *ret)
{
	if (m->bad || m->p >= m->end || (*m->p != 0xc2 && *m->p != 0xc3))
		return fail(m);
	*ret = *m->p++ == 0xc3;
	return true;
}

/* An integer as sign and bits: *ret_negative tells how to read the 64 bits. */
static bool integer(struct mp *m, uint64_t *ret, bool *ret_negative)
{
	uint8_t c;
	unsigned n;
	uint64_t v;

	if (m->bad || m->p >= m->end)
		return fail(m);
	c = *m->p;
	if (c < 0x80 || c >= 0xe0) {
		m->p++;
		*ret_negative = c >= 0xe0;
		*ret = (uint64_t)(int64_t)(int8_t)c;
		return true;
	}
	if (c < 0xcc || c > 0xd3)
		return fail(m);
	n = 1u << (c & 3);
	if (left(m) < 1 + (size_t)n)
		return fail(m);
	v = be(m->p + 1, n);
	m->p += 1 + n;
	*ret_negative = false;
	if (c >= 0xd0 && n < 8)
		v = (uint64_t)((int64_t)(v << (64 - 8 * n)) >> (64 - 8 * n));
	if (c >= 0xd0)
		*ret_negative = (int64_t)v < 0;
	*ret = v;
	return true;
}

bool mp_any_int(struct mp *m, int64_t *ret)
{
	uint64_t v;
	bool negative;

	if (!integer(m, &v, &negative))
		return false;
	if (!negative && v > INT64_MAX)
		return fail(m);
	*ret = (int64_t)v;
	return true;
}

bool mp_any_uint(struct mp *m, uint64_t *ret)
{
	uint64_t v;
	bool negative;

	if (!integer(m, &v, &negative))
		return false;
	if (negative)
		return fail(m);
	*ret = v;
	return true;
}

bool mp_float(struct mp *m, double *ret)
{
	if (m->bad || m->p >= m->end || (*m->p != 0xca && *m->p != 0xcb))
		return fail(m);
	if (*m->p == 0xca) {
		uint32_t bits;
		float f;

		if (left(m) < 5)
			return fail(m);
		bits = (uint32_t)be(m->p + 1, 4);
		memcpy(&f, &bits, 4);
		*ret = (double)f;
		m->p += 5;
	} else {
		uint64_t bits;

		if (left(m) < 9)
			return fail(m);
		bits = be(m->p + 1, 8);
		memcpy(ret, &bits, 8);
		m->p += 9;
	}
	return true;
}

/* Length or count of the value at the cursor, which must be of this kind; steps over its head. */
static bool head(struct mp *m, enum mp_kind kind, uint32_t *ret)
{
	struct lead l;

	if (m->bad || m->p >= m->end)
		return fail(m);
	l = lead_of(*m->p);
	if (l.kind != kind || left(m) < 1 + (size_t)l.n_size)
		return fail(m);
	*ret = l.n_size ? (uint32_t)be(m->p + 1, l.n_size) : l.fix;
	m->p += 1 + l.n_size;
	return true;
}

static bool bytes(struct mp *m, enum mp_kind kind, struct slice *ret)
{
	uint32_t n;

	if (!head(m, kind, &n))
		return false;
	if (left(m) < n)
		return fail(m);
	*ret = slice_of(m->p, n);
	m->p += n;
	return true;
}

bool mp_any_str(struct mp *m, struct slice *ret)
{
	return bytes(m, MP_STR, ret);
}

bool mp_bin(struct mp *m, struct slice *ret)
{
	return bytes(m, MP_BIN, ret);
}

bool mp_any_array(struct mp *m, uint32_t *ret_n)
{
	return head(m, MP_ARRAY, ret_n) && (*ret_n <= left(m) || fail(m));
}

bool mp_map(struct mp *m, uint32_t *ret_n)
{
	return head(m, MP_MAP, ret_n) && (*ret_n <= left(m) / 2 || fail(m));
}

bool mp_skip(struct mp *m, unsigned depth)
{
	struct mp_scan scan;

	if (m->bad)
		return false;
	mp_scan_start(&scan, depth);
	if (mp_scan(&scan, slice_of(m->p, left(m)), left(m)) != MP_SCAN_DONE)
		return fail(m);
	m->p += scan.pos;
	return true;
}

bool mp_raw(struct mp *m, unsigned depth, struct slice *ret)
{
	const uint8_t *start = m->p;

	if (!mp_skip(m, depth))
		return false;
	*ret = slice_of(start, (size_t)(m->p - start));
	return true;
}

bool mp_find(struct slice map, struct slice name, unsigned depth, struct slice *ret)
{
	struct mp m = mp_of(map);
	struct slice other;
	uint32_t n;

	if (!mp_map(&m, &n))
		return false;
	while (n-- > 0 && mp_str(&m, &other) && mp_raw(&m, depth, ret))
		if (slice_eq(other, name))
			return true;
	return false;
}

struct mp_pair {
	struct slice key;
	struct slice value;
};

static int by_key(const void *a, const void *b)
{
	return slice_cmp(((const struct mp_pair *)a)->key, ((const struct mp_pair *)b)->key);
}

static bool put_sorted_map(struct buf *b, struct mp *m, unsigned depth, struct arena *arena)
{
	struct mp_pair *v;
	uint32_t n;

	if (depth == 0 || !mp_map(m, &n))
		return fail(m);
	v = arena_take(arena, n * sizeof(*v));
	if (v == NULL) {
		b->failed = true;
		return true;
	}
	for (uint32_t i = 0; i < n; i++)
		if (!mp_str(m, &v[i].key) || !mp_raw(m, depth - 1, &v[i].value))
			return false;
	qsort(v, n, sizeof(*v), by_key);
	mp_put_map(b, n);
	for (uint32_t i = 0; i < n; i++) {
		struct mp value = mp_of(v[i].value);

		mp_put_text(b, v[i].key);
		if (!mp_put_normal(b, &value, depth - 1, arena))
			return fail(m);
	}
	return true;
}

static bool put_shortest_int(struct buf *b, struct mp *m)
{
	struct mp look = *m;
	uint64_t u;
	int64_t v;

	if (mp_uint(&look, &u)) {
		*m = look;
		mp_put_uint64(b, u);
		return true;
	}
	if (!mp_int(m, &v))
		return false;
	mp_put_int64(b, v);
	return true;
}

bool mp_put_normal(struct buf *b, struct mp *m, unsigned depth, struct arena *arena)
{
	struct slice s;
	uint32_t n;
	double x;

	switch (mp_peek(m)) {
	case MP_INT:
		return put_shortest_int(b, m);
	case MP_FLOAT:
		if (!mp_float(m, &x))
			return false;
		mp_put_double(b, x);
		return true;
	case MP_STR:
		if (!mp_str(m, &s))
			return false;
		mp_put_text(b, s);
		return true;
	case MP_ARRAY:
		if (depth == 0 || !mp_array(m, &n))
			return fail(m);
		mp_put_array(b, n);
		while (n-- > 0)
			if (!mp_put_normal(b, m, depth - 1, arena))
				return false;
		return true;
	case MP_MAP:
		return put_sorted_map(b, m, depth, arena);
	default:
		if (!mp_raw(m, 0, &s))
			return false;
		buf_append(b, s.base, s.len);
		return true;
	}
}

void mp_scan_start(struct mp_scan *s, unsigned max_depth)
{
	assert(max_depth <= MP_SCAN_DEPTH);
	s->pos = 0;
	s->depth = 0;
	s->max_depth = max_depth;
	s->left[0] = 1;
}

/* A value is finished; so are the arrays and maps that it was the last of. True: all of them. */
static bool whole(struct mp_scan *s)
{
	while (s->left[s->depth] == 0) {
		if (s->depth == 0)
			return true;
		s->depth--;
	}
	return false;
}

enum mp_scan_result mp_scan(struct mp_scan *s, struct slice in, size_t max)
{
	const uint8_t *p = in.base;

	while (s->pos < in.len) {
		struct lead l = lead_of(p[s->pos]);
		uint64_t n, size = 1 + (uint64_t)l.n_size + l.body;

		if (l.kind == MP_NONE)
			return MP_SCAN_BAD;
		if (s->pos + 1 + l.n_size > in.len)
			return s->pos + size > max ? MP_SCAN_BIG : MP_SCAN_MORE;
		n = l.n_size ? be(p + s->pos + 1, l.n_size) : l.fix;
		if (l.kind == MP_ARRAY || l.kind == MP_MAP) {
			uint64_t children = l.kind == MP_MAP ? 2 * n : n;

			if (s->pos + size + children > max)
				return MP_SCAN_BIG;
			s->left[s->depth]--;
			if (children > 0) {
				if (s->depth == s->max_depth)
					return MP_SCAN_DEEP;
				s->left[++s->depth] = children;
			}
		} else {
			size += n;
			if (s->pos + size > max)
				return MP_SCAN_BIG;
			if (s->pos + size > in.len)
				return MP_SCAN_MORE;
			s->left[s->depth]--;
		}
		s->pos += size;
		if (whole(s))
			return MP_SCAN_DONE;
	}
	return MP_SCAN_MORE;
}

bool utf8_valid(struct slice s)
{
	const uint8_t *p = s.base, *end = p + s.len;

	while (p < end) {
		uint32_t c = *p, min;
		unsigned n, i;
		uint64_t w;

		if (end - p >= 8) {
			memcpy(&w, p, 8);
			if ((w & UINT64_C(0x8080808080808080)) == 0) {
				p += 8;
				continue;
			}
		}
		if (c < 0x80) {
			p++;
			continue;
		}
		if ((c & 0xe0) == 0xc0)
			n = 1, c &= 0x1f, min = 0x80;
		else if ((c & 0xf0) == 0xe0)
			n = 2, c &= 0x0f, min = 0x800;
		else if ((c & 0xf8) == 0xf0)
			n = 3, c &= 0x07, min = 0x10000;
		else
			return false;
		if ((size_t)(end - p) < 1 + (size_t)n)
			return false;
		for (i = 1; i <= n; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (p[i] & 0x3f);
		}
		if (c < min || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return false;
		p += 1 + n;
	}
	return true;
}
