#include <inttypes.h>

#include "core/rules.h"
#include "core/text.h"

enum { USERNAME_MAX = 64 };

/* Usernames come with or without a leading @, and empty names are none. */
static int tidy_names(struct decision *d, struct user *u)
{
	if (u->username.len > 0 && *(const char *)u->username.base == '@')
		u->username = text_trim(slice_of((const char *)u->username.base + 1, u->username.len - 1));
	if (u->username.len == 0)
		u->username = SLICE_NULL;
	if (u->first_name.len == 0)
		u->first_name = SLICE_NULL;
	if (u->last_name.len == 0)
		u->last_name = SLICE_NULL;
	if (u->username.len > USERNAME_MAX)
		return err_field(d->err, "username", "must be at most %d bytes", USERNAME_MAX);
	return 0;
}

static void user_item(struct decision *d, int64_t id, struct user *ret)
{
	if (!find_user(d->state, id, ret))
		return;
	ret->role = role_of(ret, d->now);
	ret->vip_active = vip_active(ret, d->now);
}

int decide_user_create(struct decision *d, const struct user_create *p, struct user_item_result *r)
{
	struct user_created ev = { .user = p->user };
	struct user old;
	bool known = get_user(d->state, (uint64_t)p->user.id, &old);
	int rc;

	if (known && !old.deleted) {
		if (slice_is(p->if_exists, "error"))
			return err_exists(d->err, "user", p->user.id);
		user_item(d, p->user.id, &r->item);
		return 0;
	}
	rc = tidy_names(d, &ev.user);
	if (rc != 0)
		return rc;
	ev.user.role = ev.user.is_admin ? SLICE_LIT("admin") : SLICE_LIT("free");
	ev.user.created_at = ev.user.updated_at = d->now;
	ev.user.version = next_version(d, STREAM_user, &p->user.id, NULL);
	ev.revived = known;
	emit(d, EV_user_created, &ev);
	user_item(d, p->user.id, &r->item);
	return 0;
}

static int update_profile(struct decision *d, const struct user_update *p, const struct user *old)
{
	struct user new = *old;
	struct slice changes, before;
	int rc;

	record_merge(record_user(), &new, &p->user, p->given_user);
	rc = tidy_names(d, &new);
	if (rc != 0)
		return rc;
	new.role = role_of(&new, d->now);
	if (new.is_admin == old->is_admin)
		new.role = old->role;
	if (record_diff(record_user(), old, &new, FIELD_FOLLOWS, d->arena, &changes, &before) > 0)
		EMIT(d, user_updated, .id = p->id, .changes = changes, .before = before);
	return 0;
}

static int update_stats(struct decision *d, const struct user_update *p)
{
	struct user_stats old = { 0 }, new;
	const struct user_stats *patch = &p->stats.stats;
	uint64_t given = p->stats.given_stats;
	const int64_t times[] = { patch->last_activity_at, patch->has_last_checkin_at ? patch->last_checkin_at : 0,
				  patch->has_last_daily_gift_at ? patch->last_daily_gift_at : 0,
				  patch->has_last_reaction_at ? patch->last_reaction_at : 0,
				  patch->has_last_roulette_at ? patch->last_roulette_at : 0 };
	static const char *const names[] = { "last_activity_at", "last_checkin_at", "last_daily_gift_at",
					     "last_reaction_at", "last_roulette_at" };
	struct slice changes, before;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] > d->now)
			return err_field(d->err, names[i], "must not be in the future");
	get_user_stats(d->state, (uint64_t)p->id, &old);
	new = old;
	record_merge(record_user_stats(), &new, patch, given);
	if (GIVEN(given, user_stats, last_checkin_at)) {
		new.has_checkin_day = new.has_last_checkin_at;
		new.checkin_day = new.has_last_checkin_at ? local_day(d->state, new.last_checkin_at) : 0;
	}
	if (GIVEN(given, user_stats, last_activity_at)) {
		new.has_active_day = true;
		new.active_day = utc_day(new.last_activity_at);
	}
	if (record_diff(record_user_stats(), &old, &new, FIELD_FOLLOWS, d->arena, &changes, &before) > 0)
		EMIT(d, user_stats_adjusted, .user_id = p->id, .changes = changes, .before = before);
	return 0;
}

