/*
 * The history of an auction from its events: each bid, hold, release, extension and capture, and after each who leads,
 * what is held and how long the auction goes on. All of it is computed here from the log, none of it asked of the
 * views.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/decide.h"
#include "core/map_writer.h"
#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_audited.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_history.h"
#include "daemon/dianactl_session.h"

enum { STREAM_NAME = 40, JSON_MAX = 1 << 30 };

/* As it is after an event. */
struct lot {
	const char *status;
	int64_t leader; /* 0: nobody */
	int64_t leads_with, held;
	unsigned holds;  /* open ones */
	int64_t ends_at; /* 0: not known yet */
	uint64_t bids, extensions;
};

struct step {
	struct client_message event;
	uint64_t seq;
	struct lot after;
};

struct history {
	const struct dianactl_history_values *values;
	struct audited ledger;
	uint64_t id;
	int64_t until; /* what came after this time is left out */
	struct step *steps;
	size_t n, max;
	int64_t *bidders;
	size_t n_bidders, max_bidders;
	uint64_t *holds; /* ids of those of this auction */
	size_t n_holds, max_holds;
	uint64_t last; /* seq of the auction's own last event */
	bool decimals;
};

/* ---- growing arrays ---- */

static void *more_room(void *array, size_t n, size_t *max, size_t size)
{
	size_t wanted = *max == 0 ? 64 : 2 * *max;
	void *grown = n < *max ? array : realloc(array, wanted * size);

	if (n == *max && grown != NULL)
		*max = wanted;
	return grown;
}

static int add_bidder(struct history *h, int64_t id)
{
	int64_t *grown;

	for (size_t i = 0; i < h->n_bidders; i++)
		if (h->bidders[i] == id)
			return DIANACTL_OK;
	grown = more_room(h->bidders, h->n_bidders, &h->max_bidders, sizeof(*h->bidders));
	if (grown == NULL)
		return dianactl_session_no_memory();
	h->bidders = grown;
	h->bidders[h->n_bidders++] = id;
	return DIANACTL_OK;
}

static int add_hold(struct history *h, uint64_t id)
{
	uint64_t *grown = more_room(h->holds, h->n_holds, &h->max_holds, sizeof(*h->holds));

	if (grown == NULL)
		return dianactl_session_no_memory();
	h->holds = grown;
	h->holds[h->n_holds++] = id;
	return DIANACTL_OK;
}

static bool knows_hold(const struct history *h, uint64_t id)
{
	for (size_t i = 0; i < h->n_holds; i++)
		if (h->holds[i] == id)
			return true;
	return false;
}

static int add_step(struct history *h, const msgpack_object *event)
{
	struct step *grown = more_room(h->steps, h->n, &h->max, sizeof(*h->steps));
	struct client_message copy;

	if (grown == NULL)
		return dianactl_session_no_memory();
	h->steps = grown;
	if (!client_message_copy(event, &copy))
		return dianactl_session_no_memory();
	h->steps[h->n++] = (struct step){ .event = copy, .seq = client_object_uint(event, "seq", 0) };
	return DIANACTL_OK;
}

/* ---- reading: the auction's stream, then the points of those who bid ---- */

static bool is_later(const struct history *h, const msgpack_object *event)
{
	return client_object_int(event, "at", 0) > h->until;
}

static int take_own(void *arg, const msgpack_object *event)
{
	const msgpack_object *data = client_object_get(event, "data");
	struct history *h = arg;
	int64_t bidder = client_object_int(client_object_get(data, "bid"), "user_id", 0);
	int rc;

	if (is_later(h, event))
		return DIANACTL_OK;
	rc = add_step(h, event);
	h->last = client_object_uint(event, "seq", 0);
	return rc == DIANACTL_OK && bidder != 0 ? add_bidder(h, bidder) : rc;
}

