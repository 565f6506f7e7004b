#ifndef DAEMON_REFERENCE_H
#define DAEMON_REFERENCE_H

#include <stdio.h>

#include "daemon/call.h"

/* The reference of all methods, from the schema: for server.methods, and as docs/methods.md. */

/* One method (one kind of it) as a map. Needs plans_init(). */
void reference_show(enum method_id m, struct buf *out);
/* Markdown. */
void reference_print(FILE *f);

#endif
