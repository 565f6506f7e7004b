/* Commands on missions and progress, what advances missions by rule, periods and ends. */
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
#include "tests/lib/world.h"

/* Days and weeks of the world's clock: 2026-03-02 is a Monday. */
#define TODAY (WORLD_NOW / DAY)
#define THIS_WEEK ((TODAY + 3) / 7)
#define MIDNIGHT (WORLD_NOW - WORLD_NOW % DAY)

static void set(struct world *w, const char *entries)
{
	given(w, "config.set", "{entries: %s}", entries);
}

static void given_mission(struct world *w, const char *id, const char *more)
{
	given(w, "mission.create", "{id: '%s', name: 'Mission %s'%s%s}", id, id, *more ? ", " : "", more);
}

static void given_user(struct world *w, int id)
{
	given(w, "user.create", "{id: %d}", id);
}

static void message(struct world *w, int user_id)
{
	w->now += 30 * SECOND;
	given(w, "user.record_activity", "{user_id: %d, action: 'message'}", user_id);
}

/* ---- definitions ---- */

static void a_mission_is_created_whole(void **state)
{
	struct world *w = *state;

	given(w, "mission.create", "{name: '  Check-in Diario ', type: 'daily'}");
	then(w,
	     "{seq: 1, version: 1, changed: true, item: {id: 'daily_check-in_diario', version: 1, name: 'Check-in "
	     "Diario',"
	     " description: '', type: 'daily', action: null, target_value: 1, requirements: {fragments: [], lore: [],"
	     " missions: [], actions: []}, objectives: [], reward_points: 0, reward_lore: [], reward_badges: [],"
	     " reward_fragments: [], duration_days: 0, expires_at: null, is_active: true, is_repeatable: false,"
	     " cooldown_hours: 0, requires_action: false, action_data: null, position: 0, created_at: %lld,"
	     " updated_at: %lld}}",
	     (long long)w->now, (long long)w->now);
	assert_string_equal(events(w), "mission.created");
	then_event(w, 0, "{id: 'daily_check-in_diario', type: 'daily', is_active: true}");
	given(w, "mission.create",
	      "{id: 'm:1', name: 'One', description: 'About', type: 'side', action: 'poll', target_value: 3,"
	      " requirements: {missions: ['daily_check-in_diario'], actions: [{action: 'wave', count: 2}, {action: "
	      "'bow'}]},"
	      " objectives: [{description: 'Vote', key: 'k', count: 3}, {free: [1, {a: 2}]}], reward_points: 1.5,"
	      " is_repeatable: true, cooldown_hours: 4, requires_action: true, action_data: {x: 1}, position: -7,"
	      " is_active: false, duration_days: 2}");
	then(w,
	     "{item: {requirements: {fragments: [], lore: [], missions: ['daily_check-in_diario'],"
	     " actions: [{action: 'wave', count: 2}, {action: 'bow', count: 1}]},"
	     " objectives: [{description: 'Vote', key: 'k', count: 3}, {free: [1, {a: 2}]}], reward_points: 1.5,"
	     " action_data: {x: 1}, position: -7, is_active: false, expires_at: %lld}}",
	     (long long)(w->now + 2 * DAY));
}

static void an_id_is_made_of_type_and_name(void **state)
{
	struct world *w = *state;
	char name[201], id[101];

	given(w, "mission.create", "{name: 'Ñandú é: ¡Vamos!\\t2 (x)'}");
	then(w, "{item: {id: 'one_time_nandu_e:_vamos_2_x'}}");
	given(w, "mission.create", "{name: '¿?', type: 'weekly'}");
	then(w, "{item: {id: 'weekly_'}}");
	memset(name, 'a', 200);
	name[200] = '\0';
	snprintf(id, sizeof(id), "one_time_%.91s", name);
	given(w, "mission.create", "{name: '%s'}", name);
	then(w, "{item: {id: '%s'}}", id);
	refused(w, when(w, "mission.create", "{name: '%sa'}", name), E_INVALID_ARGUMENT, "{field: 'name'}");
	refused(w, when(w, "mission.create", "{name: '¡!', type: 'weekly'}"), E_ALREADY_EXISTS,
		"{kind: 'mission', id: 'weekly_'}");
}

static void a_mission_is_refused_for_what_it_says(void **state)
{
	static const struct {
		const char *params, *field;
	} bad[] = {
		{ "{name: ' '}", "name" },
		{ "{id: 'a b', name: 'x'}", "id" },
		{ "{name: 'x', type: 'yearly'}", "type" },
		{ "{name: 'x', action: 'sleep'}", "action" },
		{ "{name: 'x', target_value: 0}", "target_value" },
		{ "{name: 'x', target_value: 1000000001}", "target_value" },
		{ "{name: 'x', cooldown_hours: -1}", "cooldown_hours" },
		{ "{name: 'x', duration_days: -1}", "duration_days" },
		{ "{name: 'x', duration_days: 1000000000}", "duration_days" },
		{ "{name: 'x', duration_days: 1, expires_at: 1900000000000}", "duration_days" },
		{ "{name: 'x', expires_at: 1772452800000}", "expires_at" },
		{ "{name: 'x', requirements: {actions: [{action: 'a'}, {action: 'a'}]}}", "requirements" },
		{ "{name: 'x', requirements: {actions: [{action: ''}]}}", "action" },
		{ "{name: 'x', requirements: {actions: [{action: 'a', count: 0}]}}", "count" },
		{ "{name: 'x', requirements: {others: []}}", "others" },
		{ "{id: 'x', name: 'x', requirements: {missions: ['x']}}", "requirements" },
		{ "{name: 'x', objectives: [1]}", "objectives" },
		{ "{name: 'x', version: 3}", "version" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "mission.create", "%s", bad[i].params), E_INVALID_ARGUMENT, "{field: '%s'}",
			bad[i].field);
	refused(w, when(w, "mission.create", "{name: 'x', requirements: {missions: ['nope']}}"), E_NOT_FOUND,
		"{kind: 'mission', id: 'nope'}");
	refused(w, when(w, "mission.create", "{name: 'x', requirements: {lore: ['nope']}}"), E_NOT_FOUND,
		"{kind: 'lore', id: 'nope'}");
	refused(w, when(w, "mission.create", "{name: 'x', requirements: {fragments: ['nope']}}"), E_NOT_FOUND,
		"{kind: 'fragment', id: 'nope'}");
	refused(w, when(w, "mission.create", "{name: 'x', reward_lore: ['nope']}"), E_NOT_FOUND,
		"{kind: 'lore', id: 'nope'}");
	refused(w, when(w, "mission.create", "{name: 'x', reward_badges: [5]}"), E_NOT_FOUND, "{kind: 'badge', id: 5}");
	refused(w, when(w, "mission.create", "{name: 'x', reward_fragments: ['nope']}"), E_NOT_FOUND,
		"{kind: 'fragment', id: 'nope'}");
	assert_int_equal(w->head, 0);
}

