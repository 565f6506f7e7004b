#include <stdlib.h>

#include "core/rules.h"
#include "projections/channel.h"
#include "projections/fold.h"

/* Folds of the projection `channel`. Its queries: projections/channel_queries.c. */

/* ---- channels ---- */

static void count_channel(struct state *s, const struct channel *c, int64_t by)
{
	struct channel_totals t = { 0 };

	get_channel_totals(s, 0, &t);
	if (slice_is(c->type, "vip"))
		t.vip += by;
	else if (slice_is(c->type, "engagement"))
		t.engagement += by;
	else
		t.free += by;
	t.auto_permissions += c->auto_manage_permissions ? by : 0;
	put_channel_totals(s, 0, &t);
}

static void move_title(struct state *s, int64_t id, const struct channel *old, const struct channel *new)
{
	struct key k;

	key_put_I64(key_begin(&k), id);
	move_words(s, T_channel_word, &k, &old->title, old->title.base != NULL, &new->title, new->title.base != NULL);
}

/* From one state of a channel to the next; a deleted one is in no index and counted nowhere. */
static void change_channel(struct state *s, const struct channel *old, const struct channel *new)
{
	static const struct channel untitled;
	int64_t id = new->id;

	if (!old->deleted) {
		del_channel_by_created(s, (uint64_t)old->created_at, id);
		del_channel_by_type(s, old->type, (uint64_t)old->created_at, id);
		del_channel_by_auto(s, old->auto_manage_permissions, id);
		count_channel(s, old, -1);
	}
	if (!new->deleted) {
		put_channel_by_created(s, (uint64_t) new->created_at, id);
		put_channel_by_type(s, new->type, (uint64_t) new->created_at, id);
		put_channel_by_auto(s, new->auto_manage_permissions, id);
		count_channel(s, new, 1);
	}
	move_title(s, id, old->deleted ? &untitled : old, new->deleted ? &untitled : new);
	put_channel(s, id, new);
}

static void on_created(struct state *s, const struct event *ev)
{
	const struct channel_created *p = ev->data;
	struct channel old, new = p->channel;

	if (!get_channel(s, new.id, &old))
		old = (struct channel){ .deleted = true };
	new.version = ev->version;
	new.deleted = false;
	change_channel(s, &old, &new);
}

static void on_updated(struct state *s, const struct event *ev)
{
	const struct channel_updated *p = ev->data;
	struct channel old, new;

	if (!get_channel(s, p->id, &old))
		return;
	new = old;
	record_apply(record_channel(), p->changes, &new, s->arena);
	new.version = ev->version;
	new.updated_at = ev->at;
	change_channel(s, &old, &new);
}

static void on_deleted(struct state *s, const struct event *ev)
{
	const struct channel_deleted *p = ev->data;
	struct channel old, new;

	if (!get_channel(s, p->id, &old))
		return;
	new = old;
	new.version = ev->version;
	new.deleted = true;
	change_channel(s, &old, &new);
}

/* The channel's reactions without `emoji`, then with it at the end if `add`. */
static void move_reaction(struct state *s, struct channel *c, struct slice emoji, bool add)
{
	struct slice *v = arena_take(s->arena, (c->reactions.n + 1) * sizeof(*v));
	size_t n = 0;

	if (v == NULL)
		return;
	for (size_t i = 0; i < c->reactions.n; i++)
		if (!slice_eq(c->reactions.v[i], emoji))
			v[n++] = c->reactions.v[i];
	if (add)
		v[n++] = emoji;
	c->reactions.v = v;
	c->reactions.n = n;
}

static void put_reactions(struct state *s, const struct event *ev, struct channel *c, struct slice emoji,
			  int64_t points)
{
	c->reaction_points = reaction_points(c, emoji, points, s->arena);
	c->version = ev->version;
	c->updated_at = ev->at;
	put_channel(s, c->id, c);
}

static void on_reaction_set(struct state *s, const struct event *ev)
{
	const struct channel_reaction_set *p = ev->data;
	struct channel c;

	if (!get_channel(s, p->channel_id, &c))
		return;
	if (reaction_position(&c, p->emoji) < 0)
		move_reaction(s, &c, p->emoji, true);
	put_reactions(s, ev, &c, p->emoji, p->points);
}

static void on_reaction_removed(struct state *s, const struct event *ev)
{
	const struct channel_reaction_removed *p = ev->data;
	struct channel c;

	if (!get_channel(s, p->channel_id, &c))
		return;
	move_reaction(s, &c, p->emoji, false);
	put_reactions(s, ev, &c, SLICE_NULL, 0);
}

/* ---- counters ---- */

/*
 * One more of a text in a packed map of texts to numbers. Any text may come: the first EMOJIS_MAX have a pair each,
 * later ones share the pair `other`.
 */
