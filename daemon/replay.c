#include "daemon/replay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/client_format.h"
#include "daemon/clock.h"
#include "daemon/event_log.h"
#include "daemon/log_directory.h"
#include "daemon/plans.h"
#include "log/log.h"
#include "projections/engine.h"

enum {
	PATH_SIZE = 4096,
	PARAMS_ARENA_MAX = 64 << 20,
	STEP = 1000, /* events between two looks at whether a checkpoint is due */
	/* Well below what makes the engine write one by itself, in the middle of a step and without a root */
	CHECKPOINT_BYTES = 16 << 20,
	CHECKPOINT_EVERY_MS = 5000,
};
/* What says that a directory is a cache, and its views may be thrown away. */
static const char mark_name[] = "replay";

struct replay {
	struct log *log;
	struct log_reader *reader;
	struct event_source source;
	struct engine *engine;
	struct replay_moment moment;
	uint8_t first[32]; /* root over the first event alone */
};

int replay_open(const char *data, struct replay **ret, struct err *err)
{
	struct replay *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	rc = plans_init(err);
	if (rc == 0)
		rc = log_directory_open(data, &r->log, &r->reader, err);
	if (rc == 0 && log_reader_head(r->reader) == 0)
		rc = err_set(err, E_NOT_FOUND, "the ledger in %.120s has no event yet", data);
	if (rc == 0)
		rc = log_prove_root(r->reader, 1, r->first, err);
	if (rc != 0) {
		replay_close(r);
		return rc;
	}
	r->source = event_source_of(r->reader);
	*ret = r;
	return 0;
}

void replay_close(struct replay *r)
{
	if (r == NULL)
		return;
	engine_close(r->engine);
	log_reader_close(r->reader);
	log_close(r->log);
	plans_free();
	free(r);
}

void replay_name(const struct replay *r, char ret[REPLAY_NAME])
{
	for (int i = 0; i < (REPLAY_NAME - 1) / 2; i++)
		snprintf(ret + 2 * i, 3, "%02x", r->first[i]);
}

/* ---- moments ---- */

static int event_time(struct replay *r, uint64_t seq, int64_t *ret_at, struct err *err)
{
	struct arena arena;
	struct event ev;
	int rc;

	arena_init(&arena, PARAMS_ARENA_MAX);
	rc = r->source.get(r->source.arg, seq, &arena, &ev, err);
	if (rc == 0)
		*ret_at = ev.at;
	arena_free(&arena);
	return rc;
}

int replay_at_seq(struct replay *r, uint64_t seq, struct replay_moment *ret, struct err *err)
{
	uint64_t head = log_reader_head(r->reader);
	int rc;

	if (seq > head)
		return err_set(err, E_NOT_FOUND, "event %" PRIu64 " is not there yet: the last one is %" PRIu64, seq,
			       head);
	rc = log_reader_commit_end(r->reader, seq, &ret->seq, err);
	return rc == 0 ? event_time(r, seq, &ret->now, err) : rc;
}

static int begins_later(struct replay *r, struct err *err)
{
	char text[CLIENT_FORMAT_MAX];
	int64_t at = 0;
	int rc = event_time(r, 1, &at, err);

	if (rc != 0)
		return rc;
	return err_set(err, E_NOT_FOUND, "the ledger begins later: its first event is of %s UTC",
		       client_format_time(text, at, true));
}

int replay_at_time(struct replay *r, int64_t now, struct replay_moment *ret, struct err *err)
{
	uint64_t next = 0;
	int rc = log_reader_seek_time(r->reader, now + 1, &next, err);

	if (rc != 0)
		return rc;
	if (next <= 1)
		return begins_later(r, err);
	*ret = (struct replay_moment){ next - 1, now };
	return 0;
}

/* ---- the cache ---- */

static int fail_dir(const char *dir, struct err *err)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	return err_set(err, full ? E_STORAGE_FULL : E_UNAVAILABLE, "%.120s: %s", dir, strerror(errno));
}

/* With the directories above it. */
static int make_dirs(char *dir, struct err *err)
{
	for (char *at = strchr(dir + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(dir, 0700) != 0 && errno != EEXIST)
			return fail_dir(dir, err);
		*at = '/';
	}
	return mkdir(dir, 0700) == 0 || errno == EEXIST ? 0 : fail_dir(dir, err);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int is_empty(const char *dir, bool *ret, struct err *err)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_entry, alphasort);

	if (n < 0)
		return fail_dir(dir, err);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	*ret = n == 0;
	return 0;
}

/* Views of a daemon would be thrown away as readily as ours: only what has the mark, or is empty, is taken. */
static int claim_dir(const char *dir, struct err *err)
{
	char mark[PATH_SIZE + 16];
	bool empty = false;
	int fd, rc;

	snprintf(mark, sizeof(mark), "%s/%s", dir, mark_name);
	if (access(mark, F_OK) == 0)
		return 0;
	rc = is_empty(dir, &empty, err);
	if (rc != 0)
		return rc;
	if (!empty)
		return err_field(err, "cache", "%.120s holds something else: name an empty directory", dir);
	fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_dir(mark, err);
	close(fd);
	return 0;
}

