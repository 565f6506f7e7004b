/*
 * Random commands of all aggregates against a second set of books (tests/lib/books.h), which fails at the event that
 * must not be. Methods are drawn from the schema with their params (tests/lib/params.h), some of them wrong, some in
 * atomic batches; the clock moves by seconds or days, and timers run.
 *
 * Two seeds are always the same, the third is new; a failure prints it, with the latest commands. DIANA_PROPERTY_SEED
 * runs that one alone, DIANA_PROPERTY_COMMANDS makes runs longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/books.h"
#include "tests/lib/json.h"
#include "tests/lib/params.h"
#include "tests/lib/world.h"

enum { COMMANDS = 30000, LATEST = 20, CHECK_EVERY = 500, KIND_MAX = 10 };

struct run {
	struct world *w;
	struct params_source params;
	struct books books;
	uint64_t seed;
	long number;          /* of the command in work */
	char *latest[LATEST]; /* commands, as text */
	long accepted[N_METHODS];
	long refused[E_COUNT];
	bool done;
};

/* ---- what a failure needs to be found again ---- */

static struct run *running;

static void tell(const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	free(running->latest[running->number % LATEST]);
	running->latest[running->number % LATEST] = strdup(text);
}

static void tell_call(const char *method, const json_t *params)
{
	char *text = json_print(params);

	tell("%ld %s %s", running->number, method, text);
	free(text);
}

static void print_latest(void)
{
	print_message("The latest commands, the last one first:\n");
	for (long i = 0; i < LATEST && i <= running->number; i++)
		print_message("%s\n", running->latest[(running->number - i) % LATEST]);
	print_message("DIANA_PROPERTY_SEED=%llu, command %ld\n", (unsigned long long)running->seed, running->number);
}

/* ---- the course of a run ---- */

/* Methods that should come more often than others, or less. */
static const struct {
	const char *name;
	int64_t weight;
} weights[] = {
	{ "point.award", 60 },
	{ "point.deduct", 25 },
	{ "point.transfer", 20 },
	{ "user.record_activity", 60 },
	{ "user.checkin", 30 },
	{ "user.claim_gift", 15 },
	{ "user.grant_vip", 12 },
	{ "user.delete", 3 },
	{ "auction.create", 24 },
	{ "auction.start", 24 },
	{ "auction.bid", 80 },
	{ "auction.retract_bid", 30 },
	{ "auction.leave", 20 },
	{ "auction.end", 12 },
	{ "auction.get", 16 },
	{ "auction.update", 12 },
	{ "mission.advance", 40 },
	{ "mission.complete", 16 },
	{ "mission.reset", 14 },
	{ "mission.get", 16 },
	{ "narrative.visit", 40 },
	{ "narrative.complete", 30 },
	{ "narrative.choose", 40 },
	{ "narrative.unlock_lore", 40 },
	{ "narrative.combine_lore", 30 },
	{ "narrative.reset", 3 },
	{ "achievement.award_badge", 15 },
	{ "achievement.revoke_badge", 15 },
	{ "channel.get", 16 },
	{ "channel.create", 12 },
	{ "channel.react", 40 },
	{ "channel.approve_request", 14 },
	{ "channel.reject_request", 14 },
	{ "game.answer", 50 },
	{ "game.start_attempt", 20 },
	{ "game.advance_challenge", 20 },
	{ "game.complete_challenge", 14 },
	{ "game.enter_raffle", 25 },
	{ "game.create", 14 },
	{ "game.update", 14 },
	{ "config.create", 20 },
	{ "config.set", 16 },
	{ "config.use_token", 20 },
	{ "server.cleanup", 3 },
	{ "server.install_defaults", 1 },
};

static int64_t weight_of(enum method_id m)
{
	const char *dot = strchr(method_defs[m].name, '.');

	for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++)
		if (strcmp(weights[i].name, method_defs[m].name) == 0)
			return weights[i].weight;
	return strcmp(dot, ".delete") == 0 ? 4 : 8;
}

