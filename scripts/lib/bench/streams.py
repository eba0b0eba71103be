#!/usr/bin/env python3
"""One large stream at a time: an origin that gives and takes without end, its clients, and a link with a delay.

    streams.py origin PORT                 GET: bytes until the client leaves; POST: takes all and counts it
    streams.py link PORT TO_PORT SECONDS   passes bytes on, each so many seconds after it came; never fewer per second
"""

import queue
import socket
import socketserver
import sys
import threading
import time

PIECE = 256 << 10
# More than any run moves: the client leaves when its time is over.
ENDLESS = 1 << 40


class Origin(socketserver.BaseRequestHandler):
    taken = 0
    lock = threading.Lock()

    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(65536)
            if not more:
                return
            head += more
        head, _, rest = head.partition(b"\r\n\r\n")
        try:
            if head.startswith(b"GET /taken"):
                text = str(Origin.taken).encode()
                head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(text)
                self.request.sendall(head + text)
            elif head.startswith(b"GET"):
                self.give()
            else:
                self.take(len(rest))
        except OSError:
            # The client has left, as it should.
            pass

    def give(self):
        self.request.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % ENDLESS)
        piece = memoryview(bytes(PIECE))
        while True:
            self.request.sendall(piece)

    def take(self, count):
        buffer = bytearray(PIECE)
        while True:
            with Origin.lock:
                Origin.taken += count
            count = self.request.recv_into(buffer)
            if not count:
                return


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


def _ask(place, head):
    port, host = place
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(f"{head} HTTP/1.1\r\nhost: {host}\r\n".encode())
    return connection


def _taken(port):
    with _ask((port, "origin"), "GET /taken") as connection:
        connection.sendall(b"\r\n")
        answer = b""
        while more := connection.recv(4096):
            answer += more
    return int(answer.rpartition(b"\r\n")[2])


def download(place, seconds):
    """(bytes that came, seconds that they took)"""
    buffer = bytearray(PIECE)
    with _ask(place, "GET /stream") as connection:
        connection.sendall(b"\r\n")
        head = connection.recv(12, socket.MSG_WAITALL)
        if head != b"HTTP/1.1 200":
            raise RuntimeError(f"not answered 200: {head!r}")
        began, count = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            more = connection.recv_into(buffer)
            if not more:
                raise RuntimeError(f"the download ended after {count} bytes")
            count += more
        return count, time.monotonic() - began


def upload(place, origin, seconds):
    """(bytes that the origin took, seconds): what is still on its way is not counted."""
    piece = memoryview(bytes(PIECE))
    with _ask(place, "POST /stream") as connection:
        connection.sendall(b"content-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n" % ENDLESS)
        before, began = _taken(origin), time.monotonic()
        while time.monotonic() - began < seconds:
            # In parts, so that a slow tunnel does not hold the clock.
            connection.send(piece)
        return _taken(origin) - before, time.monotonic() - began


class Link:
    """Two threads to a direction: what comes is read at once, stamped, and written when its time has come."""

    def __init__(self, port, to, delay):
        self.to, self.delay = to, delay
        self.listener = socket.create_server(("127.0.0.1", port))

    def run(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", self.to))
            for one, other in ((near, far), (far, near)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                on_the_way = queue.SimpleQueue()
                threading.Thread(target=self.read, args=(one, on_the_way), daemon=True).start()
                threading.Thread(target=self.write, args=(other, on_the_way), daemon=True).start()

    def read(self, source, on_the_way):
        while True:
            try:
                piece = source.recv(PIECE)
            except OSError:
                piece = b""
            on_the_way.put((time.monotonic() + self.delay, piece))
            if not piece:
                return

    def write(self, target, on_the_way):
        while True:
            due, piece = on_the_way.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if not piece:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(piece)
            except OSError:
                return


def main(what, port, *rest):
    if what == "origin":
        Listener(("127.0.0.1", int(port)), Origin).serve_forever()
    elif what == "link":
        Link(int(port), int(rest[0]), float(rest[1])).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
