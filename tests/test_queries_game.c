/* Queries of games: items with a user's relation, lists with their filters, orders and pages, statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/json.h"
#include "tests/lib/pages.h"
#include "tests/lib/world.h"

static void given_user(struct world *w, int id)
{
	given(w, "user.create", "{id: %d}", id);
}

/* With one question: open ended, `y`. */
static void given_trivia(struct world *w, const char *title)
{
	given(w, "game.create",
	      "{kind: 'trivia', title: '%s', questions: [{question_text: 'q', question_type: 'open_ended',"
	      " correct_answer: 'y'}]}",
	      title);
}

static void given_attempt(struct world *w, int user_id, int trivia_id, int score)
{
	json_int_t id;

	given(w, "game.start_attempt", "{user_id: %d, trivia_id: %d}", user_id, trivia_id);
	id = json_integer_value(json_object_get(json_object_get(w->result, "attempt"), "id"));
	if (score >= 0)
		given(w, "game.finish_attempt", "{attempt_id: %d, score: %d}", (int)id, score);
}

/* start and length in hours */
static void given_challenge(struct world *w, const char *type, const char *goal, int start, int hours)
{
	given(w, "game.create",
	      "{kind: 'challenge', name: 'c', type: '%s', goal_type: '%s', goal_value: 10, start_at: %lld, end_at: "
	      "%lld%s}",
	      type, goal, (long long)(w->now + start * HOUR), (long long)(w->now + (start + hours) * HOUR),
	      type[0] == 'p' ? ", user_id: 1" : "");
}

/* Lists in one page and in pages of 1, 2, 3: both orders. */
static void lists(struct world *w, const char *params, const char *field, const char *want)
{
	assert_string_equal(listed(w, "game.list", params, field), want);
	for (int limit = 1; limit <= 3; limit++)
		assert_string_equal(paged(w, "game.list", params, field, limit), want);
}

/* ---- trivia ---- */

static void a_trivia_shows_questions_and_a_user(void **state)
{
	struct world *w = *state;

	given_trivia(w, "One");
	given(w, "game.create",
	      "{kind: 'question', trivia_id: 1, question_text: 'first', question_type: 'visual', correct_answer: 'z',"
	      " position: -5}");
	given_user(w, 7);
	answers(w, "game.get", "{kind: 'trivia', id: 1}", "{id: 1, title: 'One', question_count: 2}");
	assert_null(json_object_get(w->result, "questions"));
	assert_null(json_object_get(w->result, "user"));
	answers(w, "game.get", "{kind: 'trivia', id: 1, include: ['questions'], user_id: 7}",
		"{questions: [{id: 2, question_text: 'first', position: -5}, {id: 1}],"
		" user: {attempts: 0, best_score: null, rewarded_at: null}}");
	assert_null(json_object_get(json_array_get(json_object_get(w->result, "questions"), 0), "correct_answer"));
	answers(w, "game.get", "{kind: 'trivia', id: 1, include: ['questions'], with_answers: true}",
		"{questions: [{id: 2, correct_answer: 'z'}, {correct_answer: 'y'}]}");
	given_attempt(w, 7, 1, 1);
	given_attempt(w, 7, 1, -1);
	answers(w, "game.get_many", "{kind: 'trivia', ids: [9, 1], user_id: 7}",
		"{items: [{id: 1, user: {attempts: 2, best_score: 1, rewarded_at: null}}], missing: [9]}");
	answers(w, "game.get", "{kind: 'question', id: 2}",
		"{id: 2, trivia_id: 1, correct_answer: 'z', options: null}");
	answers(w, "game.get", "{kind: 'question', id: 2, with_answers: false}", "{id: 2}");
	assert_null(json_object_get(w->result, "correct_answer"));
	refused(w, ask(w, "game.get", "{kind: 'trivia', id: 2}"), E_NOT_FOUND, "{kind: 'trivia', id: 2}");
	refused(w, ask(w, "game.get", "{kind: 'question', id: 3}"), E_NOT_FOUND, "{kind: 'question', id: 3}");
	refused(w, ask(w, "game.get", "{kind: 'trivia', id: 1, include: ['all']}"), E_INVALID_ARGUMENT,
		"{field: 'include'}");
}

