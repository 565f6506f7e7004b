#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/backups.h"
#include "daemon/call.h"
#include "daemon/clock.h"
#include "daemon/ledger.h"
#include "daemon/rebuild.h"
#include "daemon/reference.h"
#include "daemon/server.h"
#include "daemon/slowlog.h"
#include "daemon/stats.h"
#include "daemon/subscriptions.h"

/* server.health, server.stats, server.slowlog, server.methods, server.batch. */

/* ---- health ---- */

enum health { HEALTH_OK, HEALTH_DEGRADED, HEALTH_FAILING };

struct checks {
	struct buf *out;
	uint32_t n;
	enum health worst;
};

static void check(struct checks *c, const char *name, enum health health, const char *message)
{
	struct map_writer w;

	map_open(&w, c->out);
	map_str(&w, "name", name);
	map_bool(&w, "ok", health == HEALTH_OK);
	map_str(&w, "message", message);
	map_close(&w);
	c->n++;
	if (health > c->worst)
		c->worst = health;
}

static enum health run_checks(struct call *c, struct buf *out)
{
	struct ledger *l = server_ledger(c->server);
	struct checks k = { .out = out };
	struct ledger_stats st;
	struct err err;
	size_t head = array_open(out);
	bool corrupt = projection_is_corrupt(l, PROJECTION_point);

	ledger_get_stats(l, &st);
	check(&k, "log", log_failed(ledger_log(l)) ? HEALTH_FAILING : HEALTH_OK,
	      log_failed(ledger_log(l)) ? st.problem : "written and flushed");
	check(&k, "views", st.failing && !log_failed(ledger_log(l)) ? HEALTH_DEGRADED : HEALTH_OK,
	      st.failing ? st.problem : "checkpoints succeed");
	if (log_space(ledger_log(l), monotonic_ms(), &err) != 0)
		check(&k, "disk", HEALTH_FAILING, err.text);
	else
		check(&k, "disk", HEALTH_OK, "enough space");
	check(&k, "books", corrupt ? HEALTH_FAILING : HEALTH_OK,
	      corrupt ? "a balance is not the sum of its events: run point.verify and projection.rebuild"
		      : "every balance is the sum of its events");
	check(&k, "sealing", st.unsealed != NULL ? HEALTH_DEGRADED : HEALTH_OK,
	      st.unsealed != NULL ? st.unsealed : "nothing is in its way");
	check(&k, "timers", st.overdue ? HEALTH_DEGRADED : HEALTH_OK,
	      st.overdue ? "timers are overdue" : "none overdue");
	array_close(out, head, k.n);
	return k.worst;
}

static int put_projections(struct call *c, struct buf *out)
{
	struct ledger *l = server_ledger(c->server);
	size_t head = array_open(out);

	for (int p = 0; p < N_PROJECTIONS; p++) {
		struct projection_info info;
		struct map_writer w;
		int rc = engine_info(ledger_engine(l), (enum projection_id)p, &info, c->err);

		if (rc != 0)
			return rc;
		map_open(&w, out);
		map_str(&w, "name", projection_defs[p].name);
		map_uint(&w, "seq", info.seq);
		map_uint(&w, "lag", ledger_head(l) - info.seq);
		map_str(&w, "state", projection_is_corrupt(l, (enum projection_id)p) ? "corrupt" : "live");
		map_close(&w);
	}
	array_close(out, head, N_PROJECTIONS);
	return 0;
}

static void put_sealed(const struct log_sealed *s, struct buf *out)
{
	struct map_writer w;

	map_open(&w, out);
	map_uint(&w, "seq", s->last);
	map_uint(&w, "blocks", s->blocks);
	map_uint(&w, "bytes", s->bytes);
	map_uint(&w, "raw_bytes", s->raw_bytes);
	map_float(&w, "ratio", s->raw_bytes > 0 ? (double)s->bytes / (double)s->raw_bytes : 0.0);
	map_close(&w);
}

