#include "daemon/export_event.h"

#include "daemon/event_log.h"

#include "core/decide.h"
#include "core/map_writer.h"
#include "daemon/export_json.h"
#include "log/base64.h"

enum { EVENT_MAX = 64 << 20, DIGEST = 32, VALUE_DEPTH = EXPORT_JSON_DEPTH - 1 };

void export_event_init(struct export_event *x)
{
	arena_init(&x->arena, EVENT_MAX);
	buf_init(&x->shown, EVENT_MAX);
	buf_init(&x->echo, EVENT_MAX);
	buf_init(&x->stored, EVENT_MAX);
	buf_init(&x->text, EVENT_MAX);
}

void export_event_free(struct export_event *x)
{
	arena_free(&x->arena);
	buf_free(&x->shown);
	buf_free(&x->echo);
	buf_free(&x->stored);
	buf_free(&x->text);
}

/* ---- from a line ---- */

/* The members of a line. */
#define MEMBERS(M)                                                                                                     \
	M(seq)                                                                                                         \
	M(commit)                                                                                                      \
	M(type)                                                                                                        \
	M(tag)                                                                                                         \
	M(stream)                                                                                                      \
	M(version)                                                                                                     \
	M(at)                                                                                                          \
	M(actor)                                                                                                       \
	M(note)                                                                                                        \
	M(peer)                                                                                                        \
	M(method)                                                                                                      \
	M(cause)                                                                                                       \
	M(idempotency)                                                                                                 \
	M(users)                                                                                                       \
	M(data)                                                                                                        \
	M(raw)
enum member {
#define M(name) MEMBER_##name,
	MEMBERS(M)
#undef M
		N_MEMBERS
};
static const char *const member_names[N_MEMBERS] = {
#define M(name) [MEMBER_##name] = #name,
	MEMBERS(M)
#undef M
};

/* Packed values; absent: base NULL. */
struct line {
	struct slice value[N_MEMBERS];
};

static int find_member(struct slice name, unsigned hint)
{
	for (unsigned k = 0; k < N_MEMBERS; k++) {
		unsigned i = (hint + k) % N_MEMBERS;

		if (slice_is(name, member_names[i]))
			return (int)i;
	}
	return -1;
}

static int read_line(struct slice packed, struct line *ret, struct err *err)
{
	struct mp m = mp_of(packed);
	uint32_t n;

	memset(ret, 0, sizeof(*ret));
	if (!mp_map(&m, &n))
		return err_set(err, E_INVALID_ARGUMENT, "is no event");
	for (uint32_t i = 0; i < n; i++) {
		struct slice name, value;
		int k;

		if (!mp_str(&m, &name) || !mp_raw(&m, VALUE_DEPTH, &value))
			return err_set(err, E_INVALID_ARGUMENT, "is nested too deep");
		k = find_member(name, i);
		if (k < 0 || ret->value[k].base != NULL)
			return err_set(err, E_INVALID_ARGUMENT, "its member %.*s is %s",
				       name.len > 40 ? 40 : (int)name.len, (const char *)name.base,
				       k < 0 ? "not known" : "there twice");
		ret->value[k] = value;
	}
	return 0;
}

static int bad_member(enum member k, struct err *err)
{
	return err_set(err, E_INVALID_ARGUMENT, "its member %s is missing or not what it should be", member_names[k]);
}

/* Where a value is to be read; nil when the member is absent. */
static struct mp value_of(const struct line *l, enum member k)
{
	return mp_of(l->value[k].base != NULL ? l->value[k] : SLICE_LIT("\xc0"));
}

static bool take_uint(const struct line *l, enum member k, uint64_t *ret)
{
	struct mp m = value_of(l, k);

	return mp_uint(&m, ret);
}

static bool take_int(const struct line *l, enum member k, int64_t *ret)
{
	struct mp m = value_of(l, k);

	return mp_int(&m, ret);
}

static bool take_text(const struct line *l, enum member k, struct slice *ret)
{
	struct mp m = value_of(l, k);

	return mp_str(&m, ret);
}

static bool is_nil(const struct line *l, enum member k)
{
	struct mp m = value_of(l, k);

	return mp_nil(&m);
}

/* Bytes told as base64 text, into the arena. */
static bool take_bytes(struct export_event *x, struct mp *m, struct slice *ret)
{
	struct slice text;
	uint8_t *bytes;
	size_t n;

	if (!mp_str(m, &text) || !base64_length(text, &n) || (bytes = arena_take(&x->arena, n)) == NULL ||
	    !base64_get(text, bytes, n))
		return false;
	*ret = slice_of(bytes, n);
	return true;
}