static void trivias_are_listed_by_age_and_found_by_word(void **state)
{
	static const char *const titles[] = { "Capitals of Europe", "Rivers", "European rivers", "Capital letters" };
	struct world *w = *state;

	for (int i = 0; i < 4; i++)
		given_trivia(w, titles[i]);
	given(w, "game.update", "{kind: 'trivia', id: 2, is_active: false}");
	lists(w, "{kind: 'trivia'}", "id", "1 3 4");
	lists(w, "{kind: 'trivia', is_active: true, order: 'desc'}", "id", "4 3 1");
	lists(w, "{kind: 'trivia', is_active: false}", "id", "2");
	lists(w, "{kind: 'trivia', is_active: 'any'}", "id", "1 2 3 4");
	lists(w, "{kind: 'trivia', query: 'capital'}", "id", "4 1");
	lists(w, "{kind: 'trivia', query: 'EURO riv'}", "id", "3");
	lists(w, "{kind: 'trivia', query: 'rivers', is_active: 'any'}", "id", "2 3");
	lists(w, "{kind: 'trivia', query: 'rivers'}", "id", "3");
	lists(w, "{kind: 'trivia', query: 'lakes'}", "id", "");
	given(w, "game.update", "{kind: 'trivia', id: 3, title: 'Lakes'}");
	lists(w, "{kind: 'trivia', query: 'lakes'}", "id", "3");
	lists(w, "{kind: 'trivia', query: 'rivers'}", "id", "");
	answers(w, "game.list", "{kind: 'trivia', user_id: 7, limit: 1}", "{items: [{id: 1, user: {attempts: 0}}]}");
	given(w, "game.delete", "{kind: 'trivia', id: 1}");
	lists(w, "{kind: 'trivia', is_active: 'any'}", "id", "2 3 4");
	lists(w, "{kind: 'trivia', query: 'europe'}", "id", "");
	answers(w, "game.get_many", "{kind: 'trivia', ids: [1]}", "{items: [], missing: [1]}");
	lists(w, "{kind: 'question', trivia_id: 1}", "id", "");
	refused(w, ask(w, "game.list", "{kind: 'trivia', is_active: 1}"), E_INVALID_ARGUMENT, "{field: 'is_active'}");
	refused(w, ask(w, "game.list", "{kind: 'trivia', query: '!'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "game.list", "{kind: 'trivia', query: 'a', order: 'asc'}"), E_INVALID_ARGUMENT,
		"{field: 'query'}");
}

static void questions_are_listed_by_position(void **state)
{
	static const int positions[] = { 3, -1, 3, 0 };
	struct world *w = *state;

	given(w, "game.create", "{kind: 'trivia', title: 't'}");
	given_trivia(w, "other");
	for (int i = 0; i < 4; i++)
		given(w, "game.create",
		      "{kind: 'question', trivia_id: 1, question_text: 'q', question_type: 'visual', correct_answer: "
		      "'x',"
		      " position: %d}",
		      positions[i]);
	lists(w, "{kind: 'question', trivia_id: 1}", "id", "3 5 2 4");
	lists(w, "{kind: 'question', trivia_id: 1, order: 'desc'}", "id", "4 2 5 3");
	given(w, "game.delete", "{kind: 'question', id: 5}");
	given(w, "game.update", "{kind: 'question', id: 4, position: -2}");
	lists(w, "{kind: 'question', trivia_id: 1}", "id", "4 3 2");
	lists(w, "{kind: 'question', trivia_id: 9}", "id", "");
	answers(w, "game.list", "{kind: 'question', trivia_id: 1, with_answers: false, limit: 1}",
		"{items: [{id: 4}]}");
	refused(w, ask(w, "game.list", "{kind: 'question'}"), E_INVALID_ARGUMENT, "{field: 'trivia_id'}");
}

static void attempts_are_listed_latest_first(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_user(w, 8);
	given_trivia(w, "a");
	given_trivia(w, "b");
	given_attempt(w, 7, 1, 1);
	given_attempt(w, 8, 1, 0);
	w->now += DAY;
	given_attempt(w, 7, 2, 0);
	w->now += 1;
	given_attempt(w, 7, 1, -1);
	lists(w, "{kind: 'attempt'}", "id", "4 3 2 1");
	lists(w, "{kind: 'attempt', order: 'asc'}", "id", "1 2 3 4");
	lists(w, "{kind: 'attempt', user_id: 7}", "id", "4 3 1");
	lists(w, "{kind: 'attempt', trivia_id: 1}", "id", "4 2 1");
	lists(w, "{kind: 'attempt', user_id: 7, trivia_id: 1}", "id", "4 1");
	lists(w, "{kind: 'attempt', status: 'open'}", "id", "4");
	lists(w, "{kind: 'attempt', user_id: 7, status: 'finished'}", "id", "3 1");
	lists(w, "{kind: 'attempt', days: 1}", "id", "4 3");
	lists(w, "{kind: 'attempt', user_id: 7, days: 1, order: 'asc'}", "id", "3 4");
	lists(w, "{kind: 'attempt', trivia_id: 1, days: 2}", "id", "4 2 1");
	w->now += 2 * DAY;
	lists(w, "{kind: 'attempt', days: 1}", "id", "");
	lists(w, "{kind: 'attempt', user_id: 9}", "id", "");
	answers(w, "game.get", "{kind: 'attempt', id: 1}",
		"{id: 1, user_id: 7, trivia_id: 1, status: 'finished', score: 1, total_questions: 1, answers: [],"
		" passed: true, rewarded: true, version: 2}");
	refused(w, ask(w, "game.get", "{kind: 'attempt', id: 9}"), E_NOT_FOUND, "{kind: 'attempt', id: 9}");
}

/* ---- plays ---- */

static void plays_are_listed_latest_first(void **state)
{
	struct world *w = *state;

	given(w, "game.play", "{user_id: 7, game_type: 'dice', score: 6}");
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 6}");
	given(w, "game.play", "{user_id: 8, game_type: 'dice', score: 6}");
	w->now += 2 * HOUR;
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 6}");
	w->now += DAY;
	given(w, "game.play", "{user_id: 7, game_type: 'darts'}");
	lists(w, "{kind: 'play'}", "id", "5 4 3 2 1");
	lists(w, "{kind: 'play', order: 'asc'}", "id", "1 2 3 4 5");
	lists(w, "{kind: 'play', user_id: 7}", "id", "5 4 2 1");
	lists(w, "{kind: 'play', game_type: 'dice'}", "id", "3 1");
	lists(w, "{kind: 'play', user_id: 7, game_type: 'roulette'}", "id", "4 2");
	lists(w, "{kind: 'play', is_free: false}", "id", "4");
	lists(w, "{kind: 'play', is_free: true, user_id: 7}", "id", "5 2 1");
	lists(w, "{kind: 'play', days: 1}", "id", "5 4");
	lists(w, "{kind: 'play', game_type: 'roulette', days: 1}", "id", "4");
	answers(w, "game.list", "{kind: 'play', user_id: 7, game_type: 'dice', limit: 1}",
		"{items: [{id: 1, is_free: true, used_at: %lld}], free_available: true, next_free_at: null}",
		(long long)WORLD_NOW);
	assert_null(json_object_get((ask(w, "game.list", "{kind: 'play', user_id: 7}"), w->result), "free_available"));
}

