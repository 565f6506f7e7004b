#include "daemon/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* Times fall into buckets of an eighth of a power of two: 3 bits behind the leading one. */
enum { SUB_BITS = 3, BUCKETS = 64 << SUB_BITS };

struct method_stats {
	uint64_t count;
	uint64_t errors[E_COUNT];
	uint64_t later; /* answered by a worker: time until it was handed over */
	int64_t sum_ns, max_ns;
	uint64_t examined, returned;
	uint32_t buckets[BUCKETS];
};

/* Lists with the same method, filters and sort. Those beyond the table's size are counted by their method only. */
enum { LISTS_MAX = 512, LIST_PARAMS_MAX = 16, LIST_FILTERS_MAX = 160 };
struct list_stats {
	uint64_t hash; /* 0: free */
	enum method_id id;
	char filters[LIST_FILTERS_MAX]; /* names with commas between, in byte order */
	char sort[32];
	const char *index;
	uint64_t count, examined, returned;
};

struct stats {
	struct method_stats methods[N_METHODS];
	struct list_stats lists[LISTS_MAX];
	unsigned n_lists;
	uint64_t unknown; /* calls of methods that do not exist */
	uint64_t total;
};

struct stats *stats_new(void)
{
	return calloc(1, sizeof(struct stats));
}

void stats_free(struct stats *s)
{
	free(s);
}

void stats_reset(struct stats *s)
{
	memset(s, 0, sizeof(*s));
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned top;

	if (ns < 1u << SUB_BITS)
		return (unsigned)ns;
	top = 63 - (unsigned)__builtin_clzll(ns);
	return ((top - SUB_BITS + 1) << SUB_BITS) + (unsigned)(ns >> (top - SUB_BITS) & ((1u << SUB_BITS) - 1));
}

static double bucket_us(unsigned b)
{
	unsigned top = b >> SUB_BITS, sub = b & ((1u << SUB_BITS) - 1);

	if (top == 0)
		return (double)b / 1000.0;
	return (double)(((UINT64_C(1) << SUB_BITS) + sub) << (top - 1)) / 1000.0;
}

static double quantile_us(const struct method_stats *m, double q)
{
	uint64_t want = (uint64_t)((double)m->count * q), seen = 0;

	for (unsigned b = 0; b < BUCKETS; b++) {
		seen += m->buckets[b];
		if (seen > want)
			return bucket_us(b);
	}
	return (double)m->max_ns / 1000.0;
}

/* ---- lists by what they were asked ---- */

/* Params that neither filter nor sort. */
static bool is_plain_param(struct slice name)
{
	static const char *const plain[] = { "limit", "after", "order", "include", "kind", "min_seq", "wait_ms" };

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (slice_is(name, plain[i]))
			return true;
	return false;
}

