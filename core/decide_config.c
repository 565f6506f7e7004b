#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/reactions.h"
#include "core/rules.h"

/* ---- entries ---- */

enum { ENTRIES_MAX = 1000, TEXT_MAX = 65536, LIST_TEXT_MAX = 1024, LIST_MAX = 100 };
enum { PLAIN_MAX = LIST_MAX * (LIST_TEXT_MAX + 3) + 5 }; /* the largest value, packed */

struct pair {
	struct slice key;
	struct slice value;
};

static int pair_cmp(const void *a, const void *b)
{
	return slice_cmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

bool config_is_flag(struct slice key)
{
	return slice_starts(key, SLICE_LIT("flag."));
}

/* At most so many bytes of valid UTF-8. */
static bool put_text(struct mp *m, struct buf *b, size_t max)
{
	struct slice text;

	if (!mp_str(m, &text) || text.len > max || !utf8_valid(text))
		return false;
	mp_put_text(b, text);
	return true;
}

/* Entries nobody knows hold nil, bool, int, finite float, text or a list of texts. */
static bool put_plain(struct mp *m, struct buf *b)
{
	uint32_t n;
	int64_t v;
	double x;
	bool on;

	switch (mp_peek(m)) {
	case MP_NIL:
		mp_put_nil(b);
		return true;
	case MP_BOOL:
		mp_bool(m, &on);
		mp_put_bool(b, on);
		return true;
	case MP_INT:
		if (!mp_int(m, &v) || v < -INT_SAFE_MAX || v > INT_SAFE_MAX)
			return false;
		mp_put_int64(b, v);
		return true;
	case MP_FLOAT:
		if (!mp_float(m, &x) || !isfinite(x))
			return false;
		mp_put_double(b, x);
		return true;
	case MP_STR:
		return put_text(m, b, TEXT_MAX);
	case MP_ARRAY:
		if (!mp_array(m, &n) || n > LIST_MAX)
			return false;
		mp_put_array(b, n);
		while (n-- > 0)
			if (mp_peek(m) != MP_STR || !put_text(m, b, LIST_TEXT_MAX))
				return false;
		return true;
	default:
		return false;
	}
}

/* In the one form that each value has, however the client packed it. False: no such value. */
static bool plain_value(struct slice packed, struct arena *arena, struct slice *ret)
{
	struct mp m = mp_of(packed);
	struct buf b;
	bool plain;

	buf_init(&b, PLAIN_MAX);
	plain = put_plain(&m, &b);
	if (plain)
		*ret = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return plain;
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
	if (config_is_flag(p->key) && mp_peek(&m) != MP_BOOL && mp_peek(&m) != MP_NIL)
		return err_field(d->err, field, "must be true or false");
	if (!plain_value(p->value, d->arena, &p->value))
		return err_field(d->err, field, "must be nil, bool, int, float, text or a list of texts");
	return 0;
}

/* In byte order of the keys, all valid, with the values in the form in which they are stored. */
struct pairs {
	struct pair *v;
	uint32_t n;
};

static int read_entries(struct decision *d, struct slice packed, struct pairs *ret)
{
	struct mp m = mp_of(packed);
	struct pair *v;
	uint32_t n;

	if (!mp_map(&m, &n))
		return err_field(d->err, "entries", "must be a map");
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
	*ret = (struct pairs){ v, n };
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
	return config_is_flag(key) ? SLICE_LIT("\xc2") : SLICE_LIT("\xc0");
}

bool config_show(struct state *s, struct slice key, struct config_item *ret)
{
	enum setting id = setting_by_key(key);
	struct config_entry row = { 0 };
	bool stored = get_config_entry(s, key, &row) && row.stored;
	bool known = id != N_SETTINGS || config_is_flag(key);

	*ret = (struct config_item){ .id = key,
				     .value = present_value(s, key),
				     .is_default = !stored,
				     .known = known,
				     .type = slice_str(id != N_SETTINGS      ? setting_type(id)
						       : config_is_flag(key) ? "bool"
									     : "any"),
				     .default_value = id != N_SETTINGS      ? setting_default(id, s->arena)
						      : config_is_flag(key) ? SLICE_LIT("\xc2")
									    : SLICE_NULL };
	if (stored) {
		ret->version = row.version;
		ret->has_updated_at = true;
		ret->updated_at = row.updated_at;
		ret->updated_by = row.updated_by;
	}
	return stored || known;
}

enum change { UNCHANGED, SETS, DELETES };

/* What setting an entry comes to; appends the event unless it is only asked. */
static enum change set_entry(struct decision *d, const struct pair *p, bool dry_run)
{
	struct slice before = present_value(d->state, p->key);
	bool deletes = slice_is(p->value, "\xc0") && setting_by_key(p->key) == N_SETTINGS;

	if (deletes ? !is_stored(d->state, p->key) : slice_eq(before, p->value))
		return UNCHANGED;
	if (!dry_run && deletes)
		EMIT(d, config_entry_deleted, .id = p->key, .before = before);
	else if (!dry_run)
		EMIT(d, config_entry_set, .id = p->key, .value = p->value, .before = before);
	return deletes ? DELETES : SETS;
}

/* A single entry has a stream; several have several. */
void address_config_set(struct decision *d, const struct config_set *p)
{
	struct mp m = mp_of(p->entries);
	struct slice key;
	uint32_t n;

	if (!mp_map(&m, &n) || n == 0)
		return;
	d->addresses_several = n > 1;
	if (n == 1 && mp_str(&m, &key) && key.len <= KEY_MAX && key_chars(key))
		decision_address(d, STREAM_config, &key, NULL);
}

int decide_config_set(struct decision *d, const struct config_set *p, struct config_set_result *r)
{
	struct config_item *items;
	struct pairs set = { 0 };
	int rc = read_entries(d, p->entries, &set);

	if (rc != 0)
		return rc;
	if (set.n == 0 || set.n > ENTRIES_MAX)
		return err_field(d->err, "entries", "must have 1..%d entries", ENTRIES_MAX);
	items = arena_take(d->arena, set.n * sizeof(*items));
	if (items == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "too many entries");
	for (uint32_t i = 0; i < set.n; i++)
		set_entry(d, &set.v[i], false);
	for (uint32_t i = 0; i < set.n; i++)
		config_show(d->state, set.v[i].key, &items[i]);
	r->items.v = items;
	r->items.n = set.n;
	return 0;
}

int decide_config_delete(struct decision *d, const struct config_delete *p, struct nothing *r)
{
	(void)r;
	if (!is_stored(d->state, p->id))
		return err_missing_text(d->err, "entry", p->id);
	EMIT(d, config_entry_deleted, .id = p->id, .before = present_value(d->state, p->id));
	return 0;
}

int decide_config_toggle(struct decision *d, const struct config_toggle *p, struct config_item_result *r)
{
	struct config_item old;
	struct mp value;
	bool on;

	if (!config_show(d->state, p->id, &old))
		return err_missing_text(d->err, "entry", p->id);
	value = mp_of(old.value);
	if (!mp_bool(&value, &on))
		return err_field(d->err, "id", "%.*s is neither true nor false", SLICE_FMT(p->id));
	EMIT(d, config_entry_set, .id = p->id, .value = on ? SLICE_LIT("\xc2") : SLICE_LIT("\xc3"),
	     .before = old.value);
	config_show(d->state, p->id, &r->item);
	return 0;
}

/* ---- tokens ---- */

bool find_token(struct state *s, struct slice text, struct token *ret)
{
	struct id_ref ref;

	return get_token_by_text(s, text, &ref) && get_token(s, ref.id, ret);
}

static bool token_by_ref(struct state *s, const struct token_ref *ref, struct token *ret)
{
	return ref->has_id ? get_token(s, ref->id, ret) : find_token(s, ref->token, ret);
}

int need_token(struct state *s, const struct token_ref *ref, struct token *ret, struct err *err)
{
	if (ref->has_id == (ref->token.base != NULL))
		return err_field(err, "id", "exactly one of id and token is needed");
	if (token_by_ref(s, ref, ret))
		return 0;
	return ref->has_id ? err_missing(err, "token", (int64_t)ref->id) : err_missing_text(err, "token", ref->token);
}

struct slice token_status(const struct token *t, int64_t now)
{
	bool over = t->has_expires_at && t->expires_at <= now;

	return over && slice_is(t->status, "active") ? SLICE_LIT("expired") : t->status;
}

/* E_ALREADY_PROCESSED */
static int still_active(struct decision *d, const struct token *t)
{
	struct slice status = token_status(t, d->now);

	if (slice_is(status, "active"))
		return 0;
	err_set(d->err, E_ALREADY_PROCESSED, "token %" PRIu64 " is %.*s", t->id, SLICE_FMT(status));
	err_detail_text(d->err, "status", status);
	return E_ALREADY_PROCESSED;
}

/* 16 random bytes in URL-safe base64. */
static struct slice draw_token(struct decision *d)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	enum { RANDOM_BYTES = 16, DIGITS = 22 };
	uint8_t raw[RANDOM_BYTES + 1] = { 0 }; /* the last digit reaches beyond the last byte */
	char text[DIGITS];
	struct token taken;

	do {
		d->ops->random(d->arg, raw, RANDOM_BYTES);
		for (size_t i = 0, bit = 0; i < DIGITS; i++, bit += 6)
			text[i] = digits[(raw[bit / 8] << 8 | raw[bit / 8 + 1]) >> (10 - bit % 8) & 63];
	} while (find_token(d->state, slice_of(text, DIGITS), &taken));
	return arena_copy(d->arena, slice_of(text, DIGITS));
}

