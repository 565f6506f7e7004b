#include <inttypes.h>

#include "log/chain.h"
#include "log/env.h"
#include "log/internal.h"
#include "log/nodes.h"

enum { BAD = CHAIN_BAD, PROGRESS_EVERY = 100000 };

/*
 * One verification. Steps answer 0, BAD (the verdict is in the chain) or an error.
 * Blocks are taken whole: events outside [from, to] only count for the Merkle root.
 */
struct verifier {
	struct log_reader *r;
	uint64_t from, to;
	struct chain chain; /* its tree only when from == 1 */
	uint64_t agreed;    /* size of the tree when it last agreed with a stored hash or root */
	/* the block, and the reader's transaction that it is of */
	uint64_t begin; /* what it has before this was checked, in a block that was sealed into it since */
	size_t txn;
	struct log_types types; /* seen in it */
	struct block_group group;
	struct packer packer;
};

/* Damage that a reader found is a verdict; what kept it from reading is an error. */
static int bad_or_error(struct verifier *v, int rc, uint64_t seq, const struct err *err)
{
	return rc == E_INTERNAL ? chain_bad(&v->chain, seq, "%s", err->text) : rc;
}

static int check_place(struct verifier *v, const struct envelope *e)
{
	const struct block_head *h = &v->r->block.head;

	if (!log_types_has(&h->types, e->tag))
		return chain_bad(&v->chain, e->seq, "event %" PRIu64 ": type %d is not in the mask of its block",
				 e->seq, e->tag);
	log_types_add(&v->types, e->tag);
	if (e->seq == h->first ? e->commit != e->seq : e->commit < h->first)
		return chain_bad(&v->chain, e->seq, "event %" PRIu64 ": its commit %" PRIu64 " begins in another block",
				 e->seq, e->commit);
	return 0;
}

static int check_time(struct verifier *v, const struct envelope *e)
{
	const struct block_head *h = &v->r->block.head;

	if ((e->seq == h->first && e->at != h->first_at) || (e->seq == v->r->block.last && e->at != h->last_at) ||
	    e->at > h->last_at)
		return chain_bad(&v->chain, e->seq, "event %" PRIu64 ": time is not that of its block", e->seq);
	return 0;
}

static int check_event(struct verifier *v, uint64_t seq, struct slice bytes, struct err *err)
{
	struct envelope e;
	int rc = chain_read(&v->chain, seq, bytes, &e);

	if (rc == 0)
		rc = check_place(v, &e);
	if (rc == 0)
		rc = chain_follow(&v->chain, &e, err);
	return rc == 0 ? check_time(v, &e) : rc;
}

/* A subtree that the event completes, beside what is stored of it. */
static int check_node(struct verifier *v, unsigned level, const uint8_t hash[MERKLE_HASH], struct err *err)
{
	uint64_t end = v->chain.tree.size, index = (end >> level) - 1, first = (index << level) + 1;
	uint8_t stored[MERKLE_HASH];
	int rc = v->r->log->has_nodes ? nodes_get(v->r->txn, v->r->log->nodes, level, index, stored) : MDB_NOTFOUND;

	/* What is missing is computed when it is needed. */
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0 && memcmp(stored, hash, MERKLE_HASH) == 0) {
		v->agreed = end;
		return 0;
	}
	if (rc != 0 && rc != MDB_CORRUPTED)
		return err_mdb(err, rc, "hashes of the log");
	if (first <= v->agreed)
		first = v->agreed + 1;
	return chain_bad(&v->chain, first, "events %" PRIu64 "..%" PRIu64 ": their stored hash differs", first, end);
}

static int check_hashes(struct verifier *v, struct slice bytes, struct err *err)
{
	uint8_t full[MERKLE_STEPS][MERKLE_HASH];
	unsigned n = merkle_add_full(&v->chain.tree, bytes, full);
	int rc = 0;

	for (unsigned k = 0; rc == 0 && k < n; k++)
		rc = check_node(v, (k + 1) * MERKLE_STEP, full[k], err);
	return rc == 0 ? chain_mark(&v->chain) : rc;
}

