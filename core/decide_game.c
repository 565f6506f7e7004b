#include <inttypes.h>

#include "core/rules.h"

/* Minigames, promotional events, raffles. Also: core/decide_game_trivia.c, core/decide_game_challenge.c. */

#define HOUR_MS INT64_C(3600000)

/* 0..n-1, each as likely: what would favour the small ones is drawn again. */
static uint64_t draw_below(struct decision *d, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, drawn;

	do
		d->ops->random(d->arg, &drawn, sizeof(drawn));
	while (drawn >= limit);
	return drawn % n;
}

/* ---- minigames ---- */

enum { DIE_SIDES = 6, QUICK_TRIVIA_REWARD = 5000, COOLDOWN_HOURS = 24 };

int64_t play_cooldown(struct state *s, struct slice game_type)
{
	if (slice_is(game_type, "dice") || slice_is(game_type, "quick_trivia"))
		return 0;
	if (slice_is(game_type, "roulette"))
		return setting_int(s, SETTING_minigames_cooldown_hours) * HOUR_MS;
	return COOLDOWN_HOURS * HOUR_MS;
}

bool play_must_wait(struct state *s, int64_t user_id, struct slice game_type, int64_t cooldown, int64_t now,
		    int64_t *ret_free_at)
{
	struct play_user u;

	if (cooldown == 0 || !get_play_user(s, (uint64_t)user_id, game_type, &u) || !u.has_last_free_at ||
	    u.last_free_at + cooldown <= now)
		return false;
	*ret_free_at = u.last_free_at + cooldown;
	return true;
}

void play_sums_add(struct play_sums *sums, const struct play_sums *more)
{
	sums->plays += more->plays;
	sums->free += more->free;
	sums->scored += more->scored;
	if (__builtin_add_overflow(sums->score_sum, more->score_sum, &sums->score_sum))
		sums->score_sum = more->score_sum > 0 ? INT64_MAX : INT64_MIN;
	sums->spent += more->spent;
	sums->won += more->won;
}

/* What a play takes and gives. */
struct terms {
	int64_t cost;
	int64_t cooldown; /* 0: always free */
	bool has_score;
	int64_t score;
	bool drawn;
	int64_t reward;
};

static int no_terms(struct decision *d, const struct game_play *p)
{
	const char *field = p->has_cost_points      ? "cost_points"
			    : p->has_cooldown_hours ? "cooldown_hours"
			    : p->has_reward_points  ? "reward_points"
						    : NULL;

	return field ? err_field(d->err, field, "is fixed for %.*s", SLICE_FMT(p->game_type)) : 0;
}

static int score_between(struct decision *d, const struct game_play *p, int64_t lo, int64_t hi)
{
	if (p->score >= lo && p->score <= hi)
		return 0;
	return err_field(d->err, "score", "must be %" PRId64 "..%" PRId64, lo, hi);
}

static int die_terms(struct decision *d, const struct game_play *p, struct terms *t)
{
	int rc = no_terms(d, p);

	if (rc == 0 && p->has_score)
		rc = score_between(d, p, 1, DIE_SIDES);
	if (rc != 0)
		return rc;
	t->has_score = true;
	t->drawn = !p->has_score;
	t->score = p->has_score ? p->score : 1 + (int64_t)draw_below(d, DIE_SIDES);
	t->reward = t->score * POINTS_SCALE;
	if (slice_is(p->game_type, "roulette"))
		t->cost = setting_int(d->state, SETTING_minigames_roulette_cost);
	return 0;
}

static int quick_trivia_terms(struct decision *d, const struct game_play *p, struct terms *t)
{
	int rc = no_terms(d, p);

	if (rc == 0 && !p->has_score)
		rc = err_field(d->err, "score", "is required");
	if (rc == 0)
		rc = score_between(d, p, 0, 1);
	t->has_score = true;
	t->score = p->score;
	t->reward = t->score * QUICK_TRIVIA_REWARD;
	return rc;
}

