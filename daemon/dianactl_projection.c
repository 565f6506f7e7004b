#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_table.h"
#include "daemon/clock.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_progress.h"
#include "daemon/dianactl_projections.h"
#include "daemon/dianactl_session.h"

enum { LOOK_MS = 100, SAY_MS = 2000 };

struct projection_values {
	bool all, verify, watch;
};

static const struct dianactl_option projection_options[] = {
	{ "all", 'a', DIANACTL_FLAG, offsetof(struct projection_values, all), NULL, "rebuild: all projections" },
	{ "verify", 0, DIANACTL_FLAG, offsetof(struct projection_values, verify), NULL,
	  "rebuild: only compare with what is live" },
	{ "watch", 'w', DIANACTL_FLAG, offsetof(struct projection_values, watch), NULL,
	  "rebuild: show how far it is, on stderr" },
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

/* ---- how far it is ---- */

/* A second connection, for the first one waits for the answer. */
struct watching {
	struct dianactl ctl;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool over;
	struct dianactl_progress progress;
	int64_t said_ms;
};

/* True: it is over. */
static bool wait_a_little(struct watching *w)
{
	struct timespec until;
	bool over;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&w->lock);
	while (!w->over && pthread_cond_timedwait(&w->changed, &w->lock, &until) == 0)
		;
	over = w->over;
	pthread_mutex_unlock(&w->lock);
	return over;
}

/* A bar on a terminal; elsewhere a line now and then. */
static void show_progress(struct watching *w, const msgpack_object *rebuild)
{
	uint64_t done = client_object_uint(rebuild, "done_seq", 0), of = client_object_uint(rebuild, "head_seq", 0);
	int64_t now = monotonic_ms();

	if (of == 0 || done > of)
		return;
	dianactl_progress_show(&w->progress, done, of);
	if (w->progress.on_terminal || now - w->said_ms < SAY_MS)
		return;
	w->said_ms = now;
	fprintf(stderr, "at event %" PRIu64 " of %" PRIu64 "\n", done, of);
}

/* The progress is an addition: when it cannot be asked for, whoever awaits the answer says why. */
static void *watch(void *arg)
{
	struct watching *w = arg;
	struct client_message answer;
	struct client_error err;

	dianactl_progress_begin(&w->progress, "events", 0);
	do {
		if (dianactl_session_retry(&w->ctl, "projection.list", NULL, &answer, &err) != 0)
			break;
		show_progress(w, client_object_get(answer.result, "rebuild"));
		client_message_clear(&answer);
	} while (!wait_a_little(w));
	dianactl_progress_end(&w->progress);
	dianactl_session_close(&w->ctl);
	return NULL;
}

static int watch_begin(struct watching *w, const struct dianactl *ctl)
{
	*w = (struct watching){ .ctl = *ctl, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	w->ctl.rpc = NULL;
	return pthread_create(&w->thread, NULL, watch, w) == 0 ? DIANACTL_OK : dianactl_session_no_memory();
}

static void watch_end(struct watching *w)
{
	pthread_mutex_lock(&w->lock);
	w->over = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
}

/* Frees params. */
static int call_watched(struct dianactl *ctl, struct client_params *params, bool watched, struct client_message *ret)
{
	struct watching w;
	int rc = watched ? watch_begin(&w, ctl) : DIANACTL_OK;

	if (rc == DIANACTL_OK)
		rc = dianactl_session_try(ctl, "projection.rebuild", params, ret);
	else
		watched = false;
	if (watched)
		watch_end(&w);
	client_params_free(params);
	return rc;
}

static int run_rebuild(struct dianactl *ctl, const char *name, const struct projection_values *v)
{
	struct client_message answer;
	struct client_params params;
	int rc;

	client_params_init(&params);
	if (v->all)
		client_params_bool(&params, "all", true);
	else
		client_params_text(&params, "name", name);
	if (v->verify)
		client_params_bool(&params, "verify", true);
	rc = call_watched(ctl, &params, v->watch, &answer);
	if (rc != DIANACTL_OK)
		return rc;
	if (answer.error != NULL)
		rc = dianactl_session_refused(answer.error);
	else
		rc = (v->verify ? show_verified : show_rebuilt)(ctl, answer.result);
	client_message_clear(&answer);
	return rc;
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
	if ((v->all || v->verify || v->watch) && !verb->takes_flags)
		return dianactl_session_usage(ctl, "projection %s takes neither --all, --verify nor --watch",
					      verb->name);
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
	.words = "list | status NAME | rebuild NAME|--all [--verify] [--watch]",
	.help = "List the projections, or fold the log into them anew",
	.more = "A rebuild goes on beside the live view and takes its place when done; it waits for that.\n"
		"With --verify nothing is replaced: exit code 1 says that the two differ. Ended here, by\n"
		"Ctrl-C, it still goes on in the daemon; killed there, the view stays what it was.",
	.options = projection_options,
	.n_options = DIANACTL_COUNT(projection_options),
	.values_size = sizeof(struct projection_values),
	.min_words = 1,
	.max_words = 2,
	.run = projection_run,
};
