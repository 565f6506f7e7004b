"""How each error of channels, auctions, games, settings, invitations and of the daemon itself comes about.

(method, kind, code): (given [(method, params)], params, what details hold), on the world of world.py.
"""

from errors_story import MOST, NOBODY, config, missing, unknown
from expect import LAST, some
from world import TOKEN
from world_market import CHALLENGES, FREE, VIP

NOWHERE = -77  # no channel
NONE = 999  # no auction, bid, request, trivia, question, attempt, challenge, event, raffle, token

ERRORS = {}

# ---- channels

TOO_MANY = ["%d" % n for n in range(11)]
REACTION = {"channel_id": FREE, "message_id": 55, "user_id": 2001, "emoji": "🔥"}

ERRORS.update(
    {
        ("channel.create", "channel", "already_exists"): ([], {"id": FREE}, missing("channel", FREE)),
        ("channel.create", "channel", "limit_exceeded"): ([], {"id": NOWHERE, "reactions": TOO_MANY}, {"limit": 10}),
        ("channel.create", "request", "already_exists"): (
            [],
            {"user_id": 123, "channel_id": FREE},
            missing("request", 5),
        ),
        ("channel.update", "channel", "limit_exceeded"): ([], {"id": FREE, "reactions": TOO_MANY}, {"limit": 10}),
        ("channel.update_many", None, "not_found"): (
            [],
            {"items": [{"id": FREE, "title": "Otro"}, {"id": NOWHERE, "title": "Otro"}]},
            missing("channel", NOWHERE),
        ),
        ("channel.update_many", None, "limit_exceeded"): (
            [],
            {"items": [{"id": VIP, "title": "Otro"}, {"id": FREE, "reactions": TOO_MANY}]},
            {"limit": 10},
        ),
        ("channel.set_reaction", None, "limit_exceeded"): (
            [("channel.update", {"id": FREE, "reactions": TOO_MANY[:10]})],
            {"channel_id": FREE, "emoji": "🔥"},
            {"limit": 10},
        ),
        ("channel.remove_reaction", None, "not_found"): (
            [],
            {"channel_id": FREE, "emoji": "😂"},
            missing("reaction", "😂"),
        ),
        ("channel.react", None, "already_exists"): ([], REACTION, {"kind": "reaction", "id": some}),
        ("channel.approve_request", None, "already_processed"): ([], {"request_id": 2}, {"status": "rejected"}),
        ("channel.reject_request", None, "already_processed"): ([], {"request_id": 1}, {"status": "approved"}),
    }
)
for name in ("channel.update", "channel.delete", "channel.get"):
    ERRORS.update(unknown(name, "channel", {"id": NOWHERE}, "channel", NOWHERE))
for name, kind, params in (
    ("channel.create", "request", {"user_id": 123}),
    ("channel.get", "post", {"message_id": 55}),
    ("channel.set_reaction", None, {"emoji": "🔥"}),
    ("channel.react", None, {"message_id": 55, "user_id": 123, "emoji": "🔥"}),
    ("channel.stats", None, {}),
):
    ERRORS.update(unknown(name, kind, dict(params, channel_id=NOWHERE), "channel", NOWHERE))
for name in ("channel.update", "channel.get"):
    ERRORS.update(unknown(name, "request", {"id": NONE}, "request", NONE))
for name in ("channel.approve_request", "channel.reject_request"):
    ERRORS.update(unknown(name, None, {"request_id": NONE}, "request", NONE))

# ---- auctions

LOT = {"name": "Un cuadro", "prize_description": "Con marco", "initial_price": 50, "duration_minutes": 60}
BY_123 = {"auction_id": 9, "user_id": 123}
CLOSED = {"status": "ended", "end_at": some}
BID = dict(BY_123, amount=60)

