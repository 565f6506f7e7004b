"""How a case says what a row's result must hold.

A wanted value is compared so:
  a dict       has at least these keys, each as wanted
  a list       has as many elements, each as wanted
  a function   answers true for the value (or asserts by itself)
  else         equality
"""

CASES = {}

LAST = object()  # in params: the id of what was created last


def difference(got, want, where="result"):
    """What is not as wanted, as a text; "" when all is."""
    if callable(want):
        return "" if want(got) else "%s is %r, which %s refuses" % (where, got, getattr(want, "__name__", "the test"))
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return "%s is %r, not a map" % (where, got)
        for key in want:
            if key not in got:
                return "%s has no %r but %r" % (where, key, sorted(got, key=str))
            found = difference(got[key], want[key], "%s.%s" % (where, key))
            if found:
                return found
        return ""
    if isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            return "%s is %r, not %d elements" % (where, got, len(want))
        for i, (g, w) in enumerate(zip(got, want)):
            found = difference(g, w, "%s[%d]" % (where, i))
            if found:
                return found
        return ""
    return (
        ""
        if got == want and isinstance(got, bool) == isinstance(want, bool)
        else "%s is %r, not %r" % (where, got, want)
    )


class Case:
    """want: see above. then: [(method, params, want)] asked afterwards. given: [(method, params)] done before.
    pushed: what the params of the next notification must be. params: a function (params, world) -> params, where the
    table's cannot be sent as they are."""

    def __init__(self, want, given=(), then=(), pushed=None, params=None):
        self.want, self.given, self.then, self.pushed, self.params = want, given, then, pushed, params

    def check(self, result, client, world):
        found = difference(result, self.want)
        assert not found, found
        if self.pushed is not None:
            found = difference(client.notification()[1], self.pushed, "pushed")
            assert not found, found
        for method, params, want in self.then:
            found = difference(client.call(method, world.fill_in(params)), want, method)
            assert not found, found


def case(name, want, **more):
    assert name not in CASES, name
    CASES[name] = Case(want, **more)


def as_another(id):
    """For params: the table's id is taken, and no id is ever given again."""
    return lambda params, world: dict(params, id=id)


# ---- wanted values


def at_least(n):
    def at_least_n(value):
        return value >= n

    return at_least_n


def some(value):
    """Anything but nil, false, 0 and nothing."""
    return bool(value)


def a_map(value):
    return isinstance(value, dict)


def ids(*wanted, key="id"):
    """A list of items with these ids, in this order."""

    def ids_in_order(items):
        return [item[key] for item in items] == list(wanted)

    ids_in_order.__name__ = "%s %r" % (key, wanted)
    return ids_in_order


def has_ids(*wanted, key="id"):
    """A list of items with at least these ids."""

    def has_these(items):
        return set(wanted) <= {item[key] for item in items}

    has_these.__name__ = "at least %s %r" % (key, wanted)
    return has_these


def every(**wanted):
    """A list that is not empty, all of whose items are so."""

    def all_are(items):
        return bool(items) and not any(difference(item, wanted) for item in items)

    all_are.__name__ = "every item %r" % wanted
    return all_are


def page(items, **more):
    return dict(more, items=items, next=None)
