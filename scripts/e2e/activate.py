#!/usr/bin/env python3
"""Starts a program as systemd would: with a listening socket passed by name, and a socket to say READY to.

Usage: activate.py NAME PROGRAM ARGUMENTS…
Prints the port that the passed socket listens on, then each state that the program notifies, and ends with its status.
"""

import os
import signal
import socket
import sys
import tempfile

name, program = sys.argv[1], sys.argv[2:]
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
with tempfile.TemporaryDirectory() as folder:
    states = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    states.bind(folder + "/notify")
    child = os.fork()
    if child == 0:
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        environment = {
            **os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": name,
            "NOTIFY_SOCKET": folder + "/notify",
        }
        os.execve(program[0], program, environment)
    listener.close()
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    states.settimeout(0.1)
    while True:
        try:
            print(states.recv(4096).decode().replace("\n", " "), flush=True)
        except TimeoutError:
            pass
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            sys.exit(os.waitstatus_to_exitcode(status))