ERRORS.update(
    {
        ("auction.update", "auction", "auction_not_active"): ([], {"id": 7, "description": "Tarde"}, CLOSED),
        ("auction.delete", "auction", "in_use"): ([], {"id": 9}, {"reason": "active_auction"}),
        ("auction.start", None, "auction_not_pending"): ([], {"auction_id": 9}, {"status": "active"}),
        ("auction.end", None, "auction_not_active"): (
            [],
            {"auction_id": 10},
            {"status": "pending", "end_at": None},
        ),
        ("auction.end", None, "insufficient_points"): (
            [("auction.bid", BID), ("point.deduct", {"user_id": 456, "amount": 951})],
            {"auction_id": 9, "winner_id": 456},
            {"required": 50, "available": 49},
        ),
        ("auction.cancel", None, "auction_not_active"): ([], {"auction_id": 3}, {"status": "cancelled"}),
        ("auction.extend", None, "auction_not_active"): ([], {"auction_id": 7, "minutes": 5}, CLOSED),
        ("auction.bid", None, "forbidden"): ([config(access__auction="vip")], BID, {"reason": some}),
        ("auction.bid", None, "auction_not_active"): ([], dict(BID, auction_id=10), {"status": "pending"}),
        ("auction.bid", None, "already_highest_bidder"): ([], dict(BID, user_id=456), {"current_bid": 50}),
        ("auction.bid", None, "bid_too_low"): ([], dict(BID, amount=54.999), {"min_bid": 55}),
        ("auction.bid", None, "auction_full"): (
            [("auction.update", {"id": 9, "max_participants": 2})],
            BID,
            {"max_participants": 2},
        ),
        ("auction.bid", None, "insufficient_points"): (
            [],
            dict(BID, amount=405.001),
            {"required": 405.001, "available": 405},
        ),
        ("auction.retract_bid", None, "auction_not_active"): ([], {"auction_id": 1, "bid_id": 1}, CLOSED),
        ("auction.retract_bid", None, "already_processed"): (
            [("auction.retract_bid", {"auction_id": 9, "bid_id": 77})],
            {"auction_id": 9, "bid_id": 77},
            {"status": "retracted"},
        ),
        ("auction.join", None, "auction_not_active"): ([], dict(BY_123, auction_id=7), CLOSED),
        ("auction.join", None, "forbidden"): ([config(access__auction="admin")], BY_123, {"reason": some}),
        ("auction.join", None, "already_exists"): ([], dict(BY_123, auction_id=8), missing("participant", 123)),
        ("auction.join", None, "auction_full"): (
            [("auction.update", {"id": 10, "max_participants": 1}), ("auction.join", dict(BY_123, auction_id=10))],
            {"auction_id": 10, "user_id": 456},
            {"max_participants": 1},
        ),
        ("auction.leave", None, "auction_not_active"): ([], {"auction_id": 1, "user_id": 2001}, CLOSED),
        ("auction.leave", None, "already_highest_bidder"): (
            [],
            {"auction_id": 9, "user_id": 456},
            {"current_bid": 50},
        ),
    }
)
ERRORS.update(unknown("auction.create", "auction", dict(LOT, created_by=NOBODY), "user", NOBODY))
for name in ("auction.update", "auction.delete", "auction.get"):
    ERRORS.update(unknown(name, "auction", {"id": NONE}, "auction", NONE))
for name, params in (
    ("auction.start", {}),
    ("auction.end", {}),
    ("auction.cancel", {}),
    ("auction.extend", {"minutes": 5}),
    ("auction.bid", {"user_id": 123, "amount": 60}),
    ("auction.retract_bid", {"bid_id": 77}),
    ("auction.join", {"user_id": 123}),
    ("auction.leave", {"user_id": 123}),
    ("auction.stats", {}),
):
    ERRORS.update(unknown(name, None, dict(params, auction_id=NONE), "auction", NONE))
ERRORS.update(unknown("auction.get", "bid", {"id": NONE}, "bid", NONE))
for name in ("auction.update", "auction.get"):
    ERRORS.update(unknown(name, "participant", BY_123, "participant", 123))

# ---- games

QUESTION = {"question_text": "¿?", "options": {"A": "1"}, "correct_answer": "A"}
PERSONAL = {"name": "Reto", "type": "personal", "goal_type": "reactions", "goal_value": 3}
ANSWER = {"attempt_id": 55, "question_id": 31, "answer": "B"}
RICH = ("point.award", {"user_id": 123, "amount": MOST - 405})  # as much as anybody can have
BY = {"user_id": 123, "challenge_id": 4}
ROULETTE = {"user_id": 123, "game_type": "roulette"}
FULL = [("game.create", dict(QUESTION, kind="question", trivia_id=3))] * 197  # with the three that it has

