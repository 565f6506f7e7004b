#include "projections/point_queries.h"

#include <inttypes.h>

#include "core/levels.h"
#include "core/rules.h"
#include "projections/log_index.h"
#include "projections/query.h"

/* Queries of the projection `point`. */

/* ---- balances ---- */

int64_t balance_rank(struct state *s, int64_t balance)
{
	return 1 + (int64_t)state_count_below(s, T_board, ~(uint64_t)balance);
}

void balance_derive(struct state *s, struct balance *b)
{
	const struct levels *levels = levels_of(s);
	const struct level_step *at = level_numbered(levels, b->level), *next = level_above(levels, b->level);
	int64_t floor, span;

	b->available = b->balance - b->held;
	b->rank = balance_rank(s, b->balance);
	b->level_name = at ? at->name : SLICE_NULL;
	b->has_next_level = next != NULL;
	b->level_progress = 1.0;
	b->points_to_next = 0;
	if (!next)
		return;
	b->next_level = next->id;
	if (next->min_points > b->balance)
		b->points_to_next = next->min_points - b->balance;
	floor = at ? at->min_points : 0;
	span = next->min_points - floor;
	b->level_progress = span <= 0 ? 1.0 : (double)(b->balance - floor) / (double)span;
	if (b->level_progress < 0)
		b->level_progress = 0;
	if (b->level_progress > 1)
		b->level_progress = 1;
}

int query_balance_get(struct query *q, const struct balance_get *p)
{
	struct map_writer w;
	struct balance b;

	if (!find_balance(q->state, p->id, &b))
		return err_missing(q->err, "user", p->id);
	balance_derive(q->state, &b);
	map_open(&w, q->out);
	map_fields(&w, record_balance(), &b);
	if (p->has_amount)
		map_bool(&w, "sufficient", b.available >= p->amount);
	map_close(&w);
	q->returned = 1;
	return 0;
}

static bool put_balance_of(struct query *q, const void *arg, const void *id)
{
	struct balance b;

	(void)arg;
	if (!find_balance(q->state, *(const int64_t *)id, &b))
		return false;
	balance_derive(q->state, &b);
	record_put_wire(q->out, record_balance(), &b);
	return true;
}

int query_balance_get_many(struct query *q, const struct balance_get_many *p)
{
	return put_many(q, KIND_UID, p->ids.v, p->ids.n, put_balance_of, NULL);
}

/* ---- the leaderboard ---- */

static int visit_board(struct query *q, void *arg, struct slice key, struct slice value)
{
	struct map_writer w;
	struct user_stats st = { 0 };
	struct user u = { 0 };
	int64_t balance, level = 1;
	struct balance b;
	uint64_t id;

	(void)arg;
	(void)value;
	if (!key_take_DESC(&key, &balance) || !key_take_U64(&key, &id))
		return VISIT_SKIPPED;
	get_user(q->state, id, &u);
	get_user_stats(q->state, id, &st);
	if (get_balance(q->state, id, &b))
		level = b.level;
	map_open(&w, q->out);
	map_int(&w, "rank", balance_rank(q->state, balance));
	map_uint(&w, "user_id", id);
	map_text(&w, "username", u.username);
	map_text(&w, "first_name", u.first_name);
	map_points(&w, "balance", balance);
	map_int(&w, "level", level);
	map_int(&w, "messages_sent", st.messages_sent);
	map_int(&w, "checkin_streak", st.checkin_streak);
	map_close(&w);
	return VISIT_TAKEN;
}

int query_leaderboard(struct query *q, const struct leaderboard *p)
{
	struct range r = { .table = T_board, .desc = slice_is(p->order, "asc") };
	struct page pg;
	uint64_t score;
	int rc;

	if (p->has_from_rank && r.desc)
		return err_field(q->err, "from_rank", "only with order desc");
	/* keys hold the balance inverted: lo is the largest balance wanted, hi lies behind the smallest */
	if (p->has_max)
		key_put_DESC(key_begin(&r.lo), p->max - 1);
	key_put_DESC(key_begin(&r.hi), p->min - 1);
	if (p->min == 0)
		key_begin(&r.hi);
	rc = page_begin(&pg, q, record_leaderboard(), p);
	if (rc != 0)
		return rc;
	if (p->has_from_rank && !pg.has_from) {
		if (!state_nth(q->state, T_board, (uint64_t)p->from_rank - 1, &score)) {
			page_end(&pg);
			return 0;
		}
		if (!p->has_max || score > ~(uint64_t)(p->max - 1))
			key_put_U64(key_begin(&r.lo), score);
	}
	if (p->has_max && p->max <= p->min) {
		page_end(&pg);
		return 0;
	}
	rc = page_walk(&pg, &r, visit_board, NULL);
	page_end(&pg);
	return rc;
}

