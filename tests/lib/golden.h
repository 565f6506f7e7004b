#ifndef TESTS_LIB_GOLDEN_H
#define TESTS_LIB_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* tests/golden/events.hex: a line "name hex" for each type of event that was ever written. */
#define GOLDEN_EVENTS "tests/golden/events.hex"
enum { GOLDEN_MAX = 1 << 13 };

struct golden {
	char name[64];
	uint8_t bytes[GOLDEN_MAX];
	size_t len;
};

/* Fails the test when it is not there. */
FILE *golden_open(const char *mode);
/* False: there was the last one. */
bool golden_read(FILE *f, struct golden *ret);

#endif
