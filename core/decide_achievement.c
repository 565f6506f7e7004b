#include <inttypes.h>
#include <stdlib.h>

#include "core/reactions.h"
#include "core/rules.h"
#include "core/text.h"

/* ---- definitions ---- */

static int64_t holders_of(struct state *s, uint64_t badge_id, struct slice achievement_id)
{
	struct award_counts c;

	return get_award_counts(s, badge_id, achievement_id, &c) ? c.holders : 0;
}

bool find_achievement(struct state *s, struct slice id, struct achievement *ret)
{
	if (!get_achievement(s, id, ret) || ret->deleted)
		return false;
	ret->holders = holders_of(s, 0, id);
	return true;
}

bool find_badge(struct state *s, uint64_t id, struct badge *ret)
{
	if (!get_badge(s, id, ret) || ret->deleted)
		return false;
	ret->holders = holders_of(s, id, SLICE_LIT(""));
	return true;
}

struct definition achievement_definition(const struct achievement *a)
{
	return (struct definition){ .achievement_id = a->id,
				    .condition_type = a->condition_type,
				    .condition_value = a->condition_value,
				    .is_active = a->is_active };
}

struct definition badge_definition(const struct badge *b)
{
	return (struct definition){ .badge_id = b->id,
				    .achievement_id = SLICE_LIT(""),
				    .condition_type = b->condition_type,
				    .condition_value = b->condition_value,
				    .is_active = b->is_active };
}

/* An achievement has a threshold of 1 unless told otherwise. */
static int check_achievement(struct decision *d, const struct achievement *a)
{
	if (a->condition_type.base == NULL && a->condition_value != 1)
		return err_field(d->err, "condition_value", "needs condition_type");
	return 0;
}

int decide_achievement_create(struct decision *d, const struct achievement_create *p, struct achievement_item_result *r)
{
	struct achievement old, new = p->achievement;
	int rc;

	if (get_achievement(d->state, new.id, &old))
		return err_exists_text(d->err, "achievement", new.id);
	rc = check_achievement(d, &new);
	if (rc != 0)
		return rc;
	new.version = 1;
	new.created_at = new.updated_at = d->now;
	EMIT(d, achievement_created, .achievement = new);
	find_achievement(d->state, new.id, &r->item);
	return settle(d);
}

