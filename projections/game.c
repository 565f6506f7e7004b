#include "core/rules.h"
#include "projections/fold.h"
#include "projections/tally.h"

/* Folds of the projection `game`. Its queries: projections/game_queries.c, projections/game_stats.c. */

#define ANY SLICE_LIT("any")

static void load_totals(struct state *s, struct game_totals *t)
{
	*t = (struct game_totals){ 0 };
	get_game_totals(s, 0, t);
}

static void load_day(struct state *s, int64_t at, struct game_day *d)
{
	*d = (struct game_day){ 0 };
	get_game_day(s, (uint64_t)utc_day(at), d);
}

static void load_user(struct state *s, int64_t id, struct game_user *u)
{
	*u = (struct game_user){ 0 };
	get_game_user(s, (uint64_t)id, u);
}

/* A key of an index comes or goes. */
static void mark(struct state *s, enum table_id t, const struct key *k, bool there)
{
	if (there)
		state_put(s, t, key_slice(k), SLICE_LIT(""));
	else
		state_del(s, t, key_slice(k));
}

/* ---- trivia ---- */

static void move_title(struct state *s, const struct trivia *t, const struct trivia *old, const struct trivia *new)
{
	struct key id;

	key_put_U64(key_begin(&id), t->id);
	move_words(s, T_trivia_word, &id, old ? &old->title : NULL, old != NULL, new ? &new->title : NULL, new != NULL);
}

static void put_question_rows(struct state *s, const struct question *q)
{
	put_question(s, q->id, q);
	if (!q->deleted)
		put_question_by_trivia(s, q->trivia_id, q->position, q->id);
}

static void on_trivia_created(struct state *s, const struct event *ev)
{
	const struct game_trivia_created *p = ev->data;
	struct trivia t = p->trivia;
	struct game_totals totals;

	t.version = ev->version;
	put_trivia(s, t.id, &t);
	put_trivia_by_active(s, t.is_active, t.id);
	move_title(s, &t, NULL, &t);
	load_totals(s, &totals);
	totals.last_trivia_id = t.id;
	totals.trivias++;
	for (size_t i = 0; i < p->questions.n; i++) {
		put_question_rows(s, &p->questions.v[i]);
		totals.last_question_id = p->questions.v[i].id;
	}
	put_game_totals(s, 0, &totals);
}

static void on_trivia_updated(struct state *s, const struct event *ev)
{
	const struct game_trivia_updated *p = ev->data;
	struct trivia old, new;

	if (!get_trivia(s, p->id, &old))
		return;
	new = old;
	record_apply(record_trivia(), p->changes, &new, s->arena);
	new.version = ev->version;
	new.updated_at = ev->at;
	put_trivia(s, p->id, &new);
	move_title(s, &new, &old, &new);
	if (old.is_active == new.is_active)
		return;
	del_trivia_by_active(s, old.is_active, p->id);
	put_trivia_by_active(s, new.is_active, p->id);
}

static void on_trivia_deleted(struct state *s, const struct event *ev)
{
	const struct game_trivia_deleted *p = ev->data;
	struct game_totals totals;
	struct trivia t;

	if (!get_trivia(s, p->id, &t))
		return;
	del_trivia_by_active(s, t.is_active, p->id);
	move_title(s, &t, &t, NULL);
	t.version = ev->version;
	t.deleted = true;
	put_trivia(s, p->id, &t);
	load_totals(s, &totals);
	totals.trivias--;
	put_game_totals(s, 0, &totals);
}

/* The row of a question's trivia, whose stream it is in. */
static void count_question(struct state *s, const struct event *ev, uint64_t trivia_id, int64_t by)
{
	struct trivia t;

	if (!get_trivia(s, trivia_id, &t))
		return;
	t.version = ev->version;
	t.question_count += by;
	put_trivia(s, trivia_id, &t);
}

static void on_question_created(struct state *s, const struct event *ev)
{
	const struct game_question_created *p = ev->data;
	struct game_totals totals;

	put_question_rows(s, &p->question);
	count_question(s, ev, p->question.trivia_id, 1);
	load_totals(s, &totals);
	totals.last_question_id = p->question.id;
	put_game_totals(s, 0, &totals);
}

static void on_question_updated(struct state *s, const struct event *ev)
{
	const struct game_question_updated *p = ev->data;
	struct question q;

	count_question(s, ev, p->trivia_id, 0);
	if (!get_question(s, p->id, &q))
		return;
	del_question_by_trivia(s, q.trivia_id, q.position, q.id);
	record_apply(record_question(), p->changes, &q, s->arena);
	put_question_rows(s, &q);
}

