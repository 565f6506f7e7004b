#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rules.h"
#include "core/state_mem.h"
#include "projections/fold.h"
#include "tests/lib/json.h"

enum { STORED_MAX = 1 << 20 };

/* ---- what the daemon hands in ---- */

static void fold_into(void *arg, const struct event *ev)
{
	struct world *w = arg;

	fold_event(w->state, ev, ALL_PROJECTIONS);
}

static void draw(void *arg, void *p, size_t n)
{
	struct world *w = arg;
	uint8_t *to = p;

	while (n-- > 0) {
		w->random = w->random * 6364136223846793005u + 1442695040888963407u;
		*to++ = (uint8_t)(w->random >> 56);
	}
}

static const struct decide_ops ops = { fold_into, draw };

static const struct record *common_record(enum method_id m)
{
	if (method_defs[m].class == METHOD_COMMAND)
		return method_defs[m].kind ? record_command_params_kind() : record_command_params();
	return method_defs[m].kind ? record_query_params_kind() : record_query_params();
}

/* Plans are built once and stay. */
static const struct plan *plan_of(enum method_id m)
{
	static const struct plan *plans[N_METHODS];

	if (plans[m] == NULL) {
		plans[m] = plan_new(method_defs[m].params(), common_record(m));
		assert_non_null(plans[m]);
	}
	return plans[m];
}

/* ---- the log ---- */

static struct slice stored(struct world *w, uint64_t seq)
{
	assert_in_range(seq, 1, w->head);
	return slice_of(w->log[seq - 1].bytes, w->log[seq - 1].len);
}

static void store(struct world *w, const struct event *ev, struct slice result)
{
	static const uint8_t digest[32];
	struct envelope e = { .tag = event_defs[ev->type].tag,
			      .seq = ev->seq,
			      .commit = ev->commit,
			      .version = ev->version,
			      .at = ev->at,
			      .stream = ev->stream,
			      .method = ev->method,
			      .cause = ev->cause,
			      .actor = ev->actor,
			      .note = w->origin.note,
			      .has_peer = w->origin.has_peer,
			      .peer = w->origin.peer,
			      .key = ev->key };
	struct buf data, whole;

	buf_init(&data, STORED_MAX);
	buf_init(&whole, STORED_MAX);
	record_put(&data, event_defs[ev->type].record(), ev->data);
	e.data = buf_slice(&data);
	if (e.key.base != NULL) {
		e.digest = slice_of(digest, sizeof(digest));
		e.result = result;
	}
	envelope_encode(&whole, &e);
	assert_false(data.failed || whole.failed);
	assert_int_equal(ev->seq, w->head + 1);
	w->log = realloc(w->log, (w->head + 1) * sizeof(w->log[0]));
	assert_non_null(w->log);
	w->log[w->head++] = (struct stored){ whole.base, whole.len };
	buf_free(&data);
}

static int source_get(void *arg, uint64_t seq, struct arena *arena, struct event *ret, struct err *err)
{
	struct world *w = arg;
	struct envelope env;

	if (seq == 0 || seq > w->head)
		return err_set(err, E_NOT_FOUND, "beyond the head");
	assert_true(event_from_stored(stored(w, seq), arena, ret, &env));
	return 0;
}

static int source_next(void *arg, uint64_t seq, bool backward, const uint64_t tags[4], struct arena *arena,
		       struct event *ret, uint64_t *examined, struct err *err)
{
	struct world *w = arg;

	for (; seq >= 1 && seq <= w->head; seq = backward ? seq - 1 : seq + 1) {
		uint64_t its_seq;
		uint8_t tag;

		assert_true(envelope_peek(stored(w, seq), &tag, &its_seq));
		assert_int_equal(its_seq, seq);
		if (tags == NULL || (tags[tag >> 6] >> (tag & 63) & 1)) {
			++*examined;
			return source_get(w, seq, arena, ret, err);
		}
	}
	return err_set(err, E_NOT_FOUND, "no more");
}

static int source_seek_time(void *arg, int64_t at, uint64_t *ret, struct err *err)
{
	struct world *w = arg;
	uint64_t low = 1, high = w->head + 1;
	struct envelope env;

	(void)err;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		assert_true(envelope_decode(stored(w, middle), &env));
		if (env.at < at)
			low = middle + 1;
		else
			high = middle;
	}
	*ret = low;
	return 0;
}

