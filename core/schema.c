#include "core/schema.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/points.h"
#include "core/text.h"

enum { VALUE_DEPTH = 12 };

static inline const uint8_t *at(const struct field *f, const void *obj)
{
	return (const uint8_t *)obj + f->offset;
}

static inline bool present(const struct field *f, const void *obj)
{
	return f->has == 0 || *(const bool *)((const uint8_t *)obj + f->has);
}

static inline void set_has(const struct field *f, void *obj, bool v)
{
	if (f->has != 0)
		*(bool *)((uint8_t *)obj + f->has) = v;
}

static inline bool is_text(uint8_t kind)
{
	return kind >= KIND_TEXT;
}

/* Stored as an int64. */
static inline bool kind_is_int(uint8_t kind)
{
	const unsigned kinds = 1u << KIND_INT | 1u << KIND_UID | 1u << KIND_CID | 1u << KIND_MS | 1u << KIND_PTS;

	return kinds >> kind & 1;
}

size_t kind_size(uint8_t kind)
{
	switch ((enum kind)kind) {
	case KIND_BOOL:
		return sizeof(bool);
	case KIND_INT:
	case KIND_U64:
	case KIND_UID:
	case KIND_CID:
	case KIND_MS:
	case KIND_PTS:
	case KIND_FLOAT:
		return 8;
	case KIND_TEXT:
	case KIND_KEY:
	case KIND_MAP:
	case KIND_ANY:
	case KIND_REF:
	case KIND_KEYS:
		return sizeof(struct slice);
	}
	abort();
}

size_t field_element_size(const struct field *f)
{
	return f->shape == SHAPE_LIST_OF ? f->sub()->size : kind_size(f->kind);
}

/* ---- stored form ---- */

static void put_scalar(struct buf *b, uint8_t kind, const void *p)
{
	switch ((enum kind)kind) {
	case KIND_BOOL:
		mp_put_bool(b, *(const bool *)p);
		return;
	case KIND_INT:
	case KIND_UID:
	case KIND_CID:
	case KIND_MS:
	case KIND_PTS:
		mp_put_int64(b, *(const int64_t *)p);
		return;
	case KIND_U64:
		mp_put_uint64(b, *(const uint64_t *)p);
		return;
	case KIND_FLOAT:
		mp_put_double(b, *(const double *)p);
		return;
	case KIND_TEXT:
	case KIND_KEY:
		mp_put_text_or_nil(b, *(const struct slice *)p);
		return;
	case KIND_MAP:
	case KIND_ANY:
	case KIND_REF:
	case KIND_KEYS: {
		const struct slice *s = p;

		if (s->base == NULL)
			mp_put_nil(b);
		else
			buf_append(b, s->base, s->len);
		return;
	}
	}
}

static void put_field(struct buf *b, const struct field *f, const void *obj)
{
	const uint8_t *p = at(f, obj);
	const struct list *l = (const void *)p;

	if (!present(f, obj)) {
		mp_put_nil(b);
		return;
	}
	switch ((enum shape)f->shape) {
	case SHAPE_SCALAR:
		put_scalar(b, f->kind, p);
		return;
	case SHAPE_NEST:
	case SHAPE_FLAT:
		record_put(b, f->sub(), p);
		return;
	case SHAPE_PATCH: /* only for digests of params */
		mp_put_array(b, 2);
		mp_put_uint64(b, *(const uint64_t *)((const uint8_t *)obj + f->given));
		record_put(b, f->sub(), p);
		return;
	case SHAPE_LIST:
		mp_put_array(b, l->n);
		for (size_t i = 0; i < l->n; i++)
			put_scalar(b, f->kind, (const uint8_t *)l->v + i * kind_size(f->kind));
		return;
	case SHAPE_LIST_OF: {
		const struct record *r = f->sub();

		mp_put_array(b, l->n);
		for (size_t i = 0; i < l->n; i++)
			record_put(b, r, (const uint8_t *)l->v + i * r->size);
		return;
	}
	case SHAPE_CHANGES:
		put_scalar(b, KIND_ANY, p);
		return;
	}
}

static unsigned stored_count(const struct record *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_fields; i++)
		n += (r->fields[i].flags & FIELD_DERIVED) == 0;
	return n;
}

static inline bool is_plain(const struct field *f)
{
	return f->shape == SHAPE_SCALAR && f->has == 0;
}

/* All rows and events go through here and record_get(): most fields are plain, so they are tested for first. */
void record_put(struct buf *b, const struct record *r, const void *obj)
{
	mp_put_array(b, stored_count(r));
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];

		if (f->flags & FIELD_DERIVED)
			continue;
		if (is_plain(f) && kind_is_int(f->kind))
			mp_put_int64(b, *(const int64_t *)at(f, obj));
		else
			put_field(b, f, obj);
	}
}

