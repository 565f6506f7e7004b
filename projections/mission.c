#include "core/rules.h"
#include "core/text.h"
#include "projections/fold.h"
#include "projections/tally.h"

/* Folds of the projection `mission`. Its queries: projections/mission_queries.c. */

static void load_totals(struct state *s, struct mission_totals *t)
{
	*t = (struct mission_totals){ 0 };
	get_mission_totals(s, 0, t);
}

/* ---- definitions ---- */

static void set_row(struct state *s, enum table_id t, const struct key *k, bool there)
{
	if (there)
		state_put(s, t, key_slice(k), SLICE_LIT(""));
	else
		state_del(s, t, key_slice(k));
}

static void index_action(struct state *s, struct slice action, struct slice id, bool there)
{
	struct key k;

	key_mission_by_action(&k, action, id);
	set_row(s, T_mission_by_action, &k, there);
}

/* What only active missions stand in. */
static void index_active(struct state *s, const struct mission *m, bool there)
{
	struct key k;

	if (m->action.base != NULL)
		index_action(s, m->action, m->id, there);
	for (size_t i = 0; i < m->requirements.actions.n; i++)
		index_action(s, m->requirements.actions.v[i].action, m->id, there);
	if (m->has_expires_at) {
		key_mission_to_expire(&k, (uint64_t)m->expires_at, (uint64_t)due_hash(m->id), m->id);
		set_row(s, T_mission_to_expire, &k, there);
	}
}

/* Puts a mission into everything that follows from its row, or takes it out. */
static void index_mission(struct state *s, const struct mission *m, bool there)
{
	struct mission_totals t;
	struct key k;

	for (int group = 0; group <= 1; group++) {
		key_mission_by_place(&k, group == 0 ? m->is_active : 2, m->position, (uint64_t)m->created_at, m->id);
		set_row(s, T_mission_by_place, &k, there);
	}
	for (int part = 0; part < N_MISSION_PARTS; part++) {
		struct ids ids = mission_requires(m, part);

		for (size_t i = 0; i < ids.n; i++) {
			key_mission_by_part(&k, slice_str(mission_part_names[part]), ids.v[i], m->id);
			set_row(s, T_mission_by_part, &k, there);
		}
	}
	if (m->is_active)
		index_active(s, m, there);
	key_mission_type(&k, m->type);
	tally_add(s, T_mission_type, &k, there ? 1 : -1);
	load_totals(s, &t);
	t.missions += there ? 1 : -1;
	t.active += !m->is_active ? 0 : there ? 1 : -1;
	put_mission_totals(s, 0, &t);
}

static void move_mission_words(struct state *s, struct slice id, const struct mission *old, const struct mission *new)
{
	struct slice before[2], after[2];
	struct key k;

	if (old != NULL)
		memcpy(before, (struct slice[]){ old->name, old->description }, sizeof(before));
	if (new != NULL)
		memcpy(after, (struct slice[]){ new->name, new->description }, sizeof(after));
	key_put_TEXT(key_begin(&k), id);
	move_words(s, T_mission_word, &k, before, old ? 2 : 0, after, new ? 2 : 0);
}

static void on_created(struct state *s, const struct event *ev)
{
	const struct mission_created *p = ev->data;
	struct mission m = p->mission;

	m.version = ev->version;
	m.deleted = false;
	put_mission(s, m.id, &m);
	index_mission(s, &m, true);
	move_mission_words(s, m.id, NULL, &m);
}

static void change_mission(struct state *s, const struct event *ev, const struct mission *old, struct mission *new)
{
	new->version = ev->version;
	new->updated_at = ev->at;
	index_mission(s, old, false);
	index_mission(s, new, true);
	move_mission_words(s, new->id, old, new);
	put_mission(s, new->id, new);
}

