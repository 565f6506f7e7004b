/* Queries of achievements and badges: items with a user's relation, lists, awards, statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/json.h"
#include "tests/lib/pages.h"
#include "tests/lib/world.h"

static void given_achievement(struct world *w, const char *id, const char *more)
{
	given(w, "achievement.create", "{id: '%s', name: '%s name'%s}", id, id, more);
	w->now += MINUTE;
}

static void given_badge(struct world *w, const char *name, const char *more)
{
	given(w, "achievement.create", "{kind: 'badge', name: '%s'%s}", name, more);
}

static void given_unlocked(struct world *w, int user_id, const char *id)
{
	given(w, "achievement.unlock", "{user_id: %d, achievement_id: '%s'}", user_id, id);
	w->now += MINUTE;
}

static void given_awarded(struct world *w, int user_id, int badge_id)
{
	given(w, "achievement.award_badge", "{user_id: %d, badge_id: %d}", user_id, badge_id);
	w->now += MINUTE;
}

/* Four achievements, four badges, two users; 7 has 40 points and holds some. */
static void given_content(struct world *w)
{
	given_achievement(w, "m100", ", condition_type: 'messages', condition_value: 100");
	given_achievement(w, "m5", ", condition_type: 'messages', condition_value: 5, is_active: false");
	given_achievement(w, "hand", "");
	given_achievement(w, "p80", ", condition_type: 'points', condition_value: 80");
	given_badge(w, "Rich", ", description: 'For many points', condition_type: 'points', condition_value: 90");
	given_badge(w, "VIP",
		    ", grants_vip: true, vip_duration_days: 3, condition_type: 'points', condition_value: 60");
	given_badge(w, "Old", ", description: 'From old times', is_active: false");
	given_badge(w, "Gold", ", grants_vip: true");
	given(w, "point.award", "{user_id: 7, amount: 40}");
	given(w, "user.create", "{id: 8}");
	given_unlocked(w, 7, "hand");
	given_unlocked(w, 7, "m100");
	given_awarded(w, 7, 2);
	given_awarded(w, 8, 2);
	given_awarded(w, 7, 1);
	given_unlocked(w, 8, "hand");
}

/* Of achievements, unless the params name another kind. */
static const char *ids(struct world *w, const char *params)
{
	return listed(w, "achievement.list", params, "id");
}

static void an_item_shows_the_relation_of_a_user(void **state)
{
	struct world *w = *state;

	given_content(w);
	answers(w, "achievement.get", "{id: 'm100'}", "{id: 'm100', name: 'm100 name', holders: 1}");
	assert_null(json_object_get(w->result, "user"));
	assert_null(json_object_get(w->result, "deleted"));
	answers(w, "achievement.get", "{id: 'm100', user_id: 7}",
		"{user: {held: true, awarded_at: %lld, award_id: 2, value: 0, percentage: 0.0}}",
		(long long)(WORLD_NOW + 5 * MINUTE));
	answers(w, "achievement.get", "{id: 'p80', user_id: 7}",
		"{user: {held: false, awarded_at: null, award_id: null, value: 40, percentage: 50.0}}");
	answers(w, "achievement.get", "{id: 'hand', user_id: 8}",
		"{user: {held: true, value: null, percentage: null}}");
	answers(w, "achievement.get", "{id: 'p80', user_id: 99}", "{user: {held: false, value: 0, percentage: 0.0}}");
	answers(w, "achievement.get", "{kind: 'badge', id: 2, user_id: 7}",
		"{name: 'VIP', holders: 2, user: {held: true, award_id: 3, value: 40}}");
	answers(w, "achievement.get", "{kind: 'badge', name: ' vip ', user_id: 9}", "{id: 2, user: {held: false}}");
	given_achievement(w, "zero", ", condition_type: 'level', condition_value: 0");
	given_achievement(w, "one", ", condition_type: 'points', condition_value: 1");
	answers(w, "achievement.get", "{id: 'zero', user_id: 99}", "{user: {percentage: 100.0}}");
	answers(w, "achievement.get", "{id: 'one', user_id: 7}", "{user: {held: false, percentage: 100.0}}");
}

