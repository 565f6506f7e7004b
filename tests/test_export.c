/* Exports: events as lines and back, whole files in each form, and what is not right with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/decide.h"
#include "core/map_writer.h"
#include "daemon/export.h"
#include "daemon/export_json.h"
#include "daemon/import.h"
#include "log/note.h"
#include "tests/lib/golden.h"
#include "tests/lib/random.h"

#define EXPORT_GOLDEN "tests/golden/export.ndjson"
/* That of tests/test_log_note.c. */
#define SECRET "PRIVATE+KEY+example.com/ledger+ec4d6e6d+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n"

enum { EVENTS_MAX = 4096, FILE_MAX = 64 << 20 };

/* A log in memory, the events of it a commit each; and files in a directory of its own. */
struct world {
	struct buf events;
	size_t ends[EVENTS_MAX];
	size_t n;
	char dir[64], path[80];
	struct export_event lines;
	struct buf line;
	struct err err;
};

static int given_a_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	buf_init(&w->events, FILE_MAX);
	buf_init(&w->line, FILE_MAX);
	export_event_init(&w->lines);
	strcpy(w->dir, "/dev/shm/diana-export-XXXXXX"); /* thousands of small files */
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/file", w->dir);
	*state = w;
	return 0;
}

static int clean_up(void **state)
{
	struct world *w = *state;

	unlink(w->path);
	rmdir(w->dir);
	buf_free(&w->events);
	buf_free(&w->line);
	export_event_free(&w->lines);
	free(w);
	return 0;
}

static struct slice event_at(const struct world *w, size_t i)
{
	size_t from = i > 0 ? w->ends[i - 1] : 0;

	return slice_of(w->events.base + from, w->ends[i] - from);
}

/* ---- logs ---- */

/* The event as the next one of the log, alone in its commit and first of a stream of its own. */
static void add_event(struct world *w, struct slice like)
{
	struct envelope e;
	char stream[32];

	assert_true(w->n < EVENTS_MAX && envelope_decode(like, &e));
	e.seq = e.commit = w->n + 1;
	e.cause = 0;
	e.version = 1;
	snprintf(stream, sizeof(stream), "any:%zu", w->n);
	e.stream = slice_str(stream);
	envelope_encode(&w->events, &e);
	assert_false(w->events.failed);
	w->ends[w->n++] = w->events.len;
}

/* A log with an event of each type that there is or was. */
static void given_every_event(struct world *w)
{
	FILE *f = golden_open("r");
	struct golden g;

	while (golden_read(f, &g))
		add_event(w, slice_of(g.bytes, g.len));
	fclose(f);
	assert_true(w->n >= N_EVENTS);
}

static void given_events(struct world *w, size_t n)
{
	FILE *f = golden_open("r");
	struct golden g;

	assert_true(golden_read(f, &g));
	fclose(f);
	while (n-- > 0)
		add_event(w, slice_of(g.bytes, g.len));
}

/* A config.entry_set with this packed value, which may be anything. */
static void given_a_value(struct world *w, struct slice value)
{
	struct envelope e = { .tag = event_defs[EV_config_entry_set].tag,
			      .seq = 1,
			      .commit = 1,
			      .version = 1,
			      .at = 1772452800000,
			      .stream = SLICE_LIT("config:k"),
			      .method = SLICE_LIT("config.set") };
	struct buf data;

	buf_init(&data, 1 << 20);
	mp_put_array(&data, 3);
	mp_put_text(&data, SLICE_LIT("k"));
	buf_append(&data, value.base, value.len);
	mp_put_nil(&data);
	e.data = buf_slice(&data);
	envelope_encode(&w->events, &e);
	w->ends[0] = w->events.len;
	w->n = 1;
	buf_free(&data);
}

/* ---- files ---- */

struct form {
	enum export_format format;
	int level;
	bool raw;
};
static const struct form forms[] = {
	{ EXPORT_NDJSON, 0, false },  { EXPORT_NDJSON, 0, true },   { EXPORT_NDJSON, 3, false },
	{ EXPORT_MSGPACK, 0, false }, { EXPORT_MSGPACK, 9, false },
};
enum { N_FORMS = sizeof(forms) / sizeof(forms[0]) };

static void root_of(const struct world *w, uint8_t ret[MERKLE_HASH])
{
	struct merkle tree = { .size = 0 };

	for (size_t i = 0; i < w->n; i++)
		merkle_add(&tree, event_at(w, i));
	merkle_root(&tree, ret);
}

