#include "daemon/dianactl_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/client_format.h"
#include "daemon/clock.h"

enum { REDRAW_MS = 100 };

void dianactl_progress_begin(struct dianactl_progress *p, const char *unit, uint64_t from)
{
	*p = (struct dianactl_progress){
		.unit = unit, .from = from, .began_ms = monotonic_ms(), .on_terminal = isatty(STDERR_FILENO)
	};
}

static void draw(const struct dianactl_progress *p, uint64_t done, uint64_t of)
{
	char bar[CLIENT_FORMAT_MAX], eta[CLIENT_FORMAT_MAX] = "?";
	uint64_t took = (uint64_t)(p->drawn_ms - p->began_ms) + 1;
	uint64_t rate = (done - p->from) * 1000 / took;

	client_format_bar(bar, of > p->from ? (double)(done - p->from) / (double)(of - p->from) : 1);
	if (rate > 0)
		client_format_duration(eta, (of - done) * 1000 / rate);
	fprintf(stderr, "\r%s %" PRIu64 " of %" PRIu64 ", %" PRIu64 " %s/s, %s left\033[K", bar, done, of, rate,
		p->unit, eta);
	fflush(stderr);
}

void dianactl_progress_show(struct dianactl_progress *p, uint64_t done, uint64_t of)
{
	int64_t now = monotonic_ms();

	if (!p->on_terminal || (now - p->drawn_ms < REDRAW_MS && done != of))
		return;
	p->drawn_ms = now;
	p->drawn = true;
	draw(p, done, of);
}

void dianactl_progress_end(struct dianactl_progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
