#ifndef CORE_RECORDS_H
#define CORE_RECORDS_H

#include "core/schema.h"
#include "core/state.h"

/*
 * What the .def files declare, as C: a struct per record, enums of tables, streams, events and
 * projections, and typed access to the rows of each table.
 */

/* ---- struct <record>, record_<record>() ---- */

#define RECORD(r, doc)                                                                                                 \
	const struct record *record_##r(void);                                                                         \
	struct r {
#define END_RECORD                                                                                                     \
	}                                                                                                              \
	;
#define FIELD(n, KIND, doc, ...) field_##KIND n;
#define FIELD_AS(n, KIND, wire, doc, ...) field_##KIND n;
#define OPT(n, KIND, doc, ...)                                                                                         \
	field_##KIND n;                                                                                                \
	bool has_##n;
#define NEST(n, rec, doc, ...) struct rec n;
#define NEST_OPT(n, rec, doc, ...)                                                                                     \
	struct rec n;                                                                                                  \
	bool has_##n;
#define FLAT(n, rec, doc, ...) struct rec n;
#define PATCH(n, rec, doc)                                                                                             \
	struct rec n;                                                                                                  \
	uint64_t given_##n;
#define LIST(field, KIND, max, doc, ...)                                                                               \
	struct {                                                                                                       \
		const field_##KIND *v;                                                                                 \
		size_t n;                                                                                              \
	} field;
#define LIST_OF(field, rec, max, doc, ...)                                                                             \
	struct {                                                                                                       \
		const struct rec *v;                                                                                   \
		size_t n;                                                                                              \
	} field;
#define CHANGES(n, rec, doc) struct slice n;
#include "core/schema/all.def"

/* ---- projections, tables, streams, events ---- */

#define PROJECTION(name, version, doc) PROJECTION_##name,
enum projection_id {
#include "core/schema/all.def"
	N_PROJECTIONS
};

#define TABLE(name, projection, KEYS, rec, doc) T_##name,
#define TABLE_SET(name, projection, KEYS, doc) T_##name,
#define TABLE_COUNTED(name, projection, KEYS, doc) T_##name,
enum table_id {
#include "core/schema/all.def"
	N_TABLES
};

struct table_def {
	const char *name;
	enum projection_id projection;
	bool counted;
	const struct record *(*record)(void); /* NULL: a set of keys */
	const char *doc;
};
extern const struct table_def table_defs[N_TABLES];
/* The same for state_mem_new() and view_store_open(). */
extern const struct state_table state_tables[N_TABLES];

struct projection_def {
	const char *name;
	uint32_t version; /* raised when tables or folds change: forces a rebuild */
	const char *doc;
};
extern const struct projection_def projection_defs[N_PROJECTIONS];

/* How a stream is named after its instance, and which row holds its version (as first field). */
enum stream_key { STREAM_KEY_NONE, STREAM_KEY_UID, STREAM_KEY_INT, STREAM_KEY_U64, STREAM_KEY_CID, STREAM_KEY_KEY };
#define STREAM(name, prefix, KIND, table) STREAM_##name,
#define STREAM2(name, prefix, KIND, KIND2, table) STREAM_##name,
enum stream_id {
#include "core/schema/all.def"
	N_STREAMS
};
struct stream_def {
	const char *prefix;
	enum stream_key key;
	enum stream_key key2; /* STREAM_KEY_NONE: named after one thing */
	enum table_id table;
};
extern const struct stream_def stream_defs[N_STREAMS];

#define EVENT(tag, rec, wire, stream, path, doc) EV_##rec,
#define EVENT2(tag, rec, wire, stream, path, path2, doc) EV_##rec,
enum event_type {
#include "core/schema/all.def"
	N_EVENTS
};
struct event_def {
	uint8_t tag; /* that it is written with */
	const char *name;
	const struct record *(*record)(void);
	enum stream_id stream;
	size_t key_offset;  /* of the stream's key in the record */
	size_t key2_offset; /* of the second, when the stream has two */
	const char *doc;
};
extern const struct event_def event_defs[N_EVENTS];
/*
 * What is in the log from before an event got the record that it has: EVENT_OLD(tag, old record, record, "doc"). Under
 * that tag stands the old record, which is converted as it is read, by
 *
 *   void upcast_<old>(const struct <old> *old, struct <record> *ret, struct arena *arena);
 *
 * in core/upcasts.c. ret comes with its defaults; texts may be lent from old. It is total and pure, like a fold: what
 * it makes of an event is what every fold, query and reader sees, now and at each rebuild.
 */
