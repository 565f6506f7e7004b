#include "core/rules.h"
#include "projections/fold.h"

/* Folds of the projection `auction`. Its queries: projections/auction_queries.c. */

/* ---- counters ---- */

/* The rows that most events count in. */
struct counters {
	struct auction_totals totals;
	struct auction_day day;
	uint64_t today;
};

static void open_counters(struct state *s, const struct event *ev, struct counters *c)
{
	*c = (struct counters){ .today = (uint64_t)utc_day(ev->at) };
	get_auction_totals(s, 0, &c->totals);
	get_auction_day(s, c->today, &c->day);
}

static void close_counters(struct state *s, const struct counters *c)
{
	put_auction_totals(s, 0, &c->totals);
	put_auction_day(s, c->today, &c->day);
}

static void load_user(struct state *s, int64_t id, struct auction_user *u)
{
	record_defaults(record_auction_user(), u);
	get_auction_user(s, (uint64_t)id, u);
}

static void save_user(struct state *s, int64_t id, const struct auction_user *u)
{
	put_auction_user(s, (uint64_t)id, u);
}

/* How many auctions have this status. */
static int64_t *with_status(struct auction_totals *t, struct slice status)
{
	return slice_is(status, "pending")  ? &t->pending
	       : slice_is(status, "active") ? &t->active
	       : slice_is(status, "ended")  ? &t->ended
					    : &t->cancelled;
}

/* ---- the row of an auction and what is found through it ---- */

static bool load_auction(struct state *s, const struct event *ev, uint64_t id, struct auction *a)
{
	if (!find_auction(s, id, a))
		return false;
	a->version = ev->version;
	a->updated_at = ev->at;
	return true;
}

static void save_auction(struct state *s, const struct auction *a)
{
	put_auction(s, a->id, a);
}

/* The time that orders auctions of one status: when it starts, ends or was closed; without a planned start the last. */
static uint64_t status_time(const struct auction *a)
{
	if (slice_is(a->status, "pending"))
		return a->has_start_at ? (uint64_t)a->start_at : UINT64_MAX;
	return (uint64_t)(slice_is(a->status, "active") ? a->end_at : a->ended_at);
}

static void move_status(struct state *s, const struct auction *old, const struct auction *new)
{
	del_auction_by_status(s, old->status, status_time(old), old->id);
	put_auction_by_status(s, new->status, status_time(new), new->id);
}

/* NULL: it was, or will be, none. */
static void move_texts(struct state *s, uint64_t id, const struct auction *old, const struct auction *new)
{
	struct key k;

	key_put_U64(key_begin(&k), id);
	move_words(s, T_auction_word, &k, old ? (struct slice[]){ old->name, old->description } : NULL, old ? 2 : 0,
		   new ? (struct slice[]){ new->name, new->description } : NULL, new ? 2 : 0);
}

static void on_created(struct state *s, const struct event *ev)
{
	const struct auction_created *p = ev->data;
	struct auction a = p->auction;
	struct auction_user creator;
	struct counters c;

	a.version = ev->version;
	save_auction(s, &a);
	put_auction_by_created(s, (uint64_t)a.created_at, a.id);
	put_auction_by_creator(s, (uint64_t)a.created_by, (uint64_t)a.created_at, a.id);
	put_auction_by_status(s, a.status, status_time(&a), a.id);
	move_texts(s, a.id, NULL, &a);
	load_user(s, a.created_by, &creator);
	creator.created++;
	save_user(s, a.created_by, &creator);
	open_counters(s, ev, &c);
	c.totals.last_auction_id = a.id;
	c.totals.created++;
	c.totals.pending++;
	c.day.created++;
	close_counters(s, &c);
}

static void on_updated(struct state *s, const struct event *ev)
{
	const struct auction_updated *p = ev->data;
	struct auction old, new;

	if (!load_auction(s, ev, p->id, &old))
		return;
	new = old;
	record_apply(record_auction(), p->changes, &new, s->arena);
	move_status(s, &old, &new);
	move_texts(s, p->id, &old, &new);
	save_auction(s, &new);
}

static void on_started(struct state *s, const struct event *ev)
{
	const struct auction_started *p = ev->data;
	struct auction old, new;
	struct counters c;

	if (!load_auction(s, ev, p->auction_id, &old))
		return;
	new = old;
	new.status = SLICE_LIT("active");
	new.has_start_at = new.has_end_at = true;
	new.start_at = p->start_at;
	new.end_at = p->end_at;
	move_status(s, &old, &new);
	save_auction(s, &new);
	open_counters(s, ev, &c);
	c.totals.pending--;
	c.totals.active++;
	c.day.started++;
	close_counters(s, &c);
}

