#ifndef DAEMON_DIANACTL_EVENTS_H
#define DAEMON_DIANACTL_EVENTS_H

/* An event as a line for people, shown by more than one command. */

#include <stdbool.h>
#include <stddef.h>

#include <msgpack.h>

/*
 * Time, seq, type, stream, actor and data of an event as the log gives it: an owned line (free()),
 * harmless to a terminal and cut to columns unless that is 0. NULL: out of memory.
 */
char *dianactl_events_line(const msgpack_object *event, bool utc, size_t columns);

#endif
