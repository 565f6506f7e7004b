#include <inttypes.h>
#include <stdlib.h>

#include "core/map_writer.h"
#include "core/reactions.h"
#include "core/rules.h"
#include "core/text.h"

enum { WEEK_DAYS = 7, OBJECTIVES_MAX = 64 * 1024, MISSING_MAX = 330 };
#define HOUR_MS INT64_C(3600000)
#define NO_ACTIONS SLICE_LIT("\x80")

/* ---- definitions ---- */

bool find_mission(struct state *s, struct slice id, struct mission *ret)
{
	return get_mission(s, id, ret) && !ret->deleted;
}

static int need_mission(struct decision *d, struct slice id, struct mission *ret)
{
	return find_mission(d->state, id, ret) ? 0 : err_missing_text(d->err, "mission", id);
}

static bool expired(const struct mission *m, int64_t now)
{
	return m->has_expires_at && m->expires_at <= now;
}

bool mission_open(const struct mission *m, int64_t now)
{
	return m->is_active && !expired(m, now);
}

const char *const mission_part_names[N_MISSION_PARTS] = {
	[PART_FRAGMENT] = "fragment",
	[PART_LORE] = "lore",
	[PART_MISSION] = "mission",
};

struct ids mission_requires(const struct mission *m, enum mission_part part)
{
	const struct requirements *r = &m->requirements;

	switch (part) {
	case PART_FRAGMENT:
		return (struct ids){ r->fragments.v, r->fragments.n };
	case PART_LORE:
		return (struct ids){ r->lore.v, r->lore.n };
	default:
		return (struct ids){ r->missions.v, r->missions.n };
	}
}

static void part_prefix(struct key *k, enum mission_part part, struct slice id)
{
	key_put_TEXT(key_begin(k), slice_str(mission_part_names[part]));
	key_put_TEXT(k, id);
}

bool required_by_mission(struct state *s, enum mission_part part, struct slice id)
{
	struct row_walk w;
	struct key k;
	bool any;

	part_prefix(&k, part, id);
	row_walk_begin(&w, s, T_mission_by_part, &k, false);
	any = row_walk_next(&w);
	row_walk_end(&w);
	return any;
}

/* How often a mission asks for an action; 0: not at all. */
static int64_t required_count(const struct mission *m, struct slice action)
{
	for (size_t i = 0; i < m->requirements.actions.n; i++)
		if (slice_eq(m->requirements.actions.v[i].action, action))
			return m->requirements.actions.v[i].count;
	return 0;
}

/* ---- periods ---- */

enum period_type { PERIOD_DAILY, PERIOD_WEEKLY, N_PERIOD_TYPES };
static const char *const period_types[N_PERIOD_TYPES] = { "daily", "weekly" };

/* N_PERIOD_TYPES: a type without periods. */
static enum period_type period_type(struct slice type)
{
	int t = 0;

	while (t < N_PERIOD_TYPES && !slice_is(type, period_types[t]))
		t++;
	return (enum period_type)t;
}

/* Weeks start on Monday; day 0 was a Thursday. */
static int64_t period_at(struct state *s, enum period_type t, int64_t at)
{
	int64_t day = local_day(s, at);

	return t == PERIOD_DAILY ? day : (day + 3) / WEEK_DAYS;
}

static int64_t period_starts_at(struct state *s, enum period_type t, int64_t period)
{
	int64_t day = t == PERIOD_DAILY ? period : period * WEEK_DAYS - 3;

	return local_day_starts_at(s, day);
}

/* The period that was marked last, and when. Before the first event: the one that holds `now`. */
static int64_t marked_period(struct state *s, enum period_type t, int64_t now, int64_t *ret_at)
{
	struct period_mark mark = { .at = now };

	get_period_mark(s, slice_str(period_types[t]), &mark);
	*ret_at = mark.at;
	return mark.has_period ? mark.period : period_at(s, t, mark.at);
}

int64_t mission_period(struct state *s, struct slice type, int64_t now)
{
	enum period_type t = period_type(type);
	int64_t by_clock, marked, at;

	if (t == N_PERIOD_TYPES)
		return 0;
	by_clock = period_at(s, t, now);
	marked = marked_period(s, t, now, &at);
	return by_clock > marked ? by_clock : marked;
}

/* ---- progress ---- */

static int64_t action_count(struct slice actions, struct slice action)
{
	struct mp m = mp_of(actions);
	struct slice name;
	int64_t count;
	uint32_t n;

	if (!mp_map(&m, &n))
		return 0;
	while (n-- > 0 && mp_str(&m, &name) && mp_int(&m, &count))
		if (slice_eq(name, action))
			return count;
	return 0;
}

/* The counts of the required actions, that of `action` being `count`. */
static struct slice with_action_count(struct arena *arena, const struct mission *m, struct slice actions,
				      struct slice action, int64_t count)
{
	struct map_writer w;
	struct slice packed;
	struct buf b;

