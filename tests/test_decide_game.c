/* Commands of games: trivia, attempts, minigames, challenges, promotional events, raffles; and their timers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/json.h"
#include "tests/lib/world.h"

static void set(struct world *w, const char *entries)
{
	given(w, "config.set", "{entries: %s}", entries);
}

static void given_user(struct world *w, int id, int points)
{
	given(w, "user.create", "{id: %d}", id);
	if (points > 0)
		given(w, "point.award", "{user_id: %d, amount: %d}", id, points);
}

/* Trivia 1 with question 1 (B), 2 (open: Ana) and 3 (visual: x). */
static void given_trivia(struct world *w)
{
	given(w, "game.create",
	      "{kind: 'trivia', title: ' Capitals ', questions: ["
	      "{question_text: 'First?', options: {A: 'a', B: 'b'}, correct_answer: 'B', position: 2},"
	      "{question_text: 'Who?', question_type: 'open_ended', correct_answer: ' \xC3\x81na ', position: -1},"
	      "{question_text: 'What?', question_type: 'visual', correct_answer: 'x', media_type: 'image',"
	      " media_path: '/x.png', position: 1}]}");
}

static void given_attempt(struct world *w)
{
	given_trivia(w);
	given_user(w, 7, 0);
	given(w, "game.start_attempt", "{user_id: 7, trivia_id: 1}");
}

static void given_challenge(struct world *w, const char *goal, int value)
{
	given(w, "game.create",
	      "{kind: 'challenge', name: 'C', type: 'daily', goal_type: '%s', goal_value: %d, start_at: %lld,"
	      " end_at: %lld}",
	      goal, value, (long long)w->now, (long long)(w->now + DAY));
}

/* ---- kinds ---- */