struct event_old {
	uint8_t tag; /* 0: behind the last one */
	const struct record *(*record)(void);
	enum event_type type; /* that it is read as */
	void (*upcast)(const void *old, void *ret, struct arena *arena);
	const char *doc;
};
extern const struct event_old event_olds[];
#define EVENT_OLD(tag, old, rec, doc) void upcast_##old(const struct old *old, struct rec *ret, struct arena *arena);
#include "core/schema/all.def"

/* The tags that events of this type stand under in the log: its own, and older ones. */
void event_add_tags(enum event_type type, uint64_t ret_bits[4]);
/* N_EVENTS: no such tag / name. The type of an older tag is the one that it is read as. */
enum event_type event_by_tag(uint8_t tag);
enum event_type event_by_name(struct slice name);
/* The record that data is stored as under a tag; NULL: no such tag. */
const struct record *event_record(uint8_t tag);
/* Tags of "point.credited" or "point.*"; false: none. */
bool event_tags(struct slice pattern, uint64_t ret_bits[4]);

/* ---- rows ---- */

struct key {
	uint16_t len;
	bool overflow; /* a text was too long to be a key: no such row */
	uint8_t bytes[STATE_KEY_MAX];
};
static inline struct slice key_slice(const struct key *k)
{
	return slice_of(k->bytes, k->len);
}

/* Parts of keys, in an encoding whose byte order is the order of the values. */
typedef uint64_t key_U64;
typedef int64_t key_I64;
typedef int64_t key_DESC; /* largest first; >= 0 */
typedef uint64_t key_VAR; /* as U64 in 2..9 bytes: the fewer bytes, the more of a key the overlay compares inline */
typedef struct slice key_TEXT;

static inline void key_put_U64(struct key *k, uint64_t v)
{
	uint64_t be = htobe64(v);

	memcpy(k->bytes + k->len, &be, 8);
	k->len = (uint16_t)(k->len + 8);
}
static inline void key_put_I64(struct key *k, int64_t v)
{
	key_put_U64(k, (uint64_t)v ^ (UINT64_C(1) << 63));
}
static inline void key_put_DESC(struct key *k, int64_t v)
{
	key_put_U64(k, ~(uint64_t)v);
}
/* How many bytes follow, then those, largest first. */
static inline void key_put_VAR(struct key *k, uint64_t v)
{
	uint64_t be = htobe64(v);
	unsigned zeros = v == 0 ? 7 : (unsigned)__builtin_clzll(v) / 8;

	k->bytes[k->len] = (uint8_t)(8 - zeros);
	memcpy(k->bytes + k->len + 1, (const uint8_t *)&be + zeros, 8 - zeros);
	k->len = (uint16_t)(k->len + 9 - zeros);
}
/* Zero bytes escaped as 00 ff, end marked by 00 00. */
void key_put_TEXT(struct key *k, struct slice v);

/* Reading parts back, from the front; false: not there. */
bool key_take_U64(struct slice *k, uint64_t *ret);
static inline bool key_take_I64(struct slice *k, int64_t *ret)
{
	uint64_t u;

	if (!key_take_U64(k, &u))
		return false;
	*ret = (int64_t)(u ^ (UINT64_C(1) << 63));
	return true;
}
static inline bool key_take_DESC(struct slice *k, int64_t *ret)
{
	uint64_t u;

	if (!key_take_U64(k, &u))
		return false;
	*ret = (int64_t)~u;
	return true;
}
bool key_take_VAR(struct slice *k, uint64_t *ret);
/* The last part of a key, which in an index is often the id. */
static inline bool key_last_U64(struct slice k, uint64_t *ret)
{
	struct slice last = k.len >= 8 ? slice_of((const uint8_t *)k.base + k.len - 8, 8) : SLICE_LIT("");

	return key_take_U64(&last, ret);
}
static inline bool key_last_I64(struct slice k, int64_t *ret)
{
	struct slice last = k.len >= 8 ? slice_of((const uint8_t *)k.base + k.len - 8, 8) : SLICE_LIT("");

	return key_take_I64(&last, ret);
}
/* Unescaped into the arena. */
bool key_take_TEXT(struct slice *k, struct arena *arena, struct slice *ret);