	buf_init(&b, MAP_MAX);
	map_open(&w, &b);
	for (size_t i = 0; i < m->requirements.actions.n; i++) {
		struct slice name = m->requirements.actions.v[i].action;
		int64_t n = slice_eq(name, action) ? count : action_count(actions, name);

		if (n == 0)
			continue;
		mp_put_text(&b, name);
		mp_put_int64(&b, n);
		w.n++;
	}
	map_close(&w);
	packed = arena_copy(arena, buf_slice(&b));
	arena->failed |= b.failed;
	buf_free(&b);
	return packed;
}

/* Progress of an older period reads as empty. */
static void read_as_empty(struct state *s, enum period_type t, int64_t period, int64_t now, struct progress *p)
{
	int64_t at, marked = marked_period(s, t, now, &at);

	p->period = period;
	p->value = 0;
	p->actions = NO_ACTIONS;
	p->completed = false;
	p->started = false;
	if (marked != period)
		return;
	p->has_last_reset_at = true;
	p->last_reset_at = at;
}

bool read_progress(struct state *s, const struct mission *m, int64_t user_id, int64_t now, struct progress *ret)
{
	int64_t period = mission_period(s, m->type, now);
	enum period_type t = period_type(m->type);

	if (!get_progress(s, (uint64_t)user_id, m->id, ret) || ret->deleted) {
		*ret = (struct progress){
			.user_id = user_id, .mission_id = m->id, .period = period, .actions = NO_ACTIONS
		};
		return false;
	}
	if (t != N_PERIOD_TYPES && ret->period < period)
		read_as_empty(s, t, period, now, ret);
	return true;
}

/* Whether the user has a required part, as it reads now. */
static bool has_part(struct state *s, int64_t user_id, int64_t now, enum mission_part part, struct slice id)
{
	struct mission m;
	struct progress p;

	switch (part) {
	case PART_FRAGMENT:
		return has_completed(s, user_id, id);
	case PART_LORE:
		return has_lore(s, user_id, id);
	default:
		return find_mission(s, id, &m) && read_progress(s, &m, user_id, now, &p) && p.completed;
	}
}

/* Those of the required parts that the user has. */
static struct ids parts_held(struct state *s, const struct mission *m, int64_t user_id, int64_t now,
			     enum mission_part part)
{
	struct ids required = mission_requires(m, part);
	struct slice *v = arena_take(s->arena, required.n * sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < required.n; i++)
		if (has_part(s, user_id, now, part, required.v[i]))
			v[n++] = required.v[i];
	return (struct ids){ v, n };
}

static bool has_requirements(const struct mission *m)
{
	const struct requirements *r = &m->requirements;

	return r->fragments.n + r->lore.n + r->missions.n + r->actions.n > 0;
}

static bool has_counter(const struct mission *m)
{
	return m->action.base != NULL || !has_requirements(m);
}

/* Shares of the parts of a mission. */
struct shares {
	double sum;
	size_t n, done;
};

static void add_share(struct shares *all, int64_t have, int64_t want)
{
	all->sum += have < want ? (double)have / (double)want : 1.0;
	all->done += have >= want;
	all->n++;
}

bool derive_progress(struct state *s, const struct mission *m, int64_t now, struct progress *p)
{
	struct shares all = { 0 };
	struct ids held[N_MISSION_PARTS];

	if (has_counter(m))
		add_share(&all, p->value, m->target_value);
	for (int part = 0; part < N_MISSION_PARTS; part++) {
		size_t required = mission_requires(m, part).n;

		held[part] = parts_held(s, m, p->user_id, now, part);
		all.sum += (double)held[part].n;
		all.done += held[part].n;
		all.n += required;
	}
	for (size_t i = 0; i < m->requirements.actions.n; i++) {
		const struct required_action *a = &m->requirements.actions.v[i];

		add_share(&all, action_count(p->actions, a->action), a->count);
	}
	p->fragments.v = held[PART_FRAGMENT].v;
	p->fragments.n = held[PART_FRAGMENT].n;
	p->lore.v = held[PART_LORE].v;
	p->lore.n = held[PART_LORE].n;
	p->missions.v = held[PART_MISSION].v;
	p->missions.n = held[PART_MISSION].n;
	p->percentage = p->completed ? 100.0 : 100.0 * all.sum / (double)all.n;
	return all.done == all.n;
}

bool mission_ready(struct state *s, const struct mission *m, const struct progress *p, int64_t now,
		   int64_t *ret_retry_at)
{
	enum period_type t = period_type(m->type);

	*ret_retry_at = 0;
	if (!p->completed)
		return true;
	if (t != N_PERIOD_TYPES)
		*ret_retry_at = period_starts_at(s, t, p->period + 1);
	else if (m->is_repeatable && p->completed_at + m->cooldown_hours * HOUR_MS <= now)
		return true;
	else if (m->is_repeatable)
		*ret_retry_at = p->completed_at + m->cooldown_hours * HOUR_MS;
	return false;
}