static int put_storage(struct call *c, struct buf *out)
{
	struct ledger *l = server_ledger(c->server);
	struct views_info views;
	struct log_info info;
	struct map_writer w;
	int rc = log_info(ledger_log(l), &info, c->err);

	if (rc == 0)
		rc = engine_storage(ledger_engine(l), &views, c->err);
	if (rc != 0)
		return rc;
	map_open(&w, out);
	map_uint(&w, "map_bytes", info.map_bytes + views.map_bytes);
	map_uint(&w, "used_bytes", info.used_bytes + views.used_bytes);
	map_uint(&w, "free_bytes", info.free_bytes);
	map_uint(&w, "log_bytes", info.used_bytes);
	map_uint(&w, "log_blocks", info.blocks);
	put_sealed(&info.sealed, map_key(&w, "log_sealed"));
	map_uint(&w, "views_bytes", views.used_bytes);
	map_close(&w);
	return 0;
}

static void put_timers(struct ledger *l, struct buf *out)
{
	struct ledger_stats st;
	struct map_writer w;

	ledger_get_stats(l, &st);
	map_open(&w, out);
	map_int(&w, "armed", st.next_due_at != 0);
	map_opt_int(&w, "next_due_at", st.next_due_at != 0, st.next_due_at);
	map_uint(&w, "overdue", st.overdue);
	map_uint(&w, "fired", st.timers_fired);
	map_close(&w);
}

int service_server_health(struct call *c, const struct server_health *p)
{
	static const char *const names[] = { "ok", "degraded", "failing" };
	struct ledger *l = server_ledger(c->server);
	struct map_writer w;
	enum health worst;
	int rc;

	(void)p;
	map_open(&w, c->out);
	worst = run_checks(c, map_key(&w, "checks"));
	map_str(&w, "status", names[worst]);
	map_int(&w, "uptime_ms", monotonic_ms() - server_started_ms(c->server));
	map_uint(&w, "head_seq", ledger_head(l));
	map_uint(&w, "durable_seq", ledger_durable(l));
	rc = put_projections(c, map_key(&w, "projections"));
	put_timers(l, map_key(&w, "timers"));
	if (rc == 0)
		rc = put_storage(c, map_key(&w, "storage"));
	map_uint(&w, "connections", server_connections(c->server));
	map_uint(&w, "subscriptions", subscriptions_count(server_subscriptions(c->server)));
	map_close(&w);
	return rc;
}

/* ---- stats ---- */

static void put_commits(struct ledger *l, struct buf *out)
{
	struct ledger_stats st;
	struct map_writer w;

	ledger_get_stats(l, &st);
	map_open(&w, out);
	map_uint(&w, "count", st.commits);
	map_uint(&w, "events", st.events);
	map_uint(&w, "blocks", st.blocks);
	map_float(&w, "sync_mean_us", st.blocks ? (double)st.flush_ns_sum / 1e3 / (double)st.blocks : 0.0);
	map_float(&w, "sync_max_us", (double)st.flush_ns_max / 1e3);
	map_uint(&w, "checkpoints", st.checkpoints);
	map_float(&w, "checkpoint_mean_ms",
		  st.checkpoints ? (double)st.checkpoint_ns_sum / 1e6 / (double)st.checkpoints : 0.0);
	map_float(&w, "checkpoint_last_ms", (double)st.checkpoint_ns_last / 1e6);
	map_float(&w, "checkpoint_max_ms", (double)st.checkpoint_ns_max / 1e6);
	map_close(&w);
}

static void put_views(struct ledger *l, struct buf *out)
{
	struct state *s = ledger_state(l);
	struct map_writer w;
	uint64_t rows, bytes;

	engine_pending(ledger_engine(l), &rows, &bytes);
	map_open(&w, out);
	map_uint(&w, "lookups", s->lookups);
	map_uint(&w, "walked", s->walked);
	map_uint(&w, "overlay_rows", rows);
	map_uint(&w, "overlay_bytes", bytes);
	map_close(&w);
}

static void put_subscriptions(struct call *c, struct buf *out)
{
	struct subscriptions *s = server_subscriptions(c->server);
	struct map_writer w;

	map_open(&w, out);
	map_uint(&w, "count", subscriptions_count(s));
	map_uint(&w, "pushed", subscriptions_pushed(s));
	subscriptions_show(s, map_key(&w, "items"));
	map_close(&w);
}