/* A hold names its auction; what becomes of it names the hold. */
static int take_points(void *arg, const msgpack_object *event)
{
	const msgpack_object *data = client_object_get(event, "data"), *hold = client_object_get(data, "hold");
	struct history *h = arg;
	int rc = DIANACTL_OK;

	if (is_later(h, event))
		return DIANACTL_OK;
	if (hold != NULL && client_object_uint(hold, "auction_id", 0) == h->id)
		rc = add_hold(h, client_object_uint(hold, "id", 0));
	else if (hold != NULL || !knows_hold(h, client_object_uint(data, "hold_id", 0)))
		return DIANACTL_OK;
	return rc == DIANACTL_OK ? add_step(h, event) : rc;
}

static int read_own(struct history *h)
{
	char name[STREAM_NAME];
	const char *stream = name;
	struct audited_query q = { .streams = &stream, .n_streams = 1, .to_seq = h->values->to_seq };

	snprintf(name, sizeof(name), "auction:%" PRIu64, h->id);
	return h->ledger.ops->read(&h->ledger, &q, take_own, h);
}

/* What they caused is in the same commits. */
static int read_streams(struct history *h, char names[][STREAM_NAME], const char **streams)
{
	static const char *const types[] = { "point.held", "point.released", "point.captured" };
	struct audited_query q = { .from_seq = h->steps[0].seq,
				   .to_seq = h->last + COMMIT_EVENTS_MAX,
				   .streams = streams,
				   .n_streams = h->n_bidders,
				   .types = types,
				   .n_types = DIANACTL_COUNT(types) };

	for (size_t i = 0; i < h->n_bidders; i++) {
		snprintf(names[i], STREAM_NAME, "points:%" PRId64, h->bidders[i]);
		streams[i] = names[i];
	}
	if (h->values->to_seq != 0 && h->values->to_seq < q.to_seq)
		q.to_seq = h->values->to_seq;
	return h->ledger.ops->read(&h->ledger, &q, take_points, h);
}

static int read_points(struct history *h)
{
	char(*names)[STREAM_NAME] = calloc(h->n_bidders + 1, sizeof(*names));
	const char **streams = calloc(h->n_bidders + 1, sizeof(*streams));
	int rc = DIANACTL_OK;

	if (names == NULL || streams == NULL)
		rc = dianactl_session_no_memory();
	else if (h->n_bidders > 0)
		rc = read_streams(h, names, streams);
	free(streams);
	free(names);
	return rc;
}

/* ---- what it was after each ---- */

static int by_seq(const void *a, const void *b)
{
	uint64_t x = ((const struct step *)a)->seq, y = ((const struct step *)b)->seq;

	return x < y ? -1 : x > y;
}

static int64_t points(const msgpack_object *map, const char *key)
{
	int64_t milli = 0;

	client_object_milli(client_object_get(map, key), &milli);
	return milli;
}

static void on_created(struct lot *l, const msgpack_object *data)
{
	l->status = "pending";
	l->ends_at = client_object_int(data, "end_at", 0);
}

static void on_updated(struct lot *l, const msgpack_object *data)
{
	const msgpack_object *changes = client_object_get(data, "changes");

	l->ends_at = client_object_int(changes, "end_at", l->ends_at);
}

static void on_started(struct lot *l, const msgpack_object *data)
{
	l->status = "active";
	l->ends_at = client_object_int(data, "end_at", 0);
}

static void lead(struct lot *l, const msgpack_object *bid)
{
	l->leader = client_object_int(bid, "user_id", 0);
	l->leads_with = points(bid, "amount");
}

static void on_bid(struct lot *l, const msgpack_object *data)
{
	l->bids++;
	lead(l, client_object_get(data, "bid"));
}

static void on_retracted(struct lot *l, const msgpack_object *data)
{
	if (client_object_bool(data, "was_leading", false))
		lead(l, client_object_get(data, "new_leader"));
}

static void on_extended(struct lot *l, const msgpack_object *data)
{
	l->extensions++;
	l->ends_at = client_object_int(data, "end_at", l->ends_at);
}

static void on_ended(struct lot *l, const msgpack_object *data)
{
	l->status = "ended";
	l->leader = client_object_int(data, "winner_id", 0);
	l->leads_with = l->leader != 0 ? points(data, "amount") : 0;
}

