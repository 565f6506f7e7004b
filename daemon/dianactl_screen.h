#ifndef DAEMON_DIANACTL_SCREEN_H
#define DAEMON_DIANACTL_SCREEN_H

/*
 * The terminal as a screen that is drawn again and again in place. One per process, since a terminal
 * has one state. Between open and close nothing else may write to it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "daemon/dianactl_command.h"

struct dianactl_screen_size {
	size_t rows, columns;
};

enum dianactl_screen_event {
	DIANACTL_SCREEN_TICK,   /* the time is over, or a person asked for the next frame */
	DIANACTL_SCREEN_REDRAW, /* the terminal has another size, or was used by others meanwhile */
	DIANACTL_SCREEN_QUIT,   /* Ctrl-C, SIGTERM, or a person pressed q */
};

/* Whether stdout is a terminal that can do this. */
bool dianactl_screen_possible(void);

/* Takes the terminal over, leaving what it shows to close, which brings it back. */
void dianactl_screen_open(void);
void dianactl_screen_close(void);

struct dianactl_screen_size dianactl_screen_size(void);

/* Of stdout, whether or not it was taken over; 0 when it is no terminal. */
size_t dianactl_screen_columns(void);

/* Shows the first lines of the frame that fit. False: the terminal is gone. */
bool dianactl_screen_draw(const char *frame, size_t len);

/* Waits so long, or for what comes before. Ctrl-Z stops the process here, with the terminal given back. */
enum dianactl_screen_event dianactl_screen_wait(const struct dianactl *ctl, int wait_ms);

#endif
