"""How each error of users, points, missions, the story, achievements and badges comes about.

(method, kind, code): (given [(method, params)], params, what details hold), on the world of world.py.
"""

from expect import LAST, some

NOBODY = 99  # no user
MOST = 4000000000000  # points that one amount or one balance may have
A_LOT = 2100  # twice as many holders and their revocations do not fit into one commit

AUCTION = (
    "auction.create",
    {
        "name": "Un cuadro",
        "prize_description": "Con marco",
        "initial_price": 50,
        "duration_minutes": 60,
        "created_by": 1,
        "start": True,
    },
)


def missing(kind, id):
    return {"kind": kind, "id": id}


def unknown(method, kind, params, entity, id):
    return {(method, kind, "not_found"): ([], params, missing(entity, id))}


def config(**entries):
    return ("config.set", {"entries": {key.replace("__", "."): value for key, value in entries.items()}})


def many_holders():
    """More of them than one commit can take the badge from."""
    users = range(5000, 5000 + 2 * A_LOT)
    for first in range(0, len(users), 700):
        some_users = users[first : first + 700]
        yield ("server.batch", {"calls": [{"method": "user.create", "params": {"id": u}} for u in some_users]})
        award = "achievement.award_badge"
        yield (
            "server.batch",
            {"calls": [{"method": award, "params": {"user_id": u, "badge_id": 7}} for u in some_users]},
        )


ERRORS = {}

# ---- users

ERRORS.update(
    {
        ("user.create", "user", "already_exists"): ([], {"id": 123}, missing("user", 123)),
        ("user.delete", "user", "in_use"): (
            [AUCTION, ("auction.bid", {"auction_id": LAST, "user_id": 123, "amount": 50})],
            {"id": 123},
            {"reason": some},
        ),
        ("user.revoke_vip", None, "not_active"): ([], {"user_id": 123}, {"status": some}),
        ("user.record_activity", None, "not_found"): (
            [],
            {"user_id": 123, "action": "message", "channel_id": -77},
            missing("channel", -77),
        ),
        ("user.record_activity", None, "rate_limited"): (
            [
                config(throttle__activity_per_minute=1),
                ("user.record_activity", {"user_id": 123, "action": "comment"}),
            ],
            {"user_id": 123, "action": "comment"},
            {"retry_at": some},
        ),
        ("user.checkin", None, "forbidden"): ([config(access__checkin="vip")], {"user_id": 1002}, {"reason": some}),
        ("user.checkin", None, "cooldown"): (
            [("user.checkin", {"user_id": 1002})],
            {"user_id": 1002},
            {"retry_at": some},
        ),
        ("user.claim_gift", None, "forbidden"): (
            [config(daily_gift__enabled=False)],
            {"user_id": 123},
            {"reason": "disabled"},
        ),
        ("user.claim_gift", None, "cooldown"): (
            [("user.claim_gift", {"user_id": 123})],
            {"user_id": 123},
            {"retry_at": some},
        ),
    }
)
for name in ("user.update", "user.delete", "user.get"):
    ERRORS.update(unknown(name, "user", {"id": NOBODY}, "user", NOBODY))
for name in ("user.revoke_vip", "user.stats"):
    ERRORS.update(unknown(name, None, {"user_id": NOBODY}, "user", NOBODY))

# ---- points

