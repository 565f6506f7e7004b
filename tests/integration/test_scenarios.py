"""Days of a community as its bot drives them, over restarts, crashes and the turns of the clock.

The clock stands where a test puts it (lib.Clock), so an auction of an hour and a mission of a day take no waiting.
"""

import collections
import os
import shutil

from lib import LedgerTest, ms_at

MINUTE = 60 * 1000
DAY = 24 * 60 * MINUTE


class Scenario(LedgerTest):
    def commit_of(self, c, seq):
        """All events of the commit that `seq` belongs to."""
        first = c.call("log.get", seq=seq)["commit"]
        return [e for e in c.call("log.read", from_seq=first, limit=1000)["items"] if e["commit"] == first]

    def next_commit(self, c):
        """Events of the next push of a subscription, whose commits are whole."""
        method, params = c.notification()
        while method == "log.caught_up":
            method, params = c.notification()
        self.assertEqual(method, "log.events")
        return params["items"]

    def head(self, c):
        return c.call("server.health")["head_seq"]

    def assert_sound(self, c):
        """The log is, the books balance, and the views are what the log says."""
        self.assertTrue(c.call("log.verify")["ok"])
        self.assertTrue(c.call("point.verify")["ok"])
        rebuilt = c.call("projection.rebuild", all=True, verify=True)
        self.assertTrue(rebuilt["equal"], rebuilt)


def names(events):
    return [e["type"] for e in events]


# ---- an auction


class Books:
    """What the events say each user has, added up here, with every step tested."""

    def __init__(self):
        self.balance = collections.Counter()
        self.held = collections.Counter()
        self.leading = None  # (amount, user)
        self.captured = []

    def read(self, events):
        for e in events:
            d, kind = e["data"], e["type"]
            if kind == "point.credited":
                self.balance[d["user_id"]] += d["amount"]
            elif kind == "point.debited":
                self.balance[d["user_id"]] -= d["amount"]
            elif kind == "point.held":
                self.held[d["hold"]["user_id"]] += d["hold"]["amount"]
            elif kind == "point.released":
                self.held[d["user_id"]] -= d["amount"]
            elif kind == "point.captured":
                self.held[d["user_id"]] -= d["amount"]
                self.balance[d["user_id"]] -= d["amount"]
                self.captured.append((d["user_id"], d["amount"]))
            elif kind == "auction.bid_placed":
                amount = d["bid"]["amount"]
                assert self.leading is None or amount >= self.leading[0] + 10, (e, self.leading)
                self.leading = (amount, d["bid"]["user_id"])
            for user, held in self.held.items():
                assert 0 <= held <= self.balance[user], (e, user, held, self.balance[user])
        return self