enum { EMOJIS_MAX = 200 };

static bool map_has(struct slice map, struct slice text)
{
	struct mp m = mp_of(map);
	struct slice name;
	bool found = false;
	int64_t count;
	uint32_t n = 0;

	mp_map(&m, &n);
	while (n-- > 0 && !found && mp_str(&m, &name) && mp_int(&m, &count))
		found = slice_eq(name, text);
	return found;
}

static struct slice count_text(struct slice map, struct slice text, struct arena *arena)
{
	struct mp m = mp_of(map);
	size_t room = map.len + text.len + 32;
	struct buf b = { .base = arena_take(arena, room), .cap = room, .max = room };
	bool found = map_has(map, text);
	struct slice name;
	uint32_t n = 0;
	int64_t count;

	if (b.base == NULL)
		return map;
	mp_map(&m, &n);
	if (!found && n >= EMOJIS_MAX) {
		text = SLICE_LIT("other");
		found = map_has(map, text);
	}
	mp_put_map(&b, n + !found);
	while (n-- > 0 && mp_str(&m, &name) && mp_int(&m, &count)) {
		mp_put_text(&b, name);
		mp_put_int64(&b, count + slice_eq(name, text));
	}
	if (!found) {
		mp_put_text(&b, text);
		mp_put_int64(&b, 1);
	}
	return buf_slice(&b);
}

/* Adds to the counters of a channel and to those of all. emoji: of a reaction, else absent; counted by channel. */
static void add_sums(struct state *s, int64_t channel_id, const struct channel_sums *by, struct slice emoji)
{
	const int64_t ids[] = { channel_id, ALL_CHANNELS };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct channel_sums sums;

		record_defaults(record_channel_sums(), &sums);
		get_channel_sums(s, ids[i], &sums);
		sums.pending += by->pending;
		sums.approved += by->approved;
		sums.rejected += by->rejected;
		sums.waited_ms += by->waited_ms;
		sums.reactions += by->reactions;
		sums.posts += by->posts;
		sums.points_paid += by->points_paid;
		if (emoji.base != NULL && ids[i] != ALL_CHANNELS)
			sums.by_emoji = count_text(sums.by_emoji, emoji, s->arena);
		put_channel_sums(s, ids[i], &sums);
	}
}

static void load_day(struct state *s, int64_t channel_id, int64_t day, struct channel_day *d)
{
	*d = (struct channel_day){ 0 };
	get_channel_day(s, channel_id, (uint64_t)day, d);
}

/* Takes a user who comes again out of the day on which the user was last seen. */
static void leave_day(struct state *s, int64_t channel_id, int64_t day, bool reaction)
{
	struct channel_day d;

	load_day(s, channel_id, day, &d);
	if (reaction)
		d.latest_reaction--;
	else
		d.latest--;
	put_channel_day(s, channel_id, (uint64_t)day, &d);
}

/* Marks that the user was there on this day. Adds to *today what the first time of the day adds. */
static void see_user(struct state *s, int64_t channel_id, uint64_t user_id, int64_t day, bool reaction,
		     struct channel_day *today)
{
	struct channel_user u = { 0 };
	bool first, first_reaction;

	get_channel_user(s, channel_id, user_id, &u);
	first = !u.has_active_day || u.active_day != day;
	first_reaction = reaction && (!u.has_reaction_day || u.reaction_day != day);
	if (first && u.has_active_day)
		leave_day(s, channel_id, u.active_day, false);
	if (first_reaction && u.has_reaction_day)
		leave_day(s, channel_id, u.reaction_day, true);
	today->active += first;
	today->latest += first;
	today->latest_reaction += first_reaction;
	if (!first && !first_reaction)
		return;
	u.has_active_day = true;
	u.active_day = day;
	u.has_reaction_day |= reaction;
	u.reaction_day = reaction ? day : u.reaction_day;
	put_channel_user(s, channel_id, user_id, &u);
}

static int64_t *counter_of(struct channel_day *d, struct slice action)
{
	if (slice_is(action, "reaction"))
		return &d->reactions;
	if (slice_is(action, "message"))
		return &d->messages;
	if (slice_is(action, "comment"))
		return &d->comments;
	if (slice_is(action, "post"))
		return &d->posts;
	return slice_is(action, "poll") ? &d->polls : &d->other;
}

/* An action of a user in a channel. */
static void engage(struct state *s, int64_t channel_id, int64_t user_id, int64_t at, struct slice action)
{
	const int64_t ids[] = { channel_id, ALL_CHANNELS };
	int64_t day = utc_day(at);

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct channel_day today;

		load_day(s, ids[i], day, &today);
		++*counter_of(&today, action);
		/* who reacted is asked of all channels together only */
		see_user(s, ids[i], (uint64_t)user_id, day, slice_is(action, "reaction") && ids[i] == ALL_CHANNELS,
			 &today);
		put_channel_day(s, ids[i], (uint64_t)day, &today);
	}
}