static int terms_of(struct decision *d, const struct game_play *p, struct terms *t)
{
	*t = (struct terms){ .cooldown = play_cooldown(d->state, p->game_type) };
	if (slice_is(p->game_type, "roulette") || slice_is(p->game_type, "dice"))
		return die_terms(d, p, t);
	if (slice_is(p->game_type, "quick_trivia"))
		return quick_trivia_terms(d, p, t);
	t->cost = p->has_cost_points ? p->cost_points : 0;
	if (p->has_cooldown_hours)
		t->cooldown = p->cooldown_hours * HOUR_MS;
	if (t->cost == 0)
		t->cooldown = 0;
	t->has_score = p->has_score;
	t->score = p->score;
	t->reward = p->has_reward_points ? p->reward_points : 0;
	return 0;
}

static int pay_and_win(struct decision *d, const struct play *play)
{
	struct slice ref = make_ref(d->arena, "play", (int64_t)play->id);
	struct balance b;
	int rc = 0;

	if (play->cost_points > 0 && find_balance(d->state, play->user_id, &b))
		rc = debit(d, &b, play->cost_points, SLICE_LIT("minigame"), SLICE_LIT(""), 0, ref);
	if (rc == 0)
		rc = credit(d, &(struct credit){ .user_id = play->user_id,
						 .base = play->reward_points,
						 .source = SLICE_LIT("minigame"),
						 .multiplied = true,
						 .ref = ref });
	return rc == 0 ? settle(d) : rc;
}

int decide_game_play(struct decision *d, const struct game_play *p, struct game_play_result *r)
{
	struct game_totals totals = { 0 };
	struct balance b = { 0 };
	int64_t free_at = 0;
	struct terms t;
	bool paid;
	int rc = terms_of(d, p, &t);

	if (rc != 0)
		return rc;
	if (!setting_int(d->state, SETTING_minigames_enabled))
		return err_with(d->err, E_FORBIDDEN, "reason", "disabled", "minigames are switched off");
	ensure_user(d, p->user_id);
	paid = play_must_wait(d->state, p->user_id, p->game_type, t.cooldown, d->now, &free_at);
	if (paid && !p->allow_paid)
		return too_early(d, free_at);
	get_game_totals(d->state, 0, &totals);
	r->play = (struct play){ .id = totals.last_play_id + 1,
				 .user_id = p->user_id,
				 .game_type = p->game_type,
				 .used_at = d->now,
				 .is_free = !paid,
				 .cost_points = paid ? t.cost : 0,
				 .has_score = t.has_score,
				 .score = t.score,
				 .reward_points = t.reward };
	EMIT(d, game_played, .play = r->play, .drawn = t.drawn);
	rc = pay_and_win(d, &r->play);
	if (rc != 0)
		return rc;
	find_balance(d->state, p->user_id, &b);
	r->balance = b.balance;
	r->has_next_free_at = play_must_wait(d->state, p->user_id, p->game_type, t.cooldown, d->now, &r->next_free_at);
	return 0;
}

/* ---- promotional events ---- */

struct slice promotion_status(const struct promotion *p, int64_t now)
{
	if (p->has_ended_at || (p->has_end_at && p->end_at <= now))
		return SLICE_LIT("ended");
	return p->start_at <= now ? SLICE_LIT("active") : SLICE_LIT("scheduled");
}

enum { MULTIPLIER_MAX = 1000 };

/* Takes into account the events that the log says have this status. */
static int64_t product_of(struct state *s, const char *status, int64_t now, int64_t *until)
{
	int64_t product = 1;
	struct row_walk w;
	struct key k;

	key_put_TEXT(key_begin(&k), slice_str(status));
	row_walk_begin(&w, s, T_promotion_by_status, &k, false);
	while (row_walk_next(&w)) {
		struct promotion p;
		uint64_t id;

		if (!key_last_U64(w.key, &id) || !get_promotion(s, id, &p))
			continue;
		if (p.start_at > now && p.start_at < *until)
			*until = p.start_at;
		if (p.start_at > now)
			break; /* by start: the others begin later */
		if (!slice_is(promotion_status(&p, now), "active"))
			continue;
		if (p.has_end_at && p.end_at < *until)
			*until = p.end_at;
		product = product * p.multiplier > MULTIPLIER_MAX ? MULTIPLIER_MAX : product * p.multiplier;
	}
	row_walk_end(&w);
	return product;
}

