#include "mix.h"

#include <string.h>

/* ---- requests ---- */

static void put_byte(struct bytes *out, uint8_t b)
{
	bytes_append(out, &b, 1);
}

static void put_u32(struct bytes *out, uint32_t n)
{
	uint8_t at[5] = { 0xce, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

	bytes_append(out, at, sizeof(at));
}

/* Shorter than 32 bytes. */
static void put_str(struct bytes *out, const char *text)
{
	size_t len = strlen(text);

	put_byte(out, (uint8_t)(0xa0 | len));
	bytes_append(out, (const uint8_t *)text, len);
}

static void put_pair(struct bytes *out, const char *key, const char *text)
{
	put_str(out, key);
	put_str(out, text);
}

static void put_number(struct bytes *out, const char *key, uint32_t n)
{
	put_str(out, key);
	put_u32(out, n);
}

/* [0, slot, method, [{ of so many pairs, which follow. */
static void put_request(struct bytes *out, uint32_t slot, const char *method, unsigned pairs)
{
	put_byte(out, 0x94);
	put_byte(out, 0);
	put_u32(out, slot);
	put_str(out, method);
	put_byte(out, 0x91);
	put_byte(out, (uint8_t)(0x80 | pairs));
}

/* ---- what there must be ---- */

static void put_auction(struct bytes *out, uint32_t slot)
{
	put_request(out, slot, "auction.create", 7);
	put_pair(out, "name", "Auction");
	put_pair(out, "prize_description", "A prize");
	put_number(out, "initial_price", 1);
	put_number(out, "min_bid_increment", 1);
	put_number(out, "duration_minutes", 525600);
	put_number(out, "created_by", USER_BASE);
	put_str(out, "start");
	put_byte(out, 0xc3);
}

static void put_mission(struct bytes *out, uint32_t slot)
{
	put_request(out, slot, "mission.create", 5);
	put_pair(out, "id", "bench");
	put_pair(out, "name", "Bench");
	put_number(out, "target_value", 3);
	put_number(out, "reward_points", 1);
	put_str(out, "is_repeatable");
	put_byte(out, 0xc3);
}

static void put_fragment(struct bytes *out, uint32_t slot, const char *id)
{
	put_request(out, slot, "narrative.create", 4);
	put_pair(out, "id", id);
	put_pair(out, "title", "A place");
	put_pair(out, "content", "It is dark.");
	put_pair(out, "type", "story");
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

	put_request(out, slot, "user.record_activity", 2);
	put_number(out, "user_id", workload_pick_user(w));
	put_pair(out, "action", actions[random_below(&w->random, 6)]);
}

static void put_query(struct workload *w, uint32_t slot, struct bytes *out)
{
	switch (random_below(&w->random, 10)) {
	case 0:
		put_request(out, slot, "point.leaderboard", 1);
		put_number(out, "limit", 10);
		break;
	case 1:
		put_request(out, slot, "mission.list", 2);
		put_number(out, "user_id", workload_pick_user(w));
		put_pair(out, "state", "open");
		break;
	case 2:
	case 3:
		put_request(out, slot, "user.get", 2);
		put_number(out, "id", workload_pick_user(w));
		put_str(out, "include");
		put_byte(out, 0x92);
		put_str(out, "balance");
		put_str(out, "stats");
		break;
	default:
		put_request(out, slot, "point.get", 1);
		put_number(out, "id", workload_pick_user(w));
		break;
	}
}

/* Auctions are taken in turn, so that two bids in flight seldom meet in one. */
static void put_bid(struct workload *w, uint32_t slot, struct bytes *out)
{
	uint32_t n = w->bids++;

	put_request(out, slot, "auction.bid", 3);
	put_number(out, "auction_id", 1 + n % MIX_AUCTIONS);
	put_number(out, "user_id", workload_pick_user(w));
	put_number(out, "amount", 1 + n / MIX_AUCTIONS);
}

static void put_progress(struct workload *w, uint32_t slot, struct bytes *out)
{
	bool story = random_below(&w->random, 2) == 0;

	put_request(out, slot, story ? "narrative.visit" : "mission.advance", 2);
	put_number(out, "user_id", workload_pick_user(w));
	if (story)
		put_pair(out, "fragment_id", random_below(&w->random, 2) == 0 ? "start" : "hall");
	else
		put_pair(out, "mission_id", "bench");
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