static void on_updated(struct state *s, const struct event *ev)
{
	const struct mission_updated *p = ev->data;
	struct mission old, new;

	if (!find_mission(s, p->id, &old))
		return;
	new = old;
	record_apply(record_mission(), p->changes, &new, s->arena);
	change_mission(s, ev, &old, &new);
}

static void on_expired(struct state *s, const struct event *ev)
{
	const struct mission_expired *p = ev->data;
	struct mission old, new;

	if (!find_mission(s, p->id, &old))
		return;
	new = old;
	new.is_active = false;
	change_mission(s, ev, &old, &new);
}

static void on_period_started(struct state *s, const struct event *ev)
{
	const struct mission_period_started *p = ev->data;
	struct period_mark mark = { .has_period = true, .period = p->period, .at = ev->at };

	put_period_mark(s, p->type, &mark);
}

/* Periods count from the log's first event. */
static void on_any(struct state *s, const struct event *ev)
{
	struct period_mark mark = { .at = ev->at };

	if (ev->seq != 1)
		return;
	put_period_mark(s, SLICE_LIT("daily"), &mark);
	put_period_mark(s, SLICE_LIT("weekly"), &mark);
}

/* ---- progress and what is counted of it ---- */

static void add_sums(struct mission_sums *to, const struct mission_sums *by)
{
	to->rows += by->rows;
	to->done += by->done;
	to->ever += by->ever;
	to->value += by->value;
	to->completions += by->completions;
	to->final_value += by->final_value;
	to->points += by->points;
}

/* Of the mission, of the user in missions of its type, and of all. */
static void count(struct state *s, int64_t user_id, const struct mission *m, const struct mission_sums *by)
{
	struct mission_sums of_mission = { 0 }, of_user = { 0 };
	struct mission_totals t;

	if (!m->deleted) {
		get_mission_sums(s, m->id, &of_mission);
		add_sums(&of_mission, by);
		put_mission_sums(s, m->id, &of_mission);
	}
	get_mission_sums_of_user(s, (uint64_t)user_id, m->type, &of_user);
	add_sums(&of_user, by);
	put_mission_sums_of_user(s, (uint64_t)user_id, m->type, &of_user);
	load_totals(s, &t);
	add_sums(&t.sums, by);
	put_mission_totals(s, 0, &t);
}

static bool has_any_progress(struct state *s, int64_t user_id)
{
	struct row_walk w;
	struct key k;
	bool any;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, s, T_progress_by_user, &k, false);
	any = row_walk_next(&w);
	row_walk_end(&w);
	return any;
}

static void count_users(struct state *s, int64_t by)
{
	struct mission_totals t;

	load_totals(s, &t);
	t.users += by;
	put_mission_totals(s, 0, &t);
}

static uint64_t done_at(const struct progress *p)
{
	return p->completed ? (uint64_t)p->completed_at : 0;
}

static void index_progress(struct state *s, const struct progress *p, bool there)
{
	uint64_t user_id = (uint64_t)p->user_id;
	struct key k;

	key_progress_by_user(&k, user_id, done_at(p), p->mission_id);
	set_row(s, T_progress_by_user, &k, there);
	key_progress_by_mission(&k, p->mission_id, user_id);
	set_row(s, T_progress_by_mission, &k, there);
	if (!p->has_completed_at)
		return;
	key_progress_by_completion(&k, (uint64_t)p->completed_at, user_id, p->mission_id);
	set_row(s, T_progress_by_completion, &k, there);
}

/* NULL: there was, or will be, no row. Most advances move no index. */
static void move_progress(struct state *s, const struct progress *old, const struct progress *new)
{
	if (old != NULL && new != NULL && done_at(old) == done_at(new) && old->completed_at == new->completed_at)
		return;
	if (old != NULL)
		index_progress(s, old, false);
	if (new != NULL)
		index_progress(s, new, true);
}

static struct mission_sums sums_of(const struct progress *p)
{
	if (p == NULL)
		return (struct mission_sums){ 0 };
	return (struct mission_sums){
		.rows = 1, .done = p->completed, .ever = p->times_completed > 0, .value = p->value
	};
}

