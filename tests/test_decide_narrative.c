/* Commands of the story: fragments, lore, visits, choices, completions, resets, unlocks; and the rules that follow. */
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
#include "tests/lib/world.h"

static void given_lore(struct world *w, const char *id, const char *more)
{
	given(w, "narrative.create",
	      "{kind: 'lore', id: '%s', title: 'Lore %s', content_type: 'text', content: 'x'%s%s}", id, id,
	      *more ? ", " : "", more);
}

static void given_fragment(struct world *w, const char *id, const char *more)
{
	given(w, "narrative.create", "{id: '%s', title: 'Fragment %s', content: 'x', type: 'story'%s%s}", id, id,
	      *more ? ", " : "", more);
}

static void update(struct world *w, const char *id, const char *fields)
{
	given(w, "narrative.update", "{id: '%s', %s}", id, fields);
}

static void visit(struct world *w, const char *id)
{
	w->now += SECOND;
	given(w, "narrative.visit", "{user_id: 7, fragment_id: '%s'}", id);
}

/* start (a decision) leads to hall, which pays on completion, and to vault, which asks for a key and pays on entry. */
static void given_story(struct world *w)
{
	given_lore(w, "key", "");
	given_lore(w, "map", "");
	given(w, "narrative.create",
	      "{id: 'start', title: 'Start', content: 'Once', type: 'decision', choices: ["
	      "{text: 'To the hall', next_fragment_id: 'hall', cost_points: 3, reward_points: 5, karma: 2},"
	      "{text: 'To the vault', next_fragment_id: 'vault', required_points: 20, cost_points: 15},"
	      "{text: 'Nowhere', next_fragment_id: 'nowhere'},"
	      "{text: 'Stay', next_fragment_id: 'start', required_role: 'vip', karma: -5}]}");
	given_fragment(w, "hall", "reward_points: 7, unlocks_lore: ['map', 'key']");
	given_fragment(w, "vault", "required_lore: ['key'], min_points: 10, reward_points: 50, reward_on: 'visit'");
	given(w, "user.create", "{id: 7}");
}

/* ---- fragments ---- */

static void fragments_have_defaults(void **state)
{
	struct world *w = *state;
	long long at = w->now;

	given(w, "narrative.create",
	      "{id: 'a', title: ' A ', content: ' kept ', type: 'decision', choices: [{text: ' Go ', next_fragment_id: "
	      "'b'}]}");
	assert_string_equal(events(w), "narrative.fragment_created");
	then(w,
	     "{seq: 1, version: 1, changed: true, item: {id: 'a', title: 'A', content: ' kept ', type: 'decision',"
	     " choices: [{text: 'Go', next_fragment_id: 'b', required_points: 0, required_role: null, cost_points: 0,"
	     " reward_points: 0, karma: 0, affects_engagement: false, affects_future_rewards: false,"
	     " engagement_multiplier: 1}], required_lore: [], required_role: null, min_points: 0, level: 1,"
	     " character: 'Lucien', auto_next_fragment_id: null, reward_points: 0, reward_on: 'complete',"
	     " unlocks_lore: [], unlocks_achievement_id: null, is_milestone: false, is_completion_point: false, meta: "
	     "{},"
	     " is_active: true, created_at: %lld, updated_at: %lld, version: 1, visits: 0, completions: 0,"
	     " current_users: 0}}",
	     at, at);
	then_event(w, 0, "{id: 'a', title: 'A', choices: [{text: 'Go', engagement_multiplier: 1}], meta: {}}");
	given(w, "narrative.create", "{title: 'B', content: 'x', type: 'info', meta: {a: [1, {b: 'c'}]}}");
	then(w, "{version: 1, item: {meta: {a: [1, {b: 'c'}]}}}");
	{
		const char *id = json_string_value(json_object_get(json_object_get(w->result, "item"), "id"));

		assert_int_equal(strlen(id), 36);
		assert_true(id[8] == '-' && id[13] == '-' && id[14] == '4' && id[18] == '-' &&
			    strchr("89ab", id[19]) != NULL && id[23] == '-');
	}
}

static void some_names_are_for_vips(void **state)
{
	static const char *const vip[] = { "level4_a", "level5_a", "level6_", "vip_x" };
	struct world *w = *state;

	for (int i = 0; i < 4; i++) {
		given_fragment(w, vip[i], "");
		then(w, "{item: {required_role: 'vip'}}");
	}
	given_fragment(w, "level3_a", "");
	then(w, "{item: {required_role: null}}");
	given_fragment(w, "vip_free", "required_role: 'free'");
	then(w, "{item: {required_role: 'free'}}");
	update(w, "vip_x", "required_role: null");
	then(w, "{item: {required_role: null}}");
}

static void what_a_fragment_names_must_exist(void **state)
{
	struct world *w = *state;

	given_lore(w, "key", "");
	refused(w,
		when(w, "narrative.create", "{title: 'A', content: 'x', type: 'info', required_lore: ['key', 'no']}"),
		E_NOT_FOUND, "{kind: 'lore', id: 'no'}");
	refused(w, when(w, "narrative.create", "{title: 'A', content: 'x', type: 'info', unlocks_lore: ['no']}"),
		E_NOT_FOUND, "{kind: 'lore', id: 'no'}");
	refused(w,
		when(w, "narrative.create", "{title: 'A', content: 'x', type: 'info', unlocks_achievement_id: 'no'}"),
		E_NOT_FOUND, "{kind: 'achievement', id: 'no'}");
	given_fragment(w, "a", "unlocks_lore: ['key'], auto_next_fragment_id: 'dangling'");
	refused(w, when(w, "narrative.update", "{id: 'a', unlocks_lore: ['no']}"), E_NOT_FOUND, "{id: 'no'}");
	refused(w, when(w, "narrative.update", "{id: 'a', required_lore: ['no']}"), E_NOT_FOUND, "{id: 'no'}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'key'}");
	update(w, "a", "title: 'B'"); /* what it leads on to may be gone */
	then(w, "{version: 2, item: {unlocks_lore: ['key']}}");
}