/* What the daemon assigns, and the event. */
static void add_token(struct decision *d, struct token *t)
{
	struct config_totals totals = { 0 };

	get_config_totals(d->state, 0, &totals);
	t->id = totals.last_token_id + 1;
	t->version = 1;
	t->status = SLICE_LIT("active");
	t->created_at = d->now;
	EMIT(d, config_token_created, .token = *t);
}

int decide_token_create(struct decision *d, const struct token_create *p, struct token_item_result *r)
{
	struct token t = { .created_by = p->created_by,
			   .has_expires_at = p->has_expires_at || p->has_expires_in_minutes };
	struct user u;
	int rc = need_user(d, p->created_by, &u);

	if (rc != 0)
		return rc;
	if (p->has_expires_at && p->expires_at <= d->now)
		return err_field(d->err, "expires_at", "must be in the future");
	if (p->has_expires_at && p->has_expires_in_minutes)
		return err_field(d->err, "expires_in_minutes", "excludes expires_at");
	t.expires_at = p->has_expires_at ? p->expires_at : 0;
	if (p->has_expires_in_minutes)
		t.expires_at = d->now + p->expires_in_minutes * MINUTE_MS;
	if (t.expires_at > MS_MAX)
		return err_field(d->err, "expires_in_minutes", "must end before the year 10000");
	if (p->has_vip_days)
		t.vip_days = p->vip_days;
	else if (p->vip)
		t.vip_days = setting_int(d->state, SETTING_tokens_vip_days);
	t.token = draw_token(d);
	add_token(d, &t);
	decision_address(d, STREAM_token, &t.id, NULL);
	get_token(d->state, t.id, &r->item);
	return 0;
}

