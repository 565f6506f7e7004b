"""Trivia, minigames, challenges, promotional events, raffles, and the generic rows that are about them."""

from expect import at_least, case, every, ids, page, some

MINUTE = 60000


def answered(**more):
    return dict({"user_answer": "B", "is_correct": True, "answered_at": some}, **more)


# ---- trivia

TRIVIA = {
    "id": 3,
    "title": "Trivia 3",
    "reward_points": 10,
    "unlocks_lore_id": "pista_1",
    "pass_score": 2,
    "is_active": True,
    "question_count": 3,
    "attempts": 4,
}
QUESTION = {
    "id": 31,
    "trivia_id": 3,
    "question_type": "multiple_choice",
    "options": {"A": "no", "B": "sí"},
    "correct_answer": "B",
    "position": 0,
}
ATTEMPT = {
    "id": 55,
    "user_id": 123,
    "trivia_id": 3,
    "status": "open",
    "score": 1,
    "total_questions": 3,
    "passed": None,
    "rewarded": False,
    "completed_at": None,
}
PASSED = dict(ATTEMPT, status="finished", score=2, passed=True, rewarded=True, completed_at=some)
ANSWER = ("game.answer", {"attempt_id": 55, "question_id": 31, "answer": "B"})


def without_answers(questions):
    return ids(31, 32, 33)(questions) and not any("correct_answer" in question for question in questions)


case("IGameRepository.get_trivia_by_id", TRIVIA)
case("IGameRepository.get_active_trivias", page(ids(1, 3)))
case(
    "IGameRepository.create_trivia",
    {
        "changed": True,
        "item": {"id": 4, "title": "Trivia", "reward_points": 10, "is_active": True, "question_count": 0},
    },
    then=[("game.list", {"kind": "trivia", "query": "trivia"}, page(ids(1, 3, 4)))],
)
case(
    "IGameRepository.update_trivia",
    {"changed": True, "item": dict(TRIVIA, is_active=False)},
    then=[
        ("game.list", {"kind": "trivia"}, page(ids(1))),
        ("game.list", {"kind": "trivia", "is_active": False}, page(ids(2, 3))),
    ],
)
case(
    "IGameRepository.delete_trivia",
    {"changed": True},
    then=[
        ("game.get_many", {"kind": "trivia", "ids": [3, 1]}, {"items": ids(1), "missing": [3]}),
        # what had begun goes on, but nothing is paid
        ("game.finish_attempt", {"attempt_id": 55, "score": 3}, {"points": 0, "attempt": {"rewarded": False}}),
    ],
)
case("IGameRepository.get_trivia_questions", page(ids(31, 32, 33)))
case("IGameRepository.get_trivia_question_by_id", QUESTION)
case(
    "IGameRepository.create_trivia_question",
    {"changed": True, "item": dict(QUESTION, id=34, question_text="?", options={"A": "1", "B": "2"})},
    then=[
        ("game.list", {"kind": "question", "trivia_id": 3}, page(ids(31, 34, 32, 33))),
        ("game.get", {"kind": "trivia", "id": 3}, {"question_count": 4}),
    ],
)
case(
    "IGameRepository.update_trivia_question",
    {"changed": True, "item": dict(QUESTION, correct_answer="A")},
    then=[ANSWER + ({"is_correct": False, "score": 1},)],
)
case(
    "IGameRepository.delete_trivia_question",
    {"changed": True},
    then=[
        ("game.list", {"kind": "question", "trivia_id": 3}, page(ids(32, 33))),
        ("game.get", {"kind": "attempt", "id": 55}, ATTEMPT),
    ],
)
case(
    "IGameRepository.create_trivia_attempt",
    {"changed": True, "attempt": dict(ATTEMPT, id=56, score=0), "questions": without_answers},
    given=[("game.finish_attempt", {"attempt_id": 55})],
    then=[
        ("game.list", {"kind": "attempt", "user_id": 123, "status": "open"}, page(ids(56))),
        # a second one is not begun beside it
        ("game.start_attempt", {"user_id": 123, "trivia_id": 3}, {"changed": False, "attempt": {"id": 56}}),
    ],
)
case("IGameRepository.get_user_trivia_attempts", page([ATTEMPT, {"id": 54, "score": 4, "passed": False}]))
for name in ("get_trivia_attempt_by_id", "get_attempt_answers"):
    case("IGameRepository.%s" % name, dict(ATTEMPT, answers=[answered(question_id=32)]))