/* Its header is signed, as of a whole log. */
static void write_export(struct world *w, const struct form *form, struct export_head head)
{
	static const struct export_filter everything;
	uint8_t root[MERKLE_HASH], written[MERKLE_HASH];
	struct export_writer writer;
	struct export_out *out;
	struct note_key key;
	struct buf note;

	buf_init(&note, 4096);
	root_of(w, root);
	assert_int_equal(note_key_parse(slice_str(SECRET), &key, &w->err), 0);
	assert_int_equal(checkpoint_sign(w->n, root, &key, &note, &w->err), 0);
	if (head.whole) {
		head.origin = slice_str(key.name);
		head.checkpoint = buf_slice(&note);
	}
	assert_int_equal(export_out_open(w->path, true, form->level, &out, &w->err), 0);
	export_writer_init(&writer, out, form->format, form->raw);
	assert_int_equal(export_write_head(&writer, &head, &everything, &w->err), 0);
	for (size_t i = 0; i < w->n; i++)
		if (export_write_event(&writer, event_at(w, i), &w->err) != 0)
			fail_msg("event %zu: %s", i + 1, w->err.text);
	assert_int_equal(export_write_end(&writer, written, &w->err), 0);
	assert_memory_equal(written, root, MERKLE_HASH);
	assert_int_equal(export_out_commit(out, &w->err), 0);
	export_writer_free(&writer);
	export_out_close(out);
	buf_free(&note);
}

static void write_whole(struct world *w, const struct form *form)
{
	write_export(w, form, (struct export_head){ .whole = true, .from_seq = 1, .to_seq = w->n });
}

static void read_file(const char *path, struct buf *ret)
{
	char chunk[4096];
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	buf_reset(ret);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_append(ret, chunk, n);
	fclose(f);
	assert_false(ret->failed);
}

static void write_file(const char *path, struct slice bytes)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes.base, 1, bytes.len, f), bytes.len);
	assert_int_equal(fclose(f), 0);
}

/* Reads all of it. The code that it ends with, and the verdict of the reader; where nothing is wrong, its events must
 * be those of the log. */
static int read_export(struct world *w, struct log_verdict *ret)
{
	struct export_reader *r;
	struct export_entry e;
	size_t n = 0, other = 0;
	int rc = export_reader_open(w->path, -1, NULL, 0, &r, &w->err);

	*ret = (struct log_verdict){ .ok = false };
	if (rc != 0)
		return rc;
	while ((rc = export_reader_next(r, &e, &w->err)) == 0) {
		assert_true(n < w->n && e.head.seq == n + 1);
		other += !slice_eq(e.bytes, event_at(w, n));
		n++;
	}
	*ret = *export_reader_verdict(r);
	if (rc == E_NOT_FOUND)
		assert_true(n == w->n && other == 0);
	export_reader_close(r);
	return rc;
}

static void assert_refused(struct world *w, enum err_code code, uint64_t first_bad, const char *why)
{
	struct log_verdict v;

	assert_int_equal(read_export(w, &v), code);
	assert_non_null(strstr(w->err.text, why));
	assert_int_equal(v.first_bad_seq, first_bad);
}

/* ---- lines ---- */

static struct slice unpack(const char *line, size_t len, struct buf *ret)
{
	const char *why;

	buf_reset(ret);
	if (!export_json_get(slice_of(line, len), ret, &why))
		fail_msg("%s: %.*s", why, (int)len, line);
	return buf_slice(ret);
}

/* The line leads back to the bytes. Whether it has them in it. */
static bool goes_there_and_back(struct world *w, struct slice stored)
{
	struct buf packed;
	struct slice back;
	bool raw;

	buf_init(&packed, FILE_MAX);
	buf_reset(&w->line);
	if (export_event_put(&w->lines, stored, false, &w->line, &w->err) != 0)
		fail_msg("%s", w->err.text);
	if (export_event_get(&w->lines, unpack((char *)w->line.base, w->line.len, &packed), &back, &w->err) != 0)
		fail_msg("%s: %.*s", w->err.text, (int)w->line.len, (char *)w->line.base);
	assert_true(slice_eq(back, stored));
	buf_byte(&w->line, 0);
	raw = strstr((char *)w->line.base, "\"raw\":") != NULL;
	buf_free(&packed);
	return raw;
}

