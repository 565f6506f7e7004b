#ifndef DIANA_BENCH_MEASURE_H
#define DIANA_BENCH_MEASURE_H

#include "child.h"
#include "load.h"

/* One server under one kind of load. */
struct measure {
	struct load_result load; /* load.ops 0: not measured */
	uint64_t cpu_us;         /* of the server, for load.all_ops */
	uint64_t own_cpu_us;     /* of the generator, likewise */
};

/* Runs the load against the child; adds to m. -1: said on stderr, with the end of the server if it ended; replies
 * that were errors are a failure, too. */
int measured_run(struct child *child, const struct load_spec *spec, struct measure *m);

/* OP_LOAD of all users, with a line on stdout. */
int load_users(struct child *child, const struct driver *driver, const char *socket, struct workload *work,
	       uint32_t connections, uint32_t depth, double *ret_seconds);

/* Lets what the last phase left behind come to an end, so that the next does not pay for it: dirty pages, a checkpoint,
 * sealing. other may be NULL. */
void settle(const struct child *child, const struct child *other);

/* Waits until a server that was started answers; ready gives -2 as long as it does not. */
int await_ready(struct child *child, int (*ready)(const char *socket), const char *socket, unsigned poll_ms);

/* What all credits of the server add up to must be what the workload asked for, or the figures mean nothing. */
int check_sum(const char *name, const struct workload *work, const char *socket,
	      int (*credited)(const char *socket, int64_t *ret_sum));

#endif