class AuctionOfTenBidders(Scenario):
    BIDDERS = list(range(101, 111))
    HOST, PIGGY_BANK = 100, 500
    START, PRICE = "2030-05-06 12:00:00", 50
    END = "2030-05-06 13:00:00"

    def setUp(self):
        self.clock = self.new_clock(self.START)
        self.daemon = self.start_daemon(clock=self.clock)
        self.bot = self.connect(self.daemon)
        self.bot.call("user.create", id=self.HOST, first_name="Olga")
        for user in self.BIDDERS:
            self.bot.call("point.award", user_id=user, amount=1000)
        created = self.bot.call("auction.create", name="Ticket", prize_description="First row, seat 7",
                                initial_price=self.PRICE, created_by=self.HOST, duration_minutes=60, start=True)
        self.auction = created["item"]["id"]

    def crash(self):
        self.bot.close()
        self.daemon.kill()
        self.daemon.start()
        self.bot = self.connect(self.daemon)

    def bid(self, user, amount):
        return self.bot.call("auction.bid", auction_id=self.auction, user_id=user, amount=amount)

    def give_away(self, user, amount):
        return self.bot.call("point.transfer", from_user_id=user, to_user_id=self.PIGGY_BANK, amount=amount)

    def books(self):
        return Books().read(self.bot.pages("log.read", limit=1000))

    def assert_books(self):
        """Balances and holds are those of the log, and nobody holds points but the leader, who holds the bid."""
        books = self.books()
        for user in self.BIDDERS + [self.PIGGY_BANK]:
            item = self.bot.call("point.get", id=user)
            self.assertEqual((item["balance"], item["held"]), (books.balance[user], books.held[user]), user)
        a = self.bot.call("auction.get", id=self.auction)
        leaders = {a["highest_bidder_id"]: a["current_bid"]} if a["status"] == "active" else {}
        self.assertEqual({u: h for u, h in books.held.items() if h}, leaders)
        return books

    def all_bid_at_once(self, rounds):
        """Ten connections; each asks for its bid without knowing the others', and two also give points away."""
        clients = {user: self.connect(self.daemon) for user in self.BIDDERS}
        accepted, refused, given = 0, collections.Counter(), collections.Counter()
        for n in range(rounds):
            posted = []
            for i, (user, c) in enumerate(clients.items()):
                amount = 150 + 10 * (10 * n + (3 * i) % 10)
                bid = {"auction_id": self.auction, "user_id": user, "amount": amount}
                posted.append((user, c, c.post("auction.bid", bid)))
                if user in self.BIDDERS[:2]:
                    away = {"from_user_id": user, "to_user_id": self.PIGGY_BANK, "amount": 7}
                    posted.append((user, c, c.post("point.transfer", away)))
            for c in clients.values():
                c.flush()
            for user, c, msgid in posted:
                error, result = c.outcome(msgid)
                if error is not None:
                    refused[error["code"]] += 1
                elif "bid" in result:
                    accepted += 1
                else:
                    given[user] += 7
        for c in clients.values():
            c.close()
        return accepted, refused, given

    def test_holds_transfers_extension_and_capture_over_two_crashes(self):
        # given all ten bid one after the other, then all at once, each on a line of its own, while two of them also
        # give points away
        for n, user in enumerate(self.BIDDERS):
            self.bid(user, self.PRICE + 10 * n)
        accepted, refused, given = self.all_bid_at_once(rounds=4)
        self.assertGreaterEqual(accepted, 4)
        self.assertLessEqual(set(refused), {"bid_too_low", "already_highest_bidder"})
        self.assertEqual(accepted + sum(refused.values()), 40)
        self.assertEqual(given, {101: 28, 102: 28})
        item = self.bot.call("auction.get", id=self.auction)
        self.assertEqual((item["bid_count"], item["participant_count"]), (10 + accepted, 10))
        self.assert_books()

        # when the leader gives away what the bid does not hold, then that goes and not a thousandth more
        self.assertEqual(self.bid(101, 600)["available"], 372)
        with self.fails("insufficient_points", required=372.001, available=372):
            self.give_away(101, 372.001)
        self.assertEqual(self.give_away(101, 372)["from_balance"], 600)
        # and when outbid, the points are free again, to be given away, and then the next bid cannot be paid
        self.assertEqual(self.bid(102, 700)["outbid_user_id"], 101)
        self.give_away(101, 500)
        with self.fails("insufficient_points", required=710, available=100):
            self.bid(101, 710)
        with self.fails("already_highest_bidder"):
            self.bid(102, 720)
        self.assert_books()

        # when somebody bids two minutes before the end, then there are five minutes again
        self.clock.set("2030-05-06 12:58:00")
        self.bid(103, 800)
        item = self.bot.call("auction.get", id=self.auction)
        self.assertEqual(item["extensions"], 1)
        self.assertGreaterEqual(item["end_at"], ms_at(self.END) + 3 * MINUTE)
        extended = self.commit_of(self.bot, self.head(self.bot))
        self.assertEqual([e["data"]["automatic"] for e in extended if e["type"] == "auction.extended"], [True])

        # when the daemon dies and comes back, then the hold stands, and the new end counts
        self.crash()
        with self.fails("insufficient_points", required=201, available=200):
            self.give_away(103, 201)
        self.clock.set("2030-05-06 13:01:00")
        last = self.bid(104, 810)
        self.assertEqual((last["outbid_user_id"], last["auction"]["extensions"]), (103, 2))
        end_at = last["auction"]["end_at"]
        self.assertGreaterEqual(end_at, ms_at(self.END) + 6 * MINUTE)
        self.assert_books()

        # when it is down at the end, then the timer ends the auction as soon as it is back, and the winner pays
        head = self.head(self.bot)
        self.bot.close()
        self.daemon.kill()
        self.clock.set("2030-05-06 14:00:00")
        self.daemon.start()
        self.bot = self.connect(self.daemon)
        self.bot.call("log.subscribe", from_seq=head + 1, types=["auction.*", "point.*"])
        end = self.next_commit(self.bot)
        self.assertEqual(names(end), ["auction.ended", "point.captured"])
        self.assertEqual({(e["actor"], e["method"]) for e in end}, {("server", "timer.auction_end")})
        self.assertEqual(end[0]["data"]["due_at"], end_at)
        self.assertGreaterEqual(end[0]["at"], ms_at("2030-05-06 14:00:00"))
        self.assertEqual((end[0]["data"]["winner_id"], end[0]["data"]["amount"]), (104, 810))
        self.assertEqual(end[1]["cause"], end[0]["seq"])

        # then it is over for all, once and for good
        for user in (103, 105):
            with self.fails("auction_not_active", status="ended"):
                self.bid(user, 900)
        books = self.assert_books()
        self.assertEqual(books.captured, [(104, 810)])
        self.assertEqual(sum(books.balance.values()), 1000 * len(self.BIDDERS) - 810)
        bids = self.bot.pages("auction.list", kind="bid", auction_id=self.auction)
        self.assertEqual(len(bids), 10 + accepted + 4)
        self.assertEqual([(b["user_id"], b["amount"]) for b in bids if b["status"] == "won"], [(104, 810)])
        listening = self.bot.pages("auction.list", kind="participant", auction_id=self.auction, notifications_enabled=True)
        self.assertEqual({p["user_id"] for p in listening}, set(self.BIDDERS))
        head = self.head(self.bot)
        self.crash()
        self.assertEqual(self.head(self.bot), head)
        self.assert_sound(self.bot)


