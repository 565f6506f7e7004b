#ifndef CORE_MP_PACK_H
#define CORE_MP_PACK_H

/*
 * msgpack-c's packer template, generated for struct buf: mp_put_int64(buf, v), mp_put_str(buf, len)
 * (header only; append the body), mp_put_array(buf, n), mp_put_map(buf, n), mp_put_nil(buf), ...
 * Included by core/mp.h only.
 */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wundef"
#include <msgpack.h>

#define msgpack_pack_inline_func(name) static inline void mp_put##name
#define msgpack_pack_inline_func_cint(name) static inline void mp_put##name
#define msgpack_pack_inline_func_fixint(name) static inline void mp_put_fix##name
#define msgpack_pack_user struct buf *
#define msgpack_pack_append_buffer(b, bytes, n)                                                                        \
	do {                                                                                                           \
		buf_append(b, bytes, n);                                                                               \
		return;                                                                                                \
	} while (0)
#include <msgpack/pack_template.h>
#pragma GCC diagnostic pop

#endif
