"""Channels, auctions, games and invitations of the world.

Where lists go by time of creation and then by id, things are made in the order of their ids: two of them may have the
same millisecond.
"""

import time

BIDDERS = range(2001, 2005)  # people with 90 points, who have been everywhere before
FREE, VIP, CHALLENGES = -1001234, -1005678, -1009999  # channels
SHORTLY_MS = 2000  # how long things live that have ended when the world is ready
HOUR = 3600000
DAY = 24 * HOUR


def now_ms():
    return int(time.time() * 1000)


class Market:
    """Part of World. 123 is about to begin most things; the bidders have been there, 456 leads auction 9."""

    def market(self):
        self.c.pipeline([("point.award", {"user_id": u, "amount": 90}) for u in BIDDERS])
        self.tokens()
        self.channels()
        self.auctions()
        self.trivias()
        self.attempts()
        self.challenges()
        self.luck()
        self.await_events({"config.token_expired", "game.challenge_closed"})

    def await_events(self, types):
        """Waits until the log has one event of each type."""
        with self.daemon.client() as follower:
            follower.call("log.subscribe", types=sorted(types), from_seq=1)
            seen = set()
            while not types <= seen:
                _, pushed = follower.notification()
                seen |= {event["type"] for event in pushed.get("items", [])}

    # ---- invitations

    def token(self, created_by, **more):
        return self.call("config.create", kind="token", created_by=created_by, **more)["item"]

    def tokens(self):
        self.token(1, expires_at=now_ms() + SHORTLY_MS)
        plain = self.token(1)
        with_days = self.token(1, vip_days=3)
        mistaken = self.token(456)
        for _ in range(5, 11):
            self.token(456, expires_in_minutes=60 * 24 * 60)
        invitation = self.token(1, vip_days=7, expires_in_minutes=60)
        assert invitation["id"] == 11, invitation
        self.token_string = invitation["token"]
        self.call("config.use_token", token=plain["token"], user_id=2001)
        self.call("config.use_token", token=with_days["token"], user_id=789)
        self.call("config.delete", kind="token", id=mistaken["id"])

    # ---- channels

    def channels(self):
        call = self.call
        call("config.set", entries={"bot.free_channel_wait_minutes": 30})
        call("channel.create", id=CHALLENGES, title="Retos", type="engagement")
        call("channel.create", id=VIP, title="Canal VIP", type="vip", auto_manage_permissions=True)
        call(
            "channel.create",
            id=FREE,
            title="Canal",
            reactions=["👍", "🔥", "💯"],
            reaction_points={"👍": 0.5, "🔥": 2},
        )
        for user_id, channel_id in ((2001, FREE), (2002, FREE), (123, VIP), (456, VIP), (123, FREE)):
            call("channel.create", kind="request", user_id=user_id, channel_id=channel_id)
        call("channel.approve_request", request_id=1, actor="admin:1")
        call("channel.reject_request", request_id=2, reason="spam")
        call("channel.reject_request", request_id=3, reason="solo VIP")
        for user_id, message_id, emoji in ((2001, 55, "👍"), (2002, 55, "🔥"), (2003, 55, "🔥"), (2001, 56, "🔥")):
            call("channel.react", channel_id=FREE, message_id=message_id, user_id=user_id, emoji=emoji)
        call("user.record_activity", user_id=2003, action="post", channel_id=FREE)

    # ---- auctions

    def auction(self, name, created_by, **more):
        self.call("auction.create", name=name, prize_description="Premio", created_by=created_by, **more)

    def bids(self, auction_id, users, count):
        """Bids of 1, 2, ... by these users in turn."""
        for n in range(count):
            self.call("auction.bid", auction_id=auction_id, user_id=users[n % len(users)], amount=n + 1)

    def auctions(self):
        """1, 2 and 6 are sold to 2001, 4 and 5 to 2003, nobody wanted 7; 3 is called off; 8 and 9 go on, 10 is to come."""
        call = self.call
        for n in range(1, 9):
            lot = {"initial_price": 1, "min_bid_increment": 1, "duration_minutes": 1440, "start": True}
            self.auction("Lote %d" % n, created_by=2004 if n == 8 else 1, **lot)
            if n == 8:
                self.bids(n, (123, 2001), 10)
            elif n != 7:
                self.bids(n, (2003, 2004) if n in (4, 5) else (2001, 2002), 11)
            if n == 3:
                call("auction.cancel", auction_id=n, reason="estropeado")
            elif n != 8:
                call("auction.end", auction_id=n)
        painting = {"initial_price": 50, "min_bid_increment": 5, "duration_minutes": 45, "start": True}
        self.auction("Subasta de un cuadro", created_by=2004, **painting)
        call("auction.bid", auction_id=9, user_id=456, amount=50)
        call("auction.join", auction_id=9, user_id=789, notifications_enabled=False)
        book = {"initial_price": 20, "duration_minutes": 1440, "start_at": now_ms() + HOUR // 2}
        self.auction("Subasta de un libro", created_by=1, **book)

    # ---- games

    def game(self, kind, **more):
        return self.call("game.create", kind=kind, **more)["item"]

    def trivias(self):
        """Questions 1 to 15 are of trivia 1, 16 to 30 of trivia 2, 31 to 33 of trivia 3. "B" is right everywhere."""
        for n, count in ((1, 15), (2, 15), (3, 3)):
            questions = [
                {"question_text": "¿%d?" % i, "options": {"A": "no", "B": "sí"}, "correct_answer": "B", "position": i}
                for i in range(count)
            ]
            more = {"pass_score": 2, "unlocks_lore_id": "pista_1"} if n == 3 else {"reward_points": 3}
            self.game("trivia", title="Trivia %d" % n, is_active=n != 2, questions=questions, **more)

    def attempts(self):
        """1 to 50 and 54 are in trivia 1, where 50 passed; 51 to 53 and 55 in trivia 3, where nobody has passed yet."""
        call = self.call
        for n in range(1, 54):
            user_id = BIDDERS[n % len(BIDDERS)]
            attempt = call("game.start_attempt", user_id=user_id, trivia_id=1 if n <= 50 else 3)["attempt"]["id"]
            if n == 52:
                call("game.answer", attempt_id=attempt, question_id=31, answer="B")
                call("game.answer", attempt_id=attempt, question_id=32, answer="A")
            call("game.finish_attempt", attempt_id=attempt, score=15 if n == 50 else None)
        call("game.start_attempt", user_id=123, trivia_id=1)
        call("game.finish_attempt", attempt_id=54, score=4)
        call("game.start_attempt", user_id=123, trivia_id=3)
        call("game.answer", attempt_id=55, question_id=32, answer="B")

    def challenges(self):
        """1 is over, 3 is to come, 2 and 4 are open."""
        call, now = self.call, now_ms()
        windows = (
            ("daily", "reactions", -HOUR, SHORTLY_MS),
            ("monthly", "checkins", -DAY, 20 * DAY),
            ("weekly", "messages", 4 * DAY, 11 * DAY),
            ("weekly", "messages", -DAY, 3 * DAY),
        )
        for kind, goal, start, end in windows:
            self.game(
                "challenge",
                name="Reto",
                type=kind,
                goal_type=goal,
                goal_value=50,
                start_at=now + start,
                end_at=now + end,
                reward_points=3 if goal == "checkins" else None,
            )
        call("game.advance_challenge", user_id=123, challenge_id=2, by=3)
        call("game.complete_challenge", user_id=2004, challenge_id=2)
        call("game.advance_challenge", user_id=123, challenge_id=4, by=7)
        call("game.advance_challenge", user_id=2004, challenge_id=4, to=49)

    def luck(self):
        """What 2003 and 2004 played; promotional events and raffles. Event 2 is active, but leaves awards as they are."""
        call = self.call
        call("game.play", user_id=2003, game_type="roulette", score=4)
        call("game.play", user_id=2003, game_type="roulette", score=2)
        call("game.play", user_id=2004, game_type="dice", score=6)
        self.game("event", name="Relámpago", multiplier=5)
        call("game.end", kind="event", id=1)
        self.game("event", name="Temporada", end_at=now_ms() + 30 * DAY)
        for n in range(1, 7):
            self.game("raffle", name="Sorteo %d" % n, prize="Cena")
        for raffle_id, user_id in ((1, 2001), (1, 2002), (2, 456), (2, 123), (6, 456), (6, 789)):
            call("game.enter_raffle", raffle_id=raffle_id, user_id=user_id)
        call("game.end", kind="raffle", id=1, winner_id=2001)
        call("game.end", kind="raffle", id=3)
