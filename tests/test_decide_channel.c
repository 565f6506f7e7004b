/* Commands of channels: channels and their reactions, reacting, join requests and their timer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/json.h"
#include "tests/lib/pages.h"

static void set(struct world *w, const char *entries)
{
	given(w, "config.set", "{entries: %s}", entries);
}

static void given_channel(struct world *w, int id, const char *type)
{
	given(w, "channel.create", "{id: %d, type: '%s'}", id, type);
}

static void react(struct world *w, int channel_id, int message_id, int user_id, const char *emoji)
{
	given(w, "channel.react", "{channel_id: %d, message_id: %d, user_id: %d, emoji: '%s'}", channel_id, message_id,
	      user_id, emoji);
}

/* ---- channels ---- */

static void a_channel_is_created_once(void **state)
{
	struct world *w = *state;
	long long at = w->now;

	given(w, "channel.create",
	      "{id: -100, title: ' Noticias ', type: 'vip', auto_manage_permissions: true,"
	      " reactions: ['👍', '❤️'], reaction_points: {'❤️': 2.5}}");
	then(w,
	     "{version: 1, changed: true, item: {id: -100, title: 'Noticias', type: 'vip', reactions: ['👍', '❤'],"
	     " reaction_points: {'❤': 2.5}, auto_manage_permissions: true, created_at: %lld, updated_at: %lld,"
	     " version: 1, effective_reactions: [{emoji: '👍', points: 0.5}, {emoji: '❤', points: 2.5}]}}",
	     at, at);
	assert_string_equal(events(w), "channel.created");
	then_event(w, 0, "{id: -100, title: 'Noticias', reactions: ['👍', '❤'], reaction_points: {'❤': 2.5}}");
	refused(w, when(w, "channel.create", "{id: -100}"), E_ALREADY_EXISTS, "{kind: 'channel', id: -100}");
	given(w, "channel.create", "{kind: 'channel', id: 5, title: '  '}");
	then(w, "{item: {id: 5, title: null, type: 'free', reactions: [], reaction_points: {},"
		" auto_manage_permissions: false, effective_reactions: [{emoji: '👍', points: 0.5}, {emoji: '❤'},"
		" {emoji: '😂'}, {emoji: '🔥'}, {emoji: '💯', points: 0.5}]}}");
}

static void effective_reactions_follow_the_settings(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "free");
	set(w, "{channels.default_reactions: ['🎉', '❤️'], points.reaction: 3}");
	then(w, "{items: [{value: ['🎉', '❤'], default: ['👍', '❤', '😂', '🔥', '💯']}, {}]}");
	answers(w, "channel.get", "{id: -100}",
		"{effective_reactions: [{emoji: '🎉', points: 3}, {emoji: '❤', points: 3}]}");
	given(w, "channel.update", "{id: -100, reactions: ['👍']}");
	answers(w, "channel.get", "{id: -100}", "{effective_reactions: [{emoji: '👍', points: 3}]}");
}

static void params_of_a_channel_are_tested(void **state)
{
	static const struct {
		const char *params, *field;
	} bad[] = {
		{ "{id: 0}", "id" },
		{ "{title: 'x'}", "id" },
		{ "{id: 1, type: 'secret'}", "type" },
		{ "{id: 1, status: 'x'}", "status" },
		{ "{id: 1, version: 1}", "version" },
		{ "{id: 1, reactions: ['👍', '👍']}", "reactions" },
		{ "{id: 1, reactions: ['❤️', '❤']}", "reactions" },
		{ "{id: 1, reactions: ['']}", "reactions" },
		{ "{id: 1, reactions: ['\xef\xb8\x8f']}", "reactions" },
		{ "{id: 1, reactions: ['123456789012345678901234567890123']}", "reactions" },
		{ "{id: 1, reactions: [1]}", "reactions" },
		{ "{id: 1, reaction_points: {'👍': 1}}", "reaction_points" },
		{ "{id: 1, reactions: ['🔥'], reaction_points: {'👍': 1}}", "reaction_points" },
		{ "{id: 1, reactions: ['❤'], reaction_points: {'❤': 1, '❤️': 2}}", "reaction_points" },
		{ "{id: 1, reactions: ['👍'], reaction_points: {'👍': -1}}", "reaction_points" },
		{ "{id: 1, reactions: ['👍'], reaction_points: {'👍': 0.0001}}", "reaction_points" },
		{ "{id: 1, reactions: ['👍'], reaction_points: {'👍': '1'}}", "reaction_points" },
		{ "{id: 1, reactions: ['👍'], reaction_points: [1]}", "reaction_points" },
		{ "{id: 1, kind: 'post'}", "kind" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "channel.create", "%s", bad[i].params), E_INVALID_ARGUMENT, "{field: '%s'}",
			bad[i].field);
	refused(w, when(w, "channel.create", "{id: 1, title: '%0256d'}", 1), E_INVALID_ARGUMENT, "{field: 'title'}");
	refused(w, when(w, "channel.create", "{id: 1, reactions: ['👍'], reaction_points: {'👍': 4000000000001}}"),
		E_LIMIT_EXCEEDED, "{limit: 4000000000000}");
	refused(w, when(w, "channel.create", "{id: 1, reactions: ['0','1','2','3','4','5','6','7','8','9','0']}"),
		E_LIMIT_EXCEEDED, "{limit: 10}");
	given(w, "channel.create",
	      "{id: 1, reactions: ['0','1','2','3','4','5','6','7','8','9'],"
	      " reaction_points: {'9': 0, '0': 4000000000000}}");
	then(w, "{item: {reaction_points: {'0': 4000000000000, '9': 0}}}");
}