static uint64_t source_head(void *arg)
{
	return ((struct world *)arg)->head;
}

/* ---- the world ---- */

struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->state = state_mem_new(state_tables, N_TABLES);
	assert_non_null(w->state);
	arena_init(&w->arena, DECIDE_ARENA_MAX);
	w->state->arena = &w->arena;
	w->now = WORLD_NOW;
	w->random = 1;
	w->source = (struct event_source){ source_get, source_next, source_seek_time, source_head, w, NULL };
	return w;
}

void world_free(struct world *w)
{
	for (uint64_t i = 0; i < w->head; i++)
		free(w->log[i].bytes);
	free(w->log);
	json_decref(w->result);
	state_mem_free(w->state);
	arena_free(&w->arena);
	free(w);
}

int world_setup(void **state)
{
	*state = world_new();
	return 0;
}

int world_teardown(void **state)
{
	world_rebuild(*state);
	world_free(*state);
	return 0;
}

/* ---- commands ---- */

static void forget_result(struct world *w)
{
	json_decref(w->result);
	w->result = NULL;
}

static void end_refused(struct world *w)
{
	w->first = 0;
	w->in_batch = false;
	state_rollback(w->state);
	arena_reset(&w->arena);
}

/* Keeps the events of a decision and what they did. */
static void keep(struct world *w, const struct decision *d, struct slice result)
{
	assert_false(w->state->failed);
	assert_false(w->arena.failed);
	w->first = d->n_events > 0 ? d->first_seq : 0;
	for (size_t i = 0; i < d->n_events; i++)
		store(w, &d->events[i], result);
	state_commit(w->state);
	arena_reset(&w->arena);
}

/* The reply of a command: its own fields and those of every command. */
static json_t *reply(struct world *w, const struct decision *d, const struct record *r, const void *result)
{
	bool changed = d->n_events > d->command_first;
	struct command_result more = { .seq = changed ? d->first_seq + d->n_events - 1 : 0, .changed = changed };
	struct map_writer m;
	struct buf b;
	json_t *v;

	if (d->addressed)
		more.version = row_version(w->state, stream_defs[d->stream].table, &d->stream_row);
	buf_init(&b, ANSWER_MAX);
	map_open(&m, &b);
	map_fields(&m, record_command_result(), &more);
	map_fields(&m, r, result);
	map_close(&m);
	assert_false(b.failed);
	v = json_unpacked(buf_slice(&b));
	buf_free(&b);
	return v;
}

union common {
	struct command_params_kind command;
	struct query_params_kind query;
};

/* What failed without being said by the decision, as the daemon finds it. */
static int sticky_failure(struct world *w)
{
	assert_false(w->state->failed);
	return w->arena.failed ? err_set(&w->err, E_LIMIT_EXCEEDED, "the command takes too much memory") : 0;
}

static int run_command(struct world *w, enum method_id m, const void *params, const struct command_params *shared)
{
	const struct method_def *def = &method_defs[m];
	void *result = arena_zero(&w->arena, def->result()->size);
	struct decision *d = &w->open;
	struct buf stored_result;
	int rc;

	w->origin = (struct origin){ .method = slice_str(def->name),
				     .actor = shared->actor,
				     .note = shared->note,
				     .key = shared->idempotency_key,
				     .has_peer = true,
				     .peer = 1000 };
	if (!w->in_batch)
		decision_init(d, w->state, &w->origin, &ops, w, w->now, w->head + 1, &w->err);
	d->command_first = d->n_events;
	d->addressed = d->addresses_several = false;
	decision_address_params(d, m, params);
	rc = result ? decide(m, d, params, result) : sticky_failure(w);
	if (rc == 0)
		rc = sticky_failure(w);
	if (rc != 0) {
		assert_int_equal(rc, w->err.code);
		return rc;
	}
	w->result = reply(w, d, def->result(), result);
	if (w->in_batch)
		return 0;
	buf_init(&stored_result, STORED_MAX);
	record_put(&stored_result, def->result(), result);
	keep(w, d, buf_slice(&stored_result));
	buf_free(&stored_result);
	return 0;
}

