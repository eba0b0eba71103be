#!/usr/bin/env python3
"""Runs `swift test`, and says at the end of a failed run what failed.

Usage: run_tests.py swift test [OPTION...]; run_tests.py --self-test

The output is passed on as it comes. After a success not a word is added: the closing line is the result. After a
failure the issues are told again, because whoever reads the end of a long log sees nothing else, and the tests that
had begun and not ended, which are the suspects when the process died. The exit status is that of `swift test`.

What happened is read from Swift Testing's stream of events, one JSON object a line: `swift test` has been seen to lose
lines of the text, that of an issue among them.
"""

import collections
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

# What a silent run is doing is told this often, in seconds.
PATIENCE = 60
# Of one issue's text, and of them all.
LINES, ISSUES = 40, 50

SIGNAL = re.compile(rb"exited with unexpected signal code (\d+)")
ERROR = re.compile(r"Fatal error: |\berror: ")


class Events:
    """What the events so far have said."""

    def __init__(self):
        self.rest = b""
        self.names = {}
        self.running = collections.Counter()
        self.issues = []
        self.closing = None

    def feed(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            try:
                record = json.loads(line)
                self.take(record["kind"], record["payload"])
            except (ValueError, KeyError, TypeError):
                # A line that the process could not finish, or of a version to come.
                continue

    def take(self, record, payload):
        kind, test = payload["kind"], payload.get("testID")
        if record == "test":
            if kind == "function":
                self.names[payload["id"]] = payload.get("displayName", payload["name"])
            return
        if kind == "testStarted" and test in self.names:
            self.running[test] += 1
        elif kind == "testEnded" and test in self.names:
            self.running[test] -= 1
        elif kind == "issueRecorded" and not payload["issue"].get("isKnown"):
            self.issues.append(self.issue(payload, test))
        elif kind == "runEnded":
            self.closing = " ".join(message["text"] for message in payload["messages"])

    def issue(self, payload, test):
        place = payload["issue"].get("sourceLocation") or {}
        where = f"{place.get('fileID', 'somewhere')}:{place.get('line', 0)}"
        text = "\n".join(message["text"] for message in payload["messages"]).split("\n")
        if len(text) > LINES:
            text[LINES:] = [f"... and {len(text) - LINES} more lines"]
        return [f'✘ "{self.names.get(test, test)}" at {where}'] + ["    " + line for line in text]

    def unfinished(self):
        return sorted(self.names[test] for test, count in self.running.items() if count > 0)


def summary(events, status, died_of, errors):
    lines = ["", f"==> The tests failed, with exit status {status}:"]
    for issue in events.issues[:ISSUES]:
        lines += issue
    if len(events.issues) > ISSUES:
        lines.append(f"... and {len(events.issues) - ISSUES} more issues")
    if died_of or not events.closing:
        lines += errors
        reason = f"died of signal {died_of} ({signal_name(died_of)})" if died_of else "ended without a closing line"
        unfinished = events.unfinished()
        lines.append(f"✘ The tests' process {reason}, and these had begun and not ended:")
        lines += ["    " + name for name in unfinished]
    else:
        lines.append("✘ " + events.closing)
    return "\n".join(lines) + "\n"


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def write(data):
    while data:
        data = data[os.write(1, data):]


class Tail:
    """The last of the output, for what events do not tell."""

    def __init__(self):
        self.kept = b""
        self.signal = None

    def feed(self, data):
        self.kept = (self.kept + data)[-65536:]
        if found := SIGNAL.search(self.kept):
            self.signal = int(found[1])

    def errors(self):
        lines = self.kept.decode("utf-8", "replace").split("\n")
        return [line for line in lines if ERROR.search(line)][-10:]


def run(command, stream):
    events, tail = Events(), Tail()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # The terminal's ^C reaches the command itself; its end is still told.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    source = child.stdout.fileno()
    began = time.monotonic()
    while True:
        if not select.select([source], [], [], PATIENCE)[0]:
            events.feed(stream.read())
            names = events.unfinished()
            listed = "; ".join(names[:5]) + ("; ..." if len(names) > 5 else "")
            write(f"    ... {time.monotonic() - began:.0f} s, {len(names)} tests run: {listed}\n".encode())
            continue
        data = os.read(source, 65536)
        if not data:
            break
        write(data)
        tail.feed(data)
    status = child.wait()
    events.feed(stream.read())
    died_of = tail.signal
    if status < 0:
        died_of = died_of or -status
        status = 128 - status
    if status:
        write(summary(events, status, died_of, tail.errors()).encode())
    return status


def self_test():
    def line(kind, test=None, **more):
        return json.dumps({"kind": "event", "payload": {"kind": kind, "testID": test, "messages": [], **more}}) + "\n"

    events = Events()
    for name in ("works", "breaks", "hangs"):
        record = {"kind": "function", "id": f"T/{name}", "name": f"{name}()", "displayName": f"it {name}"}
        events.feed((json.dumps({"kind": "test", "payload": record}) + "\n").encode())
        events.feed(line("testStarted", f"T/{name}").encode())
    place = {"sourceLocation": {"fileID": "T/A.swift", "line": 7}, "isKnown": False}
    text = line("issueRecorded", "T/breaks", issue=place, messages=[{"text": "Expectation failed: a\nb == c"}])
    text += line("testEnded", "T/works") + line("testEnded", "T/breaks") + '{"kind":"ev'
    events.feed(text.encode())
    tail = Tail()
    tail.feed(b"A.swift:5: Fatal error: boom\nerror: Process 'x' exited with unexpected signal code 11\n")
    told = summary(events, 1, tail.signal, tail.errors())
    for wanted in ('✘ "it breaks" at T/A.swift:7\n    Expectation failed: a\n    b == c\n', "Fatal error: boom",
                   "died of signal 11 (SIGSEGV), and these had begun and not ended:\n    it hangs\n"):
        assert wanted in told, f"{wanted!r} is not in:\n{told}"
    events.rest = b""
    events.feed(line("runEnded", messages=[{"text": "Test run with 3 tests failed with 1 issue."}]).encode())
    assert summary(events, 1, None, []).endswith("    b == c\n✘ Test run with 3 tests failed with 1 issue.\n")
    print("    run_tests.py tells what failed")


def main(arguments):
    if arguments == ["--self-test"]:
        self_test()
        return 0
    with tempfile.NamedTemporaryFile(prefix="selvage-tests-") as stream:
        return run([*arguments, "--event-stream-output-path", stream.name], stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
