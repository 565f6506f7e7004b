/* The schema's codec: stored and wire forms, defaults and evolution, changes, and the decoding of params. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/decide.h"
#include "core/points.h"
#include "tests/lib/json.h"

static struct arena arena;
static struct buf out;
static struct err err;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 24);
	buf_init(&out, 1 << 22);
	memset(&err, 0, sizeof(err));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	buf_free(&out);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static struct slice packed(const char *text)
{
	json_t *v = json_of("%s", text);

	buf_reset(&out);
	json_pack_to(&out, v);
	json_decref(v);
	return arena_copy(&arena, buf_slice(&out));
}

static struct slice stored(const struct record *r, const void *obj)
{
	buf_reset(&out);
	record_put(&out, r, obj);
	assert_false(out.failed);
	return arena_copy(&arena, buf_slice(&out));
}

static bool read(const struct record *r, struct slice bytes, void *obj)
{
	struct mp m = mp_of(bytes);

	return record_get(&m, r, obj, &arena) && m.p == m.end;
}

static void assert_wire(const struct record *r, const void *obj, const char *want)
{
	json_t *have, *expected = json_of("%s", want);
	char *text;

	buf_reset(&out);
	record_put_wire(&out, r, obj);
	assert_false(out.failed);
	have = json_unpacked(buf_slice(&out));
	if (!json_has(have, expected)) {
		text = json_print(have);
		print_message("have %s\nwant %s\n", text, want);
		free(text);
		fail();
	}
	assert_int_equal(json_object_size(have), record_wire_count(r));
	json_decref(have);
	json_decref(expected);
}

/* ---- stored form ---- */

static void a_record_is_an_array_of_its_fields(void **state)
{
	struct hold h = { .id = 5,
			  .user_id = 7,
			  .amount = 12500,
			  .reason = SLICE_LIT("auction"),
			  .auction_id = 3,
			  .bid_id = 9,
			  .status = SLICE_LIT("held"),
			  .created_at = 1000 };
	struct hold back;
	struct slice bytes = stored(record_hold(), &h);
	json_t *array = json_unpacked(bytes), *want = json_of("[5, 7, 12500, 'auction', 3, 9, 'held', 1000, null]");

	(void)state;
	assert_true(json_equal(array, want));
	json_decref(array);
	json_decref(want);
	assert_true(read(record_hold(), bytes, &back));
	assert_true(slice_eq(stored(record_hold(), &back), bytes));
	assert_false(back.has_closed_at);
	assert_int_equal(back.amount, 12500);
	assert_wire(record_hold(), &back, "{id: 5, user_id: 7, amount: 12.5, reason: 'auction', closed_at: null}");
}

static void missing_fields_at_the_end_take_their_defaults(void **state)
{
	struct user u;

	(void)state;
	assert_true(read(record_user(), packed("[3, 7, 'ana']"), &u));
	assert_int_equal(u.version, 3);
	assert_int_equal(u.id, 7);
	assert_true(slice_is(u.username, "ana"));
	assert_null(u.first_name.base);
	assert_true(slice_is(u.role, "free"));
	assert_int_equal(u.level, 1);
	assert_false(u.has_vip_expires_at);
	assert_true(slice_is(u.menu_state, "root"));
	assert_false(u.deleted);
	assert_true(read(record_user(), packed("[]"), &u));
	assert_int_equal(u.id, 0);
	assert_int_equal(u.level, 1);
}

static void every_record_reads_what_it_wrote_when_it_was_shorter(void **state)
{
	(void)state;
	for (int e = 0; e < N_EVENTS; e++) {
		const struct record *r = event_defs[e].record();
		void *obj = arena_zero(&arena, r->size), *back = arena_zero(&arena, r->size);
		struct slice bytes;
		struct mp m;
		uint32_t n;

		record_defaults(r, obj);
		bytes = stored(r, obj);
		assert_true(read(r, bytes, back));
		assert_true(slice_eq(stored(r, back), bytes));
		m = mp_of(bytes);
		assert_true(mp_array(&m, &n));
		for (uint32_t k = 0; k < n; k++) {
			struct mp elements = m;

			buf_reset(&out);
			mp_put_array(&out, k);
			for (uint32_t i = 0; i < k; i++) {
				struct slice raw;

				assert_true(mp_raw(&elements, 12, &raw));
				buf_append(&out, raw.base, raw.len);
			}
			assert_true(read(r, arena_copy(&arena, buf_slice(&out)), back));
			assert_true(slice_eq(stored(r, back), bytes));
		}
	}
}

