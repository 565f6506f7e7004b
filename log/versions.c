#include "log/versions.h"

#include <stdlib.h>
#include <xxhash.h>

enum { ROWS_FIRST = 1024 };

void versions_free(struct versions *s)
{
	free(s->rows);
	*s = (struct versions){ NULL, 0, 0 };
}

static bool is_free(const struct version_row *row)
{
	return row->high == 0 && row->low == 0;
}

/* The row of a stream, or the free one where it belongs. There is always a free one. */
static struct version_row *look_up(const struct versions *s, uint64_t high, uint32_t low)
{
	uint64_t i = high & (s->cap - 1);

	while (!is_free(&s->rows[i]) && (s->rows[i].high != high || s->rows[i].low != low))
		i = (i + 1) & (s->cap - 1);
	return &s->rows[i];
}

static bool make_room(struct versions *s)
{
	struct versions bigger = { NULL, s->n, s->cap ? s->cap * 2 : ROWS_FIRST };

	if (s->cap != 0 && s->n < s->cap / 4 * 3)
		return true;
	bigger.rows = calloc(bigger.cap, sizeof(*bigger.rows));
	if (bigger.rows == NULL)
		return false;
	for (uint64_t i = 0; i < s->cap; i++)
		if (!is_free(&s->rows[i]))
			*look_up(&bigger, s->rows[i].high, s->rows[i].low) = s->rows[i];
	free(s->rows);
	*s = bigger;
	return true;
}

bool versions_note(struct versions *s, struct slice stream, uint64_t version, uint32_t *ret_before)
{
	XXH128_hash_t hash = XXH3_128bits(stream.base, stream.len);
	uint32_t low = (uint32_t)hash.low64 | 1; /* never looks free */
	struct version_row *row;

	if (!make_room(s))
		return false;
	row = look_up(s, hash.high64, low);
	if (is_free(row)) {
		*row = (struct version_row){ hash.high64, low, 0 };
		s->n++;
	}
	*ret_before = row->version;
	row->version = (uint32_t)version;
	return true;
}
