#include <inttypes.h>

#include "core/reactions.h"
#include "core/rules.h"

/* ---- what auctions, bids and participants are ---- */

bool find_auction(struct state *s, uint64_t id, struct auction *ret)
{
	return get_auction(s, id, ret) && !ret->deleted;
}

static int need_auction(struct decision *d, uint64_t id, struct auction *ret)
{
	return find_auction(d->state, id, ret) ? 0 : err_missing(d->err, "auction", (int64_t)id);
}

bool find_participant(struct state *s, uint64_t auction_id, int64_t user_id, struct participant *ret)
{
	return get_participant(s, auction_id, (uint64_t)user_id, ret) && !ret->left;
}

static bool is_active(const struct auction *a)
{
	return slice_is(a->status, "active");
}

static bool is_pending(const struct auction *a)
{
	return slice_is(a->status, "pending");
}

bool auction_closed(const struct auction *a)
{
	return !is_active(a) && !is_pending(a);
}

bool auction_running(const struct auction *a, int64_t now)
{
	return is_active(a) && now < a->end_at;
}

bool auction_led_by(const struct auction *a, int64_t user_id)
{
	return is_active(a) && a->has_highest_bidder_id && a->highest_bidder_id == user_id;
}

static int64_t min_next_bid(const struct auction *a)
{
	int64_t next = a->current_bid + a->min_bid_increment;

	return a->has_leading_bid_id && next > a->initial_price ? next : a->initial_price;
}

void auction_show(const struct auction *a, int64_t now, struct auction_item *ret)
{
	*ret = (struct auction_item){ .auction = *a,
				      .min_next_bid = min_next_bid(a),
				      .time_left_ms = auction_running(a, now) ? a->end_at - now : 0 };
}

bool bid_standing(const struct bid *b)
{
	return !b->retracted && !b->released;
}

void bid_show(const struct bid *b, const struct auction *a, struct bid_item *ret)
{
	bool ahead = a->has_winning_bid_id && a->winning_bid_id == b->id;

	*ret = (struct bid_item){ .bid = *b };
	ret->status = b->retracted                ? SLICE_LIT("retracted")
		      : b->released               ? SLICE_LIT("released")
		      : is_active(a)              ? (ahead ? SLICE_LIT("leading") : SLICE_LIT("outbid"))
		      : ahead && a->has_winner_id ? SLICE_LIT("won")
						  : SLICE_LIT("released");
	ret->is_winning = slice_is(ret->status, "leading") || slice_is(ret->status, "won");
	/* its hold is released or captured with the lead, so the row need not be touched again for that */
	if (!slice_is(ret->status, "leading")) {
		ret->bid.has_hold_id = false;
		ret->bid.hold_id = 0;
	}
}

bool has_active_auctions(struct state *s, int64_t user_id)
{
	bool active = false;
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, s, T_auction_by_creator, &k, true);
	while (!active && row_walk_next(&w)) {
		struct auction a;
		uint64_t id;

		active = key_last_U64(w.key, &id) && get_auction(s, id, &a) && is_active(&a);
	}
	row_walk_end(&w);
	return active;
}

const struct closed auctions_closed = { T_auction_by_status, { "ended", "cancelled" } };

/* ---- errors ---- */

static int not_active(const struct auction *a, struct err *err)
{
	err_set(err, E_AUCTION_NOT_ACTIVE, "auction %" PRIu64 " is %.*s%s", a->id, SLICE_FMT(a->status),
		is_active(a) ? ", but past its end" : "");
	err_detail_text(err, "status", a->status);
	if (a->has_end_at)
		err_detail_int(err, "end_at", a->end_at);
	else
		err_detail_raw(err, "end_at", SLICE_LIT("\xc0"));
	return E_AUCTION_NOT_ACTIVE;
}

static int leads_already(const struct auction *a, struct err *err)
{
	err_set(err, E_ALREADY_HIGHEST_BIDDER, "user %" PRId64 " leads already", a->highest_bidder_id);
	err_detail_points(err, "current_bid", a->current_bid);
	return E_ALREADY_HIGHEST_BIDDER;
}

