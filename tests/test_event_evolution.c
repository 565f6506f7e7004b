/*
 * How an event changes without its past: the worked example of docs/schema.md. tests/schema/evolution.def adds to the
 * schema an event that got a field and, before that, a new version; this test and what expands the schema are compiled
 * with it. tests/golden/evolution.hex holds events as each of the three forms was written: "form hex".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/decide.h"
#include "core/state_mem.h"
#include "daemon/event_log.h"
#include "log/log.h"
#include "tests/lib/json.h"

#define GOLDEN "tests/golden/evolution.hex"
enum { EVENTS = 4, BYTES_MAX = 512, TAG_FIRST = 250, TAG_NOW = 251 };

/* ---- what the change consists of ---- */

/* Pounds, with two decimals at most, in grams. A weight that nobody can read was accepted once, and is none now. */
static int64_t grams_of(struct slice pounds)
{
	char text[16];
	double n;

	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(pounds));
	n = strtod(text, NULL);
	return n > 0 && n < 1e6 ? (int64_t)(n * 453.59237 + 0.5) : 0;
}

void upcast_parcel_sent_1(const struct parcel_sent_1 *old, struct parcel_sent *ret, struct arena *arena)
{
	ret->user_id = old->user_id;
	ret->grams = grams_of(old->weight);
	ret->to = old->town.base != NULL
			  ? arena_printf(arena, "%.*s, %.*s", SLICE_FMT(old->street), SLICE_FMT(old->town))
			  : old->street;
}

/* A fold knows the event as it is now, and nothing of what it was. */
static void on_parcel_sent(struct state *s, const struct event *ev)
{
	const struct parcel_sent *p = ev->data;
	struct parcels row = { 0 };

	get_parcels(s, (uint64_t)p->user_id, &row);
	row.count++;
	row.grams += p->grams;
	row.insured += p->insured;
	put_parcels(s, (uint64_t)p->user_id, &row);
}

/* ---- fixture ---- */

struct world {
	struct arena arena;
	char form[EVENTS][16];
	uint8_t bytes[EVENTS][BYTES_MAX];
	size_t len[EVENTS];
};

static void read_line(struct world *w, int i, const char *line)
{
	const char *hex = strchr(line, ' ') + 1;
	unsigned byte;

	assert_int_equal(sscanf(line, "%15s", w->form[i]), 1);
	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		w->bytes[i][w->len[i]++] = (uint8_t)byte;
}

static void read_golden(struct world *w)
{
	FILE *f = fopen(GOLDEN, "r");
	char line[2 * BYTES_MAX];

	if (f == NULL)
		fail_msg("cannot open %s (run from the top of the tree)", GOLDEN);
	for (int i = 0; i < EVENTS; i++) {
		assert_non_null(fgets(line, sizeof(line), f));
		read_line(w, i, line);
	}
	assert_null(fgets(line, sizeof(line), f));
	fclose(f);
}

static struct slice stored(const struct world *w, int i)
{
	return slice_of(w->bytes[i], w->len[i]);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	arena_init(&w->arena, 1 << 20);
	read_golden(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	arena_free(&w->arena);
	free(w);
	return 0;
}

static struct event event_of(struct world *w, int i)
{
	struct envelope env;
	struct event ev;

	if (!event_from_stored(stored(w, i), &w->arena, &ev, &env))
		fail_msg("event %d is not read any more", i + 1);
	return ev;
}

/* ---- tests ---- */

static void assert_parcel(struct event ev, int64_t grams, const char *to, bool insured)
{
	const struct parcel_sent *p = ev.data;

	assert_int_equal(ev.type, EV_parcel_sent);
	assert_int_equal(p->user_id, 42);
	assert_int_equal(p->grams, grams);
	assert_true(slice_is(p->to, to));
	assert_int_equal(p->insured, insured);
}

static void each_form_is_read_as_the_latest(void **state)
{
	struct world *w = *state;

	/* another version: converted */
	assert_parcel(event_of(w, 0), 1134, "Calle Mayor 1, Madrid", false);
	assert_parcel(event_of(w, 1), 340, "Camino Real", false);
	/* before a field was added: its default */
	assert_parcel(event_of(w, 2), 900, "Gran Via 7, Bilbao", false);
	assert_parcel(event_of(w, 3), 1200, "Gran Via 7, Bilbao", true);
}

static void the_envelope_stays_as_it_was_written(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < EVENTS; i++) {
		struct event ev = event_of(w, i);

		assert_int_equal(ev.seq, i + 1);
		assert_int_equal(ev.version, i + 1);
		assert_true(slice_is(ev.stream, "user:42") && slice_is(ev.actor, "bot"));
	}
}

/* What today's code writes is the last line, byte for byte. */
static void only_the_latest_form_is_written(void **state)
{
	struct world *w = *state;
	struct parcel_sent p = { .user_id = 42, .grams = 1200, .to = SLICE_LIT("Gran Via 7, Bilbao"), .insured = true };
	struct envelope env;
	struct buf data, b;

	assert_true(envelope_decode(stored(w, 3), &env));
	buf_init(&data, BYTES_MAX);
	buf_init(&b, BYTES_MAX);
	record_put(&data, record_parcel_sent(), &p);
	env.tag = event_defs[EV_parcel_sent].tag;
	env.data = buf_slice(&data);
	envelope_encode(&b, &env);
	assert_true(slice_eq(buf_slice(&b), stored(w, 3)));
	buf_free(&b);
	buf_free(&data);
}

