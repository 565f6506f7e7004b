"""The programs that the demo runs: dianad, and dianactl on the side. None outlives the demo."""

import ctypes
import re
import signal
import subprocess
import threading
import time

TIMEOUT_S = 60
PR_SET_PDEATHSIG = 1


class Failure(Exception):
    """The demo cannot go on."""


libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A child whose output is read line by line as it comes; wait_for() waits for a line."""

    def __init__(self, argv):
        self.argv = argv
        self.out, self.err = [], []
        self.changed = threading.Condition()
        self.child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            preexec_fn=die_with_parent,
        )
        self.threads = [
            threading.Thread(target=self.read, args=pipe, daemon=True)
            for pipe in ((self.child.stdout, self.out), (self.child.stderr, self.err))
        ]
        self.ended = 0
        for thread in self.threads:
            thread.start()

    def read(self, pipe, lines):
        for line in pipe:
            with self.changed:
                lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended += 1
            self.changed.notify_all()

    def wait_for(self, what, seen):
        """Until seen(); fails when the process ends before."""
        with self.changed:
            self.changed.wait_for(lambda: seen() or self.ended == 2, TIMEOUT_S)
            if not seen():
                raise Failure("%s: %s\n  %s" % (self.argv[0], what, "\n  ".join(self.err[-10:])))

    def signal(self, number):
        """Sends it and waits for the end. Returns the exit status."""
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            status = self.child.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise Failure("%s does not stop" % self.argv[0])
        for thread in self.threads:
            thread.join(TIMEOUT_S)
        return status

    def destroy(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()


class Daemon(Process):
    """dianad, from start to "listening"."""

    def __init__(self, program, data, socket):
        began = time.monotonic()
        super().__init__([program, "--data", data, "--socket", socket])
        try:
            self.wait_for("did not start", lambda: any("listening on" in line for line in self.err))
        except BaseException:
            self.destroy()
            raise
        self.ready_ms = (time.monotonic() - began) * 1000

    def folded(self):
        """How many events it folded from the log before it was ready."""
        for line in self.err:
            m = re.search(r"folding events (\d+)\.\.(\d+)", line)
            if m:
                return int(m.group(2)) - int(m.group(1)) + 1
        return 0


class Tail(Process):
    """dianactl tail: a line an event, the second column its seq."""

    LINE = re.compile(r"^\S+ \S+ +(\d+)  ")

    def seqs(self):
        return [int(self.LINE.match(line).group(1)) for line in self.out]

    def wait_for_seq(self, seq):
        def seen():
            return bool(self.out) and int(self.LINE.match(self.out[-1]).group(1)) >= seq

        self.wait_for("event %d did not come" % seq, seen)