ERRORS.update(
    {
        ("point.award", None, "limit_exceeded"): ([], {"user_id": 123, "amount": MOST}, {"limit": MOST}),
        ("point.award_many", None, "limit_exceeded"): (
            [],
            {"items": [{"user_id": 456, "amount": 1}, {"user_id": 123, "amount": MOST}]},
            {"limit": MOST},
        ),
        ("point.deduct", None, "insufficient_points"): (
            [],
            {"user_id": 123, "amount": 405.001},
            {"required": 405.001, "available": 405},
        ),
        ("point.transfer", None, "not_found"): (
            [],
            {"from_user_id": NOBODY, "to_user_id": 123, "amount": 1},
            missing("user", NOBODY),
        ),
        ("point.transfer", None, "insufficient_points"): (
            [],
            {"from_user_id": 123, "to_user_id": 456, "amount": 406},
            {"required": 406, "available": 405},
        ),
        ("point.transfer", None, "limit_exceeded"): (
            [("point.award", {"user_id": 2, "amount": MOST})],
            {"from_user_id": 123, "to_user_id": 2, "amount": 1},
            {"limit": MOST},
        ),
        ("point.claim_reward", None, "forbidden"): (
            [config(access__reward="vip")],
            {"user_id": 123, "reward_id": 2},
            {"reason": some},
        ),
        ("point.claim_reward", None, "not_active"): (
            [("point.update", {"kind": "reward", "id": 2, "is_active": False})],
            {"user_id": 123, "reward_id": 2},
            {"status": some},
        ),
        ("point.claim_reward", None, "requirements_not_met"): ([], {"user_id": 123, "reward_id": 1}, {"missing": some}),
        ("point.claim_reward", None, "already_exists"): (
            [("point.claim_reward", {"user_id": 123, "reward_id": 2})],
            {"user_id": 123, "reward_id": 2},
            {"kind": "claim"},
        ),
        ("point.create", "level", "already_exists"): (
            [],
            {"id": 20, "name": "Otro", "min_points": 99999},
            missing("level", 20),
        ),
        ("point.create", "level", "not_found"): (
            [],
            {"id": 21, "name": "Otro", "min_points": 99999, "unlocks_lore_id": "pista_9"},
            missing("lore", "pista_9"),
        ),
        ("point.create", "reward", "already_exists"): (
            [],
            {"title": "LIBRO", "required_points": 1},
            missing("reward", 1),
        ),
        ("point.update", "reward", "already_exists"): ([], {"id": 2, "title": "Libro"}, missing("reward", 1)),
        ("point.delete", "level", "in_use"): ([], {"id": 1}, {"reason": some}),
    }
)
for name, params in (("point.deduct", {"amount": 1}), ("point.stats", {}), ("point.verify", {})):
    ERRORS.update(unknown(name, None, dict(params, user_id=NOBODY), "user", NOBODY))
ERRORS.update(unknown("point.claim_reward", None, {"user_id": 123, "reward_id": 9}, "reward", 9))
for name, kind, id in (
    ("point.update", "level", 99),
    ("point.update", "reward", 9),
    ("point.delete", "level", 99),
    ("point.delete", "reward", 9),
    ("point.get", "balance", NOBODY),
    ("point.get", "transaction", 1 << 40),
    ("point.get", "level", 99),
    ("point.get", "reward", 9),
):
    ERRORS.update(unknown(name, kind, {"id": id}, "user" if kind == "balance" else kind, id))

# ---- missions

ONCE = [("mission.complete", {"user_id": 123, "mission_id": "m1", "force": True})]
M1 = {"user_id": 123, "mission_id": "m1"}

ERRORS.update(
    {
        ("mission.create", "mission", "already_exists"): ([], {"id": "m1", "name": "Otra"}, missing("mission", "m1")),
        ("mission.create", "mission", "not_found"): ([], {"name": "Otra", "reward_badges": [99]}, missing("badge", 99)),
        ("mission.delete", "mission", "in_use"): (
            [("mission.create", {"id": "m6", "name": "Después", "requirements": {"missions": ["m1"]}})],
            {"id": "m1"},
            {"reason": "required"},
        ),
        ("mission.complete", None, "requirements_not_met"): ([], M1, {"missing": {"value": 8, "lore": []}}),
        ("mission.reset", None, "not_found"): ([], {"user_id": 123, "mission_id": "m9"}, missing("mission", "m9")),
    }
)
for name in ("mission.start", "mission.advance", "mission.complete"):
    force = {"force": True} if name == "mission.complete" else {}
    ERRORS.update(unknown(name, None, dict(force, user_id=123, mission_id="m9"), "mission", "m9"))
    ERRORS.update(
        {
            (name, None, "not_active"): ([], dict(force, user_id=123, mission_id="m5"), {"status": "inactive"}),
            (name, None, "forbidden"): (
                [config(access__mission="vip")],
                dict(force, user_id=1002, mission_id="m1"),
                {"reason": some},
            ),
            (name, None, "already_completed"): (ONCE, dict(force, **M1), {"completed_at": some}),
            (name, None, "cooldown"): (
                [("mission.update", {"id": "m1", "is_repeatable": True, "cooldown_hours": 5})] + ONCE,
                dict(force, **M1),
                {"retry_at": some},
            ),
        }
    )
