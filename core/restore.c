#include "core/map_writer.h"
#include "core/points.h"
#include "core/schema.h"

enum { VALUE_DEPTH = 12, PAIRS_MAX = 128 };

/*
 * Both ways walk a record's fields alike, and differ in what they make of a scalar and of a record.
 */
struct way {
	bool (*scalar)(struct buf *b, uint8_t kind, struct mp *m);
	bool (*record)(struct buf *b, const struct record *r, struct mp *m);
};

static bool turn_list(const struct way *w, struct buf *b, const struct field *f, struct mp *m)
{
	uint32_t n;

	if (!mp_array(m, &n))
		return false;
	mp_put_array(b, n);
	while (n-- > 0)
		if (f->shape == SHAPE_LIST ? !w->scalar(b, f->kind, m) : !w->record(b, f->sub(), m))
			return false;
	return true;
}

static bool copy_value(struct buf *b, struct mp *m)
{
	struct slice raw;

	if (!mp_raw(m, VALUE_DEPTH, &raw))
		return false;
	buf_append(b, raw.base, raw.len);
	return true;
}

static bool turn_value(const struct way *w, struct buf *b, const struct field *f, struct mp *m);

/* Values of some of the record's fields, by their names. What has a name that is no field's is left as it is. */
static bool turn_changes(const struct way *w, struct buf *b, const struct record *r, struct mp *m)
{
	uint32_t n;

	if (!mp_map(m, &n))
		return false;
	mp_put_map(b, n);
	while (n-- > 0) {
		struct slice name;
		int k;

		if (!mp_str(m, &name))
			return false;
		mp_put_text(b, name);
		k = record_field(r, name);
		if (k >= 0 ? !turn_value(w, b, &r->fields[k], m) : !copy_value(b, m))
			return false;
	}
	return true;
}

static bool turn_value(const struct way *w, struct buf *b, const struct field *f, struct mp *m)
{
	if (mp_nil(m)) {
		mp_put_nil(b);
		return true;
	}
	switch ((enum shape)f->shape) {
	case SHAPE_SCALAR:
		return w->scalar(b, f->kind, m);
	case SHAPE_NEST:
		return w->record(b, f->sub(), m);
	case SHAPE_LIST:
	case SHAPE_LIST_OF:
		return turn_list(w, b, f, m);
	case SHAPE_CHANGES:
		return turn_changes(w, b, f->sub(), m);
	case SHAPE_FLAT:
	case SHAPE_PATCH:
		break;
	}
	return false;
}

/* ---- by names ---- */

static bool show_scalar(struct buf *b, uint8_t kind, struct mp *m)
{
	int64_t thousandths;

	if (kind != KIND_PTS)
		return copy_value(b, m);
	if (!mp_int(m, &thousandths))
		return false;
	mp_put_points(b, thousandths);
	return true;
}

static const struct way to_names = { show_scalar, record_show };

static bool show_fields(struct map_writer *w, const struct record *r, struct mp *m)
{
	uint32_t n;

	if (!mp_array(m, &n))
		return false;
	for (unsigned i = 0; i < r->n_fields && n > 0; i++) {
		const struct field *f = &r->fields[i];

		if (f->flags & FIELD_DERIVED)
			continue;
		n--;
		if (f->shape == SHAPE_FLAT ? !show_fields(w, f->sub(), m)
					   : !turn_value(&to_names, map_key(w, f->name), f, m))
			return false;
	}
	return n == 0;
}

bool record_show(struct buf *b, const struct record *r, struct mp *m)
{
	struct map_writer w;

	map_open(&w, b);
	if (!show_fields(&w, r, m))
		return false;
	map_close(&w);
	return true;
}

/* ---- and back ---- */

static bool restore_points(struct buf *b, struct mp *m)
{
	int64_t whole, thousandths;
	double x;

	if (mp_peek(m) == MP_INT ? !mp_int(m, &whole) || !points_from_int(whole, &thousandths)
				 : !mp_float(m, &x) || !points_from_double(x, &thousandths))
		return false;
	mp_put_int64(b, thousandths);
	return true;
}