static bool get_scalar(struct mp *m, uint8_t kind, void *p)
{
	switch ((enum kind)kind) {
	case KIND_BOOL:
		return mp_bool(m, p);
	case KIND_INT:
	case KIND_UID:
	case KIND_CID:
	case KIND_MS:
	case KIND_PTS:
		return mp_int(m, p);
	case KIND_U64:
		return mp_uint(m, p);
	case KIND_FLOAT:
		return mp_float(m, p);
	case KIND_TEXT:
	case KIND_KEY:
		if (mp_nil(m)) {
			*(struct slice *)p = SLICE_NULL;
			return true;
		}
		return mp_str(m, p);
	case KIND_MAP:
	case KIND_ANY:
	case KIND_REF:
	case KIND_KEYS:
		if (mp_nil(m)) {
			*(struct slice *)p = SLICE_NULL;
			return true;
		}
		return mp_raw(m, VALUE_DEPTH, p);
	}
	return false;
}

static bool get_list(struct mp *m, const struct field *f, void *p, struct arena *arena)
{
	size_t size = field_element_size(f);
	struct list l;
	uint32_t n;
	uint8_t *v;

	if (!mp_array(m, &n) || arena == NULL)
		return false;
	v = arena_take(arena, n * size);
	if (v == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		bool ok = f->shape == SHAPE_LIST ? get_scalar(m, f->kind, v + i * size)
						 : record_get(m, f->sub(), v + i * size, arena);

		if (!ok)
			return false;
	}
	l = (struct list){ v, n };
	memcpy(p, &l, sizeof(l));
	return true;
}

static bool get_field(struct mp *m, const struct field *f, void *obj, struct arena *arena)
{
	uint8_t *p = (uint8_t *)obj + f->offset;

	if (f->has != 0) {
		bool has = !mp_nil(m);

		set_has(f, obj, has);
		if (!has)
			return true;
	}
	switch ((enum shape)f->shape) {
	case SHAPE_SCALAR:
		return get_scalar(m, f->kind, p);
	case SHAPE_NEST:
	case SHAPE_FLAT:
		return record_get(m, f->sub(), p, arena);
	case SHAPE_LIST:
	case SHAPE_LIST_OF:
		return get_list(m, f, p, arena);
	case SHAPE_CHANGES:
		return get_scalar(m, KIND_ANY, p);
	case SHAPE_PATCH:
		break;
	}
	return false;
}

static void set_default(const struct field *f, void *obj)
{
	uint8_t *p = (uint8_t *)obj + f->offset;

	if (f->shape == SHAPE_FLAT || f->shape == SHAPE_NEST || f->shape == SHAPE_PATCH) {
		record_defaults(f->sub(), p);
		return;
	}
	if (f->need != NEED_DEFAULT || f->shape != SHAPE_SCALAR)
		return;
	if (is_text(f->kind))
		*(struct slice *)p = slice_str(f->dflt_text);
	else if (f->kind == KIND_BOOL)
		*(bool *)p = f->dflt != 0;
	else if (f->kind != KIND_FLOAT)
		*(int64_t *)p = f->dflt;
}

void record_defaults(const struct record *r, void *obj)
{
	memset(obj, 0, r->size);
	for (unsigned i = 0; i < r->n_fields; i++)
		set_default(&r->fields[i], obj);
}

bool record_get(struct mp *m, const struct record *r, void *obj, struct arena *arena)
{
	uint32_t n;
	unsigned i;

	memset(obj, 0, r->size);
	if (!mp_array(m, &n))
		return false;
	for (i = 0; i < r->n_fields && n > 0; i++) {
		const struct field *f = &r->fields[i];
		bool ok = true;

		if (f->flags & FIELD_DERIVED) {
			set_default(f, obj);
			continue;
		}
		n--;
		if (is_plain(f) && kind_is_int(f->kind))
			ok = mp_int(m, (int64_t *)((uint8_t *)obj + f->offset));
		else
			ok = get_field(m, f, obj, arena);
		if (!ok)
			return false;
	}
	for (; i < r->n_fields; i++)
		set_default(&r->fields[i], obj);
	return n == 0;
}

/* ---- wire form ---- */

static void put_name(struct buf *b, const struct field *f)
{
	assert(f->name_len < 32);
	if (!buf_room(b, 1u + f->name_len))
		return;
	b->base[b->len] = (uint8_t)(0xa0 | f->name_len);
	memcpy(b->base + b->len + 1, f->name, f->name_len);
	b->len += 1u + f->name_len;
}

