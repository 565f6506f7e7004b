/*
 * dianad and redis-server, side by side: awards and queries over the Unix socket, both durable
 * before they answer, both with the same users; beside them what a bare LMDB commit costs on this
 * disk. Run by scripts/bench; the options are listed by --help.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lmdb_commit.h"
#include "mix.h"
#include "proto_diana.h"
#include "proto_redis.h"
#include "report.h"
#include "stage.h"

#define SCENARIOS_MAX 8
#define SAMPLE_USERS 50
#define REBUILD_PATIENCE_S 300

enum side { SIDE_ALL, SIDE_DIANA, SIDE_REDIS, SIDE_LMDB };

struct options {
	const char *redis;
	uint64_t connections; /* 0: the standard shapes */
	uint64_t depth;
	uint64_t awards;
	uint64_t queries;
	double seconds;
	uint64_t value_size;
	const char *only;
	bool no_rebuild;
};

struct bench {
	struct stage stage; /* dianad's, and everybody's directory */
	struct options opt;
	enum side only;
	char redis_socket[108]; /* sun_path */
	struct child redis;
	struct workload redis_work;
	struct lmdb_commit *floor;
	struct scenario scenarios[SCENARIOS_MAX];
	size_t n_scenarios;
	struct totals totals;
};

static bool uses(const struct bench *b, enum side side)
{
	return b->only == SIDE_ALL || b->only == side;
}

/* --- options --- */

static bool parse_side(const char *text, enum side *ret_side)
{
	static const char *const names[] = { "all", "diana", "redis", "lmdb" };

	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_side = (enum side)i;
			return true;
		}
	}
	complain("--only: all, diana, redis or lmdb");
	return false;
}

/* Sizes that were not given: those of --quick, or the standard ones. */
static void sizes_default(struct bench *b)
{
	struct options *o = &b->opt;
	bool quick = b->stage.opt.quick;

	if (b->stage.opt.users == 0)
		b->stage.opt.users = quick ? 20000 : 1000000;
	if (o->awards == 0)
		o->awards = quick ? 100000 : 2000000;
	if (o->queries == 0)
		o->queries = quick ? 100000 : 4000000;
	if (o->seconds == 0)
		o->seconds = quick ? 1 : 8;
}

/* As options_parse(). */
static int options_read(struct bench *b, int argc, char **argv)
{
	struct options *o = &b->opt;
	const struct option_def ours[] = {
		{ "redis", "PATH", OPTION_TEXT, &o->redis, 0, "redis-server to compare with (redis-server)" },
		{ "connections", "N", OPTION_COUNT, &o->connections, 10000, "one shape instead of the standard ones" },
		{ "depth", "N", OPTION_COUNT, &o->depth, 65536, "likewise: commands in flight on each connection" },
		{ "awards", "N", OPTION_COUNT, &o->awards, UINT64_MAX, "at most so many awards per phase (2000000)" },
		{ "queries", "N", OPTION_COUNT, &o->queries, UINT64_MAX,
		  "at most so many queries per phase (4000000)" },
		{ "seconds", "S", OPTION_SECONDS, &o->seconds, 0, "at most so long per phase and server (8)" },
		{ "value-size", "N", OPTION_COUNT, &o->value_size, 1 << 20, "bytes of a bare LMDB commit (350)" },
		{ "only", "SIDE", OPTION_TEXT, &o->only, 0, "diana, redis or lmdb alone" },
		{ "no-rebuild", NULL, OPTION_FLAG, &o->no_rebuild, 0, "leave out the rebuild of the projections" },
	};
	struct option_def defs[OPTIONS_MAX];
	size_t n = stage_option_defs(&b->stage.opt, defs);
	int rc;

	*o = (struct options){ .redis = "redis-server", .value_size = 350, .only = "all" };
	memcpy(defs + n, ours, sizeof(ours));
	rc = options_parse("bench_ledger", defs, n + COUNT(ours), argc, argv);
	if (rc == 0 && !parse_side(o->only, &b->only))
		rc = -1;
	sizes_default(b);
	return rc;
}

