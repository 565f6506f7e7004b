#ifndef CORE_RULES_H
#define CORE_RULES_H

#include "core/decide.h"
#include "core/settings.h"

/* Rules that several aggregates' decisions and queries share. */

#define DAY_MS INT64_C(86400000)
#define MINUTE_MS INT64_C(60000)

static inline int64_t utc_day(int64_t at)
{
	return at / DAY_MS;
}

/* Counters that can be corrected by hand stop here. */
#define COUNTER_MAX INT64_C(1000000000)

static inline int64_t counter_up(int64_t n)
{
	return n < COUNTER_MAX ? n + 1 : n;
}

/* Check-ins and missions count days in the bot's time zone (time.utc_offset_minutes), all else in UTC. */
int64_t local_day(struct state *s, int64_t at);
/* The time at which such a day begins. */
int64_t local_day_starts_at(struct state *s, int64_t day);

/* E_COOLDOWN, with the time at which it may be tried again. */
int too_early(struct decision *d, int64_t retry_at);

/* ---- users ---- */

/* False: unknown or deleted. */
bool find_user(struct state *s, int64_t id, struct user *ret);
bool find_balance(struct state *s, int64_t id, struct balance *ret);
/* E_NOT_FOUND (kind user). */
int need_user(struct decision *d, int64_t id, struct user *ret);
/* Creates the user, in this commit, unless there is one. */
void ensure_user(struct decision *d, int64_t id);

bool vip_active(const struct user *u, int64_t now);
/* "admin", "vip" or "free" by the clock. */
struct slice role_of(const struct user *u, int64_t now);
/* free < vip < admin */
int role_rank(struct slice role);
/* Whether the user's role is one that the gate lets in. */
bool gate_open(struct state *s, enum setting gate, const struct user *u, int64_t now);
/* E_FORBIDDEN when it is not. */
int access_gate(struct decision *d, enum setting gate, const struct user *u);

/* ---- points ---- */

struct credit {
	int64_t user_id;
	int64_t base; /* 0: nothing happens */
	struct slice source;
	struct slice description; /* absent: empty */
	bool multiplied;          /* by the multipliers in force */
	int64_t counterparty_id;  /* 0: none */
	struct slice ref;         /* absent: none */
};
/* E_LIMIT_EXCEEDED at a ceiling. The user exists, else nothing happens. */
int credit(struct decision *d, const struct credit *c);
/* The same for reactions: a ceiling makes the decision fail. */
void credit_by_rule(struct decision *d, const struct credit *c);
/* E_INSUFFICIENT_POINTS when the user has less than that available. */
int need_points(const struct balance *b, int64_t amount, struct err *err);
/* The same, else debits. amount > 0. */
int debit(struct decision *d, const struct balance *b, int64_t amount, struct slice source, struct slice description,
	  int64_t counterparty_id, struct slice ref);
/* {kind, id}, in the arena. */
struct slice make_ref(struct arena *arena, const char *kind, int64_t id);
struct slice make_ref_text(struct arena *arena, const char *kind, struct slice id);
/* Whether a ref (which may be absent) is of this kind, and its id a text / a number. */
bool ref_is(struct slice ref, const char *kind, struct slice *ret_id);
bool ref_is_int(struct slice ref, const char *kind, int64_t *ret_id);
/* Whether its id is a number, and of which kind it is. */
bool ref_number(struct slice ref, struct slice *ret_kind, int64_t *ret_id);

/* False: unknown or deleted. Those that exist, by number and points: core/levels.h. */
bool find_level(struct state *s, int64_t id, struct level *ret);

/* A credit, debit or capture as a row; false: another event. Lends from ev. */
bool transaction_of(const struct event *ev, struct transaction *ret);

/* Sum credited to a user by the command so far, and what else it brought. Lists in the arena. */
struct gains gains_of(struct decision *d, int64_t user_id);

/* ---- missions ---- */

/* False: unknown or deleted. */
bool find_mission(struct state *s, struct slice id, struct mission *ret);
/* Active and not expired. */
bool mission_open(const struct mission *m, int64_t now);