static void more_fields_than_known_are_refused(void **state)
{
	struct uid_ref ref;

	(void)state;
	assert_true(read(record_uid_ref(), packed("[5]"), &ref));
	assert_false(read(record_uid_ref(), packed("[5, 6]"), &ref));
	assert_false(read(record_uid_ref(), packed("{id: 5}"), &ref));
	assert_false(read(record_uid_ref(), packed("['x']"), &ref));
	assert_false(read(record_uid_ref(), packed("[null]"), &ref));
	assert_false(read(record_uid_ref(), packed("[1.5]"), &ref));
	assert_false(read(record_uid_ref(), SLICE_LIT("\x91"), &ref));
	assert_false(read(record_uid_ref(), SLICE_NULL, &ref));
}

static void derived_fields_are_not_stored(void **state)
{
	struct balance b = { .id = 7, .balance = 5000, .available = 99, .rank = 3, .total_earned = 5000 }, back;
	json_t *array = json_unpacked(stored(record_balance(), &b));

	(void)state;
	assert_int_equal(json_array_size(array), 10);
	json_decref(array);
	assert_true(read(record_balance(), stored(record_balance(), &b), &back));
	assert_int_equal(back.available, 0);
	assert_int_equal(back.rank, 0);
	assert_int_equal(back.total_earned, 5000);
}

static void lists_and_records_inside_come_back(void **state)
{
	const uint64_t removed[] = { 4, 5 };
	const struct vip_move moved[] = { { .id = 6, .starts_at = 10, .has_ends_at = true, .ends_at = 20 },
					  { .id = 7, .starts_at = 20 } };
	struct user_vip_revoked ev = {
		.user_id = 7, .removed = { removed, 2 }, .moved = { moved, 2 }, .role = SLICE_LIT("vip")
	};
	struct user_vip_revoked back;
	struct slice bytes = stored(record_user_vip_revoked(), &ev);

	(void)state;
	assert_true(read(record_user_vip_revoked(), bytes, &back));
	assert_int_equal(back.removed.n, 2);
	assert_int_equal(back.removed.v[1], 5);
	assert_int_equal(back.moved.n, 2);
	assert_int_equal(back.moved.v[0].ends_at, 20);
	assert_false(back.moved.v[1].has_ends_at);
	assert_true(slice_eq(stored(record_user_vip_revoked(), &back), bytes));
	assert_wire(
		record_user_vip_revoked(), &back,
		"{user_id: 7, removed: [4, 5], moved: [{id: 6, starts_at: 10, ends_at: 20}, {id: 7, ends_at: null}],"
		" vip_expires_at: null, role: 'vip'}");
}

static void flat_records_stand_in_the_map_of_their_holder(void **state)
{
	struct user_created ev;

	(void)state;
	record_defaults(record_user_created(), &ev);
	ev.user.id = 7;
	ev.auto_created = true;
	assert_wire(record_user_created(), &ev,
		    "{id: 7, role: 'free', level: 1, auto: true, revived: false, menu_state: 'root'}");
}

/* ---- changes ---- */

static void changes_hold_what_differs(void **state)
{
	struct user old, new, applied;
	struct slice changes, before;
	struct user_updated ev;

	(void)state;
	record_defaults(record_user(), &old);
	old.id = 7;
	old.first_name = SLICE_LIT("Ana");
	new = old;
	assert_int_equal(record_diff(record_user(), &old, &new, 0, &arena, &changes, &before), 0);
	new.first_name = SLICE_NULL;
	new.menu_state = SLICE_LIT("shop");
	new.is_admin = true;
	new.role = SLICE_LIT("admin");
	new.level = 5; /* not of this kind of change */
	assert_int_equal(record_diff(record_user(), &old, &new, 0, &arena, &changes, &before), 3);
	assert_int_equal(record_diff(record_user(), &old, &new, FIELD_FOLLOWS, &arena, &changes, &before), 4);
	applied = old;
	assert_true(record_apply(record_user(), changes, &applied, &arena));
	assert_null(applied.first_name.base);
	assert_true(slice_is(applied.role, "admin"));
	assert_int_equal(applied.level, 1);
	assert_true(record_apply(record_user(), before, &applied, &arena));
	assert_true(slice_eq(stored(record_user(), &applied), stored(record_user(), &old)));
	ev = (struct user_updated){ .id = 7, .changes = changes, .before = before };
	assert_wire(record_user_updated(), &ev,
		    "{id: 7, changes: {first_name: null, menu_state: 'shop', is_admin: true, role: 'admin'},"
		    " before: {first_name: 'Ana', menu_state: 'root', is_admin: false, role: 'free'}}");
}

