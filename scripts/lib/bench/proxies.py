"""The proxies that are compared, each as one program on one set of cores, with the same origin and certificate."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

HOST = "bench.localhost"
ROOT = pathlib.Path(__file__).resolve().parents[3]


def free_ports(count):
    held, ports = [], []
    for _ in range(count):
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        held.append(probe)
        ports.append(probe.getsockname()[1])
    for probe in held:
        probe.close()
    return ports


def wait_for_port(port, process, log):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"ended at once:\n{pathlib.Path(log).read_text()[-2000:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}:\n{pathlib.Path(log).read_text()[-2000:]}")


def wait_until(what, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds} s: {what}")
        time.sleep(0.02)


class Program:
    """A program with its children, pinned to cores."""

    def __init__(self, arguments, cores, log, environment=None):
        with open(log, "w") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", cores, *map(str, arguments)], stdout=output, stderr=output,
                env={**os.environ, "SWIFT_BACKTRACE": "enable=no", **(environment or {})})
        self.log = log

    def pids(self):
        """The program and its children, the workers."""
        top = self.process.pid
        children = pathlib.Path(f"/proc/{top}/task/{top}/children").read_text().split()
        return [top, *map(int, children)]

    def cpu(self):
        """Seconds of CPU, the kernel's part included, since the start: schedstat counts what utime + stime do, in ns."""
        total = 0
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory(self):
        """Resident bytes that are this program's own."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Private_Dirty:", "Private_Clean:")):
                    total += int(line.split()[1]) << 10
        return total

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Proxy(Program):
    """Listens for cleartext HTTP, HTTPS and TCP; forwards to the origin and keeps its connections."""

    name = ""

    def __init__(self, folder, ports, origin, workers, cores, environment=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.http, self.https, self.tcp = ports
        self.origin, self.workers = origin, workers
        self.certificate, self.key = self.folder.parent / "certificate.pem", self.folder.parent / "key.pem"
        super().__init__(self.prepare(), cores, self.folder / "log", environment)
        try:
            wait_for_port(self.https, self.process, self.log)
            self.configure()
            wait_for_port(self.tcp, self.process, self.log)
        except BaseException:
            self.stop()
            raise

    def prepare(self):
        """Writes the configuration; the command line."""
        raise NotImplementedError

    def configure(self):
        """What can only be said to the running program."""


class HAProxy(Proxy):
    name = "HAProxy"

    def prepare(self):
        both = self.folder / "both.pem"
        both.write_text(self.certificate.read_text() + self.key.read_text())
        file = self.folder / "haproxy.cfg"
        file.write_text(f"""
global
    maxconn 8000
    nbthread {self.workers}
    ssl-default-bind-options ssl-min-ver TLSv1.2
    tune.ssl.cachesize 20000
defaults
    mode http
    timeout connect 3s
    timeout client 600s
    timeout server 60s
    timeout http-keep-alive 600s
    timeout http-request 10s
    http-reuse always
frontend web
    bind 127.0.0.1:{self.http}
    bind 127.0.0.1:{self.https} ssl crt {both} alpn h2,http/1.1
    option forwardfor
    http-request set-header x-forwarded-proto https if {{ ssl_fc }}
    acl host hdr(host) -i {HOST} {HOST}:{self.https} {HOST}:{self.http}
    use_backend origin if host
backend origin
    server one 127.0.0.1:{self.origin}
frontend bytes
    mode tcp
    bind 127.0.0.1:{self.tcp}
    default_backend origin_bytes
backend origin_bytes
    mode tcp
    server one 127.0.0.1:{self.origin}
""")
        return ["haproxy", "-db", "-f", file]


class Nginx(Proxy):
    name = "nginx"

    def prepare(self):
        file = self.folder / "nginx.conf"
        module = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        file.write_text(f"""