ERRORS.update(
    {
        ("game.create", "trivia", "not_found"): (
            [],
            {"title": "Otra", "unlocks_lore_id": "pista_9"},
            missing("lore", "pista_9"),
        ),
        ("game.create", "question", "not_found"): ([], dict(QUESTION, trivia_id=NONE), missing("trivia", NONE)),
        ("game.create", "challenge", "not_found"): ([], dict(PERSONAL, user_id=NOBODY), missing("user", NOBODY)),
        ("game.update", "attempt", "already_processed"): ([], {"id": 54, "score": 1}, {"status": "finished"}),
        ("game.update", "challenge", "already_processed"): ([], {"id": 1, "name": "Tarde"}, {"status": "closed"}),
        ("game.update", "event", "already_processed"): ([], {"id": 1, "name": "Tarde"}, {"status": "ended"}),
        ("game.update", "raffle", "already_processed"): ([], {"id": 1, "prize": "Nada"}, {"status": "ended"}),
        ("game.end", "event", "already_processed"): ([], {"id": 1}, {"status": "ended"}),
        ("game.end", "raffle", "already_processed"): ([], {"id": 3}, {"status": "ended"}),
        ("game.start_attempt", None, "not_active"): ([], {"user_id": 123, "trivia_id": 2}, {"status": "inactive"}),
        ("game.start_attempt", None, "requirements_not_met"): (
            [("game.create", {"kind": "trivia", "title": "Vacía"})],
            {"user_id": 123, "trivia_id": LAST},
            {"missing": "questions"},
        ),
        ("game.answer", None, "already_processed"): (
            [],
            {"attempt_id": 54, "question_id": 1, "answer": "B"},
            {"status": "finished"},
        ),
        ("game.answer", None, "already_exists"): ([], dict(ANSWER, question_id=32), missing("answer", 32)),
        ("game.finish_attempt", None, "already_processed"): ([], {"attempt_id": 54}, {"status": "finished"}),
        ("game.finish_attempt", None, "limit_exceeded"): ([RICH], {"attempt_id": 55, "score": 3}, {"limit": MOST}),
        ("game.play", None, "forbidden"): ([config(minigames__enabled=False)], ROULETTE, {"reason": "disabled"}),
        ("game.play", None, "cooldown"): (
            [("game.play", ROULETTE)],
            dict(ROULETTE, allow_paid=False),
            {"retry_at": some},
        ),
        ("game.play", None, "insufficient_points"): (
            [("game.play", dict(ROULETTE, user_id=2, score=4))],
            dict(ROULETTE, user_id=2),
            {"required": 5, "available": 4},
        ),
        ("game.play", None, "limit_exceeded"): ([RICH], ROULETTE, {"limit": MOST}),
    }
)
for name in ("game.update", "game.delete", "game.get"):
    for kind in ("trivia", "question", "challenge"):
        ERRORS.update(unknown(name, kind, {"id": NONE}, kind, NONE))
for name in ("game.update", "game.get"):
    ERRORS.update(unknown(name, "attempt", {"id": NONE}, "attempt", NONE))
for name in ("game.update", "game.end", "game.get"):
    for kind in ("event", "raffle"):
        ERRORS.update(unknown(name, kind, {"id": NONE}, kind, NONE))
ERRORS.update(unknown("game.start_attempt", None, {"user_id": 123, "trivia_id": NONE}, "trivia", NONE))
ERRORS.update(unknown("game.answer", None, dict(ANSWER, attempt_id=NONE), "attempt", NONE))
ERRORS.update(unknown("game.finish_attempt", None, {"attempt_id": NONE}, "attempt", NONE))
ERRORS.update(unknown("game.get", "progress", {"user_id": 456, "challenge_id": 4}, "progress", 4))
ERRORS.update(unknown("game.stats", None, {"trivia_id": NONE}, "trivia", NONE))
for name in ("game.advance_challenge", "game.complete_challenge"):
    much = {"by": 50} if name == "game.advance_challenge" else {}
    ERRORS.update(unknown(name, None, dict(BY, challenge_id=NONE), "challenge", NONE))
    ERRORS.update(
        {
            (name, None, "not_active"): ([], dict(BY, challenge_id=3), {"status": "scheduled"}),
            (name, None, "forbidden"): (
                [("game.create", dict(PERSONAL, kind="challenge", user_id=456))],
                dict(BY, challenge_id=LAST),
                {"reason": "personal"},
            ),
            (name, None, "already_completed"): (
                [],
                {"user_id": 2004, "challenge_id": 2},
                {"completed_at": some},
            ),
            (name, None, "limit_exceeded"): ([RICH], dict(BY, **much), {"limit": MOST}),
        }
    )
