"""The story: fragments, lore, and each user's way."""

from expect import as_another, case, ids, some

START = {
    "id": "start",
    "title": "Inicio",
    "type": "decision",
    "choices": [{"text": "Entrar"}, {"text": "Volver"}, {"text": "Perderse"}],
}
HALL = {
    "id": "hall",
    "title": "El vestíbulo",
    "type": "story",
    "required_lore": ["pista_2"],
    "unlocks_lore": ["pista_3"],
}
PISTA_1 = {
    "id": "pista_1",
    "title": "Pista 1",
    "content_type": "text",
    "content": "pista_1.txt",
    "category": "secretos",
}
CLUES = ["pista_2", "pista_4", "pista_7"]

STORY = {
    "id": 123,
    "current_fragment_id": "start",
    "visited": ["prologo", "start"],
    "completed": ["prologo"],
    "lore": CLUES,
    "granted": [],
    "progress_percentage": 100 / 3,
}


def story_says(**wanted):
    return ("narrative.get", {"kind": "story", "id": 123}, wanted)


# ---- fragments

case("INarrativeRepository.get_fragment_by_id", dict(START, visits=3, completions=1, current_users=2))
case("INarrativeRepository.get_active_fragments", {"items": ids("hall", "prologo", "start"), "next": None})
case("INarrativeRepository.get_fragments_by_type", {"items": ids("hall", "prologo"), "next": None})
case(
    "INarrativeRepository.create_fragment",
    {
        "item": {
            "id": "start_2",
            "title": "Inicio",
            "character": "Lucien",
            "choices": [{"next_fragment_id": "hall", "cost_points": 0}],
        }
    },
    params=as_another("start_2"),
    then=[("narrative.get", {"id": "start_2"}, {"type": "decision", "visits": 0})],
)
case(
    "INarrativeRepository.update_fragment",
    {"changed": True, "item": dict(START, title="El inicio")},
    then=[("narrative.list", {"sort": "updated_at", "limit": 1}, {"items": [{"id": "start", "title": "El inicio"}]})],
)
case(
    "INarrativeRepository.delete_fragment",
    {"changed": True},
    then=[
        ("narrative.get_many", {"ids": ["start"]}, {"items": [], "missing": ["start"]}),
        story_says(current_fragment_id="start", current_missing=True, visited=["prologo"]),
    ],
)
case("INarrativeRepository.search_fragments_by_content", {"items": ids("start"), "next": None})
case("INarrativeRepository.get_fragment_access_requirements", dict(HALL, min_points=0, required_role=None))
case(
    "INarrativeRepository.can_user_access_fragment",
    dict(
        HALL, user={"access": {"allowed": True, "missing": {"lore": [], "points": 0, "role": None}}, "visited_at": None}
    ),
    then=[
        (
            "narrative.get",
            {"id": "hall", "user_id": 456},
            {"user": {"access": {"allowed": False, "missing": {"lore": ["pista_2"]}}}},
        )
    ],
)
case(
    "SqlNarrativeRepository.get_fragment_popularity_stats",
    {"items": [{"id": "start", "visits": 3}, {"id": "prologo", "visits": 1}, {"id": "hall", "visits": 1}]},
)

# ---- lore

case("INarrativeRepository.get_lore_piece_by_code", dict(PISTA_1, unlocks=0))
case(
    "INarrativeRepository.get_active_lore_pieces",
    {"items": ids(*("pista_%d" % n for n in (1, 2, 3, 4, 5, 7, 8))), "next": None},
)
case("INarrativeRepository.get_lore_pieces_by_category", {"items": ids("pista_1", "pista_2"), "next": None})
case(
    "INarrativeRepository.create_lore_piece",
    {"item": {"id": "llave", "title": "La llave", "content_type": "text", "is_active": True, "unlocks": 0}},
    params=as_another("llave"),
    then=[("narrative.list", {"kind": "lore", "query": "llave"}, {"items": ids("llave")})],
)
case(
    "INarrativeRepository.update_lore_piece",
    {"changed": True, "item": dict(PISTA_1, category="llaves")},
    then=[("narrative.list", {"kind": "lore", "category": "llaves"}, {"items": ids("pista_1", "pista_8")})],
)
case(
    "services.delete_lore_piece",
    {"changed": True},
    given=[("narrative.unlock_lore", {"user_id": 123, "lore_id": "pista_1"})],
    then=[
        ("narrative.get_many", {"kind": "lore", "ids": ["pista_1"]}, {"items": [], "missing": ["pista_1"]}),
        story_says(lore=CLUES),
    ],
)
case(
    "INarrativeRepository.get_user_unlocked_lore",
    {
        "items": lambda items: {i["id"]: i["user"]["context"] for i in items}
        == {"pista_%d" % n: {"n": n} for n in (2, 4, 7)}
    },
)
case(
    "INarrativeRepository.unlock_lore_for_user",
    {"changed": True},
    then=[
        (
            "narrative.list",
            {"kind": "unlock", "user_id": 123, "limit": 1},
            {"items": [{"lore_id": "pista_1", "source": "manual"}]},
        ),
        ("narrative.get", {"kind": "lore", "id": "pista_1"}, {"unlocks": 1}),
    ],
)
case(
    "INarrativeRepository.has_user_unlocked_lore",
    dict(PISTA_1, user={"unlocked_at": some, "context": None}),
    given=[("narrative.unlock_lore", {"user_id": 123, "lore_id": "pista_1"})],
    then=[("narrative.get", {"kind": "lore", "id": "pista_1", "user_id": 456}, {"user": {"unlocked_at": None}})],
)
case(
    "services.combine hints",
    {"changed": True, "lore": {"id": "pista_8", "title": "El mapa", "unlocks": 1}},
    then=[
        story_says(lore=CLUES + ["pista_8"]),
        ("narrative.stats", {"lore_id": "pista_8"}, {"unlocks": 1, "by_source": {"combination": 1}}),
    ],
)