# ---- missions


class MissionChain(Scenario):
    """Knock, explore and chapter: what one message sets off."""

    def setUp(self):
        self.daemon = self.start_daemon("--defaults", "no")
        self.c = c = self.connect(self.daemon)
        c.call("config.set", entries={"throttle.message_ms": 0})
        for lore in ("map", "crown"):
            c.call("narrative.create", kind="lore", id=lore, title=lore, content_type="text", content="...")
        c.call("point.create", kind="level", id=1, name="Novice", min_points=0)
        c.call("point.create", kind="level", id=2, name="Keeper", min_points=500, unlocks_lore_id="crown")
        c.call("narrative.create", id="vault", title="The vault", content="...", type="story", required_lore=["crown"])
        c.call("achievement.create", kind="badge", name="Key", grants_vip=True, vip_duration_days=30)
        c.call("mission.create", id="knock", name="Knock twice", action="message", target_value=2, reward_points=100,
               reward_lore=["map"])
        c.call("mission.create", id="explore", name="Explore", requirements={"lore": ["map"]}, reward_points=450,
               reward_badges=[1])
        c.call("mission.create", id="chapter", name="Chapter one", requirements={"missions": ["knock", "explore"]},
               reward_points=10, reward_fragments=["vault"])

    def person(self, c):
        return (
            c.call("user.get", id=7, include=["balance", "counts", "stats", "vip"]),
            c.call("narrative.get", kind="story", id=7),
            c.call("achievement.list", kind="award", user_id=7)["items"],
            c.call("mission.list", user_id=7, state="completed")["items"],
        )

    def test_one_message_brings_lore_badge_vip_and_level_in_one_commit(self):
        # given one message of two
        first = self.c.call("user.record_activity", user_id=7, action="message")
        self.assertEqual(first["missions_completed"], [])
        watcher = self.connect(self.daemon)
        watcher.call("log.subscribe", from_seq=first["seq"] + 1)

        # when the second comes
        done = self.c.call("user.record_activity", user_id=7, action="message", actor="bot", idempotency_key="second")

        # then the answer tells all of it
        self.assertEqual(done["missions_completed"], ["knock", "explore", "chapter"])
        self.assertEqual(sorted((u["kind"], u["id"]) for u in done["unlocked"]),
                         [("badge", 1), ("fragment", "vault"), ("lore", "crown"), ("lore", "map")])
        self.assertEqual((done["points"], done["balance"], done["level"]), (1 + 100 + 450 + 10, 562, 2))

        # and it is one commit: each event has the place and the cause that the rules give it
        events = self.commit_of(self.c, done["seq"])
        self.assertEqual([e["seq"] for e in events], list(range(first["seq"] + 1, done["seq"] + 1)))
        began = events[0]["seq"]
        caused = [(e["type"], self.about(e), None if e["cause"] is None else e["cause"] - began) for e in events]
        self.assertEqual(caused, [
            ("user.activity_recorded", None, None),
            ("point.credited", 1, 0),
            ("mission.progressed", "knock", 0),
            ("mission.completed", "knock", 0),
            ("mission.started", "chapter", 3),
            ("mission.progressed", "chapter", 3),
            ("point.credited", 100, 3),
            ("narrative.story_started", None, 3),
            ("narrative.lore_unlocked", "map", 3),
            ("mission.started", "explore", 8),
            ("mission.progressed", "explore", 8),
            ("mission.completed", "explore", 8),
            ("mission.progressed", "chapter", 11),
            ("mission.completed", "chapter", 11),
            ("point.credited", 450, 11),
            ("achievement.badge_awarded", 1, 11),
            ("point.credited", 10, 13),
            ("narrative.fragment_granted", "vault", 13),
            ("user.level_changed", 2, 14),
            ("narrative.lore_unlocked", "crown", 14),
            ("user.vip_granted", 30, 15),
        ])
        self.assertEqual({(e["at"], e["actor"], e["method"]) for e in events},
                         {(events[0]["at"], "bot", "user.record_activity")})
        self.assertEqual([e["idempotency"]["key"] for e in events if e["idempotency"]], ["second"])
        # and subscribers hear it in one piece
        self.assertEqual(self.next_commit(watcher), events)

        # then the views say the same, before and after a crash, and a repeat brings nothing
        before = self.person(self.c)
        user, story, awards, missions = before
        self.assertEqual((user["role"], user["level"], user["balance"]), ("vip", 2, 562))
        self.assertEqual(user["vip_expires_at"], events[0]["at"] + 30 * DAY)
        self.assertEqual((sorted(story["lore"]), story["granted"]), (["crown", "map"], ["vault"]))
        self.assertEqual([(a["badge_id"], a["source"]) for a in awards], [(1, "mission")])
        self.assertEqual({m["id"] for m in missions}, {"knock", "explore", "chapter"})
        self.daemon.kill()
        self.daemon.start()
        c = self.connect(self.daemon)
        self.assertEqual(self.person(c), before)
        again = c.call("user.record_activity", user_id=7, action="message", actor="bot", idempotency_key="second")
        self.assertEqual(again, dict(done, replayed=True))
        third = c.call("user.record_activity", user_id=7, action="message")
        self.assertEqual((third["points"], third["missions_completed"], third["unlocked"]), (1, [], []))
        self.assert_sound(c)

    @staticmethod
    def about(e):
        """What tells events of one type apart."""
        d = e["data"]
        return {
            "point.credited": lambda: d["amount"],
            "narrative.lore_unlocked": lambda: d["lore_id"],
            "narrative.fragment_granted": lambda: d["fragment_id"],
            "achievement.badge_awarded": lambda: d["award"]["badge_id"],
            "user.level_changed": lambda: d["to"],
            "user.vip_granted": lambda: d["grant"]["days"],
        }.get(e["type"], lambda: d.get("mission_id"))()


