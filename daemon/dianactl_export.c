#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/map_writer.h"
#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_progress.h"
#include "daemon/dianactl_session.h"
#include "daemon/dianactl_stop.h"
#include "daemon/export.h"
#include "daemon/log_directory.h"
#include "daemon/log_key.h"
#include "log/base64.h"

enum { LEVEL_DEFAULT = 3, NOTE_MAX = 1 << 16, LOOK_EVERY = 1024, PAGE = 1000, FILTER_ARENA_MAX = 64 << 20 };

struct export_values {
	const char *data, *format, *stream, *since, *until;
	uint64_t zstd, from_seq, to_seq, user;
	struct dianactl_texts types;
	bool raw, force;
};

static const struct dianactl_option export_options[] = {
	{ "data", 0, DIANACTL_TEXT, offsetof(struct export_values, data), "DIR",
	  "read this data directory, or backup, instead of asking the daemon" },
	{ "format", 0, DIANACTL_TEXT, offsetof(struct export_values, format), "FORMAT",
	  "ndjson or msgpack (default: by the file's name, else ndjson)" },
	{ "zstd", 0, DIANACTL_LEVEL, offsetof(struct export_values, zstd), "LEVEL",
	  "pack it, 1 to 19 (default: 3 where the name ends in .zst)" },
	{ "raw", 0, DIANACTL_FLAG, offsetof(struct export_values, raw), NULL,
	  "ndjson: the stored bytes in each line, so that others can hash them" },
	{ "force", 0, DIANACTL_FLAG, offsetof(struct export_values, force), NULL, "replace a file that is there" },
	{ "from-seq", 0, DIANACTL_NUMBER, offsetof(struct export_values, from_seq), "N", "only events from N on" },
	{ "to-seq", 0, DIANACTL_NUMBER, offsetof(struct export_values, to_seq), "N", "only events up to N" },
	{ "since", 0, DIANACTL_TEXT, offsetof(struct export_values, since), "TIME",
	  "only events from this day or moment on" },
	{ "until", 0, DIANACTL_TEXT, offsetof(struct export_values, until), "TIME",
	  "only events to the end of this day, or before this moment" },
	{ "user", 0, DIANACTL_NUMBER, offsetof(struct export_values, user), "ID",
	  "only events that concern this user" },
	{ "stream", 0, DIANACTL_TEXT, offsetof(struct export_values, stream), "STREAM",
	  "only this stream (user:5, points:5, auction:2, ...)" },
	{ "type", 't', DIANACTL_TEXTS, offsetof(struct export_values, types), "TYPE",
	  "only this type, or 'aggregate.*'; may be repeated" },
};

/* Of one run. */
struct exporting {
	struct dianactl *ctl;
	const struct export_values *values;
	const char *path; /* NULL: standard output */
	struct export_filter filter;
	struct export_head head;
	struct buf note, origin;   /* of head */
	uint8_t root[MERKLE_HASH]; /* of the log at head.to_seq, when whole */
	struct export_out *out;
	struct export_writer writer;
	struct dianactl_progress progress;
	uint64_t looked;
};

/* ---- writing ---- */

static int begin_file(struct exporting *x, struct err *err)
{
	int rc = export_write_head(&x->writer, &x->head, &x->filter, err);

	dianactl_progress_begin(&x->progress, "events", 0);
	return rc;
}

static int write_event(struct exporting *x, uint64_t seq, struct slice stored, struct err *err)
{
	if (x->looked++ % LOOK_EVERY == 0) {
		dianactl_progress_show(&x->progress, seq - x->head.from_seq, x->head.to_seq - x->head.from_seq + 1);
		if (dianactl_stop_wait(x->ctl, 0))
			return err_set(err, E_UNAVAILABLE, "stopped");
	}
	return export_write_event(&x->writer, stored, err);
}

