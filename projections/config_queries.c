#include "core/rules.h"
#include "projections/query.h"

/* Queries of the projection `config`. */

/* ---- single items ---- */

static bool put_entry(struct query *q, const void *arg, const void *key)
{
	struct config_item item;

	(void)arg;
	if (!config_show(q->state, *(const struct slice *)key, &item))
		return false;
	record_put_wire(q->out, record_config_item(), &item);
	return true;
}

int query_config_get(struct query *q, const struct config_get *p)
{
	if (!put_entry(q, NULL, &p->id))
		return err_missing_text(q->err, "entry", p->id);
	q->returned = 1;
	return 0;
}

int query_config_get_many(struct query *q, const struct config_get_many *p)
{
	return put_many(q, KIND_KEY, p->ids.v, p->ids.n, put_entry, NULL);
}

int query_token_get(struct query *q, const struct token_get *p)
{
	struct map_writer w;
	struct token t;
	int rc = need_token(q->state, &p->ref, &t, q->err);

	if (rc != 0)
		return rc;
	t.status = token_status(&t, q->now);
	map_open(&w, q->out);
	map_fields(&w, record_token(), &t);
	map_bool(&w, "valid", slice_is(t.status, "active"));
	map_close(&w);
	q->returned = 1;
	return 0;
}

/* ---- entries ---- */

/* Stored entries and known keys, merged in the order of their keys. */
struct entry_merge {
	struct range range;
	struct state_cursor rows;
	bool more; /* rows stands on a row of the range */
	int known; /* the setting that comes next; N_SETTINGS or -1: no more */
	struct key known_key;
};

/* The known keys are few, so that those outside the range are skipped one by one. */
static void next_known(struct entry_merge *m)
{
	int step = m->range.desc ? -1 : 1;

	for (m->known += step; m->known >= 0 && m->known < N_SETTINGS; m->known += step) {
		struct slice key;

		key_config_entry(&m->known_key, slice_str(setting_defs[m->known].key));
		key = key_slice(&m->known_key);
		if (slice_cmp(key, key_slice(&m->range.lo)) >= 0 &&
		    (m->range.hi.len == 0 || slice_cmp(key, key_slice(&m->range.hi)) < 0))
			return;
	}
}

static void next_row(struct entry_merge *m, bool found)
{
	struct slice lo = key_slice(&m->range.lo), hi = key_slice(&m->range.hi);

	m->more = found &&
		  (m->range.desc ? slice_cmp(m->rows.key, lo) >= 0 : hi.len == 0 || slice_cmp(m->rows.key, hi) < 0);
}

static void merge_begin(struct query *q, struct entry_merge *m, const struct range *range)
{
	m->range = *range;
	state_cursor_open(&m->rows, q->state, T_config_entry);
	next_row(m, range->desc ? state_cursor_seek_before(&m->rows, key_slice(&range->hi))
				: state_cursor_seek(&m->rows, key_slice(&range->lo)));
	m->known = range->desc ? N_SETTINGS : -1;
	next_known(m);
}

/* The next key; false: no more. */
static bool merge_next(struct entry_merge *m, struct key *ret)
{
	bool known = m->known >= 0 && m->known < N_SETTINGS;
	int order = known && m->more ? slice_cmp(m->rows.key, key_slice(&m->known_key)) : 0;
	bool take_row = m->more && (!known || (m->range.desc ? order >= 0 : order <= 0));
	bool take_known = known && (!m->more || (m->range.desc ? order <= 0 : order >= 0));

	if (take_known) {
		*ret = m->known_key;
		next_known(m);
	}
	if (take_row) {
		ret->len = (uint16_t)m->rows.key.len;
		memcpy(ret->bytes, m->rows.key.base, m->rows.key.len);
		next_row(m, m->range.desc ? state_cursor_prev(&m->rows) : state_cursor_next(&m->rows));
	}
	return take_known || take_row;
}

