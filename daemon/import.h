#ifndef DAEMON_IMPORT_H
#define DAEMON_IMPORT_H

#include "daemon/export.h"

/*
 * Makes the log of an export in the directory `dir`, which exists and is empty: the same events, and so the same Merkle
 * root; blocks of its own. Memory does not grow with it, but for some bytes for each stream (log_verify()).
 * progress may be NULL; false stops (E_UNAVAILABLE). E_INVALID_ARGUMENT: only a part of a log, or as
 * export_reader_next(); E_VERSION_UNSUPPORTED: an event that this version does not know; E_STORAGE_FULL. What was
 * written then is left: log_backup_remove().
 */
int import_log(struct export_reader *r, const char *dir, bool (*progress)(void *arg, uint64_t done, uint64_t of),
	       void *arg, struct err *err);

#endif
