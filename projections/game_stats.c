#include "core/rules.h"
#include "projections/tally.h"

/* game.stats. */

enum { DAYS_DEFAULT = 30 };

/* ---- of a trivia ---- */

static void put_per_question(struct query *q, struct map_writer *w, uint64_t trivia_id)
{
	struct map_writer one;
	struct row_walk rows;
	struct key k;
	uint32_t n = 0;
	size_t head;

	map_key(w, "per_question");
	head = array_open(q->out);
	key_put_U64(key_begin(&k), trivia_id);
	row_walk_begin(&rows, q->state, T_question_by_trivia, &k, false);
	while (row_walk_next(&rows)) {
		struct question_counts c = { 0 };
		uint64_t id;

		if (!key_last_U64(rows.key, &id))
			continue;
		get_question_counts(q->state, id, &c);
		map_open(&one, q->out);
		map_uint(&one, "question_id", id);
		map_int(&one, "answers", c.answers);
		map_int(&one, "correct", c.correct);
		map_float(&one, "correct_rate", percent(c.correct, c.answers));
		map_close(&one);
		n++;
	}
	row_walk_end(&rows);
	array_close(q->out, head, n);
}

static int stats_of_trivia(struct query *q, uint64_t id)
{
	struct trivia_counts c = { 0 };
	struct map_writer w;
	struct trivia t;

	if (!find_trivia(q->state, id, &t))
		return err_missing(q->err, "trivia", (int64_t)id);
	get_trivia_counts(q->state, id, &c);
	map_open(&w, q->out);
	map_int(&w, "questions", t.question_count);
	map_int(&w, "attempts", t.attempts);
	map_int(&w, "finished", c.finished);
	map_int(&w, "users", c.users);
	map_int(&w, "passed", c.passed);
	map_float(&w, "pass_rate", percent(c.passed, c.finished));
	map_float(&w, "average_score", mean(c.score_sum, c.finished));
	map_int(&w, "max_score", c.max_score);
	map_points(&w, "points_paid", c.points_paid);
	put_per_question(q, &w, id);
	map_close(&w);
	return 0;
}

/* ---- of a user ---- */

static void put_trivia_part(struct query *q, const struct game_user *u)
{
	struct map_writer w;

	map_open(&w, q->out);
	map_int(&w, "attempts", u->attempts);
	map_int(&w, "finished", u->finished);
	map_int(&w, "passed", u->passed);
	map_int(&w, "answers", u->answers);
	map_int(&w, "correct", u->correct);
	map_float(&w, "correct_rate", percent(u->correct, u->answers));
	map_int(&w, "best_score", u->best_score);
	map_points(&w, "points", u->trivia_points);
	map_close(&w);
}

static void put_minigames_part(struct query *q, const struct game_user *u, int64_t user_id)
{
	struct map_writer w;
	struct key k;

	key_put_U64(key_begin(&k), (uint64_t)user_id);
	map_open(&w, q->out);
	map_int(&w, "plays", u->plays);
	map_int(&w, "free", u->free);
	map_int(&w, "paid", u->plays - u->free);
	map_points(&w, "spent", u->spent);
	map_points(&w, "won", u->won);
	map_points(&w, "net", u->won - u->spent);
	map_tally(q, &w, "by_type", T_play_user_type, &k);
	map_close(&w);
}

static void put_pair(struct query *q, const char *first, int64_t a, const char *second, int64_t b)
{
	struct map_writer w;

	map_open(&w, q->out);
	map_int(&w, first, a);
	map_int(&w, second, b);
	map_close(&w);
}

static int stats_of_user(struct query *q, int64_t id)
{
	struct game_user u = { 0 };
	struct map_writer w;
	struct user user;

	if (!find_user(q->state, id, &user))
		return err_missing(q->err, "user", id);
	get_game_user(q->state, (uint64_t)id, &u);
	map_open(&w, q->out);
	map_key(&w, "trivia");
	put_trivia_part(q, &u);
	map_key(&w, "minigames");
	put_minigames_part(q, &u, id);
	map_key(&w, "challenges");
	put_pair(q, "joined", u.challenges_joined, "completed", u.challenges_completed);
	map_key(&w, "raffles");
	put_pair(q, "entered", u.raffles_entered, "won", u.raffles_won);
	map_close(&w);
	return 0;
}

/* ---- of a type of minigame ---- */

static void put_sums(struct map_writer *w, const struct play_sums *s)
{
	map_int(w, "plays", s->plays);
	map_int(w, "free", s->free);
	map_int(w, "paid", s->plays - s->free);
	map_points(w, "spent", s->spent);
	map_points(w, "won", s->won);
	map_float(w, "average_score", mean(s->score_sum, s->scored));
}

struct type_days {
	struct slice game_type;
	struct play_sums sums;
	int64_t users; /* whose latest play falls into the window */
};

static void put_type_day(struct query *q, struct map_writer *w, int64_t day, void *arg)
{
	struct type_days *all = arg;
	struct play_type_day d = { 0 };

	get_play_type_day(q->state, all->game_type, (uint64_t)day, &d);
	play_sums_add(&all->sums, &d.sums);
	all->users += d.latest;
	put_sums(w, &d.sums);
	map_int(w, "users", d.users);
}

