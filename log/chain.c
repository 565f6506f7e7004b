#include "log/chain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void chain_init(struct chain *c, uint64_t from, const struct log_mark *marks, size_t n_marks)
{
	*c = (struct chain){ .from = from, .ret.ok = true, .at = INT64_MIN, .marks = marks, .n_marks = n_marks };
}

void chain_free(struct chain *c)
{
	versions_free(&c->versions);
}

int chain_bad(struct chain *c, uint64_t seq, const char *fmt, ...)
{
	va_list ap;

	c->ret.ok = false;
	c->ret.first_bad_seq = seq;
	va_start(ap, fmt);
	vsnprintf(c->ret.reason, sizeof(c->ret.reason), fmt, ap);
	va_end(ap);
	return CHAIN_BAD;
}

int chain_read(struct chain *c, uint64_t seq, struct slice bytes, struct envelope *ret)
{
	if (!envelope_decode(bytes, ret))
		return chain_bad(c, seq, "event %" PRIu64 ": envelope malformed", seq);
	if (ret->seq != seq)
		return chain_bad(c, seq, "event %" PRIu64 ": says it is %" PRIu64, seq, ret->seq);
	return 0;
}

static int check_version(struct chain *c, const struct envelope *e, struct err *err)
{
	uint32_t before;

	if (!versions_note(&c->versions, e->stream, e->version, &before))
		return err_set(err, E_UNAVAILABLE, "out of memory");
	if (before == 0 && c->from > 1 && e->version > 0)
		return 0;
	if ((uint32_t)e->version != before + 1)
		return chain_bad(c, e->seq, "event %" PRIu64 ": version %" PRIu64 " of %.*s follows %" PRIu32, e->seq,
				 e->version, SLICE_FMT(e->stream), before);
	return 0;
}

static int check_commit(struct chain *c, const struct envelope *e)
{
	bool begins = e->commit == e->seq;

	if (!begins && c->commit != 0 && e->commit != c->commit)
		return chain_bad(c, e->seq, "event %" PRIu64 ": is of commit %" PRIu64 " inside commit %" PRIu64,
				 e->seq, e->commit, c->commit);
	if (!begins && c->commit != 0 && e->at != c->at)
		return chain_bad(c, e->seq, "event %" PRIu64 ": time differs from that of its commit", e->seq);
	c->commit = e->commit;
	return 0;
}

int chain_follow(struct chain *c, const struct envelope *e, struct err *err)
{
	int rc = check_commit(c, e);

	if (rc != 0)
		return rc;
	if (c->at > e->at)
		return chain_bad(c, e->seq, "event %" PRIu64 ": time falls", e->seq);
	c->at = e->at;
	c->ret.checked++;
	return check_version(c, e, err);
}

int chain_mark(struct chain *c)
{
	uint8_t root[MERKLE_HASH];

	for (; c->n_marks > 0 && c->marks->size == c->tree.size; c->marks++, c->n_marks--) {
		merkle_root(&c->tree, root);
		if (memcmp(root, c->marks->root, MERKLE_HASH) != 0)
			return chain_bad(c, c->held + 1,
					 "events %" PRIu64 "..%" PRIu64
					 ": not those of the checkpoint of size %" PRIu64,
					 c->held + 1, c->tree.size, c->tree.size);
		c->held = c->tree.size;
	}
	return 0;
}

int chain_end(struct chain *c)
{
	if (c->n_marks == 0)
		return 0;
	return chain_bad(c, c->tree.size + 1, "the log ends at %" PRIu64 ", a checkpoint has seen %" PRIu64,
			 c->tree.size, c->marks->size);
}
