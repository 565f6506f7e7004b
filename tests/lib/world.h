#ifndef TESTS_LIB_WORLD_H
#define TESTS_LIB_WORLD_H

#include <jansson.h>

#include "projections/query.h"

/*
 * A ledger in memory, without log and daemon, for tests that read as given, when, then:
 *
 *   given(w, "user.create", "{id: 7}");
 *   assert_int_equal(when(w, "point.award", "{user_id: 7, amount: 10}"), 0);
 *   then(w, "{balance: 10, level_up: false}");
 *   assert_string_equal(events(w), "point.credited");
 *
 * Commands and queries take the way they take in the daemon: msgpack, params_decode(), decide() or
 * run_query(), folds, reply. Params and results are JSON (tests/lib/json.h). What a command appended is
 * also kept as stored bytes, and world_rebuild() folds those anew and compares every row.
 */
struct stored {
	uint8_t *bytes;
	size_t len;
};

struct world {
	struct state *state;
	struct arena arena;
	int64_t now;    /* the clock; a test moves it */
	struct err err; /* of the last command or query that was refused */
	json_t *result; /* of the last that was not; NULL after a refusal */
	struct stored *log;
	uint64_t head;     /* seq of the last event */
	uint64_t first;    /* first event of the last commit */
	uint64_t examined; /* entries that the last query looked at */
	uint64_t random;
	char names[4096]; /* events() */
	struct origin origin;
	struct decision open;
	bool in_batch; /* between commit_begin() and commit_end() */
	struct event_source source;
};

/* The clock stands at noon of 2026-03-02, a Monday. */
#define WORLD_NOW INT64_C(1772452800000)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct world *world_new(void);
void world_free(struct world *w);
/* For cmocka: *state is the world. The teardown rebuilds before it frees. */
int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

/* Runs a command: 0 or the error code. */
int when(struct world *w, const char *method, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same of params that JSON cannot say. */
int when_packed(struct world *w, const char *method, struct slice params);
/* The same of a query. */
int ask_packed(struct world *w, const char *method, struct slice params);
/* Runs a query. */
int ask(struct world *w, const char *method, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A commit by hand: EMIT between the two, or commands, as in an atomic batch. A refused one ends it. */
struct decision *commit_begin(struct world *w);
void commit_end(struct world *w);
/*
 * Runs the timers that are due, as the daemon would. Returns the number of commits, without those that start a period
 * of missions: these come each day, whatever a test is about, so they run first and are not counted.
 */
int tick(struct world *w);
/* Starts the periods of missions that are due. Returns the number of commits. */
int tick_periods(struct world *w);

/* Names of the last commit's events with a space between; "" when the last command appended nothing. */
const char *events(struct world *w);
/* The n-th event (from 0) of the last commit as it is shown. free with json_decref(). */
json_t *event_shown(struct world *w, unsigned n);

/* `details` of the last refusal; json_decref(). */
json_t *refusal_details(const struct world *w);
/* Any event of the log, by seq; lives until the next command or query. */
struct event world_event(struct world *w, uint64_t seq);

void world_rebuild(struct world *w);

/* ---- assertions ---- */

/* A command that is not refused. */
#define given(w, ...) given_at(__FILE__, __LINE__, w, __VA_ARGS__)
/* The last result holds this. */
#define then(w, ...) then_at(__FILE__, __LINE__, w, __VA_ARGS__)
/* The n-th event of the last commit holds this. */
#define then_event(w, n, ...) then_event_at(__FILE__, __LINE__, w, n, __VA_ARGS__)
/* `call` is refused with this code, and the details hold this. */
#define refused(w, call, code, ...) refused_at(__FILE__, __LINE__, w, call, code, __VA_ARGS__)
/* A query that answers this. */
#define answers(w, method, params, ...) answers_at(__FILE__, __LINE__, w, method, params, __VA_ARGS__)

void given_at(const char *file, int line, struct world *w, const char *method, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void then_at(const char *file, int line, struct world *w, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void then_event_at(const char *file, int line, struct world *w, unsigned n, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void refused_at(const char *file, int line, struct world *w, int rc, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
void answers_at(const char *file, int line, struct world *w, const char *method, const char *params, const char *fmt,
		...) __attribute__((format(printf, 6, 7)));

#endif
