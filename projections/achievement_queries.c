#include <math.h>

#include "core/rules.h"
#include "projections/query.h"
#include "projections/tally.h"

/* Queries of the projection `achievement`. */

/* ---- one definition, with a user's relation to it ---- */

struct item {
	struct definition def;
	union {
		struct achievement achievement;
		struct badge badge;
	} row;
};

static bool find_item(struct query *q, uint64_t badge_id, struct slice achievement_id, struct item *ret)
{
	if (badge_id != 0) {
		if (!find_badge(q->state, badge_id, &ret->row.badge))
			return false;
		ret->def = badge_definition(&ret->row.badge);
		return true;
	}
	if (!find_achievement(q->state, achievement_id, &ret->row.achievement))
		return false;
	ret->def = achievement_definition(&ret->row.achievement);
	return true;
}

/* Whose relation is shown, and what they hold. */
struct viewer {
	bool any;
	int64_t user_id;
	struct holder holder;
};

static struct viewer viewer_of(struct query *q, bool any, int64_t user_id)
{
	struct viewer v = { .any = any, .user_id = user_id };

	if (any)
		find_holder(q->state, user_id, &v.holder);
	return v;
}

static double reached_percent(int64_t value, int64_t threshold)
{
	return threshold == 0 ? 100.0 : fmin(100.0 * (double)value / (double)threshold, 100.0);
}

static void put_relation(struct query *q, struct map_writer *w, const struct viewer *v, const struct definition *def)
{
	struct map_writer inner;
	struct award a = { 0 };
	bool held = find_award(q->state, &v->holder, def->badge_id, def->achievement_id, &a);
	int64_t value;

	map_key(w, "user");
	map_open(&inner, q->out);
	map_bool(&inner, "held", held);
	map_opt_int(&inner, "awarded_at", held, a.awarded_at);
	map_opt_int(&inner, "award_id", held, (int64_t)a.id);
	if (def->condition_type.base != NULL) {
		value = counter_value(q->state, v->user_id, def->condition_type);
		map_points(&inner, "value", value);
		map_float(&inner, "percentage", reached_percent(value, threshold_thousandths(def->condition_value)));
	} else {
		map_nil(&inner, "value");
		map_nil(&inner, "percentage");
	}
	map_close(&inner);
}

static void put_item(struct query *q, const struct item *item, const struct viewer *v)
{
	struct map_writer w;

	map_open(&w, q->out);
	map_fields(&w, item->def.badge_id ? record_badge() : record_achievement(), &item->row);
	if (v->any)
		put_relation(q, &w, v, &item->def);
	map_close(&w);
}

int query_achievement_get(struct query *q, const struct achievement_get *p)
{
	struct viewer v = viewer_of(q, p->has_user_id, p->user_id);
	struct item item;

	if (!find_item(q, 0, p->id, &item))
		return err_missing_text(q->err, "achievement", p->id);
	put_item(q, &item, &v);
	q->returned = 1;
	return 0;
}

int query_badge_get(struct query *q, const struct badge_get *p)
{
	struct viewer v = viewer_of(q, p->has_user_id, p->user_id);
	struct id_ref named = { p->id };
	struct item item;

	if (p->has_id == (p->name.base != NULL))
		return err_field(q->err, "id", "exactly one of id and name is needed");
	if (!p->has_id && !get_badge_by_name(q->state, text_fold_name(text_trim(p->name), q->arena), &named))
		return err_missing_text(q->err, "badge", p->name);
	if (named.id == 0 || !find_item(q, named.id, SLICE_LIT(""), &item))
		return err_missing(q->err, "badge", (int64_t)named.id);
	put_item(q, &item, &v);
	q->returned = 1;
	return 0;
}

static bool put_achievement_of(struct query *q, const void *viewer, const void *id)
{
	struct item item;

	if (!find_item(q, 0, *(const struct slice *)id, &item))
		return false;
	put_item(q, &item, viewer);
	return true;
}

static bool put_badge_of(struct query *q, const void *viewer, const void *id)
{
	uint64_t badge_id = *(const uint64_t *)id;
	struct item item;

	if (badge_id == 0 || !find_item(q, badge_id, SLICE_LIT(""), &item))
		return false;
	put_item(q, &item, viewer);
	return true;
}

