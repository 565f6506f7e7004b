#ifndef DIANA_BENCH_UTIL_H
#define DIANA_BENCH_UTIL_H

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Set by SIGINT and SIGTERM. Everything that waits looks at it and gives up. */
extern volatile sig_atomic_t interrupted;
void interrupt_install(void);

/* One line on stderr. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

uint64_t now_ns(void);
void pause_ms(unsigned ms);

/* CPU time this process has used. */
uint64_t own_cpu_us(void);

/* A fixed permutation of 64-bit numbers: the same index always gives the same amount. */
uint64_t mix64(uint64_t x);
/* Next number of a sequence, uniform in 0 .. below-1. */
uint32_t random_below(uint64_t *state, uint32_t below);

/* A growing byte string. Exits when memory ends or the ceiling is passed: a benchmark has no
 * better answer. */
struct bytes {
	uint8_t *base;
	size_t len;
	size_t cap;
};
#define BYTES_MAX ((size_t)64 << 20)

/* Room for n more bytes behind len; the caller fills it and raises len. */
uint8_t *bytes_reserve(struct bytes *b, size_t n);
void bytes_append(struct bytes *b, const void *data, size_t n);
void bytes_free(struct bytes *b);

/* Connected stream socket, or -1 with errno. */
int unix_connect(const char *path);

struct usage {
	uint64_t size;      /* sum of file lengths */
	uint64_t allocated; /* what the file system really gave them */
};
int disk_usage(const char *path, struct usage *ret_usage);
/* Removes a directory and what is in it. */
void remove_tree(const char *path);

/* snprintf for paths that must fit; complains and returns -1 when they do not. */
int path_make(char *path, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
