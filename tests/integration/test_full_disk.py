"""A disk that is really full: a small file system of its own, and a daemon on it that nobody restarts."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from lib import SLOWNESS, Daemon, LedgerTest, wait_until

MIB = 1 << 20
RESERVE = 16 * MIB


def why_not():
    """None: this process may mount; else the reason why not."""
    if os.geteuid() != 0:
        return "only root may mount a small file system"
    directory = tempfile.mkdtemp(prefix="diana-mount-", dir="/tmp")
    try:
        p = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], capture_output=True, text=True,
                           check=False)
        if p.returncode != 0:
            return "no small file system can be mounted here: " + p.stderr.strip()
        subprocess.run(["umount", directory], check=True)
        return None
    except FileNotFoundError:
        return "there is no mount program here"
    finally:
        os.rmdir(directory)


WHY_NOT = why_not()


class SmallDisk:
    """A file system of `size` bytes, and a file on it that takes as much of it as it is told."""

    def __init__(self, size):
        self.path = tempfile.mkdtemp(prefix="diana-disk-", dir="/tmp")
        self.filler = os.path.join(self.path, "filler")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "tmpfs", self.path], check=True)

    def free(self):
        v = os.statvfs(self.path)
        return v.f_bavail * v.f_frsize

    def leave(self, n):
        """Fills the disk until n bytes are free."""
        with open(self.filler, "ab") as f:
            more = self.free() - n
            if more > 0:
                os.posix_fallocate(f.fileno(), f.tell(), more)
            else:
                f.truncate(max(0, f.tell() + more))

    def clear(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.filler)

    def cleanup(self):
        subprocess.run(["umount", "-l", self.path], check=True)
        shutil.rmtree(self.path, ignore_errors=True)


@unittest.skipIf(WHY_NOT is not None, WHY_NOT)
class FullDisk(LedgerTest):
    def setUp(self):
        self.disk = SmallDisk(128 * MIB)
        self.addCleanup(self.disk.cleanup)
        self.daemon = Daemon(["--log-reserve-mb", str(RESERVE // MIB)], data=os.path.join(self.disk.path, "data"),
                             path=os.path.join(self.disk.path, "sock"))
        self.addCleanup(self.daemon.cleanup)
        self.daemon.start()
        self.c = self.connect(self.daemon)

    def award(self, c, **more):
        return c.outcome(c.post("point.award", dict({"user_id": 1, "amount": 1}, **more)))

    def until_refused(self):
        """Asks until the daemon has looked at the disk again; what it took until then."""
        taken = 0
        while True:
            error, _ = self.award(self.c)
            if error is not None:
                self.refused((error, None), "storage_full")
                return taken
            taken += 1

    def until_taken(self):
        wait_until(lambda: self.award(self.c, idempotency_key="after")[0] is None, "commands to be taken again")

    def checks(self):
        return {k["name"]: k["ok"] for k in self.c.call("server.health")["checks"]}

    def in_order(self, balance):
        """Everything that was answered is there, in log and views, and after a restart."""
        for _ in range(2):
            self.assertEqual(self.c.call("point.get", id=1)["balance"], balance)
            self.assertTrue(self.c.call("log.verify")["ok"])
            self.assertTrue(self.c.call("point.verify")["ok"])
            same = self.c.call("projection.rebuild", all=True, verify=True)
            self.assertTrue(same["equal"], same)
            self.assertEqual(self.c.call("server.health")["status"], "ok")
            self.daemon.restart()
            self.c = self.connect(self.daemon)

    def test_commands_are_refused_before_the_disk_is_full_and_taken_when_it_is_not(self):
        # given: a subscriber, and a disk with less than the reserve
        reader = self.connect(self.daemon)
        reader.call("log.subscribe", from_seq=1)
        self.disk.leave(RESERVE - MIB)

        # when: commands go on
        taken = self.until_refused()

        # then: they are refused, and health says why; queries and subscribers go on
        self.assertFalse(self.checks()["disk"])
        self.assertEqual(self.c.call("server.health")["status"], "failing")
        if taken > 0:
            self.assertEqual(self.c.call("point.get", id=1)["balance"], taken)
        self.assertGreater(len(self.c.call("log.read")["items"]), 0)
        head = self.c.call("server.health")["head_seq"]
        seen = 0
        while seen < head:
            method, params = reader.notification()
            if method == "log.events":
                seen = params["items"][-1]["seq"]

        # when: there is space again
        self.disk.clear()
        self.until_taken()

        # then: without a restart everything is in order
        self.assertTrue(self.checks()["disk"])
        self.in_order(taken + 1)

    def test_a_backup_that_does_not_fit_leaves_nothing_behind(self):
        # given: a daemon elsewhere, and less space here than its log takes
        elsewhere = self.start_daemon()
        with elsewhere.client() as c:
            self.disk.leave(4096)
            path = os.path.join(self.disk.path, "copy")

            # when
            with self.fails("storage_full"):
                c.call("server.backup", path=path)

            # then: the path is free again, and with space the backup is made
            self.assertFalse(os.path.exists(path))
            self.disk.clear()
            self.assertGreater(c.call("server.backup", path=path)["seq"], 0)

    def test_a_log_that_grows_until_the_disk_is_full_loses_nothing(self):
        # when: commands come as fast as they are answered, until none is taken any more
        taken, full = 0, False
        note = "x" * 500
        while not full:
            outcomes = self.c.pipeline([("point.award", {"user_id": 1, "amount": 1, "description": note, "note": note})
                                        for _ in range(2000)])
            for error, _ in outcomes:
                if error is not None:
                    self.refused((error, None), "storage_full")
                    full = True
                else:
                    taken += 1

        # then: nothing had failed; all that was answered can be read
        self.assertEqual(self.daemon.said("could not be written; commands are refused"), [])
        self.assertEqual(self.c.call("point.get", id=1)["balance"], taken)
        self.assertGreater(self.disk.free(), 0)

        # when: others take what is left, to the last byte
        self.disk.leave(0)
        with self.fails("storage_full"):
            self.c.call("point.award", user_id=1, amount=1)
        self.c.call("point.list", kind="transaction", user_id=1)
        self.assertTrue(self.c.call("log.verify")["ok"])
        self.assertEqual(self.c.call("point.get", id=1)["balance"], taken)

        # then: with space it goes on, as if nothing had been
        self.disk.clear()
        subprocess.run(["mount", "-o", "remount,size=%d" % (512 * MIB), self.disk.path], check=True)
        self.until_taken()
        self.in_order(taken + 1)

    def test_a_due_timer_waits_for_space_without_haste(self):
        self.c.call("log.subscribe", types=["user.vip_expired"])
        self.c.call("user.grant_vip", user_id=1, expires_at=int(time.time() * 1000) + 1500)
        self.disk.leave(RESERVE - MIB)
        self.until_refused()
        wait_until(lambda: not self.checks()["timers"], "the timer to be overdue")

        # when: nobody asks anything for a while
        before = self.daemon.cpu_seconds()
        with self.assertRaises(AssertionError):
            self.c.until_closed(2)
        spent = self.daemon.cpu_seconds() - before

        # then: the daemon has not spun; and the timer fires when there is space
        self.assertLess(spent, 0.5 * SLOWNESS)
        self.disk.clear()
        method, params = self.c.notification()
        while method != "log.events":
            method, params = self.c.notification()
        self.assertEqual([e["type"] for e in params["items"]], ["user.vip_expired"])
        self.assertTrue(self.checks()["timers"])

    def test_a_daemon_starts_and_answers_on_a_full_disk(self):
        self.assertIsNone(self.award(self.c)[0])
        self.daemon.stop()
        self.disk.leave(0)

        self.daemon.start()
        self.c = self.connect(self.daemon)

        self.assertEqual(self.c.call("point.get", id=1)["balance"], 1)
        self.refused(self.award(self.c), "storage_full")
        self.disk.clear()
        self.until_taken()
        self.in_order(2)

    def test_a_killed_daemon_starts_and_answers_on_a_full_disk(self):
        for _ in range(10):
            self.assertIsNone(self.award(self.c)[0])
        self.daemon.kill()
        self.disk.leave(0)

        self.daemon.start()
        self.c = self.connect(self.daemon)

        self.assertEqual(self.c.call("point.get", id=1)["balance"], 10)
        self.refused(self.award(self.c), "storage_full")
        self.disk.clear()
        self.until_taken()
        self.in_order(11)

    def test_a_disk_that_fills_up_at_once_is_survived(self):
        """Too fast for the reserve: the flush itself fails. Commands are refused until a restart, queries go on."""
        taken = sum(self.award(self.c)[0] is None for _ in range(10))

        # when: not one block is left, and the log needs more than it has
        self.disk.leave(0)
        error = None
        while error is None:
            error, _ = self.award(self.c, note="x" * 500)
            taken += error is None

        # then
        self.assertIn(error["code"], ("storage_full", "unavailable"))
        self.assertEqual(self.c.call("point.get", id=1)["balance"], taken)
        self.assertTrue(self.c.call("log.verify")["ok"])
        self.disk.clear()
        self.daemon.stop()
        self.daemon.start()
        self.c = self.connect(self.daemon)
        # what was refused may have been written whole after all; nothing else may
        balance = self.c.call("point.get", id=1)["balance"]
        self.assertIn(balance, (taken, taken + 1))
        self.until_taken()
        self.in_order(balance + 1)


if __name__ == "__main__":
    unittest.main()
