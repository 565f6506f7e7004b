/* The configuration: entries, known and unknown, and how they are read. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/settings.h"
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
	buf_init(&b, 1 << 20);
	mp_put_double(&b, NAN);
	refused(w, set_packed(w, SLICE_LIT("points.message"), buf_slice(&b)), E_INVALID_ARGUMENT,
		"{field: 'points.message'}");
	refused(w, set_packed(w, SLICE_LIT("a"), buf_slice(&b)), E_INVALID_ARGUMENT, "{field: 'a'}");
	buf_free(&b);
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
		WORLD_TEST(a_text_has_at_most_64_kib),
		WORLD_TEST(at_most_a_thousand_entries_are_set_at_once),
		WORLD_TEST(every_setting_has_a_default_that_it_accepts),
		WORLD_TEST(settings_are_read_as_they_were_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
