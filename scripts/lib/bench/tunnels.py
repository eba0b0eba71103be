"""The tunnels that are compared: each has two halves on the same cores, and carries the same two origins."""

import http.client
import os
import pathlib
import socket
import subprocess
import sys
import time

import proxies
from proxies import HOST, ROOT, free_ports, wait_for_port, wait_until

HERE = pathlib.Path(__file__).resolve().parent
# Where scripts/setup --bench unpacks Debian's packages that would start services if they were installed.
UNPACKED = ROOT / ".build/bench/debian"
# With ngrok's package.
PYTHON = ROOT / ".venv-agent/bin/python"
STREAMS = f"streams.{HOST}"


def answers(place):
    port, host = place
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/page" if host == HOST else "/taken", headers={"host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def adjacent_ports(taken):
    """Two free ports, one after the other, and neither of them `taken`."""
    while True:
        [port] = free_ports(1)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
        if not {port, port + 1} & set(taken):
            return port, port + 1


class Half(proxies.Program):
    def pids(self):
        """The program, its children, and theirs: sshd has a process to a session."""
        found = [self.process.pid]
        for pid in found:
            found += map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def cpu(self):
        """By the processes' own clocks, which keep the time of threads that have ended: clock_getcpuclockid(3)."""
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self.pids())


class Column:
    """One way to the origins: places (port, host) for small requests and for streams."""

    def __init__(self, name, halves, page, streams):
        self.name, self.halves, self.page, self.streams = name, halves, page, streams

    def cpu(self):
        return sum(half.cpu() for half in self.halves)

    def settle(self):
        """Waits until what the last load left behind is done with."""
        before = [self.cpu()]

        def rests():
            time.sleep(0.05)
            before.append(self.cpu())
            return before[-1] - before[-2] < 0.003

        wait_until(f"{self.name} does not come to rest", rests, 10)


class Tunnel:
    """`delay`: seconds that each direction between the two halves takes, by a link of the benchmark's own."""

    def __init__(self, folder, origins, cores, load_cores, delay=0):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.origin, self.stream_origin = origins
        self.cores, self.load_cores, self.delay = cores, load_cores, delay
        self.running = []
        try:
            self.start()
            for column in self.columns():
                for place in (column.page, column.streams):
                    wait_until(f"{column.name} does not answer\n{self.logs()}", lambda: answers(place))
        except BaseException:
            self.stop()
            raise

    def start(self):
        raise NotImplementedError

    def columns(self):
        raise NotImplementedError

    def run(self, name, arguments, cores=None, environment=None):
        half = Half(arguments, cores or self.cores, self.folder / f"{name}.log", environment)
        self.running.append(half)
        return half

    def by_the_link(self, port):
        """The port where the other half is found."""
        if not self.delay:
            return port
        [link] = free_ports(1)
        half = self.run("link", [sys.executable, HERE / "streams.py", "link", link, port, self.delay], self.load_cores)
        wait_for_port(link, half.process, half.log)
        return link

    def logs(self):
        return "\n".join(f"{log.name}: {log.read_text()[-500:]}" for log in self.folder.glob("*.log"))

    def stop(self):
        for half in reversed(self.running):
            half.stop()