static void a_line_leads_back_to_the_bytes_of_every_type_of_event(void **state)
{
	struct world *w = *state;

	given_every_event(w);
	for (size_t i = 0; i < w->n; i++)
		if (goes_there_and_back(w, event_at(w, i)))
			fail_msg("event %zu carries bytes that follow from its line", i + 1);
}

static void what_json_cannot_say_is_carried(void **state)
{
	static const struct {
		struct slice value;
		bool raw;
	} cases[] = {
		{ SLICE_LIT("\x05"), false },
		{ SLICE_LIT("\xcb\x3f\xf0\0\0\0\0\0\0"), false },             /* 1.0 */
		{ SLICE_LIT("\xcb\x80\0\0\0\0\0\0\0"), false },               /* -0.0 */
		{ SLICE_LIT("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), false }, /* 0.1 */
		{ SLICE_LIT("\xcb\x7f\xef\xff\xff\xff\xff\xff\xff"), false }, /* the largest */
		{ SLICE_LIT("\xcb\0\0\0\0\0\0\0\x01"), false },               /* the smallest */
		{ SLICE_LIT("\xd3\x80\0\0\0\0\0\0\0"), false },               /* INT64_MIN */
		{ SLICE_LIT("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), false }, /* INT64_MAX */
		{ SLICE_LIT("\x82\xa1"
			    "b\x01\xa1"
			    "a\xc3"),
		  false }, /* names in no order */
		{ SLICE_LIT("\xa6\"\\\n\t\x7f\x01"), false },
		{ SLICE_LIT("\xa1\0"), false },
		{ SLICE_LIT("\xcf\x80\0\0\0\0\0\0\0"), true }, /* beyond int64 */
		{ SLICE_LIT("\xcd\0\x05"), true },             /* longer than it must be */
		{ SLICE_LIT("\xd9\x01x"), true },
		{ SLICE_LIT("\xca\x3f\x80\0\0"), true },         /* float32 */
		{ SLICE_LIT("\xcb\x7f\xf8\0\0\0\0\0\0"), true }, /* no number */
		{ SLICE_LIT("\xc4\x02\x01\x02"), true },         /* bytes */
		{ SLICE_LIT("\xd4\x01\x02"), true },             /* ext */
		{ SLICE_LIT("\xa2\xff\xfe"), true },             /* no UTF-8 */
		{ SLICE_LIT("\x82\xa1"
			    "a\x01\xa1"
			    "a\x02"),
		  true },                            /* a name twice */
		{ SLICE_LIT("\x81\x01\x02"), true }, /* a name that is no text */
		{ SLICE_LIT("\x91\x81\xa1x\xc4\0"), true },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&w->events);
		given_a_value(w, cases[i].value);
		if (goes_there_and_back(w, event_at(w, 0)) != cases[i].raw)
			fail_msg("case %zu: %s", i, (char *)w->line.base);
	}
}

static void a_map_of_very_many_names_is_carried(void **state)
{
	struct world *w = *state;
	struct buf value;

	buf_init(&value, 1 << 16);
	mp_put_map(&value, 300);
	for (int i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		mp_put_text(&value, slice_str(name));
		mp_put_int64(&value, i);
	}
	given_a_value(w, buf_slice(&value));
	buf_free(&value);
	assert_true(goes_there_and_back(w, event_at(w, 0)));
}

static void put_anything(struct buf *b, struct random *r, int depth);

static void put_text(struct buf *b, struct random *r)
{
	static const char *const texts[] = { "", "a", "ñandú", "\"\\", "\x01\x1f\x7f", "\u2028", "a/b", "😀" };

	mp_put_text(b, slice_str(texts[below(r, 8)]));
}

static void put_several(struct buf *b, struct random *r, int depth)
{
	int64_t n = below(r, 5);
	bool map = one_in(r, 2);

	if (map)
		mp_put_map(b, (uint32_t)n);
	else
		mp_put_array(b, (uint32_t)n);
	while (n-- > 0) {
		if (map)
			put_text(b, r);
		put_anything(b, r, depth - 1);
	}
}

static void put_anything(struct buf *b, struct random *r, int depth)
{
	uint64_t bits = draw(r);
	double x;

	switch (below(r, depth > 0 ? 8 : 6)) {
	case 0:
		mp_put_nil(b);
		return;
	case 1:
		mp_put_bool(b, one_in(r, 2));
		return;
	case 2:
		mp_put_int64(b, (int64_t)(bits >> below(r, 64)) * (one_in(r, 2) ? 1 : -1));
		return;
	case 3:
		mp_put_uint64(b, bits);
		return;
	case 4:
		memcpy(&x, &bits, sizeof(x));
		mp_put_double(b, one_in(r, 2) ? x : (double)below(r, 100000) / 1000.0);
		return;
	case 5:
		put_text(b, r);
		return;
	default:
		put_several(b, r, depth);
	}
}

static void what_is_read_back_is_what_was_said_to_be(void **state)
{
	struct random r = { 20261124 };
	struct world *w = *state;
	struct buf value, echo, back;

	buf_init(&value, 1 << 20);
	buf_init(&echo, 1 << 20);
	buf_init(&back, 1 << 20);
	for (int i = 0; i < 3000; i++) {
		struct mp m;

		buf_reset(&value);
		buf_reset(&echo);
		buf_reset(&w->line);
		mp_put_map(&value, 1);
		mp_put_text(&value, SLICE_LIT("v"));
		put_anything(&value, &r, 5);
		m = mp_of(buf_slice(&value));
		assert_true(export_json_put(&w->line, &echo, &m));
		assert_true(slice_eq(unpack((char *)w->line.base, w->line.len, &back), buf_slice(&echo)));
	}
	buf_free(&value);
	buf_free(&echo);
	buf_free(&back);
}

static void json_is_read_as_it_was_meant(void **state)
{
	static const struct {
		const char *text;
		struct slice packed;
	} cases[] = {
		{ "{}", SLICE_LIT("\x80") },
		{ " { } \n", SLICE_LIT("\x80") },
		{ "{\"a\":[null,true,false]}", SLICE_LIT("\x81\xa1"
							 "a\x93\xc0\xc3\xc2") },
		{ "{\"a\" : -0}", SLICE_LIT("\x81\xa1"
					    "a\0") },
		{ "{\"a\":-9223372036854775808}", SLICE_LIT("\x81\xa1"
							    "a\xd3\x80\0\0\0\0\0\0\0") },
		{ "{\"a\":-0.0}", SLICE_LIT("\x81\xa1"
					    "a\xcb\x80\0\0\0\0\0\0\0") },
		{ "{\"a\":1E0}", SLICE_LIT("\x81\xa1"
					   "a\xcb\x3f\xf0\0\0\0\0\0\0") },
		{ "{\"a\":0.1}", SLICE_LIT("\x81\xa1"
					   "a\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a") },
		{ "{\"a\":0.1000000000000000055511151231257827}", SLICE_LIT("\x81\xa1"
									    "a\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a") },
		{ "{\"\\u0061\\n\\/\":\"\\uD83D\\ude00\"}", SLICE_LIT("\x81\xa3"
								      "a\n/\xa4\xf0\x9f\x98\x80") },
		{ "{\"a\":\"\\u0000\"}", SLICE_LIT("\x81\xa1"
						   "a\xa1\0") },
	};
	struct buf packed;

	(void)state;
	buf_init(&packed, 1 << 16);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!slice_eq(unpack(cases[i].text, strlen(cases[i].text), &packed), cases[i].packed))
			fail_msg("%s", cases[i].text);
	buf_free(&packed);
}

static void what_is_no_json_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "no object" },
		{ "[]", "no object" },
		{ "{", "an object that does not go on" },
		{ "{}{}", "something behind the object" },
		{ "{\"a\":1,}", "an object that does not go on" },
		{ "{\"a\"}", "a name without a value" },
		{ "{a:1}", "an object that does not go on" },
		{ "{\"a\":1,\"a\":1}", "a name that is there twice" },
		{ "{\"a\":1,\"\\u0061\":1}", "a name that is there twice" },
		{ "{\"a\":}", "a value that is none" },
		{ "{\"a\":", "a value that is missing" },
		{ "{\"a\":nul}", "a value that is none" },
		{ "{\"a\":[1 2]}", "an array that does not go on" },
		{ "{\"a\":[1,]}", "a value that is none" },
		{ "{\"a\":01}", "a number that is none" },
		{ "{\"a\":-}", "a number that is none" },
		{ "{\"a\":1.}", "a number that is none" },
		{ "{\"a\":1e}", "a number that is none" },
		{ "{\"a\":+1}", "a value that is none" },
		{ "{\"a\":1e999}", "a number that is too large" },
		{ "{\"a\":9223372036854775808}", "an integer that is too large" },
		{ "{\"a\":99999999999999999999999}", "an integer that is too large" },
		{ "{\"a\":\"x}", "a text that does not end" },
		{ "{\"a\":\"x\n\"}", "a text that does not end" },
		{ "{\"a\":\"\\", "a text that does not end" },
		{ "{\"a\":\"\\x\"}", "an escape that is none" },
		{ "{\"a\":\"\\u00g0\"}", "an escape that is none" },
		{ "{\"a\":\"\\ud800\"}", "half a surrogate pair" },
		{ "{\"a\":\"\\ud800\\u0061\"}", "half a surrogate pair" },
		{ "{\"a\":\"\\udc00\"}", "half a surrogate pair" },
		{ "{\"a\":\"\xff\"}", "bytes that are no UTF-8" },
		{ "{\"a\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}", "values nested too deep" },
	};
	struct buf packed;
	const char *why;

	(void)state;
	buf_init(&packed, 1 << 16);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&packed);
		if (export_json_get(slice_str(cases[i].text), &packed, &why) || strcmp(why, cases[i].why) != 0)
			fail_msg("%s: %s", cases[i].text, why != NULL ? why : "was taken");
	}
	buf_free(&packed);
}

