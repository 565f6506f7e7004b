#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/copy.h"
#include "log/env.h"
#include "log/internal.h"

enum { BACKUP_PATH_MAX = 4096, HEADROOM = 16 << 20 };

static int enough_room(struct log *log, const char *dir, struct err *err)
{
	uint64_t left, used, map;
	int rc = env_free_bytes(dir, &left, err);

	if (rc != 0)
		return rc;
	env_sizes(log->env, &used, &map);
	if (left >= used + HEADROOM)
		return 0;
	return err_set(err, E_STORAGE_FULL, "the copy may take %zu MiB, and %zu are free", (size_t)(used >> 20),
		       (size_t)(left >> 20));
}

/* LMDB leaves what it has copied to the system: here it reaches the disk, with the name of the file. */
static int sync_path(const char *path, int flags)
{
	int rc = 0, fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (fsync(fd) != 0)
		rc = errno;
	close(fd);
	return rc;
}

static bool on_verified(void *arg, uint64_t done, uint64_t of)
{
	struct log_backup_progress *p = arg;

	p->done = done;
	p->of = of;
	return true;
}

static int verify_copy(const char *dir, struct log_backup_progress *progress, struct log_backup *ret, struct err *err)
{
	struct log_verdict verdict;
	struct log_reader *r;
	struct log *copy;
	int rc = log_open(dir, NULL, &copy, err);

	if (rc != 0)
		return err_wrap(err, "the copy");
	rc = log_reader_open(copy, LOG_DURABLE_ONLY, &r, err);
	if (rc == 0) {
		rc = log_verify(r, 1, 0, on_verified, progress, &verdict, err);
		log_reader_close(r);
	}
	if (rc == 0 && !verdict.ok)
		rc = err_set(err, E_INTERNAL, "the copy is damaged at event %llu: %s",
			     (unsigned long long)verdict.first_bad_seq, verdict.reason);
	if (rc == 0)
		*ret = (struct log_backup){ .seq = log_head(copy) };
	log_close(copy);
	return rc;
}

void log_backup_remove(const char *dir)
{
	static const char *const names[] = { "data.mdb", "lock.mdb", "LOCK" };
	char path[BACKUP_PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

void log_backup_look(const struct log_backup_progress *p, const char *dir, enum log_backup_phase *ret_phase,
		     uint64_t *ret_done, uint64_t *ret_of)
{
	char path[BACKUP_PATH_MAX];
	struct stat st;

	*ret_phase = (enum log_backup_phase)p->phase;
	*ret_done = p->done;
	*ret_of = p->of;
	if (*ret_phase != LOG_BACKUP_COPIES)
		return;
	/* what is there shows how far it is */
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	if (stat(path, &st) == 0)
		*ret_done = (uint64_t)st.st_size;
}

static void begin_phase(struct log_backup_progress *p, enum log_backup_phase phase, uint64_t of)
{
	p->done = 0;
	p->of = of;
	p->phase = (int)phase;
}

/* As it is, in one transaction: what that costs the log is told in reader.c. */
static int copy_file(struct log *log, const char *dir, struct err *err)
{
	int rc = mdb_env_copy2(log->env, dir, 0);

	return rc == 0 ? 0 : err_mdb(err, rc, "copy to %s", dir);
}

static int copy(struct log_reader *r, const char *dir, bool compact, uint64_t *ret_bytes, struct err *err)
{
	char path[BACKUP_PATH_MAX];
	struct stat st;
	int rc = compact ? copy_log(r, dir, err) : copy_file(r->log, dir, err);

	if (rc != 0)
		return rc;
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	rc = sync_path(path, O_RDWR);
	if (rc == 0)
		rc = sync_path(dir, O_RDONLY | O_DIRECTORY);
	if (rc == 0 && stat(path, &st) != 0)
		rc = errno;
	if (rc != 0)
		return err_mdb(err, rc, "copy to %s", dir);
	*ret_bytes = (uint64_t)st.st_size;
	return 0;
}

int log_backup(struct log_reader *r, const char *dir, bool compact, struct log_backup_progress *progress,
	       struct log_backup *ret, struct err *err)
{
	struct log_backup_progress unseen = { 0 };
	struct log_backup_progress *p = progress != NULL ? progress : &unseen;
	uint64_t bytes = 0, used, map;
	int rc = enough_room(r->log, dir, err);

	if (rc != 0)
		return rc;
	env_sizes(r->log->env, &used, &map);
	begin_phase(p, LOG_BACKUP_COPIES, used);
	rc = copy(r, dir, compact, &bytes, err);
	if (rc != 0)
		return rc;
	begin_phase(p, LOG_BACKUP_VERIFIES, log_reader_head(r));
	rc = verify_copy(dir, p, ret, err);
	if (rc == 0)
		ret->bytes = bytes;
	return rc;
}
