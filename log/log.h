#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"

/*
 * The append-only log (docs/log-format.md): blocks of events in LMDB, keyed by the last seq of the
 * block, each with a header that carries counts, times, a mask of event types, a checksum and the
 * Merkle tree size and root after it.
 *
 * Life of an event:
 *
 *   log_append()        loop     into the open block; it has a seq and can be read, but is not durable
 *   log_begin_flush()   loop     the open block becomes the block in flight, a new one opens
 *   log_flush()         writer   leaves hashed, block written, made durable (the only blocking call)
 *   log_end_flush()     loop     durable seq moves on, the block in flight is dropped from memory
 *
 * At most one block is in flight. After log_flush() has failed nothing more is accepted:
 * log_failed() is true until the log is closed and opened again, which verifies its tail. What the
 * failed block held is not in the log, or is in it whole; what was appended after it is not.
 *
 * Threads: all calls belong to the loop thread, but log_flush() (one thread at a time), and
 * log_reader_*(), log_prove_*(), log_verify*(), log_backup() and log_seal_prepare() on a reader opened with
 * LOG_DURABLE_ONLY, which any thread may use.
 */
struct log;

struct log_options {
	size_t block_max; /* bytes of events at which log_wants_flush(), 0: 1 MiB */
	size_t map_max;   /* address space for the map, 0: 1 TiB; the file cannot outgrow it. Takes no memory
			   * and no disk; less is taken when the system refuses (RLIMIT_AS, sanitizers) */
	size_t reserve;   /* bytes of disk that stay free, 0: 64 MiB; below it log_space() says so */
	/* Told, first with 0 done and then about every 100 000 events, while the subtree hashes that an older version
	 * did not keep are made from all events; false stops the opening (E_UNAVAILABLE). NULL: nobody. */
	bool (*hashing)(void *arg, uint64_t done, uint64_t of);
	void *arg;
};

/* dir exists. One process at a time, and once in it: E_UNAVAILABLE when somebody holds it. E_INTERNAL: not
 * a log, of an unknown format, or damaged at its tail (the text says what to do). options may be NULL. */
int log_open(const char *dir, const struct log_options *options, struct log **ret, struct err *err);
/* For readers with LOG_DURABLE_ONLY, and nothing else: changes nothing in dir and takes no lock, so that it works
 * beside the daemon, and on a log that log_open() refuses because its tail is damaged. */
int log_open_readonly(const char *dir, struct log **ret, struct err *err);
/* All readers are closed before, and no flush is running. What is not durable is gone. NULL is fine. */
void log_close(struct log *log);

uint64_t log_head(const struct log *log);    /* seq of the last event appended, 0: none */
uint64_t log_durable(const struct log *log); /* seq of the last durable event */
int64_t log_last_at(const struct log *log);  /* `at` of the last event appended, 0: none */
bool log_failed(const struct log *log);
/* A reader that was killed in another process keeps its place in LMDB's table of readers, and the pages that it read
 * from being used again: gives back both. Some microseconds; returns how many there were. */
unsigned log_drop_dead_readers(struct log *log);
/* E_STORAGE_FULL when disk or map, less what waits in memory, have less than the reserve left; else 0. Looked
 * up anew after each block and each second (now_ms is any monotone clock): a second of writing may take more
 * than the reserve. */
int log_space(struct log *log, int64_t now_ms, struct err *err);

/* ---- writing ---- */

/*
 * Appends one commit to the open block: n whole events, `events` their stored bytes one after
 * the other, ends[i] the offset behind event i. Their seqs are log_head()+1 and so on. All or nothing.
 * tags[i] is the type, at their common time (never less than log_last_at()).
 * E_LIMIT_EXCEEDED: the commit alone is larger than 16 MiB; E_UNAVAILABLE: log_failed(), no memory, or
 * 64 MiB wait in the open block.
 */
int log_append(struct log *log, struct slice events, const uint32_t *ends, const uint8_t *tags, size_t n, int64_t at,
	       struct err *err);
/* Bytes in the open block. When log_wants_flush() the caller should flush before it takes more commands;
 * a commit more is no harm. */
size_t log_open_bytes(const struct log *log);
bool log_wants_flush(const struct log *log);

struct block;
/* NULL: nothing to flush, or a block is in flight already. */
struct block *log_begin_flush(struct log *log);
/* Returns when it is durable. E_STORAGE_FULL, E_UNAVAILABLE (outcome unknown), E_INTERNAL. Never to be
 * repeated. */
int log_flush(struct log *log, struct block *block, struct err *err);
/* flushed: log_flush answered 0. Moves log_durable(); or drops what is in memory, so that log_head() is
 * log_durable() again, and log_failed(). */