class DailyMissions(Scenario):
    """2030-01-06 is a Sunday: its midnight begins a day and a week."""

    MISSION = "daily_check-in_diario"  # of the default content: one check-in, 5 points

    def setUp(self):
        self.clock = self.new_clock("2030-01-06 12:00:00")
        self.daemon = self.start_daemon(clock=self.clock)
        self.c = self.connect(self.daemon)
        self.c.call("mission.create", id="week", name="Two check-ins", type="weekly", action="checkin", target_value=2)
        self.c.call("log.subscribe", types=["mission.period_started"])

    def wait_for_periods(self, *expected):
        """Until the daemon's own clock has started these, in any order; a commit each."""
        started = {}
        while len(started) < len(expected):
            for e in self.next_commit(self.c):
                self.assertNotIn(e["data"]["type"], started)
                started[e["data"]["type"]] = e
        self.assertEqual(set(started), set(expected))
        return started

    def periods(self):
        return len(self.c.pages("log.read", types=["mission.period_started"]))

    def progress(self, mission=MISSION):
        return self.c.call("mission.get", id=mission, user_id=7)["user"]

    def restart(self):
        """Goes on with a subscription from here, as a bot does."""
        head = self.head(self.c)
        self.c.close()
        self.daemon.kill()
        self.daemon.start()
        self.c = self.connect(self.daemon)
        self.c.call("log.subscribe", from_seq=head + 1, types=["mission.period_started"])

    def test_midnight_opens_them_again(self):
        # given a mission of the day that is done
        first = self.c.call("user.checkin", user_id=7)
        self.assertEqual((first["points"], first["missions_completed"]), (15, [self.MISSION]))
        self.assertEqual(self.progress("week")["value"], 1)
        with self.fails("cooldown", retry_at=ms_at("2030-01-07 00:00:00")):
            self.c.call("user.checkin", user_id=7)

        # when it is a minute to midnight, then nothing; when midnight passes, then one event for all users
        self.clock.set("2030-01-06 23:59:00")
        self.assertTrue(self.progress()["completed"])
        self.clock.set("2030-01-07 00:00:00")
        started = self.wait_for_periods("daily", "weekly")
        for e in started.values():
            self.assertEqual((e["stream"], e["actor"], e["method"]), ("server", "server", "timer.mission_period"))
            self.assertEqual(e["data"]["due_at"], ms_at("2030-01-07 00:00:00"))
        self.assertEqual(started["daily"]["data"]["period"], ms_at("2030-01-07 00:00:00") // DAY)

        # then it can be done anew, and what took a week starts over
        fresh = self.progress()
        self.assertEqual((fresh["completed"], fresh["value"], fresh["times_completed"]), (False, 0, 1))
        self.assertEqual(self.progress("week")["value"], 0)
        second = self.c.call("user.checkin", user_id=7)
        self.assertEqual((second["streak"], second["missions_completed"]), (2, [self.MISSION]))
        self.assertEqual(self.progress()["times_completed"], 2)
        self.assertEqual(self.progress("week")["value"], 1)
        self.assert_sound(self.c)

    def test_a_clock_set_back_over_midnight_undoes_nothing_and_pays_nothing_twice(self):
        # given midnight has passed, and the mission of the new day is done
        self.c.call("user.checkin", user_id=7)
        self.clock.set("2030-01-07 00:00:10")
        self.wait_for_periods("daily", "weekly")
        done = self.c.call("user.checkin", user_id=7)
        at = self.c.call("log.get", seq=done["seq"])["at"]
        before = self.progress()
        periods = self.periods()

        # when the clock is set back to the day before
        self.clock.set("2030-01-06 20:00:00")

        # then time in the log stands still: neither day comes again, nor what was earned in it
        with self.fails("cooldown"):
            self.c.call("user.checkin", user_id=7)
        with self.fails("already_completed"):
            self.c.call("mission.advance", user_id=7, mission_id=self.MISSION)
        other = self.c.call("user.checkin", user_id=8)
        self.assertEqual(other["missions_completed"], [self.MISSION])
        self.assertEqual(self.c.call("log.get", seq=other["seq"])["at"], at)
        self.assertEqual(self.progress(), before)

        # and a restart in the past changes nothing about that, nor does the same midnight when it comes again
        self.restart()
        self.assertEqual(self.progress(), before)
        with self.fails("cooldown"):
            self.c.call("user.checkin", user_id=7)
        self.clock.set("2030-01-07 09:00:00")
        with self.fails("cooldown"):
            self.c.call("user.checkin", user_id=7)
        self.assertEqual(self.periods(), periods)

        # then the next midnight is a midnight as any other, in the same week
        self.clock.set("2030-01-08 00:00:01")
        self.wait_for_periods("daily")
        third = self.c.call("user.checkin", user_id=7)
        self.assertEqual((third["streak"], third["missions_completed"]), (3, [self.MISSION, "week"]))
        self.assertEqual(self.progress()["times_completed"], 3)
        self.assertEqual(self.periods(), periods + 1)
        self.assert_sound(self.c)

    def test_midnights_slept_through_are_one(self):
        # given a done mission, when the daemon is down for ten days
        self.c.call("user.checkin", user_id=7)
        periods = self.periods()
        head = self.head(self.c)
        self.c.close()
        self.daemon.stop()
        self.clock.set("2030-01-16 08:00:00")  # a Wednesday
        self.daemon.start()
        self.c = self.connect(self.daemon)
        self.c.call("log.subscribe", from_seq=head + 1, types=["mission.period_started"])

        # then one event for the day that it is, one for the week
        started = self.wait_for_periods("daily", "weekly")
        self.assertEqual(started["daily"]["data"]["period"], ms_at("2030-01-16 00:00:00") // DAY)
        self.assertEqual(self.periods(), periods + 2)
        self.assertFalse(self.progress()["completed"])
        done = self.c.call("user.checkin", user_id=7)
        self.assertEqual((done["streak"], done["missions_completed"]), (1, [self.MISSION]))
        self.assert_sound(self.c)


# ---- a raffle


class Raffle(Scenario):
    USERS = range(1, 65)

    def test_the_log_knows_the_winner_whoever_reads_it(self):
        # given 64 entries, some withdrawn by people who left
        daemon = self.start_daemon()
        c = self.connect(daemon)
        raffle = c.call("game.create", kind="raffle", name="The owl", prize="A plush owl")["item"]["id"]
        for user in self.USERS:
            c.call("user.create", id=user)
            c.call("game.enter_raffle", raffle_id=raffle, user_id=user)
        gone = [2, 33, 64]
        for user in gone:
            c.call("user.delete", id=user)

        # when it is drawn
        drawn = c.call("game.end", kind="raffle", id=raffle)

        # then the event holds the draw, the winner is among those who stayed, and a second draw is refused
        event = c.call("log.get", seq=drawn["seq"])
        self.assertEqual(event["type"], "game.raffle_ended")
        winner, position = event["data"]["winner_id"], event["data"]["winner_position"]
        self.assertEqual((event["data"]["drawn"], event["data"]["entry_count"]), (True, 61))
        entries = c.pages("game.list", kind="entry", raffle_id=raffle)
        self.assertEqual({e["user_id"] for e in entries}, set(self.USERS) - set(gone))
        self.assertIn((winner, position), [(e["user_id"], e["position"]) for e in entries])
        with self.fails("already_processed"):
            c.call("game.end", kind="raffle", id=raffle)
        item = c.call("game.get", kind="raffle", id=raffle)
        self.assertEqual(item["winner_id"], winner)

        def same(c):
            self.assertEqual(c.call("game.get", kind="raffle", id=raffle), item)
            self.assertEqual(c.call("log.get", seq=drawn["seq"]), event)
            self.assertEqual(c.pages("game.list", kind="entry", raffle_id=raffle), entries)
            won = c.call("game.list", kind="raffle", user_id=winner, state="won", is_active="any")["items"]
            self.assertEqual([r["id"] for r in won], [raffle])

        # then so says a view built anew from the log
        self.assert_sound(c)
        c.call("projection.rebuild", all=True)
        same(c)

        # and a daemon that has lost its views
        c.close()
        daemon.kill()
        shutil.rmtree(os.path.join(daemon.data, "views"))
        daemon.start()
        same(self.connect(daemon))
        daemon.stop()

        # and another daemon, on a copy of the log
        other = self.new_daemon()
        shutil.copytree(os.path.join(daemon.data, "log"), os.path.join(other.data, "log"))
        other.start()
        same(self.connect(other))
        other.stop()


# ---- join requests


class JoinRequests(Scenario):
    CHANNEL = -1001

    def test_a_request_that_falls_due_while_the_daemon_is_down_is_approved_when_it_is_back(self):
        # given a wait of ten minutes, a request, another one six minutes later, and one that needs a human
        clock = self.new_clock("2030-03-04 10:00:00")
        daemon = self.start_daemon(clock=clock)
        c = self.connect(daemon)
        c.call("config.set", entries={"bot.free_channel_wait_minutes": 10})
        c.call("channel.create", id=self.CHANNEL, title="The square", type="free")
        c.call("channel.create", id=self.CHANNEL - 1, title="The salon", type="vip")
        first = c.call("channel.create", kind="request", user_id=7, channel_id=self.CHANNEL)["item"]
        by_hand = c.call("channel.create", kind="request", user_id=7, channel_id=self.CHANNEL - 1)["item"]
        self.assertEqual((first["status"], first["automatic"], by_hand["automatic"]), ("pending", True, False))
        self.assertEqual(first["due_at"], first["requested_at"] + 10 * MINUTE)
        clock.set("2030-03-04 10:06:00")
        second = c.call("channel.create", kind="request", user_id=8, channel_id=self.CHANNEL)["item"]
        head = self.head(c)

        # when the daemon dies, and comes back after the first has fallen due
        c.close()
        daemon.kill()
        clock.set("2030-03-04 10:12:00")
        daemon.start()

        # then the bot, going on where it was, learns of that one at once
        c = self.connect(daemon)
        c.call("log.subscribe", from_seq=head + 1, types=["channel.*"])
        approved = self.next_commit(c)
        self.assertEqual([(e["type"], e["actor"], e["method"]) for e in approved],
                         [("channel.request_approved", "server", "timer.request_approval")])
        self.assertEqual(approved[0]["data"], {"id": first["id"], "user_id": 7, "channel_id": self.CHANNEL,
                                               "due_at": first["due_at"]})
        self.assertGreaterEqual(approved[0]["at"], ms_at("2030-03-04 10:12:00"))
        item = c.call("channel.get", kind="request", id=first["id"])
        self.assertEqual((item["status"], item["decided_by"], item["decided_at"]),
                         ("approved", "server", approved[0]["at"]))
        for request in (second, by_hand):
            self.assertEqual(c.call("channel.get", kind="request", id=request["id"])["status"], "pending")
        with self.fails("already_processed", status="approved"):
            c.call("channel.reject_request", request_id=first["id"])

        # and when the second falls due under its eyes, then it is approved too; the third waits for a human
        clock.set("2030-03-04 10:16:01")
        approved = self.next_commit(c)
        self.assertEqual([e["data"]["id"] for e in approved], [second["id"]])
        self.assertEqual(c.call("channel.get", kind="request", id=by_hand["id"])["status"], "pending")
        self.assert_sound(c)
        daemon.stop()
