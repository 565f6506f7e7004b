#include "daemon/dianactl_backup_bar.h"

enum { MIB = 1 << 20 };

void dianactl_backup_bar_show(struct dianactl_backup_bar *b, enum log_backup_phase phase, uint64_t done, uint64_t of)
{
	bool copies = phase == LOG_BACKUP_COPIES;

	if (phase == LOG_BACKUP_BEGINS)
		return;
	if (phase != b->phase)
		dianactl_progress_begin(&b->progress, copies ? "MiB" : "events", 0);
	b->phase = phase;
	dianactl_progress_show(&b->progress, copies ? done / MIB : done, copies ? of / MIB : of);
}

void dianactl_backup_bar_end(struct dianactl_backup_bar *b)
{
	if (b->phase != LOG_BACKUP_BEGINS)
		dianactl_progress_end(&b->progress);
}
