#include "core/rules.h"
#include "projections/fold.h"

/* Folds of the projection `config`: entries, tokens, and the version of the stream `server`. */

/* ---- entries ---- */

static bool is_flag_on(struct slice key, const struct config_entry *row)
{
	return row->stored && config_is_flag(key) && slice_is(row->value, "\xc3");
}

static void change_entry(struct state *s, struct slice key, const struct config_entry *new)
{
	struct config_totals t = { 0 };
	struct config_entry old = { 0 };

	get_config_entry(s, key, &old);
	get_config_totals(s, 0, &t);
	t.entries += new->stored - old.stored;
	t.flags_on += is_flag_on(key, new) - is_flag_on(key, &old);
	put_config_totals(s, 0, &t);
	put_config_entry(s, key, new);
}

static void on_entry_set(struct state *s, const struct event *ev)
{
	const struct config_entry_set *p = ev->data;
	struct config_entry row = {
		.version = ev->version, .value = p->value, .updated_at = ev->at, .updated_by = ev->actor, .stored = true
	};

	change_entry(s, p->id, &row);
}

static void on_entry_deleted(struct state *s, const struct event *ev)
{
	const struct config_entry_deleted *p = ev->data;
	struct config_entry row = { .version = ev->version, .updated_at = ev->at, .updated_by = ev->actor };

	change_entry(s, p->id, &row);
}

/* ---- tokens ---- */

static void add_to(struct token_sums *sums, const struct token_sums *by)
{
	sums->created += by->created;
	sums->active += by->active;
	sums->used += by->used;
	sums->expired += by->expired;
	sums->deleted += by->deleted;
}

/* What happens to a token counts in all, with its creator and on its day. */
static void add_sums(struct state *s, const struct token *t, int64_t at, const struct token_sums *by)
{
	struct config_totals totals = { 0 };
	struct token_user user = { 0 };
	struct token_sums day = { 0 };

	get_config_totals(s, 0, &totals);
	add_to(&totals.tokens, by);
	put_config_totals(s, 0, &totals);
	get_token_user(s, (uint64_t)t->created_by, &user);
	add_to(&user.sums, by);
	put_token_user(s, (uint64_t)t->created_by, &user);
	get_token_day(s, (uint64_t)utc_day(at), &day);
	add_to(&day, by);
	day.active = 0;
	put_token_day(s, (uint64_t)utc_day(at), &day);
}

/* Its place in token_by_end. Whether an open one is active or expired, the clock tells. */
static struct slice end_of(const struct token *t, uint64_t *ret_at)
{
	if (slice_is(t->status, "used") || slice_is(t->status, "deleted")) {
		*ret_at = (uint64_t)t->ended_at;
		return t->status;
	}
	*ret_at = t->has_expires_at ? (uint64_t)t->expires_at : UINT64_MAX;
	return SLICE_LIT("open");
}

/* The row of a token with what moves when its status does. old: NULL: it is new; new: NULL: it goes. */
static void move_token(struct state *s, const struct token *old, const struct token *new)
{
	uint64_t at;

	if (old != NULL) {
		struct slice end = end_of(old, &at);

		del_token_by_end(s, end, at, old->id);
		if (slice_is(old->status, "active") && old->has_expires_at)
			del_token_to_expire(s, at, old->id);
	}
	if (new != NULL) {
		struct slice end = end_of(new, &at);

		put_token_by_end(s, end, at, new->id);
		if (slice_is(new->status, "active") && new->has_expires_at)
			put_token_to_expire(s, at, new->id);
		put_token(s, new->id, new);
	}
}

static void on_token_created(struct state *s, const struct event *ev)
{
	const struct config_token_created *p = ev->data;
	struct token t = p->token;
	struct config_totals totals = { 0 };
	struct token_user creator = { 0 };

	t.version = ev->version;
	move_token(s, NULL, &t);
	put_token_by_text(s, t.token, &(struct id_ref){ t.id });
	put_token_by_creator(s, (uint64_t)t.created_by, t.id);
	put_token_by_created(s, (uint64_t)t.created_at, t.id);
	get_token_user(s, (uint64_t)t.created_by, &creator);
	get_config_totals(s, 0, &totals);
	totals.creators += creator.sums.created == 0;
	totals.vip_tokens += t.vip_days > 0;
	totals.last_token_id = t.id;
	put_config_totals(s, 0, &totals);
	creator.last_created_at = ev->at;
	put_token_user(s, (uint64_t)t.created_by, &creator);
	add_sums(s, &t, ev->at, &(struct token_sums){ .created = 1, .active = 1 });
}

