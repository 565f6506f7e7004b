#include "core/rules.h"
#include "projections/query.h"
#include "projections/tally.h"

/* Queries of the projection `narrative`. */

/* ---- fragments ---- */

/* A user who is asked about; unknown ones have no relation to anything. */
struct asker {
	bool is_set;
	int64_t id;
	int64_t balance;
	struct story story;
};

static struct asker asker(struct query *q, bool has_user_id, int64_t user_id)
{
	struct asker a = { .is_set = has_user_id, .id = user_id };
	struct balance b;

	if (!has_user_id)
		return a;
	if (find_balance(q->state, user_id, &b))
		a.balance = b.balance;
	find_story(q->state, user_id, &a.story);
	return a;
}

static bool is_open(struct query *q, const struct asker *a, const struct fragment *f, struct missing *ret)
{
	return fragment_access(q->state, q->now, a->id, a->balance, f, ret) && f->is_active;
}

static void put_fragment_user(struct query *q, struct map_writer *w, const struct asker *a, const struct fragment *f)
{
	struct map_writer user, access;
	struct visit v = { 0 };
	struct missing m;

	get_visit(q->state, (uint64_t)a->id, f->id, &v);
	map_key(w, "user");
	map_open(&user, q->out);
	map_opt_int(&user, "visited_at", v.visited_seq != 0, v.visited_at);
	map_opt_int(&user, "completed_at", v.has_completed_at, v.completed_at);
	map_bool(&user, "current",
		 a->story.current_fragment_id.base != NULL && slice_eq(a->story.current_fragment_id, f->id));
	map_key(&user, "access");
	map_open(&access, q->out);
	map_bool(&access, "allowed", is_open(q, a, f, &m));
	missing_put(map_key(&access, "missing"), &m, SIZE_MAX);
	map_close(&access);
	map_close(&user);
}

static void put_fragment_item(struct query *q, const struct fragment *f, const struct asker *a)
{
	struct fragment_item item;
	struct map_writer w;

	fragment_show(q->state, f, &item);
	map_open(&w, q->out);
	map_fields(&w, record_fragment_item(), &item);
	if (a->is_set)
		put_fragment_user(q, &w, a, f);
	map_close(&w);
}

int query_fragment_get(struct query *q, const struct fragment_get *p)
{
	struct asker a = asker(q, p->has_user_id, p->user_id);
	struct fragment f;

	if (!find_fragment(q->state, p->id, &f))
		return err_missing_text(q->err, "fragment", p->id);
	put_fragment_item(q, &f, &a);
	q->returned = 1;
	return 0;
}

static bool put_fragment_of(struct query *q, const void *arg, const void *id)
{
	struct fragment f;

	if (!find_fragment(q->state, *(const struct slice *)id, &f))
		return false;
	put_fragment_item(q, &f, arg);
	return true;
}

int query_fragment_get_many(struct query *q, const struct fragment_get_many *p)
{
	struct asker a = asker(q, p->has_user_id, p->user_id);

	return put_many(q, KIND_KEY, p->ids.v, p->ids.n, put_fragment_of, &a);
}

/* The id at the end of a key, behind a word or this many numbers. */
static bool id_in_key(struct query *q, struct slice key, unsigned numbers, bool by_word, struct slice *ret_word,
		      struct slice *ret)
{
	uint64_t n;

	if (by_word)
		return key_take_TEXT(&key, q->arena, ret_word) && key_take_TEXT(&key, q->arena, ret);
	while (numbers-- > 0)
		if (!key_take_U64(&key, &n))
			return false;
	return key_take_TEXT(&key, q->arena, ret);
}

struct fragment_walk {
	const struct fragment_list *p;
	enum flag_filter is_active;
	struct asker asker;
	unsigned numbers; /* before the id in the keys of the index */
	struct search search;
};

static bool in_state(struct query *q, const struct fragment_walk *w, const struct fragment *f)
{
	struct visit v = { 0 };
	struct missing m;

	if (w->p->state.base == NULL)
		return true;
	get_visit(q->state, (uint64_t)w->asker.id, f->id, &v);
	if (slice_is(w->p->state, "visited"))
		return v.visited_seq != 0;
	if (slice_is(w->p->state, "completed"))
		return v.has_completed_at;
	return !v.has_completed_at && is_open(q, &w->asker, f, &m);
}

static bool equals(struct slice filter, struct slice value)
{
	return filter.base == NULL || (value.base != NULL && slice_eq(filter, value));
}

