/* Commands of users: profile, VIP, activity, check-in, gift; and the timers of VIP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/world.h"

enum { TODAY = 20514 }; /* UTC day of WORLD_NOW */

static void set(struct world *w, const char *entries)
{
	given(w, "config.set", "{entries: %s}", entries);
}

static void given_points(struct world *w, int id, const char *amount)
{
	given(w, "point.award", "{user_id: %d, amount: %s, multiply: false}", id, amount);
}

/* ---- create ---- */

static void a_created_user_has_the_defaults(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	then(w,
	     "{seq: 1, version: 1, changed: true, item: {id: 7, username: null, first_name: null, is_admin: false,"
	     " role: 'free', level: 1, vip_active: false, vip_expires_at: null, vip_reminded_at: null,"
	     " menu_state: 'root', created_at: %lld, updated_at: %lld, version: 1}}",
	     (long long)w->now, (long long)w->now);
	assert_string_equal(events(w), "user.created");
	then_event(w, 0, "{id: 7, auto: false, revived: false, created_at: %lld}", (long long)w->now);
	answers(w, "point.get", "{id: 7}", "{balance: 0, level: 1, rank: 1}");
	answers(w, "user.get", "{id: 7, include: ['stats']}",
		"{stats: {last_activity_at: %lld, active_day: null, messages_sent: 0, checkin_day: null}}",
		(long long)w->now);
}

static void an_item_shows_no_hidden_field(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	assert_null(json_object_get(json_object_get(w->result, "item"), "deleted"));
	assert_null(json_object_get(json_object_get(w->result, "item"), "vip_permanent"));
}

static void names_are_tidied(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7, username: ' @Ana ', first_name: '  Ana María\\u3000', last_name: ' '}");
	then(w, "{item: {username: 'Ana', first_name: 'Ana María', last_name: null}}");
	given(w, "user.create", "{id: 8, username: '@'}");
	then(w, "{item: {username: null}}");
	given(w, "user.update", "{id: 8, username: '@ ben'}");
	then(w, "{item: {username: 'ben'}}");
	given(w, "user.update", "{id: 8, username: '@ '}");
	then(w, "{item: {username: null}}");
	given(w, "user.update", "{id: 8, username: '@ben'}");
	then(w, "{item: {username: 'ben'}}");
	given(w, "user.update", "{id: 8, username: '  '}");
	then(w, "{item: {username: null}}");
}

static void an_admin_has_the_role_of_one(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7, is_admin: true}");
	then(w, "{item: {role: 'admin'}}");
	given(w, "user.update", "{id: 7, is_admin: false}");
	then(w, "{item: {role: 'free'}}");
	then_event(w, 0, "{changes: {is_admin: false, role: 'free'}, before: {is_admin: true, role: 'admin'}}");
}

static void an_existing_user_is_an_error_unless_asked_for(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7, first_name: 'Ana'}");
	refused(w, when(w, "user.create", "{id: 7}"), E_ALREADY_EXISTS, "{kind: 'user', id: 7}");
	given(w, "user.create", "{id: 7, first_name: 'Eva', if_exists: 'return'}");
	then(w, "{changed: false, seq: 0, version: 1, item: {first_name: 'Ana'}}");
	assert_string_equal(events(w), "");
}

static void ids_and_texts_have_limits(void **state)
{
	struct world *w = *state;

	refused(w, when(w, "user.create", "{id: 0}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, when(w, "user.create", "{id: -5}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, when(w, "user.create", "{}"), E_INVALID_ARGUMENT, "{field: 'id', reason: 'is required'}");
	refused(w, when(w, "user.create", "{id: 1, menu_state: '%065d'}", 0), E_INVALID_ARGUMENT,
		"{field: 'menu_state'}");
	refused(w, when(w, "user.create", "{id: 1, if_exists: 'maybe'}"), E_INVALID_ARGUMENT, "{field: 'if_exists'}");
	refused(w, when(w, "user.create", "{id: 1, level: 3}"), E_INVALID_ARGUMENT, "{field: 'level'}");
	given(w, "user.create", "{id: 9223372036854775807}");
}

static void a_deleted_user_comes_back_afresh(void **state)
{
	struct world *w = *state;

	given(w, "server.install_defaults", "{parts: ['levels']}");
	given(w, "user.create", "{id: 7, first_name: 'Ana', username: 'ana'}");
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	given(w, "user.grant_vip", "{user_id: 7, days: 3}");
	given_points(w, 7, "600");
	given(w, "user.delete", "{id: 7}");
	refused(w, ask(w, "user.get", "{id: 7}"), E_NOT_FOUND, "{kind: 'user', id: 7}");
	refused(w, ask(w, "user.get", "{username: 'ana'}"), E_NOT_FOUND, "{kind: 'user'}");
	refused(w, ask(w, "point.get", "{id: 7}"), E_NOT_FOUND, "{kind: 'user', id: 7}");

	given(w, "user.create", "{id: 7}");
	then_event(w, 0, "{revived: true, auto: false}");
	then(w,
	     "{version: 6, item: {level: 1, role: 'free', vip_active: false, vip_expires_at: null, first_name: null}}");
	answers(w, "point.get", "{id: 7}", "{balance: 0, total_earned: 0, transactions: 0, last_transaction_at: null}");
	answers(w, "user.get", "{id: 7, include: ['stats', 'vip']}",
		"{stats: {messages_sent: 0, vip_grants: 0, days_active: 0, last_message_at: null}, permanent: false,"
		" grants: [{id: 1, status: 'revoked'}]}");
	assert_int_equal(tick(w), 0);
}

static void a_credit_brings_a_deleted_user_back(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given(w, "user.delete", "{id: 7}");
	given_points(w, 7, "5");
	assert_string_equal(events(w), "user.created point.credited");
	then_event(w, 0, "{revived: true, auto: true}");
	answers(w, "point.get", "{id: 7}", "{balance: 5, version: 1}");
}

/* ---- update ---- */

static void an_update_changes_what_is_given(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7, first_name: 'Ana', last_name: 'Paz'}");
	w->now += SECOND;
	given(w, "user.update", "{id: 7, first_name: 'Eva', last_name: null, menu_state: 'shop'}");
	then(w, "{version: 2, item: {first_name: 'Eva', last_name: null, menu_state: 'shop', updated_at: %lld}}",
	     (long long)w->now);
	then_event(w, 0,
		   "{id: 7, changes: {first_name: 'Eva', last_name: null, menu_state: 'shop'},"
		   " before: {first_name: 'Ana', last_name: 'Paz', menu_state: 'root'}}");
}

