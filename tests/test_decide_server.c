/* What the daemon installs, and what it archives: by hand, and by the timer of each night. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/pages.h"

/* 03:00 UTC of the day after the world's first. */
#define FIRST_NIGHT (WORLD_NOW + 15 * HOUR)

static void given_decided_request(struct world *w, int user_id)
{
	given(w, "channel.create", "{kind: 'request', user_id: %d, channel_id: -5}", user_id);
	given(w, "channel.reject_request", "{request_id: %d}", user_id);
}

static void given_deleted_tokens(struct world *w, int n)
{
	given(w, "user.create", "{id: 1}");
	for (int id = 1; id <= n; id++) {
		given(w, "config.create", "{created_by: 1}");
		given(w, "config.delete", "{kind: 'token', id: %d}", id);
	}
}

static int64_t version_of_server(struct world *w)
{
	struct server_mark mark = { 0 };

	get_server_mark(w->state, 0, &mark);
	state_rollback(w->state);
	return (int64_t)mark.version;
}

/* ---- default content ---- */

/* Lists compare whole, so each part is there and nothing else. */
static void the_default_content_is_complete(void **state)
{
	struct world *w = *state;

	given(w, "server.install_defaults", "{}");
	then(w, "{changed: true, created: {levels: 20, achievements: 5, badges: 10, missions: 3}}");
	answers(w, "point.list", "{kind: 'level'}",
		"{items: [{id: 1, name: 'Novato', min_points: 0, reward: null},"
		" {id: 2, name: 'Aprendiz', min_points: 500, reward: null},"
		" {id: 3, name: 'Aventurero', min_points: 1000, reward: null},"
		" {id: 4, name: 'Explorador', min_points: 1500, reward: null},"
		" {id: 5, name: 'Héroe', min_points: 2000, reward: 'Un pequeño obsequio'},"
		" {id: 6, name: 'Guerrero', min_points: 2500, reward: 'Acceso a contenido exclusivo'},"
		" {id: 7, name: 'Veterano', min_points: 3000, reward: null},"
		" {id: 8, name: 'Maestro', min_points: 3500, reward: null},"
		" {id: 9, name: 'Leyenda', min_points: 4000, reward: null},"
		" {id: 10, name: 'Campeón', min_points: 4500, reward: 'Gran reconocimiento'},"
		" {id: 11, name: 'Mítico', min_points: 5500, reward: null},"
		" {id: 12, name: 'Épico', min_points: 6500, reward: null},"
		" {id: 13, name: 'Supremo', min_points: 7500, reward: null},"
		" {id: 14, name: 'Legendario', min_points: 8500, reward: null},"
		" {id: 15, name: 'Divino', min_points: 9500, reward: 'Recompensa especial'},"
		" {id: 16, name: 'Inmortal', min_points: 10500, reward: null},"
		" {id: 17, name: 'Titán', min_points: 11500, reward: null},"
		" {id: 18, name: 'Olimpo', min_points: 12500, reward: null},"
		" {id: 19, name: 'Estelar', min_points: 13500, reward: null},"
		" {id: 20, name: 'Cosmos', min_points: 14500, reward: 'Recompensa épica'}]}");
	answers(w, "achievement.list", "{kind: 'achievement'}",
		"{items: [{id: 'checkin_7dias', name: 'Check-in 7 días', condition_type: 'checkins', condition_value: "
		"7,"
		" reward_text: 'Logro: Check-in 7 días', is_active: true},"
		" {id: 'conversador', name: 'Conversador', condition_type: 'messages', condition_value: 100,"
		" reward_text: 'Logro: Conversador', is_active: true},"
		" {id: 'first_message', name: 'Primer Mensaje', condition_type: 'messages', condition_value: 1,"
		" reward_text: 'Logro: Primer Mensaje', is_active: true},"
		" {id: 'invitador', name: 'Invitador', condition_type: 'invites', condition_value: 5,"
		" reward_text: 'Logro: Invitador', is_active: true},"
		" {id: 'vip_supporter', name: 'VIP Supporter', condition_type: 'vip', condition_value: 1,"
		" reward_text: 'Logro: VIP Supporter', is_active: true}]}");
	answers(w, "achievement.list", "{kind: 'badge'}",
		"{items: [{id: 1, name: 'getting_started', condition_type: 'points', condition_value: 100},"
		" {id: 2, name: 'dedicated_player', condition_type: 'points', condition_value: 500},"
		" {id: 3, name: 'high_achiever', condition_type: 'points', condition_value: 1000},"
		" {id: 4, name: 'regular_user', condition_type: 'checkins', condition_value: 3},"
		" {id: 5, name: 'consistent_visitor', condition_type: 'checkins', condition_value: 7},"
		" {id: 6, name: 'loyal_user', condition_type: 'checkins', condition_value: 30},"
		" {id: 7, name: 'content_creator', condition_type: null, condition_value: null},"
		" {id: 8, name: 'community_member', condition_type: null, condition_value: null},"
		" {id: 9, name: 'story_explorer', condition_type: null, condition_value: null},"
		" {id: 10, name: 'narrative_master', condition_type: null, condition_value: null}]}");
	answers(w, "mission.list", "{}",
		"{items: [{id: 'daily_check-in_diario', name: 'Check-in Diario', type: 'daily',"
		" action: 'checkin', target_value: 1, reward_points: 5},"
		" {id: 'messages_conversador_activo', name: 'Conversador Activo', type: 'one_time',"
		" action: 'message', target_value: 10, reward_points: 25},"
		" {id: 'messages_primer_mensaje', name: 'Primer Mensaje', type: 'one_time',"
		" action: 'message', target_value: 1, reward_points: 10}]}");
	answers(w, "narrative.list", "{kind: 'fragment'}", "{items: []}");
	given(w, "server.install_defaults", "{}");
	then(w, "{changed: false, seq: 0, created: {levels: 0, achievements: 0, badges: 0, missions: 0}}");
}

