"""
The scripted day: who lives in the community, what they do, and books kept beside the daemon's.

The books are plain Python, written from the rules. They foretell the answer to every command before it is sent.
Points are int thousandths here, as in the daemon, and a number on the wire.
"""

import random
import time

from demo_client import Command

SEED = 1729
PEOPLE, ADMINS, VIPS, BOTS = 300, 3, 24, 3
FIRST_ID = 1001
POINT = 1000

LEVELS = [(1, 0)] + [(n, 500 * (n - 1) * POINT) for n in range(2, 11)]  # the default content's first ten
ACTIVITY = {"message": 1, "poll": 2, "post": 5, "comment": 2, "other": 1}
CHECKIN, GIFT, VIP_FACTOR, PARTY_FACTOR = 10, 5, 2, 2
MESSAGE_MISSIONS = {1: ("messages_primer_mensaje", 10), 10: ("messages_conversador_activo", 25)}  # default content
CHECKIN_MISSION, CHECKIN_MISSION_POINTS = "daily_check-in_diario", 5

SQUARE, SALON = -1001, -1002  # channels: anybody may join the one, the other is for VIPs
EMOJIS = {"🔥": 3000, "👍": 500, "🦉": 0}  # thousandths; the owl is not among the channel's reactions
OWL_HUNT, OWL_HUNT_GOAL, OWL_HUNT_POINTS = "owl_hunt", 3, 30  # a mission: reactions; gives the map
CHAPTER, CHAPTER_POINTS = "chapter_one", 400  # a mission: the map, and the door left; gives the badge
BADGE = 11  # after the ten of the default content
MARATHON, MARATHON_GOAL, MARATHON_POINTS = 1, 5, 20  # a challenge: reactions
DOORS = [("knock", "garden", 5, 1), ("climb", "tower", 10, 4)]  # choices: text, where to, cost, reward
ROULETTE_COST = 5
QUESTIONS = [("What does an owl eat?", "mice"), ("When does it hunt?", "at night"), ("Does it blink?", "rarely")]
QUIZ_PLAYERS, READERS, ASKING, BIDDERS, TICKETS = 12, 40, 40, 10, 50

FIRST_NAMES = """Ana Bruno Carla Diego Elena Félix Gabriela Hugo Irene Jorge Karla León Marta Nicolás Olga Pablo Quique
    Rosa Samuel Teresa Úrsula Víctor Wanda Ximena Yago Zoe Iñaki Núria Óscar Sofía""".split()
LAST_NAMES = """Alba Bravo Cruz Durán Esteve Fuentes Gil Haro Ibáñez Juárez Luna Mora Navas Ortiz Peña Quiroga Rey
    Soto Torres Vega""".split()
WITHOUT_ACCENTS = str.maketrans("áéíóúñÁÉÍÓÚ", "aeiounAEIOU")

CREDITS = [("quiz", "knew every answer"), ("quiz", "came second"), ("drawing", "drew the owl"), ("help", "")]
DEBITS = [("shop", "a mug with the owl"), ("shop", "a set of stickers"), ("raffle", "three tickets")]
THANKS = ["thank you", "for lunch", "a bet lost", "happy birthday"]
REWARDS = [("Sticker sheet", 25), ("Owl mug", 60), ("Dinner for two", 100000)]  # ids 1, 2, 3


def wire(thousandths):
    return thousandths // POINT if thousandths % POINT == 0 else thousandths / POINT


class Person:
    def __init__(self, n, first, last):
        self.id = FIRST_ID + n
        self.first, self.last = first, last
        self.username = ("%s_%s" % (first, last)).lower().translate(WITHOUT_ACCENTS)
        self.admin = n < ADMINS
        self.becomes_vip = ADMINS <= n < ADMINS + VIPS
        self.vip = False
        self.bot = n % BOTS
        self.balance = self.held = 0
        self.level = 1
        self.rewards = set()
        self.checked_in = self.gifted = False
        self.messages = self.reactions = self.spins = 0
        self.done = set()  # missions
        self.lore = set()
        self.at = None  # where in the story

    @property
    def available(self):
        return self.balance - self.held

    def credit(self, base, multiplied=True, party=1):
        """Returns what is credited."""
        amount = base * (VIP_FACTOR if self.vip else 1) * party if multiplied else base
        self.balance += amount
        self.level = max(self.level, max(n for n, points in LEVELS if self.balance >= points))
        return amount


