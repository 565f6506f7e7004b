/* Achievements and badges: definitions, what is given by hand and by rule (R2), the VIP of badges (R3, R4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/json.h"
#include "tests/lib/world.h"

static void given_achievement(struct world *w, const char *id, const char *type, int value)
{
	given(w, "achievement.create", "{id: '%s', name: 'Name of %s', condition_type: '%s', condition_value: %d}", id,
	      id, type, value);
}

static void given_badge(struct world *w, const char *name, const char *more)
{
	given(w, "achievement.create", "{kind: 'badge', name: '%s'%s}", name, more);
}

/* ---- definitions ---- */

static void an_achievement_is_created(void **state)
{
	struct world *w = *state;

	given(w, "achievement.create",
	      "{id: 'talker', name: '  Talker ', condition_type: 'messages', condition_value: 100,"
	      " reward_text: 'Well said'}");
	then(w,
	     "{version: 1, changed: true, item: {id: 'talker', name: 'Talker', condition_type: 'messages',"
	     " condition_value: 100, reward_text: 'Well said', is_active: true, holders: 0, version: 1,"
	     " created_at: %lld, updated_at: %lld}}",
	     (long long)w->now, (long long)w->now);
	assert_string_equal(events(w), "achievement.created");
	then_event(w, 0, "{id: 'talker', name: 'Talker', condition_value: 100, holders: 0}");
	given(w, "achievement.create", "{kind: 'achievement', id: 'bare', name: 'Bare'}");
	then(w, "{item: {condition_type: null, condition_value: 1, reward_text: '', is_active: true}}");
	refused(w, when(w, "achievement.create", "{id: 'bare', name: 'Bare'}"), E_ALREADY_EXISTS,
		"{kind: 'achievement', id: 'bare'}");
}

static void a_badge_is_created(void **state)
{
	struct world *w = *state;

	given_badge(w, "Elite",
		    ", description: 'The best', icon: 'crown', emoji: '👑', requirement: 'Level 15',"
		    " condition_type: 'level', condition_value: 15, grants_vip: true, vip_duration_days: 30,"
		    " is_free_vip: true, auto_telegram_permissions: true, revocable: false, is_active: false");
	then(w,
	     "{version: 1, item: {id: 1, name: 'Elite', description: 'The best', icon: 'crown', emoji: '👑',"
	     " requirement: 'Level 15', condition_type: 'level', condition_value: 15, grants_vip: true,"
	     " vip_duration_days: 30, is_free_vip: true, auto_telegram_permissions: true, revocable: false,"
	     " is_active: false, holders: 0, created_at: %lld, updated_at: %lld}}",
	     (long long)w->now, (long long)w->now);
	assert_string_equal(events(w), "achievement.badge_created");
	then_event(w, 0, "{id: 1, name: 'Elite', grants_vip: true, holders: 0}");
	given_badge(w, "Plain", "");
	then(w, "{item: {id: 2, condition_type: null, condition_value: null, grants_vip: false,"
		" vip_duration_days: null, is_free_vip: false, revocable: true, is_active: true}}");
	given_badge(w, "Heart", ", emoji: '❤️'");
	then(w, "{item: {emoji: '❤'}}"); /* as emojis are compared */
	refused(w, when(w, "achievement.create", "{kind: 'badge', name: 'ELITE'}"), E_ALREADY_EXISTS,
		"{kind: 'badge', id: 1}");
}

static void definitions_are_checked(void **state)
{
	static const struct {
		const char *params;
		const char *field;
	} bad[] = {
		{ "{id: 'x', name: ' '}", "name" },
		{ "{id: 'x y', name: 'X'}", "id" },
		{ "{name: 'X'}", "id" },
		{ "{id: 'x', name: 'X', condition_type: 'luck'}", "condition_type" },
		{ "{id: 'x', name: 'X', condition_value: 2}", "condition_value" },
		{ "{id: 'x', name: 'X', condition_type: 'points', condition_value: -1}", "condition_value" },
		{ "{id: 'x', name: 'X', holders: 1}", "holders" },
		{ "{kind: 'badge', name: 'X', condition_type: 'luck', condition_value: 1}", "condition_type" },
		{ "{kind: 'badge', name: 'X', condition_type: 'points'}", "condition_value" },
		{ "{kind: 'badge', name: 'X', condition_value: 1}", "condition_value" },
		{ "{kind: 'badge', name: 'X', vip_duration_days: 1}", "vip_duration_days" },
		{ "{kind: 'badge', name: 'X', grants_vip: true, vip_duration_days: 0}", "vip_duration_days" },
		{ "{kind: 'badge', name: 'X', grants_vip: true, vip_duration_days: 3651}", "vip_duration_days" },
		{ "{kind: 'badge', id: 5, name: 'X'}", "id" },
		{ "{kind: 'award', name: 'X'}", "kind" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "achievement.create", "%s", bad[i].params), E_INVALID_ARGUMENT, "{field: '%s'}",
			bad[i].field);
}

