#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2 */
#endif

#include "daemon/dianactl_stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

#include "daemon/dianactl_session.h"

/* Written by the signal handler, polled wherever a command waits. */
static int stop_pipe[2] = { -1, -1 };

static void on_stop_signal(int number)
{
	int saved = errno;
	ssize_t written = write(stop_pipe[1], "", 1);

	(void)number;
	(void)written;
	errno = saved;
}

/* Without SA_RESTART, so that a write to a stuck pipe ends too. */
int dianactl_stop_install(struct dianactl *ctl)
{
	struct sigaction action = { .sa_handler = on_stop_signal };

	sigemptyset(&action.sa_mask);
	if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0 || sigaction(SIGINT, &action, NULL) != 0 ||
	    sigaction(SIGTERM, &action, NULL) != 0) {
		dianactl_session_warn("cannot handle signals: %s", strerror(errno));
		return DIANACTL_NO_ANSWER;
	}
	ctl->stop_fd = stop_pipe[0];
	return DIANACTL_OK;
}

bool dianactl_stop_wait(const struct dianactl *ctl, int wait_ms)
{
	struct pollfd stop = { ctl->stop_fd, POLLIN, 0 };
	int ready;

	do {
		ready = poll(&stop, 1, wait_ms);
	} while (ready < 0 && errno == EINTR);
	return ready != 0;
}

bool dianactl_stop_flush(void)
{
	struct pollfd stop = { stop_pipe[0], POLLIN, 0 };

	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	/* an error may be of an earlier write, so errno does not tell */
	if (poll(&stop, 1, 0) > 0) {
		__fpurge(stdout);
		clearerr(stdout);
	}
	return false;
}
