#ifndef DIANA_BENCH_STAGE_H
#define DIANA_BENCH_STAGE_H

#include <stdio.h>

#include "child.h"
#include "load.h"
#include "options.h"

/*
 * What every benchmark of dianad begins with: a directory of its own on a real disk, and a daemon in it. Zeroed,
 * options parsed, then:
 *
 *   stage_open()    the directory
 *   stage_start()   the daemon, and again after stage_stop()
 *   stage_close()   in any case: everything ends, and the directory goes unless --keep
 */
struct stage_options {
	const char *dianad;
	struct texts dianad_args;
	const char *socket;
	const char *dir;
	const char *json;
	uint64_t users;
	bool quick;
	bool keep;
	bool strict;
};

struct stage {
	struct stage_options opt;
	char dir[512];    /* ours, removed at the end */
	char data[600];   /* of the daemon, below it */
	char socket[108]; /* sun_path */
	struct child diana;
	struct workload work;
};

/* The options every benchmark has; users stays 0 when they are not given. Returns how many of defs were filled. */
size_t stage_option_defs(struct stage_options *o, struct option_def *defs);

int stage_open(struct stage *s);
/* Makes a directory below ours. */
int stage_make_dir(const struct stage *s, const char *name, char *path, size_t size);
/* Starts the daemon and waits until it answers. poll_ms: how exactly. */
int stage_start(struct stage *s, unsigned poll_ms);
void stage_close(struct stage *s);

/* Bytes the log has on disk. */
int stage_log_usage(const struct stage *s, struct usage *ret_usage);

/* When all is measured and the table shown: appends the figures to the file of --json, if there is one. Returns the
 * exit status. */
int stage_reported(const struct stage *s, unsigned misses, void (*json)(FILE *f, const void *arg), const void *arg);

#endif
