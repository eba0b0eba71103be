#!/usr/bin/env python3
"""How agents come back, leave and are told to: by themselves, by operators, by a server that starts again.

Usage: agent_life.py PLACE [PART…], where PLACE is a JSON object (see agent_place.py).
"""

import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

from agent_place import HERE, Place, drive, expect, wait


def gone_after(place, what, action, left=0):
    """Seconds from the action until only so many tunnels are left."""
    began = time.monotonic()
    action()
    wait(what, lambda: len(place.tunnels()) == left)
    return time.monotonic() - began


def ends(place):
    """`session.close()` is seen by missing heartbeats, within interval and tolerance; a killed agent at once."""
    domain = "ends.e2e.localhost"
    place.edge(domain, place.group(app="ends"))
    kept = place.agent("kept")
    kept.label("app", "ends")
    closed, killed = (place.agent(name, heartbeat=[1, 1]) for name in ("closed", "killed"))
    for agent in (closed, killed):
        agent.label("app", "ends")
    wait("three tunnels", lambda: len(place.tunnels()) == 3)
    after_kill = gone_after(place, "the killed agent's tunnel to go", killed.kill, 2)
    after_close = gone_after(place, "the closed session's tunnel to go", lambda: closed.ask("close_session"), 1)
    expect(place.get(domain).body, b"kept", "the other one serves")
    # A quarter of a second is a tick; the rest is for a machine with other work.
    expect(after_close < 2 + 0.25 + 1, True, f"{after_close:.2f} s")
    expect(after_kill < 0.5, True, f"{after_kill:.2f} s")
    return f"close() after {after_close:.2f} s, kill -9 after {after_kill * 1000:.0f} ms"


def comes_back(place):
    """An agent that lost its connection has the same session and tunnels, and closes the right one of them."""
    place.create("/reserved_domains", {"domain": "back.e2e.localhost"})
    for name in ("first", "second"):
        place.edge(f"{name}.e2e.localhost", place.group(back=name))
    agent = place.agent("back")
    first, second = agent.label("back", "first"), agent.label("back", "second")
    # Of tunnels that nothing tells apart, agents that come back take one for the other, and then close both.
    other = agent.listen("labelled", label=["back", "second"], metadata="other")["id"]
    own = agent.listen("http", domain="back.e2e.localhost")["id"]
    ids = sorted([first, second, other, own])
    expect(sorted(t["id"] for t in place.tunnels()), ids, "tunnels")
    (session,) = place.statuses()
    times = []
    for number in range(1, 6):
        began = time.monotonic()
        place.send("POST", f"/selvage/agents/{session}/disconnect", {})
        wait("the agent", lambda: place.statuses().get(session, {"reconnects": 0})["reconnects"] == number)
        wait("its tunnels", lambda: sorted(t["id"] for t in place.tunnels()) == ids)
        wait("traffic", lambda: all(
            place.get(f"{name}.e2e.localhost").body == b"back" for name in ("first", "second", "back")))
        times.append(time.monotonic() - began)
    agent.ask("close_listener", id=second)
    wait("one tunnel less", lambda: len(place.tunnels()) == 3)
    expect(sorted(t["id"] for t in place.tunnels()), sorted([first, other, own]), "what is left")
    agent.ask("close_listener", id=own)
    wait("its endpoint to go", lambda: place.get("back.e2e.localhost").code == "ERR_NGROK_3200")
    agent.ask("close_listener", id=other)
    wait("the second's last", lambda: place.get("second.e2e.localhost").status == 503)
    expect(place.get("first.e2e.localhost").body, b"back", "the first")
    return "back after " + ", ".join(f"{t * 1000:.0f}" for t in times) + " ms"


def requests_to_agents(place):
    """Stop, restart and update reach the handlers of an agent, and do no harm to one without."""
    place.edge("told.e2e.localhost", place.group(app="told"))
    figures = {}
    for handlers in (True, False):
        agent = place.agent("told", handlers=handlers, metadata="of the session")
        agent.label("app", "told")
        (session,) = place.send("GET", "/tunnel_sessions")["tunnel_sessions"]
        expect((session["metadata"], session["os"], session["ip"]), ("of the session", "linux", "127.0.0.1"), session)
        for what in ("stop", "restart", "update"):
            status, answer = place.raw("POST", f"/tunnel_sessions/{session['id']}/{what}", {"id": session["id"]})
            expect(status, 204, answer)
        if handlers:
            figures = wait("three commands", lambda: len(agent.ask("heard")) == 3 and agent.ask("heard"))
            # Each comes on a stream of its own, so that they may overtake one another.
            expect(sorted(word.split()[0] for word in figures), ["restart", "stop", "update"], "commands")
        expect(place.get("told.e2e.localhost").body, b"told", "it still serves")
        agent.end()
        wait("it to go", lambda: not place.tunnels())
    expect(place.raw("POST", f"/tunnel_sessions/{session['id']}/stop", {})[0], 404, "a session that is over")
    return figures


