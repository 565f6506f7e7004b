#include "tests/lib/params.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/rules.h"

#define HOUR_MS INT64_C(3600000)

/* ---- pools: what there is ---- */

static int pool_find(const struct pool *p, const char *id)
{
	for (int i = 0; i < p->n; i++)
		if (strcmp(p->ids[i], id) == 0)
			return i;
	return -1;
}

static void pool_drop(struct pool *p, const char *id)
{
	int i = pool_find(p, id);

	if (i < 0)
		return;
	memmove(p->ids[i], p->ids[i + 1], (size_t)(p->n - i - 1) * POOL_ID_MAX);
	p->n--;
	snprintf(p->gone, POOL_ID_MAX, "%s", id);
}

/* At the end; a full one forgets its oldest, which stays there but is no longer talked to. */
static void pool_add(struct pool *p, const char *id)
{
	pool_drop(p, id);
	if (p->n == POOL_MAX)
		memmove(p->ids[0], p->ids[1], (size_t)--p->n * POOL_ID_MAX);
	snprintf(p->ids[p->n++], POOL_ID_MAX, "%s", id);
}

/* Something that is over: the others come first. */
static void pool_retire(struct pool *p, const char *id)
{
	char copy[POOL_ID_MAX];
	int i = pool_find(p, id);

	if (i < 0)
		return;
	memcpy(copy, p->ids[i], POOL_ID_MAX);
	memmove(p->ids[1], p->ids[0], (size_t)i * POOL_ID_MAX);
	memcpy(p->ids[0], copy, POOL_ID_MAX);
}

