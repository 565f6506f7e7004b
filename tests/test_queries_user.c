/* Queries of users: get, lists with every filter and sort, VIP grants, statistics. */
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

enum { TODAY = 20514 };

/* Ids of a list that fits one page. */
static const char *ids(struct world *w, const char *params)
{
	return listed(w, "user.list", params, "id");
}

static void given_people(struct world *w)
{
	given(w, "user.create", "{id: 5, first_name: 'Ana', last_name: 'López', username: 'anita'}");
	w->now += HOUR;
	given(w, "user.create", "{id: 3, first_name: 'José', is_admin: true}");
	w->now += HOUR;
	given(w, "user.create", "{id: 9, first_name: 'Ana María', last_name: 'de la Luz'}");
	w->now += HOUR;
	given(w, "user.create", "{id: 1, username: 'ANALOGUE'}");
	given(w, "user.grant_vip", "{user_id: 9, days: 10}");
	given(w, "user.grant_vip", "{user_id: 1, permanent: true}");
	given(w, "user.grant_vip", "{user_id: 3, days: 5}");
}

/* ---- get ---- */

static void a_user_is_found_by_id_or_name(void **state)
{
	struct world *w = *state;

	given_people(w);
	answers(w, "user.get", "{id: 5}", "{id: 5, first_name: 'Ana', last_name: 'López', username: 'anita'}");
	answers(w, "user.get", "{username: 'Anita'}", "{id: 5}");
	answers(w, "user.get", "{username: '@analogue'}", "{id: 1}");
	refused(w, ask(w, "user.get", "{username: 'nobody'}"), E_NOT_FOUND, "{kind: 'user', id: 'nobody'}");
	refused(w, ask(w, "user.get", "{username: '@'}"), E_NOT_FOUND, "{}");
	refused(w, ask(w, "user.get", "{id: 77}"), E_NOT_FOUND, "{kind: 'user', id: 77}");
	refused(w, ask(w, "user.get", "{}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, ask(w, "user.get", "{id: 5, username: 'anita'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, ask(w, "user.get", "{id: 5, include: ['friends']}"), E_INVALID_ARGUMENT, "{field: 'include'}");
	refused(w, ask(w, "user.get", "{id: 5, include: 'stats'}"), E_INVALID_ARGUMENT, "{field: 'include'}");
	refused(w, ask(w, "user.get", "{id: 5, wait_ms: 60001}"), E_INVALID_ARGUMENT, "{field: 'wait_ms'}");
}

static void a_user_comes_with_what_is_included(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 7}");
	answers(w, "user.get", "{id: 7}", "{id: 7}");
	assert_null(json_object_get(w->result, "balance"));
	assert_null(json_object_get(w->result, "stats"));
	given(w, "point.award", "{user_id: 8, amount: 3000}");
	given(w, "point.award", "{user_id: 7, amount: 2500.5}");
	given(w, "user.checkin", "{user_id: 7}");
	given(w, "user.grant_vip", "{user_id: 7, days: 3}");
	given(w, "user.update", "{id: 7, stats: {messages_sent: 120}}");
	w->now += 3 * DAY;
	answers(w, "user.get", "{id: 7, include: ['balance', 'stats', 'vip', 'counts', 'engagement']}",
		"{balance: 2510.5, held: 0, available: 2510.5, rank: 2, stats: {messages_sent: 120, checkin_streak: 1},"
		" permanent: false, grants: [{id: 1, status: 'expired', closed_at: %lld}], badges: 0, achievements: 0, "
		"lore: 0,"
		" missions_open: 0, auctions_joined: 0, engagement: {days_registered: 3, messages_sent: 120, "
		"checkin_streak: 1,"
		" badge_count: 0, last_activity_at: %lld, engagement_score: 4.31}}",
		(long long)w->now, (long long)WORLD_NOW);
}

static void at_most_twenty_grants_are_shown(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 25; i++)
		given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "user.grant_vip", "{user_id: 8, days: 1}");
	answers(w, "user.get", "{id: 7, include: ['vip']}", "{permanent: false}");
	assert_int_equal(json_array_size(json_object_get(w->result, "grants")), 20);
	then(w, "{id: 7}");
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(json_object_get(w->result, "grants"), 0), "id")), 25);
}