static void a_fragment_that_makes_no_sense_is_refused(void **state)
{
	static const struct {
		const char *fields;
		const char *field;
	} bad[] = {
		{ "title: ' ', content: 'x', type: 'info'", "title" },
		{ "title: 'a', content: ' \\n', type: 'info'", "content" },
		{ "title: 'a', content: 'x', type: 'novel'", "type" },
		{ "title: 'a', content: 'x'", "type" },
		{ "content: 'x', type: 'info'", "title" },
		{ "title: 'a', content: 'x', type: 'info', choices: [{text: 'a', next_fragment_id: 'b'}]", "choices" },
		{ "title: 'a', content: 'x', type: 'decision', choices: [{text: ' ', next_fragment_id: 'b'}]", "text" },
		{ "title: 'a', content: 'x', type: 'decision', choices: [{text: 'a'}]", "next_fragment_id" },
		{ "title: 'a', content: 'x', type: 'decision', choices: [{text: 'a', next_fragment_id: 'b', "
		  "cost_points: -1}]",
		  "cost_points" },
		{ "title: 'a', content: 'x', type: 'decision', choices: [{text: 'a', next_fragment_id: 'b', "
		  "reward_points: -1}]",
		  "reward_points" },
		{ "title: 'a', content: 'x', type: 'decision', choices: [{text: 'a', next_fragment_id: 'b', karma: "
		  "1000000001}]",
		  "karma" },
		{ "title: 'a', content: 'x', type: 'decision', choices: [{text: 'a', next_fragment_id: 'b',"
		  " engagement_multiplier: 0}]",
		  "engagement_multiplier" },
		{ "title: 'a', content: 'x', type: 'decision', choices: [{text: 'a', next_fragment_id: 'b', "
		  "required_role: 'x'}]",
		  "required_role" },
		{ "title: 'a', content: 'x', type: 'info', min_points: -0.5", "min_points" },
		{ "title: 'a', content: 'x', type: 'info', reward_points: -1", "reward_points" },
		{ "title: 'a', content: 'x', type: 'info', level: 0", "level" },
		{ "title: 'a', content: 'x', type: 'info', reward_on: 'never'", "reward_on" },
		{ "title: 'a', content: 'x', type: 'info', required_role: 'king'", "required_role" },
		{ "title: 'a', content: 'x', type: 'info', required_lore: ['a b']", "required_lore" },
		{ "title: 'a', content: 'x', type: 'info', meta: 5", "meta" },
		{ "title: 'a', content: 'x', type: 'info', visits: 5", "visits" },
		{ "title: 'a', content: 'x', type: 'info', id: ''", "id" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "narrative.create", "{%s}", bad[i].fields), E_INVALID_ARGUMENT, "{field: '%s'}",
			bad[i].field);
	refused(w, when(w, "narrative.create", "{kind: 'visit', title: 'a'}"), E_INVALID_ARGUMENT, "{field: 'kind'}");
	assert_int_equal(w->head, 0);
}

static void keys_of_fragments_are_taken_for_ever(void **state)
{
	struct world *w = *state;

	given_fragment(w, "a", "");
	refused(w, when(w, "narrative.create", "{id: 'a', title: 'a', content: 'x', type: 'info'}"), E_ALREADY_EXISTS,
		"{kind: 'fragment', id: 'a'}");
	given(w, "narrative.delete", "{id: 'a'}");
	assert_string_equal(events(w), "narrative.fragment_deleted");
	then_event(w, 0, "{id: 'a'}");
	then(w, "{version: 2}");
	refused(w, when(w, "narrative.create", "{id: 'a', title: 'a', content: 'x', type: 'info'}"), E_ALREADY_EXISTS,
		"{kind: 'fragment', id: 'a'}");
	refused(w, when(w, "narrative.delete", "{id: 'a'}"), E_NOT_FOUND, "{kind: 'fragment', id: 'a'}");
	refused(w, when(w, "narrative.update", "{id: 'a', title: 'b'}"), E_NOT_FOUND, "{kind: 'fragment', id: 'a'}");
	refused(w, ask(w, "narrative.get", "{id: 'a'}"), E_NOT_FOUND, "{kind: 'fragment', id: 'a'}");
}

static void fragments_are_changed_in_part(void **state)
{
	struct world *w = *state;

	given(w, "narrative.create",
	      "{id: 'a', title: 'A', content: 'x', type: 'decision', choices: [{text: 'Go', next_fragment_id: 'b'}]}");
	w->now += SECOND;
	update(w, "a", "title: 'B', auto_next_fragment_id: 'c', choices: []");
	assert_string_equal(events(w), "narrative.fragment_updated");
	then(w, "{version: 2, item: {title: 'B', content: 'x', choices: [], updated_at: %lld}}", (long long)w->now);
	then_event(w, 0,
		   "{id: 'a', changes: {title: 'B', auto_next_fragment_id: 'c', choices: []},"
		   " before: {title: 'A', auto_next_fragment_id: null, choices: [{text: 'Go', engagement_multiplier: "
		   "1}]}}");
	update(w, "a", "title: 'B'");
	then(w, "{changed: false, version: 2}");
	update(w, "a", "auto_next_fragment_id: null, type: 'info'");
	then(w, "{version: 3, item: {auto_next_fragment_id: null, type: 'info'}}");
	refused(w, when(w, "narrative.update", "{id: 'a', choices: [{text: 'Go', next_fragment_id: 'b'}]}"),
		E_INVALID_ARGUMENT, "{field: 'choices'}");
	refused(w, when(w, "narrative.update", "{id: 'a', content: ' '}"), E_INVALID_ARGUMENT, "{field: 'content'}");
	refused(w, when(w, "narrative.update", "{id: 'a', title: null}"), E_INVALID_ARGUMENT, "{field: 'title'}");
	refused(w, when(w, "narrative.update", "{id: 'x', title: 'a'}"), E_NOT_FOUND, "{kind: 'fragment', id: 'x'}");
}

static void a_deleted_fragment_takes_its_visits_along(void **state)
{
	struct world *w = *state;

	given_story(w);
	given(w, "user.create", "{id: 8}");
	given(w, "narrative.complete", "{user_id: 8, fragment_id: 'hall'}");
	visit(w, "start");
	visit(w, "hall");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	answers(w, "narrative.stats", "{}", "{average_completed: 1.0}");
	given(w, "narrative.delete", "{id: 'hall'}");
	answers(w, "narrative.get", "{kind: 'story', id: 7, include: ['fragment']}",
		"{current_fragment_id: 'hall', current_missing: true, fragment: null, visited: ['start'], completed: "
		"[],"
		" fragments_visited: 1, fragments_completed: 0, progress_percentage: 0.0}");
	answers(w, "narrative.stats", "{}", "{average_completed: 0.0, fragments: 2}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_NOT_FOUND,
		"{kind: 'fragment', id: 'hall'}");
	visit(w, "start");
	then(w, "{first_visit: false, story: {current_fragment_id: 'start', current_missing: false}}");
	answers(w, "narrative.stats", "{fragment_id: 'start'}", "{current_users: 1, visits: 1}");
	refused(w, ask(w, "narrative.stats", "{fragment_id: 'hall'}"), E_NOT_FOUND, "{kind: 'fragment', id: 'hall'}");
}

static void what_a_mission_requires_stays(void **state)
{
	const struct slice fragment = SLICE_LIT("hall"), lore = SLICE_LIT("map");
	struct world *w = *state;
	struct mission_created ev;
	struct decision *d;

	given_story(w);
	record_defaults(record_mission_created(), &ev);
	ev.mission.id = ev.mission.name = SLICE_LIT("m");
	ev.mission.requirements.fragments.v = &fragment;
	ev.mission.requirements.lore.v = &lore;
	ev.mission.requirements.fragments.n = ev.mission.requirements.lore.n = 1;
	d = commit_begin(w);
	emit(d, EV_mission_created, &ev);
	commit_end(w);
	refused(w, when(w, "narrative.delete", "{id: 'hall'}"), E_IN_USE, "{reason: 'required'}");
	refused(w, when(w, "narrative.delete", "{kind: 'lore', id: 'map'}"), E_IN_USE, "{reason: 'required'}");
	given(w, "mission.delete", "{id: 'm'}");
	given(w, "narrative.delete", "{id: 'hall'}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'map'}");
}

/* ---- lore ---- */