int decide_achievement_update(struct decision *d, const struct achievement_update *p, struct achievement_item_result *r)
{
	struct slice changes, before;
	struct achievement old, new;
	int rc;

	if (!find_achievement(d->state, p->id, &old))
		return err_missing_text(d->err, "achievement", p->id);
	new = old;
	record_merge(record_achievement(), &new, &p->achievement, p->given_achievement);
	rc = check_achievement(d, &new);
	if (rc != 0)
		return rc;
	if (record_diff(record_achievement(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, achievement_updated, .id = p->id, .changes = changes, .before = before);
	find_achievement(d->state, p->id, &r->item);
	return settle(d);
}

static int has_holders(struct decision *d, int64_t holders)
{
	return err_with(d->err, E_IN_USE, "reason", "holders", "%" PRId64 " users hold it", holders);
}

int decide_achievement_delete(struct decision *d, const struct achievement_delete *p, struct nothing *r)
{
	struct achievement old;

	(void)r;
	if (!find_achievement(d->state, p->id, &old))
		return err_missing_text(d->err, "achievement", p->id);
	if (old.holders > 0 && !p->force)
		return has_holders(d, old.holders);
	EMIT(d, achievement_deleted, .id = p->id);
	return settle(d);
}

/* Keeps the emoji as emojis are compared, and tests what is left. */
static int check_badge(struct decision *d, struct badge *b)
{
	struct id_ref taken;

	if (b->emoji.base != NULL)
		b->emoji = text_emoji(b->emoji, d->arena);
	if (get_badge_by_name(d->state, text_fold_name(b->name, d->arena), &taken) && taken.id != b->id)
		return err_exists(d->err, "badge", (int64_t)taken.id);
	if (b->condition_type.base == NULL && b->has_condition_value)
		return err_field(d->err, "condition_value", "needs condition_type");
	if (b->condition_type.base != NULL && !b->has_condition_value)
		return err_field(d->err, "condition_value", "is required with condition_type");
	if (b->has_vip_duration_days && !b->grants_vip)
		return err_field(d->err, "vip_duration_days", "needs grants_vip");
	return 0;
}

int decide_badge_create(struct decision *d, const struct badge_create *p, struct badge_item_result *r)
{
	struct achievement_totals totals = { 0 };
	struct badge new = p->badge;
	int rc = check_badge(d, &new);

	if (rc != 0)
		return rc;
	get_achievement_totals(d->state, 0, &totals);
	new.id = totals.last_badge_id + 1;
	new.version = 1;
	new.created_at = new.updated_at = d->now;
	decision_address(d, STREAM_badge, &new.id, NULL);
	EMIT(d, achievement_badge_created, .badge = new);
	find_badge(d->state, new.id, &r->item);
	return settle(d);
}

int decide_badge_update(struct decision *d, const struct badge_update *p, struct badge_item_result *r)
{
	struct slice changes, before;
	struct badge old, new;
	int rc;

	if (!find_badge(d->state, p->id, &old))
		return err_missing(d->err, "badge", (int64_t)p->id);
	new = old;
	record_merge(record_badge(), &new, &p->badge, p->given_badge);
	rc = check_badge(d, &new);
	if (rc != 0)
		return rc;
	if (record_diff(record_badge(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, achievement_badge_updated, .id = p->id, .changes = changes, .before = before);
	find_badge(d->state, p->id, &r->item);
	return settle(d);
}

static void revoke_award(struct decision *d, const struct award *a, struct slice reason)
{
	EMIT(d, achievement_badge_revoked, .award_id = a->id, .user_id = a->user_id, .badge_id = a->badge_id,
	     .reason = reason, .has_grant_id = a->has_grant_id, .grant_id = a->grant_id);
}

static void revoke_from_all(struct decision *d, uint64_t badge_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), badge_id);
	row_walk_begin(&w, d->state, T_award_by_definition, &k, false);
	while (!d->failed && row_walk_next(&w)) {
		uint64_t badge, at, id;
		struct slice none;
		struct award a;

		if (take_award_by_definition(w.key, d->arena, &badge, &none, &at, &id) && get_award(d->state, id, &a))
			revoke_award(d, &a, SLICE_LIT("badge_deleted"));
	}
	row_walk_end(&w);
}

int decide_badge_delete(struct decision *d, const struct badge_delete *p, struct nothing *r)
{
	struct badge old;

	(void)r;
	if (!find_badge(d->state, p->id, &old))
		return err_missing(d->err, "badge", (int64_t)p->id);
	if (old.holders > 0 && !p->force)
		return has_holders(d, old.holders);
	revoke_from_all(d, p->id);
	EMIT(d, achievement_badge_deleted, .id = p->id);
	return settle(d);
}

/* ---- who holds what ---- */

void find_holder(struct state *s, int64_t user_id, struct holder *ret)
{
	if (!get_holder(s, (uint64_t)user_id, ret))
		*ret = (struct holder){ 0 };
}

static int compare_definitions(uint64_t badge_a, struct slice achievement_a, uint64_t badge_b,
			       struct slice achievement_b)
{
	if (badge_a != badge_b)
		return badge_a < badge_b ? -1 : 1;
	return slice_cmp(achievement_a, achievement_b);
}

size_t holding_place(const struct holder *h, uint64_t badge_id, struct slice achievement_id)
{
	size_t lo = 0, hi = h->all.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct holding *at = &h->all.v[mid];

		if (compare_definitions(at->badge_id, at->achievement_id, badge_id, achievement_id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct holding *find_holding(const struct holder *h, uint64_t badge_id, struct slice achievement_id)
{
	size_t i = holding_place(h, badge_id, achievement_id);
	const struct holding *at = i < h->all.n ? &h->all.v[i] : NULL;

	return at && compare_definitions(at->badge_id, at->achievement_id, badge_id, achievement_id) == 0 ? at : NULL;
}

size_t count_achievements(const struct holder *h)
{
	return holding_place(h, 1, SLICE_LIT(""));
}

bool find_award(struct state *s, const struct holder *h, uint64_t badge_id, struct slice achievement_id,
		struct award *ret)
{
	const struct holding *at = find_holding(h, badge_id, achievement_id);

	return at != NULL && get_award(s, at->award_id, ret);
}

void award_show(struct state *s, struct award *a)
{
	struct vip_grant g;

	if (!a->has_grant_id || !get_vip_grant(s, a->grant_id, &g))
		return;
	a->has_vip_expires_at = g.has_ends_at;
	a->vip_expires_at = g.ends_at;
}

/* ---- conditions ---- */

int64_t counter_value(struct state *s, int64_t user_id, struct slice type)
{
	static const struct {
		const char *type;
		size_t offset;
	} counters[] = {
		{ "messages", offsetof(struct user_stats, messages_sent) },
		{ "checkins", offsetof(struct user_stats, checkin_streak) },
		{ "missions", offsetof(struct user_stats, missions_completed) },
		{ "invites", offsetof(struct user_stats, invites_count) },
		{ "vip", offsetof(struct user_stats, vip_grants) },
		{ "days_active", offsetof(struct user_stats, days_active) },
	};
	struct user_stats st = { 0 };
	struct balance b = { 0 };

	if (slice_is(type, "points") || slice_is(type, "level")) {
		find_balance(s, user_id, &b);
		return slice_is(type, "points") ? b.balance : b.level * POINTS_SCALE;
	}
	get_user_stats(s, (uint64_t)user_id, &st);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (slice_is(type, counters[i].type))
			return *(const int64_t *)((const uint8_t *)&st + counters[i].offset) * POINTS_SCALE;
	return 0;
}

static int not_reached(struct decision *d, const struct definition *def, int64_t actual)
{
	uint8_t small[200];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };

	mp_put_map(&b, 3);
	mp_put_text(&b, SLICE_LIT("condition_type"));
	mp_put_text(&b, def->condition_type);
	mp_put_text(&b, SLICE_LIT("required"));
	mp_put_int64(&b, def->condition_value);
	mp_put_text(&b, SLICE_LIT("actual"));
	mp_put_points(&b, actual);
	err_set(d->err, E_REQUIREMENTS_NOT_MET, "%.*s must reach %" PRId64, SLICE_FMT(def->condition_type),
		def->condition_value);
	err_detail_raw(d->err, "missing", buf_slice(&b));
	return E_REQUIREMENTS_NOT_MET;
}

/* Whether it can be given by hand. */
static int may_have(struct decision *d, int64_t user_id, const struct definition *def, bool check_condition)
{
	struct holder h;
	struct award a;
	struct user u;
	int64_t actual;

	find_holder(d->state, user_id, &h);
	if (find_award(d->state, &h, def->badge_id, def->achievement_id, &a))
		return err_exists(d->err, "award", (int64_t)a.id);
	if (!def->is_active)
		return err_with(d->err, E_NOT_ACTIVE, "status", "inactive", "it is inactive");
	if (check_condition && def->condition_type.base != NULL) {
		actual = counter_value(d->state, user_id, def->condition_type);
		if (actual < threshold_thousandths(def->condition_value))
			return not_reached(d, def, actual);
	}
	return need_user(d, user_id, &u);
}

/* ---- giving ---- */

/* How something came to a user. */
struct giving {
	int64_t user_id;
	const char *source;
	bool has_value;
	int64_t value; /* of the counter, in thousandths */
};

static struct award new_award(struct decision *d, const struct giving *g, const char *type)
{
	struct achievement_totals totals = { 0 };

	get_achievement_totals(d->state, 0, &totals);
	return (struct award){ .id = totals.last_award_id + 1,
			       .user_id = g->user_id,
			       .award_type = slice_str(type),
			       .awarded_at = d->now,
			       .source = slice_str(g->source) };
}

static void give_achievement(struct decision *d, const struct giving *g, struct slice id)
{
	struct award a = new_award(d, g, "achievement");

	a.achievement_id = id;
	EMIT(d, achievement_unlocked, .award = a, .has_value = g->has_value, .value = g->value);
}

static void give_badge(struct decision *d, const struct giving *g, const struct badge *b)
{
	struct award a = new_award(d, g, "badge");

	a.has_badge_id = true;
	a.badge_id = b->id;
	a.grants_vip = b->grants_vip;
	EMIT(d, achievement_badge_awarded, .award = a, .has_value = g->has_value, .value = g->value,
	     .grants_vip = b->grants_vip, .auto_telegram_permissions = b->auto_telegram_permissions);
}

/* By rule: what cannot be given is skipped. */
static void give_by_rule(struct decision *d, const struct giving *g, uint64_t badge_id, struct slice achievement_id)
{
	struct achievement a;
	struct holder h;
	struct badge b;
	struct user u;

	find_holder(d->state, g->user_id, &h);
	if (find_holding(&h, badge_id, achievement_id) != NULL || !find_user(d->state, g->user_id, &u))
		return;
	if (badge_id == 0 && find_achievement(d->state, achievement_id, &a) && a.is_active)
		give_achievement(d, g, achievement_id);
	else if (badge_id != 0 && find_badge(d->state, badge_id, &b) && b.is_active)
		give_badge(d, g, &b);
}

void unlock_achievement(struct decision *d, int64_t user_id, struct slice id, const char *source)
{
	give_by_rule(d, &(struct giving){ .user_id = user_id, .source = source }, 0, id);
}

void award_badge(struct decision *d, int64_t user_id, uint64_t badge_id, const char *source)
{
	if (badge_id != 0)
		give_by_rule(d, &(struct giving){ .user_id = user_id, .source = source }, badge_id, SLICE_LIT(""));
}

int decide_achievement_unlock(struct decision *d, const struct achievement_unlock *p,
			      struct achievement_unlock_result *r)
{
	struct achievement a;
	struct definition def;
	struct holder h;
	int rc;

	if (!find_achievement(d->state, p->achievement_id, &a))
		return err_missing_text(d->err, "achievement", p->achievement_id);
	def = achievement_definition(&a);
	rc = may_have(d, p->user_id, &def, p->check_condition);
	if (rc != 0)
		return rc;
	give_achievement(d, &(struct giving){ .user_id = p->user_id, .source = "manual" }, p->achievement_id);
	rc = settle(d);
	find_holder(d->state, p->user_id, &h);
	find_award(d->state, &h, 0, p->achievement_id, &r->award);
	return rc;
}

int decide_achievement_award_badge(struct decision *d, const struct achievement_award_badge *p,
				   struct achievement_award_badge_result *r)
{
	struct definition def;
	struct holder h;
	struct badge b;
	struct user u;
	int rc;

	if (!find_badge(d->state, p->badge_id, &b))
		return err_missing(d->err, "badge", (int64_t)p->badge_id);
	def = badge_definition(&b);
	rc = may_have(d, p->user_id, &def, p->check_condition);
	if (rc != 0)
		return rc;
	give_badge(d, &(struct giving){ .user_id = p->user_id, .source = "manual" }, &b);
	rc = settle(d);
	if (rc != 0)
		return rc;
	find_holder(d->state, p->user_id, &h);
	if (find_award(d->state, &h, p->badge_id, SLICE_LIT(""), &r->award))
		award_show(d->state, &r->award);
	find_user(d->state, p->user_id, &u);
	r->has_vip_expires_at = u.has_vip_expires_at;
	r->vip_expires_at = u.vip_expires_at;
	r->role = role_of(&u, d->now);
	return 0;
}

int decide_achievement_revoke_badge(struct decision *d, const struct achievement_revoke_badge *p,
				    struct achievement_revoke_badge_result *r)
{
	struct user u = { 0 };
	struct holder h;
	struct award a;
	struct badge b;
	int rc;

	if (!find_badge(d->state, p->badge_id, &b))
		return err_missing(d->err, "badge", (int64_t)p->badge_id);
	find_holder(d->state, p->user_id, &h);
	if (!find_award(d->state, &h, p->badge_id, SLICE_LIT(""), &a))
		return err_missing(d->err, "award", (int64_t)p->badge_id);
	if (!b.revocable)
		return err_with(d->err, E_FORBIDDEN, "reason", "not_revocable", "badge %" PRIu64 " is not revocable",
				p->badge_id);
	revoke_award(d, &a, p->reason);
	rc = settle(d);
	find_user(d->state, p->user_id, &u);
	r->vip_active = vip_active(&u, d->now);
	r->has_vip_expires_at = u.has_vip_expires_at;
	r->vip_expires_at = u.vip_expires_at;
	return rc;
}

/* ---- R2: a counter rose ---- */

static int by_definition(const void *a, const void *b)
{
	const struct threshold *x = a, *y = b;

	return compare_definitions(x->badge_id, x->achievement_id, y->badge_id, y->achievement_id);
}

/* Those of t[0..n) that the user lacks, in the arena. Returns how many. */
static size_t lacking(struct decision *d, int64_t user_id, const struct threshold *t, size_t n, struct threshold **ret)
{
	struct holder h;
	size_t found = 0;

	find_holder(d->state, user_id, &h);
	for (size_t i = 0; i < n; i++) {
		if (find_holding(&h, t[i].badge_id, t[i].achievement_id) != NULL)
			continue;
		if (found == 0 && (*ret = arena_take(d->arena, (n - i) * sizeof(**ret))) == NULL)
			return 0;
		(*ret)[found++] = t[i];
	}
	return found;
}

/*
 * Runs after every credit. Whom no threshold concerns yet costs one row that all share, everybody else one row more,
 * the user's; neither is written unless something is given.
 */
static void reach(struct decision *d, int64_t user_id, const char *condition_type, int64_t value)
{
	struct giving g = { .user_id = user_id, .source = "rule", .has_value = true, .value = value };
	struct thresholds t;
	struct threshold *new = NULL;
	size_t n = 0;

	if (!get_thresholds(d->state, slice_str(condition_type), &t))
		return;
	while (n < t.all.n && threshold_thousandths(t.all.v[n].value) <= value)
		n++;
	if (n == 0)
		return;
	n = lacking(d, user_id, t.all.v, n, &new);
	if (n > 1)
		qsort(new, n, sizeof(*new), by_definition);
	for (size_t i = 0; i < n; i++)
		give_by_rule(d, &g, new[i].badge_id, new[i].achievement_id);
}

void counter_rose(struct decision *d, int64_t user_id, const char *condition_type, int64_t value)
{
	reach(d, user_id, condition_type, value * POINTS_SCALE);
}

void balance_rose(struct decision *d, const struct event *ev)
{
	const struct point_credited *p = ev->data;

	reach(d, p->user_id, "points", p->balance_after);
}

void level_rose(struct decision *d, const struct event *ev)
{
	const struct user_level_changed *p = ev->data;

	counter_rose(d, p->user_id, "level", p->to);
}

void messages_rose(struct decision *d, const struct event *ev)
{
	const struct user_activity_recorded *p = ev->data;

	if (slice_is(p->action, "message"))
		counter_rose(d, p->user_id, "messages", p->messages_sent);
}

void streak_rose(struct decision *d, const struct event *ev)
{
	const struct user_checked_in *p = ev->data;

	counter_rose(d, p->user_id, "checkins", p->streak);
}

void vip_grants_rose(struct decision *d, const struct event *ev)
{
	const struct user_vip_granted *p = ev->data;
	struct user_stats st;

	if (get_user_stats(d->state, (uint64_t)p->user_id, &st))
		counter_rose(d, p->user_id, "vip", st.vip_grants);
}

void missions_rose(struct decision *d, const struct event *ev)
{
	const struct mission_completed *p = ev->data;
	struct user_stats st;

	if (get_user_stats(d->state, (uint64_t)p->user_id, &st))
		counter_rose(d, p->user_id, "missions", st.missions_completed);
}

void invites_rose(struct decision *d, const struct event *ev)
{
	const struct config_token_used *p = ev->data;
	struct user_stats st;

	if (p->created_by != p->used_by && get_user_stats(d->state, (uint64_t)p->created_by, &st))
		counter_rose(d, p->created_by, "invites", st.invites_count);
}

void days_active_rose(struct decision *d, const struct event *ev)
{
	struct user_stats st;
	int64_t user_id;

	if (event_users(ev->type, ev->data, &user_id, 1) == 1 && get_user_stats(d->state, (uint64_t)user_id, &st) &&
	    st.day_began_seq == ev->seq)
		counter_rose(d, user_id, "days_active", st.days_active);
}

void stats_rose(struct decision *d, const struct event *ev)
{
	const struct user_stats_adjusted *p = ev->data;
	struct user_stats before = { 0 }, after;

	if (!get_user_stats(d->state, (uint64_t)p->user_id, &after))
		return;
	before = after;
	record_apply(record_user_stats(), p->before, &before, d->arena);
	if (after.messages_sent > before.messages_sent)
		counter_rose(d, p->user_id, "messages", after.messages_sent);
	if (after.checkin_streak > before.checkin_streak)
		counter_rose(d, p->user_id, "checkins", after.checkin_streak);
	if (after.days_active > before.days_active)
		counter_rose(d, p->user_id, "days_active", after.days_active);
}

/* ---- R3, R4: VIP comes and goes with a badge ---- */

void badge_grants_vip(struct decision *d, const struct event *ev)
{
	const struct achievement_badge_awarded *p = ev->data;
	uint64_t grant_id;
	struct badge b;

	if (!p->grants_vip || !find_badge(d->state, p->award.badge_id, &b))
		return;
	if (vip_append(d,
		       &(struct vip_new){ .user_id = p->award.user_id,
					  .days = b.has_vip_duration_days ? b.vip_duration_days : 0,
					  .permanent = !b.has_vip_duration_days,
					  .source = SLICE_LIT("badge"),
					  .source_id = arena_printf(d->arena, "%" PRIu64, b.id),
					  .is_free = b.is_free_vip },
		       &grant_id) != 0)
		d->failed = true;
}

void badge_takes_vip(struct decision *d, const struct event *ev)
{
	const struct achievement_badge_revoked *p = ev->data;

	if (p->has_grant_id)
		vip_revoke_grant(d, p->user_id, p->grant_id);
}
