#include "projections/view_store_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "projections/view_store_test.h"

/*
 * Why MDB_WRITEMAP, and why it is safe here.
 *
 * Without it LMDB keeps each page a transaction changes in malloc'ed memory until the commit. A
 * checkpoint changes most pages of the tables, so that would be hundreds of megabytes. With it pages are
 * changed in the page cache, in place of their copies.
 *
 * Full disk: writing to a mapped page that has no block is SIGBUS. So blocks are allocated with
 * fallocate() before each transaction for all it can need, and a full disk is an error of that call. This
 * holds on file systems that overwrite in place; on others MDB_WRITEMAP is not used.
 *
 * Power loss: LMDB never changes a page of the last two snapshots. mdb_txn_commit() calls msync(MS_SYNC)
 * on the map, which on Linux is fsync of the file, before it touches the meta page, and msyncs the meta
 * page after. The kernel may write data pages early, but no meta page can point at pages that are not on
 * disk. A meta page is one sector's worth of bytes; if it is torn, or missing, the other one is used. A
 * process killed in the middle leaves the number of the meta page as it was, or all of it written.
 *
 * The map is large and the file sparse: as long as the map, but with blocks only as far as reserved.
 */
/* Room for tables of several rebuilds: what one replaced is dropped by the next checkpoint only. */
enum { MAX_TABLES = 2048, SLACK_PAGES = 1024 };
#define MAP_LARGEST (256ULL << 30)
#define MAP_SMALLEST (1ULL << 30)
#define RESERVE_STEP (16ULL << 20)

int views_fail(struct err *err, int rc, const char *fmt, ...)
{
	bool full = rc == ENOSPC || rc == EDQUOT || rc == MDB_MAP_FULL;
	char what[120];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(err, full ? E_STORAGE_FULL : E_INTERNAL, "views: %s: %s", what, mdb_strerror(rc));
}

/* Opening. */

static int take_lock(const char *dir, int *ret_fd, struct err *err)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/LOCK", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return views_fail(err, errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return err_set(err, E_UNAVAILABLE, "views: %s is in use by another process", dir);
	}
	*ret_fd = fd;
	return 0;
}

static int allocate(int fd, int mode, uint64_t bytes)
{
	int rc;

	do
		rc = fallocate(fd, mode, 0, (off_t)bytes);
	while (rc != 0 && errno == EINTR);
	return rc == 0 ? 0 : errno;
}

/* Does an allocated block stay where it is when it is written? */
static bool can_reserve(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	if (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != XFS_SUPER_MAGIC && fs.f_type != TMPFS_MAGIC)
		return false;
	return allocate(fd, FALLOC_FL_KEEP_SIZE, 4096) != EOPNOTSUPP;
}

/* LMDB maps its lock file too, and that as well must have blocks. */
static int reserve_lock_file(const char *dir, struct err *err)
{
	char path[4096];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return views_fail(err, errno, "%s", path);
	rc = allocate(fd, FALLOC_FL_KEEP_SIZE, 16384);
	close(fd);
	return rc == ENOSPC || rc == EDQUOT ? views_fail(err, rc, "%s", path) : 0;
}

static int env_open(struct views *v, const char *dir, uint64_t map_bytes)
{
	unsigned flags = MDB_NOTLS | (v->writemap ? MDB_WRITEMAP : 0);
	int rc = mdb_env_create(&v->env);

	if (rc != 0)
		return rc;
	mdb_env_set_maxdbs(v->env, MAX_TABLES);
	mdb_env_set_mapsize(v->env, map_bytes);
	rc = mdb_env_open(v->env, dir, flags, 0600);
	if (rc != 0) {
		mdb_env_close(v->env);
		v->env = NULL;
	}
	return rc;
}

/* With the largest map that the system grants. */
static int env_open_largest(struct views *v, const char *dir, struct err *err)
{
	int rc = ENOMEM;

	for (uint64_t size = MAP_LARGEST; size >= MAP_SMALLEST && (rc == ENOMEM || rc == EFBIG); size /= 4)
		rc = env_open(v, dir, size);
	return rc == 0 ? 0 : views_fail(err, rc, "opening %s", dir);
}

