#include "core/rules.h"
#include "projections/query.h"

/* Queries of the projection `game`. Statistics: projections/game_stats.c. */

static bool descending(struct slice order, bool dflt)
{
	return order.base != NULL ? slice_is(order, "desc") : dflt;
}

static void put_one(struct query *q, const struct record *r, const void *obj)
{
	record_put_wire(q->out, r, obj);
	q->returned = 1;
}

/* ---- trivia ---- */

static void put_question_item(struct query *q, const struct question *question, bool with_answer)
{
	struct question_asked asked = question_asked(question);

	if (with_answer)
		record_put_wire(q->out, record_question(), question);
	else
		record_put_wire(q->out, record_question_asked(), &asked);
}

/* questions: [...] */
static void put_questions(struct query *q, struct map_writer *w, uint64_t trivia_id, bool with_answers)
{
	struct row_walk rows;
	struct key k;
	uint32_t n = 0;
	size_t head;

	map_key(w, "questions");
	head = array_open(q->out);
	key_put_U64(key_begin(&k), trivia_id);
	row_walk_begin(&rows, q->state, T_question_by_trivia, &k, false);
	while (row_walk_next(&rows)) {
		struct question question;
		uint64_t id;

		if (!key_last_U64(rows.key, &id) || !get_question(q->state, id, &question))
			continue;
		put_question_item(q, &question, with_answers);
		n++;
	}
	row_walk_end(&rows);
	array_close(q->out, head, n);
}

static void put_trivia_item(struct query *q, const struct trivia *t, bool has_user, int64_t user_id,
			    const struct trivia_get *with)
{
	struct trivia_user u = { 0 };
	struct map_writer w, inner;

	map_open(&w, q->out);
	map_fields(&w, record_trivia(), t);
	if (has_user) {
		get_trivia_user(q->state, (uint64_t)user_id, t->id, &u);
		map_key(&w, "user");
		map_open(&inner, q->out);
		map_int(&inner, "attempts", u.attempts);
		map_opt_int(&inner, "best_score", u.has_best_score, u.best_score);
		map_opt_int(&inner, "rewarded_at", u.has_rewarded_at, u.rewarded_at);
		map_close(&inner);
	}
	if (with != NULL && with->include.n > 0)
		put_questions(q, &w, t->id, with->with_answers);
	map_close(&w);
}

int query_trivia_get(struct query *q, const struct trivia_get *p)
{
	struct trivia t;

	if (!find_trivia(q->state, p->id, &t))
		return err_missing(q->err, "trivia", (int64_t)p->id);
	put_trivia_item(q, &t, p->has_user_id, p->user_id, p);
	q->returned = 1;
	return 0;
}

static bool put_trivia_of_many(struct query *q, const void *arg, const void *id)
{
	const struct trivia_get_many *p = arg;
	struct trivia t;

	if (!find_trivia(q->state, *(const uint64_t *)id, &t))
		return false;
	put_trivia_item(q, &t, p->has_user_id, p->user_id, NULL);
	return true;
}

int query_trivia_get_many(struct query *q, const struct trivia_get_many *p)
{
	return put_many(q, KIND_U64, p->ids.v, p->ids.n, put_trivia_of_many, p);
}

struct trivia_walk {
	const struct trivia_list *p;
	enum flag_filter active;
	struct search search; /* of the query */
};

static int visit_trivia(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct trivia_walk *w = arg;
	struct slice word = SLICE_NULL;
	struct trivia t;
	uint64_t id;

	(void)value;
	if (w->search.words.n > 0 && !key_take_TEXT(&key, q->arena, &word))
		return VISIT_SKIPPED;
	if (!key_last_U64(key, &id) || !find_trivia(q->state, id, &t) || !flag_passes(w->active, t.is_active) ||
	    (w->search.words.n > 0 && !search_hit(q, &w->search, word, &t.title, 1)))
		return VISIT_SKIPPED;
	put_trivia_item(q, &t, w->p->has_user_id, w->p->user_id, NULL);
	return VISIT_TAKEN;
}

/* The rows of one value of a flag, or all rows of the table behind it. */
static void range_flag(struct range *r, enum table_id by_flag, enum table_id all, enum flag_filter flag, bool desc)
{
	struct key k;

	key_begin(&k);
	if (flag != FLAG_ANY)
		key_put_U64(&k, flag == FLAG_TRUE);
	range_prefix(r, flag == FLAG_ANY ? all : by_flag, &k, desc);
}

