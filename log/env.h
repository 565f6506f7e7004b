#ifndef LOG_ENV_H
#define LOG_ENV_H

#include <lmdb.h>

#include "core/err.h"

/*
 * The LMDB side of the log: opening the environment, LMDB's codes, free space. The map reserves
 * address space, not disk: the file grows with its content.
 */

/* Full durability, always. map_max: address space wanted; less is taken when the system refuses. */
int env_open(const char *dir, size_t map_max, MDB_env **ret, struct err *err);
/* For reading only, beside a process that writes. Changes nothing in dir. E_INTERNAL: the file was cut. */
int env_open_readonly(const char *dir, size_t map_max, MDB_env **ret, struct err *err);

/* Sets err for an LMDB or errno code: E_STORAGE_FULL, E_INTERNAL (the file is damaged or not ours),
 * else E_UNAVAILABLE. fmt names what was tried. */
int err_mdb(struct err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Bytes of the file system that are free to us. */
int env_free_bytes(const char *dir, uint64_t *ret, struct err *err);
/* Pages in use and their size; bytes of the map. */
void env_sizes(MDB_env *env, uint64_t *ret_used, uint64_t *ret_map);

#endif