static void achievements_change_field_by_field(void **state)
{
	struct world *w = *state;

	given_achievement(w, "a", "messages", 3);
	w->now += HOUR;
	given(w, "achievement.update", "{id: 'a', condition_value: 2, name: 'Other'}");
	then(w, "{version: 2, item: {name: 'Other', condition_value: 2, updated_at: %lld}}", (long long)w->now);
	assert_string_equal(events(w), "achievement.updated");
	then_event(w, 0, "{id: 'a', changes: {condition_value: 2, name: 'Other'}, before: {condition_value: 3}}");
	given(w, "achievement.update", "{id: 'a', name: 'Other'}");
	then(w, "{version: 2, changed: false}");
	refused(w, when(w, "achievement.update", "{id: 'a', condition_type: null}"), E_INVALID_ARGUMENT,
		"{field: 'condition_value'}");
	given(w, "achievement.update", "{id: 'a', condition_type: null, condition_value: 1}");
	then(w, "{item: {condition_type: null}}");
	refused(w, when(w, "achievement.update", "{id: 'b', name: 'B'}"), E_NOT_FOUND,
		"{kind: 'achievement', id: 'b'}");
}

static void badges_change_field_by_field(void **state)
{
	struct world *w = *state;

	given_badge(w, "One", ", grants_vip: true, vip_duration_days: 5");
	given_badge(w, "Two", "");
	given(w, "achievement.update", "{kind: 'badge', id: 1, name: 'Uno', is_active: false}");
	then(w, "{version: 2, item: {id: 1, name: 'Uno', is_active: false, vip_duration_days: 5}}");
	assert_string_equal(events(w), "achievement.badge_updated");
	then_event(w, 0, "{id: 1, changes: {name: 'Uno', is_active: false}, before: {name: 'One', is_active: true}}");
	given(w, "achievement.update", "{kind: 'badge', id: 1, name: 'UNO'}"); /* its own name */
	refused(w, when(w, "achievement.update", "{kind: 'badge', id: 1, name: 'two'}"), E_ALREADY_EXISTS,
		"{kind: 'badge', id: 2}");
	refused(w, when(w, "achievement.update", "{kind: 'badge', id: 1, grants_vip: false}"), E_INVALID_ARGUMENT,
		"{field: 'vip_duration_days'}");
	refused(w, when(w, "achievement.update", "{kind: 'badge', id: 2, condition_type: 'points'}"),
		E_INVALID_ARGUMENT, "{field: 'condition_value'}");
	given(w, "achievement.update", "{kind: 'badge', id: 1, grants_vip: false, vip_duration_days: null}");
	given(w, "achievement.update", "{kind: 'badge', id: 2, name: 'One'}"); /* free again */
	refused(w, when(w, "achievement.update", "{kind: 'badge', id: 3, name: 'X'}"), E_NOT_FOUND,
		"{kind: 'badge', id: 3}");
}

static void a_deleted_achievement_leaves_its_holders_and_keeps_its_id(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given(w, "achievement.create", "{id: 'a', name: 'A'}");
	given(w, "achievement.create", "{id: 'b', name: 'B'}");
	given(w, "achievement.unlock", "{user_id: 7, achievement_id: 'a'}");
	given(w, "achievement.unlock", "{user_id: 7, achievement_id: 'b'}");
	refused(w, when(w, "achievement.delete", "{id: 'a'}"), E_IN_USE, "{reason: 'holders'}");
	given(w, "achievement.delete", "{id: 'a', force: true}");
	then(w, "{version: 2}");
	assert_string_equal(events(w), "achievement.deleted");
	then_event(w, 0, "{id: 'a'}");
	answers(w, "achievement.list", "{kind: 'award', user_id: 7}", "{items: [{achievement_id: 'b'}], next: null}");
	answers(w, "achievement.stats", "{user_id: 7}", "{achievements: {held: 1, total: 1}}");
	refused(w, when(w, "achievement.delete", "{id: 'a'}"), E_NOT_FOUND, "{kind: 'achievement', id: 'a'}");
	refused(w, when(w, "achievement.create", "{id: 'a', name: 'A'}"), E_ALREADY_EXISTS, "{id: 'a'}");
	given(w, "achievement.create", "{id: 'c', name: 'C'}");
	given(w, "achievement.delete", "{id: 'c'}");
}

