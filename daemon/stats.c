#include "daemon/stats.h"

#include <stdio.h>
#include <stdlib.h>

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

struct stats {
	struct method_stats methods[N_METHODS];
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
	uint32_t n = 0;

	for (unsigned id = 0; id < N_METHODS; id++) {
		const struct method_stats *m = &s->methods[id];
		struct map_writer w;

		if (m->count == 0 || m->examined == 0)
			continue;
		map_open(&w, out);
		map_str(&w, "method", method_defs[id].name);
		map_str(&w, "kind", method_defs[id].kind);
		map_uint(&w, "count", m->count);
		map_uint(&w, "examined", m->examined);
		map_uint(&w, "returned", m->returned);
		map_close(&w);
		n++;
	}
	array_close(out, head, n);
}

uint64_t stats_total_calls(const struct stats *s)
{
	return s->total;
}