static void pool_add_number(struct pool *p, uint64_t id)
{
	char text[POOL_ID_MAX];

	snprintf(text, sizeof(text), "%" PRIu64, id);
	pool_add(p, text);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool is_over(const char *event)
{
	static const char *const ends[] = { "ended", "cancelled", "closed", "finished", "used", "expired" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_with(event, ends[i]))
			return true;
	return false;
}

void params_note(struct params_source *s, const struct event *ev)
{
	const struct event_def *def = &event_defs[ev->type];
	const char *colon = memchr(ev->stream.base, ':', ev->stream.len);
	char id[POOL_ID_MAX];

	switch (ev->type) {
	case EV_auction_bid_placed:
		pool_add_number(&s->pools[POOL_bid], ((const struct auction_bid_placed *)ev->data)->bid.id);
		break;
	case EV_point_credited:
		pool_add_number(&s->pools[POOL_transaction], ev->seq);
		break;
	case EV_config_token_created:
		snprintf(id, sizeof(id), "%.*s",
			 SLICE_FMT(((const struct config_token_created *)ev->data)->token.token));
		pool_add(&s->pools[POOL_token_text], id);
		break;
	case EV_config_token_used:
		snprintf(id, sizeof(id), "%.*s", SLICE_FMT(((const struct config_token_used *)ev->data)->token));
		pool_retire(&s->pools[POOL_token_text], id);
		break;
	case EV_game_question_created:
		pool_add_number(&s->pools[POOL_question],
				((const struct game_question_created *)ev->data)->question.id);
		break;
	case EV_game_question_deleted:
		snprintf(id, sizeof(id), "%" PRIu64, ((const struct game_question_deleted *)ev->data)->id);
		pool_drop(&s->pools[POOL_question], id);
		break;
	default:
		break;
	}
	if (colon == NULL || stream_defs[def->stream].key2 != STREAM_KEY_NONE)
		return;
	colon++;
	snprintf(id, sizeof(id), "%.*s", (int)((const char *)ev->stream.base + ev->stream.len - colon), colon);
	if (ends_with(def->name, "deleted"))
		pool_drop(&s->pools[def->stream], id);
	else if (ends_with(def->name, "created") || ends_with(def->name, "_started"))
		pool_add(&s->pools[def->stream], id);
	else if (is_over(def->name))
		pool_retire(&s->pools[def->stream], id);
}

/* Kinds are called as their streams begin, those without a stream by what refers to them. */
static struct pool *pool_by_kind(struct params_source *s, const char *kind)
{
	if (strcmp(kind, "bid") == 0)
		return &s->pools[POOL_bid];
	if (strcmp(kind, "question") == 0)
		return &s->pools[POOL_question];
	if (strcmp(kind, "transaction") == 0)
		return &s->pools[POOL_transaction];
	for (int i = 0; i < N_STREAMS; i++)
		if (strcmp(stream_defs[i].prefix, kind) == 0)
			return &s->pools[i];
	return NULL;
}

void params_gone(struct params_source *s, const char *kind, const char *id)
{
	struct pool *p = pool_by_kind(s, kind);

	if (p != NULL)
		pool_drop(p, id);
}

int pool_size(const struct params_source *s, const char *kind)
{
	const struct pool *p = pool_by_kind((struct params_source *)s, kind);

	return p ? p->n : 0;
}

static bool pool_pick(struct params_source *s, const struct pool *p, char ret[POOL_ID_MAX])
{
	const char *id;

	if (p == NULL || p->n == 0)
		return false;
	if (p->gone[0] != '\0' && one_in(&s->random, 30))
		id = p->gone;
	else if (one_in(&s->random, 3)) /* the latest few are what most happens to */
		id = p->ids[below(&s->random, p->n)];
	else
		id = p->ids[p->n - 1 - below(&s->random, p->n < 3 ? p->n : 3)];
	memcpy(ret, id, POOL_ID_MAX);
	return true;
}

bool some_id(struct params_source *s, const char *kind, char ret[POOL_ID_MAX])
{
	return pool_pick(s, pool_by_kind(s, kind), ret);
}

int64_t some_person(struct params_source *s)
{
	return 1 + (one_in(&s->random, 2) ? below(&s->random, 6) : below(&s->random, PEOPLE));
}

/* ---- values ---- */

static const char *const emojis[] = { "👍", "❤️", "😂", "🔥", "💯", "🎉" };
#define N_OF(a) (int64_t)(sizeof(a) / sizeof((a)[0]))

static const char *one_of(struct params_source *s, const char *const *texts, int64_t n)
{
	return texts[below(&s->random, n)];
}
#define ONE_OF(s, ...) one_of(s, (const char *const[]){ __VA_ARGS__ }, N_OF(((const char *const[]){ __VA_ARGS__ })))

static json_t *text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static json_t *text_of(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_string(text);
}

/* As on the wire. */
static json_t *points_of(int64_t thousandths)
{
	return thousandths % 1000 ? json_real((double)thousandths / 1000) : json_integer(thousandths / 1000);
}

static const char *method_kind(const struct params_source *s)
{
	return method_defs[s->method].kind ? method_defs[s->method].kind : "";
}

static bool method_is(const struct params_source *s, const char *name)
{
	return strcmp(method_defs[s->method].name, name) == 0;
}

static bool method_ends(const struct params_source *s, const char *verb)
{
	return ends_with(method_defs[s->method].name, verb);
}

/* Words in the names of fields, and the kind of thing they refer to. */
static struct pool *pool_of_field(struct params_source *s, const char *name)
{
	static const char *const kinds[] = { "achievement", "auction", "badge",    "bid",    "challenge",
					     "fragment",    "lore",    "mission",  "raffle", "trivia",
					     "attempt",     "request", "question", "token",  "reward" };

	if (strcmp(name, "id") == 0 || strcmp(name, "ids") == 0)
		return pool_by_kind(s, method_kind(s));
	if (strcmp(name, "combinations") == 0)
		return pool_by_kind(s, "lore");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(name, kinds[i]) != NULL)
			return pool_by_kind(s, kinds[i]);
	return NULL;
}

static json_t *draw_number_id(struct params_source *s, const char *name)
{
	char id[POOL_ID_MAX];

	if (one_in(&s->random, 60) || !pool_pick(s, pool_of_field(s, name), id))
		return json_integer(below(&s->random, 5));
	return json_integer(strtoll(id, NULL, 10));
}

/* A key that has not been used; some mean something by their beginning. */
static json_t *fresh_key(struct params_source *s)
{
	const char *begins = ONE_OF(s, "k", "k", "k", "vip_", "level4_");

	if (one_in(&s->random, 12))
		return json_string("start");
	return text_of("%s%" PRIu64, begins, ++s->fresh);
}

