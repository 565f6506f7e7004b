/* Queries of entries and tokens: get, lists with every filter and order, export, statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/settings.h"
#include "tests/lib/json.h"
#include "tests/lib/pages.h"

/* A list as it is, and in pages of each size. */
static void assert_listed(struct world *w, const char *params, const char *want)
{
	assert_string_equal(listed(w, "config.list", params, "id"), want);
	for (int limit = 1; limit <= 3; limit++)
		assert_string_equal(paged(w, "config.list", params, "id", limit), want);
}

/* ---- entries ---- */

static void entries_are_got_in_the_order_asked(void **state)
{
	struct world *w = *state;

	given(w, "config.set", "{entries: {mine: 5}}");
	answers(w, "config.get_many", "{ids: ['points.poll', 'nobody', 'mine', 'flag.x']}",
		"{items: [{id: 'points.poll', value: 2, is_default: true, version: 0}, {id: 'mine', value: 5, version: "
		"1},"
		" {id: 'flag.x', value: false, known: true}], missing: ['nobody']}");
	refused(w, ask(w, "config.get_many", "{ids: []}"), E_INVALID_ARGUMENT, "{field: 'ids'}");
	refused(w, ask(w, "config.get_many", "{ids: ['a'], kind: 'token'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void entries_and_known_keys_are_listed_in_order(void **state)
{
	struct world *w = *state;
	const char *all;

	given(w, "config.set",
	      "{entries: {flag.b: true, flag.a: true, points.poll: 3, points.zero: 1, mine: 'x', Z: 1, daily: true}}");
	given(w, "config.delete", "{id: 'flag.a'}");
	assert_listed(w, "{prefix: 'flag.'}", "flag.b");
	assert_listed(w, "{prefix: 'maintenance.'}", "maintenance.enabled maintenance.message");
	assert_listed(w, "{prefix: 'daily'}", "daily daily_gift.enabled daily_gift.points");
	assert_listed(w, "{prefix: 'daily', order: 'desc'}", "daily_gift.points daily_gift.enabled daily");
	assert_listed(w, "{prefix: 'points.p'}", "points.poll points.post");
	assert_listed(w, "{prefix: 'points.p', stored: true}", "points.poll");
	assert_listed(w, "{prefix: 'points.p', stored: false}", "points.post");
	assert_listed(w, "{stored: true}", "Z daily flag.b mine points.poll points.zero");
	assert_listed(w, "{stored: true, order: 'desc'}", "points.zero points.poll mine flag.b daily Z");
	assert_listed(w, "{prefix: 'nothing'}", "");
	assert_listed(w, "{prefix: 'mine', kind: 'entry'}", "mine");
	assert_listed(w, "{prefix: 'points.poll'}", "points.poll");
	all = paged(w, "config.list", "{}", "id", 7);
	assert_int_equal(strncmp(all, "Z access.auction access.checkin", 31), 0);
	assert_int_equal(ask(w, "config.list", "{limit: 1000}"), 0);
	assert_int_equal(json_array_size(json_object_get(w->result, "items")), N_SETTINGS + 5);
	assert_string_equal(all, fields(w, "id"));
	answers(w, "config.list", "{prefix: 'points.po'}",
		"{items: [{id: 'points.poll', value: 3, default: 2, type: 'pts', is_default: false, known: true},"
		" {id: 'points.post', value: 5, is_default: true}], next: null}");
	refused(w, ask(w, "config.list", "{after: 'x'}"), E_INVALID_ARGUMENT, "{field: 'after'}");
}

/* ---- tokens ---- */

static const char *token_of(struct world *w, int id)
{
	static char text[64];

	assert_int_equal(ask(w, "config.get", "{kind: 'token', id: %d}", id), 0);
	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(w->result, "token")));
	return text;
}

static void use(struct world *w, int id, int user_id)
{
	given(w, "config.use_token", "{token: '%s', user_id: %d}", token_of(w, id), user_id);
}

/* An hour apart: 1 and 2 used (2 first), 3 deleted, 4 and 5 expired (5 first), 6 to 9 active. */
static void given_tokens(struct world *w)
{
	static const char *const tokens[] = {
		"created_by: 1, vip: true",
		"created_by: 2",
		"created_by: 1",
		"created_by: 1, expires_in_minutes: 1200",
		"created_by: 2, vip_days: 3, expires_in_minutes: 1000",
		"created_by: 1",
		"created_by: 2, expires_in_minutes: 8000",
		"created_by: 1, vip_days: 1, expires_in_minutes: 5000",
		"created_by: 2",
	};

	given(w, "user.create", "{id: 1}");
	given(w, "user.create", "{id: 2}");
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++, w->now += HOUR)
		given(w, "config.create", "{%s}", tokens[i]);
	use(w, 2, 5);
	w->now += HOUR;
	use(w, 1, 5);
	w->now += HOUR;
	given(w, "config.delete", "{kind: 'token', id: 3}");
	w->now += DAY;
}