static void lore_has_defaults(void **state)
{
	struct world *w = *state;
	long long at = w->now;

	given(w, "narrative.create",
	      "{kind: 'lore', id: 'a', title: ' A ', content_type: 'text', content: 'x', unlock_conditions: {a: 1}}");
	assert_string_equal(events(w), "narrative.lore_created");
	then(w,
	     "{seq: 1, version: 1, item: {id: 'a', title: 'A', description: null, content_type: 'text', content: 'x',"
	     " category: null, is_main_story: false, unlock_condition_type: null, unlock_condition_value: null,"
	     " unlock_conditions: {a: 1}, related_fragments: [], combinations: [], is_active: true, created_at: %lld,"
	     " updated_at: %lld, version: 1, unlocks: 0}}",
	     at, at);
	then_event(w, 0, "{id: 'a', title: 'A', unlock_conditions: {a: 1}}");
	w->now += SECOND;
	given(w, "narrative.update",
	      "{kind: 'lore', id: 'a', category: 'llaves', description: 'd', related_fragments: ['dangling'],"
	      " is_main_story: true}");
	assert_string_equal(events(w), "narrative.lore_updated");
	then(w, "{version: 2, item: {category: 'llaves', related_fragments: ['dangling'], updated_at: %lld}}",
	     (long long)w->now);
	then_event(w, 0, "{id: 'a', changes: {category: 'llaves', description: 'd'}, before: {category: null}}");
	given(w, "narrative.update", "{kind: 'lore', id: 'a', category: 'llaves'}");
	then(w, "{changed: false, version: 2}");
	given(w, "narrative.update", "{kind: 'lore', id: 'a', category: null}");
	then(w, "{item: {category: null}}");
}

static void lore_that_makes_no_sense_is_refused(void **state)
{
	static const struct {
		const char *fields;
		const char *field;
	} bad[] = {
		{ "id: 'a', title: ' ', content_type: 'text', content: 'x'", "title" },
		{ "id: 'a', title: 'a', content_type: ' ', content: 'x'", "content_type" },
		{ "id: 'a', title: 'a', content_type: 'text', content: ' '", "content" },
		{ "title: 'a', content_type: 'text', content: 'x'", "id" },
		{ "id: 'a b', title: 'a', content_type: 'text', content: 'x'", "id" },
		{ "id: 'a', title: 'a', content_type: 'text', content: 'x', combinations: [['key']]", "combinations" },
		{ "id: 'a', title: 'a', content_type: 'text', content: 'x', combinations: ['key']", "combinations" },
		{ "id: 'a', title: 'a', content_type: 'text', content: 'x', combinations: [['key', 5]]",
		  "combinations" },
		{ "id: 'a', title: 'a', content_type: 'text', content: 'x', combinations: [['key', 'key']]",
		  "combinations" },
		{ "id: 'a', title: 'a', content_type: 'text', content: 'x',"
		  " combinations: [['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8', 'a9', 'a10', 'a11']]",
		  "combinations" },
		{ "id: 'a', title: 'a', content_type: 'text', content: 'x', combinations: [['key', 'map'], ['map', "
		  "'key']]",
		  "combinations" },
	};
	struct world *w = *state;

	given_lore(w, "key", "");
	given_lore(w, "map", "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, when(w, "narrative.create", "{kind: 'lore', %s}", bad[i].fields), E_INVALID_ARGUMENT,
			"{field: '%s'}", bad[i].field);
	refused(w,
		when(w, "narrative.create",
		     "{kind: 'lore', id: 'key', title: 'a', content_type: 'text', content: 'x'}"),
		E_ALREADY_EXISTS, "{kind: 'lore', id: 'key'}");
	refused(w, when(w, "narrative.update", "{kind: 'lore', id: 'key', content: ' '}"), E_INVALID_ARGUMENT,
		"{field: 'content'}");
	refused(w, when(w, "narrative.update", "{kind: 'lore', id: 'no', title: 'a'}"), E_NOT_FOUND,
		"{kind: 'lore', id: 'no'}");
	refused(w, when(w, "narrative.delete", "{kind: 'lore', id: 'no'}"), E_NOT_FOUND, "{kind: 'lore', id: 'no'}");
}

static void a_set_of_lore_leads_to_one_piece(void **state)
{
	struct world *w = *state;

	given_lore(w, "a", "");
	given_lore(w, "b", "");
	given_lore(w, "c", "");
	given_lore(w, "x", "combinations: [['b', 'a'], ['c', 'b', 'a']]");
	then(w, "{item: {combinations: [['a', 'b'], ['a', 'b', 'c']]}}");
	refused(w,
		when(w, "narrative.create",
		     "{kind: 'lore', id: 'y', title: 'y', content_type: 'text', content: 'x', combinations: [['b', "
		     "'a']]}"),
		E_ALREADY_EXISTS, "{kind: 'combination', id: 'x'}");
	refused(w,
		when(w, "narrative.create",
		     "{kind: 'lore', id: 'y', title: 'y', content_type: 'text', content: 'x', combinations: [['a', "
		     "'no']]}"),
		E_NOT_FOUND, "{kind: 'lore', id: 'no'}");
	given_lore(w, "y", "combinations: [['a', 'c']]");
	refused(w, when(w, "narrative.update", "{kind: 'lore', id: 'y', combinations: [['a', 'b', 'c']]}"),
		E_ALREADY_EXISTS, "{kind: 'combination', id: 'x'}");
	given(w, "narrative.update", "{kind: 'lore', id: 'x', combinations: [['a', 'b']]}");
	given(w, "narrative.update", "{kind: 'lore', id: 'y', combinations: [['c', 'a'], ['c', 'a', 'b']]}");
	then(w, "{item: {combinations: [['a', 'c'], ['a', 'b', 'c']]}}");
	given(w, "narrative.update", "{kind: 'lore', id: 'y', combinations: [['c', 'a'], ['c', 'a', 'b']]}");
	then(w, "{changed: false}"); /* the order makes no difference */
}

static void lore_that_is_required_stays(void **state)
{
	struct world *w = *state;

	given_story(w);
	given_lore(w, "other", "");
	given_lore(w, "x", "combinations: [['map', 'other']]");
	refused(w, when(w, "narrative.delete", "{kind: 'lore', id: 'key'}"), E_IN_USE, "{reason: 'required'}");
	refused(w, when(w, "narrative.delete", "{kind: 'lore', id: 'map'}"), E_IN_USE, "{reason: 'required'}");
	given(w, "narrative.delete", "{id: 'vault'}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'key'}"); /* hall only unlocks it */
	assert_string_equal(events(w), "narrative.lore_deleted");
	then_event(w, 0, "{id: 'key'}");
	then(w, "{version: 2}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'x'}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'map'}");
	refused(w,
		when(w, "narrative.create",
		     "{kind: 'lore', id: 'map', title: 'a', content_type: 'text', content: 'x'}"),
		E_ALREADY_EXISTS, "{kind: 'lore', id: 'map'}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	then(w, "{points: 7, unlocked: []}"); /* both are gone, and skipped */
}

static void deleted_lore_takes_its_unlocks_along(void **state)
{
	struct world *w = *state;

	given_story(w);
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'map'}");
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'key'}");
	answers(w, "user.get", "{id: 7, include: ['counts']}", "{lore: 2}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'map'}");
	answers(w, "narrative.get", "{kind: 'story', id: 7}", "{lore: ['key']}");
	answers(w, "narrative.stats", "{}", "{lore: 1, lore_unlocks: 1}");
	answers(w, "narrative.stats", "{user_id: 7}", "{lore: 1, lore_percentage: 100.0}");
	answers(w, "narrative.list", "{kind: 'unlock', user_id: 7}", "{items: [{lore_id: 'key'}]}");
	answers(w, "user.get", "{id: 7, include: ['counts']}", "{lore: 1}");
}

