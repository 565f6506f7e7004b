#include "daemon/dianactl_projections.h"

#include <stdio.h>

#include "daemon/client_object.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_session.h"

static const struct client_column projection_columns[] = {
	{ "PROJECTION", false }, { "SEQ", true },     { "LAG", true },
	{ "STATE", false },      { "ENTRIES", true }, { "SIZE", true },
};

static enum client_colour state_colour(struct client_text state)
{
	if (client_text_is(state, "corrupt") || client_text_is(state, "failed"))
		return CLIENT_COLOUR_RED;
	return client_text_is(state, "rebuilding") ? CLIENT_COLOUR_YELLOW : CLIENT_COLOUR_NONE;
}

static void add_projection(struct client_table *table, const msgpack_object *item)
{
	struct client_text state = client_object_text(item, "state");

	client_table_text(table, client_object_text(item, "name"));
	client_table_object(table, client_object_get(item, "seq"));
	client_table_object(table, client_object_get(item, "lag"));
	client_table_text(table, state);
	client_table_paint(table, state_colour(state));
	client_table_object(table, client_object_get(item, "entries"));
	dianactl_cells_bytes(table, item, "bytes");
}

int dianactl_projections_print(const struct dianactl *ctl, const msgpack_object *items, const char *indent)
{
	struct client_table *table = client_table_new(projection_columns, DIANACTL_COUNT(projection_columns));
	bool complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	for (size_t i = 0; i < client_object_length(items); i++)
		add_projection(table, client_object_at(items, i));
	complete = client_table_print(table, stdout, indent, ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}
