#include "daemon/dianactl_audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dianactl_session.h"

static const struct dianactl_option audit_options[] = {
	{ "data", 0, DIANACTL_TEXT, offsetof(struct audit_values, data), "DIR",
	  "read this data directory instead of asking the daemon" },
	{ "export", 0, DIANACTL_TEXT, offsetof(struct audit_values, export), "FILE",
	  "read this export of a whole log instead" },
	{ "key", 0, DIANACTL_TEXT, offsetof(struct audit_values, key), "KEY",
	  "verify: the ledger's key, or a file with it (default: its own)" },
	{ "offline", 0, DIANACTL_FLAG, offsetof(struct audit_values, offline), NULL,
	  "verify: only the files, with --key, without any ledger" },
	{ "size", 0, DIANACTL_NUMBER, offsetof(struct audit_values, size), "N",
	  "checkpoint, prove SEQ: of the log's first N events (default: all)" },
	{ "from", 0, DIANACTL_NUMBER, offsetof(struct audit_values, from), "N", "prove: growth from N events" },
	{ "to", 0, DIANACTL_NUMBER, offsetof(struct audit_values, to), "N",
	  "prove: growth to N events (default: all)" },
};

int audit_read_file(const char *path, struct buf *ret)
{
	char chunk[1 << 14];
	FILE *f = fopen(path, "rb");
	size_t n;
	bool failed;

	buf_init(ret, AUDIT_FILE_MAX);
	if (f == NULL) {
		dianactl_session_warn("%s: %s", path, strerror(errno));
		return DIANACTL_USAGE;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_append(ret, chunk, n);
	failed = ferror(f) != 0;
	fclose(f);
	if (!failed && !ret->failed)
		return DIANACTL_OK;
	dianactl_session_warn("%s: %s", path, failed ? "cannot be read" : "is too large");
	return DIANACTL_USAGE;
}

static int print_text(const struct buf *b)
{
	if (b->failed)
		return dianactl_session_no_memory();
	fwrite(b->base, 1, b->len, stdout);
	return DIANACTL_OK;
}

/* ---- key, checkpoint ---- */

static int print_key(struct audited *a, const struct audit_values *v)
{
	char text[NOTE_KEY_TEXT];
	struct note_key key;
	int rc = a->ops->key(a, &key);

	(void)v;
	if (rc == DIANACTL_OK) {
		note_key_put(&key, text);
		fputs(text, stdout);
	}
	return rc;
}

static int print_checkpoint(struct audited *a, const struct audit_values *v)
{
	struct buf note;
	int rc;

	buf_init(&note, AUDIT_FILE_MAX);
	rc = a->ops->checkpoint(a, v->size, &note);
	if (rc == DIANACTL_OK)
		rc = print_text(&note);
	buf_free(&note);
	return rc;
}

/* ---- prove ---- */

int audit_take_checkpoint(struct audited *a, uint64_t size, struct buf *note, uint64_t *ret_size)
{
	struct checkpoint c;
	struct err err;
	int rc = a->ops->checkpoint(a, size, note);

	if (rc != DIANACTL_OK)
		return rc;
	if (checkpoint_read(buf_slice(note), &c, &err) != 0)
		return dianactl_session_odd("log.checkpoint");
	*ret_size = c.size;
	return DIANACTL_OK;
}

int audit_put_receipt(struct audited *a, uint64_t seq, uint64_t size, const struct buf *note, struct buf *out)
{
	struct buf event;
	struct proof p;
	int rc;

	buf_init(&event, AUDIT_FILE_MAX);
	rc = a->ops->event(a, seq, size, &p, &event);
	if (rc == DIANACTL_OK)
		receipt_put(out, seq - 1, buf_slice(&event), &p, buf_slice(note));
	buf_free(&event);
	return rc;
}

static int prove_event(struct audited *a, uint64_t seq, uint64_t size, struct buf *out)
{
	struct buf note;
	uint64_t n = 0;
	int rc;

	buf_init(&note, AUDIT_FILE_MAX);
	rc = audit_take_checkpoint(a, size, &note, &n);
	if (rc == DIANACTL_OK)
		rc = audit_put_receipt(a, seq, n, &note, out);
	buf_free(&note);
	return rc;
}

static int prove_growth(struct audited *a, uint64_t from, uint64_t to, struct buf *out)
{
	struct proof p;
	struct buf note;
	uint64_t n = 0;
	int rc;

	buf_init(&note, AUDIT_FILE_MAX);
	rc = audit_take_checkpoint(a, to, &note, &n);
	if (rc == DIANACTL_OK)
		rc = a->ops->growth(a, from, n, &p);
	if (rc == DIANACTL_OK)
		growth_put(out, from, &p, buf_slice(&note));
	buf_free(&note);
	return rc;
}

static bool read_seq(const char *word, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(word, &end, 10);
	return word[0] >= '1' && word[0] <= '9' && *end == '\0' && errno == 0;
}

static int print_proof(struct audited *a, const struct audit_values *v)
{
	struct dianactl *ctl = a->ctl;
	uint64_t seq = 0;
	struct buf out;
	int rc;

	if ((ctl->n_words > 1) == (v->from != 0))
		return dianactl_session_usage(ctl, "audit prove needs a SEQ, or --from");
	if (ctl->n_words > 1 && !read_seq(ctl->words[1], &seq))
		return dianactl_session_usage(ctl, "audit prove: '%s' is no seq", ctl->words[1]);
	if (seq != 0 ? v->to != 0 : v->size != 0)
		return dianactl_session_usage(ctl, "audit prove: --size goes with a SEQ, --to with --from");
	buf_init(&out, AUDIT_FILE_MAX);
	rc = seq != 0 ? prove_event(a, seq, v->size, &out) : prove_growth(a, v->from, v->to, &out);
	if (rc == DIANACTL_OK)
		rc = print_text(&out);
	buf_free(&out);
	return rc;
}

/* ---- the command ---- */

static const struct verb {
	const char *name;
	size_t max_words;
	bool sizes, growth;
	int (*run)(struct audited *a, const struct audit_values *v);
} verbs[] = {
	{ "key", 1, false, false, print_key },
	{ "checkpoint", 1, true, false, print_checkpoint },
	{ "prove", 2, true, true, print_proof },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < DIANACTL_COUNT(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

int audit_open(struct dianactl *ctl, const struct audit_values *v, struct audited *ret)
{
	if (v->export == NULL)
		return audited_open(ctl, v->data, ret);
	audited_open_export(ctl, v->export, ret);
	return DIANACTL_OK;
}

static int run_verb(struct dianactl *ctl, const struct verb *verb, const struct audit_values *v)
{
	struct audited a;
	int rc;

	if (v->key != NULL || v->offline)
		return dianactl_session_usage(ctl, "audit %s takes neither --key nor --offline", verb->name);
	if ((v->size != 0 && !verb->sizes) || ((v->from != 0 || v->to != 0) && !verb->growth))
		return dianactl_session_usage(ctl, "audit %s does not take that size", verb->name);
	if (ctl->n_words > verb->max_words)
		return dianactl_session_usage(ctl, "audit %s takes no further argument '%s'", verb->name,
					      ctl->words[verb->max_words]);
	rc = audit_open(ctl, v, &a);
	if (rc != DIANACTL_OK)
		return rc;
	rc = verb->run(&a, v);
	audited_close(&a);
	return rc;
}

static int audit_run(struct dianactl *ctl, const void *values)
{
	const struct audit_values *v = values;
	const struct verb *verb = find_verb(ctl->words[0]);

	if (v->data != NULL && v->export != NULL)
		return dianactl_session_usage(ctl, "audit takes one of --data and --export");
	if (verb != NULL)
		return run_verb(ctl, verb, v);
	if (strcmp(ctl->words[0], "verify") != 0)
		return dianactl_session_usage(ctl, "audit: unknown '%s'; it is key, checkpoint, prove or verify",
					      ctl->words[0]);
	if (v->size != 0 || v->from != 0 || v->to != 0)
		return dianactl_session_usage(ctl, "audit verify takes no sizes: they stand in the files");
	return audit_verify(ctl, v);
}

const struct dianactl_command dianactl_audit_command = {
	.name = "audit",
	.words = "key | checkpoint | prove SEQ | prove --from N | verify [FILE]...",
	.help = "Sign, prove and verify the history of the log",
	.more = "key         the public key, to be kept once\n"
		"checkpoint  size and root of the log, signed; keep it where the operator cannot write\n"
		"prove       a receipt for one event; with --from that the log only grew since N events\n"
		"verify      whether the log is sound, and still begins with what is in the files: checkpoints,\n"
		"            receipts, growth. Exit code 1, and the first seq that may be bad, if not\n"
		"\n"
		"With --data everything is read and hashed here, beside a running daemon or without one. Without it\n"
		"the daemon proves growth, and says itself whether the rest is sound.",
	.options = audit_options,
	.n_options = DIANACTL_COUNT(audit_options),
	.values_size = sizeof(struct audit_values),
	.min_words = 1,
	.max_words = SIZE_MAX,
	.run = audit_run,
};
