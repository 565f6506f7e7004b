#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "projections/view_store.h"

/*
 * A loop that reads and writes while another thread applies what it froze, and a second store that is
 * filled by a third thread: the threads of the daemon, without the daemon. Meant for MODE=tsan.
 */
enum { PLAIN, BOARD, TABLES, ROWS = 3000, ROUNDS = 12 };

static const struct state_table tables[TABLES] = { { .name = "plain" }, { .name = "board", .counted = true } };

struct checkpointer {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct view_store *store;
	bool wanted, done, stop;
	int rc;
};

static struct slice key_of(uint8_t *b, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> (56 - 8 * i));
	return slice_of(b, 8);
}

static void *checkpoint_thread(void *arg)
{
	struct checkpointer *c = arg;
	struct err err;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		if (!c->wanted) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		c->wanted = false;
		pthread_mutex_unlock(&c->lock);
		c->rc = view_store_apply(c->store, NULL, 0, &err);
		pthread_mutex_lock(&c->lock);
		c->done = true;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void start_checkpoint(struct checkpointer *c)
{
	view_store_freeze(c->store);
	pthread_mutex_lock(&c->lock);
	c->wanted = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static bool is_done(struct checkpointer *c)
{
	bool done;

	pthread_mutex_lock(&c->lock);
	done = c->done;
	c->done = false;
	pthread_mutex_unlock(&c->lock);
	return done;
}

/* One command: adds one to a row, and moves its key on the board. */
static void add_one(struct state *s, uint64_t row)
{
	uint64_t count = 0, score;
	uint8_t b[8], on_board[8];
	struct slice v;

	if (state_get(s, PLAIN, key_of(b, row), &v))
		memcpy(&count, v.base, sizeof(count));
	score = count * ROWS + row;
	if (count > 0)
		state_del(s, BOARD, key_of(on_board, score));
	count++;
	state_put(s, PLAIN, key_of(b, row), slice_of(&count, sizeof(count)));
	state_put(s, BOARD, key_of(on_board, score + ROWS), SLICE_LIT(""));
	state_commit(s);
}

static uint64_t count_by_walking(struct state *s, unsigned table)
{
	struct state_cursor c;
	uint64_t n = 0;

	state_cursor_open(&c, s, table);
	for (bool more = state_cursor_seek(&c, SLICE_LIT("")); more; more = state_cursor_next(&c))
		n++;
	state_cursor_close(&c);
	return n;
}

static void *rebuild_thread(void *arg)
{
	const uint32_t generations[TABLES] = { 1, 1 };
	struct view_store *vs;
	struct err err;

	if (view_store_open(arg, tables, TABLES, generations, &vs, &err) != 0)
		return arg;
	for (uint64_t i = 0; i < 5ULL * ROWS; i++) {
		add_one(view_store_state(vs), i % ROWS);
		if (i % ROWS != ROWS - 1)
			continue;
		view_store_freeze(vs);
		if (view_store_apply(vs, NULL, 0, &err) != 0 || view_store_applied(vs, &err) != 0)
			return arg;
	}
	view_store_close(vs);
	return NULL;
}

static void loop(struct checkpointer *c)
{
	struct state *s = view_store_state(c->store);
	unsigned rounds = 0;
	struct err err;

	for (uint64_t i = 0; rounds < ROUNDS; i++) {
		add_one(s, i * 7 % ROWS);
		if (i % 1000 == 0)
			assert_int_equal(count_by_walking(s, BOARD), state_count(s, BOARD));
		if (!view_store_is_frozen(c->store)) {
			if (i % 500 == 0)
				start_checkpoint(c);
		} else if (is_done(c)) {
			assert_int_equal(c->rc, 0);
			assert_int_equal(view_store_applied(c->store, &err), 0);
			rounds++;
		}
	}
}

static void a_loop_writes_beside_its_checkpointer_and_a_rebuild(void **state)
{
	static const uint32_t generations[TABLES];
	struct checkpointer c = { .store = NULL };
	char dir[] = "/tmp/diana-views-XXXXXX", command[64];
	pthread_t checkpoint, rebuild;
	struct views *views;
	struct err err;
	void *failed;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(views_open(dir, &views, &err), 0);
	assert_int_equal(view_store_open(views, tables, TABLES, generations, &c.store, &err), 0);
	pthread_mutex_init(&c.lock, NULL);
	pthread_cond_init(&c.changed, NULL);
	assert_int_equal(pthread_create(&checkpoint, NULL, checkpoint_thread, &c), 0);
	assert_int_equal(pthread_create(&rebuild, NULL, rebuild_thread, views), 0);

	loop(&c);

	assert_int_equal(pthread_join(rebuild, &failed), 0);
	assert_null(failed);
	pthread_mutex_lock(&c.lock);
	c.stop = true;
	pthread_cond_broadcast(&c.changed);
	pthread_mutex_unlock(&c.lock);
	assert_int_equal(pthread_join(checkpoint, NULL), 0);
	assert_int_equal(view_store_adopt(c.store, PLAIN, 1, &err), 0);
	assert_int_equal(view_store_adopt(c.store, BOARD, 1, &err), 0);
	assert_int_equal(count_by_walking(view_store_state(c.store), PLAIN), ROWS);
	assert_int_equal(state_count(view_store_state(c.store), BOARD), ROWS);
	view_store_close(c.store);
	views_close(views);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_writes_beside_its_checkpointer_and_a_rebuild),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