/* ---- transactions: events seen as rows ---- */

static void transaction_tags(uint64_t tags[4])
{
	static const enum event_type types[] = { EV_point_credited, EV_point_debited, EV_point_captured };

	memset(tags, 0, 4 * sizeof(tags[0]));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		event_add_tags(types[i], tags);
}

int query_transaction_get(struct query *q, const struct transaction_get *p)
{
	struct transaction t;
	struct event ev;
	int rc = p->id == 0 ? E_NOT_FOUND : q->log->get(q->log->arg, p->id, q->arena, &ev, q->err);

	if (rc == E_NOT_FOUND || (rc == 0 && !transaction_of(&ev, &t)))
		return err_missing(q->err, "transaction", (int64_t)p->id);
	if (rc != 0)
		return rc;
	record_put_wire(q->out, record_transaction(), &t);
	q->returned = 1;
	return 0;
}

static bool transaction_matches(const struct transaction_list *p, const struct transaction *t)
{
	return (!p->has_user_id || t->user_id == p->user_id) &&
	       (p->source.base == NULL || slice_eq(p->source, t->source)) &&
	       (!p->has_min_amount || t->amount >= p->min_amount) && (!p->has_max_amount || t->amount <= p->max_amount);
}

/* The seqs that a list of transactions runs over. */
struct seq_walk {
	struct query *q;
	bool backward;
	bool by_user;
	struct postings_walk postings;
	uint64_t tags[4];
	uint64_t lo, hi; /* inclusive */
};

/* Next transaction event from seq; E_NOT_FOUND: no more. */
static int next_transaction(struct seq_walk *w, uint64_t seq, struct event *ret)
{
	struct query *q = w->q;

	if (w->by_user) {
		seq = postings_next(&w->postings, seq);
		if (seq == 0 || seq < w->lo || seq > w->hi)
			return err_set(q->err, E_NOT_FOUND, "no more");
		q->examined++;
		return q->log->get(q->log->arg, seq, q->arena, ret, q->err);
	}
	if (q->log->next(q->log->arg, seq, w->backward, w->tags, q->arena, ret, &q->examined, q->err) != 0)
		return (int)q->err->code;
	if (ret->seq < w->lo || ret->seq > w->hi)
		return err_set(q->err, E_NOT_FOUND, "no more");
	return 0;
}

static int seq_bounds(struct seq_walk *w, const struct transaction_list *p)
{
	struct query *q = w->q;
	struct time_range t;
	int rc = time_range(q, p->has_from_at, p->from_at, p->has_to_at, p->to_at, p->has_days, p->days, &t);

	w->lo = 1;
	w->hi = q->log->head(q->log->arg);
	if (rc == 0 && t.from != INT64_MIN)
		rc = q->log->seek_time(q->log->arg, t.from, &w->lo, q->err);
	if (rc == 0 && t.to != INT64_MAX) {
		rc = q->log->seek_time(q->log->arg, t.to, &w->hi, q->err);
		w->hi--;
	}
	return rc;
}

static int walk_transactions(struct page *pg, struct seq_walk *w, const struct transaction_list *p, uint64_t seq)
{
	struct query *q = pg->q;
	uint64_t start = q->examined;

	for (;;) {
		struct event ev = { 0 };
		struct transaction t;
		int rc;

		if (seq < w->lo || seq > w->hi)
			return 0;
		rc = next_transaction(w, seq, &ev);
		if (rc == E_NOT_FOUND)
			return 0;
		if (rc != 0)
			return rc;
		if (pg->n == pg->limit || q->examined - start > EXAMINE_MAX) {
			/* go on at this entry: the key holds the seq before it in the direction of the walk */
			pg->has_next = true;
			key_put_U64(key_begin(&pg->next), w->backward ? ev.seq + 1 : ev.seq - 1);
			return 0;
		}
		if (transaction_of(&ev, &t) && transaction_matches(p, &t)) {
			record_put_wire(q->out, record_transaction(), &t);
			pg->n++;
		}
		seq = w->backward ? ev.seq - 1 : ev.seq + 1;
	}
}

