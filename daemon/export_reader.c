#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/export.h"
#include "daemon/export_json.h"
#include "log/base64.h"
#include "log/note.h"

enum { RECORD_MAX = 64 << 20, BUFFER_MAX = RECORD_MAX + (1 << 20), VALUE_DEPTH = 15 };

struct export_reader {
	struct export_in *in;
	enum export_format format;
	struct buf bytes;  /* as read; those before `at` are done with */
	size_t at, end;    /* of the present record */
	uint64_t n;        /* records so far: the number of the present line */
	struct buf packed; /* a line as a packed map */
	struct export_event event;
	struct export_head head;
	struct buf origin, checkpoint; /* of head */
	struct chain chain;
	uint64_t last;       /* seq of the last event */
	uint64_t since_root; /* seq of the first event behind the last root that was right, 0: none came yet */
	bool ended;
};

static int no_memory(struct err *err)
{
	return err_set(err, E_UNAVAILABLE, "out of memory");
}

/* ---- what is wrong ---- */

static uint64_t expected(const struct export_reader *r)
{
	return r->last + 1;
}

/* Where it is, then the verdict's reason. */
static int refuse(struct export_reader *r, enum err_code code, struct err *err)
{
	return err_set(err, code, "%s %" PRIu64 ": %s", r->format == EXPORT_NDJSON ? "line" : "record", r->n,
		       r->chain.ret.reason);
}

