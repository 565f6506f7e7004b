#ifndef DAEMON_EVENT_LOG_H
#define DAEMON_EVENT_LOG_H

#include "core/map_writer.h"
#include "log/log.h"
#include "projections/query.h"

/* The log seen as decoded events: where log/ (bytes) and projections/ (events) meet. */

/* An event_source over a reader, which is borrowed. Refreshing it is the caller's. */
struct event_source event_source_of(struct log_reader *reader);

/* The same as if the log ended at head: what state as of then is to be asked with. Both are borrowed. */
struct bounded_log {
	const struct event_source *source;
	uint64_t head;
};
struct event_source event_source_bounded(struct bounded_log *bound);

/* Writes a stored event as the wire shows it. E_INTERNAL: it does not decode. */
enum {
	EVENT_RAW = 1,       /* adds the stored bytes */
	EVENT_AS_STORED = 2, /* the tag, and data as record_show() has it: what is stored, and nothing else */
};
int event_show(struct buf *b, struct slice stored, unsigned how, struct arena *arena, struct err *err);

#endif
