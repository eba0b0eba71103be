#!/usr/bin/env python3
"""Agents that break the protocol, never read, come by the thousand or lose their token; another one is unaffected.

Usage: agent_hostile.py PLACE [PART…], where PLACE is a JSON object (see agent_place.py).
"""

import http.client
import resource
import socket
import ssl
import threading
import time

from agent_place import drive, expect, wait
from agent_wire import (
    DATA, FIN, RESET, SYN, Wire, answer_http, authentication, frame, reset,
)


class Bystander:
    """A good agent with visitors of its own, for as long as the block lasts: each of their requests must succeed."""

    count = 0

    def __init__(self, place):
        Bystander.count += 1
        self.place, self.domain = place, f"good{Bystander.count}.e2e.localhost"
        place.edge(self.domain, place.group(good=str(Bystander.count)))
        self.agent = place.agent("good", metadata=self.domain)
        self.agent.label("good", str(Bystander.count))
        wait("its tunnel", lambda: place.get(self.domain).status == 200)
        (self.session,) = (key for key, agent in place.statuses().items() if agent["metadata"] == self.domain)
        self.failures, self.answers, self.slowest, self.stopping = [], 0, 0.0, False
        self.before = place.rss()

    def __enter__(self):
        self.thread = threading.Thread(target=self.visit, daemon=True)
        self.thread.start()
        return self

    def visit(self):
        while not self.stopping:
            began = time.monotonic()
            try:
                answer = self.place.get(self.domain)
                if answer.body != b"good":
                    self.failures.append(repr(answer))
            except OSError as error:
                self.failures.append(repr(error))
            self.answers += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.005)

    def __exit__(self, kind, *_):
        at = self.answers
        wait("the bystander's visitors", lambda: self.answers > at + 3)
        self.stopping = True
        self.thread.join()
        self.after = self.place.rss()
        if kind is None:
            expect(self.failures[:3], [], f"the bystander's {self.answers} visitors")
            expect(self.place.statuses()[self.session]["reconnects"], 0, "the bystander's session")
            # Bounded, and far from what the attack has sent or asked for.
            expect(self.after - self.before < 150, True, str(self))
        self.agent.end()

    def __str__(self):
        return (f"{self.answers} visitors elsewhere, the slowest {self.slowest * 1000:.0f} ms, "
                f"{self.before} -> {self.after} MiB")


def connected(place, token, serve=None, **labels):
    wire = Wire(place).start(serve)
    wire.authenticate(token)
    if labels:
        expect(wire.label(**labels).get("Error"), "", "label")
    return wire


def violations(place):
    """Whatever breaks the protocol ends its session, and no other."""
    token = place.token()["token"]
    place.edge("bad.e2e.localhost", place.group(app="bad"))
    big = b"\0" * 0xFFFFFF
    attacks = {
        "a stream's identifier again": frame(DATA, 3, b"\0\0\0\0", SYN) * 2,
        "an identifier of the server's": frame(DATA, 4, b"\0\0\0\0", SYN),
        "an older identifier": frame(DATA, 901, b"\0\0\0\7", SYN) + frame(DATA, 899, b"\0\0\0\7", SYN),
        "data on stream 0": frame(DATA, 0, b"x"),
        "data on a stream that never was": frame(DATA, 4001, b"x"),
        "an unknown frame": frame(9, 901, b"x"),
        "a reset of the wrong size": frame(RESET, 901, b"12345"),
        "an endless request": frame(DATA, 901, b"\0\0\0\1", SYN) + frame(DATA, 901, b'{"a":"' + b"x" * 262_000) * 20,
        "no JSON": frame(DATA, 901, b"\0\0\0\1", SYN) + frame(DATA, 901, b"hello"),
        "more than the window": frame(DATA, 901, b"\0\0\0\1", SYN) + frame(DATA, 901, b"[" + b" " * 0x50000),
        "16 MiB in a frame": frame(DATA, 901, b"\0\0\0\1", SYN) + frame(DATA, 901, big),
        "streams without end": b"".join(frame(DATA, 901 + 2 * n, b"\0\0\0\7", SYN) for n in range(2000)),
    }
    with Bystander(place) as bystander:
        for what, attack in attacks.items():
            wire = connected(place, token, app="bad")
            try:
                wire.send(attack)
            except OSError:
                pass
            expect(wire.ended(), True, f"{what}: the session ends")
            wire.close()
        for attack in (frame(DATA, 3, b"\0\0\0\7", SYN) + frame(DATA, 3, b"{}"), b"GET / HTTP/1.1\r\n\r\n", big):
            wire = Wire(place).start()
            try:
                wire.send(attack)
            except OSError:
                pass
            expect(wire.ended(), True, "before Auth")
            wire.close()
        wait("their tunnels to go", lambda: len(place.tunnels()) == 1)
    return f"{len(attacks) + 3} kinds; {bystander}"


