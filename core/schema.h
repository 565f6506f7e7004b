#ifndef CORE_SCHEMA_H
#define CORE_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/mp.h"

/*
 * The schema: what records, events, tables, streams and methods there are, declared once in
 * core/schema/(aggregate).def and expanded by the preprocessor into C structs (core/records.h), into the
 * tables below, and so into decoding, encoding, validation, dispatch and the reference.
 *
 * Grammar of the .def files:
 *
 *   RECORD(name, "doc")                    a struct of that name ... END_RECORD
 *     FIELD(name, KIND, "doc", attrs)        always there (text, key, map, any may be absent: NULLABLE)
 *     FIELD_AS(name, KIND, "wire", "doc", attrs)  the same where the wire's name is a word of C
 *     OPT(name, KIND, "doc", attrs)          nullable scalar; the struct also gets has_<name>
 *     NEST(name, record, "doc", attrs)       a record inside, a map of its own on the wire
 *     NEST_OPT(name, record, "doc", attrs)   the same, nullable; has_<name>
 *     FLAT(name, record, "doc", attrs)       a record inside whose fields stand in this one's map
 *     PATCH(name, record, "doc")             params only: fields with ON_UPDATE, all optional; the struct
 *                                            also gets given_<name>, bit i: field i of the record was sent
 *     LIST(name, KIND, max, "doc", attrs)    at most max scalars: name.v, name.n
 *     LIST_OF(name, record, max, "doc", attrs)
 *     CHANGES(name, record, "doc")           packed map of some fields of a record: update events
 *
 * Two encodings: stored (array of the fields in order, points as int thousandths; rows and events), and
 * wire (map by name, points as numbers). Evolution: fields are only ever added at the end, with a default.
 */

enum kind {
	KIND_BOOL,  /* bool */
	KIND_INT,   /* int64_t; without a range within +-(2^53 - 1) */
	KIND_U64,   /* uint64_t, >= 0; ids assigned by the daemon, sequence numbers, versions */
	KIND_UID,   /* int64_t, >= 1; a Telegram user id */
	KIND_CID,   /* int64_t, not 0; a Telegram chat id */
	KIND_MS,    /* int64_t, Unix milliseconds, 0..253402300799999 */
	KIND_PTS,   /* int64_t thousandths of a point */
	KIND_FLOAT, /* double; results only */
	KIND_TEXT,  /* struct slice, valid UTF-8, at most .max bytes */
	KIND_KEY,   /* struct slice, 1..100 of A-Z a-z 0-9 _ - . : */
	KIND_MAP,   /* struct slice, packed map with string keys, at most 16 KiB, 8 deep */
	KIND_ANY,   /* struct slice, any packed value */
	KIND_REF,   /* struct slice, packed {kind: str<=32, id: int or str<=200} */
	KIND_KEYS,  /* struct slice, packed array of 2..10 different keys */
};

typedef bool field_BOOL;
typedef int64_t field_INT;
typedef uint64_t field_U64;
typedef int64_t field_UID;
typedef int64_t field_CID;
typedef int64_t field_MS;
typedef int64_t field_PTS;
typedef double field_FLOAT;
typedef struct slice field_TEXT;
typedef struct slice field_KEY;
typedef struct slice field_MAP;
typedef struct slice field_ANY;
typedef struct slice field_REF;
typedef struct slice field_KEYS;

#define MS_MAX INT64_C(253402300799999)
#define INT_SAFE_MAX ((INT64_C(1) << 53) - 1)
enum {
	KEY_MAX = 100,
	MAP_MAX = 16 * 1024,
	MAP_DEPTH = 8,
	REF_KIND_MAX = 32,
	REF_ID_MAX = 200,
	KEYS_MIN = 2,
	KEYS_MAX = 10
};

enum shape { SHAPE_SCALAR, SHAPE_NEST, SHAPE_FLAT, SHAPE_PATCH, SHAPE_LIST, SHAPE_LIST_OF, SHAPE_CHANGES };
enum need { NEED_REQUIRED, NEED_NULLABLE, NEED_DEFAULT };

enum {
	FIELD_ON_CREATE = 1,     /* a param of create */
	FIELD_ON_UPDATE = 2,     /* a param of update */
	FIELD_DERIVED = 4,       /* on the wire only: filled in by a query */
	FIELD_HIDDEN = 8,        /* stored only */
	FIELD_TRIM = 16,         /* white space around it is removed, and a required one may not be empty then */
	FIELD_RANGED = 32,       /* lo and hi count */
	FIELD_TAKES_CREATE = 64, /* FLAT: only fields of the record with ON_CREATE */
	FIELD_FOLLOWS = 128,     /* stands in `changes` because it follows from a changed field */
};

/* attrs, for use in .def files */
#define REQUIRED .need = NEED_REQUIRED
#define NULLABLE .need = NEED_NULLABLE
#define NONEMPTY .lo = 1 /* a list that must be there and hold something; other lists are optional */
#define DEFAULT_INT(v) .need = NEED_DEFAULT, .dflt = (v)
#define DEFAULT_TEXT(s) .need = NEED_DEFAULT, .dflt_text = (s)
#define MAX(n) .max = (n)
#define AT_LEAST(n) .lo = (n)    /* the same, and at least n */
#define EACH_MAX(n) .hi = (n)    /* bytes of each text or map of a list */
#define CHOICE(s) .choices = (s) /* "a|b|c" */
#define RANGE(a, b) .lo = (a), .hi = (b), .flags = FIELD_RANGED
#define FLAGS(f) .flags = (f)
#define RANGE_FLAGS(a, b, f) .lo = (a), .hi = (b), .flags = (f) | FIELD_RANGED
#define ON_CREATE FIELD_ON_CREATE
#define ON_BOTH (FIELD_ON_CREATE | FIELD_ON_UPDATE)
#define DERIVED FLAGS(FIELD_DERIVED)
#define HIDDEN FLAGS(FIELD_HIDDEN)