/* Of an event with a number that has a longer form than it must, so that its line has raw. */
static void a_line_that_says_something_else_than_its_bytes_is_refused(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} changes[] = {
		{ "\"seq\":1", "\"seq\":2", "its member seq" },
		{ "\"value\":5", "\"value\":6", "its member data" },
		{ "\"id\":\"k\"", "\"id\":\"l\"", "its member data" },
		{ "\"users\":[]", "\"users\":[7]", "its member users" },
		{ "\"at\":1772452800000", "\"at\":1772452800001", "its member at" },
		{ "\"type\":\"config.entry_set\"", "\"type\":\"config.other\"", "its member type" },
		{ "\"note\":null", "\"none\":null", "its member none is not known" },
		{ "\"note\":null,", "", "its member note" },
	};
	struct world *w = *state;
	struct buf packed, text;

	buf_init(&packed, 1 << 16);
	buf_init(&text, 1 << 16);
	given_a_value(w, SLICE_LIT("\xcd\0\x05"));
	assert_true(goes_there_and_back(w, event_at(w, 0)));
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const char *line = (char *)w->line.base, *at = strstr(line, changes[i].from);
		struct slice back;

		assert_non_null(at);
		buf_reset(&text);
		buf_append(&text, line, (size_t)(at - line));
		buf_append(&text, changes[i].to, strlen(changes[i].to));
		at += strlen(changes[i].from);
		buf_append(&text, at, strlen(at));
		assert_int_not_equal(
			export_event_get(&w->lines, unpack((char *)text.base, text.len, &packed), &back, &w->err), 0);
		if (strstr(w->err.text, changes[i].why) == NULL)
			fail_msg("%s: %s", changes[i].from, w->err.text);
	}
	buf_free(&packed);
	buf_free(&text);
}

