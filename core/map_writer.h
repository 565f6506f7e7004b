#ifndef CORE_MAP_WRITER_H
#define CORE_MAP_WRITER_H

#include "core/schema.h"

/*
 * Writes one map, pair by pair, without knowing their number beforehand: its head has room for
 * 65535 pairs. Nested maps are written between map_key() and the next pair. Sticky like the buffer.
 */
struct map_writer {
	struct buf *b;
	size_t head;
	unsigned n;
};

void map_open(struct map_writer *w, struct buf *b);
void map_close(struct map_writer *w);
/* The key; the value is up to the caller. */
struct buf *map_key(struct map_writer *w, const char *key);

void map_int(struct map_writer *w, const char *key, int64_t v);
void map_uint(struct map_writer *w, const char *key, uint64_t v);
void map_bool(struct map_writer *w, const char *key, bool v);
void map_float(struct map_writer *w, const char *key, double v);
void map_points(struct map_writer *w, const char *key, int64_t thousandths);
void map_text(struct map_writer *w, const char *key, struct slice v); /* absent: nil */
void map_str(struct map_writer *w, const char *key, const char *v);   /* NULL: nil */
void map_raw(struct map_writer *w, const char *key, struct slice packed);
void map_nil(struct map_writer *w, const char *key);
/* has false: nil */
void map_opt_int(struct map_writer *w, const char *key, bool has, int64_t v);
void map_record(struct map_writer *w, const char *key, const struct record *r, const void *obj);
/* The fields of a record as pairs of this map. */
void map_fields(struct map_writer *w, const struct record *r, const void *obj);

/* The same for arrays: count the elements, write them, close with their number. */
size_t array_open(struct buf *b);
void array_close(struct buf *b, size_t head, uint32_t n);

#endif
