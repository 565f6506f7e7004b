#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "daemon/call.h"
#include "daemon/options.h"

/*
 * The server: listener, sessions, ledger, and the loop that runs them. One turn of the loop: whatever is
 * ready on sockets and from workers, then ledger_turn(), then what was shut is freed.
 */
struct event_base;
struct ledger;
struct note_key;
struct worker;
struct stats;
struct subscriptions;
struct session;

int server_open(const struct options *o, struct server **ret, struct err *err);
/* Until a signal asks to stop; then what was read is answered, the log flushed, a checkpoint made. */
int server_run(struct server *srv, struct err *err);
void server_close(struct server *srv);
/* From a signal handler of the loop. */
void server_stop(struct server *srv);

struct event_base *server_base(struct server *srv);
struct ledger *server_ledger(struct server *srv);
struct stats *server_stats_of(struct server *srv);
struct slowlog *server_slowlog(struct server *srv);
struct backups *server_backups(struct server *srv);
struct subscriptions *server_subscriptions(struct server *srv);
/* The key that signs checkpoints; the same as long as the server lives. */
const struct note_key *server_log_key(const struct server *srv);
const struct options *server_options(const struct server *srv);
/* Long reads, one after the other. */
struct worker *server_reader(struct server *srv);
/* Short reads, which do not wait behind long ones. */
struct worker *server_prover(struct server *srv);
/* Rebuilds. */
struct worker *server_rebuilder(struct server *srv);

uint64_t server_durable(const struct server *srv);
size_t server_frame_max(const struct server *srv);
bool server_stopping(const struct server *srv);
int64_t server_started_ms(const struct server *srv); /* monotone */
unsigned server_connections(const struct server *srv);
/* NULL: gone. */
struct session *server_session(struct server *srv, uint64_t id);
/* Calls fn for each session. */
void server_each_session(struct server *srv, void (*fn)(struct session *s, void *arg), void *arg);

/* A session has read something, which is worked off at the end of the turn. Who is alone is judged by it. */
void server_heard(struct server *srv, struct session *s);
/*
 * Queues a session whose answers go out at the end of the turn: first all requests that have arrived are worked
 * off, then all answers are written, so that a client is woken for many of them and not for each.
 * Answers the session queued before.
 */
struct session *server_queue(struct server *srv, struct session *s);
/* A session stopped reading for the ledger's sake: look again after the turn. */
void server_stall(struct server *srv);
/* A session was shut: free it after the turn. */
void server_reap(struct server *srv);

void server_count_call(struct server *srv, const struct call *c, int rc, int64_t took_ns);

/* Runs the call again when the head has reached min_seq, or answers `unavailable` after wait_ms.
 * Answers CALL_LATER. */
int server_wait_for_seq(struct server *srv, struct call *c, uint64_t min_seq, int64_t wait_ms);

#endif
