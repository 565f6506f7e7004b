/*
 * A balance, explained: everything that moved it, who did that by which command, and what brought it about. The sum of
 * it all must be the balance that is shown; that is found out here, whatever the ledger says of itself.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/map_writer.h"
#include "core/reactions.h"
#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_table.h"
#include "daemon/dianactl_account.h"
#include "daemon/dianactl_audit.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_progress.h"
#include "daemon/dianactl_session.h"
#include "daemon/dianactl_transactions.h"

enum { WHY_DEFAULT = 50, PATH_SIZE = 4096, JSON_MAX = 1 << 30 };

struct why_values {
	uint64_t limit;
	bool all;
	const char *data, *since, *until, *proof;
};

static const struct dianactl_option why_options[] = {
	{ "limit", 'n', DIANACTL_NUMBER, offsetof(struct why_values, limit), "N",
	  "show at most the N latest contributions (default 50)" },
	{ "all", 'a', DIANACTL_FLAG, offsetof(struct why_values, all), NULL, "show every contribution" },
	{ "since", 0, DIANACTL_TEXT, offsetof(struct why_values, since), "DATE",
	  "show those from this day or moment on" },
	{ "until", 0, DIANACTL_TEXT, offsetof(struct why_values, until), "DATE",
	  "show those to the end of this day, or before this moment" },
	{ "proof", 0, DIANACTL_TEXT, offsetof(struct why_values, proof), "DIR",
	  "make DIR, with a receipt for each that is shown" },
	{ "data", 0, DIANACTL_TEXT, offsetof(struct why_values, data), "DIR",
	  "read this data directory instead of asking the daemon" },
};

/* A contribution: an event that moved the balance. */
struct move {
	struct client_message event;
	int64_t amount, sum;           /* negative when it was taken; of all so far */
	struct client_message *causes; /* what brought it about, and what brought that about: the nearest first */
	size_t n_causes;
};

struct why {
	const struct why_values *values;
	struct audited ledger;
	int64_t since, until; /* times of those shown: [since, until) */
	struct dianactl_account account;
	/* all of them */
	uint64_t n, later; /* later: than those shown */
	int64_t sum;
	uint64_t bad_seq; /* the first whose balance_after is not the sum, 0: none */
	int64_t bad_after, bad_sum;
	bool has_balance; /* the daemon shows one */
	int64_t balance;
	/* those shown; with a limit the latest, in a ring that begins with the oldest */
	struct move *moves;
	size_t n_moves, max_moves, oldest;
	bool decimals;
};

static struct move *move_at(const struct why *w, size_t i)
{
	return &w->moves[(w->oldest + i) % w->n_moves];
}

static uint64_t seq_of(const struct client_message *event)
{
	return client_object_uint(event->result, "seq", 0);
}

static bool is_equal(const struct why *w)
{
	return w->bad_seq == 0 && (!w->has_balance || w->sum == w->balance);
}

static void free_move(struct move *m)
{
	for (size_t i = 0; i < m->n_causes; i++)
		client_message_clear(&m->causes[i]);
	free(m->causes);
	client_message_clear(&m->event);
}

/* ---- what moved it ---- */

/* The place of the next one: behind the latest or, when there are as many as are shown, that of the oldest. */
static struct move *next_place(struct why *w)
{
	uint64_t limit = w->values->all ? SIZE_MAX : w->values->limit != 0 ? w->values->limit : WHY_DEFAULT;
	size_t more = w->max_moves == 0 ? 64 : 2 * w->max_moves;
	struct move *m;

	if (w->n_moves == limit) {
		m = &w->moves[w->oldest];
		w->oldest = (w->oldest + 1) % w->n_moves;
		free_move(m);
		return m;
	}
	if (w->n_moves == w->max_moves) {
		m = realloc(w->moves, more * sizeof(*m));
		if (m == NULL)
			return NULL;
		w->moves = m;
		w->max_moves = more;
	}
	return &w->moves[w->n_moves++];
}

static int keep(struct why *w, const msgpack_object *event, int64_t amount)
{
	int64_t at = client_object_int(event, "at", 0);
	struct client_message copy;
	struct move *m;

	if (at >= w->until)
		w->later++;
	if (at < w->since || at >= w->until)
		return DIANACTL_OK;
	if (!client_message_copy(event, &copy))
		return dianactl_session_no_memory();
	m = next_place(w);
	if (m == NULL) {
		client_message_clear(&copy);
		return dianactl_session_no_memory();
	}
	*m = (struct move){ .event = copy, .amount = amount, .sum = w->sum };
	return DIANACTL_OK;
}