static void a_list_of_plays_tells_the_next_free_one(void **state)
{
	struct world *w = *state;

	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 6}");
	given(w, "game.play", "{user_id: 7, game_type: 'slots', cost_points: 1, cooldown_hours: 2}");
	w->now += HOUR;
	answers(w, "game.list", "{kind: 'play', user_id: 7, game_type: 'roulette'}",
		"{free_available: false, next_free_at: %lld}", (long long)(WORLD_NOW + DAY));
	answers(w, "game.list", "{kind: 'play', user_id: 7, game_type: 'slots'}",
		"{free_available: false, next_free_at: %lld}", (long long)(WORLD_NOW + DAY));
	answers(w, "game.list", "{kind: 'play', user_id: 7, game_type: 'slots', cooldown_hours: 1}",
		"{free_available: true, next_free_at: null}");
	given(w, "config.set", "{entries: {minigames.cooldown_hours: 1}}");
	answers(w, "game.list", "{kind: 'play', user_id: 7, game_type: 'roulette'}", "{free_available: true}");
	answers(w, "game.list", "{kind: 'play', user_id: 99, game_type: 'roulette'}",
		"{items: [], free_available: true, next_free_at: null}");
}

/* ---- challenges ---- */

static void challenges_are_listed_by_their_end(void **state)
{
	struct world *w = *state;

	given_user(w, 1);
	given_challenge(w, "daily", "messages", 0, 5);
	given_challenge(w, "weekly", "messages", 0, 3);
	given_challenge(w, "daily", "reactions", 1, 1);
	given_challenge(w, "monthly", "checkins", -9, 10);
	given_challenge(w, "personal", "messages", 0, 4);
	lists(w, "{kind: 'challenge'}", "id", "4 2 5 1");
	lists(w, "{kind: 'challenge', order: 'desc'}", "id", "1 5 2 4");
	lists(w, "{kind: 'challenge', status: 'scheduled'}", "id", "3");
	lists(w, "{kind: 'challenge', status: 'closed'}", "id", "");
	lists(w, "{kind: 'challenge', status: 'any'}", "id", "4 3 2 5 1");
	lists(w, "{kind: 'challenge', status: 'any', type: 'daily'}", "id", "3 1");
	lists(w, "{kind: 'challenge', type: 'daily'}", "id", "1");
	lists(w, "{kind: 'challenge', goal_type: 'messages'}", "id", "1 2 5");
	lists(w, "{kind: 'challenge', goal_type: 'messages', type: 'weekly'}", "id", "2");
	lists(w, "{kind: 'challenge', goal_type: 'reactions'}", "id", "");
	lists(w, "{kind: 'challenge', goal_type: 'reactions', status: 'any'}", "id", "3");
	lists(w, "{kind: 'challenge', goal_type: 'reactions', type: 'daily', status: 'any'}", "id", "3");
	w->now += HOUR; /* no timer has run */
	lists(w, "{kind: 'challenge'}", "id", "2 5 1");
	lists(w, "{kind: 'challenge', status: 'scheduled'}", "id", "");
	answers(w, "game.stats", "{}", "{challenges: {open: 4, closed: 1}}");
	tick(w);
	lists(w, "{kind: 'challenge'}", "id", "3 2 5 1");
	w->now += 2 * HOUR;
	tick(w);
	lists(w, "{kind: 'challenge', status: 'closed'}", "id", "2 3 4");
	lists(w, "{kind: 'challenge', status: 'closed', order: 'asc'}", "id", "4 3 2");
	answers(w, "game.stats", "{}", "{challenges: {open: 2, closed: 3}}");
	given(w, "game.delete", "{kind: 'challenge', id: 2}");
	lists(w, "{kind: 'challenge', status: 'any'}", "id", "4 3 5 1");
	answers(w, "game.get_many", "{kind: 'challenge', ids: [2, 3]}",
		"{items: [{id: 3, status: 'closed'}], missing: [2]}");
	refused(w, ask(w, "game.get", "{kind: 'challenge', id: 2}"), E_NOT_FOUND, "{kind: 'challenge', id: 2}");
	refused(w, ask(w, "game.list", "{kind: 'challenge', state: 'open'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
}

static void progress_is_listed_by_user_or_challenge(void **state)
{
	struct world *w = *state;

	for (int id = 1; id <= 3; id++)
		given_user(w, id);
	given_challenge(w, "daily", "messages", 0, 5);
	given_challenge(w, "daily", "messages", 0, 5);
	given_challenge(w, "daily", "messages", 0, 5);
	for (int id = 1; id <= 3; id++)
		given(w, "game.advance_challenge", "{user_id: %d, challenge_id: 1, by: %d}", id, 2 * id);
	given(w, "game.complete_challenge", "{user_id: 1, challenge_id: 3}");
	lists(w, "{kind: 'progress', user_id: 1}", "challenge_id", "3 1");
	lists(w, "{kind: 'progress', user_id: 1, order: 'asc'}", "challenge_id", "1 3");
	lists(w, "{kind: 'progress', user_id: 1, completed: true}", "challenge_id", "3");
	lists(w, "{kind: 'progress', challenge_id: 1}", "user_id", "1 2 3");
	lists(w, "{kind: 'progress', challenge_id: 1, order: 'desc'}", "value", "6 4 2");
	lists(w, "{kind: 'progress', challenge_id: 3, completed: false}", "user_id", "");
	lists(w, "{kind: 'progress', challenge_id: 1, user_id: 2}", "value", "4");
	lists(w, "{kind: 'challenge', user_id: 1, state: 'open'}", "id", "1");
	lists(w, "{kind: 'challenge', user_id: 1, state: 'completed'}", "id", "3");
	lists(w, "{kind: 'challenge', user_id: 4, state: 'completed'}", "id", "");
	answers(w, "game.list", "{kind: 'challenge', user_id: 1}",
		"{items: [{id: 1, user: {value: 2, percentage: 20.0}}, {id: 2, user: null}, {id: 3, user: {completed: "
		"true}}]}");
	answers(w, "game.get_many", "{kind: 'challenge', ids: [2, 3], user_id: 2}",
		"{items: [{id: 2, user: null}, {id: 3, user: null}]}");
	answers(w, "game.get", "{kind: 'progress', user_id: 3, challenge_id: 1}",
		"{user_id: 3, challenge_id: 1, value: 6, percentage: 60.0, version: 1, updated_at: %lld}",
		(long long)w->now);
	refused(w, ask(w, "game.get", "{kind: 'progress', user_id: 3, challenge_id: 3}"), E_NOT_FOUND,
		"{kind: 'progress'}");
	refused(w, ask(w, "game.list", "{kind: 'progress'}"), E_INVALID_ARGUMENT, "{field: 'user_id'}");
}

/* ---- promotional events ---- */

static void events_are_listed_by_their_start(void **state)
{
	struct world *w = *state;
	long long now = w->now;

	given(w, "game.create", "{kind: 'event', name: 'a', multiplier: 2, end_at: %lld}", now + HOUR);
	given(w, "game.create", "{kind: 'event', name: 'b', start_at: %lld}", now + 2 * HOUR);
	w->now += 1;
	given(w, "game.create", "{kind: 'event', name: 'c', multiplier: 3}");
	lists(w, "{kind: 'event'}", "id", "3 1");
	answers(w, "game.list", "{kind: 'event'}", "{multiplier: 6, next: null}");
	lists(w, "{kind: 'event', order: 'asc'}", "id", "1 3");
	lists(w, "{kind: 'event', status: 'scheduled'}", "id", "2");
	lists(w, "{kind: 'event', status: 'any'}", "id", "2 3 1");
	w->now = now + HOUR;
	lists(w, "{kind: 'event'}", "id", "3");
	answers(w, "game.list", "{kind: 'event', status: 'ended'}", "{multiplier: 3}");
	answers(w, "game.get", "{kind: 'event', id: 1}", "{status: 'ended', ended_at: null}");
	answers(w, "game.stats", "{}", "{events: {active: 1}, point_multiplier: 3}");
	tick(w);
	lists(w, "{kind: 'event', status: 'ended'}", "id", "1");
	answers(w, "game.get", "{kind: 'event', id: 1}", "{status: 'ended', ended_at: %lld}", now + HOUR);
	refused(w, ask(w, "game.get", "{kind: 'event', id: 4}"), E_NOT_FOUND, "{kind: 'event', id: 4}");
}

/* ---- raffles ---- */

static void raffles_are_listed_with_a_users_part(void **state)
{
	struct world *w = *state;

	given_user(w, 1);
	given_user(w, 2);
	for (int i = 0; i < 4; i++)
		given(w, "game.create", "{kind: 'raffle', name: 'r'}");
	given(w, "game.enter_raffle", "{raffle_id: 3, user_id: 2}");
	w->now += 1;
	given(w, "game.enter_raffle", "{raffle_id: 1, user_id: 2}");
	given(w, "game.enter_raffle", "{raffle_id: 3, user_id: 1}");
	given(w, "game.end", "{kind: 'raffle', id: 1}");
	given(w, "game.end", "{kind: 'raffle', id: 4}");
	lists(w, "{kind: 'raffle'}", "id", "3 2");
	lists(w, "{kind: 'raffle', order: 'asc'}", "id", "2 3");
	lists(w, "{kind: 'raffle', is_active: false}", "id", "4 1");
	lists(w, "{kind: 'raffle', is_active: 'any'}", "id", "4 3 2 1");
	lists(w, "{kind: 'raffle', user_id: 2, state: 'entered'}", "id", "3");
	lists(w, "{kind: 'raffle', user_id: 2, state: 'entered', is_active: 'any'}", "id", "3 1");
	lists(w, "{kind: 'raffle', user_id: 2, state: 'won'}", "id", "1");
	lists(w, "{kind: 'raffle', user_id: 2, state: 'won', is_active: true}", "id", "");
	lists(w, "{kind: 'raffle', user_id: 1, state: 'won'}", "id", "");
	lists(w, "{kind: 'entry', raffle_id: 3}", "user_id", "2 1");
	lists(w, "{kind: 'entry', raffle_id: 3, order: 'desc'}", "user_id", "1 2");
	lists(w, "{kind: 'entry', user_id: 2}", "raffle_id", "1 3");
	lists(w, "{kind: 'entry', user_id: 2, order: 'asc'}", "raffle_id", "3 1");
	lists(w, "{kind: 'entry', user_id: 1, raffle_id: 3}", "position", "2");
	answers(w, "game.get", "{kind: 'raffle', id: 3, user_id: 1}",
		"{entry_count: 2, is_active: true, winner_id: null, user: {entered: true, position: 2, created_at: "
		"%lld}}",
		(long long)w->now);
	answers(w, "game.get_many", "{kind: 'raffle', ids: [1, 9], user_id: 1}",
		"{items: [{id: 1, winner_id: 2, user: {entered: false, position: null, created_at: null}}], missing: "
		"[9]}");
	answers(w, "game.list", "{kind: 'raffle', user_id: 1, limit: 1}", "{items: [{user: {entered: true}}]}");
	refused(w, ask(w, "game.get", "{kind: 'raffle', id: 9}"), E_NOT_FOUND, "{kind: 'raffle', id: 9}");
	refused(w, ask(w, "game.list", "{kind: 'raffle', state: 'won'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
	refused(w, ask(w, "game.list", "{kind: 'entry'}"), E_INVALID_ARGUMENT, "{field: 'raffle_id'}");
}

/* ---- statistics ---- */

static void a_trivia_has_statistics(void **state)
{
	struct world *w = *state;

	given(w, "game.create",
	      "{kind: 'trivia', title: 't', pass_score: 1, questions: ["
	      "{question_text: 'a', question_type: 'visual', correct_answer: 'x', position: 1},"
	      "{question_text: 'b', question_type: 'visual', correct_answer: 'y'}]}");
	answers(w, "game.stats", "{trivia_id: 1}",
		"{questions: 2, attempts: 0, finished: 0, users: 0, passed: 0, pass_rate: 0.0, average_score: 0.0, "
		"max_score: 0,"
		" points_paid: 0}");
	for (int id = 7; id <= 9; id++) {
		given_user(w, id);
		given(w, "game.start_attempt", "{user_id: %d, trivia_id: 1}", id);
		given(w, "game.answer", "{attempt_id: %d, question_id: 1, answer: '%s'}", id - 6, id == 8 ? "z" : "x");
	}
	given(w, "game.finish_attempt", "{attempt_id: 1}");
	given(w, "game.finish_attempt", "{attempt_id: 2}");
	given_attempt(w, 7, 1, 2);
	given_attempt(w, 8, 1, 1);
	given(w, "point.award", "{user_id: 7, amount: 5, ref: {kind: 'trivia', id: 1}}");
	given(w, "point.award", "{user_id: 7, amount: 5, ref: {kind: 'trivia', id: 99}}");
	given(w, "point.award", "{user_id: 7, amount: 5, ref: {kind: 'trivia', id: 'x'}}");
	answers(w, "game.stats", "{trivia_id: 1}",
		"{questions: 2, attempts: 5, finished: 4, users: 3, passed: 3, pass_rate: 75.0, average_score: 1.0,"
		" max_score: 2, points_paid: 25, per_question: [{question_id: 2, answers: 0, correct_rate: 0.0},"
		" {question_id: 1, answers: 3, correct: 2}]}");
	answers(w, "game.stats", "{user_id: 7}",
		"{trivia: {attempts: 2, finished: 2, passed: 2, answers: 1, correct: 1, correct_rate: 100.0, "
		"best_score: 2,"
		" points: 15}, minigames: {plays: 0, by_type: {}}, challenges: {joined: 0}, raffles: {entered: 0, won: "
		"0}}");
	answers(w, "game.stats", "{}", "{trivias: 1, attempts: 5, points_paid: 25, points_spent: 0}");
	refused(w, ask(w, "game.stats", "{trivia_id: 2}"), E_NOT_FOUND, "{kind: 'trivia', id: 2}");
	refused(w, ask(w, "game.stats", "{user_id: 99}"), E_NOT_FOUND, "{kind: 'user', id: 99}");
}

static void a_minigame_has_statistics(void **state)
{
	struct world *w = *state;

	answers(w, "game.stats", "{game_type: 'roulette'}",
		"{plays: 0, free: 0, paid: 0, users: 0, spent: 0, won: 0, average_score: 0.0, last_used_at: null}");
	assert_int_equal(json_array_size(json_object_get(w->result, "per_day")), 30);
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 6}");
	given(w, "game.play", "{user_id: 7, game_type: 'roulette', score: 1}");
	given(w, "game.play", "{user_id: 8, game_type: 'roulette', score: 2}");
	w->now += DAY;
	given(w, "game.play", "{user_id: 8, game_type: 'roulette', score: 3}");
	given(w, "game.play", "{user_id: 8, game_type: 'darts'}");
	answers(w, "game.stats", "{game_type: 'roulette'}",
		"{plays: 4, free: 3, paid: 1, users: 2, spent: 5, won: 12, average_score: 3.0, last_used_at: %lld}",
		(long long)w->now);
	answers(w, "game.stats", "{game_type: 'roulette', days: 1}",
		"{plays: 1, free: 1, paid: 0, users: 1, spent: 0, won: 3, average_score: 3.0,"
		" per_day: [{day_at: %lld, plays: 1, free: 1, users: 1, spent: 0, won: 3}]}",
		(long long)(w->now / DAY * DAY));
	answers(w, "game.stats", "{game_type: 'roulette', days: 2}",
		"{plays: 4, users: 2, per_day: [{plays: 3, paid: 1, users: 2, won: 9, spent: 5}, {plays: 1}]}");
	answers(w, "game.stats", "{user_id: 7}",
		"{minigames: {plays: 2, free: 1, paid: 1, spent: 5, won: 7, net: 2, by_type: {roulette: 2}}}");
	answers(w, "game.stats", "{user_id: 8}", "{minigames: {plays: 3, by_type: {roulette: 2, darts: 1}}}");
	answers(w, "game.stats", "{}", "{plays: 5, points_paid: 12, points_spent: 5}");
	answers(w, "game.stats", "{days: 1}", "{plays: 2, points_paid: 3, points_spent: 0, attempts: 0, entries: 0}");
	answers(w, "game.stats", "{days: 2}", "{plays: 5, points_paid: 12, points_spent: 5}");
	given(w, "game.create", "{kind: 'trivia', title: 't'}");
	refused(w, ask(w, "game.stats", "{trivia_id: 1, days: 2}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	refused(w, ask(w, "game.stats", "{user_id: 7, game_type: 'dice'}"), E_INVALID_ARGUMENT, "{field: 'game_type'}");
}

static void scores_add_up_to_no_more_than_fits(void **state)
{
	static const char *const signs[] = { "", "-" };
	struct world *w = *state;

	for (int type = 0; type < 2; type++) {
		for (int i = 0; i < 1100; i++) {
			given(w, "game.play", "{user_id: 7, game_type: 'pin%d', score: %s9007199254740991}", type,
			      signs[type]);
			w->now += i % 2 * DAY / 10;
		}
		answers(w, "game.stats", "{}", "{plays: %d}", 1100 * (type + 1));
	}
	/* the sum stops at 2^63 - 1, and so the mean of 1100 plays below their score */
	answers(w, "game.stats", "{game_type: 'pin0'}", "{average_score: 8384883669867978.0}");
	answers(w, "game.stats", "{game_type: 'pin0', days: 366}", "{plays: 1100, average_score: 8384883669867978.0}");
	answers(w, "game.stats", "{game_type: 'pin1'}", "{average_score: -8384883669867978.0}");
}

static void a_challenge_has_statistics(void **state)
{
	struct world *w = *state;

	for (int id = 1; id <= 3; id++)
		given_user(w, id);
	given_challenge(w, "daily", "messages", 0, 5);
	answers(w, "game.stats", "{challenge_id: 1}",
		"{participants: 0, completions: 0, completion_rate: 0.0, average_value: 0.0, max_value: 0, "
		"points_paid: 0}");
	given(w, "game.advance_challenge", "{user_id: 1, challenge_id: 1, by: 8}");
	given(w, "game.advance_challenge", "{user_id: 2, challenge_id: 1, by: 9}");
	given(w, "game.advance_challenge", "{user_id: 2, challenge_id: 1, to: 2}");
	answers(w, "game.stats", "{challenge_id: 1}", "{participants: 2, average_value: 5.0, max_value: 8}");
	given(w, "game.advance_challenge", "{user_id: 3, challenge_id: 1, by: 20}");
	given(w, "game.complete_challenge", "{user_id: 2, challenge_id: 1}");
	answers(w, "game.stats", "{challenge_id: 1}",
		"{participants: 3, completions: 2, max_value: 20, points_paid: 200}");
	given(w, "user.delete", "{id: 3}");
	answers(w, "game.stats", "{challenge_id: 1}",
		"{participants: 2, completions: 1, completion_rate: 50.0, average_value: 9.0, max_value: 10, "
		"points_paid: 200}");
	answers(w, "game.stats", "{user_id: 2}", "{challenges: {joined: 1, completed: 1}}");
	refused(w, ask(w, "game.stats", "{challenge_id: 2}"), E_NOT_FOUND, "{kind: 'challenge', id: 2}");
}

static void totals_count_what_stands(void **state)
{
	struct world *w = *state;

	answers(w, "game.stats", "{}",
		"{trivias: 0, attempts: 0, plays: 0, challenges: {open: 0, closed: 0}, events: {active: 0},"
		" raffles: {active: 0, ended: 0}, entries: 0, points_paid: 0, points_spent: 0, point_multiplier: 1}");
	given_user(w, 1);
	given_user(w, 2);
	for (int i = 1; i <= 3; i++) {
		given(w, "game.create", "{kind: 'raffle', name: 'r'}");
		given(w, "game.enter_raffle", "{raffle_id: %d, user_id: 1}", i);
		given(w, "game.enter_raffle", "{raffle_id: %d, user_id: 2}", i);
	}
	given(w, "game.end", "{kind: 'raffle', id: 1}");
	given_trivia(w, "a");
	given_trivia(w, "b");
	given(w, "game.delete", "{kind: 'trivia', id: 1}");
	answers(w, "game.stats", "{}", "{trivias: 1, raffles: {active: 2, ended: 1}, entries: 6}");
	given(w, "user.delete", "{id: 1}");
	answers(w, "game.stats", "{}", "{entries: 4}");
	answers(w, "game.stats", "{days: 1}", "{entries: 6}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_trivia_shows_questions_and_a_user),
		WORLD_TEST(trivias_are_listed_by_age_and_found_by_word),
		WORLD_TEST(questions_are_listed_by_position),
		WORLD_TEST(attempts_are_listed_latest_first),
		WORLD_TEST(plays_are_listed_latest_first),
		WORLD_TEST(a_list_of_plays_tells_the_next_free_one),
		WORLD_TEST(challenges_are_listed_by_their_end),
		WORLD_TEST(progress_is_listed_by_user_or_challenge),
		WORLD_TEST(events_are_listed_by_their_start),
		WORLD_TEST(raffles_are_listed_with_a_users_part),
		WORLD_TEST(a_trivia_has_statistics),
		WORLD_TEST(a_minigame_has_statistics),
		WORLD_TEST(scores_add_up_to_no_more_than_fits),
		WORLD_TEST(a_challenge_has_statistics),
		WORLD_TEST(totals_count_what_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
