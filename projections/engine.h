#ifndef PROJECTIONS_ENGINE_H
#define PROJECTIONS_ENGINE_H

#include "projections/fold.h"
#include "projections/query.h"
#include "projections/view_store.h"

/*
 * The engine: projections over the view store, and how far each has folded.
 *
 * The checkpoint on disk says for each projection its version, the generation of its tables and the seq it
 * stands for; and the head it was made at with the log's Merkle root there. Starting up:
 * a projection whose version is another one begins anew in tables of a new generation; a checkpoint that
 * is not of this log throws all views away. When in doubt, rebuild: views are a cache.
 *
 * Threads: the loop's, but engine_apply() (one thread at a time), and a snapshot or rebuild, which belong to
 * the thread that works on it.
 */
struct engine;

enum { ENGINE_ROOT = 32 };

/* dir is made if it is not there. Views that cannot be read are thrown away. */
int engine_open(const char *dir, struct engine **ret, struct err *err);
/* Loses what was folded since the last checkpoint. NULL is fine. */
void engine_close(struct engine *e);

struct state *engine_state(struct engine *e);
/* seq and root of the checkpoint that the views were opened at; seq 0: none. To be compared with the log:
 * when they do not agree, engine_discard() and fold from seq 1. */
void engine_checkpoint(const struct engine *e, uint64_t *ret_seq, uint8_t ret_root[ENGINE_ROOT]);
/* Throws all views away. */
int engine_discard(struct engine *e, struct err *err);

/* Lowest seq that a projection still lacks; head + 1 when all are there. */
uint64_t engine_next(const struct engine *e);
/* Folds one event into every projection that lacks it, without committing: the ledger does that per command. */
void engine_fold(struct engine *e, const struct event *ev);
/* After the last event of a commit was folded and the state committed. */
void engine_folded(struct engine *e, uint64_t seq);

/*
 * Folds up to `to` from the log, with checkpoints on the way when the overlay is full. progress may be NULL
 * and answers false to stop (E_UNAVAILABLE).
 */
int engine_catch_up(struct engine *e, const struct event_source *log, uint64_t to,
		    bool (*progress)(void *arg, uint64_t seq, uint64_t to), void *arg, struct err *err);

/* ---- checkpoints ---- */

/* Rows and bytes since the last freeze. */
void engine_pending(const struct engine *e, uint64_t *ret_rows, uint64_t *ret_bytes);
bool engine_wants_freeze(const struct engine *e); /* the overlay is large enough */
bool engine_overfull(const struct engine *e);     /* no more commands until a checkpoint is through */
bool engine_is_frozen(const struct engine *e);
/* The state as of `seq`, the log's head, which must be the end of a block. Nothing is frozen yet. */
void engine_freeze(struct engine *e, uint64_t seq);
/* root: of the log at the frozen seq, which is durable now. Blocks. E_STORAGE_FULL: may be tried again. */
int engine_apply(struct engine *e, const uint8_t root[ENGINE_ROOT], struct err *err);
int engine_applied(struct engine *e, struct err *err);
/* After a failed flush of the log: back to the last checkpoint. */
int engine_reset(struct engine *e, struct err *err);

/* ---- looking at it ---- */

struct projection_info {
	uint64_t seq;        /* last event folded */
	uint32_t generation; /* of its tables */
	uint64_t entries;    /* rows as of the last checkpoint */
	uint64_t bytes;
};
int engine_info(struct engine *e, enum projection_id p, struct projection_info *ret, struct err *err);
int engine_storage(struct engine *e, struct views_info *ret, struct err *err);

/*
 * The views as of the last checkpoint, for a worker. To be opened while no checkpoint is applied (the caller
 * sees to that); afterwards it stands still whatever the loop does.
 */
struct snapshot;
int snapshot_open(struct engine *e, struct snapshot **ret, struct err *err);
void snapshot_close(struct snapshot *s);
struct state *snapshot_state(struct snapshot *s);
uint64_t snapshot_seq(const struct snapshot *s);

/* XXH3-128 over the rows of a projection's tables, in order. Equal states have equal fingerprints. */
int projection_fingerprint(struct state *s, enum projection_id p, char ret_hex[33], struct err *err);
/* The first row in which two states differ, as text: "table balance, key 000...2a". False: none. */
bool projection_difference(struct state *a, struct state *b, enum projection_id p, char *text, size_t size);

/* ---- rebuilding beside the live tables ---- */

/*
 *   rebuild_open()     loop     fresh tables of a new generation for the projections of the mask
 *   rebuild_fold()     worker   folds the durable log into them, up to a seq, and applies
 *   rebuild_adopt()    loop     the live store takes the tables over and folds what came since
 *   rebuild_close()    loop
 *
 * Tables that were not adopted are dropped by the next checkpoint or, after a kill, by the next start.
 */
struct rebuild;
int rebuild_open(struct engine *e, unsigned projections, struct rebuild **ret, struct err *err);
int rebuild_fold(struct rebuild *r, const struct event_source *log, uint64_t to,
		 bool (*progress)(void *arg, uint64_t seq, uint64_t to), void *arg, struct err *err);
struct state *rebuild_state(struct rebuild *r);
uint64_t rebuild_seq(const struct rebuild *r);
/* Nothing is frozen. Folds rebuild_seq()+1 .. to from the log. */
int rebuild_adopt(struct rebuild *r, const struct event_source *log, uint64_t to, struct err *err);
void rebuild_close(struct rebuild *r);

#endif