static void an_update_changes_what_it_names(void **state)
{
	struct world *w = *state;
	long long at = w->now;

	given(w, "channel.create", "{id: -100, title: 'a', reactions: ['👍', '🔥'], reaction_points: {'👍': 1, '🔥': 2}}");
	w->now += SECOND;
	given(w, "channel.update", "{id: -100, title: ' b ', type: 'engagement'}");
	then(w,
	     "{version: 2, item: {title: 'b', type: 'engagement', reactions: ['👍', '🔥'], version: 2, created_at: %lld,"
	     " updated_at: %lld}}",
	     at, (long long)w->now);
	assert_string_equal(events(w), "channel.updated");
	then_event(w, 0, "{id: -100, changes: {title: 'b', type: 'engagement'}, before: {title: 'a', type: 'free'}}");
	given(w, "channel.update", "{id: -100, title: 'b'}");
	then(w, "{changed: false, seq: 0, version: 2, item: {title: 'b'}}");
	given(w, "channel.update", "{id: -100, title: null}");
	then(w, "{item: {title: null}}");
	refused(w, when(w, "channel.update", "{id: -100, type: null}"), E_INVALID_ARGUMENT, "{field: 'type'}");
	refused(w, when(w, "channel.update", "{id: -100, reactions: null}"), E_INVALID_ARGUMENT,
		"{field: 'reactions'}");
	refused(w, when(w, "channel.update", "{id: -100, created_at: 1}"), E_INVALID_ARGUMENT, "{field: 'created_at'}");
	refused(w, when(w, "channel.update", "{id: -101}"), E_NOT_FOUND, "{kind: 'channel', id: -101}");
	refused(w, when(w, "channel.update", "{kind: 'reaction', id: -101}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void points_leave_with_their_emoji(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -100, reactions: ['👍', '🔥'], reaction_points: {'👍': 1, '🔥': 2}}");
	given(w, "channel.update", "{id: -100, reactions: ['💯', '🔥']}");
	then(w, "{item: {reactions: ['💯', '🔥'], reaction_points: {'🔥': 2}}}");
	then_event(w, 0,
		   "{changes: {reactions: ['💯', '🔥'], reaction_points: {'🔥': 2}},"
		   " before: {reactions: ['👍', '🔥'], reaction_points: {'👍': 1, '🔥': 2}}}");
	assert_int_equal(json_object_size(json_object_get(json_object_get(w->result, "item"), "reaction_points")), 1);
	given(w, "channel.update", "{id: -100, reaction_points: {'💯': 7.5}}");
	then(w, "{item: {reactions: ['💯', '🔥'], reaction_points: {'💯': 7.5}}}");
	refused(w, when(w, "channel.update", "{id: -100, reaction_points: {'👍': 7.5}}"), E_INVALID_ARGUMENT,
		"{field: 'reaction_points'}");
	refused(w, when(w, "channel.update", "{id: -100, reactions: ['0','1','2','3','4','5','6','7','8','9','a']}"),
		E_LIMIT_EXCEEDED, "{limit: 10}");
	given(w, "channel.update", "{id: -100, reactions: ['👍'], reaction_points: {'👍': 3}}");
	then(w, "{item: {effective_reactions: [{emoji: '👍', points: 3}]}}");
	given(w, "channel.update", "{id: -100, reactions: []}");
	then(w, "{item: {reactions: [], reaction_points: {}, effective_reactions: [{emoji: '👍', points: 0.5},"
		" {emoji: '❤'}, {emoji: '😂'}, {emoji: '🔥'}, {emoji: '💯'}]}}");
}

static void many_updates_are_all_or_none(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "free");
	given_channel(w, -101, "free");
	given(w, "channel.update_many", "{items: [{id: -101, type: 'vip'}, {id: -100, title: 'one'}]}");
	then(w, "{changed: true, items: [{id: -101, type: 'vip'}, {id: -100, title: 'one', type: 'free'}]}");
	assert_string_equal(events(w), "channel.updated channel.updated");
	refused(w, when(w, "channel.update_many", "{items: [{id: -101, type: 'free'}, {id: -102, title: 'one'}]}"),
		E_NOT_FOUND, "{kind: 'channel', id: -102}");
	answers(w, "channel.get", "{id: -101}", "{type: 'vip'}");
	refused(w,
		when(w, "channel.update_many",
		     "{items: [{id: -101, reactions: ['0','1','2','3','4','5','6','7','8','9','a']}]}"),
		E_LIMIT_EXCEEDED, "{limit: 10}");
	assert_non_null(strstr(w->err.text, "items[0]"));
	refused(w, when(w, "channel.update_many", "{items: [{id: -101}, {id: -100}, {id: -101}]}"), E_INVALID_ARGUMENT,
		"{field: 'items'}");
	refused(w, when(w, "channel.update_many", "{items: []}"), E_INVALID_ARGUMENT, "{field: 'items'}");
	refused(w, when(w, "channel.update_many", "{items: [{id: -100, deleted: true}]}"), E_INVALID_ARGUMENT,
		"{field: 'deleted'}");
	given(w, "channel.update_many", "{items: [{id: -101}, {id: -100, title: 'one'}]}");
	then(w, "{changed: false, items: [{id: -101}, {id: -100}]}");
}

