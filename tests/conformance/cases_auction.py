"""Auctions, bids and participants, and the generic rows that are about them."""

from expect import case, ids, page, some

MINUTE = 60000

AUCTION = {
    "id": 9,
    "name": "Subasta de un cuadro",
    "status": "active",
    "initial_price": 50,
    "current_bid": 50,
    "min_next_bid": 55,
    "highest_bidder_id": 456,
    "winning_bid_id": 77,
    "winner_id": None,
    "bid_count": 1,
    "participant_count": 2,
}
BOOK = {"id": 10, "name": "Subasta de un libro", "status": "pending", "min_next_bid": 20, "time_left_ms": 0}
BID = {"id": 77, "auction_id": 9, "user_id": 456, "amount": 50, "status": "leading", "is_winning": True}
JOIN = ("auction.join", {"auction_id": 9, "user_id": 123})
JOIN_QUIETLY = (JOIN[0], dict(JOIN[1], notifications_enabled=False))


def participant(**more):
    return dict({"auction_id": 9, "user_id": 123, "highest_bid": 0, "bids": 0}, **more)


def balance(user_id, **wanted):
    return ("point.get", {"id": user_id}, wanted)


def bid_says(**wanted):
    return ("auction.get", {"kind": "bid", "id": 77}, dict(BID, **wanted))


def participants(*users, **filters):
    return ("auction.list", dict(filters, kind="participant", auction_id=9), page(ids(*users, key="user_id")))


def at_most_a_day(ms):
    return 0 < ms <= 1440 * MINUTE


def extended_by(minutes):
    def by_hand(items):
        data = items[0]["data"]
        by = data["end_at"] - data["before_end_at"]
        return by == minutes * MINUTE and data["minutes"] == minutes and not data["automatic"]

    return by_hand


# ---- auctions

for name in ("get_auction_by_id", "get_winning_bid"):
    case("IAuctionRepository.%s" % name, dict(AUCTION, time_left_ms=lambda ms: 0 < ms <= 45 * MINUTE))
case("IAuctionRepository.get_auctions_by_creator", page(ids(10, 7, 6, 5, 4, 3, 2, 1)))
for name in ("get_all_auctions", "get_recent_auctions"):
    case("IAuctionRepository.%s" % name, page(ids(10, 9, 8, 7, 6, 5, 4, 3, 2, 1)))
for name in ("get_auctions_by_status", "get_ended_auctions"):
    case(
        "IAuctionRepository.%s" % name,
        page(
            lambda items: [(i["id"], i["winner_id"], i["current_bid"]) for i in items]
            == [(7, None, 0), (6, 2001, 11), (5, 2003, 11), (4, 2003, 11), (2, 2001, 11), (1, 2001, 11)]
        ),
    )
