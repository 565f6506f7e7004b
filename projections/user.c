#include "core/rules.h"
#include "core/text.h"
#include "projections/fold.h"

/* Folds of the projection `user`. Its queries: projections/user_queries.c. */

static void load_totals(struct state *s, struct user_totals *t)
{
	*t = (struct user_totals){ 0 };
	get_user_totals(s, 0, t);
}

static void load_day(struct state *s, uint64_t day, struct user_day *d)
{
	*d = (struct user_day){ 0 };
	get_user_day(s, day, d);
}

/* ---- the row of a user and what is found through it ---- */

/* The place in (vip_expires_at, id): permanent VIPs at the far end; false: no VIP. */
static bool vip_place(const struct user *u, uint64_t *ret)
{
	*ret = u->vip_permanent ? UINT64_MAX : (uint64_t)u->vip_expires_at;
	return u->vip_permanent || u->has_vip_expires_at;
}

static void move_names(struct state *s, uint64_t id, const struct user *old, const struct user *new)
{
	struct slice before[3], after[3];
	struct key k;

	if (old != NULL)
		memcpy(before, (struct slice[]){ old->first_name, old->last_name, old->username }, sizeof(before));
	if (new != NULL)
		memcpy(after, (struct slice[]){ new->first_name, new->last_name, new->username }, sizeof(after));
	key_put_U64(key_begin(&k), id);
	move_words(s, T_user_word, &k, before, old ? 3 : 0, after, new ? 3 : 0);
}

/* Whoever takes a name has it; nobody once the last taker drops it. */
static void move_username(struct state *s, const struct user *old, const struct user *new)
{
	struct slice before = old != NULL && old->username.base ? text_fold_name(old->username, s->arena) : SLICE_NULL;
	struct slice after = new != NULL &&new->username.base ? text_fold_name(new->username, s->arena) : SLICE_NULL;
	struct uid_ref ref;

	if (before.base != NULL && after.base != NULL && slice_eq(before, after))
		return;
	if (before.base != NULL && get_user_by_name(s, before, &ref) && ref.id == old->id)
		del_user_by_name(s, before);
	if (after.base != NULL) {
		ref.id = new->id;
		put_user_by_name(s, after, &ref);
	}
}

static void move_vip(struct state *s, uint64_t id, const struct user *old, const struct user *new)
{
	uint64_t before = 0, after = 0;
	bool was = old && vip_place(old, &before), is = new != NULL &&vip_place(new, &after);

	if (was && (!is || before != after))
		del_user_by_vip(s, before, id);
	if (is && (!was || before != after))
		put_user_by_vip(s, after, id);
	if (was && old->has_vip_expires_at)
		del_user_to_remind(s, before, id);
	if (is && new->has_vip_expires_at && !new->has_vip_reminded_at)
		put_user_to_remind(s, after, id);
}

static void move_role(struct state *s, uint64_t id, const struct user *old, const struct user *new,
		      struct user_totals *t)
{
	if (old != NULL) {
		t->vips -= slice_is(old->role, "vip");
		t->admins -= old->is_admin;
		t->permanent -= old->vip_permanent;
		t->level_sum -= old->level;
		t->total--;
	}
	if (new != NULL) {
		t->vips += slice_is(new->role, "vip");
		t->admins += new->is_admin;
		t->permanent += new->vip_permanent;
		t->level_sum += new->level;
		t->total++;
	}
	if (old != NULL && (new == NULL || !slice_eq(old->role, new->role)))
		del_user_by_role(s, old->role, id);
	if (new != NULL && (old == NULL || !slice_eq(old->role, new->role)))
		put_user_by_role(s, new->role, id);
	if (old != NULL && (new == NULL || old->is_admin != new->is_admin))
		del_user_by_admin(s, old->is_admin, id);
	if (new != NULL && (old == NULL || old->is_admin != new->is_admin))
		put_user_by_admin(s, new->is_admin, id);
	if (old != NULL && (new == NULL || old->level != new->level))
		del_user_by_level(s, (uint64_t)old->level, id);
	if (new != NULL && (old == NULL || old->level != new->level))
		put_user_by_level(s, (uint64_t) new->level, id);
	if (old != NULL && new == NULL)
		del_user_by_created(s, (uint64_t)old->created_at, id);
	if (new != NULL && old == NULL)
		put_user_by_created(s, (uint64_t) new->created_at, id);
}