static void on_cancelled(struct lot *l, const msgpack_object *data)
{
	(void)data;
	l->status = "cancelled";
}

static void on_deleted(struct lot *l, const msgpack_object *data)
{
	(void)data;
	l->status = "deleted";
}

static void on_held(struct lot *l, const msgpack_object *data)
{
	l->held += points(client_object_get(data, "hold"), "amount");
	l->holds++;
}

static void on_freed(struct lot *l, const msgpack_object *data)
{
	l->held -= points(data, "amount");
	l->holds--;
}

static const struct line_kind {
	const char *type, *name;
	void (*apply)(struct lot *l, const msgpack_object *data);
	enum client_colour colour;
} kinds[] = {
	{ "auction.created", "created", on_created, CLIENT_COLOUR_NONE },
	{ "auction.updated", "updated", on_updated, CLIENT_COLOUR_NONE },
	{ "auction.deleted", "deleted", on_deleted, CLIENT_COLOUR_NONE },
	{ "auction.started", "started", on_started, CLIENT_COLOUR_NONE },
	{ "auction.joined", "joined", NULL, CLIENT_COLOUR_NONE },
	{ "auction.left", "left", NULL, CLIENT_COLOUR_NONE },
	{ "auction.participant_updated", "participant updated", NULL, CLIENT_COLOUR_NONE },
	{ "auction.bid_placed", "bid", on_bid, CLIENT_COLOUR_NONE },
	{ "auction.bid_retracted", "bid retracted", on_retracted, CLIENT_COLOUR_NONE },
	{ "auction.extended", "extended", on_extended, CLIENT_COLOUR_NONE },
	{ "auction.ended", "ended", on_ended, CLIENT_COLOUR_NONE },
	{ "auction.cancelled", "cancelled", on_cancelled, CLIENT_COLOUR_NONE },
	{ "point.held", "held", on_held, CLIENT_COLOUR_YELLOW },
	{ "point.released", "released", on_freed, CLIENT_COLOUR_GREEN },
	{ "point.captured", "captured", on_freed, CLIENT_COLOUR_RED },
};

/* NULL: of a newer version. */
static const struct line_kind *kind_of(const msgpack_object *event)
{
	struct client_text type = client_object_text(event, "type");

	for (size_t i = 0; i < DIANACTL_COUNT(kinds); i++)
		if (client_text_is(type, kinds[i].type))
			return &kinds[i];
	return NULL;
}

static void follow(struct history *h)
{
	struct lot now = { .status = "pending" };

	qsort(h->steps, h->n, sizeof(*h->steps), by_seq);
	for (size_t i = 0; i < h->n; i++) {
		const msgpack_object *event = h->steps[i].event.result;
		const struct line_kind *k = kind_of(event);

		if (k != NULL && k->apply != NULL)
			k->apply(&now, client_object_get(event, "data"));
		h->steps[i].after = now;
		h->decimals = h->decimals || now.held % 1000 != 0 || now.leads_with % 1000 != 0;
	}
}

/* Milliseconds to the end after a step; -1: none. */
static int64_t time_left(const struct step *s)
{
	int64_t at = client_object_int(s->event.result, "at", 0);

	if (strcmp(s->after.status, "active") != 0 || s->after.ends_at == 0)
		return -1;
	return s->after.ends_at > at ? s->after.ends_at - at : 0;
}

/* ---- for people ---- */

static const struct client_column columns[] = {
	{ "SEQ", true },       { "TIME", false },  { "EVENT", false },     { "USER", true },
	{ "AMOUNT", true },    { "LEADER", true }, { "LEADS WITH", true }, { "HELD", true },
	{ "TIME LEFT", true }, { "BY", false },    { "MORE", false },
};

/* Whom an event is about, and how much. */
static const msgpack_object *subject_of(const msgpack_object *data)
{
	static const char *const inside[] = { "bid", "hold" };

	for (size_t i = 0; i < DIANACTL_COUNT(inside); i++)
		if (client_object_get(data, inside[i]) != NULL)
			return client_object_get(data, inside[i]);
	return data;
}