static int visit_fragment(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct fragment_walk *w = arg;
	bool searching = w->search.words.n > 0;
	struct slice id, word = SLICE_NULL;
	struct fragment f;

	(void)value;
	if (!id_in_key(q, key, w->numbers, searching, &word, &id) || !find_fragment(q->state, id, &f) ||
	    !flag_passes(w->is_active, f.is_active) || !equals(w->p->type, f.type) ||
	    !equals(w->p->required_role, f.required_role) || (w->p->has_level && w->p->level != f.level) ||
	    !in_state(q, w, &f) ||
	    (searching && !search_hit(q, &w->search, word, (struct slice[]){ f.title, f.content }, 2)))
		return VISIT_SKIPPED;
	put_fragment_item(q, &f, &w->asker);
	return VISIT_TAKEN;
}

static bool descending(struct slice order, bool dflt)
{
	return order.base != NULL ? slice_is(order, "desc") : dflt;
}

static void fragment_range(struct fragment_walk *w, struct range *ret)
{
	const struct fragment_list *p = w->p;
	bool of_user = slice_is(p->state, "visited") || slice_is(p->state, "completed");
	enum table_id by_state = slice_is(p->state, "visited") ? T_visit_by_user : T_completed_by_user,
		      by_sort = slice_is(p->sort, "updated_at")    ? T_fragment_by_updated
				: slice_is(p->sort, "visits")      ? T_fragment_by_visits
				: slice_is(p->sort, "completions") ? T_fragment_by_completions
								   : T_fragment_by_created;
	struct key k;

	key_begin(&k);
	w->numbers = 1;
	if (p->sort.base == NULL && of_user) {
		w->numbers = 2;
		key_put_U64(&k, (uint64_t)w->asker.id);
		range_prefix(ret, by_state, &k, descending(p->order, false));
	} else {
		range_prefix(ret, by_sort, &k, descending(p->order, by_sort != T_fragment_by_created));
	}
}

int query_fragment_list(struct query *q, const struct fragment_list *p)
{
	struct fragment_walk w = { .p = p, .asker = asker(q, p->has_user_id, p->user_id) };
	struct range r;
	int rc = flag_filter(q, "is_active", p->is_active, &w.is_active);

	if (rc != 0)
		return rc;
	if (p->state.base != NULL && !p->has_user_id)
		return err_field(q->err, "state", "needs user_id");
	if (p->query.base != NULL && (p->sort.base != NULL || p->order.base != NULL))
		return err_field(q->err, "query", "excludes sort and order");
	fragment_range(&w, &r);
	if (p->query.base != NULL)
		rc = search_begin(q, "query", p->query, T_fragment_word, &w.search, &r);
	if (rc != 0)
		return rc;
	return list_range(q, record_fragment_list(), p, &r, visit_fragment, &w);
}

/* ---- lore ---- */

static void put_lore_item(struct query *q, const struct lore *l, bool has_user, int64_t user_id)
{
	struct map_writer w, user;
	struct unlock u = { 0 };
	struct lore_item item;

	lore_show(q->state, l, &item);
	map_open(&w, q->out);
	map_fields(&w, record_lore_item(), &item);
	if (has_user) {
		bool unlocked = get_unlock(q->state, (uint64_t)user_id, l->id, &u);

		map_key(&w, "user");
		map_open(&user, q->out);
		map_opt_int(&user, "unlocked_at", unlocked, u.unlocked_at);
		map_raw(&user, "context", u.context);
		map_close(&user);
	}
	map_close(&w);
}

int query_lore_get(struct query *q, const struct lore_get *p)
{
	struct lore l;

	if (!find_lore(q->state, p->id, &l))
		return err_missing_text(q->err, "lore", p->id);
	put_lore_item(q, &l, p->has_user_id, p->user_id);
	q->returned = 1;
	return 0;
}

static bool put_lore_of(struct query *q, const void *arg, const void *id)
{
	const struct lore_get_many *p = arg;
	struct lore l;

	if (!find_lore(q->state, *(const struct slice *)id, &l))
		return false;
	put_lore_item(q, &l, p->has_user_id, p->user_id);
	return true;
}

int query_lore_get_many(struct query *q, const struct lore_get_many *p)
{
	return put_many(q, KIND_KEY, p->ids.v, p->ids.n, put_lore_of, p);
}

