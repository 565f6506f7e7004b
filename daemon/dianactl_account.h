#ifndef DAEMON_DIANACTL_ACCOUNT_H
#define DAEMON_DIANACTL_ACCOUNT_H

/* A user whose points are asked about, and what the daemon says of them. */

#include <stdint.h>
#include <stdio.h>

#include "daemon/client_rpc.h"
#include "daemon/dianactl_command.h"

struct dianactl_account {
	int64_t user_id;
	/* Of user.get and point.get. A deleted user has neither: then they hold the error. */
	struct client_message user, balance;
};

/* word is an id or a @username. An id that nobody has is no failure: its events may still be in the log. ret is zero
 * before, and cleared by the caller also after a failure, which has been reported. */
int dianactl_account_ask(struct dianactl *ctl, const char *word, struct dianactl_account *ret);
void dianactl_account_clear(struct dianactl_account *account);

/* "42 Ana @ana", or "42 (deleted)". */
void dianactl_account_print(FILE *out, const struct dianactl_account *account);

#endif
