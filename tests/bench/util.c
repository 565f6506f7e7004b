#include "util.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

void interrupt_install(void)
{
	/* No SA_RESTART: whatever blocks returns EINTR and sees the flag. */
	struct sigaction act = { .sa_handler = on_interrupt };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void pause_ms(unsigned ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

uint64_t own_cpu_us(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000u +
	       (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

/* splitmix64 */
uint64_t mix64(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint32_t random_below(uint64_t *state, uint32_t below)
{
	return (uint32_t)(((mix64((*state)++) >> 32) * below) >> 32);
}

uint8_t *bytes_reserve(struct bytes *b, size_t n)
{
	size_t cap = b->cap != 0 ? b->cap : 4096;

	if (n <= b->cap - b->len)
		return b->base + b->len;
	if (n > BYTES_MAX || b->len > BYTES_MAX - n) {
		complain("a buffer would pass %zu bytes", BYTES_MAX);
		exit(1);
	}
	while (cap < b->len + n)
		cap *= 2;
	b->base = realloc(b->base, cap);
	if (b->base == NULL) {
		complain("out of memory");
		exit(1);
	}
	b->cap = cap;
	return b->base + b->len;
}

void bytes_append(struct bytes *b, const void *data, size_t n)
{
	if (n == 0)
		return;
	memcpy(bytes_reserve(b, n), data, n);
	b->len += n;
}

void bytes_free(struct bytes *b)
{
	free(b->base);
	*b = (struct bytes){ 0 };
}

int unix_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, saved;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int disk_usage(const char *path, struct usage *ret_usage)
{
	char *const roots[] = { (char *)path, NULL };
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	struct usage sum = { 0 };
	FTSENT *e;

	while (walk != NULL && (e = fts_read(walk)) != NULL) {
		if (e->fts_info == FTS_F) {
			sum.size += (uint64_t)e->fts_statp->st_size;
			sum.allocated += (uint64_t)e->fts_statp->st_blocks * 512;
		} else if (e->fts_level == 0 && e->fts_info != FTS_D && e->fts_info != FTS_DP) {
			complain("cannot measure %s: %s", path, strerror(e->fts_errno));
			fts_close(walk);
			return -1;
		}
	}
	if (walk == NULL)
		return -1;
	fts_close(walk);
	*ret_usage = sum;
	return 0;
}

void remove_tree(const char *path)
{
	char *const roots[] = { (char *)path, NULL };
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	while (walk != NULL && (e = fts_read(walk)) != NULL)
		if (e->fts_info != FTS_D && remove(e->fts_accpath) != 0)
			complain("cannot remove %s: %s", e->fts_path, strerror(errno));
	if (walk != NULL)
		fts_close(walk);
}

int path_make(char *path, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, size, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < size)
		return 0;
	complain("path too long: %s…", path);
	return -1;
}
