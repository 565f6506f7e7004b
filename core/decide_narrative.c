#include <inttypes.h>
#include <stdlib.h>

#include "core/reactions.h"
#include "core/rules.h"
#include "core/text.h"

/* ---- what there is ---- */

bool find_fragment(struct state *s, struct slice id, struct fragment *ret)
{
	return get_fragment(s, id, ret) && !ret->deleted;
}

bool find_lore(struct state *s, struct slice id, struct lore *ret)
{
	return get_lore_piece(s, id, ret) && !ret->deleted;
}

bool find_story(struct state *s, int64_t user_id, struct story *ret)
{
	return get_story(s, (uint64_t)user_id, ret) && !ret->deleted;
}

int need_lore(struct decision *d, struct slice id)
{
	struct lore l;

	return id.base == NULL || find_lore(d->state, id, &l) ? 0 : err_missing_text(d->err, "lore", id);
}

bool has_lore(struct state *s, int64_t user_id, struct slice lore_id)
{
	return has_unlock(s, (uint64_t)user_id, lore_id);
}

/* All zero when the user was never there. */
static struct visit visit_of(struct state *s, int64_t user_id, struct slice fragment_id)
{
	struct visit v = { 0 };

	get_visit(s, (uint64_t)user_id, fragment_id, &v);
	return v;
}

bool has_completed(struct state *s, int64_t user_id, struct slice fragment_id)
{
	return visit_of(s, user_id, fragment_id).has_completed_at;
}

/* ---- as it is shown ---- */

void fragment_show(struct state *s, const struct fragment *f, struct fragment_item *ret)
{
	*ret = (struct fragment_item){ .fragment = *f };
	get_fragment_counts(s, f->id, &ret->counts);
}

void lore_show(struct state *s, const struct lore *l, struct lore_item *ret)
{
	struct tally n = { 0 };

	get_lore_unlocks(s, l->id, &n);
	*ret = (struct lore_item){ .lore = *l, .unlocks = n.n };
}

double story_progress(struct state *s, const struct story *st)
{
	struct narrative_totals t = { 0 };

	get_narrative_totals(s, 0, &t);
	return t.active > 0 ? 100.0 * (double)st->completed_active / (double)t.active : 0.0;
}

/* The last ids, in order, of a table keyed by (user_id, when, id). */
static size_t last_ids(struct state *s, enum table_id table, int64_t user_id, const struct slice **ret)
{
	struct slice *v = arena_take(s->arena, STORY_LIST_MAX * sizeof(*v));
	size_t first = STORY_LIST_MAX;
	struct row_walk w;
	struct key k;

	if (v == NULL)
		return 0;
	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, s, table, &k, true);
	while (first > 0 && row_walk_next(&w)) {
		uint64_t user, when;

		if (key_take_U64(&w.key, &user) && key_take_U64(&w.key, &when) &&
		    key_take_TEXT(&w.key, s->arena, &v[first - 1]))
			first--;
	}
	row_walk_end(&w);
	*ret = v + first;
	return STORY_LIST_MAX - first;
}

static size_t granted_ids(struct state *s, int64_t user_id, const struct slice **ret)
{
	struct slice *v = arena_take(s->arena, STORY_LIST_MAX * sizeof(*v));
	struct fragment f;
	struct row_walk w;
	struct key k;
	size_t n = 0;

	if (v == NULL)
		return 0;
	key_put_U64(key_begin(&k), (uint64_t)user_id);
	row_walk_begin(&w, s, T_fragment_grant, &k, false);
	while (n < STORY_LIST_MAX && row_walk_next(&w)) {
		uint64_t user;

		n += take_fragment_grant(w.key, s->arena, &user, &v[n]) && find_fragment(s, v[n], &f);
	}
	row_walk_end(&w);
	*ret = v;
	return n;
}

void story_show(struct state *s, const struct story *st, struct story_item *ret)
{
	struct fragment f;

	*ret = (struct story_item){ .story = *st, .progress_percentage = story_progress(s, st) };
	ret->current_missing = st->current_fragment_id.base != NULL && !find_fragment(s, st->current_fragment_id, &f);
	ret->visited.n = last_ids(s, T_visit_by_user, st->id, &ret->visited.v);
	ret->completed.n = last_ids(s, T_completed_by_user, st->id, &ret->completed.v);
	ret->lore.n = last_ids(s, T_unlock_by_user, st->id, &ret->lore.v);
	ret->granted.n = granted_ids(s, st->id, &ret->granted.v);
}

