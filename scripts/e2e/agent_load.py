#!/usr/bin/env python3
"""Agents under load: latency, crowds, visitors who break off, even shares, agents that come and go meanwhile.

Usage: agent_load.py PLACE [PART…], where PLACE is a JSON object (see agent_place.py). SELVAGE_E2E_LONG multiplies what
takes long by ten.
"""

import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

from agent_place import Load, client_context, drive, expect, wait

SCALE = 10 if os.environ.get("SELVAGE_E2E_LONG") else 1


def planted(place, name, count=1, **modules):
    """A domain whose edge goes to the tunnels labelled with its name, and agents that serve it."""
    domain = f"{name}.e2e.localhost"
    place.edge(domain, place.group(app=name), **modules)
    return domain, [serving(place, name, number) for number in range(count)]


def serving(place, name, number):
    agent = place.agent(f"{name}{number}")
    agent.upstream()
    agent.label("app", name)
    return agent


def sequential(place, domain, count, secure=False):
    """Seconds of each of so many small requests on one connection."""
    visitor = socket.create_connection(("127.0.0.1", place.https if secure else place.cleartext), timeout=30)
    if secure:
        visitor = client_context(place).wrap_socket(visitor, server_hostname=domain)
    else:
        visitor.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = f"GET / HTTP/1.1\r\nhost: {domain}\r\n\r\n".encode()
    times, names = [], {}
    with visitor:
        for _ in range(count):
            began = time.perf_counter()
            visitor.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += visitor.recv(65536)
            times.append(time.perf_counter() - began)
            expect(answer[9:12], b"200", "status")
            name = answer.lower().split(b"x-upstream: ")[1].split(b"\r\n")[0].decode()
            names[name] = names.get(name, 0) + 1
    return sorted(times), names


def h2load(place, domain, requests, connections, *options):
    """Requests a second; every one of them must succeed."""
    run = subprocess.run(
        ["h2load", "--h1", "-n", str(requests), "-c", str(connections), *options,
         f"--connect-to=127.0.0.1:{place.cleartext}", f"http://{domain}/"], capture_output=True, text=True, timeout=300)
    found = re.search(r"(\d+) succeeded, (\d+) failed", run.stdout)
    codes = re.search(r"(\d+) 2xx", run.stdout)
    if not found or not codes:
        raise AssertionError(run.stdout + run.stderr)
    expect((int(found[1]), int(codes[1])), (requests, requests), run.stdout)
    return f"{re.search(r'([0-9.]+) req/s', run.stdout)[1]} requests a second"


def latency(place):
    """p50 of small requests on a kept connection under 1 ms: a delayed acknowledgement costs 44."""
    domain, _ = planted(place, "latency")
    figures = {}
    for secure in (False, True):
        for _ in range(3):
            times, _ = sequential(place, domain, 1000, secure)
            p50 = times[len(times) // 2] * 1000
            figures["TLS" if secure else "clear text"] = f"p50 {p50:.3f} ms, p99 {times[990] * 1000:.3f} ms"
            if p50 < 1:
                break
        expect(p50 < 1, True, figures)
    fresh = sorted(timed(place, domain) for _ in range(200))
    figures["a connection each"] = f"p50 {fresh[100] * 1000:.3f} ms"
    expect(fresh[100] < 0.02, True, figures)
    return figures


def timed(place, domain):
    began = time.perf_counter()
    expect(place.get(domain).status, 200, "status")
    return time.perf_counter() - began


def crowd(place):
    """600 visitors at once on one agent, which may have 480 streams: everybody gets an answer."""
    domain, (agent,) = planted(place, "crowd")
    began = time.monotonic()
    load = Load(place, domain, 600, 600, path="/late/0.5").start()
    most = 0
    while load.thread.is_alive():
        most = max(most, *(status["streams"] for status in place.statuses().values()))
        time.sleep(0.05)
    load.finish()
    expect((load.good, load.failures[:3]), (600, []), "answers")
    expect(agent.count()["connections"] <= 600, True, "connections")
    return f"{time.monotonic() - began:.2f} s, at most {most} streams, {place.rss()} MiB"


def downloads(place, domain, count):
    """Visitors who leave in the middle of an answer without an end, one after the other."""
    for _ in range(count):
        visitor = socket.create_connection(("127.0.0.1", place.cleartext), timeout=60)
        visitor.sendall(f"GET /endless HTTP/1.1\r\nhost: {domain}\r\n\r\n".encode())
        received = 0
        while received < 100_000:
            received += len(visitor.recv(65536))
        leave(visitor)


def uploads(place, domain, count, agent):
    """Visitors who leave in the middle of their body, all at once, when the upstream has what they sent."""
    before = agent.count()["received"]
    visitors = []
    for _ in range(count):
        visitor = socket.create_connection(("127.0.0.1", place.cleartext), timeout=60)
        visitor.sendall(f"POST /up HTTP/1.1\r\nhost: {domain}\r\ncontent-length: 10000000\r\n\r\n".encode())
        visitor.sendall(b"u" * 100_000)
        visitors.append(visitor)
    wait("the uploads", lambda: agent.count()["received"] >= before + count * 100_000)
    for visitor in visitors:
        leave(visitor)


def leave(visitor):
    """With a reset every other time."""
    if visitor.fileno() % 2:
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    visitor.close()


def aborts(place):
    """1,000 visitors leave in the middle, half of them while they upload: no place of the agent stays taken."""
    domain, (agent,) = planted(place, "aborts")
    session = list(place.statuses())
    failures = []

    def several():
        try:
            downloads(place, domain, 50)
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=several) for _ in range(10)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        uploads(place, domain, 50, agent)
    for thread in threads:
        thread.join()
    expect(failures, [], "visitors")
    expect(place.get(domain).body, b"aborts0", "it still serves")
    status = wait("its streams to end", lambda: [s for s in place.statuses().values() if s["streams"] <= 1], 30)[0]
    expect((list(place.statuses()), status["reconnects"]), (session, 0), "the session")
    wait("the upstream's connections to end", lambda: agent.count()["open"] <= 1)
    # All places are there: none of those who left keeps one.
    load = Load(place, domain, 450, 450, path="/late/0.3").start().finish()
    expect((load.good, load.failures[:3]), (450, []), "visitors afterwards")
    return f"{status['opened']} streams opened, {agent.count()['received']} bytes uploaded, {place.rss()} MiB"