struct record;
struct field {
	const char *name;
	uint8_t name_len;
	uint8_t kind;  /* enum kind */
	uint8_t shape; /* enum shape */
	uint8_t need;  /* enum need */
	uint16_t offset;
	uint16_t has;   /* offset of has_<name>; 0: none */
	uint16_t given; /* offset of given_<name>; 0: none */
	uint32_t flags;
	uint32_t max; /* bytes of a text (0: no limit of its own), elements of a list */
	int64_t lo, hi;
	int64_t dflt;
	const char *dflt_text;
	const char *choices;
	const struct record *(*sub)(void);
	const char *doc;
};

struct record {
	const char *name;
	const char *doc;
	const struct field *fields;
	unsigned n_fields; /* at most 64 */
	size_t size;
};

struct list {
	const void *v;
	size_t n;
};

/* Size of a value of this kind in a struct, and of one element of a list field. */
size_t kind_size(uint8_t kind);
size_t field_element_size(const struct field *f);

/* ---- stored form ---- */

void record_put(struct buf *b, const struct record *r, const void *obj);
/*
 * Missing elements at the end take their defaults. Texts are lent from the source, lists live in the
 * arena. False: malformed, of other kinds, or with more elements than the record has (written by a
 * newer version).
 */
bool record_get(struct mp *m, const struct record *r, void *ret_obj, struct arena *arena);
/* All defaults; what has none is zero. */
void record_defaults(const struct record *r, void *ret_obj);

/* ---- wire form ---- */

void record_put_wire(struct buf *b, const struct record *r, const void *obj);
/* The same without the map's head, for maps with more in them: record_wire_count() pairs. */
unsigned record_wire_count(const struct record *r);
void record_put_wire_pairs(struct buf *b, const struct record *r, const void *obj);

/* ---- stored form, by names, and back ---- */

/*
 * Appends what a stored record holds as a map: as the wire shows it, but for what is derived, with what is hidden, and
 * with no more fields than were stored, of a record that has grown since. So record_restore() leads back, whatever
 * version reads it. False: malformed, or with more elements than the record has.
 */
bool record_show(struct buf *b, const struct record *r, struct mp *m);
/*
 * Appends the stored form of such a map, its pairs in any order. False: no map of such a record (a pair unknown, twice,
 * missing, or of another kind). Values have one stored form, which need not be the one they had (a number longer than
 * it must be): whoever needs the same bytes compares.
 */
bool record_restore(struct buf *b, const struct record *r, struct mp *m);

/* One value of a kind. */
void value_put_wire(struct buf *b, uint8_t kind, const void *value);

/* ---- changes: what update events carry ---- */

/*
 * Compares the fields with ON_UPDATE or one of `more_flags`, and packs those that differ as maps of name
 * to stored value. Returns how many differ. The slices live in the arena.
 */
unsigned record_diff(const struct record *r, const void *old, const void *new, uint32_t more_flags, struct arena *arena,
		     struct slice *ret_changes, struct slice *ret_before);
/* Sets in obj what a map of changes holds. Unknown names are skipped; false: malformed. */
bool record_apply(const struct record *r, struct slice changes, void *obj, struct arena *arena);
/* Copies the fields whose bits are set. */
void record_merge(const struct record *r, void *obj, const void *patch, uint64_t given);
/* Index of a field by name, -1: none. */
int record_field(const struct record *r, struct slice name);
#define GIVEN(mask, r, field) (((mask) >> record_field(record_##r(), slice_str(#field))) & 1)

/* ---- params ---- */

/*
 * How to decode one map into one or two structs (a method's own params, and those that all methods
 * share): the flattened fields with their offsets. Built once, at schema_init().
 */
struct plan;
enum { PLAN_PARTS = 2 };
/* more may be NULL. NULL: no memory. */
const struct plan *plan_new(const struct record *own, const struct record *more);
void plan_free(const struct plan *p);
/*
 * Decodes packed (a map, or an empty array) into parts[0], parts[1], which are as large as their records.
 * E_INVALID_ARGUMENT: unknown, missing, mistyped, out of range, twice, names the field.
 * E_LIMIT_EXCEEDED: an amount above POINTS_MAX. Texts are lent from `packed`.
 */
int params_decode(const struct plan *p, struct slice packed, void *const parts[PLAN_PARTS], struct arena *arena,
		  struct err *err);
/* One value of a field, tested likewise; *ret is of the field's kind. */
int param_decode(struct mp *m, const struct field *f, void *ret, struct err *err);
unsigned plan_n_fields(const struct plan *p);
const struct field *plan_field(const struct plan *p, unsigned i);
/* From a PATCH: never required, and has no default. */
bool plan_field_is_patch(const struct plan *p, unsigned i);

/* Whether all bytes may stand in a key. */
bool key_chars(struct slice s);

/* "str", "int", "[uid]", "pts?" ... as the reference names it. */
void field_type_name(const struct field *f, char text[48]);

#endif