static void on_extended(struct state *s, const struct event *ev)
{
	const struct auction_extended *p = ev->data;
	struct auction old, new;

	if (!load_auction(s, ev, p->auction_id, &old))
		return;
	new = old;
	new.has_end_at = p->has_end_at;
	new.end_at = p->end_at;
	new.has_duration_minutes = p->has_duration_minutes;
	new.duration_minutes = p->duration_minutes;
	new.extensions++;
	move_status(s, &old, &new);
	save_auction(s, &new);
}

/* ---- participants ---- */

static void index_participant(struct state *s, const struct participant *p)
{
	uint64_t user_id = (uint64_t)p->user_id, at = (uint64_t)p->joined_at;

	put_participant_by_joined(s, p->auction_id, at, user_id);
	put_participant_to_notify(s, p->auction_id, p->notifications_enabled, at, user_id);
	put_participant_by_user(s, user_id, at, p->auction_id);
}

static void unindex_participant(struct state *s, const struct participant *p)
{
	uint64_t user_id = (uint64_t)p->user_id, at = (uint64_t)p->joined_at;

	del_participant_by_joined(s, p->auction_id, at, user_id);
	del_participant_to_notify(s, p->auction_id, p->notifications_enabled, at, user_id);
	del_participant_by_user(s, user_id, at, p->auction_id);
}

static void count_places(struct state *s, struct auction *a, int64_t user_id, int64_t by)
{
	struct auction_totals t = { 0 };
	struct auction_user u;

	a->participant_count += by;
	load_user(s, user_id, &u);
	u.joined += by;
	save_user(s, user_id, &u);
	get_auction_totals(s, 0, &t);
	t.participants += by;
	put_auction_totals(s, 0, &t);
}

/* The bids of one who left are still standing, so the row stays. */
static void leave(struct state *s, struct auction *a, struct participant *part)
{
	unindex_participant(s, part);
	part->left = true;
	put_participant(s, a->id, (uint64_t)part->user_id, part);
	count_places(s, a, part->user_id, -1);
}

static void on_joined(struct state *s, const struct event *ev)
{
	const struct auction_joined *p = ev->data;
	struct participant part;
	struct auction a;

	if (!load_auction(s, ev, p->auction_id, &a))
		return;
	record_defaults(record_participant(), &part);
	get_participant(s, p->auction_id, (uint64_t)p->user_id, &part);
	part.auction_id = p->auction_id;
	part.user_id = p->user_id;
	part.joined_at = ev->at;
	part.notifications_enabled = p->notifications_enabled;
	part.left = false;
	put_participant(s, p->auction_id, (uint64_t)p->user_id, &part);
	index_participant(s, &part);
	count_places(s, &a, p->user_id, 1);
	save_auction(s, &a);
}

static void on_left(struct state *s, const struct event *ev)
{
	const struct auction_left *p = ev->data;
	struct participant part;
	struct auction a;

	if (!load_auction(s, ev, p->auction_id, &a))
		return;
	if (find_participant(s, p->auction_id, p->user_id, &part))
		leave(s, &a, &part);
	save_auction(s, &a);
}

static void on_participant_updated(struct state *s, const struct event *ev)
{
	const struct auction_participant_updated *p = ev->data;
	struct participant part;
	struct auction a;

	if (!load_auction(s, ev, p->auction_id, &a))
		return;
	save_auction(s, &a);
	if (!find_participant(s, p->auction_id, p->user_id, &part))
		return;
	unindex_participant(s, &part);
	record_apply(record_participant(), p->changes, &part, s->arena);
	index_participant(s, &part);
	put_participant(s, p->auction_id, (uint64_t)p->user_id, &part);
}

/* ---- bids ---- */

/* ret_first: the user's first bid in this auction. */
static void count_participant_bid(struct state *s, const struct bid *b, bool *ret_first)
{
	struct participant part;

	*ret_first = false;
	if (!get_participant(s, b->auction_id, (uint64_t)b->user_id, &part))
		return;
	*ret_first = part.bids++ == 0;
	if (b->amount > part.highest_bid)
		part.highest_bid = b->amount;
	put_participant(s, b->auction_id, (uint64_t)b->user_id, &part);
}