static bool take_idempotency(struct export_event *x, const struct line *l, struct envelope *e)
{
	struct mp m = value_of(l, MEMBER_idempotency);
	struct slice name;
	uint32_t n;

	if (mp_nil(&m))
		return true;
	if (!mp_map(&m, &n) || n != 3)
		return false;
	while (n-- > 0) {
		if (!mp_str(&m, &name))
			return false;
		if (slice_is(name, "key")      ? !mp_str(&m, &e->key)
		    : slice_is(name, "digest") ? !take_bytes(x, &m, &e->digest) || e->digest.len != DIGEST
					       : !slice_is(name, "result") || mp_peek(&m) != MP_ARRAY ||
							 !mp_raw(&m, VALUE_DEPTH, &e->result))
			return false;
	}
	return e->key.base != NULL && e->digest.base != NULL && e->result.base != NULL;
}

static int take_envelope(struct export_event *x, const struct line *l, struct envelope *e, struct err *err)
{
	memset(e, 0, sizeof(*e));
	if (!take_uint(l, MEMBER_seq, &e->seq) || e->seq == 0)
		return bad_member(MEMBER_seq, err);
	if (!take_uint(l, MEMBER_commit, &e->commit) || e->commit == 0 || e->commit > e->seq)
		return bad_member(MEMBER_commit, err);
	if (!take_text(l, MEMBER_stream, &e->stream))
		return bad_member(MEMBER_stream, err);
	if (!take_uint(l, MEMBER_version, &e->version))
		return bad_member(MEMBER_version, err);
	if (!take_int(l, MEMBER_at, &e->at))
		return bad_member(MEMBER_at, err);
	if (!take_text(l, MEMBER_method, &e->method))
		return bad_member(MEMBER_method, err);
	e->has_peer = !is_nil(l, MEMBER_peer);
	if (e->has_peer && !take_int(l, MEMBER_peer, &e->peer))
		return bad_member(MEMBER_peer, err);
	if (!is_nil(l, MEMBER_cause) &&
	    (!take_uint(l, MEMBER_cause, &e->cause) || e->cause < e->commit || e->cause >= e->seq))
		return bad_member(MEMBER_cause, err);
	if (!is_nil(l, MEMBER_actor) && !take_text(l, MEMBER_actor, &e->actor))
		return bad_member(MEMBER_actor, err);
	if (!is_nil(l, MEMBER_note) && !take_text(l, MEMBER_note, &e->note))
		return bad_member(MEMBER_note, err);
	return take_idempotency(x, l, e) ? 0 : bad_member(MEMBER_idempotency, err);
}

/* The stored bytes that follow from the members, into x->stored. */
static int restore(struct export_event *x, const struct line *l, struct err *err)
{
	struct mp data = value_of(l, MEMBER_data);
	const struct record *record;
	struct envelope e;
	struct buf packed;
	uint64_t tag;
	int rc = take_envelope(x, l, &e, err);

	if (rc != 0)
		return rc;
	if (!take_uint(l, MEMBER_tag, &tag) || tag == 0 || tag > EVENT_TAG_MAX)
		return bad_member(MEMBER_tag, err);
	e.tag = (uint8_t)tag;
	record = event_record(e.tag);
	if (record == NULL)
		return err_set(err, E_VERSION_UNSUPPORTED, "events with the tag %d are not known to this version",
			       e.tag);
	buf_init(&packed, EVENT_MAX);
	if (!record_restore(&packed, record, &data))
		rc = bad_member(MEMBER_data, err);
	e.data = buf_slice(&packed);
	buf_reset(&x->stored);
	if (rc == 0)
		envelope_encode(&x->stored, &e);
	if (rc == 0 && (packed.failed || x->stored.failed))
		rc = err_set(err, E_LIMIT_EXCEEDED, "is too large");
	buf_free(&packed);
	return rc;
}

/* ---- what is shown ---- */

/* x->text and x->echo: the line of these bytes, without raw. */
static int show(struct export_event *x, struct slice stored, struct err *err)
{
	struct mp m;
	int rc;

	buf_reset(&x->shown);
	buf_reset(&x->text);
	buf_reset(&x->echo);
	rc = event_show(&x->shown, stored, EVENT_AS_STORED, &x->arena, err);
	if (rc != 0)
		return rc;
	m = mp_of(buf_slice(&x->shown));
	if (!x->shown.failed && !export_json_put(&x->text, &x->echo, &m))
		return err_set(err, E_INTERNAL, "an event does not decode: it is damaged");
	if (x->shown.failed || x->text.failed || x->echo.failed)
		return err_set(err, E_LIMIT_EXCEEDED, "an event is too large for a line");
	return 0;
}

