#include <math.h>

#include "core/rules.h"
#include "projections/mission_queries.h"
#include "projections/point_queries.h"
#include "projections/query.h"

/* Queries of the projection `user`. */

/* ---- one user, with what is included ---- */

enum { INCLUDE_balance = 1, INCLUDE_stats = 2, INCLUDE_vip = 4, INCLUDE_counts = 8, INCLUDE_engagement = 16 };

static unsigned includes(const struct slice *v, size_t n)
{
	static const char *const names[] = { "balance", "stats", "vip", "counts", "engagement" };
	unsigned mask = 0;

	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (slice_is(v[i], names[k]))
				mask |= 1u << k;
	return mask;
}

static void vip_grant_derive(struct vip_grant *g, int64_t now)
{
	bool over = g->has_ends_at && g->ends_at <= now;

	g->status = g->revoked ? SLICE_LIT("revoked") : over ? SLICE_LIT("expired") : SLICE_LIT("active");
	if (over && !g->revoked) {
		g->has_closed_at = true;
		g->closed_at = g->ends_at;
	}
}

static void put_balance_pairs(struct query *q, struct map_writer *w, const struct balance *b)
{
	map_points(w, "balance", b->balance);
	map_points(w, "held", b->held);
	map_points(w, "available", b->balance - b->held);
	map_int(w, "rank", balance_rank(q->state, b->balance));
}

enum { GRANTS_SHOWN = 20 };

static void put_grants(struct query *q, struct map_writer *w, const struct user *u)
{
	struct state_cursor c;
	struct range r;
	struct key k;
	uint32_t n = 0;
	size_t head;
	bool more;

	map_bool(w, "permanent", u->vip_permanent);
	map_key(w, "grants");
	head = array_open(q->out);
	key_put_U64(key_begin(&k), (uint64_t)u->id);
	range_prefix(&r, T_vip_by_user, &k, true);
	state_cursor_open(&c, q->state, T_vip_by_user);
	for (more = state_cursor_seek_before(&c, key_slice(&r.hi)); more && n < GRANTS_SHOWN;
	     more = state_cursor_prev(&c)) {
		struct slice row = c.key;
		struct vip_grant g;
		uint64_t owner, id;

		if (!key_take_U64(&row, &owner) || owner != (uint64_t)u->id || !key_take_U64(&row, &id) ||
		    !get_vip_grant(q->state, id, &g))
			break;
		vip_grant_derive(&g, q->now);
		record_put_wire(q->out, record_vip_grant(), &g);
		n++;
	}
	state_cursor_close(&c);
	array_close(q->out, head, n);
}

static double engagement_score(const struct user *u, const struct user_stats *st, const struct balance *b,
			       int64_t badges)
{
	double score = fmin(points_to_double(b->balance) / 1000.0, 10.0) + 0.5 * (double)u->level +
		       fmin((double)st->messages_sent / 100.0, 5.0) + 0.1 * (double)st->checkin_streak +
		       0.2 * (double)badges;

	return round(score * 100.0) / 100.0;
}

static void put_engagement(struct query *q, struct map_writer *w, const struct user *u, const struct user_stats *st,
			   const struct balance *b)
{
	int64_t badges;
	struct holder h;

	find_holder(q->state, u->id, &h);
	badges = (int64_t)(h.all.n - count_achievements(&h));
	map_int(w, "days_registered", (q->now - u->created_at) / DAY_MS);
	map_int(w, "messages_sent", st->messages_sent);
	map_int(w, "checkin_streak", st->checkin_streak);
	map_int(w, "badge_count", badges);
	map_int(w, "last_activity_at", st->last_activity_at);
	map_float(w, "engagement_score", engagement_score(u, st, b, badges));
}

static void put_counts(struct query *q, struct map_writer *w, int64_t user_id)
{
	struct auction_user auctions = { 0 };
	struct story st = { 0 };
	struct holder h;

	find_holder(q->state, user_id, &h);
	map_uint(w, "badges", h.all.n - count_achievements(&h));
	map_uint(w, "achievements", count_achievements(&h));
	map_int(w, "missions_open", missions_in_work(q, user_id));
	find_story(q->state, user_id, &st);
	map_int(w, "lore", st.lore_count);
	get_auction_user(q->state, (uint64_t)user_id, &auctions);
	map_int(w, "auctions_joined", auctions.joined);
}

