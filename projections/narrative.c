#include "core/rules.h"
#include "core/text.h"
#include "projections/fold.h"
#include "projections/tally.h"

/* Folds of the projection `narrative`. Its queries: projections/narrative_queries.c. */

static struct narrative_totals load_totals(struct state *s)
{
	struct narrative_totals t = { 0 };

	get_narrative_totals(s, 0, &t);
	return t;
}

static struct narrative_day load_day(struct state *s, int64_t at)
{
	struct narrative_day d = { 0 };

	get_narrative_day(s, (uint64_t)utc_day(at), &d);
	return d;
}

static void put_day(struct state *s, int64_t at, const struct narrative_day *d)
{
	put_narrative_day(s, (uint64_t)utc_day(at), d);
}

/* ---- fragments ---- */

static void count_fragment(struct narrative_totals *t, const struct fragment *f, int64_t by)
{
	t->fragments += by;
	t->active += f->is_active ? by : 0;
	t->type_story += slice_is(f->type, "story") ? by : 0;
	t->type_decision += slice_is(f->type, "decision") ? by : 0;
	t->type_info += slice_is(f->type, "info") ? by : 0;
	t->with_choices += f->choices.n > 0 ? by : 0;
}

/* Moves what follows from a fragment's row. NULL: there was, or will be, none. */
static void move_fragment(struct state *s, const struct fragment *old, const struct fragment *new)
{
	const struct fragment *any = old != NULL ? old : new;
	struct narrative_totals t = load_totals(s);
	struct slice before[2], after[2];
	struct key k;

	if (old != NULL) {
		count_fragment(&t, old, -1);
		memcpy(before, (struct slice[]){ old->title, old->content }, sizeof(before));
		del_fragment_by_created(s, (uint64_t)old->created_at, old->id);
		del_fragment_by_updated(s, (uint64_t)old->updated_at, old->id);
	}
	if (new != NULL) {
		count_fragment(&t, new, 1);
		memcpy(after, (struct slice[]){ new->title, new->content }, sizeof(after));
		put_fragment_by_created(s, (uint64_t) new->created_at, new->id);
		put_fragment_by_updated(s, (uint64_t) new->updated_at, new->id);
	}
	key_put_TEXT(key_begin(&k), any->id);
	move_words(s, T_fragment_word, &k, before, old ? 2 : 0, after, new ? 2 : 0);
	put_narrative_totals(s, 0, &t);
}

static void put_places(struct state *s, struct slice id, const struct fragment_counts *c)
{
	put_fragment_by_visits(s, (uint64_t)c->visits, id);
	put_fragment_by_completions(s, (uint64_t)c->completions, id);
}

static void del_places(struct state *s, struct slice id, const struct fragment_counts *c)
{
	del_fragment_by_visits(s, (uint64_t)c->visits, id);
	del_fragment_by_completions(s, (uint64_t)c->completions, id);
}

/* Adds to the counters of a fragment; one that is deleted has none. */
static void add_counts(struct state *s, struct slice id, const struct fragment_counts *by)
{
	struct fragment_counts old, new;

	if (!get_fragment_counts(s, id, &old))
		return;
	new = old;
	new.visits += by->visits;
	new.completions += by->completions;
	new.current_users += by->current_users;
	new.points_paid += by->points_paid;
	put_fragment_counts(s, id, &new);
	if (old.visits == new.visits && old.completions == new.completions)
		return;
	del_places(s, id, &old);
	put_places(s, id, &new);
}

static void on_fragment_created(struct state *s, const struct event *ev)
{
	const struct narrative_fragment_created *p = ev->data;
	struct fragment_counts c = { 0 };
	struct fragment f = p->fragment;

	f.version = ev->version;
	move_fragment(s, NULL, &f);
	put_fragment(s, f.id, &f);
	put_fragment_counts(s, f.id, &c);
	put_places(s, f.id, &c);
}

