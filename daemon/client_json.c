#include "daemon/client_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "daemon/client_format.h"
#include "daemon/client_utf8.h"

#define JSON_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

/* ---- writing ---- */

struct writer {
	FILE *out;
	bool pretty;
	unsigned depth;
};

static void write_value(struct writer *w, const msgpack_object *object);

static void write_raw(FILE *out, uint32_t character)
{
	char bytes[4];
	size_t len = client_utf8_put(bytes, character);

	fwrite(bytes, 1, len, out);
}

static void write_character(FILE *out, uint32_t character)
{
	if (character == '"' || character == '\\')
		fprintf(out, "\\%c", (int)character);
	else if (character == '\n')
		fputs("\\n", out);
	else if (character == '\t')
		fputs("\\t", out);
	else if (character < 0x20 || (character >= 0x7F && character < 0xA0))
		fprintf(out, "\\u%04x", (unsigned)character);
	else
		write_raw(out, character);
}

static void write_text(FILE *out, const char *text, size_t len)
{
	uint32_t character;

	putc('"', out);
	for (size_t at = 0; at < len;) {
		at += client_utf8_next(text + at, len - at, &character);
		write_character(out, character);
	}
	putc('"', out);
}

static void write_base64(FILE *out, const char *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)bytes;

	putc('"', out);
	for (size_t at = 0; at < len; at += 3) {
		size_t left = len - at;
		uint32_t three =
			(uint32_t)p[at] << 16 | (left > 1 ? (uint32_t)p[at + 1] << 8 : 0) | (left > 2 ? p[at + 2] : 0);

		putc(digits[three >> 18], out);
		putc(digits[three >> 12 & 63], out);
		putc(left > 1 ? digits[three >> 6 & 63] : '=', out);
		putc(left > 2 ? digits[three & 63] : '=', out);
	}
	putc('"', out);
}

static void write_real(FILE *out, double number)
{
	char text[CLIENT_FORMAT_MAX];

	fputs(isfinite(number) ? client_format_real(text, number) : "null", out);
}

static void write_break(struct writer *w)
{
	if (!w->pretty)
		return;
	putc('\n', w->out);
	for (unsigned i = 0; i < w->depth; i++)
		fputs("  ", w->out);
}

static void write_array(struct writer *w, const msgpack_object_array *array)
{
	putc('[', w->out);
	w->depth++;
	for (uint32_t i = 0; i < array->size; i++) {
		if (i > 0)
			putc(',', w->out);
		write_break(w);
		write_value(w, &array->ptr[i]);
	}
	w->depth--;
	if (array->size > 0)
		write_break(w);
	putc(']', w->out);
}

