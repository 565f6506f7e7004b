#include "daemon/import.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/decide.h"

enum { LOOK_EVERY = 256, COMMIT_MAX = 16 << 20, ARENA_MAX = 64 << 20 };

/* The commit that is being read. */
struct commit {
	struct buf events;
	struct buf ends; /* uint32_t each */
	struct buf tags;
	int64_t at;
};

struct importing {
	struct export_reader *reader;
	struct log *log;
	struct commit commit;
	struct arena arena;
};

/* ---- writing ---- */

static int flush(struct log *log, struct err *err)
{
	struct block *b = log_begin_flush(log);
	int rc = 0;

	if (b != NULL) {
		rc = log_flush(log, b, err);
		log_end_flush(log, b, rc == 0);
	}
	return rc;
}

static int append_commit(struct importing *im, struct err *err)
{
	struct commit *c = &im->commit;
	int rc;

	if (c->tags.len == 0)
		return 0;
	rc = log_append(im->log, buf_slice(&c->events), (const uint32_t *)(const void *)c->ends.base, c->tags.base,
			c->tags.len, c->at, err);
	buf_reset(&c->events);
	buf_reset(&c->ends);
	buf_reset(&c->tags);
	return rc == 0 && log_wants_flush(im->log) ? flush(im->log, err) : rc;
}

static int add_event(struct importing *im, const struct export_entry *e, struct err *err)
{
	struct commit *c = &im->commit;
	uint32_t end;
	int rc = e->head.commit == e->head.seq ? append_commit(im, err) : 0;

	if (rc != 0)
		return rc;
	buf_append(&c->events, e->bytes.base, e->bytes.len);
	end = (uint32_t)c->events.len;
	buf_append(&c->ends, &end, sizeof(end));
	buf_byte(&c->tags, e->head.tag);
	c->at = e->head.at;
	if (c->events.failed || c->ends.failed || c->tags.failed)
		return err_set(err, E_LIMIT_EXCEEDED, "commit %" PRIu64 " is larger than a commit may be",
			       e->head.commit);
	return 0;
}

/* ---- reading ---- */

/* A daemon of this version is to start on it. */
static int check_known(struct importing *im, const struct export_entry *e, struct err *err)
{
	struct envelope env;
	struct event ev;

	arena_reset(&im->arena);
	if (event_from_stored(e->bytes, &im->arena, &ev, &env))
		return 0;
	return err_set(err, E_VERSION_UNSUPPORTED, "event %" PRIu64 " does not decode: of a newer version, or damaged",
		       e->head.seq);
}

static int copy_events(struct importing *im, bool (*progress)(void *, uint64_t, uint64_t), void *arg, struct err *err)
{
	const struct export_head *head = export_reader_head(im->reader);
	struct export_entry e;
	int rc;

	while ((rc = export_reader_next(im->reader, &e, err)) == 0) {
		rc = check_known(im, &e, err);
		if (rc == 0)
			rc = add_event(im, &e, err);
		if (rc == 0 && e.head.seq % LOOK_EVERY == 0 && progress != NULL &&
		    !progress(arg, e.head.seq, head->to_seq))
			rc = err_set(err, E_UNAVAILABLE, "stopped");
		if (rc != 0)
			return rc;
	}
	if (rc != E_NOT_FOUND)
		return rc;
	rc = append_commit(im, err);
	return rc == 0 ? flush(im->log, err) : rc;
}

/* What is on disk is what was read. */
static int check_root(struct importing *im, struct err *err)
{
	uint8_t is[MERKLE_HASH], wanted[MERKLE_HASH];
	uint64_t size;

	log_root(im->log, &size, is);
	export_reader_root(im->reader, wanted);
	if (size == export_reader_head(im->reader)->to_seq && memcmp(is, wanted, MERKLE_HASH) == 0)
		return 0;
	return err_set(err, E_INTERNAL, "the new log has another root than the export");
}

int import_log(struct export_reader *r, const char *dir, bool (*progress)(void *arg, uint64_t done, uint64_t of),
	       void *arg, struct err *err)
{
	struct importing im = { .reader = r };
	int rc;

	if (!export_reader_head(r)->whole)
		return err_set(err, E_INVALID_ARGUMENT, "it holds only a part of a log; only a whole one is imported");
	rc = log_open(dir, NULL, &im.log, err);
	if (rc != 0)
		return rc;
	arena_init(&im.arena, ARENA_MAX);
	buf_init(&im.commit.events, COMMIT_MAX);
	buf_init(&im.commit.ends, COMMIT_MAX);
	buf_init(&im.commit.tags, COMMIT_MAX);
	rc = copy_events(&im, progress, arg, err);
	if (rc == 0)
		rc = check_root(&im, err);
	buf_free(&im.commit.events);
	buf_free(&im.commit.ends);
	buf_free(&im.commit.tags);
	arena_free(&im.arena);
	log_close(im.log);
	return rc;
}
