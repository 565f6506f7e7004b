#include "core/rules.h"
#include "core/text.h"
#include "projections/fold.h"

/* Folds of the projection `point`. Its queries: projections/point_queries.c. */

static void load_totals(struct state *s, struct point_totals *t)
{
	*t = (struct point_totals){ 0 };
	get_point_totals(s, 0, t);
}

/* ---- users come and go ---- */

static void on_user_created(struct state *s, const struct event *ev)
{
	const struct user_created *p = ev->data;
	uint64_t id = (uint64_t)p->user.id;
	struct point_totals t;
	struct balance old, b;

	record_defaults(record_balance(), &b);
	b.id = p->user.id;
	b.level = p->user.level;
	if (get_balance(s, id, &old)) {
		b.version = old.version;
		if (!old.deleted)
			return;
	}
	put_balance(s, id, &b);
	put_board(s, 0, id);
	load_totals(s, &t);
	t.users++;
	put_point_totals(s, 0, &t);
}

static void on_user_deleted(struct state *s, const struct event *ev)
{
	const struct user_deleted *p = ev->data;
	uint64_t id = (uint64_t)p->id;
	struct point_totals t;
	struct point_day day;
	struct balance b;

	if (!get_balance(s, id, &b) || b.deleted)
		return;
	del_board(s, b.balance, id);
	if (b.has_last_transaction_at && get_point_day(s, (uint64_t)utc_day(b.last_transaction_at), &day)) {
		day.latest--;
		put_point_day(s, (uint64_t)utc_day(b.last_transaction_at), &day);
	}
	load_totals(s, &t);
	t.users--;
	t.total -= b.balance;
	t.held -= b.held;
	put_point_totals(s, 0, &t);
	b.deleted = true;
	b.balance = b.held = 0;
	put_balance(s, id, &b);
}

static void on_level_changed(struct state *s, const struct event *ev)
{
	const struct user_level_changed *p = ev->data;
	struct balance b;

	if (!get_balance(s, (uint64_t)p->user_id, &b))
		return;
	b.level = p->to;
	put_balance(s, (uint64_t)p->user_id, &b);
}

/* ---- money ---- */

static void add_flow(struct point_flow *f, int64_t amount)
{
	f->count++;
	f->credits += amount > 0;
	f->earned += amount > 0 ? amount : 0;
	f->spent += amount < 0 ? -amount : 0;
}

static void count_day(struct state *s, const struct balance *b, int64_t at, int64_t amount)
{
	uint64_t today = (uint64_t)utc_day(at), id = (uint64_t)b->id;
	struct point_flow user_day = { 0 };
	struct point_day day = { 0 };
	bool first = !get_point_user_day(s, today, id, &user_day);

	add_flow(&user_day, amount);
	put_point_user_day(s, today, id, &user_day);
	get_point_day(s, today, &day);
	add_flow(&day.flow, amount);
	day.users += first;
	if (!b->has_last_transaction_at) {
		day.latest++;
	} else if ((uint64_t)utc_day(b->last_transaction_at) != today) {
		uint64_t before = (uint64_t)utc_day(b->last_transaction_at);
		struct point_day old = { 0 };

		get_point_day(s, before, &old);
		old.latest--;
		put_point_day(s, before, &old);
		day.latest++;
	}
	put_point_day(s, today, &day);
}

/* Sources are free text: the first to appear have a row each, later ones share one. */
enum { SOURCES_MAX = 200 };

static void count_source(struct state *s, struct point_totals *t, struct slice source, int64_t amount)
{
	struct point_flow f = { 0 };

	if (!get_point_source(s, source, &f)) {
		if (t->sources < SOURCES_MAX) {
			t->sources++;
		} else {
			source = SLICE_LIT("other");
			get_point_source(s, source, &f);
		}
	}
	add_flow(&f, amount);
	put_point_source(s, source, &f);
}

/* A credit (amount > 0), debit or capture (amount < 0). released: what a capture takes out of the holds. */
static void transact(struct state *s, const struct event *ev, int64_t user_id, int64_t amount, int64_t balance_after,
		     struct slice source, int64_t released)
{
	uint64_t id = (uint64_t)user_id;
	struct point_totals t;
	struct balance b;
	int64_t before;

