#include "auditor_report.h"

static const struct ask_text {
	const char *text, *key;
	double target_us;
} ask_texts[ASKS] = {
	[ASK_HISTORY] = { "history of 100 transactions, point.list", "history", 5000 },
	[ASK_TRAIL] = { "the same user's last 100 events, log.read", "trail", 5000 },
	[ASK_PROOF] = { "inclusion proof of any event, log.prove", "prove", 10000 },
};

static struct verdict start_verdict(const struct auditor_figures *a)
{
	return (struct verdict){ a->start_s, 1, true };
}

static struct verdict verify_verdict(const struct auditor_figures *a)
{
	return (struct verdict){ quotient((double)a->verified, a->verify_s), 500000, false };
}

static struct verdict ask_verdict(const struct auditor_figures *a, enum auditor_ask ask)
{
	return (struct verdict){ measure_us(&a->asks[ask], 0.99), ask_texts[ask].target_us, true };
}

static struct verdict row_verdict(const struct auditor_figures *a, const struct auditor_row *row)
{
	return (struct verdict){ quotient(measure_rate(&row->closed), measure_rate(&a->alone.closed)), 0.5, false };
}

static unsigned count_missed(const struct auditor_figures *a)
{
	unsigned misses = verdict_missed(start_verdict(a)) + verdict_missed(verify_verdict(a));

	for (unsigned i = 0; i < ASKS; i++)
		misses += verdict_missed(ask_verdict(a, i));
	for (unsigned i = 0; i < a->n_rows; i++)
		misses += verdict_missed(row_verdict(a, &a->rows[i]));
	return misses;
}

static void print_row(FILE *f, const struct auditor_row *row)
{
	fprintf(f, "%-12s", row->name);
	print_measure(f, &row->closed);
	fputs("  ", f);
	print_measure(f, &row->open);
}

static void print_rows(FILE *f, const struct auditor_figures *a)
{
	char text[FIGURE_MAX];

	fprintf(f, "%-12s%41s  %32s asked for\n", "awards while", "as many as it takes", figure_grouped(a->rate, text));
	fprintf(f, "%3u×%-8u" MEASURE_COLUMNS "  " MEASURE_COLUMNS "%9s  target\n", a->connections, a->depth, "per s",
		"p50", "p99", "cpu us", "per s", "p50", "p99", "cpu us", "ratio");
	print_row(f, &a->alone);
	fputc('\n', f);
	for (unsigned i = 0; i < a->n_rows; i++) {
		struct verdict v = row_verdict(a, &a->rows[i]);

		print_row(f, &a->rows[i]);
		print_ratio(f, v);
		print_verdict(f, v, 1);
	}
}

static void print_log(FILE *f, const struct auditor_figures *a)
{
	char awards[FIGURE_MAX], users[FIGURE_MAX], events[FIGURE_MAX], rate[FIGURE_MAX];

	fprintf(f, "a log of %s awards of %s users: %s events, filled at %s awards/s, %.1f bytes per award on disk\n",
		figure_grouped((double)a->awards, awards), figure_grouped((double)a->users, users),
		figure_grouped((double)a->events, events), figure_grouped(quotient((double)a->awards, a->fill_s), rate),
		quotient((double)a->log_growth, (double)a->awards));
}

static void print_ask(FILE *f, const struct auditor_figures *a, enum auditor_ask ask)
{
	char p50[FIGURE_MAX], p99[FIGURE_MAX], rate[FIGURE_MAX];

	fprintf(f, "%s, at %s awards/s: p50 %s, p99 %s", ask_texts[ask].text, figure_grouped(a->rate, rate),
		figure_latency(measure_us(&a->asks[ask], 0.5), p50),
		figure_latency(measure_us(&a->asks[ask], 0.99), p99));
	print_verdict(f, ask_verdict(a, ask), 1000);
}

unsigned auditor_report(FILE *f, const struct auditor_figures *a)
{
	char text[FIGURE_MAX];

	fputc('\n', f);
	print_log(f, a);
	fprintf(f, "start-up after a clean stop: %.3f s", a->start_s);
	print_verdict(f, start_verdict(a), 1);
	fprintf(f, "log.verify with full hashing: %s events/s", figure_grouped(verify_verdict(a).value, text));
	print_verdict(f, verify_verdict(a), 1);
	for (unsigned i = 0; i < ASKS; i++)
		print_ask(f, a, i);
	fputc('\n', f);
	print_rows(f, a);
	return count_missed(a);
}

static void json_row(FILE *f, const struct auditor_figures *a, const struct auditor_row *row)
{
	fprintf(f, "    {\"name\": \"%s\"", row->name);
	json_measure(f, "closed", &row->closed);
	json_measure(f, "open", &row->open);
	if (row != &a->alone)
		json_verdict(f, "ratio", row_verdict(a, row));
	fputc('}', f);
}

void auditor_report_json(FILE *f, const struct auditor_figures *a)
{
	fprintf(f,
		"{\n  \"users\": %llu, \"awards\": %llu, \"events\": %llu, \"fill_s\": %.3f, "
		"\"log_bytes_per_award\": %.1f",
		(unsigned long long)a->users, (unsigned long long)a->awards, (unsigned long long)a->events, a->fill_s,
		quotient((double)a->log_growth, (double)a->awards));
	json_verdict(f, "start_s", start_verdict(a));
	json_verdict(f, "verify_events_per_s", verify_verdict(a));
	for (unsigned i = 0; i < ASKS; i++) {
		json_measure(f, ask_texts[i].key, &a->asks[i]);
		fprintf(f, ", \"%s_ok\": %s", ask_texts[i].key, verdict_missed(ask_verdict(a, i)) ? "false" : "true");
	}
	fprintf(f, ",\n  \"connections\": %u, \"depth\": %u, \"rate\": %.0f, \"meanwhile\": [\n", a->connections,
		a->depth, a->rate);
	json_row(f, a, &a->alone);
	for (unsigned i = 0; i < a->n_rows; i++) {
		fputs(",\n", f);
		json_row(f, a, &a->rows[i]);
	}
	fprintf(f, "\n  ],\n  \"missed\": %u\n}\n", count_missed(a));
}
