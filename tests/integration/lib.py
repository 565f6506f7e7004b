"""What the integration tests share: a daemon of their own, and a client that is not ours.

The client speaks MessagePack-RPC as its public specification says
(https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md), on top of python3-msgpack and nothing else, so that
what passes here passes with anybody's client library.

Nothing here sleeps: tests wait for answers, notifications, lines of the daemon's stderr, or the end of a process.
"""

import collections
import contextlib
import datetime
import glob
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import msgpack

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIANAD = os.environ.get("DIANAD", os.path.join(TOP, "build", "dianad"))
DIANACTL = os.environ.get("DIANACTL", os.path.join(TOP, "build", "dianactl"))
MODE = os.environ.get("DIANA_MODE", "release")
# Sanitizers cost time, and the machine may be busy with other tests.
SLOWNESS = {"release": 1, "debug": 2, "asan": 5, "tsan": 10}.get(MODE, 1)
TIMEOUT = 30 * SLOWNESS
NOBODY = 65534

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2

ERROR_CODES = frozenset(
    """unknown_method invalid_argument not_found already_exists version_conflict idempotency_conflict
    insufficient_points requirements_not_met forbidden not_active already_completed already_processed
    auction_not_active auction_not_pending bid_too_low already_highest_bidder auction_full cooldown rate_limited
    limit_exceeded in_use version_unsupported maintenance unavailable storage_full internal""".split()
)


def deadline(seconds=TIMEOUT):
    return time.monotonic() + seconds


def time_left(until):
    return max(0.0, until - time.monotonic())


def wait_until(condition, what, seconds=TIMEOUT):
    """For what cannot announce itself; the condition should ask the daemon something, which paces the loop."""
    until = deadline(seconds)
    while not condition():
        if time.monotonic() > until:
            raise AssertionError("waited %d s for %s" % (seconds, what))


