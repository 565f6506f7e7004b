#include "daemon/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum diag_level shown = DIAG_INFO;
static const char *const names[] = { "error", "warn", "info", "debug" };

void diag_set_level(enum diag_level level)
{
	shown = level;
}

int diag_level_by_name(const char *name)
{
	for (int i = 0; i <= DIAG_DEBUG; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

static int prefix(enum diag_level level, char *to, size_t size)
{
	static const int priority[] = { 3, 4, 6, 7 };
	struct timespec t;
	struct tm tm;
	size_t n;

	if (getenv("JOURNAL_STREAM") != NULL)
		return snprintf(to, size, "<%d>", priority[level]);
	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	n = strftime(to, size, "%Y-%m-%dT%H:%M:%S", &tm);
	return (int)n + snprintf(to + n, size - n, ".%03ldZ %-5s ", t.tv_nsec / 1000000, names[level]);
}

void diag_print(enum diag_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	if (level > shown)
		return;
	n = prefix(level, line, sizeof(line));
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* one write, so that lines of threads do not mix; a stderr that is gone is no reason to stop */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