static void a_deleted_badge_is_revoked_from_each_holder(void **state)
{
	struct world *w = *state;

	given_badge(w, "B", ", grants_vip: true, vip_duration_days: 5, revocable: false");
	for (int id = 7; id <= 8; id++) {
		given(w, "user.create", "{id: %d}", id);
		given(w, "achievement.award_badge", "{user_id: %d, badge_id: 1}", id);
	}
	refused(w, when(w, "achievement.delete", "{kind: 'badge', id: 1}"), E_IN_USE, "{reason: 'holders'}");
	given(w, "achievement.delete", "{kind: 'badge', id: 1, force: true}");
	assert_string_equal(events(w), "achievement.badge_revoked achievement.badge_revoked achievement.badge_deleted"
				       " user.vip_revoked user.vip_revoked");
	then_event(w, 0, "{award_id: 1, user_id: 7, badge_id: 1, reason: 'badge_deleted', grant_id: 1}");
	then_event(w, 2, "{id: 1}");
	answers(w, "user.get", "{id: 8}", "{vip_active: false, role: 'free'}");
	refused(w, when(w, "achievement.delete", "{kind: 'badge', id: 1}"), E_NOT_FOUND, "{kind: 'badge', id: 1}");
	given_badge(w, "B", ""); /* the name is free again, the id is not */
	then(w, "{item: {id: 2}}");
	given(w, "achievement.delete", "{kind: 'badge', id: 2}");
	then(w, "{version: 2}");
}

static void a_commit_holds_4096_events(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given_badge(w, "B", "");
	d = commit_begin(w);
	for (int id = 1; id <= 2000; id++) {
		ensure_user(d, id);
		award_badge(d, id, 1, "mission");
	}
	commit_end(w);
	d = commit_begin(w);
	for (int id = 2001; id <= 4000; id++) {
		ensure_user(d, id);
		award_badge(d, id, 1, "mission");
	}
	commit_end(w);
	d = commit_begin(w);
	for (int id = 4001; id <= 4096; id++) {
		ensure_user(d, id);
		award_badge(d, id, 1, "mission");
	}
	commit_end(w);
	refused(w, when(w, "achievement.delete", "{kind: 'badge', id: 1, force: true}"), E_LIMIT_EXCEEDED,
		"{limit: 4096}");
	answers(w, "achievement.get", "{kind: 'badge', id: 1}", "{holders: 4096}");
	given(w, "achievement.revoke_badge", "{user_id: 1, badge_id: 1}");
	given(w, "achievement.delete", "{kind: 'badge', id: 1, force: true}");
}

/* ---- by hand ---- */

static void an_achievement_is_unlocked_once(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given(w, "achievement.create", "{id: 'a', name: 'A'}");
	given(w, "achievement.unlock", "{user_id: 7, achievement_id: 'a'}");
	then(w,
	     "{version: 1, award: {id: 1, user_id: 7, award_type: 'achievement', achievement_id: 'a', badge_id: null,"
	     " awarded_at: %lld, source: 'manual', grant_id: null, vip_expires_at: null}}",
	     (long long)w->now);
	assert_string_equal(events(w), "achievement.unlocked");
	then_event(w, 0, "{award: {id: 1, user_id: 7, achievement_id: 'a', source: 'manual'}, value: null}");
	refused(w, when(w, "achievement.unlock", "{user_id: 7, achievement_id: 'a'}"), E_ALREADY_EXISTS,
		"{kind: 'award', id: 1}");
	answers(w, "achievement.get", "{id: 'a'}", "{holders: 1, version: 1}");
	given(w, "achievement.update", "{id: 'a', is_active: false}");
	refused(w, when(w, "achievement.unlock", "{user_id: 7, achievement_id: 'a'}"), E_ALREADY_EXISTS, "{}");
	refused(w, when(w, "achievement.unlock", "{user_id: 8, achievement_id: 'a'}"), E_NOT_ACTIVE,
		"{status: 'inactive'}");
	given(w, "achievement.update", "{id: 'a', is_active: true}");
	refused(w, when(w, "achievement.unlock", "{user_id: 8, achievement_id: 'a'}"), E_NOT_FOUND,
		"{kind: 'user', id: 8}");
	refused(w, when(w, "achievement.unlock", "{user_id: 7, achievement_id: 'b'}"), E_NOT_FOUND,
		"{kind: 'achievement', id: 'b'}");
}