/* What a mission can require besides its counter and actions: that is completed, unlocked, completed. */
enum mission_part { PART_FRAGMENT, PART_LORE, PART_MISSION, N_MISSION_PARTS };
extern const char *const mission_part_names[N_MISSION_PARTS]; /* kinds of refs, and in table mission_by_part */
struct ids {
	const struct slice *v;
	size_t n;
};
struct ids mission_requires(const struct mission *m, enum mission_part part);
/* Whether some mission requires it; such a thing cannot be deleted. */
bool required_by_mission(struct state *s, enum mission_part part, struct slice id);

/* The day or week in which missions of this type count now, 0 for the other types; it never goes back. */
int64_t mission_period(struct state *s, struct slice type, int64_t now);
/* The progress of a user as it reads now; false: never started, *ret is empty then. Not the derived fields. */
bool read_progress(struct state *s, const struct mission *m, int64_t user_id, int64_t now, struct progress *ret);
/* Fills in the derived fields of what was read. True: every part is done. */
bool derive_progress(struct state *s, const struct mission *m, int64_t now, struct progress *p);
/*
 * Whether progress lets a mission start: it is not completed, or ready to repeat. *ret_retry_at: when time will make
 * it ready; 0: never, or it is.
 */
bool mission_ready(struct state *s, const struct mission *m, const struct progress *p, int64_t now,
		   int64_t *ret_retry_at);

/*
 * By rule: advances the open missions of a user that count this action, by 1 or (set_to not negative) to set_to.
 * Missions that cannot advance are skipped.
 */
void missions_advance(struct decision *d, int64_t user_id, struct slice action, int64_t set_to);
/* By rule: a user got what missions may require. */
void missions_advance_part(struct decision *d, int64_t user_id, enum mission_part part, struct slice id);

/* Creates a mission, whose id may be absent. *ret_id: that of the mission. */
int create_mission(struct decision *d, const struct mission *m, struct slice *ret_id);

/* ---- the story ---- */

/* False: unknown or deleted. */
bool find_fragment(struct state *s, struct slice id, struct fragment *ret);
bool find_lore(struct state *s, struct slice id, struct lore *ret);
bool find_story(struct state *s, int64_t user_id, struct story *ret);
/* E_NOT_FOUND (kind lore). An absent id is none to be found. */
int need_lore(struct decision *d, struct slice id);
bool has_lore(struct state *s, int64_t user_id, struct slice lore_id);
bool has_completed(struct state *s, int64_t user_id, struct slice fragment_id);

/* As they are shown. Lend from the first and from the state, its arena included. */
void fragment_show(struct state *s, const struct fragment *f, struct fragment_item *ret);
void lore_show(struct state *s, const struct lore *l, struct lore_item *ret);
void story_show(struct state *s, const struct story *st, struct story_item *ret);
/* 100 * completed active fragments / active fragments */
double story_progress(struct state *s, const struct story *st);

/* What keeps a user out of a fragment. */
struct missing {
	const struct slice *lore;
	size_t n_lore;
	int64_t points;    /* 0: enough */
	struct slice role; /* absent: high enough */
};
/* The access rule but for is_active; balance: of the user, after what is about to be paid. True: nothing is missing. */
bool fragment_access(struct state *s, int64_t now, int64_t user_id, int64_t balance, const struct fragment *f,
		     struct missing *ret);
/* {lore, points, role}; of the lore as many as fit into this many bytes. */
void missing_put(struct buf *b, const struct missing *m, size_t lore_bytes);

/* A set of lore: its ids out of a packed KEYS / what it is found by, of ids in byte order. In the arena. */
size_t lore_set_ids(struct slice packed, struct slice ret[KEYS_MAX]);
struct slice lore_set_key(const struct slice *ids, size_t n, struct arena *arena);

/* Definitions are visited by ascending id: a copy in byte order, in the arena. */
const struct slice *ids_in_order(struct decision *d, const struct slice *ids, size_t n);

/* By rule: what cannot apply is skipped. Start the story. */
void unlock_lore(struct decision *d, int64_t user_id, struct slice lore_id, const char *source);
void grant_fragment(struct decision *d, int64_t user_id, struct slice fragment_id, struct slice mission_id);

/* ---- games ---- */

