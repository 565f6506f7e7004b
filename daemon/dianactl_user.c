/*
 * A user on one screen. user.get tells who is meant; all else is asked in one request, so that the
 * screen shows one moment.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_batch.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_lists.h"
#include "daemon/dianactl_people.h"
#include "daemon/dianactl_session.h"
#include "daemon/dianactl_transactions.h"

#define LIMIT_DEFAULT 5

struct user_values {
	uint64_t limit;
};

static const struct dianactl_option user_options[] = {
	{ "limit", 'n', DIANACTL_NUMBER, offsetof(struct user_values, limit), "N",
	  "at most N entries of each list (default 5)" },
};

struct person {
	int64_t id;
	uint64_t limit;
	struct client_message user;
	struct dianactl_batch parts;
	bool decimals; /* of the transactions: one of them has a fraction */
};

/* ---- asking ---- */

static void fill_id(struct client_params *params, const void *about)
{
	const struct person *p = about;

	client_params_int(params, "id", p->id);
}

static void fill_story(struct client_params *params, const void *about)
{
	static const char *const include[] = { "fragment" };

	client_params_text(params, "kind", "story");
	fill_id(params, about);
	client_params_texts(params, "include", include, DIANACTL_COUNT(include));
}

static void fill_list(struct client_params *params, const void *about, const char *kind, const char *state)
{
	const struct person *p = about;

	client_params_text(params, "kind", kind);
	client_params_int(params, "user_id", p->id);
	if (state != NULL)
		client_params_text(params, "state", state);
	client_params_uint(params, "limit", p->limit);
}

static void fill_begun(struct client_params *params, const void *about)
{
	fill_list(params, about, "mission", "pending");
}

static void fill_available(struct client_params *params, const void *about)
{
	fill_list(params, about, "mission", "available");
}

static void fill_completed(struct client_params *params, const void *about)
{
	fill_list(params, about, "mission", "completed");
}

static void fill_badges(struct client_params *params, const void *about)
{
	fill_list(params, about, "badge", "held");
}

static void fill_achievements(struct client_params *params, const void *about)
{
	fill_list(params, about, "achievement", "unlocked");
}

static void fill_auctions(struct client_params *params, const void *about)
{
	fill_list(params, about, "auction", "joined");
}

static void fill_transactions(struct client_params *params, const void *about)
{
	fill_list(params, about, "transaction", NULL);
}

enum part {
	PART_BALANCE,
	PART_STORY,
	PART_BADGES,
	PART_ACHIEVEMENTS,
	PART_BEGUN,
	PART_AVAILABLE,
	PART_COMPLETED,
	PART_AUCTIONS,
	PART_TRANSACTIONS,
	N_PARTS,
};

static const struct dianactl_query queries[N_PARTS] = {
	[PART_BALANCE] = { "balance", "point.get", fill_id },
	[PART_STORY] = { "story", "narrative.get", fill_story },
	[PART_BADGES] = { "badges", "achievement.list", fill_badges },
	[PART_ACHIEVEMENTS] = { "achievements", "achievement.list", fill_achievements },
	[PART_BEGUN] = { "missions_begun", "mission.list", fill_begun },
	[PART_AVAILABLE] = { "missions_available", "mission.list", fill_available },
	[PART_COMPLETED] = { "missions_completed", "mission.list", fill_completed },
	[PART_AUCTIONS] = { "auctions", "auction.list", fill_auctions },
	[PART_TRANSACTIONS] = { "transactions", "point.list", fill_transactions },
};

static int not_found(const struct dianactl *ctl, const msgpack_object *error)
{
	int rc = dianactl_session_refused(error);

	if (dianactl_session_error_is(error, "not_found"))
		dianactl_session_warn(
			"'dianactl call user.list query=NAME' searches by name; 'dianactl history %s' has "
			"the statement of a user who was deleted",
			ctl->words[0]);
	return rc;
}

