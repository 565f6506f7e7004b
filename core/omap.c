#include "core/omap.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/omap_pool.h"

/*
 * Each map is a hash table, which answers for single keys, and a B+tree, which knows their order. Gets, puts
 * and deletes touch the hash table alone: one line of memory tells that a key is unknown, and most keys that
 * are looked up in an overlay are. Only a cursor needs the order, and most maps of an overlay never see one:
 * keys enter the tree when the next cursor moves, all that came since at once, sorted. omap_each() sorts
 * without the tree.
 *
 * A node of the tree keeps, beside pointers to its keys, their heads: the 8 bytes after those
 * that all keys of the node have in common (`skip` of them, copied to `common`), big-endian and padded
 * with zeros. Comparing heads decides nearly every search, so a descent touches key bytes only where it
 * ends. `skip` grows when heads are equal and shrinks when a key arrives that differs earlier.
 *
 * Keys of inner nodes are the entries themselves (the first of the child to their right): entries live
 * until the reset.
 */
enum { FANOUT = 64, COMMON_MAX = 44, HEIGHT_MAX = 12 };

struct omap_entry {
	void *value; /* NULL when it is empty or there is none */
	uint32_t value_len;
	uint16_t key_len;
	uint8_t found; /* enum omap_found */
	bool fresh;    /* of a strict map: absent below */
	uint8_t key[];
};

struct omap_node {
	uint16_t n;
	uint16_t skip;
	uint8_t common[COMMON_MAX];
	struct omap_node *prev, *next; /* of leaves */
	uint64_t head[FANOUT];
	struct omap_entry *entry[FANOUT];
};

/* child[i] holds keys from entry[i - 1] to before entry[i]. */
struct inner {
	struct omap_node node;
	struct omap_node *child[FANOUT + 1];
};

/* A slot of the hash table: the entry's address, below 16 bits of the hash that spare most looks at entries
 * of other keys. 0: empty. */
enum { SLOTS_FIRST = 64, TAG_SHIFT = 48, LINE = 64 };

struct omap {
	uint64_t *slots; /* n_slots, a power of two, at most half of them in use */
	size_t n_slots;
	struct omap_entry **all; /* rows of n_slots / 2, in order of arrival */
	size_t ordered;          /* how many of `all` are in the tree */
	struct omap_node *root;
	unsigned height; /* inner nodes above a leaf */
	bool strict;
	uint64_t rows;
	uint64_t generation; /* counts keys that appeared */
};

/* One put or delete: what was there before. */
struct change {
	struct omap_entry *entry;
	void *value;
	uint32_t value_len;
	uint16_t map;
	uint8_t found;
	uint8_t fresh : 1;
	uint8_t deletes : 1;
};

struct omaps {
	struct pool pool;
	struct change *changes;
	size_t n_changes, cap_changes;
	uint64_t rows;
	unsigned n_maps;
	struct omap maps[];
};

/* The way down to a leaf, for splits. */
struct path {
	struct inner *node[HEIGHT_MAX];
	unsigned at[HEIGHT_MAX];
	unsigned n;
	struct omap_node *leaf;
	unsigned leaf_at;
};

struct omaps *omaps_new(unsigned n_maps)
{
	struct omaps *o = calloc(1, sizeof(*o) + n_maps * sizeof(o->maps[0]));

	if (!o)
		return NULL;
	pool_init(&o->pool);
	o->n_maps = n_maps;
	return o;
}

void omaps_free(struct omaps *o)
{
	if (!o)
		return;
	for (unsigned i = 0; i < o->n_maps; i++) {
		free(o->maps[i].slots);
		free(o->maps[i].all);
	}
	pool_free(&o->pool);
	free(o->changes);
	free(o);
}

static void map_forget(struct omap *m)
{
	if (m->rows > 0)
		memset(m->slots, 0, m->n_slots * sizeof(*m->slots));
	*m = (struct omap){ .slots = m->slots,
			    .n_slots = m->n_slots,
			    .all = m->all,
			    .strict = m->strict,
			    .generation = m->generation + 1 };
}

