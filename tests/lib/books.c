#include "tests/lib/books.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rules.h"

void books_init(struct books *b)
{
	memset(b, 0, sizeof(*b));
	b->once = json_object();
	b->streams = json_object();
	b->repeatable = json_object();
}

void books_free(struct books *b)
{
	for (int i = 0; i <= PEOPLE; i++)
		json_decref(b->people[i].once);
	json_decref(b->once);
	json_decref(b->streams);
	json_decref(b->repeatable);
}

static void broken(int line, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
static void broken(int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_message("%s\n", text);
	_fail(__FILE__, line);
	abort(); /* not reached */
}

#define must(what, ...) ((what) ? (void)0 : broken(__LINE__, __VA_ARGS__))

static struct person *person(struct books *b, int64_t id)
{
	must(id >= 1 && id <= PEOPLE, "user %" PRId64 " came from nowhere", id);
	must(b->people[id].there, "something happened to user %" PRId64 ", who is not there", id);
	return &b->people[id];
}

/* ---- once ---- */

static const char *name_of(const char *fmt, va_list ap)
{
	static char name[600];

	vsnprintf(name, sizeof(name), fmt, ap);
	return name;
}

/* Happens for the first time. */
static void once(json_t *set, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void once(json_t *set, const char *fmt, ...)
{
	const char *name;
	va_list ap;

	va_start(ap, fmt);
	name = name_of(fmt, ap);
	va_end(ap);
	must(json_object_get(set, name) == NULL, "a second time: %s", name);
	json_object_set_new(set, name, json_true());
}

static bool happened(const json_t *set, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool happened(const json_t *set, const char *fmt, ...)
{
	const char *name;
	va_list ap;

	va_start(ap, fmt);
	name = name_of(fmt, ap);
	va_end(ap);
	return json_object_get(set, name) != NULL;
}

/* May happen again; true: it had happened. */
static bool again(json_t *set, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool again(json_t *set, const char *fmt, ...)
{
	const char *name;
	va_list ap;

	va_start(ap, fmt);
	name = name_of(fmt, ap);
	va_end(ap);
	return json_object_del(set, name) == 0;
}

static void again_all(json_t *set, const char *prefix)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(set, next, key, value) if (strncmp(key, prefix, strlen(prefix)) == 0)
		json_object_del(set, key);
}

/* ---- points ---- */

static struct book_auction *find_active(struct books *b, uint64_t id)
{
	for (int i = 0; i < b->n_auctions; i++)
		if (b->auctions[i].id == id)
			return &b->auctions[i];
	return NULL;
}

static struct book_auction *auction_of_hold(struct books *b, uint64_t hold)
{
	for (int i = 0; i < b->n_auctions; i++)
		if (b->auctions[i].hold == hold)
			return &b->auctions[i];
	return NULL;
}

static void credited(struct books *b, const struct point_credited *e)
{
	struct person *p = person(b, e->user_id);
	struct slice fragment;

	must(e->amount > 0 && e->amount == e->base * e->multiplier,
	     "a credit of %" PRId64 " is not its base, multiplied", e->amount);
	p->balance += e->amount;
	b->credits += e->amount;
	must(e->balance_after == p->balance, "balance_after is %" PRId64 ", the sum %" PRId64, e->balance_after,
	     p->balance);
	if (slice_is(e->source, "fragment") && ref_is(e->ref, "fragment", &fragment))
		once(p->once, "fragment paid %.*s", SLICE_FMT(fragment));
}

static void debited(struct books *b, const struct point_debited *e)
{
	struct person *p = person(b, e->user_id);

	must(e->amount > 0 && e->amount <= p->balance - p->held,
	     "user %" PRId64 " pays %" PRId64 " and has not so much", e->user_id, e->amount);
	p->balance -= e->amount;
	b->debits += e->amount;
	must(e->balance_after == p->balance, "balance_after is %" PRId64 ", the sum %" PRId64, e->balance_after,
	     p->balance);
}

static void held(struct books *b, const struct point_held *e)
{
	struct person *p = person(b, e->hold.user_id);
	struct book_auction *a = find_active(b, e->hold.auction_id);

	once(b->once, "hold %" PRIu64, e->hold.id);
	must(e->hold.amount > 0 && e->hold.amount <= p->balance - p->held, "held %" PRId64 ", more than available",
	     e->hold.amount);
	must(a != NULL && a->hold == 0 && a->leader == e->hold.bid_id && a->user_id == e->hold.user_id &&
		     a->amount == e->hold.amount,
	     "hold %" PRIu64 " is not for the leading bid of auction %" PRIu64, e->hold.id, e->hold.auction_id);
	a->hold = e->hold.id;
	p->held += e->hold.amount;
	b->held += e->hold.amount;
	must(e->held_after == p->held, "held_after is %" PRId64 ", the sum %" PRId64, e->held_after, p->held);
}

static void unheld(struct books *b, uint64_t hold_id, int64_t user_id, int64_t amount, int64_t held_after)
{
	struct person *p = person(b, user_id);

	must(happened(b->once, "hold %" PRIu64, hold_id), "hold %" PRIu64 " never was", hold_id);
	once(b->once, "hold closed %" PRIu64, hold_id);
	p->held -= amount;
	b->held -= amount;
	must(held_after == p->held && p->held >= 0, "held_after is %" PRId64 ", the sum %" PRId64, held_after, p->held);
}

static void captured(struct books *b, const struct point_captured *e)
{
	struct book_auction *a = auction_of_hold(b, e->hold_id);

	must(a != NULL && a->user_id == e->user_id && a->amount == e->amount,
	     "captured %" PRId64 " of user %" PRId64 ", who did not win for that", e->amount, e->user_id);
	once(b->once, "paid for auction %" PRIu64, a->id);
	unheld(b, e->hold_id, e->user_id, e->amount, e->held_after);
	b->people[e->user_id].balance -= e->amount;
	b->debits += e->amount;
	must(e->balance_after == b->people[e->user_id].balance, "balance_after is %" PRId64, e->balance_after);
	*a = b->auctions[--b->n_auctions];
}

/* ---- auctions ---- */

static void bid_placed(struct books *b, const struct auction_bid_placed *e)
{
	struct book_auction *a = find_active(b, e->bid.auction_id);

	must(a != NULL, "a bid in auction %" PRIu64 ", which is not active", e->bid.auction_id);
	must(e->bid.amount > a->amount && e->bid.user_id != a->user_id, "bid %" PRIu64 " does not lead", e->bid.id);
	must(e->has_previous == (a->leader != 0) && (!e->has_previous || e->previous.bid_id == a->leader),
	     "bid %" PRIu64 " names another leader than the one there was", e->bid.id);
	once(b->once, "bid %" PRIu64 " of %" PRId64 " in %" PRIu64 " for %" PRId64, e->bid.id, e->bid.user_id,
	     e->bid.auction_id, e->bid.amount);
	a->leader = e->bid.id;
	a->user_id = e->bid.user_id;
	a->amount = e->bid.amount;
}

static bool was_bid(const struct books *b, uint64_t auction_id, uint64_t bid_id, int64_t user_id, int64_t amount)
{
	return happened(b->once, "bid %" PRIu64 " of %" PRId64 " in %" PRIu64 " for %" PRId64, bid_id, user_id,
			auction_id, amount) &&
	       !happened(b->once, "bid retracted %" PRIu64, bid_id);
}

static void bid_retracted(struct books *b, const struct auction_bid_retracted *e)
{
	struct book_auction *a = find_active(b, e->auction_id);

	once(b->once, "bid retracted %" PRIu64, e->bid_id);
	must(a != NULL && e->was_leading == (a->leader == e->bid_id), "bid %" PRIu64 " was retracted by mistake",
	     e->bid_id);
	if (!e->was_leading)
		return;
	must(!e->has_new_leader ||
		     was_bid(b, e->auction_id, e->new_leader.bid_id, e->new_leader.user_id, e->new_leader.amount),
	     "the new leader of auction %" PRIu64 " never bid that", e->auction_id);
	a->leader = e->has_new_leader ? e->new_leader.bid_id : 0;
	a->user_id = e->has_new_leader ? e->new_leader.user_id : 0;
	a->amount = e->has_new_leader ? e->new_leader.amount : 0;
}

static void auction_over(struct books *b, uint64_t id)
{
	struct book_auction *a = find_active(b, id);

	once(b->once, "auction closed %" PRIu64, id);
	if (a == NULL)
		return; /* it was pending */
	/* what is held for its leader is released in this commit, which books_commit() tests */
	a->leader = 0;
	if (a->hold == 0)
		*a = b->auctions[--b->n_auctions];
}

static void ended(struct books *b, const struct auction_ended *e)
{
	struct book_auction *a = find_active(b, e->auction_id);

	once(b->once, "auction closed %" PRIu64, e->auction_id);
	/* without a leader, whose bid was retracted, an operator may still choose a bid that stands */
	must(a != NULL && (e->has_winner_id || a->leader == 0), "auction %" PRIu64 " ended without its winner",
	     e->auction_id);
	if (!e->has_winner_id) {
		*a = b->auctions[--b->n_auctions];
		return;
	}
	must(was_bid(b, e->auction_id, e->winning_bid_id, e->winner_id, e->amount),
	     "user %" PRId64 " won auction %" PRIu64 " with a bid that was not placed", e->winner_id, e->auction_id);
	a->leader = e->winning_bid_id;
	a->user_id = e->winner_id;
	a->amount = e->amount;
}

static void released(struct books *b, const struct point_released *e)
{
	struct book_auction *a = auction_of_hold(b, e->hold_id);

	must(a != NULL, "hold %" PRIu64 " was released and belongs to no auction", e->hold_id);
	unheld(b, e->hold_id, e->user_id, e->amount, e->held_after);
	a->hold = 0;
	if (happened(b->once, "auction closed %" PRIu64, a->id) && a->leader == 0)
		*a = b->auctions[--b->n_auctions];
}

static void started(struct books *b, uint64_t id)
{
	once(b->once, "auction started %" PRIu64, id);
	must(b->n_auctions < BOOKS_AUCTIONS, "too many auctions at a time");
	b->auctions[b->n_auctions++] = (struct book_auction){ .id = id };
}

/* ---- users and VIP ---- */

static void user_came(struct books *b, const struct user_created *e)
{
	struct person *p;

	must(e->user.id >= 1 && e->user.id <= PEOPLE, "user %" PRId64 " came from nowhere", e->user.id);
	p = &b->people[e->user.id];
	must(!p->there, "user %" PRId64 " came twice", e->user.id);
	must(e->revived == (p->once != NULL), "user %" PRId64 " was there before or not", e->user.id);
	json_decref(p->once);
	*p = (struct person){ .there = true, .admin = e->user.is_admin, .level = 1, .once = json_object() };
}

static void user_went(struct books *b, int64_t id)
{
	struct person *p = person(b, id);

	must(p->balance == 0 && p->held == 0, "user %" PRId64 " went with points", id);
	p->there = false;
	p->n_grants = 0;
	json_object_clear(p->once);
}

static void level_changed(struct books *b, const struct user_level_changed *e)
{
	struct person *p = person(b, e->user_id);

	must(e->from == p->level && e->to > e->from && e->balance == p->balance, "the level of user %" PRId64 " fell",
	     e->user_id);
	p->level = e->to;
}

static int64_t grant_end(const struct vip_grant *g)
{
	return g->has_ends_at ? g->ends_at : INT64_MAX;
}

/* Each grant starts where the one before it ends; what events say of the end of the queue is so. */
static void queue_is_whole(const struct person *p, int64_t user_id, bool has_end, int64_t end)
{
	int64_t ends_at = p->n_grants > 0 ? p->grants[p->n_grants - 1].ends_at : INT64_MAX;

	for (int i = 1; i < p->n_grants; i++)
		must(p->grants[i].starts_at == p->grants[i - 1].ends_at, "a gap in the VIP of user %" PRId64, user_id);
	must(has_end == (ends_at != INT64_MAX) && (!has_end || end == ends_at),
	     "the VIP of user %" PRId64 " does not end as said", user_id);
}

static void forget_ended_grants(struct person *p, int64_t now)
{
	int n = 0;

	for (int i = 0; i < p->n_grants; i++)
		if (p->grants[i].ends_at > now)
			p->grants[n++] = p->grants[i];
	p->n_grants = n;
}

static void granted(struct books *b, const struct user_vip_granted *e)
{
	struct person *p = person(b, e->user_id);

	forget_ended_grants(p, b->at);
	once(b->once, "grant %" PRIu64, e->grant.id);
	must(p->n_grants > 0 || e->grant.starts_at == b->at, "the VIP of user %" PRId64 " does not start now",
	     e->user_id);
	must(p->n_grants < BOOKS_GRANTS, "too many grants");
	p->grants[p->n_grants++] = (struct book_grant){ e->grant.id, e->grant.starts_at, grant_end(&e->grant) };
	queue_is_whole(p, e->user_id, e->has_vip_expires_at, e->vip_expires_at);
}

static bool drop_grant(struct person *p, uint64_t id)
{
	for (int i = 0; i < p->n_grants; i++)
		if (p->grants[i].id == id) {
			memmove(&p->grants[i], &p->grants[i + 1], (size_t)(p->n_grants - i - 1) * sizeof(p->grants[0]));
			p->n_grants--;
			return true;
		}
	return false;
}

static void revoked(struct books *b, const struct user_vip_revoked *e)
{
	struct person *p = person(b, e->user_id);

	forget_ended_grants(p, b->at);
	for (size_t i = 0; i < e->removed.n; i++)
		must(drop_grant(p, e->removed.v[i]), "grant %" PRIu64 " was not running", e->removed.v[i]);
	for (size_t i = 0; i < e->moved.n; i++)
		for (int k = 0; k < p->n_grants; k++)
			if (p->grants[k].id == e->moved.v[i].id) {
				p->grants[k].starts_at = e->moved.v[i].starts_at;
				p->grants[k].ends_at = e->moved.v[i].has_ends_at ? e->moved.v[i].ends_at : INT64_MAX;
			}
	queue_is_whole(p, e->user_id, e->has_vip_expires_at, e->vip_expires_at);
}

static void expired(struct books *b, const struct user_vip_expired *e)
{
	struct person *p = person(b, e->user_id);

	must(e->expired_at <= b->at, "the VIP of user %" PRId64 " expired too early", e->user_id);
	forget_ended_grants(p, b->at);
	must(p->n_grants == 0, "the VIP of user %" PRId64 " expired while grants are left", e->user_id);
}

static void checked_in(struct books *b, const struct user_checked_in *e)
{
	struct person *p = person(b, e->user_id);

	must(!p->has_checkin || e->day > p->checkin_day, "user %" PRId64 " checked in twice on a day", e->user_id);
	p->has_checkin = true;
	p->checkin_day = e->day;
}

static void gift_claimed(struct books *b, int64_t user_id)
{
	struct person *p = person(b, user_id);

	must(!p->has_gift || b->at >= p->gift_at + DAY_MS, "user %" PRId64 " took two gifts in a day", user_id);
	p->has_gift = true;
	p->gift_at = b->at;
}

/* ---- missions ---- */

static void mission_defined(struct books *b, struct slice id, bool repeatable)
{
	char name[128];

	snprintf(name, sizeof(name), "%.*s", SLICE_FMT(id));
	json_object_set_new(b->repeatable, name, json_boolean(repeatable));
}

static bool mission_repeats(const struct books *b, struct slice id)
{
	char name[128];

	snprintf(name, sizeof(name), "%.*s", SLICE_FMT(id));
	return json_is_true(json_object_get(b->repeatable, name));
}

static void mission_changed(struct books *b, const struct mission_updated *e)
{
	struct mission m = { .is_repeatable = mission_repeats(b, e->id) };
	struct arena arena;

	arena_init(&arena, 1 << 20);
	must(record_apply(record_mission(), e->changes, &m, &arena), "changes of a mission do not decode");
	mission_defined(b, e->id, m.is_repeatable);
	arena_free(&arena);
}

/* A repeat begins while the mission repeats, and may end when it no longer does. */
static void mission_began(struct books *b, const struct mission_started *e)
{
	struct person *p = person(b, e->user_id);

	if (mission_repeats(b, e->mission_id))
		again(p->once, "mission %.*s in %" PRId64, SLICE_FMT(e->mission_id), e->period);
	must(!happened(p->once, "mission %.*s in %" PRId64, SLICE_FMT(e->mission_id), e->period),
	     "user %" PRId64 " starts a mission again that is done", e->user_id);
}

static void completed(struct books *b, const struct mission_completed *e)
{
	once(person(b, e->user_id)->once, "mission %.*s in %" PRId64, SLICE_FMT(e->mission_id), e->period);
}

static void progress_reset(struct books *b, const struct mission_progress_reset *e)
{
	again(person(b, e->user_id)->once, "mission %.*s in %" PRId64, SLICE_FMT(e->mission_id), e->period);
}

static void period_started(struct books *b, const struct mission_period_started *e)
{
	int i = slice_is(e->type, "weekly");

	must(!b->period_known[i] || e->period > b->periods[i], "period %" PRId64 " of missions started twice",
	     e->period);
	b->period_known[i] = true;
	b->periods[i] = e->period;
}

/* ---- the story ---- */

static void story_reset(struct books *b, const struct narrative_story_reset *e)
{
	struct person *p = person(b, e->user_id);

	again_all(p->once, "fragment completed ");
	again_all(p->once, "fragment visited ");
	for (size_t i = 0; i < e->lore.n; i++)
		must(again(p->once, "lore %.*s", SLICE_FMT(e->lore.v[i])), "lore was taken that was not there");
}

/* What each one had of a definition that is gone. */
static void forget_everywhere(struct books *b, const char *what, struct slice id)
{
	for (int i = 1; i <= PEOPLE; i++)
		if (b->people[i].there)
			again(b->people[i].once, "%s %.*s", what, SLICE_FMT(id));
}

/* ---- games ---- */

static void attempt_finished(struct books *b, const struct game_attempt_finished *e)
{
	once(b->once, "attempt %" PRIu64, e->attempt_id);
	if (!e->rewarded)
		return;
	must(e->passed, "attempt %" PRIu64 " is rewarded and did not pass", e->attempt_id);
	once(b->once, "trivia %" PRIu64 " of %" PRId64, e->trivia_id, e->user_id);
}

static int64_t entries_by_books(const struct books *b, uint64_t raffle)
{
	int64_t n = 0;

	for (int i = 1; i <= PEOPLE; i++)
		n += b->people[i].there && happened(b->people[i].once, "raffle %" PRIu64, raffle);
	return n;
}

static void raffle_ended(struct books *b, const struct game_raffle_ended *e)
{
	once(b->once, "raffle %" PRIu64, e->id);
	must(e->entry_count == entries_by_books(b, e->id), "raffle %" PRIu64 ": %" PRId64 " entries", e->id,
	     e->entry_count);
	must(e->has_winner_id == (e->entry_count > 0), "raffle %" PRIu64 " has a winner or not", e->id);
	must(!e->has_winner_id || happened(person(b, e->winner_id)->once, "raffle %" PRIu64, e->id),
	     "the winner of raffle %" PRIu64 " did not enter", e->id);
}

static void game_event(struct books *b, const struct event *ev)
{
	const struct game_answer_recorded *answer = ev->data;
	const struct game_challenge_completed *done = ev->data;
	const struct game_challenge_failed *failed = ev->data;
	const struct game_raffle_entered *entered = ev->data;

	switch (ev->type) {
	case EV_game_attempt_finished:
		attempt_finished(b, ev->data);
		break;
	case EV_game_answer_recorded:
		once(b->once, "answer %" PRIu64 " in %" PRIu64, answer->answer.question_id, answer->attempt_id);
		must(!happened(b->once, "attempt %" PRIu64, answer->attempt_id), "an answer after the end");
		break;
	case EV_game_challenge_completed:
		once(person(b, done->user_id)->once, "challenge %" PRIu64, done->challenge_id);
		must(!happened(b->once, "challenge closed %" PRIu64, done->challenge_id), "completed after the end");
		break;
	case EV_game_challenge_failed:
		must(!happened(person(b, failed->user_id)->once, "challenge %" PRIu64, failed->challenge_id),
		     "challenge %" PRIu64 " was completed and failed", failed->challenge_id);
		break;
	case EV_game_challenge_opened:
		once(b->once, "challenge opened %" PRIu64, ((const struct game_challenge_opened *)ev->data)->id);
		break;
	case EV_game_challenge_closed:
		once(b->once, "challenge closed %" PRIu64, ((const struct game_challenge_closed *)ev->data)->id);
		break;
	case EV_game_event_started:
		once(b->once, "promotion started %" PRIu64, ((const struct game_event_started *)ev->data)->id);
		break;
	case EV_game_event_ended:
		once(b->once, "promotion ended %" PRIu64, ((const struct game_event_ended *)ev->data)->id);
		break;
	case EV_game_raffle_entered:
		must(!happened(b->once, "raffle %" PRIu64, entered->entry.raffle_id), "an entry after the draw");
		once(person(b, entered->entry.user_id)->once, "raffle %" PRIu64, entered->entry.raffle_id);
		break;
	case EV_game_raffle_ended:
		raffle_ended(b, ev->data);
		break;
	default:
		break;
	}
}

/* ---- one event ---- */

static void numbers(struct books *b, const struct event *ev)
{
	char stream[300];
	json_int_t version;

	must(ev->seq == b->seq + 1, "seq %" PRIu64 " follows %" PRIu64, ev->seq, b->seq);
	must(ev->commit == b->commit || ev->commit == ev->seq, "commit %" PRIu64 " is none", ev->commit);
	must(ev->at >= b->at && (ev->commit == ev->seq || ev->at == b->at), "time went back");
	must(ev->cause == 0 || (ev->cause >= ev->commit && ev->cause < ev->seq), "event %" PRIu64 " has no such cause",
	     ev->seq);
	snprintf(stream, sizeof(stream), "%.*s", SLICE_FMT(ev->stream));
	version = json_integer_value(json_object_get(b->streams, stream));
	must(ev->version == (uint64_t)version + 1, "version %" PRIu64 " of stream %s follows %lld", ev->version, stream,
	     (long long)version);
	json_object_set_new(b->streams, stream, json_integer(version + 1));
	b->seq = ev->seq;
	b->commit = ev->commit;
	b->at = ev->at;
	b->seen[ev->type]++;
}

static void award_event(struct books *b, const struct event *ev)
{
	const struct achievement_unlocked *a = ev->data;
	const struct achievement_badge_awarded *g = ev->data;
	const struct achievement_badge_revoked *r = ev->data;

	if (ev->type == EV_achievement_unlocked)
		once(person(b, a->award.user_id)->once, "achievement %.*s", SLICE_FMT(a->award.achievement_id));
	else if (ev->type == EV_achievement_badge_awarded)
		once(person(b, g->award.user_id)->once, "badge %" PRIu64, g->award.badge_id);
	else
		must(again(person(b, r->user_id)->once, "badge %" PRIu64, r->badge_id),
		     "a badge was revoked from nobody");
}

static void story_event(struct books *b, const struct event *ev)
{
	const struct narrative_fragment_visited *v = ev->data;
	const struct narrative_fragment_completed *c = ev->data;
	const struct narrative_lore_unlocked *l = ev->data;

	if (ev->type == EV_narrative_fragment_completed)
		once(person(b, c->user_id)->once, "fragment completed %.*s", SLICE_FMT(c->fragment_id));
	else if (ev->type == EV_narrative_lore_unlocked)
		once(person(b, l->user_id)->once, "lore %.*s", SLICE_FMT(l->lore_id));
	else if (v->first)
		once(person(b, v->user_id)->once, "fragment visited %.*s", SLICE_FMT(v->fragment_id));
}

static void channel_event(struct books *b, const struct event *ev)
{
	const struct channel_reacted *r = ev->data;
	const struct channel_request_created *c = ev->data;
	const struct channel_request_approved *a = ev->data;
	const struct channel_request_rejected *n = ev->data;

	switch (ev->type) {
	case EV_channel_reacted:
		once(b->once, "reaction of %" PRId64 " to %" PRId64 " in %" PRId64, r->user_id, r->message_id,
		     r->channel_id);
		break;
	case EV_channel_request_created:
		once(b->once, "pending %" PRId64 " in %" PRId64, c->request.user_id, c->request.channel_id);
		break;
	case EV_channel_request_approved:
		once(b->once, "decided %" PRIu64, a->id);
		must(again(b->once, "pending %" PRId64 " in %" PRId64, a->user_id, a->channel_id),
		     "no request was pending");
		break;
	default:
		once(b->once, "decided %" PRIu64, n->id);
		must(again(b->once, "pending %" PRId64 " in %" PRId64, n->user_id, n->channel_id),
		     "no request was pending");
	}
}

static void token_event(struct books *b, const struct event *ev)
{
	const struct config_token_used *u = ev->data;
	const struct config_token_deleted *d = ev->data;
	const struct config_token_expired *x = ev->data;

	once(b->once, "token over %" PRIu64,
	     ev->type == EV_config_token_used      ? u->id
	     : ev->type == EV_config_token_deleted ? d->id
						   : x->id);
}

void books_event(struct books *b, const struct event *ev)
{
	const struct point_reward_claimed *claim = ev->data;
	const struct user_updated *changed = ev->data;
	struct user u;
	struct arena arena;

	numbers(b, ev);
	switch (ev->type) {
	case EV_user_created:
		user_came(b, ev->data);
		break;
	case EV_user_updated:
		u = (struct user){ .is_admin = person(b, changed->id)->admin };
		arena_init(&arena, 1 << 20);
		must(record_apply(record_user(), changed->changes, &u, &arena), "changes of a user do not decode");
		b->people[changed->id].admin = u.is_admin;
		arena_free(&arena);
		break;
	case EV_user_stats_adjusted: /* perhaps the time of the last gift or check-in */
		b->people[((const struct user_stats_adjusted *)ev->data)->user_id].has_gift = false;
		b->people[((const struct user_stats_adjusted *)ev->data)->user_id].has_checkin = false;
		break;
	case EV_user_deleted:
		user_went(b, ((const struct user_deleted *)ev->data)->id);
		break;
	case EV_user_level_changed:
		level_changed(b, ev->data);
		break;
	case EV_user_checked_in:
		checked_in(b, ev->data);
		break;
	case EV_user_gift_claimed:
		gift_claimed(b, ((const struct user_gift_claimed *)ev->data)->user_id);
		break;
	case EV_user_vip_granted:
		granted(b, ev->data);
		break;
	case EV_user_vip_revoked:
		revoked(b, ev->data);
		break;
	case EV_user_vip_expired:
		expired(b, ev->data);
		break;
	case EV_point_credited:
		credited(b, ev->data);
		break;
	case EV_point_debited:
		debited(b, ev->data);
		break;
	case EV_point_held:
		held(b, ev->data);
		break;
	case EV_point_released:
		released(b, ev->data);
		break;
	case EV_point_captured:
		captured(b, ev->data);
		break;
	case EV_point_reward_claimed:
		once(b->once, "reward %" PRIu64 " of %" PRId64, claim->reward_id, claim->user_id);
		break;
	case EV_auction_started:
		started(b, ((const struct auction_started *)ev->data)->auction_id);
		break;
	case EV_auction_bid_placed:
		bid_placed(b, ev->data);
		break;
	case EV_auction_bid_retracted:
		bid_retracted(b, ev->data);
		break;
	case EV_auction_ended:
		ended(b, ev->data);
		break;
	case EV_auction_cancelled:
		auction_over(b, ((const struct auction_cancelled *)ev->data)->auction_id);
		break;
	case EV_mission_created:
		mission_defined(b, ((const struct mission_created *)ev->data)->mission.id,
				((const struct mission_created *)ev->data)->mission.is_repeatable);
		break;
	case EV_mission_updated:
		mission_changed(b, ev->data);
		break;
	case EV_mission_started:
		mission_began(b, ev->data);
		break;
	case EV_mission_completed:
		completed(b, ev->data);
		break;
	case EV_mission_progress_reset:
		progress_reset(b, ev->data);
		break;
	case EV_mission_period_started:
		period_started(b, ev->data);
		break;
	case EV_narrative_fragment_visited:
	case EV_narrative_fragment_completed:
	case EV_narrative_lore_unlocked:
		story_event(b, ev);
		break;
	case EV_narrative_story_reset:
		story_reset(b, ev->data);
		break;
	case EV_narrative_lore_deleted:
		forget_everywhere(b, "lore", ((const struct narrative_lore_deleted *)ev->data)->id);
		break;
	case EV_narrative_fragment_deleted:
		forget_everywhere(b, "fragment visited", ((const struct narrative_fragment_deleted *)ev->data)->id);
		forget_everywhere(b, "fragment completed", ((const struct narrative_fragment_deleted *)ev->data)->id);
		break;
	case EV_achievement_deleted:
		forget_everywhere(b, "achievement", ((const struct achievement_deleted *)ev->data)->id);
		break;
	case EV_achievement_unlocked:
	case EV_achievement_badge_awarded:
	case EV_achievement_badge_revoked:
		award_event(b, ev);
		break;
	case EV_channel_reacted:
	case EV_channel_request_created:
	case EV_channel_request_approved:
	case EV_channel_request_rejected:
		channel_event(b, ev);
		break;
	case EV_config_token_used:
	case EV_config_token_deleted:
	case EV_config_token_expired:
		token_event(b, ev);
		break;
	default:
		game_event(b, ev);
	}
}

void books_commit(const struct books *b)
{
	int64_t sum = 0, leading = 0, by_person[PEOPLE + 1] = { 0 };

	for (int i = 0; i < b->n_auctions; i++) {
		const struct book_auction *a = &b->auctions[i];

		must(!happened(b->once, "auction closed %" PRIu64, a->id),
		     "auction %" PRIu64 " is over and holds points", a->id);
		must((a->leader != 0) == (a->hold != 0),
		     "auction %" PRIu64 ": a leader without a hold, or a hold without", a->id);
		if (a->leader != 0)
			by_person[a->user_id] += a->amount;
	}
	for (int i = 1; i <= PEOPLE; i++) {
		const struct person *p = &b->people[i];

		must(p->held == by_person[i], "user %d: held is not the sum of the leading bids", i);
		must(p->balance >= p->held && p->held >= 0 && p->balance <= POINTS_MAX, "user %d has %" PRId64, i,
		     p->balance);
		sum += p->balance;
		leading += by_person[i];
	}
	must(sum == b->credits - b->debits, "the sum of balances is not credits minus debits");
	must(leading == b->held, "held in total is not the sum of the leading bids");
}

/* ---- comparing with the tables ---- */

static struct slice role_by_books(const struct person *p, int64_t now)
{
	if (p->admin)
		return SLICE_LIT("admin");
	for (int i = 0; i < p->n_grants; i++)
		if (p->grants[i].ends_at > now)
			return SLICE_LIT("vip");
	return SLICE_LIT("free");
}

static void compare_person(const struct books *b, struct state *s, int64_t now, int id)
{
	const struct person *p = &b->people[id];
	struct balance have = { 0 };
	struct user u = { 0 };

	must(find_user(s, id, &u) == p->there && find_balance(s, id, &have) == p->there, "user %d is there or not", id);
	if (!p->there)
		return;
	must(have.balance == p->balance && have.held == p->held,
	     "user %d: %" PRId64 " and %" PRId64 " held in the tables, %" PRId64 " and %" PRId64 " in the books", id,
	     have.balance, have.held, p->balance, p->held);
	must(u.level == p->level && have.level == p->level, "user %d: level %" PRId64 ", in the books %" PRId64, id,
	     u.level, p->level);
	must(slice_eq(u.role, role_by_books(p, now)), "user %d: role %.*s", id, SLICE_FMT(u.role));
}

void books_compare(const struct books *b, struct state *s, int64_t now)
{
	struct point_totals totals = { 0 };

	for (int i = 1; i <= PEOPLE; i++)
		compare_person(b, s, now, i);
	get_point_totals(s, 0, &totals);
	must(totals.total == b->credits - b->debits && totals.held == b->held && totals.earned == b->credits &&
		     totals.spent == b->debits && totals.corrupt_seq == 0,
	     "the totals of the ledger are not those of the books");
}

/* Calls fn for each row of a table, decoded into *row. */
static void each_row(struct state *s, enum table_id t, void *row,
		     void (*fn)(const struct books *, struct state *, void *), const struct books *b)
{
	struct row_walk walk;
	struct key all;

	row_walk_begin(&walk, s, t, key_begin(&all), false);
	while (row_walk_next(&walk)) {
		struct mp m = mp_of(walk.value);

		must(record_get(&m, table_defs[t].record(), row, s->arena), "a row of %s does not decode",
		     table_defs[t].name);
		fn(b, s, row);
	}
	row_walk_end(&walk);
}

/* How many rows of a table begin with this. */
static int64_t rows_under(struct state *s, enum table_id t, const struct key *prefix)
{
	struct row_walk walk;
	int64_t n = 0;

	row_walk_begin(&walk, s, t, prefix, false);
	while (row_walk_next(&walk))
		n++;
	row_walk_end(&walk);
	return n;
}

static int64_t holders_by_books(const struct books *b, const char *what, struct slice id)
{
	int64_t n = 0;

	for (int i = 1; i <= PEOPLE; i++)
		n += b->people[i].there && happened(b->people[i].once, "%s %.*s", what, SLICE_FMT(id));
	return n;
}

static void compare_achievement(const struct books *b, struct state *s, void *row)
{
	const struct achievement *a = row;
	struct award_counts counts = { 0 };
	struct key prefix;

	if (a->deleted)
		return;
	get_award_counts(s, 0, a->id, &counts);
	key_begin(&prefix);
	key_put_U64(&prefix, 0);
	key_put_TEXT(&prefix, a->id);
	must(counts.holders == holders_by_books(b, "achievement", a->id) &&
		     counts.holders == rows_under(s, T_award_by_definition, &prefix),
	     "achievement %.*s: %" PRId64 " holders", SLICE_FMT(a->id), counts.holders);
}

static void compare_badge(const struct books *b, struct state *s, void *row)
{
	const struct badge *a = row;
	struct award_counts counts = { 0 };
	char id[32];

	if (a->deleted)
		return;
	snprintf(id, sizeof(id), "%" PRIu64, a->id);
	get_award_counts(s, a->id, SLICE_LIT(""), &counts);
	must(counts.holders == holders_by_books(b, "badge", slice_str(id)), "badge %s: %" PRId64 " holders", id,
	     counts.holders);
}

static void compare_lore(const struct books *b, struct state *s, void *row)
{
	const struct lore *l = row;
	struct tally unlocks = { 0 };

	if (l->deleted)
		return;
	get_lore_unlocks(s, l->id, &unlocks);
	must(unlocks.n == holders_by_books(b, "lore", l->id), "lore %.*s: unlocked %" PRId64 " times", SLICE_FMT(l->id),
	     unlocks.n);
}

static void compare_fragment(const struct books *b, struct state *s, void *row)
{
	const struct fragment *f = row;
	struct fragment_counts counts = { 0 };

	if (f->deleted)
		return;
	get_fragment_counts(s, f->id, &counts);
	(void)b;
	must(counts.current_users >= 0 && counts.current_users <= PEOPLE && counts.completions >= 0 &&
		     counts.visits >= holders_by_books(b, "fragment visited", f->id) &&
		     counts.completions >= holders_by_books(b, "fragment completed", f->id),
	     "fragment %.*s: %" PRId64 " visits, %" PRId64 " completions", SLICE_FMT(f->id), counts.visits,
	     counts.completions);
}

static void compare_auction(const struct books *b, struct state *s, void *row)
{
	const struct auction *a = row;
	const struct book_auction *own = find_active((struct books *)b, a->id);
	struct key prefix;

	if (a->deleted)
		return;
	key_begin(&prefix);
	key_put_U64(&prefix, a->id);
	must(slice_is(a->status, "active") == (own != NULL), "auction %" PRIu64 " is %.*s", a->id,
	     SLICE_FMT(a->status));
	must(a->participant_count == rows_under(s, T_participant_by_joined, &prefix),
	     "auction %" PRIu64 ": %" PRId64 " participants", a->id, a->participant_count);
	must(a->bid_count == rows_under(s, T_bid_by_auction, &prefix), "auction %" PRIu64 ": %" PRId64 " bids", a->id,
	     a->bid_count);
	if (own != NULL)
		must(a->current_bid == own->amount && a->has_highest_bidder_id == (own->leader != 0) &&
			     (own->leader == 0 || (uint64_t)a->winning_bid_id == own->leader),
		     "auction %" PRIu64 ": another leads", a->id);
	if (slice_is(a->status, "ended"))
		must(a->has_winner_id == happened(b->once, "paid for auction %" PRIu64, a->id),
		     "auction %" PRIu64 ": won and not paid, or paid and not won", a->id);
}

static int64_t holds_open, held_sum;

static void add_hold(const struct books *b, struct state *s, void *row)
{
	const struct hold *h = row;

	(void)b;
	(void)s;
	holds_open += slice_is(h->status, "held");
	held_sum += slice_is(h->status, "held") ? h->amount : 0;
}

static void compare_holds(const struct books *b, struct state *s)
{
	struct point_totals totals = { 0 };
	struct hold h;

	holds_open = 0;
	held_sum = 0;
	each_row(s, T_hold, &h, add_hold, b);
	get_point_totals(s, 0, &totals);
	must(totals.holds_open == holds_open && totals.held == held_sum, "the open holds do not make the sum of them");
}

/* Reactions of each post, and those that a channel counts. */
static void compare_post(const struct books *b, struct state *s, void *row)
{
	const struct post *p = row;
	struct key prefix;

	(void)b;
	key_begin(&prefix);
	key_put_I64(&prefix, p->channel_id);
	key_put_U64(&prefix, (uint64_t)p->message_id);
	must(p->total == rows_under(s, T_reaction, &prefix), "post %" PRId64 ":%" PRId64 ": %" PRId64 " reactions",
	     p->channel_id, p->message_id, p->total);
}

static void compare_channel(const struct books *b, struct state *s, void *row)
{
	const struct channel *c = row;
	struct channel_sums sums = { 0 };
	struct key prefix;
	int64_t pending = 0;

	get_channel_sums(s, c->id, &sums);
	key_begin(&prefix);
	key_put_I64(&prefix, c->id);
	must(sums.reactions == rows_under(s, T_reaction_by_channel, &prefix),
	     "channel %" PRId64 ": %" PRId64 " reactions", c->id, sums.reactions);
	key_put_TEXT(&prefix, SLICE_LIT("pending"));
	for (int i = 1; i <= PEOPLE; i++)
		pending += happened(b->once, "pending %d in %" PRId64, i, c->id);
	must(sums.pending == pending && pending == rows_under(s, T_join_request_by_channel, &prefix),
	     "channel %" PRId64 ": %" PRId64 " pending", c->id, sums.pending);
}

static void compare_raffle(const struct books *b, struct state *s, void *row)
{
	const struct raffle *r = row;
	struct key prefix;

	key_begin(&prefix);
	key_put_U64(&prefix, r->id);
	must(r->entry_count == rows_under(s, T_raffle_slot, &prefix) &&
		     r->entry_count == rows_under(s, T_raffle_place, &prefix),
	     "raffle %" PRIu64 ": %" PRId64 " entries", r->id, r->entry_count);
	must(!r->is_active || r->entry_count == entries_by_books(b, r->id), "raffle %" PRIu64 ": %" PRId64 " entries",
	     r->id, r->entry_count);
}

static void compare_challenge(const struct books *b, struct state *s, void *row)
{
	const struct challenge *c = row;
	struct key prefix;

	(void)b;
	if (c->deleted)
		return;
	key_begin(&prefix);
	key_put_U64(&prefix, c->id);
	must(c->participants == rows_under(s, T_challenge_user, &prefix),
	     "challenge %" PRIu64 ": %" PRId64 " participants", c->id, c->participants);
	must(c->completions <= c->participants || slice_is(c->status, "closed"),
	     "challenge %" PRIu64 ": %" PRId64 " completions", c->id, c->completions);
}

static void compare_trivia(const struct books *b, struct state *s, void *row)
{
	const struct trivia *t = row;
	struct key prefix;

	(void)b;
	if (t->deleted)
		return;
	key_begin(&prefix);
	key_put_U64(&prefix, t->id);
	must(t->question_count == rows_under(s, T_question_by_trivia, &prefix),
	     "trivia %" PRIu64 ": %" PRId64 " questions", t->id, t->question_count);
	must(t->attempts == rows_under(s, T_attempt_by_trivia, &prefix), "trivia %" PRIu64 ": %" PRId64 " attempts",
	     t->id, t->attempts);
}

/* The grants of each user that nothing has closed, as the tables know them. */
static void compare_grants(const struct books *b, struct state *s, int64_t now)
{
	static struct vip_queue q;

	for (int i = 1; i <= PEOPLE; i++) {
		struct person p = b->people[i];

		forget_ended_grants(&p, now);
		vip_queue(s, i, now, &q);
		must((int)q.n == p.n_grants, "user %d: %zu grants, in the books %d", i, q.n, p.n_grants);
		for (int k = 0; k < p.n_grants; k++)
			must(q.v[k].id == p.grants[k].id && q.v[k].starts_at == p.grants[k].starts_at &&
				     grant_end(&q.v[k]) == p.grants[k].ends_at,
			     "user %d: grant %" PRIu64 " is another", i, p.grants[k].id);
	}
}

void books_compare_all(const struct books *b, struct state *s, int64_t now)
{
	union {
		struct achievement achievement;
		struct badge badge;
		struct lore lore;
		struct fragment fragment;
		struct auction auction;
		struct post post;
		struct channel channel;
		struct raffle raffle;
		struct challenge challenge;
		struct trivia trivia;
	} row;

	books_compare(b, s, now);
	compare_grants(b, s, now);
	compare_holds(b, s);
	each_row(s, T_achievement, &row, compare_achievement, b);
	each_row(s, T_badge, &row, compare_badge, b);
	each_row(s, T_lore_piece, &row, compare_lore, b);
	each_row(s, T_fragment, &row, compare_fragment, b);
	each_row(s, T_auction, &row, compare_auction, b);
	each_row(s, T_post, &row, compare_post, b);
	each_row(s, T_channel, &row, compare_channel, b);
	each_row(s, T_raffle, &row, compare_raffle, b);
	each_row(s, T_challenge, &row, compare_challenge, b);
	each_row(s, T_trivia, &row, compare_trivia, b);
}