void log_end_flush(struct log *log, struct block *block, bool flushed);
uint64_t block_last_seq(const struct block *block);

/* ---- reading ---- */

/* Sees the durable blocks as of log_reader_refresh() and, without LOG_DURABLE_ONLY, the block in
 * flight and the open one. With it, a reader that takes much refreshes by itself, between two calls. */
enum { LOG_DURABLE_ONLY = 1 };
struct log_reader;
struct log_entry {
	uint64_t seq;
	uint8_t tag;
	struct slice bytes; /* lent until the next call on the reader (open block: until the next append) */
};

int log_reader_open(struct log *log, int flags, struct log_reader **ret, struct err *err);
void log_reader_close(struct log_reader *r);
/* Begins a new read transaction: 0.1 µs; sees what became durable since. To be called
 * before each use of a kept reader; releases lent bytes. */
int log_reader_refresh(struct log_reader *r, struct err *err);
/* Ends the read transaction, so that an idle reader holds no pages. The next seek refreshes. */
void log_reader_idle(struct log_reader *r);

/* Last seq the reader sees; 0: none, or not refreshed yet. */
uint64_t log_reader_head(const struct log_reader *r);

/* Which types a walk wants: bit of the tag. All zero: every type. */
struct log_types {
	uint64_t bits[4];
};
static inline void log_types_add(struct log_types *t, uint8_t tag)
{
	t->bits[tag >> 6] |= UINT64_C(1) << (tag & 63);
}
static inline bool log_types_has(const struct log_types *t, uint8_t tag)
{
	return (t->bits[tag >> 6] >> (tag & 63)) & 1;
}

/* One event by seq. E_NOT_FOUND beyond the head. E_INTERNAL: damaged block (named in the text). */
int log_reader_get(struct log_reader *r, uint64_t seq, struct log_entry *ret, struct err *err);
/*
 * Next event at or after seq (backward: at or before) whose type is in types (NULL: any); whole blocks
 * without such a type are skipped by their masks. E_NOT_FOUND: no more. Walk by calling again
 * with ret->seq + 1 (or - 1): within one block that costs no lookup.
 * ret_examined (may be NULL) grows by the entries and blocks looked at.
 */
int log_reader_next(struct log_reader *r, uint64_t seq, bool backward, const struct log_types *types,
		    struct log_entry *ret, uint64_t *ret_examined, struct err *err);
/* First seq whose time is >= at (log head + 1 when there is none): a binary search over blocks, then
 * a walk in one. */
int log_reader_seek_time(struct log_reader *r, int64_t at, uint64_t *ret_seq, struct err *err);
/* seq of the last event of the commit that holds seq. */
int log_reader_commit_end(struct log_reader *r, uint64_t seq, uint64_t *ret_last, struct err *err);

/* ---- proof ---- */

/* Root of the Merkle tree over the durable events (RFC 9162, section 2.1), and its size. */
void log_root(const struct log *log, uint64_t *ret_size, uint8_t ret_root[32]);
/* Root of the tree of the first `size` events: recorded where a block ends there, as it does wherever a flush ended
 * until it is sealed; else log_prove_root(). E_NOT_FOUND: 0, or not durable. */
int log_reader_root_at(struct log_reader *r, uint64_t size, uint8_t ret_root[32], struct err *err);

struct proof;
/*
 * Proofs (log/proof.h) over what the reader, LOG_DURABLE_ONLY, sees, each computed from the stored events and
 * subtree hashes and tested against the tail row before it is given away. E_INVALID_ARGUMENT: a size passes
 * the reader's head, or a seq its size (details.field says which, by the names of log.prove); E_INTERNAL: the log is
 * damaged.
 */
int log_prove_root(struct log_reader *r, uint64_t size, uint8_t ret_root[32], struct err *err);
int log_prove_event(struct log_reader *r, uint64_t seq, uint64_t size, struct proof *ret, uint8_t ret_leaf[32],
		    struct err *err);
int log_prove_growth(struct log_reader *r, uint64_t from, uint64_t to, struct proof *ret, struct err *err);

/* A root that the tree of this size is known to have had, from a checkpoint that was kept. */
struct log_mark {
	uint64_t size;
	uint8_t root[32];
};