/* Keys that begin with a text, which need not be a key itself. */
static void range_of_keys(struct range *r, struct slice prefix, bool desc)
{
	struct key k;

	key_put_TEXT(key_begin(&k), prefix.base ? prefix : SLICE_LIT(""));
	k.len = (uint16_t)(k.len - 2); /* without the mark that ends a text in a key */
	range_prefix(r, T_config_entry, &k, desc);
}

/* A row without a value is no entry, unless its key is known: of the endless flags those that are set are shown. */
static bool put_listed_entry(struct query *q, const struct config_list *p, const struct key *key)
{
	struct slice at = key_slice(key), id;
	struct config_item item;

	if (!key_take_TEXT(&at, q->arena, &id) || !config_show(q->state, id, &item) ||
	    (item.is_default && setting_by_key(id) == N_SETTINGS) || (p->has_stored && p->stored == item.is_default))
		return false;
	record_put_wire(q->out, record_config_item(), &item);
	return true;
}

int query_config_list(struct query *q, const struct config_list *p)
{
	struct entry_merge m;
	struct key key = { 0 }, last;
	struct range r;
	struct page pg;
	int rc = page_begin(&pg, q, record_config_list(), p);

	if (rc != 0)
		return rc;
	range_of_keys(&r, p->prefix, slice_is(p->order, "desc"));
	if (pg.has_from)
		*(r.desc ? &r.hi : &r.lo) = pg.from;
	q->index = table_defs[r.table].name;
	merge_begin(q, &m, &r);
	last = pg.from;
	while (merge_next(&m, &key)) {
		if (pg.has_from && slice_eq(key_slice(&key), key_slice(&pg.from)))
			continue;
		/* one entry at least, for a cursor stands behind an entry */
		if (pg.n == pg.limit || q->examined == EXAMINE_MAX || (q->examined > 0 && q->out->len > PAGE_BYTES)) {
			pg.has_next = true;
			pg.next = last;
			break;
		}
		last = key;
		q->examined++;
		pg.n += put_listed_entry(q, p, &key);
	}
	state_cursor_close(&m.rows);
	page_end(&pg);
	return 0;
}

/* ---- tokens ---- */

struct token_walk {
	const struct token_list *p;
	struct time_range times; /* of use when that is the sort, else of creation */
	bool by_use;
};

static int visit_token(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct token_walk *w = arg;
	const struct token_list *p = w->p;
	struct token t;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_token(q->state, id, &t))
		return VISIT_SKIPPED;
	t.status = token_status(&t, q->now);
	if ((p->status.base != NULL && !slice_eq(p->status, t.status)) ||
	    (p->has_created_by && p->created_by != t.created_by) ||
	    (p->has_used_by && (!t.has_used_by || p->used_by != t.used_by)) ||
	    (p->has_vip && p->vip != (t.vip_days > 0)) || !in_time(&w->times, w->by_use ? t.used_at : t.created_at))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_token(), &t);
	return VISIT_TAKEN;
}

/* Tokens of a status, by the time that goes with it; active ones are those that end behind now. */
static void range_of_status(struct query *q, const struct token_list *p, struct range *r, bool desc)
{
	bool active = slice_is(p->status, "active"), expired = slice_is(p->status, "expired");
	struct key k;

	key_put_TEXT(key_begin(&k), active || expired ? SLICE_LIT("open") : p->status);
	range_numbers(r, T_token_by_end, &k, active ? (uint64_t)q->now + 1 : 0, expired ? (uint64_t)q->now + 1 : 0,
		      desc);
}