int decide_user_update(struct decision *d, const struct user_update *p, struct user_item_result *r)
{
	struct user old;
	int rc = need_user(d, p->id, &old);

	if (rc == 0)
		rc = update_profile(d, p, &old);
	if (rc == 0 && p->has_stats)
		rc = update_stats(d, p);
	if (rc == 0)
		rc = settle(d);
	if (rc == 0)
		user_item(d, p->id, &r->item);
	return rc;
}

int decide_user_delete(struct decision *d, const struct user_delete *p, struct nothing *r)
{
	struct balance b = { 0 };
	struct user u;
	int rc = need_user(d, p->id, &u);

	(void)r;
	if (rc != 0)
		return rc;
	find_balance(d->state, p->id, &b);
	if (b.held > 0)
		return err_with(d->err, E_IN_USE, "reason", "held_points", "user %" PRId64 " holds points", p->id);
	if (has_active_auctions(d->state, p->id))
		return err_with(d->err, E_IN_USE, "reason", "active_auction",
				"an auction of user %" PRId64 " is active", p->id);
	if (b.balance > 0)
		rc = debit(d, &b, b.balance, SLICE_LIT("user_deleted"), SLICE_LIT(""), 0, SLICE_NULL);
	if (rc != 0)
		return rc;
	reject_requests_of(d, p->id, "user_deleted");
	finish_attempts_of(d, p->id);
	EMIT(d, user_deleted, .id = p->id);
	return 0;
}

/* ---- VIP ---- */

/* Revokes the grants for which `drop` is set; the later ones move up to close the gaps. */
static void revoke(struct decision *d, const struct user *u, const struct vip_queue *q, const bool *drop)
{
	uint64_t *removed = arena_take(d->arena, q->n * sizeof(*removed));
	struct vip_move *moved = arena_zero(d->arena, q->n * sizeof(*moved));
	size_t n_removed = 0, n_moved = 0;
	int64_t end = d->now;
	bool any = false, permanent = false;

	if (removed == NULL || moved == NULL)
		return;
	for (size_t i = 0; i < q->n; i++) {
		const struct vip_grant *g = &q->v[i];
		int64_t start = any || g->starts_at > d->now ? end : g->starts_at;
		int64_t shift = g->starts_at - start;

		if (drop[i]) {
			removed[n_removed++] = g->id;
			continue;
		}
		if (shift > 0)
			moved[n_moved++] = (struct vip_move){ .id = g->id,
							      .starts_at = start,
							      .has_ends_at = g->has_ends_at,
							      .ends_at = g->ends_at - shift };
		any = true;
		permanent = !g->has_ends_at;
		end = g->ends_at - shift;
	}
	EMIT(d, user_vip_revoked, .user_id = u->id, .removed = { removed, n_removed }, .moved = { moved, n_moved },
	     .has_vip_expires_at = any && !permanent, .vip_expires_at = end,
	     .role = u->is_admin ? SLICE_LIT("admin")
		     : any       ? SLICE_LIT("vip")
				 : SLICE_LIT("free"));
}

void vip_revoke_grant(struct decision *d, int64_t user_id, uint64_t grant_id)
{
	bool drop[VIP_OPEN_MAX + 1] = { false }, any = false;
	struct vip_queue q;
	struct user u;

	vip_queue(d->state, user_id, d->now, &q);
	for (size_t i = 0; i < q.n; i++)
		any |= drop[i] = q.v[i].id == grant_id;
	if (any && find_user(d->state, user_id, &u))
		revoke(d, &u, &q, drop);
}

