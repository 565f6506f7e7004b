#include "daemon/dianactl_transactions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/dianactl_cells.h"

const struct client_column dianactl_transactions_columns[DIANACTL_TRANSACTIONS_COLUMNS] = {
	{ "TIME", false }, { "SOURCE", false }, { "AMOUNT", true }, { "BALANCE", true }, { "WHY", false },
};

bool dianactl_transactions_fraction(const msgpack_object *item)
{
	return dianactl_cells_fraction(client_object_get(item, "amount")) ||
	       dianactl_cells_fraction(client_object_get(item, "balance_after"));
}

static void write_ref(FILE *out, const msgpack_object *ref)
{
	struct client_text kind = client_object_text(ref, "kind");
	struct client_text id = client_object_text(ref, "id");

	if (ref == NULL)
		return;
	fprintf(out, "%.*s ", (int)kind.len, kind.base != NULL ? kind.base : "");
	if (id.base != NULL)
		fwrite(id.base, 1, id.len, out);
	else
		fprintf(out, "%" PRId64, client_object_int(ref, "id", 0));
}

static void write_counterparty(FILE *out, const msgpack_object *item, bool paid)
{
	int64_t counterparty = client_object_int(item, "counterparty_id", 0);

	fprintf(out, "%s user %" PRId64, paid ? "to" : "from", counterparty);
}

static void write_multiplier(FILE *out, const msgpack_object *item)
{
	char base[CLIENT_FORMAT_MAX];
	int64_t multiplier = client_object_int(item, "multiplier", 1);
	const msgpack_object *base_points = client_object_get(item, "base");
	int64_t milli;

	if (multiplier <= 1 || !client_object_milli(base_points, &milli))
		return;
	client_format_points(base, milli, milli % 1000 != 0);
	fprintf(out, " (%s x %" PRId64 ")", base, multiplier);
}

void dianactl_transactions_why(FILE *out, const msgpack_object *item, bool paid)
{
	struct client_text description = client_object_text(item, "description");
	bool transfer = client_object_get(item, "counterparty_id") != NULL;

	if (description.len > 0)
		fwrite(description.base, 1, description.len, out);
	if (transfer && description.len > 0)
		fputs(", ", out);
	if (transfer)
		write_counterparty(out, item, paid);
	else if (description.len == 0)
		write_ref(out, client_object_get(item, "ref"));
	write_multiplier(out, item);
}

static void add_why(struct client_table *table, const msgpack_object *item)
{
	char *why = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&why, &len);

	if (out != NULL) {
		dianactl_transactions_why(out, item, client_object_real(item, "amount", 0) < 0);
		fclose(out);
	}
	client_table_string(table, why != NULL ? why : "");
	free(why);
}

void dianactl_transactions_amount(struct client_table *table, int64_t milli, bool decimals)
{
	char text[CLIENT_FORMAT_MAX];

	client_format_points(text, milli, decimals);
	client_table_format(table, "%s%s", milli > 0 ? "+" : "", text);
	client_table_paint(table, milli < 0 ? CLIENT_COLOUR_RED : CLIENT_COLOUR_GREEN);
}

static void add_amount(struct client_table *table, const msgpack_object *item, bool decimals)
{
	const msgpack_object *amount = client_object_get(item, "amount");
	int64_t milli;

	if (client_object_milli(amount, &milli))
		dianactl_transactions_amount(table, milli, decimals);
	else
		client_table_object(table, amount);
}

void dianactl_transactions_add(struct client_table *table, const msgpack_object *item, bool decimals, bool utc)
{
	dianactl_cells_time(table, item, "created_at", utc);
	client_table_text(table, client_object_text(item, "source"));
	add_amount(table, item, decimals);
	dianactl_cells_points(table, client_object_get(item, "balance_after"), decimals);
	add_why(table, item);
}