static void an_update_without_effect_appends_nothing(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7, first_name: 'Ana'}");
	given(w, "user.update", "{id: 7, first_name: ' Ana ', is_admin: false, username: null, stats: {}}");
	then(w, "{changed: false, seq: 0, version: 1, item: {first_name: 'Ana'}}");
	given(w, "user.update", "{id: 7}");
	then(w, "{changed: false}");
}

static void derived_fields_are_not_updated_by_hand(void **state)
{
	static const char *const fields[] = { "role",           "level",           "vip_active",
					      "vip_expires_at", "vip_reminded_at", "version",
					      "created_at",     "deleted",         "vip_permanent" };
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		refused(w, when(w, "user.update", "{id: 7, %s: 1}", fields[i]), E_INVALID_ARGUMENT, "{field: '%s'}",
			fields[i]);
	refused(w, when(w, "user.update", "{id: 7, menu_state: null}"), E_INVALID_ARGUMENT, "{field: 'menu_state'}");
	refused(w, when(w, "user.update", "{id: 7, is_admin: null}"), E_INVALID_ARGUMENT, "{field: 'is_admin'}");
	refused(w, when(w, "user.update", "{id: 8}"), E_NOT_FOUND, "{kind: 'user', id: 8}");
}

static void statistics_are_corrected_with_the_days_that_follow(void **state)
{
	struct world *w = *state;
	long long yesterday = w->now - DAY;

	given(w, "user.create", "{id: 7}");
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	given(w, "user.update",
	      "{id: 7, stats: {messages_sent: 50, checkin_streak: 3, best_streak: 4, days_active: 9, last_activity_at: "
	      "%lld,"
	      " last_checkin_at: %lld, last_daily_gift_at: %lld, last_reaction_at: 5, last_roulette_at: null}}",
	      yesterday, yesterday, yesterday);
	assert_string_equal(events(w), "user.stats_adjusted");
	then_event(w, 0,
		   "{user_id: 7, changes: {messages_sent: 50, active_day: %d, checkin_day: %d},"
		   " before: {messages_sent: 1, active_day: %d, checkin_day: null}}",
		   TODAY - 1, TODAY - 1, TODAY);
	answers(w, "user.stats", "{user_id: 7}",
		"{messages_sent: 50, checkin_streak: 3, best_streak: 4, days_active: 9, last_activity_at: %lld,"
		" last_checkin_at: %lld, active_day: %d, checkin_day: %d, last_daily_gift_at: %lld, last_reaction_at: "
		"5}",
		yesterday, yesterday, TODAY - 1, TODAY - 1, yesterday);
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 4}");

	given(w, "user.update", "{id: 7, first_name: 'Ana', stats: {last_checkin_at: null}}");
	assert_string_equal(events(w), "user.updated user.stats_adjusted");
	then(w, "{version: 6}");
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 1}");
}

static void statistics_stay_in_range(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	refused(w, when(w, "user.update", "{id: 7, stats: {messages_sent: -1}}"), E_INVALID_ARGUMENT,
		"{field: 'messages_sent'}");
	refused(w, when(w, "user.update", "{id: 7, stats: {days_active: 1000000001}}"), E_INVALID_ARGUMENT,
		"{field: 'days_active'}");
	refused(w, when(w, "user.update", "{id: 7, stats: {last_checkin_at: %lld}}", (long long)w->now + 1),
		E_INVALID_ARGUMENT, "{field: 'last_checkin_at'}");
	refused(w,
		when(w, "user.update", "{id: 7, first_name: 'Eva', stats: {last_activity_at: %lld}}",
		     (long long)w->now + 1),
		E_INVALID_ARGUMENT, "{field: 'last_activity_at'}");
	answers(w, "user.get", "{id: 7}", "{first_name: null, version: 1}");
	refused(w, when(w, "user.update", "{id: 7, stats: {last_activity_at: null}}"), E_INVALID_ARGUMENT,
		"{field: 'last_activity_at'}");
	refused(w, when(w, "user.update", "{id: 7, stats: {last_message_at: 5}}"), E_INVALID_ARGUMENT,
		"{field: 'last_message_at'}");
	refused(w, when(w, "user.update", "{id: 7, stats: {active_day: 5}}"), E_INVALID_ARGUMENT,
		"{field: 'active_day'}");
	refused(w, when(w, "user.update", "{id: 7, stats: 5}"), E_INVALID_ARGUMENT, "{field: 'stats'}");
	given(w, "user.update", "{id: 7, stats: null}");
	then(w, "{changed: false}");
}

static void counters_stop_at_their_ceiling(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given(w, "user.update",
	      "{id: 7, stats: {messages_sent: 1000000000, checkin_streak: 1000000000,"
	      " best_streak: 1000000000, days_active: 1000000000, last_checkin_at: %lld}}",
	      (long long)(w->now - DAY));
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 1000000000}");
	answers(w, "user.stats", "{user_id: 7}",
		"{messages_sent: 1000000000, checkin_streak: 1000000000, best_streak: 1000000000, days_active: "
		"1000000000}");
}

static void a_name_belongs_to_whoever_took_it_last(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7, username: 'Luz'}");
	given(w, "user.create", "{id: 8, username: 'LUZ'}");
	answers(w, "user.get", "{username: '@luz'}", "{id: 8}");
	given(w, "user.update", "{id: 7, username: 'sol'}");
	answers(w, "user.get", "{username: 'luz'}", "{id: 8}");
	answers(w, "user.get", "{username: 'SOL'}", "{id: 7}");
	given(w, "user.update", "{id: 8, username: null}");
	refused(w, ask(w, "user.get", "{username: 'luz'}"), E_NOT_FOUND, "{id: 'luz'}");
	given(w, "user.update", "{id: 7, username: 'Sol'}");
	answers(w, "user.get", "{username: 'sol'}", "{username: 'Sol'}");
	given(w, "user.delete", "{id: 7}");
	refused(w, ask(w, "user.get", "{username: 'sol'}"), E_NOT_FOUND, "{}");
}

