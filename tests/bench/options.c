#include "options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

enum { HELP = OPTIONS_MAX, FIRST = 256 };

static void usage(FILE *f, const char *program, const struct option_def *defs, size_t n)
{
	fprintf(f, "usage: %s [options]\n", program);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "  --%s%s%-*s %s\n", defs[i].name, defs[i].value != NULL ? " " : "",
			(int)(18 - strlen(defs[i].name) - (defs[i].value != NULL)),
			defs[i].value != NULL ? defs[i].value : "", defs[i].help);
}

static bool parse_count(const char *text, uint64_t max, uint64_t *ret)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || n == 0 || n > max)
		return false;
	*ret = n;
	return true;
}

static bool parse_seconds(const char *text, double *ret)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end != '\0' || !(s > 0))
		return false;
	*ret = s;
	return true;
}

static bool texts_add(struct texts *t, const char *text)
{
	if (t->n == TEXTS_MAX)
		return false;
	t->v[t->n++] = text;
	return true;
}

static bool option_set(const struct option_def *d, const char *arg)
{
	switch (d->kind) {
	case OPTION_FLAG:
		*(bool *)d->target = true;
		return true;
	case OPTION_COUNT:
		return parse_count(arg, d->max, d->target);
	case OPTION_SECONDS:
		return parse_seconds(arg, d->target);
	case OPTION_TEXT:
		*(const char **)d->target = arg;
		return true;
	case OPTION_TEXTS:
		return texts_add(d->target, arg);
	}
	return false;
}

int options_parse(const char *program, const struct option_def *defs, size_t n, int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 2] = { 0 };
	int got;

	assert(n <= OPTIONS_MAX);
	for (size_t i = 0; i < n; i++)
		longs[i] = (struct option){ defs[i].name, defs[i].kind == OPTION_FLAG ? no_argument : required_argument,
					    NULL, FIRST + (int)i };
	longs[n] = (struct option){ "help", no_argument, NULL, FIRST + HELP };
	while ((got = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (got == FIRST + HELP) {
			usage(stdout, program, defs, n);
			return 1;
		}
		if (got != '?' && option_set(&defs[got - FIRST], optarg))
			continue;
		if (got != '?')
			complain("--%s: bad value", defs[got - FIRST].name);
		usage(stderr, program, defs, n);
		return -1;
	}
	if (optind == argc)
		return 0;
	complain("what is %s?", argv[optind]);
	usage(stderr, program, defs, n);
	return -1;
}
