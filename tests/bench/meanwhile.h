#ifndef DIANA_BENCH_MEANWHILE_H
#define DIANA_BENCH_MEANWHILE_H

#include "stage.h"

/*
 * Long work that goes on beside the awards: one command line of dianactl per kind, run until it is done, and again
 * while that took less than two seconds.
 *
 *   meanwhile_start()
 *   meanwhile_over()     as the `over` of a load: whether the work is done
 *   meanwhile_finish()   in any case: waits for the rest of it, and takes away what it made
 */
struct meanwhile {
	const char *name;
	const char *args[9]; /* {socket}, {data}, {head} and {fresh}, a path that is not there, are filled in */
};

extern const struct meanwhile meanwhiles[];
enum { MEANWHILES = 4 };
/* NULL, said on stderr: there is none of this name. */
const struct meanwhile *meanwhile_find(const char *name);

struct meanwhile_run {
	const struct stage *stage;
	const char *dianactl;
	const struct meanwhile *what;
	struct child child;
	enum child_state state; /* of the last of its runs */
	uint64_t began;         /* ns */
	double took_s;          /* all of its runs, set by meanwhile_finish() */
	char fresh[600];
};

/* stage, dianactl and what are set. -1: said on stderr. */
int meanwhile_start(struct meanwhile_run *r);
bool meanwhile_over(void *run);
/* -1: it failed, which is said on stderr with what it wrote. */
int meanwhile_finish(struct meanwhile_run *r);

#endif
