#include "daemon/client_params.h"

#include <string.h>

void client_params_init(struct client_params *params)
{
	memset(params, 0, sizeof(*params));
	msgpack_sbuffer_init(&params->body);
	msgpack_packer_init(&params->packer, &params->body, msgpack_sbuffer_write);
}

void client_params_free(struct client_params *params)
{
	msgpack_sbuffer_destroy(&params->body);
}

void client_params_check(struct client_params *params, int packed)
{
	if (packed != 0)
		params->failed = true;
}

static void params_str(struct client_params *params, const char *text, size_t len)
{
	client_params_check(params, msgpack_pack_str(&params->packer, len));
	client_params_check(params, msgpack_pack_str_body(&params->packer, text, len));
}

void client_params_key(struct client_params *params, const char *key, size_t len)
{
	params->n++;
	params_str(params, key, len);
}

void client_params_int(struct client_params *params, const char *key, int64_t value)
{
	client_params_key(params, key, strlen(key));
	client_params_check(params, msgpack_pack_int64(&params->packer, value));
}

void client_params_uint(struct client_params *params, const char *key, uint64_t value)
{
	client_params_key(params, key, strlen(key));
	client_params_check(params, msgpack_pack_uint64(&params->packer, value));
}

void client_params_real(struct client_params *params, const char *key, double value)
{
	client_params_key(params, key, strlen(key));
	client_params_check(params, msgpack_pack_double(&params->packer, value));
}

void client_params_bool(struct client_params *params, const char *key, bool value)
{
	client_params_key(params, key, strlen(key));
	client_params_check(params, value ? msgpack_pack_true(&params->packer) : msgpack_pack_false(&params->packer));
}

void client_params_text(struct client_params *params, const char *key, const char *text)
{
	client_params_key(params, key, strlen(key));
	params_str(params, text, strlen(text));
}

void client_params_texts(struct client_params *params, const char *key, const char *const *texts, size_t n)
{
	client_params_key(params, key, strlen(key));
	client_params_check(params, msgpack_pack_array(&params->packer, n));
	for (size_t i = 0; i < n; i++)
		params_str(params, texts[i], strlen(texts[i]));
}

void client_params_object(struct client_params *params, const char *key, const msgpack_object *value)
{
	client_params_key(params, key, strlen(key));
	client_params_check(params, msgpack_pack_object(&params->packer, *value));
}