static void a_deleted_channel_may_come_back(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -100, title: 'a', type: 'vip'}");
	react(w, -100, 1, 7, "👍");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	given(w, "channel.create", "{kind: 'request', user_id: 8, channel_id: -100}");
	given(w, "channel.approve_request", "{request_id: 2}");
	given(w, "channel.delete", "{id: -100}");
	then(w, "{changed: true, version: 2}");
	assert_string_equal(events(w), "channel.request_rejected channel.deleted");
	then_event(w, 0, "{id: 1, user_id: 7, channel_id: -100, reason: 'channel_deleted'}");
	refused(w, when(w, "channel.delete", "{id: -100}"), E_NOT_FOUND, "{kind: 'channel', id: -100}");
	refused(w, when(w, "channel.update", "{id: -100}"), E_NOT_FOUND, "{}");
	refused(w, when(w, "channel.react", "{channel_id: -100, message_id: 1, user_id: 8, emoji: '👍'}"), E_NOT_FOUND,
		"{kind: 'channel', id: -100}");
	refused(w, ask(w, "channel.get", "{id: -100}"), E_NOT_FOUND, "{}");
	refused(w, ask(w, "channel.get", "{kind: 'post', channel_id: -100, message_id: 1}"), E_NOT_FOUND, "{}");
	refused(w, ask(w, "channel.stats", "{channel_id: -100}"), E_NOT_FOUND, "{}");
	answers(w, "channel.stats", "{}", "{channels: 0, by_type: {vip: 0}}");

	given(w, "channel.create", "{id: -100}");
	then(w, "{version: 3, item: {title: null, type: 'free', version: 3}}");
	refused(w, when(w, "channel.react", "{channel_id: -100, message_id: 1, user_id: 7, emoji: '🔥'}"),
		E_ALREADY_EXISTS, "{kind: 'reaction', id: '-100:1'}");
	answers(w, "channel.get", "{kind: 'post', channel_id: -100, message_id: 1}", "{counts: {'👍': 1}, total: 1}");
	answers(w, "channel.stats", "{channel_id: -100}",
		"{requests: {pending: 0, approved: 1, rejected: 1}, posts: 1}");
	answers(w, "channel.get", "{kind: 'request', id: 1}", "{status: 'rejected'}");
}

static void a_reaction_is_set_at_the_end_or_in_place(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "free");
	given(w, "channel.set_reaction", "{channel_id: -100, emoji: '❤️'}");
	then(w, "{version: 2, item: {reactions: ['❤'], reaction_points: {'❤': 0.5}, effective_reactions: [{emoji: "
		"'❤'}]}}");
	assert_string_equal(events(w), "channel.reaction_set");
	then_event(w, 0, "{channel_id: -100, emoji: '❤', points: 0.5, position: 0}");
	w->now += SECOND;
	given(w, "channel.set_reaction", "{channel_id: -100, emoji: '🔥', points: 4}");
	then_event(w, 0, "{emoji: '🔥', points: 4, position: 1}");
	then(w, "{item: {reactions: ['❤', '🔥'], reaction_points: {'❤': 0.5, '🔥': 4}, updated_at: %lld}}",
	     (long long)w->now);
	set(w, "{points.reaction: 9}"); /* what was recorded stays */
	given(w, "channel.set_reaction", "{channel_id: -100, emoji: '❤', points: 1.25}");
	then_event(w, 0, "{emoji: '❤', points: 1.25, position: 0}");
	then(w, "{item: {reactions: ['❤', '🔥'], reaction_points: {'❤': 1.25, '🔥': 4}}}");
	given(w, "channel.set_reaction", "{channel_id: -100, emoji: '❤', points: 1.25}");
	then(w, "{changed: false, item: {reactions: ['❤', '🔥']}}");
	for (int i = 2; i < 10; i++)
		given(w, "channel.set_reaction", "{channel_id: -100, emoji: '%d'}", i);
	refused(w, when(w, "channel.set_reaction", "{channel_id: -100, emoji: 'x'}"), E_LIMIT_EXCEEDED, "{limit: 10}");
	given(w, "channel.set_reaction", "{channel_id: -100, emoji: '5', points: 0}");
	refused(w, when(w, "channel.set_reaction", "{channel_id: -101, emoji: 'x'}"), E_NOT_FOUND,
		"{kind: 'channel', id: -101}");
	refused(w, when(w, "channel.set_reaction", "{channel_id: -100, emoji: '\xef\xb8\x8f'}"), E_INVALID_ARGUMENT,
		"{field: 'emoji'}");
	refused(w, when(w, "channel.set_reaction", "{channel_id: -100, emoji: 'x', points: -1}"), E_INVALID_ARGUMENT,
		"{field: 'points'}");
}

static void a_reaction_without_points_of_its_own_can_be_given_the_default(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -100, reactions: ['👍']}");
	given(w, "channel.set_reaction", "{channel_id: -100, emoji: '👍'}");
	then(w, "{changed: true, item: {reaction_points: {'👍': 0.5}}}");
}

