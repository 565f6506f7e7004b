/*
 * The statement of a user's points: what was there before, each movement with the balance after it, what of that was
 * held, and its reason, and what is there now.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_account.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_history.h"
#include "daemon/dianactl_pages.h"
#include "daemon/dianactl_session.h"
#include "daemon/dianactl_transactions.h"

struct statement {
	const struct dianactl_history_values *values;
	struct dianactl_account account;
	struct dianactl_pages pages;  /* transactions, newest first, as asked of the daemon */
	struct dianactl_pages holds;  /* events that changed what is held, in their time, newest first */
	struct dianactl_pages before; /* the last such event before them, if any */
	struct line *lines;           /* transactions and holds, oldest first */
	size_t n_lines;
	bool with_holds; /* not with a filter by source: what lies between would be missing */
	bool more;       /* older entries, which are not shown */
	bool decimals;
};

/* An entry of the statement. */
struct line {
	uint64_t seq;
	const msgpack_object *transaction, *event; /* one of them */
	int64_t held;                              /* after it */
};

/* ---- asking ---- */

static int add_date(struct dianactl *ctl, struct client_params *params, const char *key, const char *date,
		    bool end_of_day)
{
	int64_t at;
	int rc = dianactl_session_date(ctl, date, end_of_day, &at);

	if (rc == DIANACTL_OK && date != NULL)
		client_params_int(params, key, at);
	return rc;
}

static int add_time(struct dianactl *ctl, const struct statement *s, struct client_params *params)
{
	int rc = add_date(ctl, params, "from_at", s->values->from, false);

	client_params_text(params, "order", "desc");
	return rc != DIANACTL_OK ? rc : add_date(ctl, params, "to_at", s->values->to, true);
}

static int ask_transactions(struct dianactl *ctl, struct statement *s)
{
	struct client_params params;
	int rc;

	client_params_init(&params);
	client_params_text(&params, "kind", "transaction");
	client_params_int(&params, "user_id", s->account.user_id);
	if (s->values->source != NULL)
		client_params_text(&params, "source", s->values->source);
	rc = add_time(ctl, s, &params);
	if (rc == DIANACTL_OK)
		rc = dianactl_pages_read(ctl, "point.list", &params, dianactl_history_limit(s->values), &s->pages);
	client_params_free(&params);
	s->more = s->pages.more;
	return rc;
}

static void hold_params(const struct statement *s, struct client_params *params)
{
	static const char *const types[] = { "point.held", "point.released", "point.captured" };
	char stream[40];

	snprintf(stream, sizeof(stream), "points:%" PRId64, s->account.user_id);
	client_params_text(params, "stream", stream);
	client_params_texts(params, "types", types, DIANACTL_COUNT(types));
}

static uint64_t seq_of(const msgpack_object *event)
{
	return client_object_uint(event, "seq", 0);
}

static uint64_t id_of(const msgpack_object *transaction)
{
	return client_object_uint(transaction, "id", 0);
}

/* Where transactions are left out, what was held among those is left out, too. */
static int ask_holds(struct dianactl *ctl, struct statement *s)
{
	struct client_params params;
	int rc;

	client_params_init(&params);
	hold_params(s, &params);
	if (s->pages.more && s->pages.n_items > 0)
		client_params_uint(&params, "from_seq", id_of(&s->pages.items[s->pages.n_items - 1]));
	rc = add_time(ctl, s, &params);
	if (rc == DIANACTL_OK)
		rc = dianactl_pages_read(ctl, "log.read", &params, dianactl_history_limit(s->values), &s->holds);
	client_params_free(&params);
	s->more = s->more || s->holds.more;
	return rc;
}

/* What was held before the oldest of both. */
static int ask_before(struct dianactl *ctl, struct statement *s)
{
	struct client_params params;
	uint64_t oldest = UINT64_MAX;
	int rc;

	if (s->pages.n_items > 0)
		oldest = id_of(&s->pages.items[s->pages.n_items - 1]);
	if (s->holds.n_items > 0 && seq_of(&s->holds.items[s->holds.n_items - 1]) < oldest)
		oldest = seq_of(&s->holds.items[s->holds.n_items - 1]);
	if (oldest <= 1 || oldest == UINT64_MAX)
		return DIANACTL_OK;
	client_params_init(&params);
	hold_params(s, &params);
	client_params_text(&params, "order", "desc");
	client_params_uint(&params, "to_seq", oldest - 1);
	rc = dianactl_pages_read(ctl, "log.read", &params, 1, &s->before);
	client_params_free(&params);
	return rc;
}

