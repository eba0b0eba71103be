"""How the programs of this folder reach a server: its Unix socket, or the API's address with a key."""

import argparse
import os
import socket
import threading
import traceback


def bridge(path):
    """A TCP port on loopback whose connections go to the Unix socket: most clients know HTTP over TCP only."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve():
        while True:
            client, _ = listener.accept()
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(path)
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return "http://127.0.0.1:%d" % listener.getsockname()[1]


class Place:
    """`base` is the API's address, `key` an API key (or what counts as none on a socket), `ca` a file to trust."""

    def __init__(self, description):
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
        parser.add_argument("place", help="the server's Unix socket, or https://…")
        parser.add_argument("--key", default="no-key-needed", help="an API key")
        parser.add_argument("--ca", help="a file with the authority to trust")
        parser.add_argument("parts", nargs="*", help="parts to run; all unless given")
        arguments = parser.parse_args()
        self.is_socket = not arguments.place.startswith("http")
        self.base = bridge(arguments.place) if self.is_socket else arguments.place.rstrip("/")
        self.key = arguments.key
        if arguments.ca:
            # Also the official client goes by this, and requests puts it before what a session says.
            os.environ["REQUESTS_CA_BUNDLE"] = arguments.ca
        self.ca = arguments.ca
        self.parts = arguments.parts

    @property
    def headers(self):
        return {"ngrok-version": "2", "authorization": "Bearer " + self.key}


def drive(description, run):
    """Runs a program of this folder on the place that the command line names.

    The result is the exit status: 1 with the first failed expectation.
    """
    place = Place(description)
    try:
        run(place)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def run_parts(*parts, only=()):
    """Runs the parts, or those that are named, in their order, and prints a line for each."""
    for part in parts:
        if not only or part.__name__ in only:
            part()
            print(f"{part.__name__}: as documented", flush=True)
