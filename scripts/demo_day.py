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

LEVELS = [(1, 0)] + [(n, 500 * (n - 1) * POINT) for n in range(2, 11)]
ACTIVITY = {"message": 1, "poll": 2, "post": 5, "comment": 2, "other": 1}
CHECKIN, GIFT, VIP_FACTOR = 10, 5, 2

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
        self.balance = 0
        self.level = 1
        self.rewards = set()
        self.checked_in = self.gifted = False

    def credit(self, base, multiplied=True):
        """Returns what is credited."""
        amount = base * (VIP_FACTOR if self.vip and multiplied else 1)
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
        others = [p for p in self.people if p not in (self.heroine, self.chatterbox)]
        self.teams = [[p for p in others if p.bot == b] for b in range(BOTS)]
        self.commands = []  # of all parts

    def command(self, method, params, expects, actor="bot"):
        key = "day-%d" % len(self.commands)
        c = Command(method, dict(params, actor=actor, idempotency_key=key), expects)
        self.commands.append(c)
        return c

    # ---- what people do ----

    def join(self, p):
        params = {"id": p.id, "username": p.username, "first_name": p.first, "last_name": p.last, "is_admin": p.admin}
        role = "admin" if p.admin else "free"
        return self.command("user.create", params, {"changed": True, "item.id": p.id, "item.role": role})

    def become_vip(self, p):
        p.vip = True
        params = {"user_id": p.id, "days": 30, "source": "subscription"}
        return self.command("user.grant_vip", params, {"role": "vip"}, "admin:%d" % FIRST_ID)

    def act(self, p):
        action = self.rng.choices(list(ACTIVITY), (70, 8, 6, 12, 4))[0]
        params = {"user_id": p.id, "action": action}
        if p.admin:
            return self.command("user.record_activity", params, {"recorded": False, "reason": "admin"})
        points = p.credit(ACTIVITY[action] * POINT)
        expects = {"recorded": True, "points": wire(points), "balance": wire(p.balance), "level": p.level}
        return self.command("user.record_activity", params, expects)

    def check_in(self, p):
        params = {"user_id": p.id}
        if p.checked_in:
            return self.command("user.checkin", params, "cooldown")
        p.checked_in = True
        points = p.credit(CHECKIN * POINT)
        return self.command("user.checkin", params, {"streak": 1, "points": wire(points), "balance": wire(p.balance)})

    def take_gift(self, p):
        params = {"user_id": p.id}
        if p.gifted:
            return self.command("user.claim_gift", params, "cooldown")
        p.gifted = True
        points = p.credit(GIFT * POINT)
        return self.command("user.claim_gift", params, {"points": wire(points), "balance": wire(p.balance)})

    def award(self, p, base=None, what=None):
        base = base or self.rng.choice((self.rng.randint(1, 80 * POINT), POINT * self.rng.randint(1, 80)))
        source, description = what or self.rng.choice(CREDITS)
        before, points = p.level, p.credit(base)
        params = {"user_id": p.id, "amount": wire(base), "source": source, "description": description}
        expects = {"transaction.amount": wire(points), "balance": wire(p.balance), "level_up": p.level > before}
        return self.command("point.award", params, expects, "admin:%d" % (FIRST_ID + self.rng.randrange(ADMINS)))

    def award_team(self, team):
        winners = self.rng.sample(team, self.rng.randint(2, 6))
        items = [{"user_id": p.id, "amount": 15, "source": "tournament"} for p in winners]
        expects = {"transactions.%d.amount" % i: wire(p.credit(15 * POINT)) for i, p in enumerate(winners)}
        return self.command("point.award_many", {"items": items}, expects, "admin:%d" % FIRST_ID)

    def spend(self, p, amount=None, what=None):
        amount = amount or self.rng.randint(1, 40 * POINT)
        source, description = what or self.rng.choice(DEBITS)
        params = {"user_id": p.id, "amount": wire(amount), "source": source, "description": description}
        if amount > p.balance:
            return self.command("point.deduct", params, "insufficient_points")
        p.balance -= amount
        return self.command("point.deduct", params, {"transaction.amount": wire(-amount), "balance": wire(p.balance)})

    def give(self, p, to, amount=None, why=None):
        amount = amount or self.rng.randint(1, 20 * POINT)
        params = {"from_user_id": p.id, "to_user_id": to.id, "amount": wire(amount)}
        params["description"] = why or self.rng.choice(THANKS)
        if amount > p.balance:
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

    def something(self, team, calm):
        """One thing that somebody of the team does. calm: nothing that a change of order could refuse or allow."""
        p = self.rng.choice(team)
        kind = self.rng.choices(("act", "award", "team", "spend", "give", "claim", "again"), (56, 14, 2, 9, 11, 4, 4))[0]
        if kind == "award":
            return self.award(p)
        if kind == "team":
            return self.award_team(team)
        if kind == "spend" and (p.balance >= 40 * POINT or not calm):
            return self.spend(p)
        if kind == "give" and (p.balance >= 20 * POINT or not calm):
            return self.give(p, self.rng.choice([q for q in team if q is not p]))
        if kind == "claim" and not calm:
            return self.claim(p, self.rng.randint(1, 2))
        if kind == "again" and p.checked_in:
            return self.check_in(p)
        return self.act(p)

    # ---- the parts of the day ----

    def opening(self):
        """Settings, and rewards to claim: by one bot, before all else."""
        minute = int(time.time()) // 60 % 1440
        entries = {
            "throttle.message_ms": 0,  # the day passes in seconds
            "points.vip_multiplier": VIP_FACTOR,
            "time.utc_offset_minutes": 720 - minute,  # it is noon there: no midnight falls into the demo
        }
        yield self.command("config.set", {"entries": entries}, {"changed": True}, "admin:%d" % FIRST_ID)
        for i, (title, points) in enumerate(REWARDS):
            params = {"kind": "reward", "title": title, "required_points": points}
            yield self.command("point.create", params, {"item.id": i + 1, "item.title": title}, "admin:%d" % FIRST_ID)

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
        return self.fill(lists, n, calm=False)

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
        lists[self.heroine.bot].append(self.award(self.heroine, 450 * POINT, ("tournament", "first prize")))
        return lists

    def fill(self, lists, n, calm):
        for i in range(n):
            lists[i % BOTS].append(self.something(self.teams[i % BOTS], calm))
        return lists
