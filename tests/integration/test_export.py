"""The log out of the ledger and into another one: dianactl export, import, backup and restore."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import tamper
from lib import DIANACTL, NOBODY, TIMEOUT, TOP, Daemon, as_user, deadline, wait_until

sys.path.insert(0, os.path.join(TOP, "tests"))
sys.path.insert(0, os.path.join(TOP, "tests", "conformance"))

import export_reader  # noqa: E402
from test_dianactl import Terminal  # noqa: E402
from test_full_disk import WHY_NOT, SmallDisk  # noqa: E402
from test_replay import still  # noqa: E402
from world import WorldTest  # noqa: E402

DONE, REFUSED, NO_ANSWER, USAGE = 0, 1, 2, 3
FORMS = (("a.ndjson",), ("b.ndjson.zst",), ("c.msgpack",), ("d.msgpack.zst", "--zstd=19"), ("e.ndjson", "--raw"))


def onstall(events, i):
    """What somebody may do who can write the log: another method has installed the defaults."""
    assert b"install" in events[i]
    events[i] = events[i].replace(b"install", b"onstall")


def shared(there, shown):
    """there and shown without what only one of them has, all the way down."""
    if isinstance(there, dict) and isinstance(shown, dict):
        pairs = {k: shared(there[k], shown[k]) for k in there.keys() & shown.keys()}
        return {k: a for k, (a, _) in pairs.items()}, {k: b for k, (_, b) in pairs.items()}
    if isinstance(there, list) and isinstance(shown, list) and len(there) == len(shown):
        pairs = [shared(a, b) for a, b in zip(there, shown)]
        return [a for a, _ in pairs], [b for _, b in pairs]
    return there, shown


class ExportTest(WorldTest):
    """Tests that share a ledger with events of all aggregates, and files of their own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon = cls.world.daemon
        cls.c = cls.world.c
        cls.head = cls.c.call("server.health")["durable_seq"]
        cls.root = cls.c.call("log.checkpoint", tree_size=cls.head)["root"]

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="diana-export-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir, True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def ctl(self, *arguments, **named):
        """dianactl beside no daemon at all, unless one is named: (exit status, stdout, stderr)"""
        return self.dianactl(named.pop("daemon", "/nowhere"), *[str(a) for a in arguments], **named)

    def done(self, *arguments, **named):
        status, out, err = self.ctl(*arguments, **named)
        self.assertEqual(status, DONE, err)
        return out

    def refused_by(self, said, *arguments, status=REFUSED, **named):
        got, out, err = self.ctl(*arguments, **named)
        self.assertEqual((got, out), (status, ""), err)
        self.assertIn(said, err)
        return err

    def export(self, name, *options, **named):
        """Of the shared ledger, from its directory."""
        named.setdefault("data", self.daemon.data)
        self.done("export", "--data", named["data"], self.path(name), *options)
        return self.path(name)

    def lines(self, path):
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def rewrite(self, path, change):
        """change() of the lines of an export, which is written to another file."""
        with open(path, encoding="utf-8") as f:
            lines = f.readlines()
        change(lines)
        other = path + ".changed"
        with open(other, "w", encoding="utf-8") as f:
            f.writelines(lines)
        return other

    def nothing_left(self, *names):
        """But for these the directory is empty."""
        self.assertEqual(sorted(os.listdir(self.dir)), sorted(names))


