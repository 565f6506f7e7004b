#include "core/decide.h"

#include <inttypes.h>

#include "core/reactions.h"

const struct method_def method_defs[N_METHODS] = {
#define COMMAND(n, wire, knd, res, strm, path, errs, evs, text)                                                        \
	[METHOD_##n] = { wire,          knd,           METHOD_COMMAND,           0, record_##n, record_##res,          \
			 ADDRESS_FIELD, STREAM_##strm, offsetof(struct n, path), 0, errs,       evs,                   \
			 text },
#define COMMAND2(n, wire, knd, res, strm, path, path2, errs, evs, text)                                                \
	[METHOD_##n] = { wire,                                                                                         \
			 knd,                                                                                          \
			 METHOD_COMMAND,                                                                               \
			 0,                                                                                            \
			 record_##n,                                                                                   \
			 record_##res,                                                                                 \
			 ADDRESS_FIELD,                                                                                \
			 STREAM_##strm,                                                                                \
			 offsetof(struct n, path),                                                                     \
			 offsetof(struct n, path2),                                                                    \
			 errs,                                                                                         \
			 evs,                                                                                          \
			 text },
#define COMMAND_NEW(n, wire, knd, res, strm, errs, evs, text)                                                          \
	[METHOD_##n] = { wire, knd, METHOD_COMMAND, 0,   record_##n, record_##res, ADDRESS_NEW, STREAM_##strm,         \
			 0,    0,   errs,           evs, text },
#define COMMAND_VIA(n, wire, knd, res, strm, errs, evs, text)                                                          \
	[METHOD_##n] = { wire, knd, METHOD_COMMAND, 0,   record_##n, record_##res, ADDRESS_VIA, STREAM_##strm,         \
			 0,    0,   errs,           evs, text },
#define COMMAND_MANY(n, wire, knd, res, errs, evs, text)                                                               \
	[METHOD_##n] = {                                                                                               \
		wire, knd, METHOD_COMMAND, 0, record_##n, record_##res, ADDRESS_MANY, 0, 0, 0, errs, evs, text         \
	},
#define COMMAND_ADMIN(n, wire, knd, res, errs, evs, text)                                                              \
	[METHOD_##n] = { wire, knd, METHOD_COMMAND, METHOD_ADMIN, record_##n, record_##res, ADDRESS_MANY, 0,           \
			 0,    0,   errs,           evs,          text },
#define QUERY(n, wire, knd, errs, text)                                                                                \
	[METHOD_##n] = { wire, knd, METHOD_QUERY, 0, record_##n, NULL, ADDRESS_MANY, 0, 0, 0, errs, "", text },
#define QUERY_WORKER(n, wire, knd, errs, text)                                                                         \
	[METHOD_##n] = { wire, knd, METHOD_QUERY, QUERY_IN_WORKER, record_##n, NULL, ADDRESS_MANY, 0, 0, 0,            \
			 errs, "",  text },
#define SERVICE(n, wire, flgs, errs, evs, text)                                                                        \
	[METHOD_##n] = { wire, NULL, METHOD_SERVICE, flgs, record_##n, NULL, ADDRESS_MANY, 0, 0, 0, errs, evs, text },
#include "core/schema/all.def"
};

/* ---- looking methods up ---- */

/* Open addressing over the names; filled at first use by the loop thread, before others start. */
enum { NAME_SLOTS = 1024 };
static struct {
	uint16_t first; /* method + 1; 0: empty */
	uint16_t n;
} name_slots[NAME_SLOTS];

static unsigned name_hash(struct slice s)
{
	const uint8_t *p = s.base;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ p[i]) * 16777619u;
	return h % NAME_SLOTS;
}

static unsigned find_slot(struct slice name)
{
	unsigned i = name_hash(name);

	while (name_slots[i].first != 0 && !slice_is(name, method_defs[name_slots[i].first - 1].name))
		i = (i + 1) % NAME_SLOTS;
	return i;
}

__attribute__((constructor)) static void fill_slots(void)
{
	_Static_assert(N_METHODS * 2 < NAME_SLOTS, "room in the name table");
	for (unsigned m = 0; m < N_METHODS; m++) {
		unsigned i = find_slot(slice_str(method_defs[m].name));

		if (name_slots[i].first == 0)
			name_slots[i].first = (uint16_t)(m + 1);
		assert(m == name_slots[i].first - 1u + name_slots[i].n); /* kinds of a method stand together */
		name_slots[i].n++;
	}
}

unsigned methods_by_name(struct slice name, enum method_id *ret_first)
{
	unsigned i = find_slot(name);

	if (name_slots[i].first == 0)
		return 0;
	*ret_first = (enum method_id)(name_slots[i].first - 1);
	return name_slots[i].n;
}

bool method_needs_kind(enum method_id m)
{
	static const char *const names[] = {
#define KIND_REQUIRED(wire) wire,
#include "core/schema/all.def"
		NULL
	};

	for (size_t i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], method_defs[m].name) == 0)
			return true;
	return false;
}

