/*
 * The daemon at work: counters and rates, the points in the system, auctions that end soon, the
 * latest events. Each frame is one request, so that its numbers are of one moment, and what watching
 * costs the daemon does not grow with what happens there. For every event there is dianactl tail.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/client_format.h"
#include "daemon/client_json.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_batch.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_counters.h"
#include "daemon/dianactl_events.h"
#include "daemon/dianactl_lists.h"
#include "daemon/dianactl_screen.h"
#include "daemon/dianactl_session.h"
#include "daemon/dianactl_stop.h"

#define INTERVAL_DEFAULT_S 1
#define INTERVAL_MAX_S 86400
#define AUCTIONS_SHOWN 5
#define EVENTS_ASKED 100 /* as many as a tall terminal has rows */
#define EVENTS_PLAIN 10  /* where there is no terminal whose rows could be filled */

struct watch_values {
	uint64_t interval_s, limit;
	bool once;
};

static const struct dianactl_option watch_options[] = {
	{ "interval", 'i', DIANACTL_NUMBER, offsetof(struct watch_values, interval_s), "SECONDS",
	  "between two frames (default 1)" },
	{ "limit", 'n', DIANACTL_NUMBER, offsetof(struct watch_values, limit), "N", "stop after N frames" },
	{ "once", '1', DIANACTL_FLAG, offsetof(struct watch_values, once), NULL, "one frame, and be done" },
};

/* What is counted, since the daemon started. */
enum counter { CALLS, REFUSED, COMMITS, EVENTS, N_COUNTERS };

struct sample {
	uint64_t counters[N_COUNTERS];
	uint64_t uptime_ms; /* of the daemon: the clock of its counters */
};

struct watch {
	struct dianactl *ctl;
	const struct watch_values *values;
	struct dianactl_batch batch;
	struct sample now;
	double rates[N_COUNTERS]; /* per second, since the sample before */
	bool lost;                /* the daemon does not answer; batch is what it said last */
	struct client_error problem;
	uint64_t frames;
};

/* ---- asking ---- */

static void fill_calls(struct client_params *params, const void *about)
{
	(void)about;
	client_params_text(params, "section", "calls");
}

static void fill_commits(struct client_params *params, const void *about)
{
	(void)about;
	client_params_text(params, "section", "commits");
}

static void fill_auctions(struct client_params *params, const void *about)
{
	(void)about;
	client_params_text(params, "status", "active");
	client_params_uint(params, "limit", AUCTIONS_SHOWN);
}

static void fill_events(struct client_params *params, const void *about)
{
	(void)about;
	client_params_text(params, "order", "desc");
	client_params_uint(params, "limit", EVENTS_ASKED);
}

enum part {
	PART_HEALTH,
	PART_CALLS,
	PART_COMMITS,
	PART_POINTS,
	PART_AUCTION_TOTALS,
	PART_AUCTIONS,
	PART_EVENTS,
	N_PARTS,
};

static const struct dianactl_query queries[N_PARTS] = {
	[PART_HEALTH] = { "health", "server.health", NULL },
	[PART_CALLS] = { "calls", "server.stats", fill_calls },
	[PART_COMMITS] = { "commits", "server.stats", fill_commits },
	[PART_POINTS] = { "points", "point.stats", NULL },
	[PART_AUCTION_TOTALS] = { "auction_totals", "auction.stats", NULL },
	[PART_AUCTIONS] = { "auctions", "auction.list", fill_auctions },
	[PART_EVENTS] = { "events", "log.read", fill_events },
};

static const msgpack_object *watch_part(const struct watch *w, enum part part)
{
	return dianactl_batch_result(&w->batch, part);
}

static void take_sample(const struct watch *w, struct sample *ret)
{
	const msgpack_object *commits = client_object_get(watch_part(w, PART_COMMITS), "commits");

	ret->counters[CALLS] = dianactl_counters_calls(watch_part(w, PART_CALLS), &ret->counters[REFUSED]);
	ret->counters[COMMITS] = client_object_uint(commits, "count", 0);
	ret->counters[EVENTS] = client_object_uint(commits, "events", 0);
	ret->uptime_ms = client_object_uint(watch_part(w, PART_HEALTH), "uptime_ms", 0);
}

