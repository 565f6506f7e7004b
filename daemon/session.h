#ifndef DAEMON_SESSION_H
#define DAEMON_SESSION_H

#include "daemon/call.h"

/*
 * One connection: bytes in, frames out. MessagePack-RPC as specified
 * (https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md).
 *
 * Whatever is answered stands in one output buffer, in the order decided, with marks: bytes behind a mark
 * wait until the mark's seq is durable. So nothing unflushed is ever shown, and what could not have seen
 * anything unflushed goes out at once.
 *
 *   reading ──frame──► dispatch ──► output ──durable──► writing
 *      ▲ stops while the output is above OUTPUT_HIGH, or the ledger takes no more
 *
 * Closing: end of file, an error, a malformed frame (after one error answer where a msgid is known), or the
 * server. The loop's.
 */
struct session;

struct session *session_open(struct server *srv, int fd, uint64_t id, enum role role, int64_t uid);
/* Frees it; output that is still unsent is lost. */
void session_close(struct session *s);

uint64_t session_id(const struct session *s);
struct server *session_server(const struct session *s);

/*
 * Sessions that have read something form a list, until the end of the turn: then the frames of all are worked off
 * side by side. Puts one at its end; false: it is in the list already.
 */
bool session_arrive(struct session *s, struct session *behind);
/* Works off what has arrived at this session and those behind it in the list, as far as the ledger takes it. */
void sessions_process(struct session *first);
/* After output was sent: goes on reading if it had stopped for that. */
void session_resume(struct session *s);
/* Sends what may be sent. */
void session_send(struct session *s);
/* The same for one that waits in the server's queue; answers the one behind it. */
struct session *session_send_queued(struct session *s);
/* The log is durable up to seq. */
void session_durable(struct session *s, uint64_t seq);
/* Blocks behind durable_seq are lost: every answer held back for them becomes this error. */
void session_lost(struct session *s, uint64_t durable_seq, const struct err *err);

/* An answer from elsewhere, waiting for need_seq. rc 0: result; else err. */
void session_answer(struct session *s, uint32_t msgid, int rc, struct slice result, const struct err *err,
		    uint64_t need_seq);
/* [2, method, [params]]: the caller writes the params between the two. Durable already. */
struct buf *session_push_begin(struct session *s, const char *method);
void session_push_end(struct session *s);
/* Bytes not sent yet, and when some were last taken by the client (monotone ms). */
size_t session_unsent(const struct session *s);
int64_t session_progress_ms(const struct session *s);
/* Answers are due that wait for the disk. */
bool session_waiting(const struct session *s);
void session_shut(struct session *s); /* close at the end of the turn */
bool session_is_shut(const struct session *s);
/* Shut, and nobody holds it any more: may be closed. */
bool session_is_over(const struct session *s);

#endif
