#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "daemon/client_utf8.h"
#include "daemon/export_json.h"

/* Numbers of at most so many digits are exact as an integer and a power of ten, and so is their quotient. */
enum { EXACT_DIGITS = 15, NUMBER_MAX = 400, HEAD_MAX = 5 };
static const double tens[EXACT_DIGITS + 1] = { 1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
					       1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };

struct reader {
	const uint8_t *p, *end;
	struct buf *out;
	const char *why;
};

static bool fail(struct reader *r, const char *why)
{
	r->why = why;
	return false;
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (r->p == r->end || *r->p != (uint8_t)c)
		return false;
	r->p++;
	return true;
}

static bool is_digit(const struct reader *r)
{
	return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

/* ---- texts ---- */

static bool hex4(struct reader *r, uint32_t *ret)
{
	*ret = 0;
	if (r->end - r->p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		uint8_t c = *r->p++;

		if (c >= '0' && c <= '9')
			c = (uint8_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			c = (uint8_t)((c | 0x20) - 'a' + 10);
		else
			return false;
		*ret = *ret << 4 | c;
	}
	return true;
}

/* Behind "\u". Half of a pair is no character. */
static bool take_unicode(struct reader *r, uint32_t *ret)
{
	uint32_t low;

	if (!hex4(r, ret))
		return fail(r, "an escape that is none");
	if (*ret < 0xd800 || *ret > 0xdfff)
		return true;
	if (*ret > 0xdbff || r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
		return fail(r, "half a surrogate pair");
	r->p += 2;
	if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
		return fail(r, "half a surrogate pair");
	*ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

/* Behind a backslash: appends the character. */
static bool take_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	uint32_t character;
	char bytes[4];

	if (r->p == r->end)
		return fail(r, "a text that does not end");
	if (*r->p == 'u') {
		r->p++;
		if (!take_unicode(r, &character))
			return false;
		buf_append(r->out, bytes, client_utf8_put(bytes, character));
		return true;
	}
	at = *r->p != '\0' ? strchr(from, *r->p) : NULL;
	if (at == NULL)
		return fail(r, "an escape that is none");
	r->p++;
	buf_byte(r->out, (uint8_t)to[at - from]);
	return true;
}

/* Puts a head of the size that it takes before the bytes that were appended since `at`. */
static void put_head(struct buf *out, size_t at, void (*put)(struct buf *b, size_t n), size_t n)
{
	uint8_t bytes[HEAD_MAX] = { 0 };
	struct buf head = { .base = bytes, .cap = sizeof(bytes), .max = sizeof(bytes) };

	put(&head, n);
	if (!buf_room(out, head.len))
		return;
	memmove(out->base + at + head.len, out->base + at, out->len - at);
	memcpy(out->base + at, bytes, head.len);
	out->len += head.len;
}

static void put_str_head(struct buf *b, size_t n)
{
	mp_put_str(b, n);
}

static void put_map_head(struct buf *b, size_t n)
{
	mp_put_map(b, n);
}

static void put_array_head(struct buf *b, size_t n)
{
	mp_put_array(b, n);
}

/* Bytes of a text up to what ends it or needs a look. */
static size_t plain_length(const struct reader *r)
{
	const uint8_t *p = r->p;

	while (p < r->end && *p != '"' && *p != '\\' && *p >= 0x20)
		p++;
	return (size_t)(p - r->p);
}

/* Behind the opening quote. The text is UTF-8: all of it was looked at before. */
static bool take_text(struct reader *r)
{
	size_t at = r->out->len, n = plain_length(r);

	if (r->p + n < r->end && r->p[n] == '"') {
		mp_put_text(r->out, slice_of(r->p, n));
		r->p += n + 1;
		return true;
	}
	for (;;) {
		n = plain_length(r);
		buf_append(r->out, r->p, n);
		r->p += n;
		if (r->p == r->end || *r->p < 0x20)
			return fail(r, "a text that does not end");
		if (*r->p++ == '"')
			break;
		if (!take_escape(r))
			return false;
	}
	if (!r->out->failed)
		put_head(r->out, at, put_str_head, r->out->len - at);
	return true;
}

/* ---- numbers ---- */

struct number {
	const uint8_t *from;
	bool negative, whole, overflow;
	uint64_t digits; /* as one integer */
	unsigned n_digits, n_decimals;
};

static void take_digits(struct reader *r, struct number *n)
{
	for (; is_digit(r); r->p++) {
		n->overflow |= __builtin_mul_overflow(n->digits, 10, &n->digits) ||
			       __builtin_add_overflow(n->digits, (uint64_t)(*r->p - '0'), &n->digits);
		n->n_digits++;
		n->n_decimals += !n->whole;
	}
}

static bool take_exponent(struct reader *r)
{
	r->p++;
	if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
		r->p++;
	if (!is_digit(r))
		return false;
	while (is_digit(r))
		r->p++;
	return true;
}

static bool put_whole(struct reader *r, const struct number *n)
{
	if (n->overflow || n->digits > (uint64_t)INT64_MAX + n->negative)
		return fail(r, "an integer that is too large");
	mp_put_int64(r->out, (int64_t)(n->negative ? -n->digits : n->digits));
	return true;
}

static bool put_real(struct reader *r, const struct number *n, bool exponent)
{
	char text[NUMBER_MAX + 1];
	size_t len = (size_t)(r->p - n->from);
	double x;

	if (!exponent && n->n_digits <= EXACT_DIGITS) {
		x = (double)n->digits / tens[n->n_decimals];
		mp_put_double(r->out, n->negative ? -x : x);
		return true;
	}
	if (len > NUMBER_MAX)
		return fail(r, "a number that is too long");
	memcpy(text, n->from, len);
	text[len] = '\0';
	x = strtod(text, NULL);
	if (isinf(x))
		return fail(r, "a number that is too large");
	mp_put_double(r->out, x);
	return true;
}

static bool take_number(struct reader *r)
{
	struct number n = { .from = r->p, .whole = true };
	bool zero, exponent = false;

	if (*r->p == '-') {
		n.negative = true;
		r->p++;
	}
	zero = r->p < r->end && *r->p == '0';
	take_digits(r, &n);
	if (n.n_digits == 0 || (zero && n.n_digits > 1))
		return fail(r, "a number that is none");
	if (r->p < r->end && *r->p == '.') {
		n.whole = false;
		r->p++;
		take_digits(r, &n);
		if (n.n_decimals == 0)
			return fail(r, "a number that is none");
	}
	if (r->p < r->end && (*r->p | 0x20) == 'e') {
		exponent = true;
		if (!take_exponent(r))
			return fail(r, "a number that is none");
	}
	return n.whole && !exponent ? put_whole(r, &n) : put_real(r, &n, exponent);
}

/* ---- what holds others ---- */

static bool take_value(struct reader *r, unsigned depth);

static bool take_array(struct reader *r, unsigned depth)
{
	size_t at = r->out->len, n = 0;

	if (depth == 0)
		return fail(r, "values nested too deep");
	while (!take(r, ']')) {
		if (n > 0 && !take(r, ','))
			return fail(r, "an array that does not go on");
		if (!take_value(r, depth - 1))
			return false;
		n++;
	}
	if (!r->out->failed)
		put_head(r->out, at, put_array_head, n);
	return true;
}

/* Where the packed names of an object stand, from its first pair. */
struct names {
	size_t n, at[EXPORT_JSON_NAMES], len[EXPORT_JSON_NAMES];
};

static bool is_new(const struct buf *out, size_t base, const struct names *names, size_t at)
{
	struct slice name = slice_of(out->base + base + at, out->len - base - at);

	for (size_t i = 0; i < names->n; i++)
		if (slice_eq(slice_of(out->base + base + names->at[i], names->len[i]), name))
			return false;
	return true;
}

static bool take_pair(struct reader *r, size_t base, struct names *names, unsigned depth)
{
	size_t at = r->out->len - base;

	if (names->n == EXPORT_JSON_NAMES)
		return fail(r, "an object of too many names");
	if (!take(r, '"'))
		return fail(r, "an object that does not go on");
	if (!take_text(r))
		return false;
	if (r->out->failed)
		return true;
	if (!is_new(r->out, base, names, at))
		return fail(r, "a name that is there twice");
	names->at[names->n] = at;
	names->len[names->n++] = r->out->len - base - at;
	return take(r, ':') ? take_value(r, depth) : fail(r, "a name without a value");
}

static bool take_object(struct reader *r, unsigned depth)
{
	size_t base = r->out->len;
	struct names names;

	names.n = 0;
	if (depth == 0)
		return fail(r, "values nested too deep");
	while (!take(r, '}')) {
		if (r->out->failed)
			return true;
		if (names.n > 0 && !take(r, ','))
			return fail(r, "an object that does not go on");
		if (!take_pair(r, base, &names, depth - 1))
			return false;
	}
	if (!r->out->failed)
		put_head(r->out, base, put_map_head, names.n);
	return true;
}

static bool take_word(struct reader *r, struct slice word, uint8_t packed)
{
	if (!slice_starts(slice_of(r->p, (size_t)(r->end - r->p)), word))
		return fail(r, "a value that is none");
	r->p += word.len;
	buf_byte(r->out, packed);
	return true;
}

static bool take_value(struct reader *r, unsigned depth)
{
	skip_space(r);
	if (r->p == r->end)
		return fail(r, "a value that is missing");
	switch (*r->p) {
	case '{':
		r->p++;
		return take_object(r, depth);
	case '[':
		r->p++;
		return take_array(r, depth);
	case '"':
		r->p++;
		return take_text(r);
	case 'n':
		return take_word(r, SLICE_LIT("null"), 0xc0);
	case 'f':
		return take_word(r, SLICE_LIT("false"), 0xc2);
	case 't':
		return take_word(r, SLICE_LIT("true"), 0xc3);
	default:
		return *r->p == '-' || is_digit(r) ? take_number(r) : fail(r, "a value that is none");
	}
}

bool export_json_get(struct slice text, struct buf *ret, const char **ret_why)
{
	const uint8_t *p = text.base;
	struct reader r = { p, p + text.len, ret, NULL };
	bool ok = utf8_valid(text) ? true : fail(&r, "bytes that are no UTF-8");

	if (ok && !take(&r, '{'))
		ok = fail(&r, "no object");
	ok = ok && take_object(&r, EXPORT_JSON_DEPTH);
	skip_space(&r);
	if (ok && !ret->failed && r.p < r.end)
		ok = fail(&r, "something behind the object");
	*ret_why = r.why;
	return ok;
}
