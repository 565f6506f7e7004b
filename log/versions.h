#ifndef LOG_VERSIONS_H
#define LOG_VERSIONS_H

#include <stdint.h>

#include "core/slice.h"

/*
 * The last version seen of each stream, for verifying. A stream is known by 96 bits of its hash, so a table
 * row is 16 bytes and two streams are never mistaken for one in practice.
 */
struct version_row {
	uint64_t high;
	uint32_t low;
	uint32_t version; /* its low 32 bits; 0 with high and low 0: free */
};

struct versions {
	struct version_row *rows;
	uint64_t n;
	uint64_t cap; /* power of two, or 0 */
};

void versions_free(struct versions *s);
/*
 * Notes that `stream` has reached `version`, and says what it had before (the low 32 bits; 0: not seen).
 * False: no memory.
 */
bool versions_note(struct versions *s, struct slice stream, uint64_t version, uint32_t *ret_before);

#endif
