"""Users and points, and the generic rows that are about them."""

from expect import at_least, case, every, has_ids, ids, some
from world import OTHERS

DAY = 86400000
BALANCE = 405  # of 123: 10 for a check-in, 5 for the mission of it, 490 for a quiz, 100 spent
RANKS = len(OTHERS)  # all of them have more

# ---- IUserRepository

USER = {"id": 123, "username": "user123", "first_name": "Uno", "last_name": "Prueba", "role": "free", "level": 2}

case("IUserRepository.get_by_id", USER)
case(
    "IUserRepository.create",
    {
        "changed": True,
        "item": {"id": 123, "username": "user123", "first_name": "Uno", "last_name": None, "role": "free"},
    },
    given=[("user.delete", {"id": 123})],
    then=[("user.get", {"id": 123}, {"first_name": "Uno"}), ("point.get", {"id": 123}, {"balance": 0})],
)
case(
    "IUserRepository.update",
    {"changed": True, "item": {"id": 123, "first_name": "Dos", "username": "user123"}},
    then=[("user.list", {"query": "dos"}, {"items": ids(123)})],
)
case(
    "IUserRepository.delete",
    {"changed": True},
    then=[("user.get_many", {"ids": [123]}, {"items": [], "missing": [123]})],
)
case("IUserRepository.get_by_username", USER)
case(
    "IUserRepository.get_top_by_points",
    {"items": lambda items: [i["user_id"] for i in items] == list(OTHERS)[:-11:-1] and items[0]["rank"] == 1},
)
case("IUserRepository.get_admins", {"items": ids(1), "next": None})
case("IUserRepository.get_vip_users", {"items": has_ids(456, 789)})
case("IUserRepository.search_by_name", {"items": ids(123), "next": None})
case(
    "IUserRepository.get_user_stats", {"id": 123, "stats": {"checkin_streak": 1, "days_active": 1, "messages_sent": 0}}
)
case(
    "IUserRepository.update_user_stats",
    {"changed": True, "item": {"id": 123}},
    then=[("user.get", {"id": 123, "include": ["stats"]}, {"stats": {"messages_sent": 42}})],
)
case("IUserRepository.create_user_stats", {"changed": False, "item": USER})
case("IUserRepository.get_users_by_ids", {"items": ids(123, 456), "missing": []})
case("IUserRepository.get_active_users_count", {"active": at_least(1), "active_today": at_least(0)})
case("IUserRepository.get_users_with_role", {"items": has_ids(456, 789)})

# ---- IPointRepository

case(
    "IPointRepository.get_user_balance",
    {"id": 123, "balance": BALANCE, "held": 0, "available": BALANCE, "rank": some, "transactions": 4},
)
case(
    "IPointRepository.add_points",
    {"balance": BALANCE + 100, "transaction": {"amount": 100, "source": "test", "description": "Test points"}},
    then=[("point.get", {"id": 123}, {"balance": BALANCE + 100})],
)
case(
    "IPointRepository.deduct_points",
    {"balance": BALANCE - 5, "transaction": {"amount": -5, "source": "shop"}},
    then=[("point.get", {"id": 123}, {"balance": BALANCE - 5, "total_spent": 105})],
)
case(
    "IPointRepository.transfer_points",
    {
        "from_balance": BALANCE - 10,
        "to_balance": 1010,
        "out": {"source": "transfer_out", "counterparty_id": 456, "description": "gift"},
        "in": {"source": "transfer_in", "counterparty_id": 123},
    },
)
case(
    "IPointRepository.get_transaction_history",
    {"items": lambda items: [i["amount"] for i in items] == [-100, 490, 5, 10], "next": None},
)
case(
    "IPointRepository.get_transactions_by_source",
    {"items": [{"amount": 10, "source": "checkin", "balance_after": 10}], "next": None},
)
case(
    "IPointRepository.get_transactions_by_date_range",
    {"items": lambda items: len(items) == 4},
    params=lambda p, w: dict(p, from_at=w.began - 60000, to_at=w.began + DAY),
)
case(
    "IPointRepository.get_top_users_by_points",
    {"items": lambda items: len(items) == 10 and items[0]["balance"] == 1240},
)
case(
    "IPointRepository.get_users_with_balance_above",
    {"items": lambda items: len(items) == 50 and all(i["balance"] >= 500 for i in items), "next": some},
)
case(
    "IPointRepository.get_users_with_balance_below",
    {"items": lambda items: all(i["balance"] < 500 for i in items) and 123 in [i["user_id"] for i in items]},
)
TOTAL = BALANCE + 1000 + sum(OTHERS)
case("IPointRepository.get_total_points_in_system", {"total_points": at_least(TOTAL)})
case(
    "IPointRepository.get_point_statistics",
    {"users": at_least(244), "max_points": 1240, "by_source": {"quiz": {"count": 1, "earned": 490, "spent": 0}}},
)
case(
    "IPointRepository.get_daily_point_activity",
    {"transactions": at_least(244), "spent": at_least(100), "active_users": at_least(242)},
    params=lambda p, w: dict(p, day_at=w.began),
)
case(
    "IPointRepository.get_user_point_activity_summary",
    {
        "user_id": 123,
        "days": 30,
        "earned": 505,
        "spent": 100,
        "net": BALANCE,
        "transactions": 4,
        "average_earning": 505 / 3,
    },
)
case("IPointRepository.has_sufficient_balance", {"sufficient": True})
case(
    "IPointRepository.validate_transaction_integrity",
    {"ok": True, "transactions": 4, "balance": BALANCE, "computed": BALANCE},
)
case(
    "IPointRepository.add_points_bulk",
    {"transactions": [{"user_id": 123, "balance_after": BALANCE + 5}, {"user_id": 456, "balance_after": 1005}]},
)
case("IPointRepository.get_leaderboard", {"items": lambda items: items[0]["rank"] == 201 and items[-1]["balance"] > 0})
case("IPointRepository.get_user_rank_by_points", {"rank": at_least(RANKS + 1)})

