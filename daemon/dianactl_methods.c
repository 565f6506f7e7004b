/* The reference, as the running daemon tells it: this tool keeps no list of methods of its own. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client_json.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_session.h"

struct methods_values {
	bool full;
};

static const struct dianactl_option methods_options[] = {
	{ "full", 'f', DIANACTL_FLAG, offsetof(struct methods_values, full), NULL,
	  "the whole reference of every method named" },
};

/* ---- one method ---- */

static const struct client_column param_columns[] = {
	{ "PARAM", false },   { "TYPE", false },  { "NEED", false },
	{ "DEFAULT", false }, { "RANGE", false }, { "MEANING", false },
};

static void add_range(struct client_table *table, const msgpack_object *param)
{
	const msgpack_object *min = client_object_get(param, "min");
	const msgpack_object *max = client_object_get(param, "max");
	char *low = min != NULL ? client_json_text(min, CLIENT_JSON_COMPACT) : NULL;
	char *high = max != NULL ? client_json_text(max, CLIENT_JSON_COMPACT) : NULL;

	if (min == NULL && max == NULL)
		client_table_string(table, "");
	else
		client_table_format(table, "%s..%s", low != NULL ? low : "", high != NULL ? high : "");
	free(low);
	free(high);
}

/* A default is a value, so a text shows its quotes: "" is one too. */
static void add_default(struct client_table *table, const msgpack_object *param)
{
	const msgpack_object *value = client_object_get(param, "default");
	char *json = value != NULL ? client_json_text(value, CLIENT_JSON_COMPACT) : NULL;

	client_table_string(table, json != NULL ? json : "");
	free(json);
}

static void add_param(struct client_table *table, const msgpack_object *param)
{
	struct client_text doc = client_object_text(param, "doc");

	client_table_text(table, client_object_text(param, "name"));
	client_table_text(table, client_object_text(param, "type"));
	client_table_string(table, client_object_bool(param, "required", false) ? "required" : "");
	add_default(table, param);
	add_range(table, param);
	client_table_text(table, doc.base != NULL ? doc : (struct client_text){ "", 0 });
}

static int print_params(const struct dianactl *ctl, const msgpack_object *params)
{
	struct client_table *table;
	bool complete;

	if (client_object_length(params) == 0) {
		puts("  no params");
		return DIANACTL_OK;
	}
	table = client_table_new(param_columns, DIANACTL_COUNT(param_columns));
	if (table == NULL)
		return dianactl_session_no_memory();
	for (size_t i = 0; i < client_object_length(params); i++)
		add_param(table, client_object_at(params, i));
	complete = client_table_print(table, stdout, "  ", ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static void print_texts(const char *label, const msgpack_object *texts)
{
	char *joined;

	if (client_object_length(texts) == 0)
		return;
	joined = dianactl_cells_join(texts);
	printf("  %s: ", label);
	dianactl_cells_print(stdout, (struct client_text){ joined, joined != NULL ? strlen(joined) : 0 });
	putchar('\n');
	free(joined);
}

static void print_heading(const struct dianactl *ctl, const msgpack_object *item)
{
	struct client_text role = client_object_text(item, "role");
	struct client_text doc = client_object_text(item, "doc");

	fputs(ctl->colour ? "\033[1m" : "", stdout);
	dianactl_cells_print(stdout, client_object_text(item, "method"));
	fputs(ctl->colour ? "\033[0m" : "", stdout);
	if (role.base != NULL) {
		fputs("  (role ", stdout);
		dianactl_cells_print(stdout, role);
		putchar(')');
	}
	putchar('\n');
	if (doc.len > 0) {
		fputs("  ", stdout);
		dianactl_cells_print(stdout, doc);
		putchar('\n');
	}
}

static int print_method(const struct dianactl *ctl, const msgpack_object *item)
{
	int rc;

	print_heading(ctl, item);
	print_texts("kinds", client_object_get(item, "kinds"));
	rc = print_params(ctl, client_object_get(item, "params"));
	print_texts("errors", client_object_get(item, "errors"));
	print_texts("events", client_object_get(item, "events"));
	return rc;
}

/* ---- many methods ---- */

static const struct client_column method_columns[] = {
	{ "METHOD", false },
	{ "ROLE", false },
	{ "PARAMS", false },
	{ "MEANING", false },
};

/* The names of the params; optional ones in brackets. */
static char *signature(const msgpack_object *params)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < client_object_length(params); i++) {
		const msgpack_object *param = client_object_at(params, i);
		struct client_text name = client_object_text(param, "name");
		bool required = client_object_bool(param, "required", false);

		fprintf(out, "%s%s%.*s%s", i > 0 ? " " : "", required ? "" : "[", (int)name.len,
			name.base != NULL ? name.base : "", required ? "" : "]");
	}
	fclose(out);
	return text;
}

