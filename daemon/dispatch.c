#include <inttypes.h>

#include "daemon/call.h"
#include "daemon/clock.h"
#include "daemon/ledger.h"
#include "daemon/plans.h"
#include "daemon/server.h"
#include "daemon/worker_query.h"

/* ---- may it be called ---- */

static int check_role(struct call *c)
{
	const struct method_def *def = &method_defs[c->id];
	bool allowed = c->role == ROLE_ADMIN || (c->role == ROLE_BOT && !(def->flags & METHOD_ADMIN)) ||
		       (c->role == ROLE_AUDITOR && !(def->flags & METHOD_ADMIN) && def->class != METHOD_COMMAND);

	if (allowed)
		return 0;
	err_set(c->err, E_FORBIDDEN, "%s is not open to your role", def->name);
	err_detail_text(c->err, "reason", SLICE_LIT("role"));
	return E_FORBIDDEN;
}

/* ---- running ---- */

static int run_command(struct call *c, const void *params, const struct command_params *common)
{
	struct command cmd = { .method = c->id, .params = params, .common = common, .has_peer = true, .peer = c->peer };

	return ledger_command(server_ledger(c->server), &cmd, c->out, c->err);
}

static int run_loop_query(struct call *c, const void *params)
{
	struct ledger *l = server_ledger(c->server);
	struct query q;
	int rc;

	ledger_query(l, &q, c->out, c->err);
	rc = run_query(c->id, &q, params);
	c->examined = q.examined;
	c->returned = q.returned;
	c->index = q.index;
	if (rc == 0 && q.state->failed) {
		*c->err = q.state->err;
		rc = (int)c->err->code;
	}
	return rc;
}

static int run_service(struct call *c, const void *params)
{
	switch (c->id) {
#define SERVICE(name, wire, flags, errors, events, doc)                                                                \
	case METHOD_##name:                                                                                            \
		return service_##name(c, params);
#include "core/schema/all.def"
	default:
		assert(!"not a service");
		return E_INTERNAL;
	}
}

static int not_there_yet(struct call *c, const struct query_params *common)
{
	if (common == NULL || !common->has_min_seq || common->min_seq <= ledger_head(server_ledger(c->server)))
		return 0;
	if (!c->waited && !c->in_batch && common->wait_ms > 0)
		return server_wait_for_seq(c->server, c, common->min_seq, common->wait_ms);
	err_set(c->err, E_UNAVAILABLE, "event %" PRIu64 " is not here yet", common->min_seq);
	return E_UNAVAILABLE;
}

static int run(struct call *c)
{
	const struct method_def *def = &method_defs[c->id];
	struct arena *arena = ledger_state(server_ledger(c->server))->arena;
	const struct record *common_rec = plans_common(c->id);
	void *own = arena_take(arena, def->params()->size);
	void *common = arena_take(arena, common_rec ? common_rec->size : 1);
	void *parts[PLAN_PARTS] = { own, common };
	int rc;

	if (own == NULL || common == NULL)
		return err_set(c->err, E_LIMIT_EXCEEDED, "the call takes too much memory");
	rc = params_decode(plans_of(c->id), c->params, parts, arena, c->err);
	if (rc != 0)
		return rc;
	switch (def->class) {
	case METHOD_COMMAND:
		return run_command(c, own, common);
	case METHOD_QUERY:
		rc = not_there_yet(c, common);
		if (rc != 0)
			return rc;
		return def->flags & QUERY_IN_WORKER ? worker_query(c, own) : run_loop_query(c, own);
	case METHOD_SERVICE:
		rc = not_there_yet(c, common_rec ? common : NULL);
		return rc == 0 ? run_service(c, own) : rc;
	}
	return E_INTERNAL;
}

int dispatch_call(struct call *c)
{
	size_t start = c->out->len;
	int rc;

	c->id = N_METHODS;
	rc = plans_find(c->method, c->params, &c->id, c->err);
	if (rc == 0)
		rc = check_role(c);
	if (rc == 0)
		rc = run(c);
	if (rc == 0 && c->out->failed) {
		c->out->failed = false;
		rc = err_set(c->err, E_LIMIT_EXCEEDED, "the answer is larger than %d bytes", ANSWER_MAX);
		err_detail_int(c->err, "limit", ANSWER_MAX);
	}
	if (rc != 0)
		buf_truncate(c->out, start);
	return rc;
}
