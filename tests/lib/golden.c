#include "tests/lib/golden.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

FILE *golden_open(const char *mode)
{
	FILE *f = fopen(GOLDEN_EVENTS, mode);

	if (f == NULL)
		fail_msg("cannot open %s (run from the top of the tree)", GOLDEN_EVENTS);
	return f;
}

bool golden_read(FILE *f, struct golden *ret)
{
	unsigned byte;
	int c;

	if (fscanf(f, "%63s ", ret->name) != 1)
		return false;
	ret->len = 0;
	while ((c = fgetc(f)) != '\n') {
		assert_true(c != EOF && ret->len < sizeof(ret->bytes));
		ungetc(c, f);
		assert_int_equal(fscanf(f, "%2x", &byte), 1);
		ret->bytes[ret->len++] = (uint8_t)byte;
	}
	return true;
}