static json_t *draw_key(struct params_source *s, const char *name)
{
	bool own_id = strcmp(name, "id") == 0;
	char id[POOL_ID_MAX];

	if (own_id && (strcmp(method_kind(s), "entry") == 0 || method_is(s, "config.toggle")))
		return one_in(&s->random, 3) ? text_of("free.%c", (int)('a' + below(&s->random, 4)))
					     : json_string(setting_defs[below(&s->random, N_SETTINGS)].key);
	if (own_id && method_ends(s, ".create") && !one_in(&s->random, 8))
		return fresh_key(s);
	if (one_in(&s->random, 60) || !pool_pick(s, pool_of_field(s, name), id))
		return text_of("nothing%d", (int)below(&s->random, 3));
	return json_string(id);
}

static json_t *draw_keys(struct params_source *s, const char *name)
{
	json_t *list = json_array();

	for (int64_t n = 2 + below(&s->random, 2); n > 0; n--)
		json_array_append_new(list, draw_key(s, name));
	return list;
}

static json_t *draw_points(struct params_source *s, const char *name, const struct field *f)
{
	int64_t lo = f->flags & FIELD_RANGED && f->lo > 0 ? f->lo : 0;

	if (strcmp(name, "amount") == 0 && one_in(&s->random, 100))
		return points_of(lo + below(&s->random, POINTS_MAX));
	if (strstr(name, "price") || strstr(name, "increment"))
		return points_of(lo + 500 * below(&s->random, 30));
	if (strcmp(name, "amount") == 0)
		return points_of(one_in(&s->random, 3) ? 1000 * (1 + below(&s->random, 20))
						       : lo + below(&s->random, 150000));
	return points_of(lo + (one_in(&s->random, 4) ? 0 : 500 * below(&s->random, 60)));
}

static json_t *draw_int(struct params_source *s, const char *name, const struct field *f)
{
	static const struct {
		const char *name;
		int64_t lo, n;
	} usual[] = {
		{ "days", 1, 12 },
		{ "duration_minutes", 1, 4000 },
		{ "minutes", 1, 300 },
		{ "condition_value", 0, 40 },
		{ "target_value", 1, 4 },
		{ "goal_value", 1, 5 },
		{ "by", 1, 3 },
		{ "karma", -5, 11 },
		{ "multiplier", 1, 3 },
		{ "cooldown_hours", 0, 30 },
		{ "vip_days", 0, 15 },
		{ "vip_duration_days", 1, 15 },
		{ "duration_days", 0, 20 },
		{ "expires_in_minutes", 1, 600 },
	};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcmp(name, usual[i].name) == 0)
			return json_integer(usual[i].lo + below(&s->random, usual[i].n));
	if (!(f->flags & FIELD_RANGED))
		return json_integer(below(&s->random, 12) - (one_in(&s->random, 10) ? 3 : 0));
	if (one_in(&s->random, 100))
		return json_integer(f->hi);
	return json_integer(f->lo + below(&s->random, f->hi - f->lo < 8 ? f->hi - f->lo + 1 : 8));
}

static json_t *draw_time(struct params_source *s, const char *name)
{
	bool past = strncmp(name, "last_", 5) == 0 || strcmp(name, "from_at") == 0;

	switch (below(&s->random, 60)) {
	case 0:
		return json_integer(0);
	case 1:
		return json_integer(MS_MAX);
	case 2:
		return json_integer(s->now);
	case 3:
		past = !past;
		/* fall through */
	default:
		return json_integer(s->now + (past ? -1 : 1) * below(&s->random, 72 * HOUR_MS));
	}
}

static json_t *draw_text(struct params_source *s, const char *name, const struct field *f)
{
	char id[POOL_ID_MAX];

	if (strcmp(name, "required_role") == 0 && !one_in(&s->random, 4))
		return json_string("free");
	if (f->choices != NULL) {
		const char *at = f->choices, *end;
		int64_t n = 1;

		for (const char *c = f->choices; *c != '\0'; c++)
			n += *c == '|';
		for (n = below(&s->random, n); n > 0; n--)
			at = strchr(at, '|') + 1;
		end = strchrnul(at, '|');
		return json_stringn(at, (size_t)(end - at));
	}
	if (strcmp(name, "emoji") == 0 || strcmp(name, "reactions") == 0)
		return json_string(one_of(s, emojis, N_OF(emojis)));
	if (strcmp(name, "token") == 0 && pool_pick(s, &s->pools[POOL_token_text], id))
		return json_string(id);
	if (strcmp(name, "action") == 0)
		return json_string(ONE_OF(s, "message", "dance", "sing"));
	if (strcmp(name, "game_type") == 0)
		return json_string(ONE_OF(s, "roulette", "dice", "quick_trivia", "chess"));
	if (strcmp(name, "correct_answer") == 0 || strcmp(name, "answer") == 0)
		return json_string(ONE_OF(s, "a", "a", "b"));
	if (strcmp(name, "query") == 0)
		return json_string(ONE_OF(s, "word", "some w", "á", "thing 3"));
	if (strcmp(name, "source") == 0)
		return json_string(ONE_OF(s, "manual", "quiz", "badge", "token", "mission"));
	if (strcmp(name, "prefix") == 0)
		return json_string(ONE_OF(s, "points.", "f", ""));
	return text_of("Some wörd, thing %d", (int)below(&s->random, 40));
}