case(
    "IGameRepository.update_trivia_attempt_score",
    {"changed": True, "item": dict(ATTEMPT, score=2)},
    then=[("game.finish_attempt", {"attempt_id": 55}, {"attempt": PASSED, "points": 10})],
)
case(
    "IGameRepository.complete_trivia_attempt",
    {"attempt": PASSED, "points": 10, "unlocked": [{"kind": "lore", "id": "pista_1"}]},
    given=[ANSWER],
    then=[
        ("point.get", {"id": 123}, {"balance": 415}),
        ("game.stats", {"trivia_id": 3}, {"finished": 4, "passed": 1, "pass_rate": 25, "points_paid": 10}),
        ("game.get", {"kind": "trivia", "id": 3, "user_id": 123}, {"user": {"best_score": 2, "rewarded_at": some}}),
    ],
)
case(
    "IGameRepository.record_trivia_answer",
    {"is_correct": True, "score": 2, "remaining": 1},
    then=[
        (
            "game.get",
            {"kind": "attempt", "id": 55},
            dict(ATTEMPT, score=2, answers=[answered(question_id=32), answered(question_id=31)]),
        )
    ],
)

# ---- minigames

PLAYED = [
    ("game.play", {"user_id": 123, "game_type": "roulette", "score": 3}),
    ("game.play", {"user_id": 123, "game_type": "roulette", "score": 6}),
]
PLAY = {"user_id": 123, "game_type": "roulette"}
PAID = dict(PLAY, score=6, is_free=False, cost_points=5, reward_points=6)


def free_play(play):
    return play["is_free"] and play["cost_points"] == 0 and 1 <= play["score"] == play["reward_points"] <= 6


case(
    "IGameRepository.record_minigame_play",
    {"play": free_play, "balance": at_least(406), "next_free_at": some},
    then=[
        (
            "game.list",
            {"kind": "play", "user_id": 123, "game_type": "roulette"},
            {"items": every(**PLAY), "free_available": False, "next_free_at": some},
        )
    ],
)
case(
    "services.play_roulette",
    {"play": dict(PLAY, score=4, reward_points=4, is_free=True), "balance": 409},
    then=[("point.list", {"kind": "transaction", "user_id": 123, "source": "minigame"}, page([{"amount": 4}]))],
)
case(
    "IGameRepository.get_user_minigame_history",
    page([PAID, dict(PLAY, score=3, is_free=True, cost_points=0)], free_available=False),
    given=PLAYED,
)
case("IGameRepository.get_last_minigame_play", {"items": [PAID], "next": some}, given=PLAYED)
case(
    "IGameRepository.can_user_play_free_game",
    lambda got: not got["free_available"] and got["next_free_at"] == got["items"][0]["used_at"] + 24 * 60 * MINUTE,
    given=PLAYED[:1],
    then=[
        ("game.list", {"kind": "play", "user_id": 456, "game_type": "roulette"}, page([], free_available=True)),
    ],
)

# ---- challenges

CHALLENGE = {
    "id": 4,
    "name": "Reto",
    "type": "weekly",
    "goal_type": "messages",
    "goal_value": 50,
    "reward_points": 100,
    "penalty_points": 0,
    "status": "open",
    "user_id": None,
    "participants": 2,
    "completions": 0,
}
PROGRESS = {"user_id": 123, "challenge_id": 4, "value": 7, "completed": False, "completed_at": None, "percentage": 14}