static void add_method(struct client_table *table, const msgpack_object *item)
{
	char *params = signature(client_object_get(item, "params"));
	struct client_text doc = client_object_text(item, "doc");

	client_table_text(table, client_object_text(item, "method"));
	client_table_text(table, client_object_text(item, "role"));
	client_table_string(table, params != NULL ? params : "");
	client_table_text(table, doc.base != NULL ? doc : (struct client_text){ "", 0 });
	free(params);
}

/* ---- choosing ---- */

/* What was asked for: a method, or an aggregate, also as "point." or "point.*"; NULL asks for all. */
static bool is_chosen(const msgpack_object *item, const char *word)
{
	struct client_text method = client_object_text(item, "method");
	size_t len = word != NULL ? strcspn(word, ".*") : 0;

	if (word == NULL || client_text_is(method, word))
		return true;
	if (word[len] != '\0' && strcmp(word + len, ".") != 0 && strcmp(word + len, ".*") != 0)
		return false;
	return method.len > len && method.base[len] == '.' && memcmp(method.base, word, len) == 0;
}

static int print_list(const struct dianactl *ctl, msgpack_object *chosen, size_t n)
{
	struct client_table *table = client_table_new(method_columns, DIANACTL_COUNT(method_columns));
	bool complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	for (size_t i = 0; i < n; i++)
		add_method(table, &chosen[i]);
	complete = client_table_print(table, stdout, "", ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static int print_reference(const struct dianactl *ctl, msgpack_object *chosen, size_t n)
{
	int rc = DIANACTL_OK;

	for (size_t i = 0; i < n && rc == DIANACTL_OK; i++) {
		if (i > 0)
			putchar('\n');
		rc = print_method(ctl, &chosen[i]);
	}
	return rc;
}

static int print_json(msgpack_object *chosen, size_t n)
{
	msgpack_object_kv entry = { client_object_of_text("items"), client_object_of_array(chosen, (uint32_t)n) };
	msgpack_object map = client_object_of_map(&entry, 1);

	return dianactl_session_print_json(&map);
}

static int show(const struct dianactl *ctl, const struct methods_values *v, msgpack_object *chosen, size_t n)
{
	if (ctl->json)
		return print_json(chosen, n);
	if (n == 1 || v->full)
		return print_reference(ctl, chosen, n);
	return print_list(ctl, chosen, n);
}

static int choose_and_show(struct dianactl *ctl, const struct methods_values *v, const msgpack_object *items)
{
	const char *word = ctl->n_words > 0 ? ctl->words[0] : NULL;
	size_t n_items = client_object_length(items), n = 0;
	msgpack_object *chosen = calloc(n_items + 1, sizeof(*chosen));
	int rc;

	if (chosen == NULL)
		return dianactl_session_no_memory();
	for (size_t i = 0; i < n_items; i++) {
		if (is_chosen(client_object_at(items, i), word))
			chosen[n++] = *client_object_at(items, i);
	}
	if (n == 0 && word != NULL) {
		dianactl_session_warn("the daemon has no method '%s'; 'dianactl methods' lists them", word);
		rc = DIANACTL_REFUSED;
	} else {
		rc = show(ctl, v, chosen, n);
	}
	free(chosen);
	return rc;
}

static int methods_run(struct dianactl *ctl, const void *values)
{
	struct client_message answer;
	const msgpack_object *items;
	int rc = dianactl_session_call(ctl, "server.methods", NULL, &answer);

	if (rc != DIANACTL_OK)
		return rc;
	items = client_object_get(answer.result, "items");
	if (items == NULL || items->type != MSGPACK_OBJECT_ARRAY)
		rc = dianactl_session_odd("server.methods");
	else
		rc = choose_and_show(ctl, values, items);
	client_message_clear(&answer);
	return rc;
}

const struct dianactl_command dianactl_methods_command = {
	.name = "methods",
	.words = "[METHOD | AGGREGATE]",
	.help = "What the running daemon can be asked",
	.more = "A METHOD (point.award) prints its reference: params with type, default and range, errors,\n"
		"events. An AGGREGATE (point), or nothing, prints a line for each method.",
	.options = methods_options,
	.n_options = DIANACTL_COUNT(methods_options),
	.values_size = sizeof(struct methods_values),
	.max_words = 1,
	.timeout_s = 30,
	.run = methods_run,
};