/* Calls `each` for every visit of a fragment that counts. */
static void each_visit(struct state *s, const struct fragment *f,
		       void (*each)(struct state *s, const struct fragment *f, const struct visit *v))
{
	struct row_walk w;
	struct key k;

	key_put_TEXT(key_begin(&k), f->id);
	row_walk_begin(&w, s, T_visit_by_fragment, &k, false);
	while (row_walk_next(&w)) {
		uint64_t seq, user_id;
		struct slice id;
		struct visit v;

		if (take_visit_by_fragment(w.key, s->arena, &id, &seq, &user_id) && get_visit(s, user_id, id, &v))
			each(s, f, &v);
	}
	row_walk_end(&w);
}

/* Progress counts active fragments: this one has become active, or ceased to be. */
static void recount_progress(struct state *s, const struct fragment *f, const struct visit *v)
{
	struct story st;

	if (!v->has_completed_at || !get_story(s, (uint64_t)v->user_id, &st))
		return;
	st.completed_active += f->is_active ? 1 : -1;
	put_story(s, (uint64_t)v->user_id, &st);
}

static void on_fragment_updated(struct state *s, const struct event *ev)
{
	const struct narrative_fragment_updated *p = ev->data;
	struct fragment old, new;

	if (!get_fragment(s, p->id, &old))
		return;
	new = old;
	record_apply(record_fragment(), p->changes, &new, s->arena);
	new.version = ev->version;
	new.updated_at = ev->at;
	move_fragment(s, &old, &new);
	put_fragment(s, p->id, &new);
	if (old.is_active != new.is_active)
		each_visit(s, &new, recount_progress);
}

static void del_visit_rows(struct state *s, const struct visit *v)
{
	uint64_t user_id = (uint64_t)v->user_id;

	del_visit(s, user_id, v->fragment_id);
	del_visit_by_user(s, user_id, v->visited_seq, v->fragment_id);
	del_visit_by_fragment(s, v->fragment_id, v->visited_seq, user_id);
	if (v->has_completed_at)
		del_completed_by_user(s, user_id, v->completed_seq, v->fragment_id);
}

static void drop_visit(struct state *s, const struct fragment *f, const struct visit *v)
{
	struct narrative_totals t = load_totals(s);
	struct story st;

	del_visit_rows(s, v);
	if (!get_story(s, (uint64_t)v->user_id, &st))
		return;
	st.fragments_visited--;
	st.fragments_completed -= v->has_completed_at;
	st.completed_active -= v->has_completed_at && f->is_active;
	put_story(s, (uint64_t)v->user_id, &st);
	t.completed -= v->has_completed_at;
	put_narrative_totals(s, 0, &t);
}

static void del_rows(struct state *s, enum table_id table, const struct key *prefix)
{
	struct row_walk w;

	row_walk_begin(&w, s, table, prefix, false);
	while (row_walk_next(&w))
		state_del(s, table, w.key);
	row_walk_end(&w);
}

static void on_fragment_deleted(struct state *s, const struct event *ev)
{
	const struct narrative_fragment_deleted *p = ev->data;
	struct fragment_counts c = { 0 };
	struct fragment f;
	struct key k;

	if (!get_fragment(s, p->id, &f) || f.deleted)
		return;
	each_visit(s, &f, drop_visit);
	move_fragment(s, &f, NULL);
	get_fragment_counts(s, f.id, &c);
	del_places(s, f.id, &c);
	del_fragment_counts(s, f.id);
	key_put_TEXT(key_begin(&k), f.id);
	del_rows(s, T_fragment_choice, &k);
	f.version = ev->version;
	f.deleted = true;
	put_fragment(s, f.id, &f);
}

/* ---- lore ---- */

static void move_combinations(struct state *s, const struct lore *l, bool there)
{
	struct lore_ref ref = { l->id };

	for (size_t i = 0; i < l->combinations.n; i++) {
		struct slice ids[KEYS_MAX], key;

		key = lore_set_key(ids, lore_set_ids(l->combinations.v[i], ids), s->arena);
		if (there)
			put_combination(s, key, &ref);
		else
			del_combination(s, key);
	}
}

static void count_category(struct state *s, struct slice counted_as, int64_t by)
{
	struct key k;

	if (counted_as.base == NULL)
		return;
	key_lore_category(&k, counted_as);
	tally_add(s, T_lore_category, &k, by);
}

