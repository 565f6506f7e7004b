/* Queries of missions: items with a user's relation, lists of missions and of progress, statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/json.h"
#include "tests/lib/pages.h"

static void given_mission(struct world *w, const char *id, const char *more)
{
	given(w, "mission.create", "{id: '%s', name: 'Mission %s'%s%s}", id, id, *more ? ", " : "", more);
}

static void advance(struct world *w, int user_id, const char *id, int by)
{
	w->now += SECOND;
	given(w, "mission.advance", "{user_id: %d, mission_id: '%s', by: %d}", user_id, id, by);
}

/* Ids of a list of missions, which is the same in pages of every size. */
static const char *ids(struct world *w, const char *params)
{
	static char whole[4096];

	snprintf(whole, sizeof(whole), "%s", listed(w, "mission.list", params, "id"));
	for (int limit = 1; limit <= 3; limit++)
		assert_string_equal(paged(w, "mission.list", params, "id", limit), whole);
	return whole;
}

/* A list of progress as "user:mission ...", likewise. */
static const char *rows(struct world *w, const char *params)
{
	static char whole[4096];
	json_t *item;
	size_t i, n = 0;

	snprintf(whole, sizeof(whole), "%s", listed(w, "mission.list", params, "mission_id"));
	for (int limit = 1; limit <= 3; limit++)
		assert_string_equal(paged(w, "mission.list", params, "mission_id", limit), whole);
	listed(w, "mission.list", params, "mission_id");
	whole[0] = '\0';
	json_array_foreach(json_object_get(w->result, "items"), i, item) n +=
		(size_t)snprintf(whole + n, sizeof(whole) - n, "%s%lld:%s", i ? " " : "",
				 json_integer_value(json_object_get(item, "user_id")),
				 json_string_value(json_object_get(item, "mission_id")));
	return whole;
}

static void given_users(struct world *w)
{
	for (int id = 7; id <= 9; id++)
		given(w, "user.create", "{id: %d}", id);
}

/* ---- items ---- */