static void changed_points_are_shown_as_points(void **state)
{
	struct level old = { .id = 2, .name = SLICE_LIT("Two"), .min_points = 100500 }, new = old;
	struct point_level_updated ev = { .id = 2 };

	(void)state;
	new.min_points = 7000;
	record_diff(record_level(), &old, &new, 0, &arena, &ev.changes, &ev.before);
	assert_wire(record_point_level_updated(), &ev, "{changes: {min_points: 7}, before: {min_points: 100.5}}");
}

static void unknown_names_among_changes_are_skipped(void **state)
{
	struct user u;

	(void)state;
	record_defaults(record_user(), &u);
	assert_true(record_apply(record_user(), packed("{colour: ['red'], menu_state: 'x'}"), &u, &arena));
	assert_true(slice_is(u.menu_state, "x"));
	assert_false(record_apply(record_user(), packed("[1]"), &u, &arena));
	assert_false(record_apply(record_user(), packed("{is_admin: 5}"), &u, &arena));
	assert_false(record_apply(record_user(), SLICE_LIT("\x81\xa1x"), &u, &arena));
}

/* ---- params ---- */

static int decode_packed(const struct record *own, struct slice bytes, void *obj)
{
	struct command_params common;
	void *parts[PLAN_PARTS] = { obj, &common };
	const struct plan *p = plan_new(own, record_command_params());
	int rc;

	assert_non_null(p);
	memset(&err, 0, sizeof(err));
	rc = params_decode(p, bytes, parts, &arena, &err);
	plan_free(p);
	return rc;
}

static int decode(const struct record *own, const char *params, void *obj)
{
	return decode_packed(own, packed(params), obj);
}

/* details.field of the last refusal. */
static const char *field(void)
{
	static char name[100];
	struct slice key, value;
	struct mp m = mp_of(slice_of(err.details, err.details_len));

	name[0] = '\0';
	for (unsigned i = 0; i < err.n_details; i++) {
		assert_true(mp_str(&m, &key));
		if (slice_is(key, "field") && mp_str(&m, &value))
			snprintf(name, sizeof(name), "%.*s", SLICE_FMT(value));
		else
			mp_skip(&m, 4);
	}
	return name;
}

static void params_have_defaults(void **state)
{
	struct point_award p;

	(void)state;
	assert_int_equal(decode(record_point_award(), "{user_id: 7, amount: 1.5}", &p), 0);
	assert_int_equal(p.user_id, 7);
	assert_int_equal(p.amount, 1500);
	assert_true(slice_is(p.source, "manual"));
	assert_true(p.description.base != NULL && p.description.len == 0);
	assert_true(p.multiply);
	assert_null(p.ref.base);
	/* nil is absent */
	assert_int_equal(decode(record_point_award(),
				"{ref: null, source: null, multiply: null, amount: 2, user_id: 7, actor: null}", &p),
			 0);
	assert_true(slice_is(p.source, "manual") && p.multiply);
}

static void params_are_named_when_refused(void **state)
{
	static const struct {
		const char *params, *field;
	} bad[] = {
		{ "{user_id: 7}", "amount" },
		{ "{amount: 7}", "user_id" },
		{ "{}", "user_id" },
		{ "{user_id: null, amount: 1}", "user_id" },
		{ "{user_id: 7, amount: 1, colour: 'red'}", "colour" },
		{ "{user_id: 7, amount: 1, expected_versio: 1}", "expected_versio" },
		{ "{user_id: 0, amount: 1}", "user_id" },
		{ "{user_id: '7', amount: 1}", "user_id" },
		{ "{user_id: 7.0, amount: 1}", "user_id" },
		{ "{user_id: true, amount: 1}", "user_id" },
		{ "{user_id: [7], amount: 1}", "user_id" },
		{ "{user_id: 7, amount: 0.0005}", "amount" },
		{ "{user_id: 7, amount: 0}", "amount" },
		{ "{user_id: 7, amount: -1}", "amount" },
		{ "{user_id: 7, amount: -9223372036854775807}", "amount" },
		{ "{user_id: 7, amount: -1e30}", "amount" },
		{ "{user_id: 7, amount: true}", "amount" },
		{ "{user_id: 7, amount: 1, multiply: 1}", "multiply" },
		{ "{user_id: 7, amount: 1, source: 5}", "source" },
		{ "{user_id: 7, amount: 1, description: ['x']}", "description" },
		{ "{user_id: 7, amount: 1, ref: 'x'}", "ref" },
		{ "{user_id: 7, amount: 1, actor: 5}", "actor" },
		{ "{user_id: 7, amount: 1, expected_version: -1}", "expected_version" },
		{ "{user_id: 7, amount: 1, expected_version: 1.5}", "expected_version" },
		{ "5", "params" },
		{ "null", "params" },
		{ "[1]", "params" },
		{ "'x'", "params" },
		{ "[]", "user_id" }, /* an empty array is an empty map */
	};
	struct point_award p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (decode(record_point_award(), bad[i].params, &p) != E_INVALID_ARGUMENT)
			fail_msg("%s: %s", bad[i].params, err.text);
		assert_string_equal(field(), bad[i].field);
		assert_non_null(strstr(err.text, bad[i].field));
		assert_int_equal(err.n_details, 2);
	}
}

