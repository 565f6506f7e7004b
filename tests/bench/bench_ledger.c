/*
 * dianad and redis-server, side by side: awards and queries over the Unix socket, both durable
 * before they answer, both with the same users; beside them what a bare LMDB commit costs on this
 * disk. Run by scripts/bench; the options are listed by --help.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "lmdb_commit.h"
#include "mix.h"
#include "proto_diana.h"
#include "proto_redis.h"
#include "report.h"

#define EXTRA_ARGS_MAX 16
#define SCENARIOS_MAX 8
#define SAMPLE_USERS 50
#define START_PATIENCE_S 60
#define REBUILD_PATIENCE_S 300

enum side { SIDE_ALL, SIDE_DIANA, SIDE_REDIS, SIDE_LMDB };

struct options {
	const char *dianad;
	const char *dianad_args[EXTRA_ARGS_MAX];
	unsigned n_dianad_args;
	const char *redis;
	const char *socket;
	const char *dir;
	const char *json;
	uint32_t connections; /* 0: the standard shapes */
	uint32_t depth;
	uint32_t users;
	uint64_t awards;
	uint64_t queries;
	double seconds;
	size_t value_size;
	enum side only;
	bool rebuild;
	bool keep;
	bool strict;
	bool quick;
};

struct bench {
	struct options opt;
	char dir[512];          /* ours, removed at the end */
	char diana_socket[108]; /* sun_path */
	char redis_socket[108];
	struct child diana;
	struct child redis;
	struct workload diana_work;
	struct workload redis_work;
	struct lmdb_commit *floor;
	struct scenario scenarios[SCENARIOS_MAX];
	size_t n_scenarios;
	struct totals totals;
};

static bool uses(const struct bench *b, enum side side)
{
	return b->opt.only == SIDE_ALL || b->opt.only == side;
}

/* --- options --- */

static void usage(FILE *f)
{
	fputs("usage: bench_ledger [options]\n"
	      "  --dianad PATH        daemon to measure (build/dianad)\n"
	      "  --dianad-arg ARG     one more argument for it; may be repeated\n"
	      "  --redis PATH         redis-server to compare with (redis-server)\n"
	      "  --socket PATH        socket of the daemon (in the working directory of the run)\n"
	      "  --dir DIR            where to put that directory; a real disk (build)\n"
	      "  --connections N      one shape instead of the standard ones\n"
	      "  --depth N            likewise: commands in flight on each connection\n"
	      "  --users N            users that exist (1000000)\n"
	      "  --awards N           at most so many awards per phase (1000000)\n"
	      "  --queries N          at most so many queries per phase (4000000)\n"
	      "  --seconds S          at most so long per phase and server (8)\n"
	      "  --value-size N       bytes of a bare LMDB commit (350)\n"
	      "  --only SIDE          diana, redis or lmdb alone\n"
	      "  --no-rebuild         leave out the rebuild of the projections\n"
	      "  --json FILE          write the figures there too\n"
	      "  --quick              small sizes, to see that it works\n"
	      "  --keep               leave the data behind\n"
	      "  --strict             a missed target is a failure\n",
	      f);
}

enum {
	OPT_DIANAD = 256,
	OPT_DIANAD_ARG,
	OPT_REDIS,
	OPT_SOCKET,
	OPT_DIR,
	OPT_CONNECTIONS,
	OPT_DEPTH,
	OPT_USERS,
	OPT_AWARDS,
	OPT_QUERIES,
	OPT_SECONDS,
	OPT_VALUE_SIZE,
	OPT_ONLY,
	OPT_NO_REBUILD,
	OPT_JSON,
	OPT_QUICK,
	OPT_KEEP,
	OPT_STRICT,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "dianad", required_argument, NULL, OPT_DIANAD },
	{ "dianad-arg", required_argument, NULL, OPT_DIANAD_ARG },
	{ "redis", required_argument, NULL, OPT_REDIS },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "dir", required_argument, NULL, OPT_DIR },
	{ "connections", required_argument, NULL, OPT_CONNECTIONS },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "users", required_argument, NULL, OPT_USERS },
	{ "awards", required_argument, NULL, OPT_AWARDS },
	{ "queries", required_argument, NULL, OPT_QUERIES },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "value-size", required_argument, NULL, OPT_VALUE_SIZE },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "no-rebuild", no_argument, NULL, OPT_NO_REBUILD },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "quick", no_argument, NULL, OPT_QUICK },
	{ "keep", no_argument, NULL, OPT_KEEP },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

