"""Channels, their reactions and join requests, and the generic rows that are about them."""

from expect import at_least, case, difference, every, ids, page, some
from world_market import CHALLENGES, DAY, FREE, VIP

MINUTE = 60000
DEFAULTS = ["👍", "❤", "😂", "🔥", "💯"]

CHANNEL = {
    "id": FREE,
    "title": "Canal",
    "type": "free",
    "reactions": ["👍", "🔥", "💯"],
    "reaction_points": {"👍": 0.5, "🔥": 2},
    "auto_manage_permissions": False,
}
NEW = dict(CHANNEL, reactions=[], reaction_points={}, effective_reactions=every(points=0.5))
REQUEST = {"id": 5, "user_id": 123, "channel_id": FREE, "automatic": True}


def due_after(minutes, **wanted):
    """A request that the timer approves then."""

    def due(request):
        return not difference(request, wanted) and request["due_at"] == request["requested_at"] + minutes * MINUTE

    return due


def effective(**points):
    return [{"emoji": emoji, "points": n} for emoji, n in points.items()]


def says(**wanted):
    return [("channel.get", {"id": FREE}, wanted)]


def request_says(**wanted):
    return [("channel.get", {"kind": "request", "id": 5}, dict(REQUEST, **wanted))]


REGISTERED_AGAIN = [
    ("channel.get", {"id": FREE}, dict(NEW, pending_requests=0)),
    ("channel.get", {"kind": "post", "channel_id": FREE, "message_id": 55}, {"total": 3}),
]
GONE = [
    ("channel.get_many", {"ids": [FREE]}, {"items": [], "missing": [FREE]}),
    ("channel.get", {"kind": "request", "id": 5}, dict(REQUEST, status="rejected", due_at=None, decided_at=some)),
    ("channel.stats", {}, {"channels": 2, "requests": {"pending": 1, "approved": 1, "rejected": 3}}),
]

# ---- channels

case("IChannelRepository.get_channel_by_id", dict(CHANNEL, version=1, pending_requests=1))
case("IChannelRepository.get_all_channels", page(ids(CHALLENGES, VIP, FREE)))
for name in ("get_channels_by_type", "get_vip_channels"):
    case("IChannelRepository.%s" % name, page([{"id": VIP, "title": "Canal VIP", "type": "vip"}]))
case("IChannelRepository.get_free_channels", page([CHANNEL]))
case(
    "IChannelRepository.get_engagement_channels",
    page([{"id": CHALLENGES, "effective_reactions": [{"emoji": e, "points": 0.5} for e in DEFAULTS]}]),
)
case("IChannelRepository.search_channels_by_title", page(ids(VIP, FREE)))
case("IChannelRepository.get_channels_by_ids", {"items": [CHANNEL, {"id": VIP}], "missing": []})
case(
    "IChannelRepository.create_channel",
    {"changed": True, "item": NEW},
    given=[("channel.delete", {"id": FREE})],
    then=REGISTERED_AGAIN,
)
case(
    "IChannelRepository.update_channel",
    {"changed": True, "item": dict(CHANNEL, title="Canal nuevo")},
    then=[("channel.list", {"query": "nuevo"}, page(ids(FREE)))],
)
case("IChannelRepository.delete_channel", {"changed": True}, then=GONE)
case(
    "IChannelRepository.update_channels_bulk",
    {
        "changed": True,
        "version": None,
        "items": [dict(CHANNEL, type="vip"), {"id": VIP, "title": "Dos", "type": "vip"}],
    },
    then=[
        ("channel.list", {"type": "vip"}, page([{"id": VIP, "title": "Dos"}, {"id": FREE, "title": "Canal"}])),
        ("channel.list", {"query": "vip"}, page([])),
    ],
)
case("IChannelRepository.get_channels_with_auto_permissions", page(ids(VIP)))
case(
    "IChannelRepository.enable_auto_permissions",
    {"item": dict(CHANNEL, auto_manage_permissions=True)},
    then=[("channel.list", {"auto_manage_permissions": True}, page(ids(VIP, FREE)))],
)
case(
    "IChannelRepository.disable_auto_permissions",
    {"changed": True, "item": CHANNEL},
    given=[("channel.update", {"id": FREE, "auto_manage_permissions": True})],
    then=[("channel.list", {"auto_manage_permissions": True}, page(ids(VIP)))],
)
case(
    "BaseRepository.create",
    {"changed": True, "item": dict(NEW, title=None)},
    given=[("channel.delete", {"id": FREE})],
    then=says(title=None, pending_requests=0),
)
case(
    "BaseRepository.update",
    {"changed": True, "item": CHANNEL},
    given=[("channel.update", {"id": FREE, "title": "Otro"})],
    then=[("channel.list", {"query": "otro"}, page([]))],
)
case("BaseRepository.delete_by_id", {"changed": True}, then=GONE)