static void address_token(struct decision *d, const struct token_ref *ref)
{
	struct token t;

	if (token_by_ref(d->state, ref, &t))
		decision_address(d, STREAM_token, &t.id, NULL);
}

void address_token_delete(struct decision *d, const struct token_delete *p)
{
	address_token(d, &p->ref);
}

int decide_token_delete(struct decision *d, const struct token_delete *p, struct nothing *r)
{
	struct token t = { 0 };
	int rc = need_token(d->state, &p->ref, &t, d->err);

	(void)r;
	if (rc == 0)
		rc = still_active(d, &t);
	if (rc == 0)
		EMIT(d, config_token_deleted, .id = t.id);
	return rc;
}

void address_config_use_token(struct decision *d, const struct config_use_token *p)
{
	address_token(d, &(struct token_ref){ .token = p->token });
}

int decide_config_use_token(struct decision *d, const struct config_use_token *p, struct config_use_token_result *r)
{
	struct token t = { 0 };
	struct user u = { 0 };
	int rc = need_token(d->state, &(struct token_ref){ .token = p->token }, &t, d->err);

	if (rc == 0)
		rc = still_active(d, &t);
	if (rc != 0)
		return rc;
	ensure_user(d, p->user_id);
	EMIT(d, config_token_used, .id = t.id, .token = t.token, .used_by = p->user_id, .created_by = t.created_by,
	     .vip_days = t.vip_days);
	rc = settle(d);
	if (rc != 0)
		return rc;
	get_token(d->state, t.id, &r->item);
	find_user(d->state, p->user_id, &u);
	r->has_vip_expires_at = u.has_vip_expires_at;
	r->vip_expires_at = u.vip_expires_at;
	r->role = role_of(&u, d->now);
	return 0;
}

/* R11 */
void token_gives(struct decision *d, const struct event *ev)
{
	const struct config_token_used *p = ev->data;
	struct vip_new grant = { .user_id = p->used_by,
				 .days = p->vip_days,
				 .source = SLICE_LIT("token"),
				 .source_id = arena_printf(d->arena, "%" PRIu64, p->id) };
	uint64_t id;

	if (p->vip_days > 0 && vip_append(d, &grant, &id) != 0)
		d->failed = true;
	if (p->created_by != p->used_by)
		missions_advance(d, p->created_by, SLICE_LIT("invite"), -1);
}

bool due_token_expiry(struct state *s, int64_t now, struct due *ret)
{
	(void)now;
	return due_first(s, T_token_to_expire, 0, ret);
}

void fire_token_expiry(struct decision *d, const struct due *due)
{
	struct token t;

	if (get_token(d->state, (uint64_t)due->id, &t) && slice_is(t.status, "active") &&
	    slice_is(token_status(&t, d->now), "expired"))
		EMIT(d, config_token_expired, .id = t.id, .due_at = due->at);
}