static bool restore_scalar(struct buf *b, uint8_t kind, struct mp *m)
{
	struct slice text;
	uint64_t u;
	int64_t i;
	double x;
	bool is;

	switch ((enum kind)kind) {
	case KIND_PTS:
		return restore_points(b, m);
	case KIND_BOOL:
		if (!mp_bool(m, &is))
			return false;
		mp_put_bool(b, is);
		return true;
	case KIND_INT:
	case KIND_UID:
	case KIND_CID:
	case KIND_MS:
		if (!mp_int(m, &i))
			return false;
		mp_put_int64(b, i);
		return true;
	case KIND_U64:
		if (!mp_uint(m, &u))
			return false;
		mp_put_uint64(b, u);
		return true;
	case KIND_FLOAT:
		if (!mp_float(m, &x))
			return false;
		mp_put_double(b, x);
		return true;
	case KIND_TEXT:
	case KIND_KEY:
		if (!mp_str(m, &text))
			return false;
		mp_put_text(b, text);
		return true;
	case KIND_MAP:
	case KIND_ANY:
	case KIND_REF:
	case KIND_KEYS:
		return copy_value(b, m);
	}
	return false;
}

static const struct way to_stored = { restore_scalar, record_restore };

/* The pairs of one map, and which of them were asked for. */
struct pairs {
	unsigned n, n_taken;
	struct slice name[PAIRS_MAX];
	struct slice value[PAIRS_MAX];
	bool taken[PAIRS_MAX];
};

static bool read_pairs(struct mp *m, struct pairs *ret)
{
	uint32_t n;

	if (!mp_map(m, &n) || n > PAIRS_MAX)
		return false;
	ret->n = n;
	ret->n_taken = 0;
	for (uint32_t i = 0; i < n; i++) {
		ret->taken[i] = false;
		if (!mp_str(m, &ret->name[i]) || !mp_raw(m, VALUE_DEPTH, &ret->value[i]))
			return false;
	}
	return true;
}

/* Looks first where it stands when nobody has changed the order. -1: it is not there, or was taken. */
static int find_pair(const struct pairs *p, const struct field *f, unsigned hint)
{
	struct slice name = slice_of(f->name, f->name_len);

	for (unsigned k = 0; k < p->n; k++) {
		unsigned i = (hint + k) % p->n;

		if (!p->taken[i] && slice_eq(p->name[i], name))
			return (int)i;
	}
	return -1;
}

/* Elements of the stored array: up to the last field that is there. A flat record always is. */
static unsigned count_elements(const struct record *r, const struct pairs *p)
{
	unsigned n = 0, last = 0;

	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];

		if (f->flags & FIELD_DERIVED)
			continue;
		n++;
		if (f->shape == SHAPE_FLAT || find_pair(p, f, p->n_taken + i) >= 0)
			last = n;
	}
	return last;
}

static bool take_pair(const struct field *f, struct pairs *p, struct mp *ret)
{
	int i = find_pair(p, f, p->n_taken);

	if (i < 0)
		return false;
	p->taken[i] = true;
	p->n_taken++;
	*ret = mp_of(p->value[i]);
	return true;
}

static bool restore_fields(struct buf *b, const struct record *r, struct pairs *p)
{
	unsigned left = count_elements(r, p);

	mp_put_array(b, left);
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];
		struct mp value;

		if ((f->flags & FIELD_DERIVED) || left == 0)
			continue;
		left--;
		if (f->shape == SHAPE_FLAT ? !restore_fields(b, f->sub(), p)
					   : !take_pair(f, p, &value) || !turn_value(&to_stored, b, f, &value))
			return false;
	}
	return true;
}

bool record_restore(struct buf *b, const struct record *r, struct mp *m)
{
	struct pairs p;

	return read_pairs(m, &p) && restore_fields(b, r, &p) && p.n_taken == p.n;
}
