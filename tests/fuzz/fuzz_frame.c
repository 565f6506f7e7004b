#include <stdlib.h>

#include "core/mp.h"

/*
 * The frame scanner, fed in two pieces at any place: it must find the same end as in one piece, and never look
 * behind the bytes that have arrived.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAME_MAX_BYTES = 4096 };

static enum mp_scan_result scan_copy(struct mp_scan *s, const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	enum mp_scan_result r;

	if (copy == NULL)
		return MP_SCAN_BAD;
	memcpy(copy, data, size);
	r = mp_scan(s, slice_of(copy, size), FRAME_MAX_BYTES);
	free(copy);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum mp_scan_result whole, pieces;
	struct mp_scan one, two;
	size_t cut;

	if (size < 2)
		return 0;
	cut = data[0] % size;
	data++;
	size--;
	if (cut > size)
		cut = size;
	mp_scan_start(&one, 8);
	whole = scan_copy(&one, data, size);
	mp_scan_start(&two, 8);
	pieces = scan_copy(&two, data, cut);
	if (pieces == MP_SCAN_MORE)
		pieces = scan_copy(&two, data, size);
	if (whole != pieces || (whole == MP_SCAN_DONE && one.pos != two.pos))
		abort();
	return 0;
}