/* Every index and counter that follows from the row. NULL: was or will be no user. */
static void move_indexes(struct state *s, uint64_t id, const struct user *old, const struct user *new,
			 struct user_totals *t)
{
	move_names(s, id, old, new);
	move_username(s, old, new);
	move_vip(s, id, old, new);
	move_role(s, id, old, new, t);
}

static void change_user(struct state *s, const struct user *old, const struct user *new)
{
	struct user_totals t;

	load_totals(s, &t);
	move_indexes(s, (uint64_t) new->id, old, new, &t);
	put_user_totals(s, 0, &t);
	put_user(s, (uint64_t) new->id, new);
}

/* ---- activity ---- */

/* A new activity moves the user from the day of the one before to its own. */
static void touch(struct state *s, const struct event *ev, struct user_stats *st, uint64_t id, struct user_day *today)
{
	int64_t day = utc_day(ev->at);
	struct user_day before;

	st->last_activity_at = ev->at;
	if (st->has_active_day && st->active_day == day)
		return;
	if (st->has_active_day) {
		load_day(s, (uint64_t)st->active_day, &before);
		before.latest--;
		put_user_day(s, (uint64_t)st->active_day, &before);
		del_user_by_active_day(s, (uint64_t)st->active_day, id);
	}
	put_user_by_active_day(s, (uint64_t)day, id);
	today->latest++;
	today->active++;
	st->has_active_day = true;
	st->active_day = day;
	st->days_active = counter_up(st->days_active);
	st->day_began_seq = ev->seq;
}

/* Loads the user's statistics and the day's, applies one activity, and sets the version if the stream is the user's. */
struct activity {
	struct user_stats stats;
	struct user_day today;
	uint64_t id;
};

static bool begin_activity(struct state *s, const struct event *ev, int64_t user_id, struct activity *a)
{
	struct user u;

	a->id = (uint64_t)user_id;
	if (!get_user(s, a->id, &u))
		return false;
	if (event_defs[ev->type].stream == STREAM_user) {
		u.version = ev->version;
		put_user(s, a->id, &u);
	}
	a->stats = (struct user_stats){ 0 };
	get_user_stats(s, a->id, &a->stats);
	load_day(s, (uint64_t)utc_day(ev->at), &a->today);
	touch(s, ev, &a->stats, a->id, &a->today);
	return true;
}

static void end_activity(struct state *s, const struct event *ev, const struct activity *a)
{
	put_user_stats(s, a->id, &a->stats);
	put_user_day(s, (uint64_t)utc_day(ev->at), &a->today);
}

static void on_activity_recorded(struct state *s, const struct event *ev)
{
	const struct user_activity_recorded *p = ev->data;
	struct activity a;

	if (!begin_activity(s, ev, p->user_id, &a))
		return;
	if (slice_is(p->action, "message")) {
		a.stats.messages_sent = p->messages_sent;
		a.stats.has_last_message_at = true;
		a.stats.last_message_at = ev->at;
		a.today.messages++;
	}
	end_activity(s, ev, &a);
}

static void on_checked_in(struct state *s, const struct event *ev)
{
	const struct user_checked_in *p = ev->data;
	struct activity a;

	if (!begin_activity(s, ev, p->user_id, &a))
		return;
	a.stats.has_last_checkin_at = a.stats.has_checkin_day = true;
	a.stats.last_checkin_at = ev->at;
	a.stats.checkin_day = p->day;
	a.stats.checkin_streak = p->streak;
	a.stats.best_streak = p->best_streak;
	a.today.checkins++;
	end_activity(s, ev, &a);
}

static void on_gift_claimed(struct state *s, const struct event *ev)
{
	const struct user_gift_claimed *p = ev->data;
	struct activity a;

	if (!begin_activity(s, ev, p->user_id, &a))
		return;
	a.stats.has_last_daily_gift_at = true;
	a.stats.last_daily_gift_at = ev->at;
	a.today.gifts++;
	end_activity(s, ev, &a);
}

