#include <inttypes.h>
#include <stdlib.h>

#include "core/map_writer.h"
#include "core/rules.h"
#include "core/text.h"

bool find_channel(struct state *s, int64_t id, struct channel *ret)
{
	return get_channel(s, id, ret) && !ret->deleted;
}

static int need_channel(struct decision *d, int64_t id, struct channel *ret)
{
	return find_channel(d->state, id, ret) ? 0 : err_missing(d->err, "channel", id);
}

/* ---- emojis and their points ---- */

static const struct field points_of_emoji = { .name = "reaction_points", .kind = KIND_PTS };

/* What a packed map of emojis to points says of one. */
static bool points_in(struct slice map, struct slice emoji, int64_t *ret)
{
	struct mp m = mp_of(map);
	struct slice name;
	struct err err;
	uint32_t n;

	if (!mp_map(&m, &n))
		return false;
	while (n-- > 0 && mp_str(&m, &name) && param_decode(&m, &points_of_emoji, ret, &err) == 0)
		if (slice_eq(name, emoji))
			return true;
	return false;
}

int64_t reaction_position(const struct channel *c, struct slice emoji)
{
	for (size_t i = 0; i < c->reactions.n; i++)
		if (slice_eq(c->reactions.v[i], emoji))
			return (int64_t)i;
	return -1;
}

struct slice reaction_points(const struct channel *c, struct slice emoji, int64_t points, struct arena *arena)
{
	struct map_writer w;
	size_t room = 8;
	struct buf b;

	for (size_t i = 0; i < c->reactions.n; i++)
		room += c->reactions.v[i].len + 16;
	b = (struct buf){ .base = arena_take(arena, room), .cap = room, .max = room };
	if (b.base == NULL)
		return SLICE_LIT("\x80");
	map_open(&w, &b);
	for (size_t i = 0; i < c->reactions.n; i++) {
		struct slice name = c->reactions.v[i];
		int64_t value = points;

		if (!slice_eq(name, emoji) && !points_in(c->reaction_points, name, &value))
			continue;
		mp_put_text(&b, name);
		mp_put_points(&b, value);
		w.n++;
	}
	map_close(&w);
	return w.n > 0 ? buf_slice(&b) : SLICE_LIT("\x80");
}

size_t effective_reactions(struct state *s, const struct channel *c, struct effective_reaction ret[SETTING_TEXTS_MAX])
{
	int64_t points = setting_int(s, SETTING_points_reaction);
	struct slice defaults[SETTING_TEXTS_MAX];
	const struct slice *v = c->reactions.v;
	size_t n = c->reactions.n;

	if (n == 0) {
		n = setting_texts(s, SETTING_channels_default_reactions, defaults);
		v = defaults;
	}
	for (size_t i = 0; i < n; i++) {
		ret[i].emoji = v[i];
		if (!points_in(c->reaction_points, ret[i].emoji, &ret[i].points))
			ret[i].points = points;
	}
	return n;
}

void channel_show(struct state *s, const struct channel *c, struct channel_item *ret)
{
	struct effective_reaction *v = arena_take(s->arena, SETTING_TEXTS_MAX * sizeof(*v));

	*ret = (struct channel_item){ .channel = *c };
	ret->effective_reactions.v = v;
	ret->effective_reactions.n = v != NULL ? effective_reactions(s, c, v) : 0;
}

static int tidy_emoji(struct decision *d, const char *field, struct slice emoji, struct slice *ret)
{
	*ret = text_emoji(emoji, d->arena);
	return ret->len > 0 ? 0 : err_field(d->err, field, "an emoji must not be empty");
}

static int too_many_reactions(struct decision *d)
{
	err_set(d->err, E_LIMIT_EXCEEDED, "a channel has at most %d reactions", REACTIONS_MAX);
	err_detail_int(d->err, "limit", REACTIONS_MAX);
	return E_LIMIT_EXCEEDED;
}

