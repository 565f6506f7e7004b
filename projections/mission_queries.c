#include "projections/mission_queries.h"

#include "core/rules.h"
#include "projections/tally.h"

/* Queries of the projection `mission`. */

/* ---- one mission, with its relation to a user ---- */

struct relation {
	bool known; /* there is a row */
	struct progress p;
	bool available;
	int64_t retry_at; /* 0: none */
};

static bool in_work(const struct progress *p)
{
	return p->started && !p->completed;
}

static void load_relation(struct query *q, const struct mission *m, int64_t user_id, struct relation *r)
{
	struct user u;
	bool ready;

	r->known = read_progress(q->state, m, user_id, q->now, &r->p);
	ready = mission_ready(q->state, m, &r->p, q->now, &r->retry_at);
	r->available = ready && !in_work(&r->p) && mission_open(m, q->now) && find_user(q->state, user_id, &u) &&
		       gate_open(q->state, SETTING_access_mission, &u, q->now);
}

/* Every field of a record as nil. */
static void map_nils(struct map_writer *w, const struct record *r)
{
	for (unsigned i = 0; i < r->n_fields; i++)
		if ((r->fields[i].flags & FIELD_HIDDEN) == 0)
			map_nil(w, r->fields[i].name);
}

static void put_relation(struct query *q, struct map_writer *w, const struct mission *m, struct relation *r)
{
	struct map_writer user;

	map_key(w, "user");
	map_open(&user, q->out);
	if (r->known) {
		derive_progress(q->state, m, q->now, &r->p);
		map_fields(&user, record_progress(), &r->p);
	} else {
		map_nils(&user, record_progress());
	}
	map_bool(&user, "available", r->available);
	map_opt_int(&user, "retry_at", r->retry_at != 0, r->retry_at);
	map_close(&user);
}

/* r NULL: without a user. */
static void put_mission_item(struct query *q, const struct mission *m, struct relation *r)
{
	struct map_writer w;

	map_open(&w, q->out);
	map_fields(&w, record_mission(), m);
	if (r != NULL)
		put_relation(q, &w, m, r);
	map_close(&w);
}

static bool put_mission_for(struct query *q, struct slice id, bool has_user, int64_t user_id)
{
	struct relation r = { 0 };
	struct mission m;

	if (!find_mission(q->state, id, &m))
		return false;
	if (has_user)
		load_relation(q, &m, user_id, &r);
	put_mission_item(q, &m, has_user ? &r : NULL);
	return true;
}

int query_mission_get(struct query *q, const struct mission_get *p)
{
	if (!put_mission_for(q, p->id, p->has_user_id, p->user_id))
		return err_missing_text(q->err, "mission", p->id);
	q->returned = 1;
	return 0;
}

static bool put_one_of_many(struct query *q, const void *arg, const void *id)
{
	const struct mission_get_many *p = arg;

	return put_mission_for(q, *(const struct slice *)id, p->has_user_id, p->user_id);
}

int query_mission_get_many(struct query *q, const struct mission_get_many *p)
{
	return put_many(q, KIND_KEY, p->ids.v, p->ids.n, put_one_of_many, p);
}

int query_progress_get(struct query *q, const struct progress_get *p)
{
	struct progress row;
	struct mission m;

	if (!find_mission(q->state, p->mission_id, &m) || !read_progress(q->state, &m, p->user_id, q->now, &row))
		return err_missing_text(q->err, "progress", p->mission_id);
	derive_progress(q->state, &m, q->now, &row);
	record_put_wire(q->out, record_progress(), &row);
	q->returned = 1;
	return 0;
}

int64_t missions_in_work(struct query *q, int64_t user_id)
{
	int64_t n = 0;
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	key_put_U64(&k, 0);
	row_walk_begin(&w, q->state, T_progress_by_user, &k, false);
	while (row_walk_next(&w)) {
		uint64_t owner, at;
		struct slice id;
		struct mission m;
		struct progress p;

		n += take_progress_by_user(w.key, q->arena, &owner, &at, &id) && find_mission(q->state, id, &m) &&
		     mission_open(&m, q->now) && read_progress(q->state, &m, user_id, q->now, &p) && in_work(&p);
	}
	row_walk_end(&w);
	return n;
}

/* ---- lists of missions ---- */

enum user_state { STATE_NONE, STATE_AVAILABLE, STATE_PENDING, STATE_OPEN, STATE_COMPLETED };

struct mission_walk {
	const struct mission_list *p;
	struct time_range created;
	enum flag_filter is_active;
	enum user_state state;
	struct search search; /* of the query */
	enum table_id table;
};