static int room_left(const struct auction *a, struct err *err)
{
	if (!a->has_max_participants || a->participant_count < a->max_participants)
		return 0;
	err_set(err, E_AUCTION_FULL, "auction %" PRIu64 " is full", a->id);
	err_detail_int(err, "max_participants", a->max_participants);
	return E_AUCTION_FULL;
}

/* ---- create, update, delete ---- */

static int long_enough(struct decision *d, const struct auction *a)
{
	if (a->name.len < 3)
		return err_field(d->err, "name", "must be at least 3 bytes");
	if (a->prize_description.len < 5)
		return err_field(d->err, "prize_description", "must be at least 5 bytes");
	return 0;
}

/* A pending auction has a length or an end. */
static int one_length(struct decision *d, const struct auction *a)
{
	if (a->has_duration_minutes != a->has_end_at)
		return 0;
	return err_field(d->err, "duration_minutes", "exactly one of duration_minutes and end_at is needed");
}

static int times_ahead(struct decision *d, const struct auction *a)
{
	if (a->has_start_at && a->start_at < d->now)
		return err_field(d->err, "start_at", "must not be in the past");
	if (a->has_end_at && a->end_at <= (a->has_start_at ? a->start_at : d->now))
		return err_field(d->err, "end_at", "must be after the start");
	return 0;
}

static int64_t minutes_after(int64_t at, int64_t minutes)
{
	return minutes > (MS_MAX - at) / MINUTE_MS ? MS_MAX : at + minutes * MINUTE_MS;
}

/* due: that of the timer, NULL: by command. */
static void start(struct decision *d, const struct auction *a, const struct due *due)
{
	EMIT(d, auction_started, .auction_id = a->id, .start_at = d->now,
	     .end_at = a->has_end_at ? a->end_at : minutes_after(d->now, a->duration_minutes),
	     .has_due_at = due != NULL, .due_at = due != NULL ? due->at : 0);
}

static void show(struct decision *d, uint64_t id, struct auction_item *ret)
{
	struct auction a;

	if (find_auction(d->state, id, &a))
		auction_show(&a, d->now, ret);
}

static int create_test(struct decision *d, const struct auction_create *p)
{
	struct user creator;
	int rc = long_enough(d, &p->auction);

	if (rc == 0)
		rc = one_length(d, &p->auction);
	if (rc == 0 && p->start && p->auction.has_start_at)
		rc = err_field(d->err, "start_at", "excludes start");
	if (rc == 0)
		rc = need_user(d, p->auction.created_by, &creator);
	return rc != 0 ? rc : times_ahead(d, &p->auction);
}

int decide_auction_create(struct decision *d, const struct auction_create *p, struct auction_item_result *r)
{
	struct auction_totals totals = { 0 };
	struct auction new = p->auction;
	int rc = create_test(d, p);

	if (rc != 0)
		return rc;
	get_auction_totals(d->state, 0, &totals);
	new.id = totals.last_auction_id + 1;
	new.version = 1;
	new.status = SLICE_LIT("pending");
	new.created_at = new.updated_at = d->now;
	new.min_bid_increment = p->has_min_bid_increment ? p->min_bid_increment
							 : setting_int(d->state, SETTING_auctions_min_bid_increment);
	new.auto_extend_minutes = p->has_auto_extend_minutes
					  ? p->auto_extend_minutes
					  : setting_int(d->state, SETTING_auctions_auto_extend_minutes);
	decision_address(d, STREAM_auction, &new.id, NULL);
	EMIT(d, auction_created, .auction = new);
	if (p->start)
		start(d, &new, NULL);
	show(d, new.id, &r->item);
	return 0;
}

/* A running auction keeps its price and times. */
static int changeable(struct decision *d, const struct auction *a, uint64_t given)
{
	static const char *const fields[] = { "name", "description", "prize_description", "max_participants",
					      "auto_extend_minutes" };
	const struct record *r = record_auction();

	if (auction_closed(a))
		return not_active(a, d->err);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		given &= ~(UINT64_C(1) << record_field(r, slice_str(fields[i])));
	if (is_active(a) && given != 0)
		return err_field(d->err, r->fields[__builtin_ctzll(given)].name,
				 "cannot be changed in a running auction");
	return 0;
}

