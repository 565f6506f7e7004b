#include <inttypes.h>
#include <stdio.h>

#include "core/map_writer.h"
#include "daemon/client_format.h"
#include "daemon/dianactl_background.h"
#include "daemon/dianactl_backup_bar.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_session.h"
#include "daemon/log_directory.h"
#include "daemon/new_ledger.h"

struct restore_values {
	const char *data;
};

static const struct dianactl_option restore_options[] = {
	{ "data", 0, DIANACTL_TEXT, offsetof(struct restore_values, data), "DIR",
	  "the data directory to make: a new one, or one without events" },
};

/* Of one run. */
struct restoring {
	struct log_reader *from;
	const char *dir; /* that is made */
	struct log_backup done;
	struct log_backup_progress state;
	struct dianactl_backup_bar bar;
	struct err err;
};

static int copy(void *arg)
{
	struct restoring *r = arg;

	return log_backup(r->from, r->dir, true, &r->state, &r->done, &r->err);
}

static void watch(void *arg)
{
	struct restoring *r = arg;
	enum log_backup_phase phase;
	uint64_t done, of;

	log_backup_look(&r->state, r->dir, &phase, &done, &of);
	dianactl_backup_bar_show(&r->bar, phase, done, of);
}

static int restore_to(struct restoring *r, const char *data)
{
	struct new_ledger *n;
	int rc = new_ledger_begin(data, &n, &r->err);

	if (rc != 0)
		return rc;
	r->dir = new_ledger_dir(n);
	rc = dianactl_background(copy, watch, r);
	dianactl_backup_bar_end(&r->bar);
	if (rc == 0)
		rc = new_ledger_commit(n, &r->err);
	new_ledger_close(n);
	return rc;
}

static int report(const struct dianactl *ctl, const struct log_backup *done, const char *data)
{
	char size[CLIENT_FORMAT_MAX];
	struct map_writer w;
	struct buf b;
	int rc;

	if (!ctl->json) {
		printf("%" PRIu64 " events, %s, are in %s.\n"
		       "The key that signs checkpoints is not part of a backup: put the old log.key there before the\n"
		       "first start, or this will be another ledger to its auditors.\n",
		       done->seq, client_format_bytes(size, done->bytes), data);
		return DIANACTL_OK;
	}
	buf_init(&b, 1 << 16);
	map_open(&w, &b);
	map_str(&w, "data", data);
	map_uint(&w, "seq", done->seq);
	map_uint(&w, "bytes", done->bytes);
	map_close(&w);
	rc = dianactl_session_print_packed(&b);
	buf_free(&b);
	return rc;
}

static int restore_run(struct dianactl *ctl, const void *values)
{
	const struct restore_values *v = values;
	struct restoring r = { .dir = NULL };
	struct log *log;
	int rc;

	if (v->data == NULL)
		return dianactl_session_usage(ctl, "restore needs --data: which directory to make");
	if (log_directory_open(ctl->words[0], &log, &r.from, &r.err) != 0)
		return dianactl_session_err(&r.err);
	rc = restore_to(&r, v->data);
	log_reader_close(r.from);
	log_close(log);
	return rc == 0 ? report(ctl, &r.done, v->data) : dianactl_session_err(&r.err);
}

const struct dianactl_command dianactl_restore_command = {
	.name = "restore",
	.words = "BACKUP --data DIR",
	.help = "Make a data directory from a backup",
	.more = "Copies the log of a backup, made by dianactl backup or server.backup, checks every hash of the\n"
		"copy, and only then puts it in place. The backup stays as it is. A daemon started on DIR builds\n"
		"its views.",
	.options = restore_options,
	.n_options = DIANACTL_COUNT(restore_options),
	.values_size = sizeof(struct restore_values),
	.min_words = 1,
	.max_words = 1,
	.run = restore_run,
};