static int check_dates(struct dianactl *ctl, const struct dianactl_history_values *v)
{
	int64_t at;
	int rc = dianactl_session_date(ctl, v->from, false, &at);

	return rc != DIANACTL_OK ? rc : dianactl_session_date(ctl, v->to, true, &at);
}

/* The dates are looked at before the daemon is asked for anything. */
static int ask(struct dianactl *ctl, struct statement *s)
{
	int rc = check_dates(ctl, s->values);

	if (rc == DIANACTL_OK)
		rc = dianactl_account_ask(ctl, ctl->words[0], &s->account);
	if (rc == DIANACTL_OK)
		rc = ask_transactions(ctl, s);
	if (rc == DIANACTL_OK && s->with_holds)
		rc = ask_holds(ctl, s);
	if (rc == DIANACTL_OK && s->with_holds)
		rc = ask_before(ctl, s);
	return rc;
}

/* ---- its lines ---- */

static int64_t held_after(const msgpack_object *event)
{
	int64_t milli = 0;

	client_object_milli(client_object_get(client_object_get(event, "data"), "held_after"), &milli);
	return milli;
}

static bool is_capture(const msgpack_object *event)
{
	return client_text_is(client_object_text(event, "type"), "point.captured");
}

/* The oldest of both lists that is left, which are newest first; a capture is in both, and is one line. */
static void merge(struct statement *s)
{
	size_t i = s->pages.n_items, k = s->holds.n_items;
	uint64_t known = s->holds.more ? seq_of(&s->holds.items[k - 1]) : 0;
	int64_t held = s->before.n_items > 0 ? held_after(&s->before.items[0]) : 0;

	while (i > 0 || k > 0) {
		const msgpack_object *t = i > 0 ? &s->pages.items[i - 1] : NULL;
		const msgpack_object *e = k > 0 ? &s->holds.items[k - 1] : NULL;
		struct line *line = &s->lines[s->n_lines];

		if (t != NULL && e != NULL)
			t = id_of(t) <= seq_of(e) ? t : NULL;
		if (t != NULL && e != NULL)
			e = id_of(t) == seq_of(e) ? e : NULL;
		i -= t != NULL;
		k -= e != NULL;
		if (e != NULL)
			held = held_after(e);
		/* before the first of the holds that were read, nobody knows what was held */
		if ((t == NULL && is_capture(e)) || (t != NULL && id_of(t) < known))
			continue;
		*line = (struct line){ t != NULL ? id_of(t) : seq_of(e), t, t != NULL ? NULL : e, held };
		s->n_lines++;
	}
}

/* No more of them than were asked for. */
static int make_lines(struct statement *s)
{
	uint64_t limit = dianactl_history_limit(s->values);

	s->lines = calloc(s->pages.n_items + s->holds.n_items + 1, sizeof(*s->lines));
	if (s->lines == NULL)
		return dianactl_session_no_memory();
	merge(s);
	if (limit != 0 && s->n_lines > limit) {
		memmove(s->lines, s->lines + (s->n_lines - limit), limit * sizeof(*s->lines));
		s->n_lines = limit;
		s->more = true;
	}
	return DIANACTL_OK;
}

/* ---- the statement ---- */

static const struct client_column columns[] = {
	{ "TIME", false },   { "SOURCE", false }, { "AMOUNT", true },
	{ "BALANCE", true }, { "HELD", true },    { "WHY", false },
};

static bool any_fraction(const struct statement *s)
{
	static const char *const keys[] = { "balance", "held", "available" };

	for (size_t i = 0; i < DIANACTL_COUNT(keys); i++) {
		if (dianactl_cells_fraction(client_object_get(s->account.balance.result, keys[i])))
			return true;
	}
	for (size_t i = 0; i < s->n_lines; i++) {
		const struct line *line = &s->lines[i];

		if (line->held % 1000 != 0 ||
		    (line->transaction != NULL && dianactl_transactions_fraction(line->transaction)))
			return true;
	}
	return false;
}

