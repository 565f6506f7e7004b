#include <inttypes.h>

#include "projections/channel.h"
#include "projections/query.h"

/* Queries of the projection `channel`. */

/* ---- single items ---- */

static void put_channel_item(struct query *q, const struct channel *c)
{
	struct channel_item item;

	channel_show(q->state, c, &item);
	record_put_wire(q->out, record_channel_item(), &item);
}

static void load_sums(struct query *q, int64_t channel_id, struct channel_sums *ret)
{
	record_defaults(record_channel_sums(), ret);
	get_channel_sums(q->state, channel_id, ret);
}

int query_channel_get(struct query *q, const struct channel_get *p)
{
	struct channel_item item;
	struct channel_sums sums;
	struct map_writer w;
	struct channel c;

	if (!find_channel(q->state, p->id, &c))
		return err_missing(q->err, "channel", p->id);
	channel_show(q->state, &c, &item);
	load_sums(q, c.id, &sums);
	map_open(&w, q->out);
	map_fields(&w, record_channel_item(), &item);
	map_int(&w, "pending_requests", sums.pending);
	map_close(&w);
	q->returned = 1;
	return 0;
}

static bool put_channel_of(struct query *q, const void *arg, const void *id)
{
	struct channel c;

	(void)arg;
	if (!find_channel(q->state, *(const int64_t *)id, &c))
		return false;
	put_channel_item(q, &c);
	return true;
}

int query_channel_get_many(struct query *q, const struct channel_get_many *p)
{
	return put_many(q, KIND_CID, p->ids.v, p->ids.n, put_channel_of, NULL);
}

static void put_request_item(struct query *q, const struct join_request *r)
{
	struct join_request_item item;

	join_request_show(q->state, r, &item);
	record_put_wire(q->out, record_join_request_item(), &item);
}

int query_join_request_get(struct query *q, const struct join_request_get *p)
{
	struct id_ref latest = { p->id };
	struct join_request r;

	if (p->has_user_id != p->has_channel_id || p->has_id == p->has_user_id)
		return err_field(q->err, "id", "either id, or user_id and channel_id are needed");
	if (!p->has_id && !get_join_request_latest(q->state, (uint64_t)p->user_id, p->channel_id, &latest))
		return err_missing_text(q->err, "request",
					arena_printf(q->arena, "%" PRId64 ":%" PRId64, p->user_id, p->channel_id));
	if (!get_join_request(q->state, latest.id, &r))
		return err_missing(q->err, "request", (int64_t)latest.id);
	put_request_item(q, &r);
	q->returned = 1;
	return 0;
}

static void put_reactor(struct query *q, struct map_writer *w, const struct post_get *p)
{
	struct map_writer inner;
	struct reaction r = { 0 };
	bool reacted = get_reaction(q->state, p->channel_id, (uint64_t)p->message_id, (uint64_t)p->user_id, &r);

	map_key(w, "user");
	map_open(&inner, q->out);
	map_text(&inner, "emoji", r.emoji);
	map_opt_int(&inner, "created_at", reacted, r.created_at);
	map_close(&inner);
}

int query_post_get(struct query *q, const struct post_get *p)
{
	struct map_writer w;
	struct channel c;
	struct post post;

	if (!find_channel(q->state, p->channel_id, &c))
		return err_missing(q->err, "channel", p->channel_id);
	if (!get_post(q->state, p->channel_id, (uint64_t)p->message_id, &post)) {
		record_defaults(record_post(), &post);
		post.channel_id = p->channel_id;
		post.message_id = p->message_id;
	}
	map_open(&w, q->out);
	map_fields(&w, record_post(), &post);
	if (p->has_user_id)
		put_reactor(q, &w, p);
	map_close(&w);
	q->returned = 1;
	return 0;
}

/* ---- channels ---- */

struct channel_walk {
	const struct channel_list *p;
	struct search search; /* of the query */
};

static int visit_channel(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct channel_walk *w = arg;
	const struct channel_list *p = w->p;
	struct slice word = SLICE_NULL;
	struct channel c;
	int64_t id;

	(void)value;
	if (w->search.words.n > 0 && !key_take_TEXT(&key, q->arena, &word))
		return VISIT_SKIPPED;
	if (!key_last_I64(key, &id) || !find_channel(q->state, id, &c) ||
	    (p->type.base != NULL && !slice_eq(p->type, c.type)) ||
	    (p->has_auto_manage_permissions && p->auto_manage_permissions != c.auto_manage_permissions) ||
	    (w->search.words.n > 0 && !search_hit(q, &w->search, word, &c.title, 1)))
		return VISIT_SKIPPED;
	put_channel_item(q, &c);
	return VISIT_TAKEN;
}