static int update_test(struct decision *d, const struct auction *a, uint64_t given)
{
	int rc = long_enough(d, a);

	if (rc == 0 && a->has_max_participants && a->max_participants < a->participant_count)
		rc = err_field(d->err, "max_participants", "is less than the %" PRId64 " who take part",
			       a->participant_count);
	if (rc == 0 && is_pending(a))
		rc = one_length(d, a);
	if (rc == 0 && (GIVEN(given, auction, start_at) || GIVEN(given, auction, end_at)))
		rc = times_ahead(d, a);
	return rc;
}

int decide_auction_update(struct decision *d, const struct auction_update *p, struct auction_item_result *r)
{
	struct slice changes, before;
	struct auction old, new;
	int rc = need_auction(d, p->id, &old);

	if (rc == 0)
		rc = changeable(d, &old, p->given_auction);
	if (rc != 0)
		return rc;
	new = old;
	record_merge(record_auction(), &new, &p->auction, p->given_auction);
	rc = update_test(d, &new, p->given_auction);
	if (rc != 0)
		return rc;
	if (record_diff(record_auction(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, auction_updated, .id = p->id, .changes = changes, .before = before);
	show(d, p->id, &r->item);
	return 0;
}

int decide_auction_delete(struct decision *d, const struct auction_delete *p, struct nothing *r)
{
	struct auction a;
	int rc = need_auction(d, p->id, &a);

	(void)r;
	if (rc != 0)
		return rc;
	if (is_active(&a))
		return err_with(d->err, E_IN_USE, "reason", "active_auction", "auction %" PRIu64 " is active", p->id);
	EMIT(d, auction_deleted, .id = p->id);
	return 0;
}

/* ---- start, extend, cancel ---- */

int decide_auction_start(struct decision *d, const struct auction_start *p, struct nothing *r)
{
	struct auction a;
	int rc = need_auction(d, p->auction_id, &a);

	(void)r;
	if (rc != 0)
		return rc;
	if (!is_pending(&a)) {
		err_set(d->err, E_AUCTION_NOT_PENDING, "auction %" PRIu64 " is %.*s", a.id, SLICE_FMT(a.status));
		err_detail_text(d->err, "status", a.status);
		return E_AUCTION_NOT_PENDING;
	}
	if (a.has_end_at && a.end_at <= d->now)
		return err_field(d->err, "end_at", "of the auction is past already");
	start(d, &a, NULL);
	return 0;
}

static void extend(struct decision *d, const struct auction *a, int64_t end_at, int64_t duration, bool automatic,
		   int64_t minutes)
{
	EMIT(d, auction_extended, .auction_id = a->id, .has_end_at = a->has_end_at, .end_at = end_at,
	     .has_before_end_at = a->has_end_at, .before_end_at = a->end_at,
	     .has_duration_minutes = a->has_duration_minutes, .duration_minutes = duration, .automatic = automatic,
	     .minutes = minutes);
}

int decide_auction_extend(struct decision *d, const struct auction_extend *p, struct nothing *r)
{
	struct auction a;
	int rc = need_auction(d, p->auction_id, &a);
	int64_t end;

	(void)r;
	if (rc != 0)
		return rc;
	if (!is_pending(&a) && !auction_running(&a, d->now))
		return not_active(&a, d->err);
	end = a.has_end_at ? a.end_at : minutes_after(d->now, a.duration_minutes);
	if (minutes_after(end, p->minutes) == MS_MAX) {
		err_set(d->err, E_LIMIT_EXCEEDED, "the auction would end beyond the year 9999");
		err_detail_int(d->err, "limit", MS_MAX);
		return E_LIMIT_EXCEEDED;
	}
	extend(d, &a, minutes_after(a.end_at, p->minutes), a.duration_minutes + (a.has_end_at ? 0 : p->minutes), false,
	       p->minutes);
	return 0;
}

int decide_auction_cancel(struct decision *d, const struct auction_cancel *p, struct nothing *r)
{
	struct auction a;
	int rc = need_auction(d, p->auction_id, &a);

	(void)r;
	if (rc != 0)
		return rc;
	if (auction_closed(&a))
		return not_active(&a, d->err);
	EMIT(d, auction_cancelled, .auction_id = a.id, .reason = p->reason);
	return 0;
}

/* ---- end ---- */

/* The highest standing bid of a user, who need not take part any more. */
static bool highest_standing(struct decision *d, const struct auction *a, int64_t user_id, struct bid *ret)
{
	struct participant part;
	bool found = false;
	struct row_walk w;
	struct key k;

	if (!get_participant(d->state, a->id, (uint64_t)user_id, &part) || part.highest_bid == 0)
		return false;
	key_put_U64(key_begin(&k), a->id);
	key_put_DESC(&k, part.highest_bid);
	row_walk_begin(&w, d->state, T_bid_by_amount, &k, false);
	while (!found && row_walk_next(&w)) {
		uint64_t id;

		found = key_last_U64(w.key, &id) && get_bid(d->state, id, ret) && ret->user_id == user_id &&
			bid_standing(ret);
	}
	row_walk_end(&w);
	return found;
}

/* The bid that wins unless another than the leader is chosen; then that one's, which must be covered. */
static int choose_winner(struct decision *d, const struct auction *a, const struct auction_end *p, struct bid *ret,
			 bool *ret_any)
{
	struct balance b;

	*ret_any = a->has_leading_bid_id && get_bid(d->state, a->leading_bid_id, ret);
	if (!p->has_winner_id || (*ret_any && ret->user_id == p->winner_id))
		return 0;
	*ret_any = highest_standing(d, a, p->winner_id, ret);
	if (!*ret_any || !find_balance(d->state, p->winner_id, &b))
		return err_missing(d->err, "bid", p->winner_id);
	return need_points(&b, ret->amount, d->err);
}

/* winner NULL: nobody. due NULL: by command. */
static void end(struct decision *d, const struct auction *a, const struct bid *winner, const struct due *due)
{
	EMIT(d, auction_ended, .auction_id = a->id, .has_winner_id = winner != NULL,
	     .winner_id = winner != NULL ? winner->user_id : 0, .has_winning_bid_id = winner != NULL,
	     .winning_bid_id = winner != NULL ? winner->id : 0, .amount = winner != NULL ? winner->amount : 0,
	     .has_due_at = due != NULL, .due_at = due != NULL ? due->at : 0);
}

static void show_bid(struct decision *d, uint64_t id, struct bid_item *ret)
{
	struct auction a;
	struct bid b;

	if (get_bid(d->state, id, &b) && find_auction(d->state, b.auction_id, &a))
		bid_show(&b, &a, ret);
}

int decide_auction_end(struct decision *d, const struct auction_end *p, struct auction_end_result *r)
{
	struct auction a;
	struct bid winner;
	bool any = false;
	int rc = need_auction(d, p->auction_id, &a);

	if (rc == 0 && !is_active(&a))
		rc = not_active(&a, d->err);
	if (rc == 0)
		rc = choose_winner(d, &a, p, &winner, &any);
	if (rc != 0)
		return rc;
	end(d, &a, any ? &winner : NULL, NULL);
	rc = settle(d);
	show(d, a.id, &r->auction);
	r->has_winning_bid = any;
	if (any)
		show_bid(d, winner.id, &r->winning_bid);
	return rc;
}

/* ---- bids ---- */

int bid_test(struct state *s, int64_t now, const struct auction *a, int64_t user_id, int64_t amount, bool *ret_joined,
	     struct err *err)
{
	struct participant part;
	struct balance b = { .id = user_id };
	int rc;

	if (!auction_running(a, now))
		return not_active(a, err);
	if (auction_led_by(a, user_id))
		return leads_already(a, err);
	if (amount < min_next_bid(a)) {
		err_set(err, E_BID_TOO_LOW, "the bid is too low");
		err_detail_points(err, "min_bid", min_next_bid(a));
		return E_BID_TOO_LOW;
	}
	*ret_joined = find_participant(s, a->id, user_id, &part);
	rc = *ret_joined ? 0 : room_left(a, err);
	if (rc != 0)
		return rc;
	find_balance(s, user_id, &b);
	return need_points(&b, amount, err);
}

static struct bid_ref leader_of(const struct auction *a)
{
	return (struct bid_ref){ a->leading_bid_id, a->highest_bidder_id, a->current_bid };
}

static void place_bid(struct decision *d, const struct auction *a, const struct auction_bid *p, uint64_t id)
{
	EMIT(d, auction_bid_placed,
	     .bid = { .id = id, .auction_id = a->id, .user_id = p->user_id, .amount = p->amount, .created_at = d->now },
	     .has_previous = a->has_leading_bid_id, .previous = leader_of(a), .first = a->bid_count == 0);
	if (a->end_at - d->now < a->auto_extend_minutes * MINUTE_MS)
		extend(d, a, minutes_after(d->now, a->auto_extend_minutes), a->duration_minutes, true,
		       a->auto_extend_minutes);
}

int decide_auction_bid(struct decision *d, const struct auction_bid *p, struct auction_bid_result *r)
{
	struct auction_totals totals = { 0 };
	struct balance b = { 0 };
	struct auction a;
	struct user u;
	bool joined;
	int rc = need_auction(d, p->auction_id, &a);

	if (rc == 0)
		rc = need_user(d, p->user_id, &u);
	if (rc == 0)
		rc = access_gate(d, SETTING_access_auction, &u);
	if (rc == 0)
		rc = bid_test(d->state, d->now, &a, p->user_id, p->amount, &joined, d->err);
	if (rc != 0)
		return rc;
	get_auction_totals(d->state, 0, &totals);
	if (!joined)
		EMIT(d, auction_joined, .auction_id = a.id, .user_id = p->user_id, .notifications_enabled = true);
	place_bid(d, &a, p, totals.last_bid_id + 1);
	rc = settle(d);
	show(d, a.id, &r->auction);
	show_bid(d, totals.last_bid_id + 1, &r->bid);
	find_balance(d->state, p->user_id, &b);
	r->held = b.held;
	r->available = b.balance - b.held;
	r->has_outbid_user_id = a.has_leading_bid_id;
	r->outbid_user_id = a.highest_bidder_id;
	return rc;
}

/* Whether the bidder still takes part and can cover the bid once the leader's hold is released. */
static bool can_lead(struct decision *d, const struct bid *b, const struct bid *leader)
{
	struct participant part;
	struct balance bal;

	return bid_standing(b) && find_participant(d->state, b->auction_id, b->user_id, &part) &&
	       find_balance(d->state, b->user_id, &bal) &&
	       bal.balance - bal.held + (b->user_id == leader->user_id ? leader->amount : 0) >= b->amount;
}

/* Who leads when the leader's bid is taken out: the highest standing bid that can be covered. */
static bool next_leader(struct decision *d, const struct bid *leader, struct bid_ref *ret)
{
	bool found = false;
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), leader->auction_id);
	row_walk_begin(&w, d->state, T_bid_by_amount, &k, false);
	while (!found && row_walk_next(&w)) {
		struct bid b;
		uint64_t id;

		found = key_last_U64(w.key, &id) && id != leader->id && get_bid(d->state, id, &b) &&
			can_lead(d, &b, leader);
		if (found)
			*ret = (struct bid_ref){ id, b.user_id, b.amount };
	}
	row_walk_end(&w);
	return found;
}

