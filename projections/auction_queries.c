#include "core/points.h"
#include "core/rules.h"
#include "projections/query.h"

/* Queries of the projection `auction`. */

/* ---- items ---- */

/* The relation of a user to an auction; an unknown user has none. */
static void put_relation(struct query *q, struct map_writer *w, const struct auction_item *item, int64_t user_id)
{
	const struct auction *a = &item->auction;
	struct participant part = { 0 };
	struct map_writer inner;
	struct err refusal = { 0 };
	struct user u;
	bool joined = find_participant(q->state, a->id, user_id, &part);
	bool may = find_user(q->state, user_id, &u) && gate_open(q->state, SETTING_access_auction, &u, q->now);

	map_key(w, "user");
	map_open(&inner, q->out);
	map_bool(&inner, "participating", joined);
	map_bool(&inner, "notifications_enabled", joined && part.notifications_enabled);
	map_points(&inner, "highest_bid", part.highest_bid);
	map_bool(&inner, "leads", auction_led_by(a, user_id));
	map_bool(&inner, "can_bid",
		 may && bid_test(q->state, q->now, a, user_id, item->min_next_bid, &joined, &refusal) == 0);
	map_close(&inner);
}

static void put_bid_item(struct query *q, const struct bid *b, const struct auction *a)
{
	struct bid_item item;

	bid_show(b, a, &item);
	record_put_wire(q->out, record_bid_item(), &item);
}

enum { BIDS_SHOWN = 5 };

static void put_latest_bids(struct query *q, struct map_writer *w, const struct auction *a)
{
	struct row_walk rows;
	struct key k;
	uint32_t n = 0;
	size_t head;

	map_key(w, "bids");
	head = array_open(q->out);
	key_put_U64(key_begin(&k), a->id);
	row_walk_begin(&rows, q->state, T_bid_by_auction, &k, true);
	while (n < BIDS_SHOWN && row_walk_next(&rows)) {
		struct bid b;
		uint64_t id;

		if (!key_last_U64(rows.key, &id) || !get_bid(q->state, id, &b))
			continue;
		put_bid_item(q, &b, a);
		n++;
	}
	row_walk_end(&rows);
	array_close(q->out, head, n);
}

static void put_auction_item(struct query *q, const struct auction *a, bool has_user, int64_t user_id, bool with_bids)
{
	struct auction_item item;
	struct map_writer w;

	auction_show(a, q->now, &item);
	map_open(&w, q->out);
	map_fields(&w, record_auction_item(), &item);
	if (has_user)
		put_relation(q, &w, &item, user_id);
	if (with_bids)
		put_latest_bids(q, &w, a);
	map_close(&w);
}

int query_auction_get(struct query *q, const struct auction_get *p)
{
	struct auction a;

	if (!find_auction(q->state, p->id, &a))
		return err_missing(q->err, "auction", (int64_t)p->id);
	put_auction_item(q, &a, p->has_user_id, p->user_id, p->include.n > 0);
	q->returned = 1;
	return 0;
}

static bool put_auction_of(struct query *q, const void *params, const void *id)
{
	const struct auction_get_many *p = params;
	struct auction a;

	if (!find_auction(q->state, *(const uint64_t *)id, &a))
		return false;
	put_auction_item(q, &a, p->has_user_id, p->user_id, false);
	return true;
}

int query_auction_get_many(struct query *q, const struct auction_get_many *p)
{
	return put_many(q, KIND_U64, p->ids.v, p->ids.n, put_auction_of, p);
}

int query_bid_get(struct query *q, const struct bid_get *p)
{
	struct auction a;
	struct bid b;

	if (!get_bid(q->state, p->id, &b) || !find_auction(q->state, b.auction_id, &a))
		return err_missing(q->err, "bid", (int64_t)p->id);
	put_bid_item(q, &b, &a);
	q->returned = 1;
	return 0;
}