static int by_bytes(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* The call's filters, sorted, and its sort. */
static size_t list_shape(struct slice params, struct slice filters[LIST_PARAMS_MAX], struct slice *ret_sort)
{
	struct mp m = mp_of(params);
	struct slice name;
	size_t n_filters = 0;
	uint32_t n;

	*ret_sort = SLICE_LIT("");
	if (mp_peek(&m) != MP_MAP || !mp_map(&m, &n))
		return 0;
	while (n-- > 0 && mp_str(&m, &name)) {
		if (slice_is(name, "sort") && mp_peek(&m) == MP_STR) {
			mp_str(&m, ret_sort);
			continue;
		}
		if (mp_peek(&m) != MP_NIL && !is_plain_param(name) && n_filters < LIST_PARAMS_MAX)
			filters[n_filters++] = name;
		if (!mp_skip(&m, MP_SCAN_DEPTH))
			break;
	}
	qsort(filters, n_filters, sizeof(filters[0]), by_bytes);
	return n_filters;
}

static struct list_stats *find_list(struct stats *s, const struct call *c)
{
	struct slice filters[LIST_PARAMS_MAX], sort;
	size_t n = list_shape(c->params, filters, &sort), len = 0;
	struct list_stats shape = { .id = c->id, .index = c->index };
	unsigned slot;

	for (size_t i = 0; i < n && len < sizeof(shape.filters); i++)
		len += (size_t)snprintf(shape.filters + len, sizeof(shape.filters) - len, "%s%.*s", i ? "," : "",
					SLICE_FMT(filters[i]));
	snprintf(shape.sort, sizeof(shape.sort), "%.*s", SLICE_FMT(sort));
	shape.hash = XXH3_64bits(shape.filters, strlen(shape.filters)) ^
		     XXH3_64bits_withSeed(shape.sort, strlen(shape.sort), (uint64_t)c->id + 1);
	shape.hash += shape.hash == 0;
	for (slot = (unsigned)(shape.hash % LISTS_MAX); s->lists[slot].hash != 0; slot = (slot + 1) % LISTS_MAX)
		if (s->lists[slot].hash == shape.hash)
			return &s->lists[slot];
	if (s->n_lists >= LISTS_MAX / 2)
		return NULL;
	s->n_lists++;
	s->lists[slot] = shape;
	return &s->lists[slot];
}

static void count_list(struct stats *s, const struct call *c)
{
	struct list_stats *l = find_list(s, c);

	if (l == NULL)
		return;
	l->count++;
	l->examined += c->examined;
	l->returned += c->returned;
}

void stats_call(struct stats *s, const struct call *c, int rc, int64_t took_ns)
{
	struct method_stats *m;

	s->total++;
	if (c->id == N_METHODS) {
		s->unknown++;
		return;
	}
	m = &s->methods[c->id];
	m->count++;
	if (rc > 0 && rc < E_COUNT)
		m->errors[rc]++;
	m->later += rc == CALL_LATER;
	m->sum_ns += took_ns;
	if (took_ns > m->max_ns)
		m->max_ns = took_ns;
	m->buckets[bucket_of((uint64_t)took_ns)]++;
	m->examined += c->examined;
	m->returned += c->returned;
	if (rc == 0 && c->index != NULL)
		count_list(s, c);
}

static void show_errors(const struct method_stats *m, struct buf *out)
{
	struct map_writer w;

	map_open(&w, out);
	for (int i = 1; i < E_COUNT; i++)
		if (m->errors[i] != 0)
			map_uint(&w, err_name((enum err_code)i), m->errors[i]);
	map_close(&w);
}

static void show_method(const struct stats *s, enum method_id id, struct map_writer *list)
{
	const struct method_stats *m = &s->methods[id];
	const struct method_def *def = &method_defs[id];
	struct map_writer w;
	char name[128];

	snprintf(name, sizeof(name), "%s%s%s", def->name, def->kind ? " " : "", def->kind ? def->kind : "");
	map_open(&w, map_key(list, name));
	map_uint(&w, "count", m->count);
	show_errors(m, map_key(&w, "errors"));
	map_float(&w, "total_us", (double)m->sum_ns / 1000.0);
	map_float(&w, "mean_us", (double)m->sum_ns / 1000.0 / (double)m->count);
	map_float(&w, "max_us", (double)m->max_ns / 1000.0);
	map_float(&w, "p50_us", quantile_us(m, 0.50));
	map_float(&w, "p99_us", quantile_us(m, 0.99));
	map_uint(&w, "returned", m->returned);
	map_close(&w);
}

void stats_show_calls(const struct stats *s, struct buf *out)
{
	struct map_writer w;

	map_open(&w, out);
	for (unsigned id = 0; id < N_METHODS; id++)
		if (s->methods[id].count > 0)
			show_method(s, (enum method_id)id, &w);
	map_close(&w);
}

void stats_show_lists(const struct stats *s, struct buf *out)
{
	size_t head = array_open(out);

	for (unsigned i = 0; i < LISTS_MAX; i++) {
		const struct list_stats *l = &s->lists[i];
		struct map_writer w;

		if (l->hash == 0)
			continue;
		map_open(&w, out);
		map_str(&w, "method", method_defs[l->id].name);
		map_str(&w, "kind", method_defs[l->id].kind);
		map_str(&w, "filters", l->filters);
		map_str(&w, "sort", l->sort[0] ? l->sort : NULL);
		map_str(&w, "index", l->index);
		map_uint(&w, "count", l->count);
		map_uint(&w, "examined", l->examined);
		map_uint(&w, "returned", l->returned);
		map_close(&w);
	}
	array_close(out, head, s->n_lists);
}

uint64_t stats_total_calls(const struct stats *s)
{
	return s->total;
}