/* Objectives of n maps of `len` bytes of text. */
static json_t *objectives(unsigned n, size_t len)
{
	json_t *p = json_of("{name: 'x'}"), *all = json_array();
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	text[len] = '\0';
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(all, json_pack("{s: s}", "d", text));
	json_object_set_new(p, "objectives", all);
	free(text);
	return p;
}

static int create_with(struct world *w, json_t *p)
{
	struct buf packed;
	int rc;

	buf_init(&packed, 1 << 22);
	json_pack_to(&packed, p);
	rc = when_packed(w, "mission.create", buf_slice(&packed));
	buf_free(&packed);
	json_decref(p);
	return rc;
}

static void objectives_have_limits(void **state)
{
	struct world *w = *state;

	refused(w, create_with(w, objectives(101, 1)), E_INVALID_ARGUMENT, "{field: 'objectives'}");
	refused(w, create_with(w, objectives(1, 17000)), E_INVALID_ARGUMENT, "{field: 'objectives'}");
	refused(w, create_with(w, objectives(5, 16000)), E_INVALID_ARGUMENT, "{field: 'objectives'}");
	assert_int_equal(create_with(w, objectives(4, 16000)), 0);
}

static void an_update_changes_what_was_sent(void **state)
{
	struct world *w = *state;

	given_mission(w, "a", "action: 'message', reward_points: 5");
	w->now += HOUR;
	given(w, "mission.update", "{id: 'a', reward_points: 30, action: null, position: 2}");
	then(w, "{version: 2, changed: true, item: {reward_points: 30, action: null, position: 2, updated_at: %lld}}",
	     (long long)w->now);
	assert_string_equal(events(w), "mission.updated");
	then_event(w, 0,
		   "{id: 'a', changes: {reward_points: 30, action: null, position: 2},"
		   " before: {reward_points: 5, action: 'message', position: 0}}");
	given(w, "mission.update", "{id: 'a', position: 2}");
	then(w, "{changed: false, version: 2}");
	given(w, "mission.update", "{id: 'a', requirements: {actions: [{action: 'wave'}]}}");
	then_event(w, 0,
		   "{changes: {requirements: {fragments: [], lore: [], missions: [], actions: [{action: 'wave', count: "
		   "1}]}}}");
	refused(w, when(w, "mission.update", "{id: 'a', type: 'daily'}"), E_INVALID_ARGUMENT, "{field: 'type'}");
	refused(w, when(w, "mission.update", "{id: 'a', name: null}"), E_INVALID_ARGUMENT, "{field: 'name'}");
	refused(w, when(w, "mission.update", "{id: 'b', name: 'B'}"), E_NOT_FOUND, "{kind: 'mission', id: 'b'}");
	refused(w, when(w, "mission.update", "{id: 'a', reward_lore: ['l']}"), E_NOT_FOUND, "{kind: 'lore'}");
	refused(w, when(w, "mission.update", "{id: 'a', requirements: {missions: ['b']}}"), E_NOT_FOUND,
		"{kind: 'mission', id: 'b'}");
}

static void an_end_is_given_or_follows_from_the_duration(void **state)
{
	struct world *w = *state;
	long long created = w->now;

	given_mission(w, "a", "duration_days: 3");
	w->now += DAY;
	given(w, "mission.update", "{id: 'a', duration_days: 5}");
	then(w, "{item: {duration_days: 5, expires_at: %lld}}", created + 5 * DAY);
	given(w, "mission.update", "{id: 'a', expires_at: %lld}", created + 2 * DAY);
	then(w, "{item: {duration_days: 0, expires_at: %lld}}", created + 2 * DAY);
	given(w, "mission.update", "{id: 'a', duration_days: 0}");
	then(w, "{changed: false, item: {expires_at: %lld}}", created + 2 * DAY);
	given(w, "mission.update", "{id: 'a', duration_days: 4}");
	given(w, "mission.update", "{id: 'a', duration_days: 0}");
	then(w, "{item: {duration_days: 0, expires_at: null}}");
	given(w, "mission.update", "{id: 'a', duration_days: 4, expires_at: null}");
	then(w, "{item: {expires_at: %lld}}", created + 4 * DAY);
	refused(w, when(w, "mission.update", "{id: 'a', duration_days: 4, expires_at: %lld}", created + 9 * DAY),
		E_INVALID_ARGUMENT, "{field: 'duration_days'}");
	refused(w, when(w, "mission.update", "{id: 'a', duration_days: 1}"), E_INVALID_ARGUMENT,
		"{field: 'expires_at'}");
	refused(w, when(w, "mission.update", "{id: 'a', expires_at: %lld}", (long long)w->now), E_INVALID_ARGUMENT,
		"{field: 'expires_at'}");
	w->now = created + 4 * DAY;
	assert_int_equal(tick(w), 1);
	given(w, "mission.update", "{id: 'a', name: 'Over'}");
	refused(w, when(w, "mission.update", "{id: 'a', is_active: true}"), E_INVALID_ARGUMENT,
		"{field: 'expires_at'}");
	given(w, "mission.update", "{id: 'a', is_active: true, expires_at: null}");
	then(w, "{item: {is_active: true, expires_at: null, duration_days: 0}}");
}

static void missions_require_each_other_without_circles(void **state)
{
	struct world *w = *state;

	given_mission(w, "a", "");
	given_mission(w, "b", "requirements: {missions: ['a']}");
	given_mission(w, "c", "requirements: {missions: ['a', 'b']}");
	given_mission(w, "d", "requirements: {missions: ['c', 'b']}");
	refused(w, when(w, "mission.update", "{id: 'a', requirements: {missions: ['d']}}"), E_INVALID_ARGUMENT,
		"{field: 'requirements'}");
	refused(w, when(w, "mission.update", "{id: 'b', requirements: {missions: ['b']}}"), E_INVALID_ARGUMENT,
		"{field: 'requirements'}");
	refused(w, when(w, "mission.delete", "{id: 'a'}"), E_IN_USE, "{reason: 'required'}");
	given(w, "mission.delete", "{id: 'd'}");
	given(w, "mission.delete", "{id: 'c'}");
	given(w, "mission.update", "{id: 'b', requirements: {}}");
	given(w, "mission.update", "{id: 'a', requirements: {missions: ['b']}}");
	refused(w, when(w, "mission.update", "{id: 'b', requirements: {missions: ['a']}}"), E_INVALID_ARGUMENT, "{}");
}