int64_t promotions_product(struct state *s, int64_t now, int64_t *ret_until)
{
	int64_t product;

	*ret_until = MS_MAX;
	/* one that is due but not started by its timer yet counts too */
	product = product_of(s, "active", now, ret_until) * product_of(s, "scheduled", now, ret_until);
	return product > MULTIPLIER_MAX ? MULTIPLIER_MAX : product;
}

int64_t event_multiplier(struct state *s, int64_t now)
{
	struct game_live live;
	int64_t until;

	if (!get_game_live(s, 0, &live))
		return 1;
	return now < live.until_at ? live.multiplier : promotions_product(s, now, &until);
}

static int need_promotion(struct decision *d, uint64_t id, struct promotion *ret)
{
	return get_promotion(d->state, id, ret) ? 0 : err_missing(d->err, "event", (int64_t)id);
}

/* The same, unless it has ended. */
static int need_running(struct decision *d, uint64_t id, struct promotion *ret)
{
	int rc = need_promotion(d, id, ret);

	if (rc == 0 && slice_is(promotion_status(ret, d->now), "ended"))
		return err_with(d->err, E_ALREADY_PROCESSED, "status", "ended", "event %" PRIu64 " has ended", id);
	return rc;
}

static int check_end(struct decision *d, const struct promotion *p)
{
	if (p->has_end_at && p->end_at <= p->start_at)
		return err_field(d->err, "end_at", "must be later than start_at");
	if (p->has_end_at && p->end_at <= d->now)
		return err_field(d->err, "end_at", "must be in the future");
	return 0;
}

static void start_if_due(struct decision *d, uint64_t id)
{
	struct promotion p;

	if (get_promotion(d->state, id, &p) && slice_is(p.status, "scheduled") && p.start_at <= d->now)
		EMIT(d, game_event_started, .id = id, .multiplier = p.multiplier);
}

static void promotion_item(struct decision *d, uint64_t id, struct promotion *ret)
{
	get_promotion(d->state, id, ret);
	ret->status = promotion_status(ret, d->now);
}

int decide_promotion_create(struct decision *d, const struct promotion_create *p, struct promotion_item_result *r)
{
	struct game_totals totals = { 0 };
	struct promotion new = p->promotion;
	int rc;

	new.start_at = p->has_start_at ? p->start_at : d->now;
	if (new.start_at < d->now)
		return err_field(d->err, "start_at", "must not be in the past");
	rc = check_end(d, &new);
	if (rc != 0)
		return rc;
	get_game_totals(d->state, 0, &totals);
	new.id = totals.last_promotion_id + 1;
	new.version = 1;
	new.created_at = new.updated_at = d->now;
	decision_address(d, STREAM_promotion, &new.id, NULL);
	EMIT(d, game_event_created, .promotion = new);
	start_if_due(d, new.id);
	promotion_item(d, new.id, &r->item);
	return 0;
}

int decide_promotion_update(struct decision *d, const struct promotion_update *p, struct promotion_item_result *r)
{
	struct slice changes, before;
	struct promotion old, new;
	int rc = need_running(d, p->id, &old);

	if (rc != 0)
		return rc;
	new = old;
	record_merge(record_promotion(), &new, &p->promotion, p->given_promotion);
	if (new.start_at != old.start_at && slice_is(promotion_status(&old, d->now), "active"))
		return err_field(d->err, "start_at", "is fixed while the event is active");
	if (new.start_at != old.start_at && d->now > new.start_at)
		return err_field(d->err, "start_at", "must not be in the past");
	rc = check_end(d, &new);
	if (rc != 0)
		return rc;
	if (record_diff(record_promotion(), &old, &new, 0, d->arena, &changes, &before) > 0) {
		EMIT(d, game_event_updated, .id = p->id, .changes = changes, .before = before);
		start_if_due(d, p->id);
	}
	promotion_item(d, p->id, &r->item);
	return 0;
}

int decide_promotion_end(struct decision *d, const struct promotion_end *p, struct promotion_item_result *r)
{
	struct promotion old;
	int rc = need_running(d, p->id, &old);

	if (rc != 0)
		return rc;
	EMIT(d, game_event_ended, .id = p->id, .multiplier = old.multiplier);
	promotion_item(d, p->id, &r->item);
	return 0;
}