/* A value that the setting takes; those that would stop everything else seldom differ from their default. */
static json_t *draw_setting(struct params_source *s, const struct setting_def *def)
{
	switch (def->kind) {
	case SETTING_BOOL:
		return json_boolean(one_in(&s->random, 4) ? !def->dflt : def->dflt);
	case SETTING_INT:
		if (strcmp(def->key, "points.vip_multiplier") == 0)
			return json_integer(1 + below(&s->random, 3));
		return json_integer(
			one_in(&s->random, 2)
				? def->dflt
				: def->lo + below(&s->random, def->hi - def->lo < 50 ? def->hi - def->lo + 1 : 50));
	case SETTING_PTS:
		return points_of(def->lo + 500 * below(&s->random, 20));
	case SETTING_ROLE:
		return json_string(ONE_OF(s, "free", "free", "free", "free", "vip", "admin"));
	case SETTING_LIST: {
		json_t *list = json_array();
		int64_t from = below(&s->random, N_OF(emojis));

		for (int64_t i = 0; i < (def->hi < 3 ? def->hi : 3); i++)
			json_array_append_new(list, json_string(emojis[(from + i) % N_OF(emojis)]));
		return list;
	}
	case SETTING_TEXT:
		return one_in(&s->random, 3) ? json_null() : json_string("Hello {user_name}");
	case SETTING_ID:
	default:
		return one_in(&s->random, 3) ? json_null() : json_integer(-1 - below(&s->random, 4));
	}
}

static json_t *draw_entries(struct params_source *s)
{
	json_t *entries = json_object();

	for (int64_t n = 1 + below(&s->random, 3); n > 0; n--) {
		const struct setting_def *def = &setting_defs[below(&s->random, N_SETTINGS)];
		char key[16];

		if (!one_in(&s->random, 4)) {
			json_object_set_new(entries, def->key, draw_setting(s, def));
			continue;
		}
		snprintf(key, sizeof(key), "free.%c", (int)('a' + below(&s->random, 4)));
		json_object_set_new(entries, key,
				    one_in(&s->random, 3) ? json_null() : json_boolean(one_in(&s->random, 2)));
	}
	return entries;
}

static json_t *draw_map(struct params_source *s, const char *name)
{
	json_t *map = json_object();

	if (strcmp(name, "entries") == 0) {
		json_decref(map);
		return draw_entries(s);
	}
	if (strcmp(name, "options") == 0) {
		json_object_set_new(map, "a", json_string("This"));
		json_object_set_new(map, "b", json_string("That"));
	} else if (strcmp(name, "reaction_points") == 0) {
		json_object_set_new(map, one_of(s, emojis, N_OF(emojis)), json_integer(1 + below(&s->random, 5)));
	} else if (strcmp(name, "action_data") == 0) {
		json_object_set_new(map, "target_channel_id", json_integer(-1 - below(&s->random, 4)));
	} else if (strcmp(name, "data") == 0) {
		json_object_set_new(map, "format", json_integer(one_in(&s->random, 10) ? 2 : 1));
		json_object_set_new(map, "entries", draw_entries(s));
	} else if (one_in(&s->random, 2)) {
		json_object_set_new(map, "x", json_integer(below(&s->random, 100)));
	}
	return map;
}

static json_t *draw_any(struct params_source *s, const char *name)
{
	if (strcmp(name, "is_active") == 0)
		return one_in(&s->random, 3) ? json_string("any") : json_boolean(one_in(&s->random, 2));
	return one_in(&s->random, 2) ? json_integer(below(&s->random, 100)) : json_string("value");
}