# ---- the same asked in other words

case("BaseRepository.exists", {"items": ids(123), "missing": []})
case("BaseRepository.count", {"total": at_least(244), "admins": 1})
case("BaseRepository.count_with_conditions", {"by_role": {"admin": 1, "vip": at_least(2), "free": at_least(240)}})
case("BaseRepository.find_by_conditions", {"items": has_ids(456, 789)})
case(
    "BaseRepository.bulk_create",
    {"results": [{"result": {"item": {"id": 1}, "changed": True}}, {"result": {"item": {"id": 2}}}]},
    given=[("user.delete", {"id": 1})],
    then=[("user.get_many", {"ids": [1, 2]}, {"missing": []})],
)
case("BaseRepository.search", {"items": ids(123)})
case("SqlUserRepository.get_user_engagement_metrics", {"engagement": {"checkin_streak": 1, "engagement_score": some}})
case("SqlUserRepository.get_leaderboard_with_rankings", {"items": every(messages_sent=0, rank=some)})
case("SqlUserRepository.get_user_rank_by_points", {"rank": at_least(RANKS + 1)})
case("EnhancedUserService.get_user", USER)
case("EnhancedUserService.get_user_with_stats", {"id": 123, "balance": BALANCE, "stats": some, "engagement": some})
case(
    "services.daily_checkin / check_daily_engagement",
    {"streak": 1, "points": at_least(10), "next_at": some},
    given=[("user.delete", {"id": 123})],
)
case("services.claim_gift", {"points": 5, "balance": BALANCE + 5})
case(
    "services.grant_vip / extend_subscription / set_subscription_expiration",
    {"role": "vip", "grant_id": some, "vip_expires_at": some},
    then=[("user.get", {"id": 123}, {"vip_active": True, "role": "vip"})],
)
case(
    "services.revoke_subscription",
    {"role": "free", "vip_active": False},
    given=[("user.grant_vip", {"user_id": 123, "days": 3})],
)
case("services.get_active_subscribers", {"items": has_ids(456, 789)})
case("services.subscription get_statistics", {"vip": {"active": at_least(2), "permanent": 1, "total": at_least(2)}})
case(
    "services.VIP transaction history",
    {"items": lambda items: [(i["source"], i["days"]) for i in items][-1:] == [("promotion", 7)]},
    given=[("user.grant_vip", {"user_id": 123, "days": 7, "source": "promotion"})],
)
case(
    "services.create_level",
    {"item": {"id": 21, "name": "Nova", "min_points": 16000}},
    then=[("point.get", {"kind": "level", "id": 21}, {"name": "Nova"})],
)
case("services.list_levels", {"items": lambda items: [i["id"] for i in items] == list(range(1, 21))})
case("services.create_reward", {"item": {"id": 3, "title": "Foto", "required_points": 300, "is_active": True}})
case(
    "services.claim_reward",
    {"changed": True},
    then=[("point.list", {"kind": "claim", "user_id": 123}, {"items": [{"reward_id": 2}]})],
)
case("services.get_available_rewards", {"items": [{"id": 2, "user": {"claimable": True, "claimed_at": None}}]})
case("services.award_poll", {"recorded": True, "points": at_least(2), "balance": at_least(BALANCE + 2)})