static void a_kind_is_required(void **state)
{
	static const char *const verbs[] = { "create", "update", "delete", "end" };
	static const char *const queries[] = { "get", "get_many", "list" };
	struct world *w = *state;
	char method[32];

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		snprintf(method, sizeof(method), "game.%s", verbs[i]);
		refused(w, when(w, method, "{id: 1, name: 'x'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
		refused(w, when(w, method, "{kind: 'play', id: 1}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	}
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		snprintf(method, sizeof(method), "game.%s", queries[i]);
		refused(w, ask(w, method, "{id: 1}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
		refused(w, ask(w, method, "{kind: 'player', id: 1}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	}
	assert_int_equal(ask(w, "game.stats", "{}"), 0);
	refused(w, ask(w, "game.stats", "{kind: 'trivia'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

/* ---- trivia ---- */

static void a_trivia_is_created_with_its_questions(void **state)
{
	struct world *w = *state;

	given_trivia(w);
	then(w,
	     "{version: 1, changed: true, item: {id: 1, version: 1, title: 'Capitals', description: null,"
	     " reward_points: 10, unlocks_lore_id: null, pass_score: null, is_active: true, question_count: 3,"
	     " attempts: 0, created_at: %lld, updated_at: %lld}}",
	     (long long)w->now, (long long)w->now);
	assert_string_equal(events(w), "game.trivia_created");
	then_event(
		w, 0,
		"{id: 1, title: 'Capitals', question_count: 3, questions: [{id: 1, trivia_id: 1,"
		" question_type: 'multiple_choice', options: {A: 'a', B: 'b'}, correct_answer: 'B', media_type: null,"
		" media_path: null, position: 2}, {id: 2, position: -1}, {id: 3, media_type: 'image'}]}");
	given(w, "game.create",
	      "{kind: 'trivia', title: 'Empty', reward_points: 0.5, pass_score: 1, is_active: false}");
	then(w, "{item: {id: 2, reward_points: 0.5, pass_score: 1, is_active: false, question_count: 0}}");
	refused(w, when(w, "game.create", "{kind: 'trivia', title: 'T', unlocks_lore_id: 'nowhere'}"), E_NOT_FOUND,
		"{kind: 'lore', id: 'nowhere'}");
	refused(w, when(w, "game.create", "{kind: 'trivia', title: '  '}"), E_INVALID_ARGUMENT, "{field: 'title'}");
	refused(w, when(w, "game.create", "{kind: 'trivia', title: 'T', question_count: 3}"), E_INVALID_ARGUMENT,
		"{field: 'question_count'}");
}

static void questions_must_make_sense(void **state)
{
	static const struct {
		const char *fields, *field;
	} bad[] = {
		{ "correct_answer: 'A'", "options" },
		{ "correct_answer: 'C', options: {A: 'a', B: 'b'}", "correct_answer" },
		{ "correct_answer: 'a', options: {A: 'a', B: 'b'}", "correct_answer" },
		{ "correct_answer: 'A', options: {A: 1}", "options" },
		{ "correct_answer: 'A', options: {A:'',B:'',C:'',D:'',E:'',F:'',G:'',H:'',I:'',J:'',K:''}", "options" },
		{ "correct_answer: 'A', options: {A: 'a'}, question_type: 'essay'", "question_type" },
		{ "correct_answer: 'A', options: {A: 'a'}, media_type: 'sound'", "media_type" },
		{ "correct_answer: 'A', options: ['A']", "options" },
		{ "options: {A: 'a'}", "correct_answer" },
	};
	struct world *w = *state;

	given_trivia(w);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refused(w,
			when(w, "game.create", "{kind: 'question', trivia_id: 1, question_text: 'q', %s}",
			     bad[i].fields),
			E_INVALID_ARGUMENT, "{field: '%s'}", bad[i].field);
		refused(w,
			when(w, "game.create", "{kind: 'trivia', title: 't', questions: [{question_text: 'q', %s}]}",
			     bad[i].fields),
			E_INVALID_ARGUMENT, "{field: '%s'}", bad[i].field);
	}
	refused(w, when(w, "game.create", "{kind: 'question', trivia_id: 9, question_text: 'q', correct_answer: 'A'}"),
		E_NOT_FOUND, "{kind: 'trivia', id: 9}");
	refused(w, when(w, "game.update", "{kind: 'question', id: 1, correct_answer: 'C'}"), E_INVALID_ARGUMENT,
		"{field: 'correct_answer'}");
	refused(w, when(w, "game.update", "{kind: 'question', id: 1, options: null}"), E_INVALID_ARGUMENT,
		"{field: 'options'}");
	refused(w, when(w, "game.update", "{kind: 'question', id: 1, trivia_id: 2}"), E_INVALID_ARGUMENT,
		"{field: 'trivia_id'}");
}

static void a_trivia_and_its_questions_change_in_one_stream(void **state)
{
	struct world *w = *state;

	given_trivia(w);
	w->now += HOUR;
	given(w, "game.update", "{kind: 'trivia', id: 1, title: 'Towns', pass_score: 2, is_active: false}");
	then(w, "{version: 2, item: {title: 'Towns', pass_score: 2, is_active: false, updated_at: %lld}}",
	     (long long)w->now);
	assert_string_equal(events(w), "game.trivia_updated");
	then_event(w, 0,
		   "{id: 1, changes: {title: 'Towns', pass_score: 2}, before: {title: 'Capitals', pass_score: null}}");
	given(w, "game.update", "{kind: 'trivia', id: 1, title: 'Towns', pass_score: 2}");
	then(w, "{changed: false, version: 2}");
	given(w, "game.update", "{kind: 'trivia', id: 1, pass_score: null}");
	then(w, "{version: 3, item: {pass_score: null}}");
	given(w, "game.create",
	      "{kind: 'question', trivia_id: 1, question_text: 'More?', question_type: 'open_ended', correct_answer: "
	      "'y'}");
	then(w, "{version: 4, item: {id: 4, trivia_id: 1, position: 0, options: null}}");
	assert_string_equal(events(w), "game.question_created");
	then_event(w, 0, "{id: 4, trivia_id: 1, question_text: 'More?'}");
	given(w, "game.update", "{kind: 'question', id: 4, position: 9, correct_answer: 'z'}");
	then(w, "{version: 5, item: {position: 9, correct_answer: 'z'}}");
	assert_string_equal(events(w), "game.question_updated");
	then_event(w, 0, "{id: 4, trivia_id: 1, changes: {position: 9, correct_answer: 'z'}, before: {position: 0}}");
	given(w, "game.delete", "{kind: 'question', id: 4}");
	then(w, "{version: 6}");
	assert_string_equal(events(w), "game.question_deleted");
	then_event(w, 0, "{id: 4, trivia_id: 1}");
	answers(w, "game.get", "{kind: 'trivia', id: 1}", "{version: 6, question_count: 3}");
	refused(w, when(w, "game.update", "{kind: 'question', id: 4, position: 1}"), E_NOT_FOUND,
		"{kind: 'question', id: 4}");
	refused(w, when(w, "game.delete", "{kind: 'question', id: 4}"), E_NOT_FOUND, "{kind: 'question'}");
	refused(w, when(w, "game.update", "{kind: 'trivia', id: 2, title: 'x'}"), E_NOT_FOUND,
		"{kind: 'trivia', id: 2}");
	refused(w, when(w, "game.update", "{kind: 'trivia', id: 1, unlocks_lore_id: 'x'}"), E_NOT_FOUND,
		"{kind: 'lore'}");
	given(w, "game.delete", "{kind: 'trivia', id: 1}");
	assert_string_equal(events(w), "game.trivia_deleted");
	refused(w, when(w, "game.delete", "{kind: 'trivia', id: 1}"), E_NOT_FOUND, "{kind: 'trivia'}");
	refused(w, ask(w, "game.get", "{kind: 'question', id: 1}"), E_NOT_FOUND, "{kind: 'question'}");
}

static void a_trivia_holds_two_hundred_questions(void **state)
{
	struct world *w = *state;

	given(w, "game.create", "{kind: 'trivia', title: 'Long'}");
	for (int i = 0; i < 200; i++)
		given(w, "game.create",
		      "{kind: 'question', trivia_id: 1, question_text: 'q', question_type: 'visual', correct_answer: "
		      "'x'}");
	refused(w,
		when(w, "game.create",
		     "{kind: 'question', trivia_id: 1, question_text: 'q', question_type: 'visual', correct_answer: "
		     "'x'}"),
		E_LIMIT_EXCEEDED, "{limit: 200}");
	given_user(w, 7, 0);
	given(w, "game.start_attempt", "{user_id: 7, trivia_id: 1}");
	then(w, "{attempt: {total_questions: 200}}");
	given(w, "game.delete", "{kind: 'question', id: 5}");
	given(w, "game.create",
	      "{kind: 'question', trivia_id: 1, question_text: 'q', question_type: 'visual', correct_answer: 'x'}");
}

/* ---- attempts ---- */

static void an_attempt_asks_without_answers(void **state)
{
	struct world *w = *state;

	given_attempt(w);
	assert_string_equal(events(w), "game.attempt_started");
	then(w,
	     "{version: 1, attempt: {id: 1, version: 1, user_id: 7, trivia_id: 1, status: 'open', score: 0,"
	     " total_questions: 3, answers: [], passed: null, rewarded: false, started_at: %lld, completed_at: null},"
	     " questions: [{id: 2, question_text: 'Who?'}, {id: 3, media_path: '/x.png'}, {id: 1, options: {A: 'a'}}]}",
	     (long long)w->now);
	assert_null(json_object_get(json_array_get(json_object_get(w->result, "questions"), 0), "correct_answer"));
	then_event(w, 0, "{id: 1, user_id: 7, question_ids: [2, 3, 1]}");
	given(w, "game.answer", "{attempt_id: 1, question_id: 1, answer: 'A'}");
	given(w, "game.start_attempt", "{user_id: 7, trivia_id: 1}");
	then(w, "{changed: false, version: 2, attempt: {id: 1, answers: [{question_id: 1, user_answer: 'A'}]}}");
	refused(w, when(w, "game.start_attempt", "{user_id: 8, trivia_id: 1}"), E_NOT_FOUND, "{kind: 'user', id: 8}");
	refused(w, when(w, "game.start_attempt", "{user_id: 7, trivia_id: 8}"), E_NOT_FOUND, "{kind: 'trivia', id: 8}");
	given(w, "game.create", "{kind: 'trivia', title: 'Empty'}");
	refused(w, when(w, "game.start_attempt", "{user_id: 7, trivia_id: 2}"), E_REQUIREMENTS_NOT_MET,
		"{missing: 'questions'}");
	given(w, "game.update", "{kind: 'trivia', id: 2, is_active: false}");
	refused(w, when(w, "game.start_attempt", "{user_id: 7, trivia_id: 2}"), E_NOT_ACTIVE, "{status: 'inactive'}");
}

static void answers_are_judged_by_the_daemon(void **state)
{
	struct world *w = *state;

	given_attempt(w);
	refused(w, when(w, "game.answer", "{attempt_id: 9, question_id: 1, answer: 'B'}"), E_NOT_FOUND,
		"{kind: 'attempt', id: 9}");
	refused(w, when(w, "game.answer", "{attempt_id: 1, question_id: 9, answer: 'B'}"), E_NOT_FOUND,
		"{kind: 'question', id: 9}");
	refused(w, when(w, "game.answer", "{attempt_id: 1, question_id: 1, answer: 'B', is_correct: true}"),
		E_INVALID_ARGUMENT, "{field: 'is_correct'}");
	given(w, "game.answer", "{attempt_id: 1, question_id: 1, answer: 'B'}");
	then(w, "{version: 2, is_correct: true, score: 1, remaining: 2}");
	assert_string_equal(events(w), "game.answer_recorded");
	then_event(w, 0,
		   "{attempt_id: 1, score: 1, answer: {id: 1, question_id: 1, user_answer: 'B', is_correct: true,"
		   " answered_at: %lld}}",
		   (long long)w->now);
	refused(w, when(w, "game.answer", "{attempt_id: 1, question_id: 1, answer: 'B'}"), E_ALREADY_EXISTS,
		"{kind: 'answer', id: 1}");
	given(w, "game.answer", "{attempt_id: 1, question_id: 2, answer: '\xC3\xA1NA '}");
	then(w, "{is_correct: true, score: 2, remaining: 1}");
	given(w, "game.answer", "{attempt_id: 1, question_id: 3, answer: 'X'}");
	then(w, "{is_correct: false, score: 2, remaining: 0}");
	given(w, "game.finish_attempt", "{attempt_id: 1}");
	then(w, "{points: 0, attempt: {passed: false, rewarded: false, score: 2, status: 'finished', answers: [{id: "
		"1}, {id: 2}, {id: 3}]}}");
	refused(w, when(w, "game.answer", "{attempt_id: 1, question_id: 3, answer: 'X'}"), E_ALREADY_PROCESSED,
		"{status: 'finished'}");
	refused(w, when(w, "game.answer", "{attempt_id: 1, question_id: 9, answer: 'X'}"), E_NOT_FOUND, "{}");
	given(w, "game.start_attempt", "{user_id: 7, trivia_id: 1}");
	then(w, "{attempt: {id: 2}}");
	given(w, "game.answer", "{attempt_id: 2, question_id: 2, answer: 'Anna', is_correct: true}");
	then(w, "{is_correct: true, score: 1}");
}

static void the_first_passed_attempt_is_rewarded(void **state)
{
	struct world *w = *state;

	given_attempt(w);
	given(w, "game.update", "{kind: 'trivia', id: 1, pass_score: 1}");
	given(w, "game.answer", "{attempt_id: 1, question_id: 1, answer: 'B'}");
	given(w, "game.finish_attempt", "{attempt_id: 1}");
	then(w,
	     "{version: 3, points: 10, unlocked: [], attempt: {passed: true, rewarded: true, score: 1,"
	     " completed_at: %lld}}",
	     (long long)w->now);
	assert_string_equal(events(w), "game.attempt_finished point.credited");
	then_event(w, 0,
		   "{attempt_id: 1, user_id: 7, trivia_id: 1, score: 1, total_questions: 3, passed: true,"
		   " rewarded: true}");
	then_event(w, 1, "{user_id: 7, amount: 10, source: 'trivia', description: '', ref: {kind: 'trivia', id: 1}}");
	refused(w, when(w, "game.finish_attempt", "{attempt_id: 1}"), E_ALREADY_PROCESSED, "{status: 'finished'}");
	refused(w, when(w, "game.finish_attempt", "{attempt_id: 2}"), E_NOT_FOUND, "{kind: 'attempt', id: 2}");
	given(w, "game.start_attempt", "{user_id: 7, trivia_id: 1}");
	given(w, "game.finish_attempt", "{attempt_id: 2, score: 3}");
	then(w, "{points: 0, attempt: {passed: true, rewarded: false, score: 3}}");
	answers(w, "game.get", "{kind: 'trivia', id: 1, user_id: 7}",
		"{attempts: 2, user: {attempts: 2, best_score: 3, rewarded_at: %lld}}", (long long)w->now);
}

static void a_passed_trivia_unlocks_lore(void **state)
{
	struct world *w = *state;

	given(w, "narrative.create",
	      "{kind: 'lore', id: 'map', title: 'A map', content_type: 'text', content: 'Here'}");
	given_attempt(w);
	given(w, "game.update", "{kind: 'trivia', id: 1, unlocks_lore_id: 'map', reward_points: 0}");
	given(w, "game.finish_attempt", "{attempt_id: 1, score: 3}");
	assert_string_equal(events(w), "game.attempt_finished narrative.story_started narrative.lore_unlocked");
	then(w, "{points: 0, unlocked: [{kind: 'lore', id: 'map'}]}");
	then_event(w, 2, "{user_id: 7, lore_id: 'map', source: 'trivia'}");
}

static void a_reward_above_the_ceiling_refuses_the_end(void **state)
{
	struct world *w = *state;

	given_attempt(w);
	given(w, "point.award", "{user_id: 7, amount: 4000000000000}");
	refused(w, when(w, "game.finish_attempt", "{attempt_id: 1, score: 3}"), E_LIMIT_EXCEEDED, "{}");
	given(w, "game.finish_attempt", "{attempt_id: 1}");
}

static void a_score_can_be_set_by_hand(void **state)
{
	struct world *w = *state;

	given_attempt(w);
	refused(w, when(w, "game.update", "{kind: 'attempt', id: 2, score: 2}"), E_NOT_FOUND,
		"{kind: 'attempt', id: 2}");
	refused(w, when(w, "game.update", "{kind: 'attempt', id: 1, score: 4}"), E_INVALID_ARGUMENT,
		"{field: 'score'}");
	refused(w, when(w, "game.update", "{kind: 'attempt', id: 1, score: -1}"), E_INVALID_ARGUMENT,
		"{field: 'score'}");
	given(w, "game.update", "{kind: 'attempt', id: 1, score: 2}");
	then(w, "{version: 2, item: {id: 1, score: 2, answers: []}}");
	assert_string_equal(events(w), "game.attempt_updated");
	then_event(w, 0, "{id: 1, changes: {score: 2}, before: {score: 0}}");
	given(w, "game.answer", "{attempt_id: 1, question_id: 1, answer: 'B'}");
	then(w, "{score: 3}");
	given(w, "game.answer", "{attempt_id: 1, question_id: 3, answer: 'x'}");
	then(w, "{is_correct: true, score: 3}");
	refused(w, when(w, "game.finish_attempt", "{attempt_id: 1, score: 4}"), E_INVALID_ARGUMENT, "{field: 'score'}");
	given(w, "game.finish_attempt", "{attempt_id: 1}");
	then(w, "{points: 10, attempt: {passed: true}}");
	refused(w, when(w, "game.update", "{kind: 'attempt', id: 1, score: 1}"), E_ALREADY_PROCESSED,
		"{status: 'finished'}");
}

static void open_attempts_go_on_with_what_remains(void **state)
{
	struct world *w = *state;

	given_attempt(w);
	given(w, "game.delete", "{kind: 'question', id: 1}");
	given(w, "game.create",
	      "{kind: 'question', trivia_id: 1, question_text: 'n', question_type: 'visual', correct_answer: 'x'}");
	refused(w, when(w, "game.answer", "{attempt_id: 1, question_id: 1, answer: 'B'}"), E_NOT_FOUND,
		"{kind: 'question'}");
	refused(w, when(w, "game.answer", "{attempt_id: 1, question_id: 4, answer: 'x'}"), E_NOT_FOUND,
		"{kind: 'question'}");
	given(w, "game.start_attempt", "{user_id: 7, trivia_id: 1}");
	then(w, "{attempt: {total_questions: 3}, questions: [{id: 2}, {id: 3}]}");
	given(w, "game.update", "{kind: 'trivia', id: 1, pass_score: 1}");
	given(w, "game.delete", "{kind: 'trivia', id: 1}");
	given(w, "game.answer", "{attempt_id: 1, question_id: 3, answer: 'x'}");
	then(w, "{is_correct: true, remaining: 1}");
	given(w, "game.finish_attempt", "{attempt_id: 1}");
	then(w, "{points: 0, attempt: {passed: true, rewarded: false}}");
	assert_string_equal(events(w), "game.attempt_finished");
	refused(w, when(w, "game.start_attempt", "{user_id: 7, trivia_id: 1}"), E_NOT_FOUND, "{kind: 'trivia'}");
}

/* ---- minigames ---- */

static void roulette_is_free_once_a_day(void **state)
{
	struct world *w = *state;
	int64_t start = w->now;

	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 4}");
	assert_string_equal(events(w), "user.created game.played point.credited");
	then(w,
	     "{version: 1, balance: 4, next_free_at: %lld, play: {id: 1, user_id: 7, game_type: 'roulette', used_at: "
	     "%lld,"
	     " is_free: true, cost_points: 0, score: 4, reward_points: 4}}",
	     (long long)(start + DAY), (long long)start);
	then_event(w, 1, "{id: 1, user_id: 7, drawn: false}");
	then_event(w, 2, "{amount: 4, source: 'minigame', ref: {kind: 'play', id: 1}}");
	refused(w, when(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 4}"), E_INSUFFICIENT_POINTS,
		"{required: 5, available: 4}");
	refused(w, when(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 4, allow_paid: false}"), E_COOLDOWN,
		"{retry_at: %lld}", (long long)(start + DAY));
	given(w, "point.award", "{user_id: 7, amount: 10}");
	w->now += HOUR;
	given(w, "game.play", "{user_id: 7, game_type: 'roulette'}");
	assert_string_equal(events(w), "game.played point.debited point.credited");
	then(w, "{version: 2, next_free_at: %lld, play: {id: 2, is_free: false, cost_points: 5}}",
	     (long long)(start + DAY));
	then_event(w, 0, "{drawn: true}");
	then_event(w, 1, "{amount: 5, source: 'minigame', ref: {kind: 'play', id: 2}}");
	w->now = start + DAY;
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', allow_paid: false, score: 1}");
	then(w, "{play: {is_free: true}}");
	answers(w, "user.get", "{id: 7, include: ['stats']}",
		"{stats: {last_roulette_at: %lld, last_activity_at: %lld}}", (long long)w->now, (long long)w->now);
}

static void settings_make_roulette_dearer(void **state)
{
	struct world *w = *state;

	set(w, "{minigames.roulette_cost: 2.5, minigames.cooldown_hours: 1}");
	given_user(w, 7, 10);
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 1}");
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 1}");
	then(w, "{play: {cost_points: 2.5}, balance: 9.5, next_free_at: %lld}", (long long)(w->now + HOUR));
	w->now += HOUR;
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 1}");
	then(w, "{play: {is_free: true}}");
	set(w, "{minigames.enabled: false}");
	refused(w, when(w, "game.play", "{user_id: 8, game_type: 'dice'}"), E_FORBIDDEN, "{reason: 'disabled'}");
}

static void a_corrected_time_moves_the_free_play(void **state)
{
	struct world *w = *state;

	given_user(w, 7, 0);
	given(w, "user.update", "{id: 7, stats: {last_roulette_at: %lld}}", (long long)(w->now - HOUR));
	refused(w, when(w, "game.play", "{user_id: 7, game_type: 'roulette', allow_paid: false}"), E_COOLDOWN,
		"{retry_at: %lld}", (long long)(w->now + 23 * HOUR));
	given(w, "user.update", "{id: 7, stats: {messages_sent: 3}}");
	refused(w, when(w, "game.play", "{user_id: 7, game_type: 'roulette', allow_paid: false}"), E_COOLDOWN, "{}");
	given(w, "user.update", "{id: 7, stats: {last_roulette_at: null}}");
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', allow_paid: false}");
	given(w, "user.update", "{id: 7, stats: {last_roulette_at: %lld}}", (long long)(w->now - DAY));
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', allow_paid: false}");
}

static void each_game_has_its_terms(void **state)
{
	struct world *w = *state;

	given(w, "game.play", "{user_id: 7, game_type: 'dice', score: 6}");
	then(w, "{balance: 6, next_free_at: null, play: {is_free: true, cost_points: 0, reward_points: 6}}");
	given(w, "game.play", "{user_id: 7, game_type: 'dice', score: 1}");
	then(w, "{balance: 7, play: {is_free: true}}");
	given(w, "game.play", "{user_id: 7, game_type: 'quick_trivia', score: 1}");
	then(w, "{balance: 12, next_free_at: null, play: {reward_points: 5}}");
	given(w, "game.play", "{user_id: 7, game_type: 'quick_trivia', score: 0}");
	then(w, "{balance: 12, play: {reward_points: 0}}");
	assert_string_equal(events(w), "game.played");
	given(w, "game.play", "{user_id: 7, game_type: 'darts', score: -20, reward_points: 1.5}");
	then(w, "{balance: 13.5, play: {score: -20, reward_points: 1.5}}");
	given(w, "game.play", "{user_id: 7, game_type: 'slots', cost_points: 3, cooldown_hours: 2}");
	then(w, "{balance: 13.5, next_free_at: %lld, play: {is_free: true, score: null}}",
	     (long long)(w->now + 2 * HOUR));
	given(w, "game.play", "{user_id: 7, game_type: 'slots', cost_points: 3, cooldown_hours: 2, reward_points: 1}");
	then(w, "{balance: 11.5, play: {is_free: false, cost_points: 3}}");
	given(w, "game.play", "{user_id: 7, game_type: 'slots', cost_points: 3}");
	then(w, "{balance: 8.5, next_free_at: %lld}", (long long)(w->now + DAY));
}

static void params_of_another_game_are_refused(void **state)
{
	static const struct {
		const char *params, *field;
	} bad[] = {
		{ "game_type: 'roulette', score: 0", "score" },
		{ "game_type: 'dice', score: 7", "score" },
		{ "game_type: 'dice', cost_points: 1", "cost_points" },
		{ "game_type: 'roulette', cooldown_hours: 1", "cooldown_hours" },
		{ "game_type: 'quick_trivia', score: 1, reward_points: 1", "reward_points" },
		{ "game_type: 'quick_trivia'", "score" },
		{ "game_type: 'quick_trivia', score: 2", "score" },
		{ "game_type: 'darts', cooldown_hours: 8761", "cooldown_hours" },
		{ "game_type: 'darts', cost_points: -1", "cost_points" },
		{ "game_type: '123456789012345678901234567890123'", "game_type" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "game.play", "{user_id: 7, %s}", bad[i].params), E_INVALID_ARGUMENT, "{field: '%s'}",
			bad[i].field);
	given(w, "point.award", "{user_id: 7, amount: 4000000000000}");
	refused(w, when(w, "game.play", "{user_id: 7, game_type: 'dice'}"), E_LIMIT_EXCEEDED, "{}");
}

static void dice_fall_on_every_side(void **state)
{
	struct world *w = *state;
	int seen[7] = { 0 };

	for (int i = 0; i < 300; i++) {
		json_int_t score;

		given(w, "game.play", "{user_id: 7, game_type: 'dice'}");
		score = json_integer_value(json_object_get(json_object_get(w->result, "play"), "score"));
		assert_in_range(score, 1, 6);
		seen[score]++;
	}
	for (int side = 1; side <= 6; side++)
		assert_in_range(seen[side], 20, 90);
}

/* ---- challenges ---- */

static void a_challenge_has_a_window(void **state)
{
	struct world *w = *state;
	long long now = w->now;

	given_challenge(w, "messages", 2);
	assert_string_equal(events(w), "game.challenge_created game.challenge_opened");
	then(w,
	     "{version: 2, item: {id: 1, version: 2, name: 'C', type: 'daily', goal_type: 'messages', goal_value: 2,"
	     " start_at: %lld, end_at: %lld, user_id: null, reward_points: 100, penalty_points: 0, status: 'open',"
	     " participants: 0, completions: 0, created_at: %lld}}",
	     now, now + DAY, now);
	then_event(w, 0, "{id: 1, status: 'scheduled'}");
	then_event(w, 1, "{id: 1, due_at: null}");
	set(w, "{points.challenge: 7}");
	given(w, "game.create",
	      "{kind: 'challenge', name: 'Later', type: 'weekly', goal_type: 'checkins', goal_value: 1, start_at: %lld,"
	      " end_at: %lld}",
	      now + HOUR, now + DAY);
	assert_string_equal(events(w), "game.challenge_created");
	then(w, "{item: {id: 2, status: 'scheduled', reward_points: 7}}");
	w->now += HOUR;
	answers(w, "game.get", "{kind: 'challenge', id: 2}", "{status: 'open'}");
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "game.challenge_opened");
	then_event(w, 0, "{id: 2, due_at: %lld}", now + HOUR);
	w->now = now + DAY;
	answers(w, "game.get", "{kind: 'challenge', id: 2}", "{status: 'closed'}");
	assert_int_equal(tick(w), 2);
	assert_string_equal(events(w), "game.challenge_closed");
	then_event(w, 0, "{id: 2, due_at: %lld, completions: 0}", now + DAY);
	assert_int_equal(tick(w), 0);
}

static void challenges_must_make_sense(void **state)
{
	static const struct {
		const char *fields, *field;
	} bad[] = {
		{ "type: 'daily'", "start_at" },
		{ "type: 'daily', start_at: 5", "end_at" },
		{ "type: 'daily', end_at: 5", "start_at" },
		{ "type: 'daily', start_at: 5, end_at: 5", "end_at" },
		{ "type: 'daily', start_at: 5, end_at: 1772452800000", "end_at" },
		{ "type: 'daily', start_at: 5, end_at: 1872452800000, penalty_points: 1", "penalty_points" },
		{ "type: 'daily', start_at: 5, end_at: 1872452800000, user_id: 7", "user_id" },
		{ "type: 'daily', duration_minutes: 5", "duration_minutes" },
		{ "type: 'personal', duration_minutes: 5, start_at: 5, end_at: 1872452800000", "duration_minutes" },
		{ "type: 'personal', start_at: 5", "end_at" },
		{ "type: 'personal'", "user_id" },
		{ "type: 'personal', user_id: 7, duration_minutes: 525601", "duration_minutes" },
		{ "type: 'yearly', start_at: 5, end_at: 1872452800000", "type" },
	};
	struct world *w = *state;

	given_user(w, 7, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w,
			when(w, "game.create",
			     "{kind: 'challenge', name: 'c', goal_type: 'messages', goal_value: 1, %s}", bad[i].fields),
			E_INVALID_ARGUMENT, "{field: '%s'}", bad[i].field);
	refused(w,
		when(w, "game.create",
		     "{kind: 'challenge', name: 'c', goal_type: 'messages', goal_value: 1, type: 'personal', user_id: "
		     "8}"),
		E_NOT_FOUND, "{kind: 'user', id: 8}");
	refused(w,
		when(w, "game.create",
		     "{kind: 'challenge', name: 'c', goal_type: 'messages', goal_value: 0, type: 'personal', user_id: "
		     "7}"),
		E_INVALID_ARGUMENT, "{field: 'goal_value'}");
}

static void an_open_challenge_keeps_its_goal(void **state)
{
	struct world *w = *state;
	long long now = w->now;

	given(w, "game.create",
	      "{kind: 'challenge', name: 'Later', type: 'weekly', goal_type: 'checkins', goal_value: 1, start_at: %lld,"
	      " end_at: %lld}",
	      now + HOUR, now + DAY);
	given(w, "game.update", "{kind: 'challenge', id: 1, goal_type: 'messages', goal_value: 3, reward_points: 1}");
	assert_string_equal(events(w), "game.challenge_updated");
	then(w, "{version: 2, item: {goal_type: 'messages', goal_value: 3, reward_points: 1}}");
	then_event(w, 0, "{id: 1, changes: {goal_value: 3}, before: {goal_value: 1, reward_points: 100}}");
	given(w, "game.update", "{kind: 'challenge', id: 1, goal_value: 3}");
	then(w, "{changed: false}");
	refused(w, when(w, "game.update", "{kind: 'challenge', id: 1, end_at: %lld}", now + HOUR), E_INVALID_ARGUMENT,
		"{field: 'end_at'}");
	refused(w, when(w, "game.update", "{kind: 'challenge', id: 1, penalty_points: 1}"), E_INVALID_ARGUMENT,
		"{field: 'penalty_points'}");
	refused(w, when(w, "game.update", "{kind: 'challenge', id: 1, type: 'daily'}"), E_INVALID_ARGUMENT,
		"{field: 'type'}");
	refused(w, when(w, "game.update", "{kind: 'challenge', id: 2, name: 'x'}"), E_NOT_FOUND,
		"{kind: 'challenge', id: 2}");
	given(w, "game.update", "{kind: 'challenge', id: 1, start_at: %lld}", now - HOUR);
	assert_string_equal(events(w), "game.challenge_updated game.challenge_opened");
	then(w, "{item: {status: 'open'}}");
	refused(w, when(w, "game.update", "{kind: 'challenge', id: 1, goal_type: 'checkins'}"), E_INVALID_ARGUMENT,
		"{field: 'goal_type'}");
	refused(w, when(w, "game.update", "{kind: 'challenge', id: 1, goal_value: 2}"), E_INVALID_ARGUMENT,
		"{field: 'goal_value'}");
	refused(w, when(w, "game.update", "{kind: 'challenge', id: 1, start_at: %lld}", now), E_INVALID_ARGUMENT,
		"{field: 'start_at'}");
	given(w, "game.update", "{kind: 'challenge', id: 1, name: 'Soon over', end_at: %lld}", now + MINUTE);
	w->now += MINUTE;
	refused(w, when(w, "game.update", "{kind: 'challenge', id: 1, name: 'x'}"), E_ALREADY_PROCESSED,
		"{status: 'closed'}");
	assert_int_equal(tick(w), 1);
	refused(w, when(w, "game.update", "{kind: 'challenge', id: 1, name: 'x'}"), E_ALREADY_PROCESSED,
		"{status: 'closed'}");
	given(w, "game.delete", "{kind: 'challenge', id: 1}");
	assert_string_equal(events(w), "game.challenge_deleted");
	refused(w, when(w, "game.delete", "{kind: 'challenge', id: 1}"), E_NOT_FOUND, "{kind: 'challenge'}");
}

static void progress_reaches_the_goal(void **state)
{
	struct world *w = *state;

	given_user(w, 7, 0);
	given_challenge(w, "reactions", 4);
	given(w, "game.advance_challenge", "{user_id: 7, challenge_id: 1}");
	assert_string_equal(events(w), "game.challenge_progressed");
	then(w,
	     "{version: 1, completed: false, points: 0, progress: {user_id: 7, challenge_id: 1, value: 1, completed: "
	     "false,"
	     " completed_at: null, percentage: 25.0, updated_at: %lld}}",
	     (long long)w->now);
	then_event(w, 0, "{user_id: 7, challenge_id: 1, value: 1}");
	given(w, "game.advance_challenge", "{user_id: 7, challenge_id: 1, to: 2}");
	then(w, "{progress: {value: 2}}");
	given(w, "game.advance_challenge", "{user_id: 7, challenge_id: 1, to: 2}");
	then(w, "{changed: false, version: 2}");
	given(w, "game.advance_challenge", "{user_id: 7, challenge_id: 1, to: 0}");
	then(w, "{progress: {value: 0, percentage: 0.0}}");
	given(w, "game.advance_challenge", "{user_id: 7, challenge_id: 1, by: 5}");
	assert_string_equal(events(w), "game.challenge_progressed game.challenge_completed point.credited");
	then(w,
	     "{version: 5, completed: true, points: 100, progress: {value: 5, percentage: 100.0, completed_at: %lld}}",
	     (long long)w->now);
	then_event(w, 1, "{user_id: 7, challenge_id: 1, value: 5, reward_points: 100}");
	then_event(w, 2, "{amount: 100, source: 'challenge', ref: {kind: 'challenge', id: 1}}");
	refused(w, when(w, "game.advance_challenge", "{user_id: 7, challenge_id: 1}"), E_ALREADY_COMPLETED,
		"{completed_at: %lld}", (long long)w->now);
	refused(w, when(w, "game.complete_challenge", "{user_id: 7, challenge_id: 1}"), E_ALREADY_COMPLETED, "{}");
	answers(w, "game.get", "{kind: 'challenge', id: 1, user_id: 7}",
		"{participants: 1, completions: 1, user: {value: 5, completed: true}}");
	given_user(w, 8, 0);
	given(w, "game.complete_challenge", "{user_id: 8, challenge_id: 1}");
	assert_string_equal(events(w), "game.challenge_progressed game.challenge_completed point.credited");
	then(w, "{progress: {value: 4}, completed: true, points: 100}");
	given_user(w, 9, 0);
	given(w, "point.award", "{user_id: 9, amount: 4000000000000}");
	refused(w, when(w, "game.complete_challenge", "{user_id: 9, challenge_id: 1}"), E_LIMIT_EXCEEDED, "{}");
	refused(w, when(w, "game.advance_challenge", "{user_id: 9, challenge_id: 1, by: 4}"), E_LIMIT_EXCEEDED, "{}");
}

static void progress_needs_an_open_window(void **state)
{
	static const char *const methods[] = { "game.advance_challenge", "game.complete_challenge" };
	struct world *w = *state;
	long long now = w->now;

	given_user(w, 7, 0);
	given_user(w, 8, 0);
	given(w, "game.create",
	      "{kind: 'challenge', name: 'Later', type: 'monthly', goal_type: 'checkins', goal_value: 1, start_at: "
	      "%lld,"
	      " end_at: %lld}",
	      now + HOUR, now + DAY);
	given(w, "game.create",
	      "{kind: 'challenge', name: 'Mine', type: 'personal', goal_type: 'reactions', goal_value: 3, user_id: 7}");
	then(w, "{item: {user_id: 7, reward_points: 5, penalty_points: 2, start_at: %lld, end_at: %lld}}", now,
	     now + 10 * MINUTE);
	for (int i = 0; i < 2; i++) {
		refused(w, when(w, methods[i], "{user_id: 7, challenge_id: 1}"), E_NOT_ACTIVE, "{status: 'scheduled'}");
		refused(w, when(w, methods[i], "{user_id: 8, challenge_id: 2}"), E_FORBIDDEN, "{reason: 'personal'}");
		refused(w, when(w, methods[i], "{user_id: 9, challenge_id: 2}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
		refused(w, when(w, methods[i], "{user_id: 7, challenge_id: 3}"), E_NOT_FOUND,
			"{kind: 'challenge', id: 3}");
	}
	refused(w, when(w, "game.advance_challenge", "{user_id: 7, challenge_id: 2, by: 0}"), E_INVALID_ARGUMENT,
		"{field: 'by'}");
	refused(w, when(w, "game.advance_challenge", "{user_id: 7, challenge_id: 2, to: -1}"), E_INVALID_ARGUMENT,
		"{field: 'to'}");
	refused(w, when(w, "game.advance_challenge", "{user_id: 7, challenge_id: 2, by: 1, to: 1}"), E_INVALID_ARGUMENT,
		"{field: 'to'}");
	w->now = now + DAY;
	for (int i = 0; i < 2; i++)
		refused(w, when(w, methods[i], "{user_id: 7, challenge_id: 1}"), E_NOT_ACTIVE, "{status: 'closed'}");
}

static void a_personal_challenge_can_fail(void **state)
{
	struct world *w = *state;

	given_user(w, 7, 1);
	given_user(w, 8, 0);
	given_user(w, 9, 9);
	given_user(w, 10, 0);
	for (int id = 7; id <= 10; id++)
		given(w, "game.create",
		      "{kind: 'challenge', name: 'Mine', type: 'personal', goal_type: 'reactions', goal_value: 1, "
		      "user_id: %d,"
		      " duration_minutes: %d, reward_points: 3, penalty_points: 2.5}",
		      id, id);
	given(w, "game.complete_challenge", "{user_id: 9, challenge_id: 3}");
	then(w, "{points: 3}");
	given(w, "user.delete", "{id: 10}");
	w->now += 7 * MINUTE;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "game.challenge_closed game.challenge_failed point.debited");
	then_event(w, 0, "{id: 1, completions: 0}");
	then_event(w, 1, "{user_id: 7, challenge_id: 1, penalty_points: 2.5}");
	then_event(w, 2, "{user_id: 7, amount: 1, source: 'penalty', ref: {kind: 'challenge', id: 1}}");
	w->now += MINUTE;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "game.challenge_closed game.challenge_failed");
	w->now += MINUTE;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "game.challenge_closed");
	then_event(w, 0, "{id: 3, completions: 1}");
	w->now += MINUTE;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "game.challenge_closed");
	answers(w, "game.get", "{kind: 'challenge', id: 1}", "{version: 4, status: 'closed'}");
}

static void activity_advances_challenges(void **state)
{
	struct world *w = *state;

	given_user(w, 7, 0);
	given_user(w, 8, 0);
	given(w, "game.create",
	      "{kind: 'challenge', name: 'Mine', type: 'personal', goal_type: 'messages', goal_value: 2, user_id: 7,"
	      " duration_minutes: 60}");
	given_challenge(w, "messages", 1);
	given(w, "game.create",
	      "{kind: 'challenge', name: 'Other', type: 'personal', goal_type: 'messages', goal_value: 2, user_id: 8,"
	      " duration_minutes: 60}");
	given_challenge(w, "checkins", 1);
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w, "{points: 101, challenges_completed: [2]}");
	assert_string_equal(events(w), "user.activity_recorded point.credited game.challenge_progressed"
				       " game.challenge_progressed game.challenge_completed point.credited");
	then_event(w, 2, "{user_id: 7, challenge_id: 1, value: 1}");
	given(w, "user.record_activity", "{user_id: 7, action: 'poll'}");
	then(w, "{challenges_completed: []}");
	w->now += MINUTE;
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w, "{points: 6, challenges_completed: [1]}");
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{points: 110, challenges_completed: [4]}");
	given(w, "user.record_activity", "{user_id: 8, action: 'message'}");
	then(w, "{challenges_completed: [2]}");
	answers(w, "game.get", "{kind: 'progress', user_id: 8, challenge_id: 3}", "{value: 1}");
	w->now += HOUR;
	given(w, "user.record_activity", "{user_id: 8, action: 'message'}");
	assert_string_equal(events(w), "user.activity_recorded point.credited");
	refused(w, ask(w, "game.get", "{kind: 'progress', user_id: 8, challenge_id: 1}"), E_NOT_FOUND,
		"{kind: 'progress'}");
}

static void reactions_advance_challenges(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -100, title: 'News'}");
	given_challenge(w, "reactions", 1);
	given(w, "channel.react", "{channel_id: -100, message_id: 5, user_id: 7, emoji: 'x'}");
	then(w, "{challenges_completed: [1]}");
}