static void many_missions_in_a_row_are_no_circle(void **state)
{
	struct world *w = *state;

	given_mission(w, "m0", "");
	for (int i = 1; i < 50; i++)
		given(w, "mission.create", "{id: 'm%d', name: 'x', requirements: {missions: ['m%d', 'm%d']}}", i, i - 1,
		      i / 2);
	refused(w, when(w, "mission.update", "{id: 'm0', requirements: {missions: ['m49']}}"), E_INVALID_ARGUMENT,
		"{}");
}

static void a_deleted_mission_leaves_the_views_and_keeps_its_key(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "a", "action: 'message', target_value: 2, reward_points: 5");
	message(w, 7);
	message(w, 7);
	given(w, "mission.delete", "{id: 'a'}");
	then(w, "{changed: true, version: 2}");
	assert_string_equal(events(w), "mission.deleted");
	then_event(w, 0, "{id: 'a'}");
	refused(w, when(w, "mission.delete", "{id: 'a'}"), E_NOT_FOUND, "{kind: 'mission', id: 'a'}");
	refused(w, when(w, "mission.create", "{id: 'a', name: 'x'}"), E_ALREADY_EXISTS, "{kind: 'mission', id: 'a'}");
	refused(w, when(w, "mission.start", "{user_id: 7, mission_id: 'a'}"), E_NOT_FOUND, "{kind: 'mission'}");
	refused(w, ask(w, "mission.get", "{id: 'a'}"), E_NOT_FOUND, "{}");
	refused(w, ask(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'a'}"), E_NOT_FOUND, "{}");
	answers(w, "mission.list", "{kind: 'progress', user_id: 7}", "{items: []}");
	answers(w, "mission.stats", "{}",
		"{missions: 0, active: 0, by_type: {}, users_with_missions: 0, attempts: 0, completions: 1,"
		" points_distributed: 5}");
	answers(w, "user.get", "{id: 7, include: ['stats']}", "{stats: {missions_completed: 1}}");
	message(w, 7);
	assert_string_equal(events(w), "user.activity_recorded point.credited");
}

/* ---- start ---- */

static void a_mission_is_started_once(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "a", "type: 'daily', target_value: 4");
	given(w, "mission.start", "{user_id: 7, mission_id: 'a'}");
	then(w,
	     "{version: 1, changed: true, progress: {user_id: 7, mission_id: 'a', period: %lld, value: 0, actions: {},"
	     " fragments: [], lore: [], missions: [], completed: false, completed_at: null, times_completed: 0,"
	     " percentage: 0.0, started_at: %lld, updated_at: %lld, last_reset_at: null, version: 1}}",
	     (long long)TODAY, (long long)w->now, (long long)w->now);
	assert_string_equal(events(w), "mission.started");
	then_event(w, 0, "{user_id: 7, mission_id: 'a', period: %lld}", (long long)TODAY);
	given(w, "mission.update", "{id: 'a', is_active: false}");
	given(w, "mission.start", "{user_id: 7, mission_id: 'a'}");
	then(w, "{version: 1, changed: false, progress: {value: 0}}");
}

static void who_may_start_what(void **state)
{
	static const char *const methods[] = { "mission.start", "mission.advance", "mission.complete" };
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "off", "is_active: false");
	given_mission(w, "over", "duration_days: 1");
	given_mission(w, "on", "");
	w->now += DAY;
	for (size_t i = 0; i < 3; i++) {
		const char *m = methods[i];

		refused(w, when(w, m, "{user_id: 8, mission_id: 'on'}"), E_NOT_FOUND, "{kind: 'user', id: 8}");
		refused(w, when(w, m, "{user_id: 7, mission_id: 'x'}"), E_NOT_FOUND, "{kind: 'mission', id: 'x'}");
		refused(w, when(w, m, "{user_id: 7, mission_id: 'off'}"), E_NOT_ACTIVE, "{status: 'inactive'}");
		refused(w, when(w, m, "{user_id: 7, mission_id: 'over'}"), E_NOT_ACTIVE, "{status: 'expired'}");
	}
	set(w, "{access.mission: 'vip'}");
	for (size_t i = 0; i < 3; i++)
		refused(w, when(w, methods[i], "{user_id: 7, mission_id: 'on'}"), E_FORBIDDEN,
			"{reason: 'access.mission'}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "mission.complete", "{user_id: 7, mission_id: 'on', force: true}");
	for (size_t i = 0; i < 3; i++)
		refused(w, when(w, methods[i], "{user_id: 7, mission_id: 'on'}"), E_ALREADY_COMPLETED,
			"{completed_at: %lld}", (long long)w->now);
}

static void a_repeatable_mission_starts_anew_after_its_pause(void **state)
{
	static const char *const methods[] = { "mission.start", "mission.advance", "mission.complete" };
	struct world *w = *state;
	long long done = w->now;

	given_user(w, 7);
	given_mission(w, "a", "is_repeatable: true, cooldown_hours: 2, target_value: 3");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 3}");
	then(w, "{completed: true, progress: {value: 3, times_completed: 1, percentage: 100.0}}");
	w->now += 2 * HOUR - 1;
	for (size_t i = 0; i < 3; i++)
		refused(w, when(w, methods[i], "{user_id: 7, mission_id: 'a'}"), E_COOLDOWN, "{retry_at: %lld}",
			done + 2 * HOUR);
	answers(w, "mission.get", "{id: 'a', user_id: 7}",
		"{user: {completed: true, available: false, retry_at: %lld}}", done + 2 * HOUR);
	w->now++;
	answers(w, "mission.get", "{id: 'a', user_id: 7}",
		"{user: {completed: true, available: true, retry_at: null}}");
	given(w, "mission.start", "{user_id: 7, mission_id: 'a'}");
	then(w, "{changed: true, progress: {value: 0, completed: false, completed_at: %lld, times_completed: 1}}",
	     done);
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', to: 3}");
	then(w, "{completed: true, progress: {times_completed: 2, completed_at: %lld}}", (long long)w->now);
	answers(w, "user.get", "{id: 7, include: ['stats']}", "{stats: {missions_completed: 2}}");
}

