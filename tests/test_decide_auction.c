/* Commands of auctions: their life, bids and holds, participants, timers; and that the books balance after each test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/world.h"

/* ---- what is always true ---- */

enum { USERS_MAX = 64 };

/* What each user should have held: the leading bids in active auctions. */
static int64_t leading_bids(struct world *w, int64_t held[USERS_MAX])
{
	struct row_walk rows;
	struct key all;
	int64_t sum = 0;

	row_walk_begin(&rows, w->state, T_auction, key_begin(&all), false);
	while (row_walk_next(&rows)) {
		struct mp m = mp_of(rows.value);
		struct auction a;
		struct hold h;
		struct bid b;

		assert_true(record_get(&m, record_auction(), &a, &w->arena));
		if (a.deleted || !slice_is(a.status, "active") || !a.has_leading_bid_id)
			continue;
		assert_true(get_bid(w->state, a.leading_bid_id, &b) && bid_standing(&b));
		assert_true(get_hold(w->state, b.hold_id, &h) && slice_is(h.status, "held"));
		assert_int_equal(h.bid_id, b.id);
		assert_int_equal(h.amount, a.current_bid);
		assert_int_equal(h.user_id, a.highest_bidder_id);
		assert_int_equal(a.winning_bid_id, a.leading_bid_id);
		assert_in_range(h.user_id, 0, USERS_MAX - 1);
		held[h.user_id] += h.amount;
		sum += h.amount;
	}
	row_walk_end(&rows);
	return sum;
}

/* Held of a user = that user's leading bids in active auctions; the sum of all = point_totals.held. */
static void books_balance(struct world *w)
{
	int64_t held[USERS_MAX] = { 0 }, sum = leading_bids(w, held);
	struct point_totals totals = { 0 };

	for (int id = 1; id < USERS_MAX; id++) {
		struct balance b = { 0 };

		get_balance(w->state, (uint64_t)id, &b);
		assert_int_equal(b.held, held[id]);
		assert_true(b.held <= b.balance);
	}
	get_point_totals(w->state, 0, &totals);
	assert_int_equal(totals.held, sum);
	state_rollback(w->state);
	arena_reset(&w->arena);
	answers(w, "point.verify", "{}", "{ok: true}");
}

static int teardown(void **state)
{
	books_balance(*state);
	return world_teardown(state);
}

#define AUCTION_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, teardown)

/* ---- given ---- */

static void given_points(struct world *w, int id, const char *amount)
{
	given(w, "point.award", "{user_id: %d, amount: %s}", id, amount);
}

/* Users 1..n with 1000 points each. */
static void given_users(struct world *w, int n)
{
	for (int id = 1; id <= n; id++)
		given_points(w, id, "1000");
}

/* An hour of auction 1, 2, ... by user 1: from 50 points, in steps of 10. */
static void given_auction(struct world *w)
{
	given(w, "auction.create",
	      "{name: 'A lamp', prize_description: 'A lamp of brass', initial_price: 50, created_by: 1,"
	      " duration_minutes: 60, start: true}");
}

static void given_pending(struct world *w)
{
	given(w, "auction.create",
	      "{name: 'A lamp', prize_description: 'A lamp of brass', initial_price: 50, created_by: 1,"
	      " duration_minutes: 60}");
}

static void bid(struct world *w, int auction, int user, int amount)
{
	given(w, "auction.bid", "{auction_id: %d, user_id: %d, amount: %d}", auction, user, amount);
}

/* held and available of a user, in whole points */
static void has(struct world *w, int user, int held, int available)
{
	char params[32];

	snprintf(params, sizeof(params), "{id: %d}", user);
	answers(w, "point.get", params, "{held: %d, available: %d}", held, available);
}

static long long when_ends(struct world *w, int64_t minutes)
{
	return w->now + minutes * MINUTE;
}

/* ---- create ---- */

static void an_auction_is_created_pending(void **state)
{
	struct world *w = *state;

	given_users(w, 1);
	given(w, "auction.create",
	      "{name: '  A lamp ', prize_description: 'A lamp of brass', initial_price: 50.5, created_by: 1,"
	      " duration_minutes: 90, description: 'Old', max_participants: 3, min_bid_increment: 2.5,"
	      " auto_extend_minutes: 0, start_at: %lld}",
	      when_ends(w, 10));
	then(w,
	     "{version: 1, changed: true, item: {id: 1, version: 1, name: 'A lamp', description: 'Old',"
	     " prize_description: 'A lamp of brass', initial_price: 50.5, min_bid_increment: 2.5, max_participants: 3,"
	     " auto_extend_minutes: 0, duration_minutes: 90, status: 'pending', start_at: %lld, end_at: null,"
	     " ended_at: null, current_bid: 0, highest_bidder_id: null, winning_bid_id: null, winner_id: null,"
	     " bid_count: 0, participant_count: 0, extensions: 0, created_by: 1, created_at: %lld, updated_at: %lld,"
	     " min_next_bid: 50.5, time_left_ms: 0}}",
	     when_ends(w, 10), (long long)w->now, (long long)w->now);
	assert_string_equal(events(w), "auction.created");
	then_event(w, 0, "{id: 1, name: 'A lamp', created_by: 1, status: 'pending', min_bid_increment: 2.5}");
}

static void defaults_of_an_auction_are_settings(void **state)
{
	struct world *w = *state;

	given_users(w, 1);
	given_auction(w);
	then(w,
	     "{version: 2, item: {id: 1, min_bid_increment: 10, auto_extend_minutes: 5, max_participants: null,"
	     " description: null, status: 'active', start_at: %lld, end_at: %lld, duration_minutes: 60,"
	     " time_left_ms: 3600000}}",
	     (long long)w->now, when_ends(w, 60));
	assert_string_equal(events(w), "auction.created auction.started");
	then_event(w, 1, "{auction_id: 1, start_at: %lld, end_at: %lld, due_at: null}", (long long)w->now,
		   when_ends(w, 60));
	given(w, "config.set", "{entries: {auctions.min_bid_increment: 0.5, auctions.auto_extend_minutes: 0}}");
	given_auction(w);
	then(w, "{item: {id: 2, min_bid_increment: 0.5, auto_extend_minutes: 0}}");
}

#define LAMP "name: 'A lamp', prize_description: 'Brass', initial_price: 50, created_by: 1"

