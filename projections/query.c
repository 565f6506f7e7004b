#include "projections/query.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/rules.h"

enum { IDENTITY_MAX = 4 << 20, CURSOR_MAX = 1024 };

int run_query(enum method_id m, struct query *q, const void *params)
{
	switch (m) {
#define QUERY(name, wire, kind, errors, doc)                                                                           \
	case METHOD_##name:                                                                                            \
		return query_##name(q, params);
#include "core/schema/all.def"
	default:
		assert(!"not a query");
		return E_INTERNAL;
	}
}

/* ---- cursors ---- */

static uint32_t fnv(uint32_t h, struct slice s)
{
	const uint8_t *p = s.base;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

/* What makes a list this list: its record and all params but limit and after. */
static uint32_t list_identity(const struct record *r, const void *p)
{
	uint32_t h = fnv(2166136261u, slice_str(r->name));
	struct buf b;

	buf_init(&b, IDENTITY_MAX);
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];
		struct record one = { r->name, "", f, 1, r->size };

		if (strcmp(f->name, "limit") == 0 || strcmp(f->name, "after") == 0)
			continue;
		buf_reset(&b);
		record_put(&b, &one, p);
		h = fnv(h, buf_slice(&b));
	}
	buf_free(&b);
	return h;
}

static const void *param(const struct record *r, const void *p, const char *name)
{
	int i = record_field(r, slice_str(name));

	assert(i >= 0);
	return (const uint8_t *)p + r->fields[i].offset;
}

static bool read_cursor(struct slice text, uint32_t list, struct key *ret)
{
	uint8_t raw[CURSOR_MAX];
	uint32_t named;
	int n;

	if (text.len == 0 || text.len > CURSOR_MAX || text.len % 4 != 0)
		return false;
	n = EVP_DecodeBlock(raw, text.base, (int)text.len);
	if (n < 5)
		return false;
	for (size_t i = text.len; i > 0 && ((const char *)text.base)[i - 1] == '=' && n > 0; i--)
		n--;
	memcpy(&named, raw, 4);
	if (named != list || n <= 4 || (size_t)n - 4 > STATE_KEY_MAX)
		return false;
	key_begin(ret);
	ret->len = (uint16_t)(n - 4);
	memcpy(ret->bytes, raw + 4, ret->len);
	return true;
}

static void write_cursor(struct buf *b, uint32_t list, const struct key *k)
{
	uint8_t raw[4 + STATE_KEY_MAX], text[CURSOR_MAX];
	int n;

	memcpy(raw, &list, 4);
	memcpy(raw + 4, k->bytes, k->len);
	n = EVP_EncodeBlock(text, raw, 4 + k->len);
	mp_put_text(b, slice_of(text, (size_t)n));
}

/* ---- pages ---- */

int page_begin(struct page *pg, struct query *q, const struct record *r, const void *p)
{
	struct slice after = *(const struct slice *)param(r, p, "after");

	*pg = (struct page){ .q = q, .list = list_identity(r, p), .limit = *(const int64_t *)param(r, p, "limit") };
	if (after.base != NULL) {
		pg->has_from = read_cursor(after, pg->list, &pg->from);
		if (!pg->has_from)
			return err_field(q->err, "after", "is not a cursor of this list, filters and sort");
	}
	map_open(&pg->w, q->out);
	map_key(&pg->w, "items");
	pg->head = array_open(q->out);
	return 0;
}

void page_end(struct page *pg)
{
	array_close(pg->q->out, pg->head, pg->n);
	map_key(&pg->w, "next");
	if (pg->has_next)
		write_cursor(pg->q->out, pg->list, &pg->next);
	else
		mp_put_nil(pg->q->out);
	map_close(&pg->w);
	pg->q->returned += pg->n;
}

static bool in_range(const struct range *r, struct slice key)
{
	if (r->desc)
		return slice_cmp(key, key_slice(&r->lo)) >= 0;
	return r->hi.len == 0 || slice_cmp(key, key_slice(&r->hi)) < 0;
}