int query_trivia_list(struct query *q, const struct trivia_list *p)
{
	struct trivia_walk w = { .p = p };
	struct range r;
	int rc = flag_filter(q, "is_active", p->is_active, &w.active);

	if (rc == 0 && p->query.base != NULL && p->order.base != NULL)
		return err_field(q->err, "query", "excludes order");
	if (rc == 0 && p->query.base != NULL)
		rc = search_begin(q, "query", p->query, T_trivia_word, &w.search, &r);
	if (rc != 0)
		return rc;
	if (p->query.base == NULL)
		range_flag(&r, T_trivia_by_active, T_trivia, w.active, descending(p->order, false));
	return list_range(q, record_trivia_list(), p, &r, visit_trivia, &w);
}

int query_question_get(struct query *q, const struct question_get *p)
{
	struct question question;

	if (!find_question(q->state, p->id, &question))
		return err_missing(q->err, "question", (int64_t)p->id);
	put_question_item(q, &question, p->with_answers);
	q->returned = 1;
	return 0;
}

static int visit_question(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct question_list *p = arg;
	struct question question;
	uint64_t id;

	(void)value;
	/* those of a deleted trivia have left the views with it */
	if (!key_last_U64(key, &id) || !find_question(q->state, id, &question))
		return VISIT_SKIPPED;
	put_question_item(q, &question, p->with_answers);
	return VISIT_TAKEN;
}

int query_question_list(struct query *q, const struct question_list *p)
{
	struct range r;
	struct key k;

	key_put_U64(key_begin(&k), p->trivia_id);
	range_prefix(&r, T_question_by_trivia, &k, slice_is(p->order, "desc"));
	return list_range(q, record_question_list(), p, &r, visit_question, (void *)p);
}

/* ---- attempts and plays: rows that stay, with ids that grow with time ---- */

/* The first of ids 1..last that is from the last `days` days; days 0: any is. */
static uint64_t first_of_days(struct query *q, uint64_t last, int64_t days,
			      int64_t (*time_of)(struct query *q, uint64_t id))
{
	int64_t at = q->now - days * DAY_MS;
	uint64_t lo = 1, hi = last + 1;

	while (days > 0 && lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (time_of(q, mid) < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int64_t attempt_time(struct query *q, uint64_t id)
{
	struct trivia_attempt a = { 0 };

	get_attempt(q->state, id, &a);
	return a.started_at;
}

static int64_t play_time(struct query *q, uint64_t id)
{
	struct play p = { 0 };

	get_play(q->state, id, &p);
	return p.used_at;
}

int query_attempt_get(struct query *q, const struct attempt_get *p)
{
	struct attempt_item item;
	struct trivia_attempt a;

	if (!get_attempt(q->state, p->id, &a))
		return err_missing(q->err, "attempt", (int64_t)p->id);
	attempt_show(q->state, &a, &item);
	put_one(q, record_attempt_item(), &item);
	return 0;
}

static int visit_attempt(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct attempt_list *p = arg;
	struct trivia_attempt a;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_attempt(q->state, id, &a) ||
	    (p->has_trivia_id && a.trivia_id != p->trivia_id) ||
	    (p->status.base != NULL && !slice_eq(p->status, a.status)))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_trivia_attempt(), &a);
	return VISIT_TAKEN;
}

int query_attempt_list(struct query *q, const struct attempt_list *p)
{
	struct game_totals totals = { 0 };
	enum table_id table = T_attempt;
	struct range r;
	struct key k;

	key_begin(&k);
	if (p->has_user_id) {
		table = T_attempt_by_user;
		key_put_U64(&k, (uint64_t)p->user_id);
	} else if (p->has_trivia_id) {
		table = T_attempt_by_trivia;
		key_put_U64(&k, p->trivia_id);
	}
	get_game_totals(q->state, 0, &totals);
	range_numbers(&r, table, &k, first_of_days(q, totals.last_attempt_id, p->has_days ? p->days : 0, attempt_time),
		      0, slice_is(p->order, "desc"));
	return list_range(q, record_attempt_list(), p, &r, visit_attempt, (void *)p);
}

static int visit_play(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct play_list *p = arg;
	struct play play;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_play(q->state, id, &play) ||
	    (p->game_type.base != NULL && !slice_eq(p->game_type, play.game_type)) ||
	    (p->has_is_free && play.is_free != p->is_free))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_play(), &play);
	return VISIT_TAKEN;
}