static bool state_matches(enum user_state state, const struct relation *r, bool open)
{
	switch (state) {
	case STATE_NONE:
		return true;
	case STATE_AVAILABLE:
		return r->available;
	case STATE_PENDING:
		return in_work(&r->p);
	case STATE_OPEN:
		return r->available || (in_work(&r->p) && open);
	case STATE_COMPLETED:
		return r->p.completed;
	}
	return false;
}

static bool mission_matches(struct query *q, const struct mission_walk *w, const struct mission *m)
{
	const struct mission_list *p = w->p;

	return flag_passes(w->is_active, m->is_active) &&
	       (p->include_expired || !m->has_expires_at || m->expires_at > q->now) &&
	       (p->type.base == NULL || slice_eq(p->type, m->type)) &&
	       (p->action.base == NULL || (m->action.base != NULL && slice_eq(p->action, m->action))) &&
	       in_time(&w->created, m->created_at);
}

/* word: absent, unless words drive. */
static bool take_mission_id(struct query *q, const struct mission_walk *w, struct slice key, struct slice *word,
			    struct slice *id)
{
	uint64_t first, at;
	int64_t position;

	*word = SLICE_NULL;
	switch (w->table) {
	case T_mission_word:
		return take_mission_word(key, q->arena, word, id);
	case T_progress_by_user:
		return take_progress_by_user(key, q->arena, &first, &at, id);
	default:
		return take_mission_by_place(key, q->arena, &first, &position, &at, id);
	}
}

static int visit_mission(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct mission_walk *w = arg;
	struct relation r = { 0 };
	struct slice word, id;
	struct mission m;

	(void)value;
	if (!take_mission_id(q, w, key, &word, &id) || !find_mission(q->state, id, &m) || !mission_matches(q, w, &m) ||
	    (word.base != NULL && !search_hit(q, &w->search, word, (struct slice[]){ m.name, m.description }, 2)))
		return VISIT_SKIPPED;
	if (w->p->has_user_id)
		load_relation(q, &m, w->p->user_id, &r);
	if (w->state != STATE_NONE && !state_matches(w->state, &r, mission_open(&m, q->now)))
		return VISIT_SKIPPED;
	put_mission_item(q, &m, w->p->has_user_id ? &r : NULL);
	return VISIT_TAKEN;
}

static enum user_state read_state(struct slice text)
{
	static const char *const names[] = { "", "available", "pending", "open", "completed" };

	for (unsigned i = STATE_AVAILABLE; i <= STATE_COMPLETED; i++)
		if (slice_is(text, names[i]))
			return (enum user_state)i;
	return STATE_NONE;
}

/* What a user has in work, or has completed, stands in an index of its own. */
static void choose_missions(const struct mission_list *p, const struct mission_walk *w, struct range *r)
{
	bool desc = p->order.base != NULL ? slice_is(p->order, "desc") : w->state == STATE_COMPLETED;
	struct key k;

	key_begin(&k);
	if (w->state == STATE_PENDING || w->state == STATE_COMPLETED) {
		bool done = w->state == STATE_COMPLETED;

		key_put_U64(&k, (uint64_t)p->user_id);
		range_numbers(r, T_progress_by_user, &k, done, done ? 0 : 1, desc);
	} else {
		key_put_U64(&k, (uint64_t)w->is_active);
		range_prefix(r, T_mission_by_place, &k, desc);
	}
}

int query_mission_list(struct query *q, const struct mission_list *p)
{
	struct mission_walk w = { .p = p, .state = read_state(p->state) };
	struct range r;
	int rc = time_range(q, p->has_from_at, p->from_at, p->has_to_at, p->to_at, p->has_days, p->days, &w.created);

	if (rc == 0)
		rc = flag_filter(q, "is_active", p->is_active, &w.is_active);
	if (rc == 0 && w.state != STATE_NONE && !p->has_user_id)
		return err_field(q->err, "state", "needs user_id");
	if (rc == 0 && p->query.base != NULL && p->order.base != NULL)
		return err_field(q->err, "query", "excludes order");
	if (rc == 0 && p->query.base != NULL)
		rc = search_begin(q, "query", p->query, T_mission_word, &w.search, &r);
	if (rc != 0)
		return rc;
	if (p->query.base == NULL)
		choose_missions(p, &w, &r);
	w.table = r.table;
	return list_range(q, record_mission_list(), p, &r, visit_mission, &w);
}

