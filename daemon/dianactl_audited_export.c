#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/dianactl_audited.h"
#include "daemon/dianactl_progress.h"
#include "daemon/dianactl_session.h"
#include "daemon/export.h"

/*
 * An export is trusted for nothing: each question is a pass over all of it, which hashes every event. A proof needs a
 * few hashes out of all: those of the full subtrees of 256 events are kept, 32 bytes each, and the leaves of two of
 * them.
 */
enum { LOOK_EVERY = 4096, GROUP = 1 << MERKLE_STEP, NODES_MAX = 1 << 30 };

void audited_open_export(struct dianactl *ctl, const char *path, struct audited *ret)
{
	*ret = (struct audited){ .ops = &audited_export, .ctl = ctl, .export = path };
}

static int open_export(struct audited *a, const struct log_mark *marks, size_t n, struct export_reader **ret)
{
	struct err err;
	int rc = export_reader_open(a->export, a->ctl->stop_fd, marks, n, ret, &err);

	if (rc == 0)
		return DIANACTL_OK;
	err_wrap(&err, "%s", a->export);
	dianactl_session_err(&err);
	return rc == E_UNAVAILABLE || rc == E_NOT_FOUND ? DIANACTL_NO_ANSWER : DIANACTL_REFUSED;
}

/* Reads to the end. 0: all is as it says. */
static int read_all(struct export_reader *r, void (*on_event)(void *arg, const struct export_entry *e), void *arg,
		    struct err *err)
{
	struct dianactl_progress progress;
	struct export_entry e;
	int rc;

	dianactl_progress_begin(&progress, "events", 0);
	while ((rc = export_reader_next(r, &e, err)) == 0) {
		if (e.head.seq % LOOK_EVERY == 0)
			dianactl_progress_show(&progress, e.head.seq, export_reader_head(r)->to_seq);
		if (on_event != NULL)
			on_event(arg, &e);
	}
	dianactl_progress_end(&progress);
	return rc == E_NOT_FOUND ? 0 : rc;
}

/* ---- verifying ---- */

static int export_key(struct audited *a, struct note_key *ret)
{
	(void)a;
	(void)ret;
	dianactl_session_warn("an export does not hold the key of its ledger");
	return DIANACTL_USAGE;
}

/* Its own checkpoint is of its events, as reading has shown. */
static void check_signature(const struct export_reader *r, const struct note_key *key, struct log_verdict *verdict)
{
	const struct export_head *head = export_reader_head(r);
	struct checkpoint c;
	struct err err;

	if (key->name[0] == '\0' || head->checkpoint.base == NULL ||
	    checkpoint_open(head->checkpoint, key, &c, &err) == 0)
		return;
	verdict->ok = false;
	snprintf(verdict->reason, sizeof(verdict->reason), "the checkpoint in the header: %.120s", err.text);
}

static int export_verify(struct audited *a, const struct note_key *key, const struct log_mark *marks, size_t n,
			 struct log_verdict *ret)
{
	struct export_reader *r;
	struct err err;
	int rc = open_export(a, marks, n, &r);

	if (rc != DIANACTL_OK)
		return rc;
	rc = read_all(r, NULL, NULL, &err);
	*ret = *export_reader_verdict(r);
	if (rc != 0 && ret->ok)
		rc = dianactl_session_err(&err);
	else if (rc != 0)
		snprintf(ret->reason, sizeof(ret->reason), "%.159s", err.text);
	else
		check_signature(r, key, ret);
	export_reader_close(r);
	return ret->ok ? rc : DIANACTL_OK;
}

/* ---- proving ---- */

/* Copies the checkpoint in the header: the only one that an export has. */
static int export_checkpoint(struct audited *a, uint64_t size, struct buf *ret_note)
{
	const struct export_head *head;
	struct export_reader *r;
	int rc = open_export(a, NULL, 0, &r);

	if (rc != DIANACTL_OK)
		return rc;
	head = export_reader_head(r);
	buf_append(ret_note, head->checkpoint.base, head->checkpoint.len);
	if (head->checkpoint.base == NULL) {
		dianactl_session_warn("%s is not signed", a->export);
		rc = DIANACTL_REFUSED;
	} else if (size != 0 && size != head->to_seq) {
		dianactl_session_warn("%s is signed for all of its %" PRIu64 " events only", a->export, head->to_seq);
		rc = DIANACTL_REFUSED;
	}
	export_reader_close(r);
	return rc;
}

/* What a pass keeps. */
struct hashes {
	uint64_t wanted[2]; /* groups whose leaves are kept */
	uint8_t leaves[2][GROUP][MERKLE_HASH];
	struct merkle group; /* the present one */
	struct buf nodes;    /* of all groups that are full */
	uint64_t seq;        /* whose bytes are kept, too */
	struct buf *event;
};