/* ---- visits ---- */

static void the_first_visit_starts_the_story(void **state)
{
	struct world *w = *state;

	given_story(w);
	given(w, "narrative.visit", "{user_id: 7}");
	then(w,
	     "{version: 2, first_visit: true, points: 0, unlocked: [], fragment: {id: 'start', visits: 1,"
	     " current_users: 1}, story: {id: 7, current_fragment_id: 'start', current_missing: false,"
	     " visited: ['start'], completed: [], lore: [], granted: [], fragments_visited: 1, karma: 0, decisions: 0,"
	     " progress_percentage: 0.0, started_at: %lld, last_activity_at: %lld}}",
	     (long long)w->now, (long long)w->now);
	assert_string_equal(events(w), "narrative.story_started narrative.fragment_visited");
	then_event(w, 0, "{user_id: 7}");
	then_event(w, 1, "{user_id: 7, fragment_id: 'start', first: true, current: true, rewarded: false}");
	given(w, "narrative.visit", "{user_id: 7, fragment_id: 'start'}");
	then(w, "{changed: false, first_visit: false, points: 0, version: 2, fragment: {visits: 1}}");
	visit(w, "hall"); /* the decision is left open */
	then(w, "{first_visit: true, version: 3, fragment: {visits: 1, current_users: 1}}");
	visit(w, "start");
	then(w, "{first_visit: false, version: 4, fragment: {visits: 1}, story: {visited: ['start', 'hall']}}");
	then_event(w, 0, "{fragment_id: 'start', first: false, current: true, rewarded: false}");
	answers(w, "narrative.stats", "{fragment_id: 'hall'}", "{current_users: 0, visits: 1}");
}

static void a_fragment_is_entered_under_conditions(void **state)
{
	struct world *w = *state;

	given_story(w);
	refused(w, when(w, "narrative.visit", "{user_id: 8}"), E_NOT_FOUND, "{kind: 'user', id: 8}");
	refused(w, when(w, "narrative.visit", "{user_id: 7, fragment_id: 'x'}"), E_NOT_FOUND,
		"{kind: 'fragment', id: 'x'}");
	update(w, "start", "is_active: false");
	refused(w, when(w, "narrative.visit", "{user_id: 7}"), E_NOT_ACTIVE, "{status: 'inactive'}");
	update(w, "vault", "required_role: 'vip'");
	refused(w, when(w, "narrative.visit", "{user_id: 7, fragment_id: 'vault'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {lore: ['key'], points: 10, role: 'vip'}}");
	given(w, "point.award", "{user_id: 7, amount: 9.5}");
	refused(w, when(w, "narrative.complete", "{user_id: 7, fragment_id: 'vault'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {lore: ['key'], points: 0.5, role: 'vip'}}");
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'key'}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	refused(w, when(w, "narrative.visit", "{user_id: 7, fragment_id: 'vault'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {lore: [], points: 0.5, role: null}}");
	given(w, "point.award", "{user_id: 7, amount: 0.5}");
	w->now += DAY; /* VIP is over, though no timer has run */
	refused(w, when(w, "narrative.visit", "{user_id: 7, fragment_id: 'vault'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {lore: [], points: 0, role: 'vip'}}");
	given(w, "user.update", "{id: 7, is_admin: true}");
	visit(w, "vault");
	then(w, "{first_visit: true, points: 50}");
	assert_string_equal(events(w), "narrative.fragment_visited point.credited");
	then_event(w, 0, "{rewarded: true}");
	then_event(w, 1, "{amount: 50, source: 'fragment', ref: {kind: 'fragment', id: 'vault'}}");
	update(w, "vault", "required_role: 'admin'");
	given(w, "user.create", "{id: 9}");
	refused(w, when(w, "narrative.visit", "{user_id: 9, fragment_id: 'vault'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {role: 'admin'}}");
}

static void what_is_missing_is_named_as_far_as_there_is_room(void **state)
{
	struct world *w = *state;
	char id[64], list[8192] = "";

	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "a_clue_with_quite_a_long_name_%03d", i);
		given_lore(w, id, "");
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s'%s'", i ? ", " : "", id);
	}
	given(w, "narrative.create", "{id: 'a', title: 'A', content: 'x', type: 'info', required_lore: [%s]}", list);
	given(w, "user.create", "{id: 7}");
	refused(w, when(w, "narrative.visit", "{user_id: 7, fragment_id: 'a'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {points: 0, role: null}}");
	answers(w, "narrative.get", "{id: 'a', user_id: 7}",
		"{user: {access: {allowed: false, missing: {lore: [%s]}}}}", list);
}

static void a_granted_fragment_needs_no_clues(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given_story(w);
	given(w, "point.award", "{user_id: 7, amount: 10}");
	d = commit_begin(w);
	grant_fragment(d, 7, SLICE_LIT("vault"), SLICE_LIT("m"));
	grant_fragment(d, 7, SLICE_LIT("vault"), SLICE_LIT("m"));
	grant_fragment(d, 7, SLICE_LIT("nowhere"), SLICE_LIT("m"));
	grant_fragment(d, 8, SLICE_LIT("vault"), SLICE_LIT("m"));
	commit_end(w);
	assert_string_equal(events(w), "narrative.story_started narrative.fragment_granted");
	then_event(w, 1, "{user_id: 7, fragment_id: 'vault', mission_id: 'm'}");
	answers(w, "narrative.get", "{kind: 'story', id: 7}", "{granted: ['vault'], current_fragment_id: null}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'vault'}");
	then(w, "{points: 50, version: 4, story: {current_fragment_id: 'vault', granted: ['vault'], lore: []}}");
	update(w, "vault", "min_points: 1000");
	given(w, "narrative.visit", "{user_id: 7, fragment_id: 'hall'}");
	refused(w, when(w, "narrative.visit", "{user_id: 7, fragment_id: 'vault'}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {lore: [], points: 940}}");
	given(w, "narrative.delete", "{id: 'vault'}");
	answers(w, "narrative.get", "{kind: 'story', id: 7}", "{granted: []}");
}

/* ---- choices ---- */

static void a_choice_is_one_commit(void **state)
{
	struct world *w = *state;

	given_story(w);
	given(w, "config.set", "{entries: {points.decision: 1}}");
	given(w, "point.award", "{user_id: 7, amount: 4}");
	visit(w, "start");
	w->now += DAY;
	given(w, "narrative.choose", "{user_id: 7, choice_index: 0, fragment_id: 'start'}");
	assert_string_equal(events(w), "narrative.choice_made point.debited point.credited narrative.fragment_completed"
				       " narrative.fragment_visited");
	then(w,
	     "{cost: 3, points: 6, unlocked: [], missions_completed: [], version: 5, fragment: {id: 'hall', visits: 1},"
	     " story: {current_fragment_id: 'hall', visited: ['start', 'hall'], completed: ['start'], karma: 2,"
	     " decisions: 1}}");
	then_event(w, 0,
		   "{id: 1, user_id: 7, fragment_id: 'start', choice_index: 0, choice_text: 'To the hall',"
		   " next_fragment_id: 'hall', cost_points: 3, reward_points: 6, karma: 2}");
	then_event(w, 1,
		   "{amount: 3, balance_after: 1, source: 'choice', description: '', ref: {kind: 'fragment', id: "
		   "'start'}}");
	then_event(w, 2, "{amount: 6, base: 6, source: 'choice', ref: {kind: 'fragment', id: 'start'}}");
	then_event(w, 3, "{fragment_id: 'start', rewarded: false}");
	then_event(w, 4, "{fragment_id: 'hall', first: true, current: true, rewarded: false}");
	answers(w, "point.get", "{id: 7}", "{balance: 7}");
	/* it counts as activity, and leaves the version of the user's own stream alone */
	answers(w, "user.get", "{id: 7, include: ['stats']}",
		"{version: 1, stats: {days_active: 1, last_activity_at: %lld}}", (long long)w->now);
	visit(w, "start");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 0}");
	assert_string_equal(events(w), "narrative.choice_made point.debited point.credited narrative.fragment_visited");
	then_event(w, 0, "{id: 2}");
	then_event(w, 3, "{first: false, current: true}");
}

static void a_choice_pays_and_unlocks_by_the_fragments_it_touches(void **state)
{
	struct world *w = *state;

	given_story(w);
	given(w, "config.set", "{entries: {points.vip_multiplier: 2}}");
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	given(w, "point.award", "{user_id: 7, amount: 30, multiply: false}");
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'key'}");
	update(w, "start", "reward_points: 1, unlocks_lore: ['map', 'key']");
	visit(w, "start");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 1}");
	assert_string_equal(events(w),
			    "narrative.choice_made point.debited narrative.fragment_completed"
			    " narrative.fragment_visited point.credited narrative.lore_unlocked point.credited");
	then(w, "{cost: 15, points: 102, unlocked: [{kind: 'lore', id: 'map'}]}");
	then_event(w, 4, "{amount: 2, base: 1, multiplier: 2, source: 'fragment', ref: {id: 'start'}}");
	then_event(w, 5, "{lore_id: 'map', source: 'fragment', context: null}");
	then_event(w, 6, "{amount: 100, base: 50, multiplier: 2, source: 'fragment', ref: {id: 'vault'}}");
	answers(w, "narrative.stats", "{fragment_id: 'vault'}", "{points_paid: 100}");
	answers(w, "narrative.stats", "{fragment_id: 'start'}", "{points_paid: 2, choices: [0, 1, 0, 0]}");
}

static void a_choice_is_refused_without_a_trace(void **state)
{
	struct world *w = *state;

	given_story(w);
	refused(w, when(w, "narrative.choose", "{user_id: 8, choice_index: 0}"), E_NOT_FOUND, "{kind: 'user', id: 8}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_NOT_FOUND, "{kind: 'story', id: 7}");
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'map'}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0, fragment_id: 'start'}"),
		E_VERSION_CONFLICT, "{expected: 'start', actual: null}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_NOT_FOUND, "{kind: 'story', id: 7}");
	visit(w, "start");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0, fragment_id: 'hall'}"),
		E_VERSION_CONFLICT, "{expected: 'hall', actual: 'start'}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 4}"), E_INVALID_ARGUMENT,
		"{field: 'choice_index'}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: -1}"), E_INVALID_ARGUMENT,
		"{field: 'choice_index'}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_INSUFFICIENT_POINTS,
		"{required: 3, available: 0}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 1}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {lore: [], points: 20, role: null}}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 3}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {lore: [], points: 0, role: 'vip'}}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 2}"), E_NOT_FOUND,
		"{kind: 'fragment', id: 'nowhere'}");
	given(w, "point.award", "{user_id: 7, amount: 20}");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 1}"), E_REQUIREMENTS_NOT_MET,
		"{missing: {lore: ['key'], points: 5, role: null}}"); /* after the cost */
	update(w, "hall", "is_active: false");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_NOT_ACTIVE, "{status: 'inactive'}");
	update(w, "start", "is_active: false");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_NOT_ACTIVE, "{status: 'inactive'}");
	update(w, "start", "is_active: true, choices: []");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_INVALID_ARGUMENT,
		"{reason: 'no_choices', field: 'choice_index'}");
	update(w, "start", "type: 'story'");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_INVALID_ARGUMENT,
		"{reason: 'no_choices'}");
	answers(w, "point.get", "{id: 7}", "{balance: 20}");
	answers(w, "narrative.get", "{kind: 'story', id: 7}", "{decisions: 0, completed: [], karma: 0}");
}

