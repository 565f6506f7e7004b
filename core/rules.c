#include "core/rules.h"

#include <inttypes.h>

int64_t local_day(struct state *s, int64_t at)
{
	int64_t shifted = at + setting_int(s, SETTING_time_utc_offset_minutes) * MINUTE_MS;

	return shifted >= 0 ? shifted / DAY_MS : -((-shifted + DAY_MS - 1) / DAY_MS);
}

int64_t local_day_starts_at(struct state *s, int64_t day)
{
	return day * DAY_MS - setting_int(s, SETTING_time_utc_offset_minutes) * MINUTE_MS;
}

int too_early(struct decision *d, int64_t retry_at)
{
	err_set(d->err, E_COOLDOWN, "too early");
	err_detail_int(d->err, "retry_at", retry_at);
	return E_COOLDOWN;
}

/* ---- users ---- */

bool find_user(struct state *s, int64_t id, struct user *ret)
{
	return get_user(s, (uint64_t)id, ret) && !ret->deleted;
}

bool find_balance(struct state *s, int64_t id, struct balance *ret)
{
	return get_balance(s, (uint64_t)id, ret) && !ret->deleted;
}

int need_user(struct decision *d, int64_t id, struct user *ret)
{
	return find_user(d->state, id, ret) ? 0 : err_missing(d->err, "user", id);
}

void ensure_user(struct decision *d, int64_t id)
{
	struct user_created ev;
	struct user old;
	struct balance b;

	/* the balance row comes and goes with the user, and is needed next anyway */
	if (find_balance(d->state, id, &b))
		return;
	record_defaults(record_user_created(), &ev);
	ev.user.id = id;
	ev.user.created_at = ev.user.updated_at = d->now;
	ev.user.version = next_version(d, STREAM_user, &id, NULL);
	ev.auto_created = true;
	ev.revived = get_user(d->state, (uint64_t)id, &old);
	emit(d, EV_user_created, &ev);
}

bool vip_active(const struct user *u, int64_t now)
{
	return u->vip_permanent || (u->has_vip_expires_at && u->vip_expires_at > now);
}

struct slice role_of(const struct user *u, int64_t now)
{
	if (u->is_admin)
		return SLICE_LIT("admin");
	return vip_active(u, now) ? SLICE_LIT("vip") : SLICE_LIT("free");
}

int role_rank(struct slice role)
{
	return slice_is(role, "admin") ? 2 : slice_is(role, "vip") ? 1 : 0;
}

bool gate_open(struct state *s, enum setting gate, const struct user *u, int64_t now)
{
	return role_rank(role_of(u, now)) >= role_rank(setting_text(s, gate));
}

int access_gate(struct decision *d, enum setting gate, const struct user *u)
{
	if (gate_open(d->state, gate, u, d->now))
		return 0;
	return err_with(d->err, E_FORBIDDEN, "reason", setting_defs[gate].key, "open to role %.*s and above",
			SLICE_FMT(setting_text(d->state, gate)));
}

/* ---- points ---- */

static int too_many_points(struct decision *d, const char *what)
{
	err_set(d->err, E_LIMIT_EXCEEDED, "%s would pass 4000000000000 points", what);
	err_detail_points(d->err, "limit", POINTS_MAX);
	return E_LIMIT_EXCEEDED;
}

static int64_t multiplier_for(struct decision *d, int64_t user_id)
{
	int64_t event = event_multiplier(d->state, d->now);
	int64_t vip = setting_int(d->state, SETTING_points_vip_multiplier);
	struct user u;

	if (vip == 1 || !find_user(d->state, user_id, &u) || !vip_active(&u, d->now))
		return event;
	return event * vip;
}

int credit(struct decision *d, const struct credit *c)
{
	int64_t multiplier, amount, sum;
	struct point_totals totals = { 0 };
	struct balance b;

	if (c->base == 0 || d->failed || !find_balance(d->state, c->user_id, &b))
		return 0;
	multiplier = c->multiplied ? multiplier_for(d, c->user_id) : 1;
	if (c->base > POINTS_MAX / multiplier)
		return too_many_points(d, "the amount");
	amount = c->base * multiplier;
	if (amount > POINTS_MAX - b.balance)
		return too_many_points(d, "the balance");
	get_point_totals(d->state, 0, &totals);
	if (__builtin_add_overflow(totals.earned, amount, &sum)) {
		err_set(d->err, E_LIMIT_EXCEEDED, "the ledger holds no more credits");
		err_detail_points(d->err, "limit", INT64_MAX);
		return E_LIMIT_EXCEEDED;
	}
	EMIT(d, point_credited, .user_id = c->user_id, .amount = amount, .base = c->base, .multiplier = multiplier,
	     .balance_after = b.balance + amount, .source = c->source,
	     .description = c->description.base ? c->description : SLICE_LIT(""),
	     .has_counterparty_id = c->counterparty_id != 0, .counterparty_id = c->counterparty_id, .ref = c->ref);
	return 0;
}

