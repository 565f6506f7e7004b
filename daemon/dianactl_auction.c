/*
 * An auction on one screen. All about it is asked in one request; the names of those who take part
 * need a second one, since only the first tells who they are.
 */

#include <inttypes.h>
#include <stdio.h>

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

#define LIMIT_DEFAULT 10
#define NAMES_MAX 1000 /* ids that user.get_many takes; who comes after them is shown as an id */

struct auction_values {
	uint64_t limit;
};

static const struct dianactl_option auction_options[] = {
	{ "limit", 'n', DIANACTL_NUMBER, offsetof(struct auction_values, limit), "N",
	  "at most N bids and N participants (default 10)" },
};

struct lot {
	uint64_t id, limit;
	struct dianactl_batch parts;
	struct client_message people;
};

/* ---- asking ---- */

static void fill_auction(struct client_params *params, const void *about)
{
	const struct lot *lot = about;

	client_params_uint(params, "id", lot->id);
}

static void fill_stats(struct client_params *params, const void *about)
{
	const struct lot *lot = about;

	client_params_uint(params, "auction_id", lot->id);
}

static void fill_list(struct client_params *params, const struct lot *lot, const char *kind)
{
	client_params_text(params, "kind", kind);
	client_params_uint(params, "auction_id", lot->id);
	client_params_uint(params, "limit", lot->limit);
}

static void fill_bids(struct client_params *params, const void *about)
{
	fill_list(params, about, "bid");
}

static void fill_participants(struct client_params *params, const void *about)
{
	fill_list(params, about, "participant");
}

enum part { PART_AUCTION, PART_STATS, PART_BIDS, PART_PARTICIPANTS, N_PARTS };

static const struct dianactl_query queries[N_PARTS] = {
	[PART_AUCTION] = { "auction", "auction.get", fill_auction },
	[PART_STATS] = { "stats", "auction.stats", fill_stats },
	[PART_BIDS] = { "bids", "auction.list", fill_bids },
	[PART_PARTICIPANTS] = { "participants", "auction.list", fill_participants },
};

static const msgpack_object *part_of(const struct lot *lot, enum part part)
{
	return dianactl_batch_result(&lot->parts, part);
}

static int not_found(const msgpack_object *error)
{
	int rc = dianactl_session_refused(error);

	if (dianactl_session_error_is(error, "not_found"))
		dianactl_session_warn("'dianactl call auction.list status=active' lists those that are running");
	return rc;
}

static int ask_auction(struct dianactl *ctl, struct lot *lot)
{
	int rc = dianactl_batch_ask(ctl, queries, N_PARTS, lot, &lot->parts);

	if (rc != DIANACTL_OK)
		return rc;
	if (part_of(lot, PART_AUCTION) != NULL)
		return DIANACTL_OK;
	if (dianactl_batch_error(&lot->parts, PART_AUCTION) != NULL)
		return not_found(dianactl_batch_error(&lot->parts, PART_AUCTION));
	return dianactl_session_odd("auction.get");
}

/* ---- who they are ---- */

struct ids {
	int64_t items[NAMES_MAX];
	size_t n;
};

static void ids_add(struct ids *ids, const msgpack_object *map, const char *key)
{
	int64_t id = client_object_int(map, key, 0);

	for (size_t i = 0; i < ids->n; i++) {
		if (ids->items[i] == id)
			return;
	}
	if (id > 0 && ids->n < NAMES_MAX)
		ids->items[ids->n++] = id;
}

static void ids_collect(struct ids *ids, const struct lot *lot)
{
	static const char *const keys[] = { "created_by", "highest_bidder_id", "winner_id" };
	static const enum part lists[] = { PART_BIDS, PART_PARTICIPANTS };

	for (size_t i = 0; i < DIANACTL_COUNT(keys); i++)
		ids_add(ids, part_of(lot, PART_AUCTION), keys[i]);
	for (size_t i = 0; i < DIANACTL_COUNT(lists); i++) {
		const msgpack_object *items = client_object_get(part_of(lot, lists[i]), "items");

		for (size_t k = 0; k < client_object_length(items); k++)
			ids_add(ids, client_object_at(items, k), "user_id");
	}
}

