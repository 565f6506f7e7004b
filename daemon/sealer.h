#ifndef DAEMON_SEALER_H
#define DAEMON_SEALER_H

#include "core/err.h"
#include "log/log.h"

struct event_base;

/*
 * Packs cold blocks of the log in the background: a thread of its own, which gives way to all others, prepares
 * one sealed block after the other, and the log writer stores each with the next block that it writes, or alone when
 * there is none. Not more than one in SEAL_PAUSE_MS, so that who waits for the disk waits a little longer now and then,
 * and does not queue.
 *
 *   sealer_turn()    what is cold now is looked at, and may be given to the thread
 *   sealer_take()    a sealed block that is ready; it is under way until
 *   sealer_stored()  the writer has tried
 *
 * All of it belongs to the loop thread.
 */
struct sealer;

int sealer_open(struct event_base *base, struct log *log, struct sealer **ret, struct err *err);
/* Stops what is being packed. Nothing is under way. NULL is fine. */
void sealer_close(struct sealer *s);

/* The events 1 to `cold` may be sealed. */
void sealer_turn(struct sealer *s, uint64_t cold);
/* NULL: none is ready. */
struct seal *sealer_take(struct sealer *s);
/* Frees it. rc, err: what log_seal_write() or log_flush() said. Without space it is tried again later; after any other
 * failure nothing more is sealed. */
void sealer_stored(struct sealer *s, struct seal *seal, int rc, const struct err *err);

/* Why nothing more is sealed until the daemon starts again; NULL: it goes on. */
const char *sealer_problem(const struct sealer *s);

#endif
