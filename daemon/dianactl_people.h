#ifndef DAEMON_DIANACTL_PEOPLE_H
#define DAEMON_DIANACTL_PEOPLE_H

/* Users as they are named on the command line and on the screen. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <msgpack.h>

#include "daemon/client_params.h"

/* Params of user.get for a word that is an id or a username. True: an id, ret_id. */
bool dianactl_people_params(struct client_params *params, const char *word, int64_t *ret_id);

/* " First Last @username", of which each part may be missing. */
void dianactl_people_print(FILE *out, const msgpack_object *user);

#endif