static struct slice kind_param(struct slice packed)
{
	struct mp m = mp_of(packed);
	struct slice name, kind;
	uint32_t n;

	if (!mp_map(&m, &n))
		return SLICE_NULL;
	while (n-- > 0 && mp_str(&m, &name)) {
		if (slice_is(name, "kind"))
			return mp_str(&m, &kind) ? kind : SLICE_NULL;
		if (!mp_skip(&m, MP_SCAN_DEPTH))
			break;
	}
	return SLICE_NULL;
}

/* The method of that name for the kind that params name. */
static int method_of(struct world *w, const char *name, struct slice packed, enum method_id *ret)
{
	int rc = method_find(slice_str(name), kind_param(packed), ret, &w->err);

	if (rc == E_UNKNOWN_METHOD)
		fail_msg("no method %s", name);
	return rc;
}

/* Decodes params of method m into *ret and *ret_common (as large as any), in the arena. */
static int decode(struct world *w, enum method_id m, struct slice packed, void **ret, union common *ret_common)
{
	void *parts[PLAN_PARTS] = { arena_zero(&w->arena, method_defs[m].params()->size), ret_common };
	struct slice copy = arena_copy(&w->arena, packed); /* what is decoded lends from it */

	*ret = parts[0];
	if (*ret == NULL || copy.base == NULL)
		return err_set(&w->err, E_LIMIT_EXCEEDED, "no room for params");
	return params_decode(plan_of(m), copy, parts, &w->arena, &w->err);
}

int when_packed(struct world *w, const char *name, struct slice packed)
{
	union common common;
	enum method_id m;
	void *params;
	int rc;

	forget_result(w);
	memset(&w->err, 0, sizeof(w->err));
	rc = method_of(w, name, packed, &m);
	if (rc == 0) {
		assert_int_equal(method_defs[m].class, METHOD_COMMAND);
		rc = decode(w, m, packed, &params, &common);
	}
	/* the shared params stand first in those that also have a kind */
	if (rc == 0)
		rc = run_command(w, m, params, &common.command.params);
	if (rc != 0)
		end_refused(w);
	return rc;
}

static void pack_params(json_t *params, struct buf *to)
{
	buf_init(to, STORED_MAX * 4);
	json_pack_to(to, params);
	assert_false(to->failed);
	json_decref(params);
}

static int when_va(struct world *w, const char *method, const char *fmt, va_list ap)
{
	struct buf packed;
	int rc;

	pack_params(json_va(fmt, ap), &packed);
	rc = when_packed(w, method, buf_slice(&packed));
	buf_free(&packed);
	return rc;
}

int when(struct world *w, const char *method, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = when_va(w, method, fmt, ap);
	va_end(ap);
	return rc;
}

struct decision *commit_begin(struct world *w)
{
	w->in_batch = true;
	w->origin = (struct origin){ .method = SLICE_LIT("test.commit"), .actor = SLICE_LIT("test") };
	decision_init(&w->open, w->state, &w->origin, &ops, w, w->now, w->head + 1, &w->err);
	return &w->open;
}

void commit_end(struct world *w)
{
	w->in_batch = false;
	assert_int_equal(settle(&w->open), 0);
	keep(w, &w->open, SLICE_NULL);
}

static void fire(struct world *w, const struct due *due)
{
	struct decision d;

	w->origin = (struct origin){ .method = slice_str(timer_names[due->timer]), .actor = SLICE_LIT("server") };
	decision_init(&d, w->state, &w->origin, &ops, w, w->now, w->head + 1, &w->err);
	assert_int_equal(decide_timer(&d, due), 0);
	assert_true(d.n_events > 0);
	keep(w, &d, SLICE_NULL);
}

int tick_periods(struct world *w)
{
	struct due due = { .timer = TIMER_mission_period };
	int n = 0;

	for (; due_mission_period(w->state, w->now, &due) && due.at <= w->now; n++)
		fire(w, &due);
	state_rollback(w->state);
	arena_reset(&w->arena);
	return n;
}

