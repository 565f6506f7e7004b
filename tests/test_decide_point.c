/* Commands of the points ledger: awards, debits, transfers, levels, rewards; and holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/json.h"
#include "tests/lib/world.h"

#define CEILING "4000000000000"

static void set(struct world *w, const char *entries)
{
	given(w, "config.set", "{entries: %s}", entries);
}

static void given_levels(struct world *w)
{
	given(w, "point.create", "{kind: 'level', id: 1, name: 'One', min_points: 0}");
	given(w, "point.create", "{kind: 'level', id: 2, name: 'Two', min_points: 100, reward: 'A pin'}");
	given(w, "point.create", "{kind: 'level', id: 4, name: 'Four', min_points: 200.5}");
	given(w, "point.create", "{kind: 'level', id: 5, name: 'Five', min_points: 300}");
}

static void hold(struct world *w, uint64_t id, int64_t user_id, int64_t amount, int64_t held_after)
{
	struct decision *d = commit_begin(w);

	EMIT(d, point_held,
	     .hold = { .id = id,
		       .user_id = user_id,
		       .amount = amount,
		       .reason = SLICE_LIT("auction"),
		       .auction_id = 3,
		       .bid_id = id,
		       .status = SLICE_LIT("held"),
		       .created_at = w->now },
	     .held_after = held_after);
	commit_end(w);
}

/* ---- award ---- */

static void an_award_credits_and_creates_the_user(void **state)
{
	struct world *w = *state;

	given(w, "point.award",
	      "{user_id: 7, amount: 10.5, source: 'quiz', description: 'Well done', ref: {kind: 'quiz', id: 9}}");
	then(w,
	     "{seq: 2, version: 1, changed: true, balance: 10.5, available: 10.5, level: 1, level_up: false, unlocked: "
	     "[],"
	     " transaction: {id: 2, user_id: 7, amount: 10.5, balance_after: 10.5, source: 'quiz', description: 'Well "
	     "done',"
	     " base: 10.5, multiplier: 1, counterparty_id: null, ref: {kind: 'quiz', id: 9}, created_at: %lld}}",
	     (long long)w->now);
	assert_string_equal(events(w), "user.created point.credited");
	then_event(w, 0, "{id: 7, auto: true, revived: false}");
	then_event(w, 1,
		   "{user_id: 7, amount: 10.5, base: 10.5, multiplier: 1, balance_after: 10.5, source: 'quiz',"
		   " counterparty_id: null, ref: {kind: 'quiz', id: 9}}");
	given(w, "point.award", "{user_id: 7, amount: 1}");
	then(w, "{balance: 11.5, version: 2, transaction: {source: 'manual', description: '', ref: null}}");
	assert_string_equal(events(w), "point.credited");
	answers(w, "point.get", "{id: 7}",
		"{balance: 11.5, held: 0, available: 11.5, total_earned: 11.5, total_spent: 0, transactions: 2,"
		" last_transaction_at: %lld, version: 2}",
		(long long)w->now);
}

static void amounts_are_exact_thousandths(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 7, amount: 0.1}");
	given(w, "point.award", "{user_id: 7, amount: 0.2}");
	then(w, "{balance: 0.3}");
	given(w, "point.award", "{user_id: 7, amount: 0.001}");
	then(w, "{balance: 0.301}");
	given(w, "point.award", "{user_id: 7, amount: 2.0}");
	then(w, "{transaction: {amount: 2}}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: 0.0005}"), E_INVALID_ARGUMENT, "{field: 'amount'}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: 0}"), E_INVALID_ARGUMENT, "{field: 'amount'}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: -1}"), E_INVALID_ARGUMENT, "{field: 'amount'}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: -0.5}"), E_INVALID_ARGUMENT, "{field: 'amount'}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: '5'}"), E_INVALID_ARGUMENT, "{field: 'amount'}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: null}"), E_INVALID_ARGUMENT, "{field: 'amount'}");
	refused(w, when(w, "point.award", "{user_id: 7}"), E_INVALID_ARGUMENT, "{field: 'amount'}");
	given(w, "point.award", "{user_id: 8, amount: 3999999999999.999}");
	then(w, "{balance: 3999999999999.999}");
}

static void balances_have_a_ceiling(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 7, amount: " CEILING "}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: 0.001}"), E_LIMIT_EXCEEDED, "{limit: " CEILING "}");
	refused(w, when(w, "point.award", "{user_id: 8, amount: 4000000000000.001}"), E_LIMIT_EXCEEDED,
		"{limit: " CEILING "}");
	refused(w, when(w, "point.award", "{user_id: 8, amount: 9223372036854775807}"), E_LIMIT_EXCEEDED, "{}");
	refused(w, when(w, "point.award", "{user_id: 8, amount: 1e30}"), E_LIMIT_EXCEEDED, "{}");
	refused(w, when(w, "point.transfer", "{from_user_id: 7, to_user_id: 7, amount: 1}"), E_INVALID_ARGUMENT, "{}");
	given(w, "point.award", "{user_id: 8, amount: 1}");
	refused(w, when(w, "point.transfer", "{from_user_id: 8, to_user_id: 7, amount: 1}"), E_LIMIT_EXCEEDED,
		"{limit: " CEILING "}");
	answers(w, "point.get", "{id: 8}", "{balance: 1}");
	given(w, "point.deduct", "{user_id: 7, amount: " CEILING "}");
	then(w, "{balance: 0}");
}

static void a_multiplied_amount_stays_below_the_ceiling_too(void **state)
{
	struct world *w = *state;

	set(w, "{points.vip_multiplier: 100}");
	given(w, "user.grant_vip", "{user_id: 7, permanent: true}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: 40000000000.001}"), E_LIMIT_EXCEEDED,
		"{limit: " CEILING "}");
	given(w, "point.award", "{user_id: 7, amount: 40000000000}");
	then(w, "{balance: " CEILING "}");
}

