#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "log/env.h"
#include "log/internal.h"
#include "log/nodes.h"

enum {
	BLOCK_MAX_DEFAULT = 1 << 20,
	COMMIT_MAX = 16 << 20,
	OPEN_MAX = 64 << 20, /* the open block never passes this, whatever block_max says */
	SPACE_EVERY_MS = 1000,
};
static const size_t reserve_default = (size_t)64 << 20;
static const size_t map_default = (size_t)1 << 40;
static const MDB_val tail_key = { 4, (void *)"tail" };

/* ---- opening ---- */

static int lock_dir(const char *dir, int *ret_fd, struct err *err)
{
	char path[4096], pid[24] = "";
	int fd, n;

	if ((size_t)snprintf(path, sizeof(path), "%s/LOCK", dir) >= sizeof(path))
		return err_set(err, E_INVALID_ARGUMENT, "name of the log directory is too long");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_mdb(err, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int why = errno;
		ssize_t got = read(fd, pid, sizeof(pid) - 1);

		close(fd);
		if (why != EWOULDBLOCK)
			return err_mdb(err, why, "lock %s", path);
		pid[got > 0 ? (size_t)got : 0] = '\0';
		return err_set(err, E_UNAVAILABLE, "%s is in use by another daemon (process %d); stop it first", dir,
			       atoi(pid));
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	/* Only a help for whoever finds it locked; the lock does not depend on it. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)n, 0) < 0)
		errno = 0;
	*ret_fd = fd;
	return 0;
}

static int put_tail(MDB_txn *txn, MDB_dbi dbi, const struct merkle *tree)
{
	uint8_t row[TAIL_MAX];
	MDB_val key = tail_key, val = { tail_put(row, tree), row };

	return mdb_put(txn, dbi, &key, &val, 0);
}

int tail_get(MDB_txn *txn, MDB_dbi dbi, struct merkle *ret, struct err *err)
{
	MDB_val key = tail_key, val;
	int rc = mdb_get(txn, dbi, &key, &val);

	if (rc == MDB_NOTFOUND)
		return err_set(err, E_INTERNAL, "tail row: missing");
	if (rc != 0)
		return err_mdb(err, rc, "tail row");
	return tail_parse(slice_of(val.mv_data, val.mv_size), ret, err);
}

int block_find(MDB_cursor *cursor, uint64_t seq, struct block_view *ret, struct err *err)
{
	uint8_t want[BLOCK_KEY];
	MDB_val key = { sizeof(want), want }, val;
	int rc;

	block_key(seq, want);
	rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		return err_set(err, E_INTERNAL, "the block that holds %" PRIu64 " is missing", seq);
	if (rc != 0)
		return err_mdb(err, rc, "find the block that holds %" PRIu64, seq);
	rc = block_parse(slice_of(key.mv_data, key.mv_size), slice_of(val.mv_data, val.mv_size), ret, err);
	if (rc != 0)
		return rc;
	if (seq < ret->head.first)
		return err_set(err, E_INTERNAL, "events %" PRIu64 "..%" PRIu64 " are missing", seq,
			       ret->head.first - 1);
	return 0;
}

/* Opens the tables, or makes them in an environment that holds nothing. The derived one may be missing. */
static int open_tables(struct log *log, MDB_txn *txn, struct err *err)
{
	static const struct merkle nothing;
	unsigned create;
	MDB_dbi root;
	MDB_stat st;
	int rc = mdb_dbi_open(txn, NULL, 0, &root);

	if (rc != 0 || (rc = mdb_stat(txn, root, &st)) != 0)
		return err_mdb(err, rc, "tables");
	create = st.ms_entries == 0 ? MDB_CREATE : 0;
	if ((rc = mdb_dbi_open(txn, "blocks", create, &log->blocks)) != 0 ||
	    (rc = mdb_dbi_open(txn, "tail", create, &log->tail)) != 0 ||
	    (rc = mdb_dbi_open(txn, "nodes", MDB_CREATE, &log->nodes)) != 0 ||
	    (create != 0 && (rc = put_tail(txn, log->tail, &nothing)) != 0))
		return rc == MDB_NOTFOUND ? err_set(err, E_INTERNAL, "data.mdb is not a log")
					  : err_mdb(err, rc, "tables");
	log->has_nodes = true;
	return 0;
}

/* The last block must be whole and be what the tail row says. */
static int check_last(struct log *log, MDB_cursor *cursor, struct block_group *group, struct err *err)
{
	struct packer packer = { 0 };
	struct block_view b;
	uint8_t root[MERKLE_HASH];
	MDB_val key, val;
	int rc = mdb_cursor_get(cursor, &key, &val, MDB_LAST);

	if (rc == MDB_NOTFOUND && log->durable.size == 0)
		return 0;
	if (rc != 0)
		return err_mdb(err, rc, "last block");
	rc = block_parse(slice_of(key.mv_data, key.mv_size), slice_of(val.mv_data, val.mv_size), &b, err);
	for (uint32_t g = 0; rc == 0 && g < b.n_groups; g++)
		rc = block_group_load(&b, g, &packer, group, err);
	packer_free(&packer);
	if (rc != 0)
		return rc;
	merkle_root(&log->durable, root);
	if (b.last != log->durable.size || memcmp(b.head.root, root, MERKLE_HASH) != 0)
		return err_set(err, E_INTERNAL,
			       "last block ends at %" PRIu64 ", which is not the tree of size %" PRIu64, b.last,
			       log->durable.size);
	log->last_at = b.head.last_at;
	return 0;
}

static int check_tail(struct log *log, MDB_txn *txn, struct err *err)
{
	struct block_group *group;
	MDB_cursor *cursor;
	int rc = tail_get(txn, log->tail, &log->durable, err);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_open(txn, log->blocks, &cursor);
	if (rc != 0)
		return err_mdb(err, rc, "last block");
	group = calloc(1, sizeof(*group));
	rc = group == NULL ? err_set(err, E_UNAVAILABLE, "out of memory") : check_last(log, cursor, group, err);
	if (group != NULL)
		block_group_free(group);
	free(group);
	mdb_cursor_close(cursor);
	merkle_root(&log->durable, log->durable_root);
	return rc;
}

static int load(struct log *log, const struct log_options *o, struct err *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(log->env, NULL, 0, &txn);

	if (rc != 0)
		return err_mdb(err, rc, "begin");
	rc = open_tables(log, txn, err);
	if (rc == 0)
		rc = check_tail(log, txn, err);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? nodes_catch_up(log, o, err) : err_mdb(err, rc, "commit");
}

static int open_all(struct log *log, const struct log_options *o, struct err *err)
{
	int rc;

	if ((rc = lock_dir(log->dir, &log->lock_fd, err)) != 0)
		return rc;
	if ((rc = env_open(log->dir, o->map_max ? o->map_max : map_default, &log->env, err)) == 0)
		rc = load(log, o, err);
	if (rc == E_INTERNAL)
		err_wrap(err, "the log in %s is damaged or not one (restore it from a backup)", log->dir);
	return rc;
}

/* A log that is not open yet; NULL without memory. */
static struct log *log_new(const char *dir, const struct log_options *o)
{
	struct log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	log->dir = strdup(dir);
	if (log->dir == NULL) {
		free(log);
		return NULL;
	}
	log->lock_fd = -1;
	log->block_max = o->block_max ? o->block_max : BLOCK_MAX_DEFAULT;
	log->reserve = o->reserve ? o->reserve : reserve_default;
	log->space_at = -1;
	for (int i = 0; i < 2; i++)
		block_init(&log->memory[i], OPEN_MAX + COMMIT_MAX);
	log->open = &log->memory[0];
	return log;
}

int log_open(const char *dir, const struct log_options *options, struct log **ret, struct err *err)
{
	static const struct log_options none;
	const struct log_options *o = options ? options : &none;
	struct log *log = log_new(dir, o);
	int rc;

	if (log == NULL)
		return err_set(err, E_UNAVAILABLE, "out of memory");
	rc = open_all(log, o, err);
	if (rc != 0) {
		log_close(log);
		return rc;
	}
	block_restart(log->open, log->durable.size + 1, 0);
	*ret = log;
	return 0;
}

static int load_readonly(struct log *log, struct err *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(log->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return err_mdb(err, rc, "begin reading");
	if ((rc = mdb_dbi_open(txn, "blocks", 0, &log->blocks)) != 0 ||
	    (rc = mdb_dbi_open(txn, "tail", 0, &log->tail)) != 0) {
		mdb_txn_abort(txn);
		return rc == MDB_NOTFOUND ? err_set(err, E_INTERNAL, "%s/data.mdb is not a log", log->dir)
					  : err_mdb(err, rc, "tables");
	}
	log->has_nodes = mdb_dbi_open(txn, "nodes", 0, &log->nodes) == 0;
	/* A commit, though nothing was written: it is what keeps the handles. */
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : err_mdb(err, rc, "tables");
}

int log_open_readonly(const char *dir, struct log **ret, struct err *err)
{
	static const struct log_options none;
	struct log *log = log_new(dir, &none);
	int rc;

	if (log == NULL)
		return err_set(err, E_UNAVAILABLE, "out of memory");
	rc = env_open_readonly(dir, map_default, &log->env, err);
	if (rc == 0)
		rc = load_readonly(log, err);
	if (rc != 0) {
		log_close(log);
		return rc;
	}
	*ret = log;
	return 0;
}

void log_close(struct log *log)
{
	if (log == NULL)
		return;
	if (log->env != NULL)
		mdb_env_close(log->env);
	/* Last, for it is what keeps others out. */
	if (log->lock_fd >= 0)
		close(log->lock_fd);
	for (int i = 0; i < 2; i++)
		block_free(&log->memory[i]);
	free(log->dir);
	free(log);
}

unsigned log_drop_dead_readers(struct log *log)
{
	int dead = 0;

	return mdb_reader_check(log->env, &dead) == 0 && dead > 0 ? (unsigned)dead : 0;
}

/* ---- where it stands ---- */

uint64_t log_head(const struct log *log)
{
	return block_last_seq(log->open);
}

uint64_t log_durable(const struct log *log)
{
	return log->durable.size;
}

int64_t log_last_at(const struct log *log)
{
	return log->last_at;
}

bool log_failed(const struct log *log)
{
	return log->failed;
}

size_t log_open_bytes(const struct log *log)
{
	return log->open->payload.len;
}

bool log_wants_flush(const struct log *log)
{
	return log->open->payload.len >= log->block_max;
}

void log_root(const struct log *log, uint64_t *ret_size, uint8_t ret_root[32])
{
	*ret_size = log->durable.size;
	memcpy(ret_root, log->durable_root, MERKLE_HASH);
}

/* Room left by the file system and by the map. */
static int room(const struct log *log, uint64_t *ret, struct err *err)
{
	uint64_t used, map, free_bytes;
	int rc = env_free_bytes(log->dir, &free_bytes, err);

	if (rc != 0)
		return rc;
	env_sizes(log->env, &used, &map);
	*ret = free_bytes > map - used ? map - used : free_bytes; /* the file never passes the map */
	return 0;
}

int log_space(struct log *log, int64_t now_ms, struct err *err)
{
	uint64_t waits = log->open->payload.len + (log->flight ? log->flight->payload.len : 0);

	if (log->space_at < 0 || now_ms - log->space_at >= SPACE_EVERY_MS) {
		int rc = room(log, &log->space_left, err);

		if (rc != 0)
			return rc;
		log->space_at = now_ms;
	}
	if (log->space_left >= waits && log->space_left - waits >= log->reserve)
		return 0;
	return err_set(err, E_STORAGE_FULL, "less than %zu MiB are free for the log in %s", log->reserve >> 20,
		       log->dir);
}

int log_info(struct log *log, struct log_info *ret, struct err *err)
{
	struct log_info info;
	MDB_txn *txn;
	MDB_stat st;
	int rc = env_free_bytes(log->dir, &info.free_bytes, err);

	if (rc != 0)
		return rc;
	rc = mdb_txn_begin(log->env, NULL, MDB_RDONLY, &txn);
	if (rc != 0)
		return err_mdb(err, rc, "begin");
	rc = mdb_stat(txn, log->blocks, &st);
	rc = rc == 0 ? sealed_get(txn, log->tail, &info.sealed, err) : err_mdb(err, rc, "blocks");
	mdb_txn_abort(txn);
	if (rc != 0)
		return rc;
	info.blocks = st.ms_entries;
	env_sizes(log->env, &info.used_bytes, &info.map_bytes);
	*ret = info;
	return 0;
}

/* ---- writing ---- */

int log_append(struct log *log, struct slice events, const uint32_t *ends, const uint8_t *tags, size_t n, int64_t at,
	       struct err *err)
{
	size_t need = block_append_need(events.len, n);

	assert(at >= log->last_at);
	if (log->failed)
		return err_set(err, E_UNAVAILABLE, "the log has failed; it must be opened again");
	if (need > COMMIT_MAX)
		return err_set(err, E_LIMIT_EXCEEDED, "a commit of %zu bytes is too large", events.len);
	if (log->open->payload.len + need > OPEN_MAX)
		return err_set(err, E_UNAVAILABLE, "too many events wait for the disk");
	if (!block_append(log->open, events, ends, tags, n, at))
		return err_set(err, E_UNAVAILABLE, "out of memory");
	log->last_at = at;
	return 0;
}

struct block *log_begin_flush(struct log *log)
{
	struct block *b = log->open;

	if (log->flight != NULL || log->failed || b->count == 0)
		return NULL;
	b->tree = log->durable;
	log->flight = b;
	log->open = b == &log->memory[0] ? &log->memory[1] : &log->memory[0];
	block_restart(log->open, block_last_seq(b) + 1, log->block_max * 4);
	return b;
}

static int put_block(struct log *log, MDB_txn *txn, struct block *b)
{
	uint8_t last[BLOCK_KEY];
	MDB_val key = { sizeof(last), last }, val = { block_encoded_size(b), NULL };
	int rc;

	block_key(block_last_seq(b), last);
	rc = mdb_put(txn, log->blocks, &key, &val, MDB_RESERVE | MDB_APPEND);
	if (rc != 0)
		return rc;
	block_encode(b, val.mv_data);
	for (size_t i = 0; rc == 0 && i < b->n_nodes; i++)
		rc = nodes_put(txn, log->nodes, &b->nodes[i]);
	return rc == 0 ? put_tail(txn, log->tail, &b->tree) : rc;
}

int tell_full(const struct log *log, int rc)
{
	struct err ignored;
	uint64_t left;

	if (rc == EIO && env_free_bytes(log->dir, &left, &ignored) == 0 && left < log->reserve)
		return ENOSPC;
	return rc;
}

/* Begins the transaction of a block. What is sealed along with it must not keep it from being written: when that does
 * not succeed, *seal is NULL. */
static int begin_with_seal(struct log *log, struct seal **seal, MDB_txn **ret)
{
	int rc = mdb_txn_begin(log->env, NULL, 0, ret);

	if (rc != 0 || *seal == NULL || seal_put(log, *ret, *seal) == 0)
		return rc;
	mdb_txn_abort(*ret);
	*seal = NULL;
	return mdb_txn_begin(log->env, NULL, 0, ret);
}

int log_flush(struct log *log, struct block *b, struct err *err)
{
	struct seal *seal = b->seal;
	MDB_txn *txn;
	int rc = begin_with_seal(log, &seal, &txn);

	if (rc != 0)
		return err_mdb(err, rc, "begin block %" PRIu64, b->first);
	rc = put_block(log, txn, b);
	if (rc != 0)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	if (rc == 0 && seal != NULL)
		seal_set_stored(seal);
	if (rc == 0)
		return 0;
	return err_mdb(err, tell_full(log, rc), "write block %" PRIu64 "..%" PRIu64, b->first, block_last_seq(b));
}

void log_end_flush(struct log *log, struct block *b, bool flushed)
{
	assert(b == log->flight);
	if (flushed) {
		log->durable = b->tree;
		memcpy(log->durable_root, b->root, MERKLE_HASH);
	} else {
		/* Nothing after a block that may be missing can become durable. */
		log->failed = true;
		block_restart(log->open, log->durable.size + 1, 0);
	}
	block_restart(b, log->durable.size + 1, log->block_max * 4);
	log->flight = NULL;
	log->space_at = -1;
}