static void write_key(struct writer *w, const msgpack_object *key)
{
	char *text;

	if (key->type == MSGPACK_OBJECT_STR || key->type == MSGPACK_OBJECT_BIN || key->type == MSGPACK_OBJECT_EXT) {
		write_value(w, key);
		return;
	}
	text = client_json_text(key, CLIENT_JSON_COMPACT);
	write_text(w->out, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
	free(text);
}

static void write_map(struct writer *w, const msgpack_object_map *map)
{
	putc('{', w->out);
	w->depth++;
	for (uint32_t i = 0; i < map->size; i++) {
		if (i > 0)
			putc(',', w->out);
		write_break(w);
		write_key(w, &map->ptr[i].key);
		fputs(w->pretty ? ": " : ":", w->out);
		write_value(w, &map->ptr[i].val);
	}
	w->depth--;
	if (map->size > 0)
		write_break(w);
	putc('}', w->out);
}

/* Recursion is bounded: the msgpack parser refuses what is nested deeper than 32. */
static void write_value(struct writer *w, const msgpack_object *object)
{
	switch (object->type) {
	case MSGPACK_OBJECT_NIL:
		fputs("null", w->out);
		break;
	case MSGPACK_OBJECT_BOOLEAN:
		fputs(object->via.boolean ? "true" : "false", w->out);
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		fprintf(w->out, "%" PRIu64, object->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		fprintf(w->out, "%" PRId64, object->via.i64);
		break;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		write_real(w->out, object->via.f64);
		break;
	case MSGPACK_OBJECT_STR:
		write_text(w->out, object->via.str.ptr, object->via.str.size);
		break;
	case MSGPACK_OBJECT_BIN:
		write_base64(w->out, object->via.bin.ptr, object->via.bin.size);
		break;
	case MSGPACK_OBJECT_EXT:
		write_base64(w->out, object->via.ext.ptr, object->via.ext.size);
		break;
	case MSGPACK_OBJECT_ARRAY:
		write_array(w, &object->via.array);
		break;
	case MSGPACK_OBJECT_MAP:
		write_map(w, &object->via.map);
		break;
	}
}

void client_json_print(FILE *out, const msgpack_object *object, enum client_json_style style)
{
	struct writer w = { .out = out, .pretty = style == CLIENT_JSON_PRETTY };

	write_value(&w, object);
}

char *client_json_text(const msgpack_object *object, enum client_json_style style)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	client_json_print(out, object, style);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- reading ---- */

static void pack_value(struct client_params *params, const json_t *value);

static void pack_text(struct client_params *params, const char *text, size_t len)
{
	client_params_check(params, msgpack_pack_str(&params->packer, len));
	client_params_check(params, msgpack_pack_str_body(&params->packer, text, len));
}

static void pack_array(struct client_params *params, const json_t *array)
{
	client_params_check(params, msgpack_pack_array(&params->packer, json_array_size(array)));
	for (size_t i = 0; i < json_array_size(array); i++)
		pack_value(params, json_array_get(array, i));
}

static void pack_object(struct client_params *params, json_t *object)
{
	const char *key;
	json_t *value;

	client_params_check(params, msgpack_pack_map(&params->packer, json_object_size(object)));
	json_object_foreach(object, key, value)
	{
		pack_text(params, key, strlen(key));
		pack_value(params, value);
	}
}

/* Recursion is bounded: jansson refuses what is nested deeper than 2048. */
static void pack_value(struct client_params *params, const json_t *value)
{
	msgpack_packer *packer = &params->packer;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		pack_object(params, (json_t *)value);
		break;
	case JSON_ARRAY:
		pack_array(params, value);
		break;
	case JSON_STRING:
		pack_text(params, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		client_params_check(params, msgpack_pack_int64(packer, json_integer_value(value)));
		break;
	case JSON_REAL:
		client_params_check(params, msgpack_pack_double(packer, json_real_value(value)));
		break;
	case JSON_TRUE:
		client_params_check(params, msgpack_pack_true(packer));
		break;
	case JSON_FALSE:
		client_params_check(params, msgpack_pack_false(packer));
		break;
	case JSON_NULL:
		client_params_check(params, msgpack_pack_nil(packer));
		break;
	}
}

int client_json_params(struct client_params *params, const char *text, size_t len, struct client_error *err)
{
	json_error_t why;
	json_t *object = json_loadb(text, len, JSON_FLAGS, &why);
	const char *key;
	json_t *value;

	if (object == NULL)
		return client_error_set(err, CLIENT_BAD_INPUT, "params are not JSON: %s (line %d, column %d)", why.text,
					why.line, why.column);
	if (!json_is_object(object)) {
		json_decref(object);
		return client_error_set(err, CLIENT_BAD_INPUT, "params must be a JSON object, {...}");
	}
	json_object_foreach(object, key, value)
	{
		client_params_key(params, key, strlen(key));
		pack_value(params, value);
	}
	json_decref(object);
	return 0;
}

static bool word_is_repeated(const char *const *words, size_t index, size_t key_len)
{
	for (size_t i = 0; i < index; i++) {
		if (strncmp(words[i], words[index], key_len + 1) == 0)
			return true;
	}
	return false;
}

static int add_word(struct client_params *params, const char *const *words, size_t index, struct client_error *err)
{
	const char *word = words[index];
	const char *equals = strchr(word, '=');
	json_error_t why;
	json_t *value;

	if (equals == NULL || equals == word)
		return client_error_set(err, CLIENT_BAD_INPUT, "'%s' is neither key=value nor a JSON object", word);
	if (word_is_repeated(words, index, (size_t)(equals - word)))
		return client_error_set(err, CLIENT_BAD_INPUT, "'%.*s' is given twice", (int)(equals - word), word);
	value = json_loads(equals + 1, JSON_FLAGS, &why);
	if (value == NULL && json_error_code(&why) == json_error_numeric_overflow)
		return client_error_set(err, CLIENT_BAD_INPUT, "the number in '%s' is too large", word);
	client_params_key(params, word, (size_t)(equals - word));
	if (value != NULL)
		pack_value(params, value);
	else
		pack_text(params, equals + 1, strlen(equals + 1));
	json_decref(value);
	return 0;
}

int client_json_words(struct client_params *params, const char *const *words, size_t n, struct client_error *err)
{
	for (size_t i = 0; i < n; i++) {
		int rc = add_word(params, words, i, err);

		if (rc != 0)
			return rc;
	}
	return 0;
}