static void put_free_play(struct query *q, struct map_writer *w, const struct play_list *p)
{
	int64_t cooldown = p->has_cooldown_hours ? p->cooldown_hours * 3600000 : play_cooldown(q->state, p->game_type),
		at = 0;
	bool wait = play_must_wait(q->state, p->user_id, p->game_type, cooldown, q->now, &at);

	map_bool(w, "free_available", !wait);
	map_opt_int(w, "next_free_at", wait, at);
}

static void range_plays(struct query *q, const struct play_list *p, struct range *r)
{
	struct game_totals totals = { 0 };
	enum table_id table = T_play;
	struct key k;

	key_begin(&k);
	if (p->has_user_id) {
		table = T_play_by_user;
		key_put_U64(&k, (uint64_t)p->user_id);
	} else if (p->game_type.base != NULL) {
		table = T_play_by_type;
		key_put_TEXT(&k, p->game_type);
	}
	get_game_totals(q->state, 0, &totals);
	range_numbers(r, table, &k, first_of_days(q, totals.last_play_id, p->has_days ? p->days : 0, play_time), 0,
		      slice_is(p->order, "desc"));
}

int query_play_list(struct query *q, const struct play_list *p)
{
	struct range r;
	struct page pg;
	int rc = page_begin(&pg, q, record_play_list(), p);

	if (rc != 0)
		return rc;
	range_plays(q, p, &r);
	rc = page_walk(&pg, &r, visit_play, (void *)p);
	if (p->has_user_id && p->game_type.base != NULL)
		put_free_play(q, &pg.w, p);
	page_end(&pg);
	return rc;
}

/* ---- challenges ---- */

static void put_challenge_item(struct query *q, const struct challenge *row, bool has_user, int64_t user_id)
{
	struct challenge c = *row;
	struct challenge_progress at;
	struct map_writer w;

	c.status = challenge_status(&c, q->now);
	map_open(&w, q->out);
	map_fields(&w, record_challenge(), &c);
	if (has_user) {
		if (find_challenge_progress(q->state, user_id, c.id, &at))
			map_record(&w, "user", record_challenge_progress(), &at);
		else
			map_nil(&w, "user");
	}
	map_close(&w);
}

int query_challenge_get(struct query *q, const struct challenge_get *p)
{
	struct challenge c;

	if (!find_challenge(q->state, p->id, &c))
		return err_missing(q->err, "challenge", (int64_t)p->id);
	put_challenge_item(q, &c, p->has_user_id, p->user_id);
	q->returned = 1;
	return 0;
}

static bool put_challenge_of_many(struct query *q, const void *arg, const void *id)
{
	const struct challenge_get_many *p = arg;
	struct challenge c;

	if (!find_challenge(q->state, *(const uint64_t *)id, &c))
		return false;
	put_challenge_item(q, &c, p->has_user_id, p->user_id);
	return true;
}

int query_challenge_get_many(struct query *q, const struct challenge_get_many *p)
{
	return put_many(q, KIND_U64, p->ids.v, p->ids.n, put_challenge_of_many, p);
}

static bool challenge_matches(struct query *q, const struct challenge_list *p, const struct challenge *c)
{
	struct challenge_progress at;

	if ((!slice_is(p->status, "any") && !slice_eq(p->status, challenge_status(c, q->now))) ||
	    (p->type.base != NULL && !slice_eq(p->type, c->type)) ||
	    (p->goal_type.base != NULL && !slice_eq(p->goal_type, c->goal_type)))
		return false;
	if (p->state.base == NULL)
		return true;
	return find_challenge_progress(q->state, p->user_id, c->id, &at) &&
	       at.completed == slice_is(p->state, "completed");
}

static int visit_challenge(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct challenge_list *p = arg;
	struct challenge c;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !find_challenge(q->state, id, &c) || !challenge_matches(q, p, &c))
		return VISIT_SKIPPED;
	put_challenge_item(q, &c, p->has_user_id, p->user_id);
	return VISIT_TAKEN;
}

