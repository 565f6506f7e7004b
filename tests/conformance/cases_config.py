"""Settings, flags, maintenance and invitations, and the generic rows that are about them."""

from expect import at_least, case, every, has_ids, ids, page, some
from world import TOKEN

NONE = {"value": None, "type": "str", "default": None, "is_default": True, "known": True}
POINTS = [
    "points.%s" % name
    for name in (
        "activity",
        "admins_earn",
        "challenge",
        "checkin",
        "checkin_weekly",
        "comment",
        "decision",
        "message",
        "poll",
        "post",
        "reaction",
        "vip_multiplier",
    )
]
BOT = [
    "bot.%s" % name
    for name in (
        "auto_approval",
        "free_channel_wait_minutes",
        "social_media_message",
        "token_welcome_message",
        "vip_farewell_message",
        "vip_reminder_message",
        "welcome_message",
    )
]


def entry(key, value, **more):
    return dict({"id": key, "value": value, "is_default": False, "updated_at": some}, **more)


def says(key, value, **more):
    return ("config.get", {"id": key}, dict({"id": key, "value": value}, **more))


# A check-in counts for a mission too, which brings 5.
CHECKIN_BRINGS_20 = [
    says("points.checkin", 15, default=10),
    ("user.checkin", {"user_id": 1003}, {"points": 20, "missions_completed": ["daily_check-in_diario"]}),
]

# ---- entries

case(
    "IConfigRepository.get_config_value",
    {"id": "points.checkin", "value": 10, "type": "pts", "default": 10, "is_default": True, "known": True},
)
case(
    "IConfigRepository.set_config_value",
    {"changed": True, "version": 1, "items": [entry("points.checkin", 15)]},
    then=CHECKIN_BRINGS_20,
)
case(
    "IConfigRepository.bulk_set_config",
    {"changed": True, "version": None, "items": [entry("daily_gift.points", 6), entry("points.checkin", 15)]},
    then=CHECKIN_BRINGS_20 + [("user.claim_gift", {"user_id": 1004}, {"points": 6})],
)
case(
    "IConfigRepository.delete_config_entry",
    {"changed": True},
    given=[("config.set", {"entries": {"points.checkin": 15}})],
    then=[says("points.checkin", 10, is_default=True)],
)
case(
    "IConfigRepository.get_all_config_entries",
    {"items": has_ids("points.checkin", "bot.free_channel_wait_minutes", "flag.old_menu", "access.auction")},
)
case("IConfigRepository.get_config_entries_by_prefix", page(ids(*POINTS)))

# ---- settings of the bot

case("IConfigRepository.get_bot_config", page(ids(*BOT)))
case(
    "IConfigRepository.create_bot_config",
    {"changed": True, "items": [{"id": "bot.auto_approval", "value": True, "is_default": True}, entry(BOT[1], 0)]},
    then=[
        says("bot.free_channel_wait_minutes", 0),
        (
            "channel.create",
            {"kind": "request", "user_id": 456, "channel_id": -1001234},
            {"item": {"status": "approved"}},
        ),
    ],
)
case(
    "IConfigRepository.update_bot_config",
    {"items": [entry("bot.auto_approval", False), entry("bot.welcome_message", "Hola")]},
    then=[
        says("bot.welcome_message", "Hola"),
        ("channel.get", {"kind": "request", "id": 5}, {"status": "pending", "due_at": None}),
    ],
)
case(
    "IConfigRepository.update_bot_config_partial",
    {"changed": True, "items": [entry("bot.welcome_message", "Hola")]},
    then=[says("bot.welcome_message", "Hola"), says("bot.auto_approval", True)],
)
case("IConfigRepository.get_free_channel_wait_time", entry("bot.free_channel_wait_minutes", 30, default=0, type="int"))
case(
    "IConfigRepository.set_free_channel_wait_time",
    {"changed": True, "items": [entry("bot.free_channel_wait_minutes", 15)]},
    then=[
        (
            "channel.get",
            {"kind": "request", "id": 5},
            lambda request: request["due_at"] == request["requested_at"] + 15 * 60000,
        ),
        ("channel.stats", {}, {"wait_minutes": 15}),
    ],
)
for name, text in (("social_media_message", "Hola {user_name}"), ("token_welcome_message", "Bienvenida")):
    case("IConfigRepository.get_%s" % name, dict(NONE, id="bot.%s" % name))
    case(
        "IConfigRepository.set_%s" % name,
        {"items": [entry("bot.%s" % name, text)]},
        then=[says("bot.%s" % name, text, default=None)],
    )
case("IConfigRepository.get_welcome_message_template", dict(NONE, id="bot.welcome_message"))
case(
    "IConfigRepository.set_welcome_message_template",
    {"items": [entry("bot.welcome_message", "Bienvenida")]},
    then=[says("bot.welcome_message", "Bienvenida")],
)
case("IConfigRepository.is_auto_approval_enabled", {"id": "bot.auto_approval", "value": True, "type": "bool"})
case(
    "IConfigRepository.set_auto_approval",
    {"changed": True, "items": [entry("bot.auto_approval", True)]},
    given=[("config.set", {"entries": {"bot.auto_approval": False}})],
    then=[("channel.get", {"kind": "request", "id": 5}, {"due_at": some})],
)

# ---- flags and maintenance