/* A bid moves its user from the day of the one before to its own. */
static void count_user_bid(struct state *s, const struct bid *b, bool first_here, struct counters *c)
{
	struct auction_user u;

	load_user(s, b->user_id, &u);
	c->totals.bidders += u.bids++ == 0;
	u.auctions_bid += first_here;
	if (b->amount > u.highest_bid)
		u.highest_bid = b->amount;
	if (!u.has_bid_day || (uint64_t)u.bid_day != c->today) {
		struct auction_day before = { 0 };

		if (u.has_bid_day) {
			get_auction_day(s, (uint64_t)u.bid_day, &before);
			before.latest--;
			put_auction_day(s, (uint64_t)u.bid_day, &before);
		}
		c->day.bidders++;
		c->day.latest++;
	}
	u.has_bid_day = true;
	u.bid_day = (int64_t)c->today;
	save_user(s, b->user_id, &u);
}

/* NULL: nobody leads. */
static void set_leader(struct auction *a, const struct bid_ref *leader)
{
	bool any = leader != NULL;

	a->has_leading_bid_id = a->has_winning_bid_id = a->has_highest_bidder_id = any;
	a->leading_bid_id = a->winning_bid_id = any ? leader->bid_id : 0;
	a->highest_bidder_id = any ? leader->user_id : 0;
	a->current_bid = any ? leader->amount : 0;
}

static void count_auction_bid(struct auction *a, const struct bid *b, bool first_of_user, int64_t at)
{
	a->bid_count++;
	a->bidders += first_of_user;
	if (__builtin_add_overflow(a->bid_sum, b->amount, &a->bid_sum))
		a->bid_sum = INT64_MAX;
	if (!a->has_first_bid_at)
		a->first_bid_at = at;
	a->last_bid_at = at;
	a->has_first_bid_at = a->has_last_bid_at = true;
}

static void on_bid_placed(struct state *s, const struct event *ev)
{
	const struct auction_bid_placed *p = ev->data;
	const struct bid *b = &p->bid;
	struct counters c;
	struct auction a;
	bool first_here;

	if (!load_auction(s, ev, b->auction_id, &a))
		return;
	put_bid(s, b->id, b);
	put_bid_by_auction(s, b->auction_id, b->id);
	put_bid_by_amount(s, b->auction_id, b->amount, b->id);
	put_bid_by_user(s, (uint64_t)b->user_id, b->id);
	count_participant_bid(s, b, &first_here);
	set_leader(&a, &(struct bid_ref){ b->id, b->user_id, b->amount });
	count_auction_bid(&a, b, first_here, ev->at);
	save_auction(s, &a);
	open_counters(s, ev, &c);
	count_user_bid(s, b, first_here, &c);
	c.totals.last_bid_id = b->id;
	c.totals.bids++;
	c.day.bids++;
	close_counters(s, &c);
}

/* What the bids of a user come to that are not retracted: those standing in one auction, and all. */
struct highest {
	int64_t here, anywhere;
};

static struct highest highest_bids(struct state *s, int64_t user_id, uint64_t auction_id)
{
	struct highest h = { 0 };
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, s, T_bid_by_user, &k, false);
	while (row_walk_next(&w)) {
		struct bid b;
		uint64_t id;

		if (!key_last_U64(w.key, &id) || !get_bid(s, id, &b) || b.retracted)
			continue;
		if (b.amount > h.anywhere)
			h.anywhere = b.amount;
		if (b.auction_id == auction_id && bid_standing(&b) && b.amount > h.here)
			h.here = b.amount;
	}
	row_walk_end(&w);
	return h;
}

/* Retractions are rare: what the user's other bids come to is found anew. */
static void recount_highest(struct state *s, int64_t user_id, uint64_t auction_id)
{
	struct highest h = highest_bids(s, user_id, auction_id);
	struct participant part;
	struct auction_user u;

	if (get_participant(s, auction_id, (uint64_t)user_id, &part)) {
		part.highest_bid = h.here;
		put_participant(s, auction_id, (uint64_t)user_id, &part);
	}
	load_user(s, user_id, &u);
	u.highest_bid = h.anywhere > u.highest_gone ? h.anywhere : u.highest_gone;
	save_user(s, user_id, &u);
}

