#include "request.h"

#include <string.h>

void request_byte(struct bytes *out, uint8_t b)
{
	bytes_append(out, &b, 1);
}

static void put_u32(struct bytes *out, uint32_t n)
{
	uint8_t at[5] = { 0xce, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

	bytes_append(out, at, sizeof(at));
}

void request_text(struct bytes *out, const char *text)
{
	size_t len = strlen(text);

	request_byte(out, (uint8_t)(0xa0 | len));
	bytes_append(out, (const uint8_t *)text, len);
}

void request_pair(struct bytes *out, const char *key, const char *text)
{
	request_text(out, key);
	request_text(out, text);
}

void request_number(struct bytes *out, const char *key, uint32_t n)
{
	request_text(out, key);
	put_u32(out, n);
}

void request_begin(struct bytes *out, uint32_t slot, const char *method, unsigned pairs)
{
	request_byte(out, 0x94);
	request_byte(out, 0);
	put_u32(out, slot);
	request_text(out, method);
	request_byte(out, 0x91);
	request_byte(out, (uint8_t)(0x80 | pairs));
}