static void parts_are_installed_alone(void **state)
{
	struct world *w = *state;

	refused(w, when(w, "server.install_defaults", "{parts: ['auctions']}"), E_INVALID_ARGUMENT, "{field: 'parts'}");
	given(w, "server.install_defaults", "{parts: ['badges', 'missions']}");
	then(w, "{created: {levels: 0, achievements: 0, badges: 10, missions: 3}}");
	answers(w, "point.list", "{kind: 'level'}", "{items: []}");
	/* what was deleted keeps its key, and is skipped; a name is free again */
	given(w, "mission.delete", "{id: 'daily_check-in_diario'}");
	given(w, "achievement.delete", "{kind: 'badge', id: 2}");
	given(w, "server.install_defaults", "{}");
	then(w, "{created: {levels: 20, achievements: 5, badges: 1, missions: 0}}");
}

/* ---- by hand ---- */

static void closed_requests_are_archived_by_hand(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -5, type: 'vip'}");
	for (int id = 1; id <= 3; id++, w->now += DAY)
		given_decided_request(w, id);
	given(w, "channel.create", "{kind: 'request', user_id: 4, channel_id: -5}");
	given(w, "server.cleanup", "{target: 'requests', days: 2, dry_run: true}");
	then(w, "{count: 2, more: false, changed: false}");
	given(w, "server.cleanup", "{target: 'requests', days: 2}");
	then(w, "{count: 2, more: false, changed: true}");
	assert_string_equal(events(w), "channel.requests_archived");
	then_event(w, 0, "{before_at: %lld, count: 2}", (long long)(WORLD_NOW + DAY + 1));
	assert_string_equal(listed(w, "channel.list", "{kind: 'request', order: 'asc'}", "id"), "3 4");
	assert_int_equal(version_of_server(w), 1);
	given(w, "server.cleanup", "{target: 'requests', days: 2}");
	then(w, "{count: 0, more: false, changed: false}");
	given(w, "server.cleanup", "{target: 'requests', days: 0}");
	then(w, "{count: 1}");
	assert_string_equal(listed(w, "channel.list", "{kind: 'request'}", "id"), "4");
}