int tick(struct world *w)
{
	uint64_t first = w->first;
	struct due due;
	int n = 0, before;

	tick_periods(w);
	w->first = first;
	/* as the daemon does: each goes on from where the one before stood, and then all is looked at again */
	do {
		int64_t from[N_TIMERS] = { 0 };

		for (before = n; timers_next(w->state, w->now, from, &due) && due.at <= w->now; n++)
			fire(w, &due);
	} while (n > before);
	state_rollback(w->state);
	arena_reset(&w->arena);
	return n;
}

/* ---- queries ---- */

int ask_packed(struct world *w, const char *name, struct slice packed)
{
	union common common;
	void *params;
	struct query q = { .state = w->state, .arena = &w->arena, .log = &w->source, .now = w->now, .err = &w->err };
	enum method_id m;
	struct buf out;
	int rc;

	forget_result(w);
	memset(&w->err, 0, sizeof(w->err));
	buf_init(&out, ANSWER_MAX);
	q.out = &out;
	rc = method_of(w, name, packed, &m);
	if (rc == 0) {
		assert_int_equal(method_defs[m].class, METHOD_QUERY);
		rc = decode(w, m, packed, &params, &common);
	}
	if (rc == 0)
		rc = run_query(m, &q, params);
	if (rc == 0) {
		assert_false(out.failed);
		w->result = json_unpacked(buf_slice(&out));
	} else {
		assert_int_equal(rc, w->err.code);
		w->first = 0;
	}
	assert_false(w->state->failed);
	assert_false(w->arena.failed);
	w->examined = q.examined;
	state_rollback(w->state);
	arena_reset(&w->arena);
	buf_free(&out);
	return rc;
}

static int ask_json(struct world *w, const char *method, json_t *params)
{
	struct buf packed;
	int rc;

	pack_params(params, &packed);
	rc = ask_packed(w, method, buf_slice(&packed));
	buf_free(&packed);
	return rc;
}

int ask(struct world *w, const char *method, const char *fmt, ...)
{
	json_t *params;
	va_list ap;

	va_start(ap, fmt);
	params = json_va(fmt, ap);
	va_end(ap);
	return ask_json(w, method, params);
}

/* ---- what was appended ---- */

struct event world_event(struct world *w, uint64_t seq)
{
	struct envelope env;
	struct event ev;

	assert_true(event_from_stored(stored(w, seq), &w->arena, &ev, &env));
	return ev;
}

const char *events(struct world *w)
{
	size_t n = 0;

	w->names[0] = '\0';
	for (uint64_t seq = w->first; seq != 0 && seq <= w->head; seq++) {
		struct event ev = world_event(w, seq);

		n += (size_t)snprintf(w->names + n, sizeof(w->names) - n, "%s%s", n ? " " : "",
				      event_defs[ev.type].name);
		assert_true(n < sizeof(w->names));
	}
	arena_reset(&w->arena);
	return w->names;
}

json_t *event_shown(struct world *w, unsigned n)
{
	struct event ev;
	struct buf b;
	json_t *v;

	assert_true(w->first != 0);
	ev = world_event(w, w->first + n);
	buf_init(&b, STORED_MAX);
	record_put_wire(&b, event_defs[ev.type].record(), ev.data);
	assert_false(b.failed);
	v = json_unpacked(buf_slice(&b));
	buf_free(&b);
	arena_reset(&w->arena);
	return v;
}

/* ---- live equals rebuilt ---- */

static void print_row(const char *what, unsigned table, const struct state_cursor *c, bool there)
{
	print_message("%s, table %s: ", what, table_defs[table].name);
	if (!there) {
		print_message("no more rows\n");
		return;
	}
	for (size_t i = 0; i < c->key.len; i++)
		print_message("%02x", ((const uint8_t *)c->key.base)[i]);
	print_message(" = ");
	for (size_t i = 0; i < c->value.len; i++)
		print_message("%02x", ((const uint8_t *)c->value.base)[i]);
	print_message("\n");
}