int query_achievement_get_many(struct query *q, const struct achievement_get_many *p)
{
	struct viewer v = viewer_of(q, p->has_user_id, p->user_id);

	return put_many(q, KIND_KEY, p->ids.v, p->ids.n, put_achievement_of, &v);
}

int query_badge_get_many(struct query *q, const struct badge_get_many *p)
{
	struct viewer v = viewer_of(q, p->has_user_id, p->user_id);

	return put_many(q, KIND_U64, p->ids.v, p->ids.n, put_badge_of, &v);
}

/* ---- lists of definitions ---- */

enum relation { RELATION_ANY, RELATION_HELD, RELATION_PENDING, RELATION_REACHABLE };

struct definition_walk {
	bool badges; /* else achievements */
	const struct definition_filter *filter;
	bool has_grants_vip, grants_vip;
	enum relation relation;
	struct viewer viewer;
	struct search search; /* of the query */
	enum table_id table;
};

static enum relation relation_of(struct slice name)
{
	if (name.base == NULL)
		return RELATION_ANY;
	return slice_is(name, "pending")     ? RELATION_PENDING
	       : slice_is(name, "reachable") ? RELATION_REACHABLE
					     : RELATION_HELD;
}

/* Which definition an entry of the driving index is of; false: of the other kind. */
static bool entry_definition(struct query *q, const struct definition_walk *w, struct slice key, struct slice *ret_word,
			     uint64_t *ret_badge, struct slice *ret_achievement)
{
	uint64_t number, id;
	struct award a;

	*ret_badge = 0;
	*ret_achievement = SLICE_LIT("");
	switch (w->table) {
	case T_award_by_user:
		if (!take_award_by_user(key, q->arena, &number, &number, &id) || !get_award(q->state, id, &a) ||
		    a.has_badge_id != w->badges)
			return false;
		*ret_badge = a.badge_id;
		*ret_achievement = a.has_badge_id ? SLICE_LIT("") : a.achievement_id;
		return true;
	case T_definition_by_condition:
		return take_definition_by_condition(key, q->arena, ret_word, &number, ret_badge, ret_achievement) &&
		       (*ret_badge != 0) == w->badges;
	case T_achievement_word:
		return take_achievement_word(key, q->arena, ret_word, ret_achievement);
	case T_badge_word:
		return take_badge_word(key, q->arena, ret_word, ret_badge);
	case T_badge:
		return take_badge(key, q->arena, ret_badge);
	default:
		return take_achievement_by_created(key, q->arena, &number, ret_achievement);
	}
}

static bool relation_matches(struct query *q, const struct definition_walk *w, const struct definition *def)
{
	bool held;

	if (w->relation == RELATION_ANY)
		return true;
	held = find_holding(&w->viewer.holder, def->badge_id, def->achievement_id) != NULL;
	if (held || w->relation != RELATION_REACHABLE)
		return held == (w->relation == RELATION_HELD);
	return def->condition_type.base != NULL && counter_value(q->state, w->viewer.user_id, def->condition_type) >=
							   threshold_thousandths(def->condition_value);
}

static bool item_matches(struct query *q, const struct definition_walk *w, const struct item *item)
{
	const struct definition_filter *f = w->filter;
	const struct definition *def = &item->def;

	if (f->condition_type.base != NULL &&
	    (def->condition_type.base == NULL || !slice_eq(f->condition_type, def->condition_type)))
		return false;
	if (f->has_max_value && (def->condition_type.base == NULL || def->condition_value > f->max_value))
		return false;
	return (!f->has_is_active || f->is_active == def->is_active) &&
	       (!w->has_grants_vip || w->grants_vip == item->row.badge.grants_vip) && relation_matches(q, w, def);
}

static bool words_match(struct query *q, const struct definition_walk *w, struct slice word, const struct item *item)
{
	struct slice texts[2] = { item->row.achievement.name, SLICE_NULL };

	if (w->search.words.n == 0)
		return true;
	if (w->badges)
		memcpy(texts, (struct slice[]){ item->row.badge.name, item->row.badge.description }, sizeof(texts));
	return search_hit(q, &w->search, word, texts, 2);
}

