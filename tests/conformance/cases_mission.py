"""Missions, and the generic rows that are about them."""

from expect import case, ids, some

M1 = {
    "id": "m1",
    "name": "Diez mensajes",
    "type": "one_time",
    "action": "message",
    "target_value": 10,
    "reward_points": 20,
}
DEFAULTS = ["daily_check-in_diario", "messages_conversador_activo", "messages_primer_mensaje"]
ACTIVE = DEFAULTS + ["m1", "m2", "m3", "m4"]


def progress(mission_id="m1", **more):
    return dict(more, user_id=123, mission_id=mission_id)


CHECKIN = progress("daily_check-in_diario", completed=True, completed_at=some, times_completed=1, percentage=100.0)
UNDER_WAY = progress(value=2, completed=False, completed_at=None, percentage=20.0)


def says(**wanted):
    """What the progress of 123 in m1 is afterwards."""
    return [("mission.get", {"kind": "progress", "user_id": 123, "mission_id": "m1"}, progress(**wanted))]


# ---- definitions

case(
    "IMissionRepository.get_mission_by_id",
    {
        "id": "daily_check-in_diario",
        "name": "Check-in Diario",
        "type": "daily",
        "action": "checkin",
        "reward_points": 5,
    },
)
case("IMissionRepository.get_active_missions", {"items": ids(*ACTIVE), "next": None})
case("IMissionRepository.get_missions_by_type", {"items": ids("daily_check-in_diario", "m4"), "next": None})
case(
    "IMissionRepository.create_mission",
    {"item": {"id": "one_time_conversador", "name": "Conversador", "target_value": 10, "is_active": True}},
    then=[
        ("mission.get", {"id": "one_time_conversador"}, {"action": "message", "reward_points": 25}),
        (
            "user.record_activity",
            {"user_id": 123, "action": "message"},
            {"missions_completed": ["messages_primer_mensaje"]},
        ),
        (
            "mission.get",
            {"kind": "progress", "user_id": 123, "mission_id": "one_time_conversador"},
            {"value": 1, "percentage": 10.0},
        ),
    ],
)
case(
    "IMissionRepository.update_mission",
    {"changed": True, "item": dict(M1, reward_points=30)},
    then=[
        ("mission.get", {"id": "m1"}, {"reward_points": 30, "version": 2}),
        ("mission.complete", {"user_id": 123, "mission_id": "m1", "force": True}, {"points": 30}),
    ],
)
case(
    "IMissionRepository.delete_mission",
    {"changed": True},
    then=[
        ("mission.get_many", {"ids": ["m1"]}, {"items": [], "missing": ["m1"]}),
        ("mission.list", {"kind": "progress", "user_id": 456}, {"items": []}),
        ("mission.stats", {"user_id": 789}, {"points_earned": 20}),
    ],
)
case("IMissionRepository.search_missions_by_name", {"items": ids("daily_check-in_diario"), "next": None})
case("IMissionRepository.get_missions_by_ids", {"items": [M1, {"id": "m2", "type": "weekly"}], "missing": []})
case("BaseRepository.get_by_id", M1)

# ---- a user's progress

