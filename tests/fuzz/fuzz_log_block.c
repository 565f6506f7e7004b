/* The stored forms of the log on arbitrary bytes: the input as a block, raw or sealed, and as a tail row, as they are
 * and, since no fuzzer finds a checksum, with the checksums made right; as the frame of a packed group, and as what is
 * in such a frame. */
#include <stdlib.h>
#include <zstd.h>

#include "log/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* So that no read is left out. */
static volatile uint64_t sink;

/* Everything a reader may do with a block. */
static void read_block(struct slice key, struct slice value)
{
	static struct block_group g;
	static struct packer p;
	struct block_view b;
	struct err err;

	if (block_parse(key, value, &b, &err) != 0)
		return;
	for (uint32_t n = 0; n < b.n_groups; n++) {
		if (block_group_load(&b, n, &p, &g, &err) != 0)
			continue;
		for (uint32_t i = 0; i < g.n; i++) {
			struct slice event = block_group_event(&g, i);
			struct stored_head head;
			uint8_t tag;

			if (stored_tag(event, &tag) && stored_head(event, &head))
				sink = head.seq;
			sink = ((const uint8_t *)event.base)[event.len - 1];
		}
	}
}

/* Makes of p what its group size and count say it could be: magic, format, lengths, checksums. */
static void mend_block(uint8_t *p, size_t size)
{
	uint32_t group = (uint32_t)p[6] << 8 | p[7], count = be32(p + 104), n;
	size_t head;

	memcpy(p, "DLBK\x01", 5);
	p[5] &= 1;
	if (count == 0 || group == 0)
		return;
	n = block_n_groups(count, (uint16_t)group);
	head = block_head_size(n);
	if (head > size)
		return;
	put64(p + 64, be32(p + 8) * (UINT64_C(1) << 32) + be32(p + 12) + count - 1);
	p[108] = (uint8_t)((size - head) >> 24);
	p[109] = (uint8_t)((size - head) >> 16);
	p[110] = (uint8_t)((size - head) >> 8);
	p[111] = (uint8_t)(size - head);
	for (uint32_t i = 0, begin = 0, end; i < n; i++, begin = end) {
		end = be32(p + BLOCK_FIXED + (size_t)i * BLOCK_INDEX_ENTRY);
		if (end <= begin || end > size - head)
			break;
		block_put_index(p, i, end, p[5] == BLOCK_RAW ? end - begin : be32(p + BLOCK_FIXED + i * 16 + 4),
				log_checksum(slice_of(p + head + begin, end - begin)));
	}
	put64(p + head - BLOCK_CHECKSUM, log_checksum(slice_of(p, head - BLOCK_CHECKSUM)));
}

/* The first bytes say what the index would. */
static void read_frame(const uint8_t *data, size_t size)
{
	static struct packer p;
	static struct buf group;
	char packed[1 << 16];
	struct slice rest = slice_of(data + 8, size - 8);
	uint32_t n = data[0] % 8 + 1u, unpacked = (uint32_t)data[1] << 8 | data[2];
	uint64_t first = UINT64_C(1) << (data[3] % 40);
	struct err err;
	size_t got;

	(void)group_unpack(&p, rest, first, n, unpacked, &group, &err);
	got = ZSTD_compress(packed, sizeof(packed), rest.base, rest.len, 1);
	if (!ZSTD_isError(got) && group_unpack(&p, slice_of(packed, got), first, n, unpacked, &group, &err) == 0)
		sink = group.base[unpacked - 1];
}

static void mend_tail(uint8_t *p, size_t size)
{
	memcpy(p, "DLTL\x01", 5);
	put64(p + size - BLOCK_CHECKSUM, log_checksum(slice_of(p, size - BLOCK_CHECKSUM)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy, key[BLOCK_KEY] = { 0 };
	struct log_sealed sealed;
	struct merkle tree;
	struct err err;

	(void)tail_parse(slice_of(data, size), &tree, &err);
	(void)sealed_row_parse(slice_of(data, size), &sealed, &err);
	if (size > 8)
		read_frame(data, size);
	read_block(slice_of(key, BLOCK_KEY), slice_of(data, size));
	if (size < BLOCK_FIXED)
		return 0;
	copy = malloc(size);
	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	mend_block(copy, size);
	memcpy(key, copy + 64, BLOCK_KEY);
	read_block(slice_of(key, BLOCK_KEY), slice_of(copy, size));
	memcpy(copy, data, size);
	mend_tail(copy, size);
	(void)tail_parse(slice_of(copy, size), &tree, &err);
	free(copy);
	return 0;
}