case("IGameRepository.get_challenge_by_id", CHALLENGE)
case("IGameRepository.get_active_challenges", page([CHALLENGE, {"id": 2, "goal_type": "checkins", "completions": 1}]))
case("IGameRepository.get_challenges_by_type", page([CHALLENGE, {"id": 3, "type": "weekly", "status": "scheduled"}]))
case(
    "IGameRepository.create_challenge",
    {
        "changed": True,
        "item": {"id": 5, "type": "weekly", "status": "open", "goal_value": 50, "reward_points": 100, "completions": 0},
    },
    then=[
        ("game.list", {"kind": "challenge"}, page(ids(4, 2, 5))),
        ("user.record_activity", {"user_id": 123, "action": "message"}, {"recorded": True}),
        ("game.get", {"kind": "progress", "user_id": 123, "challenge_id": 5}, {"value": 1, "percentage": 2}),
    ],
)
case(
    "IGameRepository.update_challenge",
    {"changed": True, "item": dict(CHALLENGE, name="Semana grande")},
    then=[("game.get", {"kind": "challenge", "id": 4}, {"name": "Semana grande"})],
)
case(
    "IGameRepository.delete_challenge",
    {"changed": True},
    then=[
        ("game.get_many", {"kind": "challenge", "ids": [4]}, {"items": [], "missing": [4]}),
        ("game.list", {"kind": "progress", "user_id": 123}, page(ids(2, key="challenge_id"))),
    ],
)
case("IGameRepository.get_user_challenge_progress", PROGRESS)
case("IGameRepository.get_user_all_challenge_progress", page([PROGRESS, {"challenge_id": 2, "value": 3}]))
case(
    "IGameRepository.update_challenge_progress",
    {"progress": dict(PROGRESS, value=20, percentage=40), "completed": False, "points": 0},
    then=[("game.get", {"kind": "challenge", "id": 4, "user_id": 123}, {"user": {"value": 20}})],
)
case(
    "services.increment_challenge_progress",
    {"progress": dict(PROGRESS, value=8, percentage=16), "completed": False, "points": 0},
    then=[("game.get", {"kind": "progress", "user_id": 123, "challenge_id": 4}, {"value": 8})],
)
case(
    "IGameRepository.complete_user_challenge",
    {
        "progress": dict(PROGRESS, value=50, percentage=100, completed=True, completed_at=some),
        "completed": True,
        "points": 100,
    },
    then=[
        ("point.get", {"id": 123}, {"balance": 505}),
        ("game.stats", {"challenge_id": 4}, {"completions": 1, "completion_rate": 50, "points_paid": 100}),
        ("game.list", {"kind": "challenge", "user_id": 123, "state": "completed"}, page(ids(4))),
    ],
)


def reaction(message_id, **wanted):
    params = {"channel_id": -1001234, "message_id": message_id, "user_id": 123, "emoji": "👍"}
    return ("channel.react", params, wanted)


case(
    "services.start_reaction_challenge",
    {
        "item": lambda c: c["user_id"] == 123
        and (c["type"], c["status"], c["reward_points"], c["penalty_points"]) == ("personal", "open", 5, 2)
        and c["end_at"] == c["start_at"] + 10 * MINUTE
    },
    then=[
        reaction(61, challenges_completed=[]),
        reaction(62, challenges_completed=[], throttled=True),
        reaction(63, challenges_completed=[5], points=5),
    ],
)

# ---- promotional events

EVENT = {"id": 2, "name": "Temporada", "multiplier": 1, "status": "active", "end_at": some, "ended_at": None}


def award(paid):
    """10 points, multiplied."""
    return ("point.award", {"user_id": 456, "amount": 10}, {"balance": 1000 + paid})


case("IGameRepository.get_event_by_id", EVENT)
case("IGameRepository.get_active_events", page([EVENT], multiplier=1))
case(
    "IGameRepository.get_current_point_multiplier",
    {"items": [{"id": 3, "multiplier": 4}], "multiplier": 12},
    given=[
        ("game.update", {"kind": "event", "id": 2, "multiplier": 3}),
        ("game.create", {"kind": "event", "name": "Más", "multiplier": 4}),
    ],
    then=[award(120), ("game.stats", {}, {"point_multiplier": 12, "events": {"active": 2}})],
)
case(
    "IGameRepository.create_event",
    {"item": {"id": 3, "name": "Doble", "multiplier": 2, "status": "active", "end_at": 4102444800000}},
    then=[award(20)],
)
case("IGameRepository.update_event", {"changed": True, "item": dict(EVENT, multiplier=3)}, then=[award(30)])
case(
    "IGameRepository.end_event",
    {"changed": True, "item": dict(EVENT, multiplier=3, status="ended", ended_at=some)},
    given=[("game.update", {"kind": "event", "id": 2, "multiplier": 3})],
    then=[
        award(10),
        ("game.list", {"kind": "event"}, page([], multiplier=1)),
        ("game.list", {"kind": "event", "status": "ended"}, page(ids(2, 1))),
    ],
)

# ---- raffles

RAFFLE = {"id": 6, "name": "Sorteo 6", "prize": "Cena", "is_active": True, "winner_id": None, "entry_count": 2}


def entered(user_id, position, raffle_id=6):
    return {"raffle_id": raffle_id, "user_id": user_id, "position": position, "created_at": some}


def drawn(user_id):
    return user_id in (456, 789)


