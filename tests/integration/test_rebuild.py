"""Projections built anew beside the live ones: killed at any moment, while others work, and compared with what is live."""

import contextlib
import pathlib
import subprocess

import tamper
from lib import DIANACTL, TIMEOUT, LedgerTest, NoAnswer, Witness, wait_until
from test_dianactl import Terminal

DONE, REFUSED, NO_DAEMON = 0, 1, 2
PROJECTIONS = "user point achievement mission channel narrative auction game config log".split()


class RebuildTest(LedgerTest):
    def given_a_ledger(self, awards=15000):
        """Of some ten thousand events, and some of everything else."""
        self.daemon = self.start_daemon()
        c = self.connect(self.daemon)
        c.call("auction.create", name="A ticket", prize_description="Row one", initial_price=5, created_by=self.user(c),
               duration_minutes=60, start=True)
        c.call("config.set", entries={"flag.kept": True})
        for error, _ in c.pipeline([("point.award", {"user_id": i % 5000 + 1, "amount": i % 9 + 1}) for i in range(awards)]):
            self.assertIsNone(error)
        c.call("auction.bid", auction_id=1, user_id=7, amount=5)
        return c

    @staticmethod
    def user(c):
        c.call("user.create", id=1, username="ana")
        return 1

    def fingerprints(self):
        with self.daemon.client() as c:
            return {name: c.call("projection.status", name=name)["fingerprint"] for name in PROJECTIONS}


class Killed(RebuildTest):
    def kill_after(self, seconds, before, **params):
        """False: the rebuild was quicker."""
        c = self.connect(self.daemon)
        rebuild = c.post("projection.rebuild", params)
        c.flush()
        with contextlib.suppress(NoAnswer):
            c.outcome(rebuild, seconds)
            return False
        self.daemon.kill()
        c.close()
        self.daemon.start()
        # no view was lost: none is built anew from the first event
        self.assertEqual(self.daemon.said("folding events 1\\.\\."), [])
        self.assertEqual(self.daemon.said("anew"), [])
        self.assertEqual(self.fingerprints(), before)
        return True

    def test_at_any_moment_the_old_views_stay(self):
        # given views that are on disk, and how long it takes to build them anew
        self.given_a_ledger()
        before = self.fingerprints()
        with self.daemon.client() as c:
            whole = c.call("projection.rebuild", all=True)["time_ms"] / 1000
        self.assertEqual(self.fingerprints(), before)
        # when the daemon is killed in the middle, from the first moments of it to the last
        killed = 0
        for turn in range(1, 9):
            killed += self.kill_after(whole * turn / 8, before, all=True)
        # then the views were those from before, each time, and fresh ones can be made
        self.assertGreater(killed, 2)
        with self.daemon.client() as c:
            self.assertTrue(c.call("projection.rebuild", all=True, verify=True)["equal"])
        self.kill_after(whole / 2, before, all=True, verify=True)

    def test_just_after_the_swap(self):
        # given a rebuild that has said that it is done, whose views are not on disk yet
        c = self.given_a_ledger(3000)
        before = self.fingerprints()
        c.post("projection.rebuild", {"all": True})
        c.flush()
        self.daemon.wait_said("rebuilt up to event")
        # when the daemon is killed
        self.daemon.kill()
        self.daemon.start()
        # then there are whole views, old or new
        self.assertEqual(self.fingerprints(), before)
        with self.daemon.client() as c:
            self.assertTrue(c.call("projection.rebuild", all=True, verify=True)["equal"])

    def test_with_commands_that_came_meanwhile(self):
        # given a rebuild, and awards that are taken while it runs
        c = self.given_a_ledger()
        other = self.connect(self.daemon)
        other.post("projection.rebuild", {"name": "point"})
        other.flush()
        for _ in range(20):
            last = c.call("point.award", user_id=1, amount=1)
        # when the daemon is killed
        self.daemon.kill()
        self.daemon.start()
        # then nothing that was answered is lost, and the views are what the log says
        with self.daemon.client() as c:
            self.assertEqual(c.call("point.get", id=1)["balance"], last["balance"])
            self.assertTrue(c.call("projection.rebuild", all=True, verify=True)["equal"])