static void a_removed_reaction_takes_its_points(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -100, reactions: ['👍', '❤', '🔥'], reaction_points: {'👍': 1, '❤': 2}}");
	given(w, "channel.remove_reaction", "{channel_id: -100, emoji: '❤️'}");
	then(w, "{version: 2, item: {reactions: ['👍', '🔥'], reaction_points: {'👍': 1}}}");
	assert_string_equal(events(w), "channel.reaction_removed");
	then_event(w, 0, "{channel_id: -100, emoji: '❤'}");
	refused(w, when(w, "channel.remove_reaction", "{channel_id: -100, emoji: '❤'}"), E_NOT_FOUND,
		"{kind: 'reaction', id: '❤'}");
	refused(w, when(w, "channel.remove_reaction", "{channel_id: -101, emoji: '❤'}"), E_NOT_FOUND,
		"{kind: 'channel', id: -101}");
	refused(w, when(w, "channel.remove_reaction", "{channel_id: -100, emoji: ''}"), E_INVALID_ARGUMENT,
		"{field: 'emoji'}");
	given(w, "channel.remove_reaction", "{channel_id: -100, emoji: '👍'}");
	given(w, "channel.remove_reaction", "{channel_id: -100, emoji: '🔥'}");
	then(w, "{item: {reactions: [], reaction_points: {}}}");
	refused(w, when(w, "channel.remove_reaction", "{channel_id: -100, emoji: '👍'}"), E_NOT_FOUND, "{}");
}

/* ---- reacting ---- */

static void a_reaction_is_paid_once(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -100, reactions: ['👍', '🔥'], reaction_points: {'🔥': 2}}");
	given(w, "channel.react", "{channel_id: -100, message_id: 5, user_id: 7, emoji: '🔥'}");
	then(w, "{version: 1, points: 2, throttled: false, counts: {'🔥': 1}, balance: 2, missions_completed: [],"
		" challenges_completed: [], unlocked: []}");
	assert_string_equal(events(w), "user.created channel.reacted point.credited");
	then_event(w, 1, "{channel_id: -100, message_id: 5, user_id: 7, emoji: '🔥', points: 2, throttled: false}");
	then_event(w, 2,
		   "{user_id: 7, amount: 2, base: 2, source: 'reaction', description: '',"
		   " ref: {kind: 'post', id: '-100:5'}}");
	refused(w, when(w, "channel.react", "{channel_id: -100, message_id: 5, user_id: 7, emoji: '👍'}"),
		E_ALREADY_EXISTS, "{kind: 'reaction', id: '-100:5'}");
	refused(w, when(w, "channel.react", "{channel_id: -101, message_id: 5, user_id: 7, emoji: '👍'}"), E_NOT_FOUND,
		"{kind: 'channel', id: -101}");
	refused(w, when(w, "channel.react", "{channel_id: -100, message_id: 0, user_id: 7, emoji: '👍'}"),
		E_INVALID_ARGUMENT, "{field: 'message_id'}");
	refused(w, when(w, "channel.react", "{channel_id: -100, message_id: 5, user_id: 9, emoji: ''}"),
		E_INVALID_ARGUMENT, "{field: 'emoji'}");
	given(w, "channel.react", "{channel_id: -100, message_id: 5, user_id: 8, emoji: '👍'}");
	then(w, "{version: 2, points: 0.5, counts: {'🔥': 1, '👍': 1}}");
}

static void posts_of_two_channels_do_not_mix(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "free");
	given_channel(w, -101, "free");
	react(w, -100, 5, 7, "👍");
	w->now += MINUTE;
	react(w, -101, 5, 7, "❤️");
	then(w, "{version: 1, points: 0.5, counts: {'❤': 1}}");
	answers(w, "channel.get", "{kind: 'post', channel_id: -100, message_id: 5}", "{counts: {'👍': 1}, total: 1}");
}

static void unknown_emojis_count_and_earn_nothing(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "free");
	react(w, -100, 5, 7, "🦄");
	then(w, "{points: 0, balance: 0, counts: {'🦄': 1}, throttled: false}");
	assert_string_equal(events(w), "user.created channel.reacted");
	set(w, "{points.reaction: 0}");
	w->now += MINUTE;
	react(w, -100, 6, 7, "👍");
	assert_string_equal(events(w), "channel.reacted");
}

static void a_reaction_too_soon_counts_and_earns_nothing(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "free");
	react(w, -100, 1, 7, "👍");
	w->now += 4999;
	react(w, -100, 2, 7, "👍");
	then(w, "{points: 0, throttled: true, counts: {'👍': 1}, balance: 0.5}");
	assert_string_equal(events(w), "channel.reacted");
	then_event(w, 0, "{points: 0, throttled: true}");
	w->now += 1; /* counted from the last one that was not throttled */
	react(w, -100, 3, 7, "👍");
	then(w, "{points: 0.5, throttled: false, balance: 1}");
	react(w, -100, 3, 8, "👍"); /* of somebody else */
	then(w, "{throttled: false, counts: {'👍': 2}}");
	set(w, "{throttle.reaction_ms: 0}");
	react(w, -100, 4, 7, "👍");
	then(w, "{throttled: false, balance: 1.5}");
	answers(w, "channel.stats", "{channel_id: -100}", "{reactions: 5, points_paid: 2}");
}

static void a_reaction_is_activity(void **state)
{
	struct world *w = *state;
	long long first = w->now;

	given_channel(w, -100, "free");
	react(w, -100, 1, 7, "👍");
	w->now += SECOND;
	react(w, -100, 2, 7, "👍");
	answers(w, "user.get", "{id: 7, include: ['stats']}",
		"{version: 1, stats: {last_reaction_at: %lld, last_activity_at: %lld, days_active: 1, last_message_at: "
		"null}}",
		first, (long long)w->now);
	answers(w, "user.stats", "{}", "{active: 1, active_today: 1}");
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}"); /* is not throttled by it */
	then(w, "{recorded: true}");
	w->now += DAY;
	react(w, -100, 3, 7, "👍");
	answers(w, "user.get", "{id: 7, include: ['stats']}", "{stats: {days_active: 2}}");
}