static void on_reacted(struct state *s, const struct event *ev)
{
	const struct channel_reacted *p = ev->data;
	struct activity a;

	if (!begin_activity(s, ev, p->user_id, &a))
		return;
	if (!p->throttled) {
		a.stats.has_last_reaction_at = true;
		a.stats.last_reaction_at = ev->at;
	}
	end_activity(s, ev, &a);
}

static void on_played(struct state *s, const struct event *ev)
{
	const struct game_played *p = ev->data;
	struct activity a;

	if (!begin_activity(s, ev, p->play.user_id, &a))
		return;
	if (p->play.is_free && slice_is(p->play.game_type, "roulette")) {
		a.stats.has_last_roulette_at = true;
		a.stats.last_roulette_at = ev->at;
	}
	end_activity(s, ev, &a);
}

/* A completion is no activity of its own. */
static void on_mission_completed(struct state *s, const struct event *ev)
{
	const struct mission_completed *p = ev->data;
	struct user_stats st;

	if (!get_user_stats(s, (uint64_t)p->user_id, &st))
		return;
	st.missions_completed = counter_up(st.missions_completed);
	put_user_stats(s, (uint64_t)p->user_id, &st);
}

static void only_activity(struct state *s, const struct event *ev, int64_t user_id)
{
	struct activity a;

	if (begin_activity(s, ev, user_id, &a))
		end_activity(s, ev, &a);
}

static void on_choice_made(struct state *s, const struct event *ev)
{
	only_activity(s, ev, ((const struct narrative_choice_made *)ev->data)->user_id);
}

static void on_bid_placed(struct state *s, const struct event *ev)
{
	only_activity(s, ev, ((const struct auction_bid_placed *)ev->data)->bid.user_id);
}

/* An invitation of the user was taken up by another. */
static void on_token_used(struct state *s, const struct event *ev)
{
	const struct config_token_used *p = ev->data;
	struct user_stats st;

	if (p->created_by == p->used_by || !get_user_stats(s, (uint64_t)p->created_by, &st))
		return;
	st.invites_count = counter_up(st.invites_count);
	put_user_stats(s, (uint64_t)p->created_by, &st);
}

/* ---- profile ---- */

static void on_created(struct state *s, const struct event *ev)
{
	const struct user_created *p = ev->data;
	struct user u = p->user, old;
	struct user_stats st = { .last_activity_at = ev->at };
	struct user_day day;

	if (get_user(s, (uint64_t)u.id, &old) && !old.deleted)
		return;
	u.version = ev->version;
	u.deleted = false;
	change_user(s, NULL, &u);
	put_user_stats(s, (uint64_t)u.id, &st);
	load_day(s, (uint64_t)utc_day(ev->at), &day);
	day.created++;
	put_user_day(s, (uint64_t)utc_day(ev->at), &day);
}

static void on_updated(struct state *s, const struct event *ev)
{
	const struct user_updated *p = ev->data;
	struct user old, new;

	if (!get_user(s, (uint64_t)p->id, &old))
		return;
	new = old;
	record_apply(record_user(), p->changes, &new, s->arena);
	new.version = ev->version;
	new.updated_at = ev->at;
	change_user(s, &old, &new);
}

static void on_stats_adjusted(struct state *s, const struct event *ev)
{
	const struct user_stats_adjusted *p = ev->data;
	uint64_t id = (uint64_t)p->user_id;
	struct user_stats old = { 0 }, new;
	struct user_day day;
	struct user u;

	if (!get_user(s, id, &u))
		return;
	u.version = ev->version;
	u.updated_at = ev->at;
	put_user(s, id, &u);
	get_user_stats(s, id, &old);
	new = old;
	record_apply(record_user_stats(), p->changes, &new, s->arena);
	put_user_stats(s, id, &new);
	if (old.has_active_day == new.has_active_day && old.active_day == new.active_day)
		return;
	if (old.has_active_day) {
		load_day(s, (uint64_t)old.active_day, &day);
		day.latest--;
		put_user_day(s, (uint64_t)old.active_day, &day);
		del_user_by_active_day(s, (uint64_t)old.active_day, id);
	}
	if (new.has_active_day) {
		load_day(s, (uint64_t) new.active_day, &day);
		day.latest++;
		put_user_day(s, (uint64_t) new.active_day, &day);
		put_user_by_active_day(s, (uint64_t) new.active_day, id);
	}
}