int query_transaction_list(struct query *q, const struct transaction_list *p)
{
	struct seq_walk w = { .q = q, .backward = slice_is(p->order, "desc"), .by_user = p->has_user_id };
	struct slice from;
	struct page pg;
	uint64_t seq;
	int rc = seq_bounds(&w, p);

	transaction_tags(w.tags);
	w.postings =
		(struct postings_walk){ .state = q->state, .user_id = (uint64_t)p->user_id, .backward = w.backward };
	if (rc == 0)
		rc = page_begin(&pg, q, record_transaction_list(), p);
	if (rc != 0)
		return rc;
	seq = w.backward ? w.hi : w.lo;
	if (pg.has_from) {
		from = key_slice(&pg.from);
		if (!key_take_U64(&from, &seq) || (w.backward && seq == 0))
			return err_field(q->err, "after", "is not a cursor of this list");
		seq = w.backward ? seq - 1 : seq + 1;
	}
	rc = walk_transactions(&pg, &w, p, seq);
	page_end(&pg);
	return rc;
}

/* ---- holds ---- */

static int visit_hold(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct hold_list *p = arg;
	struct hold h;
	uint64_t id;

	(void)value;
	/* the id is the last part of every index of holds */
	if (!key_last_U64(key, &id) || !get_hold(q->state, id, &h) ||
	    (!slice_is(p->status, "any") && !slice_eq(p->status, h.status)) ||
	    (p->has_user_id && h.user_id != p->user_id))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_hold(), &h);
	return VISIT_TAKEN;
}

int query_hold_list(struct query *q, const struct hold_list *p)
{
	bool desc = slice_is(p->order, "desc");
	struct range r;
	struct key k;

	key_begin(&k);
	if (!p->has_user_id && !p->has_auction_id)
		return err_field(q->err, "user_id", "user_id or auction_id is required");
	if (p->has_auction_id) {
		key_put_U64(&k, p->auction_id);
		range_prefix(&r, T_hold_by_auction, &k, desc);
	} else {
		key_put_U64(&k, (uint64_t)p->user_id);
		if (!slice_is(p->status, "any"))
			key_put_TEXT(&k, p->status);
		range_prefix(&r, T_hold_by_user, &k, desc);
	}
	return list_range(q, record_hold_list(), p, &r, visit_hold, (void *)p);
}

/* ---- levels ---- */

int query_level_get(struct query *q, const struct level_get *p)
{
	struct level l;

	if (!find_level(q->state, p->id, &l))
		return err_missing(q->err, "level", p->id);
	record_put_wire(q->out, record_level(), &l);
	q->returned = 1;
	return 0;
}

static int visit_level(struct query *q, void *arg, struct slice key, struct slice value)
{
	struct mp m = mp_of(value);
	struct level l;

	(void)arg;
	(void)key;
	if (!record_get(&m, record_level(), &l, q->arena) || l.deleted)
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_level(), &l);
	return VISIT_TAKEN;
}

int query_level_list(struct query *q, const struct level_list *p)
{
	struct range r = { .table = T_level, .desc = slice_is(p->order, "desc") };

	return list_range(q, record_level_list(), p, &r, visit_level, NULL);
}

/* ---- rewards and claims ---- */

/* The relation of a user to a reward. */
struct reward_user {
	bool claimed;
	int64_t claimed_at;
	bool claimable;
};

static struct reward_user reward_user(struct query *q, const struct reward *r, int64_t user_id)
{
	struct reward_user u = { 0 };
	struct balance b = { 0 };
	struct claim c;

	u.claimed = get_claim(q->state, (uint64_t)user_id, r->id, &c);
	u.claimed_at = u.claimed ? c.claimed_at : 0;
	find_balance(q->state, user_id, &b);
	u.claimable = !u.claimed && r->is_active && b.balance >= r->required_points;
	return u;
}

static void put_reward_item(struct query *q, const struct reward *r, bool has_user, const struct reward_user *u)
{
	struct map_writer w, inner;

	map_open(&w, q->out);
	map_fields(&w, record_reward(), r);
	if (has_user) {
		map_key(&w, "user");
		map_open(&inner, q->out);
		map_opt_int(&inner, "claimed_at", u->claimed, u->claimed_at);
		map_bool(&inner, "claimable", u->claimable);
		map_close(&inner);
	}
	map_close(&w);
}

