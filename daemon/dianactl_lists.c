#include "daemon/dianactl_lists.h"

#include "daemon/client_object.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_session.h"

#define INDENT "  "

void dianactl_lists_refusal(FILE *out, const struct dianactl_batch *batch, size_t index)
{
	putc('(', out);
	dianactl_cells_print(out, client_object_text(dianactl_batch_error(batch, index), "message"));
	putc(')', out);
}

static int print_table(FILE *out, const struct dianactl *ctl, const struct dianactl_list *list,
		       const msgpack_object *items, const void *about)
{
	struct client_table *table = client_table_new(list->columns, list->n_columns);
	bool complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	for (size_t i = 0; i < client_object_length(items); i++)
		list->add(table, ctl, client_object_at(items, i), about);
	complete = client_table_print(table, out, INDENT, ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

int dianactl_lists_print(FILE *out, const struct dianactl *ctl, const struct dianactl_list *list,
			 const struct dianactl_batch *batch, size_t index, const void *about)
{
	const msgpack_object *result = dianactl_batch_result(batch, index);
	const msgpack_object *items = client_object_get(result, "items");
	int rc;

	fprintf(out, "\n%s", list->title);
	if (result == NULL) {
		fputs(": ", out);
		dianactl_lists_refusal(out, batch, index);
		putc('\n', out);
		return DIANACTL_OK;
	}
	if (client_object_length(items) == 0) {
		fputs(": none\n", out);
		return DIANACTL_OK;
	}
	putc('\n', out);
	rc = print_table(out, ctl, list, items, about);
	if (client_object_get(result, "next") != NULL)
		fputs(INDENT "and more\n", out);
	return rc;
}

void dianactl_lists_line(FILE *out, const struct dianactl_batch *batch, size_t index, const char *key)
{
	const msgpack_object *result = dianactl_batch_result(batch, index);
	const msgpack_object *items = client_object_get(result, "items");
	size_t n = client_object_length(items);

	if (result == NULL)
		dianactl_lists_refusal(out, batch, index);
	else if (n == 0)
		fputs("none", out);
	for (size_t i = 0; i < n; i++) {
		fputs(i > 0 ? ", " : "", out);
		dianactl_cells_print(out, client_object_text(client_object_at(items, i), key));
	}
	if (client_object_get(result, "next") != NULL)
		fputs(", ...", out);
}