static int open_meta(struct views *v, struct err *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);

	if (rc != 0)
		return views_fail(err, rc, "beginning");
	rc = views_reserve(v, 0, 0, err);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &v->meta);
	if (rc == 0)
		rc = mdb_dbi_open(txn, NULL, 0, &v->names);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return views_fail(err, rc, "meta");
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : views_fail(err, rc, "meta");
}

/* The record of the table of meta records is one that is always there. */
static int find_map(struct views *v, struct err *err)
{
	MDB_val key = view_val(SLICE_LIT("meta")), value;
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return views_fail(err, rc, "meta");
	if (mdb_get(txn, v->names, &key, &value) == 0)
		views_find_map(v, value.mv_data);
	mdb_txn_abort(txn);
	return 0;
}

static int views_init(struct views *v, const char *dir, struct err *err)
{
	struct views_info info = { 0 };
	MDB_stat stat;
	int rc;

	rc = take_lock(dir, &v->lock_fd, err);
	if (rc != 0)
		return rc;
	v->writemap = can_reserve(v->lock_fd);
	rc = reserve_lock_file(dir, err);
	if (rc == 0)
		rc = env_open_largest(v, dir, err);
	if (rc != 0)
		return rc;
	mdb_env_stat(v->env, &stat);
	v->page_bytes = stat.ms_psize;
	rc = views_info(v, &info, err);
	if (rc != 0)
		return rc;
	v->map_bytes = info.map_bytes;
	rc = open_meta(v, err);
	return rc == 0 ? find_map(v, err) : rc;
}

int views_open(const char *dir, struct views **ret, struct err *err)
{
	struct views *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return views_fail(err, ENOMEM, "opening %s", dir);
	v->lock_fd = -1;
	pthread_mutex_init(&v->lock, NULL);
	rc = views_init(v, dir, err);
	if (rc != 0) {
		views_close(v);
		return rc;
	}
	*ret = v;
	return 0;
}

void views_close(struct views *v)
{
	if (!v)
		return;
	assert(!v->stores);
	if (v->env)
		mdb_env_close(v->env);
	if (v->lock_fd >= 0)
		close(v->lock_fd);
	pthread_mutex_destroy(&v->lock);
	free(v->tables);
	free(v);
}

int views_info(struct views *v, struct views_info *ret, struct err *err)
{
	MDB_envinfo info;
	int rc = mdb_env_info(v->env, &info);

	if (rc != 0)
		return views_fail(err, rc, "info");
	ret->map_bytes = info.me_mapsize;
	ret->used_bytes = (info.me_last_pgno + 1) * v->page_bytes;
	return 0;
}

int views_meta_get(struct views *v, const char *name, void *ret, size_t cap, size_t *ret_len, struct err *err)
{
	MDB_val key = view_val(slice_str(name)), value;
	MDB_txn *txn;
	int rc;

	rc = mdb_txn_begin(v->env, NULL, MDB_RDONLY, &txn);
	if (rc != 0)
		return views_fail(err, rc, "reading %s", name);
	rc = mdb_get(txn, v->meta, &key, &value);
	if (rc == 0) {
		*ret_len = value.mv_size < cap ? value.mv_size : cap;
		memcpy(ret, value.mv_data, *ret_len);
	}
	mdb_txn_abort(txn);
	if (rc == MDB_NOTFOUND)
		return err_set(err, E_NOT_FOUND, "views: no record %s", name);
	return rc == 0 ? 0 : views_fail(err, rc, "reading %s", name);
}

/* Space. */

/* The oldest snapshot that a store reads; at most `newest`. */
static uint64_t oldest_snapshot(struct views *v, uint64_t newest)
{
	uint64_t oldest = newest;

	pthread_mutex_lock(&v->lock);
	for (const struct view_store *vs = v->stores; vs; vs = vs->next)
		if (vs->snapshot < oldest)
			oldest = vs->snapshot;
	pthread_mutex_unlock(&v->lock);
	return oldest;
}

/* Counts pages on LMDB's list of free pages (database 0: transaction number to a counted array of page
 * numbers), those that no reader keeps from being used. */
