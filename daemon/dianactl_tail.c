/*
 * Events as they happen. The subscription may end at any time: the daemon closes it when this reader
 * is slow, the connection ends when the daemon restarts. Either way the tail goes on after the last
 * event it printed, so that what is printed has neither gap nor repeat.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/client_json.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_rpc.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_events.h"
#include "daemon/dianactl_screen.h"
#include "daemon/dianactl_session.h"
#include "daemon/dianactl_stop.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 5000
#define PLACE_MAX 64

struct tail_values {
	uint64_t from, user, limit;
	const char *stream;
	struct dianactl_texts types;
	bool until_caught_up;
};

static const struct dianactl_option tail_options[] = {
	{ "from", 0, DIANACTL_NUMBER, offsetof(struct tail_values, from), "SEQ",
	  "begin with this event instead of the next one" },
	{ "type", 't', DIANACTL_TEXTS, offsetof(struct tail_values, types), "TYPE",
	  "only this type, or 'aggregate.*'; may be repeated" },
	{ "stream", 0, DIANACTL_TEXT, offsetof(struct tail_values, stream), "STREAM",
	  "only this stream (user:5, points:5, auction:2, ...)" },
	{ "user", 0, DIANACTL_NUMBER, offsetof(struct tail_values, user), "ID", "only events that concern this user" },
	{ "limit", 'n', DIANACTL_NUMBER, offsetof(struct tail_values, limit), "N", "stop after N events" },
	{ "until-caught-up", 0, DIANACTL_FLAG, offsetof(struct tail_values, until_caught_up), NULL,
	  "stop when there is nothing newer to print" },
};

/* What a step leads to. */
enum tail_state {
	TAIL_GO_ON,
	TAIL_DONE,
	TAIL_SUBSCRIBE, /* the subscription ended, the connection lives */
	TAIL_CONNECT,   /* the connection ended */
	TAIL_FAILED,    /* reported; tail.exit_code */
};

struct tail {
	struct dianactl *ctl;
	const struct tail_values *values;
	uint64_t next_seq; /* 0: whatever comes next */
	int64_t subscription_id;
	uint64_t printed;
	unsigned backoff_ms; /* before the next attempt; 0: at once */
	int exit_code;
};

static enum tail_state tail_fail(struct tail *t, int exit_code)
{
	t->exit_code = exit_code;
	return TAIL_FAILED;
}

/* ---- printing ---- */

static void print_event(const struct tail *t, const msgpack_object *event)
{
	char *line;

	if (t->ctl->json) {
		client_json_print(stdout, event, CLIENT_JSON_COMPACT);
		putchar('\n');
		return;
	}
	line = dianactl_events_line(event, t->ctl->utc, dianactl_screen_columns());
	if (line != NULL)
		puts(line);
	free(line);
}

/* ---- notifications ---- */

static enum tail_state take_event(struct tail *t, const msgpack_object *event)
{
	uint64_t seq = client_object_uint(event, "seq", 0);

	if (seq != 0 && seq < t->next_seq)
		return TAIL_GO_ON;
	print_event(t, event);
	if (!dianactl_stop_flush())
		return TAIL_DONE;
	if (seq != 0)
		t->next_seq = seq + 1;
	t->printed++;
	t->backoff_ms = 0;
	return t->values->limit != 0 && t->printed >= t->values->limit ? TAIL_DONE : TAIL_GO_ON;
}

static enum tail_state on_events(struct tail *t, const msgpack_object *params)
{
	const msgpack_object *items = client_object_get(params, "items");
	enum tail_state state = TAIL_GO_ON;

	for (size_t i = 0; i < client_object_length(items) && state == TAIL_GO_ON; i++)
		state = take_event(t, client_object_at(items, i));
	return state;
}

static enum tail_state on_caught_up(struct tail *t, const msgpack_object *params)
{
	(void)params;
	return t->values->until_caught_up ? TAIL_DONE : TAIL_GO_ON;
}

static const char *where(const struct tail *t, char place[PLACE_MAX])
{
	if (t->next_seq <= 1)
		return t->next_seq == 0 ? "with the next event" : "with the first event";
	snprintf(place, PLACE_MAX, "after seq %" PRIu64, t->next_seq - 1);
	return place;
}

static enum tail_state on_closed(struct tail *t, const msgpack_object *params)
{
	struct client_text reason = client_object_text(params, "reason");
	char place[PLACE_MAX];
	uint64_t last_seq = client_object_uint(params, "last_seq", 0);

	if (last_seq + 1 > t->next_seq && last_seq != 0)
		t->next_seq = last_seq + 1;
	if (!client_text_is(reason, "slow")) {
		dianactl_session_warn("the daemon closed the subscription after seq %" PRIu64 ": %.*s", last_seq,
				      (int)reason.len, reason.base != NULL ? reason.base : "");
		return tail_fail(t, DIANACTL_REFUSED);
	}
	dianactl_session_warn("the daemon closed the subscription (%.*s); going on %s", (int)reason.len,
			      reason.base != NULL ? reason.base : "", where(t, place));
	return TAIL_SUBSCRIBE;
}

/* What a notification leads to. */
struct handler {
	const char *method;
	enum tail_state (*handle)(struct tail *t, const msgpack_object *params);
};

static const struct handler handlers[] = {
	{ "log.events", on_events },
	{ "log.caught_up", on_caught_up },
	{ "log.closed", on_closed },
};

/* What an earlier subscription still sent is not for this one. */
static enum tail_state handle_message(struct tail *t, const struct client_message *message)
{
	struct client_text method = client_object_as_text(message->method);
	int64_t id = client_object_int(message->params, "subscription_id", t->subscription_id);