/* {user_id: 7, <key>: <bytes>} */
static int decode_with(const char *key, struct slice bytes)
{
	struct point_award p;

	buf_reset(&out);
	mp_put_map(&out, strcmp(key, "amount") == 0 ? 2 : 3);
	mp_put_text(&out, SLICE_LIT("user_id"));
	mp_put_int64(&out, 7);
	if (strcmp(key, "amount") != 0) {
		mp_put_text(&out, SLICE_LIT("amount"));
		mp_put_int64(&out, 1);
	}
	mp_put_text(&out, slice_str(key));
	buf_append(&out, bytes.base, bytes.len);
	return decode_packed(record_point_award(), arena_copy(&arena, buf_slice(&out)), &p);
}

static int decode_amount(double x)
{
	struct buf b;
	int rc;

	buf_init(&b, 16);
	mp_put_double(&b, x);
	rc = decode_with("amount", buf_slice(&b));
	buf_free(&b);
	return rc;
}

static void amounts_are_finite_and_below_the_ceiling(void **state)
{
	(void)state;
	assert_int_equal(decode_amount(NAN), E_INVALID_ARGUMENT);
	assert_string_equal(field(), "amount");
	assert_int_equal(decode_amount(INFINITY), E_INVALID_ARGUMENT);
	assert_int_equal(decode_amount(-INFINITY), E_INVALID_ARGUMENT);
	assert_int_equal(decode_amount(1e30), E_LIMIT_EXCEEDED);
	assert_int_equal(decode_amount(4000000000000.001), E_LIMIT_EXCEEDED);
	assert_int_equal(decode_amount(4000000000000.0), 0);
	assert_int_equal(decode_amount(3999999999999.999), 0);
	assert_int_equal(decode_amount(1e-30), E_INVALID_ARGUMENT);
	assert_int_equal(decode_amount(-0.0), E_INVALID_ARGUMENT);
	assert_int_equal(decode_with("amount", SLICE_LIT("\xcf\xff\xff\xff\xff\xff\xff\xff\xff")), E_LIMIT_EXCEEDED);
	assert_int_equal(decode_with("amount", SLICE_LIT("\xcf\x00\x00\x03\xa3\x52\x94\x40\x01")), E_LIMIT_EXCEEDED);
	assert_int_equal(decode_with("amount", SLICE_LIT("\xca\x3f\x00\x00\x00")), 0); /* 0.5 as float32 */
	assert_int_equal(decode_with("amount", SLICE_LIT("\xca\x3d\xcc\xcc\xcd")),
			 E_INVALID_ARGUMENT); /* not quite 0.1 */
}