/* ---- delete ---- */

static void deleting_debits_what_is_left(void **state)
{
	struct world *w = *state;

	given_points(w, 7, "12.5");
	given_points(w, 8, "3");
	given(w, "user.delete", "{id: 7}");
	then(w, "{changed: true, version: 2}");
	assert_string_equal(events(w), "point.debited user.deleted");
	then_event(w, 0, "{user_id: 7, amount: 12.5, balance_after: 0, source: 'user_deleted'}");
	answers(w, "point.stats", "{}", "{users: 1, total_points: 3, total_earned: 15.5, total_spent: 12.5}");
	answers(w, "point.leaderboard", "{min: 0}", "{items: [{user_id: 8, rank: 1}]}");
	answers(w, "point.verify", "{}", "{ok: true, users: 1}");
	refused(w, when(w, "user.delete", "{id: 7}"), E_NOT_FOUND, "{kind: 'user', id: 7}");
}

static void a_user_with_held_points_is_not_deleted(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given_points(w, 7, "10");
	d = commit_begin(w);
	EMIT(d, point_held,
	     .hold = { .id = 1,
		       .user_id = 7,
		       .amount = 4000,
		       .reason = SLICE_LIT("auction"),
		       .auction_id = 1,
		       .bid_id = 1,
		       .status = SLICE_LIT("held"),
		       .created_at = w->now },
	     .held_after = 4000);
	commit_end(w);
	refused(w, when(w, "user.delete", "{id: 7}"), E_IN_USE, "{reason: 'held_points'}");
}

static void deleting_ends_vip_and_its_timers(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 7, days: 3}");
	given(w, "user.grant_vip", "{user_id: 7, permanent: true}");
	given(w, "user.delete", "{id: 7}");
	w->now += 10 * DAY;
	assert_int_equal(tick(w), 0);
	answers(w, "user.list", "{kind: 'vip_grant', user_id: 7}",
		"{items: [{id: 2, status: 'revoked', closed_at: %lld}, {id: 1, status: 'revoked', closed_at: %lld}]}",
		(long long)WORLD_NOW, (long long)WORLD_NOW);
	answers(w, "user.stats", "{}",
		"{total: 0, vip: {active: 0, permanent: 0, total: 0, expired: 0}, average_level: 0.0}");
	refused(w, when(w, "user.revoke_vip", "{user_id: 7}"), E_NOT_FOUND, "{kind: 'user'}");
}

static void what_had_ended_before_is_not_revoked_by_deleting(void **state)
{
	struct world *w = *state;
	long long ended = w->now + 3 * DAY;

	given(w, "user.grant_vip", "{user_id: 7, days: 3}");
	given(w, "user.grant_vip", "{user_id: 7, days: 3}");
	w->now += 4 * DAY;
	given(w, "user.delete", "{id: 7}");
	answers(w, "user.list", "{kind: 'vip_grant', user_id: 7}",
		"{items: [{id: 2, status: 'revoked', closed_at: %lld}, {id: 1, status: 'expired', closed_at: %lld}]}",
		(long long)w->now, ended);
}

/* ---- VIP ---- */

static void two_grants_add_up(void **state)
{
	struct world *w = *state;
	long long end = w->now + 45 * DAY;

	given(w, "user.grant_vip", "{user_id: 7, days: 15}");
	assert_string_equal(events(w), "user.created user.vip_granted");
	then(w, "{grant_id: 1, role: 'vip', vip_expires_at: %lld}", (long long)(w->now + 15 * DAY));
	given(w, "user.grant_vip", "{user_id: 7, days: 30, source: 'subscription', source_id: 'x', is_free: true}");
	then(w, "{grant_id: 2, role: 'vip', vip_expires_at: %lld}", end);
	then_event(w, 0,
		   "{user_id: 7, role: 'vip', vip_expires_at: %lld, grant: {id: 2, user_id: 7, days: 30, source:"
		   " 'subscription', source_id: 'x', is_free: true, starts_at: %lld, ends_at: %lld, granted_at: %lld,"
		   " closed_at: null}}",
		   end, end - 30 * DAY, end, (long long)w->now);
	answers(w, "user.get", "{id: 7, include: ['stats']}",
		"{role: 'vip', vip_active: true, vip_expires_at: %lld, stats: {vip_grants: 2}}", end);
}

static void a_grant_after_the_last_one_ended_starts_now(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	w->now += 2 * DAY; /* and the timer has not run */
	answers(w, "user.get", "{id: 7}", "{role: 'free', vip_active: false}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	then(w, "{vip_expires_at: %lld}", (long long)(w->now + DAY));
	then_event(w, 0, "{grant: {starts_at: %lld}}", (long long)w->now);
	assert_int_equal(tick(w), 1); /* the reminder, no expiry */
	assert_string_equal(events(w), "user.vip_reminder_due");
	w->now += DAY;
	assert_int_equal(tick(w), 1);
	then_event(w, 0, "{user_id: 7, grant_ids: [2], expired_at: %lld, role: 'free'}", (long long)w->now);
	answers(w, "user.list", "{kind: 'vip_grant', user_id: 7}",
		"{items: [{id: 2, status: 'expired', closed_at: %lld}, {id: 1, status: 'expired', closed_at: %lld}]}",
		(long long)w->now, (long long)(WORLD_NOW + DAY));
}

static void an_explicit_end_extends_only_forward(void **state)
{
	struct world *w = *state;
	long long end = w->now + 10 * DAY;

	given(w, "user.grant_vip", "{user_id: 7, expires_at: %lld}", end);
	then(w, "{vip_expires_at: %lld, grant_id: 1}", end);
	given(w, "user.grant_vip", "{user_id: 7, expires_at: %lld}", end);
	then(w, "{changed: false, vip_expires_at: %lld, grant_id: null, role: 'vip'}", end);
	given(w, "user.grant_vip", "{user_id: 7, expires_at: %lld}", end - DAY);
	then(w, "{changed: false}");
	given(w, "user.grant_vip", "{user_id: 7, expires_at: 0}");
	then(w, "{changed: false, vip_expires_at: %lld}", end);
	given(w, "user.grant_vip", "{user_id: 7, expires_at: %lld}", end + 1);
	then_event(w, 0, "{grant: {days: null, starts_at: %lld, ends_at: %lld}}", end, end + 1);
}

static void a_past_end_grants_nothing(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	given(w, "user.grant_vip", "{user_id: 7, expires_at: 0}");
	then(w, "{changed: false, grant_id: null, role: 'free', vip_expires_at: null}");
	given(w, "user.grant_vip", "{user_id: 8, expires_at: %lld}", (long long)w->now);
	then(w, "{changed: false, version: 0, grant_id: null, role: 'free', vip_expires_at: null}");
	assert_int_equal(ask(w, "user.get", "{id: 8}"), E_NOT_FOUND);
	refused(w, when(w, "user.grant_vip", "{user_id: 7, expires_at: 0, mode: 'set'}"), E_INVALID_ARGUMENT,
		"{field: 'expires_at'}");
	refused(w, when(w, "user.grant_vip", "{user_id: 7, expires_at: %lld, mode: 'set'}", (long long)w->now),
		E_INVALID_ARGUMENT, "{field: 'expires_at'}");
}

static void permanent_vip_needs_no_more(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 7, days: 2}");
	given(w, "user.grant_vip", "{user_id: 7, permanent: true}");
	then(w, "{vip_expires_at: null, grant_id: 2, role: 'vip'}");
	then_event(w, 0, "{grant: {days: null, ends_at: null, starts_at: %lld}, vip_expires_at: null}",
		   (long long)(w->now + 2 * DAY));
	given(w, "user.grant_vip", "{user_id: 7, days: 2}");
	then(w, "{changed: false, grant_id: null, vip_expires_at: null, role: 'vip'}");
	answers(w, "user.get", "{id: 7, include: ['vip']}", "{permanent: true, vip_active: true, role: 'vip'}");
	w->now += 5000 * DAY;
	assert_int_equal(tick(w), 0);
	answers(w, "user.get", "{id: 7}", "{vip_active: true}");
}