/* ---- lists of progress ---- */

struct progress_walk {
	const struct progress_list *p;
	struct time_range completed_at;
	bool has_time;
	enum table_id table;
};

static bool take_row(struct query *q, const struct progress_walk *w, struct slice key, uint64_t *user_id,
		     struct slice *mission_id)
{
	uint64_t at;

	switch (w->table) {
	case T_progress_by_mission:
		return take_progress_by_mission(key, q->arena, mission_id, user_id);
	case T_progress_by_completion:
		return take_progress_by_completion(key, q->arena, &at, user_id, mission_id);
	default:
		return take_progress_by_user(key, q->arena, user_id, &at, mission_id);
	}
}

static int visit_progress(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct progress_walk *w = arg;
	const struct progress_list *p = w->p;
	struct slice mission_id;
	struct progress row;
	struct mission m;
	uint64_t user_id;

	(void)value;
	if (!take_row(q, w, key, &user_id, &mission_id) || (p->has_user_id && (int64_t)user_id != p->user_id) ||
	    (p->mission_id.base != NULL && !slice_eq(p->mission_id, mission_id)) ||
	    !find_mission(q->state, mission_id, &m) || !read_progress(q->state, &m, (int64_t)user_id, q->now, &row))
		return VISIT_SKIPPED;
	if (w->has_time && !(row.has_completed_at && in_time(&w->completed_at, row.completed_at)))
		return VISIT_SKIPPED;
	/* a completion in that time counts, whatever the period */
	if (p->has_completed && p->completed != row.completed && !(w->has_time && p->completed))
		return VISIT_SKIPPED;
	derive_progress(q->state, &m, q->now, &row);
	record_put_wire(q->out, record_progress(), &row);
	return VISIT_TAKEN;
}

static void choose_progress(struct progress_walk *w, struct range *r)
{
	const struct progress_list *p = w->p;
	bool desc = p->order.base != NULL ? slice_is(p->order, "desc") : p->mission_id.base == NULL;
	struct key k;

	key_begin(&k);
	if (p->mission_id.base != NULL) {
		w->table = T_progress_by_mission;
		key_put_TEXT(&k, p->mission_id);
		range_numbers(r, w->table, &k, p->has_user_id ? (uint64_t)p->user_id : 0,
			      p->has_user_id ? (uint64_t)p->user_id + 1 : 0, desc);
	} else if (!p->has_user_id && (w->has_time || (p->has_completed && p->completed))) {
		w->table = T_progress_by_completion;
		range_times(r, w->table, &k, &w->completed_at, desc);
	} else {
		w->table = T_progress_by_user;
		if (p->has_user_id)
			key_put_U64(&k, (uint64_t)p->user_id);
		range_prefix(r, w->table, &k, desc);
	}
}

int query_progress_list(struct query *q, const struct progress_list *p)
{
	struct progress_walk w = { .p = p, .has_time = p->has_from_at || p->has_to_at || p->has_days };
	struct range r;
	int rc = time_range(q, p->has_from_at, p->from_at, p->has_to_at, p->to_at, p->has_days, p->days,
			    &w.completed_at);

	if (rc != 0)
		return rc;
	choose_progress(&w, &r);
	return list_range(q, record_progress_list(), p, &r, visit_progress, &w);
}

/* ---- statistics ---- */

static int stats_of_mission(struct query *q, struct slice id)
{
	struct mission_sums sums = { 0 };
	struct map_writer w;
	struct mission m;
	struct key k;

	if (!find_mission(q->state, id, &m))
		return err_missing_text(q->err, "mission", id);
	get_mission_sums(q->state, id, &sums);
	key_put_TEXT(key_begin(&k), id);
	map_open(&w, q->out);
	map_text(&w, "mission_id", id);
	map_text(&w, "name", m.name);
	map_int(&w, "target_value", m.target_value);
	map_int(&w, "attempts", sums.rows);
	map_int(&w, "completed", sums.ever);
	map_int(&w, "completions", sums.completions);
	map_float(&w, "completion_rate", percent(sums.ever, sums.rows));
	map_float(&w, "average_progress", mean(sums.value, sums.rows));
	map_int(&w, "max_progress", tally_end(q->state, T_mission_value, &k, true));
	map_int(&w, "min_progress", tally_end(q->state, T_mission_value, &k, false));
	map_float(&w, "average_completion_progress", mean(sums.final_value, sums.completions));
	map_points(&w, "points_distributed", sums.points);
	map_close(&w);
	return 0;
}