ERRORS.update(unknown("mission.get", "progress", {"user_id": 456, "mission_id": "m2"}, "progress", "m2"))
ERRORS.update(unknown("mission.stats", None, {"mission_id": "m9"}, "mission", "m9"))
for name in ("mission.update", "mission.delete", "mission.get"):
    ERRORS.update(unknown(name, "mission", {"id": "m9"}, "mission", "m9"))

# ---- the story

FRAGMENT = {"title": "Otro", "content": "...", "type": "story"}
LORE = {"title": "Otra", "content": "...", "content_type": "text"}
CLUES = ["pista_2", "pista_4", "pista_7"]


def lacking(*lore):
    return {"missing": {"lore": list(lore), "points": 0, "role": None}}


ERRORS.update(
    {
        ("narrative.create", "fragment", "already_exists"): (
            [],
            dict(FRAGMENT, id="hall"),
            missing("fragment", "hall"),
        ),
        ("narrative.create", "fragment", "not_found"): (
            [],
            dict(FRAGMENT, required_lore=["pista_9"]),
            missing("lore", "pista_9"),
        ),
        ("narrative.create", "lore", "already_exists"): ([], dict(LORE, id="pista_1"), missing("lore", "pista_1")),
        ("narrative.create", "lore", "not_found"): (
            [],
            dict(LORE, id="pista_9", combinations=[["pista_1", "pista_99"]]),
            missing("lore", "pista_99"),
        ),
        ("narrative.update", "lore", "already_exists"): (
            [],
            {"id": "pista_1", "combinations": [CLUES[::-1]]},
            {"kind": "combination"},
        ),
        ("narrative.delete", "fragment", "in_use"): ([], {"id": "hall"}, {"reason": "required"}),
        ("narrative.delete", "lore", "in_use"): ([], {"id": "pista_4"}, {"reason": "required"}),
        ("narrative.choose", None, "not_found"): (
            [],
            {"user_id": 123, "choice_index": 2},
            missing("fragment", "nowhere"),
        ),
        ("narrative.choose", None, "version_conflict"): (
            [],
            {"user_id": 123, "choice_index": 0, "fragment_id": "hall"},
            {"expected": "hall", "actual": "start"},
        ),
        ("narrative.choose", None, "not_active"): (
            [("narrative.update", {"id": "start", "is_active": False})],
            {"user_id": 123, "choice_index": 0},
            {"status": "inactive"},
        ),
        ("narrative.choose", None, "requirements_not_met"): (
            [],
            {"user_id": 123, "choice_index": 1},
            {"missing": {"points": 8595}},
        ),
        ("narrative.choose", None, "insufficient_points"): (
            [("user.create", {"id": 2}), ("narrative.visit", {"user_id": 2})],
            {"user_id": 2, "choice_index": 0},
            {"required": 5, "available": 0},
        ),
        ("narrative.complete", None, "already_completed"): (
            [],
            {"user_id": 123, "fragment_id": "prologo"},
            {"completed_at": some},
        ),
        ("narrative.reset", None, "not_found"): ([], {"user_id": 1002}, missing("story", 1002)),
        ("narrative.unlock_lore", None, "not_active"): (
            [],
            {"user_id": 123, "lore_id": "pista_6"},
            {"status": "inactive"},
        ),
        ("narrative.unlock_lore", None, "already_exists"): (
            [],
            {"user_id": 123, "lore_id": "pista_2"},
            missing("lore", "pista_2"),
        ),
        ("narrative.combine_lore", None, "not_found"): (
            [],
            {"user_id": 123, "lore_ids": ["pista_2", "pista_4"]},
            {"kind": "combination"},
        ),
        ("narrative.combine_lore", None, "not_active"): (
            [("narrative.update", {"kind": "lore", "id": "pista_8", "is_active": False})],
            {"user_id": 123, "lore_ids": CLUES},
            {"status": "inactive"},
        ),
        ("narrative.combine_lore", None, "requirements_not_met"): (
            [],
            {"user_id": 789, "lore_ids": CLUES},
            {"missing": {"lore": ["pista_4", "pista_7"]}},
        ),
        ("narrative.combine_lore", None, "already_exists"): (
            [("narrative.combine_lore", {"user_id": 123, "lore_ids": CLUES})],
            {"user_id": 123, "lore_ids": CLUES},
            missing("lore", "pista_8"),
        ),
    }
)
for name in ("narrative.visit", "narrative.complete"):
    ERRORS.update(unknown(name, None, {"user_id": 123, "fragment_id": "nowhere"}, "fragment", "nowhere"))
    ERRORS.update(
        {
            (name, None, "not_active"): ([], {"user_id": 123, "fragment_id": "sotano"}, {"status": "inactive"}),
            (name, None, "requirements_not_met"): ([], {"user_id": 456, "fragment_id": "hall"}, lacking("pista_2")),
        }
    )
