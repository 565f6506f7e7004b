#ifndef LOG_COPY_H
#define LOG_COPY_H

#include "log/internal.h"

/*
 * Copies the durable log to `dir`, which exists and holds no log, while it goes on: what was durable when the copy came
 * to its end, without free pages, durable itself.
 *
 * In pieces, each read in a transaction of its own and made durable before the next, so that neither freed pages nor
 * the disk are kept from the log for long. E_STORAGE_FULL, E_UNAVAILABLE, E_INTERNAL; what was written then is left.
 */
int copy_log(struct log_reader *r, const char *dir, struct err *err);

#endif