static void an_auction_needs_good_params(void **state)
{
	static const struct {
		const char *params, *field;
	} bad[] = {
		{ "{" LAMP "}", "duration_minutes" },
		{ "{" LAMP ", duration_minutes: 5, end_at: 1900000000000}", "duration_minutes" },
		{ "{" LAMP ", duration_minutes: 0}", "duration_minutes" },
		{ "{" LAMP ", duration_minutes: 525601}", "duration_minutes" },
		{ "{" LAMP ", end_at: 1772452800000}", "end_at" },
		{ "{" LAMP ", end_at: 1800000000000, start_at: 1800000000000}", "end_at" },
		{ "{" LAMP ", duration_minutes: 5, start_at: 1772452799999}", "start_at" },
		{ "{" LAMP ", duration_minutes: 5, start_at: 1800000000000, start: true}", "start_at" },
		{ "{" LAMP ", duration_minutes: 5, min_bid_increment: 0}", "min_bid_increment" },
		{ "{" LAMP ", duration_minutes: 5, auto_extend_minutes: 1441}", "auto_extend_minutes" },
		{ "{" LAMP ", duration_minutes: 5, auto_extend_minutes: -1}", "auto_extend_minutes" },
		{ "{" LAMP ", duration_minutes: 5, max_participants: 0}", "max_participants" },
		{ "{" LAMP ", duration_minutes: 5, status: 'active'}", "status" },
		{ "{" LAMP ", duration_minutes: 5, current_bid: 5}", "current_bid" },
		{ "{" LAMP ", duration_minutes: 5, kind: 'bid'}", "kind" },
		{ "{name: ' Ab ', prize_description: 'Brass', initial_price: 50, created_by: 1, duration_minutes: 5}",
		  "name" },
		{ "{name: 'Abc', prize_description: 'Bras', initial_price: 50, created_by: 1, duration_minutes: 5}",
		  "prize_description" },
		{ "{name: 'Abc', prize_description: 'Brass', initial_price: 0.999, created_by: 1, duration_minutes: 5}",
		  "initial_price" },
		{ "{name: 'Abc', prize_description: 'Brass', initial_price: 1, duration_minutes: 5}", "created_by" },
	};
	struct world *w = *state;

	given_users(w, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "auction.create", "%s", bad[i].params), E_INVALID_ARGUMENT, "{field: '%s'}",
			bad[i].field);
	refused(w,
		when(w, "auction.create",
		     "{name: 'Abc', prize_description: 'Brass', initial_price: 1, created_by: 9, duration_minutes: 5}"),
		E_NOT_FOUND, "{kind: 'user', id: 9}");
	given(w, "auction.create", "{" LAMP ", end_at: %lld, start_at: %lld}", (long long)w->now + 1,
	      (long long)w->now);
}

/* ---- update ---- */

static void a_pending_auction_can_be_changed_whole(void **state)
{
	struct world *w = *state;

	given_users(w, 1);
	given_pending(w);
	given(w, "auction.update",
	      "{id: 1, name: 'A clock', description: 'Ticks', prize_description: 'It ticks', initial_price: 5,"
	      " min_bid_increment: 1, max_participants: 2, auto_extend_minutes: 7, duration_minutes: null,"
	      " start_at: %lld, end_at: %lld}",
	      when_ends(w, 1), when_ends(w, 2));
	then(w,
	     "{version: 2, item: {name: 'A clock', description: 'Ticks', prize_description: 'It ticks', "
	     "initial_price: 5,"
	     " min_bid_increment: 1, max_participants: 2, auto_extend_minutes: 7, duration_minutes: null, start_at: "
	     "%lld,"
	     " end_at: %lld, status: 'pending', min_next_bid: 5}}",
	     when_ends(w, 1), when_ends(w, 2));
	assert_string_equal(events(w), "auction.updated");
	given(w, "auction.update", "{id: 1, name: 'The clock', description: null}");
	then_event(w, 0,
		   "{id: 1, changes: {name: 'The clock', description: null}, before: {name: 'A clock', description: "
		   "'Ticks'}}");
	given(w, "auction.update", "{id: 1, name: 'The clock'}");
	then(w, "{changed: false, seq: 0, version: 3}");
	refused(w, when(w, "auction.update", "{id: 1, duration_minutes: 5}"), E_INVALID_ARGUMENT,
		"{field: 'duration_minutes'}");
	refused(w, when(w, "auction.update", "{id: 1, end_at: null}"), E_INVALID_ARGUMENT,
		"{field: 'duration_minutes'}");
	refused(w, when(w, "auction.update", "{id: 1, end_at: %lld}", when_ends(w, 1)), E_INVALID_ARGUMENT,
		"{field: 'end_at'}");
	refused(w, when(w, "auction.update", "{id: 1, start_at: %lld}", when_ends(w, -1)), E_INVALID_ARGUMENT,
		"{field: 'start_at'}");
	refused(w, when(w, "auction.update", "{id: 1, name: 'Ab'}"), E_INVALID_ARGUMENT, "{field: 'name'}");
	refused(w, when(w, "auction.update", "{id: 1, created_by: 1}"), E_INVALID_ARGUMENT, "{field: 'created_by'}");
	refused(w, when(w, "auction.update", "{id: 1, winner_id: 1}"), E_INVALID_ARGUMENT, "{field: 'winner_id'}");
	refused(w, when(w, "auction.update", "{id: 9, name: 'Nothing'}"), E_NOT_FOUND, "{kind: 'auction', id: 9}");
	refused(w, when(w, "auction.update", "{id: 1, kind: 'bid', name: 'Nothing'}"), E_INVALID_ARGUMENT,
		"{field: 'kind'}");
}