load_module {module};
daemon off;
pid {self.folder}/pid;
error_log {self.folder}/error.log error;
worker_processes {self.workers};
worker_rlimit_nofile 20000;
events {{ worker_connections 16000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {self.folder}/body;
    proxy_temp_path {self.folder}/proxy;
    fastcgi_temp_path {self.folder}/fastcgi;
    uwsgi_temp_path {self.folder}/uwsgi;
    scgi_temp_path {self.folder}/scgi;
    upstream origin {{ server 127.0.0.1:{self.origin}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{self.http} reuseport;
        listen 127.0.0.1:{self.https} ssl http2 reuseport;
        server_name {HOST};
        ssl_certificate {self.certificate};
        ssl_certificate_key {self.key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:20m;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header connection "";
            proxy_set_header host $host;
            proxy_set_header x-forwarded-for $proxy_add_x_forwarded_for;
            proxy_set_header x-forwarded-proto $scheme;
        }}
    }}
}}
stream {{
    server {{ listen 127.0.0.1:{self.tcp} reuseport; proxy_pass 127.0.0.1:{self.origin}; }}
}}
""")
        return ["nginx", "-p", self.folder, "-e", self.folder / "error.log", "-c", file]


class AdminSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("selvage", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


class Selvage(Proxy):
    """With what an operator would have on: routing among hosts and routes, statistics, a circuit breaker."""

    name = "Selvage"
    binary = ROOT / ".build/release/selvage-server"

    def prepare(self):
        file = self.folder / "selvage.toml"
        self.admin = self.folder / "admin.sock"
        file.write_text(f"""
data_folder = "{self.folder}/data"
loops = {self.workers}
[admin]
socket = "{self.admin}"
[limits]
connections = 8000
[timeouts]
keep_alive = "600s"
drain = "1s"
[tcp]
public_host = "tcp.{HOST}"
address = "127.0.0.1"
ports = "{self.tcp}-{self.tcp}"
[[listener]]
kind = "https"
address = "127.0.0.1"
port = {self.https}
[[listener]]
kind = "http"
cleartext = "serve"
address = "127.0.0.1"
port = {self.http}
""")
        return [self.binary, "--config", file]

    def send(self, method, path, body=None):
        connection = AdminSocket(self.admin)
        fields = {"content-type": "application/json", "ngrok-version": "2"}
        connection.request(method, path, json.dumps(body) if body is not None else None, fields)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]}")
        return json.loads(text) if text else None

    def configure(self):
        # It is made after the ports are.
        wait_until("no admin socket", self.admin.exists)
        certificate = self.send("POST", "/tls_certificates", {
            "certificate_pem": self.certificate.read_text(), "private_key_pem": self.key.read_text()})
        self.send("POST", "/reserved_domains", {"domain": HOST, "certificate_id": certificate["id"]})
        origin = self.send("POST", "/backends/static", {"address": f"127.0.0.1:{self.origin}"})["id"]
        backend = {"backend_id": origin}
        edge = self.send("POST", "/edges/https", {"hostports": [HOST + ":443"]})["id"]
        breaker = {"error_threshold_percentage": 0.5, "volume_threshold": 20}
        for match in ["/", *(f"/other/{number}" for number in range(9))]:
            self.send("POST", f"/edges/https/{edge}/routes", {
                "match_type": "path_prefix", "match": match, "backend": backend, "circuit_breaker": breaker})
        for number in range(9):
            name = f"other{number}.{HOST}"
            self.send("POST", "/reserved_domains", {"domain": name})
            self.send("POST", "/edges/https", {"hostports": [name + ":443"]})
        address = self.send("POST", "/reserved_addrs", {})["addr"]
        self.send("POST", "/edges/tcp", {"hostports": [address], "backend": backend})


ALL = [Selvage, HAProxy, Nginx]


class Origin(Program):
    """nginx that answers by itself: the same few bytes to everybody."""

    def __init__(self, folder, port, cores):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "nginx.conf"
        file.write_text(f"""
daemon off;
pid {folder}/pid;
worker_processes 1;
worker_rlimit_nofile 20000;
events {{ worker_connections 16000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        default_type text/plain;
        location / {{ return 200 "{'x' * 128}"; }}
    }}
}}
""")
        super().__init__(["nginx", "-p", folder, "-e", folder / "error.log", "-c", file], cores, folder / "log")
        wait_for_port(port, self.process, self.log)