static void pay(struct state *s, int64_t channel_id, int64_t at, int64_t amount)
{
	const int64_t ids[] = { channel_id, ALL_CHANNELS };
	int64_t day = utc_day(at);

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct channel_day today;

		load_day(s, ids[i], day, &today);
		today.points += amount;
		put_channel_day(s, ids[i], (uint64_t)day, &today);
	}
}

/* ---- engagement ---- */

static void on_activity_recorded(struct state *s, const struct event *ev)
{
	const struct user_activity_recorded *p = ev->data;

	if (p->has_channel_id)
		engage(s, p->channel_id, p->user_id, ev->at, p->action);
}

/* True: it is the first of this post. */
static bool count_in_post(struct state *s, const struct event *ev)
{
	const struct channel_reacted *p = ev->data;
	struct post post;
	bool first;

	record_defaults(record_post(), &post);
	first = !get_post(s, p->channel_id, (uint64_t)p->message_id, &post);
	post.version = ev->version;
	post.channel_id = p->channel_id;
	post.message_id = p->message_id;
	post.counts = count_text(post.counts, p->emoji, s->arena);
	post.total++;
	if (first) {
		post.has_first_at = post.has_last_at = true;
		post.first_at = ev->at;
	}
	post.last_at = ev->at;
	put_post(s, p->channel_id, (uint64_t)p->message_id, &post);
	return first;
}

static void count_in_week(struct state *s, int64_t user_id, int64_t at)
{
	uint64_t week = (uint64_t)week_of(at), id = (uint64_t)user_id;
	struct tally t = { 0 };

	if (get_reaction_week(s, week, id, &t))
		del_reaction_ranking(s, week, t.n, id);
	t.n++;
	put_reaction_week(s, week, id, &t);
	put_reaction_ranking(s, week, t.n, id);
}

static void on_reacted(struct state *s, const struct event *ev)
{
	const struct channel_reacted *p = ev->data;
	uint64_t user_id = (uint64_t)p->user_id, message_id = (uint64_t)p->message_id;
	struct reaction r = { .channel_id = p->channel_id,
			      .message_id = p->message_id,
			      .user_id = p->user_id,
			      .emoji = p->emoji,
			      .points = p->points,
			      .created_at = ev->at };
	bool first = count_in_post(s, ev);

	put_reaction(s, p->channel_id, message_id, user_id, &r);
	put_reaction_by_user(s, user_id, (uint64_t)ev->at, p->channel_id, message_id);
	put_reaction_by_channel(s, p->channel_id, (uint64_t)ev->at, message_id, user_id);
	add_sums(s, p->channel_id, &(struct channel_sums){ .reactions = 1, .posts = first }, p->emoji);
	engage(s, p->channel_id, p->user_id, ev->at, SLICE_LIT("reaction"));
	count_in_week(s, p->user_id, ev->at);
}

/* "-100:5" */
static bool read_post_id(struct slice id, int64_t *ret_channel, int64_t *ret_message)
{
	char text[64], *end;

	if (id.len >= sizeof(text))
		return false;
	memcpy(text, id.base, id.len);
	text[id.len] = '\0';
	*ret_channel = strtoll(text, &end, 10);
	if (*end != ':')
		return false;
	*ret_message = strtoll(end + 1, &end, 10);
	return *end == '\0';
}

/* Credits count by what they are for: a post, or a channel. */
static void on_credited(struct state *s, const struct event *ev)
{
	const struct point_credited *p = ev->data;
	int64_t channel_id, message_id;
	struct channel c;
	struct post post;
	struct slice id;

	if (p->ref.base == NULL)
		return;
	if (ref_is(p->ref, "post", &id) && read_post_id(id, &channel_id, &message_id) &&
	    get_post(s, channel_id, (uint64_t)message_id, &post)) {
		post.points_paid += p->amount;
		put_post(s, channel_id, (uint64_t)message_id, &post);
		add_sums(s, channel_id, &(struct channel_sums){ .points_paid = p->amount }, SLICE_NULL);
		pay(s, channel_id, ev->at, p->amount);
	} else if (ref_is_int(p->ref, "channel", &channel_id) && get_channel(s, channel_id, &c)) {
		pay(s, channel_id, ev->at, p->amount);
	}
}

/* ---- join requests ---- */

