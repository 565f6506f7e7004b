#include "core/rules.h"
#include "core/text.h"
#include "projections/fold.h"
#include "projections/tally.h"

/* Folds of the projection `achievement`. Its queries: projections/achievement_queries.c. */

static void load_totals(struct state *s, struct achievement_totals *t)
{
	*t = (struct achievement_totals){ 0 };
	get_achievement_totals(s, 0, t);
}

/* ---- conditions of definitions ---- */

static bool same_definition(const struct threshold *t, const struct definition *def)
{
	return t->badge_id == def->badge_id && slice_eq(t->achievement_id, def->achievement_id);
}

/* Takes a definition out of the thresholds of its type, or puts it in behind all of at most its value. */
static void change_threshold(struct state *s, const struct definition *def, bool add)
{
	struct thresholds row = { 0 };
	struct threshold *v;
	size_t n = 0;
	bool placed = !add;

	get_thresholds(s, def->condition_type, &row);
	v = arena_take(s->arena, (row.all.n + 1) * sizeof(*v));
	if (v == NULL)
		return;
	for (size_t i = 0; i <= row.all.n; i++) {
		if (!placed && (i == row.all.n || row.all.v[i].value > def->condition_value)) {
			v[n++] = (struct threshold){ def->condition_value, def->badge_id, def->achievement_id };
			placed = true;
		}
		if (i < row.all.n && !same_definition(&row.all.v[i], def))
			v[n++] = row.all.v[i];
	}
	row.all.v = v;
	row.all.n = n;
	if (n > 0)
		put_thresholds(s, def->condition_type, &row);
	else
		del_thresholds(s, def->condition_type);
}

static void count_type(struct state *s, struct slice type, int64_t by)
{
	struct key k;

	key_definitions_of_type(&k, type);
	tally_add(s, T_definitions_of_type, &k, by);
}

/* NULL: it was, or will be, none. */
static void move_condition(struct state *s, const struct definition *old, const struct definition *new)
{
	if (old != NULL && old->condition_type.base != NULL) {
		del_definition_by_condition(s, old->condition_type, (uint64_t)old->condition_value, old->badge_id,
					    old->achievement_id);
		count_type(s, old->condition_type, -1);
		change_threshold(s, old, false);
	}
	if (new != NULL &&new->condition_type.base != NULL) {
		put_definition_by_condition(s, new->condition_type, (uint64_t) new->condition_value, new->badge_id,
					    new->achievement_id);
		count_type(s, new->condition_type, 1);
		if (new->is_active)
			change_threshold(s, new, true);
	}
}

/* ---- counters of definitions ---- */

static void load_counts(struct state *s, uint64_t badge_id, struct slice achievement_id, struct award_counts *ret)
{
	*ret = (struct award_counts){ 0 };
	get_award_counts(s, badge_id, achievement_id, ret);
}

static void change_holders(struct state *s, uint64_t badge_id, struct slice achievement_id, struct award_counts *c,
			   int64_t by)
{
	del_definition_by_holders(s, c->holders, badge_id, achievement_id);
	c->holders += by;
	put_definition_by_holders(s, c->holders, badge_id, achievement_id);
}

static void begin_counts(struct state *s, uint64_t badge_id, struct slice achievement_id)
{
	struct award_counts none = { 0 };

	put_award_counts(s, badge_id, achievement_id, &none);
	put_definition_by_holders(s, 0, badge_id, achievement_id);
}

static void end_counts(struct state *s, uint64_t badge_id, struct slice achievement_id)
{
	struct award_counts c;
	struct row_walk w;
	struct key k;

	load_counts(s, badge_id, achievement_id, &c);
	del_definition_by_holders(s, c.holders, badge_id, achievement_id);
	del_award_counts(s, badge_id, achievement_id);
	key_put_U64(key_begin(&k), badge_id);
	key_put_TEXT(&k, achievement_id);
	row_walk_begin(&w, s, T_definition_day, &k, false);
	while (row_walk_next(&w))
		state_del(s, T_definition_day, w.key);
	row_walk_end(&w);
}

/* ---- awards held ---- */

static struct slice achievement_of(const struct award *a)
{
	return a->has_badge_id ? SLICE_LIT("") : a->achievement_id;
}

static void put_award_rows(struct state *s, const struct award *a)
{
	uint64_t user_id = (uint64_t)a->user_id, at = (uint64_t)a->awarded_at;

	put_award(s, a->id, a);
	put_award_by_user(s, user_id, at, a->id);
	put_award_by_definition(s, a->badge_id, achievement_of(a), at, a->id);
	put_award_by_type(s, a->award_type, at, a->id);
	put_award_by_time(s, at, a->id);
	if (a->grants_vip)
		put_award_with_vip(s, user_id, a->id);
}