static void choose_tokens(struct query *q, const struct token_list *p, const struct token_walk *w, struct range *r)
{
	bool desc = p->order.base == NULL || slice_is(p->order, "desc");
	struct key k;

	key_begin(&k);
	if (p->has_created_by && !w->by_use) {
		key_put_U64(&k, (uint64_t)p->created_by);
		range_prefix(r, T_token_by_creator, &k, desc);
	} else if (p->has_used_by) {
		key_put_U64(&k, (uint64_t)p->used_by);
		if (w->by_use)
			range_times(r, T_token_by_user, &k, &w->times, desc);
		else
			range_prefix(r, T_token_by_user, &k, desc);
	} else if (w->by_use) {
		key_put_TEXT(&k, SLICE_LIT("used"));
		range_times(r, T_token_by_end, &k, &w->times, desc);
	} else if (p->status.base != NULL) {
		range_of_status(q, p, r, p->order.base != NULL ? desc : !slice_is(p->status, "active"));
	} else {
		range_times(r, T_token_by_created, &k, &w->times, desc);
	}
}

int query_token_list(struct query *q, const struct token_list *p)
{
	struct token_walk w = { .p = p, .by_use = p->sort.base != NULL };
	struct range r;
	int rc = time_range(q, p->has_from_at, p->from_at, p->has_to_at, p->to_at, p->has_days, p->days, &w.times);

	if (rc != 0)
		return rc;
	choose_tokens(q, p, &w, &r);
	return list_range(q, record_token_list(), p, &r, visit_token, &w);
}

/* ---- export ---- */

static int too_many(struct query *q, const char *what)
{
	err_set(q->err, E_LIMIT_EXCEEDED, "more than %d %s", EXAMINE_MAX, what);
	err_detail_int(q->err, "limit", EXAMINE_MAX);
	return E_LIMIT_EXCEEDED;
}

static int export_entries(struct query *q, struct map_writer *w, const struct config_export *p)
{
	struct map_writer inner;
	struct row_walk rows;
	struct range r;
	int looked = 0;

	range_of_keys(&r, p->prefix, false);
	map_key(w, "entries");
	map_open(&inner, q->out);
	row_walk_begin(&rows, q->state, T_config_entry, &r.lo, false);
	while (looked <= EXAMINE_MAX && row_walk_next(&rows)) {
		struct mp m = mp_of(rows.value);
		struct config_entry e;
		struct slice key;

		looked++;
		if (!take_config_entry(rows.key, q->arena, &key) ||
		    !record_get(&m, record_config_entry(), &e, q->arena) || !e.stored)
			continue;
		mp_put_text(q->out, key);
		if (e.value.base != NULL)
			buf_append(q->out, e.value.base, e.value.len);
		else
			mp_put_nil(q->out);
		inner.n++;
	}
	row_walk_end(&rows);
	map_close(&inner);
	q->examined += (uint64_t)looked;
	q->returned += inner.n;
	return looked > EXAMINE_MAX ? too_many(q, "entries: export those of a prefix") : 0;
}

static int export_tokens(struct query *q, struct map_writer *w, const struct config_export *p)
{
	uint32_t n = 0;
	size_t head;
	struct range r;
	struct state_cursor c;
	bool more = false;

	map_key(w, "tokens");
	head = array_open(q->out);
	range_of_status(q, &(struct token_list){ .status = SLICE_LIT("active") }, &r, false);
	state_cursor_open(&c, q->state, r.table);
	if (p->include_tokens)
		more = state_cursor_seek(&c, key_slice(&r.lo));
	for (; more && n <= EXAMINE_MAX && slice_cmp(c.key, key_slice(&r.hi)) < 0; more = state_cursor_next(&c), n++) {
		struct token t;
		uint64_t id;

		if (key_last_U64(c.key, &id) && get_token(q->state, id, &t))
			record_put_wire(q->out, record_token(), &t);
	}
	state_cursor_close(&c);
	array_close(q->out, head, n);
	q->examined += n;
	q->returned += n;
	return n > EXAMINE_MAX ? too_many(q, "tokens") : 0;
}

int query_config_export(struct query *q, const struct config_export *p)
{
	struct map_writer w;
	int rc;

	map_open(&w, q->out);
	map_int(&w, "format", CONFIG_FORMAT);
	map_int(&w, "exported_at", q->now);
	map_uint(&w, "head_seq", q->log->head(q->log->arg));
	rc = export_entries(q, &w, p);
	if (rc == 0)
		rc = export_tokens(q, &w, p);
	map_close(&w);
	return rc;
}