static void a_choice_costs_only_available_points(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given_story(w);
	given(w, "point.award", "{user_id: 7, amount: 4}");
	visit(w, "start");
	d = commit_begin(w);
	EMIT(d, point_held,
	     .hold = { .id = 1,
		       .user_id = 7,
		       .amount = 2000,
		       .reason = SLICE_LIT("auction"),
		       .auction_id = 1,
		       .bid_id = 1,
		       .created_at = w->now },
	     .held_after = 2000);
	commit_end(w);
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_INSUFFICIENT_POINTS,
		"{required: 3, available: 2}");
}

static void a_choice_may_lead_back(void **state)
{
	struct world *w = *state;

	given_story(w);
	given(w, "user.grant_vip", "{user_id: 7, days: 1}");
	visit(w, "start");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 3}");
	assert_string_equal(events(w), "narrative.choice_made narrative.fragment_completed");
	then(w, "{cost: 0, points: 0, fragment: {id: 'start', completions: 1, current_users: 1}, story: {karma: -5}}");
}

static void karma_stops_at_a_border(void **state)
{
	struct world *w = *state;

	given_story(w);
	update(w, "start",
	       "choices: [{text: 'Up', next_fragment_id: 'start', karma: 1000000000},"
	       " {text: 'Down', next_fragment_id: 'start', karma: -1000000000}]");
	visit(w, "start");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 0}");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 0}");
	then(w, "{story: {karma: 1000000000}}");
	for (int i = 0; i < 3; i++)
		given(w, "narrative.choose", "{user_id: 7, choice_index: 1}");
	then(w, "{story: {karma: -1000000000, decisions: 5}}");
	answers(w, "narrative.stats", "{fragment_id: 'start'}", "{choices: [2, 3]}");
}

static void a_reward_beyond_the_ceiling_refuses_the_choice(void **state)
{
	struct world *w = *state;

	given_story(w);
	update(w, "start", "choices: [{text: 'Up', next_fragment_id: 'hall', reward_points: 4000000000000}]");
	given(w, "config.set", "{entries: {points.decision: 1}}");
	visit(w, "start");
	refused(w, when(w, "narrative.choose", "{user_id: 7, choice_index: 0}"), E_LIMIT_EXCEEDED,
		"{limit: 4000000000000}");
	update(w, "hall", "reward_points: 4000000000000, reward_on: 'visit'");
	given(w, "point.award", "{user_id: 7, amount: 1}");
	refused(w, when(w, "narrative.visit", "{user_id: 7, fragment_id: 'hall'}"), E_LIMIT_EXCEEDED,
		"{limit: 4000000000000}");
}