static void a_play_is_a_day_of_activity(void **state)
{
	struct world *w = *state;

	given(w, "achievement.create",
	      "{id: 'player', name: 'Player', condition_type: 'days_active', condition_value: 2}");
	given(w, "game.play", "{user_id: 7, game_type: 'darts'}");
	w->now += DAY;
	given(w, "game.play", "{user_id: 7, game_type: 'darts'}");
	assert_string_equal(events(w), "game.played achievement.unlocked");
}

/* ---- promotional events ---- */

static void an_event_multiplies_awards(void **state)
{
	struct world *w = *state;
	long long now = w->now;

	given(w, "game.create", "{kind: 'event', name: 'Double', multiplier: 2}");
	assert_string_equal(events(w), "game.event_created game.event_started");
	then(w,
	     "{version: 2, item: {id: 1, name: 'Double', description: '', multiplier: 2, start_at: %lld, end_at: null,"
	     " ended_at: null, status: 'active', created_at: %lld}}",
	     now, now);
	then_event(w, 0, "{id: 1, status: 'scheduled'}");
	then_event(w, 1, "{id: 1, multiplier: 2, due_at: null}");
	given(w, "game.create", "{kind: 'event', name: 'Later', multiplier: 3, start_at: %lld, end_at: %lld}",
	      now + HOUR, now + 2 * HOUR);
	assert_string_equal(events(w), "game.event_created");
	then(w, "{item: {id: 2, status: 'scheduled'}}");
	given(w, "point.award", "{user_id: 7, amount: 1.5}");
	then(w, "{balance: 3, transaction: {base: 1.5, multiplier: 2}}");
	given(w, "point.award", "{user_id: 7, amount: 1, multiply: false}");
	then(w, "{balance: 4}");
	w->now = now + HOUR; /* due, though no timer has run */
	given(w, "point.award", "{user_id: 7, amount: 1}");
	then(w, "{balance: 10, transaction: {multiplier: 6}}");
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "game.event_started");
	then_event(w, 0, "{id: 2, multiplier: 3, due_at: %lld}", now + HOUR);
	given(w, "game.update", "{kind: 'event', id: 1, multiplier: 5}");
	assert_string_equal(events(w), "game.event_updated");
	then_event(w, 0, "{id: 1, changes: {multiplier: 5}, before: {multiplier: 2}}");
	set(w, "{points.vip_multiplier: 2}");
	given(w, "user.grant_vip", "{user_id: 8, permanent: true}");
	given(w, "point.award", "{user_id: 8, amount: 1}");
	then(w, "{transaction: {multiplier: 30}}");
	w->now = now + 2 * HOUR;
	given(w, "point.award", "{user_id: 8, amount: 1}");
	then(w, "{transaction: {multiplier: 10}}");
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "game.event_ended");
	then_event(w, 0, "{id: 2, multiplier: 3, due_at: %lld}", now + 2 * HOUR);
	given(w, "game.end", "{kind: 'event', id: 1}");
	assert_string_equal(events(w), "game.event_ended");
	then(w, "{item: {status: 'ended', ended_at: %lld}}", (long long)w->now);
	then_event(w, 0, "{id: 1, multiplier: 5, due_at: null}");
	given(w, "point.award", "{user_id: 7, amount: 1}");
	then(w, "{transaction: {multiplier: 1}}");
}

