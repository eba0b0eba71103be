"""An agent by hand: muxado frames over TLS, with no rule of the protocol that it could not break."""

import json
import socket
import ssl
import struct
import threading

RESET, DATA, CREDIT, GOAWAY = range(4)
FIN, SYN = 1, 2
AUTH, BIND, LABELLED = 0, 1, 7
HEARTBEAT = 0xFFFFFFFF


def frame(kind, stream, payload=b"", flags=0):
    return struct.pack(">II", len(payload) << 8 | kind << 4 | flags, stream) + payload


def reset(stream, code):
    return frame(RESET, stream, struct.pack(">I", code))


def credit(stream, count):
    return frame(CREDIT, stream, struct.pack(">I", count))


def authentication(token, **facts):
    extra = {
        "OS": "linux", "Arch": "x86_64", "AuthToken": token, "Version": "raw", "Metadata": "", "Cookie": "",
        "HeartbeatInterval": 10_000_000_000, "HeartbeatTolerance": 15_000_000_000, "ClientType": "by-hand", **facts,
    }
    return {"Version": ["3", "2"], "ClientId": "", "Extra": extra}


class Wire:
    """One connection. `frames` holds what came, as (kind, flags, stream, payload), from a thread of its own."""

    def __init__(self, place, host="127.0.0.1", port=None, name="localhost", maximum=None):
        context = ssl.create_default_context(cadata=place.authority())
        if maximum:
            context.maximum_version = maximum
        raw = socket.create_connection((host, port or place.agents), timeout=60)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.raw = raw
        # Bytes are opened and sealed by different threads, which an SSL socket does not bear.
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.opening, self.sending = threading.Lock(), threading.Lock()
        self.handshake()
        self.next = 3
        self.frames = []
        self.replies = {}
        self.arrived = threading.Condition()
        self.is_over = False
        self.reader = None
        self.beats = None

    def handshake(self):
        while True:
            try:
                self.tls.do_handshake()
                return self.raw.sendall(self.outgoing.read())
            except ssl.SSLWantReadError:
                self.raw.sendall(self.outgoing.read())
                if not (data := self.raw.recv(1 << 16)):
                    raise ConnectionError("ended during the handshake")
                self.incoming.write(data)

    # MARK: Receiving

    def recv(self):
        """What has come; nothing at the end."""
        while True:
            with self.opening:
                try:
                    return self.tls.read(1 << 16)
                except ssl.SSLWantReadError:
                    pass
            if not (data := self.raw.recv(1 << 16)):
                return b""
            with self.opening:
                self.incoming.write(data)

    def start(self, serve=None):
        """Reads from now on. `serve(wire, stream, payload, flags)` is called for frames of visitors' streams."""
        self.reader = threading.Thread(target=self.read, args=(serve,), daemon=True)
        self.reader.start()
        return self

    def read(self, serve):
        buffer = b""
        try:
            while data := self.recv():
                buffer += data
                while len(buffer) >= 8:
                    word, stream = struct.unpack(">II", buffer[:8])
                    end = 8 + (word >> 8)
                    if len(buffer) < end:
                        break
                    payload, buffer = buffer[8:end], buffer[end:]
                    self.take(word >> 4 & 15, word & 15, stream, payload, serve)
        except OSError:
            pass
        with self.arrived:
            self.is_over = True
            self.arrived.notify_all()

    def take(self, kind, flags, stream, payload, serve):
        if kind == DATA and stream % 2 == 0 and self.is_visitors(stream, payload, flags) and serve:
            serve(self, stream, payload, flags)
        with self.arrived:
            if kind == DATA and stream % 2:
                self.replies[stream] = self.replies.get(stream, b"") + payload
            else:
                self.frames.append((kind, flags, stream, payload))
            self.arrived.notify_all()

    def is_visitors(self, stream, payload, flags):
        """Whether the stream is a visitor's; the server's heartbeats are answered."""
        if flags & SYN:
            self.beats = stream if payload[:4] == b"\xff\xff\xff\xff" else self.beats
            payload = payload[4:]
        if stream != self.beats:
            return True
        if payload:
            self.send(credit(stream, len(payload)) + frame(DATA, stream, payload))
        return False

    def wait(self, condition, seconds=30):
        with self.arrived:
            return self.arrived.wait_for(condition, seconds)

    def ended(self, seconds=30):
        """Whether the server ends the connection."""
        return self.wait(lambda: self.is_over, seconds)

    # MARK: Sending

    def send(self, data):
        with self.sending:
            for start in range(0, len(data), 1 << 16):
                with self.opening:
                    self.tls.write(data[start:start + (1 << 16)])
                    sealed = self.outgoing.read()
                self.raw.sendall(sealed)

    def call(self, kind, message):
        """The answer to a call; the server's half is waited for to the end of the object."""
        stream = self.next
        self.next += 2
        self.send(frame(DATA, stream, struct.pack(">I", kind), SYN) + frame(DATA, stream, json.dumps(message).encode()))

        def complete():
            try:
                return json.loads(self.replies.get(stream, b""))
            except ValueError:
                return None

        if not self.wait(lambda: complete() or self.is_over):
            raise AssertionError("no answer")
        answer = complete()
        if answer is None:
            raise ConnectionError("the server has ended the connection")
        self.send(frame(DATA, stream, flags=FIN))
        return answer

    def beat(self):
        stream = self.next
        self.next += 2
        self.send(frame(DATA, stream, struct.pack(">II", HEARTBEAT, 1), SYN))
        return stream

    def authenticate(self, token, **facts):
        answer = self.call(AUTH, authentication(token, **facts))
        if answer.get("Error"):
            raise AssertionError(answer["Error"])
        return answer

    def label(self, **labels):
        return self.call(LABELLED, {"Labels": labels, "ForwardsTo": "http://x", "ForwardsProto": "", "Metadata": ""})

    def close(self):
        # The thread that reads would keep the connection alive.
        try:
            self.raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.raw.close()


def answer_http(body=b"raw"):
    """A `serve` that answers every request with a body."""
    answer = b"HTTP/1.1 200 OK\r\nx-upstream: raw\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    def serve(wire, stream, payload, flags):
        if payload.endswith(b"\r\n\r\n"):
            wire.send(credit(stream, len(payload)) + frame(DATA, stream, answer))
        if flags & FIN:
            wire.send(frame(DATA, stream, flags=FIN))

    return serve
