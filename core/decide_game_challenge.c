#include <inttypes.h>

#include "core/reactions.h"
#include "core/rules.h"

/* Challenges and the progress in them. */

enum { PERSONAL_MINUTES = 10, PERSONAL_REWARD = 5000, PERSONAL_PENALTY = 2000 };

bool find_challenge(struct state *s, uint64_t id, struct challenge *ret)
{
	return get_challenge(s, id, ret) && !ret->deleted;
}

static int need_challenge(struct decision *d, uint64_t id, struct challenge *ret)
{
	return find_challenge(d->state, id, ret) ? 0 : err_missing(d->err, "challenge", (int64_t)id);
}

struct slice challenge_status(const struct challenge *c, int64_t now)
{
	if (slice_is(c->status, "closed") || c->end_at <= now)
		return SLICE_LIT("closed");
	return c->start_at <= now ? SLICE_LIT("open") : SLICE_LIT("scheduled");
}

bool find_challenge_progress(struct state *s, int64_t user_id, uint64_t challenge_id, struct challenge_progress *ret)
{
	struct challenge c;

	if (!get_challenge_progress(s, (uint64_t)user_id, challenge_id, ret) || ret->deleted ||
	    !get_challenge(s, challenge_id, &c))
		return false;
	ret->percentage = ret->value >= c.goal_value ? 100.0 : 100.0 * (double)ret->value / (double)c.goal_value;
	return true;
}

/* ---- definitions ---- */

static void challenge_item(struct decision *d, uint64_t id, struct challenge *ret)
{
	find_challenge(d->state, id, ret);
	ret->status = challenge_status(ret, d->now);
}

static bool is_personal(const struct challenge *c)
{
	return slice_is(c->type, "personal");
}

/* What create and update test alike. */
static int check_challenge(struct decision *d, const struct challenge *c)
{
	if (c->end_at <= c->start_at)
		return err_field(d->err, "end_at", "must be later than start_at");
	if (c->end_at <= d->now)
		return err_field(d->err, "end_at", "must be in the future");
	if (!is_personal(c) && c->penalty_points != 0)
		return err_field(d->err, "penalty_points", "only of a personal challenge");
	return 0;
}

/* The window, given by two times or (personal) by how long it takes. */
static int window_of(struct decision *d, const struct challenge_create *p, struct challenge *c)
{
	int64_t minutes = p->has_duration_minutes ? p->duration_minutes : PERSONAL_MINUTES;
	bool times = p->has_start_at || p->has_end_at, personal = is_personal(c);

	if (p->has_duration_minutes && (times || !personal))
		return err_field(d->err, "duration_minutes", "of a personal challenge, instead of start_at and end_at");
	if (!times && personal) {
		c->start_at = d->now;
		c->end_at = d->now + minutes * MINUTE_MS;
		return 0;
	}
	if (!p->has_start_at || !p->has_end_at)
		return err_field(d->err, p->has_start_at ? "end_at" : "start_at", "is required");
	c->start_at = p->start_at;
	c->end_at = p->end_at;
	return 0;
}

static int taker_of(struct decision *d, const struct challenge *c)
{
	struct user u;

	if (is_personal(c) != c->has_user_id)
		return err_field(d->err, "user_id", is_personal(c) ? "is required" : "only of a personal challenge");
	return c->has_user_id ? need_user(d, c->user_id, &u) : 0;
}

/* A window that has begun needs no timer. */
static void open_if_begun(struct decision *d, uint64_t id)
{
	struct challenge c;

	if (find_challenge(d->state, id, &c) && slice_is(c.status, "scheduled") && c.start_at <= d->now)
		EMIT(d, game_challenge_opened, .id = id);
}

int decide_challenge_create(struct decision *d, const struct challenge_create *p, struct challenge_item_result *r)
{
	struct challenge new = p->challenge;
	struct game_totals totals = { 0 };
	bool personal = is_personal(&new);
	int rc = window_of(d, p, &new);

	new.reward_points = p->has_reward_points ? p->reward_points
			    : personal           ? PERSONAL_REWARD
						 : setting_int(d->state, SETTING_points_challenge);
	new.penalty_points = p->has_penalty_points ? p->penalty_points : personal ? PERSONAL_PENALTY : 0;
	if (rc == 0)
		rc = check_challenge(d, &new);
	if (rc == 0)
		rc = taker_of(d, &new);
	if (rc != 0)
		return rc;
	get_game_totals(d->state, 0, &totals);
	new.id = totals.last_challenge_id + 1;
	new.version = 1;
	new.created_at = new.updated_at = d->now;
	decision_address(d, STREAM_challenge, &new.id, NULL);
	EMIT(d, game_challenge_created, .challenge = new);
	open_if_begun(d, new.id);
	challenge_item(d, new.id, &r->item);
	return 0;
}