def recorded(items):
    data = items[0]["data"]
    return data["drawn"] and data["entry_count"] == 2 and data["winner_position"] == {456: 1, 789: 2}[data["winner_id"]]


case("IGameRepository.get_raffle_by_id", RAFFLE)
case("IGameRepository.get_active_raffles", page(ids(6, 5, 4, 2)))
case(
    "IGameRepository.create_raffle",
    {"changed": True, "item": {"id": 7, "name": "Sorteo", "prize": "Cena", "is_active": True, "entry_count": 0}},
    then=[("game.list", {"kind": "raffle"}, page(ids(7, 6, 5, 4, 2)))],
)
case(
    "IGameRepository.update_raffle",
    {"changed": True, "item": dict(RAFFLE, prize="Viaje")},
    then=[("game.get", {"kind": "raffle", "id": 6}, {"prize": "Viaje"})],
)
for name in ("end_raffle", "get_random_raffle_winner"):
    case(
        "IGameRepository.%s" % name,
        {"changed": True, "item": dict(RAFFLE, is_active=False, winner_id=drawn, ended_at=some)},
        then=[
            ("log.read", {"types": ["game.raffle_ended"], "order": "desc", "limit": 1}, {"items": recorded}),
            ("game.list", {"kind": "raffle"}, page(ids(5, 4, 2))),
        ],
    )
case(
    "IGameRepository.enter_raffle",
    {"changed": True, "entry": entered(123, 3)},
    then=[("game.list", {"kind": "entry", "user_id": 123}, page([entered(123, 3), entered(123, 2, raffle_id=2)]))],
)
case("IGameRepository.get_raffle_entries", page([entered(456, 1), entered(789, 2)]))
case("IGameRepository.get_user_raffle_entries", page([entered(123, 2, raffle_id=2)]))
case(
    "IGameRepository.is_user_in_raffle",
    dict(RAFFLE, entry_count=3, user={"entered": True, "position": 3, "created_at": some}),
    given=[("game.enter_raffle", {"raffle_id": 6, "user_id": 123})],
    then=[("game.get", {"kind": "raffle", "id": 5, "user_id": 123}, {"user": {"entered": False, "position": None}})],
)

# ---- statistics

case(
    "IGameRepository.get_trivia_statistics",
    {
        "questions": 3,
        "attempts": 4,
        "finished": 3,
        "users": 4,
        "passed": 0,
        "pass_rate": 0,
        "average_score": 1 / 3,
        "max_score": 1,
        "points_paid": 0,
        "per_question": [
            {"question_id": 31, "answers": 1, "correct": 1, "correct_rate": 100},
            {"question_id": 32, "answers": 2, "correct": 1, "correct_rate": 50},
            {"question_id": 33, "answers": 0, "correct": 0, "correct_rate": 0},
        ],
    },
)
USER = {
    "trivia": {
        "attempts": 2,
        "finished": 1,
        "passed": 0,
        "answers": 1,
        "correct": 1,
        "correct_rate": 100,
        "best_score": 4,
        "points": 0,
    },
    "challenges": {"joined": 2, "completed": 0},
    "raffles": {"entered": 1, "won": 0},
}
case("IGameRepository.get_user_trivia_statistics", USER)
case(
    "IGameRepository.get_user_minigame_statistics",
    dict(
        USER,
        minigames={
            "plays": 2,
            "free": 1,
            "paid": 1,
            "spent": 5,
            "won": 9,
            "net": 4,
            "by_type": {"roulette": 2},
        },
    ),
    given=PLAYED,
)
case(
    "IGameRepository.get_minigame_statistics",
    {"plays": 2, "free": 1, "paid": 1, "users": 1, "spent": 5, "won": 6, "average_score": 3, "last_used_at": some},
)
case(
    "IGameRepository.get_challenge_statistics",
    {
        "participants": 2,
        "completions": 0,
        "completion_rate": 0,
        "average_value": (7 + 49) / 2,
        "max_value": 49,
        "points_paid": 0,
    },
)
case(
    "IGameRepository.get_global_game_statistics",
    {
        "trivias": 3,
        "attempts": 55,
        "plays": 3,
        "challenges": {"open": 2, "closed": 1},
        "events": {"active": 1},
        "raffles": {"active": 4, "ended": 2},
        "entries": 6,
        "points_paid": 3 + 3 + 4 + 2 + 6,
        "points_spent": 5,
        "point_multiplier": 1,
    },
)