/* Each event says what the balance was after it; the sum must have been the same. */
static void add(struct why *w, uint64_t seq, int64_t amount, int64_t after)
{
	bool fits = !__builtin_add_overflow(w->sum, amount, &w->sum) && w->sum == after;

	w->n++;
	if (fits || w->bad_seq != 0)
		return;
	w->bad_seq = seq;
	w->bad_after = after;
	w->bad_sum = w->sum;
}

static int take(void *arg, const msgpack_object *event)
{
	const msgpack_object *data = client_object_get(event, "data");
	struct why *w = arg;
	int64_t amount, after;

	/* what came after the balance was asked for is no part of it */
	if (w->has_balance &&
	    client_object_uint(event, "version", 0) > client_object_uint(w->account.balance.result, "version", 0))
		return DIANACTL_OK;
	if (!client_object_milli(client_object_get(data, "amount"), &amount) ||
	    !client_object_milli(client_object_get(data, "balance_after"), &after))
		return dianactl_session_odd("log.read");
	if (!client_text_is(client_object_text(event, "type"), "point.credited"))
		amount = -amount;
	w->decimals = w->decimals || amount % 1000 != 0 || after % 1000 != 0;
	add(w, client_object_uint(event, "seq", 0), amount, after);
	return keep(w, event, amount);
}

static int read_moves(struct why *w)
{
	static const char *const types[] = { "point.credited", "point.debited", "point.captured" };
	struct audited_query q = { .n_streams = 1, .types = types, .n_types = DIANACTL_COUNT(types) };
	const char *stream;
	char name[40];

	snprintf(name, sizeof(name), "points:%" PRId64, w->account.user_id);
	stream = name;
	q.streams = &stream;
	return w->ledger.ops->read(&w->ledger, &q, take, w);
}

/* ---- what brought it about ---- */

static int add_cause(struct why *w, struct move *m, uint64_t seq)
{
	struct client_message *causes = realloc(m->causes, (m->n_causes + 1) * sizeof(*causes));
	int rc;

	if (causes == NULL)
		return dianactl_session_no_memory();
	m->causes = causes;
	rc = w->ledger.ops->get(&w->ledger, seq, &causes[m->n_causes]);
	if (rc == DIANACTL_OK)
		m->n_causes++;
	return rc;
}

/* A cause is always an earlier event, so that this ends whatever the log says. */
static int read_causes(struct why *w, struct move *m)
{
	const struct client_message *event = &m->event;
	int rc = DIANACTL_OK;

	while (rc == DIANACTL_OK) {
		uint64_t cause = client_object_uint(event->result, "cause", 0);

		if (cause == 0 || cause >= seq_of(event))
			break;
		rc = add_cause(w, m, cause);
		event = &m->causes[m->n_causes - 1];
	}
	return rc;
}

static int read_all_causes(struct why *w)
{
	int rc = DIANACTL_OK;

	for (size_t i = 0; i < w->n_moves && rc == DIANACTL_OK; i++)
		rc = read_causes(w, move_at(w, i));
	return rc;
}

static const char *rule_of(const struct move *m)
{
	struct client_text type;
	enum event_type cause;

	if (m->n_causes == 0)
		return NULL;
	type = client_object_text(m->causes[0].result, "type");
	cause = event_by_name(slice_of(type.base, type.len));
	return cause != N_EVENTS ? reaction_moves_points(cause) : NULL;
}

/* ---- receipts ---- */

static void name_receipt(const struct why *w, const struct move *m, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/event-%" PRIu64 ".tlog-proof", w->values->proof, seq_of(&m->event));
}

static int write_receipt(const char *path, const struct buf *receipt)
{
	FILE *f = receipt->failed ? NULL : fopen(path, "wbx");
	bool written;

	if (receipt->failed)
		return dianactl_session_no_memory();
	written = f != NULL && fwrite(receipt->base, 1, receipt->len, f) == receipt->len;
	if (f != NULL && fclose(f) != 0)
		written = false;
	if (!written)
		dianactl_session_warn("%s: %s", path, strerror(errno));
	return written ? DIANACTL_OK : DIANACTL_REFUSED;
}