/* The oldest or the newest transaction; NULL: none. */
static const msgpack_object *end_of(const struct statement *s, bool oldest)
{
	for (size_t i = 0; i < s->n_lines; i++) {
		const struct line *line = &s->lines[oldest ? i : s->n_lines - 1 - i];

		if (line->transaction != NULL)
			return line->transaction;
	}
	return NULL;
}

static void add_balance_line(struct client_table *table, const char *title, int64_t milli, bool decimals)
{
	char text[CLIENT_FORMAT_MAX];

	client_table_string(table, "");
	client_table_string(table, title);
	client_table_string(table, "");
	client_table_string(table, client_format_points(text, milli, decimals));
	client_table_string(table, "");
	client_table_string(table, "");
}

/* Before the oldest entry shown. With a filter by source the lines between are missing, and an opening
 * and a closing balance would not add up. */
static void add_opening(struct client_table *table, const struct statement *s)
{
	const msgpack_object *oldest = end_of(s, true);
	int64_t after, amount;

	if (s->with_holds && client_object_milli(client_object_get(oldest, "balance_after"), &after) &&
	    client_object_milli(client_object_get(oldest, "amount"), &amount))
		add_balance_line(table, "opening balance", after - amount, s->decimals);
}

static void add_closing(struct client_table *table, const struct statement *s)
{
	const msgpack_object *newest = end_of(s, false);
	int64_t after;

	if (s->with_holds && client_object_milli(client_object_get(newest, "balance_after"), &after))
		add_balance_line(table, "closing balance", after, s->decimals);
}

static void add_held(struct client_table *table, const struct statement *s, const struct line *line)
{
	char text[CLIENT_FORMAT_MAX];

	client_table_string(table, s->with_holds ? client_format_points(text, line->held, s->decimals) : "-");
}

static void write_hold(FILE *out, const struct statement *s, const msgpack_object *event)
{
	const msgpack_object *data = client_object_get(event, "data"), *hold = client_object_get(data, "hold");
	struct client_text reason = client_object_text(data, "reason");
	char amount[CLIENT_FORMAT_MAX];
	int64_t milli = 0;

	client_object_milli(client_object_get(hold != NULL ? hold : data, "amount"), &milli);
	client_format_points(amount, milli, s->decimals);
	if (hold != NULL)
		fprintf(out, "%s set aside for a bid in auction %" PRIu64, amount,
			client_object_uint(hold, "auction_id", 0));
	else
		fprintf(out, "%s free again: %.*s", amount, (int)reason.len, reason.base != NULL ? reason.base : "");
}

static void add_why(struct client_table *table, const struct statement *s, const struct line *line)
{
	char *why = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&why, &len);

	if (out != NULL && line->transaction != NULL)
		dianactl_transactions_why(out, line->transaction,
					  client_object_real(line->transaction, "amount", 0) < 0);
	else if (out != NULL)
		write_hold(out, s, line->event);
	if (out != NULL)
		fclose(out);
	client_table_string(table, why != NULL ? why : "");
	free(why);
}

static void add_line(struct client_table *table, const struct statement *s, const struct line *line, bool utc)
{
	int64_t amount = 0;

	if (line->transaction != NULL) {
		client_object_milli(client_object_get(line->transaction, "amount"), &amount);
		dianactl_cells_time(table, line->transaction, "created_at", utc);
		client_table_text(table, client_object_text(line->transaction, "source"));
		dianactl_transactions_amount(table, amount, s->decimals);
		dianactl_cells_points(table, client_object_get(line->transaction, "balance_after"), s->decimals);
	} else {
		dianactl_cells_time(table, line->event, "at", utc);
		client_table_string(table, client_object_get(client_object_get(line->event, "data"), "hold") != NULL
						   ? "held"
						   : "released");
		client_table_string(table, "");
		client_table_string(table, "");
	}
	add_held(table, s, line);
	add_why(table, s, line);
}