static void put_wire_stored(struct buf *b, const struct field *f, struct mp *m);

static void put_wire_as_it_is(struct buf *b, struct mp *m)
{
	struct slice raw;

	if (mp_raw(m, VALUE_DEPTH, &raw))
		buf_append(b, raw.base, raw.len);
	else
		mp_put_nil(b);
}

/* A stored record: an array of its fields, of which those added later may be missing. */
static void put_wire_stored_record(struct buf *b, const struct record *r, struct mp *m)
{
	struct mp none = mp_of(SLICE_LIT("\xc0"));
	uint32_t n;

	if (mp_peek(m) != MP_ARRAY || !mp_array(m, &n)) {
		put_wire_as_it_is(b, m);
		return;
	}
	mp_put_map(b, record_wire_count(r));
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];
		struct mp nil = none;
		struct mp *from = n > 0 && !(f->flags & FIELD_DERIVED) ? m : &nil;

		n -= from == m;
		if (f->flags & FIELD_HIDDEN) {
			mp_skip(from, VALUE_DEPTH);
		} else {
			put_name(b, f);
			put_wire_stored(b, f, from);
		}
	}
	while (n-- > 0)
		mp_skip(m, VALUE_DEPTH);
}

/* A stored value of this field as the wire shows it. */
static void put_wire_stored(struct buf *b, const struct field *f, struct mp *m)
{
	uint32_t n;
	int64_t v;

	if (f->shape == SHAPE_SCALAR && f->kind == KIND_PTS && mp_peek(m) == MP_INT && mp_int(m, &v)) {
		mp_put_points(b, v);
	} else if (f->shape == SHAPE_NEST) {
		put_wire_stored_record(b, f->sub(), m);
	} else if (f->shape == SHAPE_LIST_OF && mp_peek(m) == MP_ARRAY && mp_array(m, &n)) {
		mp_put_array(b, n);
		while (n-- > 0)
			put_wire_stored_record(b, f->sub(), m);
	} else {
		put_wire_as_it_is(b, m);
	}
}

static void put_wire_changes(struct buf *b, const struct field *f, struct slice packed)
{
	const struct record *r = f->sub();
	struct mp m = mp_of(packed);
	uint32_t n;

	if (packed.base == NULL || !mp_map(&m, &n)) {
		mp_put_map(b, 0);
		return;
	}
	mp_put_map(b, n);
	for (uint32_t i = 0; i < n; i++) {
		struct slice name, raw;
		int k;

		if (!mp_str(&m, &name))
			name = SLICE_LIT("?");
		mp_put_text(b, name);
		k = record_field(r, name);
		if (k >= 0)
			put_wire_stored(b, &r->fields[k], &m);
		else if (mp_raw(&m, VALUE_DEPTH, &raw))
			buf_append(b, raw.base, raw.len);
		else
			mp_put_nil(b);
	}
}

void value_put_wire(struct buf *b, uint8_t kind, const void *p)
{
	if (kind == KIND_PTS)
		mp_put_points(b, *(const int64_t *)p);
	else
		put_scalar(b, kind, p);
}

static void put_wire_field(struct buf *b, const struct field *f, const void *obj)
{
	const uint8_t *p = at(f, obj);
	const struct list *l = (const void *)p;

	if (!present(f, obj)) {
		mp_put_nil(b);
		return;
	}
	switch ((enum shape)f->shape) {
	case SHAPE_SCALAR:
		value_put_wire(b, f->kind, p);
		return;
	case SHAPE_NEST:
		record_put_wire(b, f->sub(), p);
		return;
	case SHAPE_LIST:
		mp_put_array(b, l->n);
		for (size_t i = 0; i < l->n; i++)
			value_put_wire(b, f->kind, (const uint8_t *)l->v + i * kind_size(f->kind));
		return;
	case SHAPE_LIST_OF: {
		const struct record *r = f->sub();

		mp_put_array(b, l->n);
		for (size_t i = 0; i < l->n; i++)
			record_put_wire(b, r, (const uint8_t *)l->v + i * r->size);
		return;
	}
	case SHAPE_CHANGES:
		put_wire_changes(b, f, *(const struct slice *)p);
		return;
	case SHAPE_FLAT:
	case SHAPE_PATCH:
		break;
	}
	assert(!"flat fields are put by their record");
}

unsigned record_wire_count(const struct record *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];

		if (f->shape == SHAPE_FLAT)
			n += record_wire_count(f->sub());
		else
			n += (f->flags & FIELD_HIDDEN) == 0;
	}
	return n;
}