/* --- the scenarios --- */

static void scenario_add(struct bench *b, struct scenario s)
{
	const struct options *o = &b->opt;

	if (o->connections != 0 || o->depth != 0) {
		s.connections = o->connections != 0 ? (uint32_t)o->connections : 64;
		s.depth = o->depth != 0 ? (uint32_t)o->depth : 64;
		s.target = 0;
		if (s.connections != 1 || s.depth != 1)
			s.floor_target = 0;
	}
	s.seconds *= o->seconds;
	s.warmup *= o->seconds;
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
		  .warmup = 0.5,
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
		  .rounds = 4,
		  .seconds = 0.5,
		  .target = 1 },
		{ .name = "balance",
		  .theirs = "HGET",
		  .op = OP_BALANCE,
		  .connections = 64,
		  .depth = 1,
		  .rounds = 4,
		  .seconds = 0.5,
		  .target = 1 },
		{ .name = "rank",
		  .theirs = "ZREVRANK",
		  .op = OP_RANK,
		  .connections = 64,
		  .depth = 64,
		  .rounds = 4,
		  .seconds = 0.5,
		  .target = 1 },
		{ .name = "rank",
		  .theirs = "ZREVRANK",
		  .op = OP_RANK,
		  .connections = 64,
		  .depth = 1,
		  .rounds = 4,
		  .seconds = 0.5,
		  .target = 1 },
	};
	bool one_shape = b->opt.connections != 0 || b->opt.depth != 0;

	for (size_t i = 0; i < COUNT(standard); i++) {
		bool same_op = i > 0 && standard[i].op == standard[i - 1].op;

		if (b->only == SIDE_LMDB && standard[i].floor_target == 0)
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

	if (path_make(b->redis_socket, sizeof(b->redis_socket), "%s/redis.sock", b->stage.dir) != 0 ||
	    stage_make_dir(&b->stage, "redis", data, sizeof(data)) != 0 ||
	    path_make(log, sizeof(log), "%s/redis.txt", b->stage.dir) != 0 ||
	    child_start(&b->redis, "redis-server", log, argv) != 0)
		return -1;
	return await_ready(&b->redis, redis_prepare, b->redis_socket, 20);
}

static int start_floor(struct bench *b)
{
	char path[600];

	if (stage_make_dir(&b->stage, "lmdb", path, sizeof(path)) != 0)
		return -1;
	return lmdb_commit_open(path, b->opt.value_size, &b->floor);
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

static struct load_spec spec_of(const struct bench *b, const struct scenario *s)
{
	double seconds = s->seconds / s->rounds;
	double short_warmup = seconds < 2 ? seconds / 8 : 0.25;

	return (struct load_spec){
		.op = s->op,
		.connections = s->connections,
		.depth = s->depth,
		.count = (s->op == OP_AWARD ? b->opt.awards : b->opt.queries) / s->rounds,
		.warmup_s = s->warmup > 0 ? s->warmup : short_warmup,
		.seconds = seconds,
	};
}

static int measure_diana(struct bench *b, struct scenario *s)
{
	struct watch watch = { &b->stage.diana, &b->totals.peak_anon_bytes };
	struct load_spec spec = spec_of(b, s);

	spec.driver = &diana_driver;
	spec.socket = b->stage.socket;
	spec.work = &b->stage.work;
	spec.tick = watch_memory;
	spec.tick_arg = &watch;
	return measured_run(&b->stage.diana, &spec, &s->diana);
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
			settle(&b->stage.diana, &b->redis);
			if (lmdb_commit_run(b->floor, seconds / 16, seconds, &s->floor.load) != 0)
				return -1;
		}
		if (uses(b, SIDE_DIANA)) {
			settle(&b->stage.diana, &b->redis);
			if (measure_diana(b, s) != 0)
				return -1;
		}
		if (uses(b, SIDE_REDIS)) {
			settle(&b->stage.diana, &b->redis);
			if (measure_redis(b, s) != 0)
				return -1;
		}
	}
	return 0;
}