def lies(place):
    """Answers on streams that are no answers, ends and resets at the wrong time: visitors get an error at once."""
    token = place.token()["token"]
    place.edge("lies.e2e.localhost", place.group(app="lies"))

    def silent_end(wire, stream, payload, flags):
        wire.send(frame(DATA, stream, flags=FIN))

    def resets(wire, stream, payload, flags):
        wire.send(reset(stream, 4))

    def nonsense(wire, stream, payload, flags):
        wire.send(frame(DATA, stream, b"\0\1\2 nonsense\r\n\r\n", FIN))

    def stops(wire, stream, payload, flags):
        wire.send(frame(DATA, stream, b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + b"x" * 100_000, FIN))

    statuses = {}
    with Bystander(place) as bystander:
        for serve in (silent_end, resets, nonsense, stops):
            wire = connected(place, token, serve, app="lies")
            wait("its tunnel", lambda: len(place.tunnels()) == 2)
            try:
                answer = place.get("lies.e2e.localhost")
                statuses[serve.__name__] = f"{answer.status} {answer.code}"
            except http.client.IncompleteRead:
                statuses[serve.__name__] = "cut off"
            wire.close()
            wait("it to go", lambda: len(place.tunnels()) == 1)
        expect([status[:3] for status in statuses.values()], ["502", "502", "502", "cut"], statuses)
    return f"{statuses}; {bystander}"


def half_open(place):
    """3,000 connections that show no token, while a good agent comes and serves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(3000, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    # Sessions of TLS 1.2 can be resumed at once, and then cost little: the attack is what they do afterwards.
    context = ssl.create_default_context(cadata=place.authority())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = None
    with Bystander(place) as bystander:
        wires = []
        began = time.monotonic()
        for _ in range(count):
            raw = socket.create_connection(("127.0.0.1", place.agents), timeout=30)
            wires.append(context.wrap_socket(raw, server_hostname="localhost", session=session))
            session = wires[0].session
        opened = time.monotonic() - began
        place.edge("late.e2e.localhost", place.group(app="late"))
        began = time.monotonic()
        late = place.agent("late")
        late.label("app", "late")
        wait("a good agent among them", lambda: place.get("late.e2e.localhost").body == b"late")
        took = time.monotonic() - began
        late.end()
        wait("it to go", lambda: len(place.tunnels()) == 1)
        for wire in wires:
            wire.close()
    return f"{count} in {opened:.1f} s, a good one meanwhile in {took:.2f} s; {bystander}"


def never_reads(place):
    """An agent that does not read: its visitors wait or fail, and what is kept for it is bounded."""
    token = place.token()["token"]
    domain = "deaf.e2e.localhost"
    place.edge(domain, place.group(app="deaf"))
    wire = Wire(place)
    wire.start()
    wire.authenticate(token)
    wire.label(app="deaf")
    # From here on nothing is read: the thread ends with its next frame.
    with Bystander(place) as bystander:
        blocked = threading.Event()
        wire.take = lambda *_: blocked.wait()
        visitors = []
        for number in range(300):
            visitor = socket.create_connection(("127.0.0.1", place.cleartext), timeout=30)
            visitor.setblocking(False)
            if number % 2:
                head = f"POST /up HTTP/1.1\r\nhost: {domain}\r\ncontent-length: 100000000\r\n\r\n"
            else:
                head = f"GET /endless HTTP/1.1\r\nhost: {domain}\r\n\r\n"
            visitor.send(head.encode())
            visitors.append(visitor)
        sent, idle = 0, 0
        # Each visitor sends until nobody takes any more from it.
        while idle < 20:
            moved = 0
            for visitor in visitors[1::2]:
                try:
                    moved += visitor.send(b"u" * 262_144)
                except OSError:
                    pass
            sent += moved
            idle = 0 if moved else idle + 1
            time.sleep(0.01)
        full = place.rss()
        for visitor in visitors:
            visitor.close()
        blocked.set()
        wire.close()
        wait("it to go", lambda: len(place.tunnels()) == 1)
    return f"{sent >> 20} MiB taken in of 300 visitors, at most {full} MiB; {bystander}"


def slow_visitors(place):
    """Visitors who do not read hold their own streams back, and nobody else's on the same agent."""
    domain = "slow.e2e.localhost"
    place.edge(domain, place.group(app="slow"))
    agent = place.agent("slow")
    agent.label("app", "slow")
    with Bystander(place) as bystander:
        visitors = []
        for _ in range(200):
            visitor = socket.socket()
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            visitor.connect(("127.0.0.1", place.cleartext))
            visitor.sendall(f"GET /endless HTTP/1.1\r\nhost: {domain}\r\n\r\n".encode())
            visitors.append(visitor)
        wait("them to begin", lambda: agent.count()["requests"] == 200)
        for _ in range(20):
            expect(place.get(domain).body, b"slow", "another visitor of the same agent")
        full = place.rss()
        for visitor in visitors:
            visitor.close()
        wait("their streams to end", lambda: agent.count()["open"] <= 2)
    return f"at most {full} MiB; {bystander}"


