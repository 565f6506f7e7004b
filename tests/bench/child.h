#ifndef DIANA_BENCH_CHILD_H
#define DIANA_BENCH_CHILD_H

#include <sys/types.h>

#include "util.h"

/* A program started by us. It dies with us, whatever way we go. */
struct child {
	const char *name; /* borrowed; NULL: not started */
	pid_t pid;        /* 0 once it has ended */
	char log[512];    /* its stdout and stderr */
};

/* argv[0] is looked up in PATH. A program that cannot be run shows as a child that has ended. */
int child_start(struct child *c, const char *name, const char *log, const char *const argv[]);
/* Asks it to end, waits, insists. Does nothing when it is not running. */
void child_stop(struct child *c);
/* Whether it runs. If it has ended by itself, says so once, with the end of its log. */
bool child_alive(struct child *c);
/* Of a program that is to end: a failure is said, with the end of its log. */
enum child_state { CHILD_RUNS, CHILD_DONE, CHILD_FAILED };
enum child_state child_poll(struct child *c);

uint64_t child_cpu_us(const struct child *c);
/* Memory without mapped files, 0 when unknown. */
uint64_t child_anon_bytes(const struct child *c);

#endif