/* 0 when the text is not a whole number in range: no option here may be 0. */
static uint64_t parse_count(const char *text, uint64_t max)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-' && n <= max ? n : 0;
}

static bool parse_side(const char *text, enum side *ret_side)
{
	static const char *const names[] = { "all", "diana", "redis", "lmdb" };

	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_side = (enum side)i;
			return true;
		}
	}
	return false;
}

static bool option_set(struct options *o, int option, const char *arg)
{
	switch (option) {
	case OPT_DIANAD:
		o->dianad = arg;
		return true;
	case OPT_DIANAD_ARG:
		if (o->n_dianad_args == EXTRA_ARGS_MAX)
			return false;
		o->dianad_args[o->n_dianad_args++] = arg;
		return true;
	case OPT_REDIS:
		o->redis = arg;
		return true;
	case OPT_SOCKET:
		o->socket = arg;
		return true;
	case OPT_DIR:
		o->dir = arg;
		return true;
	case OPT_CONNECTIONS:
		return (o->connections = (uint32_t)parse_count(arg, 10000)) != 0;
	case OPT_DEPTH:
		return (o->depth = (uint32_t)parse_count(arg, 65536)) != 0;
	case OPT_USERS:
		return (o->users = (uint32_t)parse_count(arg, 100000000)) != 0;
	case OPT_AWARDS:
		return (o->awards = parse_count(arg, UINT64_MAX)) != 0;
	case OPT_QUERIES:
		return (o->queries = parse_count(arg, UINT64_MAX)) != 0;
	case OPT_SECONDS:
		return (o->seconds = strtod(arg, NULL)) > 0;
	case OPT_VALUE_SIZE:
		return (o->value_size = parse_count(arg, 1 << 20)) >= 8;
	case OPT_ONLY:
		return parse_side(arg, &o->only);
	case OPT_NO_REBUILD:
		o->rebuild = false;
		return true;
	case OPT_JSON:
		o->json = arg;
		return true;
	case OPT_KEEP:
		o->keep = true;
		return true;
	case OPT_STRICT:
		o->strict = true;
		return true;
	case OPT_QUICK:
		o->quick = true;
		o->users = 20000;
		o->awards = o->queries = 100000;
		o->seconds = 1;
		return true;
	default:
		return false;
	}
}

/* -1: said what is wrong; 1: only help was wanted. */
static int options_parse(struct options *o, int argc, char **argv)
{
	int option, index = 0;

	*o = (struct options){
		.dianad = "build/dianad",
		.redis = "redis-server",
		.dir = "build",
		.users = 1000000,
		.awards = 1000000,
		.queries = 4000000,
		.seconds = 8,
		.value_size = 350,
		.rebuild = true,
	};
	while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (option == OPT_HELP) {
			usage(stdout);
			return 1;
		}
		if (option == '?' || !option_set(o, option, optarg)) {
			if (option != '?')
				complain("--%s: bad value", long_options[index].name);
			usage(stderr);
			return -1;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return -1;
	}
	return 0;
}

/* --- the scenarios --- */

static void scenario_add(struct bench *b, struct scenario s)
{
	const struct options *o = &b->opt;

	if (o->connections != 0 || o->depth != 0) {
		s.connections = o->connections != 0 ? o->connections : 64;
		s.depth = o->depth != 0 ? o->depth : 64;
		s.target = 0;
		if (s.connections != 1 || s.depth != 1)
			s.floor_target = 0;
	}
	s.seconds *= o->seconds;
	b->scenarios[b->n_scenarios++] = s;
}