/* Progress of the user, if its state counts; goal and status together; else the status (any: of a type or a goal). */
static void range_challenges(const struct challenge_list *p, struct range *r)
{
	bool any = slice_is(p->status, "any"), desc = descending(p->order, slice_is(p->status, "closed"));
	struct key k;

	key_begin(&k);
	if (p->state.base != NULL) {
		key_put_U64(&k, (uint64_t)p->user_id);
		range_prefix(r, T_challenge_progress, &k, desc);
	} else if (p->goal_type.base != NULL && (!any || p->type.base == NULL)) {
		key_put_TEXT(&k, p->goal_type);
		if (!any)
			key_put_TEXT(&k, p->status);
		range_prefix(r, T_challenge_by_goal, &k, desc);
	} else if (any && p->type.base != NULL) {
		key_put_TEXT(&k, p->type);
		range_prefix(r, T_challenge_by_type, &k, desc);
	} else {
		key_put_TEXT(&k, p->status);
		range_prefix(r, T_challenge_by_status, &k, desc);
	}
}

int query_challenge_list(struct query *q, const struct challenge_list *p)
{
	struct range r;

	if (p->state.base != NULL && !p->has_user_id)
		return err_field(q->err, "state", "needs user_id");
	range_challenges(p, &r);
	return list_range(q, record_challenge_list(), p, &r, visit_challenge, (void *)p);
}

int query_challenge_progress_get(struct query *q, const struct challenge_progress_get *p)
{
	struct challenge_progress at;

	if (!find_challenge_progress(q->state, p->user_id, p->challenge_id, &at))
		return err_missing(q->err, "progress", (int64_t)p->challenge_id);
	put_one(q, record_challenge_progress(), &at);
	return 0;
}

static int visit_progress(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct challenge_progress_list *p = arg;
	struct challenge_progress at;
	uint64_t first, last;

	(void)value;
	if (!key_take_U64(&key, &first) || !key_take_U64(&key, &last) ||
	    !find_challenge_progress(q->state, (int64_t)(p->has_user_id ? first : last), p->has_user_id ? last : first,
				     &at) ||
	    (p->has_challenge_id && at.challenge_id != p->challenge_id) ||
	    (p->has_completed && at.completed != p->completed))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_challenge_progress(), &at);
	return VISIT_TAKEN;
}

int query_challenge_progress_list(struct query *q, const struct challenge_progress_list *p)
{
	struct range r;
	struct key k;

	if (!p->has_user_id && !p->has_challenge_id)
		return err_field(q->err, "user_id", "user_id or challenge_id is required");
	key_put_U64(key_begin(&k), p->has_user_id ? (uint64_t)p->user_id : p->challenge_id);
	range_prefix(&r, p->has_user_id ? T_challenge_progress : T_challenge_user, &k,
		     descending(p->order, p->has_user_id));
	return list_range(q, record_challenge_progress_list(), p, &r, visit_progress, (void *)p);
}

/* ---- promotional events ---- */

static void put_promotion_item(struct query *q, const struct promotion *row)
{
	struct promotion p = *row;

	p.status = promotion_status(&p, q->now);
	record_put_wire(q->out, record_promotion(), &p);
}

int query_promotion_get(struct query *q, const struct promotion_get *p)
{
	struct promotion promotion;

	if (!get_promotion(q->state, p->id, &promotion))
		return err_missing(q->err, "event", (int64_t)p->id);
	put_promotion_item(q, &promotion);
	q->returned = 1;
	return 0;
}

static int visit_promotion(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct promotion_list *p = arg;
	struct promotion promotion;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_promotion(q->state, id, &promotion) ||
	    (!slice_is(p->status, "any") && !slice_eq(p->status, promotion_status(&promotion, q->now))))
		return VISIT_SKIPPED;
	put_promotion_item(q, &promotion);
	return VISIT_TAKEN;
}

int query_promotion_list(struct query *q, const struct promotion_list *p)
{
	struct range r;
	struct page pg;
	struct key k;
	int rc = page_begin(&pg, q, record_promotion_list(), p);

	if (rc != 0)
		return rc;
	key_put_TEXT(key_begin(&k), p->status);
	range_prefix(&r, T_promotion_by_status, &k, slice_is(p->order, "desc"));
	rc = page_walk(&pg, &r, visit_promotion, (void *)p);
	map_int(&pg.w, "multiplier", event_multiplier(q->state, q->now));
	page_end(&pg);
	return rc;
}

