/* MessagePack: writing, the reading cursor, the scan of values in pieces, UTF-8; against msgpack-c's own unpacker. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <utf8proc.h>

#include "core/mp.h"

static uint64_t seed = 99;

static uint32_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

/* A copy without room behind it, so that a sanitizer sees a read too far. */
static struct slice tight(const void *p, size_t n)
{
	void *copy = malloc(n ? n : 1);

	memcpy(copy, p, n);
	return slice_of(copy, n);
}

static void drop(struct slice s)
{
	free((void *)s.base);
}

/* ---- numbers ---- */

static const int64_t borders[] = {
	0,         1,  127, 128, 255,  256,  65535,  65536,  INT32_MAX, INT64_C(4294967295),  INT64_C(4294967296),
	INT64_MAX, -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN, INT64_C(-2147483649), INT64_MIN
};

static void integers_come_back_from_their_shortest_form(void **state)
{
	static const size_t sizes[] = { 1, 1, 1, 2, 2, 3, 3, 5, 5, 5, 9, 9, 1, 1, 2, 2, 3, 3, 5, 5, 9, 9 };

	(void)state;
	for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++) {
		struct slice s;
		struct buf b;
		struct mp m;
		int64_t v;
		uint64_t u;

		buf_init(&b, 64);
		mp_put_int64(&b, borders[i]);
		assert_int_equal(b.len, sizes[i]);
		s = tight(b.base, b.len);
		m = mp_of(s);
		assert_int_equal(mp_peek(&m), MP_INT);
		assert_true(mp_int(&m, &v));
		assert_true(v == borders[i] && m.p == m.end);
		m = mp_of(s);
		assert_int_equal(mp_uint(&m, &u), borders[i] >= 0);
		if (borders[i] >= 0)
			assert_true(u == (uint64_t)borders[i]);
		drop(s);
		buf_free(&b);
	}
}

static void integers_are_read_from_any_form(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int64_t value;
	} forms[] = { { "\xcc\x05", 2, 5 },
		      { "\xcd\x00\x05", 3, 5 },
		      { "\xce\x00\x00\x00\x05", 5, 5 },
		      { "\xcf\x00\x00\x00\x00\x00\x00\x00\x05", 9, 5 },
		      { "\xd0\x05", 2, 5 },
		      { "\xd0\xff", 2, -1 },
		      { "\xd1\xff\xff", 3, -1 },
		      { "\xd2\xff\xff\xff\xfe", 5, -2 },
		      { "\xd3\xff\xff\xff\xff\xff\xff\xff\xfe", 9, -2 },
		      { "\xd3\x00\x00\x00\x00\x00\x00\x00\x07", 9, 7 } };

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct slice s = tight(forms[i].bytes, forms[i].len);
		struct mp m = mp_of(s);
		int64_t v;

		assert_true(mp_int(&m, &v));
		assert_int_equal(v, forms[i].value);
		for (size_t n = 0; n < s.len; n++) {
			struct slice cut = tight(s.base, n);

			m = mp_of(cut);
			assert_false(mp_int(&m, &v));
			assert_true(m.bad);
			drop(cut);
		}
		drop(s);
	}
}

static void numbers_that_do_not_fit_are_of_another_kind(void **state)
{
	struct mp m = mp_of(SLICE_LIT("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"));
	struct mp copy = m;
	uint64_t u;
	int64_t v;

	(void)state;
	assert_false(mp_int(&m, &v));
	assert_true(m.bad);
	assert_true(mp_uint(&copy, &u));
	assert_true(u == UINT64_C(1) << 63);
}

static void floats_come_in_two_sizes(void **state)
{
	struct mp m = mp_of(
		SLICE_LIT("\xca\x3f\xc0\x00\x00\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a\xca\x7f\xc0\x00\x00\xca\x00"));
	double x;

	(void)state;
	assert_true(mp_float(&m, &x) && x == 1.5);
	assert_true(mp_float(&m, &x) && x == 0.1);
	assert_true(mp_float(&m, &x) && isnan(x));
	assert_int_equal(mp_peek(&m), MP_FLOAT);
	assert_false(mp_float(&m, &x));
	m = mp_of(SLICE_LIT("\x05"));
	assert_false(mp_float(&m, &x));
}

