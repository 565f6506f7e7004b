#include "log/pack.h"

#include <zstd.h>

#include "core/mp.h"
#include "log/format.h"

/* Beyond 9 the time doubles for each percent. */
enum { LEVEL = 9, SEQ_MAX = 9 };

void packer_free(struct packer *p)
{
	ZSTD_freeCCtx(p->compressor);
	ZSTD_freeDCtx(p->decompressor);
	buf_free(&p->brief);
	*p = (struct packer){ 0 };
}

static int no_memory(struct err *err)
{
	return err_set(err, E_UNAVAILABLE, "out of memory");
}

static int malformed(struct err *err)
{
	return err_set(err, E_INTERNAL, "malformed when unpacked");
}

/* Empties b and gives it room for exactly `size` bytes. */
static bool make_room(struct buf *b, size_t size)
{
	b->max = b->cap > size ? b->cap : size;
	buf_reset(b);
	return buf_room(b, size);
}

/* Bytes of an event before its seq: the head of the array and the tag. 0: another form. */
static size_t head_length(const uint8_t *p, size_t len)
{
	if (len < 3 || (p[0] & 0xf0) != 0x90)
		return 0;
	return p[1] < 0x80 ? 2 : p[1] == 0xcc ? 3 : 0;
}

/* A seq as the stored event has it. */
struct seq {
	uint8_t bytes[SEQ_MAX];
	size_t len;
};

static struct seq seq_of(uint64_t n)
{
	struct seq seq = { 0 };
	struct buf b = { .base = seq.bytes, .cap = SEQ_MAX, .max = SEQ_MAX };

	mp_put_uint64(&b, n);
	seq.len = b.len;
	return seq;
}

/* ---- packing ---- */

static bool shorten(struct slice group, uint64_t first, uint32_t n, struct buf *out)
{
	const uint8_t *p = group.base, *end = p + group.len;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *begin = p;
		struct seq seq = seq_of(first + i);
		size_t head;
		uint32_t len;

		if (!stored_length_get(&p, end, &len) || len > (size_t)(end - p))
			return false;
		head = head_length(p, len);
		if (head == 0 || len < head + seq.len || memcmp(p + head, seq.bytes, seq.len) != 0)
			return false;
		buf_append(out, begin, (size_t)(p - begin) + head);
		buf_append(out, p + head + seq.len, len - head - seq.len);
		p += len;
	}
	return p == end;
}

int group_pack(struct packer *p, struct slice group, uint64_t first, uint32_t n, struct buf *out, struct err *err)
{
	size_t got, bound = ZSTD_compressBound(group.len);

	if (p->compressor == NULL)
		p->compressor = ZSTD_createCCtx();
	if (p->compressor == NULL || !make_room(&p->brief, group.len) || !buf_room(out, bound))
		return no_memory(err);
	if (!shorten(group, first, n, &p->brief))
		return err_set(err, E_INTERNAL, "not of the form that can be sealed");
	got = ZSTD_compressCCtx(p->compressor, out->base + out->len, bound, p->brief.base, p->brief.len, LEVEL);
	if (ZSTD_isError(got))
		return no_memory(err);
	out->len += got;
	return 0;
}

/* ---- unpacking ---- */

/* out has room for exactly what comes. */
static bool put_back(struct slice brief, uint64_t first, uint32_t n, uint32_t unpacked, struct buf *out)
{
	const uint8_t *p = brief.base, *end = p + brief.len;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *begin = p;
		struct seq seq = seq_of(first + i);
		size_t head;
		uint32_t len;

		if (!stored_length_get(&p, end, &len))
			return false;
		head = head_length(p, (size_t)(end - p));
		if (head == 0 || len < head + seq.len || len - seq.len > (size_t)(end - p) ||
		    (size_t)(p - begin) + len > unpacked - out->len)
			return false;
		buf_append(out, begin, (size_t)(p - begin) + head);
		buf_append(out, seq.bytes, seq.len);
		buf_append(out, p + head, len - head - seq.len);
		p += len - seq.len;
	}
	return p == end && out->len == unpacked;
}

/* One frame with nothing behind it, that says how much is in it: less than what the whole group takes. */
static bool is_frame_within(struct slice frame, uint32_t most, size_t *ret_size)
{
	unsigned long long size = ZSTD_getFrameContentSize(frame.base, frame.len);

	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size >= most ||
	    ZSTD_findFrameCompressedSize(frame.base, frame.len) != frame.len)
		return false;
	*ret_size = (size_t)size;
	return true;
}

int group_unpack(struct packer *p, struct slice frame, uint64_t first, uint32_t n, uint32_t unpacked, struct buf *ret,
		 struct err *err)
{
	size_t size, got;

	if (unpacked > GROUP_UNPACKED_MAX || !is_frame_within(frame, unpacked, &size))
		return malformed(err);
	if (p->decompressor == NULL)
		p->decompressor = ZSTD_createDCtx();
	if (p->decompressor == NULL || !make_room(&p->brief, size) || !make_room(ret, unpacked))
		return no_memory(err);
	got = ZSTD_decompressDCtx(p->decompressor, p->brief.base, size, frame.base, frame.len);
	if (ZSTD_isError(got) || got != size)
		return malformed(err);
	p->brief.len = size;
	return put_back(buf_slice(&p->brief), first, n, unpacked, ret) ? 0 : malformed(err);
}
