#include "daemon/new_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/log.h"

enum { DATA_MAX = 3800, PATH_SIZE = 4096 };

struct new_ledger {
	char data[PATH_SIZE], log[PATH_SIZE], fresh[PATH_SIZE];
	int fd;            /* of data, locked: one such process at a time */
	bool made;         /* data was not there */
	bool has_fresh;    /* and not under its own name */
	struct log *empty; /* a ledger without events that is there, held so that no daemon takes it */
};

static int file_error(struct err *err, const char *path)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	return err_set(err, full ? E_STORAGE_FULL : E_UNAVAILABLE, "%.160s: %s", path, strerror(errno));
}

static int name_paths(struct new_ledger *n, const char *data, struct err *err)
{
	if (data[0] == '\0' || strlen(data) > DATA_MAX)
		return err_field(err, "data", "needs a path of 1 to %d bytes", DATA_MAX);
	snprintf(n->data, sizeof(n->data), "%s", data);
	snprintf(n->log, sizeof(n->log), "%s/log", data);
	snprintf(n->fresh, sizeof(n->fresh), "%s/log.new", data);
	return 0;
}

static int open_data(struct new_ledger *n, struct err *err)
{
	n->made = mkdir(n->data, 0700) == 0;
	if (!n->made && errno != EEXIST)
		return file_error(err, n->data);
	n->fd = open(n->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (n->fd < 0)
		return file_error(err, n->data);
	if (flock(n->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return file_error(err, n->data);
	return err_set(err, E_UNAVAILABLE, "another process is making a ledger in %.160s", n->data);
}

/* What is there must hold no event, and stay so. */
static int check_log(struct new_ledger *n, struct err *err)
{
	uint64_t head;
	int rc;

	if (access(n->log, F_OK) != 0)
		return errno == ENOENT ? 0 : file_error(err, n->log);
	rc = log_open(n->log, NULL, &n->empty, err);
	if (rc != 0)
		return rc;
	head = log_head(n->empty);
	if (head == 0)
		return 0;
	return err_set(err, E_ALREADY_EXISTS,
		       "%.120s holds a ledger of %" PRIu64 " events: name another directory, or move it away", n->data,
		       head);
}

static int make_fresh(struct new_ledger *n, struct err *err)
{
	log_backup_remove(n->fresh); /* of one that was killed */
	if (mkdir(n->fresh, 0700) != 0)
		return file_error(err, n->fresh);
	n->has_fresh = true;
	return 0;
}

int new_ledger_begin(const char *data, struct new_ledger **ret, struct err *err)
{
	struct new_ledger *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL)
		return err_set(err, E_UNAVAILABLE, "out of memory");
	n->fd = -1;
	rc = name_paths(n, data, err);
	if (rc == 0)
		rc = open_data(n, err);
	if (rc == 0)
		rc = check_log(n, err);
	if (rc == 0)
		rc = make_fresh(n, err);
	if (rc != 0) {
		new_ledger_close(n);
		return rc;
	}
	*ret = n;
	return 0;
}

const char *new_ledger_dir(const struct new_ledger *n)
{
	return n->fresh;
}

/* Made by root in the directory of another user, it is that user's: of the daemon that is to have it. */
static int give_away(const struct new_ledger *n, struct err *err)
{
	static const char *const names[] = { "log.new/data.mdb", "log.new/lock.mdb", "log.new/LOCK", "log.new" };
	struct stat st;

	if (geteuid() != 0 || n->made)
		return 0;
	if (fstat(n->fd, &st) != 0)
		return file_error(err, n->data);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fchownat(n->fd, names[i], st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT)
			return file_error(err, n->fresh);
	return 0;
}

int new_ledger_commit(struct new_ledger *n, struct err *err)
{
	int rc = give_away(n, err);

	if (rc != 0)
		return rc;
	if (n->empty != NULL) {
		log_close(n->empty);
		n->empty = NULL;
		log_backup_remove(n->log);
	}
	/* A directory that is not empty is not replaced: a daemon may have been started meanwhile. */
	if (rename(n->fresh, n->log) != 0) {
		if (errno == EEXIST || errno == ENOTEMPTY)
			return err_set(err, E_ALREADY_EXISTS, "a ledger was made in %.160s meanwhile: stop its daemon",
				       n->data);
		return file_error(err, n->log);
	}
	n->has_fresh = n->made = false;
	return fsync(n->fd) == 0 ? 0 : file_error(err, n->data);
}

void new_ledger_close(struct new_ledger *n)
{
	if (n == NULL)
		return;
	if (n->has_fresh)
		log_backup_remove(n->fresh);
	log_close(n->empty);
	if (n->made)
		rmdir(n->data);
	if (n->fd >= 0)
		close(n->fd);
	free(n);
}
