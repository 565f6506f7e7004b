#ifndef DAEMON_DIANACTL_PROJECTIONS_H
#define DAEMON_DIANACTL_PROJECTIONS_H

/* The table of projections, shown by more than one command. */

#include <msgpack.h>

#include "daemon/dianactl_command.h"

/* items as of projection.list; each line begins with indent. A failure has been reported. */
int dianactl_projections_print(const struct dianactl *ctl, const msgpack_object *items, const char *indent);

#endif
