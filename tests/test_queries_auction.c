/* Queries of auctions: items, lists by each index and filter, pages, statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/pages.h"

/* The list holds these, whole and page by page. */
static void lists(struct world *w, const char *params, const char *field, const char *want)
{
	assert_string_equal(listed(w, "auction.list", params, field), want);
	assert_string_equal(paged(w, "auction.list", params, field, 1), want);
}

static void given_users(struct world *w, int n)
{
	for (int id = 1; id <= n; id++)
		given(w, "point.award", "{user_id: %d, amount: 1000}", id);
}

/* Auction `id` by that user, of so many minutes; 0: pending. */
static void given_auction(struct world *w, const char *name, int creator, int minutes)
{
	given(w, "auction.create",
	      "{name: '%s', prize_description: 'A prize', initial_price: 50, created_by: %d, duration_minutes: %d,"
	      " start: %s}",
	      name, creator, minutes ? minutes : 60, minutes ? "true" : "false");
}

static void bid(struct world *w, int auction, int user, int amount)
{
	given(w, "auction.bid", "{auction_id: %d, user_id: %d, amount: %d}", auction, user, amount);
}

/*
 * Users 1..5. Auctions 1 (active, led by 3), 2 (pending), 3 (ended, won by 2), 4 (cancelled), 5 (active, ends first, no
 * bids), 6 (pending, planned), 7 (ended without bids).
 */
static void given_seven(struct world *w)
{
	given_users(w, 5);
	given_auction(w, "Golden lamp", 1, 120);
	w->now += SECOND;
	given_auction(w, "Silver lamp", 2, 0);
	w->now += SECOND;
	given_auction(w, "Golden clock", 1, 60);
	w->now += SECOND;
	given_auction(w, "Copper clock", 1, 60);
	w->now += SECOND;
	given_auction(w, "Golden Émeraude", 2, 30);
	w->now += SECOND;
	given(w, "auction.create",
	      "{name: 'Tin box', description: 'of a lampmaker', prize_description: 'A prize', initial_price: 50,"
	      " created_by: 1, duration_minutes: 60, start_at: %lld}",
	      (long long)(w->now + 40 * MINUTE));
	w->now += SECOND;
	given_auction(w, "Old box", 2, 60);
	bid(w, 1, 2, 50);
	w->now += SECOND;
	bid(w, 3, 3, 50);
	bid(w, 3, 2, 60);
	bid(w, 1, 3, 70);
	given(w, "auction.cancel", "{auction_id: 4}");
	w->now += SECOND;
	given(w, "auction.end", "{auction_id: 3}");
	w->now += SECOND;
	given(w, "auction.end", "{auction_id: 7}");
	given(w, "auction.join", "{auction_id: 2, user_id: 2}");
	w->now += SECOND;
	given(w, "auction.join", "{auction_id: 5, user_id: 2, notifications_enabled: false}");
}

/* ---- items ---- */

static void an_auction_tells_how_a_user_stands_to_it(void **state)
{
	struct world *w = *state;

	given_seven(w);
	answers(w, "auction.get", "{id: 1, user_id: 2}",
		"{id: 1, min_next_bid: 80, user: {participating: true, notifications_enabled: true, highest_bid: 50, "
		"leads: false, can_bid: true}}");
	answers(w, "auction.get", "{id: 1, user_id: 3}", "{user: {leads: true, highest_bid: 70, can_bid: false}}");
	answers(w, "auction.get", "{id: 1, user_id: 4}",
		"{user: {participating: false, notifications_enabled: false, highest_bid: 0, leads: false, can_bid: "
		"true}}");
	answers(w, "auction.get", "{id: 1, user_id: 99}", "{user: {participating: false, can_bid: false}}");
	answers(w, "auction.get", "{id: 5, user_id: 2}", "{user: {participating: true, notifications_enabled: false}}");
	answers(w, "auction.get", "{id: 2, user_id: 2}", "{user: {participating: true, can_bid: false}}");
	answers(w, "auction.get", "{id: 3, user_id: 2}", "{user: {participating: true, leads: false, can_bid: false}}");
	given(w, "config.set", "{entries: {access.auction: 'vip'}}");
	answers(w, "auction.get", "{id: 1, user_id: 4}", "{user: {can_bid: false}}");
	refused(w, ask(w, "auction.get", "{id: 8}"), E_NOT_FOUND, "{kind: 'auction', id: 8}");
	answers(w, "auction.get_many", "{ids: [3, 9, 1], user_id: 3}",
		"{items: [{id: 3, user: {participating: true}}, {id: 1, user: {leads: true}}], missing: [9]}");
	answers(w, "auction.get_many", "{ids: [2]}", "{items: [{id: 2}], missing: []}");
	assert_null(json_object_get(json_array_get(json_object_get(w->result, "items"), 0), "user"));
}

