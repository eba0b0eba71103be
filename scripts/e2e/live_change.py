#!/usr/bin/env python3
"""Load, WebSockets and a download through the edge while its configuration changes a hundred times.

500 requests a second (300 over HTTP/1.1 from here, 200 over HTTP/2 from h2load), 20 WebSockets that echo, and one
download that lasts the whole time. Meanwhile weights, modules, routes and certificates change. Prints one JSON
object: how many requests failed, how many WebSockets were cut, whether the download was whole.
"""

import argparse
import asyncio
import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

DOMAIN = "live.e2e.localhost"
WEBSOCKETS = 20
PACED_CONNECTIONS = 10


class AdminSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("selvage", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Admin:
    """The admin API: one connection for each request."""

    def __init__(self, path):
        self.path = path

    def send(self, method, path, body=None):
        connection = AdminSocket(self.path)
        headers = {"ngrok-version": "2"}
        if body is not None:
            headers["content-type"] = "application/json"
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
        if "json" not in answer.getheader("content-type", ""):
            return text.decode()
        return json.loads(text)


def plant(admin, ports, download_port, websocket_port):
    """The edge under test, and what the changes need to know of it."""
    domain = admin.send("POST", "/reserved_domains", {"domain": DOMAIN})
    first, second, download, echo = (
        admin.send("POST", "/backends/static", {"address": f"127.0.0.1:{port}"})["id"]
        for port in (*ports, download_port, websocket_port)
    )
    weighted = admin.send("POST", "/backends/weighted", {"backends": {first: 90, second: 10}})["id"]
    edge = admin.send("POST", "/edges/https", {"hostports": [DOMAIN + ":443"]})["id"]
    routes = {}
    for match, backend in (("/", weighted), ("/download", download), ("/echo", echo)):
        routes[match] = admin.send(
            "POST",
            f"/edges/https/{edge}/routes",
            {"match_type": "path_prefix", "match": match, "backend": {"backend_id": backend}},
        )["id"]
    authority = admin.send("GET", "/selvage/ca")
    return {
        "domain": domain["id"], "first": first, "second": second, "weighted": weighted, "edge": edge,
        "route": routes["/"], "authority": authority,
    }


def make_certificates(folder, count):
    """Certificates of the user's own for the domain, as PEM pairs."""
    pairs = []
    for number in range(count):
        key, certificate = f"{folder}/key{number}.pem", f"{folder}/certificate{number}.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-keyout", key, "-out", certificate, "-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:{DOMAIN}"],
            check=True, capture_output=True)
        with open(certificate) as c, open(key) as k:
            pairs.append((c.read(), k.read()))
    return pairs


class Changes:
    """A hundred writes of every kind, spread over the time."""

    def __init__(self, admin, planted, certificates):
        self.admin = admin
        self.planted = planted
        self.certificates = certificates
        self.done = 0
        self.extra_route = None

    def route_path(self, module=""):
        path = f"/edges/https/{self.planted['edge']}/routes/{self.planted['route']}"
        return f"{path}/{module}" if module else path

    def weights(self, number):
        share = (number * 7) % 100
        body = {"backends": {self.planted["first"]: 100 - share, self.planted["second"]: share}}
        self.admin.send("PATCH", f"/backends/weighted/{self.planted['weighted']}", body)

    def add_module(self, number):
        self.admin.send("PUT", self.route_path("response_headers"), {"add": {"x-change": str(number)}})

    def add_breaker(self, number):
        body = {"error_threshold_percentage": 0.9, "volume_threshold": 10 + number}
        self.admin.send("PUT", self.route_path("circuit_breaker"), body)

    def compress(self, number):
        self.admin.send("PUT", self.route_path("compression"), {"enabled": number % 2 == 0})

    def remove_module(self, _):
        self.admin.send("DELETE", self.route_path("response_headers"))

    def toggle_route(self, number):
        routes = f"/edges/https/{self.planted['edge']}/routes"
        if self.extra_route:
            self.admin.send("DELETE", f"{routes}/{self.extra_route}")
            self.extra_route = None
        else:
            body = {
                "match_type": "exact_path", "match": f"/extra{number}",
                "backend": {"backend_id": self.planted["weighted"]},
            }
            self.extra_route = self.admin.send("POST", routes, body)["id"]

    def certificate(self, number):
        pem, key = self.certificates[number % len(self.certificates)]
        body = {"certificate_pem": pem, "private_key_pem": key}
        identifier = self.admin.send("POST", "/tls_certificates", body)["id"]
        self.admin.send("PATCH", f"/reserved_domains/{self.planted['domain']}", {"certificate_id": identifier})

    def one(self, number):
        kinds = [
            self.weights, self.add_module, self.add_breaker, self.toggle_route, self.weights, self.compress,
            self.certificate, self.weights, self.remove_module, self.toggle_route,
        ]
        kinds[number % len(kinds)](number)
        self.done += 1