void omaps_reset(struct omaps *o)
{
	pool_reset(&o->pool);
	o->n_changes = 0;
	o->rows = 0;
	for (unsigned i = 0; i < o->n_maps; i++)
		map_forget(&o->maps[i]);
}

void omap_clear(struct omaps *o, unsigned map)
{
	assert(map < o->n_maps && o->n_changes == 0);
	o->rows -= o->maps[map].rows;
	map_forget(&o->maps[map]);
}

void omap_make_strict(struct omaps *o, unsigned map)
{
	assert(map < o->n_maps && o->maps[map].rows == 0);
	o->maps[map].strict = true;
}

uint64_t omaps_rows(const struct omaps *o)
{
	return o->rows;
}

uint64_t omap_rows(const struct omaps *o, unsigned map)
{
	assert(map < o->n_maps);
	return o->maps[map].rows;
}

uint64_t omaps_bytes(const struct omaps *o)
{
	/* a row has two to four slots and one or two places in `all` */
	return o->pool.bytes + o->rows * (3 * sizeof(uint64_t) + sizeof(struct omap_entry *) * 3 / 2);
}

static struct slice entry_key(const struct omap_entry *e)
{
	return slice_of(e->key, e->key_len);
}

static enum omap_found entry_value(const struct omap_entry *e, struct slice *ret)
{
	if (e->found == OMAP_VALUE)
		*ret = slice_of(e->value ? e->value : "", e->value_len);
	return e->found;
}

/* Single keys. */

static uint64_t hash_of(struct slice key)
{
	return XXH3_64bits(key.base, key.len);
}

static struct omap_entry *slot_entry(uint64_t slot)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): a slot is a tag and a pointer in one word */
	return (struct omap_entry *)(uintptr_t)(slot & ((UINT64_C(1) << TAG_SHIFT) - 1));
}

/* The entry of the key, or NULL, and then *ret_at is the empty slot where it belongs. */
static struct omap_entry *hash_find(const struct omap *m, struct slice key, uint64_t h, size_t *ret_at)
{
	size_t at = h & (m->n_slots - 1);

	for (; m->slots[at] != 0; at = (at + 1) & (m->n_slots - 1)) {
		struct omap_entry *e = slot_entry(m->slots[at]);

		if (m->slots[at] >> TAG_SHIFT == h >> TAG_SHIFT && slice_eq(entry_key(e), key))
			return e;
	}
	*ret_at = at;
	return NULL;
}

static void hash_add(struct omap *m, struct omap_entry *e, uint64_t h, size_t at)
{
	assert((uintptr_t)e >> TAG_SHIFT == 0);
	m->slots[at] = h >> TAG_SHIFT << TAG_SHIFT | (uintptr_t)e;
}

/* Room for one more key. */
static bool hash_room(struct omap *m)
{
	size_t n = m->n_slots ? 2 * m->n_slots : SLOTS_FIRST, at;
	struct omap_entry **all;
	uint64_t *slots;

	if (m->rows < m->n_slots / 2)
		return true;
	all = realloc(m->all, n / 2 * sizeof(struct omap_entry *));
	if (!all)
		return false;
	m->all = all;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return false;
	free(m->slots);
	m->slots = slots;
	m->n_slots = n;
	for (uint64_t i = 0; i < m->rows; i++) {
		struct slice key = entry_key(m->all[i]);
		uint64_t h = hash_of(key);

		hash_find(m, key, h, &at);
		hash_add(m, m->all[i], h, at);
	}
	return true;
}

enum omap_found omap_get(const struct omaps *o, unsigned map, struct slice key, struct slice *ret)
{
	const struct omap *m = &o->maps[map];
	const struct omap_entry *e;
	size_t at;

	assert(map < o->n_maps);
	if (m->rows == 0)
		return OMAP_NOTHING;
	e = hash_find(m, key, hash_of(key), &at);
	return e ? entry_value(e, ret) : OMAP_NOTHING;
}

