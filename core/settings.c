#include "core/settings.h"

#include <inttypes.h>

const struct setting_def setting_defs[N_SETTINGS] = {
#define SETTING(n, k, KIND, d, l, h, text) [SETTING_##n] = { k, SETTING_##KIND, d, l, h, text },
#include "core/schema/all.def"
};

enum setting setting_by_key(struct slice key)
{
	for (int i = 0; i < N_SETTINGS; i++)
		if (slice_is(key, setting_defs[i].key))
			return (enum setting)i;
	return N_SETTINGS;
}

static bool stored_value(struct state *s, enum setting id, struct mp *ret)
{
	struct config_entry row;

	if (!get_config_entry(s, slice_str(setting_defs[id].key), &row) || !row.stored)
		return false;
	*ret = mp_of(row.value);
	return true;
}

int64_t setting_int(struct state *s, enum setting id)
{
	const struct setting_def *def = &setting_defs[id];
	struct mp m;
	int64_t v;
	double x;
	bool b;

	assert(def->kind <= SETTING_PTS);
	if (!stored_value(s, id, &m))
		return def->dflt;
	if (def->kind == SETTING_BOOL)
		return mp_bool(&m, &b) ? b : def->dflt;
	if (mp_peek(&m) == MP_FLOAT)
		return mp_float(&m, &x) && points_from_double(x, &v) ? v : def->dflt;
	if (!mp_int(&m, &v))
		return def->dflt;
	return def->kind == SETTING_PTS ? v * POINTS_SCALE : v;
}

struct slice setting_text(struct state *s, enum setting id)
{
	struct slice none = setting_defs[id].kind == SETTING_ROLE ? SLICE_LIT("free") : SLICE_NULL;
	struct slice text;
	struct mp m;

	assert(setting_defs[id].kind >= SETTING_TEXT);
	return stored_value(s, id, &m) && mp_peek(&m) == MP_STR && mp_str(&m, &text) ? text : none;
}

const char *setting_type(enum setting id)
{
	static const char *const names[] = { "bool", "int", "pts", "str", "str" };

	return names[setting_defs[id].kind];
}

struct slice setting_default(enum setting id, struct arena *arena)
{
	const struct setting_def *def = &setting_defs[id];
	struct slice packed;
	struct buf b;

	buf_init(&b, 64);
	switch (def->kind) {
	case SETTING_BOOL:
		mp_put_bool(&b, def->dflt != 0);
		break;
	case SETTING_INT:
		mp_put_int64(&b, def->dflt);
		break;
	case SETTING_PTS:
		mp_put_points(&b, def->dflt);
		break;
	case SETTING_TEXT:
		mp_put_nil(&b);
		break;
	case SETTING_ROLE:
		mp_put_text(&b, SLICE_LIT("free"));
		break;
	}
	packed = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return packed;
}

/* Numbers: in range, in their shortest form. */
static int check_number(const struct setting_def *def, struct mp *m, struct buf *b, struct err *err)
{
	int64_t v;
	double x;

	if (def->kind == SETTING_PTS && mp_peek(m) == MP_FLOAT) {
		if (!mp_float(m, &x) || !points_from_double(x, &v))
			return err_field(err, def->key, "must be a multiple of 0.001");
	} else if (mp_peek(m) != MP_INT || !mp_int(m, &v)) {
		return err_field(err, def->key, "must be a number");
	} else if (def->kind == SETTING_PTS && !points_from_int(v, &v)) {
		return err_field(err, def->key, "is too large");
	}
	if (v < def->lo || v > def->hi) {
		int64_t unit = def->kind == SETTING_PTS ? POINTS_SCALE : 1;

		return err_field(err, def->key, "must be %" PRId64 "..%" PRId64, def->lo / unit, def->hi / unit);
	}
	if (def->kind == SETTING_PTS)
		mp_put_points(b, v);
	else
		mp_put_int64(b, v);
	return 0;
}

static int check_value(const struct setting_def *def, struct mp *m, struct buf *b, struct err *err)
{
	struct slice text;
	bool v;

	switch (def->kind) {
	case SETTING_BOOL:
		if (!mp_bool(m, &v))
			return err_field(err, def->key, "must be true or false");
		mp_put_bool(b, v);
		return 0;
	case SETTING_INT:
	case SETTING_PTS:
		return check_number(def, m, b, err);
	case SETTING_TEXT:
		if (mp_nil(m)) {
			mp_put_nil(b);
			return 0;
		}
		break;
	case SETTING_ROLE:
		break;
	}
	if (!mp_str(m, &text) || !utf8_valid(text))
		return err_field(err, def->key, "must be a text");
	if (def->kind == SETTING_TEXT && text.len > (size_t)def->hi)
		return err_field(err, def->key, "must be at most %" PRId64 " bytes", def->hi);
	if (def->kind == SETTING_ROLE && !slice_is(text, "free") && !slice_is(text, "vip") && !slice_is(text, "admin"))
		return err_field(err, def->key, "must be one of free|vip|admin");
	mp_put_text(b, text);
	return 0;
}

int setting_check(enum setting id, struct slice packed, struct arena *arena, struct slice *ret, struct err *err)
{
	struct mp m = mp_of(packed);
	struct buf b;
	int rc;

	buf_init(&b, 70000);
	rc = check_value(&setting_defs[id], &m, &b, err);
	if (rc == 0)
		*ret = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return rc;
}
