#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client_format.h"
#include "daemon/client_json.h"
#include "daemon/clock.h"
#include "daemon/dianactl_call.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_progress.h"
#include "daemon/dianactl_session.h"
#include "daemon/dianactl_stop.h"
#include "daemon/options.h"
#include "daemon/replay.h"
#include "projections/query.h"

enum { PARAMS_MAX = 64 << 20 };

struct replay_values {
	const char *data, *cache, *at;
	uint64_t to_seq;
};

static const struct dianactl_option replay_options[] = {
	{ "to-seq", 0, DIANACTL_NUMBER, offsetof(struct replay_values, to_seq), "N", "as it was after event N" },
	{ "at", 0, DIANACTL_TEXT, offsetof(struct replay_values, at), "TIME", "as it was at this time" },
	{ "data", 0, DIANACTL_TEXT, offsetof(struct replay_values, data), "DIR",
	  "the data directory, or a backup (that of the daemon)" },
	{ "cache", 0, DIANACTL_TEXT, offsetof(struct replay_values, cache), "DIR",
	  "where the views are kept for the next question" },
};

/* Of one run. */
struct replaying {
	struct dianactl *ctl;
	struct dianactl_progress progress;
	uint64_t from, folded; /* events before this run, and now */
	struct replay *replay;
	struct replay_moment moment;
	char cache[PATH_MAX];
	enum method_id method; /* N_METHODS: nothing is asked */
	struct buf params;     /* packed */
};

/* ---- progress, on stderr ---- */

static bool on_progress(void *arg, uint64_t seq, uint64_t to)
{
	struct replaying *r = arg;

	r->folded = seq;
	dianactl_progress_show(&r->progress, seq, to);
	return !dianactl_stop_wait(r->ctl, 0);
}

static void on_begin(void *arg, enum replay_cache found, uint64_t from, uint64_t to)
{
	static const char *const why[] = {
		[REPLAY_EMPTY] = "",
		[REPLAY_THERE] = "",
		[REPLAY_EARLIER] = ", on top of what was folded for an earlier moment",
		[REPLAY_LATER] = " anew: the cache stood for a later moment",
		[REPLAY_OF_OTHER] = " anew: what the cache held is of another log or version, or was cut off",
	};
	struct replaying *r = arg;

	r->from = r->folded = from - 1;
	dianactl_progress_begin(&r->progress, "events", r->from);
	if (from <= to)
		fprintf(stderr, "folding events %" PRIu64 " to %" PRIu64 "%s\n", from, to, why[found]);
}

static int fold(struct replaying *r)
{
	struct replay_watch watch = { on_begin, on_progress, r };
	struct err err;
	int rc = replay_fold(r->replay, r->cache, &r->moment, &watch, &err);

	dianactl_progress_end(&r->progress);
	if (rc != 0 && dianactl_stop_wait(r->ctl, 0))
		dianactl_session_warn("stopped after event %" PRIu64 "; the next run goes on from there", r->folded);
	else if (rc != 0)
		return dianactl_session_err(&err);
	return rc == 0 ? DIANACTL_OK : DIANACTL_NO_ANSWER;
}

/* ---- which moment ---- */

static int moment_of_time(struct replaying *r, const char *text, struct err *err)
{
	int64_t at, now = clock_ms();
	bool day;

	/* looked at before the log was opened */
	client_parse_moment(text, r->ctl->utc, &at, &day);
	/* of a day that is not over there is what there is */
	if (day && at > now && at - now < INT64_C(86400000))
		at = now;
	if (at > now)
		return err_set(err, E_INVALID_ARGUMENT, "%s has not come yet", text);
	return replay_at_time(r->replay, at, &r->moment, err);
}

static int find_moment(struct replaying *r, const struct replay_values *v)
{
	struct err err;
	int rc = v->at != NULL ? moment_of_time(r, v->at, &err) : replay_at_seq(r->replay, v->to_seq, &r->moment, &err);

	if (rc != 0)
		return dianactl_session_err(&err);
	if (v->at == NULL && r->moment.seq != v->to_seq)
		dianactl_session_warn("event %" PRIu64 " is of a commit that ends with %" PRIu64 ": as of its end",
				      v->to_seq, r->moment.seq);
	return DIANACTL_OK;
}

/* ---- answers ---- */

static int ask(struct replaying *r)
{
	struct buf out;
	struct err err;
	int rc;

	buf_init(&out, ANSWER_MAX);
	if (replay_query(r->replay, r->method, buf_slice(&r->params), &out, &err) != 0)
		rc = dianactl_session_err(&err);
	else
		rc = dianactl_session_print_packed(&out);
	buf_free(&out);
	return rc;
}

static int show_moment(const struct replaying *r)
{
	char at[CLIENT_FORMAT_MAX];
	struct buf b;
	struct map_writer w;
	int rc;

	if (!r->ctl->json) {
		printf("The ledger as of event %" PRIu64 ", %s, is in %s\n", r->moment.seq,
		       client_format_time(at, r->moment.now, r->ctl->utc), r->cache);
		return DIANACTL_OK;
	}
	buf_init(&b, ANSWER_MAX);
	map_open(&w, &b);
	map_uint(&w, "seq", r->moment.seq);
	map_int(&w, "now", r->moment.now);
	map_uint(&w, "folded", r->folded - r->from);
	map_str(&w, "cache", r->cache);
	map_close(&w);
	rc = dianactl_session_print_packed(&b);
	buf_free(&b);
	return rc;
}

