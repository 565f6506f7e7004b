/*
 * Stored bytes are forever. tests/golden/events.hex holds, for each type of event, a line "name hex": a sample with
 * every field set, whole with its envelope. GOLDEN_UPDATE=1 adds the lines that are missing, after a new type of event
 * or a new field at the end of a record; it never takes a line away, so that what was ever written stays readable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/decide.h"
#include "core/rules.h"
#include "tests/lib/golden.h"

enum { BYTES_MAX = 1 << 16, SAMPLE_SEQ = 1000 };

static struct arena arena;

/* ---- samples ---- */

static struct slice text(const char *name, int64_t n)
{
	return arena_printf(&arena, "%s-%d", name, (int)n);
}

static void fill_scalar(const struct field *f, void *p, int64_t n)
{
	switch ((enum kind)f->kind) {
	case KIND_BOOL:
		*(bool *)p = n % 2;
		return;
	case KIND_INT:
	case KIND_CID:
		*(int64_t *)p = n % 3 ? n * 1000 : -n * 100000;
		return;
	case KIND_UID:
		*(int64_t *)p = n + 70;
		return;
	case KIND_U64:
		*(uint64_t *)p = (uint64_t)n * 20;
		return;
	case KIND_MS:
		*(int64_t *)p = 1772452800000 + n;
		return;
	case KIND_PTS:
		*(int64_t *)p = n * 500;
		return;
	case KIND_FLOAT:
		*(double *)p = (double)n / 2;
		return;
	case KIND_TEXT:
	case KIND_KEY:
		*(struct slice *)p = text(f->name, n);
		return;
	case KIND_MAP:
		*(struct slice *)p = SLICE_LIT("\x81\xa1k\x05");
		return;
	case KIND_ANY:
		*(struct slice *)p = SLICE_LIT("\x92\x01\xa1x");
		return;
	case KIND_REF:
		*(struct slice *)p = make_ref(&arena, "auction", n);
		return;
	case KIND_KEYS:
		*(struct slice *)p = SLICE_LIT("\x92\xa1k\xa1l");
		return;
	}
}

static void fill(const struct record *r, void *obj, int64_t *n);

static void fill_list(const struct field *f, void *p, int64_t *n)
{
	size_t size = field_element_size(f);
	uint8_t *v = arena_zero(&arena, 2 * size);

	for (int i = 0; i < 2; i++) {
		if (f->shape == SHAPE_LIST)
			fill_scalar(f, v + i * size, ++*n);
		else
			fill(f->sub(), v + i * size, n);
	}
	*(struct list *)p = (struct list){ v, 2 };
}

/* From the defaults to a filled record, or back. */
static struct slice sample_changes(const struct field *f, int64_t *n)
{
	const struct record *r = f->sub();
	void *old = arena_take(&arena, r->size), *new = arena_take(&arena, r->size);
	struct slice changes, before;

	record_defaults(r, old);
	fill(r, new, n);
	assert_true(record_diff(r, old, new, FIELD_FOLLOWS, &arena, &changes, &before) > 0);
	return strcmp(f->name, "before") == 0 ? before : changes;
}

static void fill(const struct record *r, void *obj, int64_t *n)
{
	record_defaults(r, obj);
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];
		uint8_t *p = (uint8_t *)obj + f->offset;

		if (f->flags & FIELD_DERIVED)
			continue;
		if (f->has != 0)
			*(bool *)((uint8_t *)obj + f->has) = true;
		switch ((enum shape)f->shape) {
		case SHAPE_SCALAR:
			fill_scalar(f, p, ++*n);
			break;
		case SHAPE_NEST:
		case SHAPE_FLAT:
			fill(f->sub(), p, n);
			break;
		case SHAPE_LIST:
		case SHAPE_LIST_OF:
			fill_list(f, p, n);
			break;
		case SHAPE_CHANGES:
			*(struct slice *)p = sample_changes(f, n);
			break;
		case SHAPE_PATCH:
			fail_msg("%s: a patch in an event", f->name);
		}
	}
}

static struct slice packed(const struct record *r, const void *obj)
{
	struct slice copy;
	struct buf b;