static int check_group(struct verifier *v, struct err *err)
{
	const struct block_group *g = &v->group;

	for (uint32_t i = 0; i < g->n; i++) {
		uint64_t seq = g->first + i;
		struct slice bytes = block_group_event(g, i);
		int rc = 0;

		if (seq < v->begin)
			continue;
		/* First what the event says of itself, which names it. */
		if (seq >= v->from && seq <= v->to)
			rc = check_event(v, seq, bytes, err);
		if (rc == 0 && v->from == 1)
			rc = check_hashes(v, bytes, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* What is only known at the end of a block. */
static int check_block_end(struct verifier *v)
{
	const struct block_head *h = &v->r->block.head;
	uint64_t last = v->r->block.last;
	uint8_t root[MERKLE_HASH];

	if (h->first >= v->from && h->first == v->begin && last <= v->to &&
	    memcmp(&h->types, &v->types, sizeof(v->types)) != 0)
		return chain_bad(&v->chain, h->first,
				 "block %" PRIu64 "..%" PRIu64 ": mask has types that are not there", h->first, last);
	if (v->from > 1)
		return 0;
	merkle_root(&v->chain.tree, root);
	if (memcmp(root, h->root, MERKLE_HASH) != 0)
		return chain_bad(&v->chain, h->first > v->agreed ? h->first : v->agreed + 1,
				 "block %" PRIu64 "..%" PRIu64 ": Merkle root differs", h->first, last);
	v->agreed = last;
	return 0;
}

/* The reader goes on in a newer transaction now and then: what it has read may be in the block that comes. */
static bool was_sealed_meanwhile(const struct verifier *v)
{
	return v->r->block.head.codec == BLOCK_ZSTD && mdb_txn_id(v->r->txn) != v->txn;
}

static int check_groups(struct verifier *v, struct err *err)
{
	const struct block_view *b = &v->r->block;
	uint64_t unpacked = 0;

	for (uint32_t g = 0; g < b->n_groups; g++) {
		int rc = block_group_load(b, g, &v->packer, &v->group, err);

		if (rc != 0)
			return bad_or_error(v, rc, v->group.first, err);
		unpacked += v->group.size;
		rc = check_group(v, err);
		if (rc != 0)
			return rc;
	}
	if (unpacked == b->head.unpacked)
		return 0;
	return chain_bad(&v->chain, b->head.first,
			 "block %" PRIu64 "..%" PRIu64 ": its groups have other sizes than it says", b->head.first,
			 b->last);
}

/* Checks the block that begins at seq (or, the first time, holds it). */
static int check_block(struct verifier *v, uint64_t seq, struct err *err)
{
	struct log_reader *r = v->r;
	int rc = reader_load(r, seq, err);

	if (rc != 0)
		return bad_or_error(v, rc, seq, err);
	if (v->chain.ret.checked > 0 && r->block.head.first != seq && !was_sealed_meanwhile(v))
		return chain_bad(&v->chain, seq, "block %" PRIu64 "..%" PRIu64 ": overlaps the one before",
				 r->block.head.first, r->block.last);
	v->begin = v->chain.ret.checked > 0 ? seq : r->block.head.first;
	v->txn = mdb_txn_id(r->txn);
	v->types = (struct log_types){ { 0 } };
	rc = check_groups(v, err);
	return rc == 0 ? check_block_end(v) : rc;
}

/* The tail row speaks of the same tree. */
static int check_tail_row(struct verifier *v, const struct merkle *tail)
{
	size_t peaks = (size_t)merkle_n_peaks(tail->size) * MERKLE_HASH;

	if (v->from > 1 || v->chain.tree.size != tail->size)
		return 0;
	if (memcmp(v->chain.tree.peaks, tail->peaks, peaks) != 0)
		return chain_bad(&v->chain, tail->size, "tail row: is not the tree of size %" PRIu64, tail->size);
	return 0;
}

static int take_breath(struct verifier *v, bool (*progress)(void *, uint64_t, uint64_t), void *arg, struct err *err)
{
	if (progress != NULL && !progress(arg, v->chain.ret.checked, v->to - v->from + 1))
		return err_set(err, E_UNAVAILABLE, "verifying was stopped");
	/* A long transaction would keep freed pages from being used again. */
	return log_reader_refresh(v->r, err);
}

static int run(struct verifier *v, bool (*progress)(void *, uint64_t, uint64_t), void *arg, struct err *err)
{
	uint64_t told = 0;
	struct merkle tail;
	int rc = reader_tail(v->r, &tail, err);

	if (rc != 0)
		return bad_or_error(v, rc, v->r->seen, err);
	if (v->to == 0 || v->to > tail.size)
		v->to = tail.size;
	if (v->r->seen > tail.size)
		return chain_bad(&v->chain, tail.size + 1, "tail row: ends at %" PRIu64 ", the blocks at %" PRIu64,
				 tail.size, v->r->seen);
	rc = chain_mark(&v->chain); /* of size 0 */
	if (rc != 0)
		return rc;
	for (uint64_t seq = v->from; seq <= v->to; seq = v->r->block.last + 1) {
		if (v->chain.ret.checked - told >= PROGRESS_EVERY) {
			told = v->chain.ret.checked;
			rc = take_breath(v, progress, arg, err);
			if (rc != 0)
				return rc;
		}
		rc = check_block(v, seq, err);
		if (rc != 0)
			return rc;
	}
	rc = check_tail_row(v, &tail);
	return rc == 0 ? chain_end(&v->chain) : rc;
}

static int verify(struct verifier *v, bool (*progress)(void *, uint64_t, uint64_t), void *arg, struct log_verdict *ret,
		  struct err *err)
{
	int rc = log_reader_refresh(v->r, err);

	if (rc != 0)
		return rc;
	rc = run(v, progress, arg, err);
	chain_free(&v->chain);
	block_group_free(&v->group);
	packer_free(&v->packer);
	if (rc != 0 && rc != BAD)
		return rc;
	*ret = v->chain.ret;
	return 0;
}

int log_verify(struct log_reader *r, uint64_t from, uint64_t to,
	       bool (*progress)(void *arg, uint64_t done, uint64_t of), void *arg, struct log_verdict *ret,
	       struct err *err)
{
	struct verifier v = { .r = r, .from = from ? from : 1, .to = to };

	chain_init(&v.chain, v.from, NULL, 0);
	return verify(&v, progress, arg, ret, err);
}

int log_verify_marks(struct log_reader *r, const struct log_mark *marks, size_t n_marks,
		     bool (*progress)(void *arg, uint64_t done, uint64_t of), void *arg, struct log_verdict *ret,
		     struct err *err)
{
	struct verifier v = { .r = r, .from = 1 };

	chain_init(&v.chain, 1, marks, n_marks);
	return verify(&v, progress, arg, ret, err);
}