/* ---- whole files ---- */

static void every_form_holds_the_same_events(void **state)
{
	struct world *w = *state;
	struct log_verdict v;

	given_every_event(w);
	for (size_t i = 0; i < N_FORMS; i++) {
		write_whole(w, &forms[i]);
		if (read_export(w, &v) != E_NOT_FOUND)
			fail_msg("form %zu: %s", i, w->err.text);
		assert_true(v.ok && v.checked == w->n);
	}
}

static void an_empty_log_is_exported_too(void **state)
{
	struct world *w = *state;
	struct log_verdict v;

	for (size_t i = 0; i < N_FORMS; i++) {
		write_whole(w, &forms[i]);
		assert_int_equal(read_export(w, &v), E_NOT_FOUND);
	}
}

/* GOLDEN_UPDATE=1 writes it where it is missing; it is never written anew. */
static void the_export_of_then_is_written_and_read_now(void **state)
{
	struct world *w = *state;
	struct buf golden, now;
	struct log_verdict v;

	buf_init(&golden, FILE_MAX);
	buf_init(&now, FILE_MAX);
	given_every_event(w);
	write_whole(w, &forms[0]);
	read_file(w->path, &now);
	if (access(EXPORT_GOLDEN, F_OK) != 0 && getenv("GOLDEN_UPDATE") != NULL)
		write_file(EXPORT_GOLDEN, buf_slice(&now));
	read_file(EXPORT_GOLDEN, &golden);
	write_file(w->path, buf_slice(&golden));
	/* types of events that have come since make the log longer, and change nothing in what was there */
	w->n = 0;
	for (const uint8_t *p = golden.base; (p = memchr(p, '\n', (size_t)(golden.base + golden.len - p))) != NULL; p++)
		w->n++;
	w->n -= 2; /* header, trailer */
	assert_int_equal(read_export(w, &v), E_NOT_FOUND);
	write_whole(w, &forms[0]);
	read_file(w->path, &now);
	assert_true(slice_eq(buf_slice(&now), buf_slice(&golden)));
	buf_free(&golden);
	buf_free(&now);
}

