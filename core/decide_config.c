#include <math.h>
#include <stdlib.h>

#include "core/rules.h"

enum { ENTRIES_MAX = 1000, TEXT_MAX = 65536, LIST_TEXT_MAX = 1024, LIST_MAX = 100 };

struct pair {
	struct slice key;
	struct slice value;
};

static int pair_cmp(const void *a, const void *b)
{
	return slice_cmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static bool is_flag(struct slice key)
{
	return slice_starts(key, SLICE_LIT("flag."));
}

/* Entries nobody knows hold nil, bool, int, finite float, text or a list of texts. */
static bool plain_value(struct slice packed)
{
	struct mp m = mp_of(packed);
	struct slice text;
	uint32_t n;
	double x;

	switch (mp_peek(&m)) {
	case MP_NIL:
	case MP_BOOL:
	case MP_INT:
		return true;
	case MP_FLOAT:
		return mp_float(&m, &x) && isfinite(x);
	case MP_STR:
		return mp_str(&m, &text) && text.len <= TEXT_MAX && utf8_valid(text);
	case MP_ARRAY:
		if (!mp_array(&m, &n) || n > LIST_MAX)
			return false;
		while (n-- > 0)
			if (!mp_str(&m, &text) || text.len > LIST_TEXT_MAX || !utf8_valid(text))
				return false;
		return true;
	default:
		return false;
	}
}

static int check_entry(struct decision *d, struct pair *p)
{
	struct mp m = mp_of(p->value);
	enum setting id = setting_by_key(p->key);
	char field[KEY_MAX + 1] = "entries";

	if (p->key.len > 0 && p->key.len <= KEY_MAX && utf8_valid(p->key)) {
		memcpy(field, p->key.base, p->key.len);
		field[p->key.len] = '\0';
	}
	if (p->key.len == 0 || p->key.len > KEY_MAX || !key_chars(p->key))
		return err_field(d->err, field, "keys are 1..%d of A-Z a-z 0-9 _ - . :", KEY_MAX);
	if (id != N_SETTINGS)
		return setting_check(id, p->value, d->arena, &p->value, d->err);
	if (is_flag(p->key) && mp_peek(&m) != MP_BOOL && mp_peek(&m) != MP_NIL)
		return err_field(d->err, field, "must be true or false");
	if (!plain_value(p->value))
		return err_field(d->err, field, "must be nil, bool, int, float, text or a list of texts");
	return 0;
}

static int read_entries(struct decision *d, struct slice packed, struct pair **ret, uint32_t *ret_n)
{
	struct mp m = mp_of(packed);
	struct pair *v;
	uint32_t n;

	if (!mp_map(&m, &n) || n == 0 || n > ENTRIES_MAX)
		return err_field(d->err, "entries", "must have 1..%d entries", ENTRIES_MAX);
	v = arena_take(d->arena, n * sizeof(*v));
	if (v == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "too many entries");
	for (uint32_t i = 0; i < n; i++) {
		int rc = mp_str(&m, &v[i].key) && mp_raw(&m, MAP_DEPTH, &v[i].value) ? 0 : E_INVALID_ARGUMENT;

		if (rc != 0)
			return err_field(d->err, "entries", "must be a map with string keys");
		rc = check_entry(d, &v[i]);
		if (rc != 0)
			return rc;
	}
	qsort(v, n, sizeof(*v), pair_cmp);
	for (uint32_t i = 1; i < n; i++)
		if (slice_eq(v[i - 1].key, v[i].key))
			return err_field(d->err, "entries", "a key is there twice");
	*ret = v;
	*ret_n = n;
	return 0;
}

static bool is_stored(struct state *s, struct slice key)
{
	struct config_entry row;

	return get_config_entry(s, key, &row) && row.stored;
}

/* The value as it is now: stored, or the default of a known key, or nil. */
static struct slice present_value(struct state *s, struct slice key)
{
	enum setting id = setting_by_key(key);
	struct config_entry row;

	if (get_config_entry(s, key, &row) && row.stored)
		return row.value.base ? row.value : SLICE_LIT("\xc0");
	if (id != N_SETTINGS)
		return setting_default(id, s->arena);
	return is_flag(key) ? SLICE_LIT("\xc2") : SLICE_LIT("\xc0");
}

bool config_show(struct state *s, struct slice key, struct config_item *ret)
{
	enum setting id = setting_by_key(key);
	struct config_entry row = { 0 };
	bool stored = get_config_entry(s, key, &row) && row.stored;
	bool known = id != N_SETTINGS || is_flag(key);

	*ret = (struct config_item){ .id = key,
				     .value = present_value(s, key),
				     .is_default = !stored,
				     .known = known,
				     .type = slice_str(id != N_SETTINGS ? setting_type(id)
						       : is_flag(key)   ? "bool"
									: "any"),
				     .default_value = id != N_SETTINGS ? setting_default(id, s->arena)
						      : is_flag(key)   ? SLICE_LIT("\xc2")
								       : SLICE_NULL };
	if (stored) {
		ret->has_updated_at = true;
		ret->updated_at = row.updated_at;
		ret->updated_by = row.updated_by;
	}
	return stored || known;
}

int decide_config_set(struct decision *d, const struct config_set *p, struct config_set_result *r)
{
	struct config_item *items;
	struct pair *v = NULL;
	uint32_t n = 0;
	int rc = read_entries(d, p->entries, &v, &n);

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < n; i++) {
		struct slice before = present_value(d->state, v[i].key);
		bool removes = slice_is(v[i].value, "\xc0") && setting_by_key(v[i].key) == N_SETTINGS;

		if (removes ? !is_stored(d->state, v[i].key) : slice_eq(before, v[i].value))
			continue;
		if (removes)
			EMIT(d, config_entry_deleted, .id = v[i].key, .before = before);
		else
			EMIT(d, config_entry_set, .id = v[i].key, .value = v[i].value, .before = before);
	}
	items = arena_take(d->arena, n * sizeof(*items));
	if (items == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "too many entries");
	for (uint32_t i = 0; i < n; i++)
		config_show(d->state, v[i].key, &items[i]);
	r->items.v = items;
	r->items.n = n;
	return 0;
}