static int tidy_reactions(struct decision *d, struct channel *c)
{
	struct channel tidy = { .reactions = { NULL, 0 } };
	struct slice *v;

	if (c->reactions.n > REACTIONS_MAX)
		return too_many_reactions(d);
	v = arena_take(d->arena, REACTIONS_MAX * sizeof(*v));
	if (v == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "the command takes too much memory");
	tidy.reactions.v = v;
	for (size_t i = 0; i < c->reactions.n; i++) {
		int rc = tidy_emoji(d, "reactions", c->reactions.v[i], &v[i]);

		if (rc != 0)
			return rc;
		if (reaction_position(&tidy, v[i]) >= 0)
			return err_field(d->err, "reactions", "%.*s is there twice", SLICE_FMT(v[i]));
		tidy.reactions.n++;
	}
	c->reactions = tidy.reactions;
	return 0;
}

/* Points as they were sent: each of another of the channel's reactions. */
static int tidy_points(struct decision *d, struct channel *c)
{
	struct slice sent = c->reaction_points;
	struct mp m = mp_of(sent);
	uint32_t n = 0;

	c->reaction_points = SLICE_LIT("\x80");
	mp_map(&m, &n);
	while (n-- > 0) {
		struct slice emoji;
		int64_t points;
		int rc;

		if (!mp_str(&m, &emoji))
			return err_field(d->err, "reaction_points", "must be a map with string keys");
		emoji = text_emoji(emoji, d->arena);
		if (reaction_position(c, emoji) < 0)
			return err_field(d->err, "reaction_points", "%.*s is none of the reactions", SLICE_FMT(emoji));
		if (points_in(c->reaction_points, emoji, &points))
			return err_field(d->err, "reaction_points", "%.*s is there twice", SLICE_FMT(emoji));
		rc = param_decode(&m, &points_of_emoji, &points, d->err);
		if (rc != 0)
			return rc;
		c->reaction_points = reaction_points(c, emoji, points, d->arena);
	}
	return 0;
}

static int tidy_channel(struct decision *d, struct channel *c, bool points_sent)
{
	int rc = tidy_reactions(d, c);

	if (rc == 0 && points_sent)
		rc = tidy_points(d, c);
	if (rc != 0)
		return rc;
	c->reaction_points = reaction_points(c, SLICE_NULL, 0, d->arena);
	if (c->title.len == 0)
		c->title = SLICE_NULL;
	return 0;
}

/* ---- channels ---- */

static void channel_item(struct decision *d, int64_t id, struct channel_item *ret)
{
	struct channel c;

	if (find_channel(d->state, id, &c))
		channel_show(d->state, &c, ret);
}

int decide_channel_create(struct decision *d, const struct channel_create *p, struct channel_item_result *r)
{
	struct channel old, new = p->channel;
	int rc;

	if (find_channel(d->state, new.id, &old))
		return err_exists(d->err, "channel", new.id);
	rc = tidy_channel(d, &new, true);
	if (rc != 0)
		return rc;
	new.version = next_version(d, STREAM_channel, &new.id, NULL);
	new.created_at = new.updated_at = d->now;
	EMIT(d, channel_created, .channel = new);
	channel_item(d, new.id, &r->item);
	return 0;
}