static int count_free_in(MDB_txn *txn, uint64_t oldest, uint64_t *ret)
{
	MDB_val key, value;
	MDB_cursor *c;
	int rc = mdb_cursor_open(txn, 0, &c);

	if (rc != 0)
		return rc;
	*ret = 0;
	while ((rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) == 0) {
		size_t id, n;

		memcpy(&id, key.mv_data, sizeof(id));
		memcpy(&n, value.mv_data, sizeof(n));
		if (id < oldest)
			*ret += n;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* LMDB shows the list to readers only; under the write lock theirs is the writer's. */
static int count_free(struct views *v, uint64_t *ret)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	rc = count_free_in(txn, oldest_snapshot(v, mdb_txn_id(txn)), ret);
	mdb_txn_abort(txn);
	return rc;
}

/* A disk that fills up while blocks are allocated is left full; others need what did not suffice for us. */
static void give_back(struct views *v, int fd, uint64_t used, uint64_t end)
{
	uint64_t from = used > v->reserved ? used : v->reserved;

	if (from < end)
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(end - from));
}

/* Gives the file blocks up to `end`, where it has none. Blocks shared with another file (cp --reflink)
 * would be copied when written, so they are made our own first. What commands have been taken for is written
 * to the log next: to leave it no room would turn a checkpoint that can wait into a failed flush. */
static int reserve_upto(struct views *v, uint64_t used, uint64_t end, uint64_t leave)
{
	struct statvfs fs;
	mdb_filehandle_t fd;
	int rc;

	if (end <= v->reserved)
		return 0;
	end = (end + RESERVE_STEP - 1) / RESERVE_STEP * RESERVE_STEP;
	if (end > v->map_bytes)
		return MDB_MAP_FULL;
	mdb_env_get_fd(v->env, &fd);
	if (fstatvfs(fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < end - v->reserved + leave && leave > 0)
		return ENOSPC;
	rc = allocate(fd, FALLOC_FL_UNSHARE_RANGE, end);
	if (rc == EOPNOTSUPP)
		rc = allocate(fd, 0, end);
	if (rc == 0)
		v->reserved = end;
	else
		give_back(v, fd, used, end);
	return rc;
}

int views_reserve(struct views *v, uint64_t pages, uint64_t leave, struct err *err)
{
	uint64_t usable, run, used;
	MDB_envinfo info;
	int rc;

	if (!v->writemap)
		return 0;
	rc = count_free(v, &usable);
	if (rc != 0)
		return views_fail(err, rc, "free pages");
	mdb_env_info(v->env, &info);
	/* The list of free pages, of all there are at worst, is written in runs that may find no place among
	 * free pages. */
	used = info.me_last_pgno + 1;
	run = (used + pages) * sizeof(size_t) * 2 / v->page_bytes;
	pages = pages > usable ? pages - usable : 0;
	rc = reserve_upto(v, used * v->page_bytes, (used + pages + run + SLACK_PAGES) * v->page_bytes, leave);
	return rc == 0 ? 0 : views_fail(err, rc, "reserving space");
}

/* Tables. */

static int remember_table(struct views *v, const char *name, MDB_dbi dbi)
{
	unsigned cap = v->cap_tables ? v->cap_tables * 2 : 64;
	struct views_table *grown;

	for (unsigned i = 0; i < v->n_tables; i++)
		if (strcmp(v->tables[i].name, name) == 0)
			return 0;
	if (v->n_tables == v->cap_tables) {
		grown = realloc(v->tables, cap * sizeof(*grown));
		if (!grown)
			return ENOMEM;
		v->tables = grown;
		v->cap_tables = cap;
	}
	snprintf(v->tables[v->n_tables].name, VIEW_NAME_MAX, "%s", name);
	v->tables[v->n_tables++].dbi = dbi;
	return 0;
}

static void forget_table(struct views *v, const char *name)
{
	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < v->n_tables; i++)
		if (strcmp(v->tables[i].name, name) == 0)
			v->tables[i--] = v->tables[--v->n_tables];
	pthread_mutex_unlock(&v->lock);
}