static void scenarios_choose(struct bench *b)
{
	static const struct scenario standard[] = {
		{ .name = "award",
		  .theirs = "EVALSHA",
		  .op = OP_AWARD,
		  .connections = 64,
		  .depth = 64,
		  .rounds = 1,
		  .seconds = 1,
		  .target = 3 },
		{ .name = "award",
		  .theirs = "EVALSHA",
		  .op = OP_AWARD,
		  .connections = 64,
		  .depth = 1,
		  .rounds = 2,
		  .seconds = 1,
		  .target = 1.5 },
		{ .name = "award",
		  .theirs = "EVALSHA",
		  .op = OP_AWARD,
		  .connections = 1,
		  .depth = 1,
		  .rounds = 8,
		  .seconds = 1,
		  .floor_target = 1.25 },
		{ .name = "balance",
		  .theirs = "HGET",
		  .op = OP_BALANCE,
		  .connections = 64,
		  .depth = 64,
		  .rounds = 1,
		  .seconds = 0.5,
		  .target = 1 },
		{ .name = "balance",
		  .theirs = "HGET",
		  .op = OP_BALANCE,
		  .connections = 64,
		  .depth = 1,
		  .rounds = 1,
		  .seconds = 0.5,
		  .target = 1 },
		{ .name = "rank",
		  .theirs = "ZREVRANK",
		  .op = OP_RANK,
		  .connections = 64,
		  .depth = 64,
		  .rounds = 1,
		  .seconds = 0.5,
		  .target = 1 },
		{ .name = "rank",
		  .theirs = "ZREVRANK",
		  .op = OP_RANK,
		  .connections = 64,
		  .depth = 1,
		  .rounds = 1,
		  .seconds = 0.5,
		  .target = 1 },
	};
	bool one_shape = b->opt.connections != 0 || b->opt.depth != 0;

	for (size_t i = 0; i < COUNT(standard); i++) {
		bool same_op = i > 0 && standard[i].op == standard[i - 1].op;

		if (b->opt.only == SIDE_LMDB && standard[i].floor_target == 0)
			continue;
		/* With one shape there is one scenario per op: the last of the awards, which also
		 * knows the floor, and the first of the queries. */
		if (one_shape && standard[i].op == OP_AWARD && standard[i].floor_target == 0)
			continue;
		if (one_shape && standard[i].op != OP_AWARD && same_op)
			continue;
		scenario_add(b, standard[i]);
	}
}

/* --- the place and the servers --- */

static int make_place(struct bench *b)
{
	const struct options *o = &b->opt;
	char base[480], *real;

	if (mkdir(o->dir, 0777) != 0 && errno != EEXIST) {
		complain("%s: %s", o->dir, strerror(errno));
		return -1;
	}
	/* Absolute, since the servers may change their directory. */
	real = realpath(o->dir, NULL);
	if (real == NULL || path_make(base, sizeof(base), "%s/bench.XXXXXX", real) != 0 || mkdtemp(base) == NULL) {
		complain("%s: %s", o->dir, strerror(errno));
		free(real);
		return -1;
	}
	free(real);
	memcpy(b->dir, base, sizeof(base));
	if (path_make(b->redis_socket, sizeof(b->redis_socket), "%s/redis.sock", b->dir) != 0 ||
	    (o->socket != NULL ? path_make(b->diana_socket, sizeof(b->diana_socket), "%s", o->socket)
			       : path_make(b->diana_socket, sizeof(b->diana_socket), "%s/diana.sock", b->dir)) != 0) {
		complain("give a shorter --dir or --socket");
		return -1;
	}
	return 0;
}

/* A directory below ours. */
static int make_dir(const struct bench *b, const char *name, char *path, size_t size)
{
	if (path_make(path, size, "%s/%s", b->dir, name) != 0)
		return -1;
	if (mkdir(path, 0700) == 0)
		return 0;
	complain("%s: %s", path, strerror(errno));
	return -1;
}

static int await(struct child *c, int (*ready)(const char *socket), const char *socket)
{
	uint64_t until = now_ns() + START_PATIENCE_S * (uint64_t)1000000000;

	while (now_ns() < until && !interrupted && child_alive(c)) {
		int rc = ready(socket);

		if (rc != -2)
			return rc;
		pause_ms(20);
	}
	if (c->pid != 0 && !interrupted)
		complain("%s does not answer", c->name);
	return -1;
}

static int start_diana(struct bench *b)
{
	char data[600], log[600];
	const char *argv[EXTRA_ARGS_MAX + 6] = { b->opt.dianad, "--data", data, "--socket", b->diana_socket };

	memcpy(argv + 5, b->opt.dianad_args, b->opt.n_dianad_args * sizeof(*argv));
	if (make_dir(b, "diana", data, sizeof(data)) != 0 ||
	    path_make(log, sizeof(log), "%s/dianad.txt", b->dir) != 0 ||
	    child_start(&b->diana, "dianad", log, argv) != 0)
		return -1;
	return await(&b->diana, diana_ready, b->diana_socket);
}

