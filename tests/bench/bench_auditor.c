/*
 * A long log of dianad: how it is verified, proven and asked for one user's history, and how awards go on while it is
 * rebuilt, backed up, replayed or verified. Run by scripts/bench; the options are listed by --help.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "auditor_report.h"
#include "meanwhile.h"
#include "proto_diana.h"
#include "stage.h"

#define REGULARS_MAX 1000
#define AWARDS_MIN (10 * AUDIT_HISTORY) /* one in ten is for a regular */
#define VERIFY_PATIENCE_S 300
#define ASKED_PER_S 100
#define WARMUP_S 0.25
#define MEANWHILE_PHASES 5

struct bench {
	struct stage stage;
	const char *dianactl;
	struct texts works; /* n 0: all */
	uint64_t awards;
	double seconds;
	struct auditor_figures figures;
};

static bool options_sound(const struct bench *b)
{
	for (unsigned i = 0; i < b->works.n; i++)
		if (meanwhile_find(b->works.v[i]) == NULL)
			return false;
	if (b->awards == 0 || b->awards >= AWARDS_MIN)
		return true;
	complain("--awards: at least %d", AWARDS_MIN);
	return false;
}

/* Sizes that were not given: those of --quick, or the standard ones. */
static void sizes_default(struct bench *b)
{
	bool quick = b->stage.opt.quick;

	if (b->awards == 0)
		b->awards = quick ? 200000 : 1000000;
	if (b->stage.opt.users == 0)
		b->stage.opt.users = b->awards / 10;
	if (b->seconds == 0)
		b->seconds = quick ? 1 : 6;
}

/* As options_parse(). */
static int options_read(struct bench *b, int argc, char **argv)
{
	const struct option_def ours[] = {
		{ "dianactl", "PATH", OPTION_TEXT, &b->dianactl, 0, "what asks for the long work (build/dianactl)" },
		{ "work", "NAME", OPTION_TEXTS, &b->works, 0, "long work beside the awards; may be repeated (all)" },
		{ "awards", "N", OPTION_COUNT, &b->awards, 1000000000, "that the log is filled with (1000000)" },
		{ "seconds", "S", OPTION_SECONDS, &b->seconds, 0,
		  "per phase; five times as long beside long work (6)" },
	};
	struct option_def defs[OPTIONS_MAX];
	size_t n = stage_option_defs(&b->stage.opt, defs);
	int rc;

	b->dianactl = "build/dianactl";
	memcpy(defs + n, ours, sizeof(ours));
	rc = options_parse("bench_auditor", defs, n + COUNT(ours), argc, argv);
	if (rc == 0 && !options_sound(b))
		rc = -1;
	sizes_default(b);
	return rc;
}

/* A hundred awards for each regular, evenly among those of all. */
static void workload_choose(struct bench *b)
{
	uint64_t users = b->stage.opt.users, regulars = b->awards / AWARDS_MIN;

	if (regulars > REGULARS_MAX)
		regulars = REGULARS_MAX;
	if (regulars > users)
		regulars = users;
	assert(regulars > 0);
	b->stage.work = (struct workload){
		.users = (uint32_t)users,
		.random = 1,
		.regulars = (uint32_t)regulars,
		.regular_every = (uint32_t)(b->awards / (regulars * AUDIT_HISTORY)),
	};
}

static struct load_spec awards_spec(struct bench *b)
{
	return (struct load_spec){
		.driver = &diana_driver,
		.socket = b->stage.socket,
		.work = &b->stage.work,
		.op = OP_AWARD,
		.connections = b->figures.connections,
		.depth = b->figures.depth,
		.count = UINT64_MAX,
		.warmup_s = WARMUP_S,
		.seconds = b->seconds,
	};
}

/* ---- the log ---- */

static int fill(struct bench *b)
{
	struct load_spec spec = awards_spec(b);
	struct auditor_figures *a = &b->figures;
	struct usage before, after;
	static struct measure m;

	settle(&b->stage.diana, NULL);
	if (stage_log_usage(&b->stage, &before) != 0)
		return -1;
	printf("filling the log with %llu awards\n", (unsigned long long)b->awards);
	spec.depth = 64;
	spec.count = b->awards;
	spec.warmup_s = 0;
	spec.seconds = 1e9;
	if (measured_run(&b->stage.diana, &spec, &m) != 0 ||
	    check_sum("dianad", &b->stage.work, b->stage.socket, diana_credited) != 0)
		return -1;
	settle(&b->stage.diana, NULL);
	if (stage_log_usage(&b->stage, &after) != 0 || diana_head_seq(b->stage.socket, &a->events) != 0)
		return -1;
	a->awards = m.load.all_ops;
	a->fill_s = m.load.seconds;
	a->log_growth = after.allocated - before.allocated;
	b->stage.work.events = a->events > UINT32_MAX ? UINT32_MAX : (uint32_t)a->events;
	return 0;
}

