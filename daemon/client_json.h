#ifndef DAEMON_CLIENT_JSON_H
#define DAEMON_CLIENT_JSON_H

/*
 * JSON in, MessagePack out, and back. Integers stay integers and reals stay reals in both directions;
 * points such as 0.1 print as 0.1. What JSON cannot say: bin and ext become base64 text, keys that are
 * no text become text, NaN and infinity become null, bytes that are not UTF-8 become U+FFFD.
 */

#include <stdio.h>

#include <msgpack.h>

#include "daemon/client_error.h"
#include "daemon/client_params.h"

enum client_json_style {
	CLIENT_JSON_COMPACT, /* one line without spaces */
	CLIENT_JSON_PRETTY,  /* indented by two */
};

/* Writes object without a final newline. Failures of out stay in ferror(out). */
void client_json_print(FILE *out, const msgpack_object *object, enum client_json_style style);

/* The same as owned text (free()); NULL: out of memory. */
char *client_json_text(const msgpack_object *object, enum client_json_style style);

/*
 * Adds the entries of the JSON object in text to params. CLIENT_BAD_INPUT: not JSON, not an object,
 * a key twice, or an integer beyond int64; params is then partly filled and fit only to be freed.
 */
int client_json_params(struct client_params *params, const char *text, size_t len, struct client_error *err);

/*
 * Adds entries given as words "key=value". A value that is JSON is taken as such, any other as text;
 * text that looks like JSON is given in JSON quotes. CLIENT_BAD_INPUT as above, or a word without '='.
 */
int client_json_words(struct client_params *params, const char *const *words, size_t n, struct client_error *err);

#endif
