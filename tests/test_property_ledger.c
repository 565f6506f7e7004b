/*
 * Random commands against a small model of the ledger that shares no code with it: after each command the answer's
 * code, all balances, levels and ranks must be the model's, and at the end the tables must equal their rebuild.
 * DIANA_PROPERTY_SEED repeats a run, DIANA_PROPERTY_COMMANDS makes it longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rules.h"
#include "projections/point_queries.h"
#include "tests/lib/random.h"
#include "tests/lib/world.h"

enum { PEOPLE = 40, LEVELS = 12, GRANTS = 100, HOLDS = 64, COMMANDS = 25000 };
#define CEILING INT64_C(4000000000000000) /* thousandths */
#define NEVER INT64_MAX

struct person {
	bool there, admin, has_message, has_gift, has_checkin;
	int64_t balance, held, level, last_message, last_gift, checkin_day, streak;
	int64_t grant_ends[GRANTS];
	int n_grants;
};

struct open_hold {
	uint64_t id;
	int who;
	int64_t amount;
};

struct model {
	struct person people[PEOPLE + 1]; /* by id; 0 is nobody */
	int64_t min_points[LEVELS + 1];   /* by number; -1: no such level */
	int64_t message_points, multiplier, offset;
	int64_t credits, debits;
	bool credited[PEOPLE + 1]; /* in the command in work */
	struct open_hold holds[HOLDS];
	int n_holds;
	uint64_t last_hold;
};

struct run {
	struct world *w;
	struct model m, before;
	struct random random;
	char shown[512]; /* the command in work */
};

/* Mostly the same few, so that something happens to them. */
static int someone(struct run *r)
{
	return 1 + (int)(below(&r->random, 2) ? below(&r->random, 6) : below(&r->random, PEOPLE));
}

static int64_t some_amount(struct run *r)
{
	switch (below(&r->random, 12)) {
	case 0:
		return 1 + below(&r->random, CEILING);
	case 1:
		return 1;
	case 2:
		return 1000 * (1 + below(&r->random, 20)); /* often equal */
	default:
		return 1 + below(&r->random, 500000);
	}
}

/* ---- the model ---- */

static bool is_vip(const struct run *r, int who)
{
	const struct person *p = &r->m.people[who];

	return p->n_grants > 0 && p->grant_ends[p->n_grants - 1] > r->w->now;
}

static void come(struct model *m, int who)
{
	if (!m->people[who].there)
		m->people[who] = (struct person){ .there = true, .level = 1 };
}

static int pay(struct run *r, int who, int64_t base, bool multiplied)
{
	struct person *p = &r->m.people[who];
	int64_t factor = multiplied && is_vip(r, who) ? r->m.multiplier : 1;

	if (base == 0)
		return 0;
	if (base > CEILING / factor || base * factor > CEILING - p->balance)
		return E_LIMIT_EXCEEDED;
	p->balance += base * factor;
	r->m.credits += base * factor;
	r->m.credited[who] = true;
	return 0;
}

static int take(struct run *r, int who, int64_t amount)
{
	struct person *p = &r->m.people[who];

	if (!p->there)
		return E_NOT_FOUND;
	if (p->balance - p->held < amount)
		return E_INSUFFICIENT_POINTS;
	p->balance -= amount;
	r->m.debits += amount;
	return 0;
}