static void on_question_deleted(struct state *s, const struct event *ev)
{
	const struct game_question_deleted *p = ev->data;
	struct question q;

	count_question(s, ev, p->trivia_id, -1);
	if (!get_question(s, p->id, &q))
		return;
	del_question_by_trivia(s, q.trivia_id, q.position, q.id);
	q.deleted = true;
	put_question(s, q.id, &q);
}

/* ---- attempts ---- */

static void count_attempt(struct state *s, const struct trivia_attempt *a, int64_t at)
{
	struct game_totals totals;
	struct game_user user;
	struct game_day day;
	struct trivia t;

	load_totals(s, &totals);
	totals.last_attempt_id = a->id;
	put_game_totals(s, 0, &totals);
	load_day(s, at, &day);
	day.attempts++;
	put_game_day(s, (uint64_t)utc_day(at), &day);
	load_user(s, a->user_id, &user);
	user.attempts++;
	put_game_user(s, (uint64_t)a->user_id, &user);
	if (!get_trivia(s, a->trivia_id, &t))
		return;
	t.attempts++;
	put_trivia(s, a->trivia_id, &t);
}

static void on_attempt_started(struct state *s, const struct event *ev)
{
	const struct game_attempt_started *p = ev->data;
	struct attempt_questions of = { .ids = { p->question_ids.v, p->question_ids.n } };
	struct trivia_counts counts = { 0 };
	struct trivia_user tried = { 0 };
	struct trivia_attempt a = p->attempt;

	a.version = ev->version;
	put_attempt(s, a.id, &a);
	put_attempt_questions(s, a.id, &of);
	put_attempt_by_user(s, (uint64_t)a.user_id, a.id);
	put_attempt_by_trivia(s, a.trivia_id, a.id);
	if (!get_trivia_user(s, (uint64_t)a.user_id, a.trivia_id, &tried)) {
		get_trivia_counts(s, a.trivia_id, &counts);
		counts.users++;
		put_trivia_counts(s, a.trivia_id, &counts);
	}
	tried.open_attempt = a.id;
	tried.attempts++;
	put_trivia_user(s, (uint64_t)a.user_id, a.trivia_id, &tried);
	count_attempt(s, &a, ev->at);
}

static void on_answer_recorded(struct state *s, const struct event *ev)
{
	const struct game_answer_recorded *p = ev->data;
	struct question_counts counts = { 0 };
	struct game_totals totals;
	struct game_user user;
	struct trivia_attempt a;

	if (!get_attempt(s, p->attempt_id, &a))
		return;
	a.version = ev->version;
	a.score = p->score;
	put_attempt(s, a.id, &a);
	put_attempt_answer(s, a.id, p->answer.question_id, &p->answer);
	get_question_counts(s, p->answer.question_id, &counts);
	counts.answers++;
	counts.correct += p->answer.is_correct;
	put_question_counts(s, p->answer.question_id, &counts);
	load_user(s, a.user_id, &user);
	user.answers++;
	user.correct += p->answer.is_correct;
	put_game_user(s, (uint64_t)a.user_id, &user);
	load_totals(s, &totals);
	totals.last_answer_id = p->answer.id;
	put_game_totals(s, 0, &totals);
}

static void on_attempt_updated(struct state *s, const struct event *ev)
{
	const struct game_attempt_updated *p = ev->data;
	struct trivia_attempt a;

	if (!get_attempt(s, p->id, &a))
		return;
	record_apply(record_trivia_attempt(), p->changes, &a, s->arena);
	a.version = ev->version;
	put_attempt(s, a.id, &a);
}

static void finish_for_user(struct state *s, const struct game_attempt_finished *p, int64_t at)
{
	struct trivia_user tried = { 0 };
	struct game_user user;

	get_trivia_user(s, (uint64_t)p->user_id, p->trivia_id, &tried);
	tried.open_attempt = 0;
	if (!tried.has_best_score || p->score > tried.best_score)
		tried.best_score = p->score;
	tried.has_best_score = true;
	if (p->rewarded) {
		tried.has_rewarded_at = true;
		tried.rewarded_at = at;
	}
	put_trivia_user(s, (uint64_t)p->user_id, p->trivia_id, &tried);
	load_user(s, p->user_id, &user);
	user.finished++;
	user.passed += p->passed;
	if (p->score > user.best_score)
		user.best_score = p->score;
	put_game_user(s, (uint64_t)p->user_id, &user);
}