static void put_user_item(struct query *q, const struct user *row, unsigned mask)
{
	struct user u = *row;
	struct user_stats st = { 0 };
	struct balance b = { 0 };
	struct map_writer w, inner;

	u.role = role_of(&u, q->now);
	u.vip_active = vip_active(&u, q->now);
	if (mask & (INCLUDE_stats | INCLUDE_engagement))
		get_user_stats(q->state, (uint64_t)u.id, &st);
	if (mask & (INCLUDE_balance | INCLUDE_engagement))
		find_balance(q->state, u.id, &b);
	map_open(&w, q->out);
	map_fields(&w, record_user(), &u);
	if (mask & INCLUDE_balance)
		put_balance_pairs(q, &w, &b);
	if (mask & INCLUDE_stats)
		map_record(&w, "stats", record_user_stats(), &st);
	if (mask & INCLUDE_vip)
		put_grants(q, &w, &u);
	if (mask & INCLUDE_counts)
		put_counts(q, &w, u.id);
	if (mask & INCLUDE_engagement) {
		map_key(&w, "engagement");
		map_open(&inner, q->out);
		put_engagement(q, &inner, &u, &st, &b);
		map_close(&inner);
	}
	map_close(&w);
	q->returned++;
}

static int by_username(struct query *q, struct slice name, struct user *ret)
{
	struct uid_ref ref;

	if (name.len > 0 && *(const char *)name.base == '@')
		name = slice_of((const char *)name.base + 1, name.len - 1);
	if (!get_user_by_name(q->state, text_fold_name(name, q->arena), &ref) || !find_user(q->state, ref.id, ret))
		return err_missing_text(q->err, "user", name);
	return 0;
}

int query_user_get(struct query *q, const struct user_get *p)
{
	struct user u;
	int rc = 0;

	if (p->has_id == (p->username.base != NULL))
		return err_field(q->err, "id", "exactly one of id and username is needed");
	if (p->has_id && !find_user(q->state, p->id, &u))
		return err_missing(q->err, "user", p->id);
	if (!p->has_id)
		rc = by_username(q, p->username, &u);
	if (rc == 0)
		put_user_item(q, &u, includes(p->include.v, p->include.n));
	return rc;
}

static bool put_user_of(struct query *q, const void *mask, const void *id)
{
	struct user u;

	if (!find_user(q->state, *(const int64_t *)id, &u))
		return false;
	put_user_item(q, &u, *(const unsigned *)mask);
	return true;
}

int query_user_get_many(struct query *q, const struct user_get_many *p)
{
	unsigned mask = includes(p->include.v, p->include.n);

	return put_many(q, KIND_UID, p->ids.v, p->ids.n, put_user_of, &mask);
}

/* ---- lists ---- */

struct user_walk {
	const struct user_list *p;
	struct time_range created;
	unsigned mask;
	struct search search; /* of the query */
	int64_t min_active_day;
};

static bool user_matches(struct query *q, const struct user_walk *w, const struct user *u)
{
	const struct user_list *p = w->p;
	struct user_stats st = { 0 };

	if ((p->role.base != NULL && !slice_eq(p->role, role_of(u, q->now))) ||
	    (p->has_is_admin && p->is_admin != u->is_admin) || (p->has_vip && p->vip != vip_active(u, q->now)) ||
	    (p->has_level_min && u->level < p->level_min) || u->created_at < w->created.from ||
	    u->created_at >= w->created.to)
		return false;
	if (p->has_vip_expires_before_at &&
	    !(u->has_vip_expires_at && u->vip_expires_at < p->vip_expires_before_at && u->vip_expires_at > q->now))
		return false;
	if (!p->has_active_days)
		return true;
	get_user_stats(q->state, (uint64_t)u->id, &st);
	return st.has_active_day && st.active_day >= w->min_active_day;
}