/* ---- one user and one mission ---- */

struct attempt {
	struct user u;
	struct mission m;
	struct progress p; /* as it reads */
};

static int load(struct decision *d, int64_t user_id, struct slice mission_id, struct attempt *a)
{
	int rc = need_user(d, user_id, &a->u);

	if (rc == 0)
		rc = need_mission(d, mission_id, &a->m);
	if (rc == 0)
		read_progress(d->state, &a->m, user_id, d->now, &a->p);
	return rc;
}

/* Whether the user may work on it: go on, start, or start anew. */
static int may_proceed(struct decision *d, const struct attempt *a)
{
	int64_t retry_at;
	int rc;

	if (!mission_open(&a->m, d->now))
		return err_with(d->err, E_NOT_ACTIVE, "status", expired(&a->m, d->now) ? "expired" : "inactive",
				"mission \"%.*s\" is not active", SLICE_FMT(a->m.id));
	rc = access_gate(d, SETTING_access_mission, &a->u);
	if (rc != 0 || mission_ready(d->state, &a->m, &a->p, d->now, &retry_at))
		return rc;
	if (retry_at != 0 && period_type(a->m.type) == N_PERIOD_TYPES)
		return too_early(d, retry_at);
	err_set(d->err, E_ALREADY_COMPLETED, "mission \"%.*s\" is completed", SLICE_FMT(a->m.id));
	err_detail_int(d->err, "completed_at", a->p.completed_at);
	return E_ALREADY_COMPLETED;
}

static void reload(struct decision *d, struct attempt *a)
{
	read_progress(d->state, &a->m, a->p.user_id, d->now, &a->p);
}

/* The row as results show it. */
static void show(struct decision *d, struct attempt *a, struct progress *ret)
{
	reload(d, a);
	derive_progress(d->state, &a->m, d->now, &a->p);
	*ret = a->p;
}

/* Starts the row unless it runs. */
static void ensure_started(struct decision *d, struct attempt *a)
{
	if (a->p.started && !a->p.completed)
		return;
	EMIT(d, mission_started, .user_id = a->p.user_id, .mission_id = a->m.id, .period = a->p.period);
	reload(d, a);
}

static void progressed(struct decision *d, struct attempt *a, int64_t value, struct slice actions, struct slice part)
{
	EMIT(d, mission_progressed, .user_id = a->p.user_id, .mission_id = a->m.id, .period = a->p.period,
	     .value = value, .actions = actions, .part = part);
	reload(d, a);
}

static void completed(struct decision *d, const struct attempt *a, bool forced)
{
	EMIT(d, mission_completed, .user_id = a->p.user_id, .mission_id = a->m.id, .period = a->p.period,
	     .times_completed = counter_up(a->p.times_completed), .reward_points = a->m.reward_points,
	     .forced = forced);
}

static void complete_if_done(struct decision *d, struct attempt *a)
{
	if (!d->failed && derive_progress(d->state, &a->m, d->now, &a->p))
		completed(d, a, false);
}

/* Whether this command has completed the mission for this user. */
static bool completed_here(const struct decision *d, int64_t user_id, struct slice mission_id)
{
	for (size_t i = d->command_first; i < d->n_events; i++) {
		const struct mission_completed *p = d->events[i].data;

		if (d->events[i].type == EV_mission_completed && p->user_id == user_id &&
		    slice_eq(p->mission_id, mission_id))
			return true;
	}
	return false;
}

/* ---- progress by command ---- */

int decide_mission_start(struct decision *d, const struct mission_start *p, struct mission_start_result *r)
{
	struct attempt a;
	int rc = load(d, p->user_id, p->mission_id, &a);

	if (rc == 0 && !(a.p.started && !a.p.completed)) {
		rc = may_proceed(d, &a);
		if (rc == 0) {
			ensure_started(d, &a);
			complete_if_done(d, &a);
			rc = settle(d);
		}
	}
	if (rc == 0)
		show(d, &a, &r->progress);
	return rc;
}

/* Runs what follows and fills in the result of advance and complete. */
static int finish(struct decision *d, struct attempt *a, struct mission_advance_result *r)
{
	int rc = settle(d);
	struct gains gains;

	if (rc != 0)
		return rc;
	gains = gains_of(d, a->p.user_id);
	show(d, a, &r->progress);
	r->completed = completed_here(d, a->p.user_id, a->m.id);
	r->points = gains.points;
	r->unlocked.v = gains.unlocked.v;
	r->unlocked.n = gains.unlocked.n;
	return 0;
}

static int64_t counter_plus(int64_t n, int64_t by)
{
	return n + by < COUNTER_MAX ? n + by : COUNTER_MAX;
}

