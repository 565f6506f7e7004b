#ifndef DAEMON_DIANACTL_COMMAND_H
#define DAEMON_DIANACTL_COMMAND_H

/*
 * What a command of dianactl is: a row of data and a function. Adding one means a file
 * dianactl_<name>.c that defines the row, its declaration here, and its place in the list of
 * dianactl.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client_rpc;

/* Exit codes; part of the interface, printed by --help. */
enum dianactl_exit {
	DIANACTL_OK = 0,
	DIANACTL_REFUSED = 1,   /* the daemon refused, or what was examined is not in order */
	DIANACTL_NO_ANSWER = 2, /* no daemon, or no answer that can be used */
	DIANACTL_USAGE = 3,     /* the command line is wrong; nothing was sent */
};

/* What the options common to all commands say, and the connection, opened by the first call. */
struct dianactl {
	const char *socket_path;
	uint64_t timeout_s;
	bool json, utc, colour, help, version;
	int stop_fd; /* readable: stop waiting; -1: none */
	struct client_rpc *rpc;
	const struct dianactl_command *command;
	const char **words; /* what is left of the command line after its options */
	size_t n_words;
};

#define DIANACTL_TEXTS_MAX 64

/* Of an option that may be given several times. */
struct dianactl_texts {
	const char *items[DIANACTL_TEXTS_MAX];
	size_t n;
};

#define DIANACTL_LEVEL_ANY UINT64_MAX

enum dianactl_option_type {
	DIANACTL_FLAG,   /* bool */
	DIANACTL_TEXT,   /* const char *, borrowed from the command line */
	DIANACTL_TEXTS,  /* struct dianactl_texts */
	DIANACTL_NUMBER, /* uint64_t, from 1 */
	DIANACTL_LEVEL,  /* the same, given behind '=' or not at all: then DIANACTL_LEVEL_ANY */
};

struct dianactl_option {
	const char *name; /* without dashes */
	char letter;      /* 0: none */
	enum dianactl_option_type type;
	size_t offset;     /* of the member that receives the value */
	const char *value; /* what help calls the value; NULL for a flag */
	const char *help;
};

struct dianactl_command {
	const char *name;
	const char *words; /* what follows the options, for help */
	const char *help;  /* one line */
	const char *more;  /* further lines of help, or NULL */
	const struct dianactl_option *options;
	size_t n_options;
	size_t values_size; /* of the struct that the options' offsets point into */
	size_t min_words, max_words;
	uint64_t timeout_s; /* unless --timeout says otherwise; 0 waits for ever */

	/* values is a struct of values_size bytes, zero where no option was given. Returns the exit
	 * code; whatever went wrong has been reported. */
	int (*run)(struct dianactl *ctl, const void *values);
};

#define DIANACTL_COUNT(array) (sizeof(array) / sizeof((array)[0]))

extern const struct dianactl_command dianactl_auction_command;
extern const struct dianactl_command dianactl_audit_command;
extern const struct dianactl_command dianactl_backup_command;
extern const struct dianactl_command dianactl_call_command;
extern const struct dianactl_command dianactl_export_command;
extern const struct dianactl_command dianactl_history_command;
extern const struct dianactl_command dianactl_import_command;
extern const struct dianactl_command dianactl_methods_command;
extern const struct dianactl_command dianactl_projection_command;
extern const struct dianactl_command dianactl_replay_command;
extern const struct dianactl_command dianactl_restore_command;
extern const struct dianactl_command dianactl_status_command;
extern const struct dianactl_command dianactl_tail_command;
extern const struct dianactl_command dianactl_top_command;
extern const struct dianactl_command dianactl_user_command;
extern const struct dianactl_command dianactl_verify_command;
extern const struct dianactl_command dianactl_watch_command;
extern const struct dianactl_command dianactl_why_command;

#endif
