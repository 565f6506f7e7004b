#include <inttypes.h>
#include <stdio.h>

#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/dianactl_audited.h"
#include "daemon/dianactl_session.h"
#include "log/base64.h"

static struct slice text_of(const msgpack_object *map, const char *key)
{
	struct client_text text = client_object_text(map, key);

	return slice_of(text.base, text.len);
}

/* Frees params. */
static int call(struct audited *a, const char *method, struct client_params *params, struct client_message *ret)
{
	int rc = dianactl_session_call(a->ctl, method, params, ret);

	client_params_free(params);
	return rc;
}

static bool key_of(const msgpack_object *result, struct note_key *ret)
{
	struct slice origin = text_of(result, "origin"), id = text_of(result, "key_id");
	uint8_t bytes[1 + NOTE_PUBLIC] = { 1 };
	char encoded[64], text[NOTE_KEY_TEXT];
	struct err err;
	int n;

	if (!base64_get(text_of(result, "public_key"), bytes + 1, NOTE_PUBLIC))
		return false;
	base64_put(slice_of(bytes, sizeof(bytes)), encoded);
	n = snprintf(text, sizeof(text), "%.*s+%.*s+%s", SLICE_FMT(origin), SLICE_FMT(id), encoded);
	return n > 0 && (size_t)n < sizeof(text) && note_key_parse(slice_of(text, (size_t)n), ret, &err) == 0;
}

static int daemon_key(struct audited *a, struct note_key *ret)
{
	struct client_message answer;
	struct client_params params;
	bool ok;
	int rc;

	client_params_init(&params);
	rc = call(a, "log.key", &params, &answer);
	if (rc != DIANACTL_OK)
		return rc;
	ok = key_of(answer.result, ret);
	client_message_clear(&answer);
	return ok ? DIANACTL_OK : dianactl_session_odd("log.key");
}

static int daemon_checkpoint(struct audited *a, uint64_t size, struct buf *ret_note)
{
	struct client_message answer;
	struct client_params params;
	struct slice note;
	int rc;

	client_params_init(&params);
	if (size != 0)
		client_params_uint(&params, "tree_size", size);
	rc = call(a, "log.checkpoint", &params, &answer);
	if (rc != DIANACTL_OK)
		return rc;
	note = text_of(answer.result, "text");
	buf_append(ret_note, note.base, note.len);
	client_message_clear(&answer);
	return note.len > 0 && !ret_note->failed ? DIANACTL_OK : dianactl_session_odd("log.checkpoint");
}

static bool read_path(const msgpack_object *result, struct proof *ret)
{
	const msgpack_object *path = client_object_get(result, "path");
	size_t n = client_object_length(path);

	if (path == NULL || path->type != MSGPACK_OBJECT_ARRAY || n > PROOF_MAX)
		return false;
	for (ret->n = 0; ret->n < n; ret->n++) {
		struct client_text text = client_object_as_text(client_object_at(path, ret->n));

		if (text.base == NULL || !base64_get(slice_of(text.base, text.len), ret->hash[ret->n], MERKLE_HASH))
			return false;
	}
	return true;
}

/* Frees params. */
static int prove(struct audited *a, struct client_params *params, struct proof *ret)
{
	struct client_message answer;
	bool ok;
	int rc = call(a, "log.prove", params, &answer);

	if (rc != DIANACTL_OK)
		return rc;
	ok = read_path(answer.result, ret);
	client_message_clear(&answer);
	return ok ? DIANACTL_OK : dianactl_session_odd("log.prove");
}

static int get_event(struct audited *a, uint64_t seq, struct buf *ret_event)
{
	struct client_message answer;
	struct client_params params;
	const msgpack_object *raw;
	int rc;

	client_params_init(&params);
	client_params_uint(&params, "seq", seq);
	client_params_bool(&params, "raw", true);
	rc = call(a, "log.get", &params, &answer);
	if (rc != DIANACTL_OK)
		return rc;
	raw = client_object_get(answer.result, "raw");
	if (raw != NULL && raw->type == MSGPACK_OBJECT_BIN)
		buf_append(ret_event, raw->via.bin.ptr, raw->via.bin.size);
	client_message_clear(&answer);
	return ret_event->len > 0 ? DIANACTL_OK : dianactl_session_odd("log.get");
}

static int daemon_event(struct audited *a, uint64_t seq, uint64_t size, struct proof *ret, struct buf *ret_event)
{
	struct client_params params;
	int rc;

	client_params_init(&params);
	client_params_uint(&params, "seq", seq);
	client_params_uint(&params, "tree_size", size);
	rc = prove(a, &params, ret);
	return rc == DIANACTL_OK ? get_event(a, seq, ret_event) : rc;
}

static int daemon_growth(struct audited *a, uint64_t from, uint64_t to, struct proof *ret)
{
	struct client_params params;

	client_params_init(&params);
	client_params_uint(&params, "from_size", from);
	client_params_uint(&params, "to_size", to);
	return prove(a, &params, ret);
}

/* ---- reading ---- */

enum { PAGE = 1000 };

static void put_query(struct client_params *params, const struct audited_query *q, const char *stream)
{
	client_params_uint(params, "from_seq", q->from_seq);
	if (q->to_seq != 0)
		client_params_uint(params, "to_seq", q->to_seq);
	if (q->user_id != 0)
		client_params_int(params, "user_id", q->user_id);
	if (stream != NULL)
		client_params_text(params, "stream", stream);
	if (q->n_types > 0)
		client_params_texts(params, "types", q->types, q->n_types);
	client_params_uint(params, "limit", PAGE);
}