static void an_auction_can_bring_its_latest_bids(void **state)
{
	struct world *w = *state;

	given_users(w, 3);
	given_auction(w, "Lamp", 1, 60);
	answers(w, "auction.get", "{id: 1, include: ['bids']}", "{bids: []}");
	for (int i = 0; i < 7; i++)
		bid(w, 1, 2 + i % 2, 50 + 10 * i);
	answers(w, "auction.get", "{id: 1, include: ['bids']}",
		"{bids: [{id: 7, status: 'leading', hold_id: 7}, {id: 6, status: 'outbid'}, {id: 5}, {id: 4}, {id: "
		"3}]}");
	answers(w, "auction.get", "{kind: 'bid', id: 7}",
		"{id: 7, auction_id: 1, user_id: 2, amount: 110, is_winning: true, status: 'leading', hold_id: 7,"
		" created_at: %lld}",
		(long long)w->now);
	refused(w, ask(w, "auction.get", "{kind: 'bid', id: 8}"), E_NOT_FOUND, "{kind: 'bid', id: 8}");
	refused(w, ask(w, "auction.get", "{kind: 'participant', auction_id: 1, user_id: 1}"), E_NOT_FOUND,
		"{kind: 'participant', id: 1}");
	refused(w, ask(w, "auction.get", "{kind: 'participant', auction_id: 2, user_id: 1}"), E_NOT_FOUND,
		"{kind: 'auction', id: 2}");
}

/* ---- lists of auctions ---- */

static void auctions_are_listed_by_status(void **state)
{
	struct world *w = *state;

	given_seven(w);
	lists(w, "{}", "id", "7 6 5 4 3 2 1");
	lists(w, "{order: 'asc'}", "id", "1 2 3 4 5 6 7");
	lists(w, "{status: 'active'}", "id", "5 1");
	lists(w, "{status: 'active', order: 'desc'}", "id", "1 5");
	lists(w, "{status: 'pending'}", "id", "6 2");
	lists(w, "{status: 'ended'}", "id", "7 3");
	lists(w, "{status: 'ended', order: 'asc'}", "id", "3 7");
	lists(w, "{status: 'cancelled'}", "id", "4");
	lists(w, "{status: 'active', created_by: 2}", "id", "5");
}

static void auctions_are_listed_by_creator_and_winner(void **state)
{
	struct world *w = *state;

	given_seven(w);
	lists(w, "{created_by: 1}", "id", "6 4 3 1");
	lists(w, "{created_by: 1, order: 'asc'}", "id", "1 3 4 6");
	lists(w, "{created_by: 2, status: 'pending'}", "id", "2");
	lists(w, "{created_by: 9}", "id", "");
	lists(w, "{winner_id: 2}", "id", "3");
	lists(w, "{winner_id: 2, created_by: 2}", "id", "");
	lists(w, "{winner_id: 3}", "id", "");
	bid(w, 1, 2, 80);
	w->now += HOUR;
	given(w, "auction.end", "{auction_id: 1}");
	lists(w, "{winner_id: 2}", "id", "1 3");
	lists(w, "{winner_id: 2, order: 'asc'}", "id", "3 1");
}