int query_reward_get(struct query *q, const struct reward_get *p)
{
	struct reward_user u = { 0 };
	struct reward r;

	if (!get_reward(q->state, p->id, &r) || r.deleted)
		return err_missing(q->err, "reward", (int64_t)p->id);
	if (p->has_user_id)
		u = reward_user(q, &r, p->user_id);
	put_reward_item(q, &r, p->has_user_id, &u);
	q->returned = 1;
	return 0;
}

static int visit_reward(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct reward_list *p = arg;
	struct reward_user u = { 0 };
	struct reward r;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_reward(q->state, id, &r) || r.deleted ||
	    (p->has_is_active && r.is_active != p->is_active) ||
	    (p->reward_type.base != NULL && (r.reward_type.base == NULL || !slice_eq(r.reward_type, p->reward_type))))
		return VISIT_SKIPPED;
	if (p->has_user_id)
		u = reward_user(q, &r, p->user_id);
	if (slice_is(p->state, "claimable") ? !u.claimable
	    : slice_is(p->state, "claimed") ? !u.claimed
	    : slice_is(p->state, "locked")  ? u.claimed || u.claimable
					    : false)
		return VISIT_SKIPPED;
	put_reward_item(q, &r, p->has_user_id, &u);
	return VISIT_TAKEN;
}

int query_reward_list(struct query *q, const struct reward_list *p)
{
	struct range r = { .table = T_reward_by_points, .desc = slice_is(p->order, "desc") };

	if (p->state.base != NULL && !p->has_user_id)
		return err_field(q->err, "state", "needs user_id");
	if (p->has_max_required)
		key_put_U64(&r.hi, (uint64_t)p->max_required + 1);
	return list_range(q, record_reward_list(), p, &r, visit_reward, (void *)p);
}

struct claim_walk {
	const struct claim_list *p;
	int64_t from_at;
};

static int visit_claim(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct claim_walk *w = arg;
	struct claim c = { 0 };
	uint64_t first, at, last;

	(void)value;
	if (!key_take_U64(&key, &first) || !key_take_U64(&key, &at) || !key_take_U64(&key, &last))
		return VISIT_SKIPPED;
	c.user_id = (int64_t)(w->p->has_user_id ? first : last);
	c.reward_id = w->p->has_user_id ? last : first;
	c.claimed_at = (int64_t)at;
	if (c.claimed_at < w->from_at || (w->p->has_reward_id && c.reward_id != w->p->reward_id))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_claim(), &c);
	return VISIT_TAKEN;
}

int query_claim_list(struct query *q, const struct claim_list *p)
{
	struct claim_walk w = { p, p->has_days ? q->now - p->days * DAY_MS : INT64_MIN };
	bool desc = slice_is(p->order, "desc");
	struct range r;
	struct key k;

	if (!p->has_user_id && !p->has_reward_id)
		return err_field(q->err, "user_id", "user_id or reward_id is required");
	key_put_U64(key_begin(&k), p->has_user_id ? (uint64_t)p->user_id : p->reward_id);
	range_prefix(&r, p->has_user_id ? T_claim_by_user : T_claim_by_reward, &k, desc);
	if (w.from_at > 0)
		key_put_U64(&r.lo, (uint64_t)w.from_at);
	return list_range(q, record_claim_list(), p, &r, visit_claim, &w);
}

/* ---- statistics ---- */

static int64_t board_end(struct state *s, bool largest)
{
	struct state_cursor c;
	int64_t balance = 0;
	bool found;

	state_cursor_open(&c, s, T_board);
	found = largest ? state_cursor_seek(&c, SLICE_LIT("")) : state_cursor_seek_before(&c, SLICE_LIT(""));
	if (found) {
		struct slice key = c.key;

		key_take_DESC(&key, &balance);
	}
	state_cursor_close(&c);
	return balance;
}

static void put_flow(struct map_writer *w, const struct point_flow *f)
{
	map_int(w, "transactions", f->count);
	map_points(w, "earned", f->earned);
	map_points(w, "spent", f->spent);
	map_points(w, "net", f->earned - f->spent);
}

static void stats_by_source(struct query *q, struct map_writer *w)
{
	struct map_writer sources, one;
	struct row_walk rows;
	struct key all;

	map_key(w, "by_source");
	map_open(&sources, q->out);
	row_walk_begin(&rows, q->state, T_point_source, key_begin(&all), false);
	while (row_walk_next(&rows)) {
		struct mp m = mp_of(rows.value);
		struct point_flow f;
		struct slice name;

		if (!take_point_source(rows.key, q->arena, &name) || !record_get(&m, record_point_flow(), &f, q->arena))
			continue;
		mp_put_text(q->out, name);
		sources.n++;
		map_open(&one, q->out);
		map_int(&one, "count", f.count);
		map_points(&one, "earned", f.earned);
		map_points(&one, "spent", f.spent);
		map_close(&one);
	}
	row_walk_end(&rows);
	map_close(&sources);
}

