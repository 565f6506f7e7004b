#ifndef DAEMON_STATS_H
#define DAEMON_STATS_H

#include "daemon/call.h"

/* Counters of calls, per method: count, errors by code, times in a log-linear histogram, items. */
struct stats;

struct stats *stats_new(void);
void stats_free(struct stats *s);
void stats_reset(struct stats *s);
void stats_call(struct stats *s, const struct call *c, int rc, int64_t took_ns);
/* {method: {count, errors, ...}}: methods that were called. */
void stats_show_calls(const struct stats *s, struct buf *out);
/* [{method, kind, filters, sort, index, count, examined, returned}]: lists, by what they were asked. */
void stats_show_lists(const struct stats *s, struct buf *out);
uint64_t stats_total_calls(const struct stats *s);

#endif
