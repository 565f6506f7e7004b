#include "daemon/slowlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "daemon/clock.h"

enum { SLOW_KEPT = 1000, SLOW_DEFAULT_US = 10000 };

struct slow_call {
	enum method_id id;
	int64_t at, took_ns;
	uint64_t digest; /* of the params as sent: tells equal calls from different ones, without keeping what they say
			  */
	uint64_t examined, returned;
	const char *index;
};

/* Entry number n (from 1) lies in slot (n - 1) % SLOW_KEPT. */
struct slowlog {
	struct slow_call ring[SLOW_KEPT];
	uint64_t last;    /* number of the latest entry */
	uint64_t cleared; /* entries up to this number are gone */
	int64_t threshold_us;
};

struct slowlog *slowlog_new(void)
{
	struct slowlog *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->threshold_us = SLOW_DEFAULT_US;
	return s;
}

void slowlog_free(struct slowlog *s)
{
	free(s);
}

void slowlog_call(struct slowlog *s, const struct call *c, int64_t took_ns)
{
	if (took_ns < s->threshold_us * 1000 || c->id == N_METHODS)
		return;
	s->ring[s->last++ % SLOW_KEPT] = (struct slow_call){ .id = c->id,
							     .at = clock_ms(),
							     .took_ns = took_ns,
							     .digest = XXH3_64bits(c->params.base, c->params.len),
							     .examined = c->examined,
							     .returned = c->returned,
							     .index = c->index };
}

int64_t slowlog_threshold_us(const struct slowlog *s)
{
	return s->threshold_us;
}

void slowlog_set_threshold_us(struct slowlog *s, int64_t us)
{
	s->threshold_us = us;
}

void slowlog_clear(struct slowlog *s)
{
	s->cleared = s->last;
}

static void show(const struct slow_call *e, struct buf *out)
{
	const struct method_def *def = &method_defs[e->id];
	struct map_writer w;
	char digest[17];

	snprintf(digest, sizeof(digest), "%016" PRIx64, e->digest);
	map_open(&w, out);
	map_int(&w, "at", e->at);
	map_str(&w, "method", def->name);
	map_str(&w, "kind", def->kind);
	map_str(&w, "params_digest", digest);
	map_int(&w, "time_us", e->took_ns / 1000);
	map_uint(&w, "examined", e->examined);
	map_uint(&w, "returned", e->returned);
	map_str(&w, "index", e->index);
	map_close(&w);
}

uint64_t slowlog_show(const struct slowlog *s, uint64_t before, int64_t limit, struct buf *out)
{
	uint64_t oldest = s->last > SLOW_KEPT ? s->last - SLOW_KEPT + 1 : 1;
	uint64_t n = before == 0 || before > s->last ? s->last : before - 1;
	size_t head = array_open(out);
	uint32_t shown = 0;

	if (oldest <= s->cleared)
		oldest = s->cleared + 1;
	for (; n >= oldest && shown < limit; n--, shown++)
		show(&s->ring[(n - 1) % SLOW_KEPT], out);
	array_close(out, head, shown);
	return n >= oldest ? n + 1 : 0;
}