static int print_entries(const struct dianactl *ctl, const struct statement *s)
{
	struct client_table *table = client_table_new(columns, DIANACTL_COUNT(columns));
	bool back = s->values->newest_first, complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	if (back)
		add_closing(table, s);
	else
		add_opening(table, s);
	for (size_t i = 0; i < s->n_lines; i++)
		add_line(table, s, &s->lines[back ? s->n_lines - 1 - i : i], ctl->utc);
	if (back)
		add_opening(table, s);
	else
		add_closing(table, s);
	complete = client_table_print(table, stdout, "", ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static void print_heading(const struct dianactl *ctl, const struct statement *s)
{
	fputs("Statement of user ", stdout);
	dianactl_account_print(stdout, &s->account);
	puts(ctl->utc ? ", times in UTC\n" : "\n");
}

static void print_points(const char *label, const msgpack_object *map, const char *key, bool decimals)
{
	char text[CLIENT_FORMAT_MAX];
	int64_t milli;

	if (client_object_milli(client_object_get(map, key), &milli))
		printf("%s %s", label, client_format_points(text, milli, decimals));
}

static void print_footing(const struct statement *s)
{
	if (s->account.balance.error == NULL) {
		print_points("\nNow: balance", s->account.balance.result, "balance", s->decimals);
		print_points(", held", s->account.balance.result, "held", s->decimals);
		print_points(", available", s->account.balance.result, "available", s->decimals);
		putchar('\n');
	}
	if (s->more)
		puts("There are older entries: --limit N shows more, --all shows every one.");
}

static int print_statement(const struct dianactl *ctl, struct statement *s)
{
	int rc = DIANACTL_OK;

	s->decimals = any_fraction(s);
	print_heading(ctl, s);
	if (s->n_lines > 0)
		rc = print_entries(ctl, s);
	else
		puts("No entries.");
	print_footing(s);
	return rc;
}

/* ---- JSON ---- */

static void reverse(struct dianactl_pages *pages)
{
	for (size_t i = 0; i < pages->n_items / 2; i++) {
		msgpack_object swapped = pages->items[i];

		pages->items[i] = pages->items[pages->n_items - 1 - i];
		pages->items[pages->n_items - 1 - i] = swapped;
	}
}

static int print_json(struct statement *s)
{
	msgpack_object more = { .type = MSGPACK_OBJECT_BOOLEAN, .via.boolean = s->more };
	msgpack_object_kv entries[5];
	msgpack_object map = client_object_of_map(entries, DIANACTL_COUNT(entries));

	if (!s->values->newest_first) {
		reverse(&s->pages);
		reverse(&s->holds);
	}
	entries[0] = (msgpack_object_kv){ client_object_of_text("user"), dianactl_session_result(&s->account.user) };
	entries[1] =
		(msgpack_object_kv){ client_object_of_text("balance"), dianactl_session_result(&s->account.balance) };
	entries[2] = (msgpack_object_kv){ client_object_of_text("items"), dianactl_pages_items(&s->pages) };
	entries[3] = (msgpack_object_kv){ client_object_of_text("holds"), dianactl_pages_items(&s->holds) };
	entries[4] = (msgpack_object_kv){ client_object_of_text("more"), more };
	return dianactl_session_print_json(&map);
}

/* A deleted user's entries are still in the log and can be read; who never was is not found. */
static int show(const struct dianactl *ctl, struct statement *s)
{
	int rc = make_lines(s);

	if (rc != DIANACTL_OK)
		return rc;
	if (s->account.user.error != NULL && s->n_lines == 0)
		return dianactl_session_refused(s->account.user.error);
	return ctl->json ? print_json(s) : print_statement(ctl, s);
}

int dianactl_history_user(struct dianactl *ctl, const struct dianactl_history_values *v)
{
	struct statement s = { .values = v, .with_holds = v->source == NULL };
	int rc;

	if (v->data != NULL || v->to_seq != 0 || v->at != NULL)
		return dianactl_session_usage(
			ctl, "history: --data, --to-seq and --at go with auction:ID; for a user there are "
			     "'dianactl why ID --data DIR' and 'dianactl replay --to-seq N call point.list'");
	rc = ask(ctl, &s);
	if (rc == DIANACTL_OK)
		rc = show(ctl, &s);
	dianactl_account_clear(&s.account);
	dianactl_pages_free(&s.pages);
	dianactl_pages_free(&s.holds);
	dianactl_pages_free(&s.before);
	free(s.lines);
	return rc;
}