static void what_is_not_there_is_not_found(void **state)
{
	struct world *w = *state;

	given_content(w);
	refused(w, ask(w, "achievement.get", "{id: 'none'}"), E_NOT_FOUND, "{kind: 'achievement', id: 'none'}");
	refused(w, ask(w, "achievement.get", "{kind: 'badge', id: 9}"), E_NOT_FOUND, "{kind: 'badge', id: 9}");
	refused(w, ask(w, "achievement.get", "{kind: 'badge', id: 0}"), E_NOT_FOUND, "{kind: 'badge', id: 0}");
	refused(w, ask(w, "achievement.get", "{kind: 'badge', name: 'none'}"), E_NOT_FOUND,
		"{kind: 'badge', id: 'none'}");
	refused(w, ask(w, "achievement.get", "{kind: 'badge'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, ask(w, "achievement.get", "{kind: 'badge', id: 1, name: 'Rich'}"), E_INVALID_ARGUMENT,
		"{field: 'id'}");
	refused(w, ask(w, "achievement.get", "{kind: 'award', id: 1}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	given(w, "achievement.delete", "{kind: 'badge', id: 4}");
	refused(w, ask(w, "achievement.get", "{kind: 'badge', name: 'Gold'}"), E_NOT_FOUND, "{id: 'Gold'}");
	refused(w, ask(w, "achievement.get", "{kind: 'badge', id: 4}"), E_NOT_FOUND, "{id: 4}");
	given(w, "achievement.delete", "{id: 'p80'}");
	refused(w, ask(w, "achievement.get", "{id: 'p80'}"), E_NOT_FOUND, "{id: 'p80'}");
	assert_string_equal(ids(w, "{}"), "m100 m5 hand");
}

static void many_come_in_the_order_asked(void **state)
{
	struct world *w = *state;

	given_content(w);
	answers(w, "achievement.get_many", "{ids: ['p80', 'none', 'm5'], user_id: 7}",
		"{items: [{id: 'p80', user: {value: 40}}, {id: 'm5', user: {held: false}}], missing: ['none']}");
	answers(w, "achievement.get_many", "{kind: 'badge', ids: [4, 0, 1, 9], user_id: 7}",
		"{items: [{id: 4, user: {held: false}}, {id: 1, user: {held: true}}], missing: [0, 9]}");
	answers(w, "achievement.get_many", "{kind: 'badge', ids: [1]}", "{items: [{id: 1}], missing: []}");
	refused(w, ask(w, "achievement.get_many", "{ids: []}"), E_INVALID_ARGUMENT, "{field: 'ids'}");
}

/* ---- definitions ---- */

static void achievements_are_listed(void **state)
{
	struct world *w = *state;

	given_content(w);
	assert_string_equal(ids(w, "{}"), "m100 m5 hand p80");
	assert_string_equal(ids(w, "{order: 'desc'}"), "p80 hand m5 m100");
	assert_string_equal(ids(w, "{condition_type: 'messages'}"), "m5 m100");
	assert_string_equal(ids(w, "{condition_type: 'messages', order: 'desc'}"), "m100 m5");
	assert_string_equal(ids(w, "{condition_type: 'messages', max_value: 5}"), "m5");
	assert_string_equal(ids(w, "{condition_type: 'messages', max_value: 4}"), "");
	assert_string_equal(ids(w, "{condition_type: 'messages', max_value: -1}"), "");
	assert_string_equal(ids(w, "{condition_type: 'points'}"), "p80");
	assert_string_equal(ids(w, "{condition_type: 'vip'}"), "");
	assert_string_equal(ids(w, "{max_value: 80}"), "m5 p80");
	assert_string_equal(ids(w, "{is_active: true}"), "m100 hand p80");
	assert_string_equal(ids(w, "{is_active: false}"), "m5");
	assert_string_equal(ids(w, "{query: 'name'}"), "hand m100 m5 p80");
	assert_string_equal(ids(w, "{query: 'M10 nam'}"), "m100");
	assert_string_equal(ids(w, "{query: 'm', is_active: true}"), "m100");
	for (int limit = 1; limit <= 4; limit++) {
		assert_string_equal(paged(w, "achievement.list", "{}", "id", limit), "m100 m5 hand p80");
		assert_string_equal(paged(w, "achievement.list", "{order: 'desc'}", "id", limit), "p80 hand m5 m100");
		assert_string_equal(paged(w, "achievement.list", "{condition_type: 'messages'}", "id", limit),
				    "m5 m100");
		assert_string_equal(paged(w, "achievement.list", "{query: 'name'}", "id", limit), "hand m100 m5 p80");
	}
	refused(w, ask(w, "achievement.list", "{query: 'm', order: 'asc'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "achievement.list", "{query: '--'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "achievement.list", "{state: 'pending'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
	refused(w, ask(w, "achievement.list", "{user_id: 7, state: 'held'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
	refused(w, ask(w, "achievement.list", "{grants_vip: true}"), E_INVALID_ARGUMENT, "{field: 'grants_vip'}");
}

static void achievements_of_a_user_are_listed(void **state)
{
	struct world *w = *state;

	given_content(w);
	assert_string_equal(ids(w, "{user_id: 7, state: 'unlocked'}"), "m100 hand");
	answers(w, "achievement.list", "{user_id: 7, state: 'unlocked', limit: 1}",
		"{items: [{id: 'm100', user: {held: true}}]}");
	assert_string_equal(ids(w, "{user_id: 7, state: 'unlocked', order: 'asc'}"), "hand m100");
	assert_string_equal(ids(w, "{user_id: 7, state: 'unlocked', condition_type: 'messages'}"), "m100");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending'}"), "m5 p80");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending', is_active: true}"), "p80");
	assert_string_equal(ids(w, "{user_id: 99, state: 'pending'}"), "m100 m5 hand p80");
	assert_string_equal(ids(w, "{user_id: 99, state: 'unlocked'}"), "");
	assert_string_equal(ids(w, "{user_id: 7, state: 'reachable'}"), "");
	given(w, "achievement.update", "{id: 'p80', condition_value: 40}");
	assert_string_equal(ids(w, "{user_id: 7, state: 'reachable'}"), "p80");
	assert_string_equal(ids(w, "{user_id: 8, state: 'reachable'}"), "");
	assert_string_equal(ids(w, "{user_id: 7, state: 'unlocked', query: 'hand'}"), "hand");
	assert_string_equal(ids(w, "{user_id: 7, state: 'pending', condition_type: 'messages', max_value: 9}"), "m5");
	for (int limit = 1; limit <= 3; limit++) {
		assert_string_equal(paged(w, "achievement.list", "{user_id: 7, state: 'unlocked'}", "id", limit),
				    "m100 hand");
		assert_string_equal(paged(w, "achievement.list", "{user_id: 7, state: 'pending'}", "id", limit),
				    "m5 p80");
	}
}

static void badges_are_listed(void **state)
{
	struct world *w = *state;

	given_content(w);
	assert_string_equal(ids(w, "{kind: 'badge'}"), "1 2 3 4");
	assert_string_equal(ids(w, "{kind: 'badge', order: 'desc'}"), "4 3 2 1");
	assert_string_equal(ids(w, "{kind: 'badge', is_active: true}"), "1 2 4");
	assert_string_equal(ids(w, "{kind: 'badge', is_active: false}"), "3");
	assert_string_equal(ids(w, "{kind: 'badge', condition_type: 'points'}"), "2 1");
	assert_string_equal(ids(w, "{kind: 'badge', condition_type: 'points', order: 'desc'}"), "1 2");
	assert_string_equal(ids(w, "{kind: 'badge', condition_type: 'points', max_value: 89}"), "2");
	assert_string_equal(ids(w, "{kind: 'badge', max_value: 90}"), "1 2");
	assert_string_equal(ids(w, "{kind: 'badge', grants_vip: true}"), "2 4");
	assert_string_equal(ids(w, "{kind: 'badge', grants_vip: false}"), "1 3");
	assert_string_equal(ids(w, "{kind: 'badge', query: 'old'}"), "3");
	assert_string_equal(ids(w, "{kind: 'badge', query: 'many ric'}"), "1");
	assert_string_equal(ids(w, "{kind: 'badge', user_id: 7, state: 'held'}"), "1 2");
	assert_string_equal(ids(w, "{kind: 'badge', user_id: 7, state: 'held', order: 'asc'}"), "2 1");
	assert_string_equal(ids(w, "{kind: 'badge', user_id: 7, state: 'held', grants_vip: true}"), "2");
	assert_string_equal(ids(w, "{kind: 'badge', user_id: 8, state: 'pending'}"), "1 3 4");
	assert_string_equal(ids(w, "{kind: 'badge', user_id: 8, state: 'reachable'}"), "");
	given(w, "achievement.update", "{kind: 'badge', id: 1, condition_value: 0}");
	assert_string_equal(ids(w, "{kind: 'badge', user_id: 8, state: 'reachable'}"), "1");
	for (int limit = 1; limit <= 4; limit++) {
		assert_string_equal(paged(w, "achievement.list", "{kind: 'badge'}", "id", limit), "1 2 3 4");
		assert_string_equal(
			paged(w, "achievement.list", "{kind: 'badge', user_id: 7, state: 'held'}", "id", limit), "1 2");
	}
	refused(w, ask(w, "achievement.list", "{kind: 'badge', user_id: 7, state: 'unlocked'}"), E_INVALID_ARGUMENT,
		"{field: 'state'}");
}

/* ---- awards ---- */

static void awards_are_listed(void **state)
{
	static const struct {
		const char *params;
		const char *ids;
	} lists[] = {
		{ "{kind: 'award'}", "6 5 4 3 2 1" },
		{ "{kind: 'award', order: 'asc'}", "1 2 3 4 5 6" },
		{ "{kind: 'award', user_id: 7}", "5 3 2 1" },
		{ "{kind: 'award', user_id: 7, award_type: 'badge'}", "5 3" },
		{ "{kind: 'award', award_type: 'badge'}", "5 4 3" },
		{ "{kind: 'award', award_type: 'achievement'}", "6 2 1" },
		{ "{kind: 'award', achievement_id: 'hand'}", "6 1" },
		{ "{kind: 'award', achievement_id: 'hand', order: 'asc'}", "1 6" },
		{ "{kind: 'award', achievement_id: 'hand', user_id: 8}", "6" },
		{ "{kind: 'award', achievement_id: 'hand', badge_id: 2}", "" },
		{ "{kind: 'award', badge_id: 2}", "4 3" },
		{ "{kind: 'award', badge_id: 2, order: 'asc'}", "3 4" },
		{ "{kind: 'award', badge_id: 9}", "" },
		{ "{kind: 'award', grants_vip: true}", "4 3" }, /* by user, the highest first */
		{ "{kind: 'award', grants_vip: false}", "6 5 2 1" },
		{ "{kind: 'award', user_id: 7, grants_vip: true}", "3" },
		{ "{kind: 'award', user_id: 7, grants_vip: false}", "5 2 1" },
		{ "{kind: 'award', source: 'manual', user_id: 8}", "6 4" },
		{ "{kind: 'award', source: 'rule'}", "" },
	};
	struct world *w = *state;

	given_content(w);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		assert_string_equal(ids(w, lists[i].params), lists[i].ids);
		for (int limit = 1; limit <= 3; limit++)
			assert_string_equal(paged(w, "achievement.list", lists[i].params, "id", limit), lists[i].ids);
	}
	refused(w, ask(w, "achievement.list", "{kind: 'award', award_type: 'lore'}"), E_INVALID_ARGUMENT,
		"{field: 'award_type'}");
	refused(w, ask(w, "achievement.list", "{kind: 'award', days: 1, from_at: 5}"), E_INVALID_ARGUMENT,
		"{field: 'days'}");
}

static void awards_have_times(void **state)
{
	static const char *const whose[] = { "", ", user_id: 7", ", achievement_id: 'a'",
					     ", award_type: 'achievement'" };
	long long middle = WORLD_NOW + DAY;
	struct world *w = *state;
	char params[160];

	given(w, "user.create", "{id: 7}");
	given(w, "user.create", "{id: 8}");
	given(w, "achievement.create", "{id: 'a', name: 'A'}");
	given_unlocked(w, 8, "a");
	w->now = middle;
	given_unlocked(w, 7, "a");
	w->now = middle + DAY;
	given(w, "user.create", "{id: 9}");
	given_unlocked(w, 9, "a");
	for (size_t i = 0; i < sizeof(whose) / sizeof(whose[0]); i++) {
		snprintf(params, sizeof(params), "{kind: 'award', from_at: %lld, to_at: %lld%s}", middle, middle + 1,
			 whose[i]);
		assert_string_equal(ids(w, params), "2");
		snprintf(params, sizeof(params), "{kind: 'award', to_at: %lld%s}", middle, whose[i]);
		assert_string_equal(ids(w, params), i == 1 ? "" : "1");
		snprintf(params, sizeof(params), "{kind: 'award', days: 1%s}", whose[i]);
		assert_string_equal(ids(w, params), i == 1 ? "" : "3");
		snprintf(params, sizeof(params), "{kind: 'award', days: 2%s, order: 'asc'}", whose[i]);
		assert_string_equal(ids(w, params), i == 1 ? "2" : "2 3");
	}
}

static void an_award_shows_the_end_of_its_vip(void **state)
{
	struct world *w = *state;

	given_content(w);
	answers(w, "achievement.list", "{kind: 'award', user_id: 7, grants_vip: true}",
		"{items: [{id: 3, user_id: 7, award_type: 'badge', achievement_id: null, badge_id: 2,"
		" awarded_at: %lld, source: 'manual', grant_id: 1, vip_expires_at: %lld}]}",
		(long long)(WORLD_NOW + 6 * MINUTE), (long long)(WORLD_NOW + 6 * MINUTE + 3 * DAY));
	assert_null(json_object_get(json_array_get(json_object_get(w->result, "items"), 0), "grants_vip"));
	given_awarded(w, 8, 4);
	answers(w, "achievement.list", "{kind: 'award', badge_id: 4}",
		"{items: [{grant_id: 3, vip_expires_at: null}]}");
	given(w, "achievement.revoke_badge", "{user_id: 8, badge_id: 2}");
	assert_string_equal(ids(w, "{kind: 'award', badge_id: 2}"), "3");
	assert_string_equal(ids(w, "{kind: 'award', grants_vip: true}"), "7 3");
}

/* ---- statistics ---- */

static void statistics_of_an_achievement(void **state)
{
	struct world *w = *state;

	given_content(w);
	answers(w, "achievement.stats", "{achievement_id: 'hand'}",
		"{holders: 2, holder_rate: 100.0, by_source: {rule: 0, manual: 2, mission: 0, fragment: 0},"
		" first_unlocked_at: %lld, last_unlocked_at: %lld, unlocked_in_window: 2}",
		(long long)(WORLD_NOW + 4 * MINUTE), (long long)(WORLD_NOW + 9 * MINUTE));
	answers(w, "achievement.stats", "{achievement_id: 'm100'}", "{holders: 1, holder_rate: 50.0}");
	answers(w, "achievement.stats", "{achievement_id: 'p80'}",
		"{holders: 0, holder_rate: 0.0, first_unlocked_at: null, last_unlocked_at: null, unlocked_in_window: "
		"0}");
	given(w, "point.award", "{user_id: 7, amount: 60}");
	answers(w, "achievement.stats", "{achievement_id: 'p80', days: 1}",
		"{by_source: {rule: 1, manual: 0}, unlocked_in_window: 1}");
	w->now += DAY;
	answers(w, "achievement.stats", "{achievement_id: 'p80', days: 1}", "{holders: 1, unlocked_in_window: 0}");
	answers(w, "achievement.stats", "{achievement_id: 'p80', days: 2}", "{unlocked_in_window: 1}");
	refused(w, ask(w, "achievement.stats", "{achievement_id: 'none'}"), E_NOT_FOUND,
		"{kind: 'achievement', id: 'none'}");
}

static void statistics_of_a_badge(void **state)
{
	struct world *w = *state;

	given_content(w);
	given(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 2}");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 2}");
	given(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 2}");
	answers(w, "achievement.stats", "{badge_id: 2}",
		"{holders: 1, holder_rate: 50.0, awarded: 3, revoked: 2, by_source: {manual: 3, rule: 0},"
		" first_awarded_at: %lld, last_awarded_at: %lld, awarded_in_window: 3, vip_granted: 3}",
		(long long)(WORLD_NOW + 6 * MINUTE), (long long)w->now);
	answers(w, "achievement.stats", "{badge_id: 1}", "{holders: 1, vip_granted: 0, revoked: 0}");
	refused(w, ask(w, "achievement.stats", "{badge_id: 9}"), E_NOT_FOUND, "{kind: 'badge', id: 9}");
	refused(w, ask(w, "achievement.stats", "{badge_id: 0}"), E_NOT_FOUND, "{kind: 'badge', id: 0}");
}

static void statistics_of_a_user(void **state)
{
	struct world *w = *state;

	given_content(w);
	answers(w, "achievement.stats", "{user_id: 7}",
		"{achievements: {held: 2, total: 4, percentage: 50.0, latest_at: %lld},"
		" badges: {held: 2, total: 4, percentage: 50.0, latest_at: %lld, vip: 1}}",
		(long long)(WORLD_NOW + 5 * MINUTE), (long long)(WORLD_NOW + 8 * MINUTE));
	given(w, "user.create", "{id: 9}");
	answers(w, "achievement.stats", "{user_id: 9}",
		"{achievements: {held: 0, percentage: 0.0, latest_at: null}, badges: {held: 0, vip: 0}}");
	refused(w, ask(w, "achievement.stats", "{user_id: 99}"), E_NOT_FOUND, "{kind: 'user', id: 99}");
	refused(w, ask(w, "achievement.stats", "{user_id: 7, badge_id: 1}"), E_INVALID_ARGUMENT, "{field: 'user_id'}");
	refused(w, ask(w, "achievement.stats", "{achievement_id: 'hand', badge_id: 1}"), E_INVALID_ARGUMENT,
		"{field: 'badge_id'}");
	refused(w, ask(w, "achievement.stats", "{days: 367}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void statistics_of_all(void **state)
{
	struct world *w = *state;

	answers(w, "achievement.stats", "{days: 1}",
		"{achievements: 0, badges: 0, unlocks: 0, average_per_user: 0.0, by_condition_type: {}, top: [],"
		" per_day: [{unlocks: 0, awards: 0, revocations: 0}]}");
	given_content(w);
	given(w, "achievement.revoke_badge", "{user_id: 8, badge_id: 2}");
	w->now += DAY;
	given(w, "point.award", "{user_id: 8, amount: 85}");
	answers(w, "achievement.stats", "{days: 2}",
		"{achievements: 4, badges: 4, active_badges: 3, vip_badges: 2, unlocks: 4, awards: 4, revocations: 1,"
		" users_with_achievements: 2, users_with_badges: 2, average_per_user: 3.5,"
		" by_condition_type: {messages: 2, points: 3},"
		" top: [{kind: 'achievement', id: 'hand', name: 'hand name', holders: 2},"
		" {kind: 'badge', id: 2, name: 'VIP', holders: 2}, {kind: 'achievement', id: 'm100', holders: 1},"
		" {kind: 'achievement', id: 'p80', holders: 1}, {kind: 'badge', id: 1, holders: 1},"
		" {kind: 'achievement', id: 'm5', holders: 0}, {kind: 'badge', id: 3}, {kind: 'badge', id: 4}],"
		" per_day: [{unlocks: 3, awards: 3, revocations: 1}, {day_at: %lld, unlocks: 1, awards: 1,"
		" revocations: 0}]}",
		(long long)(w->now / DAY * DAY));
	assert_int_equal(ask(w, "achievement.stats", "{}"), 0);
	assert_int_equal(json_array_size(json_object_get(w->result, "per_day")), 30);
	for (int i = 0; i < 8; i++) {
		char id[16];

		snprintf(id, sizeof(id), "x%d", i);
		given_achievement(w, id, "");
	}
	assert_int_equal(ask(w, "achievement.stats", "{}"), 0);
	assert_int_equal(json_array_size(json_object_get(w->result, "top")), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_item_shows_the_relation_of_a_user),
		WORLD_TEST(what_is_not_there_is_not_found),
		WORLD_TEST(many_come_in_the_order_asked),
		WORLD_TEST(achievements_are_listed),
		WORLD_TEST(achievements_of_a_user_are_listed),
		WORLD_TEST(badges_are_listed),
		WORLD_TEST(awards_are_listed),
		WORLD_TEST(awards_have_times),
		WORLD_TEST(an_award_shows_the_end_of_its_vip),
		WORLD_TEST(statistics_of_an_achievement),
		WORLD_TEST(statistics_of_a_badge),
		WORLD_TEST(statistics_of_a_user),
		WORLD_TEST(statistics_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