static void points_are_ints_when_whole(void **state)
{
	struct buf b;
	struct mp m;
	int64_t v;
	double x;

	(void)state;
	buf_init(&b, 64);
	mp_put_points(&b, 5000);
	mp_put_points(&b, -12500);
	mp_put_points(&b, 1);
	m = mp_of(buf_slice(&b));
	assert_true(mp_int(&m, &v) && v == 5);
	assert_true(mp_float(&m, &x) && x == -12.5);
	assert_true(mp_float(&m, &x) && x == 0.001);
	buf_free(&b);
}

/* ---- the cursor ---- */

static void each_kind_is_told_by_its_first_byte(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;
		struct mp m = mp_of(slice_of(&byte, 1));
		enum mp_kind want = c < 0x80 || c >= 0xe0 ? MP_INT
				    : c < 0x90            ? MP_MAP
				    : c < 0xa0            ? MP_ARRAY
				    : c < 0xc0            ? MP_STR
				    : c == 0xc0           ? MP_NIL
				    : c == 0xc1           ? MP_NONE
				    : c <= 0xc3           ? MP_BOOL
				    : c <= 0xc6           ? MP_BIN
				    : c <= 0xc9           ? MP_EXT
				    : c <= 0xcb           ? MP_FLOAT
				    : c <= 0xd3           ? MP_INT
				    : c <= 0xd8           ? MP_EXT
				    : c <= 0xdb           ? MP_STR
				    : c <= 0xdd           ? MP_ARRAY
							  : MP_MAP;

		assert_int_equal(mp_peek(&m), want);
	}
}

static void a_failure_sticks(void **state)
{
	struct mp m = mp_of(SLICE_LIT("\xc0\xa1x\xc3\x01"));
	struct slice s;
	uint32_t n;
	int64_t v;
	bool b;

	(void)state;
	assert_true(mp_nil(&m));
	assert_false(mp_nil(&m)); /* asks only */
	assert_false(m.bad);
	assert_true(mp_str(&m, &s) && slice_is(s, "x"));
	assert_false(mp_str(&m, &s));
	assert_true(m.bad);
	assert_int_equal(mp_peek(&m), MP_NONE);
	assert_false(mp_bool(&m, &b) || mp_int(&m, &v) || mp_array(&m, &n) || mp_map(&m, &n) || mp_bin(&m, &s) ||
		     mp_nil(&m) || mp_skip(&m, 5) || mp_raw(&m, 5, &s));
}

static void counts_beyond_the_bytes_are_refused(void **state)
{
	struct mp m;
	uint32_t n;

	(void)state;
	m = mp_of(SLICE_LIT("\xdd\xff\xff\xff\xff\x01"));
	assert_false(mp_array(&m, &n));
	m = mp_of(SLICE_LIT("\x82\x01\x01\x01"));
	assert_false(mp_map(&m, &n));
	m = mp_of(SLICE_LIT("\x81\x01\x01"));
	assert_true(mp_map(&m, &n) && n == 1);
	m = mp_of(SLICE_LIT("\x93\x01\x01"));
	assert_false(mp_array(&m, &n));
	m = mp_of(SLICE_LIT("\xdc\x00"));
	assert_false(mp_array(&m, &n));
	m = mp_of(SLICE_LIT("\xdb\xff\xff\xff\xffx"));
	assert_false(mp_skip(&m, 5));
}