static void texts_are_valid_utf8_and_no_bytes(void **state)
{
	(void)state;
	assert_int_equal(decode_with("source", SLICE_LIT("\xa2\xc3\x28")), E_INVALID_ARGUMENT);
	assert_string_equal(field(), "source");
	assert_int_equal(decode_with("source", SLICE_LIT("\xa3\xed\xa0\x80")), E_INVALID_ARGUMENT); /* a surrogate */
	assert_int_equal(decode_with("source", SLICE_LIT("\xa2\xc0\x80")), E_INVALID_ARGUMENT);     /* overlong */
	assert_int_equal(decode_with("source", SLICE_LIT("\xc4\x01x")), E_INVALID_ARGUMENT);        /* bin */
	assert_int_equal(decode_with("source", SLICE_LIT("\xa2ñ")), 0);
	assert_int_equal(decode_with("ref", SLICE_LIT("\x82\xa4kind\xa1\xff\xa2id\x01")), E_INVALID_ARGUMENT);
	assert_int_equal(decode_with("ref", SLICE_LIT("\x82\xa4kind\xa1x\xa4kind\xa1y")), E_INVALID_ARGUMENT);
	assert_int_equal(decode_with("ref", SLICE_LIT("\x82\xa4kind\xa1x\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff")),
			 E_INVALID_ARGUMENT);
	assert_int_equal(decode_with("ref", SLICE_LIT("\x82\xa2id\x01\xa4kind\xa1x")), 0);
}

static void a_param_comes_once(void **state)
{
	struct uid_ref ref;

	(void)state;
	assert_int_equal(decode_packed(record_uid_ref(), SLICE_LIT("\x82\xa2id\x05\xa2id\x05"), &ref),
			 E_INVALID_ARGUMENT);
	assert_string_equal(field(), "id");
	assert_int_equal(decode_packed(record_uid_ref(), SLICE_LIT("\x82\xa2id\x05\x01\x05"), &ref),
			 E_INVALID_ARGUMENT);
	assert_int_equal(decode_packed(record_uid_ref(), SLICE_LIT("\x81\xa2id"), &ref), E_INVALID_ARGUMENT);
	assert_int_equal(decode_packed(record_uid_ref(), SLICE_LIT("\x81\xa2id\xc1"), &ref), E_INVALID_ARGUMENT);
	assert_int_equal(decode_packed(record_uid_ref(), SLICE_LIT("\x81\xa2\xff\xfe\xc0"), &ref), E_INVALID_ARGUMENT);
	assert_string_equal(field(), "?");
	assert_int_equal(decode_packed(record_uid_ref(), SLICE_NULL, &ref), E_INVALID_ARGUMENT);
}

/* Whatever arrives is decoded or refused. */
static void damaged_params_do_no_harm(void **state)
{
	struct slice whole =
		packed("{user_id: 7, amount: 1.5, source: 'quiz', ref: {kind: 'quiz', id: 'x'}, note: 'by hand'}");
	struct point_award p;

	(void)state;
	for (size_t n = 0; n < whole.len; n++) {
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, whole.base, n);
		assert_int_equal(decode_packed(record_point_award(), slice_of(cut, n), &p), E_INVALID_ARGUMENT);
		free(cut);
	}
	for (size_t i = 0; i < whole.len * 8; i++) {
		uint8_t *copy = malloc(whole.len);
		int rc;

		memcpy(copy, whole.base, whole.len);
		copy[i / 8] ^= (uint8_t)(1 << i % 8);
		rc = decode_packed(record_point_award(), slice_of(copy, whole.len), &p);
		assert_true(rc == 0 || rc == E_INVALID_ARGUMENT || rc == E_LIMIT_EXCEEDED);
		free(copy);
	}
}

static void lists_are_bounded_and_name_the_item(void **state)
{
	struct point_award_many p;
	struct user_get_many ids;

	(void)state;
	assert_int_equal(decode(record_point_award_many(),
				"{items: [{user_id: 1, amount: 2}, {user_id: 3, amount: 4, source: 's'}]}", &p),
			 0);
	assert_int_equal(p.items.n, 2);
	assert_true(slice_is(p.items.v[0].source, "bulk"));
	assert_true(slice_is(p.items.v[1].source, "s"));
	assert_int_equal(p.items.v[1].amount, 4000);
	assert_int_equal(decode(record_point_award_many(), "{items: [{user_id: 1, amount: 2}, {user_id: 3}]}", &p),
			 E_INVALID_ARGUMENT);
	assert_string_equal(field(), "amount");
	assert_non_null(strstr(err.text, "items[1]"));
	assert_int_equal(decode(record_point_award_many(), "{items: [{user_id: 1, amount: 2, actor: 'x'}]}", &p),
			 E_INVALID_ARGUMENT);
	assert_string_equal(field(), "actor");
	assert_int_equal(decode(record_user_get_many(), "{ids: [1, 2], include: ['stats', 'vip']}", &ids), 0);
	assert_int_equal(ids.ids.v[1], 2);
	assert_true(slice_is(ids.include.v[1], "vip"));
	assert_int_equal(decode(record_user_get_many(), "{ids: [1, 'x']}", &ids), E_INVALID_ARGUMENT);
	assert_string_equal(field(), "ids");
	assert_int_equal(decode(record_user_get_many(), "{ids: [1], include: null}", &ids), 0);
	assert_int_equal(ids.include.n, 0);
}

