/*
 * dianactl, the tool of operators and auditors. A client like any other: it knows the daemon's wire
 * and its method names, and nothing of what is behind them; but for what takes --data, and `replay`,
 * which read a log without asking anybody.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/dianactl_command.h"
#include "daemon/dianactl_options.h"
#include "daemon/dianactl_session.h"

#ifndef DIANA_VERSION
#define DIANA_VERSION "0.1.0"
#endif

#define SYSTEM_SOCKET "/run/diana/diana.sock"

static const struct dianactl_command *const commands[] = {
	&dianactl_status_command,  &dianactl_watch_command,  &dianactl_user_command,       &dianactl_auction_command,
	&dianactl_history_command, &dianactl_top_command,    &dianactl_tail_command,       &dianactl_call_command,
	&dianactl_methods_command, &dianactl_verify_command, &dianactl_projection_command, &dianactl_audit_command,
	&dianactl_replay_command,  &dianactl_why_command,    &dianactl_backup_command,     &dianactl_restore_command,
	&dianactl_export_command,  &dianactl_import_command,
};

static const struct dianactl_option common_options[] = {
	{ "socket", 's', DIANACTL_TEXT, offsetof(struct dianactl, socket_path), "PATH", "where the daemon listens" },
	{ "json", 'j', DIANACTL_FLAG, offsetof(struct dianactl, json), NULL, "print JSON, for programs" },
	{ "utc", 'u', DIANACTL_FLAG, offsetof(struct dianactl, utc), NULL, "times in UTC instead of local time" },
	{ "timeout", 0, DIANACTL_NUMBER, offsetof(struct dianactl, timeout_s), "SECONDS",
	  "give up when the daemon does not answer" },
	{ "help", 'h', DIANACTL_FLAG, offsetof(struct dianactl, help), NULL, "this help" },
	{ "version", 'V', DIANACTL_FLAG, offsetof(struct dianactl, version), NULL, "print the version" },
};

static const char exit_codes[] = "Exit codes:\n"
				 "  0  done\n"
				 "  1  the daemon refused (its code and message are on stderr), or what was examined\n"
				 "     is not in order\n"
				 "  2  no daemon, or no answer that can be used\n"
				 "  3  the command line is wrong; nothing was sent\n";

static void print_help(void)
{
	puts("Usage: dianactl [OPTION]... COMMAND [ARGUMENT]...\n"
	     "Looks into a running Diana ledger daemon and calls its methods.\n"
	     "\nCommands:");
	for (size_t i = 0; i < DIANACTL_COUNT(commands); i++)
		printf("  %-12s%s\n", commands[i]->name, commands[i]->help);
	puts("\nOptions:");
	dianactl_options_describe(stdout, common_options, DIANACTL_COUNT(common_options));
	printf("\nThe socket is that of --socket, else of DIANA_SOCKET, else %s\n"
	       "for root and $XDG_RUNTIME_DIR/diana.sock for others.\n"
	       "Colours appear on terminals only; NO_COLOR switches them off.\n"
	       "'dianactl COMMAND --help' says more about a command.\n\n%s",
	       SYSTEM_SOCKET, exit_codes);
}

static void print_command_help(const struct dianactl_command *command)
{
	printf("Usage: dianactl %s [OPTION]...%s%s\n%s.\n", command->name, command->words[0] != '\0' ? " " : "",
	       command->words, command->help);
	if (command->more != NULL)
		printf("\n%s\n", command->more);
	puts("\nOptions:");
	dianactl_options_describe(stdout, command->options, command->n_options);
	dianactl_options_describe(stdout, common_options, DIANACTL_COUNT(common_options));
	if (command->timeout_s != 0)
		printf("\nWithout --timeout it waits %" PRIu64 " seconds for each answer.\n", command->timeout_s);
	else
		puts("\nWithout --timeout it waits as long as the daemon takes.");
	printf("\n%s", exit_codes);
}

static int print_about(const struct dianactl *ctl)
{
	if (!ctl->help)
		puts("dianactl " DIANA_VERSION);
	else if (ctl->command != NULL)
		print_command_help(ctl->command);
	else
		print_help();
	return DIANACTL_OK;
}

static const struct dianactl_command *find_command(const char *name)
{
	for (size_t i = 0; i < DIANACTL_COUNT(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

/* ---- surroundings ---- */