int decide_auction_retract_bid(struct decision *d, const struct auction_retract_bid *p, struct nothing *r)
{
	struct auction_bid_retracted ev = { .auction_id = p->auction_id, .bid_id = p->bid_id, .reason = p->reason };
	struct bid_item shown;
	struct auction a;
	struct bid b;
	int rc = need_auction(d, p->auction_id, &a);

	(void)r;
	if (rc != 0)
		return rc;
	if (!get_bid(d->state, p->bid_id, &b) || b.auction_id != a.id)
		return err_missing(d->err, "bid", (int64_t)p->bid_id);
	if (!auction_running(&a, d->now))
		return not_active(&a, d->err);
	bid_show(&b, &a, &shown);
	if (!bid_standing(&b)) {
		err_set(d->err, E_ALREADY_PROCESSED, "bid %" PRIu64 " is %.*s", b.id, SLICE_FMT(shown.status));
		err_detail_text(d->err, "status", shown.status);
		return E_ALREADY_PROCESSED;
	}
	ev.user_id = b.user_id;
	ev.amount = b.amount;
	ev.was_leading = shown.is_winning;
	ev.has_new_leader = ev.was_leading && next_leader(d, &b, &ev.new_leader);
	emit(d, EV_auction_bid_retracted, &ev);
	return 0;
}