static void reactions_are_multiplied_and_raise_levels(void **state)
{
	struct world *w = *state;

	given(w, "server.install_defaults", "{parts: ['levels']}");
	set(w, "{points.vip_multiplier: 3}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "channel.create", "{id: -100, reactions: ['💯'], reaction_points: {'💯': 200}}");
	react(w, -100, 1, 7, "💯");
	then(w, "{points: 600, balance: 600}");
	assert_string_equal(events(w), "channel.reacted point.credited user.level_changed");
	then_event(w, 0, "{points: 200}");
	answers(w, "channel.list", "{kind: 'reaction', user_id: 7}", "{items: [{points: 200}]}");
	answers(w, "channel.get", "{kind: 'post', channel_id: -100, message_id: 1}", "{points_paid: 600}");
}

static void a_reaction_says_all_that_it_brought(void **state)
{
	struct world *w = *state;

	given(w, "channel.create", "{id: -100, reactions: ['👍'], reaction_points: {'👍': 10}}");
	given(w, "mission.create",
	      "{id: 'm', name: 'M', type: 'one_time', action: 'reaction', target_value: 1,"
	      " reward_points: 5}");
	given(w, "achievement.create", "{id: 'ten', name: 'Ten', condition_type: 'points', condition_value: 10}");
	given(w, "achievement.create", "{id: 'day', name: 'Day', condition_type: 'days_active', condition_value: 1}");
	react(w, -100, 1, 7, "👍");
	then(w, "{points: 15, balance: 15, missions_completed: ['m'], challenges_completed: [],"
		" unlocked: [{kind: 'achievement', id: 'day'}, {kind: 'achievement', id: 'ten'}]}");
	react(w, -100, 1, 8, "🦄"); /* earns nothing, and counts all the same */
	then(w, "{points: 5, missions_completed: ['m'], unlocked: [{id: 'day'}]}");
}

static void a_reaction_beyond_the_ceiling_is_refused_whole(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "free");
	given(w, "point.award", "{user_id: 7, amount: 4000000000000}");
	refused(w, when(w, "channel.react", "{channel_id: -100, message_id: 1, user_id: 7, emoji: '👍'}"),
		E_LIMIT_EXCEEDED, "{limit: 4000000000000}");
	answers(w, "channel.get", "{kind: 'post', channel_id: -100, message_id: 1}", "{total: 0}");
}

static void other_credits_count_by_what_they_are_for(void **state)
{
	static const char *const elsewhere[] = { "{kind: 'post', id: '-100:9'}",  "{kind: 'post', id: '-100'}",
						 "{kind: 'post', id: '-100:1x'}", "{kind: 'post', id: 1}",
						 "{kind: 'post', id: '%0200d'}",  "{kind: 'channel', id: -999}",
						 "{kind: 'channel', id: '-100'}", "{kind: 'quiz', id: -100}" };
	struct world *w = *state;
	char ref[300];

	given_channel(w, -100, "free");
	react(w, -100, 1, 7, "🦄");
	given(w, "point.award", "{user_id: 7, amount: 3, ref: {kind: 'post', id: '-100:1'}}");
	given(w, "point.award", "{user_id: 7, amount: 4, ref: {id: -100, kind: 'channel'}}");
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		snprintf(ref, sizeof(ref), elsewhere[i], 1);
		given(w, "point.award", "{user_id: 7, amount: 100, ref: %s}", ref);
	}
	given(w, "point.award", "{user_id: 7, amount: 100}");
	answers(w, "channel.stats", "{channel_id: -100}", "{points_paid: 3, engagement: {points: 7}}");
	answers(w, "channel.get", "{kind: 'post', channel_id: -100, message_id: 1}", "{points_paid: 3, version: 1}");
}

static void a_post_has_a_row_for_200_emojis(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "free");
	for (int i = 0; i < 203; i++) {
		char emoji[16];

		snprintf(emoji, sizeof(emoji), "e%d", i);
		react(w, -100, 1, i + 1, emoji);
	}
	react(w, -100, 1, 500, "e7");
	react(w, -100, 1, 501, "new");
	then(w, "{counts: {e0: 1, e7: 2, e199: 1, other: 4}}");
	assert_int_equal(json_object_size(json_object_get(w->result, "counts")), 201);
	answers(w, "channel.stats", "{channel_id: -100}", "{reactions: 205, posts: 1, by_emoji: {e7: 2, other: 4}}");
}

/* The word under which late emojis are counted together may have come as one of the early ones. */
static void an_emoji_named_other_is_counted_with_the_late_ones(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "free");
	react(w, -100, 1, 1, "other");
	for (int i = 2; i <= 203; i++) {
		char emoji[16];

		snprintf(emoji, sizeof(emoji), "e%d", i);
		react(w, -100, 1, i, emoji);
	}
	then(w, "{counts: {e2: 1, e200: 1, other: 4}}");
	assert_int_equal(json_object_size(json_object_get(w->result, "counts")), 200);
	answers(w, "channel.stats", "{channel_id: -100}", "{reactions: 203, by_emoji: {other: 4}}");
}

/* ---- activity in channels ---- */

static void activity_needs_a_registered_channel(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "vip");
	given(w, "user.record_activity", "{user_id: 7, action: 'post', channel_id: -100}");
	then(w, "{recorded: true, points: 5}");
	then_event(w, 1, "{channel_id: -100, action: 'post'}");
	then_event(w, 2, "{source: 'post', ref: {kind: 'channel', id: -100}}");
	given(w, "channel.delete", "{id: -100}");
	refused(w, when(w, "user.record_activity", "{user_id: 7, action: 'post', channel_id: -100}"), E_NOT_FOUND,
		"{kind: 'channel', id: -100}");
}