static int visit_user(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct user_walk *w = arg;
	struct slice word = SLICE_NULL;
	struct user u;
	uint64_t id;

	(void)value;
	if (w->search.words.n > 0 && !key_take_TEXT(&key, q->arena, &word))
		return VISIT_SKIPPED;
	if (!key_last_U64(key, &id) || !find_user(q->state, (int64_t)id, &u) || !user_matches(q, w, &u) ||
	    (w->search.words.n > 0 &&
	     !search_hit(q, &w->search, word, (struct slice[]){ u.first_name, u.last_name, u.username }, 3)))
		return VISIT_SKIPPED;
	put_user_item(q, &u, w->mask);
	q->returned--; /* counted by the page */
	return VISIT_TAKEN;
}

static bool descending(const struct user_list *p, bool dflt)
{
	return p->order.base != NULL ? slice_is(p->order, "desc") : dflt;
}

static void range_of_prefix_text(struct range *r, enum table_id table, struct slice text, bool desc)
{
	struct key k;

	key_put_TEXT(key_begin(&k), text);
	range_prefix(r, table, &k, desc);
}

/*
 * Which index drives: that of the sort; else one whose filter fixes it by equality; else one whose filter
 * bounds it; else the order of creation.
 */
static void choose_range(struct query *q, const struct user_list *p, const struct user_walk *w, struct range *r)
{
	uint64_t vip_to = p->has_vip_expires_before_at ? (uint64_t)p->vip_expires_before_at : 0;
	bool by_vip = (p->has_vip && p->vip) || p->has_vip_expires_before_at;
	struct key all;

	key_begin(&all);
	if (slice_is(p->sort, "created_at")) {
		range_times(r, T_user_by_created, &all, &w->created, descending(p, false));
	} else if (slice_is(p->sort, "active_day")) {
		range_numbers(r, T_user_by_active_day, &all, (uint64_t)w->min_active_day, 0, descending(p, true));
	} else if (slice_is(p->sort, "vip_expires_at")) {
		range_numbers(r, T_user_by_vip, &all, by_vip ? (uint64_t)q->now + 1 : 0, vip_to, descending(p, false));
	} else if (slice_is(p->sort, "level")) {
		range_numbers(r, T_user_by_level, &all, p->has_level_min ? (uint64_t)p->level_min : 0, 0,
			      descending(p, true));
	} else if (p->role.base != NULL) {
		range_of_prefix_text(r, T_user_by_role, p->role, descending(p, false));
	} else if (p->has_is_admin) {
		range_numbers(r, T_user_by_admin, &all, p->is_admin, (uint64_t)p->is_admin + 1, descending(p, false));
	} else if (by_vip) {
		range_numbers(r, T_user_by_vip, &all, (uint64_t)q->now + 1, vip_to, descending(p, false));
	} else if (p->has_active_days) {
		range_numbers(r, T_user_by_active_day, &all, (uint64_t)w->min_active_day, 0, descending(p, true));
	} else if (p->has_level_min) {
		range_numbers(r, T_user_by_level, &all, (uint64_t)p->level_min, 0, descending(p, true));
	} else {
		range_times(r, T_user_by_created, &all, &w->created, descending(p, false));
	}
}

int query_user_list(struct query *q, const struct user_list *p)
{
	struct user_walk w = { .p = p, .mask = includes(p->include.v, p->include.n) };
	struct range r;
	int rc = time_range(q, p->has_from_at, p->from_at, p->has_to_at, p->to_at, p->has_days, p->days, &w.created);

	if (rc == 0 && p->query.base != NULL && (p->sort.base != NULL || p->order.base != NULL))
		return err_field(q->err, "query", "excludes sort and order");
	if (rc == 0 && p->query.base != NULL)
		rc = search_begin(q, "query", p->query, T_user_word, &w.search, &r);
	if (rc != 0)
		return rc;
	if (p->has_active_days) {
		w.min_active_day = utc_day(q->now) - p->active_days + 1;
		if (w.min_active_day < 0)
			w.min_active_day = 0;
	}
	if (p->query.base == NULL)
		choose_range(q, p, &w, &r);
	return list_range(q, record_user_list(), p, &r, visit_user, &w);
}

struct grant_walk {
	const struct vip_grant_list *p;
	struct time_range granted;
};

