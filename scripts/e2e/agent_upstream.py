"""An upstream in one event loop: HTTP/1.1 on kept connections, fast enough not to be what is measured."""

import asyncio
import json


class Counts:
    def __init__(self):
        self.requests = self.connections = self.open = self.received = 0


class HTTPUpstream(asyncio.Protocol):
    """Answers by path:

    /bytes/N   N bytes                 /endless   bytes without an end, as fast as they are taken
    /head      the request's head      /late/S    its name after S seconds
    /cut/N     claims twice N bytes, sends N and closes
    anything else: the name; after a request with a body, the body's length
    """

    def __init__(self, name, counts):
        self.name, self.counts = name, counts
        self.buffer = b""
        self.proxy = ""
        self.task = None
        self.left = None
        self.received = 0

    def connection_made(self, transport):
        self.transport = transport
        self.counts.connections += 1
        self.counts.open += 1
        self.can_write = asyncio.Event()
        self.can_write.set()

    def connection_lost(self, _):
        self.counts.open -= 1
        if self.task:
            self.task.cancel()

    def pause_writing(self):
        self.can_write.clear()

    def resume_writing(self):
        self.can_write.set()

    def data_received(self, data):
        self.counts.received += len(data)
        self.buffer += data
        while self.buffer and self.step():
            pass

    def step(self):
        """Whether there may be more to do with what is there."""
        if self.left is not None:
            used = min(self.left, len(self.buffer))
            self.buffer, self.left = self.buffer[used:], self.left - used
            if self.left:
                return False
            self.left = None
            self.reply(str(self.received).encode())
            return True
        if not self.proxy and self.take_proxy():
            return True
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head, self.buffer = self.buffer[:end], self.buffer[end + 4:]
        self.begin(head)
        return True

    def take_proxy(self):
        """Keeps a PROXY protocol header, of either version."""
        if self.buffer.startswith(b"PROXY ") and (end := self.buffer.find(b"\r\n")) > 0:
            size = end + 2
        elif self.buffer.startswith(b"\r\n\r\n\0\r\nQUIT\n") and len(self.buffer) >= 16:
            size = 16 + int.from_bytes(self.buffer[14:16], "big")
        else:
            return False
        self.proxy, self.buffer = self.buffer[:size].hex(), self.buffer[size:]
        return True

    def begin(self, head):
        self.counts.requests += 1
        path = head.split(b" ", 2)[1].decode()
        lower = head.lower()
        index = lower.find(b"\r\ncontent-length:")
        if index >= 0:
            self.left = self.received = int(lower[index + 17:].split(b"\r\n", 1)[0])
            if self.left:
                return
            self.left = None
        if path.startswith("/bytes/"):
            self.task = asyncio.ensure_future(self.stream(int(path[7:])))
        elif path == "/endless":
            self.task = asyncio.ensure_future(self.stream(None))
        elif path.startswith("/late/"):
            self.task = asyncio.ensure_future(self.late(float(path[6:])))
        elif path.startswith("/cut/"):
            size = int(path[5:])
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2 * size) + b"x" * size)
            self.transport.close()
        elif path == "/head":
            self.reply(json.dumps({"head": head.decode("latin-1"), "proxy": self.proxy}).encode(), b"application/json")
        else:
            self.reply(self.name)

    def reply(self, body, kind=b"text/plain"):
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nx-upstream: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (kind, self.name, len(body), body))

    async def late(self, seconds):
        await asyncio.sleep(seconds)
        self.reply(self.name)

    async def stream(self, size):
        length = b"" if size is None else b"content-length: %d\r\n" % size
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n%b\r\n" % length)
        piece = b"0123456789abcdef" * 1024
        left = size
        while left is None or left > 0:
            await self.can_write.wait()
            if self.transport.is_closing():
                return
            self.transport.write(piece if left is None else piece[:left])
            if left is not None:
                left -= len(piece)


async def echo(reader, writer):
    """Sends back what comes, and ends when its peer has ended."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except (OSError, NotImplementedError):
        pass
    writer.close()


async def start(kind, name, counts, tls=None):
    """Starts one and returns its port. Its kind is `http` or `echo`."""
    if kind == "echo":
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=tls)
    elif kind == "websocket":
        import websockets.asyncio.server

        async def send_back(channel):
            async for message in channel:
                await channel.send(message)

        server = await websockets.asyncio.server.serve(send_back, "127.0.0.1", 0, ping_interval=None)
    else:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: HTTPUpstream(name.encode(), counts), "127.0.0.1", 0, ssl=tls, backlog=2048)
    counts.server = server
    return server.sockets[0].getsockname()[1]