struct lore_walk {
	const struct lore_list *p;
	enum flag_filter is_active;
	unsigned numbers;
	struct search search;
};

static int visit_lore(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct lore_walk *w = arg;
	const struct lore_list *p = w->p;
	bool searching = w->search.words.n > 0;
	struct slice id, word = SLICE_NULL;
	struct lore l;

	(void)value;
	if (!id_in_key(q, key, w->numbers, searching, &word, &id) || !find_lore(q->state, id, &l) ||
	    !flag_passes(w->is_active, l.is_active) || !equals(p->category, l.category) ||
	    !equals(p->content_type, l.content_type) || (p->has_is_main_story && p->is_main_story != l.is_main_story) ||
	    (p->state.base != NULL && has_lore(q->state, p->user_id, id) != slice_is(p->state, "unlocked")) ||
	    (searching && !search_hit(q, &w->search, word, (struct slice[]){ l.title, l.description }, 2)))
		return VISIT_SKIPPED;
	put_lore_item(q, &l, p->has_user_id, p->user_id);
	return VISIT_TAKEN;
}

int query_lore_list(struct query *q, const struct lore_list *p)
{
	struct lore_walk w = { .p = p, .numbers = 1 };
	struct range r;
	struct key k;
	int rc = flag_filter(q, "is_active", p->is_active, &w.is_active);

	if (rc != 0)
		return rc;
	if (p->state.base != NULL && !p->has_user_id)
		return err_field(q->err, "state", "needs user_id");
	if (p->query.base != NULL && p->order.base != NULL)
		return err_field(q->err, "query", "excludes order");
	key_begin(&k);
	if (p->query.base != NULL) {
		rc = search_begin(q, "query", p->query, T_lore_word, &w.search, &r);
	} else if (slice_is(p->state, "unlocked")) {
		w.numbers = 2;
		key_put_U64(&k, (uint64_t)p->user_id);
		range_prefix(&r, T_unlock_by_user, &k, descending(p->order, true));
	} else {
		range_prefix(&r, T_lore_by_created, &k, descending(p->order, false));
	}
	if (rc != 0)
		return rc;
	return list_range(q, record_lore_list(), p, &r, visit_lore, &w);
}

/* ---- stories ---- */

int query_story_get(struct query *q, const struct story_get *p)
{
	struct story_item item;
	struct fragment_item current;
	struct map_writer w;
	struct fragment f;
	struct story st;

	if (!find_story(q->state, p->id, &st))
		return err_missing(q->err, "story", p->id);
	story_show(q->state, &st, &item);
	map_open(&w, q->out);
	map_fields(&w, record_story_item(), &item);
	if (p->include.n > 0) {
		if (st.current_fragment_id.base != NULL && find_fragment(q->state, st.current_fragment_id, &f)) {
			fragment_show(q->state, &f, &current);
			map_record(&w, "fragment", record_fragment_item(), &current);
		} else {
			map_nil(&w, "fragment");
		}
	}
	map_close(&w);
	q->returned = 1;
	return 0;
}

/* The prefix of an index by user, or by the id of a definition. */
static int subject(struct query *q, const char *other, bool has_user, int64_t user_id, struct slice id, struct key *ret)
{
	if (!has_user && id.base == NULL)
		return err_field(q->err, "user_id", "user_id or %s is required", other);
	if (has_user)
		key_put_U64(key_begin(ret), (uint64_t)user_id);
	else
		key_put_TEXT(key_begin(ret), id);
	return 0;
}

static int visit_visit(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct visit_list *p = arg;
	uint64_t user_id, seq;
	struct slice id;
	struct visit v;

	(void)value;
	if (!(p->has_user_id ? take_visit_by_user(key, q->arena, &user_id, &seq, &id)
			     : take_visit_by_fragment(key, q->arena, &id, &seq, &user_id)) ||
	    !equals(p->fragment_id, id) || !get_visit(q->state, user_id, id, &v) ||
	    (p->has_completed && p->completed != v.has_completed_at))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_visit(), &v);
	return VISIT_TAKEN;
}

int query_visit_list(struct query *q, const struct visit_list *p)
{
	struct range r;
	struct key k;
	int rc = subject(q, "fragment_id", p->has_user_id, p->user_id, p->fragment_id, &k);

	if (rc != 0)
		return rc;
	range_prefix(&r, p->has_user_id ? T_visit_by_user : T_visit_by_fragment, &k, slice_is(p->order, "desc"));
	return list_range(q, record_visit_list(), p, &r, visit_visit, (void *)p);
}

