#include <inttypes.h>
#include <stdio.h>

#include "daemon/dianactl_audited.h"
#include "daemon/dianactl_progress.h"
#include "daemon/dianactl_session.h"
#include "daemon/event_log.h"
#include "daemon/log_directory.h"
#include "daemon/log_key.h"

static int failed(const struct err *err)
{
	dianactl_session_warn("%s", err->text);
	return err->code == E_UNAVAILABLE || err->code == E_NOT_FOUND ? DIANACTL_NO_ANSWER : DIANACTL_REFUSED;
}

int audited_open(struct dianactl *ctl, const char *data, struct audited *ret)
{
	struct audited a = { .ops = data != NULL ? &audited_directory : &audited_daemon, .ctl = ctl, .data = data };
	struct err err;
	int rc = data != NULL ? log_directory_open(data, &a.log, &a.reader, &err) : 0;

	if (rc != 0)
		return failed(&err);
	*ret = a;
	return DIANACTL_OK;
}

void audited_close(struct audited *a)
{
	log_reader_close(a->reader);
	log_close(a->log);
}

static int directory_key(struct audited *a, struct note_key *ret)
{
	struct err err;

	return log_key_read(a->data, ret, &err) == 0 ? DIANACTL_OK : failed(&err);
}

static int directory_checkpoint(struct audited *a, uint64_t size, struct buf *ret_note)
{
	uint8_t root[MERKLE_HASH];
	struct note_key key;
	struct err err;
	int rc = directory_key(a, &key);

	if (rc != DIANACTL_OK)
		return rc;
	if (size == 0)
		size = log_reader_head(a->reader);
	rc = log_prove_root(a->reader, size, root, &err);
	if (rc == 0)
		rc = checkpoint_sign(size, root, &key, ret_note, &err);
	return rc == 0 ? DIANACTL_OK : failed(&err);
}

static int directory_event(struct audited *a, uint64_t seq, uint64_t size, struct proof *ret, struct buf *ret_event)
{
	uint8_t leaf[MERKLE_HASH];
	struct log_entry e;
	struct err err;
	int rc = log_prove_event(a->reader, seq, size, ret, leaf, &err);

	if (rc == 0)
		rc = log_reader_get(a->reader, seq, &e, &err);
	if (rc != 0)
		return failed(&err);
	buf_append(ret_event, e.bytes.base, e.bytes.len);
	return ret_event->failed ? dianactl_session_no_memory() : DIANACTL_OK;
}

static int directory_growth(struct audited *a, uint64_t from, uint64_t to, struct proof *ret)
{
	struct err err;

	return log_prove_growth(a->reader, from, to, ret, &err) == 0 ? DIANACTL_OK : failed(&err);
}

/* ---- reading ---- */

enum { EVENT_MAX = 64 << 20, SHOW_EVERY = 1024 };

/* One walk over the log. */
struct scan {
	const struct audited_query *q;
	struct log_types types;
	struct arena arena;
	struct dianactl_progress progress;
};

static bool in_streams(const struct audited_query *q, struct slice stream)
{
	for (size_t i = 0; i < q->n_streams; i++)
		if (slice_is(stream, q->streams[i]))
			return true;
	return q->n_streams == 0;
}

/* What does not decode is wanted: showing it tells what is wrong. */
static bool wanted(struct scan *s, struct slice stored)
{
	struct envelope env;
	struct event ev;

	if (envelope_decode(stored, &env) && !in_streams(s->q, env.stream))
		return false;
	return s->q->user_id == 0 || !event_from_stored(stored, &s->arena, &ev, &env) ||
	       event_concerns(&ev, s->q->user_id);
}

/* The event as the daemon would answer it. */
static int show(struct scan *s, struct slice stored, struct client_message *ret)
{
	struct buf b;
	struct err err;

	buf_init(&b, EVENT_MAX);
	if (event_show(&b, stored, false, &s->arena, &err) != 0 || b.failed) {
		bool full = b.failed;

		buf_free(&b);
		return full ? dianactl_session_no_memory() : failed(&err);
	}
	/* b's memory, in a message that frees it */
	return client_message_take((char *)b.base, b.len, ret) ? DIANACTL_OK : dianactl_session_no_memory();
}

static int take_entry(struct scan *s, const struct log_entry *e, audited_take *take, void *arg)
{
	struct client_message event = { 0 };
	int rc;

	arena_reset(&s->arena);
	if (!wanted(s, e->bytes))
		return DIANACTL_OK;
	rc = show(s, e->bytes, &event);
	if (rc != DIANACTL_OK)
		return rc;
	rc = take(arg, event.result);
	client_message_clear(&event);
	return rc;
}

static int scan_log(struct audited *a, struct scan *s, audited_take *take, void *arg)
{
	uint64_t head = log_reader_head(a->reader), seq = s->q->from_seq ? s->q->from_seq : 1;
	uint64_t last = s->q->to_seq != 0 && s->q->to_seq < head ? s->q->to_seq : head;
	const struct log_types *types = s->q->n_types > 0 ? &s->types : NULL;
	struct log_entry e;
	struct err err;
	int rc = DIANACTL_OK;

	for (unsigned n = 0; rc == DIANACTL_OK && seq <= last; n++, seq = e.seq + 1) {
		int found = log_reader_next(a->reader, seq, false, types, &e, NULL, &err);

		if (found == E_NOT_FOUND || (found == 0 && e.seq > last))
			break;
		if (found != 0)
			return failed(&err);
		rc = take_entry(s, &e, take, arg);
		if (n % SHOW_EVERY == 0)
			dianactl_progress_show(&s->progress, e.seq, last);
	}
	return rc;
}

static int directory_read(struct audited *a, const struct audited_query *q, audited_take *take, void *arg)
{
	struct scan s = { .q = q };
	int rc;

	for (size_t i = 0; i < q->n_types; i++)
		event_tags(slice_str(q->types[i]), s.types.bits);
	arena_init(&s.arena, EVENT_MAX);
	dianactl_progress_begin(&s.progress, "events", q->from_seq ? q->from_seq - 1 : 0);
	rc = scan_log(a, &s, take, arg);
	dianactl_progress_end(&s.progress);
	arena_free(&s.arena);
	return rc;
}

static int directory_get(struct audited *a, uint64_t seq, struct client_message *ret)
{
	struct scan s = { 0 };
	struct log_entry e;
	struct err err;
	int rc = log_reader_get(a->reader, seq, &e, &err);

	if (rc != 0)
		return failed(&err);
	arena_init(&s.arena, EVENT_MAX);
	rc = show(&s, e.bytes, ret);
	arena_free(&s.arena);
	return rc;
}

/* ---- verifying ---- */

static bool on_progress(void *arg, uint64_t done, uint64_t of)
{
	dianactl_progress_show(arg, done, of);
	return true;
}

/* All is hashed here: nobody's word is taken, and no key is needed but for the notes. */
static int directory_verify(struct audited *a, const struct note_key *key, const struct log_mark *marks, size_t n,
			    struct log_verdict *ret)
{
	struct dianactl_progress progress;
	struct err err;
	int rc;

	(void)key;
	dianactl_progress_begin(&progress, "events", 0);
	rc = log_verify_marks(a->reader, marks, n, on_progress, &progress, ret, &err);
	dianactl_progress_end(&progress);
	return rc == 0 ? DIANACTL_OK : failed(&err);
}

const struct audited_ops audited_directory = {
	.key = directory_key,
	.checkpoint = directory_checkpoint,
	.event = directory_event,
	.growth = directory_growth,
	.read = directory_read,
	.get = directory_get,
	.verify = directory_verify,
};
