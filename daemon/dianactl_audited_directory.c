#include <inttypes.h>
#include <stdio.h>

#include "daemon/dianactl_audited.h"
#include "daemon/dianactl_progress.h"
#include "daemon/dianactl_session.h"
#include "daemon/log_key.h"

static int failed(const struct err *err)
{
	dianactl_session_warn("%s", err->text);
	return err->code == E_UNAVAILABLE || err->code == E_NOT_FOUND ? DIANACTL_NO_ANSWER : DIANACTL_REFUSED;
}

static int open_log(struct audited *a, struct err *err)
{
	char dir[4096];
	int rc;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/log", a->data) >= sizeof(dir))
		return err_set(err, E_INVALID_ARGUMENT, "the name of the directory is too long");
	rc = log_open_readonly(dir, &a->log, err);
	if (rc == 0)
		rc = log_reader_open(a->log, LOG_DURABLE_ONLY, &a->reader, err);
	return rc == 0 ? log_reader_refresh(a->reader, err) : rc;
}

int audited_open(struct dianactl *ctl, const char *data, struct audited *ret)
{
	struct audited a = { .ops = data != NULL ? &audited_directory : &audited_daemon, .ctl = ctl, .data = data };
	struct err err;
	int rc = data != NULL ? open_log(&a, &err) : 0;

	if (rc != 0) {
		audited_close(&a);
		return failed(&err);
	}
	*ret = a;
	return DIANACTL_OK;
}

void audited_close(struct audited *a)
{
	log_reader_close(a->reader);
	log_close(a->log);
}

static int directory_key(struct audited *a, struct note_key *ret)
{
	struct err err;

	return log_key_read(a->data, ret, &err) == 0 ? DIANACTL_OK : failed(&err);
}

static int directory_checkpoint(struct audited *a, uint64_t size, struct buf *ret_note)
{
	uint8_t root[MERKLE_HASH];
	struct note_key key;
	struct err err;
	int rc = directory_key(a, &key);

	if (rc != DIANACTL_OK)
		return rc;
	if (size == 0)
		size = log_reader_head(a->reader);
	rc = log_prove_root(a->reader, size, root, &err);
	if (rc == 0)
		rc = checkpoint_sign(size, root, &key, ret_note, &err);
	return rc == 0 ? DIANACTL_OK : failed(&err);
}

static int directory_event(struct audited *a, uint64_t seq, uint64_t size, struct proof *ret, struct buf *ret_event)
{
	uint8_t leaf[MERKLE_HASH];
	struct log_entry e;
	struct err err;
	int rc = log_prove_event(a->reader, seq, size, ret, leaf, &err);

	if (rc == 0)
		rc = log_reader_get(a->reader, seq, &e, &err);
	if (rc != 0)
		return failed(&err);
	buf_append(ret_event, e.bytes.base, e.bytes.len);
	return ret_event->failed ? dianactl_session_no_memory() : DIANACTL_OK;
}

static int directory_growth(struct audited *a, uint64_t from, uint64_t to, struct proof *ret)
{
	struct err err;

	return log_prove_growth(a->reader, from, to, ret, &err) == 0 ? DIANACTL_OK : failed(&err);
}

static bool on_progress(void *arg, uint64_t done, uint64_t of)
{
	dianactl_progress_show(arg, done, of);
	return true;
}

/* All is hashed here: nobody's word is taken, and no key is needed but for the notes. */
static int directory_verify(struct audited *a, const struct note_key *key, const struct log_mark *marks, size_t n,
			    struct log_verdict *ret)
{
	struct dianactl_progress progress;
	struct err err;
	int rc;

	(void)key;
	dianactl_progress_begin(&progress, "events", 0);
	rc = log_verify_marks(a->reader, marks, n, on_progress, &progress, ret, &err);
	dianactl_progress_end(&progress);
	return rc == 0 ? DIANACTL_OK : failed(&err);
}

const struct audited_ops audited_directory = {
	.key = directory_key,
	.checkpoint = directory_checkpoint,
	.event = directory_event,
	.growth = directory_growth,
	.verify = directory_verify,
};