ERRORS.update(
    {
        ("game.enter_raffle", None, "not_found"): (
            [],
            {"raffle_id": NONE, "user_id": 123},
            missing("raffle", NONE),
        ),
        ("game.enter_raffle", None, "already_processed"): (
            [],
            {"raffle_id": 1, "user_id": 123},
            {"status": "ended"},
        ),
        ("game.enter_raffle", None, "already_exists"): ([], {"raffle_id": 6, "user_id": 456}, {"kind": "entry"}),
    }
)

# ---- settings and invitations

ERRORS.update(
    {
        ("config.delete", "token", "already_processed"): ([], {"id": 2}, {"status": "used"}),
        ("config.use_token", None, "already_processed"): (
            [("config.delete", {"kind": "token", "id": 11})],
            {"token": TOKEN, "user_id": 123},
            {"status": "deleted"},
        ),
        ("config.import", None, "version_unsupported"): ([], {"data": {"format": 2, "entries": {}}}, {"format": 2}),
    }
)
ERRORS.update(unknown("config.delete", "entry", {"id": "points.checkin"}, "entry", "points.checkin"))
ERRORS.update(unknown("config.toggle", None, {"id": "no.such.key"}, "entry", "no.such.key"))
ERRORS.update(unknown("config.get", "entry", {"id": "no.such.key"}, "entry", "no.such.key"))
ERRORS.update(unknown("config.create", "token", {"created_by": NOBODY}, "user", NOBODY))
ERRORS.update(unknown("config.use_token", None, {"token": "nope", "user_id": 123}, "token", "nope"))
ERRORS.update(unknown("config.stats", None, {"user_id": NOBODY}, "user", NOBODY))
for name in ("config.delete", "config.get"):
    ERRORS.update(unknown(name, "token", {"id": NONE}, "token", NONE))

# ---- the daemon itself

ERRORS.update(
    {
        ("log.get", None, "not_found"): ([], {"seq": 1 << 40}, {"kind": "event", "id": 1 << 40}),
        ("log.subscribe", None, "limit_exceeded"): ([("log.subscribe", {})] * 64, {}, {"limit": 64}),
        ("log.unsubscribe", None, "not_found"): ([], {"subscription_id": NONE}, {"kind": "subscription", "id": NONE}),
        ("projection.status", None, "not_found"): ([], {"name": "nothing"}, missing("projection", "nothing")),
        ("projection.rebuild", None, "not_found"): ([], {"name": "nothing"}, missing("projection", "nothing")),
        ("server.methods", None, "not_found"): ([], {"method": "user.nothing"}, missing("method", "user.nothing")),
        ("server.backup", None, "already_exists"): ([], {"path": "/tmp"}, {"kind": "path", "id": "/tmp"}),
    }
)

# ---- other ways to some of them: (method, kind, code, given, params, details)

FURTHER = []


def further(method, kind, code, given, params, details):
    FURTHER.append((method, kind, code, given, params, details))


def no_user(method, params):
    further(method, None, "not_found", [], dict(params, user_id=NOBODY), missing("user", NOBODY))


no_user("auction.bid", {"auction_id": 9, "amount": 60})
no_user("auction.join", {"auction_id": 9})
no_user("auction.stats", {})
no_user("game.start_attempt", {"trivia_id": 3})
no_user("game.advance_challenge", {"challenge_id": 4})
no_user("game.complete_challenge", {"challenge_id": 4})
no_user("game.enter_raffle", {"raffle_id": 6})
no_user("game.stats", {})