case("IMissionRepository.get_user_mission_entry", UNDER_WAY)
case(
    "IMissionRepository.get_user_mission_entries",
    {"items": [CHECKIN, progress("m2", value=1, percentage=20.0), UNDER_WAY], "next": None},
)
case("IMissionRepository.create_user_mission_entry", {"changed": False, "progress": UNDER_WAY})
case(
    "IMissionRepository.update_user_mission_progress",
    {"completed": False, "points": 0, "progress": progress(value=4, percentage=40.0)},
    then=says(value=4, completed=False),
)
case(
    "IMissionRepository.complete_user_mission",
    {
        "completed": True,
        "points": 20,
        "progress": progress(completed=True, times_completed=1, percentage=100.0),
        "unlocked": [{"kind": "lore", "id": "pista_5"}, {"kind": "badge", "id": 9}],
    },
    then=[
        ("point.get", {"id": 123}, {"balance": 425}),
        (
            "point.list",
            {"kind": "transaction", "user_id": 123, "source": "mission", "limit": 1},
            {"items": [{"amount": 20, "ref": {"kind": "mission", "id": "m1"}}]},
        ),
        ("narrative.get", {"kind": "story", "id": 123}, {"lore": ["pista_2", "pista_4", "pista_7", "pista_5"]}),
        ("achievement.get", {"kind": "badge", "id": 9, "user_id": 123}, {"user": {"held": True}}),
        ("user.get", {"id": 123, "include": ["stats"]}, {"stats": {"missions_completed": 2}}),
    ],
)
case(
    "IMissionRepository.get_user_completed_missions",
    {"items": [{"id": "daily_check-in_diario", "user": CHECKIN}], "next": None},
)
case(
    "IMissionRepository.get_user_pending_missions",
    {"items": lambda items: {item["id"]: item["user"]["value"] for item in items} == {"m1": 2, "m2": 1}},
)
case(
    "IMissionRepository.get_user_available_missions",
    {"items": [{"id": name, "user": {"available": True, "value": None}} for name in DEFAULTS[1:] + ["m3", "m4"]]},
)
case(
    "IMissionRepository.increment_mission_progress",
    {"completed": False, "progress": progress(value=3, percentage=30.0)},
    then=says(value=3),
)
case(
    "IMissionRepository.set_mission_progress",
    {"completed": False, "progress": progress(value=3, percentage=30.0)},
    then=says(value=3),
)
case("IMissionRepository.get_user_mission_progress_percentage", dict(M1, user=UNDER_WAY))
case(
    "IMissionRepository.get_daily_missions_for_user",
    {"items": [{"id": "m4", "user": {"available": True}}], "next": None},
)
case("IMissionRepository.get_weekly_missions_for_user", {"items": [{"id": "m2", "user": {"value": 1}}], "next": None})
case(
    "IMissionRepository.reset_daily_missions_for_user",
    {"changed": True, "count": 1},
    then=[
        (
            "mission.list",
            {"type": "daily", "user_id": 123, "state": "open"},
            {"items": ids("daily_check-in_diario", "m4")},
        )
    ],
)
case(
    "IMissionRepository.reset_weekly_missions_for_user",
    {"changed": True, "count": 1},
    then=[("mission.list", {"type": "weekly", "user_id": 123, "state": "available"}, {"items": ids("m2")})],
)
case("IMissionRepository.get_users_with_mission_progress", {"items": ids(123, 456, 789, key="user_id"), "next": None})
case(
    "IMissionRepository.get_recently_completed_missions",
    {
        "items": lambda items: [(item["user_id"], item["mission_id"]) for item in items]
        == [(789, "m1"), (123, "daily_check-in_diario")]
    },
)

# ---- statistics

case(
    "IMissionRepository.get_mission_completion_stats",
    {
        "mission_id": "m1",
        "name": "Diez mensajes",
        "target_value": 10,
        "attempts": 3,
        "completed": 1,
        "completions": 1,
        "completion_rate": 100 / 3,
        "average_progress": 2.0,
        "max_progress": 4,
        "min_progress": 0,
        "points_distributed": 20,
    },
)
case(
    "IMissionRepository.get_user_mission_statistics",
    {
        "user_id": 123,
        "total": 3,
        "completed": 1,
        "pending": 2,
        "completion_rate": 100 / 3,
        "points_earned": 5,
        "by_type": {"daily": {"total": 1, "completed": 1}, "weekly": {"total": 1, "completed": 0}},
    },
)
case(
    "IMissionRepository.get_global_mission_statistics",
    {
        "missions": 8,
        "active": 7,
        "by_type": {"daily": 2, "main": 1, "one_time": 4, "weekly": 1},
        "users_with_missions": 6,
        "attempts": 8,
        "completions": 2,
        "completion_rate": 25.0,
        "points_distributed": 25,
    },
)
