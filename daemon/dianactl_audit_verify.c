#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/map_writer.h"
#include "daemon/client_object.h"
#include "daemon/dianactl_audit.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_session.h"
#include "log/base64.h"

/*
 * dianactl audit verify. Each file first by itself: its checkpoint is signed by the key, its proof leads to that
 * checkpoint. Then all checkpoints against the ledger.
 */
struct item {
	const char *file;
	struct buf text;
	struct statement st;
	bool ok;
	char what[120]; /* it says, when ok */
	char reason[300];
};

struct audit {
	struct dianactl *ctl;
	struct note_key key;
	struct item *items;
	size_t n;
	struct log_mark *marks;
	size_t n_marks;
	bool asked; /* the ledger: verdict is set */
	struct log_verdict verdict;
};

/* ---- files by themselves ---- */

static void reject(struct item *item, const char *reason)
{
	item->ok = false;
	snprintf(item->reason, sizeof(item->reason), "%s", reason);
}

static void open_item(struct item *item, const struct note_key *key)
{
	struct checkpoint c;
	struct err err;

	item->ok = statement_read(buf_slice(&item->text), &item->st, &err) == 0 &&
		   checkpoint_open(item->st.note, key, &c, &err) == 0;
	if (!item->ok)
		reject(item, err.text);
	else
		snprintf(item->what, sizeof(item->what), "a checkpoint of %" PRIu64 " events", c.size);
}

/* The leaf of a receipt's event, which must be the one that the index names. */
static bool leaf_of(const struct statement *st, uint8_t ret[MERKLE_HASH])
{
	struct envelope e;
	uint8_t *bytes;
	bool ok;
	size_t n;

	if (st->event.base == NULL || !base64_length(st->event, &n) || (bytes = malloc(n + 1)) == NULL)
		return false;
	ok = base64_get(st->event, bytes, n) && envelope_decode(slice_of(bytes, n), &e) && e.seq == st->index + 1;
	if (ok)
		merkle_leaf(slice_of(bytes, n), ret);
	free(bytes);
	return ok;
}

static void check_receipt(struct item *item)
{
	const struct statement *st = &item->st;
	uint8_t leaf[MERKLE_HASH];

	if (!leaf_of(st, leaf))
		reject(item, "holds no event, or another than it says");
	else if (!proof_shows_leaf(&st->proof, leaf, st->index, st->head.size, st->head.root))
		reject(item, "its event is not in the tree of its checkpoint");
	else
		snprintf(item->what, sizeof(item->what), "event %" PRIu64 " is among %" PRIu64 " events", st->index + 1,
			 st->head.size);
}

/* Any checkpoint that holds tells the older root. */
static const struct checkpoint *older(const struct audit *au, uint64_t size)
{
	for (size_t i = 0; i < au->n; i++)
		if (au->items[i].ok && au->items[i].st.head.size == size)
			return &au->items[i].st.head;
	return NULL;
}

static void check_growth(const struct audit *au, struct item *item)
{
	const struct statement *st = &item->st;
	const struct checkpoint *old = older(au, st->old_size);

	if (old == NULL) {
		item->ok = false;
		snprintf(item->reason, sizeof(item->reason), "needs a checkpoint of %" PRIu64 " events beside it",
			 st->old_size);
	} else if (!proof_shows_growth(&st->proof, st->old_size, old->root, st->head.size, st->head.root)) {
		reject(item, "does not show that the newer tree begins with the older");
	} else {
		snprintf(item->what, sizeof(item->what), "%" PRIu64 " events begin with the first %" PRIu64,
			 st->head.size, st->old_size);
	}
}

static void check_items(struct audit *au)
{
	for (size_t i = 0; i < au->n; i++)
		open_item(&au->items[i], &au->key);
	for (size_t i = 0; i < au->n; i++)
		if (au->items[i].ok && au->items[i].st.kind == STATEMENT_RECEIPT)
			check_receipt(&au->items[i]);
	for (size_t i = 0; i < au->n; i++)
		if (au->items[i].ok && au->items[i].st.kind == STATEMENT_GROWTH)
			check_growth(au, &au->items[i]);
}

/* ---- against the ledger ---- */

static int by_size(const void *a, const void *b)
{
	uint64_t x = ((const struct log_mark *)a)->size, y = ((const struct log_mark *)b)->size;

	return x < y ? -1 : x > y;
}

static void take_marks(struct audit *au)
{
	for (size_t i = 0; i < au->n; i++) {
		struct log_mark *m = &au->marks[au->n_marks];

		if (!au->items[i].ok)
			continue;
		m->size = au->items[i].st.head.size;
		memcpy(m->root, au->items[i].st.head.root, MERKLE_HASH);
		au->n_marks++;
	}
	qsort(au->marks, au->n_marks, sizeof(*au->marks), by_size);
}

/* What lies before the first bad event was found as it was signed. */
static void doubt_items(struct audit *au)
{
	for (size_t i = 0; i < au->n && !au->verdict.ok; i++) {
		struct item *item = &au->items[i];

		if (item->ok && item->st.head.size >= au->verdict.first_bad_seq)
			reject(item, "not shown: the log is not sound up to there");
	}
}

static int ask_ledger(struct audit *au, struct audited *a)
{
	int rc;

	take_marks(au);
	rc = a->ops->verify(a, &au->key, au->marks, au->n_marks, &au->verdict);
	if (rc != DIANACTL_OK)
		return rc;
	au->asked = true;
	doubt_items(au);
	return DIANACTL_OK;
}

/* ---- what came out ---- */

static void print_safely(const char *text)
{
	dianactl_cells_print(stdout, (struct client_text){ text, strlen(text) });
}