static void a_patch_tells_absent_from_nil(void **state)
{
	struct user_update p;

	(void)state;
	assert_int_equal(decode(record_user_update(), "{id: 7, username: null, first_name: 'Ana'}", &p), 0);
	assert_true(GIVEN(p.given_user, user, username));
	assert_true(GIVEN(p.given_user, user, first_name));
	assert_false(GIVEN(p.given_user, user, last_name));
	assert_false(GIVEN(p.given_user, user, is_admin));
	assert_null(p.user.username.base);
	assert_false(p.has_stats);
	assert_int_equal(decode(record_user_update(), "{id: 7, is_admin: null}", &p), E_INVALID_ARGUMENT);
	assert_string_equal(field(), "is_admin");
	assert_int_equal(decode(record_user_update(), "{id: 7, level: 5}", &p), E_INVALID_ARGUMENT);
	assert_int_equal(decode(record_user_update(), "{id: 7, stats: {last_checkin_at: null, messages_sent: 3}}", &p),
			 0);
	assert_true(p.has_stats);
	assert_true(GIVEN(p.stats.given_stats, user_stats, last_checkin_at));
	assert_false(p.stats.stats.has_last_checkin_at);
	assert_true(GIVEN(p.stats.given_stats, user_stats, messages_sent));
	assert_false(GIVEN(p.stats.given_stats, user_stats, best_streak));
	assert_int_equal(p.stats.stats.messages_sent, 3);
	assert_int_equal(decode(record_user_update(), "{id: 7, stats: {colour: 1}}", &p), E_INVALID_ARGUMENT);
	assert_string_equal(field(), "colour");
	assert_non_null(strstr(err.text, "stats"));
}

static void a_merge_takes_what_was_given(void **state)
{
	struct user_stats row = {
		.messages_sent = 5, .best_streak = 9, .has_last_checkin_at = true, .last_checkin_at = 77
	};
	struct user_update p;

	(void)state;
	assert_int_equal(decode(record_user_update(), "{id: 7, stats: {last_checkin_at: null, messages_sent: 3}}", &p),
			 0);
	record_merge(record_user_stats(), &row, &p.stats.stats, p.stats.given_stats);
	assert_int_equal(row.messages_sent, 3);
	assert_int_equal(row.best_streak, 9);
	assert_false(row.has_last_checkin_at);
}

static void free_values_are_bounded(void **state)
{
	struct config_set p;

	(void)state;
	assert_int_equal(decode(record_config_set(), "{entries: {a: [[[[[[['deep']]]]]]]}}", &p), 0);
	assert_int_equal(decode(record_config_set(), "{entries: {a: [[[[[[[['deeper']]]]]]]]}}", &p),
			 E_INVALID_ARGUMENT);
	assert_string_equal(field(), "entries");
	assert_int_equal(decode(record_config_set(), "{entries: [1]}", &p), E_INVALID_ARGUMENT);
	assert_int_equal(decode_packed(record_config_set(),
				       SLICE_LIT("\x81\xa7"
						 "entries\x81\x01\x02"),
				       &p),
			 E_INVALID_ARGUMENT);
	assert_int_equal(decode_packed(record_config_set(),
				       SLICE_LIT("\x81\xa7"
						 "entries\x81\xa1\xff\x02"),
				       &p),
			 E_INVALID_ARGUMENT);
}

static void every_method_has_a_plan(void **state)
{
	(void)state;
	for (int m = 0; m < N_METHODS; m++) {
		const struct record *common = method_defs[m].class == METHOD_COMMAND ? record_command_params_kind()
										     : record_query_params_kind();
		const struct plan *p = plan_new(method_defs[m].params(), common);

		assert_non_null(p);
		for (unsigned i = 0; i < plan_n_fields(p); i++) {
			char type[48];

			field_type_name(plan_field(p, i), type);
			assert_true(strlen(type) > 0);
			for (unsigned k = 0; k < i; k++)
				assert_string_not_equal(plan_field(p, i)->name, plan_field(p, k)->name);
		}
		plan_free(p);
	}
}

