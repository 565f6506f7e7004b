#ifndef LOG_PACK_H
#define LOG_PACK_H

#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"

/*
 * The groups of a sealed block: docs/log-format.md, codec 1.
 *
 *   group        per event: LEB128 length, stored bytes: as in a raw block
 *   short form   the same without the bytes of each event's element 1, `seq`, which its position tells
 *   frame        the short form as one zstd frame: what is stored
 *
 * The seq is what compresses worst in an event that zstd has seen the like of: without it 256 events take as much as
 * 1024 with it, so that a look at one event unpacks a quarter.
 */
enum { GROUP_UNPACKED_MAX = 16 << 20 }; /* no commit is larger, so no event is */

/* What packing or unpacking keeps from group to group. All zero is a new one. */
struct packer {
	void *compressor, *decompressor;
	struct buf brief; /* the short form */
};

void packer_free(struct packer *p);
/*
 * Appends the frame of a group, whose n events have the seqs first and so on. E_INTERNAL: an event is not of the form
 * that can be put back. E_UNAVAILABLE: no memory, or out is full.
 */
int group_pack(struct packer *p, struct slice group, uint64_t first, uint32_t n, struct buf *out, struct err *err);
/*
 * The group of `unpacked` bytes (at most GROUP_UNPACKED_MAX) from its frame. Safe on any bytes; nothing is allocated
 * beyond what `unpacked` says. E_INTERNAL: it is not one of that size. ret is overwritten.
 */
int group_unpack(struct packer *p, struct slice frame, uint64_t first, uint32_t n, uint32_t unpacked, struct buf *ret,
		 struct err *err);

#endif