static void the_product_of_events_is_capped(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		given(w, "game.create", "{kind: 'event', name: 'Many', multiplier: 100}");
	given(w, "point.award", "{user_id: 7, amount: 1}");
	then(w, "{balance: 1000, transaction: {multiplier: 1000}}");
	given(w, "game.end", "{kind: 'event', id: 2}");
	given(w, "game.end", "{kind: 'event', id: 1}");
	given(w, "point.award", "{user_id: 7, amount: 1}");
	then(w, "{transaction: {multiplier: 100}}");
}

static void an_event_can_be_planned_anew_until_it_ends(void **state)
{
	struct world *w = *state;
	long long now = w->now;

	refused(w, when(w, "game.create", "{kind: 'event', name: 'x', start_at: %lld}", now - 1), E_INVALID_ARGUMENT,
		"{field: 'start_at'}");
	refused(w, when(w, "game.create", "{kind: 'event', name: 'x', end_at: %lld}", now), E_INVALID_ARGUMENT,
		"{field: 'end_at'}");
	refused(w, when(w, "game.create", "{kind: 'event', name: 'x', multiplier: 101}"), E_INVALID_ARGUMENT,
		"{field: 'multiplier'}");
	given(w, "game.create", "{kind: 'event', name: 'x', start_at: %lld, multiplier: 2}", now + HOUR);
	refused(w, when(w, "game.update", "{kind: 'event', id: 1, start_at: %lld}", now - 1), E_INVALID_ARGUMENT,
		"{field: 'start_at'}");
	refused(w, when(w, "game.update", "{kind: 'event', id: 1, end_at: %lld}", now + HOUR), E_INVALID_ARGUMENT,
		"{field: 'end_at'}");
	given(w, "game.update", "{kind: 'event', id: 1, start_at: %lld, end_at: %lld}", now + MINUTE, now + HOUR);
	then(w, "{item: {status: 'scheduled', start_at: %lld}}", now + MINUTE);
	given(w, "game.update", "{kind: 'event', id: 1, start_at: %lld}", now);
	assert_string_equal(events(w), "game.event_updated game.event_started");
	then(w, "{item: {status: 'active'}}");
	refused(w, when(w, "game.update", "{kind: 'event', id: 1, start_at: %lld}", now + 1), E_INVALID_ARGUMENT,
		"{field: 'start_at'}");
	given(w, "game.update", "{kind: 'event', id: 1, end_at: null, name: 'Open end', description: 'd'}");
	then(w, "{item: {end_at: null, name: 'Open end'}}");
	w->now += 2 * HOUR;
	assert_int_equal(tick(w), 0);
	refused(w, when(w, "game.update", "{kind: 'event', id: 1, end_at: %lld}", now + HOUR), E_INVALID_ARGUMENT,
		"{field: 'end_at'}");
	given(w, "game.update", "{kind: 'event', id: 1, end_at: %lld}", (long long)w->now + 1);
	w->now++;
	refused(w, when(w, "game.end", "{kind: 'event', id: 1}"), E_ALREADY_PROCESSED, "{status: 'ended'}");
	assert_int_equal(tick(w), 1);
	refused(w, when(w, "game.end", "{kind: 'event', id: 1}"), E_ALREADY_PROCESSED, "{status: 'ended'}");
	refused(w, when(w, "game.update", "{kind: 'event', id: 1, name: 'x'}"), E_ALREADY_PROCESSED,
		"{status: 'ended'}");
	refused(w, when(w, "game.end", "{kind: 'event', id: 2}"), E_NOT_FOUND, "{kind: 'event', id: 2}");
	refused(w, when(w, "game.update", "{kind: 'event', id: 2, name: 'x'}"), E_NOT_FOUND, "{kind: 'event'}");
	given(w, "game.create", "{kind: 'event', name: 'never', start_at: %lld}", (long long)w->now + HOUR);
	given(w, "game.end", "{kind: 'event', id: 2}");
	w->now += DAY;
	assert_int_equal(tick(w), 0);
}