static void keep_hash(void *arg, const struct export_entry *e)
{
	struct hashes *h = arg;
	uint64_t index = e->head.seq - 1;
	uint8_t hash[MERKLE_HASH];

	merkle_leaf(e->bytes, hash);
	for (int i = 0; i < 2; i++)
		if (h->wanted[i] == index / GROUP)
			memcpy(h->leaves[i][index % GROUP], hash, MERKLE_HASH);
	if (h->event != NULL && e->head.seq == h->seq)
		buf_append(h->event, e->bytes.base, e->bytes.len);
	merkle_add_hash(&h->group, hash);
	if (h->group.size < GROUP)
		return;
	buf_append(&h->nodes, h->group.peaks[0], MERKLE_HASH);
	h->group = (struct merkle){ .size = 0 };
}

static const uint8_t *find_leaves(const struct hashes *h, uint64_t index)
{
	for (int i = 0; i < 2; i++)
		if (h->wanted[i] == index / GROUP)
			return h->leaves[i][index % GROUP];
	return NULL;
}

/* As struct subtrees has it: from the leaves of a group that was wanted, or from the hashes of groups. */
static int hash_subtree(void *arg, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH], struct err *err)
{
	const struct hashes *h = arg;
	bool small = level < MERKLE_STEP;
	uint64_t n = UINT64_C(1) << (small ? level : level - MERKLE_STEP), first = index * n;
	const uint8_t *from = small ? find_leaves(h, first) : h->nodes.base + first * MERKLE_HASH;
	struct merkle tree = { .size = 0 };

	if (from == NULL || (!small && (first + n) * MERKLE_HASH > h->nodes.len))
		return err_set(err, E_INTERNAL, "a hash that was not kept");
	for (uint64_t i = 0; i < n; i++)
		merkle_add_hash(&tree, from + i * MERKLE_HASH);
	merkle_root(&tree, ret);
	return 0;
}

/* A pass that keeps what proofs about the events a and b need. *ret is to be freed with free_hashes(). */
static int read_hashes(struct audited *a, uint64_t first, uint64_t second, uint64_t seq, struct buf *event,
		       struct hashes **ret)
{
	struct hashes *h = calloc(1, sizeof(*h));
	struct export_reader *r;
	struct err err;
	int rc;

	if (h == NULL)
		return dianactl_session_no_memory();
	buf_init(&h->nodes, NODES_MAX);
	h->wanted[0] = first / GROUP;
	h->wanted[1] = second / GROUP;
	h->seq = seq;
	h->event = event;
	*ret = h;
	rc = open_export(a, NULL, 0, &r);
	if (rc != DIANACTL_OK)
		return rc;
	if (read_all(r, keep_hash, h, &err) != 0)
		rc = dianactl_session_err(&err);
	else if (h->nodes.failed || (event != NULL && event->failed))
		rc = dianactl_session_no_memory();
	export_reader_close(r);
	return rc;
}

static void free_hashes(struct hashes *h)
{
	if (h != NULL)
		buf_free(&h->nodes);
	free(h);
}

static int beyond(const struct audited *a, uint64_t seq, uint64_t size)
{
	dianactl_session_warn("%s ends with event %" PRIu64 ": there is no %" PRIu64, a->export, size, seq);
	return DIANACTL_REFUSED;
}

static int export_event(struct audited *a, uint64_t seq, uint64_t size, struct proof *ret, struct buf *ret_event)
{
	struct hashes *h = NULL;
	struct subtrees trees;
	struct err err;
	int rc;

	if (seq > size)
		return beyond(a, seq, size);
	rc = read_hashes(a, seq - 1, size, seq, ret_event, &h);
	trees = (struct subtrees){ hash_subtree, h };
	if (rc == DIANACTL_OK && proof_of_leaf(&trees, seq - 1, size, ret, &err) != 0)
		rc = dianactl_session_err(&err);
	free_hashes(h);
	return rc;
}

static int export_growth(struct audited *a, uint64_t from, uint64_t to, struct proof *ret)
{
	struct hashes *h = NULL;
	struct subtrees trees;
	struct err err;
	int rc;

	if (from > to)
		return beyond(a, from, to);
	rc = read_hashes(a, from, to, 0, NULL, &h);
	trees = (struct subtrees){ hash_subtree, h };
	if (rc == DIANACTL_OK && proof_of_growth(&trees, from, to, ret, &err) != 0)
		rc = dianactl_session_err(&err);
	free_hashes(h);
	return rc;
}

const struct audited_ops audited_export = {
	.key = export_key,
	.checkpoint = export_checkpoint,
	.event = export_event,
	.growth = export_growth,
	.verify = export_verify,
};
