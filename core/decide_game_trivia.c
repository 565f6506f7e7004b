#include <inttypes.h>
#include <stdlib.h>

#include "core/rules.h"
#include "core/text.h"

/* Trivia: definitions, questions, attempts. The rest of the games: core/decide_game.c, core/decide_game_challenge.c. */

enum { OPTIONS_MAX = 10 };

bool find_trivia(struct state *s, uint64_t id, struct trivia *ret)
{
	return get_trivia(s, id, ret) && !ret->deleted;
}

bool find_question(struct state *s, uint64_t id, struct question *ret)
{
	struct trivia t;

	return get_question(s, id, ret) && !ret->deleted && find_trivia(s, ret->trivia_id, &t);
}

static int need_trivia(struct decision *d, uint64_t id, struct trivia *ret)
{
	return find_trivia(d->state, id, ret) ? 0 : err_missing(d->err, "trivia", (int64_t)id);
}

static int need_question(struct decision *d, uint64_t id, struct question *ret)
{
	return find_question(d->state, id, ret) ? 0 : err_missing(d->err, "question", (int64_t)id);
}

/* ---- definitions ---- */

static int check_question(struct decision *d, const struct question *q)
{
	bool choice = slice_is(q->question_type, "multiple_choice"), known = false;
	struct mp m = mp_of(q->options);
	struct slice key, text;
	uint32_t n = 0;

	if (q->options.base != NULL && (!mp_map(&m, &n) || n > OPTIONS_MAX))
		return err_field(d->err, "options", "must be at most %d", OPTIONS_MAX);
	for (; n > 0 && mp_str(&m, &key); n--) {
		if (mp_peek(&m) != MP_STR || !mp_str(&m, &text))
			return err_field(d->err, "options", "must be texts");
		known |= slice_eq(key, q->correct_answer);
	}
	if (choice && q->options.base == NULL)
		return err_field(d->err, "options", "are needed for multiple_choice");
	if (choice && !known)
		return err_field(d->err, "correct_answer", "must be the key of an option");
	return 0;
}

int decide_trivia_create(struct decision *d, const struct trivia_create *p, struct trivia_item_result *r)
{
	struct question *questions = arena_zero(d->arena, p->questions.n * sizeof(*questions));
	struct game_totals totals = { 0 };
	struct trivia new = p->trivia;

	if (questions == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "the commit is too large");
	get_game_totals(d->state, 0, &totals);
	new.id = totals.last_trivia_id + 1;
	new.version = 1;
	new.created_at = new.updated_at = d->now;
	new.question_count = (int64_t)p->questions.n;
	for (size_t i = 0; i < p->questions.n; i++) {
		questions[i] = p->questions.v[i].question;
		questions[i].id = totals.last_question_id + 1 + i;
		questions[i].trivia_id = new.id;
		if (check_question(d, &questions[i]) != 0)
			return err_wrap(d->err, "questions[%zu]", i);
	}
	if (need_lore(d, new.unlocks_lore_id) != 0)
		return E_NOT_FOUND;
	decision_address(d, STREAM_trivia, &new.id, NULL);
	EMIT(d, game_trivia_created, .trivia = new, .questions = { questions, p->questions.n });
	find_trivia(d->state, new.id, &r->item);
	return 0;
}

