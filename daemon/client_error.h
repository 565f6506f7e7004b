#ifndef DAEMON_CLIENT_ERROR_H
#define DAEMON_CLIENT_ERROR_H

/* Why a client of the daemon could not do what it was asked. Fixed size: reporting never allocates. */

enum client_code {
	CLIENT_OK = 0,
	CLIENT_UNREACHABLE, /* no connection could be made */
	CLIENT_LOST,        /* the connection ended */
	CLIENT_GARBAGE,     /* what came back is not MessagePack-RPC */
	CLIENT_TIMEOUT,     /* no answer in time */
	CLIENT_STOPPED,     /* the caller's stop descriptor became readable */
	CLIENT_BAD_INPUT,   /* the caller's text cannot be sent */
	CLIENT_NOMEM,
};

struct client_error {
	enum client_code code;
	char text[512];
};

void client_error_note(struct client_error *err, enum client_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Fills err and yields code, which is not CLIENT_OK, so that a caller returns the failure in one line. A macro, so that
 * static analysis sees what the value is. */
#define client_error_set(err, code, ...) (client_error_note(err, code, __VA_ARGS__), (int)(code))

#endif
