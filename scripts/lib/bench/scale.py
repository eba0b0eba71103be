"""Selvage with very many edges: what an edit, a list page, a start and an idle edge cost, beside what they cost with few.

Fills a server through `/selvage/apply`. Times are a client's, from the request to the acknowledgement: by then the
write is on disk and in force on every loop.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import document
import proxies

HOST = "scale.localhost"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Server(proxies.Program):
    """A server on a data folder that outlives it, and one connection to its admin socket."""

    def __init__(self, folder, loops, binary):
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / "admin.sock"
        settings = self.folder / "selvage.toml"
        [port] = proxies.free_ports(1)
        settings.write_text(f"""
data_folder = "{self.folder}/data"
loops = {loops}
[admin]
socket = "{self.socket}"
[timeouts]
drain = "1s"
[[listener]]
kind = "https"
address = "127.0.0.1"
port = {port}
""")
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        began = time.monotonic()
        super().__init__([binary, "--config", settings], cores, self.folder / "log")
        self.connection = proxies.AdminSocket(self.socket)
        self.connection.timeout = 120
        while True:
            try:
                self.call("GET", "/selvage/revision")
                break
            except (FileNotFoundError, ConnectionError):
                self.connection.close()
                if self.process.poll() is not None:
                    raise RuntimeError(f"ended at once:\n{pathlib.Path(self.log).read_text()[-2000:]}")
                if time.monotonic() - began > 300:
                    raise RuntimeError("does not start")
                time.sleep(0.005)
        self.start_seconds = time.monotonic() - began

    def timed(self, method, path, body=None):
        """The answer, and the milliseconds that it took to come; reading it as JSON is not among them."""
        fields = {"content-type": "application/json", "ngrok-version": "2"}
        text = json.dumps(body) if body is not None else None
        began = time.perf_counter()
        self.connection.request(method, path, text, fields)
        answer = self.connection.getresponse()
        bytes_read = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {bytes_read[:500]}")
        return bytes_read, took

    def call(self, method, path, body=None):
        text, _ = self.timed(method, path, body)
        return json.loads(text) if text else None

    def apply(self, operations):
        """The documents that the writes answer, 500 writes to a request."""
        answers = []
        operations = iter(operations)
        while batch := list(itertools.islice(operations, 500)):
            results = self.call("POST", "/selvage/apply", {"command": "fill", "operations": batch})["results"]
            answers += [result["body"] for result in results]
        return answers


def write(path, body):
    return {"method": "POST", "path": path, "body": body}


class Filling:
    """Domains with certificates, edges and routes; every route goes to one weighted backend of two."""

    def __init__(self, server, edges, routes):
        began = time.monotonic()
        self.children = [
            document["id"] for document in server.apply(
                write("/backends/static", {"address": f"127.0.0.1:{9000 + number}"}) for number in range(50))]
        self.shared = server.call("POST", "/backends/weighted", {"backends": self.weights(1)})["id"]
        policy = server.call("POST", "/ip_policies", {"description": "offices"})["id"]
        server.call("POST", "/ip_policy_rules", {"ip_policy_id": policy, "cidr": "10.0.0.0/8", "action": "allow"})
        names = [f"tenant-{number}.{HOST}" for number in range(edges + 1)]
        server.apply(write("/reserved_domains", {"domain": name}) for name in names)
        self.certificates = time.monotonic() - began
        say(f"    {edges:6} domains with certificates took {self.certificates:.1f} s")
        self.spare = names.pop()
        self.edges = [
            document["id"] for document in server.apply(
                write("/edges/https", {"hostports": [name + ":443"]}) for name in names)]
        made = server.apply(
            write(f"/edges/https/{edge}/routes", self.route(number)) for edge in self.edges for number in range(routes))
        self.routes = [(document["edge_id"], document["id"]) for document in made]
        self.seconds = time.monotonic() - began
        say(f"    {edges:6} edges of {routes} routes took {self.seconds:.1f} s")

    def weights(self, number):
        return {self.children[0]: 100, self.children[1]: number}

    def route(self, number):
        route = {"match_type": "path_prefix", "match": f"/service-{number}", "backend": {"backend_id": self.shared}}
        if number % 2:
            route["circuit_breaker"] = {"error_threshold_percentage": 0.5, "volume_threshold": 20}
        if number % 5 == 4:
            route["response_headers"] = {"add": {"x-tenant": str(number)}}
        return route


def percentiles(times):
    ordered = sorted(times)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def measure_edits(server, filling, samples):
    """{what: milliseconds of every sample}, the kinds interleaved."""
    times = {"new weight of a backend that all routes share": [], "a route's module": [], "an edge made": [],
             "an edge deleted": []}
    kinds = list(times)
    stride = max(1, len(filling.routes) // samples)
    for number in range(samples):
        edge, route = filling.routes[(number * stride) % len(filling.routes)]
        _, took = server.timed("PATCH", f"/backends/weighted/{filling.shared}", {"backends": filling.weights(number % 90 + 2)})
        times[kinds[0]].append(took)
        _, took = server.timed(
            "PUT", f"/edges/https/{edge}/routes/{route}/request_headers", {"add": {"x-number": str(number)}})
        times[kinds[1]].append(took)
        text, took = server.timed("POST", "/edges/https", {"hostports": [filling.spare + ":443"]})
        times[kinds[2]].append(took)
        _, took = server.timed("DELETE", f"/edges/https/{json.loads(text)['id']}")
        times[kinds[3]].append(took)
    return {what: percentiles(took) for what, took in times.items()}


def measure_pages(server, filling, samples):
    middle = filling.edges[len(filling.edges) // 2]
    pages = {
        "100 edges with their routes": "/edges/https", "the same from the middle on": f"/edges/https?before_id={middle}",
        "100 domains": "/reserved_domains", "100 certificates": "/tls_certificates", "50 backends": "/backends/static",
    }
    return {
        what: percentiles([server.timed("GET", path)[1] for _ in range(samples)]) for what, path in pages.items()}


def idle_cpu(server, seconds=3):
    """Share of one core that a server without traffic uses."""
    def spent():
        # Of the whole process, with the threads that have ended.
        fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = spent()
    time.sleep(seconds)
    return (spent() - before) / seconds


class Result:
    def __init__(self, edges, routes, options, folder):
        folder = pathlib.Path(folder) / str(edges)
        (folder / "data").mkdir(parents=True)
        server = Server(folder, options.loops, options.binary)
        try:
            filling = Filling(server, edges, routes)
            self.certificates, self.fill = filling.certificates, filling.seconds
            # Twice: the first time warms what the filling left cold.
            measure_edits(server, filling, 20)
            self.edits = measure_edits(server, filling, options.samples)
            self.pages = measure_pages(server, filling, 20)
            server.connection.close()
            server.stop()
            starts = []
            for _ in range(3):
                server = Server(folder, options.loops, options.binary)
                starts.append(server.start_seconds)
                time.sleep(2)
                self.memory, self.cpu = server.memory(), idle_cpu(server)
                server.connection.close()
                server.stop()
            self.start = statistics.median(starts)
        finally:
            if server.process.poll() is None:
                server.stop()
        say(f"    {edges:6} edges: start {self.start:.2f} s, {self.memory / 1e6:.0f} MB, {self.cpu:.1%} of a core idle")
        for what, (median, high) in {**self.edits, **self.pages}.items():
            say(f"    {edges:6} edges: {what:46} p50 {median:7.2f} ms  p99 {high:7.2f} ms")


def render(few, many, options):
    counts = f"{options.few:,} edges | {options.edges:,} edges"
    lines = [f"| what | measure | {counts} |", "|---|---|---:|---:|"]

    def row(what, measure, one, other):
        lines.append(f"| {what} | {measure} | {one} | {other} |")

    for what in few.edits:
        row(f"edit: {what}", "p50 / p99, ms", *(f"{r.edits[what][0]:.1f} / {r.edits[what][1]:.1f}" for r in (few, many)))
    for what in few.pages:
        row(f"page: {what}", "p50 / p99, ms", *(f"{r.pages[what][0]:.1f} / {r.pages[what][1]:.1f}" for r in (few, many)))
    row("start", "seconds until the admin API answers", *(f"{r.start:.2f}" for r in (few, many)))
    each = (many.memory - few.memory) / (options.edges - options.few)
    row("idle edge", "bytes of memory, with its routes, domain and certificate", "", f"{each:,.0f}")
    row("server without traffic", "share of one core", *(f"{r.cpu:.1%}" for r in (few, many)))
    row("filling", "seconds", *(f"{r.fill:.1f}" for r in (few, many)))
    row("", "of which issuing certificates", *(f"{r.certificates:.1f}" for r in (few, many)))
    return "\n".join(lines)


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench scale", description=__doc__)
    parser.add_argument("--edges", type=int, default=10_000)
    parser.add_argument("--few", type=int, default=10, help="edges to compare with")
    parser.add_argument("--routes", type=int, default=10, help="of each edge")
    parser.add_argument("--samples", type=int, default=200, help="of each kind of edit")
    parser.add_argument("--loops", type=int, default=2)
    parser.add_argument("--binary", default=proxies.ROOT / ".build/release/selvage-server")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="selvage-scale-") as folder:
        few = Result(options.few, options.routes, options, folder)
        many = Result(options.edges, options.routes, options, folder)
    table = render(few, many, options)
    print(table)
    if options.write:
        document.put("Scale", f"""Made by `scripts/bench scale --edges {options.edges} --routes {options.routes} --write`: {document.machine()}.
Every edge has {options.routes} routes of its own, a reserved domain and a certificate; all routes share one weighted backend, and every
other route has a circuit breaker. An edit's time is its client's, from the request to the acknowledgement: by then it
is on disk (`fsync`) and in force on every loop. {options.samples} edits of each kind, one after the other.

{table}
""")