static int ask_user(struct dianactl *ctl, struct person *p)
{
	static const char *const include[] = { "stats", "vip", "counts", "engagement" };
	struct client_params params;
	int64_t id = 0;
	int rc;

	client_params_init(&params);
	dianactl_people_params(&params, ctl->words[0], &id);
	client_params_texts(&params, "include", include, DIANACTL_COUNT(include));
	rc = dianactl_session_try(ctl, "user.get", &params, &p->user);
	client_params_free(&params);
	if (rc != DIANACTL_OK)
		return rc;
	if (p->user.error != NULL)
		return not_found(ctl, p->user.error);
	p->id = client_object_int(p->user.result, "id", 0);
	return p->id > 0 ? DIANACTL_OK : dianactl_session_odd("user.get");
}

/* ---- one line each ---- */

static void print_profile(const struct dianactl *ctl, const struct person *p)
{
	const msgpack_object *user = p->user.result;

	printf("User %" PRId64, p->id);
	dianactl_people_print(stdout, user);
	puts(ctl->utc ? ", times in UTC\n" : "\n");
	dianactl_cells_label(stdout, "Role");
	dianactl_cells_print(stdout, client_object_text(user, "role"));
	dianactl_cells_moment(stdout, ", known since ", user, "created_at", ctl->utc);
	dianactl_cells_moment(stdout, ", last active ", client_object_get(user, "stats"), "last_activity_at", ctl->utc);
	putchar('\n');
}

static void print_vip(const struct dianactl *ctl, const msgpack_object *user)
{
	int64_t left_ms = client_object_int(user, "vip_expires_at", 0) - (int64_t)time(NULL) * 1000;
	char text[CLIENT_FORMAT_MAX];

	dianactl_cells_label(stdout, "VIP");
	if (!client_object_bool(user, "vip_active", false)) {
		puts("no");
		return;
	}
	if (client_object_bool(user, "permanent", false)) {
		puts("for good");
		return;
	}
	dianactl_cells_moment(stdout, "until ", user, "vip_expires_at", ctl->utc);
	printf(", another %s\n", client_format_duration(text, left_ms > 0 ? (uint64_t)left_ms : 0));
}

static void print_points(const struct person *p)
{
	const msgpack_object *balance = dianactl_batch_result(&p->parts, PART_BALANCE);
	char total[CLIENT_FORMAT_MAX], held[CLIENT_FORMAT_MAX], available[CLIENT_FORMAT_MAX];

	dianactl_cells_label(stdout, "Points");
	if (balance == NULL) {
		dianactl_lists_refusal(stdout, &p->parts, PART_BALANCE);
		putchar('\n');
		return;
	}
	printf("%s, held %s, available %s, rank %" PRIu64 "\n", dianactl_cells_amount(total, balance, "balance"),
	       dianactl_cells_amount(held, balance, "held"), dianactl_cells_amount(available, balance, "available"),
	       client_object_uint(balance, "rank", 0));
	dianactl_cells_label(stdout, "");
	printf("earned %s, spent %s, transactions %" PRIu64 "\n", dianactl_cells_amount(total, balance, "total_earned"),
	       dianactl_cells_amount(held, balance, "total_spent"), client_object_uint(balance, "transactions", 0));
}

static void print_level(const msgpack_object *balance)
{
	double progress = client_object_real(balance, "level_progress", 0);
	char text[CLIENT_FORMAT_MAX];

	dianactl_cells_label(stdout, "Level");
	printf("%" PRIu64 " ", client_object_uint(balance, "level", 1));
	dianactl_cells_print(stdout, client_object_text(balance, "level_name"));
	printf("  %s", client_format_bar(text, progress));
	if (client_object_get(balance, "next_level") == NULL)
		puts("  the highest");
	else
		printf(" %d %%, %s points to level %" PRIu64 "\n", (int)(progress * 100),
		       dianactl_cells_amount(text, balance, "points_to_next"),
		       client_object_uint(balance, "next_level", 0));
}

