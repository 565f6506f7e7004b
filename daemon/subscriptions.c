#include "daemon/subscriptions.h"

#include <inttypes.h>
#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/diag.h"
#include "daemon/ledger.h"
#include "daemon/server.h"
#include "projections/log_index.h"

enum { PUSH_HIGH = 512 * 1024, PUSH_BYTES = 128 * 1024, EXAMINE_PER_PUMP = 4096, STREAM_MAX = 300 };

struct subscription {
	struct subscription *next;
	uint64_t id, session_id;
	uint64_t next_seq;
	uint64_t last_pushed;
	struct log_types types;
	bool by_type;
	int64_t user_id; /* 0: any */
	char stream[STREAM_MAX + 1];
	size_t stream_len; /* 0: any */
	bool caught_up;
	bool dead;
};

struct subscriptions {
	struct server *srv;
	struct subscription *first;
	uint64_t last_id;
	unsigned n;
	uint64_t pushed;
	bool pumping;
};

struct subscriptions *subscriptions_new(struct server *srv)
{
	struct subscriptions *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->srv = srv;
	return s;
}

static void sweep(struct subscriptions *s)
{
	struct subscription **p = &s->first;

	while (*p != NULL) {
		struct subscription *sub = *p;

		if (!sub->dead) {
			p = &sub->next;
			continue;
		}
		*p = sub->next;
		s->n--;
		free(sub);
	}
}

void subscriptions_free(struct subscriptions *s)
{
	if (s == NULL)
		return;
	for (struct subscription *sub = s->first; sub != NULL; sub = sub->next)
		sub->dead = true;
	sweep(s);
	free(s);
}

unsigned subscriptions_count(const struct subscriptions *s)
{
	return s->n;
}

uint64_t subscriptions_pushed(const struct subscriptions *s)
{
	return s->pushed;
}

void subscriptions_drop_session(struct subscriptions *s, uint64_t session_id)
{
	for (struct subscription *sub = s->first; sub != NULL; sub = sub->next)
		if (sub->session_id == session_id)
			sub->dead = true;
	sweep(s);
}

void subscriptions_show(struct subscriptions *s, struct buf *out)
{
	size_t head = array_open(out);
	uint32_t n = 0;

	for (struct subscription *sub = s->first; sub != NULL; sub = sub->next, n++) {
		struct map_writer w;

		map_open(&w, out);
		map_uint(&w, "subscription_id", sub->id);
		map_uint(&w, "connection", sub->session_id);
		map_uint(&w, "next_seq", sub->next_seq);
		map_uint(&w, "lag", ledger_durable(server_ledger(s->srv)) + 1 - sub->next_seq);
		map_close(&w);
	}
	array_close(out, head, n);
}

/* ---- what a subscription wants ---- */

static bool wants(const struct subscription *sub, struct slice stored, struct arena *arena)
{
	struct envelope env;
	struct event ev;

	if (sub->stream_len == 0 && sub->user_id == 0)
		return true;
	if (!event_from_stored(stored, arena, &ev, &env))
		return false;
	if (sub->stream_len != 0 && !slice_eq(ev.stream, slice_of(sub->stream, sub->stream_len)))
		return false;
	return sub->user_id == 0 || event_concerns(&ev, sub->user_id);
}

/* ---- pumping ---- */

/*
 * Collects the next push into b: wanted events from sub->next_seq on, whole commits, up to the durable head.
 * Returns how many; sub->next_seq moves past what was looked at.
 */
static uint32_t collect(struct subscriptions *s, struct subscription *sub, struct log_reader *r, struct arena *arena,
			struct buf *b)
{
	uint64_t head = ledger_durable(server_ledger(s->srv)), commit = 0, seq = sub->next_seq, looked = 0;
	struct log_entry e;
	struct err err;
	uint32_t n = 0;

	while (seq <= head) {
		struct envelope env;
		int rc = log_reader_next(r, seq, false, sub->by_type ? &sub->types : NULL, &e, &looked, &err);

		if (rc == E_NOT_FOUND || (rc == 0 && e.seq > head)) {
			seq = head + 1;
			break;
		}
		if (rc != 0 || !envelope_decode(e.bytes, &env)) {
			diag_error("subscription %" PRIu64 ": %s", sub->id, rc != 0 ? err.text : "a damaged event");
			sub->dead = true;
			break;
		}
		/* a push may end only where a commit does */
		if (env.commit != commit && (b->len > PUSH_BYTES || looked > EXAMINE_PER_PUMP))
			break;
		commit = env.commit;
		seq = e.seq + 1;
		if (!wants(sub, e.bytes, arena))
			continue;
		if (event_show(b, e.bytes, 0, arena, &err) == 0) {
			n++;
			sub->last_pushed = e.seq;
		}
		if (b->failed) {
			diag_error("subscription %" PRIu64 ": the commit of event %" PRIu64
				   " is too large to be pushed",
				   sub->id, commit);
			sub->dead = true;
			seq = sub->next_seq;
			n = 0;
			break;
		}
	}
	sub->next_seq = seq;
	return n;
}

static void push_events(struct subscription *sub, struct session *session, const struct buf *items, uint32_t n,
			uint64_t head)
{
	struct map_writer w;
	struct buf *b = session_push_begin(session, "log.events");

	map_open(&w, b);
	map_uint(&w, "subscription_id", sub->id);
	mp_put_array(map_key(&w, "items"), n);
	buf_append(b, items->base, items->len);
	map_uint(&w, "head_seq", head);
	map_close(&w);
	session_push_end(session);
}