static void a_raw_value_is_its_bytes(void **state)
{
	struct mp m = mp_of(SLICE_LIT("\x92\x01\x81\xa1k\xc0\x05"));
	struct slice raw;

	(void)state;
	assert_true(mp_raw(&m, 2, &raw));
	assert_int_equal(raw.len, 6);
	assert_true(mp_raw(&m, 0, &raw) && raw.len == 1);
	assert_false(mp_raw(&m, 0, &raw));
	m = mp_of(SLICE_LIT("\x92\x01\x81\xa1k\xc0\x05"));
	assert_false(mp_raw(&m, 1, &raw)); /* two levels */
	m = mp_of(SLICE_LIT("\x90"));
	assert_true(mp_raw(&m, 0, &raw)); /* an empty array holds none */
}

/* ---- scanning ---- */

/* Feeds the bytes one by one, each time as a longer prefix. */
static enum mp_scan_result scan_in_pieces(struct slice s, unsigned depth, size_t max, size_t *ret_pos)
{
	struct mp_scan scan;
	enum mp_scan_result rc = MP_SCAN_MORE;

	mp_scan_start(&scan, depth);
	for (size_t n = 0; n <= s.len && rc == MP_SCAN_MORE; n++) {
		struct slice part = tight(s.base, n);

		rc = mp_scan(&scan, part, max);
		drop(part);
	}
	*ret_pos = scan.pos;
	return rc;
}

/* Each value in its normal form, and in another. */
static void equal_values_have_one_normal_form(void **state)
{
#define BYTES(s)                                                                                                       \
	{                                                                                                              \
		s, sizeof(s) - 1                                                                                       \
	}
	static const struct {
		struct slice v[2];
	} same[] = {
		{ { BYTES("\x05"), BYTES("\xd3\0\0\0\0\0\0\0\x05") } },
		{ { BYTES("\xff"), BYTES("\xd1\xff\xff") } },
		{ { BYTES("\xa1x"), BYTES("\xda\0\x01x") } },
		{ { BYTES("\x91\xc0"), BYTES("\xdc\0\x01\xc0") } },
		{ { BYTES("\xcb\x3f\xf0\0\0\0\0\0\0"), BYTES("\xca\x3f\x80\0\0") } },
		{ { BYTES("\x82\xa1"
			  "a\x01\xa1"
			  "b\xc3"),
		    BYTES("\xde\0\x02\xa1"
			  "b\xc3\xa1"
			  "a\xcc\x01") } },
		{ { BYTES("\x91\x81\xa1m\x82\xa1y\x90\xa1z\x80"), BYTES("\x91\x81\xa1m\x82\xa1z\x80\xa1y\x90") } },
	};
#undef BYTES
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct buf out[2];

		for (int k = 0; k < 2; k++) {
			struct slice in = tight(same[i].v[k].base, same[i].v[k].len);
			struct mp m = mp_of(in);

			buf_init(&out[k], 64);
			assert_true(mp_put_normal(&out[k], &m, 4, &arena));
			assert_ptr_equal(m.p, m.end);
			drop(in);
		}
		assert_int_equal(slice_cmp(buf_slice(&out[0]), same[i].v[0]), 0);
		assert_int_equal(slice_cmp(buf_slice(&out[0]), buf_slice(&out[1])), 0);
		buf_free(&out[0]);
		buf_free(&out[1]);
	}
	arena_free(&arena);
}

static void what_is_cut_or_deep_has_no_normal_form(void **state)
{
	static const char *const bad[] = {
		"\x92\x01", "\x81\xa1k", "\x81\x01\x01", "\x91\x91\x91\x01", "\xd9", "\xc1"
	};
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct slice in = tight(bad[i], strlen(bad[i]));
		struct mp m = mp_of(in);
		struct buf b;

		buf_init(&b, 64);
		assert_false(mp_put_normal(&b, &m, 2, &arena));
		buf_free(&b);
		drop(in);
	}
	arena_free(&arena);
}

