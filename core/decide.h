#ifndef CORE_DECIDE_H
#define CORE_DECIDE_H

#include "core/event.h"
#include "core/records.h"

/*
 * Deciding: a command in, events or one error out. Pure: no I/O, no clock, no randomness of its own.
 *
 *   decide_<name>(d, params, result)     one per COMMAND of the schema, in core/decide_<aggregate>.c
 *     reads d->state, EMITs its events (each folded at once, so that it sees what it did),
 *     then settle(d), which runs the reactions (core/reactions.c), then fills in the result.
 *
 * It answers 0 or an error of the closed set, in d->err. Whoever runs it rolls the state back on error.
 * EMIT is sticky: a commit that grows too large, or a ceiling, makes d->failed, and all later EMITs
 * do nothing.
 */

enum { COMMIT_EVENTS_MAX = 4096, DECIDE_ARENA_MAX = 64 << 20 };

/* An event as folds, reactions and readers see it. Lives as long as the decision's arena. */
struct event {
	enum event_type type;
	uint64_t seq;
	uint64_t commit;
	uint64_t version; /* position in its stream */
	uint64_t cause;   /* 0: the command itself */
	int64_t at;
	struct slice stream;
	struct slice actor; /* base NULL: none */
	struct slice method;
	const void *data; /* struct of event_defs[type].record() */
	/* Idempotency key of the commit, on its first event only; base NULL: none. */
	struct slice key;
};

/* Who and what a commit comes from; the same for all its events. */
struct origin {
	struct slice method;
	struct slice actor;
	struct slice note;
	struct slice key; /* idempotency key */
	bool has_peer;
	int64_t peer;
};

/* Handed in by whoever runs decisions. */
struct decide_ops {
	/* Folds one event into every projection. */
	void (*fold)(void *arg, const struct event *ev);
	/* n secure random bytes. */
	void (*random)(void *arg, void *p, size_t n);
};

struct decision {
	struct state *state;
	struct arena *arena;
	const struct origin *origin;
	const struct decide_ops *ops;
	void *arg;
	int64_t now; /* time of the commit, ms */
	uint64_t first_seq;
	size_t command_first; /* first event of the command in work (a batch has several) */
	struct err *err;
	bool failed; /* err is set */
	/* events so far */
	struct event *events;
	size_t n_events, cap_events;
	size_t settled; /* events whose reactions have run */
	uint64_t cause;
	/* stream that the reply's version is of */
	bool addressed;
	bool addresses_several; /* streams: there is no such version */
	enum stream_id stream;
	struct key stream_row;
};

void decision_init(struct decision *d, struct state *s, const struct origin *origin, const struct decide_ops *ops,
		   void *arg, int64_t now, uint64_t first_seq, struct err *err);

/* Appends one event and folds it. data is copied; what it lends must live as long as the arena. */
void emit(struct decision *d, enum event_type type, const void *data);
#define EMIT(d, rec, ...) emit(d, EV_##rec, &(struct rec){ __VA_ARGS__ })
/* E_LIMIT_EXCEEDED, as emit() says it. */
int too_many_events(struct decision *d);

/* Runs the reactions of all events, first in first out. Returns 0 or the code in d->err. */
int settle(struct decision *d);

/*
 * Streams are named after one thing or two: key points to the field that holds the first, key2 to that of the second
 * (ignored by streams that have one).
 */
/* The row that holds the version of a stream. */
void stream_row(enum stream_id stream, const void *key, const void *key2, struct key *ret);
/* "points:42", "progress:42:daily" */
struct slice stream_name(enum stream_id stream, const void *key, const void *key2, struct arena *arena);
/* The version that the next event of a stream gets. */
uint64_t next_version(struct decision *d, enum stream_id stream, const void *key, const void *key2);
/* The command addresses this stream: expected_version and the reply's version are of it. */
void decision_address(struct decision *d, enum stream_id stream, const void *key, const void *key2);

/* Users in an event's data, in field order, each once; at most max. Returns how many. */
size_t event_users(enum event_type type, const void *data, int64_t *ret, size_t max);
enum { EVENT_USERS_MAX = 16 };
bool event_concerns(const struct event *ev, int64_t user_id);

/* Reads the data of a stored event into a struct in the arena. NULL: malformed or of a newer version. */
const void *event_data(enum event_type type, struct slice packed, struct arena *arena);
/* A whole stored event, an older form of it as its type is now; false: malformed, or of an unknown type. */
bool event_from_stored(struct slice bytes, struct arena *arena, struct event *ret, struct envelope *ret_env);

/* ---- methods ---- */

enum method_class { METHOD_COMMAND, METHOD_QUERY, METHOD_SERVICE };
enum {
	SERVICE_QUERY = 1,   /* reads */
	SERVICE_SESSION = 2, /* belongs to a connection */
	METHOD_ADMIN = 4,    /* admin only */
	QUERY_IN_WORKER = 8, /* long: a worker answers it, as of a checkpoint made for it */
};