/* ---- join requests ---- */

static void a_request_for_a_free_channel_is_approved_at_once(void **state)
{
	struct world *w = *state;
	long long at = w->now;

	given_channel(w, -100, "free");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100, actor: 'bot'}");
	then(w,
	     "{version: 2, item: {id: 1, user_id: 7, channel_id: -100, status: 'approved', requested_at: %lld,"
	     " automatic: true, due_at: null, decided_at: %lld, decided_by: 'bot', social_media_message_sent: false,"
	     " welcome_message_sent: false, version: 2}}",
	     at, at);
	assert_string_equal(events(w), "user.created channel.request_created channel.request_approved");
	then_event(w, 1, "{id: 1, status: 'pending', automatic: true, decided_at: null}");
	then_event(w, 2, "{id: 1, user_id: 7, channel_id: -100, due_at: %lld}", at);
	answers(w, "user.get", "{id: 7}", "{role: 'free'}");
}

static void a_request_waits_for_its_time(void **state)
{
	struct world *w = *state;

	set(w, "{bot.free_channel_wait_minutes: 15}");
	given_channel(w, -100, "free");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	then(w, "{version: 1, item: {status: 'pending', due_at: %lld}}", (long long)(w->now + 15 * MINUTE));
	assert_string_equal(events(w), "user.created channel.request_created");
	w->now += MINUTE;
	given(w, "channel.create", "{kind: 'request', user_id: 8, channel_id: -100}");
	w->now += 14 * MINUTE - 1;
	assert_int_equal(tick(w), 0);
	w->now += 1;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "channel.request_approved");
	then_event(w, 0, "{id: 1, due_at: %lld}", (long long)w->now);
	answers(w, "channel.get", "{kind: 'request', id: 1}",
		"{status: 'approved', decided_by: 'server', decided_at: %lld, due_at: null}", (long long)w->now);
	w->now += DAY; /* the daemon was down */
	assert_int_equal(tick(w), 1);
	then_event(w, 0, "{id: 2, due_at: %lld}", (long long)(w->now - DAY + MINUTE));
	assert_int_equal(tick(w), 0);
}

static void a_changed_wait_counts_for_all_pending_requests(void **state)
{
	struct world *w = *state;
	long long asked = w->now;

	set(w, "{bot.free_channel_wait_minutes: 60, bot.auto_approval: false}");
	given_channel(w, -100, "free");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	then(w, "{item: {automatic: true, due_at: null}}");
	w->now += 2 * HOUR;
	assert_int_equal(tick(w), 0);
	set(w, "{bot.free_channel_wait_minutes: 180, bot.auto_approval: true}");
	answers(w, "channel.get", "{kind: 'request', id: 1}", "{due_at: %lld}", asked + 3 * HOUR);
	assert_int_equal(tick(w), 0);
	set(w, "{bot.free_channel_wait_minutes: 30}");
	assert_int_equal(tick(w), 1);
	then_event(w, 0, "{due_at: %lld}", asked + HOUR / 2);
}

static void without_auto_approval_nothing_is_due(void **state)
{
	struct world *w = *state;

	set(w, "{bot.auto_approval: false}");
	given_channel(w, -100, "free");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	then(w, "{item: {status: 'pending', due_at: null}}");
	given(w, "channel.approve_request", "{request_id: 1}");
	set(w, "{bot.auto_approval: true}");
	assert_int_equal(tick(w), 0);
}

static void a_request_that_was_decided_is_not_due(void **state)
{
	struct world *w = *state;
	struct due due = { .timer = TIMER_request_approval, .at = w->now, .id = 1 };

	set(w, "{bot.free_channel_wait_minutes: 1}");
	given_channel(w, -100, "free");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	for (int i = 0; i < 3; i++) { /* too early; too late; there is none */
		assert_int_equal(decide_timer(commit_begin(w), &due), 0);
		assert_int_equal(w->open.n_events, 0);
		commit_end(w);
		if (i == 0)
			given(w, "channel.reject_request", "{request_id: 1}");
		w->now += HOUR;
		due.id = i == 1 ? 2 : 1;
	}
	assert_int_equal(tick(w), 0);
}

static void only_free_channels_approve_by_themselves(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "vip");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	then(w, "{item: {id: 1, status: 'pending', automatic: false, due_at: null}}");
	given(w, "channel.update", "{id: -100, type: 'free'}"); /* what counts is the type when it was asked */
	w->now += DAY;
	assert_int_equal(tick(w), 0);
	given(w, "channel.approve_request", "{request_id: 1, actor: 'admin:1'}");
	then(w, "{changed: true, version: 2}");
	assert_string_equal(events(w), "channel.request_approved");
	then_event(w, 0, "{id: 1, user_id: 7, channel_id: -100, due_at: null}");
	answers(w, "channel.get", "{kind: 'request', id: 1}",
		"{status: 'approved', decided_by: 'admin:1', decided_at: %lld}", (long long)w->now);
	refused(w, when(w, "channel.approve_request", "{request_id: 1}"), E_ALREADY_PROCESSED, "{status: 'approved'}");
	refused(w, when(w, "channel.reject_request", "{request_id: 1}"), E_ALREADY_PROCESSED, "{status: 'approved'}");
	refused(w, when(w, "channel.approve_request", "{request_id: 2}"), E_NOT_FOUND, "{kind: 'request', id: 2}");
	refused(w, when(w, "channel.reject_request", "{request_id: 2}"), E_NOT_FOUND, "{kind: 'request', id: 2}");
}