/* more: what the event adds besides, NULL: nothing. */
static void change_progress(struct state *s, const struct mission *m, const struct progress *old,
			    const struct progress *new, const struct mission_sums *more)
{
	const struct progress *any = old != NULL ? old : new;
	int64_t user_id = any != NULL ? any->user_id : 0;
	struct mission_sums before = sums_of(old), by = sums_of(new);
	struct key k;

	by.rows -= before.rows;
	by.done -= before.done;
	by.ever -= before.ever;
	by.value -= before.value;
	if (more != NULL)
		add_sums(&by, more);
	if (old == NULL && !has_any_progress(s, user_id))
		count_users(s, 1);
	move_progress(s, old, new);
	if (new == NULL && !has_any_progress(s, user_id))
		count_users(s, -1);
	key_put_TEXT(key_begin(&k), m->id);
	tally_move(s, T_mission_value, &k, old != NULL ? old->value : -1, new != NULL ? new->value : -1);
	count(s, user_id, m, &by);
}

/* A row in work: as it was (if it was) and as it will be. */
struct change {
	struct mission m;
	struct progress old, new;
	bool known;
};

static bool begin(struct state *s, const struct event *ev, int64_t user_id, struct slice mission_id, int64_t period,
		  struct change *c)
{
	bool stored = get_progress(s, (uint64_t)user_id, mission_id, &c->old);

	c->known = stored && !c->old.deleted;
	if (c->known)
		c->new = c->old;
	else
		c->new = (struct progress){
			.user_id = user_id, .mission_id = mission_id, .actions = SLICE_LIT("\x80"), .started_at = ev->at
		};
	c->new.version = ev->version;
	c->new.updated_at = ev->at;
	c->new.period = period;
	if (find_mission(s, mission_id, &c->m))
		return true;
	/* nothing counts of a mission that is not there, but the stream does */
	c->new.deleted = true;
	put_progress(s, (uint64_t)user_id, mission_id, &c->new);
	return false;
}

static void end(struct state *s, const struct change *c, const struct mission_sums *more)
{
	change_progress(s, &c->m, c->known ? &c->old : NULL, &c->new, more);
	put_progress(s, (uint64_t)c->new.user_id, c->new.mission_id, &c->new);
}

static void set_empty(struct progress *p)
{
	p->value = 0;
	p->actions = SLICE_LIT("\x80");
	p->completed = false;
}

static void count_day(struct state *s, int64_t at, int64_t started, int64_t completed)
{
	uint64_t today = (uint64_t)utc_day(at);
	struct mission_day day = { 0 };

	get_mission_day(s, today, &day);
	day.started += started;
	day.completed += completed;
	put_mission_day(s, today, &day);
}

static void on_started(struct state *s, const struct event *ev)
{
	const struct mission_started *p = ev->data;
	struct change c;

	if (!begin(s, ev, p->user_id, p->mission_id, p->period, &c))
		return;
	if (c.known && c.old.period != p->period) {
		c.new.has_last_reset_at = true;
		c.new.last_reset_at = ev->at;
	}
	set_empty(&c.new);
	c.new.started = true;
	c.new.started_at = ev->at;
	end(s, &c, NULL);
	count_day(s, ev->at, 1, 0);
}

static void on_progressed(struct state *s, const struct event *ev)
{
	const struct mission_progressed *p = ev->data;
	struct change c;

	if (!begin(s, ev, p->user_id, p->mission_id, p->period, &c))
		return;
	c.new.value = p->value;
	c.new.actions = p->actions;
	end(s, &c, NULL);
}

static void on_completed(struct state *s, const struct event *ev)
{
	const struct mission_completed *p = ev->data;
	struct mission_sums more = { .completions = 1 };
	struct change c;

	if (!begin(s, ev, p->user_id, p->mission_id, p->period, &c))
		return;
	more.final_value = c.new.value;
	c.new.completed = true;
	c.new.has_completed_at = true;
	c.new.completed_at = ev->at;
	c.new.times_completed = p->times_completed;
	end(s, &c, &more);
	count_day(s, ev->at, 0, 1);
}