static void print_activity(const msgpack_object *user)
{
	const msgpack_object *stats = client_object_get(user, "stats");
	char score[CLIENT_FORMAT_MAX];

	dianactl_cells_label(stdout, "Activity");
	printf("messages %" PRIu64 ", days active %" PRIu64 ", check-in streak %" PRIu64 " (best %" PRIu64 ")\n",
	       client_object_uint(stats, "messages_sent", 0), client_object_uint(stats, "days_active", 0),
	       client_object_uint(stats, "checkin_streak", 0), client_object_uint(stats, "best_streak", 0));
	dianactl_cells_label(stdout, "");
	printf("missions completed %" PRIu64 ", invites %" PRIu64 ", engagement %s\n",
	       client_object_uint(stats, "missions_completed", 0), client_object_uint(stats, "invites_count", 0),
	       client_format_real(score,
				  client_object_real(client_object_get(user, "engagement"), "engagement_score", 0)));
}

static void print_position(const msgpack_object *story)
{
	const msgpack_object *fragment = client_object_get(story, "fragment");
	struct client_text id = client_object_text(story, "current_fragment_id");

	if (id.base == NULL) {
		fputs("at no fragment", stdout);
		return;
	}
	fputs("at ", stdout);
	dianactl_cells_print(stdout, id);
	if (fragment == NULL)
		return;
	fputs(" \"", stdout);
	dianactl_cells_print(stdout, client_object_text(fragment, "title"));
	putchar('"');
}

static void print_story(const struct person *p)
{
	const msgpack_object *story = dianactl_batch_result(&p->parts, PART_STORY);
	double percentage = client_object_real(story, "progress_percentage", 0);
	char bar[CLIENT_FORMAT_MAX];

	dianactl_cells_label(stdout, "Story");
	if (story == NULL) {
		if (dianactl_session_error_is(dianactl_batch_error(&p->parts, PART_STORY), "not_found"))
			fputs("not begun", stdout);
		else
			dianactl_lists_refusal(stdout, &p->parts, PART_STORY);
		putchar('\n');
		return;
	}
	print_position(story);
	printf("  %s %d %%\n", client_format_bar(bar, percentage / 100), (int)percentage);
	dianactl_cells_label(stdout, "");
	printf("fragments visited %" PRIu64 ", completed %" PRIu64 ", clues %" PRIu64 ", karma %" PRId64 "\n",
	       client_object_uint(story, "fragments_visited", 0), client_object_uint(story, "fragments_completed", 0),
	       client_object_uint(p->user.result, "lore", 0), client_object_int(story, "karma", 0));
}

static void print_names(const struct person *p, const char *label, enum part part)
{
	dianactl_cells_label(stdout, label);
	dianactl_lists_line(stdout, &p->parts, part, "name");
	putchar('\n');
}

/* ---- lists; about is the person ---- */

static const struct client_column mission_columns[] = {
	{ "MISSION", false }, { "NAME", false },  { "TYPE", false },
	{ "DONE", true },     { "REWARD", true }, { "COMPLETED", false },
};

static void add_mission(struct client_table *table, const struct dianactl *ctl, const msgpack_object *item,
			const void *about)
{
	const msgpack_object *progress = client_object_get(item, "user");
	const msgpack_object *reward = client_object_get(item, "reward_points");

	(void)about;
	client_table_text(table, client_object_text(item, "id"));
	client_table_text(table, client_object_text(item, "name"));
	client_table_text(table, client_object_text(item, "type"));
	client_table_format(table, "%d %%", (int)client_object_real(progress, "percentage", 0));
	dianactl_cells_points(table, reward, dianactl_cells_fraction(reward));
	dianactl_cells_time(table, progress, "completed_at", ctl->utc);
}

static const struct client_column auction_columns[] = {
	{ "AUCTION", true }, { "NAME", false }, { "STATUS", false }, { "ENDS", false },
	{ "BID", true },     { "OWN", true },   { "LEADS", false },
};

static void add_auction(struct client_table *table, const struct dianactl *ctl, const msgpack_object *item,
			const void *about)
{
	const struct person *p = about;
	const msgpack_object *user = client_object_get(item, "user");
	bool won = client_object_int(item, "winner_id", 0) == p->id;
	bool leads = client_object_bool(user, "leads", false);
	char text[CLIENT_FORMAT_MAX];

	client_table_object(table, client_object_get(item, "id"));
	client_table_text(table, client_object_text(item, "name"));
	client_table_text(table, client_object_text(item, "status"));
	dianactl_cells_time(table, item, "end_at", ctl->utc);
	client_table_string(table, dianactl_cells_amount(text, item, "current_bid"));
	client_table_string(table, dianactl_cells_amount(text, user, "highest_bid"));
	client_table_string(table, won ? "won" : leads ? "yes" : "no");
	client_table_paint(table, won || leads ? CLIENT_COLOUR_GREEN : CLIENT_COLOUR_NONE);
}