static int start_redis(struct bench *b)
{
	char data[600], log[600];
	/* Most users have a short history: nodes of 512 bytes instead of 4096 make the load twice as
	 * fast and leave the awards as they were, or a little faster. */
	const char *argv[] = { b->opt.redis,
			       "--port",
			       "0",
			       "--unixsocket",
			       b->redis_socket,
			       "--unixsocketperm",
			       "700",
			       "--dir",
			       data,
			       "--daemonize",
			       "no",
			       "--save",
			       "",
			       "--appendonly",
			       "yes",
			       "--appendfsync",
			       "always",
			       "--auto-aof-rewrite-percentage",
			       "0",
			       "--stream-node-max-bytes",
			       "512",
			       "--loglevel",
			       "warning",
			       NULL };

	if (make_dir(b, "redis", data, sizeof(data)) != 0 || path_make(log, sizeof(log), "%s/redis.txt", b->dir) != 0 ||
	    child_start(&b->redis, "redis-server", log, argv) != 0)
		return -1;
	return await(&b->redis, redis_prepare, b->redis_socket);
}

static int start_floor(struct bench *b)
{
	char path[600];

	if (make_dir(b, "lmdb", path, sizeof(path)) != 0)
		return -1;
	return lmdb_commit_open(path, b->opt.value_size, &b->floor);
}

/* Lets what the last phase left behind come to an end, so that the next does not pay for it: dirty
 * pages, a checkpoint, sealing. */
static void settle(struct bench *b)
{
	for (unsigned i = 0; i < 50 && !interrupted; i++) {
		uint64_t before = child_cpu_us(&b->diana) + child_cpu_us(&b->redis);

		sync();
		pause_ms(200);
		if (child_cpu_us(&b->diana) + child_cpu_us(&b->redis) - before <= 10000)
			return;
	}
	if (!interrupted)
		complain("a server is still busy after 10 idle seconds");
}

/* --- measuring --- */

struct watch {
	struct child *child;
	uint64_t *peak;
};

static void watch_memory(void *arg)
{
	struct watch *w = arg;
	uint64_t now = child_anon_bytes(w->child);

	if (now > *w->peak)
		*w->peak = now;
}

/* Runs the load; a failure is explained by the end of the server, if it ended. */
static int measured_run(struct child *child, const struct load_spec *spec, struct measure *m)
{
	uint64_t cpu = child_cpu_us(child), own = own_cpu_us();

	if (load_run(spec, &m->load) != 0) {
		pause_ms(200);
		child_alive(child);
		return -1;
	}
	m->cpu_us += child_cpu_us(child) - cpu;
	m->own_cpu_us += own_cpu_us() - own;
	if (m->load.errors == 0)
		return 0;
	complain("%s: %" PRIu64 " replies were errors, the first: %s", child->name, m->load.errors,
		 m->load.first_error);
	return -1;
}

static struct load_spec spec_of(const struct bench *b, const struct scenario *s)
{
	double seconds = s->seconds / s->rounds;

	return (struct load_spec){
		.op = s->op,
		.connections = s->connections,
		.depth = s->depth,
		.count = (s->op == OP_AWARD ? b->opt.awards : b->opt.queries) / s->rounds,
		.warmup_s = seconds < 2 ? seconds / 8 : 0.25,
		.seconds = seconds,
	};
}

static int measure_diana(struct bench *b, struct scenario *s)
{
	struct watch watch = { &b->diana, &b->totals.peak_anon_bytes };
	struct load_spec spec = spec_of(b, s);

	spec.driver = &diana_driver;
	spec.socket = b->diana_socket;
	spec.work = &b->diana_work;
	spec.tick = watch_memory;
	spec.tick_arg = &watch;
	return measured_run(&b->diana, &spec, &s->diana);
}

static int measure_redis(struct bench *b, struct scenario *s)
{
	struct load_spec spec = spec_of(b, s);

	spec.driver = &redis_driver;
	spec.socket = b->redis_socket;
	spec.work = &b->redis_work;
	return measured_run(&b->redis, &spec, &s->redis);
}

static int measure_scenario(struct bench *b, struct scenario *s)
{
	printf("%s, %u connections × %u in flight\n", s->name, s->connections, s->depth);
	for (unsigned round = 0; round < s->rounds; round++) {
		double seconds = s->seconds / s->rounds;

		if (uses(b, SIDE_LMDB) && s->floor_target != 0) {
			settle(b);
			if (lmdb_commit_run(b->floor, seconds / 16, seconds, &s->floor.load) != 0)
				return -1;
		}
		if (uses(b, SIDE_DIANA)) {
			settle(b);
			if (measure_diana(b, s) != 0)
				return -1;
		}
		if (uses(b, SIDE_REDIS)) {
			settle(b);
			if (measure_redis(b, s) != 0)
				return -1;
		}
	}
	return 0;
}

