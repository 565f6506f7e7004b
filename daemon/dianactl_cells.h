#ifndef DAEMON_DIANACTL_CELLS_H
#define DAEMON_DIANACTL_CELLS_H

/* What the ledger's values mean to people: points, moments, sizes. In a cell an absent one is "-". */

#include <stdbool.h>

#include <msgpack.h>

#include "daemon/client_format.h"
#include "daemon/client_table.h"

/* Whether this value is points with a fraction: then a column shows decimals throughout. */
bool dianactl_cells_fraction(const msgpack_object *points);

/* Points for a sentence: decimals only where they have a fraction. Fills out and returns it. */
char *dianactl_cells_amount(char out[CLIENT_FORMAT_MAX], const msgpack_object *map, const char *key);

void dianactl_cells_points(struct client_table *table, const msgpack_object *points, bool decimals);

/* map[key] as Unix milliseconds. */
void dianactl_cells_time(struct client_table *table, const msgpack_object *map, const char *key, bool utc);

/* map[key] as a size in bytes. */
void dianactl_cells_bytes(struct client_table *table, const msgpack_object *map, const char *key);

/* The texts of an array, joined by ", "; an owned text (free()), empty when there are none. NULL: out
 * of memory. */
char *dianactl_cells_join(const msgpack_object *texts);

/* Prints text made harmless to a terminal. */
void dianactl_cells_print(FILE *out, struct client_text text);
void dianactl_cells_paint(FILE *out, struct client_text text, enum client_colour colour);

/* The daemon's status: ok, degraded, failing. */
void dianactl_cells_status(FILE *out, struct client_text status, bool colour);

/* What a line of a screen begins with: label, filled up to where values stand. */
void dianactl_cells_label(FILE *out, const char *label);

/* "once", or "3 times". Fills out and returns it. */
char *dianactl_cells_times(char out[CLIENT_FORMAT_MAX], uint64_t n);

/* before and map[key] as Unix milliseconds; nothing when it is absent. */
void dianactl_cells_moment(FILE *out, const char *before, const msgpack_object *map, const char *key, bool utc);

#endif
