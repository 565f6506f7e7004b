#include "core/settings.h"

#include <inttypes.h>

#include "core/text.h"

const struct setting_def setting_defs[N_SETTINGS] = {
#define SETTING(n, k, KIND, d, l, h, text) [SETTING_##n] = { k, SETTING_##KIND, d, l, h, NULL, text },
#define SETTING_TEXTS(n, k, d, l, h, text) [SETTING_##n] = { k, SETTING_LIST, 0, l, h, d, text },
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

	assert(setting_defs[id].kind == SETTING_TEXT || setting_defs[id].kind == SETTING_ROLE);
	return stored_value(s, id, &m) && mp_peek(&m) == MP_STR && mp_str(&m, &text) ? text : none;
}

/* Splits "a|b"; none of an empty text. */
static size_t default_texts(const char *bars, struct slice ret[SETTING_TEXTS_MAX])
{
	size_t n = 0;

	while (*bars != '\0') {
		size_t len = strcspn(bars, "|");

		assert(n < SETTING_TEXTS_MAX);
		ret[n++] = slice_of(bars, len);
		bars += len + (bars[len] == '|');
	}
	return n;
}

size_t setting_texts(struct state *s, enum setting id, struct slice ret[SETTING_TEXTS_MAX])
{
	struct mp m;
	uint32_t n;
	size_t i = 0;

	assert(setting_defs[id].kind == SETTING_LIST && setting_defs[id].hi <= SETTING_TEXTS_MAX);
	if (!stored_value(s, id, &m) || mp_peek(&m) != MP_ARRAY || !mp_array(&m, &n))
		return default_texts(setting_defs[id].dflt_texts, ret);
	while (i < n && i < SETTING_TEXTS_MAX && mp_str(&m, &ret[i]))
		i++;
	return i;
}

const char *setting_type(enum setting id)
{
	static const char *const names[] = { "bool", "int", "pts", "str", "str", "int", "list" };

	return names[setting_defs[id].kind];
}

struct slice setting_default(enum setting id, struct arena *arena)
{
	const struct setting_def *def = &setting_defs[id];
	struct slice packed, texts[SETTING_TEXTS_MAX];
	struct buf b;
	size_t n;

	buf_init(&b, 1024);
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
	case SETTING_ID:
		mp_put_nil(&b);
		break;
	case SETTING_LIST:
		n = default_texts(def->dflt_texts, texts);
		mp_put_array(&b, n);
		for (size_t i = 0; i < n; i++)
			mp_put_text(&b, texts[i]);
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
		double unit = def->kind == SETTING_PTS ? POINTS_SCALE : 1;

		return err_field(err, def->key, "must be %.17g..%.17g", (double)def->lo / unit, (double)def->hi / unit);
	}
	if (def->kind == SETTING_PTS)
		mp_put_points(b, v);
	else
		mp_put_int64(b, v);
	return 0;
}

/* Lists are of emojis, which are compared and kept without U+FE0F. */
static int check_list(const struct setting_def *def, struct mp *m, struct buf *b, struct arena *arena, struct err *err)
{
	struct slice texts[SETTING_TEXTS_MAX];
	uint32_t n;

	if (mp_peek(m) != MP_ARRAY || !mp_array(m, &n))
		return err_field(err, def->key, "must be a list of texts");
	if (n < def->lo || n > def->hi)
		return err_field(err, def->key, "must have %" PRId64 "..%" PRId64 " items", def->lo, def->hi);
	mp_put_array(b, n);
	for (uint32_t i = 0; i < n; i++) {
		if (mp_peek(m) != MP_STR || !mp_str(m, &texts[i]) || !utf8_valid(texts[i]))
			return err_field(err, def->key, "must be a list of texts");
		texts[i] = text_emoji(texts[i], arena);
		if (texts[i].len == 0 || texts[i].len > SETTING_ELEMENT_MAX)
			return err_field(err, def->key, "items must be 1..%d bytes", SETTING_ELEMENT_MAX);
		for (uint32_t k = 0; k < i; k++)
			if (slice_eq(texts[k], texts[i]))
				return err_field(err, def->key, "has an item twice");
		mp_put_text(b, texts[i]);
	}
	return 0;
}

static int check_value(const struct setting_def *def, struct mp *m, struct buf *b, struct arena *arena, struct err *err)
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
	case SETTING_LIST:
		return check_list(def, m, b, arena, err);
	case SETTING_TEXT:
	case SETTING_ID:
		if (mp_nil(m)) {
			mp_put_nil(b);
			return 0;
		}
		if (def->kind == SETTING_ID)
			return check_number(def, m, b, err);
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
	rc = check_value(&setting_defs[id], &m, &b, arena, err);
	if (rc == 0)
		*ret = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return rc;
}