# ---- each user's way

case("INarrativeRepository.get_user_narrative_state", dict(STORY, decisions=0, karma=0, current_missing=False))
case(
    "INarrativeRepository.create_user_narrative_state",
    {"changed": True, "first_visit": True, "fragment": START, "story": {"id": 123, "visited": ["start"], "lore": []}},
    given=[("user.delete", {"id": 123}), ("user.create", {"id": 123})],
    then=[story_says(current_fragment_id="start", fragments_visited=1, completed=[])],
)
for name in ("update_user_narrative_state", "add_visited_fragment"):
    case(
        "INarrativeRepository." + name,
        {
            "changed": True,
            "first_visit": True,
            "fragment": HALL,
            "story": {"visited": ["prologo", "start", "hall"]},
            "points": 0,
        },
        then=[
            story_says(current_fragment_id="hall", fragments_visited=3),
            ("narrative.get", {"id": "hall"}, {"visits": 2, "current_users": 2}),
        ],
    )
case("INarrativeRepository.get_user_visited_fragments", {"items": ids("prologo", "start"), "next": None})
case(
    "INarrativeRepository.get_user_completed_fragments",
    {"items": [{"id": "prologo", "user": {"completed_at": some, "current": False}}], "next": None},
)
case(
    "INarrativeRepository.add_completed_fragment",
    {
        "first_visit": True,
        "points": 5,
        "story": {"current_fragment_id": "start", "completed": ["prologo", "hall"], "progress_percentage": 200 / 3},
        "unlocked": [{"kind": "lore", "id": "pista_3"}],
    },
    then=[
        (
            "mission.get",
            {"kind": "progress", "user_id": 123, "mission_id": "m3"},
            {"completed": True, "fragments": ["hall"]},
        ),
        ("narrative.stats", {"fragment_id": "hall"}, {"completions": 1, "points_paid": 5}),
    ],
)
case(
    "INarrativeRepository.get_user_progress_percentage",
    {"progress_percentage": 100 / 3, "visited": 2, "completed": 1, "lore": 3, "karma": 0, "decisions": 0},
)
case(
    "INarrativeRepository.get_narrative_statistics",
    {
        "fragments": 4,
        "active": 3,
        "inactive": 1,
        "by_type": {"story": 2, "decision": 1, "info": 1},
        "with_choices": 1,
        "users_in_story": 3,
        "decisions": 1,
        "lore": 8,
        "lore_active": 7,
        "lore_unlocks": 5,
        "lore_categories": 3,
        "by_category": {"llaves": 1, "memorias": 5, "secretos": 2},
    },
)
case(
    "SqlNarrativeRepository.get_user_narrative_journey",
    {"items": [{"fragment_id": "prologo", "completed_at": some}, {"fragment_id": "start", "completed_at": None}]},
)
case(
    "services.process_user_decision / process_decision_with_points",
    {"cost": 5, "points": 2, "fragment": HALL, "story": {"current_fragment_id": "hall", "karma": 1, "decisions": 1}},
    then=[
        ("point.get", {"id": 123}, {"balance": 402}),
        (
            "narrative.list",
            {"kind": "decision", "user_id": 123},
            {"items": [{"fragment_id": "start", "choice_text": "Entrar", "next_fragment_id": "hall"}]},
        ),
        story_says(completed=["prologo", "start"], visited=["prologo", "start", "hall"]),
    ],
)
case(
    "services.reset_user_progress",
    {"changed": True},
    then=[story_says(current_fragment_id=None, visited=[], completed=[], lore=[], karma=0, progress_percentage=0.0)],
)
