/* Queries of the story: items with a user's relation, lists, pages, word search, statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rules.h"
#include "tests/lib/json.h"
#include "tests/lib/pages.h"

static void given_lore(struct world *w, const char *id, const char *more)
{
	w->now += SECOND;
	given(w, "narrative.create",
	      "{kind: 'lore', id: '%s', title: 'Lore %s', content_type: 'text', content: 'x'%s%s}", id, id,
	      *more ? ", " : "", more);
}

static void given_fragment(struct world *w, const char *id, const char *type, const char *more)
{
	w->now += SECOND;
	given(w, "narrative.create", "{id: '%s', title: 'Fragment %s', content: 'x', type: '%s'%s%s}", id, id, type,
	      *more ? ", " : "", more);
}

static void visit(struct world *w, int user_id, const char *id)
{
	w->now += SECOND;
	given(w, "narrative.visit", "{user_id: %d, fragment_id: '%s'}", user_id, id);
}

static void complete(struct world *w, int user_id, const char *id)
{
	w->now += SECOND;
	given(w, "narrative.complete", "{user_id: %d, fragment_id: '%s'}", user_id, id);
}

static void unlock(struct world *w, int user_id, const char *id)
{
	w->now += SECOND;
	given(w, "narrative.unlock_lore", "{user_id: %d, lore_id: '%s'}", user_id, id);
}

/* One field of a list, which is the same in pages of every size. */
static const char *list(struct world *w, const char *params, const char *field)
{
	static char whole[4096];

	snprintf(whole, sizeof(whole), "%s", listed(w, "narrative.list", params, field));
	for (int limit = 1; limit <= 3; limit++)
		assert_string_equal(paged(w, "narrative.list", params, field, limit), whole);
	return whole;
}

/* a (story, 1), b (decision, 2), c (info, 2), d (story, 1; inactive), e (story, 3; for VIPs with the key) */
static void given_story(struct world *w)
{
	given_lore(w, "key", "category: 'llaves', is_main_story: true");
	given_lore(w, "map", "category: 'llaves', description: 'Una MANSIÓN vieja'");
	given_lore(w, "old", "is_active: false");
	given_fragment(w, "a", "story", "");
	given_fragment(
		w, "b", "decision",
		"level: 2, choices: [{text: 'To c', next_fragment_id: 'c'}, {text: 'To a', next_fragment_id: 'a'}]");
	given_fragment(w, "c", "info", "level: 2, reward_points: 4");
	given_fragment(w, "d", "story", "is_active: false");
	given_fragment(w, "e", "story", "level: 3, required_role: 'vip', required_lore: ['key'], min_points: 2.5");
	for (int id = 7; id <= 9; id++)
		given(w, "user.create", "{id: %d}", id);
}

/* ---- items ---- */