/* ---- the command ---- */

static int name_cache(struct replaying *r, const char *given)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	bool has_base = base != NULL && base[0] != '\0';
	char name[REPLAY_NAME];
	int n;

	replay_name(r->replay, name);
	if (given == NULL && !has_base && home == NULL)
		return dianactl_session_usage(r->ctl, "neither XDG_CACHE_HOME nor HOME is set: say where with --cache");
	if (given != NULL)
		n = snprintf(r->cache, sizeof(r->cache), "%s", given);
	else
		n = snprintf(r->cache, sizeof(r->cache), "%s%s/diana/replay/%s", has_base ? base : home,
			     has_base ? "" : "/.cache", name);
	if (n <= 0 || (size_t)n >= sizeof(r->cache))
		return dianactl_session_usage(r->ctl, "the cache needs a path of 1 to %d bytes", PATH_MAX - 1);
	return DIANACTL_OK;
}

static int run_opened(struct replaying *r, const struct replay_values *v)
{
	int rc = name_cache(r, v->cache);

	if (rc == DIANACTL_OK)
		rc = find_moment(r, v);
	if (rc == DIANACTL_OK)
		rc = fold(r);
	if (rc != DIANACTL_OK)
		return rc;
	return r->method != N_METHODS ? ask(r) : show_moment(r);
}

static int find_method(struct replaying *r, const struct client_params *params)
{
	struct err err;

	mp_put_map(&r->params, params->n);
	buf_append(&r->params, params->body.data, params->body.size);
	if (params->failed || r->params.failed)
		return dianactl_session_no_memory();
	if (replay_find(slice_str(r->ctl->words[1]), buf_slice(&r->params), &r->method, &err) != 0)
		return dianactl_session_err(&err);
	return DIANACTL_OK;
}

/* What can be refused is refused before anything is folded. */
static int open_and_run(struct replaying *r, const struct replay_values *v, const struct client_params *params)
{
	char data[PATH_MAX];
	struct err err;
	int rc = dianactl_stop_install(r->ctl);

	if (rc == DIANACTL_OK && r->ctl->n_words > 1)
		rc = find_method(r, params);
	if (rc != DIANACTL_OK)
		return rc;
	options_default_data(data, sizeof(data));
	if (replay_open(v->data != NULL ? v->data : data, &r->replay, &err) != 0)
		return dianactl_session_err(&err);
	rc = run_opened(r, v);
	replay_close(r->replay);
	return rc;
}

static int check_usage(const struct dianactl *ctl, const struct replay_values *v)
{
	int64_t at;
	bool day;

	if ((v->at == NULL) == (v->to_seq == 0))
		return dianactl_session_usage(ctl, "replay needs one of --to-seq and --at");
	if (v->at != NULL && !client_parse_moment(v->at, ctl->utc, &at, &day))
		return dianactl_session_no_moment(ctl, v->at);
	if (ctl->n_words > 0 && strcmp(ctl->words[0], "call") != 0)
		return dianactl_session_usage(ctl, "replay: unknown '%s'; it is call", ctl->words[0]);
	if (ctl->n_words == 1)
		return dianactl_session_usage(ctl, "replay call needs a METHOD");
	return DIANACTL_OK;
}

static int replay_run(struct dianactl *ctl, const void *values)
{
	const struct replay_values *v = values;
	struct replaying r = { .ctl = ctl, .method = N_METHODS };
	struct client_params params;
	struct client_error err;
	int rc = check_usage(ctl, v);

	if (rc != DIANACTL_OK)
		return rc;
	buf_init(&r.params, PARAMS_MAX);
	client_params_init(&params);
	if (ctl->n_words > 2 && dianactl_call_params(ctl->words + 2, ctl->n_words - 2, &params, &err) != 0)
		rc = dianactl_session_failed(&err);
	else
		rc = open_and_run(&r, v, &params);
	buf_free(&r.params);
	client_params_free(&params);
	return rc;
}

const struct dianactl_command dianactl_replay_command = {
	.name = "replay",
	.words = "--to-seq N | --at TIME [call METHOD [JSON | - | KEY=VALUE...]]",
	.help = "Ask the ledger as it was at some moment",
	.more = "Reads the log of a data directory, also beside its daemon, or of a backup, and folds it up to that\n"
		"moment into views of its own, which then answer any query:\n"
		"  dianactl replay --at 2026-01-31 call point.leaderboard\n"
		"  dianactl replay --to-seq 1000000 --data /backup/diana call user.get id=42\n"
		"TIME is a date, which means the end of that day; 'YYYY-MM-DD HH:MM:SS'; RFC 3339; or Unix\n"
		"milliseconds. Without a zone it is local time, or UTC with --utc. Queries see that time as now;\n"
		"with --to-seq, that of the event. Of a commit there is all or nothing: N means the end of its own.\n"
		"The views are kept, and a later moment goes on from them; for an earlier one they are made anew.\n"
		"They are in $XDG_CACHE_HOME/diana/replay (else ~/.cache/diana/replay), and may be removed.",
	.options = replay_options,
	.n_options = DIANACTL_COUNT(replay_options),
	.values_size = sizeof(struct replay_values),
	.max_words = SIZE_MAX,
	.run = replay_run,
};
