"""Every operation of the repositories that this daemon replaces, called on a real daemon with a meaningful state.

tests/conformance/methods.tsv has a row for each: interface, operation, kind, method, params, note. What a row's result
must hold stands in tests/conformance/cases_*.py, under "interface.operation". A row without a case fails, and so does a
case without a row.

The ids in the table are those of tests/conformance/world.py, which plays the state that every row finds. A row that
changes it, or that needs more to be done first, gets a daemon of its own on a copy.
"""

import json
import os
import sys
import unittest

from lib import TOP

sys.path.insert(0, os.path.join(TOP, "tests", "conformance"))

import cases  # noqa: E402
from world import ROWS, WorldTest  # noqa: E402


def name_of(row):
    return "%s.%s" % (row["interface"], row["seed_method"])


class Conformance(WorldTest):
    def run_row(self, row, case):
        params = self.world.fill_in(json.loads(row["rpc_params"] or "{}"))
        alone = row["kind"] != "query" or case.given
        daemon = self.on_a_copy() if alone else self.world.daemon
        with daemon.client() as c:
            for method, given in case.given:
                c.call(method, self.world.fill_in(given))
            params = case.params(params, self.world) if case.params else params
            result = c.call(row["rpc_method"], params)
            case.check(result, c, self.world)
        if alone:
            daemon.stop()

    def test_every_row_has_a_case_and_every_case_a_row(self):
        named = {name_of(row) for row in ROWS if row["rpc_method"] != "-"}
        self.assertEqual(len(ROWS), 420)
        self.assertEqual(sorted(named - set(cases.CASES)), [])
        self.assertEqual(sorted(set(cases.CASES) - named), [])

    def test_the_world_is_what_its_log_says(self):
        result = self.world.call("projection.rebuild", all=True, verify=True)
        self.assertTrue(result["equal"], result)

    def test_operations_without_a_method_say_why(self):
        for row in ROWS:
            if row["rpc_method"] == "-":
                self.assertTrue(row["note"], name_of(row))


def add_test(row):
    def test(self):
        self.run_row(row, cases.CASES[name_of(row)])

    letters = "".join(ch if ch.isalnum() else "_" for ch in name_of(row))
    setattr(Conformance, "test_%s" % letters, test)


for each in ROWS:
    if name_of(each) in cases.CASES:
        add_test(each)


if __name__ == "__main__":
    unittest.main()
