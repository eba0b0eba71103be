#!/usr/bin/env python3
"""Starts a program as systemd would: with a listening socket passed by name, and a socket to say READY to.

Usage: activate.py NAME PROGRAM ARGUMENTS…
Prints the port that the passed socket listens on, then each state that the program notifies, and ends with its status.
Told by SIGHUP, it ends the program and starts it again, by SIGUSR1 it kills it first: the socket listens all the while.
"""

import os
import signal
import socket
import sys
import tempfile

name, program = sys.argv[1], sys.argv[2:]
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)


def start(folder):
    child = os.fork()
    if child == 0:
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        environment = {
            **os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": name,
            "NOTIFY_SOCKET": folder + "/notify",
        }
        os.execve(program[0], program, environment)
    return child


print("port", listener.getsockname()[1], flush=True)
with tempfile.TemporaryDirectory() as folder:
    states = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    states.bind(folder + "/notify")
    child = start(folder)
    again = False

    def begin_again(number, _):
        global again
        again = True
        os.kill(child, signal.SIGTERM if number == signal.SIGHUP else signal.SIGKILL)

    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    signal.signal(signal.SIGHUP, begin_again)
    signal.signal(signal.SIGUSR1, begin_again)
    states.settimeout(0.02)
    while True:
        try:
            print(states.recv(4096).decode().replace("\n", " "), flush=True)
        except TimeoutError:
            pass
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended and again:
            again = False
            child = start(folder)
            print("started", child, flush=True)
        elif ended:
            sys.exit(os.waitstatus_to_exitcode(status))
