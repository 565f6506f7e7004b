/*
 * The statement of a user's points, as a bank would print it: what was there before, each movement
 * with the balance after it and its reason, what is there now.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_pages.h"
#include "daemon/dianactl_people.h"
#include "daemon/dianactl_session.h"
#include "daemon/dianactl_transactions.h"

#define HISTORY_DEFAULT 50

struct history_values {
	uint64_t limit;
	bool all, newest_first;
	const char *from, *to, *source;
};

static const struct dianactl_option history_options[] = {
	{ "limit", 'n', DIANACTL_NUMBER, offsetof(struct history_values, limit), "N",
	  "at most the N latest entries (default 50)" },
	{ "all", 'a', DIANACTL_FLAG, offsetof(struct history_values, all), NULL, "every entry" },
	{ "from", 0, DIANACTL_TEXT, offsetof(struct history_values, from), "DATE",
	  "entries from this day or moment on" },
	{ "to", 0, DIANACTL_TEXT, offsetof(struct history_values, to), "DATE",
	  "entries to the end of this day, or before this moment" },
	{ "source", 0, DIANACTL_TEXT, offsetof(struct history_values, source), "SOURCE",
	  "only entries of this source (message, checkin, ...)" },
	{ "newest-first", 'r', DIANACTL_FLAG, offsetof(struct history_values, newest_first), NULL,
	  "the latest entry on top" },
};

struct statement {
	const struct history_values *values;
	int64_t user_id;
	struct client_message user, balance; /* their results may be missing: a deleted user has none */
	struct dianactl_pages pages;         /* newest first, as asked of the daemon */
	bool decimals;
};

/* ---- asking ---- */

static int ask_user(struct dianactl *ctl, struct statement *s)
{
	struct client_params params;
	int64_t id = 0;
	bool by_id;
	int rc;

	client_params_init(&params);
	by_id = dianactl_people_params(&params, ctl->words[0], &id);
	rc = dianactl_session_try(ctl, "user.get", &params, &s->user);
	client_params_free(&params);
	if (rc != DIANACTL_OK)
		return rc;
	if (s->user.error != NULL && !(by_id && dianactl_session_error_is(s->user.error, "not_found")))
		return dianactl_session_refused(s->user.error);
	s->user_id = client_object_int(s->user.result, "id", id);
	return s->user_id > 0 ? DIANACTL_OK : dianactl_session_odd("user.get");
}

static int ask_balance(struct dianactl *ctl, struct statement *s)
{
	struct client_params params;
	int rc;

	client_params_init(&params);
	client_params_int(&params, "id", s->user_id);
	rc = dianactl_session_try(ctl, "point.get", &params, &s->balance);
	client_params_free(&params);
	if (rc == DIANACTL_OK && s->balance.error != NULL && !dianactl_session_error_is(s->balance.error, "not_found"))
		return dianactl_session_refused(s->balance.error);
	return rc;
}

static int add_date(struct dianactl *ctl, struct client_params *params, const char *key, const char *date,
		    bool end_of_day)
{
	int64_t at;

	if (date == NULL)
		return DIANACTL_OK;
	if (!client_parse_date(date, ctl->utc, end_of_day, &at))
		return dianactl_session_usage(ctl,
					      "'%s' is no date; write YYYY-MM-DD or "
					      "'YYYY-MM-DD HH:MM:SS'",
					      date);
	client_params_int(params, key, at);
	return DIANACTL_OK;
}

static int list_params(struct dianactl *ctl, const struct statement *s, struct client_params *params)
{
	const struct history_values *v = s->values;
	int rc;

	client_params_text(params, "kind", "transaction");
	client_params_text(params, "order", "desc");
	if (v->source != NULL)
		client_params_text(params, "source", v->source);
	rc = add_date(ctl, params, "from_at", v->from, false);
	return rc != DIANACTL_OK ? rc : add_date(ctl, params, "to_at", v->to, true);
}

static uint64_t history_limit(const struct history_values *v)
{
	if (v->all)
		return 0;
	return v->limit != 0 ? v->limit : HISTORY_DEFAULT;
}

/* The dates are looked at before the daemon is asked for anything. */
static int ask(struct dianactl *ctl, struct statement *s)
{
	struct client_params params;
	int rc;

	client_params_init(&params);
	rc = list_params(ctl, s, &params);
	if (rc == DIANACTL_OK)
		rc = ask_user(ctl, s);
	if (rc == DIANACTL_OK)
		rc = ask_balance(ctl, s);
	if (rc == DIANACTL_OK) {
		client_params_int(&params, "user_id", s->user_id);
		rc = dianactl_pages_read(ctl, "point.list", &params, history_limit(s->values), &s->pages);
	}
	client_params_free(&params);
	return rc;
}

/* ---- the statement ---- */

static bool any_fraction(const struct statement *s)
{
	static const char *const keys[] = { "balance", "held", "available" };

	for (size_t i = 0; i < DIANACTL_COUNT(keys); i++) {
		if (dianactl_cells_fraction(client_object_get(s->balance.result, keys[i])))
			return true;
	}
	for (size_t i = 0; i < s->pages.n_items; i++) {
		if (dianactl_transactions_fraction(&s->pages.items[i]))
			return true;
	}
	return false;
}

