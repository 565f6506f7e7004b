#include <errno.h>
#include <event2/event.h>
#include <ftw.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/rules.h"
#include "daemon/diag.h"
#include "daemon/ledger.h"

#include <cmocka.h>

/* The ledger on a real directory, with its threads; what happens when the log or the views cannot be written. */

static atomic_int commit_fault; /* what the next commit of a write transaction answers */
static atomic_int views_fault;  /* what each commit to the views answers */
int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);

int __wrap_mdb_txn_commit(MDB_txn *txn)
{
	int rc = atomic_exchange(&commit_fault, 0);
	const char *path;

	if (rc == 0 && mdb_env_get_path(mdb_txn_env(txn), &path) == 0 && strstr(path, "/views") != NULL)
		rc = atomic_load(&views_fault);
	if (rc == 0)
		return __real_mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

struct world {
	char dir[64];
	struct event_base *base;
	struct ledger *ledger;
	uint64_t durable;
	bool failed;
	struct err failure;
	struct buf out;
};

static void on_durable(void *arg, uint64_t seq)
{
	((struct world *)arg)->durable = seq;
}

static void on_failed(void *arg, uint64_t durable_seq, const struct err *err)
{
	struct world *w = arg;

	w->failed = true;
	w->durable = durable_seq;
	w->failure = *err;
}

static void start(struct world *w)
{
	struct ledger_options o = { .data = w->dir, .install_defaults = true, .log_reserve = 1 << 20 };
	struct ledger_ops ops = { NULL, on_durable, on_failed, w };
	struct err err;

	assert_int_equal(ledger_open(&o, w->base, &ops, NULL, NULL, &w->ledger, &err), 0);
	w->durable = ledger_durable(w->ledger);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	diag_set_level(DIAG_ERROR);
	snprintf(w->dir, sizeof(w->dir), "/tmp/test_ledger.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->base = event_base_new();
	buf_init(&w->out, 1 << 20);
	start(w);
	*state = w;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct world *w = *state;

	ledger_close(w->ledger);
	event_base_free(w->base);
	buf_free(&w->out);
	nftw(w->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

static int award(struct world *w, int64_t user_id, int64_t points, struct err *err)
{
	static const struct command_params common = { 0 };
	struct point_award p = { .user_id = user_id,
				 .amount = points * POINTS_SCALE,
				 .source = SLICE_LIT("manual"),
				 .description = SLICE_LIT("") };
	struct command c = { .method = METHOD_point_award, .params = &p, .common = &common };

	buf_reset(&w->out);
	return ledger_command(w->ledger, &c, &w->out, err);
}

static int64_t balance(struct world *w, int64_t user_id)
{
	struct balance b;
	bool found = find_balance(ledger_state(w->ledger), user_id, &b);

	ledger_release(w->ledger);
	return found ? b.balance / POINTS_SCALE : -1;
}

/* Turns of the loop until everything decided is durable, or the log has failed. */
static void settle_log(struct world *w)
{
	for (;;) {
		ledger_turn(w->ledger, false);
		if (w->failed || w->durable == ledger_head(w->ledger))
			return;
		event_base_loop(w->base, EVLOOP_ONCE);
	}
}

static void an_award_is_durable_after_a_turn(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(award(w, 7, 10, &err), 0);
	assert_true(ledger_durable(w->ledger) < ledger_head(w->ledger));
	settle_log(w);

	assert_false(w->failed);
	assert_int_equal(balance(w, 7), 10);
}

static uint64_t log_pages(struct world *w)
{
	struct log_info info;
	struct err err;

	assert_int_equal(log_info(ledger_log(w->ledger), &info, &err), 0);
	return info.used_bytes / 4096;
}

/* Each commit frees some pages of the log's tree, which the next takes. */
static void a_look_into_the_log_keeps_no_page_from_use(void **state)
{
	struct world *w = *state;
	struct arena *arena = ledger_state(w->ledger)->arena;
	struct query q;
	struct event ev;
	struct err err;
	uint64_t before;

	/* given a query that has read an event */
	assert_int_equal(award(w, 7, 10, &err), 0);
	settle_log(w);
	ledger_query(w->ledger, &q, &w->out, &err);
	assert_int_equal(q.log->get(q.log->arg, 1, arena, &ev, &err), 0);
	ledger_release(w->ledger);
	before = log_pages(w);

	/* when there are 200 commits, of less than 500 bytes */
	for (int i = 0; i < 200; i++) {
		assert_int_equal(award(w, 7, 1, &err), 0);
		settle_log(w);
	}

	/* then they take little more than their bytes */
	assert_in_range(log_pages(w) - before, 1, 60);
}

static void a_failed_flush_takes_back_what_was_not_durable(void **state)
{
	struct world *w = *state;
	struct err err;
	uint64_t durable;

	/* given: 10 durable points */
	assert_int_equal(award(w, 7, 10, &err), 0);
	settle_log(w);
	durable = w->durable;

	/* when: the flush of 5 more fails */
	assert_int_equal(award(w, 7, 5, &err), 0);
	assert_int_equal(balance(w, 7), 15);
	atomic_store(&commit_fault, EIO);
	settle_log(w);

	/* then: the waiting are told, the balance is what the log says, commands are refused, queries go on */
	assert_true(w->failed);
	assert_int_equal(w->durable, durable);
	assert_int_equal(balance(w, 7), 10);
	assert_int_equal(award(w, 7, 1, &err), E_UNAVAILABLE);
	assert_int_equal(ledger_head(w->ledger), durable);
}

static void after_a_restart_commands_are_taken_again(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(award(w, 7, 10, &err), 0);
	settle_log(w);
	assert_int_equal(award(w, 7, 5, &err), 0);
	atomic_store(&commit_fault, ENOSPC);
	settle_log(w);
	assert_true(w->failed);
	assert_int_equal(w->failure.code, E_STORAGE_FULL);

	ledger_close(w->ledger);
	w->failed = false;
	start(w);

	assert_int_equal(balance(w, 7), 10);
	assert_int_equal(award(w, 7, 5, &err), 0);
	settle_log(w);
	assert_int_equal(balance(w, 7), 15);
}

struct waiter {
	struct checkpoint_wait wait;
	bool told;
	int rc;
};

static void on_ready(struct checkpoint_wait *wait, int rc, const struct err *err)
{
	struct waiter *k = (struct waiter *)wait;

	(void)err;
	k->told = true;
	k->rc = rc;
}

static void a_turn_with_time(struct world *w)
{
	struct timeval tick = { 0, 10000 };

	ledger_turn(w->ledger, false);
	event_base_loopexit(w->base, &tick);
	event_base_dispatch(w->base);
}

static void await(struct world *w, struct waiter *k)
{
	*k = (struct waiter){ .wait.ready = on_ready };
	ledger_await_checkpoint(w->ledger, &k->wait);
	while (!k->told)
		a_turn_with_time(w);
	if (k->rc == 0)
		ledger_snapshot_taken(w->ledger);
}

static void a_failed_checkpoint_is_tried_again_and_loses_nothing(void **state)
{
	struct world *w = *state;
	struct ledger_stats st;
	struct waiter k;
	struct err err;

	assert_int_equal(award(w, 7, 10, &err), 0);
	settle_log(w);

	atomic_store(&commit_fault, ENOSPC);
	await(w, &k);
	assert_int_equal(k.rc, E_STORAGE_FULL);
	ledger_get_stats(w->ledger, &st);
	assert_true(st.failing);
	assert_int_equal(balance(w, 7), 10);

	assert_int_equal(award(w, 7, 5, &err), 0);
	settle_log(w);
	await(w, &k);
	assert_int_equal(k.rc, 0);
	ledger_get_stats(w->ledger, &st);
	assert_false(st.failing);
	assert_int_equal(balance(w, 7), 15);
}

static void views_that_cannot_be_written_stop_commands_when_memory_is_full_but_not_queries(void **state)
{
	struct world *w = *state;
	struct err err;
	int64_t users = 0;
	int rc = 0;

	/* given: no checkpoint succeeds; when: commands go on */
	atomic_store(&views_fault, ENOSPC);
	while (rc == 0 && users < 10000000) {
		rc = award(w, users + 1, 1, &err);
		users += rc == 0;
		if (users % 1000 == 0)
			settle_log(w);
		while (!ledger_accepts(w->ledger))
			a_turn_with_time(w);
	}

	/* then: they are refused in the end, and queries see all that was taken */
	assert_int_equal(rc, E_STORAGE_FULL);
	settle_log(w);
	assert_false(w->failed);
	assert_true(ledger_accepts(w->ledger));
	assert_int_equal(balance(w, 1), 1);
	assert_int_equal(balance(w, users), 1);
	assert_int_equal(award(w, 1, 1, &err), E_STORAGE_FULL);

	/* when: there is room; then: they are taken again */
	atomic_store(&views_fault, 0);
	while (award(w, 1, 1, &err) != 0)
		a_turn_with_time(w);
	settle_log(w);
	assert_int_equal(balance(w, 1), 2);
}

static void a_checkpoint_makes_the_next_start_fold_nothing(void **state)
{
	struct world *w = *state;
	struct waiter k;
	struct err err;

	assert_int_equal(award(w, 7, 10, &err), 0);
	settle_log(w);
	await(w, &k);
	assert_int_equal(k.rc, 0);
	assert_int_equal(k.wait.seq, ledger_head(w->ledger));

	ledger_close(w->ledger);
	start(w);
	assert_int_equal(engine_next(ledger_engine(w->ledger)), ledger_head(w->ledger) + 1);
	assert_int_equal(balance(w, 7), 10);
}

static void a_refused_command_leaves_no_trace(void **state)
{
	struct world *w = *state;
	static const struct command_params common = { 0 };
	struct point_deduct p = {
		.user_id = 7, .amount = 100 * POINTS_SCALE, .source = SLICE_LIT("shop"), .description = SLICE_LIT("")
	};
	struct command c = { .method = METHOD_point_deduct, .params = &p, .common = &common };
	uint64_t head;
	struct err err;

	assert_int_equal(award(w, 7, 10, &err), 0);
	head = ledger_head(w->ledger);
	assert_int_equal(ledger_command(w->ledger, &c, &w->out, &err), E_INSUFFICIENT_POINTS);
	assert_int_equal(ledger_head(w->ledger), head);
	assert_int_equal(balance(w, 7), 10);
	settle_log(w);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_award_is_durable_after_a_turn),
		TEST(a_look_into_the_log_keeps_no_page_from_use),
		TEST(a_failed_flush_takes_back_what_was_not_durable),
		TEST(after_a_restart_commands_are_taken_again),
		TEST(a_failed_checkpoint_is_tried_again_and_loses_nothing),
		TEST(views_that_cannot_be_written_stop_commands_when_memory_is_full_but_not_queries),
		TEST(a_checkpoint_makes_the_next_start_fold_nothing),
		TEST(a_refused_command_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