static void del_award_rows(struct state *s, const struct award *a)
{
	uint64_t user_id = (uint64_t)a->user_id, at = (uint64_t)a->awarded_at;

	del_award(s, a->id);
	del_award_by_user(s, user_id, at, a->id);
	del_award_by_definition(s, a->badge_id, achievement_of(a), at, a->id);
	del_award_by_type(s, a->award_type, at, a->id);
	del_award_by_time(s, at, a->id);
	if (a->grants_vip)
		del_award_with_vip(s, user_id, a->id);
}

/* A user's row, and the counters that follow from what changes in it. */
static void put_holdings(struct state *s, int64_t user_id, struct holder *h, const struct holding *v, size_t n,
			 struct achievement_totals *t)
{
	size_t before = count_achievements(h), badges_before = h->all.n - before, after;

	t->held += (int64_t)n - (int64_t)h->all.n;
	h->all.v = v;
	h->all.n = n;
	after = count_achievements(h);
	t->users_with_achievements += (after > 0) - (before > 0);
	t->users_with_badges += (n > after) - (badges_before > 0);
	put_holder(s, (uint64_t)user_id, h);
}

/* Puts an award into the user's row, or takes it out. */
static void change_holding(struct state *s, const struct award *a, struct holder *h, bool add,
			   struct achievement_totals *t)
{
	struct holding *v = arena_take(s->arena, (h->all.n + 1) * sizeof(*v));
	size_t i = holding_place(h, a->badge_id, achievement_of(a));
	size_t behind = i + (find_holding(h, a->badge_id, achievement_of(a)) != NULL);

	if (v == NULL)
		return;
	if (i > 0)
		memcpy(v, h->all.v, i * sizeof(*v));
	if (add)
		v[i++] = (struct holding){ a->badge_id, achievement_of(a), a->id };
	if (h->all.n > behind)
		memcpy(v + i, h->all.v + behind, (h->all.n - behind) * sizeof(*v));
	put_holdings(s, a->user_id, h, v, i + h->all.n - behind, t);
}

static void count_source(struct award_sources *by, struct slice source)
{
	by->rule += slice_is(source, "rule");
	by->manual += slice_is(source, "manual");
	by->mission += slice_is(source, "mission");
	by->fragment += slice_is(source, "fragment");
}

static void count_award(struct state *s, const struct award *a)
{
	struct achievement_day day = { 0 };
	struct award_counts c;
	uint64_t today = (uint64_t)utc_day(a->awarded_at);
	struct key k;

	load_counts(s, a->badge_id, achievement_of(a), &c);
	change_holders(s, a->badge_id, achievement_of(a), &c, 1);
	c.awarded++;
	count_source(&c.by_source, a->source);
	if (!c.has_first_at) {
		c.has_first_at = true;
		c.first_at = a->awarded_at;
	}
	c.has_last_at = true;
	c.last_at = a->awarded_at;
	put_award_counts(s, a->badge_id, achievement_of(a), &c);
	key_definition_day(&k, a->badge_id, achievement_of(a), today);
	tally_add(s, T_definition_day, &k, 1);
	get_achievement_day(s, today, &day);
	day.unlocks += !a->has_badge_id;
	day.awards += a->has_badge_id;
	put_achievement_day(s, today, &day);
}

static void add_award(struct state *s, const struct event *ev, const struct award *a)
{
	struct achievement_totals t;
	struct holder h;

	put_award_rows(s, a);
	count_award(s, a);
	load_totals(s, &t);
	t.last_award_id = a->id;
	t.unlocks += !a->has_badge_id;
	t.awards += a->has_badge_id;
	find_holder(s, a->user_id, &h);
	h.version = ev->version;
	h.deleted = false;
	change_holding(s, a, &h, true, &t);
	put_achievement_totals(s, 0, &t);
}

/* An award leaves the view, the counter of its holders too. */
static void drop_award(struct state *s, const struct award *a)
{
	struct award_counts c;

	del_award_rows(s, a);
	load_counts(s, a->badge_id, achievement_of(a), &c);
	change_holders(s, a->badge_id, achievement_of(a), &c, -1);
	put_award_counts(s, a->badge_id, achievement_of(a), &c);
}

static void on_unlocked(struct state *s, const struct event *ev)
{
	const struct achievement_unlocked *p = ev->data;

	add_award(s, ev, &p->award);
}

static void on_badge_awarded(struct state *s, const struct event *ev)
{
	const struct achievement_badge_awarded *p = ev->data;
	struct award a = p->award;

	a.grants_vip = p->grants_vip;
	add_award(s, ev, &a);
}