void record_put_wire_pairs(struct buf *b, const struct record *r, const void *obj)
{
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];

		if (f->shape == SHAPE_FLAT) {
			record_put_wire_pairs(b, f->sub(), at(f, obj));
		} else if ((f->flags & FIELD_HIDDEN) == 0) {
			put_name(b, f);
			put_wire_field(b, f, obj);
		}
	}
}

void record_put_wire(struct buf *b, const struct record *r, const void *obj)
{
	mp_put_map(b, record_wire_count(r));
	record_put_wire_pairs(b, r, obj);
}

/* ---- changes ---- */

int record_field(const struct record *r, struct slice name)
{
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];

		if (f->name_len == name.len && memcmp(f->name, name.base, name.len) == 0)
			return (int)i;
	}
	return -1;
}

unsigned record_diff(const struct record *r, const void *old, const void *new, uint32_t more_flags, struct arena *arena,
		     struct slice *ret_changes, struct slice *ret_before)
{
	struct buf bodies[2], value[2], whole;
	unsigned n = 0;

	for (int k = 0; k < 2; k++) {
		buf_init(&bodies[k], 1 << 20);
		buf_init(&value[k], 1 << 20);
	}
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];

		if ((f->flags & (FIELD_ON_UPDATE | more_flags)) == 0)
			continue;
		buf_reset(&value[0]);
		buf_reset(&value[1]);
		put_field(&value[0], f, new);
		put_field(&value[1], f, old);
		if (slice_eq(buf_slice(&value[0]), buf_slice(&value[1])))
			continue;
		n++;
		for (int k = 0; k < 2; k++) {
			put_name(&bodies[k], f);
			buf_append(&bodies[k], value[k].base, value[k].len);
		}
	}
	buf_init(&whole, 1 << 21);
	for (int k = 0; k < 2; k++) {
		buf_reset(&whole);
		mp_put_map(&whole, n);
		buf_append(&whole, bodies[k].base, bodies[k].len);
		*(k == 0 ? ret_changes : ret_before) = arena_copy(arena, buf_slice(&whole));
		arena->failed |= whole.failed | bodies[k].failed | value[k].failed;
		buf_free(&bodies[k]);
		buf_free(&value[k]);
	}
	buf_free(&whole);
	return n;
}

bool record_apply(const struct record *r, struct slice changes, void *obj, struct arena *arena)
{
	struct mp m = mp_of(changes);
	uint32_t n;

	if (!mp_map(&m, &n))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct slice name;
		int k;

		if (!mp_str(&m, &name))
			return false;
		k = record_field(r, name);
		if (k < 0 ? !mp_skip(&m, VALUE_DEPTH) : !get_field(&m, &r->fields[k], obj, arena))
			return false;
	}
	return true;
}

void record_merge(const struct record *r, void *obj, const void *patch, uint64_t given)
{
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];
		size_t size = f->shape == SHAPE_LIST || f->shape == SHAPE_LIST_OF ? sizeof(struct list)
			      : f->shape == SHAPE_SCALAR                          ? kind_size(f->kind)
										  : f->sub()->size;

		if ((given >> i & 1) == 0)
			continue;
		memcpy((uint8_t *)obj + f->offset, at(f, patch), size);
		set_has(f, obj, present(f, patch));
	}
}

/* ---- params ---- */

struct plan_entry {
	const struct field *field;
	const struct plan *nested; /* SHAPE_NEST, SHAPE_LIST_OF */
	uint16_t offset;
	uint16_t has;
	uint16_t given; /* offset of the mask; 0: not from a patch */
	uint8_t bit;
	uint8_t part;
};

enum { PLAN_MAX = 96 };
struct plan {
	const struct record *records[PLAN_PARTS];
	void *image[PLAN_PARTS]; /* the records with their defaults */
	unsigned n;
	struct plan_entry entries[PLAN_MAX];
};

/* Adds the fields of r that params may name. only: 0, or a flag that a field must have. */
static bool plan_add(struct plan *p, const struct record *r, unsigned part, size_t base, size_t given, uint32_t only)
{
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];
		struct plan_entry *e;

		if (f->flags & (FIELD_DERIVED | FIELD_HIDDEN) || (only != 0 && (f->flags & only) == 0))
			continue;
		if (f->shape == SHAPE_FLAT) {
			uint32_t sub_only = f->flags & FIELD_TAKES_CREATE ? FIELD_ON_CREATE : 0;

			if (!plan_add(p, f->sub(), part, base + f->offset, 0, sub_only))
				return false;
			continue;
		}
		if (f->shape == SHAPE_PATCH) {
			if (!plan_add(p, f->sub(), part, base + f->offset, base + f->given, FIELD_ON_UPDATE))
				return false;
			continue;
		}
		assert(p->n < PLAN_MAX);
		e = &p->entries[p->n++];
		*e = (struct plan_entry){ .field = f,
					  .offset = (uint16_t)(base + f->offset),
					  .has = f->has ? (uint16_t)(base + f->has) : 0,
					  .given = (uint16_t)given,
					  .bit = (uint8_t)i,
					  .part = (uint8_t)part };
		if (f->shape == SHAPE_NEST || f->shape == SHAPE_LIST_OF) {
			e->nested = plan_new(f->sub(), NULL);
			if (e->nested == NULL)
				return false;
		}
	}
	return true;
}