static json_t *draw_bool(struct params_source *s, const char *name)
{
	if (strcmp(name, "permanent") == 0 || strcmp(name, "notified") == 0 || strcmp(name, "all") == 0)
		return json_true();
	if (strcmp(name, "is_active") == 0)
		return json_boolean(!one_in(&s->random, 8));
	if (strcmp(name, "is_admin") == 0)
		return json_boolean(one_in(&s->random, 8));
	return json_boolean(one_in(&s->random, 2));
}

static json_t *draw_scalar(struct params_source *s, const struct field *f)
{
	switch ((enum kind)f->kind) {
	case KIND_BOOL:
		return draw_bool(s, f->name);
	case KIND_INT:
		return draw_int(s, f->name, f);
	case KIND_U64:
		return draw_number_id(s, f->name);
	case KIND_UID:
		return json_integer(some_person(s));
	case KIND_CID:
		return json_integer(-1 - below(&s->random, 4));
	case KIND_MS:
		return draw_time(s, f->name);
	case KIND_PTS:
		return draw_points(s, f->name, f);
	case KIND_TEXT:
		return draw_text(s, f->name, f);
	case KIND_KEY:
		return draw_key(s, f->name);
	case KIND_KEYS:
		return draw_keys(s, f->name);
	case KIND_MAP:
		return draw_map(s, f->name);
	case KIND_REF:
		return json_pack("{s:s, s:i}", "kind", "thing", "id", (int)below(&s->random, 5));
	case KIND_ANY:
		return draw_any(s, f->name);
	case KIND_FLOAT:
	default:
		return json_real((double)below(&s->random, 100) / 4);
	}
}

static json_t *draw_record(struct params_source *s, const struct record *r);

static bool list_holds(const json_t *list, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), value))
			return true;
	return false;
}

/* What a list may hold twice is as good without. */
static json_t *draw_list(struct params_source *s, const struct field *f)
{
	int64_t lo = f->lo > 0 ? f->lo : 0, n = lo + below(&s->random, 3);
	json_t *list = json_array();

	for (; n > 0; n--) {
		json_t *value = f->shape == SHAPE_LIST_OF ? draw_record(s, f->sub()) : draw_scalar(s, f);

		if (!list_holds(list, value))
			json_array_append(list, value);
		json_decref(value);
	}
	return list;
}

/* Plans are built once and stay. */
static const struct plan *plan_of(const struct record *r)
{
	static struct {
		const struct record *record;
		const struct plan *plan;
	} known[2 * N_METHODS];
	size_t i = 0;

	while (known[i].record != NULL && known[i].record != r)
		i++;
	if (known[i].record == NULL) {
		known[i].record = r;
		known[i].plan = plan_new(r, NULL);
	}
	return known[i].plan;
}

/* What is optional stands in one of three. */
static json_t *draw_record(struct params_source *s, const struct record *r)
{
	const struct plan *p = plan_of(r);
	json_t *map = json_object();

	for (unsigned i = 0; i < plan_n_fields(p); i++) {
		const struct field *f = plan_field(p, i);
		bool list = f->shape == SHAPE_LIST || f->shape == SHAPE_LIST_OF;
		bool needed =
			!plan_field_is_patch(p, i) && (list ? f->lo > 0 : f->need == NEED_REQUIRED && f->has == 0);
		json_t *value;

		if ((!needed && !one_in(&s->random, 3)) || strcmp(f->name, "after") == 0)
			continue;
		if (list)
			value = draw_list(s, f);
		else if (f->shape == SHAPE_NEST)
			value = draw_record(s, f->sub());
		else
			value = draw_scalar(s, f);
		json_object_set_new(map, f->name, value);
	}
	return map;
}

/* ---- params that must fit each other ---- */

/* Of these at most one is given. */
static const struct {
	const char *method;
	const char *fields;
} alternatives[] = {
	{ "user.grant_vip", "days|expires_at|permanent" },
	{ "auction.create", "duration_minutes|end_at" },
	{ "auction.create", "start|start_at" },
	{ "mission.create", "duration_days|expires_at" },
	{ "mission.update", "duration_days|expires_at" },
	{ "mission.advance", "by|to" },
	{ "mission.reset", "mission_id|type" },
	{ "config.create", "expires_at|expires_in_minutes" },
	{ "config.create", "vip|vip_days" },
	{ "config.delete", "id|token" },
	{ "config.get", "id|token" },
	{ "user.get", "id|username" },
	{ "game.advance_challenge", "by|to" },
};

