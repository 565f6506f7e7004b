/* Queries of channels: get, lists with every filter and order, statistics, the ranking of a week. */
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

static void react(struct world *w, int channel_id, int message_id, int user_id, const char *emoji)
{
	given(w, "channel.react", "{channel_id: %d, message_id: %d, user_id: %d, emoji: '%s'}", channel_id, message_id,
	      user_id, emoji);
}

static void act(struct world *w, int channel_id, int user_id, const char *action)
{
	given(w, "user.record_activity", "{user_id: %d, action: '%s', channel_id: %d}", user_id, action, channel_id);
}

/* A list as it is, and in pages of each size. */
static void assert_listed(struct world *w, const char *params, const char *field, const char *want)
{
	assert_string_equal(listed(w, "channel.list", params, field), want);
	for (int limit = 1; limit <= 3; limit++)
		assert_string_equal(paged(w, "channel.list", params, field, limit), want);
}

/* ---- channels ---- */

static void given_channels(struct world *w)
{
	static const char *const channels[] = {
		"{id: -5, title: 'Canción del día', type: 'free', auto_manage_permissions: true}",
		"{id: 9, title: 'Noticias VIP', type: 'vip'}",
		"{id: -7, title: 'Canciones vip', type: 'vip', auto_manage_permissions: true}",
		"{id: -2, type: 'engagement'}",
		"{id: -9, title: 'noticias', type: 'free'}",
	};

	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++, w->now += SECOND)
		given(w, "channel.create", "%s", channels[i]);
}

