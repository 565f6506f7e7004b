"""Checkpoints and proofs: what an auditor needs to trust the log without trusting who runs it."""

import base64
import json
import os
import shutil
import stat
import sys
import tempfile
import unittest

import tamper
from lib import NOBODY, TOP, LedgerTest, as_user

sys.path.insert(0, os.path.join(TOP, "tests"))

import audit_verifier  # noqa: E402


def b64(text):
    return base64.b64decode(text, validate=True)


def verifier_key(c):
    key = c.call("log.key")
    public = base64.b64encode(b"\x01" + b64(key["public_key"])).decode()
    return "%s+%s+%s" % (key["origin"], key["key_id"], public)


class Proofs(LedgerTest):
    def given_a_ledger(self, awards=300):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        c.pipeline([("point.award", {"user_id": i % 20 + 1, "amount": 1}) for i in range(awards)])
        return daemon, c

    def test_a_checkpoint_is_signed_and_stays_true(self):
        daemon, c = self.given_a_ledger()
        key = verifier_key(c)
        first = c.call("log.checkpoint")
        self.assertEqual(first["tree_size"], c.call("server.health")["head_seq"])
        self.assertEqual(first["at"], c.call("log.get", seq=first["tree_size"])["at"])
        self.assertEqual(audit_verifier.open_note(first["text"], key), (first["tree_size"], b64(first["root"])))
        c.call("point.award", user_id=1, amount=1)
        daemon.kill()
        daemon.start()
        c = self.connect(daemon)
        self.assertEqual(verifier_key(c), key)
        self.assertEqual(c.call("log.checkpoint", tree_size=first["tree_size"]), first)
        mode = os.stat(os.path.join(daemon.data, "log.key")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_every_event_is_proved(self):
        _, c = self.given_a_ledger()
        head = c.call("log.checkpoint")
        size, root = head["tree_size"], b64(head["root"])
        for seq in (1, 2, 255, 256, 257, size - 1, size):
            raw = c.call("log.get", seq=seq, raw=True)["raw"]
            proof = c.call("log.prove", seq=seq, tree_size=size)
            path = [b64(h) for h in proof["path"]]
            self.assertEqual(b64(proof["leaf_hash"]), audit_verifier.leaf(raw))
            self.assertEqual(audit_verifier.root_of_leaf(audit_verifier.leaf(raw), seq - 1, size, path), root)
            self.assertEqual(path, [])

    def test_growth_is_proved(self):
        _, c = self.given_a_ledger()
        head = c.call("log.checkpoint")
        size, root = head["tree_size"], b64(head["root"])
        for old in (1, 2, 3, 64, 255, 256, 257, size - 1, size):
            old_root = b64(c.call("log.checkpoint", tree_size=old)["root"])
            proof = c.call("log.prove", from_size=old)
            path = [b64(h) for h in proof["path"]]
            self.assertEqual(proof["to_size"], size)
            self.assertEqual(audit_verifier.roots_of_growth(old_root, old, size, path), (old_root, root))
            self.assertEqual(path, [])
        self.assertEqual(c.call("log.prove", from_size=0), {"path": [], "to_size": size})

    def test_a_log_of_before_proofs_gets_what_they_need(self):
        # given a log without the hashes that are kept for proofs
        daemon, c = self.given_a_ledger()
        before = c.call("log.checkpoint")
        daemon.stop()
        with tamper.tables(daemon.data, "nodes") as (nodes,):
            kept = dict(nodes)
            nodes.clear()
        self.assertGreater(len(kept), 0)
        # when it is opened, then the operator is told why it takes its time, once
        daemon.start()
        self.assertEqual(len(daemon.said("making the hashes that proofs need from its %d events" % before["tree_size"])), 1)
        self.assertEqual(self.connect(daemon).call("log.checkpoint"), before)
        daemon.restart()
        self.assertEqual(daemon.said("making the hashes"), [])
        # and they are what they were
        daemon.stop()
        with tamper.tables(daemon.data, "nodes") as (nodes,):
            self.assertEqual(nodes, kept)

    def test_the_empty_log_has_a_checkpoint(self):
        daemon = self.start_daemon("--defaults", "no")
        c = self.connect(daemon)
        empty = c.call("log.checkpoint")
        self.assertEqual((empty["tree_size"], empty["at"]), (0, None))
        self.assertEqual(audit_verifier.open_note(empty["text"], verifier_key(c))[0], 0)
        with self.fails("invalid_argument", "seq"):
            c.call("log.prove", seq=1)
        self.assertEqual(c.call("log.prove", from_size=0), {"path": [], "to_size": 0})

    def test_wrong_uses_are_named(self):
        _, c = self.given_a_ledger(10)
        head = c.call("server.health")["head_seq"]
        for method, params, field in (
            ("log.checkpoint", {"tree_size": head + 1}, "tree_size"),
            ("log.checkpoint", {"tree_size": -1}, "tree_size"),
            ("log.prove", {}, "seq"),
            ("log.prove", {"seq": 1, "from_size": 1}, "seq"),
            ("log.prove", {"seq": 0}, "seq"),
            ("log.prove", {"seq": head + 1}, "seq"),
            ("log.prove", {"seq": 5, "tree_size": 4}, "seq"),
            ("log.prove", {"seq": 5, "tree_size": head + 1}, "tree_size"),
            ("log.prove", {"seq": 5, "to_size": 6}, "to_size"),
            ("log.prove", {"from_size": 5, "tree_size": 6}, "tree_size"),
            ("log.prove", {"from_size": 5, "to_size": 4}, "from_size"),
            ("log.prove", {"from_size": 5, "to_size": head + 1}, "to_size"),
        ):
            with self.subTest(method=method, params=params):
                with self.fails("invalid_argument", field):
                    c.call(method, params)

    def test_a_key_that_cannot_be_read_is_never_replaced(self):
        daemon, c = self.given_a_ledger(10)
        before = c.call("log.key")
        path = os.path.join(daemon.data, "log.key")
        daemon.stop()
        with open(path, encoding="ascii") as f:
            kept = f.read()
        for text in ("", "garbage\n", kept.replace("PRIVATE", "PRIVATF"), kept[:-10]):
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            status, said = daemon.fails_to_start()
            self.assertEqual(status, 1)
            self.assertIn("the key that signs checkpoints", said)
            with open(path, encoding="ascii") as f:
                self.assertEqual(f.read(), text)
        with open(path, "w", encoding="ascii") as f:
            f.write(kept)
        daemon.start()
        self.assertEqual(self.connect(daemon).call("log.key"), before)

    def test_with_another_key_it_is_another_ledger(self):
        daemon, c = self.given_a_ledger(10)
        kept = c.call("log.checkpoint")["text"]
        daemon.stop()
        os.unlink(os.path.join(daemon.data, "log.key"))
        daemon.start()
        self.assertTrue(daemon.said("a key was made that signs checkpoints"))
        with self.assertRaises(AssertionError):
            audit_verifier.open_note(kept, verifier_key(self.connect(daemon)))


class AuditTest(LedgerTest):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix="diana-audit-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def keep(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def audit(self, daemon, *arguments):
        status, out, err = self.dianactl(daemon, "audit", *arguments)
        self.assertEqual((status, err), (0, ""), out)
        return out

    def verify(self, daemon, *arguments):
        """(exit status, what --json prints)"""
        status, out, err = self.dianactl(daemon, "--json", "audit", "verify", *arguments)
        self.assertEqual(err, "", out)
        return status, json.loads(out)

    def given_an_audited_ledger(self):
        """A ledger with a block for each award, and what its auditor kept: a key, and two checkpoints."""
        self.daemon = self.start_daemon()
        c = self.connect(self.daemon)
        for i in range(40):
            last = c.call("point.award", user_id=i % 3 + 1, amount=1, actor="ana")
            if i == 9:
                self.early = self.keep("early.note", self.audit(self.daemon, "checkpoint"))
                self.early_size = last["seq"]
        self.late = self.keep("late.note", self.audit(self.daemon, "checkpoint"))
        self.late_size = last["seq"]
        self.key = self.keep("key", self.audit(self.daemon, "key"))
        # a block of its own, behind what was signed
        self.head = c.call("point.award", user_id=1, amount=1)["seq"]
        return c

    def copy(self, name="copy"):
        """What a backup holds: the log alone."""
        data = os.path.join(self.dir, name)
        os.makedirs(os.path.join(data, "log"))
        shutil.copy(os.path.join(self.daemon.data, "log", "data.mdb"), os.path.join(data, "log"))
        return data


class Auditing(AuditTest):
    def test_a_sound_ledger_is_verified_both_ways(self):
        self.given_an_audited_ledger()
        for where in ((), ("--data", self.daemon.data)):
            receipt = self.keep("receipt", self.audit(self.daemon, *where, "prove", "50"))
            small = self.keep("small", self.audit(self.daemon, *where, "prove", "50", "--size", "60"))
            growth = self.keep("growth", self.audit(self.daemon, *where, "prove", "--from", str(self.early_size)))
            files = [self.early, self.late, receipt, small, growth]
            status, said = self.verify(self.daemon, *where, "--key", self.key, *files)
            self.assertEqual(status, 0, said)
            self.assertEqual(said["checked"], self.head)
            self.assertEqual([f["tree_size"] for f in said["files"]], [self.early_size, self.late_size, self.head, 60, self.head])
            self.assertEqual([f["kind"] for f in said["files"]], ["checkpoint", "checkpoint", "receipt", "receipt", "growth"])
            # and without any ledger, by two verifiers
            status, said = self.verify("/nowhere", "--offline", "--key", self.key, *files)
            self.assertEqual((status, said["checked"]), (0, None), said)
            with open(self.key, encoding="ascii") as f:
                key = f.read()
            self.assertEqual(len(list(audit_verifier.verify(audit_verifier.read_files(files), key))), len(files))

    def test_it_works_beside_the_daemon_on_a_backup_and_without_writing(self):
        c = self.given_an_audited_ledger()
        backup = os.path.join(self.dir, "backup")
        c.call("server.backup", path=backup)
        before = sorted(os.listdir(os.path.join(backup, "log")))
        status, _ = self.verify("/nowhere", "--data", backup, "--key", self.key, self.early, self.late)
        self.assertEqual(status, 0)
        self.assertEqual(sorted(os.listdir(os.path.join(backup, "log"))), before)
        copy = self.copy()
        status, _ = self.verify("/nowhere", "--data", copy, "--key", self.key, self.early, self.late)
        self.assertEqual(status, 0)
        self.assertEqual(os.listdir(os.path.join(copy, "log")), ["data.mdb"])
        # the daemon is still at work
        c.call("point.award", user_id=1, amount=1)
        status, said = self.verify("/nowhere", "--data", self.daemon.data, self.early, self.late)
        self.assertEqual((status, said["checked"]), (0, self.head + 1), said)

    def test_wrong_uses_are_named(self):
        self.given_an_audited_ledger()
        other = self.start_daemon()
        theirs = self.keep("theirs.note", self.audit(other, "checkpoint"))
        with open(self.late, encoding="utf-8") as f:
            note = f.read()
        garbled = self.keep("garbled.note", note[:-30])
        changed = self.keep("changed.note", note.replace("\n%d\n" % self.late_size, "\n%d\n" % (self.late_size - 1)))
        nothing = self.keep("nothing.note", "")
        growth = self.keep("growth", self.audit(self.daemon, "prove", "--from", "50"))
        receipt = self.audit(self.daemon, "prove", "50")
        of_other = self.audit(self.daemon, "prove", "51").splitlines(True)[1]
        mixed = self.keep("mixed", receipt.replace(receipt.splitlines(True)[1], of_other))
        moved = self.keep("moved", receipt.replace("\nindex 49\n", "\nindex 48\n"))
        for file, reason in (
            (theirs, "a checkpoint of another ledger: "),
            (garbled, "not a signed checkpoint: no signature behind an empty line"),
            (changed, "the signature is not over this text: it was changed"),
            (nothing, "not a signed checkpoint: "),
            (growth, "needs a checkpoint of 50 events beside it"),
            (mixed, "holds no event, or another than it says"),
            (moved, "holds no event, or another than it says"),
        ):
            with self.subTest(file=os.path.basename(file)):
                for where in ((), ("--data", self.daemon.data)):
                    status, said = self.verify(self.daemon, *where, self.late, file)
                    self.assertEqual(status, 1)
                    self.assertEqual([f["ok"] for f in said["files"]], [True, False])
                    self.assertTrue(said["files"][1]["reason"].startswith(reason), said)
                    self.assertIsNone(said["first_bad_seq"])
        head = str(self.head + 1)
        for status, arguments, complaint in (
            (1, ("prove", head), "seq"),
            (1, ("checkpoint", "--size", head), "tree_size"),
            (1, ("prove", "--from", head), "from_size"),
            (1, ("prove", "--from", "5", "--to", head), "tree_size"),
            (1, ("--data", self.daemon.data, "prove", head), "seq"),
            (1, ("--data", self.daemon.data, "checkpoint", "--size", head), "tree_size"),
            (2, ("--data", self.copy(), "checkpoint"), "log.key"),
            (2, ("--data", self.dir + "/copy", "verify", self.early), "--key"),
            (2, ("--data", self.dir, "verify"), "No such file"),
            (3, ("prove",), "needs a SEQ"),
            (3, ("prove", "x"), "no seq"),
            (3, ("prove", "1", "--from", "1"), "needs a SEQ"),
            (3, ("key", "--size", "1"), "size"),
            (3, ("verify", "--size", "1"), "sizes"),
            (3, ("checkpoint", "--offline"), "--offline"),
            (3, ("verify", "--offline", self.early), "--key"),
            (3, ("verify", "--key", self.early, self.early), "not a key"),
            (3, ("verify", self.dir + "/none"), "No such file"),
            (3, ("sign",), "unknown"),
            (3, (), "needs"),
        ):
            with self.subTest(arguments=arguments):
                got, out, err = self.dianactl(self.daemon, "audit", *arguments)
                self.assertEqual((got, out), (status, ""), err)
                self.assertIn(complaint, err)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to be somebody else")
    def test_an_auditor_may_ask_for_all_of_it(self):
        daemon = self.new_daemon("--auditors", str(NOBODY), "--socket-mode", "0666")
        os.chmod(os.path.dirname(daemon.path), 0o755)
        daemon.start()
        with as_user(NOBODY):
            c = self.connect(daemon)
        size = c.call("log.checkpoint")["tree_size"]
        self.assertEqual(audit_verifier.open_note(c.call("log.checkpoint")["text"], verifier_key(c))[0], size)
        self.assertEqual(c.call("log.prove", seq=1)["tree_size"], size)
        self.assertTrue(c.call("log.verify")["ok"])
        with self.fails("forbidden", reason="role"):
            c.call("point.award", user_id=1, amount=1)


def another_actor(events, i):
    assert b"ana" in events[i]
    events[i] = events[i].replace(b"ana", b"eve")


class Tampering(AuditTest):
    """Each on a copy of the log, by somebody who has its files, and whom no checksum stops."""

    def found(self, first_bad_seq, reason, change, *arguments, daemon_starts=True):
        data = self.copy()
        change(data)
        status, said = self.verify("/nowhere", "--data", data, "--key", self.key, *arguments)
        self.assertEqual((status, said["ok"], said["first_bad_seq"]), (1, False, first_bad_seq), said)
        self.assertIn(reason, said["reason"])
        # what lies before is as it was signed, what lies behind is in doubt
        for file in said["files"]:
            self.assertEqual(file["ok"], file["tree_size"] < first_bad_seq, said)
        self.found_by_the_daemon(data, first_bad_seq, reason, arguments, daemon_starts)
        shutil.rmtree(data)

    def found_by_the_daemon(self, data, first_bad_seq, reason, arguments, daemon_starts):
        shutil.copy(os.path.join(self.daemon.data, "log.key"), data)
        daemon = self.new_daemon(data=data)
        if not daemon_starts:
            # it has no views of the copy, and folds nothing that it cannot trust
            status, said = daemon.fails_to_start()
            self.assertEqual(status, 1, said)
            self.assertIn(reason, said)
            return
        daemon.start()
        status, said = self.verify(daemon, *arguments)
        self.assertEqual((status, said["ok"], said["first_bad_seq"]), (1, False, first_bad_seq), said)
        daemon.kill()

    def test_what_checksums_find(self):
        self.given_an_audited_ledger()
        seq = self.early_size + 5
        for reason, change in (
            ("events %d..%d: checksum differs" % (seq, seq), lambda data: tamper.flip(data, seq, -3)),
            ("header checksum differs", lambda data: tamper.flip(data, seq, 80)),
            ("missing", lambda data: tamper.drop(data, seq)),
            ("header says", lambda data: tamper.swap(data, seq, seq + 4)),
        ):
            with self.subTest(reason=reason):
                self.found(seq, reason, change, self.early, self.late, daemon_starts=False)

    def test_what_the_log_says_of_itself_finds(self):
        self.given_an_audited_ledger()
        notes, seq = (self.early, self.late), self.early_size + 5

        def exchange(events, i):
            events[i] = self.earlier

        with tamper.tables(self.copy("look"), "blocks") as (blocks,):
            self.earlier = tamper.Block(blocks[tamper.holder(blocks, seq - 1)]).events[-1]
        self.found(seq, "Merkle root differs", lambda data: tamper.rewrite(data, seq, another_actor), *notes)
        self.found(seq, "says it is", lambda data: tamper.rewrite(data, seq, exchange, roots=True), *notes)

    def test_what_only_a_kept_checkpoint_finds(self):
        self.given_an_audited_ledger()
        seq = self.early_size + 5

        def rewritten(data):
            tamper.rewrite(data, seq, another_actor, roots=True)
            status, said = self.verify("/nowhere", "--data", data)
            self.assertEqual((status, said["ok"]), (0, True), said)

        def cut(data):
            tamper.cut(data, seq)
            status, said = self.verify("/nowhere", "--data", data)
            self.assertEqual((status, said["checked"]), (0, seq), said)

        # with two checkpoints it lies between them; with one, somewhere before it
        self.found(self.early_size + 1, "not those of the checkpoint", rewritten, self.late, self.early)
        self.found(1, "not those of the checkpoint", rewritten, self.late)
        self.found(seq + 1, "a checkpoint has seen %d" % self.late_size, cut, self.early, self.late)

    def test_a_history_told_anew_is_no_growth(self):
        """The daemon's own hand: the log as of then, and other events since."""
        self.given_an_audited_ledger()
        data = self.copy()
        tamper.cut(data, self.early_size)
        shutil.copy(os.path.join(self.daemon.data, "log.key"), data)
        daemon = self.new_daemon(data=data).start()
        c = self.connect(daemon)
        while c.call("point.award", user_id=1, amount=2, actor="eve")["seq"] < self.late_size:
            pass
        self.assertTrue(c.call("log.verify")["ok"])
        for where in ((), ("--data", data)):
            status, said = self.verify(daemon, *where, self.early, self.late)
            self.assertEqual((status, said["first_bad_seq"]), (1, self.early_size + 1), said)
            self.assertEqual([f["ok"] for f in said["files"]], [True, False])
        # nor can it prove to others that it grew from what was signed
        growth = self.keep("growth", self.audit(daemon, "prove", "--from", str(self.late_size)))
        status, said = self.verify(daemon, "--offline", "--key", self.key, self.late, growth)
        self.assertEqual(status, 1)
        self.assertIn("does not show", said["files"][1]["reason"])


if __name__ == "__main__":
    unittest.main()
