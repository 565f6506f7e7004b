#ifndef DAEMON_DIANACTL_HISTORY_H
#define DAEMON_DIANACTL_HISTORY_H

#include "daemon/dianactl_command.h"

/* What the command line of `dianactl history` says. */
struct dianactl_history_values {
	uint64_t limit, to_seq;
	bool all, newest_first;
	const char *from, *to, *source, *at, *data;
};

/* 0: no limit. */
uint64_t dianactl_history_limit(const struct dianactl_history_values *v);

/* Each returns an exit code. */
int dianactl_history_user(struct dianactl *ctl, const struct dianactl_history_values *v);
int dianactl_history_auction(struct dianactl *ctl, const struct dianactl_history_values *v);

#endif
