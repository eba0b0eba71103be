#!/usr/bin/env python3
"""Runs a command that prints what Swift Testing prints, and says at the end of a failed run what failed.

Usage: run_tests.py COMMAND...; run_tests.py --self-test

Its output is passed on as it comes. After a success not a word is added: the closing line is the result. After a
failure the issues are told again, because whoever reads the end of a long log sees nothing else, and the tests that
had begun and not ended, which are the suspects when the process died. The exit status is the command's.
"""

import collections
import os
import re
import select
import signal
import subprocess
import sys
import time

# What a silent run is doing is told this often, in seconds.
PATIENCE = 60
LINES_OF_AN_ISSUE = 40
ISSUES = 50

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STARTED = re.compile(r"^\S Test (?!case passing |run )(.+) started\.$")
ENDED = re.compile(r"^\S Test (?!case passing |run )(.+?)(?: with \d+ test cases?)? (?:passed|failed|skipped|was cancelled)\b")
ISSUE = re.compile(r"^\S (?:Test|Suite) .* recorded an issue\b")
EVENT = re.compile(r"^\S (?:Test|Suite) ")
CLOSING = re.compile(r"^\S Test run with .* (?:passed|failed) after ")
SIGNAL = re.compile(r"unexpected signal code (\d+)")
ERROR = re.compile(r"^(?:.*: )?(?:fatal )?error: |Fatal error: ")


class Reading:
    """What the lines so far have said."""

    def __init__(self):
        self.rest = b""
        self.running = collections.Counter()
        self.issues = []
        self.errors = []
        self.closing = None
        self.signal = None
        self.is_in_issue = False

    def feed(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.line(COLOUR.sub("", line.decode("utf-8", "replace")).rstrip("\r"))

    def line(self, line):
        if EVENT.match(line):
            self.is_in_issue = False
        if found := SIGNAL.search(line):
            self.signal = int(found[1])
        if CLOSING.match(line):
            self.closing = line
        elif ISSUE.match(line):
            self.is_in_issue = True
            self.issues.append([line])
        elif found := STARTED.match(line):
            self.running[found[1]] += 1
        elif found := ENDED.match(line):
            self.running[found[1]] -= 1
        elif self.is_in_issue:
            self.issues[-1].append(line)
        elif ERROR.search(line):
            self.errors.append(line)

    def unfinished(self):
        return sorted(name for name, count in self.running.items() if count > 0)

    def summary(self, status):
        lines = ["", f"==> The tests failed (exit status {status}). What failed:"]
        for issue in self.issues[:ISSUES]:
            lines += issue[:LINES_OF_AN_ISSUE]
            if len(issue) > LINES_OF_AN_ISSUE:
                lines.append(f"    ... and {len(issue) - LINES_OF_AN_ISSUE} more lines, above")
        if len(self.issues) > ISSUES:
            lines.append(f"    ... and {len(self.issues) - ISSUES} more issues, above")
        lines += self.errors[-10:]
        if self.signal is not None:
            lines.append(f"The tests' process died of signal {self.signal} ({signal_name(self.signal)}).")
        if self.closing is None:
            lines.append(f"The run has no closing line. Begun and not ended: {len(self.unfinished())} tests")
            lines += [f"    {name}" for name in self.unfinished()]
        else:
            lines.append(self.closing)
        return "\n".join(lines) + "\n"


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def write(data):
    while data:
        data = data[os.write(1, data):]


def run(command):
    reading = Reading()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # The terminal's ^C reaches the command itself; its end is still told.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    source = child.stdout.fileno()
    began = time.monotonic()
    while True:
        if not select.select([source], [], [], PATIENCE)[0]:
            names = reading.unfinished()
            listed = "; ".join(names[:5]) + ("; ..." if len(names) > 5 else "")
            write(f"    ... {time.monotonic() - began:.0f} s, {len(names)} tests run: {listed}\n".encode())
            continue
        data = os.read(source, 65536)
        if not data:
            break
        write(data)
        reading.feed(data)
    status = child.wait()
    reading.feed(b"\n")
    if status < 0:
        reading.signal = reading.signal or -status
        status = 128 - status
    if status:
        write(reading.summary(status).encode())
    return status


def self_test():
    reading = Reading()
    reading.feed("""\
◇ Test run started.
◇ Test "it works" started.
◇ Test "it breaks" started.
◇ Test case passing 1 argument n → 1 to "it breaks" started.
◇ Test plain() started.
✔ Test "it works" passed after 0.1 seconds.
✘ Test "it breaks" recorded an issue with 1 argument n → 1 at A.swift:1:2: Expectation failed: a == b
↳ a screen
  of two lines
◇ Test "later" started.
✘ Test "it breaks" with 2 test cases failed after 0.2 seconds with 1 issue.
error: Process 'x' exited with unexpected signal code 11
""".encode())
    text = reading.summary(1)
    for wanted in ("A.swift:1:2", "  of two lines", "signal 11 (SIGSEGV)", "2 tests\n    \"later\"\n    plain()\n"):
        assert wanted in text, f"{wanted!r} is not in:\n{text}"
    reading.feed("✘ Test run with 4 tests in 1 suite failed after 1.0 seconds with 1 issue.\n".encode())
    assert reading.summary(1).endswith("failed after 1.0 seconds with 1 issue.\n")
    print("    run_tests.py tells what failed")


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    else:
        sys.exit(run(sys.argv[1:]))