void omap_probe_start(struct omap_probe *p, const struct omaps *o, unsigned map, struct slice key)
{
	const struct omap *m = &o->maps[map];

	assert(map < o->n_maps);
	*p = (struct omap_probe){ .map = m->rows > 0 ? m : NULL };
	if (p->map) {
		p->hash = hash_of(key);
		__builtin_prefetch(&m->slots[p->hash & (m->n_slots - 1)], 1);
	}
}

bool omap_probe_step(struct omap_probe *p)
{
	const struct omap *m = p->map;
	size_t at;

	if (p->entry && p->entry->value) {
		__builtin_prefetch(p->entry->value);
		__builtin_prefetch((const char *)p->entry->value + LINE);
	}
	p->map = NULL;
	if (!m || p->entry)
		return false;
	/* other entries than the key's are hardly ever tagged alike */
	for (at = p->hash & (m->n_slots - 1); m->slots[at] != 0; at = (at + 1) & (m->n_slots - 1)) {
		if (m->slots[at] >> TAG_SHIFT != p->hash >> TAG_SHIFT)
			continue;
		p->map = m;
		p->entry = slot_entry(m->slots[at]);
		__builtin_prefetch(p->entry, 1);
		break;
	}
	return p->map != NULL;
}

/* Searching the tree. */

static uint64_t head_of(struct slice key, size_t skip)
{
	uint64_t head = 0;
	size_t left = key.len > skip ? key.len - skip : 0;

	if (left >= 8)
		memcpy(&head, (const uint8_t *)key.base + skip, 8);
	else if (left > 0)
		memcpy(&head, (const uint8_t *)key.base + skip, left);
	return be64toh(head);
}

static int cmp_common(const struct omap_node *n, struct slice key)
{
	size_t len = key.len < n->skip ? key.len : n->skip;
	int c = len ? memcmp(key.base, n->common, len) : 0;

	return c ? c : -(key.len < n->skip);
}

/* How many heads are below h. Without branches to mispredict. */
static unsigned heads_below(const uint64_t *head, unsigned n, uint64_t h)
{
	const uint64_t *at = head;

	if (n == 0)
		return 0;
	while (n > 1) {
		unsigned half = n / 2;

		at += half * (at[half - 1] < h);
		n -= half;
	}
	return (unsigned)(at - head) + (*at < h);
}