static void closed_tokens_are_archived_by_hand(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 1}");
	given(w, "config.create", "{created_by: 1, expires_in_minutes: 60}");
	given(w, "config.create", "{created_by: 1}");
	given(w, "config.create", "{created_by: 1}");
	given(w, "config.create", "{created_by: 1, expires_in_minutes: 120}");
	given(w, "config.import", "{data: {format: 1, tokens: [{token: 'abc', created_by: 1}]}}");
	given(w, "config.use_token", "{token: 'abc', user_id: 7}");
	w->now += HOUR;
	given(w, "config.delete", "{kind: 'token', id: 2}");
	/* the first is over by the clock, which the timer did not note yet */
	given(w, "server.cleanup", "{target: 'tokens', days: 0, actor: 'admin:1'}");
	then(w, "{count: 2, more: false}");
	assert_string_equal(events(w), "config.tokens_archived");
	then_event(w, 0, "{before_at: %lld, count: 2}", (long long)w->now + 1);
	assert_string_equal(listed(w, "config.list", "{kind: 'token'}", "id"), "5 4 3");
	answers(w, "config.stats", "{}", "{total: 5, active: 2, used: 1, expired: 1, deleted: 1}");
	answers(w, "config.stats", "{user_id: 1}", "{created: 5, active: 2, used: 1, expired: 1}");
	refused(w, ask(w, "config.get", "{kind: 'token', id: 1}"), E_NOT_FOUND, "{}");
	assert_int_equal(tick(w), 0);
	w->now += HOUR;
	assert_int_equal(tick(w), 1);
	given(w, "server.cleanup", "{target: 'tokens', days: 1}");
	then(w, "{count: 0}");
	given(w, "server.cleanup", "{target: 'tokens', days: 0}");
	then(w, "{count: 1}");
	assert_int_equal(version_of_server(w), 2);
	/* ids are not used again */
	given(w, "config.create", "{created_by: 1}");
	then(w, "{item: {id: 6}}");
}

static void one_call_archives_at_most_a_thousand(void **state)
{
	struct world *w = *state;

	given_deleted_tokens(w, 1001);
	given(w, "server.cleanup", "{target: 'tokens', days: 0, dry_run: true}");
	then(w, "{count: 1000, more: true}");
	given(w, "server.cleanup", "{target: 'tokens', days: 0}");
	then(w, "{count: 1000, more: true}");
	assert_string_equal(listed(w, "config.list", "{kind: 'token'}", "id"), "1001");
	given(w, "server.cleanup", "{target: 'tokens', days: 0}");
	then(w, "{count: 1, more: false}");
}

