#!/usr/bin/env python3
"""Every kind of listener of the unmodified SDK, with its options, end to end; refusals; failover; TLS to the server.

Usage: agent_listeners.py PLACE [PART…], where PLACE is a JSON object (see agent_place.py).
"""

import asyncio
import json
import pathlib
import socket
import ssl
import subprocess
import threading

import websockets.asyncio.client
from agent_place import AgentFailure, drive, expect, wait


def certificate(place, name):
    """A certificate of somebody's own for a name: its file and its key's."""
    stem = pathlib.Path(place.folder) / name
    files = f"{stem}.pem", f"{stem}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", files[1], "-out", files[0], "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True)
    return files


def handshake(place, name, trusted):
    """A TLS connection to the edge that trusts only one certificate, and the subject that it was shown."""
    context = ssl.create_default_context(cadata=trusted)
    raw = socket.create_connection(("127.0.0.1", place.https), timeout=30)
    return context.wrap_socket(raw, server_hostname=name)


def exchange(connection, request=b"GET /tls HTTP/1.1\r\nhost: x\r\n\r\n", wanted=b"a"):
    connection.sendall(request)
    text = b""
    while not text.endswith(b"\r\n\r\n" + wanted):
        piece = connection.recv(65536)
        if not piece:
            raise AssertionError(f"ended after {text!r}")
        text += piece
    return text


# MARK: Listeners


def labelled(place):
    """C27 C28: a tunnel group reaches an agent by its labels, over both versions of HTTP."""
    place.edge("labelled.e2e.localhost", place.group(app="dash"))
    agent = place.agent()
    agent.upstream()
    agent.listen("labelled", label=[["app", "dash"], ["more", "1"]], metadata=["m1"])
    versions = []
    for version in ("--http1.1", "--http2"):
        answer = place.curl("labelled.e2e.localhost", "/head", version)
        expect(answer.status, 200, "labelled")
        head = json.loads(answer.body)["head"].lower()
        expect("x-forwarded-for: 127.0.0.1" in head and "host: labelled.e2e.localhost" in head, True, head)
        versions.append(answer.fields[":version"])
        body = pathlib.Path(place.folder) / "body"
        body.write_bytes(b"x" * 1_000_000)
        answer = place.curl("labelled.e2e.localhost", "/up", version, "--data-binary", f"@{body}")
        expect(answer.body, b"1000000", "upload")
        answer = place.curl("labelled.e2e.localhost", "/bytes/5000000", version)
        expect(len(answer.body), 5_000_000, "download")
    return versions


def http_options(place):
    """An endpoint of the agent's own with every option that this server has a module for."""
    place.create("/reserved_domains", {"domain": "own.e2e.localhost"})
    agent = place.agent()
    agent.upstream()
    found = agent.listen(
        "http", domain="own.e2e.localhost", compression=[], request_header=["x-ask", "yes"],
        remove_request_header="x-secret", response_header=["x-edge", "yes"], remove_response_header="x-upstream",
        basic_auth=["user", "password1"], allow_cidr=[["127.0.0.0/8"], ["10.0.0.0/8"]], deny_cidr="10.1.0.0/16",
        metadata="own")
    expect(found["url"], "https://own.e2e.localhost", "url")
    refused = place.curl("own.e2e.localhost", "/")
    expect((refused.status, "www-authenticate" in refused.fields), (401, True), "without a password")
    for version in ("--http1.1", "--http2"):
        answer = place.curl(
            "own.e2e.localhost", "/head", version, "-u", "user:password1", "-H", "x-secret: 1", "--compressed")
        expect((answer.status, answer.fields["x-edge"], "x-upstream" in answer.fields), (200, "yes", False), "headers")
        head = json.loads(answer.body)["head"].lower()
        expect(("x-ask: yes" in head, "x-secret" in head), (True, False), head)
        answer = place.curl(
            "own.e2e.localhost", "/bytes/200000", version, "-u", "user:password1", "-H", "accept-encoding: gzip")
        expect(answer.fields.get("content-encoding"), "gzip", "compression")
    return f"200000 bytes in {len(answer.body)}"


