#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_PATIENCE_MS 20000
#define LOG_TAIL 2000

static void child_main(const char *log, const char *const argv[])
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int null = open("/dev/null", O_RDONLY);

	/* A group of its own: Ctrl-C is for us, we stop it in order. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(127);
	execvp(argv[0], (char *const *)argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int child_start(struct child *c, const char *name, const char *log, const char *const argv[])
{
	if (path_make(c->log, sizeof(c->log), "%s", log) != 0)
		return -1;
	c->pid = fork();
	if (c->pid == 0)
		child_main(log, argv);
	if (c->pid < 0) {
		complain("cannot start %s: %s", name, strerror(errno));
		c->pid = 0;
		return -1;
	}
	c->name = name;
	return 0;
}

void child_stop(struct child *c)
{
	unsigned waited;

	if (c->name == NULL || c->pid == 0)
		return;
	kill(c->pid, SIGTERM);
	for (waited = 0; waited < STOP_PATIENCE_MS; waited += 20) {
		if (waitpid(c->pid, NULL, WNOHANG) != 0)
			break;
		pause_ms(20);
	}
	if (waited >= STOP_PATIENCE_MS) {
		complain("%s does not stop, killed", c->name);
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	c->pid = 0;
}

static void show_log_tail(const struct child *c)
{
	FILE *f = fopen(c->log, "r");
	char text[LOG_TAIL + 1];
	size_t n;

	if (f == NULL)
		return;
	if (fseek(f, -LOG_TAIL, SEEK_END) != 0)
		rewind(f);
	n = fread(text, 1, LOG_TAIL, f);
	text[n] = '\0';
	if (n > 0)
		complain("the last it wrote:\n%s", text);
	fclose(f);
}

static void explain_end(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		complain("%s was killed by signal %d (%s)", c->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		complain("%s has ended with status %d", c->name, WEXITSTATUS(status));
	show_log_tail(c);
}

bool child_alive(struct child *c)
{
	int status;

	if (c->pid == 0)
		return false;
	if (waitpid(c->pid, &status, WNOHANG) == 0)
		return true;
	explain_end(c, status);
	c->pid = 0;
	return false;
}

enum child_state child_poll(struct child *c)
{
	int status = 0;

	if (c->pid != 0 && waitpid(c->pid, &status, WNOHANG) == 0)
		return CHILD_RUNS;
	if (status != 0)
		explain_end(c, status);
	c->pid = 0;
	return status == 0 ? CHILD_DONE : CHILD_FAILED;
}

/* A small file of /proc/PID; false when there is none. */
static bool read_proc(const struct child *c, const char *file, char *text, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)c->pid, file);
	fd = c->pid != 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

uint64_t child_cpu_us(const struct child *c)
{
	unsigned long user, system;
	char text[1024], *at;

	/* The fields are counted from the end of the name, which may hold anything. */
	if (!read_proc(c, "stat", text, sizeof(text)) || (at = strrchr(text, ')')) == NULL ||
	    sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return 0;
	return (uint64_t)(user + system) * (1000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t child_anon_bytes(const struct child *c)
{
	char text[4096], *at;

	if (!read_proc(c, "status", text, sizeof(text)) || (at = strstr(text, "RssAnon:")) == NULL)
		return 0;
	return strtoull(at + strlen("RssAnon:"), NULL, 10) * 1024;
}