static void a_running_auction_keeps_price_and_times(void **state)
{
	static const char *const fixed[][2] = {
		{ "initial_price", "5" },        { "min_bid_increment", "5" },  { "duration_minutes", "5" },
		{ "start_at", "1800000000000" }, { "end_at", "1800000000000" },
	};
	struct world *w = *state;

	given_users(w, 3);
	given_auction(w);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		refused(w, when(w, "auction.update", "{id: 1, %s: %s}", fixed[i][0], fixed[i][1]), E_INVALID_ARGUMENT,
			"{field: '%s'}", fixed[i][0]);
	given(w, "auction.join", "{auction_id: 1, user_id: 2}");
	given(w, "auction.join", "{auction_id: 1, user_id: 3}");
	refused(w, when(w, "auction.update", "{id: 1, max_participants: 1}"), E_INVALID_ARGUMENT,
		"{field: 'max_participants'}");
	given(w, "auction.update",
	      "{id: 1, name: 'A clock', description: 'Ticks', prize_description: 'It ticks', max_participants: 2,"
	      " auto_extend_minutes: 0}");
	then(w, "{item: {name: 'A clock', max_participants: 2, auto_extend_minutes: 0}}");
	given(w, "auction.end", "{auction_id: 1}");
	refused(w, when(w, "auction.update", "{id: 1, name: 'A clock'}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'ended', end_at: %lld}", when_ends(w, 60));
}

/* ---- delete ---- */

static void an_auction_that_runs_cannot_be_deleted(void **state)
{
	struct world *w = *state;

	given_users(w, 2);
	given_pending(w);
	given(w, "auction.delete", "{id: 1}");
	then(w, "{version: 2, changed: true}");
	assert_string_equal(events(w), "auction.deleted");
	refused(w, when(w, "auction.delete", "{id: 1}"), E_NOT_FOUND, "{kind: 'auction', id: 1}");
	refused(w, ask(w, "auction.get", "{id: 1}"), E_NOT_FOUND, "{kind: 'auction', id: 1}");
	given_auction(w);
	then(w, "{item: {id: 2}}");
	bid(w, 2, 2, 50);
	refused(w, when(w, "auction.delete", "{id: 2}"), E_IN_USE, "{reason: 'active_auction'}");
	given(w, "auction.end", "{auction_id: 2}");
	given(w, "auction.delete", "{id: 2}");
	refused(w, ask(w, "auction.get", "{kind: 'bid', id: 1}"), E_NOT_FOUND, "{kind: 'bid', id: 1}");
	refused(w, ask(w, "auction.get", "{kind: 'participant', auction_id: 2, user_id: 2}"), E_NOT_FOUND,
		"{kind: 'auction', id: 2}");
	answers(w, "auction.list", "{kind: 'bid', user_id: 2}", "{items: []}");
	answers(w, "auction.list", "{kind: 'participant', user_id: 2}", "{items: []}");
	answers(w, "auction.list", "{query: 'lamp'}", "{items: []}");
	answers(w, "auction.list", "{winner_id: 2}", "{items: []}");
	answers(w, "auction.list", "{created_by: 1}", "{items: []}");
	answers(w, "auction.stats", "{}", "{total: 0, bids: 1, points_captured: 50}");
}

/* ---- start, extend, cancel ---- */

static void the_duration_runs_from_the_start(void **state)
{
	struct world *w = *state;

	given_users(w, 1);
	given_pending(w);
	w->now += DAY;
	given(w, "auction.start", "{auction_id: 1}");
	then(w, "{version: 2}");
	then_event(w, 0, "{auction_id: 1, start_at: %lld, end_at: %lld, due_at: null}", (long long)w->now,
		   when_ends(w, 60));
	refused(w, when(w, "auction.start", "{auction_id: 1}"), E_AUCTION_NOT_PENDING, "{status: 'active'}");
	refused(w, when(w, "auction.start", "{auction_id: 2}"), E_NOT_FOUND, "{kind: 'auction', id: 2}");
	given(w, "auction.create", "{" LAMP ", end_at: %lld}", when_ends(w, 5));
	w->now += 5 * MINUTE;
	refused(w, when(w, "auction.start", "{auction_id: 2}"), E_INVALID_ARGUMENT, "{field: 'end_at'}");
	/* its name can be changed all the same */
	given(w, "auction.update", "{id: 2, name: 'Too late'}");
	given(w, "auction.update", "{id: 2, end_at: %lld}", when_ends(w, 1));
	given(w, "auction.start", "{auction_id: 2}");
	then_event(w, 0, "{end_at: %lld}", when_ends(w, 1));
}

static void the_end_can_be_moved(void **state)
{
	struct world *w = *state;
	long long end;

	given_users(w, 1);
	given_pending(w);
	given(w, "auction.extend", "{auction_id: 1, minutes: 30}");
	assert_string_equal(events(w), "auction.extended");
	then_event(w, 0,
		   "{auction_id: 1, end_at: null, before_end_at: null, duration_minutes: 90, automatic: false, "
		   "minutes: 30}");
	given(w, "auction.start", "{auction_id: 1}");
	end = when_ends(w, 90);
	given(w, "auction.extend", "{auction_id: 1, minutes: 30}");
	then_event(w, 0, "{end_at: %lld, before_end_at: %lld, duration_minutes: 90, minutes: 30}", end + 30 * MINUTE,
		   end);
	answers(w, "auction.get", "{id: 1}", "{extensions: 2, end_at: %lld, time_left_ms: 7200000}", end + 30 * MINUTE);
	given(w, "auction.create", "{" LAMP ", end_at: %lld}", end);
	given(w, "auction.extend", "{auction_id: 2, minutes: 1}");
	then_event(w, 0, "{end_at: %lld, before_end_at: %lld, duration_minutes: null}", end + MINUTE, end);
	refused(w, when(w, "auction.extend", "{auction_id: 1, minutes: 0}"), E_INVALID_ARGUMENT, "{field: 'minutes'}");
	refused(w, when(w, "auction.extend", "{auction_id: 1, minutes: 525601}"), E_INVALID_ARGUMENT,
		"{field: 'minutes'}");
	refused(w, when(w, "auction.extend", "{auction_id: 9, minutes: 1}"), E_NOT_FOUND, "{kind: 'auction', id: 9}");
	w->now = end + 30 * MINUTE;
	refused(w, when(w, "auction.extend", "{auction_id: 1, minutes: 1}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'active', end_at: %lld}", end + 30 * MINUTE);
	given(w, "auction.cancel", "{auction_id: 2}");
	refused(w, when(w, "auction.extend", "{auction_id: 2, minutes: 1}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'cancelled'}");
}

static void no_auction_outlives_the_calendar(void **state)
{
	struct world *w = *state;

	given_users(w, 1);
	given(w, "auction.create", "{" LAMP ", end_at: 253402300799000}");
	refused(w, when(w, "auction.extend", "{auction_id: 1, minutes: 1}"), E_LIMIT_EXCEEDED,
		"{limit: 253402300799999}");
}

static void a_cancelled_auction_releases_its_hold(void **state)
{
	struct world *w = *state;

	given_users(w, 2);
	given_auction(w);
	bid(w, 1, 2, 60);
	given(w, "auction.cancel", "{auction_id: 1, reason: 'broken'}");
	then(w, "{changed: true, version: 5}");
	assert_string_equal(events(w), "auction.cancelled point.released");
	then_event(w, 0, "{auction_id: 1, reason: 'broken'}");
	then_event(w, 1, "{hold_id: 1, user_id: 2, amount: 60, held_after: 0, reason: 'cancelled'}");
	has(w, 2, 0, 1000);
	answers(w, "auction.get", "{id: 1}", "{status: 'cancelled', ended_at: %lld, winner_id: null, time_left_ms: 0}",
		(long long)w->now);
	answers(w, "auction.get", "{kind: 'bid', id: 1}", "{status: 'released', is_winning: false, hold_id: null}");
	refused(w, when(w, "auction.cancel", "{auction_id: 1}"), E_AUCTION_NOT_ACTIVE, "{status: 'cancelled'}");
	refused(w, when(w, "auction.cancel", "{auction_id: 9}"), E_NOT_FOUND, "{kind: 'auction', id: 9}");
	given_pending(w);
	given(w, "auction.cancel", "{auction_id: 2}");
	assert_string_equal(events(w), "auction.cancelled");
	refused(w, when(w, "auction.cancel", "{auction_id: 2}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'cancelled', end_at: null}");
}

/* ---- bids ---- */

static void a_bid_holds_points_and_releases_those_of_the_one_before(void **state)
{
	struct world *w = *state;

	given_users(w, 3);
	given_auction(w);
	given(w, "auction.bid", "{auction_id: 1, user_id: 2, amount: 50.5}");
	then(w,
	     "{version: 4, changed: true, held: 50.5, available: 949.5, outbid_user_id: null,"
	     " bid: {id: 1, auction_id: 1, user_id: 2, amount: 50.5, created_at: %lld, is_winning: true, status: "
	     "'leading',"
	     " hold_id: 1}, auction: {id: 1, current_bid: 50.5, highest_bidder_id: 2, winning_bid_id: 1, bid_count: 1,"
	     " participant_count: 1, min_next_bid: 60.5, time_left_ms: 3600000, extensions: 0, version: 4}}",
	     (long long)w->now);
	assert_string_equal(events(w), "auction.joined auction.bid_placed point.held");
	then_event(w, 0, "{auction_id: 1, user_id: 2, notifications_enabled: true}");
	then_event(w, 1,
		   "{bid: {id: 1, auction_id: 1, user_id: 2, amount: 50.5, created_at: %lld}, previous: null, first: "
		   "true}",
		   (long long)w->now);
	then_event(w, 2,
		   "{hold: {id: 1, user_id: 2, amount: 50.5, reason: 'auction', auction_id: 1, bid_id: 1, status: "
		   "'held',"
		   " created_at: %lld, closed_at: null}, held_after: 50.5}",
		   (long long)w->now);
	given(w, "auction.bid", "{auction_id: 1, user_id: 3, amount: 60.5}");
	then(w, "{outbid_user_id: 2, held: 60.5, bid: {id: 2, hold_id: 2}, auction: {min_next_bid: 70.5}}");
	assert_string_equal(events(w), "auction.joined auction.bid_placed point.released point.held");
	then_event(w, 1, "{previous: {bid_id: 1, user_id: 2, amount: 50.5}, first: false}");
	then_event(w, 2, "{hold_id: 1, user_id: 2, amount: 50.5, held_after: 0, reason: 'outbid'}");
	answers(w, "auction.get", "{kind: 'bid', id: 1}", "{status: 'outbid', is_winning: false, hold_id: null}");
	answers(w, "auction.get", "{kind: 'bid', id: 2}", "{status: 'leading', is_winning: true, hold_id: 2}");
	bid(w, 1, 2, 80);
	assert_string_equal(events(w), "auction.bid_placed point.released point.held");
	answers(w, "auction.get", "{kind: 'participant', auction_id: 1, user_id: 2}", "{highest_bid: 80, bids: 2}");
}

static void a_bid_is_refused_for_the_first_reason_that_there_is(void **state)
{
	struct world *w = *state;

	given_users(w, 3);
	given_points(w, 4, "55");
	given_points(w, 5, "1000");
	given(w, "auction.create",
	      "{" LAMP ", duration_minutes: 60, auto_extend_minutes: 0, max_participants: 2, start: true}");
	refused(w, when(w, "auction.bid", "{auction_id: 9, user_id: 9, amount: 1}"), E_NOT_FOUND,
		"{kind: 'auction', id: 9}");
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 9, amount: 1}"), E_NOT_FOUND,
		"{kind: 'user', id: 9}");
	given(w, "config.set", "{entries: {access.auction: 'vip'}}");
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 2, amount: 1}"), E_FORBIDDEN,
		"{reason: 'access.auction'}");
	given(w, "user.grant_vip", "{user_id: 2, permanent: true}");
	given(w, "auction.bid", "{auction_id: 1, user_id: 2, amount: 50}");
	given(w, "config.set", "{entries: {access.auction: 'free'}}");
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 2, amount: 1}"), E_ALREADY_HIGHEST_BIDDER,
		"{current_bid: 50}");
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 3, amount: 59.999}"), E_BID_TOO_LOW,
		"{min_bid: 60}");
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 4, amount: 60}"), E_INSUFFICIENT_POINTS,
		"{required: 60, available: 55}");
	given(w, "auction.join", "{auction_id: 1, user_id: 4}");
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 5, amount: 60}"), E_AUCTION_FULL,
		"{max_participants: 2}");
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 4, amount: 60}"), E_INSUFFICIENT_POINTS, "{}");
	w->now += HOUR;
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 2, amount: 1}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'active', end_at: %lld}", (long long)w->now);
	tick(w);
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 2, amount: 1}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'ended'}");
	given_pending(w);
	refused(w, when(w, "auction.bid", "{auction_id: 2, user_id: 2, amount: 50}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'pending', end_at: null}");
}