/* Moves what follows from the row of a piece, and says where its category counts. NULL: there was, or will be, none. */
static void move_lore(struct state *s, const struct lore *old, struct lore *new)
{
	const struct lore *any = old != NULL ? old : new;
	struct narrative_totals t = load_totals(s);
	struct slice before[2], after[2];
	struct key k;

	if (old != NULL) {
		t.lore--;
		t.lore_active -= old->is_active;
		memcpy(before, (struct slice[]){ old->title, old->description }, sizeof(before));
		count_category(s, old->counted_as, -1);
		move_combinations(s, old, false);
		del_lore_by_created(s, (uint64_t)old->created_at, old->id);
	}
	if (new != NULL) {
		t.lore++;
		t.lore_active += new->is_active;
		memcpy(after, (struct slice[]){ new->title, new->description }, sizeof(after));
		new->counted_as = new->category.base == NULL
					  ? SLICE_NULL
					  : tally_text(s, T_lore_category, key_begin(&k), new->category);
		count_category(s, new->counted_as, 1);
		move_combinations(s, new, true);
		put_lore_by_created(s, (uint64_t) new->created_at, new->id);
	}
	key_put_TEXT(key_begin(&k), any->id);
	move_words(s, T_lore_word, &k, before, old ? 2 : 0, after, new ? 2 : 0);
	put_narrative_totals(s, 0, &t);
}

static void on_lore_created(struct state *s, const struct event *ev)
{
	const struct narrative_lore_created *p = ev->data;
	struct lore l = p->lore;

	l.version = ev->version;
	move_lore(s, NULL, &l);
	put_lore_piece(s, l.id, &l);
}

static void on_lore_updated(struct state *s, const struct event *ev)
{
	const struct narrative_lore_updated *p = ev->data;
	struct lore old, new;

	if (!get_lore_piece(s, p->id, &old))
		return;
	new = old;
	record_apply(record_lore(), p->changes, &new, s->arena);
	new.version = ev->version;
	new.updated_at = ev->at;
	move_lore(s, &old, &new);
	put_lore_piece(s, p->id, &new);
}

/* An unlock leaves the views; the story's counter is up to the caller. */
static void del_unlock_rows(struct state *s, const struct unlock *u)
{
	struct narrative_totals t = load_totals(s);
	uint64_t user_id = (uint64_t)u->user_id;
	struct key k;

	del_unlock(s, user_id, u->lore_id);
	del_unlock_by_user(s, user_id, (uint64_t)u->unlocked_at, u->lore_id);
	del_unlock_by_lore(s, u->lore_id, (uint64_t)u->unlocked_at, user_id);
	key_lore_unlocks(&k, u->lore_id);
	tally_add(s, T_lore_unlocks, &k, -1);
	key_lore_source(&k, u->lore_id, u->counted_as);
	tally_add(s, T_lore_source, &k, -1);
	t.lore_unlocks--;
	put_narrative_totals(s, 0, &t);
}

static void drop_unlocks_of_lore(struct state *s, struct slice lore_id)
{
	struct row_walk w;
	struct key k;

	key_put_TEXT(key_begin(&k), lore_id);
	row_walk_begin(&w, s, T_unlock_by_lore, &k, false);
	while (row_walk_next(&w)) {
		uint64_t at, user_id;
		struct slice id;
		struct unlock u;
		struct story st;

		if (!take_unlock_by_lore(w.key, s->arena, &id, &at, &user_id) || !get_unlock(s, user_id, id, &u))
			continue;
		del_unlock_rows(s, &u);
		if (!get_story(s, user_id, &st))
			continue;
		st.lore_count--;
		put_story(s, user_id, &st);
	}
	row_walk_end(&w);
}

static void on_lore_deleted(struct state *s, const struct event *ev)
{
	const struct narrative_lore_deleted *p = ev->data;
	struct lore l;

	if (!get_lore_piece(s, p->id, &l) || l.deleted)
		return;
	drop_unlocks_of_lore(s, p->id);
	move_lore(s, &l, NULL);
	l.version = ev->version;
	l.deleted = true;
	l.counted_as = SLICE_NULL;
	put_lore_piece(s, p->id, &l);
}