static void what_was_missed_fires_in_order(void **state)
{
	struct world *w = *state;
	long long now = w->now;

	given(w, "game.create", "{kind: 'event', name: 'x', start_at: %lld, end_at: %lld, multiplier: 2}", now + HOUR,
	      now + 2 * HOUR);
	given(w, "game.create",
	      "{kind: 'challenge', name: 'c', type: 'daily', goal_type: 'checkins', goal_value: 1, start_at: %lld,"
	      " end_at: %lld}",
	      now + HOUR, now + 2 * HOUR);
	w->now += DAY;
	assert_int_equal(tick(w), 4);
	answers(w, "game.get", "{kind: 'event', id: 1}", "{status: 'ended', version: 3}");
	answers(w, "game.get", "{kind: 'challenge', id: 1}", "{status: 'closed', version: 3}");
	given(w, "point.award", "{user_id: 7, amount: 1}");
	then(w, "{transaction: {multiplier: 1}}");
}

/* ---- raffles ---- */

static void given_raffle(struct world *w, int users)
{
	given(w, "game.create", "{kind: 'raffle', name: 'Summer', prize: 'A hat'}");
	for (int id = 1; id <= users; id++) {
		given_user(w, id, 0);
		given(w, "game.enter_raffle", "{raffle_id: 1, user_id: %d}", id);
	}
}