const struct closed tokens_closed = { T_token_by_end, { "open", "deleted" } };

/* ---- import ---- */

static const struct plan *data_plan;

__attribute__((constructor)) static void make_data_plan(void)
{
	data_plan = plan_new(record_config_data(), NULL);
}

static int check_format(struct decision *d, struct slice data)
{
	struct mp m = mp_of(data), in_value;
	struct slice name, value, format = SLICE_LIT("\xc0");
	int64_t number;
	uint32_t n;

	if (!mp_map(&m, &n))
		return err_field(d->err, "data", "must be a map");
	while (n-- > 0 && mp_str(&m, &name) && mp_raw(&m, MAP_DEPTH, &value))
		if (slice_is(name, "format"))
			format = value;
	in_value = mp_of(format);
	if (mp_int(&in_value, &number) && number == CONFIG_FORMAT)
		return 0;
	err_set(d->err, E_VERSION_UNSUPPORTED, "only format %d is known", CONFIG_FORMAT);
	err_detail_raw(d->err, "format", format);
	return E_VERSION_UNSUPPORTED;
}

static int text_cmp(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static int each_token_once(struct decision *d, const struct config_data *data)
{
	struct slice *texts = arena_take(d->arena, data->tokens.n * sizeof(*texts));

	if (texts == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "too many tokens");
	for (size_t i = 0; i < data->tokens.n; i++)
		texts[i] = data->tokens.v[i].token;
	qsort(texts, data->tokens.n, sizeof(*texts), text_cmp);
	for (size_t i = 1; i < data->tokens.n; i++)
		if (slice_eq(texts[i - 1], texts[i]))
			return err_field(d->err, "tokens", "a token is there twice");
	return 0;
}

/* Everything is looked at before anything is appended. */
static int read_data(struct decision *d, struct slice packed, struct config_data *ret, struct pairs *ret_entries)
{
	void *const parts[PLAN_PARTS] = { ret };
	int rc = check_format(d, packed);

	if (rc != 0)
		return rc;
	if (data_plan == NULL)
		return err_set(d->err, E_INTERNAL, "no memory");
	rc = params_decode(data_plan, packed, parts, d->arena, d->err);
	if (rc == 0)
		rc = read_entries(d, ret->entries, ret_entries);
	return rc == 0 ? each_token_once(d, ret) : rc;
}

static void import_entries(struct decision *d, const struct pairs *entries, bool dry_run,
			   struct config_import_result *r)
{
	for (uint32_t i = 0; i < entries->n; i++) {
		enum change change = set_entry(d, &entries->v[i], dry_run);

		r->unchanged += change == UNCHANGED;
		r->set += change == SETS;
		r->deleted += change == DELETES;
	}
}

static void delete_others(struct decision *d, const struct pairs *entries, bool dry_run, struct config_import_result *r)
{
	struct pair stored = { 0 };
	struct row_walk w;
	struct key all;

	row_walk_begin(&w, d->state, T_config_entry, key_begin(&all), false);
	while (row_walk_next(&w)) {
		if (!take_config_entry(w.key, d->arena, &stored.key) || !is_stored(d->state, stored.key) ||
		    bsearch(&stored, entries->v, entries->n, sizeof(stored), pair_cmp) != NULL)
			continue;
		r->deleted++;
		if (!dry_run)
			EMIT(d, config_entry_deleted, .id = stored.key, .before = present_value(d->state, stored.key));
	}
	row_walk_end(&w);
}

static void import_tokens(struct decision *d, const struct config_data *data, bool dry_run,
			  struct config_import_result *r)
{
	for (size_t i = 0; i < data->tokens.n; i++) {
		const struct token *from = &data->tokens.v[i];
		struct token t = { .token = from->token,
				   .created_by = from->created_by,
				   .vip_days = from->vip_days,
				   .has_expires_at = from->has_expires_at,
				   .expires_at = from->expires_at };
		struct token there;

		if (!slice_is(token_status(from, d->now), "active") || find_token(d->state, from->token, &there))
			continue;
		r->tokens_created++;
		if (!dry_run)
			add_token(d, &t);
	}
}

int decide_config_import(struct decision *d, const struct config_import *p, struct config_import_result *r)
{
	struct config_data data = { 0 };
	struct pairs entries = { 0 };
	int rc = read_data(d, p->data, &data, &entries);

	if (rc != 0)
		return rc;
	import_entries(d, &entries, p->dry_run, r);
	if (slice_is(p->mode, "replace"))
		delete_others(d, &entries, p->dry_run, r);
	import_tokens(d, &data, p->dry_run, r);
	/* a dry run finds what would refuse the real one */
	if (r->set + r->deleted + r->tokens_created > COMMIT_EVENTS_MAX)
		return too_many_events(d);
	return 0;
}