static void a_condition_is_checked_when_asked_to(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 7, amount: 9.5}");
	given_achievement(w, "a", "points", 10);
	given_badge(w, "B", ", condition_type: 'level', condition_value: 2");
	given(w, "achievement.create", "{id: 'bare', name: 'Bare'}");
	refused(w, when(w, "achievement.unlock", "{user_id: 7, achievement_id: 'a', check_condition: true}"),
		E_REQUIREMENTS_NOT_MET, "{missing: {condition_type: 'points', required: 10, actual: 9.5}}");
	refused(w, when(w, "achievement.award_badge", "{user_id: 7, badge_id: 1, check_condition: true}"),
		E_REQUIREMENTS_NOT_MET, "{missing: {condition_type: 'level', required: 2, actual: 1}}");
	given(w, "achievement.unlock", "{user_id: 7, achievement_id: 'bare', check_condition: true}");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	given(w, "achievement.update", "{id: 'a', condition_value: 9}");
	given(w, "achievement.unlock", "{user_id: 7, achievement_id: 'a', check_condition: true}");
}

static void a_badge_is_awarded_and_revoked(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given_badge(w, "B", ", auto_telegram_permissions: true");
	given_badge(w, "Stays", ", revocable: false");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	then(w, "{version: 1, award: {id: 1, user_id: 7, award_type: 'badge', achievement_id: null, badge_id: 1,"
		" source: 'manual', grant_id: null, vip_expires_at: null}, vip_expires_at: null, role: 'free'}");
	assert_string_equal(events(w), "achievement.badge_awarded");
	then_event(w, 0,
		   "{award: {id: 1, badge_id: 1}, value: null, grants_vip: false, auto_telegram_permissions: true}");
	refused(w, when(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}"), E_ALREADY_EXISTS,
		"{kind: 'award', id: 1}");
	given(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 1, reason: 'Cheated'}");
	then(w, "{version: 2, vip_active: false, vip_expires_at: null}");
	assert_string_equal(events(w), "achievement.badge_revoked");
	then_event(w, 0, "{award_id: 1, user_id: 7, badge_id: 1, reason: 'Cheated', grant_id: null}");
	refused(w, when(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 1}"), E_NOT_FOUND,
		"{kind: 'award', id: 1}");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	then(w, "{version: 3, award: {id: 2}}");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 2}");
	refused(w, when(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 2}"), E_FORBIDDEN,
		"{reason: 'not_revocable'}");
	refused(w, when(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 9}"), E_NOT_FOUND,
		"{kind: 'badge', id: 9}");
	refused(w, when(w, "achievement.award_badge", "{user_id: 7, badge_id: 9}"), E_NOT_FOUND,
		"{kind: 'badge', id: 9}");
	refused(w, when(w, "achievement.award_badge", "{user_id: 8, badge_id: 1}"), E_NOT_FOUND,
		"{kind: 'user', id: 8}");
	given(w, "achievement.update", "{kind: 'badge', id: 1, is_active: false}");
	refused(w, when(w, "achievement.award_badge", "{user_id: 8, badge_id: 1}"), E_NOT_ACTIVE,
		"{status: 'inactive'}");
	refused(w, when(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 1, reason: '%0201d'}", 1),
		E_INVALID_ARGUMENT, "{field: 'reason'}");
}

/* ---- R2 ---- */

