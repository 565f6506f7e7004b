#ifndef DIANA_BENCH_REPORT_H
#define DIANA_BENCH_REPORT_H

#include <stdio.h>

#include "figures.h"

struct scenario {
	const char *name;
	const char *theirs; /* what Redis is asked */
	enum op op;
	uint32_t connections;
	uint32_t depth;
	unsigned rounds; /* the servers take turns so many times */
	/* Before what counts; 0: a moment. After a million users were loaded in the order of their numbers awards come
	 * in another order, and for some seconds pages are taken into use that the days after only use again. */
	double warmup;
	double seconds;      /* per server, all rounds together */
	double target;       /* ours / theirs at least; 0: none */
	double floor_target; /* median / median of the bare commit at most; 0: floor not measured */
	struct measure diana;
	struct measure redis;
	struct measure floor;
};

/* What is measured once. 0: not measured. */
struct totals {
	uint32_t users;
	double diana_load_s;
	double redis_load_s;
	uint64_t peak_anon_bytes; /* of dianad while 64 connections were busy */
	uint64_t log_bytes;       /* all of it, after the awards */
	uint64_t log_events;
	uint64_t log_growth; /* during the measured awards */
	uint64_t log_awards;
	uint64_t aof_growth;
	uint64_t aof_awards;
	struct measure mix; /* the mixed workload, in the shape of the first scenario */
	uint64_t rebuild_events;
	double rebuild_s;
};

#define PEAK_ANON_TARGET 200e6

/* Both give the number of targets missed. */
unsigned report_table(FILE *f, const struct scenario *scenarios, size_t n, const struct totals *t);
unsigned report_json(FILE *f, const struct scenario *scenarios, size_t n, const struct totals *t);

#endif