/* A row that does not decode is damage: the state fails. */
bool row_get(struct state *s, enum table_id t, const struct key *k, void *ret_row);
void row_put(struct state *s, enum table_id t, const struct key *k, const void *row);
/* The first field of a row, which is its version; 0 when absent. */
uint64_t row_version(struct state *s, enum table_id t, const struct key *k);

/*
 * For each table: key_<table>(parts), has_, get_, put_, del_<table>(state, parts, ...), and
 * take_<table>(key, arena, pointers to the parts), which reads a row's key back; false: it is no such key. Texts
 * are put into the arena. A prefix of the parts is made with key_begin() and key_put_*().
 */
static inline struct key *key_begin(struct key *k)
{
	k->len = 0;
	k->overflow = false;
	return k;
}

/* KEYn(...) is never a macro of its own: pasted behind one of these, it becomes parameters, arguments, or
 * the statements that encode them. */
#define PARAMS_KEY1(k1, n1) key_##k1 n1
#define PARAMS_KEY2(k1, n1, k2, n2) key_##k1 n1, key_##k2 n2
#define PARAMS_KEY3(k1, n1, k2, n2, k3, n3) key_##k1 n1, key_##k2 n2, key_##k3 n3
#define PARAMS_KEY4(k1, n1, k2, n2, k3, n3, k4, n4) key_##k1 n1, key_##k2 n2, key_##k3 n3, key_##k4 n4

#define PTRS_KEY1(k1, n1) key_##k1 *n1
#define PTRS_KEY2(k1, n1, k2, n2) key_##k1 *n1, key_##k2 *n2
#define PTRS_KEY3(k1, n1, k2, n2, k3, n3) key_##k1 *n1, key_##k2 *n2, key_##k3 *n3
#define PTRS_KEY4(k1, n1, k2, n2, k3, n3, k4, n4) key_##k1 *n1, key_##k2 *n2, key_##k3 *n3, key_##k4 *n4

#define TABLE_ANY(name, KEYS)                                                                                          \
	void key_##name(struct key *ret, PARAMS_##KEYS);                                                               \
	bool take_##name(struct slice row_key, struct arena *arena, PTRS_##KEYS);                                      \
	bool has_##name(struct state *s, PARAMS_##KEYS);                                                               \
	void del_##name(struct state *s, PARAMS_##KEYS);
#define TABLE(name, projection, KEYS, rec, doc)                                                                        \
	TABLE_ANY(name, KEYS)                                                                                          \
	bool get_##name(struct state *s, PARAMS_##KEYS, struct rec *ret);                                              \
	void put_##name(struct state *s, PARAMS_##KEYS, const struct rec *row);
#define TABLE_SET(name, projection, KEYS, doc)                                                                         \
	TABLE_ANY(name, KEYS)                                                                                          \
	void put_##name(struct state *s, PARAMS_##KEYS);
#define TABLE_COUNTED TABLE_SET
#include "core/schema/all.def"
#undef TABLE_ANY

/* ---- walking rows ---- */

/*
 * The rows of a table whose keys begin with a prefix (a key without parts: all), in order or backwards:
 *
 *   row_walk_begin(&w, s, T_claim_by_reward, &prefix, false);
 *   while (row_walk_next(&w))
 *           ... w.key, w.value ...
 *   row_walk_end(&w);
 *
 * Rows may be put and deleted meanwhile.
 */
struct row_walk {
	struct state_cursor cursor;
	struct key prefix;
	bool desc;
	bool started;
	struct slice key, value; /* of the row it stands on */
};
void row_walk_begin(struct row_walk *w, struct state *s, enum table_id t, const struct key *prefix, bool desc);
bool row_walk_next(struct row_walk *w);
void row_walk_end(struct row_walk *w);
/* The first key behind all that begin with prefix; false: there is none, so that the end of the table is meant. */
bool key_behind(const struct key *prefix, struct key *ret);

#endif