case("IConfigRepository.get_feature_flag", {"id": "flag.new_menu", "value": False, "type": "bool", "is_default": True})
case(
    "IConfigRepository.set_feature_flag",
    {"changed": True, "items": [entry("flag.new_menu", True)]},
    then=[("config.stats", {}, {"flags_on": 2})],
)
case("IConfigRepository.get_all_feature_flags", page([entry("flag.old_menu", True, type="bool")]))
case(
    "IConfigRepository.toggle_feature_flag",
    {"changed": True, "item": entry("flag.new_menu", True)},
    then=[
        says("flag.new_menu", True),
        ("config.toggle", {"id": "flag.new_menu"}, {"item": {"value": False}}),
        says("flag.new_menu", False),
    ],
)
case("IConfigRepository.is_maintenance_mode", {"id": "maintenance.enabled", "value": False, "type": "bool"})
case(
    "IConfigRepository.set_maintenance_mode",
    {"items": [entry("maintenance.enabled", True), entry("maintenance.message", "Volvemos pronto")]},
    then=[
        (
            "server.batch",
            {"calls": [{"method": "point.award", "params": {"user_id": 123, "amount": 1}}]},
            {"results": [{"error": {"code": "maintenance", "details": {"message": "Volvemos pronto"}}}]},
        ),
        ("point.get", {"id": 123}, {"balance": 405}),
    ],
)
case("IConfigRepository.get_maintenance_message", dict(NONE, id="maintenance.message"))

# ---- invitations

INVITATION = {
    "id": 11,
    "created_by": 1,
    "vip_days": 7,
    "status": "active",
    "used_by": None,
    "used_at": None,
    "expires_at": some,
}


def fresh(**more):
    """A token with a string of its own."""
    return dict({"id": 12, "created_by": 1, "status": "active", "token": lambda text: len(text) == 22}, **more)


for name in ("get_invite_token_by_token", "get_invite_token_by_id", "is_token_valid"):
    case("IConfigRepository.%s" % name, dict(INVITATION, valid=True, token=some))
case(
    "IConfigRepository.create_invite_token",
    {"changed": True, "item": fresh(vip_days=0, expires_at=some)},
    then=[("config.get", {"kind": "token", "id": 12}, {"valid": True})],
)
case(
    "IConfigRepository.generate_unique_token",
    {"item": fresh(vip_days=30, expires_at=None)},
    then=[("config.list", {"kind": "token", "vip": True}, page(ids(12, 11, 3)))],
)
case(
    "IConfigRepository.use_invite_token",
    {"item": dict(INVITATION, status="used", used_by=123, used_at=some), "role": "vip", "vip_expires_at": some},
    then=[
        ("config.get", {"kind": "token", "id": 11}, {"status": "used", "valid": False}),
        ("user.list", {"kind": "vip_grant", "user_id": 123}, page([{"source": "token", "source_id": "11", "days": 7}])),
        ("user.get", {"id": 1, "include": ["stats"]}, {"stats": {"invites_count": 3}}),
    ],
)
case("IConfigRepository.get_tokens_created_by_user", page(ids(11, 3, 2, 1)))
case("IConfigRepository.get_active_invite_tokens", page(ids(11, 5, 6, 7, 8, 9, 10)))
case("IConfigRepository.get_expired_invite_tokens", page([{"id": 1, "created_by": 1, "status": "expired"}]))
case(
    "IConfigRepository.cleanup_expired_tokens",
    {"count": 2, "more": False, "changed": True},
    then=[
        ("config.list", {"kind": "token"}, page(ids(11, 10, 9, 8, 7, 6, 5, 3, 2))),
        ("config.stats", {}, {"total": 11, "expired": 1, "deleted": 1}),
        ("server.cleanup", {"target": "tokens", "days": 0}, {"count": 0, "changed": False}),
    ],
)
case(
    "services.invalidate_vip_token",
    {"changed": True},
    then=[
        ("config.get", {"kind": "token", "token": TOKEN}, {"status": "deleted", "valid": False}),
        ("config.list", {"kind": "token", "status": "deleted"}, page(ids(11, 4))),
    ],
)
case(
    "IConfigRepository.get_token_statistics",
    {
        "total": 11,
        "active": 7,
        "used": 2,
        "expired": 1,
        "deleted": 1,
        "vip_tokens": 2,
        "usage_rate": 100 * 2 / 11,
        "creators": 2,
        "average_time_to_use_ms": at_least(0),
        "entries": 2,
        "flags_on": 1,
    },
)
case(
    "IConfigRepository.get_user_token_statistics",
    {"created": 4, "active": 1, "used": 2, "expired": 1, "usage_rate": 50, "last_created_at": some, "used_by_user": 0},
)
case(
    "IConfigRepository.get_token_usage_stats",
    {"created": 11, "used": 2, "expired": 1, "per_day": lambda days: sum(day["created"] for day in days) == 11},
)

# ---- export and import

STORED = {"bot.free_channel_wait_minutes": 30, "flag.old_menu": True}

case(
    "IConfigRepository.export_all_config",
    {"format": 1, "exported_at": some, "head_seq": some, "entries": lambda got: got == STORED, "tokens": []},
)
case(
    "IConfigRepository.backup_config_to_dict",
    {
        "entries": lambda got: got == STORED,
        "tokens": lambda tokens: every(status="active")(tokens) and ids(11, 5, 6, 7, 8, 9, 10)(tokens),
    },
)
case(
    "IConfigRepository.import_config",
    {"changed": True, "set": 1, "deleted": 0, "tokens_created": 0, "unchanged": 0},
    then=[says("points.checkin", 15), says("flag.old_menu", True)],
)
case(
    "IConfigRepository.restore_config_from_dict",
    {"changed": True, "set": 0, "deleted": 2, "tokens_created": 0, "unchanged": 0},
    then=[
        ("config.list", {"stored": True}, page([])),
        says("bot.free_channel_wait_minutes", 0, is_default=True),
        says("flag.old_menu", False, is_default=True),
    ],
)