static void add_balance_line(struct client_table *table, const char *title, int64_t milli, bool decimals)
{
	char text[CLIENT_FORMAT_MAX];

	client_table_string(table, "");
	client_table_string(table, title);
	client_table_string(table, "");
	client_table_string(table, client_format_points(text, milli, decimals));
	client_table_string(table, "");
}

/* Before the oldest entry shown. With a filter by source the lines between are missing, and an opening
 * and a closing balance would not add up. */
static void add_opening(struct client_table *table, const struct statement *s)
{
	const msgpack_object *oldest = &s->pages.items[s->pages.n_items - 1];
	int64_t after, amount;

	if (s->values->source == NULL && client_object_milli(client_object_get(oldest, "balance_after"), &after) &&
	    client_object_milli(client_object_get(oldest, "amount"), &amount))
		add_balance_line(table, "opening balance", after - amount, s->decimals);
}

static void add_closing(struct client_table *table, const struct statement *s)
{
	const msgpack_object *newest = &s->pages.items[0];
	int64_t after;

	if (s->values->source == NULL && client_object_milli(client_object_get(newest, "balance_after"), &after))
		add_balance_line(table, "closing balance", after, s->decimals);
}

static void fill_newest_last(struct client_table *table, const struct statement *s, bool utc)
{
	add_opening(table, s);
	for (size_t i = s->pages.n_items; i > 0; i--)
		dianactl_transactions_add(table, &s->pages.items[i - 1], s->decimals, utc);
	add_closing(table, s);
}

static void fill_newest_first(struct client_table *table, const struct statement *s, bool utc)
{
	add_closing(table, s);
	for (size_t i = 0; i < s->pages.n_items; i++)
		dianactl_transactions_add(table, &s->pages.items[i], s->decimals, utc);
	add_opening(table, s);
}

static int print_entries(const struct dianactl *ctl, const struct statement *s)
{
	struct client_table *table = client_table_new(dianactl_transactions_columns, DIANACTL_TRANSACTIONS_COLUMNS);
	bool complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	if (s->values->newest_first)
		fill_newest_first(table, s, ctl->utc);
	else
		fill_newest_last(table, s, ctl->utc);
	complete = client_table_print(table, stdout, "", ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static void print_heading(const struct dianactl *ctl, const struct statement *s)
{
	printf("Statement of user %" PRId64, s->user_id);
	if (s->user.error != NULL)
		fputs(" (deleted)", stdout);
	else
		dianactl_people_print(stdout, s->user.result);
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
	if (s->balance.error == NULL) {
		print_points("\nNow: balance", s->balance.result, "balance", s->decimals);
		print_points(", held", s->balance.result, "held", s->decimals);
		print_points(", available", s->balance.result, "available", s->decimals);
		putchar('\n');
	}
	if (s->pages.more)
		puts("There are older entries: --limit N shows more, --all shows every one.");
}

static int print_statement(const struct dianactl *ctl, struct statement *s)
{
	int rc = DIANACTL_OK;

	s->decimals = any_fraction(s);
	print_heading(ctl, s);
	if (s->pages.n_items > 0)
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
	msgpack_object more = { .type = MSGPACK_OBJECT_BOOLEAN, .via.boolean = s->pages.more };
	msgpack_object_kv entries[4];
	msgpack_object map = client_object_of_map(entries, DIANACTL_COUNT(entries));

	if (!s->values->newest_first)
		reverse(&s->pages);
	entries[0] = (msgpack_object_kv){ client_object_of_text("user"), dianactl_session_result(&s->user) };
	entries[1] = (msgpack_object_kv){ client_object_of_text("balance"), dianactl_session_result(&s->balance) };
	entries[2] = (msgpack_object_kv){ client_object_of_text("items"), dianactl_pages_items(&s->pages) };
	entries[3] = (msgpack_object_kv){ client_object_of_text("more"), more };
	return dianactl_session_print_json(&map);
}

/* A deleted user's entries are still in the log and can be read; who never was is not found. */
static int show(const struct dianactl *ctl, struct statement *s)
{
	if (s->user.error != NULL && s->pages.n_items == 0)
		return dianactl_session_refused(s->user.error);
	return ctl->json ? print_json(s) : print_statement(ctl, s);
}

static int history_run(struct dianactl *ctl, const void *values)
{
	struct statement s = { .values = values };
	int rc = ask(ctl, &s);

	if (rc == DIANACTL_OK)
		rc = show(ctl, &s);
	client_message_clear(&s.user);
	client_message_clear(&s.balance);
	dianactl_pages_free(&s.pages);
	return rc;
}

const struct dianactl_command dianactl_history_command = {
	.name = "history",
	.words = "USER",
	.help = "The statement of a user's points, the latest entry last",
	.more = "USER is an id or a @username. DATE is YYYY-MM-DD, or 'YYYY-MM-DD HH:MM:SS' for a moment,\n"
		"in local time or with --utc in UTC. The balances are those of the ledger; points held by\n"
		"bids are still part of the balance.",
	.options = history_options,
	.n_options = DIANACTL_COUNT(history_options),
	.values_size = sizeof(struct history_values),
	.min_words = 1,
	.max_words = 1,
	.timeout_s = 30,
	.run = history_run,
};
