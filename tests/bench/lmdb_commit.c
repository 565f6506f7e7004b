#include "lmdb_commit.h"

#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#define MAP_SIZE ((size_t)4 << 30)
#define FIRST_ROWS 20000

struct lmdb_commit {
	MDB_env *env;
	MDB_dbi dbi;
	uint64_t last;
	uint8_t *value;
	size_t value_size;
};

static int append(struct lmdb_commit *f, unsigned rows)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(f->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < rows && rc == 0; i++) {
		uint64_t number = ++f->last, big = __builtin_bswap64(number);
		MDB_val key = { sizeof(big), &big }, value = { f->value_size, f->value };

		memcpy(f->value, &number, sizeof(number));
		rc = mdb_put(txn, f->dbi, &key, &value, MDB_APPEND);
	}
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int open_table(struct lmdb_commit *f, const char *dir)
{
	MDB_txn *txn;
	int rc;

	if ((rc = mdb_env_create(&f->env)) != 0 || (rc = mdb_env_set_mapsize(f->env, MAP_SIZE)) != 0 ||
	    (rc = mdb_env_set_maxdbs(f->env, 4)) != 0 || (rc = mdb_env_open(f->env, dir, 0, 0600)) != 0 ||
	    (rc = mdb_txn_begin(f->env, NULL, 0, &txn)) != 0)
		return rc;
	rc = mdb_dbi_open(txn, "blocks", MDB_CREATE, &f->dbi);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

int lmdb_commit_open(const char *dir, size_t value_size, struct lmdb_commit **ret_floor)
{
	struct lmdb_commit *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL || (f->value = calloc(1, value_size)) == NULL) {
		complain("out of memory");
		free(f);
		return -1;
	}
	f->value_size = value_size;
	if ((rc = open_table(f, dir)) != 0 || (rc = append(f, FIRST_ROWS)) != 0) {
		complain("lmdb: %s: %s", dir, mdb_strerror(rc));
		lmdb_commit_close(f);
		return -1;
	}
	*ret_floor = f;
	return 0;
}

int lmdb_commit_run(struct lmdb_commit *f, double warmup_s, double seconds, struct load_result *result)
{
	uint64_t began = now_ns(), from = began + (uint64_t)(warmup_s * 1e9);
	uint64_t until = from + (uint64_t)(seconds * 1e9), before, after = began;

	while (after < until) {
		int rc;

		if (interrupted)
			return -1;
		before = after;
		if ((rc = append(f, 1)) != 0) {
			complain("lmdb: %s", mdb_strerror(rc));
			return -1;
		}
		after = now_ns();
		if (before < from)
			continue;
		hist_add(&result->latency, after - before);
		result->ops++;
	}
	result->seconds += (double)(after - from) / 1e9;
	return 0;
}

void lmdb_commit_close(struct lmdb_commit *f)
{
	if (f == NULL)
		return;
	mdb_env_close(f->env);
	free(f->value);
	free(f);
}