int query_participant_get(struct query *q, const struct participant_get *p)
{
	struct participant part;
	struct auction a;

	if (!find_auction(q->state, p->auction_id, &a))
		return err_missing(q->err, "auction", (int64_t)p->auction_id);
	if (!find_participant(q->state, p->auction_id, p->user_id, &part))
		return err_missing(q->err, "participant", p->user_id);
	record_put_wire(q->out, record_participant(), &part);
	q->returned = 1;
	return 0;
}

/* ---- lists of auctions ---- */

struct auction_walk {
	const struct auction_list *p;
	struct time_range created;
	struct search search; /* of the query */
};

/* By the clock, not only by what the timers have done. */
static bool in_status(const struct auction_list *p, const struct auction *a, int64_t now)
{
	return p->status.base == NULL ||
	       (slice_is(p->status, "active") ? auction_running(a, now) : slice_eq(p->status, a->status));
}

static bool in_state(struct query *q, const struct auction_list *p, const struct auction *a)
{
	struct participant part;

	if (p->state.base == NULL)
		return true;
	if (slice_is(p->state, "won"))
		return a->has_winner_id && a->winner_id == p->user_id;
	if (slice_is(p->state, "leading"))
		return auction_led_by(a, p->user_id);
	return find_participant(q->state, a->id, p->user_id, &part);
}

static int64_t in_minutes(int64_t now, int64_t minutes)
{
	return minutes > MS_MAX / MINUTE_MS ? INT64_MAX : now + minutes * MINUTE_MS;
}

static bool auction_matches(struct query *q, const struct auction_walk *w, const struct auction *a)
{
	const struct auction_list *p = w->p;

	return in_status(p, a, q->now) && in_time(&w->created, a->created_at) && in_state(q, p, a) &&
	       (!p->has_created_by || a->created_by == p->created_by) &&
	       (!p->has_winner_id || (a->has_winner_id && a->winner_id == p->winner_id)) &&
	       (!p->has_ends_within_minutes ||
		(auction_running(a, q->now) && a->end_at <= in_minutes(q->now, p->ends_within_minutes))) &&
	       (!p->has_starts_within_minutes || (slice_is(a->status, "pending") && a->has_start_at &&
						  a->start_at <= in_minutes(q->now, p->starts_within_minutes))) &&
	       (!p->has_overdue || p->overdue == (slice_is(a->status, "active") && !auction_running(a, q->now)));
}

static int visit_auction(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct auction_walk *w = arg;
	struct slice word = SLICE_NULL;
	struct auction a;
	uint64_t id;

	(void)value;
	if (w->search.words.n > 0 && !key_take_TEXT(&key, q->arena, &word))
		return VISIT_SKIPPED;
	if (!key_last_U64(key, &id) || !find_auction(q->state, id, &a) || !auction_matches(q, w, &a) ||
	    (w->search.words.n > 0 && !search_hit(q, &w->search, word, (struct slice[]){ a.name, a.description }, 2)))
		return VISIT_SKIPPED;
	put_auction_item(q, &a, w->p->has_user_id, w->p->user_id, false);
	return VISIT_TAKEN;
}

/* The status that the filters imply, and what they say about its key time; NULL: none. */
static const char *implied_status(struct query *q, const struct auction_list *p, struct time_range *ret_when)
{
	*ret_when = (struct time_range){ INT64_MIN, INT64_MAX };
	if (p->has_ends_within_minutes) {
		ret_when->from = q->now + 1;
		ret_when->to = in_minutes(q->now + 1, p->ends_within_minutes);
		return "active";
	}
	if (p->has_overdue && p->overdue) {
		ret_when->to = q->now + 1;
		return "active";
	}
	if (p->has_starts_within_minutes) {
		ret_when->to = in_minutes(q->now + 1, p->starts_within_minutes);
		return "pending";
	}
	if (slice_is(p->status, "active"))
		ret_when->from = q->now + 1;
	return p->status.base == NULL           ? NULL
	       : slice_is(p->status, "pending") ? "pending"
	       : slice_is(p->status, "active")  ? "active"
	       : slice_is(p->status, "ended")   ? "ended"
						: "cancelled";
}

