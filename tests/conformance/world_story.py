"""Missions, the story, achievements and badges of the world.

Where lists go by time of creation and then by id, things are made in the order of their ids: two of them may have the
same millisecond.
"""


class Story:
    """Part of World. 123 is in the middle of things; 456 and 789 have been there already."""

    def story(self):
        self.lore()
        self.fragments()
        self.missions()
        self.ways()
        self.awards()

    def lore(self):
        call = self.call
        for n in range(1, 8):
            call(
                "narrative.create",
                kind="lore",
                id="pista_%d" % n,
                title="Pista %d" % n,
                content_type="image" if n == 3 else "text",
                content="pista_%d.txt" % n,
                category="secretos" if n in (1, 2) else "memorias",
                is_active=n != 6,
            )
        call(
            "narrative.create",
            kind="lore",
            id="pista_8",
            title="El mapa",
            description="Tres pistas hacen un mapa",
            content_type="text",
            content="...",
            category="llaves",
            combinations=[["pista_2", "pista_4", "pista_7"]],
        )
        for n in (2, 4, 7):
            call("narrative.unlock_lore", user_id=123, lore_id="pista_%d" % n, context={"n": n})
        call("narrative.unlock_lore", user_id=789, lore_id="pista_2", source="tienda")

    def fragments(self):
        call = self.call
        call(
            "narrative.create",
            id="hall",
            title="El vestíbulo",
            content="Un reloj parado",
            type="story",
            required_lore=["pista_2"],
            reward_points=5,
            unlocks_lore=["pista_3"],
        )
        call("narrative.create", id="prologo", title="Prólogo", content="Una carta", type="story")
        call(
            "narrative.create",
            id="start",
            title="Inicio",
            content="La puerta de la Mansión",
            type="decision",
            choices=[
                {"text": "Entrar", "next_fragment_id": "hall", "cost_points": 5, "reward_points": 2, "karma": 1},
                {"text": "Volver", "next_fragment_id": "prologo", "required_points": 9000},
                {"text": "Perderse", "next_fragment_id": "nowhere"},
            ],
        )
        call("narrative.create", id="sotano", title="Sótano", content="Cerrado", type="info", is_active=False)

    def missions(self):
        call = self.call
        call(
            "mission.create",
            id="m1",
            name="Diez mensajes",
            action="message",
            target_value=10,
            reward_points=20,
            reward_lore=["pista_5"],
            reward_badges=[9],
            position=1,
        )
        call("mission.create", id="m2", name="Reacciones", type="weekly", action="reaction", target_value=5, position=2)
        call(
            "mission.create",
            id="m3",
            name="Ver el vestíbulo",
            type="main",
            requirements={"fragments": ["hall"]},
            position=3,
        )
        call("mission.create", id="m4", name="Comentar", type="daily", action="comment", position=4)
        call("mission.create", id="m5", name="Otra época", is_active=False, position=5)
        call("mission.advance", user_id=123, mission_id="m1", by=2)
        call("mission.advance", user_id=123, mission_id="m2")
        call("mission.advance", user_id=456, mission_id="m1", to=4)
        call("mission.complete", user_id=789, mission_id="m1", force=True)

    def ways(self):
        call = self.call
        call("narrative.complete", user_id=123, fragment_id="prologo")
        call("narrative.visit", user_id=123)
        call("narrative.visit", user_id=456)
        call("narrative.visit", user_id=789)
        call("narrative.choose", user_id=789, choice_index=0)

    def awards(self):
        call = self.call
        call("achievement.create", id="z_ahorrador", name="Ahorrador", condition_type="points", condition_value=800)
        call("achievement.create", kind="badge", name="Mecenas", grants_vip=True, vip_duration_days=7)  # 11
        call("achievement.create", kind="badge", name="Fundadora", revocable=False)  # 12
        call("achievement.unlock", user_id=123, achievement_id="first_message")
        call("achievement.award_badge", user_id=456, badge_id=7)
        call("achievement.award_badge", user_id=789, badge_id=11)
        call("achievement.award_badge", user_id=1, badge_id=12)
