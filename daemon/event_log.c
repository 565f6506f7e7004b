#include "daemon/event_log.h"

#include <inttypes.h>

static int decode(const struct log_entry *e, struct arena *arena, struct event *ret, struct err *err)
{
	struct envelope env;

	if (!event_from_stored(e->bytes, arena, ret, &env))
		return err_set(err, E_INTERNAL, "event %" PRIu64 " does not decode: of a newer version, or damaged",
			       e->seq);
	return 0;
}

static int source_get(void *arg, uint64_t seq, struct arena *arena, struct event *ret, struct err *err)
{
	struct log_entry e;
	int rc = log_reader_get(arg, seq, &e, err);

	if (rc == 0)
		e.bytes = arena_copy(arena, e.bytes);
	return rc == 0 ? decode(&e, arena, ret, err) : rc;
}

static int source_next(void *arg, uint64_t seq, bool backward, const uint64_t tags[4], struct arena *arena,
		       struct event *ret, uint64_t *examined, struct err *err)
{
	struct log_types types;
	struct log_entry e;
	int rc;

	if (tags != NULL)
		memcpy(types.bits, tags, sizeof(types.bits));
	rc = log_reader_next(arg, seq, backward, tags ? &types : NULL, &e, examined, err);
	if (rc == 0)
		e.bytes = arena_copy(arena, e.bytes);
	return rc == 0 ? decode(&e, arena, ret, err) : rc;
}

static int source_seek_time(void *arg, int64_t at, uint64_t *ret_seq, struct err *err)
{
	return log_reader_seek_time(arg, at, ret_seq, err);
}

static uint64_t source_head(void *arg)
{
	return log_reader_head(arg);
}

static void source_rest(void *arg)
{
	log_reader_idle(arg);
}

struct event_source event_source_of(struct log_reader *reader)
{
	return (struct event_source){ source_get, source_next, source_seek_time, source_head, reader, source_rest };
}

/* ---- a log that ends earlier ---- */

static int bounded_get(void *arg, uint64_t seq, struct arena *arena, struct event *ret, struct err *err)
{
	const struct bounded_log *b = arg;

	if (seq > b->head)
		return err_set(err, E_NOT_FOUND, "event %" PRIu64 " is later", seq);
	return b->source->get(b->source->arg, seq, arena, ret, err);
}

static int bounded_next(void *arg, uint64_t seq, bool backward, const uint64_t tags[4], struct arena *arena,
			struct event *ret, uint64_t *examined, struct err *err)
{
	const struct bounded_log *b = arg;
	int rc;

	if (backward && seq > b->head)
		seq = b->head;
	rc = b->source->next(b->source->arg, seq, backward, tags, arena, ret, examined, err);
	if (rc == 0 && ret->seq > b->head)
		return err_set(err, E_NOT_FOUND, "event %" PRIu64 " is later", ret->seq);
	return rc;
}

static int bounded_seek_time(void *arg, int64_t at, uint64_t *ret_seq, struct err *err)
{
	const struct bounded_log *b = arg;
	int rc = b->source->seek_time(b->source->arg, at, ret_seq, err);

	if (rc == 0 && *ret_seq > b->head + 1)
		*ret_seq = b->head + 1;
	return rc;
}

static uint64_t bounded_head(void *arg)
{
	return ((const struct bounded_log *)arg)->head;
}

static void bounded_rest(void *arg)
{
	const struct bounded_log *b = arg;

	if (b->source->rest != NULL)
		b->source->rest(b->source->arg);
}

struct event_source event_source_bounded(struct bounded_log *bound)
{
	return (struct event_source){ bounded_get, bounded_next, bounded_seek_time, bounded_head, bound, bounded_rest };
}

/* ---- showing ---- */

static void put_users(struct buf *b, enum event_type type, const void *data)
{
	int64_t users[EVENT_USERS_MAX];
	size_t n = event_users(type, data, users, EVENT_USERS_MAX);

	mp_put_array(b, n);
	for (size_t i = 0; i < n; i++)
		mp_put_int64(b, users[i]);
}

/* {key, digest, result}: the digest as bytes, the result as it is stored. */
static void put_idempotency(struct buf *b, const struct envelope *env)
{
	if (env->key.base == NULL) {
		mp_put_nil(b);
		return;
	}
	mp_put_map(b, 3);
	mp_put_text(b, SLICE_LIT("key"));
	mp_put_text(b, env->key);
	mp_put_text(b, SLICE_LIT("digest"));
	mp_put_bin(b, env->digest.len);
	buf_append(b, env->digest.base, env->digest.len);
	mp_put_text(b, SLICE_LIT("result"));
	buf_append(b, env->result.base, env->result.len);
}

static bool put_data(struct buf *b, const struct event *ev, const struct envelope *env, unsigned how)
{
	struct mp stored = mp_of(env->data);

	if (how & EVENT_AS_STORED)
		return record_show(b, event_record(env->tag), &stored);
	record_put_wire(b, event_defs[ev->type].record(), ev->data);
	return true;
}

int event_show(struct buf *b, struct slice stored, unsigned how, struct arena *arena, struct err *err)
{
	struct envelope env;
	struct map_writer w;
	struct event ev;

	if (!event_from_stored(stored, arena, &ev, &env))
		goto damaged;
	map_open(&w, b);
	map_uint(&w, "seq", ev.seq);
	map_uint(&w, "commit", ev.commit);
	map_str(&w, "type", event_defs[ev.type].name);
	if (how & EVENT_AS_STORED)
		map_uint(&w, "tag", env.tag);
	map_text(&w, "stream", ev.stream);
	map_uint(&w, "version", ev.version);
	map_int(&w, "at", ev.at);
	map_text(&w, "actor", env.actor);
	map_text(&w, "note", env.note);
	map_opt_int(&w, "peer", env.has_peer, env.peer);
	map_text(&w, "method", env.method);
	map_opt_int(&w, "cause", env.cause != 0, (int64_t)env.cause);
	put_idempotency(map_key(&w, "idempotency"), &env);
	put_users(map_key(&w, "users"), ev.type, ev.data);
	if (!put_data(map_key(&w, "data"), &ev, &env, how))
		goto damaged;
	if (how & EVENT_RAW) {
		mp_put_bin(map_key(&w, "raw"), stored.len);
		buf_append(b, stored.base, stored.len);
	}
	map_close(&w);
	return 0;
damaged:
	return err_set(err, E_INTERNAL, "an event does not decode: of a newer version, or damaged");
}