int decide_mission_advance(struct decision *d, const struct mission_advance *p, struct mission_advance_result *r)
{
	bool by_action = p->action.base != NULL;
	struct attempt a;
	int64_t old, new;
	int rc;

	if (p->has_by && p->has_to)
		return err_field(d->err, "to", "excludes by");
	rc = load(d, p->user_id, p->mission_id, &a);
	if (rc == 0 && by_action && required_count(&a.m, p->action) == 0)
		return err_field(d->err, "action", "is not one that the mission requires");
	if (rc == 0)
		rc = may_proceed(d, &a);
	if (rc != 0)
		return rc;
	ensure_started(d, &a);
	old = by_action ? action_count(a.p.actions, p->action) : a.p.value;
	new = p->has_to ? p->to : counter_plus(old, p->has_by ? p->by : 1);
	if (new != old && by_action)
		progressed(d, &a, a.p.value, with_action_count(d->arena, &a.m, a.p.actions, p->action, new),
			   SLICE_NULL);
	else if (new != old)
		progressed(d, &a, new, a.p.actions, SLICE_NULL);
	complete_if_done(d, &a);
	return finish(d, &a, r);
}

/* Appends the required parts that the user lacks, as many as an error's details have room for. */
static void put_lacking(struct buf *b, struct map_writer *w, const char *name, struct ids required, struct ids held)
{
	size_t head, h = 0;
	uint32_t n = 0;

	map_key(w, name);
	head = array_open(b);
	for (size_t i = 0; i < required.n; i++) {
		/* those held are in the order of those required */
		if (h < held.n && slice_eq(required.v[i], held.v[h])) {
			h++;
			continue;
		}
		if (b->len + required.v[i].len > MISSING_MAX)
			break;
		mp_put_text(b, required.v[i]);
		n++;
	}
	array_close(b, head, n);
}

static void put_lacking_actions(struct buf *b, struct map_writer *w, const struct attempt *a)
{
	struct map_writer actions;

	map_key(w, "actions");
	map_open(&actions, b);
	for (size_t i = 0; i < a->m.requirements.actions.n; i++) {
		const struct required_action *ra = &a->m.requirements.actions.v[i];
		int64_t have = action_count(a->p.actions, ra->action);

		if (have >= ra->count || b->len + ra->action.len > MISSING_MAX)
			continue;
		mp_put_text(b, ra->action);
		mp_put_int64(b, ra->count - have);
		actions.n++;
	}
	map_close(&actions);
}

static int not_done(struct decision *d, const struct attempt *a)
{
	const struct progress *p = &a->p;
	struct map_writer w;
	struct buf b;

	err_set(d->err, E_REQUIREMENTS_NOT_MET, "mission \"%.*s\" %s", SLICE_FMT(a->m.id),
		a->m.requires_action ? "cannot be completed by asking" : "is not done");
	buf_init(&b, sizeof(d->err->details));
	map_open(&w, &b);
	map_int(&w, "value", has_counter(&a->m) && p->value < a->m.target_value ? a->m.target_value - p->value : 0);
	put_lacking(&b, &w, "fragments", mission_requires(&a->m, PART_FRAGMENT),
		    (struct ids){ p->fragments.v, p->fragments.n });
	put_lacking(&b, &w, "lore", mission_requires(&a->m, PART_LORE), (struct ids){ p->lore.v, p->lore.n });
	put_lacking(&b, &w, "missions", mission_requires(&a->m, PART_MISSION),
		    (struct ids){ p->missions.v, p->missions.n });
	put_lacking_actions(&b, &w, a);
	map_close(&w);
	err_detail_raw(d->err, "missing", buf_slice(&b));
	buf_free(&b);
	return E_REQUIREMENTS_NOT_MET;
}

int decide_mission_complete(struct decision *d, const struct mission_complete *p, struct mission_advance_result *r)
{
	struct attempt a;
	bool done;
	int rc = load(d, p->user_id, p->mission_id, &a);

	if (rc == 0)
		rc = may_proceed(d, &a);
	if (rc != 0)
		return rc;
	ensure_started(d, &a);
	done = derive_progress(d->state, &a.m, d->now, &a.p) && !a.m.requires_action;
	if (!done && !p->force)
		return not_done(d, &a);
	completed(d, &a, p->force);
	return finish(d, &a, r);
}

static int64_t reset(struct decision *d, const struct mission *m, int64_t user_id)
{
	struct progress p;

	if (!read_progress(d->state, m, user_id, d->now, &p) || !p.started)
		return 0;
	EMIT(d, mission_progress_reset, .user_id = user_id, .mission_id = m->id, .period = p.period);
	return 1;
}