static void on_progress_reset(struct state *s, const struct event *ev)
{
	const struct mission_progress_reset *p = ev->data;
	struct change c;

	if (!begin(s, ev, p->user_id, p->mission_id, p->period, &c))
		return;
	set_empty(&c.new);
	c.new.started = false;
	c.new.has_last_reset_at = true;
	c.new.last_reset_at = ev->at;
	end(s, &c, NULL);
}

/* Rewards are found by what a credit says it is for. */
static void on_credited(struct state *s, const struct event *ev)
{
	const struct point_credited *p = ev->data;
	struct slice id;
	struct mission m;

	if (ref_is(p->ref, "mission", &id) && id.len <= KEY_MAX && find_mission(s, id, &m))
		count(s, p->user_id, &m, &(struct mission_sums){ .points = p->amount });
}

/* ---- the end ---- */

/* The row leaves the views; its stream's version stays. */
static void drop_progress(struct state *s, const struct mission *m, const struct progress *old)
{
	struct progress gone = { .version = old->version,
				 .user_id = old->user_id,
				 .mission_id = old->mission_id,
				 .actions = SLICE_LIT("\x80"),
				 .deleted = true };

	change_progress(s, m, old, NULL, NULL);
	put_progress(s, (uint64_t)old->user_id, old->mission_id, &gone);
}

static void on_deleted(struct state *s, const struct event *ev)
{
	const struct mission_deleted *p = ev->data;
	struct progress row;
	struct row_walk w;
	struct mission m;
	struct key k;

	if (!find_mission(s, p->id, &m))
		return;
	index_mission(s, &m, false);
	move_mission_words(s, m.id, &m, NULL);
	m.version = ev->version;
	m.deleted = true;
	put_mission(s, m.id, &m);
	key_put_TEXT(key_begin(&k), m.id);
	row_walk_begin(&w, s, T_progress_by_mission, &k, false);
	while (row_walk_next(&w)) {
		struct slice id;
		uint64_t user_id;

		if (take_progress_by_mission(w.key, s->arena, &id, &user_id) && get_progress(s, user_id, id, &row))
			drop_progress(s, &m, &row);
	}
	row_walk_end(&w);
	del_mission_sums(s, m.id);
}

static void on_user_deleted(struct state *s, const struct event *ev)
{
	const struct user_deleted *p = ev->data;
	struct progress row;
	struct row_walk w;
	struct mission m;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)p->id);
	row_walk_begin(&w, s, T_progress_by_user, &k, false);
	while (row_walk_next(&w)) {
		uint64_t user_id, at;
		struct slice id;

		if (take_progress_by_user(w.key, s->arena, &user_id, &at, &id) && get_progress(s, user_id, id, &row) &&
		    get_mission(s, id, &m))
			drop_progress(s, &m, &row);
	}
	row_walk_end(&w);
	row_walk_begin(&w, s, T_mission_sums_of_user, &k, false);
	while (row_walk_next(&w))
		state_del(s, T_mission_sums_of_user, w.key);
	row_walk_end(&w);
}

static const struct fold folds[] = {
	{ EV_mission_created, on_created },
	{ EV_mission_updated, on_updated },
	{ EV_mission_deleted, on_deleted },
	{ EV_mission_expired, on_expired },
	{ EV_mission_period_started, on_period_started },
	{ EV_mission_started, on_started },
	{ EV_mission_progressed, on_progressed },
	{ EV_mission_completed, on_completed },
	{ EV_mission_progress_reset, on_progress_reset },
	{ EV_point_credited, on_credited },
	{ EV_user_deleted, on_user_deleted },
};
const struct fold_table mission_folds = { folds, sizeof(folds) / sizeof(folds[0]), on_any };
