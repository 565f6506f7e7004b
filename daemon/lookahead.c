#include "daemon/lookahead.h"

#include "core/rules.h"

enum { ROWS_MAX = 3 };

/* The user that a request is about: an integer called user_id, or id. */
static bool find_subject(struct slice params, uint64_t *ret)
{
	struct mp m = mp_of(params);
	struct slice name;
	uint32_t n;

	if (mp_peek(&m) != MP_MAP || !mp_map(&m, &n))
		return false;
	while (n-- > 0 && mp_str(&m, &name)) {
		if (slice_is(name, "user_id") || slice_is(name, "id"))
			return mp_uint(&m, ret);
		if (!mp_skip(&m, MP_SCAN_DEPTH))
			return false;
	}
	return false;
}

/* The rows of a user that a method reads first. Returns how many. */
static size_t rows_of(const struct request_head *r, int64_t now, struct key keys[ROWS_MAX], struct state_key *rows)
{
	bool award = slice_is(r->method, "point.award"), activity = slice_is(r->method, "user.record_activity");
	bool balance = award || activity || slice_is(r->method, "point.get") || slice_is(r->method, "point.deduct");
	uint64_t id;
	size_t n = 0;

	if (!balance || !find_subject(r->params, &id))
		return 0;
	key_balance(&keys[n], id);
	rows[n].table = T_balance;
	n++;
	if (award || activity) {
		key_point_user_day(&keys[n], (uint64_t)utc_day(now), id);
		rows[n].table = T_point_user_day;
		n++;
		key_log_user_recent(&keys[n], id);
		rows[n].table = T_log_user_recent;
		n++;
	}
	for (size_t i = 0; i < n; i++)
		rows[i].key = key_slice(&keys[i]);
	return n;
}

void lookahead(struct state *s, int64_t now, const struct request_head *requests, size_t n)
{
	struct key keys[LOOKAHEAD_MAX * ROWS_MAX];
	struct state_key rows[LOOKAHEAD_MAX * ROWS_MAX];
	size_t n_rows = 0;

	assert(n <= LOOKAHEAD_MAX);
	for (size_t i = 0; i < n; i++)
		n_rows += rows_of(&requests[i], now, keys + n_rows, rows + n_rows);
	if (n_rows > 1)
		state_prefetch(s, rows, n_rows);
}
