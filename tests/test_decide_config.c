/* The configuration: entries, known and unknown, and how they are read; invite tokens; import. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/settings.h"
#include "tests/lib/json.h"
#include "tests/lib/world.h"

/* config.set of one entry whose value JSON cannot say. */
static int set_packed(struct world *w, struct slice key, struct slice value)
{
	struct buf b;
	int rc;

	buf_init(&b, 1 << 21);
	mp_put_map(&b, 1);
	mp_put_text(&b, SLICE_LIT("entries"));
	mp_put_map(&b, 1);
	mp_put_text(&b, key);
	buf_append(&b, value.base, value.len);
	rc = when_packed(w, "config.set", buf_slice(&b));
	buf_free(&b);
	return rc;
}

static void a_set_entry_is_shown(void **state)
{
	struct world *w = *state;

	answers(w, "config.get", "{id: 'points.message'}",
		"{id: 'points.message', value: 1, type: 'pts', default: 1, is_default: true, known: true, updated_at: "
		"null,"
		" updated_by: null}");
	given(w, "config.set", "{entries: {points.message: 2.5}, actor: 'admin:1'}");
	then(w, "{changed: true, seq: 1, items: [{id: 'points.message', value: 2.5, is_default: false, updated_by: "
		"'admin:1'}]}");
	assert_string_equal(events(w), "config.entry_set");
	then_event(w, 0, "{id: 'points.message', value: 2.5, before: 1}");
	answers(w, "config.get", "{id: 'points.message', kind: 'entry'}",
		"{value: 2.5, type: 'pts', default: 1, is_default: false, updated_at: %lld, updated_by: 'admin:1'}",
		(long long)w->now);
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	then(w, "{points: 2.5}");
}

static void entries_are_set_in_the_order_of_their_keys(void **state)
{
	struct world *w = *state;

	given(w, "config.set", "{entries: {z: 1, a: 2, maintenance.enabled: true, B: 3}}");
	then(w, "{items: [{id: 'B'}, {id: 'a'}, {id: 'maintenance.enabled'}, {id: 'z'}], seq: 4}");
	then_event(w, 0, "{id: 'B', value: 3, before: null}");
	then_event(w, 2, "{id: 'maintenance.enabled', value: true, before: false}");
}

static void entries_are_set_all_or_none(void **state)
{
	struct world *w = *state;

	refused(w, when(w, "config.set", "{entries: {a: 1, points.message: 'many'}}"), E_INVALID_ARGUMENT,
		"{field: 'points.message'}");
	refused(w, when(w, "config.set", "{entries: {}}"), E_INVALID_ARGUMENT, "{field: 'entries'}");
	refused(w, when(w, "config.set", "{entries: 5}"), E_INVALID_ARGUMENT, "{field: 'entries'}");
	refused(w, when(w, "config.set", "{}"), E_INVALID_ARGUMENT, "{field: 'entries'}");
	refused(w, ask(w, "config.get", "{id: 'a'}"), E_NOT_FOUND, "{kind: 'entry', id: 'a'}");
}

static void what_is_set_already_appends_nothing(void **state)
{
	struct world *w = *state;

	given(w, "config.set",
	      "{entries: {points.message: 1, daily_gift.enabled: true, maintenance.message: null,"
	      " access.reward: 'free', flag.new: false, nothing: null, flag.old: null}}");
	then(w, "{changed: false, seq: 0, items: [{id: 'access.reward'}, {}, {id: 'flag.new', value: false, type: "
		"'bool', known: true},"
		" {id: 'flag.old', value: false}, {}, {id: 'nothing', value: null, known: false, type: 'any'}, {}]}");
	given(w, "config.set", "{entries: {points.message: 1.0}}");
	then(w, "{changed: false}");
	given(w, "config.set", "{entries: {points.message: 2}}");
	given(w, "config.set", "{entries: {points.message: 2.0}}");
	then(w, "{changed: false}");
	given(w, "config.set", "{entries: {points.message: 1}}");
	then(w, "{changed: true, items: [{value: 1, is_default: false}]}");
}

static void nil_removes_what_is_not_known(void **state)
{
	struct world *w = *state;

	given(w, "config.set", "{entries: {mine: ['a', 'b'], flag.new: true}}");
	given(w, "config.set", "{entries: {mine: null, flag.new: null}}");
	assert_string_equal(events(w), "config.entry_deleted config.entry_deleted");
	then_event(w, 0, "{id: 'flag.new', before: true}");
	then_event(w, 1, "{id: 'mine', before: ['a', 'b']}");
	refused(w, ask(w, "config.get", "{id: 'mine'}"), E_NOT_FOUND, "{}");
	answers(w, "config.get", "{id: 'flag.new'}", "{value: false, is_default: true}");
	given(w, "config.set", "{entries: {mine: null, flag.new: null}}");
	then(w, "{changed: false}");
	given(w, "config.set", "{entries: {mine: 1}}");
	then(w, "{changed: true}");
}