/* An active token becomes used (used_by is not 0), deleted or expired. False: it is not active. */
static bool end_token(struct state *s, const struct event *ev, uint64_t id, struct slice status, int64_t used_by,
		      const struct token_sums *by, struct token *ret)
{
	struct token old;

	if (!get_token(s, id, &old) || !slice_is(old.status, "active"))
		return false;
	*ret = old;
	ret->version = ev->version;
	ret->status = status;
	ret->ended_at = ev->at;
	if (used_by != 0) {
		ret->has_used_by = ret->has_used_at = true;
		ret->used_by = used_by;
		ret->used_at = ev->at;
	}
	move_token(s, &old, ret);
	add_sums(s, &old, ev->at, by);
	return true;
}

static void on_token_used(struct state *s, const struct event *ev)
{
	const struct config_token_used *p = ev->data;
	struct config_totals totals = { 0 };
	struct token_user user = { 0 };
	struct token t;

	if (!end_token(s, ev, p->id, SLICE_LIT("used"), p->used_by, &(struct token_sums){ .active = -1, .used = 1 },
		       &t))
		return;
	put_token_by_user(s, (uint64_t)p->used_by, (uint64_t)ev->at, p->id);
	get_token_user(s, (uint64_t)p->used_by, &user);
	user.redeemed++;
	put_token_user(s, (uint64_t)p->used_by, &user);
	get_config_totals(s, 0, &totals);
	totals.time_to_use_ms += ev->at - t.created_at;
	put_config_totals(s, 0, &totals);
}

static void on_token_deleted(struct state *s, const struct event *ev)
{
	const struct config_token_deleted *p = ev->data;
	struct token t;

	end_token(s, ev, p->id, SLICE_LIT("deleted"), 0, &(struct token_sums){ .active = -1, .deleted = 1 }, &t);
}

static void on_token_expired(struct state *s, const struct event *ev)
{
	const struct config_token_expired *p = ev->data;
	struct token t;

	end_token(s, ev, p->id, SLICE_LIT("expired"), 0, &(struct token_sums){ .active = -1, .expired = 1 }, &t);
}

static void archive_token(struct state *s, const struct token *t, int64_t at)
{
	/* one that the clock has ended and the timer not yet */
	if (slice_is(t->status, "active"))
		add_sums(s, t, at, &(struct token_sums){ .active = -1, .expired = 1 });
	move_token(s, t, NULL);
	del_token(s, t->id);
	del_token_by_text(s, t->token);
	del_token_by_creator(s, (uint64_t)t->created_by, t->id);
	del_token_by_created(s, (uint64_t)t->created_at, t->id);
}

/* ---- the stream `server` ---- */

static void on_defaults_installed(struct state *s, const struct event *ev)
{
	struct server_mark row = { .version = ev->version, .defaults_installed = true };

	put_server_mark(s, 0, &row);
}

/* Other events of the stream: only its version is kept here. */
static void on_server_event(struct state *s, const struct event *ev)
{
	struct server_mark row = { 0 };

	get_server_mark(s, 0, &row);
	row.version = ev->version;
	put_server_mark(s, 0, &row);
}

static void on_tokens_archived(struct state *s, const struct event *ev)
{
	const struct config_tokens_archived *p = ev->data;
	uint64_t *ids = arena_take(s->arena, (size_t)p->count * sizeof(*ids));
	size_t n = ids != NULL ? closed_before(s, &tokens_closed, p->before_at, (size_t)p->count, ids) : 0;
	struct token t;

	for (size_t i = 0; i < n; i++)
		if (get_token(s, ids[i], &t))
			archive_token(s, &t, ev->at);
	on_server_event(s, ev);
}

static const struct fold folds[] = {
	{ EV_config_entry_set, on_entry_set },
	{ EV_config_entry_deleted, on_entry_deleted },
	{ EV_config_token_created, on_token_created },
	{ EV_config_token_used, on_token_used },
	{ EV_config_token_deleted, on_token_deleted },
	{ EV_config_token_expired, on_token_expired },
	{ EV_config_tokens_archived, on_tokens_archived },
	{ EV_server_defaults_installed, on_defaults_installed },
	{ EV_channel_requests_archived, on_server_event },
	{ EV_mission_period_started, on_server_event },
	{ EV_auction_auctions_archived, on_server_event },
};
const struct fold_table config_folds = { folds, sizeof(folds) / sizeof(folds[0]), NULL };