static void what_the_user_has_from_before_counts(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "a", "");
	given_mission(w, "b", "");
	given(w, "mission.complete", "{user_id: 7, mission_id: 'a', force: true}");
	given_mission(w, "c", "requirements: {missions: ['a', 'b']}, reward_points: 3");
	given_mission(w, "d", "requirements: {missions: ['a']}, reward_points: 4");
	given(w, "mission.start", "{user_id: 7, mission_id: 'c'}");
	then(w, "{progress: {percentage: 50.0, missions: ['a'], completed: false}}");
	assert_string_equal(events(w), "mission.started");
	given(w, "mission.start", "{user_id: 7, mission_id: 'd'}");
	then(w, "{version: 2, progress: {percentage: 100.0, missions: ['a'], completed: true}}");
	assert_string_equal(events(w), "mission.started mission.completed point.credited");
	then_event(w, 1,
		   "{user_id: 7, mission_id: 'd', period: 0, times_completed: 1, reward_points: 4, forced: false}");
	then_event(w, 2, "{amount: 4, base: 4, source: 'mission', description: '', ref: {kind: 'mission', id: 'd'}}");
}

/* ---- advance ---- */

static void a_counter_is_advanced_or_set(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "a", "target_value: 10, reward_points: 2.5");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a'}");
	then(w, "{version: 2, completed: false, points: 0, unlocked: [], progress: {value: 1, percentage: 10.0}}");
	assert_string_equal(events(w), "mission.started mission.progressed");
	then_event(w, 1, "{user_id: 7, mission_id: 'a', period: 0, value: 1, actions: {}, part: null}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 5}");
	then(w, "{progress: {value: 6}}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', to: 2}");
	then(w, "{progress: {value: 2, percentage: 20.0}}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', to: 2}");
	then(w, "{changed: false, version: 4, progress: {value: 2}}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', to: 0}");
	then(w, "{progress: {value: 0}}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 1000000000}");
	then(w, "{completed: true, points: 2.5, progress: {value: 1000000000, completed: true}}");
	assert_string_equal(events(w), "mission.progressed mission.completed point.credited");
	refused(w, when(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 1, to: 1}"), E_INVALID_ARGUMENT,
		"{field: 'to'}");
	refused(w, when(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 0}"), E_INVALID_ARGUMENT,
		"{field: 'by'}");
	refused(w, when(w, "mission.advance", "{user_id: 7, mission_id: 'a', to: -1}"), E_INVALID_ARGUMENT,
		"{field: 'to'}");
	refused(w, when(w, "mission.advance", "{user_id: 7, mission_id: 'a', to: 1000000001}"), E_INVALID_ARGUMENT,
		"{field: 'to'}");
}

static void a_counter_stops_at_its_ceiling(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "gate", "");
	given_mission(w, "a", "action: 'message', target_value: 1000000000, requirements: {missions: ['gate']}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 999999999}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 999999999}");
	then(w, "{completed: false, progress: {value: 1000000000, percentage: 50.0}}");
	message(w, 7);
	assert_string_equal(events(w), "user.activity_recorded point.credited");
}

static void required_actions_have_counters_of_their_own(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "a", "requirements: {actions: [{action: 'wave', count: 2}, {action: 'bow'}]}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', action: 'wave'}");
	then(w, "{progress: {value: 0, actions: {wave: 1}, percentage: 25.0}}");
	then_event(w, 1, "{value: 0, actions: {wave: 1}}");
	refused(w, when(w, "mission.advance", "{user_id: 7, mission_id: 'a', action: 'jump'}"), E_INVALID_ARGUMENT,
		"{field: 'action'}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', action: 'bow', to: 7}");
	then(w, "{completed: false, progress: {actions: {wave: 1, bow: 7}, percentage: 75.0}}");
	/* the plain counter is no part of it */
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 9}");
	then(w, "{completed: false, progress: {value: 9, percentage: 75.0}}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', action: 'wave', by: 1}");
	then(w, "{completed: true, progress: {actions: {wave: 2, bow: 7}}}");
	/* counts of what is asked no more are forgotten with the next advance */
	given_mission(w, "b", "requirements: {actions: [{action: 'wave', count: 5}, {action: 'bow'}]}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'b', action: 'wave'}");
	given(w, "mission.update", "{id: 'b', requirements: {actions: [{action: 'bow', count: 9}]}}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'b', action: 'bow'}");
	then(w, "{progress: {actions: {bow: 1}}}");
}

static void a_changed_goal_completes_with_the_next_advance(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "a", "target_value: 10");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 5}");
	given(w, "mission.update", "{id: 'a', target_value: 5}");
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'a'}",
		"{completed: false, percentage: 100.0}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', to: 5}");
	then(w, "{completed: true}");
	assert_string_equal(events(w), "mission.completed");
}

/* ---- complete ---- */

static void completing_by_hand_needs_every_part(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "gate", "");
	given_mission(w, "a",
		      "action: 'poll', target_value: 5, reward_points: 8,"
		      " requirements: {missions: ['gate'], actions: [{action: 'wave', count: 3}]}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 2}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', action: 'wave'}");
	refused(w, when(w, "mission.complete", "{user_id: 7, mission_id: 'a'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {value: 3, fragments: [], lore: [], missions: ['gate'], actions: {wave: 2}}}");
	given(w, "mission.complete", "{user_id: 7, mission_id: 'a', force: true}");
	then(w,
	     "{completed: true, points: 8, unlocked: [], progress: {value: 2, percentage: 100.0, times_completed: 1}}");
	assert_string_equal(events(w), "mission.completed point.credited");
	then_event(w, 0, "{forced: true}");
}

static void some_missions_cannot_be_completed_by_asking(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "gate", "");
	given(w, "mission.complete", "{user_id: 7, mission_id: 'gate', force: true}");
	assert_string_equal(events(w), "mission.started mission.completed");
	given_mission(w, "ask", "target_value: 2");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'ask'}");
	given(w, "mission.update", "{id: 'ask', target_value: 1}");
	given(w, "mission.complete", "{user_id: 7, mission_id: 'ask'}");
	then(w, "{completed: true}");
	then_event(w, 0, "{forced: false}");
	given_mission(w, "act", "target_value: 2, requires_action: true");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'act'}");
	given(w, "mission.update", "{id: 'act', target_value: 1}");
	refused(w, when(w, "mission.complete", "{user_id: 7, mission_id: 'act'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {value: 0, fragments: [], lore: [], missions: [], actions: {}}}");
	given(w, "mission.complete", "{user_id: 7, mission_id: 'act', force: true}");
}