/* ---- stories ---- */

/* The story that an event is about, with what every event of its stream changes. */
static bool load_story(struct state *s, const struct event *ev, int64_t user_id, struct story *ret)
{
	if (!get_story(s, (uint64_t)user_id, ret))
		return false;
	ret->version = ev->version;
	ret->last_activity_at = ev->at;
	return true;
}

static void put_story_row(struct state *s, const struct story *st)
{
	put_story(s, (uint64_t)st->id, st);
}

static void on_story_started(struct state *s, const struct event *ev)
{
	const struct narrative_story_started *p = ev->data;
	struct narrative_totals t = load_totals(s);
	struct story st = {
		.version = ev->version, .id = p->user_id, .started_at = ev->at, .last_activity_at = ev->at
	};

	put_story_row(s, &st);
	t.users_in_story++;
	put_narrative_totals(s, 0, &t);
}

/* id absent: nowhere. */
static void stand_on(struct state *s, struct story *st, struct slice id)
{
	if (st->current_fragment_id.base != NULL)
		add_counts(s, st->current_fragment_id, &(struct fragment_counts){ .current_users = -1 });
	if (id.base != NULL)
		add_counts(s, id, &(struct fragment_counts){ .current_users = 1 });
	st->current_fragment_id = id;
}

static void first_visit(struct state *s, const struct event *ev, struct story *st, struct visit *v)
{
	struct narrative_day day = load_day(s, ev->at);
	uint64_t user_id = (uint64_t)v->user_id;

	v->visited_at = ev->at;
	v->visited_seq = ev->seq;
	put_visit_by_user(s, user_id, ev->seq, v->fragment_id);
	put_visit_by_fragment(s, v->fragment_id, ev->seq, user_id);
	st->fragments_visited++;
	add_counts(s, v->fragment_id, &(struct fragment_counts){ .visits = 1 });
	day.visits++;
	put_day(s, ev->at, &day);
}

static void on_fragment_visited(struct state *s, const struct event *ev)
{
	const struct narrative_fragment_visited *p = ev->data;
	uint64_t user_id = (uint64_t)p->user_id;
	struct visit v = { 0 };
	struct story st;

	if (!load_story(s, ev, p->user_id, &st))
		return;
	get_visit(s, user_id, p->fragment_id, &v);
	v.user_id = p->user_id;
	v.fragment_id = p->fragment_id;
	if (p->first)
		first_visit(s, ev, &st, &v);
	if (p->rewarded) {
		v.has_rewarded_at = true;
		v.rewarded_at = ev->at;
	}
	if (p->first)
		put_visit(s, user_id, p->fragment_id, &v);
	if (p->current)
		stand_on(s, &st, p->fragment_id);
	put_story_row(s, &st);
}

static void on_fragment_completed(struct state *s, const struct event *ev)
{
	const struct narrative_fragment_completed *p = ev->data;
	struct narrative_totals t = load_totals(s);
	struct narrative_day day = load_day(s, ev->at);
	uint64_t user_id = (uint64_t)p->user_id;
	struct fragment f;
	struct story st;
	struct visit v;

	if (!load_story(s, ev, p->user_id, &st) || !get_visit(s, user_id, p->fragment_id, &v))
		return;
	v.has_completed_at = true;
	v.completed_at = ev->at;
	v.completed_seq = ev->seq;
	if (p->rewarded) {
		v.has_rewarded_at = true;
		v.rewarded_at = ev->at;
	}
	put_visit(s, user_id, p->fragment_id, &v);
	put_completed_by_user(s, user_id, ev->seq, p->fragment_id);
	st.fragments_completed++;
	st.completed_active += get_fragment(s, p->fragment_id, &f) && f.is_active;
	put_story_row(s, &st);
	add_counts(s, p->fragment_id, &(struct fragment_counts){ .completions = 1 });
	t.completed++;
	put_narrative_totals(s, 0, &t);
	day.completions++;
	put_day(s, ev->at, &day);
}

