"""dianactl why and history: where points came from, and whether they add up."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import tamper
from lib import DIANACTL, TIMEOUT, TOP, LedgerTest

sys.path.insert(0, os.path.join(TOP, "tests"))
sys.path.insert(0, os.path.join(TOP, "tests", "conformance"))

import audit_verifier  # noqa: E402
from world import OTHERS, WorldTest  # noqa: E402

DONE, REFUSED, NO_LEDGER, USAGE = 0, 1, 2, 3


class StatementTest(LedgerTest):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="diana-why-", dir="/tmp")
        self.addCleanup(directory.cleanup)
        self.dir = directory.name

    def parsed(self, daemon, *arguments, status=DONE):
        got, out, err = self.dianactl(daemon, "--json", *[str(a) for a in arguments])
        self.assertEqual((got, err), (status, ""), out)
        return json.loads(out)

    def refuses(self, says, daemon, *arguments, status=REFUSED):
        got, out, err = self.dianactl(daemon, *[str(a) for a in arguments])
        self.assertEqual((got, out), (status, ""), err)
        self.assertIn(says, err)

    def copy(self, daemon, name="copy"):
        """The log of a daemon that does not run."""
        data = os.path.join(self.dir, name)
        os.makedirs(os.path.join(data, "log"))
        shutil.copy(os.path.join(daemon.data, "log", "data.mdb"), os.path.join(data, "log"))
        return data


class WorldStatementTest(WorldTest, StatementTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon = cls.world.daemon
        cls.data = cls.daemon.data
        board = cls.world.c.pages("point.leaderboard", min=0, limit=1000)
        # all people of the story and the market, and some of the many who are alike
        cls.people = {i["user_id"]: i["balance"] for i in board if i["user_id"] not in OTHERS[3:]}


class Why(WorldStatementTest):
    def test_every_balance_is_explained(self):
        # given people who did everything that pays
        rules = set()
        self.assertGreater(len(self.people), 10)
        for user_id, balance in self.people.items():
            with self.subTest(user=user_id):
                # when it is asked where their points come from, of the daemon and of its log
                online = self.parsed(self.daemon, "why", user_id, "--all")
                if online["contributions"] == 0:
                    self.assertEqual((online["sum"], balance), (0, 0))
                    continue
                offline = self.parsed("/nowhere", "why", user_id, "--all", "--data", self.data)
                # then both add up to what they have, event by event
                self.assertEqual((online["equal"], online["sum"], online["balance"]), (True, balance, balance))
                self.assertEqual((offline["equal"], offline["sum"], offline["balance"]), (True, balance, None))
                self.assertEqual(offline["items"], online["items"])
                self.assertEqual(len(online["items"]), online["contributions"])
                total = 0
                for item in online["items"]:
                    total += item["amount"]
                    self.assertAlmostEqual(total, item["balance"], places=3)
                    # and what came by a rule tells which one, after what
                    self.assertEqual(bool(item["causes"]), item["rule"] is not None, item)
                    rules.add(item["rule"])
        self.assertGreaterEqual(len(rules), 8, rules)

    def test_what_brought_it_about_is_followed_to_the_command(self):
        # given points for a mission that a check-in completed
        items = self.parsed(self.daemon, "why", 123, "--all")["items"]
        paid = [i for i in items if i["source"] == "mission"]
        self.assertTrue(paid)
        for item in paid:
            # then the mission stands first, and the last one is the command's own event
            self.assertEqual(item["causes"][0]["type"], "mission.completed")
            self.assertEqual(item["rule"], "a completed mission pays its reward")
            seqs = [item["seq"]] + [cause["seq"] for cause in item["causes"]]
            events = [self.world.c.call("log.get", seq=seq) for seq in seqs]
            self.assertEqual([e["cause"] for e in events], seqs[1:] + [None])
            self.assertEqual({e["commit"] for e in events}, {events[0]["commit"]})
            self.assertEqual(item["method"], events[0]["method"])

    def test_a_screen_for_people(self):
        status, out, err = self.dianactl(self.daemon, "why", "@user123", "--utc", "-n", "3")
        self.assertEqual((status, err), (DONE, ""))
        lines = out.splitlines()
        self.assertEqual(lines[0], "Balance of user 123 Uno Prueba @user123, times in UTC")
        self.assertRegex(lines[2], r"^ *SEQ +TIME +AMOUNT +BALANCE +SOURCE +COMMAND +BY +BECAUSE$")
        n = self.parsed(self.daemon, "why", "123")["contributions"]
        self.assertRegex(lines[3], r"^ +%d before +[\d.]+$" % (n - 3))
        self.assertRegex(out, r"\n%d contributions, 3 shown, sum up to [\d.]+, the balance that point.get shows.\n$" % n)
        self.assertEqual(out, self.dianactl(self.daemon, "why", "123", "--utc", "--limit", "3")[1])
        status, out, _ = self.dianactl("/nowhere", "why", "123", "--data", self.data, "-n", "3")
        self.assertEqual(status, DONE)
        self.assertRegex(out, r"3 shown, sum up to [\d.]+, as each of their events says.\n$")

    def test_dates_choose_what_is_shown_not_what_is_added(self):
        whole = self.parsed(self.daemon, "why", 123, "--all")
        none = self.parsed(self.daemon, "why", 123, "--until", "2020-01-01")
        every = self.parsed(self.daemon, "why", 123, "--all", "--since", "2020-01-01")
        self.assertEqual((none["items"], none["contributions"]), ([], whole["contributions"]))
        self.assertEqual((none["sum"], every["sum"]), (whole["sum"], whole["sum"]))
        self.assertEqual(every["items"], whole["items"])

    def test_receipts_verify_without_any_ledger(self):
        # given the ledger's key
        key = os.path.join(self.dir, "key")
        with open(key, "w", encoding="ascii") as f:
            f.write(self.dianactl(self.daemon, "audit", "key")[1])
        for name, daemon, where in (("online", self.daemon, ()), ("offline", "/nowhere", ("--data", self.data))):
            # when receipts are made
            proofs = os.path.join(self.dir, name)
            items = self.parsed(daemon, "why", 123, "-n", 3, "--proof", proofs, *where)["items"]
            # then there is one for each that is shown
            files = sorted(glob.glob(proofs + "/*"))
            self.assertEqual(sorted(i["receipt"] for i in items), files)
            self.assertEqual(len(files), 3)
            # and two verifiers find that it shows that event
            status, out, err = self.dianactl("/nowhere", "audit", "verify", "--offline", "--key", key, *files)
            self.assertEqual((status, err), (DONE, ""), out)
            for item in items:
                self.assertIn("event-%d.tlog-proof: ok, event %d is among" % (item["seq"], item["seq"]), out)
            with open(key, encoding="ascii") as f:
                verified = list(audit_verifier.verify(audit_verifier.read_files(files), f.read()))
            self.assertEqual(len(verified), 3)
            self.assertIn("Receipts are in", self.dianactl(daemon, "why", "123", "--proof", proofs + "-2", *where)[1])

    def test_wrong_uses(self):
        taken = os.path.join(self.dir, "taken")
        os.mkdir(taken)
        backup = self.world.copy
        self.refuses("not_found: ", self.daemon, "why", 77)
        self.refuses("not_found: ", self.daemon, "why", "@nobody")
        self.refuses("not_found: no points of user 77", "/nowhere", "why", 77, "--data", self.data)
        self.refuses("/nowhere", "/nowhere", "why", 123, status=NO_LEDGER)
        self.refuses("No such file", "/nowhere", "why", 123, "--data", self.dir, status=NO_LEDGER)
        self.refuses("log.key", "/nowhere", "why", 123, "--data", backup, "--proof", taken + "2", status=NO_LEDGER)
        self.refuses("needs the id", "/nowhere", "why", "@user123", "--data", self.data, status=USAGE)
        self.refuses("is there already", self.daemon, "why", 123, "--proof", taken, status=USAGE)
        self.refuses("one of --limit and --all", self.daemon, "why", 123, "--all", "-n", 3, status=USAGE)
        self.refuses("'soon' is no date", self.daemon, "why", 123, "--since", "soon", status=USAGE)
        self.refuses("needs USER", self.daemon, "why", status=USAGE)
        self.assertEqual(os.listdir(taken), [])


def another_amount(events, i):
    """A credit of 7 points becomes one of 9."""
    was, becomes = b"\xcd\x1b\x58\xcd\x1b\x58", b"\xcd\x23\x28\xcd\x23\x28"
    assert was in events[i], events[i].hex()
    events[i] = events[i].replace(was, becomes, 1)


class WhyNot(StatementTest):
    def given_a_log_with_a_changed_credit(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        c.call("point.award", user_id=5, amount=10)
        self.bad = c.call("point.award", user_id=5, amount=7)["transaction"]["id"]
        c.call("point.deduct", user_id=5, amount=2)
        daemon.stop()
        data = self.copy(daemon)
        tamper.rewrite(data, self.bad, another_amount, roots=True)
        return data

    def test_a_sum_that_is_not_the_balance_is_told_loudly(self):
        # given a log in which a credit was made larger, with every checksum and root made right
        data = self.given_a_log_with_a_changed_credit()
        # when it is read, then the event is named
        got = self.parsed("/nowhere", "why", 5, "--data", data, status=REFUSED)
        self.assertEqual((got["equal"], got["sum"], got["first_bad_seq"]), (False, 17, self.bad))
        status, out, _ = self.dianactl("/nowhere", "why", "5", "--data", data)
        self.assertEqual(status, REFUSED)
        self.assertIn("NOT EQUAL: event %d says that the balance was 17 after it; the sum up to there is 19." % self.bad,
                      out)
        # and the same of a daemon that stands on it
        daemon = self.start_daemon(data=data, path=os.path.join(self.dir, "sock"))
        got = self.parsed(daemon, "why", 5, status=REFUSED)
        self.assertEqual((got["equal"], got["first_bad_seq"]), (False, self.bad))
        self.assertIn("NOT EQUAL: ", self.dianactl(daemon, "why", "5")[1])

    def test_a_user_who_was_deleted_had_it_all_taken(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        c.call("user.create", id=5)
        c.call("point.award", user_id=5, amount=10)
        c.call("user.delete", id=5)
        gone = self.parsed(daemon, "why", 5)
        self.assertEqual((gone["equal"], gone["sum"], gone["balance"]), (True, 0, None))
        self.assertEqual([i["source"] for i in gone["items"]], ["manual", "user_deleted"])
        self.assertIn("user 5 (deleted)", self.dianactl(daemon, "why", "5")[1])
        # and whoever comes back under the same id begins with nothing
        c.call("point.award", user_id=5, amount=3)
        back = self.parsed(daemon, "why", 5)
        self.assertEqual((back["equal"], back["sum"], back["contributions"]), (True, 3, 3))
        c.call("user.create", id=6)
        self.assertEqual(self.parsed(daemon, "why", 6)["contributions"], 0)
        self.assertIn("No contributions.", self.dianactl(daemon, "why", "6")[1])


class AuctionHistory(StatementTest):
    def given_an_auction(self):
        """Two who outbid each other shortly before the end, one bid that is taken out, and the end."""
        self.clock = self.new_clock("2030-01-06 12:00:00")
        self.daemon = self.start_daemon(clock=self.clock)
        c = self.c = self.connect(self.daemon)
        for user_id in (1, 2, 3):
            c.call("point.award", user_id=user_id, amount=1000)
        self.auction = c.call("auction.create", name="A ticket", prize_description="In the front row", initial_price=100,
                              created_by=1, duration_minutes=60, start=True)["item"]["id"]
        self.other = c.call("auction.create", name="Another", prize_description="Elsewhere", initial_price=1,
                            created_by=1, duration_minutes=60, start=True)["item"]["id"]
        c.call("auction.bid", auction_id=self.auction, user_id=2, amount=100)
        c.call("auction.bid", auction_id=self.other, user_id=2, amount=5)
        self.clock.set("2030-01-06 12:57:00")
        c.call("auction.bid", auction_id=self.auction, user_id=3, amount=150.5)
        self.clock.set("2030-01-06 12:58:00")
        bid = c.call("auction.bid", auction_id=self.auction, user_id=1, amount=200)["bid"]["id"]
        c.call("auction.retract_bid", auction_id=self.auction, bid_id=bid, reason="a slip", actor="admin:1")
        self.middle = c.call("server.health")["durable_seq"]
        c.call("auction.end", auction_id=self.auction)
        # what the winner does elsewhere is not of this auction
        c.call("auction.end", auction_id=self.other)

    def history(self, *arguments):
        return self.parsed(self.daemon, "history", "auction:%d" % self.auction, *arguments)

    @staticmethod
    def told(items):
        """(event, user, leader, leading bid, held, minutes left)"""
        lines = []
        for item in items:
            data, after = item["event"]["data"], item["after"]
            subject = data.get("bid") or data.get("hold") or data
            left = after["time_left_ms"]
            lines.append((item["event"]["type"], subject.get("user_id") or data.get("winner_id"), after["leader_id"],
                          after["leading_bid"], after["held"], left if left is None else round(left / 60000)))
        return lines

    def test_each_bid_and_hold_with_what_is_so_after_it(self):
        self.given_an_auction()
        got = self.history("--all")
        self.assertEqual(self.told(got["items"]), [
            ("auction.created", None, None, 0, 0, None),
            ("auction.started", None, None, 0, 0, 60),
            ("auction.joined", 2, None, 0, 0, 60),
            ("auction.bid_placed", 2, 2, 100, 0, 60),
            ("point.held", 2, 2, 100, 100, 60),
            ("auction.joined", 3, 2, 100, 100, 3),
            ("auction.bid_placed", 3, 3, 150.5, 100, 3),
            ("auction.extended", None, 3, 150.5, 100, 5),
            ("point.released", 2, 3, 150.5, 0, 5),
            ("point.held", 3, 3, 150.5, 150.5, 5),
            ("auction.joined", 1, 3, 150.5, 150.5, 4),
            ("auction.bid_placed", 1, 1, 200, 150.5, 4),
            ("auction.extended", None, 1, 200, 150.5, 5),
            ("point.released", 3, 1, 200, 0, 5),
            ("point.held", 1, 1, 200, 200, 5),
            ("auction.bid_retracted", 1, 3, 150.5, 200, 5),
            ("point.released", 1, 3, 150.5, 0, 5),
            ("point.held", 3, 3, 150.5, 150.5, 5),
            ("auction.ended", 3, 3, 150.5, 150.5, None),
            ("point.captured", 3, 3, 150.5, 0, None),
        ])
        # the log alone says the same, and what was so earlier
        offline = self.parsed("/nowhere", "history", "auction:%d" % self.auction, "--all", "--data", self.daemon.data)
        self.assertEqual(offline, got)
        then = self.history("--all", "--to-seq", self.middle)
        self.assertEqual(then["items"], got["items"][:-2])
        self.assertEqual(self.history("--all", "--at", "2030-01-06T12:57:59Z")["items"], got["items"][:10])
        last = then["items"][-1]["after"]
        self.assertEqual((last["status"], last["holds"], last["held"]), ("active", 1, 150.5))

    def test_a_screen_for_people(self):
        self.given_an_auction()
        name = "auction:%d" % self.auction
        status, out, err = self.dianactl(self.daemon, "history", name, "--utc")
        self.assertEqual((status, err), (DONE, ""))
        self.assertEqual(out.splitlines()[0], "History of auction %d A ticket, times in UTC" % self.auction)
        self.assertRegex(out, r"(?m) released +1 +200\.000 +3 +150\.500 +0\.000 +00:0[45]:\d\d +admin:1 +retracted$")
        self.assertRegex(out, r"(?m) extended +- +- +3 +150\.500 +100\.000 +00:0[45]:\d\d +- +a late bid, 5 minutes$")
        self.assertRegex(out, r"\nended, 3 bids, extended 2 times, won by 3 with 150\.500; held: 0\.000\n$")
        back = self.dianactl(self.daemon, "history", name, "--utc", "-r", "-n", "2")[1].splitlines()
        self.assertIn(" captured ", back[3])
        self.assertIn(" ended ", back[4])
        self.assertIn("There are older events", back[-1])
        self.assertEqual(len(self.history("-n", 4)["items"]), 4)

    def test_wrong_uses(self):
        self.given_an_auction()
        data = self.daemon.data
        self.refuses("not_found: no auction 99 in this log\n", self.daemon, "history", "auction:99")
        self.refuses("not_found: no auction 99 in this log\n", "/nowhere", "history", "auction:99", "--data", data)
        self.refuses("no auction %d in this log up to there" % self.auction, self.daemon, "history",
                     "auction:%d" % self.auction, "--to-seq", 3)
        self.refuses("No such file", "/nowhere", "history", "auction:1", "--data", self.dir, status=NO_LEDGER)
        for says, *arguments in (("'x' is no id of an auction", "auction:x"), ("no id of an auction", "auction:"),
                                 ("neither a user nor auction:ID", "raffle:1"),
                                 ("takes no --from", "auction:1", "--source", "quiz"),
                                 ("'soon' is no time", "auction:1", "--at", "soon"),
                                 ("one of --to-seq and --at", "auction:1", "--at", "2030-01-06", "--to-seq", 1),
                                 ("go with auction:ID", "2", "--to-seq", 5), ("go with auction:ID", "2", "--data", data)):
            self.refuses(says, self.daemon, "history", *arguments, status=USAGE)

    def test_what_a_user_has_held_stands_beside_the_balance(self):
        self.given_an_auction()
        status, out, err = self.dianactl(self.daemon, "history", "3")
        self.assertEqual((status, err), (DONE, ""))
        lines = [re.split(r"  +", line.strip())[1:] for line in out.splitlines() if re.match(r"\d{4}-", line)]
        held, freed = "150.500 set aside for a bid in auction %d" % self.auction, "150.500 free again: outbid"
        self.assertEqual(lines, [
            ["manual", "+1000.000", "1000.000", "0.000"],
            ["held", "150.500", held],
            ["released", "0.000", freed],
            ["held", "150.500", held],
            ["auction", "-150.500", "849.500", "0.000", "auction %d" % self.auction],
        ])
        # with fewer lines, what was held before them still counts
        status, out, _ = self.dianactl(self.daemon, "history", "1", "--source", "manual")
        self.assertNotIn("set aside", out)
        got = self.parsed(self.daemon, "history", 3)
        self.assertEqual([e["type"] for e in got["holds"]], ["point.held", "point.released", "point.held", "point.captured"])
        self.assertEqual([t["source"] for t in got["items"]], ["manual", "auction"])
        for n in range(1, 6):
            out = self.dianactl(self.daemon, "history", "3", "-n", str(n))[1]
            shown = [re.split(r"  +", line.strip())[1:] for line in out.splitlines() if re.match(r"\d{4}-", line)]
            self.assertEqual(shown, lines[-n:])
            self.assertEqual("older entries" in out, n < 5)


class WorldHistory(WorldStatementTest):
    def test_every_auction_ends_as_the_views_say(self):
        # given all auctions of a world
        auctions = self.world.c.pages("auction.list", limit=100)
        self.assertGreater(len(auctions), 5)
        statuses = set()
        for auction in auctions:
            with self.subTest(auction=auction["id"]):
                got = self.parsed(self.daemon, "history", "auction:%d" % auction["id"], "--all")
                last = got["items"][-1]["after"]
                holds = self.world.c.pages("point.list", kind="hold", auction_id=auction["id"])
                # then what their events lead to is what is shown of them
                self.assertEqual(last["status"], auction["status"])
                self.assertEqual((last["held"], last["holds"]), (sum(h["amount"] for h in holds), len(holds)))
                if auction["status"] in ("active", "ended"):
                    self.assertEqual(last["leading_bid"], auction["current_bid"])
                    self.assertEqual(last["end_at"], auction["end_at"])
                statuses.add(auction["status"])
        self.assertGreaterEqual(statuses, {"active", "ended"})


class Terminals(WorldStatementTest):
    def test_progress_is_drawn_on_terminals_only(self):
        command = [DIANACTL, "why", "123", "--data", self.data, "--proof", os.path.join(self.dir, "proofs")]
        master, slave = os.openpty()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave, timeout=TIMEOUT,
                              check=False)
        os.close(slave)
        drawn = os.read(master, 1 << 16).decode()
        os.close(master)
        self.assertEqual(done.returncode, DONE)
        self.assertRegex(drawn, r"\[#{20}\] (\d+) of \1, \d+ receipts/s, 00:00:00 left")
        self.assertTrue(drawn.endswith("\r\x1b[K"), drawn)


if __name__ == "__main__":
    import unittest

    unittest.main()