/* What was written of a whole log leads to the root that it has. */
static int end_file(struct exporting *x, struct err *err)
{
	uint8_t root[MERKLE_HASH];
	int rc = export_write_end(&x->writer, root, err);

	dianactl_progress_end(&x->progress);
	if (rc == 0 && x->head.whole && memcmp(root, x->root, MERKLE_HASH) != 0)
		rc = err_set(err, E_INTERNAL,
			     "the events do not lead to the root of the log: it is damaged; dianactl "
			     "audit verify tells where");
	memcpy(x->root, root, MERKLE_HASH);
	return rc == 0 ? export_out_commit(x->out, err) : rc;
}

/* ---- from a directory ---- */

static int seek(struct log_reader *r, bool given, int64_t at, uint64_t otherwise, uint64_t *ret, struct err *err)
{
	*ret = otherwise;
	return given ? log_reader_seek_time(r, at, ret, err) : 0;
}

/* Which events, of those that are there now. */
static int find_range(struct exporting *x, struct log_reader *r, struct err *err)
{
	uint64_t head = log_reader_head(r), first, behind, last = x->filter.to_seq != 0 ? x->filter.to_seq : head;
	int rc;

	if (x->filter.from_seq > head || x->filter.to_seq > head)
		return err_set(err, E_NOT_FOUND, "event %" PRIu64 " is not there yet: the last one is %" PRIu64,
			       x->filter.from_seq > head ? x->filter.from_seq : x->filter.to_seq, head);
	if ((rc = seek(r, x->filter.has_since, x->filter.since, 1, &first, err)) != 0 ||
	    (rc = seek(r, x->filter.has_until, x->filter.until, head + 1, &behind, err)) != 0)
		return rc;
	x->head.from_seq = first > x->filter.from_seq ? first : x->filter.from_seq;
	x->head.to_seq = behind - 1 < last ? behind - 1 : last;
	return 0;
}

static int find_whole(struct exporting *x, struct log_reader *r, struct err *err)
{
	uint64_t end = x->head.to_seq;
	int rc = end != 0 ? log_reader_commit_end(r, end, &end, err) : 0;

	x->head.whole = !export_filter_is_partial(&x->filter) && x->head.from_seq == 1 && end == x->head.to_seq;
	if (rc == 0 && x->head.whole)
		rc = log_prove_root(r, x->head.to_seq, x->root, err);
	return rc;
}

/* A backup has no key: then the header is not signed. */
static int sign(struct exporting *x, struct err *err)
{
	struct note_key key;
	struct err why;
	int rc;

	if (!x->head.whole)
		return 0;
	if (log_key_read(x->values->data, &key, &why) != 0) {
		dianactl_session_warn("the export is not signed: %s", why.text);
		return 0;
	}
	rc = checkpoint_sign(x->head.to_seq, x->root, &key, &x->note, err);
	buf_append(&x->origin, key.name, strlen(key.name));
	return rc;
}

static int copy_events(struct exporting *x, struct log_reader *r, struct err *err)
{
	const struct log_types *types = x->filter.n_types > 0 ? &x->filter.tags : NULL;
	struct log_entry e = { .seq = 0 };
	struct arena arena;
	uint64_t seq = x->head.from_seq;
	int rc = 0;

	arena_init(&arena, FILTER_ARENA_MAX);
	while (rc == 0 && seq <= x->head.to_seq) {
		/* Now and then a new transaction: what the daemon frees meanwhile is not held back. */
		rc = seq % LOOK_EVERY == 0 ? log_reader_refresh(r, err) : 0;
		if (rc == 0)
			rc = log_reader_next(r, seq, false, types, &e, NULL, err);
		if (rc == E_NOT_FOUND || (rc == 0 && e.seq > x->head.to_seq)) {
			rc = 0;
			break;
		}
		if (rc == 0 && export_filter_wants(&x->filter, e.bytes, &arena))
			rc = write_event(x, e.seq, e.bytes, err);
		seq = e.seq + 1;
	}
	arena_free(&arena);
	return rc;
}

