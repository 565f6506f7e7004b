#include "core/rules.h"

const char *const timer_names[N_TIMERS] = {
#define TIMER(name, events, doc) [TIMER_##name] = "timer." #name,
#include "core/schema/all.def"
};

static bool (*const find_due[N_TIMERS])(struct state *, int64_t, struct due *) = {
#define TIMER(name, events, doc) [TIMER_##name] = due_##name,
#include "core/schema/all.def"
};

static void (*const fire[N_TIMERS])(struct decision *, const struct due *) = {
#define TIMER(name, events, doc) [TIMER_##name] = fire_##name,
#include "core/schema/all.def"
};

int64_t due_hash(struct slice id)
{
	const uint8_t *p = id.base;
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (size_t i = 0; i < id.len; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return (int64_t)(h >> 1);
}

bool due_first_of(struct state *s, enum table_id table, const struct key *prefix, int64_t from, struct due *ret)
{
	struct state_cursor c;
	struct key k = *prefix;
	uint64_t at, id;
	bool found;

	if (from < ret->from)
		from = ret->from;
	key_put_U64(&k, (uint64_t)from);
	state_cursor_open(&c, s, table);
	found = state_cursor_seek(&c, key_slice(&k)) && slice_starts(c.key, key_slice(prefix));
	if (found) {
		struct slice row = slice_of((const uint8_t *)c.key.base + prefix->len, c.key.len - prefix->len);

		found = key_take_U64(&row, &at) && key_take_U64(&row, &id) && at <= (uint64_t)MS_MAX;
	}
	state_cursor_close(&c);
	if (found) {
		ret->at = ret->from = (int64_t)at;
		ret->id = (int64_t)id;
	}
	return found;
}

bool due_first(struct state *s, enum table_id table, int64_t from, struct due *ret)
{
	struct key none;

	return due_first_of(s, table, key_begin(&none), from, ret);
}

bool timers_next(struct state *s, int64_t now, int64_t from[N_TIMERS], struct due *ret)
{
	bool any = false;

	for (int i = 0; i < N_TIMERS; i++) {
		struct due found = { .timer = (enum timer_id)i, .from = from != NULL ? from[i] : 0 };

		if (!find_due[i](s, now, &found))
			continue;
		if (from != NULL)
			from[i] = found.from;
		if (any && found.at >= ret->at)
			continue;
		*ret = found;
		any = true;
	}
	return any;
}

int decide_timer(struct decision *d, const struct due *due)
{
	fire[due->timer](d, due);
	return settle(d);
}

/* What comes with each message, credit or bid moves no due time, and asking all timers anew is not free. */
bool event_moves_timers(enum event_type type)
{
	switch (event_defs[type].stream) {
	case STREAM_points:
	case STREAM_post:
	case STREAM_progress:
	case STREAM_achievement:
	case STREAM_badge:
	case STREAM_awards:
	case STREAM_story:
	case STREAM_attempt:
	case STREAM_plays:
	case STREAM_challenge_progress:
	case STREAM_raffle:
		return false;
	default:
		break;
	}
	switch (type) {
	case EV_user_created:
	case EV_user_updated:
	case EV_user_activity_recorded:
	case EV_user_checked_in:
	case EV_user_gift_claimed:
	case EV_user_level_changed:
	case EV_auction_joined:
	case EV_auction_left:
	case EV_auction_participant_updated:
	case EV_auction_bid_placed: /* one that moves the end comes with auction.extended */
		return false;
	default:
		return true;
	}
}