static void a_first_bid_only_has_to_reach_the_initial_price(void **state)
{
	struct world *w = *state;

	given_users(w, 2);
	given(w, "auction.create",
	      "{name: 'Abc', prize_description: 'Brass', initial_price: 1, created_by: 1, duration_minutes: 5, start: "
	      "true,"
	      " min_bid_increment: 100}");
	refused(w, when(w, "auction.bid", "{auction_id: 1, user_id: 2, amount: 0.999}"), E_BID_TOO_LOW, "{min_bid: 1}");
	bid(w, 1, 2, 1);
	then(w, "{auction: {min_next_bid: 101}}");
}

static void points_lead_in_one_auction_only(void **state)
{
	struct world *w = *state;

	given_users(w, 2);
	given_auction(w);
	given_auction(w);
	bid(w, 1, 2, 600);
	refused(w, when(w, "auction.bid", "{auction_id: 2, user_id: 2, amount: 500}"), E_INSUFFICIENT_POINTS,
		"{required: 500, available: 400}");
	bid(w, 2, 2, 400);
	has(w, 2, 1000, 0);
	books_balance(w);
	refused(w, when(w, "point.deduct", "{user_id: 2, amount: 1}"), E_INSUFFICIENT_POINTS, "{}");
	answers(w, "auction.stats", "{user_id: 2}", "{leading: 2, held: 1000}");
}

static void a_late_bid_moves_the_end(void **state)
{
	struct world *w = *state;
	long long end;

	given_users(w, 3);
	given_auction(w);
	end = when_ends(w, 60);
	w->now = end - 5 * MINUTE;
	bid(w, 1, 2, 50);
	assert_string_equal(events(w), "auction.joined auction.bid_placed point.held");
	w->now += 1;
	bid(w, 1, 3, 60);
	then(w, "{auction: {end_at: %lld, extensions: 1, time_left_ms: 300000}}", end + 1);
	assert_string_equal(events(w), "auction.joined auction.bid_placed auction.extended point.released point.held");
	then_event(w, 2,
		   "{auction_id: 1, end_at: %lld, before_end_at: %lld, duration_minutes: 60, automatic: true, minutes: "
		   "5}",
		   end + 1, end);
	w->now = end;
	assert_int_equal(tick(w), 0);
	bid(w, 1, 2, 70);
	then(w, "{auction: {end_at: %lld, extensions: 2}}", end + 5 * MINUTE);
	w->now = end + 5 * MINUTE - 1;
	assert_int_equal(tick(w), 0);
	w->now++;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "auction.ended point.captured");
}

static void bids_and_participants_move_no_timer(void **state)
{
	(void)state;
	assert_false(event_moves_timers(EV_auction_bid_placed));
	assert_false(event_moves_timers(EV_auction_joined));
	assert_false(event_moves_timers(EV_auction_left));
	assert_false(event_moves_timers(EV_auction_participant_updated));
	assert_true(event_moves_timers(EV_auction_extended));
	assert_true(event_moves_timers(EV_auction_created));
	assert_true(event_moves_timers(EV_auction_updated));
}

static void a_bid_is_activity(void **state)
{
	struct world *w = *state;
	struct user before, after;

	given_users(w, 2);
	given_auction(w);
	assert_true(find_user(w->state, 2, &before));
	given(w, "auction.extend", "{auction_id: 1, minutes: 1440}");
	given(w, "achievement.create", "{id: 'day', name: 'A day', condition_type: 'days_active', condition_value: 1}");
	w->now += DAY;
	bid(w, 1, 2, 50);
	assert_string_equal(events(w), "auction.joined auction.bid_placed achievement.unlocked point.held");
	answers(w, "user.get", "{id: 2, include: ['stats']}",
		"{stats: {last_activity_at: %lld, active_day: %lld, days_active: 1}}", (long long)w->now,
		(long long)(w->now / DAY));
	answers(w, "user.stats", "{days: 1}", "{active: 1, active_today: 1}");
	/* of the stream of the auction, not of the user */
	assert_true(find_user(w->state, 2, &after));
	assert_int_equal(before.version, after.version);
}

/* ---- end ---- */

static void the_leader_wins_and_pays(void **state)
{
	struct world *w = *state;

	given_users(w, 3);
	given_auction(w);
	bid(w, 1, 2, 50);
	bid(w, 1, 3, 100);
	given(w, "auction.end", "{auction_id: 1}");
	then(w,
	     "{auction: {status: 'ended', winner_id: 3, winning_bid_id: 2, current_bid: 100, highest_bidder_id: 3,"
	     " ended_at: %lld, time_left_ms: 0},"
	     " winning_bid: {id: 2, status: 'won', is_winning: true, hold_id: null, amount: 100}}",
	     (long long)w->now);
	assert_string_equal(events(w), "auction.ended point.captured");
	then_event(w, 0, "{auction_id: 1, winner_id: 3, winning_bid_id: 2, amount: 100, due_at: null}");
	then_event(w, 1,
		   "{hold_id: 2, user_id: 3, amount: 100, balance_after: 900, held_after: 0, source: 'auction',"
		   " ref: {kind: 'auction', id: 1}}");
	has(w, 3, 0, 900);
	has(w, 2, 0, 1000);
	answers(w, "auction.get", "{kind: 'bid', id: 1}", "{status: 'released', is_winning: false}");
	answers(w, "point.list", "{kind: 'transaction', user_id: 3, source: 'auction'}", "{items: [{amount: -100}]}");
	refused(w, when(w, "auction.end", "{auction_id: 1}"), E_AUCTION_NOT_ACTIVE, "{status: 'ended'}");
	refused(w, when(w, "auction.end", "{auction_id: 9}"), E_NOT_FOUND, "{kind: 'auction', id: 9}");
	given_pending(w);
	refused(w, when(w, "auction.end", "{auction_id: 2}"), E_AUCTION_NOT_ACTIVE, "{status: 'pending'}");
}