static int export_directory(struct exporting *x, struct err *err)
{
	struct log_reader *r;
	struct log *log;
	int rc = log_directory_open(x->values->data, &log, &r, err);

	if (rc != 0)
		return rc;
	if ((rc = find_range(x, r, err)) == 0 && (rc = find_whole(x, r, err)) == 0 && (rc = sign(x, err)) == 0) {
		x->head.origin = buf_slice(&x->origin);
		x->head.checkpoint = buf_slice(&x->note);
		rc = begin_file(x, err);
	}
	if (rc == 0)
		rc = copy_events(x, r, err);
	log_reader_close(r);
	log_close(log);
	return rc == 0 ? end_file(x, err) : rc;
}

/* ---- from the daemon ---- */

/* What the daemon refused has been reported. */
enum { TOLD = -1 };

static int ask(struct exporting *x, const char *method, struct client_params *params, struct client_message *ret,
	       int *ret_code)
{
	*ret_code = dianactl_session_call(x->ctl, method, params, ret);
	client_params_free(params);
	return *ret_code == DIANACTL_OK ? 0 : TOLD;
}

static int take_checkpoint(struct exporting *x, const msgpack_object *result, int *ret_code)
{
	struct client_text text = client_object_text(result, "text"), root = client_object_text(result, "root"),
			   origin = client_object_text(result, "origin");

	buf_append(&x->note, text.base, text.len);
	buf_append(&x->origin, origin.base, origin.len);
	x->head.to_seq = client_object_uint(result, "tree_size", 0);
	if (text.len > 0 && base64_get(slice_of(root.base, root.len), x->root, MERKLE_HASH))
		return 0;
	*ret_code = dianactl_session_odd("log.checkpoint");
	return TOLD;
}

/* Whether the first event behind the range begins a commit. */
static int ends_commit(struct exporting *x, bool *ret, int *ret_code)
{
	struct client_message answer;
	struct client_params params;
	int rc;

	client_params_init(&params);
	client_params_uint(&params, "seq", x->head.to_seq + 1);
	*ret_code = dianactl_session_try(x->ctl, "log.get", &params, &answer);
	client_params_free(&params);
	if (*ret_code != DIANACTL_OK)
		return TOLD;
	*ret = answer.error != NULL || client_object_uint(answer.result, "commit", 0) == x->head.to_seq + 1;
	rc = answer.error == NULL || dianactl_session_error_is(answer.error, "not_found") ? 0 : TOLD;
	if (rc == TOLD)
		*ret_code = dianactl_session_refused(answer.error);
	client_message_clear(&answer);
	return rc;
}

static int begin_daemon(struct exporting *x, int *ret_code, struct err *err)
{
	struct client_message answer;
	struct client_params params;
	bool ends = false;
	int rc;

	client_params_init(&params);
	if (x->filter.to_seq != 0)
		client_params_uint(&params, "tree_size", x->filter.to_seq);
	rc = ask(x, "log.checkpoint", &params, &answer, ret_code);
	if (rc != 0)
		return rc;
	rc = take_checkpoint(x, answer.result, ret_code);
	client_message_clear(&answer);
	if (rc == 0)
		rc = ends_commit(x, &ends, ret_code);
	if (rc != 0)
		return rc;
	x->head.from_seq = x->filter.from_seq;
	x->head.whole = ends && x->filter.from_seq == 1 && !export_filter_is_partial(&x->filter);
	x->head.origin = x->head.whole ? buf_slice(&x->origin) : SLICE_NULL;
	x->head.checkpoint = x->head.whole ? buf_slice(&x->note) : SLICE_NULL;
	return begin_file(x, err);
}

static void read_params(const struct exporting *x, struct client_params *params)
{
	const struct export_filter *f = &x->filter;

	client_params_init(params);
	client_params_uint(params, "from_seq", x->head.from_seq);
	client_params_uint(params, "to_seq", x->head.to_seq);
	client_params_uint(params, "limit", PAGE);
	client_params_bool(params, "raw", true);
	if (f->has_since)
		client_params_int(params, "from_at", f->since);
	if (f->has_until)
		client_params_int(params, "to_at", f->until);
	if (f->user_id != 0)
		client_params_int(params, "user_id", f->user_id);
	if (f->stream != NULL)
		client_params_text(params, "stream", f->stream);
	if (f->n_types > 0)
		client_params_texts(params, "types", f->types, f->n_types);
}