static void assert_same_rows(struct state *live, struct state *rebuilt, unsigned table)
{
	struct state_cursor a, b;
	bool more_a, more_b;

	state_cursor_open(&a, live, table);
	state_cursor_open(&b, rebuilt, table);
	more_a = state_cursor_seek(&a, SLICE_LIT(""));
	more_b = state_cursor_seek(&b, SLICE_LIT(""));
	while (more_a && more_b && slice_eq(a.key, b.key) && slice_eq(a.value, b.value)) {
		more_a = state_cursor_next(&a);
		more_b = state_cursor_next(&b);
	}
	if (more_a || more_b) {
		print_row("live", table, &a, more_a);
		print_row("rebuilt", table, &b, more_b);
		fail_msg("table %s differs from its rebuild", table_defs[table].name);
	}
	state_cursor_close(&a);
	state_cursor_close(&b);
	if (table_defs[table].counted)
		assert_int_equal(state_count(live, table), state_count(rebuilt, table));
}

static void assert_empty(struct state *s, unsigned table)
{
	struct state_cursor c;

	state_cursor_open(&c, s, table);
	if (state_cursor_seek(&c, SLICE_LIT("")))
		fail_msg("table %s was written by the fold of another projection", table_defs[table].name);
	state_cursor_close(&c);
}

/* Each projection alone, from the stored bytes. */
void world_rebuild(struct world *w)
{
	for (unsigned p = 0; p < N_PROJECTIONS; p++) {
		struct state *s = state_mem_new(state_tables, N_TABLES);

		assert_non_null(s);
		s->arena = &w->arena;
		for (uint64_t seq = 1; seq <= w->head; seq++) {
			struct event ev = world_event(w, seq);

			fold_event(s, &ev, 1u << p);
			assert_false(s->failed);
			state_commit(s);
			arena_reset(&w->arena);
		}
		for (unsigned t = 0; t < N_TABLES; t++) {
			if (table_defs[t].projection == p)
				assert_same_rows(w->state, s, t);
			else
				assert_empty(s, t);
		}
		state_mem_free(s);
	}
}

/* ---- assertions ---- */

static void assert_has(const char *file, int line, const json_t *have, json_t *want)
{
	char *a, *b;

	if (!json_has(have, want)) {
		a = json_print(have);
		b = json_print(want);
		print_message("have %s\nwant %s\n", a, b);
		free(a);
		free(b);
		json_decref(want);
		_fail(file, line);
	}
	json_decref(want);
}

void given_at(const char *file, int line, struct world *w, const char *method, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = when_va(w, method, fmt, ap);
	va_end(ap);
	if (rc != 0) {
		print_message("%s: %s: %s\n", method, err_name(w->err.code), w->err.text);
		_fail(file, line);
	}
}

void then_at(const char *file, int line, struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	assert_has(file, line, w->result, json_va(fmt, ap));
	va_end(ap);
}

void then_event_at(const char *file, int line, struct world *w, unsigned n, const char *fmt, ...)
{
	json_t *shown = event_shown(w, n);
	va_list ap;

	va_start(ap, fmt);
	assert_has(file, line, shown, json_va(fmt, ap));
	va_end(ap);
	json_decref(shown);
}

json_t *refusal_details(const struct world *w)
{
	struct buf b;
	json_t *v;

	buf_init(&b, STORED_MAX);
	mp_put_map(&b, w->err.n_details);
	buf_append(&b, w->err.details, w->err.details_len);
	v = json_unpacked(buf_slice(&b));
	buf_free(&b);
	return v;
}

void refused_at(const char *file, int line, struct world *w, int rc, enum err_code code, const char *fmt, ...)
{
	json_t *have;
	va_list ap;

	if (rc != (int)code) {
		print_message("have %s: %s\nwant %s\n", rc ? err_name((enum err_code)rc) : "no error", w->err.text,
			      err_name(code));
		_fail(file, line);
	}
	assert_string_equal(events(w), "");
	have = refusal_details(w);
	va_start(ap, fmt);
	assert_has(file, line, have, json_va(fmt, ap));
	va_end(ap);
	json_decref(have);
}

void answers_at(const char *file, int line, struct world *w, const char *method, const char *params, const char *fmt,
		...)
{
	va_list ap;

	if (ask_json(w, method, json_of("%s", params)) != 0) {
		print_message("%s: %s: %s\n", method, err_name(w->err.code), w->err.text);
		_fail(file, line);
	}
	va_start(ap, fmt);
	assert_has(file, line, w->result, json_va(fmt, ap));
	va_end(ap);
}