/* ---- completions ---- */

static void a_fragment_is_completed_once(void **state)
{
	struct world *w = *state;
	long long at;

	given_story(w);
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	at = w->now;
	assert_string_equal(events(w), "narrative.story_started narrative.fragment_visited narrative.fragment_completed"
				       " point.credited narrative.lore_unlocked narrative.lore_unlocked");
	then_event(w, 1, "{fragment_id: 'hall', first: true, current: true, rewarded: false}");
	then_event(w, 2, "{user_id: 7, fragment_id: 'hall', rewarded: true}");
	then_event(w, 3, "{amount: 7, source: 'fragment', ref: {kind: 'fragment', id: 'hall'}}");
	then_event(w, 4, "{lore_id: 'key', source: 'fragment'}"); /* in order of their ids */
	then(w, "{first_visit: true, points: 7, unlocked: [{kind: 'lore', id: 'key'}, {kind: 'lore', id: 'map'}],"
		" fragment: {visits: 1, completions: 1}, story: {current_fragment_id: 'hall', completed: ['hall'],"
		" lore: ['key', 'map']}}");
	w->now += SECOND;
	refused(w, when(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}"), E_ALREADY_COMPLETED,
		"{completed_at: %lld}", at);
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'start'}");
	assert_string_equal(events(w), "narrative.fragment_visited narrative.fragment_completed");
	then_event(w, 0, "{first: true, current: false}"); /* another is current */
	then(w, "{first_visit: true, points: 0, story: {current_fragment_id: 'hall', visited: ['hall', 'start']}}");
	given(w, "point.award", "{user_id: 7, amount: 3}");
	visit(w, "vault");
	then(w, "{points: 50}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'vault'}");
	assert_string_equal(events(w), "narrative.fragment_completed");
	then(w, "{first_visit: false, points: 0, story: {progress_percentage: 100.0}}");
	then_event(w, 0, "{rewarded: false}"); /* paid on the visit */
}

static void a_completion_is_refused_like_a_visit(void **state)
{
	struct world *w = *state;

	given_story(w);
	refused(w, when(w, "narrative.complete", "{user_id: 8, fragment_id: 'hall'}"), E_NOT_FOUND, "{kind: 'user'}");
	refused(w, when(w, "narrative.complete", "{user_id: 7, fragment_id: 'x'}"), E_NOT_FOUND, "{kind: 'fragment'}");
	refused(w, when(w, "narrative.complete", "{user_id: 7}"), E_INVALID_ARGUMENT, "{field: 'fragment_id'}");
	update(w, "hall", "is_active: false");
	refused(w, when(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}"), E_NOT_ACTIVE, "{}");
	refused(w, ask(w, "narrative.get", "{kind: 'story', id: 7}"), E_NOT_FOUND, "{kind: 'story', id: 7}");
}

static void a_fragment_pays_on_what_it_says_and_never_twice(void **state)
{
	struct world *w = *state;

	given_story(w);
	visit(w, "hall");
	then(w, "{points: 0}");
	update(w, "hall", "reward_on: 'visit'");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	then(w, "{points: 0, unlocked: []}");
	given(w, "narrative.reset", "{user_id: 7}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	then(w, "{points: 7, unlocked: [{id: 'key'}, {id: 'map'}]}");
	update(w, "hall", "reward_on: 'complete'");
	given(w, "narrative.reset", "{user_id: 7}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	then(w, "{points: 0, unlocked: [{id: 'key'}, {id: 'map'}]}"); /* lore comes back, points do not */
}

/* ---- progress ---- */

static void progress_is_over_the_active_fragments(void **state)
{
	struct world *w = *state;

	given_story(w);
	given_fragment(w, "extra", "");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	then(w, "{story: {progress_percentage: 25.0}}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'extra'}");
	then(w, "{story: {progress_percentage: 50.0}}");
	update(w, "extra", "is_active: false");
	update(w, "vault", "is_active: false");
	answers(w, "narrative.stats", "{user_id: 7}", "{progress_percentage: 50.0, completed: 2}");
	update(w, "hall", "is_active: false");
	answers(w, "narrative.stats", "{user_id: 7}", "{progress_percentage: 0.0, completed: 2}");
	update(w, "start", "is_active: false");
	answers(w, "narrative.stats", "{user_id: 7}", "{progress_percentage: 0.0}");
	update(w, "hall", "is_active: true");
	answers(w, "narrative.get", "{kind: 'story', id: 7}", "{progress_percentage: 100.0}");
	given(w, "narrative.delete", "{id: 'extra'}");
	answers(w, "narrative.get", "{kind: 'story', id: 7}", "{progress_percentage: 100.0, fragments_completed: 1}");
	given(w, "narrative.delete", "{id: 'hall'}");
	answers(w, "narrative.get", "{kind: 'story', id: 7}", "{progress_percentage: 0.0, fragments_completed: 0}");
}

/* ---- reset ---- */

static void a_reset_goes_back_to_before_the_first_page(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given_story(w);
	refused(w, when(w, "narrative.reset", "{user_id: 8}"), E_NOT_FOUND, "{kind: 'user', id: 8}");
	refused(w, when(w, "narrative.reset", "{user_id: 7}"), E_NOT_FOUND, "{kind: 'story', id: 7}");
	given(w, "point.award", "{user_id: 7, amount: 4}");
	visit(w, "start");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 0}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	d = commit_begin(w);
	grant_fragment(d, 7, SLICE_LIT("vault"), SLICE_LIT("m"));
	commit_end(w);
	given(w, "narrative.reset", "{user_id: 7, include_lore: false}");
	assert_string_equal(events(w), "narrative.story_reset");
	then_event(w, 0, "{user_id: 7, lore: []}");
	answers(w, "narrative.get", "{kind: 'story', id: 7}",
		"{current_fragment_id: null, current_missing: false, visited: [], completed: [], granted: [], karma: 0,"
		" lore: ['key', 'map'], fragments_visited: 0, fragments_completed: 0, decisions: 1,"
		" progress_percentage: 0.0}");
	given(w, "narrative.reset", "{user_id: 7}");
	then_event(w, 0, "{lore: ['key', 'map']}");
	answers(w, "narrative.get", "{kind: 'story', id: 7}", "{lore: []}");
	answers(w, "narrative.list", "{kind: 'visit', user_id: 7}", "{items: []}");
	answers(w, "narrative.get", "{id: 'hall', user_id: 7}",
		"{visits: 1, completions: 1, current_users: 0, user: {visited_at: null, completed_at: null, current: "
		"false}}");
	answers(w, "narrative.stats", "{}", "{lore_unlocks: 0, average_completed: 0.0, users_in_story: 1}");
	visit(w, "hall");
	assert_string_equal(events(w), "narrative.fragment_visited"); /* the story goes on */
	then(w, "{first_visit: true, fragment: {visits: 2}}");
	answers(w, "narrative.list", "{kind: 'visit', user_id: 7}",
		"{items: [{fragment_id: 'hall', completed_at: null, rewarded_at: %lld}]}", (long long)w->now - SECOND);
}

/* ---- lore of a user ---- */

static void lore_is_unlocked_once(void **state)
{
	struct world *w = *state;

	given_story(w);
	refused(w, when(w, "narrative.unlock_lore", "{user_id: 8, lore_id: 'key'}"), E_NOT_FOUND, "{kind: 'user'}");
	refused(w, when(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'no'}"), E_NOT_FOUND,
		"{kind: 'lore', id: 'no'}");
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'key', context: {where: 'shop'}, source: 'shop'}");
	assert_string_equal(events(w), "narrative.story_started narrative.lore_unlocked");
	then(w, "{version: 2, changed: true}");
	then_event(w, 1, "{user_id: 7, lore_id: 'key', source: 'shop', context: {where: 'shop'}}");
	answers(w, "narrative.get", "{kind: 'lore', id: 'key', user_id: 7}",
		"{unlocks: 1, user: {unlocked_at: %lld, context: {where: 'shop'}}}", (long long)w->now);
	refused(w, when(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'key'}"), E_ALREADY_EXISTS,
		"{kind: 'lore', id: 'key'}");
	given(w, "narrative.update", "{kind: 'lore', id: 'map', is_active: false}");
	refused(w, when(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'map'}"), E_NOT_ACTIVE,
		"{status: 'inactive'}");
	refused(w, when(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'map', source: '%033d'}", 1),
		E_INVALID_ARGUMENT, "{field: 'source'}");
	refused(w, when(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'map', context: 5}"), E_INVALID_ARGUMENT,
		"{field: 'context'}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	then(w, "{unlocked: []}"); /* one is held, the other inactive */
}

static void clues_are_combined_in_any_order(void **state)
{
	struct world *w = *state;

	given_story(w);
	given_lore(w, "x", "combinations: [['key', 'map']], is_active: false");
	given_lore(w, "third", "");
	refused(w, when(w, "narrative.combine_lore", "{user_id: 8, lore_ids: ['map', 'key']}"), E_NOT_FOUND,
		"{kind: 'user'}");
	refused(w, when(w, "narrative.combine_lore", "{user_id: 7, lore_ids: ['key']}"), E_INVALID_ARGUMENT,
		"{field: 'lore_ids'}");
	refused(w, when(w, "narrative.combine_lore", "{user_id: 7, lore_ids: ['key', 'key']}"), E_INVALID_ARGUMENT,
		"{field: 'lore_ids'}");
	refused(w, when(w, "narrative.combine_lore", "{user_id: 7}"), E_INVALID_ARGUMENT, "{field: 'lore_ids'}");
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'key'}");
	refused(w, when(w, "narrative.combine_lore", "{user_id: 7, lore_ids: ['map', 'key', 'no']}"),
		E_REQUIREMENTS_NOT_MET, "{missing: {lore: ['map', 'no']}}");
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'map'}");
	given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: 'third'}");
	refused(w, when(w, "narrative.combine_lore", "{user_id: 7, lore_ids: ['third', 'map', 'key']}"), E_NOT_FOUND,
		"{kind: 'combination', id: 'key map third'}");
	refused(w, when(w, "narrative.combine_lore", "{user_id: 7, lore_ids: ['map', 'key']}"), E_NOT_ACTIVE, "{}");
	given(w, "narrative.update", "{kind: 'lore', id: 'x', is_active: true}");
	given(w, "narrative.combine_lore", "{user_id: 7, lore_ids: ['map', 'key']}");
	assert_string_equal(events(w), "narrative.lore_combined narrative.lore_unlocked");
	then_event(w, 0, "{user_id: 7, lore_ids: ['key', 'map'], lore_id: 'x'}");
	then_event(w, 1, "{user_id: 7, lore_id: 'x', source: 'combination', context: null}");
	then(w, "{version: 6, lore: {id: 'x', title: 'Lore x', unlocks: 1}}");
	refused(w, when(w, "narrative.combine_lore", "{user_id: 7, lore_ids: ['key', 'map']}"), E_ALREADY_EXISTS,
		"{kind: 'lore', id: 'x'}");
}

