#include "daemon/dianactl_cells.h"

#include <stdlib.h>

#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_utf8.h"

bool dianactl_cells_fraction(const msgpack_object *points)
{
	int64_t milli;

	return client_object_milli(points, &milli) && milli % 1000 != 0;
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