/* Among equal heads from `at` on, by whole keys. */
static unsigned search_ties(const struct omap_node *n, unsigned at, uint64_t h, struct slice key, bool *ret_exact)
{
	unsigned lo = at, hi = at + 1;

	while (hi < n->n && n->head[hi] == h)
		hi++;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		int c = slice_cmp(entry_key(n->entry[mid]), key);

		if (c == 0)
			*ret_exact = true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* How many keys of the node are below `key`; *ret_exact: the next is equal. */
static unsigned node_search(const struct omap_node *n, struct slice key, bool *ret_exact)
{
	uint64_t h;
	unsigned at;

	*ret_exact = false;
	if (n->skip > 0) {
		int c = cmp_common(n, key);

		if (c != 0)
			return c < 0 ? 0 : n->n;
	}
	h = head_of(key, n->skip);
	at = heads_below(n->head, n->n, h);
	if (at == n->n || n->head[at] != h)
		return at;
	return search_ties(n, at, h, key, ret_exact);
}

/* A search reads a few lines of memory here and there, each waiting for the one before; fetching all
 * heads takes about as long as fetching one. */
static void fetch_heads(const struct omap_node *n)
{
	__builtin_prefetch(n);
	for (unsigned i = 0; i < FANOUT; i += 8)
		__builtin_prefetch(&n->head[i]);
}

static void fetch_slots(const struct omap_node *n)
{
	fetch_heads(n);
	for (unsigned i = 0; i < FANOUT; i += 8)
		__builtin_prefetch(&n->entry[i], 1);
}

static const struct omap_node *find_leaf(const struct omap *m, struct slice key)
{
	const struct omap_node *n = m->root;

	for (unsigned h = m->height; h > 0; h--) {
		bool exact;
		unsigned at = node_search(n, key, &exact);

		n = ((const struct inner *)n)->child[at + exact];
	}
	return n;
}

/* Growing. */

static struct omap_node *node_new(struct omaps *o, bool leaf)
{
	size_t size = leaf ? sizeof(struct omap_node) : sizeof(struct inner);
	struct omap_node *n = pool_take(&o->pool, size, 64);

	if (n) {
		n->n = 0;
		n->skip = 0;
		n->prev = n->next = NULL;
	}
	return n;
}

static unsigned common_len(const uint8_t *a, const uint8_t *b, size_t max)
{
	unsigned n = 0;

	while (n < max && a[n] == b[n])
		n++;
	return n;
}

static void set_skip(struct omap_node *n, unsigned skip)
{
	n->skip = (uint16_t)skip;
	for (unsigned i = 0; i < n->n; i++)
		n->head[i] = head_of(entry_key(n->entry[i]), skip);
}

/* Makes sure that the key shares what the keys of the node have in common. */
static void admit(struct omap_node *n, struct slice key)
{
	if (n->skip > 0 && cmp_common(n, key) != 0)
		set_skip(n, common_len(n->common, key.base, key.len < n->skip ? key.len : n->skip));
}

/* For a node with equal heads: skips all that its keys have in common. */
static void sharpen(struct omap_node *n)
{
	const struct omap_entry *first = n->entry[0], *last = n->entry[n->n - 1];
	unsigned skip, max = COMMON_MAX;

	max = first->key_len < max ? first->key_len : max;
	max = last->key_len < max ? last->key_len : max;
	skip = common_len(first->key, last->key, max);
	if (skip <= n->skip)
		return;
	memcpy(n->common, first->key, skip);
	set_skip(n, skip);
}

static bool has_ties(const struct omap_node *n)
{
	for (unsigned i = 1; i < n->n; i++)
		if (n->head[i - 1] == n->head[i])
			return true;
	return false;
}

static void copy_skip(struct omap_node *to, const struct omap_node *from)
{
	to->skip = from->skip;
	memcpy(to->common, from->common, from->skip);
}

static void slot_insert(struct omap_node *n, unsigned at, struct omap_entry *e)
{
	size_t after = n->n - at;

	assert(n->n < FANOUT);
	admit(n, entry_key(e));
	memmove(&n->head[at + 1], &n->head[at], after * sizeof(n->head[0]));
	memmove(&n->entry[at + 1], &n->entry[at], after * sizeof(n->entry[0]));
	n->head[at] = head_of(entry_key(e), n->skip);
	n->entry[at] = e;
	n->n++;
	if ((at > 0 && n->head[at - 1] == n->head[at]) || (after > 0 && n->head[at + 1] == n->head[at]))
		sharpen(n);
}

static void move_slots(struct omap_node *to, struct omap_node *from, unsigned at)
{
	unsigned count = from->n - at;

	memcpy(to->head, &from->head[at], count * sizeof(to->head[0]));
	memcpy(to->entry, &from->entry[at], count * sizeof(to->entry[0]));
	to->n = (uint16_t)count;
	from->n = (uint16_t)at;
	copy_skip(to, from);
}

/* Half of a node has more in common than the whole. */
static void sharpen_half(struct omap_node *n)
{
	if (has_ties(n))
		sharpen(n);
}

/* Keys that only grow leave full leaves behind. */
static void leaf_split_insert(struct omap_node *leaf, unsigned at, struct omap_entry *e, struct omap_node *right)
{
	unsigned middle = !leaf->next && at == leaf->n ? leaf->n : leaf->n / 2;

	right->next = leaf->next;
	right->prev = leaf;
	if (right->next)
		right->next->prev = right;
	leaf->next = right;
	move_slots(right, leaf, middle);
	if (at >= middle && middle < FANOUT)
		slot_insert(right, at - middle, e);
	else if (middle == FANOUT)
		slot_insert(right, 0, e);
	else
		slot_insert(leaf, at, e);
	sharpen_half(leaf);
	sharpen_half(right);
}

static void child_insert(struct inner *in, unsigned at, struct omap_entry *key, struct omap_node *right)
{
	size_t after = in->node.n - at;

	memmove(&in->child[at + 2], &in->child[at + 1], after * sizeof(in->child[0]));
	in->child[at + 1] = right;
	slot_insert(&in->node, at, key);
}

/* Returns the key between the halves. */
static struct omap_entry *inner_split(struct inner *in, struct inner *right)
{
	unsigned middle = in->node.n / 2;
	struct omap_entry *between = in->node.entry[middle];

	move_slots(&right->node, &in->node, middle + 1);
	memcpy(right->child, &in->child[middle + 1], (right->node.n + 1u) * sizeof(right->child[0]));
	in->node.n = (uint16_t)middle;
	sharpen_half(&in->node);
	sharpen_half(&right->node);
	return between;
}

static void find_path(const struct omap *m, struct slice key, struct path *p, bool *ret_exact)
{
	struct omap_node *n = m->root;
	bool exact;

	p->n = m->height;
	for (unsigned h = m->height; h > 0; h--) {
		unsigned at = node_search(n, key, &exact) + exact;

		p->node[h - 1] = (struct inner *)n;
		p->at[h - 1] = at;
		n = p->node[h - 1]->child[at];
	}
	fetch_slots(n);
	p->leaf = n;
	p->leaf_at = node_search(n, key, ret_exact);
}

/* The nodes a split of the leaf needs, taken before anything changes: the leaf's, then those of full
 * inner nodes above it, then perhaps a root. */
struct fresh_nodes {
	struct omap_node *node[HEIGHT_MAX + 2];
	unsigned n, used;
};

static bool take_nodes(struct omaps *o, const struct path *p, struct fresh_nodes *f)
{
	unsigned h = 0;

	f->n = f->used = 0;
	if (p->leaf->n < FANOUT)
		return true;
	while (h < p->n && p->node[h]->node.n == FANOUT)
		h++;
	f->n = 1 + h + (h == p->n);
	for (unsigned i = 0; i < f->n; i++) {
		f->node[i] = node_new(o, i == 0);
		if (!f->node[i])
			return false;
	}
	return true;
}

static void grow_root(struct omap *m, struct inner *root, struct omap_entry *key, struct omap_node *right)
{
	assert(m->height + 1 < HEIGHT_MAX);
	root->child[0] = m->root;
	child_insert(root, 0, key, right);
	m->root = &root->node;
	m->height++;
}

/* Puts `key` and what lies right of it above the level just split, splitting further up as needed. */
static void insert_above(struct omap *m, struct path *p, struct fresh_nodes *f, struct omap_entry *key,
			 struct omap_node *right)
{
	for (unsigned h = 0; h < p->n; h++) {
		struct inner *in = p->node[h], *half;
		struct omap_entry *between;

		if (in->node.n < FANOUT) {
			child_insert(in, p->at[h], key, right);
			return;
		}
		half = (struct inner *)f->node[f->used++];
		between = inner_split(in, half);
		if (p->at[h] > in->node.n)
			child_insert(half, p->at[h] - in->node.n - 1, key, right);
		else
			child_insert(in, p->at[h], key, right);
		key = between;
		right = &half->node;
	}
	grow_root(m, (struct inner *)f->node[f->used++], key, right);
}

static struct omap_entry *entry_new(struct omaps *o, struct slice key)
{
	struct omap_entry *e = pool_take(&o->pool, sizeof(*e) + key.len, 8);

	if (!e)
		return NULL;
	*e = (struct omap_entry){ .key_len = (uint16_t)key.len };
	memcpy(e->key, key.base, key.len);
	return e;
}

/* Once: an entry that is in the tree stays where it is. */
static bool tree_insert(struct omaps *o, struct omap *m, struct omap_entry *e)
{
	struct fresh_nodes f;
	struct path p;
	bool exact;

	if (!m->root && !(m->root = node_new(o, true)))
		return false;
	find_path(m, entry_key(e), &p, &exact);
	if (exact)
		return true;
	if (!take_nodes(o, &p, &f))
		return false;
	if (f.n == 0) {
		slot_insert(p.leaf, p.leaf_at, e);
	} else {
		struct omap_node *right = f.node[f.used++];

		leaf_split_insert(p.leaf, p.leaf_at, e, right);
		insert_above(m, &p, &f, right->entry[0], right);
	}
	return true;
}

/* Order. */

struct ranked {
	uint64_t head[2]; /* the first bytes of the key */
	struct omap_entry *entry;
};

static int cmp_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	for (int i = 0; i < 2; i++)
		if (x->head[i] != y->head[i])
			return x->head[i] < y->head[i] ? -1 : 1;
	return slice_cmp(entry_key(x->entry), entry_key(y->entry));
}