const struct plan *plan_new(const struct record *own, const struct record *more)
{
	const struct record *records[PLAN_PARTS] = { own, more };
	struct plan *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	for (unsigned k = 0; k < PLAN_PARTS; k++) {
		p->records[k] = records[k];
		if (records[k] == NULL)
			continue;
		p->image[k] = malloc(records[k]->size + 1);
		if (p->image[k] == NULL || !plan_add(p, records[k], k, 0, 0, 0)) {
			plan_free(p);
			return NULL; // NOLINT(clang-analyzer-unix.Malloc): it is free
		}
		record_defaults(records[k], p->image[k]);
	}
	return p;
}

void plan_free(const struct plan *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < p->n; i++)
		plan_free(p->entries[i].nested);
	free(p->image[0]);
	free(p->image[1]);
	free((void *)p);
}

unsigned plan_n_fields(const struct plan *p)
{
	return p->n;
}

const struct field *plan_field(const struct plan *p, unsigned i)
{
	return p->entries[i].field;
}

bool plan_field_is_patch(const struct plan *p, unsigned i)
{
	return p->entries[i].given != 0;
}

bool key_chars(struct slice s)
{
	const char *p = s.base;

	for (size_t i = 0; i < s.len; i++) {
		char c = p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		      c == '-' || c == '.' || c == ':'))
			return false;
	}
	return true;
}

static bool in_choices(struct slice v, const char *choices)
{
	while (choices != NULL) {
		const char *bar = strchr(choices, '|');
		size_t n = bar ? (size_t)(bar - choices) : strlen(choices);

		if (slice_eq(v, slice_of(choices, n)))
			return true;
		choices = bar ? bar + 1 : NULL;
	}
	return false;
}

static int wrong_type(const struct field *f, struct err *err)
{
	char type[48];

	field_type_name(f, type);
	return err_field(err, f->name, "must be of type %s", type);
}

static int want_int(struct mp *m, const struct field *f, int64_t *ret, struct err *err)
{
	int64_t lo = INT64_MIN, hi = INT64_MAX;

	if (mp_peek(m) != MP_INT)
		return wrong_type(f, err);
	switch (f->kind) {
	case KIND_INT:
		lo = -INT_SAFE_MAX;
		hi = INT_SAFE_MAX;
		break;
	case KIND_U64:
		lo = 0;
		break;
	case KIND_UID:
		lo = 1;
		break;
	case KIND_MS:
		lo = 0;
		hi = MS_MAX;
		break;
	default:
		break;
	}
	if (f->flags & FIELD_RANGED) {
		lo = f->lo;
		hi = f->hi;
	}
	if (!mp_int(m, ret) || *ret < lo || *ret > hi)
		return err_field(err, f->name, "must be %" PRId64 "..%" PRId64, lo, hi);
	if (f->kind == KIND_CID && *ret == 0)
		return err_field(err, f->name, "must not be 0");
	return 0;
}

static int want_points(struct mp *m, const struct field *f, int64_t *ret, struct err *err)
{
	int64_t lo = f->flags & FIELD_RANGED ? f->lo : 0;
	int64_t whole;
	double x;
	bool ok;

	if (mp_peek(m) == MP_INT) {
		uint64_t u;
		struct mp copy = *m;

		ok = mp_int(m, &whole) && points_from_int(whole, ret);
		if (!ok && mp_uint(&copy, &u))
			goto too_large;
		if (!ok && !m->bad && whole > 0)
			goto too_large;
	} else if (mp_peek(m) == MP_FLOAT) {
		ok = mp_float(m, &x) && !isnan(x);
		if (ok && !isinf(x) && x * 1000.0 > (double)POINTS_MAX)
			goto too_large;
		ok = ok && points_from_double(x, ret);
	} else {
		return wrong_type(f, err);
	}
	if (!ok)
		return err_field(err, f->name, "must be a multiple of 0.001");
	if (*ret > POINTS_MAX)
		goto too_large;
	if (*ret < lo || *ret < -POINTS_MAX) {
		char text[24];

		points_print(lo, text);
		return err_field(err, f->name, "must be at least %s", lo < -POINTS_MAX ? "-4000000000000" : text);
	}
	return 0;
too_large:
	err_set(err, E_LIMIT_EXCEEDED, "%s: more than 4000000000000 points", f->name);
	err_detail_points(err, "limit", POINTS_MAX);
	return E_LIMIT_EXCEEDED;
}

