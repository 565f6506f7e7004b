#ifndef DAEMON_LOG_KEY_H
#define DAEMON_LOG_KEY_H

#include "log/note.h"

/*
 * The key that signs checkpoints, in DATA/log.key (mode 0600): one line, see log/note.h. It is made once; with another
 * key the ledger is another ledger to its auditors, so that one that cannot be read is never replaced.
 */

/* E_NOT_FOUND: there is none; E_UNAVAILABLE: it cannot be read; E_INVALID_ARGUMENT: it is garbled. */
int log_key_read(const char *data, struct note_key *ret, struct err *err);
/* Reads it, or makes it when there is none. *ret_made says which. */
int log_key_load(const char *data, struct note_key *ret, bool *ret_made, struct err *err);

#endif
