#include <inttypes.h>
#include <stdio.h>

#include "core/map_writer.h"
#include "daemon/dianactl_audit.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_progress.h"
#include "daemon/dianactl_session.h"
#include "daemon/dianactl_stop.h"
#include "daemon/import.h"
#include "daemon/new_ledger.h"
#include "log/base64.h"

struct import_values {
	const char *data, *key;
};

static const struct dianactl_option import_options[] = {
	{ "data", 0, DIANACTL_TEXT, offsetof(struct import_values, data), "DIR",
	  "the data directory to make: a new one, or one without events" },
	{ "key", 0, DIANACTL_TEXT, offsetof(struct import_values, key), "KEY",
	  "only what this key of a ledger has signed; or a file with it" },
};

/* Of one run. */
struct importing {
	struct dianactl *ctl;
	struct dianactl_progress progress;
};

static bool on_progress(void *arg, uint64_t done, uint64_t of)
{
	struct importing *im = arg;

	dianactl_progress_show(&im->progress, done, of);
	return !dianactl_stop_wait(im->ctl, 0);
}

/* That the checkpoint is of these events is tested when they have been read. */
static int check_signature(const struct export_reader *r, const char *given, struct err *err)
{
	const struct export_head *head = export_reader_head(r);
	struct checkpoint c;
	struct note_key key;

	if (given == NULL)
		return 0;
	if (audit_read_key(given, &key) != DIANACTL_OK)
		return err_set(err, E_INVALID_ARGUMENT, "that is no key of a ledger");
	if (head->checkpoint.base == NULL)
		return err_set(err, E_FORBIDDEN, "the export is not signed");
	return checkpoint_open(head->checkpoint, &key, &c, err);
}

static int import_to(struct importing *im, struct export_reader *r, const char *data, struct err *err)
{
	struct new_ledger *n;
	int rc = new_ledger_begin(data, &n, err);

	if (rc != 0)
		return rc;
	dianactl_progress_begin(&im->progress, "events", 0);
	rc = import_log(r, new_ledger_dir(n), on_progress, im, err);
	dianactl_progress_end(&im->progress);
	if (rc == 0)
		rc = new_ledger_commit(n, err);
	new_ledger_close(n);
	return rc;
}

static int report(const struct dianactl *ctl, const struct export_reader *r, const char *data)
{
	uint64_t events = export_reader_head(r)->to_seq;
	uint8_t hash[MERKLE_HASH];
	struct map_writer w;
	char root[64];
	struct buf b;
	int rc;

	export_reader_root(r, hash);
	base64_put(slice_of(hash, sizeof(hash)), root);
	if (!ctl->json) {
		printf("%" PRIu64 " events are in %s, with the root %s.\n"
		       "The key that signs checkpoints is not part of an export: put the old log.key there before the\n"
		       "first start, or this will be another ledger to its auditors.\n",
		       events, data, root);
		return DIANACTL_OK;
	}
	buf_init(&b, 1 << 16);
	map_open(&w, &b);
	map_str(&w, "data", data);
	map_uint(&w, "events", events);
	map_str(&w, "root", root);
	map_close(&w);
	rc = dianactl_session_print_packed(&b);
	buf_free(&b);
	return rc;
}

static int import_run(struct dianactl *ctl, const void *values)
{
	const struct import_values *v = values;
	struct importing im = { .ctl = ctl };
	struct export_reader *r;
	struct err err;
	int rc;

	if (v->data == NULL)
		return dianactl_session_usage(ctl, "import needs --data: which directory to make");
	rc = dianactl_stop_install(ctl);
	if (rc != DIANACTL_OK)
		return rc;
	rc = export_reader_open(ctl->words[0], ctl->stop_fd, NULL, 0, &r, &err);
	if (rc != 0)
		return dianactl_session_err(&err);
	rc = check_signature(r, v->key, &err);
	if (rc == 0)
		rc = import_to(&im, r, v->data, &err);
	rc = rc == 0 ? report(ctl, r, v->data) : dianactl_session_err(&err);
	export_reader_close(r);
	return rc;
}

const struct dianactl_command dianactl_import_command = {
	.name = "import",
	.words = "FILE | - --data DIR",
	.help = "Make a ledger from an export of a whole log",
	.more = "Reads what dianactl export has written, in either format, and tests all of it while it writes:\n"
		"events, order, roots, and the checkpoint in the header. The new log has the same Merkle root.\n"
		"What is not right is named with its line, and nothing is left behind. A daemon started on DIR\n"
		"builds its views.",
	.options = import_options,
	.n_options = DIANACTL_COUNT(import_options),
	.values_size = sizeof(struct import_values),
	.min_words = 1,
	.max_words = 1,
	.run = import_run,
};
