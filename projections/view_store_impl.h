#ifndef PROJECTIONS_VIEW_STORE_IMPL_H
#define PROJECTIONS_VIEW_STORE_IMPL_H

/* Inside of the view store; only view_store*.c include this. */

#include <lmdb.h>
#include <pthread.h>

#include "core/omap.h"
#include "core/rank.h"
#include "projections/view_store.h"

enum { VIEW_NAME_MAX = 100 };

/* The environment: view_store_env.c. */

struct views_table {
	char name[VIEW_NAME_MAX];
	MDB_dbi dbi;
};

struct views {
	MDB_env *env;
	MDB_dbi meta;
	MDB_dbi names;      /* LMDB's table of tables */
	const uint8_t *map; /* NULL: pages cannot be read */
	int lock_fd;
	bool writemap;
	uint64_t page_bytes;
	uint64_t map_bytes;
	uint64_t reserved;    /* the file has blocks up to here; belongs to the write transaction */
	int fault;            /* for tests: what the next apply fails with */
	pthread_mutex_t lock; /* of what follows */
	struct views_table *tables;
	unsigned n_tables, cap_tables;
	struct view_store *stores;
};

/* What LMDB or the system answered, as our error. Returns its code. */
int views_fail(struct err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Opens tables by name, making those that are absent; handles are shared by all stores. */
int views_tables_open(struct views *v, char names[][VIEW_NAME_MAX], unsigned n, MDB_dbi *ret, struct err *err);
/* The handle of a table that some store has opened. */
bool views_table_find(struct views *v, const char *name, MDB_dbi *ret);
/* Within a write transaction: the table and its rows go, if it is there. */
int views_table_drop(struct views *v, MDB_txn *txn, const char *name, struct err *err);

/* Within a write transaction, before anything is changed: makes sure that it may write `pages` pages. The
 * file does not grow into the last `leave` bytes of the disk. */
int views_reserve(struct views *v, uint64_t pages, uint64_t leave, struct err *err);

/* One store: view_store.c. */

struct view_cursor;
struct view_table {
	MDB_dbi dbi;
	uint64_t root; /* page number in the snapshot; 0: not known */
	uint32_t generation;
	struct rank *rank;        /* of counted tables */
	struct view_cursor *idle; /* cursors to be used again */
};

/* What a look-up of the checkpoint found. */
enum { VIEW_MEMO_BITS = 9, VIEW_MEMO_KEY = 32 };
struct view_memo {
	uint64_t epoch;
	uint32_t table;
	uint32_t key_len;
	struct slice value; /* base NULL: absent */
	uint8_t key[VIEW_MEMO_KEY];
};

/* Names of tables that are to go. */
struct view_drops {
	char (*names)[VIEW_NAME_MAX];
	unsigned n, cap;
};

struct view_store {
	struct state state;
	struct views *views;
	struct view_store *next; /* in views->stores */
	const struct state_table *tables;
	unsigned n_tables;
	MDB_txn *txn;      /* the checkpoint that is read */
	uint64_t snapshot; /* its number; views->lock */
	uint64_t epoch;    /* counts snapshots taken */
	struct omaps *active;
	struct omaps *frozen;  /* NULL: not frozen */
	struct omaps *spare;   /* NULL while frozen */
	uint64_t frozen_bytes; /* told at the freeze: the cursors of this thread may add to it */
	bool rank_failed;      /* a count is lost for want of memory */
	unsigned open_cursors;
	struct view_drops drops; /* tables given up before the freeze: for the apply */
	struct view_drops later; /* and since then: for the next one */
	struct view_memo memo[1 << VIEW_MEMO_BITS];
	struct view_table t[];
};

static inline struct view_store *view_store_of(struct state *s)
{
	return (struct view_store *)s;
}

/* LMDB does not write through it. */
static inline MDB_val view_val(struct slice s)
{
	return (MDB_val){ s.len, (void *)s.base };
}

void view_store_no_memory(struct view_store *vs);
/* The name on disk, into VIEW_NAME_MAX bytes. Returns its length, as snprintf(). */
int view_disk_name(char *ret, const struct state_table *table, uint32_t generation);

/* Cursors: view_store_cursor.c. */
void view_cursor_open(struct state_cursor *c);
void view_cursor_close(struct state_cursor *c);
bool view_cursor_seek(struct state_cursor *c, struct slice key, bool before);
bool view_cursor_step(struct state_cursor *c, bool back);
/* Rows of the checkpoint: view_store_page.c. */
bool view_disk_get(struct view_store *vs, unsigned table, struct slice key, struct slice *ret);
void view_prefetch(struct state *s, const struct state_key *keys, size_t n);
/* Given any record that LMDB handed out: finds out where its map begins, if pages can be read. */
void views_find_map(struct views *v, const void *record);
/* After a snapshot was taken: finds the roots of its tables. */
void view_find_roots(struct view_store *vs);

/* Frees the idle cursors of a table. */
void view_cursors_free(struct view_table *t);

#endif