static void an_auction_without_bids_has_no_winner(void **state)
{
	struct world *w = *state;

	given_users(w, 1);
	given_auction(w);
	given(w, "auction.end", "{auction_id: 1}");
	then(w, "{auction: {status: 'ended', winner_id: null, winning_bid_id: null}, winning_bid: null}");
	assert_string_equal(events(w), "auction.ended");
	then_event(w, 0, "{winner_id: null, winning_bid_id: null, amount: 0}");
}

static void another_standing_bidder_can_be_chosen(void **state)
{
	struct world *w = *state;

	given_users(w, 4);
	given_auction(w);
	bid(w, 1, 2, 50);
	bid(w, 1, 3, 60);
	bid(w, 1, 2, 70);
	bid(w, 1, 4, 80);
	refused(w, when(w, "auction.end", "{auction_id: 1, winner_id: 1}"), E_NOT_FOUND, "{kind: 'bid', id: 1}");
	refused(w, when(w, "auction.end", "{auction_id: 1, winner_id: 9}"), E_NOT_FOUND, "{kind: 'bid', id: 9}");
	given(w, "point.transfer", "{from_user_id: 2, to_user_id: 1, amount: 950}");
	refused(w, when(w, "auction.end", "{auction_id: 1, winner_id: 2}"), E_INSUFFICIENT_POINTS,
		"{required: 70, available: 50}");
	given_points(w, 2, "50");
	given(w, "auction.leave", "{auction_id: 1, user_id: 2}");
	given(w, "auction.end", "{auction_id: 1, winner_id: 2}");
	then(w, "{auction: {winner_id: 2, winning_bid_id: 3, highest_bidder_id: 4, current_bid: 80},"
		" winning_bid: {id: 3, amount: 70, status: 'won'}}");
	assert_string_equal(events(w), "auction.ended point.released point.held point.captured");
	then_event(w, 0, "{winner_id: 2, winning_bid_id: 3, amount: 70}");
	then_event(w, 1, "{hold_id: 4, user_id: 4, amount: 80, reason: 'ended'}");
	then_event(w, 2, "{hold: {id: 5, user_id: 2, amount: 70, bid_id: 3}, held_after: 70}");
	then_event(w, 3, "{hold_id: 5, user_id: 2, amount: 70, balance_after: 30, held_after: 0}");
	answers(w, "auction.get", "{kind: 'bid', id: 4}", "{status: 'released', is_winning: false, hold_id: null}");
	has(w, 4, 0, 1000);
	answers(w, "auction.stats", "{}", "{points_captured: 70, average_final_price: 70.0, highest_final_price: 70}");
}

static void the_leader_can_be_chosen_too(void **state)
{
	struct world *w = *state;

	given_users(w, 2);
	given_auction(w);
	bid(w, 1, 2, 50);
	given(w, "auction.end", "{auction_id: 1, winner_id: 2}");
	assert_string_equal(events(w), "auction.ended point.captured");
	given_auction(w);
	refused(w, when(w, "auction.end", "{auction_id: 2, winner_id: 2}"), E_NOT_FOUND, "{kind: 'bid', id: 2}");
}

/* ---- retraction ---- */

static void a_retracted_leader_makes_room_for_the_next(void **state)
{
	struct world *w = *state;

	given_users(w, 5);
	given_auction(w);
	bid(w, 1, 2, 50);
	bid(w, 1, 3, 60);
	bid(w, 1, 4, 70);
	bid(w, 1, 5, 80);
	given(w, "auction.leave", "{auction_id: 1, user_id: 4}");
	given(w, "point.deduct", "{user_id: 3, amount: 950}");
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 4, reason: 'a typo'}");
	assert_string_equal(events(w), "auction.bid_retracted point.released point.held");
	then_event(w, 0,
		   "{auction_id: 1, bid_id: 4, user_id: 5, amount: 80, reason: 'a typo', was_leading: true,"
		   " new_leader: {bid_id: 1, user_id: 2, amount: 50}}");
	then_event(w, 1, "{hold_id: 4, user_id: 5, reason: 'retracted', held_after: 0}");
	then_event(w, 2, "{hold: {id: 5, user_id: 2, amount: 50, bid_id: 1}}");
	answers(w, "auction.get", "{id: 1}",
		"{current_bid: 50, highest_bidder_id: 2, winning_bid_id: 1, bid_count: 4, min_next_bid: 60}");
	answers(w, "auction.get", "{kind: 'bid', id: 1}", "{status: 'leading', hold_id: 5}");
	answers(w, "auction.get", "{kind: 'bid', id: 4}", "{status: 'retracted', is_winning: false, hold_id: null}");
	answers(w, "auction.get", "{kind: 'participant', auction_id: 1, user_id: 5}", "{highest_bid: 0, bids: 1}");
	refused(w, when(w, "auction.retract_bid", "{auction_id: 1, bid_id: 4}"), E_ALREADY_PROCESSED,
		"{status: 'retracted'}");
	books_balance(w);
	/* the last that can lead */
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 1}");
	assert_string_equal(events(w), "auction.bid_retracted point.released");
	then_event(w, 0, "{was_leading: true, new_leader: null, reason: null}");
	answers(w, "auction.get", "{id: 1}",
		"{current_bid: 0, highest_bidder_id: null, winning_bid_id: null, min_next_bid: 50}");
	books_balance(w);
	/* of equal amounts the earlier leads again */
	given(w, "auction.join", "{auction_id: 1, user_id: 4}");
	bid(w, 1, 5, 70);
	bid(w, 1, 2, 90);
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 6}");
	then_event(w, 0, "{new_leader: {bid_id: 3, user_id: 4, amount: 70}}");
}

static void points_just_released_count_for_the_same_bidder(void **state)
{
	struct world *w = *state;

	given_users(w, 3);
	given_auction(w);
	bid(w, 1, 2, 600);
	bid(w, 1, 3, 700);
	bid(w, 1, 2, 900);
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 3}");
	then_event(w, 0, "{new_leader: {bid_id: 2, user_id: 3, amount: 700}}");
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 2}");
	then_event(w, 0, "{new_leader: {bid_id: 1, user_id: 2, amount: 600}}");
	bid(w, 1, 3, 610);
	bid(w, 1, 2, 950);
	given(w, "point.deduct", "{user_id: 3, amount: 500}");
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 5}");
	then_event(w, 0, "{bid_id: 5, user_id: 2, new_leader: {bid_id: 1, user_id: 2, amount: 600}}");
	has(w, 2, 600, 400);
}