ERRORS.update(unknown("narrative.unlock_lore", None, {"user_id": 123, "lore_id": "pista_9"}, "lore", "pista_9"))
ERRORS.update(unknown("narrative.stats", None, {"fragment_id": "nowhere"}, "fragment", "nowhere"))
ERRORS.update(unknown("narrative.get", "story", {"id": 1002}, "story", 1002))
for name in ("narrative.update", "narrative.delete", "narrative.get"):
    ERRORS.update(unknown(name, "fragment", {"id": "nowhere"}, "fragment", "nowhere"))
    ERRORS.update(unknown(name, "lore", {"id": "pista_9"}, "lore", "pista_9"))

# ---- achievements and badges

ERRORS.update(
    {
        ("achievement.create", "achievement", "already_exists"): (
            [("achievement.delete", {"id": "invitador"})],
            {"id": "invitador", "name": "Otro"},
            missing("achievement", "invitador"),
        ),
        ("achievement.create", "badge", "already_exists"): ([], {"name": "MECENAS"}, missing("badge", 11)),
        ("achievement.update", "badge", "already_exists"): ([], {"id": 12, "name": "mecenas"}, missing("badge", 11)),
        ("achievement.delete", "achievement", "in_use"): ([], {"id": "first_message"}, {"reason": some}),
        ("achievement.delete", "badge", "in_use"): ([], {"id": 7}, {"reason": some}),
        ("achievement.delete", "badge", "limit_exceeded"): (
            list(many_holders()),
            {"id": 7, "force": True},
            {"limit": 4096},
        ),
        ("achievement.unlock", None, "not_active"): (
            [("achievement.update", {"id": "conversador", "is_active": False})],
            {"user_id": 123, "achievement_id": "conversador"},
            {"status": "inactive"},
        ),
        ("achievement.unlock", None, "already_exists"): (
            [],
            {"user_id": 123, "achievement_id": "first_message"},
            {"kind": "award", "id": some},
        ),
        ("achievement.unlock", None, "requirements_not_met"): (
            [],
            {"user_id": 123, "achievement_id": "conversador", "check_condition": True},
            {"missing": {"condition_type": "messages", "required": 100, "actual": 0}},
        ),
        ("achievement.award_badge", None, "not_active"): (
            [("achievement.update", {"kind": "badge", "id": 7, "is_active": False})],
            {"user_id": 123, "badge_id": 7},
            {"status": "inactive"},
        ),
        ("achievement.award_badge", None, "already_exists"): (
            [],
            {"user_id": 456, "badge_id": 7},
            {"kind": "award", "id": some},
        ),
        ("achievement.award_badge", None, "requirements_not_met"): (
            [],
            {"user_id": 123, "badge_id": 3, "check_condition": True},
            {"missing": {"condition_type": "points", "required": 1000, "actual": 405}},
        ),
        ("achievement.award_badge", None, "limit_exceeded"): (
            [("user.grant_vip", {"user_id": 123, "days": 1})] * 100,
            {"user_id": 123, "badge_id": 11},
            {"limit": 100},
        ),
        ("achievement.revoke_badge", None, "not_found"): ([], {"user_id": 123, "badge_id": 7}, {"kind": "award"}),
        ("achievement.revoke_badge", None, "forbidden"): (
            [],
            {"user_id": 1, "badge_id": 12},
            {"reason": "not_revocable"},
        ),
    }
)
ERRORS.update(unknown("achievement.unlock", None, {"user_id": 123, "achievement_id": "no"}, "achievement", "no"))
ERRORS.update(unknown("achievement.award_badge", None, {"user_id": 123, "badge_id": 99}, "badge", 99))
ERRORS.update(unknown("achievement.stats", None, {"badge_id": 99}, "badge", 99))
for name in ("achievement.update", "achievement.delete", "achievement.get"):
    ERRORS.update(unknown(name, "achievement", {"id": "no"}, "achievement", "no"))
    ERRORS.update(unknown(name, "badge", {"id": 99}, "badge", 99))