/* Of the first frame, and when the daemon was started again meanwhile, the rates are those since its start. */
static void take_rates(struct watch *w)
{
	struct sample before = w->now;
	uint64_t elapsed_ms;

	take_sample(w, &w->now);
	if (before.uptime_ms >= w->now.uptime_ms)
		before = (struct sample){ 0 };
	elapsed_ms = w->now.uptime_ms - before.uptime_ms;
	for (size_t i = 0; i < N_COUNTERS; i++) {
		uint64_t more = w->now.counters[i] - before.counters[i];

		w->rates[i] = elapsed_ms > 0 ? (double)more * 1000.0 / (double)elapsed_ms : 0;
	}
}

/* False: told to stop meanwhile. */
static bool watch_ask_again(struct watch *w)
{
	struct dianactl_batch next;
	struct client_error err;

	if (dianactl_batch_retry(w->ctl, queries, N_PARTS, NULL, &next, &err) != 0) {
		dianactl_batch_clear(&next);
		w->lost = true;
		w->problem = err;
		return err.code != CLIENT_STOPPED;
	}
	dianactl_batch_clear(&w->batch);
	w->batch = next;
	w->lost = false;
	take_rates(w);
	return true;
}

/* ---- a frame ---- */

static void write_now(FILE *out, const struct watch *w)
{
	char text[CLIENT_FORMAT_MAX];

	fputs(client_format_time(text, (int64_t)time(NULL) * 1000, w->ctl->utc), out);
}

static void write_head(FILE *out, const struct watch *w)
{
	const msgpack_object *health = watch_part(w, PART_HEALTH);
	char uptime[CLIENT_FORMAT_MAX];

	write_now(out, w);
	fputs("  ", out);
	if (w->lost) {
		dianactl_cells_paint(out, (struct client_text){ w->problem.text, strlen(w->problem.text) },
				     w->ctl->colour ? CLIENT_COLOUR_RED : CLIENT_COLOUR_NONE);
	} else {
		dianactl_cells_status(out, client_object_text(health, "status"), w->ctl->colour);
		fprintf(out, "  up %s  head %" PRIu64 "  connections %" PRIu64,
			client_format_duration(uptime, client_object_uint(health, "uptime_ms", 0)),
			client_object_uint(health, "head_seq", 0), client_object_uint(health, "connections", 0));
	}
	putc('\n', out);
}

/* Only what is not in order. */
static void write_checks(FILE *out, const struct watch *w)
{
	const msgpack_object *checks = client_object_get(watch_part(w, PART_HEALTH), "checks");

	for (size_t i = 0; i < client_object_length(checks); i++) {
		const msgpack_object *check = client_object_at(checks, i);

		if (client_object_bool(check, "ok", true))
			continue;
		dianactl_cells_print(out, client_object_text(check, "name"));
		fputs(": ", out);
		dianactl_cells_paint(out, client_object_text(check, "message"),
				     w->ctl->colour ? CLIENT_COLOUR_RED : CLIENT_COLOUR_NONE);
		putc('\n', out);
	}
}

static const struct client_column counter_columns[] = {
	{ "", false },
	{ "SINCE START", true },
	{ "PER SECOND", true },
};