enum { RADIX_LEAST = 256, RADIX = 256 };

static unsigned byte_of(const struct ranked *r, unsigned byte)
{
	return r->head[byte / 8] >> (56 - byte % 8 * 8) & 0xff;
}

/* One pass of a radix sort: from `r` to `to` by one byte of the heads; equal ones keep their order. */
static void scatter(const struct ranked *r, struct ranked *to, size_t n, unsigned byte)
{
	size_t at[RADIX] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		at[byte_of(&r[i], byte)]++;
	for (unsigned b = 0; b < RADIX; b++) {
		size_t count = at[b];

		at[b] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[at[byte_of(&r[i], byte)]++] = r[i];
}

/* Entries with equal heads, which stand together, by the rest of their keys. */
static void sort_ties(struct ranked *r, size_t n)
{
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && memcmp(r[to].head, r[from].head, sizeof(r->head)) == 0; to++)
			;
		if (to - from > 1)
			qsort(r + from, to - from, sizeof(*r), cmp_ranked);
	}
}

/*
 * Sorts by radix, byte by byte from the last, those bytes alone that are not the same in all keys: of numbers
 * in keys, a few. `spare` is as large as r. Returns whichever of the two holds the result.
 */
static struct ranked *sort_ranked(struct ranked *r, struct ranked *spare, size_t n)
{
	struct ranked differs = { { 0, 0 }, NULL };

