#ifndef DAEMON_EXPORT_JSON_H
#define DAEMON_EXPORT_JSON_H

#include "core/buf.h"
#include "core/mp.h"

/*
 * Packed values as JSON text and back, straight from bytes to bytes, at the pace of an export.
 */
enum { EXPORT_JSON_DEPTH = 16, EXPORT_JSON_NAMES = 256 /* of one object */ };

/*
 * Appends one value to text, and to ret_echo what export_json_get() makes of that. What JSON cannot say is told
 * otherwise: bytes, texts that are not UTF-8, and maps that have a name twice or more than EXPORT_JSON_NAMES become
 * base64 text, integers beyond int64 a real, what is no number and ext null. False: malformed, or nested more than
 * EXPORT_JSON_DEPTH deep.
 */
bool export_json_put(struct buf *text, struct buf *ret_echo, struct mp *m);

/*
 * Appends the packed form of a text that is one JSON object (RFC 8259) and nothing else: integers as such, in their
 * shortest form, other numbers as float64. False, and why, in a few words: it is not; has a name twice, or more than
 * EXPORT_JSON_NAMES; an integer beyond int64, a real beyond float64; half a surrogate pair; or is nested too deep.
 */
bool export_json_get(struct slice text, struct buf *ret, const char **ret_why);

#endif