# ---- reactions


def react(emoji, **wanted):
    return ("channel.react", {"channel_id": FREE, "message_id": 57, "user_id": 123, "emoji": emoji}, wanted)


for name in ("get_channel_reactions", "get_channel_reaction_points"):
    case(
        "IChannelRepository.%s" % name,
        dict(CHANNEL, effective_reactions=effective(**{"👍": 0.5, "🔥": 2, "💯": 0.5})),
    )
case(
    "IChannelRepository.set_channel_reactions",
    {"item": {"reactions": ["👍", "🔥"], "effective_reactions": effective(**{"👍": 0.5, "🔥": 2})}},
    then=[react("💯", points=0, throttled=False, counts={"💯": 1})],
)
case(
    "IChannelRepository.set_channel_reaction_points",
    {"item": {"effective_reactions": effective(**{"👍": 0.5, "🔥": 1, "💯": 0.5})}},
    then=[react("🔥", points=1, balance=406)],
)
case(
    "IChannelRepository.add_channel_reaction",
    {"item": {"reactions": ["👍", "🔥", "💯"], "effective_reactions": effective(**{"👍": 0.5, "🔥": 2, "💯": 1})}},
    given=[("channel.remove_reaction", {"channel_id": FREE, "emoji": "💯"})],
    then=[react("💯", points=1)],
)
case(
    "IChannelRepository.remove_channel_reaction",
    {"item": {"reactions": ["👍", "🔥"]}},
    then=says(effective_reactions=effective(**{"👍": 0.5, "🔥": 2})),
)
case(
    "services.award_reaction / register_reaction",
    {"points": 2, "throttled": False, "counts": {"👍": 1, "🔥": 3}, "balance": 407, "missions_completed": []},
    then=[
        (
            "channel.get",
            {"kind": "post", "channel_id": FREE, "message_id": 55, "user_id": 123},
            {"total": 4, "points_paid": 6.5, "user": {"emoji": "🔥", "created_at": some}},
        ),
        (
            "channel.list",
            {"kind": "reaction", "channel_id": FREE, "message_id": 55},
            page(ids(123, 2001, 2002, 2003, key="user_id")),
        ),
        ("mission.get", {"kind": "progress", "user_id": 123, "mission_id": "m2"}, {"value": 2}),
    ],
)
case(
    "services.get_reaction_counts",
    {"channel_id": FREE, "message_id": 55, "counts": {"👍": 1, "🔥": 2}, "total": 3, "points_paid": 4.5},
)
case(
    "services.get_weekly_reaction_ranking",
    {
        "week_start_at": lambda at: (at // DAY + 3) % 7 == 0,
        "items": [
            {"rank": 1, "user_id": 2001, "reactions": 2},
            {"rank": 2, "user_id": 2002, "reactions": 1},
            {"rank": 2, "user_id": 2003, "reactions": 1},
        ],
    },
)

# ---- join requests

case("IChannelRepository.get_pending_request_by_id", due_after(30, status="pending", **REQUEST))
case("IChannelRepository.get_user_request_for_chat", due_after(30, status="pending", **REQUEST))
case("IChannelRepository.get_pending_requests", page([{"id": 4, "automatic": False, "due_at": None}, REQUEST]))
case("IChannelRepository.get_pending_requests_by_user", page([REQUEST]))
case(
    "IChannelRepository.create_pending_request",
    {"changed": True, "item": due_after(30, status="pending", **dict(REQUEST, id=6))},
    given=[("channel.reject_request", {"request_id": 5})],
    then=[("channel.list", {"kind": "request", "status": "pending"}, page(ids(4, 6)))],
)
case(
    "IChannelRepository.approve_pending_request",
    {"changed": True, "version": 2},
    then=request_says(status="approved", decided_at=some, decided_by=None, due_at=None)
    + [("channel.stats", {"channel_id": FREE}, {"requests": {"pending": 0, "approved": 2, "rejected": 1}})],
)
case(
    "IChannelRepository.reject_pending_request",
    {"changed": True, "version": 2},
    then=request_says(status="rejected", decided_at=some, due_at=None)
    + [("channel.list", {"kind": "request", "user_id": 123}, page(ids(5, 3)))],
)
case(
    "IChannelRepository.get_approved_requests",
    page([{"id": 1, "user_id": 2001, "status": "approved", "decided_by": "admin:1"}]),
)
case(
    "IChannelRepository.get_requests_by_date_range",
    page(ids(5, 4, 3, 2, 1)),
    params=lambda p, w: dict(p, from_at=w.began, to_at=w.began + DAY),
)
case(
    "IChannelRepository.cleanup_old_requests",
    {"count": 0, "more": False},  # none is that old
    then=[
        ("server.cleanup", {"target": "requests", "days": 0, "dry_run": True}, {"count": 3, "changed": False}),
        ("server.cleanup", {"target": "requests", "days": 0}, {"count": 3, "more": False, "changed": True}),
        ("channel.list", {"kind": "request"}, page(ids(5, 4))),
        ("channel.stats", {}, {"requests": {"pending": 2, "approved": 1, "rejected": 2}}),
    ],
)
for flag in ("social_media_message_sent", "welcome_message_sent"):
    case(
        "IChannelRepository.mark_%s" % flag,
        {"changed": True, "item": {"id": 5, "status": "pending", flag: True}},
        then=[
            ("channel.list", {"kind": "request", "status": "pending", flag: True}, page(ids(5))),
            ("channel.list", {"kind": "request", "status": "pending", flag: False}, page(ids(4))),
        ],
    )

# ---- statistics

ENGAGEMENT = {
    "reactions": 4,
    "messages": 0,
    "posts": 1,
    "polls": 0,
    "active_users": 3,
    "points": 9.5,
    "per_day": lambda days: len(days) == 30 and days[-1]["day_at"] == days[0]["day_at"] + 29 * DAY,
}

for name in ("get_channel_statistics", "get_channel_engagement_stats"):
    case(
        "IChannelRepository.%s" % name,
        {
            "requests": {"pending": 1, "approved": 1, "rejected": 1},
            "reactions": 4,
            "by_emoji": {"👍": 1, "🔥": 3},
            "posts": 2,
            "points_paid": 4.5,
            "engagement": ENGAGEMENT,
        },
    )
case(
    "IChannelRepository.get_global_channel_statistics",
    {
        "channels": 3,
        "by_type": {"free": 1, "vip": 1, "engagement": 1},
        "with_auto_permissions": 1,
        "requests": {"pending": 2, "approved": 1, "rejected": 2, "average_wait_ms": at_least(0)},
        "reactions": 4,
        "reactors": 3,
        "free_users": 245,
        "wait_minutes": 30,
        "auto_approval": True,
        "engagement": ENGAGEMENT,
    },
)
case(
    "services.award_message",
    {"recorded": True, "points": 11, "balance": 416, "missions_completed": ["messages_primer_mensaje"]},
    then=[
        ("channel.stats", {"channel_id": FREE}, {"engagement": {"messages": 1, "active_users": 4}}),
        ("user.get", {"id": 123, "include": ["stats"]}, {"stats": {"messages_sent": 1}}),
        ("game.get", {"kind": "progress", "user_id": 123, "challenge_id": 4}, {"value": 8}),
        ("mission.get", {"kind": "progress", "user_id": 123, "mission_id": "m1"}, {"value": 3}),
    ],
)
case(
    "services.award_channel_participation",
    {"recorded": True, "points": 5, "balance": 410, "missions_completed": []},
    then=[("channel.stats", {"channel_id": FREE}, {"engagement": {"posts": 2, "active_users": 4, "points": 14.5}})],
)