static void on_attempt_finished(struct state *s, const struct event *ev)
{
	const struct game_attempt_finished *p = ev->data;
	struct trivia_counts counts = { 0 };
	struct trivia_attempt a;

	if (!get_attempt(s, p->attempt_id, &a))
		return;
	a.version = ev->version;
	a.status = SLICE_LIT("finished");
	a.score = p->score;
	a.has_passed = a.has_completed_at = true;
	a.passed = p->passed;
	a.rewarded = p->rewarded;
	a.completed_at = ev->at;
	put_attempt(s, a.id, &a);
	finish_for_user(s, p, ev->at);
	get_trivia_counts(s, p->trivia_id, &counts);
	counts.finished++;
	counts.passed += p->passed;
	counts.score_sum += p->score;
	if (p->score > counts.max_score)
		counts.max_score = p->score;
	put_trivia_counts(s, p->trivia_id, &counts);
}

/* ---- minigames ---- */

static void add_play(struct play_sums *sums, const struct play *p)
{
	play_sums_add(sums, &(struct play_sums){
				    .plays = 1, .free = p->is_free, .scored = p->has_score, .score_sum = p->score });
}

static void load_type_day(struct state *s, struct slice game_type, int64_t day, struct play_type_day *d)
{
	*d = (struct play_type_day){ 0 };
	get_play_type_day(s, game_type, (uint64_t)day, d);
}

/* The type as a whole, and its day, to which the user moves from the day of the latest play. */
static void count_play_of_type(struct state *s, const struct play *p, const struct play_user *before)
{
	int64_t today = utc_day(p->used_at);
	bool first_today = !before->played || before->latest_day != today;
	struct play_type type = { 0 };
	struct play_type_day day;

	get_play_type(s, p->game_type, &type);
	add_play(&type.sums, p);
	type.users += !before->played;
	type.last_used_at = p->used_at;
	put_play_type(s, p->game_type, &type);
	if (before->played && first_today) {
		load_type_day(s, p->game_type, before->latest_day, &day);
		day.latest--;
		put_play_type_day(s, p->game_type, (uint64_t)before->latest_day, &day);
	}
	load_type_day(s, p->game_type, today, &day);
	add_play(&day.sums, p);
	day.users += first_today;
	day.latest += first_today;
	put_play_type_day(s, p->game_type, (uint64_t)today, &day);
}

static void count_play_of_user(struct state *s, const struct event *ev, const struct play *p)
{
	struct game_user user;
	struct key k;

	load_user(s, p->user_id, &user);
	user.version = ev->version;
	user.plays++;
	user.free += p->is_free;
	put_game_user(s, (uint64_t)p->user_id, &user);
	key_put_U64(key_begin(&k), (uint64_t)p->user_id);
	tally_add_text(s, T_play_user_type, &k, p->game_type, 1);
}

static void on_played(struct state *s, const struct event *ev)
{
	const struct game_played *p = ev->data;
	const struct play *play = &p->play;
	struct play_user before = { 0 }, after;
	struct game_totals totals;
	struct game_day day;

	put_play(s, play->id, play);
	put_play_by_user(s, (uint64_t)play->user_id, play->id);
	put_play_by_type(s, play->game_type, play->id);
	get_play_user(s, (uint64_t)play->user_id, play->game_type, &before);
	after = before;
	after.played = true;
	after.latest_day = utc_day(ev->at);
	if (play->is_free) {
		after.has_last_free_at = true;
		after.last_free_at = ev->at;
	}
	put_play_user(s, (uint64_t)play->user_id, play->game_type, &after);
	count_play_of_type(s, play, &before);
	count_play_of_user(s, ev, play);
	load_totals(s, &totals);
	totals.last_play_id = play->id;
	put_game_totals(s, 0, &totals);
	load_day(s, ev->at, &day);
	day.plays++;
	put_game_day(s, (uint64_t)utc_day(ev->at), &day);
}