static void print_item(const struct item *item)
{
	print_safely(item->file);
	fputs(item->ok ? ": ok, " : ": NOT OK, ", stdout);
	print_safely(item->ok ? item->what : item->reason);
	putchar('\n');
}

static void print_verdict(const struct log_verdict *v)
{
	printf("%" PRIu64 " events checked: %s\n", v->checked, v->ok ? "ok" : "NOT OK");
	if (v->ok)
		return;
	if (v->first_bad_seq != 0)
		printf("first bad seq: %" PRIu64 "\n", v->first_bad_seq);
	fputs("reason: ", stdout);
	print_safely(v->reason);
	putchar('\n');
}

static void pack_items(struct buf *b, const struct audit *au)
{
	static const char *const kinds[] = { "checkpoint", "receipt", "growth" };

	mp_put_array(b, (uint32_t)au->n);
	for (size_t i = 0; i < au->n; i++) {
		const struct item *item = &au->items[i];
		struct map_writer w;

		map_open(&w, b);
		map_str(&w, "file", item->file);
		map_bool(&w, "ok", item->ok);
		map_str(&w, "kind", item->st.note.base != NULL ? kinds[item->st.kind] : NULL);
		map_opt_int(&w, "tree_size", item->st.note.base != NULL, (int64_t)item->st.head.size);
		map_str(&w, "reason", item->ok ? NULL : item->reason);
		map_close(&w);
	}
}

static int print_json(const struct audit *au, bool ok)
{
	const struct log_verdict *v = &au->verdict;
	struct map_writer w;
	struct buf b;
	int rc;

	buf_init(&b, AUDIT_FILE_MAX);
	map_open(&w, &b);
	map_bool(&w, "ok", ok);
	pack_items(map_key(&w, "files"), au);
	map_opt_int(&w, "checked", au->asked, (int64_t)v->checked);
	map_opt_int(&w, "first_bad_seq", au->asked && v->first_bad_seq != 0, (int64_t)v->first_bad_seq);
	map_str(&w, "reason", au->asked && !v->ok ? v->reason : NULL);
	map_close(&w);
	rc = dianactl_session_print_packed(&b);
	buf_free(&b);
	return rc;
}

static int report(const struct audit *au)
{
	bool ok = !au->asked || au->verdict.ok;
	int rc = DIANACTL_OK;

	for (size_t i = 0; i < au->n; i++)
		ok = ok && au->items[i].ok;
	if (au->ctl->json) {
		rc = print_json(au, ok);
	} else {
		for (size_t i = 0; i < au->n; i++)
			print_item(&au->items[i]);
		if (au->asked)
			print_verdict(&au->verdict);
	}
	return rc != DIANACTL_OK || ok ? rc : DIANACTL_REFUSED;
}

/* ---- the command ---- */

int audit_read_key(const char *given, struct note_key *ret)
{
	struct buf text;
	struct err err;
	int rc;

	if (note_key_parse(slice_str(given), ret, &err) == 0)
		return DIANACTL_OK;
	rc = audit_read_file(given, &text);
	if (rc == DIANACTL_OK && note_key_parse(buf_slice(&text), ret, &err) != 0) {
		dianactl_session_warn("%s: %s", given, err.text);
		rc = DIANACTL_USAGE;
	}
	buf_free(&text);
	return rc;
}

static int read_items(struct audit *au)
{
	int rc = DIANACTL_OK;

	for (size_t i = 0; rc == DIANACTL_OK && i < au->n; i++) {
		au->items[i].file = au->ctl->words[1 + i];
		rc = audit_read_file(au->items[i].file, &au->items[i].text);
	}
	return rc;
}

static int ledgers_key(struct audited *a, struct note_key *ret)
{
	int rc = a->ops->key(a, ret);

	if (rc != DIANACTL_OK)
		dianactl_session_warn("give the ledger's key with --key");
	return rc;
}

static int with_ledger(struct audit *au, const struct audit_values *v)
{
	struct audited a;
	int rc = audit_open(au->ctl, v, &a);

	if (rc != DIANACTL_OK)
		return rc;
	/* A directory or an export by itself needs no key. */
	if (v->key == NULL && (au->n > 0 || (v->data == NULL && v->export == NULL)))
		rc = ledgers_key(&a, &au->key);
	if (rc == DIANACTL_OK) {
		check_items(au);
		rc = ask_ledger(au, &a);
	}
	audited_close(&a);
	return rc;
}

static int run(struct audit *au, const struct audit_values *v)
{
	int rc = v->key != NULL ? audit_read_key(v->key, &au->key) : DIANACTL_OK;

	if (rc == DIANACTL_OK)
		rc = read_items(au);
	if (rc != DIANACTL_OK)
		return rc;
	if (v->offline)
		check_items(au);
	else
		rc = with_ledger(au, v);
	return rc == DIANACTL_OK ? report(au) : rc;
}

int audit_verify(struct dianactl *ctl, const struct audit_values *v)
{
	struct audit au = { .ctl = ctl, .n = ctl->n_words - 1 };
	int rc;

	if (v->offline && (v->data != NULL || v->export != NULL || v->key == NULL || au.n == 0))
		return dianactl_session_usage(
			ctl, "audit verify --offline needs --key and files, and neither --data nor --export");
	au.items = calloc(au.n + 1, sizeof(*au.items));
	au.marks = calloc(au.n + 1, sizeof(*au.marks));
	rc = au.items == NULL || au.marks == NULL ? dianactl_session_no_memory() : run(&au, v);
	for (size_t i = 0; au.items != NULL && i < au.n; i++)
		buf_free(&au.items[i].text);
	free(au.items);
	free(au.marks);
	return rc;
}
