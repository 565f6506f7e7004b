#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_pages.h"
#include "daemon/dianactl_session.h"

#define TOP_DEFAULT 10

struct top_values {
	uint64_t from_rank;
	const char *min;
};

static const struct dianactl_option top_options[] = {
	{ "from-rank", 0, DIANACTL_NUMBER, offsetof(struct top_values, from_rank), "RANK", "begin at this place" },
	{ "min", 0, DIANACTL_TEXT, offsetof(struct top_values, min), "POINTS",
	  "only users with at least so many (default 0.001)" },
};

static const struct client_column top_columns[] = {
	{ "RANK", true },  { "USER", false },    { "ID", true },     { "BALANCE", true },
	{ "LEVEL", true }, { "MESSAGES", true }, { "STREAK", true },
};

static void add_user(struct client_table *table, const msgpack_object *item, bool decimals)
{
	struct client_text username = client_object_text(item, "username");

	client_table_object(table, client_object_get(item, "rank"));
	client_table_text(table, username.base != NULL ? username : client_object_text(item, "first_name"));
	client_table_object(table, client_object_get(item, "user_id"));
	dianactl_cells_points(table, client_object_get(item, "balance"), decimals);
	client_table_object(table, client_object_get(item, "level"));
	client_table_object(table, client_object_get(item, "messages_sent"));
	client_table_object(table, client_object_get(item, "checkin_streak"));
}

static bool any_fraction(const struct dianactl_pages *pages)
{
	for (size_t i = 0; i < pages->n_items; i++) {
		if (dianactl_cells_fraction(client_object_get(&pages->items[i], "balance")))
			return true;
	}
	return false;
}

static int print_users(const struct dianactl *ctl, const struct dianactl_pages *pages)
{
	struct client_table *table = client_table_new(top_columns, DIANACTL_COUNT(top_columns));
	bool decimals = any_fraction(pages);
	bool complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	for (size_t i = 0; i < pages->n_items; i++)
		add_user(table, &pages->items[i], decimals);
	complete = client_table_print(table, stdout, "", ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static int print_json(const struct dianactl_pages *pages)
{
	msgpack_object items = dianactl_pages_items(pages);
	msgpack_object_kv entry = { client_object_of_text("items"), items };
	msgpack_object map = client_object_of_map(&entry, 1);

	return dianactl_session_print_json(&map);
}

static bool add_min(struct client_params *params, const char *text)
{
	uint64_t whole;
	char *end;
	double points;

	if (client_parse_uint(text, &whole)) {
		client_params_uint(params, "min", whole);
		return true;
	}
	points = strtod(text, &end);
	if (end == text || *end != '\0' || !(points >= 0))
		return false;
	client_params_real(params, "min", points);
	return true;
}

static int top_show(struct dianactl *ctl, struct client_params *params, uint64_t limit)
{
	struct dianactl_pages pages = { 0 };
	int rc = dianactl_pages_read(ctl, "point.leaderboard", params, limit, &pages);

	if (rc == DIANACTL_OK)
		rc = ctl->json ? print_json(&pages) : print_users(ctl, &pages);
	dianactl_pages_free(&pages);
	return rc;
}

static int top_run(struct dianactl *ctl, const void *values)
{
	const struct top_values *v = values;
	uint64_t limit = TOP_DEFAULT;
	struct client_params params;
	int rc;

	if (ctl->n_words > 0 && (!client_parse_uint(ctl->words[0], &limit) || limit == 0))
		return dianactl_session_usage(ctl, "top: '%s' is no number of users", ctl->words[0]);
	client_params_init(&params);
	if (v->from_rank != 0)
		client_params_uint(&params, "from_rank", v->from_rank);
	if (v->min != NULL && !add_min(&params, v->min))
		rc = dianactl_session_usage(ctl, "top: '%s' is no amount of points", v->min);
	else
		rc = top_show(ctl, &params, limit);
	client_params_free(&params);
	return rc;
}

const struct dianactl_command dianactl_top_command = {
	.name = "top",
	.words = "[N]",
	.help = "The users with the most points (10 unless N is given)",
	.options = top_options,
	.n_options = DIANACTL_COUNT(top_options),
	.values_size = sizeof(struct top_values),
	.max_words = 1,
	.timeout_s = 30,
	.run = top_run,
};
