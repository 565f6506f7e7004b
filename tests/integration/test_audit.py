"""Checkpoints and proofs: what an auditor needs to trust the log without trusting who runs it."""

import base64
import os
import stat
import sys
import unittest

from lib import TOP, LedgerTest

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


if __name__ == "__main__":
    unittest.main()
