#include "daemon/dianactl_batch.h"

#include <string.h>

#include "daemon/client_object.h"
#include "daemon/dianactl_session.h"

static void pack_text(struct client_params *params, const char *text)
{
	client_params_check(params, msgpack_pack_str(&params->packer, strlen(text)));
	client_params_check(params, msgpack_pack_str_body(&params->packer, text, strlen(text)));
}

static void pack_query(struct client_params *params, const struct dianactl_query *query, const void *about)
{
	struct client_params inner;

	client_params_init(&inner);
	if (query->fill != NULL)
		query->fill(&inner, about);
	client_params_check(params, msgpack_pack_map(&params->packer, 2));
	pack_text(params, "method");
	pack_text(params, query->method);
	pack_text(params, "params");
	client_params_check(params, msgpack_pack_map(&params->packer, inner.n));
	if (inner.n > 0)
		client_params_check(params, msgpack_sbuffer_write(&params->body, inner.body.data, inner.body.size));
	params->failed |= inner.failed;
	client_params_free(&inner);
}

static void batch_params(struct client_params *params, const struct dianactl_query *queries, size_t n,
			 const void *about)
{
	client_params_init(params);
	client_params_key(params, "calls", strlen("calls"));
	client_params_check(params, msgpack_pack_array(&params->packer, n));
	for (size_t i = 0; i < n; i++)
		pack_query(params, &queries[i], about);
}

static bool batch_complete(const struct dianactl_batch *batch, size_t n)
{
	return client_object_length(client_object_get(batch->answer.result, "results")) == n;
}

int dianactl_batch_ask(struct dianactl *ctl, const struct dianactl_query *queries, size_t n, const void *about,
		       struct dianactl_batch *ret_batch)
{
	struct client_params params;
	int rc;

	memset(ret_batch, 0, sizeof(*ret_batch));
	batch_params(&params, queries, n, about);
	rc = dianactl_session_call(ctl, "server.batch", &params, &ret_batch->answer);
	client_params_free(&params);
	if (rc == DIANACTL_OK && !batch_complete(ret_batch, n))
		rc = dianactl_session_odd("server.batch");
	return rc;
}

int dianactl_batch_retry(struct dianactl *ctl, const struct dianactl_query *queries, size_t n, const void *about,
			 struct dianactl_batch *ret_batch, struct client_error *err)
{
	struct client_params params;
	struct client_text message;
	int rc;

	memset(ret_batch, 0, sizeof(*ret_batch));
	batch_params(&params, queries, n, about);
	rc = dianactl_session_retry(ctl, "server.batch", &params, &ret_batch->answer, err);
	client_params_free(&params);
	if (rc != 0 || batch_complete(ret_batch, n))
		return rc;
	message = client_object_text(ret_batch->answer.error, "message");
	if (message.base == NULL)
		return client_error_set(err, CLIENT_GARBAGE,
					"server.batch: the answer makes no sense to this dianactl");
	return client_error_set(err, CLIENT_UNREACHABLE, "%.*s", (int)message.len, message.base);
}

void dianactl_batch_clear(struct dianactl_batch *batch)
{
	client_message_clear(&batch->answer);
}

static const msgpack_object *batch_part(const struct dianactl_batch *batch, size_t index, const char *key)
{
	const msgpack_object *results = client_object_get(batch->answer.result, "results");

	return client_object_get(client_object_at(results, index), key);
}

const msgpack_object *dianactl_batch_result(const struct dianactl_batch *batch, size_t index)
{
	return batch_part(batch, index, "result");
}

const msgpack_object *dianactl_batch_error(const struct dianactl_batch *batch, size_t index)
{
	return batch_part(batch, index, "error");
}

void dianactl_batch_entries(const struct dianactl_batch *batch, const struct dianactl_query *queries, size_t n,
			    msgpack_object_kv *ret_entries)
{
	for (size_t i = 0; i < n; i++) {
		ret_entries[i].key = client_object_of_text(queries[i].name);
		ret_entries[i].val = client_object_or_nil(dianactl_batch_result(batch, i));
	}
}