static enum method_id draw_method(struct run *r, enum method_class class)
{
	static int64_t known[N_METHODS];
	int64_t sum = 0, at;

	for (int m = 0; m < N_METHODS; m++) {
		if (known[m] == 0)
			known[m] = weight_of(m);
		sum += method_defs[m].class == class ? known[m] : 0;
	}
	at = below(&r->params.random, sum);
	for (int m = 0;; m++) {
		at -= method_defs[m].class == class ? known[m] : 0;
		if (at < 0)
			return m;
	}
}

/* Definitions must stay few: where there are many of a kind, one is deleted instead. */
static enum method_id delete_instead(struct run *r, enum method_id m)
{
	const char *name = method_defs[m].name, *kind = method_defs[m].kind;
	char wanted[64];

	if (kind == NULL || strcmp(strchr(name, '.'), ".create") != 0 || pool_size(&r->params, kind) < KIND_MAX ||
	    strcmp(kind, "user") == 0 || strcmp(kind, "level") == 0)
		return m;
	snprintf(wanted, sizeof(wanted), "%.*s.delete", (int)(strchr(name, '.') - name), name);
	for (int i = 0; i < N_METHODS; i++)
		if (strcmp(method_defs[i].name, wanted) == 0 && strcmp(method_defs[i].kind, kind) == 0)
			return i;
	return m;
}

static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; at != NULL && *at != '\0'; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
		if (strncmp(at, name, n) == 0 && (at[n] == '\0' || at[n] == '|'))
			return true;
	return false;
}

/* The method's own errors and those that all have. */
static void expect_declared(struct run *r, enum method_id m, int rc)
{
	const char *name = err_name((enum err_code)rc);

	r->refused[rc]++;
	if (rc != E_INVALID_ARGUMENT && rc != E_LIMIT_EXCEEDED && !listed(method_defs[m].errors, name)) {
		print_message("%s (%s) answers %s, which it does not say it may: %s\n", method_defs[m].name,
			      method_defs[m].kind ? method_defs[m].kind : "", name, r->w->err.text);
		fail();
	}
}

#define TIMER(name, events, doc) [TIMER_##name] = (events),
static const char *const timer_events[N_TIMERS] = {
#include "core/schema/all.def"
};

/* Events that a method, or a timer, says it may append. */
static void expect_event(const struct event *ev)
{
	enum method_id m;
	const char *name = event_defs[ev->type].name;

	for (int i = 0; i < N_TIMERS; i++)
		if (slice_is(ev->method, timer_names[i]) && listed(timer_events[i], name))
			return;
	if (slice_is(ev->method, "test.commit"))
		return;
	for (unsigned n = methods_by_name(ev->method, &m); n-- > 0; m++)
		if (listed(method_defs[m].events, name))
			return;
	print_message("%.*s appends %s, which it does not say it may\n", SLICE_FMT(ev->method), name);
	fail();
}

/* Enters what was appended since. */
static void enter(struct run *r)
{
	while (r->books.seq < r->w->head) {
		uint64_t commit = r->books.seq + 1;

		while (r->books.seq < r->w->head) {
			struct event ev = world_event(r->w, r->books.seq + 1);

			if (ev.commit != commit)
				break;
			books_event(&r->books, &ev);
			params_note(&r->params, &ev);
			expect_event(&ev);
			arena_reset(&r->w->arena);
		}
		books_commit(&r->books);
	}
}

/* What is not there is no longer talked to. */
static void learn(struct run *r)
{
	json_t *details = refusal_details(r->w);
	const char *kind = json_string_value(json_object_get(details, "kind"));
	const json_t *id = json_object_get(details, "id");
	char text[POOL_ID_MAX];

	if (json_is_integer(id))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(id));
	else
		snprintf(text, sizeof(text), "%s", json_is_string(id) ? json_string_value(id) : "");
	if (kind != NULL)
		params_gone(&r->params, kind, text);
	json_decref(details);
}