static void all_credits_of_the_ledger_stay_countable(void **state)
{
	struct world *w = *state;
	int rc = 0;

	/* int64 thousandths hold 2305 times the ceiling */
	for (int i = 1; rc == 0 && i < 3000; i++) {
		rc = when(w, "point.award", "{user_id: 7, amount: " CEILING "}");
		if (rc == 0)
			given(w, "point.deduct", "{user_id: 7, amount: " CEILING "}");
		else
			assert_int_equal(i, 2306);
	}
	assert_int_equal(rc, E_LIMIT_EXCEEDED);
	answers(w, "point.verify", "{}", "{ok: true}");
}

static void awards_are_multiplied_for_vips(void **state)
{
	static const char *const never[] = { "transfer_in", "refund", "migration" };
	struct world *w = *state;

	set(w, "{points.vip_multiplier: 2}");
	given(w, "point.award", "{user_id: 7, amount: 1.5}");
	then(w, "{balance: 1.5}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "point.award", "{user_id: 7, amount: 1.5}");
	then(w, "{balance: 4.5, transaction: {amount: 3, base: 1.5, multiplier: 2}}");
	given(w, "point.award", "{user_id: 7, amount: 1, multiply: false}");
	then(w, "{balance: 5.5, transaction: {multiplier: 1}}");
	for (int i = 0; i < 3; i++) {
		given(w, "point.award", "{user_id: 7, amount: 1, source: '%s'}", never[i]);
		then(w, "{transaction: {amount: 1, multiplier: 1}}");
	}
	w->now += DAY; /* over, though no timer has run */
	given(w, "point.award", "{user_id: 7, amount: 1}");
	then(w, "{transaction: {amount: 1, multiplier: 1}}");
}

static void a_ref_is_a_kind_and_an_id(void **state)
{
	static const char *const bad[] = { "5",
					   "{}",
					   "{kind: 'a'}",
					   "{id: 1}",
					   "{kind: 'a', id: 1, more: 2}",
					   "{kind: 1, id: 1}",
					   "{kind: 'a', id: 1.5}",
					   "{kind: 'a', id: null}",
					   "{kind: '123456789012345678901234567890123', id: 1}",
					   "[1, 2]" };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "point.award", "{user_id: 7, amount: 1, ref: %s}", bad[i]), E_INVALID_ARGUMENT,
			"{field: 'ref'}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: 1, ref: {kind: 'a', id: '%0201d'}}", 1),
		E_INVALID_ARGUMENT, "{field: 'ref'}");
	given(w, "point.award", "{user_id: 7, amount: 1, ref: {id: '-100:5', kind: 'post'}}");
	then(w, "{transaction: {ref: {kind: 'post', id: '-100:5'}}}");
	given(w, "point.award", "{user_id: 7, amount: 1, ref: null}");
	then(w, "{transaction: {ref: null}}");
}

static void texts_of_an_award_have_limits(void **state)
{
	struct world *w = *state;

	refused(w, when(w, "point.award", "{user_id: 7, amount: 1, source: '%051d'}", 1), E_INVALID_ARGUMENT,
		"{field: 'source'}");
	refused(w, when(w, "point.award", "{user_id: 7, amount: 1, description: '%0501d'}", 1), E_INVALID_ARGUMENT,
		"{field: 'description'}");
	given(w, "point.award", "{user_id: 7, amount: 1, source: '%050d', description: '%0500d'}", 1, 1);
}

/* ---- award_many ---- */

static void many_awards_are_one_commit(void **state)
{
	struct world *w = *state;

	set(w, "{points.vip_multiplier: 3}");
	given(w, "user.grant_vip", "{user_id: 8, days: 1}");
	given(w, "point.award_many",
	      "{items: [{user_id: 7, amount: 1}, {user_id: 8, amount: 2, source: 's', description: 'd'},"
	      " {user_id: 7, amount: 3.5}, {user_id: 8, amount: 1, multiply: false}]}");
	then(w, "{changed: true, transactions: [{user_id: 7, amount: 1, balance_after: 1, source: 'bulk'},"
		" {user_id: 8, amount: 6, multiplier: 3, source: 's', description: 'd'},"
		" {user_id: 7, amount: 3.5, balance_after: 4.5}, {user_id: 8, amount: 1, balance_after: 7}]}");
	assert_string_equal(events(w), "user.created point.credited point.credited point.credited point.credited");
}

static void many_awards_are_all_or_none(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 7, amount: " CEILING "}");
	refused(w, when(w, "point.award_many", "{items: [{user_id: 8, amount: 1}, {user_id: 7, amount: 1}]}"),
		E_LIMIT_EXCEEDED, "{limit: " CEILING "}");
	assert_non_null(strstr(w->err.text, "items[1]"));
	refused(w, ask(w, "user.get", "{id: 8}"), E_NOT_FOUND, "{}");
	refused(w, when(w, "point.award_many", "{items: [{user_id: 8, amount: 1}, {user_id: 9, amount: 0}]}"),
		E_INVALID_ARGUMENT, "{field: 'amount'}");
	assert_non_null(strstr(w->err.text, "items[1]"));
	refused(w, when(w, "point.award_many", "{items: []}"), E_INVALID_ARGUMENT, "{field: 'items'}");
	refused(w, when(w, "point.award_many", "{}"), E_INVALID_ARGUMENT, "{field: 'items'}");
	refused(w, when(w, "point.award_many", "{items: [5]}"), E_INVALID_ARGUMENT, "{field: 'items'}");
	assert_int_equal(w->head, 2);
}