	if (!get_balance(s, id, &b))
		return;
	load_totals(s, &t);
	if (b.balance + amount != balance_after && t.corrupt_seq == 0)
		t.corrupt_seq = ev->seq;
	count_day(s, &b, ev->at, amount);
	count_source(s, &t, source, amount);
	before = b.balance;
	b.version = ev->version;
	b.balance = balance_after;
	b.held -= released;
	b.total_earned += amount > 0 ? amount : 0;
	b.total_spent += amount < 0 ? -amount : 0;
	b.transactions++;
	b.has_last_transaction_at = true;
	b.last_transaction_at = ev->at;
	put_balance(s, id, &b);
	if (balance_after != before) {
		del_board(s, before, id);
		put_board(s, balance_after, id);
	}
	t.total += balance_after - before;
	t.held -= released;
	t.earned += amount > 0 ? amount : 0;
	t.spent += amount < 0 ? -amount : 0;
	t.transactions++;
	put_point_totals(s, 0, &t);
}

static void on_credited(struct state *s, const struct event *ev)
{
	const struct point_credited *p = ev->data;

	transact(s, ev, p->user_id, p->amount, p->balance_after, p->source, 0);
}

static void on_debited(struct state *s, const struct event *ev)
{
	const struct point_debited *p = ev->data;

	transact(s, ev, p->user_id, -p->amount, p->balance_after, p->source, 0);
}

/* ---- holds ---- */

static void hold_points(struct state *s, const struct event *ev, int64_t user_id, int64_t amount, int64_t held_after)
{
	struct point_totals t;
	struct balance b;

	if (!get_balance(s, (uint64_t)user_id, &b))
		return;
	b.version = ev->version;
	b.held = held_after;
	put_balance(s, (uint64_t)user_id, &b);
	load_totals(s, &t);
	t.held += amount;
	put_point_totals(s, 0, &t);
}

static void count_holds(struct state *s, int64_t by, uint64_t last_id)
{
	struct point_totals t;

	load_totals(s, &t);
	t.holds_open += by;
	if (last_id > t.last_hold_id)
		t.last_hold_id = last_id;
	put_point_totals(s, 0, &t);
}

static void on_held(struct state *s, const struct event *ev)
{
	const struct point_held *p = ev->data;
	struct hold h = p->hold;

	h.status = SLICE_LIT("held");
	put_hold(s, h.id, &h);
	put_hold_by_user(s, (uint64_t)h.user_id, h.status, h.id);
	put_hold_by_auction(s, h.auction_id, h.id);
	hold_points(s, ev, h.user_id, h.amount, p->held_after);
	count_holds(s, 1, h.id);
}

static void close_hold(struct state *s, uint64_t id, const char *status, int64_t at)
{
	struct hold h;

	if (!get_hold(s, id, &h))
		return;
	del_hold_by_user(s, (uint64_t)h.user_id, h.status, id);
	h.status = slice_str(status);
	h.has_closed_at = true;
	h.closed_at = at;
	put_hold(s, id, &h);
	put_hold_by_user(s, (uint64_t)h.user_id, h.status, id);
	count_holds(s, -1, 0);
}

static void on_released(struct state *s, const struct event *ev)
{
	const struct point_released *p = ev->data;

	close_hold(s, p->hold_id, "released", ev->at);
	hold_points(s, ev, p->user_id, -p->amount, p->held_after);
}

static void on_captured(struct state *s, const struct event *ev)
{
	const struct point_captured *p = ev->data;

	close_hold(s, p->hold_id, "captured", ev->at);
	transact(s, ev, p->user_id, -p->amount, p->balance_after, p->source, p->amount);
}

/* ---- levels ---- */

static void on_level_created(struct state *s, const struct event *ev)
{
	const struct point_level_created *p = ev->data;
	struct level l = p->level;

	l.version = ev->version;
	l.deleted = false;
	put_level(s, (uint64_t)l.id, &l);
}

static void on_level_updated(struct state *s, const struct event *ev)
{
	const struct point_level_updated *p = ev->data;
	struct level l;

	if (!get_level(s, (uint64_t)p->id, &l))
		return;
	record_apply(record_level(), p->changes, &l, s->arena);
	l.version = ev->version;
	put_level(s, (uint64_t)l.id, &l);
}

