"""The main job, end to end: users, points, ranks, history, and all of it after a restart."""

from lib import LedgerTest


class Smoke(LedgerTest):
    def test_points_survive_a_restart(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)

        ana = c.call("user.create", id=1, username="@Ana", first_name="Ana")
        self.assertEqual(ana["item"]["username"], "Ana")
        self.assertTrue(ana["changed"])
        c.call("user.create", id=2, username="bo")

        first = c.call("point.award", user_id=1, amount=100.5, description="welcome", actor="admin:9")
        self.assertEqual(first["balance"], 100.5)
        self.assertEqual(first["transaction"]["amount"], 100.5)
        c.call("point.deduct", user_id=1, amount=0.125)
        moved = c.call("point.transfer", from_user_id=1, to_user_id=2, amount=40.375)
        self.assertEqual((moved["from_balance"], moved["to_balance"]), (60, 40.375))
        risen = c.call("point.award", user_id=3, amount=1000)
        self.assertTrue(risen["level_up"])
        self.assertEqual(risen["level"], 3)

        def look(c):
            board = c.call("point.leaderboard")["items"]
            self.assertEqual([(i["rank"], i["user_id"], i["balance"]) for i in board],
                             [(1, 3, 1000), (2, 1, 60), (3, 2, 40.375)])
            history = c.call("point.list", kind="transaction", user_id=1)["items"]
            self.assertEqual([t["amount"] for t in history], [-40.375, -0.125, 100.5])
            self.assertEqual([t["balance_after"] for t in history], [60, 100.375, 100.5])
            self.assertEqual(history[0]["counterparty_id"], 2)
            self.assertEqual(c.call("user.get", username="ANA")["id"], 1)
            self.assertEqual(c.call("point.get", id=1, amount=60)["sufficient"], True)
            with self.fails("insufficient_points", required=60.001, available=60):
                c.call("point.deduct", user_id=1, amount=60.001)
            self.assertTrue(c.call("log.verify")["ok"])
            self.assertTrue(c.call("point.verify")["ok"])
            events = c.call("log.read", user_id=1)["items"]
            self.assertEqual([e["type"] for e in events],
                             ["user.created", "point.credited", "achievement.badge_awarded", "point.debited", "point.debited",
                              "point.credited"])
            self.assertEqual(events[1]["actor"], "admin:9")
            return board, history, events

        before = look(c)
        daemon.restart()
        self.assertEqual(look(self.connect(daemon)), before)
        same = self.connect(daemon).call("projection.rebuild", all=True, verify=True)
        self.assertTrue(same["equal"], same)
        daemon.stop()

    def test_a_kill_loses_nothing_that_was_answered(self):
        daemon = self.start_daemon()
        c = self.connect(daemon)
        last = c.call("point.award", user_id=7, amount=3, idempotency_key="k")
        daemon.kill()
        daemon.start()
        c = self.connect(daemon)
        again = c.call("point.award", user_id=7, amount=3, idempotency_key="k")
        self.assertEqual(again, dict(last, replayed=True))
        self.assertEqual(c.call("point.get", id=7)["balance"], 3)
        daemon.stop()
