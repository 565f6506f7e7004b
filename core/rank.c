#include "core/rank.h"

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * Sorted chunks of distinct scores with how often each occurs; a directory of the chunks in order
 * (`first`: no score of a chunk is below it), and a Fenwick tree over how many each chunk counts. A chunk
 * that splits or goes costs a walk over the directory, which a chunk's worth of calls shares.
 */
enum {
	CHUNK_MAX = 128,
	CHUNK_BUILT = 100, /* filled so far in bulk, so that the first inserts do not split all */
	CHUNK_LOW = 44,    /* below, joined with a neighbour if both fit in CHUNK_BUILT */
	GATHER_MAX = 32,
};

struct chunk {
	unsigned n;
	uint32_t times[CHUNK_MAX];
	uint64_t score[CHUNK_MAX];
};

struct gathered {
	uint64_t score;
	int rows;
};

struct rank {
	uint64_t total;
	unsigned n_gathered;
	struct gathered gathered[GATHER_MAX];
	size_t n, cap;
	uint64_t *first;
	uint64_t *tree; /* Fenwick tree: tree[i] counts chunks (i & (i + 1)) .. i */
	struct chunk **chunk;
};

struct rank *rank_new(void)
{
	return calloc(1, sizeof(struct rank));
}

void rank_free(struct rank *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->chunk[i]);
	free(r->first);
	free(r->tree);
	free(r->chunk);
	free(r);
}

uint64_t rank_total(struct rank *r)
{
	rank_settle(r);
	return r->total;
}

/* The tree of counts. */

static void tree_add(struct rank *r, size_t at, uint64_t delta)
{
	for (; at < r->n; at |= at + 1)
		r->tree[at] += delta;
}

/* What chunks before `at` count. */
static uint64_t tree_before(const struct rank *r, size_t at)
{
	uint64_t sum = 0;

	for (; at > 0; at &= at - 1)
		sum += r->tree[at - 1];
	return sum;
}

static uint64_t chunk_total(const struct chunk *c, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += c->times[i];
	return sum;
}

/* Counts of single chunks, from the tree itself: each node in turn gives up what its children hold. */
static void tree_to_counts(struct rank *r)
{
	for (size_t i = r->n; i-- > 0;)
		if ((i | (i + 1)) < r->n)
			r->tree[i | (i + 1)] -= r->tree[i];
}

static void tree_from_counts(struct rank *r)
{
	for (size_t i = 0; i < r->n; i++)
		if ((i | (i + 1)) < r->n)
			r->tree[i | (i + 1)] += r->tree[i];
}

/* Finding. */

/* How many of n sorted scores are at most / below `score`. */
static size_t count_upto(const uint64_t *a, size_t n, uint64_t score)
{
	const uint64_t *at = a;

	if (n == 0)
		return 0;
	while (n > 1) {
		size_t half = n / 2;

		at += half * (at[half - 1] <= score);
		n -= half;
	}
	return (size_t)(at - a) + (*at <= score);
}

static size_t count_below(const uint64_t *a, size_t n, uint64_t score)
{
	return score == 0 ? 0 : count_upto(a, n, score - 1);
}

/* The chunk a score belongs to. There is one at least. */
static size_t chunk_of(const struct rank *r, uint64_t score)
{
	size_t n = count_upto(r->first, r->n, score);

	return n > 0 ? n - 1 : 0;
}

uint64_t rank_count_less(struct rank *r, uint64_t score)
{
	const struct chunk *c;
	size_t at;

	rank_settle(r);
	if (r->n == 0)
		return 0;
	at = chunk_of(r, score);
	c = r->chunk[at];
	return tree_before(r, at) + chunk_total(c, (unsigned)count_below(c->score, c->n, score));
}

/* The chunk that holds the n-th; *n becomes its place within. */
static size_t chunk_of_nth(const struct rank *r, uint64_t *n)
{
	size_t at = 0, step = 1;

	while (step * 2 <= r->n)
		step *= 2;
	for (; step > 0; step /= 2)
		if (at + step <= r->n && r->tree[at + step - 1] <= *n) {
			at += step;
			*n -= r->tree[at - 1];
		}
	return at;
}