static int measure_start(struct bench *b)
{
	uint64_t began;

	printf("start-up\n");
	child_stop(&b->stage.diana);
	began = now_ns();
	if (stage_start(&b->stage, 1) != 0)
		return -1;
	b->figures.start_s = (double)(now_ns() - began) / 1e9;
	return 0;
}

static int measure_verify(struct bench *b)
{
	uint64_t began;

	printf("log.verify\n");
	settle(&b->stage.diana, NULL);
	began = now_ns();
	if (diana_verify(b->stage.socket, VERIFY_PATIENCE_S, &b->figures.verified) != 0) {
		child_alive(&b->stage.diana);
		return -1;
	}
	b->figures.verify_s = (double)(now_ns() - began) / 1e9;
	return 0;
}

/* ---- questions while awards run ---- */

struct asking {
	struct load_spec spec;
	struct workload work;
	struct measure *m;
	pthread_t thread;
	int rc;
};

static atomic_bool asked_enough;

static bool asking_over(void *arg)
{
	(void)arg;
	return asked_enough;
}

static void *ask(void *arg)
{
	struct asking *q = arg;

	q->rc = load_run(&q->spec, &q->m->load);
	return NULL;
}

static int start_asking(struct bench *b, struct asking *q, enum op op, struct measure *m)
{
	*q = (struct asking){ .spec = awards_spec(b), .work = b->stage.work, .m = m };
	q->work.random ^= (uint64_t)op << 32;
	q->spec.work = &q->work;
	q->spec.op = op;
	q->spec.connections = 1;
	q->spec.depth = 64;
	q->spec.rate = ASKED_PER_S;
	q->spec.seconds = 1e9;
	q->spec.over = asking_over;
	if (pthread_create(&q->thread, NULL, ask, q) == 0)
		return 0;
	complain("cannot start a thread");
	return -1;
}

static int end_asking(struct asking *q)
{
	pthread_join(q->thread, NULL);
	if (q->rc == 0 && q->m->load.errors != 0)
		complain("dianad: a question was answered with an error: %s", q->m->load.first_error);
	return q->rc == 0 && q->m->load.errors == 0 ? 0 : -1;
}

/* A short list would make a fast answer. */
static int check_lists(struct bench *b)
{
	static const enum op lists[] = { OP_HISTORY, OP_TRAIL };
	uint32_t n;

	for (size_t i = 0; i < COUNT(lists); i++) {
		if (diana_count_items(b->stage.socket, &b->stage.work, lists[i], &n) != 0)
			return -1;
		if (n != AUDIT_HISTORY) {
			complain("dianad: a regular has %u entries, not %d", n, AUDIT_HISTORY);
			return -1;
		}
	}
	return 0;
}

static int measure_asks(struct bench *b)
{
	static const enum op ops[ASKS] = { [ASK_HISTORY] = OP_HISTORY, [ASK_TRAIL] = OP_TRAIL, [ASK_PROOF] = OP_PROVE };
	struct load_spec spec = awards_spec(b);
	struct asking asking[ASKS];
	static struct measure beside;
	unsigned n = 0;
	int rc = check_lists(b);

	printf("histories and proofs, awards at %.0f/s\n", b->figures.rate);
	settle(&b->stage.diana, NULL);
	spec.rate = b->figures.rate;
	while (rc == 0 && n < ASKS) {
		rc = start_asking(b, &asking[n], ops[n], &b->figures.asks[n]);
		n += rc == 0;
	}
	if (rc == 0)
		rc = measured_run(&b->stage.diana, &spec, &beside);
	asked_enough = true;
	for (unsigned i = 0; i < n; i++)
		if (end_asking(&asking[i]) != 0)
			rc = -1;
	return rc;
}

/* ---- what happens meanwhile ---- */

