"""What the programs about agents share: the server under test, agents as processes, visitors, and waiting."""

import asyncio
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).parent


def wait(what, condition, seconds=30.0, pause=0.005):
    """Asks until the condition gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(pause)


def expect(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r} instead of {wanted!r}")


class AdminConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("selvage", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Place:
    """The server, as the JSON object on the command line names it: sockets, ports and the process."""

    def __init__(self, facts):
        for name in ("socket", "https", "http", "cleartext", "agents", "domain", "pid", "server", "folder"):
            setattr(self, name, facts.get(name))
        self.agents_started = []
        self.ca = ""

    def raw(self, method, path, body=None):
        connection = AdminConnection(self.socket)
        headers = {"ngrok-version": "2", "content-type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if "json" in (answer.getheader("content-type") or ""):
            return answer.status, json.loads(text)
        return answer.status, text.decode()

    def send(self, method, path, body=None):
        status, answer = self.raw(method, path, body)
        if not 200 <= status < 300:
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer

    def create(self, path, body):
        return self.send("POST", path, body)["id"]

    def authority(self):
        if not self.ca:
            self.ca = self.send("GET", "/selvage/ca")
        return self.ca

    def token(self, *acl):
        return self.send("POST", "/credentials", {"acl": list(acl)})

    def group(self, **labels):
        return self.create("/backends/tunnel_group", {"labels": labels})

    def edge(self, domain, backend, **modules):
        self.create("/reserved_domains", {"domain": domain})
        edge = self.create("/edges/https", {"hostports": [domain + ":443"]})
        route = {"match_type": "path_prefix", "match": "/", "backend": {"backend_id": backend}, **modules}
        self.create(f"/edges/https/{edge}/routes", route)
        return edge

    def tunnels(self):
        found, page = [], "/tunnels"
        while page:
            answer = self.send("GET", page)
            found += answer["tunnels"]
            page = answer.get("next_page_uri") and answer["next_page_uri"][answer["next_page_uri"].index("/tunnels"):]
        return found

    def statuses(self):
        return {agent["id"]: agent for agent in self.send("GET", "/selvage/agents")["agents"]}

    def no_agents(self):
        """Ends what a part has started, and waits until the server knows."""
        for agent in self.agents_started:
            agent.end()
        self.agents_started.clear()
        wait("the last agent to go", lambda: not self.tunnels() and not self.statuses())

    def agent(self, name="a", **facts):
        agent = AgentProcess(self, name)
        if facts.pop("connects", True):
            agent.connect(**facts)
        return agent

    def rss(self):
        """Resident memory of the server in MiB."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) >> 10

    def get(self, domain, path="/", method="GET", body=None, headers=None, port=None):
        """One request on a connection of its own, in clear text unless a port says otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.cleartext, timeout=30)
        try:
            connection.request(method, path, body, {"host": domain, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def curl(self, domain, path, *options):
        """curl over TLS: its status, header fields and body."""
        command = [
            "curl", "-sS", "-D", "/dev/stderr", "--max-time", "30", "--cacert", self.authority_file(),
            "--resolve", f"{domain}:{self.https}:127.0.0.1", *options, f"https://{domain}:{self.https}{path}",
        ]
        run = subprocess.run(command, capture_output=True, timeout=60)
        if run.returncode:
            raise AssertionError(f"curl: {run.returncode} {run.stderr.decode()}")
        lines = run.stderr.decode().strip().split("\r\n\r\n")[-1].strip().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        return Answer(int(lines[0].split()[1]), {**fields, ":version": lines[0].split()[0]}, run.stdout)

    def authority_file(self):
        path = pathlib.Path(self.folder) / "agents-ca.pem"
        if not path.exists():
            path.write_text(self.authority())
        return str(path)


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    @property
    def code(self):
        return self.fields.get("ngrok-error-code", "")

    def __repr__(self):
        return f"{self.status} {self.code} {self.body[:200]!r}"


class AgentFailure(Exception):
    pass


class AgentProcess:
    """A process of `agent_program.py`."""

    def __init__(self, place, name):
        self.place, self.name = place, name
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "agent_program.py"), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        self.to = None
        place.agents_started.append(self)

    def ask(self, do, **facts):
        self.process.stdin.write(json.dumps({"do": do, **facts}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the agent {self.name} has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise AgentFailure(*answer["error"])
        return answer["ok"]

    def connect(self, token=None, server=None, **facts):
        token = token or self.place.token()["token"]
        server = server or f"localhost:{self.place.agents}"
        return self.ask("connect", token=token, server=server, ca=self.place.authority(), **facts)

    def upstream(self, kind="http", **facts):
        """Starts an upstream and returns its URL, which is that of later listeners."""
        port = self.ask("upstream", kind=kind, **facts)
        scheme = {"echo": "tcp", "websocket": "http"}.get(kind, "https" if facts.get("tls") else kind)
        self.to = f"{scheme}://127.0.0.1:{port}"
        return self.to

    def listen(self, kind, to=None, **options):
        if not to and not self.to:
            self.upstream()
        return self.ask("listen", kind=kind, to=to or self.to, options=options)

    def label(self, name, value, to=None):
        return self.listen("labelled", to=to, label=[name, value])["id"]

    def count(self):
        return self.ask("count")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Load:
    """Requests one after the other on kept connections, in a thread of their own, until a number or `stop`."""

    def __init__(self, place, domain, connections, total=None, path="/", body=None, port=None):
        head = f"{'POST' if body is not None else 'GET'} {path} HTTP/1.1\r\nhost: {domain}\r\n"
        length = f"content-length: {len(body)}\r\n" if body is not None else ""
        self.request = (head + length + "\r\n").encode() + (body or b"")
        self.port, self.connections, self.total = port or place.cleartext, connections, total
        self.sent = self.good = 0
        self.failures = []
        self.names = {}
        self.times = []
        self.stopping = False
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)

    def start(self):
        self.thread.start()
        return self

    def finish(self, seconds=120):
        self.thread.join(seconds)
        if self.thread.is_alive():
            raise AssertionError(f"{self.sent - self.good} requests are without an answer: {self.failures[:3]}")
        return self

    def stop(self):
        self.stopping = True
        return self.finish()

    async def run(self):
        await asyncio.gather(*(self.connection() for _ in range(self.connections)))

    def may_send(self):
        if self.stopping or self.total is not None and self.sent >= self.total:
            return False
        self.sent += 1
        return True

    async def connection(self):
        writer = None
        while self.may_send():
            try:
                async with asyncio.timeout(40):
                    if writer is None:
                        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    began = time.perf_counter()
                    writer.write(self.request)
                    status, name = await self.answer(reader)
                self.times.append(time.perf_counter() - began)
                if status != 200:
                    self.failures.append(name)
                else:
                    self.good += 1
                    self.names[name] = self.names.get(name, 0) + 1
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failures.append(repr(error))
                if writer:
                    writer.close()
                writer = None
        if writer:
            writer.close()

    async def answer(self, reader):
        """The status, and who answered; of an error its code."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        start = head.index(b"content-length: ") + 16
        body = await reader.readexactly(int(head[start:head.index(b"\r\n", start)]))
        if status == 200 and (start := head.find(b"x-upstream: ")) > 0:
            return status, head[start + 12:head.index(b"\r\n", start)].decode()
        return status, f"{status} {body[:160]!r}"

    @property
    def p50(self):
        """Milliseconds."""
        return sorted(self.times)[len(self.times) // 2] * 1000


def drive(*parts):
    """Runs the parts, or those that are named, on the server that the first argument describes."""
    place = Place(json.loads(sys.argv[1]))
    status = 0
    for part in parts:
        if sys.argv[2:] and part.__name__ not in sys.argv[2:]:
            continue
        began = time.monotonic()
        try:
            figures = part(place)
            place.no_agents()
            print(f"{part.__name__}: as documented, {time.monotonic() - began:.1f} s; {figures or ''}", flush=True)
        except Exception:
            traceback.print_exc()
            print(f"{part.__name__}: FAILED after {time.monotonic() - began:.1f} s", flush=True)
            status = 1
        finally:
            for agent in place.agents_started:
                agent.end()
            place.agents_started.clear()
    # Threads that wait for a lost answer end with the program.
    sys.stdout.flush()
    os._exit(status)


def client_context(place):
    return ssl.create_default_context(cadata=place.authority())
