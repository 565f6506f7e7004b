#include <inttypes.h>
#include <stdlib.h>

#include "core/settings.h"
#include "daemon/call.h"
#include "daemon/clock.h"
#include "daemon/diag.h"
#include "daemon/ledger.h"
#include "daemon/rebuild.h"
#include "daemon/server.h"
#include "daemon/worker.h"
#include "daemon/worker_query.h"

/* projection.list, projection.status, projection.rebuild. */

static bool find_projection(struct slice name, enum projection_id *ret)
{
	for (int p = 0; p < N_PROJECTIONS; p++)
		if (slice_is(name, projection_defs[p].name)) {
			*ret = (enum projection_id)p;
			return true;
		}
	return false;
}

bool projection_is_corrupt(struct ledger *l, enum projection_id p)
{
	struct point_totals t = { 0 };

	return p == PROJECTION_point && get_point_totals(ledger_state(l), 0, &t) && t.corrupt_seq != 0;
}

static int put_info(struct call *c, struct map_writer *w, enum projection_id p)
{
	struct ledger *l = server_ledger(c->server);
	struct projection_info info;
	struct rebuild_progress progress;
	int rc = engine_info(ledger_engine(l), p, &info, c->err);

	if (rc != 0)
		return rc;
	rebuild_get_progress(&progress);
	map_str(w, "name", projection_defs[p].name);
	map_uint(w, "version", projection_defs[p].version);
	map_uint(w, "seq", info.seq);
	map_uint(w, "lag", ledger_head(l) - info.seq);
	map_str(w, "state",
		projection_is_corrupt(l, p)                         ? "corrupt"
		: progress.running && progress.projections >> p & 1 ? "rebuilding"
								    : "live");
	map_uint(w, "entries", info.entries);
	map_uint(w, "bytes", info.bytes);
	return 0;
}

/* The one that runs, whatever it rebuilds: cheap, for who watches it. */
static void put_running(struct map_writer *w)
{
	struct rebuild_progress progress;
	struct map_writer r;

	rebuild_get_progress(&progress);
	if (!progress.running) {
		map_nil(w, "rebuild");
		return;
	}
	map_open(&r, map_key(w, "rebuild"));
	map_bool(&r, "verify", progress.verify);
	map_uint(&r, "done_seq", progress.done_seq);
	map_uint(&r, "head_seq", progress.head_seq);
	map_int(&r, "started_at", progress.started_at);
	map_close(&r);
}

int service_projection_list(struct call *c, const struct projection_list *p)
{
	struct map_writer w, item;
	size_t head;
	int rc = 0;

	(void)p;
	map_open(&w, c->out);
	map_key(&w, "items");
	head = array_open(c->out);
	for (int i = 0; i < N_PROJECTIONS && rc == 0; i++) {
		map_open(&item, c->out);
		rc = put_info(c, &item, (enum projection_id)i);
		map_close(&item);
	}
	array_close(c->out, head, N_PROJECTIONS);
	put_running(&w);
	map_close(&w);
	return rc;
}

/* ---- status: with the fingerprint, which a worker computes as of a checkpoint ---- */

struct status_task {
	enum projection_id projection;
	size_t info_len;
	unsigned info_pairs;
	uint8_t info[1024]; /* the pairs that the loop knows */
};

static int run_status(struct worker_task *t)
{
	const struct status_task *s = t->data;
	struct map_writer w;
	char hex[33];
	int rc = projection_fingerprint(snapshot_state(t->snapshot), s->projection, hex, t->err);

	if (rc != 0)
		return rc;
	map_open(&w, t->out);
	buf_append(t->out, s->info, s->info_len);
	w.n += s->info_pairs;
	map_str(&w, "fingerprint", hex);
	map_uint(&w, "fingerprint_seq", snapshot_seq(t->snapshot));
	map_close(&w);
	return 0;
}

static void put_rebuild(struct map_writer *w, enum projection_id p)
{
	struct rebuild_progress progress;
	struct map_writer r;
	bool mine;

	rebuild_get_progress(&progress);
	mine = progress.projections >> p & 1;
	map_open(&r, map_key(w, "rebuild"));
	map_bool(&r, "running", progress.running && mine);
	map_uint(&r, "done_seq", mine ? progress.done_seq : 0);
	map_uint(&r, "head_seq", mine ? progress.head_seq : 0);
	map_opt_int(&r, "started_at", mine && progress.started_at != 0, progress.started_at);
	map_close(&r);
	map_str(w, "last_error", mine && progress.last_error[0] ? progress.last_error : NULL);
}

int service_projection_status(struct call *c, const struct projection_status *p)
{
	struct status_task s = { 0 };
	struct map_writer w;
	size_t start = c->out->len;
	int rc;

	if (!find_projection(p->name, &s.projection))
		return err_missing_text(c->err, "projection", p->name);
	map_open(&w, c->out);
	rc = put_info(c, &w, s.projection);
	if (rc != 0)
		return rc;
	put_rebuild(&w, s.projection);
	s.info_pairs = w.n;
	s.info_len = c->out->len - start - 3; /* without the map's head */
	assert(s.info_len <= sizeof(s.info));
	memcpy(s.info, c->out->base + start + 3, s.info_len);
	buf_truncate(c->out, start);
	return worker_task(c, true, run_status, &s, sizeof(s));
}

/* ---- rebuild ---- */

int service_projection_rebuild(struct call *c, const struct projection_rebuild *p)
{
	enum projection_id id;
	unsigned mask;

	if ((p->name.base != NULL) == (p->has_all && p->all))
		return err_field(c->err, "name", "exactly one of name and all: true is needed");
	if (p->name.base == NULL)
		mask = ALL_PROJECTIONS;
	else if (find_projection(p->name, &id))
		mask = 1u << id;
	else
		return err_missing_text(c->err, "projection", p->name);
	if (c->in_batch)
		return err_field(c->err, "method", "no rebuild in a batch");
	return p->verify ? rebuild_verify(c, mask) : rebuild_start(c, mask);
}