static int make_receipt(struct why *w, const struct move *m, uint64_t size, const struct buf *note)
{
	struct buf receipt;
	char path[PATH_SIZE];
	int rc;

	buf_init(&receipt, AUDIT_FILE_MAX);
	name_receipt(w, m, path);
	rc = audit_put_receipt(&w->ledger, seq_of(&m->event), size, note, &receipt);
	if (rc == DIANACTL_OK)
		rc = write_receipt(path, &receipt);
	buf_free(&receipt);
	return rc;
}

/* All against one checkpoint. */
static int make_receipts(struct why *w)
{
	struct dianactl_progress progress;
	struct buf note;
	uint64_t size = 0;
	int rc;

	if (mkdir(w->values->proof, 0777) != 0) {
		dianactl_session_warn("%s: %s", w->values->proof, strerror(errno));
		return DIANACTL_REFUSED;
	}
	buf_init(&note, AUDIT_FILE_MAX);
	dianactl_progress_begin(&progress, "receipts", 0);
	rc = audit_take_checkpoint(&w->ledger, 0, &note, &size);
	for (size_t i = 0; i < w->n_moves && rc == DIANACTL_OK; i++) {
		rc = make_receipt(w, move_at(w, i), size, &note);
		dianactl_progress_show(&progress, i + 1, w->n_moves);
	}
	dianactl_progress_end(&progress);
	buf_free(&note);
	return rc;
}

/* ---- for people ---- */

static const struct client_column columns[] = {
	{ "SEQ", true },     { "TIME", false },    { "AMOUNT", true }, { "BALANCE", true },
	{ "SOURCE", false }, { "COMMAND", false }, { "BY", false },    { "BECAUSE", false },
};

/* The rule and what it was about; without one, what the command said. */
static void write_because(FILE *out, const struct move *m)
{
	const msgpack_object *data = client_object_get(m->event.result, "data");
	const char *rule = rule_of(m);
	bool about = m->n_causes == 0 || client_object_get(data, "ref") != NULL;

	if (rule != NULL)
		fprintf(out, "%s%s", rule, about ? " (" : ": ");
	if (about)
		dianactl_transactions_why(out, data, m->amount < 0);
	if (rule != NULL && about)
		fputs("): ", out);
	for (size_t i = 0; i < m->n_causes; i++) {
		struct client_text type = client_object_text(m->causes[i].result, "type");

		fprintf(out, "%s%" PRIu64 " %.*s", i > 0 ? ", after " : "", seq_of(&m->causes[i]), (int)type.len,
			type.base != NULL ? type.base : "");
	}
}

static void add_because(struct client_table *table, const struct move *m)
{
	char *because = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&because, &len);

	if (out != NULL) {
		write_because(out, m);
		fclose(out);
	}
	client_table_string(table, because != NULL ? because : "");
	free(because);
}

static void add_move(struct client_table *table, const struct why *w, const struct move *m)
{
	const msgpack_object *event = m->event.result;
	char sum[CLIENT_FORMAT_MAX];

	client_table_object(table, client_object_get(event, "seq"));
	dianactl_cells_time(table, event, "at", w->ledger.ctl->utc);
	dianactl_transactions_amount(table, m->amount, w->decimals);
	client_table_string(table, client_format_points(sum, m->sum, w->decimals));
	client_table_text(table, client_object_text(client_object_get(event, "data"), "source"));
	client_table_text(table, client_object_text(event, "method"));
	client_table_text(table, client_object_text(event, "actor"));
	add_because(table, m);
	if (w->bad_seq != 0 && seq_of(&m->event) == w->bad_seq)
		client_table_paint(table, CLIENT_COLOUR_RED);
}

/* What there was before the oldest that is shown. */
static void add_opening(struct client_table *table, const struct why *w)
{
	const struct move *m = move_at(w, 0);
	char sum[CLIENT_FORMAT_MAX];

	if (w->n_moves + w->later == w->n)
		return;
	client_table_string(table, "");
	client_table_format(table, "%" PRIu64 " before", w->n - w->later - w->n_moves);
	client_table_string(table, "");
	client_table_string(table, client_format_points(sum, m->sum - m->amount, w->decimals));
	for (size_t i = 4; i < DIANACTL_COUNT(columns); i++)
		client_table_string(table, "");
}