static int call(struct run *r, enum method_id m)
{
	json_t *params = draw_params(&r->params, m);
	struct buf packed;
	int rc;

	if (one_in(&r->params.random, 25))
		spoil_params(&r->params, params);
	tell_call(method_defs[m].name, params);
	buf_init(&packed, 1 << 20);
	json_pack_to(&packed, params);
	rc = method_defs[m].class == METHOD_COMMAND ? when_packed(r->w, method_defs[m].name, buf_slice(&packed))
						    : ask_packed(r->w, method_defs[m].name, buf_slice(&packed));
	buf_free(&packed);
	json_decref(params);
	if (rc != 0)
		expect_declared(r, m, rc);
	if (rc == E_NOT_FOUND)
		learn(r);
	if (rc == 0)
		r->accepted[m]++;
	return rc;
}

static void one_command(struct run *r)
{
	uint64_t head = r->w->head;

	if (call(r, delete_instead(r, draw_method(r, METHOD_COMMAND))) != 0)
		assert_int_equal(r->w->head, head);
}

/* All of them, or none. */
static void one_batch(struct run *r)
{
	uint64_t head = r->w->head;

	commit_begin(r->w);
	for (int64_t n = 2 + below(&r->params.random, 3); n > 0 && r->w->in_batch; n--)
		call(r, draw_method(r, METHOD_COMMAND));
	if (r->w->in_batch)
		commit_end(r->w);
	else
		assert_int_equal(r->w->head, head);
}

static void one_query(struct run *r)
{
	uint64_t head = r->w->head;

	call(r, draw_method(r, METHOD_QUERY));
	assert_int_equal(r->w->head, head);
}

/* ---- lists ---- */

static bool takes(enum method_id m, const char *param)
{
	return record_field(method_defs[m].params(), slice_str(param)) >= 0;
}

static json_t *ask_page(struct run *r, enum method_id m, json_t *params, int64_t limit, json_t *after)
{
	struct buf packed;
	int rc;

	json_object_set_new(params, "limit", json_integer(limit));
	json_object_set(params, "after", after);
	tell_call(method_defs[m].name, params);
	buf_init(&packed, 1 << 20);
	json_pack_to(&packed, params);
	rc = ask_packed(r->w, method_defs[m].name, buf_slice(&packed));
	buf_free(&packed);
	return rc == 0 ? json_incref(r->w->result) : NULL;
}

/* Small pages make the same list as a large one, each item once. */
static void pages_make_the_list(struct run *r, enum method_id m)
{
	json_t *params = draw_params(&r->params, m);
	json_t *whole = ask_page(r, m, params, 1000, json_null());
	json_t *pages = json_array(), *after = json_null();
	int64_t limit = 1 + below(&r->params.random, 9);

	/* refused, or too long to be examined at once */
	if (whole == NULL || !json_is_null(json_object_get(whole, "next")))
		goto out;
	do {
		json_t *page = ask_page(r, m, params, limit, after);

		assert_non_null(page);
		json_array_extend(pages, json_object_get(page, "items"));
		json_decref(after);
		after = json_incref(json_object_get(page, "next"));
		json_decref(page);
	} while (!json_is_null(after) && json_array_size(pages) <= 1000);
	if (!json_equal(json_object_get(whole, "items"), pages)) {
		print_message("%s (%s): %zu items in one page, %zu in pages of %lld\n", method_defs[m].name,
			      method_defs[m].kind ? method_defs[m].kind : "",
			      json_array_size(json_object_get(whole, "items")), json_array_size(pages),
			      (long long)limit);
		fail();
	}
out:
	json_decref(after);
	json_decref(pages);
	json_decref(whole);
	json_decref(params);
}

static void check_lists(struct run *r)
{
	for (int m = 0; m < N_METHODS; m++)
		if (method_defs[m].class == METHOD_QUERY && takes(m, "after"))
			pages_make_the_list(r, m);
}

/* ---- the course of it ---- */

static void clock_moves(struct run *r)
{
	struct random *random = &r->params.random;

	if (one_in(random, 400))
		r->w->now += below(random, 3 * DAY);
	else if (one_in(random, 40))
		r->w->now += below(random, 6 * HOUR);
	else
		r->w->now += below(random, 4 * MINUTE);
	r->params.now = r->w->now;
	tick(r->w);
}