static bool descending(const struct auction_list *p, bool dflt)
{
	return p->order.base != NULL ? slice_is(p->order, "desc") : dflt;
}

/* Which index drives: that of the user's state; else the one of which the filters fix most. */
static void choose_range(struct query *q, const struct auction_list *p, const struct auction_walk *w, struct range *r)
{
	struct time_range when;
	const char *status = implied_status(q, p, &when);
	struct key k;

	key_begin(&k);
	if (p->state.base != NULL && !slice_is(p->state, "won")) {
		key_put_U64(&k, (uint64_t)p->user_id);
		range_prefix(r, T_participant_by_user, &k, descending(p, true));
	} else if (p->state.base != NULL || p->has_winner_id) {
		key_put_U64(&k, (uint64_t)(p->state.base != NULL ? p->user_id : p->winner_id));
		range_prefix(r, T_auction_by_winner, &k, descending(p, true));
	} else if (p->has_created_by) {
		key_put_U64(&k, (uint64_t)p->created_by);
		range_times(r, T_auction_by_creator, &k, &w->created, descending(p, true));
	} else if (status != NULL) {
		key_put_TEXT(&k, slice_str(status));
		range_times(r, T_auction_by_status, &k, &when,
			    descending(p, strcmp(status, "ended") == 0 || strcmp(status, "cancelled") == 0));
	} else {
		range_times(r, T_auction_by_created, &k, &w->created, descending(p, true));
	}
}

int query_auction_list(struct query *q, const struct auction_list *p)
{
	struct auction_walk w = { .p = p };
	struct range r;
	int rc = time_range(q, p->has_from_at, p->from_at, p->has_to_at, p->to_at, p->has_days, p->days, &w.created);

	if (rc == 0 && p->state.base != NULL && !p->has_user_id)
		rc = err_field(q->err, "state", "needs user_id");
	if (rc == 0 && p->query.base != NULL && p->order.base != NULL)
		rc = err_field(q->err, "query", "excludes order");
	if (rc == 0 && p->query.base != NULL)
		rc = search_begin(q, "query", p->query, T_auction_word, &w.search, &r);
	if (rc != 0)
		return rc;
	if (p->query.base == NULL)
		choose_range(q, p, &w, &r);
	return list_range(q, record_auction_list(), p, &r, visit_auction, &w);
}

/* ---- lists of bids and participants ---- */

struct bid_walk {
	const struct bid_list *p;
	int64_t from_at;
	bool latest_first;
	struct auction auction; /* of the bid before: often the same */
};

static int visit_bid(struct query *q, void *arg, struct slice key, struct slice value)
{
	struct bid_walk *w = arg;
	const struct bid_list *p = w->p;
	struct bid_item item;
	struct bid b;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_bid(q->state, id, &b))
		return VISIT_SKIPPED;
	if (b.created_at < w->from_at)
		return w->latest_first ? VISIT_STOP : VISIT_SKIPPED;
	if ((p->has_auction_id && b.auction_id != p->auction_id) || (p->has_user_id && b.user_id != p->user_id) ||
	    (w->auction.id != b.auction_id && !find_auction(q->state, b.auction_id, &w->auction)))
		return VISIT_SKIPPED;
	bid_show(&b, &w->auction, &item);
	if (p->status.base != NULL && !slice_eq(p->status, item.status))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_bid_item(), &item);
	return VISIT_TAKEN;
}

