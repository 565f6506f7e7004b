#ifndef CORE_STATE_H
#define CORE_STATE_H

#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"

/*
 * State: ordered tables of rows, key bytes to value bytes. Decisions, folds and queries see nothing
 * else. Two implementations: in memory (core/state_mem.h, for unit tests) and the view store
 * (projections/view_store.h: overlays in memory over LMDB).
 *
 * Tables are numbers below the count given at creation; the schema names them (core/schema/all.def).
 * Keys are 1..STATE_KEY_MAX bytes, in byte order. Values may be empty.
 *
 * Writes belong to the command in work: state_commit() keeps them, state_rollback() undoes all since
 * the last of either. Slices handed out by reads, of values and of cursor keys, are lent until the next
 * state_commit() or state_rollback(), whatever is written meanwhile.
 *
 * Failures (no memory, a damaged view file) are sticky: `failed` is set with `err`, reads then answer
 * "absent" and writes do nothing, and whoever runs the command or query tests once at its end. A failed
 * command cannot be committed; state_rollback() ends the failure with the command (or query).
 *
 * One thread.
 */
enum { STATE_KEY_MAX = 400 };

struct state_ops;
struct state_table;
struct levels;
struct state {
	const struct state_ops *ops;
	struct arena *arena; /* scratch of the command or query in work; set and reset by its owner */
	bool failed;
	struct err err;
	uint64_t lookups; /* gets and seeks so far */
	uint64_t walked;  /* cursor steps so far */
	const struct state_table *tables;
	/* Counts, from 1, what may have changed rows of tables with `few`: what is derived from them holds as long as
	 * it stays. What is kept so: core/levels.c. */
	uint64_t few_changes;
	bool few_staged; /* by the command in work */
	struct levels *levels;
};

/*
 * A position in one table. Kept by value; open before use, close after. Writes to the table are allowed
 * while it is open: the next step goes on from the key it stands on, in the table as it then is.
 */
struct state_cursor {
	struct state *state;
	unsigned table;
	struct slice key;   /* valid while the last move answered true */
	struct slice value; /* likewise */
	void *impl;
};

/* What a table needs besides being ordered. */
struct state_table {
	const char *name; /* also its name on disk; unique */
	/* The first 8 bytes of the key, big-endian, are a score: state_count_below() and
	 * state_nth() answer by order statistics. Such a table is only ever told to put keys that are
	 * absent and to delete keys that are present. */
	bool counted;
	bool few; /* holds a few rows, which hardly ever change: see few_changes */
};

/* True: present, *ret its value. */
bool state_get(struct state *s, unsigned table, struct slice key, struct slice *ret);
void state_put(struct state *s, unsigned table, struct slice key, struct slice value);
/* Absent keys are no error (but see counted). */
void state_del(struct state *s, unsigned table, struct slice key);

/*
 * Starts fetching what gets and puts of these keys are going to touch, all at once, which costs little more
 * than fetching it for one. No effect but speed; most where many commands are known to come.
 */
struct state_key {
	unsigned table;
	struct slice key;
	bool blind; /* will be put or deleted without being read */
};
void state_prefetch(struct state *s, const struct state_key *keys, size_t n);

void state_cursor_open(struct state_cursor *c, struct state *s, unsigned table);
void state_cursor_close(struct state_cursor *c);
/* First row with key >= / last row with key < `key` (empty key: first row / last row). */
bool state_cursor_seek(struct state_cursor *c, struct slice key);
bool state_cursor_seek_before(struct state_cursor *c, struct slice key);
/* Only after a move that answered true. */
bool state_cursor_next(struct state_cursor *c);
bool state_cursor_prev(struct state_cursor *c);

/* Rows of a counted table with a score < / the smallest score that has n rows below it or among its own
 * (n from 0; false: n is not below the number of rows). Rows written by the command in work count after
 * its state_commit(). */
uint64_t state_count_below(struct state *s, unsigned table, uint64_t score);
bool state_nth(struct state *s, unsigned table, uint64_t n, uint64_t *ret_score);
/* Rows of a counted table. */
uint64_t state_count(struct state *s, unsigned table);

void state_commit(struct state *s);
void state_rollback(struct state *s);

/* What an implementation provides; the functions above check arguments, count and dispatch. */
struct state_ops {
	bool (*get)(struct state *, unsigned table, struct slice key, struct slice *ret);
	void (*put)(struct state *, unsigned table, struct slice key, struct slice value);
	void (*del)(struct state *, unsigned table, struct slice key);
	void (*prefetch)(struct state *, const struct state_key *keys, size_t n); /* or NULL */
	void (*cursor_open)(struct state_cursor *);
	void (*cursor_close)(struct state_cursor *);
	bool (*seek)(struct state_cursor *, struct slice key, bool before);
	bool (*step)(struct state_cursor *, bool back);
	uint64_t (*count_below)(struct state *, unsigned table, uint64_t score);
	bool (*nth)(struct state *, unsigned table, uint64_t n, uint64_t *ret_score);
	uint64_t (*count)(struct state *, unsigned table);
	void (*commit)(struct state *);
	void (*rollback)(struct state *);
};

/* For implementations. The first and the last thing done with a state; the rest of it is zeros. */
void state_begin(struct state *s, const struct state_ops *ops, const struct state_table *tables);
void state_end(struct state *s);
/* Rows have changed in another way than by put and del. */
void state_changed(struct state *s);
/* Sets `failed` and `err`, unless set already. */
void state_fail(struct state *s, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