/* --- loading and checking --- */

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

static int load_diana(struct bench *b)
{
	if (load_users(&b->stage.diana, &diana_driver, b->stage.socket, &b->stage.work, 2, 4,
		       &b->totals.diana_load_s) != 0)
		return -1;
	return check_balances("dianad", &b->stage.work, b->stage.socket, diana_balance);
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
	struct disk_state s = { .log_awards = b->stage.work.awards, .aof_awards = b->redis_work.awards };
	char path[600];

	if (uses(b, SIDE_DIANA) && stage_log_usage(&b->stage, &s.log) != 0)
		return -1;
	if (uses(b, SIDE_REDIS) &&
	    (path_make(path, sizeof(path), "%s/redis", b->stage.dir) != 0 || disk_usage(path, &s.aof) != 0))
		return -1;
	*ret_state = s;
	return 0;
}

static int measure_disk(struct bench *b, const struct disk_state *before)
{
	struct totals *t = &b->totals;
	struct disk_state after;

	settle(&b->stage.diana, &b->redis);
	if (disk_state(b, &after) != 0 || (uses(b, SIDE_DIANA) && diana_head_seq(b->stage.socket, &t->log_events) != 0))
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
	settle(&b->stage.diana, &b->redis);
	if (diana_head_seq(b->stage.socket, &b->totals.rebuild_events) != 0)
		return -1;
	began = now_ns();
	if (diana_rebuild(b->stage.socket, REBUILD_PATIENCE_S) != 0) {
		child_alive(&b->stage.diana);
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
	spec.socket = b->stage.socket;
	spec.work = &b->stage.work;
	spec.op = OP_PREPARE;
	if (measured_run(&b->stage.diana, &spec, &prepared) != 0)
		return -1;
	settle(&b->stage.diana, &b->redis);
	spec.op = OP_MIX;
	spec.expects = mix_expects;
	return measured_run(&b->stage.diana, &spec, &b->totals.mix);
}

/* --- the run --- */

static int start_all(struct bench *b)
{
	if (uses(b, SIDE_LMDB) && start_floor(b) != 0)
		return -1;
	if (uses(b, SIDE_DIANA) && (stage_start(&b->stage, 20) != 0 || load_diana(b) != 0))
		return -1;
	if (uses(b, SIDE_REDIS) && (start_redis(b) != 0 || load_redis(b) != 0))
		return -1;
	return 0;
}

static int check_sums(const struct bench *b)
{
	if (uses(b, SIDE_DIANA) && check_sum("dianad", &b->stage.work, b->stage.socket, diana_credited) != 0)
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
	settle(&b->stage.diana, &b->redis);
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
	return uses(b, SIDE_DIANA) && !b->opt.no_rebuild ? measure_rebuild(b) : 0;
}

static void write_json(FILE *f, const void *arg)
{
	const struct bench *b = arg;

	report_json(f, b->scenarios, b->n_scenarios, &b->totals);
}

static int report(const struct bench *b)
{
	unsigned misses = report_table(stdout, b->scenarios, b->n_scenarios, &b->totals);

	return stage_reported(&b->stage, misses, write_json, b);
}

static void clean_up(struct bench *b)
{
	child_stop(&b->redis);
	lmdb_commit_close(b->floor);
	stage_close(&b->stage);
}

int main(int argc, char **argv)
{
	static struct bench b;
	int rc = options_read(&b, argc, argv);

	if (rc != 0)
		return rc < 0 ? 2 : 0;
	interrupt_install();
	b.stage.work = b.redis_work = (struct workload){ .users = (uint32_t)b.stage.opt.users, .random = 1 };
	b.totals.users = b.stage.work.users;
	scenarios_choose(&b);
	setvbuf(stdout, NULL, _IOLBF, 0);

	rc = stage_open(&b.stage) == 0 && run(&b) == 0 ? 0 : 1;
	if (rc == 0)
		rc = report(&b);
	else if (interrupted)
		complain("interrupted");
	clean_up(&b);
	return rc;
}