case("IAuctionRepository.get_active_auctions", page([AUCTION, {"id": 8, "highest_bidder_id": 2001, "current_bid": 10}]))
case("IAuctionRepository.get_pending_auctions", page([BOOK]))
case("IAuctionRepository.search_auctions_by_name", page(ids(9, 10)))
case("IAuctionRepository.get_auctions_by_ids", {"items": [AUCTION, BOOK], "missing": []})
case("IAuctionRepository.get_auctions_ending_soon", page([AUCTION]))
case("IAuctionRepository.get_auctions_starting_soon", page([BOOK]))
case("IAuctionRepository.get_expired_auctions", page([]))
case(
    "IAuctionRepository.create_auction",
    {
        "changed": True,
        "item": {
            "id": 11,
            "name": "Subasta",
            "status": "pending",
            "min_bid_increment": 10,
            "auto_extend_minutes": 5,
            "duration_minutes": 1440,
            "start_at": None,
            "end_at": None,
        },
    },
    then=[
        ("auction.list", {"status": "pending"}, page(ids(10, 11))),
        ("auction.start", {"auction_id": 11}, {"changed": True}),
        ("auction.get", {"id": 11}, lambda a: a["status"] == "active" and a["end_at"] == a["start_at"] + 1440 * MINUTE),
    ],
)
case(
    "IAuctionRepository.update_auction",
    {"changed": True, "item": dict(AUCTION, description="Nueva")},
    then=[("auction.list", {"query": "nueva"}, page(ids(9)))],
)
case(
    "IAuctionRepository.delete_auction",
    {"changed": True},
    given=[("auction.end", {"auction_id": 9})],
    then=[
        ("auction.get_many", {"ids": [9]}, {"items": [], "missing": [9]}),
        ("auction.list", {"kind": "bid", "user_id": 456}, page([])),
        balance(456, balance=950, held=0),
    ],
)
case(
    "IAuctionRepository.start_auction",
    {"changed": True, "version": 2},
    params=lambda p, w: dict(p, auction_id=10),  # 9 has started
    then=[
        ("auction.get", {"id": 10}, {"status": "active", "start_at": some, "time_left_ms": at_most_a_day}),
        ("auction.list", {"status": "active"}, page(ids(9, 8, 10))),
    ],
)
case(
    "IAuctionRepository.end_auction",
    {
        "auction": dict(AUCTION, status="ended", winner_id=456, ended_at=some),
        "winning_bid": dict(BID, status="won", hold_id=None),
    },
    then=[
        balance(456, balance=950, held=0, available=950),
        bid_says(status="won"),
        ("auction.stats", {"user_id": 456}, {"won": 1, "spent": 50, "win_rate": 100.0}),
    ],
)
case(
    "IAuctionRepository.cancel_auction",
    {"changed": True},
    then=[
        ("auction.get", {"id": 9}, {"status": "cancelled", "winner_id": None, "ended_at": some}),
        balance(456, balance=1000, held=0),
        bid_says(status="released", is_winning=False, hold_id=None),
    ],
)
case(
    "IAuctionRepository.extend_auction",
    {"changed": True},
    then=[
        ("auction.get", {"id": 9}, {"extensions": 1, "time_left_ms": lambda ms: ms > 60 * MINUTE}),
        (
            "log.read",
            {"types": ["auction.extended"], "order": "desc", "limit": 1},
            {"items": extended_by(30)},
        ),
        ("auction.list", {"ends_within_minutes": 60}, page([])),
    ],
)

# ---- bids

case("IAuctionRepository.get_bid_by_id", dict(BID, hold_id=some))
case("IAuctionRepository.get_auction_bids", page([BID]))
case("IAuctionRepository.get_highest_bid", page([BID]))
case(
    "IAuctionRepository.get_user_bids",
    page(
        lambda items: [(i["id"], i["amount"], i["status"]) for i in items]
        == [(75, 9, "outbid"), (73, 7, "outbid"), (71, 5, "outbid"), (69, 3, "outbid"), (67, 1, "outbid")]
    ),
)
case(
    "IAuctionRepository.get_user_auction_bids",
    page([{"id": 78, "amount": 60, "status": "leading"}]),
    given=[("auction.bid", {"auction_id": 9, "user_id": 123, "amount": 60})],
)
case(
    "IAuctionRepository.create_bid",
    {
        "bid": {"id": 78, "user_id": 123, "amount": 60, "status": "leading", "hold_id": some},
        "auction": dict(
            AUCTION,
            current_bid=60,
            min_next_bid=65,
            highest_bidder_id=123,
            winning_bid_id=78,
            bid_count=2,
            participant_count=3,
        ),
        "held": 60,
        "available": 345,
        "outbid_user_id": 456,
    },
    then=[
        balance(123, balance=405, held=60, available=345),
        balance(456, balance=1000, held=0),
        bid_says(status="outbid", is_winning=False, hold_id=None),
        participants(456, 789, 123),
    ],
)
case(
    "IAuctionRepository.update_winning_bid",
    {"changed": True},
    then=[
        (
            "auction.get",
            {"id": 9},
            dict(AUCTION, current_bid=0, min_next_bid=50, highest_bidder_id=None, winning_bid_id=None),
        ),
        balance(456, balance=1000, held=0),
        bid_says(status="retracted", is_winning=False, hold_id=None),
        ("auction.list", {"kind": "bid", "auction_id": 9, "sort": "amount"}, page([])),
    ],
)