static int write_page(struct exporting *x, const msgpack_object *items, int *ret_code, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < client_object_length(items); i++) {
		const msgpack_object *item = client_object_at(items, i), *raw = client_object_get(item, "raw");
		uint64_t seq = client_object_uint(item, "seq", 0);

		if (raw == NULL || raw->type != MSGPACK_OBJECT_BIN) {
			*ret_code = dianactl_session_odd("log.read");
			return TOLD;
		}
		rc = write_event(x, seq, slice_of(raw->via.bin.ptr, raw->via.bin.size), err);
	}
	return rc;
}

static int export_daemon(struct exporting *x, int *ret_code, struct err *err)
{
	struct client_message page = { .bytes = NULL }, before;
	bool more = true;
	int rc = begin_daemon(x, ret_code, err);

	while (rc == 0 && more) {
		struct client_params params;
		const msgpack_object *next;

		read_params(x, &params);
		before = page;
		next = before.bytes != NULL ? client_object_get(before.result, "next") : NULL;
		if (next != NULL)
			client_params_object(&params, "after", next);
		rc = ask(x, "log.read", &params, &page, ret_code);
		client_message_clear(&before);
		if (rc != 0)
			return rc;
		rc = write_page(x, client_object_get(page.result, "items"), ret_code, err);
		next = client_object_get(page.result, "next");
		more = next != NULL && next->type != MSGPACK_OBJECT_NIL;
	}
	client_message_clear(&page);
	return rc == 0 ? end_file(x, err) : rc;
}

/* ---- the command ---- */