static void on_level_deleted(struct state *s, const struct event *ev)
{
	const struct point_level_deleted *p = ev->data;
	struct level l;

	if (!get_level(s, (uint64_t)p->id, &l))
		return;
	l.version = ev->version;
	l.deleted = true;
	put_level(s, (uint64_t)l.id, &l);
}

/* ---- rewards ---- */

static void del_reward_indexes(struct state *s, const struct reward *r)
{
	del_reward_by_title(s, text_fold_name(r->title, s->arena));
	del_reward_by_points(s, (uint64_t)r->required_points, r->id);
}

static void put_reward_rows(struct state *s, const struct reward *r)
{
	struct id_ref ref = { r->id };

	put_reward(s, r->id, r);
	if (r->deleted)
		return;
	put_reward_by_title(s, text_fold_name(r->title, s->arena), &ref);
	put_reward_by_points(s, (uint64_t)r->required_points, r->id);
}

static void on_reward_created(struct state *s, const struct event *ev)
{
	const struct point_reward_created *p = ev->data;
	struct reward r = p->reward;
	struct point_totals t;

	r.version = ev->version;
	put_reward_rows(s, &r);
	load_totals(s, &t);
	t.last_reward_id = r.id;
	put_point_totals(s, 0, &t);
}

static void on_reward_updated(struct state *s, const struct event *ev)
{
	const struct point_reward_updated *p = ev->data;
	struct reward r;

	if (!get_reward(s, p->id, &r))
		return;
	del_reward_indexes(s, &r);
	record_apply(record_reward(), p->changes, &r, s->arena);
	r.version = ev->version;
	r.updated_at = ev->at;
	put_reward_rows(s, &r);
}

/* Claims of a deleted reward leave the view: one row and one lookup each. */
static void drop_claims(struct state *s, uint64_t reward_id)
{
	struct row_walk w;
	struct key k;

	key_put_U64(key_begin(&k), reward_id);
	row_walk_begin(&w, s, T_claim_by_reward, &k, false);
	while (row_walk_next(&w)) {
		uint64_t id, at, user_id;

		if (!take_claim_by_reward(w.key, s->arena, &id, &at, &user_id))
			continue;
		del_claim_by_reward(s, reward_id, at, user_id);
		del_claim_by_user(s, user_id, at, reward_id);
		del_claim(s, user_id, reward_id);
	}
	row_walk_end(&w);
}

static void on_reward_deleted(struct state *s, const struct event *ev)
{
	const struct point_reward_deleted *p = ev->data;
	struct reward r;

	if (!get_reward(s, p->id, &r))
		return;
	del_reward_indexes(s, &r);
	r.version = ev->version;
	r.deleted = true;
	put_reward_rows(s, &r);
	drop_claims(s, p->id);
}

static void on_reward_claimed(struct state *s, const struct event *ev)
{
	const struct point_reward_claimed *p = ev->data;
	struct claim c = { .user_id = p->user_id, .reward_id = p->reward_id, .claimed_at = ev->at };
	struct balance b;

	put_claim(s, (uint64_t)p->user_id, p->reward_id, &c);
	put_claim_by_user(s, (uint64_t)p->user_id, (uint64_t)ev->at, p->reward_id);
	put_claim_by_reward(s, p->reward_id, (uint64_t)ev->at, (uint64_t)p->user_id);
	if (!get_balance(s, (uint64_t)p->user_id, &b))
		return;
	b.version = ev->version;
	put_balance(s, (uint64_t)p->user_id, &b);
}

static const struct fold folds[] = {
	{ EV_user_created, on_user_created },
	{ EV_user_deleted, on_user_deleted },
	{ EV_user_level_changed, on_level_changed },
	{ EV_point_credited, on_credited },
	{ EV_point_debited, on_debited },
	{ EV_point_held, on_held },
	{ EV_point_released, on_released },
	{ EV_point_captured, on_captured },
	{ EV_point_level_created, on_level_created },
	{ EV_point_level_updated, on_level_updated },
	{ EV_point_level_deleted, on_level_deleted },
	{ EV_point_reward_created, on_reward_created },
	{ EV_point_reward_updated, on_reward_updated },
	{ EV_point_reward_deleted, on_reward_deleted },
	{ EV_point_reward_claimed, on_reward_claimed },
};
const struct fold_table point_folds = { folds, sizeof(folds) / sizeof(folds[0]), NULL };