static void what_is_missing_is_named_as_far_as_there_is_room(void **state)
{
	struct world *w = *state;
	char list[100 * 16] = "";
	size_t n = 0;

	given_user(w, 7);
	for (int i = 0; i < 99; i++) {
		given(w, "mission.create", "{id: 'mission_%02d', name: 'x'}", i);
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s'mission_%02d'", i ? "," : "", i);
	}
	given(w, "mission.create", "{id: 'all', name: 'x', requirements: {missions: [%s], actions: [{action: 'a'}]}}",
	      list);
	refused(w, when(w, "mission.complete", "{user_id: 7, mission_id: 'all'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {value: 0, fragments: [], lore: []}}");
}

static void rewards_stop_at_the_ceiling_of_balances(void **state)
{
	static const char *const methods[] = { "mission.start", "mission.advance", "mission.complete" };
	struct world *w = *state;

	given_mission(w, "gate", "");
	given(w, "point.award", "{user_id: 7, amount: 4000000000000}");
	given(w, "mission.complete", "{user_id: 7, mission_id: 'gate', force: true}");
	given_mission(w, "a", "requirements: {missions: ['gate']}, reward_points: 1");
	for (size_t i = 0; i < 3; i++)
		refused(w, when(w, methods[i], "{user_id: 7, mission_id: 'a'}"), E_LIMIT_EXCEEDED,
			"{limit: 4000000000000}");
	refused(w, ask(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'a'}"), E_NOT_FOUND, "{}");
}

/* ---- reset ---- */

static void a_reset_row_reads_as_not_started(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "a", "target_value: 2, reward_points: 5");
	given(w, "mission.reset", "{user_id: 7, mission_id: 'a'}");
	then(w, "{changed: false, count: 0, version: 0}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 2}");
	w->now += HOUR;
	given(w, "mission.reset", "{user_id: 7, mission_id: 'a'}");
	then(w, "{changed: true, count: 1, version: 4}");
	assert_string_equal(events(w), "mission.progress_reset");
	then_event(w, 0, "{user_id: 7, mission_id: 'a', period: 0}");
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'a'}",
		"{value: 0, completed: false, times_completed: 1, percentage: 0.0, completed_at: %lld, last_reset_at: "
		"%lld}",
		(long long)WORLD_NOW, (long long)w->now);
	answers(w, "mission.get", "{id: 'a', user_id: 7}", "{user: {available: true}}");
	given(w, "mission.reset", "{user_id: 7, mission_id: 'a'}");
	then(w, "{changed: false, count: 0}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a', by: 2}");
	then(w, "{completed: true, points: 5, progress: {times_completed: 2}}");
	answers(w, "point.get", "{id: 7}", "{balance: 10}");
}

static void a_type_is_reset_as_a_whole(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_user(w, 8);
	given_mission(w, "a", "type: 'daily'");
	given_mission(w, "b", "type: 'daily'");
	given_mission(w, "c", "type: 'weekly'");
	given_mission(w, "d", "type: 'daily'");
	given(w, "mission.start", "{user_id: 7, mission_id: 'a'}");
	given(w, "mission.start", "{user_id: 8, mission_id: 'a'}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'b'}");
	given(w, "mission.start", "{user_id: 7, mission_id: 'c'}");
	given(w, "mission.reset", "{user_id: 7, type: 'daily'}");
	then(w, "{count: 2}");
	assert_string_equal(events(w), "mission.progress_reset mission.progress_reset");
	given(w, "mission.reset", "{user_id: 7, type: 'weekly'}");
	then(w, "{count: 1}");
	given(w, "mission.reset", "{user_id: 7, type: 'main'}");
	then(w, "{count: 0, changed: false}");
	refused(w, when(w, "mission.reset", "{user_id: 7}"), E_INVALID_ARGUMENT, "{field: 'mission_id'}");
	refused(w, when(w, "mission.reset", "{user_id: 7, mission_id: 'a', type: 'daily'}"), E_INVALID_ARGUMENT, "{}");
	refused(w, when(w, "mission.reset", "{user_id: 9, type: 'daily'}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
	refused(w, when(w, "mission.reset", "{user_id: 7, mission_id: 'x'}"), E_NOT_FOUND, "{kind: 'mission'}");
}

/* ---- by rule ---- */

static void activity_advances_missions_of_its_action(void **state)
{
	static const char *const actions[] = { "poll", "post", "comment", "other" };
	struct world *w = *state;

	given_mission(w, "m", "action: 'message', target_value: 2, reward_points: 10");
	given_mission(w, "n", "action: 'message', target_value: 9");
	message(w, 7);
	then(w, "{points: 1, missions_completed: []}");
	assert_string_equal(events(w), "user.created user.activity_recorded point.credited mission.started"
				       " mission.progressed mission.started mission.progressed");
	then_event(w, 4, "{mission_id: 'm', value: 1}");
	message(w, 7);
	then(w, "{points: 11, balance: 12, missions_completed: ['m']}");
	assert_string_equal(events(w), "user.activity_recorded point.credited mission.progressed mission.completed"
				       " mission.progressed point.credited");
	message(w, 7);
	assert_string_equal(events(w), "user.activity_recorded point.credited mission.progressed");
	for (size_t i = 0; i < 4; i++) {
		given(w, "mission.create", "{id: '%s', name: 'x', action: '%s'}", actions[i], actions[i]);
		given(w, "user.record_activity", "{user_id: 7, action: '%s'}", actions[i]);
		then(w, "{missions_completed: ['%s']}", actions[i]);
	}
}

static void a_throttled_message_advances_nothing(void **state)
{
	struct world *w = *state;

	given_mission(w, "m", "action: 'message', target_value: 2");
	message(w, 7);
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w, "{recorded: false, changed: false}");
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'm'}", "{value: 1}");
}

static void required_actions_are_counted_too(void **state)
{
	struct world *w = *state;

	given_mission(
		w, "m",
		"action: 'post', requirements: {actions: [{action: 'poll', count: 2}, {action: 'post', count: 3}]}");
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'm'}", "{value: 1, actions: {post: 1}}");
	given(w, "user.record_activity", "{user_id: 7, action: 'poll'}");
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'm'}",
		"{value: 1, actions: {post: 1, poll: 1}}");
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	given(w, "user.record_activity", "{user_id: 7, action: 'poll'}");
	then(w, "{missions_completed: ['m']}");
}

