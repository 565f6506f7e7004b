#ifndef DIANA_BENCH_OPTIONS_H
#define DIANA_BENCH_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

/* The options of a program as a table, from which they are read and listed by --help. */
enum option_kind {
	OPTION_FLAG,    /* bool */
	OPTION_COUNT,   /* uint64_t, 1 .. max */
	OPTION_SECONDS, /* double, more than 0 */
	OPTION_TEXT,    /* const char *, borrowed from argv */
	OPTION_TEXTS,   /* struct texts; may be repeated */
};

#define TEXTS_MAX 16
struct texts {
	const char *v[TEXTS_MAX];
	unsigned n;
};

struct option_def {
	const char *name;
	const char *value; /* what --help calls its value; NULL for a flag */
	enum option_kind kind;
	void *target; /* left alone when the option is not given */
	uint64_t max; /* of a count */
	const char *help;
};

#define OPTIONS_MAX 32

/* 0; 1: only help was wanted, and given; -1: said what is wrong. */
int options_parse(const char *program, const struct option_def *defs, size_t n, int argc, char **argv);

#endif