	if (n < RADIX_LEAST) {
		qsort(r, n, sizeof(*r), cmp_ranked);
		return r;
	}
	for (size_t i = 1; i < n; i++)
		for (int h = 0; h < 2; h++)
			differs.head[h] |= r[i].head[h] ^ r[0].head[h];
	for (unsigned byte = sizeof(r->head); byte-- > 0;) {
		struct ranked *sorted = spare;

		if (byte_of(&differs, byte) == 0)
			continue;
		scatter(r, sorted, n, byte);
		spare = r;
		r = sorted;
	}
	sort_ties(r, n);
	return r;
}

/* The n entries that came last, in the order of their keys. Free *ret_memory. NULL: no memory. */
static struct ranked *rank_last(const struct omap *m, size_t n, void **ret_memory)
{
	struct ranked *r = malloc((2 * n + 1) * sizeof(*r));

	*ret_memory = r;
	if (!r)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct omap_entry *e = m->all[m->rows - n + i];

		/* entries lie one after the other as they came, but not those of one map */
		if (i + 16 < n)
			__builtin_prefetch(m->all[m->rows - n + i + 16]);
		r[i] = (struct ranked){ { head_of(entry_key(e), 0), head_of(entry_key(e), 8) }, e };
	}
	return sort_ranked(r, r + n, n);
}

/* Brings the tree up to date. False: no memory; what has got in stays. */
static bool order(struct omaps *o, struct omap *m)
{
	size_t n = m->rows - m->ordered;
	struct ranked *r;
	void *memory;
	bool ok = true;

	if (n == 0)
		return true;
	r = rank_last(m, n, &memory);
	if (!r)
		return false;
	for (size_t i = 0; i < n && ok; i++)
		ok = tree_insert(o, m, r[i].entry);
	free(memory);
	if (ok)
		m->ordered = m->rows;
	return ok;
}