/* Goal and start are fixed once it is open. */
static int check_fixed(struct decision *d, const struct challenge *old, const struct challenge *new)
{
	const char *field = !slice_eq(old->goal_type, new->goal_type) ? "goal_type"
			    : old->goal_value != new->goal_value      ? "goal_value"
			    : old->start_at != new->start_at          ? "start_at"
								      : NULL;

	return field ? err_field(d->err, field, "is fixed while the challenge is open") : 0;
}

int decide_challenge_update(struct decision *d, const struct challenge_update *p, struct challenge_item_result *r)
{
	struct slice changes, before, status;
	struct challenge old, new;
	int rc = need_challenge(d, p->id, &old);

	if (rc != 0)
		return rc;
	status = challenge_status(&old, d->now);
	if (slice_is(status, "closed"))
		return err_with(d->err, E_ALREADY_PROCESSED, "status", "closed", "challenge %" PRIu64 " is closed",
				p->id);
	new = old;
	record_merge(record_challenge(), &new, &p->challenge, p->given_challenge);
	rc = check_challenge(d, &new);
	if (rc == 0 && slice_is(status, "open"))
		rc = check_fixed(d, &old, &new);
	if (rc != 0)
		return rc;
	if (record_diff(record_challenge(), &old, &new, 0, d->arena, &changes, &before) > 0) {
		EMIT(d, game_challenge_updated, .id = p->id, .changes = changes, .before = before);
		open_if_begun(d, p->id);
	}
	challenge_item(d, p->id, &r->item);
	return 0;
}

int decide_challenge_delete(struct decision *d, const struct challenge_delete *p, struct nothing *r)
{
	struct challenge old;
	int rc = need_challenge(d, p->id, &old);

	(void)r;
	if (rc == 0)
		EMIT(d, game_challenge_deleted, .id = p->id);
	return rc;
}

/* ---- progress ---- */

static void set_progress(struct decision *d, int64_t user_id, const struct challenge *c, int64_t value)
{
	EMIT(d, game_challenge_progressed, .user_id = user_id, .challenge_id = c->id, .value = value);
	if (value >= c->goal_value)
		EMIT(d, game_challenge_completed, .user_id = user_id, .challenge_id = c->id, .value = value,
		     .reward_points = c->reward_points);
}

/* The challenge, and how far the user is in it; an error unless the user can advance. */
static int need_open(struct decision *d, int64_t user_id, uint64_t id, struct challenge *c,
		     struct challenge_progress *at)
{
	struct slice status;
	struct user u;
	int rc = need_user(d, user_id, &u);

	if (rc == 0)
		rc = need_challenge(d, id, c);
	if (rc != 0)
		return rc;
	status = challenge_status(c, d->now);
	if (!slice_is(status, "open"))
		return err_with(d->err, E_NOT_ACTIVE, "status", status.base, "challenge %" PRIu64 " is %.*s", id,
				SLICE_FMT(status));
	if (c->has_user_id && c->user_id != user_id)
		return err_with(d->err, E_FORBIDDEN, "reason", "personal", "challenge %" PRIu64 " is another user's",
				id);
	if (!find_challenge_progress(d->state, user_id, id, at))
		*at = (struct challenge_progress){ .user_id = user_id, .challenge_id = id };
	if (!at->completed)
		return 0;
	err_set(d->err, E_ALREADY_COMPLETED, "challenge %" PRIu64 " was completed", id);
	err_detail_int(d->err, "completed_at", at->completed_at);
	return E_ALREADY_COMPLETED;
}

static int progress_result(struct decision *d, int64_t user_id, uint64_t id, struct game_advance_challenge_result *r)
{
	int rc = settle(d);

	r->progress = (struct challenge_progress){ .user_id = user_id, .challenge_id = id };
	find_challenge_progress(d->state, user_id, id, &r->progress);
	r->completed = r->progress.completed;
	r->points = gains_of(d, user_id).points;
	return rc;
}

int decide_game_advance_challenge(struct decision *d, const struct game_advance_challenge *p,
				  struct game_advance_challenge_result *r)
{
	int64_t by = p->has_by ? p->by : 1, value;
	struct challenge_progress at = { 0 };
	struct challenge c;
	int rc;

	if (p->has_by && p->has_to)
		return err_field(d->err, "to", "excludes by");
	rc = need_open(d, p->user_id, p->challenge_id, &c, &at);
	if (rc != 0)
		return rc;
	value = p->has_to ? p->to : by > COUNTER_MAX - at.value ? COUNTER_MAX : at.value + by;
	if (value != at.value)
		set_progress(d, p->user_id, &c, value);
	return progress_result(d, p->user_id, p->challenge_id, r);
}

int decide_game_complete_challenge(struct decision *d, const struct game_complete_challenge *p,
				   struct game_advance_challenge_result *r)
{
	struct challenge_progress at = { 0 };
	struct challenge c;
	int rc = need_open(d, p->user_id, p->challenge_id, &c, &at);

