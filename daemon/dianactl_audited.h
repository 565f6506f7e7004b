#ifndef DAEMON_DIANACTL_AUDITED_H
#define DAEMON_DIANACTL_AUDITED_H

/*
 * The ledger that is audited: a running daemon, which is asked, or its data directory, which is read, beside the daemon
 * or without one. Functions return an exit code; what went wrong has been reported.
 */

#include "daemon/dianactl_command.h"
#include "log/log.h"
#include "log/note.h"

struct audited;

struct audited_ops {
	/* The public half; of a directory the secret one too. */
	int (*key)(struct audited *a, struct note_key *ret);
	/* size 0: the head. ret_note is empty before. */
	int (*checkpoint)(struct audited *a, uint64_t size, struct buf *ret_note);
	int (*event)(struct audited *a, uint64_t seq, uint64_t size, struct proof *ret, struct buf *ret_event);
	int (*growth)(struct audited *a, uint64_t from, uint64_t to, struct proof *ret);
	/* Examines the log, and whether it begins with what was signed: marks, ascending by size. The daemon's own
	 * checkpoint must be signed by `key`. */
	int (*verify)(struct audited *a, const struct note_key *key, const struct log_mark *marks, size_t n,
		      struct log_verdict *ret);
};

struct audited {
	const struct audited_ops *ops;
	struct dianactl *ctl;
	const char *data;          /* of a directory */
	struct log *log;           /* of a directory */
	struct log_reader *reader; /* of a directory */
};

/* data NULL: the daemon. */
int audited_open(struct dianactl *ctl, const char *data, struct audited *ret);
void audited_close(struct audited *a);

extern const struct audited_ops audited_daemon;
extern const struct audited_ops audited_directory;

#endif
