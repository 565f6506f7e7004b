"""Subscriptions, batches, idempotency, the log's and the daemon's own methods."""

import os
import resource
import time
import unittest

import msgpack

from lib import SLOWNESS, LedgerTest, SharedDaemonTest, Witness, wait_until


def award(user, amount=1, **more):
    return ("point.award", dict({"user_id": user, "amount": amount}, **more))


class Subscriptions(LedgerTest):
    def collect(self, c, upto):
        """Events pushed until this seq, and the borders of the pushes."""
        events, pushes = [], []
        while not events or events[-1]["seq"] < upto:
            method, params = c.notification()
            if method == "log.events":
                events += params["items"]
                pushes.append(params["items"])
        return events, pushes

    def test_backlog_then_live_without_gap_or_repeat_in_whole_commits(self):
        daemon = self.start_daemon()
        writer, reader = self.connect(daemon), self.connect(daemon)
        writer.pipeline([award(i % 50 + 1) for i in range(2000)])
        reader.call("log.subscribe", from_seq=1)
        writer.pipeline([award(i % 50 + 100) for i in range(2000)])
        head = writer.call("server.health")["head_seq"]
        events, pushes = self.collect(reader, head)
        self.assertEqual([e["seq"] for e in events], list(range(1, head + 1)))
        for push, after in zip(pushes, pushes[1:]):
            self.assertNotEqual(push[-1]["commit"], after[0]["commit"])

    def test_a_subscriber_resumes_after_the_daemon_was_killed(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        c.call("log.subscribe", from_seq=1)
        seq = c.call(*award(1))["seq"]
        seen = [e["seq"] for e in self.collect(c, seq)[0]]
        daemon.kill()
        daemon.start()
        c = self.connect(daemon)
        c.call("log.subscribe", from_seq=seen[-1] + 1)
        last = c.call(*award(2))["seq"]
        seen += [e["seq"] for e in self.collect(c, last)[0]]
        self.assertEqual(seen, list(range(1, last + 1)))

    def test_filters_caught_up_and_the_end(self):
        daemon = self.start_daemon()
        c, writer = self.connect(daemon), self.connect(daemon)
        writer.call(*award(1))
        by_type = c.call("log.subscribe", from_seq=1, types=["point.credited"])["subscription_id"]
        by_user = c.call("log.subscribe", from_seq=1, user_id=2)["subscription_id"]
        by_stream = c.call("log.subscribe", from_seq=1, stream="points:2")["subscription_id"]
        last = writer.call(*award(2))["seq"]
        got = {by_type: [], by_user: [], by_stream: []}
        caught_up = []
        while not all(events and events[-1]["seq"] == last for events in got.values()) or len(caught_up) < 3:
            method, params = c.notification()
            if method == "log.events":
                got[params["subscription_id"]] += params["items"]
            else:
                self.assertEqual(method, "log.caught_up")
                caught_up.append(params["subscription_id"])
        self.assertEqual(sorted(caught_up), sorted(got))
        self.assertEqual([e["data"]["user_id"] for e in got[by_type]], [1, 2])
        self.assertEqual([e["type"] for e in got[by_user]], ["user.created", "point.credited"])
        self.assertEqual([e["stream"] for e in got[by_stream]], ["points:2"])
        for s in got:
            c.call("log.unsubscribe", subscription_id=s)
        with self.fails("not_found"):
            c.call("log.unsubscribe", subscription_id=by_type)
        with self.fails("invalid_argument", "from_seq"):
            c.call("log.subscribe", from_seq=last + 5)


class Batches(SharedDaemonTest):
    def test_an_atomic_batch_is_one_commit_or_nothing(self):
        calls = [{"method": m, "params": p} for m, p in (award(21, 5), award(22, 6), ("point.deduct", {"user_id": 21, "amount": 2}))]
        results = self.c.call("server.batch", calls=calls, atomic=True)["results"]
        self.assertEqual([r["result"]["balance"] for r in results], [5, 6, 3])
        events = self.c.call("log.read", user_id=21)["items"]
        self.assertEqual(len({e["commit"] for e in events}), 1)
        head = self.c.call("server.health")["head_seq"]
        calls.append({"method": "point.deduct", "params": {"user_id": 22, "amount": 100}})
        with self.fails("insufficient_points", index=3):
            self.c.call("server.batch", calls=calls, atomic=True)
        self.assertEqual(self.c.call("server.health")["head_seq"], head)
        self.assertEqual(self.c.call("point.get", id=21)["balance"], 3)
        with self.fails("invalid_argument", "calls", index=0):
            self.c.call("server.batch", calls=[{"method": "point.get", "params": {"id": 21}}], atomic=True)
        with self.fails("unknown_method", index=1):
            self.c.call("server.batch", calls=[calls[0], {"method": "point.give", "params": {}}], atomic=True)
        self.assertEqual(self.c.call("server.health")["head_seq"], head)

    def test_whatever_is_put_into_a_batch_is_answered(self):
        # given: every method there is, but those that would be done
        methods = sorted({item["method"] for item in self.c.call("server.methods")["items"]})
        calls = [{"method": method, "params": {"no such param": 1}} for method in methods]
        calls += [{"method": method} for method in methods if method.startswith(("log.", "projection.", "server."))]
        calls += [{"method": "projection.status", "params": {"name": "user"}}, {"method": "server.backup", "params": {"path": "/x"}}]
        calls += [{"method": "projection.rebuild", "params": {"all": True}}, {"method": "log.prove", "params": {"seq": 1}}]

        # when they come together
        results = self.c.call("server.batch", calls=calls)["results"]

        # then each has its answer, and what takes a worker is refused
        self.assertEqual([sorted(r) in (["error"], ["result"]) for r in results], [True] * len(calls))
        self.assertEqual({r["error"]["code"] for r in results[: len(methods)]}, {"invalid_argument"})
        self.assertEqual([r["error"]["code"] for r in results[-4:]], ["invalid_argument"] * 4)

    def test_a_batch_holds_a_thousand_calls(self):
        calls = [{"method": "user.get", "params": {"id": 9999}}] * 1001
        self.assertEqual(len(self.c.call("server.batch", calls=calls[1:])["results"]), 1000)
        for bad in (calls, []):
            with self.fails("invalid_argument", "calls"):
                self.c.call("server.batch", calls=bad)

    def test_a_loose_batch_answers_each_call(self):
        calls = [{"method": m, "params": p} for m, p in (award(31, 5), ("point.get", {"id": 31}), ("point.get", {"id": 9999}),
                                                        ("server.batch", {"calls": []}), ("log.subscribe", {}))]
        results = self.c.call("server.batch", calls=calls)["results"]
        self.assertEqual(results[0]["result"]["balance"], 5)
        self.assertEqual(results[1]["result"]["balance"], 5)
        self.assertEqual([r["error"]["code"] for r in results[2:]], ["not_found", "invalid_argument", "invalid_argument"])


class LargeBatches(SharedDaemonTest):
    def test_queries_that_do_not_fit_are_refused_but_no_command(self):
        methods = {"method": "server.methods", "params": {}}
        size = len(msgpack.packb(self.c.call("server.methods")))
        self.c.pipeline([("user.create", {"id": n}) for n in range(1, 21)])
        page = {"method": "user.list", "params": {"limit": 20}}
        deposit = {"method": "point.award", "params": {"user_id": 1, "amount": 1}}

        # when: more is asked than an answer holds
        n = (16 << 20) // size + 20
        results = self.c.call("server.batch", calls=[methods] * n + [page, deposit])["results"]

        # then: queries are refused where it is full; the command is done and answered
        self.assertEqual(len(results), n + 2)
        codes = [r["error"]["code"] for r in results if "error" in r]
        self.assertEqual(set(codes), {"limit_exceeded"})
        self.assertNotIn("error", results[0])
        self.assertIn("error", results[n - 1])
        self.assertEqual(results[-1]["result"]["balance"], 1)
        self.assertEqual(self.c.call("point.get", id=1)["balance"], 1)

    def test_a_list_in_a_full_batch_ends_its_page_early(self):
        methods = {"method": "server.methods", "params": {}}
        size = len(msgpack.packb(self.c.call("server.methods")))
        self.c.pipeline([("user.create", {"id": n}) for n in range(1, 21)])
        n = (13 << 20) // size + 1
        page = {"method": "user.list", "params": {"limit": 20}}
        got = self.c.call("server.batch", calls=[methods] * n + [page])["results"][-1]["result"]
        self.assertEqual(len(got["items"]), 1)
        rest = self.c.call("user.list", limit=20, after=got["next"])
        self.assertEqual([u["id"] for u in got["items"] + rest["items"]], list(range(1, 21)))
        self.assertIsNone(rest["next"])


class Keys(LedgerTest):
    def test_a_repeat_is_answered_from_the_log(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        params = {"user_id": 1, "amount": 5, "idempotency_key": "k1"}
        first = c.call("point.award", params)
        again = {"idempotency_key": "k1", "description": "", "multiply": True, "amount": 5, "user_id": 1}

        def repeat(c):
            got = c.call("point.award", again)
            self.assertTrue(got.pop("replayed"))
            self.assertEqual(got, first)
            with self.fails("idempotency_conflict"):
                c.call("point.award", dict(params, amount=6))
            with self.fails("idempotency_conflict"):
                c.call("point.deduct", dict(params))
            self.assertEqual(c.call("point.get", id=1)["balance"], 5)

        repeat(c)
        daemon.kill()
        daemon.start()
        c = self.connect(daemon)
        repeat(c)
        c.call("projection.rebuild", all=True)
        repeat(c)
        # what failed is not remembered
        with self.fails("insufficient_points"):
            c.call("point.deduct", user_id=1, amount=100, idempotency_key="k2")
        c.call("point.award", user_id=1, amount=1000)
        self.assertNotIn("replayed", c.call("point.deduct", user_id=1, amount=100, idempotency_key="k2"))

    def test_a_repeat_may_order_its_maps_otherwise(self):
        """Some languages never write a map in the same order twice."""
        c = self.connect(self.start_daemon())
        for method, params in (
            ("config.set", {"entries": {"a": 1, "b": [], "flag.c": True}}),
            ("point.award", {"user_id": 1, "amount": 5, "ref": {"kind": "quiz", "id": 7}}),
            ("channel.create", {"id": -1, "reactions": ["x", "y"], "reaction_points": {"x": 1, "y": 2.5}}),
        ):
            first = c.call(method, idempotency_key=method, **params)
            again = {
                name: dict(reversed(value.items())) if isinstance(value, dict) else value
                for name, value in params.items()
            }
            self.assertEqual(c.call(method, idempotency_key=method, **again), dict(first, replayed=True))

    def test_versions_maintenance_and_waiting(self):
        c = self.connect(self.start_daemon())
        self.assertEqual(c.call("user.create", id=5, expected_version=0)["version"], 1)
        with self.fails("version_conflict", expected=4, actual=1):
            c.call("user.update", id=5, first_name="x", expected_version=4)
        c.call("user.delete", id=5)
        c.call("user.create", id=5, expected_version=0)
        # what a deleted user held is not there, though its stream goes on counting
        c.call("achievement.create", id="a", name="A")
        c.call("achievement.unlock", user_id=5, achievement_id="a", expected_version=0)
        c.call("user.delete", id=5)
        c.call("user.create", id=5)
        unlocked = c.call("achievement.unlock", user_id=5, achievement_id="a", expected_version=0)
        self.assertEqual(unlocked["version"], 2)
        # a question is in the stream of its trivia
        asked = dict(kind="question", question_text="?", question_type="visual", correct_answer="x")
        c.call("game.create", kind="trivia", title="Quiz", expected_version=0)
        self.assertEqual(c.call("game.create", trivia_id=1, expected_version=1, **asked)["version"], 2)
        with self.fails("version_conflict", expected=1, actual=2):
            c.call("game.update", kind="question", id=1, position=5, expected_version=1)
        self.assertEqual(c.call("game.update", kind="question", id=1, position=5, expected_version=2)["version"], 3)
        with self.fails("version_conflict", expected=3, actual=0):
            c.call("game.delete", kind="question", id=9, expected_version=3)
        with self.fails("invalid_argument", "kind"):
            c.call("game.get", id=1)
        with self.fails("invalid_argument", "expected_version"):
            c.call("point.award_many", items=[{"user_id": 5, "amount": 1}], expected_version=1)
        c.call("mission.create", id="m", name="M", target_value=2, expected_version=0)
        self.assertEqual(c.call("mission.advance", user_id=5, mission_id="m", expected_version=0)["version"], 2)
        # an id that is given names a stream, one that is made does not
        fragment = dict(title="F", content="x", type="info")
        with self.fails("version_conflict", expected=0, actual=1):
            c.call("mission.create", id="m", name="M", expected_version=0)
        c.call("narrative.create", id="f", expected_version=0, **fragment)
        with self.fails("version_conflict", expected=0, actual=1):
            c.call("narrative.create", id="f", expected_version=0, **fragment)
        self.assertEqual(c.call("mission.create", name="M", expected_version=0)["version"], 1)
        self.assertEqual(c.call("narrative.create", expected_version=0, **fragment)["version"], 1)
        with self.fails("version_conflict"):
            c.call("mission.reset", user_id=5, mission_id="m", expected_version=1)
        with self.fails("invalid_argument", "expected_version"):
            c.call("mission.reset", user_id=5, type="one_time", expected_version=2)
        self.assertEqual(c.call("mission.reset", user_id=5, mission_id="m", expected_version=2)["version"], 3)
        self.assertIsNone(c.call("mission.reset", user_id=5, type="one_time")["version"])
        with self.fails("invalid_argument", "expected_version"):
            c.call("config.set", entries={"flag.a": True, "flag.b": True}, expected_version=0)
        self.assertEqual(c.call("config.set", entries={"flag.a": True}, expected_version=0)["version"], 1)
        with self.fails("version_conflict", expected=0, actual=1):
            c.call("config.set", entries={"flag.a": False}, expected_version=0)
        token = c.call("config.create", created_by=5, expected_version=0)["item"]["token"]
        with self.fails("version_conflict", expected=2, actual=1):
            c.call("config.use_token", token=token, user_id=6, expected_version=2)
        with self.fails("version_conflict", expected=1, actual=0):
            c.call("config.delete", kind="token", id=9, expected_version=1)
        self.assertEqual(c.call("config.use_token", token=token, user_id=6, expected_version=1)["version"], 2)
        c.call("config.set", entries={"maintenance.enabled": True, "maintenance.message": "soon"})
        with self.fails("maintenance", message="soon"):
            c.call(*award(5))
        self.assertEqual(c.call("point.get", id=5)["balance"], 0)
        c.call("config.set", entries={"maintenance.enabled": False})
        head = c.call("server.health")["head_seq"]
        with self.fails("unavailable"):
            c.call("point.get", id=5, min_seq=head + 1, wait_ms=20)
        waiting = c.post("point.get", {"id": 5, "min_seq": head + 1, "wait_ms": 20000})
        c.call(*award(5, 7))
        self.assertEqual(c.wait(waiting)["balance"], 7)


class Services(SharedDaemonTest):
    def test_every_method_is_described(self):
        items = self.c.call("server.methods")["items"]
        self.assertGreater(len(items), 50)
        for item in items:
            self.assertTrue(item["doc"], item["method"])
            for param in item["params"]:
                self.assertIn("type", param)
        one = self.c.call("server.methods", {"method": "point.award"})["items"][0]
        self.assertIn("point.credited", one["events"])
        self.assertEqual({p["name"]: p["default"] for p in one["params"]}["source"], "manual")

    def test_the_log_is_read_by_every_filter_in_pages(self):
        self.c.pipeline([award(41, i + 1, actor="bot" if i % 2 else "admin:1") for i in range(30)])
        every = self.c.pages("log.read", limit=7)
        self.assertEqual([e["seq"] for e in every], list(range(1, len(every) + 1)))
        back = self.c.pages("log.read", limit=7, order="desc")
        self.assertEqual(back, every[::-1])

        def check(wanted, **params):
            self.assertEqual(self.c.pages("log.read", limit=5, **params), [e for e in every if wanted(e)])

        check(lambda e: e["type"] == "point.credited", types=["point.credited"])
        check(lambda e: e["type"].startswith("user."), types=["user.*"])
        check(lambda e: 41 in e["users"], user_id=41)
        check(lambda e: e["stream"] == "points:41", stream="points:41")
        check(lambda e: e["stream"] == "level:3", stream="level:3")
        check(lambda e: e["actor"] == "admin:1", actor="admin:1")
        middle = every[len(every) // 2]["at"]
        check(lambda e: e["at"] >= middle, from_at=middle)
        check(lambda e: e["at"] < middle, to_at=middle)
        check(lambda e: 5 <= e["seq"] <= 12, from_seq=5, to_seq=12)
        self.assertIsInstance(self.c.call("log.get", seq=3, raw=True)["raw"], bytes)

    def test_rebuild_goes_on_beside_commands(self):
        other = self.connect(self.daemon)
        self.c.pipeline([award(i % 100 + 500) for i in range(3000)])
        rebuild = other.post("projection.rebuild", {"all": True})
        self.c.pipeline([award(i % 100 + 500) for i in range(3000)])
        self.assertIn("point", other.wait(rebuild)["rebuilt"])
        self.assertEqual(self.c.call("point.get", id=500)["balance"], 60)
        verdict = self.c.call("projection.rebuild", all=True, verify=True)
        self.assertTrue(verdict["equal"], verdict)
        self.assertTrue(self.c.call("point.verify")["ok"])
        self.assertTrue(self.c.call("point.verify", user_id=500)["ok"])
        self.assertEqual(len(self.c.call("projection.status", name="point")["fingerprint"]), 32)
        with self.fails("not_found"):
            self.c.call("projection.rebuild", name="nothing")
        first, second = self.c.pipeline([("projection.rebuild", {"all": True}), ("projection.rebuild", {"name": "point"})])
        self.assertIsNone(first[0])
        self.refused(second, "in_use", reason="rebuild_running")

    def test_stats_and_health(self):
        self.c.call(*award(51))
        health = self.c.call("server.health")
        self.assertEqual(health["status"], "ok")
        self.assertEqual({k["name"] for k in health["checks"]}, {"log", "views", "disk", "books", "sealing", "timers"})
        stats = self.c.call("server.stats")
        self.assertGreater(stats["calls"]["point.award"]["count"], 0)
        self.assertEqual(list(self.c.call("server.stats", section="commits")), ["commits"])

    def test_nothing_is_missing_in_what_the_daemon_tells_of_itself(self):
        c = self.connect(self.daemon)
        c.call(*award(52, idempotency_key="fields"))
        c.call("user.list", limit=1)

        def holds(got, keys):
            self.assertLessEqual(set(keys.split()), set(got))

        health = c.call("server.health")
        holds(health, "status uptime_ms head_seq projections timers storage connections subscriptions checks")
        holds(health["timers"], "armed next_due_at overdue")
        holds(health["storage"], "map_bytes used_bytes free_bytes")
        stats = c.call("server.stats")
        self.assertEqual(set(stats), set("calls commits storage views lists subscriptions backup".split()))
        for section in stats:
            self.assertEqual(list(c.call("server.stats", section=section)), [section])
        holds(stats["calls"]["point.award"], "count errors total_us mean_us max_us p50_us p99_us returned")
        holds(stats["commits"], "count events sync_mean_us sync_max_us")
        holds(stats["views"], "lookups walked")
        holds(stats["lists"][0], "method filters sort count index examined returned")
        aggregates = set("user point mission narrative achievement channel auction game config".split())
        items = c.call("projection.list")["items"]
        self.assertEqual({item["name"] for item in items}, aggregates | {"log"})
        for item in items:
            holds(item, "name seq lag state entries bytes")
        status = c.call("projection.status", name="game")
        holds(status, "name seq lag state entries bytes rebuild last_error fingerprint")
        self.assertEqual(set(status["rebuild"]), set("running done_seq head_seq started_at".split()))
        events = c.call("log.read", user_id=52)["items"]
        envelope = "seq commit type stream version at actor note peer method cause idempotency users data"
        for event in events:
            self.assertEqual(set(event), set(envelope.split()))
        self.assertEqual(set(events[0]["idempotency"]), {"key", "digest", "result"})
        self.assertIsNone(events[-1]["idempotency"])
        self.assertEqual(c.call("log.get", seq=events[0]["seq"]), events[0])
        with self.fails("not_found"):
            c.call("log.get", seq=c.call("server.health")["head_seq"] + 1)
        self.assertEqual(set(c.call("log.verify")), set("ok checked first_bad_seq reason".split()))

    def test_lists_are_counted_by_what_they_were_asked(self):
        self.c.call("user.list", is_admin=False, limit=3)
        self.c.call("user.list", is_admin=True, sort="level", limit=3)
        lists = self.c.call("server.stats", section="lists")["lists"]
        seen = {(item["method"], item["filters"], item["sort"]): item for item in lists}
        self.assertEqual(seen["user.list", "is_admin", None]["index"], "user_by_admin")
        self.assertEqual(seen["user.list", "is_admin", "level"]["index"], "user_by_level")
        self.assertGreaterEqual(seen["user.list", "is_admin", None]["count"], 1)

    def test_slow_calls_are_noted(self):
        self.c.call("server.slowlog", threshold_us=0, clear=True)
        for user in (61, 62, 63):
            self.c.call(*award(user))
        self.c.call("user.list", limit=2)
        page = self.c.call("server.slowlog", limit=2)
        self.assertEqual([i["method"] for i in page["items"]], ["user.list", "point.award"])
        self.assertEqual(page["items"][0]["index"], "user_by_created")
        self.assertEqual(page["items"][0]["returned"], 2)
        rest = self.c.call("server.slowlog", limit=2, after=page["next"])["items"]
        self.assertEqual([i["method"] for i in rest], ["point.award", "point.award"])
        self.assertEqual(len({i["params_digest"] for i in page["items"] + rest}), 4)
        got = self.c.call("server.slowlog", threshold_us=3600000000, clear=True)
        self.assertEqual(got["threshold_us"], 3600000000)
        self.assertEqual(self.c.call("server.slowlog")["items"], [])
        with self.fails("invalid_argument", "after"):
            self.c.call("server.slowlog", after="nonsense")


class Backup(LedgerTest):
    def test_a_copy_made_while_commands_go_on_is_a_ledger_of_its_own(self):
        daemon = self.start_daemon()
        c, other = self.connect(daemon), self.connect(daemon)
        c.pipeline([award(i % 100 + 1) for i in range(2000)])
        path = os.path.join(daemon.dir, "copy")
        with Witness(daemon):
            backup = other.wait(other.post("server.backup", {"path": path}))
        self.assertGreaterEqual(backup["seq"], 2100)
        self.assertEqual(backup["bytes"], os.path.getsize(os.path.join(path, "log", "data.mdb")))
        copy = self.start_daemon(data=path, path=os.path.join(daemon.dir, "copy.sock"))
        k = self.connect(copy)
        self.assertEqual(k.call("server.health")["head_seq"], backup["seq"])
        self.assertEqual(k.call("point.get", id=7)["balance"], 20)
        last = dict(from_seq=backup["seq"], to_seq=backup["seq"])
        self.assertEqual(k.call("log.read", last)["items"], c.call("log.read", last)["items"])

    def test_a_path_that_cannot_be_is_refused_and_nothing_is_left(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        with self.fails("invalid_argument", "path"):
            c.call("server.backup", path="copy")
        with self.fails("already_exists", kind="path"):
            c.call("server.backup", path=daemon.dir)
        with self.fails("invalid_argument", "path"):
            c.call("server.backup", path=os.path.join(daemon.dir, "no", "such", "folder"))
        self.assertEqual(sorted(os.listdir(daemon.dir)), ["data", "sock", "sock.lock"])
class Rates(LedgerTest):
    def test_more_activity_than_a_person_makes_is_refused(self):
        c = self.connect(self.start_daemon())
        c.call("config.set", entries={"throttle.activity_per_minute": 3})
        report = {"user_id": 1, "action": "other"}
        for n in range(3):
            self.assertTrue(c.call("user.record_activity", dict(report, idempotency_key="k%d" % n))["recorded"])
        with self.fails("rate_limited") as refused:
            c.call("user.record_activity", report)
        self.assertGreater(refused.error.details["retry_at"], time.time() * 1000)
        self.assertLessEqual(refused.error.details["retry_at"], time.time() * 1000 + 61000)
        # a repeat is no activity, and others have their own minute
        self.assertTrue(c.call("user.record_activity", dict(report, idempotency_key="k0"))["replayed"])
        self.assertTrue(c.call("user.record_activity", dict(report, user_id=2))["recorded"])
        with self.fails("rate_limited"):
            c.call("user.record_activity", report)
        # unknown channels count too: the window stands in front of the decision
        for _ in range(2):
            with self.fails("not_found", kind="channel"):
                c.call("user.record_activity", dict(report, user_id=2, channel_id=-5))
        with self.fails("rate_limited"):
            c.call("user.record_activity", dict(report, user_id=2))
        self.assertEqual(c.call("point.get", id=1)["balance"], 3)
        # what is tested before counts first
        with self.fails("idempotency_conflict"):
            c.call("user.record_activity", dict(report, user_id=2, idempotency_key="k0"))
        with self.fails("version_conflict"):
            c.call("user.record_activity", dict(report, expected_version=99))
        c.call("config.set", entries={"maintenance.enabled": True})
        with self.fails("maintenance"):
            c.call("user.record_activity", report)


class Descriptors(LedgerTest):
    def test_without_file_descriptors_left_the_others_go_on_and_later_ones_wait(self):
        few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        daemon = self.start_daemon(preexec=few)
        c = self.connect(daemon)
        many = [daemon.client() for _ in range(80)]
        daemon.wait_said("no file descriptors left")
        busy = daemon.cpu_seconds()
        for n in range(1, 200):
            self.assertEqual(c.call(*award(1))["balance"], n)
        self.assertLess(daemon.cpu_seconds() - busy, 1.0 * SLOWNESS)
        last = many[-1]
        for other in many[:-1]:
            other.close()
        self.assertEqual(last.call("point.get", id=1)["balance"], 199)
        last.close()
        self.assertLess(len(daemon.said("no file descriptors left")), 10 * SLOWNESS)


class Timers(LedgerTest):
    def test_vip_ends_by_itself_and_after_downtime(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        c.call("log.subscribe", types=["user.vip_expired", "user.vip_reminder_due"])
        now = int(time.time() * 1000)
        c.call("user.grant_vip", user_id=1, expires_at=now + 700)
        c.call("user.grant_vip", user_id=2, days=2)
        seen = []
        while "user.vip_expired" not in seen:
            method, params = c.notification()
            if method == "log.events":
                seen += [e["type"] for e in params["items"]]
        self.assertEqual(seen, ["user.vip_reminder_due", "user.vip_expired"])
        self.assertEqual(c.call("user.get", id=1)["role"], "free")
        self.assertEqual(c.call("user.get", id=2)["role"], "vip")
        due = int(time.time() * 1000) + 300
        c.call("user.grant_vip", user_id=3, expires_at=due)
        daemon.kill()
        wait_until(lambda: time.time() * 1000 > due, "the time to come")
        daemon.start()
        c = self.connect(daemon)
        c.call("log.subscribe", from_seq=1, types=["user.vip_expired"])
        expired = []
        while len(expired) < 2:
            method, params = c.notification()
            if method == "log.events":
                expired += [(e["data"]["user_id"], e["data"]["due_at"], e["method"], e["actor"]) for e in params["items"]]
        self.assertEqual(expired, [(1, now + 700, "timer.vip_expiry", "server"), (3, due, "timer.vip_expiry", "server")])
        self.assertEqual(c.call("user.get", id=3)["role"], "free")
        self.assertEqual(c.call("user.get", id=2)["role"], "vip")


if __name__ == "__main__":
    unittest.main()