static void check_all(struct run *r)
{
	books_compare_all(&r->books, r->w->state, r->w->now);
	state_rollback(r->w->state);
	arena_reset(&r->w->arena);
	answers(r->w, "point.verify", "{}", "{ok: true}");
	check_lists(r);
}

static void check(struct run *r)
{
	books_compare(&r->books, r->w->state, r->w->now);
	state_rollback(r->w->state);
	arena_reset(&r->w->arena);
}

static void run_commands(struct run *r, long commands)
{
	long next_check = 0;

	for (r->number = 0; r->number < commands; r->number++) {
		if (one_in(&r->params.random, 40))
			one_batch(r);
		else if (one_in(&r->params.random, 6))
			one_query(r);
		else
			one_command(r);
		enter(r);
		clock_moves(r);
		enter(r);
		check(r);
		if (r->number < next_check)
			continue;
		check_all(r);
		/* its walks grow with what there is, so that a long run checks less often */
		next_check = r->number + CHECK_EVERY + r->number / 50;
	}
	check_all(r);
}

/* A run that does not reach something cannot find what is wrong with it. */
static void expect_everything_happened(const struct run *r)
{
	int missing = 0;

	for (int m = 0; m < N_METHODS; m++)
		if (method_defs[m].class != METHOD_SERVICE && r->accepted[m] == 0) {
			print_message("never accepted: %s (%s)\n", method_defs[m].name,
				      method_defs[m].kind ? method_defs[m].kind : "");
			missing++;
		}
	for (int e = 0; e < N_EVENTS; e++)
		if (r->books.seen[e] == 0) {
			print_message("never appended: %s\n", event_defs[e].name);
			missing++;
		}
	assert_int_equal(missing, 0);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void run_with(void **state, uint64_t seed)
{
	struct run *r = *state;
	long accepted = 0, commands;

	r->seed = number_of("DIANA_PROPERTY_SEED", seed);
	commands = (long)number_of("DIANA_PROPERTY_COMMANDS", COMMANDS);
	params_source_init(&r->params, r->seed);
	r->params.state = r->w->state;
	r->params.now = r->w->now;
	print_message("DIANA_PROPERTY_SEED=%llu\n", (unsigned long long)r->seed);
	run_commands(r, commands);
	if (commands >= COMMANDS)
		expect_everything_happened(r);
	world_rebuild(r->w);
	r->done = true;
	for (int m = 0; m < N_METHODS; m++)
		accepted += r->accepted[m];
	print_message("%ld commands, %ld calls accepted, %llu events\n", r->number, accepted,
		      (unsigned long long)r->w->head);
}

static int setup(void **state)
{
	running = calloc(1, sizeof(*running));
	assert_non_null(running);
	running->w = world_new();
	books_init(&running->books);
	*state = running;
	return 0;
}

static int teardown(void **state)
{
	struct run *r = *state;

	if (!r->done)
		print_latest();
	for (int i = 0; i < LATEST; i++)
		free(r->latest[i]);
	books_free(&r->books);
	world_free(r->w);
	free(r);
	return 0;
}

static void books_agree_with_the_tables(void **state)
{
	run_with(state, 20260302);
}

static void books_agree_with_the_tables_on_another_way(void **state)
{
	run_with(state, 4711);
}

static void books_agree_with_the_tables_on_a_new_way(void **state)
{
	run_with(state, (uint64_t)time(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(books_agree_with_the_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(books_agree_with_the_tables_on_another_way, setup, teardown),
		cmocka_unit_test_setup_teardown(books_agree_with_the_tables_on_a_new_way, setup, teardown),
	};

	const struct CMUnitTest one[] = {
		cmocka_unit_test_setup_teardown(books_agree_with_the_tables, setup, teardown),
	};

	if (getenv("DIANA_PROPERTY_SEED") != NULL)
		return cmocka_run_group_tests(one, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
