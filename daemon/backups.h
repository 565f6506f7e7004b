#ifndef DAEMON_BACKUPS_H
#define DAEMON_BACKUPS_H

#include "core/buf.h"
#include "log/log.h"

/* The backup that is running, for whoever asks meanwhile. The reader thread makes it, one at a time; the loop shows it.
 */
struct backups;

struct backups *backups_new(void);
void backups_free(struct backups *b);

/* Reader thread. path: as it was asked for; dir: that of log_backup(), to which what is returned is given. */
struct log_backup_progress *backups_begin(struct backups *b, const char *path, const char *dir);
void backups_end(struct backups *b);

/* Loop: {path, phase, done, of, time_ms}, or nil when none is running. */
void backups_show(struct backups *b, struct buf *out);

#endif