static void on_bid_retracted(struct state *s, const struct event *ev)
{
	const struct auction_bid_retracted *p = ev->data;
	struct auction a;
	struct bid b;

	if (!load_auction(s, ev, p->auction_id, &a))
		return;
	if (p->was_leading)
		set_leader(&a, p->has_new_leader ? &p->new_leader : NULL);
	save_auction(s, &a);
	if (!get_bid(s, p->bid_id, &b))
		return;
	b.retracted = true;
	put_bid(s, b.id, &b);
	del_bid_by_amount(s, b.auction_id, b.amount, b.id);
	recount_highest(s, b.user_id, b.auction_id);
}

static void on_held(struct state *s, const struct event *ev)
{
	const struct point_held *p = ev->data;
	struct bid b;

	if (!get_bid(s, p->hold.bid_id, &b))
		return;
	b.has_hold_id = true;
	b.hold_id = p->hold.id;
	put_bid(s, b.id, &b);
}

/* ---- the end ---- */

static void close_auction(struct state *s, const struct event *ev, const struct auction *old, struct auction *new,
			  struct counters *c)
{
	new->has_ended_at = true;
	new->ended_at = ev->at;
	move_status(s, old, new);
	save_auction(s, new);
	--*with_status(&c->totals, old->status);
	++*with_status(&c->totals, new->status);
}

static void on_ended(struct state *s, const struct event *ev)
{
	const struct auction_ended *p = ev->data;
	struct auction old, new;
	struct auction_user u;
	struct counters c;

	if (!load_auction(s, ev, p->auction_id, &old))
		return;
	new = old;
	new.status = SLICE_LIT("ended");
	new.has_winner_id = p->has_winner_id;
	new.winner_id = p->winner_id;
	new.has_winning_bid_id = p->has_winning_bid_id;
	new.winning_bid_id = p->winning_bid_id;
	open_counters(s, ev, &c);
	close_auction(s, ev, &old, &new, &c);
	c.day.ended++;
	if (p->has_winner_id) {
		c.totals.sold++;
		if (p->amount > c.totals.highest_price)
			c.totals.highest_price = p->amount;
		put_auction_by_winner(s, (uint64_t)p->winner_id, (uint64_t)ev->at, new.id);
		load_user(s, p->winner_id, &u);
		u.won++;
		save_user(s, p->winner_id, &u);
	} else {
		c.totals.unsold++;
	}
	close_counters(s, &c);
}

static void on_cancelled(struct state *s, const struct event *ev)
{
	const struct auction_cancelled *p = ev->data;
	struct auction old, new;
	struct counters c;

	if (!load_auction(s, ev, p->auction_id, &old))
		return;
	new = old;
	new.status = SLICE_LIT("cancelled");
	open_counters(s, ev, &c);
	close_auction(s, ev, &old, &new, &c);
	c.day.cancelled++;
	close_counters(s, &c);
}

static void on_captured(struct state *s, const struct event *ev)
{
	const struct point_captured *p = ev->data;
	struct auction_user u;
	struct counters c;

	load_user(s, p->user_id, &u);
	u.spent += p->amount;
	save_user(s, p->user_id, &u);
	open_counters(s, ev, &c);
	c.totals.captured += p->amount;
	c.day.captured += p->amount;
	close_counters(s, &c);
}

/* ---- what leaves the views ---- */

/* The user's highest bid stays what it was, whichever bid is retracted later. */
static void remember_bid(struct state *s, const struct bid *b)
{
	struct auction_user u;

	load_user(s, b->user_id, &u);
	if (b->retracted || b->amount <= u.highest_gone)
		return;
	u.highest_gone = b->amount;
	save_user(s, b->user_id, &u);
}

static void drop_bids(struct state *s, uint64_t auction_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), auction_id);
	row_walk_begin(&w, s, T_bid_by_auction, &k, false);
	while (row_walk_next(&w)) {
		struct bid b;
		uint64_t id;

		if (!key_last_U64(w.key, &id) || !get_bid(s, id, &b))
			continue;
		remember_bid(s, &b);
		del_bid_by_auction(s, auction_id, id);
		del_bid_by_amount(s, auction_id, b.amount, id);
		del_bid_by_user(s, (uint64_t)b.user_id, id);
		del_bid(s, id);
	}
	row_walk_end(&w);
}

static void drop_participants(struct state *s, uint64_t auction_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), auction_id);
	row_walk_begin(&w, s, T_participant, &k, false);
	while (row_walk_next(&w)) {
		struct mp m = mp_of(w.value);
		struct participant part;

		if (!record_get(&m, record_participant(), &part, s->arena))
			continue;
		unindex_participant(s, &part);
		del_participant(s, auction_id, (uint64_t)part.user_id);
	}
	row_walk_end(&w);
}