static void set_replaces_what_runs_and_waits(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 7, days: 20}");
	given(w, "user.grant_vip", "{user_id: 7, permanent: true}");
	given(w, "user.grant_vip", "{user_id: 7, days: 3, mode: 'set'}");
	assert_string_equal(events(w), "user.vip_revoked user.vip_granted");
	then_event(w, 0, "{removed: [1, 2], moved: [], vip_expires_at: null, role: 'free'}");
	then(w, "{vip_expires_at: %lld, grant_id: 3, role: 'vip'}", (long long)(w->now + 3 * DAY));
	answers(w, "user.get", "{id: 7, include: ['vip']}",
		"{permanent: false, grants: [{id: 3, status: 'active'}, {id: 2, status: 'revoked'}, {id: 1}]}");
	given(w, "user.grant_vip", "{user_id: 8, permanent: true, mode: 'set'}");
	assert_string_equal(events(w), "user.created user.vip_granted");
}

static void the_length_of_a_grant_is_given_once(void **state)
{
	struct world *w = *state;

	refused(w, when(w, "user.grant_vip", "{user_id: 7}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	refused(w, when(w, "user.grant_vip", "{user_id: 7, days: 1, permanent: true}"), E_INVALID_ARGUMENT,
		"{field: 'days'}");
	refused(w, when(w, "user.grant_vip", "{user_id: 7, permanent: false}"), E_INVALID_ARGUMENT,
		"{field: 'permanent'}");
	refused(w, when(w, "user.grant_vip", "{user_id: 7, days: 0}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	refused(w, when(w, "user.grant_vip", "{user_id: 7, days: 3651}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	refused(w, when(w, "user.grant_vip", "{user_id: 7, days: 1, mode: 'add'}"), E_INVALID_ARGUMENT,
		"{field: 'mode'}");
	assert_int_equal(w->head, 0);
}

static void a_revoked_grant_lets_later_ones_move_up(void **state)
{
	struct world *w = *state;
	long long now = w->now;

	given(w, "user.grant_vip", "{user_id: 7, days: 10, source: 'token', source_id: '1'}");
	given(w, "user.grant_vip", "{user_id: 7, days: 20, source: 'badge', source_id: '1'}");
	given(w, "user.grant_vip", "{user_id: 7, days: 30, source: 'token', source_id: '2'}");
	w->now += 4 * DAY;
	given(w, "user.revoke_vip", "{user_id: 7, source: 'badge'}");
	assert_string_equal(events(w), "user.vip_revoked");
	then_event(
		w, 0,
		"{removed: [2], moved: [{id: 3, starts_at: %lld, ends_at: %lld}], vip_expires_at: %lld, role: 'vip'}",
		now + 10 * DAY, now + 40 * DAY, now + 40 * DAY);
	then(w, "{vip_expires_at: %lld, vip_active: true, role: 'vip'}", now + 40 * DAY);
	/* the running one: what waits starts now */
	given(w, "user.revoke_vip", "{user_id: 7, source: 'token', source_id: '1'}");
	then_event(w, 0, "{removed: [1], moved: [{id: 3, starts_at: %lld, ends_at: %lld}]}", (long long)w->now,
		   (long long)w->now + 30 * DAY);
	given(w, "user.revoke_vip", "{user_id: 7}");
	then_event(w, 0, "{removed: [3], moved: [], role: 'free', vip_expires_at: null}");
	then(w, "{vip_expires_at: null, vip_active: false, role: 'free'}");
	refused(w, when(w, "user.revoke_vip", "{user_id: 7}"), E_NOT_ACTIVE, "{status: 'none'}");
	answers(w, "user.stats", "{}", "{vip: {active: 0, permanent: 0, total: 1, expired: 1}}");
}

static void a_permanent_grant_moves_up_too(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 7, days: 10, source: 'token'}");
	given(w, "user.grant_vip", "{user_id: 7, permanent: true, source: 'badge'}");
	given(w, "user.revoke_vip", "{user_id: 7, source: 'token'}");
	then_event(
		w, 0,
		"{removed: [1], moved: [{id: 2, starts_at: %lld, ends_at: null}], vip_expires_at: null, role: 'vip'}",
		(long long)w->now);
	answers(w, "user.get", "{id: 7, include: ['vip']}", "{permanent: true, vip_active: true}");
	given(w, "user.grant_vip", "{user_id: 8, days: 10, source: 'token'}");
	given(w, "user.grant_vip", "{user_id: 8, permanent: true, source: 'badge'}");
	given(w, "user.revoke_vip", "{user_id: 8, source: 'badge'}");
	then(w, "{vip_expires_at: %lld, vip_active: true}", (long long)(w->now + 10 * DAY));
	answers(w, "user.get", "{id: 8, include: ['vip']}", "{permanent: false}");
	answers(w, "user.stats", "{}", "{vip: {active: 2, permanent: 1}}");
}

static void revoking_asks_for_something_there(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 7, days: 10, source: 'token', source_id: '1'}");
	refused(w, when(w, "user.revoke_vip", "{user_id: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
	refused(w, when(w, "user.revoke_vip", "{user_id: 7, source: 'badge'}"), E_NOT_ACTIVE, "{}");
	refused(w, when(w, "user.revoke_vip", "{user_id: 7, source: 'token', source_id: '2'}"), E_NOT_ACTIVE, "{}");
	refused(w, when(w, "user.revoke_vip", "{user_id: 7, source_id: '1'}"), E_INVALID_ARGUMENT,
		"{field: 'source_id'}");
	w->now += 10 * DAY;
	refused(w, when(w, "user.revoke_vip", "{user_id: 7}"), E_NOT_ACTIVE, "{}");
}

static void admins_stay_admins_whatever_their_vip(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7, is_admin: true}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	then(w, "{role: 'admin'}");
	w->now += DAY;
	assert_int_equal(tick(w), 1);
	then_event(w, 0, "{role: 'admin'}");
	given(w, "user.update", "{id: 7, is_admin: false}");
	then(w, "{item: {role: 'free'}}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "user.update", "{id: 7, is_admin: true}");
	given(w, "user.update", "{id: 7, is_admin: false}");
	then(w, "{item: {role: 'vip'}}");
}

static void at_most_a_hundred_grants_run_or_wait(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 100; i++)
		given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	refused(w, when(w, "user.grant_vip", "{user_id: 7, days: 1}"), E_LIMIT_EXCEEDED, "{limit: 100}");
	given(w, "user.grant_vip", "{user_id: 7, expires_at: %lld}", (long long)w->now);
	then(w, "{changed: false}");
	w->now += DAY;
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	then(w, "{vip_expires_at: %lld}", (long long)(w->now + 100 * DAY));
	given(w, "user.grant_vip", "{user_id: 7, days: 1, mode: 'set'}");
	then(w, "{vip_expires_at: %lld}", (long long)(w->now + DAY));
}

static void vip_extended_for_years_ends_with_all_grants_closed(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 130; i++) {
		given(w, "user.grant_vip", "{user_id: 7, days: 2}");
		w->now += DAY + DAY / 2;
	}
	w->now += 200 * DAY;
	assert_true(tick(w) >= 1);
	assert_int_equal(tick(w), 0);
	answers(w, "user.list", "{kind: 'vip_grant', limit: 1000, order: 'asc'}", "{next: null}");
	for (size_t i = 0; i < 130; i++) {
		json_t *g = json_array_get(json_object_get(w->result, "items"), i);

		assert_true(json_is_integer(json_object_get(g, "closed_at")));
		assert_true(json_equal(json_object_get(g, "closed_at"), json_object_get(g, "ends_at")));
	}
	refused(w, when(w, "user.revoke_vip", "{user_id: 7}"), E_NOT_ACTIVE, "{}");
}

static void vip_does_not_end_beyond_time(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 7, expires_at: 253402300799999}");
	refused(w, when(w, "user.grant_vip", "{user_id: 7, days: 1}"), E_LIMIT_EXCEEDED, "{}");
	refused(w, when(w, "user.grant_vip", "{user_id: 7, expires_at: 253402300800000}"), E_INVALID_ARGUMENT,
		"{field: 'expires_at'}");
}