bool rank_nth(struct rank *r, uint64_t n, uint64_t *ret_score)
{
	const struct chunk *c;
	unsigned i = 0;

	rank_settle(r);
	if (n >= r->total)
		return false;
	c = r->chunk[chunk_of_nth(r, &n)];
	for (; n >= c->times[i]; i++)
		n -= c->times[i];
	*ret_score = c->score[i];
	return true;
}

/* The directory. */

static bool grow_array(void **a, size_t cap, size_t size)
{
	void *grown = realloc(*a, cap * size);

	if (grown)
		*a = grown;
	return grown != NULL;
}

static bool directory_room(struct rank *r)
{
	size_t cap = r->cap ? r->cap * 2 : 16;

	if (r->n < r->cap)
		return true;
	if (!grow_array((void **)&r->first, cap, sizeof(*r->first)) ||
	    !grow_array((void **)&r->tree, cap, sizeof(*r->tree)) ||
	    !grow_array((void **)&r->chunk, cap, sizeof(*r->chunk)))
		return false;
	r->cap = cap;
	return true;
}

/* Makes place for a new, empty chunk. NULL: no memory, nothing changed. */
static struct chunk *chunk_add(struct rank *r, size_t at, uint64_t first)
{
	struct chunk *c;
	size_t after = r->n - at;

	if (!directory_room(r) || !(c = malloc(sizeof(*c))))
		return NULL;
	c->n = 0;
	if (after == 0) {
		r->first[at] = first;
		r->tree[at] = tree_before(r, at) - tree_before(r, at & (at + 1));
		r->chunk[at] = c;
		r->n++;
		return c;
	}
	tree_to_counts(r);
	memmove(&r->first[at + 1], &r->first[at], after * sizeof(r->first[0]));
	memmove(&r->tree[at + 1], &r->tree[at], after * sizeof(r->tree[0]));
	memmove(&r->chunk[at + 1], &r->chunk[at], after * sizeof(r->chunk[0]));
	r->first[at] = first;
	r->tree[at] = 0;
	r->chunk[at] = c;
	r->n++;
	tree_from_counts(r);
	return c;
}

/* A chunk goes; what it counted counts for the one before. */
static void chunk_remove(struct rank *r, size_t at)
{
	size_t after = r->n - at - 1;

	free(r->chunk[at]);
	tree_to_counts(r);
	if (at > 0)
		r->tree[at - 1] += r->tree[at];
	else
		assert(r->tree[at] == 0);
	memmove(&r->first[at], &r->first[at + 1], after * sizeof(r->first[0]));
	memmove(&r->tree[at], &r->tree[at + 1], after * sizeof(r->tree[0]));
	memmove(&r->chunk[at], &r->chunk[at + 1], after * sizeof(r->chunk[0]));
	r->n--;
	tree_from_counts(r);
}

/* Moves what `from` holds from `at` on to the end of `to`. */
static void chunk_move(struct chunk *to, struct chunk *from, unsigned at)
{
	unsigned n = from->n - at;

	memcpy(&to->score[to->n], &from->score[at], n * sizeof(to->score[0]));
	memcpy(&to->times[to->n], &from->times[at], n * sizeof(to->times[0]));
	to->n += n;
	from->n = at;
}

static bool chunk_split(struct rank *r, size_t at)
{
	struct chunk *c = r->chunk[at], *right;
	uint64_t moved;

	right = chunk_add(r, at + 1, c->score[CHUNK_MAX / 2]);
	if (!right)
		return false;
	chunk_move(right, c, CHUNK_MAX / 2);
	moved = chunk_total(right, right->n);
	tree_add(r, at, -moved);
	tree_add(r, at + 1, moved);
	return true;
}

/* Joins a chunk with the one after it when they are small. */
static bool chunk_join(struct rank *r, size_t at)
{
	if (at + 1 >= r->n || r->chunk[at]->n + r->chunk[at + 1]->n > CHUNK_BUILT)
		return false;
	chunk_move(r->chunk[at], r->chunk[at + 1], 0);
	chunk_remove(r, at + 1);
	return true;
}

