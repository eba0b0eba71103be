#!/usr/bin/env python3
"""Writes the first inputs of the agent protocol's fuzzer. Usage: tunnel_seeds.py FOLDER"""

import pathlib
import struct
import sys


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind << 4 | flags]) + struct.pack(">I", stream) + payload


def u32(value):
    return struct.pack(">I", value)


HEARTBEAT, PROXY = u32(0xFFFFFFFF), u32(3)
AUTH = b'{"Version":["3","2"],"ClientId":"","Extra":{"AuthToken":"t","HeartbeatInterval":10000000000%s}}'
OURS = b',"Selvage":{"Version":1,"Streams":50}'
HEADER = b'{"Id":"t","ClientAddr":"192.0.2.1:1","Proto":"http","EdgeType":"3","PassthroughTLS":false}'


def agent(extra):
    """An agent that connects, binds, and leaves a call."""
    return (
        frame(1, 2, 3, HEARTBEAT) + frame(1, 2, 5, u32(0)) + frame(1, 0, 5, AUTH % extra) + frame(1, 0, 3, b"beat")
        + frame(1, 1, 5) + frame(1, 2, 7, u32(1)) + frame(1, 0, 7, b'{"Id":"","Proto":"https","Opts":{}}\n')
        + frame(2, 0, 7, u32(65536)) + frame(1, 1, 7) + frame(1, 3, 9, u32(8) + b"{}") + frame(0, 0, 9, u32(4))
        + frame(3, 0, 0, u32(0) + u32(1) + b"bye")
    )


def server(extra):
    """A server that accepts, beats, sends a visitor and a command."""
    reply = b'{"Version":"3","ClientId":"c","Error":"","Extra":{"Cookie":"k"%s}}' % extra
    return (
        frame(2, 0, 5, u32(300)) + frame(1, 1, 5, reply) + frame(1, 0, 3, u32(2)) + frame(1, 2, 2, HEARTBEAT + b"beat")
        + frame(1, 2, 4, PROXY + struct.pack("<q", len(HEADER)) + HEADER + b"GET / HTTP/1.1\r\n\r\n")
        + frame(1, 1, 4) + frame(1, 2, 6, u32(5) + b"{}") + frame(0, 0, 6, u32(6)) + frame(2, 0, 6, u32(1))
        + frame(1, 3, 8, u32(9) + b'{"Id":"t","Message":"m","ErrorCode":null}')
    )


def seeds():
    for cut in (b"\xff", b"\x00", b"\x05"):
        for extra in (b"", OURS):
            yield b"s" + cut + agent(extra)
            yield b"a" + cut + server(extra)
        yield b"m" + cut + b' \n{"a":"\\"}{","b":[{"c":[]}],"\xc3\xa9":1.5e3}\n'
        yield b"m" + cut + b'{"a":[}'
        yield b"h" + cut + struct.pack("<q", len(HEADER) + 2) + HEADER + b"  payload"
        yield b"h" + cut + struct.pack("<q", -1) + HEADER
    # Steps: an Auth (0: a stranger's, 2: ours), streams of either side, and what callers do.
    for auth in (0, 2):
        steps = bytes([0, auth, 0, 8, 0x20, 3, 11, 5, 11, 5, 8, 0, 8, 1, 9, 0, 10, 1, 3, 4, 5, 4, 11, 1, 12, 255, 11, 3])
        yield b"S\xff" + steps
        yield b"S\xff" + bytes([0, auth, 13, 1]) + bytes([14, 255, 1, 3, 8, 0]) * 20
        yield b"S\xff" + bytes([0, auth]) + bytes([0, 4, 11, 5, 4, 131]) * 40
    yield b"A\xff" + bytes([6, 5, 0, 255, 0, 255, 2, 4, 8, 0, 9, 0, 0, 6, 11, 1, 11, 0, 7, 3, 12, 200, 3, 4])
    yield b"A\xff" + bytes([6, 5, 13, 1]) + bytes([0, 255, 8, 0, 9, 0]) * 30


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for number, seed in enumerate(seeds()):
    (folder / f"tunnel-seed-{number}").write_bytes(seed)
