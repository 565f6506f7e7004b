#include "daemon/export_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "core/points.h"
#include "daemon/client_format.h"
#include "log/base64.h"

struct writer {
	struct buf *text, *echo;
	struct mp *m;
};

static bool put_value(struct writer *w, unsigned depth);

static void put(struct writer *w, const char *text)
{
	buf_append(w->text, text, strlen(text));
}

/* ---- texts ---- */

static bool needs_escape(uint8_t c)
{
	return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

static void put_escape(struct writer *w, uint8_t c)
{
	char escape[8];

	if (c == '"' || c == '\\')
		snprintf(escape, sizeof(escape), "\\%c", c);
	else
		snprintf(escape, sizeof(escape), "\\u%04x", c);
	put(w, escape);
}

static void put_text(struct writer *w, struct slice s)
{
	const uint8_t *p = s.base;
	size_t from = 0;

	buf_byte(w->text, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (!needs_escape(p[i]))
			continue;
		buf_append(w->text, p + from, i - from);
		put_escape(w, p[i]);
		from = i + 1;
	}
	buf_append(w->text, p + from, s.len - from);
	buf_byte(w->text, '"');
}

static void put_bytes(struct writer *w, struct slice bytes)
{
	size_t n = base64_size(bytes.len);
	struct slice encoded;

	buf_byte(w->text, '"');
	if (!buf_room(w->text, n + 1))
		return;
	base64_put(bytes, (char *)w->text->base + w->text->len);
	encoded = slice_of(w->text->base + w->text->len, n);
	w->text->len += n;
	mp_put_text(w->echo, encoded);
	buf_byte(w->text, '"');
}

/* Bytes that are no UTF-8 are no text either. */
static void put_str(struct writer *w, struct slice s)
{
	if (!utf8_valid(s)) {
		put_bytes(w, s);
		return;
	}
	put_text(w, s);
	mp_put_text(w->echo, s);
}

/* ---- numbers ---- */

static void put_real(struct writer *w, double x)
{
	char text[CLIENT_FORMAT_MAX];
	int64_t thousandths;

	if (!isfinite(x)) {
		put(w, "null");
		mp_put_nil(w->echo);
		return;
	}
	/* Most reals are points, which are written as such much faster. */
	if (points_from_double(x, &thousandths) && !points_whole(thousandths))
		points_print(thousandths, text);
	else
		client_format_real(text, x);
	put(w, text);
	mp_put_double(w->echo, x);
}

static void put_digits(struct writer *w, uint64_t v, bool negative)
{
	char digits[24], *p = digits + sizeof(digits);

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	if (negative)
		*--p = '-';
	buf_append(w->text, p, (size_t)(digits + sizeof(digits) - p));
}

static bool put_int(struct writer *w)
{
	struct mp before = *w->m;
	uint64_t u;
	int64_t i;

	if (mp_int(w->m, &i)) {
		put_digits(w, i < 0 ? -(uint64_t)i : (uint64_t)i, i < 0);
		mp_put_int64(w->echo, i);
		return true;
	}
	*w->m = before;
	if (!mp_uint(w->m, &u))
		return false;
	put_real(w, (double)u);
	return true;
}

/* ---- what holds others ---- */

static bool put_array(struct writer *w, unsigned depth)
{
	uint32_t n;

	if (depth == 0 || !mp_array(w->m, &n))
		return false;
	mp_put_array(w->echo, n);
	buf_byte(w->text, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			buf_byte(w->text, ',');
		if (!put_value(w, depth - 1))
			return false;
	}
	buf_byte(w->text, ']');
	return true;
}

static bool is_among(struct slice name, const struct slice *names, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (slice_eq(names[i], name))
			return true;
	return false;
}

/* *ret_odd: stopped at a name that is there already, or is no text. */
static bool put_pairs(struct writer *w, uint32_t n, unsigned depth, bool *ret_odd)
{
	struct slice names[EXPORT_JSON_NAMES];

	for (uint32_t i = 0; i < n; i++) {
		*ret_odd = *ret_odd || mp_peek(w->m) != MP_STR || !mp_str(w->m, &names[i]) || !utf8_valid(names[i]) ||
			   is_among(names[i], names, i);
		if (*ret_odd)
			return true;
		if (i > 0)
			buf_byte(w->text, ',');
		put_str(w, names[i]);
		buf_byte(w->text, ':');
		if (!put_value(w, depth - 1))
			return false;
	}
	return true;
}

static bool put_map(struct writer *w, unsigned depth)
{
	struct mp before = *w->m;
	size_t text = w->text->len, echo = w->echo->len;
	struct slice packed;
	bool odd;
	uint32_t n;

	if (depth == 0 || !mp_map(w->m, &n))
		return false;
	odd = n > EXPORT_JSON_NAMES;
	mp_put_map(w->echo, n);
	buf_byte(w->text, '{');
	if (!odd && !put_pairs(w, n, depth, &odd))
		return false;
	if (!odd) {
		buf_byte(w->text, '}');
		return true;
	}
	if (w->text->failed || w->echo->failed)
		return true;
	buf_truncate(w->text, text);
	buf_truncate(w->echo, echo);
	*w->m = before;
	if (!mp_raw(w->m, EXPORT_JSON_DEPTH, &packed))
		return false;
	put_bytes(w, packed);
	return true;
}

static bool put_value(struct writer *w, unsigned depth)
{
	struct slice s;
	double x;
	bool is;

	switch (mp_peek(w->m)) {
	case MP_NIL:
		mp_nil(w->m);
		put(w, "null");
		mp_put_nil(w->echo);
		return true;
	case MP_BOOL:
		if (!mp_bool(w->m, &is))
			return false;
		put(w, is ? "true" : "false");
		mp_put_bool(w->echo, is);
		return true;
	case MP_INT:
		return put_int(w);
	case MP_FLOAT:
		if (!mp_float(w->m, &x))
			return false;
		put_real(w, x);
		return true;
	case MP_STR:
		if (!mp_str(w->m, &s))
			return false;
		put_str(w, s);
		return true;
	case MP_BIN:
		if (!mp_bin(w->m, &s))
			return false;
		put_bytes(w, s);
		return true;
	case MP_ARRAY:
		return put_array(w, depth);
	case MP_MAP:
		return put_map(w, depth);
	case MP_EXT:
		if (!mp_skip(w->m, 0))
			return false;
		put(w, "null");
		mp_put_nil(w->echo);
		return true;
	case MP_NONE:
		break;
	}
	return false;
}

bool export_json_put(struct buf *text, struct buf *ret_echo, struct mp *m)
{
	struct writer w = { text, ret_echo, m };

	return put_value(&w, EXPORT_JSON_DEPTH);
}
