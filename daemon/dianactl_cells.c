#include "daemon/dianactl_cells.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/client_object.h"
#include "daemon/client_utf8.h"

bool dianactl_cells_fraction(const msgpack_object *points)
{
	int64_t milli;

	return client_object_milli(points, &milli) && milli % 1000 != 0;
}

char *dianactl_cells_amount(char out[CLIENT_FORMAT_MAX], const msgpack_object *map, const char *key)
{
	const msgpack_object *points = client_object_get(map, key);
	int64_t milli;

	if (client_object_milli(points, &milli))
		return client_format_points(out, milli, milli % 1000 != 0);
	snprintf(out, CLIENT_FORMAT_MAX, "-");
	return out;
}

void dianactl_cells_points(struct client_table *table, const msgpack_object *points, bool decimals)
{
	char text[CLIENT_FORMAT_MAX];
	int64_t milli;

	if (client_object_milli(points, &milli))
		client_table_string(table, client_format_points(text, milli, decimals));
	else
		client_table_object(table, points);
}

void dianactl_cells_time(struct client_table *table, const msgpack_object *map, const char *key, bool utc)
{
	char text[CLIENT_FORMAT_MAX];
	int64_t at = client_object_int(map, key, -1);

	client_table_string(table, at < 0 ? NULL : client_format_time(text, at, utc));
}

void dianactl_cells_bytes(struct client_table *table, const msgpack_object *map, const char *key)
{
	char text[CLIENT_FORMAT_MAX];
	uint64_t bytes = client_object_uint(map, key, UINT64_MAX);

	client_table_string(table, bytes == UINT64_MAX ? NULL : client_format_bytes(text, bytes));
}

char *dianactl_cells_join(const msgpack_object *texts)
{
	char *joined = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&joined, &len);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < client_object_length(texts); i++) {
		struct client_text text = client_object_as_text(client_object_at(texts, i));

		fprintf(out, "%s%.*s", i > 0 ? ", " : "", (int)text.len, text.base != NULL ? text.base : "");
	}
	if (fclose(out) == 0)
		return joined;
	free(joined);
	return NULL;
}

void dianactl_cells_print(FILE *out, struct client_text text)
{
	char *clean = text.base != NULL ? client_utf8_clean(text.base, text.len, 0) : NULL;

	fputs(clean != NULL ? clean : "-", out);
	free(clean);
}

static enum client_colour status_colour(struct client_text status)
{
	if (client_text_is(status, "ok"))
		return CLIENT_COLOUR_GREEN;
	return client_text_is(status, "degraded") ? CLIENT_COLOUR_YELLOW : CLIENT_COLOUR_RED;
}

void dianactl_cells_paint(FILE *out, struct client_text text, enum client_colour colour)
{
	if (colour != CLIENT_COLOUR_NONE)
		fprintf(out, "\033[%dm", (int)colour);
	dianactl_cells_print(out, text);
	if (colour != CLIENT_COLOUR_NONE)
		fputs("\033[0m", out);
}

void dianactl_cells_status(FILE *out, struct client_text status, bool colour)
{
	dianactl_cells_paint(out, status, colour ? status_colour(status) : CLIENT_COLOUR_NONE);
}

void dianactl_cells_label(FILE *out, const char *label)
{
	fprintf(out, "%-14s", label);
}

void dianactl_cells_moment(FILE *out, const char *before, const msgpack_object *map, const char *key, bool utc)
{
	char text[CLIENT_FORMAT_MAX];
	int64_t at = client_object_int(map, key, -1);

	if (at >= 0)
		fprintf(out, "%s%s", before, client_format_time(text, at, utc));
}

char *dianactl_cells_times(char out[CLIENT_FORMAT_MAX], uint64_t n)
{
	if (n == 1)
		snprintf(out, CLIENT_FORMAT_MAX, "once");
	else
		snprintf(out, CLIENT_FORMAT_MAX, "%" PRIu64 " times", n);
	return out;
}