static void rules_skip_missions_that_cannot_advance(void **state)
{
	struct world *w = *state;

	given_mission(w, "off", "action: 'message', is_active: false");
	given_mission(w, "over", "action: 'message', duration_days: 1");
	given_mission(w, "once", "action: 'message'");
	given_mission(w, "pause", "action: 'message', is_repeatable: true, cooldown_hours: 1");
	w->now += DAY;
	message(w, 7);
	then(w, "{missions_completed: ['once', 'pause']}");
	message(w, 7);
	then(w, "{missions_completed: []}");
	w->now += HOUR;
	message(w, 7);
	then(w, "{missions_completed: ['pause']}");
	set(w, "{access.mission: 'vip'}");
	w->now += HOUR;
	message(w, 7);
	then(w, "{missions_completed: []}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	message(w, 7);
	then(w, "{missions_completed: ['pause']}");
}

static void checkins_advance_by_one_and_set_the_streak(void **state)
{
	struct world *w = *state;

	given_mission(w, "c", "action: 'checkin', target_value: 10");
	given_mission(w, "s", "action: 'checkin_streak', target_value: 10");
	given_mission(w, "r", "requirements: {actions: [{action: 'checkin_streak', count: 2}]}");
	for (int i = 0; i < 2; i++, w->now += DAY)
		given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 2, missions_completed: ['r']}");
	w->now += DAY;
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 1}");
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'c'}", "{value: 3}");
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 's'}", "{value: 1}");
}

static void a_completed_mission_advances_those_that_require_it(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "a", "reward_points: 1");
	given_mission(w, "b", "requirements: {missions: ['a']}, reward_points: 2");
	given_mission(w, "c", "requirements: {missions: ['b', 'a']}, reward_points: 3");
	given_mission(w, "d", "requirements: {missions: ['c']}, is_active: false");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a'}");
	then(w, "{completed: true, points: 6, progress: {mission_id: 'a'}}");
	/* when c is looked at for a, b is completed too */
	assert_string_equal(events(w), "mission.started mission.progressed mission.completed"
				       " mission.started mission.progressed mission.completed"
				       " mission.started mission.progressed mission.completed"
				       " point.credited point.credited point.credited");
	then_event(w, 4, "{mission_id: 'b', value: 0, part: {kind: 'mission', id: 'a'}}");
	then_event(w, 7, "{mission_id: 'c', part: {kind: 'mission', id: 'a'}}");
	answers(w, "user.get", "{id: 7, include: ['stats', 'counts']}",
		"{stats: {missions_completed: 3}, missions_open: 0}");
}

static void a_mission_completes_once_in_a_command(void **state)
{
	struct world *w = *state;

	/* both completions of the command would let it repeat */
	given_user(w, 7);
	given_mission(w, "a", "action: 'message'");
	given_mission(w, "b", "action: 'message'");
	given_mission(w, "r", "requirements: {missions: ['a']}, is_repeatable: true");
	given(w, "mission.complete", "{user_id: 7, mission_id: 'b', force: true}");
	given(w, "mission.reset", "{user_id: 7, mission_id: 'b'}");
	given(w, "mission.update", "{id: 'r', requirements: {missions: ['a', 'b']}}");
	message(w, 7);
	then(w, "{missions_completed: ['a', 'b', 'r']}");
}

static void a_reaction_may_be_restricted_to_a_channel_or_post(void **state)
{
	static const char *const ids[] = { "any", "channel", "post" };
	struct world *w = *state;

	given_mission(w, "any", "action: 'reaction', target_value: 9");
	given_mission(w, "channel", "action: 'reaction', target_value: 9, action_data: {target_channel_id: -100}");
	given_mission(w, "post",
		      "action: 'reaction', target_value: 9, action_data: {x: [1], target_channel_id: -100,"
		      " target_message_id: 5}");
	given(w, "channel.create", "{id: -100}");
	given(w, "channel.create", "{id: -200}");
	given(w, "channel.react", "{channel_id: -200, message_id: 5, user_id: 7, emoji: '👍'}");
	given(w, "channel.react", "{channel_id: -100, message_id: 4, user_id: 7, emoji: '👍'}");
	given(w, "channel.react", "{channel_id: -100, message_id: 5, user_id: 7, emoji: '👍'}");
	for (int i = 0; i < 3; i++) {
		char params[80];

		snprintf(params, sizeof(params), "{kind: 'progress', user_id: 7, mission_id: '%s'}", ids[i]);
		answers(w, "mission.get", params, "{value: %d}", 3 - i);
	}
}

static void invitations_advance_by_function(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given_user(w, 7);
	given_mission(w, "i", "action: 'invite'");
	d = commit_begin(w);
	missions_advance(d, 7, SLICE_LIT("invite"), -1);
	missions_advance(d, 8, SLICE_LIT("invite"), -1); /* nobody */
	commit_end(w);
	assert_string_equal(events(w), "mission.started mission.progressed mission.completed");
}

static void rewards_are_multiplied(void **state)
{
	struct world *w = *state;

	set(w, "{points.vip_multiplier: 3}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given_mission(w, "a", "reward_points: 2");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a'}");
	then(w, "{points: 6}");
	answers(w, "mission.stats", "{mission_id: 'a'}", "{points_distributed: 6}");
}

static void given_story(struct world *w)
{
	given(w, "narrative.create", "{kind: 'lore', id: 'clue', title: 'A clue', content_type: 'text', content: 'x'}");
	given(w, "narrative.create",
	      "{kind: 'lore', id: 'prize', title: 'A prize', content_type: 'text', content: 'x'}");
	given(w, "narrative.create", "{id: 'start', title: 'Start', content: 'x', type: 'story'}");
	given(w, "narrative.create",
	      "{id: 'vault', title: 'Vault', content: 'x', type: 'story', required_lore: ['clue']}");
}

static void lore_and_fragments_are_parts(void **state)
{
	struct world *w = *state;

	given_story(w);
	given_user(w, 7);
	given_mission(w, "a", "requirements: {lore: ['clue'], fragments: ['start']}, reward_points: 5");
	refused(w, when(w, "narrative.delete", "{kind: 'lore', id: 'clue'}"), E_IN_USE, "{reason: 'required'}");
	refused(w, when(w, "narrative.delete", "{id: 'start'}"), E_IN_USE, "{reason: 'required'}");
	refused(w, when(w, "mission.complete", "{user_id: 7, mission_id: 'a'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {value: 0, fragments: ['start'], lore: ['clue'], missions: [], actions: {}}}");
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'clue'}");
	assert_non_null(strstr(events(w), "narrative.lore_unlocked mission.started mission.progressed"));
	answers(w, "mission.get", "{id: 'a', user_id: 7}", "{user: {lore: ['clue'], fragments: [], percentage: 50.0}}");
	given(w, "narrative.visit", "{user_id: 7, fragment_id: 'start'}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'start'}");
	assert_non_null(strstr(events(w), "mission.progressed mission.completed"));
	answers(w, "mission.get", "{id: 'a', user_id: 7}", "{user: {fragments: ['start'], completed: true}}");
	answers(w, "point.get", "{id: 7}", "{balance: 5}");
}