int method_find(struct slice name, struct slice kind, enum method_id *ret, struct err *err)
{
	enum method_id first;
	unsigned n = methods_by_name(name, &first);

	if (n == 0) {
		bool printable = utf8_valid(name) && name.len <= 100;

		return err_set(err, E_UNKNOWN_METHOD, "no method %.*s",
			       SLICE_FMT(printable ? name : SLICE_LIT("of that name")));
	}
	*ret = first;
	if (method_defs[first].kind == NULL)
		return 0;
	if (kind.base == NULL)
		return method_needs_kind(first) ? err_field(err, "kind", "is required") : 0;
	for (unsigned i = 0; i < n; i++)
		if (slice_is(kind, method_defs[first + i].kind)) {
			*ret = (enum method_id)(first + i);
			return 0;
		}
	return err_field(err, "kind", "%s has no such kind", method_defs[first].name);
}

/* ---- streams ---- */

/* The value of a stream's key field: a text, or (text absent) an integer. */
static void stream_key_value(enum stream_key key, const void *field, int64_t *ret_int, struct slice *ret_text)
{
	*ret_text = SLICE_NULL;
	*ret_int = 0;
	switch (key) {
	case STREAM_KEY_NONE:
		break;
	case STREAM_KEY_UID:
	case STREAM_KEY_INT:
	case STREAM_KEY_CID:
	case STREAM_KEY_U64:
		memcpy(ret_int, field, 8);
		break;
	case STREAM_KEY_KEY:
		*ret_text = *(const struct slice *)field;
		break;
	}
}

static void put_stream_key(struct key *to, enum stream_key kind, const void *field)
{
	struct slice text;
	int64_t v;

	stream_key_value(kind, field, &v, &text);
	if (text.base != NULL)
		key_put_TEXT(to, text);
	else if (kind == STREAM_KEY_CID)
		key_put_I64(to, v);
	else
		key_put_U64(to, (uint64_t)v);
}

void stream_row(enum stream_id stream, const void *key, const void *key2, struct key *ret)
{
	const struct stream_def *def = &stream_defs[stream];

	put_stream_key(key_begin(ret), def->key, key);
	if (def->key2 != STREAM_KEY_NONE)
		put_stream_key(ret, def->key2, key2);
}

static size_t print_int(char *to, int64_t v)
{
	char digits[20];
	size_t n = 0, len = 0;
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do
		digits[n++] = (char)('0' + u % 10);
	while ((u /= 10) > 0);
	if (v < 0)
		to[len++] = '-';
	while (n > 0)
		to[len++] = digits[--n];
	return len;
}

enum { STREAM_KEY_TEXT_MAX = 1 + 20 };

/* ":42" */
static size_t print_stream_key(char *to, enum stream_key kind, const void *field)
{
	struct slice text;
	int64_t v;

	stream_key_value(kind, field, &v, &text);
	*to++ = ':';
	if (text.base == NULL)
		return 1 + print_int(to, v);
	memcpy(to, text.base, text.len);
	return 1 + text.len;
}

static size_t stream_key_room(enum stream_key kind, const void *field)
{
	struct slice text;
	int64_t v;

	stream_key_value(kind, field, &v, &text);
	return STREAM_KEY_TEXT_MAX + text.len;
}

struct slice stream_name(enum stream_id stream, const void *key, const void *key2, struct arena *arena)
{
	const struct stream_def *def = &stream_defs[stream];
	size_t n = strlen(def->prefix);
	char *p = arena_take(arena, n + stream_key_room(def->key, key) + stream_key_room(def->key2, key2));

