"""Achievements, badges, who holds them; the default content."""

from expect import as_another, at_least, case, ids, some

CONVERSADOR = {"id": "conversador", "name": "Conversador", "condition_type": "messages", "condition_value": 100}
ACHIEVEMENTS = ["checkin_7dias", "conversador", "first_message", "invitador", "vip_supporter", "z_ahorrador"]
BADGE_7 = {"id": 7, "name": "content_creator", "condition_type": None, "grants_vip": False}
UNLOCKED = [("achievement.unlock", {"user_id": 123, "achievement_id": "conversador"})]
AWARDED = [("achievement.award_badge", {"user_id": 123, "badge_id": 7})]
PATRON = [("achievement.award_badge", {"user_id": 123, "badge_id": 11})]


def awards(*wanted):
    """Who got what, in this order: (user, achievement or badge)."""

    def awarded(items):
        return [(i["user_id"], i["achievement_id"] or i["badge_id"]) for i in items] == list(wanted)

    awarded.__name__ = "awards %r" % (wanted,)
    return awarded


def held(badge_id, by):
    return ("achievement.get", {"kind": "badge", "id": badge_id, "user_id": 123}, {"user": {"held": by}})


# ---- achievements

case("IAchievementRepository.get_achievement_by_id", dict(CONVERSADOR, reward_text="Logro: Conversador", holders=0))
for name in ("IAchievementRepository.get_all_achievements", "BaseRepository.get_all"):
    case(name, {"items": ids(*ACHIEVEMENTS), "next": None})
for name in ("get_achievements_by_condition_type", "get_achievements_by_message_count"):
    case("IAchievementRepository." + name, {"items": ids("first_message", "conversador"), "next": None})
case("IAchievementRepository.get_achievements_by_points_threshold", {"items": ids("z_ahorrador"), "next": None})
case("IAchievementRepository.get_achievements_by_checkin_streak", {"items": ids("checkin_7dias"), "next": None})
case(
    "IAchievementRepository.create_achievement",
    {
        "item": {
            "id": "charlatan",
            "name": "Conversador",
            "condition_value": 100,
            "reward_text": "Logro",
            "is_active": True,
        }
    },
    params=as_another("charlatan"),
    then=[
        (
            "achievement.list",
            {"condition_type": "messages"},
            {"items": ids("first_message", "charlatan", "conversador")},
        )
    ],
)
case(
    "IAchievementRepository.update_achievement",
    {"changed": True, "item": dict(CONVERSADOR, condition_value=150)},
    then=[("achievement.list", {"condition_type": "messages", "max_value": 149}, {"items": ids("first_message")})],
)
case(
    "IAchievementRepository.delete_achievement",
    {"changed": True},
    then=[("achievement.get_many", {"ids": ["conversador"]}, {"items": [], "missing": ["conversador"]})],
)
case(
    "IAchievementRepository.get_user_achievements",
    {"items": [{"id": "first_message", "user": {"held": True, "awarded_at": some}}], "next": None},
)
case(
    "IAchievementRepository.unlock_achievement_for_user",
    {"award": {"user_id": 123, "award_type": "achievement", "achievement_id": "conversador", "source": "manual"}},
    then=[
        ("achievement.list", {"user_id": 123, "state": "unlocked"}, {"items": ids("conversador", "first_message")}),
        ("achievement.get", {"id": "conversador"}, {"holders": 1}),
    ],
)
case(
    "IAchievementRepository.has_user_unlocked_achievement",
    dict(CONVERSADOR, user={"held": True, "awarded_at": some, "value": 0, "percentage": 0.0}),
    given=UNLOCKED,
)
case(
    "IAchievementRepository.get_user_pending_achievements",
    {"items": ids(*(name for name in ACHIEVEMENTS if name != "first_message")), "next": None},
)
case(
    "IAchievementRepository.check_achievement_conditions",
    {"items": [dict(CONVERSADOR, user={"held": False})], "next": None},
)
case("IAchievementRepository.get_achievements_by_ids", {"items": ids("first_message", "conversador"), "missing": []})

# ---- badges

case("IAchievementRepository.get_badge_by_id", dict(BADGE_7, holders=1, revocable=True))
for name in ("get_all_badges", "get_active_badges"):
    case("IAchievementRepository." + name, {"items": ids(*range(1, 13)), "next": None})
case(
    "IAchievementRepository.create_badge",
    {"item": {"id": 13, "name": "Elite", "icon": "👑", "grants_vip": True, "vip_duration_days": 30, "holders": 0}},
    then=[("achievement.get", {"kind": "badge", "name": "elite"}, {"id": 13, "condition_value": 15})],
)
case(
    "IAchievementRepository.update_badge",
    {"changed": True, "item": dict(BADGE_7, is_active=False)},
    then=[("achievement.list", {"kind": "badge", "is_active": False}, {"items": ids(7)})],
)
case(
    "IAchievementRepository.delete_badge",
    {"changed": True},
    then=[
        ("achievement.get_many", {"kind": "badge", "ids": [7, 8]}, {"items": ids(8), "missing": [7]}),
        ("achievement.list", {"kind": "badge", "user_id": 456, "state": "held"}, {"items": ids(3, 2, 1)}),
    ],
)
case(
    "IAchievementRepository.get_badges_by_ids",
    {"items": [BADGE_7, {"id": 8, "name": "community_member"}], "missing": []},
)
case(
    "IAchievementRepository.get_vip_badges",
    {"items": [{"id": 11, "name": "Mecenas", "vip_duration_days": 7}], "next": None},
)
for interface in ("IUserRepository", "IAchievementRepository"):
    case(
        interface + ".get_user_badges",
        {
            "items": [
                {"id": 2, "name": "dedicated_player", "user": {"held": True}},
                {"id": 1, "name": "getting_started"},
            ]
        },
    )
