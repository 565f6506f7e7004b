#include "daemon/client_object.h"

#include <math.h>
#include <string.h>

const msgpack_object *client_object_get(const msgpack_object *map, const char *key)
{
	if (map == NULL || map->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object_kv *entry = &map->via.map.ptr[i];

		if (client_text_is(client_object_as_text(&entry->key), key))
			return entry->val.type == MSGPACK_OBJECT_NIL ? NULL : &entry->val;
	}
	return NULL;
}

size_t client_object_length(const msgpack_object *array)
{
	return array != NULL && array->type == MSGPACK_OBJECT_ARRAY ? array->via.array.size : 0;
}

const msgpack_object *client_object_at(const msgpack_object *array, size_t index)
{
	return index < client_object_length(array) ? &array->via.array.ptr[index] : NULL;
}

int64_t client_object_int(const msgpack_object *map, const char *key, int64_t fallback)
{
	const msgpack_object *value = client_object_get(map, key);

	if (value == NULL)
		return fallback;
	if (value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		return value->via.i64;
	if (value->type == MSGPACK_OBJECT_POSITIVE_INTEGER && value->via.u64 <= INT64_MAX)
		return (int64_t)value->via.u64;
	return fallback;
}

uint64_t client_object_uint(const msgpack_object *map, const char *key, uint64_t fallback)
{
	const msgpack_object *value = client_object_get(map, key);

	if (value == NULL || value->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return fallback;
	return value->via.u64;
}

static bool object_number(const msgpack_object *value, double *ret)
{
	if (value == NULL)
		return false;
	switch (value->type) {
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		*ret = (double)value->via.u64;
		return true;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		*ret = (double)value->via.i64;
		return true;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		*ret = value->via.f64;
		return true;
	default:
		return false;
	}
}

double client_object_real(const msgpack_object *map, const char *key, double fallback)
{
	double number;

	return object_number(client_object_get(map, key), &number) ? number : fallback;
}

bool client_object_bool(const msgpack_object *map, const char *key, bool fallback)
{
	const msgpack_object *value = client_object_get(map, key);

	return value != NULL && value->type == MSGPACK_OBJECT_BOOLEAN ? value->via.boolean : fallback;
}

struct client_text client_object_text(const msgpack_object *map, const char *key)
{
	return client_object_as_text(client_object_get(map, key));
}

struct client_text client_object_as_text(const msgpack_object *object)
{
	if (object == NULL || object->type != MSGPACK_OBJECT_STR)
		return (struct client_text){ NULL, 0 };
	if (object->via.str.ptr == NULL)
		return (struct client_text){ "", 0 };
	return (struct client_text){ object->via.str.ptr, object->via.str.size };
}

bool client_text_is(struct client_text text, const char *other)
{
	return text.base != NULL && text.len == strlen(other) && memcmp(text.base, other, text.len) == 0;
}

bool client_object_milli(const msgpack_object *object, int64_t *ret_milli)
{
	double number;

	if (!object_number(object, &number) || !(fabs(number) < 9.2e15))
		return false;
	if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
		*ret_milli = (int64_t)object->via.u64 * 1000;
	else if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		*ret_milli = object->via.i64 * 1000;
	else
		*ret_milli = llround(number * 1000.0);
	return true;
}

msgpack_object client_object_of_text(const char *text)
{
	msgpack_object object = { .type = MSGPACK_OBJECT_STR };

	object.via.str.ptr = text;
	object.via.str.size = (uint32_t)strlen(text);
	return object;
}

msgpack_object client_object_of_map(msgpack_object_kv *entries, uint32_t n)
{
	msgpack_object object = { .type = MSGPACK_OBJECT_MAP };

	object.via.map.ptr = entries;
	object.via.map.size = n;
	return object;
}

msgpack_object client_object_of_array(msgpack_object *items, uint32_t n)
{
	msgpack_object object = { .type = MSGPACK_OBJECT_ARRAY };

	object.via.array.ptr = items;
	object.via.array.size = n;
	return object;
}

msgpack_object client_object_or_nil(const msgpack_object *object)
{
	return object != NULL ? *object : (msgpack_object){ .type = MSGPACK_OBJECT_NIL };
}

static int append(void *data, const char *bytes, size_t n)
{
	struct buf *b = data;

	buf_append(b, bytes, n);
	return b->failed ? -1 : 0;
}

void client_object_put(struct buf *b, const msgpack_object *object)
{
	msgpack_packer packer;

	msgpack_packer_init(&packer, b, append);
	msgpack_pack_object(&packer, client_object_or_nil(object));
}