/* ---- sets of ids ---- */

static int id_cmp(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static bool among(struct slice id, const struct slice *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(id, ids[i]))
			return true;
	return false;
}

const struct slice *ids_in_order(struct decision *d, const struct slice *ids, size_t n)
{
	struct slice *v = arena_take(d->arena, n * sizeof(*v));

	if (v == NULL || n == 0)
		return ids;
	memcpy(v, ids, n * sizeof(*v));
	qsort(v, n, sizeof(*v), id_cmp);
	return v;
}

size_t lore_set_ids(struct slice packed, struct slice ret[KEYS_MAX])
{
	struct mp m = mp_of(packed);
	size_t n = 0;
	uint32_t left;

	if (!mp_array(&m, &left) || left > KEYS_MAX)
		return 0;
	while (n < left && mp_str(&m, &ret[n]))
		n++;
	return n;
}

static struct slice join_ids(const struct slice *ids, size_t n, struct arena *arena)
{
	uint8_t joined[KEYS_MAX * (KEY_MAX + 1)];
	struct buf b = { .base = joined, .cap = sizeof(joined), .max = sizeof(joined) };

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_byte(&b, ' '); /* no character of a key */
		buf_append(&b, ids[i].base, ids[i].len);
	}
	return arena_copy(arena, buf_slice(&b));
}

struct slice lore_set_key(const struct slice *ids, size_t n, struct arena *arena)
{
	return text_short(join_ids(ids, n, arena), arena);
}

/* ---- fragments ---- */

static struct slice random_uuid(struct decision *d)
{
	uint8_t b[16];

	d->ops->random(d->arg, b, sizeof(b));
	b[6] = (uint8_t)(0x40 | (b[6] & 0x0f)); /* version 4 */
	b[8] = (uint8_t)(0x80 | (b[8] & 0x3f)); /* variant of RFC 9562 */
	return arena_printf(d->arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
			    b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
			    b[15]);
}