static void a_retracted_bid_that_did_not_lead_changes_no_leader(void **state)
{
	struct world *w = *state;

	given_users(w, 3);
	given_auction(w);
	bid(w, 1, 2, 50);
	bid(w, 1, 3, 60);
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 1}");
	assert_string_equal(events(w), "auction.bid_retracted");
	then_event(w, 0, "{was_leading: false, new_leader: null}");
	answers(w, "auction.get", "{id: 1}", "{current_bid: 60, highest_bidder_id: 3}");
	answers(w, "auction.stats", "{user_id: 2}", "{highest_bid: 0, bids: 1, auctions_bid: 1}");
	refused(w, when(w, "auction.retract_bid", "{auction_id: 9, bid_id: 1}"), E_NOT_FOUND,
		"{kind: 'auction', id: 9}");
	refused(w, when(w, "auction.retract_bid", "{auction_id: 1, bid_id: 9}"), E_NOT_FOUND, "{kind: 'bid', id: 9}");
	given_auction(w);
	refused(w, when(w, "auction.retract_bid", "{auction_id: 2, bid_id: 2}"), E_NOT_FOUND, "{kind: 'bid', id: 2}");
	w->now += HOUR;
	refused(w, when(w, "auction.retract_bid", "{auction_id: 1, bid_id: 2}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'active'}");
	tick(w);
	refused(w, when(w, "auction.retract_bid", "{auction_id: 1, bid_id: 2}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'ended'}");
}

/* ---- participants ---- */

static void users_join_and_leave(void **state)
{
	struct world *w = *state;

	given_users(w, 4);
	given_pending(w);
	given(w, "auction.update", "{id: 1, max_participants: 2}");
	given(w, "auction.join", "{auction_id: 1, user_id: 2, notifications_enabled: false}");
	then(w, "{version: 3, changed: true}");
	assert_string_equal(events(w), "auction.joined");
	then_event(w, 0, "{auction_id: 1, user_id: 2, notifications_enabled: false}");
	answers(w, "auction.get", "{kind: 'participant', auction_id: 1, user_id: 2}",
		"{auction_id: 1, user_id: 2, joined_at: %lld, notifications_enabled: false, last_notified_at: null,"
		" highest_bid: 0, bids: 0}",
		(long long)w->now);
	refused(w, when(w, "auction.join", "{auction_id: 1, user_id: 2}"), E_ALREADY_EXISTS,
		"{kind: 'participant', id: 2}");
	refused(w, when(w, "auction.join", "{auction_id: 9, user_id: 2}"), E_NOT_FOUND, "{kind: 'auction', id: 9}");
	refused(w, when(w, "auction.join", "{auction_id: 1, user_id: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
	given(w, "config.set", "{entries: {access.auction: 'admin'}}");
	refused(w, when(w, "auction.join", "{auction_id: 1, user_id: 3}"), E_FORBIDDEN, "{reason: 'access.auction'}");
	given(w, "config.set", "{entries: {access.auction: 'free'}}");
	given(w, "auction.join", "{auction_id: 1, user_id: 3}");
	refused(w, when(w, "auction.join", "{auction_id: 1, user_id: 4}"), E_AUCTION_FULL, "{max_participants: 2}");
	answers(w, "user.get", "{id: 3, include: ['counts']}", "{auctions_joined: 1}");
	given(w, "auction.leave", "{auction_id: 1, user_id: 3}");
	assert_string_equal(events(w), "auction.left");
	then_event(w, 0, "{auction_id: 1, user_id: 3, notifications_enabled: true}");
	answers(w, "user.get", "{id: 3, include: ['counts']}", "{auctions_joined: 0}");
	answers(w, "auction.get", "{id: 1}", "{participant_count: 1}");
	refused(w, when(w, "auction.leave", "{auction_id: 1, user_id: 3}"), E_NOT_FOUND,
		"{kind: 'participant', id: 3}");
	refused(w, when(w, "auction.leave", "{auction_id: 9, user_id: 3}"), E_NOT_FOUND, "{kind: 'auction', id: 9}");
	given(w, "auction.join", "{auction_id: 1, user_id: 4}");
	given(w, "auction.cancel", "{auction_id: 1}");
	refused(w, when(w, "auction.join", "{auction_id: 1, user_id: 3}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'cancelled'}");
	refused(w, when(w, "auction.leave", "{auction_id: 1, user_id: 4}"), E_AUCTION_NOT_ACTIVE,
		"{status: 'cancelled'}");
}

static void who_leads_cannot_leave_and_bids_stay(void **state)
{
	struct world *w = *state;

	given_users(w, 3);
	given_auction(w);
	bid(w, 1, 2, 50);
	refused(w, when(w, "auction.leave", "{auction_id: 1, user_id: 2}"), E_ALREADY_HIGHEST_BIDDER,
		"{current_bid: 50}");
	bid(w, 1, 3, 60);
	given(w, "auction.leave", "{auction_id: 1, user_id: 2}");
	refused(w, ask(w, "auction.get", "{kind: 'participant', auction_id: 1, user_id: 2}"), E_NOT_FOUND,
		"{kind: 'participant', id: 2}");
	answers(w, "auction.get", "{kind: 'bid', id: 1}", "{status: 'outbid'}");
	w->now += MINUTE;
	bid(w, 1, 2, 70);
	assert_string_equal(events(w), "auction.joined auction.bid_placed point.released point.held");
	answers(w, "auction.get", "{kind: 'participant', auction_id: 1, user_id: 2}",
		"{bids: 2, highest_bid: 70, joined_at: %lld}", (long long)w->now);
	answers(w, "auction.stats", "{auction_id: 1}", "{bids: 3, bidders: 2, participants: 2}");
}

static void participants_say_what_they_want_to_hear(void **state)
{
	struct world *w = *state;

	given_users(w, 2);
	given_auction(w);
	given(w, "auction.join", "{auction_id: 1, user_id: 2}");
	given(w, "auction.update",
	      "{kind: 'participant', auction_id: 1, user_id: 2, notifications_enabled: false, notified: true}");
	then(w, "{version: 4, changed: true, item: {user_id: 2, notifications_enabled: false, last_notified_at: %lld}}",
	     (long long)w->now);
	assert_string_equal(events(w), "auction.participant_updated");
	then_event(w, 0, "{auction_id: 1, user_id: 2, changes: {notifications_enabled: false, last_notified_at: %lld}}",
		   (long long)w->now);
	given(w, "auction.update", "{kind: 'participant', auction_id: 1, user_id: 2, notifications_enabled: false}");
	then(w, "{changed: false, version: 4}");
	given(w, "auction.end", "{auction_id: 1}");
	w->now += SECOND;
	given(w, "auction.update", "{kind: 'participant', auction_id: 1, user_id: 2, notified: true}");
	then(w, "{item: {last_notified_at: %lld}}", (long long)w->now);
	refused(w, when(w, "auction.update", "{kind: 'participant', auction_id: 1, user_id: 2, notified: false}"),
		E_INVALID_ARGUMENT, "{field: 'notified'}");
	refused(w, when(w, "auction.update", "{kind: 'participant', auction_id: 1, user_id: 1}"), E_NOT_FOUND,
		"{kind: 'participant', id: 1}");
	refused(w, when(w, "auction.update", "{kind: 'participant', auction_id: 9, user_id: 1}"), E_NOT_FOUND,
		"{kind: 'auction', id: 9}");
}

/* ---- timers ---- */

static void a_planned_auction_starts_and_ends_by_itself(void **state)
{
	struct world *w = *state;
	long long start, end;

	given_users(w, 2);
	start = when_ends(w, 10);
	given(w, "auction.create", "{" LAMP ", duration_minutes: 60, start_at: %lld}", start);
	given_pending(w); /* without a plan: never by itself */
	w->now = start - 1;
	assert_int_equal(tick(w), 0);
	w->now = start + SECOND;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "auction.started");
	then_event(w, 0, "{auction_id: 1, start_at: %lld, end_at: %lld, due_at: %lld}", (long long)w->now,
		   when_ends(w, 60), start);
	end = when_ends(w, 60);
	bid(w, 1, 2, 50);
	w->now = end + SECOND;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "auction.ended point.captured");
	then_event(w, 0, "{auction_id: 1, winner_id: 2, winning_bid_id: 1, amount: 50, due_at: %lld}", end);
	has(w, 2, 0, 950);
	w->now += DAY;
	assert_int_equal(tick(w), 0);
}

static void an_auction_that_is_over_before_it_starts_ends_at_once(void **state)
{
	struct world *w = *state;
	long long start;

	given_users(w, 1);
	start = when_ends(w, 10);
	given(w, "auction.create", "{" LAMP ", start_at: %lld, end_at: %lld}", start, start + MINUTE);
	w->now += DAY; /* the daemon was down */
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "auction.started auction.ended");
	then_event(w, 1, "{auction_id: 1, winner_id: null, due_at: %lld}", start);
	answers(w, "auction.get", "{id: 1}", "{status: 'ended'}");
}

static void overdue_auctions_run_in_due_order(void **state)
{
	struct world *w = *state;

	given_users(w, 1);
	given(w, "auction.create", "{" LAMP ", duration_minutes: 20, start: true}");
	given(w, "auction.create", "{" LAMP ", duration_minutes: 10, start: true}");
	given(w, "auction.create", "{" LAMP ", duration_minutes: 10, start: true}");
	given(w, "auction.create", "{" LAMP ", duration_minutes: 5, start_at: %lld}", when_ends(w, 10));
	w->now += DAY;
	assert_int_equal(tick(w), 4);
	for (uint64_t i = 0; i < 4; i++) {
		static const char *const ids[] = { "4", "2", "3", "1" };
		struct envelope env;
		struct event ev;
		struct stored *stored = &w->log[w->head - 4 + i];

		assert_true(event_from_stored(slice_of(stored->bytes, stored->len), &w->arena, &ev, &env));
		assert_int_equal(ev.type, i == 0 ? EV_auction_started : EV_auction_ended);
		assert_int_equal(((const char *)ev.stream.base)[ev.stream.len - 1], ids[i][0]);
		assert_true(slice_is(ev.method, i == 0 ? "timer.auction_start" : "timer.auction_end"));
		assert_true(slice_is(ev.actor, "server"));
	}
	arena_reset(&w->arena);
	w->now += 5 * MINUTE;
	assert_int_equal(tick(w), 1);
}

static void a_changed_plan_moves_the_timer(void **state)
{
	struct world *w = *state;

	given_users(w, 1);
	given(w, "auction.create", "{" LAMP ", duration_minutes: 20, start_at: %lld}", when_ends(w, 10));
	given(w, "auction.update", "{id: 1, start_at: %lld}", when_ends(w, 20));
	w->now += 10 * MINUTE;
	assert_int_equal(tick(w), 0);
	given(w, "auction.update", "{id: 1, start_at: null}");
	w->now += DAY;
	assert_int_equal(tick(w), 0);
	given(w, "auction.start", "{auction_id: 1}");
	given(w, "auction.extend", "{auction_id: 1, minutes: 20}");
	w->now += 39 * MINUTE;
	assert_int_equal(tick(w), 0);
	w->now += MINUTE;
	assert_int_equal(tick(w), 1);
}

/* ---- users who go ---- */

static void who_leads_or_sells_cannot_be_deleted(void **state)
{
	struct world *w = *state;

	given_users(w, 2);
	given_pending(w);
	given_auction(w);
	bid(w, 2, 2, 50);
	refused(w, when(w, "user.delete", "{id: 2}"), E_IN_USE, "{reason: 'held_points'}");
	refused(w, when(w, "user.delete", "{id: 1}"), E_IN_USE, "{reason: 'active_auction'}");
	given(w, "auction.end", "{auction_id: 2}");
	given(w, "user.delete", "{id: 1}");
	given(w, "user.delete", "{id: 2}");
	answers(w, "auction.get", "{id: 2}", "{winner_id: 2, participant_count: 1, created_by: 1}");
	answers(w, "auction.get", "{kind: 'bid', id: 1}", "{status: 'won'}");
}

static void a_deleted_user_leaves_auctions_that_are_not_closed(void **state)
{
	struct world *w = *state;

	given_users(w, 4);
	given_auction(w); /* 1: runs on */
	given_pending(w); /* 2 */
	given_auction(w); /* 3: will be closed */
	bid(w, 1, 2, 50);
	bid(w, 3, 2, 50);
	bid(w, 3, 3, 60);
	given(w, "auction.join", "{auction_id: 2, user_id: 2}");
	bid(w, 1, 3, 60);
	given(w, "auction.end", "{auction_id: 3}");
	given(w, "user.delete", "{id: 2}");
	answers(w, "auction.get", "{id: 1}", "{participant_count: 1, bid_count: 2}");
	answers(w, "auction.get", "{id: 2}", "{participant_count: 0}");
	answers(w, "auction.get", "{id: 3}", "{participant_count: 2}");
	answers(w, "auction.get", "{kind: 'bid', id: 1}", "{status: 'released'}");
	answers(w, "auction.list", "{kind: 'participant', user_id: 2}", "{items: [{auction_id: 3}]}");
	refused(w, when(w, "auction.retract_bid", "{auction_id: 1, bid_id: 1}"), E_ALREADY_PROCESSED,
		"{status: 'released'}");
	/* and does not lead again, not even after coming back */
	given_points(w, 2, "1000");
	given(w, "auction.join", "{auction_id: 1, user_id: 2}");
	refused(w, when(w, "auction.end", "{auction_id: 1, winner_id: 2}"), E_NOT_FOUND, "{kind: 'bid', id: 2}");
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 4}");
	then_event(w, 0, "{was_leading: true, new_leader: null}");
	bid(w, 1, 2, 50);
	answers(w, "auction.get", "{kind: 'participant', auction_id: 1, user_id: 2}", "{bids: 2, highest_bid: 50}");
}