static void a_completion_unlocks_lore_and_opens_fragments(void **state)
{
	struct world *w = *state;

	given_story(w);
	given_user(w, 7);
	given_mission(w, "a", "reward_points: 5, reward_lore: ['prize', 'clue'], reward_fragments: ['vault']");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'a'}");
	/* in ascending order, however they are listed */
	then(w, "{completed: true, points: 5, unlocked: [{kind: 'lore', id: 'clue'}, {kind: 'lore', id: 'prize'},"
		" {kind: 'fragment', id: 'vault'}]}");
	/* what is gone meanwhile is skipped */
	given_mission(w, "b", "reward_lore: ['prize'], reward_fragments: ['vault']");
	given(w, "narrative.delete", "{kind: 'lore', id: 'prize'}");
	given(w, "narrative.delete", "{id: 'vault'}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'b'}");
	assert_string_equal(events(w), "mission.started mission.progressed mission.completed");
}

/* ---- periods ---- */

static void daily_progress_reads_as_empty_after_midnight(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "d", "type: 'daily', target_value: 2");
	given_mission(w, "w", "type: 'weekly', target_value: 2");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'd', by: 2}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'w'}");
	then(w, "{progress: {period: %lld}}", (long long)THIS_WEEK);
	refused(w, when(w, "mission.advance", "{user_id: 7, mission_id: 'd'}"), E_ALREADY_COMPLETED, "{}");
	answers(w, "mission.get", "{id: 'd', user_id: 7}",
		"{user: {completed: true, available: false, retry_at: %lld}}", (long long)(MIDNIGHT + DAY));
	w->now = MIDNIGHT + DAY - 1;
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'd'}", "{completed: true}");
	w->now++; /* before any timer */
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'd'}",
		"{period: %lld, value: 0, completed: false, times_completed: 1, percentage: 0.0, last_reset_at: null}",
		(long long)TODAY + 1);
	assert_int_equal(tick_periods(w), 1);
	assert_string_equal(events(w), "mission.period_started");
	then_event(w, 0, "{type: 'daily', period: %lld, due_at: %lld}", (long long)TODAY + 1, (long long)w->now);
	assert_int_equal(tick_periods(w), 0);
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'd'}", "{last_reset_at: %lld}",
		(long long)w->now);
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'w'}", "{value: 1}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'd'}");
	then(w, "{progress: {value: 1, times_completed: 1, last_reset_at: %lld, period: %lld}}", (long long)w->now,
	     (long long)TODAY + 1);
	assert_string_equal(events(w), "mission.started mission.progressed");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'd'}");
	then(w, "{completed: true, progress: {times_completed: 2}}");
	given(w, "mission.reset", "{user_id: 7, type: 'daily'}");
	then(w, "{count: 1}");
}

static void weeks_start_on_monday(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "w", "type: 'weekly'");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'w'}");
	w->now = MIDNIGHT + 7 * DAY - 1;
	refused(w, when(w, "mission.advance", "{user_id: 7, mission_id: 'w'}"), E_ALREADY_COMPLETED, "{}");
	/* of the days missed one event tells */
	assert_int_equal(tick_periods(w), 1);
	then_event(w, 0, "{type: 'daily', period: %lld, due_at: %lld}", (long long)TODAY + 6,
		   (long long)(MIDNIGHT + DAY));
	w->now++;
	assert_int_equal(tick_periods(w), 2);
	then_event(w, 0, "{type: 'weekly', period: %lld, due_at: %lld}", (long long)THIS_WEEK + 1, (long long)w->now);
	given(w, "mission.advance", "{user_id: 7, mission_id: 'w'}");
	then(w, "{completed: true, progress: {times_completed: 2}}");
}

static void borders_follow_the_time_zone_and_periods_never_go_back(void **state)
{
	struct world *w = *state;
	struct due due;

	given_user(w, 7);
	given_mission(w, "d", "type: 'daily'");
	assert_true(due_mission_period(w->state, w->now, &due));
	assert_int_equal(due.at, MIDNIGHT + DAY);
	assert_int_equal(due.id, 0);
	set(w, "{time.utc_offset_minutes: 120}");
	assert_true(due_mission_period(w->state, w->now, &due));
	assert_int_equal(due.at, MIDNIGHT + 22 * HOUR);
	w->now = MIDNIGHT + 22 * HOUR;
	assert_int_equal(tick_periods(w), 1);
	given(w, "mission.advance", "{user_id: 7, mission_id: 'd'}");
	then(w, "{progress: {period: %lld}}", (long long)TODAY + 1);
	set(w, "{time.utc_offset_minutes: 0}"); /* it is yesterday again */
	refused(w, when(w, "mission.advance", "{user_id: 7, mission_id: 'd'}"), E_ALREADY_COMPLETED, "{}");
	w->now = MIDNIGHT + DAY + HOUR;
	assert_int_equal(tick_periods(w), 0);
	assert_true(due_mission_period(w->state, w->now, &due));
	assert_int_equal(due.at, MIDNIGHT + 2 * DAY);
	set(w, "{time.utc_offset_minutes: -720}");
	assert_true(due_mission_period(w->state, w->now, &due));
	assert_int_equal(due.at, MIDNIGHT + 2 * DAY + 12 * HOUR);
}

static void no_period_is_due_before_the_first_event(void **state)
{
	struct world *w = *state;
	struct due due;

	w->now += 10 * DAY;
	assert_false(due_mission_period(w->state, w->now, &due));
	assert_false(timers_next(w->state, w->now, NULL, &due));
	given_user(w, 7);
	assert_true(timers_next(w->state, w->now, NULL, &due));
	assert_int_equal(due.timer, TIMER_mission_period);
	assert_int_equal(due.at, MIDNIGHT + 11 * DAY);
}