static void sets_of_long_names_are_told_apart(void **state)
{
	struct world *w = *state;
	char set[1200] = "", id[101];

	given(w, "user.create", "{id: 7}");
	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "%0100d", i);
		given_lore(w, id, "");
		given(w, "narrative.unlock_lore", "{user_id: 7, lore_id: '%s'}", id);
		snprintf(set + strlen(set), sizeof(set) - strlen(set), "%s'%s'", i ? ", " : "", id);
	}
	given(w, "narrative.create",
	      "{kind: 'lore', id: 'x', title: 'X', content_type: 'text', content: 'x', combinations: [[%s]]}", set);
	refused(w, when(w, "narrative.combine_lore", "{user_id: 7, lore_ids: [%.*s]}", 9 * 104 - 2, set), E_NOT_FOUND,
		"{kind: 'combination'}");
	given(w, "narrative.combine_lore", "{user_id: 7, lore_ids: [%s]}", set);
	then(w, "{lore: {id: 'x'}}");
}

/* ---- by rule ---- */

static void every_level_passed_unlocks_its_lore(void **state)
{
	struct world *w = *state;

	given_story(w);
	given_lore(w, "gone", "");
	given(w, "point.create", "{kind: 'level', id: 1, name: 'One', min_points: 0, unlocks_lore_id: 'key'}");
	given(w, "point.create", "{kind: 'level', id: 2, name: 'Two', min_points: 10, unlocks_lore_id: 'map'}");
	given(w, "point.create", "{kind: 'level', id: 3, name: 'Three', min_points: 20, unlocks_lore_id: 'gone'}");
	given(w, "point.create", "{kind: 'level', id: 4, name: 'Four', min_points: 30, unlocks_lore_id: 'key'}");
	refused(w, when(w, "point.create", "{kind: 'level', id: 5, name: 'x', min_points: 40, unlocks_lore_id: 'no'}"),
		E_NOT_FOUND, "{kind: 'lore', id: 'no'}");
	refused(w, when(w, "point.update", "{kind: 'level', id: 4, unlocks_lore_id: 'no'}"), E_NOT_FOUND, "{id: 'no'}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'gone'}");
	given(w, "point.award", "{user_id: 7, amount: 35}");
	assert_string_equal(events(w), "point.credited user.level_changed narrative.story_started"
				       " narrative.lore_unlocked narrative.lore_unlocked");
	then(w, "{level: 4, level_up: true, unlocked: [{kind: 'lore', id: 'map'}, {kind: 'lore', id: 'key'}]}");
	then_event(w, 3, "{user_id: 7, lore_id: 'map', source: 'level', context: null}");
	given(w, "point.award", "{user_id: 7, amount: 1}");
	then(w, "{unlocked: []}");
}