/* ---- participants ---- */

int decide_auction_join(struct decision *d, const struct auction_join *p, struct nothing *r)
{
	struct participant part;
	struct auction a;
	struct user u;
	int rc = need_auction(d, p->auction_id, &a);

	(void)r;
	if (rc == 0)
		rc = need_user(d, p->user_id, &u);
	if (rc == 0 && auction_closed(&a))
		rc = not_active(&a, d->err);
	if (rc == 0)
		rc = access_gate(d, SETTING_access_auction, &u);
	if (rc == 0 && find_participant(d->state, a.id, p->user_id, &part))
		rc = err_exists(d->err, "participant", p->user_id);
	if (rc == 0)
		rc = room_left(&a, d->err);
	if (rc == 0)
		EMIT(d, auction_joined, .auction_id = a.id, .user_id = p->user_id,
		     .notifications_enabled = p->notifications_enabled);
	return rc;
}

static int need_participant(struct decision *d, uint64_t auction_id, int64_t user_id, struct participant *ret)
{
	return find_participant(d->state, auction_id, user_id, ret) ? 0 : err_missing(d->err, "participant", user_id);
}

int decide_auction_leave(struct decision *d, const struct auction_leave *p, struct nothing *r)
{
	struct participant part;
	struct auction a;
	int rc = need_auction(d, p->auction_id, &a);

	(void)r;
	if (rc == 0 && auction_closed(&a))
		rc = not_active(&a, d->err);
	if (rc == 0)
		rc = need_participant(d, a.id, p->user_id, &part);
	if (rc == 0 && auction_led_by(&a, p->user_id))
		rc = leads_already(&a, d->err);
	if (rc == 0)
		EMIT(d, auction_left, .auction_id = a.id, .user_id = p->user_id,
		     .notifications_enabled = part.notifications_enabled);
	return rc;
}

