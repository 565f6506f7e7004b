#include "daemon/export_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <zstd.h>

enum { CHUNK = 1 << 17, PATH_SIZE = 4096, WINDOW_LOG_MAX = 27 };

static int file_error(struct err *err, const char *path)
{
	bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
	enum err_code code = full ? E_STORAGE_FULL : errno == ENOENT ? E_NOT_FOUND : E_UNAVAILABLE;

	return err_set(err, code, "%.160s: %s", path, strerror(errno));
}

static int no_memory(struct err *err)
{
	return err_set(err, E_UNAVAILABLE, "out of memory");
}

/* ---- writing ---- */

struct export_out {
	char path[PATH_SIZE];       /* "": standard output */
	char fresh[PATH_SIZE + 16]; /* its name until it is whole */
	bool replace, named;        /* named: fresh is there */
	int fd;
	ZSTD_CCtx *zstd;
	struct buf wait; /* packed, or not, and not written yet */
	uint64_t bytes;
};

static int name_files(struct export_out *o, const char *path, struct err *err)
{
	if (path[0] == '\0' || (size_t)snprintf(o->path, sizeof(o->path), "%s", path) >= sizeof(o->path))
		return err_set(err, E_INVALID_ARGUMENT, "the name of the file is empty or too long");
	snprintf(o->fresh, sizeof(o->fresh), "%s.XXXXXX", path);
	return 0;
}

static int open_file(struct export_out *o, const char *path, struct err *err)
{
	int rc = name_files(o, path, err);

	if (rc != 0)
		return rc;
	if (!o->replace && access(path, F_OK) == 0)
		return err_set(err, E_ALREADY_EXISTS, "%.160s is there; name another file, or say --force", path);
	o->fd = mkostemp(o->fresh, O_CLOEXEC);
	if (o->fd < 0)
		return file_error(err, path);
	o->named = true;
	return 0;
}

static int open_zstd(struct export_out *o, int level, struct err *err)
{
	o->zstd = ZSTD_createCCtx();
	if (o->zstd == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_checksumFlag, 1)))
		return no_memory(err);
	return 0;
}

int export_out_open(const char *path, bool replace, int level, struct export_out **ret, struct err *err)
{
	struct export_out *o = calloc(1, sizeof(*o));
	int rc = 0;

	if (o == NULL)
		return no_memory(err);
	o->fd = STDOUT_FILENO;
	o->replace = replace;
	buf_init(&o->wait, 4 * CHUNK);
	if (level != 0)
		rc = open_zstd(o, level, err);
	if (rc == 0 && path != NULL)
		rc = open_file(o, path, err);
	if (rc != 0) {
		export_out_close(o);
		return rc;
	}
	*ret = o;
	return 0;
}

static const char *name_of(const struct export_out *o)
{
	return o->path[0] != '\0' ? o->path : "standard output";
}

static int write_all(struct export_out *o, const uint8_t *p, size_t n, struct err *err)
{
	while (n > 0) {
		ssize_t done = write(o->fd, p, n);

		if (done < 0)
			return file_error(err, name_of(o));
		p += done;
		n -= (size_t)done;
		o->bytes += (uint64_t)done;
	}
	return 0;
}

static int flush(struct export_out *o, struct err *err)
{
	int rc = write_all(o, o->wait.base, o->wait.len, err);

	buf_reset(&o->wait);
	return rc;
}

/* Packs all of `bytes`; the frame is ended with ZSTD_e_end. */
static int pack(struct export_out *o, struct slice bytes, ZSTD_EndDirective how, struct err *err)
{
	ZSTD_inBuffer in = { bytes.base, bytes.len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out;
		int rc = o->wait.len >= CHUNK ? flush(o, err) : 0;

		if (rc != 0)
			return rc;
		if (!buf_room(&o->wait, CHUNK))
			return no_memory(err);
		out = (ZSTD_outBuffer){ o->wait.base + o->wait.len, CHUNK, 0 };
		left = ZSTD_compressStream2(o->zstd, &out, &in, how);
		if (ZSTD_isError(left))
			return err_set(err, E_INTERNAL, "zstd: %s", ZSTD_getErrorName(left));
		o->wait.len += out.pos;
	} while (in.pos < in.size || (how == ZSTD_e_end && left > 0));
	return 0;
}

int export_out_write(struct export_out *o, struct slice bytes, struct err *err)
{
	int rc = 0;

	if (o->zstd != NULL)
		return pack(o, bytes, ZSTD_e_continue, err);
	if (o->wait.len + bytes.len > CHUNK)
		rc = flush(o, err);
	if (rc == 0 && bytes.len > CHUNK)
		return write_all(o, bytes.base, bytes.len, err);
	if (rc == 0)
		buf_append(&o->wait, bytes.base, bytes.len);
	return rc == 0 && o->wait.failed ? no_memory(err) : rc;
}