static void del_request_rows(struct state *s, const struct join_request *r)
{
	uint64_t at = (uint64_t)r->requested_at;

	del_join_request_by_user(s, (uint64_t)r->user_id, at, r->id);
	del_join_request_by_channel(s, r->channel_id, r->status, at, r->id);
	del_join_request_by_status(s, r->status, at, r->id);
	del_join_request_by_time(s, at, r->id);
	del_join_request_to_approve(s, at, r->id);
	if (r->has_decided_at)
		del_join_request_by_decision(s, r->status, (uint64_t)r->decided_at, r->id);
	del_join_request(s, r->id);
}

static void put_request_rows(struct state *s, const struct join_request *r)
{
	uint64_t at = (uint64_t)r->requested_at;

	put_join_request(s, r->id, r);
	put_join_request_by_user(s, (uint64_t)r->user_id, at, r->id);
	put_join_request_by_channel(s, r->channel_id, r->status, at, r->id);
	put_join_request_by_status(s, r->status, at, r->id);
	put_join_request_by_time(s, at, r->id);
	if (r->has_decided_at)
		put_join_request_by_decision(s, r->status, (uint64_t)r->decided_at, r->id);
	else if (r->automatic)
		put_join_request_to_approve(s, at, r->id);
}

static void on_request_created(struct state *s, const struct event *ev)
{
	const struct channel_request_created *p = ev->data;
	struct join_request r = p->request;
	struct id_ref latest = { r.id };
	struct channel_totals t = { 0 };

	r.version = ev->version;
	put_request_rows(s, &r);
	put_join_request_latest(s, (uint64_t)r.user_id, r.channel_id, &latest);
	get_channel_totals(s, 0, &t);
	t.last_request_id = r.id;
	put_channel_totals(s, 0, &t);
	add_sums(s, r.channel_id, &(struct channel_sums){ .pending = 1 }, SLICE_NULL);
}

static void on_request_updated(struct state *s, const struct event *ev)
{
	const struct channel_request_updated *p = ev->data;
	struct join_request r;

	if (!get_join_request(s, p->id, &r))
		return;
	record_apply(record_join_request(), p->changes, &r, s->arena);
	r.version = ev->version;
	put_join_request(s, r.id, &r);
}

static void decide_request(struct state *s, const struct event *ev, uint64_t id, bool approved)
{
	struct join_request r;

	if (!get_join_request(s, id, &r) || r.has_decided_at)
		return;
	del_request_rows(s, &r);
	r.version = ev->version;
	r.status = approved ? SLICE_LIT("approved") : SLICE_LIT("rejected");
	r.has_decided_at = true;
	r.decided_at = ev->at;
	r.decided_by = ev->actor;
	put_request_rows(s, &r);
	add_sums(s, r.channel_id,
		 &(struct channel_sums){ .pending = -1,
					 .approved = approved,
					 .rejected = !approved,
					 .waited_ms = ev->at - r.requested_at },
		 SLICE_NULL);
}

static void on_request_approved(struct state *s, const struct event *ev)
{
	decide_request(s, ev, ((const struct channel_request_approved *)ev->data)->id, true);
}

static void on_request_rejected(struct state *s, const struct event *ev)
{
	decide_request(s, ev, ((const struct channel_request_rejected *)ev->data)->id, false);
}

static void on_requests_archived(struct state *s, const struct event *ev)
{
	const struct channel_requests_archived *p = ev->data;
	uint64_t *ids = arena_take(s->arena, (size_t)p->count * sizeof(*ids));
	size_t n = ids != NULL ? closed_before(s, &requests_closed, p->before_at, (size_t)p->count, ids) : 0;

	for (size_t i = 0; i < n; i++) {
		struct join_request r;
		struct id_ref latest;

		if (!get_join_request(s, ids[i], &r))
			continue;
		del_request_rows(s, &r);
		if (get_join_request_latest(s, (uint64_t)r.user_id, r.channel_id, &latest) && latest.id == r.id)
			del_join_request_latest(s, (uint64_t)r.user_id, r.channel_id);
	}
}

static const struct fold folds[] = {
	{ EV_channel_created, on_created },
	{ EV_channel_updated, on_updated },
	{ EV_channel_deleted, on_deleted },
	{ EV_channel_reaction_set, on_reaction_set },
	{ EV_channel_reaction_removed, on_reaction_removed },
	{ EV_channel_reacted, on_reacted },
	{ EV_channel_request_created, on_request_created },
	{ EV_channel_request_updated, on_request_updated },
	{ EV_channel_request_approved, on_request_approved },
	{ EV_channel_request_rejected, on_request_rejected },
	{ EV_channel_requests_archived, on_requests_archived },
	{ EV_user_activity_recorded, on_activity_recorded },
	{ EV_point_credited, on_credited },
};
const struct fold_table channel_folds = { folds, sizeof(folds) / sizeof(folds[0]), NULL };