	if (p == NULL)
		return SLICE_LIT("");
	memcpy(p, def->prefix, n);
	if (def->key != STREAM_KEY_NONE)
		n += print_stream_key(p + n, def->key, key);
	if (def->key2 != STREAM_KEY_NONE)
		n += print_stream_key(p + n, def->key2, key2);
	return slice_of(p, n);
}

uint64_t next_version(struct decision *d, enum stream_id stream, const void *key, const void *key2)
{
	struct key row;

	stream_row(stream, key, key2, &row);
	return row_version(d->state, stream_defs[stream].table, &row) + 1;
}

void decision_address(struct decision *d, enum stream_id stream, const void *key, const void *key2)
{
	d->addressed = true;
	d->stream = stream;
	stream_row(stream, key, key2, &d->stream_row);
}

void decision_address_params(struct decision *d, enum method_id m, const void *params)
{
	const struct method_def *def = &method_defs[m];

	switch (m) {
#define COMMAND_VIA(name, wire, kind, result, stream, errors, events, doc)                                             \
	case METHOD_##name:                                                                                            \
		address_##name(d, params);                                                                             \
		return;
#include "core/schema/all.def"
	default:
		break;
	}
	if (def->address == ADDRESS_FIELD)
		decision_address(d, def->stream, (const uint8_t *)params + def->key_offset,
				 (const uint8_t *)params + def->key2_offset);
}

/* ---- emitting ---- */

void decision_init(struct decision *d, struct state *s, const struct origin *origin, const struct decide_ops *ops,
		   void *arg, int64_t now, uint64_t first_seq, struct err *err)
{
	*d = (struct decision){ .state = s,
				.arena = s->arena,
				.origin = origin,
				.ops = ops,
				.arg = arg,
				.now = now,
				.first_seq = first_seq,
				.err = err };
}

int too_many_events(struct decision *d)
{
	err_set(d->err, E_LIMIT_EXCEEDED, "more than %d events in one commit", COMMIT_EVENTS_MAX);
	err_detail_int(d->err, "limit", COMMIT_EVENTS_MAX);
	return E_LIMIT_EXCEEDED;
}

static struct event *next_event(struct decision *d)
{
	struct event *more;
	size_t cap;

	if (d->n_events == COMMIT_EVENTS_MAX) {
		too_many_events(d);
		return NULL;
	}
	if (d->n_events < d->cap_events)
		return &d->events[d->n_events];
	cap = d->cap_events ? d->cap_events * 4 : 8;
	more = arena_take(d->arena, cap * sizeof(*more));
	if (more == NULL) {
		err_set(d->err, E_LIMIT_EXCEEDED, "the commit is too large");
		return NULL;
	}
	if (d->n_events > 0)
		memcpy(more, d->events, d->n_events * sizeof(*more));
	d->events = more;
	d->cap_events = cap;
	return &d->events[d->n_events];
}

void emit(struct decision *d, enum event_type type, const void *data)
{
	const struct event_def *def = &event_defs[type];
	size_t size = def->record()->size;
	const void *key = (const uint8_t *)data + def->key_offset, *key2 = (const uint8_t *)data + def->key2_offset;
	struct event *ev;
	void *copy;

	if (d->failed)
		return;
	ev = next_event(d);
	copy = arena_take(d->arena, size);
	if (ev == NULL || copy == NULL) {
		if (ev != NULL)
			err_set(d->err, E_LIMIT_EXCEEDED, "the commit is too large");
		d->failed = true;
		return;
	}
	memcpy(copy, data, size);
	*ev = (struct event){ .type = type,
			      .seq = d->first_seq + d->n_events,
			      .commit = d->first_seq,
			      .version = next_version(d, def->stream, key, key2),
			      .cause = d->cause,
			      .at = d->now,
			      .stream = stream_name(def->stream, key, key2, d->arena),
			      .actor = d->origin->actor,
			      .method = d->origin->method,
			      .key = d->n_events == d->command_first ? d->origin->key : SLICE_NULL,
			      .data = copy };
	d->n_events++;
	d->ops->fold(d->arg, ev);
}

int settle(struct decision *d)
{
	while (d->settled < d->n_events && !d->failed) {
		/* emitting may move the array */
		struct event ev = d->events[d->settled++];

		d->cause = ev.seq;
		react(d, &ev);
	}
	d->cause = 0;
	return d->failed ? (int)d->err->code : 0;
}

/* ---- reading events ---- */

