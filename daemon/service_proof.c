#include "core/event.h"
#include "daemon/call.h"
#include "daemon/log_key.h"
#include "daemon/server.h"
#include "daemon/worker_query.h"
#include "log/base64.h"
#include "log/log.h"

/* log.key, log.checkpoint, log.prove: what lets an auditor trust the log without trusting who runs it. */

static void put_base64(struct map_writer *w, const char *key, struct slice bytes)
{
	char text[64];

	assert(base64_size(bytes.len) < sizeof(text));
	base64_put(bytes, text);
	map_str(w, key, text);
}

static void put_path(struct map_writer *w, const struct proof *p)
{
	char text[64];
	struct buf *b = map_key(w, "path");

	mp_put_array(b, p->n);
	for (unsigned i = 0; i < p->n; i++) {
		base64_put(slice_of(p->hash[i], MERKLE_HASH), text);
		mp_put_text(b, slice_str(text));
	}
}

int service_log_key(struct call *c, const struct log_key *p)
{
	const struct note_key *key = server_log_key(c->server);
	char id[2 * NOTE_ID + 1];
	struct map_writer w;

	(void)p;
	note_key_put_id(key, id);
	map_open(&w, c->out);
	map_str(&w, "origin", key->name);
	map_str(&w, "algorithm", "ed25519");
	put_base64(&w, "public_key", slice_of(key->pub, NOTE_PUBLIC));
	map_str(&w, "key_id", id);
	map_close(&w);
	return 0;
}

/* ---- log.checkpoint ---- */

struct checkpoint_task {
	const struct note_key *key;
	struct log_checkpoint params;
};

/* Time of the last event of the tree; none of the empty one. */
static int put_time(struct map_writer *w, struct log_reader *r, uint64_t size, struct err *err)
{
	struct envelope env = { .at = 0 };
	struct log_entry e;
	int rc = size > 0 ? log_reader_get(r, size, &e, err) : 0;

	if (rc == 0 && size > 0 && !envelope_decode(e.bytes, &env))
		rc = err_set(err, E_INTERNAL, "event %llu: envelope malformed", (unsigned long long)size);
	map_opt_int(w, "at", size > 0, env.at);
	return rc;
}

static int run_checkpoint(struct worker_task *t)
{
	const struct checkpoint_task *c = t->data;
	uint64_t size = c->params.has_tree_size ? c->params.tree_size : log_reader_head(t->log);
	uint8_t root[MERKLE_HASH];
	struct map_writer w;
	struct buf note;
	int rc = log_prove_root(t->log, size, root, t->err);

	if (rc != 0)
		return rc;
	buf_init(&note, 4096);
	rc = checkpoint_sign(size, root, c->key, &note, t->err);
	map_open(&w, t->out);
	map_str(&w, "origin", c->key->name);
	map_uint(&w, "tree_size", size);
	put_base64(&w, "root", slice_of(root, MERKLE_HASH));
	if (rc == 0)
		rc = put_time(&w, t->log, size, t->err);
	map_text(&w, "text", buf_slice(&note));
	map_close(&w);
	buf_free(&note);
	return rc;
}

int service_log_checkpoint(struct call *c, const struct log_checkpoint *p)
{
	struct checkpoint_task t = { server_log_key(c->server), *p };

	return worker_short_task(c, run_checkpoint, &t, sizeof(t));
}

/* ---- log.prove ---- */

static int prove_event(struct worker_task *t, const struct log_prove *p)
{
	uint64_t size = p->has_tree_size ? p->tree_size : log_reader_head(t->log);
	uint8_t leaf[MERKLE_HASH];
	struct map_writer w;
	struct proof proof;
	int rc = log_prove_event(t->log, p->seq, size, &proof, leaf, t->err);

	if (rc != 0)
		return rc;
	map_open(&w, t->out);
	put_base64(&w, "leaf_hash", slice_of(leaf, MERKLE_HASH));
	put_path(&w, &proof);
	map_uint(&w, "tree_size", size);
	map_close(&w);
	return 0;
}

static int prove_growth(struct worker_task *t, const struct log_prove *p)
{
	uint64_t to = p->has_to_size ? p->to_size : log_reader_head(t->log);
	struct map_writer w;
	struct proof proof;
	int rc = log_prove_growth(t->log, p->from_size, to, &proof, t->err);

	if (rc != 0)
		return rc;
	map_open(&w, t->out);
	put_path(&w, &proof);
	map_uint(&w, "to_size", to);
	map_close(&w);
	return 0;
}

static int run_prove(struct worker_task *t)
{
	const struct log_prove *p = t->data;

	return p->has_seq ? prove_event(t, p) : prove_growth(t, p);
}

int service_log_prove(struct call *c, const struct log_prove *p)
{
	if (p->has_seq == p->has_from_size)
		return err_field(c->err, "seq", "give either seq, or from_size");
	if (p->has_tree_size && !p->has_seq)
		return err_field(c->err, "tree_size", "goes with seq");
	if (p->has_to_size && !p->has_from_size)
		return err_field(c->err, "to_size", "goes with from_size");
	return worker_short_task(c, run_prove, p, sizeof(*p));
}
