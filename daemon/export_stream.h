#ifndef DAEMON_EXPORT_STREAM_H
#define DAEMON_EXPORT_STREAM_H

#include "core/buf.h"
#include "core/err.h"

/*
 * The files that exports are written to and read from, packed with zstd or not. A file that is written has a name of
 * its own until it is whole: after a failure, or a kill, there is nothing under the name that was asked for. Only its
 * owner may read it, as with the ledger itself.
 */

/* ---- writing ---- */

struct export_out;
enum { EXPORT_LEVEL_MAX = 19 };

/*
 * path NULL: standard output, which is written as it goes. level 0: not packed. E_ALREADY_EXISTS: path is there and
 * `replace` was not said; E_STORAGE_FULL, E_UNAVAILABLE: it cannot be made.
 */
int export_out_open(const char *path, bool replace, int level, struct export_out **ret, struct err *err);
/* E_STORAGE_FULL, E_UNAVAILABLE: could not be written; only good for export_out_close() then. */
int export_out_write(struct export_out *o, struct slice bytes, struct err *err);
/* All of it is on disk, and has its name. */
int export_out_commit(struct export_out *o, struct err *err);
/* Bytes written so far, as packed. */
uint64_t export_out_bytes(const struct export_out *o);
/* Without a commit before, nothing is left of it. NULL is fine. */
void export_out_close(struct export_out *o);

/* ---- reading ---- */

struct export_in;

/* path "-": standard input. Whether it is packed shows in its first bytes. stop_fd: readable when reading is to end,
 * for what comes through a pipe; -1: none. E_NOT_FOUND, E_UNAVAILABLE: it cannot be read. */
int export_in_open(const char *path, int stop_fd, struct export_in **ret, struct err *err);
/* Appends what comes next, unpacked, to b: some bytes, none at the end. E_INVALID_ARGUMENT: zstd does not unpack it, or
 * it is cut off; E_UNAVAILABLE: it cannot be read, or was stopped. */
int export_in_read(struct export_in *in, struct buf *b, struct err *err);
void export_in_close(struct export_in *in);

#endif