static int64_t user_of(const msgpack_object *data)
{
	return client_object_int(subject_of(data), "user_id", client_object_int(data, "winner_id", 0));
}

static void add_id(struct client_table *table, int64_t id)
{
	if (id != 0)
		client_table_format(table, "%" PRId64, id);
	else
		client_table_string(table, "-");
}

static void add_points(struct client_table *table, bool has, int64_t milli, bool decimals)
{
	char text[CLIENT_FORMAT_MAX];

	client_table_string(table, has ? client_format_points(text, milli, decimals) : "-");
}

static void add_more(struct client_table *table, const struct step *s)
{
	const msgpack_object *data = client_object_get(s->event.result, "data");
	struct client_text reason = client_object_text(data, "reason");

	if (client_object_get(data, "automatic") != NULL)
		client_table_format(table, "%s, %" PRIu64 " minutes",
				    client_object_bool(data, "automatic", false) ? "a late bid" : "by hand",
				    client_object_uint(data, "minutes", 0));
	else if (reason.base != NULL)
		client_table_text(table, reason);
	else
		client_table_string(table, "");
}

static void add_line(struct client_table *table, const struct history *h, const struct step *s)
{
	const msgpack_object *event = s->event.result, *data = client_object_get(event, "data");
	const msgpack_object *amount = client_object_get(subject_of(data), "amount");
	const struct line_kind *k = kind_of(event);
	char left[CLIENT_FORMAT_MAX];

	client_table_object(table, client_object_get(event, "seq"));
	dianactl_cells_time(table, event, "at", h->ledger.ctl->utc);
	if (k != NULL)
		client_table_string(table, k->name);
	else
		client_table_text(table, client_object_text(event, "type"));
	client_table_paint(table, k != NULL ? k->colour : CLIENT_COLOUR_NONE);
	add_id(table, user_of(data));
	dianactl_cells_points(table, amount, h->decimals);
	add_id(table, s->after.leader);
	add_points(table, s->after.leader != 0, s->after.leads_with, h->decimals);
	add_points(table, true, s->after.held, h->decimals);
	if (time_left(s) >= 0)
		client_table_string(table, client_format_duration(left, (uint64_t)time_left(s)));
	else
		client_table_string(table, "-");
	client_table_text(table, client_object_text(event, "actor"));
	add_more(table, s);
}

/* The latest, as many as are wanted. */
static size_t first_shown(const struct history *h)
{
	uint64_t limit = dianactl_history_limit(h->values);

	return limit != 0 && limit < h->n ? h->n - limit : 0;
}

