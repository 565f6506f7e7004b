#ifndef DAEMON_DIANACTL_COUNTERS_H
#define DAEMON_DIANACTL_COUNTERS_H

/* What server.stats counts by method, added up. */

#include <stdint.h>

#include <msgpack.h>

/* Calls answered since the daemon started; ret_refused: with an error. 0 when stats has no such section. */
uint64_t dianactl_counters_calls(const msgpack_object *stats, uint64_t *ret_refused);

#endif
