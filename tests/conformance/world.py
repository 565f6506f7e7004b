"""The state that every row of methods.tsv finds: a small community whose ids are those of the table."""

import csv
import os
import shutil
import time

from lib import Daemon, LedgerTest
from world_market import Market
from world_story import Story

OTHERS = range(1001, 1241)  # people with 1001 .. 1240 points
TOKEN = "q3vW0n1kS8y2mZ4tB6uH9A"  # stands in the table for whatever string token 11 got


def read_rows():
    with open(os.path.join(os.path.dirname(__file__), "methods.tsv"), encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


ROWS = read_rows()


class World(Story, Market):
    def __init__(self):
        self.daemon = Daemon().start()
        self.copy = os.path.join(self.daemon.dir, "copy")
        self.began = int(time.time() * 1000)
        self.c = self.daemon.client()
        self.people()
        self.story()
        self.market()
        self.call("server.backup", path=self.copy)

    def cleanup(self):
        self.c.close()
        self.daemon.cleanup()

    def call(self, method, **params):
        return self.c.call(method, params)

    def fill_in(self, params):
        """params with the strings that only this world knows."""
        if isinstance(params, dict):
            return {key: self.fill_in(value) for key, value in params.items()}
        if isinstance(params, list):
            return [self.fill_in(value) for value in params]
        return self.token_string if params == TOKEN else params

    # ---- users, points, settings

    def people(self):
        call = self.call
        call("user.create", id=1, username="boss", first_name="Jefa", is_admin=True)
        call("user.create", id=123, username="user123", first_name="Uno", last_name="Prueba")
        call("user.create", id=456, username="user456", first_name="Cuatro")
        call("user.create", id=789, username="vip789", first_name="Siete")
        call("user.grant_vip", user_id=789, days=30, source="subscription")
        call("user.grant_vip", user_id=456, permanent=True)
        call("user.checkin", user_id=123)
        call("point.award", user_id=123, amount=490, source="quiz")
        call("point.award", user_id=456, amount=1000)
        call("point.deduct", user_id=123, amount=100, source="shop")
        self.c.pipeline([("point.award", {"user_id": u, "amount": u, "source": "bulk"}) for u in OTHERS])
        call("point.create", kind="reward", title="Libro", required_points=10000)
        call("point.create", kind="reward", title="Pegatina", required_points=100)
        call("config.set", entries={"flag.old_menu": True})


class WorldTest(LedgerTest):
    """Tests that share a world. What changes it is done on a copy."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world = World()
        cls.addClassCleanup(cls.world.cleanup)

    def on_a_copy(self, *options):
        """A daemon on a copy of the world."""
        daemon = self.new_daemon(*options)
        shutil.copytree(self.world.copy, daemon.data)
        return daemon.start()
