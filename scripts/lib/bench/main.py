#!/usr/bin/env python3
"""Selvage, HAProxy and nginx under the same load in one run: interleaved rounds, medians.

The proxies have the same number of workers, pinned to their own cores; the origin and the load share the others.
CPU is the proxy's own, the kernel's part included, divided by the requests that were answered.
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import document
import loads
import proxies
import scale
import tunnel

HERE = pathlib.Path(__file__).resolve().parent


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)
        cores = sorted(os.sched_getaffinity(0))
        split = min(options.workers, len(cores) - 1) or 1
        self.proxy_cores = ",".join(map(str, cores[:split]))
        self.load_cores = ",".join(map(str, cores[split:] or cores))
        self.kinds = [kind for kind in proxies.ALL if not options.only or kind.name.lower() in options.only.lower()]
        if options.beside:
            other = type("Other", (proxies.Selvage,), {"name": "Other", "binary": options.beside.resolve()})
            self.kinds.insert(1, other)
        self.make_certificate()
        self.started = 0
        self.origin_port = proxies.free_ports(1)[0]

    def make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-keyout", self.folder / "key.pem", "-out", self.folder / "certificate.pem",
             "-subj", f"/CN={proxies.HOST}", "-addext", f"subjectAltName=DNS:{proxies.HOST}"],
            check=True, capture_output=True)

    def start(self, kind, environment=None):
        ports = proxies.free_ports(3)
        self.started += 1
        return kind(
            self.folder / f"{kind.name}{self.started}", ports, self.origin_port, self.options.workers,
            self.proxy_cores, environment)

    @contextlib.contextmanager
    def all_running(self):
        running = []
        try:
            running += (self.start(kind) for kind in self.kinds)
            yield running
        finally:
            for proxy in running:
                proxy.stop()

    def run(self):
        origin = proxies.Origin(self.folder / "origin", self.origin_port, self.load_cores)
        try:
            with self.all_running() as running:
                rates = self.measure_requests(running)
            # Anew, so that no memory of the load before is there to be used again.
            with self.all_running() as running:
                memory = self.table_of("idle TLS memory", running, lambda p: loads.idle_memory(p, self.options.idle))
                full = self.table_of("full handshakes", running, lambda p: loads.handshakes(p, 3, False))
                resumed = self.table_of("resumed handshakes", running, lambda p: loads.handshakes(p, 3, True))
            allocations = self.measure_allocations()
        finally:
            origin.stop()
        return self.render(rates, memory, full, resumed, allocations)

    def measure_requests(self, running):
        """{load: {proxy: [(µs of CPU, requests per second, p99 ms), …]}}"""
        result = {}
        for load in loads.all_loads(self.load_cores, self.options.seconds, self.folder):
            rows = result.setdefault(load.title, {proxy.name: [] for proxy in running})
            for number in range(self.options.rounds + 1):
                for proxy in running:
                    before = proxy.cpu()
                    requests, took, p99 = load.run(proxy)
                    cost = (proxy.cpu() - before) / requests * 1e6
                    # The first round warms pools and caches.
                    if number:
                        rows[proxy.name].append((cost, requests / took, p99))
                        say(f"    {load.title:20} round {number} {proxy.name:8} {cost:6.2f} µs {requests / took:9.0f}/s")
        return result

    def table_of(self, what, running, measure):
        result = {}
        for proxy in running:
            result[proxy.name] = measure(proxy)
            say(f"    {what:20} {proxy.name:8} {result[proxy.name]:10.0f}")
        return result

    def measure_allocations(self):
        """Calls of malloc and its kin per request, in a run of their own: counting costs time."""
        library, counter = self.folder / "count.so", self.folder / "count"
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", "-o", library, HERE / "count_allocations.c", "-ldl"], check=True)
        result = {}
        for kind in self.kinds:
            counter.unlink(missing_ok=True)
            proxy = self.start(kind, {"LD_PRELOAD": str(library), "ALLOCATION_COUNT": str(counter)})
            try:
                for load in loads.all_loads(self.load_cores, 2, self.folder):
                    load.run(proxy)
                    before = int.from_bytes(counter.read_bytes(), sys.byteorder)
                    requests, _, _ = load.run(proxy)
                    made = int.from_bytes(counter.read_bytes(), sys.byteorder) - before
                    result.setdefault(load.title, {})[proxy.name] = made / requests
            finally:
                proxy.stop()
        say("    allocations counted")
        return result

    def render(self, rates, memory, full, resumed, allocations):
        names = [kind.name for kind in self.kinds]
        lines = ["| load | measure | " + " | ".join(names) + " | Selvage : HAProxy |", "|---|---|" + "---:|" * (len(names) + 1)]

        def row(load, measure, values, form):
            ratio = ""
            if values.get("Selvage") is not None and values.get("HAProxy"):
                ratio = f"{values['Selvage'] / values['HAProxy']:.2f}"
            cells = [format(values[name], form) for name in names]
            lines.append(f"| {load} | {measure} | " + " | ".join(cells) + f" | {ratio} |")

        for load, by_name in rates.items():
            median = lambda index: {n: statistics.median(r[index] for r in rows) for n, rows in by_name.items()}
            row(load, "CPU per request, µs", median(0), ".2f")
            row("", "requests per second", median(1), ",.0f")
            row("", "p99, ms", median(2), ".2f")
            row("", "allocations per request", allocations[load], ".2f")
        row("TLS", f"memory per idle connection ({self.options.idle:,} open), bytes", memory, ",.0f")
        row("", "full handshakes per CPU-second, with one exchange", full, ",.0f")
        row("", "resumed handshakes per CPU-second, with one exchange", resumed, ",.0f")
        return "\n".join(lines)


def machine():
    versions = [
        subprocess.run(command, capture_output=True, text=True) for command in (["haproxy", "-v"], ["nginx", "-v"])]
    first = [(v.stdout or v.stderr).splitlines()[0].split(" - ")[0] for v in versions]
    return f"{document.machine()}; {first[0]}; {first[1]}"


def write_document(table, options):
    command = "scripts/bench" + "".join(
        f" --{name} {value}" for name, value in (("rounds", options.rounds), ("seconds", options.seconds)))
    document.put("Beside HAProxy and nginx", f"""Made by `{command} --write`: {machine()}.
Every proxy has {options.workers} worker{'s' if options.workers > 1 else ''} on its own core; load (wrk for HTTP/1.1 and TCP, h2load for the rest) and origin
(nginx) share the others, so that requests per second tell the load's limits as much as the proxy's. Figures are
medians of {options.rounds} interleaved rounds of {options.seconds} s after one to warm up. CPU is the proxy's own, with the kernel's part.
Selvage runs with ten hosts, ten routes on the measured one, statistics, and a circuit breaker; HAProxy and nginx with
one host and no logs. All use the same P-256 certificate and keep connections to the origin.

{table}
""")


def main():
    if sys.argv[1:2] == ["scale"]:
        return scale.main(sys.argv[2:])
    if sys.argv[1:2] == ["tunnel"]:
        return tunnel.main(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each round")
    parser.add_argument("--workers", type=int, default=1, choices=(1, 2))
    parser.add_argument("--idle", type=int, default=5000, help="idle TLS connections")
    parser.add_argument("--only", default="", help="names of proxies, e.g. selvage,haproxy")
    parser.add_argument(
        "--beside", type=pathlib.Path, help="another selvage-server, say of an older commit, measured in the same rounds")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="selvage-bench-") as folder:
        table = Bench(options, folder).run()
    print(table)
    if options.write:
        write_document(table, options)


if __name__ == "__main__":
    main()
