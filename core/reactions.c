#include "core/reactions.h"

#include "core/levels.h"
#include "core/rules.h"

/*
 * The table at the end says what runs after what. A reaction lives with the aggregate whose events it emits
 * (core/decide_<aggregate>.c); those that pay and raise levels are here.
 */

/* Each level passed unlocks its lore. */
static void levels_unlock(struct decision *d, int64_t user_id, int64_t from, int64_t to)
{
	struct level l;

	for (int64_t id = from + 1; id <= to; id++)
		if (find_level(d->state, id, &l) && l.unlocks_lore_id.base != NULL)
			unlock_lore(d, user_id, l.unlocks_lore_id, "level");
}

/* R1: after a credit the level is the highest whose points the balance reaches; it never falls. */
static void level_rises(struct decision *d, const struct event *ev)
{
	const struct point_credited *p = ev->data;
	const struct level_step *reached;
	struct balance b;
	struct level l;

	if (!find_balance(d->state, p->user_id, &b))
		return;
	reached = level_for(levels_of(d->state), b.balance);
	if (reached == NULL || reached->id <= b.level || !find_level(d->state, reached->id, &l))
		return;
	EMIT(d, user_level_changed, .user_id = p->user_id, .from = b.level, .to = l.id, .balance = b.balance,
	     .level_name = l.name, .reward = l.reward);
	levels_unlock(d, p->user_id, b.level, l.id);
}

/* R5: activity is paid. */
static void activity_pays(struct decision *d, const struct event *ev)
{
	static const struct {
		const char *action;
		const char *source;
		enum setting base;
	} tariff[] = {
		{ "message", "message", SETTING_points_message }, { "poll", "poll", SETTING_points_poll },
		{ "post", "post", SETTING_points_post },          { "comment", "comment", SETTING_points_comment },
		{ "other", "activity", SETTING_points_activity },
	};
	const struct user_activity_recorded *p = ev->data;

	for (size_t i = 0; i < sizeof(tariff) / sizeof(tariff[0]); i++)
		if (slice_is(p->action, tariff[i].action))
			credit_by_rule(d, &(struct credit){ .user_id = p->user_id,
							    .base = setting_int(d->state, tariff[i].base),
							    .source = slice_str(tariff[i].source),
							    .multiplied = true,
							    .ref = p->has_channel_id ? make_ref(d->arena, "channel",
												p->channel_id)
										     : SLICE_NULL });
}

static void reaction_pays(struct decision *d, const struct event *ev)
{
	const struct channel_reacted *p = ev->data;

	credit_by_rule(d, &(struct credit){ .user_id = p->user_id,
					    .base = p->points,
					    .source = SLICE_LIT("reaction"),
					    .multiplied = true,
					    .ref = make_ref_text(d->arena, "post",
								 post_id(d->arena, p->channel_id, p->message_id)) });
}

static void checkin_pays(struct decision *d, const struct event *ev)
{
	const struct user_checked_in *p = ev->data;

	credit_by_rule(d, &(struct credit){ .user_id = p->user_id,
					    .base = setting_int(d->state, SETTING_points_checkin),
					    .source = SLICE_LIT("checkin"),
					    .multiplied = true });
	if (p->streak % 7 == 0)
		credit_by_rule(d, &(struct credit){ .user_id = p->user_id,
						    .base = setting_int(d->state, SETTING_points_checkin_weekly),
						    .source = SLICE_LIT("checkin_weekly"),
						    .multiplied = true });
}

static void gift_pays(struct decision *d, const struct event *ev)
{
	const struct user_gift_claimed *p = ev->data;

	credit_by_rule(d, &(struct credit){ .user_id = p->user_id,
					    .base = p->points,
					    .source = SLICE_LIT("daily_gift"),
					    .multiplied = true });
}

/* R9 */
static void challenge_pays(struct decision *d, const struct event *ev)
{
	const struct game_challenge_completed *p = ev->data;

	credit_by_rule(d, &(struct credit){ .user_id = p->user_id,
					    .base = p->reward_points,
					    .source = SLICE_LIT("challenge"),
					    .multiplied = true,
					    .ref = make_ref(d->arena, "challenge", (int64_t)p->challenge_id) });
}

/* R10 */
static void attempt_rewards(struct decision *d, const struct event *ev)
{
	const struct game_attempt_finished *p = ev->data;
	struct trivia t;

	if (!p->rewarded || !find_trivia(d->state, p->trivia_id, &t))
		return;
	credit_by_rule(d, &(struct credit){ .user_id = p->user_id,
					    .base = t.reward_points,
					    .source = SLICE_LIT("trivia"),
					    .multiplied = true,
					    .ref = make_ref(d->arena, "trivia", (int64_t)t.id) });
	if (t.unlocks_lore_id.base != NULL)
		unlock_lore(d, p->user_id, t.unlocks_lore_id, "trivia");
}

/* R15 */
static void approval_admits(struct decision *d, const struct event *ev)
{
	const struct channel_request_approved *p = ev->data;

	ensure_user(d, p->user_id);
}