static void tokens_are_got_by_id_or_string(void **state)
{
	struct world *w = *state;
	char params[96];

	given_tokens(w);
	snprintf(params, sizeof(params), "{kind: 'token', token: '%s'}", token_of(w, 7));
	answers(w, "config.get", params,
		"{id: 7, created_by: 2, status: 'active', valid: true, vip_days: 0, version: 1}");
	answers(w, "config.get", "{kind: 'token', id: 1}", "{status: 'used', used_by: 5, valid: false, version: 2}");
	refused(w, ask(w, "config.get", "{kind: 'token', id: 10}"), E_NOT_FOUND, "{kind: 'token', id: 10}");
	refused(w, ask(w, "config.get", "{kind: 'token', token: 'x'}"), E_NOT_FOUND, "{kind: 'token', id: 'x'}");
	refused(w, ask(w, "config.get", "{kind: 'token'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
	refused(w, ask(w, "config.get", "{kind: 'token', id: 1, token: 'x'}"), E_INVALID_ARGUMENT, "{field: 'id'}");
}

static void assert_token_lists(struct world *w)
{
	assert_listed(w, "{kind: 'token'}", "9 8 7 6 5 4 3 2 1");
	assert_listed(w, "{kind: 'token', order: 'asc'}", "1 2 3 4 5 6 7 8 9");
	assert_listed(w, "{kind: 'token', status: 'active'}", "8 7 6 9");
	assert_listed(w, "{kind: 'token', status: 'active', order: 'desc'}", "9 6 7 8");
	assert_listed(w, "{kind: 'token', status: 'expired'}", "4 5");
	assert_listed(w, "{kind: 'token', status: 'expired', order: 'asc'}", "5 4");
	assert_listed(w, "{kind: 'token', status: 'used'}", "1 2");
	assert_listed(w, "{kind: 'token', status: 'deleted'}", "3");
	assert_listed(w, "{kind: 'token', created_by: 1}", "8 6 4 3 1");
	assert_listed(w, "{kind: 'token', created_by: 1, status: 'active'}", "8 6");
	assert_listed(w, "{kind: 'token', created_by: 2, order: 'asc'}", "2 5 7 9");
	assert_listed(w, "{kind: 'token', created_by: 3}", "");
	assert_listed(w, "{kind: 'token', used_by: 5}", "1 2");
	assert_listed(w, "{kind: 'token', used_by: 5, order: 'asc'}", "2 1");
	assert_listed(w, "{kind: 'token', used_by: 5, created_by: 2}", "2");
	assert_listed(w, "{kind: 'token', used_by: 1}", "");
	assert_listed(w, "{kind: 'token', sort: 'used_at'}", "1 2");
	assert_listed(w, "{kind: 'token', sort: 'used_at', order: 'asc'}", "2 1");
	assert_listed(w, "{kind: 'token', sort: 'used_at', used_by: 5, vip: true}", "1");
	assert_listed(w, "{kind: 'token', sort: 'used_at', created_by: 2}", "2");
	assert_listed(w, "{kind: 'token', sort: 'used_at', status: 'active'}", "");
	assert_listed(w, "{kind: 'token', vip: true}", "8 5 1");
	assert_listed(w, "{kind: 'token', vip: false, status: 'active'}", "7 6 9");
}

static void tokens_are_listed_by_every_filter(void **state)
{
	struct world *w = *state;

	given_tokens(w);
	/* what the clock has ended counts as expired before the timer and after */
	assert_token_lists(w);
	assert_int_equal(tick(w), 2);
	assert_token_lists(w);
}

static void tokens_are_listed_by_time(void **state)
{
	struct world *w = *state;
	char params[160];

	given_tokens(w);
	snprintf(params, sizeof(params), "{kind: 'token', from_at: %lld, to_at: %lld}",
		 (long long)(WORLD_NOW + 2 * HOUR), (long long)(WORLD_NOW + 5 * HOUR));
	assert_listed(w, params, "5 4 3");
	snprintf(params, sizeof(params), "{kind: 'token', status: 'active', from_at: %lld}",
		 (long long)(WORLD_NOW + 7 * HOUR));
	assert_listed(w, params, "8 9");
	snprintf(params, sizeof(params), "{kind: 'token', sort: 'used_at', from_at: %lld}",
		 (long long)(WORLD_NOW + 10 * HOUR));
	assert_listed(w, params, "1");
	snprintf(params, sizeof(params), "{kind: 'token', sort: 'used_at', used_by: 5, to_at: %lld}",
		 (long long)(WORLD_NOW + 10 * HOUR));
	assert_listed(w, params, "2");
	snprintf(params, sizeof(params), "{kind: 'token', used_by: 5, to_at: %lld}", (long long)(WORLD_NOW + HOUR));
	assert_listed(w, params, "1");
	assert_listed(w, "{kind: 'token', days: 1}", "");
	assert_listed(w, "{kind: 'token', days: 2, status: 'used'}", "1 2");
	refused(w, ask(w, "config.list", "{kind: 'token', days: 1, from_at: 5}"), E_INVALID_ARGUMENT,
		"{field: 'days'}");
	refused(w, ask(w, "config.list", "{kind: 'token', status: 'open'}"), E_INVALID_ARGUMENT, "{field: 'status'}");
	refused(w, ask(w, "config.list", "{kind: 'token', sort: 'created_by'}"), E_INVALID_ARGUMENT, "{field: 'sort'}");
}

/* ---- export ---- */

static void what_is_stored_is_exported(void **state)
{
	struct world *w = *state;

	given_tokens(w);
	given(w, "config.set", "{entries: {points.poll: 2.5, mine: ['a'], flag.on: true, maintenance.message: 'x'}}");
	given(w, "config.set", "{entries: {maintenance.message: null}}");
	given(w, "config.delete", "{id: 'mine'}");
	answers(w, "config.export", "{}",
		"{format: 1, exported_at: %lld, head_seq: %lld, tokens: [],"
		" entries: {flag.on: true, maintenance.message: null, points.poll: 2.5}}",
		(long long)w->now, (long long)w->head);
	assert_int_equal(json_object_size(json_object_get(w->result, "entries")), 3);
	answers(w, "config.export", "{prefix: 'p'}", "{entries: {points.poll: 2.5}}");
	assert_int_equal(json_object_size(json_object_get(w->result, "entries")), 1);
	answers(w, "config.export", "{prefix: 'none', include_tokens: true}",
		"{entries: {}, tokens: [{id: 8, vip_days: 1, status: 'active'}, {id: 7}, {id: 6}, {id: 9}]}");
}

static void an_export_has_its_limit(void **state)
{
	struct world *w = *state;
	struct decision *d;

	for (int part = 0; part < 10; part++) {
		d = commit_begin(w);
		for (int i = 0; i < 1001; i++)
			EMIT(d, config_entry_set, .id = arena_printf(d->arena, "p%d.k%d", part, i),
			     .value = SLICE_LIT("\xc3"));
		commit_end(w);
	}
	refused(w, ask(w, "config.export", "{}"), E_LIMIT_EXCEEDED, "{limit: 10000}");
	assert_int_equal(ask(w, "config.export", "{prefix: 'p3.'}"), 0);
	assert_int_equal(json_object_size(json_object_get(w->result, "entries")), 1001);
	/* and a page ends before it has looked at more */
	answers(w, "config.list", "{stored: false, prefix: 'p'}", "{items: []}");
	assert_non_null(cursor(w));
	assert_string_equal(
		paged(w, "config.list", "{stored: false, prefix: 'p', order: 'desc'}", "id", 3),
		"points.vip_multiplier points.reaction points.post points.poll points.message points.decision"
		" points.comment points.checkin_weekly points.checkin points.challenge points.admins_earn"
		" points.activity");
}

/* The answers before it in a batch may have filled the room of a page: one entry comes all the same, and a cursor. */
static void a_list_in_a_full_batch_goes_on(void **state)
{
	struct world *w = *state;
	struct query q = { .state = w->state, .arena = &w->arena, .log = &w->source, .now = w->now, .err = &w->err };
	uint8_t *before = calloc(1, PAGE_BYTES + 1);
	struct config_list p;
	struct buf out;
	json_t *page;

	assert_non_null(before);
	buf_init(&out, ANSWER_MAX);
	buf_append(&out, before, PAGE_BYTES + 1);
	q.out = &out;
	record_defaults(record_config_list(), &p);
	p.limit = 50;
	assert_int_equal(run_query(METHOD_config_list, &q, &p), 0);
	page = json_unpacked(slice_of(out.base + PAGE_BYTES + 1, out.len - PAGE_BYTES - 1));
	assert_int_equal(json_array_size(json_object_get(page, "items")), 1);
	assert_true(json_is_string(json_object_get(page, "next")));
	json_decref(page);
	buf_free(&out);
	free(before);
}

/* ---- statistics ---- */

static void tokens_are_counted(void **state)
{
	struct world *w = *state;

	answers(w, "config.stats", "{}",
		"{total: 0, active: 0, used: 0, expired: 0, deleted: 0, vip_tokens: 0, usage_rate: 0.0, creators: 0,"
		" average_time_to_use_ms: 0.0, entries: 0, flags_on: 0}");
	given_tokens(w);
	given(w, "config.set", "{entries: {flag.a: true, flag.b: true, flag.c: false, points.poll: 3}}");
	given(w, "config.toggle", "{id: 'flag.b'}");
	for (int expired = 0; expired < 2; expired++) {
		answers(w, "config.stats", "{}",
			"{total: 9, active: 4, used: 2, expired: 2, deleted: 1, vip_tokens: 3, creators: 2, entries: 3,"
			" flags_on: 1, average_time_to_use_ms: %lld.0}",
			(long long)(9 * HOUR));
		assert_true(json_number_value(json_object_get(w->result, "usage_rate")) > 22.2);
		answers(w, "config.stats", "{user_id: 1}",
			"{created: 5, active: 2, used: 1, expired: 1, usage_rate: 20.0, last_created_at: %lld,"
			" used_by_user: 0}",
			(long long)(WORLD_NOW + 7 * HOUR));
		assert_int_equal(tick(w), expired ? 0 : 2);
	}
	answers(w, "config.stats", "{user_id: 5}",
		"{created: 0, active: 0, used: 0, expired: 0, usage_rate: 0.0, last_created_at: null, used_by_user: "
		"2}");
	refused(w, ask(w, "config.stats", "{user_id: 9}"), E_NOT_FOUND, "{kind: 'user', id: 9}");
	refused(w, ask(w, "config.stats", "{user_id: 1, days: 2}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	given(w, "user.delete", "{id: 2}");
	answers(w, "config.stats", "{}", "{total: 9, active: 4, creators: 2}");
}

static void tokens_are_counted_by_day(void **state)
{
	struct world *w = *state;
	long long day = WORLD_NOW / DAY * DAY;

	given_tokens(w);
	tick(w);
	w->now += DAY;
	given(w, "config.create", "{created_by: 1}");
	answers(w, "config.stats", "{days: 3}",
		"{created: 10, used: 2, expired: 2, per_day: [{day_at: %lld, created: 9, used: 2, expired: 0},"
		" {day_at: %lld, created: 0, used: 0, expired: 2}, {day_at: %lld, created: 1, used: 0, expired: 0}]}",
		day, day + (long long)DAY, day + 2 * (long long)DAY);
	answers(w, "config.stats", "{days: 1}", "{created: 1, used: 0, expired: 0}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(entries_are_got_in_the_order_asked),
		WORLD_TEST(entries_and_known_keys_are_listed_in_order),
		WORLD_TEST(tokens_are_got_by_id_or_string),
		WORLD_TEST(tokens_are_listed_by_every_filter),
		WORLD_TEST(tokens_are_listed_by_time),
		WORLD_TEST(what_is_stored_is_exported),
		WORLD_TEST(an_export_has_its_limit),
		WORLD_TEST(a_list_in_a_full_batch_goes_on),
		WORLD_TEST(tokens_are_counted),
		WORLD_TEST(tokens_are_counted_by_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
