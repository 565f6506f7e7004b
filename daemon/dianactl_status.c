#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_counters.h"
#include "daemon/dianactl_projections.h"
#include "daemon/dianactl_session.h"

/* Health is what the command is about; the other two only add to it and may be refused. */
struct status {
	struct client_message health, projections, stats;
};

static int ask(struct dianactl *ctl, struct status *s)
{
	int rc = dianactl_session_call(ctl, "server.health", NULL, &s->health);

	if (rc == DIANACTL_OK)
		rc = dianactl_session_try(ctl, "projection.list", NULL, &s->projections);
	if (rc == DIANACTL_OK)
		rc = dianactl_session_try(ctl, "server.stats", NULL, &s->stats);
	return rc;
}

static void print_summary(const struct dianactl *ctl, const msgpack_object *health)
{
	char uptime[CLIENT_FORMAT_MAX];
	struct client_text status = client_object_text(health, "status");

	fputs("Status       ", stdout);
	dianactl_cells_status(stdout, status, ctl->colour);
	printf("\nUptime       %s\nHead seq     %" PRIu64 "\n",
	       client_format_duration(uptime, client_object_uint(health, "uptime_ms", 0)),
	       client_object_uint(health, "head_seq", 0));
}

static void print_storage(const msgpack_object *health)
{
	const msgpack_object *storage = client_object_get(health, "storage");
	char used[CLIENT_FORMAT_MAX], map[CLIENT_FORMAT_MAX], disk[CLIENT_FORMAT_MAX];

	if (storage == NULL)
		return;
	printf("Storage      %s used of a map of %s, %s free\n",
	       client_format_bytes(used, client_object_uint(storage, "used_bytes", 0)),
	       client_format_bytes(map, client_object_uint(storage, "map_bytes", 0)),
	       client_format_bytes(disk, client_object_uint(storage, "free_bytes", 0)));
}

static void print_sealed(const msgpack_object *health)
{
	const msgpack_object *sealed = client_object_get(client_object_get(health, "storage"), "log_sealed");
	uint64_t seq = client_object_uint(sealed, "seq", 0), bytes = client_object_uint(sealed, "bytes", 0),
		 raw = client_object_uint(sealed, "raw_bytes", 0);
	char packed[CLIENT_FORMAT_MAX], before[CLIENT_FORMAT_MAX];

	if (seq == 0)
		return;
	printf("Sealed       events 1 to %" PRIu64 ": %s, were %s (%.1f %%)\n", seq, client_format_bytes(packed, bytes),
	       client_format_bytes(before, raw), raw > 0 ? 100.0 * (double)bytes / (double)raw : 0.0);
}

static void print_clients(const msgpack_object *health)
{
	printf("Clients      %" PRIu64 " connections, %" PRIu64 " subscriptions\n",
	       client_object_uint(health, "connections", 0), client_object_uint(health, "subscriptions", 0));
}

static void print_timers(const struct dianactl *ctl, const msgpack_object *health)
{
	const msgpack_object *timers = client_object_get(health, "timers");
	int64_t next_due_at = client_object_int(timers, "next_due_at", -1);
	char at[CLIENT_FORMAT_MAX];

	if (timers == NULL)
		return;
	printf("Timers       %" PRIu64 " armed, %" PRIu64 " overdue", client_object_uint(timers, "armed", 0),
	       client_object_uint(timers, "overdue", 0));
	if (next_due_at >= 0)
		printf(", next at %s", client_format_time(at, next_due_at, ctl->utc));
	putchar('\n');
}

/* ---- statistics ---- */

static void print_calls(const msgpack_object *stats)
{
	uint64_t refused;
	uint64_t calls = dianactl_counters_calls(stats, &refused);

	if (client_object_get(stats, "calls") != NULL)
		printf("Calls        %" PRIu64 ", of which %" PRIu64 " refused\n", calls, refused);
}