/* The user's rows in missions of a type. */
static int64_t reset_type(struct decision *d, int64_t user_id, struct slice type)
{
	int64_t count = 0;
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, d->state, T_progress, &k, false);
	while (row_walk_next(&w)) {
		struct slice id;
		struct mission m;
		uint64_t owner;

		if (take_progress(w.key, d->arena, &owner, &id) && find_mission(d->state, id, &m) &&
		    slice_eq(m.type, type))
			count += reset(d, &m, user_id);
	}
	row_walk_end(&w);
	return count;
}

void address_mission_reset(struct decision *d, const struct mission_reset *p)
{
	d->addresses_several = p->mission_id.base == NULL;
	if (p->mission_id.base != NULL)
		decision_address(d, STREAM_progress, &p->user_id, &p->mission_id);
}

int decide_mission_reset(struct decision *d, const struct mission_reset *p, struct mission_reset_result *r)
{
	struct attempt a;
	int rc;

	if ((p->mission_id.base != NULL) == (p->type.base != NULL))
		return err_field(d->err, "mission_id", "exactly one of mission_id and type is needed");
	if (p->type.base != NULL) {
		rc = need_user(d, p->user_id, &a.u);
		if (rc == 0)
			r->count = reset_type(d, p->user_id, p->type);
	} else {
		rc = load(d, p->user_id, p->mission_id, &a);
		if (rc == 0)
			r->count = reset(d, &a.m, p->user_id);
	}
	return rc == 0 ? settle(d) : rc;
}

/* ---- progress by rule ---- */

/* What happened: an action, or the user got a part. */
struct happening {
	struct slice action; /* absent: a part */
	int64_t set_to;      /* negative: by 1 */
	bool in_post;
	int64_t channel_id, message_id;
	struct slice part;
};

/* Whether data, if it holds such a number, holds this one. */
static bool target_is(struct slice data, const char *name, int64_t want)
{
	struct mp m = mp_of(data);
	struct slice key;
	int64_t have;
	uint32_t n;

	if (data.base == NULL || !mp_map(&m, &n))
		return true;
	while (n-- > 0 && mp_str(&m, &key)) {
		if (slice_is(key, name) && mp_peek(&m) == MP_INT)
			return mp_int(&m, &have) && have == want;
		mp_skip(&m, MAP_DEPTH);
	}
	return true;
}

static bool counts_here(const struct mission *m, const struct happening *h)
{
	return !h->in_post || (target_is(m->action_data, "target_channel_id", h->channel_id) &&
			       target_is(m->action_data, "target_message_id", h->message_id));
}

static void count_action(struct decision *d, struct attempt *a, const struct happening *h)
{
	int64_t value = a->p.value, count = action_count(a->p.actions, h->action);
	int64_t new_value = value, new_count = count;

	if (a->m.action.base != NULL && slice_eq(a->m.action, h->action))
		new_value = h->set_to >= 0 ? h->set_to : counter_plus(value, 1);
	if (required_count(&a->m, h->action) > 0)
		new_count = h->set_to >= 0 ? h->set_to : counter_plus(count, 1);
	if (new_value == value && new_count == count)
		return;
	progressed(d, a, new_value,
		   new_count == count ? a->p.actions
				      : with_action_count(d->arena, &a->m, a->p.actions, h->action, new_count),
		   SLICE_NULL);
}

static void advance_one(struct decision *d, const struct user *u, struct slice mission_id, const struct happening *h)
{
	struct attempt a = { .u = *u };
	int64_t retry_at;

	if (d->failed || !find_mission(d->state, mission_id, &a.m) || !mission_open(&a.m, d->now) ||
	    !counts_here(&a.m, h))
		return;
	read_progress(d->state, &a.m, u->id, d->now, &a.p);
	if (!mission_ready(d->state, &a.m, &a.p, d->now, &retry_at) ||
	    (a.p.completed && completed_here(d, u->id, mission_id)))
		return;
	ensure_started(d, &a);
	if (h->action.base != NULL)
		count_action(d, &a, h);
	else
		progressed(d, &a, a.p.value, a.p.actions, h->part);
	complete_if_done(d, &a);
}

/* Each mission whose id follows the prefix in an index, in ascending order. */
static void advance_all(struct decision *d, int64_t user_id, enum table_id table, const struct key *prefix,
			const struct happening *h)
{
	bool loaded = false;
	struct row_walk w;
	struct user u;

	row_walk_begin(&w, d->state, table, prefix, false);
	while (row_walk_next(&w) && !d->failed) {
		struct slice rest = slice_of((const uint8_t *)w.key.base + prefix->len, w.key.len - prefix->len), id;

		if (!loaded &&
		    (!find_user(d->state, user_id, &u) || !gate_open(d->state, SETTING_access_mission, &u, d->now)))
			break;
		loaded = true;
		if (key_take_TEXT(&rest, d->arena, &id))
			advance_one(d, &u, id, h);
	}
	row_walk_end(&w);
}

static void advance_action(struct decision *d, int64_t user_id, const struct happening *h)
{
	struct key k;

	key_put_TEXT(key_begin(&k), h->action);
	advance_all(d, user_id, T_mission_by_action, &k, h);
}

