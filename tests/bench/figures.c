#include "figures.h"

#include <string.h>

static bool has_target(struct verdict v)
{
	return v.value > 0 && v.target > 0;
}

bool verdict_missed(struct verdict v)
{
	return has_target(v) && (v.at_most ? v.value > v.target : v.value < v.target);
}

double measure_rate(const struct measure *m)
{
	return m->load.seconds > 0 ? (double)m->load.ops / m->load.seconds : 0;
}

double quotient(double a, double b)
{
	return b > 0 ? a / b : 0;
}

double measure_us(const struct measure *m, double part)
{
	return (double)hist_quantile(&m->load.latency, part) / 1e3;
}

const char *figure_grouped(double value, char text[FIGURE_MAX])
{
	char digits[32], *to = text;
	int n = snprintf(digits, sizeof(digits), "%.0f", value);

	for (int i = 0; i < n && i < 20; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			*to++ = ' ';
		*to++ = digits[i];
	}
	*to = '\0';
	return text;
}

const char *figure_latency(double us, char text[FIGURE_MAX])
{
	if (us >= 100000)
		snprintf(text, FIGURE_MAX, "%.0f ms", us / 1e3);
	else if (us >= 1000)
		snprintf(text, FIGURE_MAX, "%.2f ms", us / 1e3);
	else
		snprintf(text, FIGURE_MAX, "%.0f µs", us);
	return text;
}

/* µ is two bytes and one column: pads by hand what %*s would pad wrongly. */
void print_column(FILE *f, const char *text, int width)
{
	int shown = 0;

	for (const char *at = text; *at != '\0'; at++)
		shown += ((unsigned char)*at & 0xc0) != 0x80;
	fprintf(f, "%*s%s", width > shown ? width - shown : 0, "", text);
}

void print_measure(FILE *f, const struct measure *m)
{
	char text[32];

	if (m->load.ops == 0) {
		fprintf(f, MEASURE_COLUMNS, "-", "-", "-", "-");
		return;
	}
	print_column(f, figure_grouped(measure_rate(m), text), 11);
	print_column(f, figure_latency(measure_us(m, 0.5), text), 11);
	print_column(f, figure_latency(measure_us(m, 0.99), text), 11);
	fprintf(f, "%8.2f", quotient((double)m->cpu_us, (double)m->load.all_ops));
}

void print_verdict(FILE *f, struct verdict v, double unit)
{
	if (v.target > 0)
		fprintf(f, "  %s %-5.6g %s", v.at_most ? "≤" : "≥", v.target / unit,
			!has_target(v)      ? "not measured"
			: verdict_missed(v) ? "MISS"
					    : "ok");
	fputc('\n', f);
}

void print_ratio(FILE *f, struct verdict v)
{
	if (v.value > 0)
		fprintf(f, "%8.2fx", v.value);
	else
		fprintf(f, "%9s", "-");
}

void json_measure(FILE *f, const char *name, const struct measure *m)
{
	if (m->load.ops == 0) {
		fprintf(f, ", \"%s\": null", name);
		return;
	}
	fprintf(f,
		", \"%s\": {\"ops\": %llu, \"seconds\": %.3f, \"ops_per_s\": %.1f, "
		"\"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_us_per_op\": %.3f, "
		"\"generator_us_per_op\": %.3f}",
		name, (unsigned long long)m->load.ops, m->load.seconds, measure_rate(m), measure_us(m, 0.5),
		measure_us(m, 0.99), quotient((double)m->cpu_us, (double)m->load.all_ops),
		quotient((double)m->own_cpu_us, (double)m->load.all_ops));
}

void json_verdict(FILE *f, const char *name, struct verdict v)
{
	if (v.value <= 0) {
		fprintf(f, ", \"%s\": null", name);
		return;
	}
	fprintf(f, ", \"%s\": {\"value\": %.3f", name, v.value);
	if (v.target > 0)
		fprintf(f, ", \"target\": %.3f, \"ok\": %s", v.target, verdict_missed(v) ? "false" : "true");
	fputc('}', f);
}