static bool section_wanted(const struct server_stats *p, const char *name)
{
	return p->section.base == NULL || slice_is(p->section, name);
}

int service_server_stats(struct call *c, const struct server_stats *p)
{
	struct ledger *l = server_ledger(c->server);
	struct stats *st = server_stats_of(c->server);
	struct map_writer w;
	int rc = 0;

	if (p->reset && c->role != ROLE_ADMIN) {
		err_set(c->err, E_FORBIDDEN, "reset is open to role admin");
		err_detail_text(c->err, "reason", SLICE_LIT("role"));
		return E_FORBIDDEN;
	}
	map_open(&w, c->out);
	if (section_wanted(p, "calls"))
		stats_show_calls(st, map_key(&w, "calls"));
	if (section_wanted(p, "commits"))
		put_commits(l, map_key(&w, "commits"));
	if (section_wanted(p, "storage"))
		rc = put_storage(c, map_key(&w, "storage"));
	if (section_wanted(p, "views"))
		put_views(l, map_key(&w, "views"));
	if (section_wanted(p, "lists"))
		stats_show_lists(st, map_key(&w, "lists"));
	if (section_wanted(p, "subscriptions"))
		put_subscriptions(c, map_key(&w, "subscriptions"));
	if (section_wanted(p, "backup"))
		backups_show(server_backups(c->server), map_key(&w, "backup"));
	map_close(&w);
	if (p->reset) {
		stats_reset(st);
		ledger_reset_stats(l);
	}
	return rc;
}

/* ---- slow calls ---- */

/* The cursor is the number of the last entry shown. */
static int slow_cursor(struct call *c, struct slice after, uint64_t *ret)
{
	char text[24];
	char *end;

	*ret = 0;
	if (after.base == NULL)
		return 0;
	if (after.len == 0 || after.len >= sizeof(text))
		return err_field(c->err, "after", "is not a cursor of this list");
	memcpy(text, after.base, after.len);
	text[after.len] = '\0';
	*ret = strtoull(text, &end, 10);
	return *end == '\0' && *ret > 0 ? 0 : err_field(c->err, "after", "is not a cursor of this list");
}

int service_server_slowlog(struct call *c, const struct server_slowlog *p)
{
	struct slowlog *s = server_slowlog(c->server);
	struct map_writer w;
	char next[24];
	uint64_t before;
	int rc = slow_cursor(c, p->after, &before);

	if (rc != 0)
		return rc;
	map_open(&w, c->out);
	map_key(&w, "items");
	before = slowlog_show(s, before, p->limit, c->out);
	snprintf(next, sizeof(next), "%" PRIu64, before);
	map_str(&w, "next", before != 0 ? next : NULL);
	if (p->has_threshold_us)
		slowlog_set_threshold_us(s, p->threshold_us);
	if (p->clear)
		slowlog_clear(s);
	map_int(&w, "threshold_us", slowlog_threshold_us(s));
	map_close(&w);
	return 0;
}

/* ---- methods ---- */

int service_server_methods(struct call *c, const struct server_methods *p)
{
	struct map_writer w;
	size_t head;
	uint32_t n = 0;

	map_open(&w, c->out);
	map_key(&w, "items");
	head = array_open(c->out);
	for (unsigned m = 0; m < N_METHODS; m++)
		if (p->method.base == NULL || slice_is(p->method, method_defs[m].name)) {
			reference_show((enum method_id)m, c->out);
			n++;
		}
	array_close(c->out, head, n);
	map_close(&w);
	return n == 0 ? err_missing_text(c->err, "method", p->method) : 0;
}

/* ---- batch ---- */

enum { BATCH_COMMANDS_MAX = 3 << 19 }; /* of an answer: results of commands, and errors */

