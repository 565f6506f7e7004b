#ifndef DAEMON_DIANACTL_PROGRESS_H
#define DAEMON_DIANACTL_PROGRESS_H

/*
 * How far long work is: a bar, a count, the rate and the time that is left, on stderr and only where that is a
 * terminal.
 *
 *   dianactl_progress_begin(&p, "events", 0);
 *   dianactl_progress_show(&p, done, of);       any number of times; drawn ten times a second
 *   dianactl_progress_end(&p);                  the line is gone, for what is printed next
 */

#include <stdbool.h>
#include <stdint.h>

struct dianactl_progress {
	const char *unit; /* what is counted; lent */
	uint64_t from;    /* done before this run */
	int64_t began_ms, drawn_ms;
	bool on_terminal, drawn;
};

void dianactl_progress_begin(struct dianactl_progress *p, const char *unit, uint64_t from);
void dianactl_progress_show(struct dianactl_progress *p, uint64_t done, uint64_t of);
void dianactl_progress_end(struct dianactl_progress *p);

#endif
