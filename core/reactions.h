#ifndef CORE_REACTIONS_H
#define CORE_REACTIONS_H

#include "core/decide.h"

/*
 * The reaction table: what an event brings about in other aggregates, in the same commit. Rules run by
 * number. A reaction that cannot apply is skipped, never an error; only a ceiling makes the decision fail.
 */
void react(struct decision *d, const struct event *ev);
/* Why points move after an event of this type, in the words of the rule; NULL: no rule moves any. */
const char *reaction_moves_points(enum event_type after);

/* Reactions of the aggregates, by the file they are in. */

/* core/decide_mission.c */
void activity_advances_missions(struct decision *d, const struct event *ev);
void reaction_advances_missions(struct decision *d, const struct event *ev);
void checkin_advances_missions(struct decision *d, const struct event *ev);
void fragment_advances(struct decision *d, const struct event *ev);
void lore_advances(struct decision *d, const struct event *ev);
void completion_advances_missions(struct decision *d, const struct event *ev);
void completion_pays(struct decision *d, const struct event *ev);
/* core/decide_game_challenge.c */
void challenges_count_message(struct decision *d, const struct event *ev);
void challenges_count_reaction(struct decision *d, const struct event *ev);
void challenges_count_checkin(struct decision *d, const struct event *ev);

/* core/decide_achievement.c */
void balance_rose(struct decision *d, const struct event *ev);
void level_rose(struct decision *d, const struct event *ev);
void messages_rose(struct decision *d, const struct event *ev);
void streak_rose(struct decision *d, const struct event *ev);
void vip_grants_rose(struct decision *d, const struct event *ev);
void missions_rose(struct decision *d, const struct event *ev);
void invites_rose(struct decision *d, const struct event *ev);
void stats_rose(struct decision *d, const struct event *ev);
/* After whatever counts as activity of its first user. */
void days_active_rose(struct decision *d, const struct event *ev);
void badge_grants_vip(struct decision *d, const struct event *ev);
void badge_takes_vip(struct decision *d, const struct event *ev);

/* core/decide_narrative.c */
void visit_rewards(struct decision *d, const struct event *ev);
void completion_rewards(struct decision *d, const struct event *ev);

/* core/decide_config.c */
void token_gives(struct decision *d, const struct event *ev);

/* core/decide_auction.c */
void bid_moves_hold(struct decision *d, const struct event *ev);        /* R12 */
void auction_end_captures(struct decision *d, const struct event *ev);  /* R13 */
void cancellation_releases(struct decision *d, const struct event *ev); /* R14 */
void retraction_moves_hold(struct decision *d, const struct event *ev); /* R14 */

#endif