/* ---- raffles ---- */

static void put_raffle_item(struct query *q, const struct raffle *raffle, bool has_user, int64_t user_id)
{
	struct raffle_entry e = { 0 };
	struct map_writer w, inner;
	bool entered;

	map_open(&w, q->out);
	map_fields(&w, record_raffle(), raffle);
	if (has_user) {
		entered = get_raffle_entry(q->state, (uint64_t)user_id, raffle->id, &e);
		map_key(&w, "user");
		map_open(&inner, q->out);
		map_bool(&inner, "entered", entered);
		map_opt_int(&inner, "position", entered, e.position);
		map_opt_int(&inner, "created_at", entered, e.created_at);
		map_close(&inner);
	}
	map_close(&w);
}

int query_raffle_get(struct query *q, const struct raffle_get *p)
{
	struct raffle raffle;

	if (!get_raffle(q->state, p->id, &raffle))
		return err_missing(q->err, "raffle", (int64_t)p->id);
	put_raffle_item(q, &raffle, p->has_user_id, p->user_id);
	q->returned = 1;
	return 0;
}

static bool put_raffle_of_many(struct query *q, const void *arg, const void *id)
{
	const struct raffle_get_many *p = arg;
	struct raffle raffle;

	if (!get_raffle(q->state, *(const uint64_t *)id, &raffle))
		return false;
	put_raffle_item(q, &raffle, p->has_user_id, p->user_id);
	return true;
}

int query_raffle_get_many(struct query *q, const struct raffle_get_many *p)
{
	return put_many(q, KIND_U64, p->ids.v, p->ids.n, put_raffle_of_many, p);
}

struct raffle_walk {
	const struct raffle_list *p;
	enum flag_filter active;
};

static int visit_raffle(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct raffle_walk *w = arg;
	struct raffle raffle;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_raffle(q->state, id, &raffle) || !flag_passes(w->active, raffle.is_active))
		return VISIT_SKIPPED;
	put_raffle_item(q, &raffle, w->p->has_user_id, w->p->user_id);
	return VISIT_TAKEN;
}

int query_raffle_list(struct query *q, const struct raffle_list *p)
{
	struct raffle_walk w = { .p = p };
	bool desc = slice_is(p->order, "desc");
	struct range r;
	struct key k;
	int rc = flag_filter(q, "is_active", p->is_active, &w.active);

	if (rc != 0)
		return rc;
	if (p->state.base != NULL && !p->has_user_id)
		return err_field(q->err, "state", "needs user_id");
	/* raffles that were won are over */
	if (p->is_active.base == NULL && slice_is(p->state, "won"))
		w.active = FLAG_ANY;
	key_put_U64(key_begin(&k), (uint64_t)p->user_id);
	if (p->state.base != NULL)
		range_prefix(&r, slice_is(p->state, "won") ? T_raffle_by_winner : T_raffle_entry, &k, desc);
	else
		range_flag(&r, T_raffle_by_active, T_raffle, w.active, desc);
	return list_range(q, record_raffle_list(), p, &r, visit_raffle, &w);
}

static int visit_entry(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct raffle_entry_list *p = arg;
	struct mp m = mp_of(value);
	struct uid_ref who = { p->user_id };
	struct raffle_entry e;
	uint64_t raffle_id = p->raffle_id;

	if (p->has_raffle_id ? !record_get(&m, record_uid_ref(), &who, q->arena) : !key_last_U64(key, &raffle_id))
		return VISIT_SKIPPED;
	if ((p->has_user_id && who.id != p->user_id) || !get_raffle_entry(q->state, (uint64_t)who.id, raffle_id, &e))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_raffle_entry(), &e);
	return VISIT_TAKEN;
}

int query_raffle_entry_list(struct query *q, const struct raffle_entry_list *p)
{
	struct range r;
	struct key k;

	if (!p->has_user_id && !p->has_raffle_id)
		return err_field(q->err, "raffle_id", "raffle_id or user_id is required");
	key_put_U64(key_begin(&k), p->has_raffle_id ? p->raffle_id : (uint64_t)p->user_id);
	range_prefix(&r, p->has_raffle_id ? T_raffle_place : T_raffle_entry_by_user, &k,
		     descending(p->order, !p->has_raffle_id));
	return list_range(q, record_raffle_entry_list(), p, &r, visit_entry, (void *)p);
}
