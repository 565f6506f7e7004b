#ifndef DAEMON_CLIENT_RPC_H
#define DAEMON_CLIENT_RPC_H

/*
 * A client's end of MessagePack-RPC over a Unix socket: one call at a time, notifications kept in
 * order beside it. Nothing the other end sends is trusted: frames have a ceiling, and what is not
 * MessagePack-RPC ends the connection with CLIENT_GARBAGE.
 *
 * Life: client_rpc_open, any number of client_rpc_call and client_rpc_next, client_rpc_close. After
 * CLIENT_LOST, CLIENT_GARBAGE, CLIENT_TIMEOUT or CLIENT_STOPPED the connection is good only for
 * closing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "daemon/client_error.h"
#include "daemon/client_params.h"

struct client_rpc;

struct client_rpc_options {
	const char *path; /* of the socket */
	int timeout_ms;   /* for each call, and for connecting; 0 waits for ever */
	int stop_fd;      /* readable: give up waiting, CLIENT_STOPPED; -1: none */
};

/* An answer or a notification. Owns all that its objects point to; may be moved by assignment. */
struct client_message {
	char *bytes;
	msgpack_unpacked unpacked;
	const msgpack_object *error;  /* answer: what the daemon refused with, or NULL */
	const msgpack_object *result; /* answer: the result, may be nil */
	const msgpack_object *method; /* notification: its name (a str) */
	const msgpack_object *params; /* notification: its first param, or NULL */
};

/* Frees what message owns. Harmless on one that is all zero, or cleared already. */
void client_message_clear(struct client_message *message);

/* A message that nobody sent, with `object` as its result; a copy. False: out of memory. */
bool client_message_copy(const msgpack_object *object, struct client_message *ret);
/* The same of packed bytes (malloc()), which it takes over in any case. False: not one value, or out of memory. */
bool client_message_take(char *packed, size_t len, struct client_message *ret);

/* CLIENT_UNREACHABLE: err says what is wrong with the socket and what to do about it. */
int client_rpc_open(const struct client_rpc_options *options, struct client_rpc **ret_rpc, struct client_error *err);

/* NULL is fine. */
void client_rpc_close(struct client_rpc *rpc);

/*
 * Sends one request and waits for its answer; a refusal is an answer too (ret_answer->error).
 * Notifications that arrive meanwhile are kept for client_rpc_next. params may be NULL. The caller
 * clears ret_answer.
 */
int client_rpc_call(struct client_rpc *rpc, const char *method, const struct client_params *params,
		    struct client_message *ret_answer, struct client_error *err);

/* The next notification, waiting for it without a limit of time. The caller clears ret_message. */
int client_rpc_next(struct client_rpc *rpc, struct client_message *ret_message, struct client_error *err);

/*
 * Finds the end of a MessagePack value while its bytes arrive; each byte is looked at once. Zero it
 * before the first byte of a value.
 */
struct client_scan {
	size_t at;     /* bytes passed */
	uint64_t open; /* values still to come, when begun */
	bool begun;
};

enum client_scan_state { CLIENT_SCAN_MORE, CLIENT_SCAN_DONE, CLIENT_SCAN_BAD };

/* bytes are all bytes of the value so far; on DONE the value is the first scan->at of them. */
enum client_scan_state client_scan(struct client_scan *scan, const char *bytes, size_t len);

#endif