static void a_thousand_awards_fit_one_command(void **state)
{
	struct world *w = *state;
	json_t *items = json_array();
	struct buf packed;

	given_levels(w);
	for (int i = 1; i <= 1000; i++)
		json_array_append_new(items, json_of("{user_id: %d, amount: 150}", i));
	buf_init(&packed, 1 << 20);
	mp_put_map(&packed, 1);
	mp_put_text(&packed, SLICE_LIT("items"));
	json_pack_to(&packed, items);
	assert_int_equal(when_packed(w, "point.award_many", buf_slice(&packed)), 0);
	assert_int_equal(w->head, 4 + 3000);
	assert_int_equal(json_array_size(json_object_get(w->result, "transactions")), 1000);
	buf_reset(&packed);
	json_array_append_new(items, json_of("{user_id: 1, amount: 1}"));
	mp_put_map(&packed, 1);
	mp_put_text(&packed, SLICE_LIT("items"));
	json_pack_to(&packed, items);
	refused(w, when_packed(w, "point.award_many", buf_slice(&packed)), E_INVALID_ARGUMENT, "{field: 'items'}");
	buf_free(&packed);
	json_decref(items);
}

/* ---- deduct ---- */

static void a_deduction_takes_available_points(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 7, amount: 10}");
	given(w, "point.deduct",
	      "{user_id: 7, amount: 2.5, source: 'shop', description: 'A hat', ref: {kind: 'hat', id: 'red'}}");
	then(w, "{balance: 7.5, available: 7.5, version: 2, transaction: {id: 3, amount: -2.5, balance_after: 7.5, "
		"source: 'shop',"
		" description: 'A hat', ref: {kind: 'hat', id: 'red'}, user_id: 7}}");
	assert_string_equal(events(w), "point.debited");
	then_event(w, 0, "{amount: 2.5, balance_after: 7.5}");
	hold(w, 1, 7, 4000, 4000);
	refused(w, when(w, "point.deduct", "{user_id: 7, amount: 3.501}"), E_INSUFFICIENT_POINTS,
		"{required: 3.501, available: 3.5}");
	given(w, "point.deduct", "{user_id: 7, amount: 3.5}");
	then(w, "{balance: 4, available: 0, transaction: {source: 'manual'}}");
	refused(w, when(w, "point.deduct", "{user_id: 8, amount: 1}"), E_NOT_FOUND, "{kind: 'user', id: 8}");
	answers(w, "point.verify", "{user_id: 7}",
		"{ok: true, transactions: 3, held: 4, computed_held: 4, balance: 4, computed: 4}");
}

static void a_deduction_moves_the_day_and_source_counters(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 7, amount: 10}");
	given(w, "point.deduct", "{user_id: 7, amount: 4}");
	answers(w, "point.stats", "{}",
		"{by_source: {manual: {count: 2, earned: 10, spent: 4}}, transactions: 2, total_points: 6}");
	answers(w, "point.stats", "{days: 1}", "{transactions: 2, earned: 10, spent: 4, net: 6, active_users: 1}");
}

/* ---- transfer ---- */

static void a_transfer_moves_points_and_names_both_sides(void **state)
{
	struct world *w = *state;

	set(w, "{points.vip_multiplier: 5}");
	given(w, "user.grant_vip", "{user_id: 8, days: 1}");
	given(w, "point.award", "{user_id: 7, amount: 10}");
	given(w, "point.transfer", "{from_user_id: 7, to_user_id: 8, amount: 4, description: 'Lunch'}");
	then(w, "{version: 2, from_balance: 6, to_balance: 4,"
		" out: {user_id: 7, amount: -4, source: 'transfer_out', counterparty_id: 8, balance_after: 6, "
		"description: 'Lunch'},"
		" in: {user_id: 8, amount: 4, source: 'transfer_in', counterparty_id: 7, balance_after: 4, multiplier: "
		"1}}");
	assert_string_equal(events(w), "point.debited point.credited");
	given(w, "point.transfer", "{from_user_id: 7, to_user_id: 9, amount: 6}");
	then(w, "{from_balance: 0, to_balance: 6}");
	assert_string_equal(events(w), "user.created point.debited point.credited");
	answers(w, "point.stats", "{}",
		"{total_points: 10, total_earned: 20, total_spent: 10, users: 3, users_with_points: 2}");
}

static void a_transfer_needs_a_payer_who_can_pay(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 7, amount: 10}");
	hold(w, 1, 7, 7000, 7000);
	refused(w, when(w, "point.transfer", "{from_user_id: 7, to_user_id: 8, amount: 4}"), E_INSUFFICIENT_POINTS,
		"{required: 4, available: 3}");
	refused(w, ask(w, "user.get", "{id: 8}"), E_NOT_FOUND, "{}");
	refused(w, when(w, "point.transfer", "{from_user_id: 9, to_user_id: 7, amount: 4}"), E_NOT_FOUND,
		"{kind: 'user', id: 9}");
	refused(w, when(w, "point.transfer", "{from_user_id: 7, to_user_id: 7, amount: 1}"), E_INVALID_ARGUMENT,
		"{field: 'to_user_id'}");
	given(w, "point.transfer", "{from_user_id: 7, to_user_id: 8, amount: 3}");
}

/* ---- levels: rule R1 ---- */

static void a_credit_lifts_the_level_over_several(void **state)
{
	struct world *w = *state;

	given_levels(w);
	given(w, "point.award", "{user_id: 7, amount: 250}");
	then(w, "{level: 4, level_up: true}");
	assert_string_equal(events(w), "user.created point.credited user.level_changed");
	then_event(w, 2, "{user_id: 7, from: 1, to: 4, balance: 250, level_name: 'Four', reward: null}");
	answers(w, "user.get", "{id: 7}", "{level: 4}");
	answers(w, "point.get", "{id: 7}",
		"{level: 4, level_name: 'Four', next_level: 5, points_to_next: 50, level_progress: %.17g}",
		49.5 / 99.5);
	given(w, "point.award", "{user_id: 7, amount: 1}");
	then(w, "{level: 4, level_up: false}");
	assert_string_equal(events(w), "point.credited");
}