int decide_participant_update(struct decision *d, const struct participant_update *p, struct participant_item_result *r)
{
	struct slice changes, before;
	struct participant new;
	struct auction a;
	int rc;

	if (p->has_notified && !p->notified)
		return err_field(d->err, "notified", "may only be true");
	rc = need_auction(d, p->auction_id, &a);
	if (rc == 0)
		rc = need_participant(d, a.id, p->user_id, &r->item);
	if (rc != 0)
		return rc;
	new = r->item;
	record_merge(record_participant(), &new, &p->participant, p->given_participant);
	if (p->has_notified) {
		new.has_last_notified_at = true;
		new.last_notified_at = d->now;
	}
	if (record_diff(record_participant(), &r->item, &new, FIELD_FOLLOWS, d->arena, &changes, &before) > 0)
		EMIT(d, auction_participant_updated, .auction_id = a.id, .user_id = p->user_id, .changes = changes);
	r->item = new;
	return 0;
}

/* ---- holds: rules R12 to R14 ---- */

/* The open hold of a bid, and the balance it is in. */
static bool open_hold(struct decision *d, uint64_t bid_id, struct hold *ret, struct balance *ret_balance)
{
	struct bid b;

	return get_bid(d->state, bid_id, &b) && b.has_hold_id && get_hold(d->state, b.hold_id, ret) &&
	       slice_is(ret->status, "held") && find_balance(d->state, ret->user_id, ret_balance);
}

static void release(struct decision *d, uint64_t bid_id, const char *reason)
{
	struct balance b;
	struct hold h;

	if (open_hold(d, bid_id, &h, &b))
		EMIT(d, point_released, .hold_id = h.id, .user_id = h.user_id, .amount = h.amount,
		     .held_after = b.held - h.amount, .reason = slice_str(reason));
}