static int print_moves(const struct why *w)
{
	struct client_table *table = client_table_new(columns, DIANACTL_COUNT(columns));
	bool complete;

	if (table == NULL)
		return dianactl_session_no_memory();
	add_opening(table, w);
	for (size_t i = 0; i < w->n_moves; i++)
		add_move(table, w, move_at(w, i));
	complete = client_table_print(table, stdout, "", w->ledger.ctl->colour);
	client_table_free(table);
	return complete ? DIANACTL_OK : dianactl_session_no_memory();
}

static void print_bad(const struct why *w)
{
	char after[CLIENT_FORMAT_MAX], sum[CLIENT_FORMAT_MAX];

	printf("NOT EQUAL: event %" PRIu64 " says that the balance was %s after it; the sum up to there is %s.\n",
	       w->bad_seq, client_format_points(after, w->bad_after, w->decimals),
	       client_format_points(sum, w->bad_sum, w->decimals));
}

static void print_verdict(const struct why *w)
{
	char sum[CLIENT_FORMAT_MAX], balance[CLIENT_FORMAT_MAX];

	printf("\n%" PRIu64 " contribution%s, %zu shown, sum up to %s", w->n, w->n == 1 ? "" : "s", w->n_moves,
	       client_format_points(sum, w->sum, w->decimals || w->sum % 1000 != 0));
	if (!w->has_balance)
		puts(w->bad_seq == 0 ? ", as each of their events says." : ".");
	else if (w->sum == w->balance)
		puts(", the balance that point.get shows.");
	else
		printf(".\nNOT EQUAL: point.get shows %s.\n",
		       client_format_points(balance, w->balance, w->decimals || w->balance % 1000 != 0));
	if (w->bad_seq != 0)
		print_bad(w);
	if (w->values->proof != NULL)
		printf("Receipts are in %s; 'dianactl audit verify --offline --key KEY %s/*' verifies them.\n",
		       w->values->proof, w->values->proof);
}

static int print_text(const struct why *w)
{
	int rc = DIANACTL_OK;

	fputs("Balance of user ", stdout);
	dianactl_account_print(stdout, &w->account);
	puts(w->ledger.ctl->utc ? ", times in UTC\n" : "\n");
	if (w->n_moves > 0)
		rc = print_moves(w);
	else
		puts("No contributions.");
	print_verdict(w);
	return rc;
}

/* ---- for programs ---- */

static void put_object(struct map_writer *w, const char *key, const msgpack_object *object)
{
	client_object_put(map_key(w, key), object);
}

static void put_causes(struct buf *b, const struct move *m)
{
	mp_put_array(b, (uint32_t)m->n_causes);
	for (size_t i = 0; i < m->n_causes; i++) {
		struct map_writer w;

		map_open(&w, b);
		map_uint(&w, "seq", seq_of(&m->causes[i]));
		put_object(&w, "type", client_object_get(m->causes[i].result, "type"));
		put_object(&w, "data", client_object_get(m->causes[i].result, "data"));
		map_close(&w);
	}
}

static void put_move(struct buf *b, const struct why *why, const struct move *m)
{
	static const char *const fields[] = { "seq", "at", "type", "method", "actor", "note", "peer" };
	static const char *const details[] = {
		"source", "description", "ref", "counterparty_id", "base", "multiplier"
	};
	const msgpack_object *event = m->event.result;
	char path[PATH_SIZE];
	struct map_writer w;

	map_open(&w, b);
	for (size_t i = 0; i < DIANACTL_COUNT(fields); i++)
		put_object(&w, fields[i], client_object_get(event, fields[i]));
	map_points(&w, "amount", m->amount);
	map_points(&w, "balance", m->sum);
	for (size_t i = 0; i < DIANACTL_COUNT(details); i++)
		put_object(&w, details[i], client_object_get(client_object_get(event, "data"), details[i]));
	map_str(&w, "rule", rule_of(m));
	put_causes(map_key(&w, "causes"), m);
	if (why->values->proof != NULL)
		name_receipt(why, m, path);
	map_str(&w, "receipt", why->values->proof != NULL ? path : NULL);
	map_close(&w);
}

static int print_json(const struct why *why)
{
	struct map_writer w;
	struct buf b;
	int rc;

	buf_init(&b, JSON_MAX);
	map_open(&w, &b);
	map_int(&w, "user_id", why->account.user_id);
	map_bool(&w, "equal", is_equal(why));
	map_points(&w, "sum", why->sum);
	put_object(&w, "balance", client_object_get(why->account.balance.result, "balance"));
	map_uint(&w, "contributions", why->n);
	map_opt_int(&w, "first_bad_seq", why->bad_seq != 0, (int64_t)why->bad_seq);
	mp_put_array(map_key(&w, "items"), (uint32_t)why->n_moves);
	for (size_t i = 0; i < why->n_moves; i++)
		put_move(&b, why, move_at(why, i));
	map_close(&w);
	rc = dianactl_session_print_packed(&b);
	buf_free(&b);
	return rc;
}