void credit_by_rule(struct decision *d, const struct credit *c)
{
	if (credit(d, c) != 0)
		d->failed = true;
}

int need_points(const struct balance *b, int64_t amount, struct err *err)
{
	int64_t available = b->balance - b->held;

	if (available >= amount)
		return 0;
	err_set(err, E_INSUFFICIENT_POINTS, "user %" PRId64 " has less than that available", b->id);
	err_detail_points(err, "required", amount);
	err_detail_points(err, "available", available);
	return E_INSUFFICIENT_POINTS;
}

int debit(struct decision *d, const struct balance *b, int64_t amount, struct slice source, struct slice description,
	  int64_t counterparty_id, struct slice ref)
{
	int rc = need_points(b, amount, d->err);

	if (rc != 0)
		return rc;
	EMIT(d, point_debited, .user_id = b->id, .amount = amount, .balance_after = b->balance - amount,
	     .source = source, .description = description, .has_counterparty_id = counterparty_id != 0,
	     .counterparty_id = counterparty_id, .ref = ref);
	return 0;
}

static void put_ref_kind(struct buf *b, const char *kind)
{
	mp_put_map(b, 2);
	mp_put_text(b, SLICE_LIT("kind"));
	mp_put_text(b, slice_str(kind));
	mp_put_text(b, SLICE_LIT("id"));
}

struct slice make_ref(struct arena *arena, const char *kind, int64_t id)
{
	uint8_t small[80];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };

	put_ref_kind(&b, kind);
	mp_put_int64(&b, id);
	assert(!b.failed);
	return arena_copy(arena, buf_slice(&b));
}

struct slice make_ref_text(struct arena *arena, const char *kind, struct slice id)
{
	uint8_t small[80 + REF_ID_MAX];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };

	put_ref_kind(&b, kind);
	mp_put_text(&b, id);
	assert(!b.failed);
	return arena_copy(arena, buf_slice(&b));
}

static bool split_ref(struct slice ref, struct slice *ret_kind, struct mp *ret_id)
{
	struct slice name, id = SLICE_NULL;
	struct mp m = mp_of(ref);
	bool kind = false;
	uint32_t n;

	if (ref.base == NULL || !mp_map(&m, &n))
		return false;
	while (n-- > 0 && mp_str(&m, &name)) {
		if (slice_is(name, "kind"))
			kind = mp_str(&m, ret_kind);
		else
			mp_raw(&m, 0, &id);
	}
	*ret_id = mp_of(id);
	return kind && id.base != NULL;
}

bool ref_is(struct slice ref, const char *kind, struct slice *ret_id)
{
	struct slice its_kind;
	struct mp id;

	return split_ref(ref, &its_kind, &id) && slice_is(its_kind, kind) && mp_peek(&id) == MP_STR &&
	       mp_str(&id, ret_id);
}

bool ref_number(struct slice ref, struct slice *ret_kind, int64_t *ret_id)
{
	struct mp id;

	return split_ref(ref, ret_kind, &id) && mp_peek(&id) == MP_INT && mp_int(&id, ret_id);
}

bool ref_is_int(struct slice ref, const char *kind, int64_t *ret_id)
{
	struct slice its_kind;

	return ref_number(ref, &its_kind, ret_id) && slice_is(its_kind, kind);
}

bool find_level(struct state *s, int64_t id, struct level *ret)
{
	return get_level(s, (uint64_t)id, ret) && !ret->deleted;
}

bool transaction_of(const struct event *ev, struct transaction *ret)
{
	switch (ev->type) {
	case EV_point_credited: {
		const struct point_credited *p = ev->data;

		*ret = (struct transaction){ .user_id = p->user_id,
					     .amount = p->amount,
					     .balance_after = p->balance_after,
					     .source = p->source,
					     .description = p->description,
					     .base = p->base,
					     .multiplier = p->multiplier,
					     .has_counterparty_id = p->has_counterparty_id,
					     .counterparty_id = p->counterparty_id,
					     .ref = p->ref };
		break;
	}
	case EV_point_debited: {
		const struct point_debited *p = ev->data;

		*ret = (struct transaction){ .user_id = p->user_id,
					     .amount = -p->amount,
					     .balance_after = p->balance_after,
					     .source = p->source,
					     .description = p->description,
					     .base = p->amount,
					     .multiplier = 1,
					     .has_counterparty_id = p->has_counterparty_id,
					     .counterparty_id = p->counterparty_id,
					     .ref = p->ref };
		break;
	}
	case EV_point_captured: {
		const struct point_captured *p = ev->data;

		*ret = (struct transaction){ .user_id = p->user_id,
					     .amount = -p->amount,
					     .balance_after = p->balance_after,
					     .source = p->source,
					     .description = SLICE_LIT(""),
					     .base = p->amount,
					     .multiplier = 1,
					     .ref = p->ref };
		break;
	}
	default:
		return false;
	}
	ret->id = ev->seq;
	ret->created_at = ev->at;
	return true;
}

