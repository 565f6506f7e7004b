#include "daemon/lookahead.h"

#include "core/rules.h"

enum { ROWS_MAX = 4 };

/* What a request is about: an integer called user_id or id, and a whole amount. */
struct subject {
	bool award; /* or another that pays */
	bool balance;
	uint64_t user_id;
	int64_t amount; /* thousandths; 0: not known */
};

static struct subject find_subject(const struct request_head *r)
{
	struct subject s = { .award = slice_is(r->method, "point.award") };
	struct mp m = mp_of(r->params);
	struct slice name;
	uint32_t n;

	s.balance = s.award || slice_is(r->method, "point.get") || slice_is(r->method, "point.deduct") ||
		    slice_is(r->method, "user.record_activity");
	if (!s.balance || mp_peek(&m) != MP_MAP || !mp_map(&m, &n))
		return s;
	while (n-- > 0 && mp_str(&m, &name)) {
		if (slice_is(name, "user_id") || slice_is(name, "id")) {
			if (!mp_uint(&m, &s.user_id))
				break;
		} else if (slice_is(name, "amount") && mp_peek(&m) == MP_INT) {
			if (!mp_int(&m, &s.amount) || !points_from_int(s.amount, &s.amount))
				break;
		} else if (!mp_skip(&m, MP_SCAN_DEPTH)) {
			break;
		}
	}
	return s;
}

struct rows {
	struct key keys[LOOKAHEAD_MAX * ROWS_MAX];
	struct state_key v[LOOKAHEAD_MAX * ROWS_MAX];
	size_t n;
};

/* The key to fill in for one more row. */
static struct key *add_row(struct rows *r, enum table_id table)
{
	/* places on the leaderboard are put and deleted without being read */
	r->v[r->n] = (struct state_key){ .table = table, .blind = table == T_board };
	return &r->keys[r->n++];
}

static void fetch(struct state *s, struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->v[i].key = key_slice(&r->keys[i]);
	if (r->n > 1)
		state_prefetch(s, r->v, r->n);
	r->n = 0;
}

/* What each reads first. */
static void fetch_rows(struct state *s, int64_t now, const struct subject *subjects, size_t n, struct rows *r)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t id = subjects[i].user_id;

		if (id == 0)
			continue;
		key_balance(add_row(r, T_balance), id);
		if (!subjects[i].award)
			continue;
		key_point_user_day(add_row(r, T_point_user_day), (uint64_t)utc_day(now), id);
		key_log_user_recent(add_row(r, T_log_user_recent), id);
		key_holder(add_row(r, T_holder), id);
	}
	fetch(s, r);
}

/* The balance alone, of which it takes no more than a guess: version, id, balance, as the record has them. */
static bool peek_balance(struct state *s, uint64_t id, int64_t *ret)
{
	struct slice value;
	struct key k;
	struct mp m;
	uint32_t n;

	key_balance(&k, id);
	if (!state_get(s, T_balance, key_slice(&k), &value))
		return false;
	m = mp_of(value);
	return mp_array(&m, &n) && n >= 3 && mp_skip(&m, MP_SCAN_DEPTH) && mp_skip(&m, MP_SCAN_DEPTH) &&
	       mp_int(&m, ret);
}

/* Where each award leaves and enters the leaderboard, which its balance tells. */
static void fetch_places(struct state *s, const struct subject *subjects, size_t n, struct rows *r)
{
	for (size_t i = 0; i < n; i++) {
		int64_t balance;

		if (!subjects[i].award || subjects[i].user_id == 0 || !peek_balance(s, subjects[i].user_id, &balance))
			continue;
		key_board(add_row(r, T_board), balance, subjects[i].user_id);
		if (subjects[i].amount > 0 && subjects[i].amount <= POINTS_MAX - balance)
			key_board(add_row(r, T_board), balance + subjects[i].amount, subjects[i].user_id);
	}
	fetch(s, r);
}

void lookahead(struct state *s, int64_t now, const struct request_head *requests, size_t n)
{
	struct subject subjects[LOOKAHEAD_MAX];
	struct rows rows;

	assert(n <= LOOKAHEAD_MAX);
	rows.n = 0;
	for (size_t i = 0; i < n; i++)
		subjects[i] = find_subject(&requests[i]);
	fetch_rows(s, now, subjects, n, &rows);
	fetch_places(s, subjects, n, &rows);
}