# ---- participants

case(
    "IAuctionRepository.get_auction_participants",
    page(
        [
            participant(user_id=456, notifications_enabled=True, highest_bid=50, bids=1),
            participant(user_id=789, notifications_enabled=False),
        ]
    ),
)
case("IAuctionRepository.get_participants_with_notifications", page(ids(456, key="user_id")))
case(
    "IAuctionRepository.add_auction_participant",
    {"changed": True},
    then=[
        participants(456, 789, 123),
        (
            "auction.get",
            {"kind": "participant", "auction_id": 9, "user_id": 123},
            participant(notifications_enabled=True, joined_at=some),
        ),
    ],
)
case(
    "IAuctionRepository.remove_auction_participant",
    {"changed": True},
    given=[JOIN],
    then=[participants(456, 789), ("auction.list", {"user_id": 123, "state": "joined"}, page(ids(8)))],
)
case(
    "IAuctionRepository.is_user_participating",
    dict(AUCTION, participant_count=3, user={"participating": True, "leads": False, "highest_bid": 0, "can_bid": True}),
    given=[JOIN],
)
case(
    "IAuctionRepository.get_user_participated_auctions",
    page([{"id": 8, "user": {"participating": True, "leads": False, "highest_bid": 9}}]),
)
case(
    "IAuctionRepository.enable_notifications_for_participant",
    {"changed": True, "item": participant(notifications_enabled=True)},
    given=[JOIN_QUIETLY],
    then=[participants(456, 123, notifications_enabled=True)],
)
case(
    "IAuctionRepository.disable_notifications_for_participant",
    {"changed": True, "item": participant(notifications_enabled=False)},
    given=[JOIN],
    then=[participants(456, notifications_enabled=True)],
)
case(
    "IAuctionRepository.update_last_notified",
    {"changed": True, "item": participant(last_notified_at=some)},
    given=[JOIN],
    then=[("auction.get", {"kind": "participant", "auction_id": 9, "user_id": 123}, {"last_notified_at": some})],
)

# ---- statistics and the rest

case(
    "IAuctionRepository.get_auction_statistics",
    {
        "status": "active",
        "bids": 1,
        "bidders": 1,
        "participants": 2,
        "initial_price": 50,
        "current_bid": 50,
        "price_increase": 0,
        "average_bid": 50,
        "first_bid_at": some,
        "time_left_ms": some,
        "winner_id": None,
    },
)
case(
    "IAuctionRepository.get_user_auction_statistics",
    {"joined": 1, "bids": 5, "auctions_bid": 1, "leading": 0, "won": 0, "spent": 0, "held": 0, "highest_bid": 9},
)
case(
    "IAuctionRepository.get_global_auction_statistics",
    {
        "by_status": {"pending": 1, "active": 2, "ended": 6, "cancelled": 1},
        "total": 10,
        "bids": 77,
        "bidders": 6,
        "participants": 16,
        "points_captured": 55,
        "points_held": 60,
        "average_final_price": 11,
        "highest_final_price": 11,
        "average_bids": 7.7,
        "without_winner": 1,
    },
)
case(
    "IAuctionRepository.get_auction_activity_summary",
    {
        "created": 10,
        "started": 9,
        "ended": 6,
        "cancelled": 1,
        "bids": 77,
        "bidders": 6,
        "points_captured": 55,
        "per_day": lambda days: len(days) == 30 and sum(day["bids"] for day in days) == 77,
    },
)
case(
    "IAuctionRepository.cleanup_old_ended_auctions",
    {"count": 0, "more": False},  # none is that old
    then=[
        ("server.cleanup", {"target": "auctions", "days": 0}, {"count": 7, "more": False, "changed": True}),
        ("auction.list", {}, page(ids(10, 9, 8))),
        ("auction.list", {"kind": "bid", "user_id": 2003}, page([])),
        ("auction.stats", {}, {"total": 10, "bids": 77, "points_captured": 55}),
    ],
)
case(
    "query_optimization.create_recommended_indexes",
    {"rebuilt": ["auction"]},
    then=[("auction.get", {"id": 9}, AUCTION)],
)