# ---- other ways to some of them: (method, kind, code, given, params, details)

FURTHER = []


def further(method, kind, code, given, params, details):
    FURTHER.append((method, kind, code, given, params, details))


for name, params in (
    ("mission.start", {"mission_id": "m1"}),
    ("mission.advance", {"mission_id": "m1"}),
    ("mission.complete", {"mission_id": "m1", "force": True}),
    ("mission.reset", {"type": "daily"}),
    ("mission.stats", {}),
    ("narrative.visit", {}),
    ("narrative.complete", {"fragment_id": "prologo"}),
    ("narrative.unlock_lore", {"lore_id": "pista_1"}),
    ("achievement.unlock", {"achievement_id": "conversador"}),
    ("achievement.award_badge", {"badge_id": 7}),
    ("achievement.stats", {}),
    ("point.claim_reward", {"reward_id": 2}),
):
    further(name, None, "not_found", [], dict(params, user_id=NOBODY), missing("user", NOBODY))

for name, params in (("mission.create", {"name": "Otra"}), ("mission.update", {"id": "m1"})):
    for more, entity, id in (
        ({"reward_lore": ["pista_9"]}, "lore", "pista_9"),
        ({"reward_badges": [99]}, "badge", 99),
        ({"reward_fragments": ["nowhere"]}, "fragment", "nowhere"),
        ({"requirements": {"fragments": ["nowhere"]}}, "fragment", "nowhere"),
        ({"requirements": {"lore": ["pista_9"]}}, "lore", "pista_9"),
        ({"requirements": {"missions": ["m9"]}}, "mission", "m9"),
    ):
        further(name, "mission", "not_found", [], dict(params, **more), missing(entity, id))
for name, params in (("narrative.create", FRAGMENT), ("narrative.update", {"id": "hall"})):
    for more, entity, id in (
        ({"unlocks_lore": ["pista_9"]}, "lore", "pista_9"),
        ({"unlocks_achievement_id": "no"}, "achievement", "no"),
    ):
        further(name, "fragment", "not_found", [], dict(params, **more), missing(entity, id))

# A mission that ran out, a role or a balance too low, what others need.
further(
    "mission.start",
    None,
    "cooldown",
    [("mission.create", {"id": "m6", "name": "Cada vez", "is_repeatable": True, "cooldown_hours": 1})]
    + [("mission.advance", {"user_id": 123, "mission_id": "m6"})],
    {"user_id": 123, "mission_id": "m6"},
    {"retry_at": some},
)
further(
    "mission.complete",
    None,
    "requirements_not_met",
    [("mission.update", {"id": "m2", "requires_action": True, "target_value": 1})],
    {"user_id": 123, "mission_id": "m2"},
    {"missing": {"value": 0}},
)
further(
    "narrative.visit",
    None,
    "requirements_not_met",
    [("narrative.update", {"id": "hall", "min_points": 1000, "required_role": "vip"})],
    {"user_id": 123, "fragment_id": "hall"},
    {"missing": {"lore": [], "points": 595, "role": "vip"}},
)
further(
    "narrative.choose",
    None,
    "not_found",
    [],
    {"user_id": 1002, "choice_index": 0},
    missing("story", 1002),
)
further(
    "narrative.choose",
    None,
    "not_found",
    [("narrative.delete", {"id": "start"})],
    {"user_id": 123, "choice_index": 0},
    missing("fragment", "start"),
)
further(
    "narrative.delete",
    "lore",
    "in_use",
    [],
    {"id": "pista_2"},
    {"reason": "required"},
)
further(
    "narrative.delete",
    "lore",
    "in_use",
    [("mission.create", {"id": "m6", "name": "Hallar", "requirements": {"lore": ["pista_1"]}})],
    {"id": "pista_1"},
    {"reason": "required"},
)
further(
    "point.transfer",
    None,
    "insufficient_points",
    [AUCTION, ("auction.bid", {"auction_id": LAST, "user_id": 123, "amount": 400})],
    {"from_user_id": 123, "to_user_id": 456, "amount": 6},
    {"required": 6, "available": 5},
)