static int open_cache(struct replay *r, const char *cache, struct err *err)
{
	char dir[PATH_SIZE], views[PATH_SIZE + 16];
	int rc;

	if ((size_t)snprintf(dir, sizeof(dir), "%s", cache) >= sizeof(dir))
		return err_field(err, "cache", "is too long");
	rc = make_dirs(dir, err);
	if (rc == 0)
		rc = claim_dir(dir, err);
	snprintf(views, sizeof(views), "%s/views", dir);
	return rc == 0 ? engine_open(views, &r->engine, err) : rc;
}

/* Its root says whether the checkpoint is of this log; one without a root was written when the engine had to. */
static enum replay_cache examine_cache(struct replay *r, uint64_t to)
{
	uint8_t seen[ENGINE_ROOT], root[ENGINE_ROOT];
	struct err err;
	uint64_t seq;

	engine_checkpoint(r->engine, &seq, seen);
	if (seq == 0)
		return REPLAY_EMPTY;
	if (engine_next(r->engine) != seq + 1 || seq > log_reader_head(r->reader) ||
	    log_prove_root(r->reader, seq, root, &err) != 0 || memcmp(root, seen, ENGINE_ROOT) != 0)
		return REPLAY_OF_OTHER;
	if (seq > to)
		return REPLAY_LATER;
	return seq == to ? REPLAY_THERE : REPLAY_EARLIER;
}

/* ---- folding ---- */

static int checkpoint(struct replay *r, struct err *err)
{
	uint64_t seq = engine_next(r->engine) - 1;
	uint8_t root[ENGINE_ROOT];
	int rc;

	if (seq == 0)
		return 0;
	rc = log_prove_root(r->reader, seq, root, err);
	if (rc != 0)
		return rc;
	engine_freeze(r->engine, seq);
	rc = engine_apply(r->engine, root, err);
	return rc == 0 ? engine_applied(r->engine, err) : rc;
}

static bool checkpoint_is_due(struct replay *r, int64_t last_ms)
{
	uint64_t rows, bytes;

	engine_pending(r->engine, &rows, &bytes);
	return bytes >= CHECKPOINT_BYTES || monotonic_ms() - last_ms >= CHECKPOINT_EVERY_MS;
}

static int fold_to(struct replay *r, uint64_t to, const struct replay_watch *watch, struct err *err)
{
	int64_t last_ms = monotonic_ms();
	uint64_t next;
	int rc = 0;

	while (rc == 0 && (next = engine_next(r->engine)) <= to) {
		/* A new transaction each time: what the daemon frees meanwhile is not held back. */
		rc = log_reader_refresh(r->reader, err);
		if (rc == 0)
			rc = engine_catch_up(r->engine, &r->source, to - next < STEP ? to : next + STEP - 1, NULL, NULL,
					     err);
		if (rc == 0 && !watch->progress(watch->arg, engine_next(r->engine) - 1, to)) {
			rc = checkpoint(r, err);
			return rc == 0 ? err_set(err, E_UNAVAILABLE, "stopped") : rc;
		}
		if (rc == 0 && (engine_next(r->engine) > to || checkpoint_is_due(r, last_ms))) {
			rc = checkpoint(r, err);
			last_ms = monotonic_ms();
		}
	}
	return rc;
}

int replay_fold(struct replay *r, const char *cache, const struct replay_moment *to, const struct replay_watch *watch,
		struct err *err)
{
	enum replay_cache found;
	int rc = open_cache(r, cache, err);

	if (rc != 0)
		return rc;
	found = examine_cache(r, to->seq);
	if (found == REPLAY_LATER || found == REPLAY_OF_OTHER)
		rc = engine_discard(r->engine, err);
	if (rc != 0)
		return rc;
	watch->begin(watch->arg, found, engine_next(r->engine), to->seq);
	rc = fold_to(r, to->seq, watch, err);
	r->moment = *to;
	return rc;
}

/* ---- asking ---- */

int replay_find(struct slice method, struct slice params, enum method_id *ret, struct err *err)
{
	int rc = plans_find(method, params, ret, err);

	if (rc != 0)
		return rc;
	switch (method_defs[*ret].class) {
	case METHOD_COMMAND:
		return err_set(err, E_FORBIDDEN, "%s is a command; the past is only asked", method_defs[*ret].name);
	case METHOD_SERVICE:
		return err_set(err, E_FORBIDDEN, "%s asks the daemon itself, not the views: call a running one",
			       method_defs[*ret].name);
	case METHOD_QUERY:
		break;
	}
	return 0;
}

int replay_query(struct replay *r, enum method_id id, struct slice params, struct buf *out, struct err *err)
{
	struct bounded_log bound = { &r->source, r->moment.seq };
	struct event_source source = event_source_bounded(&bound);
	struct state *s = engine_state(r->engine);
	struct query q = {
		.state = s, .arena = s->arena, .log = &source, .now = r->moment.now, .out = out, .err = err
	};
	struct arena arena;
	int rc = log_reader_refresh(r->reader, err);

	if (rc != 0)
		return rc;
	arena_init(&arena, PARAMS_ARENA_MAX);
	rc = plans_query(id, params, &arena, &q);
	arena_free(&arena);
	arena_reset(s->arena);
	return rc;
}
