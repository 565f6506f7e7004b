#ifndef DIANA_BENCH_HIST_H
#define DIANA_BENCH_HIST_H

#include <stdint.h>

/* Log-linear histogram of nanoseconds: 128 steps per power of two, so a value read back is less
 * than 1 % off, whatever its size. */
#define HIST_SUB_BITS 7
#define HIST_BUCKETS ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t total;
	uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t ns);
/* The value below which that part (0..1) of all values lies; 0 when empty. */
uint64_t hist_quantile(const struct hist *h, double part);

#endif
