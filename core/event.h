#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <stdint.h>

#include "core/err.h"
#include "core/mp.h"

/*
 * The envelope of an event as it is stored (docs/log-format.md). An event is one msgpack array:
 *
 *   0 tag          int   1..255, the type; the bit of the type in a block's mask
 *   1 seq          int   global, gapless, from 1
 *   2 commit       int   seq - commit: 0 for the first event of its commit
 *   3 version      int   position in the stream, from 1
 *   4 at           int   Unix milliseconds
 *   5 stream       str   e.g. "points:42"
 *   6 method       str   RPC method, or "timer.<name>"
 *   7 peer         int?  uid of the process that sent the command; nil for timers
 *   8 cause        int?  seq - seq of the event of the same commit that triggered this one
 *   9 actor        str?
 *  10 note         str?
 *  11 idempotency  nil, or array [key str, digest bin 32, result array]; first event of a commit only
 *  12 data         array of the record's fields in schema order
 *
 * Positions are forever; elements are only added at the end.
 */
enum { EVENT_ELEMENTS = 13, EVENT_TAG_MAX = 255 };

struct envelope {
	uint8_t tag;
	uint64_t seq;
	uint64_t commit;
	uint64_t version;
	int64_t at;
	struct slice stream;
	struct slice method;
	bool has_peer;
	int64_t peer;
	uint64_t cause;     /* 0: none */
	struct slice actor; /* base NULL: none */
	struct slice note;
	struct slice key;    /* idempotency key; base NULL: none, and so digest and result */
	struct slice digest; /* 32 bytes */
	struct slice result; /* packed array */
	struct slice data;   /* packed array */
};

/* Appends the stored form. data (and result) are copied as they are. Sticky failure in b. */
void envelope_encode(struct buf *b, const struct envelope *e);

/*
 * Reads the envelope of one stored event. Texts, result and data are lent from `bytes`.
 * False: malformed (any bytes are safe). Does not look inside data.
 */
bool envelope_decode(struct slice bytes, struct envelope *ret);

/* Only tag and seq: for walking. */
bool envelope_peek(struct slice bytes, uint8_t *ret_tag, uint64_t *ret_seq);

#endif
