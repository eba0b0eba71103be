#!/usr/bin/env python3
"""An agent: the unmodified SDK with upstreams of its own, told what to do by lines of JSON.

    {"do": "connect", "server": "localhost:4443", "token": …, "ca": PEM, "heartbeat": [interval, tolerance], …}
    {"do": "listen", "kind": "labelled|http|tcp|tls", "options": {"domain": …, "label": [name, value]}, "to": URL}
    {"do": "upstream", "kind": "http|echo|websocket", "tls": [certificate file, key file] or null}
    {"do": "count"}   {"do": "close_listener", "id": …}   {"do": "close_session"}   {"do": "heard"}

Each is answered by a line: `{"ok": …}`, or `{"error": [what the exception says]}`.
"""

import asyncio
import json
import ssl
import sys

import agent_upstream
import ngrok

KINDS = {"labelled": "labeled_listener", "http": "http_endpoint", "tcp": "tcp_endpoint", "tls": "tls_endpoint"}


class Agent:
    def __init__(self, name):
        self.name = name
        self.session = None
        self.listeners = {}
        self.counts = agent_upstream.Counts()
        self.commands = []

    async def connect(self, order):
        builder = ngrok.SessionBuilder().authtoken(order["token"]).server_addr(order["server"])
        builder = builder.ca_cert(bytearray(order["ca"].encode())).metadata(order.get("metadata", ""))
        if "heartbeat" in order:
            interval, tolerance = order["heartbeat"]
            builder = builder.heartbeat_interval(interval).heartbeat_tolerance(tolerance)
        if order.get("handlers"):
            builder = builder.handle_stop_command(lambda: self.commands.append("stop"))
            builder = builder.handle_restart_command(lambda: self.commands.append("restart"))
            builder = builder.handle_update_command(
                lambda version, major: self.commands.append(f"update {version!r} {major}"))
        self.session = await builder.connect()
        return True

    async def listen(self, order):
        builder = getattr(self.session, KINDS[order["kind"]])()
        for name, value in order.get("options", {}).items():
            for arguments in value if isinstance(value, list) and value and isinstance(value[0], list) else [value]:
                if name == "termination":
                    arguments = [bytearray(text.encode()) for text in arguments]
                # Methods change the builder in place, whatever they return.
                getattr(builder, name)(*arguments if isinstance(arguments, list) else [arguments])
        # An upstream is named, so that the server hears of it, and forwarding starts with the listener itself.
        listener = await builder.listen_and_forward(order["to"])
        # A tunnel serves when its agent has ended the call, a moment after this; whoever has the answer to a later call
        # knows that the server has read that end.
        await self.session.close_listener("tn_of_nobody")
        url = listener.url() if order["kind"] != "labelled" else ""
        self.listeners[listener.id()] = listener
        return {"id": listener.id(), "url": url}

    async def upstream(self, order):
        tls = None
        if order.get("tls"):
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*order["tls"])
        return await agent_upstream.start(order["kind"], self.name, self.counts, tls)

    async def close_upstream(self, _):
        self.counts.server.close()

    async def close_listener(self, order):
        await self.listeners.pop(order["id"]).close()

    async def close_session(self, _):
        await self.session.close()

    async def count(self, _):
        return {k: v for k, v in vars(self.counts).items() if isinstance(v, int)}

    async def heard(self, _):
        return self.commands

    async def obey(self, line):
        order = json.loads(line)
        try:
            answer = {"ok": await getattr(self, order["do"])(order)}
        except Exception as error:
            answer = {"error": [str(argument) for argument in error.args] or [repr(error)]}
        print(json.dumps(answer), flush=True)


async def main():
    agent = Agent(sys.argv[1])
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        await agent.obey(line)


asyncio.run(main())