int decide_trivia_update(struct decision *d, const struct trivia_update *p, struct trivia_item_result *r)
{
	struct slice changes, before;
	struct trivia old, new;
	int rc = need_trivia(d, p->id, &old);

	if (rc != 0)
		return rc;
	new = old;
	record_merge(record_trivia(), &new, &p->trivia, p->given_trivia);
	if (GIVEN(p->given_trivia, trivia, unlocks_lore_id) && need_lore(d, new.unlocks_lore_id) != 0)
		return E_NOT_FOUND;
	if (record_diff(record_trivia(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, game_trivia_updated, .id = p->id, .changes = changes, .before = before);
	find_trivia(d->state, p->id, &r->item);
	return 0;
}

int decide_trivia_delete(struct decision *d, const struct trivia_delete *p, struct nothing *r)
{
	struct trivia old;
	int rc = need_trivia(d, p->id, &old);

	(void)r;
	if (rc == 0)
		EMIT(d, game_trivia_deleted, .id = p->id);
	return rc;
}

int decide_question_create(struct decision *d, const struct question_create *p, struct question_item_result *r)
{
	struct game_totals totals = { 0 };
	struct question new = p->question;
	struct trivia t;
	int rc = need_trivia(d, p->trivia_id, &t);

	if (rc == 0)
		rc = check_question(d, &new);
	if (rc != 0)
		return rc;
	if (t.question_count >= TRIVIA_QUESTIONS_MAX) {
		err_set(d->err, E_LIMIT_EXCEEDED, "a trivia holds at most %d questions", TRIVIA_QUESTIONS_MAX);
		err_detail_int(d->err, "limit", TRIVIA_QUESTIONS_MAX);
		return E_LIMIT_EXCEEDED;
	}
	get_game_totals(d->state, 0, &totals);
	new.id = totals.last_question_id + 1;
	new.trivia_id = p->trivia_id;
	EMIT(d, game_question_created, .question = new);
	find_question(d->state, new.id, &r->item);
	return 0;
}

static void address_question(struct decision *d, uint64_t id)
{
	struct question q;

	if (find_question(d->state, id, &q))
		decision_address(d, STREAM_trivia, &q.trivia_id, NULL);
}

void address_question_update(struct decision *d, const struct question_update *p)
{
	address_question(d, p->id);
}

void address_question_delete(struct decision *d, const struct question_delete *p)
{
	address_question(d, p->id);
}

int decide_question_update(struct decision *d, const struct question_update *p, struct question_item_result *r)
{
	struct slice changes, before;
	struct question old, new;
	int rc = need_question(d, p->id, &old);

	if (rc != 0)
		return rc;
	new = old;
	record_merge(record_question(), &new, &p->question, p->given_question);
	rc = check_question(d, &new);
	if (rc != 0)
		return rc;
	if (record_diff(record_question(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, game_question_updated, .id = p->id, .trivia_id = old.trivia_id, .changes = changes,
		     .before = before);
	find_question(d->state, p->id, &r->item);
	return 0;
}

int decide_question_delete(struct decision *d, const struct question_delete *p, struct nothing *r)
{
	struct question old;
	int rc = need_question(d, p->id, &old);

	(void)r;
	if (rc == 0)
		EMIT(d, game_question_deleted, .id = p->id, .trivia_id = old.trivia_id);
	return rc;
}

/* ---- attempts ---- */

static int earlier_answer(const void *a, const void *b)
{
	const struct trivia_answer *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

void attempt_show(struct state *s, const struct trivia_attempt *a, struct attempt_item *ret)
{
	struct trivia_answer *v = arena_zero(s->arena, TRIVIA_QUESTIONS_MAX * sizeof(*v));
	struct row_walk w;
	struct key k;
	size_t n = 0;

	*ret = (struct attempt_item){ .attempt = *a };
	if (v == NULL)
		return;
	key_put_U64(key_begin(&k), a->id);
	row_walk_begin(&w, s, T_attempt_answer, &k, false);
	while (n < TRIVIA_QUESTIONS_MAX && row_walk_next(&w)) {
		struct mp m = mp_of(w.value);

		n += record_get(&m, record_trivia_answer(), &v[n], s->arena);
	}
	row_walk_end(&w);
	if (n > 0)
		qsort(v, n, sizeof(*v), earlier_answer);
	ret->answers.v = v;
	ret->answers.n = n;
}

struct question_asked question_asked(const struct question *q)
{
	return (struct question_asked){ .id = q->id,
					.trivia_id = q->trivia_id,
					.question_text = q->question_text,
					.question_type = q->question_type,
					.options = q->options,
					.media_type = q->media_type,
					.media_path = q->media_path,
					.position = q->position };
}

static bool among(const struct attempt_questions *all, uint64_t id)
{
	for (size_t i = 0; i < all->ids.n; i++)
		if (all->ids.v[i] == id)
			return true;
	return false;
}

/* Ids of the questions that stand in a trivia, by position. */
static size_t questions_of(struct decision *d, uint64_t trivia_id, uint64_t ret[TRIVIA_QUESTIONS_MAX])
{
	struct row_walk w;
	struct key k;
	size_t n = 0;

	key_put_U64(key_begin(&k), trivia_id);
	row_walk_begin(&w, d->state, T_question_by_trivia, &k, false);
	while (n < TRIVIA_QUESTIONS_MAX && row_walk_next(&w)) {
		uint64_t of;
		int64_t position;

		n += take_question_by_trivia(w.key, d->arena, &of, &position, &ret[n]);
	}
	row_walk_end(&w);
	return n;
}

static void started_attempt(struct decision *d, uint64_t id, const uint64_t *ids, size_t n,
			    struct game_start_attempt_result *r)
{
	struct question_asked *asked = arena_zero(d->arena, n * sizeof(*asked));
	struct attempt_questions of = { 0 };
	struct trivia_attempt a = { 0 };
	struct question q;

	get_attempt(d->state, id, &a);
	get_attempt_questions(d->state, id, &of);
	attempt_show(d->state, &a, &r->attempt);
	r->questions.v = asked;
	for (size_t i = 0; i < n && asked != NULL; i++)
		if (among(&of, ids[i]) && get_question(d->state, ids[i], &q))
			asked[r->questions.n++] = question_asked(&q);
}

int decide_game_start_attempt(struct decision *d, const struct game_start_attempt *p,
			      struct game_start_attempt_result *r)
{
	uint64_t *ids = arena_take(d->arena, TRIVIA_QUESTIONS_MAX * sizeof(*ids)), id;
	struct game_totals totals = { 0 };
	struct trivia_user tried = { 0 };
	struct trivia t;
	struct user u;
	size_t n;
	int rc = need_user(d, p->user_id, &u);

	if (rc == 0)
		rc = need_trivia(d, p->trivia_id, &t);
	if (rc != 0)
		return rc;
	if (!t.is_active)
		return err_with(d->err, E_NOT_ACTIVE, "status", "inactive", "trivia %" PRIu64 " is inactive", t.id);
	n = ids != NULL ? questions_of(d, t.id, ids) : 0;
	if (n == 0)
		return err_with(d->err, E_REQUIREMENTS_NOT_MET, "missing", "questions",
				"trivia %" PRIu64 " has no questions", t.id);
	get_trivia_user(d->state, (uint64_t)p->user_id, t.id, &tried);
	get_game_totals(d->state, 0, &totals);
	id = tried.open_attempt != 0 ? tried.open_attempt : totals.last_attempt_id + 1;
	decision_address(d, STREAM_attempt, &id, NULL);
	if (tried.open_attempt == 0)
		EMIT(d, game_attempt_started,
		     .attempt = { .version = 1,
				  .id = id,
				  .user_id = p->user_id,
				  .trivia_id = t.id,
				  .status = SLICE_LIT("open"),
				  .total_questions = (int64_t)n,
				  .started_at = d->now },
		     .question_ids = { ids, n });
	started_attempt(d, id, ids, n, r);
	return 0;
}

static int need_attempt(struct decision *d, uint64_t id, struct trivia_attempt *ret)
{
	return get_attempt(d->state, id, ret) ? 0 : err_missing(d->err, "attempt", (int64_t)id);
}

static bool finished(const struct trivia_attempt *a)
{
	return slice_is(a->status, "finished");
}

static int is_finished(struct decision *d, const struct trivia_attempt *a)
{
	return err_with(d->err, E_ALREADY_PROCESSED, "status", "finished", "attempt %" PRIu64 " is finished", a->id);
}

static bool is_right(struct decision *d, const struct question *q, struct slice answer)
{
	if (!slice_is(q->question_type, "open_ended"))
		return slice_eq(answer, q->correct_answer);
	return slice_eq(text_fold_name(text_trim(answer), d->arena),
			text_fold_name(text_trim(q->correct_answer), d->arena));
}

static int64_t unanswered(struct decision *d, uint64_t attempt_id, const struct attempt_questions *of)
{
	struct question q;
	int64_t n = 0;

	for (size_t i = 0; i < of->ids.n; i++)
		n += get_question(d->state, of->ids.v[i], &q) && !q.deleted &&
		     !has_attempt_answer(d->state, attempt_id, of->ids.v[i]);
	return n;
}

int decide_game_answer(struct decision *d, const struct game_answer *p, struct game_answer_result *r)
{
	struct attempt_questions of = { 0 };
	struct game_totals totals = { 0 };
	struct question q;
	struct trivia_attempt a;
	int rc = need_attempt(d, p->attempt_id, &a);

	if (rc != 0)
		return rc;
	get_attempt_questions(d->state, a.id, &of);
	if (!among(&of, p->question_id) || !get_question(d->state, p->question_id, &q) || q.deleted)
		return err_missing(d->err, "question", (int64_t)p->question_id);
	if (finished(&a))
		return is_finished(d, &a);
	if (has_attempt_answer(d->state, a.id, q.id))
		return err_exists(d->err, "answer", (int64_t)q.id);
	if (p->has_is_correct && !slice_is(q.question_type, "open_ended"))
		return err_field(d->err, "is_correct", "only for open_ended questions");
	get_game_totals(d->state, 0, &totals);
	r->is_correct = p->has_is_correct ? p->is_correct : is_right(d, &q, p->answer);
	r->score = a.score + (r->is_correct && a.score < a.total_questions);
	EMIT(d, game_answer_recorded, .attempt_id = a.id,
	     .answer = { .id = totals.last_answer_id + 1,
			 .question_id = q.id,
			 .user_answer = p->answer,
			 .is_correct = r->is_correct,
			 .answered_at = d->now },
	     .score = r->score);
	r->remaining = unanswered(d, a.id, &of);
	return 0;
}

static int check_score(struct decision *d, const struct trivia_attempt *a, int64_t score)
{
	return score <= a->total_questions ? 0 : err_field(d->err, "score", "must be 0..%" PRId64, a->total_questions);
}

int decide_attempt_update(struct decision *d, const struct attempt_update *p, struct attempt_item_result *r)
{
	struct slice changes, before;
	struct trivia_attempt old, new;
	int rc = need_attempt(d, p->id, &old);

	if (rc != 0)
		return rc;
	if (finished(&old))
		return is_finished(d, &old);
	new = old;
	record_merge(record_trivia_attempt(), &new, &p->attempt, p->given_attempt);
	rc = check_score(d, &old, new.score);
	if (rc != 0)
		return rc;
	if (record_diff(record_trivia_attempt(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, game_attempt_updated, .id = p->id, .changes = changes, .before = before);
	get_attempt(d->state, p->id, &new);
	attempt_show(d->state, &new, &r->item);
	return 0;
}

int decide_game_finish_attempt(struct decision *d, const struct game_finish_attempt *p,
			       struct game_finish_attempt_result *r)
{
	struct trivia_user tried = { 0 };
	struct trivia t = { 0 };
	struct trivia_attempt a;
	struct gains g;
	int64_t needed;
	bool passed;
	int rc = need_attempt(d, p->attempt_id, &a);

	if (rc != 0)
		return rc;
	if (finished(&a))
		return is_finished(d, &a);
	if (p->has_score)
		a.score = p->score;
	rc = check_score(d, &a, a.score);
	if (rc != 0)
		return rc;
	get_trivia(d->state, a.trivia_id, &t);
	get_trivia_user(d->state, (uint64_t)a.user_id, a.trivia_id, &tried);
	needed = t.has_pass_score && t.pass_score < a.total_questions ? t.pass_score : a.total_questions;
	passed = a.score >= needed;
	EMIT(d, game_attempt_finished, .attempt_id = a.id, .user_id = a.user_id, .trivia_id = a.trivia_id,
	     .score = a.score, .total_questions = a.total_questions, .passed = passed,
	     .rewarded = passed && !t.deleted && !tried.has_rewarded_at);
	rc = settle(d);
	get_attempt(d->state, a.id, &a);
	attempt_show(d->state, &a, &r->attempt);
	g = gains_of(d, a.user_id);
	r->points = g.points;
	r->unlocked.v = g.unlocked.v;
	r->unlocked.n = g.unlocked.n;
	return rc;
}

void finish_attempts_of(struct decision *d, int64_t user_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, d->state, T_trivia_user, &k, false);
	while (row_walk_next(&w) && !d->failed) {
		struct mp m = mp_of(w.value);
		struct trivia_user tried;
		struct trivia_attempt a;

		if (!record_get(&m, record_trivia_user(), &tried, d->arena) || tried.open_attempt == 0 ||
		    !get_attempt(d->state, tried.open_attempt, &a))
			continue;
		EMIT(d, game_attempt_finished, .attempt_id = a.id, .user_id = user_id, .trivia_id = a.trivia_id,
		     .score = a.score, .total_questions = a.total_questions);
	}
	row_walk_end(&w);
}