static int visit_definition(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct definition_walk *w = arg;
	struct slice word = SLICE_NULL, achievement_id;
	struct item item;
	uint64_t badge_id;

	(void)value;
	if (!entry_definition(q, w, key, &word, &badge_id, &achievement_id) ||
	    !find_item(q, badge_id, achievement_id, &item) || !item_matches(q, w, &item) ||
	    !words_match(q, w, word, &item))
		return VISIT_SKIPPED;
	put_item(q, &item, &w->viewer);
	return VISIT_TAKEN;
}

/* What a user holds, latest first; else by threshold within a condition; else the order of creation. */
static void choose_range(const struct definition_walk *w, struct range *r)
{
	const struct definition_filter *f = w->filter;
	bool desc = f->order.base != NULL ? slice_is(f->order, "desc") : w->relation == RELATION_HELD;
	struct key k;

	key_begin(&k);
	if (w->relation == RELATION_HELD) {
		key_put_U64(&k, (uint64_t)f->user_id);
		range_prefix(r, T_award_by_user, &k, desc);
	} else if (f->condition_type.base != NULL) {
		key_put_TEXT(&k, f->condition_type);
		range_numbers(r, T_definition_by_condition, &k, 0,
			      f->has_max_value ? (uint64_t)(f->max_value < 0 ? 0 : f->max_value) + 1 : 0, desc);
	} else {
		range_prefix(r, w->badges ? T_badge : T_achievement_by_created, &k, desc);
	}
}

static int list_definitions(struct query *q, const struct record *r, const void *p, struct definition_walk *w)
{
	const struct definition_filter *f = w->filter;
	struct range range;
	int rc = 0;

	if (w->relation != RELATION_ANY && !f->has_user_id)
		return err_field(q->err, "state", "needs user_id");
	if (f->query.base != NULL && f->order.base != NULL)
		return err_field(q->err, "query", "excludes order");
	if (f->query.base != NULL)
		rc = search_begin(q, "query", f->query, w->badges ? T_badge_word : T_achievement_word, &w->search,
				  &range);
	else
		choose_range(w, &range);
	if (rc != 0)
		return rc;
	w->table = range.table;
	w->viewer = viewer_of(q, f->has_user_id, f->user_id);
	return list_range(q, r, p, &range, visit_definition, w);
}

int query_achievement_list(struct query *q, const struct achievement_list *p)
{
	struct definition_walk w = { .filter = &p->filter, .relation = relation_of(p->state) };

	return list_definitions(q, record_achievement_list(), p, &w);
}

int query_badge_list(struct query *q, const struct badge_list *p)
{
	struct definition_walk w = { .badges = true,
				     .filter = &p->filter,
				     .has_grants_vip = p->has_grants_vip,
				     .grants_vip = p->grants_vip,
				     .relation = relation_of(p->state) };

	return list_definitions(q, record_badge_list(), p, &w);
}

/* ---- awards ---- */

struct award_walk {
	const struct award_list *p;
	struct time_range awarded;
};

static int visit_award(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct award_walk *w = arg;
	const struct award_list *p = w->p;
	struct award a;
	uint64_t id;

	(void)value;
	/* the id is the last part of every index of awards */
	if (!key_last_U64(key, &id) || !get_award(q->state, id, &a) || !in_time(&w->awarded, a.awarded_at) ||
	    (p->has_user_id && p->user_id != a.user_id) ||
	    (p->award_type.base != NULL && !slice_eq(p->award_type, a.award_type)) ||
	    (p->achievement_id.base != NULL && (a.has_badge_id || !slice_eq(p->achievement_id, a.achievement_id))) ||
	    (p->has_badge_id && (!a.has_badge_id || p->badge_id != a.badge_id)) ||
	    (p->has_grants_vip && p->grants_vip != a.grants_vip) ||
	    (p->source.base != NULL && !slice_eq(p->source, a.source)))
		return VISIT_SKIPPED;
	award_show(q->state, &a);
	record_put_wire(q->out, record_award(), &a);
	return VISIT_TAKEN;
}

