#include <errno.h>
#include <event2/event.h>
#include <ftw.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/rules.h"
#include "core/state_mem.h"
#include "daemon/diag.h"
#include "daemon/ledger.h"
#include "log/log.h"
#include "projections/view_store.h"
#include "tests/lib/faults.h"
#include "tests/lib/faults_lmdb.h"
#include "tests/lib/json.h"

/*
 * Each allocation, and each call of LMDB, fails in turn until a run sees no fault. Whatever fails is an error, and
 * afterwards everything is as before, and works. That nothing leaks is seen under MODE=asan.
 */

/* ---- directories ---- */

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	diag_set_level(DIAG_ERROR);
	snprintf(dir, sizeof(dir), "/tmp/test_faults.XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_dir(void **state)
{
	(void)state;
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* ---- params ---- */

static void params_without_memory_are_refused(void **state)
{
	const struct record *own = record_point_award_many(), *more = record_command_params();
	json_t *items = json_array();
	struct buf packed;
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		json_array_append_new(items,
				      json_of("{user_id: %d, amount: 1, ref: {kind: 'post', id: '1:2'}}", i + 1));
	buf_init(&packed, 1 << 20);
	mp_put_map(&packed, 1);
	mp_put_text(&packed, SLICE_LIT("items"));
	json_pack_to(&packed, items);
	json_decref(items);

	for (bool fired = true; fired; seen += fired) {
		struct point_award_many p;
		struct command_params common;
		void *parts[PLAN_PARTS] = { &p, &common };
		const struct plan *plan;
		struct arena arena;
		struct err err;
		int rc = -1;

		arena_init(&arena, 8 << 20);
		fail_alloc_after(seen);
		plan = plan_new(own, more);
		if (plan != NULL)
			rc = params_decode(plan, buf_slice(&packed), parts, &arena, &err);
		fired = fault_fired();
		if (plan != NULL) {
			assert_int_equal(rc, fired ? E_LIMIT_EXCEEDED : 0);
			assert_true(fired || p.items.n == 1000);
			arena_reset(&arena);
			assert_int_equal(params_decode(plan, buf_slice(&packed), parts, &arena, &err), 0);
			assert_int_equal(p.items.n, 1000);
			plan_free(plan);
		}
		assert_true(plan != NULL || fired);
		arena_free(&arena);
	}
	assert_in_range(seen, 3, 1000);
	buf_free(&packed);
}

/* ---- the log ---- */

enum { BIG = 3000 };

static int append(struct log *log, unsigned events, struct err *err)
{
	static uint8_t bytes[100 * BIG];
	uint32_t ends[100];
	uint8_t tags[100];

	memset(bytes, 'x', sizeof(bytes));
	for (unsigned i = 0; i < events; i++) {
		ends[i] = (i + 1) * BIG;
		tags[i] = 1;
	}
	return log_append(log, slice_of(bytes, events * BIG), ends, tags, events, 1000, err);
}

static void open_log(struct log **log)
{
	struct err err;

	assert_int_equal(log_open(dir, &(struct log_options){ .reserve = 1 << 20 }, log, &err), 0);
}

static int flush(struct log *log, struct err *err)
{
	struct block *b = log_begin_flush(log);
	int rc;

	assert_non_null(b);
	rc = log_flush(log, b, err);
	log_end_flush(log, b, rc == 0);
	return rc;
}

static void opening_a_log_without_memory_is_refused(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (bool fired = true; fired; seen += fired) {
		struct log_reader *r = NULL;
		struct log *log = NULL;
		struct err err;
		int rc;

		fail_alloc_after(seen);
		rc = log_open(dir, &(struct log_options){ .reserve = 1 << 20 }, &log, &err);
		if (rc == 0)
			rc = log_reader_open(log, 0, &r, &err);
		fired = fault_fired();
		assert_int_equal(rc, fired ? E_UNAVAILABLE : 0);
		log_reader_close(r);
		log_close(log);
	}
	assert_in_range(seen, 3, 50);
}

static void an_append_without_memory_changes_nothing(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (bool fired = true; fired; seen += fired) {
		uint64_t head;
		struct log *log;
		struct err err;
		int rc;

		open_log(&log);
		head = log_head(log);
		fail_alloc_after(seen);
		rc = append(log, 100, &err);
		fired = fault_fired();
		assert_int_equal(rc, fired ? E_UNAVAILABLE : 0);
		assert_int_equal(log_head(log), head + (fired ? 0 : 100));
		assert_int_equal(append(log, 1, &err), 0);
		assert_int_equal(flush(log, &err), 0);
		assert_false(log_failed(log));
		log_close(log);
	}
	assert_in_range(seen, 2, 50);
}

/* How often the flush of one block calls LMDB is how often it can fail. */
static void a_block_is_in_the_log_or_not_whichever_call_fails(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (bool fired = true; fired; seen += fired) {
		struct log_verdict verdict;
		struct log_reader *r;
		uint64_t head;
		struct log *log;
		struct err err;
		int rc;

		open_log(&log);
		head = log_durable(log);
		assert_int_equal(append(log, 3, &err), 0);
		fail_lmdb_after(seen, ENOSPC);
		rc = flush(log, &err);
		fired = lmdb_fault_fired();
		assert_int_equal(rc, fired ? E_STORAGE_FULL : 0);
		assert_int_equal(log_failed(log), fired);
		assert_int_equal(log_head(log), head + (fired ? 0 : 3));
		assert_int_equal(append(log, 1, &err), fired ? E_UNAVAILABLE : 0);
		log_close(log);

		open_log(&log);
		assert_int_equal(log_head(log), head + (fired ? 0 : 3));
		assert_int_equal(log_reader_open(log, LOG_DURABLE_ONLY, &r, &err), 0);
		assert_int_equal(log_reader_refresh(r, &err), 0);
		if (log_head(log) > 0)
			assert_int_equal(log_verify(r, 1, 0, NULL, NULL, &verdict, &err), 0);
		log_reader_close(r);
		log_close(log);
	}
	assert_in_range(seen, 4, 50); /* begin, block, tail, commit */
}

static void verifying_without_memory_is_no_verdict(void **state)
{
	unsigned seen = 0;
	struct log *log;
	struct err err;

	(void)state;
	open_log(&log);
	assert_int_equal(append(log, 50, &err), 0);
	assert_int_equal(flush(log, &err), 0);
	for (bool fired = true; fired; seen += fired) {
		struct log_verdict verdict;
		struct log_reader *r;
		int rc;

		assert_int_equal(log_reader_open(log, LOG_DURABLE_ONLY, &r, &err), 0);
		fail_alloc_after(seen);
		rc = log_verify(r, 1, 0, NULL, NULL, &verdict, &err);
		fired = fault_fired();
		assert_int_equal(rc, fired ? E_UNAVAILABLE : 0);
		log_reader_close(r);
	}
	log_close(log);
}

/* ---- the view store ---- */

enum { PLAIN, COUNTED, TABLES, ROWS = 3000 };

static const struct state_table tables[TABLES] = { { .name = "plain" }, { .name = "counted", .counted = true } };

struct store {
	struct arena arena;
	struct views *views;
	struct view_store *store;
	struct state *state;
};

static void open_store(struct store *s)
{
	const uint32_t generations[TABLES] = { 0 };
	struct err err;

	arena_init(&s->arena, 1 << 20);
	assert_int_equal(views_open(dir, &s->views, &err), 0);
	assert_int_equal(view_store_open(s->views, tables, TABLES, generations, &s->store, &err), 0);
	s->state = view_store_state(s->store);
	s->state->arena = &s->arena;
}

static void close_store(struct store *s)
{
	view_store_close(s->store);
	views_close(s->views);
	arena_free(&s->arena);
}

static struct slice number(uint8_t key[8], uint64_t n)
{
	for (int i = 0; i < 8; i++)
		key[i] = (uint8_t)(n >> (56 - 8 * i));
	return slice_of(key, 8);
}

static void put_rows(struct state *s, uint64_t from, uint64_t n, const char *value)
{
	uint8_t key[8];

	for (uint64_t i = from; i < from + n; i++) {
		state_put(s, PLAIN, number(key, i), slice_str(value));
		state_put(s, COUNTED, number(key, i), SLICE_LIT(""));
	}
}

static void assert_rows(struct state *s, uint64_t n, const char *value)
{
	struct state_cursor c;
	uint64_t seen = 0;

	state_cursor_open(&c, s, PLAIN);
	for (bool more = state_cursor_seek(&c, SLICE_LIT("")); more; more = state_cursor_next(&c), seen++)
		assert_true(slice_is(c.value, value));
	state_cursor_close(&c);
	assert_false(s->failed);
	assert_int_equal(seen, n);
	assert_int_equal(state_count(s, COUNTED), n);
	state_rollback(s);
	arena_reset(s->arena);
}

static void opening_views_without_memory_is_refused(void **state)
{
	const uint32_t generations[TABLES] = { 0 };
	unsigned seen = 0;
	struct store s;

	(void)state;
	open_store(&s);
	put_rows(s.state, 0, ROWS, "v");
	state_commit(s.state);
	view_store_freeze(s.store);
	assert_int_equal(view_store_apply(s.store, NULL, 0, &s.state->err), 0);
	assert_int_equal(view_store_applied(s.store, &s.state->err), 0);
	close_store(&s);

	for (bool fired = true; fired; seen += fired) {
		struct view_store *store = NULL;
		struct views *views = NULL;
		struct err err;
		int rc;

		fail_alloc_after(seen);
		rc = views_open(dir, &views, &err);
		if (rc == 0)
			rc = view_store_open(views, tables, TABLES, generations, &store, &err);
		fired = fault_fired();
		assert_int_equal(rc, fired ? E_INTERNAL : 0);
		view_store_close(store);
		views_close(views);
	}
	assert_in_range(seen, 5, 200);
	open_store(&s);
	assert_rows(s.state, ROWS, "v");
	close_store(&s);
}

/* The rows of one command, of which one finds no memory, are none; and the next command has them all. */
static void rows_without_memory_are_rolled_back(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (bool fired = true; fired; seen += fired) {
		struct state_cursor c;
		struct store s;

		open_store(&s);
		fail_alloc_after(seen);
		put_rows(s.state, 0, ROWS, "v");
		state_cursor_open(&c, s.state, PLAIN);
		state_cursor_seek(&c, SLICE_LIT(""));
		state_cursor_close(&c);
		fired = fault_fired();
		assert_int_equal(s.state->failed, fired);
		assert_int_equal(s.state->failed ? s.state->err.code : 0, fired ? E_INTERNAL : 0);
		state_rollback(s.state);
		assert_rows(s.state, 0, "");
		put_rows(s.state, 0, ROWS, "w");
		state_commit(s.state);
		assert_rows(s.state, ROWS, "w");
		close_store(&s);
	}
	assert_in_range(seen, 4, 200);
}

/* given rows on disk and others in the overlay; then whichever call of its checkpoint fails, both are seen, no
 * reader of the disk sees the new ones, and a second try writes them. */
static void a_checkpoint_is_on_disk_or_not_whichever_call_fails(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (bool fired = true; fired; seen += fired) {
		struct view_meta meta = { "seq", SLICE_LIT("1") };
		struct store s;
		struct err err;
		char text[8];
		size_t len;
		int rc;

		open_store(&s);
		put_rows(s.state, 0, 20, "v");
		state_commit(s.state);
		view_store_freeze(s.store);
		fail_lmdb_after(seen, ENOSPC);
		rc = view_store_apply(s.store, &meta, 1, &err);
		fired = lmdb_fault_fired();
		assert_int_equal(rc, fired ? E_STORAGE_FULL : 0);
		assert_int_equal(views_meta_get(s.views, "seq", text, sizeof(text), &len, &err),
				 fired ? E_NOT_FOUND : 0);
		assert_rows(s.state, 20, "v");
		if (fired) {
			assert_int_equal(view_store_apply(s.store, &meta, 1, &err), 0);
			assert_int_equal(views_meta_get(s.views, "seq", text, sizeof(text), &len, &err), 0);
		}
		assert_int_equal(view_store_applied(s.store, &err), 0);
		assert_rows(s.state, 20, "v");
		close_store(&s);

		open_store(&s);
		assert_rows(s.state, 20, "v");
		close_store(&s);
		remove_dir(state);
		make_dir(state);
	}
	assert_in_range(seen, 40, 400);
}

/* ---- the ledger ---- */

struct daemon {
	struct event_base *base;
	struct ledger *ledger;
	struct buf out;
	bool failed;
	uint64_t durable;
};

static void on_durable(void *arg, uint64_t seq)
{
	((struct daemon *)arg)->durable = seq;
}

static void on_failed(void *arg, uint64_t durable, const struct err *err)
{
	(void)err;
	((struct daemon *)arg)->failed = true;
	((struct daemon *)arg)->durable = durable;
}

static int start(struct daemon *d, struct err *err)
{
	struct ledger_options o = { .data = dir, .install_defaults = true, .log_reserve = 1 << 20 };
	struct ledger_ops ops = { NULL, on_durable, on_failed, d };

	return ledger_open(&o, d->base, &ops, NULL, NULL, &d->ledger, err);
}

static void given_a_ledger(struct daemon *d)
{
	struct err err;

	*d = (struct daemon){ .base = event_base_new() };
	buf_init(&d->out, 1 << 20);
	assert_int_equal(start(d, &err), 0);
}

static void end(struct daemon *d)
{
	ledger_close(d->ledger);
	event_base_free(d->base);
	buf_free(&d->out);
}

static int award(struct daemon *d, int64_t user_id, const char *key, struct err *err)
{
	static const char words[400] = "a reason of some length";
	struct command_params common = { .actor = SLICE_LIT("bot"), .note = slice_of(words, sizeof(words)) };
	struct point_award p = { .user_id = user_id,
				 .amount = 600 * POINTS_SCALE,
				 .source = SLICE_LIT("manual"),
				 .description = slice_of(words, sizeof(words)) };
	struct command c = { .method = METHOD_point_award, .params = &p, .common = &common };

	if (key != NULL)
		common.idempotency_key = slice_str(key);
	buf_reset(&d->out);
	return ledger_command(d->ledger, &c, &d->out, err);
}

static int64_t balance(struct daemon *d, int64_t user_id)
{
	struct balance b;
	bool found = find_balance(ledger_state(d->ledger), user_id, &b);

	ledger_release(d->ledger);
	return found ? b.balance / POINTS_SCALE : -1;
}

static void settle_log(struct daemon *d)
{
	for (ledger_turn(d->ledger, false); !d->failed && ledger_durable(d->ledger) != ledger_head(d->ledger);
	     ledger_turn(d->ledger, false))
		event_base_loop(d->base, EVLOOP_ONCE);
}

static bool is_refusal(int rc)
{
	return rc == E_INTERNAL || rc == E_UNAVAILABLE || rc == E_LIMIT_EXCEEDED;
}

static void opening_a_ledger_without_memory_is_refused(void **state)
{
	unsigned seen = 0;
	struct daemon d;

	(void)state;
	given_a_ledger(&d);
	for (int i = 1; i <= 20; i++)
		assert_int_equal(award(&d, i, NULL, &(struct err){ 0 }), 0);
	settle_log(&d);
	ledger_close(d.ledger);
	for (bool fired = true; fired; seen += fired) {
		struct err err;
		int rc;

		d.ledger = NULL;
		fail_alloc_after(seen);
		rc = start(&d, &err);
		fired = fault_fired();
		if (rc != 0)
			assert_true(fired && is_refusal(rc));
		else
			assert_int_equal(balance(&d, 20), 600);
		if (rc == 0)
			ledger_close(d.ledger);
	}
	assert_in_range(seen, 20, 1000);
	assert_int_equal(start(&d, &(struct err){ 0 }), 0);
	assert_int_equal(balance(&d, 20), 600);
	end(&d);
}

/* In a ledger just opened nothing is kept yet, so that each piece of memory has to be asked for. */
static void a_command_without_memory_leaves_no_trace(void **state)
{
	unsigned seen = 0;

	for (bool fired = true; fired; seen += fired) {
		struct daemon d;
		struct err err;
		uint64_t head;
		int rc;

		given_a_ledger(&d);
		assert_int_equal(award(&d, 8, NULL, &err), 0);
		settle_log(&d);
		head = ledger_head(d.ledger);
		ledger_close(d.ledger);
		assert_int_equal(start(&d, &err), 0);

		/* when: a keyed command that creates a user, credits, lifts a level, and brings two badges */
		fail_alloc_after(seen);
		rc = award(&d, 7, "key", &err);
		fired = fault_fired();

		/* then: all of it or nothing */
		assert_true(fired ? is_refusal(rc) : rc == 0);
		assert_int_equal(balance(&d, 7), fired ? -1 : 600);
		assert_int_equal(ledger_head(d.ledger), head + (fired ? 0 : 5));
		assert_int_equal(balance(&d, 8), 600);

		/* and the same again works, once */
		assert_int_equal(award(&d, 7, "key", &err), 0);
		settle_log(&d);
		assert_int_equal(balance(&d, 7), 600);
		assert_int_equal(ledger_head(d.ledger), head + 5);
		end(&d);
		remove_dir(state);
		make_dir(state);
	}
	assert_in_range(seen, 5, 200);
}

static void a_repeat_without_memory_is_no_conflict(void **state)
{
	unsigned seen = 0;
	struct daemon d;
	struct err err;
	uint64_t head;

	(void)state;
	given_a_ledger(&d);
	assert_int_equal(award(&d, 7, "key", &err), 0);
	settle_log(&d);
	head = ledger_head(d.ledger);
	for (bool fired = true; fired; seen += fired) {
		int rc;

		ledger_close(d.ledger);
		assert_int_equal(start(&d, &err), 0);
		fail_alloc_after(seen);
		rc = award(&d, 7, "key", &err);
		fired = fault_fired();
		assert_true(fired ? is_refusal(rc) : rc == 0);
		assert_int_equal(balance(&d, 7), 600);
		assert_int_equal(ledger_head(d.ledger), head);
		assert_int_equal(award(&d, 7, "key", &err), 0);
		assert_int_equal(ledger_head(d.ledger), head);
	}
	assert_in_range(seen, 2, 200);
	end(&d);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(params_without_memory_are_refused),
		TEST(opening_a_log_without_memory_is_refused),
		TEST(an_append_without_memory_changes_nothing),
		TEST(a_block_is_in_the_log_or_not_whichever_call_fails),
		TEST(verifying_without_memory_is_no_verdict),
		TEST(opening_views_without_memory_is_refused),
		TEST(rows_without_memory_are_rolled_back),
		TEST(a_checkpoint_is_on_disk_or_not_whichever_call_fails),
		TEST(opening_a_ledger_without_memory_is_refused),
		TEST(a_command_without_memory_leaves_no_trace),
		TEST(a_repeat_without_memory_is_no_conflict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