/* Names are an addition: without them the screen shows ids. */
static int ask_people(struct dianactl *ctl, struct lot *lot)
{
	struct client_params params;
	struct ids ids = { .n = 0 };
	int rc;

	ids_collect(&ids, lot);
	if (ids.n == 0)
		return DIANACTL_OK;
	client_params_init(&params);
	client_params_key(&params, "ids", 3);
	client_params_check(&params, msgpack_pack_array(&params.packer, ids.n));
	for (size_t i = 0; i < ids.n; i++)
		client_params_check(&params, msgpack_pack_int64(&params.packer, ids.items[i]));
	rc = dianactl_session_try(ctl, "user.get_many", &params, &lot->people);
	client_params_free(&params);
	return rc;
}

/* NULL: deleted, or not asked for. */
static const msgpack_object *find_person(const struct lot *lot, int64_t id)
{
	const msgpack_object *items = client_object_get(lot->people.result, "items");

	for (size_t i = 0; i < client_object_length(items); i++) {
		const msgpack_object *item = client_object_at(items, i);

		if (client_object_int(item, "id", 0) == id)
			return item;
	}
	return NULL;
}

static struct client_text short_name(const struct lot *lot, int64_t id)
{
	const msgpack_object *person = find_person(lot, id);
	struct client_text username = client_object_text(person, "username");

	return username.base != NULL ? username : client_object_text(person, "first_name");
}

static void print_person(const struct lot *lot, int64_t id)
{
	printf("%" PRId64, id);
	dianactl_people_print(stdout, find_person(lot, id));
}

/* ---- one line each ---- */

static void print_line(const char *label, struct client_text text)
{
	dianactl_cells_label(stdout, label);
	dianactl_cells_print(stdout, text);
	putchar('\n');
}

static void print_start(const struct dianactl *ctl, const msgpack_object *auction)
{
	if (client_object_get(auction, "start_at") == NULL)
		fputs(", starts by command", stdout);
	dianactl_cells_moment(stdout, ", starts ", auction, "start_at", ctl->utc);
	dianactl_cells_moment(stdout, ", ends ", auction, "end_at", ctl->utc);
	if (client_object_get(auction, "end_at") == NULL)
		printf(", lasts %" PRIu64 " minutes", client_object_uint(auction, "duration_minutes", 0));
}

static void print_status(const struct dianactl *ctl, const msgpack_object *auction)
{
	struct client_text status = client_object_text(auction, "status");
	uint64_t extensions = client_object_uint(auction, "extensions", 0);
	char times[CLIENT_FORMAT_MAX];

	dianactl_cells_label(stdout, "Status");
	dianactl_cells_print(stdout, status);
	dianactl_cells_moment(stdout, " ", auction, "ended_at", ctl->utc);
	if (client_text_is(status, "pending"))
		print_start(ctl, auction);
	else if (!client_text_is(status, "cancelled"))
		dianactl_cells_moment(stdout, ", started ", auction, "start_at", ctl->utc);
	if (extensions > 0)
		printf(", extended %s", dianactl_cells_times(times, extensions));
	putchar('\n');
}

static void print_time_left(const struct dianactl *ctl, const msgpack_object *auction)
{
	uint64_t extend_minutes = client_object_uint(auction, "auto_extend_minutes", 0);
	char text[CLIENT_FORMAT_MAX];

	if (!client_text_is(client_object_text(auction, "status"), "active"))
		return;
	dianactl_cells_label(stdout, "Time left");
	fputs(client_format_duration(text, client_object_uint(auction, "time_left_ms", 0)), stdout);
	dianactl_cells_moment(stdout, ", ends ", auction, "end_at", ctl->utc);
	if (extend_minutes > 0)
		printf(", a bid in the last %" PRIu64 " minutes extends it", extend_minutes);
	putchar('\n');
}