static void nil_is_a_value_of_nullable_entries(void **state)
{
	struct world *w = *state;

	given(w, "config.set", "{entries: {maintenance.message: 'Back soon'}}");
	given(w, "config.set", "{entries: {maintenance.message: null}}");
	assert_string_equal(events(w), "config.entry_set");
	then_event(w, 0, "{value: null, before: 'Back soon'}");
	answers(w, "config.get", "{id: 'maintenance.message'}", "{value: null, is_default: false}");
	refused(w, when(w, "config.set", "{entries: {points.message: null}}"), E_INVALID_ARGUMENT,
		"{field: 'points.message'}");
}

static void known_entries_have_a_type_and_a_range(void **state)
{
	static const char *const bad[][2] = {
		{ "daily_gift.enabled", "1" },
		{ "daily_gift.enabled", "'true'" },
		{ "points.message", "-1" },
		{ "points.message", "0.0005" },
		{ "points.message", "4000000000001" },
		{ "points.message", "1e300" },
		{ "points.message", "9223372036854775807" },
		{ "points.vip_multiplier", "0" },
		{ "points.vip_multiplier", "101" },
		{ "points.vip_multiplier", "1.5" },
		{ "throttle.message_ms", "3600001" },
		{ "throttle.message_ms", "-1" },
		{ "throttle.activity_per_minute", "0" },
		{ "time.utc_offset_minutes", "-721" },
		{ "time.utc_offset_minutes", "841" },
		{ "vip.reminder_hours", "0" },
		{ "vip.reminder_hours", "721" },
		{ "auctions.min_bid_increment", "0" },
		{ "channels.default_reactions", "['❤️', '❤']" },
		{ "channels.vip_reactions", "['\ufe0f']" },
		{ "access.checkin", "'king'" },
		{ "access.checkin", "1" },
		{ "maintenance.message", "5" },
		{ "maintenance.enabled", "null" },
		{ "flag.x", "1" },
		{ "mine", "{a: 1}" },
		{ "mine", "[1]" },
		{ "mine", "[['a']]" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "config.set", "{entries: {%s: %s}}", bad[i][0], bad[i][1]), E_INVALID_ARGUMENT,
			"{field: '%s'}", bad[i][0]);
	given(w, "config.set",
	      "{entries: {points.message: 4000000000000, time.utc_offset_minutes: -720, access.checkin: 'admin',"
	      " mine: 1.5, theirs: [], more: 'text', throttle.message_ms: 3600000, b: false}}");
}