int query_channel_list(struct query *q, const struct channel_list *p)
{
	struct channel_walk w = { .p = p };
	bool desc = slice_is(p->order, "desc");
	struct range r;
	struct key k;
	int rc = 0;

	key_begin(&k);
	if (p->query.base != NULL) {
		if (p->order.base != NULL)
			return err_field(q->err, "query", "excludes order");
		rc = search_begin(q, "query", p->query, T_channel_word, &w.search, &r);
	} else if (p->type.base != NULL) {
		key_put_TEXT(&k, p->type);
		range_prefix(&r, T_channel_by_type, &k, desc);
	} else if (p->has_auto_manage_permissions) {
		key_put_U64(&k, p->auto_manage_permissions);
		range_prefix(&r, T_channel_by_auto, &k, desc);
	} else {
		range_prefix(&r, T_channel_by_created, &k, desc);
	}
	return rc == 0 ? list_range(q, record_channel_list(), p, &r, visit_channel, &w) : rc;
}

/* ---- join requests ---- */

struct join_request_walk {
	const struct join_request_list *p;
	struct time_range times; /* of the decision when that is the sort, else of the request */
	bool by_decision;
};

static int visit_request(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct join_request_walk *w = arg;
	const struct join_request_list *p = w->p;
	struct join_request r;
	uint64_t id;

	(void)value;
	if (!key_last_U64(key, &id) || !get_join_request(q->state, id, &r) ||
	    (p->status.base != NULL && !slice_eq(p->status, r.status)) || (p->has_user_id && p->user_id != r.user_id) ||
	    (p->has_channel_id && p->channel_id != r.channel_id) ||
	    (p->has_welcome_message_sent && p->welcome_message_sent != r.welcome_message_sent) ||
	    (p->has_social_media_message_sent && p->social_media_message_sent != r.social_media_message_sent) ||
	    !in_time(&w->times, w->by_decision ? r.decided_at : r.requested_at))
		return VISIT_SKIPPED;
	put_request_item(q, &r);
	return VISIT_TAKEN;
}

/* The index of which the filters fix most; one that ends in another part before the time is walked whole. */
static void choose_requests(const struct join_request_list *p, const struct join_request_walk *w, struct range *r)
{
	bool desc = p->order.base != NULL ? slice_is(p->order, "desc") : !slice_is(p->status, "pending");
	bool by_channel = p->has_channel_id && (p->status.base != NULL || !p->has_user_id);
	struct key k;

	key_begin(&k);
	if (w->by_decision) {
		key_put_TEXT(&k, p->status);
		range_times(r, T_join_request_by_decision, &k, &w->times, desc);
	} else if (by_channel) {
		key_put_I64(&k, p->channel_id);
		if (p->status.base == NULL) {
			range_prefix(r, T_join_request_by_channel, &k, desc);
			return;
		}
		key_put_TEXT(&k, p->status);
		range_times(r, T_join_request_by_channel, &k, &w->times, desc);
	} else if (p->has_user_id) {
		key_put_U64(&k, (uint64_t)p->user_id);
		range_times(r, T_join_request_by_user, &k, &w->times, desc);
	} else if (p->status.base != NULL) {
		key_put_TEXT(&k, p->status);
		range_times(r, T_join_request_by_status, &k, &w->times, desc);
	} else {
		range_times(r, T_join_request_by_time, &k, &w->times, desc);
	}
}

int query_join_request_list(struct query *q, const struct join_request_list *p)
{
	struct join_request_walk w = { .p = p, .by_decision = slice_is(p->sort, "decided_at") };
	struct range r;
	int rc = time_range(q, p->has_from_at, p->from_at, p->has_to_at, p->to_at, p->has_days, p->days, &w.times);

	if (rc != 0)
		return rc;
	if (w.by_decision && p->status.base == NULL)
		return err_field(q->err, "sort", "needs status");
	choose_requests(p, &w, &r);
	return list_range(q, record_join_request_list(), p, &r, visit_request, &w);
}

/* ---- reactions ---- */

struct reaction_walk {
	const struct reaction_list *p;
	enum table_id table;
	struct time_range times;
};