/*
 * By rule number. R16 needs no row: the events of VIP carry the role that follows. Rules that move points say why they
 * do, for people who ask what became of theirs; no event has two of these.
 */
static const struct {
	enum event_type after;
	void (*then)(struct decision *, const struct event *);
	const char *moves_points;
} reactions[] = {
	{ EV_point_credited, level_rises, NULL },                                         /* R1 */
	{ EV_point_credited, balance_rose, NULL },                                        /* R2 */
	{ EV_user_level_changed, level_rose, NULL },                                      /* R2 */
	{ EV_user_activity_recorded, messages_rose, NULL },                               /* R2 */
	{ EV_user_activity_recorded, days_active_rose, NULL },                            /* R2 */
	{ EV_channel_reacted, days_active_rose, NULL },                                   /* R2 */
	{ EV_user_checked_in, streak_rose, NULL },                                        /* R2 */
	{ EV_user_checked_in, days_active_rose, NULL },                                   /* R2 */
	{ EV_user_gift_claimed, days_active_rose, NULL },                                 /* R2 */
	{ EV_narrative_choice_made, days_active_rose, NULL },                             /* R2 */
	{ EV_auction_bid_placed, days_active_rose, NULL },                                /* R2 */
	{ EV_game_played, days_active_rose, NULL },                                       /* R2 */
	{ EV_user_vip_granted, vip_grants_rose, NULL },                                   /* R2 */
	{ EV_user_stats_adjusted, stats_rose, NULL },                                     /* R2 */
	{ EV_mission_completed, missions_rose, NULL },                                    /* R2 */
	{ EV_config_token_used, invites_rose, NULL },                                     /* R2 */
	{ EV_achievement_badge_awarded, badge_grants_vip, NULL },                         /* R3 */
	{ EV_achievement_badge_revoked, badge_takes_vip, NULL },                          /* R4 */
	{ EV_user_activity_recorded, activity_pays, "activity is paid" },                 /* R5 */
	{ EV_channel_reacted, reaction_pays, "a reaction is paid" },                      /* R5 */
	{ EV_user_checked_in, checkin_pays, "a check-in is paid" },                       /* R5 */
	{ EV_user_gift_claimed, gift_pays, "the gift of the day is paid" },               /* R5 */
	{ EV_user_activity_recorded, activity_advances_missions, NULL },                  /* R5 */
	{ EV_channel_reacted, reaction_advances_missions, NULL },                         /* R5 */
	{ EV_user_checked_in, checkin_advances_missions, NULL },                          /* R5 */
	{ EV_user_activity_recorded, challenges_count_message, NULL },                    /* R5 */
	{ EV_channel_reacted, challenges_count_reaction, NULL },                          /* R5 */
	{ EV_user_checked_in, challenges_count_checkin, NULL },                           /* R5 */
	{ EV_narrative_fragment_completed, fragment_advances, NULL },                     /* R6 */
	{ EV_narrative_lore_unlocked, lore_advances, NULL },                              /* R6 */
	{ EV_mission_completed, completion_advances_missions, NULL },                     /* R6 */
	{ EV_mission_completed, completion_pays, "a completed mission pays its reward" }, /* R7 */
	{ EV_narrative_fragment_visited, visit_rewards,
	  "a fragment pays its reward once, on the first visit" }, /* R8 */
	{ EV_narrative_fragment_completed, completion_rewards,
	  "a fragment pays its reward once, when completed" },                                             /* R8 */
	{ EV_game_challenge_completed, challenge_pays, "a completed challenge pays its reward" },          /* R9 */
	{ EV_game_attempt_finished, attempt_rewards, "the first passed attempt at a trivia is rewarded" }, /* R10 */
	{ EV_config_token_used, token_gives, NULL },                                                       /* R11 */
	{ EV_auction_bid_placed, bid_moves_hold,
	  "the points of the leading bid are held, those of the bid before are free again" },       /* R12 */
	{ EV_auction_ended, auction_end_captures, "the winner pays with what was held" },           /* R13 */
	{ EV_auction_cancelled, cancellation_releases, "a cancelled auction frees what was held" }, /* R14 */
	{ EV_auction_bid_retracted, retraction_moves_hold,
	  "a retracted bid frees its points, and the bid that leads again is held" }, /* R14 */
	{ EV_channel_request_approved, approval_admits, NULL },                       /* R15 */
};

void react(struct decision *d, const struct event *ev)
{
	for (size_t i = 0; i < sizeof(reactions) / sizeof(reactions[0]) && !d->failed; i++)
		if (reactions[i].after == ev->type)
			reactions[i].then(d, ev);
}

const char *reaction_moves_points(enum event_type after)
{
	for (size_t i = 0; i < sizeof(reactions) / sizeof(reactions[0]); i++)
		if (reactions[i].after == after && reactions[i].moves_points != NULL)
			return reactions[i].moves_points;
	return NULL;
}
