#ifndef DAEMON_DIANACTL_AUDIT_H
#define DAEMON_DIANACTL_AUDIT_H

#include "daemon/dianactl_audited.h"

/* What the verbs of `dianactl audit` share. */
struct audit_values {
	const char *data, *export, *key;
	uint64_t size, from, to;
	bool offline;
};

/* Reads a whole file of at most AUDIT_FILE_MAX bytes into ret, which is initialised here and freed by the caller. */
enum { AUDIT_FILE_MAX = 64 << 20 };
int audit_read_file(const char *path, struct buf *ret);

/* What the options say is audited. */
int audit_open(struct dianactl *ctl, const struct audit_values *v, struct audited *ret);

/* A checkpoint of the first `size` events (0: all), and how many these are. note is empty before. */
int audit_take_checkpoint(struct audited *a, uint64_t size, struct buf *note, uint64_t *ret_size);
/* Appends the receipt of an event against that checkpoint. */
int audit_put_receipt(struct audited *a, uint64_t seq, uint64_t size, const struct buf *note, struct buf *out);
/* The key itself, or a file that holds it: a key is no name of a file that anybody has. */
int audit_read_key(const char *given, struct note_key *ret);

int audit_verify(struct dianactl *ctl, const struct audit_values *v);

#endif
