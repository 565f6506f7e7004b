#ifndef DAEMON_CLIENT_TABLE_H
#define DAEMON_CLIENT_TABLE_H

/*
 * A table for people: filled cell by cell in reading order, printed with its columns aligned by what
 * a terminal shows. Sticky: when memory runs out, cells are ignored and printing says so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <msgpack.h>

#include "daemon/client_object.h"

struct client_column {
	const char *title;
	bool right; /* aligned */
};

/* Foreground colours, as the terminal numbers them. */
enum client_colour {
	CLIENT_COLOUR_NONE = 0,
	CLIENT_COLOUR_RED = 31,
	CLIENT_COLOUR_GREEN = 32,
	CLIENT_COLOUR_YELLOW = 33,
};

struct client_table;

/* columns must outlive the table. NULL: out of memory. */
struct client_table *client_table_new(const struct client_column *columns, size_t n);
void client_table_free(struct client_table *table);

/* The next cell. Copies, and makes text from elsewhere harmless to a terminal. An absent text (base
 * NULL) and a NULL or nil object are shown as "-". */
void client_table_text(struct client_table *table, struct client_text text);
void client_table_string(struct client_table *table, const char *string);
/* For numbers and words: at most 255 bytes. */
void client_table_format(struct client_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void client_table_object(struct client_table *table, const msgpack_object *object);

/* Colours the cell added last. */
void client_table_paint(struct client_table *table, enum client_colour colour);

/* Whole rows only; each line begins with indent. False: the table is incomplete for want of memory. */
bool client_table_print(const struct client_table *table, FILE *out, const char *indent, bool colour);

#endif