static void a_fragment_may_unlock_an_achievement(void **state)
{
	struct world *w = *state;

	given_story(w);
	given(w, "achievement.create", "{id: 'reader', name: 'Reader'}");
	given(w, "achievement.create", "{id: 'active', name: 'Active', condition_type: 'days_active'}");
	update(w, "hall", "unlocks_achievement_id: 'reader', unlocks_lore: []");
	given(w, "point.award", "{user_id: 7, amount: 3}");
	visit(w, "start");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 0}");
	then(w, "{unlocked: [{kind: 'achievement', id: 'active'}]}"); /* a choice is activity */
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	assert_string_equal(events(w), "narrative.fragment_completed point.credited achievement.unlocked");
	then_event(w, 2, "{award: {user_id: 7, achievement_id: 'reader', source: 'fragment'}}");
	then(w, "{points: 7, unlocked: [{kind: 'achievement', id: 'reader'}]}");
	given(w, "narrative.reset", "{user_id: 7}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	then(w, "{points: 0, unlocked: []}");
}

static void a_deleted_user_leaves_the_story(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given_story(w);
	given(w, "point.award", "{user_id: 7, amount: 4}");
	visit(w, "start");
	given(w, "narrative.choose", "{user_id: 7, choice_index: 0}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	d = commit_begin(w);
	grant_fragment(d, 7, SLICE_LIT("vault"), SLICE_LIT("m"));
	commit_end(w);
	given(w, "user.delete", "{id: 7}");
	refused(w, ask(w, "narrative.get", "{kind: 'story', id: 7}"), E_NOT_FOUND, "{kind: 'story', id: 7}");
	answers(w, "narrative.list", "{kind: 'visit', user_id: 7}", "{items: []}");
	answers(w, "narrative.list", "{kind: 'visit', fragment_id: 'hall'}", "{items: []}");
	answers(w, "narrative.list", "{kind: 'unlock', user_id: 7}", "{items: []}");
	answers(w, "narrative.list", "{kind: 'unlock', lore_id: 'key'}", "{items: []}");
	answers(w, "narrative.list", "{kind: 'decision', user_id: 7}", "{items: [{id: 1, fragment_id: 'start'}]}");
	answers(w, "narrative.stats", "{}",
		"{users_in_story: 0, average_completed: 0.0, decisions: 1, lore_unlocks: 0}");
	answers(w, "narrative.stats", "{fragment_id: 'hall'}", "{current_users: 0, visits: 1, completions: 1}");
	answers(w, "narrative.stats", "{lore_id: 'key'}", "{unlocks: 0, by_source: {}, first_unlocked_at: null}");
	given(w, "user.create", "{id: 7}");
	answers(w, "narrative.stats", "{user_id: 7}", "{visited: 0, started_at: null, karma: 0, decisions: 0}");
	given(w, "narrative.complete", "{user_id: 7, fragment_id: 'hall'}");
	then(w,
	     "{version: 14, points: 7, story: {granted: [], decisions: 0}}"); /* afresh; the stream goes on counting */
	assert_string_equal(events(w), "narrative.story_started narrative.fragment_visited narrative.fragment_completed"
				       " point.credited narrative.lore_unlocked narrative.lore_unlocked");
	given(w, "user.create", "{id: 8}");
	given(w, "user.delete", "{id: 8}"); /* who has no story leaves none */
}

static void rules_skip_what_cannot_be_unlocked(void **state)
{
	struct world *w = *state;
	struct decision *d;

	given_story(w);
	given(w, "narrative.update", "{kind: 'lore', id: 'map', is_active: false}");
	d = commit_begin(w);
	unlock_lore(d, 7, SLICE_LIT("key"), "mission");
	unlock_lore(d, 7, SLICE_LIT("key"), "mission");
	unlock_lore(d, 7, SLICE_LIT("map"), "mission");
	unlock_lore(d, 7, SLICE_LIT("no"), "mission");
	unlock_lore(d, 8, SLICE_LIT("key"), "mission");
	commit_end(w);
	assert_string_equal(events(w), "narrative.story_started narrative.lore_unlocked");
	then_event(w, 1, "{user_id: 7, lore_id: 'key', source: 'mission', context: null}");
}

static void sources_beyond_200_share_a_counter(void **state)
{
	struct world *w = *state;

	given_lore(w, "key", "");
	for (int id = 1; id <= 203; id++) {
		given(w, "user.create", "{id: %d}", id);
		given(w, "narrative.unlock_lore", "{user_id: %d, lore_id: 'key', source: 's%d'}", id, id);
	}
	answers(w, "narrative.stats", "{lore_id: 'key'}", "{unlocks: 203, by_source: {s1: 1, s200: 1, other: 3}}");
	given(w, "user.delete", "{id: 1}");
	given(w, "narrative.reset", "{user_id: 203}");
	answers(w, "narrative.stats", "{lore_id: 'key'}", "{unlocks: 201, by_source: {s2: 1, other: 2}}");
	given(w, "narrative.delete", "{kind: 'lore', id: 'key'}");
	answers(w, "narrative.stats", "{}", "{lore: 0, lore_unlocks: 0}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(fragments_have_defaults),
		WORLD_TEST(some_names_are_for_vips),
		WORLD_TEST(what_a_fragment_names_must_exist),
		WORLD_TEST(a_fragment_that_makes_no_sense_is_refused),
		WORLD_TEST(keys_of_fragments_are_taken_for_ever),
		WORLD_TEST(fragments_are_changed_in_part),
		WORLD_TEST(a_deleted_fragment_takes_its_visits_along),
		WORLD_TEST(what_a_mission_requires_stays),
		WORLD_TEST(lore_has_defaults),
		WORLD_TEST(lore_that_makes_no_sense_is_refused),
		WORLD_TEST(a_set_of_lore_leads_to_one_piece),
		WORLD_TEST(lore_that_is_required_stays),
		WORLD_TEST(deleted_lore_takes_its_unlocks_along),
		WORLD_TEST(the_first_visit_starts_the_story),
		WORLD_TEST(a_fragment_is_entered_under_conditions),
		WORLD_TEST(what_is_missing_is_named_as_far_as_there_is_room),
		WORLD_TEST(a_granted_fragment_needs_no_clues),
		WORLD_TEST(a_choice_is_one_commit),
		WORLD_TEST(a_choice_pays_and_unlocks_by_the_fragments_it_touches),
		WORLD_TEST(a_choice_is_refused_without_a_trace),
		WORLD_TEST(a_choice_costs_only_available_points),
		WORLD_TEST(a_choice_may_lead_back),
		WORLD_TEST(karma_stops_at_a_border),
		WORLD_TEST(a_reward_beyond_the_ceiling_refuses_the_choice),
		WORLD_TEST(a_fragment_is_completed_once),
		WORLD_TEST(a_completion_is_refused_like_a_visit),
		WORLD_TEST(a_fragment_pays_on_what_it_says_and_never_twice),
		WORLD_TEST(progress_is_over_the_active_fragments),
		WORLD_TEST(a_reset_goes_back_to_before_the_first_page),
		WORLD_TEST(lore_is_unlocked_once),
		WORLD_TEST(clues_are_combined_in_any_order),
		WORLD_TEST(sets_of_long_names_are_told_apart),
		WORLD_TEST(every_level_passed_unlocks_its_lore),
		WORLD_TEST(a_fragment_may_unlock_an_achievement),
		WORLD_TEST(a_deleted_user_leaves_the_story),
		WORLD_TEST(rules_skip_what_cannot_be_unlocked),
		WORLD_TEST(sources_beyond_200_share_a_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