static bool first_row(const struct page *pg, const struct range *r, struct state_cursor *c)
{
	if (r->desc)
		return state_cursor_seek_before(c, pg->has_from ? key_slice(&pg->from) : key_slice(&r->hi));
	if (!pg->has_from)
		return state_cursor_seek(c, key_slice(&r->lo));
	return state_cursor_seek(c, key_slice(&pg->from)) &&
	       (!slice_eq(c->key, key_slice(&pg->from)) || state_cursor_next(c));
}

static void go_on_behind(struct page *pg, struct slice key)
{
	pg->has_next = true;
	pg->next.len = (uint16_t)key.len;
	memcpy(pg->next.bytes, key.base, key.len);
}

int page_walk(struct page *pg, const struct range *r, visit_fn visit, void *arg)
{
	struct query *q = pg->q;
	struct state_cursor c;
	uint64_t looked = 0;
	struct key last = { 0 };
	bool more;
	int rc = 0;

	q->index = table_defs[r->table].name;
	state_cursor_open(&c, q->state, r->table);
	for (more = first_row(pg, r, &c); more && in_range(r, c.key);
	     more = r->desc ? state_cursor_prev(&c) : state_cursor_next(&c)) {
		/* one row at least, for a cursor stands behind a row */
		if (pg->n == pg->limit || looked == EXAMINE_MAX || (looked > 0 && q->out->len > PAGE_BYTES)) {
			go_on_behind(pg, key_slice(&last));
			break;
		}
		looked++;
		last.len = (uint16_t)c.key.len;
		memcpy(last.bytes, c.key.base, c.key.len);
		rc = visit(q, arg, c.key, c.value);
		if (rc < 0 || rc == VISIT_STOP)
			break;
		pg->n += rc == VISIT_TAKEN;
	}
	state_cursor_close(&c);
	q->examined += looked;
	return rc < 0 ? -rc : 0;
}

int list_range(struct query *q, const struct record *r, const void *p, const struct range *range, visit_fn visit,
	       void *arg)
{
	struct page pg;
	int rc = page_begin(&pg, q, r, p);

	if (rc != 0)
		return rc;
	rc = page_walk(&pg, range, visit, arg);
	page_end(&pg);
	return rc;
}

void range_prefix(struct range *r, enum table_id table, const struct key *prefix, bool desc)
{
	*r = (struct range){ .table = table, .lo = *prefix, .desc = desc };
	key_behind(prefix, &r->hi);
}

void range_numbers(struct range *r, enum table_id table, const struct key *prefix, uint64_t from, uint64_t to,
		   bool desc)
{
	range_prefix(r, table, prefix, desc);
	if (from != 0)
		key_put_U64(&r->lo, from);
	if (to == 0)
		return;
	r->hi = *prefix;
	key_put_U64(&r->hi, to);
}

void range_times(struct range *r, enum table_id table, const struct key *prefix, const struct time_range *t, bool desc)
{
	range_numbers(r, table, prefix, t->from > 0 ? (uint64_t)t->from : 0, t->to < MS_MAX ? (uint64_t)t->to : 0,
		      desc);
}

int put_many(struct query *q, enum kind kind, const void *ids, size_t n,
	     bool (*put)(struct query *q, const void *arg, const void *id), const void *arg)
{
	bool *found = arena_zero(q->arena, n);
	size_t size = kind_size(kind), head;
	struct map_writer w;
	uint32_t n_found = 0;

	if (found == NULL)
		return err_set(q->err, E_LIMIT_EXCEEDED, "the answer takes too much memory");
	map_open(&w, q->out);
	map_key(&w, "items");
	head = array_open(q->out);
	for (size_t i = 0; i < n; i++) {
		found[i] = put(q, arg, (const uint8_t *)ids + i * size);
		n_found += found[i];
	}
	array_close(q->out, head, n_found);
	map_key(&w, "missing");
	head = array_open(q->out);
	for (size_t i = 0; i < n; i++)
		if (!found[i])
			value_put_wire(q->out, kind, (const uint8_t *)ids + i * size);
	array_close(q->out, head, (uint32_t)n - n_found);
	map_close(&w);
	q->returned = n_found;
	return 0;
}

