#ifndef DAEMON_EXPORT_EVENT_H
#define DAEMON_EXPORT_EVENT_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

/*
 * An event as a line of JSON, and back. A line holds the members that log.read shows; its data holds all fields that
 * are stored (record_show()). `raw`, the stored bytes as base64, is there only where they do not follow from the rest,
 * because JSON cannot say some value. So whoever changes a line changes the event, and with it the Merkle root.
 */
struct export_event {
	struct arena arena;
	struct buf shown, echo, stored, text;
};
void export_event_init(struct export_event *x);
void export_event_free(struct export_event *x);

/* Appends the line of a stored event, with its newline. raw: also where it need not be there. E_INTERNAL: it does not
 * decode; E_LIMIT_EXCEEDED: too large. */
int export_event_put(struct export_event *x, struct slice stored, bool raw, struct buf *line, struct err *err);
/*
 * The stored bytes of the event that a line told, lent until the next call. packed: the line as a packed map. What the
 * line says beside must be true of them. E_INVALID_ARGUMENT says what is wrong; E_VERSION_UNSUPPORTED: this program
 * does not know such events.
 */
int export_event_get(struct export_event *x, struct slice packed, struct slice *ret_stored, struct err *err);

#endif