static void on_fragment_granted(struct state *s, const struct event *ev)
{
	const struct narrative_fragment_granted *p = ev->data;
	struct story st;

	if (!load_story(s, ev, p->user_id, &st))
		return;
	put_fragment_grant(s, (uint64_t)p->user_id, p->fragment_id);
	put_story_row(s, &st);
}

/* Karma comes from outside: its sum stops at a border. */
static int64_t add_karma(int64_t sum, int64_t karma)
{
	sum += karma;
	return sum > COUNTER_MAX ? COUNTER_MAX : sum < -COUNTER_MAX ? -COUNTER_MAX : sum;
}

static void on_choice_made(struct state *s, const struct event *ev)
{
	const struct narrative_choice_made *p = ev->data;
	struct story_decision made = { .id = p->id,
				       .user_id = p->user_id,
				       .fragment_id = p->fragment_id,
				       .choice_index = p->choice_index,
				       .choice_text = p->choice_text,
				       .next_fragment_id = p->next_fragment_id,
				       .made_at = ev->at };
	struct narrative_totals t = load_totals(s);
	struct narrative_day day = load_day(s, ev->at);
	struct story st;
	struct key k;

	put_story_decision(s, p->id, &made);
	put_decision_by_user(s, (uint64_t)p->user_id, p->id);
	put_decision_by_fragment(s, p->fragment_id, p->id);
	key_fragment_choice(&k, p->fragment_id, (uint64_t)p->choice_index);
	tally_add(s, T_fragment_choice, &k, 1);
	t.decisions++;
	t.last_decision_id = p->id;
	put_narrative_totals(s, 0, &t);
	day.decisions++;
	put_day(s, ev->at, &day);
	if (!load_story(s, ev, p->user_id, &st))
		return;
	st.decisions++;
	st.karma = add_karma(st.karma, p->karma);
	put_story_row(s, &st);
}

static void on_lore_unlocked(struct state *s, const struct event *ev)
{
	const struct narrative_lore_unlocked *p = ev->data;
	struct unlock u = { .user_id = p->user_id,
			    .lore_id = p->lore_id,
			    .unlocked_at = ev->at,
			    .context = p->context,
			    .source = p->source };
	struct narrative_totals t = load_totals(s);
	struct narrative_day day = load_day(s, ev->at);
	uint64_t user_id = (uint64_t)p->user_id;
	struct story st;
	struct key k;

	if (!load_story(s, ev, p->user_id, &st))
		return;
	key_put_TEXT(key_begin(&k), p->lore_id);
	u.counted_as = tally_text(s, T_lore_source, &k, p->source);
	put_unlock(s, user_id, p->lore_id, &u);
	put_unlock_by_user(s, user_id, (uint64_t)ev->at, p->lore_id);
	put_unlock_by_lore(s, p->lore_id, (uint64_t)ev->at, user_id);
	key_lore_source(&k, p->lore_id, u.counted_as);
	tally_add(s, T_lore_source, &k, 1);
	key_lore_unlocks(&k, p->lore_id);
	tally_add(s, T_lore_unlocks, &k, 1);
	st.lore_count++;
	put_story_row(s, &st);
	t.lore_unlocks++;
	put_narrative_totals(s, 0, &t);
	day.unlocks++;
	put_day(s, ev->at, &day);
}

static void on_lore_combined(struct state *s, const struct event *ev)
{
	const struct narrative_lore_combined *p = ev->data;
	struct story st;

	if (load_story(s, ev, p->user_id, &st))
		put_story_row(s, &st);
}

/* ---- back to the start ---- */

/* Visits of a user leave the views. What was paid is remembered, or forgotten with the user. */
static void forget_visits(struct state *s, uint64_t user_id, bool remember_paid)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), user_id);
	row_walk_begin(&w, s, T_visit, &k, false);
	while (row_walk_next(&w)) {
		struct visit v, paid;
		struct slice id;
		uint64_t user;

		if (!take_visit(w.key, s->arena, &user, &id) || !get_visit(s, user, id, &v))
			continue;
		del_visit_rows(s, &v);
		paid = (struct visit){ .user_id = v.user_id,
				       .fragment_id = v.fragment_id,
				       .has_rewarded_at = true,
				       .rewarded_at = v.rewarded_at };
		if (remember_paid && v.has_rewarded_at)
			put_visit(s, user, id, &paid);
	}
	row_walk_end(&w);
}

