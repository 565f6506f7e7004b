#include "stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "measure.h"
#include "proto_diana.h"

#define FIXED_ARGS 5

size_t stage_option_defs(struct stage_options *o, struct option_def *defs)
{
	const struct option_def ours[] = {
		{ "dianad", "PATH", OPTION_TEXT, &o->dianad, 0, "daemon to measure (build/dianad)" },
		{ "dianad-arg", "ARG", OPTION_TEXTS, &o->dianad_args, 0, "one more argument for it; may be repeated" },
		{ "socket", "PATH", OPTION_TEXT, &o->socket, 0, "its socket (in the working directory of the run)" },
		{ "dir", "DIR", OPTION_TEXT, &o->dir, 0, "where to put that directory; a real disk (build)" },
		{ "users", "N", OPTION_COUNT, &o->users, 100000000,
		  "users that exist (1000000; bench_auditor: a tenth of the awards)" },
		{ "json", "FILE", OPTION_TEXT, &o->json, 0, "append the figures to it" },
		{ "quick", NULL, OPTION_FLAG, &o->quick, 0, "small sizes, to see that it works" },
		{ "keep", NULL, OPTION_FLAG, &o->keep, 0, "leave the data behind" },
		{ "strict", NULL, OPTION_FLAG, &o->strict, 0, "a missed target is a failure" },
	};

	o->dianad = "build/dianad";
	o->dir = "build";
	memcpy(defs, ours, sizeof(ours));
	return COUNT(ours);
}

int stage_open(struct stage *s)
{
	const struct stage_options *o = &s->opt;
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
	memcpy(s->dir, base, sizeof(base));
	if ((o->socket != NULL ? path_make(s->socket, sizeof(s->socket), "%s", o->socket)
			       : path_make(s->socket, sizeof(s->socket), "%s/diana.sock", s->dir)) != 0) {
		complain("give a shorter --dir or --socket");
		return -1;
	}
	return 0;
}

int stage_make_dir(const struct stage *s, const char *name, char *path, size_t size)
{
	if (path_make(path, size, "%s/%s", s->dir, name) != 0)
		return -1;
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	complain("%s: %s", path, strerror(errno));
	return -1;
}

int stage_start(struct stage *s, unsigned poll_ms)
{
	const char *argv[TEXTS_MAX + FIXED_ARGS + 1] = { s->opt.dianad, "--data", s->data, "--socket", s->socket };
	char log[600];

	memcpy(argv + FIXED_ARGS, s->opt.dianad_args.v, s->opt.dianad_args.n * sizeof(*argv));
	if (stage_make_dir(s, "diana", s->data, sizeof(s->data)) != 0 ||
	    path_make(log, sizeof(log), "%s/dianad.txt", s->dir) != 0 ||
	    child_start(&s->diana, "dianad", log, argv) != 0)
		return -1;
	return await_ready(&s->diana, diana_ready, s->socket, poll_ms);
}

void stage_close(struct stage *s)
{
	child_stop(&s->diana);
	if (s->dir[0] == '\0')
		return;
	if (s->opt.keep)
		printf("the data is in %s\n", s->dir);
	else
		remove_tree(s->dir);
}

int stage_log_usage(const struct stage *s, struct usage *ret_usage)
{
	char path[620];

	if (path_make(path, sizeof(path), "%s/log", s->data) != 0)
		return -1;
	return disk_usage(path, ret_usage);
}

static int write_json(const char *path, void (*json)(FILE *f, const void *arg), const void *arg)
{
	FILE *f = fopen(path, "a");

	if (f != NULL)
		json(f, arg);
	if (f != NULL && fclose(f) == 0)
		return 0;
	complain("%s: %s", path, strerror(errno));
	return -1;
}

int stage_reported(const struct stage *s, unsigned misses, void (*json)(FILE *f, const void *arg), const void *arg)
{
	if (s->opt.quick)
		printf("(--quick: the figures mean little)\n");
	if (s->opt.json != NULL && write_json(s->opt.json, json, arg) != 0)
		return 1;
	return misses > 0 && s->opt.strict;
}