static int want_text(struct mp *m, const struct field *f, struct slice *ret, struct err *err)
{
	uint32_t max = f->kind == KIND_KEY ? KEY_MAX : f->shape == SHAPE_LIST ? (uint32_t)f->hi : f->max;

	if (mp_peek(m) != MP_STR || !mp_str(m, ret))
		return wrong_type(f, err);
	if (!utf8_valid(*ret))
		return err_field(err, f->name, "is not valid UTF-8");
	if (f->flags & FIELD_TRIM) {
		*ret = text_trim(*ret);
		if (ret->len == 0 && f->need == NEED_REQUIRED)
			return err_field(err, f->name, "must not be empty");
	}
	if (max != 0 && ret->len > max)
		return err_field(err, f->name, "must be at most %" PRIu32 " bytes", max);
	if (f->kind == KIND_KEY && (ret->len == 0 || ret->len > KEY_MAX || !key_chars(*ret)))
		return err_field(err, f->name, "must be 1..%d of A-Z a-z 0-9 _ - . :", KEY_MAX);
	if (f->choices != NULL && !in_choices(*ret, f->choices))
		return err_field(err, f->name, "must be one of %s", f->choices);
	return 0;
}

/* Texts inside free values are valid UTF-8 and keys are texts, whatever the depth. */
static bool clean_value(struct mp *m, unsigned depth)
{
	struct slice s;
	uint32_t n;

	switch (mp_peek(m)) {
	case MP_STR:
		return mp_str(m, &s) && utf8_valid(s);
	case MP_ARRAY:
		if (depth == 0 || !mp_array(m, &n))
			return false;
		while (n-- > 0)
			if (!clean_value(m, depth - 1))
				return false;
		return true;
	case MP_MAP:
		if (depth == 0 || !mp_map(m, &n))
			return false;
		while (n-- > 0)
			if (!mp_str(m, &s) || !utf8_valid(s) || !clean_value(m, depth - 1))
				return false;
		return true;
	default:
		return mp_skip(m, 0);
	}
}

static int want_map(struct mp *m, const struct field *f, struct slice *ret, struct err *err)
{
	uint32_t max = f->shape == SHAPE_LIST ? (uint32_t)f->hi : f->max;
	struct mp inside;

	if (f->kind == KIND_MAP && mp_peek(m) != MP_MAP)
		return wrong_type(f, err);
	if (!mp_raw(m, VALUE_DEPTH, ret))
		return err_field(err, f->name, "is nested more than %d deep", MAP_DEPTH);
	inside = mp_of(*ret);
	if (f->kind == KIND_MAP && max == 0)
		max = MAP_MAX;
	if (max != 0 && ret->len > max)
		return err_field(err, f->name, "must be at most %" PRIu32 " bytes packed", max);
	if (f->kind == KIND_MAP && !clean_value(&inside, MAP_DEPTH))
		return err_field(err, f->name, "must have string keys, valid UTF-8 and at most %d levels", MAP_DEPTH);
	return 0;
}

static int want_ref(struct mp *m, const struct field *f, struct slice *ret, struct err *err)
{
	const uint8_t *start = m->p;
	bool kind = false, id = false;
	struct slice name, text;
	int64_t n;
	uint32_t pairs;

	if (mp_peek(m) != MP_MAP || !mp_map(m, &pairs))
		return wrong_type(f, err);
	for (uint32_t i = 0; i < pairs && mp_str(m, &name); i++) {
		if (slice_is(name, "kind") && !kind)
			kind = mp_str(m, &text) && text.len <= REF_KIND_MAX && utf8_valid(text);
		else if (slice_is(name, "id") && !id && mp_peek(m) == MP_INT)
			id = mp_int(m, &n);
		else if (slice_is(name, "id") && !id)
			id = mp_str(m, &text) && text.len <= REF_ID_MAX && utf8_valid(text);
		else
			m->bad = true;
	}
	if (m->bad || pairs != 2 || !kind || !id)
		return err_field(err, f->name, "must be {kind: str<=%d, id: int or str<=%d}", REF_KIND_MAX, REF_ID_MAX);
	*ret = slice_of(start, (size_t)(m->p - start));
	return 0;
}

