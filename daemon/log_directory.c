#include "daemon/log_directory.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static int open_reader(struct log *log, struct log_reader **ret, struct err *err)
{
	struct log_reader *r;
	int rc = log_reader_open(log, LOG_DURABLE_ONLY, &r, err);

	if (rc != 0)
		return rc;
	rc = log_reader_refresh(r, err);
	if (rc != 0)
		log_reader_close(r);
	else
		*ret = r;
	return rc;
}

int log_directory_open(const char *data, struct log **ret_log, struct log_reader **ret_reader, struct err *err)
{
	char dir[PATH_SIZE], file[PATH_SIZE + 16];
	struct log *log;
	int rc;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/log", data) >= sizeof(dir))
		return err_field(err, "data", "is too long");
	snprintf(file, sizeof(file), "%s/data.mdb", dir);
	if (access(file, R_OK) != 0)
		return err_set(err, E_NOT_FOUND, "no ledger in %.120s: log/data.mdb: %s", data, strerror(errno));
	rc = log_open_readonly(dir, &log, err);
	if (rc != 0)
		return rc;
	rc = open_reader(log, ret_reader, err);
	if (rc != 0)
		log_close(log);
	else
		*ret_log = log;
	return rc;
}
