#include "core/records.h"

enum { ROW_MAX = 1 << 20 };

/* ---- field tables ---- */

#define NAMED(n) .name = #n, .name_len = sizeof(#n) - 1, .offset = offsetof(self, n)
#define HAS(n) .has = offsetof(self, has_##n)
#define RECORD(r, text)                                                                                                \
	const struct record *record_##r(void)                                                                          \
	{                                                                                                              \
		typedef struct r self;                                                                                 \
		static const char record_name[] = #r, record_doc[] = text;                                             \
		static const struct field fields[] = {
#define END_RECORD                                                                                                     \
	{                                                                                                              \
		.name = NULL                                                                                           \
	}                                                                                                              \
	}                                                                                                              \
	;                                                                                                              \
	static const struct record rec = { record_name, record_doc, fields, sizeof(fields) / sizeof(fields[0]) - 1,    \
					   sizeof(self) };                                                             \
	return &rec;                                                                                                   \
	}
#define FIELD(n, KIND, text, ...) { NAMED(n), .kind = KIND_##KIND, .doc = text, __VA_ARGS__ },
#define FIELD_AS(n, KIND, wire, text, ...)                                                                             \
	{ .name = wire,                                                                                                \
	  .name_len = sizeof(wire) - 1,                                                                                \
	  .offset = offsetof(self, n),                                                                                 \
	  .kind = KIND_##KIND,                                                                                         \
	  .doc = text,                                                                                                 \
	  __VA_ARGS__ },
