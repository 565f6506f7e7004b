#ifndef DAEMON_LOG_DIRECTORY_H
#define DAEMON_LOG_DIRECTORY_H

#include "log/log.h"

/*
 * The log in a data directory or a backup, for reading, also beside its daemon. ret_reader sees the durable events of
 * now, and is closed before ret_log. E_NOT_FOUND: there is no ledger; else as log_open_readonly().
 */
int log_directory_open(const char *data, struct log **ret_log, struct log_reader **ret_reader, struct err *err);

#endif