/* One more thing that the command brought; the list has room for one per event of it. */
static void gain(struct decision *d, struct gains *g, const char *kind, struct slice packed_id)
{
	struct unlocked *v = (struct unlocked *)g->unlocked.v;

	if (v == NULL)
		v = arena_take(d->arena, (d->n_events - d->command_first) * sizeof(*v));
	if (v == NULL)
		return;
	v[g->unlocked.n++] = (struct unlocked){ .kind = slice_str(kind), .id = packed_id };
	g->unlocked.v = v;
}

static struct slice packed_uint(struct arena *arena, uint64_t v)
{
	uint8_t small[9];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };

	mp_put_uint64(&b, v);
	return arena_copy(arena, buf_slice(&b));
}

static struct slice packed_key(struct arena *arena, struct slice key)
{
	uint8_t small[KEY_MAX + 2];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };

	mp_put_text(&b, key);
	return arena_copy(arena, buf_slice(&b));
}

static void add_mission(struct decision *d, struct gains *g, struct slice id)
{
	struct slice *v = (struct slice *)g->missions_completed.v;

	if (v == NULL)
		v = arena_take(d->arena, (d->n_events - d->command_first) * sizeof(*v));
	if (v == NULL)
		return;
	v[g->missions_completed.n++] = id;
	g->missions_completed.v = v;
}

static void add_challenge(struct decision *d, struct gains *g, uint64_t id)
{
	uint64_t *v = (uint64_t *)g->challenges_completed.v;

	if (v == NULL)
		v = arena_take(d->arena, (d->n_events - d->command_first) * sizeof(*v));
	if (v == NULL)
		return;
	v[g->challenges_completed.n++] = id;
	g->challenges_completed.v = v;
}

static void add_gain(struct decision *d, struct gains *g, int64_t user_id, const struct event *ev)
{
	switch (ev->type) {
	case EV_point_credited: {
		const struct point_credited *p = ev->data;

		if (p->user_id == user_id)
			g->points += p->amount;
		break;
	}
	case EV_achievement_unlocked: {
		const struct achievement_unlocked *p = ev->data;

		if (p->award.user_id == user_id)
			gain(d, g, "achievement", packed_key(d->arena, p->award.achievement_id));
		break;
	}
	case EV_achievement_badge_awarded: {
		const struct achievement_badge_awarded *p = ev->data;

		if (p->award.user_id == user_id)
			gain(d, g, "badge", packed_uint(d->arena, p->award.badge_id));
		break;
	}
	case EV_narrative_lore_unlocked: {
		const struct narrative_lore_unlocked *p = ev->data;

		if (p->user_id == user_id)
			gain(d, g, "lore", packed_key(d->arena, p->lore_id));
		break;
	}
	case EV_narrative_fragment_granted: {
		const struct narrative_fragment_granted *p = ev->data;

		if (p->user_id == user_id)
			gain(d, g, "fragment", packed_key(d->arena, p->fragment_id));
		break;
	}
	case EV_mission_completed: {
		const struct mission_completed *p = ev->data;

		if (p->user_id == user_id)
			add_mission(d, g, p->mission_id);
		break;
	}
	case EV_game_challenge_completed: {
		const struct game_challenge_completed *p = ev->data;

		if (p->user_id == user_id)
			add_challenge(d, g, p->challenge_id);
		break;
	}
	default:
		break;
	}
}

struct gains gains_of(struct decision *d, int64_t user_id)
{
	struct gains g = { 0 };

	for (size_t i = d->command_first; i < d->n_events; i++)
		add_gain(d, &g, user_id, &d->events[i]);
	return g;
}

/* ---- what is archived ---- */

/* The things of one status, earliest first. */
struct closed_walk {
	struct row_walk rows;
	uint64_t at, id;
	bool more;
};

static void closed_next(struct closed_walk *w, struct state *s, uint64_t before_at)
{
	struct slice key, status;

	w->more = row_walk_next(&w->rows);
	key = w->rows.key;
	w->more = w->more && key_take_TEXT(&key, s->arena, &status) && key_take_U64(&key, &w->at) &&
		  key_take_U64(&key, &w->id) && w->at < before_at;
}