def many_files():
    """Lets this process, and daemons it starts, open as many files as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


# ---- client


class RpcError(Exception):
    """An error answer."""

    def __init__(self, error):
        self.code = error["code"]
        self.message = error["message"]
        self.details = error["details"]
        super().__init__("%s: %s %r" % (self.code, self.message, self.details))


class Closed(Exception):
    """The daemon has closed the connection."""


class NoAnswer(AssertionError):
    """What was waited for did not come in time."""


class Client:
    """One connection. Requests may be in flight in any number; answers are matched by msgid."""

    def __init__(self, path, timeout=TIMEOUT):
        self.timeout = timeout
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.sock.setblocking(False)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=128 << 20)
        self.packer = msgpack.Packer(use_bin_type=True)
        self.last_msgid = 0
        self.out = bytearray()
        self.answers = {}  # msgid -> (error, result)
        self.order = []  # msgids as answered
        self.notifications = collections.deque()
        self.eof = False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def fileno(self):
        return self.sock.fileno()

    # -- moving bytes

    def take(self, message):
        if message[0] == RESPONSE:
            _, msgid, error, result = message
            if error is not None:
                # checked here, so that it is checked for every error of every test
                assert set(error) == {"code", "message", "details"}, error
                assert error["code"] in ERROR_CODES, error
                assert isinstance(error["message"], str) and error["message"], error
                assert isinstance(error["details"], dict), error
                assert result is None, message
            assert msgid not in self.answers, "msgid %d answered twice" % msgid
            self.answers[msgid] = (error, result)
            self.order.append(msgid)
        else:
            assert message[0] == NOTIFICATION, message
            _, method, params = message
            self.notifications.append((method, params[0]))

    def receive(self):
        """Takes what has arrived. False: nothing yet."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        if not data:
            self.eof = True
            return False
        self.unpacker.feed(data)
        for message in self.unpacker:
            self.take(message)
        return True

    def send_some(self):
        try:
            n = self.sock.send(self.out)
        except BlockingIOError:
            return
        except ConnectionError:
            # what was answered before may still be read
            self.out.clear()
            return
        del self.out[:n]

    def turn(self, until):
        """Sends and receives whatever goes, waiting for either at most until then. False: that time is over."""
        writers = [self.sock] if self.out else []
        readable, writable, _ = select.select([self.sock], writers, [], time_left(until))
        if writable:
            self.send_some()
        if readable:
            self.receive()
        return bool(readable or writable)

    def run(self, done, what, seconds=None):
        until = deadline(self.timeout if seconds is None else seconds)
        while not done():
            if self.eof:
                raise Closed("closed while waiting for %s" % what)
            if not self.turn(until) and time.monotonic() >= until:
                raise NoAnswer("no %s within %.1f s" % (what, self.timeout if seconds is None else seconds))

    # -- requests

    def frame(self, method, params=None, msgid=None):
        """A request's bytes. params: a map, None for []."""
        if msgid is None:
            self.last_msgid += 1
            msgid = self.last_msgid
        return msgid, self.packer.pack([REQUEST, msgid, method, [] if params is None else [params]])

    def post(self, method, params=None):
        """Queues a request and returns its msgid; wait() or anything else that turns the connection sends it."""
        msgid, data = self.frame(method, params)
        self.out += data
        return msgid

    def flush(self, seconds=None):
        self.run(lambda: not self.out, "room for the request", seconds)

    def raw(self, data):
        """Sends these bytes as they are."""
        self.out += data
        self.flush()

    def outcome(self, msgid, seconds=None):
        """(error, result)"""
        self.run(lambda: msgid in self.answers, "answer", seconds)
        return self.answers.pop(msgid)

    def wait(self, msgid, seconds=None):
        error, result = self.outcome(msgid, seconds)
        if error is not None:
            raise RpcError(error)
        return result

    def call(self, method, params=None, **named):
        return self.wait(self.post(method, named if params is None else params))

    def pipeline(self, calls):
        """[(method, params)] all at once -> [(error, result)] in that order."""
        msgids = [self.post(method, params) for method, params in calls]
        return [self.outcome(m) for m in msgids]

    def notification(self, seconds=None):
        """The next push: (method, params)."""
        self.run(lambda: self.notifications, "notification", seconds)
        return self.notifications.popleft()

    def until_closed(self, seconds=None):
        """Reads until the daemon closes."""
        until = deadline(self.timeout if seconds is None else seconds)
        while not self.eof:
            if not self.turn(until) and time.monotonic() >= until:
                raise AssertionError("the connection stays open")

    def pages(self, method, key="items", **params):
        """All items of a list, page by page."""
        items, after = [], None
        while True:
            page = self.call(method, dict(params, after=after))
            items += page[key]
            after = page["next"]
            if after is None:
                return items


# ---- clock


class Clock:
    """The time of day of the daemons started with it: it runs on, and a test moves it, also while they run.

    libfaketime reads how far it is from the real one out of a file, at every look at the clock. Monotonic time and the
    times of files stay real. The daemon looks at least once a second, so it needs no word of a jump.
    """

    def __init__(self, at):
        self.dir = tempfile.mkdtemp(prefix="diana-clock-", dir="/tmp")
        self.file = os.path.join(self.dir, "offset")
        self.set(at)

    def env(self):
        libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        assert libraries, "libfaketime is missing: scripts/setup installs it"
        env = dict(os.environ, LD_PRELOAD=libraries[0], FAKETIME_TIMESTAMP_FILE=self.file, FAKETIME_NO_CACHE="1",
                   FAKETIME_DONT_FAKE_MONOTONIC="1", NO_FAKE_STAT="1")
        # its runtime wants to be the first library
        env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return env

    def set(self, at):
        """at: "2030-01-06 23:59:30", UTC; the clock is there, or a millisecond past it, when this returns"""
        new = self.file + ".new"
        with open(new, "w", encoding="ascii") as f:
            f.write("%+.3f\n" % (ms_at(at) / 1000 + 0.001 - time.time()))
        os.rename(new, self.file)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def tidy_up(pid):
        """What libfaketime leaves of a process that could not end by itself."""
        for name in ("faketime_shm_%d" % pid, "sem.faketime_sem_%d" % pid):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join("/dev/shm", name))