/* ---- timers ---- */

static void a_reminder_comes_once_for_each_end(void **state)
{
	struct world *w = *state;
	long long end = w->now + 3 * DAY;

	given(w, "user.grant_vip", "{user_id: 7, days: 3}");
	assert_int_equal(tick(w), 0);
	w->now = end - DAY - 1;
	assert_int_equal(tick(w), 0);
	w->now = end - DAY;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "user.vip_reminder_due");
	then_event(w, 0, "{user_id: 7, vip_expires_at: %lld, due_at: %lld}", end, end - DAY);
	answers(w, "user.get", "{id: 7}", "{vip_reminded_at: %lld}", (long long)w->now);
	w->now += HOUR;
	assert_int_equal(tick(w), 0);

	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	answers(w, "user.get", "{id: 7}", "{vip_reminded_at: null}");
	assert_int_equal(tick(w), 0);
	w->now = end;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "user.vip_reminder_due");
	w->now = end + DAY;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "user.vip_expired");
	then_event(w, 0, "{grant_ids: [1, 2], expired_at: %lld, due_at: %lld, role: 'free'}", end + DAY, end + DAY);
	answers(w, "user.get", "{id: 7}",
		"{vip_active: false, vip_expires_at: null, vip_reminded_at: null, role: 'free'}");
	assert_int_equal(tick(w), 0);
}

static void the_lead_of_reminders_can_be_set_at_any_time(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 7, days: 10}");
	set(w, "{vip.reminder_hours: 240}");
	assert_int_equal(tick(w), 1);
	then_event(w, 0, "{due_at: %lld}", (long long)w->now);
	given(w, "user.grant_vip", "{user_id: 8, days: 1}");
	assert_int_equal(tick(w), 1);
	then_event(w, 0, "{user_id: 8, due_at: %lld}", (long long)(w->now - 9 * DAY));
}

static void after_downtime_what_is_over_only_expires(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 7, days: 3}");
	given(w, "user.grant_vip", "{user_id: 8, days: 2}");
	given(w, "user.grant_vip", "{user_id: 9, days: 20}");
	w->now += 19 * DAY + 1;
	assert_int_equal(tick(w), 3);
	w->first = w->head - 2;
	assert_string_equal(events(w), "user.vip_expired user.vip_expired user.vip_reminder_due");
	then_event(w, 0, "{user_id: 8}");
	then_event(w, 1, "{user_id: 7}");
	then_event(w, 2, "{user_id: 9}");
}