/* Leaves the last of these that is there. */
static void leave_one(json_t *params, const char *fields)
{
	bool seen = false;

	for (const char *at = fields + strlen(fields); at > fields;) {
		const char *end = at;
		char name[40];

		while (at > fields && at[-1] != '|')
			at--;
		snprintf(name, sizeof(name), "%.*s", (int)(end - at), at);
		if (seen)
			json_object_del(params, name);
		seen = seen || json_object_get(params, name) != NULL;
		if (at > fields)
			at--;
	}
}

static void mend_level(struct params_source *s, json_t *params)
{
	int64_t id = json_integer_value(json_object_get(params, "id"));

	if (json_object_get(params, "min_points") != NULL && !one_in(&s->random, 8))
		json_object_set_new(params, "min_points", points_of(id * 60000 + below(&s->random, 60000)));
}

/* An amount that leads, most of the time; sometimes all that the bidder has, or a little more. */
static void mend_bid(struct params_source *s, json_t *params)
{
	struct balance b;
	struct auction a;
	int64_t amount;

	if (one_in(&s->random, 12) ||
	    !get_auction(s->state, (uint64_t)json_integer_value(json_object_get(params, "auction_id")), &a))
		return;
	amount = a.current_bid > 0 ? a.current_bid + a.min_bid_increment : a.initial_price;
	if (one_in(&s->random, 4) &&
	    find_balance(s->state, json_integer_value(json_object_get(params, "user_id")), &b) &&
	    b.balance - b.held > amount)
		amount = b.balance - b.held + 1000 - 1000 * below(&s->random, 3);
	else if (one_in(&s->random, 2))
		amount += below(&s->random, 20000);
	json_object_set_new(params, "amount", points_of(amount));
}

static bool has_all(struct state *s, int64_t who, const struct slice *lore, size_t n)
{
	size_t has = 0;

	while (has < n && has_lore(s, who, lore[has]))
		has++;
	return has == n;
}

/* A set that leads to some piece, if possible for somebody who has it and not that piece. */
static void mend_combination(struct params_source *s, json_t *params)
{
	struct pool *lore = pool_by_kind(s, "lore");

	for (int i = 0; i < lore->n; i++) {
		struct slice id = slice_str(lore->ids[i]), set[KEYS_MAX];
		struct lore l;
		json_t *ids;
		size_t n;

		if (!find_lore(s->state, id, &l) || l.combinations.n == 0)
			continue;
		n = lore_set_ids(l.combinations.v[0], set);
		ids = json_array();
		for (size_t k = 0; k < n; k++)
			json_array_append_new(ids, json_stringn(set[k].base, set[k].len));
		json_object_set_new(params, "lore_ids", ids);
		for (int64_t who = 1; who <= PEOPLE; who++)
			if (has_all(s->state, who, set, n) && !has_lore(s->state, who, id)) {
				json_object_set_new(params, "user_id", json_integer(who));
				return;
			}
	}
}

/* Its times are given, but when it is a personal one, which alone has a user and a penalty. */
static void mend_challenge(struct params_source *s, json_t *params)
{
	const char *type = json_string_value(json_object_get(params, "type"));
	int64_t start = s->now + below(&s->random, 12 * HOUR_MS) - HOUR_MS;

	if (strcmp(type, "personal") == 0) {
		json_object_set_new(params, "user_id", json_integer(some_person(s)));
		json_object_del(params, "start_at");
		json_object_del(params, "end_at");
		return;
	}
	json_object_del(params, "user_id");
	json_object_del(params, "duration_minutes");
	json_object_del(params, "penalty_points");
	json_object_set_new(params, "start_at", json_integer(start));
	json_object_set_new(params, "end_at", json_integer(start + HOUR_MS + below(&s->random, 72 * HOUR_MS)));
}

/* Somebody who stands where there is something to choose. */
static void mend_choice(struct params_source *s, json_t *params)
{
	for (int64_t i = 0, who = some_person(s); i < PEOPLE; i++, who = 1 + who % PEOPLE) {
		int64_t choice;
		struct fragment f, next;
		struct story st;

		if (!find_story(s->state, who, &st) || st.current_fragment_id.base == NULL ||
		    !find_fragment(s->state, st.current_fragment_id, &f) || !f.is_active || f.choices.n == 0)
			continue;
		choice = below(&s->random, (int64_t)f.choices.n);
		if (!find_fragment(s->state, f.choices.v[choice].next_fragment_id, &next))
			continue;
		json_object_set_new(params, "user_id", json_integer(who));
		json_object_set_new(params, "choice_index", json_integer(choice));
		if (!one_in(&s->random, 10))
			json_object_del(params, "fragment_id");
		return;
	}
}

