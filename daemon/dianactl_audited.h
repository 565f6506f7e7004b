#ifndef DAEMON_DIANACTL_AUDITED_H
#define DAEMON_DIANACTL_AUDITED_H

/*
 * The ledger that is audited: a running daemon, which is asked; its data directory, which is read, beside the daemon or
 * without one; or an export. Functions return an exit code; what went wrong has been reported.
 */

#include <msgpack.h>

#include "daemon/client_rpc.h"
#include "daemon/dianactl_command.h"
#include "log/log.h"
#include "log/note.h"

struct audited;

/* Which events: what is not given does not count. */
struct audited_query {
	uint64_t from_seq, to_seq;  /* to_seq 0: the last */
	int64_t user_id;            /* events with this user */
	const char *const *streams; /* of any of these; a daemon gives one after the other */
	size_t n_streams;
	const char *const *types; /* exact, or aggregate.* */
	size_t n_types;
};
/* Takes an event in the form of log.read, lent. Other than DIANACTL_OK ends the reading, and is its exit code. */
typedef int audited_take(void *arg, const msgpack_object *event);

struct audited_ops {
	/* The public half; of a directory the secret one too. */
	int (*key)(struct audited *a, struct note_key *ret);
	/* size 0: the head. ret_note is empty before. */
	int (*checkpoint)(struct audited *a, uint64_t size, struct buf *ret_note);
	int (*event)(struct audited *a, uint64_t seq, uint64_t size, struct proof *ret, struct buf *ret_event);
	int (*growth)(struct audited *a, uint64_t from, uint64_t to, struct proof *ret);
	/* Events, the oldest first (of each stream). A directory has no index: all of its log is looked at. This and
	 * get() are NULL for an export, which is there to be verified. */
	int (*read)(struct audited *a, const struct audited_query *q, audited_take *take, void *arg);
	/* One event in that form, which the caller clears. */
	int (*get)(struct audited *a, uint64_t seq, struct client_message *ret);
	/* Examines the log, and whether it begins with what was signed: marks, ascending by size. The daemon's own
	 * checkpoint must be signed by `key`. */
	int (*verify)(struct audited *a, const struct note_key *key, const struct log_mark *marks, size_t n,
		      struct log_verdict *ret);
};

struct audited {
	const struct audited_ops *ops;
	struct dianactl *ctl;
	const char *data;          /* of a directory */
	const char *export;        /* a file */
	struct log *log;           /* of a directory */
	struct log_reader *reader; /* of a directory */
};

/* data NULL: the daemon. */
int audited_open(struct dianactl *ctl, const char *data, struct audited *ret);
/* An export. It is read when it is asked something. */
void audited_open_export(struct dianactl *ctl, const char *path, struct audited *ret);
void audited_close(struct audited *a);

extern const struct audited_ops audited_daemon;
extern const struct audited_ops audited_directory;
extern const struct audited_ops audited_export;

#endif