/* ---- archive ---- */

static void archive(struct world *w, int64_t before_at, int64_t count)
{
	struct decision *d = commit_begin(w);

	EMIT(d, auction_auctions_archived, .before_at = before_at, .count = count);
	commit_end(w);
}

static void the_oldest_closed_auctions_are_archived(void **state)
{
	struct world *w = *state;
	int64_t before;

	given_users(w, 3);
	for (int id = 1; id <= 6; id++)
		given_auction(w);
	bid(w, 3, 2, 50);
	given(w, "auction.cancel", "{auction_id: 2}");
	w->now += SECOND;
	given(w, "auction.end", "{auction_id: 3}");
	w->now += SECOND;
	given(w, "auction.cancel", "{auction_id: 5}");
	given(w, "auction.end", "{auction_id: 4}");
	before = w->now;
	assert_int_equal(closed_before(w->state, &auctions_closed, before, 10, NULL), 2);
	assert_int_equal(closed_before(w->state, &auctions_closed, before + 1, 10, NULL), 4);
	assert_int_equal(closed_before(w->state, &auctions_closed, before + 1, 3, NULL), 3);
	assert_int_equal(closed_before(w->state, &auctions_closed, 0, 10, NULL), 0);
	archive(w, before + 1, 3);
	assert_string_equal(events(w), "auction.auctions_archived");
	then_event(w, 0, "{before_at: %lld, count: 3}", (long long)before + 1);
	answers(w, "auction.list", "{order: 'asc'}", "{items: [{id: 1}, {id: 5}, {id: 6}]}");
	refused(w, ask(w, "auction.get", "{kind: 'bid', id: 1}"), E_NOT_FOUND, "{kind: 'bid', id: 1}");
	answers(w, "auction.stats", "{}",
		"{by_status: {pending: 0, active: 2, ended: 2, cancelled: 2}, total: 6, bids: 1}");
	answers(w, "auction.stats", "{user_id: 2}", "{won: 1, spent: 50}");
	/* more than there are */
	archive(w, before + 1, 10);
	answers(w, "auction.list", "{order: 'asc'}", "{items: [{id: 1}, {id: 6}]}");
	given(w, "server.install_defaults", "{}");
	refused(w, when(w, "auction.start", "{auction_id: 3}"), E_NOT_FOUND, "{kind: 'auction', id: 3}");
}

