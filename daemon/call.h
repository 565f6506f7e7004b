#ifndef DAEMON_CALL_H
#define DAEMON_CALL_H

#include "core/decide.h"
#include "core/map_writer.h"

/*
 * One request being answered. dispatch_call() finds the method, tests role and params, runs it and answers
 *   0            the result, one packed value, was appended to out
 *   a code       the error is in err, out is as it was
 *   CALL_LATER   the answer comes through call_answer(), from the loop, once
 */
struct server;
struct session;

enum role { ROLE_NONE, ROLE_AUDITOR, ROLE_BOT, ROLE_ADMIN };
enum { CALL_LATER = -1 };

struct call {
	struct server *server;
	uint64_t session_id;
	uint32_t msgid;
	enum role role;
	int64_t peer; /* uid */
	struct slice method;
	struct slice params; /* packed */
	bool in_batch;       /* no waiting, no batch, no subscription */
	bool waited;         /* min_seq was waited for */
	struct buf *out;
	struct err *err;
	/* set by dispatch */
	enum method_id id;
	uint64_t examined, returned;
	const char *index; /* see struct query */
};

int dispatch_call(struct call *c);

/* For CALL_LATER: who is to be answered. By value; the session may be gone by then. */
struct ticket {
	struct server *server;
	uint64_t session_id;
	uint32_t msgid;
	enum method_id id;
	int64_t started_ns;
};
struct ticket call_ticket(const struct call *c);
/* rc 0: result is one packed value; else err. */
void call_answer(const struct ticket *t, int rc, struct slice result, const struct err *err);

/* ---- services: methods of the daemon itself ---- */

#define SERVICE(name, wire, flags, errors, events, doc) int service_##name(struct call *c, const struct name *p);
#include "core/schema/all.def"

#endif