/* A corrected last_roulette_at moves the free play. */
static void on_stats_adjusted(struct state *s, const struct event *ev)
{
	const struct user_stats_adjusted *p = ev->data;
	struct user_stats st = { .has_last_roulette_at = true, .last_roulette_at = -1 };
	struct play_user u = { 0 };

	record_apply(record_user_stats(), p->changes, &st, s->arena);
	if (st.has_last_roulette_at && st.last_roulette_at == -1)
		return;
	get_play_user(s, (uint64_t)p->user_id, SLICE_LIT("roulette"), &u);
	u.has_last_free_at = st.has_last_roulette_at;
	u.last_free_at = st.has_last_roulette_at ? st.last_roulette_at : 0;
	put_play_user(s, (uint64_t)p->user_id, SLICE_LIT("roulette"), &u);
}

/* ---- points, by what they were for ---- */

struct flow {
	int64_t at;
	int64_t user_id;
	int64_t paid, spent;
};

static void add_trivia_flow(struct state *s, uint64_t id, const struct flow *f)
{
	struct trivia_counts counts = { 0 };
	struct game_user user;

	get_trivia_counts(s, id, &counts);
	counts.points_paid += f->paid;
	put_trivia_counts(s, id, &counts);
	load_user(s, f->user_id, &user);
	user.trivia_points += f->paid;
	put_game_user(s, (uint64_t)f->user_id, &user);
}

static void add_challenge_flow(struct state *s, uint64_t id, const struct flow *f)
{
	struct challenge_counts counts = { 0 };

	get_challenge_counts(s, id, &counts);
	counts.points_paid += f->paid;
	put_challenge_counts(s, id, &counts);
}

static void add_play_flow(struct state *s, uint64_t id, const struct flow *f)
{
	struct play_type type = { 0 };
	struct play_type_day day;
	struct game_user user;
	struct play p;

	if (!get_play(s, id, &p))
		return;
	get_play_type(s, p.game_type, &type);
	type.sums.won += f->paid;
	type.sums.spent += f->spent;
	put_play_type(s, p.game_type, &type);
	load_type_day(s, p.game_type, utc_day(f->at), &day);
	day.sums.won += f->paid;
	day.sums.spent += f->spent;
	put_play_type_day(s, p.game_type, (uint64_t)utc_day(f->at), &day);
	load_user(s, f->user_id, &user);
	user.won += f->paid;
	user.spent += f->spent;
	put_game_user(s, (uint64_t)f->user_id, &user);
}

/* Most credits have no ref, or one of another kind: they touch and read nothing here. */
static void add_flow(struct state *s, struct slice ref, const struct flow *f)
{
	struct game_totals totals;
	struct game_day day;
	struct slice kind;
	int64_t number;
	uint64_t id;

	if (!ref_number(ref, &kind, &number))
		return;
	id = (uint64_t)number;
	if (slice_is(kind, "trivia") && has_trivia(s, id))
		add_trivia_flow(s, id, f);
	else if (slice_is(kind, "challenge") && has_challenge(s, id))
		add_challenge_flow(s, id, f);
	else if (slice_is(kind, "play") && has_play(s, id))
		add_play_flow(s, id, f);
	else
		return;
	load_totals(s, &totals);
	totals.points_paid += f->paid;
	totals.points_spent += f->spent;
	put_game_totals(s, 0, &totals);
	load_day(s, f->at, &day);
	day.points_paid += f->paid;
	day.points_spent += f->spent;
	put_game_day(s, (uint64_t)utc_day(f->at), &day);
}

static void on_credited(struct state *s, const struct event *ev)
{
	const struct point_credited *p = ev->data;

	if (p->ref.base != NULL)
		add_flow(s, p->ref, &(struct flow){ .at = ev->at, .user_id = p->user_id, .paid = p->amount });
}

static void on_debited(struct state *s, const struct event *ev)
{
	const struct point_debited *p = ev->data;

	if (p->ref.base != NULL)
		add_flow(s, p->ref, &(struct flow){ .at = ev->at, .user_id = p->user_id, .spent = p->amount });
}

/* ---- what is going on ---- */

static void load_live(struct state *s, struct game_live *live)
{
	record_defaults(record_game_live(), live);
	get_game_live(s, 0, live);
}

/* ---- challenges ---- */