static void overdue_entries_run_in_due_order(void **state)
{
	struct world *w = *state;
	uint64_t head;

	given(w, "user.grant_vip", "{user_id: 9, days: 2}");
	given(w, "user.grant_vip", "{user_id: 8, days: 2}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "user.grant_vip", "{user_id: 6, expires_at: %lld}", (long long)(w->now + 2 * DAY + 12 * HOUR));
	w->now += 2 * DAY;
	tick_periods(w);
	head = w->head;
	assert_int_equal(tick(w), 4);
	w->first = head + 1;
	assert_string_equal(events(w), "user.vip_expired user.vip_reminder_due user.vip_expired user.vip_expired");
	then_event(w, 0, "{user_id: 7}");
	then_event(w, 1, "{user_id: 6}");
	then_event(w, 2, "{user_id: 8}");
	then_event(w, 3, "{user_id: 9}");
}

static void a_due_entry_whose_condition_is_gone_does_nothing(void **state)
{
	struct world *w = *state;
	struct due due = { .timer = TIMER_vip_expiry, .at = w->now, .id = 7 };

	given(w, "user.grant_vip", "{user_id: 7, days: 3}");
	for (int i = 0; i < N_TIMERS; i++) {
		struct decision *d = commit_begin(w);

		due.timer = (enum timer_id)i;
		due.id = i == TIMER_vip_expiry ? 7 : 8;
		assert_int_equal(decide_timer(d, &due), 0);
		assert_int_equal(d->n_events, 0);
		commit_end(w);
	}
	w->now += 2 * DAY;
	assert_int_equal(tick(w), 1);
	due = (struct due){ .timer = TIMER_vip_reminder, .at = w->now, .id = 7 };
	assert_int_equal(decide_timer(commit_begin(w), &due), 0);
	assert_int_equal(w->open.n_events, 0);
	commit_end(w);
}

/* ---- activity ---- */

static void activity_is_paid_by_its_kind(void **state)
{
	static const struct {
		const char *action, *source, *points;
	} cases[] = { { "message", "message", "1" },
		      { "poll", "poll", "2" },
		      { "post", "post", "5" },
		      { "comment", "comment", "2" },
		      { "other", "activity", "1" } };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		given(w, "user.record_activity", "{user_id: %zu, action: '%s'}", i + 1, cases[i].action);
		then(w,
		     "{recorded: true, reason: null, retry_at: null, points: %s, balance: %s, level: 1, unlocked: [],"
		     " missions_completed: [], challenges_completed: []}",
		     cases[i].points, cases[i].points);
		assert_string_equal(events(w), "user.created user.activity_recorded point.credited");
		then_event(w, 1, "{user_id: %zu, action: '%s', channel_id: null, messages_sent: %d}", i + 1,
			   cases[i].action, i == 0);
		then_event(w, 2, "{source: '%s', base: %s, multiplier: 1, description: '', ref: null}", cases[i].source,
			   cases[i].points);
	}
	refused(w, when(w, "user.record_activity", "{user_id: 1, action: 'dance'}"), E_INVALID_ARGUMENT,
		"{field: 'action'}");
}

static void prices_are_settings(void **state)
{
	struct world *w = *state;

	set(w, "{points.message: 0.5, points.poll: 0}");
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w, "{points: 0.5}");
	given(w, "user.record_activity", "{user_id: 7, action: 'poll'}");
	assert_string_equal(events(w), "user.activity_recorded");
	then(w, "{recorded: true, points: 0, balance: 0.5}");
}

static void messages_are_throttled(void **state)
{
	struct world *w = *state;
	long long at = w->now;

	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	w->now += 29999;
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w,
	     "{recorded: false, reason: 'throttled', retry_at: %lld, changed: false, points: 0, balance: 1, level: 1}",
	     at + 30000);
	given(w, "user.record_activity", "{user_id: 7, action: 'comment'}");
	then(w, "{recorded: true}");
	w->now += 1;
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w, "{recorded: true}");
	then_event(w, 0, "{messages_sent: 2}");
	set(w, "{throttle.message_ms: 0}");
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w, "{recorded: true}");
	answers(w, "user.stats", "{user_id: 7}", "{messages_sent: 3, days_active: 1, last_message_at: %lld}",
		(long long)w->now);
}

static void admins_earn_nothing_unless_set(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7, is_admin: true}");
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	then(w, "{recorded: false, reason: 'admin', retry_at: null, changed: false}");
	set(w, "{points.admins_earn: true}");
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	then(w, "{recorded: true, points: 5}");
}

static void nothing_is_earned_in_unknown_channels(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7, is_admin: true}");
	refused(w, when(w, "user.record_activity", "{user_id: 7, action: 'post', channel_id: -100}"), E_NOT_FOUND,
		"{kind: 'channel', id: -100}");
	refused(w, when(w, "user.record_activity", "{user_id: 7, action: 'post', channel_id: 0}"), E_INVALID_ARGUMENT,
		"{field: 'channel_id'}");
}

static void days_with_activity_count_once(void **state)
{
	struct world *w = *state;

	for (int day = 0; day < 3; day++) {
		given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
		given(w, "user.record_activity", "{user_id: 7, action: 'poll'}");
		w->now += DAY;
	}
	answers(w, "user.stats", "{user_id: 7}", "{days_active: 3, active_day: %d}", TODAY + 2);
	answers(w, "user.stats", "{}", "{active: 1, active_today: 0}");
}

static void vips_are_paid_with_the_multiplier(void **state)
{
	struct world *w = *state;

	set(w, "{points.vip_multiplier: 3}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	then(w, "{points: 15}");
	then_event(w, 1, "{amount: 15, base: 5, multiplier: 3}");
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{points: 30}");
	w->now += DAY;
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	then(w, "{points: 5}");
}

/* ---- check-in ---- */

static void a_checkin_counts_once_a_day(void **state)
{
	struct world *w = *state;
	long long midnight = (TODAY + 1) * DAY;

	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 1, points: 10, balance: 10, next_at: %lld}", midnight);
	assert_string_equal(events(w), "user.created user.checked_in point.credited");
	then_event(w, 1, "{user_id: 7, day: %d, streak: 1, best_streak: 1, previous_at: null}", TODAY);
	then_event(w, 2, "{source: 'checkin', ref: null}");
	refused(w, when(w, "user.checkin", "{user_id: 7}"), E_COOLDOWN, "{retry_at: %lld}", midnight);
	w->now = midnight - 1;
	refused(w, when(w, "user.checkin", "{user_id: 7}"), E_COOLDOWN, "{retry_at: %lld}", midnight);
	w->now = midnight;
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 2, balance: 20}");
	then_event(w, 0, "{previous_at: %lld}", (long long)WORLD_NOW);
}