static void one_request_of_a_user_for_a_channel_is_pending(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "vip");
	given_channel(w, -101, "engagement");
	refused(w, when(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -102}"), E_NOT_FOUND,
		"{kind: 'channel', id: -102}");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -101}");
	then(w, "{item: {id: 2}}");
	given(w, "channel.create", "{kind: 'request', user_id: 8, channel_id: -100}");
	refused(w, when(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}"), E_ALREADY_EXISTS,
		"{kind: 'request', id: 1}");
	given(w, "channel.reject_request", "{request_id: 1, reason: 'not yet'}");
	then(w, "{version: 2}");
	then_event(w, 0, "{id: 1, user_id: 7, channel_id: -100, reason: 'not yet'}");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	then(w, "{item: {id: 4, status: 'pending'}}");
	refused(w, when(w, "channel.reject_request", "{request_id: 4, reason: '%0201d'}", 1), E_INVALID_ARGUMENT,
		"{field: 'reason'}");
	answers(w, "channel.get", "{kind: 'request', user_id: 7, channel_id: -100}", "{id: 4}");
	answers(w, "channel.get", "{id: -100}", "{pending_requests: 2}");
}

static void the_bot_says_what_it_has_sent(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "vip");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	given(w, "channel.update", "{kind: 'request', id: 1, social_media_message_sent: true}");
	then(w, "{version: 2, item: {social_media_message_sent: true, welcome_message_sent: false, version: 2}}");
	assert_string_equal(events(w), "channel.request_updated");
	then_event(w, 0,
		   "{id: 1, changes: {social_media_message_sent: true}, before: {social_media_message_sent: false}}");
	given(w, "channel.approve_request", "{request_id: 1}");
	given(w, "channel.update",
	      "{kind: 'request', id: 1, social_media_message_sent: false, welcome_message_sent: true}");
	then(w, "{item: {social_media_message_sent: false, welcome_message_sent: true, status: 'approved'}}");
	given(w, "channel.update", "{kind: 'request', id: 1, welcome_message_sent: true}");
	then(w, "{changed: false}");
	refused(w, when(w, "channel.update", "{kind: 'request', id: 2, welcome_message_sent: true}"), E_NOT_FOUND,
		"{kind: 'request', id: 2}");
	refused(w, when(w, "channel.update", "{kind: 'request', id: 1, status: 'rejected'}"), E_INVALID_ARGUMENT,
		"{field: 'status'}");
	refused(w, when(w, "channel.delete", "{kind: 'request', id: 1}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void an_approval_brings_back_a_user_who_is_gone(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "vip");
	/* a log in which the user went without the request */
	EMIT(commit_begin(w), channel_request_created,
	     .request = { .id = 1, .user_id = 7, .channel_id = -100, .status = SLICE_LIT("pending") });
	commit_end(w);
	given(w, "channel.approve_request", "{request_id: 1}");
	assert_string_equal(events(w), "channel.request_approved user.created");
	then_event(w, 1, "{id: 7, auto: true, role: 'free'}");
}

static void a_deleted_user_leaves_facts(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "vip");
	given_channel(w, -101, "vip");
	react(w, -100, 1, 7, "👍");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	given(w, "channel.approve_request", "{request_id: 1}");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -100}");
	given(w, "channel.create", "{kind: 'request', user_id: 7, channel_id: -101}");
	given(w, "channel.create", "{kind: 'request', user_id: 8, channel_id: -101}");
	given(w, "user.delete", "{id: 7}");
	assert_string_equal(events(w), "point.debited channel.request_rejected channel.request_rejected user.deleted");
	then_event(w, 1, "{id: 2, user_id: 7, channel_id: -100, reason: 'user_deleted'}");
	then_event(w, 2, "{id: 3, reason: 'user_deleted'}");
	answers(w, "channel.list", "{kind: 'request', user_id: 7}",
		"{items: [{id: 3, status: 'rejected'}, {id: 2, status: 'rejected'}, {id: 1, status: 'approved'}]}");
	answers(w, "channel.list", "{kind: 'reaction', user_id: 7}", "{items: [{message_id: 1, emoji: '👍'}]}");
	answers(w, "channel.get", "{kind: 'post', channel_id: -100, message_id: 1}", "{total: 1, points_paid: 0.5}");
	refused(w, when(w, "channel.react", "{channel_id: -100, message_id: 1, user_id: 7, emoji: '👍'}"),
		E_ALREADY_EXISTS, "{}");
	react(w, -100, 2, 7, "👍"); /* created anew, and not throttled by the former life */
	assert_string_equal(events(w), "user.created channel.reacted point.credited");
	then_event(w, 0, "{revived: true}");
}

static void a_channel_with_more_requests_than_a_commit_holds_is_not_deleted(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "vip");
	for (int i = 1; i <= COMMIT_EVENTS_MAX; i++)
		given(w, "channel.create", "{kind: 'request', user_id: %d, channel_id: -100}", i);
	refused(w, when(w, "channel.delete", "{id: -100}"), E_LIMIT_EXCEEDED, "{limit: %d}", COMMIT_EVENTS_MAX);
	given(w, "channel.reject_request", "{request_id: 5}");
	given(w, "channel.delete", "{id: -100}");
	answers(w, "channel.stats", "{}", "{requests: {pending: 0, rejected: %d}}", COMMIT_EVENTS_MAX);
}

/* ---- the archive ---- */