static void index_challenge(struct state *s, const struct challenge *c, bool there)
{
	bool closed = slice_is(c->status, "closed");
	uint64_t start = (uint64_t)c->start_at, end = (uint64_t)c->end_at;
	struct key k;

	key_challenge_by_status(&k, c->status, end, c->id);
	mark(s, T_challenge_by_status, &k, there);
	key_challenge_by_status(&k, ANY, end, c->id);
	mark(s, T_challenge_by_status, &k, there);
	key_challenge_by_type(&k, c->type, end, c->id);
	mark(s, T_challenge_by_type, &k, there);
	key_challenge_by_goal(&k, c->goal_type, c->status, c->id);
	mark(s, T_challenge_by_goal, &k, there);
	key_challenge_live(&k, c->goal_type, c->has_user_id ? (uint64_t)c->user_id : 0, c->id);
	mark(s, T_challenge_live, &k, there && !closed);
	key_challenge_to_open(&k, start, c->id);
	mark(s, T_challenge_to_open, &k, there && slice_is(c->status, "scheduled"));
	key_challenge_to_close(&k, end, c->id);
	mark(s, T_challenge_to_close, &k, there && !closed);
}

static void count_challenge(struct game_totals *t, struct game_live *live, const struct challenge *c, int64_t by)
{
	bool closed = slice_is(c->status, "closed");

	t->challenges_open += slice_is(c->status, "open") ? by : 0;
	t->challenges_closed += closed ? by : 0;
	live->challenges += closed ? 0 : by;
}

/* A challenge comes (old NULL), changes or goes (deleted), with all that follows. */
static void change_challenge(struct state *s, const struct challenge *old, const struct challenge *new)
{
	struct game_totals totals;
	struct game_live live;

	load_totals(s, &totals);
	load_live(s, &live);
	if (old != NULL) {
		index_challenge(s, old, false);
		count_challenge(&totals, &live, old, -1);
	}
	if (!new->deleted) {
		index_challenge(s, new, true);
		count_challenge(&totals, &live, new, 1);
	}
	put_challenge(s, new->id, new);
	if (new->id > totals.last_challenge_id)
		totals.last_challenge_id = new->id;
	put_game_totals(s, 0, &totals);
	put_game_live(s, 0, &live);
}

static void on_challenge_created(struct state *s, const struct event *ev)
{
	const struct game_challenge_created *p = ev->data;
	struct challenge c = p->challenge;

	c.version = ev->version;
	change_challenge(s, NULL, &c);
}

static void on_challenge_updated(struct state *s, const struct event *ev)
{
	const struct game_challenge_updated *p = ev->data;
	struct challenge old, new;

	if (!get_challenge(s, p->id, &old))
		return;
	new = old;
	record_apply(record_challenge(), p->changes, &new, s->arena);
	new.version = ev->version;
	new.updated_at = ev->at;
	change_challenge(s, &old, &new);
}

static void set_challenge_status(struct state *s, const struct event *ev, uint64_t id, const char *status)
{
	struct challenge old, new;

	if (!get_challenge(s, id, &old))
		return;
	new = old;
	new.status = slice_str(status);
	new.version = ev->version;
	change_challenge(s, &old, &new);
}

static void on_challenge_opened(struct state *s, const struct event *ev)
{
	const struct game_challenge_opened *p = ev->data;

	set_challenge_status(s, ev, p->id, "open");
}

static void on_challenge_closed(struct state *s, const struct event *ev)
{
	const struct game_challenge_closed *p = ev->data;

	set_challenge_status(s, ev, p->id, "closed");
}

static void on_challenge_failed(struct state *s, const struct event *ev)
{
	const struct game_challenge_failed *p = ev->data;
	struct challenge c;

	if (!get_challenge(s, p->challenge_id, &c))
		return;
	c.version = ev->version;
	put_challenge(s, c.id, &c);
}

/* A participant's value changes; -1: not a participant. */
static void move_value(struct state *s, uint64_t id, int64_t before, int64_t after)
{
	struct challenge_counts counts = { 0 };
	struct key k;

	key_put_U64(key_begin(&k), id);
	tally_move(s, T_challenge_value, &k, before, after);
	get_challenge_counts(s, id, &counts);
	counts.value_sum += (after > 0 ? after : 0) - (before > 0 ? before : 0);
	put_challenge_counts(s, id, &counts);
}

/* More or fewer participants, and completions among them. */
static void count_progress(struct state *s, int64_t user_id, uint64_t id, int64_t joined, int64_t completed)
{
	struct game_user user;
	struct challenge c;

	load_user(s, user_id, &user);
	user.challenges_joined += joined;
	user.challenges_completed += completed;
	put_game_user(s, (uint64_t)user_id, &user);
	if (!get_challenge(s, id, &c))
		return;
	c.participants += joined;
	c.completions += completed;
	put_challenge(s, id, &c);
}