int omap_each(const struct omaps *o, unsigned map, omap_each_fn *f, void *arg)
{
	const struct omap *m = &o->maps[map];
	void *memory;
	struct ranked *r = rank_last(m, m->rows, &memory);
	int rc = 0;

	if (!r)
		return OMAP_NO_MEMORY;
	for (size_t i = 0; i < m->rows && rc == 0; i++) {
		const struct omap_entry *e = r[i].entry;
		struct slice value = SLICE_NULL;

		/* entries and values lie as they came, not in this order */
		if (i + 16 < m->rows)
			__builtin_prefetch(r[i + 16].entry);
		if (i + 8 < m->rows)
			__builtin_prefetch(r[i + 8].entry->value);
		if (e->found != OMAP_NOTHING)
			rc = f(arg, entry_key(e), entry_value(e, &value), value);
	}
	free(memory);
	return rc;
}

/* Changing. */

/* The entry of a key, made (as "nothing") if absent. NULL: no memory. */
static struct omap_entry *entry_for(struct omaps *o, struct omap *m, struct slice key)
{
	uint64_t h = hash_of(key);
	struct omap_entry *e;
	size_t at;

	if (!hash_room(m))
		return NULL;
	e = hash_find(m, key, h, &at);
	if (e || !(e = entry_new(o, key)))
		return e;
	hash_add(m, e, h, at);
	m->all[m->rows++] = e;
	o->rows++;
	return e;
}

static bool journal_room(struct omaps *o)
{
	size_t cap = o->cap_changes ? o->cap_changes * 2 : 64;
	struct change *grown;

	if (o->n_changes < o->cap_changes)
		return true;
	grown = realloc(o->changes, cap * sizeof(*grown));
	if (!grown)
		return false;
	o->changes = grown;
	o->cap_changes = cap;
	return true;
}

static void remember(struct omaps *o, unsigned map, struct omap_entry *e, bool deletes)
{
	o->changes[o->n_changes++] = (struct change){
		.entry = e,
		.value = e->value,
		.value_len = e->value_len,
		.map = (uint16_t)map,
		.found = e->found,
		.fresh = e->fresh,
		.deletes = deletes,
	};
}

static void entry_set(struct omap *m, struct omap_entry *e, enum omap_found found, void *value, size_t len)
{
	if (e->found == OMAP_NOTHING)
		m->generation++;
	e->found = (uint8_t)found;
	e->value = value;
	e->value_len = (uint32_t)len;
}

bool omap_put(struct omaps *o, unsigned map, struct slice key, struct slice value)
{
	struct omap *m = &o->maps[map];
	struct omap_entry *e;
	void *blob = NULL;

	assert(map < o->n_maps && key.len <= UINT16_MAX && value.len <= UINT32_MAX);
	if (!journal_room(o))
		return false;
	if (value.len > 0) {
		blob = pool_blob(&o->pool, value.len);
		if (!blob)
			return false;
		memcpy(blob, value.base, value.len);
	}
	e = entry_for(o, m, key);
	if (!e) {
		if (blob)
			pool_blob_free(&o->pool, blob, value.len);
		return false;
	}
	remember(o, map, e, false);
	if (e->found == OMAP_NOTHING)
		e->fresh = m->strict;
	entry_set(m, e, OMAP_VALUE, blob, value.len);
	return true;
}

bool omap_del(struct omaps *o, unsigned map, struct slice key)
{
	struct omap *m = &o->maps[map];
	struct omap_entry *e;

	assert(map < o->n_maps && key.len <= UINT16_MAX);
	if (!journal_room(o))
		return false;
	e = entry_for(o, m, key);
	if (!e)
		return false;
	remember(o, map, e, true);
	entry_set(m, e, e->fresh ? OMAP_NOTHING : OMAP_DELETED, NULL, 0);
	return true;
}

void omaps_commit(struct omaps *o)
{
	for (size_t i = 0; i < o->n_changes; i++) {
		const struct change *c = &o->changes[i];

		if (c->value)
			pool_blob_free(&o->pool, c->value, c->value_len);
	}
	o->n_changes = 0;
}

void omaps_rollback(struct omaps *o)
{
	while (o->n_changes > 0) {
		const struct change *c = &o->changes[--o->n_changes];
		struct omap_entry *e = c->entry;

		if (e->value)
			pool_blob_free(&o->pool, e->value, e->value_len);
		entry_set(&o->maps[c->map], e, c->found, c->value, c->value_len);
		e->fresh = c->fresh;
	}
}