static void a_counter_brings_what_it_reaches(void **state)
{
	struct world *w = *state;

	given_badge(w, "Hundred", ", condition_type: 'points', condition_value: 100");
	given_badge(w, "Fifty", ", condition_type: 'points', condition_value: 50");
	given_achievement(w, "z", "points", 10);
	given_achievement(w, "a", "points", 60);
	given_achievement(w, "off", "points", 5);
	given(w, "achievement.update", "{id: 'off', is_active: false}");
	given(w, "point.award", "{user_id: 7, amount: 9.999}");
	then(w, "{unlocked: []}");
	assert_string_equal(events(w), "user.created point.credited");
	given(w, "point.award", "{user_id: 7, amount: 50.5}");
	then(w, "{unlocked: [{kind: 'achievement', id: 'a'}, {kind: 'achievement', id: 'z'}, {kind: 'badge', id: 2}]}");
	then_event(w, 1, "{award: {source: 'rule', achievement_id: 'a'}, value: 60.499}");
	then_event(w, 3, "{award: {source: 'rule', badge_id: 2}, value: 60.499}");
	given(w, "point.award", "{user_id: 7, amount: 1}");
	assert_string_equal(events(w), "point.credited");
	given(w, "point.award", "{user_id: 7, amount: 100}");
	then(w, "{unlocked: [{kind: 'badge', id: 1}]}");
	given(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 2}");
	given(w, "achievement.update", "{id: 'off', is_active: true}");
	given(w, "point.deduct", "{user_id: 7, amount: 1}");
	assert_string_equal(events(w), "point.debited");
	given(w, "point.transfer", "{from_user_id: 7, to_user_id: 8, amount: 5}");
	assert_string_equal(events(w), "user.created point.debited point.credited achievement.unlocked");
	then_event(w, 3, "{award: {user_id: 8, achievement_id: 'off'}, value: 5}");
	given(w, "point.award", "{user_id: 7, amount: 1}"); /* at the next change of the counter */
	then(w, "{unlocked: [{kind: 'achievement', id: 'off'}, {kind: 'badge', id: 2}]}");
}

static void a_threshold_of_0_is_reached_by_any_credit(void **state)
{
	struct world *w = *state;

	given_achievement(w, "zero", "points", 0);
	given(w, "point.award", "{user_id: 7, amount: 0.001}");
	then(w, "{unlocked: [{id: 'zero'}]}");
}

static void each_counter_has_its_condition(void **state)
{
	static const char *const types[] = { "messages", "checkins", "level", "vip", "days_active" };
	struct world *w = *state;

	for (int i = 0; i < 5; i++)
		given_achievement(w, types[i], types[i], 1);
	given_achievement(w, "level_two", "level", 2);
	given_achievement(w, "two_days", "days_active", 2);
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w, "{unlocked: [{kind: 'achievement', id: 'messages'}, {kind: 'achievement', id: 'days_active'}]}");
	given(w, "user.record_activity", "{user_id: 8, action: 'post'}");
	then(w, "{unlocked: [{id: 'days_active'}]}");
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{unlocked: [{id: 'checkins'}]}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	assert_string_equal(events(w), "user.vip_granted achievement.unlocked");
	given(w, "point.create", "{kind: 'level', id: 1, name: 'One', min_points: 0}");
	given(w, "point.create", "{kind: 'level', id: 2, name: 'Two', min_points: 100}");
	given(w, "point.award", "{user_id: 7, amount: 100}");
	then(w, "{unlocked: [{id: 'level'}, {id: 'level_two'}]}");
	w->now += DAY;
	given(w, "user.claim_gift", "{user_id: 7}");
	assert_string_equal(events(w), "user.gift_claimed achievement.unlocked point.credited");
	then_event(w, 1, "{award: {achievement_id: 'two_days'}, value: 2}");
}

static void a_reaction_to_a_post_is_activity(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -100, type: 'free'}");
	given_achievement(w, "day", "days_active", 1);
	given(w, "channel.react", "{channel_id: -100, message_id: 1, user_id: 7, emoji: '👍'}");
	then(w, "{unlocked: [{kind: 'achievement', id: 'day'}]}");
	given_achievement(w, "later", "days_active", 1);
	given(w, "channel.react", "{channel_id: -100, message_id: 2, user_id: 7, emoji: '👍'}");
	then(w, "{unlocked: []}");
}

static void missions_count_and_give_badges(void **state)
{
	struct world *w = *state;

	given_badge(w, "B", "");
	given_badge(w, "Off", ", is_active: false");
	given_badge(w, "C", "");
	given_badge(w, "D", "");
	given_achievement(w, "done", "missions", 1);
	refused(w, when(w, "mission.create", "{id: 'm', name: 'M', reward_badges: [1, 5]}"), E_NOT_FOUND,
		"{kind: 'badge', id: 5}");
	given(w, "mission.create", "{id: 'm', name: 'M', reward_badges: [4, 2, 1]}");
	given(w, "user.create", "{id: 7}");
	given(w, "mission.complete", "{user_id: 7, mission_id: 'm', force: true}");
	then(w, "{unlocked: [{kind: 'achievement', id: 'done'}, {kind: 'badge', id: 1}, {kind: 'badge', id: 4}]}");
	answers(w, "achievement.list", "{kind: 'award', badge_id: 1}", "{items: [{user_id: 7, source: 'mission'}]}");
}