int decide_user_grant_vip(struct decision *d, const struct user_grant_vip *p, struct user_grant_vip_result *r)
{
	struct vip_new g = { .user_id = p->user_id,
			     .days = p->has_days ? p->days : 0,
			     .permanent = p->has_permanent,
			     .ends_at = p->expires_at,
			     .source = p->source,
			     .source_id = p->source_id,
			     .is_free = p->is_free };
	struct vip_queue q;
	struct user u;
	uint64_t id;
	int rc;

	if (p->has_days + p->has_expires_at + p->has_permanent != 1)
		return err_field(d->err, "days", "exactly one of days, expires_at and permanent is needed");
	if (p->has_permanent && !p->permanent)
		return err_field(d->err, "permanent", "may only be true");
	if (slice_is(p->mode, "set") && p->has_expires_at && p->expires_at <= d->now)
		return err_field(d->err, "expires_at", "must be in the future");
	r->role = SLICE_LIT("free");
	if (p->has_expires_at && p->expires_at <= d->now && !find_user(d->state, p->user_id, &u))
		return 0; /* nothing to grant: nobody is created for it */
	ensure_user(d, p->user_id);
	if (!find_user(d->state, p->user_id, &u))
		return err_set(d->err, E_INTERNAL, "user was not created");
	if (slice_is(p->mode, "set")) {
		bool drop[VIP_OPEN_MAX + 1];

		vip_queue(d->state, p->user_id, d->now, &q);
		memset(drop, true, sizeof(drop));
		if (q.n > 0)
			revoke(d, &u, &q, drop);
	}
	rc = vip_append(d, &g, &id);
	if (rc == 0)
		rc = settle(d);
	if (rc != 0)
		return rc;
	user_item(d, p->user_id, &u);
	r->has_vip_expires_at = u.has_vip_expires_at;
	r->vip_expires_at = u.vip_expires_at;
	r->has_grant_id = id != 0;
	r->grant_id = id;
	r->role = u.role;
	return 0;
}

int decide_user_revoke_vip(struct decision *d, const struct user_revoke_vip *p, struct user_revoke_vip_result *r)
{
	bool drop[VIP_OPEN_MAX + 1] = { false }, any = false;
	struct vip_queue q;
	struct user u;
	int rc = need_user(d, p->user_id, &u);

	if (rc != 0)
		return rc;
	if (p->source_id.base != NULL && p->source.base == NULL)
		return err_field(d->err, "source_id", "needs source");
	vip_queue(d->state, p->user_id, d->now, &q);
	for (size_t i = 0; i < q.n; i++) {
		drop[i] = (p->source.base == NULL || slice_eq(p->source, q.v[i].source)) &&
			  (p->source_id.base == NULL ||
			   (q.v[i].source_id.base != NULL && slice_eq(p->source_id, q.v[i].source_id)));
		any |= drop[i];
	}
	if (!any)
		return err_with(d->err, E_NOT_ACTIVE, "status", "none", "no VIP to revoke");
	revoke(d, &u, &q, drop);
	rc = settle(d);
	user_item(d, p->user_id, &u);
	r->has_vip_expires_at = u.has_vip_expires_at;
	r->vip_expires_at = u.vip_expires_at;
	r->vip_active = u.vip_active;
	r->role = u.role;
	return rc;
}

/* ---- activity ---- */

static int64_t balance_of(struct decision *d, int64_t id, int64_t *ret_level)
{
	struct balance b;

	if (!find_balance(d->state, id, &b)) {
		*ret_level = 1;
		return 0;
	}
	*ret_level = b.level;
	return b.balance;
}

static void not_recorded(struct decision *d, const struct user_record_activity *p, const char *reason,
			 struct user_record_activity_result *r)
{
	r->recorded = false;
	r->reason = slice_str(reason);
	r->balance = balance_of(d, p->user_id, &r->level);
}

int decide_user_record_activity(struct decision *d, const struct user_record_activity *p,
				struct user_record_activity_result *r)
{
	bool message = slice_is(p->action, "message");
	int64_t throttle = setting_int(d->state, SETTING_throttle_message_ms);
	struct user_stats stats = { 0 };
	struct channel c;
	struct user u;
	int rc;

	if (p->has_channel_id && !find_channel(d->state, p->channel_id, &c))
		return err_missing(d->err, "channel", p->channel_id);
	if (find_user(d->state, p->user_id, &u)) {
		get_user_stats(d->state, (uint64_t)p->user_id, &stats);
		if (u.is_admin && !setting_int(d->state, SETTING_points_admins_earn)) {
			not_recorded(d, p, "admin", r);
			return 0;
		}
		if (message && stats.has_last_message_at && d->now < stats.last_message_at + throttle) {
			not_recorded(d, p, "throttled", r);
			r->has_retry_at = true;
			r->retry_at = stats.last_message_at + throttle;
			return 0;
		}
	}
	ensure_user(d, p->user_id);
	EMIT(d, user_activity_recorded, .user_id = p->user_id, .action = p->action, .has_channel_id = p->has_channel_id,
	     .channel_id = p->channel_id,
	     .messages_sent = message ? counter_up(stats.messages_sent) : stats.messages_sent);
	rc = settle(d);
	r->recorded = true;
	r->gains = gains_of(d, p->user_id);
	r->balance = balance_of(d, p->user_id, &r->level);
	return rc;
}

