#ifndef DAEMON_EXPORT_JSON_H
#define DAEMON_EXPORT_JSON_H

#include "core/buf.h"
#include "core/mp.h"

/*
 * Packed values as JSON text, straight from their bytes, at the pace of an export. What a reader of the text gets is
 * told beside it, packed as client_json_params() packs it. What JSON cannot say is told otherwise: bytes, texts that
 * are not UTF-8, and maps that have a name twice or more than 256 become base64 text, integers beyond int64 a real,
 * what is no number and ext null.
 *
 * Appends one value to text, and what becomes of it to ret_echo. False: malformed, or nested more than
 * EXPORT_JSON_DEPTH deep.
 */
enum { EXPORT_JSON_DEPTH = 16 };
bool export_json_put(struct buf *text, struct buf *ret_echo, struct mp *m);

#endif