def http_addresses(place):
    """A name below the agents' domain, a denied network, plain HTTP, and an upstream that speaks TLS."""
    place.create("/reserved_domains", {"domain": f"*.{place.domain}"})
    place.create("/reserved_domains", {"domain": "denied.e2e.localhost"})
    place.create("/reserved_domains", {"domain": "plain.e2e.localhost"})
    agent = place.agent()
    agent.upstream()
    url = agent.listen("http")["url"]
    expect(url.endswith("." + place.domain), True, url)
    expect(place.curl(url.removeprefix("https://"), "/").body, b"a", "a name that the server chose")
    agent.listen("http", domain="denied.e2e.localhost", deny_cidr="127.0.0.0/8")
    answer = place.curl("denied.e2e.localhost", "/")
    expect((answer.status, answer.code), (403, "ERR_NGROK_3205".lower()), "denied")
    expect(agent.listen("http", domain="plain.e2e.localhost", scheme="HTTP")["url"], "http://plain.e2e.localhost", "")
    expect(place.get("plain.e2e.localhost").body, b"a", "plain HTTP, where clear text is served")
    expect(place.get("plain.e2e.localhost", port=place.http).body, b"a", "plain HTTP, where it is redirected")
    agent.upstream(tls=certificate(place, "upstream.e2e.localhost"))
    url = agent.listen("http", verify_upstream_tls=False)["url"]
    expect(place.curl(url.removeprefix("https://"), "/").body, b"a", "https upstream")
    place.edge("secret.e2e.localhost", place.group(app="secret"))
    agent.listen("labelled", label=["app", "secret"], verify_upstream_tls=False)
    expect(place.curl("secret.e2e.localhost", "/", "--http2").body, b"a", "https upstream by labels")
    return url


def proxy_protocol(place):
    """Versions 1 and 2 reach the upstream of an HTTP and of a TCP endpoint."""
    seen = []
    for version in ("1", "2"):
        agent = place.agent()
        agent.upstream()
        url = agent.listen("http", proxy_proto=version)["url"]
        seen.append(json.loads(place.curl(url.removeprefix("https://"), "/head").body)["proxy"])
        url = agent.listen("tcp", to=agent.to.replace("http", "tcp"), proxy_proto=version)["url"]
        answer = place.get("x", "/head", port=int(url.rsplit(":", 1)[1]))
        seen.append(json.loads(answer.body)["proxy"])
    for text in seen[:2]:
        expect(bytes.fromhex(text).startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 "), True, text)
    for text in seen[2:]:
        expect(text.startswith("0d0a0d0a000d0a515549540a2111000c7f0000017f000001"), True, text)
    return bytes.fromhex(seen[0])


def tcp(place):
    """C79: bytes come back as they were sent, each direction closed on its own."""
    agent = place.agent()
    agent.upstream("echo")
    url = agent.listen("tcp")["url"]
    with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=30) as visitor:
        sent = bytes(range(256)) * 8192

        def send():
            visitor.sendall(sent)
            visitor.shutdown(socket.SHUT_WR)

        threading.Thread(target=send).start()
        received = b""
        while piece := visitor.recv(1 << 16):
            received += piece
    expect(received == sent, True, f"{len(received)} of {len(sent)} bytes")
    return f"{url}, {len(sent)} bytes"


def tls(place):
    """C73 C78: passed through, terminated with the agent's certificate, and with the edge's."""
    for name in ("through", "agents", "edges", "cut"):
        place.create("/reserved_domains", {"domain": f"{name}.e2e.localhost"})
    own = certificate(place, "through.e2e.localhost")
    agent = place.agent()
    agent.upstream(tls=own)
    agent.listen("tls", to=agent.to.replace("https", "tls"), domain="through.e2e.localhost")
    with handshake(place, "through.e2e.localhost", pathlib.Path(own[0]).read_text()) as visitor:
        exchange(visitor)
    agent.upstream()
    to = agent.to.replace("http", "tcp")
    own = certificate(place, "agents.e2e.localhost")
    pems = [pathlib.Path(file).read_text() for file in own]
    agent.listen("tls", to=to, domain="agents.e2e.localhost", termination=pems)
    with handshake(place, "agents.e2e.localhost", pems[0]) as visitor:
        exchange(visitor)
    agent.listen("tls", to=to, domain="edges.e2e.localhost", termination=["", ""])
    with handshake(place, "edges.e2e.localhost", place.authority()) as visitor:
        exchange(visitor)
    backend = {"backend_id": place.group(app="cut")}
    place.create("/edges/tls", {"hostports": ["cut.e2e.localhost:443"], "backend": backend})
    agent.listen("labelled", to=to, label=["app", "cut"])
    run = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{place.https}", "-servername", "cut.e2e.localhost", "-ign_eof",
         "-CAfile", place.authority_file(), "-verify_return_error", "-quiet", "-no_ign_eof"],
        input=b"", capture_output=True, timeout=30)
    expect(b"verify return:1" in run.stderr, True, run.stderr)
    with handshake(place, "cut.e2e.localhost", place.authority()) as visitor:
        exchange(visitor)


def websocket(place):
    """Messages both ways, in clear text and over TLS."""
    place.edge("ws.e2e.localhost", place.group(app="ws"))
    agent = place.agent()
    agent.upstream("websocket")
    agent.label("app", "ws")

    async def talk(secure):
        scheme, port = ("wss", place.https) if secure else ("ws", place.cleartext)
        context = ssl.create_default_context(cadata=place.authority()) if secure else None
        async with websockets.asyncio.client.connect(
            f"{scheme}://ws.e2e.localhost/", host="127.0.0.1", port=port, ssl=context, max_size=None
        ) as channel:
            for size in (1, 1000, 1_000_000):
                await channel.send(b"w" * size)
                expect(len(await channel.recv()), size, "an echo")

    asyncio.run(talk(False))
    asyncio.run(talk(True))