static void closed_begin(struct closed_walk w[2], struct state *s, const struct closed *c, uint64_t before_at)
{
	for (int i = 0; i < 2; i++) {
		struct key k;

		key_put_TEXT(key_begin(&k), slice_str(c->statuses[i]));
		row_walk_begin(&w[i].rows, s, c->table, &k, false);
		closed_next(&w[i], s, before_at);
	}
}

/* The earlier of the two; equal times: by id. */
static struct closed_walk *closed_earlier(struct closed_walk w[2])
{
	bool second = w[1].more && (!w[0].more || w[1].at < w[0].at || (w[1].at == w[0].at && w[1].id < w[0].id));

	return &w[second];
}

static void closed_end(struct closed_walk w[2])
{
	row_walk_end(&w[0].rows);
	row_walk_end(&w[1].rows);
}

size_t closed_before(struct state *s, const struct closed *c, int64_t before_at, size_t max, uint64_t *ret_ids)
{
	uint64_t before = before_at > 0 ? (uint64_t)before_at : 0;
	struct closed_walk w[2], *first;
	size_t n = 0;

	closed_begin(w, s, c, before);
	for (first = closed_earlier(w); n < max && first->more; n++, first = closed_earlier(w)) {
		if (ret_ids != NULL)
			ret_ids[n] = first->id;
		closed_next(first, s, before);
	}
	closed_end(w);
	return n;
}

bool closed_first(struct state *s, const struct closed *c, int64_t *ret_at, uint64_t *ret_id)
{
	struct closed_walk w[2], *first;
	bool found;

	closed_begin(w, s, c, (uint64_t)MS_MAX + 1);
	first = closed_earlier(w);
	found = first->more;
	if (found) {
		*ret_at = (int64_t)first->at;
		*ret_id = first->id;
	}
	closed_end(w);
	return found;
}

/* ---- VIP ---- */

size_t vip_open_ids(struct state *s, int64_t user_id, uint64_t ret[VIP_OPEN_MAX + 1])
{
	struct row_walk w;
	struct key k;
	size_t n = 0;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, s, T_vip_open, &k, false);
	while (n <= VIP_OPEN_MAX && row_walk_next(&w)) {
		uint64_t owner;

		n += take_vip_open(w.key, s->arena, &owner, &ret[n]);
	}
	row_walk_end(&w);
	return n;
}

void vip_queue(struct state *s, int64_t user_id, int64_t now, struct vip_queue *q)
{
	uint64_t ids[VIP_OPEN_MAX + 1];
	size_t n = vip_open_ids(s, user_id, ids);

	*q = (struct vip_queue){ .ends_at = now };
	for (size_t i = 0; i < n; i++) {
		struct vip_grant g;

		if (!get_vip_grant(s, ids[i], &g) || (g.has_ends_at && g.ends_at <= now))
			continue;
		q->v[q->n++] = g;
		if (g.has_ends_at)
			q->ends_at = g.ends_at;
		else
			q->permanent = true;
	}
}

static int vip_limit(struct decision *d, const char *text, int64_t limit)
{
	err_set(d->err, E_LIMIT_EXCEEDED, "%s", text);
	err_detail_int(d->err, "limit", limit);
	return E_LIMIT_EXCEEDED;
}

int vip_append(struct decision *d, const struct vip_new *g, uint64_t *ret_id)
{
	struct user_totals totals = { 0 };
	struct vip_queue q;
	struct vip_grant grant;
	struct user u;

	*ret_id = 0;
	vip_queue(d->state, g->user_id, d->now, &q);
	if (q.permanent || !find_user(d->state, g->user_id, &u))
		return 0;
	get_user_totals(d->state, 0, &totals);
	grant = (struct vip_grant){ .id = totals.last_grant_id + 1,
				    .user_id = g->user_id,
				    .source = g->source,
				    .source_id = g->source_id,
				    .has_days = g->days != 0,
				    .days = g->days,
				    .starts_at = q.ends_at,
				    .is_free = g->is_free,
				    .granted_at = d->now };
	grant.has_ends_at = !g->permanent;
	grant.ends_at = g->days != 0 ? q.ends_at + g->days * DAY_MS : g->ends_at;
	if (grant.has_ends_at && grant.ends_at <= q.ends_at)
		return 0;
	if (q.n >= VIP_OPEN_MAX)
		return vip_limit(d, "at most 100 VIP grants of a user run or wait", VIP_OPEN_MAX);
	if (grant.has_ends_at && grant.ends_at > MS_MAX)
		return vip_limit(d, "VIP would end beyond the year 9999", MS_MAX);
	*ret_id = grant.id;
	EMIT(d, user_vip_granted, .user_id = g->user_id, .grant = grant, .has_vip_expires_at = grant.has_ends_at,
	     .vip_expires_at = grant.ends_at, .role = u.is_admin ? SLICE_LIT("admin") : SLICE_LIT("vip"));
	return 0;
}