def storm(place):
    """200 agents at once, five times: each is let in and has its tunnel."""
    token = place.token()["token"]
    domain = "storm.e2e.localhost"
    place.edge(domain, place.group(app="storm"))
    times = []
    with Bystander(place) as bystander:
        for _ in range(5):
            wires, failures = [], []

            def come():
                try:
                    wires.append(connected(place, token, answer_http(), app="storm"))
                except Exception as error:
                    failures.append(repr(error))

            threads = [threading.Thread(target=come) for _ in range(200)]
            began = time.monotonic()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            expect((failures[:3], len(wires)), ([], 200), "agents")
            wait("all tunnels", lambda: len(place.tunnels()) == 201)
            times.append(time.monotonic() - began)
            wait("one of them", lambda: place.get(domain).body == b"raw")
            for wire in wires:
                wire.close()
            wait("all to go", lambda: len(place.tunnels()) == 1)
    return ", ".join(f"{t:.1f}" for t in times) + f" s; {bystander}"


def stolen_token(place):
    """A deleted credential ends its sessions at once, and lets nobody in."""
    stolen = place.token()
    place.edge("stolen.e2e.localhost", place.group(app="stolen"))
    with Bystander(place) as bystander:
        wires = [connected(place, stolen["token"], answer_http(), app="stolen") for _ in range(5)]
        wait("their tunnels", lambda: len(place.tunnels()) == 6)
        began = time.monotonic()
        place.send("DELETE", f"/credentials/{stolen['id']}")
        for wire in wires:
            expect(wire.ended(), True, "its session ends")
        wait("their tunnels to go", lambda: len(place.tunnels()) == 1)
        took = time.monotonic() - began
        answer = Wire(place).start().call(0, authentication(stolen["token"]))
        expect("ERR_NGROK_107" in answer["Error"], True, answer)
    return f"{took * 1000:.0f} ms; {bystander}"


def addresses(place):
    """C70: by IPv6, by TLS 1.2 alone, by name at the visitors' port."""
    token = place.token()["token"]
    place.edge("wire.e2e.localhost", place.group(app="wire"))
    ways = {
        "::1": {"host": "::1", "name": "::1"}, "127.0.0.1": {"name": "127.0.0.1"},
        "TLS 1.2": {"maximum": ssl.TLSVersion.TLSv1_2}, "a name": {"name": "connect.e2e.localhost"},
        "the visitors' port": {"port": place.https, "name": "connect.e2e.localhost"},
        "::1 at the visitors' port": {"host": "::1", "port": place.https, "name": "connect.e2e.localhost"},
    }
    for what, way in ways.items():
        wire = Wire(place, **way).start(answer_http())
        wire.authenticate(token)
        wire.label(app="wire")
        wait("its tunnel", lambda: len(place.tunnels()) == 1)
        expect(place.get("wire.e2e.localhost").body, b"raw", what)
        wire.close()
        wait("it to go", lambda: not place.tunnels())
    return ", ".join(ways)


if __name__ == "__main__":
    drive(violations, lies, half_open, never_reads, slow_visitors, storm, stolen_token, addresses)
