#ifndef DIANA_BENCH_PROTO_REDIS_H
#define DIANA_BENCH_PROTO_REDIS_H

#include "load.h"

extern const struct driver redis_driver;

/* Waits until the server answers, then loads the award script. To be called before redis_driver is
 * used. -2: nobody answers yet, ask again. */
int redis_prepare(const char *socket);
int redis_set_fsync(const char *socket, const char *policy);
/* Thousandths. */
int redis_balance(const char *socket, uint32_t user, int64_t *ret_balance);
/* What all awards added up to, in thousandths. */
int redis_credited(const char *socket, int64_t *ret_sum);

#endif