/* Changing. */

static void slot_insert(struct chunk *c, unsigned at, uint64_t score)
{
	size_t after = c->n - at;

	memmove(&c->score[at + 1], &c->score[at], after * sizeof(c->score[0]));
	memmove(&c->times[at + 1], &c->times[at], after * sizeof(c->times[0]));
	c->score[at] = score;
	c->times[at] = 1;
	c->n++;
}

static void slot_remove(struct chunk *c, unsigned at)
{
	size_t after = c->n - at - 1;

	memmove(&c->score[at], &c->score[at + 1], after * sizeof(c->score[0]));
	memmove(&c->times[at], &c->times[at + 1], after * sizeof(c->times[0]));
	c->n--;
}

bool rank_insert(struct rank *r, uint64_t score)
{
	struct chunk *c;
	size_t at;
	unsigned i;

	if (r->n == 0 && !chunk_add(r, 0, 0))
		return false;
	at = chunk_of(r, score);
	c = r->chunk[at];
	i = (unsigned)count_below(c->score, c->n, score);
	if (i < c->n && c->score[i] == score) {
		c->times[i]++;
	} else {
		if (c->n == CHUNK_MAX)
			return chunk_split(r, at) && rank_insert(r, score);
		slot_insert(c, i, score);
	}
	tree_add(r, at, 1);
	r->total++;
	return true;
}

bool rank_erase(struct rank *r, uint64_t score)
{
	struct chunk *c;
	size_t at;
	unsigned i;

	if (r->n == 0)
		return false;
	at = chunk_of(r, score);
	c = r->chunk[at];
	i = (unsigned)count_below(c->score, c->n, score);
	if (i == c->n || c->score[i] != score)
		return false;
	tree_add(r, at, (uint64_t)-1);
	r->total--;
	if (--c->times[i] > 0)
		return true;
	slot_remove(c, i);
	if (c->n < CHUNK_LOW && !chunk_join(r, at) && at > 0)
		chunk_join(r, at - 1);
	return true;
}

bool rank_append(struct rank *r, uint64_t score)
{
	struct chunk *c = r->n > 0 ? r->chunk[r->n - 1] : NULL;

	assert(r->n_gathered == 0);
	assert(!c || c->n == 0 || score >= c->score[c->n - 1]);
	if (c && c->n >= CHUNK_BUILT && score > c->score[c->n - 1] && !chunk_add(r, r->n, score))
		return false;
	return rank_insert(r, score);
}

uint64_t rank_score(struct slice key)
{
	uint64_t score;

	assert(key.len >= sizeof(score));
	memcpy(&score, key.base, sizeof(score));
	return be64toh(score);
}

static void fetch_chunk(const struct rank *r, uint64_t score)
{
	const struct chunk *c = r->chunk[chunk_of(r, score)];

	__builtin_prefetch(c);
	for (unsigned i = 0; i < CHUNK_MAX; i += 8)
		__builtin_prefetch(&c->score[i], 1);
	for (unsigned i = 0; i < CHUNK_MAX; i += 16)
		__builtin_prefetch(&c->times[i], 1);
}

bool rank_settle(struct rank *r)
{
	bool done = true;
	unsigned n = r->n_gathered;

	for (unsigned i = 0; i < n && r->n > 0; i++)
		fetch_chunk(r, r->gathered[i].score);
	r->n_gathered = 0;
	for (unsigned i = 0; i < n; i++) {
		bool ok = r->gathered[i].rows > 0 ? rank_insert(r, r->gathered[i].score)
						  : rank_erase(r, r->gathered[i].score);

		assert(ok || r->gathered[i].rows > 0);
		done = done && ok;
	}
	return done;
}

bool rank_change(struct rank *r, uint64_t score, int rows)
{
	r->gathered[r->n_gathered++] = (struct gathered){ score, rows };
	return r->n_gathered < GATHER_MAX || rank_settle(r);
}