def ms_at(text):
    at = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return int(at.timestamp()) * 1000


# ---- daemon


class Daemon:
    """A daemon on a directory of its own, or on that of another one."""

    def __init__(self, options=(), data=None, path=None, env=None, preexec=None, clock=None):
        self.dir = None
        if data is None or path is None:
            self.dir = tempfile.mkdtemp(prefix="diana-", dir="/tmp")
            os.chmod(self.dir, 0o711)
        self.data = data or os.path.join(self.dir, "data")
        self.path = path or os.path.join(self.dir, "sock")
        self.options = list(options)
        self.clock = clock
        self.env = clock.env() if clock is not None else env
        self.preexec = preexec
        self.process = None
        self.reader = None
        self.lines = []  # stderr of the present run
        self.all_lines = []  # of all runs
        self.changed = threading.Condition()

    # -- stderr

    def read_stderr(self, pipe):
        for line in pipe:
            text = line.decode("utf-8", "replace").rstrip("\n")
            with self.changed:
                self.lines.append(text)
                self.all_lines.append(text)
                self.changed.notify_all()
        pipe.close()
        with self.changed:
            self.changed.notify_all()

    def said(self, pattern):
        """Lines of this run's stderr that match."""
        with self.changed:
            return [line for line in self.lines if re.search(pattern, line)]

    def wait_said(self, pattern, seconds=TIMEOUT):
        until = deadline(seconds)
        with self.changed:
            while not any(re.search(pattern, line) for line in self.lines):
                ended = self.process.poll() is not None and not self.reader.is_alive()
                if ended or not self.changed.wait(min(time_left(until), 1.0)) and time.monotonic() > until:
                    raise AssertionError(
                        "the daemon never said %r%s; it said:\n%s"
                        % (pattern, ", it ended" if ended else "", "\n".join(self.lines))
                    )

    # -- life

    def launch(self, options=()):
        """Starts the process without waiting for anything."""
        assert self.process is None
        self.lines = []
        command = [DIANAD, "--data", self.data, "--socket", self.path] + self.options + list(options)
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.env, preexec_fn=self.preexec
        )
        self.reader = threading.Thread(target=self.read_stderr, args=(self.process.stderr,), daemon=True)
        self.reader.start()

    def start(self, options=()):
        self.launch(options)
        self.wait_said(r"listening on ")
        with self.client() as c:
            c.call("server.health")
        return self

    def ended(self, seconds=TIMEOUT):
        """Waits for the end of the process and returns its exit status."""
        status = self.process.wait(seconds)
        self.reader.join(seconds)
        if self.clock is not None:
            self.clock.tidy_up(self.process.pid)
        self.process = None
        return status

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """SIGTERM, and everything must be in order afterwards."""
        self.terminate()
        status = self.ended()
        if status != 0:
            raise AssertionError("dianad ended with %d; it said:\n%s" % (status, "\n".join(self.lines)))
        if os.path.exists(self.path):
            raise AssertionError("the socket was left behind")
        self.check_reports()

    def kill(self):
        """kill -9"""
        self.process.kill()
        self.ended()

    def restart(self):
        self.stop()
        return self.start()

    def fails_to_start(self, options=(), seconds=TIMEOUT):
        """Starts what must not start; returns (exit status, stderr)."""
        self.launch(options)
        status = self.ended(seconds)
        self.check_reports()
        return status, "\n".join(self.lines)

    def check_reports(self):
        """What sanitizers have to say."""
        bad = [line for line in self.all_lines if "Sanitizer" in line or "runtime error" in line]
        if bad or any("Assertion" in line for line in self.all_lines):
            raise AssertionError("the daemon reported:\n" + "\n".join(self.all_lines[-200:]))

    def cleanup(self):
        """Nothing is left behind, whatever happened."""
        try:
            if self.process is not None:
                died = self.process.poll()
                self.kill()
                if died is not None:
                    raise AssertionError("the daemon died (%d); it said:\n%s" % (died, "\n".join(self.lines[-100:])))
            self.check_reports()
        finally:
            if self.dir is not None:
                shutil.rmtree(self.dir, ignore_errors=True)

    def client(self, **options):
        return Client(self.path, **options)

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self):
        with open("/proc/%d/statm" % self.process.pid, encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def as_user(uid):
    """Within, connections are made as this user: what the kernel tells the daemon. For root only."""
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


# ---- tests


class LedgerTest(unittest.TestCase):
    """Tests with daemons; what they start ends with them."""

    def new_clock(self, at):
        clock = Clock(at)
        self.addCleanup(clock.remove)
        return clock

    def new_daemon(self, *options, **named):
        d = Daemon(options, **named)
        self.addCleanup(d.cleanup)
        return d

    def start_daemon(self, *options, **named):
        return self.new_daemon(*options, **named).start()

    def connect(self, daemon):
        c = daemon.client()
        self.addCleanup(c.close)
        return c

    @contextlib.contextmanager
    def fails(self, code, field=None, **details):
        """The call within is refused so; what is yielded holds the error afterwards."""
        holder = type("Refused", (), {"error": None})()
        try:
            yield holder
        except RpcError as e:
            holder.error = e
            self.check_error(e, code, field, details)
        else:
            self.fail("no error; %s was expected" % code)

    def check_error(self, e, code, field=None, details=()):
        self.assertEqual(e.code, code, str(e))
        if field is not None:
            self.assertEqual(e.details.get("field"), field, str(e))
        for name in details:
            self.assertEqual(e.details.get(name), details[name], str(e))

    def refused(self, outcome, code, field=None, **details):
        """The same for an (error, result) pair."""
        error, result = outcome
        self.assertIsNotNone(error, "no error but %r; %s was expected" % (result, code))
        self.check_error(RpcError(error), code, field, details)

    def dianactl(self, daemon, *arguments, stdin=None, seconds=TIMEOUT):
        """(exit status, stdout, stderr)"""
        p = subprocess.run(
            [DIANACTL, "--socket", daemon if isinstance(daemon, str) else daemon.path] + list(arguments),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return p.returncode, p.stdout, p.stderr

    def dianactl_json(self, daemon, *arguments):
        status, out, err = self.dianactl(daemon, *arguments)
        self.assertEqual(status, 0, err)
        return json.loads(out)


class SharedDaemonTest(LedgerTest):
    """Tests that share one daemon, each on a connection of its own (self.c)."""

    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon = Daemon(cls.OPTIONS)
        cls.addClassCleanup(cls.daemon.cleanup)
        cls.daemon.start()

    @classmethod
    def tearDownClass(cls):
        if cls.daemon.process is not None and cls.daemon.process.poll() is None:
            cls.daemon.stop()
        super().tearDownClass()

    def setUp(self):
        self.c = self.connect(self.daemon)


class Witness:
    """A second client that keeps working while others misbehave, and must notice nothing."""

    next_user = 900000

    def __init__(self, daemon):
        self.client = daemon.client()
        Witness.next_user += 1
        self.user = Witness.next_user
        self.calls = 0
        self.slowest = 0.0
        self.error = None
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        try:
            while not self.enough.is_set() or self.calls < 3:
                began = time.monotonic()
                self.calls += 1
                got = self.client.call("point.award", user_id=self.user, amount=1, actor="witness")
                assert got["balance"] == self.calls, got
                got = self.client.call("point.get", id=self.user)
                assert got["balance"] == self.calls, got
                self.slowest = max(self.slowest, time.monotonic() - began)
        except Exception as e:  # told by whoever joins
            self.error = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.enough.set()
        self.thread.join(TIMEOUT)
        self.client.close()
        if exc[0] is not None:
            return
        if self.error is not None:
            raise AssertionError("the other client noticed: %r" % self.error)
        assert not self.thread.is_alive(), "the other client got no answer"
        # two calls; an unloaded machine needs milliseconds
        assert self.slowest < 5 * SLOWNESS, "the other client waited %.3f s" % self.slowest
