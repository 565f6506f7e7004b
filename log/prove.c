#include <inttypes.h>

#include "log/env.h"
#include "log/internal.h"
#include "log/nodes.h"
#include "log/proof.h"

/* Proofs over a stored log: subtree hashes come from the table `nodes`, what it lacks from the events. */

static int node_hash(struct log_reader *r, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH], struct err *err);

static int leaf_hash(struct log_reader *r, uint64_t index, uint8_t ret[MERKLE_HASH], struct err *err)
{
	struct log_entry e;
	int rc = log_reader_get(r, index + 1, &e, err);

	if (rc == 0)
		merkle_leaf(e.bytes, ret);
	return rc;
}

/* From the subtrees of a lower level. */
static int fold(struct log_reader *r, unsigned level, uint64_t index, unsigned lower, uint8_t ret[MERKLE_HASH],
		struct err *err)
{
	uint64_t n = UINT64_C(1) << (level - lower);
	struct merkle m = { 0 };
	uint8_t hash[MERKLE_HASH];

	for (uint64_t i = 0; i < n; i++) {
		int rc = node_hash(r, lower, index * n + i, hash, err);

		if (rc != 0)
			return rc;
		merkle_add_hash(&m, hash);
	}
	memcpy(ret, m.peaks[0], MERKLE_HASH);
	return 0;
}

static int node_hash(struct log_reader *r, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH], struct err *err)
{
	int rc;

	if (level == 0)
		return leaf_hash(r, index, ret, err);
	if (level % MERKLE_STEP != 0)
		return fold(r, level, index, level - level % MERKLE_STEP, ret, err);
	rc = r->log->has_nodes ? nodes_get(r->txn, r->log->nodes, level, index, ret) : MDB_NOTFOUND;
	if (rc == MDB_NOTFOUND)
		return fold(r, level, index, level - MERKLE_STEP, ret, err);
	return rc == 0 ? 0 : err_mdb(err, rc, "hashes of the log");
}

static int subtree(void *arg, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH], struct err *err)
{
	return node_hash(arg, level, index, ret, err);
}

/* ---- what was asked ---- */

static int begin(struct log_reader *r, const char *field, uint64_t size, struct err *err)
{
	int rc = reader_wake(r, err);

	if (rc == 0 && size > r->seen)
		rc = err_field(err, field, "must not pass the head, %" PRIu64, r->seen);
	return rc;
}

static int at_odds(struct err *err)
{
	return err_set(err, E_INTERNAL, "events and stored hashes do not agree; see log.verify");
}

/* The root of `size`, shown to be the beginning of the tree of the tail row: nothing is vouched for that the log's own
 * latest root contradicts. */
static int tested_root(struct log_reader *r, const struct subtrees *s, uint64_t size, uint8_t ret[MERKLE_HASH],
		       struct err *err)
{
	uint8_t root[MERKLE_HASH], head[MERKLE_HASH];
	struct merkle tail;
	struct proof p;
	int rc = reader_tail(r, &tail, err);

	if (rc == 0 && tail.size != r->seen)
		rc = at_odds(err);
	if (rc == 0)
		rc = proof_root(s, size, root, err);
	if (rc == 0)
		rc = proof_of_growth(s, size, tail.size, &p, err);
	if (rc != 0)
		return rc;
	merkle_root(&tail, head);
	if (!proof_shows_growth(&p, size, root, tail.size, head))
		return at_odds(err);
	memcpy(ret, root, MERKLE_HASH);
	return 0;
}

int log_prove_root(struct log_reader *r, uint64_t size, uint8_t ret_root[32], struct err *err)
{
	const struct subtrees s = { subtree, r };
	int rc = begin(r, "tree_size", size, err);

	return rc == 0 ? tested_root(r, &s, size, ret_root, err) : rc;
}

int log_prove_event(struct log_reader *r, uint64_t seq, uint64_t size, struct proof *ret, uint8_t ret_leaf[32],
		    struct err *err)
{
	const struct subtrees s = { subtree, r };
	uint8_t root[MERKLE_HASH], leaf[MERKLE_HASH];
	struct proof p;
	int rc = begin(r, "tree_size", size, err);

	if (rc == 0 && (seq == 0 || seq > size))
		rc = err_field(err, "seq", "must be within the tree, 1 to %" PRIu64, size);
	if (rc == 0)
		rc = leaf_hash(r, seq - 1, leaf, err);
	if (rc == 0)
		rc = proof_of_leaf(&s, seq - 1, size, &p, err);
	if (rc == 0)
		rc = tested_root(r, &s, size, root, err);
	if (rc == 0 && !proof_shows_leaf(&p, leaf, seq - 1, size, root))
		rc = at_odds(err);
	if (rc != 0)
		return rc;
	*ret = p;
	memcpy(ret_leaf, leaf, MERKLE_HASH);
	return 0;
}

int log_prove_growth(struct log_reader *r, uint64_t from, uint64_t to, struct proof *ret, struct err *err)
{
	const struct subtrees s = { subtree, r };
	uint8_t older[MERKLE_HASH], newer[MERKLE_HASH];
	struct proof p;
	int rc = begin(r, "to_size", to, err);

	if (rc == 0 && from > to)
		rc = err_field(err, "from_size", "must not pass to_size, %" PRIu64, to);
	if (rc == 0)
		rc = tested_root(r, &s, from, older, err);
	if (rc == 0)
		rc = tested_root(r, &s, to, newer, err);
	if (rc == 0)
		rc = proof_of_growth(&s, from, to, &p, err);
	if (rc == 0 && !proof_shows_growth(&p, from, older, to, newer))
		rc = at_odds(err);
	if (rc == 0)
		*ret = p;
	return rc;
}