static void tell(const struct measure *m, double took_s)
{
	char rate[FIGURE_MAX], p50[FIGURE_MAX], p99[FIGURE_MAX];

	printf(": %s/s for %.1f s, p50 %s, p99 %s", figure_grouped(measure_rate(m), rate), m->load.seconds,
	       figure_latency(measure_us(m, 0.5), p50), figure_latency(measure_us(m, 0.99), p99));
	if (took_s > 0)
		printf("; took %.1f s", took_s);
	putchar('\n');
}

/* rate 0: as many as it takes. */
static int measure_alone(struct bench *b, double rate, struct measure *m)
{
	struct load_spec spec = awards_spec(b);

	printf("awards alone");
	fflush(stdout);
	settle(&b->stage.diana, NULL);
	spec.rate = rate;
	if (measured_run(&b->stage.diana, &spec, m) != 0)
		return -1;
	tell(m, 0);
	return 0;
}

static int measure_beside(struct bench *b, const struct meanwhile *what, double rate, struct measure *m)
{
	struct meanwhile_run run = { .stage = &b->stage, .dianactl = b->dianactl, .what = what };
	struct load_spec spec = awards_spec(b);
	int rc;

	printf("awards beside %s", what->name);
	fflush(stdout);
	settle(&b->stage.diana, NULL);
	spec.rate = rate;
	spec.seconds *= MEANWHILE_PHASES;
	spec.over = meanwhile_over;
	spec.over_arg = &run;
	if (meanwhile_start(&run) != 0)
		return -1;
	rc = measured_run(&b->stage.diana, &spec, m);
	if (meanwhile_finish(&run) != 0 || rc != 0)
		return -1;
	tell(m, run.took_s);
	return 0;
}

static int measure_baseline(struct bench *b)
{
	struct auditor_figures *a = &b->figures;

	a->alone.name = "alone";
	if (measure_alone(b, 0, &a->alone.closed) != 0)
		return -1;
	/* Half of what can be had, in whole hundreds. */
	a->rate = 100 * (double)(uint64_t)(measure_rate(&a->alone.closed) / 200);
	return measure_alone(b, a->rate, &a->alone.open);
}

static int measure_row(struct bench *b, const struct meanwhile *what)
{
	struct auditor_row *row = &b->figures.rows[b->figures.n_rows++];

	row->name = what->name;
	if (measure_beside(b, what, 0, &row->closed) != 0)
		return -1;
	return measure_beside(b, what, b->figures.rate, &row->open);
}

static int measure_rows(struct bench *b)
{
	unsigned n = b->works.n != 0 ? b->works.n : MEANWHILES;

	for (unsigned i = 0; i < n; i++)
		if (measure_row(b, b->works.n != 0 ? meanwhile_find(b->works.v[i]) : &meanwhiles[i]) != 0)
			return -1;
	return 0;
}

/* ---- the run ---- */

static int run(struct bench *b)
{
	double loaded_s;

	if (stage_start(&b->stage, 20) != 0 ||
	    load_users(&b->stage.diana, &diana_driver, b->stage.socket, &b->stage.work, 2, 4, &loaded_s) != 0 ||
	    fill(b) != 0 || measure_start(b) != 0 || measure_verify(b) != 0 || measure_baseline(b) != 0 ||
	    measure_asks(b) != 0 || measure_rows(b) != 0)
		return -1;
	return check_sum("dianad", &b->stage.work, b->stage.socket, diana_credited);
}

static void write_json(FILE *f, const void *arg)
{
	auditor_report_json(f, arg);
}

static int report(const struct bench *b)
{
	unsigned misses = auditor_report(stdout, &b->figures);

	return stage_reported(&b->stage, misses, write_json, &b->figures);
}

int main(int argc, char **argv)
{
	static struct bench b;
	int rc = options_read(&b, argc, argv);

	if (rc != 0)
		return rc < 0 ? 2 : 0;
	interrupt_install();
	workload_choose(&b);
	b.figures.users = b.stage.opt.users;
	b.figures.connections = 64;
	b.figures.depth = 16;
	setvbuf(stdout, NULL, _IOLBF, 0);

	rc = stage_open(&b.stage) == 0 && run(&b) == 0 ? 0 : 1;
	if (rc == 0)
		rc = report(&b);
	else if (interrupted)
		complain("interrupted");
	stage_close(&b.stage);
	return rc;
}