static int visit_grant(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct grant_walk *w = arg;
	const struct vip_grant_list *p = w->p;
	struct vip_grant g;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_vip_grant(q->state, id, &g))
		return VISIT_SKIPPED;
	vip_grant_derive(&g, q->now);
	if ((p->has_user_id && g.user_id != p->user_id) || (p->source.base != NULL && !slice_eq(p->source, g.source)) ||
	    (p->status.base != NULL && !slice_eq(p->status, g.status)) || g.granted_at < w->granted.from ||
	    g.granted_at >= w->granted.to)
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_vip_grant(), &g);
	return VISIT_TAKEN;
}

int query_vip_grant_list(struct query *q, const struct vip_grant_list *p)
{
	struct grant_walk w = { .p = p };
	bool desc = slice_is(p->order, "desc");
	struct range r;
	struct key k;
	int rc = time_range(q, p->has_from_at, p->from_at, p->has_to_at, p->to_at, p->has_days, p->days, &w.granted);

	if (rc != 0)
		return rc;
	key_begin(&k);
	if (p->has_user_id) {
		key_put_U64(&k, (uint64_t)p->user_id);
		range_prefix(&r, T_vip_by_user, &k, desc);
	} else if (p->source.base != NULL) {
		range_of_prefix_text(&r, T_vip_by_source, p->source, desc);
	} else {
		range_prefix(&r, T_vip_grant, &k, desc);
	}
	return list_range(q, record_vip_grant_list(), p, &r, visit_grant, &w);
}

/* ---- statistics ---- */

static int stats_of_one(struct query *q, int64_t id)
{
	struct map_writer w, inner;
	struct user_stats st = { 0 };
	struct balance b = { 0 };
	struct user u;

	if (!find_user(q->state, id, &u))
		return err_missing(q->err, "user", id);
	get_user_stats(q->state, (uint64_t)id, &st);
	find_balance(q->state, id, &b);
	map_open(&w, q->out);
	map_fields(&w, record_user_stats(), &st);
	map_int(&w, "rank", balance_rank(q->state, b.balance));
	map_key(&w, "engagement");
	map_open(&inner, q->out);
	put_engagement(q, &inner, &u, &st, &b);
	map_close(&inner);
	map_close(&w);
	return 0;
}

static void stats_window(struct query *q, struct map_writer *w, int64_t days)
{
	struct user_day sum = { 0 }, d = { 0 };
	int64_t first, last;

	day_window(q, days, &first, &last);
	for (int64_t day = first; day <= last; day++) {
		d = (struct user_day){ 0 };
		get_user_day(q->state, (uint64_t)day, &d);
		sum.created += d.created;
		sum.messages += d.messages;
		sum.checkins += d.checkins;
		sum.gifts += d.gifts;
		sum.latest += d.latest;
	}
	map_int(w, "created", sum.created);
	map_int(w, "messages", sum.messages);
	map_int(w, "checkins", sum.checkins);
	map_int(w, "gifts", sum.gifts);
	map_int(w, "active", sum.latest);
	map_int(w, "active_today", d.active);
	q->examined += (uint64_t)(last - first + 1);
}

int query_user_stats_of(struct query *q, const struct user_stats_of *p)
{
	struct user_totals t = { 0 };
	struct map_writer w, inner;
	int64_t running;

	if (p->has_user_id)
		return stats_of_one(q, p->user_id);
	get_user_totals(q->state, 0, &t);
	/* those whose time is over count no more, even before the timer has closed them */
	running = (int64_t)(state_count(q->state, T_user_by_vip) -
			    state_count_below(q->state, T_user_by_vip, (uint64_t)q->now + 1));
	map_open(&w, q->out);
	map_int(&w, "total", t.total);
	map_int(&w, "admins", t.admins);
	map_key(&w, "by_role");
	map_open(&inner, q->out);
	map_int(&inner, "admin", t.admins);
	map_int(&inner, "vip", t.vips);
	map_int(&inner, "free", t.total - t.admins - t.vips);
	map_close(&inner);
	stats_window(q, &w, p->has_days ? p->days : 30);
	map_key(&w, "vip");
	map_open(&inner, q->out);
	map_int(&inner, "active", running);
	map_int(&inner, "permanent", t.permanent);
	map_int(&inner, "total", t.ever_vip);
	map_int(&inner, "expired", t.ever_vip - running);
	map_close(&inner);
	map_float(&w, "average_level", t.total ? (double)t.level_sum / (double)t.total : 0.0);
	map_close(&w);
	q->returned = 1;
	return 0;
}