#define COMMAND(name, wire, kind, result, stream, path, errors, events, doc) METHOD_##name,
#define COMMAND_NEW(name, wire, kind, result, stream, errors, events, doc) METHOD_##name,
#define COMMAND_MANY(name, wire, kind, result, errors, events, doc) METHOD_##name,
#define QUERY(name, wire, kind, errors, doc) METHOD_##name,
#define SERVICE(name, wire, flags, errors, events, doc) METHOD_##name,
enum method_id {
#include "core/schema/all.def"
	N_METHODS
};

enum address { ADDRESS_MANY, ADDRESS_NEW, ADDRESS_FIELD, ADDRESS_VIA };
struct method_def {
	const char *name; /* on the wire */
	const char *kind; /* NULL: takes no kind */
	enum method_class class;
	unsigned flags;
	const struct record *(*params)(void);
	const struct record *(*result)(void); /* commands */
	enum address address;
	enum stream_id stream;
	size_t key_offset;  /* ADDRESS_FIELD: of the stream's key in the params */
	size_t key2_offset; /* and of the second */
	const char *errors; /* "a|b" */
	const char *events;
	const char *doc;
};
extern const struct method_def method_defs[N_METHODS];
/* decision_address() from the params of a command, where they tell the stream. */
void decision_address_params(struct decision *d, enum method_id m, const void *params);

/*
 * Methods of that name; those of several kinds stand together, the default kind first.
 * Returns how many, 0: no such method.
 */
unsigned methods_by_name(struct slice name, enum method_id *ret_first);
/* Whether the param `kind` must be sent: no kind is the default. */
bool method_needs_kind(enum method_id m);
/* The method for a kind (absent: the default one). E_UNKNOWN_METHOD; E_INVALID_ARGUMENT: kind, *ret is the first. */
int method_find(struct slice name, struct slice kind, enum method_id *ret, struct err *err);

/* Runs the decision of a command. */
int decide(enum method_id m, struct decision *d, const void *params, void *result);

#define COMMAND(name, wire, kind, result, stream, path, errors, events, doc)                                           \
	int decide_##name(struct decision *d, const struct name *p, struct result *r);
#define COMMAND_NEW(name, wire, kind, result, stream, errors, events, doc)                                             \
	int decide_##name(struct decision *d, const struct name *p, struct result *r);
#define COMMAND_MANY(name, wire, kind, result, errors, events, doc)                                                    \
	int decide_##name(struct decision *d, const struct name *p, struct result *r);
#include "core/schema/all.def"

/*
 * For each COMMAND_VIA: decision_address() of the stream that params lead to, nothing when that is not there, or sets
 * d->addresses_several.
 */
#define COMMAND_VIA(name, wire, kind, result, stream, errors, events, doc)                                             \
	void address_##name(struct decision *d, const struct name *p);
#include "core/schema/all.def"

/* ---- timers ---- */

#define TIMER(name, events, doc) TIMER_##name,
enum timer_id {
#include "core/schema/all.def"
	N_TIMERS
};
struct due {
	enum timer_id timer;
	int64_t at; /* due time */
	int64_t id; /* of the entity; where that is a text, its due_hash() */
	/* In the timer's queue nothing that can act lies before this time: given to due_<timer>(), and moved on by
	 * it. 0: not known. Entries that have fired stay behind as deleted rows until a checkpoint; whoever fires
	 * many in a row would walk over all of them each time. */
	int64_t from;
};
extern const char *const timer_names[N_TIMERS]; /* "timer.vip_expiry" */
/*
 * The earliest due entry; equal times: order of the timers, then id. now tells which still can act. from: see struct
 * due, one for each timer, kept from call to call by whoever fires one after the other; NULL: all is looked at.
 */
bool timers_next(struct state *s, int64_t now, int64_t from[N_TIMERS], struct due *ret);
/* The commit of a due entry. Emits nothing when its condition no longer holds. */
int decide_timer(struct decision *d, const struct due *due);
/* Whether an event of this type can change what is due next. */
bool event_moves_timers(enum event_type type);

/*
 * due_<timer>() finds the earliest entry that can still act, sets ret->at and ret->id and answers true;
 * fire_<timer>() emits its events, or nothing when its condition no longer holds.
 */
#define TIMER(name, events, doc)                                                                                       \
	bool due_##name(struct state *s, int64_t now, struct due *ret);                                                \
	void fire_##name(struct decision *d, const struct due *due);
#include "core/schema/all.def"
int64_t due_hash(struct slice id);
/* First row at or after `from` of a table keyed by (time, id); a time beyond MS_MAX is never due. */
bool due_first(struct state *s, enum table_id table, int64_t from, struct due *ret);
/* The same behind a prefix: keyed by (prefix, time, id). */
bool due_first_of(struct state *s, enum table_id table, const struct key *prefix, int64_t from, struct due *ret);

#endif