static int visit_unlock(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct unlock_list *p = arg;
	uint64_t user_id, at;
	struct slice id;
	struct unlock u;

	(void)value;
	if (!(p->has_user_id ? take_unlock_by_user(key, q->arena, &user_id, &at, &id)
			     : take_unlock_by_lore(key, q->arena, &id, &at, &user_id)) ||
	    !equals(p->lore_id, id) || !get_unlock(q->state, user_id, id, &u))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_unlock(), &u);
	return VISIT_TAKEN;
}

int query_unlock_list(struct query *q, const struct unlock_list *p)
{
	struct time_range t;
	struct range r;
	struct key k;
	int rc = subject(q, "lore_id", p->has_user_id, p->user_id, p->lore_id, &k);

	if (rc == 0)
		rc = time_range(q, false, 0, false, 0, p->has_days, p->days, &t);
	if (rc != 0)
		return rc;
	range_times(&r, p->has_user_id ? T_unlock_by_user : T_unlock_by_lore, &k, &t, slice_is(p->order, "desc"));
	return list_range(q, record_unlock_list(), p, &r, visit_unlock, (void *)p);
}

struct decision_walk {
	const struct story_decision_list *p;
	struct time_range made;
};

static int visit_decision(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct decision_walk *w = arg;
	struct story_decision made;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_story_decision(q->state, id, &made) ||
	    !equals(w->p->fragment_id, made.fragment_id))
		return VISIT_SKIPPED;
	if (!in_time(&w->made, made.made_at)) /* ids grow with time: latest first, the rest is older */
		return slice_is(w->p->order, "desc") ? VISIT_STOP : VISIT_SKIPPED;
	record_put_wire(q->out, record_story_decision(), &made);
	return VISIT_TAKEN;
}

int query_story_decision_list(struct query *q, const struct story_decision_list *p)
{
	struct decision_walk w = { .p = p };
	struct range r;
	struct key k;
	int rc = subject(q, "fragment_id", p->has_user_id, p->user_id, p->fragment_id, &k);

	if (rc == 0)
		rc = time_range(q, false, 0, false, 0, p->has_days, p->days, &w.made);
	if (rc != 0)
		return rc;
	range_prefix(&r, p->has_user_id ? T_decision_by_user : T_decision_by_fragment, &k, slice_is(p->order, "desc"));
	return list_range(q, record_story_decision_list(), p, &r, visit_decision, &w);
}

/* ---- statistics ---- */

static void stats_of_user(struct query *q, struct map_writer *w, int64_t id)
{
	struct narrative_totals t = { 0 };
	struct story st = { 0 };
	bool started = find_story(q->state, id, &st);

	get_narrative_totals(q->state, 0, &t);
	map_text(w, "current_fragment_id", st.current_fragment_id);
	map_int(w, "visited", st.fragments_visited);
	map_int(w, "completed", st.fragments_completed);
	map_float(w, "progress_percentage", story_progress(q->state, &st));
	map_int(w, "lore", st.lore_count);
	map_float(w, "lore_percentage", percent(st.lore_count, t.lore));
	map_int(w, "karma", st.karma);
	map_int(w, "decisions", st.decisions);
	map_opt_int(w, "started_at", started, st.started_at);
	map_opt_int(w, "last_activity_at", started, st.last_activity_at);
}

static void stats_of_fragment(struct query *q, struct map_writer *w, const struct fragment *f)
{
	struct fragment_counts c = { 0 };
	struct key k;

	get_fragment_counts(q->state, f->id, &c);
	map_int(w, "current_users", c.current_users);
	map_int(w, "visits", c.visits);
	map_int(w, "completions", c.completions);
	map_float(w, "completion_rate", percent(c.completions, c.visits));
	mp_put_array(map_key(w, "choices"), f->choices.n);
	for (size_t i = 0; i < f->choices.n; i++) {
		key_fragment_choice(&k, f->id, i);
		mp_put_int64(q->out, tally_get(q->state, T_fragment_choice, &k));
	}
	map_points(w, "points_paid", c.points_paid);
}

