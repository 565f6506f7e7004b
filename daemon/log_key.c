#include "daemon/log_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_PATH = 4096 };

static int file_error(struct err *err, int why, const char *path)
{
	return err_set(err, why == ENOSPC || why == EDQUOT ? E_STORAGE_FULL : E_UNAVAILABLE, "%s: %s", path,
		       strerror(why));
}

static int path_of(const char *data, char ret[KEY_PATH], struct err *err)
{
	int n = snprintf(ret, KEY_PATH, "%s/log.key", data);

	return n < KEY_PATH - 5 ? 0 : err_set(err, E_INVALID_ARGUMENT, "the name of the data directory is too long");
}

static int read_at(const char *path, struct note_key *ret, struct err *err)
{
	char text[NOTE_KEY_TEXT];
	ssize_t n = -1;
	int why, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		n = read(fd, text, sizeof(text));
	why = errno;
	if (fd >= 0)
		close(fd);
	if (fd < 0 && why == ENOENT)
		return err_set(err, E_NOT_FOUND, "there is no %s", path);
	if (n < 0)
		return file_error(err, why, path);
	why = note_key_parse(slice_of(text, (size_t)n), ret, err);
	if (why == 0 && !ret->has_secret)
		why = err_set(err, E_INVALID_ARGUMENT, "only the public half of a key");
	return why == 0 ? 0 : err_wrap(err, "%s", path);
}

static int sync_dir(const char *data)
{
	int fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* Whole or not at all: written beside, then named. */
static int write_at(const char *data, const char *path, const char *text, struct err *err)
{
	char fresh[KEY_PATH + 5];
	size_t len = strlen(text);
	int fd, why;
	bool ok;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, fresh);
	errno = EIO; /* a short write sets none */
	ok = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	why = errno;
	close(fd);
	if (ok && (rename(fresh, path) != 0 || sync_dir(data) != 0)) {
		ok = false;
		why = errno;
	}
	return ok ? 0 : file_error(err, why, fresh);
}

int log_key_read(const char *data, struct note_key *ret, struct err *err)
{
	char path[KEY_PATH];
	int rc = path_of(data, path, err);

	return rc == 0 ? read_at(path, ret, err) : rc;
}

int log_key_load(const char *data, struct note_key *ret, bool *ret_made, struct err *err)
{
	char path[KEY_PATH], text[NOTE_KEY_TEXT];
	int rc = path_of(data, path, err);

	*ret_made = false;
	if (rc == 0)
		rc = read_at(path, ret, err);
	if (rc != E_NOT_FOUND)
		return rc;
	rc = note_key_make(ret, err);
	if (rc != 0)
		return rc;
	note_key_put_secret(ret, text);
	*ret_made = true;
	return write_at(data, path, text, err);
}
