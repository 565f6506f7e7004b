#include "projections/view_store_impl.h"

#include <endian.h>

/*
 * Reading the checkpoint's pages without LMDB.
 *
 * Looking up a random row of a large table is a dozen reads of memory far apart, each waiting for the one
 * before; a command waits longer for its rows than all the rest of it takes. The remedy is to search for
 * many rows side by side: each search in turn takes a step, asks for the memory of its next step, and lets
 * the others go on meanwhile. A look-up by LMDB cannot be stopped half-way, so the search is written here, on
 * the pages as LMDB 0.9 lays them out (data version 1, which its files state and views_open() checks).
 * Reading only, within a read transaction, so pages do not change. Where the layout is not known, LMDB is
 * asked; so it is for values on pages of their own.
 *
 * What was found is kept in a small memo, valid as long as the snapshot.
 */

/* Page: number (8 bytes), pad (2), flags (2), lower (2), upper (2), then offsets of nodes (2 each) up to
 * `lower`. Node: low and high half of the value's size (2 + 2), flags (2), key size (2), key, value; in a
 * branch the size and the flags are the page number of the child. */
enum {
	PAGE_FLAGS = 10,
	PAGE_LOWER = 12,
	PAGE_HEAD = 16,
	NODE_FLAGS = 4,
	NODE_KEY_SIZE = 6,
	NODE_HEAD = 8,
	IS_BRANCH = 1,
	IS_LEAF = 2,
	IS_PLAIN = 0, /* flags of a node whose value follows its key */
	META_MAGIC = 16,
	MAGIC = 0xBEEFC0DE,
	DATA_VERSION = 1,
	LINE = 64,
	SIDE_BY_SIDE = 32,
	DEPTH_MAX = 32,
	GUESSES = 4,
};

/* What LMDB keeps under a table's name. */
struct table_record {
	uint32_t pad;
	uint16_t flags;
	uint16_t depth;
	uint64_t pages[3];
	uint64_t entries;
	uint64_t root;
};

/*
 * One search. Within a page it guesses where the key is from how far it is between the nearest keys known
 * on both sides, at first those of the parent page: keys of real tables are even enough that one or two
 * guesses do instead of six or seven halvings. It halves all the same when guesses go wrong.
 */
struct walk {
	const struct state_key *what;
	const uint8_t *page;
	struct slice low, high;             /* keys around: low <= key < high; base NULL: not known */
	unsigned skip;                      /* bytes that low and high have in common */
	uint64_t low_head, head, high_head; /* 8 bytes after those, big-endian */
	unsigned lo, hi;                    /* between which nodes the key lies */
	unsigned at;                        /* the node looked at next */
	unsigned guesses;
	unsigned depth;
	bool branch;
	bool entered; /* the page is being searched */
	enum walk_found { WALKING, FOUND, ABSENT, UNKNOWN } found;
	struct slice value;
};

static uint16_t read_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t read_head(const uint8_t *key, size_t len)
{
	uint64_t head = 0;

	if (len >= sizeof(head))
		memcpy(&head, key, sizeof(head));
	else
		memcpy(&head, key, len);
	return be64toh(head);
}

/* Searching. */

static void turn_to(const struct views *v, struct walk *w, uint64_t number)
{
	if (number == 0 || number >= v->map_bytes / v->page_bytes || ++w->depth > DEPTH_MAX) {
		w->found = UNKNOWN;
		return;
	}
	w->page = v->map + number * v->page_bytes;
	w->entered = false;
	for (unsigned i = 0; i < 3; i++)
		__builtin_prefetch(w->page + i * LINE);
}

static uint64_t head_after(struct slice key, unsigned skip)
{
	return key.len > skip ? read_head((const uint8_t *)key.base + skip, key.len - skip) : 0;
}

static void choose(struct walk *w)
{
	double part;

	w->at = (w->lo + w->hi) / 2;
	if (!w->low.base || !w->high.base || w->high_head <= w->low_head || w->head < w->low_head ||
	    w->guesses++ >= GUESSES)
		return;
	part = (double)(w->head - w->low_head) / (double)(w->high_head - w->low_head);
	w->at = w->lo + (unsigned)(part * (w->hi - w->lo) + 1e-3);
	if (w->at >= w->hi)
		w->at = w->hi - 1;
}

static void know_bounds(struct walk *w)
{
	const uint8_t *low = w->low.base, *high = w->high.base;
	size_t max = w->low.len < w->high.len ? w->low.len : w->high.len;

	w->skip = 0;
	while (low && high && w->skip < max && low[w->skip] == high[w->skip])
		w->skip++;
	w->low_head = head_after(w->low, w->skip);
	w->high_head = head_after(w->high, w->skip);
	w->head = head_after(w->what->key, w->skip);
}