static void methods_are_found_by_name_with_all_their_kinds(void **state)
{
	enum method_id first;

	(void)state;
	for (int m = 0; m < N_METHODS; m++) {
		unsigned n = methods_by_name(slice_str(method_defs[m].name), &first);

		assert_true((unsigned)m >= (unsigned)first && (unsigned)m < (unsigned)first + n);
	}
	assert_int_equal(methods_by_name(SLICE_LIT("point.list"), &first), 5);
	assert_string_equal(method_defs[first].kind, "transaction");
	assert_int_equal(methods_by_name(SLICE_LIT("point.create"), &first), 2);
	assert_string_equal(method_defs[first].kind, "level");
	assert_int_equal(methods_by_name(SLICE_LIT("point.awar"), &first), 0);
	assert_int_equal(methods_by_name(SLICE_LIT(""), &first), 0);
	assert_int_equal(methods_by_name(SLICE_NULL, &first), 0);
}

/* ---- keys ---- */

static void keys_are_ordered_like_their_values(void **state)
{
	static const char *const texts[] = { "", "a", "a b", "aa", "b" };
	static const int64_t ints[] = { INT64_MIN, -5, -1, 0, 1, 5, INT64_MAX };
	struct key a, b;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(texts) / sizeof(texts[0]); i++) {
		key_put_TEXT(key_begin(&a), slice_str(texts[i]));
		key_put_U64(&a, UINT64_MAX);
		key_put_TEXT(key_begin(&b), slice_str(texts[i + 1]));
		key_put_U64(&b, 0);
		assert_true(slice_cmp(key_slice(&a), key_slice(&b)) < 0);
	}
	for (size_t i = 0; i + 1 < sizeof(ints) / sizeof(ints[0]); i++) {
		struct slice s;
		int64_t v;

		key_put_I64(key_begin(&a), ints[i]);
		key_put_I64(key_begin(&b), ints[i + 1]);
		assert_true(slice_cmp(key_slice(&a), key_slice(&b)) < 0);
		s = key_slice(&a);
		assert_true(key_take_I64(&s, &v) && v == ints[i] && s.len == 0);
		if (ints[i] < 0)
			continue;
		key_put_DESC(key_begin(&a), ints[i]);
		key_put_DESC(key_begin(&b), ints[i + 1]);
		assert_true(slice_cmp(key_slice(&a), key_slice(&b)) > 0);
		s = key_slice(&a);
		assert_true(key_take_DESC(&s, &v) && v == ints[i]);
	}
}

static void texts_in_keys_may_hold_any_byte(void **state)
{
	struct slice texts[] = { SLICE_LIT(""), SLICE_LIT("a\0b"), SLICE_LIT("\0"), SLICE_LIT("\0\xff\0"),
				 SLICE_LIT("\xff") };
	struct slice s, back;
	uint64_t n;
	struct key k;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		key_put_TEXT(key_begin(&k), texts[i]);
		key_put_U64(&k, 77);
		s = key_slice(&k);
		assert_true(key_take_TEXT(&s, &arena, &back));
		assert_true(slice_eq(back, texts[i]));
		assert_true(key_take_U64(&s, &n) && n == 77 && s.len == 0);
		assert_false(key_take_U64(&s, &n));
		assert_false(key_take_TEXT(&s, &arena, &back));
	}
	key_put_TEXT(key_begin(&k), SLICE_LIT("abcdef"));
	s = slice_of(k.bytes, (size_t)k.len - 1);
	assert_false(key_take_TEXT(&s, &arena, &back));
}

static void numbers_in_keys_come_back(void **state)
{
	static const uint64_t values[] = { 0, 1, 255, 256, 65535, 1 << 24, UINT64_MAX };
	struct key before, k;
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct slice s;

		key_put_VAR(key_begin(&k), values[i]);
		s = key_slice(&k);
		assert_true(key_take_VAR(&s, &n) && n == values[i] && s.len == 0);
		assert_true(i == 0 || slice_cmp(key_slice(&before), key_slice(&k)) < 0);
		s = slice_of(k.bytes, (size_t)k.len - 1);
		assert_false(key_take_VAR(&s, &n));
		before = k;
	}
}

static void a_row_key_is_read_back_in_parts(void **state)
{
	struct slice action = SLICE_LIT("x"), word;
	uint64_t id;
	struct key k;

	(void)state;
	key_user_word(&k, action, 7);
	assert_true(take_user_word(key_slice(&k), &arena, &word, &id));
	assert_true(slice_eq(word, action) && id == 7);
	key_put_U64(&k, 1);
	assert_false(take_user_word(key_slice(&k), &arena, &word, &id));
}