/* The directory entry is durable when the directory is. */
static int sync_parent(const struct export_out *o, struct err *err)
{
	char dir[PATH_SIZE];
	char *slash;
	int fd, rc = 0;

	snprintf(dir, sizeof(dir), "%s", o->path);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		snprintf(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		rc = file_error(err, dir);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int give_name(struct export_out *o, struct err *err)
{
	if (fsync(o->fd) != 0)
		return file_error(err, o->path);
	if (renameat2(AT_FDCWD, o->fresh, AT_FDCWD, o->path, o->replace ? 0 : RENAME_NOREPLACE) != 0) {
		if (errno == EEXIST)
			return err_set(err, E_ALREADY_EXISTS, "%.160s has come to be there; nothing was changed",
				       o->path);
		return file_error(err, o->path);
	}
	o->named = false;
	return sync_parent(o, err);
}

int export_out_commit(struct export_out *o, struct err *err)
{
	int rc = o->zstd != NULL ? pack(o, SLICE_NULL, ZSTD_e_end, err) : 0;

	if (rc == 0)
		rc = flush(o, err);
	return rc == 0 && o->named ? give_name(o, err) : rc;
}

uint64_t export_out_bytes(const struct export_out *o)
{
	return o->bytes;
}

void export_out_close(struct export_out *o)
{
	if (o == NULL)
		return;
	if (o->named)
		unlink(o->fresh);
	if (o->fd != STDOUT_FILENO && o->fd >= 0)
		close(o->fd);
	ZSTD_freeCCtx(o->zstd);
	buf_free(&o->wait);
	free(o);
}

/* ---- reading ---- */

struct export_in {
	char path[PATH_SIZE];
	int fd, stop_fd;
	bool begun, ended;
	ZSTD_DCtx *zstd; /* NULL: not packed */
	size_t wanted;   /* by zstd: 0 between frames */
	ZSTD_inBuffer packed;
	uint8_t chunk[CHUNK];
};

int export_in_open(const char *path, int stop_fd, struct export_in **ret, struct err *err)
{
	bool standard = strcmp(path, "-") == 0;
	struct export_in *in = calloc(1, sizeof(*in));
	int rc;

	if (in == NULL)
		return no_memory(err);
	in->stop_fd = stop_fd;
	snprintf(in->path, sizeof(in->path), "%s", standard ? "standard input" : path);
	in->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0) {
		rc = file_error(err, path);
		export_in_close(in);
		return rc;
	}
	*ret = in;
	return 0;
}

void export_in_close(struct export_in *in)
{
	if (in == NULL)
		return;
	ZSTD_freeDCtx(in->zstd);
	if (in->fd >= 0 && in->fd != STDIN_FILENO)
		close(in->fd);
	free(in);
}

/* Until there is something to read. False: it is to end. */
static bool wait_readable(const struct export_in *in)
{
	struct pollfd fds[] = { { in->fd, POLLIN, 0 }, { in->stop_fd, POLLIN, 0 } };

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	return fds[1].revents == 0;
}

/* At least `least` bytes of the file, unless it ends before. */
static int fill(struct export_in *in, size_t least, struct err *err)
{
	size_t have = 0;

	while (have < least && !in->ended) {
		ssize_t n;

		if (!wait_readable(in))
			return err_set(err, E_UNAVAILABLE, "stopped");
		n = read(in->fd, in->chunk + have, sizeof(in->chunk) - have);
		if (n < 0)
			return file_error(err, in->path);
		in->ended = n == 0;
		have += (size_t)n;
	}
	in->packed = (ZSTD_inBuffer){ in->chunk, have, 0 };
	return 0;
}

static int begin(struct export_in *in, struct err *err)
{
	static const uint8_t magic[] = { 0x28, 0xb5, 0x2f, 0xfd };
	int rc = fill(in, sizeof(magic), err);

	in->begun = true;
	if (rc != 0 || in->packed.size < sizeof(magic) || memcmp(in->chunk, magic, sizeof(magic)) != 0)
		return rc;
	in->zstd = ZSTD_createDCtx();
	if (in->zstd == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(in->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		return no_memory(err);
	return 0;
}

static int cannot_unpack(const struct export_in *in, const char *why, struct err *err)
{
	return err_set(err, E_INVALID_ARGUMENT, "%.120s: zstd does not unpack it: %s", in->path, why);
}

static int unpack(struct export_in *in, struct buf *b, struct err *err)
{
	for (;;) {
		ZSTD_outBuffer out;
		size_t before = b->len;
		int rc = in->packed.pos == in->packed.size ? fill(in, 1, err) : 0;

		if (rc != 0)
			return rc;
		if (in->packed.size == 0 && in->wanted == 0)
			return 0;
		if (!buf_room(b, CHUNK))
			return no_memory(err);
		out = (ZSTD_outBuffer){ b->base + b->len, CHUNK, 0 };
		in->wanted = ZSTD_decompressStream(in->zstd, &out, &in->packed);
		if (ZSTD_isError(in->wanted))
			return cannot_unpack(in, ZSTD_getErrorName(in->wanted), err);
		b->len += out.pos;
		if (b->len > before)
			return 0;
		if (in->packed.size == 0 && in->wanted != 0)
			return cannot_unpack(in, "it is cut off", err);
	}
}

int export_in_read(struct export_in *in, struct buf *b, struct err *err)
{
	int rc = in->begun ? 0 : begin(in, err);

	if (rc != 0)
		return rc;
	if (in->zstd != NULL)
		return unpack(in, b, err);
	if (in->packed.pos == in->packed.size)
		rc = fill(in, 1, err);
	buf_append(b, (const uint8_t *)in->packed.src + in->packed.pos, in->packed.size - in->packed.pos);
	in->packed.pos = in->packed.size;
	return rc == 0 && b->failed ? no_memory(err) : rc;
}