/* Somebody who takes part there. */
static void mend_participant(struct params_source *s, json_t *params)
{
	uint64_t auction = (uint64_t)json_integer_value(json_object_get(params, "auction_id"));
	uint64_t challenge = (uint64_t)json_integer_value(json_object_get(params, "challenge_id"));
	struct challenge_progress progress;
	struct participant place;

	for (int64_t i = 0, who = some_person(s); i < PEOPLE; i++, who = 1 + who % PEOPLE)
		if (auction ? find_participant(s->state, auction, who, &place)
			    : get_challenge_progress(s->state, (uint64_t)who, challenge, &progress) &&
				      !progress.deleted) {
			json_object_set_new(params, "user_id", json_integer(who));
			return;
		}
}

/* The leading bid of an auction, or any with its auction. */
static void mend_retraction(struct params_source *s, json_t *params)
{
	char id[POOL_ID_MAX];
	struct auction a;
	struct bid b;

	if (one_in(&s->random, 2) && some_id(s, "auction", id) && get_auction(s->state, strtoull(id, NULL, 10), &a) &&
	    a.has_winning_bid_id)
		json_object_set_new(params, "bid_id", json_integer((json_int_t)a.winning_bid_id));
	if (get_bid(s->state, (uint64_t)json_integer_value(json_object_get(params, "bid_id")), &b))
		json_object_set_new(params, "auction_id", json_integer((json_int_t)b.auction_id));
}

/* Often all that there is, and often by somebody who bids: whoever was outbid may not be able to lead again. */
static void mend_spending(struct params_source *s, json_t *params, const char *who)
{
	char id[POOL_ID_MAX];
	struct balance b;
	struct bid bid;

	if (one_in(&s->random, 2) && some_id(s, "bid", id) && get_bid(s->state, strtoull(id, NULL, 10), &bid))
		json_object_set_new(params, who, json_integer(bid.user_id));
	if (one_in(&s->random, 2) && find_balance(s->state, json_integer_value(json_object_get(params, who)), &b) &&
	    b.balance > b.held)
		json_object_set_new(params, "amount", points_of(b.balance - b.held));
}

/* A question that the attempt began with. */
static void mend_answer(struct params_source *s, json_t *params)
{
	struct attempt_questions asked;

	if (get_attempt_questions(s->state, (uint64_t)json_integer_value(json_object_get(params, "attempt_id")),
				  &asked) &&
	    asked.ids.n > 0 && !one_in(&s->random, 20))
		json_object_set_new(params, "question_id",
				    json_integer((json_int_t)asked.ids.v[below(&s->random, (int64_t)asked.ids.n)]));
	if (!one_in(&s->random, 3))
		json_object_del(params, "is_correct");
}

/* What only other types of games take. */
static void mend_play(struct params_source *s, json_t *params)
{
	const char *type = json_string_value(json_object_get(params, "game_type"));

	if (strcmp(type, "chess") == 0)
		return;
	json_object_del(params, "cost_points");
	json_object_del(params, "cooldown_hours");
	json_object_del(params, "reward_points");
	if (strcmp(type, "quick_trivia") == 0)
		json_object_set_new(params, "score", json_integer(below(&s->random, 2)));
}

/* By id, or by user and channel. */
static void mend_request(struct params_source *s, json_t *params)
{
	if (json_object_get(params, "id") != NULL) {
		json_object_del(params, "user_id");
		json_object_del(params, "channel_id");
	} else if (one_in(&s->random, 2)) {
		json_object_set_new(params, "id", draw_number_id(s, "request_id"));
		mend_request(s, params);
	} else {
		json_object_set_new(params, "user_id", json_integer(some_person(s)));
		json_object_set_new(params, "channel_id", json_integer(-1 - below(&s->random, 4)));
	}
}

static void mend_question(json_t *question)
{
	json_object_set_new(question, "options", json_pack("{s:s, s:s}", "a", "This", "b", "That"));
}

