#include "core/decide.h"
#include "core/map_writer.h"
#include "daemon/export.h"
#include "daemon/export_json.h"
#include "log/base64.h"

enum { RECORD_MAX = 64 << 20 };

/* ---- what is wanted ---- */

int export_filter_types(struct export_filter *f, const char *const *types, size_t n, struct err *err)
{
	f->types = types;
	f->n_types = n;
	for (size_t i = 0; i < n; i++)
		if (!event_tags(slice_str(types[i]), f->tags.bits))
			return err_field(err, "types", "no event of type %.80s", types[i]);
	return 0;
}

bool export_filter_is_partial(const struct export_filter *f)
{
	return f->has_since || f->has_until || f->user_id != 0 || f->stream != NULL || f->n_types > 0;
}

bool export_filter_wants(const struct export_filter *f, struct slice stored, struct arena *arena)
{
	struct envelope env;
	struct event ev;

	if (f->stream == NULL && f->user_id == 0)
		return true;
	arena_reset(arena);
	/* writing it tells what is wrong */
	if (!event_from_stored(stored, arena, &ev, &env))
		return true;
	if (f->stream != NULL && !slice_is(ev.stream, f->stream))
		return false;
	return f->user_id == 0 || event_concerns(&ev, f->user_id);
}

/* ---- records ---- */

void export_writer_init(struct export_writer *w, struct export_out *out, enum export_format format, bool raw)
{
	*w = (struct export_writer){ .out = out, .format = format, .raw = raw };
	export_event_init(&w->event);
	buf_init(&w->packed, RECORD_MAX);
	buf_init(&w->text, RECORD_MAX);
}

void export_writer_free(struct export_writer *w)
{
	export_event_free(&w->event);
	buf_free(&w->packed);
	buf_free(&w->text);
}

static int too_large(struct err *err)
{
	return err_set(err, E_LIMIT_EXCEEDED, "a record is too large");
}

static void open_record(struct export_writer *w, struct map_writer *map, const char *what)
{
	buf_reset(&w->packed);
	map_open(map, &w->packed);
	map_str(map, "record", what);
}

static int put_record(struct export_writer *w, struct map_writer *map, struct err *err)
{
	struct mp m;
	struct buf echo;

	map_close(map);
	if (w->packed.failed)
		return too_large(err);
	if (w->format == EXPORT_MSGPACK)
		return export_out_write(w->out, buf_slice(&w->packed), err);
	buf_reset(&w->text);
	buf_init(&echo, RECORD_MAX);
	m = mp_of(buf_slice(&w->packed));
	if (!export_json_put(&w->text, &echo, &m))
		w->text.failed = true;
	buf_free(&echo);
	buf_byte(&w->text, '\n');
	return w->text.failed ? too_large(err) : export_out_write(w->out, buf_slice(&w->text), err);
}

static void put_filter(struct buf *b, const struct export_filter *f)
{
	struct map_writer map;

	if (!export_filter_is_partial(f)) {
		mp_put_nil(b);
		return;
	}
	map_open(&map, b);
	map_opt_int(&map, "since", f->has_since, f->since);
	map_opt_int(&map, "until", f->has_until, f->until);
	map_opt_int(&map, "user_id", f->user_id != 0, f->user_id);
	map_str(&map, "stream", f->stream);
	mp_put_array(map_key(&map, "types"), f->n_types);
	for (size_t i = 0; i < f->n_types; i++)
		mp_put_text(b, slice_str(f->types[i]));
	map_close(&map);
}

int export_write_head(struct export_writer *w, const struct export_head *head, const struct export_filter *filter,
		      struct err *err)
{
	struct map_writer map;

	open_record(w, &map, "header");
	map_str(&map, "format", "diana-ledger-export");
	map_uint(&map, "version", EXPORT_VERSION);
	map_text(&map, "origin", head->origin);
	map_bool(&map, "whole", head->whole);
	map_uint(&map, "from_seq", head->from_seq);
	map_uint(&map, "to_seq", head->to_seq);
	put_filter(map_key(&map, "filter"), filter);
	map_text(&map, "checkpoint", head->checkpoint);
	return put_record(w, &map, err);
}

static int put_root(struct export_writer *w, const char *what, uint8_t ret_root[MERKLE_HASH], struct err *err)
{
	char text[64];
	struct map_writer map;

	merkle_root(&w->tree, ret_root);
	base64_put(slice_of(ret_root, MERKLE_HASH), text);
	open_record(w, &map, what);
	map_uint(&map, "count", w->tree.size);
	map_str(&map, "root", text);
	return put_record(w, &map, err);
}

int export_write_event(struct export_writer *w, struct slice stored, struct err *err)
{
	uint8_t root[MERKLE_HASH];
	int rc = 0;

	if (w->format == EXPORT_NDJSON) {
		buf_reset(&w->text);
		rc = export_event_put(&w->event, stored, w->raw, &w->text, err);
	}
	if (rc == 0)
		rc = export_out_write(w->out, w->format == EXPORT_NDJSON ? buf_slice(&w->text) : stored, err);
	if (rc != 0)
		return rc;
	merkle_add(&w->tree, stored);
	return w->tree.size % EXPORT_ROOT_EVERY == 0 ? put_root(w, "root", root, err) : 0;
}

int export_write_end(struct export_writer *w, uint8_t ret_root[MERKLE_HASH], struct err *err)
{
	return put_root(w, "trailer", ret_root, err);
}