class EdgeServer(proxies.Selvage, Half):
    """A server with an HTTPS edge and a TCP edge for each origin, all with tunnels behind."""

    name = "edge"

    def __init__(self, folder, cores):
        http, https, self.agents = ports = free_ports(3)
        self.tcp_ports = adjacent_ports(ports)
        super().__init__(folder, (http, https, self.tcp_ports[0]), None, 1, cores)

    def prepare(self):
        command = super().prepare()
        file = command[-1]
        low, high = self.tcp_ports
        text = file.read_text().replace(f'ports = "{low}-{low}"', f'ports = "{low}-{high}"')
        file.write_text(text.replace("[limits]", f"""[agents]
address = "127.0.0.1"
port = {self.agents}
host = ["localhost"]
[limits]"""))
        return command

    def configure(self):
        wait_until("no admin socket", self.admin.exists)
        self.tcp_places = {}
        for label, host in (("page", HOST), ("streams", STREAMS)):
            backend = {"backend_id": self.send("POST", "/backends/tunnel_group", {"labels": {"bench": label}})["id"]}
            self.send("POST", "/reserved_domains", {"domain": host})
            edge = self.send("POST", "/edges/https", {"hostports": [host + ":443"]})["id"]
            self.send(
                "POST", f"/edges/https/{edge}/routes", {"match_type": "path_prefix", "match": "/", "backend": backend})
            address = self.send("POST", "/reserved_addrs", {})["addr"]
            self.send("POST", "/edges/tcp", {"hostports": [address], "backend": backend})
            self.tcp_places[label] = (int(address.rpartition(":")[2]), host)
        self.token, self.authority = self.folder / "token", self.folder / "authority.pem"
        self.token.touch(0o600)
        self.token.write_text(self.send("POST", "/credentials", {})["token"])
        connection = proxies.AdminSocket(self.admin)
        connection.request("GET", "/selvage/ca")
        self.authority.write_bytes(connection.getresponse().read())


class Selvage(Tunnel):
    name = "Selvage"

    def start(self):
        self.server = EdgeServer(self.folder / "server", self.cores)
        self.running.append(self.server)
        self.agent = self.start_agent(self.by_the_link(self.server.agents))

    def start_agent(self, port):
        file = self.folder / "agent.toml"
        file.write_text(f"""
server = "localhost:{port}"
authtoken_file = "{self.server.token}"
trust = "{self.server.authority}"
""" + "".join(f"""
[[tunnel]]
name = "{label}"
labels = {{ bench = "{label}" }}
upstream = "http://127.0.0.1:{origin}"
""" for label, origin in (("page", self.origin), ("streams", self.stream_origin))))
        program = self.server.binary.with_name("selvage-agent")
        return self.run("agent", [program, "start", "--log", "plain", "--config", file])

    def columns(self):
        halves = [self.server, self.agent]
        yield Column(self.name, halves, (self.server.http, HOST), (self.server.http, STREAMS))
        places = self.server.tcp_places
        yield Column(f"{self.name}, TCP edge", halves, places["page"], places["streams"])


class WithNgrok(Selvage):
    name = "Selvage, ngrok's agent"

    def start_agent(self, port):
        return self.run(
            "agent",
            [PYTHON, HERE / "ngrok_agent.py", f"localhost:{port}", self.server.authority, self.server.token,
             f"page=http://127.0.0.1:{self.origin}", f"streams=http://127.0.0.1:{self.stream_origin}"])

    def columns(self):
        yield next(super().columns())


