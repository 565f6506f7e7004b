#include "log/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MAX_TABLES = 8, MAX_READERS = 1024, MODE = 0600 };
static const size_t map_least = (size_t)1 << 30;

static enum err_code code_of(int rc)
{
	switch (rc) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case MDB_MAP_FULL:
		return E_STORAGE_FULL;
	case MDB_KEYEXIST:
	case MDB_NOTFOUND:
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_VERSION_MISMATCH:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
	case MDB_BAD_TXN:
	case MDB_BAD_VALSIZE:
	case MDB_BAD_DBI:
		return E_INTERNAL;
	default: /* EIO, ENOMEM, MDB_PANIC, MDB_READERS_FULL, ... */
		return E_UNAVAILABLE;
	}
}

int err_mdb(struct err *err, int rc, const char *fmt, ...)
{
	char what[120];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(err, code_of(rc), "%s: %s", what, mdb_strerror(rc));
}

static int try_open(const char *dir, size_t map, unsigned flags, MDB_env **ret)
{
	MDB_env *env;
	int rc = mdb_env_create(&env);

	if (rc != 0)
		return rc;
	if ((rc = mdb_env_set_mapsize(env, map)) != 0 || (rc = mdb_env_set_maxdbs(env, MAX_TABLES)) != 0 ||
	    (rc = mdb_env_set_maxreaders(env, MAX_READERS)) != 0 ||
	    (rc = mdb_env_open(env, dir, MDB_NOTLS | flags, MODE)) != 0) {
		mdb_env_close(env);
		return rc;
	}
	*ret = env;
	return 0;
}

/* With as much address space as the system grants. */
static int open_largest(const char *dir, size_t map_max, unsigned flags, MDB_env **ret)
{
	int rc = try_open(dir, map_max, flags, ret);

	for (size_t map = map_max / 4; rc == ENOMEM && map >= map_least; map /= 4)
		rc = try_open(dir, map, flags, ret);
	return rc;
}

/* Bytes that the data file has, and that its pages in use take. */
static int file_length(MDB_env *env, int *ret_fd, uint64_t *ret_has, uint64_t *ret_used)
{
	uint64_t map;
	struct stat st;
	int rc = mdb_env_get_fd(env, ret_fd);

	if (rc != 0)
		return rc;
	env_sizes(env, ret_used, &map);
	if (fstat(*ret_fd, &st) != 0)
		return errno;
	*ret_has = (uint64_t)st.st_size;
	return 0;
}

/* How many pages from `from` on are free. A page that was taken at the end and freed in the same commit was never
 * written, so that the file may well end before it. */
static int count_free(MDB_env *env, uint64_t from, uint64_t *ret)
{
	enum { FREE_PAGES = 0 }; /* the table that LMDB keeps of them: lists that begin with their length */
	MDB_val key, list;
	MDB_cursor *c = NULL;
	MDB_txn *txn;
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_open(txn, FREE_PAGES, &c);
	for (*ret = 0; rc == 0 && (rc = mdb_cursor_get(c, &key, &list, MDB_NEXT)) == 0;) {
		const size_t *ids = list.mv_data;

		for (size_t i = 1; i < list.mv_size / sizeof(*ids) && i <= ids[0]; i++)
			*ret += ids[i] >= from;
	}
	mdb_cursor_close(c);
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int was_cut(uint64_t has, uint64_t used, struct err *err)
{
	return err_set(err, E_INTERNAL, "data.mdb was cut: it has %llu bytes of %llu; restore it from a backup",
		       (unsigned long long)has, (unsigned long long)used);
}

/* A page behind the end of the data file would kill the process when it is read (SIGBUS): as a hole it reads as zeros.
 * Normally does nothing. */
static int mend_length(MDB_env *env, struct err *err)
{
	uint64_t has = 0, used = 0, n_free = 0;
	MDB_stat st;
	int fd, rc = file_length(env, &fd, &has, &used);

	if (rc == 0 && has >= used)
		return 0;
	if (rc == 0 && ((rc = mdb_env_stat(env, &st)) != 0 || ftruncate(fd, (off_t)used) != 0))
		rc = rc != 0 ? rc : errno;
	if (rc != 0)
		return err_mdb(err, rc, "length of data.mdb");
	rc = count_free(env, has / st.ms_psize, &n_free);
	if (rc == 0 && n_free == used / st.ms_psize - has / st.ms_psize)
		return 0;
	/* as it was found, or the next look would see nothing amiss */
	if (ftruncate(fd, (off_t)has) != 0)
		return err_mdb(err, errno, "length of data.mdb");
	return was_cut(has, used, err);
}

/* New directory entries are durable only when the directory is. */
static int sync_dir(const char *dir)
{
	int rc = 0, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (fsync(fd) != 0)
		rc = errno;
	close(fd);
	return rc;
}

int env_open(const char *dir, size_t map_max, MDB_env **ret, struct err *err)
{
	MDB_env *env;
	int dead, rc = open_largest(dir, map_max, 0, &env);

	if (rc != 0)
		return err_mdb(err, rc, "open %s", dir);
	if ((rc = mdb_reader_check(env, &dead)) != 0 || (rc = sync_dir(dir)) != 0)
		rc = err_mdb(err, rc, "open %s", dir);
	else if ((rc = mend_length(env, err)) != 0)
		err_wrap(err, "%s", dir);
	if (rc != 0) {
		mdb_env_close(env);
		return rc;
	}
	*ret = env;
	return 0;
}

int env_open_readonly(const char *dir, size_t map_max, MDB_env **ret, struct err *err)
{
	uint64_t has = 0, used = 0;
	char lock[4096];
	MDB_env *env;
	int fd, rc;

	/* LMDB would make the file; where there is none nobody writes. */
	snprintf(lock, sizeof(lock), "%s/lock.mdb", dir);
	rc = open_largest(dir, map_max, MDB_RDONLY | (access(lock, F_OK) == 0 ? 0U : MDB_NOLOCK), &env);
	if (rc != 0)
		return err_mdb(err, rc, "open %s for reading", dir);
	rc = file_length(env, &fd, &has, &used);
	if (rc == 0 && has >= used) {
		*ret = env;
		return 0;
	}
	mdb_env_close(env);
	if (rc != 0)
		return err_mdb(err, rc, "open %s for reading", dir);
	was_cut(has, used, err);
	return err_wrap(err, "%s", dir);
}

int env_free_bytes(const char *dir, uint64_t *ret, struct err *err)
{
	struct statvfs v;

	if (statvfs(dir, &v) != 0)
		return err_mdb(err, errno, "free space of %s", dir);
	*ret = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

void env_sizes(MDB_env *env, uint64_t *ret_used, uint64_t *ret_map)
{
	MDB_envinfo info;
	MDB_stat stat;

	mdb_env_info(env, &info);
	mdb_env_stat(env, &stat);
	*ret_used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	*ret_map = info.me_mapsize;
}