static int write_counters(FILE *out, const struct watch *w)
{
	static const char *const names[N_COUNTERS] = { "Calls", "Refused", "Commits", "Events" };
	struct client_table *table = client_table_new(counter_columns, DIANACTL_COUNT(counter_columns));
	bool complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	for (size_t i = 0; i < N_COUNTERS; i++) {
		client_table_string(table, names[i]);
		client_table_format(table, "%" PRIu64, w->now.counters[i]);
		client_table_format(table, "%.1f", w->rates[i]);
	}
	putc('\n', out);
	complete = client_table_print(table, out, "", w->ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static void write_points(FILE *out, const struct watch *w)
{
	const msgpack_object *points = watch_part(w, PART_POINTS);
	char total[CLIENT_FORMAT_MAX], held[CLIENT_FORMAT_MAX], earned[CLIENT_FORMAT_MAX], spent[CLIENT_FORMAT_MAX];

	fprintf(out, "\nPoints   %s, held %s, users %" PRIu64 ", with points %" PRIu64 "\n",
		dianactl_cells_amount(total, points, "total_points"),
		dianactl_cells_amount(held, points, "held_points"), client_object_uint(points, "users", 0),
		client_object_uint(points, "users_with_points", 0));
	fprintf(out, "         earned %s, spent %s, transactions %" PRIu64 "\n",
		dianactl_cells_amount(earned, points, "total_earned"),
		dianactl_cells_amount(spent, points, "total_spent"), client_object_uint(points, "transactions", 0));
}

static const struct client_column auction_columns[] = {
	{ "AUCTION", true }, { "NAME", false },  { "TIME LEFT", true },
	{ "BID", true },     { "LEADER", true }, { "BIDS", true },
};

static void add_auction(struct client_table *table, const struct dianactl *ctl, const msgpack_object *item,
			const void *about)
{
	char text[CLIENT_FORMAT_MAX];

	(void)ctl;
	(void)about;
	client_table_object(table, client_object_get(item, "id"));
	client_table_text(table, client_object_text(item, "name"));
	client_table_string(table, client_format_duration(text, client_object_uint(item, "time_left_ms", 0)));
	client_table_string(table, dianactl_cells_amount(text, item, "current_bid"));
	client_table_object(table, client_object_get(item, "highest_bidder_id"));
	client_table_object(table, client_object_get(item, "bid_count"));
}

static int write_auctions(FILE *out, const struct watch *w)
{
	static const struct dianactl_list list = { "Auctions ending next", auction_columns,
						   DIANACTL_COUNT(auction_columns), add_auction };

	return dianactl_lists_print(out, w->ctl, &list, &w->batch, PART_AUCTIONS, NULL);
}

/* The latest at the bottom, as in a tail. */
static void write_events(FILE *out, const struct watch *w, size_t most, size_t columns)
{
	const msgpack_object *items = client_object_get(watch_part(w, PART_EVENTS), "items");
	size_t n = client_object_length(items);

	fputs("\nEvents\n", out);
	for (size_t i = n < most ? n : most; i > 0; i--) {
		char *line = dianactl_events_line(client_object_at(items, i - 1), w->ctl->utc, columns);

		if (line != NULL)
			fprintf(out, "%s\n", line);
		free(line);
	}
}

/* What stands above the events. */
static int write_upper(FILE *out, const struct watch *w)
{
	int rc;

	write_head(out, w);
	write_checks(out, w);
	rc = write_counters(out, w);
	if (rc != DIANACTL_OK)
		return rc;
	write_points(out, w);
	return write_auctions(out, w);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

/*
 * With as many events as leave the frame within rows, or EVENTS_PLAIN when rows is 0; their lines are cut
 * to columns unless that is 0. Owned; NULL: reported.
 */
static char *make_frame(const struct watch *w, size_t rows, size_t columns, size_t *ret_len)
{
	char *frame = NULL;
	size_t len = 0, used, most = EVENTS_PLAIN;
	FILE *out = open_memstream(&frame, &len);
	int rc = out != NULL ? write_upper(out, w) : dianactl_session_no_memory();

	if (out == NULL)
		return NULL;
	if (rows > 0 && fflush(out) == 0) {
		used = count_lines(frame) + 2; /* an empty line and a title */
		most = rows > used ? rows - used : 0;
	}
	write_events(out, w, most, columns);
	if (fclose(out) == 0 && rc == DIANACTL_OK) {
		*ret_len = len;
		return frame;
	}
	free(frame);
	return NULL;
}

/* ---- three ways to show it ---- */

static bool show_screen(struct watch *w)
{
	struct dianactl_screen_size size = dianactl_screen_size();
	size_t len;
	char *frame = make_frame(w, size.rows, size.columns, &len);
	bool shown = frame != NULL && dianactl_screen_draw(frame, len);

	free(frame);
	return shown;
}

static bool wait_screen(struct watch *w, int wait_ms)
{
	enum dianactl_screen_event event;

	while ((event = dianactl_screen_wait(w->ctl, wait_ms)) == DIANACTL_SCREEN_REDRAW) {
		if (!show_screen(w))
			return false;
	}
	return event == DIANACTL_SCREEN_TICK;
}

/* A line a frame, in columns, for files and other programs. */
static void print_line(const struct watch *w)
{
	const msgpack_object *points = watch_part(w, PART_POINTS);
	const msgpack_object *by_status = client_object_get(watch_part(w, PART_AUCTION_TOTALS), "by_status");
	char total[CLIENT_FORMAT_MAX], held[CLIENT_FORMAT_MAX];

	if (w->frames == 0)
		printf("%-19s  %10s %10s %10s %10s %10s %9s %14s %14s %8s\n", "TIME", "HEAD", "EVENTS/S", "COMMITS/S",
		       "CALLS/S", "REFUSED/S", "USERS", "POINTS", "HELD", "AUCTIONS");
	write_now(stdout, w);
	printf("  %10" PRIu64 " %10.1f %10.1f %10.1f %10.1f %9" PRIu64 " %14s %14s %8" PRIu64 "\n",
	       client_object_uint(watch_part(w, PART_HEALTH), "head_seq", 0), w->rates[EVENTS], w->rates[COMMITS],
	       w->rates[CALLS], w->rates[REFUSED], client_object_uint(points, "users", 0),
	       dianactl_cells_amount(total, points, "total_points"), dianactl_cells_amount(held, points, "held_points"),
	       client_object_uint(by_status, "active", 0));
}

static void print_json(const struct watch *w, enum client_json_style style)
{
	msgpack_object_kv entries[N_PARTS];
	msgpack_object map = client_object_of_map(entries, N_PARTS);

	dianactl_batch_entries(&w->batch, queries, N_PARTS, entries);
	client_json_print(stdout, &map, style);
	putchar('\n');
}

/* Nothing new is no line; that the daemon went away is said once. */
static bool show_line(struct watch *w)
{
	if (w->lost)
		return true;
	if (w->ctl->json)
		print_json(w, CLIENT_JSON_COMPACT);
	else
		print_line(w);
	return dianactl_stop_flush();
}

static void report_change(const struct watch *w, bool was_lost)
{
	if (w->lost && !was_lost)
		dianactl_session_warn("%s; trying again", w->problem.text);
	else if (!w->lost && was_lost)
		dianactl_session_warn("connected again");
}

static int print_once(const struct watch *w)
{
	size_t len;
	char *frame;

	if (w->ctl->json) {
		print_json(w, CLIENT_JSON_PRETTY);
		return DIANACTL_OK;
	}
	frame = make_frame(w, 0, dianactl_screen_columns(), &len);
	if (frame == NULL)
		return DIANACTL_NO_ANSWER;
	fwrite(frame, 1, len, stdout);
	free(frame);
	return DIANACTL_OK;
}

/* ---- going on ---- */

static bool reached_limit(const struct watch *w)
{
	return w->values->limit != 0 && w->frames >= w->values->limit;
}

static int interval_ms(const struct watch *w)
{
	uint64_t seconds = w->values->interval_s != 0 ? w->values->interval_s : INTERVAL_DEFAULT_S;

	return (int)(seconds < INTERVAL_MAX_S ? seconds : INTERVAL_MAX_S) * 1000;
}

static void watch_lines(struct watch *w)
{
	bool was_lost = false;

	while (show_line(w)) {
		w->frames += !w->lost;
		if (reached_limit(w) || dianactl_stop_wait(w->ctl, interval_ms(w)) || !watch_ask_again(w))
			return;
		report_change(w, was_lost);
		was_lost = w->lost;
	}
}

static void watch_screen(struct watch *w)
{
	dianactl_screen_open();
	while (show_screen(w)) {
		w->frames++;
		if (reached_limit(w) || !wait_screen(w, interval_ms(w)) || !watch_ask_again(w))
			break;
	}
	dianactl_screen_close();
}

static int watch_follow(struct watch *w)
{
	if (w->values->once)
		return print_once(w);
	if (!w->ctl->json && dianactl_screen_possible())
		watch_screen(w);
	else
		watch_lines(w);
	return DIANACTL_OK;
}

static int watch_run(struct dianactl *ctl, const void *values)
{
	struct watch w = { .ctl = ctl, .values = values };
	int rc = dianactl_stop_install(ctl);

	if (rc == DIANACTL_OK)
		rc = dianactl_batch_ask(ctl, queries, N_PARTS, NULL, &w.batch);
	if (rc == DIANACTL_OK) {
		take_rates(&w);
		rc = watch_follow(&w);
	}
	dianactl_batch_clear(&w.batch);
	return rc;
}

const struct dianactl_command dianactl_watch_command = {
	.name = "watch",
	.words = "",
	.help = "A live screen: counters and rates, points, auctions ending, the latest events",
	.more = "q or Ctrl-C ends it, Space shows the next frame at once. The rates are those since the frame\n"
		"before, in the first frame those since the daemon's start. Where stdout is no terminal a frame\n"
		"is a line, with --json an object; with --once it is the whole screen as text. When the daemon\n"
		"restarts, watching goes on. For every single event there is 'dianactl tail'.",
	.options = watch_options,
	.n_options = DIANACTL_COUNT(watch_options),
	.values_size = sizeof(struct watch_values),
	.timeout_s = 30,
	.run = watch_run,
};