static void on_level_changed(struct state *s, const struct event *ev)
{
	const struct user_level_changed *p = ev->data;
	struct user_totals t;
	struct user u;

	if (!get_user(s, (uint64_t)p->user_id, &u))
		return;
	/* of all that change_user() would move only the level does: this comes with every few credits */
	load_totals(s, &t);
	t.level_sum += p->to - u.level;
	put_user_totals(s, 0, &t);
	del_user_by_level(s, (uint64_t)u.level, (uint64_t)u.id);
	put_user_by_level(s, (uint64_t)p->to, (uint64_t)u.id);
	u.level = p->to;
	u.version = ev->version;
	put_user(s, (uint64_t)u.id, &u);
}

/* ---- VIP ---- */

static void put_grant(struct state *s, const struct vip_grant *g)
{
	put_vip_grant(s, g->id, g);
}

static void close_grant(struct state *s, uint64_t id, bool revoked, int64_t at)
{
	struct vip_grant g;

	if (!get_vip_grant(s, id, &g))
		return;
	g.revoked = revoked;
	g.has_closed_at = true;
	g.closed_at = revoked ? at : g.ends_at;
	put_grant(s, &g);
	del_vip_open(s, (uint64_t)g.user_id, id);
}

static void set_vip(struct state *s, const struct event *ev, int64_t user_id, bool permanent, bool has_end, int64_t end,
		    struct slice role)
{
	struct user old, new;

	if (!get_user(s, (uint64_t)user_id, &old))
		return;
	new = old;
	if (old.vip_permanent != permanent || old.has_vip_expires_at != has_end ||
	    (has_end && old.vip_expires_at != end)) {
		new.has_vip_reminded_at = false;
		new.vip_reminded_at = 0;
	}
	new.vip_permanent = permanent;
	new.has_vip_expires_at = has_end;
	new.vip_expires_at = has_end ? end : 0;
	new.role = role;
	new.version = ev->version;
	new.updated_at = ev->at;
	change_user(s, &old, &new);
}

/* Grants that are over leave the open ones here, so that VIP extended for years does not pile them up. */
static void close_ended(struct state *s, uint64_t user_id, int64_t at)
{
	uint64_t ids[VIP_OPEN_MAX + 1];
	size_t n = vip_open_ids(s, (int64_t)user_id, ids);

	for (size_t i = 0; i < n; i++) {
		struct vip_grant g;

		if (get_vip_grant(s, ids[i], &g) && g.has_ends_at && g.ends_at <= at)
			close_grant(s, ids[i], false, at);
	}
}

static void on_vip_granted(struct state *s, const struct event *ev)
{
	const struct user_vip_granted *p = ev->data;
	const struct vip_grant *g = &p->grant;
	struct user_stats st = { 0 };
	struct user_totals t;

	close_ended(s, (uint64_t)g->user_id, ev->at);
	put_grant(s, g);
	put_vip_by_user(s, (uint64_t)g->user_id, g->id);
	put_vip_by_source(s, g->source, g->id);
	put_vip_open(s, (uint64_t)g->user_id, g->id);
	set_vip(s, ev, p->user_id, !p->has_vip_expires_at, p->has_vip_expires_at, p->vip_expires_at, p->role);
	get_user_stats(s, (uint64_t)p->user_id, &st);
	load_totals(s, &t);
	t.last_grant_id = g->id;
	t.ever_vip += st.vip_grants == 0;
	put_user_totals(s, 0, &t);
	st.vip_grants++;
	put_user_stats(s, (uint64_t)p->user_id, &st);
}

/* Whether one of the user's open grants has no end. */
static bool permanent_left(struct state *s, int64_t user_id)
{
	uint64_t ids[VIP_OPEN_MAX + 1];
	size_t n = vip_open_ids(s, user_id, ids);
	struct vip_grant g;

	for (size_t i = 0; i < n; i++)
		if (get_vip_grant(s, ids[i], &g) && !g.has_ends_at)
			return true;
	return false;
}