static int take_all(const msgpack_object *items, audited_take *take, void *arg)
{
	int rc = DIANACTL_OK;

	for (size_t i = 0; i < client_object_length(items) && rc == DIANACTL_OK; i++)
		rc = take(arg, client_object_at(items, i));
	return rc;
}

/* Page by page: a cursor stays good while others write. */
static int read_stream(struct audited *a, const struct audited_query *q, const char *stream, audited_take *take,
		       void *arg)
{
	struct client_message page = { 0 };
	const msgpack_object *next = NULL;
	int rc;

	do {
		struct client_params params;
		struct client_message answer;

		client_params_init(&params);
		put_query(&params, q, stream);
		if (next != NULL)
			client_params_object(&params, "after", next);
		rc = call(a, "log.read", &params, &answer);
		if (rc != DIANACTL_OK)
			break;
		client_message_clear(&page);
		page = answer;
		rc = take_all(client_object_get(page.result, "items"), take, arg);
		next = client_object_get(page.result, "next");
	} while (rc == DIANACTL_OK && next != NULL);
	client_message_clear(&page);
	return rc;
}

static int daemon_read(struct audited *a, const struct audited_query *q, audited_take *take, void *arg)
{
	int rc = DIANACTL_OK;

	if (q->n_streams == 0)
		return read_stream(a, q, NULL, take, arg);
	for (size_t i = 0; i < q->n_streams && rc == DIANACTL_OK; i++)
		rc = read_stream(a, q, q->streams[i], take, arg);
	return rc;
}

static int daemon_get(struct audited *a, uint64_t seq, struct client_message *ret)
{
	struct client_params params;

	client_params_init(&params);
	client_params_uint(&params, "seq", seq);
	return call(a, "log.get", &params, ret);
}

/* ---- verifying ---- */

static void read_verdict(const msgpack_object *result, struct log_verdict *ret)
{
	struct slice reason = text_of(result, "reason");

	*ret = (struct log_verdict){ .ok = client_object_bool(result, "ok", false),
				     .checked = client_object_uint(result, "checked", 0),
				     .first_bad_seq = client_object_uint(result, "first_bad_seq", 0) };
	snprintf(ret->reason, sizeof(ret->reason), "%.*s", reason.len > 150 ? 150 : (int)reason.len,
		 reason.base != NULL ? (const char *)reason.base : "");
}

static int ask_verdict(struct audited *a, struct log_verdict *ret)
{
	struct client_message answer;
	struct client_params params;
	int rc;

	client_params_init(&params);
	rc = call(a, "log.verify", &params, &answer);
	if (rc != DIANACTL_OK)
		return rc;
	read_verdict(answer.result, ret);
	client_message_clear(&answer);
	return DIANACTL_OK;
}

/* The daemon's checkpoint of now, tested. */
static int head_now(struct audited *a, const struct note_key *key, struct log_mark *ret, struct log_verdict *verdict)
{
	struct checkpoint c;
	struct buf note;
	struct err err;
	int rc;

	buf_init(&note, 1 << 16);
	rc = daemon_checkpoint(a, 0, &note);
	if (rc == DIANACTL_OK && checkpoint_open(buf_slice(&note), key, &c, &err) != 0) {
		verdict->ok = false;
		snprintf(verdict->reason, sizeof(verdict->reason), "its checkpoint of now: %.120s", err.text);
	} else if (rc == DIANACTL_OK) {
		ret->size = c.size;
		memcpy(ret->root, c.root, MERKLE_HASH);
	}
	buf_free(&note);
	return rc;
}

/* Whether the daemon can show that the log of now begins with what was signed then. */
static int compare(struct audited *a, const struct log_mark *then, const struct log_mark *now, uint64_t held,
		   struct log_verdict *verdict)
{
	struct proof p;
	int rc;

	if (then->size > now->size) {
		verdict->ok = false;
		verdict->first_bad_seq = now->size + 1;
		snprintf(verdict->reason, sizeof(verdict->reason),
			 "the log ends at %" PRIu64 ", a checkpoint has seen %" PRIu64, now->size, then->size);
		return DIANACTL_OK;
	}
	rc = daemon_growth(a, then->size, now->size, &p);
	if (rc != DIANACTL_OK || proof_shows_growth(&p, then->size, then->root, now->size, now->root))
		return rc;
	verdict->ok = false;
	verdict->first_bad_seq = held + 1;
	snprintf(verdict->reason, sizeof(verdict->reason),
		 "events %" PRIu64 "..%" PRIu64 ": not those of the checkpoint of size %" PRIu64, held + 1, then->size,
		 then->size);
	return DIANACTL_OK;
}

/* First the daemon's own examination, on whose word it is that events and hashes agree; then proofs, which need none.
 */
static int daemon_verify(struct audited *a, const struct note_key *key, const struct log_mark *marks, size_t n,
			 struct log_verdict *ret)
{
	struct log_verdict verdict;
	struct log_mark now = { 0 };
	int rc = ask_verdict(a, &verdict);

	if (rc == DIANACTL_OK && verdict.ok)
		rc = head_now(a, key, &now, &verdict);
	for (size_t i = 0; rc == DIANACTL_OK && verdict.ok && i < n; i++)
		rc = compare(a, &marks[i], &now, i > 0 ? marks[i - 1].size : 0, &verdict);
	if (rc == DIANACTL_OK)
		*ret = verdict;
	return rc;
}

const struct audited_ops audited_daemon = {
	.key = daemon_key,
	.checkpoint = daemon_checkpoint,
	.event = daemon_event,
	.growth = daemon_growth,
	.read = daemon_read,
	.get = daemon_get,
	.verify = daemon_verify,
};