for name in ("IUserRepository.award_badge", "IAchievementRepository.award_badge_to_user"):
    case(
        name,
        {
            "award": {"user_id": 123, "award_type": "badge", "badge_id": 7, "source": "manual", "grant_id": None},
            "role": "free",
        },
        then=[
            held(7, True),
            ("achievement.list", {"kind": "award", "badge_id": 7}, {"items": awards((123, 7), (456, 7))}),
        ],
    )
for name in ("IUserRepository.has_badge", "IAchievementRepository.has_user_badge"):
    case(name, dict(BADGE_7, user={"held": True, "awarded_at": some, "award_id": some}), given=AWARDED)
for name in ("IUserRepository.revoke_badge", "IAchievementRepository.revoke_badge_from_user"):
    case(name, {"changed": True, "vip_active": False, "vip_expires_at": None}, given=AWARDED, then=[held(7, False)])
case("IAchievementRepository.get_badge_holders", {"items": awards((456, 7)), "next": None})
case("IAchievementRepository.get_users_with_vip_badges", {"items": awards((789, 11)), "next": None})
case(
    "IAchievementRepository.get_user_vip_badge_expiry",
    {"items": [{"badge_id": 11, "grant_id": some, "vip_expires_at": some}], "next": None},
    given=PATRON,
    then=[("user.get", {"id": 123}, {"vip_active": True, "role": "vip", "vip_expires_at": some})],
)
case(
    "IAchievementRepository.get_recent_achievements",
    {"items": awards((123, "first_message"), (456, "vip_supporter"), (789, "vip_supporter")), "next": None},
)
case(
    "IAchievementRepository.get_recent_badges",
    {
        "items": lambda items: awards((1, 12), (789, 11), (456, 7), (789, 9))(items[:4]) and len(items) == 50,
        "next": some,
    },
)

# ---- statistics

case(
    "IAchievementRepository.get_achievement_statistics",
    {
        "holders": 2,
        "holder_rate": lambda rate: 0 < rate <= 200 / 244,
        "by_source": {"manual": 2, "rule": 0},
        "first_unlocked_at": some,
        "unlocked_in_window": 2,
    },
    given=UNLOCKED + [("achievement.unlock", {"user_id": 456, "achievement_id": "conversador"})],
)
for name in ("get_user_achievement_statistics", "get_user_badge_statistics"):
    case(
        "IAchievementRepository." + name,
        {
            "achievements": {"held": 1, "total": 6, "percentage": 100 / 6, "latest_at": some},
            "badges": {"held": 2, "total": 12, "percentage": 100 / 6, "latest_at": some, "vip": 0},
        },
    )
case(
    "IAchievementRepository.get_global_achievement_statistics",
    {
        "achievements": 6,
        "badges": 12,
        "active_badges": 12,
        "vip_badges": 1,
        "unlocks": 3,
        "awards": at_least(720),
        "revocations": 0,
        "users_with_achievements": 3,
        "users_with_badges": at_least(244),
        "by_condition_type": {"checkins": 4, "invites": 1, "messages": 2, "points": 4, "vip": 1},
        "top": lambda top: len(top) == 10 and [i["id"] for i in top[:3]] == [1, 2, 3],
        "per_day": lambda days: len(days) == 30 and days[-1]["unlocks"] + days[-2]["unlocks"] == 3,
    },
)
case(
    "IAchievementRepository.get_badge_statistics",
    {"holders": 1, "awarded": 2, "revoked": 1, "by_source": {"manual": 2}, "awarded_in_window": 2, "vip_granted": 0},
    given=AWARDED + [("achievement.revoke_badge", {"user_id": 123, "badge_id": 7})],
)

# ---- default content

case(
    "services.setup_default_gamification",
    {"changed": True, "created": {"levels": 1, "achievements": 0, "badges": 1, "missions": 0}},
    given=[
        ("point.delete", {"kind": "level", "id": 20}),
        ("achievement.delete", {"kind": "badge", "id": 10}),
        ("achievement.delete", {"id": "invitador"}),
        ("mission.delete", {"id": "messages_primer_mensaje"}),
    ],
    then=[
        ("point.get", {"kind": "level", "id": 20}, {"name": "Cosmos", "min_points": 14500}),
        ("achievement.get", {"kind": "badge", "name": "narrative_master"}, {"id": 13}),
    ],
)