static int report(const struct exporting *x)
{
	char size[CLIENT_FORMAT_MAX], root[64];
	struct map_writer w;
	struct buf b;
	int rc;

	if (x->path == NULL)
		return DIANACTL_OK;
	base64_put(slice_of(x->root, MERKLE_HASH), root);
	if (!x->ctl->json) {
		printf("%" PRIu64 " events, %s, in %s: %s%s\n", x->writer.tree.size,
		       client_format_bytes(size, export_out_bytes(x->out)), x->path,
		       x->head.whole ? "the whole log" : "a part of the log",
		       x->head.checkpoint.base != NULL ? ", signed" : "");
		return DIANACTL_OK;
	}
	buf_init(&b, NOTE_MAX);
	map_open(&w, &b);
	map_str(&w, "file", x->path);
	map_uint(&w, "events", x->writer.tree.size);
	map_uint(&w, "bytes", export_out_bytes(x->out));
	map_bool(&w, "whole", x->head.whole);
	map_bool(&w, "signed", x->head.checkpoint.base != NULL);
	map_uint(&w, "from_seq", x->head.from_seq);
	map_uint(&w, "to_seq", x->head.to_seq);
	map_str(&w, "root", root);
	map_close(&w);
	rc = dianactl_session_print_packed(&b);
	buf_free(&b);
	return rc;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

static int read_format(const struct exporting *x, enum export_format *ret, int *ret_level)
{
	const struct export_values *v = x->values;
	const char *name = x->path != NULL ? x->path : "";

	*ret_level = v->zstd == DIANACTL_LEVEL_ANY || (v->zstd == 0 && ends_with(name, ".zst")) ? LEVEL_DEFAULT
												: (int)v->zstd;
	if (v->format != NULL ? strcmp(v->format, "msgpack") == 0
			      : ends_with(name, ".msgpack") || ends_with(name, ".msgpack.zst"))
		*ret = EXPORT_MSGPACK;
	else if (v->format == NULL || strcmp(v->format, "ndjson") == 0)
		*ret = EXPORT_NDJSON;
	else
		return dianactl_session_usage(x->ctl, "--format is ndjson or msgpack");
	if (*ret_level > EXPORT_LEVEL_MAX)
		return dianactl_session_usage(x->ctl, "--zstd is 1 to %d", EXPORT_LEVEL_MAX);
	if (x->path == NULL && isatty(STDOUT_FILENO) && (*ret == EXPORT_MSGPACK || *ret_level != 0))
		return dianactl_session_usage(x->ctl, "this is nothing for a terminal: name a FILE");
	return DIANACTL_OK;
}

/* A date as in `dianactl history`; else a moment. */
static int read_time(const struct dianactl *ctl, const char *text, bool end, bool *ret_has, int64_t *ret)
{
	bool day;

	*ret_has = text != NULL;
	if (text == NULL || client_parse_date(text, ctl->utc, end, ret) ||
	    client_parse_moment(text, ctl->utc, ret, &day))
		return DIANACTL_OK;
	return dianactl_session_usage(ctl,
				      "'%s' is no time; write YYYY-MM-DD, 'YYYY-MM-DD HH:MM:SS', RFC 3339 or Unix "
				      "milliseconds",
				      text);
}

static int read_filter(struct exporting *x)
{
	const struct export_values *v = x->values;
	struct export_filter *f = &x->filter;
	struct err err;
	int rc;

	f->from_seq = v->from_seq != 0 ? v->from_seq : 1;
	f->to_seq = v->to_seq;
	f->user_id = (int64_t)v->user;
	f->stream = v->stream;
	if (v->to_seq != 0 && v->from_seq > v->to_seq)
		return dianactl_session_usage(x->ctl, "--from-seq must not pass --to-seq");
	rc = read_time(x->ctl, v->since, false, &f->has_since, &f->since);
	if (rc == DIANACTL_OK)
		rc = read_time(x->ctl, v->until, true, &f->has_until, &f->until);
	if (rc == DIANACTL_OK && export_filter_types(f, v->types.items, v->types.n, &err) != 0)
		rc = dianactl_session_usage(x->ctl, "%s", err.text);
	return rc;
}

static int run_open(struct exporting *x)
{
	int code = DIANACTL_OK, rc;
	struct err err;

	if (x->values->data != NULL)
		rc = export_directory(x, &err);
	else
		rc = export_daemon(x, &code, &err);
	dianactl_progress_end(&x->progress);
	if (rc == TOLD)
		return code;
	return rc == 0 ? report(x) : dianactl_session_err(&err);
}

static int export_run(struct dianactl *ctl, const void *values)
{
	struct exporting x = { .ctl = ctl, .values = values };
	enum export_format format = EXPORT_NDJSON;
	struct err err;
	int level = 0, rc;

	if (ctl->n_words > 0 && strcmp(ctl->words[0], "-") != 0)
		x.path = ctl->words[0];
	rc = read_format(&x, &format, &level);
	if (rc == DIANACTL_OK)
		rc = read_filter(&x);
	if (rc == DIANACTL_OK)
		rc = dianactl_stop_install(ctl);
	if (rc != DIANACTL_OK)
		return rc;
	if (export_out_open(x.path, x.values->force, level, &x.out, &err) != 0)
		return dianactl_session_err(&err);
	export_writer_init(&x.writer, x.out, format, x.values->raw);
	buf_init(&x.note, NOTE_MAX);
	buf_init(&x.origin, NOTE_NAME_MAX);
	rc = run_open(&x);
	buf_free(&x.note);
	buf_free(&x.origin);
	export_writer_free(&x.writer);
	export_out_close(x.out);
	return rc;
}

const struct dianactl_command dianactl_export_command = {
	.name = "export",
	.words = "[FILE | -]",
	.help = "Write the log, or a part of it, to a file for others to read",
	.more = "With --data it reads the directory itself, also beside its daemon, which is much faster than\n"
		"asking the daemon. NDJSON has a line for each event, as log.read shows it; MessagePack has the\n"
		"stored bytes.\n"
		"  dianactl export --data /var/lib/diana log.ndjson.zst\n"
		"  dianactl export --since 2026-01-01 --type 'point.*' - | jq .data\n"
		"A file that was cut off or changed is noticed: by audit verify --export, and by import.",
	.options = export_options,
	.n_options = DIANACTL_COUNT(export_options),
	.values_size = sizeof(struct export_values),
	.max_words = 1,
	.timeout_s = 30,
	.run = export_run,
};