static void many_users_come_in_the_order_asked(void **state)
{
	struct world *w = *state;

	given_people(w);
	given(w, "user.delete", "{id: 3}");
	answers(w, "user.get_many", "{ids: [9, 77, 5, 3], include: ['balance']}",
		"{items: [{id: 9, balance: 0}, {id: 5}], missing: [77, 3]}");
	refused(w, ask(w, "user.get_many", "{ids: []}"), E_INVALID_ARGUMENT, "{field: 'ids'}");
	refused(w, ask(w, "user.get_many", "{}"), E_INVALID_ARGUMENT, "{field: 'ids'}");
	refused(w, ask(w, "user.get_many", "{ids: [0]}"), E_INVALID_ARGUMENT, "{field: 'ids'}");
	refused(w, ask(w, "user.get_many", "{ids: ['5']}"), E_INVALID_ARGUMENT, "{field: 'ids'}");
}

/* ---- list ---- */

static void users_are_listed_as_they_came(void **state)
{
	struct world *w = *state;
	long long t = w->now;

	given_people(w);
	assert_string_equal(ids(w, "{}"), "5 3 9 1");
	assert_string_equal(ids(w, "{order: 'desc'}"), "1 9 3 5");
	assert_string_equal(ids(w, "{sort: 'created_at', order: 'desc'}"), "1 9 3 5");
	assert_int_equal(ask(w, "user.list", "{from_at: %lld, to_at: %lld}", t + HOUR, t + 3 * HOUR), 0);
	assert_string_equal(fields(w, "id"), "3 9");
	assert_int_equal(ask(w, "user.list", "{from_at: %lld, to_at: %lld, order: 'desc'}", t + HOUR, t + 3 * HOUR), 0);
	assert_string_equal(fields(w, "id"), "9 3");
	assert_string_equal(ids(w, "{days: 1}"), "5 3 9 1");
	assert_string_equal(ids(w, "{to_at: 0}"), "");
	w->now = t + DAY + 2 * HOUR;
	assert_string_equal(ids(w, "{days: 1}"), "9 1");
	refused(w, ask(w, "user.list", "{days: 1, from_at: 5}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void users_are_filtered(void **state)
{
	struct world *w = *state;
	long long t;

	given_people(w);
	t = w->now;
	assert_string_equal(ids(w, "{role: 'vip'}"), "1 9");
	assert_string_equal(ids(w, "{role: 'vip', order: 'desc'}"), "9 1");
	assert_string_equal(ids(w, "{role: 'admin'}"), "3");
	assert_string_equal(ids(w, "{role: 'free'}"), "5");
	assert_string_equal(ids(w, "{is_admin: true}"), "3");
	assert_string_equal(ids(w, "{is_admin: false}"), "1 5 9");
	assert_string_equal(ids(w, "{is_admin: false, role: 'vip'}"), "1 9");
	assert_string_equal(ids(w, "{is_admin: true, role: 'vip'}"), "");
	assert_string_equal(ids(w, "{vip: true}"), "3 9 1");
	assert_string_equal(ids(w, "{vip: true, order: 'desc'}"), "1 9 3");
	assert_string_equal(ids(w, "{vip: false}"), "5");
	assert_string_equal(ids(w, "{vip: true, role: 'vip'}"), "1 9");
	assert_int_equal(ask(w, "user.list", "{vip_expires_before_at: %lld}", t + 10 * DAY), 0);
	assert_string_equal(fields(w, "id"), "3");
	assert_int_equal(ask(w, "user.list", "{vip_expires_before_at: %lld}", t + 10 * DAY + 1), 0);
	assert_string_equal(fields(w, "id"), "3 9");
	assert_string_equal(ids(w, "{vip_expires_before_at: 0}"), "");
	w->now += 5 * DAY; /* no timer has run */
	assert_string_equal(ids(w, "{vip: true}"), "9 1");
	assert_int_equal(ask(w, "user.list", "{vip_expires_before_at: %lld}", t + 10 * DAY + 1), 0);
	assert_string_equal(fields(w, "id"), "9");
	refused(w, ask(w, "user.list", "{role: 'king'}"), E_INVALID_ARGUMENT, "{field: 'role'}");
	refused(w, ask(w, "user.list", "{active_days: 0}"), E_INVALID_ARGUMENT, "{field: 'active_days'}");
	refused(w, ask(w, "user.list", "{sort: 'name'}"), E_INVALID_ARGUMENT, "{field: 'sort'}");
	refused(w, ask(w, "user.list", "{limit: 0}"), E_INVALID_ARGUMENT, "{field: 'limit'}");
	refused(w, ask(w, "user.list", "{limit: 1001}"), E_INVALID_ARGUMENT, "{field: 'limit'}");
}

static void users_are_found_by_their_activity(void **state)
{
	struct world *w = *state;

	for (int id = 1; id <= 4; id++, w->now += DAY)
		given(w, "user.record_activity", "{user_id: %d, action: 'post'}", id);
	given(w, "user.create", "{id: 9}");
	assert_string_equal(ids(w, "{active_days: 1}"), "");
	assert_string_equal(ids(w, "{active_days: 2}"), "4");
	assert_string_equal(ids(w, "{active_days: 3}"), "4 3");
	assert_string_equal(ids(w, "{active_days: 366}"), "4 3 2 1");
	assert_string_equal(ids(w, "{active_days: 4, order: 'asc'}"), "2 3 4");
	assert_string_equal(ids(w, "{sort: 'active_day'}"), "4 3 2 1");
	assert_string_equal(ids(w, "{sort: 'created_at', active_days: 3}"), "3 4");
	given(w, "user.checkin", "{user_id: 1}");
	given(w, "user.claim_gift", "{user_id: 2}");
	given(w, "user.record_activity", "{user_id: 2, action: 'other'}");
	assert_string_equal(ids(w, "{active_days: 1}"), "2 1");
	answers(w, "user.stats", "{days: 3}", "{active: 4, active_today: 2}");
	answers(w, "user.stats", "{days: 2}", "{active: 3}");
	answers(w, "user.stats", "{days: 1}", "{active: 2}");
}

static void users_are_found_by_level(void **state)
{
	struct world *w = *state;

	given(w, "server.install_defaults", "{parts: ['levels']}");
	given(w, "point.award", "{user_id: 1, amount: 600}");
	given(w, "point.award", "{user_id: 2, amount: 10}");
	given(w, "point.award", "{user_id: 3, amount: 2000}");
	given(w, "point.award", "{user_id: 4, amount: 600}");
	assert_string_equal(ids(w, "{level_min: 2}"), "3 4 1");
	assert_string_equal(ids(w, "{level_min: 2, order: 'asc'}"), "1 4 3");
	assert_string_equal(ids(w, "{sort: 'level'}"), "3 4 1 2");
	assert_string_equal(ids(w, "{sort: 'level', order: 'asc'}"), "2 1 4 3");
	assert_string_equal(ids(w, "{sort: 'created_at', level_min: 2}"), "1 3 4");
	answers(w, "user.stats", "{}", "{average_level: 2.5}");
}

static void the_sort_drives_the_list(void **state)
{
	struct world *w = *state;

	given_people(w);
	assert_string_equal(ids(w, "{sort: 'vip_expires_at'}"), "3 9 1");
	assert_string_equal(ids(w, "{sort: 'vip_expires_at', order: 'desc'}"), "1 9 3");
	assert_string_equal(ids(w, "{sort: 'vip_expires_at', is_admin: false}"), "9 1");
	assert_string_equal(ids(w, "{sort: 'created_at', role: 'vip'}"), "9 1");
	assert_string_equal(ids(w, "{sort: 'level', role: 'vip'}"), "9 1");
}

static void words_are_found_by_their_beginning(void **state)
{
	struct world *w = *state;

	given_people(w);
	assert_string_equal(ids(w, "{query: 'ana'}"), "5 9 1"); /* by word: ana ana analogue; then id */
	assert_string_equal(ids(w, "{query: 'LOPEZ'}"), "5");
	assert_string_equal(ids(w, "{query: 'jose'}"), "3");
	assert_string_equal(ids(w, "{query: 'mari an'}"), "9");
	assert_string_equal(ids(w, "{query: 'an lu'}"), "9");
	assert_string_equal(ids(w, "{query: 'anit'}"), "5");
	assert_string_equal(ids(w, "{query: 'nita'}"), "");
	assert_string_equal(ids(w, "{query: 'ana', role: 'free'}"), "5");
	assert_string_equal(ids(w, "{query: 'a b c d e f g h i j'}"), "");
	refused(w, ask(w, "user.list", "{query: 'a b c d e f g h i j k'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "user.list", "{query: ' .,- '}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "user.list", "{query: 'ana', sort: 'level'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "user.list", "{query: 'ana', order: 'asc'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	given(w, "user.update", "{id: 5, first_name: 'Eva'}");
	assert_string_equal(ids(w, "{query: 'ana'}"), "9 1");
	assert_string_equal(ids(w, "{query: 'an'}"), "9 1 5"); /* ana analogue anita */
	assert_string_equal(ids(w, "{query: 'eva'}"), "5");
	given(w, "user.delete", "{id: 5}");
	assert_string_equal(ids(w, "{query: 'eva'}"), "");
}

static void an_item_with_several_such_words_comes_once(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 1, first_name: 'Mar Mara Maren', username: 'marina'}");
	given(w, "user.create", "{id: 2, first_name: 'Maren Marin'}");
	assert_string_equal(ids(w, "{query: 'mar'}"), "1 2");
	assert_string_equal(paged(w, "user.list", "{query: 'mar'}", "id", 1), "1 2");
	assert_string_equal(ids(w, "{query: 'mare'}"), "1 2");
}

/* ---- paging ---- */

static void pages_put_together_are_the_list(void **state)
{
	static const char *const lists[] = { "{}",
					     "{order: 'desc'}",
					     "{sort: 'level'}",
					     "{is_admin: false}",
					     "{role: 'free'}",
					     "{query: 'user'}",
					     "{sort: 'active_day', order: 'asc'}",
					     "{vip: true}" };
	struct world *w = *state;

	for (int id = 1; id <= 23; id++, w->now += MINUTE) {
		given(w, "user.create", "{id: %d, first_name: 'User %d'}", id * 7 % 31, id);
		if (id % 3 == 0)
			given(w, "user.record_activity", "{user_id: %d, action: 'post'}", id * 7 % 31);
		if (id % 5 == 0)
			given(w, "user.grant_vip", "{user_id: %d, days: %d}", id * 7 % 31, 40 - id);
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char *whole = strdup(ids(w, lists[i]));

		for (int limit = 1; limit <= 24; limit += 1 + limit / 3)
			assert_string_equal(paged(w, "user.list", lists[i], "id", limit), whole);
		assert_true(strlen(whole) > 0);
		free(whole);
	}
}

static void a_cursor_stays_while_others_come_and_go(void **state)
{
	struct world *w = *state;
	char *next;

	for (int id = 1; id <= 6; id++, w->now += MINUTE)
		given(w, "user.create", "{id: %d}", id);
	assert_int_equal(ask(w, "user.list", "{limit: 3}"), 0);
	assert_string_equal(fields(w, "id"), "1 2 3");
	next = strdup(cursor(w));
	given(w, "user.delete", "{id: 3}"); /* the entry that the cursor stands on */
	given(w, "user.delete", "{id: 5}");
	given(w, "user.create", "{id: 20}");
	assert_int_equal(ask(w, "user.list", "{limit: 3, after: '%s'}", next), 0);
	assert_string_equal(fields(w, "id"), "4 6 20");
	assert_null(cursor(w));
	free(next);

	assert_int_equal(ask(w, "user.list", "{limit: 2, order: 'desc'}"), 0);
	assert_string_equal(fields(w, "id"), "20 6");
	next = strdup(cursor(w));
	given(w, "user.delete", "{id: 6}");
	assert_int_equal(ask(w, "user.list", "{limit: 2, order: 'desc', after: '%s'}", next), 0);
	assert_string_equal(fields(w, "id"), "4 2");
	free(next);
}

static void a_cursor_belongs_to_its_list(void **state)
{
	static const char *const others[] = { "order: 'desc'",     "is_admin: false", "sort: 'level'",
					      "kind: 'vip_grant'", "days: 5",         "include: ['stats']" };
	struct world *w = *state;
	char *next;

	for (int id = 1; id <= 6; id++)
		given(w, "user.grant_vip", "{user_id: %d, days: 1}", id);
	assert_int_equal(ask(w, "user.list", "{limit: 3}"), 0);
	next = strdup(cursor(w));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		refused(w, ask(w, "user.list", "{limit: 3, %s, after: '%s'}", others[i], next), E_INVALID_ARGUMENT,
			"{field: 'after'}");
	answers(w, "user.list", "{after: null}", "{}");
	assert_int_equal(ask(w, "user.list", "{limit: 1, after: '%s'}", next), 0); /* the limit may change */
	assert_string_equal(fields(w, "id"), "4");
	refused(w, ask(w, "user.list", "{after: ''}"), E_INVALID_ARGUMENT, "{field: 'after'}");
	refused(w, ask(w, "user.list", "{after: 'x'}"), E_INVALID_ARGUMENT, "{field: 'after'}");
	refused(w, ask(w, "user.list", "{after: '===='}"), E_INVALID_ARGUMENT, "{field: 'after'}");
	refused(w, ask(w, "user.list", "{after: 'AAAAAAAAAAAA'}"), E_INVALID_ARGUMENT, "{field: 'after'}");
	next[3] ^= 1;
	refused(w, ask(w, "user.list", "{after: '%s'}", next), E_INVALID_ARGUMENT, "{field: 'after'}");
	free(next);
}

static void a_page_that_examines_too_much_is_short(void **state)
{
	struct world *w = *state;
	const char *only = "{is_admin: false, level_min: 2, sort: 'created_at'}";

	for (int id = 1; id <= 10050; id++)
		given(w, "user.create", "{id: %d}", id);
	given(w, "server.install_defaults", "{parts: ['levels']}");
	given(w, "point.award", "{user_id: 10020, amount: 700}");
	given(w, "point.award", "{user_id: 3, amount: 700}");
	assert_int_equal(ask(w, "user.list", "%s", only), 0);
	assert_string_equal(fields(w, "id"), "3");
	assert_non_null(cursor(w));
	assert_int_equal(w->examined, 10000);
	assert_string_equal(paged(w, "user.list", only, "id", 50), "3 10020");
}

/* ---- VIP grants ---- */

static void vip_grants_are_listed_newest_first(void **state)
{
	struct world *w = *state;
	long long t = w->now;

	given(w, "user.grant_vip", "{user_id: 7, days: 2, source: 'token'}");
	w->now += HOUR;
	given(w, "user.grant_vip", "{user_id: 8, days: 1, source: 'badge'}");
	w->now += HOUR;
	given(w, "user.grant_vip", "{user_id: 7, days: 3, source: 'badge'}");
	w->now += HOUR;
	given(w, "user.grant_vip", "{user_id: 7, days: 4, source: 'bad'}");
	given(w, "user.revoke_vip", "{user_id: 7, source: 'bad'}");
	w->now = t + 2 * DAY;
	assert_string_equal(ids(w, "{kind: 'vip_grant'}"), "4 3 2 1");
	assert_string_equal(ids(w, "{kind: 'vip_grant', order: 'asc'}"), "1 2 3 4");
	assert_string_equal(ids(w, "{kind: 'vip_grant', user_id: 7}"), "4 3 1");
	assert_string_equal(ids(w, "{kind: 'vip_grant', source: 'badge'}"), "3 2");
	assert_string_equal(ids(w, "{kind: 'vip_grant', source: 'bad'}"), "4");
	assert_string_equal(ids(w, "{kind: 'vip_grant', source: 'badge', user_id: 7}"), "3");
	assert_string_equal(ids(w, "{kind: 'vip_grant', source: 'none'}"), "");
	assert_string_equal(ids(w, "{kind: 'vip_grant', status: 'active'}"), "3");
	assert_string_equal(ids(w, "{kind: 'vip_grant', status: 'expired'}"), "2 1");
	assert_string_equal(ids(w, "{kind: 'vip_grant', status: 'revoked'}"), "4");
	assert_int_equal(ask(w, "user.list", "{kind: 'vip_grant', from_at: %lld, to_at: %lld}", t + HOUR, t + 3 * HOUR),
			 0);
	assert_string_equal(fields(w, "id"), "3 2");
	assert_string_equal(paged(w, "user.list", "{kind: 'vip_grant'}", "id", 1), "4 3 2 1");
	assert_string_equal(paged(w, "user.list", "{kind: 'vip_grant', user_id: 7, order: 'asc'}", "id", 2), "1 3 4");
	refused(w, ask(w, "user.list", "{kind: 'grant'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	refused(w, ask(w, "user.list", "{kind: 'vip_grant', sort: 'level'}"), E_INVALID_ARGUMENT, "{field: 'sort'}");
}

/* ---- statistics ---- */

static void statistics_count_users_and_days(void **state)
{
	struct world *w = *state;

	answers(w, "user.stats", "{}",
		"{total: 0, admins: 0, by_role: {admin: 0, vip: 0, free: 0}, created: 0, messages: 0, checkins: 0, "
		"gifts: 0,"
		" active: 0, active_today: 0, vip: {active: 0, permanent: 0, total: 0, expired: 0}, average_level: "
		"0.0}");
	given(w, "user.record_activity", "{user_id: 1, action: 'message'}");
	given(w, "user.checkin", "{user_id: 2}");
	w->now += DAY;
	given(w, "user.record_activity", "{user_id: 1, action: 'message'}");
	given(w, "user.claim_gift", "{user_id: 3}");
	given(w, "user.create", "{id: 4, is_admin: true}");
	given(w, "user.grant_vip", "{user_id: 2, days: 1}");
	given(w, "user.grant_vip", "{user_id: 3, permanent: true}");
	answers(w, "user.stats", "{}",
		"{total: 4, admins: 1, by_role: {admin: 1, vip: 2, free: 1}, created: 4, messages: 2, checkins: 1, "
		"gifts: 1,"
		" active: 3, active_today: 2, vip: {active: 2, permanent: 1, total: 2, expired: 0}, average_level: "
		"1.0}");
	answers(w, "user.stats", "{days: 1}", "{created: 2, messages: 1, checkins: 0, gifts: 1, active: 2}");
	w->now += DAY; /* no timer has run */
	answers(w, "user.stats", "{}",
		"{vip: {active: 1, permanent: 1, total: 2, expired: 1}, active_today: 0, active: 3}");
	tick(w);
	answers(w, "user.stats", "{}", "{by_role: {vip: 1, free: 2}, vip: {active: 1, total: 2, expired: 1}}");
	w->now += 28 * DAY;
	answers(w, "user.stats", "{}", "{created: 2, active: 2}");
	answers(w, "user.stats", "{days: 366}", "{created: 4, active: 3}");
	refused(w, ask(w, "user.stats", "{days: 367}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void statistics_of_one_user(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 8, amount: 50}");
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	answers(w, "user.stats", "{user_id: 7}",
		"{messages_sent: 1, days_active: 1, active_day: %d, rank: 2, engagement: {messages_sent: 1, "
		"engagement_score: 0.51}}",
		TODAY);
	refused(w, ask(w, "user.stats", "{user_id: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
}

static void corrected_statistics_move_the_days(void **state)
{
	struct world *w = *state;

	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	given(w, "user.update", "{id: 7, stats: {last_activity_at: %lld}}", (long long)(w->now - 3 * DAY));
	answers(w, "user.stats", "{days: 3}", "{active: 0}");
	answers(w, "user.stats", "{days: 4}", "{active: 1}");
	assert_string_equal(ids(w, "{active_days: 4}"), "7");
	assert_string_equal(ids(w, "{active_days: 3}"), "");
	given(w, "user.create", "{id: 8}");
	given(w, "user.update", "{id: 8, stats: {last_activity_at: %lld}}", (long long)w->now);
	answers(w, "user.stats", "{days: 1}", "{active: 1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_user_is_found_by_id_or_name),
		WORLD_TEST(a_user_comes_with_what_is_included),
		WORLD_TEST(at_most_twenty_grants_are_shown),
		WORLD_TEST(many_users_come_in_the_order_asked),
		WORLD_TEST(users_are_listed_as_they_came),
		WORLD_TEST(users_are_filtered),
		WORLD_TEST(users_are_found_by_their_activity),
		WORLD_TEST(users_are_found_by_level),
		WORLD_TEST(the_sort_drives_the_list),
		WORLD_TEST(words_are_found_by_their_beginning),
		WORLD_TEST(an_item_with_several_such_words_comes_once),
		WORLD_TEST(pages_put_together_are_the_list),
		WORLD_TEST(a_cursor_stays_while_others_come_and_go),
		WORLD_TEST(a_cursor_belongs_to_its_list),
		WORLD_TEST(a_page_that_examines_too_much_is_short),
		WORLD_TEST(vip_grants_are_listed_newest_first),
		WORLD_TEST(statistics_count_users_and_days),
		WORLD_TEST(statistics_of_one_user),
		WORLD_TEST(corrected_statistics_move_the_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