static void auctions_are_listed_by_the_time_that_is_left(void **state)
{
	struct world *w = *state;

	given_seven(w);
	lists(w, "{ends_within_minutes: 29}", "id", "");
	lists(w, "{ends_within_minutes: 30}", "id", "5");
	lists(w, "{ends_within_minutes: 120}", "id", "5 1");
	lists(w, "{ends_within_minutes: 9007199254740991}", "id", "5 1");
	lists(w, "{ends_within_minutes: 120, status: 'ended'}", "id", "");
	lists(w, "{starts_within_minutes: 39}", "id", "");
	lists(w, "{starts_within_minutes: 40}", "id", "6");
	lists(w, "{starts_within_minutes: 9007199254740991}", "id", "6");
	lists(w, "{starts_within_minutes: 40, ends_within_minutes: 40}", "id", "");
	lists(w, "{overdue: true}", "id", "");
	/* past its end, before the timer came */
	w->now += 30 * MINUTE;
	lists(w, "{overdue: true}", "id", "5");
	lists(w, "{overdue: false}", "id", "7 6 4 3 2 1");
	lists(w, "{status: 'active'}", "id", "1");
	lists(w, "{ends_within_minutes: 120}", "id", "1");
	tick(w);
	lists(w, "{overdue: true}", "id", "");
	lists(w, "{status: 'ended'}", "id", "5 7 3");
}

