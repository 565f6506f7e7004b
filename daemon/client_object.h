#ifndef DAEMON_CLIENT_OBJECT_H
#define DAEMON_CLIENT_OBJECT_H

/*
 * Reading what the daemon answered, without trusting it: every function takes any object, also NULL
 * or of another type, and then says "absent". Everything returned is borrowed from the message.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "core/buf.h"

struct client_text {
	const char *base; /* not terminated; NULL when absent */
	size_t len;
};

/* The value under key; NULL if there is none, if it is nil, or if map is no map. */
const msgpack_object *client_object_get(const msgpack_object *map, const char *key);

/* Elements of an array; 0 for anything else. */
size_t client_object_length(const msgpack_object *array);
const msgpack_object *client_object_at(const msgpack_object *array, size_t index);

/* A number from a map, or fallback when it is absent or does not fit. */
int64_t client_object_int(const msgpack_object *map, const char *key, int64_t fallback);
uint64_t client_object_uint(const msgpack_object *map, const char *key, uint64_t fallback);
double client_object_real(const msgpack_object *map, const char *key, double fallback);
bool client_object_bool(const msgpack_object *map, const char *key, bool fallback);
struct client_text client_object_text(const msgpack_object *map, const char *key);

/* The text of a str object; base NULL for any other. */
struct client_text client_object_as_text(const msgpack_object *object);

bool client_text_is(struct client_text text, const char *other);

/* An amount of points as whole thousandths. False: not a number, or beyond int64. */
bool client_object_milli(const msgpack_object *object, int64_t *ret_milli);

/* Objects to put answers together for printing. entries and items are lent, not copied. */
msgpack_object client_object_of_text(const char *text);
msgpack_object client_object_of_map(msgpack_object_kv *entries, uint32_t n);
msgpack_object client_object_of_array(msgpack_object *items, uint32_t n);
msgpack_object client_object_or_nil(const msgpack_object *object);

/* Appends the packed object, or nil for NULL. */
void client_object_put(struct buf *b, const msgpack_object *object);

#endif
