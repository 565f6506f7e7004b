/* Queries of the points ledger: balances, leaderboard, transactions, holds, levels, rewards, claims, statistics,
 * verification; and the walks of the log's index under them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rules.h"
#include "projections/log_index.h"
#include "tests/lib/json.h"
#include "tests/lib/pages.h"

static void given_points(struct world *w, int id, const char *amount)
{
	given(w, "point.award", "{user_id: %d, amount: %s}", id, amount);
}

/* ---- balances ---- */

static void equal_balances_share_a_rank(void **state)
{
	static const int ranks[] = { 2, 1, 2, 5, 2 };
	struct world *w = *state;

	given_points(w, 1, "20");
	given_points(w, 2, "30.5");
	given_points(w, 3, "20");
	given(w, "user.create", "{id: 4}");
	given_points(w, 5, "20");
	for (int id = 1; id <= 5; id++) {
		char params[32];

		snprintf(params, sizeof(params), "{id: %d}", id);
		answers(w, "point.get", params, "{rank: %d}", ranks[id - 1]);
	}
	given(w, "point.deduct", "{user_id: 2, amount: 10.5}");
	answers(w, "point.get", "{id: 2}", "{rank: 1, balance: 20}");
	answers(w, "point.get", "{id: 4, amount: 0}", "{rank: 5, sufficient: true}");
	answers(w, "point.get_many", "{ids: [4, 9, 2]}", "{items: [{id: 4, rank: 5}, {id: 2, rank: 1}], missing: [9]}");
	refused(w, ask(w, "point.get", "{id: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
	refused(w, ask(w, "point.get", "{kind: 'claim', id: 9}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	refused(w, ask(w, "point.get", "{id: 1, amount: -1}"), E_INVALID_ARGUMENT, "{field: 'amount'}");
}

static void a_balance_knows_the_way_to_the_next_level(void **state)
{
	struct world *w = *state;

	given(w, "server.install_defaults", "{parts: ['levels']}");
	given_points(w, 7, "625");
	answers(w, "point.get", "{id: 7}",
		"{level: 2, level_name: 'Aprendiz', next_level: 3, points_to_next: 375, level_progress: 0.25}");
	given_points(w, 7, "14000");
	answers(w, "point.get", "{id: 7}",
		"{level: 20, level_name: 'Cosmos', next_level: null, points_to_next: 0, level_progress: 1.0}");
	given(w, "point.delete", "{kind: 'level', id: 20}");
	answers(w, "point.get", "{id: 7}", "{level: 20, level_name: null, next_level: null, level_progress: 1.0}");
}

/* ---- leaderboard ---- */

static void given_board(struct world *w)
{
	static const char *const points[] = { "50", "70", "70", "10", "90", "70", "50", "0.001" };

	for (int i = 0; i < 8; i++)
		given_points(w, i + 1, points[i]);
	given(w, "user.create", "{id: 9}");
}

static void the_leaderboard_orders_by_balance_then_id(void **state)
{
	struct world *w = *state;

	given_board(w);
	assert_string_equal(listed(w, "point.leaderboard", "{}", "user_id"), "5 2 3 6 1 7 4 8");
	assert_string_equal(fields(w, "rank"), "1 2 2 2 5 5 7 8");
	assert_string_equal(listed(w, "point.leaderboard", "{min: 0}", "user_id"), "5 2 3 6 1 7 4 8 9");
	assert_string_equal(listed(w, "point.leaderboard", "{min: 0, order: 'asc'}", "user_id"), "9 8 4 7 1 6 3 2 5");
	assert_string_equal(listed(w, "point.leaderboard", "{order: 'asc'}", "user_id"), "8 4 7 1 6 3 2 5");
	assert_string_equal(listed(w, "point.leaderboard", "{min: 50}", "user_id"), "5 2 3 6 1 7");
	assert_string_equal(listed(w, "point.leaderboard", "{min: 50.001}", "user_id"), "5 2 3 6");
	assert_string_equal(listed(w, "point.leaderboard", "{max: 70}", "user_id"), "1 7 4 8");
	assert_string_equal(listed(w, "point.leaderboard", "{max: 70.001, min: 50}", "user_id"), "2 3 6 1 7");
	assert_string_equal(listed(w, "point.leaderboard", "{min: 0, max: 50, order: 'asc'}", "user_id"), "9 8 4");
	assert_string_equal(listed(w, "point.leaderboard", "{min: 0, max: 0}", "user_id"), "");
	assert_string_equal(listed(w, "point.leaderboard", "{min: 60, max: 50}", "user_id"), "");
	assert_string_equal(listed(w, "point.leaderboard", "{max: 0}", "user_id"), "");
	assert_string_equal(listed(w, "point.leaderboard", "{min: 4000000000000}", "user_id"), "");
	for (int limit = 1; limit <= 9; limit++) {
		assert_string_equal(paged(w, "point.leaderboard", "{min: 0}", "user_id", limit), "5 2 3 6 1 7 4 8 9");
		assert_string_equal(paged(w, "point.leaderboard", "{min: 0, order: 'asc'}", "user_id", limit),
				    "9 8 4 7 1 6 3 2 5");
	}
}

static void from_rank_jumps_to_a_place(void **state)
{
	static const char *const starts[] = { "5", "2", "2", "2", "1", "1", "4", "8", "9" };
	struct world *w = *state;

	given_board(w);
	for (int rank = 1; rank <= 9; rank++) {
		assert_int_equal(ask(w, "point.leaderboard", "{min: 0, from_rank: %d, limit: 1}", rank), 0);
		assert_string_equal(fields(w, "user_id"), starts[rank - 1]);
	}
	assert_string_equal(listed(w, "point.leaderboard", "{from_rank: 10}", "user_id"), "");
	assert_string_equal(listed(w, "point.leaderboard", "{from_rank: 9}", "user_id"),
			    ""); /* zero points, min above */
	assert_string_equal(paged(w, "point.leaderboard", "{from_rank: 3}", "user_id", 2), "2 3 6 1 7 4 8");
	assert_string_equal(listed(w, "point.leaderboard", "{from_rank: 1, max: 60}", "user_id"), "1 7 4 8");
	assert_string_equal(listed(w, "point.leaderboard", "{from_rank: 7, max: 60}", "user_id"), "4 8");
	refused(w, ask(w, "point.leaderboard", "{from_rank: 1, order: 'asc'}"), E_INVALID_ARGUMENT,
		"{field: 'from_rank'}");
	refused(w, ask(w, "point.leaderboard", "{from_rank: 0}"), E_INVALID_ARGUMENT, "{field: 'from_rank'}");
}

static void a_jump_goes_on_though_users_leave(void **state)
{
	struct world *w = *state;
	char *next;

	given_board(w);
	assert_int_equal(ask(w, "point.leaderboard", "{from_rank: 7, limit: 1}"), 0);
	assert_string_equal(fields(w, "user_id"), "4");
	next = strdup(cursor(w));
	for (int id = 1; id <= 3; id++)
		given(w, "user.delete", "{id: %d}", id);
	assert_int_equal(ask(w, "point.leaderboard", "{from_rank: 7, limit: 1, after: '%s'}", next), 0);
	assert_string_equal(fields(w, "user_id"), "8");
	free(next);
}

static void the_leaderboard_shows_who_it_is(void **state)
{
	struct world *w = *state;

	given(w, "server.install_defaults", "{parts: ['levels']}");
	given(w, "user.create", "{id: 7, first_name: 'Ana', username: 'ana'}");
	given(w, "user.record_activity", "{user_id: 7, action: 'message'}");
	given(w, "user.checkin", "{user_id: 7}");
	given_points(w, 7, "600");
	answers(w, "point.leaderboard", "{}",
		"{items: [{rank: 1, user_id: 7, username: 'ana', first_name: 'Ana', balance: 611, level: 2, "
		"messages_sent: 1,"
		" checkin_streak: 1}], next: null}");
}

static void a_cursor_of_the_board_stays_while_balances_change(void **state)
{
	struct world *w = *state;
	char *next;

	given_board(w);
	assert_int_equal(ask(w, "point.leaderboard", "{limit: 3}"), 0);
	assert_string_equal(fields(w, "user_id"), "5 2 3");
	next = strdup(cursor(w));
	given(w, "point.deduct", "{user_id: 3, amount: 69}"); /* the entry that the cursor stands on moves away */
	given_points(w, 20, "80");
	given_points(w, 21, "60");
	assert_int_equal(ask(w, "point.leaderboard", "{limit: 100, after: '%s'}", next), 0);
	assert_string_equal(fields(w, "user_id"), "6 21 1 7 4 3 8");
	refused(w, ask(w, "point.leaderboard", "{min: 0, after: '%s'}", next), E_INVALID_ARGUMENT, "{field: 'after'}");
	refused(w, ask(w, "point.leaderboard", "{order: 'asc', after: '%s'}", next), E_INVALID_ARGUMENT,
		"{field: 'after'}");
	free(next);
}

/* ---- transactions ---- */

static void given_transactions(struct world *w)
{
	for (int i = 1; i <= 40; i++, w->now += HOUR) {
		given(w, "point.award", "{user_id: %d, amount: %d, source: '%s'}", i % 2 + 1, i,
		      i % 3 ? "quiz" : "shop");
		if (i % 4 == 0)
			given(w, "point.deduct", "{user_id: %d, amount: %d.5}", i % 2 + 1, i / 4);
		if (i % 5 == 0)
			given(w, "user.update", "{id: %d, menu_state: 'm%d'}", i % 2 + 1, i);
	}
}

static void a_transaction_is_its_event(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 7, amount: 10, source: 'quiz'}");
	w->now += SECOND;
	given(w, "point.deduct", "{user_id: 7, amount: 2.5}");
	answers(w, "point.get", "{kind: 'transaction', id: 3}",
		"{id: 3, user_id: 7, amount: -2.5, balance_after: 7.5, source: 'manual', created_at: %lld}",
		(long long)w->now);
	answers(w, "point.get", "{kind: 'transaction', id: 2}",
		"{amount: 10, base: 10, multiplier: 1, source: 'quiz'}");
	refused(w, ask(w, "point.get", "{kind: 'transaction', id: 1}"), E_NOT_FOUND, "{kind: 'transaction', id: 1}");
	refused(w, ask(w, "point.get", "{kind: 'transaction', id: 4}"), E_NOT_FOUND, "{kind: 'transaction', id: 4}");
	refused(w, ask(w, "point.get", "{kind: 'transaction', id: 0}"), E_NOT_FOUND, "{}");
}

/* What a list of transactions should be: every event of the log, tested one by one. */
static const char *expected(struct world *w, int64_t user, const char *source, int64_t min, int64_t max, int64_t from,
			    int64_t to, bool asc)
{
	static char text[65536];
	size_t n = 0;

	text[0] = '\0';
	for (uint64_t i = 0; i < w->head; i++) {
		struct stored *stored = &w->log[asc ? i : w->head - 1 - i];
		struct envelope env;
		struct event ev;
		struct transaction t;

		assert_true(event_from_stored(slice_of(stored->bytes, stored->len), &w->arena, &ev, &env));
		if (transaction_of(&ev, &t) && (user == 0 || t.user_id == user) &&
		    (!source || slice_is(t.source, source)) && t.amount >= min && t.amount <= max &&
		    t.created_at >= from && t.created_at < to)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%g", n ? " " : "", (double)t.id);
	}
	arena_reset(&w->arena);
	return text;
}

static void transactions_are_filtered_and_paged_both_ways(void **state)
{
	static const struct {
		int user;
		const char *source;
		int min, max; /* points; 0, 0: any */
		int from, to; /* hours; 0: open */
	} cases[] = {
		{ 0, NULL, 0, 0, 0, 0 },     { 1, NULL, 0, 0, 0, 0 },   { 2, NULL, 0, 0, 0, 0 },
		{ 3, NULL, 0, 0, 0, 0 },     { 0, "shop", 0, 0, 0, 0 }, { 1, "shop", 0, 0, 0, 0 },
		{ 1, "none", 0, 0, 0, 0 },   { 0, NULL, 5, 9, 0, 0 },   { 1, NULL, -6, -2, 0, 0 },
		{ 0, NULL, -99, -1, 0, 0 },  { 0, NULL, 0, 0, 10, 20 }, { 1, NULL, 0, 0, 10, 20 },
		{ 2, "quiz", 3, 30, 5, 35 }, { 0, NULL, 0, 0, 39, 0 },  { 0, NULL, 0, 0, 0, 1 },
		{ 1, NULL, 0, 0, 45, 50 },   { 1, NULL, 0, 0, 20, 20 }, { 2, "manual", 0, 0, 0, 0 },
	};
	struct world *w = *state;

	given_transactions(w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int asc = 0; asc < 2; asc++) {
			bool amounts = cases[i].min != 0 || cases[i].max != 0;
			char params[400];
			int n = snprintf(params, sizeof(params), "{kind: 'transaction', order: '%s'",
					 asc ? "asc" : "desc");
			char *want = strdup(expected(w, cases[i].user, cases[i].source,
						     amounts ? cases[i].min * POINTS_SCALE : INT64_MIN,
						     amounts ? cases[i].max * POINTS_SCALE : INT64_MAX,
						     cases[i].from ? WORLD_NOW + cases[i].from * HOUR : INT64_MIN,
						     cases[i].to ? WORLD_NOW + cases[i].to * HOUR : INT64_MAX, asc));

			if (cases[i].user != 0)
				n += snprintf(params + n, sizeof(params) - (size_t)n, ", user_id: %d", cases[i].user);
			if (cases[i].source != NULL)
				n += snprintf(params + n, sizeof(params) - (size_t)n, ", source: '%s'",
					      cases[i].source);
			if (amounts)
				n += snprintf(params + n, sizeof(params) - (size_t)n,
					      ", min_amount: %d, max_amount: %d", cases[i].min, cases[i].max);
			if (cases[i].from != 0)
				n += snprintf(params + n, sizeof(params) - (size_t)n, ", from_at: %lld",
					      (long long)(WORLD_NOW + cases[i].from * HOUR));
			if (cases[i].to != 0)
				n += snprintf(params + n, sizeof(params) - (size_t)n, ", to_at: %lld",
					      (long long)(WORLD_NOW + cases[i].to * HOUR));
			snprintf(params + n, sizeof(params) - (size_t)n, "}");
			assert_string_equal(paged(w, "point.list", params, "id", 1000), want);
			assert_string_equal(paged(w, "point.list", params, "id", 1), want);
			assert_string_equal(paged(w, "point.list", params, "id", 7), want);
			free(want);
		}
	}
}

static void transactions_of_the_last_days(void **state)
{
	struct world *w = *state;

	given_transactions(w);
	assert_int_equal(ask(w, "point.list", "{kind: 'transaction', days: 1}"), 0);
	assert_string_equal(fields(w, "id"),
			    expected(w, 0, NULL, INT64_MIN, INT64_MAX, w->now - DAY, INT64_MAX, false));
	refused(w, ask(w, "point.list", "{kind: 'transaction', days: 1, from_at: 1}"), E_INVALID_ARGUMENT,
		"{field: 'days'}");
	assert_string_equal(listed(w, "point.list", "{kind: 'transaction', from_at: 253402300799999}", "id"), "");
	assert_string_equal(listed(w, "point.list", "{kind: 'transaction', to_at: 1}", "id"), "");
	assert_string_equal(listed(w, "point.list", "{kind: 'transaction', user_id: 99}", "id"), "");
}

static void the_log_may_be_empty(void **state)
{
	struct world *w = *state;

	assert_string_equal(listed(w, "point.list", "{kind: 'transaction'}", "id"), "");
	assert_string_equal(listed(w, "point.list", "{kind: 'transaction', order: 'asc', days: 3}", "id"), "");
	assert_string_equal(listed(w, "point.list", "{kind: 'transaction', user_id: 1}", "id"), "");
	answers(w, "point.stats", "{}", "{users: 0, average_points: 0.0, max_points: 0, min_points: 0, by_source: {}}");
	answers(w, "point.verify", "{}", "{ok: true, users: 0, mismatches: []}");
}

static void new_transactions_do_not_disturb_a_walk(void **state)
{
	struct world *w = *state;
	char *want, *next;

	given_transactions(w);
	want = strdup(expected(w, 1, NULL, INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX, false));
	assert_int_equal(ask(w, "point.list", "{kind: 'transaction', user_id: 1, limit: 5}"), 0);
	next = strdup(cursor(w));
	given(w, "point.award", "{user_id: 1, amount: 1}");
	assert_int_equal(ask(w, "point.list", "{kind: 'transaction', user_id: 1, limit: 1000, after: '%s'}", next), 0);
	assert_string_equal(fields(w, "id"), want + strlen(want) - strlen(fields(w, "id")));
	refused(w, ask(w, "point.list", "{kind: 'transaction', user_id: 2, after: '%s'}", next), E_INVALID_ARGUMENT,
		"{field: 'after'}");
	refused(w, ask(w, "point.list", "{kind: 'transaction', user_id: 1, order: 'asc', after: '%s'}", next),
		E_INVALID_ARGUMENT, "{field: 'after'}");
	free(want);
	free(next);
}

static void a_walk_that_examines_too_much_is_short(void **state)
{
	struct world *w = *state;
	char *next;

	given(w, "point.award", "{user_id: 7, amount: 1, source: 'rare'}");
	for (int i = 0; i < 10100; i++)
		given(w, "point.award", "{user_id: 7, amount: 1}");
	for (int by_user = 0; by_user < 2; by_user++) {
		const char *user = by_user ? "user_id: 7, " : "";

		assert_int_equal(ask(w, "point.list", "{%s kind: 'transaction', source: 'rare'}", user), 0);
		assert_string_equal(fields(w, "id"), "");
		assert_non_null(cursor(w));
		assert_in_range(w->examined, 10000, 10001);
		next = strdup(cursor(w));
		assert_int_equal(
			ask(w, "point.list", "{%s kind: 'transaction', source: 'rare', after: '%s'}", user, next), 0);
		assert_string_equal(fields(w, "id"), "2");
		assert_null(cursor(w));
		free(next);
	}
}

/* ---- the log's index ---- */

static void check_walk(struct world *w, uint64_t user, struct slice stream, const uint64_t *seqs, size_t n)
{
	for (int backward = 0; backward < 2; backward++) {
		struct postings_walk walk = {
			.state = w->state, .user_id = user, .stream = stream, .backward = backward
		};
		uint64_t seq = backward ? w->head : 1;

		for (size_t i = 0; i < n; i++) {
			uint64_t want = seqs[backward ? n - 1 - i : i];

			seq = postings_next(&walk, seq);
			assert_int_equal(seq, want);
			seq += backward ? -1 : 1;
		}
		if (seq >= 1 && seq <= w->head)
			assert_int_equal(postings_next(&walk, seq), 0);
		/* from anywhere */
		for (seq = 1; seq <= w->head; seq++) {
			struct postings_walk fresh = {
				.state = w->state, .user_id = user, .stream = stream, .backward = backward
			};
			uint64_t want = 0;

			for (size_t i = 0; i < n; i++) {
				if (backward && seqs[i] <= seq)
					want = seqs[i];
				if (!backward && seqs[n - 1 - i] >= seq)
					want = seqs[n - 1 - i];
			}
			assert_int_equal(postings_next(&fresh, seq), want);
		}
	}
}

static void walks_go_over_many_runs_both_ways(void **state)
{
	struct world *w = *state;
	uint64_t of_user[3][512], of_stream[512];
	size_t n[3] = { 0 }, n_stream = 0;

	for (int i = 1; i <= 300; i++) {
		int user = i % 7 == 0 ? 2 : i % 5 == 0 ? 1 : 0;
		uint64_t before = w->head;

		if (i % 11 == 0) {
			given(w, "config.set", "{entries: {key: %d}}", i);
			of_stream[n_stream++] = w->head;
			continue;
		}
		given(w, "point.award", "{user_id: %d, amount: 1}", 100 + user);
		for (uint64_t seq = before + 1; seq <= w->head; seq++)
			of_user[user][n[user]++] = seq;
		if (n[user] == POSTINGS_RUN || i % 50 == 0)
			for (int u = 0; u < 3; u++)
				check_walk(w, 100 + (uint64_t)u, SLICE_NULL, of_user[u], n[u]);
	}
	assert_true(n[0] > 5 * POSTINGS_RUN && n[2] > POSTINGS_RUN);
	for (int u = 0; u < 3; u++)
		check_walk(w, 100 + (uint64_t)u, SLICE_NULL, of_user[u], n[u]);
	check_walk(w, 0, SLICE_LIT("config:key"), of_stream, n_stream);
	check_walk(w, 55, SLICE_NULL, NULL, 0);
	check_walk(w, 0, SLICE_LIT("config:ke"), NULL, 0);
}

static void an_event_is_found_by_each_of_its_users(void **state)
{
	struct world *w = *state;

	given(w, "point.award", "{user_id: 1, amount: 5}");
	given(w, "point.transfer", "{from_user_id: 1, to_user_id: 2, amount: 5}");
	check_walk(w, 1, SLICE_NULL, (const uint64_t[]){ 1, 2, 4, 5 }, 4);
	check_walk(w, 2, SLICE_NULL, (const uint64_t[]){ 3, 4, 5 }, 3);
}

static void streams_of_users_are_told_apart(void **state)
{
	static const struct {
		const char *stream;
		int64_t user; /* 0: none */
	} cases[] = { { "user:7", 7 },
		      { "points:9223372036854775807", INT64_MAX },
		      { "points:9223372036854775808", 0 },
		      { "user:", 0 },
		      { "user:7x", 0 },
		      { "user:-7", 0 },
		      { "level:7", 0 },
		      { "config:user:7", 0 },
		      { "", 0 },
		      { "users:7", 0 },
		      { "user:99999999999999999999", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t user = 0;

		assert_int_equal(stream_user(slice_str(cases[i].stream), &user), cases[i].user != 0);
		if (cases[i].user != 0)
			assert_int_equal(user, cases[i].user);
	}
}

static void keys_are_remembered_for_a_month_or_two(void **state)
{
	struct world *w = *state;
	int64_t period = (WORLD_NOW / DAY / 30 + 1) * 30 * DAY; /* the start of one */

	w->now = period;
	given(w, "point.award", "{user_id: 7, amount: 1, idempotency_key: 'a'}");
	given(w, "point.award", "{user_id: 7, amount: 1, idempotency_key: 'b'}");
	given(w, "point.award", "{user_id: 7, amount: 1, idempotency_key: 'c'}");
	assert_int_equal(log_key_seq(w->state, SLICE_LIT("a"), w->now), 1);
	assert_int_equal(log_key_seq(w->state, SLICE_LIT("b"), w->now + 60 * DAY - 1), 3);
	assert_int_equal(log_key_seq(w->state, SLICE_LIT("b"), w->now + 60 * DAY), 0);
	assert_int_equal(log_key_seq(w->state, SLICE_LIT("z"), w->now), 0);
	w->now = period + 30 * DAY;
	given(w, "point.award", "{user_id: 7, amount: 1, idempotency_key: 'd'}");
	assert_int_equal(log_key_seq(w->state, SLICE_LIT("a"), w->now), 1);
	w->now = period + 60 * DAY;
	given(w, "point.award", "{user_id: 7, amount: 1, idempotency_key: 'e'}");
	/* two of the old ones went with it, the third goes with the next */
	assert_false(has_log_key(w->state, (uint64_t)(period / DAY / 30), SLICE_LIT("a")));
	assert_false(has_log_key(w->state, (uint64_t)(period / DAY / 30), SLICE_LIT("b")));
	assert_true(has_log_key(w->state, (uint64_t)(period / DAY / 30), SLICE_LIT("c")));
	given(w, "point.award", "{user_id: 7, amount: 1, idempotency_key: 'f'}");
	assert_false(has_log_key(w->state, (uint64_t)(period / DAY / 30), SLICE_LIT("c")));
	assert_int_equal(log_key_seq(w->state, SLICE_LIT("d"), w->now), 5);
}

/* ---- holds, levels, rewards, claims ---- */

static void holds_are_listed_by_user_or_auction(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given_points(w, 1, "100");
	given_points(w, 2, "100");
	for (uint64_t id = 1; id <= 6; id++) {
		d = commit_begin(w);
		EMIT(d, point_held,
		     .hold = { .id = id,
			       .user_id = (int64_t)(id % 2 + 1),
			       .amount = 1000,
			       .reason = SLICE_LIT("auction"),
			       .auction_id = id % 3 + 1,
			       .bid_id = id,
			       .status = SLICE_LIT("held"),
			       .created_at = w->now },
		     .held_after = (int64_t)(id + 1) / 2 * 1000);
		commit_end(w);
	}
	d = commit_begin(w);
	EMIT(d, point_released, .hold_id = 3, .user_id = 2, .amount = 1000, .held_after = 2000,
	     .reason = SLICE_LIT("outbid"));
	commit_end(w);
	assert_string_equal(listed(w, "point.list", "{kind: 'hold', user_id: 2}", "id"), "5 1");
	assert_string_equal(listed(w, "point.list", "{kind: 'hold', user_id: 2, order: 'asc'}", "id"), "1 5");
	assert_string_equal(listed(w, "point.list", "{kind: 'hold', user_id: 2, status: 'released'}", "id"), "3");
	assert_string_equal(listed(w, "point.list", "{kind: 'hold', user_id: 1}", "id"), "6 4 2");
	assert_string_equal(listed(w, "point.list", "{kind: 'hold', auction_id: 1}", "id"), "6");
	assert_string_equal(listed(w, "point.list", "{kind: 'hold', auction_id: 1, status: 'any'}", "id"), "6 3");
	assert_string_equal(listed(w, "point.list", "{kind: 'hold', auction_id: 1, status: 'any', user_id: 2}", "id"),
			    "3");
	assert_string_equal(listed(w, "point.list", "{kind: 'hold', auction_id: 9}", "id"), "");
	assert_string_equal(paged(w, "point.list", "{kind: 'hold', user_id: 1}", "id", 1), "6 4 2");
	refused(w, ask(w, "point.list", "{kind: 'hold'}"), E_INVALID_ARGUMENT, "{field: 'user_id'}");
	refused(w, ask(w, "point.list", "{kind: 'hold', user_id: 1, status: 'open'}"), E_INVALID_ARGUMENT,
		"{field: 'status'}");
}

static void levels_are_listed_by_number(void **state)
{
	struct world *w = *state;

	given(w, "point.create", "{kind: 'level', id: 10, name: 'Ten', min_points: 10}");
	given(w, "point.create", "{kind: 'level', id: 2, name: 'Two', min_points: 2}");
	given(w, "point.create", "{kind: 'level', id: 7, name: 'Seven', min_points: 7}");
	given(w, "point.create", "{kind: 'level', id: 300, name: 'Many', min_points: 300}");
	given(w, "point.delete", "{kind: 'level', id: 7}");
	assert_string_equal(listed(w, "point.list", "{kind: 'level'}", "id"), "2 10 300");
	assert_string_equal(listed(w, "point.list", "{kind: 'level', order: 'desc'}", "id"), "300 10 2");
	assert_string_equal(paged(w, "point.list", "{kind: 'level'}", "id", 1), "2 10 300");
	answers(w, "point.get", "{kind: 'level', id: 2}", "{id: 2, name: 'Two', min_points: 2, version: 1}");
	refused(w, ask(w, "point.get", "{kind: 'level', id: 7}"), E_NOT_FOUND, "{kind: 'level', id: 7}");
}

static void rewards_are_listed_by_required_points(void **state)
{
	struct world *w = *state;

	given(w, "point.create", "{kind: 'reward', title: 'A', required_points: 30, reward_type: 'x'}");
	given(w, "point.create", "{kind: 'reward', title: 'B', required_points: 10}");
	given(w, "point.create",
	      "{kind: 'reward', title: 'C', required_points: 20, is_active: false, reward_type: 'x'}");
	given(w, "point.create", "{kind: 'reward', title: 'D', required_points: 10.5}");
	given(w, "point.create", "{kind: 'reward', title: 'E', required_points: 10}");
	given(w, "point.create", "{kind: 'reward', title: 'F', required_points: 1}");
	given(w, "point.delete", "{kind: 'reward', id: 6}");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward'}", "id"), "2 5 4 3 1");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', order: 'desc'}", "id"), "1 3 4 5 2");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', is_active: true}", "id"), "2 5 4 1");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', is_active: false}", "id"), "3");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', reward_type: 'x'}", "id"), "3 1");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', max_required: 10}", "id"), "2 5");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', max_required: 20, order: 'desc'}", "id"),
			    "3 4 5 2");
	assert_string_equal(paged(w, "point.list", "{kind: 'reward'}", "id", 2), "2 5 4 3 1");
	given(w, "point.update", "{kind: 'reward', id: 2, required_points: 40, is_active: false}");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward'}", "id"), "5 4 3 1 2");

	given_points(w, 7, "15");
	given(w, "point.claim_reward", "{user_id: 7, reward_id: 4}");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', user_id: 7, state: 'claimable'}", "id"), "5");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', user_id: 7, state: 'claimed'}", "id"), "4");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', user_id: 7, state: 'locked'}", "id"), "3 1 2");
	assert_string_equal(listed(w, "point.list", "{kind: 'reward', user_id: 99, state: 'locked'}", "id"),
			    "5 4 3 1 2");
	answers(w, "point.list", "{kind: 'reward', user_id: 7, max_required: 11}",
		"{items: [{id: 5, user: {claimed_at: null, claimable: true}}, {id: 4, user: {claimed_at: %lld, "
		"claimable: false}}]}",
		(long long)w->now);
	refused(w, ask(w, "point.list", "{kind: 'reward', state: 'claimed'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
	answers(w, "point.get", "{kind: 'reward', id: 1}", "{title: 'A', required_points: 30}");
	assert_null(json_object_get(w->result, "user"));
	refused(w, ask(w, "point.get", "{kind: 'reward', id: 6}"), E_NOT_FOUND, "{kind: 'reward', id: 6}");
}

static void claims_are_listed_by_user_or_reward(void **state)
{
	struct world *w = *state;

	for (int r = 1; r <= 3; r++)
		given(w, "point.create", "{kind: 'reward', title: '%d', required_points: 0}", r);
	for (int u = 1; u <= 3; u++)
		given(w, "user.create", "{id: %d}", u);
	for (int i = 0; i < 9; i++, w->now += 12 * HOUR)
		given(w, "point.claim_reward", "{user_id: %d, reward_id: %d}", i % 3 + 1, (i / 3 + i) % 3 + 1);
	assert_string_equal(listed(w, "point.list", "{kind: 'claim', user_id: 1}", "reward_id"), "3 2 1");
	assert_string_equal(listed(w, "point.list", "{kind: 'claim', user_id: 1, order: 'asc'}", "reward_id"), "1 2 3");
	assert_string_equal(listed(w, "point.list", "{kind: 'claim', reward_id: 1}", "user_id"), "2 3 1");
	assert_string_equal(listed(w, "point.list", "{kind: 'claim', reward_id: 2, user_id: 1}", "reward_id"), "2");
	assert_string_equal(listed(w, "point.list", "{kind: 'claim', user_id: 1, days: 2}", "reward_id"), "3");
	assert_string_equal(listed(w, "point.list", "{kind: 'claim', user_id: 1, days: 4, order: 'asc'}", "reward_id"),
			    "2 3");
	assert_string_equal(paged(w, "point.list", "{kind: 'claim', user_id: 1}", "reward_id", 1), "3 2 1");
	assert_string_equal(
		paged(w, "point.list", "{kind: 'claim', reward_id: 1, days: 30, order: 'asc'}", "user_id", 1), "1 3 2");
	refused(w, ask(w, "point.list", "{kind: 'claim'}"), E_INVALID_ARGUMENT, "{field: 'user_id'}");
}

/* ---- statistics ---- */

static void statistics_of_the_ledger(void **state)
{
	struct world *w = *state;

	given_points(w, 1, "10");
	given(w, "point.award", "{user_id: 2, amount: 5.5, source: 'quiz'}");
	given(w, "point.deduct", "{user_id: 1, amount: 3, source: 'quiz'}");
	given(w, "user.create", "{id: 3}");
	answers(w, "point.stats", "{}",
		"{users: 3, users_with_points: 2, total_points: 12.5, held_points: 0, average_points: %.17g, "
		"max_points: 7,"
		" min_points: 0, transactions: 3, total_earned: 15.5, total_spent: 3, holds_open: 0,"
		" by_source: {manual: {count: 1, earned: 10, spent: 0}, quiz: {count: 2, earned: 5.5, spent: 3}}}",
		12.5 / 3);
}

static void statistics_of_days(void **state)
{
	struct world *w = *state;
	long long today = WORLD_NOW / DAY * DAY;

	given_points(w, 1, "10");
	given_points(w, 1, "1");
	given_points(w, 2, "2");
	w->now += DAY;
	given_points(w, 1, "3");
	answers(w, "point.stats", "{days: 2}",
		"{transactions: 4, earned: 16, spent: 0, net: 16, active_users: 2, per_day:"
		" [{day_at: %lld, transactions: 3, earned: 13, net: 13, active_users: 2},"
		" {day_at: %lld, transactions: 1, earned: 3, active_users: 1}]}",
		today, today + DAY);
	answers(w, "point.stats", "{days: 1}", "{transactions: 1, earned: 3, active_users: 1}");
	w->now += DAY;
	answers(w, "point.stats", "{days: 2}", "{transactions: 1, active_users: 1, per_day: [{}, {transactions: 0}]}");
	answers(w, "point.stats", "{days: 366}", "{active_users: 2}");
}

static void statistics_of_one_day(void **state)
{
	struct world *w = *state;
	long long today = WORLD_NOW / DAY * DAY;
	char params[64];

	given_points(w, 1, "10");
	given(w, "point.deduct", "{user_id: 1, amount: 4}");
	given_points(w, 2, "10");
	snprintf(params, sizeof(params), "{day_at: %lld}", today + 5);
	answers(w, "point.stats", params,
		"{day_at: %lld, transactions: 3, active_users: 2, earned: 20, spent: 4, net: 16}", today);
	answers(w, "point.stats", "{day_at: 0}",
		"{day_at: 0, transactions: 0, active_users: 0, earned: 0, spent: 0, net: 0}");
	refused(w, ask(w, "point.stats", "{day_at: 0, days: 1}"), E_INVALID_ARGUMENT, "{field: 'day_at'}");
	refused(w, ask(w, "point.stats", "{days: 0}"), E_INVALID_ARGUMENT, "{field: 'days'}");
}

static void statistics_of_a_user(void **state)
{
	struct world *w = *state;
	long long today = WORLD_NOW / DAY * DAY;

	given_points(w, 1, "10");
	given_points(w, 1, "2.5");
	given_points(w, 2, "99");
	w->now += DAY;
	given(w, "point.deduct", "{user_id: 1, amount: 4}");
	answers(w, "point.stats", "{user_id: 1, days: 3}",
		"{user_id: 1, days: 3, balance: 8.5, transactions: 3, earned: 12.5, spent: 4, net: 8.5, "
		"average_earning: 6.25,"
		" active_days: 2, per_day: [{day_at: %lld, transactions: 0}, {transactions: 2, earned: 12.5},"
		" {transactions: 1, spent: 4, net: -4}]}",
		today - DAY);
	answers(w, "point.stats", "{user_id: 1}", "{days: 30, active_days: 2}");
	answers(w, "point.stats", "{user_id: 1, days: 1}", "{average_earning: 0.0, earned: 0}");
	refused(w, ask(w, "point.stats", "{user_id: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
}

static void a_deleted_user_leaves_the_days_in_order(void **state)
{
	struct world *w = *state;

	given_points(w, 1, "10");
	given_points(w, 2, "10");
	given(w, "user.delete", "{id: 1}");
	answers(w, "point.stats", "{days: 1}", "{active_users: 1, earned: 20, spent: 10}");
	given_points(w, 1, "5");
	answers(w, "point.stats", "{days: 1}", "{active_users: 2, per_day: [{active_users: 2}]}");
	answers(w, "point.verify", "{user_id: 1}", "{ok: true, transactions: 1, computed: 5}");
	answers(w, "point.verify", "{}", "{ok: true, users: 2, mismatches: []}");
}

/* ---- verify ---- */

static void the_books_of_a_user_are_walked(void **state)
{
	struct world *w = *state;

	given_transactions(w);
	given(w, "point.transfer", "{from_user_id: 1, to_user_id: 2, amount: 3}");
	answers(w, "point.verify", "{user_id: 1}",
		"{ok: true, first_bad_id: null, held: 0, computed_held: 0, seq: %llu}", (unsigned long long)w->head);
	assert_true(json_equal(json_object_get(w->result, "balance"), json_object_get(w->result, "computed")));
	answers(w, "point.verify", "{}", "{ok: true, users: 2, seq: %llu}", (unsigned long long)w->head);
	refused(w, ask(w, "point.verify", "{user_id: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(equal_balances_share_a_rank),
		WORLD_TEST(a_balance_knows_the_way_to_the_next_level),
		WORLD_TEST(the_leaderboard_orders_by_balance_then_id),
		WORLD_TEST(from_rank_jumps_to_a_place),
		WORLD_TEST(a_jump_goes_on_though_users_leave),
		WORLD_TEST(the_leaderboard_shows_who_it_is),
		WORLD_TEST(a_cursor_of_the_board_stays_while_balances_change),
		WORLD_TEST(a_transaction_is_its_event),
		WORLD_TEST(transactions_are_filtered_and_paged_both_ways),
		WORLD_TEST(transactions_of_the_last_days),
		WORLD_TEST(the_log_may_be_empty),
		WORLD_TEST(new_transactions_do_not_disturb_a_walk),
		WORLD_TEST(a_walk_that_examines_too_much_is_short),
		WORLD_TEST(walks_go_over_many_runs_both_ways),
		WORLD_TEST(an_event_is_found_by_each_of_its_users),
		cmocka_unit_test(streams_of_users_are_told_apart),
		WORLD_TEST(keys_are_remembered_for_a_month_or_two),
		WORLD_TEST(holds_are_listed_by_user_or_auction),
		WORLD_TEST(levels_are_listed_by_number),
		WORLD_TEST(rewards_are_listed_by_required_points),
		WORLD_TEST(claims_are_listed_by_user_or_reward),
		WORLD_TEST(statistics_of_the_ledger),
		WORLD_TEST(statistics_of_days),
		WORLD_TEST(statistics_of_one_day),
		WORLD_TEST(statistics_of_a_user),
		WORLD_TEST(a_deleted_user_leaves_the_days_in_order),
		WORLD_TEST(the_books_of_a_user_are_walked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