bool views_table_find(struct views *v, const char *name, MDB_dbi *ret)
{
	bool found = false;

	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < v->n_tables && !found; i++) {
		found = strcmp(v->tables[i].name, name) == 0;
		if (found)
			*ret = v->tables[i].dbi;
	}
	pthread_mutex_unlock(&v->lock);
	return found;
}

static int open_in(struct views *v, MDB_txn *txn, char names[][VIEW_NAME_MAX], unsigned n, MDB_dbi *ret,
		   struct err *err)
{
	int rc = views_reserve(v, n * 4, 0, err);

	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < n; i++) {
		rc = mdb_dbi_open(txn, names[i], MDB_CREATE, &ret[i]);
		if (rc != 0)
			return views_fail(err, rc, "table %s", names[i]);
	}
	return 0;
}

/* LMDB wants handles opened by one transaction at a time, so it is always a write transaction. */
int views_tables_open(struct views *v, char names[][VIEW_NAME_MAX], unsigned n, MDB_dbi *ret, struct err *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);

	if (rc != 0)
		return views_fail(err, rc, "opening tables");
	rc = open_in(v, txn, names, n, ret, err);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = mdb_txn_commit(txn);
	if (rc != 0)
		return views_fail(err, rc, "opening tables");
	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = remember_table(v, names[i], ret[i]);
	pthread_mutex_unlock(&v->lock);
	return rc == 0 ? 0 : views_fail(err, rc, "opening tables");
}

int views_table_drop(struct views *v, MDB_txn *txn, const char *name, struct err *err)
{
	MDB_dbi dbi;
	int rc = mdb_dbi_open(txn, name, 0, &dbi);

	if (rc == MDB_NOTFOUND)
		return 0;
	/* The handle is closed even if the transaction comes to nothing; so it is found by name next time. */
	forget_table(v, name);
	if (rc == 0)
		rc = mdb_drop(txn, dbi, 1);
	return rc == 0 ? 0 : views_fail(err, rc, "dropping %s", name);
}

/* Is this "<name>.<generation>" of one of the tables, or the table of meta records? */
static bool is_wanted(struct slice name, const struct state_table *tables, unsigned n_tables,
		      const uint32_t *generations)
{
	char want[VIEW_NAME_MAX];

	if (slice_is(name, "meta"))
		return true;
	for (unsigned i = 0; i < n_tables; i++) {
		view_disk_name(want, &tables[i], generations[i]);
		if (slice_is(name, want))
			return true;
	}
	return false;
}

/* The first unwanted table; false: none. */
static bool find_unwanted(struct views *v, MDB_txn *txn, const struct state_table *tables, unsigned n_tables,
			  const uint32_t *generations, char ret[VIEW_NAME_MAX])
{
	MDB_cursor *c;
	MDB_val key;
	bool found = false;

	if (mdb_cursor_open(txn, v->names, &c) != 0)
		return false;
	while (!found && mdb_cursor_get(c, &key, NULL, MDB_NEXT) == 0) {
		struct slice name = slice_of(key.mv_data, key.mv_size);

		if (name.len < VIEW_NAME_MAX && !is_wanted(name, tables, n_tables, generations)) {
			memcpy(ret, name.base, name.len);
			ret[name.len] = '\0';
			found = true;
		}
	}
	mdb_cursor_close(c);
	return found;
}

int views_prune(struct views *v, const struct state_table *tables, unsigned n_tables, const uint32_t *generations,
		struct err *err)
{
	char name[VIEW_NAME_MAX];
	MDB_txn *txn;
	bool dropped = false;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);

	assert(!v->stores);
	if (rc != 0)
		return views_fail(err, rc, "dropping old tables");
	rc = views_reserve(v, 0, 0, err);
	while (rc == 0 && find_unwanted(v, txn, tables, n_tables, generations, name)) {
		rc = views_table_drop(v, txn, name, err);
		dropped = true;
	}
	if (rc != 0 || !dropped) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : views_fail(err, rc, "dropping old tables");
}

/* For tests. */

void views_fail_next_apply(struct views *v, int error)
{
	v->fault = error;
}

bool views_is_writemap(const struct views *v)
{
	return v->writemap;
}

uint64_t views_reserved(const struct views *v)
{
	return v->reserved;
}
