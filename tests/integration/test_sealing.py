"""Sealing of cold blocks: all that is asked of the log is answered as before, whatever happens meanwhile."""

import base64
import hashlib
import json
import os
import tempfile
import unittest

import tamper
from lib import LedgerTest, wait_until
from test_full_disk import MIB, WHY_NOT, SmallDisk

USERS = range(1, 6001)


def given_history(c):
    """Some 60 000 events, in some hundred blocks."""
    for _ in range(4):
        items = [{"user_id": u, "amount": u % 900 + 1, "source": "manual", "description": "for post %d" % u} for u in USERS]
        for error, _ in c.pipeline([("point.award_many", {"items": items[i : i + 500]}) for i in range(0, len(items), 500)]):
            assert error is None, error


def sealed(c):
    return c.call("server.stats", section="storage")["storage"]["log_sealed"]


def until_sealed(c, beyond=0):
    wait_until(lambda: sealed(c)["seq"] > beyond, "a block to be sealed")


def until_all_sealed(c):
    """All of it but for a last piece that is too small."""
    wait_until(lambda: c.call("server.health")["durable_seq"] - sealed(c)["seq"] < 20000, "the log to be sealed")


class Sealing(LedgerTest):
    def given_an_unsealed_log(self, **where):
        daemon = self.start_daemon("--seal", "no", **where)
        given_history(self.connect(daemon))
        daemon.stop()  # which makes a checkpoint: all of it is cold
        daemon.options = daemon.options[2:] + ["--seal-behind", "0"]
        return daemon

    def answers(self, c):
        """What an auditor may ask."""
        head = c.call("server.health")["durable_seq"]
        h = hashlib.sha256()
        for event in c.pages("log.read", limit=1000):
            h.update(json.dumps(event, sort_keys=True).encode())
        sizes = [1, 255, 256, 5000, 16384, 17000, head // 2, head]
        checkpoints = [c.call("log.checkpoint", tree_size=size) for size in sizes]
        proofs = [c.call("log.prove", seq=size, tree_size=head) for size in sizes]
        grown = [c.call("log.prove", from_size=size, to_size=head) for size in sizes]
        at = c.call("log.get", seq=head // 3)["at"]
        return {
            "events": h.hexdigest(),
            "checkpoints": checkpoints,
            "proofs": proofs + grown,
            "of users": [c.pages("point.list", kind="transaction", user_id=u) for u in USERS[::997]],
            "by user": [c.pages("log.read", user_id=u) for u in USERS[::997]],
            "by type": c.call("log.read", types=["user.level_changed"], limit=100),
            "backward": c.call("log.read", order="desc", to_seq=head - 20000, limit=200),
            "by time": c.call("log.read", from_at=at, limit=50),
        }

    def assert_sound(self, c, events):
        verdict = c.call("log.verify")
        self.assertTrue(verdict["ok"], verdict)
        self.assertEqual(verdict["checked"], events)

    def test_a_sealed_log_answers_as_before(self):
        # given: what a log that nobody sealed answers
        daemon = self.start_daemon("--seal", "no")
        c = self.connect(daemon)
        given_history(c)
        head = c.call("server.health")["durable_seq"]
        before = self.answers(c)
        self.assertEqual(sealed(c)["seq"], 0)
        daemon.stop()

        # when
        daemon.options = ["--seal-behind", "0"]
        daemon.start()
        c = self.connect(daemon)
        until_all_sealed(c)

        # then
        self.assertEqual(self.answers(c), before)
        self.assert_sound(c, head)
        s = sealed(c)
        self.assertLess(s["bytes"] * 4, s["raw_bytes"])
        self.assertEqual(s["ratio"], s["bytes"] / s["raw_bytes"])
        status, out, err = self.dianactl(daemon, "status")
        self.assertEqual(status, 0, err)
        self.assertRegex(out, r"(?m)^Sealed +events 1 to %d: .*, were .* \(\d+\.\d %%\)$" % s["seq"])

        # and the tools that read the directory beside the daemon see the same
        status, out, err = self.dianactl(daemon, "audit", "verify", "--data", daemon.data)
        self.assertEqual(status, 0, out + err)
        half = head // 2
        status, out, err = self.dianactl(daemon, "replay", "--data", daemon.data, "--to-seq", str(half), "call", "point.stats")
        self.assertEqual(status, 0, err)

        # and a copy is sealed, too
        with tempfile.TemporaryDirectory(prefix="diana-backup-", dir="/tmp") as directory:
            c.call("server.backup", path=os.path.join(directory, "copy"))
            copy = self.start_daemon("--seal", "no", data=os.path.join(directory, "copy"), path=os.path.join(directory, "sock"))
            other = self.connect(copy)
            self.assertEqual(sealed(other), s)
            self.assertEqual(self.answers(other)["events"], before["events"])
            copy.stop()
        daemon.restart()
        self.assertEqual(self.answers(self.connect(daemon))["events"], before["events"])

    def test_another_program_reads_it(self):
        daemon = self.given_an_unsealed_log()
        daemon.start()
        c = self.connect(daemon)
        until_all_sealed(c)
        head = c.call("log.checkpoint")
        some = range(1, head["tree_size"] + 1, 97)
        raw = [result["raw"] for _, result in c.pipeline([("log.get", {"seq": seq, "raw": True}) for seq in some])]
        daemon.stop()

        tree, read = tamper.Tree(), []
        with tamper.tables(daemon.data, "blocks") as (blocks,):
            self.assertIn(tamper.ZSTD, {value[5] for value in blocks.values()})
            for k in sorted(blocks):
                read += tamper.Block(blocks[k]).events
                for event in read[tree.size :]:
                    tree.add(event)
                self.assertEqual(tree.root(), blocks[k][72:104])
        self.assertEqual((tree.size, tree.root()), (head["tree_size"], base64.b64decode(head["root"])))
        self.assertEqual([read[seq - 1] for seq in some], raw)

    def test_a_kill_while_sealing_leaves_the_old_blocks_or_the_new(self):
        daemon = self.given_an_unsealed_log()
        daemon.start()
        c = self.connect(daemon)
        head = c.call("log.checkpoint")
        awarded = 0
        for _ in range(10):
            before = sealed(c)["seq"]
            if head["tree_size"] - before < 20000:
                break
            # when: killed just when a block was sealed, with the next on its way and commands in flight
            awards = [c.post("point.award", {"user_id": 1, "amount": 1, "idempotency_key": "k%d" % (awarded + i)}) for i in range(50)]
            until_sealed(c, before)
            daemon.kill()
            daemon.start()
            c = self.connect(daemon)
            for i in range(len(awards)):
                c.call("point.award", user_id=1, amount=1, idempotency_key="k%d" % (awarded + i))
            awarded += len(awards)

            # then
            self.assertGreater(sealed(c)["seq"], before)
            self.assert_sound(c, c.call("log.checkpoint")["tree_size"])
            self.assertEqual(c.call("log.checkpoint", tree_size=head["tree_size"]), head)
        self.assertGreater(awarded, 50)
        self.assertTrue(c.call("point.verify")["ok"])
        self.assertEqual(c.call("point.get", id=1)["balance"], 4 * 2 + awarded)
        daemon.stop()

    def test_damage_in_what_is_cold_is_told_and_left(self):
        daemon = self.given_an_unsealed_log()
        tamper.flip(daemon.data, 20000, -3)
        daemon.start()
        c = self.connect(daemon)
        wait_until(lambda: c.call("server.health")["status"] == "degraded", "the damage to be told")
        (check,) = [k for k in c.call("server.health")["checks"] if not k["ok"]]
        self.assertEqual(check["name"], "sealing")
        self.assertRegex(check["message"], r"^block \d+\.\.\d+, events \d+\.\.\d+: checksum differs")
        status, out, _ = self.dianactl(daemon, "status")
        self.assertEqual(status, 1)
        self.assertIn(check["message"], out)
        verdict = c.call("log.verify")
        self.assertFalse(verdict["ok"])
        self.assertLess(sealed(c)["seq"], verdict["first_bad_seq"])
        c.call("point.award", user_id=1, amount=1)  # nothing else suffers
        daemon.stop()

    @unittest.skipIf(WHY_NOT is not None, WHY_NOT)
    def test_without_space_nothing_is_sealed_until_there_is_some(self):
        disk = SmallDisk(128 * MIB)
        self.addCleanup(disk.cleanup)
        daemon = self.given_an_unsealed_log(data=os.path.join(disk.path, "data"), path=os.path.join(disk.path, "sock"))
        disk.leave(8 * MIB)
        daemon.start()
        c = self.connect(daemon)
        with self.fails("storage_full"):
            c.call("point.award", user_id=1, amount=1)
        self.assertEqual(sealed(c)["seq"], 0)
        head = c.call("server.health")["durable_seq"]

        disk.clear()
        until_all_sealed(c)
        self.assert_sound(c, head)
        daemon.stop()


if __name__ == "__main__":
    unittest.main()