static bool follows(struct export_event *x, struct slice stored)
{
	struct line l;
	struct err err;

	return read_line(buf_slice(&x->echo), &l, &err) == 0 && restore(x, &l, &err) == 0 &&
	       slice_eq(buf_slice(&x->stored), stored);
}

static void put_raw(struct buf *text, struct slice stored)
{
	static const char name[] = ",\"raw\":\"";
	size_t n = base64_size(stored.len);

	buf_truncate(text, text->len - 1); /* the closing brace */
	buf_append(text, name, sizeof(name) - 1);
	if (!buf_room(text, n + 1))
		return;
	base64_put(stored, (char *)text->base + text->len);
	text->len += n;
	buf_append(text, "\"}", 2);
}

int export_event_put(struct export_event *x, struct slice stored, bool raw, struct buf *line, struct err *err)
{
	int rc;

	arena_reset(&x->arena);
	rc = show(x, stored, err);
	if (rc != 0)
		return rc;
	if (raw || !follows(x, stored))
		put_raw(&x->text, stored);
	buf_byte(&x->text, '\n');
	buf_append(line, x->text.base, x->text.len);
	return x->text.failed || line->failed ? err_set(err, E_LIMIT_EXCEEDED, "an event is too large for a line") : 0;
}

/* ---- whether a line is true ---- */

static bool same(struct slice a, struct slice b);

static bool same_map(struct mp *a, uint32_t n, struct slice b)
{
	struct slice name, value, other;

	while (n-- > 0)
		if (!mp_str(a, &name) || !mp_raw(a, VALUE_DEPTH, &value) || !mp_find(b, name, VALUE_DEPTH, &other) ||
		    !same(value, other))
			return false;
	return true;
}

static bool same_array(struct mp *a, uint32_t n, struct mp *b)
{
	struct slice value, other;

	while (n-- > 0)
		if (!mp_raw(a, VALUE_DEPTH, &value) || !mp_raw(b, VALUE_DEPTH, &other) || !same(value, other))
			return false;
	return true;
}

/* Whether both hold the same, the pairs of maps in any order. */
static bool same(struct slice a, struct slice b)
{
	struct mp x = mp_of(a), y = mp_of(b);
	uint32_t n, m;

	if (slice_eq(a, b))
		return true;
	if (mp_peek(&x) != mp_peek(&y))
		return false;
	if (mp_peek(&x) == MP_MAP)
		return mp_map(&x, &n) && mp_map(&y, &m) && n == m && same_map(&x, n, b);
	return mp_peek(&x) == MP_ARRAY && mp_array(&x, &n) && mp_array(&y, &m) && n == m && same_array(&x, n, &y);
}

static int check_line(struct export_event *x, const struct line *l, struct slice stored, struct err *err)
{
	struct line shown;
	int rc = show(x, stored, err);

	if (rc == E_INTERNAL)
		return err_set(err, E_VERSION_UNSUPPORTED, "does not decode: of a newer version, or damaged");
	if (rc == 0)
		rc = read_line(buf_slice(&x->echo), &shown, err);
	for (unsigned k = 0; rc == 0 && k < MEMBER_raw; k++)
		if (!same(l->value[k], shown.value[k]))
			rc = err_set(err, E_INVALID_ARGUMENT, "its member %s is not what the event says",
				     member_names[k]);
	return rc;
}

int export_event_get(struct export_event *x, struct slice packed, struct slice *ret_stored, struct err *err)
{
	struct slice stored = SLICE_NULL;
	struct line l;
	struct mp raw;
	int rc = read_line(packed, &l, err);

	arena_reset(&x->arena);
	if (rc == 0 && l.value[MEMBER_raw].base == NULL) {
		rc = restore(x, &l, err);
		stored = buf_slice(&x->stored);
	} else if (rc == 0) {
		raw = value_of(&l, MEMBER_raw);
		rc = take_bytes(x, &raw, &stored) ? 0 : bad_member(MEMBER_raw, err);
	}
	if (rc == 0)
		rc = check_line(x, &l, stored, err);
	if (rc == 0)
		*ret_stored = stored;
	return rc;
}
