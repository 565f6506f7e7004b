#ifndef DIANA_BENCH_REQUEST_H
#define DIANA_BENCH_REQUEST_H

#include "util.h"

/* Requests to dianad put together piece by piece, for those that are too many to be kept as templates. */

/* [0, slot, method, [{ of so many pairs, which follow. */
void request_begin(struct bytes *out, uint32_t slot, const char *method, unsigned pairs);
void request_pair(struct bytes *out, const char *key, const char *text);
void request_number(struct bytes *out, const char *key, uint32_t n);
/* For what is neither. Text is shorter than 32 bytes, everywhere here. */
void request_text(struct bytes *out, const char *text);
void request_byte(struct bytes *out, uint8_t b);

#endif