/* ---- statistics ---- */

/* Tokens that are over, while the timer has not yet come to them; of one creator, or (0) of all. */
static int64_t overdue(struct query *q, int64_t creator)
{
	struct row_walk rows;
	int64_t n = 0;
	struct key all;

	row_walk_begin(&rows, q->state, T_token_to_expire, key_begin(&all), false);
	for (int looked = 0; looked < EXAMINE_MAX && row_walk_next(&rows); looked++) {
		uint64_t at, id;
		struct token t;

		if (!take_token_to_expire(rows.key, q->arena, &at, &id) || (int64_t)at > q->now)
			break;
		q->examined++;
		n += creator == 0 || (get_token(q->state, id, &t) && t.created_by == creator);
	}
	row_walk_end(&rows);
	return n;
}

static int stats_of_all(struct query *q)
{
	struct config_totals t = { 0 };
	int64_t over = overdue(q, 0);
	struct map_writer w;

	get_config_totals(q->state, 0, &t);
	map_open(&w, q->out);
	map_int(&w, "total", t.tokens.created);
	map_int(&w, "active", t.tokens.active - over);
	map_int(&w, "used", t.tokens.used);
	map_int(&w, "expired", t.tokens.expired + over);
	map_int(&w, "deleted", t.tokens.deleted);
	map_int(&w, "vip_tokens", t.vip_tokens);
	map_float(&w, "usage_rate", percent(t.tokens.used, t.tokens.created));
	map_int(&w, "creators", t.creators);
	map_float(&w, "average_time_to_use_ms", mean(t.time_to_use_ms, t.tokens.used));
	map_int(&w, "entries", t.entries);
	map_int(&w, "flags_on", t.flags_on);
	map_close(&w);
	return 0;
}

static int stats_of_user(struct query *q, int64_t id)
{
	struct token_user t = { 0 };
	int64_t over = overdue(q, id);
	struct map_writer w;
	struct user u;

	if (!find_user(q->state, id, &u))
		return err_missing(q->err, "user", id);
	get_token_user(q->state, (uint64_t)id, &t);
	map_open(&w, q->out);
	map_int(&w, "created", t.sums.created);
	map_int(&w, "active", t.sums.active - over);
	map_int(&w, "used", t.sums.used);
	map_int(&w, "expired", t.sums.expired + over);
	map_float(&w, "usage_rate", percent(t.sums.used, t.sums.created));
	map_opt_int(&w, "last_created_at", t.sums.created > 0, t.last_created_at);
	map_int(&w, "used_by_user", t.redeemed);
	map_close(&w);
	return 0;
}

static void put_token_sums(struct map_writer *w, const struct token_sums *d)
{
	map_int(w, "created", d->created);
	map_int(w, "used", d->used);
	map_int(w, "expired", d->expired);
}

static void put_day(struct query *q, struct map_writer *w, int64_t day, void *arg)
{
	struct token_sums *sum = arg, d = { 0 };

	get_token_day(q->state, (uint64_t)day, &d);
	put_token_sums(w, &d);
	sum->created += d.created;
	sum->used += d.used;
	sum->expired += d.expired;
}

static int stats_of_days(struct query *q, int64_t days)
{
	struct token_sums sum = { 0 };
	struct map_writer w;

	map_open(&w, q->out);
	put_per_day(q, &w, days, put_day, &sum);
	put_token_sums(&w, &sum);
	map_close(&w);
	return 0;
}

int query_config_stats(struct query *q, const struct config_stats *p)
{
	if (p->has_user_id && p->has_days)
		return err_field(q->err, "days", "excludes user_id");
	q->returned = 1;
	if (p->has_days)
		return stats_of_days(q, p->days);
	return p->has_user_id ? stats_of_user(q, p->user_id) : stats_of_all(q);
}