/* The first key of a branch counts as below all others. */
static void enter(const struct views *v, struct walk *w)
{
	unsigned flags = read_u16(w->page + PAGE_FLAGS), lower = read_u16(w->page + PAGE_LOWER);

	w->branch = flags == IS_BRANCH;
	w->lo = w->branch;
	w->hi = (lower - PAGE_HEAD) / 2;
	w->entered = true;
	w->guesses = 0;
	if ((flags != IS_BRANCH && flags != IS_LEAF) || lower <= PAGE_HEAD || lower > v->page_bytes)
		w->found = UNKNOWN;
	else
		know_bounds(w);
}

/* Node i; NULL, and the search is over, if it would lie outside of its page. */
static const uint8_t *node_at(const struct views *v, struct walk *w, unsigned i, size_t *ret_key_len)
{
	unsigned offset = read_u16(w->page + PAGE_HEAD + 2 * i);
	const uint8_t *node = w->page + offset;

	if (offset + NODE_HEAD <= v->page_bytes) {
		*ret_key_len = read_u16(node + NODE_KEY_SIZE);
		if (offset + NODE_HEAD + *ret_key_len <= v->page_bytes)
			return node;
	}
	w->found = UNKNOWN;
	return NULL;
}

static void take_value(const struct views *v, struct walk *w, const uint8_t *node, size_t key_len)
{
	size_t len = read_u16(node) | (size_t)read_u16(node + 2) << 16;
	const uint8_t *value = node + NODE_HEAD + key_len;

	w->found = UNKNOWN;
	if (read_u16(node + NODE_FLAGS) == IS_PLAIN && (size_t)(value - w->page) + len <= v->page_bytes) {
		__builtin_prefetch(value + len);
		w->value = slice_of(value, len);
		w->found = FOUND;
	}
}

static void compare(const struct views *v, struct walk *w)
{
	size_t key_len;
	const uint8_t *node = node_at(v, w, w->at, &key_len);
	struct slice key;
	uint64_t head;
	int c;

	if (!node)
		return;
	key = slice_of(node + NODE_HEAD, key_len);
	head = head_after(key, w->skip);
	/* keys of a page share what those around it do: the bytes behind decide, mostly */
	c = head != w->head ? (head < w->head ? -1 : 1) : slice_cmp(key, w->what->key);
	if (c == 0 && !w->branch) {
		take_value(v, w, node, key_len);
	} else if (c <= 0) {
		w->lo = w->at + 1;
		w->low = key;
		w->low_head = head;
	} else {
		w->hi = w->at;
		w->high = key;
		w->high_head = head;
	}
}

/* Down to the child whose first key is the last that is not above ours. */
static void descend(const struct views *v, struct walk *w)
{
	size_t key_len;
	const uint8_t *node = node_at(v, w, w->lo - 1, &key_len);

	if (node)
		turn_to(v, w,
			read_u16(node) | (uint64_t)read_u16(node + 2) << 16 |
				(uint64_t)read_u16(node + NODE_FLAGS) << 32);
}

/* Chooses the next node and asks for its key. */
static void fetch_next(struct walk *w)
{
	const uint8_t *node;

	choose(w);
	node = w->page + read_u16(w->page + PAGE_HEAD + 2 * w->at);
	__builtin_prefetch(node);
	__builtin_prefetch(node + NODE_HEAD + 15);
}

/* Reads what the step before asked for. A root stays in the cache; it is searched in one go. */
static void walk_step(const struct views *v, struct walk *w)
{
	if (!w->entered)
		enter(v, w);
	else
		compare(v, w);
	while (w->depth == 1 && w->lo < w->hi && w->found == WALKING) {
		choose(w);
		compare(v, w);
	}
	if (w->found != WALKING)
		return;
	if (w->lo < w->hi)
		fetch_next(w);
	else if (w->branch)
		descend(v, w);
	else
		w->found = ABSENT;
}

static void walk_start(const struct view_store *vs, struct walk *w, const struct state_key *what)
{
	*w = (struct walk){ .what = what };
	if (vs->views->map)
		turn_to(vs->views, w, vs->t[what->table].root);
	else
		w->found = UNKNOWN;
}

/* The memo. */

static struct view_memo *memo_of(struct view_store *vs, const struct state_key *what)
{
	const uint8_t *key = what->key.base;
	size_t len = what->key.len;
	uint64_t last = len > 8 ? read_head(key + len - 8, 8) : 0;
	uint64_t h = (read_head(key, len) + what->table) * 0x9E3779B97F4A7C15 ^ last * 0xC2B2AE3D27D4EB4F;

	return &vs->memo[(h ^ h >> 32) * 0x9E3779B97F4A7C15 >> (64 - VIEW_MEMO_BITS)];
}