class Meanwhile(RebuildTest):
    def test_commands_and_queries_go_on(self):
        # given somebody who awards and asks all the time
        c = self.given_a_ledger()
        with Witness(self.daemon) as witness:
            began = witness.calls
            # when everything is built anew, and compared
            rebuilt = c.call("projection.rebuild", all=True)
            verdict = c.call("projection.rebuild", all=True, verify=True)
            during = witness.calls - began
        # then they worked on, with every answer right, and the new views hold what they did
        self.assertGreater(during, 0)
        self.assertEqual(set(rebuilt["rebuilt"]), set(PROJECTIONS))
        self.assertTrue(verdict["equal"], verdict)
        self.assertEqual(c.call("point.get", id=witness.user)["balance"], witness.calls)

    def test_long_work_gives_way(self):
        daemon = self.start_daemon()
        tasks = pathlib.Path(f"/proc/{daemon.process.pid}/task")

        def nice():
            """By the name of the thread; the loop's is that of the program."""
            return {(t / "comm").read_text().strip(): int((t / "stat").read_text().rpartition(")")[2].split()[16])
                    for t in tasks.iterdir()}

        usual = nice()["dianad"]
        wait_until(lambda: nice()["reader"] > usual and nice()["rebuilder"] > usual, "threads that give way")
        for prompt in ("log-writer", "checkpointer", "prover"):
            self.assertEqual(nice()[prompt], usual)

    def test_as_often_as_one_likes(self):
        # given views that take some place
        c = self.given_a_ledger(3000)
        for _ in range(2):
            once = c.call("projection.rebuild", all=True, verify=True)
        used = c.call("server.health")["storage"]["views_bytes"]
        # when they are compared and built anew many times
        for _ in range(20):
            self.assertTrue(c.call("projection.rebuild", all=True, verify=True)["equal"])
            c.call("projection.rebuild", name="point")
        # then nothing is left of it, on disk or elsewhere
        again = c.call("projection.rebuild", all=True, verify=True)
        self.assertEqual(again["live"], once["live"])
        self.assertLess(c.call("server.health")["storage"]["views_bytes"], 2 * used)

    def test_a_rebuild_is_watched(self):
        # given a ledger large enough that one can look at it twice
        self.given_a_ledger(40000)
        command = [DIANACTL, "--socket", self.daemon.path, "projection", "rebuild", "--all", "--watch"]
        # then a terminal shows a bar, which is gone in the end
        terminal = Terminal(self, command)
        terminal.shows(r"\[[#-]{20}\] \d+ of \d+")
        self.assertEqual(terminal.end(), DONE)
        self.assertIn("rebuilt\n", terminal.text())
        self.assertNotIn("events/s", terminal.text())
        # and a file gets lines
        done = subprocess.run(command + ["--verify"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertTrue(done.stdout.startswith("equal: "), done.stdout)
        self.assertRegex(done.stderr, r"^(at event \d+ of \d+\n)+$")

    def test_whoever_watches_sees_why_it_ended(self):
        self.given_a_ledger(10)
        watch = ("projection", "rebuild", "--watch")
        self.assertEqual(self.dianactl(self.daemon, *watch, "nothing")[0], REFUSED)
        self.daemon.kill()
        status, out, err = self.dianactl(self.daemon, *watch, "point")
        self.assertEqual((status, out), (NO_DAEMON, ""))
        self.assertEqual(err.count("dianactl: "), 1, err)


class Damaged(RebuildTest):
    """Rows that are not what the log says, as after a defect of a fold or of a disk."""

    def given_a_damaged_table(self, table, change):
        self.given_a_ledger(300)
        self.daemon.stop()
        with tamper.tables(self.daemon.data, table, of="views") as (rows,):
            self.key = change(rows)
        self.daemon.start()

    def is_found(self, projection, table):
        # when it is compared, then the first row that differs is named
        wanted = "table %s, key %s" % (table, self.key.hex())
        with self.daemon.client() as c:
            verdict = c.call("projection.rebuild", name=projection, verify=True)
            self.assertEqual((verdict["equal"], verdict["first_difference"]), (False, wanted))
            self.assertNotEqual(verdict["live"][projection], verdict["rebuilt"][projection])
        status, out, _ = self.dianactl(self.daemon, "projection", "rebuild", projection, "--verify")
        self.assertEqual(status, REFUSED)
        self.assertTrue(out.startswith("NOT EQUAL: "), out)
        self.assertIn(wanted, out)
        # and the others are not blamed
        others = [p for p in PROJECTIONS if p != projection]
        with self.daemon.client() as c:
            for name in others:
                self.assertTrue(c.call("projection.rebuild", name=name, verify=True)["equal"], name)
            # a rebuild mends it
            c.call("projection.rebuild", name=projection)
            self.assertTrue(c.call("projection.rebuild", all=True, verify=True)["equal"])

    def test_a_changed_row_is_named(self):
        def change(rows):
            key = sorted(rows)[3]
            rows[key] = rows[key][:-1] + bytes([rows[key][-1] ^ 1])
            return key

        self.given_a_damaged_table("balance.1", change)
        self.is_found("point", "balance")

    def test_a_lost_row_is_named(self):
        def lose(rows):
            key = sorted(rows)[5]
            del rows[key]
            return key

        self.given_a_damaged_table("user_by_created.1", lose)
        self.is_found("user", "user_by_created")

    def test_a_row_too_many_is_named(self):
        def add(rows):
            key = (99999999).to_bytes(8, "big")
            rows[key] = rows[sorted(rows)[0]]
            return key

        self.given_a_damaged_table("auction_user.1", add)
        self.is_found("auction", "auction_user")


if __name__ == "__main__":
    import unittest

    unittest.main()