static void a_value_is_whole_at_its_last_byte(void **state)
{
	static const struct slice values[] = {
		SLICE_LIT("\x05"),
		SLICE_LIT("\xc0"),
		SLICE_LIT("\x90"),
		SLICE_LIT("\x80"),
		SLICE_LIT("\xa0"),
		SLICE_LIT("\xa3"
			  "abc"),
		SLICE_LIT("\xd9\x03"
			  "abc"),
		SLICE_LIT("\xc4\x00"),
		SLICE_LIT("\xc7\x02\x01"
			  "ab"),
		SLICE_LIT("\xd6\x01"
			  "abcd"),
		SLICE_LIT("\x92\x01\x92\x80\xa1x"),
		SLICE_LIT("\x82\xa1"
			  "a\x91\xc0\xa1"
			  "b\x81\x01\x02"),
		SLICE_LIT("\xdc\x00\x02\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xc2"),
		SLICE_LIT("\xdf\x00\x00\x00\x01\x01\x01"),
		SLICE_LIT("\xdd\x00\x00\x00\x00"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint8_t more[64];
		size_t pos;

		memcpy(more, values[i].base, values[i].len);
		more[values[i].len] = 0xc1; /* what follows is not looked at */
		assert_int_equal(scan_in_pieces(slice_of(more, values[i].len + 1), 4, 64, &pos), MP_SCAN_DONE);
		assert_int_equal(pos, values[i].len);
		if (values[i].len > 1) {
			assert_int_equal(scan_in_pieces(slice_of(more, values[i].len - 1), 4, 64, &pos), MP_SCAN_MORE);
			assert_int_equal(scan_in_pieces(values[i], 4, values[i].len - 1, &pos), MP_SCAN_BIG);
		}
		assert_int_equal(scan_in_pieces(values[i], 4, values[i].len, &pos), MP_SCAN_DONE);
	}
}

static void nesting_is_bounded(void **state)
{
	uint8_t deep[MP_SCAN_DEPTH + 2];
	size_t pos;

	(void)state;
	memset(deep, 0x91, sizeof(deep));
	for (unsigned depth = 0; depth <= MP_SCAN_DEPTH; depth++) {
		deep[depth] = 0xc0;
		assert_int_equal(scan_in_pieces(slice_of(deep, depth + 1), depth, 100, &pos), MP_SCAN_DONE);
		if (depth > 0)
			assert_int_equal(scan_in_pieces(slice_of(deep, depth + 1), depth - 1, 100, &pos), MP_SCAN_DEEP);
		deep[depth] = 0x91;
	}
}

static void what_cannot_fit_is_refused_before_it_arrives(void **state)
{
	size_t pos;

	(void)state;
	assert_int_equal(scan_in_pieces(SLICE_LIT("\xdb\x00\x00\x10\x00"), 4, 4096, &pos), MP_SCAN_BIG);
	assert_int_equal(scan_in_pieces(SLICE_LIT("\xdb\x00\x00\x0f\xfb"), 4, 4096, &pos), MP_SCAN_MORE);
	assert_int_equal(scan_in_pieces(SLICE_LIT("\xdd\xff\xff\xff\xff"), 4, 4096, &pos), MP_SCAN_BIG);
	assert_int_equal(scan_in_pieces(SLICE_LIT("\xdf\xff\xff\xff\xff"), 4, 4096, &pos), MP_SCAN_BIG);
	assert_int_equal(scan_in_pieces(SLICE_LIT("\xdf\x00\x00\x07\xfe"), 4, 4096, &pos), MP_SCAN_BIG);
	assert_int_equal(scan_in_pieces(SLICE_LIT("\xdf\x00\x00\x07\xfd"), 4, 4096, &pos), MP_SCAN_MORE);
	assert_int_equal(scan_in_pieces(SLICE_LIT("\xc6\xff\xff\xff\xff"), 4, 4096, &pos), MP_SCAN_BIG);
	assert_int_equal(scan_in_pieces(SLICE_LIT("\xc9\xff\xff\xff\xff"), 4, 4096, &pos), MP_SCAN_BIG);
	assert_int_equal(scan_in_pieces(SLICE_LIT("\xc1"), 4, 4096, &pos), MP_SCAN_BAD);
	assert_int_equal(scan_in_pieces(SLICE_LIT("\x92\x01\xc1"), 4, 4096, &pos), MP_SCAN_BAD);
}

/* ---- against msgpack-c ---- */

static void same_value(struct mp *m, const msgpack_object *o)
{
	struct slice s;
	uint32_t n;
	uint64_t u;
	int64_t v;
	double x;
	bool b;

	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		assert_true(mp_nil(m));
		return;
	case MSGPACK_OBJECT_BOOLEAN:
		assert_true(mp_bool(m, &b) && b == o->via.boolean);
		return;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		assert_true(mp_uint(m, &u) && u == o->via.u64);
		return;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		assert_true(mp_int(m, &v) && v == o->via.i64);
		return;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		assert_true(mp_float(m, &x) && (x == o->via.f64 || (isnan(x) && isnan(o->via.f64))));
		return;
	case MSGPACK_OBJECT_STR:
		assert_true(mp_str(m, &s) && slice_eq(s, slice_of(o->via.str.ptr, o->via.str.size)));
		return;
	case MSGPACK_OBJECT_BIN:
		assert_true(mp_bin(m, &s) && slice_eq(s, slice_of(o->via.bin.ptr, o->via.bin.size)));
		return;
	case MSGPACK_OBJECT_EXT:
		assert_int_equal(mp_peek(m), MP_EXT);
		assert_true(mp_skip(m, 0));
		return;
	case MSGPACK_OBJECT_ARRAY:
		assert_true(mp_array(m, &n) && n == o->via.array.size);
		for (uint32_t i = 0; i < n; i++)
			same_value(m, &o->via.array.ptr[i]);
		return;
	case MSGPACK_OBJECT_MAP:
		assert_true(mp_map(m, &n) && n == o->via.map.size);
		for (uint32_t i = 0; i < n; i++) {
			same_value(m, &o->via.map.ptr[i].key);
			same_value(m, &o->via.map.ptr[i].val);
		}
		return;
	}
}

