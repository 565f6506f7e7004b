#ifndef DAEMON_DIANACTL_OPTIONS_H
#define DAEMON_DIANACTL_OPTIONS_H

/* Reading a command line by tables of options. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "daemon/dianactl_command.h"

/* A table and the struct its offsets point into. */
struct dianactl_option_set {
	const struct dianactl_option *options;
	size_t n;
	void *values;
};

/* A walk over the command line. Options may stand before, between and after the words. */
struct dianactl_arguments {
	char **argv;
	int argc;
	int at;             /* next to read */
	bool options_ended; /* "--" was seen */
};

enum dianactl_argument { DIANACTL_ARGUMENT_END, DIANACTL_ARGUMENT_WORD, DIANACTL_ARGUMENT_BAD };

/*
 * Takes options into the sets until a word is met (ret_word) or the line ends. BAD: ret_problem says
 * what is wrong, naming the option. The first set that knows an option gets it.
 */
enum dianactl_argument dianactl_options_next(struct dianactl_arguments *arguments,
					     const struct dianactl_option_set *sets, size_t n_sets, char **ret_word,
					     char ret_problem[256]);

/* The lines of help of a table. */
void dianactl_options_describe(FILE *out, const struct dianactl_option *options, size_t n);

#endif
