#ifndef DAEMON_DIANACTL_SESSION_H
#define DAEMON_DIANACTL_SESSION_H

/*
 * Talking to the daemon for a command, and telling the person at the terminal what went wrong: every
 * function that returns an exit code other than 0 has reported on stderr.
 */

#include <stdbool.h>

#include <msgpack.h>

#include "core/buf.h"
#include "core/err.h"
#include "daemon/client_error.h"
#include "daemon/client_params.h"
#include "daemon/client_rpc.h"
#include "daemon/dianactl_command.h"

/* Connects unless connected. */
int dianactl_session_open(struct dianactl *ctl);

/* The same without a word on stderr: CLIENT_OK, or the code of err. */
int dianactl_session_connect(struct dianactl *ctl, struct client_error *err);

void dianactl_session_close(struct dianactl *ctl);

/* A call whose refusal ends the command. The caller clears ret_answer, whose error is NULL. */
int dianactl_session_call(struct dianactl *ctl, const char *method, const struct client_params *params,
			  struct client_message *ret_answer);

/* A call whose refusal the caller looks at (ret_answer->error). */
int dianactl_session_try(struct dianactl *ctl, const char *method, const struct client_params *params,
			 struct client_message *ret_answer);

/*
 * The same without a word on stderr, for who tries again and again; connects anew each time after a
 * failure. Returns CLIENT_OK, or the code of err.
 */
int dianactl_session_retry(struct dianactl *ctl, const char *method, const struct client_params *params,
			   struct client_message *ret_answer, struct client_error *err);

/* The result, or nil when the daemon refused: a value for JSON, lent by answer. */
msgpack_object dianactl_session_result(const struct client_message *answer);

/* Prints "code: message", and details when there are any. Returns DIANACTL_REFUSED. */
int dianactl_session_refused(const msgpack_object *error);

/* Whether the daemon refused with this code. */
bool dianactl_session_error_is(const msgpack_object *error, const char *code);

/* Prints "dianactl: " and the text. */
void dianactl_session_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, naming the help to read. Returns DIANACTL_USAGE. */
int dianactl_session_usage(const struct dianactl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A DATE of the command line, as client_parse_date() reads it; without one (NULL) ret_unix_ms stays. An exit code. */
int dianactl_session_date(const struct dianactl *ctl, const char *date, bool end_of_day, int64_t *ret_unix_ms);

/* For a TIME that client_parse_moment() does not know. Returns DIANACTL_USAGE. */
int dianactl_session_no_moment(const struct dianactl *ctl, const char *text);

/* Reports a failure of the client modules. Returns the exit code it stands for. */
int dianactl_session_failed(const struct client_error *err);

/* For answers that lack what the catalogue promises. Returns DIANACTL_NO_ANSWER. */
int dianactl_session_odd(const char *method);

/* "dianactl: out of memory". Returns DIANACTL_NO_ANSWER. */
int dianactl_session_no_memory(void);

/* Reports a failure of this program's own work on files as if a daemon had refused: "code: message". Returns
 * DIANACTL_REFUSED. */
int dianactl_session_err(const struct err *err);

/* Prints object as indented JSON and a newline. Returns DIANACTL_OK. */
int dianactl_session_print_json(const msgpack_object *object);

/* The same for a packed value; a writer that ran out of memory is reported. */
int dianactl_session_print_packed(const struct buf *packed);

#endif