#define OPT(n, KIND, text, ...) { NAMED(n), HAS(n), .kind = KIND_##KIND, .doc = text, __VA_ARGS__ },
#define NEST(n, rec, text, ...) { NAMED(n), .shape = SHAPE_NEST, .sub = record_##rec, .doc = text, __VA_ARGS__ },
#define NEST_OPT(n, rec, text, ...)                                                                                    \
	{ NAMED(n), HAS(n), .shape = SHAPE_NEST, .sub = record_##rec, .doc = text, __VA_ARGS__ },
#define FLAT(n, rec, text, ...) { NAMED(n), .shape = SHAPE_FLAT, .sub = record_##rec, .doc = text, __VA_ARGS__ },
#define PATCH(n, rec, text)                                                                                            \
	{ NAMED(n), .given = offsetof(self, given_##n), .shape = SHAPE_PATCH, .sub = record_##rec, .doc = text },
#define LIST(n, KIND, most, text, ...)                                                                                 \
	{ NAMED(n), .kind = KIND_##KIND, .shape = SHAPE_LIST, .max = (most), .doc = text, __VA_ARGS__ },
#define LIST_OF(n, rec, most, text, ...)                                                                               \
	{ NAMED(n), .shape = SHAPE_LIST_OF, .max = (most), .sub = record_##rec, .doc = text, __VA_ARGS__ },
#define CHANGES(n, rec, text) { NAMED(n), .shape = SHAPE_CHANGES, .sub = record_##rec, .doc = text },
#include "core/schema/all.def"

/* ---- projections, tables, streams, events ---- */

const struct projection_def projection_defs[N_PROJECTIONS] = {
#define PROJECTION(n, version, doc) [PROJECTION_##n] = { #n, version, doc },
#include "core/schema/all.def"
};

const struct table_def table_defs[N_TABLES] = {
#define TABLE(n, projection, KEYS, rec, doc) [T_##n] = { #n, PROJECTION_##projection, false, record_##rec, doc },
#define TABLE_SET(n, projection, KEYS, doc) [T_##n] = { #n, PROJECTION_##projection, false, NULL, doc },
#define TABLE_COUNTED(n, projection, KEYS, doc) [T_##n] = { #n, PROJECTION_##projection, true, NULL, doc },
#include "core/schema/all.def"
};

const struct state_table state_tables[N_TABLES] = {
#define TABLE(n, projection, KEYS, rec, doc) [T_##n] = { #n, false, false },
#define TABLE_FEW(n, projection, KEYS, rec, doc) [T_##n] = { #n, false, true },
#define TABLE_SET(n, projection, KEYS, doc) [T_##n] = { #n, false, false },
#define TABLE_COUNTED(n, projection, KEYS, doc) [T_##n] = { #n, true, false },
#include "core/schema/all.def"
};

const struct stream_def stream_defs[N_STREAMS] = {
#define STREAM(n, prefix, KIND, table) [STREAM_##n] = { prefix, STREAM_KEY_##KIND, STREAM_KEY_NONE, T_##table },
#define STREAM2(n, prefix, KIND, KIND2, table)                                                                         \
	[STREAM_##n] = { prefix, STREAM_KEY_##KIND, STREAM_KEY_##KIND2, T_##table },
#include "core/schema/all.def"
};

const struct event_def event_defs[N_EVENTS] = {
#define EVENT(tag, rec, wire, stream, path, doc)                                                                       \
	[EV_##rec] = { tag, wire, record_##rec, STREAM_##stream, offsetof(struct rec, path), 0, doc },
#define EVENT2(tag, rec, wire, stream, path, path2, doc)                                                               \
	[EV_##rec] = {                                                                                                 \
		tag, wire, record_##rec, STREAM_##stream, offsetof(struct rec, path), offsetof(struct rec, path2), doc \
	},
#include "core/schema/all.def"
};

#define EVENT_OLD(tag, old, rec, doc)                                                                                  \
	static void run_upcast_##old(const void *from, void *ret, struct arena *arena)                                 \
	{                                                                                                              \
		upcast_##old(from, ret, arena);                                                                        \
	}
#include "core/schema/all.def"

const struct event_old event_olds[] = {
#define EVENT_OLD(tag, old, rec, doc) { tag, record_##old, EV_##rec, run_upcast_##old, doc },
#include "core/schema/all.def"
	{ .tag = 0 },
};

/* A tag that two events claim is a duplicate case here, which the compiler refuses. */
enum event_type event_by_tag(uint8_t tag)
{
	switch (tag) {
#define EVENT(tag, rec, wire, stream, path, doc)                                                                       \
	case tag:                                                                                                      \
		return EV_##rec;
#define EVENT2(tag, rec, wire, stream, path, path2, doc) EVENT(tag, rec, wire, stream, path, doc)
#define EVENT_OLD(tag, old, rec, doc) EVENT(tag, rec, , , , doc)
#include "core/schema/all.def"
	default:
		return N_EVENTS;
	}
}

enum event_type event_by_name(struct slice name)
{
	for (int i = 0; i < N_EVENTS; i++)
		if (slice_is(name, event_defs[i].name))
			return (enum event_type)i;
	return N_EVENTS;
}

const struct record *event_record(uint8_t tag)
{
	enum event_type type = event_by_tag(tag);

	for (const struct event_old *old = event_olds; old->tag != 0; old++)
		if (old->tag == tag)
			return old->record();
	return type != N_EVENTS ? event_defs[type].record() : NULL;
}

void event_add_tags(enum event_type type, uint64_t ret_bits[4])
{
	uint8_t tag = event_defs[type].tag;

	ret_bits[tag >> 6] |= UINT64_C(1) << (tag & 63);
	for (const struct event_old *old = event_olds; old->tag != 0; old++)
		if (old->type == type)
			ret_bits[old->tag >> 6] |= UINT64_C(1) << (old->tag & 63);
}

bool event_tags(struct slice pattern, uint64_t ret_bits[4])
{
	bool any = false;
	bool wild = pattern.len >= 2 && memcmp((const char *)pattern.base + pattern.len - 2, ".*", 2) == 0;
	struct slice prefix = slice_of(pattern.base, wild ? pattern.len - 1 : pattern.len);

	for (int i = 0; i < N_EVENTS; i++) {
		struct slice name = slice_str(event_defs[i].name);

		if (wild ? !slice_starts(name, prefix) : !slice_eq(name, pattern))
			continue;
		event_add_tags((enum event_type)i, ret_bits);
		any = true;
	}
	return any;
}

/* ---- keys ---- */

void key_put_TEXT(struct key *k, struct slice v)
{
	const uint8_t *p = v.base;
	uint8_t *to = k->bytes + k->len;
	/* room for a number behind it and for the end mark */
	uint8_t *end = k->bytes + sizeof(k->bytes) - 26;

	for (size_t i = 0; i < v.len; i++) {
		if (to + 2 > end) {
			k->overflow = true;
			break;
		}
		*to++ = p[i];
		if (p[i] == 0)
			*to++ = 0xff;
	}
	*to++ = 0;
	*to++ = 0;
	k->len = (uint16_t)(to - k->bytes);
}

bool key_take_U64(struct slice *k, uint64_t *ret)
{
	uint64_t be;

	if (k->len < 8)
		return false;
	memcpy(&be, k->base, 8);
	*ret = be64toh(be);
	*k = slice_of((const uint8_t *)k->base + 8, k->len - 8);
	return true;
}

bool key_take_VAR(struct slice *k, uint64_t *ret)
{
	const uint8_t *p = k->base;
	uint64_t v = 0;

	if (k->len == 0 || p[0] > 8 || k->len <= p[0])
		return false;
	for (unsigned i = 1; i <= p[0]; i++)
		v = v << 8 | p[i];
	*ret = v;
	*k = slice_of(p + 1 + p[0], k->len - 1 - p[0]);
	return true;
}

bool key_take_TEXT(struct slice *k, struct arena *arena, struct slice *ret)
{
	const uint8_t *p = k->base;
	char *to = arena_take(arena, k->len);
	size_t n = 0;

	for (size_t i = 0; to != NULL && i + 1 < k->len; i++) {
		if (p[i] == 0 && p[i + 1] == 0) {
			*k = slice_of(p + i + 2, k->len - i - 2);
			*ret = slice_of(to, n);
			return true;
		}
		to[n++] = (char)p[i];
		if (p[i] == 0)
			i++;
	}
	return false;
}

/* ---- rows ---- */

bool row_get(struct state *s, enum table_id t, const struct key *k, void *row)
{
	struct slice value;
	struct mp m;

	if (k->overflow || !state_get(s, t, key_slice(k), &value))
		return false;
	m = mp_of(value);
	if (record_get(&m, table_defs[t].record(), row, s->arena))
		return true;
	if (!s->failed) {
		s->failed = true;
		err_set(&s->err, E_INTERNAL, "a row of table %s is damaged: rebuild projection %s", table_defs[t].name,
			projection_defs[table_defs[t].projection].name);
	}
	return false;
}

void row_put(struct state *s, enum table_id t, const struct key *k, const void *row)
{
	uint8_t small[2048];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };
	struct buf large;

	assert(!k->overflow);
	record_put(&b, table_defs[t].record(), row);
	if (!b.failed) {
		state_put(s, t, key_slice(k), buf_slice(&b));
		return;
	}
	buf_init(&large, ROW_MAX);
	record_put(&large, table_defs[t].record(), row);
	if (large.failed && !s->failed) {
		s->failed = true;
		err_set(&s->err, E_INTERNAL, "a row of table %s is too large", table_defs[t].name);
	}
	state_put(s, t, key_slice(k), buf_slice(&large));
	buf_free(&large);
}

uint64_t row_version(struct state *s, enum table_id t, const struct key *k)
{
	struct slice value;
	struct mp m;
	uint64_t version;
	uint32_t n;

	if (!state_get(s, t, key_slice(k), &value))
		return 0;
	m = mp_of(value);
	return mp_array(&m, &n) && mp_uint(&m, &version) ? version : 0;
}

#define PUT_KEY1(k1, n1) key_put_##k1(ret, n1);
#define PUT_KEY2(k1, n1, k2, n2) PUT_KEY1(k1, n1) key_put_##k2(ret, n2);
#define PUT_KEY3(k1, n1, k2, n2, k3, n3) PUT_KEY2(k1, n1, k2, n2) key_put_##k3(ret, n3);
#define PUT_KEY4(k1, n1, k2, n2, k3, n3, k4, n4) PUT_KEY3(k1, n1, k2, n2, k3, n3) key_put_##k4(ret, n4);
#define TAKE_U64(n) key_take_U64(&row_key, n)
#define TAKE_I64(n) key_take_I64(&row_key, n)
#define TAKE_DESC(n) key_take_DESC(&row_key, n)
#define TAKE_VAR(n) key_take_VAR(&row_key, n)
#define TAKE_TEXT(n) key_take_TEXT(&row_key, arena, n)
#define TAKE_KEY1(k1, n1) TAKE_##k1(n1)
#define TAKE_KEY2(k1, n1, k2, n2) TAKE_KEY1(k1, n1) && TAKE_##k2(n2)
#define TAKE_KEY3(k1, n1, k2, n2, k3, n3) TAKE_KEY2(k1, n1, k2, n2) && TAKE_##k3(n3)
#define TAKE_KEY4(k1, n1, k2, n2, k3, n3, k4, n4) TAKE_KEY3(k1, n1, k2, n2, k3, n3) && TAKE_##k4(n4)
#define NAMES_KEY1(k1, n1) n1
#define NAMES_KEY2(k1, n1, k2, n2) n1, n2
#define NAMES_KEY3(k1, n1, k2, n2, k3, n3) n1, n2, n3
#define NAMES_KEY4(k1, n1, k2, n2, k3, n3, k4, n4) n1, n2, n3, n4

#define TABLE_ANY(name, KEYS)                                                                                          \
	void key_##name(struct key *ret, PARAMS_##KEYS)                                                                \
	{                                                                                                              \
		key_begin(ret);                                                                                        \
		PUT_##KEYS                                                                                             \
	}                                                                                                              \
	bool take_##name(struct slice row_key, struct arena *arena, PTRS_##KEYS)                                       \
	{                                                                                                              \
		(void)arena;                                                                                           \
		return TAKE_##KEYS && row_key.len == 0;                                                                \
	}                                                                                                              \
	bool has_##name(struct state *s, PARAMS_##KEYS)                                                                \
	{                                                                                                              \
		struct key k;                                                                                          \
		struct slice value;                                                                                    \
                                                                                                                       \
		key_##name(&k, NAMES_##KEYS);                                                                          \
		return !k.overflow && state_get(s, T_##name, key_slice(&k), &value);                                   \
	}                                                                                                              \
	void del_##name(struct state *s, PARAMS_##KEYS)                                                                \
	{                                                                                                              \
		struct key k;                                                                                          \
                                                                                                                       \
		key_##name(&k, NAMES_##KEYS);                                                                          \
		state_del(s, T_##name, key_slice(&k));                                                                 \
	}
#define TABLE(name, projection, KEYS, rec, doc)                                                                        \
	TABLE_ANY(name, KEYS)                                                                                          \
	bool get_##name(struct state *s, PARAMS_##KEYS, struct rec *ret)                                               \
	{                                                                                                              \
		struct key k;                                                                                          \
                                                                                                                       \
		key_##name(&k, NAMES_##KEYS);                                                                          \
		return row_get(s, T_##name, &k, ret);                                                                  \
	}                                                                                                              \
	void put_##name(struct state *s, PARAMS_##KEYS, const struct rec *row)                                         \
	{                                                                                                              \
		struct key k;                                                                                          \
                                                                                                                       \
		key_##name(&k, NAMES_##KEYS);                                                                          \
		row_put(s, T_##name, &k, row);                                                                         \
	}
#define TABLE_SET(name, projection, KEYS, doc)                                                                         \
	TABLE_ANY(name, KEYS)                                                                                          \
	void put_##name(struct state *s, PARAMS_##KEYS)                                                                \
	{                                                                                                              \
		struct key k;                                                                                          \
                                                                                                                       \
		key_##name(&k, NAMES_##KEYS);                                                                          \
		state_put(s, T_##name, key_slice(&k), SLICE_LIT(""));                                                  \
	}
#define TABLE_COUNTED TABLE_SET
#include "core/schema/all.def"

/* ---- walking rows ---- */

bool key_behind(const struct key *prefix, struct key *ret)
{
	*ret = *prefix;
	while (ret->len > 0 && ret->bytes[ret->len - 1] == 0xff)
		ret->len--;
	if (ret->len == 0)
		return false;
	ret->bytes[ret->len - 1]++;
	return true;
}

void row_walk_begin(struct row_walk *w, struct state *s, enum table_id t, const struct key *prefix, bool desc)
{
	w->prefix = *prefix;
	w->desc = desc;
	w->started = false;
	state_cursor_open(&w->cursor, s, t);
}

bool row_walk_next(struct row_walk *w)
{
	struct key behind;
	bool more;

	if (w->started) {
		more = w->desc ? state_cursor_prev(&w->cursor) : state_cursor_next(&w->cursor);
	} else if (w->desc) {
		key_behind(&w->prefix, &behind);
		more = state_cursor_seek_before(&w->cursor, key_slice(&behind));
	} else {
		more = state_cursor_seek(&w->cursor, key_slice(&w->prefix));
	}
	w->started = true;
	w->key = w->cursor.key;
	w->value = w->cursor.value;
	return more && slice_starts(w->key, key_slice(&w->prefix));
}

void row_walk_end(struct row_walk *w)
{
	state_cursor_close(&w->cursor);
}