	if (rc != 0)
		return rc;
	set_progress(d, p->user_id, &c, c.goal_value);
	return progress_result(d, p->user_id, p->challenge_id, r);
}

/* ---- R5 ---- */

static void advance_by_rule(struct decision *d, int64_t user_id, uint64_t id)
{
	struct challenge_progress at;
	struct challenge c;

	if (!find_challenge(d->state, id, &c) || !slice_is(challenge_status(&c, d->now), "open"))
		return;
	if (!get_challenge_progress(d->state, (uint64_t)user_id, id, &at) || at.deleted)
		at = (struct challenge_progress){ 0 };
	if (!at.completed)
		set_progress(d, user_id, &c, counter_up(at.value));
}

/* Next live challenge of a goal, of all or of one user; UINT64_MAX: no more. */
static uint64_t next_live(struct decision *d, struct row_walk *w)
{
	struct slice goal;
	uint64_t of, id;

	return row_walk_next(w) && take_challenge_live(w->key, d->arena, &goal, &of, &id) ? id : UINT64_MAX;
}

static void live_begin(struct decision *d, struct row_walk *w, struct slice goal, uint64_t user_id)
{
	struct key k;

	key_put_TEXT(key_begin(&k), goal);
	key_put_U64(&k, user_id);
	row_walk_begin(w, d->state, T_challenge_live, &k, false);
}

/* Those for all and the user's own, together in ascending order of ids. */
void challenges_advance(struct decision *d, int64_t user_id, const char *goal_type)
{
	struct game_live live = { 0 };
	struct row_walk all, own;
	uint64_t a, b;
	struct user u;

	get_game_live(d->state, 0, &live);
	if (live.challenges == 0 || !find_user(d->state, user_id, &u))
		return;
	live_begin(d, &all, slice_str(goal_type), 0);
	live_begin(d, &own, slice_str(goal_type), (uint64_t)user_id);
	a = next_live(d, &all);
	b = next_live(d, &own);
	while ((a != UINT64_MAX || b != UINT64_MAX) && !d->failed) {
		if (a < b) {
			advance_by_rule(d, user_id, a);
			a = next_live(d, &all);
		} else {
			advance_by_rule(d, user_id, b);
			b = next_live(d, &own);
		}
	}
	row_walk_end(&own);
	row_walk_end(&all);
}

void challenges_count_message(struct decision *d, const struct event *ev)
{
	const struct user_activity_recorded *p = ev->data;

	if (slice_is(p->action, "message"))
		challenges_advance(d, p->user_id, "messages");
}

void challenges_count_reaction(struct decision *d, const struct event *ev)
{
	const struct channel_reacted *p = ev->data;

	challenges_advance(d, p->user_id, "reactions");
}

void challenges_count_checkin(struct decision *d, const struct event *ev)
{
	const struct user_checked_in *p = ev->data;

	challenges_advance(d, p->user_id, "checkins");
}

/* ---- timers ---- */

bool due_challenge_open(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	return due_first(s, T_challenge_to_open, 0, ret);
}

void fire_challenge_open(struct decision *d, const struct due *due)
{
	struct challenge c;

	if (find_challenge(d->state, (uint64_t)due->id, &c) && slice_is(c.status, "scheduled") && c.start_at <= d->now)
		EMIT(d, game_challenge_opened, .id = c.id, .has_due_at = true, .due_at = due->at);
}

bool due_challenge_close(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	return due_first(s, T_challenge_to_close, 0, ret);
}

/* Its user failed a personal challenge: pays as much of the penalty as there is. */
static void fail(struct decision *d, const struct challenge *c)
{
	struct challenge_progress at = { 0 };
	int64_t penalty = c->penalty_points;
	struct balance b;

	if (!find_balance(d->state, c->user_id, &b) ||
	    (find_challenge_progress(d->state, c->user_id, c->id, &at) && at.completed))
		return;
	EMIT(d, game_challenge_failed, .user_id = c->user_id, .challenge_id = c->id, .penalty_points = penalty);
	if (penalty > b.balance - b.held)
		penalty = b.balance - b.held;
	if (penalty > 0)
		debit(d, &b, penalty, SLICE_LIT("penalty"), SLICE_LIT(""), 0,
		      make_ref(d->arena, "challenge", (int64_t)c->id));
}

void fire_challenge_close(struct decision *d, const struct due *due)
{
	struct challenge c;

	if (!find_challenge(d->state, (uint64_t)due->id, &c) || slice_is(c.status, "closed") || c.end_at > d->now)
		return;
	EMIT(d, game_challenge_closed, .id = c.id, .has_due_at = true, .due_at = due->at, .completions = c.completions);
	if (c.has_user_id)
		fail(d, &c);
}
