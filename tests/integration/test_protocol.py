"""Bad input: each gets an error of the closed set, or is closed where no answer is possible; nobody else notices."""

import base64
import os
import random
import struct
import unittest

import msgpack
from lib import NOBODY, SLOWNESS, Closed, LedgerTest, SharedDaemonTest, Witness, as_user, wait_until


class BadCalls(SharedDaemonTest):
    def setUp(self):
        super().setUp()
        self.witness = Witness(self.daemon)
        self.witness.__enter__()

    def tearDown(self):
        self.witness.__exit__(None, None, None)

    def refuse(self, method, params, code, field=None):
        self.refused(self.c.outcome(self.c.post(method, params)), code, field)

    def test_methods_and_params(self):
        award = {"user_id": 1, "amount": 1}
        for method, params, code, field in (
            ("point.nothing", {}, "unknown_method", None),
            ("", {}, "unknown_method", None),
            ("point.award", dict(award, colour="red"), "invalid_argument", "colour"),
            ("point.award", {"user_id": 1}, "invalid_argument", "amount"),
            ("point.award", {"amount": 1}, "invalid_argument", "user_id"),
            ("point.award", None, "invalid_argument", "user_id"),
            ("point.award", dict(award, user_id="1"), "invalid_argument", "user_id"),
            ("point.award", dict(award, user_id=0), "invalid_argument", "user_id"),
            ("point.award", dict(award, user_id=-5), "invalid_argument", "user_id"),
            ("point.award", dict(award, user_id=2**64 - 1), "invalid_argument", "user_id"),
            ("point.award", dict(award, user_id=1.0), "invalid_argument", "user_id"),
            ("point.award", dict(award, multiply=1), "invalid_argument", "multiply"),
            ("point.award", dict(award, source="x" * 51), "invalid_argument", "source"),
            ("point.award", dict(award, source=b"bin"), "invalid_argument", "source"),
            ("point.award", dict(award, ref={"kind": "a"}), "invalid_argument", "ref"),
            ("point.award", dict(award, ref=[1]), "invalid_argument", "ref"),
            ("point.award", dict(award, idempotency_key="k" * 65), "invalid_argument", "idempotency_key"),
            ("point.award", dict(award, kind="balance"), "invalid_argument", "kind"),
            ("point.get", {"id": 1, "kind": "bids"}, "invalid_argument", "kind"),
            ("point.list", {"limit": 0}, "invalid_argument", "limit"),
            ("point.list", {"limit": 1001}, "invalid_argument", "limit"),
            ("point.list", {"order": "up"}, "invalid_argument", "order"),
            ("point.list", {"after": "nonsense"}, "invalid_argument", "after"),
            ("point.award_many", {"items": []}, "invalid_argument", "items"),
            ("point.award_many", {"items": [award] * 1001}, "invalid_argument", "items"),
            ("user.get_many", {"ids": [1, "2"]}, "invalid_argument", None),
            ("log.read", {"types": ["point.nothing"]}, "invalid_argument", "types"),
            ("log.get", {"seq": 10**9}, "not_found", None),
            ("user.get", {"id": 77777}, "not_found", None),
        ):
            with self.subTest(method=method, params=str(params)[:60]):
                self.refuse(method, params, code, field)

    def test_amounts(self):
        for amount, code in (
            (0.0005, "invalid_argument"),
            (float("nan"), "invalid_argument"),
            (float("inf"), "invalid_argument"),
            (float("-inf"), "invalid_argument"),
            (1e30, "limit_exceeded"),
            (4000000000001, "limit_exceeded"),
            (2**63, "limit_exceeded"),
            (0, "invalid_argument"),
            (-1, "invalid_argument"),
            ("5", "invalid_argument"),
            (None, "invalid_argument"),
        ):
            with self.subTest(amount):
                self.refuse("point.award", {"user_id": 2, "amount": amount}, code)
        self.refuse("point.get", {"id": 2}, "not_found")

    def test_invalid_utf8_and_keys_that_come_twice(self):
        def raw(params):
            self.c.last_msgid += 1
            self.c.raw(b"\x94\x00" + msgpack.packb(self.c.last_msgid) + msgpack.packb("user.create") + b"\x91" + params)
            return self.c.outcome(self.c.last_msgid)

        name = b"\x82\xa2id\x05\xaafirst_name"
        for bad in (b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"):
            self.refused(raw(name + bytes([0xA0 | len(bad)]) + bad), "invalid_argument", "first_name")
        self.refused(raw(b"\x82\xa2id\x05\xa2id\x06"), "invalid_argument", "id")
        self.refused(raw(b"\x81\x05\x06"), "invalid_argument", "params")
        self.refuse("user.get", {"id": 5}, "not_found")

    def test_texts_of_every_kind_and_length(self):
        """Each is answered, whatever becomes of it in keys and messages; the client tests that answers are UTF-8."""
        for n, (character, length) in enumerate(
            (character, length)
            for character in ("\0", "x", "\u00e9", "a\u0301", "\ufdfa", "\uffff", "\U0001f600")
            for length in (20, 64, 100, 200, 400, 1000)
        ):
            text = character * (length // len(character.encode()))
            outcomes = self.c.pipeline([
                ("point.create", {"kind": "reward", "title": text, "required_points": 1}),
                ("point.create", {"kind": "level", "id": 1000, "name": text, "min_points": 1000000}),
                ("point.list", {"kind": "reward", "reward_type": text}),
                ("point.list", {"source": text}),
                ("point.award", {"user_id": 70, "amount": 1, "source": text, "description": text}),
                ("point.award", {"user_id": 70, "amount": 1, "idempotency_key": text, "actor": text, "note": text}),
                ("user.create", {"id": 7000 + n, "username": text, "first_name": text, "last_name": text}),
                ("user.get", {"username": text}),
                ("user.list", {"query": text}),
                ("user.list", {"kind": "vip_grant", "source": text}),
                ("user.grant_vip", {"user_id": 70, "days": 1, "source": text, "source_id": text}),
                ("user.revoke_vip", {"user_id": 70, "source": text, "source_id": text}),
                ("config.get", {"id": text}),
                ("config.set", {"entries": {text: text}}),
                ("log.read", {"stream": text, "actor": text[:10]}),
                ("log.read", {"types": [text]}),
                ("projection.status", {"name": text}),
                ("server.methods", {"method": text}),
                ("user.list", {"after": text}),
                (text, {text: text}),
            ])
            for error, _ in outcomes:
                self.assertTrue(error is None or error["code"] != "internal", error)
        self.assertTrue(self.c.call("projection.rebuild", all=True, verify=True)["equal"])

    def test_every_param_of_every_method_with_odd_values(self):
        """What the daemon says it takes is what it is given here: methods to come are tested too."""
        usual = {"user_id": 1, "id": 1, "amount": 1, "ids": [1], "from_user_id": 1, "to_user_id": 2, "reward_id": 1, "title": "t",
                 "name": "point", "required_points": 1, "min_points": 5, "entries": {"flag.a": 1}, "seq": 1, "calls": [],
                 "items": [{"user_id": 1, "amount": 1}], "action": "message", "subscription_id": 1, "wait_ms": 0}
        odd = (None, True, 0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 0.5, 1.5, float("nan"), float("inf"),
               -0.0, 1e300, "", "a", "asc", b"", b"\xff", [], [1], ["a"], [[]], {}, {"a": 1}, {"kind": "a", "id": 1}, [{}],
               [None], msgpack.ExtType(5, b"x"), msgpack.Timestamp(5), 253402300799999, 253402300800000)
        daemon = self.start_daemon()
        c, other = self.connect(daemon), self.connect(daemon)
        for item in other.call("server.methods")["items"]:
            names = [p["name"] for p in item["params"]]
            for name in names:
                calls = []
                for value in odd:
                    params = {n: usual[n] for n in names if n in usual}
                    if item["kind"] is not None:
                        params["kind"] = item["kind"]
                    params[name] = value
                    calls.append((item["method"], params))
                for call, (error, _) in zip(calls, c.pipeline(calls)):
                    self.assertTrue(error is None or error["code"] != "internal", (call, error))
        for check in ("log.verify", "point.verify"):
            self.assertTrue(other.call(check)["ok"])
        self.assertTrue(other.call("projection.rebuild", all=True, verify=True)["equal"])
        self.assertEqual(other.call("server.health")["status"], "ok")

    def test_cursors_that_were_made_up(self):
        self.c.pipeline([("point.award", {"user_id": 71 + n, "amount": 1 + n}) for n in range(3)])
        for method, params in (("user.list", {}), ("point.leaderboard", {}), ("point.list", {}), ("log.read", {}),
                               ("point.list", {"user_id": 71}), ("point.list", {"kind": "level"}),
                               ("user.list", {"kind": "vip_grant"})):
            for order in ("asc", "desc"):
                page = self.c.call(method, dict(params, limit=1, order=order))
                list_of = base64.b64decode(page["next"])[:4] if page["next"] else b"list"
                for filler in (b"\0", b"\xff", b"a"):
                    for length in (0, 1, 4, 5, 12, 40, 200, 400, 401, 500):
                        after = base64.b64encode(list_of + filler * length).decode()
                        error, _ = self.c.outcome(self.c.post(method, dict(params, after=after, order=order, limit=1)))
                        self.assertTrue(error is None or error["details"].get("field") == "after", error)

    def test_a_notification_is_ignored_and_no_params_are_an_empty_map(self):
        self.c.raw(msgpack.packb([2, "point.award", [{"user_id": 6, "amount": 1}]]))
        self.assertEqual(self.c.call("server.health", None or {})["status"], "ok")
        self.refused(self.c.outcome(self.c.post("point.get", {"id": 6})), "not_found")
        error, result = self.c.outcome(self.c.post("point.stats", None))
        self.assertIsNone(error)
        self.assertIn("users", result)

    def test_commands_of_one_connection_take_effect_in_order(self):
        calls = [("point.award", {"user_id": 8, "amount": 1})] * 200 + [("point.get", {"id": 8})]
        outcomes = self.c.pipeline(calls)
        self.assertEqual([r["balance"] for _, r in outcomes[:200]], list(range(1, 201)))
        self.assertEqual(outcomes[200][1]["balance"], 200)

    def test_frames_in_tiny_pieces_and_several_at_once(self):
        first, a = self.c.frame("point.award", {"user_id": 9, "amount": 1})
        second, b = self.c.frame("point.award", {"user_id": 9, "amount": 2})
        for i in range(len(a)):
            self.c.raw(a[i : i + 1])
        self.assertEqual(self.c.wait(first)["balance"], 1)
        self.c.raw(b + self.c.frame("point.get", {"id": 9})[1])
        self.assertEqual(self.c.wait(second)["balance"], 3)
        self.assertEqual(self.c.wait(self.c.last_msgid)["balance"], 3)


class BadFrames(SharedDaemonTest):
    def setUp(self):
        super().setUp()
        self.witness = Witness(self.daemon)
        self.witness.__enter__()

    def tearDown(self):
        self.witness.__exit__(None, None, None)

    def closed_after(self, data, answered=None):
        c = self.connect(self.daemon)
        try:
            c.raw(data)
            c.until_closed()
        except Closed:
            pass
        if answered is not None:
            self.refused(c.answers[answered], "invalid_argument", "frame")
        return c

    def test_garbage_is_closed(self):
        for data in (b"\xc1", b"GET / HTTP/1.1\r\n\r\n", b"\x01", b"\x93\x00\x01\xa1x", b"\x94\x07\x01\xa1x\x90", b"\xa3abc",
                     b"\x94\x00\xa1x\xa1x\x90", b"\x80"):
            with self.subTest(data):
                self.closed_after(data)

    def test_where_a_msgid_is_known_it_is_answered_first(self):
        self.closed_after(b"\x94\x00\x07\xabpoint.award\x91\x81\xa1a\xc1", answered=7)
        self.closed_after(b"\x94\x00\x08\xabpoint.award" + b"\x91" * 40, answered=8)
        self.closed_after(b"\x94\x00\x09\xabpoint.award\x92\x80\x80", answered=9)

    def test_a_frame_of_ten_megabytes(self):
        c = self.closed_after(b"\x94\x00\x05\xabpoint.award\x91\x81\xa4note\xdb" + struct.pack(">I", 10 << 20), answered=5)
        self.assertTrue(c.eof)
        self.closed_after(b"\x94\x00\x06\xabpoint.award\xdd" + struct.pack(">I", 0xFFFFFFFF), answered=6)

    def test_ten_megabytes_that_are_really_sent(self):
        c = self.connect(self.daemon)
        frame = msgpack.packb([0, 7, "user.create", [{"id": 3, "first_name": "x" * (10 << 20)}]])
        try:
            c.raw(frame)
        except (Closed, AssertionError):
            pass
        c.until_closed()
        # the answer may be lost with what the daemon did not read; if it came it is this one
        if 7 in c.answers:
            self.refused(c.answers[7], "invalid_argument", "frame")
        self.assertLess(self.daemon.memory_bytes(), (256 << 20) * SLOWNESS)

    def test_nesting_without_end(self):
        for head in (b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\xdf\x00\x00\x00\x01\x01"):
            with self.subTest(head):
                self.closed_after(b"\x94\x00\x03\xabpoint.award\x91" + head * 100000, answered=3)
                self.closed_after(head * 100000)

    def test_frames_that_end_too_early(self):
        """Each beginning of a frame, and then the client goes."""
        _, data = self.connect(self.daemon).frame("user.create", {"id": 55, "first_name": "Ana", "is_admin": True})
        for n in range(len(data)):
            c = self.connect(self.daemon)
            c.raw(data[:n])
            c.close()
        self.refused(self.connect(self.daemon).pipeline([("user.get", {"id": 55})])[0], "not_found")

    def test_frames_with_a_few_wrong_bytes(self):
        """Whatever they became: an answer, or the end of the connection, or a wait for more."""
        seed = int(os.environ.get("FRAMES_SEED", random.randrange(1 << 30)))
        rng = random.Random(seed)
        params = {"user_id": 60, "amount": 1.5, "source": "quiz", "ref": {"kind": "post", "id": "1:2"}, "note": "n"}
        other = self.connect(self.daemon)
        for round in range(300):
            with self.subTest(seed=seed, round=round):
                c = self.connect(self.daemon)
                data = bytearray()
                for _ in range(rng.randrange(1, 4)):
                    data += c.frame(*rng.choice((("point.award", params), ("point.list", {"user_id": 60}),
                                                 ("server.batch", {"calls": [{"method": "point.get", "params": {"id": 60}}]}),
                                                 ("log.read", {"types": ["user.*"], "limit": 3}))))[1]
                for _ in range(rng.randrange(1, 5)):
                    at = rng.randrange(len(data))
                    if rng.randrange(3) == 0:
                        del data[at : at + rng.randrange(1, 9)]
                    else:
                        data[at : at + rng.randrange(2)] = rng.randbytes(rng.randrange(1, 9))
                    data = data or bytearray(b"\xc1")
                c.raw(data)
                other.call("server.health")
                while c.turn(0) and not c.eof:
                    pass
                c.close()
        self.assertTrue(other.call("log.verify")["ok"])
        self.assertTrue(other.call("point.verify")["ok"])

    def test_half_a_frame_waits_and_harms_nobody(self):
        c = self.connect(self.daemon)
        msgid, data = c.frame("point.award", {"user_id": 11, "amount": 1})
        c.raw(data[: len(data) // 2])
        other = self.connect(self.daemon)
        self.assertEqual(other.call("server.health")["status"], "ok")
        c.raw(data[len(data) // 2 :])
        self.assertEqual(c.wait(msgid)["balance"], 1)

    def test_a_client_that_never_reads_stops_itself_only(self):
        c = self.connect(self.daemon)
        other = self.connect(self.daemon)
        many = b"".join(c.frame("server.methods", {})[1] for _ in range(200))
        c.out += many
        while c.out:
            before = len(c.out)
            c.send_some()
            other.call("server.health")
            if len(c.out) == before:
                break
        self.assertEqual(other.call("server.health")["status"], "ok")
        # it may read after all, and finds every answer
        c.run(lambda: len(c.answers) == 200, "answers")


@unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
class HangingUp(SharedDaemonTest):
    def test_those_who_hang_up_do_not_keep_the_daemon_from_its_work(self):
        # given a client whose answers are too many for its output, so that the daemon has work left at a turn's end
        ids = [self.c.post("server.methods", {}) for _ in range(200)]
        self.c.flush()
        # when others come, ask and hang up all the while
        for n in range(len(ids)):
            with self.daemon.client() as other:
                other.post("server.methods", {})
                other.flush()
            # then answers go on coming
            self.assertGreater(len(self.c.wait(ids[n])["items"]), 100)
        # and what needs the disk is done
        self.assertEqual(self.c.call("point.award", user_id=5001, amount=1)["balance"], 1)


class Strangers(LedgerTest):
    def start(self, *options):
        d = self.new_daemon("--socket-mode", "0666", *options)
        os.chmod(os.path.dirname(d.path), 0o755)
        return d.start()

    def somebody(self, daemon):
        with as_user(NOBODY):
            return self.connect(daemon)

    def test_a_stranger_is_told_and_closed(self):
        daemon = self.start()
        with Witness(daemon):
            c = self.somebody(daemon)
            self.refused(c.outcome(c.post("server.health", {})), "forbidden", reason="role")
            c.until_closed()

    def test_an_auditor_reads_and_a_bot_does_not_administer(self):
        daemon = self.start("--auditors", str(NOBODY))
        c = self.somebody(daemon)
        self.assertEqual(c.call("server.health")["status"], "ok")
        self.assertIn("items", c.call("log.read"))
        for method, params in (("point.award", {"user_id": 1, "amount": 1}), ("projection.rebuild", {"all": True}),
                               ("server.install_defaults", {})):
            self.refused(c.outcome(c.post(method, params)), "forbidden", reason="role")
        daemon.stop()
        daemon = self.start("--bots", str(NOBODY))
        c = self.somebody(daemon)
        self.assertEqual(c.call("point.award", user_id=1, amount=1)["balance"], 1)
        for method, params in (("projection.rebuild", {"all": True}), ("server.install_defaults", {}),
                               ("server.cleanup", {"target": "tokens", "days": 0}),
                               ("server.stats", {"reset": True})):
            self.refused(c.outcome(c.post(method, params)), "forbidden", reason="role")


class SlowSubscribers(LedgerTest):
    def test_a_subscriber_that_takes_nothing_is_closed_and_may_resume(self):
        daemon = self.start_daemon("--slow-client-ms", "300")
        reader, other = self.connect(daemon), self.connect(daemon)
        reader.call("log.subscribe", from_seq=1)
        note = "x" * 500
        before = daemon.memory_bytes()

        # when: it reads nothing, while others write more than any buffer holds
        def gone():
            for error, _ in other.pipeline([("point.award", {"user_id": n, "amount": 1, "description": note, "note": note})
                                            for n in range(1, 501)]):
                self.assertIsNone(error)
            return other.call("server.stats", section="subscriptions")["subscriptions"]["count"] == 0

        with Witness(daemon):
            wait_until(gone, "the subscription to be closed")

        # then: it was told, and finds all events up to there; the rest comes from there on
        seen = []
        while True:
            method, params = reader.notification()
            if method == "log.closed":
                break
            if method == "log.events":
                seen += [e["seq"] for e in params["items"]]
        self.assertEqual(params["reason"], "slow")
        self.assertEqual(seen, list(range(1, params["last_seq"] + 1)))
        head = other.call("server.health")["head_seq"]
        self.assertGreater(head, params["last_seq"])
        reader.call("log.subscribe", from_seq=params["last_seq"] + 1)
        while seen[-1] < head:
            method, params = reader.notification()
            if method == "log.events":
                seen += [e["seq"] for e in params["items"]]
        self.assertEqual(seen, list(range(1, seen[-1] + 1)))
        self.assertLess(daemon.memory_bytes() - before, (512 << 20) * SLOWNESS)

    def test_a_subscriber_that_reads_slowly_is_kept(self):
        daemon = self.start_daemon("--slow-client-ms", str(3000 * SLOWNESS))
        reader, other = self.connect(daemon), self.connect(daemon)
        reader.call("log.subscribe", from_seq=1)
        note = "x" * 500
        head = 0
        for _ in range(40):
            outcomes = other.pipeline([("point.award", {"user_id": n, "amount": 1, "note": note}) for n in range(1, 301)])
            head = outcomes[-1][1]["seq"]
            reader.receive()  # at most 256 KiB
        seen = 0
        while seen < head:
            method, params = reader.notification()
            self.assertNotEqual(method, "log.closed")
            if method == "log.events":
                self.assertEqual(params["items"][0]["seq"], seen + 1)
                seen = params["items"][-1]["seq"]


class Limits(LedgerTest):
    def test_connections_beyond_the_limit_are_told_and_places_become_free(self):
        daemon = self.start_daemon("--max-connections", "4")
        clients = []
        while True:
            c = self.connect(daemon)
            try:
                c.call("server.health")
            except (Closed, OSError):
                break
            clients.append(c)
            self.assertLess(len(clients), 10)
        method, params = c.notifications[0]
        self.assertEqual((method, params["code"]), ("server.refused", "limit_exceeded"))
        for other in clients:
            other.close()
        for _ in range(1000):
            c = self.connect(daemon)
            try:
                c.call("server.health")
                return
            except (Closed, OSError):
                c.close()
        self.fail("no place became free")


if __name__ == "__main__":
    unittest.main()