static int bad(struct export_reader *r, struct err *err, uint64_t seq, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int bad(struct export_reader *r, struct err *err, uint64_t seq, const char *fmt, ...)
{
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	chain_bad(&r->chain, seq, "%s", why);
	return refuse(r, E_INVALID_ARGUMENT, err);
}

/* What went wrong while the content was looked at, as it was told. */
static int bad_event(struct export_reader *r, int code, struct err *err)
{
	chain_bad(&r->chain, expected(r), "event %" PRIu64 ": %.120s", expected(r), err->text);
	return refuse(r, (enum err_code)code, err);
}

static int bad_chain(struct export_reader *r, int rc, struct err *err)
{
	return rc == CHAIN_BAD ? refuse(r, E_INVALID_ARGUMENT, err) : rc;
}

/* ---- records ---- */

/* *ret_more: false at the end. */
static int read_more(struct export_reader *r, bool *ret_more, struct err *err)
{
	size_t before;
	int rc;

	buf_consume(&r->bytes, r->at);
	r->at = 0;
	before = r->bytes.len;
	rc = export_in_read(r->in, &r->bytes, err);
	*ret_more = r->bytes.len > before;
	if (rc == E_INVALID_ARGUMENT)
		chain_bad(&r->chain, expected(r), "%.150s", err->text);
	return rc;
}

enum found { FOUND_PART, FOUND_WHOLE, FOUND_MALFORMED };

/* Finds the end of the record at `at`, reading on as far as needed. E_NOT_FOUND: there is none. */
static int find_end(struct export_reader *r, enum found (*find)(struct export_reader *, void *), void *scan,
		    struct err *err)
{
	for (;;) {
		enum found found = find(r, scan);
		bool more;
		int rc;

		if (found == FOUND_WHOLE)
			return 0;
		if (found == FOUND_MALFORMED)
			return bad(r, err, expected(r), "is malformed");
		if (r->bytes.len - r->at > RECORD_MAX)
			return bad(r, err, expected(r), "is larger than %d MiB", RECORD_MAX >> 20);
		rc = read_more(r, &more, err);
		if (rc != 0)
			return rc;
		if (!more && r->bytes.len == r->at)
			return E_NOT_FOUND;
		if (!more)
			return bad(r, err, expected(r), "is cut off");
	}
}

/* scan: bytes of the line that were looked at. */
static enum found find_line(struct export_reader *r, void *scan)
{
	size_t *seen = scan;
	const uint8_t *from = r->bytes.base + r->at, *end = NULL;
	size_t n = r->bytes.len - r->at;

	if (n > *seen)
		end = memchr(from + *seen, '\n', n - *seen);
	*seen = n;
	if (end == NULL)
		return FOUND_PART;
	r->end = r->at + (size_t)(end - from) + 1;
	return FOUND_WHOLE;
}

static enum found find_value(struct export_reader *r, void *scan)
{
	struct mp_scan *s = scan;
	struct slice have = slice_of(r->bytes.base + r->at, r->bytes.len - r->at);
	enum mp_scan_result got = have.len == 0 ? MP_SCAN_MORE : mp_scan(s, have, RECORD_MAX);

	if (got == MP_SCAN_MORE)
		return FOUND_PART;
	r->end = r->at + s->pos;
	return got == MP_SCAN_DONE ? FOUND_WHOLE : FOUND_MALFORMED;
}

static int unpack_line(struct export_reader *r, struct slice line, struct slice *ret, struct err *err)
{
	const char *why;

	buf_reset(&r->packed);
	if (!export_json_get(line, &r->packed, &why))
		return bad(r, err, expected(r), "is no JSON object on one line: %s", why);
	if (r->packed.failed)
		return no_memory(err);
	*ret = buf_slice(&r->packed);
	return 0;
}

/* The next record, packed. E_NOT_FOUND: there is none. */
static int next_record(struct export_reader *r, struct slice *ret, struct err *err)
{
	struct mp_scan scan;
	struct slice bytes;
	size_t seen = 0;
	int rc;

	r->at = r->end;
	r->n++;
	mp_scan_start(&scan, MP_SCAN_DEPTH);
	rc = r->format == EXPORT_NDJSON ? find_end(r, find_line, &seen, err) : find_end(r, find_value, &scan, err);
	if (rc != 0) {
		r->end = r->at;
		return rc;
	}
	bytes = slice_of(r->bytes.base + r->at, r->end - r->at);
	if (r->format == EXPORT_NDJSON)
		return unpack_line(r, bytes, ret, err);
	*ret = bytes;
	return 0;
}

/* ---- members of a record ---- */

/* Where a value is to be read; at its end when there is none. */
static struct mp member(struct slice record, const char *name)
{
	struct slice value;

	if (!mp_find(record, slice_str(name), VALUE_DEPTH, &value))
		value = SLICE_LIT("");
	return mp_of(value);
}

static bool is_record(struct slice record, const char *what)
{
	struct mp m = member(record, "record");
	struct slice text;

	return mp_peek(&m) == MP_STR && mp_str(&m, &text) && slice_is(text, what);
}

/* Copies a text that may be nil. False: it is something else. */
static bool take_text(struct slice record, const char *name, struct buf *kept, struct slice *ret)
{
	struct mp m = member(record, name);
	struct slice text;

	*ret = SLICE_NULL;
	if (mp_nil(&m))
		return true;
	if (!mp_str(&m, &text))
		return false;
	buf_append(kept, text.base, text.len);
	*ret = text.len > 0 ? buf_slice(kept) : SLICE_LIT("");
	return !kept->failed;
}

/* ---- the header ---- */

static int check_format(struct export_reader *r, struct slice record, struct err *err)
{
	struct mp format = member(record, "format"), version = member(record, "version");
	struct slice text;
	uint64_t v;

	if (!is_record(record, "header") || !mp_str(&format, &text) || !slice_is(text, "diana-ledger-export") ||
	    !mp_uint(&version, &v))
		return bad(r, err, 1, "no header of an export of a ledger");
	if (v == EXPORT_VERSION)
		return 0;
	chain_bad(&r->chain, 1, "exports of version %" PRIu64 " are not known to this program; use a newer one", v);
	return refuse(r, E_VERSION_UNSUPPORTED, err);
}

static int take_head(struct export_reader *r, struct slice record, struct err *err)
{
	struct mp whole = member(record, "whole"), from = member(record, "from_seq"), to = member(record, "to_seq");
	struct export_head *h = &r->head;
	int rc = check_format(r, record, err);

	if (rc != 0)
		return rc;
	if (!mp_bool(&whole, &h->whole) || !mp_uint(&from, &h->from_seq) || !mp_uint(&to, &h->to_seq) ||
	    h->from_seq == 0 || (h->whole && h->from_seq != 1) ||
	    !take_text(record, "origin", &r->origin, &h->origin) ||
	    !take_text(record, "checkpoint", &r->checkpoint, &h->checkpoint))
		return bad(r, err, 1, "a header that does not say what follows");
	if (!h->whole && r->chain.n_marks > 0)
		return err_set(err, E_INVALID_ARGUMENT,
			       "it holds only a part of the log, which no checkpoint says anything about");
	return 0;
}

/* JSON begins with a brace, which is no map of MessagePack. */
static int begin(struct export_reader *r, struct err *err)
{
	struct slice record = SLICE_NULL;
	bool more;
	int rc = read_more(r, &more, err);

	if (rc != 0)
		return rc;
	if (!more)
		return err_set(err, E_INVALID_ARGUMENT, "it is empty");
	r->format = r->bytes.base[0] == '{' ? EXPORT_NDJSON : EXPORT_MSGPACK;
	rc = next_record(r, &record, err);
	return rc == 0 ? take_head(r, record, err) : rc;
}

int export_reader_open(const char *path, int stop_fd, const struct log_mark *marks, size_t n_marks,
		       struct export_reader **ret, struct err *err)
{
	struct export_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return no_memory(err);
	chain_init(&r->chain, 1, marks, n_marks);
	export_event_init(&r->event);
	buf_init(&r->bytes, BUFFER_MAX);
	buf_init(&r->packed, RECORD_MAX);
	buf_init(&r->origin, NOTE_NAME_MAX);
	buf_init(&r->checkpoint, 1 << 16);
	rc = export_in_open(path, stop_fd, &r->in, err);
	if (rc == 0)
		rc = begin(r, err);
	if (rc == 0)
		rc = bad_chain(r, chain_mark(&r->chain), err); /* of size 0 */
	if (rc != 0) {
		export_reader_close(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void export_reader_close(struct export_reader *r)
{
	if (r == NULL)
		return;
	export_in_close(r->in);
	export_event_free(&r->event);
	chain_free(&r->chain);
	buf_free(&r->bytes);
	buf_free(&r->packed);
	buf_free(&r->origin);
	buf_free(&r->checkpoint);
	free(r);
}

const struct export_head *export_reader_head(const struct export_reader *r)
{
	return &r->head;
}

const struct log_verdict *export_reader_verdict(const struct export_reader *r)
{
	return &r->chain.ret;
}

void export_reader_root(const struct export_reader *r, uint8_t ret_root[MERKLE_HASH])
{
	merkle_root(&r->chain.tree, ret_root);
}

/* ---- roots ---- */

static int check_root(struct export_reader *r, struct slice record, struct err *err)
{
	struct mp count = member(record, "count"), root = member(record, "root");
	uint8_t told[MERKLE_HASH], is[MERKLE_HASH];
	struct slice text;
	uint64_t n;

	if (!mp_uint(&count, &n) || !mp_str(&root, &text) || !base64_get(text, told, MERKLE_HASH))
		return bad(r, err, expected(r), "a root that is none");
	if (n != r->chain.tree.size)
		return bad(r, err, expected(r), "here are %" PRIu64 " events, and there were %" PRIu64,
			   r->chain.tree.size, n);
	merkle_root(&r->chain.tree, is);
	if (memcmp(is, told, MERKLE_HASH) != 0)
		return bad(r, err, r->since_root != 0 ? r->since_root : 1,
			   "events %" PRIu64 "..%" PRIu64 ": not those whose root is told here", r->since_root,
			   r->last);
	r->since_root = 0;
	return 0;
}

/* The log's own checkpoint is of this tree. Who signed it is for those who have the key. */
static int check_checkpoint(struct export_reader *r, struct err *err)
{
	uint8_t root[MERKLE_HASH];
	struct checkpoint c;
	struct err why;

	if (r->head.checkpoint.base == NULL)
		return 0;
	merkle_root(&r->chain.tree, root);
	if (checkpoint_read(r->head.checkpoint, &c, &why) != 0)
		return bad(r, err, 1, "the checkpoint in the header is none: %.80s", why.text);
	if (c.size != r->chain.tree.size || memcmp(c.root, root, MERKLE_HASH) != 0)
		return bad(r, err, r->chain.held + 1,
			   "events %" PRIu64 "..%" PRIu64 ": not those of the checkpoint in the header",
			   r->chain.held + 1, r->last);
	return 0;
}

static int check_trailer(struct export_reader *r, struct slice record, struct err *err)
{
	struct slice after;
	int rc = check_root(r, record, err);

	if (rc != 0)
		return rc;
	if (r->head.whole && r->last != r->head.to_seq)
		return bad(r, err, expected(r), "the events end at %" PRIu64 ", the header says %" PRIu64, r->last,
			   r->head.to_seq);
	rc = check_checkpoint(r, err);
	if (rc == 0)
		rc = bad_chain(r, chain_end(&r->chain), err);
	if (rc != 0)
		return rc;
	r->ended = true;
	rc = next_record(r, &after, err);
	if (rc == 0)
		return bad(r, err, expected(r), "something follows the trailer");
	return rc;
}

/* ---- events ---- */

static int check_whole(struct export_reader *r, struct export_entry *e, struct err *err)
{
	int rc = chain_read(&r->chain, expected(r), e->bytes, &e->head);

	if (rc == 0)
		rc = chain_follow(&r->chain, &e->head, err);
	merkle_add(&r->chain.tree, e->bytes);
	if (rc == 0)
		rc = chain_mark(&r->chain);
	return bad_chain(r, rc, err);
}

/* Of a part only the order is known. */
static int check_part(struct export_reader *r, struct export_entry *e, struct err *err)
{
	if (!envelope_decode(e->bytes, &e->head))
		return bad(r, err, expected(r), "an event whose envelope is malformed");
	if (e->head.seq <= r->last || e->head.seq < r->head.from_seq || e->head.seq > r->head.to_seq)
		return bad(r, err, e->head.seq, "event %" PRIu64 " does not belong here", e->head.seq);
	merkle_add(&r->chain.tree, e->bytes);
	r->chain.ret.checked++;
	return 0;
}

static int take_event(struct export_reader *r, struct slice record, struct export_entry *ret, struct err *err)
{
	struct export_entry e = { .bytes = record };
	int rc = 0;

	if (r->format == EXPORT_NDJSON)
		rc = export_event_get(&r->event, record, &e.bytes, err);
	if (rc != 0)
		return bad_event(r, rc, err);
	rc = r->head.whole ? check_whole(r, &e, err) : check_part(r, &e, err);
	if (rc != 0)
		return rc;
	r->last = e.head.seq;
	if (r->since_root == 0)
		r->since_root = r->last;
	*ret = e;
	return 0;
}

static bool is_event(const struct export_reader *r, struct slice record)
{
	struct slice any;
	struct mp m = mp_of(record);

	if (r->format == EXPORT_MSGPACK)
		return mp_peek(&m) == MP_ARRAY;
	return !mp_find(record, SLICE_LIT("record"), VALUE_DEPTH, &any);
}

int export_reader_next(struct export_reader *r, struct export_entry *ret, struct err *err)
{
	struct slice record = SLICE_NULL;
	int rc;

	while (!r->ended) {
		rc = next_record(r, &record, err);
		if (rc == E_NOT_FOUND)
			return bad(r, err, expected(r), "it was cut off: no trailer follows event %" PRIu64, r->last);
		if (rc != 0)
			return rc;
		if (is_event(r, record))
			return take_event(r, record, ret, err);
		if (is_record(record, "trailer"))
			return check_trailer(r, record, err);
		if (!is_record(record, "root"))
			return bad(r, err, expected(r), "a record that is not known");
		rc = check_root(r, record, err);
		if (rc != 0)
			return rc;
	}
	return err_set(err, E_NOT_FOUND, "no more events");
}