static void the_level_never_falls(void **state)
{
	struct world *w = *state;

	given_levels(w);
	given(w, "point.award", "{user_id: 7, amount: 300}");
	given(w, "point.deduct", "{user_id: 7, amount: 299}");
	answers(w, "point.get", "{id: 7}",
		"{level: 5, next_level: null, points_to_next: 0, level_progress: 1.0, balance: 1}");
	given(w, "point.award", "{user_id: 7, amount: 150}");
	then(w, "{level: 5, level_up: false}");
	given(w, "point.deduct", "{user_id: 7, amount: 151}");
	given(w, "point.update", "{kind: 'level', id: 5, min_points: 400}");
	given(w, "point.create", "{kind: 'level', id: 9, name: 'Nine', min_points: 500}");
	answers(w, "point.get", "{id: 7}", "{level: 5, next_level: 9, points_to_next: 500, level_progress: 0.0}");
}

static void a_level_changed_deleted_or_refused_counts_at_once(void **state)
{
	struct world *w = *state;

	/* given somebody at level 2 of 1, 2, 4 and 5 */
	given_levels(w);
	given(w, "point.award", "{user_id: 7, amount: 150}");
	answers(w, "point.get", "{id: 7}", "{level: 2, level_name: 'Two', next_level: 4, points_to_next: 50.5}");
	/* when the next is renamed and moved, then a batch that moves it again is refused */
	given(w, "point.update", "{kind: 'level', id: 4, min_points: 180, name: 'IV'}");
	answers(w, "point.get", "{id: 7}", "{next_level: 4, points_to_next: 30}");
	assert_int_equal(when(w, "point.update", "{kind: 'level', id: 4, min_points: 500}"), E_INVALID_ARGUMENT);
	answers(w, "point.get", "{id: 7}", "{next_level: 4, points_to_next: 30}");
	/* then the next credit goes by it */
	given(w, "point.award", "{user_id: 7, amount: 30}");
	answers(w, "point.get", "{id: 7}", "{level: 4, level_name: 'IV', next_level: 5, points_to_next: 120}");
	/* and when it is deleted its name is gone, and nobody else reaches it */
	given(w, "point.delete", "{kind: 'level', id: 4}");
	answers(w, "point.get", "{id: 7}", "{level: 4, level_name: null, next_level: 5}");
	given(w, "point.award", "{user_id: 8, amount: 190}");
	answers(w, "point.get", "{id: 8}", "{level: 2, next_level: 5}");
}

static void the_exact_border_reaches_a_level(void **state)
{
	struct world *w = *state;

	given_levels(w);
	given(w, "point.award", "{user_id: 7, amount: 99.999}");
	then(w, "{level: 1, level_up: false}");
	given(w, "point.award", "{user_id: 7, amount: 0.001}");
	then(w, "{level: 2, level_up: true}");
	then_event(w, 1, "{from: 1, to: 2, balance: 100, level_name: 'Two', reward: 'A pin'}");
}

static void every_credit_lifts_the_level(void **state)
{
	struct world *w = *state;

	given_levels(w);
	set(w, "{points.post: 100, daily_gift.points: 101, points.checkin: 99}");
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	then(w, "{level: 2, points: 100, balance: 100}");
	assert_string_equal(events(w), "user.created user.activity_recorded point.credited user.level_changed");
	given(w, "user.claim_gift", "{user_id: 7}");
	assert_string_equal(events(w), "user.gift_claimed point.credited user.level_changed");
	given(w, "user.checkin", "{user_id: 7}");
	assert_string_equal(events(w), "user.checked_in point.credited user.level_changed");
	given(w, "point.transfer", "{from_user_id: 7, to_user_id: 8, amount: 300}");
	assert_string_equal(events(w), "user.created point.debited point.credited user.level_changed");
	then_event(w, 3, "{user_id: 8, from: 1, to: 5}");
}

static void awards_of_one_command_lift_each_user_once(void **state)
{
	struct world *w = *state;

	given_levels(w);
	given(w, "point.award_many",
	      "{items: [{user_id: 7, amount: 100}, {user_id: 8, amount: 100}, {user_id: 7, amount: 200}]}");
	assert_string_equal(events(w), "user.created point.credited user.created point.credited point.credited"
				       " user.level_changed user.level_changed");
	then_event(w, 5, "{user_id: 7, from: 1, to: 5}");
	then_event(w, 6, "{user_id: 8, from: 1, to: 2}");
}

static void a_changed_table_counts_from_the_next_credit(void **state)
{
	struct world *w = *state;

	given_levels(w);
	given(w, "point.award", "{user_id: 7, amount: 99}");
	given(w, "point.update", "{kind: 'level', id: 2, min_points: 50}");
	assert_string_equal(events(w), "point.level_updated");
	answers(w, "point.get", "{id: 7}", "{level: 1, next_level: 2, points_to_next: 0, level_progress: 1.0}");
	given(w, "point.award", "{user_id: 7, amount: 0.5}");
	then(w, "{level: 2, level_up: true}");
}

static void without_levels_everybody_is_at_the_first(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 7, amount: 5000}");
	then(w, "{level: 1, level_up: false}");
	answers(w, "point.get", "{id: 7}",
		"{level: 1, level_name: null, next_level: null, points_to_next: 0, level_progress: 1.0}");
}