static void a_required_daily_mission_counts_in_its_period(void **state)
{
	struct world *w = *state;

	given_user(w, 7);
	given_mission(w, "d", "type: 'daily'");
	given_mission(w, "r",
		      "requirements: {missions: ['d']}, action: 'invite', target_value: 2, is_repeatable: true");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'd'}");
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'r'}",
		"{missions: ['d'], percentage: 50.0}");
	w->now += DAY;
	answers(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'r'}", "{missions: [], percentage: 0.0}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'r', by: 2}");
	then(w, "{completed: false}");
	given(w, "mission.advance", "{user_id: 7, mission_id: 'd'}");
	assert_string_equal(events(w), "mission.started mission.progressed mission.completed mission.progressed"
				       " mission.completed");
}

/* ---- the end ---- */

static void a_mission_ends_by_its_timer(void **state)
{
	struct world *w = *state;
	long long end = w->now + DAY + HOUR;

	given_mission(w, "a", "expires_at: 1772542800000");
	given_mission(w, "b", "expires_at: 1772542800000");
	given_mission(w, "c", "duration_days: 5");
	w->now = end - 1;
	assert_int_equal(tick(w), 0);
	w->now = end;
	answers(w, "mission.stats", "{}", "{missions: 3, active: 1}");
	assert_int_equal(tick(w), 2);
	assert_string_equal(events(w), "mission.expired");
	then_event(w, 0, "{expires_at: %lld, due_at: %lld}", end, end);
	answers(w, "mission.get", "{id: 'a'}", "{is_active: false, version: 2, updated_at: %lld}", end);
	answers(w, "mission.stats", "{}", "{missions: 3, active: 1}");
	given(w, "mission.update", "{id: 'c', is_active: false}");
	w->now += 10 * DAY;
	assert_int_equal(tick(w), 0);
}

static void a_deleted_user_leaves_and_may_come_back(void **state)
{
	struct world *w = *state;

	given_user(w, 8);
	given_mission(w, "a", "action: 'message', target_value: 2, reward_points: 5");
	given_mission(w, "b", "type: 'daily', action: 'message', target_value: 9");
	message(w, 7);
	message(w, 7);
	message(w, 8);
	given(w, "user.delete", "{id: 7}");
	refused(w, ask(w, "mission.get", "{kind: 'progress', user_id: 7, mission_id: 'a'}"), E_NOT_FOUND, "{}");
	answers(w, "mission.list", "{kind: 'progress', mission_id: 'a'}", "{items: [{user_id: 8}]}");
	answers(w, "mission.stats", "{mission_id: 'a'}",
		"{attempts: 1, completed: 0, completions: 1, max_progress: 1, min_progress: 1, points_distributed: 5}");
	answers(w, "mission.stats", "{}", "{users_with_missions: 1, attempts: 2}");
	given_user(w, 7);
	answers(w, "mission.stats", "{user_id: 7}", "{total: 0, points_earned: 0, by_type: {}}");
	given(w, "mission.start", "{user_id: 7, mission_id: 'a'}");
	then(w, "{version: 5, progress: {value: 0, times_completed: 0, completed_at: null}}");
}

static void default_missions_are_installed(void **state)
{
	struct world *w = *state;

	given(w, "mission.create", "{id: 'daily_check-in_diario', name: 'Mine'}");
	given(w, "server.install_defaults", "{parts: ['missions']}");
	then(w, "{created: {missions: 2, levels: 0}}");
	then_event(w, 2, "{parts: ['missions'], missions: 2, levels: 0}");
	answers(w, "mission.get", "{id: 'messages_conversador_activo'}",
		"{name: 'Conversador Activo', type: 'one_time', action: 'message', target_value: 10, reward_points: "
		"25}");
	given(w, "server.install_defaults", "{parts: ['missions']}");
	then(w, "{changed: false, created: {missions: 0}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_mission_is_created_whole),
		WORLD_TEST(an_id_is_made_of_type_and_name),
		WORLD_TEST(a_mission_is_refused_for_what_it_says),
		WORLD_TEST(objectives_have_limits),
		WORLD_TEST(an_update_changes_what_was_sent),
		WORLD_TEST(an_end_is_given_or_follows_from_the_duration),
		WORLD_TEST(missions_require_each_other_without_circles),
		WORLD_TEST(many_missions_in_a_row_are_no_circle),
		WORLD_TEST(a_deleted_mission_leaves_the_views_and_keeps_its_key),
		WORLD_TEST(a_mission_is_started_once),
		WORLD_TEST(who_may_start_what),
		WORLD_TEST(a_repeatable_mission_starts_anew_after_its_pause),
		WORLD_TEST(what_the_user_has_from_before_counts),
		WORLD_TEST(a_counter_is_advanced_or_set),
		WORLD_TEST(a_counter_stops_at_its_ceiling),
		WORLD_TEST(required_actions_have_counters_of_their_own),
		WORLD_TEST(a_changed_goal_completes_with_the_next_advance),
		WORLD_TEST(completing_by_hand_needs_every_part),
		WORLD_TEST(some_missions_cannot_be_completed_by_asking),
		WORLD_TEST(what_is_missing_is_named_as_far_as_there_is_room),
		WORLD_TEST(rewards_stop_at_the_ceiling_of_balances),
		WORLD_TEST(a_reset_row_reads_as_not_started),
		WORLD_TEST(a_type_is_reset_as_a_whole),
		WORLD_TEST(activity_advances_missions_of_its_action),
		WORLD_TEST(a_throttled_message_advances_nothing),
		WORLD_TEST(required_actions_are_counted_too),
		WORLD_TEST(rules_skip_missions_that_cannot_advance),
		WORLD_TEST(checkins_advance_by_one_and_set_the_streak),
		WORLD_TEST(a_completed_mission_advances_those_that_require_it),
		WORLD_TEST(a_mission_completes_once_in_a_command),
		WORLD_TEST(a_reaction_may_be_restricted_to_a_channel_or_post),
		WORLD_TEST(invitations_advance_by_function),
		WORLD_TEST(rewards_are_multiplied),
		WORLD_TEST(lore_and_fragments_are_parts),
		WORLD_TEST(a_completion_unlocks_lore_and_opens_fragments),
		WORLD_TEST(daily_progress_reads_as_empty_after_midnight),
		WORLD_TEST(weeks_start_on_monday),
		WORLD_TEST(borders_follow_the_time_zone_and_periods_never_go_back),
		WORLD_TEST(no_period_is_due_before_the_first_event),
		WORLD_TEST(a_required_daily_mission_counts_in_its_period),
		WORLD_TEST(a_mission_ends_by_its_timer),
		WORLD_TEST(a_deleted_user_leaves_and_may_come_back),
		WORLD_TEST(default_missions_are_installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
