#include "core/postings.h"

static void put_varint(struct buf *b, uint64_t v)
{
	while (v >= 0x80) {
		buf_byte(b, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	buf_byte(b, (uint8_t)v);
}

static bool take_varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
		uint8_t c = *(*p)++;

		v |= (uint64_t)(c & 0x7f) << shift;
		if ((c & 0x80) == 0) {
			*ret = v;
			return true;
		}
	}
	return false;
}

bool postings_read(struct slice bytes, struct postings_run *ret)
{
	const uint8_t *p = bytes.base, *end = p + bytes.len;
	uint64_t seq = 0, step;

	ret->n = 0;
	while (p < end) {
		if (ret->n == POSTINGS_RUN || !take_varint(&p, end, &step))
			return false;
		seq += step;
		ret->seqs[ret->n++] = seq;
	}
	return true;
}

bool postings_tail(struct slice bytes, struct postings_tail *ret)
{
	const uint8_t *p = bytes.base, *end = p + bytes.len;
	uint64_t step;

	*ret = (struct postings_tail){ 0 };
	while (p < end) {
		if (!take_varint(&p, end, &step))
			return false;
		ret->last += step;
		ret->n++;
	}
	return ret->n <= POSTINGS_RUN;
}

void postings_append(struct buf *b, const struct postings_tail *tail, uint64_t seq)
{
	assert(seq > tail->last);
	put_varint(b, seq - tail->last);
}

void postings_write(struct buf *b, const struct postings_run *run)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < run->n; i++) {
		put_varint(b, run->seqs[i] - last);
		last = run->seqs[i];
	}
}
