#include "daemon/rate.h"

#include <stdlib.h>
#include <string.h>

enum { SECONDS = 60, FIRST_SLOTS = 1024 };

struct user_rate {
	int64_t user_id;          /* 0: free */
	int64_t second;           /* of the latest count */
	uint16_t counts[SECONDS]; /* by second modulo SECONDS */
};

struct rate {
	struct user_rate *slots;
	size_t n_slots, used;
};

struct rate *rate_new(void)
{
	struct rate *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->n_slots = FIRST_SLOTS;
	r->slots = calloc(r->n_slots, sizeof(*r->slots));
	if (r->slots == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

void rate_free(struct rate *r)
{
	if (r == NULL)
		return;
	free(r->slots);
	free(r);
}

static struct user_rate *slot_of(struct user_rate *slots, size_t n, int64_t user_id)
{
	size_t i = (size_t)((uint64_t)user_id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (n - 1);

	while (slots[i].user_id != 0 && slots[i].user_id != user_id)
		i = (i + 1) & (n - 1);
	return &slots[i];
}

/* Moves those active in the last minute to a table that is at most a quarter full. */
static void regrow(struct rate *r, int64_t second)
{
	size_t active = 0, n = FIRST_SLOTS;
	struct user_rate *slots;

	for (size_t i = 0; i < r->n_slots; i++)
		active += r->slots[i].user_id != 0 && r->slots[i].second > second - SECONDS;
	while (n < 4 * (active + 1))
		n *= 2;
	slots = calloc(n, sizeof(*slots));
	if (slots == NULL)
		return;
	for (size_t i = 0; i < r->n_slots; i++)
		if (r->slots[i].user_id != 0 && r->slots[i].second > second - SECONDS)
			*slot_of(slots, n, r->slots[i].user_id) = r->slots[i];
	free(r->slots);
	r->slots = slots;
	r->n_slots = n;
	r->used = active;
}

/* Forgets the seconds that have passed since the latest count. */
static void advance(struct user_rate *u, int64_t second)
{
	int64_t gap = second - u->second;

	if (gap >= SECONDS)
		memset(u->counts, 0, sizeof(u->counts));
	else
		for (int64_t s = u->second + 1; s <= second; s++)
			u->counts[s % SECONDS] = 0;
	if (gap > 0)
		u->second = second;
}

bool rate_allow(struct rate *r, int64_t user_id, int64_t now_ms, int64_t limit, int64_t *ret_retry_at)
{
	int64_t second = now_ms / 1000, sum = 0;
	struct user_rate *u;

	if (r->used * 2 > r->n_slots)
		regrow(r, second);
	u = slot_of(r->slots, r->n_slots, user_id);
	if (u->user_id == 0) {
		if (r->used + 1 >= r->n_slots)
			return true; /* no memory to count in: let it pass rather than refuse everyone */
		u->user_id = user_id;
		u->second = second;
		r->used++;
	}
	advance(u, second);
	for (int i = 0; i < SECONDS; i++)
		sum += u->counts[i];
	if (sum < limit) {
		u->counts[second % SECONDS]++;
		return true;
	}
	*ret_retry_at = (second + 1) * 1000;
	for (int64_t s = second - SECONDS + 1; s <= second; s++)
		if (s >= 0 && u->counts[s % SECONDS] > 0) {
			*ret_retry_at = (s + SECONDS) * 1000;
			break;
		}
	return false;
}
