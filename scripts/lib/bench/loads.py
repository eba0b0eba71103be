"""Load from clients that others wrote, and what it cost the proxy."""

import pathlib
import re
import socket
import ssl
import subprocess
import time

from proxies import HOST


class Load:
    """One kind of traffic. `run` gives requests done, seconds taken, and p99 in milliseconds."""

    def __init__(self, title, run):
        self.title, self.run = title, run


def wrk(port, cores, seconds, connections, host=HOST, fields=()):
    """Requests done, seconds taken, and {percentile: milliseconds}."""
    extra = [word for field in (f"Host: {host}", *fields) for word in ("-H", field)]
    output = subprocess.run(
        ["taskset", "-c", cores, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *extra,
         f"http://127.0.0.1:{port}/page"], capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", output)
    if bad:
        raise RuntimeError(f"wrk saw failures: {bad.group(0)}")
    requests, took = re.search(r"(\d+) requests in ([\d.]+)s", output).groups()
    times = {
        int(percent): float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
        for percent, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", output)}
    return int(requests), float(took), times


def _wrk(port, cores, seconds, connections):
    requests, took, times = wrk(port, cores, seconds, connections)
    return requests, took, times[99]


def _h2load(port, cores, seconds, connections, streams, folder, extra):
    log = pathlib.Path(folder) / "h2load.log"
    log.unlink(missing_ok=True)
    output = subprocess.run(
        ["taskset", "-c", cores, "h2load", "-D", str(seconds), "-c", str(connections), "-m", str(streams),
         "--log-file", log, "--connect-to", f"127.0.0.1:{port}", *extra, f"https://{HOST}/page"],
        capture_output=True, text=True, check=True).stdout
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (succeeded|failed|errored|timeout)", output)}
    good = int(re.search(r"status codes: (\d+) 2xx", output).group(1))
    if counts["failed"] + counts["errored"] + counts["timeout"] or good < counts["succeeded"]:
        raise RuntimeError(f"h2load saw failures:\n{output}")
    times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    return good, float(seconds), times[len(times) * 99 // 100] / 1000


def all_loads(cores, seconds, folder):
    return [
        Load("HTTP/1.1", lambda proxy: _wrk(proxy.http, cores, seconds, 50)),
        Load("TLS 1.3 + HTTP/1.1", lambda proxy: _h2load(proxy.https, cores, seconds, 50, 1, folder, ["--h1"])),
        Load("TLS 1.3 + HTTP/2", lambda proxy: _h2load(proxy.https, cores, seconds, 20, 10, folder, [])),
        Load("TCP", lambda proxy: _wrk(proxy.tcp, cores, seconds, 50)),
    ]


def tls_context(certificate):
    context = ssl.create_default_context(cafile=certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _open(context, port, session=None):
    """A verified connection with one exchange behind it, so that its session tickets have arrived."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    channel = context.wrap_socket(plain, server_hostname=HOST, session=session)
    channel.sendall(f"GET /page HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    if not channel.recv(4096).startswith(b"HTTP/1.1 200"):
        raise RuntimeError("not answered 200")
    return channel


def idle_memory(proxy, count):
    """Bytes that each of `count` idle TLS connections costs the proxy."""
    context = tls_context(proxy.certificate)
    warm = [_open(context, proxy.https) for _ in range(20)]
    time.sleep(0.5)
    before = proxy.memory()
    channels = [_open(context, proxy.https) for _ in range(count)]
    time.sleep(0.5)
    after = proxy.memory()
    for channel in (*warm, *channels):
        channel.close()
    return (after - before) / count


def handshakes(proxy, seconds, resumed):
    """Connections per second of the proxy's CPU, each with one exchange."""
    context = tls_context(proxy.certificate)
    session = None
    if resumed:
        with _open(context, proxy.https) as channel:
            session = channel.session
    began, end, count = proxy.cpu(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with _open(context, proxy.https, session) as channel:
            if resumed:
                if not channel.session_reused:
                    raise RuntimeError("a session was not resumed")
                # TLS 1.3 tickets are for one use.
                session = channel.session
            count += 1
    return count / (proxy.cpu() - began)