/* Random bytes that tend to be values: many heads, short lengths. */
static size_t random_bytes(uint8_t *p, size_t max)
{
	static const uint8_t heads[] = { 0x00, 0x7f, 0x80, 0x81, 0x82, 0x90, 0x91, 0x93, 0x9f, 0xa0, 0xa3, 0xc0,
					 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc,
					 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8,
					 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff };
	size_t n = 1 + draw() % max;

	for (size_t i = 0; i < n; i++) {
		uint32_t r = draw() % 8;

		p[i] = (uint8_t)(r < 4 ? heads[draw() % sizeof(heads)] : r < 6 ? draw() % 4 : draw());
	}
	return n;
}

static void random_bytes_are_read_as_msgpack_c_reads_them(void **state)
{
	unsigned done = 0, nested = 0;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		uint8_t bytes[48] = { 0 };
		struct slice s;
		size_t n, off = 0, pos;
		struct mp_scan scan;
		enum mp_scan_result rc;
		msgpack_unpacked u;
		msgpack_unpack_return want;

		n = random_bytes(bytes, sizeof(bytes));
		s = tight(bytes, n);
		mp_scan_start(&scan, MP_SCAN_DEPTH);
		rc = mp_scan(&scan, s, s.len);
		pos = scan.pos;
		if (rc == MP_SCAN_DEEP || rc == MP_SCAN_BIG) {
			drop(s);
			continue;
		}
		msgpack_unpacked_init(&u);
		want = msgpack_unpack_next(&u, s.base, s.len, &off);
		assert_int_equal(rc == MP_SCAN_DONE,
				 want == MSGPACK_UNPACK_SUCCESS || want == MSGPACK_UNPACK_EXTRA_BYTES);
		assert_int_equal(rc == MP_SCAN_BAD, want == MSGPACK_UNPACK_PARSE_ERROR);
		if (rc == MP_SCAN_DONE) {
			struct mp m = mp_of(s);
			size_t in_pieces;

			assert_int_equal(pos, off);
			same_value(&m, &u.data);
			assert_int_equal(m.p - (const uint8_t *)s.base, pos);
			assert_int_equal(scan_in_pieces(s, MP_SCAN_DEPTH, s.len, &in_pieces), MP_SCAN_DONE);
			assert_int_equal(in_pieces, pos);
			done++;
			nested += pos > 4;
		}
		msgpack_unpacked_destroy(&u);
		drop(s);
	}
	assert_true(done > 50000 && nested > 1000);
}