def lists(place):
    """Tunnels, sessions, endpoints and agents as the API and operators see them."""
    credential = place.token()
    group = place.group(app="lists")
    place.create("/reserved_domains", {"domain": "lists.e2e.localhost"})
    agent = place.agent("lists", token=credential["token"])
    labelled = agent.label("app", "lists")
    own = agent.listen("http", domain="lists.e2e.localhost", metadata="mine")["id"]
    found = {tunnel["id"]: tunnel for tunnel in place.tunnels()}
    expect(found[labelled]["labels"], {"app": "lists"}, "labels")
    expect([b["id"] for b in found[labelled]["backends"]], [group], "backends")
    expect((found[own]["public_url"], found[own]["metadata"], found[own]["proto"]),
           ("https://lists.e2e.localhost", "mine", "https"), "the endpoint's tunnel")
    expect(found[own]["forwards_to"].rstrip("/"), agent.to, "forwards_to")
    expect(place.send("GET", f"/tunnels/{own}")["id"], own, "one tunnel")
    (session,) = place.send("GET", "/tunnel_sessions")["tunnel_sessions"]
    expect(session["credential"]["id"], credential["id"], "credential")
    expect(place.send("GET", f"/tunnel_sessions/{session['id']}")["id"], session["id"], "one session")
    (endpoint,) = [e for e in place.send("GET", "/endpoints")["endpoints"] if e["type"] == "ephemeral"]
    expect((endpoint["public_url"], endpoint["tunnel"]["id"]), ("https://lists.e2e.localhost", own), "endpoint")
    expect(place.send("GET", f"/endpoints/{endpoint['id']}")["id"], endpoint["id"], "one endpoint")
    status = place.statuses()[session["id"]]
    expect((status["state"], status["credential_id"], len(status["tunnels"])), ("online", credential["id"], 2), status)
    return {key: status[key] for key in ("version", "client", "stream_limit", "rtt")}


def drains(place):
    """A drained agent finishes what it has; new visitors go elsewhere, and it comes back."""
    domain = "drains.e2e.localhost"
    place.edge(domain, place.group(app="drains"))
    agent = place.agent("drained")
    agent.label("app", "drains")
    (session,) = place.statuses()
    answers = []
    slow = threading.Thread(target=lambda: answers.append(place.get(domain, "/late/0.6")))
    slow.start()
    wait("the request upstream", lambda: agent.count()["requests"] == 1)
    other = place.agent("other")
    other.label("app", "drains")
    place.send("POST", f"/selvage/agents/{session}/drain", {})
    expect([place.get(domain).body for _ in range(10)], [b"other"] * 10, "during the drain")
    slow.join()
    expect((answers[0].status, answers[0].body), (200, b"drained"), "what was under way")
    wait("it to come back", lambda: place.get(domain).body == b"drained")
    expect(place.statuses()[session]["reconnects"], 1, "the same session")


class HeldServer(Place):
    """A server of its own, started by `activate.py`, which holds the agents' socket."""

    def __init__(self, place):
        folder = pathlib.Path(place.folder) / "held"
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            cleartext = free.getsockname()[1]
        (folder / "s.toml").write_text(f"""
data_folder = "{folder}/data"
[admin]
socket = "{folder}/admin.sock"
[timeouts]
drain = "1s"
[agents]
socket = "agents"
host = ["localhost"]
[[listener]]
kind = "http"
cleartext = "serve"
address = "127.0.0.1"
port = {cleartext}
""")
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "activate.py"), "agents", place.server, "--config", str(folder / "s.toml")],
            stdout=subprocess.PIPE, text=True)
        port = int(self.process.stdout.readline().split()[1])
        super().__init__({
            "socket": f"{folder}/admin.sock", "cleartext": cleartext, "agents": port, "folder": str(folder)})
        self.until("READY")

    def until(self, word):
        while word not in (line := self.process.stdout.readline()):
            if not line:
                raise AssertionError("the server has ended")

    def begin_again(self, number):
        self.process.send_signal(number)
        self.until("started")
        began = time.monotonic()
        self.until("READY")
        return began

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()


def server_restarts(place):
    """A server that ends, or is killed, and starts again with the socket held: the same agents are back at once."""
    held = HeldServer(place)
    try:
        held.edge("held.e2e.localhost", held.group(app="held"))
        held.create("/reserved_domains", {"domain": "own.e2e.localhost"})
        agent = held.agent("held")
        ids = sorted([agent.label("app", "held"), agent.listen("http", domain="own.e2e.localhost")["id"]])
        (session,) = held.statuses()
        figures = []
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
            began = held.begin_again(number)
            ready = time.monotonic() - began
            wait("the tunnels", lambda: sorted(t["id"] for t in held.tunnels()) == ids)
            back = time.monotonic() - began
            expect(list(held.statuses()), [session], "session")
            for name in ("held", "own"):
                wait("traffic", lambda name=name: held.get(f"{name}.e2e.localhost").body == b"held", 5)
            figures.append(f"{(back - ready) * 1000:.0f} ms after READY, {back * 1000:.0f} after its start")
            expect(back - ready < 1, True, figures)
    finally:
        for agent in held.agents_started:
            agent.end()
        held.end()
    return figures


if __name__ == "__main__":
    drive(ends, comes_back, requests_to_agents, lists, drains, server_restarts)
