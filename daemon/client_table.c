#include "daemon/client_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client_json.h"
#include "daemon/client_utf8.h"

#define GAP 2
#define FORMAT_MAX 256
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

struct cell {
	char *text;
	size_t columns;
	enum client_colour colour;
};

struct client_table {
	const struct client_column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n_cells, max_cells;
	bool failed;
};

struct client_table *client_table_new(const struct client_column *columns, size_t n)
{
	struct client_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->columns = columns;
	table->n_columns = n;
	return table;
}

void client_table_free(struct client_table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

static bool table_reserve(struct client_table *table)
{
	size_t max = table->max_cells == 0 ? 64 : table->max_cells * 2;
	struct cell *cells;

	if (table->n_cells < table->max_cells)
		return true;
	cells = realloc(table->cells, max * sizeof(*cells));
	if (cells == NULL)
		return false;
	table->cells = cells;
	table->max_cells = max;
	return true;
}

void client_table_text(struct client_table *table, struct client_text text)
{
	struct client_text shown = text.base != NULL ? text : (struct client_text){ "-", 1 };
	char *clean;

	if (table->failed)
		return;
	clean = client_utf8_clean(shown.base, shown.len, 0);
	if (clean == NULL || !table_reserve(table)) {
		free(clean);
		table->failed = true;
		return;
	}
	table->cells[table->n_cells++] = (struct cell){
		.text = clean,
		.columns = client_utf8_columns(clean, strlen(clean)),
	};
}

void client_table_string(struct client_table *table, const char *string)
{
	client_table_text(table, (struct client_text){ string, string != NULL ? strlen(string) : 0 });
}

void client_table_format(struct client_table *table, const char *format, ...)
{
	char text[FORMAT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	client_table_string(table, text);
}

void client_table_object(struct client_table *table, const msgpack_object *object)
{
	struct client_text text = client_object_as_text(object);
	char *json;

	if (text.base != NULL || object == NULL || object->type == MSGPACK_OBJECT_NIL) {
		client_table_text(table, text);
		return;
	}
	json = client_json_text(object, CLIENT_JSON_COMPACT);
	if (json == NULL)
		table->failed = true;
	else
		client_table_string(table, json);
	free(json);
}

void client_table_paint(struct client_table *table, enum client_colour colour)
{
	if (!table->failed && table->n_cells > 0)
		table->cells[table->n_cells - 1].colour = colour;
}

static size_t column_width(const struct client_table *table, size_t column)
{
	const char *title = table->columns[column].title;
	size_t width = client_utf8_columns(title, strlen(title));

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		if (table->cells[i].columns > width)
			width = table->cells[i].columns;
	}
	return width;
}

static void print_spaces(FILE *out, size_t n)
{
	for (; n > 0; n--)
		putc(' ', out);
}

static void print_coloured(FILE *out, const struct cell *cell, bool colour)
{
	if (colour && cell->colour != CLIENT_COLOUR_NONE)
		fprintf(out, "\033[%dm%s" PLAIN, (int)cell->colour, cell->text);
	else
		fputs(cell->text, out);
}

static void print_cell(FILE *out, const struct cell *cell, size_t width, bool right, bool colour)
{
	if (right)
		print_spaces(out, width - cell->columns);
	print_coloured(out, cell, colour);
}

/* No line ends in spaces: after the last cell that shows something nothing is printed. */
static void print_row(const struct client_table *table, FILE *out, const struct cell *row, const size_t *widths,
		      bool colour)
{
	size_t n = table->n_columns;

	while (n > 0 && row[n - 1].columns == 0)
		n--;
	for (size_t i = 0; i < n; i++) {
		bool right = table->columns[i].right;

		print_cell(out, &row[i], widths[i], right, colour);
		if (i + 1 < n)
			print_spaces(out, GAP + (right ? 0 : widths[i] - row[i].columns));
	}
	putc('\n', out);
}

static void print_titles(const struct client_table *table, FILE *out, const size_t *widths, bool colour)
{
	fputs(colour ? BOLD : "", out);
	for (size_t i = 0; i < table->n_columns; i++) {
		const char *title = table->columns[i].title;
		size_t fill = widths[i] - client_utf8_columns(title, strlen(title));
		bool right = table->columns[i].right;

		print_spaces(out, right ? fill : 0);
		fputs(title, out);
		if (i + 1 < table->n_columns)
			print_spaces(out, GAP + (right ? 0 : fill));
	}
	fputs(colour ? PLAIN "\n" : "\n", out);
}

bool client_table_print(const struct client_table *table, FILE *out, const char *indent, bool colour)
{
	size_t *widths = calloc(table->n_columns, sizeof(*widths));

	if (widths == NULL)
		return false;
	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = column_width(table, i);
	fputs(indent, out);
	print_titles(table, out, widths, colour);
	for (size_t at = 0; at + table->n_columns <= table->n_cells; at += table->n_columns) {
		fputs(indent, out);
		print_row(table, out, &table->cells[at], widths, colour);
	}
	free(widths);
	return !table->failed;
}
