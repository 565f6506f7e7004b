#include "daemon/dianactl_events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client_format.h"
#include "daemon/client_json.h"
#include "daemon/client_object.h"
#include "daemon/client_utf8.h"

static void write_value(FILE *out, const msgpack_object *value)
{
	struct client_text text = client_object_as_text(value);

	if (text.base != NULL && text.len > 0 && memchr(text.base, ' ', text.len) == NULL)
		fwrite(text.base, 1, text.len, out);
	else
		client_json_print(out, value, CLIENT_JSON_COMPACT);
}

/* key=value for what is not nil. */
static void write_data(FILE *out, const msgpack_object *data)
{
	if (data == NULL || data->type != MSGPACK_OBJECT_MAP)
		return;
	for (uint32_t i = 0; i < data->via.map.size; i++) {
		const msgpack_object_kv *entry = &data->via.map.ptr[i];

		if (entry->val.type == MSGPACK_OBJECT_NIL)
			continue;
		putc(' ', out);
		write_value(out, &entry->key);
		putc('=', out);
		write_value(out, &entry->val);
	}
}

static void write_text(FILE *out, const msgpack_object *event, const char *key, int width)
{
	struct client_text text = client_object_text(event, key);
	size_t columns;

	if (text.base == NULL)
		text = (struct client_text){ "-", 1 };
	columns = client_utf8_columns(text.base, text.len);
	fputs("  ", out);
	fwrite(text.base, 1, text.len, out);
	for (; columns < (size_t)width; columns++)
		putc(' ', out);
}

static void write_event(FILE *out, const msgpack_object *event, bool utc)
{
	char at[CLIENT_FORMAT_MAX];

	fprintf(out, "%s  %8" PRIu64, client_format_time(at, client_object_int(event, "at", 0), utc),
		client_object_uint(event, "seq", 0));
	write_text(out, event, "type", 22);
	write_text(out, event, "stream", 14);
	write_text(out, event, "actor", 8);
	putc(' ', out);
	write_data(out, client_object_get(event, "data"));
}

char *dianactl_events_line(const msgpack_object *event, bool utc, size_t columns)
{
	char *line = NULL, *clean = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	if (out == NULL)
		return NULL;
	write_event(out, event, utc);
	if (fclose(out) == 0)
		clean = client_utf8_clean(line, len, columns);
	free(line);
	return clean;
}
