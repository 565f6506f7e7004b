/* Statements, as a bank would print them: of a user's points, or of an auction. */

#include "daemon/dianactl_history.h"

#include <string.h>

#include "daemon/dianactl_session.h"

enum { HISTORY_DEFAULT = 50 };

static const struct dianactl_option history_options[] = {
	{ "limit", 'n', DIANACTL_NUMBER, offsetof(struct dianactl_history_values, limit), "N",
	  "at most the N latest entries (default 50)" },
	{ "all", 'a', DIANACTL_FLAG, offsetof(struct dianactl_history_values, all), NULL, "every entry" },
	{ "from", 0, DIANACTL_TEXT, offsetof(struct dianactl_history_values, from), "DATE",
	  "user: entries from this day or moment on" },
	{ "to", 0, DIANACTL_TEXT, offsetof(struct dianactl_history_values, to), "DATE",
	  "user: entries to the end of this day, or before this moment" },
	{ "source", 0, DIANACTL_TEXT, offsetof(struct dianactl_history_values, source), "SOURCE",
	  "user: only entries of this source (message, checkin, ...)" },
	{ "to-seq", 0, DIANACTL_NUMBER, offsetof(struct dianactl_history_values, to_seq), "N",
	  "auction: as it was after event N" },
	{ "at", 0, DIANACTL_TEXT, offsetof(struct dianactl_history_values, at), "TIME",
	  "auction: as it was at this time" },
	{ "data", 0, DIANACTL_TEXT, offsetof(struct dianactl_history_values, data), "DIR",
	  "auction: read this data directory instead of asking the daemon" },
	{ "newest-first", 'r', DIANACTL_FLAG, offsetof(struct dianactl_history_values, newest_first), NULL,
	  "the latest entry on top" },
};

uint64_t dianactl_history_limit(const struct dianactl_history_values *v)
{
	if (v->all)
		return 0;
	return v->limit != 0 ? v->limit : HISTORY_DEFAULT;
}

static int history_run(struct dianactl *ctl, const void *values)
{
	const char *colon = strchr(ctl->words[0], ':');

	if (colon == NULL)
		return dianactl_history_user(ctl, values);
	if (strncmp(ctl->words[0], "auction:", 8) != 0)
		return dianactl_session_usage(ctl, "history: '%s' is neither a user nor auction:ID", ctl->words[0]);
	return dianactl_history_auction(ctl, values);
}

const struct dianactl_command dianactl_history_command = {
	.name = "history",
	.words = "USER | auction:ID",
	.help = "The statement of a user's points, or of an auction, the latest entry last",
	.more = "USER is an id or a @username. DATE is YYYY-MM-DD, or 'YYYY-MM-DD HH:MM:SS' for a moment,\n"
		"in local time or with --utc in UTC. The balances are those of the ledger; points held by\n"
		"bids are still part of the balance, and stand beside it.\n"
		"\n"
		"Of an auction it shows each bid, hold, release, extension and capture, and after each\n"
		"who leads, what is held and how long the auction still goes on, worked out from its events.\n"
		"'dianactl why USER' tells what brought the entries of a user about.",
	.options = history_options,
	.n_options = DIANACTL_COUNT(history_options),
	.values_size = sizeof(struct dianactl_history_values),
	.min_words = 1,
	.max_words = 1,
	.timeout_s = 30,
	.run = history_run,
};
