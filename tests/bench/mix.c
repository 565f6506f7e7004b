#include "mix.h"

#include <string.h>

#include "request.h"

/* ---- what there must be ---- */

static void put_auction(struct bytes *out, uint32_t slot)
{
	request_begin(out, slot, "auction.create", 7);
	request_pair(out, "name", "Auction");
	request_pair(out, "prize_description", "A prize");
	request_number(out, "initial_price", 1);
	request_number(out, "min_bid_increment", 1);
	request_number(out, "duration_minutes", 525600);
	request_number(out, "created_by", USER_BASE);
	request_text(out, "start");
	request_byte(out, 0xc3);
}

static void put_mission(struct bytes *out, uint32_t slot)
{
	request_begin(out, slot, "mission.create", 5);
	request_pair(out, "id", "bench");
	request_pair(out, "name", "Bench");
	request_number(out, "target_value", 3);
	request_number(out, "reward_points", 1);
	request_text(out, "is_repeatable");
	request_byte(out, 0xc3);
}

static void put_fragment(struct bytes *out, uint32_t slot, const char *id)
{
	request_begin(out, slot, "narrative.create", 4);
	request_pair(out, "id", id);
	request_pair(out, "title", "A place");
	request_pair(out, "content", "It is dark.");
	request_pair(out, "type", "story");
}

void mix_prepare_encode(struct workload *w, uint32_t slot, struct bytes *out)
{
	uint32_t n = w->prepared++;

	if (n < MIX_AUCTIONS)
		put_auction(out, slot);
	else if (n == MIX_AUCTIONS)
		put_mission(out, slot);
	else
		put_fragment(out, slot, n == MIX_AUCTIONS + 1 ? "start" : "hall");
}

/* ---- the mix ---- */

static void put_activity(struct workload *w, uint32_t slot, struct bytes *out)
{
	static const char *const actions[] = { "message", "message", "message", "poll", "post", "comment" };

	request_begin(out, slot, "user.record_activity", 2);
	request_number(out, "user_id", workload_pick_user(w));
	request_pair(out, "action", actions[random_below(&w->random, 6)]);
}

static void put_query(struct workload *w, uint32_t slot, struct bytes *out)
{
	switch (random_below(&w->random, 10)) {
	case 0:
		request_begin(out, slot, "point.leaderboard", 1);
		request_number(out, "limit", 10);
		break;
	case 1:
		request_begin(out, slot, "mission.list", 2);
		request_number(out, "user_id", workload_pick_user(w));
		request_pair(out, "state", "open");
		break;
	case 2:
	case 3:
		request_begin(out, slot, "user.get", 2);
		request_number(out, "id", workload_pick_user(w));
		request_text(out, "include");
		request_byte(out, 0x92);
		request_text(out, "balance");
		request_text(out, "stats");
		break;
	default:
		request_begin(out, slot, "point.get", 1);
		request_number(out, "id", workload_pick_user(w));
		break;
	}
}

/* Auctions are taken in turn, so that two bids in flight seldom meet in one. */
static void put_bid(struct workload *w, uint32_t slot, struct bytes *out)
{
	uint32_t n = w->bids++;

	request_begin(out, slot, "auction.bid", 3);
	request_number(out, "auction_id", 1 + n % MIX_AUCTIONS);
	request_number(out, "user_id", workload_pick_user(w));
	request_number(out, "amount", 1 + n / MIX_AUCTIONS);
}

static void put_progress(struct workload *w, uint32_t slot, struct bytes *out)
{
	bool story = random_below(&w->random, 2) == 0;

	request_begin(out, slot, story ? "narrative.visit" : "mission.advance", 2);
	request_number(out, "user_id", workload_pick_user(w));
	if (story)
		request_pair(out, "fragment_id", random_below(&w->random, 2) == 0 ? "start" : "hall");
	else
		request_pair(out, "mission_id", "bench");
}

void mix_encode(struct workload *w, uint32_t slot, struct bytes *out)
{
	uint32_t n = random_below(&w->random, 100);

	if (n < 60)
		put_activity(w, slot, out);
	else if (n < 80)
		put_query(w, slot, out);
	else if (n < 90)
		put_bid(w, slot, out);
	else
		put_progress(w, slot, out);
}

bool mix_expects(const struct reply *reply)
{
	static const char *const refusals[] = { "bid_too_low", "already_highest_bidder", "insufficient_points" };

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (memmem(reply->error, reply->error_len, refusals[i], strlen(refusals[i])) != NULL)
			return true;
	return false;
}