static int stats_of_type(struct query *q, const struct game_stats *p)
{
	struct type_days window = { .game_type = p->game_type };
	struct play_type type = { 0 };
	struct map_writer w;
	bool ever = get_play_type(q->state, p->game_type, &type);

	map_open(&w, q->out);
	put_per_day(q, &w, p->has_days ? p->days : DAYS_DEFAULT, put_type_day, &window);
	put_sums(&w, p->has_days ? &window.sums : &type.sums);
	map_int(&w, "users", p->has_days ? window.users : type.users);
	map_opt_int(&w, "last_used_at", ever, type.last_used_at);
	map_close(&w);
	return 0;
}

/* ---- of a challenge ---- */

static int stats_of_challenge(struct query *q, uint64_t id)
{
	struct challenge_counts counts = { 0 };
	struct challenge c;
	struct map_writer w;
	struct key k;

	if (!find_challenge(q->state, id, &c))
		return err_missing(q->err, "challenge", (int64_t)id);
	get_challenge_counts(q->state, id, &counts);
	key_put_U64(key_begin(&k), id);
	map_open(&w, q->out);
	map_int(&w, "participants", c.participants);
	map_int(&w, "completions", c.completions);
	map_float(&w, "completion_rate", percent(c.completions, c.participants));
	map_float(&w, "average_value", mean(counts.value_sum, c.participants));
	map_int(&w, "max_value", tally_end(q->state, T_challenge_value, &k, true));
	map_points(&w, "points_paid", counts.points_paid);
	map_close(&w);
	return 0;
}

/* ---- of all ---- */

/* Rows of an index (time, id) that are due: their timers are about to fire. */
static int64_t count_due(struct query *q, enum table_id table)
{
	struct row_walk rows;
	struct key all;
	int64_t n = 0;
	uint64_t at;

	row_walk_begin(&rows, q->state, table, key_begin(&all), false);
	while (row_walk_next(&rows) && key_take_U64(&rows.key, &at) && at <= (uint64_t)q->now)
		n++;
	row_walk_end(&rows);
	return n;
}

static int64_t active_promotions(struct query *q)
{
	static const char *const status[] = { "scheduled", "active" };
	int64_t n = 0;

	for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
		struct row_walk rows;
		struct key k;

		key_put_TEXT(key_begin(&k), slice_str(status[i]));
		row_walk_begin(&rows, q->state, T_promotion_by_status, &k, false);
		while (row_walk_next(&rows)) {
			struct promotion p;
			uint64_t id;

			n += key_last_U64(rows.key, &id) && get_promotion(q->state, id, &p) &&
			     slice_is(promotion_status(&p, q->now), "active");
		}
		row_walk_end(&rows);
	}
	return n;
}

/* What has a time: in the window, or (days 0) ever. */
static void put_happened(struct query *q, struct map_writer *w, const struct game_totals *t, int64_t days)
{
	struct game_day sum = { .attempts = (int64_t)t->last_attempt_id,
				.plays = (int64_t)t->last_play_id,
				.entries = t->entries,
				.points_paid = t->points_paid,
				.points_spent = t->points_spent };
	int64_t first, last;

	if (days > 0) {
		day_window(q, days, &first, &last);
		sum = (struct game_day){ 0 };
		q->examined += (uint64_t)(last - first + 1);
		for (int64_t day = first; day <= last; day++) {
			struct game_day d = { 0 };

			get_game_day(q->state, (uint64_t)day, &d);
			sum.attempts += d.attempts;
			sum.plays += d.plays;
			sum.entries += d.entries;
			sum.points_paid += d.points_paid;
			sum.points_spent += d.points_spent;
		}
	}
	map_int(w, "attempts", sum.attempts);
	map_int(w, "plays", sum.plays);
	map_int(w, "entries", sum.entries);
	map_points(w, "points_paid", sum.points_paid);
	map_points(w, "points_spent", sum.points_spent);
}

static int stats_of_all(struct query *q, int64_t days)
{
	int64_t opening = count_due(q, T_challenge_to_open), closing = count_due(q, T_challenge_to_close);
	struct game_totals t = { 0 };
	struct map_writer w, events;

	get_game_totals(q->state, 0, &t);
	map_open(&w, q->out);
	map_int(&w, "trivias", t.trivias);
	map_key(&w, "challenges");
	put_pair(q, "open", t.challenges_open + opening - closing, "closed", t.challenges_closed + closing);
	map_key(&w, "events");
	map_open(&events, q->out);
	map_int(&events, "active", active_promotions(q));
	map_close(&events);
	map_key(&w, "raffles");
	put_pair(q, "active", t.raffles_active, "ended", (int64_t)t.last_raffle_id - t.raffles_active);
	put_happened(q, &w, &t, days);
	map_int(&w, "point_multiplier", event_multiplier(q->state, q->now));
	map_close(&w);
	return 0;
}

int query_game_stats(struct query *q, const struct game_stats *p)
{
	int subjects = p->has_trivia_id + p->has_user_id + (p->game_type.base != NULL) + p->has_challenge_id;

	q->returned = 1;
	if (subjects > 1)
		return err_field(q->err,
				 p->has_challenge_id         ? "challenge_id"
				 : p->game_type.base != NULL ? "game_type"
							     : "user_id",
				 "at most one of trivia_id, user_id, game_type and challenge_id");
	if (p->has_days && subjects == 1 && p->game_type.base == NULL)
		return err_field(q->err, "days", "of a game_type, or of all");
	if (p->has_trivia_id)
		return stats_of_trivia(q, p->trivia_id);
	if (p->has_user_id)
		return stats_of_user(q, p->user_id);
	if (p->has_challenge_id)
		return stats_of_challenge(q, p->challenge_id);
	if (p->game_type.base != NULL)
		return stats_of_type(q, p);
	return stats_of_all(q, p->has_days ? p->days : 0);
}