/* A later activity of the same day raises no counter, so it tests nothing. */
static void days_active_are_tested_when_they_rise(void **state)
{
	struct world *w = *state;

	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	given_achievement(w, "day", "days_active", 1);
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	then(w, "{unlocked: []}");
	w->now += DAY;
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{unlocked: [{kind: 'achievement', id: 'day'}]}");
}

static void corrected_statistics_count_when_they_rise(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given_achievement(w, "m", "messages", 0);
	given_achievement(w, "c", "checkins", 3);
	given_achievement(w, "d", "days_active", 4);
	given(w, "user.update", "{id: 7, stats: {checkin_streak: 3, days_active: 5, best_streak: 9}}");
	assert_string_equal(events(w), "user.stats_adjusted achievement.unlocked achievement.unlocked");
	then_event(w, 1, "{award: {achievement_id: 'c'}, value: 3}");
	then_event(w, 2, "{award: {achievement_id: 'd'}, value: 5}");
	given(w, "user.update", "{id: 7, stats: {messages_sent: 6}}");
	assert_string_equal(events(w), "user.stats_adjusted achievement.unlocked");
	given_achievement(w, "m2", "messages", 2);
	given(w, "user.update", "{id: 7, stats: {messages_sent: 5}}"); /* falls */
	assert_string_equal(events(w), "user.stats_adjusted");
}

static void rules_skip_what_cannot_be_given(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given(w, "user.create", "{id: 7}");
	given(w, "achievement.create", "{id: 'a', name: 'A'}");
	given(w, "achievement.create", "{id: 'off', name: 'Off', is_active: false}");
	given_badge(w, "B", "");
	d = commit_begin(w);
	unlock_achievement(d, 7, SLICE_LIT("none"), "fragment");
	unlock_achievement(d, 7, SLICE_LIT("off"), "fragment");
	unlock_achievement(d, 8, SLICE_LIT("a"), "fragment");
	unlock_achievement(d, 7, SLICE_LIT("a"), "fragment");
	unlock_achievement(d, 7, SLICE_LIT("a"), "fragment");
	award_badge(d, 7, 9, "mission");
	award_badge(d, 7, 0, "mission");
	award_badge(d, 8, 1, "mission");
	award_badge(d, 7, 1, "mission");
	award_badge(d, 7, 1, "mission");
	commit_end(w);
	assert_string_equal(events(w), "achievement.unlocked achievement.badge_awarded");
	then_event(w, 0, "{award: {source: 'fragment'}}");
	then_event(w, 1, "{award: {source: 'mission'}}");
}

static uint64_t lookups_of(struct world *w, const char *params)
{
	uint64_t before = w->state->lookups;

	given(w, "point.award", "%s", params);
	return w->state->lookups - before;
}

/* The rule runs after every award: count what it reads. */
static void an_award_reads_one_row_more_for_those_who_hold_all(void **state)
{
	struct world *w = *state;
	uint64_t bare, none, all;
	char id[16];

	given(w, "point.award", "{user_id: 7, amount: 50}");
	given(w, "point.award", "{user_id: 8, amount: 5}");
	bare = lookups_of(w, "{user_id: 7, amount: 1}");
	for (int i = 0; i < 50; i++) {
		snprintf(id, sizeof(id), "a%d", i);
		given_achievement(w, id, "points", 40);
	}
	none = lookups_of(w, "{user_id: 8, amount: 1}");
	assert_string_equal(events(w), "point.credited");
	given(w, "point.award", "{user_id: 7, amount: 1}");
	all = lookups_of(w, "{user_id: 7, amount: 1}");
	assert_string_equal(events(w), "point.credited");
	assert_int_equal(none, bare);
	assert_int_equal(all, bare + 1);
}

/* ---- R3, R4 ---- */