static void a_file_that_was_cut_is_refused(void **state)
{
	struct world *w = *state;
	struct log_verdict v;
	struct buf whole;

	buf_init(&whole, FILE_MAX);
	given_events(w, 3);
	for (size_t i = 0; i < N_FORMS; i++) {
		write_whole(w, &forms[i]);
		read_file(w->path, &whole);
		for (size_t n = 0; n < whole.len; n += forms[i].level == 0 ? 3 : 1) {
			write_file(w->path, slice_of(whole.base, n));
			assert_int_equal(read_export(w, &v), E_INVALID_ARGUMENT);
		}
	}
	buf_free(&whole);
}

/* What changes the file's meaning is refused; what does not (a letter of an escape) gives the same events. */
static void a_file_that_was_changed_is_refused(void **state)
{
	struct world *w = *state;
	struct log_verdict v;
	struct buf whole;
	size_t noticed = 0, tried = 0;

	buf_init(&whole, FILE_MAX);
	given_events(w, 2);
	for (size_t i = 0; i < N_FORMS; i++) {
		write_whole(w, &forms[i]);
		read_file(w->path, &whole);
		for (size_t at = 0; at < whole.len; at += forms[i].level == 0 ? 3 : 1) {
			uint8_t bit = (uint8_t)(1 << at % 8);
			int rc;

			whole.base[at] ^= bit;
			write_file(w->path, buf_slice(&whole));
			rc = read_export(w, &v);
			whole.base[at] ^= bit;
			assert_int_not_equal(rc, 0);
			noticed += rc != E_NOT_FOUND;
			tried++;
		}
	}
	/* but for what nobody reads, as the origin */
	assert_true(noticed * 10 > tried * 9);
	buf_free(&whole);
}

/* ---- lines of a file ---- */

struct lines {
	struct buf text;
	struct slice line[64];
	size_t n;
};

static void given_lines(struct world *w, size_t events, struct lines *ret)
{
	const uint8_t *p, *end;

	given_events(w, events);
	write_whole(w, &forms[0]);
	buf_init(&ret->text, FILE_MAX);
	read_file(w->path, &ret->text);
	p = ret->text.base;
	for (ret->n = 0; (end = memchr(p, '\n', (size_t)(ret->text.base + ret->text.len - p))) != NULL; p = end + 1)
		ret->line[ret->n++] = slice_of(p, (size_t)(end - p) + 1);
	assert_int_equal(ret->n, events + 2);
}

static void write_lines(struct world *w, const struct slice *lines, size_t n)
{
	buf_reset(&w->line);
	while (n-- > 0) {
		buf_append(&w->line, lines->base, lines->len);
		lines++;
	}
	write_file(w->path, buf_slice(&w->line));
}

static void events_that_are_not_in_order_are_named(void **state)
{
	struct world *w = *state;
	struct slice order[8];
	struct lines l;

	given_lines(w, 5, &l);
	memcpy(order, l.line, sizeof(l.line[0]) * 7);
	order[3] = l.line[2];
	order[2] = l.line[3];
	write_lines(w, order, 7);
	assert_refused(w, E_INVALID_ARGUMENT, 2, "line 3: event 2: says it is 3");
	/* left out */
	memcpy(order + 2, l.line + 3, sizeof(l.line[0]) * 4);
	write_lines(w, order, 6);
	assert_refused(w, E_INVALID_ARGUMENT, 2, "line 3: event 2: says it is 3");
	/* twice */
	memcpy(order, l.line, sizeof(l.line[0]) * 3);
	memcpy(order + 3, l.line + 2, sizeof(l.line[0]) * 5);
	write_lines(w, order, 8);
	assert_refused(w, E_INVALID_ARGUMENT, 3, "line 4: event 3: says it is 2");
	/* the last ones left out */
	memcpy(order + 4, l.line + 6, sizeof(l.line[0]));
	order[3] = l.line[3];
	write_lines(w, order, 5);
	assert_refused(w, E_INVALID_ARGUMENT, 4, "line 5: here are 3 events, and there were 5");
	/* the trailer left out; another one */
	write_lines(w, l.line, 6);
	assert_refused(w, E_INVALID_ARGUMENT, 6, "line 7: it was cut off: no trailer follows event 5");
	memcpy(order, l.line, sizeof(l.line[0]) * 7);
	order[7] = l.line[6];
	write_lines(w, order, 8);
	assert_refused(w, E_INVALID_ARGUMENT, 6, "line 8: something follows the trailer");
	buf_free(&l.text);
}

