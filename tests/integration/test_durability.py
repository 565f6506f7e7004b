"""What was answered stays, whatever happens to the process; what cannot be trusted is refused or built anew."""

import collections
import glob
import os
import random
import socket
import time

from lib import SLOWNESS, TIMEOUT, Closed, LedgerTest, deadline

CRASH_ROUNDS = int(os.environ.get("CRASH_ROUNDS", "50"))
WINDOW = 64  # requests in flight on a connection


class Load:
    """Awards with idempotency keys over several connections, as fast as they are answered."""

    def __init__(self, daemon, connections, users, prefix, rng):
        self.clients = [daemon.client() for _ in range(connections)]
        self.users = users
        self.prefix = prefix
        self.rng = rng
        self.sent = {}  # key -> params
        self.by_msgid = [{} for _ in self.clients]  # msgid -> key
        self.acknowledged = {}  # key -> result

    def refill(self, i):
        c = self.clients[i]
        while len(self.by_msgid[i]) < WINDOW:
            key = "%s-%d" % (self.prefix, len(self.sent))
            params = {"user_id": self.rng.choice(self.users), "amount": self.rng.randint(1, 5000) / 1000,
                      "actor": self.prefix, "idempotency_key": key}
            self.sent[key] = params
            self.by_msgid[i][c.post("point.award", params)] = key

    def collect(self, i):
        c = self.clients[i]
        for msgid in list(c.answers):
            error, result = c.answers.pop(msgid)
            key = self.by_msgid[i].pop(msgid)
            assert error is None or error["code"] == "unavailable", error
            if error is None:
                self.acknowledged[key] = result

    def run(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for i, c in enumerate(self.clients):
                self.refill(i)
                c.turn(min(until, time.monotonic() + 0.005))
                self.collect(i)

    def finish(self):
        """Takes what the daemon has still answered, until it is gone."""
        for i, c in enumerate(self.clients):
            c.out.clear()
            c.until_closed()
            self.collect(i)
            c.close()

    def drain(self):
        """Waits for all answers."""
        for i, c in enumerate(self.clients):
            while self.by_msgid[i]:
                try:
                    c.run(lambda c=c: c.answers, "answer")
                except Closed:
                    break
                self.collect(i)
            c.close()


class Crashes(LedgerTest):
    def setUp(self):
        self.seed = int(os.environ.get("CRASH_SEED", random.randrange(1 << 30)))
        self.rng = random.Random(self.seed)
        self.users = list(range(1, 41))
        self.sums = collections.Counter()  # thousandths by user
        self.daemon = self.start_daemon()
        self.head = self.connect(self.daemon).call("server.health")["head_seq"]

    def check_round(self, load):
        """Everything acknowledged is in the log once, and what was not is repeated with its key."""
        c = self.connect(self.daemon)
        events = c.pages("log.read", from_seq=self.head + 1, types=["point.credited"], actor=load.prefix, limit=1000)
        in_log = collections.defaultdict(list)
        first = {}
        for e in c.pages("log.read", from_seq=self.head + 1, actor=load.prefix, limit=1000):
            if e["idempotency"] is not None:
                first[e["commit"]] = e["idempotency"]["key"]
        for e in events:
            in_log[first[e["commit"]]].append(e)
        for key, result in load.acknowledged.items():
            self.assertEqual(len(in_log[key]), 1, "%s was acknowledged and is in the log %d times" %
                             (key, len(in_log[key])))
            event, params = in_log[key][0], load.sent[key]
            self.assertEqual(event["seq"], result["transaction"]["id"])
            self.assertEqual(event["data"]["user_id"], params["user_id"])
            self.assertEqual(event["data"]["amount"], params["amount"])
            self.assertEqual(event["data"]["balance_after"], result["balance"])
        self.assertLessEqual(set(in_log), set(load.sent))

        unknown = [k for k in load.sent if k not in load.acknowledged]
        known = self.rng.sample(sorted(load.acknowledged), min(20, len(load.acknowledged)))
        answers = c.pipeline([("point.award", load.sent[k]) for k in unknown + known])
        for key, (error, result) in zip(unknown + known, answers):
            self.assertIsNone(error, error)
            if key in load.acknowledged:
                self.assertEqual(result, dict(load.acknowledged[key], replayed=True))
            else:
                self.assertEqual(result.get("replayed", False), bool(in_log[key]), key)
        for params in load.sent.values():
            self.sums[params["user_id"]] += round(params["amount"] * 1000)
        for user, (error, item) in zip(self.users, c.pipeline([("point.get", {"id": u}) for u in self.users])):
            if self.sums[user] or error is None:
                self.assertIsNone(error)
                self.assertEqual(round(item["balance"] * 1000), self.sums[user], "user %d" % user)
        self.head = c.call("server.health")["head_seq"]
        c.close()

    def one_crash(self, n):
        load = Load(self.daemon, 4, self.users, "crash%d" % n, self.rng)
        if n % 5 == 2:  # a checkpoint is written meanwhile
            extra = self.connect(self.daemon)
            extra.post("projection.status", {"name": "point"})
            extra.flush()
        load.run(self.rng.uniform(0, 0.25))
        self.daemon.process.kill()
        load.finish()
        self.daemon.ended()
        self.daemon.start()
        self.check_round(load)
        return len(load.acknowledged), len(load.sent)

    def test_a_kill_under_load_loses_nothing_acknowledged_and_repeats_nothing(self):
        acknowledged = sent = 0
        for n in range(CRASH_ROUNDS):
            with self.subTest(round=n, seed=self.seed):
                a, s = self.one_crash(n)
                acknowledged += a
                sent += s
                if n % 10 == 9:
                    self.daemon.restart()
        self.assertGreater(acknowledged, 0)
        self.assertGreater(sent, acknowledged, "no kill came before an answer")

        c = self.connect(self.daemon)
        verdict = c.call("log.verify")
        self.assertTrue(verdict["ok"], verdict)
        self.assertEqual(verdict["checked"], self.head)
        self.assertTrue(c.call("point.verify")["ok"])
        for user in self.users[:3]:
            self.assertTrue(c.call("point.verify", user_id=user)["ok"])
        same = c.call("projection.rebuild", all=True, verify=True)
        self.assertTrue(same["equal"], same)
        self.assertEqual(round(c.call("point.stats")["total_points"] * 1000), sum(self.sums.values()))
        self.daemon.stop()

    def test_a_term_under_load_loses_nothing_and_leaves_nothing_to_fold(self):
        for n in range(3):
            load = Load(self.daemon, 4, self.users, "term%d" % n, self.rng)
            load.run(self.rng.uniform(0.05, 0.2))
            self.daemon.terminate()
            load.drain()
            self.assertEqual(self.daemon.ended(), 0)
            self.assertFalse(os.path.exists(self.daemon.path))
            self.daemon.check_reports()
            self.daemon.start()
            self.assertEqual(self.daemon.said("folding"), [])
            self.check_round(load)
        self.daemon.stop()


class Starting(LedgerTest):
    def test_a_stale_socket_is_taken_over(self):
        daemon = self.start_daemon()
        self.connect(daemon).call("point.award", user_id=1, amount=1)
        daemon.kill()
        self.assertTrue(os.path.exists(daemon.path))
        daemon.start()
        self.assertEqual(len(daemon.said("taking over the socket")), 1)
        self.assertEqual(self.connect(daemon).call("point.get", id=1)["balance"], 1)
        daemon.stop()

    def test_a_file_in_place_of_the_socket_is_left_alone(self):
        daemon = self.new_daemon()
        with open(daemon.path, "w", encoding="ascii") as f:
            f.write("precious")
        status, said = daemon.fails_to_start()
        self.assertNotEqual(status, 0)
        self.assertIn("is not a socket", said)
        with open(daemon.path, encoding="ascii") as f:
            self.assertEqual(f.read(), "precious")

    def test_a_second_daemon_on_the_same_data_is_refused(self):
        first = self.start_daemon()
        second = self.new_daemon(data=first.data, path=first.path + "2")
        status, said = second.fails_to_start()
        self.assertNotEqual(status, 0)
        self.assertRegex(said, r"(?i)another|in use|already|lock")
        self.assertIn(first.data, said)
        self.assertFalse(os.path.exists(second.path))
        self.connect(first).call("point.award", user_id=1, amount=1)
        first.restart()
        self.assertEqual(self.connect(first).call("point.get", id=1)["balance"], 1)

    def test_a_second_daemon_on_the_same_socket_is_refused(self):
        first = self.start_daemon()
        second = self.new_daemon(data=first.data + "2", path=first.path)
        status, said = second.fails_to_start()
        self.assertNotEqual(status, 0)
        self.assertIn("another dianad listens on " + first.path, said)
        self.assertEqual(self.connect(first).call("server.health")["status"], "ok")

    def test_options_that_do_not_fit_are_named(self):
        for options, word in (
            (["--no-such-thing", "1"], "no-such-thing"),
            (["--frame-max", "much"], "frame-max"),
            (["--socket-mode", "999"], "socket-mode"),
            (["--config", "/nonexistent/diana.conf"], "/nonexistent/diana.conf"),
            (["--socket-group", "no-such-group"], "no-such-group"),
            (["stray"], "stray"),
        ):
            with self.subTest(options):
                status, said = self.new_daemon(*options).fails_to_start()
                self.assertNotEqual(status, 0)
                self.assertIn(word, said)

    def test_a_configuration_file_is_read_and_flags_win(self):
        daemon = self.new_daemon()
        config = os.path.join(daemon.dir, "diana.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write("defaults = no\nmax_subscriptions = 1\n")
        daemon.start(["--config", config])
        c = self.connect(daemon)
        self.assertEqual(c.call("point.list", kind="level")["items"], [])
        c.call("log.subscribe")
        with self.fails("limit_exceeded", limit=1):
            c.call("log.subscribe")
        daemon.stop()
        daemon.start(["--config", config, "--max-subscriptions", "2"])
        c = self.connect(daemon)
        c.call("log.subscribe")
        c.call("log.subscribe")
        daemon.stop()

    def test_without_a_clean_stop_the_lock_goes_with_the_process(self):
        daemon = self.start_daemon()
        for _ in range(3):
            daemon.kill()
            daemon.start()
        daemon.stop()

    def test_a_client_in_the_middle_of_a_frame_does_not_hold_up_a_stop(self):
        daemon = self.start_daemon()
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(s.close)
        s.connect(daemon.path)
        s.sendall(b"\x94\x00\x01\xaaserver.h")
        began = time.monotonic()
        daemon.stop()
        self.assertLess(time.monotonic() - began, 4 * SLOWNESS)


class Damage(LedgerTest):
    """Views may be lost at any time; the log may not, and says so."""

    def setUp(self):
        self.daemon = self.start_daemon()
        c = self.connect(self.daemon)
        c.call("config.set", entries={"flag.kept": True})
        for error, _ in c.pipeline([("point.award", {"user_id": 1 + i % 50, "amount": 1 + i, "actor": "u%d" % i,
                                                     "idempotency_key": "k%d" % i}) for i in range(2000)]):
            self.assertIsNone(error)
        c.call("user.grant_vip", user_id=3, days=3)
        self.seen = self.look()

    def look(self):
        c = self.connect(self.daemon)
        board = c.call("point.leaderboard", limit=1000)["items"]
        self.assertTrue(c.call("point.verify")["ok"])
        repeat = c.call("point.award", user_id=1, amount=1, idempotency_key="k0")
        self.assertTrue(repeat["replayed"])
        return (board, c.call("point.stats"), c.call("user.get", id=3, include=["vip", "balance"]),
                c.call("config.get", id="flag.kept"), c.call("log.read", user_id=2, limit=100)["items"])

    def in_order_again(self):
        self.daemon.start()
        self.assertEqual(self.look(), self.seen)
        same = self.connect(self.daemon).call("projection.rebuild", all=True, verify=True)
        self.assertTrue(same["equal"], same)
        self.assertEqual(self.connect(self.daemon).call("server.health")["status"], "ok")
        self.daemon.restart()
        self.assertEqual(self.daemon.said("folding"), [])
        self.assertEqual(self.look(), self.seen)
        self.daemon.stop()

    def views(self, name="data.mdb"):
        return os.path.join(self.daemon.data, "views", name)

    def test_views_deleted(self):
        self.daemon.stop()
        for path in glob.glob(self.views("*")):
            os.unlink(path)
        os.rmdir(self.views("")[:-1])
        self.in_order_again()

    def test_views_deleted_after_a_kill(self):
        self.daemon.kill()
        for path in glob.glob(self.views("*")):
            os.unlink(path)
        self.in_order_again()

    def test_views_of_an_earlier_checkpoint(self):
        self.daemon.restart()
        c = self.connect(self.daemon)
        c.call("point.award", user_id=3, amount=0.5)
        self.seen = self.look()
        self.daemon.kill()
        self.in_order_again()

    def test_views_garbage(self):
        for content in (b"", b"garbage" * 5000):
            with self.subTest(len(content)):
                self.daemon.stop()
                with open(self.views(), "wb") as f:
                    f.write(content)
                self.daemon.start()
                self.assertEqual(self.look(), self.seen)
        self.daemon.stop()
        self.in_order_again()

    def test_views_truncated(self):
        for size in (100, 4096, 8192, 20480, 65536, 131072):
            with self.subTest(size):
                self.daemon.stop()
                os.truncate(self.views(), size)
                self.daemon.start()
                self.assertEqual(self.look(), self.seen)
        self.daemon.stop()
        self.in_order_again()

    def test_views_of_another_log(self):
        """A checkpoint stands for one log, not for a number."""
        other = self.start_daemon()
        c = self.connect(other)
        for error, _ in c.pipeline([("point.award", {"user_id": 1000 + i, "amount": 1}) for i in range(200)]):
            self.assertIsNone(error)
        other.stop()
        self.daemon.stop()
        # the file is as long as its map, but most of it is a hole: moved, not read
        os.replace(os.path.join(other.data, "views", "data.mdb"), self.views())
        self.in_order_again()

    def flip_in_log(self, needle):
        path = os.path.join(self.daemon.data, "log", "data.mdb")
        with open(path, "rb") as f:
            data = bytearray(f.read())
        at, found = data.find(needle), 0
        while at >= 0:
            data[at] ^= 0xFF
            found += 1
            at = data.find(needle, at + 1)
        self.assertGreater(found, 0, "%r is not in the log" % needle)
        with open(path, "r+b") as f:
            f.write(data)

    def test_a_damaged_tail_of_the_log_is_refused(self):
        self.connect(self.daemon).call("point.award", user_id=1, amount=1, description="needle-at-the-end")
        self.daemon.stop()
        self.flip_in_log(b"needle-at-the-end")
        status, said = self.daemon.fails_to_start()
        self.assertNotEqual(status, 0)
        self.assertRegex(said, r"(?i)checksum|damaged|corrupt")
        self.assertRegex(said, r"event|block|seq")
        self.assertFalse(os.path.exists(self.daemon.path))

    def test_damage_in_the_middle_of_the_log_is_found_by_verify(self):
        c = self.connect(self.daemon)
        bad = c.call("point.award", user_id=1, amount=1, description="needle-in-the-middle")["seq"]
        for i in range(20):
            c.call("point.award", user_id=1, amount=1)
        self.daemon.stop()
        self.flip_in_log(b"needle-in-the-middle")
        self.daemon.start()
        c = self.connect(self.daemon)
        verdict = c.call("log.verify")
        self.assertFalse(verdict["ok"])
        self.assertLessEqual(verdict["first_bad_seq"], bad)
        self.assertTrue(verdict["reason"])
        self.assertTrue(c.call("log.verify", from_seq=bad + 1)["ok"])
        # never shown as if it were good
        with self.fails("internal"):
            c.call("log.get", seq=bad)
        reader = self.connect(self.daemon)
        reader.call("log.subscribe", from_seq=1)
        seen = 0
        while True:
            method, params = reader.notification()
            if method != "log.events":
                break
            seen = params["items"][-1]["seq"]
        self.assertEqual((method, params["reason"], params["last_seq"]), ("log.closed", "unreadable", seen))
        self.assertLess(seen, bad)
        status, _, err = self.dianactl(self.daemon, "tail", "--from", "1")
        self.assertEqual(status, 1)
        self.assertIn("after seq %d: unreadable" % seen, err)
        c.call("point.award", user_id=1, amount=1)

    def test_a_log_cut_short_is_refused(self):
        self.daemon.stop()
        path = os.path.join(self.daemon.data, "log", "data.mdb")
        os.truncate(path, os.path.getsize(path) // 2 // 4096 * 4096)
        status, said = self.daemon.fails_to_start()
        self.assertGreater(status, 0, "it must say so, not crash")
        self.assertRegex(said, r"(?i)log")


class Memory(LedgerTest):
    def test_a_stop_waits_for_what_it_took(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        c.call("server.health")
        msgids = [c.post("point.award", {"user_id": 1, "amount": 1}) for _ in range(500)]
        c.flush()
        daemon.terminate()
        until = deadline(TIMEOUT)
        while not c.eof and c.turn(until):
            pass
        answered = [m for m in msgids if m in c.answers and c.answers[m][0] is None]
        # a connection's commands take effect in order: what was answered is a beginning
        self.assertEqual(answered, msgids[: len(answered)])
        self.assertEqual(daemon.ended(), 0)
        daemon.start()
        c = self.connect(daemon)
        balance = c.call("point.get", id=1)["balance"] if answered else 0
        self.assertGreaterEqual(balance, len(answered))
        daemon.stop()