static void a_channel_is_shown_with_its_pending_requests(void **state)
{
	struct world *w = *state;

	given_channels(w);
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: 9}");
	given(w, "channel.create", "{kind: 'request', user_id: 8, channel_id: 9}");
	given(w, "channel.reject_request", "{request_id: 1}");
	answers(w, "channel.get", "{id: 9}",
		"{id: 9, title: 'Noticias VIP', type: 'vip', reactions: [], reaction_points: {}, version: 1,"
		" created_at: %lld, updated_at: %lld, auto_manage_permissions: false, pending_requests: 1,"
		" effective_reactions: [{emoji: '👍'}, {emoji: '❤'}, {emoji: '😂'}, {emoji: '🔥'}, {emoji: '💯'}]}",
		(long long)(WORLD_NOW + SECOND), (long long)(WORLD_NOW + SECOND));
	refused(w, ask(w, "channel.get", "{id: 10}"), E_NOT_FOUND, "{kind: 'channel', id: 10}");
	refused(w, ask(w, "channel.get", "{kind: 'reaction', id: 10}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	answers(w, "channel.get_many", "{ids: [9, 10, -5, 9]}",
		"{items: [{id: 9, effective_reactions: [{emoji: '👍'}, {emoji: '❤'}, {emoji: '😂'}, {emoji: '🔥'},"
		" {emoji: '💯'}]}, {id: -5}, {id: 9}], missing: [10]}");
	refused(w, ask(w, "channel.get_many", "{kind: 'request', ids: [1]}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void channels_are_listed_as_they_came(void **state)
{
	struct world *w = *state;

	given_channels(w);
	assert_listed(w, "{}", "id", "-5 9 -7 -2 -9");
	assert_listed(w, "{order: 'desc'}", "id", "-9 -2 -7 9 -5");
	assert_listed(w, "{type: 'vip'}", "id", "9 -7");
	assert_listed(w, "{type: 'vip', order: 'desc'}", "id", "-7 9");
	assert_listed(w, "{auto_manage_permissions: true}", "id", "-7 -5");
	assert_listed(w, "{auto_manage_permissions: false, order: 'desc'}", "id", "9 -2 -9");
	assert_listed(w, "{type: 'free', auto_manage_permissions: false}", "id", "-9");
	given(w, "channel.update", "{id: 9, type: 'free', auto_manage_permissions: true}");
	given(w, "channel.delete", "{id: -7}");
	assert_listed(w, "{}", "id", "-5 9 -2 -9");
	assert_listed(w, "{type: 'vip'}", "id", "");
	assert_listed(w, "{type: 'free'}", "id", "-5 9 -9");
	assert_listed(w, "{auto_manage_permissions: true}", "id", "-5 9");
	refused(w, ask(w, "channel.list", "{sort: 'id'}"), E_INVALID_ARGUMENT, "{field: 'sort'}");
	refused(w, ask(w, "channel.list", "{kind: 'post'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void channels_are_found_by_words_of_their_title(void **state)
{
	struct world *w = *state;

	given_channels(w);
	assert_listed(w, "{query: 'cancion'}", "id", "-5 -7");
	assert_listed(w, "{query: 'VIP not'}", "id", "9");
	assert_listed(w, "{query: 'vip', type: 'vip'}", "id", "-7 9");
	assert_listed(w, "{query: 'noticias', type: 'free'}", "id", "-9");
	assert_listed(w, "{query: 'vip', auto_manage_permissions: true}", "id", "-7");
	given(w, "channel.update", "{id: 9, title: 'Otra'}");
	given(w, "channel.delete", "{id: -5}");
	assert_listed(w, "{query: 'noticias'}", "id", "-9");
	assert_listed(w, "{query: 'otr'}", "id", "9");
	assert_listed(w, "{query: 'cancion'}", "id", "-7");
	refused(w, ask(w, "channel.list", "{query: '...'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "channel.list", "{query: 'x', order: 'asc'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
}

/* ---- join requests ---- */

/* id: user, channel, decided (a, r or neither), an hour each; decided two days later, in reverse. */
static void given_requests(struct world *w)
{
	static const struct {
		int user, channel;
		char decided;
	} all[] = { { 1, 9, 'a' },  { 2, 9, 'p' },  { 1, -7, 'r' }, { 3, 9, 'r' },
		    { 1, -2, 'p' }, { 2, -7, 'a' }, { 4, 9, 'p' },  { 5, 9, 'a' } };
	int n = (int)(sizeof(all) / sizeof(all[0]));

	given_channels(w);
	w->now = WORLD_NOW + HOUR;
	for (int i = 0; i < n; i++, w->now += HOUR)
		given(w, "channel.create", "{kind: 'request', user_id: %d, channel_id: %d}", all[i].user,
		      all[i].channel);
	w->now = WORLD_NOW + 2 * DAY;
	for (int i = n; i-- > 0; w->now += HOUR)
		if (all[i].decided != 'p')
			given(w, all[i].decided == 'a' ? "channel.approve_request" : "channel.reject_request",
			      "{request_id: %d}", i + 1);
	given(w, "channel.update", "{kind: 'request', id: 1, welcome_message_sent: true}");
	given(w, "channel.update", "{kind: 'request', id: 2, social_media_message_sent: true}");
}

static void a_request_is_found_by_id_or_by_user_and_channel(void **state)
{
	struct world *w = *state;

	given_requests(w);
	answers(w, "channel.get", "{kind: 'request', id: 3}",
		"{id: 3, user_id: 1, channel_id: -7, status: 'rejected', requested_at: %lld, automatic: false,"
		" due_at: null, decided_by: null, social_media_message_sent: false, welcome_message_sent: false, "
		"version: 2}",
		(long long)(WORLD_NOW + 3 * HOUR));
	answers(w, "channel.get", "{kind: 'request', user_id: 1, channel_id: -7}", "{id: 3}");
	given(w, "channel.create", "{kind: 'request', user_id: 1, channel_id: -7}");
	answers(w, "channel.get", "{kind: 'request', user_id: 1, channel_id: -7}", "{id: 9, status: 'pending'}");
	refused(w, ask(w, "channel.get", "{kind: 'request', id: 10}"), E_NOT_FOUND, "{kind: 'request', id: 10}");
	refused(w, ask(w, "channel.get", "{kind: 'request', user_id: 6, channel_id: 9}"), E_NOT_FOUND,
		"{kind: 'request', id: '6:9'}");
	refused(w, ask(w, "channel.get", "{kind: 'request'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, ask(w, "channel.get", "{kind: 'request', user_id: 1}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, ask(w, "channel.get", "{kind: 'request', id: 1, user_id: 1, channel_id: 9}"), E_INVALID_ARGUMENT,
		"{field: 'id'}");
}

static void requests_are_filtered(void **state)
{
	static const struct {
		const char *filters, *ids;
	} cases[] = {
		{ "", "8 7 6 5 4 3 2 1" },
		{ ", order: 'asc'", "1 2 3 4 5 6 7 8" },
		{ ", status: 'pending'", "2 5 7" },
		{ ", status: 'pending', order: 'desc'", "7 5 2" },
		{ ", status: 'approved'", "8 6 1" },
		{ ", status: 'rejected', order: 'asc'", "3 4" },
		{ ", user_id: 1", "5 3 1" },
		{ ", user_id: 1, status: 'pending'", "5" },
		{ ", user_id: 1, status: 'rejected', channel_id: -7", "3" },
		{ ", user_id: 2, channel_id: -7", "6" },
		{ ", channel_id: 9, status: 'approved'", "8 1" },
		{ ", channel_id: 9, status: 'pending'", "2 7" },
		{ ", channel_id: 9", "4 7 2 8 1" }, /* by status, each latest first */
		{ ", channel_id: 9, order: 'asc'", "1 8 2 7 4" },
		{ ", channel_id: 10", "" },
		{ ", welcome_message_sent: true", "1" },
		{ ", welcome_message_sent: false, user_id: 1", "5 3" },
		{ ", social_media_message_sent: true, status: 'pending'", "2" },
		{ ", status: 'approved', sort: 'decided_at'", "1 6 8" },
		{ ", status: 'approved', sort: 'decided_at', order: 'asc'", "8 6 1" },
		{ ", status: 'approved', sort: 'decided_at', channel_id: 9", "1 8" },
		{ ", status: 'pending', sort: 'decided_at'", "" },
	};
	struct world *w = *state;
	char params[160];

	given_requests(w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(params, sizeof(params), "{kind: 'request'%s}", cases[i].filters);
		assert_listed(w, params, "id", cases[i].ids);
	}
	refused(w, ask(w, "channel.list", "{kind: 'request', sort: 'decided_at'}"), E_INVALID_ARGUMENT,
		"{field: 'sort'}");
	refused(w, ask(w, "channel.list", "{kind: 'request', days: 1, from_at: 1}"), E_INVALID_ARGUMENT,
		"{field: 'days'}");
}

static void requests_are_listed_by_time(void **state)
{
	static const struct {
		const char *filters;
		int from, to; /* hours after WORLD_NOW; 0: open */
		const char *ids;
	} cases[] = {
		{ "", 3, 6, "5 4 3" },
		{ "", 7, 0, "8 7" },
		{ "", 0, 3, "2 1" },
		{ "", 3, 3, "" },
		{ ", user_id: 1", 2, 5, "3" },
		{ ", status: 'pending'", 3, 0, "5 7" },
		{ ", channel_id: 9, status: 'approved'", 2, 0, "8" },
		{ ", channel_id: 9", 2, 8, "4 7 2" },
		/* request 8 was decided after 48 hours, each one before it an hour later */
		{ ", status: 'approved', sort: 'decided_at'", 50, 0, "1 6" },
		{ ", status: 'approved', sort: 'decided_at'", 48, 51, "6 8" },
		{ ", status: 'rejected', sort: 'decided_at', order: 'asc'", 52, 54, "4 3" },
	};
	struct world *w = *state;
	char params[240];

	given_requests(w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int n = snprintf(params, sizeof(params), "{kind: 'request'%s", cases[i].filters);

		if (cases[i].from != 0)
			n += snprintf(params + n, sizeof(params) - (size_t)n, ", from_at: %lld",
				      (long long)(WORLD_NOW + cases[i].from * HOUR));
		if (cases[i].to != 0)
			n += snprintf(params + n, sizeof(params) - (size_t)n, ", to_at: %lld",
				      (long long)(WORLD_NOW + cases[i].to * HOUR));
		snprintf(params + n, sizeof(params) - (size_t)n, "}");
		assert_listed(w, params, "id", cases[i].ids);
	}
	w->now = WORLD_NOW + DAY + 7 * HOUR;
	assert_listed(w, "{kind: 'request', days: 1}", "id", "8 7");
}

static void an_index_is_walked_no_further_than_it_must(void **state)
{
	struct world *w = *state;

	given_requests(w);
	assert_int_equal(ask(w, "channel.list", "{kind: 'request', channel_id: 9, status: 'approved'}"), 0);
	assert_int_equal(w->examined, 2);
	assert_int_equal(ask(w, "channel.list", "{kind: 'request', user_id: 1}"), 0);
	assert_int_equal(w->examined, 3);
	assert_int_equal(ask(w, "channel.list", "{kind: 'request', status: 'pending', from_at: %lld}",
			     (long long)(WORLD_NOW + 5 * HOUR)),
			 0);
	assert_int_equal(w->examined, 2);
}

/* ---- posts and reactions ---- */

static void given_reactions(struct world *w)
{
	static const struct {
		int channel, message, user;
		const char *emoji;
	} all[] = { { 9, 1, 5, "👍" }, { 9, 1, 3, "🔥" },       { -7, 1, 3, "👍" }, { 9, 2, 3, "🦄" },
		    { 9, 1, 8, "👍" }, { -7, 2, 5, "❤️" }, { 9, 2, 5, "👍" } };

	given_channels(w);
	w->now = WORLD_NOW;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++, w->now += 6 * HOUR)
		react(w, all[i].channel, all[i].message, all[i].user, all[i].emoji);
}

static void a_post_counts_its_reactions(void **state)
{
	struct world *w = *state;

	given_reactions(w);
	answers(w, "channel.get", "{kind: 'post', channel_id: 9, message_id: 1}",
		"{channel_id: 9, message_id: 1, counts: {'👍': 2, '🔥': 1}, total: 3, points_paid: 1.5, first_at: %lld,"
		" last_at: %lld, version: 3}",
		(long long)WORLD_NOW, (long long)(WORLD_NOW + DAY));
	assert_null(json_object_get(w->result, "user"));
	answers(w, "channel.get", "{kind: 'post', channel_id: 9, message_id: 1, user_id: 3}",
		"{user: {emoji: '🔥', created_at: %lld}}", (long long)(WORLD_NOW + 6 * HOUR));
	answers(w, "channel.get", "{kind: 'post', channel_id: 9, message_id: 1, user_id: 99}",
		"{user: {emoji: null, created_at: null}}");
	answers(w, "channel.get", "{kind: 'post', channel_id: 9, message_id: 3}",
		"{channel_id: 9, message_id: 3, counts: {}, total: 0, points_paid: 0, first_at: null, last_at: null,"
		" version: 0}");
	refused(w, ask(w, "channel.get", "{kind: 'post', channel_id: 10, message_id: 1}"), E_NOT_FOUND,
		"{kind: 'channel', id: 10}");
}

static void reactions_are_listed_by_post_user_or_channel(void **state)
{
	struct world *w = *state;

	given_reactions(w);
	assert_listed(w, "{kind: 'reaction', channel_id: 9, message_id: 1}", "user_id", "3 5 8");
	assert_listed(w, "{kind: 'reaction', channel_id: 9, message_id: 1, order: 'desc'}", "user_id", "8 5 3");
	assert_listed(w, "{kind: 'reaction', channel_id: 9, message_id: 1, user_id: 5}", "emoji", "👍");
	assert_listed(w, "{kind: 'reaction', channel_id: 9}", "emoji", "👍 👍 🦄 🔥 👍");
	assert_listed(w, "{kind: 'reaction', channel_id: 9}", "user_id", "5 8 3 3 5");
	assert_listed(w, "{kind: 'reaction', channel_id: 9, order: 'asc'}", "user_id", "5 3 3 8 5");
	assert_listed(w, "{kind: 'reaction', user_id: 3}", "channel_id", "9 -7 9");
	assert_listed(w, "{kind: 'reaction', user_id: 3, order: 'asc'}", "emoji", "🔥 👍 🦄");
	assert_listed(w, "{kind: 'reaction', user_id: 3, channel_id: -7}", "emoji", "👍");
	assert_listed(w, "{kind: 'reaction', user_id: 99}", "emoji", "");
	/* now is 42 hours after the first */
	assert_listed(w, "{kind: 'reaction', channel_id: 9, days: 1}", "user_id", "5 8 3");
	assert_listed(w, "{kind: 'reaction', user_id: 5, days: 1}", "message_id", "2 2");
	assert_listed(w, "{kind: 'reaction', channel_id: 9, message_id: 1, days: 1}", "user_id", "8");
	answers(w, "channel.list", "{kind: 'reaction', user_id: 8}",
		"{items: [{channel_id: 9, message_id: 1, user_id: 8, emoji: '👍', points: 0.5, created_at: %lld}]}",
		(long long)(WORLD_NOW + DAY));
	given(w, "channel.delete", "{id: 9}");
	assert_listed(w, "{kind: 'reaction', channel_id: 9}", "user_id", "");
	assert_listed(w, "{kind: 'reaction', channel_id: 9, message_id: 1}", "user_id", "");
	assert_listed(w, "{kind: 'reaction', user_id: 3}", "channel_id", "-7");
	refused(w, ask(w, "channel.list", "{kind: 'reaction'}"), E_INVALID_ARGUMENT, "{field: 'channel_id'}");
	refused(w, ask(w, "channel.list", "{kind: 'reaction', message_id: 1}"), E_INVALID_ARGUMENT,
		"{field: 'channel_id'}");
	refused(w, ask(w, "channel.list", "{kind: 'reaction', message_id: 1, user_id: 3}"), E_INVALID_ARGUMENT,
		"{field: 'channel_id'}");
}

/* ---- statistics ---- */

static void a_channel_counts_its_engagement(void **state)
{
	static const char *const actions[] = { "message", "poll", "post", "comment", "other", "comment" };
	struct world *w = *state;

	given_channels(w);
	w->now = WORLD_NOW - 3 * DAY;
	react(w, 9, 1, 1, "👍"); /* before the window of three days */
	act(w, 9, 1, "post");
	w->now = WORLD_NOW - DAY;
	react(w, 9, 2, 1, "👍");
	act(w, 9, 2, "message");
	act(w, -7, 3, "message");
	w->now = WORLD_NOW;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		act(w, 9, 1, actions[i]);
	react(w, 9, 1, 4, "🔥");
	given(w, "user.record_activity", "{user_id: 5, action: 'message'}"); /* in no channel */
	answers(w, "channel.stats", "{channel_id: 9, days: 3}",
		"{requests: {pending: 0, approved: 0, rejected: 0}, reactions: 3, by_emoji: {'👍': 2, '🔥': 1}, posts: 2,"
		" points_paid: 1.5, engagement: {reactions: 2, messages: 2, comments: 2, posts: 1, polls: 1, other: 1,"
		" active_users: 3, points: 15, per_day: ["
		"{day_at: %lld, reactions: 0, messages: 0, active_users: 0, points: 0},"
		"{day_at: %lld, reactions: 1, messages: 1, comments: 0, posts: 0, polls: 0, other: 0, active_users: 2,"
		" points: 1.5},"
		"{day_at: %lld, reactions: 1, messages: 1, comments: 2, posts: 1, polls: 1, other: 1, active_users: 2,"
		" points: 13.5}]}}",
		(long long)(utc_day(WORLD_NOW) - 2) * DAY_MS, (long long)(utc_day(WORLD_NOW) - 1) * DAY_MS,
		(long long)utc_day(WORLD_NOW) * DAY_MS);
	answers(w, "channel.stats", "{channel_id: 9}", "{engagement: {reactions: 3, posts: 2, active_users: 3}}");
	answers(w, "channel.stats", "{channel_id: 9, days: 1}", "{reactions: 3, engagement: {active_users: 2}}");
	answers(w, "channel.stats", "{channel_id: -7, days: 2}",
		"{reactions: 0, by_emoji: {}, engagement: {messages: 1, active_users: 1, points: 1}}");
	refused(w, ask(w, "channel.stats", "{channel_id: 10}"), E_NOT_FOUND, "{kind: 'channel', id: 10}");
	refused(w, ask(w, "channel.stats", "{days: 367}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void all_channels_are_counted_together(void **state)
{
	struct world *w = *state;

	given_requests(w);
	given(w, "user.create", "{id: 20, is_admin: true}");
	given(w, "user.grant_vip", "{user_id: 21, days: 3}");
	react(w, 9, 1, 1, "👍");
	react(w, -7, 1, 2, "👍");
	act(w, 9, 3, "message");
	w->now += 2 * DAY;
	react(w, -7, 2, 1, "🔥");
	act(w, -7, 1, "poll");
	given(w, "config.set", "{entries: {bot.free_channel_wait_minutes: 15, bot.auto_approval: false}}");
	answers(w, "channel.stats", "{days: 10}",
		"{channels: 5, by_type: {free: 2, vip: 2, engagement: 1}, with_auto_permissions: 2,"
		" requests: {pending: 3, approved: 3, rejected: 2}, reactions: 3, reactors: 2, free_users: 5,"
		" wait_minutes: 15, auto_approval: false, engagement: {reactions: 3, messages: 1, polls: 1, "
		"active_users: 3,"
		" points: 4.5}}");
	answers(w, "channel.stats", "{days: 1}",
		"{reactions: 3, reactors: 1, engagement: {reactions: 1, active_users: 1}}");
	assert_int_equal(json_array_size(json_object_get(json_object_get(w->result, "engagement"), "per_day")), 1);
}

static void requests_wait_on_average(void **state)
{
	struct world *w = *state;

	given_channels(w);
	answers(w, "channel.stats", "{}", "{requests: {average_wait_ms: 0.0}}");
	for (int i = 1; i <= 3; i++)
		given(w, "channel.create", "{kind: 'request', user_id: %d, channel_id: 9}", i);
	w->now += 1000;
	given(w, "channel.approve_request", "{request_id: 1}");
	w->now += 1001;
	given(w, "channel.reject_request", "{request_id: 2}");
	answers(w, "channel.stats", "{}",
		"{requests: {pending: 1, approved: 1, rejected: 1, average_wait_ms: 1500.5}}");
}

static void the_ranking_is_of_a_calendar_week(void **state)
{
	static const long long monday = WORLD_NOW - 12 * HOUR;
	static const int reactors[] = { 3, 1, 2, 1, 3, 4, 1 };
	struct world *w = *state;

	given_channels(w);
	w->now = monday;
	for (int i = 0; i < 7; i++, w->now += HOUR)
		react(w, i % 2 ? 9 : -7, i + 1, reactors[i], "👍");
	w->now = monday + 7 * DAY - 1; /* Sunday night; throttled reactions count too */
	react(w, 9, 100, 4, "🦄");
	react(w, 9, 101, 4, "👍");
	answers(w, "channel.stats", "{ranking: 'week'}",
		"{week_start_at: %lld, items: [{rank: 1, user_id: 1, reactions: 3}, {rank: 1, user_id: 4, reactions: "
		"3},"
		" {rank: 3, user_id: 3, reactions: 2}, {rank: 4, user_id: 2, reactions: 1}]}",
		monday);
	w->now += 1;
	answers(w, "channel.stats", "{ranking: 'week'}", "{week_start_at: %lld, items: []}", monday + 7 * DAY);
	react(w, 9, 102, 2, "👍");
	answers(w, "channel.stats", "{ranking: 'week'}", "{items: [{rank: 1, user_id: 2, reactions: 1}]}");
	assert_int_equal(ask(w, "channel.stats", "{ranking: 'week', week_at: %lld, limit: 2}", monday + 3 * DAY), 0);
	then(w, "{week_start_at: %lld, items: [{user_id: 1}, {user_id: 4}]}", monday);
	answers(w, "channel.stats", "{ranking: 'week', week_at: 0}", "{items: []}");
	refused(w, ask(w, "channel.stats", "{ranking: 'month'}"), E_INVALID_ARGUMENT, "{field: 'ranking'}");
	refused(w, ask(w, "channel.stats", "{ranking: 'week', days: 3}"), E_INVALID_ARGUMENT, "{field: 'ranking'}");
	refused(w, ask(w, "channel.stats", "{ranking: 'week', channel_id: 9}"), E_INVALID_ARGUMENT,
		"{field: 'ranking'}");
	refused(w, ask(w, "channel.stats", "{week_at: 3}"), E_INVALID_ARGUMENT, "{field: 'week_at'}");
	refused(w, ask(w, "channel.stats", "{limit: 3}"), E_INVALID_ARGUMENT, "{field: 'limit'}");
}

static void a_ranking_holds_ten_unless_asked_for_more(void **state)
{
	struct world *w = *state;

	given_channels(w);
	for (int i = 1; i <= 12; i++)
		react(w, 9, 1, i, "👍");
	assert_int_equal(ask(w, "channel.stats", "{ranking: 'week'}"), 0);
	assert_string_equal(fields(w, "user_id"), "1 2 3 4 5 6 7 8 9 10");
	assert_int_equal(ask(w, "channel.stats", "{ranking: 'week', limit: 1000}"), 0);
	assert_string_equal(fields(w, "rank"), "1 1 1 1 1 1 1 1 1 1 1 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_channel_is_shown_with_its_pending_requests),
		WORLD_TEST(channels_are_listed_as_they_came),
		WORLD_TEST(channels_are_found_by_words_of_their_title),
		WORLD_TEST(a_request_is_found_by_id_or_by_user_and_channel),
		WORLD_TEST(requests_are_filtered),
		WORLD_TEST(requests_are_listed_by_time),
		WORLD_TEST(an_index_is_walked_no_further_than_it_must),
		WORLD_TEST(a_post_counts_its_reactions),
		WORLD_TEST(reactions_are_listed_by_post_user_or_channel),
		WORLD_TEST(a_channel_counts_its_engagement),
		WORLD_TEST(all_channels_are_counted_together),
		WORLD_TEST(requests_wait_on_average),
		WORLD_TEST(the_ranking_is_of_a_calendar_week),
		WORLD_TEST(a_ranking_holds_ten_unless_asked_for_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