static void a_mission_comes_with_its_relation_to_a_user(void **state)
{
	struct world *w = *state;

	given_users(w);
	given_mission(w, "a", "target_value: 4");
	answers(w, "mission.get", "{id: 'a'}", "{id: 'a', target_value: 4}");
	assert_null(json_object_get(w->result, "user"));
	answers(w, "mission.get", "{id: 'a', user_id: 7}",
		"{user: {user_id: null, value: null, percentage: null, completed: null, version: null, started_at: "
		"null,"
		" available: true, retry_at: null}}");
	answers(w, "mission.get", "{id: 'a', user_id: 99}", "{user: {value: null, available: false}}");
	advance(w, 7, "a", 1);
	answers(w, "mission.get", "{id: 'a', user_id: 7}",
		"{user: {user_id: 7, mission_id: 'a', value: 1, percentage: 25.0, completed: false, available: "
		"false}}");
	assert_null(json_object_get(json_object_get(w->result, "user"), "started"));
	answers(w, "mission.get_many", "{ids: ['x', 'a'], user_id: 7}",
		"{items: [{id: 'a', user: {value: 1}}], missing: ['x']}");
	answers(w, "mission.get_many", "{ids: ['a']}", "{items: [{id: 'a'}], missing: []}");
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'a'}", "{value: 1, percentage: 25.0}");
	given(w, "config.set", "{entries: {access.mission: 'admin'}}");
	answers(w, "mission.get", "{id: 'a', user_id: 8}", "{user: {available: false}}");
	refused(w, ask(w, "mission.get", "{kind: 'progress', user_id: 8, mission_id: 'a'}"), E_NOT_FOUND,
		"{kind: 'progress', id: 'a'}");
	refused(w, ask(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'x'}"), E_NOT_FOUND, "{}");
	refused(w, ask(w, "mission.get", "{id: 'x'}"), E_NOT_FOUND, "{kind: 'mission', id: 'x'}");
	refused(w, ask(w, "mission.get", "{kind: 'reward', id: 'x'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	refused(w, ask(w, "mission.get_many", "{kind: 'progress', ids: ['a']}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void a_user_counts_missions_in_work(void **state)
{
	struct world *w = *state;

	given_users(w);
	given_mission(w, "a", "target_value: 4");
	given_mission(w, "b", "type: 'daily', target_value: 4");
	given_mission(w, "c", "target_value: 4");
	given_mission(w, "d", "");
	advance(w, 7, "a", 1);
	advance(w, 7, "b", 1);
	advance(w, 7, "c", 1);
	advance(w, 7, "d", 1);
	answers(w, "user.get", "{id: 7, include: ['counts']}", "{missions_open: 3}");
	given(w, "mission.update", "{id: 'c', is_active: false}");
	answers(w, "user.get", "{id: 7, include: ['counts']}", "{missions_open: 2}");
	w->now += DAY;
	answers(w, "user.get", "{id: 7, include: ['counts']}", "{missions_open: 1}");
	answers(w, "user.get", "{id: 8, include: ['counts']}", "{missions_open: 0}");
}

/* ---- lists of missions ---- */

static void given_list(struct world *w)
{
	given_users(w);
	given_mission(w, "d", "type: 'daily', action: 'message', position: 2, description: 'Say Hóla'");
	w->now += SECOND;
	given_mission(w, "c", "type: 'daily', action: 'poll', position: 1");
	given_mission(w, "b", "position: 1, action: 'message'");
	w->now += SECOND;
	given_mission(w, "a", "position: 1, duration_days: 1");
	given_mission(w, "e", "position: -3, is_active: false");
	given_mission(w, "f", "type: 'main', position: 3, target_value: 2");
}

static void missions_are_listed_by_position(void **state)
{
	struct world *w = *state;

	given_list(w);
	assert_string_equal(ids(w, "{}"), "b c a d f");
	assert_string_equal(ids(w, "{order: 'desc'}"), "f d a c b");
	assert_string_equal(ids(w, "{is_active: true}"), "b c a d f");
	assert_string_equal(ids(w, "{is_active: false}"), "e");
	assert_string_equal(ids(w, "{is_active: 'any'}"), "e b c a d f");
	assert_string_equal(ids(w, "{is_active: null}"), "b c a d f");
	assert_string_equal(ids(w, "{type: 'daily'}"), "c d");
	assert_string_equal(ids(w, "{type: 'weekly'}"), "");
	assert_string_equal(ids(w, "{action: 'message'}"), "b d");
	assert_string_equal(ids(w, "{action: 'message', type: 'daily'}"), "d");
	given(w, "mission.update", "{id: 'b', position: 9}");
	assert_string_equal(ids(w, "{}"), "c a d f b");
	refused(w, ask(w, "mission.list", "{is_active: 'yes'}"), E_INVALID_ARGUMENT, "{field: 'is_active'}");
	refused(w, ask(w, "mission.list", "{is_active: 1}"), E_INVALID_ARGUMENT, "{field: 'is_active'}");
	refused(w, ask(w, "mission.list", "{sort: 'name'}"), E_INVALID_ARGUMENT, "{field: 'sort'}");
	refused(w, ask(w, "mission.list", "{kind: 'level'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void expired_missions_are_left_out(void **state)
{
	struct world *w = *state;

	given_list(w);
	w->now += DAY;
	assert_string_equal(ids(w, "{}"), "b c d f");
	assert_string_equal(ids(w, "{include_expired: true}"), "b c a d f");
	assert_int_equal(tick(w), 1);
	assert_string_equal(ids(w, "{include_expired: true}"), "b c d f");
	assert_string_equal(ids(w, "{include_expired: true, is_active: 'any'}"), "e b c a d f");
	assert_string_equal(ids(w, "{is_active: 'any'}"), "e b c d f");
}

static void missions_are_listed_by_creation(void **state)
{
	struct world *w = *state;
	char params[100];

	given_list(w);
	snprintf(params, sizeof(params), "{from_at: %lld}", (long long)WORLD_NOW + SECOND);
	assert_string_equal(ids(w, params), "b c a f");
	snprintf(params, sizeof(params), "{to_at: %lld}", (long long)WORLD_NOW + 2 * SECOND);
	assert_string_equal(ids(w, params), "b c d");
	w->now += 12 * HOUR;
	assert_string_equal(ids(w, "{days: 1}"), "b c a d f");
	w->now = WORLD_NOW + DAY + SECOND;
	assert_string_equal(ids(w, "{days: 1}"), "b c a f");
	refused(w, ask(w, "mission.list", "{days: 1, from_at: 0}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void missions_are_found_by_words(void **state)
{
	struct world *w = *state;

	given_list(w);
	assert_string_equal(ids(w, "{query: 'hola'}"), "d");
	assert_string_equal(ids(w, "{query: 'missi'}"), "a b c d f");
	assert_string_equal(ids(w, "{query: 'MISSION say'}"), "d");
	assert_string_equal(ids(w, "{query: 'mission', type: 'daily'}"), "c d");
	given(w, "mission.update", "{id: 'd', description: 'Adios', name: 'Nothing'}");
	assert_string_equal(ids(w, "{query: 'hola'}"), "");
	assert_string_equal(ids(w, "{query: 'adi'}"), "d");
	given(w, "mission.delete", "{id: 'd'}");
	assert_string_equal(ids(w, "{query: 'adi'}"), "");
	refused(w, ask(w, "mission.list", "{query: '!'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "mission.list", "{query: 'a', order: 'asc'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
}

static void missions_are_listed_by_what_a_user_did(void **state)
{
	struct world *w = *state;

	given_list(w);
	advance(w, 7, "f", 1);
	advance(w, 7, "c", 1);
	advance(w, 7, "b", 1);
	given(w, "mission.start", "{user_id: 7, mission_id: 'd'}");
	assert_string_equal(ids(w, "{user_id: 7, state: 'available'}"), "a");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending'}"), "d f");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending', order: 'desc'}"), "f d");
	assert_string_equal(ids(w, "{user_id: 7, state: 'open'}"), "a d f");
	assert_string_equal(ids(w, "{user_id: 7, state: 'completed'}"), "b c");
	assert_string_equal(ids(w, "{user_id: 7, state: 'completed', order: 'asc'}"), "c b");
	assert_string_equal(ids(w, "{user_id: 7, state: 'completed', type: 'daily'}"), "c");
	assert_string_equal(ids(w, "{user_id: 8, state: 'completed'}"), "");
	assert_string_equal(ids(w, "{user_id: 8, state: 'available'}"), "b c a d f");
	assert_string_equal(ids(w, "{user_id: 7}"), "b c a d f");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending', query: 'mission'}"), "d f");
	answers(w, "mission.list", "{user_id: 7, type: 'daily'}",
		"{items: [{id: 'c', user: {completed: true}}, {id: 'd', user: {completed: false, value: 0}}]}");
	given(w, "mission.update", "{id: 'f', is_active: false}");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending'}"), "d");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending', is_active: 'any'}"), "d f");
	assert_string_equal(ids(w, "{user_id: 7, state: 'open', is_active: 'any'}"), "a d");
	/* a day later */
	w->now += DAY - HOUR;
	assert_string_equal(ids(w, "{user_id: 7, type: 'daily', state: 'open'}"), "c d");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending'}"), "");
	assert_string_equal(ids(w, "{user_id: 7, state: 'completed'}"), "b");
	given(w, "config.set", "{entries: {access.mission: 'vip'}}");
	assert_string_equal(ids(w, "{user_id: 7, state: 'available'}"), "");
	refused(w, ask(w, "mission.list", "{state: 'open'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
	refused(w, ask(w, "mission.list", "{user_id: 7, state: 'done'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
}

static void a_reset_mission_is_available(void **state)
{
	struct world *w = *state;

	given_users(w);
	given_mission(w, "a", "target_value: 2");
	advance(w, 7, "a", 2);
	given(w, "mission.reset", "{user_id: 7, mission_id: 'a'}");
	assert_string_equal(ids(w, "{user_id: 7, state: 'available'}"), "a");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending'}"), "");
	assert_string_equal(ids(w, "{user_id: 7, state: 'completed'}"), "");
	assert_string_equal(rows(w, "{kind: 'progress', user_id: 7}"), "7:a");
}

/* ---- lists of progress ---- */

static void given_progress(struct world *w)
{
	given_users(w);
	given_mission(w, "a", "");
	given_mission(w, "b", "type: 'daily'");
	given_mission(w, "c", "target_value: 5");
	given_mission(w, "d", "is_repeatable: true");
	advance(w, 7, "b", 1);
	advance(w, 8, "a", 1);
	advance(w, 7, "a", 1);
	advance(w, 7, "c", 2);
	advance(w, 9, "a", 1);
	advance(w, 7, "d", 1);
	w->now += SECOND;
	given(w, "mission.start", "{user_id: 7, mission_id: 'd'}");
}

static void progress_is_listed_by_user_and_by_mission(void **state)
{
	struct world *w = *state;

	given_progress(w);
	assert_string_equal(rows(w, "{kind: 'progress', user_id: 7}"), "7:a 7:b 7:d 7:c");
	assert_string_equal(rows(w, "{kind: 'progress', user_id: 7, order: 'asc'}"), "7:c 7:d 7:b 7:a");
	assert_string_equal(rows(w, "{kind: 'progress', user_id: 7, completed: true}"), "7:a 7:b");
	assert_string_equal(rows(w, "{kind: 'progress', user_id: 7, completed: false}"), "7:d 7:c");
	assert_string_equal(rows(w, "{kind: 'progress', mission_id: 'a'}"), "7:a 8:a 9:a");
	assert_string_equal(rows(w, "{kind: 'progress', mission_id: 'a', order: 'desc'}"), "9:a 8:a 7:a");
	assert_string_equal(rows(w, "{kind: 'progress', mission_id: 'a', user_id: 8}"), "8:a");
	assert_string_equal(rows(w, "{kind: 'progress', mission_id: 'b', user_id: 8}"), "");
	assert_string_equal(rows(w, "{kind: 'progress', mission_id: 'x'}"), "");
	assert_string_equal(rows(w, "{kind: 'progress'}"), "9:a 8:a 7:a 7:b 7:d 7:c");
	answers(w, "mission.list", "{kind: 'progress', mission_id: 'c'}",
		"{items: [{user_id: 7, mission_id: 'c', value: 2, percentage: 40.0, completed: false, period: 0}]}");
	w->now += DAY;
	assert_string_equal(rows(w, "{kind: 'progress', user_id: 7, completed: true}"), "7:a");
	assert_string_equal(rows(w, "{kind: 'progress', mission_id: 'b', completed: false}"), "7:b");
}

static void completions_are_listed_latest_first(void **state)
{
	struct world *w = *state;
	char params[100];

	given_progress(w);
	assert_string_equal(rows(w, "{kind: 'progress', completed: true}"), "9:a 7:a 8:a 7:b");
	/* whatever the period, and though one was started anew */
	w->now += DAY - MINUTE;
	assert_string_equal(rows(w, "{kind: 'progress', days: 1}"), "7:d 9:a 7:a 8:a 7:b");
	assert_string_equal(rows(w, "{kind: 'progress', days: 1, completed: true}"), "7:d 9:a 7:a 8:a 7:b");
	assert_string_equal(rows(w, "{kind: 'progress', days: 1, completed: false}"), "7:d 7:b");
	assert_string_equal(rows(w, "{kind: 'progress', days: 1, order: 'asc'}"), "7:b 8:a 7:a 9:a 7:d");
	assert_string_equal(rows(w, "{kind: 'progress', user_id: 7, days: 1}"), "7:a 7:b 7:d");
	snprintf(params, sizeof(params), "{kind: 'progress', from_at: %lld, to_at: %lld}", (long long)WORLD_NOW + 2000,
		 (long long)WORLD_NOW + 5000);
	assert_string_equal(rows(w, params), "7:a 8:a");
	snprintf(params, sizeof(params), "{kind: 'progress', mission_id: 'a', from_at: %lld}",
		 (long long)WORLD_NOW + 3000);
	assert_string_equal(rows(w, params), "7:a 9:a");
	w->now += DAY;
	assert_string_equal(rows(w, "{kind: 'progress', days: 1}"), "");
	refused(w, ask(w, "mission.list", "{kind: 'progress', days: 1, from_at: 1}"), E_INVALID_ARGUMENT,
		"{field: 'days'}");
	refused(w, ask(w, "mission.list", "{kind: 'progress', after: 'AAAA'}"), E_INVALID_ARGUMENT, "{field: 'after'}");
}

/* ---- statistics ---- */

static void statistics_of_a_mission(void **state)
{
	struct world *w = *state;

	given_users(w);
	given_mission(w, "a", "target_value: 4, reward_points: 2.5, is_repeatable: true");
	answers(w, "mission.stats", "{mission_id: 'a'}",
		"{mission_id: 'a', name: 'Mission a', target_value: 4, attempts: 0, completed: 0, completions: 0,"
		" completion_rate: 0.0, average_progress: 0.0, max_progress: 0, min_progress: 0,"
		" average_completion_progress: 0.0, points_distributed: 0}");
	advance(w, 7, "a", 6);
	advance(w, 8, "a", 3);
	given(w, "mission.start", "{user_id: 9, mission_id: 'a'}");
	answers(w, "mission.stats", "{mission_id: 'a'}",
		"{attempts: 3, completed: 1, completions: 1, average_progress: 3.0, max_progress: 6, min_progress: 0,"
		" average_completion_progress: 6.0, points_distributed: 2.5}");
	advance(w, 8, "a", 1);
	advance(w, 7, "a", 4);
	answers(w, "mission.stats", "{mission_id: 'a'}",
		"{attempts: 3, completed: 2, completions: 3, max_progress: 4, min_progress: 0, points_distributed: "
		"7.5}");
	given(w, "mission.reset", "{user_id: 7, mission_id: 'a'}");
	answers(w, "mission.stats", "{mission_id: 'a'}",
		"{attempts: 3, completed: 2, completions: 3, max_progress: 4}");
	given(w, "point.award", "{user_id: 9, amount: 1, ref: {kind: 'mission', id: 'a'}}");
	given(w, "point.award", "{user_id: 9, amount: 1, ref: {kind: 'mission', id: 5}}");
	given(w, "point.award", "{user_id: 9, amount: 1, ref: {id: 'gone', kind: 'mission'}}");
	given(w, "point.award", "{user_id: 9, amount: 1, ref: {kind: 'lesson', id: 'a'}}");
	answers(w, "mission.stats", "{mission_id: 'a'}", "{points_distributed: 8.5}");
	refused(w, ask(w, "mission.stats", "{mission_id: 'x'}"), E_NOT_FOUND, "{kind: 'mission', id: 'x'}");
	refused(w, ask(w, "mission.stats", "{mission_id: 'a', user_id: 7}"), E_INVALID_ARGUMENT, "{field: 'user_id'}");
	refused(w, ask(w, "mission.stats", "{mission_id: 'a', days: 7}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void statistics_of_a_user(void **state)
{
	struct world *w = *state;

	given_users(w);
	given_mission(w, "a", "reward_points: 5");
	given_mission(w, "b", "target_value: 5");
	given_mission(w, "c", "type: 'daily', target_value: 2");
	answers(w, "mission.stats", "{user_id: 7}",
		"{user_id: 7, total: 0, completed: 0, pending: 0, completion_rate: 0.0, average_progress: 0.0,"
		" points_earned: 0, by_type: {}}");
	advance(w, 7, "a", 1);
	advance(w, 7, "b", 3);
	advance(w, 7, "c", 2);
	advance(w, 8, "a", 1);
	given(w, "mission.start", "{user_id: 8, mission_id: 'c'}");
	answers(w, "mission.stats", "{user_id: 7}",
		"{total: 3, completed: 2, pending: 1, average_progress: 2.0, points_earned: 5,"
		" by_type: {one_time: {total: 2, completed: 1}, daily: {total: 1, completed: 1}}}");
	answers(w, "mission.stats", "{user_id: 8}", "{total: 2, completed: 1, pending: 1, completion_rate: 50.0}");
	given(w, "mission.delete", "{id: 'b'}");
	answers(w, "mission.stats", "{user_id: 7}", "{total: 2, completed: 2, by_type: {one_time: {total: 1}}}");
	refused(w, ask(w, "mission.stats", "{user_id: 99}"), E_NOT_FOUND, "{kind: 'user', id: 99}");
	refused(w, ask(w, "mission.stats", "{user_id: 7, days: 7}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void statistics_of_all(void **state)
{
	struct world *w = *state;

	given_users(w);
	answers(w, "mission.stats", "{}",
		"{missions: 0, active: 0, by_type: {}, users_with_missions: 0, attempts: 0, completions: 0,"
		" completion_rate: 0.0, average_progress: 0.0, points_distributed: 0}");
	given_mission(w, "a", "reward_points: 5");
	given_mission(w, "b", "target_value: 5, type: 'weekly', is_active: false");
	given_mission(w, "c", "type: 'daily', target_value: 2");
	advance(w, 7, "a", 1);
	advance(w, 7, "c", 1);
	w->now += DAY;
	advance(w, 8, "c", 2);
	answers(w, "mission.stats", "{}",
		"{missions: 3, active: 2, by_type: {one_time: 1, weekly: 1, daily: 1}, users_with_missions: 2, "
		"attempts: 3,"
		" completions: 2, points_distributed: 5}");
	assert_null(json_object_get(w->result, "started"));
	answers(w, "mission.stats", "{days: 1}", "{started: 1, completed: 1}");
	answers(w, "mission.stats", "{days: 2}", "{started: 3, completed: 2, attempts: 3}");
	given(w, "user.delete", "{id: 7}");
	answers(w, "mission.stats", "{days: 2}", "{users_with_missions: 1, attempts: 1, started: 3, completed: 2}");
	refused(w, ask(w, "mission.stats", "{days: 367}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_mission_comes_with_its_relation_to_a_user),
		WORLD_TEST(a_user_counts_missions_in_work),
		WORLD_TEST(missions_are_listed_by_position),
		WORLD_TEST(expired_missions_are_left_out),
		WORLD_TEST(missions_are_listed_by_creation),
		WORLD_TEST(missions_are_found_by_words),
		WORLD_TEST(missions_are_listed_by_what_a_user_did),
		WORLD_TEST(a_reset_mission_is_available),
		WORLD_TEST(progress_is_listed_by_user_and_by_mission),
		WORLD_TEST(completions_are_listed_latest_first),
		WORLD_TEST(statistics_of_a_mission),
		WORLD_TEST(statistics_of_a_user),
		WORLD_TEST(statistics_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
