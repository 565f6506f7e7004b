#include "projections/tally.h"

void tally_add(struct state *s, enum table_id t, const struct key *k, int64_t by)
{
	struct tally row = { 0 };

	row_get(s, t, k, &row);
	row.n += by;
	if (row.n != 0)
		row_put(s, t, k, &row);
	else
		state_del(s, t, key_slice(k));
}

int64_t tally_get(struct state *s, enum table_id t, const struct key *k)
{
	struct tally row = { 0 };

	row_get(s, t, k, &row);
	return row.n;
}

void tally_move(struct state *s, enum table_id t, const struct key *prefix, int64_t before, int64_t after)
{
	struct key k;

	if (before == after)
		return;
	if (before >= 0) {
		k = *prefix;
		key_put_U64(&k, (uint64_t)before);
		tally_add(s, t, &k, -1);
	}
	if (after >= 0) {
		k = *prefix;
		key_put_U64(&k, (uint64_t)after);
		tally_add(s, t, &k, 1);
	}
}

int64_t tally_end(struct state *s, enum table_id t, const struct key *prefix, bool largest)
{
	struct row_walk w;
	uint64_t value = 0;

	row_walk_begin(&w, s, t, prefix, largest);
	if (row_walk_next(&w))
		key_last_U64(w.key, &value);
	row_walk_end(&w);
	return (int64_t)value;
}

unsigned tally_texts(struct state *s, enum table_id t, const struct key *prefix)
{
	struct row_walk w;
	unsigned n = 0;

	row_walk_begin(&w, s, t, prefix, false);
	while (n <= TALLY_TEXTS_MAX && row_walk_next(&w))
		n++;
	row_walk_end(&w);
	return n;
}

struct slice tally_text(struct state *s, enum table_id t, const struct key *prefix, struct slice text)
{
	struct tally row = { 0 };
	struct key k = *prefix;

	key_put_TEXT(&k, text);
	return row_get(s, t, &k, &row) || tally_texts(s, t, prefix) < TALLY_TEXTS_MAX ? text : SLICE_LIT("other");
}

void tally_add_text(struct state *s, enum table_id t, const struct key *prefix, struct slice text, int64_t by)
{
	struct key k = *prefix;

	key_put_TEXT(&k, tally_text(s, t, prefix, text));
	tally_add(s, t, &k, by);
}

void map_tally(struct query *q, struct map_writer *w, const char *name, enum table_id t, const struct key *prefix)
{
	struct map_writer texts;
	struct row_walk rows;

	map_key(w, name);
	map_open(&texts, q->out);
	row_walk_begin(&rows, q->state, t, prefix, false);
	while (row_walk_next(&rows)) {
		struct slice key = slice_of((const uint8_t *)rows.key.base + prefix->len, rows.key.len - prefix->len),
			     text;
		struct mp m = mp_of(rows.value);
		struct tally row;

		if (!key_take_TEXT(&key, q->arena, &text) || !record_get(&m, record_tally(), &row, q->arena))
			continue;
		mp_put_text(q->out, text);
		texts.n++;
		mp_put_int64(q->out, row.n);
	}
	row_walk_end(&rows);
	map_close(&texts);
}