bool omaps_in_work(const struct omaps *o)
{
	return o->n_changes > 0;
}

void omaps_each_change(const struct omaps *o, omap_change_fn *f, void *arg)
{
	for (size_t i = 0; i < o->n_changes; i++) {
		const struct change *c = &o->changes[i];

		if (o->maps[c->map].strict)
			f(arg, c->map, entry_key(c->entry), c->deletes ? -1 : 1);
	}
}

/* Walking. */

void omap_cursor_init(struct omap_cursor *c, struct omaps *o, unsigned map)
{
	assert(map < o->n_maps);
	*c = (struct omap_cursor){ .maps = o, .map = map };
}

static struct omap *cursor_map(const struct omap_cursor *c)
{
	return &c->maps->maps[c->map];
}

/* Takes the slot the cursor stands on, or the next (the one before) that is something. */
static bool settle_next(struct omap_cursor *c)
{
	for (; c->leaf; c->leaf = c->leaf->next, c->at = 0)
		for (; c->at < c->leaf->n; c->at++)
			if (c->leaf->entry[c->at]->found != OMAP_NOTHING) {
				c->entry = c->leaf->entry[c->at];
				return true;
			}
	return false;
}

/* `at` is one past the first slot to look at. */
static bool settle_prev(struct omap_cursor *c)
{
	for (;;) {
		for (; c->at > 0; c->at--)
			if (c->leaf->entry[c->at - 1]->found != OMAP_NOTHING) {
				c->entry = c->leaf->entry[--c->at];
				return true;
			}
		c->leaf = c->leaf->prev;
		if (!c->leaf)
			return false;
		c->at = c->leaf->n;
	}
}

static bool cursor_ready(struct omap_cursor *c)
{
	struct omap *m = cursor_map(c);

	c->generation = m->generation;
	c->failed = !order(c->maps, m);
	return !c->failed && m->root;
}

/* Stands where `key` is or would be. */
static bool cursor_find(struct omap_cursor *c, struct slice key, bool *ret_exact)
{
	const struct omap *m = cursor_map(c);

	if (!cursor_ready(c))
		return false;
	c->leaf = find_leaf(m, key);
	c->at = node_search(c->leaf, key, ret_exact);
	return true;
}

bool omap_cursor_ge(struct omap_cursor *c, struct slice key)
{
	bool exact;

	return cursor_find(c, key, &exact) && settle_next(c);
}

bool omap_cursor_gt(struct omap_cursor *c, struct slice key)
{
	bool exact;

	if (!cursor_find(c, key, &exact))
		return false;
	c->at += exact;
	return settle_next(c);
}

bool omap_cursor_lt(struct omap_cursor *c, struct slice key)
{
	bool exact;

	return cursor_find(c, key, &exact) && settle_prev(c);
}

bool omap_cursor_last(struct omap_cursor *c)
{
	const struct omap *m = cursor_map(c);
	const struct omap_node *n;

	if (!cursor_ready(c))
		return false;
	n = m->root;
	for (unsigned h = m->height; h > 0; h--)
		n = ((const struct inner *)n)->child[n->n];
	c->leaf = n;
	c->at = n->n;
	return settle_prev(c);
}

bool omap_cursor_next(struct omap_cursor *c)
{
	if (omap_cursor_is_stale(c))
		return omap_cursor_gt(c, entry_key(c->entry));
	c->at++;
	return settle_next(c);
}

bool omap_cursor_prev(struct omap_cursor *c)
{
	if (omap_cursor_is_stale(c))
		return omap_cursor_lt(c, entry_key(c->entry));
	return settle_prev(c);
}

struct slice omap_cursor_key(const struct omap_cursor *c)
{
	return entry_key(c->entry);
}

enum omap_found omap_cursor_value(const struct omap_cursor *c, struct slice *ret)
{
	return entry_value(c->entry, ret);
}

bool omap_cursor_is_stale(const struct omap_cursor *c)
{
	return c->generation != cursor_map(c)->generation;
}
