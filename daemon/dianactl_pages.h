#ifndef DAEMON_DIANACTL_PAGES_H
#define DAEMON_DIANACTL_PAGES_H

/* A list read page by page and kept whole, since columns are aligned over all of it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "daemon/client_params.h"
#include "daemon/client_rpc.h"
#include "daemon/dianactl_command.h"

struct dianactl_pages {
	struct client_message *answers; /* own what items point into */
	size_t n_answers, max_answers;
	msgpack_object *items; /* in the order of the list */
	size_t n_items, max_items;
	bool more; /* the list goes on after the last item */
};

/*
 * Reads items of method's list until it ends or there are limit of them; 0 reads it all. params are
 * those of the list but for limit and after. pages must be zero, and be freed also on failure. A
 * failure has been reported.
 */
int dianactl_pages_read(struct dianactl *ctl, const char *method, const struct client_params *params, uint64_t limit,
			struct dianactl_pages *pages);
void dianactl_pages_free(struct dianactl_pages *pages);

/* The items as one array, lent by pages. */
msgpack_object dianactl_pages_items(const struct dianactl_pages *pages);

#endif
