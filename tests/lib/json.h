#ifndef TESTS_LIB_JSON_H
#define TESTS_LIB_JSON_H

#include <jansson.h>

#include "core/buf.h"

/*
 * JSON as tests write and read it. On the way in keys may stand without quotes and texts in single ones:
 * {user_id: 7, title: 'A prize'}. Whatever is not JSON fails the test.
 */
json_t *json_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
json_t *json_va(const char *fmt, va_list ap);

/* Appends the value as msgpack. */
void json_pack_to(struct buf *b, const json_t *value);
/* The one msgpack value that `packed` is. */
json_t *json_unpacked(struct slice packed);

/*
 * Whether `have` holds what `want` names: of maps only the keys that stand in want, of lists all elements, in
 * order. Numbers keep their kind: 1 is not 1.0.
 */
bool json_has(const json_t *have, const json_t *want);

/* One line, for messages; free() it. */
char *json_print(const json_t *value);

#endif