static void auctions_are_listed_by_the_time_of_creation(void **state)
{
	struct world *w = *state;
	long long second, fourth;

	given_seven(w);
	second = WORLD_NOW + SECOND;
	fourth = WORLD_NOW + 3 * SECOND;
	assert_int_equal(ask(w, "auction.list", "{from_at: %lld, to_at: %lld}", second, fourth), 0);
	assert_string_equal(fields(w, "id"), "3 2");
	assert_int_equal(ask(w, "auction.list", "{from_at: %lld, created_by: 1}", second), 0);
	assert_string_equal(fields(w, "id"), "6 4 3");
	assert_int_equal(ask(w, "auction.list", "{to_at: %lld, status: 'active'}", second), 0);
	assert_string_equal(fields(w, "id"), "1");
	w->now += DAY - 9 * SECOND;
	lists(w, "{days: 1}", "id", "7 6 5 4 3 2");
	refused(w, ask(w, "auction.list", "{days: 1, from_at: 5}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void auctions_are_searched_by_words(void **state)
{
	struct world *w = *state;

	given_seven(w);
	lists(w, "{query: 'lamp'}", "id", "1 2 6");
	lists(w, "{query: 'golden'}", "id", "1 3 5");
	lists(w, "{query: 'CLO gold'}", "id", "3");
	lists(w, "{query: 'emeraude'}", "id", "5");
	lists(w, "{query: 'golden', status: 'active'}", "id", "1 5");
	lists(w, "{query: 'golden', user_id: 2, state: 'won'}", "id", "3");
	lists(w, "{query: 'iron'}", "id", "");
	given(w, "auction.update", "{id: 1, name: 'Iron pot'}");
	lists(w, "{query: 'iron'}", "id", "1");
	lists(w, "{query: 'lamp'}", "id", "2 6");
	refused(w, ask(w, "auction.list", "{query: 'a', order: 'asc'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "auction.list", "{query: '!'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
}

static void auctions_are_listed_by_a_users_relation(void **state)
{
	struct world *w = *state;

	given_seven(w);
	lists(w, "{user_id: 2, state: 'joined'}", "id", "5 2 3 1");
	answers(w, "auction.list", "{user_id: 2, state: 'joined', limit: 1}",
		"{items: [{id: 5, user: {participating: true, notifications_enabled: false}}]}");
	lists(w, "{user_id: 2, state: 'joined', order: 'asc'}", "id", "1 3 2 5");
	lists(w, "{user_id: 2, state: 'joined', status: 'active'}", "id", "5 1");
	lists(w, "{user_id: 3, state: 'leading'}", "id", "1");
	lists(w, "{user_id: 2, state: 'leading'}", "id", "");
	lists(w, "{user_id: 2, state: 'won'}", "id", "3");
	lists(w, "{user_id: 3, state: 'won'}", "id", "");
	lists(w, "{user_id: 99, state: 'joined'}", "id", "");
	/* alone it only adds the relation */
	answers(w, "auction.list", "{user_id: 3, limit: 1}", "{items: [{id: 7, user: {participating: false}}]}");
	given(w, "auction.leave", "{auction_id: 5, user_id: 2}");
	lists(w, "{user_id: 2, state: 'joined'}", "id", "2 3 1");
	refused(w, ask(w, "auction.list", "{state: 'joined'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
	refused(w, ask(w, "auction.list", "{user_id: 2, state: 'lost'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
	refused(w, ask(w, "auction.list", "{status: 'open'}"), E_INVALID_ARGUMENT, "{field: 'status'}");
}

/* ---- lists of bids and participants ---- */

static void bids_are_listed_by_auction_and_user(void **state)
{
	struct world *w = *state;

	given_seven(w); /* bids 1: 2 on 1, 2: 3 on 3, 3: 2 on 3, 4: 3 on 1 */
	w->now += HOUR;
	bid(w, 1, 2, 100); /* 5 */
	lists(w, "{kind: 'bid', auction_id: 1}", "id", "5 4 1");
	lists(w, "{kind: 'bid', auction_id: 1, order: 'asc'}", "id", "1 4 5");
	lists(w, "{kind: 'bid', user_id: 2}", "id", "5 3 1");
	lists(w, "{kind: 'bid', user_id: 2, order: 'asc'}", "id", "1 3 5");
	lists(w, "{kind: 'bid', user_id: 2, auction_id: 1}", "id", "5 1");
	lists(w, "{kind: 'bid', user_id: 9}", "id", "");
	lists(w, "{kind: 'bid', auction_id: 9}", "id", "");
	lists(w, "{kind: 'bid', user_id: 2, status: 'leading'}", "id", "5");
	lists(w, "{kind: 'bid', user_id: 2, status: 'outbid'}", "id", "1");
	lists(w, "{kind: 'bid', user_id: 2, status: 'won'}", "id", "3");
	lists(w, "{kind: 'bid', auction_id: 3, status: 'released'}", "id", "2");
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 4}");
	lists(w, "{kind: 'bid', auction_id: 1, status: 'retracted'}", "id", "4");
	lists(w, "{kind: 'bid', auction_id: 1, sort: 'amount'}", "id", "5 1");
	assert_int_equal(ask(w, "auction.list", "{kind: 'bid', auction_id: 1, sort: 'amount', limit: 1}"), 0);
	assert_int_equal(w->examined, 1);
	lists(w, "{kind: 'bid', auction_id: 1, sort: 'amount'}", "amount", "100 50");
	lists(w, "{kind: 'bid', auction_id: 1, sort: 'amount', order: 'asc'}", "id", "1 5");
	lists(w, "{kind: 'bid', auction_id: 1, sort: 'amount', user_id: 2, status: 'outbid'}", "id", "1");
	w->now += DAY - HOUR;
	lists(w, "{kind: 'bid', auction_id: 1, days: 1}", "id", "5");
	lists(w, "{kind: 'bid', auction_id: 1, days: 1, order: 'asc'}", "id", "5");
	lists(w, "{kind: 'bid', auction_id: 1, days: 1, sort: 'amount'}", "id", "5");
	lists(w, "{kind: 'bid', user_id: 2, days: 2}", "id", "5 3 1");
	refused(w, ask(w, "auction.list", "{kind: 'bid'}"), E_INVALID_ARGUMENT, "{field: 'auction_id'}");
	refused(w, ask(w, "auction.list", "{kind: 'bid', user_id: 2, sort: 'amount'}"), E_INVALID_ARGUMENT,
		"{field: 'sort'}");
}

static void the_earlier_of_equal_bids_comes_first(void **state)
{
	struct world *w = *state;

	given_users(w, 4);
	given_auction(w, "Lamp", 1, 60);
	bid(w, 1, 2, 50);
	bid(w, 1, 3, 70);
	given(w, "auction.leave", "{auction_id: 1, user_id: 2}");
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 2}");
	bid(w, 1, 4, 50);
	lists(w, "{kind: 'bid', auction_id: 1, sort: 'amount'}", "id", "1 3");
}

static void participants_are_listed_by_auction_and_user(void **state)
{
	struct world *w = *state;

	given_seven(w);
	w->now += SECOND;
	given(w, "auction.join", "{auction_id: 1, user_id: 5, notifications_enabled: false}");
	w->now += SECOND;
	given(w, "auction.join", "{auction_id: 1, user_id: 4}");
	lists(w, "{kind: 'participant', auction_id: 1}", "user_id", "2 3 5 4");
	lists(w, "{kind: 'participant', auction_id: 1, order: 'desc'}", "user_id", "4 5 3 2");
	lists(w, "{kind: 'participant', auction_id: 1, notifications_enabled: true}", "user_id", "2 3 4");
	lists(w, "{kind: 'participant', auction_id: 1, notifications_enabled: false}", "user_id", "5");
	lists(w, "{kind: 'participant', user_id: 2}", "auction_id", "1 3 2 5");
	lists(w, "{kind: 'participant', user_id: 2, notifications_enabled: false}", "auction_id", "5");
	lists(w, "{kind: 'participant', user_id: 2, auction_id: 3}", "auction_id", "3");
	lists(w, "{kind: 'participant', auction_id: 9}", "user_id", "");
	given(w, "auction.update", "{kind: 'participant', auction_id: 1, user_id: 3, notifications_enabled: false}");
	lists(w, "{kind: 'participant', auction_id: 1, notifications_enabled: false}", "user_id", "3 5");
	given(w, "auction.leave", "{auction_id: 1, user_id: 4}");
	lists(w, "{kind: 'participant', auction_id: 1}", "user_id", "2 3 5");
	refused(w, ask(w, "auction.list", "{kind: 'participant'}"), E_INVALID_ARGUMENT, "{field: 'auction_id'}");
	refused(w, ask(w, "auction.list", "{kind: 'hold'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

/* ---- statistics ---- */

static void an_auction_is_counted(void **state)
{
	struct world *w = *state;
	long long first;

	given_users(w, 3);
	given_auction(w, "Lamp", 1, 60);
	answers(w, "auction.stats", "{auction_id: 1}",
		"{status: 'active', bids: 0, bidders: 0, participants: 0, initial_price: 50, current_bid: 0,"
		" price_increase: 0, first_bid_at: null, last_bid_at: null, average_bid: 0.0, extensions: 0,"
		" time_left_ms: 3600000, winner_id: null}");
	first = (long long)w->now;
	bid(w, 1, 2, 50);
	w->now += MINUTE;
	bid(w, 1, 3, 60);
	bid(w, 1, 2, 75);
	given(w, "auction.join", "{auction_id: 1, user_id: 1}");
	answers(w, "auction.stats", "{auction_id: 1}",
		"{bids: 3, bidders: 2, participants: 3, current_bid: 75, price_increase: 25, first_bid_at: %lld,"
		" last_bid_at: %lld, average_bid: %.17g, time_left_ms: 3540000}",
		first, (long long)w->now, 185.0 / 3);
	given(w, "auction.end", "{auction_id: 1}");
	answers(w, "auction.stats", "{auction_id: 1}", "{status: 'ended', winner_id: 2, time_left_ms: 0}");
	refused(w, ask(w, "auction.stats", "{auction_id: 9}"), E_NOT_FOUND, "{kind: 'auction', id: 9}");
}

static void a_user_is_counted(void **state)
{
	struct world *w = *state;

	given_seven(w);
	answers(w, "auction.stats", "{user_id: 2}",
		"{joined: 4, bids: 2, auctions_bid: 2, leading: 0, won: 1, win_rate: 50.0, spent: 60, held: 0,"
		" highest_bid: 60, created: 3}");
	answers(w, "auction.stats", "{user_id: 3}",
		"{joined: 2, bids: 2, auctions_bid: 2, leading: 1, won: 0, win_rate: 0.0, spent: 0, held: 70,"
		" highest_bid: 70, created: 0}");
	answers(w, "auction.stats", "{user_id: 5}", "{joined: 0, bids: 0, win_rate: 0.0}");
	given(w, "auction.retract_bid", "{auction_id: 1, bid_id: 4}");
	answers(w, "auction.stats", "{user_id: 3}", "{bids: 2, leading: 0, held: 0, highest_bid: 50}");
	refused(w, ask(w, "auction.stats", "{user_id: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
}

/* What a bid was stays true when its auction leaves the views. */
static void the_highest_bid_outlives_its_auction(void **state)
{
	struct world *w = *state;

	given_users(w, 3);
	for (int auction = 1; auction <= 3; auction++)
		given_auction(w, "Golden lamp", 1, 60);
	bid(w, 1, 2, 90);
	bid(w, 1, 3, 100);
	given(w, "auction.end", "{auction_id: 1}");
	bid(w, 2, 2, 200);
	given(w, "auction.retract_bid", "{auction_id: 2, bid_id: 3}");
	given(w, "auction.cancel", "{auction_id: 2}");
	given(w, "server.cleanup", "{target: 'auctions', days: 0}");
	answers(w, "auction.stats", "{user_id: 2}", "{highest_bid: 90}");
	bid(w, 3, 2, 95);
	answers(w, "auction.stats", "{user_id: 2}", "{highest_bid: 95}");
	given(w, "auction.retract_bid", "{auction_id: 3, bid_id: 4}");
	answers(w, "auction.stats", "{user_id: 2}", "{highest_bid: 90}");
	answers(w, "auction.get", "{kind: 'participant', auction_id: 3, user_id: 2}", "{highest_bid: 0}");
}

static void all_auctions_are_counted(void **state)
{
	struct world *w = *state;

	answers(w, "auction.stats", "{}",
		"{by_status: {pending: 0, active: 0, ended: 0, cancelled: 0}, total: 0, bids: 0, bidders: 0,"
		" participants: 0, points_captured: 0, points_held: 0, average_final_price: 0.0, highest_final_price: "
		"0,"
		" average_bids: 0.0, without_winner: 0}");
	given_seven(w);
	answers(w, "auction.stats", "{}",
		"{by_status: {pending: 2, active: 2, ended: 2, cancelled: 1}, total: 7, bids: 4, bidders: 2,"
		" participants: 6, points_captured: 60, points_held: 70, average_final_price: 60.0,"
		" highest_final_price: 60, average_bids: %.17g, without_winner: 1}",
		4.0 / 7);
	given(w, "auction.delete", "{id: 4}");
	answers(w, "auction.stats", "{}", "{by_status: {cancelled: 0}, total: 6}");
	refused(w, ask(w, "auction.stats", "{auction_id: 1, user_id: 2}"), E_INVALID_ARGUMENT, "{field: 'user_id'}");
	refused(w, ask(w, "auction.stats", "{days: 1, user_id: 2}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	refused(w, ask(w, "auction.stats", "{days: 367}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void days_are_counted(void **state)
{
	struct world *w = *state;
	long long day = (long long)(WORLD_NOW / DAY * DAY);

	given_users(w, 3);
	given_auction(w, "Lamp", 1, 3000);
	bid(w, 1, 2, 50);
	bid(w, 1, 3, 60);
	w->now += DAY;
	bid(w, 1, 2, 70);
	given_auction(w, "Clock", 1, 0);
	given(w, "auction.cancel", "{auction_id: 2}");
	given(w, "auction.end", "{auction_id: 1}");
	answers(w, "auction.stats", "{days: 2}",
		"{created: 2, started: 1, ended: 1, cancelled: 1, bids: 3, bidders: 2, points_captured: 70, per_day: ["
		"{day_at: %lld, created: 1, started: 1, ended: 0, cancelled: 0, bids: 2, bidders: 2, points_captured: "
		"0},"
		"{day_at: %lld, created: 1, started: 0, ended: 1, cancelled: 1, bids: 1, bidders: 1, points_captured: "
		"70}]}",
		day, day + DAY);
	answers(w, "auction.stats", "{days: 1}", "{created: 1, bids: 1, bidders: 1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_auction_tells_how_a_user_stands_to_it),
		WORLD_TEST(an_auction_can_bring_its_latest_bids),
		WORLD_TEST(auctions_are_listed_by_status),
		WORLD_TEST(auctions_are_listed_by_creator_and_winner),
		WORLD_TEST(auctions_are_listed_by_the_time_that_is_left),
		WORLD_TEST(auctions_are_listed_by_the_time_of_creation),
		WORLD_TEST(auctions_are_searched_by_words),
		WORLD_TEST(auctions_are_listed_by_a_users_relation),
		WORLD_TEST(bids_are_listed_by_auction_and_user),
		WORLD_TEST(the_earlier_of_equal_bids_comes_first),
		WORLD_TEST(participants_are_listed_by_auction_and_user),
		WORLD_TEST(an_auction_is_counted),
		WORLD_TEST(a_user_is_counted),
		WORLD_TEST(the_highest_bid_outlives_its_auction),
		WORLD_TEST(all_auctions_are_counted),
		WORLD_TEST(days_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
