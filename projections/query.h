#ifndef PROJECTIONS_QUERY_H
#define PROJECTIONS_QUERY_H

#include "core/decide.h"
#include "core/map_writer.h"
#include "core/text.h"

/*
 * Queries: state in, one packed value out. query_<name>(q, params) for each QUERY of the schema, in
 * projections/<aggregate>_queries.c; each writes exactly one value to q->out and answers 0, or an error of
 * the closed set in q->err (then what was written is dropped).
 *
 * A query examines what the catalogue of methods allows, since it runs on the loop.
 */

enum {
	ANSWER_MAX = 16 << 20,
	PAGE_BYTES = 13 << 20, /* a page ends before the next item beyond this; an item has 2 MiB at most */
	EXAMINE_MAX = 10000,
};

/* Events of the log, for queries whose rows are events. Lent until the next call. */
struct event_source {
	/* 0, or E_NOT_FOUND beyond the head. The event lives in the arena. */
	int (*get)(void *arg, uint64_t seq, struct arena *arena, struct event *ret, struct err *err);
	/* Next event at or after (backward: at or before) seq of a type in tags (NULL: any); E_NOT_FOUND: no more.
	 * examined grows by what was looked at. */
	int (*next)(void *arg, uint64_t seq, bool backward, const uint64_t tags[4], struct arena *arena,
		    struct event *ret, uint64_t *examined, struct err *err);
	/* First seq with a time >= at; head + 1 when there is none. */
	int (*seek_time)(void *arg, int64_t at, uint64_t *ret_seq, struct err *err);
	uint64_t (*head)(void *arg);
	void *arg;
	/* Who reads will do something else for a while: what is held for reading can be let go. May be NULL. */
	void (*rest)(void *arg);
};

struct query {
	struct state *state;
	struct arena *arena;
	const struct event_source *log;
	int64_t now;
	struct buf *out;
	struct err *err;
	uint64_t examined; /* entries looked at, for statistics */
	uint64_t returned; /* items written */
	const char *index; /* table whose order drove the list; NULL: no list */
};

int run_query(enum method_id m, struct query *q, const void *params);

#define QUERY(name, wire, kind, errors, doc) int query_##name(struct query *q, const struct name *p);
#include "core/schema/all.def"

/* ---- lists ---- */

/*
 * One page of a list: a range of an index (or of seqs), in one direction, from a cursor.
 *
 *   page_begin()                       checks and applies the cursor, opens {items: [...
 *   page_walk() / page_seqs()          calls the visitor for each entry until the page is full
 *   page_end()                         ...], next}, further pairs may be written in between
 *
 * A cursor names the list (method, filters, sort: everything but limit and after) and the entry to go on
 * behind; one of another list is E_INVALID_ARGUMENT.
 */
struct page {
	struct query *q;
	uint32_t list; /* identity of the list */
	int64_t limit;
	bool has_from;
	struct key from; /* entry to go on behind */
	size_t head;     /* of the items array */
	uint32_t n;
	struct key next;
	bool has_next;
	struct map_writer w;
};

/* p: the params, of record r, with fields limit and after. */
int page_begin(struct page *pg, struct query *q, const struct record *r, const void *p);
void page_end(struct page *pg);

/* Writes one item to q->out and answers VISIT_TAKEN, or VISIT_SKIPPED, or (negative) -code on error. */
enum { VISIT_SKIPPED = 0, VISIT_TAKEN = 1, VISIT_STOP = 2 };
typedef int (*visit_fn)(struct query *q, void *arg, struct slice key, struct slice value);

/* Rows of `table` with lo <= key < hi (hi empty: no end). */
struct range {
	enum table_id table;
	struct key lo, hi;
	bool desc;
};
int page_walk(struct page *pg, const struct range *range, visit_fn visit, void *arg);

/* The whole list, when it is one range: page_begin(), page_walk(), page_end(). */
int list_range(struct query *q, const struct record *r, const void *p, const struct range *range, visit_fn visit,
	       void *arg);

/* A range of all keys that begin with prefix, which the caller fills with key_put_*. */
void range_prefix(struct range *r, enum table_id table, const struct key *prefix, bool desc);

/* Behind the prefix (which may be empty) a U64: those with from <= number < to; to 0: no end. */
void range_numbers(struct range *r, enum table_id table, const struct key *prefix, uint64_t from, uint64_t to,
		   bool desc);
/* Behind the prefix a time: those in t. */
struct time_range;
void range_times(struct range *r, enum table_id table, const struct key *prefix, const struct time_range *t, bool desc);

/*
 * {items, missing} for ids[0..n), in the order asked. put() writes the item of one id and answers true, or writes
 * nothing and answers false.
 */
int put_many(struct query *q, enum kind kind, const void *ids, size_t n,
	     bool (*put)(struct query *q, const void *arg, const void *id), const void *arg);

/* Filter on time: half-open; days is shorthand. E_INVALID_ARGUMENT: days together with from_at. */
struct time_range {
	int64_t from; /* INT64_MIN: open */
	int64_t to;   /* INT64_MAX: open */
};
int time_range(struct query *q, bool has_from, int64_t from, bool has_to, int64_t to, bool has_days, int64_t days,
	       struct time_range *ret);

/* A bool filter that is true unless asked otherwise. E_INVALID_ARGUMENT: neither a bool, nor "any". */
enum flag_filter { FLAG_FALSE, FLAG_TRUE, FLAG_ANY };
int flag_filter(struct query *q, const char *field, struct slice packed, enum flag_filter *ret);
static inline bool flag_passes(enum flag_filter filter, bool value)
{
	return filter == FLAG_ANY || value == (filter == FLAG_TRUE);
}

/* A window of the last `days` UTC days: first and last day. */
void day_window(const struct query *q, int64_t days, int64_t *ret_first, int64_t *ret_last);

static inline bool in_time(const struct time_range *t, int64_t at)
{
	return at >= t->from && at < t->to;
}

/* per_day: [{day_at, ...}] for the last `days` UTC days, oldest first; fill() writes the rest of a day's map. */
void put_per_day(struct query *q, struct map_writer *w, int64_t days,
		 void (*fill)(struct query *q, struct map_writer *day, int64_t utc_day, void *arg), void *arg);

/* 100 * part / whole, 0 of nothing. */
double percent(int64_t part, int64_t whole);
/* sum / n, 0 over nothing. */
double mean(int64_t sum, int64_t n);

/*
 * Word search over a table keyed by (word, id ...): the longest word of the query drives, and an item counts at its
 * first word with that prefix, so it comes once.
 *
 *   search_begin(q, "query", p->query, T_lore_word, &search, &range)    before the walk
 *   key_take_TEXT(&key, q->arena, &word)                                in the visitor: the rest of the key is the id
 *   search_hit(q, &search, word, texts, n)                              whether the item's texts have all words
 */
struct search {
	struct words words; /* longest first */
};
/* E_INVALID_ARGUMENT: no word, or more than 10. */
int search_begin(struct query *q, const char *field, struct slice text, enum table_id table, struct search *ret,
		 struct range *ret_range);
bool search_hit(struct query *q, const struct search *search, struct slice word, const struct slice *texts, size_t n);

#endif