/* Clears what a reset clears, but for the lore. */
static void clear_story(struct state *s, struct story *st, bool remember_paid)
{
	struct narrative_totals t = load_totals(s);
	struct key k;

	t.completed -= st->fragments_completed;
	put_narrative_totals(s, 0, &t);
	stand_on(s, st, SLICE_NULL);
	forget_visits(s, (uint64_t)st->id, remember_paid);
	key_put_U64(key_begin(&k), (uint64_t)st->id);
	del_rows(s, T_fragment_grant, &k);
	st->fragments_visited = st->fragments_completed = st->completed_active = 0;
	st->karma = 0;
}

static void on_story_reset(struct state *s, const struct event *ev)
{
	const struct narrative_story_reset *p = ev->data;
	struct unlock u;
	struct story st;

	if (!load_story(s, ev, p->user_id, &st))
		return;
	clear_story(s, &st, true);
	for (size_t i = 0; i < p->lore.n; i++) {
		if (!get_unlock(s, (uint64_t)p->user_id, p->lore.v[i], &u))
			continue;
		del_unlock_rows(s, &u);
		st.lore_count--;
	}
	put_story_row(s, &st);
}

static void forget_unlocks(struct state *s, uint64_t user_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), user_id);
	row_walk_begin(&w, s, T_unlock, &k, false);
	while (row_walk_next(&w)) {
		struct mp m = mp_of(w.value);
		struct unlock u;

		if (record_get(&m, record_unlock(), &u, s->arena))
			del_unlock_rows(s, &u);
	}
	row_walk_end(&w);
}

/* Decisions are facts of the past and stay. */
static void on_user_deleted(struct state *s, const struct event *ev)
{
	const struct user_deleted *p = ev->data;
	struct narrative_totals t;
	struct story st;

	if (!get_story(s, (uint64_t)p->id, &st) || st.deleted)
		return;
	clear_story(s, &st, false);
	forget_unlocks(s, (uint64_t)p->id);
	st = (struct story){ .version = st.version, .id = p->id, .deleted = true };
	put_story_row(s, &st);
	t = load_totals(s);
	t.users_in_story--;
	put_narrative_totals(s, 0, &t);
}

/* What is credited for a fragment, by a visit, a completion or a choice. */
static void on_credited(struct state *s, const struct event *ev)
{
	const struct point_credited *p = ev->data;
	struct slice id;

	if (p->ref.base != NULL && ref_is(p->ref, "fragment", &id))
		add_counts(s, id, &(struct fragment_counts){ .points_paid = p->amount });
}

static const struct fold folds[] = {
	{ EV_narrative_fragment_created, on_fragment_created },
	{ EV_narrative_fragment_updated, on_fragment_updated },
	{ EV_narrative_fragment_deleted, on_fragment_deleted },
	{ EV_narrative_lore_created, on_lore_created },
	{ EV_narrative_lore_updated, on_lore_updated },
	{ EV_narrative_lore_deleted, on_lore_deleted },
	{ EV_narrative_story_started, on_story_started },
	{ EV_narrative_fragment_visited, on_fragment_visited },
	{ EV_narrative_fragment_completed, on_fragment_completed },
	{ EV_narrative_fragment_granted, on_fragment_granted },
	{ EV_narrative_choice_made, on_choice_made },
	{ EV_narrative_lore_unlocked, on_lore_unlocked },
	{ EV_narrative_lore_combined, on_lore_combined },
	{ EV_narrative_story_reset, on_story_reset },
	{ EV_user_deleted, on_user_deleted },
	{ EV_point_credited, on_credited },
};
const struct fold_table narrative_folds = { folds, sizeof(folds) / sizeof(folds[0]), NULL };