static void a_missed_day_ends_the_streak(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++, w->now += DAY)
		given(w, "user.checkin", "{user_id: 7}");
	w->now += DAY;
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 1}");
	then_event(w, 0, "{best_streak: 3}");
	answers(w, "user.stats", "{user_id: 7}", "{checkin_streak: 1, best_streak: 3}");
}

static void each_seventh_day_pays_more(void **state)
{
	struct world *w = *state;

	for (int i = 1; i <= 14; i++, w->now += DAY) {
		given(w, "user.checkin", "{user_id: 7}");
		then(w, "{streak: %d, points: %d}", i, i % 7 == 0 ? 35 : 10);
		assert_string_equal(events(w), i == 1       ? "user.created user.checked_in point.credited"
					       : i % 7 == 0 ? "user.checked_in point.credited point.credited"
							    : "user.checked_in point.credited");
	}
	then_event(w, 2, "{source: 'checkin_weekly', amount: 25, balance_after: 190}");
}

static void days_begin_where_the_offset_says(void **state)
{
	struct world *w = *state;
	long long border = TODAY * DAY + 19 * HOUR; /* midnight in UTC+5 */

	set(w, "{time.utc_offset_minutes: 300}");
	w->now = border - 1;
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{next_at: %lld}", border);
	then_event(w, 1, "{day: %d}", TODAY);
	refused(w, when(w, "user.checkin", "{user_id: 7}"), E_COOLDOWN, "{retry_at: %lld}", border);
	w->now = border;
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 2, next_at: %lld}", border + DAY);
	then_event(w, 0, "{day: %d}", TODAY + 1);
	/* west of here that day has not begun yet */
	set(w, "{time.utc_offset_minutes: -300}");
	refused(w, when(w, "user.checkin", "{user_id: 7}"), E_COOLDOWN, "{retry_at: %lld}",
		(long long)((TODAY + 2) * DAY + 5 * HOUR));
	w->now = (TODAY + 2) * DAY + 5 * HOUR;
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 3}");
}

static void days_before_the_epoch_are_days(void **state)
{
	struct world *w = *state;

	w->now = 2 * HOUR;
	set(w, "{time.utc_offset_minutes: -180}");
	given(w, "user.checkin", "{user_id: 7}");
	then_event(w, 1, "{day: -1}");
	then(w, "{next_at: %lld}", (long long)(3 * HOUR));
	w->now = 3 * HOUR;
	given(w, "user.checkin", "{user_id: 7}");
	then(w, "{streak: 2}");
}

static void the_gate_of_checkins_lets_roles_in(void **state)
{
	struct world *w = *state;

	set(w, "{access.checkin: 'vip'}");
	refused(w, when(w, "user.checkin", "{user_id: 7}"), E_FORBIDDEN, "{reason: 'access.checkin'}");
	assert_int_equal(w->head, 1);
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "user.checkin", "{user_id: 7}");
	set(w, "{access.checkin: 'admin'}");
	w->now += DAY;
	refused(w, when(w, "user.checkin", "{user_id: 7}"), E_FORBIDDEN, "{}");
	given(w, "user.create", "{id: 8, is_admin: true}");
	given(w, "user.checkin", "{user_id: 8}");
}

/* ---- gift ---- */

static void a_gift_comes_every_24_hours(void **state)
{
	struct world *w = *state;

	given(w, "user.claim_gift", "{user_id: 7}");
	then(w, "{points: 5, balance: 5, next_at: %lld}", (long long)(w->now + DAY));
	assert_string_equal(events(w), "user.created user.gift_claimed point.credited");
	then_event(w, 1, "{user_id: 7, points: 5}");
	then_event(w, 2, "{source: 'daily_gift'}");
	w->now += DAY - 1;
	refused(w, when(w, "user.claim_gift", "{user_id: 7}"), E_COOLDOWN, "{retry_at: %lld}",
		(long long)(WORLD_NOW + DAY));
	w->now += 1;
	set(w, "{daily_gift.points: 0}");
	given(w, "user.claim_gift", "{user_id: 7}");
	then(w, "{points: 0, balance: 5, changed: true}");
	assert_string_equal(events(w), "user.gift_claimed");
	answers(w, "user.stats", "{user_id: 7}", "{days_active: 2, last_daily_gift_at: %lld}", (long long)w->now);
}

static void the_gift_can_be_switched_off(void **state)
{
	struct world *w = *state;

	set(w, "{daily_gift.enabled: false}");
	refused(w, when(w, "user.claim_gift", "{user_id: 7}"), E_FORBIDDEN, "{reason: 'disabled'}");
	assert_int_equal(w->head, 1);
}

static void a_ceiling_refuses_the_whole_command(void **state)
{
	struct world *w = *state;

	given_points(w, 7, "3999999999999.5");
	refused(w, when(w, "user.record_activity", "{user_id: 7, action: 'message'}"), E_LIMIT_EXCEEDED,
		"{limit: 4000000000000}");
	answers(w, "user.stats", "{user_id: 7}", "{messages_sent: 0, active_day: null}");
	refused(w, when(w, "user.checkin", "{user_id: 7}"), E_LIMIT_EXCEEDED, "{}");
	refused(w, when(w, "user.claim_gift", "{user_id: 7}"), E_LIMIT_EXCEEDED, "{}");
}

/* ---- what every command has ---- */