/* Chapters that by their name are for VIPs. */
static bool named_for_vips(struct slice id)
{
	static const char *const prefixes[] = { "level4_", "level5_", "level6_", "vip_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (slice_starts(id, slice_str(prefixes[i])))
			return true;
	return false;
}

static int not_blank(struct decision *d, const char *field, struct slice text)
{
	return text_trim(text).len > 0 ? 0 : err_field(d->err, field, "must not be blank");
}

static int check_fragment(struct decision *d, const struct fragment *f)
{
	if (f->choices.n > 0 && !slice_is(f->type, "decision"))
		return err_field(d->err, "choices", "only a fragment of type decision has some");
	return not_blank(d, "content", f->content);
}

static int need_all_lore(struct decision *d, const struct slice *ids, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = need_lore(d, ids[i]);
	return rc;
}

static int need_achievement(struct decision *d, struct slice id)
{
	struct achievement a;

	return id.base == NULL || find_achievement(d->state, id, &a) ? 0 : err_missing_text(d->err, "achievement", id);
}

/* What a fragment names must exist when it is named. given: the fields that are. */
static int check_references(struct decision *d, const struct fragment *f, uint64_t given)
{
	int rc = 0;

	if (GIVEN(given, fragment, required_lore))
		rc = need_all_lore(d, f->required_lore.v, f->required_lore.n);
	if (rc == 0 && GIVEN(given, fragment, unlocks_lore))
		rc = need_all_lore(d, f->unlocks_lore.v, f->unlocks_lore.n);
	if (rc == 0 && GIVEN(given, fragment, unlocks_achievement_id))
		rc = need_achievement(d, f->unlocks_achievement_id);
	return rc;
}

static void fragment_result(struct decision *d, struct slice id, struct fragment_item_result *r)
{
	struct fragment f;

	if (find_fragment(d->state, id, &f))
		fragment_show(d->state, &f, &r->item);
}

void address_fragment_create(struct decision *d, const struct fragment_create *p)
{
	if (p->fragment.id.base != NULL)
		decision_address(d, STREAM_fragment, &p->fragment.id, NULL);
}

int decide_fragment_create(struct decision *d, const struct fragment_create *p, struct fragment_item_result *r)
{
	struct fragment old, new = p->fragment;
	int rc;

	if (new.id.base == NULL)
		new.id = random_uuid(d);
	decision_address(d, STREAM_fragment, &new.id, NULL);
	if (get_fragment(d->state, new.id, &old))
		return err_exists_text(d->err, "fragment", new.id);
	rc = check_fragment(d, &new);
	if (rc == 0)
		rc = check_references(d, &new, UINT64_MAX);
	if (rc != 0)
		return rc;
	if (new.required_role.base == NULL && named_for_vips(new.id))
		new.required_role = SLICE_LIT("vip");
	new.version = 1;
	new.created_at = new.updated_at = d->now;
	EMIT(d, narrative_fragment_created, .fragment = new);
	fragment_result(d, new.id, r);
	return 0;
}

int decide_fragment_update(struct decision *d, const struct fragment_update *p, struct fragment_item_result *r)
{
	struct slice changes, before;
	struct fragment old, new;
	int rc;

	if (!find_fragment(d->state, p->id, &old))
		return err_missing_text(d->err, "fragment", p->id);
	new = old;
	record_merge(record_fragment(), &new, &p->fragment, p->given_fragment);
	rc = check_fragment(d, &new);
	if (rc == 0)
		rc = check_references(d, &new, p->given_fragment);
	if (rc != 0)
		return rc;
	if (record_diff(record_fragment(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, narrative_fragment_updated, .id = p->id, .changes = changes, .before = before);
	fragment_result(d, p->id, r);
	return 0;
}

static int required_elsewhere(struct decision *d, const char *kind, struct slice id)
{
	return err_with(d->err, E_IN_USE, "reason", "required", "%s \"%.*s\" is required elsewhere", kind,
			SLICE_FMT(id));
}

int decide_fragment_delete(struct decision *d, const struct fragment_delete *p, struct nothing *r)
{
	struct fragment old;

	(void)r;
	if (!find_fragment(d->state, p->id, &old))
		return err_missing_text(d->err, "fragment", p->id);
	if (required_by_mission(d->state, PART_FRAGMENT, p->id))
		return required_elsewhere(d, "fragment", p->id);
	EMIT(d, narrative_fragment_deleted, .id = p->id);
	return 0;
}

/* ---- lore ---- */

static int set_free(struct decision *d, const struct lore *l, struct slice key)
{
	struct lore_ref taken;

	if (get_combination(d->state, key, &taken) && !slice_eq(taken.id, l->id))
		return err_exists_text(d->err, "combination", taken.id);
	return 0;
}

static struct slice pack_ids(const struct slice *ids, size_t n, struct arena *arena)
{
	uint8_t packed[4 + KEYS_MAX * (2 + KEY_MAX)];
	struct buf b = { .base = packed, .cap = sizeof(packed), .max = sizeof(packed) };

	mp_put_array(&b, n);
	for (size_t i = 0; i < n; i++)
		mp_put_text(&b, ids[i]);
	return arena_copy(arena, buf_slice(&b));
}

/* Brings the sets into byte order, and tests them: their lore exists, and no set leads to two pieces. */
static int tidy_combinations(struct decision *d, struct lore *l)
{
	size_t n = l->combinations.n;
	struct slice *sets = arena_take(d->arena, n * sizeof(*sets)), *keys = arena_take(d->arena, n * sizeof(*keys));

	if (sets == NULL || keys == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "the commit is too large");
	for (size_t i = 0; i < n; i++) {
		struct slice ids[KEYS_MAX];
		size_t n_ids = lore_set_ids(l->combinations.v[i], ids);
		int rc = need_all_lore(d, ids, n_ids);

		qsort(ids, n_ids, sizeof(ids[0]), id_cmp);
		keys[i] = lore_set_key(ids, n_ids, d->arena);
		sets[i] = pack_ids(ids, n_ids, d->arena);
		if (rc == 0)
			rc = set_free(d, l, keys[i]);
		if (rc == 0 && among(keys[i], keys, i))
			rc = err_field(d->err, "combinations", "has the same set twice");
		if (rc != 0)
			return rc;
	}
	l->combinations.v = sets;
	return 0;
}

static void lore_result(struct decision *d, struct slice id, struct lore_item_result *r)
{
	struct lore l;

	if (find_lore(d->state, id, &l))
		lore_show(d->state, &l, &r->item);
}

int decide_lore_create(struct decision *d, const struct lore_create *p, struct lore_item_result *r)
{
	struct lore old, new = p->lore;
	int rc;

	if (get_lore_piece(d->state, new.id, &old))
		return err_exists_text(d->err, "lore", new.id);
	rc = not_blank(d, "content", new.content);
	if (rc == 0)
		rc = tidy_combinations(d, &new);
	if (rc != 0)
		return rc;
	new.version = 1;
	new.created_at = new.updated_at = d->now;
	EMIT(d, narrative_lore_created, .lore = new);
	lore_result(d, new.id, r);
	return 0;
}

int decide_lore_update(struct decision *d, const struct lore_update *p, struct lore_item_result *r)
{
	struct slice changes, before;
	struct lore old, new;
	int rc;

	if (!find_lore(d->state, p->id, &old))
		return err_missing_text(d->err, "lore", p->id);
	new = old;
	record_merge(record_lore(), &new, &p->lore, p->given_lore);
	rc = not_blank(d, "content", new.content);
	if (rc == 0)
		rc = tidy_combinations(d, &new);
	if (rc != 0)
		return rc;
	if (record_diff(record_lore(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, narrative_lore_updated, .id = p->id, .changes = changes, .before = before);
	lore_result(d, p->id, r);
	return 0;
}

static bool in_combination(struct slice id, const struct lore *l)
{
	struct slice ids[KEYS_MAX];

	for (size_t i = 0; i < l->combinations.n; i++)
		if (among(id, ids, lore_set_ids(l->combinations.v[i], ids)))
			return true;
	return false;
}

/* Whether a mission, a fragment or another piece asks for this lore. Definitions are few, and deleting one is rare. */
static bool lore_required(struct state *s, struct slice id)
{
	bool required = required_by_mission(s, PART_LORE, id);
	struct row_walk w;
	struct fragment f;
	struct lore l;
	struct key all;
	struct mp m;

	row_walk_begin(&w, s, T_fragment, key_begin(&all), false);
	while (!required && row_walk_next(&w)) {
		m = mp_of(w.value);
		required = record_get(&m, record_fragment(), &f, s->arena) && !f.deleted &&
			   among(id, f.required_lore.v, f.required_lore.n);
	}
	row_walk_end(&w);
	row_walk_begin(&w, s, T_lore_piece, key_begin(&all), false);
	while (!required && row_walk_next(&w)) {
		m = mp_of(w.value);
		required = record_get(&m, record_lore(), &l, s->arena) && !l.deleted && !slice_eq(l.id, id) &&
			   in_combination(id, &l);
	}
	row_walk_end(&w);
	return required;
}

int decide_lore_delete(struct decision *d, const struct lore_delete *p, struct nothing *r)
{
	struct lore old;

	(void)r;
	if (!find_lore(d->state, p->id, &old))
		return err_missing_text(d->err, "lore", p->id);
	if (lore_required(d->state, p->id))
		return required_elsewhere(d, "lore", p->id);
	EMIT(d, narrative_lore_deleted, .id = p->id);
	return 0;
}

/* ---- access ---- */

static struct slice role_missing(const struct user *u, int64_t now, struct slice required)
{
	bool enough = required.base == NULL || role_rank(role_of(u, now)) >= role_rank(required);

	return enough ? SLICE_NULL : required;
}

static int64_t points_missing(int64_t balance, int64_t required)
{
	return balance < required ? required - balance : 0;
}

static bool nothing_missing(const struct missing *m)
{
	return m->n_lore == 0 && m->points == 0 && m->role.base == NULL;
}

bool fragment_access(struct state *s, int64_t now, int64_t user_id, int64_t balance, const struct fragment *f,
		     struct missing *ret)
{
	struct slice *lore = arena_take(s->arena, f->required_lore.n * sizeof(*lore));
	struct user u = { 0 };

	*ret = (struct missing){ .lore = lore, .points = points_missing(balance, f->min_points) };
	if (lore == NULL)
		return false;
	find_user(s, user_id, &u);
	ret->role = role_missing(&u, now, f->required_role);
	if (!has_fragment_grant(s, (uint64_t)user_id, f->id))
		for (size_t i = 0; i < f->required_lore.n; i++)
			if (!has_lore(s, user_id, f->required_lore.v[i]))
				lore[ret->n_lore++] = f->required_lore.v[i];
	return nothing_missing(ret);
}

void missing_put(struct buf *b, const struct missing *m, size_t lore_bytes)
{
	size_t n = 0;

	for (size_t used = 0; n < m->n_lore; n++) {
		used += 2 + m->lore[n].len;
		if (used > lore_bytes)
			break;
	}
	mp_put_map(b, 3);
	mp_put_text(b, SLICE_LIT("lore"));
	mp_put_array(b, n);
	for (size_t i = 0; i < n; i++)
		mp_put_text(b, m->lore[i]);
	mp_put_text(b, SLICE_LIT("points"));
	mp_put_points(b, m->points);
	mp_put_text(b, SLICE_LIT("role"));
	mp_put_text_or_nil(b, m->role);
}

static int not_met(struct decision *d, const struct missing *m, const char *what, struct slice id)
{
	/* of what details have room for, all but the rest of the map */
	enum { LORE_BYTES = sizeof(d->err->details) - 60 };
	uint8_t packed[sizeof(d->err->details)];
	struct buf b = { .base = packed, .cap = sizeof(packed), .max = sizeof(packed) };

	missing_put(&b, m, LORE_BYTES);
	err_set(d->err, E_REQUIREMENTS_NOT_MET, "what %s \"%.*s\" requires is missing", what, SLICE_FMT(id));
	err_detail_raw(d->err, "missing", buf_slice(&b));
	return E_REQUIREMENTS_NOT_MET;
}

static int inactive(struct decision *d, const char *kind, struct slice id)
{
	return err_with(d->err, E_NOT_ACTIVE, "status", "inactive", "%s \"%.*s\" is inactive", kind, SLICE_FMT(id));
}

static int find_active(struct decision *d, struct slice id, struct fragment *ret)
{
	if (!find_fragment(d->state, id, ret))
		return err_missing_text(d->err, "fragment", id);
	return ret->is_active ? 0 : inactive(d, "fragment", id);
}

/* The access rule. */
static int enter(struct decision *d, int64_t user_id, int64_t balance, struct slice fragment_id, struct fragment *ret)
{
	struct missing m;
	int rc = find_active(d, fragment_id, ret);

	if (rc != 0)
		return rc;
	if (!fragment_access(d->state, d->now, user_id, balance, ret, &m))
		return not_met(d, &m, "fragment", fragment_id);
	return 0;
}

/* The access rule for a user, who must exist, with the balance as it is. */
static int enter_as(struct decision *d, int64_t user_id, struct slice fragment_id, struct fragment *ret)
{
	struct balance b;

	if (!find_balance(d->state, user_id, &b))
		return err_missing(d->err, "user", user_id);
	return enter(d, user_id, b.balance, fragment_id, ret);
}

/* ---- going through the story ---- */

static void start_story(struct decision *d, int64_t user_id)
{
	struct story st;

	if (!find_story(d->state, user_id, &st))
		EMIT(d, narrative_story_started, .user_id = user_id);
}

/* Points of a fragment are paid once per user. */
static bool pays(const struct fragment *f, const char *on, const struct visit *v)
{
	return slice_is(f->reward_on, on) && f->reward_points > 0 && !v->has_rewarded_at;
}

/* Answers whether it is the user's first visit. */
static bool go_to(struct decision *d, int64_t user_id, const struct fragment *f, bool current)
{
	struct visit v = visit_of(d->state, user_id, f->id);
	bool first = v.visited_seq == 0;

	EMIT(d, narrative_fragment_visited, .user_id = user_id, .fragment_id = f->id, .first = first,
	     .current = current, .rewarded = first && pays(f, "visit", &v));
	return first;
}

static void finish(struct decision *d, int64_t user_id, const struct fragment *f)
{
	struct visit v = visit_of(d->state, user_id, f->id);

	EMIT(d, narrative_fragment_completed, .user_id = user_id, .fragment_id = f->id,
	     .rewarded = pays(f, "complete", &v));
}

static bool stands_on(const struct story *st, struct slice fragment_id)
{
	return st->current_fragment_id.base != NULL && slice_eq(st->current_fragment_id, fragment_id);
}

static void show_story(struct decision *d, int64_t user_id, struct story_item *ret)
{
	struct story st;

	if (find_story(d->state, user_id, &st))
		story_show(d->state, &st, ret);
}

static void visit_result(struct decision *d, int64_t user_id, const struct fragment *f, bool first,
			 struct narrative_visit_result *r)
{
	struct gains g = gains_of(d, user_id);

	show_story(d, user_id, &r->story);
	fragment_show(d->state, f, &r->fragment);
	r->first_visit = first;
	r->points = g.points;
	r->unlocked.v = g.unlocked.v;
	r->unlocked.n = g.unlocked.n;
}

int decide_narrative_visit(struct decision *d, const struct narrative_visit *p, struct narrative_visit_result *r)
{
	struct story st = { 0 };
	struct fragment f = { 0 };
	bool first = false;
	int rc = enter_as(d, p->user_id, p->fragment_id, &f);

	if (rc != 0)
		return rc;
	find_story(d->state, p->user_id, &st);
	if (!stands_on(&st, p->fragment_id)) {
		start_story(d, p->user_id);
		first = go_to(d, p->user_id, &f, true);
		rc = settle(d);
	}
	visit_result(d, p->user_id, &f, first, r);
	return rc;
}

int decide_narrative_complete(struct decision *d, const struct narrative_complete *p, struct narrative_visit_result *r)
{
	struct story st = { 0 };
	struct fragment f = { 0 };
	struct visit v;
	bool first;
	int rc = enter_as(d, p->user_id, p->fragment_id, &f);

	if (rc != 0)
		return rc;
	v = visit_of(d->state, p->user_id, p->fragment_id);
	if (v.has_completed_at) {
		err_set(d->err, E_ALREADY_COMPLETED, "fragment \"%.*s\" is completed", SLICE_FMT(p->fragment_id));
		err_detail_int(d->err, "completed_at", v.completed_at);
		return E_ALREADY_COMPLETED;
	}
	start_story(d, p->user_id);
	find_story(d->state, p->user_id, &st);
	first = v.visited_seq == 0;
	if (first)
		go_to(d, p->user_id, &f, st.current_fragment_id.base == NULL);
	finish(d, p->user_id, &f);
	rc = settle(d);
	visit_result(d, p->user_id, &f, first, r);
	return rc;
}

/* ---- choices ---- */

static int wrong_place(struct decision *d, struct slice expected, struct slice actual)
{
	err_set(d->err, E_VERSION_CONFLICT, "the user does not stand on fragment \"%.*s\"", SLICE_FMT(expected));
	err_detail_text(d->err, "expected", expected);
	if (actual.base != NULL)
		err_detail_text(d->err, "actual", actual);
	else
		err_detail_raw(d->err, "actual", SLICE_LIT("\xc0"));
	return E_VERSION_CONFLICT;
}

/* The fragment on which the user stands and the choice of it that is meant. */
static int find_choice(struct decision *d, const struct narrative_choose *p, struct fragment *ret,
		       struct choice *ret_choice)
{
	struct story st;
	int rc;

	if (!find_story(d->state, p->user_id, &st))
		return err_missing(d->err, "story", p->user_id);
	if (p->fragment_id.base != NULL && !stands_on(&st, p->fragment_id))
		return wrong_place(d, p->fragment_id, st.current_fragment_id);
	if (st.current_fragment_id.base == NULL)
		return err_missing(d->err, "story", p->user_id); /* it stands at no page since a reset */
	rc = find_active(d, st.current_fragment_id, ret);
	if (rc != 0)
		return rc;
	if (!slice_is(ret->type, "decision") || ret->choices.n == 0) {
		err_with(d->err, E_INVALID_ARGUMENT, "reason", "no_choices", "fragment \"%.*s\" has no choices",
			 SLICE_FMT(ret->id));
		err_detail_text(d->err, "field", SLICE_LIT("choice_index"));
		return E_INVALID_ARGUMENT;
	}
	if ((uint64_t)p->choice_index >= ret->choices.n)
		return err_field(d->err, "choice_index", "must be less than %zu", ret->choices.n);
	*ret_choice = ret->choices.v[p->choice_index];
	return 0;
}

static int choice_open(struct decision *d, const struct user *u, int64_t balance, const struct choice *c)
{
	struct missing m = { .points = points_missing(balance, c->required_points),
			     .role = role_missing(u, d->now, c->required_role) };

	return nothing_missing(&m) ? 0 : not_met(d, &m, "choice", c->text);
}

/* Cost, reward and move are one commit; whatever is refused on the way leaves no trace. */
static int take_choice(struct decision *d, const struct narrative_choose *p, const struct balance *b,
		       const struct fragment *from, const struct choice *c, struct fragment *ret_to)
{
	struct slice ref = make_ref_text(d->arena, "fragment", from->id);
	int64_t base = c->reward_points + setting_int(d->state, SETTING_points_decision);
	struct narrative_totals t = { 0 };
	int rc = 0;

	get_narrative_totals(d->state, 0, &t);
	EMIT(d, narrative_choice_made, .id = t.last_decision_id + 1, .user_id = p->user_id, .fragment_id = from->id,
	     .choice_index = p->choice_index, .choice_text = c->text, .next_fragment_id = c->next_fragment_id,
	     .cost_points = c->cost_points, .reward_points = base, .karma = c->karma);
	if (c->cost_points > 0)
		rc = debit(d, b, c->cost_points, SLICE_LIT("choice"), SLICE_LIT(""), 0, ref);
	if (rc == 0)
		rc = enter(d, p->user_id, b->balance - c->cost_points, c->next_fragment_id, ret_to);
	if (rc == 0)
		rc = credit(d, &(struct credit){ .user_id = p->user_id,
						 .base = base,
						 .source = SLICE_LIT("choice"),
						 .multiplied = true,
						 .ref = ref });
	if (rc != 0)
		return rc;
	if (!has_completed(d->state, p->user_id, from->id))
		finish(d, p->user_id, from);
	if (!slice_eq(from->id, ret_to->id))
		go_to(d, p->user_id, ret_to, true);
	return settle(d);
}

int decide_narrative_choose(struct decision *d, const struct narrative_choose *p, struct narrative_choose_result *r)
{
	struct fragment from = { 0 }, to = { 0 };
	struct choice c = { 0 };
	struct balance b = { 0 };
	struct gains g;
	struct user u;
	int rc = need_user(d, p->user_id, &u);

	if (rc == 0)
		rc = find_choice(d, p, &from, &c);
	if (rc != 0)
		return rc;
	find_balance(d->state, p->user_id, &b);
	rc = choice_open(d, &u, b.balance, &c);
	if (rc == 0)
		rc = take_choice(d, p, &b, &from, &c, &to);
	if (rc != 0)
		return rc;
	g = gains_of(d, p->user_id);
	show_story(d, p->user_id, &r->story);
	fragment_show(d->state, &to, &r->fragment);
	r->cost = c.cost_points;
	r->points = g.points;
	r->unlocked.v = g.unlocked.v;
	r->unlocked.n = g.unlocked.n;
	r->missions_completed.v = g.missions_completed.v;
	r->missions_completed.n = g.missions_completed.n;
	return 0;
}

int decide_narrative_reset(struct decision *d, const struct narrative_reset *p, struct nothing *r)
{
	struct slice *lore;
	struct row_walk w;
	struct story st;
	struct user u;
	struct key k;
	size_t n = 0;
	int rc = need_user(d, p->user_id, &u);

	(void)r;
	if (rc != 0)
		return rc;
	if (!find_story(d->state, p->user_id, &st))
		return err_missing(d->err, "story", p->user_id);
	lore = arena_take(d->arena, (size_t)st.lore_count * sizeof(*lore));
	if (lore == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "the commit is too large");
	key_put_U64(key_begin(&k), (uint64_t)p->user_id);
	row_walk_begin(&w, d->state, T_unlock, &k, false);
	while (p->include_lore && n < (size_t)st.lore_count && row_walk_next(&w)) {
		uint64_t user;

		n += take_unlock(w.key, d->arena, &user, &lore[n]);
	}
	row_walk_end(&w);
	EMIT(d, narrative_story_reset, .user_id = p->user_id, .lore = { lore, n });
	return 0;
}

/* ---- unlocking ---- */

int decide_narrative_unlock_lore(struct decision *d, const struct narrative_unlock_lore *p, struct nothing *r)
{
	struct lore l;
	struct user u;
	int rc = need_user(d, p->user_id, &u);

	(void)r;
	if (rc != 0)
		return rc;
	if (!find_lore(d->state, p->lore_id, &l))
		return err_missing_text(d->err, "lore", p->lore_id);
	if (!l.is_active)
		return inactive(d, "lore", p->lore_id);
	if (has_lore(d->state, p->user_id, p->lore_id))
		return err_exists_text(d->err, "lore", p->lore_id);
	start_story(d, p->user_id);
	EMIT(d, narrative_lore_unlocked, .user_id = p->user_id, .lore_id = p->lore_id, .source = p->source,
	     .context = p->context);
	return 0;
}

/* The piece that the set of lore unlocks for the user. ids are in byte order. */
static int find_combined(struct decision *d, int64_t user_id, const struct slice *ids, size_t n, struct lore *ret)
{
	struct slice key = lore_set_key(ids, n, d->arena), lacking[KEYS_MAX];
	struct missing m = { .lore = lacking };
	struct lore_ref ref;

	for (size_t i = 0; i + 1 < n; i++)
		if (slice_eq(ids[i], ids[i + 1]))
			return err_field(d->err, "lore_ids", "must be different");
	for (size_t i = 0; i < n; i++)
		if (!has_lore(d->state, user_id, ids[i]))
			lacking[m.n_lore++] = ids[i];
	if (m.n_lore > 0)
		return not_met(d, &m, "combining with", lacking[0]);
	if (!get_combination(d->state, key, &ref) || !find_lore(d->state, ref.id, ret))
		return err_missing_text(d->err, "combination", join_ids(ids, n, d->arena));
	if (!ret->is_active)
		return inactive(d, "lore", ret->id);
	if (has_lore(d->state, user_id, ret->id))
		return err_exists_text(d->err, "lore", ret->id);
	return 0;
}

int decide_narrative_combine_lore(struct decision *d, const struct narrative_combine_lore *p,
				  struct narrative_combine_lore_result *r)
{
	const struct slice *ids = ids_in_order(d, p->lore_ids.v, p->lore_ids.n);
	struct lore l = { 0 };
	struct user u;
	int rc = need_user(d, p->user_id, &u);

	if (rc == 0)
		rc = find_combined(d, p->user_id, ids, p->lore_ids.n, &l);
	if (rc != 0)
		return rc;
	EMIT(d, narrative_lore_combined, .user_id = p->user_id, .lore_ids = { ids, p->lore_ids.n }, .lore_id = l.id);
	EMIT(d, narrative_lore_unlocked, .user_id = p->user_id, .lore_id = l.id, .source = SLICE_LIT("combination"));
	rc = settle(d);
	lore_show(d->state, &l, &r->lore);
	return rc;
}

/* ---- by rule ---- */

void unlock_lore(struct decision *d, int64_t user_id, struct slice lore_id, const char *source)
{
	struct lore l;
	struct user u;

	if (!find_user(d->state, user_id, &u) || !find_lore(d->state, lore_id, &l) || !l.is_active ||
	    has_lore(d->state, user_id, lore_id))
		return;
	start_story(d, user_id);
	EMIT(d, narrative_lore_unlocked, .user_id = user_id, .lore_id = lore_id, .source = slice_str(source));
}

void grant_fragment(struct decision *d, int64_t user_id, struct slice fragment_id, struct slice mission_id)
{
	struct fragment f;
	struct user u;

	if (!find_user(d->state, user_id, &u) || !find_fragment(d->state, fragment_id, &f) ||
	    has_fragment_grant(d->state, (uint64_t)user_id, fragment_id))
		return;
	start_story(d, user_id);
	EMIT(d, narrative_fragment_granted, .user_id = user_id, .fragment_id = fragment_id, .mission_id = mission_id);
}

/* R8: what a fragment gives on its first visit, or on its completion. */
static void fragment_rewards(struct decision *d, int64_t user_id, struct slice fragment_id, const char *on,
			     bool rewarded)
{
	const struct slice *lore;
	struct fragment f;

	if (!find_fragment(d->state, fragment_id, &f) || !slice_is(f.reward_on, on))
		return;
	if (rewarded)
		credit_by_rule(d, &(struct credit){ .user_id = user_id,
						    .base = f.reward_points,
						    .source = SLICE_LIT("fragment"),
						    .multiplied = true,
						    .ref = make_ref_text(d->arena, "fragment", f.id) });
	lore = ids_in_order(d, f.unlocks_lore.v, f.unlocks_lore.n);
	for (size_t i = 0; i < f.unlocks_lore.n; i++)
		unlock_lore(d, user_id, lore[i], "fragment");
	if (f.unlocks_achievement_id.base != NULL)
		unlock_achievement(d, user_id, f.unlocks_achievement_id, "fragment");
}

void visit_rewards(struct decision *d, const struct event *ev)
{
	const struct narrative_fragment_visited *p = ev->data;

	if (p->first)
		fragment_rewards(d, p->user_id, p->fragment_id, "visit", p->rewarded);
}

void completion_rewards(struct decision *d, const struct event *ev)
{
	const struct narrative_fragment_completed *p = ev->data;

	fragment_rewards(d, p->user_id, p->fragment_id, "complete", p->rewarded);
}
