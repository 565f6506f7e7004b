#ifndef DAEMON_SLOWLOG_H
#define DAEMON_SLOWLOG_H

#include "daemon/call.h"

/* The latest slow calls, in memory: server.slowlog. Loop thread. */
struct slowlog;

struct slowlog *slowlog_new(void);
void slowlog_free(struct slowlog *s);
/* Notes the call if it took longer than the threshold. */
void slowlog_call(struct slowlog *s, const struct call *c, int64_t took_ns);
int64_t slowlog_threshold_us(const struct slowlog *s);
void slowlog_set_threshold_us(struct slowlog *s, int64_t us);
void slowlog_clear(struct slowlog *s);
/*
 * Writes an array of at most `limit` entries, latest first, older than entry number `before` (0: from the latest).
 * Returns the number to go on before, 0: there are no more.
 */
uint64_t slowlog_show(const struct slowlog *s, uint64_t before, int64_t limit, struct buf *out);

#endif