int decide_user_checkin(struct decision *d, const struct user_checkin *p, struct user_checkin_result *r)
{
	int64_t day = local_day(d->state, d->now), streak, level;
	struct user_stats stats = { 0 };
	struct user u;
	int rc;

	ensure_user(d, p->user_id);
	if (!find_user(d->state, p->user_id, &u))
		return err_set(d->err, E_INTERNAL, "user was not created");
	rc = access_gate(d, SETTING_access_checkin, &u);
	if (rc != 0)
		return rc;
	get_user_stats(d->state, (uint64_t)p->user_id, &stats);
	if (stats.has_checkin_day && day <= stats.checkin_day)
		return too_early(d, local_day_starts_at(d->state, stats.checkin_day + 1));
	streak = stats.has_checkin_day && stats.checkin_day == day - 1 ? counter_up(stats.checkin_streak) : 1;
	EMIT(d, user_checked_in, .user_id = p->user_id, .day = day, .streak = streak,
	     .best_streak = streak > stats.best_streak ? streak : stats.best_streak,
	     .has_previous_at = stats.has_last_checkin_at, .previous_at = stats.last_checkin_at);
	rc = settle(d);
	r->streak = streak;
	r->gains = gains_of(d, p->user_id);
	r->balance = balance_of(d, p->user_id, &level);
	r->next_at = local_day_starts_at(d->state, day + 1);
	return rc;
}

int decide_user_claim_gift(struct decision *d, const struct user_claim_gift *p, struct user_claim_gift_result *r)
{
	struct user_stats stats = { 0 };
	int64_t level;
	int rc;

	if (!setting_int(d->state, SETTING_daily_gift_enabled))
		return err_with(d->err, E_FORBIDDEN, "reason", "disabled", "the daily gift is switched off");
	ensure_user(d, p->user_id);
	get_user_stats(d->state, (uint64_t)p->user_id, &stats);
	if (stats.has_last_daily_gift_at && d->now < stats.last_daily_gift_at + DAY_MS)
		return too_early(d, stats.last_daily_gift_at + DAY_MS);
	EMIT(d, user_gift_claimed, .user_id = p->user_id, .points = setting_int(d->state, SETTING_daily_gift_points));
	rc = settle(d);
	r->points = gains_of(d, p->user_id).points;
	r->balance = balance_of(d, p->user_id, &level);
	r->next_at = d->now + DAY_MS;
	return rc;
}

/* ---- timers ---- */

/* A reminder only acts while VIP runs. */
bool due_vip_reminder(struct state *s, int64_t now, struct due *ret)
{
	if (!due_first(s, T_user_to_remind, now + 1, ret))
		return false;
	ret->at -= setting_int(s, SETTING_vip_reminder_hours) * 3600000;
	return true;
}

void fire_vip_reminder(struct decision *d, const struct due *due)
{
	struct user u;

	if (!find_user(d->state, due->id, &u) || !u.has_vip_expires_at || u.vip_expires_at <= d->now ||
	    u.has_vip_reminded_at)
		return;
	EMIT(d, user_vip_reminder_due, .user_id = u.id, .vip_expires_at = u.vip_expires_at, .due_at = due->at);
}

/* Permanent VIPs stand at the far end of the table, beyond any time. */
bool due_vip_expiry(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	return due_first(s, T_user_by_vip, 0, ret);
}

void fire_vip_expiry(struct decision *d, const struct due *due)
{
	uint64_t *ids = arena_take(d->arena, (VIP_OPEN_MAX + 1) * sizeof(*ids));
	struct user u;
	size_t n;

	if (ids == NULL || !find_user(d->state, due->id, &u) || !u.has_vip_expires_at || u.vip_expires_at > d->now)
		return;
	n = vip_open_ids(d->state, u.id, ids);
	EMIT(d, user_vip_expired, .user_id = u.id, .grant_ids = { ids, n }, .expired_at = u.vip_expires_at,
	     .due_at = due->at, .role = u.is_admin ? SLICE_LIT("admin") : SLICE_LIT("free"));
}