static int print_lines(const struct history *h)
{
	struct client_table *table = client_table_new(columns, DIANACTL_COUNT(columns));
	size_t first = first_shown(h), n = h->n - first;
	bool complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	for (size_t i = 0; i < n; i++)
		add_line(table, h, &h->steps[h->values->newest_first ? h->n - 1 - i : first + i]);
	complete = client_table_print(table, stdout, "", h->ledger.ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static void print_footing(const struct history *h)
{
	const struct lot *l = &h->steps[h->n - 1].after;
	char held[CLIENT_FORMAT_MAX], leads[CLIENT_FORMAT_MAX], times[CLIENT_FORMAT_MAX];

	printf("\n%s, %" PRIu64 " bid%s", l->status, l->bids, l->bids == 1 ? "" : "s");
	if (l->extensions > 0)
		printf(", extended %s", dianactl_cells_times(times, l->extensions));
	if (l->leader != 0)
		printf(", %s %" PRId64 " with %s", strcmp(l->status, "ended") == 0 ? "won by" : "led by", l->leader,
		       client_format_points(leads, l->leads_with, h->decimals));
	printf("; held: %s", client_format_points(held, l->held, h->decimals));
	if (l->holds > 0)
		printf(" by %u hold%s", l->holds, l->holds == 1 ? "" : "s");
	putchar('\n');
	if (first_shown(h) > 0)
		puts("There are older events: --limit N shows more, --all shows every one.");
}

static int print_text(const struct history *h)
{
	const msgpack_object *first = client_object_get(h->steps[0].event.result, "data");
	int rc;

	printf("History of auction %" PRIu64 " ", h->id);
	dianactl_cells_print(stdout, client_object_text(first, "name"));
	puts(h->ledger.ctl->utc ? ", times in UTC\n" : "\n");
	rc = print_lines(h);
	print_footing(h);
	return rc;
}

/* ---- for programs ---- */

static void put_lot(struct buf *b, const struct step *s)
{
	const struct lot *l = &s->after;
	struct map_writer w;

	map_open(&w, b);
	map_str(&w, "status", l->status);
	map_opt_int(&w, "leader_id", l->leader != 0, l->leader);
	map_points(&w, "leading_bid", l->leads_with);
	map_points(&w, "held", l->held);
	map_int(&w, "holds", l->holds);
	map_opt_int(&w, "end_at", l->ends_at != 0, l->ends_at);
	map_opt_int(&w, "time_left_ms", time_left(s) >= 0, time_left(s));
	map_close(&w);
}

static int print_json(const struct history *h)
{
	size_t first = first_shown(h), n = h->n - first;
	struct map_writer w, item;
	struct buf b;
	int rc;

	buf_init(&b, JSON_MAX);
	map_open(&w, &b);
	map_uint(&w, "auction_id", h->id);
	mp_put_array(map_key(&w, "items"), (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		const struct step *s = &h->steps[h->values->newest_first ? h->n - 1 - i : first + i];

		map_open(&item, &b);
		client_object_put(map_key(&item, "event"), s->event.result);
		put_lot(map_key(&item, "after"), s);
		map_close(&item);
	}
	map_bool(&w, "more", first > 0);
	map_close(&w);
	rc = dianactl_session_print_packed(&b);
	buf_free(&b);
	return rc;
}

/* ---- the command ---- */

static int not_found(const struct history *h)
{
	fprintf(stderr, "not_found: no auction %" PRIu64 " in this log%s\n", h->id,
		h->values->to_seq != 0 || h->values->at != NULL ? " up to there" : "");
	if (h->values->data == NULL)
		dianactl_session_warn("'dianactl call auction.list' lists them");
	return DIANACTL_REFUSED;
}

static int show(struct history *h)
{
	int rc = read_own(h);

	if (rc == DIANACTL_OK && h->n == 0)
		return not_found(h);
	if (rc == DIANACTL_OK)
		rc = read_points(h);
	if (rc != DIANACTL_OK)
		return rc;
	follow(h);
	return h->ledger.ctl->json ? print_json(h) : print_text(h);
}

int dianactl_history_auction(struct dianactl *ctl, const struct dianactl_history_values *v)
{
	struct history h = { .values = v, .until = INT64_MAX };
	const char *id = strchr(ctl->words[0], ':') + 1;
	bool day;
	int rc;

	if (!client_parse_uint(id, &h.id) || h.id == 0)
		return dianactl_session_usage(ctl, "history: '%s' is no id of an auction", id);
	if (v->from != NULL || v->to != NULL || v->source != NULL)
		return dianactl_session_usage(ctl, "history auction:ID takes no --from, --to or --source");
	if (v->at != NULL && v->to_seq != 0)
		return dianactl_session_usage(ctl, "history takes one of --to-seq and --at");
	if (v->at != NULL && !client_parse_moment(v->at, ctl->utc, &h.until, &day))
		return dianactl_session_no_moment(ctl, v->at);
	rc = audited_open(ctl, v->data, &h.ledger);
	if (rc != DIANACTL_OK)
		return rc;
	rc = show(&h);
	for (size_t i = 0; i < h.n; i++)
		client_message_clear(&h.steps[i].event);
	free(h.steps);
	free(h.bidders);
	free(h.holds);
	audited_close(&h.ledger);
	return rc;
}