/* Whoever was credited has the highest level that the balance reaches, never a lower one. */
static void lift(struct model *m)
{
	for (int i = 1; i <= PEOPLE; i++) {
		if (!m->credited[i])
			continue;
		for (int l = 1; l <= LEVELS; l++)
			if (m->min_points[l] >= 0 && m->min_points[l] <= m->people[i].balance && l > m->people[i].level)
				m->people[i].level = l;
	}
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* ---- commands: the code that the model expects, and the call ---- */

static int run_command(struct run *r, int want, const char *method, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(r->shown, sizeof(r->shown), "%s ", method);

	va_start(ap, fmt);
	vsnprintf(r->shown + n, sizeof(r->shown) - (size_t)n, fmt, ap);
	va_end(ap);
	if (when(r->w, method, "%s", r->shown + n) == want)
		return want;
	print_message("%s: want %s, have %s\n", r->shown, want ? err_name((enum err_code)want) : "no error",
		      r->w->err.code ? r->w->err.text : "none");
	fail();
	return want;
}

/* "12.345" in a buffer of its own. */
static const char *points(int64_t thousandths)
{
	static char texts[4][32];
	static int next;
	char *text = texts[next++ % 4];

	snprintf(text, sizeof(texts[0]), "%lld.%03lld", (long long)(thousandths / 1000),
		 (long long)(thousandths % 1000));
	return text;
}

static int do_award(struct run *r)
{
	int who = someone(r);
	int64_t amount = some_amount(r);
	bool multiply = below(&r->random, 2);

	come(&r->m, who);
	return run_command(r, pay(r, who, amount, multiply), "point.award", "{user_id: %d, amount: %s, multiply: %s}",
			   who, points(amount), multiply ? "true" : "false");
}

static int do_award_many(struct run *r)
{
	char items[400] = "";
	int want = 0;
	size_t n = 0;

	for (int64_t i = 1 + below(&r->random, 5); i > 0; i--) {
		int who = someone(r);
		int64_t amount = some_amount(r);

		come(&r->m, who);
		if (want == 0)
			want = pay(r, who, amount, true);
		n += (size_t)snprintf(items + n, sizeof(items) - n, "{user_id: %d, amount: %s}%s", who, points(amount),
				      i > 1 ? ", " : "");
	}
	return run_command(r, want, "point.award_many", "{items: [%s]}", items);
}

static int do_deduct(struct run *r)
{
	int who = someone(r);
	int64_t balance = r->m.people[who].balance;
	int64_t amount = below(&r->random, 4) == 0 && balance > 0 ? balance : some_amount(r);

	return run_command(r, take(r, who, amount), "point.deduct", "{user_id: %d, amount: %s}", who, points(amount));
}

static int do_transfer(struct run *r)
{
	int from = someone(r), to = someone(r);
	int64_t amount = some_amount(r);
	int want = from == to ? E_INVALID_ARGUMENT : take(r, from, amount);

	if (want == 0) {
		come(&r->m, to);
		want = pay(r, to, amount, false);
	}
	return run_command(r, want, "point.transfer", "{from_user_id: %d, to_user_id: %d, amount: %s}", from, to,
			   points(amount));
}

static int do_activity(struct run *r)
{
	static const struct {
		const char *action;
		int64_t base; /* -1: a setting */
	} kinds[] = { { "message", -1 }, { "message", -1 },   { "poll", 2000 },
		      { "post", 5000 },  { "comment", 2000 }, { "other", 1000 } };
	int64_t k = below(&r->random, 6);
	int who = someone(r), want = 0;
	struct person *p = &r->m.people[who];
	bool message = kinds[k].base < 0;

	if (!(p->there && (p->admin || (message && p->has_message && r->w->now < p->last_message + 30000)))) {
		come(&r->m, who);
		if (message) {
			p->has_message = true;
			p->last_message = r->w->now;
		}
		want = pay(r, who, message ? r->m.message_points : kinds[k].base, true);
	}
	return run_command(r, want, "user.record_activity", "{user_id: %d, action: '%s'}", who, kinds[k].action);
}

static int do_checkin(struct run *r)
{
	int64_t day = floor_div(r->w->now + r->m.offset * 60000, 86400000);
	int who = someone(r), want = 0;
	struct person *p = &r->m.people[who];

	if (p->there && p->has_checkin && day <= p->checkin_day) {
		want = E_COOLDOWN;
	} else {
		come(&r->m, who);
		p->streak = p->has_checkin && p->checkin_day == day - 1 ? p->streak + 1 : 1;
		p->has_checkin = true;
		p->checkin_day = day;
		want = pay(r, who, 10000, true);
		if (want == 0 && p->streak % 7 == 0)
			want = pay(r, who, 25000, true);
	}
	return run_command(r, want, "user.checkin", "{user_id: %d}", who);
}

static int do_gift(struct run *r)
{
	int who = someone(r), want = 0;
	struct person *p = &r->m.people[who];

	if (p->there && p->has_gift && r->w->now < p->last_gift + 86400000) {
		want = E_COOLDOWN;
	} else {
		come(&r->m, who);
		p->has_gift = true;
		p->last_gift = r->w->now;
		want = pay(r, who, 5000, true);
	}
	return run_command(r, want, "user.claim_gift", "{user_id: %d}", who);
}

static void forget_ended(struct run *r, struct person *p)
{
	int n = 0;

	for (int i = 0; i < p->n_grants; i++)
		if (p->grant_ends[i] > r->w->now)
			p->grant_ends[n++] = p->grant_ends[i];
	p->n_grants = n;
}

static int do_grant(struct run *r)
{
	int who = someone(r), want = 0;
	int64_t days = 1 + below(&r->random, 3), start;
	bool set = below(&r->random, 6) == 0, forever = below(&r->random, 30) == 0;
	struct person *p = &r->m.people[who];
	char length[32];

	come(&r->m, who);
	forget_ended(r, p);
	if (set)
		p->n_grants = 0;
	start = p->n_grants > 0 ? p->grant_ends[p->n_grants - 1] : r->w->now;
	if (start != NEVER) {
		if (p->n_grants == GRANTS)
			want = E_LIMIT_EXCEEDED;
		else
			p->grant_ends[p->n_grants++] = forever ? NEVER : start + days * 86400000;
	}
	snprintf(length, sizeof(length), forever ? "permanent: true" : "days: %lld", (long long)days);
	return run_command(r, want, "user.grant_vip", "{user_id: %d, %s, mode: '%s'}", who, length,
			   set ? "set" : "extend");
}

static int do_revoke(struct run *r)
{
	int who = someone(r), want = 0;
	struct person *p = &r->m.people[who];

	forget_ended(r, p);
	if (!p->there)
		want = E_NOT_FOUND;
	else if (p->n_grants == 0)
		want = E_NOT_ACTIVE;
	p->n_grants = 0;
	return run_command(r, want, "user.revoke_vip", "{user_id: %d}", who);
}

static int do_create(struct run *r)
{
	int who = someone(r), want = r->m.people[who].there ? E_ALREADY_EXISTS : 0;

	come(&r->m, who);
	return run_command(r, want, "user.create", "{id: %d, first_name: 'Person %d', username: 'p%d'}", who, who,
			   who % 7);
}

static int do_update(struct run *r)
{
	int who = someone(r), want = r->m.people[who].there ? 0 : E_NOT_FOUND;
	bool admin = below(&r->random, 4) == 0;

	r->m.people[who].admin = admin;
	return run_command(
		r, want, "user.update", "{id: %d, is_admin: %s, username: 'q%lld', stats: {messages_sent: %lld}}", who,
		admin ? "true" : "false", (long long)below(&r->random, 9), (long long)below(&r->random, 1000));
}

static int do_delete(struct run *r)
{
	int who = someone(r), want = 0;
	struct person *p = &r->m.people[who];

	if (!p->there)
		want = E_NOT_FOUND;
	else if (p->held > 0)
		want = E_IN_USE;
	else
		take(r, who, p->balance);
	p->there = false;
	return run_command(r, want, "user.delete", "{id: %d}", who);
}

static int do_level(struct run *r)
{
	int l = 1 + (int)below(&r->random, LEVELS), want = 0;
	int64_t min = below(&r->random, 3) == 0 ? below(&r->random, 1000000) : l * 40000 + below(&r->random, 60000);
	bool there = r->m.min_points[l] >= 0, fits = true, lowest = true, other = false;

	for (int i = 1; i <= LEVELS; i++) {
		if (i == l || r->m.min_points[i] < 0)
			continue;
		fits &= i < l ? r->m.min_points[i] < min : r->m.min_points[i] > min;
		lowest &= i > l;
		other = true;
	}
	if (there && below(&r->random, 3) == 0) {
		want = lowest && other ? E_IN_USE : 0;
		r->m.min_points[l] = -1;
		return run_command(r, want, "point.delete", "{kind: 'level', id: %d}", l);
	}
	r->m.min_points[l] = min;
	want = fits ? 0 : E_INVALID_ARGUMENT;
	if (there)
		return run_command(r, want, "point.update", "{kind: 'level', id: %d, min_points: %s}", l, points(min));
	return run_command(r, want, "point.create", "{kind: 'level', id: %d, name: 'L', min_points: %s}", l,
			   points(min));
}

static int do_settings(struct run *r)
{
	static const int64_t offsets[] = { -300, 0, 330, 840 };

	r->m.message_points = below(&r->random, 4) * 500;
	r->m.multiplier = 1 + below(&r->random, 3);
	r->m.offset = offsets[below(&r->random, 4)];
	return run_command(
		r, 0, "config.set",
		"{entries: {points.message: %s, points.vip_multiplier: %lld, time.utc_offset_minutes: %lld}}",
		points(r->m.message_points), (long long)r->m.multiplier, (long long)r->m.offset);
}

/* Holds have no command: what an auction would do. */
static int do_hold(struct run *r)
{
	int who = someone(r);
	struct person *p = &r->m.people[who];
	int64_t available = p->balance - p->held, amount;
	struct decision *d;

	snprintf(r->shown, sizeof(r->shown), "hold %d", who);
	if (!p->there || available <= 0 || r->m.n_holds == HOLDS)
		return 0;
	amount = 1 + below(&r->random, available);
	p->held += amount;
	r->m.holds[r->m.n_holds++] = (struct open_hold){ ++r->m.last_hold, who, amount };
	d = commit_begin(r->w);
	EMIT(d, point_held,
	     .hold = { .id = r->m.last_hold,
		       .user_id = who,
		       .amount = amount,
		       .reason = SLICE_LIT("auction"),
		       .auction_id = 1,
		       .bid_id = r->m.last_hold,
		       .status = SLICE_LIT("held"),
		       .created_at = r->w->now },
	     .held_after = p->held);
	commit_end(r->w);
	return 0;
}

static int do_close_hold(struct run *r)
{
	struct open_hold h;
	struct decision *d;
	struct person *p;
	int64_t i;

	snprintf(r->shown, sizeof(r->shown), "close a hold");
	if (r->m.n_holds == 0)
		return 0;
	i = below(&r->random, r->m.n_holds);
	h = r->m.holds[i];
	r->m.holds[i] = r->m.holds[--r->m.n_holds];
	p = &r->m.people[h.who];
	p->held -= h.amount;
	d = commit_begin(r->w);
	if (below(&r->random, 2)) {
		EMIT(d, point_released, .hold_id = h.id, .user_id = h.who, .amount = h.amount, .held_after = p->held,
		     .reason = SLICE_LIT("outbid"));
	} else {
		p->balance -= h.amount;
		r->m.debits += h.amount;
		EMIT(d, point_captured, .hold_id = h.id, .user_id = h.who, .amount = h.amount,
		     .balance_after = p->balance, .held_after = p->held, .source = SLICE_LIT("auction"));
	}
	commit_end(r->w);
	return 0;
}

static int (*const commands[])(struct run *) = {
	do_award,    do_award,    do_award,   do_award_many, do_deduct, do_deduct,     do_transfer, do_activity,
	do_activity, do_activity, do_checkin, do_checkin,    do_gift,   do_grant,      do_revoke,   do_create,
	do_update,   do_delete,   do_level,   do_settings,   do_hold,   do_close_hold,
};

/* ---- comparing ---- */

static void compare(struct run *r)
{
	const struct model *m = &r->m;
	int64_t sum = 0;

	for (int i = 1; i <= PEOPLE; i++) {
		const struct person *p = &m->people[i];
		struct balance b = { 0 };
		struct user u = { 0 };
		int64_t rank = 1;

		assert_int_equal(find_balance(r->w->state, i, &b), p->there);
		assert_int_equal(find_user(r->w->state, i, &u), p->there);
		if (!p->there)
			continue;
		for (int k = 1; k <= PEOPLE; k++)
			rank += m->people[k].there && m->people[k].balance > p->balance;
		sum += p->balance;
		if (b.balance != p->balance || b.held != p->held || b.level != p->level || u.level != p->level ||
		    balance_rank(r->w->state, b.balance) != rank || vip_active(&u, r->w->now) != is_vip(r, i)) {
			print_message("%s\nuser %d: balance %lld, held %lld, level %lld (%lld), rank %lld, vip %d; the "
				      "model has %lld,"
				      " %lld, %lld, %lld, %d\n",
				      r->shown, i, (long long)b.balance, (long long)b.held, (long long)b.level,
				      (long long)u.level, (long long)balance_rank(r->w->state, b.balance),
				      vip_active(&u, r->w->now), (long long)p->balance, (long long)p->held,
				      (long long)p->level, (long long)rank, is_vip(r, i));
			fail();
		}
	}
	assert_int_equal(sum, m->credits - m->debits);
	state_rollback(r->w->state);
	arena_reset(&r->w->arena);
}

/* The whole leaderboard, and the ledger's own verification. */
static void compare_queries(struct run *r)
{
	const struct model *m = &r->m;
	int64_t last = INT64_MAX, last_id = 0;
	json_t *items;
	size_t n = 0;

	assert_int_equal(ask(r->w, "point.leaderboard", "{min: 0, limit: 1000}"), 0);
	items = json_object_get(r->w->result, "items");
	for (int i = 1; i <= PEOPLE; i++)
		n += m->people[i].there;
	assert_int_equal(json_array_size(items), n);
	for (size_t i = 0; i < n; i++) {
		int64_t id = json_integer_value(json_object_get(json_array_get(items, i), "user_id"));
		int64_t balance = m->people[id].balance;

		assert_true(balance < last || (balance == last && id > last_id));
		last = balance;
		last_id = id;
	}
	answers(r->w, "point.verify", "{}", "{ok: true, users: %zu}", n);
	answers(r->w, "user.stats", "{}", "{total: %zu}", n);
}

static void random_commands_agree_with_the_model(void **state)
{
	const char *seed = getenv("DIANA_PROPERTY_SEED"), *commands_wanted = getenv("DIANA_PROPERTY_COMMANDS");
	struct run r = { .w = *state, .random = { seed ? strtoull(seed, NULL, 10) : 20260302 } };
	long n = commands_wanted ? atol(commands_wanted) : COMMANDS;
	long refusals = 0;

	print_message("DIANA_PROPERTY_SEED=%llu\n", (unsigned long long)r.random.x);
	if (r.random.x == 0)
		r.random.x = 1;
	memset(r.m.min_points, -1, sizeof(r.m.min_points));
	r.m.message_points = 1000;
	r.m.multiplier = 1;
	for (long i = 0; i < n; i++) {
		r.before = r.m;
		memset(r.m.credited, 0, sizeof(r.m.credited));
		if (commands[below(&r.random, sizeof(commands) / sizeof(commands[0]))](&r) == 0) {
			lift(&r.m);
		} else {
			r.m = r.before;
			refusals++;
		}
		compare(&r);
		if (i % 500 == 0)
			compare_queries(&r);
		r.w->now += below(&r.random, 40) ? below(&r.random, 4 * MINUTE) : below(&r.random, 2 * DAY);
		if (below(&r.random, 3) == 0)
			tick(r.w);
	}
	assert_true(refusals > n / 50 && refusals < n / 2);
	print_message("%ld commands, %ld refused, %llu events\n", n, refusals, (unsigned long long)r.w->head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(random_commands_agree_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