int query_bid_list(struct query *q, const struct bid_list *p)
{
	struct bid_walk w = { .p = p, .from_at = p->has_days ? q->now - p->days * DAY_MS : INT64_MIN };
	bool desc = slice_is(p->order, "desc");
	struct range r;
	struct key k;

	if (!p->has_auction_id && !p->has_user_id)
		return err_field(q->err, "auction_id", "auction_id or user_id is required");
	if (p->sort.base != NULL && !p->has_auction_id)
		return err_field(q->err, "sort", "needs auction_id");
	key_begin(&k);
	if (p->sort.base != NULL) {
		/* the table has the largest amount first */
		key_put_U64(&k, p->auction_id);
		range_prefix(&r, T_bid_by_amount, &k, !desc);
	} else {
		key_put_U64(&k, p->has_user_id ? (uint64_t)p->user_id : p->auction_id);
		range_prefix(&r, p->has_user_id ? T_bid_by_user : T_bid_by_auction, &k, desc);
		w.latest_first = desc;
	}
	return list_range(q, record_bid_list(), p, &r, visit_bid, &w);
}

static int visit_participant(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct participant_list *p = arg;
	struct participant part;
	uint64_t first, last;

	(void)value;
	/* one of auction and user comes first in every index of participants, the other last */
	if (!key_last_U64(key, &last) || !key_take_U64(&key, &first) ||
	    !(p->has_user_id ? get_participant(q->state, last, first, &part)
			     : get_participant(q->state, first, last, &part)) ||
	    (p->has_auction_id && part.auction_id != p->auction_id) ||
	    (p->has_notifications_enabled && part.notifications_enabled != p->notifications_enabled))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_participant(), &part);
	return VISIT_TAKEN;
}

int query_participant_list(struct query *q, const struct participant_list *p)
{
	bool desc = slice_is(p->order, "desc");
	struct range r;
	struct key k;

	if (!p->has_auction_id && !p->has_user_id)
		return err_field(q->err, "auction_id", "auction_id or user_id is required");
	key_put_U64(key_begin(&k), p->has_user_id ? (uint64_t)p->user_id : p->auction_id);
	if (p->has_user_id) {
		range_prefix(&r, T_participant_by_user, &k, desc);
	} else if (p->has_notifications_enabled) {
		key_put_U64(&k, p->notifications_enabled);
		range_prefix(&r, T_participant_to_notify, &k, desc);
	} else {
		range_prefix(&r, T_participant_by_joined, &k, desc);
	}
	return list_range(q, record_participant_list(), p, &r, visit_participant, (void *)p);
}

/* ---- statistics ---- */

/* In points. */
static double mean_points(int64_t sum, int64_t n)
{
	return n != 0 ? points_to_double(sum) / (double)n : 0.0;
}

static int stats_of_auction(struct query *q, uint64_t id)
{
	struct auction_item item;
	struct map_writer w;
	struct auction a;

	if (!find_auction(q->state, id, &a))
		return err_missing(q->err, "auction", (int64_t)id);
	auction_show(&a, q->now, &item);
	map_open(&w, q->out);
	map_text(&w, "status", a.status);
	map_int(&w, "bids", a.bid_count);
	map_int(&w, "bidders", a.bidders);
	map_int(&w, "participants", a.participant_count);
	map_points(&w, "initial_price", a.initial_price);
	map_points(&w, "current_bid", a.current_bid);
	map_points(&w, "price_increase", a.has_leading_bid_id ? a.current_bid - a.initial_price : 0);
	map_opt_int(&w, "first_bid_at", a.has_first_bid_at, a.first_bid_at);
	map_opt_int(&w, "last_bid_at", a.has_last_bid_at, a.last_bid_at);
	map_float(&w, "average_bid", mean_points(a.bid_sum, a.bid_count));
	map_int(&w, "extensions", a.extensions);
	map_int(&w, "time_left_ms", item.time_left_ms);
	map_opt_int(&w, "winner_id", a.has_winner_id, a.winner_id);
	map_close(&w);
	return 0;
}

