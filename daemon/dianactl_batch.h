#ifndef DAEMON_DIANACTL_BATCH_H
#define DAEMON_DIANACTL_BATCH_H

/* Several queries in one request: a screen made of their answers shows one moment. */

#include <msgpack.h>

#include "daemon/client_error.h"
#include "daemon/client_params.h"
#include "daemon/client_rpc.h"
#include "daemon/dianactl_command.h"

struct dianactl_query {
	const char *name; /* of its answer in JSON */
	const char *method;
	/* Adds the params; NULL: none. about is that of the call below. */
	void (*fill)(struct client_params *params, const void *about);
};

struct dianactl_batch {
	struct client_message answer;
};

/* Asks all of them. The caller clears ret_batch, also after a failure, which has been reported. */
int dianactl_batch_ask(struct dianactl *ctl, const struct dianactl_query *queries, size_t n, const void *about,
		       struct dianactl_batch *ret_batch);

/* The same without a word on stderr; CLIENT_OK, or the code of err. */
int dianactl_batch_retry(struct dianactl *ctl, const struct dianactl_query *queries, size_t n, const void *about,
			 struct dianactl_batch *ret_batch, struct client_error *err);

void dianactl_batch_clear(struct dianactl_batch *batch);

/* The answer to the query at index: a result, or NULL and an error; lent by batch. */
const msgpack_object *dianactl_batch_result(const struct dianactl_batch *batch, size_t index);
const msgpack_object *dianactl_batch_error(const struct dianactl_batch *batch, size_t index);

/* Fills n entries with names and results, nil for what was refused. */
void dianactl_batch_entries(const struct dianactl_batch *batch, const struct dianactl_query *queries, size_t n,
			    msgpack_object_kv *ret_entries);

#endif