/* ---- buffers ---- */

static void a_buffer_keeps_its_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 300);
	for (int i = 0; i < 300; i++)
		buf_byte(&b, (uint8_t)i);
	assert_false(b.failed);
	buf_byte(&b, 1);
	assert_true(b.failed);
	assert_int_equal(b.len, 300);
	buf_append(&b, "x", 1);
	assert_int_equal(b.len, 300);
	buf_reset(&b);
	mp_put_text(&b, SLICE_LIT("abc"));
	assert_int_equal(b.len, 4);
	assert_false(b.failed);
	buf_free(&b);
}

/* ---- UTF-8 ---- */

static bool valid_by_utf8proc(const uint8_t *p, size_t n)
{
	while (n > 0) {
		utf8proc_int32_t c;
		utf8proc_ssize_t k = utf8proc_iterate(p, (utf8proc_ssize_t)n, &c);

		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static void texts_are_valid_as_utf8proc_says(void **state)
{
	static const uint8_t edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
					 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff };
	enum { N = sizeof(edges) };
	uint8_t p[24];

	(void)state;
	for (unsigned i = 0; i < N * N * N * N; i++) {
		p[0] = edges[i % N];
		p[1] = edges[i / N % N];
		p[2] = edges[i / N / N % N];
		p[3] = edges[i / N / N / N];
		for (size_t n = 1; n <= 4; n++)
			assert_int_equal(utf8_valid(slice_of(p, n)), valid_by_utf8proc(p, n));
	}
	for (uint32_t c = 0; c < 0x110000; c++) {
		utf8proc_ssize_t n;

		memset(p, 'a', sizeof(p));
		n = utf8proc_encode_char((utf8proc_int32_t)c, p + c % 9);
		if (n > 0 && (c < 0xd800 || c >= 0xe000))
			assert_true(utf8_valid(slice_of(p, sizeof(p))));
	}
	for (int i = 0; i < 100000; i++) {
		size_t n = draw() % sizeof(p);

		for (size_t k = 0; k < n; k++)
			p[k] = (uint8_t)(draw() % 6 ? 'a' : edges[draw() % N]);
		assert_int_equal(utf8_valid(slice_of(p, n)), valid_by_utf8proc(p, n));
	}
	assert_true(utf8_valid(SLICE_NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_come_back_from_their_shortest_form),
		cmocka_unit_test(integers_are_read_from_any_form),
		cmocka_unit_test(numbers_that_do_not_fit_are_of_another_kind),
		cmocka_unit_test(floats_come_in_two_sizes),
		cmocka_unit_test(points_are_ints_when_whole),
		cmocka_unit_test(each_kind_is_told_by_its_first_byte),
		cmocka_unit_test(a_failure_sticks),
		cmocka_unit_test(counts_beyond_the_bytes_are_refused),
		cmocka_unit_test(a_raw_value_is_its_bytes),
		cmocka_unit_test(equal_values_have_one_normal_form),
		cmocka_unit_test(what_is_cut_or_deep_has_no_normal_form),
		cmocka_unit_test(a_value_is_whole_at_its_last_byte),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(what_cannot_fit_is_refused_before_it_arrives),
		cmocka_unit_test(random_bytes_are_read_as_msgpack_c_reads_them),
		cmocka_unit_test(a_buffer_keeps_its_ceiling),
		cmocka_unit_test(texts_are_valid_as_utf8proc_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