static void print_price(const msgpack_object *auction)
{
	char now[CLIENT_FORMAT_MAX], next[CLIENT_FORMAT_MAX], first[CLIENT_FORMAT_MAX], step[CLIENT_FORMAT_MAX];

	dianactl_cells_label(stdout, "Price");
	if (client_object_uint(auction, "bid_count", 0) > 0)
		printf("%s, ", dianactl_cells_amount(now, auction, "current_bid"));
	printf("initial %s, step %s", dianactl_cells_amount(first, auction, "initial_price"),
	       dianactl_cells_amount(step, auction, "min_bid_increment"));
	if (client_text_is(client_object_text(auction, "status"), "active"))
		printf(", next bid at least %s", dianactl_cells_amount(next, auction, "min_next_bid"));
	putchar('\n');
}

static void print_holder(const struct lot *lot, const msgpack_object *auction)
{
	bool ended = client_text_is(client_object_text(auction, "status"), "ended");
	int64_t id = client_object_int(auction, ended ? "winner_id" : "highest_bidder_id", 0);
	char amount[CLIENT_FORMAT_MAX];

	dianactl_cells_label(stdout, ended ? "Winner" : "Holder");
	if (id == 0) {
		puts("nobody");
		return;
	}
	print_person(lot, id);
	printf(" with %s\n", dianactl_cells_amount(amount, auction, "current_bid"));
}

static void print_counts(const struct lot *lot, const msgpack_object *auction)
{
	const msgpack_object *stats = part_of(lot, PART_STATS);
	const msgpack_object *most = client_object_get(auction, "max_participants");
	char average[CLIENT_FORMAT_MAX];

	dianactl_cells_label(stdout, "Bids");
	printf("%" PRIu64 ", bidders %" PRIu64 ", average %s\n", client_object_uint(auction, "bid_count", 0),
	       client_object_uint(stats, "bidders", 0), dianactl_cells_amount(average, stats, "average_bid"));
	dianactl_cells_label(stdout, "Participants");
	printf("%" PRIu64, client_object_uint(auction, "participant_count", 0));
	if (most != NULL)
		printf(" of at most %" PRIu64, client_object_uint(auction, "max_participants", 0));
	putchar('\n');
}

static void print_origin(const struct dianactl *ctl, const struct lot *lot, const msgpack_object *auction)
{
	dianactl_cells_label(stdout, "Created");
	dianactl_cells_moment(stdout, "", auction, "created_at", ctl->utc);
	fputs(" by ", stdout);
	print_person(lot, client_object_int(auction, "created_by", 0));
	putchar('\n');
}

/* ---- lists; about is the lot ---- */

static void add_person(struct client_table *table, const struct lot *lot, const msgpack_object *item)
{
	client_table_text(table, short_name(lot, client_object_int(item, "user_id", 0)));
	client_table_object(table, client_object_get(item, "user_id"));
}

static const struct client_column bid_columns[] = {
	{ "BID", true }, { "TIME", false }, { "USER", false }, { "ID", true }, { "AMOUNT", true }, { "STATUS", false },
};

static void add_bid(struct client_table *table, const struct dianactl *ctl, const msgpack_object *item,
		    const void *about)
{
	bool winning = client_object_bool(item, "is_winning", false);
	char amount[CLIENT_FORMAT_MAX];

	client_table_object(table, client_object_get(item, "id"));
	dianactl_cells_time(table, item, "created_at", ctl->utc);
	add_person(table, about, item);
	client_table_string(table, dianactl_cells_amount(amount, item, "amount"));
	client_table_text(table, client_object_text(item, "status"));
	client_table_paint(table, winning ? CLIENT_COLOUR_GREEN : CLIENT_COLOUR_NONE);
}