static void stats_all(struct query *q, struct map_writer *w)
{
	struct point_totals t = { 0 };

	get_point_totals(q->state, 0, &t);
	map_int(w, "users", t.users);
	map_uint(w, "users_with_points", state_count_below(q->state, T_board, ~UINT64_C(0)));
	map_points(w, "total_points", t.total);
	map_points(w, "held_points", t.held);
	map_float(w, "average_points", t.users ? points_to_double(t.total) / (double)t.users : 0.0);
	map_points(w, "max_points", board_end(q->state, true));
	map_points(w, "min_points", board_end(q->state, false));
	map_int(w, "transactions", t.transactions);
	map_points(w, "total_earned", t.earned);
	map_points(w, "total_spent", t.spent);
	stats_by_source(q, w);
	map_int(w, "holds_open", t.holds_open);
}

struct days_sum {
	struct point_flow flow;
	int64_t active;
	uint64_t user_id; /* of a user's days */
};

static void add_flow(struct point_flow *sum, const struct point_flow *f)
{
	sum->count += f->count;
	sum->credits += f->credits;
	sum->earned += f->earned;
	sum->spent += f->spent;
}

static void put_day(struct query *q, struct map_writer *w, int64_t day, void *arg)
{
	struct days_sum *sum = arg;
	struct point_day d = { 0 };

	get_point_day(q->state, (uint64_t)day, &d);
	add_flow(&sum->flow, &d.flow);
	sum->active += d.latest;
	put_flow(w, &d.flow);
	map_int(w, "active_users", d.users);
}

static void stats_days(struct query *q, struct map_writer *w, int64_t days)
{
	struct days_sum sum = { 0 };

	put_per_day(q, w, days, put_day, &sum);
	put_flow(w, &sum.flow);
	map_int(w, "active_users", sum.active);
}

static void stats_day(struct query *q, struct map_writer *w, int64_t day_at)
{
	int64_t day = utc_day(day_at);
	struct point_day d = { 0 };

	get_point_day(q->state, (uint64_t)day, &d);
	map_int(w, "day_at", day * DAY_MS);
	put_flow(w, &d.flow);
	map_int(w, "active_users", d.users);
}

static void put_day_of_user(struct query *q, struct map_writer *w, int64_t day, void *arg)
{
	struct days_sum *sum = arg;
	struct point_flow f = { 0 };

	get_point_user_day(q->state, (uint64_t)day, sum->user_id, &f);
	add_flow(&sum->flow, &f);
	sum->active += f.count > 0;
	put_flow(w, &f);
}

static void stats_user(struct query *q, struct map_writer *w, const struct balance *b, int64_t days)
{
	struct days_sum sum = { .user_id = (uint64_t)b->id };

	map_int(w, "user_id", b->id);
	map_int(w, "days", days);
	map_points(w, "balance", b->balance);
	put_per_day(q, w, days, put_day_of_user, &sum);
	put_flow(w, &sum.flow);
	map_float(w, "average_earning",
		  sum.flow.credits ? points_to_double(sum.flow.earned) / (double)sum.flow.credits : 0.0);
	map_int(w, "active_days", sum.active);
}

int query_point_stats(struct query *q, const struct point_stats *p)
{
	struct map_writer w;
	struct balance b;

	if (p->has_day_at && (p->has_days || p->has_user_id))
		return err_field(q->err, "day_at", "stands alone");
	if (p->has_user_id && !find_balance(q->state, p->user_id, &b))
		return err_missing(q->err, "user", p->user_id);
	map_open(&w, q->out);
	if (p->has_user_id)
		stats_user(q, &w, &b, p->has_days ? p->days : 30);
	else if (p->has_day_at)
		stats_day(q, &w, p->day_at);
	else if (p->has_days)
		stats_days(q, &w, p->days);
	else
		stats_all(q, &w);
	map_close(&w);
	q->returned = 1;
	return 0;
}

/* ---- the books ---- */