static int update_channel(struct decision *d, const struct channel_update *p, struct channel_item *ret)
{
	struct slice changes, before;
	struct channel old, new;
	int rc = need_channel(d, p->id, &old);

	if (rc != 0)
		return rc;
	new = old;
	record_merge(record_channel(), &new, &p->channel, p->given_channel);
	rc = tidy_channel(d, &new, GIVEN(p->given_channel, channel, reaction_points));
	if (rc != 0)
		return rc;
	if (record_diff(record_channel(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, channel_updated, .id = p->id, .changes = changes, .before = before);
	channel_item(d, p->id, ret);
	return 0;
}

int decide_channel_update(struct decision *d, const struct channel_update *p, struct channel_item_result *r)
{
	return update_channel(d, p, &r->item);
}

static int id_cmp(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int each_id_once(struct decision *d, const struct channel_update_many *p)
{
	int64_t *ids = arena_take(d->arena, p->items.n * sizeof(*ids));

	if (ids == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "the command takes too much memory");
	for (size_t i = 0; i < p->items.n; i++)
		ids[i] = p->items.v[i].id;
	qsort(ids, p->items.n, sizeof(*ids), id_cmp);
	for (size_t i = 1; i < p->items.n; i++)
		if (ids[i] == ids[i - 1])
			return err_field(d->err, "items", "channel %" PRId64 " is there twice", ids[i]);
	return 0;
}

int decide_channel_update_many(struct decision *d, const struct channel_update_many *p, struct channel_items_result *r)
{
	struct channel_item *items = arena_zero(d->arena, p->items.n * sizeof(*items));
	int rc = each_id_once(d, p);

	if (rc == 0 && items == NULL)
		rc = err_set(d->err, E_LIMIT_EXCEEDED, "the command takes too much memory");
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < p->items.n; i++)
		if (update_channel(d, &p->items.v[i], &items[i]) != 0)
			return err_wrap(d->err, "items[%zu]", i);
	r->items.v = items;
	r->items.n = p->items.n;
	return 0;
}

int decide_channel_set_reaction(struct decision *d, const struct channel_set_reaction *p, struct channel_item_result *r)
{
	int64_t points = p->has_points ? p->points : setting_int(d->state, SETTING_points_reaction);
	int64_t position, old;
	struct slice emoji;
	struct channel c;
	int rc = tidy_emoji(d, "emoji", p->emoji, &emoji);

	if (rc == 0)
		rc = need_channel(d, p->channel_id, &c);
	if (rc != 0)
		return rc;
	position = reaction_position(&c, emoji);
	if (position < 0 && c.reactions.n >= REACTIONS_MAX)
		return too_many_reactions(d);
	if (position < 0 || !points_in(c.reaction_points, emoji, &old) || old != points)
		EMIT(d, channel_reaction_set, .channel_id = c.id, .emoji = emoji, .points = points,
		     .position = position >= 0 ? position : (int64_t)c.reactions.n);
	channel_item(d, c.id, &r->item);
	return 0;
}

int decide_channel_remove_reaction(struct decision *d, const struct channel_remove_reaction *p,
				   struct channel_item_result *r)
{
	struct slice emoji;
	struct channel c;
	int rc = tidy_emoji(d, "emoji", p->emoji, &emoji);

	if (rc == 0)
		rc = need_channel(d, p->channel_id, &c);
	if (rc != 0)
		return rc;
	if (reaction_position(&c, emoji) < 0)
		return err_missing_text(d->err, "reaction", emoji);
	EMIT(d, channel_reaction_removed, .channel_id = c.id, .emoji = emoji);
	channel_item(d, c.id, &r->item);
	return 0;
}

/* ---- reacting ---- */

/* What a reaction earns before it is throttled; emojis that the channel does not know earn nothing. */
static int64_t worth(struct decision *d, const struct channel *c, struct slice emoji)
{
	struct effective_reaction v[SETTING_TEXTS_MAX];
	size_t n = effective_reactions(d->state, c, v);

	for (size_t i = 0; i < n; i++)
		if (slice_eq(v[i].emoji, emoji))
			return v[i].points;
	return 0;
}

static bool reacts_too_soon(struct decision *d, int64_t user_id)
{
	struct user_stats st;

	return get_user_stats(d->state, (uint64_t)user_id, &st) && st.has_last_reaction_at &&
	       d->now < st.last_reaction_at + setting_int(d->state, SETTING_throttle_reaction_ms);
}

int decide_channel_react(struct decision *d, const struct channel_react *p, struct channel_react_result *r)
{
	struct slice emoji;
	struct balance b = { 0 };
	struct channel c;
	struct post post;
	int rc = tidy_emoji(d, "emoji", p->emoji, &emoji);

	if (rc == 0)
		rc = need_channel(d, p->channel_id, &c);
	if (rc != 0)
		return rc;
	if (has_reaction(d->state, p->channel_id, (uint64_t)p->message_id, (uint64_t)p->user_id))
		return err_exists_text(d->err, "reaction", post_id(d->arena, p->channel_id, p->message_id));
	ensure_user(d, p->user_id);
	r->throttled = reacts_too_soon(d, p->user_id);
	EMIT(d, channel_reacted, .channel_id = p->channel_id, .message_id = p->message_id, .user_id = p->user_id,
	     .emoji = emoji, .points = r->throttled ? 0 : worth(d, &c, emoji), .throttled = r->throttled);
	rc = settle(d);
	if (rc != 0 || !get_post(d->state, p->channel_id, (uint64_t)p->message_id, &post))
		return rc;
	find_balance(d->state, p->user_id, &b);
	r->gains = gains_of(d, p->user_id);
	r->counts = post.counts;
	r->balance = b.balance;
	return 0;
}

struct slice post_id(struct arena *arena, int64_t channel_id, int64_t message_id)
{
	return arena_printf(arena, "%" PRId64 ":%" PRId64, channel_id, message_id);
}

/* ---- join requests ---- */

static int need_request(struct decision *d, uint64_t id, struct join_request *ret)
{
	return get_join_request(d->state, id, ret) ? 0 : err_missing(d->err, "request", (int64_t)id);
}

static bool is_pending(const struct join_request *r)
{
	return slice_is(r->status, "pending");
}

bool join_request_due(struct state *s, const struct join_request *r, int64_t *ret_at)
{
	if (!is_pending(r) || !r->automatic || !setting_int(s, SETTING_bot_auto_approval))
		return false;
	*ret_at = r->requested_at + setting_int(s, SETTING_bot_free_channel_wait_minutes) * MINUTE_MS;
	return true;
}

void join_request_show(struct state *s, const struct join_request *r, struct join_request_item *ret)
{
	*ret = (struct join_request_item){ .request = *r };
	ret->has_due_at = join_request_due(s, r, &ret->due_at);
}

static void request_item(struct decision *d, uint64_t id, struct join_request_item *ret)
{
	struct join_request r;

	if (get_join_request(d->state, id, &r))
		join_request_show(d->state, &r, ret);
}

/* At once, by the timer (due_at) or by hand. */
static void approve(struct decision *d, const struct join_request *r, bool is_due, int64_t due_at)
{
	EMIT(d, channel_request_approved, .id = r->id, .user_id = r->user_id, .channel_id = r->channel_id,
	     .has_due_at = is_due, .due_at = due_at);
}

static void reject(struct decision *d, const struct join_request *r, struct slice reason)
{
	EMIT(d, channel_request_rejected, .id = r->id, .user_id = r->user_id, .channel_id = r->channel_id,
	     .reason = reason);
}

int decide_join_request_create(struct decision *d, const struct join_request_create *p,
			       struct join_request_item_result *r)
{
	struct channel_totals totals = { 0 };
	struct join_request old, new;
	struct id_ref latest;
	struct channel c;
	int64_t due_at;
	int rc = need_channel(d, p->channel_id, &c);

	if (rc != 0)
		return rc;
	if (get_join_request_latest(d->state, (uint64_t)p->user_id, p->channel_id, &latest) &&
	    get_join_request(d->state, latest.id, &old) && is_pending(&old))
		return err_exists(d->err, "request", (int64_t)old.id);
	ensure_user(d, p->user_id);
	get_channel_totals(d->state, 0, &totals);
	new = (struct join_request){ .version = 1,
				     .id = totals.last_request_id + 1,
				     .user_id = p->user_id,
				     .channel_id = p->channel_id,
				     .status = SLICE_LIT("pending"),
				     .requested_at = d->now,
				     .automatic = slice_is(c.type, "free") };
	decision_address(d, STREAM_request, &new.id, NULL);
	EMIT(d, channel_request_created, .request = new);
	if (join_request_due(d->state, &new, &due_at) && due_at <= d->now)
		approve(d, &new, true, due_at);
	rc = settle(d);
	request_item(d, new.id, &r->item);
	return rc;
}

int decide_join_request_update(struct decision *d, const struct join_request_update *p,
			       struct join_request_item_result *r)
{
	struct slice changes, before;
	struct join_request old, new;
	int rc = need_request(d, p->id, &old);

	if (rc != 0)
		return rc;
	new = old;
	record_merge(record_join_request(), &new, &p->request, p->given_request);
	if (record_diff(record_join_request(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, channel_request_updated, .id = p->id, .changes = changes, .before = before);
	request_item(d, p->id, &r->item);
	return 0;
}

static int need_pending(struct decision *d, uint64_t id, struct join_request *ret)
{
	int rc = need_request(d, id, ret);

	if (rc != 0 || is_pending(ret))
		return rc;
	err_set(d->err, E_ALREADY_PROCESSED, "request %" PRIu64 " was %.*s before", id, SLICE_FMT(ret->status));
	err_detail_text(d->err, "status", ret->status);
	return E_ALREADY_PROCESSED;
}

int decide_channel_approve_request(struct decision *d, const struct channel_approve_request *p, struct nothing *r)
{
	struct join_request request;
	int rc = need_pending(d, p->request_id, &request);

	(void)r;
	if (rc == 0)
		approve(d, &request, false, 0);
	return rc;
}

int decide_channel_reject_request(struct decision *d, const struct channel_reject_request *p, struct nothing *r)
{
	struct join_request request;
	int rc = need_pending(d, p->request_id, &request);

	(void)r;
	if (rc == 0)
		reject(d, &request, p->reason);
	return rc;
}

/* Those of an index of requests that are pending. */
static void reject_pending(struct decision *d, enum table_id index, const struct key *prefix, const char *reason)
{
	struct join_request r;
	struct row_walk w;
	uint64_t id;

	row_walk_begin(&w, d->state, index, prefix, false);
	while (!d->failed && row_walk_next(&w))
		if (key_last_U64(w.key, &id) && get_join_request(d->state, id, &r) && is_pending(&r))
			reject(d, &r, slice_str(reason));
	row_walk_end(&w);
}

void reject_requests_of(struct decision *d, int64_t user_id, const char *reason)
{
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	reject_pending(d, T_join_request_by_user, &k, reason);
}

int decide_channel_delete(struct decision *d, const struct channel_delete *p, struct nothing *r)
{
	struct channel c;
	struct key k;
	int rc = need_channel(d, p->id, &c);

	(void)r;
	if (rc != 0)
		return rc;
	key_put_I64(key_begin(&k), p->id);
	key_put_TEXT(&k, SLICE_LIT("pending"));
	reject_pending(d, T_join_request_by_channel, &k, "channel_deleted");
	EMIT(d, channel_deleted, .id = p->id);
	return 0;
}

/* ---- the archive ---- */

const struct closed requests_closed = { T_join_request_by_decision, { "approved", "rejected" } };

/* ---- timers ---- */

bool due_request_approval(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	if (!setting_int(s, SETTING_bot_auto_approval) || !due_first(s, T_join_request_to_approve, 0, ret))
		return false;
	ret->at += setting_int(s, SETTING_bot_free_channel_wait_minutes) * MINUTE_MS;
	return true;
}

void fire_request_approval(struct decision *d, const struct due *due)
{
	struct join_request r;
	int64_t at;

	if (get_join_request(d->state, (uint64_t)due->id, &r) && join_request_due(d->state, &r, &at) && at <= d->now)
		approve(d, &r, true, due->at);
}