/*
 * Checks [from, to] from disk: block checksums, gapless seqs, envelopes, times that do not fall, commit
 * borders, gapless stream versions (from 1 when from == 1, else relative to the first seen), and, when
 * from == 1, the Merkle root of every block, the stored subtree hashes, and the marks: a log that says otherwise,
 * or is too short, was changed between the mark before (which held) and the one named, so that first_bad_seq
 * is the first event that may be it. log_verify_marks() checks all, and takes marks that ascend by size.
 * `to` 0, or beyond: the last durable event. progress may be
 * NULL; it is called about every 100 000 events and returns false to stop (E_UNAVAILABLE).
 * Stops at the first fault. Damage is a verdict; an error is that it could not be found out.
 * Memory: 21 to 43 bytes per different stream in the range (half as much again while the table grows).
 */
struct log_verdict {
	bool ok;
	uint64_t checked;
	uint64_t first_bad_seq; /* 0 when ok */
	char reason[160];
};
int log_verify(struct log_reader *r, uint64_t from, uint64_t to,
	       bool (*progress)(void *arg, uint64_t done, uint64_t of), void *arg, struct log_verdict *ret,
	       struct err *err);
int log_verify_marks(struct log_reader *r, const struct log_mark *marks, size_t n_marks,
		     bool (*progress)(void *arg, uint64_t done, uint64_t of), void *arg, struct log_verdict *ret,
		     struct err *err);

/* ---- backup ---- */

struct log_backup {
	uint64_t bytes;
	uint64_t seq; /* last event of the copy */
};
/* How far it is. All zero before; any thread may look while it runs. */
enum log_backup_phase { LOG_BACKUP_BEGINS, LOG_BACKUP_COPIES, LOG_BACKUP_VERIFIES };
struct log_backup_progress {
	_Atomic int phase;
	_Atomic uint64_t done, of; /* bytes, at most; events */
};
/* dir: that of log_backup(). */
void log_backup_look(const struct log_backup_progress *p, const char *dir, enum log_backup_phase *ret_phase,
		     uint64_t *ret_done, uint64_t *ret_of);
/*
 * Copies the durable log to the directory `dir`, which exists and is empty, while the log goes on; makes the copy
 * durable and checks all of it. compact: without free pages. On any thread. progress may be NULL. E_STORAGE_FULL: the
 * target has no room, or ran out of it; E_UNAVAILABLE, E_INTERNAL: it could not be written, or is damaged. What was
 * written then is left: log_backup_remove() takes it and `dir` away.
 */
int log_backup(struct log_reader *r, const char *dir, bool compact, struct log_backup_progress *progress,
	       struct log_backup *ret, struct err *err);
void log_backup_remove(const char *dir);

/* ---- sealing ---- */

/*
 * Cold blocks, the oldest first, are replaced by one that holds the same events packed (log/pack.h). Readers see no
 * difference, but for the roots of log_reader_root_at().
 *
 *   log_seal_prepare()  any thread  reads and packs; nothing in the log changes
 *   log_seal_with()     loop        the block in flight takes it along: log_flush() stores both in one transaction, or
 *   log_seal_write()    writer      a transaction of its own, when there is nothing to flush
 *   log_seal_stored()   loop        whether it is in the log; then log_seal_free()
 *
 * One is under way at a time. It is stored whole or not at all, and what it replaces goes in the same transaction.
 */
struct seal;

/* The next so many cold blocks, if their events are all up to `to`. E_NOT_FOUND: there are too few; E_INTERNAL: damage,
 * or an event that cannot be packed (the text says where), so that sealing ends there; E_UNAVAILABLE: no memory, or
 * *stop became true (may be NULL). */
int log_seal_prepare(struct log_reader *r, uint64_t to, const atomic_bool *stop, struct seal **ret, struct err *err);
/* block is in flight and not handed to log_flush() yet; the seal lives until log_end_flush(). What keeps the seal from
 * being stored does not harm the block. */
void log_seal_with(struct block *block, struct seal *seal);
/* E_STORAGE_FULL, E_UNAVAILABLE, E_INTERNAL: it is not in the log, or in it whole. The log itself goes on. */
int log_seal_write(struct log *log, struct seal *seal, struct err *err);
bool log_seal_stored(const struct seal *seal);
uint64_t log_seal_last(const struct seal *seal); /* seq of its last event */
/* NULL is fine. */
void log_seal_free(struct seal *seal);

/* What is sealed: the events 1 to last. */
struct log_sealed {
	uint64_t last; /* 0: nothing */
	uint64_t blocks;
	uint64_t bytes;     /* of these blocks */
	uint64_t raw_bytes; /* of those they replaced */
};

/* ---- looking at it ---- */

struct log_info {
	struct log_sealed sealed;
	uint64_t blocks;
	uint64_t map_bytes;  /* size of the map */
	uint64_t used_bytes; /* pages in use, free ones included */
	uint64_t free_bytes; /* free space of the file system */
};
int log_info(struct log *log, struct log_info *ret, struct err *err);

#endif