int time_range(struct query *q, bool has_from, int64_t from, bool has_to, int64_t to, bool has_days, int64_t days,
	       struct time_range *ret)
{
	if (has_days && has_from)
		return err_field(q->err, "days", "excludes from_at");
	*ret = (struct time_range){ INT64_MIN, INT64_MAX };
	if (has_from)
		ret->from = from;
	if (has_days)
		ret->from = q->now - days * DAY_MS;
	if (has_to)
		ret->to = to;
	return 0;
}

int flag_filter(struct query *q, const char *field, struct slice packed, enum flag_filter *ret)
{
	struct mp m = mp_of(packed);
	struct slice text;
	bool value = true;

	*ret = FLAG_ANY;
	if (mp_peek(&m) == MP_STR && mp_str(&m, &text) && slice_is(text, "any"))
		return 0;
	if (packed.base != NULL && !mp_bool(&m, &value))
		return err_field(q->err, field, "must be true, false or \"any\"");
	*ret = value ? FLAG_TRUE : FLAG_FALSE;
	return 0;
}

void day_window(const struct query *q, int64_t days, int64_t *ret_first, int64_t *ret_last)
{
	*ret_last = utc_day(q->now);
	*ret_first = *ret_last - days + 1;
	if (*ret_first < 0)
		*ret_first = 0;
}

void put_per_day(struct query *q, struct map_writer *w, int64_t days,
		 void (*fill)(struct query *q, struct map_writer *day, int64_t utc_day, void *arg), void *arg)
{
	struct map_writer one;
	int64_t first, last;
	uint32_t n = 0;
	size_t head;

	day_window(q, days, &first, &last);
	map_key(w, "per_day");
	head = array_open(q->out);
	for (int64_t day = first; day <= last; day++, n++) {
		map_open(&one, q->out);
		map_int(&one, "day_at", day * DAY_MS);
		fill(q, &one, day, arg);
		map_close(&one);
	}
	array_close(q->out, head, n);
	q->examined += n;
}

double percent(int64_t part, int64_t whole)
{
	return whole != 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

double mean(int64_t sum, int64_t n)
{
	return n != 0 ? (double)sum / (double)n : 0.0;
}

static int longer_first(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? 1 : -1;
	return slice_cmp(*x, *y);
}

int search_begin(struct query *q, const char *field, struct slice text, enum table_id table, struct search *ret,
		 struct range *ret_range)
{
	struct key k;

	ret->words = text_words(&text, 1, 11, q->arena);
	if (ret->words.n == 0 || ret->words.n > 10)
		return err_field(q->err, field, "must have 1..10 words");
	qsort(ret->words.v, ret->words.n, sizeof(ret->words.v[0]), longer_first);
	/* a prefix of the word: without the mark that ends a text in a key */
	key_put_TEXT(key_begin(&k), ret->words.v[0]);
	k.len = (uint16_t)(k.len - 2);
	range_prefix(ret_range, table, &k, false);
	return 0;
}

bool search_hit(struct query *q, const struct search *search, struct slice word, const struct slice *texts, size_t n)
{
	struct words have = text_words(texts, n, TEXT_WORDS_MAX, q->arena);

	for (size_t i = 0; i < search->words.n; i++) {
		bool found = false;

		for (size_t k = 0; k < have.n && !found; k++) {
			found = slice_starts(have.v[k], search->words.v[i]);
			if (found && i == 0 && !slice_eq(have.v[k], word))
				return false; /* it came, or will come, at an earlier word */
		}
		if (!found)
			return false;
	}
	return true;
}