static void add_user(int64_t id, int64_t *ret, size_t *n, size_t max)
{
	for (size_t i = 0; i < *n; i++)
		if (ret[i] == id)
			return;
	if (*n < max)
		ret[(*n)++] = id;
}

static void collect_users(const struct record *r, const void *obj, int64_t *ret, size_t *n, size_t max)
{
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];
		const uint8_t *p = (const uint8_t *)obj + f->offset;
		const struct list *l = (const void *)p;

		if (f->flags & FIELD_DERIVED || (f->has != 0 && !*(const bool *)((const uint8_t *)obj + f->has)))
			continue;
		if (f->shape == SHAPE_NEST || f->shape == SHAPE_FLAT)
			collect_users(f->sub(), p, ret, n, max);
		else if (f->shape == SHAPE_SCALAR && f->kind == KIND_UID)
			add_user(*(const int64_t *)p, ret, n, max);
		else if (f->shape == SHAPE_LIST && f->kind == KIND_UID)
			for (size_t k = 0; k < l->n; k++)
				add_user(((const int64_t *)l->v)[k], ret, n, max);
		else if (f->shape == SHAPE_LIST_OF)
			for (size_t k = 0; k < l->n; k++)
				collect_users(f->sub(), (const uint8_t *)l->v + k * f->sub()->size, ret, n, max);
	}
}

size_t event_users(enum event_type type, const void *data, int64_t *ret, size_t max)
{
	size_t n = 0;

	collect_users(event_defs[type].record(), data, ret, &n, max);
	return n;
}

bool event_concerns(const struct event *ev, int64_t user_id)
{
	int64_t users[EVENT_USERS_MAX];
	size_t n = event_users(ev->type, ev->data, users, EVENT_USERS_MAX);

	for (size_t i = 0; i < n; i++)
		if (users[i] == user_id)
			return true;
	return false;
}

static void *read_record(const struct record *r, struct slice packed, struct arena *arena)
{
	void *data = arena_take(arena, r->size);
	struct mp m = mp_of(packed);

	if (data == NULL || !record_get(&m, r, data, arena))
		return NULL;
	return data;
}

const void *event_data(enum event_type type, struct slice packed, struct arena *arena)
{
	return read_record(event_defs[type].record(), packed, arena);
}

/* What was written under an older tag, as it would be written now. */
static const void *old_event_data(uint8_t tag, struct slice packed, struct arena *arena)
{
	const struct event_old *def = event_olds;
	const struct record *r;
	void *old, *ret;

	while (def->tag != tag)
		def++;
	r = event_defs[def->type].record();
	old = read_record(def->record(), packed, arena);
	ret = arena_take(arena, r->size);
	if (old == NULL || ret == NULL)
		return NULL;
	record_defaults(r, ret);
	def->upcast(old, ret, arena);
	return arena->failed ? NULL : ret;
}

bool event_from_stored(struct slice bytes, struct arena *arena, struct event *ret, struct envelope *env)
{
	enum event_type type;

	if (!envelope_decode(bytes, env))
		return false;
	type = event_by_tag(env->tag);
	if (type == N_EVENTS)
		return false;
	*ret = (struct event){ .type = type,
			       .seq = env->seq,
			       .commit = env->commit,
			       .version = env->version,
			       .cause = env->cause,
			       .at = env->at,
			       .stream = env->stream,
			       .actor = env->actor,
			       .method = env->method,
			       .key = env->key,
			       .data = env->tag == event_defs[type].tag ? event_data(type, env->data, arena)
									: old_event_data(env->tag, env->data, arena) };
	return ret->data != NULL;
}

/* ---- running ---- */

int decide(enum method_id m, struct decision *d, const void *params, void *result)
{
	int rc;

	switch (m) {
#define RUN(name)                                                                                                      \
	case METHOD_##name:                                                                                            \
		rc = decide_##name(d, params, result);                                                                 \
		break;
#define COMMAND(name, wire, kind, result, stream, path, errors, events, doc) RUN(name)
#define COMMAND_NEW(name, wire, kind, result, stream, errors, events, doc) RUN(name)
#define COMMAND_MANY(name, wire, kind, result, errors, events, doc) RUN(name)
#include "core/schema/all.def"
	default:
		assert(!"not a command");
		return E_INTERNAL;
	}
	if (rc == 0)
		rc = settle(d);
	return rc;
}