/* The parts of a key of the table that is walked. */
static bool reaction_parts(struct query *q, enum table_id table, struct slice key, int64_t *channel_id,
			   uint64_t *message_id, uint64_t *user_id)
{
	uint64_t at;

	switch (table) {
	case T_reaction_by_user:
		return take_reaction_by_user(key, q->arena, user_id, &at, channel_id, message_id);
	case T_reaction_by_channel:
		return take_reaction_by_channel(key, q->arena, channel_id, &at, message_id, user_id);
	default:
		return take_reaction(key, q->arena, channel_id, message_id, user_id);
	}
}

static int visit_reaction(struct query *q, void *arg, struct slice key, struct slice value)
{
	const struct reaction_walk *w = arg;
	uint64_t message_id, user_id;
	struct reaction r;
	struct channel c;
	int64_t channel_id;

	(void)value;
	if (!reaction_parts(q, w->table, key, &channel_id, &message_id, &user_id) ||
	    !get_reaction(q->state, channel_id, message_id, user_id, &r) || !in_time(&w->times, r.created_at) ||
	    (w->p->has_user_id && w->p->user_id != r.user_id) ||
	    (w->p->has_channel_id && w->p->channel_id != r.channel_id) || !find_channel(q->state, channel_id, &c))
		return VISIT_SKIPPED;
	record_put_wire(q->out, record_reaction(), &r);
	return VISIT_TAKEN;
}

int query_reaction_list(struct query *q, const struct reaction_list *p)
{
	struct reaction_walk w = { .p = p };
	bool desc = p->order.base != NULL ? slice_is(p->order, "desc") : !p->has_message_id;
	struct range r;
	struct key k;
	int rc = time_range(q, false, 0, false, 0, p->has_days, p->days, &w.times);

	if (rc != 0)
		return rc;
	if (!p->has_channel_id && (p->has_message_id || !p->has_user_id))
		return err_field(q->err, "channel_id", "is required, or user_id alone");
	key_begin(&k);
	if (p->has_message_id) {
		w.table = T_reaction;
		key_put_I64(&k, p->channel_id);
		key_put_U64(&k, (uint64_t)p->message_id);
		if (p->has_user_id)
			key_put_U64(&k, (uint64_t)p->user_id);
		range_prefix(&r, w.table, &k, desc);
	} else if (p->has_user_id) {
		w.table = T_reaction_by_user;
		key_put_U64(&k, (uint64_t)p->user_id);
		range_times(&r, w.table, &k, &w.times, desc);
	} else {
		w.table = T_reaction_by_channel;
		key_put_I64(&k, p->channel_id);
		range_times(&r, w.table, &k, &w.times, desc);
	}
	return list_range(q, record_reaction_list(), p, &r, visit_reaction, &w);
}

/* ---- statistics ---- */

static void put_actions(struct map_writer *w, const struct channel_day *d)
{
	map_int(w, "reactions", d->reactions);
	map_int(w, "messages", d->messages);
	map_int(w, "comments", d->comments);
	map_int(w, "posts", d->posts);
	map_int(w, "polls", d->polls);
	map_int(w, "other", d->other);
	map_points(w, "points", d->points);
}

struct engagement {
	int64_t channel_id;
	struct channel_day sum; /* its `active`: different users over the window */
};

static void put_engagement_day(struct query *q, struct map_writer *w, int64_t day, void *arg)
{
	struct engagement *e = arg;
	struct channel_day d = { 0 };

	get_channel_day(q->state, e->channel_id, (uint64_t)day, &d);
	put_actions(w, &d);
	map_int(w, "active_users", d.active);
	e->sum.reactions += d.reactions;
	e->sum.messages += d.messages;
	e->sum.comments += d.comments;
	e->sum.posts += d.posts;
	e->sum.polls += d.polls;
	e->sum.other += d.other;
	e->sum.points += d.points;
	e->sum.latest += d.latest;
	e->sum.latest_reaction += d.latest_reaction;
}

/* Returns how many different users reacted in the window. */
static int64_t put_engagement(struct query *q, struct map_writer *w, int64_t channel_id, const struct channel_stats *p)
{
	struct engagement e = { .channel_id = channel_id };
	struct map_writer inner;

	map_key(w, "engagement");
	map_open(&inner, q->out);
	put_per_day(q, &inner, p->has_days ? p->days : 30, put_engagement_day, &e);
	put_actions(&inner, &e.sum);
	map_int(&inner, "active_users", e.sum.latest);
	map_close(&inner);
	return e.sum.latest_reaction;
}

