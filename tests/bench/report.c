#include "report.h"

#include <string.h>

/* A figure with a limit. */
struct verdict {
	double value; /* 0: not measured */
	double target;
	bool at_most; /* else at least */
};

static double rate(const struct measure *m)
{
	return m->load.seconds > 0 ? (double)m->load.ops / m->load.seconds : 0;
}

static double quotient(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static double quantile_us(const struct measure *m, double part)
{
	return (double)hist_quantile(&m->load.latency, part) / 1e3;
}

static struct verdict scenario_verdict(const struct scenario *s)
{
	return (struct verdict){ quotient(rate(&s->diana), rate(&s->redis)), s->target, false };
}

static struct verdict floor_verdict(const struct scenario *s)
{
	double ours = quantile_us(&s->diana, 0.5), bare = quantile_us(&s->floor, 0.5);

	return (struct verdict){ quotient(ours, bare), s->floor_target, true };
}

static struct verdict memory_verdict(const struct totals *t)
{
	return (struct verdict){ (double)t->peak_anon_bytes, PEAK_ANON_TARGET, true };
}

static bool has_target(struct verdict v)
{
	return v.value > 0 && v.target > 0;
}

static bool missed(struct verdict v)
{
	return has_target(v) && (v.at_most ? v.value > v.target : v.value < v.target);
}

static unsigned count_missed(const struct scenario *scenarios, size_t n, const struct totals *t)
{
	unsigned misses = missed(memory_verdict(t));

	for (size_t i = 0; i < n; i++)
		misses += missed(scenario_verdict(&scenarios[i])) + missed(floor_verdict(&scenarios[i]));
	return misses;
}

/* 12345678 as "12 345 678" */
static const char *grouped(double value, char text[32])
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

static const char *latency(double us, char text[32])
{
	if (us >= 100000)
		snprintf(text, 32, "%.0f ms", us / 1e3);
	else if (us >= 1000)
		snprintf(text, 32, "%.2f ms", us / 1e3);
	else
		snprintf(text, 32, "%.0f µs", us);
	return text;
}

/* µ is two bytes and one column: pads by hand what %*s would pad wrongly. */
static void column(FILE *f, const char *text, int width)
{
	int shown = 0;

	for (const char *at = text; *at != '\0'; at++)
		shown += ((unsigned char)*at & 0xc0) != 0x80;
	fprintf(f, "%*s%s", width > shown ? width - shown : 0, "", text);
}

static void print_measure(FILE *f, const struct measure *m)
{
	char text[32];

	if (m->load.ops == 0) {
		fprintf(f, "%11s%11s%11s%8s", "-", "-", "-", "-");
		return;
	}
	column(f, grouped(rate(m), text), 11);
	column(f, latency(quantile_us(m, 0.5), text), 11);
	column(f, latency(quantile_us(m, 0.99), text), 11);
	fprintf(f, "%8.2f", quotient((double)m->cpu_us, (double)m->load.all_ops));
}

/* After the value itself: the target and whether it was met; ends the line. */
static void print_verdict(FILE *f, struct verdict v, double unit)
{
	if (v.target > 0)
		fprintf(f, "  %s %-5.4g %s", v.at_most ? "≤" : "≥", v.target / unit,
			!has_target(v) ? "not measured"
			: missed(v)    ? "MISS"
				       : "ok");
	fputc('\n', f);
}

static void print_ratio(FILE *f, struct verdict v)
{
	if (v.value > 0)
		fprintf(f, "%8.2fx", v.value);
	else
		fprintf(f, "%9s", "-");
}

static void print_scenario(FILE *f, const struct scenario *s)
{
	char shape[32];

	snprintf(shape, sizeof(shape), "%u×%u", s->connections, s->depth);
	fprintf(f, "%-8s", s->name);
	column(f, shape, 6);
	print_measure(f, &s->diana);
	fputs("  ", f);
	print_measure(f, &s->redis);
	print_ratio(f, scenario_verdict(s));
	print_verdict(f, scenario_verdict(s), 1);
}

static void print_floor(FILE *f, const struct scenario *s)
{
	char ours[32], bare[32];

	fprintf(f, "median commit, 1×1: ours %s, bare LMDB %s (p99 ",
		s->diana.load.ops != 0 ? latency(quantile_us(&s->diana, 0.5), ours) : "-",
		latency(quantile_us(&s->floor, 0.5), bare));
	fprintf(f, "%s), ", latency(quantile_us(&s->floor, 0.99), bare));
	print_ratio(f, floor_verdict(s));
	print_verdict(f, floor_verdict(s), 1);
}

static void print_disk(FILE *f, const struct totals *t)
{
	char text[32];

	if (t->log_events != 0)
		fprintf(f, "disk, ours: %.1f bytes per event (%s events)",
			quotient((double)t->log_bytes, (double)t->log_events), grouped((double)t->log_events, text));
	if (t->log_awards != 0)
		fprintf(f, ", %.1f per measured award", quotient((double)t->log_growth, (double)t->log_awards));
	if (t->log_events != 0)
		fputc('\n', f);
	if (t->aof_awards != 0)
		fprintf(f, "disk, redis: %.1f bytes of append-only file per measured award\n",
			quotient((double)t->aof_growth, (double)t->aof_awards));
}

static void print_totals(FILE *f, const struct totals *t)
{
	char text[32];

	if (t->peak_anon_bytes != 0) {
		fprintf(f, "memory of dianad without mapped files, peak: %.0f MB", (double)t->peak_anon_bytes / 1e6);
		print_verdict(f, memory_verdict(t), 1e6);
	}
	print_disk(f, t);
	if (t->rebuild_s > 0)
		fprintf(f, "rebuild of all projections: %s events/s (%.1f s)\n",
			grouped((double)t->rebuild_events / t->rebuild_s, text), t->rebuild_s);
}

static void print_mix(FILE *f, const struct measure *mix, const struct scenario *awards)
{
	char text[32];

	if (mix->load.ops == 0)
		return;
	fprintf(f, "mixed, %u×%u: %s/s", awards->connections, awards->depth, grouped(rate(mix), text));
	fprintf(f, ", p50 %s", latency(quantile_us(mix, 0.5), text));
	fprintf(f, ", p99 %s", latency(quantile_us(mix, 0.99), text));
	fprintf(f, ", %.2f cpu us, %.1f %% refused, %.2f of the awards\n",
		quotient((double)mix->cpu_us, (double)mix->load.all_ops),
		100 * quotient((double)mix->load.refusals, (double)mix->load.all_ops),
		quotient(rate(mix), rate(&awards->diana)));
}

unsigned report_table(FILE *f, const struct scenario *scenarios, size_t n, const struct totals *t)
{
	fprintf(f, "\n%-14s%11s%11s%11s%8s  %11s%11s%11s%8s%9s  target\n", "", "ours/s", "p50", "p99", "cpu us",
		"redis/s", "p50", "p99", "cpu us", "ratio");
	for (size_t i = 0; i < n; i++)
		print_scenario(f, &scenarios[i]);
	fputc('\n', f);
	for (size_t i = 0; i < n; i++)
		if (scenarios[i].floor.load.ops != 0)
			print_floor(f, &scenarios[i]);
	print_mix(f, &t->mix, &scenarios[0]);
	print_totals(f, t);
	return count_missed(scenarios, n, t);
}

static void json_measure(FILE *f, const char *name, const struct measure *m)
{
	if (m->load.ops == 0) {
		fprintf(f, ", \"%s\": null", name);
		return;
	}
	fprintf(f,
		", \"%s\": {\"ops\": %llu, \"seconds\": %.3f, \"ops_per_s\": %.1f, "
		"\"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_us_per_op\": %.3f, "
		"\"generator_us_per_op\": %.3f}",
		name, (unsigned long long)m->load.ops, m->load.seconds, rate(m), quantile_us(m, 0.5),
		quantile_us(m, 0.99), quotient((double)m->cpu_us, (double)m->load.all_ops),
		quotient((double)m->own_cpu_us, (double)m->load.all_ops));
}

static void json_verdict(FILE *f, const char *name, struct verdict v)
{
	if (v.value <= 0) {
		fprintf(f, ", \"%s\": null", name);
		return;
	}
	fprintf(f, ", \"%s\": {\"value\": %.3f", name, v.value);
	if (v.target > 0)
		fprintf(f, ", \"target\": %.3f, \"ok\": %s", v.target, missed(v) ? "false" : "true");
	fputc('}', f);
}

static void json_scenario(FILE *f, const struct scenario *s)
{
	fprintf(f,
		"    {\"name\": \"%s\", \"redis_command\": \"%s\", \"connections\": %u, "
		"\"depth\": %u",
		s->name, s->theirs, s->connections, s->depth);
	json_measure(f, "diana", &s->diana);
	json_measure(f, "redis", &s->redis);
	json_measure(f, "lmdb", &s->floor);
	json_verdict(f, "ratio", scenario_verdict(s));
	json_verdict(f, "floor_ratio", floor_verdict(s));
	fputc('}', f);
}

unsigned report_json(FILE *f, const struct scenario *scenarios, size_t n, const struct totals *t)
{
	unsigned misses = count_missed(scenarios, n, t);

	fprintf(f, "{\n  \"users\": %u,\n  \"phases\": [\n", t->users);
	for (size_t i = 0; i < n; i++) {
		json_scenario(f, &scenarios[i]);
		fputs(i + 1 < n ? ",\n" : "\n", f);
	}
	fprintf(f, "  ],\n  \"missed\": %u,\n  \"diana_load_s\": %.3f,\n  \"redis_load_s\": %.3f", misses,
		t->diana_load_s, t->redis_load_s);
	json_measure(f, "mixed", &t->mix);
	json_verdict(f, "peak_anon_bytes", memory_verdict(t));
	fprintf(f,
		",\n  \"log_bytes\": %llu, \"log_events\": %llu, \"log_bytes_per_event\": %.1f, "
		"\"log_bytes_per_award\": %.1f, \"aof_bytes_per_award\": %.1f",
		(unsigned long long)t->log_bytes, (unsigned long long)t->log_events,
		quotient((double)t->log_bytes, (double)t->log_events),
		quotient((double)t->log_growth, (double)t->log_awards),
		quotient((double)t->aof_growth, (double)t->aof_awards));
	fprintf(f,
		",\n  \"rebuild_events\": %llu, \"rebuild_s\": %.3f, "
		"\"rebuild_events_per_s\": %.1f\n}\n",
		(unsigned long long)t->rebuild_events, t->rebuild_s, quotient((double)t->rebuild_events, t->rebuild_s));
	return misses;
}