/* ---- the command ---- */

/* Offline there are no views: nobody to ask for a name or for the balance. */
static int find_user(struct why *w)
{
	struct dianactl *ctl = w->ledger.ctl;
	uint64_t id;
	int rc;

	if (w->values->data != NULL) {
		if (!client_parse_uint(ctl->words[0], &id) || id == 0 || id > INT64_MAX)
			return dianactl_session_usage(
				ctl, "why --data needs the id of a user: names are not in the log's index");
		w->account.user_id = (int64_t)id;
		return DIANACTL_OK;
	}
	rc = dianactl_account_ask(ctl, ctl->words[0], &w->account);
	if (rc == DIANACTL_OK && w->account.balance.error == NULL)
		w->has_balance =
			client_object_milli(client_object_get(w->account.balance.result, "balance"), &w->balance);
	return rc;
}

static int nobody(const struct why *w)
{
	if (w->account.user.error != NULL)
		return dianactl_session_refused(w->account.user.error);
	fprintf(stderr, "not_found: no points of user %" PRId64 " in this log\n", w->account.user_id);
	return DIANACTL_REFUSED;
}

static int explain(struct why *w)
{
	int rc = find_user(w);

	if (rc == DIANACTL_OK)
		rc = read_moves(w);
	if (rc == DIANACTL_OK && w->n == 0 && !w->has_balance)
		return nobody(w);
	if (rc == DIANACTL_OK)
		rc = read_all_causes(w);
	if (rc == DIANACTL_OK && w->values->proof != NULL)
		rc = make_receipts(w);
	if (rc == DIANACTL_OK)
		rc = w->ledger.ctl->json ? print_json(w) : print_text(w);
	return rc != DIANACTL_OK || is_equal(w) ? rc : DIANACTL_REFUSED;
}

static int check_usage(struct dianactl *ctl, struct why *w)
{
	const struct why_values *v = w->values;
	int rc;

	w->until = INT64_MAX;
	rc = dianactl_session_date(ctl, v->since, false, &w->since);
	if (rc == DIANACTL_OK)
		rc = dianactl_session_date(ctl, v->until, true, &w->until);
	if (rc == DIANACTL_OK && v->all && v->limit != 0)
		return dianactl_session_usage(ctl, "why takes one of --limit and --all");
	if (rc == DIANACTL_OK && v->proof != NULL && access(v->proof, F_OK) == 0)
		return dianactl_session_usage(ctl, "--proof: %s is there already; name a directory that is to be made",
					      v->proof);
	return rc;
}

static int why_run(struct dianactl *ctl, const void *values)
{
	struct why w = { .values = values };
	int rc = check_usage(ctl, &w);

	if (rc == DIANACTL_OK)
		rc = audited_open(ctl, w.values->data, &w.ledger);
	if (rc != DIANACTL_OK)
		return rc;
	rc = explain(&w);
	for (size_t i = 0; i < w.n_moves; i++)
		free_move(&w.moves[i]);
	free(w.moves);
	dianactl_account_clear(&w.account);
	audited_close(&w.ledger);
	return rc;
}

const struct dianactl_command dianactl_why_command = {
	.name = "why",
	.words = "USER",
	.help = "Explain a balance: every contribution, its command, and what brought it about",
	.more = "USER is an id or a @username. All contributions are added up, whichever are shown: exit\n"
		"code 1 says that their sum is not the balance. DATE is YYYY-MM-DD, or 'YYYY-MM-DD HH:MM:SS'\n"
		"for a moment, in local time or with --utc in UTC.\n"
		"\n"
		"With --data the log is read here, beside a running daemon or without one; the sum is then\n"
		"compared with what each event says that the balance was. 'dianactl audit verify' verifies\n"
		"receipts (--proof), without any ledger.",
	.options = why_options,
	.n_options = DIANACTL_COUNT(why_options),
	.values_size = sizeof(struct why_values),
	.min_words = 1,
	.max_words = 1,
	.timeout_s = 30,
	.run = why_run,
};