static void a_badge_brings_vip_and_takes_it_back(void **state)
{
	struct world *w = *state;
	long long end = w->now + 30 * DAY;

	given(w, "user.create", "{id: 7}");
	given_achievement(w, "vip", "vip", 1);
	given_badge(w, "B", ", grants_vip: true, vip_duration_days: 30, is_free_vip: true");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	then(w, "{award: {id: 1, grant_id: 1, vip_expires_at: %lld}, vip_expires_at: %lld, role: 'vip'}", end, end);
	assert_string_equal(events(w), "achievement.badge_awarded user.vip_granted achievement.unlocked");
	then_event(w, 1, "{grant: {id: 1, source: 'badge', source_id: '1', days: 30, is_free: true}}");
	given(w, "user.grant_vip", "{user_id: 7, days: 10}");
	then(w, "{vip_expires_at: %lld}", end + 10 * DAY);
	w->now += DAY;
	given(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 1}");
	then(w, "{vip_active: true, vip_expires_at: %lld}", (long long)w->now + 10 * DAY);
	assert_string_equal(events(w), "achievement.badge_revoked user.vip_revoked");
	then_event(w, 0, "{grant_id: 1}");
	then_event(w, 1, "{removed: [1], moved: [{id: 2}]}");
}

static void vip_that_is_over_is_not_taken_back(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given_badge(w, "B", ", grants_vip: true, vip_duration_days: 1");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	w->now += 2 * DAY;
	assert_true(tick(w) > 0);
	given(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 1}");
	then(w, "{vip_active: false}");
	assert_string_equal(events(w), "achievement.badge_revoked");
}

static void a_badge_for_good_grants_vip_for_good(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given_badge(w, "B", ", grants_vip: true");
	given_badge(w, "C", ", grants_vip: true, vip_duration_days: 5");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	then(w, "{award: {grant_id: 1, vip_expires_at: null}, vip_expires_at: null, role: 'vip'}");
	answers(w, "user.get", "{id: 7, include: ['vip']}", "{vip_active: true, permanent: true}");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 2}"); /* VIP for good already */
	then(w, "{award: {grant_id: null}}");
	assert_string_equal(events(w), "achievement.badge_awarded");
	given(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 2}");
	assert_string_equal(events(w), "achievement.badge_revoked");
	given(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 1}");
	then(w, "{vip_active: false}");
}

static void only_the_grant_that_came_with_it_belongs_to_a_badge(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given_badge(w, "B", ", grants_vip: true, vip_duration_days: 1");
	given(w, "user.grant_vip", "{user_id: 7, days: 1, source: 'badge', source_id: '1'}"); /* not held */
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	then(w, "{award: {grant_id: 2}}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1, source: 'badge', source_id: '1'}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1, source: 'badge', source_id: 'x1'}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1, source: 'badge', source_id: '99999999999999999999'}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1, source: 'badge'}");
	given(w, "achievement.revoke_badge", "{user_id: 7, badge_id: 1}");
	then_event(w, 1, "{removed: [2]}");
}

static void changed_vip_of_a_badge_concerns_later_awards(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given_badge(w, "B", "");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	given(w, "achievement.update", "{kind: 'badge', id: 1, grants_vip: true, vip_duration_days: 3}");
	assert_string_equal(events(w), "achievement.badge_updated");
	answers(w, "user.get", "{id: 7}", "{vip_active: false}");
	given(w, "user.create", "{id: 8}");
	given(w, "achievement.award_badge", "{user_id: 8, badge_id: 1}");
	then(w, "{role: 'vip'}");
}

static void too_many_grants_refuse_the_badge(void **state)
{
	struct world *w = *state;

	given_badge(w, "B", ", grants_vip: true, vip_duration_days: 1, condition_type: 'points', condition_value: 5");
	for (int i = 0; i < 100; i++)
		given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	refused(w, when(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}"), E_LIMIT_EXCEEDED, "{limit: 100}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: 5}"), E_LIMIT_EXCEEDED, "{limit: 100}");
	answers(w, "point.get", "{id: 7}", "{balance: 0}");
}

/* ---- users ---- */

static void a_deleted_user_holds_nothing(void **state)
{
	struct world *w = *state;

	given_achievement(w, "a", "points", 10);
	given_badge(w, "B", ", grants_vip: true");
	given(w, "point.award", "{user_id: 7, amount: 10}");
	given(w, "point.award", "{user_id: 8, amount: 10}");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	given(w, "user.delete", "{id: 7}");
	answers(w, "achievement.get", "{id: 'a', user_id: 7}", "{holders: 1, user: {held: false, value: 0}}");
	answers(w, "achievement.get", "{kind: 'badge', id: 1}", "{holders: 0}");
	answers(w, "achievement.list", "{kind: 'award'}", "{items: [{user_id: 8}]}");
	answers(w, "achievement.stats", "{}",
		"{unlocks: 2, awards: 1, revocations: 0, users_with_achievements: 1, users_with_badges: 0,"
		" average_per_user: 1.0}");
	given(w, "achievement.delete", "{kind: 'badge', id: 1}");
	given(w, "point.award", "{user_id: 7, amount: 10}"); /* starts afresh */
	then(w, "{unlocked: [{id: 'a'}]}");
	assert_string_equal(events(w), "user.created point.credited achievement.unlocked");
	answers(w, "achievement.list", "{kind: 'award', user_id: 7}", "{items: [{id: 4}]}");
	given(w, "user.create", "{id: 9}");
	given(w, "user.delete", "{id: 9}"); /* held nothing */
}