static void add_transaction(struct client_table *table, const struct dianactl *ctl, const msgpack_object *item,
			    const void *about)
{
	const struct person *p = about;

	dianactl_transactions_add(table, item, p->decimals, ctl->utc);
}

static bool any_fraction(const struct person *p)
{
	const msgpack_object *items = client_object_get(dianactl_batch_result(&p->parts, PART_TRANSACTIONS), "items");

	for (size_t i = 0; i < client_object_length(items); i++) {
		if (dianactl_transactions_fraction(client_object_at(items, i)))
			return true;
	}
	return false;
}

static int print_lists(const struct dianactl *ctl, const struct person *p)
{
#define COLUMNS(columns) columns, DIANACTL_COUNT(columns)
	static const struct {
		enum part part;
		struct dianactl_list list;
	} lists[] = {
		{ PART_BEGUN, { "Missions in work", COLUMNS(mission_columns), add_mission } },
		{ PART_AVAILABLE, { "Missions not begun", COLUMNS(mission_columns), add_mission } },
		{ PART_COMPLETED, { "Missions completed", COLUMNS(mission_columns), add_mission } },
		{ PART_AUCTIONS, { "Auctions joined", COLUMNS(auction_columns), add_auction } },
		{ PART_TRANSACTIONS,
		  { "Latest transactions", COLUMNS(dianactl_transactions_columns), add_transaction } },
	};
#undef COLUMNS
	int rc = DIANACTL_OK;

	for (size_t i = 0; i < DIANACTL_COUNT(lists) && rc == DIANACTL_OK; i++)
		rc = dianactl_lists_print(stdout, ctl, &lists[i].list, &p->parts, lists[i].part, p);
	return rc;
}

/* ---- the screen ---- */

static int print_screen(const struct dianactl *ctl, const struct person *p)
{
	print_profile(ctl, p);
	print_points(p);
	print_level(dianactl_batch_result(&p->parts, PART_BALANCE));
	print_vip(ctl, p->user.result);
	print_activity(p->user.result);
	print_story(p);
	print_names(p, "Badges", PART_BADGES);
	print_names(p, "Achievements", PART_ACHIEVEMENTS);
	return print_lists(ctl, p);
}

static int print_json(const struct person *p)
{
	msgpack_object_kv entries[1 + N_PARTS] = {
		{ client_object_of_text("user"), dianactl_session_result(&p->user) },
	};
	msgpack_object map = client_object_of_map(entries, DIANACTL_COUNT(entries));

	dianactl_batch_entries(&p->parts, queries, N_PARTS, entries + 1);
	return dianactl_session_print_json(&map);
}

static int user_run(struct dianactl *ctl, const void *values)
{
	const struct user_values *v = values;
	struct person p = { .limit = v->limit != 0 ? v->limit : LIMIT_DEFAULT };
	int rc = ask_user(ctl, &p);

	if (rc == DIANACTL_OK)
		rc = dianactl_batch_ask(ctl, queries, N_PARTS, &p, &p.parts);
	p.decimals = any_fraction(&p);
	if (rc == DIANACTL_OK)
		rc = ctl->json ? print_json(&p) : print_screen(ctl, &p);
	client_message_clear(&p.user);
	dianactl_batch_clear(&p.parts);
	return rc;
}

const struct dianactl_command dianactl_user_command = {
	.name = "user",
	.words = "USER",
	.help = "A user on one screen: points, level, VIP, missions, story, badges, auctions",
	.more = "USER is an id or a @username. All points of the statement are in 'dianactl history USER'.",
	.options = user_options,
	.n_options = DIANACTL_COUNT(user_options),
	.values_size = sizeof(struct user_values),
	.min_words = 1,
	.max_words = 1,
	.timeout_s = 30,
	.run = user_run,
};