static void on_challenge_progressed(struct state *s, const struct event *ev)
{
	const struct game_challenge_progressed *p = ev->data;
	struct challenge_progress old = { .deleted = true }, new = { 0 };

	get_challenge_progress(s, (uint64_t)p->user_id, p->challenge_id, &old);
	if (!old.deleted)
		new = old;
	new.version = ev->version;
	new.user_id = p->user_id;
	new.challenge_id = p->challenge_id;
	new.value = p->value;
	new.updated_at = ev->at;
	put_challenge_progress(s, (uint64_t)p->user_id, p->challenge_id, &new);
	move_value(s, p->challenge_id, old.deleted ? -1 : old.value, new.value);
	if (!old.deleted)
		return;
	put_challenge_user(s, p->challenge_id, (uint64_t)p->user_id);
	count_progress(s, p->user_id, p->challenge_id, 1, 0);
}

static void on_challenge_completed(struct state *s, const struct event *ev)
{
	const struct game_challenge_completed *p = ev->data;
	struct challenge_progress at;

	if (!get_challenge_progress(s, (uint64_t)p->user_id, p->challenge_id, &at))
		return;
	at.version = ev->version;
	at.completed = at.has_completed_at = true;
	at.completed_at = at.updated_at = ev->at;
	put_challenge_progress(s, (uint64_t)p->user_id, p->challenge_id, &at);
	count_progress(s, p->user_id, p->challenge_id, 0, 1);
}

/* Out of the views; the row stays with its version. */
static void drop_progress(struct state *s, int64_t user_id, uint64_t challenge_id)
{
	struct challenge_progress at;

	if (!get_challenge_progress(s, (uint64_t)user_id, challenge_id, &at) || at.deleted)
		return;
	move_value(s, challenge_id, at.value, -1);
	count_progress(s, user_id, challenge_id, -1, at.completed ? -1 : 0);
	del_challenge_user(s, challenge_id, (uint64_t)user_id);
	at.deleted = true;
	put_challenge_progress(s, (uint64_t)user_id, challenge_id, &at);
}

static void on_challenge_deleted(struct state *s, const struct event *ev)
{
	const struct game_challenge_deleted *p = ev->data;
	struct challenge old, new;
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), p->id);
	row_walk_begin(&w, s, T_challenge_user, &k, false);
	while (row_walk_next(&w)) {
		uint64_t id, user_id;

		if (take_challenge_user(w.key, s->arena, &id, &user_id))
			drop_progress(s, (int64_t)user_id, id);
	}
	row_walk_end(&w);
	if (!get_challenge(s, p->id, &old))
		return;
	new = old;
	new.version = ev->version;
	new.deleted = true;
	change_challenge(s, &old, &new);
}

/* ---- promotional events ---- */

static void index_promotion(struct state *s, const struct promotion *p, bool there)
{
	uint64_t start = (uint64_t)p->start_at;
	struct key k;

	key_promotion_by_status(&k, p->status, start, p->id);
	mark(s, T_promotion_by_status, &k, there);
	key_promotion_by_status(&k, ANY, start, p->id);
	mark(s, T_promotion_by_status, &k, there);
	key_promotion_to_start(&k, start, p->id);
	mark(s, T_promotion_to_start, &k, there && slice_is(p->status, "scheduled"));
	key_promotion_to_end(&k, (uint64_t)p->end_at, p->id);
	mark(s, T_promotion_to_end, &k, there && p->has_end_at && !slice_is(p->status, "ended"));
}

static void change_promotion(struct state *s, const struct event *ev, const struct promotion *old,
			     const struct promotion *new)
{
	struct game_live live;

	if (old != NULL)
		index_promotion(s, old, false);
	index_promotion(s, new, true);
	put_promotion(s, new->id, new);
	load_live(s, &live);
	live.multiplier = promotions_product(s, ev->at, &live.until_at);
	put_game_live(s, 0, &live);
}

static void on_event_created(struct state *s, const struct event *ev)
{
	const struct game_event_created *p = ev->data;
	struct promotion new = p->promotion;
	struct game_totals totals;

	new.version = ev->version;
	change_promotion(s, ev, NULL, &new);
	load_totals(s, &totals);
	totals.last_promotion_id = new.id;
	put_game_totals(s, 0, &totals);
}

