#ifndef DAEMON_DIANACTL_STOP_H
#define DAEMON_DIANACTL_STOP_H

/* Ctrl-C and SIGTERM as an end that a command comes to by itself, with everything put in order. */

#include <stdbool.h>

#include "daemon/dianactl_command.h"

/* From now on these signals end every wait for the daemon (ctl->stop_fd). A failure has been reported. */
int dianactl_stop_install(struct dianactl *ctl);

/* Waits so long. True: stop now. */
bool dianactl_stop_wait(const struct dianactl *ctl, int wait_ms);

/*
 * Whether the reader of stdout has what was printed. When a signal ended the wait for a reader that does not
 * read, the rest is dropped, or exiting would wait again; of any other failure main tells.
 */
bool dianactl_stop_flush(void);

#endif