/* When the first or last of those who have it unlocked it. */
static void put_unlocked_at(struct query *q, struct map_writer *w, const char *name, const struct key *lore, bool last)
{
	struct row_walk rows;
	uint64_t at = 0, user_id;
	struct slice id;
	bool found;

	row_walk_begin(&rows, q->state, T_unlock_by_lore, lore, last);
	found = row_walk_next(&rows) && take_unlock_by_lore(rows.key, q->arena, &id, &at, &user_id);
	row_walk_end(&rows);
	map_opt_int(w, name, found, (int64_t)at);
}

static void stats_of_lore(struct query *q, struct map_writer *w, struct slice id)
{
	struct key k;

	key_lore_unlocks(&k, id);
	map_int(w, "unlocks", tally_get(q->state, T_lore_unlocks, &k));
	key_put_TEXT(key_begin(&k), id);
	map_tally(q, w, "by_source", T_lore_source, &k);
	put_unlocked_at(q, w, "first_unlocked_at", &k, false);
	put_unlocked_at(q, w, "last_unlocked_at", &k, true);
}

static struct narrative_day sum_of_days(struct query *q, int64_t days)
{
	struct narrative_day sum = { 0 };
	int64_t first, last;

	day_window(q, days, &first, &last);
	for (int64_t day = first; day <= last; day++) {
		struct narrative_day d = { 0 };

		get_narrative_day(q->state, (uint64_t)day, &d);
		sum.visits += d.visits;
		sum.completions += d.completions;
		sum.decisions += d.decisions;
		sum.unlocks += d.unlocks;
	}
	q->examined += (uint64_t)(last - first + 1);
	return sum;
}

static void put_by_type(struct query *q, struct map_writer *w, const struct narrative_totals *t)
{
	struct map_writer types;

	map_key(w, "by_type");
	map_open(&types, q->out);
	map_int(&types, "story", t->type_story);
	map_int(&types, "decision", t->type_decision);
	map_int(&types, "info", t->type_info);
	map_close(&types);
}

static void stats_of_all(struct query *q, struct map_writer *w, const struct narrative_stats *p)
{
	struct narrative_totals t = { 0 };
	struct narrative_day sum;
	struct key all;

	get_narrative_totals(q->state, 0, &t);
	map_int(w, "fragments", t.fragments);
	map_int(w, "active", t.active);
	map_int(w, "inactive", t.fragments - t.active);
	put_by_type(q, w, &t);
	map_int(w, "with_choices", t.with_choices);
	map_int(w, "users_in_story", t.users_in_story);
	map_float(w, "average_completed", mean(t.completed, t.users_in_story));
	map_int(w, "lore", t.lore);
	map_int(w, "lore_active", t.lore_active);
	map_tally(q, w, "by_category", T_lore_category, key_begin(&all));
	map_int(w, "lore_categories", tally_texts(q->state, T_lore_category, &all));
	map_int(w, "lore_unlocks", t.lore_unlocks);
	if (!p->has_days) {
		map_int(w, "decisions", t.decisions);
		return;
	}
	sum = sum_of_days(q, p->days);
	map_int(w, "visits", sum.visits);
	map_int(w, "completions", sum.completions);
	map_int(w, "decisions", sum.decisions);
	map_int(w, "unlocks", sum.unlocks);
}

int query_narrative_stats(struct query *q, const struct narrative_stats *p)
{
	bool of_fragment = p->fragment_id.base != NULL, of_lore = p->lore_id.base != NULL;
	struct map_writer w;
	struct fragment f;
	struct user u;
	struct lore l;

	if (p->has_user_id + of_fragment + of_lore > 1)
		return err_field(q->err, "user_id", "at most one of user_id, fragment_id and lore_id");
	if (p->has_days && (p->has_user_id || of_fragment || of_lore))
		return err_field(q->err, "days", "only of the whole story");
	if (p->has_user_id && !find_user(q->state, p->user_id, &u))
		return err_missing(q->err, "user", p->user_id);
	if (of_fragment && !find_fragment(q->state, p->fragment_id, &f))
		return err_missing_text(q->err, "fragment", p->fragment_id);
	if (of_lore && !find_lore(q->state, p->lore_id, &l))
		return err_missing_text(q->err, "lore", p->lore_id);
	map_open(&w, q->out);
	if (p->has_user_id)
		stats_of_user(q, &w, p->user_id);
	else if (of_fragment)
		stats_of_fragment(q, &w, &f);
	else if (of_lore)
		stats_of_lore(q, &w, p->lore_id);
	else
		stats_of_all(q, &w, p);
	map_close(&w);
	q->returned = 1;
	return 0;
}
