#!/usr/bin/env python3
"""ngrok's own Python package as the agent: `ngrok_agent.py SERVER CA TOKEN LABEL=URL…`, until it is ended."""

import asyncio
import pathlib
import sys

import ngrok


async def main(server, authority, token, *tunnels):
    session = await (
        ngrok.SessionBuilder().authtoken(pathlib.Path(token).read_text().strip()).server_addr(server)
        .ca_cert(bytearray(pathlib.Path(authority).read_bytes())).connect())
    kept = []
    for tunnel in tunnels:
        label, _, url = tunnel.partition("=")
        listener = await session.labeled_listener().label("bench", label).listen()
        kept.append((listener, listener.forward(url)))
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
