#include "tests/lib/json.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/mp.h"

/* ---- text to JSON ---- */

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* Copies a text in either quotes, from its first quote; returns what follows. */
static const char *quoted(const char *p, struct buf *to)
{
	char quote = *p++;

	buf_byte(to, '"');
	for (; *p != '\0' && *p != quote; p++) {
		if (*p == '\\' && p[1] != '\0')
			buf_byte(to, (uint8_t)*p++);
		buf_byte(to, (uint8_t)*p);
	}
	buf_byte(to, '"');
	return *p == '\0' ? p : p + 1;
}

/* A bare word is a key when a colon follows. */
static const char *word(const char *p, struct buf *to)
{
	const char *end = p, *colon;

	while (is_name(*end))
		end++;
	for (colon = end; *colon == ' '; colon++)
		;
	if (*colon == ':')
		buf_byte(to, '"');
	buf_append(to, p, (size_t)(end - p));
	if (*colon == ':')
		buf_byte(to, '"');
	return end;
}

static void make_strict(const char *p, struct buf *to)
{
	while (*p != '\0') {
		if (*p == '\'' || *p == '"')
			p = quoted(p, to);
		else if (isalpha((unsigned char)*p) || *p == '_')
			p = word(p, to);
		else
			buf_byte(to, (uint8_t)*p++);
	}
	buf_byte(to, '\0');
}

json_t *json_va(const char *fmt, va_list ap)
{
	json_error_t error;
	struct buf strict;
	json_t *value;
	char *text;

	assert_true(vasprintf(&text, fmt, ap) >= 0);
	buf_init(&strict, 1 << 24);
	make_strict(text, &strict);
	value = json_loads((const char *)strict.base, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (value == NULL)
		fail_msg("not JSON (%s): %s", error.text, text);
	buf_free(&strict);
	free(text);
	return value;
}

json_t *json_of(const char *fmt, ...)
{
	json_t *value;
	va_list ap;

	va_start(ap, fmt);
	value = json_va(fmt, ap);
	va_end(ap);
	return value;
}

/* ---- msgpack ---- */

static void pack_map(struct buf *b, const json_t *map)
{
	const char *key;
	json_t *value;

	mp_put_map(b, (uint32_t)json_object_size(map));
	json_object_foreach((json_t *)map, key, value)
	{
		mp_put_text(b, slice_str(key));
		json_pack_to(b, value);
	}
}

void json_pack_to(struct buf *b, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_NULL:
		mp_put_nil(b);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		mp_put_bool(b, json_is_true(v));
		break;
	case JSON_INTEGER:
		mp_put_int64(b, json_integer_value(v));
		break;
	case JSON_REAL:
		mp_put_double(b, json_real_value(v));
		break;
	case JSON_STRING:
		mp_put_text(b, slice_of(json_string_value(v), json_string_length(v)));
		break;
	case JSON_ARRAY:
		mp_put_array(b, (uint32_t)json_array_size(v));
		for (size_t i = 0; i < json_array_size(v); i++)
			json_pack_to(b, json_array_get(v, i));
		break;
	case JSON_OBJECT:
		pack_map(b, v);
		break;
	}
}

static json_t *unpack(struct mp *m)
{
	struct slice text;
	int64_t i;
	uint32_t n;
	json_t *v;
	double x;
	bool b;

	switch (mp_peek(m)) {
	case MP_NIL:
		mp_nil(m);
		return json_null();
	case MP_BOOL:
		assert_true(mp_bool(m, &b));
		return json_boolean(b);
	case MP_INT:
		assert_true(mp_int(m, &i));
		return json_integer(i);
	case MP_FLOAT:
		assert_true(mp_float(m, &x));
		return json_real(x);
	case MP_STR:
		assert_true(mp_str(m, &text));
		return json_stringn(text.base, text.len);
	case MP_ARRAY:
		assert_true(mp_array(m, &n));
		for (v = json_array(); n > 0; n--)
			json_array_append_new(v, unpack(m));
		return v;
	case MP_MAP:
		assert_true(mp_map(m, &n));
		for (v = json_object(); n > 0; n--) {
			assert_true(mp_str(m, &text));
			if (json_object_getn(v, text.base, text.len) != NULL)
				fail_msg("key %.*s is there twice", SLICE_FMT(text));
			json_object_setn_new(v, text.base, text.len, unpack(m));
		}
		return v;
	default:
		assert_true(mp_skip(m, 16));
		return json_string("(bytes)");
	}
}

json_t *json_unpacked(struct slice packed)
{
	struct mp m = mp_of(packed);
	json_t *value = unpack(&m);

	assert_false(m.bad);
	assert_ptr_equal(m.p, m.end);
	return value;
}

/* ---- comparing ---- */

static bool array_has(const json_t *have, const json_t *want)
{
	if (json_array_size(have) != json_array_size(want))
		return false;
	for (size_t i = 0; i < json_array_size(want); i++)
		if (!json_has(json_array_get(have, i), json_array_get(want, i)))
			return false;
	return true;
}

bool json_has(const json_t *have, const json_t *want)
{
	const char *key;
	json_t *value;

	if (json_is_array(want))
		return json_is_array(have) && array_has(have, want);
	if (!json_is_object(want))
		return json_equal(have, want);
	if (!json_is_object(have))
		return false;
	json_object_foreach((json_t *)want, key, value)
	{
		const json_t *mine = json_object_get(have, key);

		if (mine == NULL || !json_has(mine, value))
			return false;
	}
	return true;
}

char *json_print(const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;

	return text ? text : strdup("(nothing)");
}