static void capture(struct decision *d, uint64_t bid_id)
{
	struct balance b;
	struct hold h;

	if (open_hold(d, bid_id, &h, &b))
		EMIT(d, point_captured, .hold_id = h.id, .user_id = h.user_id, .amount = h.amount,
		     .balance_after = b.balance - h.amount, .held_after = b.held - h.amount, .source = h.reason,
		     .ref = make_ref(d->arena, "auction", (int64_t)h.auction_id));
}

static void place_hold(struct decision *d, uint64_t auction_id, uint64_t bid_id, int64_t user_id, int64_t amount)
{
	struct point_totals totals = { 0 };
	struct balance b;

	if (!find_balance(d->state, user_id, &b) || b.balance - b.held < amount)
		return;
	get_point_totals(d->state, 0, &totals);
	EMIT(d, point_held,
	     .hold = { .id = totals.last_hold_id + 1,
		       .user_id = user_id,
		       .amount = amount,
		       .reason = SLICE_LIT("auction"),
		       .auction_id = auction_id,
		       .bid_id = bid_id,
		       .status = SLICE_LIT("held"),
		       .created_at = d->now },
	     .held_after = b.held + amount);
}

/* R12: the points of the leading bid are held, those of the one before are free again. */
void bid_moves_hold(struct decision *d, const struct event *ev)
{
	const struct auction_bid_placed *p = ev->data;

	if (p->has_previous)
		release(d, p->previous.bid_id, "outbid");
	place_hold(d, p->bid.auction_id, p->bid.id, p->bid.user_id, p->bid.amount);
}

/* R13: the winner pays with what was held; one chosen instead of the leader is held first. */
void auction_end_captures(struct decision *d, const struct event *ev)
{
	const struct auction_ended *p = ev->data;
	struct auction a;

	if (!p->has_winner_id || !get_auction(d->state, p->auction_id, &a))
		return;
	if (a.leading_bid_id != p->winning_bid_id) {
		release(d, a.leading_bid_id, "ended");
		place_hold(d, a.id, p->winning_bid_id, p->winner_id, p->amount);
	}
	capture(d, p->winning_bid_id);
}

/* R14 */
void cancellation_releases(struct decision *d, const struct event *ev)
{
	const struct auction_cancelled *p = ev->data;
	struct auction a;

	if (get_auction(d->state, p->auction_id, &a) && a.has_leading_bid_id)
		release(d, a.leading_bid_id, "cancelled");
}

/* R14 */
void retraction_moves_hold(struct decision *d, const struct event *ev)
{
	const struct auction_bid_retracted *p = ev->data;

	if (p->was_leading)
		release(d, p->bid_id, "retracted");
	if (p->has_new_leader)
		place_hold(d, p->auction_id, p->new_leader.bid_id, p->new_leader.user_id, p->new_leader.amount);
}

/* ---- timers ---- */

static bool due_in(struct state *s, const char *status, struct due *ret)
{
	struct key k;

	key_put_TEXT(key_begin(&k), slice_str(status));
	return due_first_of(s, T_auction_by_status, &k, 0, ret);
}

/* Those without a planned start stand at the far end, beyond any time. */
bool due_auction_start(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	return due_in(s, "pending", ret);
}

void fire_auction_start(struct decision *d, const struct due *due)
{
	struct auction a;

	if (!find_auction(d->state, (uint64_t)due->id, &a) || !is_pending(&a) || !a.has_start_at || a.start_at > d->now)
		return;
	start(d, &a, due);
	if (a.has_end_at && a.end_at <= d->now)
		end(d, &a, NULL, due);
}

bool due_auction_end(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	return due_in(s, "active", ret);
}

void fire_auction_end(struct decision *d, const struct due *due)
{
	struct auction a;
	struct bid b;

	if (!find_auction(d->state, (uint64_t)due->id, &a) || !is_active(&a) || a.end_at > d->now)
		return;
	end(d, &a, a.has_leading_bid_id && get_bid(d->state, a.leading_bid_id, &b) ? &b : NULL, due);
}