static const struct client_column participant_columns[] = {
	{ "USER", false }, { "ID", true },          { "JOINED", false },
	{ "BIDS", true },  { "HIGHEST BID", true }, { "TOLD", false },
};

static void add_participant(struct client_table *table, const struct dianactl *ctl, const msgpack_object *item,
			    const void *about)
{
	char highest[CLIENT_FORMAT_MAX];

	add_person(table, about, item);
	dianactl_cells_time(table, item, "joined_at", ctl->utc);
	client_table_object(table, client_object_get(item, "bids"));
	client_table_string(table, dianactl_cells_amount(highest, item, "highest_bid"));
	client_table_string(table, client_object_bool(item, "notifications_enabled", false) ? "yes" : "no");
}

static int print_lists(const struct dianactl *ctl, const struct lot *lot)
{
	static const struct dianactl_list bids = { "Bids, the latest first", bid_columns, DIANACTL_COUNT(bid_columns),
						   add_bid };
	static const struct dianactl_list participants = { "Participants", participant_columns,
							   DIANACTL_COUNT(participant_columns), add_participant };
	int rc = dianactl_lists_print(stdout, ctl, &bids, &lot->parts, PART_BIDS, lot);

	return rc != DIANACTL_OK
		       ? rc
		       : dianactl_lists_print(stdout, ctl, &participants, &lot->parts, PART_PARTICIPANTS, lot);
}

/* ---- the screen ---- */

static int print_screen(const struct dianactl *ctl, const struct lot *lot)
{
	const msgpack_object *auction = part_of(lot, PART_AUCTION);

	printf("Auction %" PRIu64 " ", lot->id);
	dianactl_cells_print(stdout, client_object_text(auction, "name"));
	puts(ctl->utc ? ", times in UTC\n" : "\n");
	print_status(ctl, auction);
	print_time_left(ctl, auction);
	print_line("Prize", client_object_text(auction, "prize_description"));
	if (client_object_get(auction, "description") != NULL)
		print_line("Description", client_object_text(auction, "description"));
	print_price(auction);
	print_holder(lot, auction);
	print_counts(lot, auction);
	print_origin(ctl, lot, auction);
	return print_lists(ctl, lot);
}

static int print_json(const struct lot *lot)
{
	msgpack_object_kv entries[N_PARTS + 1] = {
		[N_PARTS] = { client_object_of_text("users"), dianactl_session_result(&lot->people) },
	};
	msgpack_object map = client_object_of_map(entries, DIANACTL_COUNT(entries));

	dianactl_batch_entries(&lot->parts, queries, N_PARTS, entries);
	return dianactl_session_print_json(&map);
}

static int auction_run(struct dianactl *ctl, const void *values)
{
	const struct auction_values *v = values;
	struct lot lot = { .limit = v->limit != 0 ? v->limit : LIMIT_DEFAULT };
	int rc;

	if (!client_parse_uint(ctl->words[0], &lot.id))
		return dianactl_session_usage(ctl, "auction: '%s' is no id of an auction", ctl->words[0]);
	rc = ask_auction(ctl, &lot);
	if (rc == DIANACTL_OK)
		rc = ask_people(ctl, &lot);
	if (rc == DIANACTL_OK)
		rc = ctl->json ? print_json(&lot) : print_screen(ctl, &lot);
	dianactl_batch_clear(&lot.parts);
	client_message_clear(&lot.people);
	return rc;
}

const struct dianactl_command dianactl_auction_command = {
	.name = "auction",
	.words = "ID",
	.help = "An auction on one screen: state, prize, time left, holder, bids, participants",
	.more = "TOLD says which participants want to be told about bids and the end.\n"
		"'dianactl call auction.list' lists auctions.",
	.options = auction_options,
	.n_options = DIANACTL_COUNT(auction_options),
	.values_size = sizeof(struct auction_values),
	.min_words = 1,
	.max_words = 1,
	.timeout_s = 30,
	.run = auction_run,
};