	buf_init(&b, BYTES_MAX);
	record_put(&b, r, obj);
	assert_false(b.failed);
	copy = arena_copy(&arena, buf_slice(&b));
	buf_free(&b);
	return copy;
}

/* Even tags: first of a commit, with a key; odd ones: caused by the event before. */
static struct slice sample(enum event_type type)
{
	static const uint8_t digest[32] = { 1, 2, 3 };
	const struct event_def *def = &event_defs[type];
	void *data = arena_take(&arena, def->record()->size);
	struct envelope e = { .tag = def->tag, .seq = SAMPLE_SEQ + def->tag, .version = 5, .at = 1772452800000 };
	struct slice copy;
	struct buf b;
	int64_t n = 0;

	fill(def->record(), data, &n);
	e.data = packed(def->record(), data);
	e.stream = stream_name(def->stream, (const uint8_t *)data + def->key_offset,
			       (const uint8_t *)data + def->key2_offset, &arena);
	e.commit = e.seq;
	e.method = SLICE_LIT("point.award");
	if (def->tag % 2 == 0) {
		e.has_peer = true;
		e.peer = 1000;
		e.key = SLICE_LIT("key-1");
		e.digest = slice_of(digest, sizeof(digest));
		e.result = SLICE_LIT("\x92\x01\xc0");
	} else {
		e.commit -= 2;
		e.cause = e.seq - 1;
		e.actor = SLICE_LIT("admin:1");
		e.note = SLICE_LIT("by hand");
	}
	buf_init(&b, BYTES_MAX);
	envelope_encode(&b, &e);
	assert_false(b.failed || arena.failed);
	copy = arena_copy(&arena, buf_slice(&b));
	buf_free(&b);
	return copy;
}

/* ---- the file ---- */

static bool has_line(enum event_type type, struct slice bytes)
{
	FILE *f = fopen(GOLDEN_EVENTS, "r");
	struct golden line;
	bool found = false;

	while (f != NULL && !found && golden_read(f, &line))
		found = strcmp(line.name, event_defs[type].name) == 0 &&
			slice_eq(slice_of(line.bytes, line.len), bytes);
	if (f != NULL)
		fclose(f);
	return found;
}

static void add_line(enum event_type type, struct slice bytes)
{
	const uint8_t *p = bytes.base;
	FILE *f = golden_open("a");

	fprintf(f, "%s ", event_defs[type].name);
	for (size_t i = 0; i < bytes.len; i++)
		fprintf(f, "%02x", p[i]);
	fputc('\n', f);
	assert_int_equal(fclose(f), 0);
}

/* ---- tests ---- */

static int clear_arena(void **state)
{
	(void)state;
	arena_free(&arena);
	arena_init(&arena, 1 << 24);
	return 0;
}

