#include <stdio.h>
#include <string.h>

#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_projections.h"
#include "daemon/dianactl_session.h"

struct projection_values {
	bool all, verify;
};

static const struct dianactl_option projection_options[] = {
	{ "all", 'a', DIANACTL_FLAG, offsetof(struct projection_values, all), NULL, "rebuild: all projections" },
	{ "verify", 0, DIANACTL_FLAG, offsetof(struct projection_values, verify), NULL,
	  "rebuild: only compare with what is live" },
};

struct verb {
	const char *name;
	bool takes_name, takes_flags;
	int (*run)(struct dianactl *ctl, const char *name, const struct projection_values *v);
};

static int call_and(struct dianactl *ctl, const char *method, struct client_params *params,
		    int (*show)(struct dianactl *ctl, const msgpack_object *result))
{
	struct client_message answer;
	int rc = dianactl_session_call(ctl, method, params, &answer);

	client_params_free(params);
	if (rc != DIANACTL_OK)
		return rc;
	rc = show(ctl, answer.result);
	client_message_clear(&answer);
	return rc;
}

static int show_list(struct dianactl *ctl, const msgpack_object *result)
{
	if (ctl->json)
		return dianactl_session_print_json(result);
	return dianactl_projections_print(ctl, client_object_get(result, "items"), "");
}

static int run_list(struct dianactl *ctl, const char *name, const struct projection_values *v)
{
	struct client_params params;

	(void)name;
	(void)v;
	client_params_init(&params);
	return call_and(ctl, "projection.list", &params, show_list);
}

static const struct client_column field_columns[] = { { "FIELD", false }, { "VALUE", false } };

/* Any map, a field a line. */
static int print_fields(const struct dianactl *ctl, const msgpack_object *map)
{
	struct client_table *table = client_table_new(field_columns, DIANACTL_COUNT(field_columns));
	bool complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	for (uint32_t i = 0; map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++) {
		client_table_object(table, &map->via.map.ptr[i].key);
		client_table_object(table, &map->via.map.ptr[i].val);
	}
	complete = client_table_print(table, stdout, "", ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static int show_fields(struct dianactl *ctl, const msgpack_object *result)
{
	return ctl->json ? dianactl_session_print_json(result) : print_fields(ctl, result);
}

static int run_status(struct dianactl *ctl, const char *name, const struct projection_values *v)
{
	struct client_params params;

	(void)v;
	client_params_init(&params);
	client_params_text(&params, "name", name);
	return call_and(ctl, "projection.status", &params, show_fields);
}

static int show_rebuilt(struct dianactl *ctl, const msgpack_object *result)
{
	if (ctl->json)
		return dianactl_session_print_json(result);
	puts("rebuilt");
	return result->type == MSGPACK_OBJECT_MAP ? print_fields(ctl, result) : DIANACTL_OK;
}

/* What differs is the one thing such a comparison is made for: it decides the exit code. */
static int show_verified(struct dianactl *ctl, const msgpack_object *result)
{
	bool equal = client_object_bool(result, "equal", false);

	if (ctl->json)
		dianactl_session_print_json(result);
	else
		puts(equal ? "equal: what is live is what the log says"
			   : "NOT EQUAL: what is live is not what the log says; rebuild it");
	if (!ctl->json)
		print_fields(ctl, result);
	return equal ? DIANACTL_OK : DIANACTL_REFUSED;
}

static int run_rebuild(struct dianactl *ctl, const char *name, const struct projection_values *v)
{
	struct client_params params;

	client_params_init(&params);
	if (v->all)
		client_params_bool(&params, "all", true);
	else
		client_params_text(&params, "name", name);
	if (v->verify)
		client_params_bool(&params, "verify", true);
	return call_and(ctl, "projection.rebuild", &params, v->verify ? show_verified : show_rebuilt);
}

static const struct verb verbs[] = {
	{ "list", false, false, run_list },
	{ "status", true, false, run_status },
	{ "rebuild", true, true, run_rebuild },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < DIANACTL_COUNT(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static int projection_run(struct dianactl *ctl, const void *values)
{
	const struct projection_values *v = values;
	const struct verb *verb = find_verb(ctl->words[0]);
	bool named = ctl->n_words > 1;

	if (verb == NULL)
		return dianactl_session_usage(ctl,
					      "projection: unknown '%s'; it is list, status or "
					      "rebuild",
					      ctl->words[0]);
	if ((v->all || v->verify) && !verb->takes_flags)
		return dianactl_session_usage(ctl, "projection %s takes neither --all nor --verify", verb->name);
	if (!verb->takes_name && named)
		return dianactl_session_usage(ctl, "projection %s takes no further argument '%s'", verb->name,
					      ctl->words[1]);
	if (verb->takes_name && named == v->all)
		return dianactl_session_usage(ctl, "projection %s needs a NAME%s", verb->name,
					      verb->takes_flags ? ", or --all instead" : "");
	return verb->run(ctl, named ? ctl->words[1] : NULL, v);
}

const struct dianactl_command dianactl_projection_command = {
	.name = "projection",
	.words = "list | status NAME | rebuild NAME|--all [--verify]",
	.help = "List the projections, or fold the log into them anew",
	.more = "A rebuild goes on beside the live view and takes its place when done; it waits for that.\n"
		"With --verify nothing is replaced: exit code 1 says that the two differ.",
	.options = projection_options,
	.n_options = DIANACTL_COUNT(projection_options),
	.values_size = sizeof(struct projection_values),
	.min_words = 1,
	.max_words = 2,
	.run = projection_run,
};