static void archive(struct world *w, int64_t before_at, int64_t count)
{
	EMIT(commit_begin(w), channel_requests_archived, .before_at = before_at, .count = count);
	commit_end(w);
}

static void the_oldest_decisions_are_archived(void **state)
{
	static const int decided[] = { 4, 2, 6, 1, 5 }; /* in this order */
	struct world *w = *state;
	int64_t before;

	given_channel(w, -100, "vip");
	for (int i = 1; i <= 6; i++)
		given(w, "channel.create", "{kind: 'request', user_id: %d, channel_id: -100}", i);
	for (size_t i = 0; i < 5; i++, w->now += HOUR)
		given(w, decided[i] % 2 ? "channel.approve_request" : "channel.reject_request", "{request_id: %d}",
		      decided[i]);
	given(w, "channel.create", "{kind: 'request', user_id: 2, channel_id: -100}");
	before = w->now - HOUR; /* the last one was decided then */
	assert_int_equal(closed_before(w->state, &requests_closed, before, 10, NULL), 4);
	assert_int_equal(closed_before(w->state, &requests_closed, before, 3, NULL), 3);
	assert_int_equal(closed_before(w->state, &requests_closed, before + 1, 10, NULL), 5);
	assert_int_equal(closed_before(w->state, &requests_closed, WORLD_NOW, 10, NULL), 0);
	archive(w, before, 3);
	then_event(w, 0, "{before_at: %lld, count: 3}", (long long)before);
	assert_string_equal(listed(w, "channel.list", "{kind: 'request', order: 'asc'}", "id"), "1 3 5 7");
	refused(w, ask(w, "channel.get", "{kind: 'request', id: 2}"), E_NOT_FOUND, "{kind: 'request', id: 2}");
	refused(w, ask(w, "channel.get", "{kind: 'request', user_id: 4, channel_id: -100}"), E_NOT_FOUND, "{}");
	answers(w, "channel.get", "{kind: 'request', user_id: 2, channel_id: -100}", "{id: 7}");
	answers(w, "channel.stats", "{channel_id: -100}", "{requests: {pending: 2, approved: 2, rejected: 3}}");
	archive(w, before + 1, 10);
	assert_string_equal(listed(w, "channel.list", "{kind: 'request', order: 'asc'}", "id"), "3 7");
	given(w, "channel.create", "{kind: 'request', user_id: 4, channel_id: -100}");
	then(w, "{item: {id: 8}}"); /* ids are not used again */
}

static void decisions_of_one_moment_are_archived_by_id(void **state)
{
	struct world *w = *state;

	given_channel(w, -100, "vip");
	for (int i = 1; i <= 4; i++)
		given(w, "channel.create", "{kind: 'request', user_id: %d, channel_id: -100}", i);
	for (int i = 4; i >= 1; i--)
		given(w, i % 2 ? "channel.approve_request" : "channel.reject_request", "{request_id: %d}", i);
	archive(w, w->now + 1, 3);
	assert_string_equal(listed(w, "channel.list", "{kind: 'request'}", "id"), "4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_channel_is_created_once),
		WORLD_TEST(effective_reactions_follow_the_settings),
		WORLD_TEST(params_of_a_channel_are_tested),
		WORLD_TEST(an_update_changes_what_it_names),
		WORLD_TEST(points_leave_with_their_emoji),
		WORLD_TEST(many_updates_are_all_or_none),
		WORLD_TEST(a_deleted_channel_may_come_back),
		WORLD_TEST(a_reaction_is_set_at_the_end_or_in_place),
		WORLD_TEST(a_reaction_without_points_of_its_own_can_be_given_the_default),
		WORLD_TEST(a_removed_reaction_takes_its_points),
		WORLD_TEST(a_reaction_is_paid_once),
		WORLD_TEST(posts_of_two_channels_do_not_mix),
		WORLD_TEST(unknown_emojis_count_and_earn_nothing),
		WORLD_TEST(a_reaction_too_soon_counts_and_earns_nothing),
		WORLD_TEST(a_reaction_is_activity),
		WORLD_TEST(reactions_are_multiplied_and_raise_levels),
		WORLD_TEST(a_reaction_says_all_that_it_brought),
		WORLD_TEST(a_reaction_beyond_the_ceiling_is_refused_whole),
		WORLD_TEST(other_credits_count_by_what_they_are_for),
		WORLD_TEST(a_post_has_a_row_for_200_emojis),
		WORLD_TEST(an_emoji_named_other_is_counted_with_the_late_ones),
		WORLD_TEST(activity_needs_a_registered_channel),
		WORLD_TEST(a_request_for_a_free_channel_is_approved_at_once),
		WORLD_TEST(a_request_waits_for_its_time),
		WORLD_TEST(a_changed_wait_counts_for_all_pending_requests),
		WORLD_TEST(without_auto_approval_nothing_is_due),
		WORLD_TEST(a_request_that_was_decided_is_not_due),
		WORLD_TEST(only_free_channels_approve_by_themselves),
		WORLD_TEST(one_request_of_a_user_for_a_channel_is_pending),
		WORLD_TEST(the_bot_says_what_it_has_sent),
		WORLD_TEST(an_approval_brings_back_a_user_who_is_gone),
		WORLD_TEST(a_deleted_user_leaves_facts),
		WORLD_TEST(a_channel_with_more_requests_than_a_commit_holds_is_not_deleted),
		WORLD_TEST(the_oldest_decisions_are_archived),
		WORLD_TEST(decisions_of_one_moment_are_archived_by_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