static void mend(struct params_source *s, json_t *params)
{
	const char *kind = method_kind(s);
	bool create = method_ends(s, ".create");

	for (size_t i = 0; i < sizeof(alternatives) / sizeof(alternatives[0]); i++)
		if (method_is(s, alternatives[i].method) && !one_in(&s->random, 20))
			leave_one(params, alternatives[i].fields);
	if (strcmp(kind, "level") == 0)
		mend_level(s, params);
	if (create && strcmp(kind, "auction") == 0 && json_object_get(params, "end_at") == NULL)
		json_object_set_new(params, "duration_minutes", json_integer(30 + below(&s->random, 4000)));
	if (method_is(s, "point.deduct"))
		mend_spending(s, params, "user_id");
	if (method_is(s, "point.transfer"))
		mend_spending(s, params, "from_user_id");
	if (method_is(s, "auction.bid"))
		mend_bid(s, params);
	if (method_is(s, "narrative.combine_lore"))
		mend_combination(s, params);
	if (create && strcmp(kind, "lore") == 0 && json_object_get(params, "combinations") == NULL)
		json_object_set_new(params, "combinations", json_pack("[o]", draw_keys(s, "lore")));
	if (create && strcmp(kind, "fragment") == 0)
		json_object_set_new(params, "type",
				    json_string(json_object_get(params, "choices") ? "decision" : "story"));
	if (create && strcmp(kind, "challenge") == 0)
		mend_challenge(s, params);
	if (create && strcmp(kind, "question") == 0)
		mend_question(params);
	if (create && strcmp(kind, "trivia") == 0)
		for (size_t i = 0; i < json_array_size(json_object_get(params, "questions")); i++)
			mend_question(json_array_get(json_object_get(params, "questions"), i));
	if (method_is(s, "narrative.choose"))
		mend_choice(s, params);
	if (strcmp(kind, "request") == 0 && method_is(s, "channel.get"))
		mend_request(s, params);
	if (method_is(s, "auction.retract_bid"))
		mend_retraction(s, params);
	if (strcmp(kind, "participant") == 0 || method_is(s, "auction.leave") ||
	    (strcmp(kind, "progress") == 0 && method_is(s, "game.get")))
		mend_participant(s, params);
	if (method_is(s, "game.answer"))
		mend_answer(s, params);
	if (method_is(s, "mission.advance") && !one_in(&s->random, 3))
		json_object_del(params, "action");
	if (method_is(s, "mission.reset") && json_object_size(params) < 2)
		json_object_set_new(params, "mission_id", draw_key(s, "mission_id"));
	if (method_is(s, "game.play"))
		mend_play(s, params);
	if (strcmp(kind, "token") == 0 && method_ends(s, ".delete") && json_object_size(params) == 0)
		json_object_set_new(params, "id", draw_number_id(s, "token_id"));
	if (method_is(s, "user.grant_vip") && json_object_get(params, "days") == NULL &&
	    json_object_get(params, "expires_at") == NULL &&
	    (json_object_get(params, "permanent") == NULL || !one_in(&s->random, 10))) {
		json_object_del(params, "permanent");
		json_object_set_new(params, "days", json_integer(1 + below(&s->random, 5)));
	}
}

json_t *draw_params(struct params_source *s, enum method_id m)
{
	json_t *params;

	s->method = m;
	params = draw_record(s, method_defs[m].params());
	mend(s, params);
	if (method_defs[m].kind != NULL)
		json_object_set_new(params, "kind", json_string(method_defs[m].kind));
	return params;
}

void spoil_params(struct params_source *s, json_t *params)
{
	int64_t n = below(&s->random, (int64_t)json_object_size(params) + 1);
	const char *name = "no_such_param";
	const char *key;
	json_t *value;

	json_object_foreach(params, key, value) if (n-- == 0) name = key;
	switch (below(&s->random, 8)) {
	case 0:
		value = json_null();
		break;
	case 1:
		value = json_integer(-1);
		break;
	case 2:
		value = json_integer(INT64_MIN);
		break;
	case 3:
		value = json_real(0.0001);
		break;
	case 4:
		value = json_string("");
		break;
	case 5:
		value = json_array();
		break;
	case 6:
		value = json_pack("{s:[i]}", "x", 1);
		break;
	default:
		value = json_true();
		break;
	}
	json_object_set_new(params, name, value);
}

void params_source_init(struct params_source *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->random.x = seed ? seed : 1;
}
