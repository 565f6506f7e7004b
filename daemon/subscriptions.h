#ifndef DAEMON_SUBSCRIPTIONS_H
#define DAEMON_SUBSCRIPTIONS_H

#include "daemon/session.h"

/*
 * Subscriptions to the log. Each has a position; pumping reads durable events from there and pushes whole
 * commits while the session's output is below its high mark. Backlog and live events are the same
 * walk, so there is no gap and no repeat. A session that takes nothing for slow_client_ms while events
 * wait gets log.closed (reason slow).
 */
struct subscriptions;
struct log_subscribe;

struct subscriptions *subscriptions_new(struct server *srv);
void subscriptions_free(struct subscriptions *s);

/* Events became durable. */
void subscriptions_pump(struct subscriptions *s);
/* The session has room again. */
void subscriptions_pump_session(struct session *session);
void subscriptions_drop_session(struct subscriptions *s, uint64_t session_id);
unsigned subscriptions_count(const struct subscriptions *s);
void subscriptions_show(struct subscriptions *s, struct buf *out);
uint64_t subscriptions_pushed(const struct subscriptions *s);

#endif