/* --- loading and checking --- */

static int load_users(struct child *child, const struct driver *driver, const char *socket, struct workload *work,
		      uint32_t connections, uint32_t depth, double *ret_seconds)
{
	struct load_spec spec = { .driver = driver,
				  .socket = socket,
				  .work = work,
				  .op = OP_LOAD,
				  .connections = connections,
				  .depth = depth };
	struct measure *m = calloc(1, sizeof(*m));
	int rc;

	if (m == NULL) {
		complain("out of memory");
		return -1;
	}
	printf("%s: loading %u users", driver->name, work->users);
	fflush(stdout);
	rc = measured_run(child, &spec, m);
	printf(": %.1f s\n", m->load.seconds);
	*ret_seconds = m->load.seconds;
	free(m);
	return rc;
}

/* The servers must hold what the load said, or the figures mean nothing. */
static int check_balances(const char *name, const struct workload *work, const char *socket,
			  int (*balance)(const char *socket, uint32_t user, int64_t *ret_balance))
{
	for (uint32_t i = 0; i < SAMPLE_USERS; i++) {
		uint32_t index = (uint32_t)(mix64(i) % work->users);
		int64_t is, expected = (int64_t)workload_first_amount(index) * 1000;

		if (balance(socket, USER_BASE + index, &is) != 0)
			return -1;
		if (is != expected) {
			complain("%s: user %u has %" PRId64 " thousandths instead of %" PRId64, name, USER_BASE + index,
				 is, expected);
			return -1;
		}
	}
	return 0;
}

static int check_sum(const char *name, const struct workload *work, const char *socket,
		     int (*credited)(const char *socket, int64_t *ret_sum))
{
	int64_t is, expected = (int64_t)work->credited * 1000;

	if (credited(socket, &is) != 0)
		return -1;
	if (is == expected)
		return 0;
	complain("%s: %" PRId64 " thousandths credited instead of %" PRId64, name, is, expected);
	return -1;
}

static int load_diana(struct bench *b)
{
	if (load_users(&b->diana, &diana_driver, b->diana_socket, &b->diana_work, 2, 4, &b->totals.diana_load_s) != 0)
		return -1;
	return check_balances("dianad", &b->diana_work, b->diana_socket, diana_balance);
}

static int load_redis(struct bench *b)
{
	if (redis_set_fsync(b->redis_socket, "no") != 0 ||
	    load_users(&b->redis, &redis_driver, b->redis_socket, &b->redis_work, 16, 64, &b->totals.redis_load_s) !=
		    0 ||
	    redis_set_fsync(b->redis_socket, "always") != 0)
		return -1;
	return check_balances("redis", &b->redis_work, b->redis_socket, redis_balance);
}

/* Bytes the log and the append-only file have on disk, and the awards they have seen. */
struct disk_state {
	struct usage log;
	struct usage aof;
	uint64_t log_awards;
	uint64_t aof_awards;
};

static int disk_state(struct bench *b, struct disk_state *ret_state)
{
	struct disk_state s = { .log_awards = b->diana_work.awards, .aof_awards = b->redis_work.awards };
	char path[600];

	if (uses(b, SIDE_DIANA) &&
	    (path_make(path, sizeof(path), "%s/diana/log", b->dir) != 0 || disk_usage(path, &s.log) != 0))
		return -1;
	if (uses(b, SIDE_REDIS) &&
	    (path_make(path, sizeof(path), "%s/redis", b->dir) != 0 || disk_usage(path, &s.aof) != 0))
		return -1;
	*ret_state = s;
	return 0;
}

static int measure_disk(struct bench *b, const struct disk_state *before)
{
	struct totals *t = &b->totals;
	struct disk_state after;

	settle(b);
	if (disk_state(b, &after) != 0 || (uses(b, SIDE_DIANA) && diana_head_seq(b->diana_socket, &t->log_events) != 0))
		return -1;
	t->log_bytes = after.log.allocated;
	/* Sealing may have made the log smaller meanwhile. */
	if (after.log.allocated > before->log.allocated)
		t->log_growth = after.log.allocated - before->log.allocated;
	t->log_awards = after.log_awards - before->log_awards;
	t->aof_growth = after.aof.size - before->aof.size;
	t->aof_awards = after.aof_awards - before->aof_awards;
	return 0;
}