bool due_event_start(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	return due_first(s, T_promotion_to_start, 0, ret);
}

void fire_event_start(struct decision *d, const struct due *due)
{
	struct promotion p;

	if (get_promotion(d->state, (uint64_t)due->id, &p) && slice_is(p.status, "scheduled") && p.start_at <= d->now)
		EMIT(d, game_event_started, .id = p.id, .multiplier = p.multiplier, .has_due_at = true,
		     .due_at = due->at);
}

bool due_event_end(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	return due_first(s, T_promotion_to_end, 0, ret);
}

void fire_event_end(struct decision *d, const struct due *due)
{
	struct promotion p;

	if (get_promotion(d->state, (uint64_t)due->id, &p) && !p.has_ended_at && p.has_end_at && p.end_at <= d->now)
		EMIT(d, game_event_ended, .id = p.id, .multiplier = p.multiplier, .has_due_at = true,
		     .due_at = due->at);
}

/* ---- raffles ---- */

static int need_raffle(struct decision *d, uint64_t id, struct raffle *ret)
{
	if (!get_raffle(d->state, id, ret))
		return err_missing(d->err, "raffle", (int64_t)id);
	if (!ret->is_active)
		return err_with(d->err, E_ALREADY_PROCESSED, "status", "ended", "raffle %" PRIu64 " has ended", id);
	return 0;
}

int decide_raffle_create(struct decision *d, const struct raffle_create *p, struct raffle_item_result *r)
{
	struct game_totals totals = { 0 };
	struct raffle new = p->raffle;

	get_game_totals(d->state, 0, &totals);
	new.id = totals.last_raffle_id + 1;
	new.version = 1;
	new.created_at = d->now;
	decision_address(d, STREAM_raffle, &new.id, NULL);
	EMIT(d, game_raffle_created, .raffle = new);
	get_raffle(d->state, new.id, &r->item);
	return 0;
}

int decide_raffle_update(struct decision *d, const struct raffle_update *p, struct raffle_item_result *r)
{
	struct slice changes, before;
	struct raffle old, new;
	int rc = need_raffle(d, p->id, &old);

	if (rc != 0)
		return rc;
	new = old;
	record_merge(record_raffle(), &new, &p->raffle, p->given_raffle);
	if (record_diff(record_raffle(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, game_raffle_updated, .id = p->id, .changes = changes, .before = before);
	get_raffle(d->state, p->id, &r->item);
	return 0;
}

int decide_game_enter_raffle(struct decision *d, const struct game_enter_raffle *p, struct game_enter_raffle_result *r)
{
	struct raffle raffle;
	struct user u;
	int rc = need_raffle(d, p->raffle_id, &raffle);

	if (rc == 0 && has_raffle_entry(d->state, (uint64_t)p->user_id, p->raffle_id))
		return err_exists(d->err, "entry", p->user_id);
	if (rc == 0)
		rc = need_user(d, p->user_id, &u);
	if (rc != 0)
		return rc;
	r->entry = (struct raffle_entry){ .raffle_id = p->raffle_id,
					  .user_id = p->user_id,
					  .position = raffle.last_position + 1,
					  .created_at = d->now };
	EMIT(d, game_raffle_entered, .entry = r->entry);
	return 0;
}

int decide_raffle_end(struct decision *d, const struct raffle_end *p, struct raffle_item_result *r)
{
	struct uid_ref winner = { p->winner_id };
	struct raffle_entry entry = { 0 };
	struct raffle old;
	bool draw = !p->has_winner_id, any;
	int rc = need_raffle(d, p->id, &old);

	if (rc != 0)
		return rc;
	if (draw && old.entry_count > 0)
		get_raffle_slot(d->state, p->id, 1 + draw_below(d, (uint64_t)old.entry_count), &winner);
	any = get_raffle_entry(d->state, (uint64_t)winner.id, p->id, &entry);
	if (!draw && !any)
		return err_missing(d->err, "entry", p->winner_id);
	EMIT(d, game_raffle_ended, .id = p->id, .has_winner_id = any, .winner_id = winner.id,
	     .has_winner_position = any, .winner_position = entry.position, .entry_count = old.entry_count,
	     .drawn = draw && any);
	get_raffle(d->state, p->id, &r->item);
	return 0;
}