class OpenSSH(Tunnel):
    """`ssh -R` with its usual ciphers, and an sshd of our own: a key that is thrown away, no file of the system's."""

    name = "ssh -R"

    def start(self):
        [port] = free_ports(1)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key], check=True)
        (self.folder / "sshd_config").write_text(f"""
ListenAddress 127.0.0.1
Port {port}
HostKey {self.folder}/host
AuthorizedKeysFile {self.folder}/user.pub
StrictModes no
PidFile none
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding remote
{self.parts_of_sshd()}
""")
        self.server = self.run("sshd", self.sshd_command(), environment=self.libraries())
        wait_for_port(port, self.server.process, self.server.log)
        self.ports = free_ports(2)
        user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        forwards = [
            word for here, origin in zip(self.ports, (self.origin, self.stream_origin))
            for word in ("-R", f"127.0.0.1:{here}:127.0.0.1:{origin}")]
        options = {
            "BatchMode": "yes", "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes", "IdentityAgent": "none", "ExitOnForwardFailure": "yes"}
        self.client = self.run(
            "ssh", ["ssh", "-F", "none", "-N", *(f"-o{key}={value}" for key, value in options.items()), "-i",
                    self.folder / "user", *forwards, "-p", self.by_the_link(port), f"{user}@127.0.0.1"])

    @staticmethod
    def binary():
        installed = pathlib.Path("/usr/sbin/sshd")
        return installed if installed.exists() else UNPACKED / "usr/sbin/sshd"

    def parts_of_sshd(self):
        """From OpenSSH 9.8 on it is several programs, and has to be told where they are."""
        folder = UNPACKED / "usr/lib/openssh"
        if self.binary().is_relative_to(UNPACKED):
            parts = {"SshdSessionPath": "sshd-session", "SshdAuthPath": "sshd-auth"}
            return "\n".join(f"{key} {folder / part}" for key, part in parts.items() if (folder / part).exists())
        return ""

    def libraries(self):
        return {"LD_LIBRARY_PATH": ":".join(str(path) for path in (UNPACKED / "usr/lib").glob("*-linux-gnu"))}

    def sshd_command(self):
        command = [self.binary(), "-D", "-e", "-f", self.folder / "sshd_config"]
        if os.geteuid() != 0:
            return command
        # Root's sshd wants a user "sshd", an empty folder in /run, and that root has a password: it sees files of its
        # own in their place, in a view of the file system that nobody else has.
        users = pathlib.Path("/etc/passwd").read_text().splitlines()
        users = [line for line in users if not line.startswith("sshd:")]
        (self.folder / "passwd").write_text("\n".join([*users, "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin", ""]))
        (self.folder / "shadow").write_text("root:none:20000:0:99999:7:::\n")
        return ["unshare", "--mount", "sh", "-euc", """
mount --bind "$0/passwd" /etc/passwd
mount --bind "$0/shadow" /etc/shadow
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd
exec "$@"
""", self.folder, *command]

    def columns(self):
        # A port forwards to one origin whatever host is asked for.
        yield Column(self.name, [self.server, self.client], (self.ports[0], HOST), (self.ports[1], STREAMS))


class PageKite(Tunnel):
    """The one self-hosted tunnel program besides SSH in Debian. Its tunnel by TLS, without compression."""

    name = "PageKite"

    def start(self):
        [port] = free_ports(1)
        self.port = port
        both, certificate = self.folder / "both.pem", self.folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-keyout", both, "-out", certificate, "-subj", "/CN=front.localhost",
             "-addext", "subjectAltName=DNS:front.localhost"], check=True, capture_output=True)
        both.write_text(both.read_text() + certificate.read_text())
        common = [
            "/usr/bin/python3", UNPACKED / "usr/bin/pagekite", "--clean", "--nullui", "--nocrashreport",
            "--logfile=stdio"]
        environment = {"PYTHONPATH": str(UNPACKED / "usr/lib/python3/dist-packages")}
        self.server = self.run("front", [
            *common, "--isfrontend", "--host=127.0.0.1", f"--ports={port}", "--protos=http",
            f"--domain=http:{HOST}:secret", f"--domain=http:{STREAMS}:secret", f"--tls_endpoint=front.localhost:{both}",
        ], environment=environment)
        wait_for_port(port, self.server.process, self.server.log)
        self.client = self.run("back", [
            *common, f"--frontend=127.0.0.1:{self.by_the_link(port)}", "--fe_certname=front.localhost",
            f"--ca_certs={certificate}", "--noprobes", "--nozchunks",
            f"--service_on=http:{HOST}:127.0.0.1:{self.origin}:secret",
            f"--service_on=http:{STREAMS}:127.0.0.1:{self.stream_origin}:secret",
        ], environment=environment)

    def columns(self):
        yield Column(self.name, [self.server, self.client], (self.port, HOST), (self.port, STREAMS))


ALL = [Selvage, OpenSSH, PageKite, WithNgrok]
