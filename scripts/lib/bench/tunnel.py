"""Selvage's server with an agent behind it, `ssh -R` and other tunnels under one load: interleaved rounds, medians.

Both halves of a tunnel share cores, which are not the load's and the origin's. CPU is both halves' own, the kernel's
part included.
"""

import argparse
import contextlib
import datetime
import gzip
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile

import document
import loads
import proxies
import streams
import tunnels

MISSING = "—"
# What a peer may have in flight that does not let windows grow: agent-protocol.md 4.4.
WINDOW = 256 << 10
DELAY = 0.025


def say(text):
    print(text, file=sys.stderr, flush=True)


class Case:
    """One kind of load. `run` takes a column and gives {measure: figure} without the CPU; `unit` is what CPU is of."""

    def __init__(self, title, unit, run):
        self.title, self.unit, self.run = title, unit, run


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)
        cores = sorted(os.sched_getaffinity(0))
        split = max(1, len(cores) // 2)
        self.tunnel_cores = ",".join(map(str, cores[:split]))
        load = cores[split:] or cores
        self.load_cores = ",".join(map(str, load))
        # The clients of streams run in this process.
        os.sched_setaffinity(0, load)
        self.ports = proxies.free_ports(2)
        self.kinds = [kind for kind in tunnels.ALL if self.is_wanted(kind)]
        self.failures = []

    def is_wanted(self, kind):
        names = [name.strip().lower() for name in self.options.only.split(",") if name.strip()]
        return not names or any(name in kind.name.lower() for name in names)

    def requests(self, seconds, connections, *fields):
        def run(column):
            port, host = column.page
            done, took, times = loads.wrk(port, self.load_cores, seconds, connections, host, fields)
            return done, {"requests per second": done / took, "p50, ms": times[50], "p99, ms": times[99]}
        return run

    @staticmethod
    def stream(move):
        def run(column):
            count, took = move(column.streams)
            return count / 1e6, {"MB per second": count / took / 1e6}
        return run

    def cases(self):
        seconds = self.options.seconds
        return [
            Case("1 connection", "request", self.requests(seconds, 1)),
            Case("32 connections", "request", self.requests(seconds, 32)),
            Case("100 connections", "request", self.requests(seconds, 100)),
            Case("8 clients, a new connection each time", "request", self.requests(seconds, 8, "Connection: close")),
            Case("one download", "MB", self.stream(lambda place: streams.download(place, 1))),
            Case("one upload", "MB", self.stream(lambda place: streams.upload(place, self.ports[1], 1))),
        ]

    @contextlib.contextmanager
    def origins(self):
        origin = proxies.Origin(self.folder / "origin", self.ports[0], self.load_cores)
        taker = None
        try:
            log = self.folder / "streams.log"
            taker = tunnels.Half(
                [sys.executable, tunnels.HERE / "streams.py", "origin", self.ports[1]], self.load_cores, log)
            proxies.wait_for_port(self.ports[1], taker.process, log)
            yield
        finally:
            for program in (taker, origin):
                if program:
                    program.stop()

    @contextlib.contextmanager
    def all_running(self, kinds, delay=0):
        running = []
        try:
            for number, kind in enumerate(kinds):
                folder = self.folder / f"{'far' if delay else 'near'}{number}"
                try:
                    running.append(kind(folder, self.ports, self.tunnel_cores, self.load_cores, delay))
                except (RuntimeError, OSError, subprocess.SubprocessError) as problem:
                    if kind is tunnels.Selvage:
                        raise
                    say(f"    {kind.name} does not run and is left out: {problem}")
            yield [column for tunnel in running for column in tunnel.columns()]
        finally:
            for tunnel in running:
                tunnel.stop()

    def run(self):
        with self.origins():
            with self.all_running(self.kinds) as columns:
                names = [column.name for column in columns]
                figures = self.measure(columns)
            apart = [kind for kind in self.kinds if kind in (tunnels.Selvage, tunnels.OpenSSH)]
            with self.all_running(apart, DELAY) as columns:
                # The TCP edge's bytes go the same way.
                far = self.measure_far([column for column in columns if column.name in ("Selvage", "ssh -R")])
        return "\n\n".join([self.render(names, figures), self.render_far(far)])

    def measure(self, columns):
        """{case: {column: [{measure: figure}, …]}}; a column that failed in a case has no figures there."""
        # What is measured finds caches and pools warm.
        for column in columns:
            self.try_one(Case("warming up", "request", self.requests(1, 32)), column)
        return {case.title: self.rounds(case, columns, self.options.rounds) for case in self.cases()}

    def rounds(self, case, columns, count):
        rows = {column.name: [] for column in columns}
        for number in range(count):
            for column in columns:
                figures = self.try_one(case, column)
                if figures:
                    rows[column.name].append(figures)
                    text = "  ".join(f"{name} {figure:,.2f}" for name, figure in figures.items())
                    say(f"    {case.title:44.44} round {number + 1} {column.name:22} {text}")
        return rows

    def try_one(self, case, column):
        """{measure: figure}, or nothing: a tunnel that fails under one load is measured under the others."""
        try:
            column.settle()
            before = column.cpu()
            done, figures = case.run(column)
            return {f"CPU per {case.unit}, µs": (column.cpu() - before) / done * 1e6, **figures}
        except (RuntimeError, OSError, ZeroDivisionError) as problem:
            say(f"    {case.title:44.44} {column.name} FAILED: {problem}")
            self.failures.append(f"{column.name}, {case.title}: {problem}")
            return None

    def measure_far(self, columns):
        """{direction: {column: [{measure: figure}, …]}} with the two halves apart."""
        moves = {
            "one download": lambda place: streams.download(place, self.options.far_seconds),
            "one upload": lambda place: streams.upload(place, self.ports[1], self.options.far_seconds),
        }
        return {
            title: self.rounds(Case(f"{title}, 50 ms apart", "MB", self.stream(move)), columns, self.options.far_rounds)
            for title, move in moves.items()}

    def render(self, names, figures):
        lines = ["| load | measure | " + " | ".join(names) + " | Selvage : ssh -R |",
                 "|---|---|" + "---:|" * (len(names) + 1)]
        for title, by_name in figures.items():
            measures = next((rows[0] for rows in by_name.values() if rows), [])
            label = title
            for measure in measures:
                medians = self.medians(by_name, measure)
                form = ",.0f" if "second" in measure or "MB" in measure else ",.2f"
                cells = [format(medians[name], form) if name in medians else MISSING for name in names]
                ratio = ""
                if "Selvage" in medians and "ssh -R" in medians:
                    ratio = f"{medians['Selvage'] / medians['ssh -R']:.2f}"
                lines.append(f"| {label} | {measure} | " + " | ".join(cells) + f" | {ratio} |")
                label = ""
        return "\n".join(lines)

    @staticmethod
    def medians(by_name, measure):
        return {name: statistics.median(row[measure] for row in rows) for name, rows in by_name.items() if rows}

    def render_far(self, figures):
        names = list(next(iter(figures.values())))
        lines = ["| halves 50 ms apart | measure | 256 KiB to a round trip | " + " | ".join(names) + " |",
                 "|---|---|" + "---:|" * (len(names) + 1)]
        limit = WINDOW / (2 * DELAY) / 1e6
        for title, by_name in figures.items():
            medians = self.medians(by_name, "MB per second")
            cells = [format(medians[name], ",.1f") if name in medians else MISSING for name in names]
            lines.append(f"| {title} | MB per second | {limit:.1f} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


def machine():
    version = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr.split(",")[0].strip()
    changes = tunnels.UNPACKED / "usr/share/doc/pagekite"
    kite = re.search(r"pagekite \((\S+)\)", gzip.open(changes / "changelog.Debian.gz", "rt").readline())
    return "; ".join([document.machine(), version, f"PageKite {kite.group(1)}", "ngrok 1.4.0 of PyPI"])


def noise(load_average):
    """Whether others used the machine before the run began."""
    if load_average < 0.3 * os.cpu_count():
        return ""
    return f" **Noisy**: the load average was {load_average:.1f} when the run began."


def write_document(tables, options, load_average):
    command = "scripts/bench tunnel" + "".join(
        f" --{name} {value}" for name, value in (("rounds", options.rounds), ("seconds", options.seconds)))
    today = datetime.date.today().isoformat()
    made = f"{machine()}.{noise(load_average)}"
    rounds = f"{options.rounds} interleaved rounds of {options.seconds} s"
    document.put("Tunnels", f"""Made by `{command} --write` on {today}: {made}

`selvage-server` with `selvage-agent` behind it, beside OpenSSH's `ssh -R` (with its usual cipher), PageKite (the one
self-hosted tunnel program that Debian has) and ngrok's own Python package as our server's agent. Both halves of a
tunnel share the first half of the machine's cores; load (wrk, and one client of large streams) and origins share the
others. Visitors speak cleartext HTTP/1.1; between the halves everything is encrypted. CPU is that of both halves
together, with the kernel's part. Figures are medians of {rounds}, of 1 s for streams.
`ssh -R` forwards bytes and knows nothing of requests, as the TCP edge does; the other columns read every request.
{MISSING} is a load that failed.

{tables}

A link of the benchmark's own delays each direction between the halves by 25 ms and limits nothing else. A window that
does not grow, like that between our server and ngrok's agents, would let 256 KiB through in a round trip.
""")


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench tunnel", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each round of requests")
    parser.add_argument("--far-rounds", type=int, default=2)
    parser.add_argument("--far-seconds", type=int, default=3)
    parser.add_argument("--only", default="", help="parts of the tunnels' names, e.g. selvage,ssh")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args(arguments)
    # Who is ended from outside ends the tunnels, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    load_average = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="selvage-bench-") as folder:
        bench = Bench(options, folder)
        tables = bench.run()
    print(tables)
    if options.write:
        write_document(tables, options, load_average)
    ours = [failure for failure in bench.failures if failure.startswith("Selvage")]
    if ours:
        sys.exit("\n".join(["error: Selvage failed", *ours]))