void missions_advance(struct decision *d, int64_t user_id, struct slice action, int64_t set_to)
{
	advance_action(d, user_id, &(struct happening){ .action = action, .set_to = set_to });
}

void missions_advance_part(struct decision *d, int64_t user_id, enum mission_part part, struct slice id)
{
	struct happening h = { .part = make_ref_text(d->arena, mission_part_names[part], id) };
	struct key k;

	part_prefix(&k, part, id);
	advance_all(d, user_id, T_mission_by_part, &k, &h);
}

/* R5 */
void activity_advances_missions(struct decision *d, const struct event *ev)
{
	const struct user_activity_recorded *p = ev->data;

	missions_advance(d, p->user_id, p->action, -1);
}

/* R5 */
void reaction_advances_missions(struct decision *d, const struct event *ev)
{
	const struct channel_reacted *p = ev->data;

	advance_action(d, p->user_id,
		       &(struct happening){ .action = SLICE_LIT("reaction"),
					    .set_to = -1,
					    .in_post = true,
					    .channel_id = p->channel_id,
					    .message_id = p->message_id });
}

/* R5 */
void checkin_advances_missions(struct decision *d, const struct event *ev)
{
	const struct user_checked_in *p = ev->data;

	missions_advance(d, p->user_id, SLICE_LIT("checkin"), -1);
	missions_advance(d, p->user_id, SLICE_LIT("checkin_streak"), p->streak);
}

/* R6 */
void fragment_advances(struct decision *d, const struct event *ev)
{
	const struct narrative_fragment_completed *p = ev->data;

	missions_advance_part(d, p->user_id, PART_FRAGMENT, p->fragment_id);
}

/* R6 */
void lore_advances(struct decision *d, const struct event *ev)
{
	const struct narrative_lore_unlocked *p = ev->data;

	missions_advance_part(d, p->user_id, PART_LORE, p->lore_id);
}

/* R6 */
void completion_advances_missions(struct decision *d, const struct event *ev)
{
	const struct mission_completed *p = ev->data;

	missions_advance_part(d, p->user_id, PART_MISSION, p->mission_id);
}

static int badge_cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What a mission gives besides points; each kind by ascending id, as definitions are visited. */
static void give_rewards(struct decision *d, int64_t user_id, const struct mission *m)
{
	const struct slice *lore = ids_in_order(d, m->reward_lore.v, m->reward_lore.n);
	const struct slice *fragments = ids_in_order(d, m->reward_fragments.v, m->reward_fragments.n);
	uint64_t *badges = arena_take(d->arena, m->reward_badges.n * sizeof(*badges));

	for (size_t i = 0; i < m->reward_lore.n; i++)
		unlock_lore(d, user_id, lore[i], "mission");
	if (badges != NULL && m->reward_badges.n > 0) {
		memcpy(badges, m->reward_badges.v, m->reward_badges.n * sizeof(*badges));
		qsort(badges, m->reward_badges.n, sizeof(*badges), badge_cmp);
	}
	for (size_t i = 0; badges != NULL && i < m->reward_badges.n; i++)
		award_badge(d, user_id, badges[i], "mission");
	for (size_t i = 0; i < m->reward_fragments.n; i++)
		grant_fragment(d, user_id, fragments[i], m->id);
}

/* R7 */
void completion_pays(struct decision *d, const struct event *ev)
{
	const struct mission_completed *p = ev->data;
	struct mission m;

	credit_by_rule(d, &(struct credit){ .user_id = p->user_id,
					    .base = p->reward_points,
					    .source = SLICE_LIT("mission"),
					    .multiplied = true,
					    .ref = make_ref_text(d->arena, "mission", p->mission_id) });
	if (find_mission(d->state, p->mission_id, &m))
		give_rewards(d, p->user_id, &m);
}

/* ---- create, update, delete ---- */

static bool part_exists(struct state *s, enum mission_part part, struct slice id)
{
	struct fragment f;
	struct mission m;
	struct lore l;

	switch (part) {
	case PART_FRAGMENT:
		return find_fragment(s, id, &f);
	case PART_LORE:
		return find_lore(s, id, &l);
	default:
		return find_mission(s, id, &m);
	}
}

static int parts_exist(struct decision *d, enum mission_part part, struct ids ids, struct slice but)
{
	for (size_t i = 0; i < ids.n; i++)
		if (!part_exists(d->state, part, ids.v[i]) && !(part == PART_MISSION && slice_eq(ids.v[i], but)))
			return err_missing_text(d->err, mission_part_names[part], ids.v[i]);
	return 0;
}

/* Ids to look at, each once. */
struct id_queue {
	struct slice *v;
	size_t n, cap;
};

