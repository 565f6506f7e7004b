#ifndef DAEMON_DIANACTL_AUDIT_H
#define DAEMON_DIANACTL_AUDIT_H

#include "daemon/dianactl_audited.h"

/* What the verbs of `dianactl audit` share. */
struct audit_values {
	const char *data, *key;
	uint64_t size, from, to;
	bool offline;
};

/* Reads a whole file of at most AUDIT_FILE_MAX bytes into ret, which is initialised here and freed by the caller. */
enum { AUDIT_FILE_MAX = 64 << 20 };
int audit_read_file(const char *path, struct buf *ret);

int audit_verify(struct dianactl *ctl, const struct audit_values *v);

#endif