int query_award_list(struct query *q, const struct award_list *p)
{
	struct award_walk w = { .p = p };
	bool desc = slice_is(p->order, "desc"), vip = p->has_grants_vip && p->grants_vip;
	struct range r;
	struct key k;
	int rc = time_range(q, p->has_from_at, p->from_at, p->has_to_at, p->to_at, p->has_days, p->days, &w.awarded);

	if (rc != 0)
		return rc;
	key_begin(&k);
	if (p->has_user_id) {
		key_put_U64(&k, (uint64_t)p->user_id);
		if (vip)
			range_prefix(&r, T_award_with_vip, &k, desc);
		else
			range_times(&r, T_award_by_user, &k, &w.awarded, desc);
	} else if (p->achievement_id.base != NULL || p->has_badge_id) {
		key_put_U64(&k, p->achievement_id.base != NULL ? 0 : p->badge_id);
		key_put_TEXT(&k, p->achievement_id);
		range_times(&r, T_award_by_definition, &k, &w.awarded, desc);
	} else if (p->award_type.base != NULL) {
		key_put_TEXT(&k, p->award_type);
		range_times(&r, T_award_by_type, &k, &w.awarded, desc);
	} else if (vip) {
		range_prefix(&r, T_award_with_vip, &k, desc);
	} else {
		range_times(&r, T_award_by_time, &k, &w.awarded, desc);
	}
	return list_range(q, record_award_list(), p, &r, visit_award, &w);
}

/* ---- statistics ---- */

static int64_t users(struct query *q)
{
	struct user_totals t = { 0 };

	get_user_totals(q->state, 0, &t);
	return t.total;
}

static int64_t awards_in_window(struct query *q, uint64_t badge_id, struct slice achievement_id, int64_t days)
{
	int64_t first, last, sum = 0;
	struct key k;

	day_window(q, days, &first, &last);
	for (int64_t day = first; day <= last; day++) {
		key_definition_day(&k, badge_id, achievement_id, (uint64_t)day);
		sum += tally_get(q->state, T_definition_day, &k);
	}
	q->examined += (uint64_t)(last - first + 1);
	return sum;
}

static void stats_definition(struct query *q, struct map_writer *w, uint64_t badge_id, struct slice achievement_id,
			     int64_t days)
{
	int64_t window = awards_in_window(q, badge_id, achievement_id, days);
	struct award_counts c = { 0 };

	get_award_counts(q->state, badge_id, achievement_id, &c);
	map_int(w, "holders", c.holders);
	map_float(w, "holder_rate", percent(c.holders, users(q)));
	map_record(w, "by_source", record_award_sources(), &c.by_source);
	if (badge_id == 0) {
		map_opt_int(w, "first_unlocked_at", c.has_first_at, c.first_at);
		map_opt_int(w, "last_unlocked_at", c.has_last_at, c.last_at);
		map_int(w, "unlocked_in_window", window);
		return;
	}
	map_int(w, "awarded", c.awarded);
	map_int(w, "revoked", c.revoked);
	map_opt_int(w, "first_awarded_at", c.has_first_at, c.first_at);
	map_opt_int(w, "last_awarded_at", c.has_last_at, c.last_at);
	map_int(w, "awarded_in_window", window);
	map_int(w, "vip_granted", c.vip_granted);
}

struct own {
	int64_t latest_achievement_at, latest_badge_at, vip; /* 0: none */
};

/* Along the user's own awards, which are few. */
static struct own own_awards(struct query *q, const struct holder *h)
{
	struct own own = { 0 };

	for (size_t i = 0; i < h->all.n; i++) {
		struct award a;
		int64_t *latest;

		if (!get_award(q->state, h->all.v[i].award_id, &a))
			continue;
		latest = a.has_badge_id ? &own.latest_badge_at : &own.latest_achievement_at;
		if (a.awarded_at > *latest)
			*latest = a.awarded_at;
		own.vip += a.grants_vip;
	}
	q->examined += h->all.n;
	return own;
}

static void put_held(struct query *q, struct map_writer *inner, int64_t held, int64_t total, int64_t latest_at)
{
	map_open(inner, q->out);
	map_int(inner, "held", held);
	map_int(inner, "total", total);
	map_float(inner, "percentage", percent(held, total));
	map_opt_int(inner, "latest_at", held > 0, latest_at);
}

static void stats_user(struct query *q, struct map_writer *w, int64_t user_id)
{
	struct achievement_totals t = { 0 };
	struct map_writer inner;
	struct holder h;
	struct own own;
	int64_t n;

	get_achievement_totals(q->state, 0, &t);
	find_holder(q->state, user_id, &h);
	n = (int64_t)count_achievements(&h);
	own = own_awards(q, &h);
	map_key(w, "achievements");
	put_held(q, &inner, n, t.achievements, own.latest_achievement_at);
	map_close(&inner);
	map_key(w, "badges");
	put_held(q, &inner, (int64_t)h.all.n - n, t.badges, own.latest_badge_at);
	map_int(&inner, "vip", own.vip);
	map_close(&inner);
}