def parallel(place):
    """100 connections at once, none of whose requests fails."""
    domain, _ = planted(place, "parallel")
    return f"{20_000 * SCALE} requests: " + h2load(place, domain, 20_000 * SCALE, 100)


def shares(place):
    """C09 C21 C23 C31: a third each of 30,000 requests; also on one connection."""
    domain, agents = planted(place, "shares", 3)
    rate = h2load(place, domain, 30_000, 60)
    counts = [agent.count()["requests"] for agent in agents]
    expect(all(abs(count - 10_000) <= 30 for count in counts), True, counts)
    _, names = sequential(place, domain, 1000)
    expect(sorted(names), ["shares0", "shares1", "shares2"], "on one connection")
    return f"{counts}, {rate}; on one connection {names}"


def come_and_go(place):
    """C23: a fourth agent begins, and one is killed, under load: no request fails."""
    domain, agents = planted(place, "moving", 3)
    load = Load(place, domain, 40).start()
    wait("the load", lambda: load.good > 1000)
    agents.append(serving(place, "moving", 3))
    began = time.monotonic()
    wait("the fourth", lambda: load.names.get("moving3", 0) > 200)
    joined = time.monotonic() - began
    killed = []
    for agent in agents[:2]:
        at = load.good
        agent.kill()
        wait("more answers", lambda: load.good > at + 1000)
        killed.append(load.good - at)
    listener = agents[3].label("app", "moving")
    wait("a fifth tunnel", lambda: len(place.tunnels()) == 3)
    agents[3].ask("close_listener", id=listener)
    wait("two tunnels", lambda: len(place.tunnels()) == 2)
    load.stop()
    expect(load.failures[:5], [], f"failures of {load.sent}")
    return f"{load.good} requests, p50 {load.p50:.1f} ms, {load.names}; 200 at the fourth after {joined:.2f} s"


def kill_under_posts(place):
    """What cannot be sent again safely fails with its agent, and nothing else does."""
    domain, agents = planted(place, "posts", 3)
    connections = 24
    load = Load(place, domain, connections, path="/up", body=b"x" * 5000).start()
    wait("the load", lambda: load.good > 1000)
    agents[0].kill()
    at = load.good
    wait("more answers", lambda: load.good > at + 1000)
    load.stop()
    expect(len(load.failures) <= connections, True, load.failures)
    expect(all("502" in failure for failure in load.failures), True, load.failures)
    return f"{load.good} answered, {len(load.failures)} failed of those under way: {load.failures[:1]}"


def stays(place):
    """C32 C33: one connection of a TLS or TCP edge stays at one tunnel, and several are spread."""
    group = {"backend_id": place.group(app="stays")}
    agents = [serving(place, "stays", number) for number in range(3)]
    place.create("/reserved_domains", {"domain": "stays.e2e.localhost"})
    place.create("/edges/tls", {"hostports": ["stays.e2e.localhost:443"], "backend": group})
    address = place.send("POST", "/reserved_addrs", {})["addr"]
    place.create("/edges/tcp", {"hostports": [address], "backend": group})

    def names(visitor):
        found = set()
        with visitor:
            for _ in range(100):
                visitor.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                answer = b""
                while b"\r\n\r\n" not in answer:
                    answer += visitor.recv(65536)
                found.add(answer.lower().split(b"x-upstream: ")[1].split(b"\r\n")[0])
        return found

    figures = []
    for secure in (True, False):
        seen = {}
        for _ in range(9):
            port = place.https if secure else int(address.rsplit(":", 1)[1])
            visitor = socket.create_connection(("127.0.0.1", port), timeout=30)
            if secure:
                visitor = ssl.create_default_context(cadata=place.authority()).wrap_socket(
                    visitor, server_hostname="stays.e2e.localhost")
            (name,) = names(visitor)
            seen[name.decode()] = seen.get(name.decode(), 0) + 1
        expect(len(seen), len(agents), seen)
        figures.append(seen)
    return figures


if __name__ == "__main__":
    drive(latency, crowd, aborts, parallel, shares, come_and_go, kill_under_posts, stays)
