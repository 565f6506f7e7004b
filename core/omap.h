#ifndef CORE_OMAP_H
#define CORE_OMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/slice.h"

/*
 * Ordered maps of rows in memory: what an overlay is made of. A `struct omaps` holds n maps (one per
 * table) that share memory and one undo journal.
 *
 * A key of a map has a value, or is deleted (it hides the same key of a layer below), or the map knows
 * nothing of it. Keys are never taken out one by one: what is undone goes back to "nothing" and only
 * its key stays until omaps_reset().
 *
 * Changes belong to the command in work: omaps_commit() keeps them, omaps_rollback() undoes all since the
 * last of either. Slices handed out, of keys and of values, stay valid until then, whatever is put or
 * deleted meanwhile; those of keys until omaps_reset() or omap_clear().
 *
 * Memory is taken in chunks and kept over omaps_reset(), so that a steady load allocates nothing. One
 * thread at a time; while nothing is put or deleted, others may use omap_rows() and omap_each() beside it.
 * (A cursor is no mere reader: it brings the keys that came since the last one into order.)
 */
struct omaps;

enum omap_found {
	OMAP_NOTHING, /* ask the layer below */
	OMAP_VALUE,
	OMAP_DELETED,
};

/* NULL: no memory. */
struct omaps *omaps_new(unsigned n_maps);
void omaps_free(struct omaps *o);
/* Empties all maps and the journal; the memory is kept. */
void omaps_reset(struct omaps *o);
/* Empties one map; its memory comes back with the next reset. No command is in work. */
void omap_clear(struct omaps *o, unsigned map);

/* The map is only ever told to put keys that are absent in it and below, and to delete keys that are
 * present. So a key put first and deleted later is "nothing" again, and omaps_each_change() can tell how
 * the number of rows changes. */
void omap_make_strict(struct omaps *o, unsigned map);

/* Keys held, whatever their state, and bytes of memory in use. */
uint64_t omaps_rows(const struct omaps *o);
uint64_t omap_rows(const struct omaps *o, unsigned map);
uint64_t omaps_bytes(const struct omaps *o);

/* *ret is set when the answer is OMAP_VALUE. */
enum omap_found omap_get(const struct omaps *o, unsigned map, struct slice key, struct slice *ret);
/* Copy key and value. False: no memory, nothing changed. */
bool omap_put(struct omaps *o, unsigned map, struct slice key, struct slice value);
bool omap_del(struct omaps *o, unsigned map, struct slice key);

void omaps_commit(struct omaps *o);
void omaps_rollback(struct omaps *o);
bool omaps_in_work(const struct omaps *o);

/* Calls f for each change to a strict map by the command in work, in order: +1 for a put, -1 for a
 * delete. */
typedef void omap_change_fn(void *arg, unsigned map, struct slice key, int rows);
void omaps_each_change(const struct omaps *o, omap_change_fn *f, void *arg);

/*
 * Fetches the memory that a get or put of a key will touch, without waiting for it: each step asks for what
 * the next one reads. Steps of many probes taken in turn take far less time than one look-up after another.
 * Nothing is written to the map between the first step and the last.
 */
struct omap;
struct omap_entry;
struct omap_probe {
	const struct omap *map; /* NULL: done */
	const struct omap_entry *entry;
	uint64_t hash;
};
void omap_probe_start(struct omap_probe *p, const struct omaps *o, unsigned map, struct slice key);
/* False: done. */
bool omap_probe_step(struct omap_probe *p);

/* All keys that have a value or are deleted, in order, until f answers other than 0, which is returned. The
 * map is not touched. OMAP_NO_MEMORY: f saw none. */
enum { OMAP_NO_MEMORY = -1 };
typedef int omap_each_fn(void *arg, struct slice key, enum omap_found found, struct slice value);
int omap_each(const struct omaps *o, unsigned map, omap_each_fn *f, void *arg);

/*
 * A position in one map, by value; nothing to close. It stands on keys that have a value or are deleted.
 * Writes to the map are allowed: a step goes on from the key it stands on, in the map as it then is.
 */
struct omap_node;
struct omap_cursor {
	struct omaps *maps;
	unsigned map;
	unsigned at;
	bool failed; /* the last move found no memory, and so no key */
	uint64_t generation;
	const struct omap_node *leaf;
	const struct omap_entry *entry;
};

void omap_cursor_init(struct omap_cursor *c, struct omaps *o, unsigned map);
/* First key >= / > / last key < `key`; last key of all. False: there is none. */
bool omap_cursor_ge(struct omap_cursor *c, struct slice key);
bool omap_cursor_gt(struct omap_cursor *c, struct slice key);
bool omap_cursor_lt(struct omap_cursor *c, struct slice key);
bool omap_cursor_last(struct omap_cursor *c);
/* Only after a move that answered true. */
bool omap_cursor_next(struct omap_cursor *c);
bool omap_cursor_prev(struct omap_cursor *c);
struct slice omap_cursor_key(const struct omap_cursor *c);
/* What the key stands for now. */
enum omap_found omap_cursor_value(const struct omap_cursor *c, struct slice *ret);
/* Have keys appeared in the map since the cursor's last move? */
bool omap_cursor_is_stale(const struct omap_cursor *c);

#endif
