#!/usr/bin/env python3
"""Writes the first inputs of the HTTP/1 fuzzer. Usage: seeds.py FOLDER"""

import pathlib
import sys

HOST = b"Host: a.example\r\n"
REQUESTS = [
    b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /a?b=c HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"\r\nPOST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nTE: trailers\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n",
    b"GET http://a.example:80/p?q HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET https://B HTTP/1.1\r\nHost: b:443\r\n\r\n",
    b"GET http://c?x HTTP/1.0\r\n\r\n",
    b"GET /ws HTTP/1.1\r\n" + HOST + b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Connection: x-hop, close\r\nX-Hop: 1\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: [::ffff:192.0.2.1]\r\nX: a\t b \xe9 \r\nEmpty:\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\nX : y\r\nZ: a\nb\r\n\r\n",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: a\r\n\r\n",
    b"HTTP/1.0 200\r\nConnection: keep-alive\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
    b"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 304 x\r\nContent-Length: 7\r\nngrok-error-code: x\r\nConnection: x-a\r\nX-A: 1\r\n\r\n",
]
BODIES = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"A;a=b;c=\"d\\\"e\"\r\n0123456789\r\n000\r\nETag: e\r\nContent-Length: 5\r\n\r\nnext",
    b"FFFFFFFFFFFFFFFF\r\n", b"5 \r\nhello\r\n", b"1\r\nx\n0\r\n\r\n", b"0\r\nA: b\r\n c\r\n\r\n",
]
RULES = [b"namevalue", b"x-a/path?q", b"POST/x", b"tetrailers", b"aa.example:443", b"content-length12", b"name a\r\nb: c"]


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for mode, messages in enumerate([REQUESTS, RESPONSES, BODIES, RULES]):
        for number, message in enumerate(messages):
            (folder / f"seed-{mode}-{number:02}").write_bytes(bytes([mode, 100]) + message)


main(pathlib.Path(sys.argv[1]))