static void enqueue(struct id_queue *q, struct slice id, struct arena *arena)
{
	for (size_t i = 0; i < q->n; i++)
		if (slice_eq(q->v[i], id))
			return;
	if (q->n == q->cap) {
		size_t cap = q->cap ? 2 * q->cap : 16;
		struct slice *more = arena_take(arena, cap * sizeof(*more));

		if (more == NULL)
			return;
		if (q->n > 0)
			memcpy(more, q->v, q->n * sizeof(*more));
		q->v = more;
		q->cap = cap;
	}
	q->v[q->n++] = id;
}

/* A mission must not require itself, directly or through others. */
static int no_circle(struct decision *d, const struct mission *m)
{
	struct ids required = mission_requires(m, PART_MISSION);
	struct id_queue q = { 0 };

	for (size_t i = 0; i < required.n; i++)
		enqueue(&q, required.v[i], d->arena);
	for (size_t i = 0; i < q.n; i++) {
		struct mission next;

		if (slice_eq(q.v[i], m->id))
			return err_field(d->err, "requirements", "the mission would require itself");
		if (!find_mission(d->state, q.v[i], &next))
			continue;
		required = mission_requires(&next, PART_MISSION);
		for (size_t k = 0; k < required.n; k++)
			enqueue(&q, required.v[k], d->arena);
	}
	return 0;
}

static int actions_differ(struct decision *d, const struct requirements *r)
{
	for (size_t i = 0; i < r->actions.n; i++)
		for (size_t k = 0; k < i; k++)
			if (slice_eq(r->actions.v[i].action, r->actions.v[k].action))
				return err_field(d->err, "requirements", "action \"%.*s\" is there twice",
						 SLICE_FMT(r->actions.v[i].action));
	return 0;
}

static int check_requirements(struct decision *d, const struct mission *m)
{
	int rc = 0;

	for (int part = 0; rc == 0 && part < N_MISSION_PARTS; part++)
		rc = parts_exist(d, part, mission_requires(m, part), m->id);
	if (rc == 0)
		rc = no_circle(d, m);
	return rc == 0 ? actions_differ(d, &m->requirements) : rc;
}

static int check_rewards(struct decision *d, const struct mission *m, uint64_t given)
{
	struct badge badge;
	int rc = 0;

	if (GIVEN(given, mission, reward_lore))
		rc = parts_exist(d, PART_LORE, (struct ids){ m->reward_lore.v, m->reward_lore.n }, SLICE_NULL);
	if (GIVEN(given, mission, reward_badges))
		for (size_t i = 0; rc == 0 && i < m->reward_badges.n; i++)
			if (!find_badge(d->state, m->reward_badges.v[i], &badge))
				rc = err_missing(d->err, "badge", (int64_t)m->reward_badges.v[i]);
	if (rc == 0 && GIVEN(given, mission, reward_fragments))
		rc = parts_exist(d, PART_FRAGMENT, (struct ids){ m->reward_fragments.v, m->reward_fragments.n },
				 SLICE_NULL);
	return rc;
}

static int check_objectives(struct decision *d, const struct mission *m)
{
	size_t sum = 0;

	for (size_t i = 0; i < m->objectives.n; i++)
		sum += m->objectives.v[i].len;
	return sum <= OBJECTIVES_MAX
		       ? 0
		       : err_field(d->err, "objectives", "must be at most %d bytes packed in all", OBJECTIVES_MAX);
}

/* The end follows from the duration, or is given instead of it. `old` is NULL for a new mission. */
static int set_end(struct decision *d, const struct mission *old, uint64_t given, struct mission *m)
{
	bool days = GIVEN(given, mission, duration_days), end = GIVEN(given, mission, expires_at);

	if (days && end && m->duration_days > 0 && m->has_expires_at)
		return err_field(d->err, "duration_days", "excludes expires_at");
	if (days && m->duration_days > 0) {
		if (m->duration_days > (MS_MAX - m->created_at) / DAY_MS)
			return err_field(d->err, "duration_days", "ends beyond the year 9999");
		m->has_expires_at = true;
		m->expires_at = m->created_at + m->duration_days * DAY_MS;
	} else if (end) {
		m->duration_days = 0;
	} else if (days && old != NULL && old->duration_days > 0) {
		m->has_expires_at = false;
	}
	if (expired(m, d->now) && (m->is_active || days || end))
		return err_field(d->err, "expires_at", "must be in the future");
	return 0;
}

/* What create and update test. */
static int check_mission(struct decision *d, const struct mission *old, uint64_t given, struct mission *m)
{
	int rc = GIVEN(given, mission, requirements) ? check_requirements(d, m) : 0;

	if (rc == 0)
		rc = check_rewards(d, m, given);
	if (rc == 0)
		rc = check_objectives(d, m);
	return rc == 0 ? set_end(d, old, given, m) : rc;
}