static void a_raffle_draws_among_its_entries(void **state)
{
	struct world *w = *state;
	json_int_t winner;

	given_raffle(w, 3);
	then(w, "{version: 4, entry: {raffle_id: 1, user_id: 3, position: 3, created_at: %lld}}", (long long)w->now);
	assert_string_equal(events(w), "game.raffle_entered");
	then_event(w, 0, "{entry: {raffle_id: 1, user_id: 3, position: 3}}");
	refused(w, when(w, "game.enter_raffle", "{raffle_id: 1, user_id: 3}"), E_ALREADY_EXISTS,
		"{kind: 'entry', id: 3}");
	refused(w, when(w, "game.enter_raffle", "{raffle_id: 1, user_id: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
	refused(w, when(w, "game.enter_raffle", "{raffle_id: 2, user_id: 3}"), E_NOT_FOUND, "{kind: 'raffle', id: 2}");
	given(w, "game.update", "{kind: 'raffle', id: 1, name: 'Winter', prize: null}");
	assert_string_equal(events(w), "game.raffle_updated");
	then(w, "{item: {name: 'Winter', prize: null, description: '', entry_count: 3, is_active: true}}");
	then_event(w, 0, "{id: 1, changes: {name: 'Winter', prize: null}, before: {prize: 'A hat'}}");
	given(w, "game.end", "{kind: 'raffle', id: 1}");
	assert_string_equal(events(w), "game.raffle_ended");
	winner = json_integer_value(json_object_get(json_object_get(w->result, "item"), "winner_id"));
	assert_in_range(winner, 1, 3);
	then(w, "{item: {is_active: false, ended_at: %lld}}", (long long)w->now);
	then_event(w, 0, "{id: 1, winner_id: %d, winner_position: %d, entry_count: 3, drawn: true}", (int)winner,
		   (int)winner);
	refused(w, when(w, "game.end", "{kind: 'raffle', id: 1}"), E_ALREADY_PROCESSED, "{status: 'ended'}");
	refused(w, when(w, "game.update", "{kind: 'raffle', id: 1, name: 'x'}"), E_ALREADY_PROCESSED, "{}");
	refused(w, when(w, "game.enter_raffle", "{raffle_id: 1, user_id: 9}"), E_ALREADY_PROCESSED, "{}");
	refused(w, when(w, "game.end", "{kind: 'raffle', id: 2}"), E_NOT_FOUND, "{kind: 'raffle'}");
	refused(w, when(w, "game.update", "{kind: 'raffle', id: 2, name: 'x'}"), E_NOT_FOUND, "{kind: 'raffle'}");
}

static void a_winner_can_be_named(void **state)
{
	struct world *w = *state;

	given_raffle(w, 2);
	given_user(w, 9, 0);
	refused(w, when(w, "game.end", "{kind: 'raffle', id: 1, winner_id: 9}"), E_NOT_FOUND, "{kind: 'entry', id: 9}");
	given(w, "game.end", "{kind: 'raffle', id: 1, winner_id: 2}");
	then_event(w, 0, "{winner_id: 2, winner_position: 2, drawn: false}");
	given(w, "game.create", "{kind: 'raffle', name: 'Nobody'}");
	given(w, "game.end", "{kind: 'raffle', id: 2}");
	then(w, "{item: {winner_id: null, is_active: false}}");
	then_event(w, 0, "{winner_id: null, winner_position: null, entry_count: 0, drawn: false}");
}

static void every_entry_can_win(void **state)
{
	struct world *w = *state;
	int won[6] = { 0 };

	for (int id = 1; id <= 5; id++)
		given_user(w, id, 0);
	for (int i = 1; i <= 200; i++) {
		given(w, "game.create", "{kind: 'raffle', name: 'r'}");
		for (int id = 1; id <= 5; id++)
			given(w, "game.enter_raffle", "{raffle_id: %d, user_id: %d}", i, id);
		given(w, "game.end", "{kind: 'raffle', id: %d}", i);
		won[json_integer_value(json_object_get(json_object_get(w->result, "item"), "winner_id"))]++;
	}
	for (int id = 1; id <= 5; id++)
		assert_in_range(won[id], 20, 70);
}

/* ---- users go ---- */

static void a_deleted_user_leaves_the_games(void **state)
{
	struct world *w = *state;

	given_attempt(w);
	given(w, "game.answer", "{attempt_id: 1, question_id: 1, answer: 'B'}");
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 3}");
	given_challenge(w, "messages", 1);
	given(w, "game.complete_challenge", "{user_id: 7, challenge_id: 1}");
	given_challenge(w, "reactions", 5);
	given(w, "game.advance_challenge", "{user_id: 7, challenge_id: 2}");
	given_raffle(w, 2);
	given(w, "game.enter_raffle", "{raffle_id: 1, user_id: 7}");
	given_user(w, 8, 0);
	given(w, "game.enter_raffle", "{raffle_id: 1, user_id: 8}");
	given(w, "user.delete", "{id: 7}");
	assert_string_equal(events(w), "point.debited game.attempt_finished user.deleted");
	then_event(w, 1, "{attempt_id: 1, user_id: 7, score: 1, passed: false, rewarded: false}");
	answers(w, "game.get", "{kind: 'challenge', id: 1, user_id: 7}",
		"{participants: 0, completions: 0, user: null}");
	answers(w, "game.get", "{kind: 'raffle', id: 1, user_id: 7}",
		"{entry_count: 3, user: {entered: false, position: null}}");
	answers(w, "game.list", "{kind: 'entry', raffle_id: 1}",
		"{items: [{user_id: 1}, {user_id: 2}, {user_id: 8, position: 4}]}");
	answers(w, "game.get", "{kind: 'attempt', id: 1}", "{status: 'finished', passed: false}");
	answers(w, "game.list", "{kind: 'play', user_id: 7}", "{items: [{id: 1}]}");
	/* back again: progress and free play are new, the past is not */
	given_user(w, 7, 0);
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 3, allow_paid: false}");
	then(w, "{version: 2, play: {is_free: true}}");
	given(w, "game.complete_challenge", "{user_id: 7, challenge_id: 1}");
	then(w, "{version: 4, points: 100}");
	given(w, "game.enter_raffle", "{raffle_id: 1, user_id: 7}");
	then(w, "{entry: {position: 5}}");
	given(w, "user.delete", "{id: 1}");
	given(w, "user.delete", "{id: 2}");
	given(w, "user.delete", "{id: 8}");
	given(w, "game.end", "{kind: 'raffle', id: 1}");
	then(w, "{item: {winner_id: 7, entry_count: 1}}");
	answers(w, "game.stats", "{user_id: 7}",
		"{trivia: {attempts: 1, finished: 1}, minigames: {plays: 2}, challenges: {joined: 1, completed: 1},"
		" raffles: {entered: 1, won: 1}}");
}

