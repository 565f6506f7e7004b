#ifndef DAEMON_EXPORT_H
#define DAEMON_EXPORT_H

#include "daemon/export_event.h"
#include "daemon/export_stream.h"
#include "log/chain.h"
#include "log/log.h"

/*
 * The log, or a part of it, as one file that other programs read: docs/export-format.md, version 1.
 *
 *   header    what follows; for a whole log, its signed checkpoint
 *   events    in the order of the log; after each EXPORT_ROOT_EVERY of them a root
 *   trailer   how many there were, and their Merkle root
 *
 * Each of these is a record: a line of JSON, or a value of MessagePack, where an event is its stored bytes. So a file
 * that was cut off or changed is noticed, and a change lies between two roots.
 */
enum { EXPORT_VERSION = 1, EXPORT_ROOT_EVERY = 1024 };

enum export_format { EXPORT_NDJSON, EXPORT_MSGPACK };

/* What is exported. All zero: everything. Texts are lent. */
struct export_filter {
	uint64_t from_seq, to_seq; /* 0: from the first, to the last */
	bool has_since, has_until;
	int64_t since, until; /* at or after, before */
	int64_t user_id;      /* 0: of anybody */
	const char *stream;   /* NULL: any */
	const char *const *types;
	size_t n_types;
	struct log_types tags; /* those that types mean */
};
/* E_INVALID_ARGUMENT: there is no event of that type. */
int export_filter_types(struct export_filter *f, const char *const *types, size_t n, struct err *err);
/* Whether it leaves out events between from_seq and to_seq. */
bool export_filter_is_partial(const struct export_filter *f);
/* Whether it wants an event between from_seq and to_seq. */
bool export_filter_wants(const struct export_filter *f, struct slice stored, struct arena *arena);

struct export_head {
	bool whole; /* events 1 to to_seq, all of them, commits not torn */
	uint64_t from_seq, to_seq;
	struct slice origin;     /* the ledger's name; absent: not known */
	struct slice checkpoint; /* of to_seq events, when whole; absent: not signed */
};

/* ---- writing ---- */

struct export_writer {
	struct export_out *out; /* lent */
	enum export_format format;
	bool raw; /* each line has the stored bytes, too */
	struct export_event event;
	struct buf packed, text;
	struct merkle tree; /* over what was written */
};

void export_writer_init(struct export_writer *w, struct export_out *out, enum export_format format, bool raw);
void export_writer_free(struct export_writer *w);
/* In this order. filter: as it was given. E_INTERNAL: an event does not decode; else as export_out_write(). */
int export_write_head(struct export_writer *w, const struct export_head *head, const struct export_filter *filter,
		      struct err *err);
int export_write_event(struct export_writer *w, struct slice stored, struct err *err);
int export_write_end(struct export_writer *w, uint8_t ret_root[MERKLE_HASH], struct err *err);

/* ---- reading ---- */

struct export_reader;

/* The next event, checked. Lent until the next call. */
struct export_entry {
	struct envelope head;
	struct slice bytes;
};

/*
 * path, stop_fd: as export_in_open(). marks, lent: roots that somebody kept, ascending by size; only for a whole log.
 * E_INVALID_ARGUMENT: it is no export; E_VERSION_UNSUPPORTED: of a format this program does not read; E_NOT_FOUND,
 * E_UNAVAILABLE: it cannot be read.
 */
int export_reader_open(const char *path, int stop_fd, const struct log_mark *marks, size_t n_marks,
		       struct export_reader **ret, struct err *err);
void export_reader_close(struct export_reader *r);
const struct export_head *export_reader_head(const struct export_reader *r);
/*
 * E_NOT_FOUND: there was the last one, and all is as header, trailer and marks say. E_INVALID_ARGUMENT,
 * E_VERSION_UNSUPPORTED, E_LIMIT_EXCEEDED: what is wrong with the export, and where; export_reader_verdict() then names
 * the first event that may be it. E_UNAVAILABLE: it could not be read.
 */
int export_reader_next(struct export_reader *r, struct export_entry *ret, struct err *err);
const struct log_verdict *export_reader_verdict(const struct export_reader *r);
/* Of the events so far. */
void export_reader_root(const struct export_reader *r, uint8_t ret_root[MERKLE_HASH]);

#endif