static void print_commits(const msgpack_object *stats)
{
	const msgpack_object *commits = client_object_get(stats, "commits");

	if (client_object_get(commits, "count") == NULL)
		return;
	printf("Commits      %" PRIu64 " with %" PRIu64 " events\n", client_object_uint(commits, "count", 0),
	       client_object_uint(commits, "events", 0));
}

/* ---- tables ---- */

static const struct client_column check_columns[] = {
	{ "CHECK", false },
	{ "OK", false },
	{ "MESSAGE", false },
};

static void add_check(struct client_table *table, const msgpack_object *check)
{
	bool ok = client_object_bool(check, "ok", false);
	struct client_text message = client_object_text(check, "message");

	client_table_text(table, client_object_text(check, "name"));
	client_table_string(table, ok ? "ok" : "NO");
	client_table_paint(table, ok ? CLIENT_COLOUR_GREEN : CLIENT_COLOUR_RED);
	client_table_text(table, message.base != NULL ? message : (struct client_text){ "", 0 });
}

static int print_checks(const struct dianactl *ctl, const msgpack_object *health)
{
	const msgpack_object *checks = client_object_get(health, "checks");
	struct client_table *table;
	bool complete;

	if (client_object_length(checks) == 0)
		return DIANACTL_OK;
	table = client_table_new(check_columns, DIANACTL_COUNT(check_columns));
	if (table == NULL)
		return dianactl_session_no_memory();
	for (size_t i = 0; i < client_object_length(checks); i++)
		add_check(table, client_object_at(checks, i));
	putchar('\n');
	complete = client_table_print(table, stdout, "", ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static int print_projections(const struct dianactl *ctl, const struct status *s)
{
	const msgpack_object *items = client_object_get(s->projections.result, "items");

	if (items == NULL)
		items = client_object_get(s->health.result, "projections");
	if (client_object_length(items) == 0)
		return DIANACTL_OK;
	putchar('\n');
	return dianactl_projections_print(ctl, items, "");
}

static int print_screen(const struct dianactl *ctl, const struct status *s)
{
	const msgpack_object *health = s->health.result;
	int rc;

	printf("Socket       %s\n", ctl->socket_path);
	print_summary(ctl, health);
	print_storage(health);
	print_sealed(health);
	print_clients(health);
	print_timers(ctl, health);
	print_calls(s->stats.result);
	print_commits(s->stats.result);
	rc = print_checks(ctl, health);
	return rc != DIANACTL_OK ? rc : print_projections(ctl, s);
}

/* ---- JSON ---- */

static int print_json(const struct status *s)
{
	msgpack_object_kv entries[] = {
		{ client_object_of_text("health"), dianactl_session_result(&s->health) },
		{ client_object_of_text("projections"), dianactl_session_result(&s->projections) },
		{ client_object_of_text("stats"), dianactl_session_result(&s->stats) },
	};
	msgpack_object map = client_object_of_map(entries, DIANACTL_COUNT(entries));

	return dianactl_session_print_json(&map);
}

static int show(const struct dianactl *ctl, const struct status *s)
{
	struct client_text status = client_object_text(s->health.result, "status");
	int rc;

	if (status.base == NULL)
		return dianactl_session_odd("server.health");
	rc = ctl->json ? print_json(s) : print_screen(ctl, s);
	if (rc != DIANACTL_OK)
		return rc;
	return client_text_is(status, "ok") ? DIANACTL_OK : DIANACTL_REFUSED;
}

static int status_run(struct dianactl *ctl, const void *values)
{
	struct status s = { 0 };
	int rc = ask(ctl, &s);

	(void)values;
	if (rc == DIANACTL_OK)
		rc = show(ctl, &s);
	client_message_clear(&s.health);
	client_message_clear(&s.projections);
	client_message_clear(&s.stats);
	return rc;
}

const struct dianactl_command dianactl_status_command = {
	.name = "status",
	.words = "",
	.help = "How the daemon is, on one screen",
	.more = "Exit code 0 only if its status is ok, so that it can serve as a probe.",
	.timeout_s = 30,
	.run = status_run,
};