static int free_arena(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void every_type_of_event_is_written_as_it_was(void **state)
{
	(void)state;
	for (int type = 0; type < N_EVENTS; type++) {
		struct slice bytes = sample((enum event_type)type);

		if (has_line((enum event_type)type, bytes))
			continue;
		if (getenv("GOLDEN_UPDATE") == NULL)
			fail_msg("%s is not written as %s says. A type of event, or a field at the end of a record, is "
				 "new?"
				 " Then GOLDEN_UPDATE=1.",
				 event_defs[type].name, GOLDEN_EVENTS);
		add_line((enum event_type)type, bytes);
	}
}

/* Number of values, those inside arrays included: more when a record, or one inside it, has grown. */
static uint32_t count_values(struct mp *m)
{
	uint32_t n, total = 1;

	if (mp_peek(m) != MP_ARRAY) {
		assert_true(mp_skip(m, MP_SCAN_DEPTH));
		return 1;
	}
	assert_true(mp_array(m, &n));
	while (n-- > 0)
		total += count_values(m);
	return total;
}

/* What was read writes the same bytes again, unless its record has grown since. */
static void assert_rewrites(const struct event *ev, struct envelope *env, struct slice bytes)
{
	struct slice data = packed(event_defs[ev->type].record(), ev->data);
	struct mp new = mp_of(data), old = mp_of(env->data);
	struct buf b;

	if (count_values(&new) > count_values(&old))
		return;
	env->data = data;
	buf_init(&b, BYTES_MAX);
	envelope_encode(&b, env);
	assert_int_equal(b.len, bytes.len);
	assert_memory_equal(b.base, bytes.base, bytes.len);
	buf_free(&b);
}

static void whatever_was_ever_written_is_read(void **state)
{
	FILE *f = golden_open("r");
	struct golden line;
	int n = 0;

	(void)state;
	while (golden_read(f, &line)) {
		struct slice bytes = slice_of(line.bytes, line.len);
		struct envelope env;
		struct event ev;

		if (!event_from_stored(bytes, &arena, &ev, &env))
			fail_msg("a stored %s is not read any more", line.name);
		assert_string_equal(event_defs[ev.type].name, line.name);
		assert_int_equal(ev.seq, SAMPLE_SEQ + env.tag);
		assert_int_equal(ev.version, 5);
		assert_int_equal(ev.cause, env.tag % 2 ? ev.seq - 1 : 0);
		assert_int_equal(ev.commit, env.tag % 2 ? ev.seq - 2 : ev.seq);
		assert_true(env.tag % 2 ? ev.key.base == NULL : slice_is(ev.key, "key-1"));
		assert_rewrites(&ev, &env, bytes);
		n++;
	}
	fclose(f);
	assert_true(n >= N_EVENTS);
}

/* A reader meets events that are cut, and bytes that are none, without harm. */
static void damaged_events_are_refused(void **state)
{
	(void)state;
	for (int type = 0; type < N_EVENTS; type++) {
		struct slice whole = sample((enum event_type)type);
		uint8_t *copy = malloc(whole.len);
		struct envelope env;
		struct event ev;

		for (size_t n = 0; n < whole.len; n++) {
			uint8_t *cut = malloc(n + 1);

			memcpy(cut, whole.base, n);
			assert_false(event_from_stored(slice_of(cut, n), &arena, &ev, &env));
			free(cut);
		}
		for (size_t i = 0; i < whole.len * 8; i++) {
			memcpy(copy, whole.base, whole.len);
			copy[i / 8] ^= (uint8_t)(1 << i % 8);
			(void)event_from_stored(slice_of(copy, whole.len), &arena, &ev, &env);
			if (i % 64 == 0) {
				arena_reset(&arena);
				whole = sample((enum event_type)type);
			}
		}
		free(copy);
		arena_reset(&arena);
	}
}

static void tags_and_names_find_their_event(void **state)
{
	uint64_t bits[4] = { 0 };

	(void)state;
	for (int type = 0; type < N_EVENTS; type++) {
		assert_int_equal(event_by_tag(event_defs[type].tag), type);
		assert_int_equal(event_by_name(slice_str(event_defs[type].name)), type);
	}
	assert_int_equal(event_by_tag(0), N_EVENTS);
	assert_int_equal(event_by_tag(255), N_EVENTS);
	assert_int_equal(event_by_name(SLICE_LIT("point.credite")), N_EVENTS);
	assert_true(event_tags(SLICE_LIT("point.credited"), bits));
	assert_int_equal(bits[0], UINT64_C(1) << 20);
	assert_true(event_tags(SLICE_LIT("config.*"), bits));
	assert_int_equal(bits[170 >> 6], UINT64_C(127) << (170 & 63));
	assert_false(event_tags(SLICE_LIT("con.*"), bits));
	assert_false(event_tags(SLICE_LIT("*"), bits));
	assert_false(event_tags(SLICE_LIT(".*"), bits));
	assert_false(event_tags(SLICE_LIT(""), bits));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_type_of_event_is_written_as_it_was, clear_arena, free_arena),
		cmocka_unit_test_setup_teardown(whatever_was_ever_written_is_read, clear_arena, free_arena),
		cmocka_unit_test_setup_teardown(damaged_events_are_refused, clear_arena, free_arena),
		cmocka_unit_test(tags_and_names_find_their_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