# MARK: Refusals


def code(what):
    """The error code in the exception that this raises."""
    try:
        found = what()
    except AgentFailure as failure:
        return failure.args[-1]
    raise AssertionError(f"not refused: {found}")


def refusals(place):
    good = place.token()["token"]
    wrong = good[:-4] + ("aaaa" if not good.endswith("aaaa") else "bbbb")
    agent = place.agent(connects=False)
    codes = {
        "wrong token": code(lambda: agent.connect(token=wrong)),
        "no token": code(lambda: agent.connect(token="nonsense")),
    }
    for domain in ("acl.e2e.localhost", "mine.e2e.localhost"):
        place.create("/reserved_domains", {"domain": domain})
    bound = place.agent(token=place.token("bind:app=good", "bind:mine.e2e.localhost")["token"])
    bound.upstream()
    bound.label("app", "good")
    bound.listen("http", domain="mine.e2e.localhost")
    codes["label"] = code(lambda: bound.label("app", "bad"))
    codes["domain"] = code(lambda: bound.listen("http", domain="acl.e2e.localhost"))
    codes["tcp"] = code(lambda: bound.listen("tcp", to="tcp://127.0.0.1:1"))
    place.edge("edge.e2e.localhost", place.group(app="x"))
    agent = place.agent()
    agent.upstream()
    codes["an edge's"] = code(lambda: agent.listen("http", domain="edge.e2e.localhost"))
    codes["another agent's"] = code(lambda: agent.listen("http", domain="mine.e2e.localhost"))
    codes["not reserved"] = code(lambda: agent.listen("http", domain="unknown.e2e.localhost"))
    status, answer = place.raw("POST", "/edges/https", {"hostports": ["mine.e2e.localhost:443"]})
    codes["an edge on an agent's"] = answer["error_code"]
    expect(status, 400, "status of the edge")
    expect(list(codes.values()), [
        f"ERR_NGROK_{n}" for n in (107, 105, 399, 398, 398, 381, 334, 319, 7132)], "codes")
    return codes


# MARK: Failover


def failover(place):
    """C34 C35 C37 C38 C39: who cannot be dialled is passed over, also with a body; the last leg is a page."""
    page = place.create("/backends/http_response", {"status_code": 503, "body": "sorry", "headers": {"x-page": "1"}})
    first, second = place.group(leg="first"), place.group(leg="second")
    chain = place.create("/backends/failover", {"backends": [first, second, page]})
    place.edge("failover.e2e.localhost", chain)
    place.edge("alone.e2e.localhost", first)
    domain = "failover.e2e.localhost"
    answer = place.get(domain)
    expect((answer.status, answer.body, answer.fields["x-page"]), (503, b"sorry", "1"), "no tunnel at all")
    broken, other = place.agent("broken"), place.agent("other")
    broken.upstream()
    other.upstream()
    other.label("leg", "second")
    expect(place.get(domain).body, b"other", "the first leg has no tunnel")
    broken.label("leg", "first")
    expect(place.get(domain).body, b"broken", "the first leg serves")
    broken.ask("close_upstream")
    with socket.socket() as free:
        # Bound and not listening: whoever dials it is refused.
        free.bind(("127.0.0.1", 0))
        dead = place.agent("dead")
        dead.label("leg", "first", to=f"http://127.0.0.1:{free.getsockname()[1]}")
        broken.end()
        wait("one tunnel less", lambda: len(place.tunnels()) == 2)
        answer = place.get("alone.e2e.localhost")
        expect((answer.status, answer.code), (502, "ERR_NGROK_8012"), "the upstream is down")
        expect(place.get(domain).body, b"other", "the first leg cannot be dialled")
        for size in (10, 20_000, 60_000):
            answer = place.get(domain, "/up", "POST", b"x" * size)
            expect((answer.status, answer.body), (200, str(size).encode()), "a POST passed on")
        answer = place.get(domain, "/up", "POST", b"x" * 300_000)
        dead.end()
        other.end()
        wait("no tunnel", lambda: not place.tunnels())
    expect(place.get(domain).body, b"sorry", "the last leg")
    return f"a POST of 300000 bytes: {answer.status} {answer.code}"


# MARK: TLS between agent and server


def server_names(place):
    """An IPv4 literal, a name, and the agents' name at the visitors' port."""
    place.edge("names.e2e.localhost", place.group(app="names"))
    for server in (f"127.0.0.1:{place.agents}", f"localhost:{place.agents}", f"localhost:{place.https}"):
        agent = place.agent(server=server)
        agent.label("app", "names")
        expect(place.get("names.e2e.localhost").body, b"a", server)
        agent.end()
        wait("the agent to go", lambda: not place.tunnels())


if __name__ == "__main__":
    drive(labelled, http_options, http_addresses, proxy_protocol, tcp, tls, websocket, refusals, failover, server_names)