class Day:
    """
    Writes the parts of the day, each a list of commands per bot, and moves the books along. What one person does goes
    through one bot, in order: so the books know the outcome although the bots work side by side.
    """

    def __init__(self):
        self.rng = random.Random(SEED)
        names = self.rng.sample([(first, last) for first in FIRST_NAMES for last in LAST_NAMES], PEOPLE)
        self.people = [Person(n, *name) for n, name in enumerate(names)]
        self.heroine = self.people[ADMINS + VIPS]
        self.friend = self.people[ADMINS + VIPS + BOTS]
        self.chatterbox = self.people[0]
        self.collector = self.people[ADMINS + VIPS + BOTS + 1]  # wins an auction at a moment nobody can foretell
        others = [p for p in self.people if p not in (self.heroine, self.chatterbox, self.collector)]
        self.teams = [[p for p in others if p.bot == b] for b in range(BOTS)]
        self.party = 1  # the factor of the evening's event
        self.commands = []  # of all parts

    def command(self, method, params, expects, actor="bot"):
        key = "day-%d" % len(self.commands)
        c = Command(method, dict(params, actor=actor, idempotency_key=key), expects)
        self.commands.append(c)
        return c

    def admin(self, method, params, expects):
        return self.command(method, params, expects, "admin:%d" % FIRST_ID)

    def credit(self, p, base):
        return p.credit(base, party=self.party)

    def finish(self, p, mission, points):
        """A mission that is complete now. Returns what it pays."""
        p.done.add(mission)
        return self.credit(p, points * POINT)

    def finish_chapter(self, p, missions):
        """If both of its parts are there: points first, then the badge, whose VIP counts from the next credit on."""
        if CHAPTER in p.done or "map" not in p.lore or p.at is None or p.at == "start":
            return 0
        missions.append(CHAPTER)
        points = self.finish(p, CHAPTER, CHAPTER_POINTS)
        p.vip = True
        return points

    # ---- what people do ----

    def join(self, p):
        params = {"id": p.id, "username": p.username, "first_name": p.first, "last_name": p.last, "is_admin": p.admin}
        role = "admin" if p.admin else "free"
        return self.command("user.create", params, {"changed": True, "item.id": p.id, "item.role": role})

    def become_vip(self, p):
        p.vip = True
        params = {"user_id": p.id, "days": 30, "source": "subscription"}
        return self.admin("user.grant_vip", params, {"role": "vip"})

    def act(self, p):
        action = self.rng.choices(list(ACTIVITY), (70, 8, 6, 12, 4))[0]
        params = {"user_id": p.id, "action": action}
        if p.admin:
            return self.command("user.record_activity", params, {"recorded": False, "reason": "admin"})
        points = self.credit(p, ACTIVITY[action] * POINT)
        missions = []
        p.messages += action == "message"
        if action == "message" and p.messages in MESSAGE_MISSIONS:
            mission, reward = MESSAGE_MISSIONS[p.messages]
            missions.append(mission)
            points += self.finish(p, mission, reward)
        expects = {"recorded": True, "points": wire(points), "balance": wire(p.balance), "level": p.level}
        return self.command("user.record_activity", params, dict(expects, missions_completed=missions))

    def check_in(self, p):
        params = {"user_id": p.id}
        if p.checked_in:
            return self.command("user.checkin", params, "cooldown")
        p.checked_in = True
        points = self.credit(p, CHECKIN * POINT) + self.finish(p, CHECKIN_MISSION, CHECKIN_MISSION_POINTS)
        expects = {"streak": 1, "points": wire(points), "balance": wire(p.balance)}
        return self.command("user.checkin", params, dict(expects, missions_completed=[CHECKIN_MISSION]))

    def take_gift(self, p):
        params = {"user_id": p.id}
        if p.gifted:
            return self.command("user.claim_gift", params, "cooldown")
        p.gifted = True
        points = self.credit(p, GIFT * POINT)
        return self.command("user.claim_gift", params, {"points": wire(points), "balance": wire(p.balance)})

    def award(self, p, base=None, what=None):
        base = base or self.rng.choice((self.rng.randint(1, 80 * POINT), POINT * self.rng.randint(1, 80)))
        source, description = what or self.rng.choice(CREDITS)
        before, points = p.level, self.credit(p, base)
        params = {"user_id": p.id, "amount": wire(base), "source": source, "description": description}
        expects = {"transaction.amount": wire(points), "balance": wire(p.balance), "level_up": p.level > before}
        return self.command("point.award", params, expects, "admin:%d" % (FIRST_ID + self.rng.randrange(ADMINS)))

    def award_team(self, team):
        winners = self.rng.sample(team, self.rng.randint(2, 6))
        items = [{"user_id": p.id, "amount": 15, "source": "tournament"} for p in winners]
        expects = {"transactions.%d.amount" % i: wire(self.credit(p, 15 * POINT)) for i, p in enumerate(winners)}
        return self.admin("point.award_many", {"items": items}, expects)

    def spend(self, p, amount=None, what=None):
        amount = amount or self.rng.randint(1, 40 * POINT)
        source, description = what or self.rng.choice(DEBITS)
        params = {"user_id": p.id, "amount": wire(amount), "source": source, "description": description}
        if amount > p.available:
            return self.command("point.deduct", params, "insufficient_points")
        p.balance -= amount
        return self.command("point.deduct", params, {"transaction.amount": wire(-amount), "balance": wire(p.balance)})

    def give(self, p, to, amount=None, why=None):
        amount = amount or self.rng.randint(1, 20 * POINT)
        params = {"from_user_id": p.id, "to_user_id": to.id, "amount": wire(amount)}
        params["description"] = why or self.rng.choice(THANKS)
        if amount > p.available:
            return self.command("point.transfer", params, "insufficient_points")
        p.balance -= amount
        to.credit(amount, multiplied=False)
        expects = {"from_balance": wire(p.balance), "to_balance": wire(to.balance)}
        return self.command("point.transfer", params, expects, "user:%d" % p.id)

    def claim(self, p, reward):
        params = {"user_id": p.id, "reward_id": reward}
        if p.balance < REWARDS[reward - 1][1] * POINT:
            return self.command("point.claim_reward", params, "requirements_not_met")
        if reward in p.rewards:
            return self.command("point.claim_reward", params, "already_exists")
        p.rewards.add(reward)
        return self.command("point.claim_reward", params, {"changed": True})

    def react(self, p):
        """To the next post of the square."""
        emoji = self.rng.choice(list(EMOJIS))
        p.reactions += 1
        points, missions, challenges = self.credit(p, EMOJIS[emoji]), [], []
        if p.reactions == OWL_HUNT_GOAL:
            missions.append(OWL_HUNT)
            points += self.finish(p, OWL_HUNT, OWL_HUNT_POINTS)
            p.lore.add("map")
        if p.reactions == MARATHON_GOAL:
            challenges.append(MARATHON)
            points += self.credit(p, MARATHON_POINTS * POINT)
        points += self.finish_chapter(p, missions)
        params = {"channel_id": SQUARE, "message_id": p.reactions, "user_id": p.id, "emoji": emoji}
        expects = {"points": wire(points), "balance": wire(p.balance), "missions_completed": missions}
        return self.command("channel.react", params, dict(expects, challenges_completed=challenges))

    def spin(self, p):
        """The roulette; the number is the one that the user saw. The first time of the day is free."""
        params = {"user_id": p.id, "game_type": "roulette", "score": self.rng.randint(1, 6)}
        free = p.spins == 0
        if not free and p.available < ROULETTE_COST * POINT:
            return self.command("game.play", params, "insufficient_points")
        p.spins += 1
        p.balance -= 0 if free else ROULETTE_COST * POINT
        self.credit(p, params["score"] * POINT)
        return self.command("game.play", params, {"play.is_free": free, "balance": wire(p.balance)})

    def open_the_book(self, p):
        p.at = "start"
        expects = {"first_visit": True, "story.current_fragment_id": "start"}
        return self.command("narrative.visit", {"user_id": p.id}, expects, "user:%d" % p.id)

    def choose(self, p, choice):
        _, to, cost, reward = DOORS[choice]
        params = {"user_id": p.id, "choice_index": choice, "fragment_id": "start"}
        if p.available < cost * POINT:
            return self.command("narrative.choose", params, "insufficient_points")
        if to == "tower" and "map" not in p.lore:
            return self.command("narrative.choose", params, "requirements_not_met")
        p.at = to
        p.balance -= cost * POINT
        missions = []
        points = self.credit(p, reward * POINT) + self.finish_chapter(p, missions)
        expects = {
            "cost": cost,
            "points": wire(points),
            "missions_completed": missions,
            "story.current_fragment_id": to,
        }
        return self.command("narrative.choose", params, expects, "user:%d" % p.id)

    def quiz(self, p, attempt):
        """All of it; attempts are numbered as they begin, so one bot runs them all."""
        yield self.command("game.start_attempt", {"user_id": p.id, "trivia_id": 1}, {"attempt.id": attempt})
        score = 0
        for i, (_, answer) in enumerate(QUESTIONS):
            right = self.rng.random() < 0.8
            score += right
            params = {"attempt_id": attempt, "question_id": i + 1, "answer": answer.upper() if right else "no idea"}
            yield self.command("game.answer", params, {"is_correct": right, "score": score})
        passed = score == len(QUESTIONS)
        points = self.credit(p, 10 * POINT) if passed else 0
        expects = {"attempt.passed": passed, "attempt.rewarded": passed, "points": wire(points)}
        yield self.command("game.finish_attempt", {"attempt_id": attempt}, expects)

    def bid(self, auction, p, amount, before):
        """before: who led."""
        if before is not None:
            before.held = 0
        p.held = amount * POINT
        params = {"auction_id": auction, "user_id": p.id, "amount": amount}
        expects = {"held": amount, "available": wire(p.available), "outbid_user_id": before.id if before else None}
        return self.command("auction.bid", params, expects, "user:%d" % p.id)

    def capture(self, p):
        p.balance -= p.held
        p.held = 0

    def something(self, team, calm):
        """One thing that somebody of the team does. calm: nothing that a change of order could refuse or allow."""
        p = self.rng.choice(team)
        kinds = ("act", "award", "team", "spend", "give", "claim", "again", "react", "spin")
        kind = self.rng.choices(kinds, (42, 12, 2, 9, 11, 4, 4, 12, 4))[0]
        if kind == "react":
            return self.react(p)
        if kind == "spin" and (p.available >= 40 * POINT or not calm):
            return self.spin(p)
        if kind == "award":
            return self.award(p)
        if kind == "team":
            return self.award_team(team)
        if kind == "spend" and (p.available >= 40 * POINT or not calm):
            return self.spend(p)
        if kind == "give" and (p.available >= 20 * POINT or not calm):
            return self.give(p, self.rng.choice([q for q in team if q is not p]))
        if kind == "claim" and not calm:
            return self.claim(p, self.rng.randint(1, 2))
        if kind == "again" and p.checked_in:
            return self.check_in(p)
        return self.act(p)

    # ---- the parts of the day ----

    def opening(self):
        """Settings, rewards to claim, channels, story, missions, games: by one bot, before all else."""
        minute = int(time.time()) // 60 % 1440
        entries = {
            "throttle.message_ms": 0,  # the day passes in seconds
            "throttle.reaction_ms": 0,
            "bot.free_channel_wait_minutes": 60,
            "points.vip_multiplier": VIP_FACTOR,
            "time.utc_offset_minutes": 720 - minute,  # it is noon there: no midnight falls into the demo
        }
        yield self.admin("config.set", {"entries": entries}, {"changed": True})
        for i, (title, points) in enumerate(REWARDS):
            params = {"kind": "reward", "title": title, "required_points": points}
            yield self.admin("point.create", params, {"item.id": i + 1, "item.title": title})
        for method, params in self.content():
            yield self.admin(method, params, {"changed": True})

    def content(self):
        now = int(time.time() * 1000)
        square = {"id": SQUARE, "title": "The square", "reactions": ["🔥", "👍"], "reaction_points": {"🔥": 3}}
        yield "channel.create", square
        yield "channel.create", {"id": SALON, "title": "The salon", "type": "vip"}
        yield "narrative.create", {
            "kind": "lore",
            "id": "map",
            "title": "The map",
            "content_type": "text",
            "content": "N",
        }
        for place, lore in (("garden", []), ("tower", ["map"])):
            page = {"id": place, "title": "The " + place, "content": "…", "type": "story", "required_lore": lore}
            yield "narrative.create", page
        choices = [dict(zip(("text", "next_fragment_id", "cost_points", "reward_points"), door)) for door in DOORS]
        page = {"id": "start", "title": "A door", "content": "…", "type": "decision", "choices": choices}
        yield "narrative.create", page
        badge = {"kind": "badge", "name": "Keeper of the owl", "grants_vip": True, "vip_duration_days": 7}
        yield "achievement.create", badge
        hunt = {"id": OWL_HUNT, "name": "Owl hunt", "action": "reaction", "target_value": OWL_HUNT_GOAL}
        yield "mission.create", dict(hunt, reward_points=OWL_HUNT_POINTS, reward_lore=["map"])
        chapter = {"id": CHAPTER, "name": "Chapter one", "requirements": {"lore": ["map"], "fragments": ["start"]}}
        yield "mission.create", dict(chapter, reward_points=CHAPTER_POINTS, reward_badges=[BADGE])
        day = {"start_at": now, "end_at": now + 12 * 3600 * 1000}
        marathon = {"kind": "challenge", "name": "Marathon", "type": "daily", "goal_type": "reactions"}
        yield "game.create", dict(marathon, goal_value=MARATHON_GOAL, reward_points=MARATHON_POINTS, **day)
        questions = [{"question_text": q, "question_type": "open_ended", "correct_answer": a} for q, a in QUESTIONS]
        yield "game.create", {"kind": "trivia", "title": "Owls", "questions": questions}
        yield "game.create", {"kind": "raffle", "name": "The last owl", "prize": "A plush owl"}

    def morning(self, n):
        """Everybody joins; most check in, many take the gift, and the first n things happen."""
        lists = [[] for _ in range(BOTS)]
        for p in self.people:
            to = lists[p.bot]
            to.append(self.join(p))
            if p.becomes_vip:
                to.append(self.become_vip(p))
            if p is self.heroine or self.rng.random() < 0.8:
                to.append(self.check_in(p))
            if p is self.heroine or self.rng.random() < 0.6:
                to.append(self.take_gift(p))
        lists[self.heroine.bot].append(self.award(self.heroine, 120500, ("quiz", "knew every answer")))
        lists[self.collector.bot].append(self.award(self.collector, 300 * POINT, ("drawing", "drew the owl")))
        self.fill(lists, n, calm=False)
        for p in self.rng.sample(self.people, ASKING):
            params = {"kind": "request", "user_id": p.id, "channel_id": SQUARE}
            lists[p.bot].append(self.command("channel.create", params, {"item.status": "pending"}))
        for attempt, p in enumerate(self.rng.sample(self.teams[0], QUIZ_PLAYERS), 1):
            lists[0] += self.quiz(p, attempt)
        for team in self.teams:
            for p in self.rng.sample(team, READERS // BOTS):
                lists[p.bot] += [self.open_the_book(p), self.choose(p, self.rng.randrange(len(DOORS)))]
        h, to = self.heroine, lists[self.heroine.bot]
        to += [self.react(h) for _ in range(OWL_HUNT_GOAL)] + [self.open_the_book(h)]
        self.turning_point = self.choose(h, 1)
        to.append(self.turning_point)
        return lists

    def first_auction(self):
        """Ten bid in turn, the heroine last. It would end in three minutes: too soon, so a bid moves the end."""
        what = {"name": "Ticket", "prize_description": "First row, seat 7", "initial_price": 20, "start": True}
        params = dict(what, created_by=FIRST_ID, duration_minutes=3, auto_extend_minutes=5)
        yield self.admin("auction.create", params, {"item.id": 1, "item.status": "active"})
        rich = [p for p in self.teams[1] if p.available >= 150 * POINT]
        self.bidders = self.rng.sample(rich, BIDDERS - 1) + [self.heroine]
        leader = None
        for i, p in enumerate(self.bidders):
            yield self.bid(1, p, 20 + 10 * i, leader)
            leader = p

    def second_auction(self, end_at):
        what = {"name": "Lamp", "prize_description": "A lamp, shaped like an owl", "initial_price": 50, "start": True}
        params = dict(what, created_by=FIRST_ID, end_at=end_at, auto_extend_minutes=0)
        yield self.admin("auction.create", params, {"item.id": 2, "item.end_at": end_at})
        rival = self.bidders[0]
        yield self.bid(2, rival, 50, None)
        yield self.bid(2, self.collector, 200, rival)

    def end_first_auction(self):
        h, paid = self.heroine, wire(self.heroine.held)
        self.capture(h)
        expects = {"auction.winner_id": h.id, "winning_bid.amount": paid, "winning_bid.status": "won"}
        yield self.admin("auction.end", {"auction_id": 1}, expects)

    def start_party(self):
        self.party = PARTY_FACTOR
        params = {"kind": "event", "name": "Double points", "multiplier": PARTY_FACTOR}
        yield self.admin("game.create", params, {"item.id": 1, "item.status": "active"})

    def invite(self):
        params = {"kind": "token", "created_by": self.heroine.id, "vip_days": 7, "expires_in_minutes": 60}
        yield self.admin("config.create", params, {"item.status": "active", "item.vip_days": 7})

    def accept_invitation(self, token):
        self.friend.vip = True
        params = {"token": token, "user_id": self.friend.id}
        yield self.command("config.use_token", params, {"item.used_by": self.friend.id, "role": "vip"})
        yield self.command("config.use_token", params, "already_processed")

    def raffle(self):
        self.entrants = self.rng.sample(self.people, TICKETS)
        for i, p in enumerate(self.entrants):
            params = {"raffle_id": 1, "user_id": p.id}
            yield self.command("game.enter_raffle", params, {"entry.position": i + 1}, "user:%d" % p.id)
        yield self.admin(
            "game.end", {"kind": "raffle", "id": 1}, {"item.entry_count": TICKETS, "item.is_active": False}
        )

    def open_the_gates(self):
        """Whoever asked to join need not wait any longer: what is pending is due at once."""
        params = {"entries": {"bot.free_channel_wait_minutes": 0}}
        yield self.admin("config.set", params, {"changed": True})

    def afternoon(self, n):
        lists = [[] for _ in range(BOTS)]
        h, to = self.heroine, lists[self.heroine.bot]
        self.fill(lists, n // 3, calm=True)
        to.append(self.spend(h, 25250, ("shop", "a mug with the owl")))
        self.fill(lists, n // 3, calm=True)
        to.append(self.give(h, self.friend, 30 * POINT, "happy birthday"))
        return self.fill(lists, n // 3, calm=True)

    def evening(self, n):
        lists = [[] for _ in range(BOTS)]
        self.fill(lists, n, calm=False)
        lists[self.heroine.bot].append(self.give(self.friend, self.heroine, 2 * POINT + 1, "for lunch"))
        lists[self.heroine.bot].append(self.award(self.heroine, 100 * POINT, ("tournament", "first prize")))
        return lists

    def fill(self, lists, n, calm):
        for i in range(n):
            lists[i % BOTS].append(self.something(self.teams[i % BOTS], calm))
        return lists