static void a_fragment_knows_what_a_user_may(void **state)
{
	struct world *w = *state;
	long long visited, completed;

	given_story(w);
	answers(w, "narrative.get", "{id: 'e', user_id: 7}",
		"{id: 'e', required_lore: ['key'], user: {visited_at: null, completed_at: null, current: false,"
		" access: {allowed: false, missing: {lore: ['key'], points: 2.5, role: 'vip'}}}}");
	answers(w, "narrative.get", "{id: 'e', user_id: 99}", "{user: {access: {allowed: false}}}"); /* nobody */
	visit(w, 7, "c");
	visited = w->now;
	complete(w, 7, "c");
	completed = w->now;
	answers(w, "narrative.get", "{id: 'c', user_id: 7}",
		"{visits: 1, completions: 1, current_users: 1, user: {visited_at: %lld, completed_at: %lld, current: "
		"true,"
		" access: {allowed: true, missing: {lore: [], points: 0, role: null}}}}",
		visited, completed);
	answers(w, "narrative.get", "{id: 'd', user_id: 7}",
		"{user: {access: {allowed: false, missing: {lore: [], points: 0, role: null}}}}");
	assert_int_equal(ask(w, "narrative.get", "{id: 'c'}"), 0);
	assert_null(json_object_get(w->result, "user"));
	unlock(w, 7, "key");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	answers(w, "narrative.get", "{id: 'e', user_id: 7}", "{user: {access: {allowed: true}}}");
	w->now += DAY;
	answers(w, "narrative.get", "{id: 'e', user_id: 7}", "{user: {access: {missing: {role: 'vip'}}}}");
	refused(w, ask(w, "narrative.get", "{id: 'x'}"), E_NOT_FOUND, "{kind: 'fragment', id: 'x'}");
	refused(w, ask(w, "narrative.get", "{kind: 'visit', id: 'x'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void several_at_once(void **state)
{
	struct world *w = *state;

	given_story(w);
	answers(w, "narrative.get_many", "{ids: ['c', 'x', 'd']}",
		"{items: [{id: 'c', visits: 0}, {id: 'd'}], missing: ['x']}");
	answers(w, "narrative.get_many", "{ids: ['c'], user_id: 7}", "{items: [{user: {access: {allowed: true}}}]}");
	unlock(w, 7, "map");
	answers(w, "narrative.get_many", "{kind: 'lore', ids: ['map', 'no', 'old'], user_id: 7}",
		"{items: [{id: 'map', unlocks: 1, user: {unlocked_at: %lld, context: null}},"
		" {id: 'old', user: {unlocked_at: null}}], missing: ['no']}",
		(long long)w->now);
	refused(w, ask(w, "narrative.get_many", "{ids: []}"), E_INVALID_ARGUMENT, "{field: 'ids'}");
	refused(w, ask(w, "narrative.get", "{kind: 'lore', id: 'no'}"), E_NOT_FOUND, "{kind: 'lore', id: 'no'}");
}

static void a_story_shows_where_the_user_stands(void **state)
{
	struct world *w = *state;

	given_story(w);
	refused(w, ask(w, "narrative.get", "{kind: 'story', id: 7}"), E_NOT_FOUND, "{kind: 'story', id: 7}");
	unlock(w, 7, "map");
	unlock(w, 7, "key");
	answers(w, "narrative.get", "{kind: 'story', id: 7, include: ['fragment']}",
		"{id: 7, version: 3, current_fragment_id: null, fragment: null, lore: ['map', 'key'], visited: []}");
	visit(w, 7, "b");
	visit(w, 7, "a");
	complete(w, 7, "a");
	complete(w, 7, "b");
	answers(w, "narrative.get", "{kind: 'story', id: 7, include: ['fragment']}",
		"{current_fragment_id: 'a', visited: ['b', 'a'], completed: ['a', 'b'], fragments_visited: 2,"
		" fragments_completed: 2, progress_percentage: 50.0, fragment: {id: 'a', current_users: 1},"
		" last_activity_at: %lld}",
		(long long)w->now);
	assert_int_equal(ask(w, "narrative.get", "{kind: 'story', id: 7}"), 0);
	assert_null(json_object_get(w->result, "fragment"));
	refused(w, ask(w, "narrative.get", "{kind: 'story', id: 7, include: ['x']}"), E_INVALID_ARGUMENT,
		"{field: 'include'}");
}

static void a_story_lists_the_last_thousand(void **state)
{
	struct world *w = *state;
	json_t *visited;
	char id[16];

	given(w, "user.create", "{id: 7}");
	for (int i = 0; i < 1003; i++) {
		snprintf(id, sizeof(id), "f%d", i);
		given_fragment(w, id, "info", "");
		visit(w, 7, id);
	}
	answers(w, "narrative.get", "{kind: 'story', id: 7}", "{fragments_visited: 1003}");
	visited = json_object_get(w->result, "visited");
	assert_int_equal(json_array_size(visited), 1000);
	assert_string_equal(json_string_value(json_array_get(visited, 0)), "f3");
	assert_string_equal(json_string_value(json_array_get(visited, 999)), "f1002");
}

/* ---- lists of fragments ---- */

static void fragments_are_listed_by_creation(void **state)
{
	struct world *w = *state;

	given_story(w);
	assert_string_equal(list(w, "{}", "id"), "a b c e");
	assert_string_equal(list(w, "{order: 'desc'}", "id"), "e c b a");
	assert_string_equal(list(w, "{is_active: true}", "id"), "a b c e");
	assert_string_equal(list(w, "{is_active: null}", "id"), "a b c e");
	assert_string_equal(list(w, "{is_active: false}", "id"), "d");
	assert_string_equal(list(w, "{is_active: 'any'}", "id"), "a b c d e");
	assert_string_equal(list(w, "{type: 'story'}", "id"), "a e");
	assert_string_equal(list(w, "{type: 'story', is_active: 'any'}", "id"), "a d e");
	assert_string_equal(list(w, "{level: 2}", "id"), "b c");
	assert_string_equal(list(w, "{level: 2, type: 'info'}", "id"), "c");
	assert_string_equal(list(w, "{required_role: 'vip'}", "id"), "e");
	assert_string_equal(list(w, "{required_role: 'admin'}", "id"), "");
	given(w, "narrative.delete", "{id: 'b'}");
	assert_string_equal(list(w, "{}", "id"), "a c e");
	given(w, "narrative.update", "{id: 'd', is_active: true}");
	assert_string_equal(list(w, "{}", "id"), "a c d e");
	answers(w, "narrative.list", "{type: 'info', user_id: 7}",
		"{items: [{id: 'c', user: {access: {allowed: true}}}]}");
	refused(w, ask(w, "narrative.list", "{is_active: 5}"), E_INVALID_ARGUMENT, "{field: 'is_active'}");
	refused(w, ask(w, "narrative.list", "{is_active: 'all'}"), E_INVALID_ARGUMENT, "{field: 'is_active'}");
	refused(w, ask(w, "narrative.list", "{type: 'x'}"), E_INVALID_ARGUMENT, "{field: 'type'}");
	refused(w, ask(w, "narrative.list", "{kind: 'choice'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
}

static void fragments_are_sorted_by_what_happened(void **state)
{
	struct world *w = *state;

	given_story(w);
	visit(w, 7, "b");
	visit(w, 8, "b");
	visit(w, 9, "b");
	visit(w, 7, "c");
	visit(w, 8, "c");
	visit(w, 7, "a");
	complete(w, 7, "a");
	complete(w, 8, "a");
	complete(w, 9, "c");
	assert_string_equal(list(w, "{sort: 'visits'}", "id"), "c b a e");
	assert_string_equal(list(w, "{sort: 'visits'}", "visits"), "3 3 2 0");
	assert_string_equal(list(w, "{sort: 'visits', order: 'asc'}", "id"), "e a b c");
	assert_string_equal(list(w, "{sort: 'completions'}", "id"), "a c e b");
	assert_string_equal(list(w, "{sort: 'completions', level: 2}", "completions"), "1 0");
	assert_string_equal(list(w, "{sort: 'created_at'}", "id"), "a b c e");
	w->now += SECOND;
	given(w, "narrative.update", "{id: 'b', level: 9}");
	assert_string_equal(list(w, "{sort: 'updated_at'}", "id"), "b e c a");
	assert_string_equal(list(w, "{sort: 'updated_at', order: 'asc'}", "id"), "a c e b");
	assert_string_equal(list(w, "{sort: 'visits', user_id: 7, state: 'completed'}", "id"), "a");
	given(w, "narrative.delete", "{id: 'c'}");
	assert_string_equal(list(w, "{sort: 'visits'}", "id"), "b a e");
	assert_string_equal(list(w, "{sort: 'completions'}", "id"), "a e b");
	refused(w, ask(w, "narrative.list", "{sort: 'title'}"), E_INVALID_ARGUMENT, "{field: 'sort'}");
}

static void fragments_of_a_user(void **state)
{
	struct world *w = *state;

	given_story(w);
	visit(w, 7, "c");
	visit(w, 7, "a");
	visit(w, 7, "b");
	complete(w, 7, "b");
	complete(w, 7, "c");
	assert_string_equal(list(w, "{user_id: 7, state: 'visited'}", "id"), "c a b");
	assert_string_equal(list(w, "{user_id: 7, state: 'visited', order: 'desc'}", "id"), "b a c");
	assert_string_equal(list(w, "{user_id: 7, state: 'visited', type: 'story'}", "id"), "a");
	assert_string_equal(list(w, "{user_id: 7, state: 'completed'}", "id"), "b c");
	assert_string_equal(list(w, "{user_id: 7, state: 'open'}", "id"), "a");
	assert_string_equal(list(w, "{user_id: 8, state: 'open'}", "id"), "a b c");
	assert_string_equal(list(w, "{user_id: 8, state: 'visited'}", "id"), "");
	unlock(w, 8, "key");
	given(w, "point.award", "{user_id: 8, amount: 3}");
	given(w, "user.grant_vip", "{user_id: 8, days: 1}");
	assert_string_equal(list(w, "{user_id: 8, state: 'open'}", "id"), "a b c e");
	given(w, "narrative.update", "{id: 'c', is_active: false}");
	assert_string_equal(list(w, "{user_id: 7, state: 'completed'}", "id"), "b");
	assert_string_equal(list(w, "{user_id: 7, state: 'completed', is_active: 'any'}", "id"), "b c");
	refused(w, ask(w, "narrative.list", "{state: 'open'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
	refused(w, ask(w, "narrative.list", "{user_id: 7, state: 'unlocked'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
}

static void fragments_are_found_by_words(void **state)
{
	struct world *w = *state;

	given(w, "narrative.create", "{id: 'a', title: 'La mansión', content: 'Una puerta de ébano', type: 'story'}");
	given(w, "narrative.create", "{id: 'b', title: 'El jardín', content: 'Detrás de la MANSION', type: 'story'}");
	given(w, "narrative.create", "{id: 'c', title: 'Puerto', content: 'Mar', type: 'info', is_active: false}");
	assert_string_equal(list(w, "{query: 'mansión'}", "id"), "a b");
	assert_string_equal(list(w, "{query: 'MANS'}", "id"), "a b");
	assert_string_equal(list(w, "{query: 'mans ebano'}", "id"), "a");
	assert_string_equal(list(w, "{query: 'puert'}", "id"), "a");
	assert_string_equal(list(w, "{query: 'puert', is_active: 'any'}", "id"), "a c");
	assert_string_equal(list(w, "{query: 'mans', type: 'info'}", "id"), "");
	given(w, "narrative.update", "{id: 'b', content: 'Rosas'}");
	assert_string_equal(list(w, "{query: 'mans'}", "id"), "a");
	assert_string_equal(list(w, "{query: 'ros'}", "id"), "b");
	given(w, "narrative.delete", "{id: 'a'}");
	assert_string_equal(list(w, "{query: 'mans'}", "id"), "");
	refused(w, ask(w, "narrative.list", "{query: 'a', sort: 'visits'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "narrative.list", "{query: 'a', order: 'asc'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
	refused(w, ask(w, "narrative.list", "{query: '...'}"), E_INVALID_ARGUMENT, "{field: 'query'}");
}

/* ---- other lists ---- */

static void lore_is_listed_and_found(void **state)
{
	struct world *w = *state;

	given_story(w);
	given_lore(w, "pic", "category: 'memorias'");
	given(w, "narrative.update", "{kind: 'lore', id: 'pic', content_type: 'image'}");
	assert_string_equal(list(w, "{kind: 'lore'}", "id"), "key map pic");
	assert_string_equal(list(w, "{kind: 'lore', order: 'desc'}", "id"), "pic map key");
	assert_string_equal(list(w, "{kind: 'lore', is_active: 'any'}", "id"), "key map old pic");
	assert_string_equal(list(w, "{kind: 'lore', is_active: false}", "id"), "old");
	assert_string_equal(list(w, "{kind: 'lore', category: 'llaves'}", "id"), "key map");
	assert_string_equal(list(w, "{kind: 'lore', content_type: 'image'}", "id"), "pic");
	assert_string_equal(list(w, "{kind: 'lore', is_main_story: true}", "id"), "key");
	assert_string_equal(list(w, "{kind: 'lore', is_main_story: false, category: 'llaves'}", "id"), "map");
	assert_string_equal(list(w, "{kind: 'lore', query: 'mansion'}", "id"), "map");
	assert_string_equal(list(w, "{kind: 'lore', query: 'lor'}", "id"), "key map pic");
	unlock(w, 7, "map");
	unlock(w, 7, "key");
	assert_string_equal(list(w, "{kind: 'lore', user_id: 7, state: 'unlocked'}", "id"), "key map");
	assert_string_equal(list(w, "{kind: 'lore', user_id: 7, state: 'unlocked', order: 'asc'}", "id"), "map key");
	assert_string_equal(list(w, "{kind: 'lore', user_id: 7, state: 'locked'}", "id"), "pic");
	assert_string_equal(list(w, "{kind: 'lore', user_id: 7, state: 'locked', is_active: 'any'}", "id"), "old pic");
	assert_string_equal(list(w, "{kind: 'lore', user_id: 8, state: 'unlocked'}", "id"), "");
	answers(w, "narrative.list", "{kind: 'lore', user_id: 7, limit: 1}",
		"{items: [{id: 'key', unlocks: 1, user: {unlocked_at: %lld}}]}", (long long)w->now);
	refused(w, ask(w, "narrative.list", "{kind: 'lore', state: 'locked'}"), E_INVALID_ARGUMENT, "{field: 'state'}");
	refused(w, ask(w, "narrative.list", "{kind: 'lore', is_active: []}"), E_INVALID_ARGUMENT,
		"{field: 'is_active'}");
	refused(w, ask(w, "narrative.list", "{kind: 'lore', query: 'a', order: 'asc'}"), E_INVALID_ARGUMENT,
		"{field: 'query'}");
	refused(w, ask(w, "narrative.list", "{kind: 'lore', query: ''}"), E_INVALID_ARGUMENT, "{field: 'query'}");
}

static void visits_are_listed_in_their_order(void **state)
{
	struct world *w = *state;
	long long at;

	given_story(w);
	visit(w, 8, "c");
	visit(w, 7, "c");
	visit(w, 7, "a");
	visit(w, 7, "b");
	visit(w, 7, "c");
	complete(w, 7, "c");
	at = w->now;
	assert_string_equal(list(w, "{kind: 'visit', user_id: 7}", "fragment_id"), "c a b");
	assert_string_equal(list(w, "{kind: 'visit', user_id: 7, order: 'desc'}", "fragment_id"), "b a c");
	assert_string_equal(list(w, "{kind: 'visit', user_id: 7, completed: true}", "fragment_id"), "c");
	assert_string_equal(list(w, "{kind: 'visit', user_id: 7, completed: false}", "fragment_id"), "a b");
	assert_string_equal(list(w, "{kind: 'visit', fragment_id: 'c'}", "user_id"), "8 7");
	assert_string_equal(list(w, "{kind: 'visit', fragment_id: 'c', completed: false}", "user_id"), "8");
	assert_string_equal(list(w, "{kind: 'visit', fragment_id: 'c', user_id: 7}", "fragment_id"), "c");
	assert_string_equal(list(w, "{kind: 'visit', fragment_id: 'x'}", "user_id"), "");
	answers(w, "narrative.list", "{kind: 'visit', user_id: 7, completed: true}",
		"{items: [{user_id: 7, fragment_id: 'c', visited_at: %lld, completed_at: %lld, rewarded_at: %lld}],"
		" next: null}",
		at - 4 * SECOND, at, at);
	refused(w, ask(w, "narrative.list", "{kind: 'visit'}"), E_INVALID_ARGUMENT, "{field: 'user_id'}");
}

static void unlocks_are_listed_latest_first(void **state)
{
	struct world *w = *state;

	given_story(w);
	unlock(w, 7, "key");
	w->now += DAY;
	unlock(w, 8, "key");
	unlock(w, 7, "map");
	assert_string_equal(list(w, "{kind: 'unlock', user_id: 7}", "lore_id"), "map key");
	assert_string_equal(list(w, "{kind: 'unlock', user_id: 7, order: 'asc'}", "lore_id"), "key map");
	assert_string_equal(list(w, "{kind: 'unlock', user_id: 7, days: 1}", "lore_id"), "map");
	assert_string_equal(list(w, "{kind: 'unlock', lore_id: 'key'}", "user_id"), "8 7");
	assert_string_equal(list(w, "{kind: 'unlock', lore_id: 'key', days: 1}", "user_id"), "8");
	assert_string_equal(list(w, "{kind: 'unlock', lore_id: 'key', user_id: 7}", "lore_id"), "key");
	answers(w, "narrative.list", "{kind: 'unlock', user_id: 7, limit: 1}",
		"{items: [{user_id: 7, lore_id: 'map', unlocked_at: %lld, context: null, source: 'manual'}]}",
		(long long)w->now);
	refused(w, ask(w, "narrative.list", "{kind: 'unlock'}"), E_INVALID_ARGUMENT, "{field: 'user_id'}");
}

static void decisions_are_listed_latest_first(void **state)
{
	struct world *w = *state;

	given_story(w);
	visit(w, 7, "b");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 1}");
	w->now += DAY;
	visit(w, 8, "b");
	given(w, "narrative.choose", "{user_id: 8, choice_index: 0}");
	visit(w, 7, "b");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 0}");
	assert_string_equal(list(w, "{kind: 'decision', user_id: 7}", "id"), "3 1");
	assert_string_equal(list(w, "{kind: 'decision', user_id: 7, order: 'asc'}", "id"), "1 3");
	assert_string_equal(list(w, "{kind: 'decision', user_id: 7, days: 1}", "id"), "3");
	assert_string_equal(list(w, "{kind: 'decision', user_id: 7, days: 1, order: 'asc'}", "id"), "3");
	assert_string_equal(list(w, "{kind: 'decision', fragment_id: 'b'}", "id"), "3 2 1");
	assert_string_equal(list(w, "{kind: 'decision', fragment_id: 'a'}", "id"), "");
	assert_string_equal(list(w, "{kind: 'decision', fragment_id: 'b', user_id: 8}", "id"), "2");
	answers(w, "narrative.list", "{kind: 'decision', user_id: 7, limit: 1}",
		"{items: [{id: 3, user_id: 7, fragment_id: 'b', choice_index: 0, choice_text: 'To c', "
		"next_fragment_id: 'c',"
		" made_at: %lld}]}",
		(long long)w->now);
	answers(w, "narrative.stats", "{fragment_id: 'b'}", "{choices: [2, 1]}");
	refused(w, ask(w, "narrative.list", "{kind: 'decision'}"), E_INVALID_ARGUMENT, "{field: 'user_id'}");
}

/* ---- statistics ---- */

static void statistics_of_an_empty_story(void **state)
{
	struct world *w = *state;

	answers(w, "narrative.stats", "{}",
		"{fragments: 0, active: 0, inactive: 0, by_type: {story: 0, decision: 0, info: 0}, with_choices: 0,"
		" users_in_story: 0, average_completed: 0.0, decisions: 0, lore: 0, lore_active: 0, lore_categories: 0,"
		" by_category: {}, lore_unlocks: 0}");
	given(w, "user.create", "{id: 7}");
	answers(w, "narrative.stats", "{user_id: 7}",
		"{current_fragment_id: null, visited: 0, completed: 0, progress_percentage: 0.0, lore: 0,"
		" lore_percentage: 0.0, karma: 0, decisions: 0, started_at: null, last_activity_at: null}");
}

static void statistics_of_the_story(void **state)
{
	struct world *w = *state;

	given_story(w);
	visit(w, 7, "b");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 0}");
	complete(w, 7, "c");
	unlock(w, 8, "key");
	w->now += DAY;
	complete(w, 9, "a");
	unlock(w, 9, "key");
	answers(w, "narrative.stats", "{}",
		"{fragments: 5, active: 4, inactive: 1, by_type: {story: 3, decision: 1, info: 1}, with_choices: 1,"
		" users_in_story: 3, average_completed: 1.0, decisions: 1, lore: 3, lore_active: 2, lore_categories: 1,"
		" by_category: {llaves: 2}, lore_unlocks: 2}");
	assert_null(json_object_get(w->result, "visits"));
	answers(w, "narrative.stats", "{days: 1}",
		"{fragments: 5, visits: 1, completions: 1, decisions: 0, unlocks: 1}");
	answers(w, "narrative.stats", "{days: 2}", "{visits: 3, completions: 3, decisions: 1, unlocks: 2}");
	given(w, "narrative.update", "{kind: 'lore', id: 'map', category: 'memorias'}");
	given(w, "narrative.update", "{id: 'b', choices: [], type: 'info'}");
	answers(w, "narrative.stats", "{}",
		"{by_category: {llaves: 1, memorias: 1}, lore_categories: 2, with_choices: 0, by_type: {info: 2, "
		"decision: 0}}");
	given(w, "narrative.update", "{kind: 'lore', id: 'map', category: null, is_active: false}");
	answers(w, "narrative.stats", "{}", "{by_category: {llaves: 1}, lore_categories: 1, lore_active: 1}");
	assert_null(json_object_get(json_object_get(w->result, "by_category"), "memorias"));
	refused(w, ask(w, "narrative.stats", "{days: 0}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	refused(w, ask(w, "narrative.stats", "{days: 1, user_id: 7}"), E_INVALID_ARGUMENT, "{field: 'days'}");
	refused(w, ask(w, "narrative.stats", "{fragment_id: 'a', user_id: 7}"), E_INVALID_ARGUMENT,
		"{field: 'user_id'}");
}

static void statistics_of_one(void **state)
{
	struct world *w = *state;
	long long first, last;

	given_story(w);
	visit(w, 7, "c");
	visit(w, 8, "c");
	complete(w, 8, "c");
	given(w, "point.award", "{user_id: 9, amount: 1, ref: {kind: 'fragment', id: 'c'}}");
	given(w, "point.award", "{user_id: 9, amount: 1, ref: {kind: 'fragment', id: 'nowhere'}}");
	given(w, "point.award", "{user_id: 9, amount: 1, ref: {kind: 'mission', id: 'c'}}");
	answers(w, "narrative.stats", "{fragment_id: 'c'}",
		"{current_users: 2, visits: 2, completions: 1, completion_rate: 50.0, choices: [], points_paid: 5}");
	unlock(w, 8, "key");
	first = w->now;
	w->now += SECOND;
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'key', source: 'shop'}");
	last = w->now;
	answers(w, "narrative.stats", "{lore_id: 'key'}",
		"{unlocks: 2, by_source: {manual: 1, shop: 1}, first_unlocked_at: %lld, last_unlocked_at: %lld}", first,
		last);
	answers(w, "narrative.stats", "{user_id: 8}",
		"{current_fragment_id: 'c', visited: 1, completed: 1, progress_percentage: 25.0, lore: 1, karma: 0,"
		" decisions: 0, last_activity_at: %lld}",
		first);
	refused(w, ask(w, "narrative.stats", "{user_id: 99}"), E_NOT_FOUND, "{kind: 'user', id: 99}");
	refused(w, ask(w, "narrative.stats", "{fragment_id: 'x'}"), E_NOT_FOUND, "{kind: 'fragment', id: 'x'}");
	refused(w, ask(w, "narrative.stats", "{lore_id: 'x'}"), E_NOT_FOUND, "{kind: 'lore', id: 'x'}");
}

static void categories_beyond_200_share_a_counter(void **state)
{
	struct world *w = *state;
	char id[16], more[32];

	for (int i = 0; i < 203; i++) {
		snprintf(id, sizeof(id), "l%d", i);
		snprintf(more, sizeof(more), "category: 'c%d'", i);
		given_lore(w, id, more);
	}
	answers(w, "narrative.stats", "{}", "{lore_categories: 201, by_category: {c0: 1, c199: 1, other: 3}}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'l0'}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'l202'}");
	answers(w, "narrative.stats", "{}", "{lore_categories: 200, by_category: {c1: 1, other: 2}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_fragment_knows_what_a_user_may),
		WORLD_TEST(several_at_once),
		WORLD_TEST(a_story_shows_where_the_user_stands),
		WORLD_TEST(a_story_lists_the_last_thousand),
		WORLD_TEST(fragments_are_listed_by_creation),
		WORLD_TEST(fragments_are_sorted_by_what_happened),
		WORLD_TEST(fragments_of_a_user),
		WORLD_TEST(fragments_are_found_by_words),
		WORLD_TEST(lore_is_listed_and_found),
		WORLD_TEST(visits_are_listed_in_their_order),
		WORLD_TEST(unlocks_are_listed_latest_first),
		WORLD_TEST(decisions_are_listed_latest_first),
		WORLD_TEST(statistics_of_an_empty_story),
		WORLD_TEST(statistics_of_the_story),
		WORLD_TEST(statistics_of_one),
		WORLD_TEST(categories_beyond_200_share_a_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
