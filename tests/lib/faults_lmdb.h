#ifndef TESTS_LIB_FAULTS_LMDB_H
#define TESTS_LIB_FAULTS_LMDB_H

#include <lmdb.h>
#include <stdatomic.h>
#include <stdbool.h>

/*
 * Calls of LMDB that fail, as allocations do (tests/lib/faults.h), but in any thread; what fails answers lmdb_fault.
 */
static atomic_long lmdb_left = -1;
static atomic_bool lmdb_fired;
static atomic_int lmdb_fault;
static atomic_long lmdb_commits; /* so far */

static inline void fail_lmdb_after(long n, int with)
{
	atomic_store(&lmdb_fault, with);
	atomic_store(&lmdb_fired, false);
	atomic_store(&lmdb_left, n);
}

static inline bool lmdb_fault_fired(void)
{
	atomic_store(&lmdb_left, -1);
	return atomic_load(&lmdb_fired);
}

static bool lmdb_fails(void)
{
	if (atomic_load(&lmdb_left) < 0 || atomic_fetch_sub(&lmdb_left, 1) > 0)
		return false;
	atomic_store(&lmdb_left, -1);
	atomic_store(&lmdb_fired, true);
	return true;
}

#define FAULTY(name, params, args)                                                                                     \
	int __real_##name params;                                                                                      \
	int __wrap_##name params;                                                                                      \
	int __wrap_##name params                                                                                       \
	{                                                                                                              \
		return lmdb_fails() ? atomic_load(&lmdb_fault) : __real_##name args;                                   \
	}

FAULTY(mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **ret), (env, parent, flags, ret))
FAULTY(mdb_txn_renew, (MDB_txn * txn), (txn))
FAULTY(mdb_dbi_open, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *ret), (txn, name, flags, ret))
FAULTY(mdb_put, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *val, unsigned flags), (txn, dbi, key, val, flags))
FAULTY(mdb_cursor_open, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **ret), (txn, dbi, ret))
FAULTY(mdb_cursor_put, (MDB_cursor * c, MDB_val *key, MDB_val *val, unsigned flags), (c, key, val, flags))
FAULTY(mdb_cursor_del, (MDB_cursor * c, unsigned flags), (c, flags))

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);

int __wrap_mdb_txn_commit(MDB_txn *txn)
{
	lmdb_commits++;
	if (!lmdb_fails())
		return __real_mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return atomic_load(&lmdb_fault);
}

#endif