static void on_event_updated(struct state *s, const struct event *ev)
{
	const struct game_event_updated *p = ev->data;
	struct promotion old, new;

	if (!get_promotion(s, p->id, &old))
		return;
	new = old;
	record_apply(record_promotion(), p->changes, &new, s->arena);
	new.version = ev->version;
	new.updated_at = ev->at;
	change_promotion(s, ev, &old, &new);
}

static void on_event_started(struct state *s, const struct event *ev)
{
	const struct game_event_started *p = ev->data;
	struct promotion old, new;

	if (!get_promotion(s, p->id, &old))
		return;
	new = old;
	new.status = SLICE_LIT("active");
	new.version = ev->version;
	change_promotion(s, ev, &old, &new);
}

static void on_event_ended(struct state *s, const struct event *ev)
{
	const struct game_event_ended *p = ev->data;
	struct promotion old, new;

	if (!get_promotion(s, p->id, &old))
		return;
	new = old;
	new.status = SLICE_LIT("ended");
	new.has_ended_at = true;
	new.ended_at = ev->at;
	new.version = ev->version;
	change_promotion(s, ev, &old, &new);
}

/* ---- raffles ---- */

static void on_raffle_created(struct state *s, const struct event *ev)
{
	const struct game_raffle_created *p = ev->data;
	struct raffle r = p->raffle;
	struct game_totals totals;

	r.version = ev->version;
	put_raffle(s, r.id, &r);
	put_raffle_by_active(s, true, r.id);
	load_totals(s, &totals);
	totals.last_raffle_id = r.id;
	totals.raffles_active++;
	put_game_totals(s, 0, &totals);
}

static void on_raffle_updated(struct state *s, const struct event *ev)
{
	const struct game_raffle_updated *p = ev->data;
	struct raffle r;

	if (!get_raffle(s, p->id, &r))
		return;
	record_apply(record_raffle(), p->changes, &r, s->arena);
	r.version = ev->version;
	put_raffle(s, r.id, &r);
}

static void count_entry(struct state *s, int64_t user_id, int64_t by)
{
	struct game_totals totals;
	struct game_user user;

	load_totals(s, &totals);
	totals.entries += by;
	put_game_totals(s, 0, &totals);
	load_user(s, user_id, &user);
	user.raffles_entered += by;
	put_game_user(s, (uint64_t)user_id, &user);
}

static void on_raffle_entered(struct state *s, const struct event *ev)
{
	const struct game_raffle_entered *p = ev->data;
	struct raffle_entry e = p->entry;
	struct uid_ref who = { e.user_id };
	struct game_day day;
	struct raffle r;

	if (!get_raffle(s, e.raffle_id, &r))
		return;
	r.version = ev->version;
	r.last_position = e.position;
	e.slot = ++r.entry_count;
	put_raffle(s, r.id, &r);
	put_raffle_entry(s, (uint64_t)e.user_id, r.id, &e);
	put_raffle_place(s, r.id, (uint64_t)e.position, &who);
	put_raffle_slot(s, r.id, (uint64_t)e.slot, &who);
	put_raffle_entry_by_user(s, (uint64_t)e.user_id, (uint64_t)e.created_at, r.id);
	count_entry(s, e.user_id, 1);
	load_day(s, ev->at, &day);
	day.entries++;
	put_game_day(s, (uint64_t)utc_day(ev->at), &day);
}

static void on_raffle_ended(struct state *s, const struct event *ev)
{
	const struct game_raffle_ended *p = ev->data;
	struct game_totals totals;
	struct game_user user;
	struct raffle r;

	if (!get_raffle(s, p->id, &r))
		return;
	r.version = ev->version;
	r.is_active = false;
	r.has_winner_id = p->has_winner_id;
	r.winner_id = p->winner_id;
	r.has_ended_at = true;
	r.ended_at = ev->at;
	put_raffle(s, r.id, &r);
	del_raffle_by_active(s, true, r.id);
	put_raffle_by_active(s, false, r.id);
	load_totals(s, &totals);
	totals.raffles_active--;
	put_game_totals(s, 0, &totals);
	if (!p->has_winner_id)
		return;
	put_raffle_by_winner(s, (uint64_t)p->winner_id, r.id);
	load_user(s, p->winner_id, &user);
	user.raffles_won++;
	put_game_user(s, (uint64_t)p->winner_id, &user);
}

