#include "report.h"

#include <string.h>

static struct verdict scenario_verdict(const struct scenario *s)
{
	return (struct verdict){ quotient(measure_rate(&s->diana), measure_rate(&s->redis)), s->target, false };
}

static struct verdict floor_verdict(const struct scenario *s)
{
	double ours = measure_us(&s->diana, 0.5), bare = measure_us(&s->floor, 0.5);

	return (struct verdict){ quotient(ours, bare), s->floor_target, true };
}

static struct verdict memory_verdict(const struct totals *t)
{
	return (struct verdict){ (double)t->peak_anon_bytes, PEAK_ANON_TARGET, true };
}

static unsigned count_missed(const struct scenario *scenarios, size_t n, const struct totals *t)
{
	unsigned misses = verdict_missed(memory_verdict(t));

	for (size_t i = 0; i < n; i++)
		misses +=
			verdict_missed(scenario_verdict(&scenarios[i])) + verdict_missed(floor_verdict(&scenarios[i]));
	return misses;
}

static void print_scenario(FILE *f, const struct scenario *s)
{
	char shape[32];

	snprintf(shape, sizeof(shape), "%u×%u", s->connections, s->depth);
	fprintf(f, "%-8s", s->name);
	print_column(f, shape, 6);
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
		s->diana.load.ops != 0 ? figure_latency(measure_us(&s->diana, 0.5), ours) : "-",
		figure_latency(measure_us(&s->floor, 0.5), bare));
	fprintf(f, "%s), ", figure_latency(measure_us(&s->floor, 0.99), bare));
	print_ratio(f, floor_verdict(s));
	print_verdict(f, floor_verdict(s), 1);
}

static void print_disk(FILE *f, const struct totals *t)
{
	char text[32];

	if (t->log_events != 0)
		fprintf(f, "disk, ours: %.1f bytes per event (%s events)",
			quotient((double)t->log_bytes, (double)t->log_events),
			figure_grouped((double)t->log_events, text));
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
			figure_grouped((double)t->rebuild_events / t->rebuild_s, text), t->rebuild_s);
}

static void print_mix(FILE *f, const struct measure *mix, const struct scenario *awards)
{
	char text[32];

	if (mix->load.ops == 0)
		return;
	fprintf(f, "mixed, %u×%u: %s/s", awards->connections, awards->depth, figure_grouped(measure_rate(mix), text));
	fprintf(f, ", p50 %s", figure_latency(measure_us(mix, 0.5), text));
	fprintf(f, ", p99 %s", figure_latency(measure_us(mix, 0.99), text));
	fprintf(f, ", %.2f cpu us, %.1f %% refused, %.2f of the awards\n",
		quotient((double)mix->cpu_us, (double)mix->load.all_ops),
		100 * quotient((double)mix->load.refusals, (double)mix->load.all_ops),
		quotient(measure_rate(mix), measure_rate(&awards->diana)));
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