static void push_note(struct subscription *sub, struct session *session, const char *method, const char *reason,
		      uint64_t seq)
{
	struct map_writer w;

	map_open(&w, session_push_begin(session, method));
	map_uint(&w, "subscription_id", sub->id);
	if (reason != NULL) {
		map_str(&w, "reason", reason);
		map_uint(&w, "last_seq", seq);
	} else {
		map_uint(&w, "head_seq", seq);
	}
	map_close(&w);
	session_push_end(session);
}

/* A client that takes nothing while events wait is let go. */
static bool too_slow(struct subscriptions *s, struct subscription *sub, struct session *session)
{
	if (session_unsent(session) < PUSH_HIGH ||
	    monotonic_ms() - session_progress_ms(session) < server_options(s->srv)->slow_client_ms)
		return false;
	push_note(sub, session, "log.closed", "slow", sub->next_seq - 1);
	sub->dead = true;
	return true;
}

/* True: there is more to push. */
static bool pump_one(struct subscriptions *s, struct subscription *sub, struct session *session, struct log_reader *r)
{
	struct ledger *l = server_ledger(s->srv);
	struct arena *arena = ledger_state(l)->arena;
	struct buf items;
	uint32_t n;

	if (session_is_shut(session) || too_slow(s, sub, session) || session_unsent(session) >= PUSH_HIGH)
		return false;
	buf_init(&items, ANSWER_MAX);
	n = collect(s, sub, r, arena, &items);
	if (n > 0)
		push_events(sub, session, &items, n, ledger_durable(l));
	if (sub->dead)
		push_note(sub, session, "log.closed", "unreadable", sub->next_seq - 1);
	s->pushed += n;
	buf_free(&items);
	ledger_release(l);
	if (sub->next_seq <= ledger_durable(l))
		return !sub->dead;
	if (!sub->caught_up && !sub->dead) {
		sub->caught_up = true;
		push_note(sub, session, "log.caught_up", NULL, ledger_durable(l));
	}
	return false;
}

static void pump(struct subscriptions *s, struct session *only)
{
	uint64_t head = ledger_durable(server_ledger(s->srv));
	struct log_reader *r = NULL;
	bool behind = false;

	if (s->pumping || s->first == NULL)
		return;
	s->pumping = true;
	for (struct subscription *sub = s->first; sub != NULL; sub = sub->next) {
		struct session *session = server_session(s->srv, sub->session_id);

		if (session == NULL || sub->dead || (only != NULL && session != only) ||
		    (sub->next_seq > head && sub->caught_up))
			continue;
		if (r == NULL)
			r = ledger_reader(server_ledger(s->srv));
		behind |= pump_one(s, sub, session, r);
		session_send(session);
	}
	s->pumping = false;
	sweep(s);
	if (behind)
		server_stall(s->srv); /* go on after the turn, so that others get theirs */
}

void subscriptions_pump(struct subscriptions *s)
{
	pump(s, NULL);
}

void subscriptions_pump_session(struct session *session)
{
	pump(server_subscriptions(session_server(session)), session);
}

/* ---- methods ---- */

static unsigned of_session(const struct subscriptions *s, uint64_t session_id)
{
	unsigned n = 0;

	for (struct subscription *sub = s->first; sub != NULL; sub = sub->next)
		n += sub->session_id == session_id && !sub->dead;
	return n;
}

int service_log_subscribe(struct call *c, const struct log_subscribe *p)
{
	struct subscriptions *s = server_subscriptions(c->server);
	uint64_t head = ledger_head(server_ledger(c->server));
	long max = server_options(c->server)->max_subscriptions;
	struct subscription *sub;
	struct map_writer w;

	if (c->in_batch)
		return err_field(c->err, "method", "no subscription in a batch");
	if (p->has_from_seq && p->from_seq > head + 1)
		return err_field(c->err, "from_seq", "must be at most head + 1 = %" PRIu64, head + 1);
	if (of_session(s, c->session_id) >= (unsigned)max) {
		err_set(c->err, E_LIMIT_EXCEEDED, "at most %ld subscriptions on a connection", max);
		err_detail_int(c->err, "limit", max);
		return E_LIMIT_EXCEEDED;
	}
	sub = calloc(1, sizeof(*sub));
	if (sub == NULL)
		return err_set(c->err, E_INTERNAL, "no memory");
	for (size_t i = 0; i < p->types.n; i++)
		if (!event_tags(p->types.v[i], sub->types.bits)) {
			free(sub);
			return err_field(c->err, "types", "no event of type %.*s", SLICE_FMT(p->types.v[i]));
		}
	sub->by_type = p->types.n > 0;
	sub->id = ++s->last_id;
	sub->session_id = c->session_id;
	sub->next_seq = p->has_from_seq ? p->from_seq : head + 1;
	sub->user_id = p->has_user_id ? p->user_id : 0;
	if (p->stream.base != NULL) {
		memcpy(sub->stream, p->stream.base, p->stream.len);
		sub->stream_len = p->stream.len;
	}
	sub->next = s->first;
	s->first = sub;
	s->n++;
	server_stall(c->server); /* the backlog is pushed after the answer */
	map_open(&w, c->out);
	map_uint(&w, "subscription_id", sub->id);
	map_uint(&w, "head_seq", head);
	map_close(&w);
	return 0;
}

int service_log_unsubscribe(struct call *c, const struct log_unsubscribe *p)
{
	struct subscriptions *s = server_subscriptions(c->server);

	for (struct subscription *sub = s->first; sub != NULL; sub = sub->next) {
		if (sub->id != p->subscription_id || sub->session_id != c->session_id || sub->dead)
			continue;
		sub->dead = true;
		mp_put_map(c->out, 0);
		return 0;
	}
	return err_missing(c->err, "subscription", (int64_t)p->subscription_id);
}