static void put_requests(struct query *q, struct map_writer *w, const struct channel_sums *sums, bool with_wait)
{
	struct map_writer inner;

	map_key(w, "requests");
	map_open(&inner, q->out);
	map_int(&inner, "pending", sums->pending);
	map_int(&inner, "approved", sums->approved);
	map_int(&inner, "rejected", sums->rejected);
	if (with_wait)
		map_float(&inner, "average_wait_ms", mean(sums->waited_ms, sums->approved + sums->rejected));
	map_close(&inner);
}

static int stats_of_one(struct query *q, const struct channel_stats *p)
{
	struct channel_sums sums;
	struct map_writer w;
	struct channel c;

	if (!find_channel(q->state, p->channel_id, &c))
		return err_missing(q->err, "channel", p->channel_id);
	load_sums(q, c.id, &sums);
	map_open(&w, q->out);
	put_requests(q, &w, &sums, false);
	map_int(&w, "reactions", sums.reactions);
	map_raw(&w, "by_emoji", sums.by_emoji);
	map_int(&w, "posts", sums.posts);
	map_points(&w, "points_paid", sums.points_paid);
	put_engagement(q, &w, c.id, p);
	map_close(&w);
	q->returned = 1;
	return 0;
}

static void put_by_type(struct query *q, struct map_writer *w, const struct channel_totals *t)
{
	struct map_writer inner;

	map_int(w, "channels", t->free + t->vip + t->engagement);
	map_key(w, "by_type");
	map_open(&inner, q->out);
	map_int(&inner, "free", t->free);
	map_int(&inner, "vip", t->vip);
	map_int(&inner, "engagement", t->engagement);
	map_close(&inner);
	map_int(w, "with_auto_permissions", t->auto_permissions);
}

static int stats_of_all(struct query *q, const struct channel_stats *p)
{
	struct channel_totals t = { 0 };
	struct user_totals users = { 0 };
	struct channel_sums sums;
	struct map_writer w;
	int64_t reactors;

	get_channel_totals(q->state, 0, &t);
	get_user_totals(q->state, 0, &users);
	load_sums(q, ALL_CHANNELS, &sums);
	map_open(&w, q->out);
	put_by_type(q, &w, &t);
	put_requests(q, &w, &sums, true);
	map_int(&w, "reactions", sums.reactions);
	reactors = put_engagement(q, &w, ALL_CHANNELS, p);
	map_int(&w, "reactors", reactors);
	map_int(&w, "free_users", users.total - users.admins - users.vips);
	map_int(&w, "wait_minutes", setting_int(q->state, SETTING_bot_free_channel_wait_minutes));
	map_bool(&w, "auto_approval", setting_int(q->state, SETTING_bot_auto_approval));
	map_close(&w);
	q->returned = 1;
	return 0;
}

/* Who reacted as often shares a rank. */
static uint32_t put_ranks(struct query *q, int64_t week, int64_t limit)
{
	int64_t rank = 0, before = -1, reactions;
	struct map_writer item;
	struct row_walk rows;
	uint64_t key_week, user_id;
	uint32_t n = 0;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)week);
	row_walk_begin(&rows, q->state, T_reaction_ranking, &k, false);
	while (n < limit && row_walk_next(&rows)) {
		if (!take_reaction_ranking(rows.key, q->arena, &key_week, &reactions, &user_id))
			continue;
		n++;
		rank = reactions == before ? rank : n;
		before = reactions;
		map_open(&item, q->out);
		map_int(&item, "rank", rank);
		map_uint(&item, "user_id", user_id);
		map_int(&item, "reactions", reactions);
		map_close(&item);
	}
	row_walk_end(&rows);
	return n;
}

static int ranking_of_week(struct query *q, const struct channel_stats *p)
{
	int64_t week = week_of(p->has_week_at ? p->week_at : q->now);
	struct map_writer w;
	uint32_t n;
	size_t head;

	map_open(&w, q->out);
	map_int(&w, "week_start_at", week_start(week));
	map_key(&w, "items");
	head = array_open(q->out);
	n = put_ranks(q, week, p->has_limit ? p->limit : 10);
	array_close(q->out, head, n);
	map_close(&w);
	q->examined += n;
	q->returned = n;
	return 0;
}

int query_channel_stats(struct query *q, const struct channel_stats *p)
{
	bool ranking = p->ranking.base != NULL;

	if (ranking && (p->has_channel_id || p->has_days))
		return err_field(q->err, "ranking", "goes with week_at and limit only");
	if (!ranking && (p->has_week_at || p->has_limit))
		return err_field(q->err, p->has_week_at ? "week_at" : "limit", "needs ranking");
	if (ranking)
		return ranking_of_week(q, p);
	return p->has_channel_id ? stats_of_one(q, p) : stats_of_all(q, p);
}
