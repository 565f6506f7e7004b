#include "projections/fold.h"

#include "core/rules.h"
#include "core/text.h"

static const struct fold_table *const tables[N_PROJECTIONS] = {
	[PROJECTION_user] = &user_folds,
	[PROJECTION_point] = &point_folds,
	[PROJECTION_achievement] = &achievement_folds,
	[PROJECTION_mission] = &mission_folds,
	[PROJECTION_channel] = &channel_folds,
	[PROJECTION_narrative] = &narrative_folds,
	[PROJECTION_auction] = &auction_folds,
	[PROJECTION_game] = &game_folds,
	[PROJECTION_config] = &config_folds,
	[PROJECTION_log] = &log_folds,
};

/* One function per projection and type of event, so that folding looks nothing up. */
static void (*by_type[N_PROJECTIONS][N_EVENTS])(struct state *, const struct event *);

__attribute__((constructor)) static void index_folds(void)
{
	for (int p = 0; p < N_PROJECTIONS; p++)
		for (size_t i = 0; i < tables[p]->n; i++) {
			assert(by_type[p][tables[p]->folds[i].type] == NULL);
			by_type[p][tables[p]->folds[i].type] = tables[p]->folds[i].fn;
		}
}

void fold_event(struct state *s, const struct event *ev, unsigned projections)
{
	for (int p = 0; p < N_PROJECTIONS; p++) {
		if ((projections >> p & 1) == 0)
			continue;
		if (tables[p]->every != NULL)
			tables[p]->every(s, ev);
		if (by_type[p][ev->type] != NULL)
			by_type[p][ev->type](s, ev);
	}
}

/* ---- word indexes ---- */

static bool has_word(const struct words *w, struct slice word)
{
	for (size_t i = 0; i < w->n; i++)
		if (slice_eq(w->v[i], word))
			return true;
	return false;
}

static void word_key(struct key *k, struct slice word, const struct key *id)
{
	key_put_TEXT(key_begin(k), word);
	memcpy(k->bytes + k->len, id->bytes, id->len);
	k->len = (uint16_t)(k->len + id->len);
}

void move_words(struct state *s, enum table_id table, const struct key *id, const struct slice *old, size_t n_old,
		const struct slice *new, size_t n_new)
{
	struct words before = text_words(old, n_old, TEXT_WORDS_MAX, s->arena);
	struct words after = text_words(new, n_new, TEXT_WORDS_MAX, s->arena);
	struct key k;

	for (size_t i = 0; i < before.n; i++)
		if (!has_word(&after, before.v[i])) {
			word_key(&k, before.v[i], id);
			state_del(s, table, key_slice(&k));
		}
	for (size_t i = 0; i < after.n; i++)
		if (!has_word(&before, after.v[i])) {
			word_key(&k, after.v[i], id);
			state_put(s, table, key_slice(&k), SLICE_LIT(""));
		}
}

/* ---- ahead ---- */

enum { ROWS_PER_EVENT = 8 };
struct ahead {
	struct key keys[FOLD_AHEAD * ROWS_PER_EVENT];
	struct state_key rows[FOLD_AHEAD * ROWS_PER_EVENT];
	size_t n;
};

/* The key to fill in for one more row. blind: it is put or deleted without being read. */
static struct key *add_row(struct ahead *a, enum table_id table, bool blind)
{
	a->rows[a->n] = (struct state_key){ .table = table, .blind = blind };
	return &a->keys[a->n++];
}

/* Where a transaction leaves and enters the leaderboard. */
static void add_places(struct ahead *a, uint64_t id, int64_t before, int64_t after)
{
	key_board(add_row(a, T_board, true), before, id);
	key_board(add_row(a, T_board, true), after, id);
}

static void add_point_rows(struct ahead *a, const struct event *ev)
{
	const struct point_credited *credit = ev->data;
	const struct point_debited *debit = ev->data;

	if (ev->type == EV_point_credited)
		add_places(a, (uint64_t)credit->user_id, credit->balance_after - credit->amount, credit->balance_after);
	else if (ev->type == EV_point_debited)
		add_places(a, (uint64_t)debit->user_id, debit->balance_after + debit->amount, debit->balance_after);
}

/* Rows that are new with the user. */
static void add_user_rows(struct ahead *a, const struct user *u)
{
	uint64_t id = (uint64_t)u->id;

	key_user_stats(add_row(a, T_user_stats, true), id);
	key_user_by_role(add_row(a, T_user_by_role, true), u->role, id);
	key_user_by_admin(add_row(a, T_user_by_admin, true), u->is_admin, id);
	key_user_by_level(add_row(a, T_user_by_level, true), (uint64_t)u->level, id);
	key_user_by_created(add_row(a, T_user_by_created, true), (uint64_t)u->created_at, id);
}

static void add_rows(struct ahead *a, const struct event *ev, unsigned projections)
{
	bool is_user = event_defs[ev->type].stream == STREAM_user,
	     is_points = event_defs[ev->type].stream == STREAM_points;
	int64_t id;

	if ((!is_user && !is_points) || event_users(ev->type, ev->data, &id, 1) == 0)
		return;
	if (projections >> PROJECTION_log & 1)
		key_log_user_recent(add_row(a, T_log_user_recent, false), (uint64_t)id);
	if (is_user && projections >> PROJECTION_user & 1) {
		key_user(add_row(a, T_user, false), (uint64_t)id);
		if (ev->type == EV_user_created)
			add_user_rows(a, &((const struct user_created *)ev->data)->user);
	}
	if (!(projections >> PROJECTION_point & 1))
		return;
	key_balance(add_row(a, T_balance, false), (uint64_t)id);
	if (!is_points)
		return;
	key_point_user_day(add_row(a, T_point_user_day, false), (uint64_t)utc_day(ev->at), (uint64_t)id);
	add_point_rows(a, ev);
}

void fold_ahead(struct state *s, const struct event *events, size_t n, unsigned projections)
{
	struct ahead a;

	assert(n <= FOLD_AHEAD);
	a.n = 0;
	for (size_t i = 0; i < n; i++)
		add_rows(&a, &events[i], projections);
	for (size_t i = 0; i < a.n; i++)
		a.rows[i].key = key_slice(&a.keys[i]);
	if (a.n > 1)
		state_prefetch(s, a.rows, a.n);
}
