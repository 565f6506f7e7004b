"""dianactl replay: what the ledger answered at some moment, answered again from its log."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import tamper
from lib import DIANACTL, SLOWNESS, TIMEOUT, TOP, LedgerTest, ms_at, wait_until

sys.path.insert(0, os.path.join(TOP, "tests", "conformance"))

from test_full_disk import WHY_NOT, SmallDisk  # noqa: E402
from world import OTHERS, ROWS, World  # noqa: E402

DONE, REFUSED, STOPPED, USAGE = 0, 1, 2, 3
# Of the moment of asking itself, which differs by some milliseconds.
RUNNING = re.compile(r"_left_ms$|^exported_at$")
# Answered by the daemon itself, not from the views; or no method at all.
SERVICES = re.compile(r"(server|log|projection)\.|point\.verify$|-$")


def still(value):
    """The value without the time at which it was looked at."""
    if isinstance(value, dict):
        return {k: still(v) for k, v in value.items() if not RUNNING.search(k)}
    return [still(v) for v in value] if isinstance(value, list) else value


class Moment:
    """What a live daemon answers to every query that the conformance table knows, with no event in between."""

    def __init__(self, world):
        c = world.c
        rows = [r for r in ROWS if r["kind"] == "query" and not SERVICES.match(r["rpc_method"])]
        questions = {(r["rpc_method"], json.dumps(world.fill_in(json.loads(r["rpc_params"] or "{}")))) for r in rows}
        self.questions = sorted(questions)
        head = None
        while head != c.call("server.health")["durable_seq"]:
            head = c.call("server.health")["durable_seq"]
            outcomes = c.pipeline([(m, json.loads(p)) for m, p in self.questions])
        self.seq = head
        self.at = int(time.time() * 1000)
        self.answers = [(error["code"] if error else None, still(result)) for error, result in outcomes]


class WatchedWorld(World):
    """A world of all aggregates with moments between its parts."""

    def fill_in(self, params):
        # the token's string is not known before there is one
        return super().fill_in(params) if hasattr(self, "token_string") else params

    def people(self):
        super().people()
        self.moments = [Moment(self)]

    def story(self):
        super().story()
        self.moments.append(Moment(self))

    def market(self):
        super().market()
        self.moments.append(Moment(self))
        self.c.pipeline([("point.award", {"user_id": u, "amount": 1}) for _ in range(8) for u in OTHERS])
        self.moments.append(Moment(self))


class ReplayTest(LedgerTest):
    def setUp(self):
        self.cache = os.path.join(self.new_dir(), "cache")

    def new_dir(self):
        directory = tempfile.TemporaryDirectory(prefix="diana-replay-", dir="/tmp")
        self.addCleanup(directory.cleanup)
        return directory.name

    def command(self, data, *arguments, cache=None):
        cache = self.cache if cache is None else cache
        return [DIANACTL, "replay", "--utc", "--data", data, "--cache", cache] + [str(a) for a in arguments]

    def replay(self, data, *arguments, cache=None):
        """(exit status, stdout, stderr)"""
        p = subprocess.run(self.command(data, *arguments, cache=cache), stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=TIMEOUT, check=False)
        return p.returncode, p.stdout, p.stderr

    def answer(self, data, *arguments):
        status, out, err = self.replay(data, *arguments)
        self.assertEqual(status, DONE, err)
        return json.loads(out)

    def held_up(self, *arguments):
        """A replay that has opened its cache, and waits for somebody to read its stderr before it folds; and that."""
        reading, writing = os.pipe()
        said = open(reading, encoding="ascii")
        self.addCleanup(said.close)
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"\n" * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"\n")
        os.set_blocking(writing, True)
        opened = self.last_opened()
        p = subprocess.Popen(self.command(*arguments), stderr=writing, stdout=subprocess.PIPE, text=True)
        os.close(writing)
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        wait_until(lambda: p.poll() is not None or self.last_opened() != opened, "the cache to be opened")
        return p, said

    def last_opened(self):
        """LMDB keeps its readers and writers in this file, and truncates it when the first one comes."""
        return os.stat(os.path.join(self.cache, "views", "lock.mdb")).st_mtime_ns


class Replay(ReplayTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world = WatchedWorld()
        cls.addClassCleanup(cls.world.cleanup)
        cls.data = cls.world.daemon.data
        cls.head = cls.world.moments[-1].seq

    def check_moment(self, moment, data, *which):
        for (method, params), (code, result) in zip(moment.questions, moment.answers):
            with self.subTest(method=method, params=params, which=which):
                status, out, err = self.replay(data, *which, "call", method, params)
                if code is None:
                    self.assertEqual(status, DONE, err)
                    self.assertEqual(still(json.loads(out)), result)
                else:
                    self.assertEqual((status, out), (REFUSED, ""))
                    self.assertIn(code + ": ", err)

    def test_answers_are_those_of_that_time_beside_the_running_daemon(self):
        # given moments of a ledger that has gone on since
        self.assertGreater(len(self.world.moments[-1].questions), 100)
        self.assertGreater(self.head, 2000)
        for moment in self.world.moments:
            # when it is asked as of each, then it answers as it did
            self.check_moment(moment, self.data, "--at", moment.at)

    def test_a_backup_answers_as_well(self):
        # given a backup, and a moment in it
        moment = self.world.moments[1]
        # then every answer is the live one
        self.check_moment(moment, self.world.copy, "--at", moment.at)

    def test_events_of_the_log_end_there_too(self):
        # given a user with awards before and after a moment
        params = {"user_id": OTHERS[0], "kind": "transaction"}
        early, late = self.world.moments[2].seq, self.head
        # then statements end with it, from either end
        for order in ("asc", "desc"):
            asked = json.dumps(dict(params, order=order))
            items = self.answer(self.data, "--to-seq", early, "call", "point.list", asked)["items"]
            self.assertLessEqual(max(i["id"] for i in items), early)
        self.assertEqual(len(self.answer(self.data, "--to-seq", late, "call", "point.list", asked)["items"]),
                         len(items) + 8)

    def test_a_seq_stands_for_its_commit_and_the_event_s_time(self):
        # given the first events of a ledger, which are one commit
        c = self.connect(self.world.daemon)
        first = c.call("log.get", seq=1)
        last = max(e["seq"] for e in c.call("log.read", from_seq=1, limit=1000)["items"] if e["commit"] == 1)
        self.assertGreater(last, 2)
        # when it is asked as of the second
        status, out, err = self.replay(self.data, "--json", "--to-seq", 2)
        # then all of the commit is there, and this is said
        self.assertEqual(status, DONE, err)
        self.assertEqual(json.loads(out), {"seq": last, "now": first["at"], "folded": last, "cache": self.cache})
        self.assertIn("of a commit that ends with %d" % last, err)

    def test_a_later_moment_goes_on_and_an_earlier_one_begins_anew(self):
        early, late = self.world.moments[0].seq, self.head
        # when moments are asked for in turn, then only what is missing is folded
        for to, folded, said in ((early, early, "folding events 1 to %d\n" % early),
                                 (late, late - early, "on top of what was folded"),
                                 (late, 0, ""),
                                 (early, early, "anew: the cache stood for a later moment")):
            status, out, err = self.replay(self.data, "--json", "--to-seq", to)
            self.assertEqual(status, DONE, err)
            self.assertEqual(json.loads(out)["folded"], folded)
            self.assertIn(said, err)
            self.assertEqual(err == "", said == "")

    def test_stopped_and_resumed(self):
        # given a cache of an early moment, and a replay from there that begins to fold
        early, last = self.world.moments[0].seq, self.world.moments[-1]
        self.assertEqual(self.replay(self.data, "--to-seq", early)[0], DONE)
        p, said = self.held_up(self.data, "--to-seq", self.head)
        # when it is told to stop, and then heard
        p.terminate()
        self.assertRegex(said.read(), r"dianactl: stopped after event \d+; the next run goes on from there")
        # then it ends by itself, and the next one goes on from what it had folded
        self.assertEqual(p.wait(TIMEOUT), STOPPED)
        folded = json.loads(self.replay(self.data, "--json", "--to-seq", self.head)[1])["folded"]
        self.assertGreater(folded, 0)
        self.assertLess(folded, self.head - early)
        self.check_moment(last, self.data, "--at", last.at)

    def test_killed_and_resumed(self):
        # given a cache of an early moment, and a replay from there that begins to fold
        early, last = self.world.moments[0].seq, self.world.moments[-1]
        self.assertEqual(self.replay(self.data, "--to-seq", early)[0], DONE)
        p, _ = self.held_up(self.data, "--to-seq", self.head)
        # when it is killed
        p.kill()
        self.assertEqual(p.wait(TIMEOUT), -signal.SIGKILL)
        # then the next one goes on from the early moment
        status, out, err = self.replay(self.data, "--json", "--to-seq", self.head)
        self.assertEqual(status, DONE, err)
        self.assertEqual(json.loads(out)["folded"], self.head - early)
        self.check_moment(last, self.data, "--at", last.at)

    def test_a_cache_of_another_ledger_is_begun_anew(self):
        # given the cache of another ledger, further than this one is to be folded
        other = self.start_daemon()
        with other.client() as c:
            c.call("user.create", id=1, username="other")
            head = c.call("server.health")["durable_seq"]
        self.assertEqual(self.replay(other.data, "--to-seq", head)[0], DONE)
        # when this ledger uses it
        moment = self.world.moments[0]
        status, _, err = self.replay(self.data, "--to-seq", moment.seq)
        # then it says so, and answers for itself
        self.assertEqual(status, DONE)
        self.assertIn("anew: what the cache held is of another log", err)
        self.check_moment(moment, self.data, "--at", moment.at)

    def test_by_default_the_cache_is_named_by_the_ledger(self):
        # given nothing but a place for caches
        home = self.new_dir()
        env = dict(os.environ, XDG_CACHE_HOME=home)
        # when the ledger and its backup are asked
        for data in (self.data, self.world.copy):
            subprocess.run([DIANACTL, "replay", "--data", data, "--to-seq", "1"], env=env, check=True,
                           capture_output=True, timeout=TIMEOUT)
        # then they share it
        names = os.listdir(os.path.join(home, "diana", "replay"))
        self.assertEqual(len(names), 1)
        self.assertRegex(names[0], r"^[0-9a-f]{16}$")

    def refused(self, said, *arguments, status=REFUSED, data=None, cache=None):
        got, out, err = self.replay(data or self.data, *arguments, cache=cache)
        self.assertEqual((got, out), (status, ""), err)
        self.assertIn(said, err)
        return err

    def test_wrong_uses(self):
        empty = self.new_dir()
        self.refused("not_found: event 99999999 is not there yet: the last one is ", "--to-seq", 99999999)
        err = self.refused("not_found: the ledger begins later: its first event is of ", "--at", "2001-01-01")
        self.assertRegex(err, r"of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n$")
        self.refused("invalid_argument: 2999-01-01 has not come yet", "--at", "2999-01-01")
        self.refused("not_found: no ledger in %s" % empty, "--to-seq", 1, data=empty)
        self.refused("forbidden: point.award is a command", "--to-seq", 1, "call", "point.award", "user_id=1")
        self.refused("forbidden: log.read asks the daemon itself", "--to-seq", 1, "call", "log.read")
        self.refused("unknown_method: ", "--to-seq", 1, "call", "point.nothing")
        self.refused("needs one of --to-seq and --at", status=USAGE)
        self.refused("needs one of --to-seq and --at", "--to-seq", 1, "--at", 1, status=USAGE)
        self.refused("'soon' is no time", "--at", "soon", status=USAGE)
        self.refused("the cache needs a path", "--to-seq", 1, cache="", status=USAGE)
        self.refused("needs a METHOD", "--to-seq", 1, "call", status=USAGE)
        self.refused("unknown 'ask'", "--to-seq", 1, "ask", "point.get", status=USAGE)
        # none of which has made a cache
        self.assertFalse(os.path.exists(self.cache))
        self.assertEqual(os.listdir(empty), [])

    def test_what_is_no_cache_is_left_alone(self):
        # given a data directory whose daemon is not running, named as a cache
        daemon = self.start_daemon()
        daemon.stop()
        before = sorted(os.listdir(os.path.join(daemon.data, "views")))
        # then it is refused, and the views are those of the daemon
        self.refused("invalid_argument: cache: ", "--to-seq", 1, data=daemon.data, cache=daemon.data)
        self.refused("invalid_argument: cache: ", "--to-seq", 1, data=daemon.data,
                     cache=os.path.join(daemon.data, "views"))
        self.assertEqual(sorted(os.listdir(os.path.join(daemon.data, "views"))), before)
        self.assertNotIn("replay", os.listdir(daemon.data))
        daemon.start()
        self.assertEqual(daemon.said("building them anew"), [])

    @unittest.skipIf(WHY_NOT is not None, WHY_NOT)
    def test_without_room(self):
        # given a disk with less room than the views take
        disk = SmallDisk(64 << 20)
        self.addCleanup(disk.cleanup)
        cache = os.path.join(disk.path, "cache")
        disk.leave(64 << 10)
        # when the ledger is replayed there, then it says so
        self.refused("storage_full: ", "--to-seq", self.head, cache=cache)
        # and with room it goes on
        disk.clear()
        status, _, err = self.replay(self.data, "--to-seq", self.head, cache=cache)
        self.assertEqual(status, DONE, err)


class Killed(ReplayTest):
    def test_a_reader_that_is_killed_gives_back_its_place_in_the_log(self):
        # given a reader of a running daemon's log
        clock = self.new_clock("2030-01-06 12:00:00")
        daemon = self.start_daemon(clock=clock)
        self.assertEqual(self.replay(daemon.data, "--to-seq", 1)[0], DONE)
        with daemon.client() as c:
            head = c.call("point.award", user_id=1, amount=1)["seq"]
        p, _ = self.held_up(daemon.data, "--to-seq", head)
        self.assertIn(p.pid, tamper.reader_pids(daemon.data))
        # when it is killed, then its place stays taken, and what it read is kept from being used again
        p.kill()
        p.wait(TIMEOUT)
        self.assertIn(p.pid, tamper.reader_pids(daemon.data))
        # until the daemon looks, as it does each minute
        clock.set("2030-01-06 12:01:01")
        daemon.wait_said("^.*1 of the log's readers had been killed")
        self.assertNotIn(p.pid, tamper.reader_pids(daemon.data))

    def test_at_any_moment_and_goes_on(self):
        # given a ledger, and what it answers
        daemon = self.start_daemon()
        with daemon.client() as c:
            c.pipeline([("point.award", {"user_id": i + 1, "amount": i % 7 + 1}) for i in range(20000)])
            head = c.call("server.health")["durable_seq"]
            board = c.call("point.leaderboard", limit=100)
        # when its replay is killed again and again, each time somewhat later
        kills = 0
        for turn in range(1, 1000):
            p = subprocess.Popen(self.command(daemon.data, "--to-seq", head), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.assertEqual(p.wait(turn * 0.03 * SLOWNESS), DONE)
                break
            p.kill()
            p.wait(TIMEOUT)
            kills += 1
        # then it has come to its end, and answers right
        self.assertGreater(kills, 1)
        self.assertEqual(self.answer(daemon.data, "--to-seq", head, "call", "point.leaderboard", "limit=100"), board)


class Then(ReplayTest):
    def test_now_is_then(self):
        # given VIP of a day, and a clock that has left it behind
        clock = self.new_clock("2024-01-31 12:00:00")
        daemon = self.start_daemon(clock=clock)
        with contextlib.closing(self.connect(daemon)) as c:
            c.call("user.create", id=7, username="siete")
            c.call("user.grant_vip", user_id=7, days=1, source="subscription")
            seq = c.call("server.health")["durable_seq"]
            clock.set("2024-03-01 00:00:00")
            c.call("user.create", id=8, username="ocho")
            self.assertFalse(c.call("user.get", id=7)["vip_active"])
        # then each way to name a moment means it: before the grant's end it is active, after it is not
        ask = ("call", "user.get", "id=7")
        for which, active in ((("--to-seq", seq), True),
                              (("--at", "2024-01-31"), True),
                              (("--at", "2024-02-01 11:59:00"), True),
                              (("--at", "2024-02-01T13:00:00.5+01:30"), True),
                              (("--at", ms_at("2024-02-01 11:00:00")), True),
                              (("--at", "2024-02-01"), False),
                              (("--at", "2024-02-01T12:30:00Z"), False)):
            with self.subTest(which=which):
                self.assertEqual(self.answer(daemon.data, *which, *ask)["vip_active"], active)


if __name__ == "__main__":
    unittest.main()
