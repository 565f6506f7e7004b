#ifndef DAEMON_NEW_LEDGER_H
#define DAEMON_NEW_LEDGER_H

#include "core/err.h"

/*
 * A data directory that is to get a log: whole, or not at all.
 *
 *   new_ledger_begin()    DATA is made, or is without a ledger; DATA/log.new is made, and nobody else's
 *                         the log is made in new_ledger_dir(), durable, and closed
 *   new_ledger_commit()   it becomes DATA/log
 *   new_ledger_close()    without a commit nothing is left of it
 *
 * A process that is killed leaves DATA/log.new, which counts for nothing and which the next one takes away.
 */
struct new_ledger;

/* E_ALREADY_EXISTS: DATA holds a ledger with events; E_UNAVAILABLE: a daemon, or another process like this one, has it;
 * E_STORAGE_FULL, E_UNAVAILABLE: it cannot be made. The text says what to do. */
int new_ledger_begin(const char *data, struct new_ledger **ret, struct err *err);
const char *new_ledger_dir(const struct new_ledger *n);
/* Durable when it returns. */
int new_ledger_commit(struct new_ledger *n, struct err *err);
/* NULL is fine. */
void new_ledger_close(struct new_ledger *n);

#endif
