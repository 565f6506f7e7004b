#include "core/levels.h"

#include <stdlib.h>

#include "core/records.h"

/* What the rows of all levels take: how many there are, and the bytes of their names. */
static void measure(struct state *s, size_t *ret_n, size_t *ret_bytes)
{
	struct row_walk w;
	struct key all;

	*ret_n = *ret_bytes = 0;
	row_walk_begin(&w, s, T_level, key_begin(&all), false);
	while (row_walk_next(&w)) {
		++*ret_n;
		*ret_bytes += w.value.len;
	}
	row_walk_end(&w);
}

static void add_level(struct levels *l, char **names, const struct level *row)
{
	memcpy(*names, row->name.base, row->name.len);
	l->at[l->n++] = (struct level_step){ row->id, row->min_points, slice_of(*names, row->name.len) };
	*names += row->name.len;
}

static struct levels *read_levels(struct state *s)
{
	size_t n, bytes;
	struct levels *l;
	struct row_walk w;
	struct level row;
	struct key all;
	char *names;

	measure(s, &n, &bytes);
	l = calloc(1, sizeof(*l) + n * sizeof(l->at[0]) + bytes);
	if (l == NULL) {
		state_fail(s, E_INTERNAL, "no memory for levels");
		return NULL;
	}
	names = (char *)&l->at[n];
	row_walk_begin(&w, s, T_level, key_begin(&all), false);
	while (row_walk_next(&w)) {
		struct mp m = mp_of(w.value);

		if (record_get(&m, record_level(), &row, s->arena) && !row.deleted)
			add_level(l, &names, &row);
	}
	row_walk_end(&w);
	return l;
}

const struct levels *levels_of(struct state *s)
{
	static const struct levels none;

	if (s->levels == NULL || s->levels->as_of != s->few_changes) {
		free(s->levels);
		s->levels = read_levels(s);
		if (s->levels != NULL)
			/* what was read of a state that fails is not to be trusted later */
			s->levels->as_of = s->failed ? 0 : s->few_changes;
	}
	return s->levels != NULL ? s->levels : &none;
}

/* How many have a number of at most `id`. */
static size_t up_to(const struct levels *l, int64_t id)
{
	size_t n = 0;

	while (n < l->n && l->at[n].id <= id)
		n++;
	return n;
}

const struct level_step *level_numbered(const struct levels *l, int64_t id)
{
	size_t n = up_to(l, id);

	return n > 0 && l->at[n - 1].id == id ? &l->at[n - 1] : NULL;
}

const struct level_step *level_above(const struct levels *l, int64_t id)
{
	size_t n = up_to(l, id);

	return n < l->n ? &l->at[n] : NULL;
}

const struct level_step *level_for(const struct levels *l, int64_t points)
{
	size_t n = 0;

	while (n < l->n && l->at[n].min_points <= points)
		n++;
	return n > 0 ? &l->at[n - 1] : NULL;
}