static void on_badge_revoked(struct state *s, const struct event *ev)
{
	const struct achievement_badge_revoked *p = ev->data;
	uint64_t today = (uint64_t)utc_day(ev->at);
	struct achievement_day day = { 0 };
	struct achievement_totals t;
	struct award_counts c;
	struct holder h;
	struct award a;

	find_holder(s, p->user_id, &h);
	h.version = ev->version;
	load_totals(s, &t);
	t.revocations++;
	if (find_award(s, &h, p->badge_id, SLICE_LIT(""), &a)) {
		drop_award(s, &a);
		change_holding(s, &a, &h, false, &t);
	}
	put_achievement_totals(s, 0, &t);
	load_counts(s, p->badge_id, SLICE_LIT(""), &c);
	c.revoked++;
	put_award_counts(s, p->badge_id, SLICE_LIT(""), &c);
	get_achievement_day(s, today, &day);
	day.revocations++;
	put_achievement_day(s, today, &day);
}

/* The decimal number that a text is; 0: it is none. */
static uint64_t number_in(struct slice text)
{
	const char *p = text.base;
	uint64_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		if (p[i] < '0' || p[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, p[i] - '0', &n))
			return 0;
	return n;
}

/* The VIP that came with a badge is the first grant that names it. */
static void on_vip_granted(struct state *s, const struct event *ev)
{
	const struct user_vip_granted *p = ev->data;
	struct award_counts c;
	struct holder h;
	struct award a;
	uint64_t badge_id = slice_is(p->grant.source, "badge") ? number_in(p->grant.source_id) : 0;

	if (badge_id == 0)
		return;
	find_holder(s, p->user_id, &h);
	if (!find_award(s, &h, badge_id, SLICE_LIT(""), &a) || a.has_grant_id)
		return;
	a.has_grant_id = true;
	a.grant_id = p->grant.id;
	put_award(s, a.id, &a);
	load_counts(s, badge_id, SLICE_LIT(""), &c);
	c.vip_granted++;
	put_award_counts(s, badge_id, SLICE_LIT(""), &c);
}

static void on_user_deleted(struct state *s, const struct event *ev)
{
	const struct user_deleted *p = ev->data;
	struct achievement_totals t;
	struct holder h;

	if (!get_holder(s, (uint64_t)p->id, &h))
		return;
	for (size_t i = 0; i < h.all.n; i++) {
		struct award a;

		if (get_award(s, h.all.v[i].award_id, &a))
			drop_award(s, &a);
	}
	load_totals(s, &t);
	h.deleted = true;
	put_holdings(s, p->id, &h, NULL, 0, &t);
	put_achievement_totals(s, 0, &t);
}

/* ---- achievements ---- */

/* Every index that follows from the row. NULL: it was, or will be, none. */
static void move_achievement(struct state *s, struct slice id, const struct achievement *old,
			     const struct achievement *new)
{
	struct definition before, after;
	struct key k;

	if (old != NULL)
		before = achievement_definition(old);
	if (new != NULL)
		after = achievement_definition(new);
	move_condition(s, old ? &before : NULL, new ? &after : NULL);
	key_put_TEXT(key_begin(&k), id);
	move_words(s, T_achievement_word, &k, old ? &old->name : NULL, old != NULL, new ? &new->name : NULL,
		   new != NULL);
}

static void count_achievement(struct state *s, int64_t by)
{
	struct achievement_totals t;

	load_totals(s, &t);
	t.achievements += by;
	put_achievement_totals(s, 0, &t);
}

static void on_created(struct state *s, const struct event *ev)
{
	const struct achievement_created *p = ev->data;
	struct achievement a = p->achievement;

	a.version = ev->version;
	a.deleted = false;
	put_achievement(s, a.id, &a);
	put_achievement_by_created(s, (uint64_t)a.created_at, a.id);
	move_achievement(s, a.id, NULL, &a);
	begin_counts(s, 0, a.id);
	count_achievement(s, 1);
}

static void on_updated(struct state *s, const struct event *ev)
{
	const struct achievement_updated *p = ev->data;
	struct achievement old, new;

	if (!get_achievement(s, p->id, &old))
		return;
	new = old;
	record_apply(record_achievement(), p->changes, &new, s->arena);
	new.version = ev->version;
	new.updated_at = ev->at;
	put_achievement(s, p->id, &new);
	move_achievement(s, p->id, &old, &new);
}

/* Holders lose it: a rare event that touches as many rows as it takes. */
static void drop_from_holders(struct state *s, struct slice achievement_id)
{
	struct achievement_totals t;
	struct row_walk w;
	struct key k;

	load_totals(s, &t);
	key_put_U64(key_begin(&k), 0);
	key_put_TEXT(&k, achievement_id);
	row_walk_begin(&w, s, T_award_by_definition, &k, false);
	while (row_walk_next(&w)) {
		uint64_t badge_id, at, id;
		struct slice which;
		struct holder h;
		struct award a;

		if (!take_award_by_definition(w.key, s->arena, &badge_id, &which, &at, &id) || !get_award(s, id, &a))
			continue;
		drop_award(s, &a);
		find_holder(s, a.user_id, &h);
		change_holding(s, &a, &h, false, &t);
	}
	row_walk_end(&w);
	put_achievement_totals(s, 0, &t);
}

