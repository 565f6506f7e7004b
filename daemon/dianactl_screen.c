#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* ppoll */
#endif

#include "daemon/dianactl_screen.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "daemon/dianactl_stop.h"

/* The second screen, without cursor and line wrap: what does not fit a line is cut by the terminal. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K" /* before the line is written: behind a full line it would take the last sign */
#define CLEAR_REST "\033[J"

static struct {
	bool has_keys;         /* stdin is a terminal, and gives keys */
	struct termios before; /* of it, to be restored */
	bool has_before;
	volatile sig_atomic_t resized, suspended;
} screen;

bool dianactl_screen_possible(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && terminal != NULL && terminal[0] != '\0' && strcmp(terminal, "dumb") != 0;
}

static void on_resize(int number)
{
	(void)number;
	screen.resized = 1;
}

static void on_suspend(int number)
{
	(void)number;
	screen.suspended = 1;
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

static void mask(int how, int number)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, number);
	sigprocmask(how, &one, NULL);
}

/* Both signals come only while dianactl_screen_wait waits: a call to the daemon is not interrupted. */
static void take_signals(void)
{
	mask(SIG_BLOCK, SIGWINCH);
	mask(SIG_BLOCK, SIGTSTP);
	handle(SIGWINCH, on_resize);
	handle(SIGTSTP, on_suspend);
}

static void write_all(const char *bytes, size_t len)
{
	fwrite(bytes, 1, len, stdout);
	dianactl_stop_flush();
}

/* Keys come one by one and are not shown; Ctrl-C and Ctrl-Z stay signals. */
static void enter(void)
{
	struct termios keys;

	screen.has_before = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen.before) == 0;
	screen.has_keys = screen.has_before;
	if (screen.has_keys) {
		keys = screen.before;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
	}
	write_all(ENTER, strlen(ENTER));
}

static void leave(void)
{
	write_all(LEAVE, strlen(LEAVE));
	if (screen.has_before)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.before);
}

void dianactl_screen_open(void)
{
	take_signals();
	enter();
}

void dianactl_screen_close(void)
{
	leave();
}

struct dianactl_screen_size dianactl_screen_size(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
		return (struct dianactl_screen_size){ 24, 80 };
	return (struct dianactl_screen_size){ size.ws_row, size.ws_col };
}

size_t dianactl_screen_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

/* Written over the frame before, without clearing the screen in between: nothing flickers. */
bool dianactl_screen_draw(const char *frame, size_t len)
{
	size_t rows = dianactl_screen_size().rows;
	const char *end = frame + len;
	size_t row = 0;

	fputs(HOME, stdout);
	for (; row < rows && frame < end; row++) {
		const char *stop = memchr(frame, '\n', (size_t)(end - frame));

		if (stop == NULL)
			stop = end;
		fputs(row > 0 ? "\r\n" CLEAR_LINE : CLEAR_LINE, stdout);
		fwrite(frame, 1, (size_t)(stop - frame), stdout);
		frame = stop + 1;
	}
	if (row < rows)
		fputs("\r\n" CLEAR_REST, stdout);
	return dianactl_stop_flush();
}

/* ---- waiting ---- */

/* As if the signal had never been handled, so that the shell sees what it expects. */
static void suspend(void)
{
	screen.suspended = 0;
	leave();
	handle(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	mask(SIG_UNBLOCK, SIGTSTP); /* stops here, until SIGCONT */
	mask(SIG_BLOCK, SIGTSTP);
	handle(SIGTSTP, on_suspend);
	enter();
}

static enum dianactl_screen_event read_key(void)
{
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1) {
		screen.has_keys = false;
		return DIANACTL_SCREEN_REDRAW;
	}
	return key == 'q' || key == 'Q' ? DIANACTL_SCREEN_QUIT : DIANACTL_SCREEN_TICK;
}

static enum dianactl_screen_event interrupted(void)
{
	if (screen.suspended)
		suspend();
	screen.resized = 0;
	return DIANACTL_SCREEN_REDRAW;
}

enum dianactl_screen_event dianactl_screen_wait(const struct dianactl *ctl, int wait_ms)
{
	struct timespec left = { wait_ms / 1000, wait_ms % 1000 * 1000000L };
	struct pollfd inputs[] = {
		{ ctl->stop_fd, POLLIN, 0 },
		{ screen.has_keys ? STDIN_FILENO : -1, POLLIN, 0 },
	};
	sigset_t none;
	int ready;

	sigemptyset(&none);
	ready = ppoll(inputs, 2, &left, &none);
	if (dianactl_stop_wait(ctl, 0))
		return DIANACTL_SCREEN_QUIT;
	if (ready < 0 && (screen.resized || screen.suspended))
		return interrupted();
	return ready > 0 ? read_key() : DIANACTL_SCREEN_TICK;
}
