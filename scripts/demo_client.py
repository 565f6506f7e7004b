"""MessagePack-RPC over a Unix socket, twice: one call at a time, and many in flight at once."""

import selectors
import socket

import msgpack

REQUEST, ANSWER = 0, 1
TIMEOUT_S = 60


class RpcError(Exception):
    """The daemon refused: code, message and details as it sent them."""

    def __init__(self, error):
        super().__init__("%s: %s" % (error["code"], error["message"]))
        self.code = error["code"]
        self.details = error["details"]


class Closed(Exception):
    """The daemon closed the connection."""


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(TIMEOUT_S)
    s.connect(path)
    return s


def unpacker():
    return msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=1 << 27)


class Client:
    """Asks, waits, and returns the result."""

    def __init__(self, path):
        self.socket = connect(path)
        self.unpacker = unpacker()
        self.last_id = 0

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        """Sends what need not be MessagePack at all. True: the daemon closed the connection."""
        try:
            self.socket.sendall(data)
            return self.socket.recv(1 << 16) == b""
        except OSError:
            return True

    def call(self, method, params=None):
        self.last_id += 1
        try:
            self.socket.sendall(msgpack.packb([REQUEST, self.last_id, method, [params or {}]]))
        except BrokenPipeError:
            pass  # it may have said why before it closed
        while True:
            for message in self.unpacker:
                if message[0] == ANSWER and message[1] == self.last_id:
                    if message[2] is not None:
                        raise RpcError(message[2])
                    return message[3]
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionError:
                data = b""
            if not data:
                raise Closed("the daemon closed the connection")
            self.unpacker.feed(data)


class Command:
    """One command of the day, with what the books say its answer must be: a map of some of its fields, or a code."""

    __slots__ = ("method", "params", "expects", "sent", "answered", "error", "result")

    def __init__(self, method, params, expects):
        self.method, self.params, self.expects = method, params, expects
        self.sent = self.answered = False
        self.error = self.result = None

    def forget(self):
        self.sent = self.answered = False
        self.error = self.result = None

    @property
    def key(self):
        return self.params["idempotency_key"]

    def accepted(self):
        return self.answered and self.error is None

    def as_expected(self):
        if isinstance(self.expects, str):
            return self.error is not None and self.error["code"] == self.expects
        return self.error is None and all(pick(self.result, path) == v for path, v in self.expects.items())

    def describe(self):
        got = "no answer" if not self.answered else self.error or {p: pick(self.result, p) for p in self.expects}
        return "%s %s\n  expected %s\n  got      %s" % (self.method, self.params, self.expects, got)


def pick(value, path):
    """pick({"items": [{"id": 7}]}, "items.0.id") is 7; what is not there is None."""
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


class Bot:
    """One connection that keeps up to `window` commands in flight; answers are matched by msgid."""

    def __init__(self, path, commands, window):
        self.commands, self.window = commands, window
        self.socket = connect(path)
        self.socket.setblocking(False)
        self.unpacker = unpacker()
        self.out = bytearray()
        self.in_flight = {}
        self.next = 0
        self.closed = False

    def done(self):
        return self.closed or (self.next == len(self.commands) and not self.in_flight)

    def waits_for(self):
        more = self.out or (self.next < len(self.commands) and len(self.in_flight) < self.window)
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if more else 0)

    def fill(self):
        while self.next < len(self.commands) and len(self.in_flight) < self.window:
            c = self.commands[self.next]
            self.out += msgpack.packb([REQUEST, self.next, c.method, [c.params]])
            self.in_flight[self.next] = c
            c.sent = True
            self.next += 1

    def hang_up(self):
        """Whatever the daemon answers to what is in flight gets lost."""
        self.socket.close()
        self.closed = True

    def write(self):
        self.fill()
        try:
            del self.out[: self.socket.send(self.out)]
        except BlockingIOError:
            pass
        except OSError:  # what the daemon still answered is read all the same
            self.out.clear()
            self.next = len(self.commands)

    def read(self):
        """Returns how many answers came."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return 0
        self.unpacker.feed(data)
        n = 0
        for _, msgid, error, result in self.unpacker:
            c = self.in_flight.pop(msgid)
            c.answered, c.error, c.result = True, error, result
            n += 1
        return n


def play(path, lists, window=200, watch=None):
    """
    Sends each list over a connection of its own, all at once. watch(bots, n) is told how many answers have come.
    Ends when everything is answered, or every connection closed.
    """
    bots = [Bot(path, commands, window) for commands in lists]
    answers = 0
    with selectors.DefaultSelector() as selector:
        for bot in bots:
            selector.register(bot.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, bot)
        while selector.get_map():
            ready = selector.select(TIMEOUT_S)
            if not ready:
                raise Closed("no answer in %d seconds" % TIMEOUT_S)
            for item, events in ready:
                if events & selectors.EVENT_WRITE:
                    item.data.write()
                if events & selectors.EVENT_READ:
                    answers += item.data.read()
            for item in list(selector.get_map().values()):
                if item.data.done():
                    selector.unregister(item.fileobj)
                    item.data.socket.close()
                else:
                    selector.modify(item.fileobj, item.data.waits_for(), item.data)
            if watch is not None:
                watch(bots, answers)
            for item in list(selector.get_map().values()):
                if item.data.closed:
                    selector.unregister(item.fileobj)