static void rewards_of_a_trivia_outlive_the_user(void **state)
{
	struct world *w = *state;

	given_attempt(w);
	given(w, "game.finish_attempt", "{attempt_id: 1, score: 3}");
	given(w, "user.delete", "{id: 7}");
	given_user(w, 7, 0);
	given(w, "game.start_attempt", "{user_id: 7, trivia_id: 1}");
	given(w, "game.finish_attempt", "{attempt_id: 2, score: 3}");
	then(w, "{points: 0, attempt: {passed: true, rewarded: false}}");
}

static void a_deleted_challenge_takes_its_progress(void **state)
{
	struct world *w = *state;

	given_user(w, 7, 0);
	given_user(w, 8, 0);
	given_challenge(w, "messages", 2);
	given(w, "game.complete_challenge", "{user_id: 7, challenge_id: 1}");
	given(w, "game.advance_challenge", "{user_id: 8, challenge_id: 1}");
	given(w, "game.delete", "{kind: 'challenge', id: 1}");
	answers(w, "game.list", "{kind: 'progress', user_id: 7}", "{items: []}");
	answers(w, "game.list", "{kind: 'progress', challenge_id: 1}", "{items: []}");
	answers(w, "game.stats", "{user_id: 7}", "{challenges: {joined: 0, completed: 0}}");
	refused(w, when(w, "game.advance_challenge", "{user_id: 7, challenge_id: 1}"), E_NOT_FOUND,
		"{kind: 'challenge'}");
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w, "{challenges_completed: []}");
	w->now += 2 * DAY;
	assert_int_equal(tick(w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_kind_is_required),
		WORLD_TEST(a_trivia_is_created_with_its_questions),
		WORLD_TEST(questions_must_make_sense),
		WORLD_TEST(a_trivia_and_its_questions_change_in_one_stream),
		WORLD_TEST(a_trivia_holds_two_hundred_questions),
		WORLD_TEST(an_attempt_asks_without_answers),
		WORLD_TEST(answers_are_judged_by_the_daemon),
		WORLD_TEST(the_first_passed_attempt_is_rewarded),
		WORLD_TEST(a_passed_trivia_unlocks_lore),
		WORLD_TEST(a_reward_above_the_ceiling_refuses_the_end),
		WORLD_TEST(a_score_can_be_set_by_hand),
		WORLD_TEST(open_attempts_go_on_with_what_remains),
		WORLD_TEST(roulette_is_free_once_a_day),
		WORLD_TEST(settings_make_roulette_dearer),
		WORLD_TEST(a_corrected_time_moves_the_free_play),
		WORLD_TEST(each_game_has_its_terms),
		WORLD_TEST(params_of_another_game_are_refused),
		WORLD_TEST(dice_fall_on_every_side),
		WORLD_TEST(a_play_is_a_day_of_activity),
		WORLD_TEST(a_challenge_has_a_window),
		WORLD_TEST(challenges_must_make_sense),
		WORLD_TEST(an_open_challenge_keeps_its_goal),
		WORLD_TEST(progress_reaches_the_goal),
		WORLD_TEST(progress_needs_an_open_window),
		WORLD_TEST(a_personal_challenge_can_fail),
		WORLD_TEST(activity_advances_challenges),
		WORLD_TEST(reactions_advance_challenges),
		WORLD_TEST(an_event_multiplies_awards),
		WORLD_TEST(the_product_of_events_is_capped),
		WORLD_TEST(an_event_can_be_planned_anew_until_it_ends),
		WORLD_TEST(what_was_missed_fires_in_order),
		WORLD_TEST(a_raffle_draws_among_its_entries),
		WORLD_TEST(a_winner_can_be_named),
		WORLD_TEST(every_entry_can_win),
		WORLD_TEST(a_deleted_user_leaves_the_games),
		WORLD_TEST(rewards_of_a_trivia_outlive_the_user),
		WORLD_TEST(a_deleted_challenge_takes_its_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
