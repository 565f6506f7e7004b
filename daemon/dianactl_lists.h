#ifndef DAEMON_DIANACTL_LISTS_H
#define DAEMON_DIANACTL_LISTS_H

/* A list as a part of a screen: a title, a table, and whether there is more. */

#include <stdio.h>

#include <msgpack.h>

#include "daemon/client_table.h"
#include "daemon/dianactl_batch.h"
#include "daemon/dianactl_command.h"

struct dianactl_list {
	const char *title;
	const struct client_column *columns;
	size_t n_columns;
	/* Adds a row for an item; about is that of the call below. */
	void (*add)(struct client_table *table, const struct dianactl *ctl, const msgpack_object *item,
		    const void *about);
};

/*
 * Prints what the query at index answered, after an empty line: "title: none" without items, and for
 * a refusal its message. A failure has been reported.
 */
int dianactl_lists_print(FILE *out, const struct dianactl *ctl, const struct dianactl_list *list,
			 const struct dianactl_batch *batch, size_t index, const void *about);

/* The text at key of each item, in one line, with ", ..." when there are more; "none" without items. */
void dianactl_lists_line(FILE *out, const struct dianactl_batch *batch, size_t index, const char *key);

/* "(message)" of the refusal of the query at index. */
void dianactl_lists_refusal(FILE *out, const struct dianactl_batch *batch, size_t index);

#endif