/* Only the version of its stream is kept. */
static void drop_auction(struct state *s, const struct auction *a)
{
	struct auction gone;

	drop_bids(s, a->id);
	drop_participants(s, a->id);
	del_auction_by_created(s, (uint64_t)a->created_at, a->id);
	del_auction_by_creator(s, (uint64_t)a->created_by, (uint64_t)a->created_at, a->id);
	del_auction_by_status(s, a->status, status_time(a), a->id);
	if (a->has_winner_id)
		del_auction_by_winner(s, (uint64_t)a->winner_id, (uint64_t)a->ended_at, a->id);
	move_texts(s, a->id, a, NULL);
	record_defaults(record_auction(), &gone);
	gone.version = a->version;
	gone.id = a->id;
	gone.name = gone.prize_description = SLICE_LIT("");
	gone.deleted = true;
	save_auction(s, &gone);
}

static void on_deleted(struct state *s, const struct event *ev)
{
	const struct auction_deleted *p = ev->data;
	struct auction_totals t = { 0 };
	struct auction a;

	if (!load_auction(s, ev, p->id, &a))
		return;
	drop_auction(s, &a);
	get_auction_totals(s, 0, &t);
	--*with_status(&t, a.status);
	put_auction_totals(s, 0, &t);
}

static void on_archived(struct state *s, const struct event *ev)
{
	const struct auction_auctions_archived *p = ev->data;
	struct auction a;
	uint64_t id;

	for (int64_t i = 0; i < p->count && closed_before(s, &auctions_closed, p->before_at, 1, &id) == 1; i++)
		if (find_auction(s, id, &a))
			drop_auction(s, &a);
}

/* ---- a user is deleted ---- */

static bool open_auction(struct state *s, uint64_t id, struct auction *a)
{
	return find_auction(s, id, a) && !auction_closed(a);
}

static void release_bids(struct state *s, uint64_t user_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), user_id);
	row_walk_begin(&w, s, T_bid_by_user, &k, false);
	while (row_walk_next(&w)) {
		struct participant part;
		struct auction a;
		struct bid b;
		uint64_t id;

		if (!key_last_U64(w.key, &id) || !get_bid(s, id, &b) || !bid_standing(&b) ||
		    !open_auction(s, b.auction_id, &a))
			continue;
		b.released = true;
		put_bid(s, id, &b);
		if (get_participant(s, b.auction_id, user_id, &part)) {
			part.highest_bid = 0;
			put_participant(s, b.auction_id, user_id, &part);
		}
	}
	row_walk_end(&w);
}

static void leave_places(struct state *s, uint64_t user_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), user_id);
	row_walk_begin(&w, s, T_participant_by_user, &k, false);
	while (row_walk_next(&w)) {
		struct participant part;
		uint64_t auction_id;
		struct auction a;

		if (!key_last_U64(w.key, &auction_id) || !open_auction(s, auction_id, &a) ||
		    !get_participant(s, auction_id, user_id, &part))
			continue;
		leave(s, &a, &part);
		save_auction(s, &a);
	}
	row_walk_end(&w);
}

static void on_user_deleted(struct state *s, const struct event *ev)
{
	const struct user_deleted *p = ev->data;

	release_bids(s, (uint64_t)p->id);
	leave_places(s, (uint64_t)p->id);
}

static const struct fold folds[] = {
	{ EV_user_deleted, on_user_deleted },
	{ EV_point_held, on_held },
	{ EV_point_captured, on_captured },
	{ EV_auction_created, on_created },
	{ EV_auction_updated, on_updated },
	{ EV_auction_deleted, on_deleted },
	{ EV_auction_started, on_started },
	{ EV_auction_joined, on_joined },
	{ EV_auction_left, on_left },
	{ EV_auction_participant_updated, on_participant_updated },
	{ EV_auction_bid_placed, on_bid_placed },
	{ EV_auction_bid_retracted, on_bid_retracted },
	{ EV_auction_extended, on_extended },
	{ EV_auction_ended, on_ended },
	{ EV_auction_cancelled, on_cancelled },
	{ EV_auction_auctions_archived, on_archived },
};
const struct fold_table auction_folds = { folds, sizeof(folds) / sizeof(folds[0]), NULL };