static void keys_have_their_characters(void **state)
{
	struct world *w = *state;

	refused(w, when(w, "config.set", "{entries: {'a b': 1}}"), E_INVALID_ARGUMENT, "{field: 'a b'}");
	refused(w, when(w, "config.set", "{entries: {'': 1}}"), E_INVALID_ARGUMENT, "{}");
	refused(w, when(w, "config.set", "{entries: {'ñ': 1}}"), E_INVALID_ARGUMENT, "{field: 'ñ'}");
	refused(w, when(w, "config.set", "{entries: {'%0101d': 1}}", 1), E_INVALID_ARGUMENT, "{}");
	refused(w, set_packed(w, SLICE_LIT("a\0b"), SLICE_LIT("\x01")), E_INVALID_ARGUMENT, "{}");
	refused(w, set_packed(w, SLICE_LIT("a\xff"), SLICE_LIT("\x01")), E_INVALID_ARGUMENT, "{}");
	given(w, "config.set", "{entries: {'%0100d': 1, 'A-z.0_9:': 1}}", 1);
	refused(w, ask(w, "config.get", "{id: 'a b'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
}

static void values_are_what_everybody_can_read(void **state)
{
	struct world *w = *state;
	struct buf b;

	refused(w, set_packed(w, SLICE_LIT("a"), SLICE_LIT("\xa1\xff")), E_INVALID_ARGUMENT, "{}");
	refused(w, set_packed(w, SLICE_LIT("a"), SLICE_LIT("\xc4\x01x")), E_INVALID_ARGUMENT, "{field: 'a'}");
	refused(w, set_packed(w, SLICE_LIT("a"), SLICE_LIT("\xc1")), E_INVALID_ARGUMENT, "{}");
	refused(w, set_packed(w, SLICE_LIT("a"), SLICE_LIT("\x91\xa1\xff")), E_INVALID_ARGUMENT, "{}");
	/* whole numbers that a float64 holds, as everywhere */
	refused(w, set_packed(w, SLICE_LIT("a"), SLICE_LIT("\xcf\x00\x20\x00\x00\x00\x00\x00\x00")), E_INVALID_ARGUMENT,
		"{field: 'a'}");
	refused(w, set_packed(w, SLICE_LIT("a"), SLICE_LIT("\xcf\xff\xff\xff\xff\xff\xff\xff\xff")), E_INVALID_ARGUMENT,
		"{field: 'a'}");
	given(w, "config.set", "{entries: {a: -9007199254740991}}");
	buf_init(&b, 1 << 20);
	mp_put_double(&b, NAN);
	refused(w, set_packed(w, SLICE_LIT("points.message"), buf_slice(&b)), E_INVALID_ARGUMENT,
		"{field: 'points.message'}");
	refused(w, set_packed(w, SLICE_LIT("a"), buf_slice(&b)), E_INVALID_ARGUMENT, "{field: 'a'}");
	buf_free(&b);
}

/* Some clients write numbers and heads of texts and lists longer than they need to be. */
static void a_value_is_the_same_however_it_is_packed(void **state)
{
	struct world *w = *state;

	given(w, "config.set", "{entries: {n: 5, t: 'x', l: ['x']}}");
	assert_int_equal(set_packed(w, SLICE_LIT("n"), SLICE_LIT("\xd3\0\0\0\0\0\0\0\x05")), 0);
	then(w, "{changed: false}");
	assert_int_equal(set_packed(w, SLICE_LIT("t"), SLICE_LIT("\xda\0\x01x")), 0);
	then(w, "{changed: false}");
	assert_int_equal(set_packed(w, SLICE_LIT("l"), SLICE_LIT("\xdc\0\x01\xd9\x01x")), 0);
	then(w, "{changed: false}");
}

static void a_text_has_at_most_64_kib(void **state)
{
	struct world *w = *state;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int more = 0; more < 2; more++) {
		char *text = test_calloc(65537, 1);

		memset(text, 'x', 65537);
		buf_reset(&b);
		mp_put_text(&b, slice_of(text, (size_t)65536 + more));
		if (more) {
			refused(w, set_packed(w, SLICE_LIT("a"), buf_slice(&b)), E_INVALID_ARGUMENT, "{field: 'a'}");
			refused(w, set_packed(w, SLICE_LIT("maintenance.message"), buf_slice(&b)), E_INVALID_ARGUMENT,
				"{}");
		} else {
			assert_int_equal(set_packed(w, SLICE_LIT("a"), buf_slice(&b)), 0);
			assert_int_equal(set_packed(w, SLICE_LIT("maintenance.message"), buf_slice(&b)), 0);
		}
		test_free(text);
	}
	buf_free(&b);
}

static void at_most_a_thousand_entries_are_set_at_once(void **state)
{
	struct world *w = *state;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (unsigned n = 1000; n <= 1001; n++) {
		buf_reset(&b);
		mp_put_map(&b, 1);
		mp_put_text(&b, SLICE_LIT("entries"));
		mp_put_map(&b, n);
		for (unsigned i = 0; i < n; i++) {
			char key[16];

			snprintf(key, sizeof(key), "k%u", i);
			mp_put_text(&b, slice_str(key));
			mp_put_int64(&b, i);
		}
		if (n == 1000)
			assert_int_equal(when_packed(w, "config.set", buf_slice(&b)), 0);
		else
			refused(w, when_packed(w, "config.set", buf_slice(&b)), E_INVALID_ARGUMENT,
				"{field: 'entries'}");
	}
	assert_int_equal(w->head, 1000);
	/* and a key once */
	buf_reset(&b);
	mp_put_map(&b, 1);
	mp_put_text(&b, SLICE_LIT("entries"));
	mp_put_map(&b, 2);
	for (unsigned i = 0; i < 2; i++) {
		mp_put_text(&b, SLICE_LIT("a"));
		mp_put_int64(&b, i);
	}
	refused(w, when_packed(w, "config.set", buf_slice(&b)), E_INVALID_ARGUMENT, "{field: 'entries'}");
	buf_free(&b);
}

static void every_setting_has_a_default_that_it_accepts(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < N_SETTINGS; i++) {
		struct slice dflt = setting_default((enum setting)i, &w->arena), normal;
		struct slice key = slice_str(setting_defs[i].key);
		struct err err;

		assert_int_equal(setting_by_key(key), i);
		assert_int_equal(setting_check((enum setting)i, dflt, &w->arena, &normal, &err), 0);
		assert_true(slice_eq(dflt, normal));
		if (setting_defs[i].kind <= SETTING_PTS)
			assert_int_equal(setting_int(w->state, (enum setting)i), setting_defs[i].dflt);
	}
	assert_int_equal(setting_by_key(SLICE_LIT("points.nothing")), N_SETTINGS);
}

static void settings_are_read_as_they_were_set(void **state)
{
	struct world *w = *state;

	given(w, "config.set",
	      "{entries: {points.comment: 0.125, points.poll: 3, throttle.message_ms: 17, daily_gift.enabled: false,"
	      " access.reward: 'vip', maintenance.message: 'x'}}");
	assert_int_equal(setting_int(w->state, SETTING_points_comment), 125);
	assert_int_equal(setting_int(w->state, SETTING_points_poll), 3000);
	assert_int_equal(setting_int(w->state, SETTING_throttle_message_ms), 17);
	assert_int_equal(setting_int(w->state, SETTING_daily_gift_enabled), 0);
	assert_true(slice_is(setting_text(w->state, SETTING_access_reward), "vip"));
	assert_true(slice_is(setting_text(w->state, SETTING_access_checkin), "free"));
	assert_true(slice_is(setting_text(w->state, SETTING_maintenance_message), "x"));
}