static void ten_auctions_are_archived_at_a_time(void **state)
{
	struct world *w = *state;

	given_users(w, 2);
	for (int id = 1; id <= 22; id++) {
		given_auction(w);
		bid(w, id, 2, 50);
		given(w, "auction.cancel", "{auction_id: %d}", id);
	}
	given(w, "server.cleanup", "{target: 'auctions', days: 1}");
	then(w, "{count: 0, more: false}");
	given(w, "server.cleanup", "{target: 'auctions', days: 0}");
	then(w, "{count: 10, more: true}");
	assert_string_equal(events(w), "auction.auctions_archived");
	/* they stay for good, unless told otherwise */
	w->now += 10 * DAY;
	assert_int_equal(tick(w), 0);
	given(w, "config.set", "{entries: {retention.auction_days: 5}}");
	assert_int_equal(tick(w), 2);
	answers(w, "auction.list", "{}", "{items: []}");
	answers(w, "auction.list", "{kind: 'bid', user_id: 2}", "{items: []}");
	answers(w, "auction.stats", "{}", "{total: 22, by_status: {cancelled: 22}, bids: 22}");
}

/* ---- a whole auction ---- */

static void ten_bidders_fight_while_points_move_away(void **state)
{
	struct world *w = *state;
	int amount = 50;
	long long end;

	given_users(w, 11); /* user 1 sells, 2..11 bid */
	given_auction(w);
	given_auction(w);
	end = when_ends(w, 60);
	for (int round = 0; round < 3; round++)
		for (int user = 2; user <= 11; user++, amount += 10) {
			bid(w, 1, user, amount);
			has(w, user, amount, 1000 - amount);
			books_balance(w);
		}
	/* 11 leads with 340; a second auction takes from the same purse */
	bid(w, 2, 11, 600);
	has(w, 11, 940, 60);
	books_balance(w);
	/* two bidders give away what they do not need just now */
	given(w, "point.transfer", "{from_user_id: 10, to_user_id: 1, amount: 700}");
	given(w, "point.transfer", "{from_user_id: 9, to_user_id: 1, amount: 680}");
	refused(w, when(w, "point.transfer", "{from_user_id: 11, to_user_id: 1, amount: 61}"), E_INSUFFICIENT_POINTS,
		"{available: 60}");
	books_balance(w);
	/* the leader's bid is taken out: 10 bid 330 and has 300 left, 9 bid 320 and has just that */
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 30}");
	then_event(w, 0, "{new_leader: {bid_id: 28, user_id: 9, amount: 320}}");
	has(w, 11, 600, 400);
	has(w, 9, 320, 0);
	books_balance(w);
	/* late bids extend it, again and again */
	w->now = end - MINUTE;
	bid(w, 1, 2, 400);
	bid(w, 1, 3, 500);
	then(w, "{auction: {extensions: 1, end_at: %lld, time_left_ms: 300000}, outbid_user_id: 2}", when_ends(w, 5));
	has(w, 9, 0, 320);
	has(w, 2, 0, 1000);
	books_balance(w);
	/* the second auction ends as planned, its hold is captured by the timer */
	w->now = end;
	assert_int_equal(tick(w), 1);
	assert_string_equal(events(w), "auction.ended point.captured");
	then_event(w, 0, "{auction_id: 2, winner_id: 11, amount: 600, due_at: %lld}", end);
	has(w, 11, 0, 400);
	books_balance(w);
	/* a third is cancelled, a fourth goes to a chosen winner */
	given_auction(w);
	bid(w, 3, 4, 900);
	given(w, "auction.cancel", "{auction_id: 3}");
	has(w, 4, 0, 1000);
	books_balance(w);
	given_auction(w);
	bid(w, 4, 5, 100);
	bid(w, 4, 6, 200);
	given(w, "auction.end", "{auction_id: 4, winner_id: 5}");
	has(w, 5, 0, 900);
	has(w, 6, 0, 1000);
	books_balance(w);
	/* and the first ends when nobody bids any more */
	w->now = end + 4 * MINUTE;
	assert_int_equal(tick(w), 1);
	then_event(w, 0, "{auction_id: 1, winner_id: 3, amount: 500}");
	has(w, 3, 0, 500);
	books_balance(w);
	answers(w, "auction.stats", "{}", "{points_captured: 1200, points_held: 0, bidders: 10, without_winner: 0}");
	answers(w, "point.stats", "{}", "{held_points: 0, holds_open: 0, total_points: 9800}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUCTION_TEST(an_auction_is_created_pending),
		AUCTION_TEST(defaults_of_an_auction_are_settings),
		AUCTION_TEST(an_auction_needs_good_params),
		AUCTION_TEST(a_pending_auction_can_be_changed_whole),
		AUCTION_TEST(a_running_auction_keeps_price_and_times),
		AUCTION_TEST(an_auction_that_runs_cannot_be_deleted),
		AUCTION_TEST(the_duration_runs_from_the_start),
		AUCTION_TEST(the_end_can_be_moved),
		AUCTION_TEST(no_auction_outlives_the_calendar),
		AUCTION_TEST(a_cancelled_auction_releases_its_hold),
		AUCTION_TEST(a_bid_holds_points_and_releases_those_of_the_one_before),
		AUCTION_TEST(a_bid_is_refused_for_the_first_reason_that_there_is),
		AUCTION_TEST(a_first_bid_only_has_to_reach_the_initial_price),
		AUCTION_TEST(points_lead_in_one_auction_only),
		AUCTION_TEST(a_late_bid_moves_the_end),
		AUCTION_TEST(bids_and_participants_move_no_timer),
		AUCTION_TEST(a_bid_is_activity),
		AUCTION_TEST(the_leader_wins_and_pays),
		AUCTION_TEST(an_auction_without_bids_has_no_winner),
		AUCTION_TEST(another_standing_bidder_can_be_chosen),
		AUCTION_TEST(the_leader_can_be_chosen_too),
		AUCTION_TEST(a_retracted_leader_makes_room_for_the_next),
		AUCTION_TEST(points_just_released_count_for_the_same_bidder),
		AUCTION_TEST(a_retracted_bid_that_did_not_lead_changes_no_leader),
		AUCTION_TEST(users_join_and_leave),
		AUCTION_TEST(who_leads_cannot_leave_and_bids_stay),
		AUCTION_TEST(participants_say_what_they_want_to_hear),
		AUCTION_TEST(a_planned_auction_starts_and_ends_by_itself),
		AUCTION_TEST(an_auction_that_is_over_before_it_starts_ends_at_once),
		AUCTION_TEST(overdue_auctions_run_in_due_order),
		AUCTION_TEST(a_changed_plan_moves_the_timer),
		AUCTION_TEST(who_leads_or_sells_cannot_be_deleted),
		AUCTION_TEST(a_deleted_user_leaves_auctions_that_are_not_closed),
		AUCTION_TEST(the_oldest_closed_auctions_are_archived),
		AUCTION_TEST(ten_auctions_are_archived_at_a_time),
		AUCTION_TEST(ten_bidders_fight_while_points_move_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
