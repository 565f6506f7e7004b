#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/backups.h"
#include "daemon/call.h"
#include "daemon/clock.h"
#include "daemon/server.h"
#include "daemon/worker_query.h"
#include "log/log.h"

/* server.backup: a data directory with a log in it, from which a daemon builds its views. */

enum { PATH_SIZE = 3001 };
struct backup_task {
	struct backups *backups;
	char path[PATH_SIZE];
	bool compact;
};

static int make_dir(const char *path, struct err *err)
{
	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno == EEXIST)
		return err_exists_text(err, "path", slice_str(path));
	if (errno == ENOSPC || errno == EDQUOT)
		return err_set(err, E_STORAGE_FULL, "%s: %s", path, strerror(errno));
	return err_field(err, "path", "cannot be made: %s", strerror(errno));
}

static int run_backup(struct worker_task *t)
{
	const struct backup_task *b = t->data;
	char dir[PATH_SIZE + 8];
	int64_t began = monotonic_ms();
	struct log_backup done;
	struct map_writer w;
	int rc = make_dir(b->path, t->err);

	if (rc != 0)
		return rc;
	snprintf(dir, sizeof(dir), "%s/log", b->path);
	rc = make_dir(dir, t->err);
	if (rc == 0) {
		rc = log_backup(t->log, dir, b->compact, backups_begin(b->backups, b->path, dir), &done, t->err);
		backups_end(b->backups);
	}
	if (rc != 0) {
		log_backup_remove(dir);
		rmdir(b->path);
		return rc;
	}
	map_open(&w, t->out);
	map_uint(&w, "bytes", done.bytes);
	map_uint(&w, "seq", done.seq);
	map_int(&w, "time_ms", monotonic_ms() - began);
	map_close(&w);
	return 0;
}

int service_server_backup(struct call *c, const struct server_backup *p)
{
	struct backup_task b = { .backups = server_backups(c->server), .compact = p->compact };
	struct stat st;

	if (p->path.len == 0 || *(const char *)p->path.base != '/' || memchr(p->path.base, 0, p->path.len) != NULL)
		return err_field(c->err, "path", "must be absolute");
	memcpy(b.path, p->path.base, p->path.len);
	if (lstat(b.path, &st) == 0)
		return err_exists_text(c->err, "path", p->path);
	return worker_task(c, false, run_backup, &b, sizeof(b));
}