enum { TOP = 10 };

static void put_top(struct query *q, struct map_writer *w)
{
	struct row_walk rows;
	struct key all;
	uint32_t n = 0;
	size_t head;

	map_key(w, "top");
	head = array_open(q->out);
	row_walk_begin(&rows, q->state, T_definition_by_holders, key_begin(&all), false);
	while (n < TOP && row_walk_next(&rows)) {
		struct slice achievement_id;
		struct map_writer one;
		struct item item;
		uint64_t badge_id;
		int64_t holders;

		if (!take_definition_by_holders(rows.key, q->arena, &holders, &badge_id, &achievement_id) ||
		    !find_item(q, badge_id, achievement_id, &item))
			continue;
		map_open(&one, q->out);
		map_str(&one, "kind", badge_id ? "badge" : "achievement");
		if (badge_id != 0)
			map_uint(&one, "id", badge_id);
		else
			map_text(&one, "id", achievement_id);
		map_text(&one, "name", badge_id ? item.row.badge.name : item.row.achievement.name);
		map_int(&one, "holders", holders);
		map_close(&one);
		n++;
	}
	row_walk_end(&rows);
	array_close(q->out, head, n);
	q->examined += n;
}

static void put_day(struct query *q, struct map_writer *w, int64_t day, void *arg)
{
	struct achievement_day d = { 0 };

	(void)arg;
	get_achievement_day(q->state, (uint64_t)day, &d);
	map_fields(w, record_achievement_day(), &d);
}

static void stats_all(struct query *q, struct map_writer *w, int64_t days)
{
	struct achievement_totals t = { 0 };
	struct key all;

	get_achievement_totals(q->state, 0, &t);
	map_int(w, "achievements", t.achievements);
	map_int(w, "badges", t.badges);
	map_int(w, "active_badges", t.active_badges);
	map_int(w, "vip_badges", t.vip_badges);
	map_int(w, "unlocks", t.unlocks);
	map_int(w, "awards", t.awards);
	map_int(w, "revocations", t.revocations);
	map_int(w, "users_with_achievements", t.users_with_achievements);
	map_int(w, "users_with_badges", t.users_with_badges);
	map_float(w, "average_per_user", mean(t.held, users(q)));
	map_tally(q, w, "by_condition_type", T_definitions_of_type, key_begin(&all));
	put_top(q, w);
	put_per_day(q, w, days, put_day, NULL);
}

/* The subject exists. */
static int find_subject(struct query *q, const struct achievement_stats *p)
{
	struct item item;
	struct user u;

	if ((p->achievement_id.base != NULL) + p->has_badge_id + p->has_user_id > 1)
		return err_field(q->err, p->has_badge_id && p->achievement_id.base ? "badge_id" : "user_id",
				 "at most one of achievement_id, badge_id and user_id");
	if (p->achievement_id.base != NULL && !find_item(q, 0, p->achievement_id, &item))
		return err_missing_text(q->err, "achievement", p->achievement_id);
	if (p->has_badge_id && (p->badge_id == 0 || !find_item(q, p->badge_id, SLICE_LIT(""), &item)))
		return err_missing(q->err, "badge", (int64_t)p->badge_id);
	if (p->has_user_id && !find_user(q->state, p->user_id, &u))
		return err_missing(q->err, "user", p->user_id);
	return 0;
}

int query_achievement_stats(struct query *q, const struct achievement_stats *p)
{
	struct map_writer w;
	int rc = find_subject(q, p);

	if (rc != 0)
		return rc;
	map_open(&w, q->out);
	if (p->has_user_id)
		stats_user(q, &w, p->user_id);
	else if (p->has_badge_id)
		stats_definition(q, &w, p->badge_id, SLICE_LIT(""), p->days);
	else if (p->achievement_id.base != NULL)
		stats_definition(q, &w, 0, p->achievement_id, p->days);
	else
		stats_all(q, &w, p->days);
	map_close(&w);
	q->returned = 1;
	return 0;
}