/* False: unknown or deleted. A question goes with its trivia. */
bool find_trivia(struct state *s, uint64_t id, struct trivia *ret);
bool find_question(struct state *s, uint64_t id, struct question *ret);
bool find_challenge(struct state *s, uint64_t id, struct challenge *ret);
/* With its percentage. */
bool find_challenge_progress(struct state *s, int64_t user_id, uint64_t challenge_id, struct challenge_progress *ret);
/* By the clock, whether or not a timer has said so yet. */
struct slice challenge_status(const struct challenge *c, int64_t now);
struct slice promotion_status(const struct promotion *p, int64_t now);
struct question_asked question_asked(const struct question *q);
/* With its answers, in the arena. */
void attempt_show(struct state *s, const struct trivia_attempt *a, struct attempt_item *ret);
/* Time between free plays of a game type, 0: always free; of others than the known ones, if they cost something. */
int64_t play_cooldown(struct state *s, struct slice game_type);
/* Whether the next play is not free, and when it is. */
bool play_must_wait(struct state *s, int64_t user_id, struct slice game_type, int64_t cooldown, int64_t now,
		    int64_t *ret_free_at);
/* Scores of other games than ours are any int, so a sum of them stops at the borders of int64. */
void play_sums_add(struct play_sums *sums, const struct play_sums *more);
/* Factor on awards of the promotional events in force. */
int64_t event_multiplier(struct state *s, int64_t now);
/* The same, found by walking them, and until when it holds if none is changed. */
int64_t promotions_product(struct state *s, int64_t now, int64_t *ret_until);
/* By rule: advances the user in open challenges of this goal. */
void challenges_advance(struct decision *d, int64_t user_id, const char *goal_type);
/* A user leaves: open attempts end, neither passed nor rewarded. */
void finish_attempts_of(struct decision *d, int64_t user_id);

/* ---- configuration ---- */

enum { CONFIG_FORMAT = 1 }; /* of config.export */
/* An entry as it is shown; false: an unknown key without a value. Lends from the state and its arena. */
bool config_show(struct state *s, struct slice key, struct config_item *ret);
/* flag.<name>: bool, false unless set. */
bool config_is_flag(struct slice key);

/* False: unknown or archived. */
bool find_token(struct state *s, struct slice text, struct token *ret);
/* E_INVALID_ARGUMENT unless either id or token says which; E_NOT_FOUND. */
int need_token(struct state *s, const struct token_ref *ref, struct token *ret, struct err *err);
/* By the clock. */
struct slice token_status(const struct token *t, int64_t now);

/* ---- what is archived ---- */

/* Things that are over, where a table keyed by (status, time, id) has them under two statuses. */
struct closed {
	enum table_id table;
	const char *statuses[2];
};
extern const struct closed requests_closed, tokens_closed, auctions_closed;
/* Those with a time before this, the earliest first, at most max. ret_ids may be NULL. Returns how many. */
size_t closed_before(struct state *s, const struct closed *c, int64_t before_at, size_t max, uint64_t *ret_ids);
/* The earliest; false: there is none. */
bool closed_first(struct state *s, const struct closed *c, int64_t *ret_at, uint64_t *ret_id);

/* ---- channels ---- */

enum { REACTIONS_MAX = 10 };
/* False: unknown or deleted. */
bool find_channel(struct state *s, int64_t id, struct channel *ret);
/* With what follows from the settings. Lends from c and the state's arena. */
void channel_show(struct state *s, const struct channel *c, struct channel_item *ret);
/* Emojis that earn something there, with their points. Returns how many. */
size_t effective_reactions(struct state *s, const struct channel *c, struct effective_reaction ret[SETTING_TEXTS_MAX]);
/* Place of an emoji (without U+FE0F) among the channel's own reactions; -1: it is none of them. */
int64_t reaction_position(const struct channel *c, struct slice emoji);
/* reaction_points of the channel's reactions, in their order, with `points` for `emoji` (absent: as they are). */
struct slice reaction_points(const struct channel *c, struct slice emoji, int64_t points, struct arena *arena);
/* "-100:5" */
struct slice post_id(struct arena *arena, int64_t channel_id, int64_t message_id);
/* When the timer will approve it, by the settings as they are; false: never. */
bool join_request_due(struct state *s, const struct join_request *r, int64_t *ret_at);
void join_request_show(struct state *s, const struct join_request *r, struct join_request_item *ret);
/* The user's pending ones. */
void reject_requests_of(struct decision *d, int64_t user_id, const char *reason);

/* ---- auctions ---- */