class Export(ExportTest):
    def test_it_has_every_event_as_log_read_shows_it(self):
        lines = self.lines(self.export("log.ndjson"))
        self.assertEqual([line["record"] for line in lines if "record" in line], ["header", "root", "trailer"])
        header, trailer = lines[0], lines[-1]
        self.assertEqual((header["whole"], header["from_seq"], header["to_seq"], header["filter"]), (True, 1, self.head, None))
        self.assertEqual(header["checkpoint"], self.c.call("log.checkpoint", tree_size=self.head)["text"])
        self.assertEqual((trailer["count"], trailer["root"]), (self.head, self.root))
        with open(os.path.join(TOP, "docs", "methods.md"), encoding="utf-8") as f:
            methods = f.read()
        events = [line for line in lines if "record" not in line]
        shown = self.c.pages("log.read", to_seq=self.head, limit=1000)
        self.assertEqual(len(events), len(shown))
        for event, item in zip(events, shown):
            # data shows what is stored: hidden fields, too, and none that is derived
            there, data = event.pop("data"), item.pop("data")
            self.assertIn("| %d | `%s` |" % (event.pop("tag"), item["type"]), methods)
            there, shown = shared(there, data)
            self.assertEqual(there, shown)
            self.assertEqual(data == {}, shown == {})
            # needed where a map was stored in a longer form than it must be
            if "raw" in event:
                self.assertEqual(export_reader.base64.b64decode(event.pop("raw")),
                                 self.c.call("log.get", seq=event["seq"], raw=True)["raw"])
            digest = (item["idempotency"] or {}).pop("digest", None)
            self.assertEqual((event["idempotency"] or {}).pop("digest", None) is None, digest is None)
            self.assertEqual(event, item)

    def test_asking_the_daemon_and_reading_its_directory_give_the_same_file(self):
        for name, *options in FORMS:
            with self.subTest(form=name):
                path = self.export(name, *options)
                self.done("export", self.path("asked-" + name), *options, daemon=self.daemon)
                with open(path, "rb") as a, open(self.path("asked-" + name), "rb") as b:
                    self.assertEqual(a.read(), b.read())

    def test_standard_output(self):
        path = self.export("log.ndjson")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(self.done("export", "--data", self.daemon.data), text)
        self.assertEqual(self.done("export", "--data", self.daemon.data, "-"), text)

    def test_what_it_says_for_programs(self):
        said = json.loads(self.done("--json", "export", "--data", self.daemon.data, self.path("log.msgpack")))
        self.assertEqual(said, {"file": self.path("log.msgpack"), "events": self.head, "whole": True, "signed": True,
                                "bytes": os.path.getsize(self.path("log.msgpack")), "from_seq": 1, "to_seq": self.head,
                                "root": self.root})

    def test_filters_are_those_of_log_read(self):
        middle = self.c.call("log.get", seq=self.head // 2)["at"]
        for options, params in (
            (("--user", 123), {"user_id": 123}),
            (("--stream", "points:123"), {"stream": "points:123"}),
            (("--type", "point.*", "-t", "user.created"), {"types": ["point.*", "user.created"]}),
            (("--from-seq", 5, "--to-seq", 99), {"from_seq": 5, "to_seq": 99}),
            (("--since", middle), {"from_at": middle}),
            (("--until", middle), {"to_at": middle}),
            (("--since", "2001-01-01", "--until", "2002-01-01"), {"to_at": 0}),
            (("--user", 456, "--type", "user.*", "--from-seq", 50), {"user_id": 456, "types": ["user.*"], "from_seq": 50}),
        ):
            with self.subTest(options=options):
                shown = self.c.pages("log.read", limit=1000, **params)
                wanted = [e["seq"] for e in shown if e["seq"] <= self.head]
                for daemon in (None, self.daemon):
                    where = ("--data", self.daemon.data) if daemon is None else ()
                    out = self.done("export", *where, *options, daemon=daemon or "/nowhere")
                    lines = [json.loads(line) for line in out.splitlines()]
                    self.assertEqual([line["seq"] for line in lines if "record" not in line], wanted)
                    self.assertEqual((lines[0]["whole"], lines[0]["checkpoint"]), (False, None))
                    self.assertEqual(lines[-1]["count"], len(wanted))

    def test_the_beginning_of_a_log_is_whole_where_a_commit_ends(self):
        shown = self.c.pages("log.read", to_seq=self.head, limit=1000)
        inside = next(e["seq"] for e in shown if e["commit"] != e["seq"] and e["seq"] > 100) - 1
        ends = next(e["seq"] for e in shown if e["commit"] == e["seq"] and e["seq"] > 100) - 1
        for to_seq, whole in ((inside, False), (ends, True)):
            for daemon in (None, self.daemon):
                where = ("--data", self.daemon.data) if daemon is None else ()
                out = self.done("export", *where, "--to-seq", to_seq, daemon=daemon or "/nowhere")
                header = json.loads(out.splitlines()[0])
                self.assertEqual((header["whole"], header["to_seq"]), (whole, to_seq))
                self.assertEqual(header["checkpoint"] is not None, whole)

    def test_another_language_reads_it(self):
        for name in ("e.ndjson", "c.msgpack"):
            header, events, root = export_reader.read(self.export(name, *(("--raw",) if name == "e.ndjson" else ())))
            self.assertEqual(len(events), self.head)
            self.assertEqual(export_reader.base64.b64encode(root).decode(), self.root)
            self.assertEqual(events[-1], self.c.call("log.get", seq=self.head, raw=True)["raw"])
            # and finds what was cut off or changed
            with open(self.path(name), "rb") as f:
                content = f.read()
            for bad in (content[: len(content) // 2], content.replace(b"\xa4quiz", b"\xa4quix", 1)
                        if name == "c.msgpack" else content.replace(b'"raw":"nRQ', b'"raw":"nRU', 1)):
                self.assertNotEqual(bad, content)
                with open(self.path("bad"), "wb") as f:
                    f.write(bad)
                with self.assertRaises((AssertionError, ValueError)):
                    export_reader.read(self.path("bad"))

    def test_wrong_uses(self):
        data = ("--data", self.daemon.data)
        self.refused_by("not_found: event 99999999 is not there yet: the last one is ", "export", *data, "--to-seq", 99999999)
        self.refused_by("not_found: event 99999999 is not there yet", "export", *data, "--from-seq", 99999999)
        self.refused_by("tree_size", "export", "--to-seq", 99999999, daemon=self.daemon)
        self.refused_by("must not pass", "export", *data, "--from-seq", 9, "--to-seq", 8, status=USAGE)
        self.refused_by("no event of type nothing.at_all", "export", *data, "--type", "nothing.at_all", status=USAGE)
        self.refused_by("'soon' is no time", "export", *data, "--since", "soon", status=USAGE)
        self.refused_by("ndjson or msgpack", "export", *data, "--format", "xml", status=USAGE)
        self.refused_by("1 to 19", "export", *data, "--zstd=20", status=USAGE)
        self.refused_by("--zstd", "export", *data, "--zstd=fast", status=USAGE)
        self.refused_by("not_found: no ledger in %s" % self.dir, "export", "--data", self.dir)
        self.refused_by("/nowhere", "export", status=NO_ANSWER)
        self.refused_by("No such file or directory", "export", *data, self.path("no/such/folder"))
        # a file that is there
        path = self.export("log.ndjson")
        with open(path, "rb") as f:
            before = f.read()
        self.refused_by("already_exists: %s is there; name another file, or say --force" % path, "export", *data, path)
        self.done("export", *data, path, "--force", "--to-seq", 5)
        self.assertNotEqual(os.path.getsize(path), len(before))
        self.nothing_left("log.ndjson")

    def test_nobody_gets_a_packed_file_on_a_terminal(self):
        terminal = Terminal(self, [DIANACTL, "export", "--data", self.daemon.data, "--format", "msgpack"])
        self.assertEqual(terminal.process.wait(TIMEOUT), USAGE)

    def test_a_reader_that_goes_away_ends_it(self):
        p = subprocess.run("%s export --data %s | head -1" % (DIANACTL, self.daemon.data), shell=True, capture_output=True,
                           text=True, timeout=TIMEOUT, check=False)
        self.assertTrue(json.loads(p.stdout)["whole"])
        self.assertNotIn("Sanitizer", p.stderr)

    def test_a_log_that_was_changed_is_not_exported_as_whole(self):
        # given a copy of which an event was rewritten, with checksums made right
        data = self.path("copy")
        shutil.copytree(self.world.copy, data)
        tamper.rewrite(data, 20, onstall)
        # then it is not told as what was signed
        err = self.refused_by("the events do not lead to the root of the log", "export", "--data", data, self.path("x.ndjson"))
        self.assertIn("audit verify", err)
        self.nothing_left("copy")

    def test_a_backup_has_no_key_and_says_so(self):
        _, _, err = self.ctl("export", "--data", self.world.copy, self.path("log.ndjson"))
        self.assertIn("the export is not signed: there is no %s/log.key" % self.world.copy, err)
        header = self.lines(self.path("log.ndjson"))[0]
        self.assertEqual((header["whole"], header["origin"], header["checkpoint"]), (True, None, None))

    @unittest.skipIf(WHY_NOT is not None, WHY_NOT)
    def test_a_full_disk(self):
        disk = SmallDisk(4 << 20)
        self.addCleanup(disk.cleanup)
        disk.leave(8 << 10)
        for options in ((), ("--zstd=1",)):
            self.refused_by("storage_full: ", "export", "--data", self.daemon.data, os.path.join(disk.path, "log"), *options)
            self.assertEqual(os.listdir(disk.path), ["filler"])
        disk.clear()
        self.done("export", "--data", self.daemon.data, os.path.join(disk.path, "log"))


class Audited(ExportTest):
    def setUp(self):
        super().setUp()
        self.key = self.keep("key", "key")
        self.early = self.keep("early", "checkpoint", "--size", self.head // 2)
        self.late = self.keep("late", "checkpoint", "--size", self.head)

    def keep(self, name, *arguments):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(self.done("audit", *arguments, daemon=self.daemon))
        return self.path(name)

    def verify(self, path, *files):
        status, out, err = self.ctl("--json", "audit", "verify", "--export", path, "--key", self.key, *files)
        self.assertEqual(err, "", out)
        return status, json.loads(out)

    def test_a_sound_export_is_what_was_signed(self):
        for name, *options in FORMS:
            with self.subTest(form=name):
                status, said = self.verify(self.export(name, *options), self.early, self.late)
                self.assertEqual((status, said["ok"], said["checked"]), (DONE, True, self.head), said)

    def test_without_notes_and_key_it_is_examined_by_itself(self):
        self.assertEqual(self.done("audit", "verify", "--export", self.export("log.ndjson.zst")),
                         "%d events checked: ok\n" % self.head)

    def test_it_proves_what_it_holds(self):
        path = self.export("log.msgpack.zst")
        files = [self.early, self.late]
        for seq in (1, 255, 256, 257, self.head):
            receipt = self.done("audit", "prove", seq, "--export", path)
            self.assertEqual(receipt, self.done("audit", "prove", seq, "--size", self.head, daemon=self.daemon))
            files.append(self.path("receipt-%d" % seq))
            with open(files[-1], "w", encoding="utf-8") as f:
                f.write(receipt)
        for old in (self.head // 2, self.head):
            growth = self.done("audit", "prove", "--from", old, "--export", path)
            self.assertEqual(growth, self.done("audit", "prove", "--from", old, "--to", self.head, daemon=self.daemon))
            files.append(self.path("growth-%d" % old))
            with open(files[-1], "w", encoding="utf-8") as f:
                f.write(growth)
        self.done("audit", "verify", "--offline", "--key", self.key, *files)
        self.refused_by("there is no %d" % (self.head + 1), "audit", "prove", self.head + 1, "--export", path)
        self.refused_by("signed for all of its %d events only" % self.head, "audit", "checkpoint", "--size", 5, "--export", path)

    def test_whatever_was_changed_is_named(self):
        path = self.export("log.ndjson")
        seq = self.head // 2 + 3  # behind the early note
        line = seq + (seq - 1) // 1024  # header and roots stand between

        def change_data(lines):
            event = json.loads(lines[line])
            self.assertEqual(event["seq"], seq)
            event["actor"] = "somebody else"
            lines[line] = json.dumps(event) + "\n"

        def drop(lines):
            del lines[line]

        def swap(lines):
            lines[line], lines[line + 1] = lines[line + 1], lines[line]

        def cut(lines):
            del lines[line:-1]

        for change, first_bad in ((change_data, self.head // 2 + 1), (drop, seq), (swap, seq), (cut, None)):
            with self.subTest(change=change.__name__):
                status, said = self.verify(self.rewrite(path, change), self.early)
                self.assertEqual((status, said["ok"]), (REFUSED, False), said)
                self.assertLessEqual(said["first_bad_seq"], seq)
                self.assertGreater(said["first_bad_seq"], 0)

    def test_a_history_written_anew_is_found_by_the_note_alone(self):
        # given a ledger of its own whose events are as many, and an export of it that is sound
        other = Daemon()
        self.addCleanup(other.cleanup)
        other.start()
        with other.client() as c:
            c.pipeline([("point.award", {"user_id": 5, "amount": 1})] * self.head)
        path = self.export("other.ndjson", data=other.data)
        self.done("audit", "verify", "--export", path)
        # then the notes tell them apart
        status, said = self.verify(path, self.early)
        self.assertEqual((status, said["ok"], said["first_bad_seq"]), (REFUSED, False, 1))
        self.assertIn("not those of the checkpoint of size %d" % (self.head // 2), said["reason"])
        # and so does the key, which did not sign its header
        status, said = self.verify(path)
        self.assertEqual((status, said["ok"]), (REFUSED, False))
        self.assertIn("the checkpoint in the header", said["reason"])

    def test_an_export_that_ends_too_early(self):
        shown = self.c.pages("log.read", to_seq=self.head, limit=1000)
        ends = next(e["seq"] for e in shown if e["commit"] == e["seq"] and e["seq"] > 100) - 1
        status, said = self.verify(self.export("log.ndjson", "--to-seq", ends), self.late)
        self.assertEqual((status, said["first_bad_seq"]), (REFUSED, ends + 1))
        self.assertIn("the log ends at %d, a checkpoint has seen %d" % (ends, self.head), said["reason"])

    def test_a_part_is_compared_with_nothing(self):
        path = self.export("part.ndjson", "--user", 123)
        self.assertIn("events checked: ok", self.done("audit", "verify", "--export", path))
        self.refused_by("only a part of the log", "audit", "verify", "--export", path, "--key", self.key, self.early)

    def test_wrong_uses(self):
        path = self.export("log.ndjson")
        self.refused_by("one of --data and --export", "audit", "verify", "--export", path, "--data", self.dir, status=USAGE)
        self.refused_by("does not hold the key", "audit", "verify", "--export", path, self.early, status=USAGE)
        self.refused_by("No such file", "audit", "verify", "--export", self.path("nothing"), status=NO_ANSWER)


class Import(ExportTest):
    def fingerprints(self, daemon):
        with daemon.client() as c:
            names = [p["name"] for p in c.call("projection.list")["items"]]
            return {name: c.call("projection.status", name=name)["fingerprint"] for name in names}

    def questions(self, daemon):
        with daemon.client() as c:
            return [still(c.call(method, params)) for method, params in (
                ("point.leaderboard", {"limit": 100}), ("user.get", {"id": 123}), ("auction.list", {}),
                ("mission.list", {}), ("log.read", {"user_id": 123, "limit": 1000}), ("config.export", {}),
                ("point.list", {"kind": "transaction", "user_id": 456}), ("log.verify", {}), ("point.verify", {}))]

    def test_a_daemon_on_the_copy_answers_as_the_original(self):
        # given a ledger, and a copy of it that is only read
        original = self.new_daemon()
        shutil.copytree(self.world.copy, original.data)
        original.start()
        for name, *options in FORMS:
            with self.subTest(form=name):
                # when it is exported and imported
                path = self.export(name, *options, data=original.data)
                copy = self.new_daemon()
                said = json.loads(self.done("--json", "import", path, "--data", copy.data))
                # then the root is the same, and so is everything that is asked of it
                copy.start()
                with original.client() as c:
                    size = said["events"]
                    self.assertEqual(c.call("log.checkpoint", tree_size=size)["root"], said["root"])
                with copy.client() as c:
                    self.assertEqual(c.call("log.checkpoint", tree_size=size)["root"], said["root"])
                self.assertEqual(self.fingerprints(copy), self.fingerprints(original))
                self.assertEqual(self.questions(copy), self.questions(original))
                # and a command goes on from there
                with copy.client() as c:
                    self.assertGreater(c.call("point.award", user_id=123, amount=1)["seq"], size)
                copy.stop()

    def test_with_the_old_key_it_is_the_same_ledger_to_its_auditors(self):
        # given a copy, and the key in its directory before the first start
        copy = self.new_daemon()
        os.mkdir(copy.data)
        shutil.copy(os.path.join(self.daemon.data, "log.key"), copy.data)
        path = self.export("log.ndjson")
        key = self.done("audit", "key", daemon=self.daemon).strip()
        self.done("import", path, "--data", copy.data, "--key", key)
        copy.start()
        with copy.client() as c:
            self.assertEqual(c.call("log.checkpoint", tree_size=self.head), self.c.call("log.checkpoint", tree_size=self.head))
        # without it, it is another one
        other = self.new_daemon()
        self.done("import", path, "--data", other.data)
        other.start()
        self.assertTrue(other.said("a key was made that signs checkpoints"))
        with other.client() as c:
            self.assertNotEqual(c.call("log.key")["key_id"], self.c.call("log.key")["key_id"])

    def test_through_a_pipe(self):
        p = subprocess.run("%s export --data %s --zstd --format msgpack | %s import - --data %s" %
                           (DIANACTL, self.daemon.data, DIANACTL, self.path("new")), shell=True, capture_output=True,
                           text=True, timeout=TIMEOUT, check=False)
        self.assertEqual(p.returncode, DONE, p.stderr)
        self.assertIn("%d events are in " % self.head, p.stdout)

    def test_what_is_wrong_is_named_and_nothing_is_left(self):
        path = self.export("log.ndjson")
        with open(path, "rb") as f:
            content = f.read()

        def event(lines, i, **changes):
            lines[i] = json.dumps(dict(json.loads(lines[i]), **changes)) + "\n"

        for said, change in (
            ("invalid_argument: line 51: event 50: says it is 51", lambda l: l.pop(50)),
            ("invalid_argument: line 51: event 50: says it is 49", lambda l: l.insert(50, l[49])),
            ("invalid_argument: line 51: event 50: says it is 51", lambda l: l.insert(51, l.pop(50))),
            ("invalid_argument: line 1026: events 1..1024: not those whose root is told here", lambda l: event(l, 50, actor="me")),
            ("invalid_argument: line 51: event 50: its member users", lambda l: event(l, 50, users=[666])),
            ("invalid_argument: line 51: event 50: its member other is not known", lambda l: event(l, 50, other=1)),
            ("version_unsupported: line 51: event 50: events with the tag 255 are not known", lambda l: event(l, 50, tag=255)),
            ("invalid_argument: line 51: event 50: its member type", lambda l: event(l, 50, type="point.robbed")),
            ("invalid_argument: line 51: is no JSON object on one line", lambda l: l.insert(50, "\n")),
            ("invalid_argument: line 51: is no JSON object on one line", lambda l: l.insert(50, '{"seq": 50,\n')),
            ("invalid_argument: line %d: it was cut off: no trailer follows event %d" % (self.head + 3, self.head), lambda l: l.pop()),
            ("invalid_argument: line %d: something follows the trailer" % (self.head + 4), lambda l: l.append(l[50])),
            ("version_unsupported: line 1: exports of version 2 are not known", lambda l: event(l, 0, version=2)),
            ("invalid_argument: line 1: no header", lambda l: l.pop(0)),
            ("not those of the checkpoint in the header", lambda l: event(
                l, 0, checkpoint=json.loads(l[0])["checkpoint"].replace("\n%d\n" % self.head, "\n%d\n" % (self.head - 1)))),
        ):
            with self.subTest(said=said):
                bad = self.rewrite(path, change)
                self.refused_by(said, "import", bad, "--data", self.path("new"))
                self.nothing_left("log.ndjson", "log.ndjson.changed")
        # packed, and cut off
        packed = self.export("log.msgpack.zst")
        os.truncate(packed, os.path.getsize(packed) * 2 // 3)
        self.refused_by("zstd does not unpack it: it is cut off", "import", packed, "--data", self.path("new"))
        # a part
        part = self.export("part.ndjson", "--user", 123)
        self.refused_by("invalid_argument: it holds only a part of a log", "import", part, "--data", self.path("new"))
        # nothing that it could be
        self.refused_by("no header of an export", "import", DIANACTL, "--data", self.path("new"))
        self.refused_by("No such file", "import", self.path("nothing"), "--data", self.path("new"))
        self.refused_by("needs --data", "import", path, status=USAGE)
        self.assertFalse(os.path.exists(self.path("new")))
        # and it was right before
        with open(path, "rb") as f:
            self.assertEqual(f.read(), content)
        self.done("import", path, "--data", self.path("new"))

    def test_another_ledgers_signature(self):
        path = self.export("log.ndjson")
        other = self.start_daemon()
        key = self.done("audit", "key", daemon=other).strip()
        self.refused_by("forbidden: ", "import", path, "--data", self.path("new"), "--key", key)
        unsigned = self.export("unsigned.ndjson", data=self.world.copy)
        self.refused_by("forbidden: the export is not signed", "import", unsigned, "--data", self.path("new"), "--key", key)
        self.assertFalse(os.path.exists(self.path("new")))

    def test_a_ledger_that_is_there_is_left_alone(self):
        path = self.export("log.ndjson")
        # in use
        self.refused_by("in use by another daemon", "import", path, "--data", self.daemon.data)
        # with events
        daemon = self.start_daemon()
        daemon.stop()
        self.refused_by("already_exists: %s holds a ledger of " % daemon.data, "import", path, "--data", daemon.data)
        self.assertNotIn("log.new", os.listdir(daemon.data))
        daemon.start()
        # without any: it is taken
        empty = self.start_daemon("--defaults", "no")
        empty.stop()
        self.done("import", path, "--data", empty.data)
        self.assertNotIn("log.new", os.listdir(empty.data))
        empty.start()
        with empty.client() as c:
            self.assertEqual(c.call("log.checkpoint", tree_size=self.head)["root"], self.root)

    def test_what_a_killed_one_left_is_taken_away(self):
        path = self.export("log.ndjson")
        new = self.path("new")
        # given a process that stands in the middle: its export comes through a pipe that stays open
        read_end, write_end = os.pipe()
        with open(path, "rb") as f:
            half = f.read()[: os.path.getsize(path) // 2]
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.write(write_end, half)
        p = subprocess.Popen([DIANACTL, "import", "-", "--data", new], stdin=read_end, stderr=subprocess.PIPE)
        self.addCleanup(p.stderr.close)
        os.close(read_end)
        wait_until(lambda: os.path.exists(os.path.join(new, "log.new", "data.mdb")) or p.poll() is not None, "the new log")
        # then nobody else may, and after it was killed the next one may
        self.refused_by("unavailable: another process is making a ledger in %s" % new, "import", path, "--data", new)
        p.kill()
        p.wait(TIMEOUT)
        os.close(write_end)
        self.assertEqual(os.listdir(new), ["log.new"])
        self.done("import", path, "--data", new)
        self.assertEqual(os.listdir(new), ["log"])

    def test_interrupted_it_leaves_nothing(self):
        read_end, write_end = os.pipe()
        with open(self.export("log.ndjson"), "rb") as f:
            content = f.read()
        p = subprocess.Popen([DIANACTL, "import", "-", "--data", self.path("new")], stdin=read_end,
                             stderr=subprocess.PIPE, text=True)
        self.addCleanup(p.stderr.close)
        os.close(read_end)
        os.write(write_end, content[:5000])
        wait_until(lambda: os.path.exists(self.path("new/log.new/data.mdb")) or p.poll() is not None, "the new log")
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(TIMEOUT), REFUSED, p.stderr.read())
        os.close(write_end)
        self.assertFalse(os.path.exists(self.path("new")))

    @unittest.skipIf(WHY_NOT is not None, WHY_NOT)
    def test_a_full_disk(self):
        path = self.export("log.msgpack")
        disk = SmallDisk(8 << 20)
        self.addCleanup(disk.cleanup)
        disk.leave(128 << 10)
        new = os.path.join(disk.path, "new")
        self.refused_by("storage_full: ", "import", path, "--data", new)
        self.assertEqual(os.listdir(disk.path), ["filler"])
        disk.clear()
        self.done("import", path, "--data", new)

    @unittest.skipIf(os.geteuid() != 0, "only root may give files away")
    def test_made_by_root_it_belongs_to_the_owner_of_the_directory(self):
        new = self.path("new")
        os.mkdir(new)
        os.chown(new, NOBODY, NOBODY)
        self.done("import", self.export("log.ndjson"), "--data", new)
        for name in ("log", "log/data.mdb", "log/lock.mdb", "log/LOCK"):
            st = os.stat(os.path.join(new, name))
            self.assertEqual((st.st_uid, st.st_gid), (NOBODY, NOBODY), name)

    @unittest.skipIf(os.geteuid() != 0, "only root may become somebody else")
    def test_a_directory_that_cannot_be_made(self):
        path = self.export("log.ndjson")
        os.chmod(path, 0o644)
        with as_user(NOBODY):
            self.refused_by("Permission denied", "import", path, "--data", self.path("new"))
        self.nothing_left("log.ndjson")


class Restore(ExportTest):
    def test_a_backup_becomes_a_data_directory(self):
        # given a backup made by dianactl, relative to where one is
        here = os.getcwd()
        os.chdir(self.dir)
        try:
            said = self.done("backup", "copy", daemon=self.daemon)
        finally:
            os.chdir(here)
        self.assertRegex(said, r"^\d+ events, .* are in %s; copied and verified in " % self.path("copy"))
        before = sorted(os.listdir(self.path("copy/log")))
        # when it is restored
        daemon = self.new_daemon()
        said = json.loads(self.done("--json", "restore", self.path("copy"), "--data", daemon.data))
        self.assertGreaterEqual(said["seq"], self.head)
        self.assertEqual(os.listdir(daemon.data), ["log"])
        # then a daemon starts on it, and the backup is as it was
        daemon.start()
        with daemon.client() as c:
            self.assertEqual(c.call("log.checkpoint", tree_size=self.head)["root"], self.root)
            self.assertTrue(c.call("log.verify")["ok"])
            self.assertEqual(c.call("point.get", id=1100)["balance"], self.c.call("point.get", id=1100)["balance"])
        self.assertEqual(sorted(os.listdir(self.path("copy/log"))), before)

    def test_a_running_ledger_is_not_replaced(self):
        self.refused_by("in use by another daemon", "restore", self.world.copy, "--data", self.daemon.data)
        daemon = self.start_daemon()
        daemon.stop()
        self.refused_by("already_exists: ", "restore", self.world.copy, "--data", daemon.data)
        daemon.start()

    def test_a_damaged_backup_is_not_put_in_place(self):
        copy = self.path("copy")
        shutil.copytree(self.world.copy, copy)
        tamper.rewrite(copy, 20, onstall)
        err = self.refused_by("internal: ", "restore", copy, "--data", self.path("new"))
        self.assertIn("is damaged at event ", err)
        self.nothing_left("copy")
        with open(os.path.join(copy, "log", "data.mdb"), "r+b") as f:
            f.truncate(8192)
        self.refused_by("internal: ", "restore", copy, "--data", self.path("new"))
        self.nothing_left("copy")

    def test_wrong_uses(self):
        self.refused_by("not_found: no ledger in %s" % self.dir, "restore", self.dir, "--data", self.path("new"))
        self.refused_by("needs --data", "restore", self.world.copy, status=USAGE)
        self.refused_by("No such file", "restore", self.world.copy, "--data", self.path("no/such/folder"))
        self.refused_by("already_exists: ", "backup", self.dir, daemon=self.daemon)
        self.refused_by("", "backup", self.path("copy"), status=NO_ANSWER)
        self.nothing_left()

    @unittest.skipIf(WHY_NOT is not None, WHY_NOT)
    def test_a_full_disk(self):
        disk = SmallDisk(4 << 20)
        self.addCleanup(disk.cleanup)
        new = os.path.join(disk.path, "new")
        self.refused_by("storage_full: ", "restore", self.world.copy, "--data", new)
        self.refused_by("storage_full: ", "backup", os.path.join(disk.path, "copy"), daemon=self.daemon)
        self.assertEqual(os.listdir(disk.path), [])


class Progress(ExportTest):
    def test_a_backup_can_be_looked_at(self):
        # given a backup that is asked for, and a look behind it on the same connection
        with contextlib.closing(self.daemon.client()) as c:
            self.assertEqual(c.call("server.stats", section="backup"), {"backup": None})
            path = self.path("copy")
            backup = c.post("server.backup", {"path": path})
            seen = []
            while backup not in c.answers:
                seen.append(c.call("server.stats", section="backup")["backup"])
            result = c.wait(backup)
            # then looks are answered while it runs, and say how far it is
            looks = [s for s in seen if s is not None]
            for look in looks:
                self.assertEqual(look["path"], path)
                self.assertIn(look["phase"], ("beginning", "copying", "verifying"))
                self.assertGreaterEqual(look["time_ms"], 0)
            self.assertGreater(len(seen), 0)
            self.assertGreater(result["bytes"], 0)
            self.assertEqual(c.call("server.stats", section="backup"), {"backup": None})

    def test_a_bar_is_drawn_on_a_terminal_and_gone_afterwards(self):
        # given an import whose export comes in pieces
        with open(self.export("log.ndjson"), "rb") as f:
            content = f.read()
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        terminal = Terminal(self, [DIANACTL, "import", fifo, "--data", self.path("new")])
        with open(fifo, "wb", buffering=0) as f:
            half = len(content) // 2
            f.write(content[:half])
            # when there has been time for a bar, and more comes
            terminal.read(deadline(0.2))
            f.write(content[half:-1000])
            # then it is there
            terminal.shows(r"\[#+-*\] \d+ of %d, \d+ events/s, \S+ left" % self.head)
            f.write(content[-1000:])
        # and gone when it is done
        self.assertEqual(terminal.end(), DONE)
        self.assertTrue(terminal.lines[0].startswith("%d events are in " % self.head), terminal.text())


if __name__ == "__main__":
    unittest.main()
