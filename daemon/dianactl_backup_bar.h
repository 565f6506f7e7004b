#ifndef DAEMON_DIANACTL_BACKUP_BAR_H
#define DAEMON_DIANACTL_BACKUP_BAR_H

#include "daemon/dianactl_progress.h"
#include "log/log.h"

/* The progress of a copy of a log, which first copies bytes and then verifies events. All zero before. */
struct dianactl_backup_bar {
	enum log_backup_phase phase;
	struct dianactl_progress progress;
};

void dianactl_backup_bar_show(struct dianactl_backup_bar *b, enum log_backup_phase phase, uint64_t done, uint64_t of);
void dianactl_backup_bar_end(struct dianactl_backup_bar *b);

#endif
