#include "core/map_writer.h"

void map_open(struct map_writer *w, struct buf *b)
{
	static const uint8_t head[] = { 0xde, 0, 0 };

	*w = (struct map_writer){ b, b->len, 0 };
	buf_append(b, head, sizeof(head));
}

void map_close(struct map_writer *w)
{
	assert(w->n <= UINT16_MAX);
	if (w->b->failed)
		return;
	w->b->base[w->head + 1] = (uint8_t)(w->n >> 8);
	w->b->base[w->head + 2] = (uint8_t)w->n;
}

struct buf *map_key(struct map_writer *w, const char *key)
{
	mp_put_text(w->b, slice_str(key));
	w->n++;
	return w->b;
}

void map_int(struct map_writer *w, const char *key, int64_t v)
{
	mp_put_int64(map_key(w, key), v);
}

void map_uint(struct map_writer *w, const char *key, uint64_t v)
{
	mp_put_uint64(map_key(w, key), v);
}

void map_bool(struct map_writer *w, const char *key, bool v)
{
	mp_put_bool(map_key(w, key), v);
}

void map_float(struct map_writer *w, const char *key, double v)
{
	mp_put_double(map_key(w, key), v);
}

void map_points(struct map_writer *w, const char *key, int64_t thousandths)
{
	mp_put_points(map_key(w, key), thousandths);
}

void map_text(struct map_writer *w, const char *key, struct slice v)
{
	mp_put_text_or_nil(map_key(w, key), v);
}

void map_str(struct map_writer *w, const char *key, const char *v)
{
	map_text(w, key, slice_str(v));
}

void map_raw(struct map_writer *w, const char *key, struct slice packed)
{
	map_key(w, key);
	if (packed.base == NULL)
		mp_put_nil(w->b);
	else
		buf_append(w->b, packed.base, packed.len);
}

void map_nil(struct map_writer *w, const char *key)
{
	mp_put_nil(map_key(w, key));
}

void map_opt_int(struct map_writer *w, const char *key, bool has, int64_t v)
{
	if (has)
		map_int(w, key, v);
	else
		map_nil(w, key);
}

void map_record(struct map_writer *w, const char *key, const struct record *r, const void *obj)
{
	record_put_wire(map_key(w, key), r, obj);
}

void map_fields(struct map_writer *w, const struct record *r, const void *obj)
{
	record_put_wire_pairs(w->b, r, obj);
	w->n += record_wire_count(r);
}

size_t array_open(struct buf *b)
{
	static const uint8_t head[] = { 0xdd, 0, 0, 0, 0 };
	size_t at = b->len;

	buf_append(b, head, sizeof(head));
	return at;
}

void array_close(struct buf *b, size_t head, uint32_t n)
{
	uint32_t be = htobe32(n);

	if (!b->failed)
		memcpy(b->base + head + 1, &be, sizeof(be));
}
