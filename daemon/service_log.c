#include <inttypes.h>

#include "daemon/call.h"
#include "daemon/ledger.h"
#include "daemon/server.h"
#include "daemon/worker_query.h"
#include "projections/log_index.h"

/* log.read, log.get, log.verify. Subscriptions are in subscriptions.c. */

/* ---- log.get ---- */

int service_log_get(struct call *c, const struct log_get *p)
{
	struct ledger *l = server_ledger(c->server);
	struct log_entry e;
	int rc = log_reader_get(ledger_reader(l), p->seq, &e, c->err);

	if (rc == E_NOT_FOUND)
		return err_missing(c->err, "event", (int64_t)p->seq);
	return rc == 0 ? event_show(c->out, e.bytes, p->raw ? EVENT_RAW : 0, ledger_state(l)->arena, c->err) : rc;
}

/* ---- log.read ---- */

/* The way in that a read takes: by user, by stream, or by seq with a mask of types. */
struct walk {
	struct ledger *ledger;
	struct log_reader *reader;
	bool backward, indexed;
	struct postings_walk postings;
	struct log_types types;
	bool by_type;
	uint64_t lo, hi;
	uint64_t examined;
};

static int open_walk(struct call *c, const struct log_read *p, struct walk *w)
{
	struct ledger *l = server_ledger(c->server);
	int64_t owner;
	int rc = 0;

	*w = (struct walk){ .ledger = l,
			    .reader = ledger_reader(l),
			    .backward = slice_is(p->order, "desc"),
			    .lo = p->from_seq ? p->from_seq : 1,
			    .hi = ledger_head(l) };
	if (p->has_to_seq && p->to_seq < w->hi)
		w->hi = p->to_seq;
	for (size_t i = 0; i < p->types.n; i++)
		if (!event_tags(p->types.v[i], w->types.bits))
			return err_field(c->err, "types", "no event of type %.*s", SLICE_FMT(p->types.v[i]));
	w->by_type = p->types.n > 0;
	if (p->has_from_at) {
		uint64_t seq;

		rc = log_reader_seek_time(w->reader, p->from_at, &seq, c->err);
		if (rc == 0 && seq > w->lo)
			w->lo = seq;
	}
	if (rc == 0 && p->has_to_at) {
		uint64_t seq;

		rc = log_reader_seek_time(w->reader, p->to_at, &seq, c->err);
		if (rc == 0 && seq - 1 < w->hi)
			w->hi = seq - 1;
	}
	w->indexed = p->has_user_id || p->stream.base != NULL;
	w->postings = (struct postings_walk){ .state = ledger_state(l), .backward = w->backward };
	if (p->has_user_id)
		w->postings.user_id = (uint64_t)p->user_id;
	else if (p->stream.base != NULL && stream_user(p->stream, &owner))
		w->postings.user_id = (uint64_t)owner;
	else
		w->postings.stream = p->stream;
	return rc;
}

static int walk_next(struct walk *w, uint64_t seq, struct log_entry *ret, struct err *err)
{
	int rc;

	if (w->indexed) {
		seq = postings_next(&w->postings, seq);
		if (seq == 0)
			return E_NOT_FOUND;
		w->examined++;
		rc = log_reader_get(w->reader, seq, ret, err);
	} else {
		rc = log_reader_next(w->reader, seq, w->backward, w->by_type ? &w->types : NULL, ret, &w->examined,
				     err);
	}
	return rc == 0 && (ret->seq < w->lo || ret->seq > w->hi) ? E_NOT_FOUND : rc;
}

static bool matches(const struct walk *w, const struct log_read *p, const struct log_entry *e, struct arena *arena)
{
	struct envelope env;
	struct event ev;

	if (w->by_type && !log_types_has(&w->types, e->tag))
		return false;
	if (p->stream.base == NULL && p->actor.base == NULL && !p->has_user_id)
		return true;
	if (!event_from_stored(e->bytes, arena, &ev, &env))
		return true; /* showing it tells what is wrong */
	if ((p->stream.base != NULL && !slice_eq(p->stream, ev.stream)) ||
	    (p->actor.base != NULL && (ev.actor.base == NULL || !slice_eq(p->actor, ev.actor))))
		return false;
	return !p->has_user_id || event_concerns(&ev, p->user_id);
}

static int read_items(struct call *c, const struct log_read *p, struct walk *w, struct page *pg, uint64_t seq)
{
	struct arena *arena = ledger_state(w->ledger)->arena;
	struct log_entry e;

	while (seq >= w->lo && seq <= w->hi) {
		int rc = walk_next(w, seq, &e, c->err);

		if (rc == E_NOT_FOUND)
			return 0;
		if (rc != 0)
			return rc;
		if (pg->n == pg->limit || w->examined > EXAMINE_MAX || c->out->len > PAGE_BYTES) {
			pg->has_next = true;
			key_put_U64(key_begin(&pg->next), w->backward ? e.seq + 1 : e.seq - 1);
			return 0;
		}
		if (matches(w, p, &e, arena)) {
			rc = event_show(c->out, e.bytes, p->raw ? EVENT_RAW : 0, arena, c->err);
			if (rc != 0)
				return rc;
			pg->n++;
		}
		seq = w->backward ? e.seq - 1 : e.seq + 1;
	}
	return 0;
}

int service_log_read(struct call *c, const struct log_read *p)
{
	struct walk w;
	struct query q;
	struct page pg;
	uint64_t seq;
	int rc = open_walk(c, p, &w);

	if (rc != 0)
		return rc;
	ledger_query(w.ledger, &q, c->out, c->err);
	w.reader = ledger_reader(w.ledger);
	rc = page_begin(&pg, &q, record_log_read(), p);
	if (rc != 0)
		return rc;
	seq = w.backward ? w.hi : w.lo;
	if (pg.has_from) {
		struct slice from = key_slice(&pg.from);

		if (!key_take_U64(&from, &seq) || (w.backward && seq == 0))
			return err_field(c->err, "after", "is not a cursor of this list");
		seq = w.backward ? seq - 1 : seq + 1;
	}
	rc = read_items(c, p, &w, &pg, seq);
	map_uint(&pg.w, "head_seq", ledger_head(w.ledger));
	page_end(&pg);
	c->examined = w.examined;
	c->returned = pg.n;
	return rc;
}

/* ---- log.verify ---- */

static int run_verify(struct worker_task *t)
{
	const struct log_verify *p = t->data;
	struct log_verdict v;
	struct map_writer w;
	int rc = log_verify(t->log, p->from_seq, p->has_to_seq ? p->to_seq : 0, NULL, NULL, &v, t->err);

	if (rc != 0)
		return rc;
	map_open(&w, t->out);
	map_bool(&w, "ok", v.ok);
	map_uint(&w, "checked", v.checked);
	map_opt_int(&w, "first_bad_seq", !v.ok, (int64_t)v.first_bad_seq);
	map_str(&w, "reason", v.ok ? NULL : v.reason);
	map_close(&w);
	return 0;
}

int service_log_verify(struct call *c, const struct log_verify *p)
{
	uint64_t head = ledger_head(server_ledger(c->server));

	if (p->has_to_seq && p->to_seq > head)
		return err_field(c->err, "to_seq", "must not pass the head, %" PRIu64, head);
	if (p->from_seq > 1 && p->from_seq > (p->has_to_seq ? p->to_seq : head))
		return err_field(c->err, "from_seq", "must not pass to_seq or the head");
	return worker_task(c, false, run_verify, p, sizeof(*p));
}