	if (id != t->subscription_id)
		return TAIL_GO_ON;
	for (size_t i = 0; i < DIANACTL_COUNT(handlers); i++) {
		if (client_text_is(method, handlers[i].method))
			return handlers[i].handle(t, message->params);
	}
	return TAIL_GO_ON;
}

/* ---- connection ---- */

static enum tail_state connection_ended(struct tail *t, const struct client_error *err)
{
	if (err->code == CLIENT_STOPPED)
		return TAIL_DONE;
	if (err->code != CLIENT_LOST && err->code != CLIENT_UNREACHABLE && err->code != CLIENT_TIMEOUT)
		return tail_fail(t, dianactl_session_failed(err));
	return TAIL_CONNECT;
}

static enum tail_state tail_receive(struct tail *t)
{
	struct client_message message;
	struct client_error err;
	enum tail_state state;

	if (client_rpc_next(t->ctl->rpc, &message, &err) != 0)
		return connection_ended(t, &err);
	state = handle_message(t, &message);
	client_message_clear(&message);
	return state;
}

static void subscribe_params(const struct tail *t, struct client_params *params)
{
	const struct tail_values *v = t->values;

	if (t->next_seq != 0)
		client_params_uint(params, "from_seq", t->next_seq);
	if (v->types.n > 0)
		client_params_texts(params, "types", v->types.items, v->types.n);
	if (v->stream != NULL)
		client_params_text(params, "stream", v->stream);
	if (v->user != 0)
		client_params_uint(params, "user_id", v->user);
}

static enum tail_state read_subscription(struct tail *t, const struct client_message *answer)
{
	uint64_t head_seq = client_object_uint(answer->result, "head_seq", 0);

	/* while it starts a daemon answers, but not this */
	if (answer->error != NULL && dianactl_session_error_is(answer->error, "unavailable"))
		return TAIL_CONNECT;
	if (answer->error != NULL)
		return tail_fail(t, dianactl_session_refused(answer->error));
	if (client_object_get(answer->result, "subscription_id") == NULL)
		return tail_fail(t, dianactl_session_odd("log.subscribe"));
	t->subscription_id = client_object_int(answer->result, "subscription_id", 0);
	if (t->next_seq == 0)
		t->next_seq = head_seq + 1;
	return TAIL_GO_ON;
}

static enum tail_state tail_subscribe(struct tail *t)
{
	struct client_params params;
	struct client_message answer;
	struct client_error err;
	enum tail_state state;
	int rc;

	client_params_init(&params);
	subscribe_params(t, &params);
	rc = client_rpc_call(t->ctl->rpc, "log.subscribe", &params, &answer, &err);
	client_params_free(&params);
	if (rc != 0)
		return connection_ended(t, &err);
	state = read_subscription(t, &answer);
	client_message_clear(&answer);
	return state;
}

static unsigned longer(unsigned backoff_ms)
{
	if (backoff_ms == 0)
		return BACKOFF_FIRST_MS;
	return backoff_ms * 2 < BACKOFF_LAST_MS ? backoff_ms * 2 : BACKOFF_LAST_MS;
}

/* One attempt, after a pause that grows until an event arrives. */
static enum tail_state tail_reconnect(struct tail *t)
{
	struct client_error err;

	dianactl_session_close(t->ctl);
	t->backoff_ms = longer(t->backoff_ms);
	if (dianactl_stop_wait(t->ctl, (int)t->backoff_ms))
		return TAIL_DONE;
	if (dianactl_session_connect(t->ctl, &err) != 0)
		return connection_ended(t, &err);
	return TAIL_SUBSCRIBE;
}

/* Only a change is worth a line, not every attempt. */
static void report_change(const struct tail *t, enum tail_state before, enum tail_state now, bool *lost)
{
	char place[PLACE_MAX];

	if (now == TAIL_CONNECT && !*lost) {
		dianactl_session_warn("the daemon went away or is not ready; trying again, will go on %s",
				      where(t, place));
		*lost = true;
	} else if (before == TAIL_SUBSCRIBE && now == TAIL_GO_ON && *lost) {
		dianactl_session_warn("connected again, going on %s", where(t, place));
		*lost = false;
	}
}

static enum tail_state tail_step(struct tail *t, enum tail_state state)
{
	if (state == TAIL_CONNECT)
		return tail_reconnect(t);
	return state == TAIL_SUBSCRIBE ? tail_subscribe(t) : tail_receive(t);
}

static void tail_follow(struct tail *t)
{
	enum tail_state state = TAIL_SUBSCRIBE;
	bool lost = false;

	while (state != TAIL_DONE && state != TAIL_FAILED) {
		enum tail_state next = tail_step(t, state);

		report_change(t, state, next, &lost);
		state = next;
	}
}

static int tail_run(struct dianactl *ctl, const void *values)
{
	struct tail t = { .ctl = ctl, .values = values };
	int rc;

	rc = dianactl_stop_install(ctl);
	if (rc == DIANACTL_OK)
		rc = dianactl_session_open(ctl);
	if (rc != DIANACTL_OK)
		return rc;
	t.next_seq = t.values->from;
	tail_follow(&t);
	return t.exit_code;
}

const struct dianactl_command dianactl_tail_command = {
	.name = "tail",
	.words = "",
	.help = "Print events as they happen",
	.more = "A line an event: time, seq, type, stream, actor, data; with --json the whole event.\n"
		"When the daemon restarts, or finds this reader too slow, printing goes on after the last\n"
		"event printed: none is missing and none comes twice. Ctrl-C ends it.",
	.options = tail_options,
	.n_options = DIANACTL_COUNT(tail_options),
	.values_size = sizeof(struct tail_values),
	.timeout_s = 30,
	.run = tail_run,
};
