#ifndef DAEMON_REPLAY_H
#define DAEMON_REPLAY_H

#include "core/decide.h"

/*
 * The ledger as it was: a log, read only, folded up to some moment into views of its own, which the queries of the
 * daemon then answer from.
 *
 *   replay_open()                        the log of a data directory, also beside its daemon, or of a backup
 *   replay_find()                        which question
 *   replay_at_seq() / replay_at_time()   which moment
 *   replay_fold()                        the views as of then, in a cache
 *   replay_query()                       any number of questions
 *   replay_close()
 *
 * A cache belongs to one process at a time. One that stands for an earlier moment of the same log is gone on with; any
 * other is begun anew, for views do not go backward.
 */
struct replay;

enum { REPLAY_NAME = 17 };

/* What queries are asked as of: after the last event of a commit, and what the clock showed. */
struct replay_moment {
	uint64_t seq;
	int64_t now;
};

/* E_NOT_FOUND: there is no ledger in data, or nothing in its log. Calls plans_init(). */
int replay_open(const char *data, struct replay **ret, struct err *err);
void replay_close(struct replay *r);

/* Names the ledger by its first event, which every copy of it has. */
void replay_name(const struct replay *r, char ret[REPLAY_NAME]);

/* The end of the commit that holds seq, at its time. E_NOT_FOUND: beyond the head. */
int replay_at_seq(struct replay *r, uint64_t seq, struct replay_moment *ret, struct err *err);
/* After the last event that is not later than `now`. E_NOT_FOUND: all are. */
int replay_at_time(struct replay *r, int64_t now, struct replay_moment *ret, struct err *err);

/* What replay_fold() found in the cache. */
enum replay_cache {
	REPLAY_EMPTY,
	REPLAY_THERE,    /* the very moment */
	REPLAY_EARLIER,  /* gone on with */
	REPLAY_LATER,    /* begun anew, as the next is */
	REPLAY_OF_OTHER, /* another log, another version, or cut off before it said of which log it was */
};

struct replay_watch {
	/* Told once, before the first event from..to is folded. */
	void (*begin)(void *arg, enum replay_cache found, uint64_t from, uint64_t to);
	/* Told now and then; false stops. */
	bool (*progress)(void *arg, uint64_t seq, uint64_t to);
	void *arg;
};

/*
 * cache is made if it is not there, and refused (E_INVALID_ARGUMENT) when it holds anything but a replay.
 * E_UNAVAILABLE: stopped (what was folded is kept), or another process has the cache; E_STORAGE_FULL: no room for it.
 */
int replay_fold(struct replay *r, const char *cache, const struct replay_moment *to, const struct replay_watch *watch,
		struct err *err);

/* Whether there is such a query: to be asked before anything is folded. params: a packed map. E_FORBIDDEN: the method
 * is a command, or one of the daemon's own; E_UNKNOWN_METHOD, E_INVALID_ARGUMENT. */
int replay_find(struct slice method, struct slice params, enum method_id *ret, struct err *err);

/* The query, as the daemon would have answered it after replay_fold(): one packed value in out. */
int replay_query(struct replay *r, enum method_id id, struct slice params, struct buf *out, struct err *err);

#endif
