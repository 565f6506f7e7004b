"""Every error that the daemon says a method can answer is provoked.

How each comes about stands in tests/conformance/errors_*.py, by (method, kind, code), on the world that conformance is
tested on. server.methods tells what there is: a code without a case fails, and so does a case without a code. The
errors that any command can answer are provoked for all of them.
"""

import json
import os
import sys
import unittest

from lib import NOBODY, TOP, RpcError, as_user

sys.path.insert(0, os.path.join(TOP, "tests", "conformance"))

import errors_market  # noqa: E402
import errors_story  # noqa: E402
from expect import LAST, difference  # noqa: E402
from world import ROWS, WorldTest  # noqa: E402

ERRORS = {**errors_story.ERRORS, **errors_market.ERRORS}
FURTHER = errors_story.FURTHER + errors_market.FURTHER

# What needs more than calls on one connection: where it is tested instead.
ELSEWHERE = {
    ("projection.rebuild", None, "in_use"): "test_services",
    ("server.backup", None, "storage_full"): "test_full_disk",
}


def name_of(method, kind):
    return "%s %s" % (method, kind) if kind else method


def with_kind(params, kind):
    return dict(params, kind=kind) if kind else params


class Errors(WorldTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.methods = cls.world.call("server.methods")["items"]

    def params(self, params, last):
        """As written in a case -> as sent."""
        return {key: last if value is LAST else value for key, value in self.world.fill_in(params).items()}

    def commands(self, takes):
        """[(method, params)] of the commands with this param, with some that they take: those of an error, else of a row
        of the conformance table."""
        known = {}
        for (method, kind, _), (_, params, _) in ERRORS.items():
            known.setdefault((method, kind), with_kind(params, kind))
        for row in ROWS:
            params = json.loads(row["rpc_params"] or "{}")
            known.setdefault((row["rpc_method"], params.get("kind")), params)
        commands = [m for m in self.methods if m["command"] and takes in {p["name"] for p in m["params"]}]
        self.assertTrue(commands)
        for m in commands:
            first = next(other["kind"] for other in self.methods if other["method"] == m["method"])
            params = known.get((m["method"], m["kind"]), known.get((m["method"], None)) if m["kind"] == first else None)
            self.assertIsNotNone(params, name_of(m["method"], m["kind"]))
            yield m["method"], self.world.fill_in(params)

    # ---- what server.methods names

    def test_what_the_daemon_names_has_a_case(self):
        named = {(m["method"], m["kind"], code) for m in self.methods for code in m["errors"]}
        cases = set(ERRORS) | set(ELSEWHERE)
        self.assertEqual(sorted(map(str, named - cases)), [])
        self.assertEqual(sorted(map(str, cases - named)), [])

    def provoke(self, method, kind, code, given, params, details):
        daemon = self.on_a_copy() if given else self.world.daemon
        with daemon.client() as c:
            last = None
            for before, before_params in given:
                result = c.call(before, self.params(before_params, last))
                last = result.get("item", {}).get("id", last)
            head = c.call("server.health")["head_seq"]
            with self.assertRaises(RpcError) as refused:
                c.call(method, self.params(with_kind(params, kind), last))
            self.assertEqual(refused.exception.code, code, str(refused.exception))
            found = difference(refused.exception.details, details, "details")
            self.assertEqual(found, "", str(refused.exception))
            self.assertEqual(c.call("server.health")["head_seq"], head)
        if given:
            daemon.stop()

    # ---- what any of them can answer

    def test_params_that_nobody_knows(self):
        calls = [(m["method"], with_kind({"nonsense": 1}, m["kind"])) for m in self.methods]
        for call, outcome in zip(calls, self.world.c.pipeline(calls)):
            with self.subTest(call[0], **call[1]):
                self.refused(outcome, "invalid_argument", field="nonsense")

    def test_a_version_that_is_not_there(self):
        for method, params in self.commands(takes="expected_version"):
            with self.subTest(method, **params):
                with self.fails("version_conflict", expected=1 << 40):
                    self.world.c.call(method, dict(params, expected_version=1 << 40))

    def test_a_key_that_stands_for_something_else(self):
        daemon = self.on_a_copy()
        with daemon.client() as c:
            first = c.call("user.create", id=3, idempotency_key="mine")["seq"]
            for method, params in self.commands(takes="idempotency_key"):
                with self.subTest(method, **params), self.fails("idempotency_conflict", first_seq=first):
                    c.call(method, dict(params, idempotency_key="mine"))
            self.assertEqual(c.call("server.health")["head_seq"], first)
        daemon.stop()

    def test_maintenance(self):
        daemon = self.on_a_copy()
        with daemon.client() as c:
            c.call("config.set", entries={"maintenance.enabled": True, "maintenance.message": "un momento"})
            head = c.call("server.health")["head_seq"]
            for method, params in self.commands(takes="note"):
                if method.split(".")[0] not in ("config", "server"):
                    with self.subTest(method, **params), self.fails("maintenance", message="un momento"):
                        c.call(method, params)
            self.assertEqual(c.call("server.health")["head_seq"], head)
        daemon.stop()

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_roles(self):
        ranks = {"auditor": 0, "bot": 1, "admin": 2}
        for role in ("auditor", "bot"):
            daemon = self.on_a_copy("--socket-mode", "0666", "--%ss" % role, str(NOBODY))
            os.chmod(os.path.dirname(daemon.path), 0o755)
            with as_user(NOBODY):
                c = daemon.client()
            with c:
                for m in self.methods:
                    with self.subTest(m["method"], role=role):
                        # params are tested after the role
                        outcome = c.outcome(c.post(m["method"], with_kind({"nonsense": 1}, m["kind"])))
                        allowed = ranks[m["role"]] <= ranks[role]
                        self.refused(outcome, "invalid_argument" if allowed else "forbidden")
            daemon.stop()


def add_test(number, method, kind, code, given, params, details):
    def test(self):
        self.provoke(method, kind, code, given, params, details)

    name = "test_%s_%s" % (name_of(method, kind).replace(".", "_").replace(" ", "_"), code)
    setattr(Errors, "%s_%d" % (name, number) if number else name, test)


for case, how in ERRORS.items():
    add_test(0, *case, *how)
for i, other_way in enumerate(FURTHER):
    add_test(i + 1, *other_way)


if __name__ == "__main__":
    unittest.main()
