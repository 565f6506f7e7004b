#ifndef DIANA_BENCH_FIGURES_H
#define DIANA_BENCH_FIGURES_H

#include <stdio.h>

#include "measure.h"

/* How figures are written, for people and as JSON. */

/* A figure with a limit. */
struct verdict {
	double value;  /* 0: not measured */
	double target; /* 0: none */
	bool at_most;  /* else at least */
};

bool verdict_missed(struct verdict v);

double quotient(double a, double b);
double measure_rate(const struct measure *m);
double measure_us(const struct measure *m, double part); /* quantile of the latency */

/* 12345678 as "12 345 678"; microseconds with the unit that fits. Both return text. */
#define FIGURE_MAX 32
const char *figure_grouped(double value, char text[FIGURE_MAX]);
const char *figure_latency(double us, char text[FIGURE_MAX]);
/* Right-aligned; counts characters, not bytes. */
void print_column(FILE *f, const char *text, int width);
/* Rate, median, p99, CPU time per operation: 41 columns. */
#define MEASURE_COLUMNS "%11s%11s%11s%8s"
void print_measure(FILE *f, const struct measure *m);
void print_ratio(FILE *f, struct verdict v);
/* After the value itself: the target and whether it was met; ends the line. */
void print_verdict(FILE *f, struct verdict v, double unit);

/* Each begins with a comma. */
void json_measure(FILE *f, const char *name, const struct measure *m);
void json_verdict(FILE *f, const char *name, struct verdict v);

#endif