/* <type>_<name>, folded, blanks as _, what a key may not hold left out. */
static struct slice make_id(struct decision *d, const struct mission *m)
{
	struct slice folded = text_fold_search(m->name, d->arena);
	const char *p = folded.base;
	char id[KEY_MAX];
	size_t n = m->type.len;

	memcpy(id, m->type.base, n);
	id[n++] = '_';
	for (size_t i = 0; i < folded.len && n < KEY_MAX; i++) {
		if (p[i] == ' ' || (p[i] >= '\t' && p[i] <= '\r'))
			id[n++] = '_';
		else if (key_chars(slice_of(p + i, 1)))
			id[n++] = p[i];
	}
	return arena_copy(d->arena, slice_of(id, n));
}

int create_mission(struct decision *d, const struct mission *from, struct slice *ret_id)
{
	struct mission m = *from, taken;
	uint64_t given = ~UINT64_C(0);
	int rc;

	if (m.id.base == NULL)
		m.id = make_id(d, &m);
	if (get_mission(d->state, m.id, &taken))
		return err_exists_text(d->err, "mission", m.id);
	m.created_at = m.updated_at = d->now;
	m.version = 1;
	/* a new mission has an end only if one was sent */
	if (!m.has_expires_at)
		given &= ~(UINT64_C(1) << record_field(record_mission(), SLICE_LIT("expires_at")));
	rc = check_mission(d, NULL, given, &m);
	if (rc != 0)
		return rc;
	*ret_id = m.id;
	EMIT(d, mission_created, .mission = m);
	return 0;
}

void address_mission_create(struct decision *d, const struct mission_create *p)
{
	if (p->mission.id.base != NULL)
		decision_address(d, STREAM_mission, &p->mission.id, NULL);
}

int decide_mission_create(struct decision *d, const struct mission_create *p, struct mission_item_result *r)
{
	struct slice id = SLICE_NULL;
	int rc = create_mission(d, &p->mission, &id);

	if (rc != 0)
		return rc;
	decision_address(d, STREAM_mission, &id, NULL);
	find_mission(d->state, id, &r->item);
	return 0;
}

int decide_mission_update(struct decision *d, const struct mission_update *p, struct mission_item_result *r)
{
	struct slice changes, before;
	struct mission old, new;
	int rc = need_mission(d, p->id, &old);

	if (rc != 0)
		return rc;
	new = old;
	record_merge(record_mission(), &new, &p->mission, p->given_mission);
	rc = check_mission(d, &old, p->given_mission, &new);
	if (rc != 0)
		return rc;
	if (record_diff(record_mission(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, mission_updated, .id = p->id, .changes = changes, .before = before);
	find_mission(d->state, p->id, &r->item);
	return 0;
}

int decide_mission_delete(struct decision *d, const struct mission_delete *p, struct nothing *r)
{
	struct mission old;
	int rc = need_mission(d, p->id, &old);

	(void)r;
	if (rc != 0)
		return rc;
	if (required_by_mission(d->state, PART_MISSION, p->id))
		return err_with(d->err, E_IN_USE, "reason", "required", "another mission requires \"%.*s\"",
				SLICE_FMT(p->id));
	EMIT(d, mission_deleted, .id = p->id);
	return 0;
}

/* ---- timers ---- */

/* Daily, then weekly, where both are due: the id is the type of period. Nothing is due before the first event. */
bool due_mission_period(struct state *s, int64_t now, struct due *ret)
{
	bool any = false;

	for (int t = 0; t < N_PERIOD_TYPES; t++) {
		int64_t at, marked = marked_period(s, t, now, &at);
		int64_t border = period_starts_at(s, t, marked + 1);

		if (!has_period_mark(s, slice_str(period_types[t])) || (any && border >= ret->at))
			continue;
		ret->at = border;
		ret->id = t;
		any = true;
	}
	return any;
}

void fire_mission_period(struct decision *d, const struct due *due)
{
	enum period_type t = (enum period_type)due->id;
	int64_t at, period;

	if (due->id < 0 || due->id >= N_PERIOD_TYPES)
		return;
	period = period_at(d->state, t, d->now);
	if (period > marked_period(d->state, t, d->now, &at))
		EMIT(d, mission_period_started, .type = slice_str(period_types[t]), .period = period,
		     .due_at = due->at);
}

bool due_mission_expiry(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	return due_first(s, T_mission_to_expire, 0, ret);
}

/* Two missions whose ids have one hash end together. */
void fire_mission_expiry(struct decision *d, const struct due *due)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)due->at);
	key_put_U64(&k, (uint64_t)due->id);
	row_walk_begin(&w, d->state, T_mission_to_expire, &k, false);
	while (due->at <= d->now && row_walk_next(&w)) {
		uint64_t at, hash;
		struct slice id;

		if (take_mission_to_expire(w.key, d->arena, &at, &hash, &id))
			EMIT(d, mission_expired, .id = id, .expires_at = due->at, .due_at = due->at);
	}
	row_walk_end(&w);
}