/* False: unknown, deleted or archived. */
bool find_auction(struct state *s, uint64_t id, struct auction *ret);
/* Active, its end not reached: whatever the timer has not done yet, the clock has. */
bool auction_running(const struct auction *a, int64_t now);
/* Neither pending nor active. */
bool auction_closed(const struct auction *a);
/* Active, and the user's bid leads. */
bool auction_led_by(const struct auction *a, int64_t user_id);
void auction_show(const struct auction *a, int64_t now, struct auction_item *ret);
/* a: the auction of the bid. */
void bid_show(const struct bid *b, const struct auction *a, struct bid_item *ret);
bool bid_standing(const struct bid *b);
/* False: never took part, or left. */
bool find_participant(struct state *s, uint64_t auction_id, int64_t user_id, struct participant *ret);
/* What refuses a bid, but for the access gate: 0 or an error. *ret_joined: the user takes part already. */
int bid_test(struct state *s, int64_t now, const struct auction *a, int64_t user_id, int64_t amount, bool *ret_joined,
	     struct err *err);
/* Whether the user created auctions that are active. */
bool has_active_auctions(struct state *s, int64_t user_id);

/* ---- VIP ---- */

enum { VIP_OPEN_MAX = 100 };
struct vip_queue {
	struct vip_grant v[VIP_OPEN_MAX + 1]; /* in order; running first */
	size_t n;
	bool permanent;
	int64_t ends_at; /* of the last; now when there is none */
};
/* Grants of a user that nothing has closed yet, in order. Returns how many. */
size_t vip_open_ids(struct state *s, int64_t user_id, uint64_t ret[VIP_OPEN_MAX + 1]);
/* Grants of a user that are running or queued at `now`. */
void vip_queue(struct state *s, int64_t user_id, int64_t now, struct vip_queue *ret);

struct vip_new {
	int64_t user_id;
	int64_t days; /* 0: not given */
	bool permanent;
	int64_t ends_at; /* unless days or permanent say it */
	struct slice source;
	struct slice source_id; /* absent: none */
	bool is_free;
};
/* Appends a grant to the queue. *ret_id 0: nothing appended (VIP for good, or not later than now). */
int vip_append(struct decision *d, const struct vip_new *g, uint64_t *ret_id);

/* Revokes one grant, unless it is over; the later ones move up. */
void vip_revoke_grant(struct decision *d, int64_t user_id, uint64_t grant_id);

/* ---- achievements and badges ---- */

/* False: unknown or deleted. With its holders. */
bool find_achievement(struct state *s, struct slice id, struct achievement *ret);
bool find_badge(struct state *s, uint64_t id, struct badge *ret);

/* By rule: nothing happens when it is unknown, inactive or held already, or the user is gone. */
void unlock_achievement(struct decision *d, int64_t user_id, struct slice id, const char *source);
void award_badge(struct decision *d, int64_t user_id, uint64_t badge_id, const char *source);
/* R2: a counter other than points was raised to value. The user gets all that it reaches and is not held. */
void counter_rose(struct decision *d, int64_t user_id, const char *condition_type, int64_t value);

/* What achievements and badges have in common. */
struct definition {
	uint64_t badge_id;           /* 0: an achievement */
	struct slice achievement_id; /* empty: a badge */
	struct slice condition_type; /* absent: only by hand */
	int64_t condition_value;
	bool is_active;
};
struct definition achievement_definition(const struct achievement *a);
struct definition badge_definition(const struct badge *b);

/*
 * What a condition of this type compares, in thousandths, since a balance has a fraction (all else is whole); 0 for an
 * unknown user.
 */
int64_t counter_value(struct state *s, int64_t user_id, struct slice condition_type);
/* Counters are compared with thresholds in thousandths, which every int of the wire has room for. */
static inline int64_t threshold_thousandths(int64_t value)
{
	return value * POINTS_SCALE;
}

/* What a user holds; nothing for an unknown one. */
void find_holder(struct state *s, int64_t user_id, struct holder *ret);
/* NULL: not held. */
const struct holding *find_holding(const struct holder *h, uint64_t badge_id, struct slice achievement_id);
/* Where a definition stands among what is held, or would stand. */
size_t holding_place(const struct holder *h, uint64_t badge_id, struct slice achievement_id);
/* Achievements stand before badges. */
size_t count_achievements(const struct holder *h);
bool find_award(struct state *s, const struct holder *h, uint64_t badge_id, struct slice achievement_id,
		struct award *ret);
/* Fills in the end of the VIP that came with it. */
void award_show(struct state *s, struct award *a);

#endif