/* ---- entries: delete, toggle ---- */

static void a_deleted_entry_is_back_at_its_default(void **state)
{
	struct world *w = *state;

	given(w, "config.set", "{entries: {points.message: 3}}");
	then(w, "{version: 1, items: [{version: 1}]}");
	given(w, "config.delete", "{id: 'points.message'}");
	then(w, "{changed: true, version: 2}");
	assert_string_equal(events(w), "config.entry_deleted");
	then_event(w, 0, "{id: 'points.message', before: 3}");
	answers(w, "config.get", "{id: 'points.message'}",
		"{value: 1, is_default: true, known: true, version: 0, updated_at: null}");
	refused(w, when(w, "config.delete", "{id: 'points.message'}"), E_NOT_FOUND,
		"{kind: 'entry', id: 'points.message'}");
	refused(w, when(w, "config.delete", "{id: 'flag.x', kind: 'entry'}"), E_NOT_FOUND, "{id: 'flag.x'}");
	given(w, "config.set", "{entries: {mine: 'x'}}");
	given(w, "config.delete", "{id: 'mine'}");
	refused(w, ask(w, "config.get", "{id: 'mine'}"), E_NOT_FOUND, "{}");
	given(w, "config.set", "{entries: {points.message: 4}}");
	then(w, "{version: 3}");
}

static void several_entries_have_no_version(void **state)
{
	struct world *w = *state;

	given(w, "config.set", "{entries: {a: 1, b: 2}}");
	then(w, "{version: 0, items: [{id: 'a', version: 1}, {id: 'b', version: 1}]}");
}

