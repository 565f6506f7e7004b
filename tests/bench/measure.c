#include "measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define START_PATIENCE_S 60

int measured_run(struct child *child, const struct load_spec *spec, struct measure *m)
{
	uint64_t cpu = child_cpu_us(child), own = own_cpu_us();

	if (load_run(spec, &m->load) != 0) {
		pause_ms(200);
		child_alive(child);
		return -1;
	}
	m->cpu_us += child_cpu_us(child) - cpu;
	m->own_cpu_us += own_cpu_us() - own;
	if (m->load.errors == 0)
		return 0;
	complain("%s: %" PRIu64 " replies were errors, the first: %s", child->name, m->load.errors,
		 m->load.first_error);
	return -1;
}

int load_users(struct child *child, const struct driver *driver, const char *socket, struct workload *work,
	       uint32_t connections, uint32_t depth, double *ret_seconds)
{
	struct load_spec spec = { .driver = driver,
				  .socket = socket,
				  .work = work,
				  .op = OP_LOAD,
				  .connections = connections,
				  .depth = depth };
	struct measure *m = calloc(1, sizeof(*m));
	int rc;

	if (m == NULL) {
		complain("out of memory");
		return -1;
	}
	printf("%s: loading %u users", driver->name, work->users);
	fflush(stdout);
	rc = measured_run(child, &spec, m);
	printf(": %.1f s\n", m->load.seconds);
	*ret_seconds = m->load.seconds;
	free(m);
	return rc;
}

static uint64_t cpu_of_both(const struct child *child, const struct child *other)
{
	return child_cpu_us(child) + (other != NULL ? child_cpu_us(other) : 0);
}

void settle(const struct child *child, const struct child *other)
{
	for (unsigned i = 0; i < 50 && !interrupted; i++) {
		uint64_t before = cpu_of_both(child, other);

		sync();
		pause_ms(200);
		if (cpu_of_both(child, other) - before <= 10000)
			return;
	}
	if (!interrupted)
		complain("a server is still busy after 10 idle seconds");
}

int await_ready(struct child *child, int (*ready)(const char *socket), const char *socket, unsigned poll_ms)
{
	uint64_t until = now_ns() + START_PATIENCE_S * (uint64_t)1000000000;

	while (now_ns() < until && !interrupted && child_alive(child)) {
		int rc = ready(socket);

		if (rc != -2)
			return rc;
		pause_ms(poll_ms);
	}
	if (child->pid != 0 && !interrupted)
		complain("%s does not answer", child->name);
	return -1;
}

int check_sum(const char *name, const struct workload *work, const char *socket,
	      int (*credited)(const char *socket, int64_t *ret_sum))
{
	int64_t is, expected = (int64_t)work->credited * 1000;

	if (credited(socket, &is) != 0)
		return -1;
	if (is == expected)
		return 0;
	complain("%s: %" PRId64 " thousandths credited instead of %" PRId64, name, is, expected);
	return -1;
}
