#ifndef DIANA_BENCH_AUDIT_H
#define DIANA_BENCH_AUDIT_H

#include "load.h"

/* What an auditor asks: histories of regular users, and proofs. */
enum { AUDIT_HISTORY = 100 };
void audit_encode(struct workload *w, enum op op, uint32_t slot, struct bytes *out);

#endif