static void a_text_too_long_is_no_key(void **state)
{
	char text[400];
	struct key k;

	(void)state;
	memset(text, 'x', sizeof(text));
	key_put_TEXT(key_begin(&k), slice_of(text, 370));
	assert_false(k.overflow);
	key_put_TEXT(key_begin(&k), slice_of(text, 400));
	assert_true(k.overflow);
	key_put_U64(&k, 1);
	assert_true(k.len <= STATE_KEY_MAX);
	memset(text, 0, sizeof(text));
	key_put_TEXT(key_begin(&k), slice_of(text, 300));
	assert_true(k.overflow && k.len <= STATE_KEY_MAX);
}

/* ---- errors ---- */

static void errors_gather_context_and_details(void **state)
{
	char long_text[500];

	(void)state;
	for (int code = 1; code < E_COUNT; code++)
		assert_int_equal(err_by_name(slice_str(err_name((enum err_code)code))), code);
	assert_int_equal(err_by_name(SLICE_LIT("nothing")), E_OK);
	assert_int_equal(err_missing(&err, "user", 7), E_NOT_FOUND);
	assert_string_equal(err.text, "no user 7");
	assert_int_equal(err.n_details, 2);
	assert_int_equal(err_wrap(&err, "items[%d]", 3), E_NOT_FOUND);
	assert_string_equal(err.text, "items[3]: no user 7");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	err_wrap(&err, "%s", long_text);
	assert_true(strlen(err.text) < sizeof(err.text));
	err_detail_text(&err, "long", slice_str(long_text)); /* does not fit: left out */
	assert_int_equal(err.n_details, 2);
	err_detail_points(&err, "limit", 12500);
	assert_int_equal(err.n_details, 3);
	err_set(&err, E_INTERNAL, "anew");
	assert_int_equal(err.n_details, 0);
}

static void texts_of_errors_are_utf8_wherever_they_are_cut(void **state)
{
	char text[400] = "";

	(void)state;
	for (size_t n = 0; n < 300; n = strlen(text)) {
		err_set(&err, E_NOT_FOUND, "%s", text);
		assert_true(utf8_valid(slice_str(err.text)));
		assert_true(strncmp(err.text, text, strlen(err.text)) == 0);
		assert_true(strlen(err.text) + 4 >= sizeof(err.text) || strlen(err.text) == strlen(text));
		err_wrap(&err, "\xc3\xb1");
		assert_true(utf8_valid(slice_str(err.text)));
		err_field(&err, "field", "%s", text);
		assert_true(utf8_valid(slice_str(err.text)));
		memcpy(text + n, n % 7 == 0 ? "x\0\0" : "\xe2\x82\xac", 3);
	}
	err_set(&err, E_INTERNAL, "cannot open /tmp/\xff\xfe.d");
	assert_string_equal(err.text, "cannot open /tmp/??.d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_is_an_array_of_its_fields),
		TEST(missing_fields_at_the_end_take_their_defaults),
		TEST(every_record_reads_what_it_wrote_when_it_was_shorter),
		TEST(more_fields_than_known_are_refused),
		TEST(derived_fields_are_not_stored),
		TEST(lists_and_records_inside_come_back),
		TEST(flat_records_stand_in_the_map_of_their_holder),
		TEST(changes_hold_what_differs),
		TEST(changed_points_are_shown_as_points),
		TEST(unknown_names_among_changes_are_skipped),
		TEST(params_have_defaults),
		TEST(params_are_named_when_refused),
		TEST(amounts_are_finite_and_below_the_ceiling),
		TEST(texts_are_valid_utf8_and_no_bytes),
		TEST(a_param_comes_once),
		TEST(damaged_params_do_no_harm),
		TEST(lists_are_bounded_and_name_the_item),
		TEST(a_patch_tells_absent_from_nil),
		TEST(a_merge_takes_what_was_given),
		TEST(free_values_are_bounded),
		TEST(every_method_has_a_plan),
		TEST(methods_are_found_by_name_with_all_their_kinds),
		TEST(keys_are_ordered_like_their_values),
		TEST(texts_in_keys_may_hold_any_byte),
		TEST(numbers_in_keys_come_back),
		TEST(a_row_key_is_read_back_in_parts),
		TEST(a_text_too_long_is_no_key),
		TEST(errors_gather_context_and_details),
		TEST(texts_of_errors_are_utf8_wherever_they_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