static int measure_rebuild(struct bench *b)
{
	uint64_t began;

	printf("rebuild\n");
	settle(b);
	if (diana_head_seq(b->diana_socket, &b->totals.rebuild_events) != 0)
		return -1;
	began = now_ns();
	if (diana_rebuild(b->diana_socket, REBUILD_PATIENCE_S) != 0) {
		child_alive(&b->diana);
		return -1;
	}
	b->totals.rebuild_s = (double)(now_ns() - began) / 1e9;
	return 0;
}

/* --- the mixed workload --- */

static int measure_mix(struct bench *b)
{
	const struct scenario *awards = &b->scenarios[0];
	struct measure prepared = { 0 };
	struct load_spec spec = spec_of(b, awards);

	printf("mixed, %u connections × %u in flight\n", spec.connections, spec.depth);
	spec.driver = &diana_driver;
	spec.socket = b->diana_socket;
	spec.work = &b->diana_work;
	spec.op = OP_PREPARE;
	if (measured_run(&b->diana, &spec, &prepared) != 0)
		return -1;
	settle(b);
	spec.op = OP_MIX;
	spec.expects = mix_expects;
	return measured_run(&b->diana, &spec, &b->totals.mix);
}

/* --- the run --- */

static int start_all(struct bench *b)
{
	if (uses(b, SIDE_LMDB) && start_floor(b) != 0)
		return -1;
	if (uses(b, SIDE_DIANA) && (start_diana(b) != 0 || load_diana(b) != 0))
		return -1;
	if (uses(b, SIDE_REDIS) && (start_redis(b) != 0 || load_redis(b) != 0))
		return -1;
	return 0;
}

static int check_sums(const struct bench *b)
{
	if (uses(b, SIDE_DIANA) && check_sum("dianad", &b->diana_work, b->diana_socket, diana_credited) != 0)
		return -1;
	if (uses(b, SIDE_REDIS) && check_sum("redis", &b->redis_work, b->redis_socket, redis_credited) != 0)
		return -1;
	return 0;
}

static int run(struct bench *b)
{
	struct disk_state before = { 0 };
	bool disk_done = false;

	if (start_all(b) != 0)
		return -1;
	settle(b);
	if (disk_state(b, &before) != 0)
		return -1;
	/* The awards come first: the queries then see what they left. */
	for (size_t i = 0; i < b->n_scenarios; i++) {
		if (!disk_done && b->scenarios[i].op != OP_AWARD) {
			if (measure_disk(b, &before) != 0)
				return -1;
			disk_done = true;
		}
		if (measure_scenario(b, &b->scenarios[i]) != 0)
			return -1;
	}
	if (check_sums(b) != 0)
		return -1;
	/* after the sums were compared: activity and missions pay, too */
	if (uses(b, SIDE_DIANA) && measure_mix(b) != 0)
		return -1;
	return uses(b, SIDE_DIANA) && b->opt.rebuild ? measure_rebuild(b) : 0;
}

static int report(const struct bench *b)
{
	unsigned misses = report_table(stdout, b->scenarios, b->n_scenarios, &b->totals);
	FILE *f;

	if (b->opt.quick)
		printf("(--quick: the figures mean little)\n");
	if (b->opt.json != NULL) {
		f = fopen(b->opt.json, "w");
		if (f != NULL)
			report_json(f, b->scenarios, b->n_scenarios, &b->totals);
		if (f == NULL || fclose(f) != 0) {
			complain("%s: %s", b->opt.json, strerror(errno));
			return 1;
		}
	}
	return misses > 0 && b->opt.strict;
}

static void clean_up(struct bench *b)
{
	child_stop(&b->diana);
	child_stop(&b->redis);
	lmdb_commit_close(b->floor);
	if (b->dir[0] == '\0')
		return;
	if (b->opt.keep)
		printf("the data is in %s\n", b->dir);
	else
		remove_tree(b->dir);
}

int main(int argc, char **argv)
{
	static struct bench b;
	int rc = options_parse(&b.opt, argc, argv);

	if (rc != 0)
		return rc < 0 ? 2 : 0;
	interrupt_install();
	b.diana_work = b.redis_work = (struct workload){ .users = b.opt.users, .random = 1 };
	b.totals.users = b.opt.users;
	scenarios_choose(&b);
	setvbuf(stdout, NULL, _IOLBF, 0);

	rc = make_place(&b) == 0 && run(&b) == 0 ? 0 : 1;
	if (rc == 0)
		rc = report(&b);
	else if (interrupted)
		complain("interrupted");
	clean_up(&b);
	return rc;
}