/* The last entry takes the slot that becomes free. */
static void fill_slot(struct state *s, uint64_t raffle_id, int64_t slot, int64_t last)
{
	struct raffle_entry moved;
	struct uid_ref who;

	if (slot != last && get_raffle_slot(s, raffle_id, (uint64_t)last, &who) &&
	    get_raffle_entry(s, (uint64_t)who.id, raffle_id, &moved)) {
		moved.slot = slot;
		put_raffle_entry(s, (uint64_t)who.id, raffle_id, &moved);
		put_raffle_slot(s, raffle_id, (uint64_t)slot, &who);
	}
	del_raffle_slot(s, raffle_id, (uint64_t)last);
}

static void drop_entry(struct state *s, const struct raffle_entry *e)
{
	struct raffle r;

	if (!get_raffle(s, e->raffle_id, &r) || !r.is_active)
		return;
	fill_slot(s, r.id, e->slot, r.entry_count);
	del_raffle_entry(s, (uint64_t)e->user_id, r.id);
	del_raffle_place(s, r.id, (uint64_t)e->position);
	del_raffle_entry_by_user(s, (uint64_t)e->user_id, (uint64_t)e->created_at, r.id);
	r.entry_count--;
	put_raffle(s, r.id, &r);
	count_entry(s, e->user_id, -1);
}

/* ---- users go ---- */

static void drop_all_progress(struct state *s, int64_t user_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, s, T_challenge_progress, &k, false);
	while (row_walk_next(&w)) {
		uint64_t of, id;

		if (take_challenge_progress(w.key, s->arena, &of, &id))
			drop_progress(s, user_id, id);
	}
	row_walk_end(&w);
}

static void drop_free_plays(struct state *s, int64_t user_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, s, T_play_user, &k, false);
	while (row_walk_next(&w)) {
		struct slice game_type;
		struct play_user u;
		uint64_t of;

		if (!take_play_user(w.key, s->arena, &of, &game_type) || !get_play_user(s, of, game_type, &u))
			continue;
		u.has_last_free_at = false;
		u.last_free_at = 0;
		put_play_user(s, of, game_type, &u);
	}
	row_walk_end(&w);
}

static void drop_entries(struct state *s, int64_t user_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, s, T_raffle_entry, &k, false);
	while (row_walk_next(&w)) {
		struct mp m = mp_of(w.value);
		struct raffle_entry e;

		if (record_get(&m, record_raffle_entry(), &e, s->arena))
			drop_entry(s, &e);
	}
	row_walk_end(&w);
}

static void on_user_deleted(struct state *s, const struct event *ev)
{
	const struct user_deleted *p = ev->data;

	drop_all_progress(s, p->id);
	drop_free_plays(s, p->id);
	drop_entries(s, p->id);
}

static const struct fold folds[] = {
	{ EV_user_stats_adjusted, on_stats_adjusted },
	{ EV_user_deleted, on_user_deleted },
	{ EV_point_credited, on_credited },
	{ EV_point_debited, on_debited },
	{ EV_game_trivia_created, on_trivia_created },
	{ EV_game_trivia_updated, on_trivia_updated },
	{ EV_game_trivia_deleted, on_trivia_deleted },
	{ EV_game_question_created, on_question_created },
	{ EV_game_question_updated, on_question_updated },
	{ EV_game_question_deleted, on_question_deleted },
	{ EV_game_attempt_started, on_attempt_started },
	{ EV_game_answer_recorded, on_answer_recorded },
	{ EV_game_attempt_updated, on_attempt_updated },
	{ EV_game_attempt_finished, on_attempt_finished },
	{ EV_game_played, on_played },
	{ EV_game_challenge_created, on_challenge_created },
	{ EV_game_challenge_updated, on_challenge_updated },
	{ EV_game_challenge_deleted, on_challenge_deleted },
	{ EV_game_challenge_opened, on_challenge_opened },
	{ EV_game_challenge_closed, on_challenge_closed },
	{ EV_game_challenge_progressed, on_challenge_progressed },
	{ EV_game_challenge_completed, on_challenge_completed },
	{ EV_game_challenge_failed, on_challenge_failed },
	{ EV_game_event_created, on_event_created },
	{ EV_game_event_updated, on_event_updated },
	{ EV_game_event_started, on_event_started },
	{ EV_game_event_ended, on_event_ended },
	{ EV_game_raffle_created, on_raffle_created },
	{ EV_game_raffle_updated, on_raffle_updated },
	{ EV_game_raffle_entered, on_raffle_entered },
	{ EV_game_raffle_ended, on_raffle_ended },
};
const struct fold_table game_folds = { folds, sizeof(folds) / sizeof(folds[0]), NULL };
