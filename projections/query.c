#include "projections/query.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/rules.h"

enum { IDENTITY_MAX = 4 << 20, PAGE_MARGIN = 256 * 1024, CURSOR_MAX = 1024 };

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

	state_cursor_open(&c, q->state, r->table);
	for (more = first_row(pg, r, &c); more && in_range(r, c.key);
	     more = r->desc ? state_cursor_prev(&c) : state_cursor_next(&c)) {
		if (pg->n == pg->limit || looked == EXAMINE_MAX || q->out->len > ANSWER_MAX - PAGE_MARGIN) {
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

void range_prefix(struct range *r, enum table_id table, const struct key *prefix, bool desc)
{
	*r = (struct range){ .table = table, .lo = *prefix, .hi = *prefix, .desc = desc };
	while (r->hi.len > 0 && r->hi.bytes[r->hi.len - 1] == 0xff)
		r->hi.len--;
	if (r->hi.len > 0)
		r->hi.bytes[r->hi.len - 1]++;
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

void day_window(const struct query *q, int64_t days, int64_t *ret_first, int64_t *ret_last)
{
	*ret_last = utc_day(q->now);
	*ret_first = *ret_last - days + 1;
	if (*ret_first < 0)
		*ret_first = 0;
}

static int longer_first(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? 1 : -1;
	return slice_cmp(*x, *y);
}

int search_words(struct query *q, const char *field, struct slice text, struct words *ret)
{
	*ret = text_words(&text, 1, 11, q->arena);
	if (ret->n == 0 || ret->n > 10)
		return err_field(q->err, field, "must have 1..10 words");
	qsort(ret->v, ret->n, sizeof(ret->v[0]), longer_first);
	return 0;
}