static void shared_params_go_into_the_envelope(void **state)
{
	struct world *w = *state;
	struct envelope env;

	given(w, "user.checkin", "{user_id: 7, actor: 'admin:1', note: 'by hand', idempotency_key: 'k-1'}");
	for (uint64_t i = 0; i < 3; i++) {
		assert_true(envelope_decode(slice_of(w->log[i].bytes, w->log[i].len), &env));
		assert_int_equal(env.seq, i + 1);
		assert_int_equal(env.commit, 1);
		assert_int_equal(env.at, w->now);
		assert_int_equal(env.peer, 1000);
		assert_true(slice_is(env.method, "user.checkin"));
		assert_true(slice_is(env.actor, "admin:1"));
		assert_true(slice_is(env.note, "by hand"));
		assert_true(i == 0 ? slice_is(env.key, "k-1") : env.key.base == NULL);
		assert_int_equal(env.cause, i == 2 ? 2 : 0);
		assert_true(slice_is(env.stream, i == 2 ? "points:7" : "user:7"));
		assert_int_equal(env.version, i == 1 ? 2 : 1);
	}
	refused(w, when(w, "user.create", "{id: 1, actor: '%065d'}", 0), E_INVALID_ARGUMENT, "{field: 'actor'}");
	refused(w, when(w, "user.create", "{id: 1, idempotency_key: '%065d'}", 0), E_INVALID_ARGUMENT,
		"{field: 'idempotency_key'}");
	refused(w, when(w, "user.create", "{id: 1, note: '%0501d'}", 0), E_INVALID_ARGUMENT, "{field: 'note'}");
	refused(w, when(w, "user.create", "{id: 1, expected_version: -1}"), E_INVALID_ARGUMENT,
		"{field: 'expected_version'}");
	refused(w, when(w, "user.create", "{id: 1, wait_ms: 1}"), E_INVALID_ARGUMENT, "{field: 'wait_ms'}");
	refused(w, when(w, "user.create", "{id: 1, kind: 'vip_grant'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	refused(w, when(w, "user.checkin", "{user_id: 1, kind: 'user'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	given(w, "user.create", "{id: 1, kind: 'user'}");
}

static void a_commit_that_finds_no_room_is_refused_as_a_whole(void **state)
{
	struct world *w = *state;
	bool fits = false;

	given(w, "user.grant_vip", "{user_id: 7, days: 3}");
	for (size_t room = 0; !fits; room += 512) {
		uint64_t head = w->head;
		int rc;

		arena_free(&w->arena);
		w->arena.max = room;
		rc = when(w, "user.grant_vip", "{user_id: 7, days: 4, mode: 'set', idempotency_key: 'k'}");
		fits = rc == 0;
		assert_int_equal(w->head, fits ? head + 2 : head);
		w->arena.max = DECIDE_ARENA_MAX;
		assert_true(fits || rc == E_LIMIT_EXCEEDED);
	}
	answers(w, "user.get", "{id: 7}", "{vip_expires_at: %lld}", (long long)(w->now + 4 * DAY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_created_user_has_the_defaults),
		WORLD_TEST(an_item_shows_no_hidden_field),
		WORLD_TEST(names_are_tidied),
		WORLD_TEST(an_admin_has_the_role_of_one),
		WORLD_TEST(an_existing_user_is_an_error_unless_asked_for),
		WORLD_TEST(ids_and_texts_have_limits),
		WORLD_TEST(a_deleted_user_comes_back_afresh),
		WORLD_TEST(a_credit_brings_a_deleted_user_back),
		WORLD_TEST(an_update_changes_what_is_given),
		WORLD_TEST(an_update_without_effect_appends_nothing),
		WORLD_TEST(derived_fields_are_not_updated_by_hand),
		WORLD_TEST(statistics_are_corrected_with_the_days_that_follow),
		WORLD_TEST(statistics_stay_in_range),
		WORLD_TEST(counters_stop_at_their_ceiling),
		WORLD_TEST(a_name_belongs_to_whoever_took_it_last),
		WORLD_TEST(deleting_debits_what_is_left),
		WORLD_TEST(a_user_with_held_points_is_not_deleted),
		WORLD_TEST(deleting_ends_vip_and_its_timers),
		WORLD_TEST(what_had_ended_before_is_not_revoked_by_deleting),
		WORLD_TEST(two_grants_add_up),
		WORLD_TEST(a_grant_after_the_last_one_ended_starts_now),
		WORLD_TEST(an_explicit_end_extends_only_forward),
		WORLD_TEST(a_past_end_grants_nothing),
		WORLD_TEST(permanent_vip_needs_no_more),
		WORLD_TEST(set_replaces_what_runs_and_waits),
		WORLD_TEST(the_length_of_a_grant_is_given_once),
		WORLD_TEST(a_revoked_grant_lets_later_ones_move_up),
		WORLD_TEST(a_permanent_grant_moves_up_too),
		WORLD_TEST(revoking_asks_for_something_there),
		WORLD_TEST(admins_stay_admins_whatever_their_vip),
		WORLD_TEST(at_most_a_hundred_grants_run_or_wait),
		WORLD_TEST(vip_extended_for_years_ends_with_all_grants_closed),
		WORLD_TEST(vip_does_not_end_beyond_time),
		WORLD_TEST(a_reminder_comes_once_for_each_end),
		WORLD_TEST(the_lead_of_reminders_can_be_set_at_any_time),
		WORLD_TEST(after_downtime_what_is_over_only_expires),
		WORLD_TEST(overdue_entries_run_in_due_order),
		WORLD_TEST(a_due_entry_whose_condition_is_gone_does_nothing),
		WORLD_TEST(activity_is_paid_by_its_kind),
		WORLD_TEST(prices_are_settings),
		WORLD_TEST(messages_are_throttled),
		WORLD_TEST(admins_earn_nothing_unless_set),
		WORLD_TEST(nothing_is_earned_in_unknown_channels),
		WORLD_TEST(days_with_activity_count_once),
		WORLD_TEST(vips_are_paid_with_the_multiplier),
		WORLD_TEST(a_checkin_counts_once_a_day),
		WORLD_TEST(a_missed_day_ends_the_streak),
		WORLD_TEST(each_seventh_day_pays_more),
		WORLD_TEST(days_begin_where_the_offset_says),
		WORLD_TEST(days_before_the_epoch_are_days),
		WORLD_TEST(the_gate_of_checkins_lets_roles_in),
		WORLD_TEST(a_gift_comes_every_24_hours),
		WORLD_TEST(the_gift_can_be_switched_off),
		WORLD_TEST(a_ceiling_refuses_the_whole_command),
		WORLD_TEST(shared_params_go_into_the_envelope),
		WORLD_TEST(a_commit_that_finds_no_room_is_refused_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