static int64_t open_holds(struct query *q, int64_t user_id)
{
	int64_t sum = 0;
	struct row_walk rows;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	key_put_TEXT(&k, SLICE_LIT("held"));
	row_walk_begin(&rows, q->state, T_hold_by_user, &k, false);
	while (row_walk_next(&rows)) {
		struct slice status;
		struct hold h;
		uint64_t owner, id;

		if (take_hold_by_user(rows.key, q->arena, &owner, &status, &id) && get_hold(q->state, id, &h))
			sum += h.amount;
	}
	row_walk_end(&rows);
	return sum;
}

/* Deleted users start afresh: their transactions before that do not count. */
static int verify_user(struct query *q, int64_t user_id)
{
	struct postings_walk walk = { .state = q->state, .user_id = (uint64_t)user_id };
	uint64_t seq = 1, first_bad = 0, n = 0, head = q->log->head(q->log->arg);
	int64_t computed = 0, computed_held;
	struct map_writer w;
	struct balance b;

	if (!find_balance(q->state, user_id, &b))
		return err_missing(q->err, "user", user_id);
	while ((seq = postings_next(&walk, seq)) != 0 && seq <= head) {
		struct transaction t;
		struct event ev;
		int rc = q->log->get(q->log->arg, seq++, q->arena, &ev, q->err);

		if (rc != 0)
			return rc;
		q->examined++;
		if (ev.type == EV_user_deleted && ((const struct user_deleted *)ev.data)->id == user_id) {
			computed = 0;
			n = 0;
		}
		if (transaction_of(&ev, &t) && t.user_id == user_id) {
			n++;
			computed += t.amount;
			if (computed != t.balance_after && first_bad == 0)
				first_bad = t.id;
		}
		arena_reset(q->arena);
	}
	computed_held = open_holds(q, user_id);
	map_open(&w, q->out);
	map_bool(&w, "ok", first_bad == 0 && computed == b.balance && computed_held == b.held);
	map_uint(&w, "transactions", n);
	if (first_bad != 0)
		map_uint(&w, "first_bad_id", first_bad);
	else
		map_nil(&w, "first_bad_id");
	map_points(&w, "balance", b.balance);
	map_points(&w, "computed", computed);
	map_points(&w, "held", b.held);
	map_points(&w, "computed_held", computed_held);
	map_uint(&w, "seq", head);
	map_close(&w);
	return 0;
}

enum { MISMATCHES_MAX = 100 };

static int verify_all(struct query *q)
{
	struct point_totals t = { 0 };
	int64_t mismatches[MISMATCHES_MAX], sum = 0, held = 0;
	uint64_t users = 0, n_bad = 0;
	struct map_writer w;
	struct state_cursor c;
	size_t head;
	bool more, ok;

	get_point_totals(q->state, 0, &t);
	state_cursor_open(&c, q->state, T_balance);
	for (more = state_cursor_seek(&c, SLICE_LIT("")); more; more = state_cursor_next(&c)) {
		struct mp m = mp_of(c.value);
		int64_t holds;
		struct balance b;

		if (!record_get(&m, record_balance(), &b, NULL) || b.deleted)
			continue;
		users++;
		sum += b.balance;
		held += b.held;
		holds = b.held != 0 ? open_holds(q, b.id) : 0;
		if ((b.balance < 0 || b.balance > POINTS_MAX || b.held < 0 || b.held > b.balance || holds != b.held ||
		     b.total_earned - b.total_spent != b.balance) &&
		    n_bad++ < MISMATCHES_MAX)
			mismatches[n_bad - 1] = b.id;
	}
	state_cursor_close(&c);
	q->examined += users;
	ok = n_bad == 0 && sum == t.total && held == t.held && t.earned - t.spent == t.total &&
	     users == (uint64_t)t.users && t.corrupt_seq == 0;
	map_open(&w, q->out);
	map_bool(&w, "ok", ok);
	map_uint(&w, "users", users);
	map_points(&w, "total_points", sum);
	map_points(&w, "held_points", held);
	map_key(&w, "mismatches");
	head = array_open(q->out);
	for (uint64_t i = 0; i < n_bad && i < MISMATCHES_MAX; i++)
		mp_put_int64(q->out, mismatches[i]);
	array_close(q->out, head, (uint32_t)(n_bad < MISMATCHES_MAX ? n_bad : MISMATCHES_MAX));
	map_uint(&w, "seq", q->log->head(q->log->arg));
	map_close(&w);
	return 0;
}

int query_point_verify(struct query *q, const struct point_verify *p)
{
	return p->has_user_id ? verify_user(q, p->user_id) : verify_all(q);
}