static void headers_that_are_not_known_are_refused(void **state)
{
	static const struct {
		struct slice header;
		enum err_code code;
		const char *why;
	} cases[] = {
		{ SLICE_LIT(""), E_INVALID_ARGUMENT, "it is empty" },
		{ SLICE_LIT("{\"record\":\"header\",\"format\":\"diana-ledger-export\",\"version\":2}\n"),
		  E_VERSION_UNSUPPORTED, "exports of version 2 are not known" },
		{ SLICE_LIT("{\"record\":\"header\",\"format\":\"other\",\"version\":1}\n"), E_INVALID_ARGUMENT,
		  "no header of an export" },
		{ SLICE_LIT("{\"record\":\"header\",\"format\":\"diana-ledger-export\",\"version\":1}\n"),
		  E_INVALID_ARGUMENT, "does not say what follows" },
		{ SLICE_LIT("{\"record\":\"header\",\"format\":\"diana-ledger-export\",\"version\":1,\"whole\":true,"
			    "\"from_seq\":5,\"to_seq\":9}\n"),
		  E_INVALID_ARGUMENT, "does not say what follows" },
		{ SLICE_LIT("{\"seq\":1}\n"), E_INVALID_ARGUMENT, "no header" },
		{ SLICE_LIT("{\"record\"\n"), E_INVALID_ARGUMENT, "no JSON object" },
		{ SLICE_LIT("hello"), E_INVALID_ARGUMENT, "no header" },
		{ SLICE_LIT("\xc1"), E_INVALID_ARGUMENT, "malformed" },
		{ SLICE_LIT("\xdf\xff\xff\xff\xff"), E_INVALID_ARGUMENT, "" },
		{ SLICE_LIT("\x28\xb5\x2f\xfd\0\0\0\0"), E_INVALID_ARGUMENT, "zstd" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct log_verdict v;
		int rc;

		write_file(w->path, cases[i].header);
		rc = read_export(w, &v);
		if (rc != (int)cases[i].code || strstr(w->err.text, cases[i].why) == NULL)
			fail_msg("case %zu: %s", i, w->err.text);
	}
}

/* ---- roots ---- */

/* The event at seq becomes another one of the same length, in the log and so in the file, but for the roots. */
static void change_event(struct world *w, uint64_t seq)
{
	uint8_t *p = w->events.base + (seq > 1 ? w->ends[seq - 2] : 0);
	static const char was[] = "point.award";
	uint8_t *at = memmem(p, event_at(w, seq - 1).len, was, sizeof(was) - 1);

	assert_non_null(at);
	memcpy(at, "point.bward", sizeof(was) - 1);
}

static void a_change_lies_between_two_roots(void **state)
{
	struct world *w = *state;
	struct buf before, after;
	struct log_verdict v;
	size_t at = 0;

	buf_init(&before, FILE_MAX);
	buf_init(&after, FILE_MAX);
	given_events(w, 3000);
	write_whole(w, &forms[3]);
	read_file(w->path, &before);
	change_event(w, 1500);
	write_whole(w, &forms[3]);
	read_file(w->path, &after);
	assert_int_equal(before.len, after.len);
	/* only the event changes, the roots stay */
	while (before.base[at] == after.base[at] || before.base[at] != 'a' || after.base[at] != 'b')
		at++;
	before.base[at] = 'b';
	write_file(w->path, buf_slice(&before));
	assert_int_equal(read_export(w, &v), E_INVALID_ARGUMENT);
	assert_int_equal(v.first_bad_seq, 1025);
	assert_non_null(strstr(w->err.text, "events 1025..2048: not those whose root is told here"));
	buf_free(&before);
	buf_free(&after);
}

static void a_file_written_anew_is_found_by_what_was_kept(void **state)
{
	struct world *w = *state;
	struct export_reader *r;
	struct export_entry e;
	struct log_mark marks[2] = { { .size = 10 }, { .size = 20 } };
	size_t n;
	int rc;

	given_events(w, 30);
	n = w->n;
	w->n = 10;
	root_of(w, marks[0].root);
	w->n = 20;
	root_of(w, marks[1].root);
	w->n = n;
	/* when everything is right but event 15 */
	change_event(w, 15);
	write_whole(w, &forms[0]);
	/* then the marks name where */
	assert_int_equal(export_reader_open(w->path, -1, marks, 2, &r, &w->err), 0);
	while ((rc = export_reader_next(r, &e, &w->err)) == 0)
		;
	assert_int_equal(rc, E_INVALID_ARGUMENT);
	assert_int_equal(export_reader_verdict(r)->first_bad_seq, 11);
	assert_non_null(strstr(w->err.text, "events 11..20: not those of the checkpoint of size 20"));
	export_reader_close(r);
}

/* ---- a part ---- */

static void a_part_is_read_and_not_imported(void **state)
{
	struct world *w = *state;
	struct export_reader *r;
	struct log_mark mark = { .size = 1 };
	struct log_verdict v;

	given_events(w, 5);
	for (size_t i = 0; i < N_FORMS; i++) {
		write_export(w, &forms[i], (struct export_head){ .from_seq = 1, .to_seq = 5 });
		assert_int_equal(read_export(w, &v), E_NOT_FOUND);
		assert_true(v.ok && v.checked == 5);
		assert_int_equal(export_reader_open(w->path, -1, NULL, 0, &r, &w->err), 0);
		assert_int_equal(import_log(r, "/nowhere", NULL, NULL, &w->err), E_INVALID_ARGUMENT);
		assert_non_null(strstr(w->err.text, "only a part of a log"));
		export_reader_close(r);
		assert_int_equal(export_reader_open(w->path, -1, &mark, 1, &r, &w->err), E_INVALID_ARGUMENT);
	}
	/* of which events beyond are none */
	write_export(w, &forms[0], (struct export_head){ .from_seq = 1, .to_seq = 4 });
	assert_refused(w, E_INVALID_ARGUMENT, 5, "line 6: event 5 does not belong here");
}

/* ---- writing ---- */

static void a_file_that_is_there_is_left_alone(void **state)
{
	struct world *w = *state;
	struct export_out *out;
	struct buf is;

	buf_init(&is, 100);
	write_file(w->path, SLICE_LIT("kept"));
	assert_int_equal(export_out_open(w->path, false, 0, &out, &w->err), E_ALREADY_EXISTS);
	/* one that has come to be there meanwhile, too */
	unlink(w->path);
	assert_int_equal(export_out_open(w->path, false, 0, &out, &w->err), 0);
	assert_int_equal(export_out_write(out, SLICE_LIT("new"), &w->err), 0);
	write_file(w->path, SLICE_LIT("kept"));
	assert_int_equal(export_out_commit(out, &w->err), E_ALREADY_EXISTS);
	export_out_close(out);
	read_file(w->path, &is);
	assert_true(slice_is(buf_slice(&is), "kept"));
	/* nothing else is left: the directory goes away with that file alone */
	unlink(w->path);
	assert_int_equal(rmdir(w->dir), 0);
	buf_free(&is);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, given_a_world, clean_up)
	const struct CMUnitTest tests[] = {
		TEST(a_line_leads_back_to_the_bytes_of_every_type_of_event),
		TEST(what_json_cannot_say_is_carried),
		TEST(a_map_of_very_many_names_is_carried),
		TEST(what_is_read_back_is_what_was_said_to_be),
		TEST(json_is_read_as_it_was_meant),
		TEST(what_is_no_json_is_refused),
		TEST(a_line_that_says_something_else_than_its_bytes_is_refused),
		TEST(every_form_holds_the_same_events),
		TEST(an_empty_log_is_exported_too),
		TEST(the_export_of_then_is_written_and_read_now),
		TEST(a_file_that_was_cut_is_refused),
		TEST(a_file_that_was_changed_is_refused),
		TEST(events_that_are_not_in_order_are_named),
		TEST(headers_that_are_not_known_are_refused),
		TEST(a_change_lies_between_two_roots),
		TEST(a_file_written_anew_is_found_by_what_was_kept),
		TEST(a_part_is_read_and_not_imported),
		TEST(a_file_that_is_there_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