static int want_keys(struct mp *m, const struct field *f, struct slice *ret, struct err *err)
{
	const uint8_t *start = m->p;
	const struct field each = { .name = f->name, .kind = KIND_KEY };
	struct slice keys[KEYS_MAX];
	uint32_t n;

	if (mp_peek(m) != MP_ARRAY || !mp_array(m, &n))
		return wrong_type(f, err);
	if (n < KEYS_MIN || n > KEYS_MAX)
		return err_field(err, f->name, "must have sets of %d..%d keys", KEYS_MIN, KEYS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		int rc = want_text(m, &each, &keys[i], err);

		if (rc != 0)
			return rc;
		for (uint32_t k = 0; k < i; k++)
			if (slice_eq(keys[k], keys[i]))
				return err_field(err, f->name, "must have sets of different keys");
	}
	*ret = slice_of(start, (size_t)(m->p - start));
	return 0;
}

int param_decode(struct mp *m, const struct field *f, void *p, struct err *err)
{
	switch ((enum kind)f->kind) {
	case KIND_BOOL:
		return mp_bool(m, p) ? 0 : wrong_type(f, err);
	case KIND_INT:
	case KIND_U64:
	case KIND_UID:
	case KIND_CID:
	case KIND_MS:
		return want_int(m, f, p, err);
	case KIND_PTS:
		return want_points(m, f, p, err);
	case KIND_TEXT:
	case KIND_KEY:
		return want_text(m, f, p, err);
	case KIND_MAP:
	case KIND_ANY:
		return want_map(m, f, p, err);
	case KIND_REF:
		return want_ref(m, f, p, err);
	case KIND_KEYS:
		return want_keys(m, f, p, err);
	case KIND_FLOAT:
		break;
	}
	return wrong_type(f, err);
}

static int want_list(struct mp *m, const struct plan_entry *e, void *p, struct arena *arena, struct err *err)
{
	const struct field *f = e->field;
	size_t size = field_element_size(f);
	struct list l;
	uint32_t n;
	uint8_t *v;

	if (mp_peek(m) != MP_ARRAY || !mp_array(m, &n))
		return wrong_type(f, err);
	if (n > f->max || n < f->lo)
		return err_field(err, f->name, "must have %d..%" PRIu32 " items", (int)f->lo, f->max);
	v = arena_zero(arena, n * size);
	if (v == NULL)
		return err_set(err, E_LIMIT_EXCEEDED, "%s: too large", f->name);
	for (uint32_t i = 0; i < n; i++) {
		int rc;

		if (f->shape == SHAPE_LIST) {
			rc = param_decode(m, f, v + i * size, err);
		} else {
			struct slice item;
			void *parts[PLAN_PARTS] = { v + i * size, NULL };

			rc = mp_peek(m) == MP_MAP && mp_raw(m, VALUE_DEPTH, &item)
				     ? params_decode(e->nested, item, parts, arena, err)
				     : wrong_type(f, err);
			if (rc != 0)
				return err_wrap(err, "%s[%" PRIu32 "]", f->name, i);
		}
		if (rc != 0)
			return rc;
	}
	l = (struct list){ v, n };
	memcpy(p, &l, sizeof(l));
	return 0;
}

static int want_nested(struct mp *m, const struct plan_entry *e, void *p, struct arena *arena, struct err *err)
{
	void *parts[PLAN_PARTS] = { p, NULL };
	struct slice packed;
	int rc;

	if (mp_peek(m) != MP_MAP || !mp_raw(m, VALUE_DEPTH, &packed))
		return wrong_type(e->field, err);
	rc = params_decode(e->nested, packed, parts, arena, err);
	return rc == 0 ? 0 : err_wrap(err, "%s", e->field->name);
}

static bool is_required(const struct plan_entry *e)
{
	const struct field *f = e->field;

	if (e->given != 0 || e->has != 0)
		return false;
	if (f->shape == SHAPE_LIST || f->shape == SHAPE_LIST_OF)
		return f->lo > 0;
	return f->need == NEED_REQUIRED;
}

static int want_value(struct mp *m, const struct plan_entry *e, void *obj, struct arena *arena, struct err *err)
{
	const struct field *f = e->field;
	uint8_t *p = (uint8_t *)obj + e->offset;
	int rc;

	if (mp_peek(m) == MP_NIL && !(f->kind == KIND_ANY && is_required(e))) {
		bool nullable = f->need == NEED_NULLABLE || e->has != 0;

		if (e->given != 0 ? !nullable : is_required(e))
			return wrong_type(f, err);
		mp_nil(m);
		if (e->given != 0) {
			*(uint64_t *)((uint8_t *)obj + e->given) |= UINT64_C(1) << e->bit;
			if (e->has == 0)
				memset(p, 0, f->shape == SHAPE_SCALAR ? kind_size(f->kind) : sizeof(struct list));
		}
		return 0;
	}
	switch ((enum shape)f->shape) {
	case SHAPE_LIST:
	case SHAPE_LIST_OF:
		rc = want_list(m, e, p, arena, err);
		break;
	case SHAPE_NEST:
		rc = want_nested(m, e, p, arena, err);
		break;
	default:
		rc = param_decode(m, f, p, err);
		break;
	}
	if (rc != 0)
		return rc;
	if (e->has != 0)
		*(bool *)((uint8_t *)obj + e->has) = true;
	if (e->given != 0)
		*(uint64_t *)((uint8_t *)obj + e->given) |= UINT64_C(1) << e->bit;
	return 0;
}

