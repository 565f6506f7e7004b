"""dianactl against a real daemon: what it prints, for people and for programs, and how it ends."""

import fcntl
import json
import os
import re
import signal
import select
import struct
import subprocess
import tempfile
import termios
import threading

from lib import DIANACTL, TIMEOUT, LedgerTest, SharedDaemonTest, deadline, time_left

DONE, REFUSED, NO_DAEMON, USAGE = 0, 1, 2, 3


class Running:
    """A dianactl that goes on by itself: its lines as they come."""

    def __init__(self, test, daemon, *arguments):
        self.process = subprocess.Popen([DIANACTL, "--socket", daemon.path] + list(arguments), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        self.timer = threading.Timer(TIMEOUT, self.process.kill)
        self.timer.start()
        test.addCleanup(self.cleanup)

    def line(self):
        return self.process.stdout.readline()

    def end(self):
        """Waits for it; (exit status, rest of stdout, stderr)."""
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out, err

    def cleanup(self):
        self.timer.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Terminal:
    """A program on a terminal, as a person sees it. Knows the sequences that dianactl uses and refuses others."""

    TOKEN = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|\x1b|(.)", re.DOTALL)

    def __init__(self, test, command, rows=24, columns=80):
        self.master, slave = os.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.private = {1049: False, 25: True, 7: True}  # second screen, cursor, line wrap
        self.behind = None  # the first screen, while the second one is shown
        self.pending = ""
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        env=dict(os.environ, TERM="xterm"),
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        test.addCleanup(self.cleanup)

    def resize(self, rows, columns):
        """As when a person drags the window: the lines that there are stay."""
        self.rows, self.columns = rows, columns
        self.lines = (getattr(self, "lines", []) + [""] * rows)[:rows]
        self.row = self.column = 0
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def put(self, text):
        """At the cursor; the last column takes what does not fit, which is how a terminal cuts."""
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + text + line[self.column + 1 :]
        self.column = min(self.column + 1, self.columns - 1) if not self.private[7] else self.column + 1

    def newline(self):
        self.row += 1
        if self.row == self.rows:
            assert not self.private[1049], "the frame has more lines than the terminal"
            self.lines = self.lines[1:] + [""]
            self.row -= 1

    def switch(self, number, on):
        assert self.private[number] != on, "?%d is set twice" % number
        self.private[number] = on
        if number == 1049 and on:
            self.behind, self.lines = self.lines, [""] * self.rows
        elif number == 1049:
            self.lines, self.behind = self.behind, None

    def control(self, private, numbers, letter):
        if private:
            self.switch(int(numbers), letter == "h")
        elif letter == "H" and not numbers:
            self.row = self.column = 0
        elif letter == "K" and not numbers:
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif letter == "J" and not numbers:
            self.lines[self.row :] = [self.lines[self.row][: self.column]] + [""] * (self.rows - self.row - 1)
        else:
            assert letter == "m", (numbers, letter)

    def feed(self, text):
        self.pending += text
        while True:
            token = self.TOKEN.match(self.pending)
            if token is None or token.group() == "\x1b":
                return  # the rest of the sequence is on its way
            self.pending = self.pending[token.end() :]
            private, numbers, letter, sign = token.groups()
            if letter is not None:
                self.control(private, numbers, letter)
            elif sign == "\r":
                self.column = 0
            elif sign == "\n":
                self.newline()
            else:
                self.put(sign)

    def read(self, until):
        """False: the program has closed the terminal, or the time is over."""
        readable, _, _ = select.select([self.master], [], [], time_left(until))
        try:
            data = os.read(self.master, 1 << 16) if readable else b""
        except OSError:  # EIO: nobody has it open any more
            data = b""
        self.feed(data.decode())
        return bool(data)

    def wait(self, condition):
        until = deadline()
        while not condition():
            if not self.read(until):
                raise AssertionError("it never came; the terminal shows:\n" + self.text())

    def shows(self, pattern):
        self.wait(lambda: re.search(pattern, self.text()))

    def text(self):
        return "\n".join(self.lines)

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        """Waits for the end; the exit status."""
        until = deadline()
        while self.read(until):
            pass
        return self.process.wait(TIMEOUT)

    def restored(self):
        return self.private == {1049: False, 25: True, 7: True} and termios.tcgetattr(self.master) == self.before

    def cleanup(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


class CtlTest(SharedDaemonTest):
    def ctl(self, *arguments, stdin=None):
        return self.dianactl(self.daemon, *arguments, stdin=stdin)

    def done(self, *arguments, stdin=None):
        status, out, err = self.ctl(*arguments, stdin=stdin)
        self.assertEqual((status, err), (DONE, ""))
        return out

    def parsed(self, *arguments, stdin=None):
        return json.loads(self.done(*arguments, stdin=stdin))

    def refuses(self, line, *arguments):
        """Exit status 1, nothing on stdout, and `code: message` first on stderr."""
        status, out, err = self.ctl(*arguments)
        self.assertEqual((status, out), (REFUSED, ""), err)
        self.assertRegex(err.splitlines()[0], line)
        return err.splitlines()[1:]

    def misused(self, says, *arguments):
        """Exit status 3, and a sentence that names what is wrong."""
        head = self.c.call("server.health")["head_seq"]
        status, out, err = self.ctl(*arguments)
        self.assertEqual((status, out), (USAGE, ""), err)
        self.assertIn(says, err)
        self.assertTrue(err.startswith("dianactl: "), err)
        self.assertEqual(self.c.call("server.health")["head_seq"], head)


class Call(CtlTest):
    def test_a_result_is_json(self):
        for params in (["user_id=1", "amount=2.5", "source=quiz"], ['{"user_id": 1, "amount": 2.5, "source": "quiz"}']):
            out = self.done("call", "point.award", *params)
            self.assertEqual(json.loads(out)["transaction"]["source"], "quiz")
            self.assertIn("\n  ", out)
        got = self.parsed("call", "point.award", "-", stdin='{"user_id": 1, "amount": 2.5}')
        self.assertEqual(got["balance"], 7.5)
        self.assertEqual(self.done("call", "-c", "point.get", "id=1").count("\n"), 1)

    def test_words_are_json_or_text(self):
        self.done("call", "user.create", "id=2", 'username="123"', "first_name=Ana María", "is_admin=true")
        item = self.parsed("call", "user.get", 'username="123"')
        self.assertEqual((item["id"], item["first_name"], item["is_admin"]), (2, "Ana María", True))
        self.assertIsNone(self.parsed("call", "user.update", "id=2", "first_name=null")["item"]["first_name"])

    def test_an_error_is_its_code_message_and_details(self):
        self.done("call", "point.award", "user_id=3", "amount=1")
        details = self.refuses(r"^insufficient_points: \w", "call", "point.deduct", "user_id=3", "amount=5")
        self.assertEqual(json.loads(details[0]), {"required": 5, "available": 1})
        self.assertEqual(self.refuses(r"^unknown_method: \w", "call", "point.nothing"), [])
        details = self.refuses(r"^invalid_argument: amount", "call", "point.award", "user_id=3", "amount=0.0005")
        self.assertEqual(json.loads(details[0])["field"], "amount")
        self.refuses(r"^not_found: \w", "call", "point.get", "id=999")

    def test_params_that_are_none(self):
        self.misused("METHOD", "call")
        self.misused("'extra' is neither key=value nor a JSON object", "call", "server.health", "extra")
        self.misused("not JSON", "call", "server.health", "{bad")
        self.misused("must be a JSON object", "call", "server.health", "[1]")
        self.misused("'id' is given twice", "call", "point.get", "id=1", "id=2")
        self.misused("--nope", "call", "server.health", "--nope")


class Looking(CtlTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls.daemon.client() as c:
            c.call("user.create", id=1, username="ana", first_name="Ana")
            c.call("user.create", id=2, username="bo")
            for n in range(30):
                c.call("point.award", user_id=1, amount=n + 1, source="quiz" if n % 2 else "manual", description="n%d" % n)
            c.call("point.transfer", from_user_id=1, to_user_id=2, amount=65.5, description="for lunch")

    def test_history_is_a_statement(self):
        out = self.done("history", "@ana")
        self.assertIn("Ana", out.splitlines()[0])
        last = [line for line in out.splitlines() if "transfer_out" in line][0]
        for word in ("-65.500", "399.500", "for lunch", "user 2"):
            self.assertIn(word, last)
        self.assertEqual(self.done("history", "1"), out)
        # the latest entry last, unless told otherwise
        wanted = [line for line in out.splitlines() if re.match(r"\d{4}-\d\d-\d\d", line)]
        self.assertEqual(len(wanted), 31)
        back = [line for line in self.done("history", "1", "-r").splitlines() if re.match(r"\d{4}-\d\d-\d\d", line)]
        self.assertEqual(back, wanted[::-1])

    def test_history_for_programs(self):
        items = self.parsed("history", "1", "--json", "--all")["items"]
        self.assertEqual(len(items), 31)
        got = self.parsed("history", "1", "--json", "-n", "3")
        self.assertEqual((len(got["items"]), got["more"]), (3, True))
        got = self.parsed("history", "1", "--json", "--source", "quiz")
        self.assertEqual({t["source"] for t in got["items"]}, {"quiz"})
        self.assertEqual(self.parsed("history", "1", "--json", "--to", "2020-01-01")["items"], [])
        self.assertEqual(len(self.parsed("history", "1", "--json", "--from", "2020-01-01", "--all")["items"]), 31)

    def test_history_of_nobody(self):
        self.refuses(r"^not_found: \w", "history", "@nobody")
        self.refuses(r"^not_found: \w", "history", "77")
        self.misused("USER", "history")
        self.misused("'43'", "history", "42", "43")
        self.misused("--limit", "history", "42", "--limit", "x")
        self.misused("'yesterday' is no date", "history", "42", "--from", "yesterday")

    def test_top(self):
        lines = self.done("top").splitlines()
        self.assertRegex(lines[1], r"1 +ana +1 +399\.500")
        self.assertRegex(lines[2], r"2 +bo +2 +65\.500")
        items = self.parsed("top", "1", "--json")["items"]
        self.assertEqual([(i["rank"], i["user_id"], i["balance"]) for i in items], [(1, 1, 399.5)])
        self.assertEqual([i["user_id"] for i in self.parsed("top", "--json", "--from-rank", "2")["items"]], [2])
        self.assertEqual([i["user_id"] for i in self.parsed("top", "--json", "--min", "100")["items"]], [1])
        self.misused("'x'", "top", "x")
        self.misused("'0'", "top", "0")
        self.misused("--from-rank", "top", "--from-rank", "0")
        self.misused("'-1'", "top", "--min", "-1")
        self.misused("'2'", "top", "1", "2")

    def test_status(self):
        out = self.done("status")
        for word in ("Status", "ok", "Head seq", "PROJECTION", "point", "every balance is the sum of its events"):
            self.assertIn(word, out)
        got = self.parsed("status", "--json")
        self.assertEqual(got["health"]["status"], "ok")
        self.assertEqual({"health", "projections", "stats"}, set(got))

    def test_methods(self):
        out = self.done("methods", "point.award")
        for word in ("point.award", "amount", "more than 0", "limit_exceeded", "point.credited", '"manual"'):
            self.assertIn(word, out)
        lines = self.done("methods", "user").splitlines()
        self.assertTrue(all(line.startswith("user.") for line in lines[1:]))
        names = {i["method"] for i in self.parsed("methods", "--json")["items"]}
        self.assertEqual(names, {i["method"] for i in self.c.call("server.methods")["items"]})
        for name in ("nothing", "point.nothing"):
            status, out, err = self.ctl("methods", name)
            self.assertEqual((status, out), (REFUSED, ""))
            self.assertIn("'%s'" % name, err)

    def test_verify(self):
        head = self.c.call("server.health")["head_seq"]
        self.assertEqual(self.done("verify"), "%d events checked: ok\n" % head)
        got = self.parsed("verify", "--json", "--from", "3", "--to", "7")
        self.assertEqual((got["ok"], got["checked"]), (True, 5))
        self.refuses(r"^invalid_argument: from_seq", "verify", "--from", "5", "--to", "3")
        self.misused("--from", "verify", "--from", "0")

    def test_projections(self):
        out = self.done("projection", "list")
        names = {i["name"] for i in self.parsed("projection", "list", "--json")["items"]}
        self.assertLessEqual({"user", "point", "config", "log"}, names)
        for name in names:
            self.assertIn(name, out)
        got = self.parsed("projection", "status", "point", "--json")
        self.assertEqual((got["name"], got["state"], len(got["fingerprint"])), ("point", "live", 32))
        self.assertTrue(self.parsed("projection", "rebuild", "--all", "--verify", "--json")["equal"])
        self.assertIn("equal", self.done("projection", "rebuild", "--all", "--verify"))
        self.assertEqual(self.parsed("projection", "rebuild", "point", "--json")["rebuilt"], ["point"])
        self.refuses(r"^not_found: \w", "projection", "status", "nothing")
        self.misused("list", "projection")
        self.misused("'foo'", "projection", "foo")
        self.misused("NAME", "projection", "status")
        self.misused("--all", "projection", "rebuild")
        self.misused("--all", "projection", "rebuild", "point", "--all")
        self.misused("--verify", "projection", "list", "--verify")
        self.misused("'point'", "projection", "list", "point")


class Tail(CtlTest):
    def events(self, *arguments):
        out = self.done("tail", "--json", "--from", "1", "--until-caught-up", *arguments)
        return [json.loads(line) for line in out.splitlines()]

    def test_every_event_so_far_by_filter(self):
        self.c.call("point.award", user_id=1, amount=1, actor="bot")
        self.c.call("point.transfer", from_user_id=1, to_user_id=2, amount=1)
        every = self.c.pages("log.read", limit=1000)
        self.assertEqual(self.events(), every)

        def check(wanted, *arguments):
            self.assertEqual(self.events(*arguments), [e for e in every if wanted(e)])

        check(lambda e: e["type"] == "point.credited", "--type", "point.credited")
        check(lambda e: e["type"].startswith("user.") or e["type"] == "point.debited", "-t", "user.*", "-t", "point.debited")
        check(lambda e: 2 in e["users"], "--user", "2")
        check(lambda e: e["stream"] == "points:1", "--stream", "points:1")
        self.assertEqual(self.events("-n", "3"), every[:3])
        lines = self.done("tail", "--from", "1", "--until-caught-up").splitlines()
        self.assertEqual(len(lines), len(every))
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +1 +\S+ +\S+ ")

    def test_events_as_they_happen(self):
        head = self.c.call("server.health")["head_seq"]
        tail = Running(self, self.daemon, "tail", "--json", "--from", str(head + 1), "--user", "31", "-n", "3")
        for n in range(2):
            seq = self.c.call("point.award", user_id=31, amount=1 + n)["seq"]
            self.c.call("point.award", user_id=32, amount=1)
        got = [json.loads(tail.line()) for _ in range(3)]
        self.assertEqual([e["type"] for e in got], ["user.created", "point.credited", "point.credited"])
        self.assertEqual(got[-1]["seq"], seq)
        self.assertEqual(tail.end(), (DONE, "", ""))

    def test_wrong_uses(self):
        self.refuses(r"^invalid_argument: types", "tail", "--until-caught-up", "--type", "point.nope")
        self.refuses(r"^invalid_argument: from_seq", "tail", "--from", "1000000")
        self.misused("--from", "tail", "--from", "0")
        self.misused("--user", "tail", "--user", "x")
        self.misused("--limit", "tail", "-n", "0")
        self.misused("'foo'", "tail", "foo")


class User(CtlTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls.daemon.client() as c:
            c.call("user.create", id=5, username="eva", first_name="Eva", last_name="Luz")
            c.call("point.award", user_id=5, amount=700.5, source="quiz", description="a prize")
            c.call("user.checkin", user_id=5)
            c.call("user.grant_vip", user_id=5, days=3)
            c.call("mission.create", id="walk", name="A long walk", target_value=4, reward_points=50)
            c.call("mission.advance", user_id=5, mission_id="walk", by=1)
            c.call("narrative.create", id="start", title="The gate", content="It is shut.", type="story")
            c.call("narrative.create", id="garden", title="The garden", content="It is green.", type="story")
            c.call("narrative.create", kind="lore", id="key", title="A key", content_type="text", content="Rusty.")
            c.call("narrative.complete", user_id=5, fragment_id="start")
            c.call("narrative.unlock_lore", user_id=5, lore_id="key")
            c.call("achievement.unlock", user_id=5, achievement_id="invitador")

    def test_a_user_on_one_screen(self):
        out = self.done("user", "@eva")
        self.assertEqual(out.splitlines()[0], "User 5 Eva Luz @eva")
        for line in (
            r"Role +vip, known since \d{4}-",
            r"Points +715\.500, held 0, available 715\.500, rank 1",
            r" +earned 715\.500, spent 0, transactions 3",
            r"Level +2 Aprendiz  \[########-+\] 43 %, 284\.500 points to level 3",
            r"VIP +until \d{4}-.*, another (3d 00:00:00|2d 23:)",
            r"Activity +messages 0, days active 1, check-in streak 1 \(best 1\)",
            r" +missions completed 1, invites 0, engagement \d",
            r"Story +at start \"The gate\"  \[#{10}-{10}\] 50 %$",
            r" +fragments visited 1, completed 1, clues 1, karma 0$",
            r"Badges +dedicated_player, getting_started$",
            r"Achievements +Invitador, VIP Supporter$",
            r" +walk +A long walk +one_time +25 % +50 +-",
            r" +daily_check-in_diario +Check-in Diario +daily +100 % +5 +\d{4}-",
            r" +messages_primer_mensaje +Primer Mensaje +one_time +0 % +10 +-",
            r" +\d{4}-\S+ \S+ +quiz +\+700\.500 +700\.500 +a prize",
        ):
            self.assertRegex(out, "(?m)^" + line)
        self.assertEqual(self.done("user", "5"), out)

    def test_lists_are_cut_to_the_limit(self):
        out = self.done("user", "5", "-n", "1")
        self.assertRegex(out, r"Latest transactions\n  TIME.*\n  .*\+5\.000.*\n  and more\n")
        self.assertNotIn("quiz", out)

    def test_a_user_for_programs(self):
        got = self.parsed("user", "5", "--json")
        self.assertEqual(got["user"], self.c.call("user.get", id=5, include=["stats", "vip", "counts", "engagement"]))
        self.assertEqual(got["balance"], self.c.call("point.get", id=5))
        self.assertEqual(got["missions_begun"], self.c.call("mission.list", user_id=5, state="pending", limit=5))
        self.assertEqual(got["story"]["fragment"]["title"], "The gate")
        self.assertEqual({b["name"] for b in got["badges"]["items"]}, {"getting_started", "dedicated_player"})
        self.assertEqual({a["id"] for a in got["achievements"]["items"]}, {"invitador", "vip_supporter"})
        self.assertEqual([t["amount"] for t in got["transactions"]["items"]], [5, 10, 700.5])

    def test_somebody_new(self):
        self.c.call("user.create", id=7)
        out = self.done("user", "7")
        for line in ("User 7", r"Points +0, held 0, available 0, rank \d", r"VIP +no", r"Story +not begun",
                     r"Badges +none", "Missions in work: none", "Missions completed: none", "Latest transactions: none"):
            self.assertRegex(out, "(?m)^%s$" % line)

    def test_permanent_vip(self):
        self.c.call("user.create", id=6)
        self.c.call("user.grant_vip", user_id=6, permanent=True)
        self.assertRegex(self.done("user", "6"), r"(?m)^VIP +for good$")

    def test_nobody(self):
        for word in ("@nobody", "77"):
            hint = self.refuses(r"^not_found: \w", "user", word)[-1]
            self.assertIn("user.list query=NAME", hint)
            self.assertIn("dianactl history " + word, hint)
        self.misused("USER", "user")
        self.misused("'6'", "user", "5", "6")
        self.misused("--limit", "user", "5", "-n", "0")


class Auction(CtlTest):
    MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls.daemon.client() as c:
            c.call("user.create", id=1, username="ana", first_name="Ana")
            c.call("user.create", id=2, first_name="Bo")
            for user_id in (1, 2, 3):
                c.call("point.award", user_id=user_id, amount=1000)

    def create(self, **named):
        """With a first price of 100, by Ana; its id."""
        return self.c.call("auction.create", dict(dict(
            name="A ticket", prize_description="In the front row", initial_price=100, created_by=1,
            duration_minutes=60), **named))["item"]["id"]

    def shows(self, auction, *lines):
        out = self.done("auction", str(auction))
        for line in lines:
            self.assertRegex(out, "(?m)^%s$" % line)
        return out

    def test_an_auction_under_way(self):
        auction = self.create(start=True, description="Only one", max_participants=8)
        self.c.call("auction.bid", auction_id=auction, user_id=2, amount=100)
        self.c.call("auction.bid", auction_id=auction, user_id=1, amount=150.5)
        self.c.call("auction.join", auction_id=auction, user_id=3, notifications_enabled=False)
        out = self.shows(
            auction,
            "Auction %d A ticket" % auction,
            r"Status +active, started " + self.MOMENT,
            r"Time left +(01:00:00|00:59:\d\d), ends %s, a bid in the last 5 minutes extends it" % self.MOMENT,
            r"Prize +In the front row",
            r"Description +Only one",
            r"Price +150\.500, initial 100, step 10, next bid at least 160\.500",
            r"Holder +1 Ana @ana with 150\.500",
            r"Bids +2, bidders 2, average 125\.250",
            r"Participants +3 of at most 8",
            r"Created +%s by 1 Ana @ana" % self.MOMENT,
            r" +\d+ +%s +ana +1 +150\.500 +leading" % self.MOMENT,
            r" +\d+ +%s +Bo +2 +100 +outbid" % self.MOMENT,
            r" +ana +1 +%s +1 +150\.500 +yes" % self.MOMENT,
            r" +- +3 +%s +0 +0 +no" % self.MOMENT,
        )
        self.assertLess(out.index("leading"), out.index("outbid"))
        self.assertEqual(self.done("auction", str(auction), "-n", "1").count("\n  and more\n"), 2)
        # where else it is looked at
        out = self.done("user", "2")
        self.assertRegex(out, r"(?m)^ +%d +A ticket +active +%s +150\.500 +100 +no$" % (auction, self.MOMENT))
        self.assertRegex(self.done("user", "@ana"), r"(?m)^ +%d +A ticket .* 150\.500 +yes$" % auction)
        self.assertRegex(self.done("watch", "--once"),
                         r"(?m)^ +%d +A ticket +(01:00:00|00:59:\d\d) +150\.500 +1 +2$" % auction)

    def test_one_to_come(self):
        auction = self.create()
        self.shows(auction, "Status +pending, starts by command, lasts 60 minutes", "Price +initial 100, step 10",
                   "Holder +nobody", "Participants +0", "Bids, the latest first: none", "Participants: none")
        now = self.c.call("log.read", order="desc", limit=1)["items"][0]["at"]
        planned = self.create(start_at=now + 3600000, duration_minutes=None, end_at=now + 7200000)
        self.shows(planned, "Status +pending, starts %s, ends %s" % (self.MOMENT, self.MOMENT))

    def test_what_became_of_it(self):
        auction = self.create(start=True)
        self.c.call("auction.bid", auction_id=auction, user_id=3, amount=200)
        self.c.call("auction.extend", auction_id=auction, minutes=30)
        self.c.call("auction.end", auction_id=auction)
        out = self.shows(auction, "Status +ended %s, started %s, extended once" % (self.MOMENT, self.MOMENT),
                         "Price +200, initial 100, step 10", "Winner +3 with 200",
                         r" +\d+ +%s +- +3 +200 +won" % self.MOMENT)
        self.assertNotIn("Time left", out)
        self.assertRegex(self.done("user", "3"),
                         r"(?m)^ +%d +A ticket +ended +%s +200 +200 +won$" % (auction, self.MOMENT))
        auction = self.create(start=True)
        self.c.call("auction.end", auction_id=auction)
        self.shows(auction, "Winner +nobody")
        auction = self.create()
        self.c.call("auction.cancel", auction_id=auction)
        self.shows(auction, "Status +cancelled " + self.MOMENT)

    def test_an_auction_for_programs(self):
        auction = self.create(start=True)
        self.c.call("auction.bid", auction_id=auction, user_id=2, amount=100)
        got = self.parsed("auction", str(auction), "--json")
        self.assertEqual(set(got), {"auction", "stats", "bids", "participants", "users"})
        self.assertEqual((got["auction"]["id"], got["auction"]["current_bid"]), (auction, 100))
        self.assertEqual(got["stats"]["bidders"], 1)
        self.assertEqual([b["user_id"] for b in got["bids"]["items"]], [2])
        self.assertEqual([p["user_id"] for p in got["participants"]["items"]], [2])
        self.assertEqual({u["id"] for u in got["users"]["items"]}, {1, 2})

    def test_lines_count_auctions(self):
        self.create(start=True)
        active = self.c.call("auction.stats")["by_status"]["active"]
        titles, line = self.done("watch", "-n", "1").splitlines()
        self.assertEqual((titles.split()[-1], int(line.split()[-1])), ("AUCTIONS", active))

    def test_none(self):
        self.assertIn("auction.list status=active", self.refuses(r"^not_found: \w", "auction", "999")[-1])
        self.misused("ID", "auction")
        self.misused("'ticket' is no id", "auction", "ticket")
        self.misused("'2'", "auction", "1", "2")


class Watch(CtlTest):
    def watch(self, *arguments, **size):
        return Terminal(self, [DIANACTL, "--socket", self.daemon.path, "watch"] + list(arguments), **size)

    def award(self, user_id):
        return self.c.call("point.award", user_id=user_id, amount=2.5)["seq"]

    def test_a_screen_redrawn_in_place(self):
        seq = self.award(1)
        t = self.watch()
        t.shows(r"(?m)^\d{4}-\S+ \S+ +%d +point\.credited +points:1 " % seq)
        self.assertEqual((t.private[1049], t.private[25]), (True, False))
        self.assertRegex(t.lines[0], r"^\d{4}-\S+ \S+  ok  up 00:\d\d:\d\d  head %d  connections \d+$" % seq)
        self.assertRegex(t.text(), r"Events +\d+ +\d+\.\d")
        # what happens next appears below, on the same screen
        for user_id in (2, 3, 4):
            seq = self.award(user_id)
            t.shows(r"(?m)^\d{4}-\S+ \S+ +%d +point\.credited +points:%d " % (seq, user_id))
        self.assertEqual(sum(line == "Events" for line in t.lines), 1)
        self.assertRegex(t.lines[-1], r"^\d{4}-")  # down to the last line
        self.assertTrue(all(len(line) <= 80 for line in t.lines))
        t.type(b"q")
        self.assertEqual(t.end(), DONE)
        self.assertTrue(t.restored())
        self.assertEqual(t.text().strip(), "")

    def test_the_terminal_gets_another_size(self):
        seq = self.award(1)
        t = self.watch("--interval", "3600", rows=20, columns=60)
        t.shows("head %d" % seq)
        t.wait(lambda: t.lines[-1])
        self.assertTrue(all(len(line) <= 60 for line in t.lines))
        t.resize(30, 100)
        t.wait(lambda: t.lines[-1] and any(len(line) == 100 for line in t.lines))
        # one that has no room even for the counters
        t.resize(3, 20)
        t.wait(lambda: all(len(line) <= 20 for line in t.lines))
        t.type(b"q")
        self.assertEqual(t.end(), DONE)

    def test_a_key_asks_for_the_next_frame(self):
        t = self.watch("--interval", "3600")
        t.shows("Events")
        seq = self.award(7)
        t.type(b" ")
        t.shows("head %d " % seq)
        t.type(b"q")
        self.assertEqual(t.end(), DONE)

    def test_the_terminal_is_given_back(self):
        for how in (lambda t: t.type(b"\x03"), lambda t: t.process.terminate()):
            t = self.watch("--interval", "3600")
            t.shows("Events")
            how(t)
            self.assertEqual(t.end(), DONE)
            self.assertTrue(t.restored())

    def test_it_can_be_stopped_and_goes_on(self):
        command = [DIANACTL, "--socket", self.daemon.path, "watch", "--interval", "3600"]
        t = Terminal(self, ["bash", "-c", 'set -m; "$@"; echo stopped; read -r; fg >/dev/null', "job"] + command)
        t.shows("Events")
        t.type(b"\x1a")
        t.shows("stopped")
        self.assertTrue(t.restored())
        t.type(b"\n")
        t.shows("Events")
        t.type(b"q")
        self.assertEqual(t.end(), DONE)

    def test_frames_are_counted(self):
        t = self.watch("-n", "1")
        self.assertEqual(t.end(), DONE)
        self.assertTrue(t.restored())

    def test_lines_without_a_terminal(self):
        head = self.award(1)
        points = self.c.call("point.stats")
        watch = Running(self, self.daemon, "watch")
        titles, line = watch.line().split(), watch.line()
        row = dict(zip(titles[1:], line.split()[2:]))  # the time is two words
        self.assertEqual((int(row["HEAD"]), float(row["POINTS"]), int(row["USERS"])),
                         (head, points["total_points"], points["users"]))
        # the titles come once; the lines go on until it is told to stop
        head = self.award(1)
        while int(line.split()[2]) < head:
            line = watch.line()
        watch.process.terminate()
        status, rest, err = watch.end()
        self.assertEqual((status, err), (DONE, ""))
        self.assertNotIn("\x1b", line + rest)

    def test_objects_for_programs(self):
        head = self.award(1)
        lines = self.done("watch", "--json", "-n", "2").splitlines()
        self.assertEqual(len(lines), 2)
        once = self.parsed("watch", "--once", "--json")
        for got in [json.loads(line) for line in lines] + [once]:
            self.assertEqual(got["health"]["head_seq"], head)
            self.assertEqual(got["events"]["items"][0]["seq"], head)
            self.assertEqual(got["points"], self.c.call("point.stats"))
            self.assertIn("point.award", got["calls"]["calls"])
            self.assertGreater(got["commits"]["commits"]["events"], 0)

    def test_one_frame(self):
        seq = self.award(1)
        out = self.done("watch", "--once")
        self.assertNotIn("\x1b", out)
        self.assertRegex(out, r"(?m)^Calls +\d+ +\d+\.\d$")
        self.assertRegex(out, r"(?m)^Points +\d")
        self.assertRegex(out.splitlines()[-1], r" %d +point\.credited" % seq)
        # on a terminal as well, where it stays
        t = self.watch("--once", rows=60)
        self.assertEqual(t.end(), DONE)
        self.assertRegex(t.text(), r"(?m)^Calls +\d")
        self.assertIn(" %d  point.credited" % seq, t.text())

    def test_wrong_uses(self):
        self.misused("'foo'", "watch", "foo")
        self.misused("--interval", "watch", "--interval", "0")
        self.misused("--limit", "watch", "-n", "x")


class Restarts(LedgerTest):
    def test_a_tail_goes_on_over_a_restart(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        head = c.call("server.health")["head_seq"]
        tail = Running(self, daemon, "tail", "--json", "--from", str(head + 1), "-n", "3")
        c.call("point.award", user_id=1, amount=1)
        seen = [json.loads(tail.line())["seq"] for _ in range(2)]
        daemon.kill()
        daemon.start()
        self.connect(daemon).call("point.award", user_id=1, amount=1)
        seen.append(json.loads(tail.line())["seq"])
        self.assertEqual(seen, list(range(head + 1, head + 4)))
        self.assertEqual(tail.end()[0], DONE)

    def test_watching_goes_on_over_a_restart(self):
        daemon = self.start_daemon()
        t = Terminal(self, [DIANACTL, "--socket", daemon.path, "watch"])
        lines = Running(self, daemon, "watch", "-n", "1000")
        t.shows("Events")
        self.assertIn("HEAD", lines.line())
        daemon.kill()
        t.shows("no daemon at " + daemon.path)
        self.assertTrue(lines.process.stderr.readline().endswith("; trying again\n"))
        daemon.start()
        seq = self.connect(daemon).call("point.award", user_id=1, amount=1)["seq"]
        t.shows("  ok  .* head %d " % seq)
        self.assertIn("connected again", lines.process.stderr.readline())
        t.type(b"q")
        self.assertEqual(t.end(), DONE)

    def test_a_daemon_that_is_not_there(self):
        daemon = self.start_daemon()
        daemon.stop()
        for arguments in (["status"], ["call", "server.health"], ["top"], ["history", "1"], ["methods"], ["verify"],
                          ["projection", "list"], ["user", "1"], ["auction", "1"], ["watch"]):
            with self.subTest(arguments[0]):
                status, out, err = self.dianactl(daemon, *arguments)
                self.assertEqual((status, out), (NO_DAEMON, ""))
                self.assertIn("no daemon at " + daemon.path, err)
        # something is there, but nobody listens
        with tempfile.TemporaryDirectory() as directory:
            status, _, err = self.dianactl(directory, "status")
            self.assertEqual(status, NO_DAEMON)
            self.assertIn("nobody listens there", err)

    def test_trouble_is_an_exit_status(self):
        """What a probe asks: the daemon answers, but all is not well."""
        daemon = self.start_daemon()
        daemon.stop()
        daemon.start(["--log-reserve-mb", "1048576"])
        status, out, err = self.dianactl(daemon, "status")
        self.assertEqual(status, REFUSED, err)
        self.assertIn("failing", out)
        status, out, err = self.dianactl(daemon, "watch", "--once")
        self.assertEqual((status, err), (DONE, ""))
        self.assertRegex(out, r"(?m)^\S+ \S+  failing  up .*\ndisk: \w")
        status, out, err = self.dianactl(daemon, "call", "point.award", "user_id=1", "amount=1")
        self.assertEqual((status, out), (REFUSED, ""))
        self.assertRegex(err, r"^storage_full: \w")


class Help(LedgerTest):
    COMMANDS = ("status", "watch", "user", "auction", "history", "top", "tail", "call", "methods", "verify", "projection",
                "audit", "replay", "backup", "restore", "export", "import")

    def test_help_needs_no_daemon(self):
        status, out, err = self.dianactl("/nonexistent", "--help")
        self.assertEqual((status, err), (DONE, ""))
        for command in self.COMMANDS:
            self.assertIn("\n  %s " % command, out)
            status, text, err = self.dianactl("/nonexistent", command, "--help")
            self.assertEqual((status, err), (DONE, ""))
            self.assertTrue(text.startswith("Usage: dianactl %s " % command))
            self.assertTrue(all(len(line) <= 100 for line in text.splitlines()), text)
            self.assertEqual(self.dianactl("/nonexistent", "help", command), (DONE, text, ""))
        self.assertEqual(self.dianactl("/nonexistent", "help"), (DONE, out, ""))

    def test_what_is_no_command(self):
        for arguments, says in (([], "no command given"), (["nonsense"], "unknown command 'nonsense'"),
                                (["help", "nonsense"], "unknown command 'nonsense'"),
                                (["--timeout", "0", "status"], "--timeout"), (["--nope"], "--nope")):
            status, out, err = self.dianactl("/nonexistent", *arguments)
            self.assertEqual((status, out), (USAGE, ""))
            self.assertIn(says, err)
            self.assertIn("--help", err)

    def test_the_socket_comes_from_the_environment(self):
        daemon = self.start_daemon()
        p = subprocess.run([DIANACTL, "call", "-c", "server.health"], env=dict(os.environ, DIANA_SOCKET=daemon.path),
                           capture_output=True, text=True, timeout=TIMEOUT, check=False)
        self.assertEqual(p.returncode, DONE, p.stderr)
        self.assertEqual(json.loads(p.stdout)["status"], "ok")