static void memo_keep(struct view_store *vs, const struct walk *w)
{
	struct view_memo *m = memo_of(vs, w->what);

	if (w->found == UNKNOWN || w->what->key.len > sizeof(m->key))
		return;
	m->epoch = vs->epoch;
	m->table = w->what->table;
	m->key_len = (uint32_t)w->what->key.len;
	memcpy(m->key, w->what->key.base, w->what->key.len);
	m->value = w->found == FOUND ? w->value : SLICE_NULL;
}

static bool memo_has(const struct view_store *vs, const struct view_memo *m, const struct state_key *what)
{
	return m->epoch == vs->epoch && m->table == what->table && slice_eq(slice_of(m->key, m->key_len), what->key);
}

/* Asking. */

/* All searches for one key. */
struct search {
	struct omap_probe active, frozen;
	struct walk disk;
};

static void search_start(struct view_store *vs, struct search *s, const struct state_key *what)
{
	omap_probe_start(&s->active, vs->active, what->table, what->key);
	s->frozen = (struct omap_probe){ .map = NULL };
	if (vs->frozen && !what->blind)
		omap_probe_start(&s->frozen, vs->frozen, what->table, what->key);
	walk_start(vs, &s->disk, what);
	if (what->blind)
		s->disk.found = UNKNOWN;
}

static bool search_step(struct view_store *vs, struct search *s)
{
	bool active = omap_probe_step(&s->active);
	bool frozen = omap_probe_step(&s->frozen);

	if (s->disk.found == WALKING)
		walk_step(vs->views, &s->disk);
	return active || frozen || s->disk.found == WALKING;
}

void view_prefetch(struct state *s, const struct state_key *keys, size_t n)
{
	struct view_store *vs = view_store_of(s);
	struct search searches[SIDE_BY_SIDE];
	unsigned n_now = 0;

	for (size_t next = 0; next < n || n_now > 0;) {
		while (next < n && n_now < SIDE_BY_SIDE)
			search_start(vs, &searches[n_now++], &keys[next++]);
		for (unsigned i = 0; i < n_now;) {
			if (search_step(vs, &searches[i])) {
				i++;
				continue;
			}
			memo_keep(vs, &searches[i].disk);
			searches[i] = searches[--n_now];
		}
	}
}

static bool ask_lmdb(struct view_store *vs, unsigned table, struct slice key, struct slice *ret)
{
	MDB_val k = view_val(key), v;
	int rc = mdb_get(vs->txn, vs->t[table].dbi, &k, &v);

	if (rc == 0)
		*ret = slice_of(v.mv_data, v.mv_size);
	else if (rc != MDB_NOTFOUND)
		state_fail(&vs->state, E_INTERNAL, "views: reading %s: %s", vs->tables[table].name, mdb_strerror(rc));
	return rc == 0;
}

bool view_disk_get(struct view_store *vs, unsigned table, struct slice key, struct slice *ret)
{
	const struct state_key what = { table, key, false };
	const struct view_memo *m = memo_of(vs, &what);
	struct walk w;

	if (memo_has(vs, m, &what)) {
		*ret = m->value;
		return m->value.base != NULL;
	}
	walk_start(vs, &w, &what);
	while (w.found == WALKING)
		walk_step(vs->views, &w);
	if (w.found == FOUND)
		*ret = w.value;
	return w.found == UNKNOWN ? ask_lmdb(vs, table, key, ret) : w.found == FOUND;
}

/* Where things are. */

void views_find_map(struct views *v, const void *record)
{
	const uint8_t *page = (const uint8_t *)record - (uintptr_t)record % v->page_bytes;
	uint32_t meta[2];
	uint64_t number;
	int major, minor;

	mdb_version(&major, &minor, NULL);
	memcpy(&number, page, sizeof(number));
	if (BYTE_ORDER != LITTLE_ENDIAN || major != 0 || minor != 9 || number >= v->map_bytes / v->page_bytes)
		return;
	page -= number * v->page_bytes;
	memcpy(meta, page + META_MAGIC, sizeof(meta));
	if (meta[0] == MAGIC && meta[1] == DATA_VERSION)
		v->map = page;
}

static uint64_t root_of(struct view_store *vs, unsigned table)
{
	struct table_record record;
	char name[VIEW_NAME_MAX];
	MDB_val key, value;

	view_disk_name(name, &vs->tables[table], vs->t[table].generation);
	key = view_val(slice_str(name));
	if (mdb_get(vs->txn, vs->views->names, &key, &value) != 0 || value.mv_size != sizeof(record))
		return 0;
	memcpy(&record, value.mv_data, sizeof(record));
	return record.flags == 0 ? record.root : 0;
}

void view_find_roots(struct view_store *vs)
{
	for (unsigned i = 0; i < vs->n_tables && vs->views->map; i++)
		vs->t[i].root = root_of(vs, i);
}