static void add_sums(struct mission_sums *to, const struct mission_sums *by)
{
	to->rows += by->rows;
	to->done += by->done;
	to->value += by->value;
	to->points += by->points;
}

/* by_type, summing up. */
static void put_types_of_user(struct query *q, struct map_writer *w, int64_t user_id, struct mission_sums *sum)
{
	struct map_writer types, one;
	struct row_walk rows;
	struct key k;

	map_key(w, "by_type");
	map_open(&types, q->out);
	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&rows, q->state, T_mission_sums_of_user, &k, false);
	while (row_walk_next(&rows)) {
		struct mp m = mp_of(rows.value);
		struct mission_sums sums;
		struct slice type;
		uint64_t owner;

		if (!take_mission_sums_of_user(rows.key, q->arena, &owner, &type) ||
		    !record_get(&m, record_mission_sums(), &sums, q->arena))
			continue;
		add_sums(sum, &sums);
		mp_put_text(q->out, type);
		types.n++;
		map_open(&one, q->out);
		map_int(&one, "total", sums.rows);
		map_int(&one, "completed", sums.done);
		map_close(&one);
	}
	row_walk_end(&rows);
	map_close(&types);
}

static int stats_of_user(struct query *q, int64_t user_id)
{
	struct mission_sums sum = { 0 };
	struct map_writer w;
	struct user u;

	if (!find_user(q->state, user_id, &u))
		return err_missing(q->err, "user", user_id);
	map_open(&w, q->out);
	map_int(&w, "user_id", user_id);
	put_types_of_user(q, &w, user_id, &sum);
	map_int(&w, "total", sum.rows);
	map_int(&w, "completed", sum.done);
	map_int(&w, "pending", sum.rows - sum.done);
	map_float(&w, "completion_rate", percent(sum.done, sum.rows));
	map_float(&w, "average_progress", mean(sum.value, sum.rows));
	map_points(&w, "points_earned", sum.points);
	map_close(&w);
	return 0;
}

/* Missions whose end has come, before the timer has closed them. */
static int64_t overdue(struct query *q)
{
	struct row_walk w;
	struct key all;
	uint64_t at, hash;
	struct slice id;
	int64_t n = 0;

	row_walk_begin(&w, q->state, T_mission_to_expire, key_begin(&all), false);
	while (row_walk_next(&w) && take_mission_to_expire(w.key, q->arena, &at, &hash, &id) && at <= (uint64_t)q->now)
		n++;
	row_walk_end(&w);
	return n;
}

static void stats_window(struct query *q, struct map_writer *w, int64_t days)
{
	struct mission_day sum = { 0 };
	int64_t first, last;

	day_window(q, days, &first, &last);
	for (int64_t day = first; day <= last; day++) {
		struct mission_day d = { 0 };

		get_mission_day(q->state, (uint64_t)day, &d);
		sum.started += d.started;
		sum.completed += d.completed;
	}
	map_int(w, "started", sum.started);
	map_int(w, "completed", sum.completed);
	q->examined += (uint64_t)(last - first + 1);
}

static void stats_of_all(struct query *q, const struct mission_stats *p)
{
	struct mission_totals t = { 0 };
	struct map_writer w;
	struct key all;

	get_mission_totals(q->state, 0, &t);
	map_open(&w, q->out);
	map_int(&w, "missions", t.missions);
	map_int(&w, "active", t.active - overdue(q));
	map_tally(q, &w, "by_type", T_mission_type, key_begin(&all));
	map_int(&w, "users_with_missions", t.users);
	map_int(&w, "attempts", t.sums.rows);
	map_int(&w, "completions", t.sums.completions);
	map_float(&w, "completion_rate", percent(t.sums.ever, t.sums.rows));
	map_float(&w, "average_progress", mean(t.sums.value, t.sums.rows));
	map_points(&w, "points_distributed", t.sums.points);
	if (p->has_days)
		stats_window(q, &w, p->days);
	map_close(&w);
}

int query_mission_stats(struct query *q, const struct mission_stats *p)
{
	bool of_mission = p->mission_id.base != NULL;

	q->returned = 1;
	if (of_mission && p->has_user_id)
		return err_field(q->err, "user_id", "excludes mission_id");
	if (p->has_days && (of_mission || p->has_user_id))
		return err_field(q->err, "days", "is for all missions only");
	if (of_mission)
		return stats_of_mission(q, p->mission_id);
	if (p->has_user_id)
		return stats_of_user(q, p->user_id);
	stats_of_all(q, p);
	return 0;
}