/* Index of the entry that a map's key names, -1: none. Params tend to come in one order: try `hint` first. */
static int plan_find(const struct plan *p, struct slice name, unsigned hint)
{
	for (unsigned k = 0; k < p->n; k++) {
		unsigned i = hint + k < p->n ? hint + k : hint + k - p->n;
		const struct field *f = p->entries[i].field;

		if (f->name_len == name.len && memcmp(f->name, name.base, name.len) == 0)
			return (int)i;
	}
	return -1;
}

static int unknown_param(struct slice name, struct err *err)
{
	char text[64] = "?";

	if (utf8_valid(name) && name.len < sizeof(text)) {
		memcpy(text, name.base, name.len);
		text[name.len] = '\0';
	}
	return err_field(err, text, "no such param");
}

static int missing_params(const struct plan *p, const bool *seen, struct err *err)
{
	for (unsigned i = 0; i < p->n; i++)
		if (!seen[i] && is_required(&p->entries[i]))
			return err_field(err, p->entries[i].field->name, "is required");
	return 0;
}

int params_decode(const struct plan *p, struct slice packed, void *const parts[PLAN_PARTS], struct arena *arena,
		  struct err *err)
{
	struct mp m = mp_of(packed);
	bool seen[PLAN_MAX] = { false };
	uint32_t n = 0;
	unsigned hint = 0;

	for (unsigned k = 0; k < PLAN_PARTS; k++)
		if (p->records[k] != NULL && parts[k] != NULL)
			memcpy(parts[k], p->image[k], p->records[k]->size);
	if (mp_peek(&m) == MP_ARRAY ? !mp_array(&m, &n) || n != 0 : !mp_map(&m, &n))
		return err_field(err, "params", "must be one map with string keys");
	for (uint32_t i = 0; i < n; i++) {
		struct slice name;
		int k, rc;

		if (!mp_str(&m, &name))
			return err_field(err, "params", "must be one map with string keys");
		k = plan_find(p, name, hint);
		if (k < 0)
			return unknown_param(name, err);
		if (seen[k])
			return err_field(err, p->entries[k].field->name, "is there twice");
		seen[k] = true;
		hint = (unsigned)k + 1;
		rc = want_value(&m, &p->entries[k], parts[p->entries[k].part], arena, err);
		if (rc != 0)
			return rc;
		if (mp_peek(&m) == MP_NONE && m.p < m.end)
			return err_field(err, "params", "is malformed");
	}
	return missing_params(p, seen, err);
}

void field_type_name(const struct field *f, char text[48])
{
	static const char *const names[] = {
		[KIND_BOOL] = "bool", [KIND_INT] = "int",    [KIND_U64] = "u64", [KIND_UID] = "uid",
		[KIND_CID] = "cid",   [KIND_MS] = "ms",      [KIND_PTS] = "pts", [KIND_FLOAT] = "float",
		[KIND_TEXT] = "str",  [KIND_KEY] = "key",    [KIND_MAP] = "map", [KIND_ANY] = "any",
		[KIND_REF] = "ref",   [KIND_KEYS] = "[key]",
	};
	bool nullable = f->has != 0 || f->need == NEED_NULLABLE;

	switch ((enum shape)f->shape) {
	case SHAPE_LIST:
		snprintf(text, 48, "[%s]%s", names[f->kind], nullable ? "?" : "");
		return;
	case SHAPE_LIST_OF:
		snprintf(text, 48, "[%s]", f->sub()->name);
		return;
	case SHAPE_NEST:
	case SHAPE_FLAT:
	case SHAPE_PATCH:
		snprintf(text, 48, "%s%s", f->sub()->name, nullable ? "?" : "");
		return;
	case SHAPE_CHANGES:
		snprintf(text, 48, "map");
		return;
	case SHAPE_SCALAR:
		break;
	}
	if (f->kind == KIND_TEXT && f->max != 0 && f->choices == NULL)
		snprintf(text, 48, "str<=%" PRIu32 "%s", f->max, nullable ? "?" : "");
	else
		snprintf(text, 48, "%s%s", names[f->kind], nullable ? "?" : "");
}