/* Each open hold is that of a bid which leads. */
static int64_t count_leading(struct query *q, int64_t user_id)
{
	struct row_walk rows;
	struct key k;
	int64_t n = 0;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	key_put_TEXT(&k, SLICE_LIT("held"));
	row_walk_begin(&rows, q->state, T_hold_by_user, &k, false);
	while (n < EXAMINE_MAX && row_walk_next(&rows))
		n++;
	row_walk_end(&rows);
	q->examined += (uint64_t)n;
	return n;
}

static int stats_of_user(struct query *q, int64_t id)
{
	struct auction_user u = { 0 };
	struct map_writer w;
	struct balance b;

	if (!find_balance(q->state, id, &b))
		return err_missing(q->err, "user", id);
	get_auction_user(q->state, (uint64_t)id, &u);
	map_open(&w, q->out);
	map_int(&w, "joined", u.joined);
	map_int(&w, "bids", u.bids);
	map_int(&w, "auctions_bid", u.auctions_bid);
	map_int(&w, "leading", count_leading(q, id));
	map_int(&w, "won", u.won);
	map_float(&w, "win_rate", percent(u.won, u.auctions_bid));
	map_points(&w, "spent", u.spent);
	map_points(&w, "held", b.held);
	map_points(&w, "highest_bid", u.highest_bid);
	map_int(&w, "created", u.created);
	map_close(&w);
	return 0;
}

static void stats_all(struct query *q, struct map_writer *w)
{
	struct auction_totals t = { 0 };
	struct point_totals points = { 0 };
	struct map_writer inner;

	get_auction_totals(q->state, 0, &t);
	get_point_totals(q->state, 0, &points);
	map_key(w, "by_status");
	map_open(&inner, q->out);
	map_int(&inner, "pending", t.pending);
	map_int(&inner, "active", t.active);
	map_int(&inner, "ended", t.ended);
	map_int(&inner, "cancelled", t.cancelled);
	map_close(&inner);
	map_int(w, "total", t.pending + t.active + t.ended + t.cancelled);
	map_int(w, "bids", t.bids);
	map_int(w, "bidders", t.bidders);
	map_int(w, "participants", t.participants);
	map_points(w, "points_captured", t.captured);
	map_points(w, "points_held", points.held);
	map_float(w, "average_final_price", mean_points(t.captured, t.sold));
	map_points(w, "highest_final_price", t.highest_price);
	map_float(w, "average_bids", mean(t.bids, t.created));
	map_int(w, "without_winner", t.unsold);
}

static void put_day_counts(struct map_writer *w, const struct auction_day *d, int64_t bidders)
{
	map_int(w, "created", d->created);
	map_int(w, "started", d->started);
	map_int(w, "ended", d->ended);
	map_int(w, "cancelled", d->cancelled);
	map_int(w, "bids", d->bids);
	map_int(w, "bidders", bidders);
	map_points(w, "points_captured", d->captured);
}

static void put_day(struct query *q, struct map_writer *w, int64_t day, void *arg)
{
	struct auction_day *sum = arg, d = { 0 };

	get_auction_day(q->state, (uint64_t)day, &d);
	put_day_counts(w, &d, d.bidders);
	sum->created += d.created;
	sum->started += d.started;
	sum->ended += d.ended;
	sum->cancelled += d.cancelled;
	sum->bids += d.bids;
	sum->latest += d.latest;
	sum->captured += d.captured;
}

int query_auction_stats(struct query *q, const struct auction_stats *p)
{
	struct auction_day sum = { 0 };
	struct map_writer w;

	if (p->has_auction_id + p->has_user_id + p->has_days > 1)
		return err_field(q->err, p->has_days ? "days" : "user_id", "stands alone");
	q->returned = 1;
	if (p->has_auction_id)
		return stats_of_auction(q, p->auction_id);
	if (p->has_user_id)
		return stats_of_user(q, p->user_id);
	map_open(&w, q->out);
	if (p->has_days) {
		put_per_day(q, &w, p->days, put_day, &sum);
		put_day_counts(&w, &sum, sum.latest);
	} else {
		stats_all(q, &w);
	}
	map_close(&w);
	return 0;
}