async def read_answer(reader):
    """The status of one answer with a content-length or in chunks, and whether the connection goes on."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    if "content-length" in fields:
        await reader.readexactly(int(fields["content-length"]))
    else:
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    return int(lines[0].split(" ")[1]), fields.get("connection") != "close"


class Load:
    """Paced requests; each connection is replaced now and then, so that handshakes happen under change too."""

    def __init__(self, port, context, rate):
        self.port, self.context, self.rate = port, context, rate
        self.requests = 0
        self.failures = []

    async def run(self, seconds):
        await asyncio.gather(*(self.connection(seconds, n) for n in range(PACED_CONNECTIONS)))

    async def connection(self, seconds, number):
        pause = PACED_CONNECTIONS / self.rate
        due = time.monotonic() + pause * number / PACED_CONNECTIONS
        end = time.monotonic() + seconds
        writer, used = None, 0
        while time.monotonic() < end:
            await asyncio.sleep(max(0, due - time.monotonic()))
            due += pause
            try:
                async with asyncio.timeout(15):
                    if writer is None:
                        reader, writer = await asyncio.open_connection(
                            "127.0.0.1", self.port, ssl=self.context, server_hostname=DOMAIN)
                        used = 0
                    writer.write(f"GET /page/{used} HTTP/1.1\r\nhost: {DOMAIN}\r\n\r\n".encode())
                    status, goes_on = await read_answer(reader)
                self.requests += 1
                used += 1
                if status != 200:
                    self.failures.append(f"status {status}")
                if not goes_on or used >= 150:
                    writer.close()
                    writer = None
            except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
                self.requests += 1
                self.failures.append(repr(error))
                writer = None
        if writer:
            writer.close()


class Sockets:
    """WebSockets that echo a line twice a second, over the whole time."""

    def __init__(self, port, context):
        self.port, self.context = port, context
        self.opened = self.cut = self.messages = 0

    async def run(self, seconds):
        await asyncio.gather(*(self.one(seconds, n) for n in range(WEBSOCKETS)))

    async def one(self, seconds, number):
        end = time.monotonic() + seconds
        try:
            async with connect(
                f"wss://{DOMAIN}/echo", host="127.0.0.1", port=self.port, ssl=self.context, ping_interval=None
            ) as channel:
                self.opened += 1
                count = 0
                while time.monotonic() < end:
                    await channel.send(f"{number}:{count}")
                    if await asyncio.wait_for(channel.recv(), 15) != f"{number}:{count}":
                        raise ValueError("another echo")
                    count += 1
                    self.messages += 1
                    await asyncio.sleep(0.5)
        except (OSError, websockets.WebSocketException, TimeoutError, ValueError) as error:
            self.cut += 1
            print("websocket:", repr(error), file=sys.stderr)


DOWNLOAD_CHUNK = 16 << 10
DOWNLOAD_CHUNKS_PER_SECOND = 10


async def serve_download(seconds):
    """An upstream whose one answer takes the whole time."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        count = seconds * DOWNLOAD_CHUNKS_PER_SECOND
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {count * DOWNLOAD_CHUNK}\r\n\r\n".encode())
        for number in range(count):
            writer.write(bytes([number % 251]) * DOWNLOAD_CHUNK)
            await writer.drain()
            await asyncio.sleep(1 / DOWNLOAD_CHUNKS_PER_SECOND)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def download(port, context, seconds):
    """Whether every byte arrived as it was sent."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=DOMAIN, limit=1 << 20)
    writer.write(f"GET /download HTTP/1.1\r\nhost: {DOMAIN}\r\nconnection: close\r\n\r\n".encode())
    try:
        await reader.readuntil(b"\r\n\r\n")
        for number in range(seconds * DOWNLOAD_CHUNKS_PER_SECOND):
            chunk = await asyncio.wait_for(reader.readexactly(DOWNLOAD_CHUNK), 15)
            if chunk != bytes([number % 251]) * DOWNLOAD_CHUNK:
                return False
        return True
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        print("download:", repr(error), file=sys.stderr)
        return False
    finally:
        writer.close()


async def h2load(port, seconds):
    """Requests and failures of h2load at 200 requests a second."""
    process = await asyncio.create_subprocess_exec(
        "h2load", "-D", str(seconds), "-c", "4", "-m", "4", "--rps", "50", "--connect-to", f"127.0.0.1:{port}",
        f"https://{DOMAIN}/h2", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = (await process.communicate())[0].decode()
    counts = {
        word: int(number) for number, word in re.findall(r"(\d+) (total|succeeded|failed|errored|timeout)", output)}
    bad = sum(int(n) for n in re.findall(r"(\d+) (?:3xx|4xx|5xx)", output))
    if not counts:
        raise RuntimeError(output)
    failures = counts["failed"] + counts["errored"] + counts["timeout"] + bad
    return counts["succeeded"] + failures, failures


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--https", type=int, required=True)
    parser.add_argument("--upstreams", required=True)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--changes", type=int, default=100)
    options = parser.parse_args()
    seconds = options.seconds

    async def echo(channel):
        async for message in channel:
            await channel.send(message)

    admin = Admin(options.socket)
    download_server, download_port = await serve_download(seconds)
    async with serve(echo, "127.0.0.1", 0, ping_interval=None) as echo_server:
        websocket_port = echo_server.sockets[0].getsockname()[1]
        ports = [int(port) for port in options.upstreams.split(",")]
        planted = plant(admin, ports, download_port, websocket_port)
        with tempfile.TemporaryDirectory() as folder:
            certificates = make_certificates(folder, 4)
        context = ssl.create_default_context(cadata=planted["authority"] + "".join(c for c, _ in certificates))
        changes = Changes(admin, planted, certificates)
        load, sockets = Load(options.https, context, 300), Sockets(options.https, context)

        async def change():
            began = time.monotonic()
            for number in range(options.changes):
                await asyncio.sleep(max(0, began + (number + 0.5) * seconds / options.changes - time.monotonic()))
                await asyncio.to_thread(changes.one, number)

        _, _, whole, (h2_requests, h2_failures), _ = await asyncio.gather(
            load.run(seconds), sockets.run(seconds), download(options.https, context, seconds),
            h2load(options.https, seconds), change())
    download_server.close()
    for failure in load.failures[:10]:
        print("request:", failure, file=sys.stderr)
    print(json.dumps({
        "seconds": seconds, "requests": load.requests + h2_requests,
        "failed_requests": len(load.failures) + h2_failures, "h2_requests": h2_requests,
        "websockets": sockets.opened, "cut_websockets": sockets.cut, "messages": sockets.messages,
        "download_complete": whole, "changes": changes.done,
        "failures": load.failures[:5],
    }))


asyncio.run(main())