static void put_batch_error(struct buf *out, const struct err *err)
{
	struct map_writer w, inner;

	map_open(&w, out);
	map_open(&inner, map_key(&w, "error"));
	map_str(&inner, "code", err_name(err->code));
	map_text(&inner, "message", slice_str(err->text));
	mp_put_map(map_key(&inner, "details"), err->n_details);
	buf_append(out, err->details, err->details_len);
	map_close(&inner);
	map_close(&w);
}

/* One call of a batch: {result} is written, or err set. */
static int batch_one(struct call *outer, const struct batch_call *b, struct err *err)
{
	struct call c = *outer;
	struct map_writer w;
	size_t start = outer->out->len;
	int64_t began = monotonic_ns();
	int rc;

	c.method = b->method;
	c.params = b->params.base ? b->params : SLICE_LIT("\x80");
	c.in_batch = true;
	c.err = err;
	if (slice_is(b->method, "server.batch"))
		return err_field(err, "method", "no batch in a batch");
	map_open(&w, c.out);
	map_key(&w, "result");
	rc = dispatch_call(&c);
	map_close(&w);
	server_count_call(c.server, &c, rc, monotonic_ns() - began);
	assert(rc != CALL_LATER);
	if (rc != 0)
		buf_truncate(c.out, start);
	return rc;
}

static bool is_known(struct slice method)
{
	enum method_id m;

	return methods_by_name(method, &m) > 0;
}

static bool is_command(struct slice method)
{
	enum method_id m;

	return methods_by_name(method, &m) > 0 && method_defs[m].class == METHOD_COMMAND;
}

static int batch_atomic(struct call *c, const struct batch_call *calls, size_t n)
{
	struct ledger *l = server_ledger(c->server);
	int rc;

	for (size_t i = 0; i < n; i++)
		if (is_known(calls[i].method) && !is_command(calls[i].method)) {
			rc = err_field(c->err, "calls", "an atomic batch holds commands only");
			err_detail_int(c->err, "index", (int64_t)i);
			return rc;
		}
	rc = ledger_begin(l, c->err);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = batch_one(c, &calls[i], c->err);
		if (rc != 0) {
			ledger_abandon(l);
			err_detail_int(c->err, "index", (int64_t)i);
		}
	}
	return rc == 0 ? ledger_end(l, c->err) : rc;
}

/* What commands answer is never cut, so queries leave them room. */
static int batch_query_fits(struct call *c, size_t body, size_t start, struct err *err)
{
	size_t most = ANSWER_MAX - BATCH_COMMANDS_MAX;

	if (c->out->len - body <= most)
		return 0;
	buf_truncate(c->out, start);
	err_set(err, E_LIMIT_EXCEEDED, "the answers of the batch are larger than %zu bytes", most);
	err_detail_int(err, "limit", (int64_t)most);
	return E_LIMIT_EXCEEDED;
}

static void batch_loose(struct call *c, const struct batch_call *calls, size_t n)
{
	size_t body = c->out->len;

	for (size_t i = 0; i < n; i++) {
		size_t start = c->out->len;
		struct err err;
		int rc = batch_one(c, &calls[i], &err);

		if (rc == 0 && !is_command(calls[i].method))
			rc = batch_query_fits(c, body, start, &err);
		if (rc != 0)
			put_batch_error(c->out, &err);
		ledger_release(server_ledger(c->server));
	}
}

int service_server_batch(struct call *c, const struct server_batch *p)
{
	/* the list lives in scratch memory that each call gives back */
	size_t n = p->calls.n;
	struct batch_call *calls = malloc(n * sizeof(*calls));
	bool atomic = p->atomic;
	struct map_writer w;
	size_t head;
	int rc = 0;

	if (calls == NULL)
		return err_set(c->err, E_INTERNAL, "no memory");
	memcpy(calls, p->calls.v, n * sizeof(*calls));
	map_open(&w, c->out);
	map_key(&w, "results");
	head = array_open(c->out);
	if (c->in_batch)
		rc = err_field(c->err, "method", "no batch in a batch");
	else if (atomic)
		rc = batch_atomic(c, calls, n);
	else
		batch_loose(c, calls, n);
	array_close(c->out, head, (uint32_t)n);
	map_close(&w);
	free(calls);
	return rc;
}
