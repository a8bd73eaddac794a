#!/usr/bin/env python3
"""run-bulk.py SBX-PROXY SBX-VAULT DOOR BULK [NAME...]: bodies of any size through opened TLS, and what the proxy holds of them. TAP."""
import os
import subprocess
import sys

import inside
import tap
from inside import Place
from place import memory_kib

inside.program, inside.vault_program, DOOR, BULK = sys.argv[1:5]
GIB, MIB = 1 << 30, 1 << 20
LARGE = 10 * GIB
LIMIT_S = 200
# A stream's widest window, in a buffer that has room for twice as much, and queues both ways; those of each other stream.
GROWTH_MAX_KIB, STREAM_MAX_KIB = 12 << 10, 1 << 10


class Bulk:
    """A server with the protocol of that name."""

    def __init__(self, http, *more):
        self.process = subprocess.Popen([BULK, "serve", inside.public.issue("a.test"), http, *more], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())


class Door:
    """The guest's end, for programs of this machine."""

    def __init__(self, near, server):
        self.process = subprocess.Popen([DOOR, f"a.test:{server.port}"], stdout=subprocess.PIPE, pass_fds=[3],
                                        preexec_fn=lambda: os.dup2(near.fileno(), 3))
        near.close()
        self.port = int(self.process.stdout.readline())


class Bulky(Place):
    def __init__(self, http, *more):
        server = Bulk(http, *more)
        super().__init__(server, make_guest=lambda near, _: Door(near, server))

    def __exit__(self, *rest):
        for process in (self.server.process, self.proxy.guest.process):
            process.kill()
            process.wait()
        super().__exit__(*rest)

    def ask(self, http, up, down, count=1, *more):
        """Gives what the proxy's memory has grown by at most, in KiB."""
        before = memory_kib(self.proxy)
        argv = [BULK, "ask", str(self.proxy.guest.port), f"a.test:{self.server.port}", self.trusted, http, str(up), str(down), str(count)]
        with subprocess.Popen([*argv, *more]) as client:
            try:
                status = client.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                client.kill()
                status = "nothing"
        assert status == 0, f"the client ended with {status}"
        return memory_kib(self.proxy, "VmHWM") - before


def through(client, server, up, down, count=1, slow=""):
    """One exchange, after a small one that has everything in its place. slow: which of the ends reads with pauses."""
    with Bulky(server, *(["slow"] if slow == "server" else [])) as place:
        place.ask(client, MIB, MIB)
        grown = place.ask(client, up, down, count, *(["slow"] if slow == "client" else []))
        assert grown < GROWTH_MAX_KIB + (count - 1) * STREAM_MAX_KIB, f"the proxy has grown by {grown} KiB"
        print(f"# grown by {grown} KiB")


def request_of_10_gib_http1():
    """Up."""
    through("1.1", "1.1", LARGE, 0)


def answer_of_10_gib_http1():
    """Down."""
    through("1.1", "1.1", 0, LARGE)


def request_of_10_gib_http2():
    """Up."""
    through("2", "2", LARGE, 0)


def answer_of_10_gib_http2():
    """Down."""
    through("2", "2", 0, LARGE)


def slow_server():
    """What the server does not take is held back in the client."""
    for client, server in (("1.1", "1.1"), ("2", "2"), ("2", "1.1")):
        through(client, server, 256 * MIB, 0, slow="server")


def slow_client():
    """What the client does not take is held back in the server."""
    for client, server in (("1.1", "1.1"), ("2", "2"), ("2", "1.1")):
        through(client, server, 0, 256 * MIB, slow="client")


def many_at_once():
    """Streams of one session, more than may be queued of all."""
    for server in ("2", "1.1"):
        through("2", server, 0, 32 * MIB, count=16)
        through("2", server, 32 * MIB, 0, count=16)


sys.exit(tap.run([request_of_10_gib_http1, answer_of_10_gib_http1, request_of_10_gib_http2, answer_of_10_gib_http2, slow_server, slow_client,
                  many_at_once], sys.argv[5:]))