static void levels_are_created_between_their_neighbours(void **state)
{
	struct world *w = *state;

	given_levels(w);
	refused(w, when(w, "point.create", "{kind: 'level', id: 2, name: 'x', min_points: 150}"), E_ALREADY_EXISTS,
		"{kind: 'level', id: 2}");
	refused(w, when(w, "point.create", "{kind: 'level', id: 3, name: 'x', min_points: 100}"), E_INVALID_ARGUMENT,
		"{field: 'min_points'}");
	refused(w, when(w, "point.create", "{kind: 'level', id: 3, name: 'x', min_points: 200.5}"), E_INVALID_ARGUMENT,
		"{field: 'min_points'}");
	refused(w, when(w, "point.create", "{kind: 'level', id: 1000, name: 'x', min_points: 300}"), E_INVALID_ARGUMENT,
		"{field: 'min_points'}");
	refused(w, when(w, "point.create", "{kind: 'level', id: 1001, name: 'x', min_points: 900}"), E_INVALID_ARGUMENT,
		"{field: 'id'}");
	refused(w, when(w, "point.create", "{kind: 'level', id: 0, name: 'x', min_points: 900}"), E_INVALID_ARGUMENT,
		"{field: 'id'}");
	refused(w, when(w, "point.create", "{kind: 'level', id: 3, name: ' ', min_points: 150}"), E_INVALID_ARGUMENT,
		"{field: 'name'}");
	refused(w, when(w, "point.create", "{kind: 'level', id: 3, min_points: 150}"), E_INVALID_ARGUMENT,
		"{field: 'name'}");
	refused(w,
		when(w, "point.create",
		     "{kind: 'level', id: 3, name: 'x', min_points: 150, unlocks_lore_id: 'old.map'}"),
		E_NOT_FOUND, "{kind: 'lore', id: 'old.map'}");
	refused(w,
		when(w, "point.create",
		     "{kind: 'level', id: 3, name: 'x', min_points: 150, unlocks_lore_id: 'old map'}"),
		E_INVALID_ARGUMENT, "{field: 'unlocks_lore_id'}");
	given(w, "point.create", "{id: 3, name: ' Three ', min_points: 150}"); /* the default kind of create */
	then(w, "{version: 1, item: {id: 3, name: 'Three', min_points: 150, reward: null, unlocks_lore_id: null, "
		"version: 1}}");
	then_event(w, 0, "{id: 3, name: 'Three', min_points: 150}");
}