static void on_deleted(struct state *s, const struct event *ev)
{
	const struct achievement_deleted *p = ev->data;
	struct achievement a;

	if (!get_achievement(s, p->id, &a) || a.deleted)
		return;
	drop_from_holders(s, p->id);
	move_achievement(s, p->id, &a, NULL);
	del_achievement_by_created(s, (uint64_t)a.created_at, p->id);
	end_counts(s, 0, p->id);
	count_achievement(s, -1);
	a.version = ev->version;
	a.deleted = true;
	put_achievement(s, p->id, &a);
}

/* ---- badges ---- */

static void move_badge_names(struct state *s, uint64_t id, const struct badge *old, const struct badge *new)
{
	struct id_ref ref = { id };
	struct slice before[2], after[2];
	struct key k;

	if (old != NULL) {
		memcpy(before, (struct slice[]){ old->name, old->description }, sizeof(before));
		del_badge_by_name(s, text_fold_name(old->name, s->arena));
	}
	if (new != NULL) {
		memcpy(after, (struct slice[]){ new->name, new->description }, sizeof(after));
		put_badge_by_name(s, text_fold_name(new->name, s->arena), &ref);
	}
	key_put_U64(key_begin(&k), id);
	move_words(s, T_badge_word, &k, before, old ? 2 : 0, after, new ? 2 : 0);
}

static void count_badge(struct achievement_totals *t, const struct badge *b, int64_t by)
{
	t->badges += by;
	t->active_badges += b->is_active ? by : 0;
	t->vip_badges += b->grants_vip ? by : 0;
}

/* Every index and counter that follows from the row. NULL: it was, or will be, none. */
static void move_badge(struct state *s, uint64_t id, const struct badge *old, const struct badge *new)
{
	struct definition before, after;
	struct achievement_totals t;

	load_totals(s, &t);
	if (old != NULL) {
		before = badge_definition(old);
		count_badge(&t, old, -1);
	}
	if (new != NULL) {
		after = badge_definition(new);
		count_badge(&t, new, 1);
		if (id > t.last_badge_id)
			t.last_badge_id = id;
	}
	put_achievement_totals(s, 0, &t);
	move_condition(s, old ? &before : NULL, new ? &after : NULL);
	move_badge_names(s, id, old, new);
}

static void on_badge_created(struct state *s, const struct event *ev)
{
	const struct achievement_badge_created *p = ev->data;
	struct badge b = p->badge;

	b.version = ev->version;
	b.deleted = false;
	put_badge(s, b.id, &b);
	move_badge(s, b.id, NULL, &b);
	begin_counts(s, b.id, SLICE_LIT(""));
}

static void on_badge_updated(struct state *s, const struct event *ev)
{
	const struct achievement_badge_updated *p = ev->data;
	struct badge old, new;

	if (!get_badge(s, p->id, &old))
		return;
	new = old;
	record_apply(record_badge(), p->changes, &new, s->arena);
	new.version = ev->version;
	new.updated_at = ev->at;
	put_badge(s, p->id, &new);
	move_badge(s, p->id, &old, &new);
}

/* Nobody holds it any more: a revocation each came before. */
static void on_badge_deleted(struct state *s, const struct event *ev)
{
	const struct achievement_badge_deleted *p = ev->data;
	struct badge b;

	if (!get_badge(s, p->id, &b) || b.deleted)
		return;
	move_badge(s, p->id, &b, NULL);
	end_counts(s, p->id, SLICE_LIT(""));
	b.version = ev->version;
	b.deleted = true;
	put_badge(s, p->id, &b);
}

static const struct fold folds[] = {
	{ EV_achievement_created, on_created },
	{ EV_achievement_updated, on_updated },
	{ EV_achievement_deleted, on_deleted },
	{ EV_achievement_badge_created, on_badge_created },
	{ EV_achievement_badge_updated, on_badge_updated },
	{ EV_achievement_badge_deleted, on_badge_deleted },
	{ EV_achievement_unlocked, on_unlocked },
	{ EV_achievement_badge_awarded, on_badge_awarded },
	{ EV_achievement_badge_revoked, on_badge_revoked },
	{ EV_user_vip_granted, on_vip_granted },
	{ EV_user_deleted, on_user_deleted },
};
const struct fold_table achievement_folds = { folds, sizeof(folds) / sizeof(folds[0]), NULL };