static void an_entry_is_toggled(void **state)
{
	struct world *w = *state;

	given(w, "config.toggle", "{id: 'flag.new_menu', actor: 'admin:1'}");
	then(w, "{changed: true, version: 1, item: {id: 'flag.new_menu', value: true, updated_by: 'admin:1'}}");
	assert_string_equal(events(w), "config.entry_set");
	then_event(w, 0, "{id: 'flag.new_menu', value: true, before: false}");
	given(w, "config.toggle", "{id: 'flag.new_menu'}");
	then(w, "{version: 2, item: {value: false, is_default: false}}");
	given(w, "config.toggle", "{id: 'bot.auto_approval'}");
	then(w, "{item: {value: false}}");
	given(w, "config.set", "{entries: {mine: true, text: 'yes'}}");
	given(w, "config.toggle", "{id: 'mine'}");
	then(w, "{item: {value: false, known: false}}");
	refused(w, when(w, "config.toggle", "{id: 'text'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, when(w, "config.toggle", "{id: 'points.message'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, when(w, "config.toggle", "{id: 'nobody'}"), E_NOT_FOUND, "{kind: 'entry', id: 'nobody'}");
}

/* ---- tokens ---- */

/* The string of the token made last. */
static const char *made(struct world *w)
{
	static char text[64];
	const char *token = json_string_value(json_object_get(json_object_get(w->result, "item"), "token"));

	assert_non_null(token);
	snprintf(text, sizeof(text), "%s", token);
	return text;
}

static const char *given_token(struct world *w, const char *params)
{
	given(w, "config.create", "%s", params);
	return made(w);
}

static void use(struct world *w, const char *token, int user_id)
{
	given(w, "config.use_token", "{token: '%s', user_id: %d}", token, user_id);
}

static void a_token_is_created(void **state)
{
	struct world *w = *state;
	char text[64];

	given(w, "user.create", "{id: 1}");
	snprintf(text, sizeof(text), "%s", given_token(w, "{created_by: 1}"));
	assert_int_equal(strlen(text), 22);
	assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 22);
	then(w,
	     "{version: 1, item: {id: 1, token: '%s', created_by: 1, vip_days: 0, status: 'active', used_by: null,"
	     " used_at: null, created_at: %lld, expires_at: null, version: 1}}",
	     text, (long long)w->now);
	assert_string_equal(events(w), "config.token_created");
	then_event(w, 0, "{id: 1, token: '%s', created_by: 1, vip_days: 0, status: 'active'}", text);
	given(w, "config.create", "{created_by: 1, vip: true, kind: 'token'}");
	then(w, "{item: {id: 2, vip_days: 30}}");
	assert_string_not_equal(made(w), text);
	given(w, "config.set", "{entries: {tokens.vip_days: 7}}");
	given(w, "config.create", "{created_by: 1, vip: true}");
	then(w, "{item: {vip_days: 7}}");
	given(w, "config.create", "{created_by: 1, vip: true, vip_days: 0}");
	then(w, "{item: {vip_days: 0}}");
	given(w, "config.create", "{created_by: 1, vip_days: 3650, expires_in_minutes: 90}");
	then(w, "{item: {vip_days: 3650, expires_at: %lld}}", (long long)(w->now + 90 * MINUTE));
	given(w, "config.create", "{created_by: 1, expires_at: %lld}", (long long)w->now + 1);
	then(w, "{item: {id: 6, expires_at: %lld}}", (long long)w->now + 1);
}

static void what_makes_no_token_is_refused(void **state)
{
	struct world *w = *state;

	refused(w, when(w, "config.create", "{created_by: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
	given(w, "user.create", "{id: 1}");
	refused(w, when(w, "config.create", "{created_by: 1, expires_at: %lld}", (long long)w->now), E_INVALID_ARGUMENT,
		"{field: 'expires_at'}");
	refused(w,
		when(w, "config.create", "{created_by: 1, expires_at: %lld, expires_in_minutes: 5}",
		     (long long)w->now + 1),
		E_INVALID_ARGUMENT, "{field: 'expires_in_minutes'}");
	refused(w, when(w, "config.create", "{created_by: 1, expires_in_minutes: 4223371679}"), E_INVALID_ARGUMENT,
		"{field: 'expires_in_minutes'}");
	refused(w, when(w, "config.create", "{created_by: 1, expires_in_minutes: 0}"), E_INVALID_ARGUMENT,
		"{field: 'expires_in_minutes'}");
	refused(w, when(w, "config.create", "{created_by: 1, vip_days: 3651}"), E_INVALID_ARGUMENT,
		"{field: 'vip_days'}");
	refused(w, when(w, "config.create", "{created_by: 1, kind: 'entry'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void a_token_gives_vip_and_counts_for_its_creator(void **state)
{
	struct world *w = *state;
	const char *text;

	given(w, "user.create", "{id: 1}");
	given(w, "user.create", "{id: 7}");
	given(w, "user.grant_vip", "{user_id: 7, days: 2}");
	text = given_token(w, "{created_by: 1, vip_days: 5}");
	w->now += HOUR;
	use(w, text, 7);
	assert_string_equal(events(w), "config.token_used user.vip_granted");
	then_event(w, 0, "{id: 1, token: '%s', used_by: 7, created_by: 1, vip_days: 5}", text);
	then_event(w, 1, "{user_id: 7, grant: {source: 'token', source_id: '1', days: 5, is_free: false}}");
	then(w,
	     "{version: 2, role: 'vip', vip_expires_at: %lld,"
	     " item: {id: 1, status: 'used', used_by: 7, used_at: %lld, version: 2}}",
	     (long long)(WORLD_NOW + 7 * DAY), (long long)w->now);
	answers(w, "user.get", "{id: 1, include: ['stats']}", "{stats: {invites_count: 1}, version: 1}");
	answers(w, "user.get", "{id: 7, include: ['stats']}", "{stats: {invites_count: 0, active_day: null}}");
	refused(w, when(w, "config.use_token", "{token: '%s', user_id: 8}", text), E_ALREADY_PROCESSED,
		"{status: 'used'}");
	refused(w, when(w, "config.use_token", "{token: 'nobody', user_id: 8}"), E_NOT_FOUND,
		"{kind: 'token', id: 'nobody'}");
	refused(w, when(w, "config.use_token", "{token: 'not a key', user_id: 8}"), E_NOT_FOUND, "{id: 'not a key'}");
}

static void a_token_brings_a_new_user(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 1}");
	use(w, given_token(w, "{created_by: 1}"), 8);
	assert_string_equal(events(w), "user.created config.token_used");
	then_event(w, 0, "{id: 8, auto: true}");
	then(w, "{role: 'free', vip_expires_at: null}");
}

static void nobody_invites_himself(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 1}");
	use(w, given_token(w, "{created_by: 1, vip: true}"), 1);
	then(w, "{role: 'vip'}");
	answers(w, "user.get", "{id: 1, include: ['stats']}", "{stats: {invites_count: 0, vip_grants: 1}}");
}

static void who_is_vip_for_good_gets_no_days(void **state)
{
	struct world *w = *state;

	given(w, "user.grant_vip", "{user_id: 1, permanent: true}");
	use(w, given_token(w, "{created_by: 1, vip: true}"), 1);
	assert_string_equal(events(w), "config.token_used");
	then(w, "{role: 'vip', vip_expires_at: null}");
}

static void too_many_grants_refuse_the_token(void **state)
{
	struct world *w = *state;
	char text[64];

	given(w, "user.create", "{id: 1}");
	for (int i = 0; i < 100; i++)
		given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	snprintf(text, sizeof(text), "%s", given_token(w, "{created_by: 1, vip: true}"));
	refused(w, when(w, "config.use_token", "{token: '%s', user_id: 7}", text), E_LIMIT_EXCEEDED, "{limit: 100}");
	answers(w, "config.get", "{kind: 'token', id: 1}", "{status: 'active', valid: true}");
}

static void invitations_advance_missions_and_achievements(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 1}");
	given(w, "mission.create",
	      "{id: 'bring', name: 'Bring two', type: 'one_time', action: 'invite', target_value: 2}");
	given(w, "achievement.create", "{id: 'host', name: 'Host', condition_type: 'invites', condition_value: 2}");
	use(w, given_token(w, "{created_by: 1}"), 8);
	assert_string_equal(events(w), "user.created config.token_used mission.started mission.progressed");
	use(w, given_token(w, "{created_by: 1}"), 8);
	assert_string_equal(events(w), "config.token_used achievement.unlocked mission.progressed mission.completed");
	then_event(w, 1, "{award: {user_id: 1, achievement_id: 'host'}, value: 2}");
	answers(w, "user.get", "{id: 1, include: ['stats']}", "{stats: {invites_count: 2, missions_completed: 1}}");
}

static void a_token_of_a_deleted_user_invites_for_nobody(void **state)
{
	struct world *w = *state;
	char text[64];

	given(w, "user.create", "{id: 1}");
	snprintf(text, sizeof(text), "%s", given_token(w, "{created_by: 1, vip_days: 3}"));
	given(w, "user.delete", "{id: 1}");
	use(w, text, 8);
	assert_string_equal(events(w), "user.created config.token_used user.vip_granted");
	then(w, "{role: 'vip'}");
	given(w, "user.create", "{id: 1}");
	answers(w, "user.get", "{id: 1, include: ['stats']}", "{stats: {invites_count: 0}}");
}

static void a_token_is_deleted_once(void **state)
{
	struct world *w = *state;
	char text[64];

	given(w, "user.create", "{id: 1}");
	given(w, "config.create", "{created_by: 1}");
	snprintf(text, sizeof(text), "%s", given_token(w, "{created_by: 1}"));
	given(w, "config.delete", "{kind: 'token', id: 1}");
	then(w, "{version: 2}");
	assert_string_equal(events(w), "config.token_deleted");
	then_event(w, 0, "{id: 1}");
	refused(w, when(w, "config.delete", "{kind: 'token', id: 1}"), E_ALREADY_PROCESSED, "{status: 'deleted'}");
	given(w, "config.delete", "{kind: 'token', token: '%s'}", text);
	refused(w, when(w, "config.use_token", "{token: '%s', user_id: 1}", text), E_ALREADY_PROCESSED,
		"{status: 'deleted'}");
	answers(w, "config.get", "{kind: 'token', id: 2}", "{status: 'deleted', valid: false}");
	refused(w, when(w, "config.delete", "{kind: 'token', id: 3}"), E_NOT_FOUND, "{kind: 'token', id: 3}");
	refused(w, when(w, "config.delete", "{kind: 'token', token: 'x'}"), E_NOT_FOUND, "{kind: 'token', id: 'x'}");
	refused(w, when(w, "config.delete", "{kind: 'token'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, when(w, "config.delete", "{kind: 'token', id: 1, token: 'x'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
}

static void a_token_expires_by_the_clock_and_then_by_the_timer(void **state)
{
	struct world *w = *state;
	char text[64];

	given(w, "user.create", "{id: 1}");
	snprintf(text, sizeof(text), "%s", given_token(w, "{created_by: 1, expires_in_minutes: 10}"));
	given(w, "config.create", "{created_by: 1, expires_in_minutes: 5}");
	given(w, "config.create", "{created_by: 1}");
	assert_int_equal(tick(w), 0);
	w->now += 10 * MINUTE;
	refused(w, when(w, "config.use_token", "{token: '%s', user_id: 1}", text), E_ALREADY_PROCESSED,
		"{status: 'expired'}");
	refused(w, when(w, "config.delete", "{kind: 'token', id: 1}"), E_ALREADY_PROCESSED, "{status: 'expired'}");
	answers(w, "config.get", "{kind: 'token', id: 1}", "{status: 'expired', valid: false, version: 1}");
	assert_int_equal(tick(w), 2);
	assert_string_equal(events(w), "config.token_expired");
	then_event(w, 0, "{id: 1, due_at: %lld}", (long long)w->now);
	answers(w, "config.get", "{kind: 'token', id: 1}", "{status: 'expired', valid: false, version: 2}");
	assert_int_equal(tick(w), 0);
}

static void a_used_or_deleted_token_does_not_expire(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 1}");
	use(w, given_token(w, "{created_by: 1, expires_in_minutes: 1}"), 1);
	given(w, "config.create", "{created_by: 1, expires_in_minutes: 1}");
	given(w, "config.delete", "{kind: 'token', id: 2}");
	w->now += HOUR;
	assert_int_equal(tick(w), 0);
	answers(w, "config.get", "{kind: 'token', id: 1}", "{status: 'used'}");
	answers(w, "config.get", "{kind: 'token', id: 2}", "{status: 'deleted'}");
}

/* ---- import ---- */

static void entries_are_imported(void **state)
{
	struct world *w = *state;

	given(w, "config.set", "{entries: {points.checkin: 12, mine: 'x', flag.old: true}}");
	given(w, "config.import",
	      "{data: {format: 1, entries: {points.checkin: 15, mine: 'x', other: ['a'], points.poll: 2, flag.off: "
	      "null}}}");
	then(w, "{changed: true, version: 0, set: 2, deleted: 0, unchanged: 3, tokens_created: 0}");
	assert_string_equal(events(w), "config.entry_set config.entry_set");
	then_event(w, 0, "{id: 'other', value: ['a'], before: null}");
	then_event(w, 1, "{id: 'points.checkin', value: 15, before: 12}");
	given(w, "config.import", "{mode: 'replace', data: {format: 1, entries: {points.checkin: 15, b: 1}}}");
	then(w, "{set: 1, deleted: 3, unchanged: 1}");
	assert_string_equal(events(w),
			    "config.entry_set config.entry_deleted config.entry_deleted config.entry_deleted");
	then_event(w, 1, "{id: 'flag.old', before: true}");
	then_event(w, 3, "{id: 'other'}");
	given(w, "config.import", "{data: {format: 1, entries: {b: null}}}");
	then(w, "{set: 0, deleted: 1, unchanged: 0}");
	assert_string_equal(events(w), "config.entry_deleted");
	given(w, "config.import", "{data: {format: 1, entries: {points.checkin: 15}}}");
	then(w, "{changed: false, unchanged: 1}");
	given(w, "config.import", "{data: {format: 1}, mode: 'replace'}");
	then(w, "{set: 0, deleted: 1}");
	answers(w, "config.stats", "{}", "{entries: 0, flags_on: 0}");
}

static void a_dry_run_only_counts(void **state)
{
	struct world *w = *state;

	given(w, "user.create", "{id: 1}");
	given(w, "config.set", "{entries: {mine: 1}}");
	given(w, "config.import",
	      "{dry_run: true, mode: 'replace', data: {format: 1, entries: {points.poll: 3, a: null, points.post: 5},"
	      " tokens: [{token: 'abc', created_by: 1}]}}");
	then(w, "{changed: false, seq: 0, set: 1, deleted: 1, unchanged: 2, tokens_created: 1}");
	answers(w, "config.get", "{id: 'mine'}", "{value: 1}");
	refused(w, ask(w, "config.get", "{kind: 'token', token: 'abc'}"), E_NOT_FOUND, "{}");
}

static void tokens_are_imported_when_they_are_new(void **state)
{
	struct world *w = *state;
	char text[64];

	given(w, "user.create", "{id: 1}");
	snprintf(text, sizeof(text), "%s", given_token(w, "{created_by: 1}"));
	given(w, "config.import",
	      "{data: {format: 1, tokens: [{token: '%s', created_by: 2}, {token: 'old-1', created_by: 9, vip_days: 4, "
	      "id: 55,"
	      " version: 3, created_at: 5, expires_at: %lld}, {token: 'over', created_by: 9, expires_at: %lld},"
	      " {token: 'gone', created_by: 9, status: 'used'}]}}",
	      text, (long long)w->now + 1, (long long)w->now);
	then(w, "{tokens_created: 1, set: 0, deleted: 0, unchanged: 0}");
	assert_string_equal(events(w), "config.token_created");
	then_event(w, 0, "{id: 2, token: 'old-1', created_by: 9, vip_days: 4, created_at: %lld, expires_at: %lld}",
		   (long long)w->now, (long long)w->now + 1);
	answers(w, "config.get", "{kind: 'token', id: 2}", "{valid: true, version: 1}");
	/* its creator need not exist */
	use(w, "old-1", 8);
	assert_string_equal(events(w), "user.created config.token_used user.vip_granted");
}

static void an_import_is_refused_whole(void **state)
{
	static const struct {
		const char *data, *field;
	} bad[] = {
		{ "{format: 1, entries: {a: 1, points.poll: 'x'}}", "points.poll" },
		{ "{format: 1, entries: {a: {b: 1}}}", "a" },
		{ "{format: 1, entries: {'a b': 1}}", "a b" },
		{ "{format: 1, entries: []}", "entries" },
		{ "{format: 1, entires: {}}", "entires" },
		{ "{format: 1, tokens: {}}", "tokens" },
		{ "{format: 1, tokens: [1]}", "tokens" },
		{ "{format: 1, tokens: [{token: 'a'}]}", "created_by" },
		{ "{format: 1, tokens: [{created_by: 1}]}", "token" },
		{ "{format: 1, tokens: [{token: 'a b', created_by: 1}]}", "token" },
		{ "{format: 1, tokens: [{token: 'a', created_by: 1, vip_days: 3651}]}", "vip_days" },
		{ "{format: 1, tokens: [{token: 'a', created_by: 1}, {token: 'a', created_by: 2}]}", "tokens" },
		{ "[]", "data" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "config.import", "{data: %s}", bad[i].data), E_INVALID_ARGUMENT, "{field: '%s'}",
			bad[i].field);
	refused(w, when(w, "config.import", "{data: {entries: {}}}"), E_VERSION_UNSUPPORTED, "{format: null}");
	refused(w, when(w, "config.import", "{data: {format: 2, more: {}}}"), E_VERSION_UNSUPPORTED, "{format: 2}");
	refused(w, when(w, "config.import", "{data: {format: 'x'}}"), E_VERSION_UNSUPPORTED, "{format: 'x'}");
	refused(w, when(w, "config.import", "{data: {format: 1}, mode: 'other'}"), E_INVALID_ARGUMENT,
		"{field: 'mode'}");
	assert_int_equal(w->head, 0);
}

/* A commit has its ceiling, and a dry run knows it. */
static void an_import_has_at_most_4096_events(void **state)
{
	struct world *w = *state;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int dry = 0; dry < 2; dry++) {
		buf_reset(&b);
		mp_put_map(&b, 2);
		mp_put_text(&b, SLICE_LIT("dry_run"));
		mp_put_bool(&b, dry);
		mp_put_text(&b, SLICE_LIT("data"));
		mp_put_map(&b, 2);
		mp_put_text(&b, SLICE_LIT("format"));
		mp_put_int64(&b, 1);
		mp_put_text(&b, SLICE_LIT("entries"));
		mp_put_map(&b, 4097);
		for (int i = 0; i < 4097; i++) {
			char key[16];

			snprintf(key, sizeof(key), "k%d", i);
			mp_put_text(&b, slice_str(key));
			mp_put_bool(&b, true);
		}
		refused(w, when_packed(w, "config.import", buf_slice(&b)), E_LIMIT_EXCEEDED, "{limit: 4096}");
	}
	buf_free(&b);
}

static void what_was_exported_comes_back(void **state)
{
	struct world *w = *state;
	struct world *other = world_new();
	char *data;

	given(w, "user.create", "{id: 1}");
	given(w, "config.set", "{entries: {points.poll: 2.5, mine: ['a'], flag.on: true}}");
	given(w, "config.create", "{created_by: 1, vip: true}");
	given(w, "config.create", "{created_by: 1, expires_in_minutes: 5}");
	given(w, "config.create", "{created_by: 1}");
	given(w, "config.delete", "{kind: 'token', id: 3}");
	assert_int_equal(ask(w, "config.export", "{include_tokens: true}"), 0);
	data = json_print(w->result);
	given(other, "config.set", "{entries: {mine: 5, theirs: 1}}");
	given(other, "config.import", "{data: %s, mode: 'replace'}", data);
	then(other, "{set: 3, deleted: 1, tokens_created: 2, unchanged: 0}");
	free(data);
	answers(other, "config.export", "{}", "{entries: {points.poll: 2.5, mine: ['a'], flag.on: true}}");
	answers(other, "config.stats", "{}", "{active: 2, vip_tokens: 1, entries: 3, flags_on: 1}");
	world_rebuild(other);
	world_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_set_entry_is_shown),
		WORLD_TEST(entries_are_set_in_the_order_of_their_keys),
		WORLD_TEST(entries_are_set_all_or_none),
		WORLD_TEST(what_is_set_already_appends_nothing),
		WORLD_TEST(nil_removes_what_is_not_known),
		WORLD_TEST(nil_is_a_value_of_nullable_entries),
		WORLD_TEST(known_entries_have_a_type_and_a_range),
		WORLD_TEST(keys_have_their_characters),
		WORLD_TEST(values_are_what_everybody_can_read),
		WORLD_TEST(a_value_is_the_same_however_it_is_packed),
		WORLD_TEST(a_text_has_at_most_64_kib),
		WORLD_TEST(at_most_a_thousand_entries_are_set_at_once),
		WORLD_TEST(every_setting_has_a_default_that_it_accepts),
		WORLD_TEST(settings_are_read_as_they_were_set),
		WORLD_TEST(a_deleted_entry_is_back_at_its_default),
		WORLD_TEST(several_entries_have_no_version),
		WORLD_TEST(an_entry_is_toggled),
		WORLD_TEST(a_token_is_created),
		WORLD_TEST(what_makes_no_token_is_refused),
		WORLD_TEST(a_token_gives_vip_and_counts_for_its_creator),
		WORLD_TEST(a_token_brings_a_new_user),
		WORLD_TEST(nobody_invites_himself),
		WORLD_TEST(who_is_vip_for_good_gets_no_days),
		WORLD_TEST(too_many_grants_refuse_the_token),
		WORLD_TEST(invitations_advance_missions_and_achievements),
		WORLD_TEST(a_token_of_a_deleted_user_invites_for_nobody),
		WORLD_TEST(a_token_is_deleted_once),
		WORLD_TEST(a_token_expires_by_the_clock_and_then_by_the_timer),
		WORLD_TEST(a_used_or_deleted_token_does_not_expire),
		WORLD_TEST(entries_are_imported),
		WORLD_TEST(a_dry_run_only_counts),
		WORLD_TEST(tokens_are_imported_when_they_are_new),
		WORLD_TEST(an_import_is_refused_whole),
		WORLD_TEST(an_import_has_at_most_4096_events),
		WORLD_TEST(what_was_exported_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
