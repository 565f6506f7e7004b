#ifndef DAEMON_DIANACTL_CALL_H
#define DAEMON_DIANACTL_CALL_H

#include <stddef.h>

#include "daemon/client_error.h"
#include "daemon/client_params.h"

/* Params as they stand on a command line: nothing, one JSON object, "-" for stdin, or words KEY=VALUE. Returns 0, or
 * the code of err; params is then fit only to be freed. */
int dianactl_call_params(const char *const *words, size_t n, struct client_params *params, struct client_error *err);

#endif