# Of an auction: what was not bid or joined there.
further("auction.leave", None, "not_found", [], BY_123, missing("participant", 123))
further("auction.retract_bid", None, "not_found", [], {"auction_id": 9, "bid_id": 76}, missing("bid", 76))
further("auction.end", None, "not_found", [], {"auction_id": 9, "winner_id": 123}, missing("bid", 123))
further("auction.get", "participant", "not_found", [], {"auction_id": NONE, "user_id": 456}, missing("auction", NONE))
further(
    "auction.retract_bid",
    None,
    "auction_not_active",
    [("auction.cancel", {"auction_id": 9})],
    {"auction_id": 9, "bid_id": 77},
    {"status": "cancelled"},
)
# Points that are held for one auction cannot be bid in another.
further(
    "auction.bid",
    None,
    "insufficient_points",
    [("auction.bid", dict(BID, amount=400))],
    dict(BID, auction_id=8, amount=11),
    {"required": 11, "available": 5},
)
# Tests come in their order: the gate before the state, the state before the leader, the leader before the amount.
further("auction.bid", None, "forbidden", [config(access__auction="vip")], dict(BID, auction_id=7), {"reason": some})
further("auction.bid", None, "auction_not_active", [], {"auction_id": 1, "user_id": 2001, "amount": 1}, CLOSED)
further("auction.bid", None, "already_highest_bidder", [], dict(BID, user_id=456, amount=1), {"current_bid": 50})
further(
    "auction.bid",
    None,
    "bid_too_low",
    [("auction.update", {"id": 9, "max_participants": 2})],
    dict(BID, amount=1),
    {"min_bid": 55},
)

# Requests and reactions of channels that are gone.
further(
    "channel.react",
    None,
    "not_found",
    [("channel.delete", {"id": FREE})],
    dict(REACTION, user_id=123),
    missing("channel", FREE),
)
further(
    "channel.react",
    None,
    "already_exists",
    [("channel.delete", {"id": FREE}), ("channel.create", {"id": FREE})],
    REACTION,
    {"kind": "reaction"},
)
further(
    "channel.approve_request",
    None,
    "already_processed",
    [("channel.delete", {"id": FREE})],
    {"request_id": 5},
    {"status": "rejected"},
)
further(
    "channel.get",
    "request",
    "not_found",
    [],
    {"user_id": 789, "channel_id": CHALLENGES},
    {"kind": "request"},
)

# Questions that are gone, or came later than the attempt; answers given twice.
further(
    "game.answer",
    None,
    "not_found",
    [("game.delete", {"kind": "question", "id": 31})],
    ANSWER,
    missing("question", 31),
)
further(
    "game.answer",
    None,
    "not_found",
    [("game.create", dict(QUESTION, kind="question", trivia_id=3))],
    dict(ANSWER, question_id=LAST),
    missing("question", 34),
)
further("game.answer", None, "not_found", [], dict(ANSWER, question_id=1), missing("question", 1))
further("game.create", "question", "limit_exceeded", FULL, dict(QUESTION, trivia_id=3), {"limit": 200})
further("game.update", "trivia", "not_found", [], {"id": 3, "unlocks_lore_id": "pista_9"}, missing("lore", "pista_9"))
further("game.advance_challenge", None, "not_active", [], dict(BY, challenge_id=1), {"status": "closed"})
further("game.end", "raffle", "not_found", [], {"id": 6, "winner_id": 123}, missing("entry", 123))
further("game.stats", None, "not_found", [], {"challenge_id": NONE}, missing("challenge", NONE))
further(
    "game.play",
    None,
    "cooldown",
    [("game.play", dict(ROULETTE, game_type="ruleta", cost_points=1, cooldown_hours=1))],
    dict(ROULETTE, game_type="ruleta", cost_points=1, cooldown_hours=1, allow_paid=False),
    {"retry_at": some},
)

# Invitations by their string, and those that are used or have run out.
for name in ("config.get", "config.delete"):
    further(name, "token", "not_found", [], {"token": "nope"}, missing("token", "nope"))
further("config.delete", "token", "already_processed", [], {"id": 1}, {"status": "expired"})
further("config.delete", "token", "already_processed", [], {"id": 4}, {"status": "deleted"})
further(
    "config.use_token",
    None,
    "already_processed",
    [("config.use_token", {"token": TOKEN, "user_id": 456})],
    {"token": TOKEN, "user_id": 123},
    {"status": "used"},
)
further("config.import", None, "version_unsupported", [], {"data": {"entries": {}}}, {"format": None})
