#ifndef DAEMON_CLIENT_PARAMS_H
#define DAEMON_CLIENT_PARAMS_H

/*
 * The params map of a call, built entry by entry. Sticky: when memory runs out the params turn
 * `failed`, further entries are ignored, and the call that uses them says so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

struct client_params {
	msgpack_sbuffer body; /* keys and values in turn, without the map header */
	msgpack_packer packer;
	uint32_t n;
	bool failed;
};

void client_params_init(struct client_params *params);
void client_params_free(struct client_params *params);

/* Each copies key and value. Keys are not compared: adding one twice sends it twice. */
void client_params_int(struct client_params *params, const char *key, int64_t value);
void client_params_uint(struct client_params *params, const char *key, uint64_t value);
void client_params_real(struct client_params *params, const char *key, double value);
void client_params_bool(struct client_params *params, const char *key, bool value);
void client_params_text(struct client_params *params, const char *key, const char *text);
void client_params_texts(struct client_params *params, const char *key, const char *const *texts, size_t n);
void client_params_object(struct client_params *params, const char *key, const msgpack_object *value);

/* Begins an entry whose value the caller packs next, with params->packer. */
void client_params_key(struct client_params *params, const char *key, size_t len);

/* Notes what a msgpack_pack_* function returned. */
void client_params_check(struct client_params *params, int packed);

#endif
