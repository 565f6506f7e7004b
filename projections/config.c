#include "core/rules.h"
#include "projections/fold.h"

/* Folds of the projection `config`. */

static void on_entry_set(struct state *s, const struct event *ev)
{
	const struct config_entry_set *p = ev->data;
	struct config_entry row = {
		.version = ev->version, .value = p->value, .updated_at = ev->at, .updated_by = ev->actor, .stored = true
	};

	put_config_entry(s, p->id, &row);
}

static void on_entry_deleted(struct state *s, const struct event *ev)
{
	const struct config_entry_deleted *p = ev->data;
	struct config_entry row = { .version = ev->version, .updated_at = ev->at, .updated_by = ev->actor };

	put_config_entry(s, p->id, &row);
}

static void on_defaults_installed(struct state *s, const struct event *ev)
{
	struct server_mark row = { .version = ev->version, .defaults_installed = true };

	put_server_mark(s, 0, &row);
}

/* Other events of the stream `server`: only its version is kept here. */
static void on_server_event(struct state *s, const struct event *ev)
{
	struct server_mark row = { 0 };

	get_server_mark(s, 0, &row);
	row.version = ev->version;
	put_server_mark(s, 0, &row);
}

static const struct fold folds[] = {
	{ EV_config_entry_set, on_entry_set },
	{ EV_config_entry_deleted, on_entry_deleted },
	{ EV_server_defaults_installed, on_defaults_installed },
	{ EV_channel_requests_archived, on_server_event },
	{ EV_mission_period_started, on_server_event },
};
const struct fold_table config_folds = { folds, sizeof(folds) / sizeof(folds[0]), NULL };