static void folds_see_the_latest_form_alone(void **state)
{
	struct world *w = *state;
	struct state *s = state_mem_new(state_tables, N_TABLES);
	struct parcels row;

	for (int i = 0; i < EVENTS; i++) {
		struct event ev = event_of(w, i);

		on_parcel_sent(s, &ev);
	}
	assert_true(get_parcels(s, 42, &row));
	assert_int_equal(row.count, 4);
	assert_int_equal(row.grams, 1134 + 340 + 900 + 1200);
	assert_int_equal(row.insured, 1);
	state_mem_free(s);
}

/* log.read, log.get and subscriptions show events by this one function. */
static void readers_see_the_latest_form_alone(void **state)
{
	struct world *w = *state;
	json_t *shown, *wanted = json_of("{type: 'user.parcel_sent', users: [42], data: {user_id: 42, grams: 1134, to: "
					 "'Calle Mayor 1, Madrid', insured: false}}");
	struct buf b;
	struct err err;

	buf_init(&b, 1 << 16);
	assert_int_equal(event_show(&b, stored(w, 0), false, &w->arena, &err), 0);
	shown = json_unpacked(buf_slice(&b));
	assert_true(json_has(shown, wanted));
	assert_int_equal(json_object_size(json_object_get(shown, "data")), 4);
	json_decref(shown);
	json_decref(wanted);
	buf_free(&b);
}

static void given_a_log_of_them(struct world *w, const char *dir, struct log **ret)
{
	static const struct log_options options = { .map_max = (size_t)1 << 30, .reserve = 1 << 20 };
	struct block *block;
	struct err err;

	assert_int_equal(log_open(dir, &options, ret, &err), 0);
	for (int i = 0; i < EVENTS; i++) {
		uint8_t tag = i < 2 ? TAG_FIRST : TAG_NOW;
		uint32_t end = (uint32_t)w->len[i];

		assert_int_equal(log_append(*ret, stored(w, i), &end, &tag, 1, event_of(w, i).at, &err), 0);
		block = log_begin_flush(*ret);
		assert_int_equal(log_flush(*ret, block, &err), 0);
		log_end_flush(*ret, block, true);
	}
}

/* Filters by type go by the tags in the masks of blocks; a type of two tags asks for both. */
static void a_filter_by_type_finds_every_form(void **state)
{
	struct world *w = *state;
	char dir[] = "/tmp/diana-evolution-XXXXXX", command[64];
	uint64_t tags[4] = { 0 };
	struct event_source source;
	struct log_reader *r;
	struct event ev;
	struct log *log;
	struct err err;

	assert_non_null(mkdtemp(dir));
	given_a_log_of_them(w, dir, &log);
	assert_int_equal(log_reader_open(log, 0, &r, &err), 0);
	assert_int_equal(log_reader_refresh(r, &err), 0);
	source = event_source_of(r);
	assert_true(event_tags(SLICE_LIT("user.parcel_sent"), tags));
	assert_int_equal(tags[3], UINT64_C(3) << (TAG_FIRST & 63));
	for (uint64_t seq = 1; seq <= EVENTS; seq++) {
		uint64_t examined = 0;

		assert_int_equal(source.next(source.arg, seq, false, tags, &w->arena, &ev, &examined, &err), 0);
		assert_int_equal(ev.seq, seq);
		assert_int_equal(ev.type, EV_parcel_sent);
	}
	memset(tags, 0, sizeof(tags));
	assert_true(event_tags(SLICE_LIT("point.*"), tags));
	assert_int_equal(source.next(source.arg, 1, false, tags, &w->arena, &ev, NULL, &err), E_NOT_FOUND);
	log_reader_close(r);
	log_close(log);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void an_old_form_that_is_cut_or_garbled_is_refused(void **state)
{
	struct world *w = *state;
	uint8_t copy[BYTES_MAX];
	struct envelope env;
	struct event ev;

	for (size_t n = 0; n < w->len[0]; n++)
		assert_false(event_from_stored(slice_of(w->bytes[0], n), &w->arena, &ev, &env));
	for (size_t bit = 0; bit < w->len[0] * 8; bit++) {
		memcpy(copy, w->bytes[0], w->len[0]);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		(void)event_from_stored(slice_of(copy, w->len[0]), &w->arena, &ev, &env);
		arena_reset(&w->arena);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_form_is_read_as_the_latest),
		TEST(the_envelope_stays_as_it_was_written),
		TEST(only_the_latest_form_is_written),
		TEST(folds_see_the_latest_form_alone),
		TEST(readers_see_the_latest_form_alone),
		TEST(a_filter_by_type_finds_every_form),
		TEST(an_old_form_that_is_cut_or_garbled_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