static void levels_are_changed_between_their_neighbours(void **state)
{
	struct world *w = *state;

	given_levels(w);
	given(w, "point.update", "{kind: 'level', id: 2, name: 'Deux', min_points: 120, reward: null}");
	then(w, "{version: 2, item: {id: 2, name: 'Deux', min_points: 120, reward: null, version: 2}}");
	then_event(w, 0,
		   "{id: 2, changes: {name: 'Deux', min_points: 120, reward: null},"
		   " before: {name: 'Two', min_points: 100, reward: 'A pin'}}");
	given(w, "point.update", "{kind: 'level', id: 2, name: 'Deux', min_points: 120}");
	then(w, "{changed: false, version: 2}");
	refused(w, when(w, "point.update", "{kind: 'level', id: 2, min_points: 200.5}"), E_INVALID_ARGUMENT,
		"{field: 'min_points'}");
	refused(w, when(w, "point.update", "{kind: 'level', id: 2, min_points: 0}"), E_INVALID_ARGUMENT,
		"{field: 'min_points'}");
	refused(w, when(w, "point.update", "{kind: 'level', id: 2, min_points: -1}"), E_INVALID_ARGUMENT,
		"{field: 'min_points'}");
	refused(w, when(w, "point.update", "{kind: 'level', id: 2, name: null}"), E_INVALID_ARGUMENT,
		"{field: 'name'}");
	refused(w, when(w, "point.update", "{kind: 'level', id: 3, name: 'x'}"), E_NOT_FOUND, "{kind: 'level', id: 3}");
	refused(w, when(w, "point.update", "{kind: 'level', id: 2, unlocks_lore_id: 'x'}"), E_NOT_FOUND,
		"{kind: 'lore', id: 'x'}");
	refused(w, when(w, "point.update", "{kind: 'balance', id: 2}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void the_lowest_level_is_deleted_last(void **state)
{
	struct world *w = *state;

	given_levels(w);
	refused(w, when(w, "point.delete", "{kind: 'level', id: 1}"), E_IN_USE, "{reason: 'lowest_level'}");
	refused(w, when(w, "point.delete", "{kind: 'level', id: 3}"), E_NOT_FOUND, "{kind: 'level', id: 3}");
	for (int id = 5; id > 0; id -= id == 4 ? 2 : 1)
		given(w, "point.delete", "{kind: 'level', id: %d}", id);
	then(w, "{version: 2, changed: true}");
	assert_string_equal(events(w), "point.level_deleted");
	refused(w, when(w, "point.delete", "{kind: 'level', id: 1}"), E_NOT_FOUND, "{}");
	given(w, "point.create", "{kind: 'level', id: 1, name: 'Again', min_points: 7}");
	then(w, "{version: 3}");
	answers(w, "point.list", "{kind: 'level'}", "{items: [{id: 1, min_points: 7, version: 3}]}");
}

static void default_levels_fill_the_gaps(void **state)
{
	struct world *w = *state;

	given(w, "point.create", "{kind: 'level', id: 2, name: 'Mine', min_points: 1200}");
	given(w, "server.install_defaults", "{parts: ['levels']}");
	then(w, "{changed: true, created: {levels: 18}}"); /* 2 is there, 3 would not fit */
	answers(w, "point.list", "{kind: 'level', limit: 3}",
		"{items: [{id: 1, name: 'Novato'}, {id: 2, name: 'Mine'},"
		" {id: 4, name: 'Explorador', min_points: 1500, reward: null}]}");
	answers(w, "point.get", "{kind: 'level', id: 20}",
		"{name: 'Cosmos', min_points: 14500, reward: 'Recompensa épica'}");
	given(w, "server.install_defaults", "{parts: ['levels']}");
	then(w, "{changed: false, created: {levels: 0}}");
}

/* ---- holds ---- */

static void a_hold_takes_from_what_is_available(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given(w, "point.award", "{user_id: 7, amount: 10}");
	hold(w, 1, 7, 4000, 4000);
	then_event(w, 0,
		   "{hold: {id: 1, user_id: 7, amount: 4, status: 'held', auction_id: 3, bid_id: 1, closed_at: null},"
		   " held_after: 4}");
	hold(w, 2, 7, 1500, 5500);
	answers(w, "point.get", "{id: 7, amount: 4.5}",
		"{balance: 10, held: 5.5, available: 4.5, sufficient: true, version: 3}");
	answers(w, "point.get", "{id: 7, amount: 4.501}", "{sufficient: false}");
	answers(w, "point.stats", "{}", "{held_points: 5.5, holds_open: 2}");

	w->now += SECOND;
	d = commit_begin(w);
	EMIT(d, point_released, .hold_id = 1, .user_id = 7, .amount = 4000, .held_after = 1500,
	     .reason = SLICE_LIT("outbid"));
	commit_end(w);
	answers(w, "point.get", "{id: 7}", "{held: 1.5, available: 8.5, transactions: 1, version: 4}");
	d = commit_begin(w);
	EMIT(d, point_captured, .hold_id = 2, .user_id = 7, .amount = 1500, .balance_after = 8500, .held_after = 0,
	     .source = SLICE_LIT("auction"), .ref = make_ref(d->arena, "auction", 3));
	commit_end(w);
	answers(w, "point.get", "{id: 7}",
		"{balance: 8.5, held: 0, available: 8.5, transactions: 2, total_spent: 1.5, version: 5}");
	answers(w, "point.stats", "{}",
		"{held_points: 0, holds_open: 0, total_points: 8.5, by_source: {auction: {count: 1, earned: 0, spent: "
		"1.5}}}");
	answers(w, "point.list", "{kind: 'hold', user_id: 7, status: 'any'}",
		"{items: [{id: 1, status: 'released', closed_at: %lld}, {id: 2, status: 'captured', closed_at: %lld}]}",
		(long long)w->now, (long long)w->now);
	answers(w, "point.list", "{kind: 'transaction', user_id: 7, limit: 1}",
		"{items: [{amount: -1.5, source: 'auction', ref: {kind: 'auction', id: 3}, description: ''}]}");
	answers(w, "point.verify", "{user_id: 7}", "{ok: true, transactions: 2}");
	answers(w, "point.verify", "{}", "{ok: true}");
}

static void a_balance_that_does_not_add_up_is_remembered(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given(w, "point.award", "{user_id: 7, amount: 10}");
	d = commit_begin(w);
	EMIT(d, point_credited, .user_id = 7, .amount = 1000, .base = 1000, .multiplier = 1, .balance_after = 12000,
	     .source = SLICE_LIT("x"), .description = SLICE_LIT(""));
	commit_end(w);
	answers(w, "point.get", "{id: 7}", "{balance: 12}");
	answers(w, "point.verify", "{user_id: 7}", "{ok: false, first_bad_id: 3, balance: 12, computed: 11}");
	answers(w, "point.verify", "{}", "{ok: false, mismatches: [7]}");
}

/* ---- rewards ---- */

static void rewards_have_unique_titles(void **state)
{
	struct world *w = *state;
	long long at = w->now;

	given(w, "point.create",
	      "{kind: 'reward', title: ' Straße ', required_points: 50, description: 'd', reward_type: 't',"
	      " image_url: 'u'}");
	then(w,
	     "{version: 1, item: {id: 1, title: 'Straße', required_points: 50, description: 'd', reward_type: 't',"
	     " image_url: 'u', is_active: true, created_at: %lld, updated_at: %lld, version: 1}}",
	     at, at);
	then_event(w, 0, "{id: 1, title: 'Straße', is_active: true}");
	refused(w, when(w, "point.create", "{kind: 'reward', title: 'STRASSE', required_points: 1}"), E_ALREADY_EXISTS,
		"{kind: 'reward', id: 1}");
	given(w, "point.create", "{kind: 'reward', title: 'Hat', required_points: 0, is_active: false}");
	then(w, "{item: {id: 2, is_active: false, description: null}}");
	refused(w, when(w, "point.update", "{kind: 'reward', id: 2, title: 'strasse'}"), E_ALREADY_EXISTS, "{id: 1}");
	given(w, "point.update", "{kind: 'reward', id: 1, title: 'STRASSE'}");
	then(w, "{version: 2, item: {title: 'STRASSE'}}");
	given(w, "point.update", "{kind: 'reward', id: 1, title: 'Cap'}");
	given(w, "point.update", "{kind: 'reward', id: 2, title: 'strasse'}");
	refused(w, when(w, "point.create", "{kind: 'reward', title: '  ', required_points: 1}"), E_INVALID_ARGUMENT,
		"{field: 'title'}");
	refused(w, when(w, "point.create", "{kind: 'reward', title: 'x'}"), E_INVALID_ARGUMENT,
		"{field: 'required_points'}");
	refused(w, when(w, "point.create", "{kind: 'reward', title: 'x', required_points: -1}"), E_INVALID_ARGUMENT,
		"{field: 'required_points'}");
	refused(w, when(w, "point.create", "{kind: 'reward', id: 5, title: 'x', required_points: 1}"),
		E_INVALID_ARGUMENT, "{field: 'id'}");
}

static void a_title_may_hold_any_character(void **state)
{
	struct world *w = *state;
	char zeros[200 * 6 + 1] = "";

	for (int i = 0; i < 200; i++)
		memcpy(zeros + 6 * i, "\\u0000", 6);
	given(w, "point.create", "{kind: 'reward', title: '%s', required_points: 1}", zeros);
	refused(w, when(w, "point.create", "{kind: 'reward', title: '%s', required_points: 1}", zeros),
		E_ALREADY_EXISTS, "{kind: 'reward', id: 1}");
	given(w, "point.update", "{kind: 'reward', id: 1, title: 'a'}");
	given(w, "point.create", "{kind: 'reward', title: '%s', required_points: 1}", zeros);
}

static void rewards_are_changed_in_part(void **state)
{
	struct world *w = *state;

	given(w, "point.create", "{kind: 'reward', title: 'Cap', required_points: 50, description: 'd'}");
	w->now += SECOND;
	given(w, "point.update", "{kind: 'reward', id: 1, description: null, required_points: 60, is_active: false}");
	then(w,
	     "{version: 2, item: {description: null, required_points: 60, is_active: false, title: 'Cap', updated_at: "
	     "%lld}}",
	     (long long)w->now);
	then_event(w, 0,
		   "{id: 1, changes: {description: null, required_points: 60, is_active: false},"
		   " before: {description: 'd', required_points: 50, is_active: true}}");
	given(w, "point.update", "{kind: 'reward', id: 1, is_active: false}");
	then(w, "{changed: false}");
	refused(w, when(w, "point.update", "{kind: 'reward', id: 9, title: 'x'}"), E_NOT_FOUND,
		"{kind: 'reward', id: 9}");
	refused(w, when(w, "point.update", "{kind: 'reward', id: 1, required_points: null}"), E_INVALID_ARGUMENT,
		"{field: 'required_points'}");
}

static void a_claim_needs_points_and_comes_once(void **state)
{
	struct world *w = *state;

	given(w, "point.create", "{kind: 'reward', title: 'Cap', required_points: 50}");
	given(w, "point.award", "{user_id: 7, amount: 49.5}");
	refused(w, when(w, "point.claim_reward", "{user_id: 7, reward_id: 1}"), E_REQUIREMENTS_NOT_MET,
		"{missing: 0.5}");
	given(w, "point.award", "{user_id: 7, amount: 0.5}");
	hold(w, 1, 7, 50000, 50000); /* the balance counts, held or not */
	given(w, "point.claim_reward", "{user_id: 7, reward_id: 1}");
	then(w, "{changed: true, version: 4}");
	assert_string_equal(events(w), "point.reward_claimed");
	then_event(w, 0, "{user_id: 7, reward_id: 1, balance: 50}");
	answers(w, "point.get", "{id: 7}", "{balance: 50}");
	refused(w, when(w, "point.claim_reward", "{user_id: 7, reward_id: 1}"), E_ALREADY_EXISTS,
		"{kind: 'claim', id: 1}");
	answers(w, "point.get", "{kind: 'reward', id: 1, user_id: 7}", "{user: {claimed_at: %lld, claimable: false}}",
		(long long)w->now);
	refused(w, when(w, "point.claim_reward", "{user_id: 7, reward_id: 2}"), E_NOT_FOUND, "{kind: 'reward', id: 2}");
	refused(w, when(w, "point.claim_reward", "{user_id: 8, reward_id: 1}"), E_NOT_FOUND, "{kind: 'user', id: 8}");
}

static void a_claim_needs_an_active_reward_and_a_role(void **state)
{
	struct world *w = *state;

	given(w, "point.create", "{kind: 'reward', title: 'Cap', required_points: 0, is_active: false}");
	given(w, "user.create", "{id: 7}");
	refused(w, when(w, "point.claim_reward", "{user_id: 7, reward_id: 1}"), E_NOT_ACTIVE, "{status: 'inactive'}");
	given(w, "point.update", "{kind: 'reward', id: 1, is_active: true}");
	set(w, "{access.reward: 'vip'}");
	refused(w, when(w, "point.claim_reward", "{user_id: 7, reward_id: 1}"), E_FORBIDDEN,
		"{reason: 'access.reward'}");
	refused(w, when(w, "point.claim_reward", "{user_id: 7, reward_id: 9}"), E_FORBIDDEN, "{}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "point.claim_reward", "{user_id: 7, reward_id: 1}");
}

static void claims_leave_with_their_reward_but_not_with_their_user(void **state)
{
	struct world *w = *state;

	given(w, "point.create", "{kind: 'reward', title: 'Cap', required_points: 0}");
	given(w, "point.create", "{kind: 'reward', title: 'Hat', required_points: 0}");
	for (int id = 1; id <= 3; id++)
		given(w, "user.create", "{id: %d}", id);
	for (int id = 1; id <= 3; id++, w->now += SECOND) {
		given(w, "point.claim_reward", "{user_id: %d, reward_id: 1}", id);
		given(w, "point.claim_reward", "{user_id: %d, reward_id: 2}", id);
	}
	given(w, "user.delete", "{id: 2}");
	given(w, "point.delete", "{kind: 'reward', id: 1}");
	assert_string_equal(events(w), "point.reward_deleted");
	answers(w, "point.list", "{kind: 'claim', reward_id: 1}", "{items: [], next: null}");
	answers(w, "point.list", "{kind: 'claim', user_id: 3}", "{items: [{user_id: 3, reward_id: 2}]}");
	answers(w, "point.list", "{kind: 'claim', reward_id: 2}",
		"{items: [{user_id: 3}, {user_id: 2}, {user_id: 1}]}");
	given(w, "user.create", "{id: 2}");
	refused(w, when(w, "point.claim_reward", "{user_id: 2, reward_id: 2}"), E_ALREADY_EXISTS, "{}");
	refused(w, when(w, "point.claim_reward", "{user_id: 2, reward_id: 1}"), E_NOT_FOUND, "{}");
	refused(w, when(w, "point.delete", "{kind: 'reward', id: 1}"), E_NOT_FOUND, "{kind: 'reward', id: 1}");
	given(w, "point.create", "{kind: 'reward', title: 'cap', required_points: 0}");
	then(w, "{item: {id: 3}}"); /* the title is free again, the id is not */
}

/* ---- several commands in one commit ---- */

static void commands_of_a_batch_answer_for_themselves(void **state)
{
	struct world *w = *state;

	given_levels(w);
	commit_begin(w);
	given(w, "point.award", "{user_id: 7, amount: 150}");
	then(w, "{balance: 150, level_up: true, seq: 7}");
	given(w, "point.award", "{user_id: 8, amount: 5}");
	then(w, "{balance: 5, level_up: false, seq: 9, transaction: {user_id: 8, amount: 5}}");
	given(w, "point.deduct", "{user_id: 7, amount: 50}");
	then(w, "{balance: 100, transaction: {amount: -50}}");
	given(w, "user.record_activity", "{user_id: 7, action: 'post'}");
	then(w, "{points: 5, balance: 105}");
	given(w, "point.transfer", "{from_user_id: 7, to_user_id: 8, amount: 5}");
	then(w, "{out: {amount: -5}, in: {amount: 5, balance_after: 10}}");
	given(w, "point.award_many", "{items: [{user_id: 8, amount: 1}]}");
	then(w, "{transactions: [{user_id: 8, amount: 1, balance_after: 11}]}");
	given(w, "user.create", "{id: 7, if_exists: 'return'}");
	then(w, "{changed: false, seq: 0}");
	commit_end(w);
	answers(w, "point.stats", "{}", "{transactions: 7, total_points: 111}");
}

static void a_commit_has_at_most_4096_events(void **state)
{
	struct world *w = *state;
	int rc = 0, n = 0;

	commit_begin(w);
	while (rc == 0 && n < 10000) {
		rc = when(w, "point.award", "{user_id: 7, amount: 1}");
		n++;
	}
	assert_int_equal(n, COMMIT_EVENTS_MAX); /* one of them created the user */
	refused(w, rc, E_LIMIT_EXCEEDED, "{limit: 4096}");
	assert_int_equal(w->head, 0);
}

static void free_texts_share_a_counter_beyond_200(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 205; i++)
		given(w, "point.award", "{user_id: 7, amount: 1, source: 's%d'}", i);
	given(w, "point.award", "{user_id: 7, amount: 1, source: 's3'}");
	answers(w, "point.stats", "{}",
		"{by_source: {s3: {count: 2}, s199: {count: 1}, other: {count: 5, earned: 5}}}");
	assert_int_equal(json_object_size(json_object_get(w->result, "by_source")), 201);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_award_credits_and_creates_the_user),
		WORLD_TEST(amounts_are_exact_thousandths),
		WORLD_TEST(balances_have_a_ceiling),
		WORLD_TEST(a_multiplied_amount_stays_below_the_ceiling_too),
		WORLD_TEST(all_credits_of_the_ledger_stay_countable),
		WORLD_TEST(awards_are_multiplied_for_vips),
		WORLD_TEST(a_ref_is_a_kind_and_an_id),
		WORLD_TEST(texts_of_an_award_have_limits),
		WORLD_TEST(many_awards_are_one_commit),
		WORLD_TEST(many_awards_are_all_or_none),
		WORLD_TEST(a_thousand_awards_fit_one_command),
		WORLD_TEST(a_deduction_takes_available_points),
		WORLD_TEST(a_deduction_moves_the_day_and_source_counters),
		WORLD_TEST(a_transfer_moves_points_and_names_both_sides),
		WORLD_TEST(a_transfer_needs_a_payer_who_can_pay),
		WORLD_TEST(a_credit_lifts_the_level_over_several),
		WORLD_TEST(the_level_never_falls),
		WORLD_TEST(a_level_changed_deleted_or_refused_counts_at_once),
		WORLD_TEST(the_exact_border_reaches_a_level),
		WORLD_TEST(every_credit_lifts_the_level),
		WORLD_TEST(awards_of_one_command_lift_each_user_once),
		WORLD_TEST(a_changed_table_counts_from_the_next_credit),
		WORLD_TEST(without_levels_everybody_is_at_the_first),
		WORLD_TEST(levels_are_created_between_their_neighbours),
		WORLD_TEST(levels_are_changed_between_their_neighbours),
		WORLD_TEST(the_lowest_level_is_deleted_last),
		WORLD_TEST(default_levels_fill_the_gaps),
		WORLD_TEST(a_hold_takes_from_what_is_available),
		WORLD_TEST(a_balance_that_does_not_add_up_is_remembered),
		WORLD_TEST(rewards_have_unique_titles),
		WORLD_TEST(a_title_may_hold_any_character),
		WORLD_TEST(rewards_are_changed_in_part),
		WORLD_TEST(a_claim_needs_points_and_comes_once),
		WORLD_TEST(a_claim_needs_an_active_reward_and_a_role),
		WORLD_TEST(claims_leave_with_their_reward_but_not_with_their_user),
		WORLD_TEST(commands_of_a_batch_answer_for_themselves),
		WORLD_TEST(a_commit_has_at_most_4096_events),
		WORLD_TEST(free_texts_share_a_counter_beyond_200),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