static void what_cannot_be_archived_is_refused(void **state)
{
	struct world *w = *state;

	refused(w, when(w, "server.cleanup", "{target: 'users', days: 1}"), E_INVALID_ARGUMENT, "{field: 'target'}");
	refused(w, when(w, "server.cleanup", "{target: 'tokens'}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	refused(w, when(w, "server.cleanup", "{target: 'tokens', days: -1}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	refused(w, when(w, "server.cleanup", "{target: 'tokens', days: 36501}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	given(w, "server.cleanup", "{target: 'tokens', days: 36500}");
	then(w, "{count: 0, more: false}");
}

/* ---- by the timer ---- */

static void requests_are_archived_in_the_night_after_their_days(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -5, type: 'vip'}");
	given_decided_request(w, 1);
	given_decided_request(w, 2);
	w->now += DAY;
	given_decided_request(w, 3);
	w->now = FIRST_NIGHT + 30 * DAY - 1;
	assert_int_equal(tick(w), 0);
	w->now++;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "channel.requests_archived");
	then_event(w, 0, "{before_at: %lld, count: 2}", (long long)FIRST_NIGHT);
	assert_int_equal(tick(w), 0);
	/* old enough in the day is not night yet */
	w->now = WORLD_NOW + 32 * DAY;
	assert_int_equal(tick(w), 1);
	then_event(w, 0, "{before_at: %lld, count: 1}", (long long)(FIRST_NIGHT + DAY));
	w->now += 100 * DAY;
	assert_int_equal(tick(w), 0);
}

static void what_was_missed_is_archived_at_once(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -5, type: 'vip'}");
	for (int id = 1; id <= 3; id++, w->now += DAY)
		given_decided_request(w, id);
	w->now = WORLD_NOW + 40 * DAY;
	assert_int_equal(tick(w), 1);
	then_event(w, 0, "{before_at: %lld, count: 3}", (long long)(WORLD_NOW + 10 * DAY - 9 * HOUR));
	assert_int_equal(tick(w), 0);
}

static void retention_follows_its_settings(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -5, type: 'vip'}");
	given(w, "user.create", "{id: 1}");
	given_decided_request(w, 1);
	given(w, "config.create", "{created_by: 1, expires_in_minutes: 1}");
	given(w, "config.create", "{created_by: 1}");
	w->now += HOUR;
	assert_int_equal(tick(w), 1);
	given(w, "config.delete", "{kind: 'token', id: 2}");
	given(w, "config.create", "{created_by: 1}");
	given(w, "config.set", "{entries: {retention.request_days: 0}}");
	w->now += 50 * DAY;
	assert_int_equal(tick(w), 0);
	given(w, "config.set", "{entries: {retention.request_days: 50, retention.token_days: 50}}");
	assert_int_equal(tick(w), 0);
	/* both in the same night, in one commit */
	w->now += DAY;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "channel.requests_archived config.tokens_archived");
	then_event(w, 1, "{count: 2}");
	assert_string_equal(listed(w, "config.list", "{kind: 'token'}", "id"), "3");
	answers(w, "config.stats", "{}", "{total: 3, active: 1, expired: 1, deleted: 1}");
}

static void a_night_takes_as_many_commits_as_it_needs(void **state)
{
	struct world *w = *state;

	given(w, "config.set", "{entries: {retention.token_days: 1}}");
	given_deleted_tokens(w, 2001);
	w->now += 3 * DAY;
	assert_int_equal(tick(w), 3);
	then_event(w, 0, "{count: 1}");
	assert_string_equal(listed(w, "config.list", "{kind: 'token'}", "id"), "");
}

/* The daemon takes a timer that stays due, at the same time and of the same thing, for a defect. */
static void what_is_left_is_due_under_another_id(void **state)
{
	struct world *w = *state;
	struct due first, second;

	given(w, "config.set", "{entries: {retention.token_days: 1}}");
	given_deleted_tokens(w, 1001);
	w->now += 3 * DAY;
	assert_true(due_retention(w->state, w->now, &first));
	assert_int_equal(first.at, FIRST_NIGHT + DAY);
	fire_retention(commit_begin(w), &first);
	commit_end(w);
	assert_true(due_retention(w->state, w->now, &second));
	assert_int_equal(second.at, first.at);
	assert_true(second.id != first.id);
	fire_retention(commit_begin(w), &second);
	commit_end(w);
	assert_false(due_retention(w->state, w->now, &second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(the_default_content_is_complete),
		WORLD_TEST(parts_are_installed_alone),
		WORLD_TEST(closed_requests_are_archived_by_hand),
		WORLD_TEST(closed_tokens_are_archived_by_hand),
		WORLD_TEST(one_call_archives_at_most_a_thousand),
		WORLD_TEST(what_cannot_be_archived_is_refused),
		WORLD_TEST(requests_are_archived_in_the_night_after_their_days),
		WORLD_TEST(what_was_missed_is_archived_at_once),
		WORLD_TEST(retention_follows_its_settings),
		WORLD_TEST(a_night_takes_as_many_commits_as_it_needs),
		WORLD_TEST(what_is_left_is_due_under_another_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