/* The default path is built once and lives as long as the process. */
static const char *default_socket(void)
{
	static char path[PATH_MAX];
	const char *from_environment = getenv("DIANA_SOCKET");
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (from_environment != NULL && from_environment[0] != '\0')
		return from_environment;
	if (geteuid() == 0 || runtime == NULL || runtime[0] == '\0')
		return SYSTEM_SOCKET;
	snprintf(path, sizeof(path), "%s/diana.sock", runtime);
	return path;
}

static bool wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == '\0') && terminal != NULL &&
	       strcmp(terminal, "dumb") != 0;
}

static bool reader_is_gone(void)
{
	struct pollfd output = { STDOUT_FILENO, POLLOUT, 0 };

	return errno == EPIPE || (poll(&output, 1, 0) > 0 && (output.revents & POLLERR) != 0);
}

/* A reader that went away (head, less) is no failure; a full disk is. */
static int finish_output(int code)
{
	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || reader_is_gone())
		return code;
	dianactl_session_warn("cannot write the output%s%s", errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
	return code == DIANACTL_OK ? DIANACTL_REFUSED : code;
}

/* ---- the command line ---- */

static int check_words(const struct dianactl *ctl)
{
	const struct dianactl_command *command = ctl->command;

	if (ctl->n_words < command->min_words)
		return dianactl_session_usage(ctl, "%s needs %s", command->name, command->words);
	if (ctl->n_words > command->max_words)
		return dianactl_session_usage(ctl, "%s takes no further argument '%s'", command->name,
					      ctl->words[command->max_words]);
	return DIANACTL_OK;
}

static int run_command(struct dianactl *ctl, const void *values)
{
	int code;

	if (ctl->help || ctl->version)
		return print_about(ctl);
	code = check_words(ctl);
	if (code != DIANACTL_OK)
		return code;
	if (ctl->timeout_s == 0)
		ctl->timeout_s = ctl->command->timeout_s;
	if (ctl->timeout_s > INT_MAX / 1000)
		ctl->timeout_s = INT_MAX / 1000;
	code = ctl->command->run(ctl, values);
	dianactl_session_close(ctl);
	return code;
}

/* Words are gathered at the front of argv, where those already read have left room. */
static int read_command(struct dianactl *ctl, struct dianactl_arguments *arguments)
{
	const struct dianactl_command *command = ctl->command;
	void *values = calloc(1, command->values_size + 1);
	const struct dianactl_option_set sets[] = {
		{ command->options, command->n_options, values },
		{ common_options, DIANACTL_COUNT(common_options), ctl },
	};
	enum dianactl_argument found;
	char problem[256];
	char *word;
	int code;

	if (values == NULL)
		return dianactl_session_no_memory();
	ctl->words = (const char **)arguments->argv;
	while ((found = dianactl_options_next(arguments, sets, 2, &word, problem)) == DIANACTL_ARGUMENT_WORD)
		ctl->words[ctl->n_words++] = word;
	if (found == DIANACTL_ARGUMENT_BAD)
		code = dianactl_session_usage(ctl, "%s", problem);
	else
		code = run_command(ctl, values);
	free(values);
	return code;
}

static int read_line(struct dianactl *ctl, int argc, char **argv)
{
	struct dianactl_arguments arguments = { .argv = argv, .argc = argc, .at = 1 };
	const struct dianactl_option_set set = { common_options, DIANACTL_COUNT(common_options), ctl };
	char problem[256];
	char *word = NULL;

	switch (dianactl_options_next(&arguments, &set, 1, &word, problem)) {
	case DIANACTL_ARGUMENT_BAD:
		return dianactl_session_usage(ctl, "%s", problem);
	case DIANACTL_ARGUMENT_END:
		return ctl->help || ctl->version ? print_about(ctl) : dianactl_session_usage(ctl, "no command given");
	case DIANACTL_ARGUMENT_WORD:
		break;
	}
	if (strcmp(word, "help") == 0) {
		ctl->help = true;
		if (dianactl_options_next(&arguments, &set, 1, &word, problem) != DIANACTL_ARGUMENT_WORD)
			return print_about(ctl);
	}
	ctl->command = find_command(word);
	if (ctl->command == NULL)
		return dianactl_session_usage(ctl, "unknown command '%s'", word);
	return read_command(ctl, &arguments);
}

int main(int argc, char **argv)
{
	struct dianactl ctl = { .stop_fd = -1 };

	signal(SIGPIPE, SIG_IGN);
	ctl.socket_path = default_socket();
	ctl.colour = wants_colour();
	return finish_output(read_line(&ctl, argc, argv));
}
