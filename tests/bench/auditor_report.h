#ifndef DIANA_BENCH_AUDITOR_REPORT_H
#define DIANA_BENCH_AUDITOR_REPORT_H

#include "figures.h"

/* Awards beside something else: as many as it takes, and at a fixed rate. */
struct auditor_row {
	const char *name;
	struct measure closed;
	struct measure open;
};

enum auditor_ask { ASK_HISTORY, ASK_TRAIL, ASK_PROOF, ASKS };

enum { AUDITOR_ROWS_MAX = 16 };

/* 0: not measured. */
struct auditor_figures {
	uint64_t users;
	uint64_t awards; /* that the log was filled with, after the users' first */
	uint64_t events;
	double fill_s;
	uint64_t log_growth; /* bytes, while it was filled */
	double start_s;
	double verify_s;
	uint64_t verified;         /* events */
	struct measure asks[ASKS]; /* while awards came at the rate of the rows */
	uint32_t connections, depth;
	double rate;
	struct auditor_row alone;
	struct auditor_row rows[AUDITOR_ROWS_MAX];
	unsigned n_rows;
};

/* The number of targets missed. */
unsigned auditor_report(FILE *f, const struct auditor_figures *a);
void auditor_report_json(FILE *f, const struct auditor_figures *a);

#endif
