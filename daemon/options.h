#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stddef.h>

#include "core/err.h"

/*
 * Settings of the process: from the configuration file (INI), then from flags, which win. One table
 * (options.c) declares each with its name, default and meaning; --help and docs/configuration.md show it.
 */
enum { UIDS_MAX = 32 };
struct uid_list {
	long v[UIDS_MAX];
	size_t n;
};

struct options {
	char *data;
	char *socket;
	char *config;
	char *socket_group; /* NULL: the process's own */
	long socket_mode;
	struct uid_list admins, bots, auditors; /* uids beside the defaults */
	long max_connections;
	long max_subscriptions; /* of one connection */
	long frame_max;         /* bytes */
	long slow_client_ms;
	long log_reserve_mb; /* of disk that stay free */
	long seal;           /* pack what is cold in the log */
	long seal_behind;    /* events at the head that are not cold */
	int log_level;
	long defaults; /* install default content on an empty log */
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_METHODS, OPTIONS_BAD };
/* Prints help, version and complaints itself. */
enum options_result options_parse(struct options *o, int argc, char **argv);
/* Where the data is when nothing says so. */
void options_default_data(char *ret, size_t size);
void options_free(struct options *o);

#endif