static void counts_of_a_user_know_awards(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given(w, "achievement.create", "{id: 'a', name: 'A'}");
	given_badge(w, "B", "");
	given_badge(w, "C", "");
	given(w, "achievement.unlock", "{user_id: 7, achievement_id: 'a'}");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 1}");
	given(w, "achievement.award_badge", "{user_id: 7, badge_id: 2}");
	answers(w, "user.get", "{id: 7, include: ['counts', 'engagement']}",
		"{badges: 2, achievements: 1, lore: 0, engagement: {badge_count: 2, engagement_score: 0.9}}");
}

static void default_content_is_installed(void **state)
{
	struct world *w = *state;

	given_badge(w, "Regular_User", "");
	given(w, "achievement.create", "{id: 'conversador', name: 'Mine'}");
	given(w, "server.install_defaults", "{parts: ['achievements', 'badges']}");
	then(w, "{changed: true, created: {levels: 0, achievements: 4, badges: 9}, version: 0}");
	answers(w, "achievement.get", "{id: 'checkin_7dias'}",
		"{name: 'Check-in 7 días', condition_type: 'checkins', condition_value: 7,"
		" reward_text: 'Logro: Check-in 7 días', is_active: true}");
	answers(w, "achievement.get", "{kind: 'badge', name: 'high_achiever'}",
		"{condition_type: 'points', condition_value: 1000, revocable: true, is_active: true}");
	answers(w, "achievement.get", "{kind: 'badge', name: 'story_explorer'}",
		"{condition_type: null, condition_value: null}");
	given(w, "server.install_defaults", "{parts: ['achievements', 'badges']}");
	then(w, "{changed: false, created: {achievements: 0, badges: 0}}");
	given(w, "server.install_defaults", "{}");
	then(w, "{changed: true, created: {levels: 20, achievements: 0, badges: 0}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_achievement_is_created),
		WORLD_TEST(a_badge_is_created),
		WORLD_TEST(definitions_are_checked),
		WORLD_TEST(achievements_change_field_by_field),
		WORLD_TEST(badges_change_field_by_field),
		WORLD_TEST(a_deleted_achievement_leaves_its_holders_and_keeps_its_id),
		WORLD_TEST(a_deleted_badge_is_revoked_from_each_holder),
		WORLD_TEST(a_commit_holds_4096_events),
		WORLD_TEST(an_achievement_is_unlocked_once),
		WORLD_TEST(a_condition_is_checked_when_asked_to),
		WORLD_TEST(a_badge_is_awarded_and_revoked),
		WORLD_TEST(a_counter_brings_what_it_reaches),
		WORLD_TEST(a_threshold_of_0_is_reached_by_any_credit),
		WORLD_TEST(each_counter_has_its_condition),
		WORLD_TEST(a_reaction_to_a_post_is_activity),
		WORLD_TEST(missions_count_and_give_badges),
		WORLD_TEST(days_active_are_tested_when_they_rise),
		WORLD_TEST(corrected_statistics_count_when_they_rise),
		WORLD_TEST(rules_skip_what_cannot_be_given),
		WORLD_TEST(an_award_reads_one_row_more_for_those_who_hold_all),
		WORLD_TEST(a_badge_brings_vip_and_takes_it_back),
		WORLD_TEST(vip_that_is_over_is_not_taken_back),
		WORLD_TEST(a_badge_for_good_grants_vip_for_good),
		WORLD_TEST(only_the_grant_that_came_with_it_belongs_to_a_badge),
		WORLD_TEST(changed_vip_of_a_badge_concerns_later_awards),
		WORLD_TEST(too_many_grants_refuse_the_badge),
		WORLD_TEST(a_deleted_user_holds_nothing),
		WORLD_TEST(counts_of_a_user_know_awards),
		WORLD_TEST(default_content_is_installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
