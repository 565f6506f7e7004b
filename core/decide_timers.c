#include "core/rules.h"

const char *const timer_names[N_TIMERS] = {
#define TIMER(name, events, doc) [TIMER_##name] = "timer." #name,
#include "core/schema/all.def"
};

/* First row of a table keyed by (time, id) at or after `from`; permanent VIPs stand at the far end. */
static bool first_due(struct state *s, enum table_id table, int64_t from, int64_t *ret_at, int64_t *ret_id)
{
	struct state_cursor c;
	struct key k;
	uint64_t at, id;
	bool found;

	key_put_U64(key_begin(&k), (uint64_t)from);
	state_cursor_open(&c, s, table);
	found = state_cursor_seek(&c, key_slice(&k));
	if (found) {
		struct slice row = c.key;

		found = key_take_U64(&row, &at) && key_take_U64(&row, &id) && at <= (uint64_t)MS_MAX;
	}
	state_cursor_close(&c);
	if (found) {
		*ret_at = (int64_t)at;
		*ret_id = (int64_t)id;
	}
	return found;
}

bool timers_next(struct state *s, int64_t now, struct due *ret)
{
	int64_t lead = setting_int(s, SETTING_vip_reminder_hours) * 3600000;
	struct due found[N_TIMERS];
	size_t n = 0;

	/* a reminder only acts while VIP runs */
	if (first_due(s, T_user_to_remind, now + 1, &found[n].at, &found[n].id)) {
		found[n].at -= lead;
		found[n++].timer = TIMER_vip_reminder;
	}
	if (first_due(s, T_user_by_vip, 0, &found[n].at, &found[n].id))
		found[n++].timer = TIMER_vip_expiry;
	if (n == 0)
		return false;
	*ret = found[0];
	for (size_t i = 1; i < n; i++)
		if (found[i].at < ret->at)
			*ret = found[i];
	return true;
}

static void remind(struct decision *d, const struct due *due)
{
	struct user u;

	if (!find_user(d->state, due->id, &u) || !u.has_vip_expires_at || u.vip_expires_at <= d->now ||
	    u.has_vip_reminded_at)
		return;
	EMIT(d, user_vip_reminder_due, .user_id = u.id, .vip_expires_at = u.vip_expires_at, .due_at = due->at);
}

static void expire(struct decision *d, const struct due *due)
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

int decide_timer(struct decision *d, const struct due *due)
{
	switch (due->timer) {
	case TIMER_vip_reminder:
		remind(d, due);
		break;
	case TIMER_vip_expiry:
		expire(d, due);
		break;
	case N_TIMERS:
		assert(!"no such timer");
	}
	return settle(d);
}
