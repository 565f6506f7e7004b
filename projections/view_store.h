#ifndef PROJECTIONS_VIEW_STORE_H
#define PROJECTIONS_VIEW_STORE_H

#include "core/state.h"

/*
 * The view store: one implementation of struct state. Rows changed since the last checkpoint live in an
 * ordered overlay in memory; beneath it lies the frozen overlay that is just being written, beneath that
 * the LMDB environment as of the last checkpoint.
 *
 *   state_put()             loop          active overlay
 *   view_store_freeze()     loop          active becomes frozen, an empty one takes its place
 *   view_store_apply()      checkpointer  the frozen overlay in key order, in one transaction with its
 *                                         checkpoint, synced; the only blocking call
 *   view_store_applied()    loop          reads move to the new checkpoint, the frozen overlay is emptied
 *
 * Memory of overlays is kept and reused. All calls belong to the loop thread but view_store_apply().
 *
 * The environment (struct views) is shared: a rebuild opens a second store over fresh tables of the same
 * environment, folds there in its own thread, and hands the tables over by name.
 */
struct views;

/* dir exists; made if empty. Tables that the files hold but nobody names are left alone.
 * E_UNAVAILABLE: locked by another process. E_INTERNAL: unreadable (the caller may delete the directory
 * and rebuild). */
int views_open(const char *dir, struct views **ret, struct err *err);
void views_close(struct views *v);

/* Drops every table on disk but "<table name>.<generation[i]>" of these. No store is open. */
int views_prune(struct views *v, const struct state_table *tables, unsigned n_tables, const uint32_t *generations,
		struct err *err);

struct views_info {
	uint64_t map_bytes;
	uint64_t used_bytes;
};
int views_info(struct views *v, struct views_info *ret, struct err *err);

/* Small named records beside the tables, for checkpoints: written by view_store_apply(), read here.
 * E_NOT_FOUND: none of that name. The value is copied into `ret`, at most cap bytes. */
int views_meta_get(struct views *v, const char *name, void *ret, size_t cap, size_t *ret_len, struct err *err);

struct view_store;

/*
 * A store over `n_tables` tables. names on disk: "<table name>.<generation[i]>"; a table that is
 * not there yet is empty. tables and generations: tables is borrowed for the store's life,
 * generations is copied. Counted tables are scanned once to build their order statistics.
 */
int view_store_open(struct views *v, const struct state_table *tables, unsigned n_tables, const uint32_t *generations,
		    struct view_store **ret, struct err *err);
void view_store_close(struct view_store *vs);
struct state *view_store_state(struct view_store *vs);

/* Size of the active overlay: when to freeze is the caller's policy. */
void view_store_pending(const struct view_store *vs, uint64_t *ret_rows, uint64_t *ret_bytes);
bool view_store_is_frozen(const struct view_store *vs);
/* No command is in work; not frozen already. */
void view_store_freeze(struct view_store *vs);

struct view_meta {
	const char *name;
	struct slice value;
};
/* Writes the frozen overlay and the meta records; on any thread, while the loop goes on. E_STORAGE_FULL,
 * E_INTERNAL: nothing changed on disk; may be tried again. */
int view_store_apply(struct view_store *vs, const struct view_meta *meta, size_t n_meta, struct err *err);
int view_store_applied(struct view_store *vs, struct err *err);
/* Drops both overlays and reads from the last checkpoint again: after a failed flush of the log. No apply
 * is running, no command in work, no cursor open. Counted tables are scanned. */
int view_store_reset(struct view_store *vs, struct err *err);

/*
 * Takes over table `table` from generation `generation` of the same name (rebuilt by another store whose
 * overlays are applied and empty); the old generation's rows are dropped at the next apply. Not while frozen;
 * what the active overlay holds of that table is discarded. A counted table is scanned, about 50 ms for a
 * million rows.
 */
int view_store_adopt(struct view_store *vs, unsigned table, uint32_t generation, struct err *err);
/* The rows of a generation that no store has open, and that nobody will adopt, go with the next freeze that is applied.
 */
int view_store_give_up(struct view_store *vs, unsigned table, uint32_t generation, struct err *err);
uint32_t view_store_generation(const struct view_store *vs, unsigned table);

/* Rows and bytes of a table as of the last checkpoint. */
int view_store_table_info(struct view_store *vs, unsigned table, uint64_t *ret_rows, uint64_t *ret_bytes,
			  struct err *err);

#endif