static void on_vip_revoked(struct state *s, const struct event *ev)
{
	const struct user_vip_revoked *p = ev->data;

	for (size_t i = 0; i < p->removed.n; i++)
		close_grant(s, p->removed.v[i], true, ev->at);
	for (size_t i = 0; i < p->moved.n; i++) {
		const struct vip_move *m = &p->moved.v[i];
		struct vip_grant g;

		if (!get_vip_grant(s, m->id, &g))
			continue;
		g.starts_at = m->starts_at;
		g.has_ends_at = m->has_ends_at;
		g.ends_at = m->ends_at;
		put_grant(s, &g);
	}
	set_vip(s, ev, p->user_id, permanent_left(s, p->user_id), p->has_vip_expires_at, p->vip_expires_at, p->role);
}

static void on_vip_expired(struct state *s, const struct event *ev)
{
	const struct user_vip_expired *p = ev->data;

	for (size_t i = 0; i < p->grant_ids.n; i++)
		close_grant(s, p->grant_ids.v[i], false, ev->at);
	set_vip(s, ev, p->user_id, false, false, 0, p->role);
}

static void on_vip_reminder_due(struct state *s, const struct event *ev)
{
	const struct user_vip_reminder_due *p = ev->data;
	struct user old, new;

	if (!get_user(s, (uint64_t)p->user_id, &old))
		return;
	new = old;
	new.has_vip_reminded_at = true;
	new.vip_reminded_at = ev->at;
	new.version = ev->version;
	change_user(s, &old, &new);
}

/* ---- the end ---- */

static void revoke_open_grants(struct state *s, uint64_t user_id, int64_t at)
{
	uint64_t ids[VIP_OPEN_MAX + 1];
	size_t n = vip_open_ids(s, (int64_t)user_id, ids);

	for (size_t i = 0; i < n; i++)
		close_grant(s, ids[i], true, at);
}

static void on_deleted(struct state *s, const struct event *ev)
{
	const struct user_deleted *p = ev->data;
	uint64_t id = (uint64_t)p->id;
	struct user_totals t;
	struct user_stats st;
	struct user_day day;
	struct user u;

	if (!get_user(s, id, &u) || u.deleted)
		return;
	close_ended(s, id, ev->at); /* these are expired, not revoked */
	revoke_open_grants(s, id, ev->at);
	load_totals(s, &t);
	move_indexes(s, id, &u, NULL, &t);
	if (get_user_stats(s, id, &st)) {
		t.ever_vip -= st.vip_grants > 0;
		if (st.has_active_day) {
			load_day(s, (uint64_t)st.active_day, &day);
			day.latest--;
			put_user_day(s, (uint64_t)st.active_day, &day);
			del_user_by_active_day(s, (uint64_t)st.active_day, id);
		}
		del_user_stats(s, id);
	}
	put_user_totals(s, 0, &t);
	u.version = ev->version;
	u.deleted = true;
	put_user(s, id, &u);
}

static const struct fold folds[] = {
	{ EV_user_created, on_created },
	{ EV_user_updated, on_updated },
	{ EV_user_stats_adjusted, on_stats_adjusted },
	{ EV_user_deleted, on_deleted },
	{ EV_user_level_changed, on_level_changed },
	{ EV_user_activity_recorded, on_activity_recorded },
	{ EV_user_checked_in, on_checked_in },
	{ EV_user_gift_claimed, on_gift_claimed },
	{ EV_channel_reacted, on_reacted },
	{ EV_mission_completed, on_mission_completed },
	{ EV_narrative_choice_made, on_choice_made },
	{ EV_config_token_used, on_token_used },
	{ EV_auction_bid_placed, on_bid_placed },
	{ EV_game_played, on_played },
	{ EV_user_vip_granted, on_vip_granted },
	{ EV_user_vip_revoked, on_vip_revoked },
	{ EV_user_vip_expired, on_vip_expired },
	{ EV_user_vip_reminder_due, on_vip_reminder_due },
};
const struct fold_table user_folds = { folds, sizeof(folds) / sizeof(folds[0]), NULL };
